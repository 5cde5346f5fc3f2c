/* test_config_families.c - lib/checkpoint/config: the families beside OPT, from configurations as they are published. */
#include "check.h"

#include "checkpoint/config.h"

static struct nf_err err;
static struct nf_config cfg;

static int parse(const char *text)
{
    err = (struct nf_err)NF_ERR_INIT;
    cfg = (struct nf_config){ 0 };
    if (nf_config_parse(text, strlen(text), "config.json", &cfg, &err) < 0)
        printf("# %s\n", err.text);
    return (int)err.code;
}

static bool refused(const char *text, const char *key, const char *value)
{
    err = (struct nf_err)NF_ERR_INIT;
    if (nf_config_parse(text, strlen(text), "config.json", &cfg, &err) == NF_EFORMAT && strstr(err.text, key) &&
        strstr(err.text, value))
        return true;
    printf("# %s: %s\n", text, err.text);
    return false;
}

static bool sizes(size_t L, size_t D, size_t H, size_t G, size_t K, size_t F, size_t V, size_t P)
{
    return cfg.L == L && cfg.D == D && cfg.E == D && cfg.H == H && cfg.G == G && cfg.K == K && cfg.F == F && cfg.V == V &&
           cfg.max_positions == P;
}

static size_t windows(void)
{
    size_t n = 0;

    for (size_t l = 0; l < cfg.L; l++)
        n += nf_config_window(&cfg, l) != SIZE_MAX;
    return n;
}

static void gpt2(void)
{
    CHECK(parse("{\"activation_function\": \"gelu_new\", \"architectures\": [\"GPT2LMHeadModel\"], \"attn_pdrop\": 0.1, "
                "\"bos_token_id\": 50256,"
                " \"embd_pdrop\": 0.1, \"eos_token_id\": 50256, \"initializer_range\": 0.02, \"layer_norm_epsilon\": 1e-05, "
                "\"model_type\": \"gpt2\","
                " \"n_ctx\": 1024, \"n_embd\": 768, \"n_head\": 12, \"n_layer\": 12, \"n_positions\": 1024, \"resid_pdrop\": 0.1,"
                " \"summary_activation\": null, \"summary_first_dropout\": 0.1, \"summary_proj_to_labels\": true, "
                "\"summary_type\": \"cls_index\","
                " \"summary_use_proj\": true, \"task_specific_params\": {\"text-generation\": {\"do_sample\": true, "
                "\"max_length\": 50}},"
                " \"vocab_size\": 50257}") == NF_OK);
    CHECK(sizes(12, 768, 12, 12, 64, 3072, 50257, 1024) && strcmp(nf_family_name(cfg.family), "gpt2") == 0 && cfg.bos_id == 50256);
    CHECK(cfg.positions == NF_POS_LEARNED && cfg.position_offset == 0 && cfg.act == NF_ACT_GELU_TANH && cfg.tied && !cfg.gated &&
          !cfg.parallel && cfg.norm == NF_NORM_LAYER && cfg.final_norm && cfg.bias_qkv && cfg.bias_ffn && cfg.scale_scores &&
          !cfg.scale_by_layer);
    CHECK(
        parse(
            "{\"model_type\": \"gpt2\", \"n_inner\": 100, \"scale_attn_weights\": false, \"scale_attn_by_inverse_layer_idx\": true,"
            " \"reorder_and_upcast_attn\": true, \"activation_function\": \"gelu\", \"layer_norm_epsilon\": 1e-6}") == NF_OK);
    CHECK(cfg.F == 100 && !cfg.scale_scores && cfg.scale_by_layer && cfg.act == NF_ACT_GELU && cfg.norm_eps == 1e-6);
    CHECK(refused("{\"model_type\": \"gpt2\", \"activation_function\": \"tanh\"}", "activation_function", "tanh"));
    CHECK(refused("{\"model_type\": \"gpt2\", \"layer_norm_epsilon\": 0}", "layer_norm_epsilon", "above 0"));
}

