/*
 * lesion - change which blocks of a model run, and measure what that does to its predictions.
 *
 *   in   tokens    windows; each is a sequence of its own
 *   out  effects   for each intervention KL, relative accuracy, entropy and loss, over all rows, by domain and by position
 *   doc  src/lesion.md: the interventions, the measures, which positions count; lib/run/lesion_run.h: how they run
 */
#include "base/hub.h"
#include "base/opt.h"
#include "base/prog.h"
#include "run/lesion_run.h"

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_model_options o = { .dtype = NF_F32, .positions = NF_RANGE_ALL };
    struct nf_lesion_options l = { .at_mean = false };
    const struct nf_opt opts[] = {
        OPT_MODEL(&o.model, &o.revision, "the model: a directory, a GGUF file, or a name in the Hub cache"),
        OPT_LIST("drop", &l.text[NF_LESION_DROP], "L|A-B|all", "leave out block L; one intervention for each block"),
        OPT_LIST("swap", &l.text[NF_LESION_SWAP], "L|A-B|all", "exchange block L with block L + 1"),
        OPT_LIST("repeat", &l.text[NF_LESION_REPEAT], "N",
                 "run N consecutive blocks twice each (a a b b ..), for every first block"),
        OPT_LIST("skip", &l.text[NF_LESION_SKIP], "A:B", "leave out blocks A to B-1"),
        OPT_LIST("reverse", &l.text[NF_LESION_REVERSE], "A:B", "run blocks A to B-1 in reverse order"),
        OPT_LIST("parallel", &l.text[NF_LESION_PARALLEL], "A:B",
                 "give blocks A to B-1 the same input, continue with their mean output"),
        OPT_LIST("move", &l.text[NF_LESION_MOVE], "A:B", "move block A to place B"),
        OPT_LIST("replace", &l.text[NF_LESION_REPLACE], "A:B", "run block B in place of block A as well"),
        OPT_LIST("drop-attention", &l.text[NF_LESION_DROP_ATTENTION], "L|A-B|all",
                 "set the output of the attention of block L to zero"),
        OPT_LIST("drop-ffn", &l.text[NF_LESION_DROP_FFN], "L|A-B|all", "set the output of the FFN of block L to zero"),
        OPT_LIST("drop-head", &l.text[NF_LESION_DROP_HEAD], "L.H|L.A-B|L.all|all", "set the output of head H of block L to zero"),
        OPT_LIST("neuron", &l.neuron, "L.N,...", "set these FFN neurons to zero, all in one intervention"),
        OPT_LIST("class", &l.classes, "CLASS,...", "set all neurons of a class to zero; each class is one intervention"),
        OPT_STR("neurons", &l.neurons, "FILE", "stream of kind neurons with the classes, for --class"),
        OPT_EITHER("ablate", &l.at_mean, "zero|mean", "set neurons to zero, or to their mean activation"),
        OPT_STR("stats", &l.stats, "FILE", "stream of kind stats with the moments of ffn.act, for --ablate mean"),
        OPT_FLAG("include-bos", &l.include_bos, "also count the predictions at the BOS position"),
        OPT_FLAG("per-token", &l.per_token, "also write one record for each position and intervention"),
        OPT_DTYPE(&o.dtype, "precision of weights and matrix products"),
        OPT_FLAG("allow-nonfinite", &o.allow_nonfinite, "do not stop at NaN or Inf in the residual stream or logits"),
        OPT_SIZE("memory", &o.memory, 0, "limit for weights and streams; 0: weights stay, 1G for streams", .local = true),
        OPT_DRY_RUN(&o),
        OPT_END,
    };
    const struct nf_cmd cmd = { "lesion",  "change which blocks or neurons of a model run, and measure the effect",
                                "",        "tokens",
                                "effects", opts };

    nf_prog_start(cmd.name, argv);
    if (nf_opt_parse(&cmd, argc, argv, &err) > 0)
        nf_model_filter_run(&nf_lesion_filter, &l, &cmd, &o, &err);
    return nf_prog_end(&err);
}
