/* lesion.c - lists of steps, and their streams side by side through the layers. */
#include "model/lesion.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"

static const char *const names[NF_LESION_KINDS] = {
    [NF_LESION_NONE] = "none",         [NF_LESION_DROP] = "drop",
    [NF_LESION_SWAP] = "swap",         [NF_LESION_REPEAT] = "repeat",
    [NF_LESION_SKIP] = "skip",         [NF_LESION_REVERSE] = "reverse",
    [NF_LESION_PARALLEL] = "parallel", [NF_LESION_MOVE] = "move",
    [NF_LESION_REPLACE] = "replace",   [NF_LESION_DROP_ATTENTION] = "drop-attention",
    [NF_LESION_DROP_FFN] = "drop-ffn", [NF_LESION_DROP_HEAD] = "drop-head",
    [NF_LESION_NEURONS] = "neurons",
};

const char *nf_lesion_kind_name(enum nf_lesion_kind kind)
{
    return names[kind];
}

/* ---- making ---- */

static int refuse_lesion(enum nf_lesion_kind kind, size_t a, size_t b, struct nf_err *err, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
static int refuse_lesion(enum nf_lesion_kind kind, size_t a, size_t b, struct nf_err *err, const char *fmt, ...)
{
    bool two = kind == NF_LESION_REPEAT || (kind >= NF_LESION_SKIP && kind <= NF_LESION_REPLACE) || kind == NF_LESION_DROP_HEAD;
    char why[160], end[24] = "";
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    if (two)
        snprintf(end, sizeof end, "%c%zu", kind == NF_LESION_DROP_HEAD ? '.' : ':', b);
    return nf_fail(err, NF_EUSAGE, "--%s %zu%s: %s", names[kind], a, end, why);
}

/* The arguments make sense for a model of L layers and H heads. */
static int check_lesion(enum nf_lesion_kind kind, size_t a, size_t b, const struct nf_config *cfg, struct nf_err *err)
{
    size_t L = cfg->L, last = L;

    if (kind == NF_LESION_SWAP)
        last = L - 1;
    if (kind != NF_LESION_NONE && a >= last)
        return refuse_lesion(kind, a, b, err,
                             kind == NF_LESION_SWAP ? "the model has layers 0 to %zu, and swaps from 0 to one less"
                                                    : "the model has layers 0 to %zu",
                             L - 1);
    switch (kind) {
    case NF_LESION_REPEAT:
    case NF_LESION_SKIP:
    case NF_LESION_REVERSE:
    case NF_LESION_PARALLEL:
        if (b > L)
            return refuse_lesion(kind, a, b, err, "the model has layers 0 to %zu", L - 1);
        if (b <= a || ((kind == NF_LESION_REVERSE || kind == NF_LESION_PARALLEL) && b == a + 1))
            return refuse_lesion(kind, a, b, err, "this changes nothing");
        break;
    case NF_LESION_MOVE:
    case NF_LESION_REPLACE:
        if (b >= L)
            return refuse_lesion(kind, a, b, err, "the model has layers 0 to %zu", L - 1);
        if (a == b)
            return refuse_lesion(kind, a, b, err, "this changes nothing");
        break;
    case NF_LESION_DROP_HEAD:
        if (b >= cfg->H)
            return refuse_lesion(kind, a, b, err, "the model has heads 0 to %zu", cfg->H - 1);
        break;
    default:
        break;
    }
    return NF_OK;
}

static void append_layer(struct nf_lesion *l, size_t layer)
{
    l->step[l->n++] = (struct nf_step){ .layer = layer };
}

static void add_range(struct nf_lesion *l, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        append_layer(l, i);
}

/* Step a is taken out, and put in so that it is step b. */
static void move_step(struct nf_lesion *l, size_t a, size_t b)
{
    struct nf_step taken = l->step[a];

    memmove(l->step + a, l->step + a + 1, (l->n - a - 1) * sizeof *l->step);
    memmove(l->step + b + 1, l->step + b, (l->n - b - 1) * sizeof *l->step);
    l->step[b] = taken;
}

/* The blocks in the order of the kind. */
static void list_steps(struct nf_lesion *l, size_t L)
{
    size_t a = l->a, b = l->b;

    switch (l->kind) {
    case NF_LESION_DROP:
        add_range(l, 0, a);
        add_range(l, a + 1, L);
        return;
    case NF_LESION_SKIP:
        add_range(l, 0, a);
        add_range(l, b, L);
        return;
    case NF_LESION_REPEAT:
        for (size_t i = 0; i < L; i++) {
            append_layer(l, i);
            if (i >= a && i < b)
                append_layer(l, i);
        }
        return;
    case NF_LESION_MOVE:
        add_range(l, 0, L);
        move_step(l, a, b);
        return;
    default:
        add_range(l, 0, L);
    }
    if (l->kind == NF_LESION_SWAP) {
        l->step[a].layer = a + 1;
        l->step[a + 1].layer = a;
    }
    for (size_t i = a; l->kind == NF_LESION_REVERSE && i < b; i++)
        l->step[i].layer = b - 1 - (i - a);
    for (size_t i = a + 1; l->kind == NF_LESION_PARALLEL && i < b; i++)
        l->step[i].parallel = true;
    if (l->kind == NF_LESION_REPLACE)
        l->step[a].layer = b;
}

int nf_lesion_make(enum nf_lesion_kind kind, size_t a, size_t b, const struct nf_config *cfg, struct nf_lesion *l,
                   struct nf_err *err)
{
    *l = (struct nf_lesion){ .kind = kind, .a = a, .b = b };
    if (check_lesion(kind, a, b, cfg, err) < 0)
        return NF_EUSAGE;
    l->step = nf_alloc(2 * cfg->L, sizeof *l->step, err);
    l->head = kind == NF_LESION_DROP_HEAD ? nf_alloc(cfg->H, sizeof *l->head, err) : NULL;
    if (!l->step || (kind == NF_LESION_DROP_HEAD && !l->head)) {
        nf_lesion_clear(l);
        return NF_ESYS;
    }
    list_steps(l, cfg->L);
    if (kind == NF_LESION_DROP_ATTENTION)
        l->step[a].edit.no_attention = true;
    if (kind == NF_LESION_DROP_FFN)
        l->step[a].edit.no_ffn = true;
    if (l->head) {
        l->head[b] = true;
        l->step[a].edit.no_head = l->head;
    }
    if (kind == NF_LESION_NONE)
        snprintf(l->name, sizeof l->name, "none");
    else if (kind == NF_LESION_DROP_HEAD)
        snprintf(l->name, sizeof l->name, "%s %zu.%zu", names[kind], a, b);
    else if (kind == NF_LESION_DROP || kind == NF_LESION_SWAP || kind == NF_LESION_DROP_ATTENTION || kind == NF_LESION_DROP_FFN)
        snprintf(l->name, sizeof l->name, "%s %zu", names[kind], a);
    else
        snprintf(l->name, sizeof l->name, "%s %zu:%zu", names[kind], a, b);
    return NF_OK;
}

int nf_lesion_neurons(const char *name, const uint32_t *layer, const uint32_t *neuron, const float *value, size_t n,
                      const struct nf_config *cfg, struct nf_lesion *l, struct nf_err *err)
{
    *l = (struct nf_lesion){ .kind = NF_LESION_NEURONS };
    if (n == 0)
        return nf_fail(err, NF_EUSAGE, "%s: no neuron to ablate", name);
    for (size_t i = 0; i < n; i++) {
        if (layer[i] >= cfg->L || neuron[i] >= cfg->F)
            return nf_fail(err, NF_EUSAGE, "neuron %u.%u: the model has layers 0 to %zu and neurons 0 to %zu", layer[i], neuron[i],
                           cfg->L - 1, cfg->F - 1);
        if (i > 0 && (layer[i] < layer[i - 1] || (layer[i] == layer[i - 1] && neuron[i] <= neuron[i - 1])))
            return nf_fail(err, NF_EUSAGE, "neuron %u.%u: twice, or out of order", layer[i], neuron[i]);
    }
    snprintf(l->name, sizeof l->name, "%s", name);
    l->step = nf_alloc(cfg->L, sizeof *l->step, err);
    l->neuron = nf_alloc(n, sizeof *l->neuron, err);
    l->value = nf_alloc(n, sizeof *l->value, err);
    if (!l->step || !l->neuron || !l->value) {
        nf_lesion_clear(l);
        return NF_ESYS;
    }
    add_range(l, 0, cfg->L);
    memcpy(l->neuron, neuron, n * sizeof *neuron);
    memcpy(l->value, value, n * sizeof *value);
    for (size_t i = 0; i < n; i++) {
        struct nf_edit *e = &l->step[layer[i]].edit;

        if (!e->neurons) {
            e->neuron = l->neuron + i;
            e->value = l->value + i;
        }
        e->neurons++;
    }
    return NF_OK;
}

void nf_lesion_clear(struct nf_lesion *l)
{
    free(l->step);
    free(l->head);
    free(l->neuron);
    free(l->value);
    *l = (struct nf_lesion){ 0 };
}

static bool is_plain(const struct nf_step *s)
{
    return !s->parallel && !s->edit.no_attention && !s->edit.no_ffn && !s->edit.no_head && !s->edit.neurons;
}

/* A step that a parallel one follows is not the model's own either: its result is averaged. */
size_t nf_lesion_shared(const struct nf_lesion *l)
{
    size_t i = 0;

    while (i < l->n && l->step[i].layer == i && is_plain(&l->step[i]) && !(i + 1 < l->n && l->step[i + 1].parallel))
        i++;
    return i;
}

bool nf_lesion_is_parallel(const struct nf_lesion *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->step[i].parallel)
            return true;
    return false;
}

