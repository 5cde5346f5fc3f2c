/*
 * neuron_set.h - a set of neurons, by number or by their class in a neurons stream, and their mean
 * activations.
 */
#ifndef NF_RUN_NEURON_SET_H
#define NF_RUN_NEURON_SET_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/opt.h"
#include "checkpoint/config.h"

/* A zeroed struct is empty. */
struct nf_neuron_set {
    uint32_t *layer, *neuron;   /* [n] */
    float *value;               /* [n] 0 until nf_neuron_set_means() */
    size_t n, cap;
};

/* nf_neuron_set_add - NF_EUSAGE: the model has no such neuron (named). */
int nf_neuron_set_add(struct nf_neuron_set *c, size_t layer, size_t neuron, const struct nf_config *cfg, struct nf_err *err);

/* nf_neuron_set_sort - into the order of layer, then neuron; one that was added twice stays there twice.  NF_ESYS: memory. */
int nf_neuron_set_sort(struct nf_neuron_set *c, struct nf_err *err);

/*
 * nf_neuron_set_classes - the neurons of each class by the stream in file `path`, of kind neurons, which is read once.
 *
 *   of      [classes->n] each gets the neurons that have the class of its index, in order; a neuron may be in several
 *   digest  out, of the stream: nf_reader_digest()
 *
 * NF_EFORMAT: nf_reader_open(), nf_reader_next(); a stream of another model, by the digests of config.json and weights; a neuron that the
 * model has not, or out of order (named).  NF_EUSAGE: a class that no neuron of the stream has (named).  NF_ESYS.
 */
int nf_neuron_set_classes(struct nf_neuron_set *of, const char *path, const struct nf_list *classes, const struct nf_config *cfg,
                      char digest[NF_DIGEST_HEX], struct nf_err *err);

/*
 * nf_neuron_set_means - values become the mean activations by the moments of site ffn.act in the stats stream in file `path`, which is read once.
 *
 *   of      [sets]
 *   digest  out
 *
 * NF_EFORMAT: as above; a stream without those moments for a layer that is needed, or a neuron without a mean (named).  NF_ESYS.
 */
int nf_neuron_set_means(struct nf_neuron_set *of, size_t sets, const char *path, const struct nf_config *cfg,
                        char digest[NF_DIGEST_HEX], struct nf_err *err);

void nf_neuron_set_clear(struct nf_neuron_set *c);

#endif
