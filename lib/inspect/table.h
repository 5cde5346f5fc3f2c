/*
 * table.h - the records of one type as a table: CSV (RFC 4180 quoting, lines end with LF) or TSV (tab, LF, CR and backslash inside a value as
 * \t \n \r \\).
 *
 * A column is a path into the record: `layer`, `dead.p`, `cover.0.1`, `point.depth` of the point it names; or `name=path`. A cell is empty where the record has nothing there or
 * nil; arrays and one-dimensional tensors are their values joined by ';', what is nested deeper is JSON. Not-a-number is NaN.
 */
#ifndef NF_INSPECT_TABLE_H
#define NF_INSPECT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <msgpack.h>

#include "base/err.h"
#include "record/describe.h"

struct nf_table;

/*
 * nf_table_open
 *
 *   separator  ',' or '\t': CSV or TSV
 *   type       of the records
 *   columns    n of them; n = 0: the usual ones of the type (record/describe.h).  Borrowed for the life of the table
 *   text       behind a column of token ids one of their text, which the rows have (record/plain.h)
 *
 * NF_EUSAGE: the records have no such column; the message names those they have.
 */
struct nf_table *nf_table_open(FILE *f, char separator, const struct nf_record *type, const char *const *columns, size_t n,
                               bool text, struct nf_err *err);

/* nf_table_see - any record of the stream, before the rows: a column may be a field of a record that the row refers to. */
int nf_table_see(struct nf_table *t, const msgpack_object *rec, struct nf_err *err);

/* nf_table_row - one line; the line of names before the first. */
void nf_table_row(struct nf_table *t, const msgpack_object *rec);

/* nf_table_end - the stream is whole: the line of names, if there was no row.  nf_table_close - free.  Both accept NULL. */
void nf_table_end(struct nf_table *t);
void nf_table_close(struct nf_table *t);

#endif
