/* test_record.c - reading and writing by tables: every type of field, every refusal, and that the tables of all records are sound. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "record/field.h"
#include "record/kind.h"
#include "record/neurons.h"
#include "record/walk.h"
#include "stream/mp.h"
#include "stream/reader.h"

/* ---- a record with every type of field ---- */

enum colour { RED, GREEN, BLUE, COLOURS };
static const char *const colours[COLOURS] = { "red", "green", "blue" };
static const char *const places[2] = { "first", "last" };

struct pair {
    uint64_t a;
    double b;
};

struct inner {
    size_t n;
    const double *x;
    double share;
};

struct sample {
    size_t P, k, words, F, bytes, pairs;
    uint64_t count;
    uint32_t small, maybe;
    size_t layer, scope;
    double mean, perhaps;
    float narrow;
    bool yes;
    enum nf_verdict sure;
    const char *text;
    char name[8];
    enum colour colour;
    unsigned set;
    bool orders[3];
    uint64_t at[2];
    const char *const *word;
    const struct nf_blob *blob;
    struct nf_gram gram;
    struct inner inner;
    const struct inner *far;
    bool grouped;
    uint64_t grouped_a, grouped_b;
    bool known;
    uint64_t nullable;
    const struct pair *pair;
    struct pair fixed[3];
    const void *matrix, *packed;
    const uint32_t *ids;
    struct nf_tensor any;
    struct nf_mem mem;
};

#define REC struct pair
static const struct nf_field pair_rows[] = { UINT(a, "a"), REAL(b, "b") };
static const struct nf_record pair_record = RECORD("pair", pair_rows, "a pair");
#undef REC

#define REC struct inner
static const struct nf_field inner_rows[] = {
    SIZE(n, "numbers"),
    REALS(x, "n", "numbers", .max = 10, .flags = NF_ITEM_NIL),
    REAL(share, "range of the row above", .flags = NF_INHERIT),
};
static const struct nf_record inner_record = RECORD("inner", inner_rows, "a map");
#undef REC

static int check_sample(const void *rec, struct nf_err *err)
{
    return ((const struct sample *)rec)->count == 7 ? nf_fail(err, NF_EFORMAT, "seven is not liked") : NF_OK;
}

#define REC struct sample
static const struct nf_field rows[] = {
    SIZE(k, "items of matrix"),
    SIZE(words, "words"),
    SIZE(bytes, "blobs"),
    SIZE(pairs, "pairs", .max = 4),
    SIZE(F, "units"),
    UINT(P, "points", .min = 2, .max = 9),
    UINT(count, "count", .min = 1, .max = 9),
    UINT(small, "of 32 bits"),
    UINT(maybe, "may be absent", .flags = NF_OPT),
    UINT(layer, "layer", .below = "L"),
    UINT(scope, "or all", .flags = NF_ALL),
    REAL(mean, "from -1 to 1", .min = -1, .max = 1),
    REAL(perhaps, "may be nil", .flags = NF_NIL),
    REAL(narrow, "a float"),
    BOOL_AS("yes", yes, "a bool"),
    VERDICT(sure, "or open"),
    TEXT(text, "any text"),
    NAME(name, "a short name"),
    CHOICE(colour, colours, "a colour"),
    SET(set, colours, "colours"),
    NUMBERS("orders", orders, "numbers"),
    COUNTS(at, places, "counts"),
    TEXTS(word, "words", "words", .flags = NF_ASCENDING),
    BYTES(blob, "bytes", "bytes"),
    GRAM(gram, "an n-gram"),
    MAP(inner, inner_record, "a map", .max = 2),
    MAP_AT("far", far, inner_record, "a map that may be absent", .max = 1, .flags = NF_OPT),
    UINT(grouped_a, "there when grouped", .group = WHEN(grouped)),
    UINT(grouped_b, "likewise", .group = WHEN(grouped)),
    UINT(nullable, "nil unless known", .nil = WHEN(known)),
    TUPLES(pair, pair_record, "pairs", "pairs"),
    TUPLES_IN("fixed", fixed, pair_record, "3", "pairs, of which some may be nil", .flags = NF_ITEM_NIL),
    TENSOR(matrix, F64, "P,k+1", "numbers", .flags = NF_NAN),
    TENSOR(packed, U8, "(F+7)/8", "bits"),
    ARRAY(ids, U32, "k", "ids", .below = "V"),
    ANY(any, "any tensor"),
};
static const struct nf_record sample_record = RECORD("sample", rows, "all types", .check = check_sample, .mem = NF_MEM);
#undef REC

