/*
 * test_reduce.c - the whole reduction on random streams: every number against brute force, shards merged against the whole, dropped
 * n-grams against their bounds.
 */
#include "check.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/par.h"
#include "base/rng.h"
#include "record/activations.h"
#include "record/context.h"
#include "record/stats.h"
#include "numeric/histogram.h"
#include "count/bit_counters.h"
#include "reduce/reduce.h"
#include "stream/reader.h"
#include "stream/writer.h"

enum { F = 70, L = 3, V = 9, T = 12, W = 60, Q = 3, UNITS = 19, DOCS = 20, TOP = 4, CONTEXT = 3 };

static const char *const domains[Q] = { "prose", "code", "letters" };
static const struct nf_cmd cmd = { "test", "", "", "", "", (const struct nf_opt[]){ OPT_END } };

/* A random corpus: windows of documents, what fired, what the values were. */
static struct {
    uint32_t doc[W], window[W], length[W], ids[W][T];
    uint8_t bos[W];
    bool fired[W][T][L][F];
    float value[W][T][L][UNITS], pred[W][T][4];
} c;

static size_t domain_of(size_t w)
{
    return c.doc[w] % Q;
}

static void make_corpus(uint64_t seed)
{
    struct nf_rng rng = { seed };

    for (size_t w = 0; w < W; w++) {
        c.doc[w] = (uint32_t)(w * DOCS / W);
        c.window[w] = w && c.doc[w - 1] == c.doc[w] ? c.window[w - 1] + 1 : 0;
        c.length[w] = nf_rng_below(&rng, 3) ? T : 1 + (uint32_t)nf_rng_below(&rng, T);
        c.bos[w] = nf_rng_below(&rng, 8) != 0;
        for (size_t p = 0; p < c.length[w]; p++) {
            c.ids[w][p] = c.bos[w] && !p ? 0 : 1 + (uint32_t)(nf_rng_unit(&rng) * nf_rng_unit(&rng) * (V - 1));
            for (size_t l = 0; l < L; l++) {
                for (size_t f = 0; f < F; f++)
                    c.fired[w][p][l][f] = nf_rng_below(&rng, F) < f; /* neuron 0 is dead, the last fires nearly always */
                for (size_t u = 0; u < UNITS; u++) /* unit u: mean up to 1e4 standard deviations away; many ties in unit 1 */
                    c.value[w][p][l][u] = u == 1 ? (float)nf_rng_below(&rng, 3)
                                                 : (float)(pow(10, (double)(u % 5)) + ldexp(nf_rng_unit(&rng) - 0.3, (int)u - 9));
            }
            c.pred[w][p][0] = p + 1 < c.length[w] ? (float)nf_rng_unit(&rng) * 9 : NAN;
            c.pred[w][p][1] = (float)nf_rng_unit(&rng);
            c.pred[w][p][2] = 3;
            c.pred[w][p][3] = p + 1 < c.length[w] ? (float)nf_rng_below(&rng, V) : NAN;
        }
    }
}

/* ---- streams in memory ---- */

static json_t *header_of(size_t from, size_t to)
{
    json_t *h = json_pack(
        "{s:s, s:i, s:s, s:{s:s, s:i}, s:i, s:{s:[i,i]}, s:[{s:s,s:[i,i,i],s:i},{s:s,s:[i,i,i],s:i},{s:s,s:[i],s:i}], s:[]}",
        "format", "neurofilters", "version", 1, "kind", "activations", "tokenizer", "digest", "abc", "vocab", V, "context", T,
        "capture", "positions", (int)from, (int)to, "sites", "site", "ffn.active", "layers", 1, 4, 5, "width", F, "site", "ffn.act",
        "layers", 1, 4, 5, "width", UNITS, "site", "pred", "layers", 6, "width", 4, "history");
    if (!h)
        abort();
    return h;
}

static const size_t layer_name[L] = { 1, 4, 5 };

static void write_rows(struct nf_writer *w, uint64_t batch, const char *site, size_t layer, size_t row, const void *data,
                       enum nf_dtype type, size_t rows, size_t width, size_t cut)
{
    for (size_t r = 0; r < rows; r += cut) {
        struct nf_site_rows s = { .batch = batch, .layer = layer, .row = row + r, .near_zero = nf_min(cut, rows - r) };

        strcpy(s.site, site);
        s.data = nf_tensor_2d(type, (const char *)data + r * width * nf_dtype_size(type), nf_min(cut, rows - r), width);
        nf_site_rows_write(w, &s);
    }
}

