/* topk.c - insertion into short sorted lists. */
#include "numeric/topk.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

int nf_top_open(struct nf_top *t, size_t W, size_t k, size_t C, struct nf_err *err)
{
    *t = (struct nf_top){ .W = W, .k = k, .C = C };
    t->entry = nf_alloc(W * k, sizeof *t->entry, err);
    t->context = nf_alloc(W * k, C * sizeof *t->context, err);
    t->held = nf_alloc(W, sizeof *t->held, err);
    t->floor = nf_alloc(W, sizeof *t->floor, err);
    if (!t->entry || !t->context || !t->held || !t->floor)
        return NF_ESYS;
    for (size_t u = 0; u < W; u++)
        t->floor[u] = k ? -INFINITY : INFINITY;
    return NF_OK;
}

void nf_top_close(struct nf_top *t)
{
    free(t->entry);
    free(t->context);
    free(t->held);
    free(t->floor);
    *t = (struct nf_top){ 0 };
}

static bool ranks_before(const struct nf_top_entry *a, const struct nf_top_entry *b)
{
    if (a->value != b->value)
        return a->value > b->value;
    if (a->doc != b->doc)
        return a->doc < b->doc;
    return a->window != b->window ? a->window < b->window : a->pos < b->pos;
}

void nf_top_offer(struct nf_top *t, size_t unit, const struct nf_top_entry *e, const uint32_t *context)
{
    struct nf_top_entry *entry = t->entry + unit * t->k;
    uint32_t *tokens = t->context + unit * t->k * t->C;
    size_t n = t->held[unit], i;

    if (!t->k || (n == t->k && !ranks_before(e, &entry[n - 1])))
        return;
    n = n < t->k ? n + 1 : n;
    for (i = n - 1; i > 0 && ranks_before(e, &entry[i - 1]); i--) {
        entry[i] = entry[i - 1];
        memcpy(tokens + i * t->C, tokens + (i - 1) * t->C, t->C * sizeof *tokens);
    }
    entry[i] = *e;
    memcpy(tokens + i * t->C, context, t->C * sizeof *tokens);
    t->held[unit] = n;
    if (n == t->k)
        t->floor[unit] = entry[n - 1].value;
}