static const struct nf_sizes sizes = { .V = 100, .L = 4, .F = 12 };

/* One that every check accepts. */
static struct sample good(void)
{
    static const char *const word[] = { "a", "b", "bc" };
    static const struct nf_blob blob[] = { { "\0\1", 2 }, { "", 0 } };
    static const double x[] = { 1, NAN, 3 };
    static const struct inner far = { .n = 0, .x = x, .share = 0.5 };
    static const struct pair pair[] = { { 1, 0.5 }, { 2, -1 } };
    static const double matrix[3 * 3] = { 1, 2, NAN, 4, 5, 6, 7, 8, 9 };
    static const uint32_t ids[] = { 99, 0 };
    static const float any[] = { 1, 2 };

    return (struct sample){ .P = 3,
                            .k = 2,
                            .words = 3,
                            .F = 12,
                            .bytes = 2,
                            .pairs = 2,
                            .count = 9,
                            .small = 5,
                            .maybe = UINT32_MAX,
                            .layer = 3,
                            .scope = NF_NONE,
                            .mean = -1,
                            .perhaps = NAN,
                            .narrow = 0.1f,
                            .yes = true,
                            .sure = NF_OPEN,
                            .text = "na\xc3\xafve",
                            .name = "site",
                            .colour = BLUE,
                            .set = 1u << RED | 1u << BLUE,
                            .orders = { true, false, true },
                            .at = { 3, 0 },
                            .word = word,
                            .blob = blob,
                            .gram = { 2, { 5, 6 } },
                            .inner = { 3, x, 2 },
                            .far = &far,
                            .grouped = true,
                            .grouped_a = 1,
                            .grouped_b = 2,
                            .known = true,
                            .nullable = 8,
                            .pair = pair,
                            .fixed = { { 1, 1 }, { NF_NONE, 0 }, { 3, 3 } },
                            .matrix = matrix,
                            .packed = "\x01\x02",
                            .ids = ids,
                            .any = nf_tensor_2d(NF_F32, any, 2, 1) };
}

/* ---- a stream of one record, in a temporary file ---- */

struct held {
    int fd;
    struct nf_reader *in;
    const msgpack_object *rec;
    struct nf_err err;
};

static struct nf_writer *begin(struct held *h)
{
    FILE *f = tmpfile();
    json_t *header = json_pack("{s:s,s:i,s:s,s:[]}", "format", "neurofilters", "version", 1, "kind", "any", "history");
    struct nf_writer *w;

    *h = (struct held){ .fd = dup(fileno(f)), .err = NF_ERR_INIT };
    fclose(f);
    w = nf_writer_open(h->fd, header, true, &h->err);
    json_decref(header);
    return w;
}

static void end(struct held *h, struct nf_writer *w)
{
    CHECK(nf_writer_close(w, NULL) == NF_OK);
    lseek(h->fd, 0, SEEK_SET);
    h->in = nf_reader_open(h->fd, "test", NULL, &h->err);
    CHECK(h->in && nf_reader_next(h->in, &h->rec) == NF_OK);
}

static void drop(struct held *h)
{
    nf_reader_close(h->in);
    close(h->fd);
}

static void hold(struct held *h, const struct sample *s)
{
    struct nf_writer *w = begin(h);

    nf_record_write(&sample_record, w, s);
    end(h, w);
}

/* ---- round trip ---- */

