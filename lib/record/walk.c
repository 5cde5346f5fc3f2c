/* walk.c - members by their rows, and rows in words. */
#include "record/walk.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "stream/mp.h"

size_t nf_member_uint(const struct nf_field *f, const void *at)
{
    uint32_t four;
    uint64_t eight;

    switch (f->width) {
    case 1:
        return *(const unsigned char *)at;
    case 4:
        memcpy(&four, at, 4);
        return four == UINT32_MAX ? NF_NONE : four;
    default:
        memcpy(&eight, at, 8);
        return eight;
    }
}

void nf_member_set_uint(const struct nf_field *f, void *at, size_t v)
{
    uint32_t four = (uint32_t)v;
    uint64_t eight = v;

    if (f->width == 1)
        *(unsigned char *)at = v != 0;
    else
        memcpy(at, f->width == 4 ? (void *)&four : (void *)&eight, f->width);
}

static bool is_nan(const struct nf_field *f, const void *at)
{
    float four;
    double eight;

    if (f->width == 4) {
        memcpy(&four, at, 4);
        return isnan(four);
    }
    memcpy(&eight, at, 8);
    return isnan(eight);
}

bool nf_member_none(const struct nf_field *f, const void *rec)
{
    if (f->pointer || (f->type == NF_FIELD_TEXT && !f->list))
        return *(void **)nf_member(f, rec) == NULL;
    if (f->list)
        return false;
    if (f->type == NF_FIELD_UINT)
        return nf_member_uint(f, nf_member(f, rec)) == NF_NONE;
    return f->type == NF_FIELD_REAL && is_nan(f, nf_member(f, rec));
}

/* ---- sizes ---- */

size_t nf_sizes_find(const struct nf_sizes *s, const char *name)
{
    static const struct {
        const char *name;
        size_t offset;
    } sizes[] = {
        { "V", offsetof(struct nf_sizes, V) }, { "context", offsetof(struct nf_sizes, context) },
        { "L", offsetof(struct nf_sizes, L) }, { "D", offsetof(struct nf_sizes, D) },
        { "H", offsetof(struct nf_sizes, H) }, { "G", offsetof(struct nf_sizes, G) },
        { "K", offsetof(struct nf_sizes, K) }, { "F", offsetof(struct nf_sizes, F) },
        { "Q", offsetof(struct nf_sizes, Q) },
    };

    for (size_t i = 0; s && i < sizeof sizes / sizeof *sizes; i++)
        if (strcmp(sizes[i].name, name) == 0)
            return *(const size_t *)((const char *)s + sizes[i].offset);
    return 0;
}

const struct nf_field *nf_size_row(const struct nf_record *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->field[i].type == NF_FIELD_SIZE && strcmp(r->field[i].key, name) == 0)
            return &r->field[i];
    return NULL;
}

/* A size that is computed from others. */
static bool compute_size(const struct nf_names *n, const struct nf_field *f, size_t *v)
{
    struct nf_dim d;

    nf_shape_next(f->shape, nf_names_lookup(n), &d);
    *v = d.value;
    return d.known;
}

static bool find_size(const void *context, const char *name, size_t *v)
{
    const struct nf_names *n = context;

    for (size_t i = 0; i < n->record->n; i++) {
        const struct nf_field *f = &n->record->field[i];

        if ((f->type != NF_FIELD_SIZE && f->type != NF_FIELD_UINT) || f->list || strcmp(f->key, name) != 0)
            continue;
        if (f->shape)
            return compute_size(n, f, v);
        *v = nf_member_uint(f, nf_member(f, n->rec));
        return *v != NF_NONE;
    }
    *v = nf_sizes_find(n->sizes, name);
    return *v != 0;
}

struct nf_lookup nf_names_lookup(const struct nf_names *n)
{
    return (struct nf_lookup){ find_size, n };
}

/* ---- words ---- */

const char *nf_type_short(enum nf_dtype t)
{
    return nf_mp_numpy_type(t) + 1;
}

static const char *word_names(const struct nf_field *f, char text[NF_EXPECTED])
{
    size_t n = 0;

    for (size_t i = 0; i < f->n_names && n < NF_EXPECTED; i++) {
        const char *join = "";

        if (i > 0)
            join = i + 1 == f->n_names ? " or " : ", ";
        n += (size_t)snprintf(text + n, NF_EXPECTED - n, "%s%s", join, f->names[i]);
    }
    return text;
}

static const char *word_range(const char *what, const struct nf_field *f, bool below, char text[NF_EXPECTED])
{
    if (below)
        snprintf(text, NF_EXPECTED, "%s below %s", what, f->below);
    else if (f->max != 0 && isfinite(f->max))
        snprintf(text, NF_EXPECTED, "%s from %.15g to %.15g", what, f->min, f->max);
    else if (nf_field_ranged(f))
        snprintf(text, NF_EXPECTED, "%s from %.15g up", what, f->min);
    else
        snprintf(text, NF_EXPECTED, "%s", what);
    return text;
}

const char *nf_field_expected(const struct nf_field *f, const struct nf_field *holder, char text[NF_EXPECTED])
{
    const struct nf_field *range = nf_field_range(f, holder);
    char names[NF_EXPECTED];

    switch (f->type) {
    case NF_FIELD_SIZE:
    case NF_FIELD_UINT:
        return word_range("an integer", range, f->below != NULL, text);
    case NF_FIELD_REAL:
        return word_range("a number", range, false, text);
    case NF_FIELD_BOOL:
        return strcpy(text, "true or false");
    case NF_FIELD_VERDICT:
        return strcpy(text, "true, false or nil");
    case NF_FIELD_TEXT:
        return strcpy(text, "text in UTF-8 without NUL");
    case NF_FIELD_NAME:
        if (f->names)
            return word_names(f, text);
        snprintf(text, NF_EXPECTED, "a name of 1 to %zu bytes", f->width - 1);
        return text;
    case NF_FIELD_CHOICE:
        return word_names(f, text);
    case NF_FIELD_SET:
        snprintf(text, NF_EXPECTED, "an array of %.300s", word_names(f, names));
        return text;
    case NF_FIELD_NUMBERS:
        snprintf(text, NF_EXPECTED, "an array of integers from 1 to %zu", f->n_names);
        return text;
    case NF_FIELD_COUNTS:
        return strcpy(text, "a map of counts");
    case NF_FIELD_BYTES:
        return strcpy(text, "bin");
    case NF_FIELD_GRAM:
        return strcpy(text, "a token id, or an array of 2 or 3");
    case NF_FIELD_MAP:
        return strcpy(text, "a map");
    case NF_FIELD_TUPLE:
        snprintf(text, NF_EXPECTED, "an array of %zu", f->of->n);
        return text;
    default:
        return strcpy(text, "a tensor");
    }
}
