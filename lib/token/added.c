/* added.c - find added tokens in text. */
#include "token/added.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "base/alloc.h"
#include "base/par.h"
#include "base/utf8.h"
#include "token/convert.h"

int nf_added_add(struct nf_added *a, const struct nf_added_token *t, struct nf_err *err)
{
    char *text = nf_alloc(t->n + 1, 1, err);

    if (!text || nf_grow(&a->tokens, &a->cap, a->n + 1, sizeof *a->tokens, err) < 0) {
        free(text);
        return NF_ESYS;
    }
    memcpy(text, t->text, t->n);
    a->tokens[a->n] = *t;
    a->tokens[a->n++].text = text;
    return NF_OK;
}

/* A token and where it stood. */
struct placed {
    struct nf_added_token t;
    size_t place;
};

static int compare_placed(const void *pa, const void *pb)
{
    const struct placed *a = pa, *b = pb;
    int order = memcmp(a->t.text, b->t.text, nf_min(a->t.n, b->t.n));

    if (order == 0 && a->t.n != b->t.n)
        order = a->t.n < b->t.n ? -1 : 1;
    return order ? order : (a->place > b->place) - (a->place < b->place);
}

/* By bytes, a text before those that it begins; of equal ones the last. */
static int sort_tokens(struct nf_added *a, struct nf_err *err)
{
    struct placed *all = nf_alloc(a->n, sizeof *all, err);
    size_t n = 0;

    if (!all)
        return NF_ESYS;
    for (size_t i = 0; i < a->n; i++)
        all[i] = (struct placed){ a->tokens[i], i };
    qsort(all, a->n, sizeof *all, compare_placed);
    for (size_t i = 0; i < a->n; i++) {
        bool again = i + 1 < a->n && all[i].t.n == all[i + 1].t.n && memcmp(all[i].t.text, all[i + 1].t.text, all[i].t.n) == 0;

        if (again)
            free(all[i].t.text);
        else
            a->tokens[n++] = all[i].t;
    }
    a->n = n;
    free(all);
    return NF_OK;
}

int nf_added_index(struct nf_added *a, struct nf_err *err)
{
    size_t i = 0;

    if (a->n && sort_tokens(a, err) < 0)
        return NF_ESYS;
    for (size_t b = 0; b <= 256; b++) {
        while (i < a->n && (unsigned char)a->tokens[i].text[0] < b)
            i++;
        a->first[b] = i;
    }
    memset(a->second, 0, sizeof a->second);
    for (i = 0; i < a->n; i++) {
        const struct nf_added_token *t = &a->tokens[i];
        const unsigned char *p = (const unsigned char *)t->text;

        a->longest = nf_max(a->longest, t->n);
        a->any_word |= t->single_word;
        a->any_lstrip |= t->lstrip;
        if (t->n == 1)
            memset(a->second[p[0]], 0xff, sizeof a->second[0]);
        else
            a->second[p[0]][p[1] / 8] |= (unsigned char)(1 << p[1] % 8);
    }
    return NF_OK;
}

void nf_added_clear(struct nf_added *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->tokens[i].text);
    free(a->tokens);
    *a = (struct nf_added){ 0 };
}

/* The first of tokens[low .. high) whose byte `at` is not below b; all of them have more than `at` bytes and are equal before it. */
static size_t lower_bound(const struct nf_added *a, size_t low, size_t high, size_t at, unsigned b)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if ((unsigned char)a->tokens[middle].text[at] < b)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest token that p[0..n) begins with: those that agree so far are a range, which each byte narrows. */
static const struct nf_added_token *match_longest(const struct nf_added *a, const unsigned char *p, size_t n)
{
    const struct nf_added_token *best = NULL;
    size_t low = a->first[*p], high = a->first[*p + 1];

    for (size_t at = 1; low < high; at++) {
        if (a->tokens[low].n == at)
            best = &a->tokens[low++];
        if (at == n)
            break;
        low = lower_bound(a, low, high, at, p[at]);
        high = lower_bound(a, low, high, at, p[at] + 1u);
    }
    return best;
}

/*
 * The first token at or after p[*from].  Without one *from is up to where it is certain that none begins: unless the sequence ends at n the
 * longest token might not be whole yet.
 */
static const struct nf_added_token *find_token(const struct nf_added *a, const unsigned char *p, size_t n, bool ends, size_t *from)
{
    size_t i = *from, stop = n;

    if (!a->n) {
        *from = n;
        return NULL;
    }
    if (!ends)
        stop = n > a->longest - 1 ? n - (a->longest - 1) : 0;
    for (; i < stop; i++) {
        const struct nf_added_token *t;

        if (a->first[p[i]] == a->first[p[i] + 1] || (i + 1 < n && !(a->second[p[i]][p[i + 1] / 8] >> p[i + 1] % 8 & 1)))
            continue;
        t = match_longest(a, p + i, n - i);
        if (t) {
            *from = i;
            return t;
        }
    }
    *from = nf_max(i, *from);
    return NULL;
}

