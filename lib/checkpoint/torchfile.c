/* torchfile.c - the tensors of a pytorch_model.bin. */
#include "checkpoint/torchfile.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "checkpoint/pickle.h"
#include "checkpoint/zip.h"

/* torch/serialization.py: MAGIC_NUMBER = 0x1950a86a20f9469cfc6c, of which pickle.c keeps the low 64 bits; PROTOCOL_VERSION = 1001. */
static const uint64_t legacy_magic = 0xa86a20f9469cfc6cu;
enum { LEGACY_PROTOCOL = 1001 };

/* The bytes of one storage, by its key. */
struct storages {
    const struct nf_zip *zip;             /* NULL: legacy */
    const char *prefix;                   /* of the members: "archive/data/" */
    size_t prefix_len;
    const struct nf_pickle_value *keys;   /* legacy: LIST of STR */
    const unsigned char **data;           /* legacy: [keys->n], each after its own count of elements */
    size_t *bytes;
};

/* What the tensors of a file point into, besides its map. */
struct nf_torch {
    struct nf_pickle *pickle;
    struct nf_zip zip;
    void **gathered;     /* [n_gathered] copies in C order */
    size_t n_gathered;
};

/* The file being read. */
struct torchfile_load {
    const unsigned char *p;
    size_t size;
    const char *path;
    struct nf_tf *f;
    struct nf_err *err;
};

static int refuse_torchfile(const struct torchfile_load *l, const char *why)
{
    return nf_fail(l->err, NF_EFORMAT, "%s: %s", l->path, why);
}

static int refuse_entry(const struct torchfile_load *l, const struct nf_tf_entry *e, const char *why)
{
    return nf_fail(l->err, NF_EFORMAT, "%s: tensor %s %s", l->path, e->name, why);
}

static const unsigned char *find_storage(const struct storages *s, const struct nf_pickle_value *v, size_t *bytes)
{
    if (s->zip) {
        const struct nf_zip_member *m = nf_zip_find(s->zip, s->prefix, s->prefix_len, v->s, v->n);

        *bytes = m ? m->size : 0;
        return m ? m->data : NULL;
    }
    for (size_t i = 0; i < s->keys->n; i++)
        if (s->keys->item[i]->n == v->n && memcmp(s->keys->item[i]->s, v->s, v->n) == 0) {
            *bytes = s->bytes[i];
            return s->data[i];
        }
    return NULL;
}

/* Elements of the storage that the tensor reaches: 1 + offset + sum of (shape - 1) * stride.  False: over size_t. */
static bool extent(const struct nf_pickle_value *v, const struct nf_tensor *t, size_t *reach)
{
    size_t at = (size_t)v->i;

    for (size_t d = 0; d < t->ndim; d++) {
        size_t step;

        if (t->shape[d] == 0) {
            *reach = 0;
            return true;
        }
        if (!nf_mul(t->shape[d] - 1, (size_t)v->stride->item[d]->i, &step) || __builtin_add_overflow(at, step, &at))
            return false;
    }
    return !__builtin_add_overflow(at, 1, reach);
}

static bool c_order(const struct nf_pickle_value *v, const struct nf_tensor *t)
{
    size_t step = 1;

    for (size_t d = t->ndim; d-- > 0; step *= t->shape[d])
        if (t->shape[d] > 1 && (size_t)v->stride->item[d]->i != step)
            return false;
    return true;
}

/* A copy in C order; `torch` has room for it. */
static int gather_strided(const struct torchfile_load *l, const struct nf_pickle_value *v, const unsigned char *from, size_t n,
                          struct nf_tensor *t)
{
    size_t size = nf_dtype_size(t->dtype), index[NF_NDIM_MAX] = { 0 };
    unsigned char *to = nf_alloc(n, size, l->err);

    if (!to)
        return NF_ESYS;
    t->data = l->f->torch->gathered[l->f->torch->n_gathered++] = to;
    for (size_t i = 0; i < n; i++, to += size) {
        size_t at = 0;

        for (size_t d = 0; d < t->ndim; d++)
            at += index[d] * (size_t)v->stride->item[d]->i;
        memcpy(to, from + at * size, size);
        for (size_t d = t->ndim; d-- > 0 && ++index[d] == t->shape[d];)
            index[d] = 0;
    }
    return NF_OK;
}

static int place_tensor(const struct torchfile_load *l, const struct storages *s, const struct nf_pickle_value *v,
                        struct nf_tf_entry *e)
{
    size_t bytes = 0, size, reach, count, offset;
    const unsigned char *data;