static void gpt_neo(void)
{
    CHECK(
        parse("{\"model_type\": \"gpt_neo\", \"activation_function\": \"gelu_new\", \"architectures\": [\"GPTNeoForCausalLM\"],"
              " \"attention_dropout\": 0, \"attention_layers\": [\"global\", \"local\", \"global\", \"local\"], "
              "\"attention_types\": [[[\"global\","
              " \"local\"], 2]], \"bos_token_id\": 50256, \"embed_dropout\": 0, \"hidden_size\": 768, \"intermediate_size\": null,"
              " \"layer_norm_epsilon\": 1e-05, \"max_position_embeddings\": 2048, \"num_heads\": 12, \"num_layers\": 4, "
              "\"resid_dropout\": 0,"
              " \"vocab_size\": 50257, \"window_size\": 256}") == NF_OK);
    CHECK(sizes(4, 768, 12, 12, 64, 3072, 50257, 2048) && !cfg.scale_scores && !cfg.bias_qkv && cfg.bias_o && cfg.bias_ffn &&
          cfg.tied);
    CHECK(nf_config_window(&cfg, 0) == SIZE_MAX && nf_config_window(&cfg, 1) == 256 && windows() == 2);
    CHECK(refused("{\"model_type\": \"gpt_neo\", \"num_layers\": 3, \"attention_types\": [[[\"global\"], 2]]}", "attention_types",
                  "num_layers"));
    CHECK(refused("{\"model_type\": \"gpt_neo\", \"num_layers\": 1, \"attention_types\": [[[\"linear\"], 1]]}", "attention_types",
                  "linear"));
    CHECK(refused("{\"model_type\": \"gpt_neo\", \"num_layers\": 1, \"attention_types\": [[[\"global\"], 99999999999]]}",
                  "attention_types", "num_layers"));
    CHECK(refused("{\"model_type\": \"gpt_neo\", \"num_layers\": 1, \"attention_types\": 7}", "attention_types", "7"));
    CHECK(refused("{\"model_type\": \"gpt_neo\", \"num_layers\": 1, \"attention_types\": [[[\"global\"], 1]], "
                  "\"attention_layers\": [\"local\"]}",
                  "attention_layers", "attention_types"));
}

static void pythia(void)
{
    CHECK(parse("{\"architectures\": [\"GPTNeoXForCausalLM\"], \"bos_token_id\": 0, \"eos_token_id\": 0, \"hidden_act\": \"gelu\","
                " \"hidden_size\": 1024, \"initializer_range\": 0.02, \"intermediate_size\": 4096, \"layer_norm_eps\": 1e-05,"
                " \"max_position_embeddings\": 2048, \"model_type\": \"gpt_neox\", \"num_attention_heads\": 16, "
                "\"num_hidden_layers\": 24,"
                " \"rotary_emb_base\": 10000, \"rotary_pct\": 0.25, \"tie_word_embeddings\": false, \"torch_dtype\": \"float16\","
                " \"use_cache\": true, \"use_parallel_residual\": true, \"vocab_size\": 50304}") == NF_OK);
    CHECK(sizes(24, 1024, 16, 16, 64, 4096, 50304, 2048) && cfg.parallel && !cfg.one_norm && cfg.act == NF_ACT_GELU && !cfg.tied);
    CHECK(cfg.positions == NF_POS_ROTARY && cfg.rope.kind == NF_ROPE_DEFAULT && cfg.rope.R == 16 && cfg.rope.theta == 10000 &&
          cfg.bias_o);
    /* as transformers 5 writes it */
    CHECK(parse("{\"model_type\": \"gpt_neox\", \"rope_parameters\": {\"partial_rotary_factor\": 0.5, \"rope_theta\": 500.5, "
                "\"rope_type\":"
                " \"default\"}, \"hidden_size\": 64, \"num_attention_heads\": 4, \"use_parallel_residual\": false, "
                "\"attention_bias\": false,"
                " \"is_decoder\": false, \"dtype\": \"float32\"}") == NF_OK);
    CHECK(cfg.rope.R == 8 && cfg.rope.theta == 500.5 && !cfg.parallel && !cfg.bias_qkv && !cfg.bias_o && cfg.bias_ffn);
    CHECK(parse("{\"model_type\": \"gpt_neox\", \"rotary_pct\": 0.5, \"partial_rotary_factor\": 0.5, \"rotary_emb_base\": 7, "
                "\"rope_theta\": 7}") == NF_OK);
    CHECK(cfg.rope.R == 48 && cfg.rope.theta == 7);
    CHECK(refused("{\"model_type\": \"gpt_neox\", \"rotary_pct\": 0.5, \"partial_rotary_factor\": 0.25}", "partial_rotary_factor",
                  "agree"));
    CHECK(refused("{\"model_type\": \"gpt_neox\", \"rotary_pct\": 0.01}", "rotary", "even"));
}

