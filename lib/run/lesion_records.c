/* lesion_records.c - interventions and rows to records. */
#include "run/lesion_records.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

enum { STEP_TEXT = 64 };

_Static_assert((int)NF_LESION_KINDS == NF_INTERVENTION_KINDS, "the record names every kind");

/* Does an intervention have a second number? */
static bool has_second_number(enum nf_lesion_kind kind)
{
    return kind == NF_LESION_REPEAT || (kind >= NF_LESION_SKIP && kind <= NF_LESION_REPLACE) || kind == NF_LESION_DROP_HEAD;
}

/* A step as people write it: the layer, a | before one that runs parallel to the one before, marks of what is left out. */
static void name_step(const struct nf_step *s, char text[STEP_TEXT])
{
    snprintf(text, STEP_TEXT, "%s%zu%s%s%s%s", s->parallel ? "|" : "", s->layer, s->edit.no_attention ? " -attention" : "",
             s->edit.no_ffn ? " -ffn" : "", s->edit.no_head ? " -head" : "", s->edit.neurons ? " =neurons" : "");
}

/* Neurons may be of several layers, the model itself is of none. */
static size_t lesion_layer(const struct nf_lesion *l)
{
    return l->kind == NF_LESION_NONE || l->kind == NF_LESION_NEURONS ? NF_NONE : l->a;
}

int nf_intervention_write(struct nf_writer *out, size_t number, const struct nf_lesion *l, struct nf_err *err)
{
    struct nf_intervention_rec rec = { .intervention = number,
                                       .name = l->name,
                                       .kind = l->kind,
                                       .layer = lesion_layer(l),
                                       .to = has_second_number(l->kind) ? l->b : NF_NONE,
                                       .n_steps = l->n };
    char(*text)[STEP_TEXT] = nf_alloc(l->n, sizeof *text, err);
    const char **steps = nf_alloc(l->n, sizeof *steps, err);

    if (text && steps) {
        for (size_t i = 0; i < l->n; i++) {
            rec.neurons += l->step[i].edit.neurons;
            name_step(&l->step[i], text[i]);
            steps[i] = text[i];
        }
        rec.steps = steps;
        nf_record_write(&nf_intervention_record, out, &rec);
    }
    free(text);
    free(steps);
    return (int)err->code;
}

void nf_effects_of(const struct nf_divergence *base, const struct nf_divergence *own, double x[NF_EFFECT_COUNT])
{
    x[NF_EFFECT_KL] = own->kl;
    x[NF_EFFECT_AGREE] = own->top == base->top;
    x[NF_EFFECT_ENTROPY] = own->entropy;
    x[NF_EFFECT_ENTROPY_CHANGE] = (double)own->entropy - base->entropy;
    x[NF_EFFECT_LOSS] = own->loss;
    x[NF_EFFECT_LOSS_CHANGE] = (double)own->loss - base->loss;
}

void nf_effect_token_write(struct nf_writer *out, size_t intervention, const struct nf_lesion *l, const struct nf_divergence *base,
                           const struct nf_divergence *own, const struct nf_row_place *at)
{
    const struct nf_effect_token_rec rec = { .intervention = intervention,
                                             .name = l->name,
                                             .layer = lesion_layer(l),
                                             .doc = at->doc,
                                             .window = at->window,
                                             .position = at->position,
                                             .token = at->token,
                                             .kl = own->kl,
                                             .loss_change = (double)own->loss - base->loss,
                                             .loss_normal = base->loss,
                                             .loss_intervened = own->loss,
                                             .top_normal = base->top,
                                             .top_intervened = own->top,
                                             .entropy_normal = base->entropy,
                                             .entropy_intervened = own->entropy };

    nf_record_write(&nf_effect_token_record, out, &rec);
}
