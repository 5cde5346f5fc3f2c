/* test_divergence.c - nf_forward_compare against sums in double over the same logits, alone and in company. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "../ref/ref_ops.h"
#include "base/alloc.h"
#include "check.h"
#include "model/compare.h"
#include "model/kernels.h"

enum { T = 700, STREAMS = 5, W = 3 };

static const uint32_t length[W] = { 300, 1, 399 };
static uint32_t ids[T];
static const struct nf_windows win = { ids, length, W, T };
static struct nf_config cfg;
static struct nf_weights weights;
static float *x[STREAMS], *logits[STREAMS];

/* ---- logits of a stream, by the head's tap ---- */

struct sink {
    float *to;
    bool on;
};

static bool wants(void *self, enum nf_site site, size_t layer)
{
    (void)layer;
    return ((struct sink *)self)->on && site == NF_SITE_LOGITS;
}

static int keep(void *self, const struct nf_rows *r)
{
    memcpy(((struct sink *)self)->to + r->row * r->width, r->data, r->rows * r->width * sizeof(float));
    return NF_OK;
}

static struct nf_forward *open_forward(struct nf_tap *tap, uint64_t memory)
{
    struct nf_forward_opts opts = { .dtype = NF_F32, .batch_tokens = T, .memory = memory, .tap = tap, .streams = STREAMS };
    struct nf_err err = NF_ERR_INIT;
    struct nf_forward *f = nf_forward_open(&cfg, &weights, &opts, 512, &err);

    if (!f)
        printf("# %s\n", err.text);
    CHECK(f);
    return f;
}

/* The base; itself again; a block less; a small change; noise. */
static void make_streams(void)
{
    struct sink sink = { NULL, true };
    struct nf_tap tap = { &sink, wants, keep, 0 };
    struct nf_forward *f = open_forward(&tap, 0);
    size_t D = cfg.D;

    for (size_t s = 0; s < STREAMS; s++) {
        x[s] = nf_alloc(T * D, sizeof **x, NULL);
        logits[s] = nf_alloc(T * cfg.V, sizeof **logits, NULL);
    }
    for (size_t i = 0; i < T; i++)
        ids[i] = (uint32_t)((i * i * 31 + 7 * i) % cfg.V);
    CHECK(nf_forward_embed(f, &win, x[0], NULL) == NF_OK);
    for (size_t l = 0; l < cfg.L; l++) {
        if (l + 1 == cfg.L)
            memcpy(x[2], x[0], T * D * sizeof **x);
        CHECK(nf_forward_block(f, l, &win, x[0], NULL) == NF_OK);
    }
    memcpy(x[1], x[0], T * D * sizeof **x);
    ref_random(9, T * D, x[4]);
    for (size_t i = 0; i < T * D; i++)
        x[3][i] = x[0][i] + x[4][i] * 1e-2f;
    for (size_t s = 0; s < STREAMS; s++) {
        sink.to = logits[s];
        CHECK(nf_forward_head(f, &win, x[s], NULL) == NF_OK);
    }
    nf_forward_close(f);
}

static void check_row(size_t s, size_t t, bool last, const struct nf_divergence *d)
{
    const float *a = logits[0] + t * cfg.V, *b = logits[s] + t * cfg.V;
    double za = 0, zb = 0, kl = 0, h = 0;
    size_t top = 0, above = 0;

    for (size_t v = 0; v < cfg.V; v++) {
        za += exp(a[v]);
        zb += exp(b[v]);
        top = b[v] > b[top] ? v : top;
    }
    for (size_t v = 0; v < cfg.V; v++) {
        double p = exp(a[v]) / za, q = exp(b[v]) / zb;

        kl += p * (a[v] - log(za) - b[v] + log(zb));
        h -= q * log2(q);
        above += !last && b[v] > b[ids[t + 1]];
    }
    CHECK_NEAR(d->kl, kl, 2e-7 + 1e-6 * kl);   /* the promise of compare.h; sums of 256 terms in float32 */
    CHECK_NEAR(d->entropy, h, 2e-6 * 13);      /* at most log2 8192 = 13 bits */
    CHECK(last ? isnan(d->loss) && d->rank == 0 : fabs(d->loss - (log(zb) - b[ids[t + 1]])) < 4e-6 && d->rank == above);
    CHECK(d->top == top && (s > 1 || d->kl == 0));
}

