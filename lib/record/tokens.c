/* tokens.c - window records. */
#include "record/tokens.h"

#include "record/field.h"

#define REC struct nf_window
static const struct nf_field window[] = {
    SIZE(T, "tokens of the window", .min = 1, .below = "context+1"),
    UINT(doc, "document", IN_U32),
    UINT(window, "0, 1, .. in its document", IN_U32),
    UINT(start, "index of the first text token in the document's tokens", IN_U32),
    BOOL(bos, "`ids[0]` is the BOS token, which is not counted in `start`"),
    ARRAY(ids, U32, "T", "token ids", .below = "V"),
};
const struct nf_record nf_window_record = RECORD("window", window, "one sequence for the model", .mem = NF_MEM);
#undef REC
