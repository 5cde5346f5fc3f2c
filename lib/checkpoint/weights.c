/* weights.c - from the names in a checkpoint to the roles in a model, by a table for each family; everything checked and hashed once. */
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

enum { NAME_MAX_BYTES = 128, CHUNK = 1 << 20 };

/* ---- tables: which tensors a family has ---- */

/* A tensor is there when the model has all of these. */
enum need {
    ALWAYS = 0,
    AFFINE = 1,
    POSITIONS = 2,
    PROJECTED = 4,
    FINAL = 8,
    BIAS_QKV = 16,
    BIAS_O = 32,
    BIAS_FFN = 64,
    QK_NORM = 128,
};

struct weight_slot {
    const char *name;      /* behind the prefix; of a layer: behind "layers.N." */
    size_t offset;         /* of its nf_tensor in struct nf_weights, or in struct nf_layer */
    const char *shape;     /* letters(); of a transposed matrix: as stored */
    unsigned needs;        /* enum need */
};

/* How query, key and value are stored: three matrices; side by side; side by side head by head.  The last two under q. */
enum fused { SEPARATE, THIRDS, BY_HEAD };

struct tensor_family {
    const char *const *prefixes;      /* before all names but the unembedding's; the one that is in use is found by `first` */
    const char *first, *layers, *unembed;
    const char *const *stale;   /* ends of names of tensors that old checkpoints have, and that no computation uses */
    const struct weight_slot *model, *layer;
    enum fused fused;
    bool transposed;   /* the linear maps of a layer are stored [in, out] */
};

#define MODEL(field) offsetof(struct nf_weights, field)
#define LAYER(field) offsetof(struct nf_layer, field)
#define NORM(name, field, needs)                                                                                                   \
    { name ".weight", LAYER(field.gain), "D", needs },                                                                             \
    {                                                                                                                              \
        name ".bias", LAYER(field.bias), "D", needs                                                                                \
    }
#define LINEAR(name, field, shape, row, bias)                                                                                      \
    { name ".weight", LAYER(field.w), shape, ALWAYS },                                                                             \
    {                                                                                                                              \
        name ".bias", LAYER(field.b), row, bias                                                                                    \
    }
#define WEIGHT(name, field, shape)                                                                                                 \
    {                                                                                                                              \
        name ".weight", LAYER(field.w), shape, ALWAYS                                                                              \
    }
#define GAIN(name, field)                                                                                                          \
    {                                                                                                                              \
        name ".weight", LAYER(field.gain), "D", ALWAYS                                                                             \
    }
#define LAST                                                                                                                       \
    {                                                                                                                              \
        NULL, 0, NULL, 0                                                                                                           \
    }

static const char *const opt_prefixes[] = { "model.decoder.", "decoder.", NULL };
static const char *const opt_stale[] = { "version", NULL };

static const struct weight_slot opt_model[] = {
    { "embed_tokens.weight", MODEL(embed), "VE", ALWAYS },
    { "embed_positions.weight", MODEL(positions), "PD", POSITIONS },
    { "project_in.weight", MODEL(project_in.w), "DE", PROJECTED },
    { "project_out.weight", MODEL(project_out.w), "ED", PROJECTED },
    { "final_layer_norm.weight", MODEL(final_norm.gain), "D", FINAL | AFFINE },
    { "final_layer_norm.bias", MODEL(final_norm.bias), "D", FINAL | AFFINE },
    LAST,
};

static const struct weight_slot opt_layer[] = {
    NORM("self_attn_layer_norm", attn_norm, AFFINE),
    LINEAR("self_attn.q_proj", q, "QD", "Q", BIAS_QKV),
    LINEAR("self_attn.k_proj", k, "GD", "G", BIAS_QKV),
    LINEAR("self_attn.v_proj", v, "GD", "G", BIAS_QKV),
    LINEAR("self_attn.out_proj", o, "DQ", "D", BIAS_O),
    NORM("final_layer_norm", ffn_norm, AFFINE),
    LINEAR("fc1", ffn_in, "FD", "F", BIAS_FFN),
    LINEAR("fc2", ffn_out, "DF", "D", BIAS_FFN),
    LAST,
};

