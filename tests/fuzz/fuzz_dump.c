/*
 * fuzz_dump.c - any bytes as a stream, and whatever is accepted through everything that looks at records of any kind:
 * the text forms, tables, arrays, the comparator and the checks of its kind.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inspect/arrays.h"
#include "inspect/check.h"
#include "inspect/compare.h"
#include "inspect/json_text.h"
#include "inspect/table.h"
#include "inspect/text.h"
#include "record/kind.h"
#include "record/plain.h"
#include "stream/mp.h"
#include "stream/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sinks {
    FILE *null;
    const struct nf_record *type;   /* of the table's rows */
    msgpack_zone *zone;
    struct nf_vocab vocab;
    struct nf_table *table;
    struct nf_arrays *arrays;
    struct nf_check *check;   /* NULL: not of a kind that is known */
};

static void show(struct sinks *s, const msgpack_object *rec)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_compare same = { .nan_equal = true };
    msgpack_object plain;

    nf_context_read(rec, &s->vocab, &err);
    nf_text_record(s->null, rec, &s->vocab, 8);
    nf_json_text(s->null, rec);
    msgpack_zone_clear(s->zone);
    nf_table_see(s->table, rec, &err);
    if (nf_plain_record(s->type, rec, &s->vocab, s->zone, &plain, &err) == NF_OK)
        nf_table_row(s->table, &plain);
    err = (struct nf_err)NF_ERR_INIT;
    nf_arrays_add(s->arrays, rec, NULL, &err);
    nf_compare(&same, rec, rec);
    nf_mp_path(rec, "a.0.b");
}

static void read_records(struct sinks *s, struct nf_reader *r)
{
    struct nf_err err = NF_ERR_INIT;
    const msgpack_object *rec;
    int rc;

    s->check = nf_check_open(nf_reader_header(r), &err);
    nf_text_header(s->null, nf_reader_header(r));
    while ((rc = nf_reader_next(r, &rec)) == NF_OK) {
        show(s, rec);
        if (s->check)
            nf_check_record(s->check, rec, NULL);
    }
    if (rc == NF_EOF && s->check)
        nf_check_end(s->check, nf_reader_end(r), NULL);
    nf_check_close(s->check);
    err = (struct nf_err)NF_ERR_INIT;
    nf_arrays_safetensors(s->arrays, s->null, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nf_err err = NF_ERR_INIT;
    struct sinks s = { .null = fopen("/dev/null", "w") };
    int fd = memfd_create("input", MFD_CLOEXEC);
    struct nf_reader *r;

    if (!s.null || fd < 0 || (size && write(fd, data, size) != (ssize_t)size) || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    s.type = nf_kind_record(nf_kind_find("neurons"), "neuron", 6);
    s.zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
    s.table = nf_table_open(s.null, ',', s.type, NULL, 0, true, &err);
    s.arrays = nf_arrays_open(&err);
    if (!s.zone || !s.table || !s.arrays)
        abort();
    r = nf_reader_open(fd, "input", NULL, &err);
    if (r)
        read_records(&s, r);
    nf_reader_close(r);
    nf_arrays_close(s.arrays);
    nf_table_close(s.table);
    nf_vocab_clear(&s.vocab);
    msgpack_zone_free(s.zone);
    fclose(s.null);
    close(fd);
    return 0;
}
