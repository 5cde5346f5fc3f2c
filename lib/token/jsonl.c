/* jsonl.c - find members in a line by scanning it. */
#include "token/jsonl.h"

#include <string.h>

#include "base/json_scan.h"

/* What was found for a path: by parts, and by a name that is the whole rest of it. */
struct finding {
    const char *text;
    size_t n;
    bool there;
};

enum { PARTS_MAX = 64 };

static bool is_name(const struct nf_json_scan *s, const char *name, size_t n)
{
    return s->n == n && memcmp(s->text, name, n) == 0;
}

/* The value behind a key: a string is taken, anything else takes away what an earlier member of the name gave. */
static bool take_value(struct nf_json_scan *s, struct finding *f)
{
    enum nf_json_event e = nf_json_next(s);

    *f = (struct finding){ s->text, s->n, e == NF_JSON_STRING };
    if (e == NF_JSON_BEGIN_OBJECT || e == NF_JSON_BEGIN_ARRAY) {
        size_t depth = s->depth;

        while (e != NF_JSON_BAD && s->depth >= depth)
            e = nf_json_next(s);
    }
    return e != NF_JSON_BAD;
}

/* The members of the object that was begun.  False: no JSON. */
static bool search_object(struct nf_json_scan *s, const char *path, int parts, struct finding *out)
{
    struct finding whole = { 0 }, inner = { 0 };
    enum nf_json_event e;

    while ((e = nf_json_next(s)) == NF_JSON_KEY) {
        const char *dot = path;
        bool matched = is_name(s, path, strlen(path)), good;

        while (!matched && (dot = strchr(dot, '.')) && !is_name(s, path, (size_t)(dot - path)))
            dot++;
        if (matched) {
            good = take_value(s, &whole);
        } else if (dot && parts < PARTS_MAX) {
            inner = (struct finding){ 0 };
            e = nf_json_next(s);
            good = e == NF_JSON_BEGIN_OBJECT ? search_object(s, dot + 1, parts + 1, &inner) : e != NF_JSON_BAD;
            for (size_t depth = s->depth; good && e == NF_JSON_BEGIN_ARRAY && s->depth >= depth;)
                good = nf_json_next(s) != NF_JSON_BAD;
        } else {
            good = nf_json_skip(s) != NF_JSON_BAD;
        }
        if (!good)
            return false;
    }
    *out = whole.there ? whole : inner;
    return e == NF_JSON_END_OBJECT;
}

enum nf_jsonl nf_jsonl_find(const void *line, size_t n, const char *path, struct nf_jsonl_text *out)
{
    struct nf_json_scan s;
    struct finding f = { 0 };
    enum nf_json_event e;
    bool object, good = true;

    nf_json_scan_init(&s, line, n);
    e = nf_json_next(&s);
    object = e == NF_JSON_BEGIN_OBJECT;
    if (object)
        good = search_object(&s, path, 0, &f);
    while (good && (e = nf_json_next(&s)) != NF_JSON_END && e != NF_JSON_BAD)
        ;
    *out = (struct nf_jsonl_text){ f.text, f.n, s.why, s.why ? (size_t)(s.text - (const char *)line) : 0 };
    if (s.why)
        return NF_JSONL_BAD;
    if (!object)
        return NF_JSONL_NO_OBJECT;
    return f.there ? NF_JSONL_FOUND : NF_JSONL_ABSENT;
}
