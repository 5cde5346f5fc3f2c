/* mem.c - a list of chunks, each at least twice as large as the one before. */
#include "base/mem.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { FIRST_CHUNK = 4096 };

struct nf_chunk {
    struct nf_chunk *full;   /* the chunks before this one */
    size_t used, capacity;
    alignas(max_align_t) unsigned char bytes[];
};

static struct nf_chunk *add_chunk(struct nf_mem *m, size_t need)
{
    size_t capacity = m->chunk ? 2 * m->chunk->capacity : FIRST_CHUNK;
    struct nf_chunk *c;

    if (capacity < need)
        capacity = need;
    c = malloc(sizeof *c + capacity);
    if (!c)
        return NULL;
    *c = (struct nf_chunk){ .full = m->chunk, .capacity = capacity };
    return m->chunk = c;
}

void *nf_mem_get(struct nf_mem *m, size_t n, size_t size, struct nf_err *err)
{
    struct nf_chunk *c = m->chunk;
    size_t bytes, room = alignof(max_align_t) - 1;
    void *p;

    if (!nf_mul(n, size, &bytes) || bytes > SIZE_MAX / 4) {
        nf_fail(err, NF_ESYS, "out of memory");
        return NULL;
    }
    bytes = (bytes + room) & ~room;
    if ((!c || c->capacity - c->used < bytes) && !(c = add_chunk(m, bytes))) {
        nf_fail(err, NF_ESYS, "out of memory");
        return NULL;
    }
    p = c->bytes + c->used;
    c->used += bytes;
    return memset(p, 0, bytes);
}

char *nf_mem_text(struct nf_mem *m, const char *s, size_t n, struct nf_err *err)
{
    char *text = nf_mem_get(m, n + 1, 1, err);

    if (text && n)
        memcpy(text, s, n);
    return text;
}

static void free_chunks(struct nf_chunk *c)
{
    while (c) {
        struct nf_chunk *full = c->full;

        free(c);
        c = full;
    }
}

void nf_mem_reset(struct nf_mem *m)
{
    if (!m->chunk)
        return;
    free_chunks(m->chunk->full);
    m->chunk->full = NULL;
    m->chunk->used = 0;
}

void nf_mem_clear(struct nf_mem *m)
{
    free_chunks(m->chunk);
    m->chunk = NULL;
}
