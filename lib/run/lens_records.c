/* lens_records.c - points and parts to records. */
#include "run/lens_records.h"

#include <math.h>
#include <stdio.h>

enum { NAME = 40 };

void nf_point_write(struct nf_writer *out, size_t number, const struct nf_point *p, size_t L)
{
    char name[NAME];
    const struct nf_point_rec rec = {
        .point = number, .name = name, .layer = p->layer, .depth = ((double)p->layer + (p->mid ? 0.5 : 0)) / (double)L
    };

    snprintf(name, sizeof name, "%zu%s", p->layer, p->mid ? ".mid" : "");
    nf_record_write(&nf_point_record, out, &rec);
}

void nf_part_write(struct nf_writer *out, size_t number, const struct nf_part *p)
{
    static const char *const kinds[] = { "embed", "attn", "ffn", "bias", "total" };
    bool layered = p->kind == NF_PART_ATTN || p->kind == NF_PART_FFN;
    char name[NAME];
    const struct nf_part_rec rec = { .part = number, .name = name, .layer = layered ? p->layer : NF_NONE };

    if (layered)
        snprintf(name, sizeof name, "%s.%zu", kinds[p->kind], p->layer);
    else
        snprintf(name, sizeof name, "%s", kinds[p->kind]);
    nf_record_write(&nf_part_record, out, &rec);
}

void nf_lens_of(const struct nf_divergence *final, const struct nf_divergence *own, double x[NF_LENS_COUNT])
{
    x[NF_LENS_KL] = own->kl;
    x[NF_LENS_AGREE] = own->top == final->top;
    x[NF_LENS_ENTROPY] = own->entropy;
    x[NF_LENS_LOSS] = own->loss;
    x[NF_LENS_RANK] = isnan(own->loss) ? NAN : own->rank;
}
