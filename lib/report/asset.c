/* asset.c - embed the files of a page with .incbin (gcc and clang; paths from the root of the repository, where make runs). */
#include "report/asset.h"

#define EMBED(symbol, path)                                                                                                        \
    __asm__(".section .rodata\n"                                                                                                   \
            ".global nf_asset_" #symbol "\n.global nf_asset_end_" #symbol "\n"                                                     \
            "nf_asset_" #symbol ":\n.incbin \"lib/report/" path "\"\n"                                                             \
            "nf_asset_end_" #symbol ":\n.byte 0\n.previous\n");                                                                    \
    extern const char nf_asset_##symbol[], nf_asset_end_##symbol[]

#define ASSET(symbol, path)                                                                                                        \
    {                                                                                                                              \
        path, nf_asset_##symbol, nf_asset_end_##symbol                                                                             \
    }

EMBED(css, "page/report.css");
EMBED(published, "page/published.json");
EMBED(vega, "vendor/vega.min.js");
EMBED(vega_lite, "vendor/vega-lite.min.js");
EMBED(vega_embed, "vendor/vega-embed.min.js");
EMBED(data_js, "page/data.js");
EMBED(stages_js, "page/stages.js");
EMBED(charts_js, "page/charts.js");
EMBED(tables_js, "page/tables.js");

const struct nf_asset nf_styles[] = { ASSET(css, "page/report.css"), { 0 } };
const struct nf_asset nf_published = ASSET(published, "page/published.json");
const struct nf_asset nf_scripts[] = {
    ASSET(vega, "vendor/vega.min.js"),
    ASSET(vega_lite, "vendor/vega-lite.min.js"),
    ASSET(vega_embed, "vendor/vega-embed.min.js"),
    ASSET(data_js, "page/data.js"),
    ASSET(stages_js, "page/stages.js"),
    ASSET(charts_js, "page/charts.js"),
    ASSET(tables_js, "page/tables.js"),
    { 0 },
};
