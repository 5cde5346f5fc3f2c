/* doc_writer.c - headings, sentences, figures and tables as HTML or Markdown. */
#include "report/doc_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool html(const struct nf_doc_writer *d)
{
    return d->format == NF_DOC_HTML;
}

/* Plain text in the rendering's escape, tokens marked. */
static void put_escaped(struct nf_doc_writer *d, const char *s)
{
    while (*s) {
        size_t plain = strcspn(s, NF_TOKEN_BEGIN NF_TOKEN_END);
        char piece[256];

        plain = plain < sizeof piece ? plain : sizeof piece - 1;
        snprintf(piece, sizeof piece, "%.*s", (int)plain, s);
        (html(d) ? nf_html_text : nf_md_text)(&d->out, piece);
        s += plain;
        if (*s == *NF_TOKEN_BEGIN)
            nf_text_str(&d->out, html(d) ? "<code class=\"token\">" : "\u201c");
        else if (*s == *NF_TOKEN_END)
            nf_text_str(&d->out, html(d) ? "</code>" : "\u201d");
        s += *s == *NF_TOKEN_BEGIN || *s == *NF_TOKEN_END;
    }
}

__attribute__((format(printf, 2, 0))) static void put_format(struct nf_doc_writer *d, const char *fmt, va_list ap)
{
    struct nf_text t = { 0 };

    nf_text_vfmt(&t, fmt, ap);
    if (t.failed)
        d->out.failed = true;
    else
        put_escaped(d, t.p);
    nf_text_clear(&t);
}

static void raw(struct nf_doc_writer *d, const char *in_html, const char *in_markdown)
{
    nf_text_str(&d->out, html(d) ? in_html : in_markdown);
}

void nf_doc_section(struct nf_doc_writer *d, const char *id, const char *title, const char *intro)
{
    if (html(d))
        nf_text_fmt(&d->out, "<section id=\"%s\">\n<h2>", id);
    else
        nf_text_str(&d->out, "\n## ");
    put_escaped(d, title);
    raw(d, "</h2>\n<p class=\"intro\">", "\n\n");
    put_escaped(d, intro);
    raw(d, "</p>\n", "\n");
}

void nf_doc_section_end(struct nf_doc_writer *d)
{
    raw(d, "</section>\n", "");
}

void nf_doc_figure(struct nf_doc_writer *d, const char *id, const char *number, const char *title)
{
    if (html(d))
        nf_text_fmt(&d->out, "<article class=\"figure\" id=\"%s\">\n<h3>", id);
    else
        nf_text_str(&d->out, "\n### ");
    if (number && html(d))
        nf_text_fmt(&d->out, "<a class=\"number\" href=\"#%s\">Figure %s</a> ", id, number);
    else if (number)
        nf_text_fmt(&d->out, "Figure %s: ", number);
    put_escaped(d, title);
    raw(d, "</h3>\n", "\n");
}

void nf_doc_figure_end(struct nf_doc_writer *d)
{
    raw(d, "</article>\n", "");
}

__attribute__((format(printf, 4, 0))) static void paragraph(struct nf_doc_writer *d, const char *class, const char *mark,
                                                            const char *fmt, va_list ap)
{
    if (html(d))
        nf_text_fmt(&d->out, "<p class=\"%s\">", class);
    else
        nf_text_fmt(&d->out, "\n%s", mark);
    put_format(d, fmt, ap);
    raw(d, "</p>\n", "\n");
}

void nf_doc_say(struct nf_doc_writer *d, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    paragraph(d, "say", "", fmt, ap);
    va_end(ap);
}

void nf_doc_note(struct nf_doc_writer *d, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    paragraph(d, "note", "> Note: ", fmt, ap);
    va_end(ap);
}

void nf_doc_guide(struct nf_doc_writer *d, const char *fmt, ...)
{
    va_list ap;

    if (!html(d))
        return;
    va_start(ap, fmt);
    paragraph(d, "read", "", fmt, ap);
    va_end(ap);
}

void nf_doc_tile(struct nf_doc_writer *d, const char *label, const char *value, const char *fmt, ...)
{
    va_list ap;

    raw(d, "<div class=\"tile\"><dt>", "\n- ");
    put_escaped(d, label);
    raw(d, "</dt><dd><strong>", ": **");
    put_escaped(d, value);
    raw(d, "</strong><span>", "** (");
    va_start(ap, fmt);
    put_format(d, fmt, ap);
    va_end(ap);
    raw(d, "</span></dd></div>\n", ")");
}

void nf_doc_tiles(struct nf_doc_writer *d, bool begin)
{
    raw(d, begin ? "<dl class=\"tiles\">\n" : "</dl>\n", "\n");
}

void nf_doc_chart(struct nf_doc_writer *d, const char *id, size_t run, const char *description)
{
    if (!html(d))
        return;
    nf_text_fmt(&d->out, "<div class=\"chart\" data-chart=\"%s\"", id);
    if (run != SIZE_MAX)
        nf_text_fmt(&d->out, " data-run=\"%zu\"", run);
    nf_text_str(&d->out, " role=\"figure\" aria-label=\"");
    put_escaped(d, description);
    nf_text_str(&d->out, "\"></div>\n");
}

/* ---- tables ---- */

