/* digest.c - SHA-256 by libcrypto. */
#include "base/digest.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

struct nf_digest {
    EVP_MD_CTX *ctx;
};

struct nf_digest *nf_digest_open(struct nf_err *err)
{
    struct nf_digest *d = malloc(sizeof *d);

    if (d)
        d->ctx = EVP_MD_CTX_new();
    if (!d || !d->ctx || !EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL)) {
        nf_fail(err, NF_ESYS, "SHA-256 cannot start: out of memory");
        nf_digest_close(d, NULL);
        return NULL;
    }
    return d;
}

void nf_digest_add(struct nf_digest *d, const void *data, size_t size)
{
    EVP_DigestUpdate(d->ctx, data, size);
}

void nf_digest_close(struct nf_digest *d, char hex[NF_DIGEST_HEX])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (!d)
        return;
    if (hex) {
        EVP_DigestFinal_ex(d->ctx, sum, &n);
        for (unsigned i = 0; i < n; i++)
            snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    }
    EVP_MD_CTX_free(d->ctx);
    free(d);
}

int nf_digest_bytes(const void *data, size_t size, char hex[NF_DIGEST_HEX], struct nf_err *err)
{
    struct nf_digest *d = nf_digest_open(err);

    if (!d)
        return NF_ESYS;
    nf_digest_add(d, data, size);
    nf_digest_close(d, hex);
    return NF_OK;
}
