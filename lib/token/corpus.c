/* corpus.c - walk the operands, cut each file into documents. */
#include "token/corpus.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/json_scan.h"
#include "base/utf8.h"
#include "token/jsonl.h"
#include "token/text.h"

enum { NAME_MAX_BYTES = 4096, WALK_DEPTH = 64 };
static const char NO_FOLDER[] = "text";

/* One file being cut. */
struct cutter {
    struct nf_corpus *c;
    const struct nf_corpus_sink *sink;
    const char *path, *domain;
    uint64_t line; /* the line being read, from 1 */
    bool open; /* a document has begun */
    bool blank; /* nothing but spaces so far in this line */
    struct nf_bytes text, own_domain; /* JSONL: of the line */
    struct nf_bytes held; /* text that belongs to the document only if more of it follows; JSONL: the line */
    struct nf_err *err;
};

static int begin_document(struct cutter *k, const char *domain)
{
    char name[NAME_MAX_BYTES], shown_domain[NAME_MAX_BYTES], shown[NAME_MAX_BYTES + 24];

    nf_utf8_show(k->path, strlen(k->path), name, sizeof name);
    nf_utf8_show(domain, strlen(domain), shown_domain, sizeof shown_domain);
    if (k->c->split == NF_SPLIT_FILE)
        snprintf(shown, sizeof shown, "%s", name);
    else
        snprintf(shown, sizeof shown, "%s:%llu", name, (unsigned long long)k->line);
    k->open = true;
    return k->sink->begin(k->sink->self, shown, shown_domain, k->err);
}

static int end_document(struct cutter *k)
{
    k->held.n = 0;
    if (!k->open)
        return NF_OK;
    k->open = false;
    return k->sink->end(k->sink->self, k->err);
}

static int cut_text(struct cutter *k, const unsigned char *p, size_t n)
{
    return n ? k->sink->text(k->sink->self, p, n, k->err) : NF_OK;
}

static int file_bytes(struct cutter *k, const unsigned char *p, size_t n)
{
    return cut_text(k, p, n);
}

/* Text of the current line: what was held belongs to the document after all; a \r at the end may be half a line break. */
static int line_text(struct cutter *k, const unsigned char *p, size_t n)
{
    size_t cr = p[n - 1] == '\r';
    int rc = NF_OK;

    if (k->held.n || n > cr) {
        if (!k->open)
            rc = begin_document(k, k->domain);
        if (rc == NF_OK)
            rc = cut_text(k, k->held.p, k->held.n);
        k->held.n = 0;
    }
    if (rc == NF_OK)
        rc = cut_text(k, p, n - cr);
    return rc == NF_OK ? nf_bytes_add(&k->held, "\r", cr, k->err) : rc;
}

static int line_bytes(struct cutter *k, const unsigned char *p, size_t n)
{
    int rc = NF_OK;

    for (size_t i = 0; i < n && rc == NF_OK; i++) {
        const unsigned char *eol = memchr(p + i, '\n', n - i);
        size_t len = eol ? (size_t)(eol - p) - i : n - i;

        if (len)
            rc = line_text(k, p + i, len);
        if (eol && rc == NF_OK)
            rc = end_document(k);
        k->line += eol != NULL;
        i += len;
    }
    return rc;
}

static size_t spaces(const unsigned char *p, size_t n)
{
    size_t i = 0;

    while (i < n && (p[i] == ' ' || p[i] == '\t' || p[i] == '\r'))
        i++;
    return i;
}

/* `held` is the last line break and the spaces that begin a line which may turn out blank. */
static int paragraph_bytes(struct cutter *k, const unsigned char *p, size_t n)
{
    int rc = NF_OK;

    for (size_t i = 0; i < n && rc == NF_OK;) {
        const unsigned char *eol;
        size_t len = k->blank ? spaces(p + i, n - i) : 0;

        rc = nf_bytes_add(&k->held, p + i, len, k->err);
        i += len;
        if (i == n || rc != NF_OK)
            break;
        if (p[i] == '\n') {
            rc = k->blank ? end_document(k) : nf_bytes_add(&k->held, "\n", 1, k->err);
            k->blank = true;
            k->line++;
            i++;
            continue;
        }
        k->blank = false;
        eol = memchr(p + i, '\n', n - i);
        len = eol ? (size_t)(eol - p) - i : n - i;
        rc = line_text(k, p + i, len);
        i += len;
    }
    return rc;
}

