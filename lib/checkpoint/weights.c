/* weights.c - from the names in a checkpoint to the roles in a model, by the table of its family; everything checked and hashed once. */
#include "checkpoint/weights.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/par.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/family.h"
#include "checkpoint/gguf_arch.h"
#include "checkpoint/gguf_tensors.h"
#include "tensor/dequant.h"

enum { NAME_MAX_BYTES = 128, CHUNK = 1 << 20, PASSED_SHOWN = 3 };

/* ---- what a family's letters and bits mean for this model ---- */

/* What a layer has; SIZE_MAX: the model, outside its layers. */
static unsigned list_needs(const struct nf_config *cfg, size_t layer)
{
    bool experts = layer < cfg->L && cfg->layer[layer] & NF_LAYER_EXPERTS;
    const struct {
        bool has;
        unsigned bit;
    } all[] = {
        { cfg->norm_affine, NF_IF_AFFINE },
        { cfg->positions == NF_POS_LEARNED, NF_IF_POSITIONS },
        { cfg->E != cfg->D, NF_IF_PROJECTED },
        { cfg->final_norm, NF_IF_FINAL },
        { cfg->bias_qkv, NF_IF_BIAS_QKV },
        { cfg->bias_o, NF_IF_BIAS_O },
        { cfg->bias_ffn, NF_IF_BIAS_FFN },
        { cfg->qk_norm != NF_NORM_NONE, NF_IF_QK_NORM },
        { experts, NF_IF_EXPERTS },
        { !experts, NF_IF_DENSE },
        { cfg->sinks, NF_IF_SINKS },
    };
    unsigned needs = 0;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        needs |= all[i].has ? all[i].bit : 0;
    return needs;
}

static size_t size_of_letter(const struct nf_config *cfg, char c)
{
    switch (c) {
    case 'V':
        return cfg->V;
    case 'E':
        return cfg->E;
    case 'D':
        return cfg->D;
    case 'F':
        return cfg->F;
    case 'H':
        return cfg->H;
    case 'K':
        return cfg->K;
    case 'Q':   /* all queries */
        return cfg->H * cfg->K;
    case 'G':   /* all keys, all values */
        return cfg->G * cfg->K;
    case 'X':   /* queries, keys and values */
        return (cfg->H + 2 * cfg->G) * cfg->K;
    case 'Y':   /* gate and up */
        return 2 * cfg->F;
    case 'N':
        return cfg->experts;
    case 'P':
        return cfg->max_positions + cfg->position_offset;
    }
    abort();
}

/* ---- roles ---- */

struct load {
    const char *dir;
    const struct nf_tensors *tensors;
    char prefix[64];                   /* before all names but the unembedding's: the one that is in use */
    struct nf_config *cfg;
    struct nf_weights *w;
    const struct nf_tf_entry **kept;   /* [n_kept] tensors with a role, the embedding first */
    char (*name)[NAME_MAX_BYTES];   /* [n_kept] their names without prefix: what is hashed */
    size_t n_kept;
    const struct nf_tf_entry *unembed;   /* one of its own, the last that is kept; NULL: none */
    char missing[NAME_MAX_BYTES + 64];   /* the first that is */
    size_t n_missing;
    bool quantised;   /* a quantised form of it is there */
    struct nf_err *err;
};

