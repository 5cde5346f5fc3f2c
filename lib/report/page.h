/*
 * page.h - a whole report: one HTML file that needs nothing else, or Markdown.
 */
#ifndef NF_REPORT_PAGE_H
#define NF_REPORT_PAGE_H

#include "report/figures.h"

/*
 * nf_page_markdown, nf_page_html - append the report on r to `out`.  The same runs give the same bytes.
 *
 * The HTML carries styles, scripts (Vega, Vega-Lite, Vega-Embed and ours) and data; a Content-Security-Policy in it forbids every
 * fetch. Without scripts the sentences and tables remain.  Failure is lack of memory only: out->failed.
 */
void nf_page_markdown(struct nf_text *out, const struct nf_report *r);
void nf_page_html(struct nf_text *out, const struct nf_report *r);

#endif
