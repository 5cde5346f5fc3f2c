/* interventions.c - the grammar of interventions. */
#include "run/interventions.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Numbers first .. last of something. */
struct span {
    size_t first, last;
};

/* The digits at *s, which is moved behind them; false: there are none. */
static bool read_digits(const char **s, size_t *v)
{
    char *end;

    if (!isdigit((unsigned char)**s))
        return false;
    *v = strtoul(*s, &end, 10);
    *s = end;
    return true;
}

bool nf_read_pair(const char *text, char between, size_t *a, size_t *b)
{
    return read_digits(&text, a) && *text++ == between && read_digits(&text, b) && *text == '\0';
}

/* "all" (of n), "A", "A-B"; to the end of the text. */
static bool read_span(const char *text, size_t n, struct span *s)
{
    if (strcmp(text, "all") == 0) {
        *s = (struct span){ 0, n - 1 };
        return true;
    }
    if (!read_digits(&text, &s->first))
        return false;
    s->last = s->first;
    if (*text == '-') {
        text++;
        if (!read_digits(&text, &s->last))
            return false;
    }
    return *text == '\0' && s->first <= s->last;
}

static int refuse_text(enum nf_lesion_kind kind, const char *text, const char *expected, struct nf_err *err)
{
    return nf_fail(err, NF_EUSAGE, "--%s %s: %s is expected", nf_lesion_kind_name(kind), text, expected);
}

struct nf_lesion *nf_interventions_new(struct nf_interventions *all, struct nf_err *err)
{
    if (all->n == NF_INTERVENTIONS_MAX) {
        nf_fail(err, NF_EUSAGE, "more than %d interventions", NF_INTERVENTIONS_MAX);
        return NULL;
    }
    if (nf_grow(&all->item, &all->cap, all->n + 1, sizeof *all->item, err) < 0)
        return NULL;
    all->item[all->n] = (struct nf_lesion){ 0 };
    return &all->item[all->n++];
}

static int add_one(struct nf_interventions *all, enum nf_lesion_kind kind, size_t a, size_t b, const struct nf_config *cfg,
                   struct nf_err *err)
{
    struct nf_lesion *l = nf_interventions_new(all, err);

    return l ? nf_lesion_make(kind, a, b, cfg, l, err) : (int)err->code;
}

/* Only a span's end can be too large: "all" never is.  The text is named, not the first block that is not there. */
static int check_span(enum nf_lesion_kind kind, const char *text, const struct span *s, const char *of, size_t n,
                      struct nf_err *err)
{
    if (s->last < n)
        return NF_OK;
    if (kind == NF_LESION_SWAP)
        return nf_fail(err, NF_EUSAGE, "--swap %s: the model has layers 0 to %zu, and swaps from 0 to one less", text, n);
    return nf_fail(err, NF_EUSAGE, "--%s %s: the model has %s 0 to %zu", nf_lesion_kind_name(kind), text, of, n - 1);
}

static int add_blocks(struct nf_interventions *all, enum nf_lesion_kind kind, const char *text, const struct nf_config *cfg,
                      struct nf_err *err)
{
    size_t n = kind == NF_LESION_SWAP ? cfg->L - 1 : cfg->L;
    struct span blocks;

    if (n == 0)
        return nf_fail(err, NF_EUSAGE, "--swap %s: the model has one layer", text);
    if (!read_span(text, n, &blocks))
        return refuse_text(kind, text, "a layer L, a range A-B, or all", err);
    if (check_span(kind, text, &blocks, "layers", n, err) < 0)
        return NF_EUSAGE;
    for (size_t l = blocks.first; l <= blocks.last; l++)
        if (add_one(all, kind, l, 0, cfg, err) < 0)
            return (int)err->code;
    return NF_OK;
}

static int add_heads(struct nf_interventions *all, const char *text, const struct nf_config *cfg, struct nf_err *err)
{
    struct span layers = { 0, cfg->L - 1 }, heads = { 0, cfg->H - 1 };
    const char *s = text;

    if (strcmp(text, "all") != 0) {
        if (!read_digits(&s, &layers.first) || *s != '.' || !read_span(s + 1, cfg->H, &heads))
            return refuse_text(NF_LESION_DROP_HEAD, text, "L.H, L.A-B, L.all or all", err);
        layers.last = layers.first;
    }
    if (check_span(NF_LESION_DROP_HEAD, text, &layers, "layers", cfg->L, err) < 0 ||
        check_span(NF_LESION_DROP_HEAD, text, &heads, "heads", cfg->H, err) < 0)
        return NF_EUSAGE;
    for (size_t l = layers.first; l <= layers.last; l++)
        for (size_t h = heads.first; h <= heads.last; h++)
            if (add_one(all, NF_LESION_DROP_HEAD, l, h, cfg, err) < 0)
                return (int)err->code;
    return NF_OK;
}

static int add_repeats(struct nf_interventions *all, const char *text, const struct nf_config *cfg, struct nf_err *err)
{
    const char *s = text;
    size_t n;

    if (!read_digits(&s, &n) || *s || n < 1 || n > cfg->L)
        return nf_fail(err, NF_EUSAGE, "--repeat %s: a number of layers from 1 to %zu is expected", text, cfg->L);
    for (size_t l = 0; l + n <= cfg->L; l++)
        if (add_one(all, NF_LESION_REPEAT, l, l + n, cfg, err) < 0)
            return (int)err->code;
    return NF_OK;
}

static int add_pair(struct nf_interventions *all, enum nf_lesion_kind kind, const char *text, const struct nf_config *cfg,
                     struct nf_err *err)
{
    size_t a, b;

    if (!nf_read_pair(text, ':', &a, &b))
        return refuse_text(kind, text, "A:B", err);
    return add_one(all, kind, a, b, cfg, err);
}

int nf_interventions_add(struct nf_interventions *all, enum nf_lesion_kind kind, const char *text, const struct nf_config *cfg,
                         struct nf_err *err)
{
    switch (kind) {
    case NF_LESION_REPEAT:
        return add_repeats(all, text, cfg, err);
    case NF_LESION_DROP_HEAD:
        return add_heads(all, text, cfg, err);
    case NF_LESION_SKIP:
    case NF_LESION_REVERSE:
    case NF_LESION_PARALLEL:
    case NF_LESION_MOVE:
    case NF_LESION_REPLACE:
        return add_pair(all, kind, text, cfg, err);
    case NF_LESION_NONE:
        return add_one(all, kind, 0, 0, cfg, err);
    default:
        return add_blocks(all, kind, text, cfg, err);
    }
}

void nf_interventions_clear(struct nf_interventions *all)
{
    for (size_t i = 0; i < all->n; i++)
        nf_lesion_clear(&all->item[i]);
    free(all->item);
    *all = (struct nf_interventions){ 0 };
}
