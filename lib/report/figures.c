/* figures.c - the table of figures, and what their functions share. */
#include "report/figures.h"

#include <stdio.h>
#include <string.h>

static const struct nf_figure dead[] = {
    { "1a", "Dead neurons by layer", nf_fig_dead_share, NULL },
    { "1b", "How often the other neurons fire", nf_fig_frequency, NULL },
};

static const struct nf_figure ngram[] = {
    { "2", "How many tokens cover a neuron's firings", nf_fig_cover_tokens, NULL },
    { "3a", "Token detectors by layer", nf_fig_token_detectors, NULL },
    { "3b", "Tokens that have a detector", nf_fig_tokens_covered, NULL },
    { "4", "Which of these tokens are new", nf_fig_tokens_new, NULL },
    { "12", "How many bigrams cover a neuron's firings", nf_fig_cover_bigrams, NULL },
    { "13", "How many trigrams cover a neuron's firings", nf_fig_cover_trigrams, NULL },
    { "14a", "Bigram and trigram detectors by layer", nf_fig_trigram_detectors, NULL },
    { "14b", "Trigrams that have a detector", nf_fig_trigrams_covered, NULL },
    { "15", "Which of these trigrams are new", nf_fig_trigrams_new, NULL },
};

static const struct nf_figure suppression[] = {
    { "5", "Token detectors: what they detect, promote and suppress", nf_fig_examples, NULL },
    { "6", "Do detectors suppress the token that triggers them?", nf_fig_suppression, NULL },
};

static const struct nf_figure position[] = {
    { "7", "Kinds of positional neurons", nf_fig_gallery, NULL },
    { "8", "Positional neurons by layer", nf_fig_circles, NULL },
    { "9", "Teams that tile the context", nf_fig_teams, NULL },
    { "10", "With and without position embeddings", nf_fig_positions, NULL },
    { "11", "Over checkpoints", nf_fig_checkpoints, NULL },
    { "16", "Post-LN models", nf_fig_post_norm, NULL },
};

static const struct nf_figure stages[] = {
    { "S1", "Where the stages end", nf_fig_stages, nf_has_stages },
    { "S2", "What leaving out or exchanging blocks does to the prediction", nf_fig_divergence, nf_has_layers },
    { "S3", "Relative accuracy and entropy", nf_fig_accuracy, nf_has_layers },
    { "S4", "Blocks that run twice", nf_fig_repeat, nf_has_repeat },
    { "S5", "What the stream would predict", nf_fig_lens, nf_has_lens },
    { "S6", "Neurons that promote or suppress a few tokens", nf_fig_vocabulary, nf_has_vocabulary },
    { "S7", "Attention to the tokens just before", nf_fig_locality, nf_has_locality },
    { "S8", "Heads that look back to the beginning of a word", nf_fig_merging, nf_has_merging },
    { "S9", "What blocks add to the stream", nf_fig_norms, nf_has_norms },
    { "S10", "How similar the stream is from block to block", nf_fig_similarity, nf_has_similarity },
    { "S11", "Whether it depends on the text", nf_fig_domains, nf_has_domains },
};

#define ROWS(a) a, sizeof(a) / sizeof *(a)

const struct nf_section nf_sections[] = {
    { "dead", "Dead neurons",
      "A neuron fires at a token when its pre-activation is above zero. It is dead when that never happens on this corpus.",
      ROWS(dead), false },
    { "n-gram", "N-gram detectors",
      "An n-gram triggers a neuron when the neuron fires at its last token. A token detector fires on at least 95 % of the "
      "occurrences of its tokens, and these make up at least 95 % of its firings. Measured in the layers that the run's scope "
      "lists (by default the first half). These are the paper's limits; those of this run are at the end of the page.",
      ROWS(ngram), false },
    { "suppression", "Suppression of the trigger",
      "When a neuron fires, its output row is added to the residual stream. Projected on the vocabulary, the row says which next "
      "tokens it promotes and which it suppresses.",
      ROWS(suppression), false },
    { "positional", "Positional neurons",
      "A neuron is positional when the mutual information between its firing and the position in the window is above 0.05 nats, "
      "after the correction for bias.",
      ROWS(position), false },
    { "stages", "Stages of inference",
      "Detokenization, feature engineering, prediction ensembling, residual calibration: what the model predicts with a block "
      "left out, exchanged or run twice; what the residual stream would predict before every block; where heads look; what "
      "blocks add. Definitions: Lad, Lee, Gurnee and Tegmark 2024, arXiv:2406.19384. Blocks count from 0; relative depth is l / "
      "(L - 1) for a block, l / L for the stream that enters block l. Standard errors take documents as the independent units; "
      "with few of them they are rough.",
      ROWS(stages), true },
};
const size_t nf_sections_n = sizeof nf_sections / sizeof *nf_sections;

bool nf_section_shown(const struct nf_section *s, const struct nf_report *r)
{
    for (size_t i = 0; i < s->n; i++)
        if (nf_figure_shown(&s->figures[i], r))
            return (s->stages ? r->stages_n : r->n) > 0;
    return false;
}

bool nf_figure_shown(const struct nf_figure *f, const struct nf_report *r)
{
    return !f->has || f->has(r);
}

struct nf_shown nf_prefix(const struct nf_report *r, const struct nf_input *run)
{
    struct nf_shown out = { "" };

    if (r->n > 1)
        snprintf(out.s, sizeof out.s, "%.90s: ", run->name);
    return out;
}

uint64_t nf_layer_sum(const struct nf_input *run, const char *path)
{
    uint64_t sum = 0;
    size_t i;
    json_t *layer;

    json_array_foreach (run->layers, i, layer)
        sum += nf_whole_at(layer, path);
    return sum;
}

/* One token with its spaces visible: U+2423. */
static void token_show(struct nf_text *t, const char *s)
{
    for (; *s; s++)
        nf_text_add(t, *s == ' ' ? "\u2423" : s, *s == ' ' ? 3 : 1);
}

void nf_gram_show(struct nf_text *t, const struct nf_input *run, const json_t *gram)
{
    size_t i;
    json_t *id;

    nf_text_str(t, NF_TOKEN_BEGIN);
    if (json_is_array(gram)) {
        json_array_foreach (gram, i, id) {
            nf_text_str(t, i ? " " : "");
            token_show(t, nf_token(run, (uint64_t)json_integer_value(id)));
        }
    } else {
        token_show(t, nf_token(run, (uint64_t)json_integer_value(gram)));
    }
    nf_text_str(t, NF_TOKEN_END);
}