static const char *const gpt_prefixes[] = { "transformer.", "", NULL };

static const struct weight_slot gpt_model[] = {
    { "wte.weight", MODEL(embed), "VD", ALWAYS },
    { "wpe.weight", MODEL(positions), "PD", ALWAYS },
    { "ln_f.weight", MODEL(final_norm.gain), "D", ALWAYS },
    { "ln_f.bias", MODEL(final_norm.bias), "D", ALWAYS },
    LAST,
};

static const char *const gpt2_stale[] = { "attn.bias", "attn.masked_bias", NULL };

static const struct weight_slot gpt2_layer[] = {
    NORM("ln_1", attn_norm, ALWAYS),
    LINEAR("attn.c_attn", q, "DX", "X", ALWAYS),
    LINEAR("attn.c_proj", o, "QD", "D", ALWAYS),
    NORM("ln_2", ffn_norm, ALWAYS),
    LINEAR("mlp.c_fc", ffn_in, "DF", "F", ALWAYS),
    LINEAR("mlp.c_proj", ffn_out, "FD", "D", ALWAYS),
    LAST,
};

static const char *const gpt_neo_stale[] = { "attn.attention.bias", "attn.attention.masked_bias", NULL };

static const struct weight_slot gpt_neo_layer[] = {
    NORM("ln_1", attn_norm, ALWAYS),
    WEIGHT("attn.attention.q_proj", q, "QD"),
    WEIGHT("attn.attention.k_proj", k, "GD"),
    WEIGHT("attn.attention.v_proj", v, "GD"),
    LINEAR("attn.attention.out_proj", o, "DQ", "D", ALWAYS),
    NORM("ln_2", ffn_norm, ALWAYS),
    LINEAR("mlp.c_fc", ffn_in, "FD", "F", ALWAYS),
    LINEAR("mlp.c_proj", ffn_out, "DF", "D", ALWAYS),
    LAST,
};

static const char *const gpt_neox_prefixes[] = { "gpt_neox.", "", NULL };
static const char *const gpt_neox_stale[] = { "attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq", NULL };

static const struct weight_slot gpt_neox_model[] = {
    { "embed_in.weight", MODEL(embed), "VD", ALWAYS },
    { "final_layer_norm.weight", MODEL(final_norm.gain), "D", ALWAYS },
    { "final_layer_norm.bias", MODEL(final_norm.bias), "D", ALWAYS },
    LAST,
};

static const struct weight_slot gpt_neox_layer[] = {
    NORM("input_layernorm", attn_norm, ALWAYS),
    LINEAR("attention.query_key_value", q, "XD", "X", BIAS_QKV),
    LINEAR("attention.dense", o, "DQ", "D", BIAS_O),
    NORM("post_attention_layernorm", ffn_norm, ALWAYS),
    LINEAR("mlp.dense_h_to_4h", ffn_in, "FD", "F", ALWAYS),
    LINEAR("mlp.dense_4h_to_h", ffn_out, "DF", "D", ALWAYS),
    LAST,
};

static const char *const model_prefixes[] = { "model.", "", NULL };
static const char *const rotary_stale[] = { "self_attn.rotary_emb.inv_freq", NULL };

static const struct weight_slot phi_model[] = {
    { "embed_tokens.weight", MODEL(embed), "VD", ALWAYS },
    { "final_layernorm.weight", MODEL(final_norm.gain), "D", ALWAYS },
    { "final_layernorm.bias", MODEL(final_norm.bias), "D", ALWAYS },
    LAST,
};

static const struct weight_slot phi_layer[] = {
    NORM("input_layernorm", attn_norm, ALWAYS),
    LINEAR("self_attn.q_proj", q, "QD", "Q", ALWAYS),
    LINEAR("self_attn.k_proj", k, "GD", "G", ALWAYS),
    LINEAR("self_attn.v_proj", v, "GD", "G", ALWAYS),
    { "self_attn.q_layernorm.weight", LAYER(q_norm.gain), "K", QK_NORM },
    { "self_attn.q_layernorm.bias", LAYER(q_norm.bias), "K", QK_NORM },
    { "self_attn.k_layernorm.weight", LAYER(k_norm.gain), "K", QK_NORM },
    { "self_attn.k_layernorm.bias", LAYER(k_norm.bias), "K", QK_NORM },
    LINEAR("self_attn.dense", o, "DQ", "D", ALWAYS),
    LINEAR("mlp.fc1", ffn_in, "FD", "F", ALWAYS),
    LINEAR("mlp.fc2", ffn_out, "DF", "D", ALWAYS),
    LAST,
};