static void check_members(const struct sample *a, const struct sample *b)
{
    CHECK(a->P == b->P && a->k == b->k && a->words == b->words && a->bytes == b->bytes && a->pairs == b->pairs);
    CHECK(a->count == b->count && a->small == b->small && a->maybe == b->maybe && a->layer == b->layer && a->scope == b->scope);
    CHECK(a->mean == b->mean && isnan(b->perhaps) && a->narrow == b->narrow && b->yes && b->sure == NF_OPEN);
    CHECK(strcmp(a->text, b->text) == 0 && strcmp(a->name, b->name) == 0 && a->colour == b->colour && a->set == b->set);
    CHECK(b->orders[0] && !b->orders[1] && b->orders[2] && b->at[0] == 3 && b->at[1] == 0);
    CHECK(strcmp(b->word[2], "bc") == 0 && b->blob[0].n == 2 && memcmp(b->blob[0].p, "\0\1", 2) == 0 && b->blob[1].n == 0);
    CHECK(b->gram.n == 2 && b->gram.id[1] == 6 && b->inner.n == 3 && b->inner.x[2] == 3 && isnan(b->inner.x[1]) &&
          b->inner.share == 2);
    CHECK(b->far && b->far->n == 0 && b->far->share == 0.5 && b->grouped && b->grouped_b == 2 && b->known && b->nullable == 8);
    CHECK(b->pair[1].a == 2 && b->pair[1].b == -1 && b->fixed[0].a == 1 && b->fixed[1].a == NF_NONE && b->fixed[2].b == 3);
    CHECK(memcmp(a->matrix, b->matrix, 9 * sizeof(double)) == 0 && memcmp(b->packed, "\x01\x02", 2) == 0);
    CHECK(b->ids[0] == 99 && b->ids[1] == 0 && b->any.ndim == 2 && b->any.dtype == NF_F32 && nf_tensor_real(&b->any, 1) == 2);
}

static void what_is_written_is_read(void)
{
    struct sample a = good(), b = { 0 };
    struct held h, again;
    const void *p, *q;
    size_t n, m;

    hold(&h, &a);
    CHECK(nf_record_read(&sample_record, h.rec, &sizes, &b, &h.err) == NF_OK);
    check_members(&a, &b);
    CHECK(b.F == 12);
    hold(&again, &b);
    nf_reader_bytes(h.in, &p, &n);
    nf_reader_bytes(again.in, &q, &m);
    CHECK(n == m && memcmp(p, q, n) == 0);
    CHECK(nf_record_read(&sample_record, again.rec, NULL, &b, &h.err) == NF_OK); /* no sizes, the same memory */
    check_members(&a, &b);
    CHECK(b.F == 0); /* (F+7)/8 = 2 does not tell F */
    nf_record_clear(&sample_record, &b);
    CHECK(b.mem.chunk == NULL && b.count == 0);
    drop(&h);
    drop(&again);
}

static void what_is_none_is_absent_or_nil(void)
{
    struct sample a = good(), b = { 0 };
    struct held h;

    a.maybe = 4;
    a.far = NULL;
    a.grouped = a.known = false;
    a.perhaps = 2;
    a.scope = 1;
    a.sure = NF_NO;
    a.words = a.pairs = a.k = 0;
    hold(&h, &a);
    CHECK(!nf_mp_find(h.rec, "far") && !nf_mp_find(h.rec, "grouped_a") &&
          nf_mp_find(h.rec, "nullable")->type == MSGPACK_OBJECT_NIL);
    CHECK(nf_record_read(&sample_record, h.rec, &sizes, &b, &h.err) == NF_OK);
    CHECK(b.maybe == 4 && !b.far && !b.grouped && !b.known && b.perhaps == 2 && b.scope == 1 && b.sure == NF_NO);
    CHECK(b.words == 0 && b.pairs == 0 && b.k == 0);
    nf_record_clear(&sample_record, &b);
    drop(&h);
}

/* A team: only models of some size have one. */
static void a_team_is_read_as_written(void)
{
    static const size_t neurons[] = { 3, 8 }, loss[] = { 4, 0 }, greedy[] = { 8, 3 }, gain[] = { 9, 4 };
    const struct nf_team_rec a = { .layer = 1,
                                   .type = NF_BOTH,
                                   .strong = true,
                                   .n = 2,
                                   .neurons = neurons,
                                   .loss = loss,
                                   .covered = 13,
                                   .context = 64,
                                   .multiplicity = 1.5,
                                   .greedy = greedy,
                                   .gain = gain };
    struct nf_team_rec b = { 0 };
    struct held h;
    struct nf_writer *w = begin(&h);

    nf_record_write(&nf_team_record, w, &a);
    end(&h, w);
    CHECK(nf_record_read(&nf_team_record, h.rec, &sizes, &b, &h.err) == NF_OK);
    CHECK(b.layer == 1 && b.type == NF_BOTH && b.strong && b.n == 2 && b.covered == 13 && b.context == 64 && b.multiplicity == 1.5);
    CHECK(b.neurons[1] == 8 && b.loss[0] == 4 && b.greedy[1] == 3 && b.gain[0] == 9);
    CHECK(h.rec->via.map.size == 11);
    nf_record_clear(&nf_team_record, &b);
    drop(&h);
}

