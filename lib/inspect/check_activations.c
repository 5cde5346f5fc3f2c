/* check_activations.c - kind "activations". */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "record/activations.h"
#include "inspect/check_rules.h"

/* One site of one layer, as the header announces it. */
struct site_slot {
    char site[16];
    size_t layer, width;
    size_t rows; /* of the batch at hand, so far */
};

struct activations {
    size_t from, to; /* positions captured */
    struct site_slot *slot;
    size_t n, cap;
    struct nf_batch batch;
    bool any_batch;
    size_t next_batch;
    size_t doc, window; /* of the last window */
    size_t rows; /* that the batch at hand has at each site */
    size_t *last; /* [W] row of the last token of each window; SIZE_MAX: not captured */
    size_t last_cap;
    size_t layer; /* of the last site record */
    uint64_t tokens, windows, batches, all_rows;
};

static void activations_close(void *state)
{
    struct activations *a = state;

    nf_record_clear(&nf_batch_record, &a->batch);
    free(a->slot);
    free(a->last);
}

static int add_site(struct activations *a, const json_t *site, struct nf_err *err)
{
    const char *name = json_string_value(json_object_get(site, "site"));
    const json_t *layers = json_object_get(site, "layers"), *width = json_object_get(site, "width");

    if (!name || strlen(name) >= sizeof a->slot->site || !json_is_array(layers) || json_integer_value(width) < 1)
        return nf_fail(err, NF_EFORMAT, "header: sites: site, layers and width are expected");
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);

        if (!json_is_integer(layer) || json_integer_value(layer) < 0)
            return nf_fail(err, NF_EFORMAT, "header: sites: %s: layers are no numbers", name);
        if (nf_grow(&a->slot, &a->cap, a->n + 1, sizeof *a->slot, err) < 0)
            return NF_ESYS;
        a->slot[a->n] =
            (struct site_slot){ .layer = (size_t)json_integer_value(layer), .width = (size_t)json_integer_value(width) };
        strcpy(a->slot[a->n++].site, name);
    }
    return NF_OK;
}

static int read_capture(struct activations *a, const json_t *header, struct nf_err *err)
{
    const json_t *sites = json_object_get(header, "sites");
    const json_t *positions = json_object_get(json_object_get(header, "capture"), "positions");
    const json_t *to = json_array_get(positions, 1);

    if (json_array_size(positions) != 2)
        return nf_fail(err, NF_EFORMAT, "header: capture.positions: [from, to] is expected");
    a->from = (size_t)json_integer_value(json_array_get(positions, 0));
    a->to = json_is_integer(to) ? (size_t)json_integer_value(to) : SIZE_MAX;
    if (!json_is_array(sites))
        return nf_fail(err, NF_EFORMAT, "header: sites is missing");
    for (size_t i = 0; i < json_array_size(sites); i++)
        if (add_site(a, json_array_get(sites, i), err) < 0)
            return err->code;
    return NF_OK;
}

static int activations_open(void *state, struct nf_check_stream *s, struct nf_err *err)
{
    return read_capture(state, s->header, err);
}

/* The batch at hand is over: every announced site must have all its rows. */
static int batch_whole(struct activations *a, struct nf_err *err)
{
    int rc = NF_OK;

    for (size_t i = 0; a->any_batch && i < a->n; i++) {
        if (rc == NF_OK && a->slot[i].rows != a->rows)
            rc = nf_fail(err, NF_EFORMAT, "batch %zu: site %s of layer %zu has %zu rows, %zu are expected", a->batch.batch,
                         a->slot[i].site, a->slot[i].layer, a->slot[i].rows, a->rows);
        a->slot[i].rows = 0;
    }
    return rc;
}

