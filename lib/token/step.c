/* step.c - lists of steps, and GPT-2's alphabet. */
#include "token/step.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static void clear_step(struct nf_text_step *s)
{
    nf_regex_close(s->regex);
    nf_charsmap_close(s->map);
    nf_bytes_clear(&s->text);
}

int nf_text_steps_add(struct nf_text_steps *s, struct nf_text_step step, const char *words, struct nf_err *err)
{
    if (nf_grow(&s->list, &s->cap, s->n + 1, sizeof *s->list, err) < 0 ||
        nf_bytes_add(&s->text, words, strlen(words) + 1, err) < 0) {
        clear_step(&step);
        return NF_ESYS;
    }
    s->list[s->n++] = step;
    return NF_OK;
}

void nf_text_steps_clear(struct nf_text_steps *s)
{
    for (size_t i = 0; i < s->n; i++)
        clear_step(&s->list[i]);
    free(s->list);
    nf_bytes_clear(&s->text);
    *s = (struct nf_text_steps){ 0 };
}

/* Printable Latin-1 stands for itself; the other 68 bytes, in order, are U+0100, U+0101, .. */
int nf_letter_byte(uint32_t c)
{
    if ((c > 0x20 && c < 0x7f) || (c > 0xa0 && c < 0x100 && c != 0xad))
        return (int)c;
    if (c < 0x100 || c >= 0x100 + 68)
        return -1;
    c -= 0x100;
    if (c < 33)
        return (int)c;
    return c < 33 + 34 ? (int)c - 33 + 0x7f : 0xad;
}

uint32_t nf_byte_letter(unsigned char byte)
{
    if ((byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad))
        return byte;
    if (byte <= 0x20)
        return 0x100u + byte;
    return byte == 0xad ? 0x100u + 67 : 0x100u + 33 + (byte - 0x7fu);
}
