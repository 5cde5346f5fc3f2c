/* opt.c - option tables: parse, -h, and the echo into the stream's history. */
#include "base/opt.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/opt_value.h"
#include "base/par.h"
#include "base/prog.h"
#include "version.h"

struct nf_common nf_common;

static bool help_asked, version_asked;
static const struct nf_opt common_opts[] = {
    OPT_STR("output", &nf_common.output, "FILE", "write to FILE, which appears when it is whole; a failure keeps the old one",
            .letter = 'o', .local = true),
    OPT_UINT("threads", &nf_common.threads, 0, NF_THREADS_MAX, "N", "number of threads; 0: as many as the process may use",
             .letter = 'j', .local = true),
    OPT_FLAG("uncompressed", &nf_common.raw, "write msgpack without zstd compression", .letter = 'u', .local = true),
    OPT_FLAG("quiet", &nf_common.quiet, "print no progress", .letter = 'q', .local = true),
    OPT_FLAG("verbose", &nf_common.verbose, "print on stderr what was done", .letter = 'v', .local = true),
    OPT_EITHER("progress", &nf_common.json_progress, "text|json", "form of the progress on stderr", .local = true),
    OPT_FLAG("help", &help_asked, "print this text", .letter = 'h', .local = true),
    OPT_FLAG("version", &version_asked, "print the version", .letter = 'V', .local = true),
    OPT_END,
};

enum { ROWS_MAX = 96, NAME_BYTES = 64, HELP_COLUMN = 28 };

/* The rows of the command, then the common ones, and what getopt_long() makes of them: row i is the long option LONG + i. */
enum { LONG = 1000 };
struct table {
    const struct nf_cmd *cmd;
    const struct nf_opt *row[ROWS_MAX];
    size_t n;
    struct option longs[ROWS_MAX + 1];
    char shorts[2 * ROWS_MAX + 2];
};

static void add_rows(struct table *t, const struct nf_opt *o)
{
    for (; o->type != NF_OPT_END; o++) {
        if (t->n == ROWS_MAX)
            abort();   /* a table of ours, not input */
        t->row[t->n++] = o;
    }
}

/* The leading ':' makes getopt_long() tell a missing value from an unknown option. */
static void make_table(struct table *t, const struct nf_cmd *cmd)
{
    char *s = t->shorts;

    *t = (struct table){ .cmd = cmd };
    add_rows(t, cmd->opts);
    add_rows(t, common_opts);
    *s++ = ':';
    for (size_t i = 0; i < t->n; i++) {
        const struct nf_opt *o = t->row[i];
        bool flag = o->type == NF_OPT_FLAG;

        t->longs[i] = (struct option){ o->name, flag ? no_argument : required_argument, NULL, LONG + (int)i };
        if (o->letter)
            *s++ = o->letter;
        if (o->letter && !flag)
            *s++ = ':';
    }
}

/* The row that getopt_long() returned or complained of; NULL: no such row. */
static const struct nf_opt *find_row(const struct table *t, int c)
{
    if (c >= LONG)
        return t->row[c - LONG];
    for (size_t i = 0; i < t->n; i++)
        if (c && t->row[i]->letter == c)
            return t->row[i];
    return NULL;
}

/* ---- -h ---- */

static void print_rows(const struct nf_opt *o)
{
    for (; o->type != NF_OPT_END; o++) {
        int col = o->letter ? printf("  -%c, --%s", o->letter, o->name) : printf("      --%s", o->name);

        if (o->type != NF_OPT_FLAG)
            col += printf(" %s", o->arg);
        if (col >= HELP_COLUMN) {
            putchar('\n');
            col = 0;
        }
        printf("%*s%s", HELP_COLUMN - col, "", o->help);
        nf_opt_print_default(o);
        putchar('\n');
    }
}

static void print_help(const struct nf_cmd *cmd)
{
    printf("%s - %s\n\nusage: %s [options]%s%s\n", cmd->name, cmd->summary, cmd->name, *cmd->operands ? " " : "", cmd->operands);
    printf("  in: %s   out: %s\n\n", cmd->in, cmd->out);
    print_rows(cmd->opts);
    print_rows(common_opts);
}

/* ---- what is wrong with an option ---- */

static size_t least(size_t a, size_t b, size_t c)
{
    return nf_min(a, nf_min(b, c));
}

/* How many letters must be added, dropped, changed or exchanged with the next to make b of a: optimal string alignment. */
static size_t count_typos(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), d[NAME_BYTES + 1][NAME_BYTES + 1];

    if (n > NAME_BYTES || m > NAME_BYTES)
        return nf_max(n, m);
    for (size_t i = 0; i <= n; i++)
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = nf_min(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[n][m];
}

