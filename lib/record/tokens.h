/*
 * tokens.h - kind "tokens": windows of token ids.  FORMAT.md section 4.2.
 */
#ifndef NF_RECORD_TOKENS_H
#define NF_RECORD_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/record.h"

/* One sequence for the model. */
struct nf_window {
    size_t doc, window;
    size_t start;          /* index of its first text token in the document's tokens */
    bool bos;              /* ids[0] is the BOS token */
    size_t T;              /* 1 .. header context */
    const uint32_t *ids;   /* [T] */
    struct nf_mem mem;
};
extern const struct nf_record nf_window_record;

#endif