static void write_batch(struct nf_writer *w, uint64_t batch, size_t first, size_t n, size_t from, size_t to, size_t cut)
{
    struct nf_batch b = { .batch = batch };
    unsigned char bits[W * T][(F + 7) / 8];
    static float value[W * T][UNITS], pred[W * T][4];
    size_t R = 0;

    nf_batch_reserve(&b, n, n * T, NULL);
    b.W = n;
    for (size_t i = 0; i < n; i++) {
        b.doc[i] = c.doc[first + i];
        b.window[i] = c.window[first + i];
        b.start[i] = 0;
        b.length[i] = c.length[first + i];
        b.bos[i] = c.bos[first + i];
        memcpy(b.ids + b.T, c.ids[first + i], b.length[i] * sizeof *b.ids);
        b.T += b.length[i];
    }
    nf_record_write(&nf_batch_record, w, &b);
    nf_record_clear(&nf_batch_record, &b);
    for (size_t l = 0; l < L; l++) {
        R = 0;
        memset(bits, 0, sizeof bits);
        for (size_t i = first; i < first + n; i++)
            for (size_t p = from; p < nf_min(to, c.length[i]); p++, R++) {
                for (size_t f = 0; f < F; f++)
                    bits[R][f / 8] |= (unsigned char)(c.fired[i][p][l][f] << f % 8);
                memcpy(value[R], c.value[i][p][l], sizeof *value);
                memcpy(pred[R], c.pred[i][p], sizeof *pred);
            }
        write_rows(w, batch, "ffn.active", layer_name[l], 0, bits, NF_U8, R, (F + 7) / 8, cut);
        write_rows(w, batch, "ffn.act", layer_name[l], 0, value, NF_F32, R, UNITS, cut);
    }
    write_rows(w, batch, "pred", 6, 0, pred, NF_F32, R, 4, cut);
}

/* The windows [first, last) as a stream of activations, `windows` a batch. */
static int write_activations(size_t first, size_t last, size_t windows, size_t from, size_t to, size_t cut)
{
    int fd = memfd_create("activations", 0);
    struct nf_err err = NF_ERR_INIT;
    json_t *header = header_of(from, to);
    struct nf_writer *w = nf_writer_open(fd, header, true, &err);
    struct nf_vocab vocab = { 0 };
    uint64_t batch = 0;

    for (size_t v = 0; v < V; v++)
        nf_vocab_add(&vocab, &"abcdefghi"[v], 1, &err);
    nf_vocab_write(w, &vocab);
    nf_vocab_clear(&vocab);
    for (size_t i = first; i < last; i += windows) {
        size_t n = nf_min(windows, last - i);

        for (size_t k = i; k < i + n; k++)
            if (k == first || c.doc[k] != c.doc[k - 1])
                nf_record_write(&nf_doc_record, w,
                                &(struct nf_doc){ .doc = c.doc[k], .name = "x", .domain = domains[domain_of(k)], .bytes = 1 });
        write_batch(w, batch++, i, n, from, to, cut);
    }
    if (nf_writer_close(w, NULL) < 0)
        abort();
    json_decref(header);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

/* Reduce the streams on fd[0..n); the stats as a new stream.  -1 and err on failure.  Closes the inputs. */
static int reduce(const struct nf_reduce_cfg *cfg, const int *fd, size_t n, struct nf_err *err)
{
    struct nf_reduce *r = NULL;
    json_t *header = NULL;
    int out = memfd_create("stats", 0), rc = NF_OK;
    struct nf_writer *w;

    for (size_t i = 0; i < n && rc == NF_OK; i++) {
        struct nf_reader *in = nf_reader_open(fd[i], "input", NULL, err);
        const msgpack_object *rec;

        if (in && !r) {
            r = nf_reduce_open(cfg, nf_reader_header(in), err);
            header = nf_header_new("stats", nf_reader_header(in), &cmd, err);
            if (r)
                nf_reduce_header(r, header, err);
        }
        rc = in && r ? nf_reduce_begin(r, nf_reader_header(in), err) : err->code;
        while (rc == NF_OK && (rc = nf_reader_next(in, &rec)) == NF_OK)
            rc = nf_reduce_record(r, rec, err);
        if (rc == NF_EOF)
            rc = nf_reduce_end(r, err);
        nf_reader_close(in);
        close(fd[i]);
    }
    if (rc == NF_OK) {
        w = nf_writer_open(out, header, true, err);
        if (nf_reduce_write(r, w, err) < 0 || nf_writer_close(w, NULL) < 0)
            rc = err->code;
    }
    nf_reduce_close(r);
    json_decref(header);
    lseek(out, 0, SEEK_SET);
    if (rc == NF_OK)
        return out;
    close(out);
    return -1;
}

static int reduce_windows(const struct nf_reduce_cfg *cfg, size_t first, size_t last, size_t windows, size_t cut)
{
    struct nf_err err = NF_ERR_INIT;
    int in = write_activations(first, last, windows, 0, T, cut), out = reduce(cfg, &in, 1, &err);

    if (out < 0)
        printf("# %s\n", err.text);
    return out;
}

/* All records of a stream, one after the other. */
static char *records(int fd, size_t *size)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_reader *in = nf_reader_open(fd, "stats", "stats", &err);
    const msgpack_object *rec;
    char *all = NULL;
    size_t cap = 0;

    *size = 0;
    while (in && nf_reader_next(in, &rec) == NF_OK) {
        const void *p;
        size_t n;

        nf_reader_bytes(in, &p, &n);
        nf_grow(&all, &cap, *size + n, 1, &err);
        memcpy(all + *size, p, n);
        *size += n;
    }
    CHECK(in && err.code == NF_OK);
    nf_reader_close(in);
    close(fd);
    return all;
}

