/* test_interventions.c - the grammar of --drop, --swap, ..: which interventions a text names, and what a refusal says. */
#include "check.h"

#include "run/interventions.h"

static const struct nf_config cfg = { .L = 6, .H = 4, .F = 8 };

/* The names of all interventions of the texts, up to NULL, with blanks between them. */
static const char *names_of(enum nf_lesion_kind kind, const char *const *text)
{
    static char names[1024];
    struct nf_interventions all = { 0 };
    struct nf_err err = NF_ERR_INIT;
    size_t at = 0;

    names[0] = '\0';
    for (; *text; text++)
        if (nf_interventions_add(&all, kind, *text, &cfg, &err) < 0)
            printf("# %s\n", err.text);
    for (size_t i = 0; i < all.n; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", all.item[i].name);
    nf_interventions_clear(&all);
    CHECK(err.code == NF_OK && all.n == 0 && !all.item);
    return names;
}

#define NAMES(kind, ...) names_of(kind, (const char *const[]){ __VA_ARGS__, NULL })

static bool refused(enum nf_lesion_kind kind, const char *text, const char *why)
{
    struct nf_interventions all = { 0 };
    struct nf_err err = NF_ERR_INIT;
    int rc = nf_interventions_add(&all, kind, text, &cfg, &err);

    nf_interventions_clear(&all);
    if (rc == NF_EUSAGE && strcmp(err.text, why) == 0)
        return true;
    printf("# %s: %d, %s\n", text, rc, err.text);
    return false;
}

static void blocks_one_by_one_in_ranges_and_all(void)
{
    CHECK(strcmp(NAMES(NF_LESION_DROP, "3"), "drop 3") == 0);
    CHECK(strcmp(NAMES(NF_LESION_DROP, "0-2", "5", "4-4"), "drop 0, drop 1, drop 2, drop 5, drop 4") == 0);
    CHECK(strcmp(NAMES(NF_LESION_DROP_FFN, "all"), "drop-ffn 0, drop-ffn 1, drop-ffn 2, drop-ffn 3, drop-ffn 4, drop-ffn 5") == 0);
    CHECK(strcmp(NAMES(NF_LESION_SWAP, "all"), "swap 0, swap 1, swap 2, swap 3, swap 4") == 0);
    CHECK(strcmp(NAMES(NF_LESION_SWAP, "3-4"), "swap 3, swap 4") == 0);
    CHECK(strcmp(NAMES(NF_LESION_DROP_ATTENTION, "05"), "drop-attention 5") == 0);
}

static void heads(void)
{
    CHECK(strcmp(NAMES(NF_LESION_DROP_HEAD, "4.1"), "drop-head 4.1") == 0);
    CHECK(strcmp(NAMES(NF_LESION_DROP_HEAD, "2.1-3", "0.0"), "drop-head 2.1, drop-head 2.2, drop-head 2.3, drop-head 0.0") == 0);
    CHECK(strcmp(NAMES(NF_LESION_DROP_HEAD, "5.all"), "drop-head 5.0, drop-head 5.1, drop-head 5.2, drop-head 5.3") == 0);
    CHECK(strncmp(NAMES(NF_LESION_DROP_HEAD, "all"), "drop-head 0.0, drop-head 0.1, ", 30) == 0);
    CHECK(strstr(NAMES(NF_LESION_DROP_HEAD, "all"), "drop-head 5.3") != NULL);
}

static void repeats_wherever_they_fit(void)
{
    CHECK(strcmp(NAMES(NF_LESION_REPEAT, "4"), "repeat 0:4, repeat 1:5, repeat 2:6") == 0);
    CHECK(strcmp(NAMES(NF_LESION_REPEAT, "6"), "repeat 0:6") == 0);
}

static void pairs(void)
{
    CHECK(strcmp(NAMES(NF_LESION_SKIP, "2:5"), "skip 2:5") == 0);
    CHECK(strcmp(NAMES(NF_LESION_MOVE, "5:0", "0:5"), "move 5:0, move 0:5") == 0);
    CHECK(strcmp(NAMES(NF_LESION_REPLACE, "1:4"), "replace 1:4") == 0);
    CHECK(strcmp(NAMES(NF_LESION_NONE, ""), "none") == 0);
}

static void a_refusal_names_the_text(void)
{
    static const char *const bad[] = { "", "x", "1x", "-1", "1-", "-", "2-1", "1-2-3", "all ", "All", "1:3", "0x1", "+1", " 1" };
    char why[120];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(why, sizeof why, "--drop %s: a layer L, a range A-B, or all is expected", bad[i]);
        CHECK(refused(NF_LESION_DROP, bad[i], why));
    }
    CHECK(refused(NF_LESION_DROP_HEAD, "1", "--drop-head 1: L.H, L.A-B, L.all or all is expected"));
    CHECK(refused(NF_LESION_DROP_HEAD, "1.2.3", "--drop-head 1.2.3: L.H, L.A-B, L.all or all is expected"));
    CHECK(refused(NF_LESION_DROP_HEAD, "all.1", "--drop-head all.1: L.H, L.A-B, L.all or all is expected"));
    CHECK(refused(NF_LESION_SKIP, "2", "--skip 2: A:B is expected"));
    CHECK(refused(NF_LESION_SKIP, "2:", "--skip 2:: A:B is expected"));
    CHECK(refused(NF_LESION_SKIP, "1:2:3", "--skip 1:2:3: A:B is expected"));
    CHECK(refused(NF_LESION_REPEAT, "0", "--repeat 0: a number of layers from 1 to 6 is expected"));
    CHECK(refused(NF_LESION_REPEAT, "7", "--repeat 7: a number of layers from 1 to 6 is expected"));
    CHECK(refused(NF_LESION_REPEAT, "all", "--repeat all: a number of layers from 1 to 6 is expected"));
}

