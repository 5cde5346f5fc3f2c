/* test_config.c - lib/checkpoint/config: what config.json of the OPT family says, what is refused and how it is named. */
#include "check.h"

#include <stdlib.h>

#include "checkpoint/config.h"

static struct nf_err err;
static struct nf_config cfg;

static int parse(const char *text)
{
    err = (struct nf_err)NF_ERR_INIT;
    cfg = (struct nf_config){ 0 };
    return nf_config_parse(text, strlen(text), "config.json", &cfg, &err);
}

/* The text is refused as bad input, and both parts are in the message. */
static bool refused(const char *text, const char *key, const char *value)
{
    bool ok = parse(text) == NF_EFORMAT && err.code == NF_EFORMAT && strstr(err.text, key) && strstr(err.text, value);

    if (!ok)
        printf("# %s: %s\n", text, err.text);
    return ok;
}

#define OPT(more) "{\"model_type\": \"opt\", " more "}"

static void opt_125m_is_what_missing_keys_stand_for(void)
{
    CHECK(parse("{\"model_type\": \"opt\"}") == NF_OK);
    CHECK(strcmp(nf_family_name(cfg.family), "opt") == 0 && strcmp(cfg.architecture, "OPTForCausalLM") == 0);
    CHECK(cfg.L == 12 && cfg.D == 768 && cfg.H == 12 && cfg.K == 64 && cfg.F == 3072 && cfg.V == 50272 && cfg.E == 768);
    CHECK(cfg.max_positions == 2048 && cfg.positions == NF_POS_LEARNED && cfg.position_offset == 2);
    CHECK(cfg.pre_norm && cfg.final_norm && cfg.norm_affine && cfg.bias_qkv && cfg.bias_o && cfg.bias_ffn && cfg.tied &&
          cfg.act == NF_ACT_RELU);
    CHECK(cfg.bos_id == 2 && cfg.norm_eps == 1e-5);
    CHECK(strlen(cfg.config_sha256) == 64);
}

/* As published for facebook/opt-350m. */
static void opt_350m(void)
{
    CHECK(
        parse("{\"_remove_final_layer_norm\": false, \"activation_dropout\": 0.0, \"activation_function\": \"relu\","
              " \"architectures\": [\"OPTForCausalLM\"], \"attention_dropout\": 0.0, \"bos_token_id\": 2, "
              "\"do_layer_norm_before\": false,"
              " \"dropout\": 0.1, \"eos_token_id\": 2, \"ffn_dim\": 4096, \"hidden_size\": 1024, \"init_std\": 0.02, "
              "\"layerdrop\": 0.0,"
              " \"max_position_embeddings\": 2048, \"model_type\": \"opt\", \"num_attention_heads\": 16, \"num_hidden_layers\": 24,"
              " \"pad_token_id\": 1, \"prefix\": \"</s>\", \"torch_dtype\": \"float16\", \"transformers_version\": \"4.20.0.dev0\","
              " \"use_cache\": true, \"vocab_size\": 50272, \"word_embed_proj_dim\": 512}") == NF_OK);
    CHECK(!cfg.pre_norm && !cfg.final_norm && cfg.E == 512 && cfg.D == 1024 && cfg.L == 24 && cfg.K == 64);
}

static void switches(void)
{
    CHECK(parse(OPT("\"_remove_final_layer_norm\": true, \"enable_bias\": false, \"layer_norm_elementwise_affine\": false,"
                    " \"tie_word_embeddings\": false, \"bos_token_id\": null, \"rope_scaling\": null, \"architectures\": "
                    "[\"OPTModel\"]")) == NF_OK);
    CHECK(cfg.pre_norm && !cfg.final_norm && !cfg.bias_qkv && !cfg.bias_o && !cfg.bias_ffn && !cfg.norm_affine && !cfg.tied &&
          cfg.bos_id == -1);
    CHECK(strcmp(cfg.architecture, "OPTModel") == 0);
    CHECK(parse(OPT("\"position_embedding_type\": \"none\"")) == NF_OK);
    CHECK(cfg.positions == NF_POS_NONE && cfg.max_positions == SIZE_MAX);
    CHECK(parse(OPT("\"position_embedding_type\": \"learned\"")) == NF_OK && cfg.positions == NF_POS_LEARNED);
    CHECK(parse(OPT("\"scale_embeddings\": false, \"learned_embeddings\": true, \"pruned_heads\": {}")) == NF_OK);
}

