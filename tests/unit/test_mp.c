/* test_mp.c - lib/stream/mp: the bytes are Python's, nothing hostile passes the scan, fields are read as what they are. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "stream/mp.h"

/* ---- encoding ---- */

static void begin(struct nf_enc *e, const char *type, const char *key)
{
    nf_enc_map(e, 2);
    nf_enc_str(e, "r");
    nf_enc_str(e, type);
    nf_enc_str(e, key);
}

static void put_numbers(struct nf_enc *e)
{
    static const uint64_t u[] = { 0, 1, 127, 128, 255, 256, 65535, 65536, UINT32_MAX, 1ull << 32, INT64_MAX, UINT64_MAX };
    static const int64_t s[] = { -1, -32, -33, -128, -129, -32768, -32769, INT32_MIN, (int64_t)INT32_MIN - 1, INT64_MIN };
    static const double d[] = { 0.0, -0.0, 1.5, 1e300, INFINITY, -INFINITY };

    begin(e, "ints", "v");
    nf_enc_array(e, sizeof u / sizeof *u + sizeof s / sizeof *s);
    for (size_t i = 0; i < sizeof u / sizeof *u; i++)
        nf_enc_uint(e, u[i]);
    for (size_t i = 0; i < sizeof s / sizeof *s; i++)
        nf_enc_int(e, s[i]);
    begin(e, "reals", "v");
    nf_enc_array(e, sizeof d / sizeof *d);
    for (size_t i = 0; i < sizeof d / sizeof *d; i++)
        nf_enc_real(e, d[i]);
    begin(e, "others", "v");
    nf_enc_array(e, 3);
    nf_enc_nil(e);
    nf_enc_bool(e, true);
    nf_enc_bool(e, false);
}

static void put_sized(struct nf_enc *e)
{
    static const size_t str[] = { 0, 31, 32, 255, 256, 65536 }, bin[] = { 0, 255, 256, 65536 };
    static const size_t array[] = { 0, 15, 16, 65536 }, map[] = { 0, 15, 16 };
    static char x[65536];
    char key[24];

    memset(x, 'x', sizeof x);
    begin(e, "strs", "v");
    nf_enc_array(e, 6);
    for (size_t i = 0; i < 6; i++)
        nf_enc_strn(e, x, str[i]);
    begin(e, "bins", "v");
    nf_enc_array(e, 4);
    for (size_t i = 0; i < 4; i++)
        nf_enc_bin(e, x, bin[i]);
    begin(e, "arrays", "v");
    nf_enc_array(e, 4);
    for (size_t i = 0; i < 4; i++) {
        nf_enc_array(e, array[i]);
        for (size_t k = 0; k < array[i]; k++)
            nf_enc_nil(e);
    }
    begin(e, "maps", "v");
    nf_enc_array(e, 3);
    for (size_t i = 0; i < 3; i++) {
        nf_enc_map(e, map[i]);
        for (size_t k = 0; k < map[i]; k++) {
            snprintf(key, sizeof key, "%05zu", k);
            nf_enc_str(e, key);
            nf_enc_uint(e, k);
        }
    }
}

static const enum nf_dtype types[] = { NF_U8, NF_U16, NF_U32, NF_U64, NF_I32, NF_I64, NF_F16, NF_F32, NF_F64 };

/* 0, 1, .. as the type. */
static void fill(enum nf_dtype type, unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t u = i;
        float f = (float)i;
        double d = (double)i;
        uint16_t h = nf_f32_to_f16(f);
        const void *from = type == NF_F64 ? (void *)&d : type == NF_F32 ? (void *)&f : type == NF_F16 ? (void *)&h : (void *)&u;

        memcpy(p + i * nf_dtype_size(type), from, nf_dtype_size(type));   /* little-endian: the low bytes come first */
    }
}

