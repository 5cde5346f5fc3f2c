/* tokenizer_json.c - the components of a Hugging Face tokenizer.json; what is not implemented is refused by name. */
#include <stdlib.h>
#include <string.h>

#include "token/load.h"

static const char FILE_NAME[] = "tokenizer.json";

static const char *type_of_component(const json_t *component)
{
    const char *type = json_string_value(json_object_get(component, "type"));

    return type ? type : "without a type";
}

static int refuse_component(struct nf_load *l, const char *part, const char *name)
{
    return nf_fail(l->err, NF_EFORMAT, "%s/%s: %s %s is not implemented", l->dir, FILE_NAME, part, name);
}

/* NULL, false, 0 and "" switch a field off. */
static bool is_off(const json_t *v)
{
    return !v || json_is_null(v) || json_is_false(v) || (json_is_string(v) && json_string_length(v) == 0) ||
           (json_is_number(v) && !(json_number_value(v) != 0));
}

static int read_merge(struct nf_load *l, size_t rank, const json_t *m)
{
    const json_t *a = json_array_get(m, 0), *b = json_array_get(m, 1);
    const char *s = json_string_value(m), *space = s ? strchr(s, ' ') : NULL;

    if (space && strchr(space + 1, ' '))
        space = NULL;
    if (json_is_string(a) && json_is_string(b) && json_array_size(m) == 2)
        return nf_load_merge(l, FILE_NAME, rank, json_string_value(a), json_string_length(a), json_string_value(b),
                             json_string_length(b));
    if (space)
        return nf_load_merge(l, FILE_NAME, rank, s, (size_t)(space - s), space + 1, strlen(space + 1));
    return nf_fail(l->err, NF_EFORMAT, "%s/%s: merge %zu: neither \"left right\" nor [left, right]", l->dir, FILE_NAME, rank);
}

static int read_merge_model(struct nf_load *l, const json_t *model)
{
    static const char *const off[] = { "dropout", "continuing_subword_prefix", "end_of_word_suffix", NULL };
    const json_t *merges = json_object_get(model, "merges"), *type = json_object_get(model, "type");
    int rc;

    if (!json_is_object(model))
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: no model", l->dir, FILE_NAME);
    if (type && strcmp(type_of_component(model), "BPE") != 0)   /* old files have no type */
        return refuse_component(l, "model", type_of_component(model));
    for (const char *const *f = off; *f; f++)
        if (!is_off(json_object_get(model, *f)))
            return refuse_component(l, "model BPE:", *f);
    l->unk = json_string_value(json_object_get(model, "unk_token"));
    l->fuse_unk = !is_off(json_object_get(model, "fuse_unk"));
    l->byte_fallback = !is_off(json_object_get(model, "byte_fallback"));
    l->ignore_merges = !is_off(json_object_get(model, "ignore_merges"));
    rc = nf_load_vocab(l, FILE_NAME, json_object_get(model, "vocab"));
    if (rc == NF_OK && !json_is_array(merges))
        rc = nf_fail(l->err, NF_EFORMAT, "%s/%s: no merges", l->dir, FILE_NAME);
    for (size_t i = 0; rc == NF_OK && i < json_array_size(merges); i++)
        rc = read_merge(l, i, json_array_get(merges, i));
    return rc;
}

static bool equals_text(const json_t *v, const char *text)
{
    return json_is_string(v) && strcmp(json_string_value(v), text) == 0;
}

#define BLANK "\xe2\x96\x81" /* NF_CHARS_BLANK */

/* Prepend U+2581, Replace U+0020 by U+2581: as Llama 2 has them. */
static int read_blanks(struct nf_load *l, const json_t *n, bool prepend)
{
    bool *set = prepend ? &l->t->prepend : &l->t->replace;

    if (prepend && !equals_text(json_object_get(n, "prepend"), BLANK))
        return refuse_component(l, "normalizer Prepend:", "anything but U+2581");
    if (!prepend && (!equals_text(json_object_get(json_object_get(n, "pattern"), "String"), " ") ||
                     !equals_text(json_object_get(n, "content"), BLANK)))
        return refuse_component(l, "normalizer Replace:", "anything but U+0020 by U+2581");
    if (*set)
        return refuse_component(l, "normalizer Sequence: a second", type_of_component(n));
    *set = true;
    return NF_OK;
}

