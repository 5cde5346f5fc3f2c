/* test_config_keys.c - lib/checkpoint/config: keys by their role: passed over, refused, said twice; numbers as Python reads them. */
#include "check.h"

#include <stdlib.h>

#include "checkpoint/config.h"

static struct nf_err err;
static struct nf_config cfg;

static int parse(const char *text)
{
    int rc;

    err = (struct nf_err)NF_ERR_INIT;
    cfg = (struct nf_config){ 0 };
    rc = nf_config_parse(text, strlen(text), "config.json", &cfg, &err);
    if (rc < 0)
        printf("# %s\n", err.text);
    return rc;
}

static bool refused(const char *text, const char *a, const char *b)
{
    return parse(text) == NF_EFORMAT && strstr(err.text, a) && strstr(err.text, b);
}

#define OF(family, more) "{\"model_type\": \"" family "\", " more "}"
#define LLAMA(more) OF("llama", more)

static void keys_that_play_no_part_are_listed(void)
{
    CHECK(parse(LLAMA("\"unsloth_fixed\": true, \"rope_interleaved\": false, \"transformers.js_config\": {\"dtype\": \"q4\"}")) ==
          NF_OK);
    CHECK(strstr(cfg.passed, "unsloth_fixed") && strstr(cfg.passed, "rope_interleaved") &&
          strstr(cfg.passed, "transformers.js_config") && !*cfg.taken);
    /* what every file has is not worth a word */
    CHECK(parse(LLAMA("\"torch_dtype\": \"float16\", \"attention_dropout\": 0.1, \"use_cache\": true, \"_name_or_path\": \"x\"")) ==
          NF_OK);
    CHECK(!*cfg.passed && !*cfg.taken);
    CHECK(parse(LLAMA("\"logit_scale\": null, \"quantization_config\": null, \"auto_map\": {}, \"x\\u0007y\": 1")) == NF_OK);
    CHECK(strstr(cfg.passed, "x") && !strchr(cfg.passed, 7));
}

static void a_list_that_is_too_long_is_cut(void)
{
    static char text[9000] = "{\"model_type\": \"llama\"";

    for (int i = 0; i < 200; i++)
        sprintf(text + strlen(text), ", \"a_key_of_nobody_%d\": %d", i, i);
    strcat(text, "}");
    CHECK(parse(text) == NF_OK);
    CHECK(strlen(cfg.passed) > 400 && strlen(cfg.passed) < sizeof cfg.passed &&
          strcmp(cfg.passed + strlen(cfg.passed) - 4, ", ..") == 0);
}

/* configuration_utils, masking_utils, cache_utils, modeling_utils of transformers 5; pruning and cross-attention of 4. */
static const char *const of_shared_code[][2] = {
    { "is_causal", "false" },      { "attention_chunk_size", "8" },           { "kv_sharing_modes", "[1]" },
    { "per_layer_config", "{}" },  { "transformers_weights", "\"x\"" },       { "fusion_config", "{\"a\":1}" },
    { "sliding_window", "64" },    { "layer_types", "[\"full_attention\"]" }, { "add_cross_attention", "true" },
    { "is_encoder_decoder", "1" }, { "tie_encoder_decoder", "true" },         { "pruned_heads", "{\"1\":[2]}" },
    { "head_dim", "24" },
};
enum { N_SHARED = sizeof of_shared_code / sizeof *of_shared_code };

static void keys_that_shared_code_reads_are_refused(void)
{
    char text[200];

    for (size_t i = 0; i < N_SHARED; i++) {
        snprintf(text, sizeof text, "{\"model_type\": \"gpt_neox\", \"%s\": %s}", of_shared_code[i][0], of_shared_code[i][1]);
        CHECK(refused(text, of_shared_code[i][0], of_shared_code[i][1]));
    }
    CHECK(parse(OF("gpt_neox",
                   "\"is_causal\": true, \"sliding_window\": null, \"num_hidden_layers\": 2, \"head_dim\": 96, "
                   "\"is_decoder\": true, \"layer_types\": [\"full_attention\", \"attention\"], \"pruned_heads\": {}")) == NF_OK);
    CHECK(!*cfg.passed && cfg.K == 96);
    /* GPT-Neo has windows, but by attention_types */
    CHECK(refused(OF("gpt_neo", "\"num_layers\": 2, \"attention_types\": [[[\"global\", \"local\"], 1]], \"layer_types\": "
                                "[\"sliding_attention\", \"sliding_attention\"]"),
                  "layer_types", "sliding_attention"));
    CHECK(parse(OF("gpt_neo", "\"num_layers\": 2, \"attention_types\": [[[\"global\", \"local\"], 1]], \"layer_types\": "
                              "[\"full_attention\", \"full_attention\"]")) == NF_OK);
    CHECK(nf_config_window(&cfg, 0) == SIZE_MAX && nf_config_window(&cfg, 1) == 256);
}