static void phi(void)
{
    CHECK(
        parse(
            "{\"architectures\": [\"PhiForCausalLM\"], \"attention_dropout\": 0.0, \"bos_token_id\": 50256, \"embd_pdrop\": 0.0,"
            " \"eos_token_id\": 50256, \"hidden_act\": \"gelu_new\", \"hidden_size\": 2560, \"initializer_range\": 0.02,"
            " \"intermediate_size\": 10240, \"layer_norm_eps\": 1e-05, \"max_position_embeddings\": 2048, \"model_type\": \"phi\","
            " \"num_attention_heads\": 32, \"num_hidden_layers\": 32, \"num_key_value_heads\": 32, \"partial_rotary_factor\": 0.4,"
            " \"qk_layernorm\": false, \"resid_pdrop\": 0.1, \"rope_scaling\": null, \"rope_theta\": 10000.0, "
            "\"tie_word_embeddings\": false,"
            " \"torch_dtype\": \"float16\", \"vocab_size\": 51200}") == NF_OK);
    CHECK(sizes(32, 2560, 32, 32, 80, 10240, 51200, 2048) && cfg.parallel && cfg.one_norm && cfg.bias_head && cfg.rope.R == 32);
    CHECK(cfg.qk_norm == NF_NORM_NONE && cfg.act == NF_ACT_GELU_TANH && cfg.norm == NF_NORM_LAYER);
    CHECK(parse("{\"model_type\": \"phi\", \"qk_layernorm\": true, \"num_key_value_heads\": 8}") == NF_OK);
    CHECK(cfg.qk_norm == NF_NORM_LAYER && cfg.G == 8 && cfg.rope.R == 32 && cfg.K == 64);
    CHECK(refused("{\"model_type\": \"phi\", \"num_key_value_heads\": 5}", "32 heads", "5 heads"));
}