static int read_normalizer(struct nf_load *l, const json_t *n)
{
    const json_t *list = json_object_get(n, "normalizers");
    int rc = NF_OK;

    if (is_off(n))
        return NF_OK;
    if (strcmp(type_of_component(n), "Sequence") == 0) {
        for (size_t i = 0; rc == NF_OK && i < json_array_size(list); i++)
            rc = read_normalizer(l, json_array_get(list, i));
        return rc;
    }
    if (strcmp(type_of_component(n), "Prepend") == 0 || strcmp(type_of_component(n), "Replace") == 0)
        return read_blanks(l, n, strcmp(type_of_component(n), "Prepend") == 0);
    if (strcmp(type_of_component(n), "NFC") != 0)
        return refuse_component(l, "normalizer", type_of_component(n));
    l->t->nfc = true;
    return NF_OK;
}

static int set_pattern(struct nf_load *l, const char *pattern)
{
    if (l->pattern)
        return refuse_component(l, "pre_tokenizer Sequence:", "a second pattern");
    l->pattern = pattern;
    return NF_OK;
}

static int read_split(struct nf_load *l, const json_t *p)
{
    const char *pattern = json_string_value(json_object_get(json_object_get(p, "pattern"), "Regex"));
    const char *behavior = json_string_value(json_object_get(p, "behavior"));

    if (!pattern)
        return refuse_component(l, "pre_tokenizer Split:", "a pattern other than Regex");
    if (!behavior || strcmp(behavior, "Isolated") != 0)
        return refuse_component(l, "pre_tokenizer Split: behavior", behavior ? behavior : "none");
    if (!is_off(json_object_get(p, "invert")))
        return refuse_component(l, "pre_tokenizer Split:", "invert");
    return set_pattern(l, pattern);
}

/*
 * What the pre-tokenizer has been read to hold.  ByteLevel comes last: it is what turns bytes into the vocabulary's alphabet.  Metaspace
 * stands alone.
 */
struct cutting {
    bool level, metaspace;
};

static int read_byte_level(struct nf_load *l, const json_t *p)
{
    const json_t *regex = json_object_get(p, "use_regex");

    if (!is_off(json_object_get(p, "add_prefix_space")))
        return refuse_component(l, "pre_tokenizer ByteLevel:", "add_prefix_space");
    return regex && is_off(regex) ? NF_OK : set_pattern(l, NF_PRETOK_GPT2);
}

/* Older files say add_prefix_space; where the newer prepend_scheme is absent it is "always", and must not be contradicted. */
static int read_metaspace(struct nf_load *l, const json_t *p)
{
    const json_t *scheme = json_object_get(p, "prepend_scheme"), *split = json_object_get(p, "split");

    if (!equals_text(json_object_get(p, "replacement"), BLANK))
        return refuse_component(l, "pre_tokenizer Metaspace: a replacement", "other than U+2581");
    if (!scheme || equals_text(scheme, "always"))
        l->t->front = NF_FRONT_ALWAYS;
    else if (equals_text(scheme, "first"))
        l->t->front = NF_FRONT_FIRST;
    else if (!equals_text(scheme, "never"))
        return refuse_component(l, "pre_tokenizer Metaspace: prepend_scheme",
                                json_is_string(scheme) ? json_string_value(scheme) : "of no name");
    if (json_is_false(json_object_get(p, "add_prefix_space")) && l->t->front != NF_FRONT_NEVER)
        return refuse_component(l, "pre_tokenizer Metaspace:", "add_prefix_space false with a prepend_scheme other than never");
    l->split = !json_is_false(split);
    return NF_OK;
}

static int read_pre_tokenizer(struct nf_load *l, const json_t *p, struct cutting *have)
{
    const json_t *list = json_object_get(p, "pretokenizers");
    int rc = NF_OK;

    if (is_off(p))
        return NF_OK;
    if (strcmp(type_of_component(p), "Sequence") == 0) {
        for (size_t i = 0; rc == NF_OK && i < json_array_size(list); i++)
            rc = read_pre_tokenizer(l, json_array_get(list, i), have);
        return rc;
    }
    if (have->level || have->metaspace)
        return refuse_component(
            l, have->level ? "pre_tokenizer after ByteLevel:" : "pre_tokenizer after Metaspace:", type_of_component(p));
    if (strcmp(type_of_component(p), "Split") == 0)
        return read_split(l, p);
    have->level = strcmp(type_of_component(p), "ByteLevel") == 0;
    have->metaspace = strcmp(type_of_component(p), "Metaspace") == 0;
    if (have->level)
        return read_byte_level(l, p);
    return have->metaspace ? read_metaspace(l, p) : refuse_component(l, "pre_tokenizer", type_of_component(p));
}

