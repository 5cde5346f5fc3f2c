/* sites.c - names of sites, and the choice among them. */
#include "model/sites.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/attention.h"

static const struct {
    const char *name, *hook;   /* ours; TransformerLens's behind "blocks.N.", NULL: none */
    const char *unit;
    char rows,
        cols; /* letters of config.h; b: bytes of F bits; o: offsets back; digits stand for themselves; '1': no second dimension */
} table[NF_SITE_COUNT] = {
    [NF_SITE_RESID_PRE] = { "resid.pre", "hook_resid_pre", "model units", 'D', '1' },
    [NF_SITE_ATTN_LOCAL] = { "attn.local", NULL, "share of attention", 'H', '7' },
    [NF_SITE_ATTN_BACK] = { "attn.back", NULL, "share of attention", 'H', 'o' },
    [NF_SITE_ATTN_OUT] = { "attn.out", "hook_attn_out", "model units", 'D', '1' },
    [NF_SITE_RESID_MID] = { "resid.mid", "hook_resid_mid", "model units", 'D', '1' },
    [NF_SITE_FFN_PRE] = { "ffn.pre", "mlp.hook_pre", "model units", 'F', '1' },
    [NF_SITE_FFN_UP] = { "ffn.up", "mlp.hook_pre_linear", "model units", 'F', '1' },
    [NF_SITE_FFN_ACTIVE] = { "ffn.active", NULL, "bit: pre-activation > 0", 'b', '1' },
    [NF_SITE_FFN_ACT] = { "ffn.act", "mlp.hook_post", "model units", 'F', '1' },
    [NF_SITE_FFN_OUT] = { "ffn.out", "hook_mlp_out", "model units", 'D', '1' },
    [NF_SITE_RESID_POST] = { "resid.post", "hook_resid_post", "model units", 'D', '1' },
    [NF_SITE_NORMS] = { "norms", NULL, "5 norms in model units, 3 cosines", '8', '1' },
    [NF_SITE_PRED] = { "pred", NULL, "loss in nats, entropy in bits, id, rank", '4', '1' },
    [NF_SITE_LOGITS] = { "logits", NULL, "nats", 'V', '1' },
};

const char *nf_site_name(enum nf_site site)
{
    return table[site].name;
}

const char *nf_site_unit(enum nf_site site)
{
    return table[site].unit;
}

bool nf_site_is_final(enum nf_site site)
{
    return site == NF_SITE_PRED || site == NF_SITE_LOGITS;
}

static size_t read_dimension(char c, const struct nf_config *cfg)
{
    switch (c) {
    case 'D':
        return cfg->D;
    case 'F':
        return cfg->F;
    case 'H':
        return cfg->H;
    case 'V':
        return cfg->V;
    case 'b':
        return (cfg->F + 7) / 8;
    case 'o':
        return NF_BACK_WIDTH;
    }
    return (size_t)(c - '0');
}

size_t nf_site_shape(enum nf_site site, const struct nf_config *cfg, size_t dims[2])
{
    dims[0] = read_dimension(table[site].rows, cfg);
    dims[1] = read_dimension(table[site].cols, cfg);
    return table[site].cols == '1' ? 1 : 2;
}

size_t nf_site_width(enum nf_site site, const struct nf_config *cfg)
{
    size_t dims[2];

    nf_site_shape(site, cfg, dims);
    return dims[0] * dims[1];
}

enum nf_site nf_site_find(const char *name)
{
    enum nf_site s = 0;

    while (s < NF_SITE_COUNT && strcmp(table[s].name, name) != 0 && (!table[s].hook || strcmp(table[s].hook, name) != 0))
        s++;
    return s;
}

static int unknown(const char *name, struct nf_err *err)
{
    char known[200] = "";

    for (enum nf_site s = 0; s < NF_SITE_COUNT; s++) {
        strcat(known, s ? ", " : "");   /* 14 names of at most 10 bytes */
        strcat(known, table[s].name);
    }
    return nf_fail(err, NF_EUSAGE, "--sites %s: no such site; there are %s", name, known);
}

/* "blocks.N." in front of a hook: *name moves behind it, *layer is N. */
static bool block_prefix(const char **name, size_t *layer)
{
    const char *p = *name;
    char *end;

    if (strncmp(p, "blocks.", 7) != 0 || p[7] < '0' || p[7] > '9')
        return false;
    *layer = strtoul(p + 7, &end, 10);
    if (*end != '.')
        return false;
    *name = end + 1;
    return true;
}

/* A site that only other architectures have. */
static int missing(const char *full, enum nf_site site, const struct nf_config *cfg, struct nf_err *err)
{
    if (site == NF_SITE_RESID_MID && cfg->parallel)
        return nf_fail(err, NF_EUSAGE, "--sites %s: attention and FFN of %s are parallel, there is no stream between them", full,
                       cfg->name);
    if (site == NF_SITE_FFN_UP && !cfg->gated)
        return nf_fail(err, NF_EUSAGE, "--sites %s: the FFN of %s is not gated", full, cfg->name);
    return NF_OK;
}

static int add_resolved_site(struct nf_sites *s, const char *full, const struct nf_range *layers, const struct nf_config *cfg,
                             struct nf_err *err)
{
    const char *name = full;
    size_t layer = SIZE_MAX, from = layers->from, to = layers->to < s->L ? layers->to : s->L;
    bool one = block_prefix(&name, &layer);
    enum nf_site site = nf_site_find(name);

    if (site == NF_SITE_COUNT || (one && !table[site].hook))
        return unknown(full, err);
    if (one && layer >= s->L)
        return nf_fail(err, NF_EUSAGE, "--sites %s: the model has layers 0 to %zu", full, s->L - 1);
    if (one)
        from = layer, to = layer + 1;
    if (missing(full, site, cfg, err) < 0)
        return NF_EUSAGE;
    if (nf_site_is_final(site))
        from = s->L, to = s->L + 1;
    for (size_t l = from; l < to; l++)
        s->want[site][l] = true;
    return NF_OK;
}

int nf_sites_open(const struct nf_list *names, const struct nf_range *layers, const struct nf_config *cfg, struct nf_sites *s,
                  struct nf_err *err)
{
    int rc = NF_OK;

    *s = (struct nf_sites){ .L = cfg->L };
    if (layers->from >= cfg->L || (layers->to != SIZE_MAX && layers->to > cfg->L))
        return nf_fail(err, NF_EUSAGE, "--layers: the model has layers 0 to %zu", cfg->L - 1);
    for (size_t i = 0; i < NF_SITE_COUNT && rc == NF_OK; i++)
        if (!(s->want[i] = nf_alloc(cfg->L + 1, sizeof **s->want, err)))
            rc = NF_ESYS;
    if (rc == NF_OK && names->n == 0)
        rc = add_resolved_site(s, table[NF_SITE_FFN_ACTIVE].name, layers, cfg, err);
    for (size_t i = 0; i < names->n && rc == NF_OK; i++)
        rc = add_resolved_site(s, names->item[i], layers, cfg, err);
    if (rc < 0)
        nf_sites_close(s);
    return rc;
}

bool nf_sites_want(const struct nf_sites *s, enum nf_site site, size_t layer)
{
    return layer <= s->L && s->want[site][layer];
}

bool nf_sites_any(const struct nf_sites *s, enum nf_site site)
{
    for (size_t l = 0; l <= s->L; l++)
        if (s->want[site][l])
            return true;
    return false;
}

void nf_sites_close(struct nf_sites *s)
{
    for (size_t i = 0; i < NF_SITE_COUNT; i++)
        free(s->want[i]);
    *s = (struct nf_sites){ 0 };
}
