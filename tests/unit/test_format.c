/*
 * test_format.c - the tables of lib/stream/FORMAT.md are those of lib/record.  From the root of the repository; REWRITE=1 in the environment
 * writes them into the file.
 */
#include <stdlib.h>

#include "check.h"
#include "record/describe.h"

static const char path[] = "lib/stream/FORMAT.md";

static char *read_whole(void)
{
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t cap = 0;

    if (!f || getdelim(&text, &cap, '\0', f) < 0)
        abort();
    fclose(f);
    return text;
}

static void write_records(FILE *f, const char *name)
{
    bool context = strcmp(name, "context") == 0;
    const struct nf_kind *k = context ? nf_kind_find("tokens") : nf_kind_find(name);

    for (size_t i = 0; k && i < k->n; i++)
        if (nf_kind_is_own(k->record[i]) != context)
            nf_record_tables(f, k->record[i]);
    if (k && !context)
        nf_record_tables(f, k->end);
}

/* The file with every part between its markers made anew.  parts: how many there are. */
static char *make_anew(const char *text, size_t *parts)
{
    static const char begin[] = "<!-- records of ", end[] = "<!-- end -->";
    char *anew = NULL, name[32];
    size_t size;
    FILE *f = open_memstream(&anew, &size);

    for (const char *at; (at = strstr(text, begin)); ++*parts) {
        const char *line = strchr(at, '\n'), *close = strstr(at, end);

        if (!line || !close || sscanf(at + strlen(begin), "%31[a-z]", name) != 1)
            abort();
        fwrite(text, 1, (size_t)(line + 1 - text), f);
        write_records(f, name);
        text = close;
    }
    fputs(text, f);
    fclose(f);
    return anew;
}

static void format_has_the_tables(void)
{
    size_t parts = 0;
    char *text = read_whole(), *anew = make_anew(text, &parts);

    CHECK(parts == NF_KINDS + 1);   /* the records that travel from tokens onwards, too */
    if (getenv("REWRITE") && *getenv("REWRITE")) {
        FILE *f = fopen(path, "w");

        CHECK(f && fputs(anew, f) >= 0 && fclose(f) == 0);
    } else if (strcmp(text, anew) != 0) {
        size_t at = 0, line;

        for (line = 0; text[line] && text[line] == anew[line]; line++)
            if (anew[line] == '\n')
                at = line + 1;
        printf("# %s is not current (REWRITE=1 writes it); the table has: %.*s\n", path, (int)strcspn(anew + at, "\n"), anew + at);
        check_failed = true;
    }
    free(text);
    free(anew);
}

/* Every "$ref" leads somewhere, and each record has the fields of its table. */
static bool refers(const json_t *j, const json_t *defs)
{
    const char *key;
    bool good = true;
    size_t i;
    json_t *v;

    if (json_is_array(j)) {
        json_array_foreach (j, i, v)
            good &= refers(v, defs);
        return good;
    }
    json_object_foreach ((json_t *)j, key, v)
        good &= strcmp(key, "$ref") == 0 ? json_is_object(json_object_get(defs, json_string_value(v) + strlen("#/$defs/"))) : refers(v, defs);
    return good;
}

static void schemas_are_whole(void)
{
    for (size_t k = 0; k < NF_KINDS; k++) {
        json_t *schema = nf_kind_schema(&nf_kinds[k]);

        CHECK(schema && json_array_size(json_object_get(schema, "anyOf")) == nf_kinds[k].n + 1);
        CHECK(refers(schema, json_object_get(schema, "$defs")));
        json_decref(schema);
    }
}

static void paths_are_known(void)
{
    const struct nf_kind *k = nf_kind_find("neurons");
    const struct nf_record *neuron = nf_kind_record(k, "neuron", 6), *layer = nf_kind_record(k, "layer", 5);

    CHECK(nf_record_has_path(neuron, "cover.0.1") && nf_record_has_path(neuron, "token.share.p") && nf_record_has_path(neuron, "classes.0"));
    CHECK(nf_record_has_path(layer, "bands.rare") && nf_record_has_path(layer, "positional.one/weak") && nf_record_has_path(layer, "dead"));
    CHECK(!nf_record_has_path(neuron, "token.shares.p") && !nf_record_has_path(neuron, "nothing") && !nf_record_has_path(layer, "bands.odd"));
}

int main(void)
{
    return RUN(format_has_the_tables, schemas_are_whole, paths_are_known);
}