static void llama(void)
{
    CHECK(
        parse("{\"architectures\": [\"LlamaForCausalLM\"], \"attention_bias\": false, \"attention_dropout\": 0.0, "
              "\"bos_token_id\": 128000,"
              " \"eos_token_id\": 128001, \"head_dim\": 64, \"hidden_act\": \"silu\", \"hidden_size\": 2048, "
              "\"initializer_range\": 0.02,"
              " \"intermediate_size\": 8192, \"max_position_embeddings\": 131072, \"mlp_bias\": false, \"model_type\": \"llama\","
              " \"num_attention_heads\": 32, \"num_hidden_layers\": 16, \"num_key_value_heads\": 8, \"pretraining_tp\": 1, "
              "\"rms_norm_eps\": 1e-05,"
              " \"rope_scaling\": {\"factor\": 32.0, \"high_freq_factor\": 4.0, \"low_freq_factor\": 1.0, "
              "\"original_max_position_embeddings\": 8192,"
              " \"rope_type\": \"llama3\"}, \"rope_theta\": 500000.0, \"tie_word_embeddings\": true, \"torch_dtype\": \"bfloat16\","
              " \"use_cache\": true, \"vocab_size\": 128256}") == NF_OK);
    CHECK(sizes(16, 2048, 32, 8, 64, 8192, 128256, 131072) && cfg.gated && cfg.act == NF_ACT_SILU && cfg.norm == NF_NORM_RMS &&
          cfg.tied);
    CHECK(cfg.rope.kind == NF_ROPE_LLAMA3 && cfg.rope.factor == 32 && cfg.rope.high == 4 && cfg.rope.low == 1 &&
          cfg.rope.original == 8192 && cfg.rope.theta == 500000 && cfg.rope.R == 64);
    CHECK(!cfg.bias_qkv && !cfg.bias_o && !cfg.bias_ffn && !cfg.bias_head && windows() == 0 && cfg.bos_id == 128000);
    CHECK(parse("{\"model_type\": \"llama\"}") == NF_OK && sizes(32, 4096, 32, 32, 128, 11008, 32000, 2048) && !cfg.tied &&
          cfg.norm_eps == 1e-6);
    CHECK(parse("{\"model_type\": \"llama\", \"attention_bias\": true, \"mlp_bias\": true, \"rope_scaling\": {\"type\": "
                "\"linear\", \"factor\": 4}}") == NF_OK);
    CHECK(cfg.bias_qkv && cfg.bias_o && cfg.bias_ffn && cfg.rope.kind == NF_ROPE_LINEAR && cfg.rope.factor == 4);
}

#define ROPE(text) "{\"model_type\": \"llama\", \"rope_scaling\": {" text "}}"

static void rotary_scaling_that_is_not_there_is_refused(void)
{
    CHECK(refused(ROPE("\"rope_type\": \"yarn\", \"factor\": 4"), "rope_type", "yarn"));
    CHECK(refused(ROPE("\"type\": \"dynamic\", \"factor\": 4"), "rope_type", "dynamic"));
    CHECK(refused(ROPE("\"type\": \"linear\""), "rope_scaling: factor", "number"));
    CHECK(refused(ROPE("\"type\": \"linear\", \"factor\": -1"), "rope_scaling: factor", "-1"));
    CHECK(refused(ROPE("\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 1"),
                  "high_freq_factor", "not above"));
    CHECK(refused(ROPE("\"rope_type\": \"llama3\", \"factor\": 8, \"high_freq_factor\": 1"), "low_freq_factor", "null"));
    CHECK(refused("{\"model_type\": \"llama\", \"rope_parameters\": {\"full_attention\": {\"rope_theta\": 1}}}", "full_attention",
                  "rope_theta"));
    CHECK(refused("{\"model_type\": \"llama\", \"rope_scaling\": 3}", "rope_scaling", "object"));
    CHECK(refused("{\"model_type\": \"llama\", \"hidden_act\": \"tanh\"}", "hidden_act", "tanh"));
}

static void mistral(void)
{
    CHECK(
        parse(
            "{\"architectures\": [\"MistralForCausalLM\"], \"bos_token_id\": 1, \"eos_token_id\": 2, \"hidden_act\": \"silu\","
            " \"hidden_size\": 4096, \"intermediate_size\": 14336, \"max_position_embeddings\": 32768, \"model_type\": \"mistral\","
            " \"num_attention_heads\": 32, \"num_hidden_layers\": 32, \"num_key_value_heads\": 8, \"rms_norm_eps\": 1e-05,"
            " \"rope_theta\": 10000.0, \"sliding_window\": 4096, \"tie_word_embeddings\": false, \"vocab_size\": 32000}") == NF_OK);
    CHECK(sizes(32, 4096, 32, 8, 128, 14336, 32000, 32768) && windows() == 32 && nf_config_window(&cfg, 31) == 4096);
    CHECK(parse("{\"model_type\": \"mistral\", \"sliding_window\": null, \"head_dim\": null}") == NF_OK && windows() == 0);
    CHECK(parse("{\"model_type\": \"mistral\"}") == NF_OK && windows() == 32);
    CHECK(refused("{\"model_type\": \"mistral\", \"sliding_window\": 0}", "sliding_window", "0"));
}

