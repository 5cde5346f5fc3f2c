/*
 * chosen.h - neurons that somebody named, or that a neurons stream has by their class, and what their activations are on average.
 */
#ifndef NF_RECORD_CHOSEN_H
#define NF_RECORD_CHOSEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/opt.h"
#include "model/config.h"

/* In the order of layer, then neuron, none twice.  A zeroed struct is empty. */
struct nf_chosen {
    uint32_t *layer, *neuron;   /* [n] */
    float *value;               /* [n] 0 until nf_chosen_means() */
    size_t n, cap;
};

/* nf_chosen_add - NF_EUSAGE: the model has no such neuron.  nf_chosen_sort - after the last; one named twice counts once. */
int nf_chosen_add(struct nf_chosen *c, size_t layer, size_t neuron, const struct nf_config *cfg, struct nf_err *err);
void nf_chosen_sort(struct nf_chosen *c);

/*
 * nf_chosen_classes - add the neurons of the stream in file `path`, of kind neurons, that have one of the classes.
 *
 * NF_EFORMAT: nf_reader_open(), nf_reader_next(); a stream of another model, by the digests of config.json and weights.
 * NF_EUSAGE: no class, or one that no neuron of the stream has (named).
 */
int nf_chosen_classes(struct nf_chosen *c, const char *path, const struct nf_list *classes, const struct nf_config *cfg,
                      struct nf_err *err);

/*
 * nf_chosen_means - value becomes the mean activation (site ffn.act) by the moments of the stats stream in file `path`.
 *
 * NF_EFORMAT: as above; a stream without those moments for a layer that is needed (named).
 */
int nf_chosen_means(struct nf_chosen *c, const char *path, const struct nf_config *cfg, struct nf_err *err);

void nf_chosen_clear(struct nf_chosen *c);

#endif
