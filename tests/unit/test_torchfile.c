/* test_torchfile.c - pytorch_model.bin: what torch.save() wrote is what we read, and nothing of the file is run. */
#include "check.h"

#include <stdint.h>
#include <stdlib.h>

#include "checkpoint/torchfile.h"

#define DATA "tests/data/torchfile/"

static bool shaped(const struct nf_tf_entry *e, enum nf_dtype dtype, size_t ndim, size_t d0, size_t d1)
{
    return e && e->t.dtype == dtype && e->t.ndim == ndim && (ndim < 1 || e->t.shape[0] == d0) && (ndim < 2 || e->t.shape[1] == d1);
}

static float at(const struct nf_tf_entry *t, size_t i)
{
    float x;

    memcpy(&x, (const char *)t->t.data + 4 * i, 4);
    return x;
}

/* The values of make_torchfile.py. */
static void check_state(const char *path)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_tf f;
    const struct nf_tf_entry *t;
    uint16_t h[2];
    int64_t steps;

    CHECK(nf_torch_open(path, &f, &err) == NF_OK);
    if (err.code != NF_OK)
        printf("# %s\n", err.text);
    CHECK(f.n == 8);
    if (f.n != 8)
        return;
    t = nf_tf_find(&f, "a");
    CHECK(shaped(t, NF_F32, 2, 3, 4) && t->mapped);
    for (size_t i = 0; t && i < 12; i++)
        CHECK(at(t, i) == (float)i);
    t = nf_tf_find(&f, "transposed");
    CHECK(shaped(t, NF_F32, 2, 4, 3) && !t->mapped);
    for (size_t i = 0; t && i < 12; i++)
        CHECK(at(t, i) == (float)(i % 3 * 4 + i / 3));
    t = nf_tf_find(&f, "tail");
    CHECK(shaped(t, NF_F32, 2, 2, 4) && at(t, 0) == 4 && at(t, 7) == 11);
    t = nf_tf_find(&f, "half");
    CHECK(shaped(t, NF_F16, 1, 2, 0));
    memcpy(h, t->t.data, sizeof h);
    CHECK(nf_f16_to_f32(h[0]) == 1 && nf_f16_to_f32(h[1]) == -2.5f);
    t = nf_tf_find(&f, "bf16");
    CHECK(shaped(t, NF_BF16, 1, 2, 0));
    memcpy(h, t->t.data, sizeof h);
    CHECK(nf_bf16_to_f32(h[0]) == 1 && nf_bf16_to_f32(h[1]) == -2.5f);
    t = nf_tf_find(&f, "mask");
    CHECK(shaped(t, NF_U8, 2, 2, 2));
    t = nf_tf_find(&f, "steps");
    CHECK(shaped(t, NF_I64, 0, 0, 0));
    memcpy(&steps, t->t.data, sizeof steps);
    CHECK(steps == 7);
    t = nf_tf_find(&f, "parameter");
    CHECK(shaped(t, NF_F32, 1, 2, 0) && at(t, 0) == 3 && at(t, 1) == 3);
    nf_tf_close(&f);
}

static void zip_layout(void)
{
    check_state(DATA "zip.bin");
}

static void legacy_layout(void)
{
    check_state(DATA "legacy.bin");
}

static void wrapped_state_dict_of_protocol_4(void)
{
    check_state(DATA "wrapped.bin");
}

/* Numbers, sets, NumPy, argparse, types that are no weights: the tensors of the file are listed, and their values right. */
static void what_has_no_role_is_passed_over(void)
{
    static const char *const paths[] = { DATA "objects.bin", DATA "objects_legacy.bin", DATA "objects_4.bin" };

    for (size_t i = 0; i < 3; i++) {
        struct nf_err err = NF_ERR_INIT;
        struct nf_tf f;

        CHECK(nf_torch_open(paths[i], &f, &err) == NF_OK);
        if (err.code != NF_OK) {
            printf("# %s\n", err.text);
            continue;
        }
        CHECK(f.n == 4);   /* a, waves, noted, last */
        CHECK(shaped(nf_tf_find(&f, "a"), NF_F32, 2, 3, 4) && at(nf_tf_find(&f, "a"), 5) == 5);
        CHECK(shaped(nf_tf_find(&f, "noted"), NF_F32, 1, 2, 0) && at(nf_tf_find(&f, "noted"), 1) == 4);
        CHECK(shaped(nf_tf_find(&f, "last"), NF_F32, 1, 4, 0) && at(nf_tf_find(&f, "last"), 3) == 11);
        CHECK(nf_tf_find(&f, "waves") && !nf_tf_find(&f, "waves")->weight && !nf_tf_find(&f, "eighth"));
        nf_tf_close(&f);
    }
}

static void check_refused(const struct nf_map *map, const char *says)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_tf f;

    CHECK(nf_torch_parse(map->data, map->size, "file", &f, &err) == NF_EFORMAT);
    CHECK(err.code == NF_EFORMAT && strstr(err.text, says));
    if (!strstr(err.text, says))
        printf("# %s\n", err.text);
}

static void a_call_of_anything_else_is_refused_by_name(void)
{
    struct nf_map map;

    CHECK(nf_map_open(DATA "evil.bin", &map, NULL) == NF_OK);
    check_refused(&map, "posix.system");
    nf_map_close(&map);
    CHECK(nf_map_open(DATA "evil_legacy.bin", &map, NULL) == NF_OK);
    check_refused(&map, "posix.system");
    nf_map_close(&map);
}

/* Every cut and every flipped byte: refused or read, never a crash (the sanitizer run is what makes this test strict). */
static void cut_and_flipped(const char *path)
{
    struct nf_map map;
    unsigned char *copy;

    CHECK(nf_map_open(path, &map, NULL) == NF_OK);
    for (size_t n = 0; n < map.size; n++) {
        struct nf_tf f;
        struct nf_err err = NF_ERR_INIT;

        copy = malloc(n ? n : 1);   /* its own block, so that one byte too many is seen */
        memcpy(copy, map.data, n);
        CHECK(nf_torch_parse(copy, n, "file", &f, &err) == NF_EFORMAT);
        free(copy);
    }
    copy = malloc(map.size);
    for (size_t n = 0; n < map.size; n++)
        for (int bit = 0; bit < 8; bit += 3) {
            struct nf_tf f;
            struct nf_err err = NF_ERR_INIT;

            memcpy(copy, map.data, map.size);
            copy[n] ^= (unsigned char)(1 << bit);
            if (nf_torch_parse(copy, map.size, "file", &f, &err) == NF_OK)
                nf_tf_close(&f);
            else
                CHECK(err.code != NF_OK);
        }
    free(copy);
    nf_map_close(&map);
}

static void damaged_files_are_refused(void)
{
    cut_and_flipped(DATA "zip.bin");
    cut_and_flipped(DATA "legacy.bin");
    cut_and_flipped(DATA "objects.bin");
    cut_and_flipped(DATA "objects_legacy.bin");
}

int main(void)
{
    return RUN(zip_layout, legacy_layout, wrapped_state_dict_of_protocol_4, what_has_no_role_is_passed_over,
               a_call_of_anything_else_is_refused_by_name, damaged_files_are_refused);
}
