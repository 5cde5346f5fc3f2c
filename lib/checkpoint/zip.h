/*
 * zip.h - where the members of a zip archive lie, without copying them.
 *
 * torch.save() stores its members uncompressed, so a mapped file is read in place; a library that hands out copies would double the
 * memory.  Zip64 included (APPNOTE.TXT 6.3.9, sections 4.3.7 to 4.3.16).  Compressed, encrypted or split members are refused.
 */
#ifndef NF_CHECKPOINT_ZIP_H
#define NF_CHECKPOINT_ZIP_H

#include <stddef.h>

#include "base/err.h"
#include "base/file.h"

struct nf_zip_member {
    const char *name;            /* borrowed from the mapping; not NUL-terminated */
    size_t name_len;
    const unsigned char *data;   /* borrowed from the mapping */
    size_t size;
};

struct nf_zip {
    struct nf_zip_member *member;   /* sorted by name */
    size_t n;
};

/* nf_zip_open - list the members of the archive in `map` (named `what` in messages).  NF_EFORMAT: no archive, or a member as above, or
 * one that leaves the file, or two of one name.  Release with nf_zip_close(). */
int nf_zip_open(const struct nf_map *map, const char *what, struct nf_zip *z, struct nf_err *err);

/* nf_zip_find - the member whose name is prefix + name, or NULL. */
const struct nf_zip_member *nf_zip_find(const struct nf_zip *z, const char *prefix, size_t prefix_len, const char *name,
                                        size_t name_len);

void nf_zip_close(struct nf_zip *z);   /* accepts a zeroed struct */

#endif
