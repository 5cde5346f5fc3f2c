/* torchfile.c - the tensors of a pytorch_model.bin. */
#include "model/torchfile.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

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

static int bad(struct nf_err *err, const char *what, const struct nf_torch_tensor *t, const char *why)
{
    return nf_fail(err, NF_EFORMAT, "%s: tensor %.*s %s", what, (int)t->name_len, t->name, why);
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

static int gather(const struct nf_pickle_value *v, const unsigned char *from, struct nf_torch_tensor *t, struct nf_err *err)
{
    size_t size = nf_dtype_size(t->t.dtype), n, index[NF_NDIM_MAX] = { 0 };
    unsigned char *to;

    if (!nf_tensor_count(&t->t, &n))
        return nf_fail(err, NF_EFORMAT, "tensor %.*s has too many elements", (int)t->name_len, t->name);
    to = t->gathered = nf_alloc(n, size, err);
    if (!to)
        return NF_ESYS;
    for (size_t i = 0; i < n; i++, to += size) {
        size_t at = 0;

        for (size_t d = 0; d < t->t.ndim; d++)
            at += index[d] * (size_t)v->stride->item[d]->i;
        memcpy(to, from + at * size, size);
        for (size_t d = t->t.ndim; d-- > 0 && ++index[d] == t->t.shape[d];)
            index[d] = 0;
    }
    t->t.data = t->gathered;
    return NF_OK;
}

static int place(const struct storages *s, const char *what, const struct nf_pickle_value *v, struct nf_torch_tensor *t, struct nf_err *err)
{
    const unsigned char *data;
    size_t bytes = 0, size, reach, count;

    if (v->shape->n > NF_NDIM_MAX)
        return bad(err, what, t, "has too many dimensions");
    t->t.ndim = v->shape->n;
    for (size_t d = 0; d < t->t.ndim; d++)
        t->t.shape[d] = (size_t)v->shape->item[d]->i;
    t->t.dtype = (enum nf_dtype)v->storage->dtype;
    size = nf_dtype_size(t->t.dtype);
    data = find_storage(s, v->storage, &bytes);
    if (!data)
        return bad(err, what, t, "has a storage that is not in the file");
    if (bytes / size < (size_t)v->storage->i)
        return bad(err, what, t, "has a storage that is shorter than the file says");
    if (!nf_tensor_count(&t->t, &count) || !extent(v, &t->t, &reach) || reach > bytes / size)
        return bad(err, what, t, "leaves its storage");
    /* expanded views (stride 0) would let a small file ask for much memory */
    if (!c_order(v, &t->t))
        return count <= bytes / size ? gather(v, data + (size_t)v->i * size, t, err) : bad(err, what, t, "repeats elements of its storage");
    t->t.data = count ? data + (size_t)v->i * size : data;
    return NF_OK;
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

static int list_tensors(struct nf_torchfile *f, const struct storages *s, const struct nf_pickle_value *root, const char *what, struct nf_err *err)
{
    const struct nf_pickle_value *dict = unwrap(root);

    if (dict->type != NF_PICKLE_DICT)
        return nf_fail(err, NF_EFORMAT, "%s: holds no state dict", what);
    f->tensor = nf_alloc(dict->n / 2, sizeof *f->tensor, err);
    if (!f->tensor)
        return NF_ESYS;
    for (size_t i = 0; i + 1 < dict->n; i += 2) {
        const struct nf_pickle_value *key = dict->item[i], *v = dict->item[i + 1];
        struct nf_torch_tensor *t = &f->tensor[f->n];
        int rc;

        if (key->type != NF_PICKLE_STR || v->type != NF_PICKLE_TENSOR)
            continue;
        t->name = key->s;
        t->name_len = key->n;
        f->n++;
        rc = place(s, what, v, t, err);
        if (rc < 0)
            return rc;
    }
    return NF_OK;
}

static bool ends_with(const struct nf_zip_member *m, const char *tail)
{
    size_t n = strlen(tail);

    return m->name_len >= n && memcmp(m->name + m->name_len - n, tail, n) == 0;
}

static int open_zip(const struct nf_map *map, const char *what, struct nf_torchfile *f, struct nf_err *err)
{
    static const char program[] = "data.pkl";
    const struct nf_zip_member *pkl = NULL, *order;
    const struct nf_pickle_value *root;
    struct storages s = { .zip = &f->zip };
    char prefix[512];
    size_t used, top;
    int rc = nf_zip_open(map, what, &f->zip, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < f->zip.n; i++)
        if (ends_with(&f->zip.member[i], "/data.pkl"))
            pkl = &f->zip.member[i];
    if (!pkl || pkl->name_len > sizeof prefix - sizeof "data/")
        return nf_fail(err, NF_EFORMAT, "%s: a zip archive, but not one of torch.save(): no data.pkl", what);
    top = pkl->name_len - (sizeof program - 1);
    order = nf_zip_find(&f->zip, pkl->name, top, "byteorder", 9);
    if (order && (order->size != 6 || memcmp(order->data, "little", 6) != 0))
        return nf_fail(err, NF_EFORMAT, "%s: is not little-endian", what);
    memcpy(prefix, pkl->name, top);
    memcpy(prefix + top, "data/", 5);
    s.prefix = prefix;
    s.prefix_len = top + 5;
    root = nf_pickle_run(f->pickle, pkl->data, pkl->size, what, &used, err);
    return root ? list_tensors(f, &s, root, what, err) : err ? (int)err->code : NF_EFORMAT;
}

/* Legacy: magic, protocol, system, state dict, keys; then for each key the number of elements (8 bytes) and the elements. */
static int open_legacy(const struct nf_map *map, const char *what, struct nf_torchfile *f, struct nf_err *err)
{
    const struct nf_pickle_value *part[5];
    struct storages s = { 0 };
    size_t at = 0, used;
    int rc = NF_OK;

    for (int i = 0; i < 5; i++) {
        part[i] = nf_pickle_run(f->pickle, map->data + at, map->size - at, what, &used, err);
        if (!part[i])
            return err ? (int)err->code : NF_EFORMAT;
        at += used;
        if (i == 0 && (part[0]->type != NF_PICKLE_INT || (uint64_t)part[0]->i != legacy_magic))
            return nf_fail(err, NF_EFORMAT, "%s: neither a zip archive nor a legacy file of torch.save()", what);
        if (i == 1 && (part[1]->type != NF_PICKLE_INT || part[1]->i != LEGACY_PROTOCOL))
            return nf_fail(err, NF_EFORMAT, "%s: a legacy file of an unknown protocol", what);
    }
    s.keys = part[4];
    if (s.keys->type != NF_PICKLE_LIST)
        return nf_fail(err, NF_EFORMAT, "%s: a legacy file without its list of storages", what);
    s.data = nf_alloc(s.keys->n, sizeof *s.data, err);
    s.bytes = nf_alloc(s.keys->n, sizeof *s.bytes, err);
    rc = s.data && s.bytes ? NF_OK : NF_ESYS;
    for (size_t i = 0; rc == NF_OK && i < s.keys->n; i++) {
        uint64_t n = 0;
        size_t bytes = 0;
        enum nf_dtype dtype;

        if (s.keys->item[i]->type != NF_PICKLE_STR || map->size - at < 8) {
            rc = nf_fail(err, NF_EFORMAT, "%s: truncated in its storages", what);
            break;
        }
        memcpy(&n, map->data + at, 8);
        at += 8;
        rc = nf_pickle_storage_dtype(f->pickle, s.keys->item[i]->s, s.keys->item[i]->n, &dtype);
        if (rc < 0 || !nf_mul(n, nf_dtype_size(dtype), &bytes) || bytes > map->size - at) {
            rc = nf_fail(err, NF_EFORMAT, "%s: storage %.*s is truncated or belongs to no tensor", what, (int)s.keys->item[i]->n,
                         s.keys->item[i]->s);
            break;
        }
        s.data[i] = map->data + at;
        s.bytes[i] = bytes;
        at += bytes;
    }
    if (rc == NF_OK)
        rc = list_tensors(f, &s, part[3], what, err);
    free(s.data);
    free(s.bytes);
    return rc;
}

int nf_torchfile_open(const struct nf_map *map, const char *what, struct nf_torchfile *f, struct nf_err *err)
{
    static const unsigned char zip_magic[4] = { 'P', 'K', 3, 4 };
    int rc;

    *f = (struct nf_torchfile){ 0 };
    f->pickle = nf_pickle_open(err);
    if (!f->pickle)
        return NF_ESYS;
    rc = map->size >= 4 && memcmp(map->data, zip_magic, 4) == 0 ? open_zip(map, what, f, err) : open_legacy(map, what, f, err);
    if (rc < 0)
        nf_torchfile_close(f);
    return rc;
}

void nf_torchfile_close(struct nf_torchfile *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->tensor[i].gathered);
    free(f->tensor);
    nf_pickle_close(f->pickle);
    nf_zip_close(&f->zip);
    *f = (struct nf_torchfile){ 0 };
}
