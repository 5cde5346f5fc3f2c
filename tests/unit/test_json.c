/* test_json.c - lib/base/json_scan and json: what Python's json reads, and what it does not. */
#include "check.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/json_scan.h"

/* The events of a text as one letter each: { } [ ] k(ey) s(tring) n(umber) N(aN) c(onstant), then . (end) or ! (bad). */
static const char *events(const char *text)
{
    static char out[256];
    struct nf_json_scan s;
    enum nf_json_event e;
    size_t n = 0;

    nf_json_scan_init(&s, text, strlen(text));
    do {
        e = nf_json_next(&s);
        out[n++] = "{}[]ksnNc.!"[e];
    } while (e != NF_JSON_END && e != NF_JSON_BAD && n + 1 < sizeof out);
    out[n] = '\0';
    return out;
}

static void what_is_json(void)
{
    static const char *const cases[][2] = {
        { "{\"a\": [1, -2.5e+3, true, null, \"x\"], \"b\": {}}", "{k[nnccs]k{}}." },
        { " [ ] ", "[]." },
        { "NaN", "N." },
        { "[NaN, Infinity, -Infinity]", "[NNN]." },
        { "18446744073709551616000000", "n." },
        { "\"\\ud83d\"", "s." },
        { "\"\\u00e9\\\\\\/\\\"\"", "s." },
        { "1e400", "n." },
        /* Python 3.11: json.loads() refuses each */
        { "[1,]", "[n!" },
        { "{\"a\":1,}", "{kn!" },
        { "{\"a\"}", "{!" },
        { "{a:1}", "{!" },
        { "{\"a\":}", "{k!" },
        { "[1 2]", "[n!" },
        { "[1}", "[n!" },
        { "01", "n!" },
        { "+1", "!" },
        { ".5", "!" },
        { "1.", "n!" },
        { "1 1", "n!" },
        { "\"a\nb\"", "!" },
        { "\"\\x41\"", "!" },
        { "\"\\u12g4\"", "!" },
        { "\"abc", "!" },
        { "\"\xff\"", "!" },
        { "", "!" },
        { "nan", "!" },
        { "[", "[!" },
        { "{\"a\":1", "{kn!" },
        { "]", "!" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *got = events(cases[i][0]);

        if (strcmp(got, cases[i][1]) != 0)
            printf("# %s: %s, expected %s\n", cases[i][0], got, cases[i][1]);
        CHECK(strcmp(got, cases[i][1]) == 0);
    }
}

static void depth_is_bounded(void)
{
    struct nf_json_scan s;
    size_t n = 100000, opened = 0;
    char *text = malloc(n);

    memset(text, '[', n);
    nf_json_scan_init(&s, text, n);
    while (nf_json_next(&s) == NF_JSON_BEGIN_ARRAY)
        opened++;
    CHECK(opened == NF_JSON_DEPTH && strcmp(s.why, "less nesting") == 0);
    free(text);
}

static void values_are_skipped_whole(void)
{
    struct nf_json_scan s;
    const char *text = "{\"a\": {\"b\": [1, {\"c\": 2}]}, \"d\": 5, \"e\": \"x\"}";

    nf_json_scan_init(&s, text, strlen(text));
    CHECK(nf_json_next(&s) == NF_JSON_BEGIN_OBJECT);
    CHECK(nf_json_next(&s) == NF_JSON_KEY && s.n == 1 && *s.text == 'a' && nf_json_skip(&s) == NF_JSON_END_OBJECT);
    CHECK(nf_json_next(&s) == NF_JSON_KEY && *s.text == 'd' && nf_json_skip(&s) == NF_JSON_NUMBER);
    CHECK(nf_json_next(&s) == NF_JSON_KEY && *s.text == 'e' && nf_json_skip(&s) == NF_JSON_STRING);
    CHECK(nf_json_next(&s) == NF_JSON_END_OBJECT && nf_json_next(&s) == NF_JSON_END);
}

static void strings_are_decoded(void)
{
    const char *text = "a\\n\\u00e9\\ud83e\\uddd1\\ud83dz\\u0000";
    struct nf_bytes out = { 0 };
    size_t lone;

    CHECK(nf_json_decode(text, strlen(text), &out, &lone, NULL) == NF_OK && lone == 1);
    CHECK(out.n == 13 && memcmp(out.p, "a\n\u00e9\U0001F9D1\ufffdz\0", 13) == 0);
    nf_bytes_clear(&out);
}

static json_t *parse(const char *text, struct nf_err *err)
{
    return nf_json_parse(text, strlen(text), 0, "t.json", err);
}

static void what_jansson_does_not_read(void)
{
    struct nf_err err = NF_ERR_INIT, bad = NF_ERR_INIT, lfs = NF_ERR_INIT;
    json_t *j = parse("{\"big\": 1000000000000000019884624838656, \"ratio\": 1e400, \"nan\": NaN, \"minus\": -Infinity, "
                      "\"half\": \"a\\ud83d\\n\", \"k\\u0000\": [1, {\"x\": []}], \"id\": 9223372036854775807, \"t\": true}",
                      &err);

    CHECK(j && err.code == NF_OK);
    CHECK(json_is_real(json_object_get(j, "big")) && json_real_value(json_object_get(j, "big")) == 1e30);
    CHECK(json_real_value(json_object_get(j, "ratio")) > 1e308);
    CHECK(json_is_string(json_object_get(j, "nan")) && strcmp(json_string_value(json_object_get(j, "minus")), "-Infinity") == 0);
    CHECK(strcmp(json_string_value(json_object_get(j, "half")), "a\ufffd\n") == 0);
    CHECK(json_array_size(json_object_get(j, "k\ufffd")) == 2 && json_is_true(json_object_get(j, "t")));
    CHECK(json_integer_value(json_object_get(j, "id")) == 9223372036854775807);
    json_decref(j);

    CHECK(!parse("{\"a\": nope}", &bad) && bad.code == NF_EFORMAT && strstr(bad.text, "t.json: line 1"));
    CHECK(!parse("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", &lfs) && strstr(lfs.text, "git lfs pull"));
}

int main(void)
{
    return RUN(what_is_json, depth_is_bounded, values_are_skipped_whole, strings_are_decoded, what_jansson_does_not_read);
}