static const struct weight_slot llama_model[] = {
    { "embed_tokens.weight", MODEL(embed), "VD", ALWAYS },
    { "norm.weight", MODEL(final_norm.gain), "D", ALWAYS },
    LAST,
};

/* Llama, Mistral, Qwen. */
static const struct weight_slot llama_layer[] = {
    GAIN("input_layernorm", attn_norm),
    LINEAR("self_attn.q_proj", q, "QD", "Q", BIAS_QKV),
    LINEAR("self_attn.k_proj", k, "GD", "G", BIAS_QKV),
    LINEAR("self_attn.v_proj", v, "GD", "G", BIAS_QKV),
    { "self_attn.q_norm.weight", LAYER(q_norm.gain), "K", QK_NORM },
    { "self_attn.k_norm.weight", LAYER(k_norm.gain), "K", QK_NORM },
    LINEAR("self_attn.o_proj", o, "DQ", "D", BIAS_O),
    GAIN("post_attention_layernorm", ffn_norm),
    LINEAR("mlp.gate_proj", ffn_in, "FD", "F", BIAS_FFN),
    LINEAR("mlp.up_proj", ffn_up, "FD", "F", BIAS_FFN),
    LINEAR("mlp.down_proj", ffn_out, "DF", "D", BIAS_FFN),
    LAST,
};

#define LLAMA                                                                                                                      \
    {                                                                                                                              \
        model_prefixes, "embed_tokens.weight", "layers.", "lm_head", rotary_stale, llama_model, llama_layer, SEPARATE, false       \
    }

static const struct tensor_family families[NF_FAMILY_COUNT] = {
    [NF_FAMILY_OPT] = { opt_prefixes, "embed_tokens.weight", "layers.", "lm_head", opt_stale, opt_model, opt_layer, SEPARATE,
                        false },
    [NF_FAMILY_GPT2] = { gpt_prefixes, "wte.weight", "h.", "lm_head", gpt2_stale, gpt_model, gpt2_layer, THIRDS, true },
    [NF_FAMILY_GPT_NEO] = { gpt_prefixes, "wte.weight", "h.", "lm_head", gpt_neo_stale, gpt_model, gpt_neo_layer, SEPARATE, false },
    [NF_FAMILY_GPT_NEOX] = { gpt_neox_prefixes, "embed_in.weight", "layers.", "embed_out", gpt_neox_stale, gpt_neox_model,
                             gpt_neox_layer, BY_HEAD, false },
    [NF_FAMILY_PHI] = { model_prefixes, "embed_tokens.weight", "layers.", "lm_head", rotary_stale, phi_model, phi_layer, SEPARATE,
                        false },
    [NF_FAMILY_LLAMA] = LLAMA,
    [NF_FAMILY_MISTRAL] = LLAMA,
    [NF_FAMILY_QWEN2] = LLAMA,
    [NF_FAMILY_QWEN3] = LLAMA,
};

static unsigned find_parts(const struct nf_config *cfg)
{
    return (cfg->norm_affine ? AFFINE : 0) | (cfg->positions == NF_POS_LEARNED ? POSITIONS : 0) |
           (cfg->E != cfg->D ? PROJECTED : 0) | (cfg->final_norm ? FINAL : 0) | (cfg->bias_qkv ? BIAS_QKV : 0) |
           (cfg->bias_o ? BIAS_O : 0) | (cfg->bias_ffn ? BIAS_FFN : 0) | (cfg->qk_norm != NF_NORM_NONE ? QK_NORM : 0);
}

