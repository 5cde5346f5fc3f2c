/*
 * brute_neurons.c - what classify-neurons says of a neuron, found again the slow and obvious way.
 *
 *   brute_neurons ACTIVATIONS NEURONS [STEP]
 *
 * Keeps every bit of the activations stream in memory.  For every STEP-th neuron, and every neuron that has a class other than
 * "other", lists the positions where it fired, sorts the n-grams that end there, counts runs, and compares with the neuron's record:
 * firing counts, covering numbers, detector classes with their covered n-grams, the positional mutual information.  Shares no code
 * with lib/stat.  Prints each difference; exit status 0 when there is none, 3 otherwise.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prog.h"
#include "die.h"
#include "record/activations.h"
#include "stream/mp.h"
#include "stream/reader.h"

enum { ORDERS = 3, LAYERS = 64 };

static struct {
    size_t n;                      /* tokens, BOS included */
    uint32_t *id;
    uint32_t *pos;                 /* in its window */
    bool *bos, *full;
    uint64_t *gram[ORDERS];        /* the n-gram that ends here; 0: none */
    uint64_t *sorted[ORDERS];      /* all n-grams of the corpus, sorted */
    size_t n_sorted[ORDERS];
    size_t full_windows, T;
    size_t F, row_bytes;
    unsigned char *bits[LAYERS];   /* [n, row_bytes] */
} all;

static size_t differences;

static void differ(size_t layer, size_t neuron, const char *what, double want, double got)
{
    printf("%zu.%zu: %s: counted %.17g, the stream says %.17g\n", layer, neuron, what, want, got);
    differences++;
}

static void *more(void *p, size_t n, size_t size)
{
    p = realloc(p, n * size);
    if (!p)
        nf_die(NF_EXIT_SYS, "out of memory");
    return p;
}

/* 21 bits a token, the oldest highest; one is added so that no n-gram is 0. */
static uint64_t gram_at(size_t i, size_t first, size_t order)
{
    uint64_t g = 0;

    if (all.pos[i] + 1 < first + order)
        return 0;
    for (size_t o = order; o-- > 0;)
        g = g << 21 | all.id[i - o];
    return g + 1;
}

static void take_batch(const struct nf_batch *b)
{
    size_t i = all.n;

    all.n += b->T;
    all.id = more(all.id, all.n, sizeof *all.id);
    all.pos = more(all.pos, all.n, sizeof *all.pos);
    all.bos = more(all.bos, all.n, sizeof *all.bos);
    all.full = more(all.full, all.n, sizeof *all.full);
    for (size_t o = 0; o < ORDERS; o++)
        all.gram[o] = more(all.gram[o], all.n, sizeof *all.gram[o]);
    memcpy(all.id + i, b->ids, b->T * sizeof *all.id);
    for (size_t w = 0; w < b->W; w++) {
        all.full_windows += b->length[w] == all.T;
        for (size_t p = 0; p < b->length[w]; p++, i++) {
            all.pos[i] = (uint32_t)p;
            all.bos[i] = b->bos[w] && p == 0;
            all.full[i] = b->length[w] == all.T;
            for (size_t o = 0; o < ORDERS; o++)
                all.gram[o][i] = all.bos[i] ? 0 : gram_at(i, b->bos[w], o + 1);
        }
    }
}

