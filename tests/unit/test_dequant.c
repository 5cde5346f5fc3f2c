/* test_dequant.c - the block formats: bit for bit what gguf-py gives, whole blocks and parts of them. */
#include "check.h"

#include <stdint.h>
#include <stdlib.h>

#include "checkpoint/gguf.h"
#include "tensor/dequant.h"

#define BLOCKS "tests/data/gguf/blocks.gguf"

enum { ELEMENTS_MAX = 3 * 512 };

static struct nf_gguf file;

/* Calls test(t, expected) for each type of blocks.gguf (make_gguf.py). */
static size_t for_each_type(void (*test)(const struct nf_tensor *t, const float *expected, size_t n))
{
    struct nf_err err = NF_ERR_INIT;
    float expected[ELEMENTS_MAX];
    char name[64];
    size_t types = 0;

    CHECK(nf_gguf_open(BLOCKS, &file, &err) == NF_OK);
    for (size_t i = 0; i < file.tensors.n; i++) {
        const struct nf_tf_entry *e = &file.tensors.entry[i], *x;
        size_t n = 0;

        snprintf(name, sizeof name, "%s.expected", e->name);
        x = nf_tf_find(&file.tensors, name);
        if (!x)
            continue;
        CHECK(e->weight && nf_tensor_count(&e->t, &n) && n <= ELEMENTS_MAX && x->bytes == n * sizeof *expected);
        memcpy(expected, x->t.data, n * sizeof *expected);
        test(&e->t, expected, n);
        types++;
    }
    nf_gguf_close(&file);
    return types;
}

static void compare_whole(const struct nf_tensor *t, const float *expected, size_t n)
{
    float y[ELEMENTS_MAX];

    nf_to_f32(t->dtype, t->data, n, y);
    for (size_t i = 0; i < n; i++)
        if (memcmp(&y[i], &expected[i], sizeof *y) != 0) {
            printf("# %s: element %zu is %.9g, %.9g expected\n", nf_dtype_name(t->dtype), i, (double)y[i], (double)expected[i]);
            CHECK(false);
            break;
        }
}

static void every_type_has_the_bits_of_gguf_py(void)
{
    CHECK(for_each_type(compare_whole) == 15);
}

/* From everywhere, as many as reach over the ends of blocks; what lies behind is left alone. */
static void compare_parts(const struct nf_tensor *t, const float *expected, size_t n)
{
    float y[ELEMENTS_MAX + 1];

    for (size_t first = 0; first < n; first += 7)
        for (size_t m = 0; first + m <= n; m = 2 * m + 1) {
            y[m] = 1234;
            nf_tensor_f32(t, first, m, y);
            CHECK(memcmp(y, expected + first, m * sizeof *y) == 0 && y[m] == 1234);
        }
}

static void parts_of_blocks_are_the_same(void)
{
    CHECK(for_each_type(compare_parts) == 15);
}

/* An infinite scale in the second block. */
static void plant_infinity(const struct nf_tensor *t, const float *expected, size_t n)
{
    size_t blocks = n / nf_dtype_block(t->dtype), size = nf_dtype_size(t->dtype), found = 0;
    unsigned char copy[ELEMENTS_MAX * 4];

    (void)expected;
    if (nf_dtype_block(t->dtype) == 1)
        return;
    CHECK(nf_dequant_bad(t->dtype, t->data, blocks) == blocks);
    for (size_t at = 0; at + 1 < size; at++) {
        float y[NF_BLOCK_MAX];
        bool finite = true;

        memcpy(copy, t->data, blocks * size);
        memcpy(copy + size + at, t->dtype == NF_MXFP4 ? "\xff\x77" : "\x00\xfc", 2);
        nf_dequant(t->dtype, copy + size, 1, y);
        for (size_t i = 0; i < nf_dtype_block(t->dtype); i++)
            finite = finite && y[i] - y[i] == 0;
        CHECK(nf_dequant_bad(t->dtype, copy, blocks) == (finite && !(t->dtype == NF_MXFP4 && at == 0) ? blocks : 1));
        found += !finite;
    }
    CHECK(found > 0);
}

static void infinite_scales_are_found(void)
{
    CHECK(for_each_type(plant_infinity) == 15);
}

int main(void)
{
    return RUN(every_type_has_the_bits_of_gguf_py, parts_of_blocks_are_the_same, infinite_scales_are_found);
}