static bool same_records(int a, int b)
{
    size_t n, m;
    char *x = records(a, &n), *y = records(b, &m);
    bool same = n > 1000 && n == m && memcmp(x, y, n) == 0;

    free(x);
    free(y);
    return same;
}

/* ---- brute force ---- */

/* How often neuron f of layer l fired at the n-gram, and how often that was there. */
static void brute_ngram(const uint32_t *key, size_t order, size_t l, size_t from, size_t to, uint64_t *fires, uint64_t *n)
{
    memset(fires, 0, F * sizeof *fires);
    *n = 0;
    for (size_t w = 0; w < W; w++)
        for (size_t p = from; p < nf_min(to, c.length[w]); p++) {
            if (p + 1 < order + c.bos[w] || memcmp(c.ids[w] + p + 1 - order, key, order * sizeof *key) != 0)
                continue;
            ++*n;
            for (size_t f = 0; f < F; f++)
                fires[f] += c.fired[w][p][l][f];
        }
}

static size_t n_distinct(size_t order, size_t from, size_t to)
{
    static bool seen[V * V * V];
    size_t n = 0;

    memset(seen, 0, sizeof seen);
    for (size_t w = 0; w < W; w++)
        for (size_t p = from; p < nf_min(to, c.length[w]); p++) {
            size_t key = 0;

            if (p + 1 < order + c.bos[w])
                continue;
            for (size_t i = p + 1 - order; i <= p; i++)
                key = key * V + c.ids[w][i];
            n += !seen[key];
            seen[key] = true;
        }
    return n;
}

static size_t layer_index(size_t layer)
{
    return layer == 1 ? 0 : layer == 4 ? 1 : 2;
}

static void check_fires(const struct nf_fires *r)
{
    /* domains in byte order: code, letters, prose */
    static const size_t index[Q] = { 1, 2, 0 };
    size_t l = layer_index(r->layer);

    for (size_t f = 0; f < F; f++) {
        uint64_t all = 0, bos = 0, domain[Q] = { 0 }, got;

        for (size_t w = 0; w < W; w++)
            for (size_t p = 0; p < c.length[w]; p++) {
                bool is_bos = c.bos[w] && !p;

                bos += is_bos && c.fired[w][p][l][f];
                all += !is_bos && c.fired[w][p][l][f];
                domain[domain_of(w)] += !is_bos && c.fired[w][p][l][f];
            }
        memcpy(&got, (const char *)r->all + f * 8, 8);
        CHECK(got == all);
        memcpy(&got, (const char *)r->bos + f * 8, 8);
        CHECK(got == bos);
        for (size_t q = 0; q < Q; q++) {
            memcpy(&got, (const char *)r->domain + (q * F + f) * 8, 8);
            CHECK(got == domain[index[q]]);
        }
    }
}

static void check_positions(const void *counts, size_t l, size_t rows, size_t from, size_t width, size_t domain)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t f = 0; f < F; f++) {
            uint32_t want = 0, got;

            for (size_t w = 0; w < W; w++)
                for (size_t p = from + r * width; p < nf_min(from + (r + 1) * width, T); p++)
                    want += c.length[w] == T && (domain == SIZE_MAX || domain_of(w) == domain) && c.fired[w][p][l][f];
            memcpy(&got, (const char *)counts + (r * F + f) * 4, 4);
            CHECK(got == want);
        }
}