static size_t letter(const struct nf_config *cfg, char c)
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
    case 'K':
        return cfg->K;
    case 'Q':   /* all queries */
        return cfg->H * cfg->K;
    case 'G':   /* all keys, all values */
        return cfg->G * cfg->K;
    case 'X':   /* queries, keys and values */
        return (cfg->H + 2 * cfg->G) * cfg->K;
    case 'P':
        return cfg->max_positions + cfg->position_offset;
    }
    abort();
}

/* ---- roles ---- */

struct weights_load {
    const char *dir;
    const struct tensor_family *family;
    const char *prefix;
    struct nf_config *cfg;
    struct nf_weights *w;
    const struct nf_tf_entry **kept;   /* [n_kept] tensors with a role, the embedding first */
    char (*name)[NAME_MAX_BYTES];      /* [n_kept] their names without prefix: what is hashed */
    size_t n_kept;
    const struct nf_tf_entry *unembed;   /* one of its own, the last that is kept; NULL: none */
    struct nf_err *err;
};

static int refuse_weights(const struct weights_load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse_weights(const struct weights_load *l, const char *fmt, ...)
{
    char text[320];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return nf_fail(l->err, NF_EFORMAT, "%s: %s", l->dir, text);
}

static struct nf_tf_entry *find_tensor(const struct weights_load *l, const char *name)
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

static int keep_tensor(struct weights_load *l, struct nf_tf_entry *e, const char *short_name)
{
    if (e->used)
        return refuse_weights(l, "tensor %s has two roles", e->name);
    e->used = true;
    snprintf(l->name[l->n_kept], NAME_MAX_BYTES, "%s", short_name);
    l->kept[l->n_kept++] = e;
    l->w->bytes += e->bytes;
    return NF_OK;
}

static int check_tensor(const struct weights_load *l, const struct nf_tf_entry *e, const char *letters)
{
    size_t want[NF_NDIM_MAX], n = strlen(letters);
    char got_text[96], want_text[96];

    for (size_t i = 0; i < n; i++)
        want[i] = letter(l->cfg, letters[i]);
    if (!e->weight)
        return refuse_weights(l, "tensor %s: type %s, F32, F16 or BF16 is wanted", e->name, e->type);
    if (e->t.ndim != n || memcmp(e->t.shape, want, n * sizeof *want) != 0)
        return refuse_weights(l, "tensor %s: shape %s, config.json asks for %s", e->name,
                              shape_text(e->t.shape, e->t.ndim, got_text, sizeof got_text),
                              shape_text(want, n, want_text, sizeof want_text));
    return NF_OK;
}

/* The tensors of one table: `inner` is "" or, of a layer, "layers.N."; `base` the struct that holds them. */
static int take_slots(struct weights_load *l, const struct weight_slot *slots, const char *inner, void *base)
{
    char short_name[NAME_MAX_BYTES], name[NAME_MAX_BYTES + 32];

    for (const struct weight_slot *s = slots; s->name; s++) {
        struct nf_tf_entry *e;

        if ((s->needs & find_parts(l->cfg)) != s->needs)
            continue;
        snprintf(short_name, sizeof short_name, "%s%s", inner, s->name);
        snprintf(name, sizeof name, "%s%s", l->prefix, short_name);
        e = find_tensor(l, name);
        if (!e)
            return refuse_weights(l, "tensor %s is missing", name);
        if (check_tensor(l, e, s->shape) < 0 || keep_tensor(l, e, short_name) < 0)
            return NF_EFORMAT;
        *(struct nf_tensor *)((unsigned char *)base + s->offset) = e->t;
    }
    return NF_OK;
}

/* The maps of a layer, whose w and b are there as they are stored, with their layout. */
static void lay_out(const struct weights_load *l, struct nf_layer *y)
{
    const struct nf_config *cfg = l->cfg;
    size_t Q = cfg->H * cfg->K, G = cfg->G * cfg->K, D = cfg->D, F = cfg->F;
    const struct {
        struct nf_linear *map;
        size_t out, in;
    } maps[] = { { &y->q, Q, D },      { &y->k, G, D },      { &y->v, G, D },      { &y->o, D, Q },
                 { &y->ffn_in, F, D }, { &y->ffn_up, F, D }, { &y->ffn_out, D, F } };

    if (l->family->fused != SEPARATE)
        y->k = y->v = y->q;
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        struct nf_linear *m = maps[i].map;

        m->out = m->run = m->jump = maps[i].out;
        m->in = maps[i].in;
        m->transposed = l->family->transposed;
        if (i < 3 && l->family->fused == THIRDS)
            m->first = i * D;
        if (i < 3 && l->family->fused == BY_HEAD) {
            m->first = i * cfg->K;
            m->run = cfg->K;
            m->jump = 3 * cfg->K;
        }
    }
}

