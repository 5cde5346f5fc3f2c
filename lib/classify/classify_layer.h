/*
 * classify_layer.h - applies every rule to every neuron of a layer.
 */
#ifndef NF_CLASSIFY_CLASSIFY_LAYER_H
#define NF_CLASSIFY_CLASSIFY_LAYER_H

#include "record/neurons.h"
#include "classify/layer.h"

/* What the rules say of one neuron. */
struct nf_neuron_classes {
    unsigned classes, undecided;               /* bits of enum nf_class */
    struct nf_share freq;
    enum nf_band band;
    uint64_t activations[NF_ORDERS];           /* counted and lost */
    uint64_t cover_lo[NF_ORDERS], cover_hi[NF_ORDERS];
    enum nf_verdict detector[NF_ORDERS];
    enum nf_verdict variant[NF_ORDERS][NF_VARIANTS];
    bool placed;                               /* `position` is there */
    struct nf_positional position;
    struct nf_interval *range;                 /* owned: of position */
    uint32_t *curve;                           /* owned: of position */
};

/*
 * nf_classify_layer - apply the rules to all neurons; l is complete (nf_layer_end).
 *
 *   judged  [F]  out; release what is in it with nf_neuron_classes_clear()
 *
 * NF_ESYS: memory.  Independent of threads.
 */
int nf_classify_layer(const struct nf_classify *cfg, struct nf_layer_counts *l, struct nf_neuron_classes *judged,
                      struct nf_err *err);
/*
 * nf_neuron_classes_add - add classes [F] (bits of enum nf_class) to those that hold. A neuron with
 * an added class is no longer `other`.
 */
void nf_neuron_classes_add(struct nf_neuron_classes *judged, size_t F, const unsigned *classes);

void nf_neuron_classes_clear(struct nf_neuron_classes *judged, size_t F);

/* nf_neuron_classes_summary - the layer's record, all but `covered` and the covered counts of variants (they need the layers below). */
void nf_neuron_classes_summary(const struct nf_classify *cfg, const struct nf_layer_counts *l,
                               const struct nf_neuron_classes *judged, struct nf_layer_summary *s);

/* nf_domain_entropy - entropy in bits of the firing frequencies of the domains, normalised to 1; NaN when all are 0 or absent. */
double nf_domain_entropy(const struct nf_share *domain, size_t Q);

#endif