/* The next head: *heads advances over it; right: it ended in '>'. */
static void next_head(const char **heads, char *head, size_t size, bool *right)
{
    size_t n = strcspn(*heads, "|");

    *right = n && (*heads)[n - 1] == '>';
    snprintf(head, size, "%.*s", (int)(n - *right), *heads);
    *heads += n + ((*heads)[n] == '|');
}

void nf_doc_table(struct nf_doc_writer *d, const char *caption, const char *heads, bool folded)
{
    char head[64];
    bool right;

    if (html(d) && folded)
        nf_text_str(&d->out, "<details class=\"numbers\"><summary>Numbers</summary>\n");
    raw(d, "<div class=\"scroll\"><table><caption>", "\n");
    if (html(d))
        put_escaped(d, caption);
    raw(d, "</caption><thead><tr>", "|");
    d->columns = d->column = d->right = 0;
    while (*heads) {
        next_head(&heads, head, sizeof head, &right);
        if (html(d))
            nf_text_fmt(&d->out, "<th scope=\"col\"%s>", right ? " class=\"r\"" : "");
        else
            nf_text_str(&d->out, " ");
        put_escaped(d, head);
        raw(d, "</th>", " |");
        d->right |= (uint32_t)right << d->columns++;
    }
    raw(d, "</tr></thead><tbody>\n", "\n|");
    for (size_t i = 0; !html(d) && i < d->columns; i++)
        nf_text_str(&d->out, d->right >> i & 1 ? "---:|" : "---|");
    raw(d, "", "\n");
}

void nf_doc_cell(struct nf_doc_writer *d, const char *fmt, ...)
{
    va_list ap;

    if (html(d))
        nf_text_fmt(&d->out, "%s<td%s>", d->column ? "" : "<tr>", d->right >> d->column & 1 ? " class=\"r\"" : "");
    else
        nf_text_str(&d->out, d->column ? " " : "| ");
    va_start(ap, fmt);
    put_format(d, fmt, ap);
    va_end(ap);
    raw(d, "</td>", " |");
    if (++d->column == d->columns) {
        raw(d, "</tr>\n", "\n");
        d->column = 0;
    }
}

void nf_doc_table_end(struct nf_doc_writer *d, bool folded)
{
    raw(d, "</tbody></table></div>\n", "");
    if (html(d) && folded)
        nf_text_str(&d->out, "</details>\n");
}

/* ---- numbers ---- */

struct nf_shown nf_show_count(uint64_t n)
{
    struct nf_shown out;
    char digits[24];
    size_t len = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)n), k = 0;

    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out.s[k++] = ',';
        out.s[k++] = digits[i];
    }
    out.s[k] = '\0';
    return out;
}

/* Without the sign: one decimal below 10, none from there on. */
static void percent_digits(double p, char *s, size_t size)
{
    double v = 100 * p;

    snprintf(s, size, v > 1e-6 && v < 0.05 ? "%.2g" : v < 9.95 && v > 1e-6 ? "%.1f" : "%.0f", v);
}

struct nf_shown nf_show_percent(double p)
{
    struct nf_shown out;
    char v[32];

    if (isnan(p)) {
        strcpy(out.s, "-");
        return out;
    }
    percent_digits(p, v, sizeof v);
    snprintf(out.s, sizeof out.s, "%s %%", v);
    return out;
}

struct nf_shown nf_show_interval(struct nf_share s)
{
    struct nf_shown out;
    char lo[32], hi[32];

    if (isnan(s.lo) || isnan(s.hi)) {
        strcpy(out.s, "-");
        return out;
    }
    percent_digits(s.lo, lo, sizeof lo);
    percent_digits(s.hi, hi, sizeof hi);
    snprintf(out.s, sizeof out.s, "%s\u2013%s %%", lo, hi);
    return out;
}

struct nf_shown nf_show_share(struct nf_share s)
{
    struct nf_shown out;

    snprintf(out.s, sizeof out.s, "%.20s of %.20s (%.10s, 95 %% interval %.24s)", nf_show_count(s.k).s, nf_show_count(s.n).s,
             nf_show_percent(s.p).s, nf_show_interval(s).s);
    return out;
}

struct nf_shown nf_show_real(double v, int digits)
{
    struct nf_shown out;

    if (isnan(v))
        strcpy(out.s, "-");
    else
        snprintf(out.s, sizeof out.s, "%.*f", digits, v);
    return out;
}

struct nf_shown nf_show_bar(double p)
{
    struct nf_shown out = { "" };
    int eighths = isnan(p) ? 0 : (int)lround(80 * fmin(fmax(p, 0), 1));
    size_t k = 0;

    for (; eighths >= 8; eighths -= 8, k += 3)
        memcpy(out.s + k, "\u2588", 3);
    if (eighths > 0) {
        /* U+2589 is seven eighths, U+258F one. */
        out.s[k++] = '\xe2', out.s[k++] = '\x96', out.s[k++] = (char)(0x90 - eighths);
    }
    out.s[k] = '\0';
    return out;
}

struct nf_shown nf_show_several(uint64_t n, const char *one, const char *many)
{
    struct nf_shown out;

    if (n == 0)
        snprintf(out.s, sizeof out.s, "no %.60s", many);
    else
        snprintf(out.s, sizeof out.s, "%.26s %.60s", nf_show_count(n).s, n == 1 ? one : many);
    return out;
}
