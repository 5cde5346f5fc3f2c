/* stages.c - tables of the records of kind stats that measure layers: similarity of residual streams, norms, attention. */
#include "record/stages.h"

#include <string.h>

#include "record/field.h"
#include "record/stats.h"

_Static_assert(NF_CKA_BLOCKS == 32 && NF_DOC_SUMS == 7 && NF_DOC_CROSS == 4 && NF_SUM_LIMBS == 5 && NF_LOCAL_COLUMNS == 13 &&
                   NF_BACK_OFFSETS == 17,
               "the shapes below have these numbers");

static const char *const row_names[] = { "last", "all" };

/* ---- similarity of residual streams ---- */

#define REC struct nf_cka_rec
static const struct nf_field cka[] = {
    NAME(rows, "a group is the last positions of many windows, or the positions of one", NF_NAMES(row_names)),
    UINT(batch, "rows of a group at most", .min = 1, IN_U32),
    UINT(P, "points, L + 1: point l enters layer l, the last one leaves the last layer", .min = 2, .max = NF_POINTS_MAX),
    UINT(n, "groups", IN_U32),
    UINT(left_out, "rows that are in no group", IN_U32),
    TENSOR(cka, F64, "P,P", "unbiased linear CKA of each pair of points; NaN: no groups", .flags = NF_NAN),
    TENSOR(se, F64, "P,P", "its standard error, by a jackknife over blocks of groups; NaN: undefined", .flags = NF_NAN),
    TENSOR(blocks, U64, "32", "groups in each block", .flags = NF_ASIDE),
    TENSOR(sums, U64, "P*(P+1)/2,32,5",
           "exact sums of HSIC over the groups of each block, pairs i <= j in the order of j, then i: lib/numeric/cka.h",
           .flags = NF_ASIDE),
};
const struct nf_record nf_cka_record = RECORD("cka", cka, "similarity of points of the residual stream");
#undef REC

#define REC struct nf_similarity_rec
static const char *const measure_names[] = { "cos", "angle" };
static const struct nf_field similarity[] = {
    NAME(measure, "angle: in units of pi", NF_NAMES(measure_names)),
    NAME(rows, "all positions, or the last ones of windows", NF_NAMES(row_names)),
    UINT(P, "points, as in `cka`", .min = 2, .max = NF_POINTS_MAX),
    UINT(n, "positions", IN_U32),
    UINT(docs, "documents", IN_U32),
    UINT(zero, "positions left out because a point is the zero vector there", IN_U32),
    TENSOR(mean, F64, "P,P", "of each pair of points, over all positions; NaN: none", .min = -1, .max = 1, .flags = NF_NAN),
    TENSOR(se, F64, "P,P", "its standard error, with documents as clusters; NaN: one document", .flags = NF_NAN),
    TENSOR(doc_mean, F64, "P,P", "mean of the documents' means", .min = -1, .max = 1, .flags = NF_NAN),
    TENSOR(doc_se, F64, "P,P", "its standard error", .flags = NF_NAN),
    TENSOR(sums, U64, "P*(P-1)/2,7,5", "exact sums over documents, pairs i < j in the order of i, then j", .flags = NF_ASIDE),
};
const struct nf_record nf_similarity_record = RECORD("similarity", similarity, "cosine or angle of each pair of points");
#undef REC

#define REC struct nf_influence_rec
static const struct nf_field influence[] = {
    LAYER,
    UINT(n, "positions", IN_U32),
    UINT(docs, "documents", IN_U32),
    REAL(influence, "1 - mean cosine of the layer's two points over all positions (ShortGPT)", .min = 0, .max = 2, .flags = NF_NIL),
    REAL(se, "its standard error", .max = INFINITY, .flags = NF_NIL),
};
const struct nf_record nf_influence_record = RECORD("influence", influence, "what a layer changes; follows from `similarity`");
#undef REC

/* ---- norms and attention ---- */

static const char *const ratio_names[NF_RATIOS] = { "attn.out/resid.pre",
                                                    "ffn.out/resid.pre",
                                                    "block/resid.pre",
                                                    "ffn.out/attn.out",
                                                    "cos block resid.pre",
                                                    "cos attn.out resid.pre",
                                                    "cos resid.pre resid.post",
                                                    "attn.out",
                                                    "ffn.out",
                                                    "block",
                                                    "resid.pre" };

