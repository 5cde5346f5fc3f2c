/* gguf_arch.c - from the metadata of a GGUF file to config.json, by the table of its architecture. */
#include "checkpoint/gguf_arch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/at.h"
#include "base/json.h"

/* ---- the table ---- */

/* What becomes of the key "ARCH.suffix". */
struct key {
    const char *suffix;
    const char *config; /* the key of config.json that it is; NULL: none */
    const char *only; /* JSON: the one value that is implemented; NULL: any */
};

struct build;

struct arch {
    const char *name, *model_type;
    const struct key *keys; /* before those of all */
    int (*finish)(const struct build *b); /* the rest; NULL: nothing */
    bool paired; /* nf_gguf_is_paired() */
    const char *biases; /* which of attention_bias and mlp_bias are switches of the family; by the tensors */
};

struct build {
    const struct nf_gguf_model *m;
    const struct arch *arch;
    json_t *config;
    struct nf_err *err;
};

#define TAKE(suffix, config)                                                                                                       \
    {                                                                                                                              \
        suffix, config, NULL                                                                                                       \
    }
#define ONLY(suffix, value)                                                                                                        \
    {                                                                                                                              \
        suffix, NULL, value                                                                                                        \
    }
#define PASS(suffix)                                                                                                               \
    {                                                                                                                              \
        suffix, NULL, NULL                                                                                                         \
    } /* read elsewhere, or without a role */
#define LAST                                                                                                                       \
    {                                                                                                                              \
        NULL, NULL, NULL                                                                                                           \
    }

