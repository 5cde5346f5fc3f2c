/*
 * describe.h - tables in words: the JSON Schema of a kind, the columns of its records, the tables of FORMAT.md.
 */
#ifndef NF_RECORD_DESCRIBE_H
#define NF_RECORD_DESCRIBE_H

#include <stdio.h>

#include <jansson.h>

#include "record/kind.h"

/*
 * nf_kind_schema - a JSON Schema (draft 2020-12) of one line of `stream-dump --format ndjson`, with ranges, units and descriptions.
 * A tensor is nested arrays; numbers that are not finite are null there.  New reference; NULL: memory.
 */
json_t *nf_kind_schema(const struct nf_kind *k);

/*
 * nf_record_columns - the usual columns of csv and tsv, one after the other: "name" or "name=path".
 * add returns NF_OK, or a negative code that ends the walk and is returned.
 */
int nf_record_columns(const struct nf_record *r, int (*add)(void *ctx, const char *column, struct nf_err *err), void *ctx,
                      struct nf_err *err);

/* nf_record_has_path - may a record of this type have a value there?  "dead.p", "cover.0.1", "bands.rare" */
bool nf_record_has_path(const struct nf_record *r, const char *path);

/* nf_record_refers - the path is that of a field of another record, which the first field of the path numbers: "point.depth"; or NULL. */
const struct nf_record *nf_record_refers(const struct nf_record *r, const char *path);

/* nf_record_tables - the Markdown table of a record, and those of the maps in it. */
void nf_record_tables(FILE *f, const struct nf_record *r);

/* nf_kind_is_own - is the record the kind's own: none of those that travel from tokens onwards? */
bool nf_kind_is_own(const struct nf_record *r);

#endif