/* ---- refusals: the record as JSON with one value changed, or without it ---- */

static void refused_as(const char *key, json_t *v, const char *expected)
{
    struct sample a = good(), b = { 0 };
    struct held h, changed;
    struct nf_writer *w;
    struct nf_enc *e;
    char *keys[64];
    size_t n = 0;

    hold(&h, &a);
    w = begin(&changed);
    e = nf_writer_begin(w);
    nf_enc_map(e, h.rec->via.map.size - (v == NULL));
    for (uint32_t i = 0; i < h.rec->via.map.size; i++) {
        const msgpack_object_kv *pair = &h.rec->via.map.ptr[i];

        keys[n] = strndup(pair->key.via.str.ptr, pair->key.via.str.size);
        if (strcmp(keys[n], key) != 0) {
            nf_enc_str(e, keys[n]);
            e->failed |= msgpack_pack_object(&e->pk, pair->val) != 0;
        } else if (v) {
            nf_enc_str(e, keys[n]);
            nf_enc_json(e, v);
        }
        free(keys[n++]);
    }
    nf_writer_end(w);
    end(&changed, w);
    CHECK(nf_record_read(&sample_record, changed.rec, &sizes, &b, &changed.err) == NF_EFORMAT);
    if (strcmp(changed.err.text, expected) != 0) {
        printf("# %s, not %s\n", changed.err.text, expected);
        check_failed = true;
    }
    json_decref(v);
    nf_record_clear(&sample_record, &b);
    drop(&h);
    drop(&changed);
}

static void refusals_name_field_value_and_expectation(void)
{
    refused_as("count", NULL, "sample.count: missing");
    refused_as("count", json_integer(0), "sample.count: 0, an integer from 1 to 9 expected");
    refused_as("count", json_integer(10), "sample.count: 10, an integer from 1 to 9 expected");
    refused_as("count", json_integer(-3), "sample.count: -3, an integer from 1 to 9 expected");
    refused_as("count", json_real(1.5), "sample.count: 1.5, an integer from 1 to 9 expected");
    refused_as("count", json_null(), "sample.count: nil, an integer from 1 to 9 expected");
    refused_as("count", json_integer(7), "sample: seven is not liked");
    refused_as("small", json_integer(4294967295), "sample.small: 4294967295, below 4294967295 expected");
    refused_as("layer", json_integer(4), "sample.layer: 4, below L = 4 expected");
    refused_as("scope", json_string("none"), "sample.scope: \"none\", an integer expected");
    refused_as("mean", json_real(1.25), "sample.mean: 1.25, a number from -1 to 1 expected");
    refused_as("mean", json_string("x"), "sample.mean: \"x\", a number from -1 to 1 expected");
    refused_as("mean", json_null(), "sample.mean: nil, a number from -1 to 1 expected");
    refused_as("yes", json_integer(1), "sample.yes: 1, true or false expected");
    refused_as("sure", json_string("no"), "sample.sure: \"no\", true, false or nil expected");
    refused_as("text", json_integer(1), "sample.text: 1, text in UTF-8 without NUL expected");
    refused_as("text", json_stringn("a\0b", 3), "sample.text: \"a\\x00b\", text in UTF-8 without NUL expected");
    refused_as("name", json_string("sixteen."), "sample.name: \"sixteen.\", a name of 1 to 7 bytes expected");
    refused_as("colour", json_string("pink"), "sample.colour: \"pink\", red, green or blue expected");
    refused_as("set", json_pack("[s,s]", "red", "pink"), "sample.set: \"pink\", an array of red, green or blue expected");
    refused_as("orders", json_pack("[i]", 4), "sample.orders: 4, an array of integers from 1 to 3 expected");
    refused_as("at", json_pack("{s:i}", "first", 1), "sample.at: no count of last");
    refused_as("word", json_pack("[s,s]", "b", "a"), "sample.word[1]: not above the one before");
    refused_as("blob", json_pack("[s]", "x"), "sample.blob[0]: \"x\", bin expected");
    refused_as("gram", json_pack("[i,i,i,i]", 1, 2, 3, 4),
               "sample.gram: an array of 4, a token id, or an array of 2 or 3 expected");
    refused_as("gram", json_integer(100), "sample.gram: token id 100, below V = 100 expected");
    refused_as("inner", json_pack("{s:[f,f],s:f}", "x", 1.0, 11.0, "share", 1.0),
               "sample.inner.x[1]: 11, a number from 0 to 10 expected");
    refused_as("inner", json_pack("{s:[],s:f}", "x", "share", 3.0), "sample.inner.share: 3, a number from 0 to 2 expected");
    refused_as("far", json_pack("{s:[],s:f}", "x", "share", 1.5), "sample.far.share: 1.5, a number from 0 to 1 expected");
    refused_as("far", json_pack("[]"), "sample.far: an array of 0, a map expected");
    refused_as("grouped_a", NULL, "sample.grouped_b: there, but grouped_a is missing");
    refused_as("grouped_b", NULL, "sample.grouped_b: missing");
    refused_as("pair", json_pack("[[i,f],[i]]", 1, 1.0, 1), "sample.pair[1]: an array of 1, an array of 2 expected");
    refused_as("pair", json_pack("[[],[],[],[],[]]"), "sample.pair: pairs = 5, an integer from 0 to 4 expected");
    refused_as("fixed", json_pack("[n,n]"), "sample.fixed: [2], [3] expected");
    refused_as("matrix", json_pack("[i]", 1), "sample.matrix: an array of 1, a tensor whose shape fits its data expected");
}