/* clang-format off */
static const struct key of_all[] = {
    TAKE("context_length", "max_position_embeddings"),
    TAKE("embedding_length", "hidden_size"),
    TAKE("block_count", "num_hidden_layers"),
    TAKE("feed_forward_length", "intermediate_size"),
    TAKE("attention.head_count", "num_attention_heads"),
    TAKE("attention.head_count_kv", "num_key_value_heads"),
    TAKE("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
    TAKE("attention.layer_norm_epsilon", "layer_norm_eps"),
    TAKE("attention.key_length", "head_dim"),
    PASS("attention.value_length"),
    PASS("vocab_size"),                 /* the embedding has as many rows as it has */
    PASS("tensor_data_layout"),         /* which program wrote the file */
    PASS("rope.freq_base"),
    PASS("rope.dimension_count"),
    PASS("rope.scale_linear"),
    PASS("rope.scaling.type"),
    PASS("rope.scaling.factor"),
    PASS("rope.scaling.original_context_length"),
    PASS("rope.scaling.finetuned"),
    PASS("rope.scaling.attn_factor"),
    PASS("rope.scaling.yarn_attn_factor"),
    PASS("rope.scaling.yarn_beta_fast"),
    PASS("rope.scaling.yarn_beta_slow"),
    ONLY("rope.scaling.yarn_ext_factor", "1"),
    ONLY("attention.causal", "true"),
    ONLY("pooling_type", "0"),
    ONLY("expert_count", "0"),
    ONLY("expert_used_count", "0"),
    LAST,
};

static const struct key gpt2_keys[] = {
    TAKE("context_length", "n_positions"),
    TAKE("embedding_length", "n_embd"),
    TAKE("block_count", "n_layer"),
    TAKE("feed_forward_length", "n_inner"),
    TAKE("attention.head_count", "n_head"),
    PASS("attention.head_count_kv"),
    TAKE("attention.layer_norm_epsilon", "layer_norm_epsilon"),
    LAST,
};
static const struct key gptneox_keys[] = {
    PASS("attention.head_count_kv"),
    TAKE("use_parallel_residual", "use_parallel_residual"),
    LAST,
};
static const struct key bloom_keys[] = {
    PASS("context_length"),
    TAKE("embedding_length", "hidden_size"),
    TAKE("block_count", "n_layer"),
    PASS("feed_forward_length"),        /* 4 D */
    TAKE("attention.head_count", "n_head"),
    PASS("attention.head_count_kv"),
    TAKE("attention.layer_norm_epsilon", "layer_norm_epsilon"),
    LAST,
};
static const struct key falcon_keys[] = {
    TAKE("attention.head_count_kv", "num_kv_heads"),
    TAKE("attention.layer_norm_epsilon", "layer_norm_epsilon"),
    TAKE("feed_forward_length", "ffn_hidden_size"),
    LAST,
};
static const struct key llama_keys[] = {
    TAKE("expert_count", "num_local_experts"),
    TAKE("expert_used_count", "num_experts_per_tok"),
    LAST,
};
static const struct key qwen3moe_keys[] = {
    TAKE("expert_count", "num_experts"),
    TAKE("expert_used_count", "num_experts_per_tok"),
    TAKE("expert_feed_forward_length", "moe_intermediate_size"),
    LAST,
};
static const struct key gpt_oss_keys[] = {
    TAKE("expert_count", "num_local_experts"),
    TAKE("expert_used_count", "num_experts_per_tok"),
    TAKE("expert_feed_forward_length", "intermediate_size"),
    TAKE("attention.sliding_window", "sliding_window"),
    LAST,
};
static const struct key gemma_keys[] = {
    TAKE("attn_logit_softcapping", "attn_logit_softcapping"),
    TAKE("final_logit_softcapping", "final_logit_softcapping"),
    TAKE("attention.sliding_window", "sliding_window"),
    PASS("attention.sliding_window_pattern"),
    TAKE("rope.freq_base_swa", "rope_local_base_freq"),
    LAST,
};
static const struct key olmo2_keys[] = {
    PASS("attention.sliding_window"),
    PASS("attention.sliding_window_pattern"),
    LAST,
};
static const struct key phi3_keys[] = {
    PASS("attention.sliding_window"),
    LAST,
};
static const struct key granite_keys[] = {
    TAKE("attention.scale", "attention_multiplier"),
    TAKE("embedding_scale", "embedding_multiplier"),
    TAKE("residual_scale", "residual_multiplier"),
    TAKE("logit_scale", "logits_scaling"),
    LAST,
};
static const struct key no_keys[] = { LAST };

static int finish_gpt2(const struct build *b), finish_gptneox(const struct build *b), finish_bloom(const struct build *b);
static int finish_falcon(const struct build *b), finish_llama_arch(const struct build *b), finish_plain(const struct build *b);
static int finish_partial(const struct build *b), finish_gemma2(const struct build *b), finish_gemma3(const struct build *b);
static int finish_olmo2(const struct build *b), finish_phi3(const struct build *b), finish_qwen3moe(const struct build *b);
static int finish_gpt_oss(const struct build *b);

static const struct arch archs[] = {
    { "bloom", "bloom", bloom_keys, finish_bloom, false, "" },
    { "falcon", "falcon", falcon_keys, finish_falcon, false, "" },
    { "gemma", "gemma", gemma_keys, finish_plain, false, "attention" },
    { "gemma2", "gemma2", gemma_keys, finish_gemma2, false, "attention" },
    { "gemma3", "gemma3_text", gemma_keys, finish_gemma3, false, "attention" },
    { "gpt-oss", "gpt_oss", gpt_oss_keys, finish_gpt_oss, false, "attention" },
    { "gpt2", "gpt2", gpt2_keys, finish_gpt2, false, "" },
    { "gptneox", "gpt_neox", gptneox_keys, finish_gptneox, false, "attention" },
    { "granite", "granite", granite_keys, finish_plain, true, "attention, mlp" },
    { "llama", "llama", llama_keys, finish_llama_arch, true, "attention, mlp" },
    { "olmo2", "olmo2", olmo2_keys, finish_olmo2, false, "attention" },
    { "phi2", "phi", no_keys, finish_partial, false, "" },
    { "phi3", "phi3", phi3_keys, finish_phi3, false, "" },
    { "qwen2", "qwen2", no_keys, finish_plain, false, "" },
    { "qwen3", "qwen3", no_keys, finish_plain, false, "attention" },
    { "qwen3moe", "qwen3_moe", qwen3moe_keys, finish_qwen3moe, false, "attention" },
    { "smollm3", "smollm3", no_keys, finish_plain, true, "attention, mlp" },
};
/* clang-format on */

static const struct arch *find_arch(const char *name)
{
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++)
        if (strcmp(archs[i].name, name) == 0)
            return &archs[i];
    return NULL;
}

