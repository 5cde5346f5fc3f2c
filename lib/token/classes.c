/* classes.c - tables of transformers' tokenizer classes and families, and the choice between them. */
#include "token/classes.h"

#include <stdio.h>
#include <string.h>

#define LEVEL "{\"type\":\"ByteLevel\",\"add_prefix_space\":%s,\"use_regex\":true}"
#define META "{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_scheme\":\"%s\",\"split\":false}"
#define NFC "{\"type\":\"NFC\"}"
#define BYTES "{\"type\":\"BPE\"}"
#define CHARS "{\"type\":\"BPE\",\"fuse_unk\":true,\"byte_fallback\":true}"
#define END_OF_TEXT "\"unk_token\":\"<|endoftext|>\",\"bos_token\":\"<|endoftext|>\",\"eos_token\":\"<|endoftext|>\""
#define EDGES "\"unk_token\":\"<unk>\",\"bos_token\":\"<s>\",\"eos_token\":\"</s>\""
#define QWEN "{\"unk_token\":\"<|endoftext|>\",\"eos_token\":\"<|endoftext|>\",\"pad_token\":\"<|endoftext|>\"}"

static const char qwen2[] = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?i:'s|'t|'re"
                            "|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+["
                            "\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":fals"
                            "e},{\"type\":\"ByteLevel\",\"add_prefix_space\":%s,\"use_regex\":false}]}";
static const char qwen35[] = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?i:'s|'t|'re"
                             "|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?[\\\\p{L}\\\\p{M}]+|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{M}"
                             "\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated"
                             "\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":%s,\"use_regex\":false}]}";
static const char gemma_blank[] =
    "{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},\"behavior\":\"MergedWithPrevious\",\"invert\":false}";

static const struct nf_class classes[] = {
    { .name = "GPT2Tokenizer",
      .model = BYTES,
      .normalizer = "null",
      .pre_tokenizer = LEVEL,
      .specials = "{" END_OF_TEXT "}",
      .files = true },
    { .name = "CodeGenTokenizer",
      .model = BYTES,
      .normalizer = "null",
      .pre_tokenizer = LEVEL,
      .specials = "{" END_OF_TEXT "}",
      .files = true },
    { .name = "GPTNeoXTokenizer",
      .model = BYTES,
      .normalizer = NFC,
      .pre_tokenizer = LEVEL,
      .specials = "{" END_OF_TEXT ",\"pad_token\":\"<|padding|>\"}",
      .own_bos = true,
      .files = true },
    { .name = "Qwen2Tokenizer",
      .model = BYTES,
      .normalizer = NFC,
      .pre_tokenizer = qwen2,
      .specials = QWEN,
      .again = true,
      .files = true },
    { .name = "Qwen3_5Tokenizer", .model = BYTES, .normalizer = NFC, .pre_tokenizer = qwen35, .specials = QWEN },
    { .name = "LlamaTokenizer",
      .model = CHARS,
      .normalizer = "null",
      .pre_tokenizer = META,
      .specials = "{" EDGES "}",
      .scheme = true,
      .legacy = true,
      .space = true },
    { .name = "CodeLlamaTokenizer",
      .model = CHARS,
      .normalizer = "null",
      .pre_tokenizer = META,
      .specials = "{" EDGES ",\"prefix_token\":\"\u2581<PRE>\",\"middle_token\":\"\u2581<MID>\",\"suffix_token\":\"\u2581<SUF>\","
                  "\"eot_token\":\"\u2581<EOT>\",\"fill_token\":\"<FILL_ME>\"}",
      .scheme = true,
      .space = true,
      .unk = true,
      .always_bos = true },
    { .name = "GemmaTokenizer",
      .model = CHARS,
      .normalizer = "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\u2581\"}",
      .pre_tokenizer = gemma_blank,
      .specials = "{\"unk_token\":\"<unk>\",\"bos_token\":\"<bos>\",\"eos_token\":\"<eos>\",\"pad_token\":\"<pad>\","
                  "\"mask_token\":\"<mask>\"}",
      .unk = true },
};

