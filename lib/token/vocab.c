/* vocab.c - the bytes of every token, by id. */
#include "token/vocab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

int nf_vocab_add(struct nf_vocab *v, const void *bytes, size_t n, struct nf_err *err)
{
    size_t used = v->V ? v->offset[v->V] : 0;

    if (nf_grow(&v->bytes, &v->bytes_cap, used + n + 1, 1, err) < 0 ||
        nf_grow(&v->offset, &v->offset_cap, v->V + 2, sizeof *v->offset, err) < 0 ||
        nf_grow(&v->special, &v->special_cap, v->V + 1, sizeof *v->special, err) < 0)
        return NF_ESYS;
    if (n)
        memcpy(v->bytes + used, bytes, n);
    v->offset[v->V] = used;
    v->offset[v->V + 1] = used + n;
    v->special[v->V] = false;
    v->V++;
    return NF_OK;
}

const unsigned char *nf_vocab_bytes(const struct nf_vocab *v, uint32_t id, size_t *n)
{
    *n = v->offset[id + 1] - v->offset[id];
    return v->bytes + v->offset[id];
}

char *nf_vocab_show(const struct nf_vocab *v, uint32_t id, char *buf, size_t size)
{
    const unsigned char *p;
    size_t n;

    if (id >= v->V) {
        snprintf(buf, size, "<%u>", (unsigned)id);
        return buf;
    }
    p = nf_vocab_bytes(v, id, &n);
    return nf_utf8_show(p, n, buf, size);
}

void nf_vocab_clear(struct nf_vocab *v)
{
    free(v->bytes);
    free(v->offset);
    free(v->special);
    *v = (struct nf_vocab){ 0 };
}
