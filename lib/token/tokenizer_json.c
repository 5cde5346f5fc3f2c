/* tokenizer_json.c - the model and the post_processor of a tokenizer.json; what is not implemented is refused by name. */
#include <stdlib.h>
#include <string.h>

#include "base/par.h"
#include "token/load.h"

static const char FILE_NAME[] = "tokenizer.json";

/* ---- vocabularies ---- */

/* token -> id */
static int read_vocab_object(struct nf_load *l, json_t *vocab)
{
    const char *token;
    json_t *id;

    if (!json_is_object(vocab))
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: the vocabulary is not an object", l->dir, FILE_NAME);
    json_object_foreach (vocab, token, id)
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > NF_TOKEN_ID_MAX)
            return nf_fail(l->err, NF_EFORMAT, "%s/%s: token \"%s\": its id is not an integer from 0 to %d", l->dir, FILE_NAME,
                           token, (int)NF_TOKEN_ID_MAX);
    l->vocab = json_incref(vocab);
    l->model_size = json_object_size(vocab);
    return NF_OK;
}

static const json_t *find_side(struct nf_load *l, size_t rank, const char *text, size_t n)
{
    const json_t *id = json_object_getn(l->vocab, text, n);

    if (!id)
        nf_fail(l->err, NF_EFORMAT, "%s/%s: merge %zu: \"%.*s\" is not in the vocabulary", l->dir, FILE_NAME, rank,
                (int)nf_min(n, 100), text);
    return id;
}

static int add_merge(struct nf_load *l, size_t rank, const char *left, size_t left_n, const char *right, size_t right_n)
{
    char both[4096];
    const json_t *a, *b, *ab;
    struct nf_merge m;

    if (!left_n || !right_n || left_n + right_n > sizeof both)
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: merge %zu: two tokens of together at most %zu bytes are expected", l->dir,
                       FILE_NAME, rank, sizeof both);
    memcpy(both, left, left_n);
    memcpy(both + left_n, right, right_n);
    a = find_side(l, rank, left, left_n);
    b = a ? find_side(l, rank, right, right_n) : NULL;
    ab = b ? find_side(l, rank, both, left_n + right_n) : NULL;
    if (!ab)
        return NF_EFORMAT;
    m = (struct nf_merge){ (uint32_t)json_integer_value(a), (uint32_t)json_integer_value(b), (uint32_t)json_integer_value(ab) };
    return nf_bpe_add(&l->t->bpe, m, l->err);
}

/* "left right", or [left, right]. */
static int read_merge(struct nf_load *l, size_t rank, const json_t *m)
{
    const json_t *a = json_array_get(m, 0), *b = json_array_get(m, 1);
    const char *s = json_string_value(m), *space = s ? strchr(s, ' ') : NULL;

    if (space && strchr(space + 1, ' '))
        space = NULL;
    if (json_is_string(a) && json_is_string(b) && json_array_size(m) == 2)
        return add_merge(l, rank, json_string_value(a), json_string_length(a), json_string_value(b), json_string_length(b));
    if (space)
        return add_merge(l, rank, s, (size_t)(space - s), space + 1, strlen(space + 1));
    return nf_fail(l->err, NF_EFORMAT, "%s/%s: merge %zu: neither \"left right\" nor [left, right]", l->dir, FILE_NAME, rank);
}

static int read_bpe(struct nf_load *l, const json_t *model)
{
    static const char *const off[] = { "dropout", "continuing_subword_prefix", "end_of_word_suffix", NULL };
    const json_t *merges = json_object_get(model, "merges");
    int rc = NF_OK;

    for (const char *const *f = off; *f && rc == NF_OK; f++)
        if (!nf_load_is_off(json_object_get(model, *f)))
            rc = nf_load_refuse(l, "model BPE:", *f);
    l->t->model = NF_MODEL_BPE_CHARS;
    l->unk = json_string_value(json_object_get(model, "unk_token"));
    l->fuse_unk = !nf_load_is_off(json_object_get(model, "fuse_unk"));
    l->byte_fallback = !nf_load_is_off(json_object_get(model, "byte_fallback"));
    l->ignore_merges = !nf_load_is_off(json_object_get(model, "ignore_merges"));
    if (rc == NF_OK)
        rc = read_vocab_object(l, json_object_get(model, "vocab"));
    if (rc == NF_OK && !json_is_array(merges))
        rc = nf_fail(l->err, NF_EFORMAT, "%s/%s: no merges", l->dir, FILE_NAME);
    for (size_t i = 0, rank = 0; rc == NF_OK && i < json_array_size(merges); i++) {
        const char *line = json_string_value(json_array_get(merges, i));

        if (!line || strncmp(line, "#version", 8) != 0)
            rc = read_merge(l, rank++, json_array_get(merges, i));
    }
    return rc;
}