static void qwen(void)
{
    CHECK(parse("{\"architectures\": [\"Qwen2ForCausalLM\"], \"attention_dropout\": 0.0, \"bos_token_id\": 151643, "
                "\"eos_token_id\": 151643,"
                " \"hidden_act\": \"silu\", \"hidden_size\": 896, \"intermediate_size\": 4864, \"max_position_embeddings\": 32768,"
                " \"max_window_layers\": 24, \"model_type\": \"qwen2\", \"num_attention_heads\": 14, \"num_hidden_layers\": 24,"
                " \"num_key_value_heads\": 2, \"rms_norm_eps\": 1e-06, \"rope_theta\": 1000000.0, \"sliding_window\": 32768,"
                " \"tie_word_embeddings\": true, \"use_mrope\": false, \"use_sliding_window\": false, \"vocab_size\": 151936}") ==
          NF_OK);
    CHECK(sizes(24, 896, 14, 2, 64, 4864, 151936, 32768) && cfg.bias_qkv && !cfg.bias_o && !cfg.bias_ffn && windows() == 0 &&
          cfg.tied);
    CHECK(parse("{\"model_type\": \"qwen2\", \"use_sliding_window\": true, \"sliding_window\": 100, \"max_window_layers\": 30}") ==
          NF_OK);
    CHECK(windows() == 2 && nf_config_window(&cfg, 30) == 100 && nf_config_window(&cfg, 29) == SIZE_MAX);
    CHECK(parse("{\"model_type\": \"qwen2\", \"num_hidden_layers\": 2, \"use_sliding_window\": true, \"layer_types\": "
                "[\"sliding_attention\","
                " \"full_attention\"]}") == NF_OK);
    CHECK(windows() == 1 && nf_config_window(&cfg, 0) == 4096);
    CHECK(refused("{\"model_type\": \"qwen2\", \"num_hidden_layers\": 1, \"layer_types\": [\"sliding_attention\"]}", "layer_types",
                  "sliding_attention without a window"));
    CHECK(refused("{\"model_type\": \"qwen2\", \"num_hidden_layers\": 2, \"layer_types\": [\"full_attention\"]}", "layer_types",
                  "each layer"));
    CHECK(refused("{\"model_type\": \"qwen2\", \"num_hidden_layers\": 1, \"layer_types\": [\"linear_attention\"]}", "layer_types",
                  "linear"));

    CHECK(
        parse("{\"architectures\": [\"Qwen3ForCausalLM\"], \"attention_bias\": false, \"head_dim\": 128, \"hidden_size\": 1024,"
              " \"intermediate_size\": 3072, \"max_position_embeddings\": 40960, \"max_window_layers\": 28, \"model_type\": "
              "\"qwen3\","
              " \"num_attention_heads\": 16, \"num_hidden_layers\": 28, \"num_key_value_heads\": 8, \"rope_scaling\": null, "
              "\"rope_theta\": 1000000,"
              " \"sliding_window\": null, \"tie_word_embeddings\": true, \"use_sliding_window\": false, \"vocab_size\": 151936}") ==
        NF_OK);
    CHECK(sizes(28, 1024, 16, 8, 128, 3072, 151936, 40960) && cfg.qk_norm == NF_NORM_RMS && !cfg.bias_qkv && cfg.rope.R == 128);
}

static void a_family_that_is_not_there_is_refused_with_those_that_are(void)
{
    CHECK(refused("{\"model_type\": \"gemma2\"}", "gemma2", "opt, gpt2, gpt_neo, gpt_neox, phi, llama, mistral, qwen2, qwen3"));
    CHECK(refused("{\"model_type\": \"llama\", \"quantization_config\": {}}", "quantization_config", "quantised"));
}

int main(void)
{
    return RUN(gpt2, gpt_neo, pythia, phi, llama, rotary_scaling_that_is_not_there_is_refused, mistral, qwen,
               a_family_that_is_not_there_is_refused_with_those_that_are);
}
