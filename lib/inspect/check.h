/*
 * check.h - does a stream keep the promises of its kind?  What its records' tables say (record/record.h), and what holds across records: order,
 * counts that must agree, shapes that the header states.  FORMAT.md section 4.
 *
 * A record that is faulty does not end the check: it goes on from the record as it is, so that one fault is one line and not one for every
 * record after it.
 */
#ifndef NF_INSPECT_CHECK_H
#define NF_INSPECT_CHECK_H

#include <jansson.h>
#include <msgpack.h>

#include "base/err.h"

struct nf_check;

/* nf_check_open - NULL: the header lacks what its kind needs, the kind is not known, or no memory. */
struct nf_check *nf_check_open(const json_t *header, struct nf_err *err);

/* NF_OK, or the first fault of the record (NF_EFORMAT).  NF_ESYS ends the check. */
int nf_check_record(struct nf_check *c, const msgpack_object *rec, struct nf_err *err);
int nf_check_end(struct nf_check *c, const msgpack_object *end, struct nf_err *err);

void nf_check_close(struct nf_check *c);   /* accepts NULL */

#endif
