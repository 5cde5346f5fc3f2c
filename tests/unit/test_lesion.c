/* test_lesion.c - which steps an intervention has, and its streams against the same steps run one by one.  Run from the root of the repository. */
#include "check.h"
#include "record/effects.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "model/lesion.h"

enum { L = 6, H = 4, F = 1024, D = 256, T = 50 };   /* of pipelines/demo/model; rows */

static const struct nf_config sizes = { .L = L, .H = H, .F = F };

/* "0 |1 2a": steps; | runs beside the one before, a without attention, f without FFN, hN without head N. */
static const char *steps(const struct nf_lesion *l, char text[256])
{
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; i < l->n; i++) {
        const struct nf_edit *e = &l->step[i].edit;

        n += (size_t)snprintf(text + n, 256 - n, "%s%s%zu%s%s", i ? " " : "", l->step[i].parallel ? "|" : "", l->step[i].layer,
                              e->no_attention ? "a" : "", e->no_ffn ? "f" : "");
        for (size_t h = 0; e->no_head && h < H; h++)
            if (e->no_head[h])
                n += (size_t)snprintf(text + n, 256 - n, "h%zu", h);
        for (size_t k = 0; k < e->neurons; k++)
            n += (size_t)snprintf(text + n, 256 - n, "n%u=%g", e->neuron[k], (double)e->value[k]);
    }
    return text;
}

static const struct {
    enum nf_lesion_kind kind;
    size_t a, b;
    const char *name, *steps;
    size_t shared;   /* first steps that are the model's own */
} made[] = {
    { NF_LESION_NONE, 0, 0, "none", "0 1 2 3 4 5", 6 },
    { NF_LESION_DROP, 0, 0, "drop 0", "1 2 3 4 5", 0 },
    { NF_LESION_DROP, 5, 0, "drop 5", "0 1 2 3 4", 5 },
    { NF_LESION_SWAP, 0, 0, "swap 0", "1 0 2 3 4 5", 0 },
    { NF_LESION_SWAP, 4, 0, "swap 4", "0 1 2 3 5 4", 4 },
    { NF_LESION_REPEAT, 1, 2, "repeat 1:2", "0 1 1 2 3 4 5", 2 },
    { NF_LESION_REPEAT, 0, 6, "repeat 0:6", "0 0 1 1 2 2 3 3 4 4 5 5", 1 },
    { NF_LESION_SKIP, 1, 4, "skip 1:4", "0 4 5", 1 },
    { NF_LESION_SKIP, 0, 6, "skip 0:6", "", 0 },
    { NF_LESION_REVERSE, 1, 4, "reverse 1:4", "0 3 2 1 4 5", 1 },
    { NF_LESION_REVERSE, 0, 6, "reverse 0:6", "5 4 3 2 1 0", 0 },
    { NF_LESION_PARALLEL, 2, 5, "parallel 2:5", "0 1 2 |3 |4 5", 2 },
    { NF_LESION_PARALLEL, 0, 2, "parallel 0:2", "0 |1 2 3 4 5", 0 },
    { NF_LESION_PARALLEL, 4, 6, "parallel 4:6", "0 1 2 3 4 |5", 4 },
    { NF_LESION_MOVE, 1, 4, "move 1:4", "0 2 3 4 1 5", 1 },
    { NF_LESION_MOVE, 4, 1, "move 4:1", "0 4 1 2 3 5", 1 },
    { NF_LESION_MOVE, 0, 5, "move 0:5", "1 2 3 4 5 0", 0 },
    { NF_LESION_REPLACE, 2, 5, "replace 2:5", "0 1 5 3 4 5", 2 },
    { NF_LESION_REPLACE, 5, 2, "replace 5:2", "0 1 2 3 4 2", 5 },
    { NF_LESION_DROP_ATTENTION, 3, 0, "drop-attention 3", "0 1 2 3a 4 5", 3 },
    { NF_LESION_DROP_FFN, 0, 0, "drop-ffn 0", "0f 1 2 3 4 5", 0 },
    { NF_LESION_DROP_HEAD, 2, 3, "drop-head 2.3", "0 1 2h3 3 4 5", 2 },
};

