/*
 * asset.h - the files of a page (styles, scripts), embedded in the program. No file is read at run
 * time.
 */
#ifndef NF_REPORT_ASSET_H
#define NF_REPORT_ASSET_H

#include <stddef.h>

struct nf_asset {
    const char *name;
    const char *begin, *end;   /* the bytes: [begin, end) */
};

extern const struct nf_asset nf_styles[];      /* CSS, in the order of the page; name NULL ends */
extern const struct nf_asset nf_published;     /* JSON: numbers digitised from the figures of Voita et al. 2023 */
extern const struct nf_asset nf_scripts[];     /* JavaScript, in the order in which it must run */

#endif
