/* effects.c - records of interventions. */
#include "record/effects.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/put.h"

const char *const nf_effect_names[NF_EFFECT_COUNT] = {
    [NF_EFFECT_KL] = "kl",           [NF_EFFECT_AGREE] = "agree",
    [NF_EFFECT_ENTROPY] = "entropy", [NF_EFFECT_ENTROPY_CHANGE] = "entropy_change",
    [NF_EFFECT_LOSS] = "loss",       [NF_EFFECT_LOSS_CHANGE] = "loss_change",
};

void nf_effects_of(const struct nf_divergence *base, const struct nf_divergence *own, double x[NF_EFFECT_COUNT])
{
    x[NF_EFFECT_KL] = own->kl;
    x[NF_EFFECT_AGREE] = own->top == base->top;
    x[NF_EFFECT_ENTROPY] = own->entropy;
    x[NF_EFFECT_ENTROPY_CHANGE] = (double)own->entropy - base->entropy;
    x[NF_EFFECT_LOSS] = own->loss;
    x[NF_EFFECT_LOSS_CHANGE] = (double)own->loss - base->loss;
}

/* Steps as people write them: layers, a | before one that runs parallel to the one before, marks of what is left out. */
static void write_steps(struct nf_enc *e, const struct nf_lesion *l)
{
    nf_enc_str(e, "steps");
    nf_enc_array(e, l->n);
    for (size_t i = 0; i < l->n; i++) {
        const struct nf_step *s = &l->step[i];
        char text[64];

        snprintf(text, sizeof text, "%s%zu%s%s%s%s", s->parallel ? "|" : "", s->layer, s->edit.no_attention ? " -attention" : "",
                 s->edit.no_ffn ? " -ffn" : "", s->edit.no_head ? " -head" : "", s->edit.neurons ? " =neurons" : "");
        nf_enc_str(e, text);
    }
}

/* Neurons may be of several layers, the model itself is of none. */
static void put_layer(struct nf_enc *e, const struct nf_lesion *l)
{
    if (l->kind == NF_LESION_NONE || l->kind == NF_LESION_NEURONS)
        nf_put_nil(e, "layer");
    else
        nf_put_uint(e, "layer", l->a);
}

static bool has_second(enum nf_lesion_kind kind)
{
    return kind == NF_LESION_REPEAT || (kind >= NF_LESION_SKIP && kind <= NF_LESION_REPLACE) || kind == NF_LESION_DROP_HEAD;
}

void nf_intervention_write(struct nf_writer *out, size_t number, const struct nf_lesion *l)
{
    size_t neurons = 0;
    struct nf_enc *e = nf_put_record(out, "intervention", 7);

    for (size_t i = 0; i < l->n; i++)
        neurons += l->step[i].edit.neurons;
    nf_put_uint(e, "intervention", number);
    nf_put_str(e, "name", l->name);
    nf_put_str(e, "kind", nf_lesion_kind_name(l->kind));
    put_layer(e, l);
    if (has_second(l->kind))
        nf_put_uint(e, "to", l->b);
    else
        nf_put_nil(e, "to");
    nf_put_uint(e, "neurons", neurons);
    write_steps(e, l);
    nf_writer_end(out);
}

void nf_effect_token_write(struct nf_writer *out, size_t intervention, const struct nf_lesion *l, const struct nf_effect_token *t)
{
    struct nf_enc *e = nf_put_record(out, "token", 15);

    nf_put_uint(e, "intervention", intervention);
    nf_put_str(e, "name", l->name);
    put_layer(e, l);
    nf_put_uint(e, "doc", t->doc);
    nf_put_uint(e, "window", t->window);
    nf_put_uint(e, "position", t->position);
    nf_put_uint(e, "token", t->token);
    nf_put_real(e, "kl", t->own->kl);
    nf_put_real(e, "loss_change", (double)t->own->loss - t->base->loss);
    nf_put_real(e, "loss_normal", t->base->loss);
    nf_put_real(e, "loss_intervened", t->own->loss);
    nf_put_uint(e, "top_normal", t->base->top);
    nf_put_uint(e, "top_intervened", t->own->top);
    nf_put_real(e, "entropy_normal", t->base->entropy);
    nf_put_real(e, "entropy_intervened", t->own->entropy);
    nf_writer_end(out);
}
