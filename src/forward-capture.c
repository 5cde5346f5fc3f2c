/*
 * forward-capture - run the model once over windows of tokens, and write what it shows at the chosen sites.
 *
 *   in   tokens        windows; each is a sequence of its own
 *   out  activations   batches of windows, and rows of each site of each layer
 *   doc  src/forward-capture.md: the sites, their formulas, precision
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hub.h"
#include "base/opt.h"
#include "base/output.h"
#include "base/par.h"
#include "base/prog.h"
#include "model/forward.h"
#include "model/sites.h"
#include "tensor/speed.h"
#include "run/capture.h"
#include "run/window_reader.h"
#include "run/loaded_model.h"
#include "stream/reader.h"
#include "stream/writer.h"

struct capture_options {
    const char *model, *revision;
    enum nf_dtype dtype;
    bool half; /* --out-dtype */
    struct nf_list sites;
    struct nf_range layers, positions;
    double near_zero;
    uint64_t batch_tokens, memory;
    bool allow_nonfinite, dry_run;
};

/* Made before the first window: what is read, what is computed, what is written. */
struct capture_plan {
    struct nf_loaded_model subject;
    struct nf_sites sites;
    struct nf_capture capture;
    struct nf_tap tap;
    struct nf_forward_opts forward;
};

struct capture_run {
    struct capture_plan *plan;
    struct nf_forward *forward;
    struct nf_window_reader intake;
    uint64_t tokens, windows, batches, rows;
    struct timespec start;
    struct nf_err *err;
};

/* ---- plan ---- */

static void read_checkpoint(const struct capture_options *o, struct capture_plan *p, struct nf_err *err)
{
    if (nf_sites_open(&o->sites, &o->layers, &p->subject.cfg, &p->sites, err) < 0)
        nf_die_err(err);
    if (p->subject.unchecked && !nf_common.quiet)
        nf_warn("%s has no tokenizer: that the tokens belong to this model is not checked", p->subject.dir);
    if (nf_loaded_model_weights(&p->subject, err) < 0)
        nf_die_err(err);
    if (nf_common.verbose && *p->subject.differs)
        nf_warn("%s: %s", p->subject.dir, p->subject.differs);
}

static void plan_capture(const struct capture_options *o, struct capture_plan *p, struct nf_err *err)
{
    p->capture = (struct nf_capture){ .cfg = &p->subject.cfg,
                                      .sites = &p->sites,
                                      .positions = o->positions,
                                      .half = o->half,
                                      .allow_nonfinite = o->allow_nonfinite,
                                      .err = err };
    p->tap = nf_capture_tap(&p->capture, (float)o->near_zero);
    p->forward = (struct nf_forward_opts){ .dtype = o->dtype,
                                           .batch_tokens = o->batch_tokens ? nf_max(o->batch_tokens, p->subject.context) : 0,
                                           .memory = o->memory,
                                           .tap = &p->tap,
                                           .allow_nonfinite = o->allow_nonfinite };
}

/* ---- header ---- */

static struct nf_writer *open_capture_output(const struct capture_options *o, const struct capture_plan *p,
                                             const struct nf_reader *in, const struct nf_cmd *cmd, struct nf_err *err)
{
    json_t *header = nf_header_new("activations", nf_reader_header(in), cmd, err);
    json_t *positions = json_pack("[I, o]", (json_int_t)o->positions.from,
                                  o->positions.to == SIZE_MAX ? json_null() : json_integer((json_int_t)o->positions.to));
    struct nf_writer *out = NULL;

    if (header &&
        (json_object_set_new(header, "model", nf_loaded_model_json(&p->subject, p->forward.dtype)) < 0 ||
         json_object_set_new(header, "bitorder", json_string("little")) < 0 ||
         json_object_set_new(header, "sites", nf_capture_sites(&p->capture)) < 0 ||
         json_object_set_new(header, "capture", json_pack("{s:o, s:f}", "positions", positions, "near_zero", o->near_zero)) < 0))
        nf_fail(err, NF_ESYS, "out of memory");
    if (header && err->code == NF_OK)
        out = nf_writer_open(STDOUT_FILENO, header, nf_common.raw, err);
    json_decref(header);
    if (!out)
        nf_die_err(err);
    return out;
}

/* ---- the loop ---- */

static double seconds_since(const struct timespec *t)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) * 1e-9;
}

/* How much of standard input has been read, 0 to 1; 0 where it has no size. */
static double share_read(void)
{
    struct stat st;
    off_t at = lseek(STDIN_FILENO, 0, SEEK_CUR);

    return at > 0 && fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 ? (double)at / (double)st.st_size : 0;
}

