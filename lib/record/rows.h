/*
 * rows.h - which position of which window each row of a batch is.
 */
#ifndef NF_RECORD_ROWS_H
#define NF_RECORD_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/activations.h"

/* Which position a row is of, and the token there. */
struct nf_row_place {
    size_t doc, window, position;
    uint32_t token;
};

struct nf_batch_rows {
    size_t from, to;               /* captured positions of a window, as in struct nf_totals */
    bool bos;                      /* BOS positions are counted too */
    const struct nf_batch *batch;  /* borrowed until the next one; NULL: none yet */
    size_t R;
    uint32_t *window, *pos;        /* [R] index of the window in the batch; position in the window */
    size_t *first;                 /* [W] offset of each window in the ids of the batch */
    size_t window_cap, pos_cap, first_cap;
};

/* nf_batch_rows_set - the rows of a further batch.  NF_ESYS: memory. */
int nf_batch_rows_set(struct nf_batch_rows *r, const struct nf_batch *b, struct nf_err *err);
void nf_batch_rows_clear(struct nf_batch_rows *r);   /* accepts a zeroed struct */

/* nf_row_counted - false: a BOS that is left out. */
bool nf_row_counted(const struct nf_batch_rows *r, size_t row);

/* nf_rows_of_window - the end of the run of rows that begins at `row` and stays in its window. */
size_t nf_rows_of_window(const struct nf_batch_rows *r, size_t row);

#endif
