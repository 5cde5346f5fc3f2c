/*
 * step.h - the steps between a text and the pieces that a model cuts into tokens, as tokenizer.json lists them.
 *
 * Every step takes a sequence of characters and hands on one (it changes the text) or several (it cuts).  First come the normalizers, whose
 * sequences are what lies between added tokens; then the pre-tokenizers, each of which sees the pieces of the one before.
 *
 *   | step                | of tokenizer.json                                    | does                                              |
 *   |---------------------|------------------------------------------------------|---------------------------------------------------|
 *   | NF_STEP_FORM        | NFC, NFD, NFKC, NFKD                                 | a normalisation form                              |
 *   | NF_STEP_LOWERCASE   | Lowercase                                            | every character in lower case                     |
 *   | NF_STEP_DROP_MARKS  | StripAccents; BertNormalizer                         | leaves out combining marks (categories)           |
 *   | NF_STEP_CLEAN       | BertNormalizer                                       | control characters left out, White_Space to U+0020 |
 *   | NF_STEP_NMT         | Nmt                                                  | the same by SentencePiece's table                 |
 *   | NF_STEP_PAD_HAN     | BertNormalizer                                       | a blank on both sides of each ideograph           |
 *   | NF_STEP_STRIP       | Strip                                                | White_Space off the ends                          |
 *   | NF_STEP_REPLACE     | Replace; Metaspace                                   | each match of a pattern by a text                 |
 *   | NF_STEP_PREPEND     | Prepend                                              | a text in front, unless there is nothing          |
 *   | NF_STEP_CHARSMAP    | Precompiled                                          | SentencePiece's table of replacements             |
 *   | NF_STEP_FRONT       | ByteLevel's add_prefix_space; Metaspace              | a character in front, unless one is there         |
 *   | NF_STEP_ALPHABET    | ByteLevel                                            | each byte as its character of GPT-2's alphabet    |
 *   | NF_STEP_CUT         | Split, Digits, Punctuation, Whitespace, ..           | pieces by matches of a pattern                    |
 */
#ifndef NF_TOKEN_STEP_H
#define NF_TOKEN_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "token/charsmap.h"
#include "token/regex.h"
#include "token/unicode.h"

enum nf_text_step_kind {
    NF_STEP_FORM,
    NF_STEP_LOWERCASE,
    NF_STEP_DROP_MARKS,
    NF_STEP_CLEAN,
    NF_STEP_NMT,
    NF_STEP_PAD_HAN,
    NF_STEP_STRIP,
    NF_STEP_REPLACE,
    NF_STEP_PREPEND,
    NF_STEP_CHARSMAP,
    NF_STEP_FRONT,
    NF_STEP_ALPHABET,
    NF_STEP_CUT,
};

/* What becomes of a match and of what lies between matches, a gap: SplitDelimiterBehavior of tokenizers. */
enum nf_cut_mode {
    NF_CUT_ISOLATED, /* each match and each gap is a piece */
    NF_CUT_REMOVED, /* each gap is a piece, matches are left out */
    NF_CUT_CONTIGUOUS, /* neighbouring matches are one piece, neighbouring gaps too */
    NF_CUT_PREVIOUS, /* a match belongs to the gap before it */
    NF_CUT_NEXT, /* a match belongs to the gap behind it */
};

/* When NF_STEP_FRONT puts its character in front: Metaspace's prepend_scheme. */
enum nf_front { NF_FRONT_FIRST, NF_FRONT_ALWAYS }; /* FIRST: only where the piece begins the whole text */

struct nf_text_step {
    enum nf_text_step_kind kind;
    enum nf_unicode_form form;
    bool strip_left, strip_right;
    bool all_marks; /* DROP_MARKS: spacing and enclosing ones too */
    struct nf_regex *regex; /* REPLACE, CUT; owned.  NULL in REPLACE: */
    char one; /* the pattern is this ASCII character */
    struct nf_bytes text; /* REPLACE, PREPEND, FRONT: what is put; owned */
    struct nf_charsmap *map; /* CHARSMAP; owned */
    enum nf_front front;
    enum nf_cut_mode mode;
    bool invert; /* CUT: gaps are what matches are, and the other way round */
};

/* A list of steps; zeroed is empty. */
struct nf_text_steps {
    struct nf_text_step *list;
    size_t n, cap;
    struct nf_bytes text; /* the steps in words, for digests: two lists with the same words do the same */
};

/*
 * nf_text_steps_add - append a step that does `step.kind`; `words` describe it in the list's text, and are copied.
 *
 * What the step owns becomes the list's, also on failure (NF_ESYS).
 */
int nf_text_steps_add(struct nf_text_steps *s, struct nf_text_step step, const char *words, struct nf_err *err);
void nf_text_steps_clear(struct nf_text_steps *s);

/* The byte a character of GPT-2's byte-level alphabet stands for, or -1, and back (Radford et al. 2019, encoder.py, bytes_to_unicode). */
int nf_letter_byte(uint32_t c);
uint32_t nf_byte_letter(unsigned char byte);

#endif