/* [[token, score], ..] by id */
static int read_unigram(struct nf_load *l, const json_t *model)
{
    const json_t *vocab = json_object_get(model, "vocab"), *unk = json_object_get(model, "unk_id");
    size_t n = json_array_size(vocab);
    int rc = NF_OK;

    l->t->model = NF_MODEL_UNIGRAM;
    l->byte_fallback = !nf_load_is_off(json_object_get(model, "byte_fallback"));
    l->vocab = json_object();
    l->model_size = n;
    l->t->unigram = nf_unigram_open(l->err);
    if (!l->t->unigram || !l->vocab)
        return nf_fail(l->err, NF_ESYS, "out of memory");
    if (!json_is_array(vocab) || n > NF_TOKEN_ID_MAX)
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: the vocabulary is not an array of at most %d tokens", l->dir, FILE_NAME,
                       (int)NF_TOKEN_ID_MAX);
    for (size_t i = 0; i < n && rc == NF_OK; i++) {
        const json_t *text = json_array_get(json_array_get(vocab, i), 0), *score = json_array_get(json_array_get(vocab, i), 1);

        if (!json_is_string(text) || !json_is_number(score))
            return nf_fail(l->err, NF_EFORMAT, "%s/%s: token %zu is not [text, score]", l->dir, FILE_NAME, i);
        rc = nf_unigram_add(l->t->unigram, json_string_value(text), json_string_length(text), json_number_value(score), l->err);
        json_object_setn_new(l->vocab, json_string_value(text), json_string_length(text), json_integer((json_int_t)i));
    }
    if (rc == NF_OK && json_is_integer(unk) && (json_integer_value(unk) < 0 || (size_t)json_integer_value(unk) >= n))
        rc = nf_fail(l->err, NF_EFORMAT, "%s/%s: unk_id %lld: no token has it", l->dir, FILE_NAME,
                     (long long)json_integer_value(unk));
    nf_unigram_set(l->t->unigram, json_is_integer(unk) ? (uint32_t)json_integer_value(unk) : NF_UNIGRAM_NONE, l->byte_fallback);
    return rc;
}

static int read_wordpiece(struct nf_load *l, const json_t *model)
{
    struct nf_wordpiece *w = &l->t->wordpiece;
    const json_t *prefix = json_object_get(model, "continuing_subword_prefix"),
                 *most = json_object_get(model, "max_input_chars_per_word");
    const char *token, *unk = json_string_value(json_object_get(model, "unk_token")), *before = json_string_value(prefix);
    int rc = read_vocab_object(l, json_object_get(model, "vocab"));
    int64_t unk_id;
    json_t *id;

    l->t->model = NF_MODEL_WORDPIECE;
    if (rc != NF_OK)
        return rc;
    unk = unk ? unk : "[UNK]";
    unk_id = nf_load_id(l, unk, strlen(unk));
    if (unk_id < 0)
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: model WordPiece: unk_token %s is not in the vocabulary", l->dir, FILE_NAME, unk);
    w->unk = (uint32_t)unk_id;
    w->max_chars = json_is_integer(most) ? (size_t)json_integer_value(most) : 100;
    before = before ? before : "##";
    rc = nf_bytes_add(&w->prefix, before, strlen(before), l->err);
    json_object_foreach (l->vocab, token, id)
        if (rc == NF_OK && *token)
            rc = nf_whole_add(&w->vocab, token, strlen(token), (uint32_t)json_integer_value(id), l->err);
    return rc == NF_OK ? nf_whole_index(&w->vocab, l->err) : rc;
}

