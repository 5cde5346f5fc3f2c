/*
 * classify-neurons - name the roles of every FFN neuron, with the evidence.
 *
 *   in   stats     firing counts and triggers of the layers' neurons; --weights: tokens, for their vocabulary
 *   out  neurons   one record a neuron: classes and why; one a layer; suppression of triggers; positional teams
 *   doc  src/classify-neurons.md: the rules and where each threshold comes from
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hub.h"
#include "base/map.h"
#include "base/opt.h"
#include "base/output.h"
#include "base/prog.h"
#include "base/progress.h"
#include "checkpoint/ffn_gain.h"
#include "run/loaded_model.h"
#include "classify/classifier.h"
#include "record/context.h"
#include "stream/mp.h"
#include "stream/reader.h"

struct options {
    const char *model, *revision;
    bool weights; /* without counts: the input is a stream of tokens */
    struct nf_classify rules;
};

/* The model, when one is given. */
struct model {
    struct nf_loaded_model subject;
    struct nf_output_end end;
};

static size_t read_header_count(const json_t *header, const char *map, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(json_object_get(header, map), key));

    return v > 0 ? (size_t)v : 0;
}

static int check_vocabulary(const json_t *header, const struct nf_config *cfg, const char *dir, struct nf_err *err)
{
    if (read_header_count(header, "tokenizer", "vocab") > cfg->V)
        return nf_fail(err, NF_EFORMAT, "%s: %zu tokens in the stream, %zu rows in the unembedding", dir,
                       read_header_count(header, "tokenizer", "vocab"), cfg->V);
    return NF_OK;
}

/* The checkpoint must be the one that fired. */
static int check_fired_model(const json_t *header, const struct nf_config *cfg, const char *dir, struct nf_err *err)
{
    if (nf_model_check_made_with(header, cfg, "standard input", err) < 0)
        return NF_EFORMAT;
    if (read_header_count(header, "model", "L") != cfg->L || read_header_count(header, "model", "F") != cfg->F)
        return nf_fail(err, NF_EFORMAT, "%s: %zu layers of %zu neurons, the stream says %zu of %zu", dir, cfg->L, cfg->F,
                       read_header_count(header, "model", "L"), read_header_count(header, "model", "F"));
    return check_vocabulary(header, cfg, dir, err);
}

/* The configuration that fired, or for --weights that of the tokens' own model. */
static int read_model_config(struct model *m, const char *dir, bool fired, const struct nf_reader *in, struct nf_err *err)
{
    if (!fired) {
        if (nf_loaded_model_open(dir, in, &m->subject, err) < 0)
            return err->code;
        if (m->subject.unchecked && !nf_common.quiet)
            nf_warn("%s has no tokenizer: that the tokens belong to this model is not checked", dir);
        return NF_OK;
    }
    m->subject.dir = dir;
    return nf_config_read(dir, &m->subject.cfg, err);
}

static int open_model(struct model *m, const char *dir, bool fired, const struct nf_reader *in, struct nf_err *err)
{
    const struct nf_config *cfg = &m->subject.cfg;
    const struct nf_weights *w = &m->subject.weights;

    if (read_model_config(m, dir, fired, in, err) < 0 || nf_loaded_model_weights(&m->subject, err) < 0 ||
        nf_weights_need_unembed(cfg, w, err) < 0)
        return err->code;
    if (nf_common.verbose && *m->subject.differs)
        nf_warn("%s: %s", dir, m->subject.differs);
    m->end = (struct nf_output_end){ .V = cfg->V,
                                     .D = cfg->D,
                                     .unembed = w->unembed,
                                     .project_out = w->project_out.w,
                                     .final_norm = cfg->final_norm,
                                     .gain = w->final_norm.gain,
                                     .rms = cfg->norm == NF_NORM_RMS };
    return (fired ? check_fired_model : check_vocabulary)(nf_reader_header(in), cfg, dir, err);
}

static void ffn_rows(void *ctx, size_t layer, enum nf_ffn_map map, size_t first, size_t n, float *w)
{
    const struct model *m = ctx;
    const struct nf_layer *l = &m->subject.weights.layer[layer];

    if (map == NF_FFN_OUT)
        nf_linear_columns(&l->ffn_out, first, n, w);
    else
        nf_linear_rows(map == NF_FFN_IN && m->subject.cfg.gated ? &l->ffn_up : &l->ffn_in, first, n, w);
}

