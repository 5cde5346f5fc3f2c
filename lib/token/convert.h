/*
 * convert.h - a step that changes the text, applied to a sequence that arrives in pieces.
 */
#ifndef NF_TOKEN_CONVERT_H
#define NF_TOKEN_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "token/step.h"

/* One step at work, of one thread. */
struct nf_convert {
    const struct nf_text_step *step;
    struct nf_regex_match *match; /* of step->regex */
    struct nf_bytes valid; /* what the pattern sees where bytes are no UTF-8 */
    bool begun; /* something of the sequence has been taken */
    size_t context; /* REPLACE: that many bytes of the next call's p were handled already, and are only looked at */
    bool matched; /* REPLACE: the last match ended there */
    bool wrote; /* something of the sequence has come out */
    bool moved; /* what came out first does not stand for what came in first */
};

int nf_convert_open(struct nf_convert *c, const struct nf_text_step *step, struct nf_err *err);
void nf_convert_close(struct nf_convert *c);

/*
 * nf_convert_run - take bytes of a sequence, append to `out` what is certain.
 *
 *   p, n    whole characters, or bytes that are none; the sequence from where the last call left off
 *   ends    the sequence ends at n; then all is taken, and the next call begins another
 *   first   the sequence begins the whole text (NF_STEP_FRONT)
 *   valid   all bytes are UTF-8
 *   used    out: bytes that were taken
 *   moved   out: what came out first does not stand for what came in first, so that it no longer begins the text
 *
 * NF_ESYS; NF_EFORMAT: a stretch that cannot be cut and is too long, or a pattern that cannot be matched within its limits.
 */
int nf_convert_run(struct nf_convert *c, const unsigned char *p, size_t n, bool ends, bool first, bool valid, struct nf_bytes *out,
                   size_t *used, bool *moved, struct nf_err *err);

/* nf_valid_view - p itself, or a copy of p[0..n) in *copy in which bytes that are no UTF-8 are U+0001; NULL: no memory. */
const unsigned char *nf_valid_view(const unsigned char *p, size_t n, struct nf_bytes *copy, struct nf_err *err);

/* Unicode property White_Space. */
bool nf_is_space(uint32_t c);

#endif
