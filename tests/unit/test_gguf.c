/* test_gguf.c - the container: metadata of every type, tensors, and files that must be refused. */
#include "check.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "checkpoint/gguf.h"

#define BLOCKS "tests/data/gguf/blocks.gguf"

/* ---- a file as gguf-py writes it ---- */

static bool has_json(const struct nf_gguf *g, const char *key, const char *expected)
{
    struct nf_err err = NF_ERR_INIT;
    const struct nf_gguf_value *v = nf_gguf_find(g, key);
    json_t *json = v ? nf_gguf_json(v, "f", &err) : NULL;
    char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
    bool same = text && strcmp(text, expected) == 0;

    if (!same)
        printf("# %s: %s, %s expected\n", key, text ? text : "(nothing)", expected);
    free(text);
    json_decref(json);
    return same;
}

static void metadata_of_every_type(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_gguf g;
    int64_t i = 0;

    CHECK(nf_gguf_open(BLOCKS, &g, &err) == NF_OK && g.version == 3);
    CHECK(has_json(&g, "general.architecture", "\"blocks\""));
    CHECK(has_json(&g, "test.u8", "250") && has_json(&g, "test.i8", "-5"));
    CHECK(has_json(&g, "test.u16", "65000") && has_json(&g, "test.i16", "-30000"));
    CHECK(has_json(&g, "test.u32", "4000000000") && has_json(&g, "test.i32", "-2000000000"));
    CHECK(has_json(&g, "test.u64", "9.2233720368547758e18") && has_json(&g, "test.i64", "-4611686018427387904"));
    CHECK(has_json(&g, "test.bool", "true") && has_json(&g, "test.string", "\"na\xc3\xafve\""));
    CHECK(has_json(&g, "test.strings", "[\"a\",\"\",\"\xe4\xb8\x96\xe7\x95\x8c\"]"));
    CHECK(has_json(&g, "test.numbers", "[1,-2,3]") && has_json(&g, "test.reals", "[0.5,500000.0,0.10000000000000001]"));
    CHECK(!nf_gguf_find(&g, "test.u3") && !nf_gguf_int(NULL, &i));
    CHECK(nf_gguf_int(nf_gguf_find(&g, "test.u32"), &i) && i == 4000000000);
    CHECK(nf_gguf_int(nf_gguf_find(&g, "test.i8"), &i) && i == -5);
    CHECK(!nf_gguf_int(nf_gguf_find(&g, "test.u64"), &i) && !nf_gguf_int(nf_gguf_find(&g, "test.f32"), &i));
    nf_gguf_close(&g);
}

/* 1e-05 as float32 is 9.99999974737875e-06; the writer rounded 1e-05. */
static void a_float32_is_the_decimal_it_was_rounded_from(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_gguf g;
    json_t *f, *d;

    CHECK(nf_gguf_open(BLOCKS, &g, &err) == NF_OK);
    f = nf_gguf_json(nf_gguf_find(&g, "test.f32"), "f", &err);
    d = nf_gguf_json(nf_gguf_find(&g, "test.f64"), "f", &err);
    CHECK(json_real_value(f) == 1e-05 && json_real_value(d) == 1e-05);
    json_decref(f);
    json_decref(d);
    nf_gguf_close(&g);
}

static void tensors_have_their_rows_last(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_gguf g;
    const struct nf_tf_entry *e;

    CHECK(nf_gguf_open(BLOCKS, &g, &err) == NF_OK);
    e = nf_tf_find(&g.tensors, "Q4_K");
    CHECK(e && e->weight && e->mapped && strcmp(e->type, "Q4_K") == 0 && e->t.dtype == NF_Q4_K);
    CHECK(e && e->t.ndim == 2 && e->t.shape[0] == 3 && e->t.shape[1] == 512 && e->bytes == 3 * 2 * 144);
    e = nf_tf_find(&g.tensors, "F16");
    CHECK(e && e->t.ndim == 2 && e->t.shape[0] == 2 && e->t.shape[1] == 5 && e->bytes == 20);
    e = nf_tf_find(&g.tensors, "I32");
    CHECK(e && !e->weight && e->bytes == 24);
    nf_gguf_close(&g);
}

/* ---- files made by hand ---- */

static struct nf_bytes b;
static struct nf_err none;