/* A word character as the regex crate has it: Alphabetic, marks, decimal digits, connectors, joiners. */
static bool is_word(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default: /* the circled letters; ZWNJ, ZWJ */
        return (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) || (c >= 0x1f150 && c <= 0x1f169) ||
               (c >= 0x1f170 && c <= 0x1f189) || c == 0x200c || c == 0x200d;
    }
}

static size_t char_before(const unsigned char *p, size_t at)
{
    size_t i = at - 1;

    while (i && (p[i] & 0xc0) == 0x80)
        i--;
    return i;
}

/* Is p[from .. to) in the middle of a word? */
static bool inside_word(const unsigned char *p, size_t n, size_t from, size_t to)
{
    uint32_t c;

    if (from && nf_utf8_decode(p + char_before(p, from), n, &c) && is_word(c))
        return true;
    return to < n && nf_utf8_decode(p + to, n - to, &c) && is_word(c);
}

static size_t spaces_before(const unsigned char *p, size_t low, size_t at)
{
    uint32_t c;

    while (at > low) {
        size_t i = char_before(p, at);

        if (i < low || nf_utf8_decode(p + i, at - i, &c) != at - i || !nf_is_space(c))
            break;
        at = i;
    }
    return at;
}

static size_t spaces_behind(const unsigned char *p, size_t at, size_t n)
{
    uint32_t c;
    size_t len;

    while (at < n && (len = nf_utf8_decode(p + at, n - at, &c)) && nf_is_space(c))
        at += len;
    return at;
}

/*
 * The next token that counts, from s->from on: *start is where the text before it ends.  NULL: none that is certain; then text before
 * *start belongs to no token.
 */
static const struct nf_added_token *find_next(struct nf_added_scan *s, const unsigned char *p, size_t n, bool ends, size_t *start)
{
    const struct nf_added_token *t;

    while ((t = find_token(s->set, p, n, ends, &s->from))) {
        size_t end = s->from + t->n, stop = end;
        bool sure = true;

        if (t->rstrip)
            stop = spaces_behind(p, end, n);
        if (t->rstrip || t->single_word) /* what comes behind decides */
            sure = ends || stop < n;
        *start = t->lstrip ? spaces_before(p, nf_min(s->at, s->from), s->from) : s->from;
        if (!sure)
            return NULL;
        if ((t->special && s->text_only) || (t->single_word && inside_word(p, n, s->from, end))) {
            s->from = end;
            continue;
        }
        s->token_end = end;
        s->token_stop = stop;
        s->token_empty = t->lstrip && stop <= nf_max(*start, s->at); /* the one before it took it all */
        return t;
    }
    *start = s->from;
    return NULL;
}

/* Text that is certain ends with a whole character, and, where a token could take it, with no blank. */
static size_t certain_text(const struct nf_added_scan *s, const unsigned char *p, size_t n, size_t end)
{
    while (end < n && end > s->at && (p[end] & 0xc0) == 0x80)
        end--;
    return s->set->any_lstrip ? spaces_before(p, nf_min(s->at, end), end) : end;
}

int nf_added_next(struct nf_added_scan *s, const unsigned char *p, size_t n, bool ends, struct nf_added_part *part)
{
    size_t end;

    if (!s->token) {
        s->token = find_next(s, p, n, ends, &end);
        if (!s->token && ends)
            end = n;
        else if (!s->token)
            end = certain_text(s, p, n, end);
        *part = (struct nf_added_part){ NULL, s->at, end > s->at ? end - s->at : 0, s->token || ends };
        if (part->n || (part->whole && s->begun)) {
            if (!part->whole && s->offered)
                return NF_EOF;
            s->offered = true;
            return NF_OK;
        }
        if (!s->token)
            return NF_EOF;
    }
    *part = (struct nf_added_part){ s->token, s->from, 0, true };
    s->at = s->token_stop;
    s->from = s->token_end;
    s->begun = s->offered = false;
    s->token = NULL;
    return s->token_empty ? nf_added_next(s, p, n, ends, part) : NF_OK;
}

void nf_added_took(struct nf_added_scan *s, size_t n, bool whole)
{
    s->at += n;
    s->begun = !whole;
}

/* A character before the place stays where a token looks at it. */
size_t nf_added_used(struct nf_added_scan *s, const unsigned char *p)
{
    size_t used = nf_min(s->at, s->from);

    if (used && s->set->any_word)
        used = char_before(p, used);
    s->at -= used;
    s->from -= used;
    s->offered = false;
    return used;
}

void nf_added_reset(struct nf_added_scan *s)
{
    *s = (struct nf_added_scan){ .set = s->set, .text_only = s->text_only };
}