const char *nf_ratio_name(size_t of)
{
    return ratio_names[of];
}

#define REC struct nf_ratio_rec
static const struct nf_field ratio[] = {
    LAYER,
    CHOICE(of, ratio_names, "quotients of lengths, cosines, and last the lengths themselves"),
    UINT(n, "positions; those with a divisor 0 are left out", IN_U32),
    UINT(docs, "documents", IN_U32),
    REAL(mean, "over all positions", .flags = NF_NIL),
    REAL(se, "its standard error, with documents as clusters", .max = INFINITY, .flags = NF_NIL),
    REAL(doc_mean, "mean of the documents' means", .flags = NF_NIL),
    REAL(doc_se, "its standard error", .max = INFINITY, .flags = NF_NIL),
    TENSOR(sums, U64, "7,5", "exact sums over documents", .flags = NF_ASIDE),
};
const struct nf_record nf_ratio_record = RECORD("ratio", ratio, "one mean of one layer");
#undef REC

/* The means of struct nf_mergeable_means_rec, of shape s; aside: whether those of documents are no usual columns. */
#define MEANS(s, aside)                                                                                                            \
    TENSOR_AS("n", m.n, U64, s, "positions"), TENSOR_AS("docs", m.docs, U64, s, "documents"),                                      \
        TENSOR_AS("mean", m.mean, F64, s, "over all positions", .flags = NF_NAN),                                                  \
        TENSOR_AS("se", m.se, F64, s, "its standard error, with documents as clusters", .flags = NF_NAN),                          \
        TENSOR_AS("doc_mean", m.doc_mean, F64, s, "mean of the documents' means", .flags = NF_NAN | (aside)),                      \
        TENSOR_AS("doc_se", m.doc_se, F64, s, "its standard error", .flags = NF_NAN | (aside)),                                    \
        TENSOR_AS("sums", m.sums, U64, "U,7,5", "exact sums over documents", .flags = NF_ASIDE)

#define REC struct nf_locality_rec
static const struct nf_field locality[] = {
    SIZE(H, "heads", .min = 1, .max = NF_HEADS_MAX),
    SIZE_IS("U", m.U, "(H+2)*13", "means"),
    LAYER,
    UINT(sinks, "heads whose mean on position 0 is at least `measures.locality.sink`", .max = NF_HEADS_MAX),
    MEANS("H+2,13", 0),
};

static int check_locality(const void *rec, struct nf_err *err)
{
    const struct nf_locality_rec *l = rec;

    return l->sinks <= l->H ? NF_OK : nf_fail(err, NF_EFORMAT, "%zu sinks of %zu heads", (size_t)l->sinks, l->H);
}

const struct nf_record nf_locality_record = RECORD("locality", locality,
                                                   "attention by distance. Rows: the heads; their mean; uniform attention at the "
                                                   "same positions. Columns: mean sum of attention on "
                                                   "the 1, 2, 4, 5, 8, 16 preceding positions; mean attention on position 0; mean "
                                                   "attention on one of the 1, 2, 4, 5, 8, 16 preceding "
                                                   "positions that there are (`n` counts these)",
                                                   .check = check_locality);
#undef REC

#define REC struct nf_merging_rec
static const struct nf_field merging[] = {
    SIZE(H, "heads", .min = 1, .max = NF_HEADS_MAX),
    SIZE_IS("U", m.U, "2*H*17", "means"),
    LAYER,
    UINT(either, "documents with positions of any class", IN_U32),
    MEANS("2,H,17", NF_ASIDE),
    TENSOR(difference, F64, "H,17", "class 0 less class 1", .flags = NF_NAN),
    TENSOR(difference_se, F64, "H,17", "its standard error", .flags = NF_NAN),
    TENSOR(cross, U64, "H*17,4,5", "exact sums of products of the two classes: lib/stages/subword_merge.h", .flags = NF_ASIDE),
};
const struct nf_record nf_merging_record = RECORD(
    "merging", merging,
    "attention from the last token of words on the position itself and the 16 before it: class 0, words of four tokens; class 1, "
    "words of one");
#undef REC