static void head_dim_is_taken_where_it_is_what_the_width_gives(void)
{
    CHECK(parse(OF("qwen2", "\"hidden_size\": 896, \"num_attention_heads\": 14, \"num_key_value_heads\": 2, \"head_dim\": 64")) ==
          NF_OK);
    CHECK(cfg.K == 64);
    CHECK(refused(OF("qwen2", "\"hidden_size\": 896, \"num_attention_heads\": 14, \"num_key_value_heads\": 2, \"head_dim\": 32"),
                  "head_dim: 32", "64"));
    CHECK(refused(OF("phi", "\"head_dim\": 32"), "head_dim: 32", "64"));
    CHECK(parse(LLAMA("\"head_dim\": 32")) == NF_OK && cfg.K == 32);
}

static void all_refusals_are_in_one_message(void)
{
    static const char text[] =
        LLAMA("\"is_causal\": false, \"attention_chunk_size\": 8, \"hidden_act\": \"tanh\", \"rope_scaling\": "
              "{\"type\": \"ntk\"}, \"quantization_config\": {\"quant_method\": \"awq\"}");
    static char many[3000] = "{\"model_type\": \"gpt_neox\", \"hidden_size\": 0, \"num_hidden_layers\": -1, \"vocab_size\": 1.5, "
                             "\"intermediate_size\": []";
    static const char *const names[] = { "is_causal: false", "attention_chunk_size: 8", "tanh", "ntk", "quantised (awq)" };

    CHECK(parse(text) == NF_EFORMAT && !strchr(err.text, '\n'));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK(strstr(err.text, names[i]));
    for (size_t i = 0; i < N_SHARED; i++)
        sprintf(many + strlen(many), ", \"%s\": %s", of_shared_code[i][0], of_shared_code[i][1]);
    CHECK(refused(strcat(many, "}"), "is_causal", "; and ") && strlen(err.text) > 700);
}

static void quantised_weights_are_called_that(void)
{
    CHECK(refused(LLAMA("\"quantization_config\": {\"quant_method\": \"bitsandbytes\", \"load_in_4bit\": true}"), "bitsandbytes",
                  "quantised"));
    CHECK(refused(LLAMA("\"quantization\": {\"group_size\": 64, \"bits\": 4}"), "quantization", "quantised"));
    CHECK(refused(LLAMA("\"compression_config\": {\"quant_method\": \"compressed-tensors\"}"), "compressed-tensors", "quantised"));
}

static void beside_code_of_its_own_no_unknown_key_is_passed_over(void)
{
    CHECK(refused(LLAMA("\"auto_map\": {\"AutoModel\": \"m.M\"}, \"max_sequence_length\": 131072"), "max_sequence_length",
                  "auto_map"));
    CHECK(parse(LLAMA("\"auto_map\": {\"AutoModel\": \"m.M\"}, \"use_cache\": true, \"attention_dropout\": 0.1")) == NF_OK);
}

static void the_class_does_not_matter_where_the_type_is_known(void)
{
    CHECK(parse(LLAMA("\"architectures\": [\"LLaMAForCausalLM\"]")) == NF_OK && strcmp(cfg.architecture, "LLaMAForCausalLM") == 0);
    CHECK(parse(OF("opt", "\"architectures\": []")) == NF_OK && strcmp(cfg.architecture, "OPTForCausalLM") == 0);
    CHECK(parse(OF("opt", "\"architectures\": [\"OPTForSequenceClassification\", \"OPTModel\"]")) == NF_OK);
    CHECK(parse(OF("gpt2", "\"architectures\": [\"GPT2DoubleHeadsModel\"]")) == NF_OK);
    CHECK(parse("{\"architectures\": [\"GPT2LMHeadModel\"]}") == NF_OK && strstr(cfg.taken, "model_type is missing"));
    CHECK(strcmp(nf_family_name(cfg.family), "gpt2") == 0);
    CHECK(refused("{\"architectures\": [\"BertModel\"]}", "model_type", "missing"));
}

