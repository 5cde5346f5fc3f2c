/* fuzz_stream.c - any bytes as a stream: scan, frame, header, and every record by each table of its name, written again and read again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record/context.h"
#include "record/kind.h"
#include "stream/mp.h"
#include "stream/reader.h"

static const struct nf_sizes sizes = { .V = 260, .F = 8, .context = 8, .Q = 1, .L = 1 };   /* of the streams in the corpus */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct nf_vocab vocab;
    struct nf_any_record any;
    struct nf_writer *out;
};

/* What was read can be written. */
static void read_record(const msgpack_object *rec, struct seen *s)
{
    nf_context_read(rec, &s->vocab, NULL);
    for (size_t k = 0; k < NF_KINDS; k++)
        if (nf_any_read(&s->any, &nf_kinds[k], rec, k % 2 ? &sizes : NULL, NULL) == NF_OK)
            nf_record_write(s->any.type, s->out, s->any.rec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nf_err err = NF_ERR_INIT, lost = NF_ERR_INIT;
    struct seen s = { 0 };
    const msgpack_object *rec;
    struct nf_reader *r;
    json_t *header = json_pack("{s:s}", "kind", "any");
    int fd = memfd_create("stream", 0), out = memfd_create("again", 0);

    if (fd < 0 || out < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    s.out = nf_writer_open(out, header, true, &lost);
    json_decref(header);
    r = nf_reader_open(fd, "input", NULL, &err);
    while (r && nf_reader_next(r, &rec) == NF_OK) {
        json_decref(nf_mp_json(rec, NULL));
        read_record(rec, &s);
    }
    nf_reader_close(r);
    nf_writer_abort(s.out);
    nf_vocab_clear(&s.vocab);
    nf_any_clear(&s.any);
    close(fd);
    close(out);
    return 0;
}
