/*
 * test_stats_reference.c - statistics of a committed stream of activations against the table that tests/oracle/stats_reference.py
 * made of the same stream in NumPy and SciPy.  Run from the root of the repository.
 */
#include "check.h"

#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/at.h"
#include "record/stats.h"
#include "reduce/reduce.h"
#include "stream/reader.h"
#include "stream/writer.h"

#define STREAM "tests/oracle/stats_activations.nf"
#define TABLE "tests/oracle/stats_reference.tsv"

enum { F = 1024, Q = 3, T = 24, BIN = 16, UNITS = 8, TOP = 10, COLUMNS = 40, PRED_SETS = 1 + Q };

/* What the table has of a neuron: fires, firing positions, and of each order: n-grams, the highest count, sum of squares. */
struct neuron {
    uint64_t all, bos, domain[Q], at, at_sum, bins, grams[3], highest[3], squares[3];
};

struct unit {
    uint64_t n;
    double moment[6], quantile[9];
};

struct top {
    double value;
    uint32_t doc, window, pos, before, token;
};

/* Everything in a stats stream, in the terms of the table. */
static struct {
    struct nf_totals t;
    uint64_t distinct[3], occurrences[3];
    struct neuron neuron[F];
    struct unit norms[UNITS], pred[PRED_SETS][4];
    struct top top[2][UNITS][TOP];   /* norms, pred */
} got;

static const struct nf_cmd cmd = { "test", "", "", "", "", (const struct nf_opt[]){ OPT_END } };

/* ---- from records ---- */

static void take_fires(const struct nf_fires *r)
{
    for (size_t f = 0; f < F; f++) {
        got.neuron[f].all = nf_u8_at(r->all, f);
        got.neuron[f].bos = nf_u8_at(r->bos, f);
        for (size_t q = 0; q < Q; q++)
            got.neuron[f].domain[q] = nf_u8_at(r->domain, q * F + f);
    }
}

static void take_positions(const struct nf_position *r)
{
    for (size_t i = 0; i < r->P; i++)
        for (size_t f = 0; f < F; f++) {
            got.neuron[f].at += nf_u4_at(r->counts, i * F + f);
            got.neuron[f].at_sum += (r->first + i) * nf_u4_at(r->counts, i * F + f);
        }
}

static void take_bins(const struct nf_domain_position *r)
{
    for (size_t i = 0; i < r->B; i++)
        for (size_t f = 0; f < F; f++)
            got.neuron[f].bins += (r->domain + 1) * (r->first + i + 1) * nf_u4_at(r->counts, i * F + f);
}

static void take_counts(const struct nf_counts *r)
{
    for (size_t i = 0; i < r->k; i++)
        for (size_t f = 0; f < F; f++) {
            struct neuron *n = &got.neuron[f];
            uint64_t c = 0;

            for (size_t p = 0; p < r->planes; p++)
                c |= (uint64_t)(r->bits[(i * r->planes + p) * r->row_bytes + f / 8] >> f % 8 & 1) << p;
            n->grams[r->order - 1] += c > 0;
            n->squares[r->order - 1] += c * c;
            if (c > n->highest[r->order - 1])
                n->highest[r->order - 1] = c;
        }
}

static void take_moments(const struct nf_moments_rec *r)
{
    struct unit *to = strcmp(r->site, "norms") == 0 ? got.norms : got.pred[r->domain == SIZE_MAX ? 0 : 1 + r->domain];
    const void *const six[] = { r->min, r->max, r->mean, r->var, r->skew, r->kurt };

    for (size_t u = 0; u < r->W; u++) {
        to[u].n = nf_u8_at(r->n, u);
        for (size_t i = 0; i < 6; i++)
            to[u].moment[i] = nf_f8_at(six[i], u);
        for (size_t i = 0; i < r->q && i < 9; i++)
            to[u].quantile[i] = nf_f8_at(r->values, i * r->W + u);
    }
}