bool nf_gguf_is_paired(const char *arch)
{
    const struct arch *a = find_arch(arch);

    return a && a->paired;
}

/* ---- values ---- */

static int set(const struct build *b, const char *key, json_t *v)
{
    return v && json_object_set_new(b->config, key, v) == 0 ? NF_OK : nf_fail(b->err, NF_ESYS, "%s: out of memory", b->m->path);
}

static int refuse_key(const struct build *b, const char *suffix, const json_t *v, const char *expected)
{
    char text[80];
    size_t n = json_dumpb(v, text, sizeof text - 1, JSON_ENCODE_ANY | JSON_COMPACT);

    if (n > sizeof text - 1)
        snprintf(text, sizeof text, "...");
    else
        text[n] = '\0';
    return nf_fail(b->err, NF_EFORMAT, "%s: metadata %s.%s: %s: %s", b->m->path, b->m->arch, suffix, text, expected);
}

/* A list with the same number for every layer is that number. */
static json_t *one_of_all_layers(json_t *v)
{
    json_t *first = json_array_get(v, 0), *item;
    size_t i;

    if (!json_is_number(first))
        return v;
    json_array_foreach (v, i, item)
        if (!json_equal(item, first))
            return v;
    json_incref(first);
    json_decref(v);
    return first;
}

/* NULL: the key is not there, or b->err is set. */
static json_t *value_of(const struct build *b, const char *suffix)
{
    const struct nf_gguf_value *v = nf_gguf_model_key(b->m, suffix);
    json_t *json = v ? nf_gguf_json(v, b->m->path, b->err) : NULL;

    return json ? one_of_all_layers(json) : NULL;
}

static double arch_number(const struct build *b, const char *suffix, double absent)
{
    json_t *v = value_of(b, suffix);
    double x = json_is_number(v) ? json_number_value(v) : absent;

    json_decref(v);
    return x;
}

static const struct key *find_key(const struct key *k, const char *suffix)
{
    while (k->suffix && strcmp(k->suffix, suffix) != 0)
        k++;
    return k->suffix ? k : NULL;
}

static int check_only(const struct build *b, const struct key *k, const json_t *v)
{
    json_t *only = json_loads(k->only, JSON_DECODE_ANY, NULL);
    bool same = json_is_number(only) && json_is_number(v) ? json_number_value(only) == json_number_value(v) : json_equal(only, v);
    char expected[80];

    json_decref(only);
    snprintf(expected, sizeof expected, "not implemented, only %s is", k->only);
    return same ? NF_OK : refuse_key(b, k->suffix, v, expected);
}

static int take_key(const struct build *b, const char *suffix)
{
    const struct key *k = find_key(b->arch->keys, suffix);
    json_t *v = value_of(b, suffix);
    int rc = NF_OK;

    if (!k)
        k = find_key(of_all, suffix);
    if (!v)
        return (int)b->err->code;
    if (!k)
        rc = refuse_key(b, suffix, v, "this key is not known, and might change the computation");
    else if (k->only)
        rc = check_only(b, k, v);
    else if (k->config)
        rc = set(b, k->config, json_incref(v));
    json_decref(v);
    return rc;
}

/* Every "ARCH.suffix" of the file. */
static int take_keys(const struct build *b)
{
    size_t n = strlen(b->m->arch);

    for (size_t i = 0; i < b->m->part[0].n; i++) {
        const char *key = b->m->part[0].value[i].key;
        int rc = NF_OK;

        if (strncmp(key, b->m->arch, n) == 0 && key[n] == '.')
            rc = take_key(b, key + n + 1);
        if (rc < 0)
            return rc;
    }
    return NF_OK;
}

/* ---- what all architectures have ---- */