static void check_moments(const struct nf_moments_rec *m)
{
    for (size_t u = 0; u < m->W; u++) {
        long double sum = 0, d2 = 0, d3 = 0, d4 = 0, n = 0, mean;
        double got[4], ratio;
        const void *const from[4] = { m->mean, m->var, m->skew, m->kurt };

        for (int pass = 0; pass < 2; pass++) {
            mean = pass ? sum / n : 0;
            for (size_t w = 0; w < W; w++)
                for (size_t p = c.bos[w]; p < c.length[w]; p++) {
                    long double x = (long double)(m->W == 4 ? c.pred[w][p][u] : c.value[w][p][layer_index(m->layer)][u]) - mean;

                    if (isnan((double)x) ||
                        (m->W == 4 && (u == 2 || (m->domain != SIZE_MAX && domain_of(w) != (m->domain + 1) % Q))))
                        continue;
                    n += !pass;
                    sum += pass ? 0 : x;
                    d2 += pass ? x * x : 0;
                    d3 += pass ? x * x * x : 0;
                    d4 += pass ? x * x * x * x : 0;
                }
        }
        if (!(n > 0))
            continue;
        for (size_t i = 0; i < 4; i++)
            memcpy(&got[i], (const char *)from[i] + u * 8, 8);
        d2 /= n, d3 /= n, d4 /= n;
        /*
         * moments.h: (T + 4) 2^-53 within a window, about a first value within the spread: 1e-12 leaves a factor of
         * 100; then 2^-100 (mean / sd)^k
         */
        ratio = fabs((double)(mean / sqrtl(d2)));
        CHECK_NEAR(got[0], (double)mean, 1e-15 * fabs((double)mean));
        CHECK_NEAR(got[1], (double)d2, (1e-12 + 0x1p-98 * pow(ratio, 2)) * (double)d2);
        CHECK_NEAR(got[2], (double)(d3 / (d2 * sqrtl(d2))), 1e-12 + 0x1p-98 * pow(ratio, 3));
        CHECK_NEAR(got[3], (double)(d4 / (d2 * d2)), 1e-12 * (double)(d4 / (d2 * d2)) + 0x1p-98 * pow(ratio, 4));
    }
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* The values of one unit of ffn.act without BOS, sorted. */
static size_t sorted_values(size_t l, size_t u, float *x)
{
    size_t n = 0;

    for (size_t w = 0; w < W; w++)
        for (size_t p = c.bos[w]; p < c.length[w]; p++)
            x[n++] = c.value[w][p][l][u];
    qsort(x, n, sizeof *x, ascending);
    return n;
}

static void check_quantiles(const struct nf_moments_rec *m)
{
    float x[W * T];

    for (size_t u = 0; m->W == UNITS && u < UNITS; u++) {
        size_t n = sorted_values(layer_index(m->layer), u, x);

        for (size_t i = 0; i < m->q; i++) {
            double q, got, want;

            memcpy(&q, (const char *)m->quantiles + i * 8, 8);
            memcpy(&got, (const char *)m->values + (i * UNITS + u) * 8, 8);
            want = x[(size_t)fmax(1, ceil(q * (double)n)) - 1];
            CHECK_NEAR(got, want, fabs(want) / 32 + ldexp(1, -24)); /* histogram.h */
        }
    }
}

static void check_histogram(const struct nf_histogram_rec *h)
{
    size_t at = 0;
    float x[W * T];

    for (size_t i = 0; h->w == UNITS && i < h->w; i++) {
        size_t n = sorted_values(layer_index(h->layer), h->first + i, x), total = 0;
        uint32_t used;

        memcpy(&used, (const char *)h->used + i * 4, 4);
        for (size_t end = at + used; at < end; at++) {
            int32_t bin;
            uint64_t count, want = 0;

            memcpy(&bin, (const char *)h->bins + at * 4, 4);
            memcpy(&count, (const char *)h->counts + at * 8, 8);
            for (size_t k = 0; k < n; k++)
                want += bin == 0 ? fabsf(x[k]) < 0x1p-24f
                                 : (x[k] < 0) == (bin < 0) && fabs((double)x[k]) >= nf_histogram_edge(abs(bin)) &&
                                       fabs((double)x[k]) < nf_histogram_edge(abs(bin) + 1);
            CHECK(count == want);
            total += count;
        }
        CHECK(total == n);
    }
}

static void check_top(const struct nf_top_rec *t)
{
    for (size_t u = 0; t->w == UNITS && u < UNITS; u++) {
        bool taken[W][T] = { { false } };

        for (size_t k = 0; k < TOP; k++) {
            size_t bw = SIZE_MAX, bp = 0;
            uint32_t doc, window, pos, token;
            float value;

            for (size_t w = 0; w < W; w++)
                for (size_t p = c.bos[w]; p < c.length[w]; p++)
                    if (!taken[w][p] &&
                        (bw == SIZE_MAX || c.value[w][p][layer_index(t->layer)][u] > c.value[bw][bp][layer_index(t->layer)][u]))
                        bw = w, bp = p;
            taken[bw][bp] = true;
            memcpy(&value, (const char *)t->values + (u * TOP + k) * 4, 4);
            memcpy(&doc, (const char *)t->doc + (u * TOP + k) * 4, 4);
            memcpy(&window, (const char *)t->window + (u * TOP + k) * 4, 4);
            memcpy(&pos, (const char *)t->pos + (u * TOP + k) * 4, 4);
            CHECK(value == c.value[bw][bp][layer_index(t->layer)][u] && doc == c.doc[bw] && window == c.window[bw] && pos == bp);
            for (size_t i = 0; i < CONTEXT; i++) {
                memcpy(&token, (const char *)t->context + ((u * TOP + k) * CONTEXT + CONTEXT - 1 - i) * 4, 4);
                CHECK(token == (i <= bp ? c.ids[bw][bp - i] : UINT32_MAX));
            }
        }
    }
}

/* What a stats stream says of n-grams, by key: n, dropped, and the counts of the layers. */
struct ngrams {
    size_t order, planes, first, k;
    uint32_t keys[4096][3], n[4096], dropped[4096];
    size_t used;
};

static const struct nf_sizes sizes = { .F = F, .Q = Q };

/* Read a stats stream and compare all of it; the n-grams within their bounds. */
static void check_stats(int fd, const struct nf_reduce_cfg *cfg, bool exact)
{
    static struct ngrams g[256];
    struct nf_err err = NF_ERR_INIT;
    struct nf_reader *in = nf_reader_open(fd, "stats", "stats", &err);
    const msgpack_object *rec;
    size_t runs = 0, seen[3] = { 0 }, counts = 0, n_fires = 0, n_positions = 0, n_bins = 0, n_moments = 0, n_top = 0;
    uint64_t delta[3] = { 0 }, lost[3] = { 0 }, counted[3] = { 0 };
    static uint64_t lost_fires[L][3][F], sum[L][3][F], missing[L][3][F];

    memset(lost_fires, 0, sizeof lost_fires);
    memset(sum, 0, sizeof sum);
    memset(missing, 0, sizeof missing);
    while (in && nf_reader_next(in, &rec) == NF_OK) {
        struct nf_lost_ngrams ln;
        struct nf_ngrams r;
        struct nf_fires fires;
        struct nf_position pos;
        struct nf_domain_position bin;
        struct nf_moments_rec m;
        struct nf_histogram_rec h;
        struct nf_top_rec top;
        struct nf_lost lf;

        if (nf_mp_is(rec, "lost_ngrams") && nf_record_read(&nf_lost_ngrams_record, rec, NULL, &ln, &err) == NF_OK) {
            delta[ln.order - 1] = ln.delta;
            lost[ln.order - 1] = ln.occurrences;
        } else if (nf_mp_is(rec, "ngrams") && nf_record_read(&nf_ngrams_record, rec, NULL, &r, &err) == NF_OK) {
            struct ngrams *to = &g[runs++];

            to->order = r.order, to->planes = r.planes, to->first = r.first, to->k = r.k;
            for (size_t i = 0; i < r.k; i++) {
                memcpy(to->keys[i], (const char *)r.keys + i * r.order * 4, r.order * 4);
                memcpy(&to->n[i], (const char *)r.n + i * 4, 4);
                to->dropped[i] = 0;
                if (r.dropped)
                    memcpy(&to->dropped[i], (const char *)r.dropped + i * 4, 4);
                counted[r.order - 1] += to->n[i];
                CHECK(to->dropped[i] <= delta[r.order - 1]);
            }
            seen[r.order - 1] += r.k;
        } else if (nf_mp_is(rec, "lost") && nf_record_read(&nf_lost_record, rec, &sizes, &lf, &err) == NF_OK) {
            memcpy(lost_fires[layer_index(lf.layer)][lf.order - 1], lf.fires, F * 8);
        } else if (nf_mp_is(rec, "fires") && nf_record_read(&nf_fires_record, rec, &sizes, &fires, &err) == NF_OK) {
            check_fires(&fires);
            n_fires++;
        } else if (nf_mp_is(rec, "position") && nf_record_read(&nf_position_record, rec, &sizes, &pos, &err) == NF_OK) {
            check_positions(pos.counts, layer_index(pos.layer), pos.P, pos.first, 1, SIZE_MAX);
            n_positions += pos.P;
        } else if (nf_mp_is(rec, "domain_position") &&
                   nf_record_read(&nf_domain_position_record, rec, &sizes, &bin, &err) == NF_OK) {
            check_positions(bin.counts, layer_index(bin.layer), bin.B, bin.first * cfg->bin, cfg->bin, (bin.domain + 1) % Q);
            n_bins += bin.B;
        } else if (nf_mp_is(rec, "moments") && nf_record_read(&nf_moments_record, rec, NULL, &m, &err) == NF_OK) {
            check_moments(&m);
            check_quantiles(&m);
            n_moments++;
        } else if (nf_mp_is(rec, "histogram") && nf_record_read(&nf_histogram_record, rec, NULL, &h, &err) == NF_OK) {
            check_histogram(&h);
        } else if (nf_mp_is(rec, "top") && nf_record_read(&nf_top_record, rec, NULL, &top, &err) == NF_OK) {
            check_top(&top);
            n_top++;
        }
        if (nf_mp_is(rec, "counts")) {
            struct nf_counts k;
            const struct ngrams *to = &g[counts++ % runs];
            uint64_t want[F], n, got;

            CHECK(nf_record_read(&nf_counts_record, rec, &sizes, &k, &err) == NF_OK && k.k == to->k && k.first == to->first &&
                  k.planes == to->planes && k.order == to->order);
            for (size_t i = 0; i < k.k; i++) {
                brute_ngram(to->keys[i], k.order, layer_index(k.layer), 0, T, want, &n);
                CHECK(nf_bit_counters_bits(to->n[i]) == k.planes);
                CHECK(to->n[i] <= n && n <= to->n[i] + to->dropped[i]);
                for (size_t f = 0; f < F; f++) {
                    got = 0;
                    for (size_t p = 0; p < k.planes; p++)
                        got |= (uint64_t)(k.bits[(i * k.planes + p) * k.row_bytes + f / 8] >> f % 8 & 1) << p;
                    sum[layer_index(k.layer)][k.order - 1][f] += got;
                    CHECK(got <= want[f]);
                    CHECK(exact ? got == want[f] : want[f] <= got + to->dropped[i]);
                    if (want[f] - got > missing[layer_index(k.layer)][k.order - 1][f])
                        missing[layer_index(k.layer)][k.order - 1][f] = want[f] - got;
                }
            }
        }
        CHECK(err.code == NF_OK);
    }
    CHECK(in && err.code == NF_OK);
    CHECK(n_fires == L && n_positions == L * T && n_bins == L * Q * ((T + cfg->bin - 1) / cfg->bin) && n_moments == L + 1 + Q &&
          n_top == L + 1);
    CHECK(counts == L * runs);
    for (size_t o = 0; o < 3; o++) {
        uint64_t occurrences = 0;

        for (size_t w = 0; w < W; w++)
            for (size_t p = 0; p < c.length[w]; p++)
                occurrences += p + 1 >= o + 1 + c.bos[w];
        CHECK(counted[o] + lost[o] == occurrences);
        CHECK(exact ? !delta[o] && seen[o] == n_distinct(o + 1, 0, T) : seen[o] <= n_distinct(o + 1, 0, T));
        for (size_t l = 0; l < L; l++)
            for (size_t f = 0; f < F; f++) {
                uint64_t fired = 0;

                for (size_t w = 0; w < W; w++)
                    for (size_t p = 0; p < c.length[w]; p++)
                        fired += p + 1 >= o + 1 + c.bos[w] && c.fired[w][p][l][f];
                CHECK(sum[l][o][f] + lost_fires[l][o][f] == fired);
                CHECK(missing[l][o][f] <= lost_fires[l][o][f]);
            }
    }
    CHECK(exact || (delta[1] && delta[2]));
    nf_reader_close(in);
    close(fd);
}

static struct nf_reduce_cfg config(void)
{
    struct nf_reduce_cfg cfg = nf_reduce_defaults();

    cfg.bin = 5;
    cfg.top = TOP;
    cfg.context = CONTEXT;
    return cfg;
}

/* ---- tests ---- */

static void every_number_is_the_brute_force_one(void)
{
    struct nf_reduce_cfg cfg = config();

    for (uint64_t seed = 1; seed <= 3; seed++) {
        make_corpus(seed);
        check_stats(reduce_windows(&cfg, 0, W, 7, 1000), &cfg, true);
    }
}

static void batches_and_records_do_not_matter(void)
{
    struct nf_reduce_cfg cfg = config();

    make_corpus(4);
    CHECK(same_records(reduce_windows(&cfg, 0, W, 1, 1000), reduce_windows(&cfg, 0, W, W, 1000)));
    CHECK(same_records(reduce_windows(&cfg, 0, W, 13, 1000), reduce_windows(&cfg, 0, W, 6, 5)));
}

static void threads_do_not_matter(void)
{
    struct nf_reduce_cfg cfg = config();
    int one, four, threads = omp_get_max_threads();

    make_corpus(5);
    omp_set_num_threads(1);
    one = reduce_windows(&cfg, 0, W, 9, 1000);
    omp_set_num_threads(4);
    four = reduce_windows(&cfg, 0, W, 9, 1000);
    omp_set_num_threads(threads);
    CHECK(same_records(one, four));
}

static void shards_add_up_to_the_whole(void)
{
    struct nf_reduce_cfg cfg = config();
    struct nf_rng rng = { 6 };
    struct nf_err err = NF_ERR_INIT;

    for (int round = 0; round < 10; round++) {
        size_t a = W / DOCS * (1 + nf_rng_below(&rng, DOCS - 2)), b = nf_min(W, a + W / DOCS * (1 + nf_rng_below(&rng, DOCS - 2)));
        int part[3], two[2];

        make_corpus(100 + (uint64_t)round);
        part[0] = reduce_windows(&cfg, 0, a, 1 + nf_rng_below(&rng, 9), 4);
        part[1] = reduce_windows(&cfg, a, b, 1 + nf_rng_below(&rng, 9), 1000);
        part[2] = b < W ? reduce_windows(&cfg, b, W, 5, 1000) : reduce_windows(&cfg, 0, 0, 5, 1000);
        two[0] = part[2];
        two[1] = reduce(&cfg, (int[]){ part[1], part[0] }, 2, &err); /* another order and grouping */
        CHECK(two[1] >= 0);
        CHECK(same_records(reduce(&cfg, two, 2, &err), reduce_windows(&cfg, 0, W, 11, 1000)));
    }
}

/* A budget so small that rounds are needed: the smallest that the fixed counters leave some of. */
static struct nf_reduce_cfg small_config(void)
{
    struct nf_reduce_cfg cfg = config();

    cfg.memory = 90000;
    return cfg;
}

static void dropped_ngrams_stay_within_their_bounds(void)
{
    struct nf_reduce_cfg cfg = small_config();
    struct nf_err err = NF_ERR_INIT;
    int part[2];

    make_corpus(7);
    check_stats(reduce_windows(&cfg, 0, W, 7, 1000), &cfg, false);
    part[0] = reduce_windows(&cfg, 0, W / 2, 7, 1000);
    part[1] = reduce_windows(&cfg, W / 2, W, 7, 1000);
    check_stats(reduce(&cfg, part, 2, &err), &cfg, false);
    CHECK(same_records(reduce_windows(&cfg, 0, W, 1, 1000), reduce_windows(&cfg, 0, W, W, 1000)));
}

static void ngram_layers_and_orders_are_chosen(void)
{
    struct nf_reduce_cfg cfg = config();
    struct nf_err err = NF_ERR_INIT;
    struct nf_reader *in;
    const msgpack_object *rec;
    size_t counts = 0;

    cfg.order[1] = false;
    cfg.ngram_layers = (struct nf_range){ 2, 5 }; /* of 1, 4, 5: layer 4 */
    make_corpus(8);
    in = nf_reader_open(reduce_windows(&cfg, 0, W, 7, 1000), "stats", "stats", &err);
    while (in && nf_reader_next(in, &rec) == NF_OK) {
        struct nf_counts k;
        struct nf_totals t = { 0 };

        if (nf_mp_is(rec, "totals")) {
            CHECK(nf_record_read(&nf_totals_record, rec, NULL, &t, &err) == NF_OK && t.n_layers == 3 && t.n_ngram_layers == 1 &&
                  t.order[0] && !t.order[1] && t.order[2]);
            nf_record_clear(&nf_totals_record, &t);
        }
        if (!nf_mp_is(rec, "counts"))
            continue;
        CHECK(nf_record_read(&nf_counts_record, rec, &sizes, &k, &err) == NF_OK && k.layer == 4 && k.order != 2);
        counts++;
    }
    CHECK(counts && err.code == NF_OK);
    nf_reader_close(in);
}

/* reduce() must fail with NF_EFORMAT and name `what`. */
static void refuses(const struct nf_reduce_cfg *cfg, const int *fd, size_t n, const char *what)
{
    struct nf_err err = NF_ERR_INIT;

    CHECK(reduce(cfg, fd, n, &err) < 0);
    CHECK(err.code == NF_EFORMAT && strstr(err.text, what));
    if (!strstr(err.text, what))
        printf("# got: %s\n", err.text);
}

static void other_runs_are_not_merged(void)
{
    struct nf_reduce_cfg cfg = config(), other = config();
    int part[2], in;
    struct nf_err err = NF_ERR_INIT;

    make_corpus(9);
    other.bin = 4;
    part[0] = reduce_windows(&cfg, 0, 30, 7, 1000);
    part[1] = reduce_windows(&other, 30, W, 7, 1000);
    refuses(&cfg, part, 2, "totals.bin");
    other = config();
    other.include_bos = true;
    part[0] = reduce_windows(&cfg, 0, 30, 7, 1000);
    part[1] = reduce_windows(&other, 30, W, 7, 1000);
    refuses(&cfg, part, 2, "excluded");
    part[0] = reduce_windows(&cfg, 0, 30, 7, 1000);
    in = write_activations(30, W, 7, 0, T - 1, 1000);
    part[1] = reduce(&cfg, &in, 1, &err);
    refuses(&cfg, part, 2, "capture");
}

static void bad_values_are_refused(void)
{
    struct nf_reduce_cfg cfg = config();
    int in;

    make_corpus(10);
    c.value[3][0][1][2] = INFINITY;
    in = write_activations(0, W, 7, 0, T, 1000);
    refuses(&cfg, &in, 1, "ffn.act of layer 4");
    c.value[3][0][1][2] = NAN;
    in = write_activations(0, W, 7, 0, T, 1000);
    refuses(&cfg, &in, 1, "ffn.act of layer 4");
}

static void positions_may_be_selected(void)
{
    struct nf_reduce_cfg cfg = config();
    struct nf_err err = NF_ERR_INIT;
    int in, out;
    struct nf_reader *r;
    const msgpack_object *rec;
    uint64_t tokens = 0;

    make_corpus(11);
    for (size_t w = 0; w < W; w++)
        tokens += nf_min(9, c.length[w]) > 2 ? nf_min(9, c.length[w]) - 2 : 0;
    in = write_activations(0, W, 7, 2, 9, 1000);
    out = reduce(&cfg, &in, 1, &err);
    CHECK(out >= 0);
    r = nf_reader_open(out, "stats", "stats", &err);
    while (r && nf_reader_next(r, &rec) == NF_OK) {
        struct nf_totals t = { 0 };
        struct nf_position p;

        if (nf_mp_is(rec, "totals")) {
            CHECK(nf_record_read(&nf_totals_record, rec, NULL, &t, &err) == NF_OK && t.from == 2 && t.to == 9 &&
                  t.tokens == tokens && t.bos == 0);
            nf_record_clear(&nf_totals_record, &t);
        }
        if (nf_mp_is(rec, "position")) {
            CHECK(nf_record_read(&nf_position_record, rec, &sizes, &p, &err) == NF_OK && p.first == 2 && p.P == 7);
            check_positions(p.counts, layer_index(p.layer), 7, 2, 1, SIZE_MAX);
        }
    }
    nf_reader_close(r);
}

int main(void)
{
    return RUN(every_number_is_the_brute_force_one, batches_and_records_do_not_matter, threads_do_not_matter,
               shards_add_up_to_the_whole, dropped_ngrams_stay_within_their_bounds, ngram_layers_and_orders_are_chosen,
               other_runs_are_not_merged, bad_values_are_refused, positions_may_be_selected);
}