static void ffn_gain(void *ctx, size_t layer, float *gain)
{
    const struct model *m = ctx;

    nf_ffn_gain(&m->subject.cfg, &m->subject.weights, layer, gain);
}

/* weights: the model's entry, which a stream of tokens has not; NULL: it is there. */
static struct nf_writer *open_neurons_output(const struct nf_cmd *cmd, const json_t *in, const struct nf_loaded_model *weights,
                                             struct nf_err *err)
{
    json_t *header = nf_header_new("neurons", in, cmd, err);
    struct nf_writer *out;
    json_t *thresholds;

    if (!header)
        return NULL;
    thresholds = nf_opt_json(cmd);
    json_object_del(thresholds, "model");
    json_object_del(thresholds, "revision");
    json_object_set_new(header, "thresholds", thresholds);
    if (weights)
        json_object_set_new(header, "model", nf_loaded_model_json(weights, NF_F32));
    out = nf_writer_open(STDOUT_FILENO, header, nf_common.raw, err);
    json_decref(header);
    return out;
}

/* One record: of the vocabulary it is handed on, else it is the classifier's. */
static int pass_record(const struct options *o, struct nf_reader *in, const msgpack_object *rec, struct nf_vocab_head *head,
                       struct nf_writer *out, struct nf_classifier *c, struct nf_err *err)
{
    int rc = nf_vocab_head_take(head, rec, err);
    size_t layer, layers, n;
    const void *bytes;

    if (rc == NF_OK) {
        nf_reader_bytes(in, &bytes, &n);
        nf_writer_copy(out, bytes, n);
    }
    if (rc != NF_EOF || o->weights) /* weights: documents and windows are passed over */
        return rc == NF_EOF ? NF_OK : rc;
    rc = nf_classifier_take(c, rec, err);
    layer = nf_classifier_layer(c, &layers);
    nf_progress(&(struct nf_progress){ layer, "layers", layers ? (double)layer / (double)layers : 0, NULL });
    return rc;
}

static int pass_records(const struct options *o, struct nf_reader *in, struct nf_writer *out, struct nf_classifier *c,
                        struct nf_err *err)
{
    struct nf_vocab_head head = { .V = read_header_count(nf_reader_header(in), "tokenizer", "vocab") };
    const msgpack_object *rec;
    int rc;

    while ((rc = nf_reader_next(in, &rec)) == NF_OK && (rc = pass_record(o, in, rec, &head, out, c, err)) == NF_OK)
        ;
    nf_vocab_clear(&head.vocab);
    return rc;
}

/* m: NULL without a model. */
static struct nf_classifier *open_classifier(const struct options *o, const struct model *m, const struct nf_ffn_rows *rows,
                                             const json_t *header, struct nf_writer *out, struct nf_err *err)
{
    struct nf_classifier_setup setup = { .cfg = &o->rules,
                                         .L = read_header_count(header, "model", "L"),
                                         .F = read_header_count(header, "model", "F"),
                                         .V = read_header_count(header, "tokenizer", "vocab"),
                                         .rows = rows,
                                         .weights_only = o->weights,
                                         .out = out };

    if (m) {
        setup.L = m->subject.cfg.L;
        setup.F = m->subject.cfg.F;
        setup.end = &m->end;
    }
    return nf_classifier_open(&setup, err);
}

static int write_neurons(const struct options *o, const struct nf_cmd *cmd, struct model *m, struct nf_reader *in,
                         struct nf_err *err)
{
    const json_t *header = nf_reader_header(in);
    const struct nf_ffn_rows rows = { .rows = ffn_rows, .gain = ffn_gain, .ctx = m, .gated = m && m->subject.cfg.gated };
    struct nf_writer *out = open_neurons_output(cmd, header, o->weights ? &m->subject : NULL, err);
    struct nf_classifier *c = out ? open_classifier(o, m, &rows, header, out, err) : NULL;
    json_t *totals = NULL;
    int rc = c ? pass_records(o, in, out, c, err) : (int)err->code;

    if (rc == NF_EOF)
        rc = nf_classifier_end(c, &totals, err);
    if (rc == NF_OK)
        rc = nf_maps_check(err);
    if (rc == NF_OK)
        nf_writer_close(out, totals);
    else
        nf_writer_abort(out);
    json_decref(totals);
    nf_classifier_close(c);
    return (int)err->code;
}

