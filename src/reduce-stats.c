/*
 * reduce-stats - what every neuron did over a corpus, in one pass and bounded memory.
 *
 *   in   activations   one stream; or stats, any number of streams, to be merged
 *   out  stats         counts of firings and triggers; moments, histograms, highest positions of real-valued sites; measures of stages
 *   doc  src/reduce-stats.md: what is counted, how memory is bounded, what merging promises
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/prog.h"
#include "numeric/cka.h"
#include "reduce/reduce.h"
#include "stream/reader.h"
#include "stream/writer.h"

/* One run: the reduction and the header of its output, both made from the first input. */
struct run {
    struct nf_reduce_cfg cfg;
    const struct nf_cmd *cmd;
    bool many; /* more than one input: all of them stats */
    struct nf_reduce *reduce;
    json_t *header;
};

/* --orders 1,2,3 */
static void read_orders(const char *list, bool order[3])
{
    memset(order, 0, 3 * sizeof *order);
    for (const char *s = list;; s += 2) {
        if (*s < '0' || *s > '3' || (s[1] && s[1] != ','))
            nf_die(NF_EXIT_USAGE, "--orders %s: some of 1, 2, 3 with commas between them, or 0, are wanted", list);
        if (*s != '0')
            order[*s - '1'] = true;
        if (!s[1])
            return;
    }
}

/* --measure similarity,locality */
static void read_measures(const struct nf_list *list, struct nf_stages_cfg *cfg)
{
    for (size_t i = 0; i < list->n; i++) {
        enum nf_measure m = 0;

        while (m < NF_MEASURES && strcmp(list->item[i], nf_stages_name(m)) != 0)
            m++;
        if (m == NF_MEASURES)
            nf_die(NF_EXIT_USAGE, "--measure %s: one of similarity, ratios, locality, merging is wanted", list->item[i]);
        cfg->want[m] = true;
    }
}

static void check_cka_batch(uint64_t batch)
{
    if (batch && batch < NF_CKA_ROWS_MIN)
        nf_die(NF_EXIT_USAGE, "--cka-batch %" PRIu64 ": 0, or %d and more are wanted", batch, NF_CKA_ROWS_MIN);
}

static void progress(const struct nf_reduce *r)
{
    struct nf_reduce_progress p = nf_reduce_progress(r);

    nf_progress(nf_common.quiet, "%" PRIu64 " positions, %zu n-grams, %zu MiB", p.positions, p.ngrams, p.bytes >> 20);
}

static int start(struct run *run, struct nf_reader *in, struct nf_err *err)
{
    bool merging = strcmp(nf_reader_kind(in), "stats") == 0;

    if (!run->reduce) {
        run->reduce = nf_reduce_open(&run->cfg, nf_reader_header(in), err);
        run->header = run->reduce ? nf_header_new("stats", nf_reader_header(in), run->cmd, err) : NULL;
        if (!run->header || nf_reduce_header(run->reduce, run->header, err) < 0)
            return err->code;
    }
    if (merging && run->many && nf_reader_hash(in) < 0)
        return err->code;
    return nf_reduce_begin(run->reduce, nf_reader_header(in), err);
}

/* Failures of the reduction do not know which input they are about. */
static int name_input(int rc, const char *what, struct nf_err *err)
{
    struct nf_err named = NF_ERR_INIT;

    if (rc != NF_EFORMAT || strncmp(err->text, what, strlen(what)) == 0)
        return rc;
    nf_fail(&named, NF_EFORMAT, "%s: %.400s", what, err->text);
    *err = named;
    return rc;
}

static int take(struct run *run, int fd, const char *what, struct nf_err *err)
{
    struct nf_reader *in = nf_reader_open(fd, what, run->many ? "stats" : "activations|stats", err);
    const msgpack_object *rec;
    int rc = in ? start(run, in, err) : err->code;

    while (rc == NF_OK && (rc = nf_reader_next(in, &rec)) == NF_OK) {
        rc = nf_reduce_record(run->reduce, rec, err);
        progress(run->reduce);
    }
    if (rc == NF_EOF)
        rc = nf_reduce_end(run->reduce, err);
    if (rc == NF_OK && run->many)
        rc = nf_header_input(run->header, nf_reader_header(in), nf_reader_digest(in), err);
    nf_reader_close(in);
    return name_input(rc, what, err);
}

static int take_all(struct run *run, int n, char **path, struct nf_err *err)
{
    int rc = n ? NF_OK : take(run, STDIN_FILENO, "standard input", err);

    for (int i = 0; rc == NF_OK && i < n; i++) {
        bool standard = strcmp(path[i], "-") == 0;
        int fd = standard ? STDIN_FILENO : open(path[i], O_RDONLY | O_CLOEXEC);

        if (fd < 0)
            return nf_fail_errno(err, "%s", path[i]);
        rc = take(run, fd, standard ? "standard input" : path[i], err);
        if (!standard)
            close(fd);
    }
    return rc;
}