static void read_activations(const char *path, struct nf_err *err)
{
    int fd = open(path, O_RDONLY);
    struct nf_reader *r = fd < 0 ? NULL : nf_reader_open(fd, path, "activations", err);
    const msgpack_object *rec;
    struct nf_batch b = { 0 };
    struct nf_site_rows s;
    size_t base = 0;
    json_t *h;

    if (!r)
        nf_die_err(err);
    h = nf_reader_header(r);
    all.T = (size_t)json_integer_value(json_object_get(h, "context"));
    all.F = (size_t)json_integer_value(json_object_get(json_object_get(h, "model"), "F"));
    all.row_bytes = (all.F + 7) / 8;
    while (nf_reader_next(r, &rec) == NF_OK) {
        if (nf_mp_is(rec, "batch")) {
            base = all.n;
            if (nf_batch_read(rec, 1 << 20, all.T, &b, err) != NF_OK)
                nf_die_err(err);
            take_batch(&b);
        } else if (nf_mp_is(rec, "site")) {
            if (nf_site_rows_read(rec, &s, err) != NF_OK)
                nf_die_err(err);
            if (strcmp(s.site, "ffn.active") != 0 || s.layer >= LAYERS)
                continue;
            all.bits[s.layer] = more(all.bits[s.layer], all.n, all.row_bytes);
            memcpy(all.bits[s.layer] + (base + s.row) * all.row_bytes, s.data.data, s.data.shape[0] * all.row_bytes);
        }
    }
    if (err->code != NF_OK)
        nf_die_err(err);
    nf_batch_clear(&b);
    nf_reader_close(r);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void sort_corpus(void)
{
    for (size_t o = 0; o < ORDERS; o++) {
        all.sorted[o] = more(NULL, all.n, sizeof(uint64_t));
        for (size_t i = 0; i < all.n; i++)
            if (all.gram[o][i])
                all.sorted[o][all.n_sorted[o]++] = all.gram[o][i];
        qsort(all.sorted[o], all.n_sorted[o], sizeof(uint64_t), by_value);
    }
}

/* Number of occurrences of g in the corpus: two binary searches. */
static size_t occurrences(size_t o, uint64_t g)
{
    size_t edge[2];

    for (int upper = 0; upper < 2; upper++) {
        size_t lo = 0, hi = all.n_sorted[o];

        while (lo < hi) {
            size_t mid = (lo + hi) / 2;

            if (all.sorted[o][mid] < g || (upper && all.sorted[o][mid] == g))
                lo = mid + 1;
            else
                hi = mid;
        }
        edge[upper] = lo;
    }
    return edge[1] - edge[0];
}

static bool fired(size_t layer, size_t neuron, size_t i)
{
    return all.bits[layer][i * all.row_bytes + neuron / 8] >> neuron % 8 & 1;
}

struct run {
    uint64_t gram, c;
};

static int by_count(const void *a, const void *b)
{
    const struct run *x = a, *y = b;

    return (x->c < y->c) - (x->c > y->c);
}

/* The n-grams that triggered the neuron, with counts, most frequent first.  Returns how many different ones; *total firings. */
static size_t triggers(size_t layer, size_t neuron, size_t o, struct run *run, size_t *total)
{
    static uint64_t *hit;
    size_t n = 0, runs = 0;

    hit = more(hit, all.n, sizeof *hit);
    for (size_t i = 0; i < all.n; i++)
        if (all.gram[o][i] && fired(layer, neuron, i))
            hit[n++] = all.gram[o][i];
    qsort(hit, n, sizeof *hit, by_value);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || hit[i] != hit[i - 1])
            run[runs++] = (struct run){ hit[i], 0 };
        run[runs - 1].c++;
    }
    qsort(run, runs, sizeof *run, by_count);
    *total = n;
    return runs;
}

/* I(act, pos) in nats over the full windows, bias-corrected (paper section 5.1; (T-1) / (2 N T) is its expectation under independence). */
static double information(size_t layer, size_t neuron)
{
    double *at = more(NULL, all.T, sizeof *at), sum = 0, mi = 0, f;

    memset(at, 0, all.T * sizeof *at);
    for (size_t i = 0; i < all.n; i++)
        if (all.full[i] && fired(layer, neuron, i))
            at[all.pos[i]]++;
    for (size_t p = 0; p < all.T; p++)
        sum += at[p];
    f = sum / ((double)all.full_windows * (double)all.T);
    for (size_t p = 0; p < all.T; p++) {
        double x = at[p] / (double)all.full_windows;

        mi += (x > 0 ? x * log(x / f) : 0) + (x < 1 ? (1 - x) * log((1 - x) / (1 - f)) : 0);
    }
    free(at);
    return mi / (double)all.T - ((double)all.T - 1) / (2.0 * (double)all.full_windows * (double)all.T);
}

static bool has_class(const msgpack_object *rec, const char *name)
{
    const msgpack_object *a = nf_mp_find(rec, "classes");

    for (size_t i = 0; a && i < a->via.array.size; i++)
        if (a->via.array.ptr[i].via.str.size == strlen(name) && memcmp(a->via.array.ptr[i].via.str.ptr, name, strlen(name)) == 0)
            return true;
    return false;
}

static double number(const msgpack_object *rec, const char *key)
{
    double v = NAN;

    nf_mp_real(rec, key, &v, NULL);
    return v;
}

static void compare(size_t layer, size_t neuron, const char *what, double want, double got, double tol)
{
    if (!(fabs(want - got) <= tol))
        differ(layer, neuron, what, want, got);
}

