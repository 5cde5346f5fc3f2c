/* test_bpe.c - lib/token/bpe, chars, whole, pack: merging and cutting against their definitions, windows. */
#include "check.h"

#include <stdlib.h>

#include "base/rng.h"
#include "base/utf8.h"
#include "token/bpe.h"
#include "token/chars.h"
#include "token/pack.h"
#include "token/whole.h"

enum { MOST = 2000 };

/* The definition, word for word: merge the leftmost pair of lowest rank until there is none. */
static size_t by_definition(const struct nf_bpe *b, size_t n, uint32_t *ids)
{
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

static bool has_pair(const struct nf_bpe *b, const struct nf_merge *m)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->merges[i].left == m->left && b->merges[i].right == m->right)
            return true;
    return false;
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

        if (has_pair(b, &m))
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
            for (size_t i = 0; i < n; i++)
                want[i] = b.byte[text[i]];
            len = by_definition(&b, n, want);
            CHECK(nf_bpe_encode(&b, text, n, &work, got, &made, NULL) == NF_OK);
            bad += made != len || memcmp(got, want, len * sizeof *got) != 0;
        }
        nf_bpe_clear(&b);
    }
    CHECK(bad == 0);
    nf_bpe_work_clear(&work);
}

/* The characters of the vocabularies below, and their ids; CHARS of them have a token, the last two of `texts` do not. */
enum { CHARS = 6 };
static const uint32_t some_chars[CHARS] = { NF_CHARS_BLANK, 'a', 'b', 0xe9, 0x4e16, 0x1f600 };
static const char *const texts[] = { " ", "a", "b", "\xc3\xa9", "\xe4\xb8\x96", "\xf0\x9f\x98\x80", "\xe2\x96\x81", "c", "\xff" };

/* Random merges over these characters: first[id], last[id] are the ends of what a token stands for. */
static void make_chars(struct nf_bpe *b, struct nf_chars *c, struct nf_rng *rng, size_t merges)
{
    uint32_t first[200], last[200], V = CHARS;

    for (uint32_t i = 0; i < CHARS; i++) {
        first[i] = last[i] = some_chars[i];
        CHECK(nf_chars_add(c, some_chars[i], i, NULL) == NF_OK);
    }
    c->unk = 999;
    while (b->n < merges) {
        struct nf_merge m = { (uint32_t)nf_rng_below(rng, V), (uint32_t)nf_rng_below(rng, V), V };

        if (has_pair(b, &m))
            continue;
        CHECK(nf_bpe_add(b, m, NULL) == NF_OK && nf_chars_join(c, last[m.left], first[m.right], NULL) == NF_OK);
        first[V] = first[m.left];
        last[V++] = last[m.right];
    }
    CHECK(nf_bpe_index(b, NULL) == NF_OK);
}

/* Cut where no merge can cross, and merged piece by piece: the tokens are those of the whole. */
static void cutting_between_characters_changes_nothing(void)
{
    static unsigned char text[4 * MOST];
    static uint32_t want[4 * MOST], got[4 * MOST];
    struct nf_rng rng = { 11 };
    struct nf_bpe_work work = { 0 };
    size_t bad = 0, pieces = 0, chars = 0;

    for (int table = 0; table < 40; table++) {
        struct nf_bpe b = { 0 };
        struct nf_chars *c = nf_chars_open(NULL);

        make_chars(&b, c, &rng, 1 + 2 * (size_t)table);
        for (int round = 0; round < 30; round++) {
            size_t n = 0, len = 0, count, end;

            for (size_t i = 1 + nf_rng_below(&rng, 100); i; i--, chars++) {
                const char *bit = texts[nf_rng_below(&rng, sizeof texts / sizeof *texts)];

                memcpy(text + n, bit, strlen(bit));
                n += strlen(bit);
            }
            CHECK(nf_chars_symbols(c, text, n, want, &count, NULL) == NF_OK);
            count = by_definition(&b, count, want);
            for (size_t from = 0; from < n; from = end, pieces++) {
                size_t made;

                CHECK(nf_chars_next(c, text, n, from, true, &end) == NF_OK && end > from);
                CHECK(nf_chars_symbols(c, text + from, end - from, got + len, &made, NULL) == NF_OK);
                CHECK(nf_bpe_merge(&b, made, &work, got + len, &made, NULL) == NF_OK);
                len += made;
            }
            bad += len != count || memcmp(got, want, len * sizeof *got) != 0;
        }
        nf_bpe_clear(&b);
        nf_chars_close(c);
    }
    CHECK(bad == 0);
    CHECK(pieces > 100 && chars > pieces + 100);   /* some characters are cut apart, some are not */
    nf_bpe_work_clear(&work);
}

