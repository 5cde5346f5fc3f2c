/* pack.c - cut a document's tokens into windows. */
#include "token/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"

int nf_pack_init(struct nf_pack *p, struct nf_err *err)
{
    p->ids = nf_alloc(p->context, sizeof *p->ids, err);
    return p->ids ? NF_OK : NF_ESYS;
}

void nf_pack_begin(struct nf_pack *p)
{
    p->taken = p->windows = 0;
}

void nf_pack_clear(struct nf_pack *p)
{
    free(p->ids);
    p->ids = NULL;
}

int nf_pack_next(struct nf_pack *p, const uint32_t *ids, size_t n, bool last, size_t *used)
{
    size_t lead = p->bos && n && ids[0] == p->bos_id; /* the text's own BOS */
    size_t room = p->context - p->bos, take = nf_min(n - lead, room);

    *used = 0;
    if (take < room && !last)
        return NF_EOF;
    *used = lead + take;
    p->start = p->taken + lead;
    p->taken += *used;
    if (take == 0 || (take < room && p->full_only))
        return NF_EOF;
    if (p->bos)
        p->ids[0] = p->bos_id;
    memcpy(p->ids + p->bos, ids + lead, take * sizeof *ids);
    p->T = p->bos + take;
    p->windows++;
    return NF_OK;
}