/* Others that build their tokenizer anew, and are not implemented. */
static const char *const foreign_classes[] = {
    "AlbertTokenizer",    "BarthezTokenizer",     "BertTokenizer",    "BigBirdTokenizer",    "BlenderbotTokenizer",
    "CamembertTokenizer", "CLIPTokenizer",        "CohereTokenizer",  "DebertaTokenizer",    "DebertaV2Tokenizer",
    "FunnelTokenizer",    "HerbertTokenizer",     "LukeTokenizer",    "MBartTokenizer",      "MBart50Tokenizer",
    "MPNetTokenizer",     "NllbTokenizer",        "NougatTokenizer",  "OpenAIGPTTokenizer",  "PegasusTokenizer",
    "ReformerTokenizer",  "RemBertTokenizer",     "RobertaTokenizer", "BartTokenizer",       "LEDTokenizer",
    "MvpTokenizer",       "SeamlessM4TTokenizer", "Siglip2Tokenizer", "SplinterTokenizer",   "T5Tokenizer",
    "UdopTokenizer",      "WhisperTokenizer",     "XGLMTokenizer",    "XLMRobertaTokenizer", "XLNetTokenizer",
};

/* What a family's tokenizer is where no file names one; PLAIN: tokenizer.json as it is, whatever a file names. */
#define PLAIN ""
static const char *const families[][2] = {
    { "opt", "GPT2Tokenizer" },
    { "gpt2", "GPT2Tokenizer" },
    { "gpt_neo", "GPT2Tokenizer" },
    { "gptj", "GPT2Tokenizer" },
    { "codegen", "GPT2Tokenizer" },
    { "phi", "GPT2Tokenizer" },
    { "starcoder2", "GPT2Tokenizer" },
    { "dbrx", "GPT2Tokenizer" },
    { "gpt_neox", "GPTNeoXTokenizer" },
    { "olmo", "GPTNeoXTokenizer" },
    { "olmoe", "GPTNeoXTokenizer" },
    { "mpt", "GPTNeoXTokenizer" },
    { "mamba", "GPTNeoXTokenizer" },
    { "rwkv", "GPTNeoXTokenizer" },
    { "falcon_mamba", "GPTNeoXTokenizer" },
    { "qwen2", "Qwen2Tokenizer" },
    { "qwen2_moe", "Qwen2Tokenizer" },
    { "qwen2_vl", "Qwen2Tokenizer" },
    { "qwen2_5_vl", "Qwen2Tokenizer" },
    { "qwen3", "Qwen2Tokenizer" },
    { "qwen3_moe", "Qwen2Tokenizer" },
    { "qwen3_next", "Qwen2Tokenizer" },
    { "qwen3_vl", "Qwen2Tokenizer" },
    { "qwen3_vl_moe", "Qwen2Tokenizer" },
    { "qwen3_5", "Qwen3_5Tokenizer" },
    { "qwen3_5_text", "Qwen3_5Tokenizer" },
    { "qwen3_5_moe", "Qwen3_5Tokenizer" },
    { "qwen3_5_moe_text", "Qwen3_5Tokenizer" },
    { "gemma", "GemmaTokenizer" },
    { "gemma2", "GemmaTokenizer" },
    { "gemma3", "GemmaTokenizer" },
    { "gemma3_text", "GemmaTokenizer" },
    { "gemma3n", "GemmaTokenizer" },
    { "gemma3n_text", "GemmaTokenizer" },
    { "recurrent_gemma", "GemmaTokenizer" },
    { "code_llama", "CodeLlamaTokenizer" },
    { "cohere", "CohereTokenizer" },
    { "cohere2", "CohereTokenizer" },
    { "mistral", PLAIN },
    { "mistral3", PLAIN },
    { "ministral", PLAIN },
    { "ministral3", PLAIN },
    { "mixtral", PLAIN },
    { "phi3", PLAIN },
    { "phimoe", PLAIN },
    { "olmo2", PLAIN },
    { "olmo3", PLAIN },
    { "flex_olmo", PLAIN },
    { "granite", PLAIN },
    { "granitemoe", PLAIN },
    { "granitemoehybrid", PLAIN },
    { "granitemoeshared", PLAIN },
    { "stablelm", PLAIN },
    { "gpt_bigcode", PLAIN },
    { "persimmon", PLAIN },
    { "glm", PLAIN },
    { "glm4", PLAIN },
    { "nemotron", PLAIN },
    { "internlm2", PLAIN },
    { "internlm3", PLAIN },
    { "minicpm3", PLAIN },
    { "jamba", PLAIN },
    { "arctic", PLAIN },
};