/* Old files have no type. */
static int read_model(struct nf_load *l, const json_t *model)
{
    const char *type = json_string_value(json_object_get(model, "type"));

    if (!json_is_object(model))
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: no model", l->dir, FILE_NAME);
    if (!type)
        type = json_is_array(json_object_get(model, "vocab")) ? "Unigram" : "BPE";
    if (strcmp(type, "BPE") == 0)
        return read_bpe(l, model);
    if (strcmp(type, "Unigram") == 0)
        return read_unigram(l, model);
    if (strcmp(type, "WordPiece") == 0)
        return read_wordpiece(l, model);
    return nf_load_refuse(l, "model", type);
}

/* ---- what comes before and behind a text ---- */

/* A token of the template: one before the text is BOS, those behind it are put there. */
static int put_template_token(struct nf_load *l, const json_t *id, bool behind)
{
    struct nf_tokenizer *t = l->t;

    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > NF_TOKEN_ID_MAX)
        return nf_fail(l->err, NF_EFORMAT, "%s/%s: post_processor: a token without an id", l->dir, FILE_NAME);
    if (behind && t->n_after == NF_AFTER_MAX)
        return nf_load_refuse(l, "post_processor:", "that many tokens behind a text");
    if (behind) {
        t->after[t->n_after++] = (uint32_t)json_integer_value(id);
        return NF_OK;
    }
    if (l->template_bos)
        return nf_load_refuse(l, "post_processor:", "two tokens before a text");
    l->template_bos = true;
    t->bos_id = json_integer_value(id);
    return NF_OK;
}

static int read_template(struct nf_load *l, const json_t *p)
{
    const json_t *single = json_object_get(p, "single"), *tokens = json_object_get(p, "special_tokens");
    bool behind = false;
    int rc = NF_OK;

    for (size_t i = 0; i < json_array_size(single) && rc == NF_OK; i++) {
        const json_t *piece = json_array_get(single, i), *token = json_object_get(piece, "SpecialToken");
        const char *name = json_string_value(json_object_get(token, "id"));
        const json_t *ids = json_object_get(json_object_get(tokens, name ? name : ""), "ids");

        if (!token && behind)
            return nf_load_refuse(l, "post_processor TemplateProcessing:", "a text that comes twice");
        behind |= !token;
        if (token && json_array_size(ids) == 0)
            return nf_fail(l->err, NF_EFORMAT, "%s/%s: post_processor TemplateProcessing: token %s has no id", l->dir, FILE_NAME,
                           name ? name : "without a name");
        for (size_t k = 0; token && k < json_array_size(ids) && rc == NF_OK; k++)
            rc = put_template_token(l, json_array_get(ids, k), behind);
    }
    return rc == NF_OK && !behind ? nf_load_refuse(l, "post_processor TemplateProcessing:", "no text") : rc;
}

/* RoBERTa's and BERT's: cls text sep, each [token, id]. */
static int read_pair(struct nf_load *l, const json_t *p)
{
    int rc = put_template_token(l, json_array_get(json_object_get(p, "cls"), 1), false);

    return rc == NF_OK ? put_template_token(l, json_array_get(json_object_get(p, "sep"), 1), true) : rc;
}

static int read_post_processor(struct nf_load *l, const json_t *p)
{
    const json_t *list = json_object_get(p, "processors");
    const char *type = nf_load_type(p);
    int rc = NF_OK;

    if (nf_load_is_off(p) || strcmp(type, "ByteLevel") == 0) /* ByteLevel only trims offsets */
        return NF_OK;
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(l, p);
    if (strcmp(type, "RobertaProcessing") == 0 || strcmp(type, "BertProcessing") == 0)
        return read_pair(l, p);
    if (strcmp(type, "Sequence") != 0)
        return nf_load_refuse(l, "post_processor", type);
    for (size_t i = 0; rc == NF_OK && i < json_array_size(list); i++)
        rc = read_post_processor(l, json_array_get(list, i));
    return rc;
}

/* "truncation" and "padding" are calling conventions, not part of how a text is cut: they are not looked at.  "decoder" neither. */
int nf_load_parts(struct nf_load *l, const json_t *root)
{
    const json_t *post = json_object_get(root, "post_processor");
    int rc = read_model(l, json_object_get(root, "model"));

    l->post_processor = !nf_load_is_off(post);
    if (rc == NF_OK)
        rc = nf_load_steps(l, root);
    if (rc == NF_OK)
        rc = read_post_processor(l, post);
    return rc == NF_OK ? nf_load_refusals(l, FILE_NAME) : rc;
}
