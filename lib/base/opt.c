/* opt.c - option tables: parse, -h, ranges, and the echo into the stream's history. */
#include "base/opt.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/par.h"
#include "base/prog.h"
#include "base/utf8.h"
#include "version.h"

struct nf_common nf_common;

static const struct nf_opt common_opts[] = {
    { 'j', "threads", NF_OPT_UINT, &nf_common.threads, 0, NF_THREADS_MAX, "N",
      "number of threads; 0: as many as the process may use", true },
    { 'u', "uncompressed", NF_OPT_FLAG, &nf_common.raw, 0, 0, NULL, "write msgpack without zstd compression", true },
    { 'q', "quiet", NF_OPT_FLAG, &nf_common.quiet, 0, 0, NULL, "print no progress", true },
    { 'v', "verbose", NF_OPT_FLAG, &nf_common.verbose, 0, 0, NULL, "print on stderr what was done", true },
    NF_OPT_LAST,
};

enum { MAX_OPTS = 96, HELP_COLUMN = 28 };

static size_t count_options(const struct nf_opt *o)
{
    size_t n = 0;

    while (o[n].type != NF_OPT_END)
        n++;
    return n;
}

/* Bytes that are no UTF-8 have no place in a header. */
static json_t *text_json(const char *s)
{
    return s && nf_utf8_valid((const unsigned char *)s, strlen(s)) == strlen(s) ? json_string(s) : json_null();
}

static json_t *value_json(const struct nf_opt *o)
{
    switch (o->type) {
    case NF_OPT_FLAG:
        return json_boolean(*(const bool *)o->value);
    case NF_OPT_REAL:
        return json_real(*(const double *)o->value);
    case NF_OPT_UINT:
    case NF_OPT_SIZE:
        return json_integer((json_int_t) * (const uint64_t *)o->value);
    case NF_OPT_STR:
    case NF_OPT_CHOICE:
        return text_json(*(const char *const *)o->value);
    case NF_OPT_RANGE: {
        const struct nf_range *r = o->value;

        return json_pack("[I,o]", (json_int_t)r->from, r->to == SIZE_MAX ? json_null() : json_integer((json_int_t)r->to));
    }
    case NF_OPT_LIST: {
        const struct nf_list *l = o->value;
        json_t *a = json_array();

        for (size_t i = 0; a && i < l->n; i++)
            if (json_array_append_new(a, text_json(l->item[i])) < 0) {
                json_decref(a);
                a = NULL;
            }
        return a;
    }
    case NF_OPT_END:
        break;
    }
    return json_null();
}

json_t *nf_opt_json(const struct nf_cmd *cmd)
{
    json_t *all = json_object();

    for (const struct nf_opt *o = cmd->opts; all && o->type != NF_OPT_END; o++)
        if (!o->local && json_object_set_new(all, o->name, value_json(o)) < 0) {
            json_decref(all);
            all = NULL;
        }
    return all;
}

static void print_default(const struct nf_opt *o)
{
    switch (o->type) {
    case NF_OPT_REAL:
        printf(" [%g]", *(const double *)o->value);
        break;
    case NF_OPT_UINT:
        printf(" [%" PRIu64 "]", *(const uint64_t *)o->value);
        break;
    case NF_OPT_SIZE: {
        uint64_t v = *(const uint64_t *)o->value;
        const char *unit = "";

        for (const char *next = "kMGT"; *next && v >= 1024 && v % 1024 == 0; next++) {
            v /= 1024;
            unit = *next == 'k' ? "k" : *next == 'M' ? "M" : *next == 'G' ? "G" : "T";
        }
        printf(" [%" PRIu64 "%s]", v, unit);
        break;
    }
    case NF_OPT_STR:
    case NF_OPT_CHOICE:
        if (*(const char *const *)o->value)
            printf(" [%s]", *(const char *const *)o->value);
        break;
    default:
        break;
    }
}

static void print_opts(const struct nf_opt *o)
{
    for (; o->type != NF_OPT_END; o++) {
        int col = o->letter ? printf("  -%c, --%s", o->letter, o->name) : printf("      --%s", o->name);

        if (o->type != NF_OPT_FLAG)
            col += printf(" %s", o->arg ? o->arg : "X");
        if (col >= HELP_COLUMN) {
            putchar('\n');
            col = 0;
        }
        printf("%*s%s", HELP_COLUMN - col, "", o->help);
        print_default(o);
        putchar('\n');
    }
}

static _Noreturn void print_help(const struct nf_cmd *cmd)
{
    printf("%s - %s\n\nusage: %s [options]%s%s\n", cmd->name, cmd->summary, cmd->name, *cmd->operands ? " " : "", cmd->operands);
    printf("  in: %s   out: %s\n\n", cmd->in, cmd->out);
    print_opts(cmd->opts);
    print_opts(common_opts);
    printf("  -h, --help%*sprint this text\n", HELP_COLUMN - 12, "");
    printf("      --version%*sprint the version\n", HELP_COLUMN - 15, "");
    exit(fflush(stdout) == 0 && !ferror(stdout) ? NF_EXIT_OK : NF_EXIT_SYS);
}

static void parse_real(const struct nf_opt *o, const char *s)
{
    char *end;
    double v = strtod(s, &end);

    if (end == s || *end || !(v >= o->min && v <= o->max))
        nf_die(NF_EXIT_USAGE, "--%s %s: a number from %g to %g is wanted", o->name, s, o->min, o->max);
    *(double *)o->value = v;
}

static bool parse_u64(const char *s, char **end, uint64_t *v)
{
    errno = 0;
    *v = strtoull(s, end, 10);
    return s[0] >= '0' && s[0] <= '9' && errno == 0;
}

