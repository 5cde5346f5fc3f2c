/* test_bpe.c - lib/token/bpe, pack, pretok: merging against the definition, windows, pieces. */
#include "check.h"

#include <stdlib.h>

#include "base/rng.h"
#include "token/bpe.h"
#include "token/pack.h"
#include "token/pretok.h"

enum { MOST = 2000 };

/* The definition, word for word: merge the leftmost pair of lowest rank until there is none. */
static size_t by_definition(const struct nf_bpe *b, const unsigned char *p, size_t n, uint32_t *ids)
{
    for (size_t i = 0; i < n; i++)
        ids[i] = b->byte[p[i]];
    for (;;) {
        size_t best_rank = b->n, best = 0;

        for (size_t i = 0; i + 1 < n; i++)
            for (size_t r = 0; r < best_rank; r++)
                if (b->merges[r].left == ids[i] && b->merges[r].right == ids[i + 1]) {
                    best_rank = r;
                    best = i;
                }
        if (best_rank == b->n)
            return n;
        ids[best] = b->merges[best_rank].id;
        memmove(ids + best + 1, ids + best + 2, (n - best - 2) * sizeof *ids);
        n--;
    }
}

/* Random merges over the letters a to d: longer and longer tokens, each pair once; the ranks are in no order that makes sense of them. */
static void make_table(struct nf_bpe *b, struct nf_rng *rng, size_t merges)
{
    uint32_t V = 256;

    for (uint32_t i = 0; i < 256; i++)
        b->byte[i] = i;
    while (b->n < merges) {
        uint32_t left = (uint32_t)nf_rng_below(rng, V - 252), right = (uint32_t)nf_rng_below(rng, V - 252);
        struct nf_merge m = { left < 4 ? 'a' + left : left + 252, right < 4 ? 'a' + right : right + 252, V };
        bool known = false;

        for (size_t i = 0; i < b->n; i++)
            known |= b->merges[i].left == m.left && b->merges[i].right == m.right;
        if (known)
            continue;
        CHECK(nf_bpe_add(b, m, NULL) == NF_OK);
        V++;
    }
    CHECK(nf_bpe_index(b, NULL) == NF_OK);
}

static void merging_is_its_definition(void)
{
    static unsigned char text[MOST];
    static uint32_t want[MOST], got[MOST];
    struct nf_rng rng = { 1 };
    struct nf_bpe_work work = { 0 };
    size_t made, bad = 0;

    for (int table = 0; table < 20; table++) {
        struct nf_bpe b = { 0 };

        make_table(&b, &rng, 1 + 5 * (size_t)table);
        for (int round = 0; round < 60; round++) {
            size_t n = round < 50 ? 1 + nf_rng_below(&rng, 2 * NF_BPE_SHORT) : 1 + nf_rng_below(&rng, 400),
                   letters = 1 + nf_rng_below(&rng, 4), len;

            for (size_t i = 0; i < n; i++)
                text[i] = (unsigned char)('a' + nf_rng_below(&rng, letters));
            len = by_definition(&b, text, n, want);
            CHECK(nf_bpe_encode(&b, text, n, &work, got, &made, NULL) == NF_OK);
            bad += made != len || memcmp(got, want, len * sizeof *got) != 0;
        }
        nf_bpe_clear(&b);
    }
    CHECK(bad == 0);
    nf_bpe_work_clear(&work);
}

static void a_byte_without_token_is_refused(void)
{
    struct nf_bpe b = { 0 };
    struct nf_bpe_work work = { 0 };
    struct nf_err err = NF_ERR_INIT;
    uint32_t ids[8];
    size_t made;

    b.byte[0xc0] = NF_BPE_NO_BYTE;
    CHECK(nf_bpe_index(&b, NULL) == NF_OK);
    CHECK(nf_bpe_encode(&b, (const unsigned char *)"a\xc0", 2, &work, ids, &made, &err) == NF_EFORMAT);
    CHECK(strstr(err.text, "0xc0") != NULL);
    nf_bpe_clear(&b);
}

static void pack_one(struct nf_pack *p, size_t n, const char *want)
{
    uint32_t ids[64];
    char got[256] = "";
    size_t from = 0, used, at = 0;

    for (size_t i = 0; i < n; i++)
        ids[i] = (uint32_t)(i == 0 && n % 10 == 7 ? 2 : 10 + i);   /* seven tokens: the first is BOS */
    nf_pack_begin(p);
    while (nf_pack_next(p, ids + from, n - from, true, &used) == NF_OK) {
        from += used;
        at += (size_t)snprintf(got + at, sizeof got - at, "%llu@%llu:", (unsigned long long)p->windows - 1,
                               (unsigned long long)p->start);
        for (size_t i = 0; i < p->T; i++)
            at += (size_t)snprintf(got + at, sizeof got - at, "%u%s", (unsigned)p->ids[i], i + 1 < p->T ? "," : " ");
    }
    if (strcmp(got, want) != 0)
        printf("# %zu tokens: [%s], wanted [%s]\n", n, got, want);
    CHECK(strcmp(got, want) == 0);
}