static int refuse_weights(const struct load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse_weights(const struct load *l, const char *fmt, ...)
{
    char text[320];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return nf_fail(l->err, NF_EFORMAT, "%s: %s", l->dir, text);
}

static struct nf_tf_entry *find(const struct load *l, const char *name)
{
    return nf_checkpoint_find(l->w->file, name);
}

static const char *shape_text(const size_t *shape, size_t n, char *buf, size_t size)
{
    size_t at = (size_t)snprintf(buf, size, "[");

    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s%zu", i ? "," : "", shape[i]);
    snprintf(buf + at, size - at, "]");
    return buf;
}

static int keep(struct load *l, struct nf_tf_entry *e, const char *short_name)
{
    if (e->used)
        return refuse_weights(l, "tensor %s has two roles", e->name);
    e->used = true;
    snprintf(l->name[l->n_kept], NAME_MAX_BYTES, "%s", short_name);
    l->kept[l->n_kept++] = e;
    l->w->bytes += e->bytes;
    return NF_OK;
}

/* Is it a weight, and of the shape that the first n letters say? */
static int check_tensor(const struct load *l, const struct nf_tf_entry *e, const char *letters)
{
    size_t expected[NF_NDIM_MAX], n = strlen(letters);
    char got_text[96], expected_text[96];

    for (size_t i = 0; i < n; i++)
        expected[i] = size_of_letter(l->cfg, letters[i]);
    if (!e->weight)
        return refuse_weights(l, "tensor %s: type %s, F32, F16 or BF16%s is expected", e->name, e->type,
                              l->w->file->gguf ? ", or Q4_0 to Q8_0, Q2_K to Q6_K, IQ4_NL, IQ4_XS or MXFP4" : "");
    if (e->t.ndim != n || memcmp(e->t.shape, expected, n * sizeof *expected) != 0)
        return refuse_weights(l, "tensor %s: shape %s, config.json asks for %s", e->name,
                              shape_text(e->t.shape, e->t.ndim, got_text, sizeof got_text),
                              shape_text(expected, n, expected_text, sizeof expected_text));
    return NF_OK;
}

/* One name of a slot's "a|b", from *at on, which moves behind it; % becomes the number. */
static void next_name(const char **at, const char *inner, size_t number, char *buf, size_t size)
{
    size_t n = (size_t)snprintf(buf, size, "%s", inner);

    for (; **at && **at != '|' && n + 1 < size; ++*at)
        if (**at == '%')
            n += (size_t)snprintf(buf + n, size - n, "%zu", number);
        else
            buf[n++] = **at;
    buf[n < size ? n : size - 1] = '\0';
    *at += **at == '|';
}

/* What is missing is said once, by its first name; where a quantised form of it is there, that is what is wrong. */
static void note_missing(struct load *l, const char *names, const char *inner, size_t number)
{
    static const char *const forms[] = { "qweight", "weight_packed", "weight.absmax", "SCB" };
    char short_name[NAME_MAX_BYTES], name[NAME_MAX_BYTES + 48];
    size_t stem;

    if (l->n_missing++)
        return;
    next_name(&names, inner, number, short_name, sizeof short_name);
    snprintf(l->missing, sizeof l->missing, "%s%s", l->prefix, short_name);
    stem = strlen(l->missing) > 6 ? strlen(l->missing) - 6 : 0;
    if (strcmp(l->missing + stem, "weight") != 0)
        return;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        snprintf(name, sizeof name, "%.*s%s", (int)stem, l->missing, forms[i]);
        l->quantised = l->quantised || find(l, name);
    }
}

/* The tensor of a slot, by whichever of its names is there; `short_name` [NAME_MAX_BYTES] out: that name without prefix. */
static struct nf_tf_entry *find_slot(struct load *l, const struct nf_slot *s, const char *inner, size_t number, char *short_name)
{
    char name[NAME_MAX_BYTES + 32];

    for (const char *at = s->name; *at;) {
        struct nf_tf_entry *e;

        next_name(&at, inner, number, short_name, NAME_MAX_BYTES);
        snprintf(name, sizeof name, "%s%s", l->prefix, short_name);
        e = find(l, name);
        if (e)
            return e;
    }
    note_missing(l, s->name, inner, number);
    return NULL;
}

/* The tensors of one table: `inner` is "" or, of a layer, "layers.N."; `base` the struct that holds them. */
static int take_slots(struct load *l, const struct nf_slot *slots, unsigned has, const char *inner, void *base)
{
    char short_name[NAME_MAX_BYTES];

    for (const struct nf_slot *s = slots; s->name; s++) {
        struct nf_tf_entry *e;

        if ((s->needs & has) != s->needs)
            continue;
        e = find_slot(l, s, inner, 0, short_name);
        if (!e)
            continue;
        if (check_tensor(l, e, s->shape) < 0 || keep(l, e, short_name) < 0)
            return NF_EFORMAT;
        *(struct nf_tensor *)((unsigned char *)base + s->offset) = e->t;
    }
    return NF_OK;
}

