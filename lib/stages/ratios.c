/* ratios.c - one position. */
#include "stages/ratios.h"

enum { ATTN, FFN, BLOCK, PRE, POST, COS_BLOCK, COS_ATTN, COS_PRE_POST };   /* columns of the site */

static void add_ratio(struct nf_mergeable_means *m, size_t column, double x, double divisor)
{
    if (!(divisor > 0))
        return;
    m->x[column] += x / divisor;
    m->w[column] += 1;
}

static void add_cosine(struct nf_mergeable_means *m, size_t column, double cosine, double length)
{
    if (length > 0)
        add_ratio(m, column, cosine, 1);
}

void nf_ratios_row(const float *norms, struct nf_mergeable_means *m)
{
    add_ratio(m, 0, norms[ATTN], norms[PRE]);
    add_ratio(m, 1, norms[FFN], norms[PRE]);
    add_ratio(m, 2, norms[BLOCK], norms[PRE]);
    add_ratio(m, 3, norms[FFN], norms[ATTN]);
    add_cosine(m, 4, norms[COS_BLOCK], norms[PRE]);
    add_cosine(m, 5, norms[COS_ATTN], norms[PRE]);
    add_cosine(m, 6, norms[COS_PRE_POST], norms[PRE]);
    for (size_t i = ATTN; i <= PRE; i++)
        add_ratio(m, 7 + i, norms[i], 1);
}