static void windows_begin_with_one_bos(void)
{
    struct nf_pack p = { .context = 4, .bos = true, .bos_id = 2 };

    CHECK(nf_pack_init(&p, NULL) == NF_OK);
    pack_one(&p, 0, "");
    pack_one(&p, 3, "0@0:2,10,11,12 ");
    pack_one(&p, 5, "0@0:2,10,11,12 1@3:2,13,14 ");
    pack_one(&p, 7, "0@1:2,11,12,13 1@4:2,14,15,16 ");   /* the text's own BOS is not doubled */
    p.full_only = true;
    pack_one(&p, 5, "0@0:2,10,11,12 ");
    pack_one(&p, 2, "");
    nf_pack_clear(&p);
}

static void windows_without_bos(void)
{
    struct nf_pack p = { .context = 3 };

    CHECK(nf_pack_init(&p, NULL) == NF_OK);
    pack_one(&p, 3, "0@0:10,11,12 ");
    pack_one(&p, 7, "0@0:2,11,12 1@3:13,14,15 2@6:16 ");
    p.full_only = true;
    pack_one(&p, 4, "0@0:10,11,12 ");
    nf_pack_clear(&p);
}

static void a_window_waits_for_its_tokens(void)
{
    struct nf_pack p = { .context = 4, .bos = true, .bos_id = 2 };
    const uint32_t ids[] = { 2, 5, 6, 7 };
    size_t used = 9;

    CHECK(nf_pack_init(&p, NULL) == NF_OK);
    nf_pack_begin(&p);
    CHECK(nf_pack_next(&p, ids, 3, false, &used) == NF_EOF && used == 0);
    CHECK(nf_pack_next(&p, ids, 4, false, &used) == NF_OK && used == 4 && p.T == 4 && p.start == 1);
    CHECK(nf_pack_next(&p, ids, 0, true, &used) == NF_EOF);
    CHECK(nf_pack_next(&p, ids, 1, true, &used) == NF_EOF && used == 1);   /* BOS alone is no window */
    nf_pack_clear(&p);
}

static void pieces(const char *pattern, const char *text, size_t n, const char *want)
{
    struct nf_pretok *p = nf_pretok_open(pattern, NULL);
    struct nf_pretok_match *m = nf_pretok_match_open(p, NULL);
    char got[256] = "";
    size_t at = 0, end, from;

    for (from = 0; from < n && nf_pretok_next(p, m, (const unsigned char *)text, n, from, true, &end, NULL) == NF_OK; from = end)
        at += (size_t)snprintf(got + at, sizeof got - at, "%zu ", end - from);
    if (strcmp(got, want) != 0)
        printf("# [%s]: [%s], wanted [%s]\n", text, got, want);
    CHECK(strcmp(got, want) == 0);
    nf_pretok_match_close(m);
    nf_pretok_close(p);
}

static void text_is_cut_as_gpt2_does(void)
{
    pieces(NF_PRETOK_GPT2, "It's 42  dogs!\n\n x ", 19, "2 2 3 1 5 1 2 2 1 ");
    pieces(NF_PRETOK_GPT2, "\xe1\xa0\x8e!", 4, "4 ");              /* U+180E is no space: Unicode 6.3 */
    pieces(NF_PRETOK_GPT2,
           "a\xc2\x85\xe2\x80\xa8"
           "b",
           7, "1 2 3 1 "); /* U+0085, U+2028 are */
    pieces("\\p{L}+", "ab12cd", 6, "2 2 2 ");                      /* what does not match is a piece too */
}

static void a_piece_waits_for_what_could_change_it(void)
{
    struct nf_pretok *p = nf_pretok_open(NF_PRETOK_GPT2, NULL);
    struct nf_pretok_match *m = nf_pretok_match_open(p, NULL);
    size_t end = 0;

    CHECK(nf_pretok_next(p, m, (const unsigned char *)"ab", 2, 0, false, &end, NULL) == NF_EOF);
    CHECK(nf_pretok_next(p, m, (const unsigned char *)"ab ", 3, 0, false, &end, NULL) == NF_OK && end == 2);
    CHECK(nf_pretok_next(p, m, (const unsigned char *)"  ", 2, 0, false, &end, NULL) == NF_EOF);
    CHECK(nf_pretok_next(p, m, (const unsigned char *)"'r", 2, 0, false, &end, NULL) == NF_EOF);
    CHECK(nf_pretok_next(p, m, (const unsigned char *)"'r", 2, 0, true, &end, NULL) == NF_OK && end == 1);
    nf_pretok_match_close(m);
    nf_pretok_close(p);
}

static void patterns_that_engines_read_differently_are_refused(void)
{
    static const char *const bad[] = { "\\w+", "a$", "^a", "(?<=a)b", "[a&&b]", "[a[bc]]", "[^\\S]", "(", "\\bx" };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct nf_err err = NF_ERR_INIT;

        CHECK(nf_pretok_open(bad[i], &err) == NULL);
        CHECK(err.code == NF_EFORMAT);
    }
}

int main(void)
{
    return RUN(merging_is_its_definition, a_byte_without_token_is_refused, windows_begin_with_one_bos, windows_without_bos,
               a_window_waits_for_its_tokens, text_is_cut_as_gpt2_does, a_piece_waits_for_what_could_change_it,
               patterns_that_engines_read_differently_are_refused);
}