/* Item i of a tensor [N, ...]. */
static struct nf_tensor item_of(const struct nf_tensor *t, size_t i)
{
    struct nf_tensor item = *t;
    size_t n = 1;

    item.ndim--;
    memmove(item.shape, t->shape + 1, item.ndim * sizeof *item.shape);
    for (size_t d = 0; d < item.ndim; d++)
        n *= item.shape[d];
    item.data = (const unsigned char *)t->data + nf_dtype_bytes(t->dtype, i * n);
    return item;
}

/* The experts of one layer: a tensor each, or one of all. */
static int take_experts(struct load *l, unsigned has, const char *inner, struct nf_expert *expert)
{
    char short_name[NAME_MAX_BYTES];

    for (const struct nf_slot *s = l->tensors->expert; s->name; s++) {
        bool stacked = *s->shape == 'N';

        for (size_t i = 0; i < l->cfg->experts && (s->needs & has) == s->needs; i++) {
            struct nf_tf_entry *e = find_slot(l, s, inner, i, short_name);

            if (!e)
                continue;
            if ((i == 0 || !stacked) && (check_tensor(l, e, s->shape) < 0 || keep(l, e, short_name) < 0))
                return NF_EFORMAT;
            *(struct nf_tensor *)((unsigned char *)&expert[i] + s->offset) = stacked ? item_of(&e->t, i) : e->t;
        }
    }
    return NF_OK;
}

/* ---- how the maps lie in their tensors ---- */

/* The slot of a matrix; NULL: the table has none. */
static const struct nf_slot *slot_at(const struct nf_slot *s, size_t offset)
{
    while (s && s->name && s->offset != offset)
        s++;
    return s && s->name ? s : NULL;
}

/* A map of a layer or of an expert: where it is, its sizes, and the letter of its input. */
struct map_place {
    size_t offset, out, in;
    char letter;
};

static struct nf_linear *map_at(void *base, const struct map_place *p)
{
    return (struct nf_linear *)((unsigned char *)base + p->offset);
}

/* Maps p[0..n) of `base`: each a matrix of its own, or all in the first one's. */
static void lay_out(const struct nf_config *cfg, const struct nf_slot *slots, void *base, const struct map_place *p, size_t n)
{
    const struct nf_slot *first = slot_at(slots, p[0].offset + offsetof(struct nf_linear, w));
    bool fused = n > 1 && first && strpbrk(first->shape, "XY");
    size_t from = 0, group = n == 3 ? cfg->H / cfg->G + 2 : 2, unit = n == 3 ? cfg->K : 1;

    for (size_t i = 0; i < n; i++) {
        const struct nf_slot *s = fused ? first : slot_at(slots, p[i].offset + offsetof(struct nf_linear, w));
        struct nf_linear *m = map_at(base, &p[i]);
        size_t share = p[i].out / (n == 3 ? cfg->G * cfg->K : cfg->F);   /* of a group's units */

        if (fused) {
            m->w = map_at(base, p)->w;
            m->b = map_at(base, p)->b;
        }
        m->out = m->run = m->jump = p[i].out;
        m->in = p[i].in;
        m->transposed = s && s->shape[strlen(s->shape) - 2] == p[i].letter;
        m->first = fused ? from : 0;
        if (fused && first->layout != NF_STACKED) {
            m->run = share * unit;
            m->jump = group * unit;
        }
        from += m->run;
    }
}

#define PLACE(type, field, out, letter, in)                                                                                        \
    {                                                                                                                              \
        offsetof(type, field), out, in, letter                                                                                     \
    }

