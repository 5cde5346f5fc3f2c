/* test_stream.c - lib/stream: what is written is read; what is cut, changed or joined is refused. */
#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <zstd.h>

#include "base/digest.h"
#include "stream/reader.h"
#include "stream/writer.h"

enum { RECORDS = 5 };

/* A file in memory. */
struct file {
    unsigned char *data;
    size_t size;
};

static int memory_fd(const void *data, size_t size)
{
    int fd = memfd_create("stream", MFD_CLOEXEC);

    if (fd < 0 || (size && write(fd, data, size) != (ssize_t)size) || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    return fd;
}

static void write_records(struct nf_writer *w)
{
    float x[6] = { 0, 1, 2, 3, 4, 5 };
    struct nf_tensor t = nf_tensor_2d(NF_F32, x, 2, 3);

    for (uint64_t i = 0; i < RECORDS; i++) {
        struct nf_enc *e = nf_writer_begin(w);

        nf_enc_map(e, 3);
        nf_enc_str(e, "r");
        nf_enc_str(e, "thing");
        nf_enc_str(e, "i");
        nf_enc_uint(e, i);
        nf_enc_str(e, "x");
        nf_enc_tensor(e, &t);
        nf_writer_end(w);
    }
}

static struct file make_stream(bool raw)
{
    static const struct nf_opt no_opts[] = { OPT_END };
    const struct nf_cmd cmd = { "test", "", "", "", "", no_opts };
    struct nf_err err = NF_ERR_INIT;
    int fd = memory_fd(NULL, 0);
    json_t *header = nf_header_new("things", NULL, &cmd, &err), *totals = json_pack("{s:i}", "sum", 10);
    struct nf_writer *w = nf_writer_open(fd, header, raw, &err);
    struct file f;

    if (!w)
        abort();
    write_records(w);
    CHECK(nf_writer_close(w, totals) == NF_OK);
    json_decref(header);
    json_decref(totals);
    f.size = (size_t)lseek(fd, 0, SEEK_END);
    f.data = malloc(f.size);
    if (pread(fd, f.data, f.size, 0) != (ssize_t)f.size)
        abort();
    close(fd);
    return f;
}

/* Reads to the end: the final code, the message in *err, the number of records in *n, the digest. */
static int read_all_digest(const void *data, size_t size, const char *kind, struct nf_err *err, uint64_t *n,
                           char hex[NF_DIGEST_HEX])
{
    int fd = memory_fd(data, size), rc;
    struct nf_reader *r;
    const msgpack_object *rec;

    *err = (struct nf_err)NF_ERR_INIT;
    r = nf_reader_open(fd, "in", kind, err);
    rc = r ? nf_reader_hash(r) : (int)err->code;
    while (rc == NF_OK)
        rc = nf_reader_next(r, &rec);
    *n = r ? nf_reader_records(r) : 0;
    strcpy(hex, rc == NF_EOF ? nf_reader_digest(r) : "");
    nf_reader_close(r);
    close(fd);
    return rc;
}

static int read_all(const void *data, size_t size, const char *kind, struct nf_err *err, uint64_t *n)
{
    char hex[NF_DIGEST_HEX];

    return read_all_digest(data, size, kind, err, n, hex);
}

static void what_is_written_is_read(void)
{
    for (int raw = 0; raw < 2; raw++) {
        struct file f = make_stream(raw);
        struct nf_err err = NF_ERR_INIT;
        int fd = memory_fd(f.data, f.size);
        struct nf_reader *r = nf_reader_open(fd, "in", "other|things", &err);
        const msgpack_object *rec = NULL;
        struct nf_tensor t;
        uint64_t v;
        float x[6];

        CHECK(r && strcmp(nf_reader_kind(r), "things") == 0);
        for (uint64_t i = 0; i < RECORDS; i++) {
            CHECK(nf_reader_next(r, &rec) == NF_OK && nf_mp_is(rec, "thing"));
            CHECK(nf_mp_uint(rec, "i", 100, &v, &err) == NF_OK && v == i);
            CHECK(nf_mp_tensor(rec, "x", NF_F32, 2, &t, &err) == NF_OK && t.shape[0] == 2 && t.shape[1] == 3);
            memcpy(x, t.data, sizeof x);
            CHECK(x[0] == 0 && x[5] == 5);
        }
        CHECK(nf_reader_end(r) == NULL);
        CHECK(nf_reader_next(r, &rec) == NF_EOF && nf_reader_next(r, &rec) == NF_EOF);
        CHECK(nf_mp_uint(nf_mp_find(nf_reader_end(r), "totals"), "sum", 10, &v, &err) == NF_OK && v == 10);
        nf_reader_close(r);
        close(fd);
        free(f.data);
    }
}

static void cut_at_every_byte_is_refused(void)
{
    for (int raw = 0; raw < 2; raw++) {
        struct file f = make_stream(raw);
        struct nf_err err;
        uint64_t n;

        for (size_t size = 0; size < f.size; size++)
            CHECK(read_all(f.data, size, NULL, &err, &n) == NF_EFORMAT);
        CHECK(read_all(f.data, f.size, NULL, &err, &n) == NF_EOF && n == RECORDS);
        free(f.data);
    }
}

static void anything_after_the_end_is_refused(void)
{
    struct file f[2] = { make_stream(false), make_stream(true) };
    struct nf_err err;
    uint64_t n;

    for (int a = 0; a < 2; a++) {
        unsigned char *two = malloc(f[a].size + f[0].size + f[1].size);

        memcpy(two, f[a].data, f[a].size);
        two[f[a].size] = 0;
        CHECK(read_all(two, f[a].size + 1, NULL, &err, &n) == NF_EFORMAT);
        for (int b = 0; b < 2; b++) {
            memcpy(two + f[a].size, f[b].data, f[b].size);
            CHECK(read_all(two, f[a].size + f[b].size, NULL, &err, &n) == NF_EFORMAT);
        }
        free(two);
    }
    free(f[0].data);
    free(f[1].data);
}

/* Some bits of a zstd frame may change without changing what comes out; then the digest is the same. */
static void a_changed_bit_never_gives_other_records(void)
{
    struct file f = make_stream(false), raw = make_stream(true);
    char want[NF_DIGEST_HEX], got[NF_DIGEST_HEX];
    struct nf_err err;
    size_t refused = 0;
    uint64_t n;

    CHECK(nf_digest_bytes(raw.data, raw.size, want, NULL) == NF_OK);
    for (size_t bit = 0; bit < 8 * f.size; bit++) {
        f.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (read_all_digest(f.data, f.size, NULL, &err, &n, got) == NF_EOF)
            CHECK(strcmp(got, want) == 0);
        else
            refused++;
        f.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    CHECK(refused > 7 * f.size);
    free(f.data);
    free(raw.data);
}

/* The raw stream in a frame that FORMAT.md section 1 does not allow. */
static int read_frame(const struct file *raw, int checksum, int window_log, struct nf_err *err)
{
    size_t cap = ZSTD_compressBound(raw->size) + 64, n;
    ZSTD_CCtx *z = ZSTD_createCCtx();
    unsigned char *p = malloc(cap);
    ZSTD_inBuffer in = { raw->data, raw->size, 0 };
    ZSTD_outBuffer out = { p, cap, 0 };
    uint64_t records;
    int rc;

    ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, checksum);
    ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, window_log);
    ZSTD_compressStream2(z, &out, &in, ZSTD_e_flush);   /* the size is not known in advance: the frame keeps its window */
    n = ZSTD_compressStream2(z, &out, &in, ZSTD_e_end);
    CHECK(n == 0);
    rc = read_all(p, out.pos, NULL, err, &records);
    ZSTD_freeCCtx(z);
    free(p);
    return rc;
}

