/* lens.c - records of points. */
#include "record/lens.h"

#include <math.h>
#include <stdio.h>

#include "record/put.h"

const char *const nf_lens_names[NF_LENS_COUNT] = {
    [NF_LENS_KL] = "kl", [NF_LENS_AGREE] = "agree", [NF_LENS_ENTROPY] = "entropy", [NF_LENS_LOSS] = "loss", [NF_LENS_RANK] = "rank",
};

void nf_lens_of(const struct nf_divergence *final, const struct nf_divergence *own, double x[NF_LENS_COUNT])
{
    x[NF_LENS_KL] = own->kl;
    x[NF_LENS_AGREE] = own->top == final->top;
    x[NF_LENS_ENTROPY] = own->entropy;
    x[NF_LENS_LOSS] = own->loss;
    x[NF_LENS_RANK] = isnan(own->loss) ? NAN : own->rank;
}

void nf_point_write(struct nf_writer *out, size_t number, const struct nf_point *p, size_t L)
{
    struct nf_enc *e = nf_put_record(out, "point", 4);
    char name[40];

    snprintf(name, sizeof name, "%zu%s", p->layer, p->mid ? ".mid" : "");
    nf_put_uint(e, "point", number);
    nf_put_str(e, "name", name);
    nf_put_uint(e, "layer", p->layer);
    nf_put_real(e, "depth", ((double)p->layer + (p->mid ? 0.5 : 0)) / (double)L);
    nf_writer_end(out);
}

void nf_lens_token_write(struct nf_writer *out, size_t point, const struct nf_lens_token *t)
{
    double x[NF_LENS_COUNT];
    struct nf_enc *e = nf_put_record(out, "token", t->k ? 13 : 11);

    nf_lens_of(t->final, t->own, x);
    nf_put_uint(e, "point", point);
    nf_put_uint(e, "doc", t->doc);
    nf_put_uint(e, "window", t->window);
    nf_put_uint(e, "position", t->position);
    nf_put_uint(e, "token", t->token);
    nf_put_uint(e, "top", t->own->top);
    for (size_t i = 0; i < NF_LENS_COUNT; i++)
        nf_put_real(e, nf_lens_names[i], x[i]);
    if (t->k) {
        nf_put_1d(e, "top_ids", NF_U32, t->top, t->k);
        nf_put_1d(e, "top_p", NF_F32, t->top_p, t->k);
    }
    nf_writer_end(out);
}

void nf_part_write(struct nf_writer *out, size_t number, const struct nf_part *p)
{
    static const char *const kinds[] = { "embed", "attn", "ffn", "bias", "total" };
    bool layered = p->kind == NF_PART_ATTN || p->kind == NF_PART_FFN;
    struct nf_enc *e = nf_put_record(out, "part", layered ? 3 : 2);
    char name[40];

    if (layered)
        snprintf(name, sizeof name, "%s.%zu", kinds[p->kind], p->layer);
    else
        snprintf(name, sizeof name, "%s", kinds[p->kind]);
    nf_put_uint(e, "part", number);
    nf_put_str(e, "name", name);
    if (layered)
        nf_put_uint(e, "layer", p->layer);
    nf_writer_end(out);
}

void nf_parts_write(struct nf_writer *out, const struct nf_lens_token *t, const float *value, size_t n)
{
    struct nf_enc *e = nf_put_record(out, "parts", 5);

    nf_put_uint(e, "doc", t->doc);
    nf_put_uint(e, "window", t->window);
    nf_put_uint(e, "position", t->position);
    nf_put_uint(e, "token", t->token);
    nf_put_1d(e, "logit", NF_F32, value, n);
    nf_writer_end(out);
}