static void what_changes_the_computation_is_refused_by_name(void)
{
    CHECK(refused(OPT("\"quantization_config\": {\"bits\": 4}"), "quantization_config", "4"));
    CHECK(refused(OPT("\"activation_function\": \"tanh\""), "activation_function", "tanh"));
    CHECK(refused(OPT("\"activation_function\": \"rel\""), "activation_function", "rel"));
    CHECK(refused(OPT("\"activation_function\": 3"), "activation_function", "no string"));
    CHECK(refused(OPT("\"position_embedding_type\": \"rotary\""), "position_embedding_type", "rotary"));
    CHECK(refused(OPT("\"scale_embeddings\": true"), "scale_embeddings", "true"));
    CHECK(refused(OPT("\"learned_embeddings\": false"), "learned_embeddings", "false"));
    CHECK(refused(OPT("\"is_encoder_decoder\": true"), "is_encoder_decoder", "true"));
    CHECK(refused(OPT("\"pruned_heads\": {\"1\": [2]}"), "pruned_heads", "[2]"));
    CHECK(refused("{\"model_type\": \"bert\"}", "model_type", "bert"));
    CHECK(refused("{}", "model_type", "missing"));
}

static void impossible_values_are_refused_by_name(void)
{
    static const char *const sizes[] = { "num_hidden_layers", "hidden_size",         "num_attention_heads",    "ffn_dim",
                                         "vocab_size",        "word_embed_proj_dim", "max_position_embeddings" };
    static const char *const bad[] = { "0", "-1", "1.5", "\"8\"", "true", "99999999999" };
    char text[128];

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
            snprintf(text, sizeof text, "{\"model_type\": \"opt\", \"%s\": %s}", sizes[i], bad[k]);
            CHECK(refused(text, sizes[i], "from 1 to"));
        }
    CHECK(refused(OPT("\"num_attention_heads\": 7"), "768", "7 heads"));
    CHECK(refused(OPT("\"enable_bias\": 1"), "enable_bias", "true or false"));
}

static void text_that_is_no_config(void)
{
    CHECK(refused("", "config.json", "line"));
    CHECK(refused("[1]", "config.json", "object"));
    CHECK(refused("{\"model_type\": \"opt\"", "config.json", "line 1"));
    CHECK(refused("{\"model_type\": \"opt\", \"ffn_dim\": 8, \"ffn_dim\": 9}", "config.json", "duplicate"));
    CHECK(refused("{\"model_type\": \"opt\", \"vocab_size\": 1e400}", "vocab_size", "from 1 to"));
    CHECK(refused("{\"model_type\": \"opt\", \"vocab_size\": 1.2.3}", "config.json", "line 1"));
}

static void from_a_directory(void)
{
    err = (struct nf_err)NF_ERR_INIT;
    CHECK(nf_config_read("pipelines/demo/model/", &cfg, &err) == NF_OK);
    CHECK(strcmp(cfg.name, "model") == 0 && cfg.L == 6 && cfg.V == 8192);
    CHECK(nf_config_read("pipelines/demo/nowhere", &cfg, &err) == NF_ESYS &&
          strstr(err.text, "pipelines/demo/nowhere/config.json"));
}

/* With or without a model beside it: transformers, with peft, would run the adapter. */
static void a_folder_with_an_adapter_is_refused(void)
{
    char dir[] = "/tmp/nf-adapter-XXXXXX", path[64];

    CHECK(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/adapter_config.json", dir);
    CHECK(fclose(fopen(path, "w")) == 0);
    err = (struct nf_err)NF_ERR_INIT;
    CHECK(nf_config_read(dir, &cfg, &err) == NF_EFORMAT && strstr(err.text, "adapter_config.json") && strstr(err.text, "merge_and_unload"));
    remove(path);
    remove(dir);
}

int main(void)
{
    return RUN(opt_125m_is_what_missing_keys_stand_for, opt_350m, switches, what_changes_the_computation_is_refused_by_name,
               impossible_values_are_refused_by_name, text_that_is_no_config, from_a_directory,
               a_folder_with_an_adapter_is_refused);
}
