/* schema.c - tables as JSON Schema: json-schema.org/draft/2020-12. */
#include "record/describe.h"

#include <math.h>
#include <string.h>

#include "record/walk.h"

static json_t *schema_of_record(const struct nf_record *r, bool typed, json_t *defs);

static json_t *describe_integer(void)
{
    return json_pack("{s:s, s:i}", "type", "integer", "minimum", 0);
}

static void limit_range(json_t *j, const struct nf_field *f)
{
    if (!nf_field_ranged(f))
        return;
    json_object_set_new(j, "minimum", json_real(f->min));
    if (f->max != 0 && isfinite(f->max))
        json_object_set_new(j, "maximum", json_real(f->max));
}

/* nil as well; an enumeration has no type. */
static json_t *allow_nil(json_t *j)
{
    return json_pack("{s:[o, {s:s}]}", "anyOf", j, "type", "null");
}

static json_t *schema_of_choice(const struct nf_field *f)
{
    json_t *names = json_array();

    for (size_t i = 0; i < f->n_names; i++)
        json_array_append_new(names, json_string(f->names[i]));
    return json_pack("{s:o}", "enum", names);
}

static json_t *schema_of_counts(const struct nf_field *f)
{
    json_t *properties = json_object(), *names = json_array();

    for (size_t i = 0; i < f->n_names; i++) {
        json_object_set_new(properties, f->names[i], describe_integer());
        json_array_append_new(names, json_string(f->names[i]));
    }
    return json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties, "required", names);
}

/* A map is defined once, under its name. */
static json_t *refer_to(const struct nf_record *r, json_t *defs)
{
    if (!json_object_get(defs, r->type)) {
        json_object_set_new(defs, r->type, json_null());   /* a map may hold itself by name only */
        json_object_set_new(defs, r->type, schema_of_record(r, false, defs));
    }
    return json_pack("{s:s+}", "$ref", "#/$defs/", r->type);
}

static json_t *schema_of_value(const struct nf_field *f, json_t *defs);

static json_t *schema_of_tuple(const struct nf_record *r, json_t *defs)
{
    json_t *items;

    if (r->field[0].type == NF_FIELD_GRAM)   /* plain.h */
        return json_pack("{s:s, s:o, s:I}", "type", "array", "items", describe_integer(), "minItems", (json_int_t)r->n);
    items = json_array();
    for (size_t i = 0; i < r->n; i++)
        json_array_append_new(items, schema_of_value(&r->field[i], defs));
    return json_pack("{s:s, s:o, s:I, s:I}", "type", "array", "prefixItems", items, "minItems", (json_int_t)r->n, "maxItems", (json_int_t)r->n);
}

/* As many arrays in each other as the shape has dimensions. */
static json_t *schema_of_tensor(const struct nf_field *f)
{
    json_t *j;
    const char *comma;

    if (f->type == NF_FIELD_ANY)
        return json_pack("{s:s}", "type", "array");
    j = nf_dtype_real(f->dtype) ? json_pack("{s:s}", "type", "number") : json_pack("{s:s}", "type", "integer");
    limit_range(j, f);
    if (f->flags & NF_NAN)
        j = allow_nil(j);
    j = json_pack("{s:s, s:o}", "type", "array", "items", j);
    for (comma = strchr(f->shape, ','); comma; comma = strchr(comma + 1, ','))
        j = json_pack("{s:s, s:o}", "type", "array", "items", j);
    return j;
}

static json_t *schema_of_value(const struct nf_field *f, json_t *defs)
{
    json_t *j;

    switch (f->type) {
    case NF_FIELD_UINT:
        if (f->flags & NF_ALL)   /* plain.h */
            return json_pack("{s:s, s:s}", "type", "string", "pattern", "^(all|[0-9]+)$");
        j = describe_integer();
        limit_range(j, f);
        return j;
    case NF_FIELD_REAL:
        j = json_pack("{s:s}", "type", "number");
        limit_range(j, f);
        return j;
    case NF_FIELD_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case NF_FIELD_VERDICT:
        return json_pack("{s:[s, s]}", "type", "boolean", "null");
    case NF_FIELD_CHOICE:
        return schema_of_choice(f);
    case NF_FIELD_SET:
        return json_pack("{s:s, s:o}", "type", "array", "items", schema_of_choice(f));
    case NF_FIELD_NUMBERS:
        return json_pack("{s:s, s:o}", "type", "array", "items", describe_integer());
    case NF_FIELD_COUNTS:
        return schema_of_counts(f);
    case NF_FIELD_GRAM:
        return json_pack("{s:[o, {s:s, s:o}]}", "anyOf", describe_integer(), "type", "array", "items", describe_integer());
    case NF_FIELD_MAP:
        return refer_to(f->of, defs);
    case NF_FIELD_TUPLE:
        return schema_of_tuple(f->of, defs);
    case NF_FIELD_TENSOR:
    case NF_FIELD_ARRAY:
    case NF_FIELD_ANY:
        return schema_of_tensor(f);
    default:
        return f->names ? schema_of_choice(f) : json_pack("{s:s}", "type", "string");
    }
}

static json_t *schema_of_field(const struct nf_field *f, json_t *defs)
{
    json_t *j = schema_of_value(f, defs);

    if (f->list) {
        if (f->flags & NF_ITEM_NIL)
            j = allow_nil(j);
        j = json_pack("{s:s, s:o}", "type", "array", "items", j);
    }
    if (f->flags & NF_NIL || f->nil)
        j = allow_nil(j);
    json_object_set_new(j, "description", json_string(f->help));
    if (f->unit)
        json_object_set_new(j, "unit", json_string(f->unit));
    return j;
}

static json_t *schema_of_record(const struct nf_record *r, bool typed, json_t *defs)
{
    json_t *properties = json_object(), *required = json_array();

    if (typed) {
        json_object_set_new(properties, "r", json_pack("{s:s}", "const", r->type));
        json_array_append_new(required, json_string("r"));
    }
    for (size_t i = 0; i < r->n; i++) {
        const struct nf_field *f = &r->field[i];

        if (f->type == NF_FIELD_SIZE)
            continue;
        json_object_set_new(properties, f->key, schema_of_field(f, defs));
        if (!(f->flags & (NF_OPT | NF_LATER)) && !f->group)
            json_array_append_new(required, json_string(f->key));
    }
    return json_pack("{s:s, s:s, s:o, s:o}", "type", "object", "description", r->help, "properties", properties, "required", required);
}

json_t *nf_kind_schema(const struct nf_kind *k)
{
    json_t *defs = json_object(), *lines = json_array();

    for (size_t i = 0; i <= k->n; i++)
        json_array_append_new(lines, schema_of_record(i < k->n ? k->record[i] : k->end, true, defs));
    return json_pack("{s:s, s:s+, s:s, s:o, s:o}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title",
                     "a record of kind ", k->name, "description",
                     "one line of stream-dump --format ndjson; a tensor is nested arrays, a number that is not finite is null", "anyOf",
                     lines, "$defs", defs);
}