static void take_top(const struct nf_top_rec *r)
{
    for (size_t u = 0; u < r->w; u++)
        for (size_t k = 0; k < r->k && k < TOP; k++) {
            size_t i = u * r->k + k;

            struct top *t = &got.top[strcmp(r->site, "pred") == 0][u][k];

            *t = (struct top){ nf_f4_at(r->values, i), nf_u4_at(r->doc, i), nf_u4_at(r->window, i), nf_u4_at(r->pos, i), 0, 0 };
            t->before = nf_u4_at(r->context, i * r->C + r->C - 2);
            t->token = nf_u4_at(r->context, i * r->C + r->C - 1);
        }
}

static void take(const msgpack_object *rec, struct nf_err *err)
{
    struct nf_ngrams g;
    struct nf_fires fires;
    struct nf_position position;
    struct nf_domain_position bins;
    struct nf_counts counts;
    struct nf_moments_rec moments;
    struct nf_top_rec top;

    if (nf_mp_is(rec, "totals"))
        nf_totals_read(rec, &got.t, err);
    else if (nf_mp_is(rec, "ngrams") && nf_ngrams_read(rec, &g, err) == NF_OK) {
        got.distinct[g.order - 1] += g.k;
        for (size_t i = 0; i < g.k; i++)
            got.occurrences[g.order - 1] += nf_u4_at(g.n, i);
    } else if (nf_mp_is(rec, "fires") && nf_fires_read(rec, F, Q, &fires, err) == NF_OK)
        take_fires(&fires);
    else if (nf_mp_is(rec, "position") && nf_position_read(rec, F, &position, err) == NF_OK)
        take_positions(&position);
    else if (nf_mp_is(rec, "domain_position") && nf_domain_position_read(rec, F, &bins, err) == NF_OK)
        take_bins(&bins);
    else if (nf_mp_is(rec, "counts") && nf_counts_read(rec, F, &counts, err) == NF_OK)
        take_counts(&counts);
    else if (nf_mp_is(rec, "moments") && nf_moments_rec_read(rec, &moments, err) == NF_OK)
        take_moments(&moments);
    else if (nf_mp_is(rec, "top") && nf_top_rec_read(rec, &top, err) == NF_OK)
        take_top(&top);
}

/* Reduce the committed stream and read what came of it. */
static bool reduce_and_read(struct nf_err *err)
{
    struct nf_reduce_cfg cfg = nf_reduce_defaults();
    struct nf_reader *in = nf_reader_open(open(STREAM, O_RDONLY), STREAM, "activations", err);
    struct nf_reduce *r = in ? nf_reduce_open(&cfg, nf_reader_header(in), err) : NULL;
    json_t *header = r ? nf_header_new("stats", nf_reader_header(in), &cmd, err) : NULL;
    int fd = memfd_create("stats", 0), rc = NF_OK;
    struct nf_writer *w = header ? nf_writer_open(fd, header, true, err) : NULL;
    const msgpack_object *rec;

    while (w && rc == NF_OK && (rc = nf_reader_next(in, &rec)) == NF_OK)
        rc = nf_reduce_record(r, rec, err);
    if (!w || rc != NF_EOF || nf_reduce_end(r, err) < 0 || nf_reduce_write(r, w, err) < 0 || nf_writer_close(w, NULL) < 0)
        return false;
    json_decref(header);
    nf_reduce_close(r);
    nf_reader_close(in);
    lseek(fd, 0, SEEK_SET);
    in = nf_reader_open(fd, "stats", "stats", err);
    while (in && (rc = nf_reader_next(in, &rec)) == NF_OK)
        take(rec, err);
    nf_reader_close(in);
    close(fd);
    return in && rc == NF_EOF;
}

/* ---- the table ---- */