static void put(const void *p, size_t n)
{
    CHECK(nf_bytes_add(&b, p, n, &none) == NF_OK);
}

static void put_u32(uint32_t v)
{
    put(&v, sizeof v);
}

static void put_u64(uint64_t v)
{
    put(&v, sizeof v);
}

static void put_text(const char *s)
{
    put_u64(strlen(s));
    put(s, strlen(s));
}

static void put_head(uint32_t version, uint64_t tensors, uint64_t values)
{
    nf_bytes_clear(&b);
    put("GGUF", 4);
    put_u32(version);
    put_u64(tensors);
    put_u64(values);
}

static void put_number(const char *key, uint32_t v)
{
    put_text(key);
    put_u32(NF_GGUF_U32);
    put_u32(v);
}

/* A tensor of `rows` rows of 32 elements. */
static void put_tensor(const char *name, uint64_t rows, uint32_t type, uint64_t offset)
{
    put_text(name);
    put_u32(2);
    put_u64(32);
    put_u64(rows);
    put_u32(type);
    put_u64(offset);
}

/* Zeros up to the data, and n bytes of it. */
static void put_data(size_t alignment, size_t n)
{
    while (b.n % alignment)
        put("", 1);
    for (size_t i = 0; i < n; i++)
        put("x", 1);
}

static bool opens(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_gguf g;
    int rc = nf_gguf_parse(b.p, b.n, "f", &g, &err);

    if (rc < 0)
        printf("# %s\n", err.text);
    nf_gguf_close(&g);
    return rc == NF_OK;
}

static bool refused(const char *text)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_gguf g;
    int rc = nf_gguf_parse(b.p, b.n, "f", &g, &err);

    nf_gguf_close(&g);
    if (rc == NF_EFORMAT && strcmp(err.text, text) == 0)
        return true;
    printf("# %s\n# expected: %s\n", rc == NF_OK ? "opens" : err.text, text);
    return false;
}

static void put_two_tensors(uint64_t second)
{
    put_head(3, 2, 1);
    put_number("general.alignment", 64);
    put_tensor("a", 2, 2, 0); /* Q4_0: 36 bytes */
    put_tensor("b", 1, 0, second); /* F32: 128 bytes */
    put_data(64, 64 + 128);
}

static void versions_2_and_3_open(void)
{
    for (uint32_t version = 0; version < 6; version++) {
        char text[80];

        put_head(version, 0, 0);
        snprintf(text, sizeof text, "f: version %u of GGUF, 2 or 3 is expected", version);
        CHECK(version == 2 || version == 3 ? opens() : refused(text));
    }
    put_head(0x03000000, 0, 0);
    CHECK(refused("f: a big-endian GGUF file"));
    put_head(3, 0, 0);
    b.p[3] = 'g';
    CHECK(refused("f: no GGUF file"));
}

static void two_tensors_open(void)
{
    put_two_tensors(64);
    CHECK(opens());
}

static void every_prefix_is_refused(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_gguf g;
    size_t whole;

    put_two_tensors(64);
    whole = b.n;
    for (size_t n = 0; n < whole; n++) {
        unsigned char *copy = malloc(n ? n : 1); /* of its size: the sanitizer sees what is read behind it */

        memcpy(copy, b.p, n);
        err = (struct nf_err)NF_ERR_INIT;
        CHECK(nf_gguf_parse(copy, n, "f", &g, &err) == NF_EFORMAT && err.text[0]);
        free(copy);
    }
}

static void places_are_checked(void)
{
    put_two_tensors(0);
    CHECK(refused("f: tensors a and b overlap"));
    put_two_tensors(32);
    CHECK(refused("f: tensor b: offset 32 is no multiple of the alignment 64"));
    put_two_tensors(128);
    CHECK(refused("f: tensor b: 128 bytes at offset 128 leave the 192 bytes of data"));
    put_two_tensors(UINT64_MAX - 63);
    CHECK(refused("f: tensor b: 128 bytes at offset 18446744073709551552 leave the 192 bytes of data"));
}

static void alignment_is_a_power_of_two(void)
{
    const uint32_t bad[] = { 0, 3, 96 };

    for (size_t i = 0; i < 3; i++) {
        put_head(3, 0, 1);
        put_number("general.alignment", bad[i]);
        CHECK(refused("f: metadata general.alignment: a power of two is expected"));
    }
}