static void put_tensors(struct nf_enc *e)
{
    static unsigned char data[1200];
    struct nf_tensor t;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        fill(types[i], data, 6);
        t = nf_tensor_2d(types[i], data, 2, 3);
        begin(e, "tensor", "x");
        nf_enc_tensor(e, &t);
    }
    t = nf_tensor_2d(NF_F32, NULL, 0, 3);
    begin(e, "tensor", "x");
    nf_enc_tensor(e, &t);
    fill(NF_U32, data, 300);
    t = (struct nf_tensor){ NF_U32, 4, { 1, 2, 3, 50 }, data };
    begin(e, "tensor", "x");
    nf_enc_tensor(e, &t);
}

static struct nf_map python(void)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_map map;

    if (nf_map_open("tests/oracle/msgpack_numpy.bin", &map, &err) < 0) {
        printf("# %s\n", err.text);
        exit(1);
    }
    return map;
}

static void our_bytes_are_pythons(void)
{
    struct nf_map want = python();
    struct nf_enc e;

    nf_enc_init(&e);
    put_numbers(&e);
    put_sized(&e);
    put_tensors(&e);
    CHECK(!e.failed && e.buf.size == want.size);
    CHECK(e.buf.size == want.size && memcmp(e.buf.data, want.data, want.size) == 0);
    nf_enc_clear(&e);
    nf_map_close(&want);
}

/* ---- decoding ---- */

static msgpack_object unpack(msgpack_zone *zone, const void *p, size_t n)
{
    msgpack_object o = { .type = MSGPACK_OBJECT_NIL };
    size_t off = 0;

    CHECK(nf_mp_scan(p, n, NULL) == (int64_t)n);
    CHECK(msgpack_unpack(p, n, &off, zone, &o) == MSGPACK_UNPACK_SUCCESS && off == n);
    return o;
}

static void pythons_tensors_are_read(void)
{
    struct nf_map map = python();
    msgpack_zone *zone = msgpack_zone_new(1024);
    size_t at = 0, tensors = 0;

    while (at < map.size) {
        int64_t n = nf_mp_scan(map.data + at, map.size - at, NULL);
        msgpack_object rec;
        struct nf_tensor t;

        CHECK(n > 0);
        if (n <= 0)
            break;
        rec = unpack(zone, map.data + at, (size_t)n);
        at += (size_t)n;
        if (!nf_mp_is(&rec, "tensor"))
            continue;
        CHECK(nf_mp_find(&rec, "x") && nf_mp_tensor_any(nf_mp_find(&rec, "x"), &t) == NF_OK);
        if (tensors < sizeof types / sizeof *types) {
            CHECK(t.dtype == types[tensors] && t.ndim == 2 && t.shape[0] == 2 && t.shape[1] == 3);
            for (size_t i = 0; i < 6; i++)
                CHECK(nf_tensor_real(&t, i) == (double)i);
        }
        tensors++;
    }
    CHECK(tensors == sizeof types / sizeof *types + 2);
    msgpack_zone_free(zone);
    nf_map_close(&map);
}

static void bf16_travels_as_u2_with_a_sixth_pair(void)
{
    uint16_t x[2] = { 0x3f80, 0xc000 };
    struct nf_tensor in = nf_tensor_1d(NF_BF16, x, 2), out;
    msgpack_zone *zone = msgpack_zone_new(1024);
    struct nf_enc e;
    msgpack_object o;

    nf_enc_init(&e);
    nf_enc_tensor(&e, &in);
    o = unpack(zone, e.buf.data, e.buf.size);
    CHECK(o.via.map.size == 6 && nf_mp_tensor_any(&o, &out) == NF_OK && out.dtype == NF_BF16);
    CHECK(nf_tensor_real(&out, 0) == 1 && nf_tensor_real(&out, 1) == -2);
    nf_enc_clear(&e);
    msgpack_zone_free(zone);
}

/* ---- the scan ---- */

#define SCAN(s) nf_mp_scan((const unsigned char *)(s), sizeof(s) - 1, NULL)