static void show_progress(const struct capture_run *r)
{
    double s = seconds_since(&r->start), done = share_read();

    if (done > 0)
        nf_progress(nf_common.quiet, "%" PRIu64 " tokens, %.0f tokens/s, about %.0f s left", r->tokens, (double)r->tokens / s,
                    s / done - s);
    else
        nf_progress(nf_common.quiet, "%" PRIu64 " tokens, %.0f tokens/s, %.0f s", r->tokens, (double)r->tokens / s, s);
}

static struct nf_window_reader intake_of(const struct capture_plan *p, struct nf_reader *in)
{
    return (struct nf_window_reader){ .in = in, .V = p->subject.V, .context = p->subject.context };
}

static int capture_batch(struct capture_run *r)
{
    struct nf_batch *b = &r->intake.batch;
    const struct nf_windows win = { b->ids, b->length, b->W, b->T };
    int rc = nf_capture_batch(&r->plan->capture, b);

    if (rc == NF_OK)
        rc = nf_forward_run(r->forward, &win, r->err);
    r->tokens += b->T;
    r->windows += b->W;
    r->batches++;
    show_progress(r);
    return rc;
}

static int capture_all(struct capture_run *r)
{
    int rc;

    while ((rc = nf_window_reader_next(&r->intake, r->err)) == NF_OK)
        if ((rc = capture_batch(r)) < 0)
            return rc;
    return rc < 0 ? rc : NF_OK;
}

static json_t *totals(const struct capture_run *r)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "tokens", (json_int_t)r->tokens, "windows", (json_int_t)r->windows, "batches",
                     (json_int_t)r->batches, "rows", (json_int_t)r->plan->capture.rows);
}

static void capture(const struct capture_options *o, struct capture_plan *p, struct nf_reader *in, const struct nf_cmd *cmd,
                    struct nf_err *err)
{
    struct capture_run r = { .plan = p, .err = err, .intake = intake_of(p, in) };
    json_t *end;
    int rc;

    r.forward = nf_forward_open(&p->subject.cfg, &p->subject.weights, &p->forward, p->subject.context, err);
    if (!r.forward)
        nf_die_err(err);
    p->capture.out = open_capture_output(o, p, in, cmd, err);
    r.intake.out = p->capture.out;
    r.intake.docs = true;
    r.intake.most = nf_forward_get_plan(r.forward)->batch_tokens;
    clock_gettime(CLOCK_MONOTONIC, &r.start);
    rc = capture_all(&r);
    nf_progress_end();
    if (rc < 0)
        nf_die_err(err);
    end = totals(&r);
    if (nf_writer_close(p->capture.out, end) < 0)
        nf_die_err(err);
    json_decref(end);
    if (nf_common.verbose)
        nf_warn("%" PRIu64 " tokens in %" PRIu64 " windows, %" PRIu64
                " batches; %.0f tokens/s on %zu threads; |pre-activation| < %g: %" PRIu64,
                r.tokens, r.windows, r.batches, (double)r.tokens / seconds_since(&r.start), nf_threads(), o->near_zero,
                p->capture.near_zero);
    nf_forward_close(r.forward);
    nf_window_reader_clear(&r.intake);
}

/* ---- --dry-run ---- */

/* Windows, tokens, and tokens at a selected position. */
static int count_all(struct capture_run *r, const struct nf_range *positions)
{
    int rc;

    while ((rc = nf_window_reader_next(&r->intake, r->err)) == NF_OK)
        for (size_t w = 0; w < r->intake.batch.W; w++) {
            size_t T = r->intake.batch.length[w];

            r->windows++;
            r->tokens += T;
            r->rows += positions->from < T ? nf_min(positions->to, T) - positions->from : 0;
        }
    return rc < 0 ? rc : NF_OK;
}

static void print_sites(const struct capture_plan *p, uint64_t rows)
{
    size_t sum = 0;

    printf("%-12s %7s %12s %12s\n", "site", "layers", "bytes/token", "MiB");
    for (enum nf_site s = 0; s < NF_SITE_COUNT; s++) {
        size_t layers = 0, bytes;

        for (size_t l = 0; l <= p->subject.cfg.L; l++)
            layers += nf_sites_want(&p->sites, s, l);
        if (!layers)
            continue;
        bytes = layers * nf_capture_row_bytes(&p->capture, s);
        sum += bytes;
        printf("%-12s %7zu %12zu %12.1f\n", nf_site_name(s), layers, bytes, (double)bytes * (double)rows / 0x1p20);
    }
    printf("%-12s %7s %12zu %12.1f\n", "all", "", sum, (double)sum * (double)rows / 0x1p20);
}

static double share(double part, double all)
{
    return all > 0 ? 100 * part / all : 0;
}