/* Rows of the batch, and which of them are the last of their window. */
static void lay_out_rows(struct activations *a)
{
    const struct nf_batch *b = &a->batch;

    a->rows = 0;
    for (size_t w = 0; w < b->W; w++) {
        size_t length = b->length[w], to = nf_min(a->to, length);

        a->rows += to > a->from ? to - a->from : 0;
        a->last[w] = to == length && to > a->from ? a->rows - 1 : SIZE_MAX;
    }
}

static int windows_ascend(struct activations *a, bool first, struct nf_err *err)
{
    const struct nf_batch *b = &a->batch;

    for (size_t w = 0; w < b->W; w++) {
        size_t doc = a->doc, window = a->window;

        a->doc = b->doc[w];
        a->window = b->window[w];
        if (!(first && w == 0) && (a->doc < doc || (a->doc == doc && a->window <= window)))
            return nf_fail(err, NF_EFORMAT, "batch %zu: window %zu of document %zu is out of order", b->batch, a->window, a->doc);
    }
    return NF_OK;
}

static int check_batch_at_hand(struct activations *a, const struct nf_check_stream *s, const struct nf_any_record *in,
                               struct nf_err *err)
{
    bool first = !a->any_batch;
    size_t next = a->next_batch;
    int rc = batch_whole(a, err);

    if (nf_record_read(&nf_batch_record, in->object, &s->sizes, &a->batch, err) < 0 ||
        nf_grow(&a->last, &a->last_cap, a->batch.W, sizeof *a->last, err) < 0)
        return err->code;
    a->any_batch = true;
    a->next_batch = a->batch.batch + 1;
    a->layer = 0;
    lay_out_rows(a);
    a->tokens += a->batch.T;
    a->windows += a->batch.W;
    a->batches++;
    a->all_rows += a->rows;
    if (a->batch.batch != next && rc == NF_OK)
        rc = nf_fail(err, NF_EFORMAT, "batch %zu, %zu is next", a->batch.batch, next);
    return windows_ascend(a, first, err) < 0 ? NF_EFORMAT : rc;
}

static struct site_slot *find_site_slot(struct activations *a, const struct nf_site_rows *s)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->slot[i].layer == s->layer && strcmp(a->slot[i].site, s->site) == 0)
            return &a->slot[i];
    return NULL;
}

/* Bits from F on are padding and must be 0. */
static int check_bits(const struct nf_site_rows *s, size_t F, struct nf_err *err)
{
    size_t bytes = (F + 7) / 8;
    const unsigned char *p = s->data.data;

    if (s->data.ndim != 2 || s->data.shape[1] != bytes)
        return nf_fail(err, NF_EFORMAT, "site %s, layer %zu: rows of %zu bytes are expected for %zu neurons", s->site, s->layer,
                       bytes, F);
    for (size_t r = 0; F % 8 && r < s->data.shape[0]; r++)
        if (p[(r + 1) * bytes - 1] >> F % 8)
            return nf_fail(err, NF_EFORMAT, "site %s, layer %zu, row %zu: a bit is set beyond neuron %zu", s->site, s->layer,
                           s->row + r, F - 1);
    return NF_OK;
}

static int check_width(const struct nf_site_rows *s, size_t width, struct nf_err *err)
{
    size_t n = 1;

    for (size_t d = 1; d < s->data.ndim; d++)
        n *= s->data.shape[d];
    return n == width ? NF_OK
                      : nf_fail(err, NF_EFORMAT, "site %s, layer %zu: rows of %zu values, the header says %zu", s->site, s->layer,
                                n, width);
}