static void frames_without_checksum_or_with_a_large_window_are_refused(void)
{
    struct file raw = make_stream(true);
    struct nf_err err;

    CHECK(read_frame(&raw, 1, 23, &err) == NF_EOF);
    CHECK(read_frame(&raw, 0, 20, &err) == NF_EFORMAT && strstr(err.text, "no content checksum"));
    CHECK(read_frame(&raw, 1, 24, &err) == NF_EFORMAT && strstr(err.text, "window over 8 MiB"));
    free(raw.data);
}

/* Records of 9 MB move the buffer of the reader; every byte must arrive. */
static void large_records_are_whole(void)
{
    static const struct nf_opt no_opts[] = { OPT_END };
    const struct nf_cmd cmd = { "test", "", "", "", "", no_opts };
    const size_t n[] = { 9000000, 1, 9000000, 300000, 0, 70000 };
    unsigned char *x = malloc(9000000);

    for (size_t i = 0; i < 9000000; i++)
        x[i] = (unsigned char)(i * 2654435761u >> 24);
    for (int raw = 0; raw < 2; raw++) {
        struct nf_err err = NF_ERR_INIT;
        int fd = memory_fd(NULL, 0);
        json_t *header = nf_header_new("things", NULL, &cmd, &err);
        struct nf_writer *w = nf_writer_open(fd, header, raw, &err);
        struct nf_reader *r;
        const msgpack_object *rec;
        struct nf_tensor t;

        for (size_t i = 0; i < 6; i++) {
            struct nf_enc *e = nf_writer_begin(w);

            t = nf_tensor_1d(NF_U8, x, n[i]);
            nf_enc_map(e, 2);
            nf_enc_str(e, "r");
            nf_enc_str(e, "thing");
            nf_enc_str(e, "x");
            nf_enc_tensor(e, &t);
            nf_writer_end(w);
        }
        CHECK(nf_writer_close(w, NULL) == NF_OK);
        lseek(fd, 0, SEEK_SET);
        r = nf_reader_open(fd, "in", NULL, &err);
        for (size_t i = 0; i < 6; i++)
            CHECK(nf_reader_next(r, &rec) == NF_OK && nf_mp_tensor(rec, "x", NF_U8, 1, &t, &err) == NF_OK && t.shape[0] == n[i] &&
                  memcmp(t.data, x, n[i]) == 0);
        CHECK(nf_reader_next(r, &rec) == NF_EOF);
        nf_reader_close(r);
        json_decref(header);
        close(fd);
    }
    free(x);
}

