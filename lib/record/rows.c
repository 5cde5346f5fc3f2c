/* rows.c - rows of a batch in the order of its windows, and of the positions in each. */
#include "record/rows.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/par.h"

int nf_batch_rows_set(struct nf_batch_rows *r, const struct nf_batch *b, struct nf_err *err)
{
    size_t first = 0;

    if (nf_grow(&r->window, &r->window_cap, b->T, sizeof *r->window, err) < 0 ||
        nf_grow(&r->pos, &r->pos_cap, b->T, sizeof *r->pos, err) < 0 ||
        nf_grow(&r->first, &r->first_cap, b->W, sizeof *r->first, err) < 0)
        return NF_ESYS;
    r->batch = b;
    r->R = 0;
    for (size_t w = 0; w < b->W; first += b->length[w++]) {
        r->first[w] = first;
        for (size_t p = r->from; p < nf_min(r->to, b->length[w]); p++, r->R++) {
            r->window[r->R] = (uint32_t)w;
            r->pos[r->R] = (uint32_t)p;
        }
    }
    return NF_OK;
}

void nf_batch_rows_clear(struct nf_batch_rows *r)
{
    free(r->window);
    free(r->pos);
    free(r->first);
    *r = (struct nf_batch_rows){ 0 };
}

bool nf_row_counted(const struct nf_batch_rows *r, size_t row)
{
    return r->bos || r->pos[row] != 0 || !r->batch->bos[r->window[row]];
}

size_t nf_rows_of_window(const struct nf_batch_rows *r, size_t row)
{
    size_t end = row;

    while (end < r->R && r->window[end] == r->window[row])
        end++;
    return end;
}