static int check_needed(const struct build *b)
{
    static const char *const needed[] = { "context_length", "embedding_length", "block_count", "feed_forward_length",
                                          "attention.head_count" };
    json_t *key_length, *value_length;
    bool same;

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!nf_gguf_model_key(b->m, needed[i]))
            return nf_fail(b->err, NF_EFORMAT, "%s: metadata %s.%s is missing", b->m->path, b->m->arch, needed[i]);
    if (!nf_gguf_model_key(b->m, "attention.layer_norm_rms_epsilon") && !nf_gguf_model_key(b->m, "attention.layer_norm_epsilon"))
        return nf_fail(b->err, NF_EFORMAT, "%s: metadata %s.attention.layer_norm_rms_epsilon is missing", b->m->path, b->m->arch);
    key_length = value_of(b, "attention.key_length");
    value_length = value_of(b, "attention.value_length");
    same = !value_length || json_equal(key_length, value_length);
    json_decref(key_length);
    json_decref(value_length);
    return same ? NF_OK
                : nf_fail(b->err, NF_EFORMAT, "%s: metadata %s.attention.value_length: not implemented where it is not key_length",
                          b->m->path, b->m->arch);
}

static bool has_tensor(const struct build *b, const char *name)
{
    return nf_gguf_model_tensor(b->m, name);
}

/* Rows of the embedding; tied where there is no other; biases that the family may have or not. */
static int set_from_tensors(const struct build *b)
{
    const struct nf_tf_entry *embed = nf_gguf_model_tensor(b->m, "token_embd.weight");
    int rc;

    if (!embed)
        return nf_fail(b->err, NF_EFORMAT, "%s: tensor token_embd.weight is missing", b->m->path);
    rc = set(b, "vocab_size", json_integer((json_int_t)embed->t.shape[0]));
    if (rc == NF_OK)
        rc = set(b, "tie_word_embeddings", json_boolean(!has_tensor(b, "output.weight")));
    if (rc == NF_OK && strstr(b->arch->biases, "attention"))
        rc = set(b, "attention_bias", json_boolean(has_tensor(b, "blk.0.attn_q.bias") || has_tensor(b, "blk.0.attn_qkv.bias")));
    if (rc == NF_OK && strstr(b->arch->biases, "mlp"))
        rc = set(b, "mlp_bias", json_boolean(has_tensor(b, "blk.0.ffn_up.bias")));
    return rc;
}

/* Without head_count_kv every head has keys of its own. */
static int read_heads(const struct build *b)
{
    const char *name = NULL;
    json_t *heads;

    for (const struct key *k = of_all; k->suffix && !name; k++)
        if (strcmp(k->suffix, "attention.head_count_kv") == 0)
            name = find_key(b->arch->keys, k->suffix) ? find_key(b->arch->keys, k->suffix)->config : k->config;
    heads = value_of(b, "attention.head_count");
    if (name && heads && !json_object_get(b->config, name))
        return set(b, name, heads);
    if (!name && arch_number(b, "attention.head_count_kv", json_number_value(heads)) != json_number_value(heads)) {
        json_decref(heads);
        return nf_fail(b->err, NF_EFORMAT, "%s: metadata %s.attention.head_count_kv: not implemented where it is not head_count",
                       b->m->path, b->m->arch);
    }
    json_decref(heads);
    return NF_OK;
}

static int set_bos_id(const struct build *b)
{
    int64_t id;

    return set(b, "bos_token_id",
               nf_gguf_int(nf_gguf_find(&b->m->part[0], "tokenizer.ggml.bos_token_id"), &id) ? json_integer(id) : json_null());
}

/* Blocks of version 1 lay otherwise. */
static int check_version(const struct build *b)
{
    int64_t version;

    if (nf_gguf_int(nf_gguf_find(&b->m->part[0], "general.quantization_version"), &version) && version != 2)
        return nf_fail(b->err, NF_EFORMAT, "%s: metadata general.quantization_version: %lld is not implemented, only 2 is",
                       b->m->path, (long long)version);
    return NF_OK;
}

/* ---- rotary positions ---- */

static double head_width(const struct build *b)
{
    return arch_number(b, "attention.key_length",
                       floor(arch_number(b, "embedding_length", 0) / arch_number(b, "attention.head_count", 1)));
}

/* The share of a head that turns; K times it, cut to a whole number, is rope.dimension_count again. */
static double rotary_share(const struct build *b)
{
    double K = head_width(b), R = arch_number(b, "rope.dimension_count", K), share = R / K;

    return floor(K * share) == R ? share : nextafter(share, 2);
}

static int set_config_real(const struct build *b, const char *key, double x)
{
    return set(b, key, json_real(x));
}