static void lay_out_layer(const struct load *l, struct nf_layer *y)
{
    const struct nf_config *cfg = l->cfg;
    size_t Q = cfg->H * cfg->K, G = cfg->G * cfg->K, D = cfg->D, F = cfg->F;
    const struct map_place qkv[] = { PLACE(struct nf_layer, q, Q, 'D', D), PLACE(struct nf_layer, k, G, 'D', D),
                                     PLACE(struct nf_layer, v, G, 'D', D) },
                           in[] = { PLACE(struct nf_layer, ffn_in, F, 'D', D), PLACE(struct nf_layer, ffn_up, F, 'D', D) },
                           o = PLACE(struct nf_layer, o, D, 'Q', Q), out = PLACE(struct nf_layer, ffn_out, D, 'F', F),
                           router = PLACE(struct nf_layer, router, cfg->experts, 'D', D),
                           expert_in[] = { PLACE(struct nf_expert, in, F, 'D', D), PLACE(struct nf_expert, up, F, 'D', D) },
                           expert_out = PLACE(struct nf_expert, out, D, 'F', F);

    lay_out(cfg, l->tensors->layer, y, qkv, 3);
    if (l->w->file->gguf && nf_gguf_is_paired(l->w->file->gguf))
        y->q.paired = y->k.paired = cfg->K;
    lay_out(cfg, l->tensors->layer, y, &o, 1);
    lay_out(cfg, l->tensors->layer, y, in, cfg->gated ? 2 : 1);
    lay_out(cfg, l->tensors->layer, y, &out, 1);
    lay_out(cfg, l->tensors->layer, y, &router, 1);
    for (size_t i = 0; y->expert && i < cfg->experts; i++) {
        lay_out(cfg, l->tensors->expert, &y->expert[i], expert_in, cfg->gated ? 2 : 1);
        lay_out(cfg, l->tensors->expert, &y->expert[i], &expert_out, 1);
    }
}

static int take_layer(struct load *l, size_t i)
{
    struct nf_layer *y = &l->w->layer[i];
    unsigned has = list_needs(l->cfg, i);
    char inner[32];
    int rc;

    snprintf(inner, sizeof inner, "%s%zu.", l->tensors->layers, i);
    rc = take_slots(l, l->tensors->layer, has, inner, y);
    if (rc == NF_OK && has & NF_IF_EXPERTS) {
        y->expert = l->w->experts + i * l->cfg->experts;
        rc = take_experts(l, has, inner, y->expert);
    }
    lay_out_layer(l, y);
    return rc;
}

static int refuse_missing(const struct load *l)
{
    if (l->quantised)
        return refuse_weights(l, "tensor %s is missing, a quantised form of it is there: not implemented", l->missing);
    if (l->n_missing > 1)
        return refuse_weights(l, "tensor %s is missing, and %zu more", l->missing, l->n_missing - 1);
    return refuse_weights(l, "tensor %s is missing", l->missing);
}

static int take_tensors(struct load *l)
{
    int rc = take_slots(l, l->tensors->model, list_needs(l->cfg, SIZE_MAX), "", l->w);

    for (size_t i = 0; i < l->cfg->L && rc == NF_OK; i++)
        rc = take_layer(l, i);
    if (rc == NF_OK && l->n_missing)
        rc = refuse_missing(l);
    if (l->w->project_in.w.data) {
        l->w->project_in = nf_linear_whole(l->w->project_in.w, l->w->project_in.b);
        l->w->project_out = nf_linear_whole(l->w->project_out.w, l->w->project_out.b);
    }
    return rc;
}

/* What stands before the names of the text model in a multimodal one, as versions of transformers 4 and 5 have it; "": nothing. */
static const char *const wrappings[] = { "language_model.", "model.language_model.", "model.text_model.", "text_model.", "", NULL };

/* The tensor "lm_head", or another of its names, with the end; NULL: not there.  `name` [NAME_MAX_BYTES] out: without what wraps it. */
static struct nf_tf_entry *find_head(const struct load *l, const char *end, char *name)
{
    struct nf_tf_entry *e = NULL;
    char whole[NAME_MAX_BYTES + 32];

