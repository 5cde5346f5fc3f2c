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

struct checkpoint_load {
    const char *dir;
    const struct layout *layout;
    struct nf_checkpoint *c;
    struct nf_err *err;
};

static int refuse_checkpoint(const struct checkpoint_load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse_checkpoint(const struct checkpoint_load *l, const char *fmt, ...)
{
    char text[320];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return nf_fail(l->err, NF_EFORMAT, "%s: %s", l->dir, text);
}

static int open_tensor_file(struct checkpoint_load *l, const char *name)
{
    char *path = nf_path_join(l->dir, name, l->err);
    int rc = path ? l->layout->open(path, &l->c->file[l->c->n], l->err) : NF_ESYS;

    if (rc == NF_OK)
        l->c->n++;
    free(path);
    return rc;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The shards that the index names, each once, in byte order. */
static int open_shards(struct checkpoint_load *l, const json_t *map)
{
    size_t n = json_object_size(map), m = 0;
    const char **file = nf_alloc(n, sizeof *file, l->err), *name;
    int rc = file ? NF_OK : NF_ESYS;
    json_t *v;

    json_object_foreach ((json_t *)map, name, v) {
        const char *s = json_string_value(v);

        if (rc == NF_OK && (!s || !*s || strchr(s, '/') || s[0] == '.'))
            rc = refuse_checkpoint(l, "%s: tensor %s: the name of a file in this folder is expected", l->layout->index, name);
        if (rc < 0)
            break;
        file[m++] = s;
    }
    if (rc == NF_OK && m)
        qsort(file, m, sizeof *file, compare_texts);
    for (size_t i = 0; i < m && rc == NF_OK; i++)
        if (i == 0 || strcmp(file[i], file[i - 1]) != 0)
            rc = l->c->n == SHARDS_MAX ? refuse_checkpoint(l, "more than %d shards", SHARDS_MAX) : open_tensor_file(l, file[i]);
    free(file);
    return rc;
}

/* The entry of that name in the first file before file[before] that has it; NULL: none has. */
static struct nf_tf_entry *find_before(const struct checkpoint_load *l, size_t before, const char *name)
{
    struct nf_tf_entry *e = NULL;

    for (size_t i = 0; i < before && !e; i++)
        e = nf_tf_find(&l->c->file[i], name);
    return e;
}

static bool same_tensor(const struct nf_tf_entry *a, const struct nf_tf_entry *b)
{
    return strcmp(a->type, b->type) == 0 && a->t.ndim == b->t.ndim && a->bytes == b->bytes &&
           memcmp(a->t.shape, b->t.shape, a->t.ndim * sizeof *a->t.shape) == 0 && memcmp(a->t.data, b->t.data, a->bytes) == 0;
}

/* All tensors of the shards count, whatever the index names; one in two shards must be the same in both: which is read is chance. */
static int check_doubles(const struct checkpoint_load *l)
{
    for (size_t i = 1; i < l->c->n; i++)
        for (size_t k = 0; k < l->c->file[i].n; k++) {
            struct nf_tf_entry *e = &l->c->file[i].entry[k];
            const struct nf_tf_entry *first = find_before(l, i, e->name);

            if (first && !same_tensor(first, e))
                return refuse_checkpoint(l, "tensor %s is in two shards, with different values", e->name);
            e->used = first;
        }
    return NF_OK;
}

static int open_index(struct checkpoint_load *l)
{
    char *path = nf_path_join(l->dir, l->layout->index, l->err);
    struct nf_map map = { NULL, 0 };
    json_t *root = NULL, *weights;
    int rc = path ? nf_map_open(path, &map, l->err) : NF_ESYS;

    if (rc == NF_OK && map.size > INDEX_BYTES)
        rc = nf_fail(l->err, NF_EFORMAT, "%s: %zu bytes, at most %d are expected", path, map.size, INDEX_BYTES);
    if (rc == NF_OK && !(root = nf_json_parse(map.data, map.size, JSON_REJECT_DUPLICATES, path, l->err)))
        rc = l->err->code;
    if (rc == NF_OK) {
        weights = json_object_get(root, "weight_map");
        if (!json_is_object(weights))
            rc = nf_fail(l->err, NF_EFORMAT, "%s: weight_map is missing", path);
        else if ((rc = open_shards(l, weights)) == NF_OK)
            rc = check_doubles(l);
    }
    json_decref(root);
    nf_map_close(&map);
    free(path);
    return rc;
}

static bool in_dir(const struct checkpoint_load *l, const char *name)
{
    char *path = nf_path_join(l->dir, name, l->err);
    bool there = path && nf_file_exists(path);

    free(path);
    return there;
}

/* The tensors of all parts; their metadata is the configuration's and the tokenizer's. */
static int open_gguf(struct checkpoint_load *l)
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

/* Weights in a form that is not read, and what makes one that is. */
static int refuse_others(const struct checkpoint_load *l)
{
    static const struct {
        const char *name, *what;
    } others[] = {
        { "adapter_model.safetensors",
          "an adapter, no model: merge it into its base model (peft: merge_and_unload) and save that" },
        { "adapter_model.bin", "an adapter, no model: merge it into its base model (peft: merge_and_unload) and save that" },
        { "tf_model.h5",
          "weights of TensorFlow: from_pretrained(.., from_tf=True) of transformers 4 reads them, save_pretrained() saves them" },
        { "flax_model.msgpack",
          "weights of Flax: from_pretrained(.., from_flax=True) of transformers 4 reads them, save_pretrained() saves them" },
        { "consolidated.safetensors", "weights by their authors' own names: take the files that transformers reads" },
        { "consolidated.00.pth", "weights by their authors' own names: take the files that transformers reads" },
    };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (in_dir(l, others[i].name))
            return refuse_checkpoint(l, "only %s: %s", others[i].name, others[i].what);
    return refuse_checkpoint(l, "no model.safetensors and no pytorch_model.bin, nor an index of their shards");
}

static int open_files(struct checkpoint_load *l)
{
    if (nf_gguf_is_file(l->dir))
        return open_gguf(l);
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        l->layout = &layouts[i];
        if (in_dir(l, l->layout->name))
            return open_tensor_file(l, l->layout->name);
        if (in_dir(l, l->layout->index))
            return open_index(l);
        if (l->err->code != NF_OK)
            return (int)l->err->code;
    }
    return refuse_others(l);
}

struct nf_checkpoint *nf_checkpoint_open(const char *dir, struct nf_err *err)
{
    struct nf_checkpoint *c = nf_alloc(1, sizeof *c, err);
    struct checkpoint_load l = { .dir = dir, .c = c, .err = err };

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