/* Tensors of another shape or with other elements than the struct that is written says. */
static void tensor_refused(const struct sample *a, const struct nf_sizes *s, const char *expected)
{
    struct sample b = { 0 };
    struct held h;

    hold(&h, a);
    CHECK(nf_record_read(&sample_record, h.rec, s, &b, &h.err) == NF_EFORMAT);
    if (strcmp(h.err.text, expected) != 0) {
        printf("# %s, not %s\n", h.err.text, expected);
        check_failed = true;
    }
    nf_record_clear(&sample_record, &b);
    drop(&h);
}

static void shapes_and_elements_are_checked(void)
{
    static const double infinite[9] = { 0, 0, 0, 0, 0, INFINITY };
    static const uint32_t ids[] = { 99, 100 };
    static const float none[] = { 1, NAN };
    const struct nf_sizes other = { .F = 17 };
    struct sample a = good();

    tensor_refused(&a, &other, "sample.packed: u1[2], u1[(F+7)/8] = u1[3] expected");
    a.matrix = infinite;
    tensor_refused(&a, &sizes, "sample.matrix: inf at [1,2], a finite number expected");
    a = good();
    a.ids = ids;
    tensor_refused(&a, &sizes, "sample.ids: 100 at [1], below V = 100 expected");
    a = good();
    a.any = nf_tensor_1d(NF_F32, none, 2);
    tensor_refused(&a, &sizes, "sample.any: nan at [1], a finite number expected");
}

static void keys_in_any_order_and_unknown_ones(void)
{
    struct sample a = good(), b = { 0 };
    struct held h, turned;
    struct nf_writer *w;
    struct nf_enc *e;

    hold(&h, &a);
    w = begin(&turned);
    e = nf_writer_begin(w);
    nf_enc_map(e, h.rec->via.map.size + 1);
    for (uint32_t i = 0; i < h.rec->via.map.size; i++) {
        const msgpack_object_kv *pair = &h.rec->via.map.ptr[i ? h.rec->via.map.size - i : 0];

        e->failed |= msgpack_pack_object(&e->pk, pair->key) != 0 || msgpack_pack_object(&e->pk, pair->val) != 0;
        if (i == 3) {
            nf_enc_str(e, "of tomorrow");
            nf_enc_uint(e, 1);
        }
    }
    nf_writer_end(w);
    end(&turned, w);
    /* ids come before matrix: its shape then tells k, and matrix must fit */
    CHECK(nf_record_read(&sample_record, turned.rec, &sizes, &b, &turned.err) == NF_OK);
    check_members(&a, &b);
    nf_record_clear(&sample_record, &b);
    drop(&h);
    drop(&turned);
}

