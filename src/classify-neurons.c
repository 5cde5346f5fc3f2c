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
#include "base/opt.h"
#include "base/prog.h"
#include "run/loaded_model.h"
#include "classify/classifier.h"
#include "stream/mp.h"
#include "stream/reader.h"

/* The model, when one is given. */
struct model {
    struct nf_loaded_model subject;
    struct nf_output_end end;
};

static const char *text_of(const json_t *header, const char *map, const char *key)
{
    const char *s = json_string_value(json_object_get(json_object_get(header, map), key));

    return s ? s : "";
}

static size_t size_of(const json_t *header, const char *map, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(json_object_get(header, map), key));

    return v > 0 ? (size_t)v : 0;
}

static int check_vocabulary(const json_t *header, const struct nf_config *cfg, const char *dir, struct nf_err *err)
{
    if (size_of(header, "tokenizer", "vocab") > cfg->V)
        return nf_fail(err, NF_EFORMAT, "%s: %zu tokens in the stream, %zu rows in the unembedding", dir,
                       size_of(header, "tokenizer", "vocab"), cfg->V);
    return NF_OK;
}

/* The checkpoint must be the one that fired. */
static int check_model(const json_t *header, const struct nf_config *cfg, const char *dir, struct nf_err *err)
{
    const char *config = text_of(header, "model", "config_sha256"), *weights = text_of(header, "model", "weights_sha256");

    if (strcmp(config, cfg->config_sha256) != 0)
        return nf_fail(err, NF_EFORMAT, "%s: config.json has SHA-256 %.12s.., the counts were made with %.12s..", dir,
                       cfg->config_sha256, config);
    if (strcmp(weights, cfg->weights_sha256) != 0)
        return nf_fail(err, NF_EFORMAT, "%s: the weights have SHA-256 %.12s.., the counts were made with %.12s..", dir,
                       cfg->weights_sha256, weights);
    if (size_of(header, "model", "L") != cfg->L || size_of(header, "model", "F") != cfg->F)
        return nf_fail(err, NF_EFORMAT, "%s: %zu layers of %zu neurons, the stream says %zu of %zu", dir, cfg->L, cfg->F,
                       size_of(header, "model", "L"), size_of(header, "model", "F"));
    return check_vocabulary(header, cfg, dir, err);
}

/* The configuration that fired, or for --weights that of the tokens' own model. */
static int read_config(struct model *m, const char *dir, bool fired, const struct nf_reader *in, struct nf_err *err)
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

    if (read_config(m, dir, fired, in, err) < 0 || nf_loaded_model_weights(&m->subject, err) < 0)
        return err->code;
    m->end = (struct nf_output_end){ .V = cfg->V,
                                     .D = cfg->D,
                                     .unembed = w->unembed,
                                     .project_out = w->project_out.w,
                                     .final_norm = cfg->final_norm,
                                     .gain = w->final_norm.gain,
                                     .rms = cfg->norm == NF_NORM_RMS };
    return (fired ? check_model : check_vocabulary)(nf_reader_header(in), cfg, dir, err);
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

/* After attention's residual sum there is a norm of its own, the block's only one, or (post-norm) the one on that sum. */
static void ffn_gain(void *ctx, size_t layer, float *gain)
{
    const struct model *m = ctx;
    const struct nf_layer *l = &m->subject.weights.layer[layer];
    const struct nf_tensor *g = m->subject.cfg.pre_norm && !m->subject.cfg.one_norm ? &l->ffn_norm.gain : &l->attn_norm.gain;

    for (size_t d = 0; d < m->subject.cfg.D; d++)
        gain[d] = 1;
    if (g->data)
        nf_tensor_f32(g, 0, m->subject.cfg.D, gain);
}