static void scan_needs_more_at_every_cut(void)
{
    struct nf_map map = python();
    size_t n = (size_t)nf_mp_scan(map.data, map.size, NULL);
    struct nf_scan steps;

    CHECK(n > 100);
    nf_scan_init(&steps, NF_MP_BYTES);
    for (size_t i = 0; i < n; i++) {
        CHECK(nf_mp_scan(map.data, i, NULL) == 0);
        CHECK(nf_scan_more(&steps, map.data, i, NULL) == NF_EOF && steps.want > i && steps.want <= n);
    }
    CHECK(nf_mp_scan(map.data, n, NULL) == (int64_t)n);
    CHECK(nf_scan_more(&steps, map.data, n, NULL) == NF_OK && steps.at == n);
    nf_map_close(&map);
}

static void scan_refuses_counts_that_cannot_be(void)
{
    CHECK(SCAN("\xdd\xff\xff\xff\xff") == NF_EFORMAT);           /* array of 4 billion */
    CHECK(SCAN("\xdf\xff\xff\xff\xff") == NF_EFORMAT);           /* map of 4 billion */
    CHECK(SCAN("\xdd\x00\x10\x00\x01") == NF_EFORMAT);           /* one value over NF_MP_ITEMS */
    CHECK(SCAN("\xdd\x00\x10\x00\x00") == 0);
    CHECK(SCAN("\xdf\x00\x08\x00\x01") == NF_EFORMAT);
    CHECK(SCAN("\xc6\xff\xff\xff\xff") == NF_EFORMAT);           /* bin, str of 4 GiB */
    CHECK(SCAN("\xdb\xff\xff\xff\xff") == NF_EFORMAT);
    CHECK(SCAN("\xc6\x00\xff\xff\xfb") == 0);                    /* exactly 16 MiB with its head */
    CHECK(SCAN("\xc6\x00\xff\xff\xfc") == NF_EFORMAT);
    CHECK(SCAN("\x92\xc6\x00\xff\xff\xf9") == 0);                /* 16 MiB with the array and what follows */
    CHECK(SCAN("\x92\xc6\x00\xff\xff\xfa") == NF_EFORMAT);
}

static void scan_refuses_ext_and_reserved(void)
{
    static const unsigned char bad[] = { 0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8 };
    unsigned char p[32] = { 0 };

    for (size_t i = 0; i < sizeof bad; i++) {
        p[0] = bad[i];
        CHECK(nf_mp_scan(p, sizeof p, NULL) == NF_EFORMAT);
    }
    for (unsigned c = 0; c < 256; c++) {
        p[0] = (unsigned char)c;
        CHECK((nf_mp_scan(p, sizeof p, NULL) < 0) == (memchr(bad, (int)c, sizeof bad) != NULL));
    }
}

static void scan_refuses_deep_nesting(void)
{
    unsigned char p[NF_MP_DEPTH + 2];

    memset(p, 0x91, sizeof p);
    p[NF_MP_DEPTH] = 0xc0;
    CHECK(nf_mp_scan(p, NF_MP_DEPTH + 1, NULL) == NF_MP_DEPTH + 1);
    memset(p, 0x91, sizeof p);
    CHECK(nf_mp_scan(p, NF_MP_DEPTH, NULL) == 0);
    CHECK(nf_mp_scan(p, NF_MP_DEPTH + 1, NULL) == NF_EFORMAT);
}

/* ---- fields ---- */