static int take_tensors(struct weights_load *l)
{
    char inner[32];
    int rc = take_slots(l, l->family->model, "", l->w);

    for (size_t i = 0; i < l->cfg->L && rc == NF_OK; i++) {
        snprintf(inner, sizeof inner, "%s%zu.", l->family->layers, i);
        rc = take_slots(l, l->family->layer, inner, &l->w->layer[i]);
        lay_out(l, &l->w->layer[i]);
    }
    if (l->w->project_in.w.data) {
        l->w->project_in = nf_linear_whole(l->w->project_in.w, l->w->project_in.b);
        l->w->project_out = nf_linear_whole(l->w->project_out.w, l->w->project_out.b);
    }
    return rc;
}

/* An unembedding of its own is kept as a tensor to check and hash; whether it is the embedding is seen by their digests. */
static int take_unembed(struct weights_load *l)
{
    char name[NAME_MAX_BYTES], bias[NAME_MAX_BYTES];
    struct nf_tf_entry *e, *b;

    snprintf(name, sizeof name, "%s.weight", l->family->unembed);
    snprintf(bias, sizeof bias, "%s.bias", l->family->unembed);
    e = find_tensor(l, name);
    b = l->cfg->bias_head ? find_tensor(l, bias) : NULL;
    l->w->unembed = l->w->embed;
    if (!e && !l->cfg->tied)
        return refuse_weights(l, "tensor %s is missing: config.json says that it is not tied to the embedding", name);
    if (!b && l->cfg->bias_head)
        return refuse_weights(l, "tensor %s is missing", bias);
    if (b && (check_tensor(l, b, "V") < 0 || keep_tensor(l, b, bias) < 0))
        return NF_EFORMAT;
    if (b)
        l->w->unembed_bias = b->t;
    if (!e)
        return NF_OK;
    if (check_tensor(l, e, "VE") < 0 || keep_tensor(l, e, name) < 0)
        return NF_EFORMAT;
    l->unembed = e;
    l->w->unembed = e->t;
    return NF_OK;
}

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static bool is_stale(const struct weights_load *l, const char *name)
{
    for (const char *const *s = l->family->stale; *s; s++) {
        size_t n = strlen(name), m = strlen(*s);

        if (n >= m && strcmp(name + n - m, *s) == 0 && (n == m || name[n - m - 1] == '.'))
            return true;
    }
    return false;
}

/* Whatever has no role but stands where the model's tensors stand might belong to a computation that we do not do. */
static int check_rest(const struct weights_load *l)
{
    char head[NAME_MAX_BYTES];

    snprintf(head, sizeof head, "%s.", l->family->unembed);
    for (size_t i = 0; i < l->w->file->n; i++)
        for (size_t k = 0; k < l->w->file->file[i].n; k++) {
            const struct nf_tf_entry *e = &l->w->file->file[i].entry[k];
            bool inside = !*l->prefix || starts(e->name, head);

            for (const char *const *p = l->family->prefixes; *p; p++)
                inside = inside || (**p && starts(e->name, *p));
            if (!e->used && inside && !is_stale(l, e->name))
                return refuse_weights(l, "tensor %s is not part of the model that config.json describes", e->name);
        }
    return NF_OK;
}

static int find_prefix(struct weights_load *l)
{
    char name[NAME_MAX_BYTES];
    const char *found = NULL;

    for (const char *const *p = l->family->prefixes; *p; p++) {
        snprintf(name, sizeof name, "%s%s", *p, l->family->first);
        if (!find_tensor(l, name))
            continue;
        if (found)
            return refuse_weights(l, "tensor %s is there twice: with the prefixes \"%s\" and \"%s\"", l->family->first, found, *p);
        found = *p;
    }
    l->prefix = found;
    return found ? NF_OK : refuse_weights(l, "tensor %s%s is missing", l->family->prefixes[0], l->family->first);
}

