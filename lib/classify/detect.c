/* detect.c - the detector rules. */
#include "classify/detect.h"

enum nf_verdict nf_detect(const struct nf_detect *d, uint64_t most, struct nf_ratio explain)
{
    uint64_t need = nf_ratio_need(explain, d->activations);

    if (d->activations == 0 || d->cover_lo > most || d->possible + d->lost < need)
        return NF_NO;
    return d->cover_hi <= most && d->sure >= need ? NF_YES : NF_OPEN;
}
