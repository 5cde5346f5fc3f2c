/* tensorfile.c - what the readers of tensor files share. */
#include "checkpoint/tensorfile.h"

#include <stdlib.h>
#include <string.h>

#include "checkpoint/torchfile.h"

static int compare_tensor_names(const void *a, const void *b)
{
    return strcmp(((const struct nf_tf_entry *)a)->name, ((const struct nf_tf_entry *)b)->name);
}

int nf_tf_sort(struct nf_tf *f, const char *path, struct nf_err *err)
{
    if (f->n)
        qsort(f->entry, f->n, sizeof *f->entry, compare_tensor_names);
    for (size_t i = 1; i < f->n; i++)
        if (compare_tensor_names(&f->entry[i - 1], &f->entry[i]) == 0)
            return nf_fail(err, NF_EFORMAT, "%s: tensor %s is there twice", path, f->entry[i].name);
    return NF_OK;
}

int nf_tf_open(const char *path,
               int (*parse)(const unsigned char *p, size_t size, const char *path, struct nf_tf *f, struct nf_err *err),
               struct nf_tf *f, struct nf_err *err)
{
    struct nf_map map;
    int rc = nf_map_open(path, &map, err);

    *f = (struct nf_tf){ 0 };
    if (rc < 0)
        return rc;
    if (nf_is_lfs_pointer(map.data, map.size)) {
        nf_map_close(&map);
        return nf_fail_lfs(err, path);
    }
    rc = parse(map.data, map.size, path, f, err);
    if (rc < 0)
        nf_map_close(&map);
    else
        f->map = map;
    return rc;
}

struct nf_tf_entry *nf_tf_find(const struct nf_tf *f, const char *name)
{
    struct nf_tf_entry key = { .name = (char *)name };

    return f->n ? bsearch(&key, f->entry, f->n, sizeof *f->entry, compare_tensor_names) : NULL;
}

void nf_tf_close(struct nf_tf *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->entry[i].name);
    free(f->entry);
    nf_torch_free(f->torch);
    nf_map_close(&f->map);
    *f = (struct nf_tf){ 0 };
}