/* ---- one pass over the bytes: digest, finiteness ---- */

/* Index of the first NaN or Inf among n elements of `size` bytes, whose exponent is all ones; n: none. */
static size_t first_nonfinite(const unsigned char *p, size_t n, enum nf_dtype t)
{
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
    size_t bad;          /* element that is not finite; SIZE_MAX: none */
    bool failed;         /* no memory for the digest */
};

static void note_tensor(const struct nf_tf_entry *e, struct seen *s)
{
    const unsigned char *p = e->t.data;
    size_t bytes = e->bytes, size = nf_dtype_size(e->t.dtype);
    struct nf_digest *d = nf_digest_open(NULL);

    s->bad = SIZE_MAX;
    s->failed = !d;
    for (size_t at = 0; d && at < bytes; at += CHUNK) {
        size_t n = nf_min(CHUNK, bytes - at), i = first_nonfinite(p + at, n / size, e->t.dtype);

        if (i < n / size && s->bad == SIZE_MAX)
            s->bad = at / size + i;
        nf_digest_add(d, p + at, n);
        if (e->mapped)
            nf_map_drop(p + at, n);
    }
    nf_digest_close(d, s->hex);
}

static int look_at_all(const struct weights_load *l, struct seen *seen)
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
static int settle_tie(struct weights_load *l, const struct seen *seen)
{
    bool equal;

    if (!l->unembed)
        return NF_OK;
    equal = l->unembed->t.dtype == l->w->embed.dtype && strcmp(seen[l->n_kept - 1].hex, seen[0].hex) == 0;
    if (l->cfg->tied && !equal)
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
static int digest_all(struct weights_load *l, const struct seen *seen)
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

static int check_tensor_bytes(struct weights_load *l)
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

static size_t count_slots(const struct weight_slot *s)
{
    size_t n = 0;

    while (s[n].name)
        n++;
    return n;
}

int nf_weights_open(const char *dir, struct nf_config *cfg, struct nf_weights *w, struct nf_err *err)
{
    const struct tensor_family *family = &families[cfg->family];
    struct weights_load l = { .dir = dir, .family = family, .cfg = cfg, .w = w, .err = err };
    size_t most = count_slots(family->model) + cfg->L * count_slots(family->layer) + 2;   /* the unembedding and its bias */
    int rc;

    *w = (struct nf_weights){ .file = nf_checkpoint_open(dir, err), .layer = nf_alloc(cfg->L, sizeof *w->layer, err) };
    l.kept = nf_alloc(most, sizeof *l.kept, err);
    l.name = nf_alloc(most, sizeof *l.name, err);
    if (!w->file || !w->layer || !l.kept || !l.name)
        rc = (int)err->code;
    else
        rc = find_prefix(&l);
    if (rc == NF_OK)
        rc = take_tensors(&l);
    if (rc == NF_OK)
        rc = take_unembed(&l);
    if (rc == NF_OK)
        rc = check_rest(&l);
    if (rc == NF_OK)
        rc = check_tensor_bytes(&l);
    free(l.kept);
    free(l.name);
    if (rc < 0)
        nf_weights_close(w);
    return rc;
}

/* Only pages of a mapped file: those of ordinary memory would come back as zeros. */
void nf_weights_drop(const struct nf_weights *w, const struct nf_tensor *t)
{
    size_t n;

    for (size_t i = 0; w->file && t->data && i < w->file->n; i++) {
        const struct nf_map *map = &w->file->file[i].map;
        uintptr_t at = (uintptr_t)t->data, from = (uintptr_t)map->data;

        if (at >= from && at < from + map->size && nf_tensor_count(t, &n))
            nf_map_drop(t->data, n * nf_dtype_size(t->dtype));
    }
}

void nf_weights_close(struct nf_weights *w)
{
    nf_checkpoint_close(w->file);
    free(w->layer);
    *w = (struct nf_weights){ 0 };
}