    for (const char *at = l->tensors->unembed; *at && !e;) {
        next_name(&at, "", 0, name, NAME_MAX_BYTES - strlen(end));
        strcat(name, end);
        e = find(l, name);
        for (const char *const *w = wrappings; l->cfg->wrapped && !e && *w; w++) {
            snprintf(whole, sizeof whole, "%s%s", *w, name);
            e = find(l, whole);
        }
    }
    return e;
}

/* An unembedding of its own is kept as a tensor to check and hash; whether it is the embedding is seen by their digests. */
static int take_unembed(struct load *l)
{
    char name[NAME_MAX_BYTES], bias[NAME_MAX_BYTES];
    struct nf_tf_entry *e = find_head(l, ".weight", name), *b = l->cfg->bias_head ? find_head(l, ".bias", bias) : NULL;
    bool own_bias = l->cfg->bias_head;

    if (!e && (!l->cfg->tied || (own_bias && !b)))
        return NF_OK;   /* a base model: it has none */
    l->w->unembed = l->w->embed;
    if (own_bias && !b)
        return refuse_weights(l, "tensor %s is missing", bias);
    if (b && (check_tensor(l, b, "V") < 0 || keep(l, b, bias) < 0))
        return NF_EFORMAT;
    if (b)
        l->w->unembed_bias = b->t;
    if (!e)
        return NF_OK;
    if (check_tensor(l, e, "VE") < 0 || keep(l, e, name) < 0)
        return NF_EFORMAT;
    l->unembed = e;
    l->w->unembed = e->t;
    return NF_OK;
}

int nf_weights_need_unembed(const struct nf_config *cfg, const struct nf_weights *w, struct nf_err *err)
{
    return w->unembed.data ? NF_OK
                           : nf_fail(err, NF_EFORMAT,
                                     "%s: no unembedding: the checkpoint is of a base model (%s).  "
                                     "AutoModelForCausalLM.from_pretrained(THE ORIGINAL).save_pretrained(DIR) makes one with it",
                                     cfg->name, cfg->architecture);
}

/* ---- tensors without a role ---- */

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* Is `end` the last parts of the name? */
static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);

    return n >= m && strcmp(name + n - m, end) == 0 && (n == m || name[n - m - 1] == '.');
}

static bool fits_one_of(const char *const *list, bool (*fits)(const char *name, const char *item), const char *name)
{
    while (*list && !fits(name, *list))
        list++;
    return *list;
}

/*
 * Tensors that no forward pass reads: buffers that versions of transformers, fairseq and training frameworks have saved; tables of positions that are
 * computed anew; whole numbers and truth values, which no sum of these families takes.
 */
static bool is_buffer(const struct load *l, const struct nf_tf_entry *e)
{
    static const char *const ends[] = {
        "inv_freq",    "original_inv_freq", "cos_cached",   "sin_cached", "freqs_cis",           "position_ids",
        "masked_bias", "_float_tensor",     "_extra_state", "version",    "num_batches_tracked", NULL,
    };
    static const char *const whole[] = {
        "BOOL", "I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64", "u8", "u16", "u32", "u64", "i32", "i64", NULL,
    };

    return fits_one_of(ends, ends_in, e->name) || fits_one_of(l->tensors->stale, ends_in, e->name) ||
           fits_one_of(whole, ends_in, e->type);
}

/* Does it stand where tensors of the model stand, and not those of a head of another task? */
static bool is_inside(const struct load *l, const char *name)
{
    static const char *const heads[] = {
        "classifier.", "multiple_choice_head.", "qa_outputs.", "reward_head.", "score.", "summary.", "v_head.", "value_head.", NULL,
    };
    char head[NAME_MAX_BYTES];

    for (const char *at = l->tensors->unembed; *at;) {
        next_name(&at, "", 0, head, sizeof head - 1);
        strcat(head, ".");
        if (starts(name, head))
            return true;
    }
    if (l->cfg->wrapped)
        return *l->prefix && starts(name, l->prefix);
    for (const char *const *p = l->tensors->prefixes; *p; p++)
        if (**p && starts(name, *p))
            return true;
    return !*l->prefix && !fits_one_of(heads, starts, name);
}

