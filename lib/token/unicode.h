/*
 * unicode.h - Unicode normalisation forms (UAX #15) of a text that arrives in pieces.  Bytes that are no UTF-8 pass through.
 */
#ifndef NF_TOKEN_UNICODE_H
#define NF_TOKEN_UNICODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"

enum nf_unicode_form { NF_UNICODE_NFC, NF_UNICODE_NFD, NF_UNICODE_NFKC, NF_UNICODE_NFKD };

/*
 * nf_unicode_normalize - text[0..n) in a form onto `out`.
 *
 *   last   the text ends here; false: the end that later characters could change is left
 *   used   out: bytes of `text` that were taken
 *
 * Time is linear in n.  NF_ESYS; NF_EFORMAT: a run of more than NF_UNICODE_RUN bytes without a character at which it could be cut.
 */
enum { NF_UNICODE_RUN = 4 << 20 };
int nf_unicode_normalize(enum nf_unicode_form form, const unsigned char *text, size_t n, bool last, struct nf_bytes *out,
                         size_t *used, struct nf_err *err);

#endif
