/*
 * html.h - a growing text, and the escapes without which nothing that came from input enters a page.
 *
 * Input may hold any bytes. nf_utf8_show() first makes them printable UTF-8; the functions here then make that text safe at its place:
 * HTML text and attribute values, JSON inside <script>, the body of <script>, Markdown.
 */
#ifndef NF_REPORT_HTML_H
#define NF_REPORT_HTML_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* Append-only.  A lack of memory is remembered in `failed` and asked for once, at the end. */
struct nf_text {
    char *p;             /* NUL-terminated once anything was added */
    size_t n, cap;
    bool failed;
};

void nf_text_add(struct nf_text *t, const void *p, size_t n);
void nf_text_str(struct nf_text *t, const char *s);
void nf_text_fmt(struct nf_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void nf_text_vfmt(struct nf_text *t, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void nf_text_clear(struct nf_text *t);

/*
 * nf_html_text - s as HTML text or within a double- or single-quoted attribute value: & < > " ' become references, and a space before % one that does not
 * break.
 */
void nf_html_text(struct nf_text *t, const char *s);

/*
 * nf_html_json - j as JSON for the inside of <script type="application/json">.
 *
 * < > & are written \u003c \u003e \u0026, so that neither </script> nor <!-- can appear, and U+2028, U+2029 as \u2028, \u2029.
 * Numbers have up to 6 significant digits.  j: strings are valid UTF-8.
 */
void nf_html_json(struct nf_text *t, const json_t *j);

/*
 * nf_html_script - JavaScript for the inside of <script>: </script and <!-- get a backslash (both can stand only in strings, regular
 * expressions and comments, where \/ is / and \! is !), and a trailing //# sourceMappingURL comment is left out: it would name a file
 * that is not there.
 */
void nf_html_script(struct nf_text *t, const char *js, size_t n);

/* nf_md_text - s as Markdown text on one line, also within a table cell: punctuation that Markdown or HTML reads gets a backslash. */
void nf_md_text(struct nf_text *t, const char *s);

#endif