static void aliases_of_sizes(void)
{
    CHECK(parse(OF("gpt2", "\"hidden_size\": 16, \"num_hidden_layers\": 3, \"num_attention_heads\": 2, "
                           "\"max_position_embeddings\": 9")) == NF_OK);
    CHECK(cfg.D == 16 && cfg.L == 3 && cfg.H == 2 && cfg.max_positions == 9);
    CHECK(parse(OF("gpt2", "\"n_embd\": 24, \"hidden_size\": 24")) == NF_OK && cfg.D == 24);
    CHECK(refused(OF("gpt2", "\"n_embd\": 24, \"hidden_size\": 48"), "hidden_size: 48", "n_embd"));
    CHECK(refused(OF("gpt_neo", "\"num_layers\": 24, \"num_hidden_layers\": 12"), "num_hidden_layers: 12", "num_layers"));
    CHECK(parse(OF("gpt_neo", "\"num_heads\": 8, \"num_attention_heads\": 8")) == NF_OK && cfg.H == 8);
}

/* ACT2CLS of transformers: the names that compute one of ours, in every family. */
static void activations_by_all_their_names(void)
{
    static const struct {
        const char *name;
        enum nf_act act;
    } names[] = {
        { "relu", NF_ACT_RELU },
        { "relu2", NF_ACT_RELU2 },
        { "gelu", NF_ACT_GELU },
        { "gelu_python", NF_ACT_GELU },
        { "gelu_new", NF_ACT_GELU_TANH },
        { "gelu_fast", NF_ACT_GELU_TANH },
        { "gelu_accurate", NF_ACT_GELU_TANH },
        { "gelu_pytorch_tanh", NF_ACT_GELU_TANH },
        { "gelu_python_tanh", NF_ACT_GELU_TANH },
        { "quick_gelu", NF_ACT_QUICK_GELU },
        { "silu", NF_ACT_SILU },
        { "swish", NF_ACT_SILU },
    };
    static const char *const others[] = { "gelu_10", "hardswish", "laplace", "leaky_relu", "linear",       "mish",
                                          "relu6",   "sigmoid",   "tanh",    "prelu",      "sqrtsoftplus", "xielu" };
    static const char *const families[][2] = {
        { "opt", "activation_function" }, { "gpt2", "activation_function" }, { "gpt_neo", "activation_function" },
        { "gpt_neox", "hidden_act" },     { "phi", "hidden_act" },           { "llama", "hidden_act" },
        { "mistral", "hidden_act" },      { "qwen2", "hidden_act" },         { "qwen3", "hidden_act" }
    };
    char text[100];

    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            snprintf(text, sizeof text, "{\"model_type\": \"%s\", \"%s\": \"%s\"}", families[f][0], families[f][1], names[i].name);
            CHECK(parse(text) == NF_OK && cfg.act == names[i].act);
        }
        for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
            snprintf(text, sizeof text, "{\"model_type\": \"%s\", \"%s\": \"%s\"}", families[f][0], families[f][1], others[i]);
            CHECK(refused(text, families[f][1], others[i]));
        }
    }
}

static void numbers_are_read_as_python_reads_them(void)
{
    CHECK(parse(LLAMA(
              "\"seen\": 1000000000000000019884624838656, \"initializer_range\": NaN, \"a\": -Infinity, \"b\": [1e999, NaN]")) ==
          NF_OK);
    CHECK(refused(LLAMA("\"rms_norm_eps\": NaN"), "rms_norm_eps", "NaN"));
    CHECK(refused(LLAMA("\"rope_theta\": Infinity"), "rope_theta", "Infinity"));
    CHECK(refused(LLAMA("\"vocab_size\": 99999999999999999999"), "vocab_size", "from 1 to"));
    CHECK(parse(LLAMA("\"a\": \"NaN, Infinity \\\" 99999999999999999999\", \"b\": NaN")) == NF_OK);
    CHECK(refused(LLAMA("\"a\": nan"), "config.json", "line 1"));
}

static void a_token_id_of_no_use_is_none(void)
{
    CHECK(parse(LLAMA("\"bos_token_id\": -1, \"pad_token_id\": -1")) == NF_OK && cfg.bos_id == -1);
    CHECK(parse(LLAMA("\"bos_token_id\": [1, 2]")) == NF_OK && cfg.bos_id == -1);
    CHECK(parse(LLAMA("\"bos_token_id\": 5")) == NF_OK && cfg.bos_id == 5);
}

/* ---- rotary positions ---- */