enum { MADE = sizeof made / sizeof *made };

static void every_kind_has_its_steps(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_lesion l;
    char text[256];

    for (size_t i = 0; i < MADE; i++) {
        CHECK(nf_lesion_make(made[i].kind, made[i].a, made[i].b, &sizes, &l, &err) == NF_OK);
        CHECK(strcmp(l.name, made[i].name) == 0);
        if (strcmp(steps(&l, text), made[i].steps) != 0 || nf_lesion_shared(&l) != made[i].shared) {
            printf("# %s: %s, %zu of them shared\n", l.name, text, nf_lesion_shared(&l));
            check_failed = true;
        }
        CHECK(nf_lesion_is_parallel(&l) == (l.kind == NF_LESION_PARALLEL));
        nf_lesion_clear(&l);
    }
}

static void neurons_are_set_in_their_layers(void)
{
    const uint32_t layer[] = { 1, 1, 4 }, neuron[] = { 7, 1023, 0 }, twice[] = { 7, 7, 0 }, high[] = { 7, F, 0 };
    const float value[] = { 0, 0.5f, -2 };
    struct nf_err err = NF_ERR_INIT;
    struct nf_lesion l;
    char text[256];

    CHECK(nf_lesion_neurons("a few", layer, neuron, value, 3, &sizes, &l, &err) == NF_OK);
    CHECK(strcmp(steps(&l, text), "0 1n7=0n1023=0.5 2 3 4n0=-2 5") == 0 && strcmp(l.name, "a few") == 0);
    CHECK(nf_lesion_shared(&l) == 1);
    nf_lesion_clear(&l);
    CHECK(nf_lesion_neurons("x", layer, twice, value, 3, &sizes, &l, &err) == NF_EUSAGE && strstr(err.text, "1.7: twice"));
    err = (struct nf_err)NF_ERR_INIT;
    CHECK(nf_lesion_neurons("x", layer, high, value, 3, &sizes, &l, &err) == NF_EUSAGE && strstr(err.text, "neurons 0 to 1023"));
    err = (struct nf_err)NF_ERR_INIT;
    CHECK(nf_lesion_neurons("x", layer, neuron, value, 0, &sizes, &l, &err) == NF_EUSAGE);
}

