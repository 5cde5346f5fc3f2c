/*
 * test_stages_reference.c - measures of stages of a committed stream of activations against the table that
 * tests/oracle/stages_reference.py made of the same stream in NumPy.  Run from the root of the repository.
 */
#include "check.h"

#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/at.h"
#include "record/stages.h"
#include "reduce/reduce.h"
#include "stream/mp.h"
#include "stream/reader.h"
#include "stream/writer.h"

#define STREAM "tests/oracle/stages_activations.nf"
#define TABLE "tests/oracle/stages_reference.tsv"

enum { L = 2, P = L + 1, H = 2, COLUMNS = 16, RUNS = 4, LINES = 471 };

/* The stats of one run hold this; the table names a run by its options. */
static struct run {
    bool all, exclude;
    size_t batch;
    uint64_t groups, left_out;
    double cka[P][P], cka_se[P][P];
    struct nf_mergeable_mean_view {
        double n, docs, mean, se, doc_mean, doc_se;
    } similarity[2][2][P][P], ratio[L][NF_RATIOS], locality[L][H + 2][NF_LOCAL_COLUMNS], merging[L][2][H][NF_BACK_OFFSETS];
    uint64_t sinks[L];
    double difference[L][H][NF_BACK_OFFSETS], difference_se[L][H][NF_BACK_OFFSETS];
    size_t records;
} runs[RUNS] = { { .batch = 4 }, { .all = true, .batch = 10 }, { .all = true, .batch = 512 }, { .exclude = true, .batch = 4 } };

static const struct nf_cmd cmd = { "test", "", "", "", "", (const struct nf_opt[]){ OPT_END } };

/* ---- from records ---- */

static void take_columns(const struct nf_mergeable_means_rec *m, struct nf_mergeable_mean_view *to)
{
    for (size_t u = 0; u < m->U; u++)
        to[u] = (struct nf_mergeable_mean_view){ (double)nf_u8_at(m->n, u), (double)nf_u8_at(m->docs, u), nf_f8_at(m->mean, u),
                                                 nf_f8_at(m->se, u),        nf_f8_at(m->doc_mean, u),     nf_f8_at(m->doc_se, u) };
}

static void take_similarity(struct run *run, const struct nf_similarity_rec *s)
{
    struct nf_mergeable_mean_view(*to)[P] = run->similarity[strcmp(s->measure, "angle") == 0][strcmp(s->rows, "last") == 0];

    for (size_t i = 0; i < P * P; i++)
        to[i / P][i % P] = (struct nf_mergeable_mean_view){ (double)s->n,       (double)s->docs,          nf_f8_at(s->mean, i),
                                                            nf_f8_at(s->se, i), nf_f8_at(s->doc_mean, i), nf_f8_at(s->doc_se, i) };
}

static void take(struct run *run, const msgpack_object *rec, struct nf_err *err)
{
    struct nf_cka_rec c;
    struct nf_similarity_rec s;
    struct nf_ratio_rec r;
    struct nf_locality_rec l;
    struct nf_merging_rec m;

    run->records++;
    if (nf_mp_is(rec, "cka") && nf_record_read(&nf_cka_record, rec, NULL, &c, err) == NF_OK && c.P == P && c.batch == run->batch) {
        run->groups = c.n;
        run->left_out = c.left_out;
        memcpy(run->cka, c.cka, sizeof run->cka);
        memcpy(run->cka_se, c.se, sizeof run->cka_se);
    } else if (nf_mp_is(rec, "similarity") && nf_record_read(&nf_similarity_record, rec, NULL, &s, err) == NF_OK && s.P == P) {
        take_similarity(run, &s);
    } else if (nf_mp_is(rec, "ratio") && nf_record_read(&nf_ratio_record, rec, NULL, &r, err) == NF_OK && r.layer < L) {
        run->ratio[r.layer][r.of] =
            (struct nf_mergeable_mean_view){ (double)r.n, (double)r.docs, r.mean, r.se, r.doc_mean, r.doc_se };
    } else if (nf_mp_is(rec, "locality") && nf_record_read(&nf_locality_record, rec, NULL, &l, err) == NF_OK && l.layer < L &&
               l.H == H) {
        run->sinks[l.layer] = l.sinks;
        take_columns(&l.m, run->locality[l.layer][0]);
    } else if (nf_mp_is(rec, "merging") && nf_record_read(&nf_merging_record, rec, NULL, &m, err) == NF_OK && m.layer < L &&
               m.H == H) {
        take_columns(&m.m, run->merging[m.layer][0][0]);
        memcpy(run->difference[m.layer], m.difference, sizeof run->difference[0]);
        memcpy(run->difference_se[m.layer], m.difference_se, sizeof run->difference_se[0]);
    } else {
        run->records--;
    }
}