static void a_refusal_says_what_the_model_has(void)
{
    CHECK(refused(NF_LESION_DROP, "6", "--drop 6: the model has layers 0 to 5"));
    CHECK(refused(NF_LESION_DROP, "4-6", "--drop 4-6: the model has layers 0 to 5"));
    CHECK(refused(NF_LESION_DROP, "99999999999999999999", "--drop 99999999999999999999: the model has layers 0 to 5"));
    CHECK(refused(NF_LESION_SWAP, "5", "--swap 5: the model has layers 0 to 5, and swaps from 0 to one less"));
    CHECK(refused(NF_LESION_DROP_HEAD, "6.0", "--drop-head 6.0: the model has layers 0 to 5"));
    CHECK(refused(NF_LESION_DROP_HEAD, "1.2-4", "--drop-head 1.2-4: the model has heads 0 to 3"));
    CHECK(refused(NF_LESION_SKIP, "3:3", "--skip 3:3: this changes nothing"));
    CHECK(refused(NF_LESION_MOVE, "0:6", "--move 0:6: the model has layers 0 to 5"));
}

static void a_model_of_one_layer_has_no_swap(void)
{
    const struct nf_config one = { .L = 1, .H = 1, .F = 1 };
    struct nf_interventions all = { 0 };
    struct nf_err err = NF_ERR_INIT;

    CHECK(nf_interventions_add(&all, NF_LESION_SWAP, "all", &one, &err) == NF_EUSAGE);
    CHECK(strcmp(err.text, "--swap all: the model has one layer") == 0);
    nf_interventions_clear(&all);
}

static void there_is_an_end(void)
{
    struct nf_interventions all = { 0 };
    struct nf_err err = NF_ERR_INIT;

    for (size_t i = 0; i < NF_INTERVENTIONS_MAX; i++)
        CHECK(nf_interventions_new(&all, &err));
    CHECK(!nf_interventions_new(&all, &err) && err.code == NF_EUSAGE);
    CHECK(strcmp(err.text, "more than 100000 interventions") == 0);
    nf_interventions_clear(&all);
}

int main(void)
{
    return RUN(blocks_one_by_one_in_ranges_and_all, heads, repeats_wherever_they_fit, pairs, a_refusal_names_the_text,
               a_refusal_says_what_the_model_has, a_model_of_one_layer_has_no_swap, there_is_an_end);
}
