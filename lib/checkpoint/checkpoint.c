/* checkpoint.c - find the files of a checkpoint in its directory: one tensor file, or an index and its shards. */
#include "checkpoint/checkpoint.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "checkpoint/gguf_model.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/torchfile.h"

enum { SHARDS_MAX = 4096, INDEX_BYTES = 100 << 20 };

/* What may be in the directory, best first. */
static const struct layout {
    const char *name, *index;
    int (*open)(const char *path, struct nf_tf *f, struct nf_err *err);
} layouts[] = {
    { "model.safetensors", "model.safetensors.index.json", nf_st_open },
    { "pytorch_model.bin", "pytorch_model.bin.index.json", nf_torch_open },
};

struct load {
    const char *dir;
    const struct layout *layout;
    struct nf_checkpoint *c;
    struct nf_err *err;
};

static int refuse(const struct load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse(const struct load *l, const char *fmt, ...)
{
    char text[320];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return nf_fail(l->err, NF_EFORMAT, "%s: %s", l->dir, text);
}

static int open_file(struct load *l, const char *name)
{
    char *path = nf_path_join(l->dir, name, l->err);
    int rc = path ? l->layout->open(path, &l->c->file[l->c->n], l->err) : NF_ESYS;

    if (rc == NF_OK)
        l->c->n++;
    free(path);
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The shards that the index names, each once, in byte order. */
static int open_shards(struct load *l, const json_t *map)
{
    size_t n = json_object_size(map), m = 0;
    const char **file = nf_alloc(n, sizeof *file, l->err), *name;
    int rc = file ? NF_OK : NF_ESYS;
    json_t *v;

    json_object_foreach ((json_t *)map, name, v) {
        const char *s = json_string_value(v);

        if (rc == NF_OK && (!s || !*s || strchr(s, '/') || s[0] == '.'))
            rc = refuse(l, "%s: tensor %s: the name of a file in this folder is wanted", l->layout->index, name);
        if (rc < 0)
            break;
        file[m++] = s;
    }
    if (rc == NF_OK && m)
        qsort(file, m, sizeof *file, by_text);
    for (size_t i = 0; i < m && rc == NF_OK; i++)
        if (i == 0 || strcmp(file[i], file[i - 1]) != 0)
            rc = l->c->n == SHARDS_MAX ? refuse(l, "more than %d shards", SHARDS_MAX) : open_file(l, file[i]);
    free(file);
    return rc;
}

/* Every tensor of the index is in a shard, every tensor of a shard in the index, none in two shards. */
static int check_index(const struct load *l, const json_t *map)
{
    const char *name;
    json_t *v;

    json_object_foreach ((json_t *)map, name, v)
        if (!nf_checkpoint_find(l->c, name))
            return refuse(l, "%s: tensor %s is not in %s", l->layout->index, name, json_string_value(v));
    for (size_t i = 0; i < l->c->n; i++)
        for (size_t k = 0; k < l->c->file[i].n; k++) {
            const struct nf_tf_entry *e = &l->c->file[i].entry[k];

            if (nf_checkpoint_find(l->c, e->name) != e)
                return refuse(l, "tensor %s is in two shards", e->name);
            if (!json_object_get(map, e->name))
                return refuse(l, "tensor %s is in a shard but not in %s", e->name, l->layout->index);
        }
    return NF_OK;
}

static int open_index(struct load *l)
{
    char *path = nf_path_join(l->dir, l->layout->index, l->err);
    struct nf_map map = { NULL, 0 };
    json_t *root = NULL, *weights;
    int rc = path ? nf_map_open(path, &map, l->err) : NF_ESYS;

    if (rc == NF_OK && map.size > INDEX_BYTES)
        rc = nf_fail(l->err, NF_EFORMAT, "%s: %zu bytes, at most %d are wanted", path, map.size, INDEX_BYTES);
    if (rc == NF_OK && !(root = nf_json_parse(map.data, map.size, JSON_REJECT_DUPLICATES, path, l->err)))
        rc = l->err->code;
    if (rc == NF_OK) {
        weights = json_object_get(root, "weight_map");
        if (!json_is_object(weights))
            rc = nf_fail(l->err, NF_EFORMAT, "%s: weight_map is missing", path);
        else if ((rc = open_shards(l, weights)) == NF_OK)
            rc = check_index(l, weights);
    }
    json_decref(root);
    nf_map_close(&map);
    free(path);
    return rc;
}

static bool in_dir(const struct load *l, const char *name)
{
    char *path = nf_path_join(l->dir, name, l->err);
    bool there = path && nf_file_exists(path);

    free(path);
    return there;
}

/* The tensors of all parts; their metadata is the configuration's and the tokenizer's. */
static int open_gguf(struct load *l)
{
    struct nf_gguf_model m;
    int rc = nf_gguf_model_open(l->dir, &m, l->err);

    if (rc < 0)
        return rc;
    l->c->gguf = strdup(m.arch);
    if (!l->c->gguf)
        rc = nf_fail(l->err, NF_ESYS, "out of memory");
    for (size_t i = 0; i < m.n && rc == NF_OK; i++) {
        l->c->file[l->c->n++] = m.part[i].tensors;
        m.part[i].tensors = (struct nf_tf){ 0 };
    }
    nf_gguf_model_close(&m);
    return rc;
}

static int open_files(struct load *l)
{
    if (nf_gguf_is_file(l->dir))
        return open_gguf(l);
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        l->layout = &layouts[i];
        if (in_dir(l, l->layout->name))
            return open_file(l, l->layout->name);
        if (in_dir(l, l->layout->index))
            return open_index(l);
        if (l->err->code != NF_OK)
            return (int)l->err->code;
    }
    return refuse(l, "no model.safetensors and no pytorch_model.bin, nor an index of their shards");
}

struct nf_checkpoint *nf_checkpoint_open(const char *dir, struct nf_err *err)
{
    struct nf_checkpoint *c = nf_alloc(1, sizeof *c, err);
    struct load l = { .dir = dir, .c = c, .err = err };

    if (c)
        c->file = nf_alloc(SHARDS_MAX, sizeof *c->file, err);
    if (c && c->file && open_files(&l) == NF_OK)
        return c;
    nf_checkpoint_close(c);
    return NULL;
}

struct nf_tf_entry *nf_checkpoint_find(const struct nf_checkpoint *c, const char *name)
{
    struct nf_tf_entry *e = NULL;

    for (size_t i = 0; i < c->n && !e; i++)
        e = nf_tf_find(&c->file[i], name);
    return e;
}

void nf_checkpoint_close(struct nf_checkpoint *c)
{
    for (size_t i = 0; c && c->file && i < c->n; i++)
        nf_tf_close(&c->file[i]);
    if (c) {
        free(c->gguf);
        free(c->file);
    }
    free(c);
}
