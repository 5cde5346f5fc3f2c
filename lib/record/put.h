/*
 * put.h - the pairs that records are written with: a key and its value.
 */
#ifndef NF_RECORD_PUT_H
#define NF_RECORD_PUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/writer.h"

/* nf_put_record - begin a record: "r": type, and `pairs` more to follow; then nf_writer_end(). */
struct nf_enc *nf_put_record(struct nf_writer *w, const char *type, size_t pairs);

void nf_put_uint(struct nf_enc *e, const char *key, uint64_t v);
void nf_enc_real_or_nil(struct nf_enc *e, double v);             /* NaN: nil; a value without a key */
void nf_put_real(struct nf_enc *e, const char *key, double v);   /* NaN: nil */
void nf_put_bool(struct nf_enc *e, const char *key, bool v);
void nf_put_str(struct nf_enc *e, const char *key, const char *v);
void nf_put_nil(struct nf_enc *e, const char *key);

/* Arrays of numbers, as msgpack arrays: for people and jq. */
void nf_put_sizes(struct nf_enc *e, const char *key, const size_t *v, size_t n);
void nf_put_u64s(struct nf_enc *e, const char *key, const uint64_t *v, size_t n);
void nf_put_reals(struct nf_enc *e, const char *key, const double *v, size_t n);   /* NaN: nil */

/* Tensors. */
void nf_put_1d(struct nf_enc *e, const char *key, enum nf_dtype type, const void *data, size_t n);
void nf_put_2d(struct nf_enc *e, const char *key, enum nf_dtype type, const void *data, size_t a, size_t b);
void nf_put_3d(struct nf_enc *e, const char *key, enum nf_dtype type, const void *data, size_t a, size_t b, size_t c);

#endif
