/* opt_value.c - one function a type of value: read it, print it, make it JSON. */
#include "base/opt_value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static const char units[] = "kMGT";   /* powers of 1024 */

/* ---- choices ---- */

/* The alternative number i of "a|b|c", and its length; NULL: there are fewer. */
static const char *find_alternative(const char *all, size_t i, size_t *n)
{
    for (; i > 0 && all; i--) {
        all = strchr(all, '|');
        all += all != NULL;
    }
    if (all)
        *n = strcspn(all, "|");
    return all;
}

static unsigned meaning_of(const struct nf_opt *o, size_t i)
{
    return o->means ? o->means[i] : (unsigned)i;
}

static bool is_chosen(const struct nf_opt *o, size_t i)
{
    if (o->type == NF_OPT_EITHER)
        return *(const bool *)o->value == (i == 1);
    return *(const unsigned *)o->value == meaning_of(o, i);
}

static void choose(const struct nf_opt *o, size_t i)
{
    if (o->type == NF_OPT_EITHER)
        *(bool *)o->value = i == 1;
    else
        *(unsigned *)o->value = meaning_of(o, i);
}

/* The alternative that the value stands for now. */
static const char *chosen_alternative(const struct nf_opt *o, size_t *n)
{
    const char *s;
    size_t i = 0;

    while ((s = find_alternative(o->arg, i, n)) && !is_chosen(o, i))
        i++;
    return s;
}

/* ---- text to value ---- */

static int set_real(const struct nf_opt *o, const char *s, struct nf_err *err)
{
    char *end;
    double v = strtod(s, &end);

    if (end == s || *end || !(v >= o->min && v <= o->max))
        return nf_fail(err, NF_EUSAGE, "--%s %s: a number from %g to %g is expected", o->name, s, o->min, o->max);
    *(double *)o->value = v;
    return NF_OK;
}

static bool read_u64(const char *s, char **end, uint64_t *v)
{
    errno = 0;
    *v = strtoull(s, end, 10);
    return s[0] >= '0' && s[0] <= '9' && errno == 0;
}

static int set_uint(const struct nf_opt *o, const char *s, struct nf_err *err)
{
    uint64_t v;
    char *end;
    bool ok = read_u64(s, &end, &v) && !*end && (double)v >= o->min;

    if (o->max > 0 && !(ok && (double)v <= o->max))
        return nf_fail(err, NF_EUSAGE, "--%s %s: a whole number from %.0f to %.0f is expected", o->name, s, o->min, o->max);
    if (!ok)
        return nf_fail(err, NF_EUSAGE, "--%s %s: a whole number of at least %.0f is expected", o->name, s, o->min);
    *(uint64_t *)o->value = v;
    return NF_OK;
}

/* "k", "Ki", "KiB" to 1024, "M" to 1024^2, ..; "" to 1; NaN: no unit. */
static double unit_size(const char *s)
{
    const char *unit;

    if (!*s)
        return 1;
    unit = strchr(units, *s == 'K' ? 'k' : *s);
    if (!unit || (s[1] && strcmp(s + 1, "i") != 0 && strcmp(s + 1, "iB") != 0))
        return NAN;
    return exp2(10 * (double)(unit - units + 1));
}

static int set_size(const struct nf_opt *o, const char *s, struct nf_err *err)
{
    char *end = (char *)s;
    double v = s[0] >= '0' && s[0] <= '9' ? strtod(s, &end) : NAN;

    v *= unit_size(end);
    if (!(v >= 0 && v < 0x1p53) || v != floor(v) || memchr(s, 'x', (size_t)(end - s)))
        return nf_fail(err, NF_EUSAGE, "--%s %s: a size in bytes such as 4k, 512M or 1.5G is expected", o->name, s);
    if (v < o->min)
        return nf_fail(err, NF_EUSAGE, "--%s %s: at least %.0f bytes are expected", o->name, s, o->min);
    *(uint64_t *)o->value = (uint64_t)v;
    return NF_OK;
}

static int set_choice(const struct nf_opt *o, const char *s, struct nf_err *err)
{
    const char *a;
    size_t n;

    for (size_t i = 0; (a = find_alternative(o->arg, i, &n)); i++)
        if (strlen(s) == n && memcmp(s, a, n) == 0) {
            choose(o, i);
            return NF_OK;
        }
    return nf_fail(err, NF_EUSAGE, "--%s %s: one of %s is expected", o->name, s, o->arg);
}

/* "A:B", both optional, or "A". */
static bool read_range(const char *s, struct nf_range *r)
{
    const char *colon = strchr(s, ':');
    uint64_t v;
    char *end;

    if (!*s)
        return false;
    if (s != colon) {
        if (!read_u64(s, &end, &v) || *end != (colon ? ':' : '\0'))
            return false;
        r->from = v;
        r->to = v + 1;
    }
    if (colon)
        r->to = SIZE_MAX;
    if (colon && colon[1]) {
        if (!read_u64(colon + 1, &end, &v) || *end)
            return false;
        r->to = v;
    }
    return r->from < r->to;
}