/* dir: of the model; NULL: none is given. */
static int classify(const struct options *o, const struct nf_cmd *cmd, const char *dir, struct nf_err *err)
{
    struct nf_reader *in = nf_reader_open_file(NULL, o->weights ? "tokens" : "stats", err);
    struct model model = { 0 };

    if (in && (!dir || open_model(&model, dir, !o->weights, in, err) == NF_OK))
        write_neurons(o, cmd, dir ? &model : NULL, in, err);
    nf_loaded_model_close(&model.subject);
    nf_reader_close(in);
    return (int)err->code;
}

/* The model is looked for before anything is read. */
static int find_and_classify(const struct options *o, const struct nf_cmd *cmd, struct nf_err *err)
{
    char *dir = o->model ? nf_model_dir(o->model, o->revision, err) : NULL;

    if (err->code == NF_OK)
        classify(o, cmd, dir, err);
    free(dir);
    return (int)err->code;
}

static int check_classify_options(const struct options *o, struct nf_err *err)
{
    if (o->weights && !o->model)
        return nf_fail(err, NF_EUSAGE, "--weights needs a model: -m MODEL");
    if (o->weights && o->rules.vocab.vocabulary == NF_VOCABULARY_NONE)
        return nf_fail(err, NF_EUSAGE, "--weights with --vocabulary none leaves nothing");
    return nf_classify_check(&o->rules, err);
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct options o = { .rules = nf_classify_defaults() };
    const struct nf_opt opts[] = {
        OPT_MODEL(&o.model, &o.revision, "the model that made the stats: directory, GGUF file, or name in the Hub cache"),
        OPT_FLAG("weights", &o.weights, "analyse only the weights; the input is a stream of tokens"),
        OPT_EITHER("scope", &o.rules.ngram.all_layers, "half|all", "n-gram rules: the bottom half of the layers, or all"),
        OPT_REAL("cover", &o.rules.ngram.cover, 0.5, 1, "P", "covering n-grams explain this share of a neuron's activations"),
        OPT_REAL("rate", &o.rules.ngram.rate, 0.5, 1, "P", "a detector fires on this share of the occurrences of an n-gram"),
        OPT_REAL("explain", &o.rules.ngram.explain, 0.5, 1, "P", "such n-grams explain this share of a detector's activations"),
        OPT_UINT("max-tokens", &o.rules.ngram.most[0], 1, 1e6, "N", "a token detector has at most N covering tokens"),
        OPT_UINT("max-bigrams", &o.rules.ngram.most[1], 1, 1e6, "N", "a bigram detector has at most N covering bigrams"),
        OPT_UINT("max-trigrams", &o.rules.ngram.most[2], 1, 1e6, "N", "a trigram detector has at most N covering trigrams"),
        OPT_UINT("min-count", &o.rules.ngram.min_count, 1, 1e9, "N", "detectors: ignore n-grams that occur less than N times"),
        OPT_FLAG("ignore-bos", &o.rules.ngram.ignore_bos, "count a neuron that fires on BOS only as dead"),
        OPT_REAL("dormant", &o.rules.ngram.dormant, 0, 1, "P", "dormant: firing frequency below P"),
        OPT_REAL("rare", &o.rules.ngram.rare, 0, 1, "P", "rare: firing frequency below P"),
        OPT_REAL("hyperactive", &o.rules.ngram.hyperactive, 0, 1, "P", "hyperactive: firing frequency above P"),
        OPT_REAL("mi", &o.rules.position.mi, 0, 1, "X", "positional: mutual information above X nats"),
        OPT_UINT("full-needed", &o.rules.position.full_needed, 1, 1e9, "N",
                 "mark positional results as uncertain below N full windows"),
        OPT_UINT("skip", &o.rules.position.skip, 0, 1e6, "N", "types of positional neurons: ignore the first N positions"),
        OPT_UINT("smooth", &o.rules.position.smooth, 1, 1e6, "N", "types of positional neurons: width of the moving average (odd)"),
        OPT_REAL("osc-high", &o.rules.position.high, 0, 1, "P", "oscillatory: the curve is up above this share of its range"),
        OPT_REAL("osc-low", &o.rules.position.low, 0, 1, "P", "oscillatory: the curve is down below this share of its range"),
        OPT_REAL("osc-swing", &o.rules.position.swing, 0, 1, "P", "oscillatory: minimum range of the curve"),
        OPT_UINT("osc-cycles", &o.rules.position.cycles, 1, 1e6, "N", "oscillatory: minimum number of cycles"),
        OPT_UINT("run", &o.rules.position.run, 1, 1e6, "N", "minimum length of an interval at 0 or 1, in positions"),
        OPT_REAL("edge-strong", &o.rules.position.edge_strong, 0, 0.5, "P", "maximum distance of a strong interval from 0 or 1"),
        OPT_REAL("edge-weak", &o.rules.position.edge_weak, 0, 0.5, "P", "maximum distance of an interval from 0 or 1"),
        OPT_REAL("rough", &o.rules.position.rough, 0, 1, "X", "other: maximum roughness of a strong curve"),
        OPT_UINT("first", &o.rules.position.first, 1, 1e6, "N", "first-positions: the neuron fires before position N"),
        OPT_REAL("first-share", &o.rules.position.first_share, 0.5, 1, "P",
                 "first-positions: with at least this share of its firings"),
        OPT_UINT("first-fires", &o.rules.position.first_fires, 1, 1e9, "N",
                 "first-positions: and at least N firings in full windows"),
        OPT_REAL("stable-rms", &o.rules.position.stable_rms, 0, 1, "X",
                 "stable: maximum rms difference between the curves of a domain and of all"),
        OPT_UINT("stable-full", &o.rules.position.stable_full, 1, 1e9, "N", "stable: minimum number of full windows in a domain"),
        OPT_UINT("null-draws", &o.rules.ngram.draws, 0, 1e6, "N", "suppression null: random token sets for each detector"),
        OPT_UINT("null-neurons", &o.rules.ngram.null_neurons, 0, 1e6, "N", "suppression null: random firing neurons in each layer"),
        OPT_UINT("seed", &o.rules.ngram.seed, 0, 0, "N", "seed of the random choices"),
        OPT_CHOICE("vocabulary", &o.rules.vocab.vocabulary, "all|tokenizer|none",
                   "rows of the unembedding: all, tokens only, or no vocabulary effects"),
        OPT_EITHER("product", &o.rules.vocab.raw_product, "cosine|raw",
                   "product of output row and unembedding: cosine, or unscaled"),
        OPT_REAL("kurtosis", &o.rules.vocab.kurtosis, 0, 1e6, "X", "prediction, suppression: kurtosis above X (a Gaussian has 3)"),
        OPT_REAL("partition", &o.rules.vocab.partition, 0, 1e6, "X", "partition: variance above X"),
        OPT_UINT("entropy-layers", &o.rules.vocab.entropy_layers, 0, 1e6, "N", "entropy: look in the last N layers"),
        OPT_REAL("entropy-norm", &o.rules.vocab.entropy_norm, 0, 1, "P", "entropy: norms at or above this quantile of the layer"),
        OPT_REAL("entropy-var", &o.rules.vocab.entropy_var, 0, 1, "P", "entropy: variance at most P times the median of the layer"),
        OPT_UINT("null-space", &o.rules.vocab.null_space, 0, 1e4, "N", "null_share: weakest directions of the unembedding; 0: off"),
        OPT_REAL("frequency", &o.rules.vocab.frequency, 0, 1, "X", "token-frequency: minimum |correlation| with log frequency"),
        OPT_UINT("top", &o.rules.ngram.top, 1, 200, "N", "list the N most frequent triggers of a neuron"),
        OPT_UINT("listed", &o.rules.ngram.listed, 1, 1e4, "N", "list at most N covered n-grams of a neuron"),
        OPT_UINT("extremes", &o.rules.ngram.extremes, 0, 1e3, "N", "list N promoted and N suppressed tokens of a detector"),
        OPT_END,
    };
    const struct nf_cmd cmd = {
        "classify-neurons", "name the roles of every FFN neuron, with the evidence", "", "stats", "neurons", opts
    };

    nf_prog_start(cmd.name, argv);
    if (nf_opt_parse(&cmd, argc, argv, &err) > 0 && check_classify_options(&o, &err) == NF_OK &&
        nf_output_open(true, &err) == NF_OK)
        find_and_classify(&o, &cmd, &err);
    return nf_prog_end(&err);
}
