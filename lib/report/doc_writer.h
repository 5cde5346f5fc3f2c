/*
 * doc_writer.h - one document, two renderings: the body of an HTML page, or Markdown.
 *
 * What is passed as text is plain text and is escaped here; nothing else writes what came from input.  A token within it stands between
 * NF_TOKEN_BEGIN and NF_TOKEN_END, control characters that printable text (nf_utf8_show) never holds: code in HTML, quoted in Markdown.
 */
#ifndef NF_REPORT_DOC_WRITER_H
#define NF_REPORT_DOC_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/share.h"
#include "report/html.h"

#define NF_TOKEN_BEGIN "\x01"
#define NF_TOKEN_END "\x02"

enum nf_doc_format { NF_DOC_HTML, NF_DOC_MARKDOWN };

struct nf_doc_writer {
    enum nf_doc_format format;
    struct nf_text out;
    size_t columns, column; /* of the open table; the next cell */
    uint32_t right; /* columns that are aligned right, a bit each */
};

void nf_doc_section(struct nf_doc_writer *d, const char *id, const char *title, const char *intro);
void nf_doc_section_end(struct nf_doc_writer *d);

/* A figure: a heading with its number in the paper (NULL: none), then what the calls below add. */
void nf_doc_figure(struct nf_doc_writer *d, const char *id, const char *number, const char *title);
void nf_doc_figure_end(struct nf_doc_writer *d);

/* A sentence on what this run shows; a remark on its limits; how to read the figure. */
void nf_doc_say(struct nf_doc_writer *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void nf_doc_note(struct nf_doc_writer *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void nf_doc_guide(struct nf_doc_writer *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Key numbers: nf_doc_tiles(d, true), one call a number, nf_doc_tiles(d, false). */
void nf_doc_tiles(struct nf_doc_writer *d, bool begin);
void nf_doc_tile(struct nf_doc_writer *d, const char *label, const char *value, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* nf_doc_chart - where the page's script draws chart `id`, of one input or (run == SIZE_MAX) of all; nothing in Markdown. */
void nf_doc_chart(struct nf_doc_writer *d, const char *id, size_t run, const char *description);

/*
 * A table.  `heads` are separated by '|'; one that ends in '>' is aligned right.  Cells follow row by row; the last cell of a row ends it.
 * `folded`: in HTML behind a "Numbers" line that opens it.
 */
void nf_doc_table(struct nf_doc_writer *d, const char *caption, const char *heads, bool folded);
void nf_doc_cell(struct nf_doc_writer *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void nf_doc_table_end(struct nf_doc_writer *d, bool folded);

/* ---- numbers for people; each returns its text by value ---- */

struct nf_shown {
    char s[128];
};

struct nf_shown nf_show_count(uint64_t n); /* 36,864 */
struct nf_shown nf_show_percent(double p); /* 0.4 %, 12 %, - for NaN */
struct nf_shown nf_show_interval(struct nf_share s); /* 37-43 % */
struct nf_shown nf_show_share(struct nf_share s); /* 412 of 1,024 (40 %, 95 % interval 37-43 %) */
struct nf_shown nf_show_real(double v, int digits); /* "-" for NaN */
struct nf_shown nf_show_bar(double p); /* p of 1 as up to ten blocks */
struct nf_shown nf_show_several(uint64_t n, const char *one, const char *many); /* "1 neuron", "3 neurons", "no neurons" */

#endif
