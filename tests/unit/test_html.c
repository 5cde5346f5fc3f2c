/* test_html.c - lib/report/html, lib/report/doc_writer: nothing that came from input can become markup. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "report/html.h"
#include "report/doc_writer.h"

static bool html_is(const char *s, const char *want)
{
    struct nf_text t = { 0 };
    bool same;

    nf_html_text(&t, s);
    same = !t.failed && !strcmp(t.p ? t.p : "", want);
    if (!same)
        printf("# %s\n", t.p ? t.p : "");
    nf_text_clear(&t);
    return same;
}

static void markup_becomes_references(void)
{
    CHECK(html_is("", ""));
    CHECK(html_is("plain \u00e9 \u65e5", "plain \u00e9 \u65e5"));
    CHECK(html_is("<b a=\"1\" c='2'>&amp;", "&#60;b a=&#34;1&#34; c=&#39;2&#39;&#62;&#38;amp;"));
    CHECK(html_is("40 % of 5 a", "40&nbsp;% of 5 a"));
    CHECK(html_is(" ", " "));
}

/* Every byte string, made printable first, leaves no markup character and no control character. */
static void no_byte_escapes(void)
{
    size_t bad = 0;

    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            unsigned char in[2] = { (unsigned char)a, (unsigned char)b };
            char shown[64];
            struct nf_text t = { 0 };

            nf_html_text(&t, nf_utf8_show(in, 2, shown, sizeof shown));
            for (size_t i = 0; i < t.n; i++)
                bad += strchr("<>\"'", t.p[i]) != NULL || (unsigned char)t.p[i] < 0x20 || t.p[i] == 0x7f;
            bad += nf_utf8_valid((const unsigned char *)t.p, t.n) != t.n;
            nf_text_clear(&t);
        }
    CHECK(bad == 0);
}

static void json_cannot_end_its_script(void)
{
    struct nf_text t = { 0 };
    json_t *j = json_pack("{sssfsi}", "</script><!--&", "\u2028\u2029\u2027\"\\ \u65e5", "p", 1.0 / 3, "n", 7), *back;

    nf_html_json(&t, j);
    CHECK(!t.failed && !strpbrk(t.p, "<>&") && !strstr(t.p, "\u2028") && !strstr(t.p, "\u2029") && strstr(t.p, "\u2027"));
    CHECK(strstr(t.p, "0.333333") && !strstr(t.p, "0.3333333"));
    back = json_loads(t.p, 0, NULL);
    CHECK(back && !strcmp(json_string_value(json_object_get(back, "</script><!--&")), "\u2028\u2029\u2027\"\\ \u65e5"));
    json_decref(back);
    json_decref(j);
    nf_text_clear(&t);
}

static void a_script_cannot_end_itself(void)
{
    static const char js[] = "a<b;s='</script>'+\"</SCRIPT \"+'<!--';r=/<\\/script/\n//# sourceMappingURL=x.map\n";
    struct nf_text t = { 0 };

    nf_html_script(&t, js, sizeof js - 1);
    CHECK(!strcmp(t.p, "a<b;s='<\\/script>'+\"<\\/SCRIPT \"+'<\\!--';r=/<\\/script/"));
    nf_text_clear(&t);
    nf_html_script(&t, "<", 1);
    nf_html_script(&t, "</scrip", 7);
    CHECK(!strcmp(t.p, "<</scrip"));
    nf_text_clear(&t);
}

static void markdown_stays_text(void)
{
    struct nf_text t = { 0 };

    nf_md_text(&t, "a|b *c* `d` <e> [f](g) _h_ \\ #1 & ~\nx");
    CHECK(!strcmp(t.p, "a\\|b \\*c\\* \\`d\\` \\<e\\> \\[f\\](g) \\_h\\_ \\\\ \\#1 \\& \\~ x"));
    nf_text_clear(&t);
}

static void tokens_are_marked(void)
{
    struct nf_doc_writer h = { .format = NF_DOC_HTML }, m = { .format = NF_DOC_MARKDOWN };

    nf_doc_say(&h, "on %s.", NF_TOKEN_BEGIN "<i>" NF_TOKEN_END);
    CHECK(!strcmp(h.out.p, "<p class=\"say\">on <code class=\"token\">&#60;i&#62;</code>.</p>\n"));
    nf_doc_say(&m, "on %s.", NF_TOKEN_BEGIN "<i>" NF_TOKEN_END);
    CHECK(!strcmp(m.out.p, "\non \u201c\\<i\\>\u201d.\n"));
    nf_text_clear(&h.out);
    nf_text_clear(&m.out);
}

static void a_table_closes_its_rows(void)
{
    struct nf_doc_writer h = { .format = NF_DOC_HTML }, m = { .format = NF_DOC_MARKDOWN };

    for (struct nf_doc_writer *s = &h;; s = &m) {
        nf_doc_table(s, "c", "A|B>", false);
        for (int i = 0; i < 4; i++)
            nf_doc_cell(s, "%d", i);
        nf_doc_table_end(s, false);
        if (s == &m)
            break;
    }
    CHECK(strstr(h.out.p, "<tr><td>0</td><td class=\"r\">1</td></tr>\n<tr><td>2</td><td class=\"r\">3</td></tr>\n</tbody>"));
    CHECK(!strcmp(m.out.p, "\n| A | B |\n|---|---:|\n| 0 | 1 |\n| 2 | 3 |\n"));
    nf_text_clear(&h.out);
    nf_text_clear(&m.out);
}

static void numbers_for_people(void)
{
    CHECK(!strcmp(nf_show_count(0).s, "0") && !strcmp(nf_show_count(999).s, "999") && !strcmp(nf_show_count(1000).s, "1,000"));
    CHECK(!strcmp(nf_show_count(UINT64_MAX).s, "18,446,744,073,709,551,615"));
    CHECK(!strcmp(nf_show_percent(NAN).s, "-") && !strcmp(nf_show_percent(0).s, "0 %") && !strcmp(nf_show_percent(1).s, "100 %"));
    CHECK(!strcmp(nf_show_percent(0.00033).s, "0.033 %") && !strcmp(nf_show_percent(0.0949).s, "9.5 %") &&
          !strcmp(nf_show_percent(0.402).s, "40 %"));
    /* Wilson by hand: k = 412, n = 1024 */
    CHECK(!strcmp(nf_show_share(nf_wilson(412, 1024)).s, "412 of 1,024 (40 %, 95 % interval 37\u201343 %)"));
    CHECK(!strcmp(nf_show_share(nf_wilson(0, 0)).s, "0 of 0 (-, 95 % interval -)"));
    CHECK(!strcmp(nf_show_bar(0).s, "") && !strcmp(nf_show_bar(0.1).s, "\u2588") &&
          !strcmp(nf_show_bar(0.1875).s, "\u2588\u2589") && strlen(nf_show_bar(2).s) == 30);
    CHECK(!strcmp(nf_show_several(0, "a", "b").s, "no b") && !strcmp(nf_show_several(1, "a", "b").s, "1 a") &&
          !strcmp(nf_show_several(2000, "a", "b").s, "2,000 b"));
}

int main(void)
{
    return RUN(markup_becomes_references, no_byte_escapes, json_cannot_end_its_script, a_script_cannot_end_itself,
               markdown_stays_text, tokens_are_marked, a_table_closes_its_rows, numbers_for_people);
}