/* An unusable line: counted while there may be some, else named. */
static int bad_line(struct cutter *k, const char *why)
{
    if (k->c->bad++ < k->c->max_bad)
        return NF_OK;
    return nf_fail(k->err, NF_EFORMAT, "%s:%llu: %s", strcmp(k->path, "-") == 0 ? "standard input" : k->path,
                   (unsigned long long)k->line, why);
}

/* The string at a path of the line, decoded onto `out`.  *why: what is wrong with the line, "" when nothing. */
static int read_member(struct cutter *k, const char *path, bool strict, struct nf_bytes *out, char *why, size_t size)
{
    struct nf_jsonl_text t;
    size_t lone;
    int rc;

    *why = '\0';
    switch (nf_jsonl_find(k->held.p, k->held.n, path, &t)) {
    case NF_JSONL_BAD:
        snprintf(why, size, "no JSON: %s is expected at byte %zu", t.why, t.at + 1);
        return NF_OK;
    case NF_JSONL_NO_OBJECT:
        snprintf(why, size, "no JSON object");
        return NF_OK;
    case NF_JSONL_ABSENT:
        snprintf(why, size, "no member \"%s\" that is a string", path);
        return NF_OK;
    case NF_JSONL_FOUND:
        break;
    }
    rc = nf_json_decode(t.text, t.n, out, &lone, k->err);
    if (rc == NF_OK && lone && strict)
        snprintf(why, size, "member \"%s\" holds half a surrogate pair, which is no text", path);
    return rc;
}

/* The text and the domain of the line, of which there may be one. */
static int read_members(struct cutter *k, char *why, size_t size)
{
    int rc;

    k->text.n = k->own_domain.n = 0;
    rc = read_member(k, k->c->field, true, &k->text, why, size);
    if (rc == NF_OK && !*why && k->c->domain_field)
        rc = read_member(k, k->c->domain_field, false, &k->own_domain, why, size);
    return rc == NF_OK ? nf_bytes_add(&k->own_domain, "", 1, k->err) : rc;
}

static int json_document(struct cutter *k)
{
    char why[256];
    int rc = read_members(k, why, sizeof why);

    if (rc == NF_OK && *why)
        return bad_line(k, why);
    if (rc == NF_OK)
        rc = begin_document(k, k->c->domain_field ? (const char *)k->own_domain.p : k->domain);
    if (rc == NF_OK)
        rc = cut_text(k, k->text.p, k->text.n);
    return rc == NF_OK ? end_document(k) : rc;
}

/* The whole line is in `held`; one of nothing but spaces is left out. */
static int json_line(struct cutter *k)
{
    int rc = spaces(k->held.p, k->held.n) == k->held.n ? NF_OK : json_document(k);

    k->held.n = 0;
    return rc;
}

static int json_bytes(struct cutter *k, const unsigned char *p, size_t n)
{
    int rc = NF_OK;

    for (size_t i = 0; i < n && rc == NF_OK; i++) {
        const unsigned char *eol = memchr(p + i, '\n', n - i);
        size_t len = eol ? (size_t)(eol - p) - i : n - i;

        if (k->c->memory && k->held.n + len > k->c->memory / NF_JSONL_COPIES)
            return nf_fail(k->err, NF_EFORMAT, "%s:%llu: a JSON line of more than %llu bytes: --memory allows no more", k->path,
                           (unsigned long long)k->line, (unsigned long long)k->c->memory / NF_JSONL_COPIES);
        rc = nf_bytes_add(&k->held, p + i, len, k->err);
        if (eol && rc == NF_OK)
            rc = json_line(k);
        k->line += eol != NULL;
        i += len;
    }
    return rc;
}

/* The file ends: a \r that was held is no half of a line break. */
static int last_bytes(struct cutter *k)
{
    int rc = NF_OK;

    if (k->c->split == NF_SPLIT_JSONL)
        rc = json_line(k);
    else if (k->open && k->held.n == 1 && k->held.p[0] == '\r')
        rc = cut_text(k, k->held.p, 1);
    return rc == NF_OK ? end_document(k) : rc;
}

