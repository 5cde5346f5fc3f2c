/*
 * test_subword_merge.c - which positions end a word of four tokens or of one, and the error of the difference between the two.  Means of a whole
 * run: test_stages_reference.c.
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "stages/subword_merge.h"

enum { UN, FOLD, ING, LY, CAT, BLANK, NEWLINE, DOT, CAPITAL, DIGIT, CAT_DOT, SPECIAL, ACCENT, EDGES, BELOW_A, ABOVE_Z, TOKENS };

static const char *const text[TOKENS] = { " un",  "fold", "ing",   "ly",   " cat",     " ",   "\n",  ".",
                                          " The", "9",    " cat.", "word", "\xc3\xa9", " az", " a`", " z{" };

static struct nf_vocab vocab(void)
{
    struct nf_vocab v = { 0 };
    struct nf_err err = NF_ERR_INIT;

    for (size_t i = 0; i < TOKENS; i++)
        CHECK(nf_vocab_add(&v, text[i], strlen(text[i]), &err) == NF_OK);
    v.special[SPECIAL] = true;
    return v;
}

/* The tokens stand at the end of a window in which 20 others precede them; which word ends before the last one? */
static enum nf_word word(const uint32_t *end, size_t n)
{
    struct nf_vocab v = vocab();
    uint32_t ids[40];
    enum nf_word w;

    for (size_t i = 0; i < 20; i++)
        ids[i] = DOT;
    memcpy(ids + 20, end, n * sizeof *end);
    w = nf_word_at(&v, ids, 20 + n, 20 + n - 2);
    nf_vocab_clear(&v);
    return w;
}

#define WORD(...) word((const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

static void words_of_four_tokens_and_of_one(void)
{
    CHECK(WORD(UN, FOLD, ING, LY, CAT) == NF_WORD_MULTI);
    CHECK(WORD(UN, FOLD, ING, LY, NEWLINE) == NF_WORD_MULTI);
    CHECK(WORD(UN, CAT, BLANK) == NF_WORD_SINGLE);
    CHECK(WORD(LY, LY, LY, CAT, CAT) == NF_WORD_SINGLE);
    CHECK(WORD(EDGES, CAT) == NF_WORD_SINGLE);
}

static void other_positions(void)
{
    CHECK(WORD(UN, FOLD, ING, CAT) == NF_WORD_NONE);                /* three tokens */
    CHECK(WORD(UN, FOLD, ING, LY, LY, CAT) == NF_WORD_NONE);        /* five */
    CHECK(WORD(UN, FOLD, ING, LY, DOT) == NF_WORD_NONE);            /* "unfoldingly.": not a word of letters */
    CHECK(WORD(CAT, LY) == NF_WORD_NONE);                           /* goes on */
    CHECK(WORD(DOT, FOLD, ING, LY, CAT) == NF_WORD_NONE);           /* no blank before it */
    CHECK(WORD(BLANK, FOLD, ING, LY, CAT) == NF_WORD_NONE);         /* the blank is a token of its own */
    CHECK(WORD(CAPITAL, FOLD, ING, LY, CAT) == NF_WORD_NONE);
    CHECK(WORD(UN, DIGIT, ING, LY, CAT) == NF_WORD_NONE);
    CHECK(WORD(UN, SPECIAL, ING, LY, CAT) == NF_WORD_NONE);         /* the name of a special token is no text */
    CHECK(WORD(UN, ACCENT, ING, LY, CAT) == NF_WORD_NONE);          /* a-z only, as in the source */
    CHECK(WORD(CAT, SPECIAL) == NF_WORD_NONE);
    CHECK(WORD(CAT_DOT, CAT) == NF_WORD_NONE);
    CHECK(WORD(BELOW_A, CAT) == NF_WORD_NONE && WORD(ABOVE_Z, CAT) == NF_WORD_NONE);
    CHECK(WORD(BLANK, CAT) == NF_WORD_NONE);
}

static void positions_too_near_an_end(void)
{
    struct nf_vocab v = vocab();
    uint32_t ids[19];

    for (size_t i = 0; i < 19; i++)
        ids[i] = CAT;
    for (size_t pos = 0; pos < 19; pos++)
        CHECK(nf_word_at(&v, ids, 19, pos) == (pos >= 16 && pos < 18 ? NF_WORD_SINGLE : NF_WORD_NONE));
    nf_vocab_clear(&v);
}

enum { H = 2, N = 2 * H * NF_BACK_OFFSETS, ROWS = 200, DOCS = 9 };

/* Documents without a class, and with one class only, among them. */
static void the_error_of_a_difference(void)
{
    static float a[ROWS][H * NF_BACK_OFFSETS];
    enum nf_word class[ROWS];
    uint32_t doc[ROWS];
    struct nf_rng rng = { 3 };
    struct nf_err err = NF_ERR_INIT;
    struct nf_mergeable_means m;

    CHECK(nf_mergeable_means_open(&m, nf_subword_merge_columns(H), true, &err) == NF_OK && m.U == N);
    for (size_t r = 0; r < ROWS; r++) {
        doc[r] = (uint32_t)(r * DOCS / ROWS);
        class[r] = doc[r] == 4             ? NF_WORD_NONE
                   : doc[r] == 5           ? NF_WORD_SINGLE
                   : nf_rng_below(&rng, 3) ? NF_WORD_SINGLE
                                           : NF_WORD_MULTI;
        for (size_t u = 0; u < H * NF_BACK_OFFSETS; u++)   /* a part that the classes of a document share */
            a[r][u] = (float)(nf_rng_unit(&rng) * (class[r] ? 0.3 : 0.5) + 0.1 * sin(doc[r] + (double)u));
        if (class[r] == NF_WORD_NONE)
            continue;
        nf_mergeable_means_begin(&m, doc[r]);
        nf_subword_merge_row(a[r], H, class[r], &m);
    }
    nf_mergeable_means_end(&m);
    CHECK(m.either == DOCS - 1);
    for (size_t u = 0; u < H * NF_BACK_OFFSETS; u++) {
        double n[2] = { 0 }, mean[2] = { 0 }, share[DOCS] = { 0 }, sum = 0, difference, se;

        for (size_t r = 0; r < ROWS; r++)
            if (class[r] != NF_WORD_NONE) {
                n[class[r]]++;
                mean[class[r]] += a[r][u];
            }
        for (size_t r = 0; r < ROWS; r++)
            if (class[r] != NF_WORD_NONE)
                share[doc[r]] += (class[r] == NF_WORD_MULTI ? 1 : -1) * (a[r][u] - mean[class[r]] / n[class[r]]) / n[class[r]];
        for (size_t d = 0; d < DOCS; d++)
            sum += share[d] * share[d];
        nf_mergeable_means_difference(&m, u, &difference, &se);
        CHECK_NEAR(difference, mean[0] / n[0] - mean[1] / n[1], 1e-14);
        CHECK_NEAR(se, sqrt(sum * (DOCS - 1) / (DOCS - 2)), 1e-13);
        CHECK(nf_mergeable_means_get(&m, u).n == (uint64_t)n[0] &&
              nf_mergeable_means_get(&m, u + H * NF_BACK_OFFSETS).n == (uint64_t)n[1]);
    }
    nf_mergeable_means_close(&m);
}

int main(void)
{
    return RUN(words_of_four_tokens_and_of_one, other_positions, positions_too_near_an_end, the_error_of_a_difference);
}
