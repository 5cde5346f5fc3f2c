/*
 * identity.h - the digest of a tokenizer.  Private to lib/token.
 */
#ifndef NF_TOKEN_IDENTITY_H
#define NF_TOKEN_IDENTITY_H

#include "token/load.h"

/* nf_identity_digest - fill l->t->digest: SHA-256 over all that decides which tokens a text becomes.  NF_ESYS. */
int nf_identity_digest(struct nf_load *l);

#endif
