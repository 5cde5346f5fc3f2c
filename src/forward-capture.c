/*
 * forward-capture - run the model once over windows of tokens, and write what it shows at the chosen sites.
 *
 *   in   tokens        windows; each is a sequence of its own
 *   out  activations   batches of windows, and rows of each site of each layer
 *   doc  src/forward-capture.md: the sites, their formulas, precision; lib/run/capture_run.h: how it runs
 */
#include "base/hub.h"
#include "base/opt.h"
#include "base/prog.h"
#include "run/capture_run.h"

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_model_options o = { .dtype = NF_F32, .positions = NF_RANGE_ALL };
    struct nf_capture_options c = { .layers = NF_RANGE_ALL, .near_zero = 1e-5 };
    const struct nf_opt opts[] = {
        OPT_MODEL(&o.model, &o.revision, "the model: a directory, a GGUF file, or a name in the Hub cache"),
        OPT_LIST("sites", &c.sites, "SITE,...", "sites to capture, by our names or TransformerLens names [ffn.active]",
                 .letter = 's'),
        OPT_RANGE("layers", &c.layers, "only these layers: 3, 0:6, 6:", .letter = 'l'),
        OPT_RANGE("positions", &o.positions, "only these positions of each window", .letter = 'p'),
        OPT_DTYPE(&o.dtype, "precision of weights and matrix products"),
        OPT_EITHER("out-dtype", &c.half, "f32|f16", "type of real-valued sites in the stream"),
        OPT_REAL("near-zero", &c.near_zero, 0, 1, "EPS", "count pre-activations with |value| < EPS (sign is uncertain)"),
        OPT_FLAG("allow-nonfinite", &o.allow_nonfinite, "do not stop at NaN or Inf in results; write them"),
        OPT_UINT("batch-tokens", &c.batch_tokens, 0, 1 << 20, "N", "tokens that go through a layer together; 0: automatic",
                 .local = true),
        OPT_SIZE("memory", &o.memory, 0, "limit for weights and work space; 0: weights stay in memory", .local = true),
        OPT_DRY_RUN(&o),
        OPT_END,
    };
    const struct nf_cmd cmd = {
        "forward-capture", "run a model over windows of tokens and write its internal values", "", "tokens", "activations", opts
    };

    nf_prog_start(cmd.name, argv);
    if (nf_opt_parse(&cmd, argc, argv, &err) > 0)
        nf_model_filter_run(&nf_capture_filter, &c, &cmd, &o, &err);
    return nf_prog_end(&err);
}
