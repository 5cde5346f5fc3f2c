/*
 * make_checkpoint.c - a checkpoint of the wanted family and size with random weights, for measuring speed.
 *
 *   make_checkpoint opt|gpt2|llama DIR LAYERS WIDTH FFN HEADS VOCABULARY POSITIONS
 *
 * Writes DIR/config.json and DIR/model.safetensors (F32).  Normal(0, 0.02) as OPT's init_std; gains of norms 1, biases of norms 0.  Seeded: the
 * same bytes every time.  About half of the FFN units of such a model fire on every token, the worst case for what counts firings.
 * llama: a quarter as many heads of keys and values, at least one.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prog.h"
#include "die.h"
#include "base/rng.h"

enum { MAX_TENSORS = 16 * 128 };

struct spec {
    char name[96];
    size_t rows, cols;   /* cols 0: a vector */
    double constant;     /* NAN: random */
};

static struct spec spec[MAX_TENSORS];
static size_t n_specs;

static void add(const char *name, size_t rows, size_t cols, double constant)
{
    if (n_specs == MAX_TENSORS)
        nf_die(NF_EXIT_USAGE, "too many layers");
    snprintf(spec[n_specs].name, sizeof spec->name, "%s", name);
    spec[n_specs].rows = rows;
    spec[n_specs].cols = cols;
    spec[n_specs++].constant = constant;
}

static void add_named(const char *prefix, const char *name, const char *end, size_t rows, size_t cols, double constant)
{
    char s[96];

    snprintf(s, sizeof s, "%s%s.%s", prefix, name, end);
    add(s, rows, cols, constant);
}

/* y = W x + b, W stored [rows, cols]. */
static void add_linear(const char *prefix, const char *name, size_t rows, size_t cols, size_t out)
{
    add_named(prefix, name, "weight", rows, cols, NAN);
    add_named(prefix, name, "bias", out, 0, NAN);
}

static void add_norm(const char *prefix, const char *name, size_t width)
{
    add_named(prefix, name, "weight", width, 0, 1);
    add_named(prefix, name, "bias", width, 0, 0);
}

static size_t elements(const struct spec *s)
{
    return s->rows * (s->cols ? s->cols : 1);
}

/* Box and Muller, one of the two. */
static float normal(struct nf_rng *r)
{
    double u = 1 - nf_rng_unit(r), v = nf_rng_unit(r);

    return (float)(0.02 * sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
}

static void write_tensors(FILE *f)
{
    struct nf_rng r = { 1 };
    static char header[256 * MAX_TENSORS];
    size_t at = 0, n = 0;
    uint64_t length;

    n += (size_t)snprintf(header + n, sizeof header - n, "{");
    for (size_t i = 0; i < n_specs; i++) {
        char shape[64];

        if (spec[i].cols)
            snprintf(shape, sizeof shape, "%zu,%zu", spec[i].rows, spec[i].cols);
        else
            snprintf(shape, sizeof shape, "%zu", spec[i].rows);
        n += (size_t)snprintf(header + n, sizeof header - n,
                              "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", i ? "," : "", spec[i].name,
                              shape, at, at + 4 * elements(&spec[i]));
        at += 4 * elements(&spec[i]);
    }
    n += (size_t)snprintf(header + n, sizeof header - n, "}");
    while (n % 8)
        header[n++] = ' ';
    length = n;
    fwrite(&length, sizeof length, 1, f);
    fwrite(header, 1, n, f);
    for (size_t i = 0; i < n_specs; i++)
        for (size_t k = 0; k < elements(&spec[i]); k++) {
            float x = isnan(spec[i].constant) ? normal(&r) : (float)spec[i].constant;

            fwrite(&x, sizeof x, 1, f);
        }
}

static FILE *create(const char *dir, const char *name)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "wb");
    if (!f)
        nf_die(NF_EXIT_SYS, "%s cannot be written", path);
    return f;
}

struct sizes {
    size_t L, D, F, H, V, P;
};

