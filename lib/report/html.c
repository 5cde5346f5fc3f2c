/* html.c - escaping writers over one growing text. */
#include "report/html.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

enum { REAL_DIGITS = 6 }; /* of a number in the page's data: more than any axis or table shows */

void nf_text_add(struct nf_text *t, const void *p, size_t n)
{
    if (t->failed || nf_grow(&t->p, &t->cap, t->n + n + 1, 1, NULL) < 0) {
        t->failed = true;
        return;
    }
    memcpy(t->p + t->n, p, n);
    t->n += n;
    t->p[t->n] = '\0';
}

void nf_text_str(struct nf_text *t, const char *s)
{
    nf_text_add(t, s, strlen(s));
}

void nf_text_vfmt(struct nf_text *t, const char *fmt, va_list ap)
{
    char *s = NULL;
    int n = vasprintf(&s, fmt, ap);

    if (n < 0) {
        t->failed = true;
        return;
    }
    nf_text_add(t, s, (size_t)n);
    free(s);
}

void nf_text_fmt(struct nf_text *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    nf_text_vfmt(t, fmt, ap);
    va_end(ap);
}

void nf_text_clear(struct nf_text *t)
{
    free(t->p);
    *t = (struct nf_text){ 0 };
}

void nf_html_text(struct nf_text *t, const char *s)
{
    while (*s) {
        size_t plain = strcspn(s, "&<>\"' ");

        nf_text_add(t, s, plain);
        s += plain;
        if (*s == ' ')
            nf_text_str(t, *++s == '%' ? "&nbsp;" : " ");
        else if (*s)
            nf_text_fmt(t, "&#%d;", *s++);
    }
}

void nf_html_json(struct nf_text *t, const json_t *j)
{
    char *all = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS)), *s = all;

    if (!all) {
        t->failed = true;
        return;
    }
    while (*s) {
        size_t plain = strcspn(s, "<>&\xe2");

        nf_text_add(t, s, plain);
        s += plain;
        if (!strncmp(s, "\xe2\x80\xa8", 3) || !strncmp(s, "\xe2\x80\xa9", 3)) {
            nf_text_str(t, s[2] == '\xa8' ? "\\u2028" : "\\u2029");
            s += 3;
        } else if (*s == '\xe2') {
            nf_text_add(t, s++, 1);
        } else if (*s) {
            nf_text_fmt(t, "\\u%04x", *s++);
        }
    }
    free(all);
}

void nf_html_script(struct nf_text *t, const char *js, size_t n)
{
    static const char map[] = "\n//# sourceMappingURL=";
    const char *end = memmem(js, n, map, sizeof map - 1), *s = js;

    end = end ? end : js + n;
    while (s < end) {
        const char *lt = memchr(s, '<', (size_t)(end - s));

        lt = lt ? lt + 1 : end;
        nf_text_add(t, s, (size_t)(lt - s));
        if ((end - lt >= 7 && !strncasecmp(lt, "/script", 7)) || (end - lt >= 3 && !memcmp(lt, "!--", 3)))
            nf_text_str(t, "\\");
        s = lt;
    }
}

void nf_md_text(struct nf_text *t, const char *s)
{
    while (*s) {
        size_t plain = strcspn(s, "\\`*_[]<>|&#~$\n");

        nf_text_add(t, s, plain);
        s += plain;
        if (*s == '\n')
            nf_text_str(t, " ");
        else if (*s)
            nf_text_fmt(t, "\\%c", *s);
        s += *s != '\0';
    }
}