static const char *const rope_numbers[][2] = {
    { "rope.scaling.factor", "factor" },
    { "rope.scaling.original_context_length", "original_max_position_embeddings" },
    { "rope.scaling.yarn_attn_factor", "attention_factor" },
    { "rope.scaling.yarn_beta_fast", "beta_fast" },
    { "rope.scaling.yarn_beta_slow", "beta_slow" },
};

/* rope_scaling of this type, with the numbers that the file has. */
static json_t *rope_of_type(const struct build *b, const char *type)
{
    json_t *rope = json_pack("{s:s}", "rope_type", type);

    for (size_t i = 0; i < sizeof rope_numbers / sizeof *rope_numbers; i++) {
        json_t *v = value_of(b, rope_numbers[i][0]);

        if (v)
            json_object_set_new(rope, rope_numbers[i][1], v);
    }
    return rope;
}

/* ---- the factors of rope_freqs.weight: what converters make of rope_type llama3 ---- */

struct llama3 {
    double factor, low, high, original;
};

/* What frequency i of R / 2 is divided by.  The formula of rope.h for LLAMA3. */
static double llama3_divisor(const struct llama3 *p, double theta, double R, size_t i)
{
    double turns = p->original * pow(theta, -2 * (double)i / R) / (2 * M_PI), s = (turns - p->low) / (p->high - p->low);

    if (turns > p->high)
        return 1;
    return turns < p->low ? p->factor : 1 / ((1 - s) / p->factor + s);
}

/* Factors are float32, made of float32 frequencies: 1e-5 is far above their rounding and far below the effect of any other parameter. */
static bool is_llama3(const struct llama3 *p, double theta, const struct nf_tf_entry *e)
{
    size_t n = e->t.shape[0];

    for (size_t i = 0; i < n; i++) {
        double d = llama3_divisor(p, theta, 2 * (double)n, i), f = (double)nf_f4_at(e->t.data, i);

        if (!(fabs(f - d) <= 1e-5 * d))
            return false;
    }
    return true;
}

/* The window of the pretraining, from factor i, which is neither 1 nor the largest: the formula solved for it. */
static double original_of(const struct llama3 *p, double theta, double R, size_t i, double f)
{
    double s = (1 / f - 1 / p->factor) / (1 - 1 / p->factor);

    return round((p->low + s * (p->high - p->low)) * 2 * M_PI * pow(theta, 2 * (double)i / R));
}

/*
 * The parameters that give these factors.  low and high are 1 and 4, as in all models that have llama3.  Where no factor lies between 1 and the
 * largest, any window that has all frequencies on the right side gives the same positions.
 */
static bool find_llama3(const struct build *b, const struct nf_tf_entry *e, struct llama3 *p)
{
    double theta = arch_number(b, "rope.freq_base", 10000);
    size_t n = e->t.shape[0];

    *p = (struct llama3){ (double)nf_f4_at(e->t.data, n - 1), 1, 4, 0 };
    for (size_t i = 0; i < n && p->factor > 1; i++) {
        double f = (double)nf_f4_at(e->t.data, i);

        p->original = original_of(p, theta, 2 * (double)n, i, f);
        if (f > 1.001 && f < 0.999 * p->factor)
            return p->original >= 1 && p->original <= 1 << 24 && is_llama3(p, theta, e);
    }
    for (p->original = 16; p->original <= 1 << 24; p->original *= 2)
        if (is_llama3(p, theta, e))
            return true;
    return false;
}

static int read_rope_freqs(const struct build *b, const struct nf_tf_entry *e)
{
    struct llama3 p;

    if (e->t.dtype != NF_F32 || e->t.ndim != 1 || (double)e->t.shape[0] != floor(rotary_share(b) * head_width(b) / 2) ||
        !e->t.shape[0])
        return nf_fail(b->err, NF_EFORMAT, "%s: tensor %s: a float32 factor for each rotary frequency is expected", b->m->path,
                       e->name);
    if (!find_llama3(b, e, &p))
        return nf_fail(b->err, NF_EFORMAT, "%s: tensor %s: these are not the factors of a known rope_type", b->m->path, e->name);
    if (p.factor == 1)
        return NF_OK;
    return set(b, "rope_scaling",
               json_pack("{s:s, s:f, s:f, s:f, s:I}", "rope_type", "llama3", "factor", p.factor, "low_freq_factor", p.low,
                         "high_freq_factor", p.high, "original_max_position_embeddings", (json_int_t)p.original));
}

