/*
 * make_activations.c - a stream of ffn.active of the wanted size with random bits, for measuring reduce-stats alone.
 *
 *   make_activations LAYERS FFN VOCABULARY WINDOWS DENSITY > activations.nf
 *
 * Windows of 512 with BOS, 4 a batch, in 7 domains; tokens follow Zipf's law (1 / rank); a neuron fires with probability DENSITY (a
 * power of 1/2 is fastest to draw: 0.5, 0.25, ..) on every token: the worst case for bit planes, since no carry dies out early.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/prog.h"
#include "die.h"
#include "base/rng.h"
#include "record/activations.h"
#include "record/context.h"

enum { T = 512, WINDOWS = 4, DOMAINS = 7 };

struct shape {
    size_t L, F, V, windows;
    unsigned halvings;
};

static json_t *header_of(const struct shape *s)
{
    json_t *h =
        json_pack("{s:s, s:i, s:s, s:{s:s, s:I}, s:i, s:{s:[i,i]}, s:[{s:s, s:[], s:I}], s:[]}", "format", "neurofilters",
                  "version", 1, "kind", "activations", "tokenizer", "digest", "none", "vocab", (json_int_t)s->V, "context", T,
                  "capture", "positions", 0, T, "sites", "site", "ffn.active", "layers", "width", (json_int_t)s->F, "history");
    json_t *layers = json_object_get(json_array_get(json_object_get(h, "sites"), 0), "layers");

    for (size_t l = 0; l < s->L; l++)
        json_array_append_new(layers, json_integer((json_int_t)l));
    return h;
}

static void write_vocab(struct nf_writer *w, size_t V, struct nf_err *err)
{
    struct nf_vocab vocab = { 0 };
    char token[24];

    for (size_t v = 0; v < V; v++) {
        snprintf(token, sizeof token, "t%zu", v);
        nf_vocab_add(&vocab, token, strlen(token), err);
    }
    nf_vocab_write(w, &vocab);
    nf_vocab_clear(&vocab);
}

/* Inverse transform of a density 1 / x on [1, V): ranks by Zipf's law. */
static uint32_t zipf(struct nf_rng *rng, size_t V)
{
    return (uint32_t)fmin(exp(nf_rng_unit(rng) * log((double)V)), (double)V - 1);
}

static void fill_bits(struct nf_rng *rng, unsigned halvings, unsigned char *bits, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t x = nf_rng_next(rng);

        for (unsigned h = 1; h < halvings; h++)
            x &= nf_rng_next(rng);
        memcpy(bits + i, &x, n - i < 8 ? n - i : 8);
    }
}

static void write_batch(const struct shape *s, struct nf_writer *w, struct nf_batch *b, unsigned char *bits, struct nf_rng *rng)
{
    static const char *const domain[] = { "A", "B", "C", "D", "E", "F", "G" };
    size_t bytes = s->F / 8;
    struct nf_site_rows rows = { .batch = b->batch, .site = "ffn.active", .data = nf_tensor_2d(NF_U8, bits, b->T, bytes) };

    for (size_t i = 0; i < WINDOWS; i++) {
        size_t window = b->batch * WINDOWS + i;

        b->doc[i] = (uint32_t)window;
        b->window[i] = b->start[i] = 0;
        b->length[i] = T;
        b->bos[i] = 1;
        for (size_t p = 0; p < T; p++)
            b->ids[i * T + p] = p ? zipf(rng, s->V) : 0;
        nf_record_write(&nf_doc_record, w,
                        &(struct nf_doc){ .doc = window, .name = "w", .domain = domain[window % DOMAINS], .bytes = NF_NONE });
    }
    nf_record_write(&nf_batch_record, w, b);
    for (rows.layer = 0; rows.layer < s->L; rows.layer++) {
        fill_bits(rng, s->halvings, bits, b->T * bytes);
        nf_site_rows_write(w, &rows);
    }
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_rng rng = { 1 };
    struct nf_batch b = { .W = WINDOWS, .T = WINDOWS * T };
    struct shape s;
    struct nf_writer *w;
    unsigned char *bits;
    json_t *header;

    nf_prog_start("make_activations", argv);
    if (argc != 6)
        nf_die(NF_EXIT_USAGE, "LAYERS FFN VOCABULARY WINDOWS DENSITY are expected");
    s = (struct shape){ strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10) / 8 * 8, strtoul(argv[3], NULL, 10),
                        strtoul(argv[4], NULL, 10), (unsigned)lround(-log2(strtod(argv[5], NULL))) };
    bits = nf_alloc(b.T, s.F / 8, &err);
    header = header_of(&s);
    w = nf_writer_open(STDOUT_FILENO, header, true, &err);
    if (!bits || !w || nf_batch_reserve(&b, b.W, b.T, &err) < 0)
        nf_die_err(&err);
    write_vocab(w, s.V, &err);
    for (b.batch = 0; b.batch < s.windows / WINDOWS; b.batch++)
        write_batch(&s, w, &b, bits, &rng);
    if (nf_writer_close(w, NULL) < 0)
        nf_die_err(&err);
    json_decref(header);
    nf_record_clear(&nf_batch_record, &b);
    free(bits);
    return NF_EXIT_OK;
}