static void fields_are_typed_and_named(void)
{
    struct nf_err err = NF_ERR_INIT;
    msgpack_zone *zone = msgpack_zone_new(1024);
    struct nf_enc e;
    json_t *j = json_pack("{s:s, s:i, s:f, s:b, s:[i,i,i], s:{s:i, s:{s:i}}}", "r", "thing", "n", 5, "x", 2.5, "yes", 1, "list", 7,
                          8, 9, "a", "b.c", 1, "b", "c", 2);
    msgpack_object rec;
    uint64_t u;
    double d;
    bool b;

    nf_enc_init(&e);
    nf_enc_json(&e, j);
    rec = unpack(zone, e.buf.data, e.buf.size);
    CHECK(nf_mp_uint(&rec, "n", 5, &u, &err) == NF_OK && u == 5);
    CHECK(nf_mp_real(&rec, "n", &d, &err) == NF_OK && d == 5);
    CHECK(nf_mp_real(&rec, "x", &d, &err) == NF_OK && d == 2.5);
    CHECK(nf_mp_bool(&rec, "yes", &b, &err) == NF_OK && b);
    CHECK(nf_mp_path(&rec, "list.2")->via.u64 == 9 && !nf_mp_path(&rec, "list.3") &&
          !nf_mp_path(&rec, "list.18446744073709551617"));
    CHECK(nf_mp_path(&rec, "a.b.c")->via.u64 == 1 && !nf_mp_path(&rec, "a.b.d") && !nf_mp_path(&rec, "n.0"));
    CHECK(nf_mp_uint(&rec, "n", 4, &u, &err) == NF_EFORMAT);
    CHECK(strcmp(err.text, "record 'thing': field 'n' is 5, over 4") == 0);
    err = (struct nf_err)NF_ERR_INIT;
    CHECK(nf_mp_bool(&rec, "m", &b, &err) == NF_EFORMAT);
    CHECK(strcmp(err.text, "record 'thing': field 'm' is missing") == 0);
    CHECK(nf_mp_uint(&rec, "x", 9, &u, NULL) == NF_EFORMAT);
    json_decref(j);
    j = nf_mp_json(&rec, NULL);
    CHECK(json_integer_value(json_object_get(j, "n")) == 5);
    json_decref(j);
    nf_enc_clear(&e);
    msgpack_zone_free(zone);
}

/* A shape that does not fit its data, and one whose rows a loop would never end. */
static void tensors_that_lie_are_refused(void)
{
    static const size_t shapes[][2] = { { 2, 3 }, { 3, 2 }, { 2, 4 }, { 1u << 20, 0 }, { SIZE_MAX, 0 }, { SIZE_MAX / 2 + 2, 2 } };
    msgpack_zone *zone = msgpack_zone_new(1024);
    struct nf_enc e;

    nf_enc_init(&e);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const char *keys[] = { "nd", "type", "kind", "shape", "data" };
        size_t bytes = i == 2 || i > 2 ? 0 : 24;
        struct nf_tensor t;
        msgpack_object o;

        nf_enc_reset(&e);
        nf_enc_map(&e, 5);
        for (size_t k = 0; k < 5; k++) {
            nf_enc_bin(&e, keys[k], strlen(keys[k]));
            if (k == 0)
                nf_enc_bool(&e, true);
            else if (k == 1)
                nf_enc_str(&e, "<f4");
            else if (k == 3) {
                nf_enc_array(&e, 2);
                nf_enc_uint(&e, shapes[i][0]);
                nf_enc_uint(&e, shapes[i][1]);
            } else
                nf_enc_bin(&e, "0123456789012345678901234567890", k == 4 ? bytes : 0);
        }
        o = unpack(zone, e.buf.data, e.buf.size);
        CHECK((nf_mp_tensor_any(&o, &t) == NF_OK) == (i < 2 || i == 3));
    }
    nf_enc_clear(&e);
    msgpack_zone_free(zone);
}

int main(void)
{
    return RUN(our_bytes_are_pythons, pythons_tensors_are_read, bf16_travels_as_u2_with_a_sixth_pair, scan_needs_more_at_every_cut,
               scan_refuses_counts_that_cannot_be, scan_refuses_ext_and_reserved, scan_refuses_deep_nesting,
               fields_are_typed_and_named, tensors_that_lie_are_refused);
}
