/*
 * subword_merge.h - heads that join the pieces of a word: attention from a word's last token, by how many tokens the word has.  FORMAT.md
 * section 4.4: merging.
 *
 * Lad et al. 2024, arXiv:2406.19384, section 5.1 ("subjoiner heads" in the authors' repository) compare prompts of 16 tokens that end in
 * a word of four tokens with such that end in a word of one.  Here every position of running text is taken that ends one:
 *
 *   multi    the last four tokens are a blank and one word of lower-case letters a-z: the first is a blank and at least one letter, the
 *            others are letters only
 *   single   the last token alone is a blank and such a word
 *
 * In both classes the next token of the window begins with white space, no token is special, and
 * the position is 16 or later. White space means that the word ends there, as in the authors' text,
 * which is split at white space. From position 16 on every offset exists. What a position sees does
 * not depend on the next token. A row is [H,17] of site attn.back: attention on the positions 0
 * (itself), 1, .. 16 before.
 *
 * Columns: [2, H, 17], class multi, then single: mean attention on each offset. Offset 3 is the
 * first token of a word of four. The difference of the classes there is the score A[-1,-4] multi
 * minus single.
 */
#ifndef NF_STAGES_SUBWORD_MERGE_H
#define NF_STAGES_SUBWORD_MERGE_H

#include <stddef.h>
#include <stdint.h>

#include "record/context.h"
#include "numeric/mergeable_means.h"

enum nf_word { NF_WORD_MULTI, NF_WORD_SINGLE, NF_WORD_NONE };

/* nf_word_at - which word ends at position pos < n of the window ids [n]; ids < v->V. */
enum nf_word nf_word_at(const struct nf_vocab *v, const uint32_t *ids, size_t n, size_t pos);

static inline size_t nf_subword_merge_columns(size_t H)
{
    return 2 * H * NF_BACK_OFFSETS;
}

/* nf_subword_merge_row - add a position of a class; a [H,17]. */
void nf_subword_merge_row(const float *a, size_t H, enum nf_word class, struct nf_mergeable_means *m);

#endif