static void check_order(const msgpack_object *rec, size_t layer, size_t neuron, size_t o, bool alive)
{
    static const char *const field[ORDERS] = { "token", "bigram", "trigram" };
    static const char *const class[ORDERS] = { "token-detector", "bigram-detector", "trigram-detector" };
    static const size_t most[ORDERS] = { 5, 50, 50 };
    static struct run *run;
    const msgpack_object *cover = nf_mp_find(rec, "cover"), *evidence = nf_mp_find(rec, field[o]);
    size_t total, runs, m = 0, sum = 0, covered = 0, members = 0;
    bool detector;

    run = more(run, all.n, sizeof *run);
    runs = triggers(layer, neuron, o, run, &total);
    while (20 * sum < 19 * total)
        sum += run[m++].c;
    for (size_t i = 0; i < runs; i++)
        if (20 * run[i].c >= 19 * occurrences(o, run[i].gram)) {
            covered += run[i].c;
            members++;
        }
    if (cover && alive) {
        const msgpack_object *c = &cover->via.array.ptr[o];

        compare(layer, neuron, "covering number, lower", (double)m, (double)c->via.array.ptr[0].via.u64, 0);
        compare(layer, neuron, "covering number, upper", (double)m, (double)c->via.array.ptr[1].via.u64, 0);
    }
    detector = total > 0 && m <= most[o] && 20 * covered >= 19 * total;
    if (has_class(rec, class[o]) && !detector)
        differ(layer, neuron, class[o], detector, !detector);
    if (has_class(rec, class[o]) && evidence) {
        const msgpack_object *list = nf_mp_find(evidence, "covered"), *share = nf_mp_find(evidence, "share");
        uint64_t n_covered = list ? list->via.array.size : 0;

        nf_mp_uint(evidence, "covered_total", UINT64_MAX, &n_covered, NULL);
        compare(layer, neuron, "covered n-grams", (double)members, (double)n_covered, 0);
        compare(layer, neuron, "fires that they cover", (double)covered, share ? number(share, "k") : NAN, 0);
    }
    if (detector && alive && !has_class(rec, class[o]) && !nf_mp_find(rec, "out_of_scope"))
        differ(layer, neuron, class[o], 1, 0);
}

static void check_neuron(const msgpack_object *rec, size_t step, size_t scope)
{
    size_t layer = (size_t)number(rec, "layer"), neuron = (size_t)number(rec, "neuron"), fires = 0, fires_bos = 0;
    const msgpack_object *class = nf_mp_find(rec, "class"), *position = nf_mp_find(rec, "position");
    bool other = class && class->via.str.size == 5 && memcmp(class->via.str.ptr, "other", 5) == 0;

    if (layer >= LAYERS || !all.bits[layer] || (neuron % step && other))
        return;
    for (size_t i = 0; i < all.n; i++)
        if (fired(layer, neuron, i))
            *(all.bos[i] ? &fires_bos : &fires) += 1;
    compare(layer, neuron, "fires", (double)fires, number(rec, "fires"), 0);
    compare(layer, neuron, "fires on BOS", (double)fires_bos, number(rec, "fires_bos"), 0);
    compare(layer, neuron, "dead", fires == 0, has_class(rec, "dead"), 0);
    for (size_t o = 0; o < ORDERS && layer < scope; o++)
        check_order(rec, layer, neuron, o, fires > 0);
    if (position) {
        /* both sum the same T terms in double; 1e-12 is far above T * 2^-53 */
        compare(layer, neuron, "mutual information", information(layer, neuron), number(position, "mi"), 1e-12);
    }
    if (all.full_windows && fires + fires_bos > 0 && has_class(rec, "positional") != (information(layer, neuron) > 0.05))
        differ(layer, neuron, "positional", information(layer, neuron) > 0.05, has_class(rec, "positional"));
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    const msgpack_object *rec;
    struct nf_reader *r;
    size_t step = argc > 3 ? (size_t)atoi(argv[3]) : 1, checked = 0, L;

    nf_prog_start("brute_neurons", argv);
    if (argc < 3 || step == 0)
        nf_die(NF_EXIT_USAGE, "usage: brute_neurons ACTIVATIONS NEURONS [STEP]");
    read_activations(argv[1], &err);
    sort_corpus();
    r = nf_reader_open(open(argv[2], O_RDONLY), argv[2], "neurons", &err);
    if (!r)
        nf_die_err(&err);
    L = (size_t)json_integer_value(json_object_get(json_object_get(nf_reader_header(r), "model"), "L"));
    while (nf_reader_next(r, &rec) == NF_OK)
        if (nf_mp_is(rec, "neuron")) {
            check_neuron(rec, step, L / 2);
            checked++;
        }
    if (err.code != NF_OK)
        nf_die_err(&err);
    nf_reader_close(r);
    if (checked == 0)
        nf_die(NF_EXIT_INPUT, "no neuron records in %s", argv[2]);
    return differences ? NF_EXIT_INPUT : NF_EXIT_OK;
}
