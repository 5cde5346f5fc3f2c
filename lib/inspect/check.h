/*
 * check.h - checks that a stream keeps the promises of its kind: order, counts that must agree,
 * shapes that the header states, numbers that must be finite. A reader of bytes cannot see these.
 * FORMAT.md section 4.
 *
 * Each kind is a set of four functions with their own state. A record function returns NF_EFORMAT
 * with the fault in `err`, and continues from that record as it is. So one fault gives one line,
 * not one for every later record.
 */
#ifndef NF_INSPECT_CHECK_H
#define NF_INSPECT_CHECK_H

#include <jansson.h>
#include <msgpack.h>

#include "base/err.h"

struct nf_check_kind {
    const char *kind;
    void *(*open)(const json_t *header, struct nf_err *err);   /* NULL: the header lacks what the kind needs, or no memory */
    int (*record)(void *state, const msgpack_object *rec, struct nf_err *err);
    int (*end)(void *state, const msgpack_object *end, struct nf_err *err);
    void (*close)(void *state);                                /* accepts NULL */
};

extern const struct nf_check_kind nf_check_tokens, nf_check_activations, nf_check_stats, nf_check_neurons, nf_check_effects,
    nf_check_lens;

/* nf_check_find - the checks of a kind; NULL: none are known. */
const struct nf_check_kind *nf_check_find(const char *kind);

/*
 * nf_check_finite - every real number of the record is finite, but NaN where FORMAT.md allows it: moments and top (undefined, none),
 * and the loss and rank columns of pred (no next token; nf_check_activations knows at which rows).  The fault names field and index.
 */
int nf_check_finite(const msgpack_object *rec, struct nf_err *err);

/* The size under `key` of `map` in the header, from 1 to max; NF_EFORMAT names it. */
int nf_check_size(const json_t *header, const char *map, const char *key, size_t max, size_t *v, struct nf_err *err);

/* nf_check_total - END's total `key` is `want`. */
int nf_check_total(const msgpack_object *end, const char *key, uint64_t want, struct nf_err *err);

#endif
