/* pattern.c - Oniguruma's syntax to PCRE2's, by recursive descent. */
#include "token/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pcre2.h>

/* The complement of NF_PATTERN_SPACES. */
#define NOT_SPACES                                                                                                                 \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-"   \
    "\\x{202e}"                                                                                                                    \
    "\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"

/*
 * Oniguruma's word characters: Alphabetic, marks, decimal digits, connectors.  Of Alphabetic only the circled letters are not among L, M
 * and Nl.  Outside a class superscript digits and fractions below U+0100 are word characters too.
 */
#define WORD "\\p{L}\\p{M}\\p{Nl}\\p{Nd}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
#define MORE_WORD "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"

#define ANY_CHAR "(?s:.)"

enum { DEPTH_MAX = 64 };

struct reader {
    const char *p;             /* what has not been read */
    struct nf_bytes *out;
    bool dot_all;              /* (?m): . is any character */
    bool looks_behind;
    int depth;
    struct nf_err *err;
};

static int put(struct reader *r, const char *text)
{
    return nf_bytes_add(r->out, text, strlen(text), r->err);
}

static int refuse_pattern(struct reader *r, const char *at, size_t n)
{
    return nf_fail(r->err, NF_EFORMAT, "pattern: %.*s is not implemented", (int)(n < strlen(at) ? n : strlen(at)), at);
}

/* Bytes of the character at p. */
static size_t char_bytes(const char *p)
{
    size_t n = 1;

    while (((unsigned char)p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* ---- properties ---- */

/* Long names of general categories, as far as a name is not PCRE2's own; letters only, lower case. */
static const char *const long_names[][2] = {
    { "letter", "L" },
    { "mark", "M" },
    { "number", "N" },
    { "punctuation", "P" },
    { "punct", "P" },
    { "symbol", "S" },
    { "separator", "Z" },
    { "other", "C" },
    { "uppercaseletter", "Lu" },
    { "lowercaseletter", "Ll" },
    { "titlecaseletter", "Lt" },
    { "modifierletter", "Lm" },
    { "otherletter", "Lo" },
    { "nonspacingmark", "Mn" },
    { "spacingmark", "Mc" },
    { "enclosingmark", "Me" },
    { "decimalnumber", "Nd" },
    { "letternumber", "Nl" },
    { "othernumber", "No" },
    { "control", "Cc" },
    { "cntrl", "Cc" },
    { "format", "Cf" },
    { "unassigned", "Cn" },
    { "lc", "L&" },
    { "casedletter", "L&" },
    { "any", "Any" },
    { "digit", "Nd" },
};

/* Properties that are written as the items of a class. */
static const char *const item_names[][2] = {
    { "space", NF_PATTERN_SPACES },
    { "whitespace", NF_PATTERN_SPACES },
    { "alpha", "\\p{Alphabetic}" },   /* from PCRE2 10.40 on, like the next four */
    { "alphabetic", "\\p{Alphabetic}" },
    { "alnum", "\\p{Alphabetic}\\p{Nd}" },
    { "upper", "\\p{Uppercase}" },
    { "lower", "\\p{Lowercase}" },
    { "word", WORD },
    { "xdigit", "0-9A-Fa-f" },
};

static const char *find_name(const char *const (*table)[2], size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i][0], name) == 0)
            return table[i][1];
    return NULL;
}

/* A general category by PCRE2's own name: one letter, or two. */
static bool is_category(const char *name)
{
    return strchr("LMNPSZC", name[0]) && (!name[1] || (name[1] >= 'a' && name[1] <= 'z' && !name[2]));
}

/* From PCRE2 10.40 on a script's bare name takes in characters that several scripts share. */
static bool has_script_prefix(void)
{
    char version[64] = "";
    int major = 0, minor = 0;

    if (pcre2_config(PCRE2_CONFIG_VERSION, NULL) <= (int)sizeof version)
        pcre2_config(PCRE2_CONFIG_VERSION, version);
    return sscanf(version, "%d.%d", &major, &minor) == 2 && (major > 10 || minor >= 40);
}