static void history_grows_and_the_rest_travels(void)
{
    static const struct nf_opt no_opts[] = { OPT_END };
    const struct nf_cmd one = { "one", "", "", "", "", no_opts }, two = { "two", "", "", "", "", no_opts };
    struct nf_err err = NF_ERR_INIT;
    json_t *a = nf_header_new("tokens", NULL, &one, &err), *b, *h;

    json_object_set_new(a, "context", json_integer(7));
    b = nf_header_new("activations", a, &two, &err);
    CHECK(nf_header_input(b, a, "abc", &err) == NF_OK);
    h = json_object_get(b, "history");
    CHECK(json_array_size(h) == 2 && json_integer_value(json_object_get(b, "context")) == 7);
    CHECK(strcmp(json_string_value(json_object_get(b, "kind")), "activations") == 0);
    CHECK(strcmp(json_string_value(json_object_get(json_array_get(h, 0), "tool")), "one") == 0);
    h = json_array_get(json_object_get(json_array_get(h, 1), "inputs"), 0);
    CHECK(strcmp(json_string_value(json_object_get(h, "kind")), "tokens") == 0);
    CHECK(strcmp(json_string_value(json_object_get(h, "sha256")), "abc") == 0);
    CHECK(json_array_size(json_object_get(a, "history")) == 1);   /* the input's own is as it was */
    json_decref(a);
    json_decref(b);
}

static void another_kind_is_refused_by_name(void)
{
    struct file f = make_stream(true);
    struct nf_err err;
    uint64_t n;

    CHECK(read_all(f.data, f.size, "tokens|stats", &err, &n) == NF_EFORMAT);
    CHECK(strcmp(err.text, "in is a stream of kind 'things'; 'tokens|stats' is expected") == 0);
    CHECK(read_all(f.data, f.size, "thing", &err, &n) == NF_EFORMAT);
    CHECK(read_all(f.data, f.size, "things", &err, &n) == NF_EOF);
    free(f.data);
}

static void a_wrong_count_in_end_is_refused(void)
{
    struct file f = make_stream(true);
    unsigned char *end = memmem(f.data, f.size, "\xa7records\x05", 9);
    struct nf_err err;
    uint64_t n;

    CHECK(end != NULL);
    if (end)
        end[8] = 4;
    CHECK(read_all(f.data, f.size, NULL, &err, &n) == NF_EFORMAT);
    CHECK(strcmp(err.text, "in: END counts 4 records, 5 were read") == 0);
    free(f.data);
}

static void text_is_no_stream(void)
{
    struct nf_err err;
    uint64_t n;

    CHECK(read_all("hello, world\n", 13, NULL, &err, &n) == NF_EFORMAT);
    CHECK(strcmp(err.text, "in is not a neurofilters stream: it does not begin with the header") == 0);
}

static void the_digest_is_of_the_raw_bytes(void)
{
    struct file f[2] = { make_stream(false), make_stream(true) };
    char want[NF_DIGEST_HEX], got[NF_DIGEST_HEX];
    struct nf_err err;
    uint64_t n;

    CHECK(nf_digest_bytes(f[1].data, f[1].size, want, NULL) == NF_OK);
    for (int i = 0; i < 2; i++) {
        CHECK(read_all_digest(f[i].data, f[i].size, NULL, &err, &n, got) == NF_EOF && strcmp(got, want) == 0);
        free(f[i].data);
    }
}

int main(void)
{
    return RUN(what_is_written_is_read, cut_at_every_byte_is_refused, anything_after_the_end_is_refused,
               a_changed_bit_never_gives_other_records, another_kind_is_refused_by_name, a_wrong_count_in_end_is_refused,
               text_is_no_stream, frames_without_checksum_or_with_a_large_window_are_refused, large_records_are_whole,
               history_grows_and_the_rest_travels, the_digest_is_of_the_raw_bytes);
}