/* The first few that are passed over, for people. */
static void pass_over(struct load *l, const char *name)
{
    char *list = l->w->passed;
    size_t n = strlen(list);

    if (l->w->n_passed++ < PASSED_SHOWN && n + strlen(name) + 3 < sizeof l->w->passed)
        snprintf(list + n, sizeof l->w->passed - n, "%s%s", n ? ", " : "", name);
}

/* Whatever has no role but stands where the model's tensors stand might belong to a computation that we do not do. */
static int check_rest(struct load *l)
{
    const char *first = NULL;
    size_t more = 0;

    for (size_t i = 0; i < l->w->file->n; i++)
        for (size_t k = 0; k < l->w->file->file[i].n; k++) {
            const struct nf_tf_entry *e = &l->w->file->file[i].entry[k];

            if (e->used)
                continue;
            if (!is_inside(l, e->name) || is_buffer(l, e))
                pass_over(l, e->name);
            else if (!first)
                first = e->name;
            else
                more++;
        }
    if (more)
        return refuse_weights(l, "tensor %s, and %zu more, are not part of the model that config.json describes", first, more);
    return first ? refuse_weights(l, "tensor %s is not part of the model that config.json describes", first) : NF_OK;
}

static bool has_prefix(struct load *l, const char *wrapping, const char *prefix)
{
    char name[NAME_MAX_BYTES];

    snprintf(name, sizeof name, "%s%s%s", wrapping, prefix, l->tensors->model->name);
    return find(l, name);
}

static int find_prefix(struct load *l)
{
    const char *first = l->tensors->model->name, *found = NULL;

    for (const char *const *p = l->tensors->prefixes; *p; p++) {
        if (!has_prefix(l, "", *p))
            continue;
        if (found)
            return refuse_weights(l, "tensor %s is there twice: with the prefixes \"%s\" and \"%s\"", first, found, *p);
        found = *p;
        snprintf(l->prefix, sizeof l->prefix, "%s", *p);
    }
    for (const char *const *w = wrappings; l->cfg->wrapped && !found && *w; w++)
        for (const char *const *p = l->tensors->prefixes; !found && *p; p++)
            if (has_prefix(l, *w, *p)) {
                found = *p;
                snprintf(l->prefix, sizeof l->prefix, "%s%s", *w, *p);
            }
    return found ? NF_OK : refuse_weights(l, "tensor %s%s is missing", l->tensors->prefixes[0], first);
}

/* ---- one pass over the bytes: digest, finiteness ---- */

/* Index of the first NaN or Inf among n elements, whose exponent is all ones, or of the first block with one among n blocks; n: none. */
static size_t first_nonfinite(const unsigned char *p, size_t n, enum nf_dtype t)
{
    if (nf_dtype_block(t) > 1)
        return nf_dequant_bad(t, p, n);
    if (t == NF_F32) {
        for (size_t i = 0; i < n; i++) {
            uint32_t u;

            memcpy(&u, p + 4 * i, sizeof u);
            if ((u & 0x7f800000u) == 0x7f800000u)
                return i;
        }
        return n;
    }
    for (size_t i = 0, mask = t == NF_F16 ? 0x7c00 : 0x7f80; i < n; i++) {
        uint16_t u;

        memcpy(&u, p + 2 * i, sizeof u);
        if ((u & mask) == mask)
            return i;
    }
    return n;
}

/* What one tensor's bytes showed. */
struct seen {
    char hex[NF_DIGEST_HEX];
    size_t bad;   /* element that is not finite, or the first of its block; SIZE_MAX: none */
    bool failed;   /* no memory for the digest */
};