/* ---- running ---- */

/* One lesion on its way. */
struct way {
    const struct nf_lesion *lesion;
    size_t at;                   /* next step */
    float *x;                    /* [T,D] */
    float *in, *sum, *branch;    /* [T,D] of a parallel group */
    size_t branches;             /* of the group so far; 0: in none */
};

/* y = x by, and y += x. */
static void scale_rows(const float *x, size_t n, float by, float *y)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * by;
}

static void add_stream(const float *x, size_t n, float *y)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

/* The step at hand is of a group: its input is that of the group. */
static int run_branch(struct nf_forward *f, const struct nf_windows *win, struct way *w, size_t n, struct nf_err *err)
{
    const struct nf_step *s = &w->lesion->step[w->at];
    bool last = w->at + 1 == w->lesion->n || !w->lesion->step[w->at + 1].parallel;
    int rc;

    if (!s->parallel)
        memcpy(w->in, w->x, n * sizeof *w->x);
    memcpy(w->branch, w->in, n * sizeof *w->x);
    rc = nf_forward_edited(f, s->layer, &s->edit, win, w->branch, err);
    if (rc < 0)
        return rc;
    if (s->parallel)
        add_stream(w->branch, n, w->sum);
    else
        memcpy(w->sum, w->branch, n * sizeof *w->x);
    w->branches = s->parallel ? w->branches + 1 : 1;
    if (last)
        scale_rows(w->sum, n, 1 / (float)w->branches, w->x);
    return NF_OK;
}

