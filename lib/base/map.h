/*
 * map.h - whole files as memory.
 *
 * A mapped file can change while it is read.  One that becomes shorter ends the process with status 1 and a message that names it, when a page
 * behind its end is touched; the file of -o is removed first.  One that is overwritten in place is noticed by nf_maps_check().
 */
#ifndef NF_BASE_MAP_H
#define NF_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* A read-only mapping.  size 0: data is "". */
struct nf_map {
    const unsigned char *data;
    size_t size;
};

/* nf_map_open - NF_ESYS when the file cannot be opened or mapped (the path is in the message).  Close with nf_map_close(). */
int nf_map_open(const char *path, struct nf_map *map, struct nf_err *err);

/*
 * nf_map_drop - whole pages among these bytes of a mapped file are not needed soon: give their memory back.  They return from the file when touched
 * again.  Never changes a value.
 */
void nf_map_drop(const void *data, size_t n);

/*
 * nf_maps_check - whether a mapped file was written to since it was mapped, by size and time of modification.  NF_ESYS: names it.  A file that
 * another one has replaced under its name is still the old one to us.  To be called before the output gets its END.
 */
int nf_maps_check(struct nf_err *err);

void nf_map_close(struct nf_map *map);   /* accepts a zeroed or closed map */

#endif
