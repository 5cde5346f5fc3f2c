/* measures.c - records of means. */
#include "record/measures.h"

#include "record/put.h"

void nf_measures_write(struct nf_writer *out, const char *type, const char *key, size_t thing, const struct nf_measure_group *g,
                       const char *const *name, const struct nf_measured *m, size_t measures)
{
    struct nf_enc *e = nf_put_record(out, type, 3 + (g->name ? 1 : 0) + (g->domain ? 1 : g->to ? 2 : 0) + measures);

    nf_put_uint(e, key, thing);
    if (g->name)
        nf_put_str(e, "name", g->name);
    nf_put_str(e, "by", g->domain ? "domain" : g->to ? "position" : "all");
    if (g->domain) {
        nf_put_str(e, "domain", g->domain);
    } else if (g->to) {
        nf_put_uint(e, "from", g->from);
        nf_put_uint(e, "to", g->to);
    }
    nf_put_uint(e, "docs", g->docs);
    for (size_t i = 0; i < measures; i++) {
        nf_enc_str(e, name[i]);
        nf_enc_map(e, 6);
        nf_put_uint(e, "n", m[i].n);
        nf_put_real(e, "mean", m[i].mean);
        nf_put_real(e, "sd", m[i].sd);
        nf_put_real(e, "se", m[i].se);
        nf_put_real(e, "doc_mean", m[i].doc_mean);
        nf_put_real(e, "doc_sd", m[i].doc_sd);
    }
    nf_writer_end(out);
}
