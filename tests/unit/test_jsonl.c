/* test_jsonl.c - lib/token/jsonl, format and text: members of a line, what is no text, compressed text. */
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

#include "token/format.h"
#include "token/jsonl.h"
#include "token/text.h"

/* What Python's json.loads(line) has at the path; "-": no string there; "!": it refuses the line, or it is no object. */
static void members_by_path(void)
{
    static const char *const cases[][3] = {
        { "{\"text\": \"a\"}", "text", "a" },
        { "{\"meta\": {\"set\": \"Books3\"}, \"text\": \"x\"}", "meta.set", "Books3" },
        { "{\"a\": {\"b\": {\"c\": \"deep\"}}}", "a.b.c", "deep" },
        { "{\"a.b\": {\"c\": \"dots\"}}", "a.b.c", "dots" },
        { "{\"a\": {\"b\": \"parts\"}, \"a.b\": \"whole\"}", "a.b", "whole" },
        { "{\"text\": \"first\", \"text\": \"last\"}", "text", "last" },
        { "{\"text\": \"first\", \"text\": 1}", "text", "-" },
        { "{\"m\": {\"s\": \"first\"}, \"m\": {\"t\": \"x\"}}", "m.s", "-" },
        { "{\"m\": {\"s\": \"first\"}, \"m\": [1, {\"s\": 2}]}", "m.s", "-" },
        { "{\"m\": [{\"s\": \"in an array\"}]}", "m.s", "-" },
        { "{\"text\": [\"x\"], \"other\": {\"text\": \"inner\"}}", "text", "-" },
        { "{\"x\": NaN, \"y\": 1e999, \"z\": 123456789012345678901234567890, \"text\": \"a\", \"w\": \"\\ud83d\"}", "text", "a" },
        { "{}", "text", "-" },
        { "[\"text\"]", "text", "!" },
        { "\"text\"", "text", "!" },
        { "{\"text\": \"a\"", "text", "!" },
        { "{\"text\": \"a\"} x", "text", "!" },
        { "{\"text\": \"a\", \"b\": nope}", "text", "!" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct nf_jsonl_text t;
        enum nf_jsonl found = nf_jsonl_find(cases[i][0], strlen(cases[i][0]), cases[i][1], &t);
        const char *want = cases[i][2];
        bool right = *want == '!'   ? found == NF_JSONL_BAD || found == NF_JSONL_NO_OBJECT
                     : *want == '-' ? found == NF_JSONL_ABSENT
                                    : found == NF_JSONL_FOUND && t.n == strlen(want) && memcmp(t.text, want, t.n) == 0;

        if (!right)
            printf("# %s of %s: %d\n", cases[i][1], cases[i][0], (int)found);
        CHECK(right);
    }
}

static void formats_by_their_first_bytes(void)
{
    CHECK(strcmp(nf_format_name((const unsigned char *)"PAR1\x15\x04", 6), "a Parquet file") == 0);
    CHECK(strcmp(nf_format_name((const unsigned char *)"\xff\xfeh\0", 4), "text in UTF-16") == 0);
    CHECK(strcmp(nf_format_name((const unsigned char *)"\xff\xfe\0\0h", 5), "text in UTF-32") == 0);
    CHECK(strcmp(nf_format_name((const unsigned char *)"BZh91AY&SY", 10), "compressed by bzip2") == 0);
    /* text that begins with such letters is text */
    CHECK(!nf_format_name((const unsigned char *)"PAR1 is a receptor", 18));
    CHECK(!nf_format_name((const unsigned char *)"GGUF is a format", 16));
    CHECK(!nf_format_name((const unsigned char *)"BZh is not bzip2", 16));
    CHECK(!nf_format_name((const unsigned char *)"", 0) && !nf_format_has_nul((const unsigned char *)"", 0));
}

/* The text of a file that holds these bytes; NULL: refused. */
static char *text_of(const void *bytes, size_t n, const struct nf_text_rules *rules, struct nf_err *err)
{
    char path[] = "/tmp/nf-text-XXXXXX", *out = calloc(1, 1 << 20);
    int fd = mkstemp(path);
    struct nf_text_file *t;
    const unsigned char *p;
    size_t used = 0;
    ssize_t got = 0;

    CHECK(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0);
    t = nf_text_file_open(path, rules, err);
    while (t && used < (1 << 19) && (got = nf_text_file_read(t, &p, err)) > 0) {
        memcpy(out + used, p, (size_t)got);
        used += (size_t)got;
    }
    if (!t || got < 0) {
        free(out);
        out = NULL;
    }
    nf_text_file_close(t);
    unlink(path);
    return out;
}

static void what_is_read(void)
{
    /* printf hello | gzip -n; printf ' you' | gzip -n */
    static const unsigned char gzip[] = { 0x1f, 0x8b, 8, 0, 0,    0,    0,    0,    0, 3, 0xcb, 0x48, 0xcd,
                                          0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0,    0 };
    static const struct nf_text_rules strict = { .memory = 1 << 20 };
    unsigned char twice[2 * sizeof gzip];
    struct nf_err err = NF_ERR_INIT;
    char *s;

    memcpy(twice, gzip, sizeof gzip);
    memcpy(twice + sizeof gzip, gzip, sizeof gzip);
    CHECK((s = text_of("\xef\xbb\xbfhi", 5, &strict, &err)) && strcmp(s, "hi") == 0); /* no BOM */
    free(s);
    CHECK((s = text_of("\xef\xbb\xbfhi", 5, NULL, &err)) && strlen(s) == 5); /* any bytes: as they are */
    free(s);
    CHECK((s = text_of(twice, sizeof twice, &strict, &err)) && strcmp(s, "hellohello") == 0);
    free(s);
    CHECK(err.code == NF_OK);
    CHECK(!text_of(twice, sizeof gzip - 3, &strict, &err) && strstr(err.text, "ends inside its gzip member"));
    err = (struct nf_err)NF_ERR_INIT;
    twice[sizeof gzip] = 'x';
    CHECK(!text_of(twice, sizeof twice, &strict, &err) && strstr(err.text, "something else follows"));
    err = (struct nf_err)NF_ERR_INIT;
    CHECK(!text_of("a\0b", 3, &strict, &err) && err.code == NF_EFORMAT && strstr(err.text, "NUL bytes"));
    err = (struct nf_err)NF_ERR_INIT;
    CHECK((s = text_of("a\0b", 3, NULL, &err)));
    free(s);
}

int main(void)
{
    return RUN(members_by_path, formats_by_their_first_bytes, what_is_read);
}