/* Families whose own class goes before a class that a file names. */
static const char *const strict_families[] = { "qwen2", "qwen3_5", "qwen3_5_moe", "qwen3_5_moe_text" };

/* Of these a LlamaTokenizer with a byte-level tokenizer.json needs no second look: they are plain, or strict, whatever it holds. */
static const char *const settled_families[] = {
    "arctic",   "internlm2", "internlm3", "jamba",      "minicpm3", "nemotron", "phi3",        "phimoe",           "qwen2",
    "mistral3", "ministral", "mistral",   "ministral3", "mixtral",  "qwen3_5",  "qwen3_5_moe", "qwen3_5_moe_text",
};

#define ONE_OF(list, name) is_in_list(list, sizeof(list) / sizeof *(list), name)
static bool is_in_list(const char *const *list, size_t n, const char *name)
{
    for (size_t i = 0; name && i < n; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

const struct nf_class *nf_class_named(const char *name)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i].name, name) == 0)
            return &classes[i];
    return NULL;
}

static const char *find_family_class(const char *type)
{
    for (size_t i = 0; type && i < sizeof families / sizeof *families; i++)
        if (strcmp(families[i][0], type) == 0)
            return families[i][1];
    return NULL;
}

/* What AutoTokenizer comes to: PLAIN, or a name; one that is in no table is a plain class too. */
static const char *choose_name(const char *named, const char *type, bool byte_level)
{
    const char *family = find_family_class(type);

    if (byte_level && named && strcmp(named, "LlamaTokenizer") == 0 && !ONE_OF(settled_families, type))
        return PLAIN;
    if (!named)
        return family ? family : PLAIN;
    return family && (!*family || ONE_OF(strict_families, type)) ? family : named;
}

const struct nf_class *nf_class_choose(const struct nf_class_choice *c, char *name, size_t size, bool *foreign)
{
    const char *named = json_string_value(json_object_get(c->config, "tokenizer_class"));
    const struct nf_class *class;
    size_t n;

    if (!named)
        named = json_string_value(json_object_get(c->model, "tokenizer_class"));
    n = named ? strlen(named) : 0;
    if (n > 4 && strcmp(named + n - 4, "Fast") == 0) /* "LlamaTokenizerFast" is LlamaTokenizer */
        n -= 4;
    snprintf(name, size, "%.*s", (int)n, named ? named : "");
    named = choose_name(named ? name : NULL, json_string_value(json_object_get(c->model, "model_type")), c->byte_level);
    class = nf_class_named(named);
    *foreign = !class && ONE_OF(foreign_classes, named);
    if (named != name)
        snprintf(name, size, "%s", named);
    return class;
}

static const char *choose_scheme(const struct nf_class *c, const json_t *config, bool space)
{
    if (!space)
        return "never";
    return c->legacy && json_is_true(json_object_get(config, "legacy")) ? "always" : "first";
}

json_t *nf_class_parts(const struct nf_class *c, const json_t *config)
{
    const json_t *set = json_object_get(config, "add_prefix_space");
    bool space = json_is_boolean(set) ? json_is_true(set) : c->space;
    const char *hole = strstr(c->pre_tokenizer, "%s"), *value = space ? "true" : "false";
    size_t before = hole ? (size_t)(hole - c->pre_tokenizer) : strlen(c->pre_tokenizer);
    char text[2048];

    if (c->scheme)
        value = choose_scheme(c, config, space);
    snprintf(text, sizeof text, "{\"model\":%s,\"normalizer\":%s,\"pre_tokenizer\":%.*s%s%s}", c->model, c->normalizer, (int)before,
             c->pre_tokenizer, hole ? value : "", hole ? hole + 2 : "");
    return json_loads(text, 0, NULL);
}