/* A template is [BOS,] text: what follows the text is not for a causal model's corpus. */
static int read_template(struct nf_load *l, const json_t *p)
{
    const json_t *single = json_object_get(p, "single"), *bos, *id;
    size_t n = json_array_size(single);
    const char *name;

    if (n < 1 || n > 2 || !json_object_get(json_array_get(single, n - 1), "Sequence"))
        return refuse_component(l, "post_processor TemplateProcessing:", "anything but one token before the text");
    if (n == 1)
        return NF_OK;
    bos = json_object_get(json_array_get(single, 0), "SpecialToken");
    name = json_string_value(json_object_get(bos, "id"));
    id = name ? json_array_get(json_object_get(json_object_get(json_object_get(p, "special_tokens"), name), "ids"), 0) : NULL;
    if (json_array_size(json_object_get(json_object_get(json_object_get(p, "special_tokens"), name ? name : ""), "ids")) > 1)
        return refuse_component(l, "post_processor TemplateProcessing:", "a first token of several ids");
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > NF_TOKEN_ID_MAX)
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: post_processor TemplateProcessing: its first token has no id", l->dir,
                       FILE_NAME);
    l->template_bos = true;
    l->t->bos_id = json_integer_value(id);
    return NF_OK;
}

static int read_post_processor(struct nf_load *l, const json_t *p)
{
    const json_t *list = json_object_get(p, "processors");
    int rc = NF_OK;

    if (is_off(p) || strcmp(type_of_component(p), "ByteLevel") == 0)   /* ByteLevel only trims offsets */
        return NF_OK;
    if (strcmp(type_of_component(p), "TemplateProcessing") == 0)
        return read_template(l, p);
    if (strcmp(type_of_component(p), "Sequence") != 0)
        return refuse_component(l, "post_processor", type_of_component(p));
    for (size_t i = 0; rc == NF_OK && i < json_array_size(list); i++)
        rc = read_post_processor(l, json_array_get(list, i));
    return rc;
}

static int read_added(struct nf_load *l, const json_t *added)
{
    int rc = NF_OK;

    for (size_t i = 0; rc == NF_OK && i < json_array_size(added); i++) {
        const json_t *token = json_array_get(added, i), *id = json_object_get(token, "id");

        if (!json_is_integer(id) || json_integer_value(id) < 0)
            return nf_fail(l->err, NF_EFORMAT, "%s/%s: added token %zu has no id", l->dir, FILE_NAME, i);
        rc = nf_load_added(l, FILE_NAME, token, json_integer_value(id));
    }
    return rc;
}

/* Which of the two kinds of tokenizer.h the parts make; others are refused. */
static int check_kind(struct nf_load *l, struct cutting have)
{
    bool blanks = l->t->prepend || l->t->replace;

    if (have.level) {
        if (blanks || l->byte_fallback)
            return refuse_component(l, "pre_tokenizer ByteLevel with", blanks ? "normalizer Prepend or Replace" : "byte_fallback");
        return l->pattern ? NF_OK : refuse_component(l, "pre_tokenizer", "without a pattern");
    }
    if (!have.metaspace && !l->t->replace)
        return refuse_component(l, "pre_tokenizer", "without ByteLevel or Metaspace");
    if (l->pattern)
        return refuse_component(l, "pre_tokenizer", "Split without ByteLevel");
    if (l->t->prepend && !l->t->replace)
        return refuse_component(l, "normalizer", "Prepend without Replace");
    if (l->t->nfc || l->ignore_merges)
        return refuse_component(l, l->t->nfc ? "normalizer NFC" : "model BPE: ignore_merges", "without ByteLevel");
    return NF_OK;
}

/* "truncation" and "padding" are calling conventions, not part of how a text is cut: they are not looked at.  "decoder" neither. */
int nf_load_tokenizer_json(struct nf_load *l, json_t *root)
{
    struct cutting have = { false, false };
    int rc;

    if ((rc = read_merge_model(l, json_object_get(root, "model"))) < 0 ||
        (rc = read_added(l, json_object_get(root, "added_tokens"))) < 0 ||
        (rc = read_normalizer(l, json_object_get(root, "normalizer"))) < 0 ||
        (rc = read_pre_tokenizer(l, json_object_get(root, "pre_tokenizer"), &have)) < 0 ||
        (rc = read_post_processor(l, json_object_get(root, "post_processor"))) < 0)
        return rc;
    return check_kind(l, have);
}