static int set_range(const struct nf_opt *o, const char *s, struct nf_err *err)
{
    struct nf_range r = NF_RANGE_ALL;

    if (!read_range(s, &r))
        return nf_fail(err, NF_EUSAGE, "--%s %s: a range such as 3, 0:6, :6 or 6: is expected, the end not included", o->name, s);
    *(struct nf_range *)o->value = r;
    return NF_OK;
}

static int add_to_list(const struct nf_opt *o, char *s, struct nf_err *err)
{
    struct nf_list *l = o->value;

    for (char *save, *p = strtok_r(s, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        if (l->n == NF_LIST_MAX)
            return nf_fail(err, NF_EUSAGE, "--%s: more than %d values", o->name, NF_LIST_MAX);
        l->item[l->n++] = p;
    }
    return NF_OK;
}

int nf_opt_set(const struct nf_opt *o, char *text, struct nf_err *err)
{
    switch (o->type) {
    case NF_OPT_FLAG:
        *(bool *)o->value = true;
        return NF_OK;
    case NF_OPT_REAL:
        return set_real(o, text, err);
    case NF_OPT_UINT:
        return set_uint(o, text, err);
    case NF_OPT_SIZE:
        return set_size(o, text, err);
    case NF_OPT_STR:
        *(const char **)o->value = text;
        return NF_OK;
    case NF_OPT_CHOICE:
    case NF_OPT_EITHER:
        return set_choice(o, text, err);
    case NF_OPT_RANGE:
        return set_range(o, text, err);
    case NF_OPT_LIST:
        return add_to_list(o, text, err);
    case NF_OPT_END:
        break;
    }
    return NF_OK;
}

/* ---- value to text ---- */

static void print_size(uint64_t v)
{
    static const char *const name[] = { "", "k", "M", "G", "T" };
    size_t unit = 0;

    for (; unit < 4 && v >= 1024 && v % 1024 == 0; unit++)
        v /= 1024;
    printf(" [%" PRIu64 "%s]", v, name[unit]);
}

void nf_opt_print_default(const struct nf_opt *o)
{
    const char *s = NULL;
    size_t n = 0;

    switch (o->type) {
    case NF_OPT_REAL:
        printf(" [%g]", *(const double *)o->value);
        break;
    case NF_OPT_UINT:
        printf(" [%" PRIu64 "]", *(const uint64_t *)o->value);
        break;
    case NF_OPT_SIZE:
        print_size(*(const uint64_t *)o->value);
        break;
    case NF_OPT_STR:
        s = *(const char *const *)o->value;
        n = s ? strlen(s) : 0;
        break;
    case NF_OPT_CHOICE:
    case NF_OPT_EITHER:
        s = chosen_alternative(o, &n);
        break;
    default:
        break;
    }
    if (s)
        printf(" [%.*s]", (int)n, s);
}

/* ---- value to JSON ---- */

/* Bytes that are no UTF-8 have no place in a header. */
static json_t *text_json(const char *s, size_t n)
{
    if (!s || nf_utf8_valid((const unsigned char *)s, n) != n)
        return json_null();
    return json_stringn(s, n);
}

static json_t *string_json(const char *s)
{
    return text_json(s, s ? strlen(s) : 0);
}

static json_t *range_json(const struct nf_range *r)
{
    json_t *to = r->to == SIZE_MAX ? json_null() : json_integer((json_int_t)r->to);

    return json_pack("[I,o]", (json_int_t)r->from, to);
}

static json_t *list_json(const struct nf_list *l)
{
    json_t *a = json_array();

    for (size_t i = 0; a && i < l->n; i++)
        if (json_array_append_new(a, string_json(l->item[i])) < 0) {
            json_decref(a);
            a = NULL;
        }
    return a;
}

json_t *nf_opt_value_json(const struct nf_opt *o)
{
    const char *s;
    size_t n = 0;

    switch (o->type) {
    case NF_OPT_FLAG:
        return json_boolean(*(const bool *)o->value);
    case NF_OPT_REAL:
        return json_real(*(const double *)o->value);
    case NF_OPT_UINT:
    case NF_OPT_SIZE:
        return json_integer((json_int_t) * (const uint64_t *)o->value);
    case NF_OPT_STR:
        return string_json(*(const char *const *)o->value);
    case NF_OPT_CHOICE:
    case NF_OPT_EITHER:
        s = chosen_alternative(o, &n);
        return text_json(s, n);
    case NF_OPT_RANGE:
        return range_json(o->value);
    case NF_OPT_LIST:
        return list_json(o->value);
    case NF_OPT_END:
        break;
    }
    return json_null();
}