static int reduce(const struct run *run, struct nf_err *err)
{
    struct nf_reduce_cfg cfg = nf_reduce_defaults();
    struct nf_reader *in = nf_reader_open(open(STREAM, O_RDONLY | O_CLOEXEC), STREAM, "activations", err);
    struct nf_reduce *r;
    const msgpack_object *rec;
    int fd = memfd_create("stats", 0), rc;
    json_t *header;
    struct nf_writer *w;

    cfg.stages = (struct nf_stages_cfg){ .want = { true, true, true, true },
                                         .cka_all = run->all,
                                         .cka_batch = run->batch,
                                         .sink = 0.3,
                                         .exclude_bos_key = run->exclude };
    r = in ? nf_reduce_open(&cfg, nf_reader_header(in), err) : NULL;
    rc = r ? nf_reduce_begin(r, nf_reader_header(in), err) : err->code;
    while (rc == NF_OK && (rc = nf_reader_next(in, &rec)) == NF_OK)
        rc = nf_reduce_record(r, rec, err);
    if (rc == NF_EOF && (rc = nf_reduce_end(r, err)) == NF_OK) {
        header = nf_header_new("stats", nf_reader_header(in), &cmd, err);
        nf_reduce_header(r, header, err);
        w = nf_writer_open(fd, header, true, err);
        if (nf_reduce_write(r, w, err) < 0 || nf_writer_close(w, NULL) < 0)
            rc = err->code;
        json_decref(header);
    }
    nf_reduce_close(r);
    nf_reader_close(in);
    lseek(fd, 0, SEEK_SET);
    return rc == NF_OK ? fd : -1;
}

static bool read_run(struct run *run, struct nf_err *err)
{
    int fd = reduce(run, err);
    struct nf_reader *in = fd < 0 ? NULL : nf_reader_open(fd, "stats", "stats", err);
    const msgpack_object *rec;
    int rc = NF_EFORMAT;

    while (in && (rc = nf_reader_next(in, &rec)) == NF_OK)
        take(run, rec, err);
    nf_reader_close(in);
    close(fd);
    return rc == NF_EOF && run->records == 1 + 4 + L * (NF_RATIOS + 1 + 1);
}

/* ---- the table ---- */

/* Doubles of values to 60 and sums of a few hundred terms, in another order: 1e-12; through differences of squares in NumPy: 1e-9. */
static void near(double got, const char *want)
{
    double w = strtod(want, NULL);

    if (isnan(w))
        CHECK(isnan(got));
    else
        CHECK_NEAR(got, w, 1e-9 * fmax(1, fabs(w)));
}

static void check_six(const struct nf_mergeable_mean_view *got, char *const *want)
{
    CHECK(got->n == strtod(want[0], NULL) && got->docs == strtod(want[1], NULL));
    near(got->mean, want[2]);
    near(got->se, want[3]);
    near(got->doc_mean, want[4]);
    near(got->doc_se, want[5]);
}

static struct run *run_of(const char *rows, const char *batch)
{
    for (size_t i = 0; i < RUNS; i++)
        if (!runs[i].exclude && runs[i].all == (strcmp(rows, "all") == 0) && runs[i].batch == strtoul(batch, NULL, 10))
            return &runs[i];
    return NULL;
}

static void check_line(char *const *x, size_t n)
{
    size_t k[5] = { 0 };
    bool is_cka = strcmp(x[0], "cka") == 0, groups = strcmp(x[0], "groups") == 0, angle = strcmp(x[1], "angle") == 0;
    struct run *run = is_cka || groups ? run_of(x[1], x[2]) : NULL;

    for (size_t i = 1; i < n && i < 6; i++)
        k[i - 1] = strtoul(x[i], NULL, 10);
    if (groups && n == 5 && run) {
        CHECK(run->groups == k[2] && run->left_out == k[3]);
    } else if (is_cka && n == 7 && run) {
        near(run->cka[k[2]][k[3]], x[5]);
        near(run->cka_se[k[2]][k[3]], x[6]);
        CHECK(run->cka[k[2]][k[3]] == run->cka[k[3]][k[2]]);
    } else if (strcmp(x[0], "similarity") == 0 && n == 11) {
        for (size_t i = 0; i < RUNS; i++)
            check_six(&runs[i].similarity[angle][strcmp(x[2], "last") == 0][k[2]][k[3]], x + 5);
    } else if (strcmp(x[0], "ratio") == 0 && n == 9) {
        check_six(&runs[0].ratio[k[0]][k[1]], x + 3);
    } else if (strcmp(x[0], "locality") == 0 && n == 11) {
        check_six(&runs[k[0] ? 3 : 0].locality[k[1]][k[2]][k[3]], x + 5);
    } else if (strcmp(x[0], "sinks") == 0 && n == 4) {
        CHECK(runs[k[0] ? 3 : 0].sinks[k[1]] == k[2]);
    } else if (strcmp(x[0], "merging") == 0 && n == 11) {
        check_six(&runs[0].merging[k[1]][k[0]][k[2]][k[3]], x + 5);
    } else if (strcmp(x[0], "difference") == 0 && n == 6) {
        near(runs[0].difference[k[0]][k[1]][k[2]], x[4]);
        near(runs[0].difference_se[k[0]][k[1]][k[2]], x[5]);
    } else {
        CHECK(!"a line of the table that is understood");
    }
}

static size_t split(char *line, char **x)
{
    size_t n = 0;

    for (char *s = strtok(line, "\t\n"); s && n < COLUMNS; s = strtok(NULL, "\t\n"))
        x[n++] = s;
    return n;
}

static void the_table_made_by_numpy(void)
{
    struct nf_err err = NF_ERR_INIT;
    FILE *table = fopen(TABLE, "r");
    char line[1024], *x[COLUMNS];
    size_t lines = 0;

    for (size_t i = 0; i < RUNS; i++)
        CHECK(read_run(&runs[i], &err));
    if (err.code)
        printf("# %s\n", err.text);
    for (; table && fgets(line, sizeof line, table); lines++)
        check_line(x, split(line, x));
    CHECK(lines == LINES);
    if (table)
        fclose(table);
}

int main(void)
{
    return RUN(the_table_made_by_numpy);
}
