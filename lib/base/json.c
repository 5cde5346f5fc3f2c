/* json.c - parse JSON text; leave jansson's parser where it gets no memory. */
#include "base/json.h"

#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>

static _Thread_local jmp_buf *way_out;   /* while a parser runs in this thread */

static atomic_bool starved_once;

static void *watched_malloc(size_t n)
{
    void *p = malloc(n);

    if (!p)
        atomic_store(&starved_once, true);
    if (!p && way_out)
        longjmp(*way_out, 1);
    return p;
}

/* Before main(), so that no block is given out by one allocator and freed by another. */
__attribute__((constructor)) static void watch(void)
{
    json_set_alloc_funcs(watched_malloc, free);
}

json_t *nf_json_load(const void *text, size_t n, size_t flags, json_error_t *why, bool *starved)
{
    jmp_buf here;
    json_t *root;

    *starved = false;
    if (setjmp(here)) {
        way_out = NULL;
        *starved = true;
        return NULL;
    }
    way_out = &here;
    root = json_loadb(text, n, flags, why);
    way_out = NULL;
    return root;
}

json_t *nf_json_parse(const void *text, size_t n, size_t flags, const char *what, struct nf_err *err)
{
    json_error_t why;
    bool starved;
    json_t *root = nf_json_load(text, n, flags, &why, &starved);

    if (starved)
        nf_fail(err, NF_ESYS, "%s: out of memory", what);
    else if (!root)
        nf_fail(err, NF_EFORMAT, "%s: line %d: %s", what, why.line, why.text);
    return root;
}

bool nf_json_starved(void)
{
    return atomic_load(&starved_once);
}