/* weights: the model's entry, which a stream of tokens has not; NULL: it is there. */
static struct nf_writer *open_output(const struct nf_cmd *cmd, const json_t *in, const struct nf_loaded_model *weights,
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

static int pass(struct nf_reader *in, struct nf_writer *out, bool weights, struct nf_classifier *study, struct nf_err *err)
{
    const msgpack_object *rec;
    size_t layer, layers, n;
    const void *bytes;
    int rc;

    while ((rc = nf_reader_next(in, &rec)) == NF_OK) {
        if (nf_mp_is(rec, "vocab") || nf_mp_is(rec, "special")) {
            nf_reader_bytes(in, &bytes, &n);
            nf_writer_copy(out, bytes, n);
            continue;
        }
        if (weights)
            continue; /* documents and windows */
        if (nf_classifier_take(study, rec, err) < 0)
            return err->code;
        layer = nf_classifier_layer(study, &layers);
        nf_progress(nf_common.quiet, "layer %zu of %zu", layer, layers);
    }
    nf_progress_end();
    return rc;
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_classify c = nf_classify_defaults();
    const char *name = NULL, *revision = NULL;
    char *dir = NULL;
    bool weights = false;
    const struct nf_opt opts[] = {
        OPT_MODEL(&name, &revision, "the model that made the stats, a directory or a name in the Hub cache"),
        OPT_FLAG("weights", &weights, "analyse only the weights; the input is a stream of tokens"),
        OPT_EITHER("scope", &c.ngram.all_layers, "half|all", "n-gram rules: the bottom half of the layers, or all"),
        OPT_REAL("cover", &c.ngram.cover, 0.5, 1, "P", "covering n-grams explain this share of a neuron's activations"),
        OPT_REAL("rate", &c.ngram.rate, 0.5, 1, "P", "a detector fires on this share of the occurrences of an n-gram"),
        OPT_REAL("explain", &c.ngram.explain, 0.5, 1, "P", "such n-grams explain this share of a detector's activations"),
        OPT_UINT("max-tokens", &c.ngram.most[0], 1, 1e6, "N", "a token detector has at most N covering tokens"),
        OPT_UINT("max-bigrams", &c.ngram.most[1], 1, 1e6, "N", "a bigram detector has at most N covering bigrams"),
        OPT_UINT("max-trigrams", &c.ngram.most[2], 1, 1e6, "N", "a trigram detector has at most N covering trigrams"),
        OPT_UINT("min-count", &c.ngram.min_count, 1, 1e9, "N", "detectors: ignore n-grams that occur less than N times"),
        OPT_FLAG("ignore-bos", &c.ngram.ignore_bos, "count a neuron that fires on BOS only as dead"),
        OPT_REAL("dormant", &c.ngram.dormant, 0, 1, "P", "dormant: firing frequency below P"),
        OPT_REAL("rare", &c.ngram.rare, 0, 1, "P", "rare: firing frequency below P"),
        OPT_REAL("hyperactive", &c.ngram.hyperactive, 0, 1, "P", "hyperactive: firing frequency above P"),
        OPT_REAL("mi", &c.position.mi, 0, 1, "X", "positional: mutual information above X nats"),
        OPT_UINT("full-needed", &c.position.full_needed, 1, 1e9, "N", "mark positional results as uncertain below N full windows"),
        OPT_UINT("skip", &c.position.skip, 0, 1e6, "N", "types of positional neurons: ignore the first N positions"),
        OPT_UINT("smooth", &c.position.smooth, 1, 1e6, "N", "types of positional neurons: width of the moving average (odd)"),
        OPT_REAL("osc-high", &c.position.high, 0, 1, "P", "oscillatory: the curve is up above this share of its range"),
        OPT_REAL("osc-low", &c.position.low, 0, 1, "P", "oscillatory: the curve is down below this share of its range"),
        OPT_REAL("osc-swing", &c.position.swing, 0, 1, "P", "oscillatory: minimum range of the curve"),
        OPT_UINT("osc-cycles", &c.position.cycles, 1, 1e6, "N", "oscillatory: minimum number of cycles"),
        OPT_UINT("run", &c.position.run, 1, 1e6, "N", "minimum length of an interval at 0 or 1, in positions"),
        OPT_REAL("edge-strong", &c.position.edge_strong, 0, 0.5, "P", "maximum distance of a strong interval from 0 or 1"),
        OPT_REAL("edge-weak", &c.position.edge_weak, 0, 0.5, "P", "maximum distance of an interval from 0 or 1"),
        OPT_REAL("rough", &c.position.rough, 0, 1, "X", "other: maximum roughness of a strong curve"),
        OPT_UINT("first", &c.position.first, 1, 1e6, "N", "first-positions: the neuron fires before position N"),
        OPT_REAL("first-share", &c.position.first_share, 0.5, 1, "P", "first-positions: with at least this share of its firings"),
        OPT_UINT("first-fires", &c.position.first_fires, 1, 1e9, "N", "first-positions: and at least N firings in full windows"),
        OPT_REAL("stable-rms", &c.position.stable_rms, 0, 1, "X",
                 "stable: maximum rms difference between the curves of a domain and of all"),
        OPT_UINT("stable-full", &c.position.stable_full, 1, 1e9, "N", "stable: minimum number of full windows in a domain"),
        OPT_UINT("null-draws", &c.ngram.draws, 0, 1e6, "N", "suppression null: random token sets for each detector"),
        OPT_UINT("null-neurons", &c.ngram.null_neurons, 0, 1e6, "N", "suppression null: random firing neurons in each layer"),
        OPT_UINT("seed", &c.ngram.seed, 0, 0, "N", "seed of the random choices"),
        OPT_CHOICE("vocabulary", &c.vocab.vocabulary, "all|tokenizer|none",
                   "rows of the unembedding: all, tokens only, or no vocabulary effects"),
        OPT_EITHER("product", &c.vocab.raw_product, "cosine|raw", "product of output row and unembedding: cosine, or unscaled"),
        OPT_REAL("kurtosis", &c.vocab.kurtosis, 0, 1e6, "X", "prediction, suppression: kurtosis above X (a Gaussian has 3)"),
        OPT_REAL("partition", &c.vocab.partition, 0, 1e6, "X", "partition: variance above X"),
        OPT_UINT("entropy-layers", &c.vocab.entropy_layers, 0, 1e6, "N", "entropy: look in the last N layers"),
        OPT_REAL("entropy-norm", &c.vocab.entropy_norm, 0, 1, "P", "entropy: norms at or above this quantile of the layer"),
        OPT_REAL("entropy-var", &c.vocab.entropy_var, 0, 1, "P", "entropy: variance at most P times the median of the layer"),
        OPT_UINT("null-space", &c.vocab.null_space, 0, 1e4, "N", "null_share: weakest directions of the unembedding; 0: off"),
        OPT_REAL("frequency", &c.vocab.frequency, 0, 1, "X", "token-frequency: minimum |correlation| with log frequency"),
        OPT_UINT("top", &c.ngram.top, 1, 200, "N", "list the N most frequent triggers of a neuron"),
        OPT_UINT("listed", &c.ngram.listed, 1, 1e4, "N", "list at most N covered n-grams of a neuron"),
        OPT_UINT("extremes", &c.ngram.extremes, 0, 1e3, "N", "list N promoted and N suppressed tokens of a detector"),
        OPT_END,
    };
    const struct nf_cmd cmd = {
        "classify-neurons", "name the roles of every FFN neuron, with the evidence", "", "stats", "neurons", opts
    };
    struct nf_reader *in;
    struct nf_writer *out = NULL;
    struct nf_classifier *study = NULL;
    struct model model = { 0 };
    struct nf_ffn_rows rows = { .rows = ffn_rows, .gain = ffn_gain, .ctx = &model };
    json_t *totals = NULL;
    int rc = NF_ESYS;

    nf_prog_start(cmd.name, argv);
    if (nf_opt_parse(&cmd, argc, argv, &err) < 0)
        nf_die_err(&err);
    if (weights && !name)
        nf_die(NF_EXIT_USAGE, "--weights needs a model: -m MODEL");
    if (weights && c.vocab.vocabulary == NF_VOCABULARY_NONE)
        nf_die(NF_EXIT_USAGE, "--weights with --vocabulary none leaves nothing");
    if (nf_classify_check(&c, &err) < 0)
        nf_die_err(&err);
    nf_prog_no_terminal(STDOUT_FILENO);
    if (name && !(dir = nf_model_dir(name, revision, &err)))
        nf_die_err(&err);

    in = nf_reader_open(STDIN_FILENO, "standard input", weights ? "tokens" : "stats", &err);
    if (in && (!dir || open_model(&model, dir, !weights, in, &err) == NF_OK))
        out = open_output(&cmd, nf_reader_header(in), weights ? &model.subject : NULL, &err);
    rows.gated = model.subject.cfg.gated;
    if (out)
        study = nf_classifier_open(
            &(struct nf_classifier_setup){ .cfg = &c,
                                           .L = dir ? model.subject.cfg.L : size_of(nf_reader_header(in), "model", "L"),
                                           .F = dir ? model.subject.cfg.F : size_of(nf_reader_header(in), "model", "F"),
                                           .V = size_of(nf_reader_header(in), "tokenizer", "vocab"),
                                           .end = dir ? &model.end : NULL,
                                           .rows = &rows,
                                           .weights_only = weights,
                                           .out = out },
            &err);
    if (study)
        rc = pass(in, out, weights, study, &err);
    if (rc == NF_EOF)
        rc = nf_classifier_end(study, &totals, &err);
    if (rc < 0 || nf_writer_close(out, totals) < 0)
        nf_die_err(&err);
    json_decref(totals);
    nf_classifier_close(study);
    nf_loaded_model_close(&model.subject);
    nf_reader_close(in);
    free(dir);
    return NF_EXIT_OK;
}