static void dry_run(const struct capture_options *o, struct capture_plan *p, struct nf_reader *in, struct nf_err *err)
{
    const struct nf_config *c = &p->subject.cfg;
    struct capture_run r = { .plan = p, .err = err, .intake = intake_of(p, in) };
    struct nf_forward_plan f;
    double rate, flops;

    if (nf_forward_plan(c, &p->forward, p->subject.context, &f, err) < 0 || count_all(&r, &o->positions) < 0)
        nf_die_err(err);
    rate = nf_speed_gemm(p->forward.dtype, c->D, c->F, err);
    if (!(rate > 0))
        nf_die_err(err);
    flops = f.flops_maps + f.flops_attention + f.flops_ffn + f.flops_head;
    printf("model        %s: %s, L %zu, D %zu, H %zu, F %zu, V %zu\n", c->name, c->architecture, c->L, c->D, c->H, c->F, c->V);
    printf("input        %" PRIu64 " tokens in %" PRIu64 " windows of at most %zu; %" PRIu64 " at selected positions\n", r.tokens,
           r.windows, p->subject.context, r.rows);
    print_sites(p, r.rows);
    printf("memory       weights %.1f MiB (%s), work space %.1f MiB for batches of %zu tokens\n", (double)f.weight_bytes / 0x1p20,
           f.resident ? "resident" : "one layer at a time", (double)f.work_bytes / 0x1p20, f.batch_tokens);
    printf("work         %.1f MFLOP/token in %zu blocks: maps of attention %.0f %%, attention %.0f %%, FFN %.0f %%, unembedding "
           "%.0f %%\n",
           flops / 1e6, f.layers, share(f.flops_maps, flops), share(f.flops_attention, flops), share(f.flops_ffn, flops),
           share(f.flops_head, flops));
    printf("time         at least %.1f s: %.0f GFLOP/s measured on %zu threads in %s\n", flops * (double)r.tokens / rate,
           rate / 1e9, nf_threads(), nf_dtype_name(o->dtype));
    if (fflush(stdout) != 0 || ferror(stdout))
        nf_die(NF_EXIT_SYS, "standard output: cannot write");
    nf_window_reader_clear(&r.intake);
}

int main(int argc, char **argv)
{
    struct capture_options o = { .dtype = NF_F32, .layers = NF_RANGE_ALL, .positions = NF_RANGE_ALL, .near_zero = 1e-5 };
    const struct nf_opt opts[] = {
        OPT_MODEL(&o.model, &o.revision, "the model: a directory, a GGUF file, or a name in the Hub cache"),
        OPT_LIST("sites", &o.sites, "SITE,...", "sites to capture, by our names or TransformerLens names [ffn.active]",
                 .letter = 's'),
        OPT_RANGE("layers", &o.layers, "only these layers: 3, 0:6, 6:", .letter = 'l'),
        OPT_RANGE("positions", &o.positions, "only these positions of each window", .letter = 'p'),
        OPT_DTYPE(&o.dtype, "precision of weights and matrix products"),
        OPT_EITHER("out-dtype", &o.half, "f32|f16", "type of real-valued sites in the stream"),
        OPT_REAL("near-zero", &o.near_zero, 0, 1, "EPS", "count pre-activations with |value| < EPS (sign is uncertain)"),
        OPT_FLAG("allow-nonfinite", &o.allow_nonfinite, "do not stop at NaN or Inf in results; write them"),
        OPT_UINT("batch-tokens", &o.batch_tokens, 0, 1 << 20, "N", "tokens that go through a layer together; 0: automatic",
                 .local = true),
        OPT_SIZE("memory", &o.memory, 0, "limit for weights and work space; 0: weights stay in memory", .local = true),
        OPT_FLAG("dry-run", &o.dry_run, "compute nothing: print what a run would compute, hold and write", .letter = 'n',
                 .local = true),
        OPT_END,
    };
    const struct nf_cmd cmd = {
        "forward-capture", "run a model over windows of tokens and write its internal values", "", "tokens", "activations", opts
    };
    struct nf_err err = NF_ERR_INIT;
    struct capture_plan p = { 0 };
    struct nf_reader *in;

    nf_prog_start(cmd.name, argv);
    if (nf_opt_parse(&cmd, argc, argv, &err) < 0)
        nf_die_err(&err);
    if (!o.model)
        nf_die(NF_EXIT_USAGE, "-m MODEL is required: the model to run");
    if (nf_output_open(!o.dry_run, &err) < 0)
        nf_die_err(&err);
    in = nf_loaded_model_reader(o.model, o.revision, "tokens", &p.subject, &err);
    if (!in)
        nf_die_err(&err);
    read_checkpoint(&o, &p, &err);
    plan_capture(&o, &p, &err);
    if (o.dry_run)
        dry_run(&o, &p, in, &err);
    else
        capture(&o, &p, in, &cmd, &err);

    nf_reader_close(in);
    nf_capture_clear(&p.capture);
    nf_sites_close(&p.sites);
    nf_loaded_model_close(&p.subject);
    return nf_prog_end(&err);
}
