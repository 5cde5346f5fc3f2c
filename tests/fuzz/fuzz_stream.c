/* fuzz_stream.c - any bytes as a stream: scan, frame, header, and every record as every kind that reads it. */
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record/activations.h"
#include "record/context.h"
#include "record/stats.h"
#include "record/tokens.h"
#include "stream/reader.h"

enum { V = 260, F = 8, CONTEXT = 8, Q = 1 };   /* of the streams in the corpus */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct nf_vocab vocab;
    struct nf_window window;
    struct nf_batch batch;
    struct nf_totals totals;
};

static void read_context(const msgpack_object *rec, struct seen *s)
{
    struct nf_doc doc;

    nf_context_read(rec, &s->vocab, NULL);
    if (nf_mp_is(rec, "doc"))
        nf_doc_read(rec, &doc, NULL);
    if (nf_mp_is(rec, "window"))
        nf_window_read(rec, V, CONTEXT, &s->window, NULL);
}

static void read_activations(const msgpack_object *rec, struct seen *s)
{
    struct nf_site_rows rows;

    if (nf_mp_is(rec, "batch"))
        nf_batch_read(rec, V, CONTEXT, &s->batch, NULL);
    if (nf_mp_is(rec, "site"))
        nf_site_rows_read(rec, &rows, NULL);
}

static void read_stats(const msgpack_object *rec, struct seen *s)
{
    struct nf_ngrams ngrams;
    struct nf_counts counts;
    struct nf_lost_ngrams lost_ngrams;
    struct nf_lost lost;
    struct nf_fires fires;
    struct nf_position position;
    struct nf_domain_position domain;
    struct nf_moments_rec moments;
    struct nf_histogram_rec histogram;
    struct nf_top_rec top;

    if (nf_mp_is(rec, "totals")) {
        nf_totals_clear(&s->totals);
        nf_totals_read(rec, &s->totals, NULL);
    }
    nf_ngrams_read(rec, &ngrams, NULL);
    nf_counts_read(rec, F, &counts, NULL);
    nf_lost_ngrams_read(rec, &lost_ngrams, NULL);
    nf_lost_read(rec, F, &lost, NULL);
    nf_fires_read(rec, F, Q, &fires, NULL);
    nf_position_read(rec, F, &position, NULL);
    nf_domain_position_read(rec, F, &domain, NULL);
    nf_moments_rec_read(rec, &moments, NULL);
    nf_histogram_rec_read(rec, &histogram, NULL);
    nf_top_rec_read(rec, &top, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nf_err err = NF_ERR_INIT;
    struct seen s = { 0 };
    const msgpack_object *rec;
    struct nf_reader *r;
    int fd = memfd_create("stream", 0);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0) {
        close(fd);
        return 0;
    }
    r = nf_reader_open(fd, "input", NULL, &err);
    while (r && nf_reader_next(r, &rec) == NF_OK) {
        json_decref(nf_mp_json(rec, NULL));
        read_context(rec, &s);
        read_activations(rec, &s);
        read_stats(rec, &s);
    }
    nf_reader_close(r);
    nf_vocab_clear(&s.vocab);
    nf_window_clear(&s.window);
    nf_batch_clear(&s.batch);
    nf_totals_clear(&s.totals);
    close(fd);
    return 0;
}
