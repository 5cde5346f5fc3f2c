/* test_activations.c - batch and site records: round trip, cutting, refusals. */
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "record/activations.h"
#include "stream/reader.h"

static struct nf_err err;

/* A stream of what `fill` writes, in a temporary file that is open for reading. */
static struct nf_reader *stream(void (*fill)(struct nf_writer *))
{
    FILE *f = tmpfile();
    int fd = dup(fileno(f));
    json_t *header;
    struct nf_writer *w;

    fclose(f);
    err = (struct nf_err)NF_ERR_INIT;
    header = json_pack("{s:s,s:i,s:s,s:[]}", "format", "neurofilters", "version", 1, "kind", "activations", "history");
    w = nf_writer_open(fd, header, true, &err);
    json_decref(header);
    if (w) {
        fill(w);
        CHECK(nf_writer_close(w, NULL) == NF_OK);
    }
    lseek(fd, 0, SEEK_SET);
    return nf_reader_open(fd, "test", "activations", &err);
}

static uint32_t doc[2] = { 3, 3 }, window[2] = { 0, 1 }, start[2] = { 0, 4 }, length[2] = { 2, 3 }, ids[5] = { 2, 9, 2, 7, 8 };
static uint8_t bos[2] = { 1, 0 };

static void one_batch(struct nf_writer *w)
{
    struct nf_batch b = {
        .batch = 5, .W = 2, .T = 5, .doc = doc, .window = window, .start = start, .length = length, .bos = bos, .ids = ids
    };

    nf_record_write(&nf_batch_record, w, &b);
}

static int read_batch(size_t V, size_t context, struct nf_batch *b)
{
    struct nf_reader *r = stream(one_batch);
    const msgpack_object *rec;
    int rc = r ? nf_reader_next(r, &rec) : NF_EFORMAT;

    if (rc == NF_OK)
        rc = nf_record_read(&nf_batch_record, rec, &(struct nf_sizes){ .V = V, .context = context }, b, &err);
    nf_reader_close(r);
    return rc;
}

static void batch_round_trip(void)
{
    struct nf_batch b = { 0 };

    CHECK(read_batch(10, 3, &b) == NF_OK);
    CHECK(b.batch == 5 && b.W == 2 && b.T == 5 && b.bos[0] == 1 && b.bos[1] == 0);
    CHECK(memcmp(b.ids, ids, sizeof ids) == 0 && memcmp(b.start, start, sizeof start) == 0 &&
          memcmp(b.length, length, sizeof length) == 0);
    nf_record_clear(&nf_batch_record, &b);
}

static void batch_refusals(void)
{
    struct nf_batch b = { 0 };

    CHECK(read_batch(9, 3, &b) == NF_EFORMAT && strstr(err.text, "batch.ids: 9 at [1], below V = 9 expected"));
    CHECK(read_batch(10, 2, &b) == NF_EFORMAT && strstr(err.text, "batch.length: 3 at [1], below context+1 = 3 expected"));
    length[1] = 2;
    CHECK(read_batch(10, 3, &b) == NF_EFORMAT && strstr(err.text, "batch: 5 ids, the sum of length = 4 expected"));
    length[1] = 3;
    bos[1] = 2;
    CHECK(read_batch(10, 3, &b) == NF_EFORMAT && strstr(err.text, "batch.bos: 2 at [1], from 0 to 1 expected"));
    bos[1] = 0;
    nf_record_clear(&nf_batch_record, &b);
}

enum { WIDTH = 300000, ROWS = 9 }; /* floats: three rows a record of 4 MiB */
static float *big;

static void wide_rows(struct nf_writer *w)
{
    struct nf_site_rows s = {
        .batch = 1, .site = "logits", .layer = 6, .row = 2, .near_zero = NF_NONE, .data = nf_tensor_2d(NF_F32, big, ROWS, WIDTH)
    };

    nf_site_rows_write(w, &s);
}

static void rows_are_cut_below_the_limit(void)
{
    struct nf_reader *r;
    const msgpack_object *rec;
    struct nf_site_rows s;
    size_t row = 2, records = 0;
    int rc;

    big = malloc(sizeof *big * ROWS * WIDTH);
    for (size_t i = 0; i < (size_t)ROWS * WIDTH; i++)
        big[i] = (float)i;
    r = stream(wide_rows);
    while (r && (rc = nf_reader_next(r, &rec)) == NF_OK) {
        CHECK(nf_record_read(&nf_site_record, rec, NULL, &s, &err) == NF_OK);
        CHECK(s.row == row && s.layer == 6 && strcmp(s.site, "logits") == 0 && s.data.shape[1] == WIDTH);
        CHECK(memcmp(s.data.data, big + (row - 2) * WIDTH, s.data.shape[0] * WIDTH * sizeof *big) == 0);
        row += s.data.shape[0];
        records++;
    }
    CHECK(rc == NF_EOF && row == 2 + ROWS && records == 3);
    nf_reader_close(r);
    free(big);
}

static uint8_t bits[6] = { 1, 2, 3, 4, 5, 6 };
static const char *site = "ffn.active";
static enum nf_dtype dtype = NF_U8;

static void active_rows(struct nf_writer *w)
{
    struct nf_site_rows s = { .layer = 1, .near_zero = 7, .data = nf_tensor_2d(dtype, bits, 3, dtype == NF_U8 ? 2 : 1) };

    snprintf(s.site, sizeof s.site, "%s", site);
    nf_site_rows_write(w, &s);
}

static void active_carries_near_zero_and_bits_only(void)
{
    struct nf_reader *r = stream(active_rows);
    const msgpack_object *rec;
    struct nf_site_rows s;

    CHECK(r && nf_reader_next(r, &rec) == NF_OK && nf_record_read(&nf_site_record, rec, NULL, &s, &err) == NF_OK);
    CHECK(s.near_zero == 7 && s.data.shape[0] == 3 && s.data.shape[1] == 2);
    nf_reader_close(r);
    dtype = NF_F16;
    r = stream(active_rows);
    CHECK(r && nf_reader_next(r, &rec) == NF_OK && nf_record_read(&nf_site_record, rec, NULL, &s, &err) == NF_EFORMAT &&
          strstr(err.text, "f16"));
    nf_reader_close(r);
    dtype = NF_U8;
    site = "ffn.out";
    r = stream(active_rows);
    CHECK(r && nf_reader_next(r, &rec) == NF_OK && nf_record_read(&nf_site_record, rec, NULL, &s, &err) == NF_EFORMAT &&
          strstr(err.text, "u8"));
    nf_reader_close(r);
}

int main(void)
{
    return RUN(batch_round_trip, batch_refusals, rows_are_cut_below_the_limit, active_carries_near_zero_and_bits_only);
}