static int read_file(struct nf_corpus *c, const char *path, const char *domain, const struct nf_corpus_sink *sink,
                     struct nf_err *err)
{
    static int (*const cut[])(struct cutter *, const unsigned char *, size_t) = {
        [NF_SPLIT_FILE] = file_bytes,
        [NF_SPLIT_LINE] = line_bytes,
        [NF_SPLIT_PARAGRAPH] = paragraph_bytes,
        [NF_SPLIT_JSONL] = json_bytes,
    };
    struct cutter k = {
        .c = c, .sink = sink, .path = path, .domain = c->domain ? c->domain : domain, .line = 1, .blank = true, .err = err
    };
    struct nf_text_file *t = nf_text_file_open(path, &(struct nf_text_rules){ c->any_bytes, c->memory }, err);
    const unsigned char *p;
    ssize_t n;
    int rc = NF_OK;

    if (!t)
        return (int)err->code;
    if (c->split == NF_SPLIT_FILE)
        rc = begin_document(&k, k.domain);
    while (rc == NF_OK && (n = nf_text_file_read(t, &p, err)) != 0)
        rc = n < 0 ? (int)n : cut[c->split](&k, p, (size_t)n);
    if (rc == NF_OK)
        rc = last_bytes(&k);
    nf_bytes_clear(&k.held);
    nf_bytes_clear(&k.text);
    nf_bytes_clear(&k.own_domain);
    nf_text_file_close(t);
    return rc;
}

/* The last part of path[0..n), slashes at its end apart; "text" when that names no folder. */
static void folder_name(const char *path, size_t n, char *out, size_t size)
{
    size_t from;

    while (n && path[n - 1] == '/')
        n--;
    for (from = n; from && path[from - 1] != '/'; from--)
        ;
    snprintf(out, size, "%.*s", (int)(n - from), path + from);
    if (!*out || strcmp(out, ".") == 0 || strcmp(out, "..") == 0)
        snprintf(out, size, "%s", NO_FOLDER);
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* domain NULL: `path` is the operand, whose folders are the domains. */
static int walk(struct nf_corpus *c, const char *path, const char *domain, int depth, const struct nf_corpus_sink *sink,
                struct nf_err *err)
{
    char own[NAME_MAX_BYTES];
    struct dirent **list = NULL;
    struct stat st;
    int n = scandir(path, &list, visible, by_bytes), rc = NF_OK;

    if (n < 0)
        return nf_fail_errno(err, "%s", path);
    if (depth > WALK_DEPTH)
        rc = nf_fail(err, NF_ESYS, "%s: more than %d directories deep", path, WALK_DEPTH);
    folder_name(path, strlen(path), own, sizeof own);
    for (int i = 0; i < n; i++) {
        char *below = rc == NF_OK ? nf_path_join(path, list[i]->d_name, err) : NULL;

        if (rc == NF_OK && !below)
            rc = NF_ESYS;
        else if (rc == NF_OK && stat(below, &st) < 0)
            rc = nf_fail_errno(err, "%s", below);
        else if (rc == NF_OK && S_ISDIR(st.st_mode))
            rc = walk(c, below, domain ? domain : list[i]->d_name, depth + 1, sink, err);
        else if (rc == NF_OK && !S_ISREG(st.st_mode))
            rc = nf_fail(err, NF_EFORMAT, "%s: %s in a folder is not waited for: name it as an operand to read it", below,
                         S_ISFIFO(st.st_mode)   ? "a FIFO"
                         : S_ISSOCK(st.st_mode) ? "a socket"
                                                : "a device");
        else if (rc == NF_OK)
            rc = read_file(c, below, domain ? domain : own, sink, err);
        free(below);
        free(list[i]);
    }
    free(list);
    return rc;
}

int nf_corpus_read(struct nf_corpus *c, char *const *paths, size_t n, const struct nf_corpus_sink *sink, struct nf_err *err)
{
    char domain[NAME_MAX_BYTES];
    struct stat st;
    int rc = NF_OK;

    for (size_t i = 0; i < n && rc == NF_OK; i++) {
        const char *slash = strrchr(paths[i], '/');

        if (strcmp(paths[i], "-") != 0 && stat(paths[i], &st) == 0 && S_ISDIR(st.st_mode)) {
            rc = walk(c, paths[i], NULL, 0, sink, err);
        } else {
            folder_name(paths[i], slash ? (size_t)(slash - paths[i]) : 0, domain, sizeof domain);
            rc = read_file(c, paths[i], domain, sink, err);
        }
    }
    return rc == NF_EOF ? NF_OK : rc;
}
