/* tap.c - what a tap needs, what must run for it, and handing rows to it. */
#include "model/forward_impl.h"

bool nf_tap_wants(const struct nf_tap *tap, enum nf_site site, size_t layer)
{
    return tap && tap->wants(tap->self, site, layer);
}

bool nf_tap_anywhere(const struct nf_config *cfg, const struct nf_tap *tap, enum nf_site site)
{
    for (size_t l = 0; l < cfg->L; l++)
        if (nf_tap_wants(tap, site, l))
            return true;
    return false;
}

static enum nf_depth depth_of(enum nf_site site)
{
    switch (site) {
    case NF_SITE_RESID_PRE:
    case NF_SITE_ATTN_LOCAL:
    case NF_SITE_ATTN_BACK:
        return NF_TO_ATTN;
    case NF_SITE_ATTN_OUT:
    case NF_SITE_RESID_MID:
        return NF_TO_MID;
    case NF_SITE_FFN_PRE:
    case NF_SITE_FFN_UP:
    case NF_SITE_FFN_ACTIVE:
    case NF_SITE_FFN_ACT:
        return NF_TO_ACT;
    default:
        return NF_TO_END;
    }
}

size_t nf_tap_layers(const struct nf_config *cfg, const struct nf_tap *tap, bool unembed, enum nf_depth *last)
{
    size_t layers = cfg->L;

    *last = NF_TO_END;
    if (!tap || unembed)
        return layers;
    *last = NF_TO_ATTN;
    for (; layers > 0; layers--) {
        bool any = false;

        for (enum nf_site s = 0; s < NF_SITE_PRED; s++)
            if (nf_tap_wants(tap, s, layers - 1)) {
                any = true;
                *last = depth_of(s) > *last ? depth_of(s) : *last;
            }
        if (any)
            break;
    }
    return layers;
}

bool nf_forward_wants(const struct nf_forward *f, enum nf_site site, size_t layer)
{
    return nf_tap_wants(f->opts.tap, site, layer);
}

int nf_forward_tap(const struct nf_forward *f, enum nf_site site, size_t layer, size_t row, size_t rows, size_t width,
                   const void *data, const uint32_t *near, struct nf_err *err)
{
    const struct nf_rows r = { site, layer, row, rows, width, data, near };
    int rc = nf_forward_wants(f, site, layer) ? f->opts.tap->rows(f->opts.tap->self, &r) : NF_OK;

    return rc < 0 ? nf_fail(err, (enum nf_code)rc, "layer %zu: the run was ended by its reader", layer) : NF_OK;
}