/* The long option that the text is most like; NULL: none has two thirds of its letters. */
static const char *nearest_name(const struct table *t, const char *text)
{
    size_t best = strlen(text) / 3 + 1;
    const char *name = NULL;

    for (size_t i = 0; i < t->n; i++) {
        size_t typos = count_typos(text, t->row[i]->name);

        if (typos < best || (typos == best && !name)) {
            best = typos;
            name = t->row[i]->name;
        }
    }
    return name;
}

/* "--per": the names that begin so, with commas between them; how many. */
static size_t list_choices(const struct table *t, const char *text, char *names, size_t size)
{
    size_t n = 0, at = 0;

    for (size_t i = 0; i < t->n; i++)
        if (strncmp(t->row[i]->name, text, strlen(text)) == 0 && at < size)
            at += (size_t)snprintf(names + at, size - at, "%s--%s", n++ ? ", " : "", t->row[i]->name);
    return n;
}

/* `word`: "--perr" or "--perr=3"; cut off at the '='. */
static int refuse_long(const struct table *t, char *word, struct nf_err *err)
{
    char names[200];
    const char *near;

    word[strcspn(word, "=")] = '\0';
    if (word[2] && list_choices(t, word + 2, names, sizeof names) > 1)
        return nf_fail(err, NF_EUSAGE, "%s: may be %s", word, names);
    near = nearest_name(t, word + 2);
    if (near)
        return nf_fail(err, NF_EUSAGE, "%s: no such option; the nearest is --%s", word, near);
    return nf_fail(err, NF_EUSAGE, "%s: no such option; %s -h lists them", word, t->cmd->name);
}

/* "-drop" for "--drop": the word is taken letter by letter, and this is one of its letters.  NULL: there is no such word. */
static const char *find_dash_missing(const struct table *t, char letter, char **argv)
{
    for (char **word = argv + 1; *word; word++)
        for (size_t i = 0; (*word)[0] == '-' && strchr(*word, letter) && i < t->n; i++)
            if (strcmp(*word + 1, t->row[i]->name) == 0)
                return t->row[i]->name;
    return NULL;
}

/* The likeliest mistakes: one dash for two, and the other case of the letter. */
static int refuse_letter(const struct table *t, char letter, char **argv, struct nf_err *err)
{
    unsigned char c = (unsigned char)letter;
    const struct nf_opt *other = find_row(t, isupper(c) ? tolower(c) : toupper(c));
    const char *name = find_dash_missing(t, letter, argv);

    if (name)
        return nf_fail(err, NF_EUSAGE, "-%s: no such option; the nearest is --%s", name, name);
    if (other)
        return nf_fail(err, NF_EUSAGE, "-%c: no such option; the nearest is -%c, --%s", letter, other->letter, other->name);
    return nf_fail(err, NF_EUSAGE, "-%c: no such option; %s -h lists them", letter, t->cmd->name);
}

/* What getopt_long() complains of: `which` is a letter, LONG + row, or 0: the long option it has just looked at. */
static int refuse_option(const struct table *t, int c, int which, char **argv, struct nf_err *err)
{
    const struct nf_opt *o = find_row(t, which);

    if (c == ':')
        return nf_fail(err, NF_EUSAGE, "--%s: a value is expected: %s", o->name, o->arg);
    if (o)
        return nf_fail(err, NF_EUSAGE, "%s: --%s takes no value", argv[optind - 1], o->name);
    if (which)
        return refuse_letter(t, (char)which, argv, err);
    return refuse_long(t, argv[optind - 1], err);
}

/* ---- all ---- */

static void print_and_exit(const struct nf_cmd *cmd)
{
    if (help_asked)
        print_help(cmd);
    else
        printf("%s (neurofilters) %s\n", cmd->name, NF_VERSION);
    exit(fflush(stdout) == 0 && !ferror(stdout) ? NF_EXIT_OK : NF_EXIT_SYS);
}

int nf_opt_parse(const struct nf_cmd *cmd, int argc, char **argv, struct nf_err *err)
{
    struct table t;
    int c;

    make_table(&t, cmd);
    opterr = 0;
    while ((c = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
        if (c == '?' || c == ':')
            return refuse_option(&t, c, optopt, argv, err);
        if (nf_opt_set(find_row(&t, c), optarg, err) < 0)
            return NF_EUSAGE;
        if (help_asked || version_asked)
            print_and_exit(cmd);
    }
    if (optind < argc && !*cmd->operands)
        return nf_fail(err, NF_EUSAGE, "%s: no operand is taken; the stream comes on standard input", argv[optind]);
    return nf_threads_start(nf_common.threads, err) < 0 ? (int)err->code : optind;
}

json_t *nf_opt_json(const struct nf_cmd *cmd)
{
    json_t *all = json_object();

    for (const struct nf_opt *o = cmd->opts; all && o->type != NF_OPT_END; o++)
        if (!o->local && json_object_set_new(all, o->name, nf_opt_value_json(o)) < 0) {
            json_decref(all);
            all = NULL;
        }
    return all;
}
