/* zip.c - the central directory of a zip archive. */
#include "checkpoint/zip.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* clang-format off */
enum {
    END_SIGNATURE = 0x06054b50, END_BYTES = 22, COMMENT_BYTES = 65535,
    END64_SIGNATURE = 0x06064b50, END64_BYTES = 56,
    LOCATOR_SIGNATURE = 0x07064b50, LOCATOR_BYTES = 20,
    ENTRY_SIGNATURE = 0x02014b50, ENTRY_BYTES = 46,
    LOCAL_SIGNATURE = 0x04034b50, LOCAL_BYTES = 30,
    EXTRA_ZIP64 = 1,
    FLAG_ENCRYPTED = 1,
};
/* clang-format on */

static uint64_t get_little_endian(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

/* Are n bytes at `at` inside the file? */
static bool inside(const struct nf_map *m, uint64_t at, uint64_t n)
{
    return at <= m->size && n <= m->size - at;
}

static bool signed_with(const struct nf_map *m, uint64_t at, uint64_t bytes, uint32_t signature)
{
    return inside(m, at, bytes) && get_little_endian(m->data + at, 4) == signature;
}

/* Where the central directory begins and how many entries it has. */
static int find_directory(const struct nf_map *m, const char *what, uint64_t *at, uint64_t *entries, struct nf_err *err)
{
    uint64_t end, first = m->size > END_BYTES + COMMENT_BYTES ? m->size - END_BYTES - COMMENT_BYTES : 0;
    const unsigned char *p;

    if (m->size < END_BYTES)
        return nf_fail(err, NF_EFORMAT, "%s: too short for a zip archive", what);
    for (end = m->size - END_BYTES; !signed_with(m, end, END_BYTES, END_SIGNATURE); end--)
        if (end == first)
            return nf_fail(err, NF_EFORMAT, "%s: a zip archive without its end: truncated", what);
    p = m->data + end;
    *entries = get_little_endian(p + 10, 2);
    *at = get_little_endian(p + 16, 4);
    if (end >= LOCATOR_BYTES && signed_with(m, end - LOCATOR_BYTES, LOCATOR_BYTES, LOCATOR_SIGNATURE)) {
        uint64_t end64 = get_little_endian(m->data + end - LOCATOR_BYTES + 8, 8);

        if (!signed_with(m, end64, END64_BYTES, END64_SIGNATURE))
            return nf_fail(err, NF_EFORMAT, "%s: the zip64 end record is not where the archive says", what);
        *entries = get_little_endian(m->data + end64 + 32, 8);
        *at = get_little_endian(m->data + end64 + 48, 8);
    }
    return NF_OK;
}

/* Sizes and offsets that do not fit in 32 bits stand in the extra field, in this order, those that are needed. */
static void widen_sizes(const unsigned char *extra, size_t n, uint64_t *size, uint64_t *stored, uint64_t *local)
{
    uint64_t *wide[3] = { size, stored, local };

    while (n >= 4) {
        size_t tag = get_little_endian(extra, 2), len = get_little_endian(extra + 2, 2);
        const unsigned char *p = extra + 4;

        if (len > n - 4)
            return;
        if (tag == EXTRA_ZIP64)
            for (size_t i = 0, left = len; i < 3; i++)
                if (*wide[i] == UINT32_MAX && left >= 8) {
                    *wide[i] = get_little_endian(p, 8);
                    p += 8;
                    left -= 8;
                }
        extra += 4 + len;
        n -= 4 + len;
    }
}

static int read_entry(const struct nf_map *m, const char *what, uint64_t *at, struct nf_zip_member *e, struct nf_err *err)
{
    const unsigned char *p;
    uint64_t size, stored, local, data;
    size_t name, extra, comment;

    if (!signed_with(m, *at, ENTRY_BYTES, ENTRY_SIGNATURE))
        return nf_fail(err, NF_EFORMAT, "%s: the zip directory is corrupt at byte %llu", what, (unsigned long long)*at);
    p = m->data + *at;
    name = get_little_endian(p + 28, 2);
    extra = get_little_endian(p + 30, 2);
    comment = get_little_endian(p + 32, 2);
    if (!inside(m, *at, ENTRY_BYTES + name + extra + comment))
        return nf_fail(err, NF_EFORMAT, "%s: the zip directory leaves the file", what);
    e->name = (const char *)p + ENTRY_BYTES;
    e->name_len = name;
    stored = get_little_endian(p + 20, 4);
    size = get_little_endian(p + 24, 4);
    local = get_little_endian(p + 42, 4);
    widen_sizes(p + ENTRY_BYTES + name, extra, &size, &stored, &local);
    if (get_little_endian(p + 8, 2) & FLAG_ENCRYPTED || get_little_endian(p + 10, 2) != 0 || size != stored)
        return nf_fail(err, NF_EFORMAT, "%s: member %.*s is compressed or encrypted; torch.save() writes neither", what, (int)name,
                       e->name);
    if (!signed_with(m, local, LOCAL_BYTES, LOCAL_SIGNATURE))
        return nf_fail(err, NF_EFORMAT, "%s: member %.*s is not where the zip directory says", what, (int)name, e->name);
    data = local + LOCAL_BYTES + get_little_endian(m->data + local + 26, 2) + get_little_endian(m->data + local + 28, 2);
    if (!inside(m, data, size))
        return nf_fail(err, NF_EFORMAT, "%s: member %.*s leaves the file: truncated", what, (int)name, e->name);
    e->data = m->data + data;
    e->size = size;
    *at += ENTRY_BYTES + name + extra + comment;
    return NF_OK;
}

static int compare(const char *a, size_t na, const char *b, size_t nb)
{
    int c = memcmp(a, b, na < nb ? na : nb);

    return c ? c : (na > nb) - (na < nb);
}

static int compare_member_names(const void *a, const void *b)
{
    const struct nf_zip_member *x = a, *y = b;

    return compare(x->name, x->name_len, y->name, y->name_len);
}

int nf_zip_open(const struct nf_map *map, const char *what, struct nf_zip *z, struct nf_err *err)
{
    uint64_t at = 0, entries = 0;
    int rc = find_directory(map, what, &at, &entries, err);

    *z = (struct nf_zip){ NULL, 0 };
    if (rc < 0)
        return rc;
    if (entries > map->size / ENTRY_BYTES)
        return nf_fail(err, NF_EFORMAT, "%s: a zip directory of %llu members does not fit in the file", what,
                       (unsigned long long)entries);
    z->member = nf_alloc(entries, sizeof *z->member, err);
    if (!z->member)
        return NF_ESYS;
    for (z->n = 0; rc == NF_OK && z->n < entries; z->n++)
        rc = read_entry(map, what, &at, &z->member[z->n], err);
    if (rc == NF_OK) {
        qsort(z->member, z->n, sizeof *z->member, compare_member_names);
        for (size_t i = 1; i < z->n; i++)
            if (compare_member_names(&z->member[i - 1], &z->member[i]) == 0)
                rc = nf_fail(err, NF_EFORMAT, "%s: two members named %.*s", what, (int)z->member[i].name_len, z->member[i].name);
    }
    if (rc < 0)
        nf_zip_close(z);
    return rc;
}

/* prefix + name against the name of a member. */
static int against(const struct nf_zip_member *m, const char *prefix, size_t prefix_len, const char *name, size_t name_len)
{
    size_t head = m->name_len < prefix_len ? m->name_len : prefix_len;
    int c = compare(prefix, prefix_len, m->name, head);

    return c ? c : compare(name, name_len, m->name + head, m->name_len - head);
}

const struct nf_zip_member *nf_zip_find(const struct nf_zip *z, const char *prefix, size_t prefix_len, const char *name,
                                        size_t name_len)
{
    size_t lo = 0, hi = z->n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = against(&z->member[mid], prefix, prefix_len, name, name_len);

        if (c == 0)
            return &z->member[mid];
        if (c > 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

void nf_zip_close(struct nf_zip *z)
{
    free(z->member);
    *z = (struct nf_zip){ NULL, 0 };
}