    if (v->shape->n > NF_NDIM_MAX)
        return refuse_entry(l, e, "has too many dimensions");
    e->t.ndim = v->shape->n;
    for (size_t d = 0; d < e->t.ndim; d++)
        e->t.shape[d] = (size_t)v->shape->item[d]->i;
    e->t.dtype = (enum nf_dtype)v->storage->dtype;
    e->type = nf_dtype_name(e->t.dtype);
    e->weight = e->t.dtype == NF_F32 || e->t.dtype == NF_F16 || e->t.dtype == NF_BF16;
    size = nf_dtype_size(e->t.dtype);
    data = find_storage(s, v->storage, &bytes);
    if (!data)
        return refuse_entry(l, e, "has a storage that is not in the file");
    if (bytes / size < (size_t)v->storage->i)
        return refuse_entry(l, e, "has a storage that is shorter than the file says");
    if (!nf_tensor_count(&e->t, &count) || !extent(v, &e->t, &reach) || reach > bytes / size)
        return refuse_entry(l, e, "leaves its storage");
    offset = count ? (size_t)v->i * size : 0;
    e->bytes = count * size;
    e->mapped = c_order(v, &e->t);
    e->t.data = data + offset;
    if (e->mapped)
        return NF_OK;
    /* expanded views (stride 0) would let a small file ask for much memory */
    return count <= bytes / size ? gather_strided(l, v, data + offset, count, &e->t)
                                 : refuse_entry(l, e, "repeats elements of its storage");
}

/* Some training scripts wrap the weights: {"state_dict": {...}}. */
static const struct nf_pickle_value *unwrap(const struct nf_pickle_value *root)
{
    for (size_t i = 0; root->type == NF_PICKLE_DICT && i + 1 < root->n; i += 2) {
        const struct nf_pickle_value *key = root->item[i];

        if (key->type == NF_PICKLE_STR && key->n == 10 && memcmp(key->s, "state_dict", 10) == 0)
            return root->item[i + 1];
    }
    return root;
}

static int list_tensors(const struct torchfile_load *l, const struct storages *s, const struct nf_pickle_value *root)
{
    const struct nf_pickle_value *dict = unwrap(root);
    struct nf_tf *f = l->f;

    if (dict->type != NF_PICKLE_DICT)
        return refuse_torchfile(l, "holds no state dict");
    f->entry = nf_alloc(dict->n / 2, sizeof *f->entry, l->err);
    f->torch->gathered = nf_alloc(dict->n / 2, sizeof *f->torch->gathered, l->err);
    if (!f->entry || !f->torch->gathered)
        return NF_ESYS;
    for (size_t i = 0; i + 1 < dict->n; i += 2) {
        const struct nf_pickle_value *key = dict->item[i], *v = dict->item[i + 1];
        struct nf_tf_entry *e = &f->entry[f->n];
        int rc;

        if (key->type != NF_PICKLE_STR || v->type != NF_PICKLE_TENSOR)
            continue;
        e->name = strndup(key->s, key->n);
        if (!e->name)
            return nf_fail(l->err, NF_ESYS, "out of memory");
        f->n++;
        rc = place_tensor(l, s, v, e);
        if (rc < 0)
            return rc;
    }
    return nf_tf_sort(f, l->path, l->err);
}

static bool ends_with(const struct nf_zip_member *m, const char *tail)
{
    size_t n = strlen(tail);

    return m->name_len >= n && memcmp(m->name + m->name_len - n, tail, n) == 0;
}

static int read_zip(const struct torchfile_load *l)
{
    static const char program[] = "data.pkl";
    const struct nf_zip *zip = &l->f->torch->zip;
    const struct nf_zip_member *pkl = NULL, *order;
    const struct nf_pickle_value *root;
    struct storages s = { .zip = zip };
    struct nf_map bytes = { l->p, l->size };
    char prefix[512];
    size_t used, top;
    int rc = nf_zip_open(&bytes, l->path, &l->f->torch->zip, l->err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < zip->n; i++)
        if (ends_with(&zip->member[i], "/data.pkl"))
            pkl = &zip->member[i];
    if (!pkl || pkl->name_len > sizeof prefix - sizeof "data/")
        return refuse_torchfile(l, "a zip archive, but not one of torch.save(): no data.pkl");
    top = pkl->name_len - (sizeof program - 1);
    order = nf_zip_find(zip, pkl->name, top, "byteorder", 9);
    if (order && (order->size != 6 || memcmp(order->data, "little", 6) != 0))
        return refuse_torchfile(l, "is not little-endian");
    memcpy(prefix, pkl->name, top);
    memcpy(prefix + top, "data/", 5);
    s.prefix = prefix;
    s.prefix_len = top + 5;
    root = nf_pickle_run(l->f->torch->pickle, pkl->data, pkl->size, l->path, &used, l->err);
    return root ? list_tensors(l, &s, root) : (int)l->err->code;
}