/* What stands for a property in a class: items; *negatable: it is one item, \p{..}, that \P{..} turns round. */
static int name_property(struct reader *r, const char *name, const char *at, char *items, size_t size, bool *negatable)
{
    char plain[64];
    const char *found;
    size_t n = 0;

    for (const char *c = name; *c && n + 1 < sizeof plain; c++)
        if (*c != ' ' && *c != '_' && *c != '-')
            plain[n++] = (char)(*c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c);
    plain[n] = '\0';
    *negatable = true;
    if (is_category(name)) {
        snprintf(items, size, "\\p{%s}", name);
    } else if ((found = find_name(long_names, sizeof long_names / sizeof *long_names, plain))) {
        snprintf(items, size, "\\p{%s}", found);
    } else if ((found = find_name(item_names, sizeof item_names / sizeof *item_names, plain))) {
        snprintf(items, size, "%s", found);
        *negatable = false;
    } else if (strspn(plain, "abcdefghijklmnopqrstuvwxyz") == n && n > 2) {
        snprintf(items, size, has_script_prefix() ? "\\p{sc:%s}" : "\\p{%s}", name);
    } else {
        return refuse_pattern(r, at, strlen(name) + 4);
    }
    return NF_OK;
}

/* ---- one character of a class, or a shorthand for a class ---- */

/* A set of characters: the items of a class, or of the complement of one. */
struct set {
    char items[512];
    bool negative;
};

static int read_property(struct reader *r, const char *at, struct set *s)
{
    char name[64];
    const char *end = *r->p == '{' ? strchr(r->p, '}') : NULL;
    bool caret = end && r->p[1] == '^', negatable;
    size_t n = end ? (size_t)(end - r->p) - 1 - caret : 0;
    int rc;

    if (!end || !n || n >= sizeof name)
        return refuse_pattern(r, at, 8);
    memcpy(name, r->p + 1 + caret, n);
    name[n] = '\0';
    r->p = end + 1;
    s->negative = (at[1] == 'P') != caret;
    rc = name_property(r, name, at, s->items, sizeof s->items, &negatable);
    if (rc == NF_OK && s->negative && negatable) {
        s->items[1] = 'P';
        s->negative = false;
    }
    return rc;
}

/* \s and the like, behind the backslash.  NF_EOF: no set. */
static int read_shorthand(struct reader *r, struct set *s)
{
    static const struct {
        char letter;
        bool negative;
        const char *items;
    } sets[] = {
        { 's', false, NF_PATTERN_SPACES }, { 'S', false, NOT_SPACES }, { 'w', false, WORD },        { 'W', true, WORD },
        { 'd', false, "\\p{Nd}" },         { 'D', false, "\\P{Nd}" },  { 'h', false, "0-9A-Fa-f" }, { 'H', true, "0-9A-Fa-f" },
    };
    const char *at = r->p - 1;

    if (*r->p == 'p' || *r->p == 'P') {
        r->p++;
        return read_property(r, at, s);
    }
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (sets[i].letter == *r->p) {
            r->p++;
            s->negative = sets[i].negative;
            snprintf(s->items, sizeof s->items, "%s", sets[i].items);
            return NF_OK;
        }
    return NF_EOF;
}

static int read_hex(struct reader *r, const char *at, unsigned long *u)
{
    bool braces = *r->p == '{';
    const char *from = r->p + braces;
    size_t most = braces ? 8 : at[1] == 'u' ? 4 : 2, n = strspn(from, "0123456789abcdefABCDEF");
    char digits[9] = "";

    if (!braces && n > most)
        n = most;
    if (!n || n > most || (at[1] == 'u' && n < 4) || (braces && from[n] != '}'))
        return refuse_pattern(r, at, 8);
    memcpy(digits, from, n);
    *u = strtoul(digits, NULL, 16);
    r->p = from + n + braces;
    /* a byte of 0x80 and above is a piece of UTF-8 in Oniguruma */
    if (*u > 0x10ffff || (*u >= 0xd800 && *u < 0xe000) || (at[1] == 'x' && !braces && *u > 0x7f))
        return refuse_pattern(r, at, (size_t)(r->p - at));
    return NF_OK;
}

/* An escape, behind the backslash, that stands for one character. */
static int read_escaped(struct reader *r, unsigned long *u)
{
    static const char letters[] = "tnrfvaeb", values[] = "\t\n\r\f\v\a\x1b\b";   /* \b: in a class */
    const char *at = r->p - 1, c = *r->p, *found = c ? strchr(letters, c) : NULL;

    if (!c)
        return nf_fail(r->err, NF_EFORMAT, "pattern: a backslash at its end");
    if (found || c == 'x' || c == 'u') {
        r->p++;
        if (!found)
            return read_hex(r, at, u);
        *u = (unsigned char)values[found - letters];
        return NF_OK;
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80)
        return refuse_pattern(r, at, 2);
    *u = (unsigned char)c;
    r->p++;
    return NF_OK;
}