static void note_tensor(const struct nf_tf_entry *e, struct seen *s)
{
    const unsigned char *p = e->t.data;
    size_t bytes = e->bytes, size = nf_dtype_size(e->t.dtype), chunk = CHUNK / size * size;
    struct nf_digest *d = nf_digest_open(NULL);

    s->bad = SIZE_MAX;
    s->failed = !d;
    for (size_t at = 0; d && at < bytes; at += chunk) {
        size_t n = nf_min(chunk, bytes - at), i = first_nonfinite(p + at, n / size, e->t.dtype);

        if (i < n / size && s->bad == SIZE_MAX)
            s->bad = (at / size + i) * nf_dtype_block(e->t.dtype);
        nf_digest_add(d, p + at, n);
        if (e->mapped)
            nf_map_drop(p + at, n);
    }
    nf_digest_close(d, s->hex);
}

static int look_at_all(const struct load *l, struct seen *seen)
{
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < l->n_kept; i++)
        note_tensor(l->kept[i], &seen[i]);
    for (size_t i = 0; i < l->n_kept; i++) {
        if (seen[i].failed)
            return nf_fail(l->err, NF_ESYS, "SHA-256 cannot start: out of memory");
        if (seen[i].bad != SIZE_MAX)
            return refuse_weights(l, "tensor %s: NaN or Inf at element %zu", l->kept[i]->name, seen[i].bad);
    }
    return NF_OK;
}

/* An unembedding beside the embedding: the same, or on its own as config.json says; otherwise versions of transformers disagree. */
static int settle_tie(struct load *l, const struct seen *seen)
{
    bool equal;

    if (!l->unembed)
        return NF_OK;
    equal = l->unembed->t.dtype == l->w->embed.dtype && strcmp(seen[l->n_kept - 1].hex, seen[0].hex) == 0;
    if (l->cfg->tied && !equal && !l->cfg->wrapped)
        return refuse_weights(l, "tensor %s differs from the embedding that tie_word_embeddings in config.json ties it to",
                              l->unembed->name);
    if (equal) {
        l->w->unembed = l->w->embed;
        l->w->bytes -= l->unembed->bytes;
        l->n_kept--;
    }
    l->cfg->tied = equal;
    return NF_OK;
}

struct line {
    const char *name;
    size_t i;
};

static int by_line_name(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->name, ((const struct line *)b)->name);
}

/* "name dtype shape sha256\n" of each tensor in byte order of the names. */
static int digest_all(struct load *l, const struct seen *seen)
{
    struct line *line = nf_alloc(l->n_kept, sizeof *line, l->err);
    struct nf_digest *d = line ? nf_digest_open(l->err) : NULL;
    char shape[96], text[NAME_MAX_BYTES + NF_DIGEST_HEX + 128];

    if (!d) {
        free(line);
        return NF_ESYS;
    }
    for (size_t i = 0; i < l->n_kept; i++)
        line[i] = (struct line){ l->name[i], i };
    qsort(line, l->n_kept, sizeof *line, by_line_name);
    for (size_t k = 0; k < l->n_kept; k++) {
        const struct nf_tensor *t = &l->kept[line[k].i]->t;
        int n = snprintf(text, sizeof text, "%s %s %s %s\n", line[k].name, nf_dtype_name(t->dtype),
                         shape_text(t->shape, t->ndim, shape, sizeof shape), seen[line[k].i].hex);

        nf_digest_add(d, text, (size_t)n);
    }
    nf_digest_close(d, l->cfg->weights_sha256);
    free(line);
    return NF_OK;
}

static int check_bytes(struct load *l)
{
    struct seen *seen = nf_alloc(l->n_kept, sizeof *seen, l->err);
    int rc = seen ? look_at_all(l, seen) : NF_ESYS;

    if (rc == NF_OK)
        rc = settle_tie(l, seen);
    if (rc == NF_OK)
        rc = digest_all(l, seen);
    free(seen);
    return rc;
}

static size_t count_slots(const struct nf_slot *s)
{
    size_t n = 0;

    while (s && s[n].name)
        n++;
    return n;
}

