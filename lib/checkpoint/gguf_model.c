/* gguf_model.c - the parts of a model, found by the name of one. */
#include "checkpoint/gguf_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/utf8.h"

enum { PARTS_MAX = 4096, NUMBER = 5 }; /* digits of a part's number */

bool nf_gguf_is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* ---- names of parts: STEM-00002-of-00005.gguf ---- */

struct part_name {
    size_t stem; /* bytes of the path before "-00002" */
    unsigned number, count; /* 0: the name has no such end */
};

static bool read_part_number(const char *s, unsigned *v)
{
    *v = 0;
    for (size_t i = 0; i < NUMBER; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        *v = 10 * *v + (unsigned)(s[i] - '0');
    }
    return true;
}

static struct part_name split_name(const char *path)
{
    const size_t end = sizeof "-00000-of-00000.gguf" - 1, n = strlen(path);
    const char *at = n > end ? path + n - end : "";
    struct part_name p = { n > end ? n - end : n, 0, 0 };

    if (at[0] == '-' && read_part_number(at + 1, &p.number) && strncmp(at + 1 + NUMBER, "-of-", 4) == 0 &&
        read_part_number(at + 5 + NUMBER, &p.count) && strcmp(at + 5 + 2 * NUMBER, ".gguf") == 0)
        return p;
    return (struct part_name){ n, 0, 0 };
}

void nf_gguf_model_name(const char *path, char *buf, size_t size)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(name), stem = split_name(name).stem;

    if (stem == n && n > 5 && strcmp(name + n - 5, ".gguf") == 0)
        stem -= 5;
    nf_utf8_show(name, stem, buf, size);
}

/* ---- parts ---- */

static int64_t split_number(const struct nf_gguf *g, const char *key, int64_t absent)
{
    int64_t v;

    return nf_gguf_int(nf_gguf_find(g, key), &v) ? v : absent;
}

/* Part number i of n, from 1 on. */
static int open_part(struct nf_gguf_model *m, const char *path, const struct part_name *name, unsigned i, unsigned n,
                     struct nf_err *err)
{
    char *part;
    int rc;

    if (asprintf(&part, "%.*s-%05u-of-%05u.gguf", (int)name->stem, path, i, n) < 0)
        return nf_fail(err, NF_ESYS, "out of memory");
    rc = nf_gguf_open(part, &m->part[m->n], err);
    if (rc == NF_OK) {
        const struct nf_gguf *g = &m->part[m->n++];

        if (split_number(g, "split.count", 1) != n || split_number(g, "split.no", 0) != i - 1)
            rc = nf_fail(err, NF_EFORMAT, "%s: split.no %lld and split.count %lld do not fit the name", part,
                         (long long)split_number(g, "split.no", 0), (long long)split_number(g, "split.count", 1));
    }
    if (rc == NF_OK && i == 1) {
        free(m->path);
        m->path = part;
        return NF_OK;
    }
    free(part);
    return rc;
}

static int open_all_parts(struct nf_gguf_model *m, const char *path, int64_t count, struct nf_err *err)
{
    struct part_name name = split_name(path);
    int rc = NF_OK;

    if (name.count != count || count > PARTS_MAX)
        return nf_fail(err, NF_EFORMAT, "%s: one of %lld parts, whose name should end in -00001-of-%05lld.gguf", path,
                       (long long)count, (long long)count);
    nf_gguf_close(&m->part[0]);
    m->n = 0;
    for (unsigned i = 1; i <= (unsigned)count && rc == NF_OK; i++)
        rc = open_part(m, path, &name, i, (unsigned)count, err);
    return rc;
}

/* The path of an unparted file, and its one part. */
static int open_first(struct nf_gguf_model *m, const char *path, struct nf_err *err)
{
    int64_t count;
    int rc;

    m->path = strdup(path);
    m->part = nf_alloc(PARTS_MAX, sizeof *m->part, err);
    if (!m->path || !m->part)
        return nf_fail(err, NF_ESYS, "out of memory");
    rc = nf_gguf_open(path, &m->part[0], err);
    if (rc < 0)
        return rc;
    m->n = 1;
    count = split_number(&m->part[0], "split.count", 1);
    return count > 1 ? open_all_parts(m, path, count, err) : NF_OK;
}

/* Every tensor once, and as many as the first part promises. */
static int count_tensors(const struct nf_gguf_model *m, struct nf_err *err)
{
    int64_t n = 0, promised;

    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < m->part[i].tensors.n; k++, n++) {
            const struct nf_tf_entry *e = &m->part[i].tensors.entry[k];

            if (nf_gguf_model_tensor(m, e->name) != e)
                return nf_fail(err, NF_EFORMAT, "%s: tensor %.200s is in two parts", m->path, e->name);
        }
    promised = split_number(&m->part[0], "split.tensors.count", n);
    if (promised != n)
        return nf_fail(err, NF_EFORMAT, "%s: %lld tensors in %zu parts, split.tensors.count is %lld", m->path, (long long)n, m->n,
                       (long long)promised);
    return NF_OK;
}

/* A string as C text; cut where it is too long. */
static bool read_text(const struct nf_gguf *g, const char *key, char *buf, size_t size, struct nf_err *err)
{
    const struct nf_gguf_value *v = nf_gguf_find(g, key);
    json_t *json = v && v->type == NF_GGUF_STRING ? nf_gguf_json(v, key, err) : NULL;

    snprintf(buf, size, "%s", json ? json_string_value(json) : "");
    json_decref(json);
    return *buf;
}

static int check_model_kind(struct nf_gguf_model *m, struct nf_err *err)
{
    const struct nf_gguf *g = &m->part[0];
    char type[32];

    if (!read_text(g, "general.architecture", m->arch, sizeof m->arch, err))
        return nf_fail(err, NF_EFORMAT, "%s: metadata general.architecture is missing", m->path);
    if (read_text(g, "general.type", type, sizeof type, err) && strcmp(type, "model") != 0)
        return nf_fail(err, NF_EFORMAT, "%s: metadata general.type: %s is not a language model", m->path, type);
    return NF_OK;
}

int nf_gguf_model_open(const char *path, struct nf_gguf_model *m, struct nf_err *err)
{
    int rc;

    *m = (struct nf_gguf_model){ 0 };
    rc = open_first(m, path, err);
    if (rc == NF_OK)
        rc = count_tensors(m, err);
    if (rc == NF_OK)
        rc = check_model_kind(m, err);
    if (rc < 0)
        nf_gguf_model_close(m);
    return rc;
}

void nf_gguf_model_close(struct nf_gguf_model *m)
{
    for (size_t i = 0; i < m->n; i++)
        nf_gguf_close(&m->part[i]);
    free(m->part);
    free(m->path);
    *m = (struct nf_gguf_model){ 0 };
}

const struct nf_tf_entry *nf_gguf_model_tensor(const struct nf_gguf_model *m, const char *name)
{
    const struct nf_tf_entry *e = NULL;

    for (size_t i = 0; i < m->n && !e; i++)
        e = nf_tf_find(&m->part[i].tensors, name);
    return e;
}

const struct nf_gguf_value *nf_gguf_model_key(const struct nf_gguf_model *m, const char *suffix)
{
    char key[NF_GGUF_ARCH_BYTES + 128];

    snprintf(key, sizeof key, "%s.%s", m->arch, suffix);
    return nf_gguf_find(&m->part[0], key);
}
