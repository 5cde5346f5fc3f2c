/* test_opt.c - command lines against an option table: values, ranges, and which word a refusal blames. */
#include "check.h"

#include <getopt.h>
#include <stdlib.h>

#include "base/opt.h"

enum shade { DARK = 7, PALE = 3 };
enum order { FIRST, SECOND, THIRD };

static struct {
    bool mid, all;
    double rate;
    uint64_t top, memory;
    const char *file;
    enum shade shade;
    enum order order;
    struct nf_range layers;
    struct nf_list drop;
} o;

static const unsigned shades[] = { DARK, PALE };
static const struct nf_opt rows[] = {
    OPT_FLAG("mid", &o.mid, "a flag"),
    OPT_REAL("rate", &o.rate, 0.5, 1, "P", "a number", .letter = 'r'),
    OPT_UINT("top-k", &o.top, 0, 1024, "K", "a whole number", .letter = 'k'),
    OPT_SIZE("memory", &o.memory, 4096, "a size"),
    OPT_STR("file", &o.file, "FILE", "a text", .local = true),
    OPT_CHOICE("shade", &o.shade, "dark|pale", "an enum by its values", .means = shades),
    OPT_CHOICE("order", &o.order, "first|second|third", "an enum from 0 up"),
    OPT_EITHER("scope", &o.all, "half|all", "a bool"),
    OPT_RANGE("layers", &o.layers, "a range"),
    OPT_LIST("drop", &o.drop, "L,...", "a list"),
    OPT_LIST("drop-ffn", &o.drop, "L,...", "another"),
    OPT_END,
};
static struct nf_cmd cmd = { "try", "try options", "[FILE...]", "nothing", "nothing", rows };

static struct nf_err err;
static char *words[16];
static char text[256];

/* Parses "try " + line, its words separated by blanks; what nf_opt_parse() returns. */
static int parse(const char *line)
{
    int n = 0;

    memset(&o, 0, sizeof o);
    o.shade = PALE;
    o.layers = (struct nf_range)NF_RANGE_ALL;
    err = (struct nf_err)NF_ERR_INIT;
    snprintf(text, sizeof text, "try %s", line);
    for (char *save, *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save))
        words[n++] = w;
    words[n] = NULL;
    optind = 0;   /* getopt begins anew */
    return nf_opt_parse(&cmd, n, words, &err);
}

/* The line is refused, and in these words. */
static bool refused(const char *line, const char *why)
{
    int rc = parse(line);

    if (rc == NF_EUSAGE && strcmp(err.text, why) == 0)
        return true;
    printf("# %s: %d, %s\n", line, rc, err.text);
    return false;
}

static void values_arrive(void)
{
    CHECK(parse("--mid --rate 0.75 --top-k=12 --file x --layers 2:5 a") == 9 && strcmp(words[9], "a") == 0);
    CHECK(o.mid && o.rate == 0.75 && o.top == 12 && strcmp(o.file, "x") == 0);
    CHECK(o.layers.from == 2 && o.layers.to == 5);
    CHECK(parse("--layers 3") > 0 && o.layers.from == 3 && o.layers.to == 4);
    CHECK(parse("--layers :4") > 0 && o.layers.from == 0 && o.layers.to == 4);
    CHECK(parse("--layers 4:") > 0 && o.layers.from == 4 && o.layers.to == SIZE_MAX);
    CHECK(parse("-k3 -r 1") > 0 && o.top == 3 && o.rate == 1);
}

static void choices_fill_enums(void)
{
    CHECK(parse("") > 0 && o.shade == PALE && o.order == FIRST && !o.all);
    CHECK(parse("--shade dark --order third --scope all") > 0);
    CHECK(o.shade == DARK && o.order == THIRD && o.all);
    CHECK(refused("--order fourth", "--order fourth: one of first|second|third is expected"));
    CHECK(refused("--order fir", "--order fir: one of first|second|third is expected"));
    CHECK(refused("--order first|second", "--order first|second: one of first|second|third is expected"));
    CHECK(refused("--scope=", "--scope : one of half|all is expected"));
}

static void sizes_have_units(void)
{
    CHECK(parse("--memory 4096") > 0 && o.memory == 4096);
    CHECK(parse("--memory 4k") > 0 && o.memory == 4096);
    CHECK(parse("--memory 8K") > 0 && o.memory == 8192);
    CHECK(parse("--memory 1.5G") > 0 && o.memory == 3ull << 29);
    CHECK(parse("--memory 512MiB") > 0 && o.memory == 512 << 20);
    CHECK(parse("--memory 2Ti") > 0 && o.memory == 2ull << 40);
    CHECK(refused("--memory 4095", "--memory 4095: at least 4096 bytes are expected"));
    for (const char *const *bad =
             (const char *const[]){ "4q", "4kk", "k", "-4k", "0x4000", "nan", "1e300", "0.3k", "5000.5", NULL };
         *bad; bad++) {
        char line[40], why[120];

        snprintf(line, sizeof line, "--memory=%s", *bad);
        snprintf(why, sizeof why, "--memory %s: a size in bytes such as 4k, 512M or 1.5G is expected", *bad);
        CHECK(refused(line, why));
    }
}

