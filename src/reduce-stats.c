/*
 * reduce-stats - what every neuron did over a corpus, in one pass and bounded memory.
 *
 *   in   activations   one stream; or stats, any number of streams, to be merged
 *   out  stats         counts of firings and triggers; moments, histograms, highest positions of real-valued sites; measures of stages
 *   doc  src/reduce-stats.md: what is counted, how memory is bounded, what merging promises
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/opt.h"
#include "base/output.h"
#include "base/prog.h"
#include "base/progress.h"
#include "numeric/cka.h"
#include "reduce/reduce.h"
#include "stream/reader.h"
#include "stream/writer.h"

enum { MEMORY_MIN = 1 << 20 };

/* One run: the reduction and the header of its output, both made from the first input. */
struct reduce_run {
    struct nf_reduce_cfg cfg;
    const struct nf_cmd *cmd;
    bool many; /* more than one input: all of them stats */
    struct nf_reduce *reduce;
    json_t *header;
};

/* --orders 1,2,3 */
static int parse_orders(const char *list, bool order[3], struct nf_err *err)
{
    memset(order, 0, 3 * sizeof *order);
    for (const char *s = list;; s += 2) {
        if (*s < '0' || *s > '3' || (s[1] && s[1] != ','))
            return nf_fail(err, NF_EUSAGE, "--orders %s: some of 1, 2, 3 with commas between them, or 0, are expected", list);
        if (*s != '0')
            order[*s - '1'] = true;
        if (!s[1])
            return NF_OK;
    }
}

/* --measure similarity,locality */
static int read_measures(const struct nf_list *list, struct nf_stages_cfg *cfg, struct nf_err *err)
{
    for (size_t i = 0; i < list->n; i++) {
        enum nf_measure m = 0;

        while (m < NF_MEASURES && strcmp(list->item[i], nf_stages_name(m)) != 0)
            m++;
        if (m == NF_MEASURES)
            return nf_fail(err, NF_EUSAGE, "--measure %s: one of similarity, ratios, locality, merging is expected", list->item[i]);
        cfg->want[m] = true;
    }
    return NF_OK;
}

static int check_reduce_options(struct nf_reduce_cfg *cfg, const char *orders, const struct nf_list *measures, struct nf_err *err)
{
    uint64_t batch = cfg->stages.cka_batch;

    if (parse_orders(orders, cfg->order, err) < 0 || read_measures(measures, &cfg->stages, err) < 0)
        return (int)err->code;
    if (batch && batch < NF_CKA_ROWS_MIN)
        return nf_fail(err, NF_EUSAGE, "--cka-batch %" PRIu64 ": 0, or %d and more are expected", batch, NF_CKA_ROWS_MIN);
    return NF_OK;
}

/* The default is too much where a control group allows less: seven eighths of what it leaves, then, and what it is goes into the history. */
static void limit_memory_by_group(struct nf_reduce_cfg *cfg)
{
    uint64_t left = nf_limits_read("").memory;

    if (left == UINT64_MAX || cfg->memory != nf_reduce_defaults().memory || cfg->memory <= left - left / 8)
        return;
    cfg->memory = left - left / 8 > MEMORY_MIN ? left - left / 8 : MEMORY_MIN;
    if (nf_common.verbose)
        nf_warn("memory: %" PRIu64 " MiB for the counts, by the limit of a control group; --memory SIZE sets another limit",
                cfg->memory >> 20);
}

static void progress(const struct nf_reduce *r)
{
    struct nf_reduce_progress p = nf_reduce_progress(r);

    char note[48];

    snprintf(note, sizeof note, "%zu n-grams", p.ngrams);
    nf_progress(&(struct nf_progress){ p.positions, "positions", nf_share_read(), note });
}

static int start_reduction(struct reduce_run *run, struct nf_reader *in, struct nf_err *err)
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

static int take_input(struct reduce_run *run, const char *path, struct nf_err *err)
{
    struct nf_reader *in = nf_reader_open_file(path, run->many ? "stats" : "activations|stats", err);
    const msgpack_object *rec;
    int rc = in ? start_reduction(run, in, err) : err->code;

    while (rc == NF_OK && (rc = nf_reader_next(in, &rec)) == NF_OK) {
        rc = nf_reduce_record(run->reduce, rec, err);
        progress(run->reduce);
    }
    if (rc == NF_EOF)
        rc = nf_reduce_end(run->reduce, err);
    if (rc == NF_OK && run->many)
        rc = nf_header_input(run->header, nf_reader_header(in), nf_reader_digest(in), err);
    if (in) /* the reduction does not know which input it is about */
        nf_err_name(err, nf_reader_what(in));
    nf_reader_close(in);
    return rc;
}

/* Without an operand, standard input. */
static int take_streams(struct reduce_run *run, char **path, struct nf_err *err)
{
    int rc = NF_OK;

    for (size_t i = 0; rc == NF_OK && (i == 0 || (path[0] && path[i])); i++)
        rc = take_input(run, path[i], err);
    return rc;
}

static int write_stats(struct reduce_run *run, struct nf_err *err)
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
    struct reduce_run run = { .cfg = nf_reduce_defaults() };
    const char *orders = "1,2,3";
    struct nf_list measures = { .n = 0 };
    const struct nf_opt opts[] = {
        OPT_SIZE("memory", &run.cfg.memory, MEMORY_MIN, "memory for the counts; when full, rare n-grams are dropped",
                 .letter = 'M'),
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
    first = nf_opt_parse(&cmd, argc, argv, &err);
    limit_memory_by_group(&run.cfg);
    run.cmd = &cmd;
    run.many = argc - first > 1;
    if (first > 0 && check_reduce_options(&run.cfg, orders, &measures, &err) == NF_OK && nf_output_open(true, &err) == NF_OK &&
        take_streams(&run, argv + first, &err) == NF_OK)
        write_stats(&run, &err);
    json_decref(run.header);
    nf_reduce_close(run.reduce);
    return nf_prog_end(&err);
}
