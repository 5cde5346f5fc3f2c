/* merges.c - merges from scores: all splits, sorted. */
#include "token/merges.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

/* A candidate: tokens[whole] = tokens[left] + tokens[right]. */
struct split {
    float score;
    uint32_t left_chars, right_chars;
    uint32_t whole, left, right; /* ids */
    uint32_t order; /* of `whole` among the tokens: where its text stands first */
};

struct splits {
    struct split *list;
    size_t n, cap;
};

static int compare_splits(const void *pa, const void *pb)
{
    const struct split *a = pa, *b = pb;

    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    if (a->left_chars != b->left_chars)
        return a->left_chars > b->left_chars ? -1 : 1;
    if (a->right_chars != b->right_chars)
        return a->right_chars > b->right_chars ? -1 : 1;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    if (a->left != b->left)
        return a->left < b->left ? -1 : 1;
    return (a->right > b->right) - (a->right < b->right);
}

static int64_t find_id(const json_t *ids, const char *text, size_t n)
{
    const json_t *id = json_object_getn(ids, text, n);

    return id ? json_integer_value(id) : -1;
}

static uint32_t count_side_chars(const char *p, size_t n)
{
    uint32_t chars = 0;

    for (size_t i = 0; i < n; i++)
        chars += ((unsigned char)p[i] & 0xc0) != 0x80;
    return chars;
}

/* All splits of one token whose sides are tokens. */
static int add_splits(const json_t *ids, const char *text, struct split s, struct splits *out, struct nf_err *err)
{
    size_t n = strlen(text);

    for (size_t i = 1; i < n; i++) {
        int64_t left, right;

        if (((unsigned char)text[i] & 0xc0) == 0x80 || (left = find_id(ids, text, i)) < 0 ||
            (right = find_id(ids, text + i, n - i)) < 0)
            continue;
        s.left = (uint32_t)left;
        s.right = (uint32_t)right;
        s.left_chars = count_side_chars(text, i);
        s.right_chars = count_side_chars(text + i, n - i);
        if (nf_grow(&out->list, &out->cap, out->n + 1, sizeof *out->list, err) < 0)
            return NF_ESYS;
        out->list[out->n++] = s;
    }
    return NF_OK;
}

static json_t *index_tokens(const char *const *tokens, const float *scores, size_t n, struct nf_err *err)
{
    json_t *ids = json_object();

    for (size_t i = 0; ids && i < n; i++) {
        size_t len = strlen(tokens[i]);

        bool valid = nf_utf8_valid((const unsigned char *)tokens[i], len) == len;

        if (!valid || isnan(scores[i])) {
            nf_fail(err, NF_EFORMAT, valid ? "token %zu: its score is no number" : "token %zu is no UTF-8", i);
            json_decref(ids);
            return NULL;
        }
        json_object_set_new(ids, tokens[i], json_integer((json_int_t)i));
    }
    return ids;
}

static json_t *list_merges(const char *const *tokens, const struct splits *s)
{
    json_t *merges = json_array();

    for (size_t i = 0; i < s->n; i++)
        json_array_append_new(merges, json_pack("[ss]", tokens[s->list[i].left], tokens[s->list[i].right]));
    return merges;
}

json_t *nf_merges_from_scores(const char *const *tokens, const float *scores, size_t n, struct nf_err *err)
{
    json_t *ids = index_tokens(tokens, scores, n, err), *merges = NULL, *id;
    struct splits s = { 0 };
    const char *text;
    uint32_t order = 0;
    int rc = ids ? NF_OK : NF_EFORMAT;

    json_object_foreach (ids, text, id) { /* in the order in which they were set first */
        uint32_t whole = (uint32_t)json_integer_value(id);

        if (rc == NF_OK)
            rc = add_splits(ids, text, (struct split){ .score = scores[whole], .whole = whole, .order = order++ }, &s, err);
    }
    if (rc == NF_OK) {
        qsort(s.list, s.n, sizeof *s.list, compare_splits);
        merges = list_merges(tokens, &s);
    }
    if (nf_json_starved()) {
        nf_fail(err, NF_ESYS, "out of memory");
        json_decref(merges);
        merges = NULL;
    }
    free(s.list);
    json_decref(ids);
    return merges;
}