static void every_row_equals_sums_in_double(void)
{
    struct sink none = { NULL, false };
    struct nf_tap tap = { &none, wants, keep, 0 };
    struct nf_forward *f = open_forward(&tap, 0);
    struct nf_divergence *out = nf_alloc(STREAMS * T, sizeof *out, NULL);

    CHECK(nf_forward_compare(f, &win, (const float *const *)x, STREAMS, NULL, out, NULL) == NF_OK);
    for (size_t s = 0; s < STREAMS; s++)
        for (size_t t = 0; t < T; t += 7)
            check_row(s, t, t == 299 || t == 300 || t == T - 1, &out[s * T + t]);
    check_row(3, T - 1, true, &out[3 * T + T - 1]);
    free(out);
    nf_forward_close(f);
}

static void company_threads_and_memory_do_not_change_a_bit(void)
{
    struct sink none = { NULL, false };
    struct nf_tap tap = { &none, wants, keep, 0 };
    struct nf_divergence *all = nf_alloc(STREAMS * T, sizeof *all, NULL), *some = nf_alloc(2 * T, sizeof *some, NULL);
    const float *pair[2] = { x[0], x[3] };
    int before = omp_get_max_threads();

    for (int round = 0; round < 3; round++) {
        struct nf_forward *f = open_forward(&tap, round == 2 ? 30u << 20 : 0);   /* less than all weights need */

        omp_set_num_threads(round == 1 ? 1 : 4);
        CHECK(nf_forward_get_plan(f)->resident == (round != 2));
        CHECK(nf_forward_compare(f, &win, (const float *const *)x, STREAMS, NULL, all, NULL) == NF_OK);
        CHECK(nf_forward_compare(f, &win, pair, 2, NULL, some, NULL) == NF_OK);
        CHECK(memcmp(some, all, T * sizeof *all) == 0 && memcmp(some + T, all + 3 * T, T * sizeof *all) == 0);
        nf_forward_close(f);
    }
    omp_set_num_threads(before);
    free(all);
    free(some);
}

static void kernels_of_every_instruction_set(void)
{
    enum { N = 300 };
    static float a[N], b[N], w[N];

    ref_random(1, N, a);
    ref_random(2, N, b);
    for (size_t set = 0; nf_kernels_at(set); set++)
        for (size_t n = 0; n <= N; n += n < 40 ? 1 : 13) {
            double sum = 0;

            nf_kernels_at(set)->weigh(a, 1, n, w);
            for (size_t i = 0; i < n; i++) {
                CHECK_NEAR(w[i], exp((double)a[i] - 1), 3 * 0x1p-24);
                sum += (double)w[i] * ((double)a[i] - b[i]);
            }
            CHECK_NEAR(nf_kernels_at(set)->weighted_gap(w, a, b, n), sum, 2e-7 * (1 + (double)n / 16));
        }
}

int main(void)
{
    struct nf_err err = NF_ERR_INIT;
    int rc;

    if (nf_config_read("pipelines/demo/model", &cfg, &err) < 0 ||
        nf_weights_open("pipelines/demo/model", &cfg, &weights, &err) < 0) {
        printf("not ok - %s\n", err.text);
        return 1;
    }
    make_streams();
    rc = RUN(every_row_equals_sums_in_double, company_threads_and_memory_do_not_change_a_bit, kernels_of_every_instruction_set);
    for (size_t s = 0; s < STREAMS; s++) {
        free(x[s]);
        free(logits[s]);
    }
    nf_weights_close(&weights);
    return rc;
}
