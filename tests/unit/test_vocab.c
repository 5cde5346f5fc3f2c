/* test_vocab.c - lib/base/utf8, lib/token/vocab: what is UTF-8, how tokens are shown. */
#include "check.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "token/vocab.h"

static void every_character_round_trips(void)
{
    unsigned char b[4];
    uint32_t c, back = 0;
    size_t bad = 0, n;

    for (c = 0; c < 0x110000; c++) {
        n = nf_utf8_encode(c, b);
        if (c >= 0xd800 && c < 0xe000)
            bad += nf_utf8_decode(b, n, &back) != 0;
        else
            bad += nf_utf8_decode(b, n, &back) != n || back != c || nf_utf8_decode(b, n - 1, &back) != 0;
    }
    CHECK(bad == 0);
}

static void what_is_no_utf8(void)
{
    static const char *const bad[] = { "\x80",
                                       "\xc0\x80",
                                       "\xc1\xbf",
                                       "\xe0\x80\x80",
                                       "\xe0\x9f\xbf",
                                       "\xed\xa0\x80",
                                       "\xf0\x8f\xbf\xbf",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80\x80",
                                       "\xff",
                                       "\xc3",
                                       "\xe2\x82",
                                       "\xc3(",
                                       "\xf0\x9f\x98" };
    uint32_t c;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(nf_utf8_decode((const unsigned char *)bad[i], strlen(bad[i]), &c) == 0);
    CHECK(nf_utf8_valid((const unsigned char *)"twelve bytes\xff", 13) == 12);
    CHECK(nf_utf8_valid((const unsigned char *)"na\xc3\xafve text is all valid", 24) == 24);
}

static void tokens_are_shown(void)
{
    struct nf_vocab v = { 0 };
    char buf[64];

    CHECK(nf_vocab_add(&v, " the", 4, NULL) == NF_OK);
    CHECK(nf_vocab_add(&v, "\n\t\0\\", 4, NULL) == NF_OK);
    CHECK(nf_vocab_add(&v, "\xc3\xa9\xc3", 3, NULL) == NF_OK);
    CHECK(nf_vocab_add(&v, "", 0, NULL) == NF_OK);
    CHECK(nf_vocab_add(&v, "\xe2\x80\xae", 3, NULL) == NF_OK);   /* right-to-left override */
    CHECK(v.V == 5);
    CHECK(strcmp(nf_vocab_show(&v, 0, buf, sizeof buf), " the") == 0);
    CHECK(strcmp(nf_vocab_show(&v, 1, buf, sizeof buf), "\\n\\t\\x00\\\\") == 0);
    CHECK(strcmp(nf_vocab_show(&v, 2, buf, sizeof buf), "\xc3\xa9\\xc3") == 0);
    CHECK(strcmp(nf_vocab_show(&v, 3, buf, sizeof buf), "") == 0);
    CHECK(strcmp(nf_vocab_show(&v, 4, buf, sizeof buf), "\\xe2\\x80\\xae") == 0);
    CHECK(strcmp(nf_vocab_show(&v, 5, buf, sizeof buf), "<5>") == 0);
    CHECK(strcmp(nf_vocab_show(&v, 2, buf, 6), "\xc3\xa9") == 0);   /* cut before \xc3, not inside it */
    nf_vocab_clear(&v);
    CHECK(v.V == 0 && !v.bytes);
}

int main(void)
{
    return RUN(every_character_round_trips, what_is_no_utf8, tokens_are_shown);
}
