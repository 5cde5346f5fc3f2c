/*
 * check_rules.h - the rules across records of each kind, which check.c calls.
 */
#ifndef NF_INSPECT_CHECK_RULES_H
#define NF_INSPECT_CHECK_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "record/kind.h"

/* What the rules of a kind look at beside their own state. */
struct nf_check_stream {
    const json_t *header;
    struct nf_sizes sizes;
    bool any_doc;
    size_t doc, docs; /* the last document; doc records so far */
    bool unreadable; /* a record could not be read: what END sums up says nothing */
};

struct nf_check_rules {
    const char *kind;
    size_t size; /* of the state, which begins as zeros */
    bool vocab_optional; /* a stream without any vocab record is whole */
    int (*open)(void *state, struct nf_check_stream *s, struct nf_err *err); /* NULL: nothing to do */
    int (*record)(void *state, struct nf_check_stream *s, const struct nf_any_record *in,
                  struct nf_err *err); /* but vocab and special */
    int (*end)(void *state, const struct nf_check_stream *s, const msgpack_object *end, struct nf_err *err);
    void (*close)(void *state); /* what the state owns; NULL: nothing */
};

extern const struct nf_check_rules nf_check_tokens, nf_check_activations, nf_check_stats, nf_check_neurons, nf_check_effects,
    nf_check_lens;

/* nf_check_total - END's total `key`, if it is there, is `n`. */
int nf_check_total(const msgpack_object *end, const char *key, uint64_t n, struct nf_err *err);

#endif