static void parse_uint(const struct nf_opt *o, const char *s)
{
    uint64_t v;
    char *end;

    if (!parse_u64(s, &end, &v) || *end || (double)v < o->min || (o->max > 0 && (double)v > o->max)) {
        if (o->max > 0)
            nf_die(NF_EXIT_USAGE, "--%s %s: a whole number from %.0f to %.0f is wanted", o->name, s, o->min, o->max);
        nf_die(NF_EXIT_USAGE, "--%s %s: a whole number of at least %.0f is wanted", o->name, s, o->min);
    }
    *(uint64_t *)o->value = v;
}

static void parse_size(const struct nf_opt *o, const char *s)
{
    static const char units[] = "kMGT";
    uint64_t v;
    char *end;
    bool ok = parse_u64(s, &end, &v);
    const char *unit = ok && *end ? strchr(units, *end == 'K' ? 'k' : *end) : NULL;

    for (const char *u = unit; ok && u && u >= units; u--)
        ok = !__builtin_mul_overflow(v, (uint64_t)1024, &v);
    if (!ok || (*end && (!unit || end[1])) || (double)v < o->min || (o->max > 0 && (double)v > o->max))
        nf_die(NF_EXIT_USAGE, "--%s %s: a size such as 512M or 2G is wanted, at least %.0f bytes", o->name, s, o->min);
    *(uint64_t *)o->value = v;
}

static void parse_choice(const struct nf_opt *o, const char *s)
{
    size_t n = strlen(s);

    for (const char *p = o->arg; p; p = strchr(p, '|')) {
        p += *p == '|';
        if (n && strncmp(p, s, n) == 0 && (p[n] == '|' || !p[n])) {
            *(const char **)o->value = s;
            return;
        }
    }
    nf_die(NF_EXIT_USAGE, "--%s %s: one of %s is wanted", o->name, s, o->arg);
}

static void parse_range(const struct nf_opt *o, const char *s)
{
    struct nf_range r = NF_RANGE_ALL;
    const char *colon = strchr(s, ':');
    uint64_t v;
    char *end = (char *)s;
    bool ok = *s != '\0';

    if (ok && s != colon) {
        ok = parse_u64(s, &end, &v) && (end == colon || (!colon && !*end));
        r.from = ok ? v : 0;
        r.to = colon ? SIZE_MAX : r.from + 1;
    }
    if (ok && colon && colon[1]) {
        ok = parse_u64(colon + 1, &end, &v) && !*end;
        r.to = ok ? v : 0;
    }
    if (!ok || r.from >= r.to)
        nf_die(NF_EXIT_USAGE, "--%s %s: a range such as 3, 0:6, :6 or 6: is wanted, the end not included", o->name, s);
    *(struct nf_range *)o->value = r;
}

static void parse_list(const struct nf_opt *o, char *s)
{
    struct nf_list *l = o->value;

    for (char *save, *p = strtok_r(s, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        if (l->n == NF_LIST_MAX)
            nf_die(NF_EXIT_USAGE, "--%s: more than %d values", o->name, NF_LIST_MAX);
        l->item[l->n++] = p;
    }
}

static void set(const struct nf_opt *o, char *s)
{
    switch (o->type) {
    case NF_OPT_FLAG:
        *(bool *)o->value = true;
        break;
    case NF_OPT_REAL:
        parse_real(o, s);
        break;
    case NF_OPT_UINT:
        parse_uint(o, s);
        break;
    case NF_OPT_SIZE:
        parse_size(o, s);
        break;
    case NF_OPT_STR:
        *(const char **)o->value = s;
        break;
    case NF_OPT_CHOICE:
        parse_choice(o, s);
        break;
    case NF_OPT_RANGE:
        parse_range(o, s);
        break;
    case NF_OPT_LIST:
        parse_list(o, s);
        break;
    case NF_OPT_END:
        break;
    }
}

int nf_opt_parse(const struct nf_cmd *cmd, int argc, char **argv)
{
    enum { HELP = 1000, VERSION };
    const struct nf_opt *row[MAX_OPTS];
    struct option longs[MAX_OPTS + 3];
    char shorts[2 * MAX_OPTS + 4], *s = shorts;
    size_t own = count_options(cmd->opts), n = own + count_options(common_opts);
    int c, hit;

    if (n > MAX_OPTS)
        abort();   /* a table of ours, not input */
    *s++ = 'h';
    for (size_t i = 0; i < n; i++) {
        row[i] = i < own ? &cmd->opts[i] : &common_opts[i - own];
        longs[i] =
            (struct option){ row[i]->name, row[i]->type == NF_OPT_FLAG ? no_argument : required_argument, NULL, (int)i + 2000 };
        if (row[i]->letter) {
            *s++ = row[i]->letter;
            if (row[i]->type != NF_OPT_FLAG)
                *s++ = ':';
        }
    }
    *s = '\0';
    longs[n] = (struct option){ "help", no_argument, NULL, HELP };
    longs[n + 1] = (struct option){ "version", no_argument, NULL, VERSION };
    longs[n + 2] = (struct option){ NULL, 0, NULL, 0 };

    opterr = 0;
    while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (c == 'h' || c == HELP)
            print_help(cmd);
        if (c == VERSION) {
            printf("%s (neurofilters) %s\n", cmd->name, NF_VERSION);
            exit(fflush(stdout) == 0 ? NF_EXIT_OK : NF_EXIT_SYS);
        }
        if (c == '?')
            nf_die(NF_EXIT_USAGE, "%s: no such option, or its value is missing; see %s -h", argv[optind - 1], cmd->name);
        hit = c - 2000;
        for (size_t i = 0; c < 2000 && i < n; i++)
            if (row[i]->letter == c)
                hit = (int)i;
        set(row[hit], optarg);
    }
    nf_threads_start(nf_common.threads);
    return optind;
}