static void lists_gather(void)
{
    CHECK(parse("--drop 1,2 --drop 3") > 0 && o.drop.n == 3 && strcmp(o.drop.item[2], "3") == 0);
}

static void names_may_be_short_where_they_are_clear(void)
{
    CHECK(parse("--mi --ra=0.5 --lay 2:3") > 0 && o.mid && o.rate == 0.5 && o.layers.to == 3);
    CHECK(parse("--drop 4") > 0 && o.drop.n == 1);   /* a whole name is clear though a longer one begins so */
    CHECK(refused("--dro 4", "--dro: may be --drop, --drop-ffn"));
    CHECK(refused("--m", "--m: may be --mid, --memory"));
}

static void operands_stand_anywhere(void)
{
    CHECK(parse("a --mid b") == 2 && strcmp(words[2], "a") == 0 && strcmp(words[3], "b") == 0 && o.mid);
    CHECK(parse("-- --mid") == 2 && strcmp(words[2], "--mid") == 0 && !o.mid);
    cmd.operands = "";
    CHECK(refused("--mid a b", "a: no operand is taken; the stream comes on standard input"));
    cmd.operands = "[FILE...]";
}

static void the_unknown_option_is_blamed(void)
{
    CHECK(refused("--drop 1 -Xq", "-X: no such option; try -h lists them"));
    CHECK(refused("--drop 1 -qX", "-X: no such option; try -h lists them"));
    CHECK(refused("a -K 3", "-K: no such option; the nearest is -k, --top-k"));
    CHECK(refused("--dorp 1", "--dorp: no such option; the nearest is --drop"));
    CHECK(refused("--top_k=1", "--top_k: no such option; the nearest is --top-k"));
    CHECK(refused("a -drop 1", "-drop: no such option; the nearest is --drop"));
    CHECK(refused("--colour", "--colour: no such option; try -h lists them"));
    CHECK(
        refused("--a-name-that-is-longer-than-any-option-could-ever-be-and-then-longer-still",
                "--a-name-that-is-longer-than-any-option-could-ever-be-and-then-longer-still: no such option; try -h lists them"));
}

static void a_missing_value_is_named(void)
{
    CHECK(refused("--rate", "--rate: a value is expected: P"));
    CHECK(refused("-q -k", "--top-k: a value is expected: K"));
    CHECK(refused("--mid=3 a", "--mid=3: --mid takes no value"));
}

static void values_out_of_range_are_named(void)
{
    CHECK(refused("--rate 0.4", "--rate 0.4: a number from 0.5 to 1 is expected"));
    CHECK(refused("--rate nan", "--rate nan: a number from 0.5 to 1 is expected"));
    CHECK(refused("--top-k 1025", "--top-k 1025: a whole number from 0 to 1024 is expected"));
    CHECK(refused("--top-k=-1", "--top-k -1: a whole number from 0 to 1024 is expected"));
    CHECK(refused("--layers 5:5", "--layers 5:5: a range such as 3, 0:6, :6 or 6: is expected, the end not included"));
    CHECK(refused("--layers 1:x", "--layers 1:x: a range such as 3, 0:6, :6 or 6: is expected, the end not included"));
    CHECK(refused("--layers=", "--layers : a range such as 3, 0:6, :6 or 6: is expected, the end not included"));
}

/* Text as it was typed; choices by name; the open end is nil; local options are left out. */
static void the_history_has_every_option(void)
{
    json_t *j;
    char *s;

    CHECK(parse("--rate 0.5 --shade dark --layers 2: --drop 1,x --file y --memory 8k") > 0);
    j = nf_opt_json(&cmd);
    s = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
    CHECK(s && strcmp(s, "{\"drop\":[\"1\",\"x\"],\"drop-ffn\":[\"1\",\"x\"],\"layers\":[2,null],\"memory\":8192,\"mid\":false,"
                         "\"order\":\"first\",\"rate\":0.5,\"scope\":\"half\",\"shade\":\"dark\",\"top-k\":0}") == 0);
    free(s);
    json_decref(j);
}

int main(void)
{
    return RUN(values_arrive, choices_fill_enums, sizes_have_units, lists_gather, names_may_be_short_where_they_are_clear,
               operands_stand_anywhere, the_unknown_option_is_blamed, a_missing_value_is_named, values_out_of_range_are_named,
               the_history_has_every_option);
}
