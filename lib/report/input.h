/*
 * input.h - the part of one neurons stream that a report keeps: its records as JSON, cut to what a
 * page can hold.
 */
#ifndef NF_REPORT_INPUT_H
#define NF_REPORT_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/err.h"
#include "record/neurons.h"
#include "stream/reader.h"

enum { NF_REPORT_LAYERS = 4096 };   /* a header that says more is refused, of any kind */

/* Limits of one page: with these it stays under about 20 MB whatever the model. */
enum {
    NF_PAGE_NEURONS = 40000,     /* rows of the neuron tables of all inputs; OPT-125m has 36,864 neurons */
    NF_PAGE_EVIDENCE = 8000,     /* detectors with their tokens, an input */
    NF_PAGE_NEAR = 1000,         /* near misses with their tokens, an input */
    NF_PAGE_CURVES = 1200,       /* position curves, an input */
    NF_PAGE_CURVE_POINTS = 512,  /* a longer curve is summed over equal bins of positions */
    NF_PAGE_GRAMS = 12,          /* n-grams listed of one detector */
    NF_PAGE_VALUES = 10,         /* promoted and suppressed tokens of one detector, each */
    NF_PAGE_TRIGGERS = 3,        /* most frequent triggers of a neuron that is no detector */
};

/*
 * One input.  The JSON is owned; field names are those of FORMAT.md section 4.5.
 *
 *   header        of the stream, as it came
 *   run           record "run"; tensors as arrays
 *   layers        array of "layer" records with counts, ascending
 *   weights       array of {layer, neurons, vocab}, of the layers whose weights were classified, counted or not
 *   suppression   array of "suppression" records, in the order of the stream
 *   teams         array of "team" records
 *   neurons       columns of equal length: layer, neuron, class (enum nf_class), fires, and flat `top` (n-gram triggers)
 *   evidence      array of neuron records cut to what is shown: layer, neuron, class, fires, n, and token bigram trigram suppress position.
 *                 Near misses are there too: few tokens cover their firings, but they do not fire on nearly all of these
 *   tokens        id (decimal, as key) -> printable text, of every token that is mentioned anywhere
 */
struct nf_input {
    char name[160];              /* of the model; made unique among the inputs */
    json_t *header, *run, *layers, *weights, *suppression, *teams, *neurons, *evidence, *tokens;
    size_t L, F, T;              /* layers of the model, width of its FFN, context */
    bool all;                    /* `neurons` has every neuron; false: only those with a class of their own and not dead */
    uint64_t seen;               /* neuron records read */
    uint64_t next;               /* layer * F + neuron of the last one, and 1: they come in this order, none twice */
    size_t detectors, near, curves;   /* kept in `evidence` */
    uint64_t cut;                /* neurons whose evidence did not fit */
};

/*
 * nf_input_read - read a neurons stream to its end.
 *
 *   room   rows that the page still has for neuron tables: a run with more neurons keeps only the classified ones
 *
 * NF_EFORMAT: what the reader refuses; a record type or field that is missing or out of range; a token id >= V.
 * After any return the struct is for nf_input_clear().
 */
int nf_input_read(struct nf_input *run, struct nf_reader *in, size_t room, struct nf_err *err);
void nf_input_clear(struct nf_input *run);

/*
 * nf_json_of - msgpack as JSON: strings made printable, tensors as flat arrays; NaN and infinities, which JSON has not, null, and so what
 * has no JSON form.  New reference; NULL: memory.
 */
json_t *nf_json_of(const msgpack_object *o);

/*
 * Access to the JSON by path, "dead.k".  A missing or nil value is NULL, NaN, 0, "".
 */
const json_t *nf_at(const json_t *j, const char *path);
double nf_real_at(const json_t *j, const char *path);
uint64_t nf_whole_at(const json_t *j, const char *path);
const char *nf_str_at(const json_t *j, const char *path);

/* nf_share_at - a share as it stands in the record; n == 0 when it is missing. */
struct nf_share nf_share_at(const json_t *j, const char *path);

/* nf_token - the printable text of a token id that the run mentions; "?" otherwise.  Borrowed. */
const char *nf_token(const struct nf_input *run, uint64_t id);

#endif
