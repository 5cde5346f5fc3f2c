/* test_base.c - lib/base: allocation bounds, digests, the generator. */
#include "check.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/rng.h"

static void first_failure_stays(void)
{
    struct nf_err err = NF_ERR_INIT;

    CHECK(nf_fail(&err, NF_EFORMAT, "one\ntwo %d", 3) == NF_EFORMAT);
    nf_fail(&err, NF_ESYS, "later");
    CHECK(err.code == NF_EFORMAT);
    CHECK(strcmp(err.text, "one?two 3") == 0);
}

static void products_are_checked(void)
{
    struct nf_err err = NF_ERR_INIT;
    size_t p;

    CHECK(!nf_mul(SIZE_MAX, 2, &p));
    CHECK(nf_alloc(SIZE_MAX / 2, 3, &err) == NULL);
    CHECK(err.code == NF_ESYS);
    err = (struct nf_err)NF_ERR_INIT;
    CHECK(nf_alloc_bounded(1001, 1, 1000, "field", &err) == NULL);
    CHECK(err.code == NF_EFORMAT);
}

static void memory_is_aligned_and_zeroed(void)
{
    unsigned char *p = nf_alloc(3, 1, NULL);

    CHECK(p && (uintptr_t)p % 64 == 0 && !p[0] && !p[2]);
    free(p);
}

static void sha256_of_abc(void)
{
    char hex[NF_DIGEST_HEX];

    /* FIPS 180-2, appendix B.1 */
    CHECK(nf_digest_bytes("abc", 3, hex, NULL) == NF_OK);
    CHECK(strcmp(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0);
}

static void splitmix_is_the_published_sequence(void)
{
    struct nf_rng r = { 1234567 };

    /* the reference values that accompany Vigna's splitmix64.c */
    CHECK(nf_rng_next(&r) == 6457827717110365317u);
    CHECK(nf_rng_next(&r) == 3203168211198807973u);
    for (int i = 0; i < 1000; i++) {
        CHECK(nf_rng_below(&r, 3) < 3);
        CHECK(nf_rng_unit(&r) < 1);
    }
}

int main(void)
{
    return RUN(first_failure_stays, products_are_checked, memory_is_aligned_and_zeroed, sha256_of_abc,
               splitmix_is_the_published_sequence);
}
