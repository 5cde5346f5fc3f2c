/* effects.c - tables of kind effects. */
#include "record/effects.h"

#include "record/means_rows.h"

const char *const nf_intervention_kinds[NF_INTERVENTION_KINDS] = {
    "none", "drop",    "swap",           "repeat",   "skip",      "reverse", "parallel",
    "move", "replace", "drop-attention", "drop-ffn", "drop-head", "neurons",
};

#define REC struct nf_intervention_rec
static const struct nf_field intervention[] = {
    SIZE(n_steps, "steps"),
    UINT(intervention, "0, 1, ..; 0 is the model itself", IN_U32),
    TEXT(name, "`drop 3`, `drop-head 4.1`, `neurons positional`, `neurons (3) at mean`"),
    CHOICE(kind, nf_intervention_kinds, "the option that asked for it; `none`: the model itself"),
    UINT(layer, "first number of the option; nil: it has none", .below = "L", IN_U32, .flags = NF_NIL),
    UINT(to, "second number; of a range, behind its last; nil: it has none", IN_U32, .flags = NF_NIL),
    UINT(neurons, "how many neurons are set"),
    TEXTS(steps, "n_steps",
          "the blocks in the order in which they run. `|5`: reads what the block before it read, and the mean of what these hand "
          "on goes "
          "on. Behind the number what is silenced in it: `-attention`, `-ffn`, `-head`, `=neurons`"),
};
const struct nf_record nf_intervention_record = RECORD("intervention", intervention, "what was done to the model", .mem = NF_MEM);
#undef REC

#define REC struct nf_effect_token_rec
static const struct nf_field token[] = {
    UINT(intervention, "number of the intervention", IN_U32, REFERS(nf_intervention_record, "kind")),
    TEXT(name, "its name"),
    UINT(layer, "its layer; nil: it has none", .below = "L", IN_U32, .flags = NF_NIL),
    UINT(doc, "document", IN_U32),
    UINT(window, "window in it", IN_U32),
    UINT(position, "position in that, from 0", IN_U32, .below = "context"),
    UINT(token, "token id at the position", .below = "V"),
    REAL(kl, "KL(p || q)", .unit = "nats", .max = INFINITY, .flags = NF_NIL),
    REAL(loss_change, "intervened - normal; nil: no next token is in the window", .unit = "nats", .flags = NF_NIL),
    REAL(loss_normal, "of p", .unit = "nats", ROUNDED, .flags = NF_NIL),
    REAL(loss_intervened, "of q", .unit = "nats", ROUNDED, .flags = NF_NIL),
    UINT(top_normal, "most probable id of p", .flags = NF_IDS),
    UINT(top_intervened, "of q", .flags = NF_IDS),
    REAL(entropy_normal, "of p", .unit = "bits", ROUNDED, .flags = NF_NIL),
    REAL(entropy_intervened, "of q", .unit = "bits", ROUNDED, .flags = NF_NIL),
};
const struct nf_record nf_effect_token_record = RECORD("token", token,
                                                       "one position under one intervention. Order within a batch of windows: by "
                                                       "intervention, then in the order of the corpus; of how "
                                                       "many windows a batch is made means nothing",
                                                       .mem = NF_MEM);
#undef REC

#define REC struct nf_means_rec
static const struct nf_field effect[] = {
    UINT_AS("intervention", of, "number of the intervention", IN_U32, REFERS(nf_intervention_record, "kind,layer")),
    TEXT(name, "its name"),
    GROUP_ROWS,
    MEAN("kl", NF_EFFECT_KL, "KL(p || q)", .unit = "nats", .max = INFINITY),
    MEAN("agree", NF_EFFECT_AGREE, "1: the same top-1 id", .max = 1),
    MEAN("entropy", NF_EFFECT_ENTROPY, "of q", .unit = "bits", ROUNDED),
    MEAN("entropy_change", NF_EFFECT_ENTROPY_CHANGE, "H(q) - H(p)", .unit = "bits"),
    MEAN("loss", NF_EFFECT_LOSS, "of q", .unit = "nats", ROUNDED),
    MEAN("loss_change", NF_EFFECT_LOSS_CHANGE, "of q - of p", .unit = "nats"),
};
const struct nf_record nf_effect_record =
    RECORD("effect", effect,
           "means over positions: `n` of them, in `docs` documents (those with `kl`). A group without positions has no record",
           .check = nf_means_check, .mem = NF_MEM);
#undef REC