/* ---- the tables of all records ---- */

static void say(const struct nf_record *r, const struct nf_field *f, const char *what)
{
    printf("# %s.%s: %s\n", r->type, f ? f->key : "", what);
    check_failed = true;
}

struct any_name {
    const struct nf_record *record;
    const struct nf_field *before; /* rows above this one */
};

/* A name in a shape is a row above, or a size of the stream. */
static bool is_known(const void *context, const char *name, size_t *v)
{
    const struct any_name *a = context;
    const struct nf_sizes all = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };

    *v = 1;
    for (const struct nf_field *f = a->record->field; f < a->before; f++)
        if (strcmp(f->key, name) == 0 && (f->type == NF_FIELD_SIZE || f->type == NF_FIELD_UINT) && !f->list)
            return true;
    return nf_sizes_find(&all, name) != 0;
}

static void check_shape(const struct nf_record *r, const struct nf_field *f, const char *shape)
{
    const struct any_name names = { r, f };
    struct nf_dim d;

    while (*shape) {
        shape = nf_shape_next(shape, (struct nf_lookup){ is_known, &names }, &d);
        if (!d.known)
            say(r, f, "a size in its shape or limit is no row above it");
    }
}

static bool needs_memory(const struct nf_field *f)
{
    return f->type == NF_FIELD_TEXT || f->type == NF_FIELD_ARRAY || (f->pointer && f->type != NF_FIELD_TENSOR);
}

static bool check_rows(const struct nf_record *r);

/* Returns whether reading the row needs memory of the struct's own. */
static bool check_row(const struct nf_record *r, const struct nf_field *f)
{
    bool pointed = f->pointer || (f->type == NF_FIELD_TEXT && !f->list),
         memory = needs_memory(f) && !(f->type == NF_FIELD_ARRAY && !f->pointer);

    if (!f->help || !*f->help)
        say(r, f, "no help");
    if (f->offset + (pointed ? sizeof(void *) : f->width) > r->size)
        say(r, f, "not inside the struct");
    if (f->max != 0 && !(f->min <= f->max))
        say(r, f, "no value is in its range");
    if (f->list && (!f->stride || f->inner + f->width > f->stride))
        say(r, f, "items that do not fit");
    if (f->shape && f->type != NF_FIELD_ANY)
        check_shape(r, f, f->shape);
    if (f->below)
        check_shape(r, f, f->below);
    if (f->type == NF_FIELD_COUNTS && !f->pointer && f->room != f->n_names)
        say(r, f, "more or fewer counts than names");
    for (const struct nf_field *g = r->field; g < f; g++)
        if (strcmp(g->key, f->key) == 0)
            say(r, f, "twice");
    if (f->of && f->width != f->of->size)
        say(r, f, "a struct of another type than its table is for");
    return (f->of && check_rows(f->of)) || memory;
}

static bool check_rows(const struct nf_record *r)
{
    bool memory = false;

    if (!r->help || !*r->help)
        say(r, NULL, "no help");
    for (size_t i = 0; i < r->n; i++)
        memory |= check_row(r, &r->field[i]);
    return memory;
}

static void all_tables_are_sound(void)
{
    for (size_t k = 0; k < NF_KINDS; k++) {
        CHECK(nf_kind_find(nf_kinds[k].name) == &nf_kinds[k] && !check_rows(nf_kinds[k].end));
        for (size_t i = 0; i < nf_kinds[k].n; i++) {
            const struct nf_record *r = nf_kinds[k].record[i];

            if (check_rows(r) && !r->mem)
                say(r, NULL, "needs .mem = NF_MEM");
        }
    }
    check_rows(&sample_record);
}

int main(void)
{
    return RUN(what_is_written_is_read, what_is_none_is_absent_or_nil, a_team_is_read_as_written,
               refusals_name_field_value_and_expectation, shapes_and_elements_are_checked, keys_in_any_order_and_unknown_ones,
               all_tables_are_sound);
}
