/*
 * make_checkpoint.c - an OPT checkpoint of the wanted size with random weights, for measuring speed.
 *
 *   make_checkpoint DIR LAYERS WIDTH FFN HEADS VOCABULARY POSITIONS
 *
 * Writes DIR/config.json and DIR/model.safetensors (F32).  Normal(0, 0.02) as OPT's init_std; LayerNorm gains 1, biases 0.  Seeded: the same
 * bytes every time.  About half of the FFN units of such a model fire on every token, the worst case for what counts firings.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prog.h"
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

static void add_linear(const char *prefix, const char *name, size_t out, size_t in)
{
    char s[96];

    snprintf(s, sizeof s, "%s%s.weight", prefix, name);
    add(s, out, in, NAN);
    snprintf(s, sizeof s, "%s%s.bias", prefix, name);
    add(s, out, 0, NAN);
}

static void add_norm(const char *prefix, const char *name, size_t width)
{
    char s[96];

    snprintf(s, sizeof s, "%s%s.weight", prefix, name);
    add(s, width, 0, 1);
    snprintf(s, sizeof s, "%s%s.bias", prefix, name);
    add(s, width, 0, 0);
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

int main(int argc, char **argv)
{
    size_t size[6];
    FILE *f;

    nf_prog_start("make_checkpoint", argv);
    if (argc != 8)
        nf_die(NF_EXIT_USAGE, "usage: make_checkpoint DIR LAYERS WIDTH FFN HEADS VOCABULARY POSITIONS");
    for (int i = 0; i < 6; i++)
        size[i] = (size_t)strtoull(argv[i + 2], NULL, 10);

    f = create(argv[1], "config.json");
    fprintf(f,
            "{\"architectures\": [\"OPTForCausalLM\"], \"model_type\": \"opt\", \"activation_function\": \"relu\", "
            "\"bos_token_id\": 2,\n"
            " \"eos_token_id\": 2, \"pad_token_id\": 1, \"do_layer_norm_before\": true, \"_remove_final_layer_norm\": false,\n"
            " \"enable_bias\": true, \"layer_norm_elementwise_affine\": true, \"tie_word_embeddings\": true,\n"
            " \"num_hidden_layers\": %zu, \"hidden_size\": %zu, \"word_embed_proj_dim\": %zu, \"ffn_dim\": %zu,\n"
            " \"num_attention_heads\": %zu, \"vocab_size\": %zu, \"max_position_embeddings\": %zu}\n",
            size[0], size[1], size[1], size[2], size[3], size[4], size[5]);
    if (fclose(f) != 0)
        nf_die(NF_EXIT_SYS, "config.json cannot be written");

    add("model.decoder.embed_tokens.weight", size[4], size[1], NAN);
    add("model.decoder.embed_positions.weight", size[5] + 2, size[1], NAN);
    add_norm("model.decoder.", "final_layer_norm", size[1]);
    for (size_t l = 0; l < size[0]; l++) {
        static const char *const attention[] = { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj" };
        char prefix[48];

        snprintf(prefix, sizeof prefix, "model.decoder.layers.%zu.", l);
        for (int i = 0; i < 4; i++)
            add_linear(prefix, attention[i], size[1], size[1]);
        add_norm(prefix, "self_attn_layer_norm", size[1]);
        add_linear(prefix, "fc1", size[2], size[1]);
        add_linear(prefix, "fc2", size[1], size[2]);
        add_norm(prefix, "final_layer_norm", size[1]);
    }
    f = create(argv[1], "model.safetensors");
    write_tensors(f);
    if (ferror(f) | (fclose(f) != 0))
        nf_die(NF_EXIT_SYS, "model.safetensors cannot be written");
    return NF_EXIT_OK;
}