/* Tensors that may have a role: of the model, of its layers and their experts, the unembedding and its bias. */
static size_t most_tensors(const struct nf_config *cfg, const struct nf_tensors *t)
{
    return count_slots(t->model) + cfg->L * (count_slots(t->layer) + cfg->experts * count_slots(t->expert)) + 2;
}

static int alloc_kept(struct load *l)
{
    size_t n = most_tensors(l->cfg, l->tensors);

    l->kept = nf_alloc(n, sizeof *l->kept, l->err);
    l->name = nf_alloc(n, sizeof *l->name, l->err);
    return l->kept && l->name ? NF_OK : NF_ESYS;
}

int nf_weights_open(const char *dir, struct nf_config *cfg, struct nf_weights *w, struct nf_err *err)
{
    struct load l = { .dir = dir, .tensors = cfg->family->tensors, .cfg = cfg, .w = w, .err = err };
    struct nf_gguf_slots gguf;
    int rc;

    *w = (struct nf_weights){ .file = nf_checkpoint_open(dir, err), .layer = nf_alloc(cfg->L, sizeof *w->layer, err) };
    w->experts = cfg->experts ? nf_alloc(cfg->L * cfg->experts, sizeof *w->experts, err) : NULL;
    rc = w->file && w->layer && (!cfg->experts || w->experts) ? NF_OK : (int)err->code;
    if (rc == NF_OK && w->file->gguf) {
        rc = nf_gguf_tensors(cfg, w->file, &gguf, err);
        l.tensors = &gguf.tensors;
    }
    if (rc == NF_OK)
        rc = alloc_kept(&l);
    if (rc == NF_OK)
        rc = find_prefix(&l);
    if (rc == NF_OK)
        rc = take_tensors(&l);
    if (rc == NF_OK)
        rc = take_unembed(&l);
    if (rc == NF_OK)
        rc = check_rest(&l);
    if (rc == NF_OK)
        rc = check_bytes(&l);
    free(l.kept);
    free(l.name);
    if (rc < 0)
        nf_weights_close(w);
    return rc;
}

/* ---- what is done differently ---- */

bool nf_difference(const struct nf_config *cfg, const struct nf_weights *w, size_t i, char *buf, size_t size)
{
    if (*cfg->passed && i-- == 0) {
        snprintf(buf, size, "keys of config.json passed over: %s", cfg->passed);
        return true;
    }
    if (*cfg->taken && i-- == 0) {
        snprintf(buf, size, "%s", cfg->taken);
        return true;
    }
    if (w && w->n_passed && i-- == 0) {
        snprintf(buf, size, "tensors passed over: %zu: %s%s", w->n_passed, w->passed, w->n_passed > PASSED_SHOWN ? ", .." : "");
        return true;
    }
    if (w && !w->unembed.data && i == 0) {
        snprintf(buf, size, "no unembedding: no predictions, no lens, no effects on the vocabulary");
        return true;
    }
    return false;
}

const char *nf_differences(const struct nf_config *cfg, const struct nf_weights *w, char *buf, size_t size)
{
    char one[600];
    size_t n = 0;

    *buf = '\0';
    for (size_t i = 0; nf_difference(cfg, w, i, one, sizeof one) && n < size; i++)
        n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? "; " : "", one);
    return buf;
}

/* Only pages of a mapped file: those of ordinary memory would come back as zeros. */
void nf_weights_drop(const struct nf_weights *w, const struct nf_tensor *t)
{
    size_t n;

    for (size_t i = 0; w->file && t->data && i < w->file->n; i++) {
        const struct nf_map *map = &w->file->file[i].map;
        uintptr_t at = (uintptr_t)t->data, from = (uintptr_t)map->data;

        if (at >= from && at < from + map->size && nf_tensor_count(t, &n))
            nf_map_drop(t->data, nf_dtype_bytes(t->dtype, n));
    }
}

void nf_weights_close(struct nf_weights *w)
{
    nf_checkpoint_close(w->file);
    free(w->layer);
    free(w->experts);
    *w = (struct nf_weights){ 0 };
}
