/* weights.c - from the names in a checkpoint to the roles in a model, by a table for each family; everything checked and hashed once. */
#include "model/weights.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/par.h"
#include "model/checkpoint.h"

enum { NAME_MAX_BYTES = 128, CHUNK = 1 << 20 };

/* ---- tables: which tensors a family has ---- */

/* A tensor is there when the model has all of these. */
enum need { ALWAYS = 0, BIAS = 1, AFFINE = 2, POSITIONS = 4, PROJECTED = 8, FINAL = 16 };

struct slot {
    const char *name;      /* behind the prefix; of a layer: behind "layers.N." */
    size_t offset;         /* of its nf_tensor in struct nf_weights, or in struct nf_layer */
    const char *shape;     /* letters of config.h; P: rows of the position table */
    unsigned needs;        /* enum need */
};

struct family {
    const char *const *prefixes;      /* before all names but the unembedding's; the one that is in use is found by `first` */
    const char *first, *unembed;
    const char *stale;                /* a tensor that old checkpoints have behind the prefix, and that no computation uses; or NULL */
    const struct slot *model, *layer;
};

#define MODEL(field) offsetof(struct nf_weights, field)
#define LAYER(field) offsetof(struct nf_layer, field)

static const char *const opt_prefixes[] = { "model.decoder.", "decoder.", NULL };

static const struct slot opt_model[] = {
    { "embed_tokens.weight", MODEL(embed), "VE", ALWAYS },
    { "embed_positions.weight", MODEL(positions), "PD", POSITIONS },
    { "project_in.weight", MODEL(project_in.w), "DE", PROJECTED },
    { "project_out.weight", MODEL(project_out.w), "ED", PROJECTED },
    { "final_layer_norm.weight", MODEL(final_norm.gain), "D", FINAL | AFFINE },
    { "final_layer_norm.bias", MODEL(final_norm.bias), "D", FINAL | AFFINE },
    { NULL, 0, NULL, 0 },
};

static const struct slot opt_layer[] = {
    { "self_attn_layer_norm.weight", LAYER(attn_norm.gain), "D", AFFINE },
    { "self_attn_layer_norm.bias", LAYER(attn_norm.bias), "D", AFFINE },
    { "self_attn.q_proj.weight", LAYER(q.w), "DD", ALWAYS },
    { "self_attn.q_proj.bias", LAYER(q.b), "D", BIAS },
    { "self_attn.k_proj.weight", LAYER(k.w), "DD", ALWAYS },
    { "self_attn.k_proj.bias", LAYER(k.b), "D", BIAS },
    { "self_attn.v_proj.weight", LAYER(v.w), "DD", ALWAYS },
    { "self_attn.v_proj.bias", LAYER(v.b), "D", BIAS },
    { "self_attn.out_proj.weight", LAYER(o.w), "DD", ALWAYS },
    { "self_attn.out_proj.bias", LAYER(o.b), "D", BIAS },
    { "final_layer_norm.weight", LAYER(ffn_norm.gain), "D", AFFINE },
    { "final_layer_norm.bias", LAYER(ffn_norm.bias), "D", AFFINE },
    { "fc1.weight", LAYER(ffn_in.w), "FD", ALWAYS },
    { "fc1.bias", LAYER(ffn_in.b), "F", BIAS },
    { "fc2.weight", LAYER(ffn_out.w), "DF", ALWAYS },
    { "fc2.bias", LAYER(ffn_out.b), "D", BIAS },
    { NULL, 0, NULL, 0 },
};

static const struct family families[] = {
    [NF_FAMILY_OPT] = { opt_prefixes, "embed_tokens.weight", "lm_head.weight", "version", opt_model, opt_layer },
};

static unsigned has(const struct nf_config *cfg)
{
    return (cfg->bias ? BIAS : 0) | (cfg->norm_affine ? AFFINE : 0) | (cfg->positions == NF_POS_LEARNED ? POSITIONS : 0) |
           (cfg->E != cfg->D ? PROJECTED : 0) | (cfg->final_norm ? FINAL : 0);
}

static size_t letter(const struct nf_config *cfg, char c)
{
    switch (c) {
    case 'V':
        return cfg->V;
    case 'E':
        return cfg->E;
    case 'D':
        return cfg->D;
    case 'F':
        return cfg->F;
    case 'P':
        return cfg->max_positions + cfg->position_offset;
    }
    abort();
}