static int run_step(struct nf_forward *f, const struct nf_windows *win, struct way *w, size_t n, struct nf_err *err)
{
    const struct nf_step *s = &w->lesion->step[w->at];
    bool grouped = s->parallel || (w->at + 1 < w->lesion->n && w->lesion->step[w->at + 1].parallel);
    int rc = grouped ? run_branch(f, win, w, n, err) : nf_forward_edited(f, s->layer, &s->edit, win, w->x, err);

    w->at++;
    return rc;
}

/* Every lesion whose next step is of this layer. */
static int run_layer(struct nf_forward *f, const struct nf_windows *win, struct way *way, size_t n, size_t layer, size_t size,
                     struct nf_err *err)
{
    struct nf_err own = NF_ERR_INIT;
    int rc = NF_OK;

    for (size_t i = 0; i < n && rc == NF_OK; i++)
        while (rc == NF_OK && way[i].at < way[i].lesion->n && way[i].lesion->step[way[i].at].layer == layer)
            if ((rc = run_step(f, win, &way[i], size, &own)) < 0)
                nf_fail(err, own.code, "%s: %s", way[i].lesion->name, own.text);
    return rc;
}

static bool any_left(const struct way *way, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (way[i].at < way[i].lesion->n)
            return true;
    return false;
}

int nf_lesions_run(struct nf_forward *f, const struct nf_windows *win, const float *const *h, const struct nf_lesion *lesion,
                   size_t n, float *const *x, float *work, struct nf_err *err)
{
    size_t L = nf_forward_get_plan(f)->layers, size = win->T * nf_forward_width(f);
    struct way *way = nf_alloc(n, sizeof *way, err);
    int rc = way ? NF_OK : NF_ESYS;

    for (size_t i = 0; i < n && way; i++) {
        way[i] = (struct way){ .lesion = &lesion[i], .at = nf_lesion_shared(&lesion[i]), .x = x[i] };
        memcpy(x[i], h[way[i].at], size * sizeof **x);
        if (nf_lesion_is_parallel(&lesion[i])) {
            way[i].in = work;
            way[i].sum = work + size;
            way[i].branch = work + 2 * size;
            work += 3 * size;
        }
    }
    while (rc == NF_OK && any_left(way, n))
        for (size_t l = 0; l < L && rc == NF_OK; l++)
            rc = run_layer(f, win, way, n, l, size, err);
    free(way);
    return rc;
}