/* ---- the factors of longrope ---- */

static json_t *factors_of(const struct nf_tf_entry *e)
{
    json_t *list = json_array();

    for (size_t i = 0; i < e->t.shape[0]; i++)
        json_array_append_new(list, json_real(nf_shortest_decimal(nf_f4_at(e->t.data, i))));
    return list;
}

static bool is_vector(const struct nf_tf_entry *e)
{
    return e && e->t.dtype == NF_F32 && e->t.ndim == 1;
}

static int read_longrope(const struct build *b)
{
    const struct nf_tf_entry *wide = nf_gguf_model_tensor(b->m, "rope_factors_long.weight"),
                             *near = nf_gguf_model_tensor(b->m, "rope_factors_short.weight");
    json_t *rope;

    if (!is_vector(wide) || !is_vector(near))
        return nf_fail(b->err, NF_EFORMAT,
                       "%s: tensors rope_factors_long.weight and rope_factors_short.weight: float32 vectors are expected",
                       b->m->path);
    rope = json_pack("{s:s, s:o, s:o}", "rope_type", "longrope", "long_factor", factors_of(wide), "short_factor", factors_of(near));
    return set(b, "rope_scaling", rope);
}

static int read_scaling(const struct build *b)
{
    const struct nf_tf_entry *freqs = nf_gguf_model_tensor(b->m, "rope_freqs.weight");
    double linear = arch_number(b, "rope.scale_linear", 1);
    json_t *v = value_of(b, "rope.scaling.type");
    const char *type = v ? json_string_value(v) : "none";
    int rc = NF_OK;

    if (freqs)
        rc = read_rope_freqs(b, freqs);
    else if (has_tensor(b, "rope_factors_long.weight"))
        rc = read_longrope(b);
    else if (linear != 1) /* before there was rope.scaling.type */
        rc = set(b, "rope_scaling", json_pack("{s:s, s:f}", "rope_type", "linear", "factor", linear));
    else if (type && (strcmp(type, "linear") == 0 || strcmp(type, "yarn") == 0))
        rc = set(b, "rope_scaling", rope_of_type(b, type));
    else if (!type || strcmp(type, "none") != 0)
        rc = refuse_key(b, "rope.scaling.type", v, "not implemented");
    json_decref(v);
    return rc;
}

/* Rotary positions of the whole head. */
static int finish_plain(const struct build *b)
{
    if (rotary_share(b) != 1)
        return nf_fail(b->err, NF_EFORMAT, "%s: metadata %s.rope.dimension_count: %g of %g coordinates of a head: not implemented",
                       b->m->path, b->m->arch, arch_number(b, "rope.dimension_count", 0), head_width(b));
    return set_config_real(b, "rope_theta", arch_number(b, "rope.freq_base", 10000)) < 0 ? NF_ESYS : read_scaling(b);
}

static int finish_partial(const struct build *b)
{
    if (set_config_real(b, "rope_theta", arch_number(b, "rope.freq_base", 10000)) < 0 ||
        set_config_real(b, "partial_rotary_factor", rotary_share(b)) < 0)
        return NF_ESYS;
    return read_scaling(b);
}

/* ---- single architectures ---- */

static int finish_gpt2(const struct build *b)
{
    (void)b;
    return NF_OK;
}

static int finish_gptneox(const struct build *b)
{
    if (set_config_real(b, "rotary_emb_base", arch_number(b, "rope.freq_base", 10000)) < 0 ||
        set_config_real(b, "rotary_pct", rotary_share(b)) < 0)
        return NF_ESYS;
    return read_scaling(b);
}

static int finish_bloom(const struct build *b)
{
    double F = arch_number(b, "feed_forward_length", 0), D = arch_number(b, "embedding_length", 0);

    return F == 4 * D ? NF_OK
                      : nf_fail(b->err, NF_EFORMAT, "%s: metadata bloom.feed_forward_length: %g is not implemented, only 4 * %g is",
                                b->m->path, F, D);
}

