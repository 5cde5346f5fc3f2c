/*
 * cut.h - a step that cuts a sequence into pieces, applied to a sequence that arrives in pieces itself.
 *
 *   while ((rc = nf_cut_next(&c, p, n, ends, valid, &piece, err)) == NF_OK)
 *       nf_cut_took(&c, <bytes of the piece that were used; all when it is whole>);
 *   used = nf_cut_used(&c, p);
 */
#ifndef NF_TOKEN_CUT_H
#define NF_TOKEN_CUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"
#include "token/step.h"

/* One step at work, of one thread.  Offsets count from the p of the call. */
struct nf_cut {
    const struct nf_text_step *step; /* NF_STEP_CUT */
    struct nf_regex_match *match;
    struct nf_bytes valid; /* what the pattern sees where bytes are no UTF-8 */
    size_t at; /* what lies before it was used; the open piece goes on there */
    size_t end; /* how far the open piece is known to reach */
    size_t search; /* where to look for the next match */
    size_t found, found_end; /* a match that was found and lies ahead, behind a gap */
    bool have; /* there is one */
    bool matched; /* the last match ended at matched_end */
    size_t matched_end;
    bool open, kind; /* a piece is open; its last part was a match */
    bool gap; /* its last part is a gap that may go on */
    bool whole; /* it ends at `end` */
    bool offered; /* it was given out in this call as far as it is known */
    bool begun; /* a part of it was given out before */
    bool dropped; /* something of the sequence was left out */
};

/* A piece, or the beginning of one. */
struct nf_piece {
    size_t from, n; /* p[from .. from + n); n may be 0 at the end of a piece of which a part was given out before */
    bool whole; /* it ends there */
};

int nf_cut_open(struct nf_cut *c, const struct nf_text_step *step, struct nf_err *err);
void nf_cut_close(struct nf_cut *c);

/*
 * nf_cut_next - the next piece of a sequence.
 *
 *   p, n    whole characters, or bytes that are none; the sequence from where nf_cut_used() said
 *   ends    the sequence ends at n
 *   valid   all bytes are UTF-8
 *
 * Returns NF_OK; NF_EOF: no more of it is certain, or the end; NF_ESYS, NF_EFORMAT (a pattern beyond its limits).
 */
int nf_cut_next(struct nf_cut *c, const unsigned char *p, size_t n, bool ends, bool valid, struct nf_piece *piece,
                struct nf_err *err);

/* nf_cut_took - n bytes of the piece were used: of a whole one all. */
void nf_cut_took(struct nf_cut *c, size_t n);

/* nf_cut_used - after the last piece of a call that did not end the sequence: bytes of p that need not be shown again. */
size_t nf_cut_used(struct nf_cut *c, const unsigned char *p);

void nf_cut_reset(struct nf_cut *c); /* the next call begins a sequence */

#endif