static void what_the_model_has_not_is_refused(void)
{
    static const struct {
        enum nf_lesion_kind kind;
        size_t a, b;
        const char *says;
    } bad[] = {
        { NF_LESION_DROP, 6, 0, "--drop 6: the model has layers 0 to 5" },
        { NF_LESION_DROP, SIZE_MAX, 0, "the model has layers 0 to 5" },
        { NF_LESION_SWAP, 5, 0, "--swap 5: " },
        { NF_LESION_REPEAT, 5, 7, "--repeat 5:7: the model has layers 0 to 5" },
        { NF_LESION_SKIP, 2, 2, "--skip 2:2: this changes nothing" },
        { NF_LESION_SKIP, 3, SIZE_MAX, "the model has layers 0 to 5" },
        { NF_LESION_SKIP, 4, 2, "--skip 4:2: this changes nothing" },
        { NF_LESION_REVERSE, 2, 3, "--reverse 2:3: this changes nothing" },
        { NF_LESION_PARALLEL, 2, 3, "--parallel 2:3: this changes nothing" },
        { NF_LESION_MOVE, 2, 2, "--move 2:2: this changes nothing" },
        { NF_LESION_MOVE, 2, 6, "--move 2:6: the model has layers 0 to 5" },
        { NF_LESION_REPLACE, 6, 0, "--replace 6:0: the model has layers 0 to 5" },
        { NF_LESION_DROP_HEAD, 0, 4, "--drop-head 0.4: the model has heads 0 to 3" },
        { NF_LESION_DROP_FFN, 6, 0, "--drop-ffn 6: the model has layers 0 to 5" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct nf_err err = NF_ERR_INIT;
        struct nf_lesion l;

        CHECK(nf_lesion_make(bad[i].kind, bad[i].a, bad[i].b, &sizes, &l, &err) == NF_EUSAGE);
        if (!strstr(err.text, bad[i].says)) {
            printf("# %s, wanted: %s\n", err.text, bad[i].says);
            check_failed = true;
        }
    }
}

/* ---- running ---- */

struct model {
    struct nf_config cfg;
    struct nf_weights weights;
    struct nf_forward *forward;
    uint32_t ids[T];
    struct nf_windows win;
    float *h[L + 1];   /* the model's own streams */
};

static const uint32_t lengths[] = { 1, 17, 32 };

static float *stream(void)
{
    return nf_alloc((size_t)T * D, sizeof(float), NULL);
}

static bool model_open(struct model *m, uint64_t memory)
{
    struct nf_forward_opts opts = { .dtype = NF_F32, .batch_tokens = T, .memory = memory, .whole = true };
    struct nf_err err = NF_ERR_INIT;

    *m = (struct model){ .win = { m->ids, lengths, 3, T } };
    if (nf_config_read("pipelines/demo/model", &m->cfg, &err) < 0 ||
        nf_weights_open("pipelines/demo/model", &m->cfg, &m->weights, &err) < 0 ||
        !(m->forward = nf_forward_open(&m->cfg, &m->weights, &opts, 32, &err))) {
        printf("# %s\n", err.text);
        return false;
    }
    CHECK(m->cfg.L == L && m->cfg.H == H && m->cfg.F == F && m->cfg.D == D);
    CHECK(nf_forward_get_plan(m->forward)->resident == (memory == 0));
    for (uint32_t i = 0; i < T; i++)
        m->ids[i] = (i * i + 7 * i) % 8000;
    for (size_t l = 0; l <= L; l++) {
        m->h[l] = stream();
        if (l == 0) {
            CHECK(nf_forward_embed(m->forward, &m->win, m->h[0], &err) == NF_OK);
        } else {
            memcpy(m->h[l], m->h[l - 1], T * D * sizeof(float));
            CHECK(nf_forward_block(m->forward, l - 1, &m->win, m->h[l], &err) == NF_OK);
        }
    }
    return true;
}

static void model_close(struct model *m)
{
    for (size_t l = 0; l <= L; l++)
        free(m->h[l]);
    nf_forward_close(m->forward);
    nf_weights_close(&m->weights);
}

static bool same(const float *a, const float *b)
{
    return memcmp(a, b, T * D * sizeof *a) == 0;
}

/* From the embedding on, a step at a time; those of a group into streams of their own, whose mean is taken at the end. */
static void run_plainly(struct model *m, const struct nf_lesion *l, float *x)
{
    struct nf_err err = NF_ERR_INIT;
    float *in = stream(), *sum = stream(), *out = stream();

    memcpy(x, m->h[0], T * D * sizeof *x);
    for (size_t i = 0, next; i < l->n; i = next) {
        for (next = i + 1; next < l->n && l->step[next].parallel;)
            next++;
        memcpy(in, x, T * D * sizeof *x);
        for (size_t s = i; s < next; s++) {
            memcpy(out, in, T * D * sizeof *x);
            CHECK(nf_forward_edited(m->forward, l->step[s].layer, &l->step[s].edit, &m->win, out, &err) == NF_OK);
            for (size_t k = 0; k < T * D; k++)
                sum[k] = s == i ? out[k] : sum[k] + out[k];
        }
        for (size_t k = 0; k < T * D; k++)
            x[k] = next == i + 1 ? sum[k] : sum[k] * (1 / (float)(next - i));
    }
    free(in);
    free(sum);
    free(out);
}

/* All kinds together, or one after the other; and bits, for it is the same arithmetic in the same order. */
static void check_running(uint64_t memory)
{
    const uint32_t layer[] = { 1, 4 }, neuron[] = { 7, 0 };
    const float value[] = { 0, 3 };
    struct nf_lesion lesion[MADE + 1];
    float *x[MADE + 1], *want = stream(), *work;
    struct nf_err err = NF_ERR_INIT;
    size_t parallel = 0, changed = 0;
    struct model m;

    if (!model_open(&m, memory)) {
        check_failed = true;
        return;
    }
    for (size_t i = 0; i <= MADE; i++) {
        x[i] = stream();
        CHECK((i < MADE ? nf_lesion_make(made[i].kind, made[i].a, made[i].b, &m.cfg, &lesion[i], &err)
                        : nf_lesion_neurons("two", layer, neuron, value, 2, &m.cfg, &lesion[i], &err)) == NF_OK);
        parallel += nf_lesion_is_parallel(&lesion[i]);
    }
    work = nf_alloc(3 * parallel * T * D, sizeof *work, &err);
    CHECK(nf_lesions_run(m.forward, &m.win, (const float *const *)m.h, lesion, MADE + 1, x, work, &err) == NF_OK);
    for (size_t i = 0; i <= MADE; i++) {
        run_plainly(&m, &lesion[i], want);
        if (!same(x[i], want)) {
            printf("# %s\n", lesion[i].name);
            check_failed = true;
        }
        changed += !same(x[i], m.h[L]);
        nf_lesion_clear(&lesion[i]);
        free(x[i]);
    }
    CHECK(changed == MADE);   /* all but the model itself */
    free(work);
    free(want);
    model_close(&m);
}

static void streams_are_those_of_the_steps_one_by_one(void)
{
    check_running(0);
}

static void also_when_weights_come_and_go(void)
{
    check_running(14 << 20);
}

/* The list of steps is exchanged, and exchanged again; the first blocks run anew, not from the model's own streams. */
static void two_swaps_are_none(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_lesion l;
    float *x = stream();
    struct model m;

    if (!model_open(&m, 0)) {
        check_failed = true;
        return;
    }
    CHECK(nf_lesion_make(NF_LESION_SWAP, 2, 0, &m.cfg, &l, &err) == NF_OK);
    run_plainly(&m, &l, x);
    CHECK(!same(x, m.h[L]));
    for (size_t i = 0; i < l.n; i++)
        l.step[i].layer = l.step[i].layer == 2 ? 3 : l.step[i].layer == 3 ? 2 : l.step[i].layer;
    CHECK(nf_lesion_shared(&l) == L);
    run_plainly(&m, &l, x);
    CHECK(same(x, m.h[L]));
    CHECK(nf_lesions_run(m.forward, &m.win, (const float *const *)m.h, &l, 1, &x, NULL, &err) == NF_OK && same(x, m.h[L]));
    nf_lesion_clear(&l);
    free(x);
    model_close(&m);
}

/* Another order of blocks is another function of the tokens, but of nothing else: a window alone gives its rows. */
static void a_window_alone_is_as_in_company(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_lesion l;
    float *x = stream(), *alone[L + 1], *y = stream();
    struct nf_windows one;
    struct model m;

    if (!model_open(&m, 0)) {
        check_failed = true;
        return;
    }
    one = (struct nf_windows){ m.ids + 1, lengths + 1, 1, lengths[1] };
    for (size_t i = 0; i <= L; i++)
        alone[i] = m.h[i] + D;   /* rows of window 1 */
    CHECK(nf_lesion_make(NF_LESION_REVERSE, 1, 5, &m.cfg, &l, &err) == NF_OK);
    CHECK(nf_lesions_run(m.forward, &m.win, (const float *const *)m.h, &l, 1, &x, NULL, &err) == NF_OK);
    CHECK(nf_lesions_run(m.forward, &one, (const float *const *)alone, &l, 1, &y, NULL, &err) == NF_OK);
    CHECK(memcmp(x + D, y, one.T * D * sizeof *y) == 0);
    nf_lesion_clear(&l);
    free(x);
    free(y);
    model_close(&m);
}

/* The record of an intervention has its kind by name. */
static void records_name_the_kinds(void)
{
    for (enum nf_lesion_kind k = 0; k < NF_LESION_KINDS; k++)
        CHECK(strcmp(nf_lesion_kind_name(k), nf_intervention_kinds[k]) == 0);
}

int main(void)
{
    return RUN(records_name_the_kinds, every_kind_has_its_steps, neurons_are_set_in_their_layers, what_the_model_has_not_is_refused,
               streams_are_those_of_the_steps_one_by_one, also_when_weights_come_and_go, two_swaps_are_none,
               a_window_alone_is_as_in_company);
}