static void nothing_is_there_twice(void)
{
    put_head(3, 0, 2);
    put_number("k", 1);
    put_number("k", 1);
    CHECK(refused("f: metadata k: is there twice"));
    put_head(3, 2, 0);
    put_tensor("a", 1, 0, 0);
    put_tensor("a", 1, 0, 128);
    put_data(32, 256);
    CHECK(refused("f: tensor a is there twice"));
}

static void shapes_and_types_are_checked(void)
{
    put_head(3, 1, 0);
    put_tensor("a", 1, 4, 0);
    CHECK(refused("f: tensor a: type 4 is not known"));
    put_head(3, 1, 0);
    put_tensor("a", 1, 1000, 0);
    CHECK(refused("f: tensor a: type 1000 is not known"));
    put_head(3, 1, 0);
    put_tensor("a", 1, 12, 0);
    CHECK(refused("f: tensor a: rows of 32 elements, Q4_K has blocks of 256"));
    put_head(3, 1, 0);
    put_tensor("a", UINT64_MAX / 8, 0, 0);
    CHECK(refused("f: tensor a: the product of its sizes is too large"));
    put_head(3, 1, 0);
    put_text("a");
    put_u32(5);
    put_data(1, 64);
    put_data(32, 0);
    CHECK(refused("f: tensor a: 5 dimensions, at most 4 are allowed"));
}

static void counts_are_compared_with_what_is_there(void)
{
    put_head(3, 0, UINT64_MAX);
    CHECK(refused("f: ends within its metadata"));
    put_head(3, UINT64_MAX, 0);
    CHECK(refused("f: ends within its list of tensors"));
    put_head(3, 0, 1);
    put_u64(UINT64_MAX);
    put_data(32, 32);
    CHECK(refused("f: ends within a metadata key"));
    put_head(3, 0, 1);
    put_text("k");
    put_u32(NF_GGUF_ARRAY);
    put_u32(NF_GGUF_U64);
    put_u64(UINT64_MAX / 8 + 2);
    put_data(1, 64);
    CHECK(refused("f: ends within metadata k"));
    put_head(3, 0, 1);
    put_text("k");
    put_u32(NF_GGUF_STRING);
    put_u64(UINT64_MAX);
    CHECK(refused("f: ends within metadata k"));
}

static void put_arrays(int depth)
{
    put_head(3, 0, 1);
    put_text("k");
    put_u32(NF_GGUF_ARRAY);
    for (int i = 0; i < depth; i++) {
        put_u32(NF_GGUF_ARRAY);
        put_u64(1);
    }
    put_u32(NF_GGUF_BOOL);
    put_u64(2);
    put("\1\0", 2);
}

static void arrays_in_arrays(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_gguf g;

    put_arrays(2);
    CHECK(nf_gguf_parse(b.p, b.n, "f", &g, &err) == NF_OK);
    CHECK(has_json(&g, "k", "[[[true,false]]]"));
    nf_gguf_close(&g);
    put_arrays(1000);
    CHECK(refused("f: metadata k: an array of an unknown type, or too many arrays in arrays"));
    put_arrays(1);
    b.p[b.n - 1] = 2;
    CHECK(refused("f: metadata k: a bool that is neither 0 nor 1"));
}

static void a_string_that_is_no_text_has_no_json(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_gguf g;

    put_head(3, 0, 1);
    put_text("k");
    put_u32(NF_GGUF_STRING);
    put_text("\xff");
    CHECK(nf_gguf_parse(b.p, b.n, "f", &g, &err) == NF_OK);
    CHECK(!nf_gguf_json(nf_gguf_find(&g, "k"), "f", &err) && err.code == NF_EFORMAT);
    nf_gguf_close(&g);
    nf_bytes_clear(&b);
}

int main(void)
{
    return RUN(metadata_of_every_type, a_float32_is_the_decimal_it_was_rounded_from, tensors_have_their_rows_last,
               versions_2_and_3_open, two_tensors_open, every_prefix_is_refused, places_are_checked, alignment_is_a_power_of_two,
               nothing_is_there_twice, shapes_and_types_are_checked, counts_are_compared_with_what_is_there, arrays_in_arrays,
               a_string_that_is_no_text_has_no_json);
}
