/* family.c - the list of families. */
#include "checkpoint/family.h"

#include <stdio.h>
#include <string.h>

#define FAMILIES(X) X(opt) X(gpt2) X(gpt_neo) X(gpt_neox) X(phi) X(llama) X(mistral) X(qwen2) X(qwen3)

#define DECLARE(name) extern const struct nf_family nf_##name;
#define LIST(name) &nf_##name,
FAMILIES(DECLARE)

static const struct nf_family *const families[] = { FAMILIES(LIST) };

enum { N_FAMILIES = sizeof families / sizeof *families };

const struct nf_family *nf_family_find(const char *model_type)
{
    for (size_t i = 0; i < N_FAMILIES; i++)
        if (strcmp(families[i]->name, model_type) == 0)
            return families[i];
    return NULL;
}

const struct nf_family *nf_family_of(const char *architecture)
{
    for (size_t i = 0; i < N_FAMILIES; i++)
        if (strcmp(families[i]->architecture, architecture) == 0)
            return families[i];
    return NULL;
}

const char *nf_family_list(char *buf, size_t size)
{
    size_t at = 0;

    *buf = '\0';
    for (size_t i = 0; i < N_FAMILIES && at < size; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s%s", i ? ", " : "", families[i]->name);
    return buf;
}

const char *nf_family_name(const struct nf_family *family)
{
    return family->name;
}
