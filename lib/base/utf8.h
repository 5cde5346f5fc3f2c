/*
 * utf8.h - UTF-8 as RFC 3629 defines it: no overlong form, no surrogate, nothing over U+10FFFF.
 */
#ifndef NF_BASE_UTF8_H
#define NF_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* nf_utf8_decode - the character at p[0..n): its length, 1 to 4, and *c; 0 when the bytes are no whole, valid character. */
size_t nf_utf8_decode(const unsigned char *p, size_t n, uint32_t *c);

/* nf_utf8_encode - c < 0x110000 into out; returns its length. */
size_t nf_utf8_encode(uint32_t c, unsigned char out[4]);

/*
 * nf_utf8_valid - how many bytes from p on are valid UTF-8.
 *
 * Returns n, or the offset of the first byte that does not begin a whole, valid character.
 */
size_t nf_utf8_valid(const unsigned char *p, size_t n);

/*
 * nf_utf8_show - any bytes as one printable line in buf, NUL-terminated: control and invisible formatting characters and bytes that
 * are no UTF-8 as \n, \r, \t or \xNN for each byte; a backslash as \\.  Cut between characters at `size` (> 0).  Returns buf.
 */
char *nf_utf8_show(const void *bytes, size_t n, char *buf, size_t size);

#endif