/* Two norms before the block: the layout of Falcon 40B and 180B. */
static int finish_falcon(const struct build *b)
{
    bool two = has_tensor(b, "blk.0.attn_norm_2.weight");
    int rc = set(b, "new_decoder_architecture", json_boolean(two));

    if (rc == NF_OK)
        rc = set(b, "multi_query", json_boolean(!two && arch_number(b, "attention.head_count_kv", 0) == 1));
    return rc == NF_OK ? finish_plain(b) : rc;
}

/* One architecture for Llama and Mixtral. */
static int finish_llama_arch(const struct build *b)
{
    if (arch_number(b, "expert_count", 0) > 0) {
        if (set(b, "model_type", json_string("mixtral")) < 0)
            return NF_ESYS;
    } else {
        json_object_del(b->config, "num_local_experts");
        json_object_del(b->config, "num_experts_per_tok");
    }
    return finish_plain(b);
}

static int finish_qwen3moe(const struct build *b)
{
    return set(b, "norm_topk_prob", json_true()) < 0 ? NF_ESYS : finish_plain(b);
}

/* Scores are divided by the root of this: of D / H in the largest model, which only its number of layers gives away, else of K. */
static int set_score_scalar(const struct build *b, double layers_of_largest)
{
    double D = arch_number(b, "embedding_length", 0), H = arch_number(b, "attention.head_count", 1);
    bool largest = arch_number(b, "block_count", 0) == layers_of_largest;

    return set(b, "query_pre_attn_scalar", json_integer((json_int_t)(largest ? floor(D / H) : head_width(b))));
}

/*
 * layer_types: a window in all but every period-th layer, unless sliding_window_pattern gives another period, or a bool for each layer.
 */
static int set_layer_types(const struct build *b, size_t period)
{
    json_t *pattern = value_of(b, "attention.sliding_window_pattern"), *types = json_array();
    size_t layers = (size_t)arch_number(b, "block_count", 0);
    int rc = NF_OK;

    if (json_is_integer(pattern) && json_integer_value(pattern) > 0)
        period = (size_t)json_integer_value(pattern);
    else if (pattern && json_array_size(pattern) != layers)
        rc = refuse_key(b, "attention.sliding_window_pattern", pattern, "a period, or a bool for each layer is expected");
    for (size_t i = 0; i < layers && i < NF_LAYERS_MAX; i++) {
        bool window = json_is_array(pattern) ? json_is_true(json_array_get(pattern, i)) : (i + 1) % period != 0;

        json_array_append_new(types, json_string(window ? "sliding_attention" : "full_attention"));
    }
    json_decref(pattern);
    if (rc == NF_OK)
        return set(b, "layer_types", types);
    json_decref(types);
    return rc;
}

static int finish_gemma2(const struct build *b)
{
    if (!json_object_get(b->config, "sliding_window") && set(b, "sliding_window", json_integer(4096)) < 0)
        return NF_ESYS;
    return set_score_scalar(b, 46) < 0 || set_layer_types(b, 2) < 0 ? (int)b->err->code : finish_plain(b);
}

static int finish_gemma3(const struct build *b)
{
    if (!json_object_get(b->config, "rope_local_base_freq") && set_config_real(b, "rope_local_base_freq", 10000) < 0)
        return NF_ESYS;
    return set_score_scalar(b, 62) < 0 || set_layer_types(b, 6) < 0 ? (int)b->err->code : finish_plain(b);
}

/* With a window it is OLMo 3. */
static int finish_olmo2(const struct build *b)
{
    double window = arch_number(b, "attention.sliding_window", 0);

    if (window > 0 && (set(b, "model_type", json_string("olmo3")) < 0 ||
                       set(b, "sliding_window", json_integer((json_int_t)window)) < 0 || set_layer_types(b, 4) < 0))
        return (int)b->err->code;
    return finish_plain(b);
}