static void a_piece_of_characters_waits_for_what_it_may_join(void)
{
    struct nf_chars *c = nf_chars_open(NULL);
    const unsigned char *text = (const unsigned char *)"a\u2581b";
    size_t end = 9;

    CHECK(nf_chars_add(c, 'a', 0, NULL) == NF_OK && nf_chars_add(c, 'b', 1, NULL) == NF_OK);
    CHECK(nf_chars_add(c, NF_CHARS_BLANK, 2, NULL) == NF_OK && nf_chars_add(c, 0xe9, 3, NULL) == NF_OK);
    CHECK(nf_chars_join(c, 'a', NF_CHARS_BLANK, NULL) == NF_OK && nf_chars_join(c, NF_CHARS_BLANK, 0xe9, NULL) == NF_OK);
    CHECK(nf_chars_next(c, text, 1, 0, false, &end) == NF_EOF);
    CHECK(nf_chars_next(c, text, 1, 0, true, &end) == NF_OK && end == 1);
    CHECK(nf_chars_next(c, text, 5, 0, false, &end) == NF_OK && end == 4);   /* no merge of a blank with b */
    CHECK(nf_chars_next(c, text, 5, 4, true, &end) == NF_OK && end == 5);
    CHECK(nf_chars_next(c, (const unsigned char *)"\u2581\u00e9", 5, 0, true, &end) == NF_OK && end == 5);
    CHECK(nf_chars_next(c, (const unsigned char *)"a b", 3, 0, false, &end) == NF_OK && end == 1);   /* U+0020 is another */
    nf_chars_close(c);
}

static void a_character_without_token(void)
{
    struct nf_chars *c = nf_chars_open(NULL);
    struct nf_err err = NF_ERR_INIT;
    const unsigned char *text = (const unsigned char *)"\xc3\xa9\xc3";
    uint32_t ids[4];
    size_t made;

    CHECK(nf_chars_symbols(c, text, 3, ids, &made, &err) == NF_EFORMAT && strstr(err.text, "0xc3") != NULL);
    c->unk = 7;
    CHECK(nf_chars_symbols(c, text, 3, ids, &made, NULL) == NF_OK && made == 2 && ids[0] == 7 && ids[1] == 7);
    CHECK(nf_chars_unknown(c, text, 3));
    for (uint32_t b = 0; b < 256; b++)
        c->byte[b] = 1000 + b;
    CHECK(nf_chars_symbols(c, text, 3, ids, &made, NULL) == NF_OK && made == 3 && ids[1] == 1000 + 0xa9 && ids[2] == 1000 + 0xc3);
    CHECK(!nf_chars_unknown(c, text, 3));
    nf_chars_close(c);
}

static void whole_pieces_are_found(void)
{
    struct nf_whole w = { 0 };
    char text[16];
    size_t bad = 0;

    CHECK(nf_whole_find(&w, "a", 1) == -1);
    for (uint32_t i = 0; i < 1000; i++)
        CHECK(nf_whole_add(&w, text, (size_t)snprintf(text, sizeof text, "%u", (unsigned)i), i, NULL) == NF_OK);
    CHECK(nf_whole_index(&w, NULL) == NF_OK);
    for (uint32_t i = 0; i < 2000; i++) {
        size_t n = (size_t)snprintf(text, sizeof text, "%u", (unsigned)i);

        bad += nf_whole_find(&w, text, n) != (i < 1000 ? (int64_t)i : -1);
    }
    CHECK(bad == 0 && nf_whole_find(&w, "", 0) == -1 && nf_whole_find(&w, "00", 2) == -1);
    nf_whole_clear(&w);
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

int main(void)
{
    return RUN(merging_is_its_definition, cutting_between_characters_changes_nothing,
               a_piece_of_characters_waits_for_what_it_may_join, a_character_without_token, whole_pieces_are_found,
               a_byte_without_token_is_refused, windows_begin_with_one_bos, windows_without_bos, a_window_waits_for_its_tokens);
}