/* ---- roles ---- */

struct load {
    const char *dir;
    const struct family *family;
    const char *prefix;
    struct nf_config *cfg;
    struct nf_weights *w;
    const struct nf_tf_entry **kept;   /* [n_kept] tensors with a role, the embedding first */
    char (*name)[NAME_MAX_BYTES];      /* [n_kept] their names without prefix: what is hashed */
    size_t n_kept;
    struct nf_err *err;
};

static int refuse(const struct load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse(const struct load *l, const char *fmt, ...)
{
    char text[320];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return nf_fail(l->err, NF_EFORMAT, "%s: %s", l->dir, text);
}

static struct nf_tf_entry *find(const struct load *l, const char *name)
{
    return nf_checkpoint_find(l->w->file, name);
}

static const char *shape_text(const size_t *shape, size_t n, char *buf, size_t size)
{
    size_t at = (size_t)snprintf(buf, size, "[");

    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s%zu", i ? "," : "", shape[i]);
    snprintf(buf + at, size - at, "]");
    return buf;
}

static int keep(struct load *l, struct nf_tf_entry *e, const char *short_name)
{
    if (e->used)
        return refuse(l, "tensor %s has two roles", e->name);
    e->used = true;
    snprintf(l->name[l->n_kept], NAME_MAX_BYTES, "%s", short_name);
    l->kept[l->n_kept++] = e;
    l->w->bytes += e->bytes;
    return NF_OK;
}

static int check_tensor(const struct load *l, const struct nf_tf_entry *e, const char *letters)
{
    size_t want[NF_NDIM_MAX], n = strlen(letters);
    char got_text[96], want_text[96];

    for (size_t i = 0; i < n; i++)
        want[i] = letter(l->cfg, letters[i]);
    if (!e->weight)
        return refuse(l, "tensor %s: type %s, F32, F16 or BF16 is wanted", e->name, e->type);
    if (e->t.ndim != n || memcmp(e->t.shape, want, n * sizeof *want) != 0)
        return refuse(l, "tensor %s: shape %s, config.json asks for %s", e->name,
                      shape_text(e->t.shape, e->t.ndim, got_text, sizeof got_text),
                      shape_text(want, n, want_text, sizeof want_text));
    return NF_OK;
}

/* The tensors of one table: `inner` is "" or "layers.N.", `base` the struct that holds them. */
static int take(struct load *l, const struct slot *slots, const char *inner, void *base)
{
    char short_name[NAME_MAX_BYTES], name[NAME_MAX_BYTES + 32];

    for (const struct slot *s = slots; s->name; s++) {
        struct nf_tf_entry *e;

        if ((s->needs & has(l->cfg)) != s->needs)
            continue;
        snprintf(short_name, sizeof short_name, "%s%s", inner, s->name);
        snprintf(name, sizeof name, "%s%s", l->prefix, short_name);
        e = find(l, name);
        if (!e)
            return refuse(l, "tensor %s is missing", name);
        if (check_tensor(l, e, s->shape) < 0 || keep(l, e, short_name) < 0)
            return NF_EFORMAT;
        *(struct nf_tensor *)((unsigned char *)base + s->offset) = e->t;
    }
    return NF_OK;
}

static int take_all(struct load *l)
{
    char inner[32];
    int rc = take(l, l->family->model, "", l->w);

    for (size_t i = 0; i < l->cfg->L && rc == NF_OK; i++) {
        snprintf(inner, sizeof inner, "layers.%zu.", i);
        rc = take(l, l->family->layer, inner, &l->w->layer[i]);
    }
    return rc;
}

/* An unembedding of its own is kept as a tensor to check and hash; whether it is the embedding is seen by their digests. */
static int take_unembed(struct load *l)
{
    struct nf_tf_entry *e = find(l, l->family->unembed);

    l->w->unembed = l->w->embed;
    if (!e)
        return l->cfg->tied
                   ? NF_OK
                   : refuse(l, "tensor %s is missing: config.json says that it is not tied to the embedding", l->family->unembed);
    if (check_tensor(l, e, "VE") < 0 || keep(l, e, l->family->unembed) < 0)
        return NF_EFORMAT;
    l->w->unembed = e->t;
    return NF_OK;
}

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* Whatever has no role but stands where the model's tensors stand might belong to a computation that we do not do. */
static int check_rest(const struct load *l)
{
    char head[NAME_MAX_BYTES];

    snprintf(head, sizeof head, "%.*s", (int)(strcspn(l->family->unembed, ".") + 1), l->family->unembed);
    for (size_t i = 0; i < l->w->file->n; i++)
        for (size_t k = 0; k < l->w->file->file[i].n; k++) {
            const struct nf_tf_entry *e = &l->w->file->file[i].entry[k];
            bool inside = starts(e->name, head);

            if (starts(e->name, l->prefix) && l->family->stale && strcmp(e->name + strlen(l->prefix), l->family->stale) == 0)
                continue;
            for (const char *const *p = l->family->prefixes; *p; p++)
                inside = inside || starts(e->name, *p);
            if (!e->used && inside)
                return refuse(l, "tensor %s is not part of the model that config.json describes", e->name);
        }
    return NF_OK;
}

static int find_prefix(struct load *l)
{
    char name[NAME_MAX_BYTES];
    const char *found = NULL;

    for (const char *const *p = l->family->prefixes; *p; p++) {
        snprintf(name, sizeof name, "%s%s", *p, l->family->first);
        if (!find(l, name))
            continue;
        if (found)
            return refuse(l, "tensor %s is there twice: with the prefixes \"%s\" and \"%s\"", l->family->first, found, *p);
        found = *p;
    }
    l->prefix = found;
    return found ? NF_OK : refuse(l, "tensor %s%s is missing", l->family->prefixes[0], l->family->first);
}

/* ---- one pass over the bytes: digest, finiteness ---- */

/* Index of the first NaN or Inf among n elements of `size` bytes, whose exponent is all ones; n: none. */
static size_t first_nonfinite(const unsigned char *p, size_t n, enum nf_dtype t)
{
    if (t == NF_F32) {
        for (size_t i = 0; i < n; i++) {
            uint32_t u;

            memcpy(&u, p + 4 * i, sizeof u);
            if ((u & 0x7f800000u) == 0x7f800000u)
                return i;
        }
        return n;
    }
    for (size_t i = 0, mask = t == NF_F16 ? 0x7c00 : 0x7f80; i < n; i++) {
        uint16_t u;

        memcpy(&u, p + 2 * i, sizeof u);
        if ((u & mask) == mask)
            return i;
    }
    return n;
}

static void drop(const unsigned char *p, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)p + page - 1) / page * page, to = ((uintptr_t)p + n) / page * page;

    if (from < to)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