/* No window is written as 0. */
static int finish_phi3(const struct build *b)
{
    double window = arch_number(b, "attention.sliding_window", 0),
           original = arch_number(b, "rope.scaling.original_context_length", 0);
    int rc = set(b, "sliding_window", window > 0 ? json_integer((json_int_t)window) : json_null());

    if (rc == NF_OK && original > 0)
        rc = set(b, "original_max_position_embeddings", json_integer((json_int_t)original));
    return rc == NF_OK ? finish_partial(b) : rc;
}

/* yarn whose bounds are not cut to whole numbers. */
static int finish_gpt_oss(const struct build *b)
{
    int rc = finish_plain(b);
    json_t *rope = json_object_get(b->config, "rope_scaling");

    if (rc == NF_OK && rope && json_object_set_new(rope, "truncate", json_false()) < 0)
        rc = nf_fail(b->err, NF_ESYS, "%s: out of memory", b->m->path);
    return rc;
}

/* ---- all of it ---- */

static int fill(const struct build *b)
{
    int rc = check_needed(b);

    if (rc == NF_OK)
        rc = check_version(b);
    if (rc == NF_OK)
        rc = set(b, "model_type", json_string(b->arch->model_type));
    if (rc == NF_OK)
        rc = take_keys(b);
    if (rc == NF_OK)
        rc = read_heads(b);
    if (rc == NF_OK)
        rc = set_bos_id(b);
    if (rc == NF_OK)
        rc = set_from_tensors(b);
    return rc == NF_OK ? b->arch->finish(b) : rc;
}

static int refuse_arch(const struct nf_gguf_model *m, struct nf_err *err)
{
    char known[300] = "";
    size_t n = 0;

    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", archs[i].name);
    return nf_fail(err, NF_EFORMAT, "%s: metadata general.architecture: %s is not implemented, only %s are", m->path, m->arch,
                   known);
}

json_t *nf_gguf_config(const struct nf_gguf_model *m, struct nf_err *err)
{
    struct build b = { m, find_arch(m->arch), json_object(), err };
    int rc = b.arch ? fill(&b) : refuse_arch(m, err);

    if (rc == NF_OK && nf_json_starved())
        rc = nf_fail(err, NF_ESYS, "%s: out of memory", m->path);
    if (rc == NF_OK)
        return b.config;
    json_decref(b.config);
    return NULL;
}

/* What is read otherwise than it is stored. */
static void note_undone(const struct nf_gguf_model *m, const json_t *config, struct nf_config *cfg)
{
    const json_t *rope = json_object_get(config, "rope_scaling");
    const char *type = json_string_value(json_object_get(rope, "rope_type"));
    size_t n = strlen(cfg->taken), size = sizeof cfg->taken;

    if (find_arch(m->arch)->paired && n < size)
        n += (size_t)snprintf(cfg->taken + n, size - n, "%srows of queries and keys lie in pairs: put back", n ? "; " : "");
    if (cfg->norm_plus_one && n < size)
        n += (size_t)snprintf(cfg->taken + n, size - n, "%snorms hold 1 + w", n ? "; " : "");
    if (nf_gguf_model_tensor(m, "rope_freqs.weight") && type && n < size)
        snprintf(cfg->taken + n, size - n, "%srope_freqs.weight is rope_type %s, factor %g, original_max_position_embeddings %g",
                 n ? "; " : "", type, json_number_value(json_object_get(rope, "factor")),
                 json_number_value(json_object_get(rope, "original_max_position_embeddings")));
}

int nf_gguf_config_read(const char *path, struct nf_config *cfg, struct nf_err *err)
{
    struct nf_gguf_model m;
    json_t *config;
    char *text;
    int rc;

    memset(cfg, 0, sizeof *cfg);
    rc = nf_gguf_model_open(path, &m, err);
    if (rc < 0)
        return rc;
    config = nf_gguf_config(&m, err);
    text = config ? json_dumps(config, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    nf_gguf_model_name(m.path, cfg->name, sizeof cfg->name);
    if (text)
        rc = nf_config_parse(text, strlen(text), m.path, cfg, err);
    else
        rc = config ? nf_fail(err, NF_ESYS, "%s: out of memory", path) : (int)err->code;
    if (rc == NF_OK)
        note_undone(&m, config, cfg);
    cfg->norm_plus_one = false;
    free(text);
    json_decref(config);
    nf_gguf_model_close(&m);
    return rc;
}
