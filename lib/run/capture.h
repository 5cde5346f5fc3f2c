/*
 * capture.h - a tap on the forward pass that writes the rows it gets as records: FORMAT.md section
 * 4.3.
 */
#ifndef NF_RUN_CAPTURE_H
#define NF_RUN_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/opt.h"
#include "checkpoint/config.h"
#include "model/forward.h"
#include "model/sites.h"
#include "record/activations.h"
#include "stream/writer.h"

struct nf_capture {
    const struct nf_config *cfg;
    const struct nf_sites *sites;
    struct nf_range positions;     /* in a window, from 0 */
    bool half;                     /* real-valued sites but pred as f16; a finite value that f16 cannot hold is NF_EFORMAT */
    bool allow_nonfinite;          /* false: NaN or Inf in a row is NF_EFORMAT, but where pred has none by definition */
    struct nf_writer *out;
    struct nf_err *err;
    uint64_t near_zero, rows;      /* sums over what was written; rows of one site of one layer */
    uint64_t batch;                /* the batch that rows belong to */
    size_t *before;                /* [T+1] selected rows before row t of the batch */
    size_t before_cap;
    unsigned char *buf;
    size_t buf_cap;
};

/* nf_capture_tap - the tap; `c` must outlive it. */
struct nf_tap nf_capture_tap(struct nf_capture *c, float near_zero);

/* nf_capture_batch - write the batch record; the rows that follow are its rows. */
int nf_capture_batch(struct nf_capture *c, const struct nf_batch *b);

/* nf_capture_sites - the header's `sites`; new reference. */
json_t *nf_capture_sites(const struct nf_capture *c);

/* nf_capture_row_bytes - bytes a position, of one site of one layer. */
size_t nf_capture_row_bytes(const struct nf_capture *c, enum nf_site site);

void nf_capture_clear(struct nf_capture *c);

#endif
