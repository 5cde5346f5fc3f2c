/* streams.c - the stream between any two blocks. */
#include "model/streams.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"

float **nf_streams_open(size_t n, size_t floats, struct nf_err *err)
{
    float **s = nf_alloc(n + 1, sizeof *s, err);

    for (size_t i = 0; s && i < n; i++)
        if (!(s[i] = nf_alloc(floats, sizeof **s, err))) {
            nf_streams_close(s);
            return NULL;
        }
    return s;
}

void nf_streams_close(float **s)
{
    for (size_t i = 0; s && s[i]; i++)
        free(s[i]);
    free(s);
}

int nf_streams_fit(const struct nf_config *cfg, size_t context, uint64_t each, uint64_t room, struct nf_forward_opts *opts,
                   struct nf_err *err)
{
    uint64_t all = opts->memory;
    struct nf_forward_plan plan;

    for (opts->batch_tokens = nf_max(nf_min(room / each, NF_STREAMS_TOKENS), context);;
         opts->batch_tokens = nf_max(opts->batch_tokens / 2, context)) {
        uint64_t streams = each * opts->batch_tokens;
        bool least = opts->batch_tokens == context;

        if (!all)
            return NF_OK;
        opts->memory = all > streams ? all - streams : 1;
        if (nf_forward_plan(cfg, opts, context, &plan, NULL) == NF_OK)
            return NF_OK;
        if (least)
            return nf_fail(err, NF_EUSAGE, "--memory %llu is too small: one layer and the streams of one window need %llu bytes",
                           (unsigned long long)all, (unsigned long long)(streams + plan.weight_bytes + plan.work_bytes));
    }
}

int nf_streams_run(struct nf_forward *f, const struct nf_windows *win, float *const *h, struct nf_err *err)
{
    size_t L = nf_forward_get_plan(f)->layers, size = win->T * nf_forward_width(f);
    int rc = nf_forward_embed(f, win, h[0], err);

    for (size_t l = 0; rc == NF_OK && l < L; l++) {
        memcpy(h[l + 1], h[l], size * sizeof **h);
        rc = nf_forward_block(f, l, win, h[l + 1], err);
    }
    return rc;
}
