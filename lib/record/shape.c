/* shape.c - the arithmetic of shapes: names, whole numbers, + - * / and parentheses. */
#include "record/shape.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct shape_parse {
    const char *at;
    struct nf_lookup names;
    struct nf_dim *d;
};

static size_t parse_sum(struct shape_parse *p);

static size_t parse_name(struct shape_parse *p)
{
    char name[NF_SIZE_NAME];
    size_t n = 0, v = 0;

    for (; isalnum((unsigned char)*p->at) || *p->at == '_'; p->at++) {
        if (n + 1 == sizeof name)
            abort();
        name[n++] = *p->at;
    }
    name[n] = '\0';
    if (!p->names.find(p->names.context, name, &v)) {
        p->d->known = false;
        strcpy(p->d->unknown, name);
    }
    return v;
}

static size_t parse_factor(struct shape_parse *p)
{
    size_t v = 0;

    if (*p->at == '(') {
        p->at++;
        v = parse_sum(p);
        if (*p->at++ != ')')
            abort();
    } else if (isdigit((unsigned char)*p->at)) {
        for (; isdigit((unsigned char)*p->at); p->at++)
            v = 10 * v + (size_t)(*p->at - '0');
    } else if (isalpha((unsigned char)*p->at)) {
        v = parse_name(p);
    } else {
        abort();
    }
    return v;
}

static size_t parse_product(struct shape_parse *p)
{
    size_t v = parse_factor(p), right;

    while (*p->at == '*' || *p->at == '/') {
        bool times = *p->at++ == '*';

        right = parse_factor(p);
        if (!times && right == 0)
            abort();
        v = times ? v * right : v / right;
    }
    return v;
}

static size_t parse_sum(struct shape_parse *p)
{
    size_t v = parse_product(p), right;

    while (*p->at == '+' || *p->at == '-') {
        bool plus = *p->at++ == '+';

        right = parse_product(p);
        v = plus ? v + right : v - right;
    }
    return v;
}

/* Is it a name alone, or a name and a number to add?  Only then a dimension that was found tells the value of the name. */
static void find_unknown(const char *from, const char *to, struct nf_dim *d)
{
    size_t n = strlen(d->unknown);
    char *end = NULL;

    if ((size_t)(to - from) >= n && memcmp(from, d->unknown, n) == 0) {
        if (from + n == to)
            return;
        d->plus = from[n] == '+' ? strtoul(from + n + 1, &end, 10) : 0;
        if (end == to)
            return;
    }
    d->unknown[0] = '\0';
    d->plus = 0;
}

const char *nf_shape_next(const char *shape, struct nf_lookup names, struct nf_dim *d)
{
    struct shape_parse p = { .at = shape, .names = names, .d = d };

    *d = (struct nf_dim){ .known = true };
    d->value = parse_sum(&p);
    if (!d->known)
        find_unknown(shape, p.at, d);
    if (*p.at && *p.at != ',')
        abort();
    return p.at + (*p.at == ',');
}