/* Legacy: after the pickles, for each key the number of elements (8 bytes) and the elements. */
static int find_storages(const struct torchfile_load *l, size_t at, struct storages *s)
{
    for (size_t i = 0; i < s->keys->n; i++) {
        const struct nf_pickle_value *key = s->keys->item[i];
        enum nf_dtype dtype;
        uint64_t n;

        if (key->type != NF_PICKLE_STR || l->size - at < sizeof n)
            return refuse_torchfile(l, "truncated in its storages");
        memcpy(&n, l->p + at, sizeof n);
        at += sizeof n;
        if (nf_pickle_storage_dtype(l->f->torch->pickle, key->s, key->n, &dtype) < 0 ||
            !nf_mul(n, nf_dtype_size(dtype), &s->bytes[i]) || s->bytes[i] > l->size - at)
            return nf_fail(l->err, NF_EFORMAT, "%s: storage %.*s is truncated or belongs to no tensor", l->path, (int)key->n,
                           key->s);
        s->data[i] = l->p + at;
        at += s->bytes[i];
    }
    return NF_OK;
}

/* Legacy: five pickles: magic, protocol, system, state dict, keys of the storages. */
static int read_legacy(const struct torchfile_load *l)
{
    const struct nf_pickle_value *part[5];
    struct storages s = { 0 };
    size_t at = 0, used;
    int rc;

    for (int i = 0; i < 5; i++) {
        part[i] = nf_pickle_run(l->f->torch->pickle, l->p + at, l->size - at, l->path, &used, l->err);
        if (!part[i])
            return (int)l->err->code;
        at += used;
        if (i == 0 && (part[0]->type != NF_PICKLE_INT || (uint64_t)part[0]->i != legacy_magic))
            return refuse_torchfile(l, "neither a zip archive nor a legacy file of torch.save()");
        if (i == 1 && (part[1]->type != NF_PICKLE_INT || part[1]->i != LEGACY_PROTOCOL))
            return refuse_torchfile(l, "a legacy file of an unknown protocol");
    }
    s.keys = part[4];
    if (s.keys->type != NF_PICKLE_LIST)
        return refuse_torchfile(l, "a legacy file without its list of storages");
    s.data = nf_alloc(s.keys->n, sizeof *s.data, l->err);
    s.bytes = nf_alloc(s.keys->n, sizeof *s.bytes, l->err);
    rc = s.data && s.bytes ? find_storages(l, at, &s) : NF_ESYS;
    if (rc == NF_OK)
        rc = list_tensors(l, &s, part[3]);
    free(s.data);
    free(s.bytes);
    return rc;
}

int nf_torch_parse(const unsigned char *p, size_t size, const char *path, struct nf_tf *f, struct nf_err *err)
{
    static const unsigned char zip_magic[4] = { 'P', 'K', 3, 4 };
    struct nf_err mine = NF_ERR_INIT;
    const struct torchfile_load l = { p, size, path, f, &mine };
    int rc;

    *f = (struct nf_tf){ .torch = calloc(1, sizeof *f->torch) };
    if (!f->torch)
        rc = nf_fail(&mine, NF_ESYS, "out of memory");
    else if (!(f->torch->pickle = nf_pickle_open(&mine)))
        rc = NF_ESYS;
    else
        rc = size >= 4 && memcmp(p, zip_magic, 4) == 0 ? read_zip(&l) : read_legacy(&l);
    if (rc < 0) {
        nf_tf_close(f);
        nf_fail(err, mine.code, "%s", mine.text);
    }
    return rc;
}

int nf_torch_open(const char *path, struct nf_tf *f, struct nf_err *err)
{
    return nf_tf_open(path, nf_torch_parse, f, err);
}

void nf_torch_free(struct nf_torch *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_gathered; i++)
        free(t->gathered[i]);
    free(t->gathered);
    nf_pickle_close(t->pickle);
    nf_zip_close(&t->zip);
    free(t);
}