/* What one tensor's bytes showed. */
struct seen {
    char hex[NF_DIGEST_HEX];
    size_t bad;          /* element that is not finite; SIZE_MAX: none */
    bool failed;         /* no memory for the digest */
};

static void look(const struct nf_tf_entry *e, struct seen *s)
{
    const unsigned char *p = e->t.data;
    size_t bytes = e->bytes, size = nf_dtype_size(e->t.dtype);
    struct nf_digest *d = nf_digest_open(NULL);

    s->bad = SIZE_MAX;
    s->failed = !d;
    for (size_t at = 0; d && at < bytes; at += CHUNK) {
        size_t n = nf_min(CHUNK, bytes - at), i = first_nonfinite(p + at, n / size, e->t.dtype);

        if (i < n / size && s->bad == SIZE_MAX)
            s->bad = at / size + i;
        nf_digest_add(d, p + at, n);
        if (e->mapped)
            drop(p + at, n);
    }
    nf_digest_close(d, s->hex);
}

static int look_at_all(const struct load *l, struct seen *seen)
{
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < l->n_kept; i++)
        look(l->kept[i], &seen[i]);
    for (size_t i = 0; i < l->n_kept; i++) {
        if (seen[i].failed)
            return nf_fail(l->err, NF_ESYS, "SHA-256 cannot start: out of memory");
        if (seen[i].bad != SIZE_MAX)
            return refuse(l, "tensor %s: NaN or Inf at element %zu", l->kept[i]->name, seen[i].bad);
    }
    return NF_OK;
}