/* Loss and rank are NaN where the window has no next token, and nowhere else. */
static int check_pred(const struct activations *a, const struct nf_site_rows *s, struct nf_err *err)
{
    size_t w = 0;

    for (size_t r = 0; s->data.ndim == 2 && s->data.shape[1] == 4 && r < s->data.shape[0]; r++) {
        bool no_next, nan_loss = isnan(nf_tensor_real(&s->data, 4 * r)), nan_rank = isnan(nf_tensor_real(&s->data, 4 * r + 3));

        while (w < a->batch.W && (a->last[w] == SIZE_MAX || a->last[w] < s->row + r))
            w++;
        no_next = w < a->batch.W && a->last[w] == s->row + r;
        if (nan_loss != no_next || nan_rank != no_next)
            return nf_fail(err, NF_EFORMAT, "site pred, row %zu: loss and rank must %sbe NaN: a next token is %s", s->row + r,
                           no_next ? "" : "not ", no_next ? "not there" : "there");
    }
    return NF_OK;
}

/* Every number is finite, but for loss and rank of pred, which check_pred() looks at. */
static int check_finite(const struct nf_site_rows *s, struct nf_err *err)
{
    size_t n = 0, width = 1;
    bool pred = strcmp(s->site, "pred") == 0;

    nf_tensor_count(&s->data, &n);
    for (size_t d = 1; d < s->data.ndim; d++)
        width *= s->data.shape[d];
    for (size_t i = 0; i < n; i++) {
        double v = nf_tensor_real(&s->data, i);

        if (!isfinite(v) && !(pred && isnan(v) && (i % 4 == 0 || i % 4 == 3)))
            return nf_fail(err, NF_EFORMAT, "site.data: %g at row %zu, value %zu, of %s, layer %zu: a finite number expected", v,
                           s->row + i / width, i % width, s->site, s->layer);
    }
    return NF_OK;
}

static int check_rows(struct activations *a, const struct nf_site_rows *s, struct nf_err *err)
{
    struct site_slot *slot = find_site_slot(a, s);
    size_t next, layer = a->layer;

    if (!a->any_batch || s->batch != a->batch.batch)
        return nf_fail(err, NF_EFORMAT, "site %s of batch %zu, which is not the one that began last", s->site, s->batch);
    if (!slot)
        return nf_fail(err, NF_EFORMAT, "site %s, layer %zu: not announced in the header", s->site, s->layer);
    next = slot->rows;
    slot->rows = s->row + s->data.shape[0];
    a->layer = s->layer;
    if (s->row != next || slot->rows > a->rows)
        return nf_fail(err, NF_EFORMAT, "batch %zu, site %s, layer %zu: rows %zu to %zu, where %zu of %zu are next", s->batch,
                       s->site, s->layer, s->row, slot->rows - 1, next, a->rows);
    if (s->layer < layer)
        return nf_fail(err, NF_EFORMAT, "batch %zu: layer %zu after layer %zu", s->batch, s->layer, layer);
    if (strcmp(s->site, "ffn.active") == 0)
        return check_bits(s, slot->width, err);
    if (check_width(s, slot->width, err) < 0 || check_finite(s, err) < 0)
        return NF_EFORMAT;
    return strcmp(s->site, "pred") == 0 ? check_pred(a, s, err) : NF_OK;
}

static int activations_record(void *state, struct nf_check_stream *s, const struct nf_any_record *in, struct nf_err *err)
{
    if (in->type == &nf_batch_record)
        return check_batch_at_hand(state, s, in, err);
    return in->type == &nf_site_record ? check_rows(state, in->rec, err) : NF_OK;
}

static int activations_end(void *state, const struct nf_check_stream *s, const msgpack_object *end, struct nf_err *err)
{
    struct activations *a = state;
    const struct {
        const char *key;
        uint64_t n;
    } totals[] = { { "tokens", a->tokens }, { "windows", a->windows }, { "batches", a->batches }, { "rows", a->all_rows } };

    (void)s;
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
        if (nf_check_total(end, totals[i].key, totals[i].n, err) < 0)
            return NF_EFORMAT;
    return batch_whole(a, err);
}

const struct nf_check_rules nf_check_activations = { .kind = "activations",
                                                     .size = sizeof(struct activations),
                                                     .open = activations_open,
                                                     .record = activations_record,
                                                     .end = activations_end,
                                                     .close = activations_close };