static int put_pattern_char(struct reader *r, unsigned long u)
{
    char text[16];

    snprintf(text, sizeof text, "\\x{%lx}", u);
    return put(r, text);
}

/* A character as it stands; ASCII other than letters and digits is escaped. */
static int put_literal(struct reader *r)
{
    size_t n = char_bytes(r->p);
    unsigned char c = (unsigned char)*r->p;
    int rc;

    if (c < 0x80 && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9'))
        rc = put_pattern_char(r, c);
    else
        rc = nf_bytes_add(r->out, r->p, n, r->err);
    r->p += n;
    return rc;
}

/* ---- classes ---- */

/*
 * A class being read: the union of `items`, which one PCRE2 class can hold, and of `others`, alternatives that each match one character.
 */
struct class
{
    struct nf_bytes items, others;
    bool negative;
};

static void clear_class(struct class *c)
{
    nf_bytes_clear(&c->items);
    nf_bytes_clear(&c->others);
}

static int read_class(struct reader *r, struct class *c);

/* The class as one alternative, a group. */
static int put_class(struct reader *r, const struct class *c)
{
    struct nf_bytes *out = r->out;
    int rc = NF_OK;

    if (!c->others.n) {
        rc = put(r, !c->items.n ? (c->negative ? ANY_CHAR : "(?!)") : c->negative ? "[^" : "[");
        if (rc == NF_OK && c->items.n && (rc = nf_bytes_add(out, c->items.p, c->items.n, r->err)) == NF_OK)
            rc = put(r, "]");
        return rc;
    }
    rc = put(r, c->negative ? "(?:(?!" : "(?:");
    if (rc == NF_OK && c->items.n && (rc = put(r, "[")) == NF_OK &&
        (rc = nf_bytes_add(out, c->items.p, c->items.n, r->err)) == NF_OK)
        rc = put(r, "]|");
    if (rc == NF_OK)
        rc = nf_bytes_add(out, c->others.p, c->others.n, r->err);
    return rc == NF_OK ? put(r, c->negative ? ")" ANY_CHAR ")" : ")") : rc;
}

/* One more alternative in `others`. */
static int add_other(struct reader *r, struct class *c, const struct class *other)
{
    struct nf_bytes *whole = r->out;
    int rc = c->others.n ? nf_bytes_add(&c->others, "|", 1, r->err) : NF_OK;

    r->out = &c->others;
    if (rc == NF_OK)
        rc = put_class(r, other);
    r->out = whole;
    return rc;
}

/* A class within a class: where it is plain its items join those of the outer one. */
static int read_inner_class(struct reader *r, struct class *c)
{
    struct class inner = { 0 };
    int rc;

    if (++r->depth > DEPTH_MAX)
        return nf_fail(r->err, NF_EFORMAT, "pattern: more than %d levels deep", DEPTH_MAX);
    rc = read_class(r, &inner);
    r->depth--;
    if (rc == NF_OK && !inner.negative && !inner.others.n)
        rc = nf_bytes_add(&c->items, inner.items.p, inner.items.n, r->err);
    else if (rc == NF_OK)
        rc = add_other(r, c, &inner);
    clear_class(&inner);
    return rc;
}

static int add_set(struct reader *r, struct class *c, const struct set *s)
{
    struct class other = { .negative = true };
    int rc;

    if (!s->negative)
        return nf_bytes_add(&c->items, s->items, strlen(s->items), r->err);
    rc = nf_bytes_add(&other.items, s->items, strlen(s->items), r->err);
    if (rc == NF_OK)
        rc = add_other(r, c, &other);
    clear_class(&other);
    return rc;
}

/* One character of a class, escaped or not, as an item. */
static int read_class_char(struct reader *r, struct class *c)
{
    struct nf_bytes *whole = r->out;
    unsigned long u;
    int rc;

    r->out = &c->items;
    if (*r->p == '\\') {
        r->p++;
        rc = read_escaped(r, &u);
        if (rc == NF_OK)
            rc = put_pattern_char(r, u);
    } else {
        rc = put_literal(r);
    }
    r->out = whole;
    return rc;
}

/* [:name:], [:^name:] */
static int read_posix(struct reader *r, struct class *c)
{
    const char *at = r->p, *end = strstr(at, ":]");
    bool caret = at[2] == '^', negatable;
    char name[16] = "";
    size_t n = end ? (size_t)(end - at) - 2 - caret : 0;
    struct set s = { .negative = caret };
    int rc;

    if (!n || n >= sizeof name)
        return refuse_pattern(r, at, 10);
    memcpy(name, at + 2 + caret, n);
    rc = name_property(r, name, at, s.items, sizeof s.items, &negatable);
    if (strcmp(name, "punct") == 0)
        strcpy(s.items, "\\p{P}\\p{S}");
    r->p = end + 2;
    return rc == NF_OK ? add_set(r, c, &s) : rc;
}

static int read_class_item(struct reader *r, struct class *c)
{
    struct set s;
    int rc = NF_EOF;

    if (r->p[0] == '[' && r->p[1] == ':')
        return read_posix(r, c);
    if (*r->p == '[') {
        r->p++;
        return read_inner_class(r, c);
    }
    if (*r->p == '\\') {
        r->p++;
        rc = read_shorthand(r, &s);
        if (rc == NF_OK)
            return add_set(r, c, &s);
        r->p--;
    }
    if (rc != NF_EOF)
        return rc;
    rc = read_class_char(r, c);
    if (rc != NF_OK || r->p[0] != '-' || r->p[1] == ']' || !r->p[1])
        return rc;
    if (r->p[1] == '[' || (r->p[1] == '&' && r->p[2] == '&') || (r->p[1] == '\\' && r->p[2] && strchr("sSwWdDhHpP", r->p[2])))
        return refuse_pattern(r, r->p, 4);   /* engines differ on what a - before a class is */
    r->p++;
    rc = nf_bytes_add(&c->items, "-", 1, r->err);
    return rc == NF_OK ? read_class_char(r, c) : rc;
}

/* a && b: one that b matches, where a matches too.  `c` holds a; it becomes the intersection. */
static int intersect(struct reader *r, struct class *a, struct class *b)
{
    struct class both = { 0 };
    struct nf_bytes *whole = r->out;
    int rc;

    r->out = &both.others;
    rc = put(r, "(?:(?=");
    if (rc == NF_OK)
        rc = put_class(r, a);
    if (rc == NF_OK)
        rc = put(r, ")");
    if (rc == NF_OK)
        rc = put_class(r, b);
    if (rc == NF_OK)
        rc = put(r, ")");
    r->out = whole;
    clear_class(a);
    *a = both;
    return rc;
}

static int read_union(struct reader *r, struct class *c)
{
    int rc = NF_OK;

    while (rc == NF_OK && *r->p && *r->p != ']' && !(r->p[0] == '&' && r->p[1] == '&'))
        rc = read_class_item(r, c);
    return rc;
}

/* A class behind its "[", and its "]". */
static int read_class(struct reader *r, struct class *c)
{
    const char *from = r->p;
    bool negative = *r->p == '^';
    int rc;

    r->p += negative;
    if (*r->p == ']')
        return refuse_pattern(r, from - 1, 3);
    rc = read_union(r, c);
    while (rc == NF_OK && r->p[0] == '&' && r->p[1] == '&') {
        struct class next = { 0 };

        r->p += 2;
        rc = read_union(r, &next);
        if (rc == NF_OK)
            rc = intersect(r, c, &next);
        clear_class(&next);
    }
    if (rc == NF_OK && *r->p != ']')
        return nf_fail(r->err, NF_EFORMAT, "pattern: a class without ]");
    r->p += rc == NF_OK;
    c->negative = negative;
    return rc;
}

/* ---- the rest ---- */

static int read_alternatives(struct reader *r);

/* Options of a group behind "(?", up to their end; NF_EOF: these are none. */
static int read_inline_options(struct reader *r)
{
    const char *at = r->p;
    bool off = false, dot_all = r->dot_all, caseless = false, caseful = false;

    for (; *r->p && *r->p != ':' && *r->p != ')'; r->p++) {
        if (*r->p == '-')
            off = true;
        else if (*r->p == 'i')
            *(off ? &caseful : &caseless) = true;
        else if (*r->p == 'm')
            dot_all = !off;
        else
            return refuse_pattern(r, at - 2, 6);
    }
    r->dot_all = dot_all;
    return put(r, caseful ? "(?-i:" : caseless ? "(?i:" : "(?:");
}

/*
 * What stands behind "(".  A group has a scope for options of its own.  "(?i)" holds up to the end of the group around it: as a group
 * from there on, which is the same only where it comes first in its alternatives.
 */
static int read_group(struct reader *r, bool first)
{
    static const char *const plain[] = { "?:", "?=", "?!", "?>", "?<=", "?<!" };
    const char *at = r->p - 1;
    bool dot_all = r->dot_all, rest = false;
    int rc = NF_EOF;

    for (size_t i = 0; i < sizeof plain / sizeof *plain && rc == NF_EOF; i++)
        if (strncmp(r->p, plain[i], strlen(plain[i])) == 0) {
            r->looks_behind |= i >= 4;
            r->p += strlen(plain[i]);
            rc = put(r, "(");
            if (rc == NF_OK)
                rc = put(r, plain[i]);
        }
    if (rc == NF_EOF && *r->p != '?') {
        rc = put(r, "(?:");   /* nothing refers to what a group holds */
    } else if (rc == NF_EOF && r->p[1] && strchr("im-", r->p[1])) {
        r->p++;
        rc = read_inline_options(r);
        rest = rc == NF_OK && *r->p == ')';
        if (rest && !first)
            return refuse_pattern(r, at, 4);
        r->p += rc == NF_OK && *r->p != '\0';
    } else if (rc == NF_EOF) {
        return refuse_pattern(r, at, 4);
    }
    if (rc == NF_OK)
        rc = read_alternatives(r);
    if (rc == NF_OK && !rest && *r->p++ != ')')
        return nf_fail(r->err, NF_EFORMAT, "pattern: a ( without )");
    r->dot_all = dot_all;
    return rc == NF_OK ? put(r, ")") : rc;
}

/* An escape outside a class. */
static int read_escape(struct reader *r)
{
    static const struct {
        char letter;
        bool behind;
        const char *text;
    } marks[] = {
        { 'b', true, "(?:(?<=[" MORE_WORD WORD "])(?![" MORE_WORD WORD "])|(?<![" MORE_WORD WORD "])(?=[" MORE_WORD WORD "]))" },
        { 'B', true, "(?:(?<=[" MORE_WORD WORD "])(?=[" MORE_WORD WORD "])|(?<![" MORE_WORD WORD "])(?![" MORE_WORD WORD "]))" },
        { 'A', true, "\\A" },
        { 'z', false, "\\z" },
        { 'Z', false, "(?=\\n?\\z)" },
        { 'R', false, "(?>\\r\\n|[\\n-\\r\\x{85}\\x{2028}\\x{2029}])" },
    };
    struct class c = { 0 };
    struct set s;
    unsigned long u;
    int rc;

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (*r->p == marks[i].letter) {
            r->p++;
            r->looks_behind |= marks[i].behind;
            return put(r, marks[i].text);
        }
    rc = read_shorthand(r, &s);
    if (rc == NF_EOF) {
        rc = read_escaped(r, &u);
        return rc == NF_OK ? put_pattern_char(r, u) : rc;
    }
    if (rc == NF_OK && strcmp(s.items, WORD) == 0)
        strcat(s.items, MORE_WORD);
    if (rc == NF_OK)
        rc = add_set(r, &c, &s);
    if (rc == NF_OK)
        rc = put_class(r, &c);
    clear_class(&c);
    return rc;
}

static int read_atom(struct reader *r, bool first)
{
    struct class c = { 0 };
    int rc;

    switch (*r->p) {
    case '(':
        r->p++;
        if (++r->depth > DEPTH_MAX)
            return nf_fail(r->err, NF_EFORMAT, "pattern: more than %d levels deep", DEPTH_MAX);
        rc = read_group(r, first);
        r->depth--;
        return rc;
    case '[':
        r->p++;
        rc = read_class(r, &c);
        if (rc == NF_OK)
            rc = put_class(r, &c);
        clear_class(&c);
        return rc;
    case '\\':
        r->p++;
        return read_escape(r);
    case '.':
        r->p++;
        return put(r, r->dot_all ? ANY_CHAR : "[^\\n]");
    case '^':
        r->p++;
        r->looks_behind = true;
        return put(r, "(?:\\A|(?<=\\n)(?!\\z))");
    case '$':
        r->p++;
        return put(r, "(?=\\n|\\z)");
    case '*':
    case '+':
    case '?':
        return refuse_pattern(r, r->p, 1);
    default:
        return put_literal(r);
    }
}

/* How often: {n}, {n,}, {n,m}, {,m}. */
struct interval {
    unsigned long low, high;
    bool comma, open;   /* open: no upper end */
};

static const char *read_count(const char *p, unsigned long *n)
{
    char *end = (char *)p;

    *n = *p >= '0' && *p <= '9' ? strtoul(p, &end, 10) : 0;
    return end;
}

/* The bytes of an interval at p; 0: none, the brace is a character. */
static size_t parse_interval(const char *p, struct interval *v)
{
    const char *low = read_count(p + 1, &v->low), *high = low;
    bool any = low > p + 1;

    v->high = v->low;
    v->comma = *low == ',';
    if (v->comma) {
        high = read_count(low + 1, &v->high);
        v->open = high == low + 1;
        any |= !v->open;
    }
    return any && *high == '}' ? (size_t)(high - p) + 1 : 0;
}

/* An interval may be followed by ? for as few as possible, but by + only to be repeated itself. */
static int put_interval(struct reader *r, size_t n, const struct interval *v)
{
    char text[64];
    int rc;

    if (!v->comma && r->p[n] == '?')
        return refuse_pattern(r, r->p, n + 1);   /* {n}? is (..{n})? there, and {n} here */
    if (v->open)
        snprintf(text, sizeof text, "{%lu,}", v->low);
    else
        snprintf(text, sizeof text, "{%lu,%lu}", v->low, v->high);
    r->p += n;
    rc = put(r, text);
    return rc == NF_OK && *r->p == '?' ? nf_bytes_add(r->out, r->p++, 1, r->err) : rc;
}

/* The atom from out[atom] on becomes a group. */
static int wrap_atom(struct reader *r, size_t atom)
{
    size_t n = r->out->n - atom;
    int rc = put(r, "(?:)");

    if (rc != NF_OK)
        return rc;
    memmove(r->out->p + atom + 3, r->out->p + atom, n);
    memcpy(r->out->p + atom, "(?:", 3);
    r->out->p[atom + 3 + n] = ')';
    return NF_OK;
}

/* A quantifier; NF_EOF: none.  again: the atom has one already. */
static int read_quantifier(struct reader *r, size_t atom, bool again)
{
    struct interval v = { 0 };
    size_t n = *r->p == '{' ? parse_interval(r->p, &v) : 0;
    int rc = NF_OK;

    if (!n && (!*r->p || !strchr("*+?", *r->p)))
        return NF_EOF;
    if (again)
        rc = wrap_atom(r, atom);
    if (rc == NF_OK && n)
        return put_interval(r, n, &v);
    if (rc == NF_OK)
        rc = nf_bytes_add(r->out, r->p++, 1, r->err);
    if (rc == NF_OK && (*r->p == '?' || *r->p == '+'))
        rc = nf_bytes_add(r->out, r->p++, 1, r->err);
    return rc;
}

static int read_alternatives(struct reader *r)
{
    bool first = true;
    int rc = NF_OK;

    while (rc == NF_OK && *r->p && *r->p != ')') {
        size_t atom = r->out->n;
        bool again = false;

        if (*r->p == '|') {
            r->p++;
            rc = put(r, "|");
        } else {
            rc = read_atom(r, first);
            for (; rc == NF_OK && (rc = read_quantifier(r, atom, again)) == NF_OK; again = true)
                ;
            rc = rc == NF_EOF ? NF_OK : rc;
        }
        first = false;
    }
    return rc;
}

int nf_pattern_translate(const char *pattern, struct nf_bytes *out, bool *looks_behind, struct nf_err *err)
{
    struct reader r = { .p = pattern, .out = out, .err = err };
    int rc = read_alternatives(&r);

    if (rc == NF_OK && *r.p)
        rc = nf_fail(err, NF_EFORMAT, "pattern: a ) without (");
    *looks_behind = r.looks_behind;
    return rc;
}

int nf_pattern_quote(const char *text, size_t n, struct nf_bytes *out, struct nf_err *err)
{
    struct reader r = { .p = text, .out = out, .err = err };
    int rc = NF_OK;

    while (rc == NF_OK && r.p < text + n)
        rc = put_literal(&r);
    return rc;
}