static void opt(const struct sizes *n, FILE *config)
{
    static const char *const attention[] = { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj" };
    char prefix[48];

    fprintf(config,
            "{\"model_type\": \"opt\", \"num_hidden_layers\": %zu, \"hidden_size\": %zu, \"ffn_dim\": %zu, "
            "\"num_attention_heads\": %zu,\n"
            " \"vocab_size\": %zu, \"max_position_embeddings\": %zu}\n",
            n->L, n->D, n->F, n->H, n->V, n->P);
    add("model.decoder.embed_tokens.weight", n->V, n->D, NAN);
    add("model.decoder.embed_positions.weight", n->P + 2, n->D, NAN);
    add_norm("model.decoder.", "final_layer_norm", n->D);
    for (size_t l = 0; l < n->L; l++) {
        snprintf(prefix, sizeof prefix, "model.decoder.layers.%zu.", l);
        for (int i = 0; i < 4; i++)
            add_linear(prefix, attention[i], n->D, n->D, n->D);
        add_norm(prefix, "self_attn_layer_norm", n->D);
        add_linear(prefix, "fc1", n->F, n->D, n->F);
        add_linear(prefix, "fc2", n->D, n->F, n->D);
        add_norm(prefix, "final_layer_norm", n->D);
    }
}

static void gpt2(const struct sizes *n, FILE *config)
{
    char prefix[48];

    fprintf(
        config,
        "{\"model_type\": \"gpt2\", \"n_layer\": %zu, \"n_embd\": %zu, \"n_inner\": %zu, \"n_head\": %zu, \"vocab_size\": %zu,\n"
        " \"n_positions\": %zu, \"bos_token_id\": 2}\n",
        n->L, n->D, n->F, n->H, n->V, n->P);
    add("wte.weight", n->V, n->D, NAN);
    add("wpe.weight", n->P, n->D, NAN);
    add_norm("", "ln_f", n->D);
    for (size_t l = 0; l < n->L; l++) {
        snprintf(prefix, sizeof prefix, "h.%zu.", l);
        add_norm(prefix, "ln_1", n->D);
        add_linear(prefix, "attn.c_attn", n->D, 3 * n->D, 3 * n->D);
        add_linear(prefix, "attn.c_proj", n->D, n->D, n->D);
        add_norm(prefix, "ln_2", n->D);
        add_linear(prefix, "mlp.c_fc", n->D, n->F, n->F);
        add_linear(prefix, "mlp.c_proj", n->F, n->D, n->D);
    }
}

static void llama(const struct sizes *n, FILE *config)
{
    size_t kv = n->H >= 4 ? n->H / 4 : 1, G = n->D / n->H * kv;
    char prefix[48];

    fprintf(config,
            "{\"model_type\": \"llama\", \"num_hidden_layers\": %zu, \"hidden_size\": %zu, \"intermediate_size\": %zu,\n"
            " \"num_attention_heads\": %zu, \"num_key_value_heads\": %zu, \"vocab_size\": %zu, \"max_position_embeddings\": %zu,\n"
            " \"tie_word_embeddings\": true, \"bos_token_id\": 2}\n",
            n->L, n->D, n->F, n->H, kv, n->V, n->P);
    add("model.embed_tokens.weight", n->V, n->D, NAN);
    add("model.norm.weight", n->D, 0, 1);
    for (size_t l = 0; l < n->L; l++) {
        snprintf(prefix, sizeof prefix, "model.layers.%zu.", l);
        add_named(prefix, "input_layernorm", "weight", n->D, 0, 1);
        add_named(prefix, "self_attn.q_proj", "weight", n->D, n->D, NAN);
        add_named(prefix, "self_attn.k_proj", "weight", G, n->D, NAN);
        add_named(prefix, "self_attn.v_proj", "weight", G, n->D, NAN);
        add_named(prefix, "self_attn.o_proj", "weight", n->D, n->D, NAN);
        add_named(prefix, "post_attention_layernorm", "weight", n->D, 0, 1);
        add_named(prefix, "mlp.gate_proj", "weight", n->F, n->D, NAN);
        add_named(prefix, "mlp.up_proj", "weight", n->F, n->D, NAN);
        add_named(prefix, "mlp.down_proj", "weight", n->D, n->F, NAN);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*make)(const struct sizes *n, FILE *config);
    } families[] = { { "opt", opt }, { "gpt2", gpt2 }, { "llama", llama } };
    struct sizes n;
    size_t *size[] = { &n.L, &n.D, &n.F, &n.H, &n.V, &n.P }, k = 0;
    FILE *f;

    nf_prog_start("make_checkpoint", argv);
    while (argc == 9 && k < 3 && strcmp(families[k].name, argv[1]) != 0)
        k++;
    if (argc != 9 || k == 3)
        nf_die(NF_EXIT_USAGE, "usage: make_checkpoint opt|gpt2|llama DIR LAYERS WIDTH FFN HEADS VOCABULARY POSITIONS");
    for (int i = 0; i < 6; i++)
        *size[i] = (size_t)strtoull(argv[i + 3], NULL, 10);
    f = create(argv[2], "config.json");
    families[k].make(&n, f);
    if (fclose(f) != 0)
        nf_die(NF_EXIT_SYS, "config.json cannot be written");
    f = create(argv[2], "model.safetensors");
    write_tensors(f);
    if (ferror(f) | (fclose(f) != 0))
        nf_die(NF_EXIT_SYS, "model.safetensors cannot be written");
    return NF_EXIT_OK;
}