static int write_stats(struct run *run, struct nf_err *err)
{
    struct nf_reduce_progress p = nf_reduce_progress(run->reduce);
    struct nf_writer *out = nf_writer_open(STDOUT_FILENO, run->header, nf_common.raw, err);
    json_t *totals = json_pack("{s:I, s:I}", "positions", (json_int_t)p.positions, "windows", (json_int_t)p.windows);
    int rc = out ? nf_reduce_write(run->reduce, out, err) : err->code;

    if (rc == NF_OK)
        rc = nf_writer_close(out, totals);
    else
        nf_writer_abort(out);
    json_decref(totals);
    if (rc == NF_OK && nf_common.verbose)
        nf_warn("%" PRIu64 " positions, %zu n-grams in %zu MiB; of any n-gram of order 1, 2, 3 at most %" PRIu64 ", %" PRIu64
                ", %" PRIu64 " occurrences were dropped",
                p.positions, p.ngrams, p.bytes >> 20, p.delta[0], p.delta[1], p.delta[2]);
    if (rc == NF_OK && p.cka && (nf_common.verbose || (!p.cka_groups && !nf_common.quiet)))
        nf_warn("CKA: %" PRIu64 " groups; %" PRIu64 " rows are in none%s", p.cka_groups, p.cka_left_out,
                p.cka_groups ? "" : ": choose a smaller --cka-batch");
    return rc;
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct run run = { .cfg = nf_reduce_defaults() };
    const char *orders = "1,2,3";
    struct nf_list measures = { .n = 0 };
    const struct nf_opt opts[] = {
        OPT_SIZE("memory", &run.cfg.memory, 1 << 20, "memory for the counts; when full, rare n-grams are dropped", .letter = 'M'),
        OPT_STR("orders", &orders, "N,...", "count n-grams of these lengths; 0: none"),
        OPT_RANGE("ngram-layers", &run.cfg.ngram_layers, "count n-grams for these layers only: 3, 0:6, 6: [all]"),
        OPT_UINT("bin", &run.cfg.bin, 1, 1 << 20, "N", "counts by domain and position: N positions in a bin"),
        OPT_UINT("top", &run.cfg.top, 0, NF_REDUCE_TOP_MAX, "N", "real-valued sites: keep the N highest positions of each unit",
                 .letter = 'k'),
        OPT_UINT("context-tokens", &run.cfg.context, 1, NF_REDUCE_CONTEXT_MAX, "N",
                 "real-valued sites: keep N tokens up to each of these positions"),
        OPT_FLAG("include-bos", &run.cfg.include_bos, "real-valued sites: also count BOS positions"),
        OPT_FLAG("no-moments", &run.cfg.no_moments, "real-valued sites: no moments, histograms, highest positions"),
        OPT_LIST("measure", &measures, "NAME,...", "measures of layers and heads: similarity, ratios, locality, merging"),
        OPT_EITHER("cka-rows", &run.cfg.stages.cka_all, "last|all", "similarity: groups of last positions, or of all in a window"),
        OPT_UINT("cka-batch", &run.cfg.stages.cka_batch, 0, NF_CKA_ROWS_MAX, "N",
                 "similarity: maximum rows of a group; 0: 128 (last), 512 (all)"),
        OPT_REAL("sink", &run.cfg.stages.sink, 0, 1, "P", "locality: a head is a sink from this mean attention on position 0"),
        OPT_FLAG("exclude-bos-key", &run.cfg.stages.exclude_bos_key, "locality: leave attention on BOS out of the sums"),
        OPT_END,
    };
    const struct nf_cmd cmd = { "reduce-stats", "count what every neuron did, or merge such counts",
                                "[FILE...]",    "activations, or stats to merge",
                                "stats",        opts };
    int first;

    nf_prog_start(cmd.name, argv);
    if ((first = nf_opt_parse(&cmd, argc, argv, &err)) < 0)
        nf_die_err(&err);
    read_orders(orders, run.cfg.order);
    read_measures(&measures, &run.cfg.stages);
    check_cka_batch(run.cfg.stages.cka_batch);
    nf_prog_no_terminal(STDOUT_FILENO);
    run.cmd = &cmd;
    run.many = argc - first > 1;
    if (take_all(&run, argc - first, argv + first, &err) < 0 || write_stats(&run, &err) < 0)
        nf_die_err(&err);
    nf_progress_end();
    json_decref(run.header);
    nf_reduce_close(run.reduce);
    return NF_EXIT_OK;
}