/* configuration_utils: what stands in the object goes before what stands beside it, and rope_scaling before rope_parameters. */
static void of_two_bases_the_one_in_the_object_counts(void)
{
    CHECK(parse(LLAMA("\"rope_theta\": 7, \"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500}")) == NF_OK);
    CHECK(cfg.rope.theta == 500 && strstr(cfg.taken, "rope_theta 500") && strstr(cfg.taken, "7 beside"));
    CHECK(parse(LLAMA("\"rope_theta\": 7, \"rope_parameters\": {\"rope_type\": \"default\"}")) == NF_OK && cfg.rope.theta == 7 &&
          !*cfg.taken);
    CHECK(parse(LLAMA("\"rope_theta\": 500, \"rope_parameters\": {\"rope_theta\": 500}")) == NF_OK && !*cfg.taken);
    CHECK(parse(LLAMA(
              "\"rope_parameters\": {\"rope_theta\": 500, \"rope_type\": \"default\"}, \"rope_scaling\": {\"type\": \"linear\", "
              "\"factor\": 2}")) == NF_OK);
    CHECK(cfg.rope.kind == NF_ROPE_LINEAR && cfg.rope.theta == 10000 && strstr(cfg.taken, "rope_scaling counts"));
    CHECK(parse(LLAMA("\"rope_parameters\": {\"rope_theta\": 500}, \"rope_scaling\": {}")) == NF_OK && cfg.rope.theta == 500 &&
          !*cfg.taken);
}

/* LlamaRotaryEmbedding.compute_default_rope_parameters reads no share; the other types do, and then the shapes do not fit. */
static void a_share_that_turns_where_heads_turn_whole(void)
{
    static const char *const families[] = { "llama", "mistral", "qwen2", "qwen3" };
    char text[200];

    for (size_t i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "{\"model_type\": \"%s\", \"rope_parameters\": {\"partial_rotary_factor\": 0.5}}", families[i]);
        CHECK(parse(text) == NF_OK && cfg.rope.R == cfg.K && strstr(cfg.taken, "partial_rotary_factor 0.5"));
        snprintf(text, sizeof text, "{\"model_type\": \"%s\", \"partial_rotary_factor\": 0.5}", families[i]);
        CHECK(parse(text) == NF_OK && cfg.rope.R == cfg.K && strstr(cfg.taken, "partial_rotary_factor 0.5"));
        snprintf(
            text, sizeof text,
            "{\"model_type\": \"%s\", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"partial_rotary_factor\": 0.5}}",
            families[i]);
        CHECK(refused(text, "partial_rotary_factor", "linear"));
    }
    CHECK(parse(OF("phi", "\"partial_rotary_factor\": 0.25, \"rope_parameters\": {\"partial_rotary_factor\": 0.5}")) == NF_OK);
    CHECK(cfg.rope.R == 32 && strstr(cfg.taken, "0.5"));
}

static void keys_of_other_types_of_rotary_positions(void)
{
    CHECK(parse(LLAMA("\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"finetuned\": true, \"beta_fast\": 32}")) == NF_OK);
    CHECK(strstr(cfg.taken, "finetuned") && strstr(cfg.taken, "beta_fast"));
    CHECK(parse(LLAMA("\"original_max_position_embeddings\": 64, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, "
                      "\"low_freq_factor\": 1, \"high_freq_factor\": 4, \"original_max_position_embeddings\": 32}")) == NF_OK);
    CHECK(cfg.rope.original == 64 && strstr(cfg.taken, "64"));
}

static void windows_of_mistral(void)
{
    static const char full[] = "\"num_hidden_layers\": 2, \"layer_types\": [\"full_attention\", \"full_attention\"]";
    char text[300];

    snprintf(text, sizeof text, OF("mistral", "\"sliding_window\": null, %s"), full);
    CHECK(parse(text) == NF_OK && !cfg.window && !*cfg.taken);
    snprintf(text, sizeof text, OF("mistral", "\"sliding_window\": 5, %s"), full);
    CHECK(parse(text) == NF_OK && nf_config_window(&cfg, 1) == 5 && strstr(cfg.taken, "sliding_window 5"));
    CHECK(refused(OF("mistral", "\"num_hidden_layers\": 2, \"layer_types\": [\"full_attention\", \"sliding_attention\"]"),
                  "layer_types", "only some layers"));
    CHECK(refused(OF("mistral", "\"num_hidden_layers\": 1, \"layer_types\": [\"chunked_attention\"]"), "layer_types", "chunked"));
}

int main(void)
{
    return RUN(keys_that_play_no_part_are_listed, a_list_that_is_too_long_is_cut, keys_that_shared_code_reads_are_refused,
               head_dim_is_taken_where_it_is_what_the_width_gives, all_refusals_are_in_one_message,
               quantised_weights_are_called_that, beside_code_of_its_own_no_unknown_key_is_passed_over,
               the_class_does_not_matter_where_the_type_is_known, aliases_of_sizes, activations_by_all_their_names,
               numbers_are_read_as_python_reads_them, a_token_id_of_no_use_is_none, of_two_bases_the_one_in_the_object_counts,
               a_share_that_turns_where_heads_turn_whole, keys_of_other_types_of_rotary_positions, windows_of_mistral);
}