/* An lm_head beside the embedding: the same, or on its own as config.json says; otherwise versions of transformers disagree. */
static int settle_tie(struct load *l, const struct seen *seen)
{
    const struct nf_tf_entry *e = l->kept[l->n_kept - 1];
    bool equal;

    if (l->w->unembed.data == l->w->embed.data)
        return NF_OK;
    equal = e->t.dtype == l->w->embed.dtype && strcmp(seen[l->n_kept - 1].hex, seen[0].hex) == 0;
    if (l->cfg->tied && !equal)
        return refuse(l, "tensor %s differs from the embedding that tie_word_embeddings in config.json ties it to", e->name);
    if (equal) {
        l->w->unembed = l->w->embed;
        l->w->bytes -= e->bytes;
        l->n_kept--;
    }
    l->cfg->tied = equal;
    return NF_OK;
}

struct line {
    const char *name;
    size_t i;
};

static int by_line_name(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->name, ((const struct line *)b)->name);
}

/* "name dtype shape sha256\n" of each tensor in byte order of the names. */
static int digest_all(struct load *l, const struct seen *seen)
{
    struct line *line = nf_alloc(l->n_kept, sizeof *line, l->err);
    struct nf_digest *d = line ? nf_digest_open(l->err) : NULL;
    char shape[96], text[NAME_MAX_BYTES + NF_DIGEST_HEX + 128];

    if (!d) {
        free(line);
        return NF_ESYS;
    }
    for (size_t i = 0; i < l->n_kept; i++)
        line[i] = (struct line){ l->name[i], i };
    qsort(line, l->n_kept, sizeof *line, by_line_name);
    for (size_t k = 0; k < l->n_kept; k++) {
        const struct nf_tensor *t = &l->kept[line[k].i]->t;
        int n = snprintf(text, sizeof text, "%s %s %s %s\n", line[k].name, nf_dtype_name(t->dtype),
                         shape_text(t->shape, t->ndim, shape, sizeof shape), seen[line[k].i].hex);

        nf_digest_add(d, text, (size_t)n);
    }
    nf_digest_close(d, l->cfg->weights_sha256);
    free(line);
    return NF_OK;
}

static int check_bytes(struct load *l)
{
    struct seen *seen = nf_alloc(l->n_kept, sizeof *seen, l->err);
    int rc = seen ? look_at_all(l, seen) : NF_ESYS;

    if (rc == NF_OK)
        rc = settle_tie(l, seen);
    if (rc == NF_OK)
        rc = digest_all(l, seen);
    free(seen);
    return rc;
}

static size_t count(const struct slot *s)
{
    size_t n = 0;

    while (s[n].name)
        n++;
    return n;
}

int nf_weights_open(const char *dir, struct nf_config *cfg, struct nf_weights *w, struct nf_err *err)
{
    const struct family *family = &families[cfg->family];
    struct load l = { .dir = dir, .family = family, .cfg = cfg, .w = w, .err = err };
    size_t most = count(family->model) + cfg->L * count(family->layer) + 1;
    int rc;

    *w = (struct nf_weights){ .file = nf_checkpoint_open(dir, err), .layer = nf_alloc(cfg->L, sizeof *w->layer, err) };
    l.kept = nf_alloc(most, sizeof *l.kept, err);
    l.name = nf_alloc(most, sizeof *l.name, err);
    if (!w->file || !w->layer || !l.kept || !l.name)
        rc = (int)err->code;
    else
        rc = find_prefix(&l);
    if (rc == NF_OK)
        rc = take_all(&l);
    if (rc == NF_OK)
        rc = take_unembed(&l);
    if (rc == NF_OK)
        rc = check_rest(&l);
    if (rc == NF_OK)
        rc = check_bytes(&l);
    free(l.kept);
    free(l.name);
    if (rc < 0)
        nf_weights_close(w);
    return rc;
}

/* Only pages of a mapped file: those of ordinary memory would come back as zeros. */
void nf_weights_drop(const struct nf_weights *w, const struct nf_tensor *t)
{
    size_t n;

    for (size_t i = 0; w->file && t->data && i < w->file->n; i++) {
        const struct nf_map *map = &w->file->file[i].map;
        uintptr_t at = (uintptr_t)t->data, from = (uintptr_t)map->data;

        if (at >= from && at < from + map->size && nf_tensor_count(t, &n))
            drop(t->data, n * nf_dtype_size(t->dtype));
    }
}

void nf_weights_close(struct nf_weights *w)
{
    nf_checkpoint_close(w->file);
    free(w->layer);
    *w = (struct nf_weights){ 0 };
}
