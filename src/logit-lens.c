/*
 * logit-lens - what a model would predict if it ended at any point of its residual stream.
 *
 *   in   tokens   windows; each is a sequence of its own; or activations with the residual stream at every block
 *   out  lens     for each point entropy, divergence from the final distribution, agreement with it, loss and rank of the next token
 *   doc  src/logit-lens.md: the points, the measures, the lenses; lib/run/lens_run.h: how they run
 */
#include "base/hub.h"
#include "base/opt.h"
#include "base/prog.h"
#include "run/lens_run.h"

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_model_options o = { .dtype = NF_F32, .positions = NF_RANGE_ALL };
    struct nf_lens_options l = { .tuned = NULL };
    const struct nf_opt opts[] = {
        OPT_MODEL(&o.model, &o.revision, "the model: a directory, a GGUF file, or a name in the Hub cache"),
        OPT_FLAG("mid", &l.mid, "add the points between attention and FFN"),
        OPT_FLAG("attribute", &l.attribute, "also write what each attention and FFN adds to the next token's logit"),
        OPT_STR("tuned", &l.tuned, "DIR", "use a tuned lens: a folder with config.json and params.pt"),
        OPT_EITHER("norm", &l.cached, "own|cached", "final norm: scale of the point, or of the last point (a known error)"),
        OPT_FLAG("no-bias", &l.no_bias, "leave out the biases of final norm and unembedding (a known error)"),
        OPT_FLAG("include-bos", &l.include_bos, "also count the predictions at the BOS position"),
        OPT_RANGE("positions", &o.positions, "count only these positions of each window"),
        OPT_FLAG("with-next", &l.with_next, "count only positions that have a next token"),
        OPT_FLAG("per-token", &l.per_token, "also write one record for each position and point"),
        OPT_UINT("top-k", &l.top_k, 0, 1024, "K", "with --per-token: also write the K most probable tokens"),
        OPT_DTYPE(&o.dtype, "precision of weights and matrix products"),
        OPT_FLAG("allow-nonfinite", &o.allow_nonfinite, "do not stop at NaN or Inf in the residual stream or logits"),
        OPT_SIZE("memory", &o.memory, 0, "limit for weights and streams; 0: weights stay, 1G for streams", .local = true),
        OPT_DRY_RUN(&o),
        OPT_END,
    };
    const struct nf_cmd cmd = { "logit-lens", "what a model would predict from any point of its residual stream",
                                "",           "tokens, or activations with resid.pre or resid.post",
                                "lens",       opts };

    nf_prog_start(cmd.name, argv);
    if (nf_opt_parse(&cmd, argc, argv, &err) > 0)
        nf_model_filter_run(&nf_lens_filter, &l, &cmd, &o, &err);
    return nf_prog_end(&err);
}
