/*
 * nfc.h - Unicode normalisation form C (UAX #15) of a text that arrives in pieces.  Bytes that are no UTF-8 pass through.
 */
#ifndef NF_TOKEN_NFC_H
#define NF_TOKEN_NFC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"

/*
 * nf_nfc - normalise text[0..n) onto `out`.
 *
 *   last   the text ends here; false: the end that later characters could change is left
 *   used   out: bytes of `text` that were taken
 *
 * NF_ESYS; NF_EFORMAT: a run of more than NF_NFC_RUN bytes without a character at which it could be cut.
 */
enum { NF_NFC_RUN = 4 << 20 };
int nf_nfc(const unsigned char *text, size_t n, bool last, struct nf_bytes *out, size_t *used, struct nf_err *err);

#endif
