/* lens.c - tables of kind lens. */
#include "record/lens.h"

#include "record/means_rows.h"

#define REC struct nf_point_rec
static const struct nf_field point[] = {
    UINT(point, "0, 1, ..", IN_U32),
    TEXT(name, "`3`, `3.mid`"),
    UINT(layer, "the stream that enters block `layer` (L: that leaves the last); mid: between its attention and FFN",
         .below = "L+1", IN_U32),
    REAL(depth, "layer / L, half a layer on for mid", .max = 1),
};
const struct nf_record nf_point_record = RECORD("point", point, "a point of the residual stream", .mem = NF_MEM);
#undef REC

#define REC struct nf_part_rec
static const struct nf_field part[] = {
    UINT(part, "0, 1, .., in the order in which they are added", IN_U32),
    TEXT(name, "`embed`, `attn.3`, `ffn.3`, `bias`; `total`: their sum"),
    UINT(layer, "of attn and ffn", .below = "L", IN_U32, .flags = NF_OPT),
};
const struct nf_record nf_part_record = RECORD("part", part, "after the points: a part of the last stream", .mem = NF_MEM);
#undef REC

#define REC struct nf_lens_token_rec
static const struct nf_field token[] = {
    SIZE(k, "tokens"),
    UINT(point, "number of the point", IN_U32, REFERS(nf_point_record, "layer,depth")),
    UINT(doc, "document", IN_U32),
    UINT(window, "window in it", IN_U32),
    UINT(position, "position in that, from 0", IN_U32, .below = "context"),
    UINT(token, "token id at the position", .below = "V"),
    UINT(top, "most probable id of the lens", .flags = NF_IDS),
    REAL(kl, "KL(final || lens)", .unit = "nats", .max = INFINITY, .flags = NF_NIL),
    REAL(agree, "1: the same top-1 id", .max = 1),
    REAL(entropy, "of the lens", .unit = "bits", ROUNDED, .flags = NF_NIL),
    REAL(loss, "of the lens; nil: no next token is in the window", .unit = "nats", ROUNDED, .flags = NF_NIL),
    REAL(rank, "of the next token, 0 the top; nil as the loss", .max = INFINITY, .flags = NF_NIL),
    ARRAY(top_ids, U32, "k", "the k most probable ids, the lowest of equals first", .flags = NF_OPT | NF_IDS),
    ARRAY(top_p, F32, "k", "their probabilities", .min = 0, .max = 1 + 1e-6, .flags = NF_OPT),
};
const struct nf_record nf_lens_token_record = RECORD("token", token, "one position at one point", .mem = NF_MEM);
#undef REC

#define REC struct nf_means_rec
static const struct nf_field lens[] = {
    UINT_AS("point", of, "number of the point", IN_U32, REFERS(nf_point_record, "layer,depth")),
    GROUP_ROWS,
    MEAN("kl", NF_LENS_KL, "KL(final || lens)", .unit = "nats", .max = INFINITY),
    MEAN("agree", NF_LENS_AGREE, "1: the same top-1 id", .max = 1),
    MEAN("entropy", NF_LENS_ENTROPY, "of the lens", .unit = "bits", ROUNDED),
    MEAN("loss", NF_LENS_LOSS, "of the lens", .unit = "nats", ROUNDED),
    MEAN("rank", NF_LENS_RANK, "of the next token, 0 the top", .max = INFINITY),
};
const struct nf_record nf_lens_record =
    RECORD("lens", lens, "means over all rows of a point, those of a domain, those at positions from .. to-1, as in 4.6",
           .check = nf_means_check, .mem = NF_MEM);

static const struct nf_field attribution[] = {
    UINT_AS("part", of, "number of the part", IN_U32, REFERS(nf_part_record, "name,layer")),
    GROUP_ROWS,
    MEAN("logit", 0, "what the part gives to the logit of the next token less the mean logit over the vocabulary"),
};
const struct nf_record nf_attribution_record =
    RECORD("attribution", attribution, "after the lens records, part by part, as there", .check = nf_means_check, .mem = NF_MEM);
#undef REC

#define REC struct nf_parts_rec
static const struct nf_field parts[] = {
    SIZE(n, "parts"),
    UINT(doc, "document", IN_U32),
    UINT(window, "window in it", IN_U32),
    UINT(position, "position in that, from 0", IN_U32, .below = "context"),
    UINT(token, "token id at the position", .below = "V"),
    TENSOR(logit, F32, "n", "what each part gives to the logit of the next token less the mean logit over the vocabulary"),
};
const struct nf_record nf_parts_record =
    RECORD("parts", parts, "one position, among the `token` records; none where there is no next token");
#undef REC