static void check_unit(const struct unit *u, char *const *x)
{
    double sd = sqrt(strtod(x[8], NULL)), spread = fabs(strtod(x[7], NULL)) / sd;

    CHECK(u->n == strtoull(x[4], NULL, 10));
    for (size_t i = 0; i < 6; i++) {
        double want = strtod(x[5 + i], NULL);

        /* SciPy takes means in long double, about the mean: its error grows with mean / sd, 1e-16 each; ours is at most (T + 4) 2^-53 */
        if (isnan(want))
            CHECK(isnan(u->moment[i]));
        else
            CHECK_NEAR(u->moment[i], want, i < 2 ? 0 : (1e-12 + 1e-15 * spread) * fmax(1, fabs(want)));
    }
    for (size_t i = 0; i < 9; i++) {
        double want = strtod(x[11 + i], NULL);

        if (isnan(want))
            CHECK(isnan(u->quantile[i]));
        else
            CHECK_NEAR(u->quantile[i], want, fabs(want) / 32 + 0x1p-24);   /* histogram.h */
    }
}

static void check_top(const struct top *t, char *const *x)
{
    CHECK(t->value == strtod(x[4], NULL));
    CHECK(t->doc == strtoul(x[5], NULL, 10) && t->window == strtoul(x[6], NULL, 10) && t->pos == strtoul(x[7], NULL, 10));
    CHECK(t->before == strtoul(x[8], NULL, 10) && t->token == strtoul(x[9], NULL, 10));
}

static void check_neuron(const struct neuron *n, char *const *x)
{
    const uint64_t want[] = { n->all,         n->bos,        n->domain[0],  n->domain[1],  n->domain[2], n->at,
                              n->at_sum,      n->bins,       n->grams[0],   n->highest[0], n->squares[0], n->grams[1],
                              n->highest[1],  n->squares[1], n->grams[2],   n->highest[2], n->squares[2] };

    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        CHECK(want[i] == strtoull(x[2 + i], NULL, 10));
}

static size_t split(char *line, char **x)
{
    size_t n = 0;

    for (char *s = strtok(line, "\t\n"); s && n < COLUMNS; s = strtok(NULL, "\t\n"))
        x[n++] = s;
    return n;
}

static void check_line(char *const *x, size_t n)
{
    bool pred = n > 2 && strcmp(x[1], "pred") == 0;
    size_t number = n > 2 ? strtoul(x[1], NULL, 10) : 0;
    const uint64_t totals[] = { got.t.tokens, got.t.bos, got.t.windows, got.t.full, got.t.docs };

    if (strcmp(x[0], "totals") == 0 && n == 6) {
        for (size_t i = 0; i < 5; i++)
            CHECK(totals[i] == strtoull(strchr(x[1 + i], '=') + 1, NULL, 10));
    } else if (strcmp(x[0], "ngrams") == 0) {
        CHECK(got.distinct[number - 1] == strtoull(x[2], NULL, 10) && got.occurrences[number - 1] == strtoull(x[3], NULL, 10));
    } else if (strcmp(x[0], "neuron") == 0 && n == 19) {
        check_neuron(&got.neuron[number], x);
    } else if (strcmp(x[0], "unit") == 0 && n == 20) {
        check_unit(pred ? &got.pred[atoi(x[2]) + 1][atoi(x[3])] : &got.norms[atoi(x[3])], x);
    } else if (strcmp(x[0], "top") == 0 && n == 10) {
        check_top(&got.top[pred][atoi(x[2])][atoi(x[3])], x);
    } else {
        CHECK(!"a line of the table that is understood");
    }
}

static void the_table_made_by_numpy(void)
{
    struct nf_err err = NF_ERR_INIT;
    FILE *table = fopen(TABLE, "r");
    char line[1024], *x[COLUMNS];
    size_t lines = 0;

    CHECK(table && reduce_and_read(&err));
    if (err.code)
        printf("# %s\n", err.text);
    for (; table && fgets(line, sizeof line, table); lines++)
        check_line(x, split(line, x));
    CHECK(lines == 1 + 3 + F + UNITS + 4 * PRED_SETS + (UNITS + 3) * TOP);
    if (table)
        fclose(table);
    nf_totals_clear(&got.t);
}

int main(void)
{
    return RUN(the_table_made_by_numpy);
}
