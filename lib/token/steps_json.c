/* steps_json.c - normalizer and pre_tokenizer of a tokenizer.json as steps; what is not implemented is refused by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/load.h"
#include "token/pattern.h"

/* Steps being read into one of the tokenizer's two lists. */
struct reading {
    struct nf_load *l;
    struct nf_text_steps *into;
    bool alphabet; /* ByteLevel came, and no step behind it yet: the model may take bytes instead */
};

/* Append a step; the words that tell it apart from others are kind, more and text. */
static int add_step(struct reading *r, struct nf_text_step step, const char *kind, const char *more, const char *text)
{
    struct nf_bytes words = { 0 };
    struct nf_err *err = r->l->err;
    int rc = NF_OK;

    if (r->alphabet) {
        r->alphabet = false;
        rc = nf_text_steps_add(r->into, (struct nf_text_step){ .kind = NF_STEP_ALPHABET }, "\1alphabet", err);
    }
    for (const char *const *w = (const char *const[]){ kind, more, text, NULL }; *w && rc == NF_OK; w++)
        rc = nf_bytes_add(&words, *w, strlen(*w), err);
    if (rc == NF_OK)
        rc = nf_bytes_add(&words, "", 1, err);
    if (rc == NF_OK) {
        rc = nf_text_steps_add(r->into, step, (char *)words.p, err);
        step = (struct nf_text_step){ 0 };
    }
    nf_regex_close(step.regex);
    nf_charsmap_close(step.map);
    nf_bytes_clear(&step.text);
    nf_bytes_clear(&words);
    return rc;
}

static int add_plain(struct reading *r, enum nf_text_step_kind kind, const char *words)
{
    return add_step(r, (struct nf_text_step){ .kind = kind }, words, "", "");
}

/* A step that puts a text somewhere. */
static int add_text_step(struct reading *r, struct nf_text_step step, const char *kind, const char *more, const char *text)
{
    int rc = nf_bytes_add(&step.text, text, strlen(text), r->l->err);

    return rc == NF_OK ? add_step(r, step, kind, more, text) : rc;
}

/* {"String": ..} or {"Regex": ..}, or a text as it stands; *text: how it is written.  False: neither. */
static bool read_pattern(const json_t *pattern, bool *regex, const char **text)
{
    const json_t *string = json_is_string(pattern) ? pattern : json_object_get(pattern, "String");

    *regex = !string;
    *text = json_string_value(string ? string : json_object_get(pattern, "Regex"));
    return *text != NULL;
}

/* A pattern that PCRE2 or pattern.h does not take is refused like a component.  NULL with NF_OK: refused. */
static int compile_step(struct reading *r, const char *part, bool regex, const char *text, struct nf_regex **made)
{
    struct nf_err own = NF_ERR_INIT;

    *made = regex ? nf_regex_open(text, &own) : nf_regex_open_text(text, strlen(text), &own);
    if (*made)
        return NF_OK;
    if (own.code == NF_ESYS)
        return nf_fail(r->l->err, NF_ESYS, "%s", own.text);
    return nf_load_refuse(r->l, part, own.text);
}

/* ---- normalizers ---- */

static int read_replace(struct reading *r, const json_t *n)
{
    const char *text, *content = json_string_value(json_object_get(n, "content"));
    struct nf_text_step step = { .kind = NF_STEP_REPLACE };
    bool regex;
    int rc;

    if (!read_pattern(json_object_get(n, "pattern"), &regex, &text) || !content)
        return nf_load_refuse(r->l, "normalizer Replace", "without a pattern and content");
    if (!*text && !regex)
        return NF_OK;
    if (!regex && !text[1] && (unsigned char)*text < 0x80) {
        step.one = *text;
    } else {
        rc = compile_step(r, "normalizer Replace:", regex, text, &step.regex);
        if (rc != NF_OK || !step.regex)
            return rc;
    }
    rc = nf_bytes_add(&step.text, content, strlen(content), r->l->err);
    if (rc == NF_OK)
        return add_step(r, step, regex ? "\1replace regex " : "\1replace ", content, text);
    nf_regex_close(step.regex);
    return rc;
}

static int read_prepend(struct reading *r, const json_t *n)
{
    const char *text = json_string_value(json_object_get(n, "prepend"));

    if (!text)
        return nf_load_refuse(r->l, "normalizer Prepend", "without a text");
    return add_text_step(r, (struct nf_text_step){ .kind = NF_STEP_PREPEND }, "\1prepend ", "", text);
}

static int read_strip(struct reading *r, const json_t *n)
{
    struct nf_text_step step = { .kind = NF_STEP_STRIP };

    step.strip_left = !nf_load_is_off(json_object_get(n, "strip_left"));
    step.strip_right = !nf_load_is_off(json_object_get(n, "strip_right"));
    return add_step(r, step, "\1strip", step.strip_left ? " left" : "", step.strip_right ? " right" : "");
}

static int read_charsmap(struct reading *r, const json_t *n)
{
    const char *base64 = json_string_value(json_object_get(n, "precompiled_charsmap"));
    struct nf_text_step step = { .kind = NF_STEP_CHARSMAP };

    if (!base64 || !*base64)
        return NF_OK;
    step.map = nf_charsmap_open(base64, r->l->err);
    return step.map ? add_step(r, step, "\1charsmap ", base64, "") : (int)r->l->err->code;
}

/* strip_accents: null is what lowercase is. */
static int read_bert(struct reading *r, const json_t *n)
{
    const json_t *accents = json_object_get(n, "strip_accents");
    bool lower = !nf_load_is_off(json_object_get(n, "lowercase"));
    int rc = NF_OK;

    if (!nf_load_is_off(json_object_get(n, "clean_text")))
        rc = add_plain(r, NF_STEP_CLEAN, "\1clean");
    if (rc == NF_OK && !nf_load_is_off(json_object_get(n, "handle_chinese_chars")))
        rc = add_plain(r, NF_STEP_PAD_HAN, "\1pad");
    if (rc == NF_OK && (json_is_boolean(accents) ? json_is_true(accents) : lower)) {
        rc = add_step(r, (struct nf_text_step){ .kind = NF_STEP_FORM, .form = NF_UNICODE_NFD }, "NFD", "", "");
        if (rc == NF_OK)
            rc = add_plain(r, NF_STEP_DROP_MARKS, "\1marks");
    }
    return rc == NF_OK && lower ? add_plain(r, NF_STEP_LOWERCASE, "\1lower") : rc;
}

static int read_alphabet(struct reading *r, const char *part)
{
    if (r->l->t->byte_level)
        return nf_load_refuse(r->l, part, "a second ByteLevel");
    r->l->t->byte_level = r->alphabet = true;
    return NF_OK;
}

/* A normalisation form by name. */
static bool find_form(const char *type, enum nf_unicode_form *form)
{
    static const char *const names[] = {
        [NF_UNICODE_NFC] = "NFC", [NF_UNICODE_NFD] = "NFD", [NF_UNICODE_NFKC] = "NFKC", [NF_UNICODE_NFKD] = "NFKD"
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(type, names[i]) == 0) {
            *form = (enum nf_unicode_form)i;
            return true;
        }
    return false;
}

static int read_normalizer(struct reading *r, const json_t *n)
{
    const json_t *list = json_object_get(n, "normalizers");
    const char *type = nf_load_type(n);
    struct nf_text_step form = { .kind = NF_STEP_FORM };
    int rc = NF_OK;

    if (nf_load_is_off(n))
        return NF_OK;
    if (strcmp(type, "Sequence") == 0) {
        for (size_t i = 0; rc == NF_OK && i < json_array_size(list); i++)
            rc = read_normalizer(r, json_array_get(list, i));
        return rc;
    }
    if (find_form(type, &form.form))
        return add_step(r, form, type, "", "");
    if (strcmp(type, "Lowercase") == 0)
        return add_plain(r, NF_STEP_LOWERCASE, "\1lower");
    if (strcmp(type, "StripAccents") == 0)
        return add_step(r, (struct nf_text_step){ .kind = NF_STEP_DROP_MARKS, .all_marks = true }, "\1all marks", "", "");
    if (strcmp(type, "Nmt") == 0)
        return add_plain(r, NF_STEP_NMT, "\1nmt");
    if (strcmp(type, "Strip") == 0)
        return read_strip(r, n);
    if (strcmp(type, "Replace") == 0)
        return read_replace(r, n);
    if (strcmp(type, "Prepend") == 0)
        return read_prepend(r, n);
    if (strcmp(type, "Precompiled") == 0)
        return read_charsmap(r, n);
    if (strcmp(type, "BertNormalizer") == 0)
        return read_bert(r, n);
    if (strcmp(type, "ByteLevel") == 0)
        return read_alphabet(r, "normalizer:");
    return nf_load_refuse(r->l, "normalizer", type);
}

/* ---- pre-tokenizers ---- */

/* Pieces by a pattern.  Isolated matches have the pattern itself for words, as digests always had it. */
static int add_cut(struct reading *r, const char *part, bool regex, const char *text, enum nf_cut_mode mode, bool invert)
{
    static const char *const modes[] = { [NF_CUT_ISOLATED] = "\1isolated ",
                                         [NF_CUT_REMOVED] = "\1removed ",
                                         [NF_CUT_CONTIGUOUS] = "\1contiguous ",
                                         [NF_CUT_PREVIOUS] = "\1previous ",
                                         [NF_CUT_NEXT] = "\1next " };
    struct nf_text_step step = { .kind = NF_STEP_CUT, .mode = mode, .invert = invert };
    bool plain = regex && !invert && mode == NF_CUT_ISOLATED;
    char more[32];
    int rc;

    if (!*text) /* an empty pattern matches nowhere */
        return NF_OK;
    rc = compile_step(r, part, regex, text, &step.regex);
    if (rc != NF_OK || !step.regex)
        return rc;
    snprintf(more, sizeof more, "%s%s", invert ? "inverted " : "", regex ? "regex " : "");
    return add_step(r, step, plain ? "" : modes[mode], plain ? "" : more, text);
}

/* "behavior" by name, Isolated where it is not said; false: another. */
static bool find_mode(const json_t *p, enum nf_cut_mode *mode)
{
    static const char *const names[] = { [NF_CUT_ISOLATED] = "Isolated",
                                         [NF_CUT_REMOVED] = "Removed",
                                         [NF_CUT_CONTIGUOUS] = "Contiguous",
                                         [NF_CUT_PREVIOUS] = "MergedWithPrevious",
                                         [NF_CUT_NEXT] = "MergedWithNext" };
    const char *behavior = json_string_value(json_object_get(p, "behavior"));

    *mode = NF_CUT_ISOLATED;
    for (size_t i = 0; behavior && i < sizeof names / sizeof *names; i++)
        if (strcmp(behavior, names[i]) == 0) {
            *mode = (enum nf_cut_mode)i;
            return true;
        }
    return !behavior;
}

static int read_split(struct reading *r, const json_t *p)
{
    enum nf_cut_mode mode;
    const char *text;
    bool regex;

    if (!read_pattern(json_object_get(p, "pattern"), &regex, &text))
        return nf_load_refuse(r->l, "pre_tokenizer Split", "without a pattern");
    if (!find_mode(p, &mode))
        return nf_load_refuse(r->l, "pre_tokenizer Split: behavior", json_string_value(json_object_get(p, "behavior")));
    return add_cut(r, "pre_tokenizer Split:", regex, text, mode, !nf_load_is_off(json_object_get(p, "invert")));
}

static int read_byte_level(struct reading *r, const json_t *p)
{
    const json_t *regex = json_object_get(p, "use_regex");
    int rc = NF_OK;

    if (!nf_load_is_off(json_object_get(p, "add_prefix_space")))
        rc = add_text_step(r, (struct nf_text_step){ .kind = NF_STEP_FRONT, .front = NF_FRONT_ALWAYS }, "\1front ", "", " ");
    if (rc == NF_OK && (!regex || !nf_load_is_off(regex)))
        rc = add_cut(r, "pre_tokenizer ByteLevel:", true, NF_REGEX_GPT2, NF_CUT_ISOLATED, false);
    return rc == NF_OK ? read_alphabet(r, "pre_tokenizer:") : rc;
}

/* Older files say add_prefix_space; where the newer prepend_scheme is absent it is "always", and must not be contradicted. */
static int read_metaspace(struct reading *r, const json_t *p)
{
    const json_t *scheme = json_object_get(p, "prepend_scheme");
    const char *blank = json_string_value(json_object_get(p, "replacement"));
    struct nf_text_step blanks = { .kind = NF_STEP_REPLACE, .one = ' ' },
                        front = { .kind = NF_STEP_FRONT, .front = NF_FRONT_ALWAYS };
    bool never = nf_load_is_text(scheme, "never");
    int rc;

    if (!blank || !*blank)
        return nf_load_refuse(r->l, "pre_tokenizer Metaspace", "without a replacement");
    if (nf_load_is_text(scheme, "first"))
        front.front = NF_FRONT_FIRST;
    else if (scheme && !never && !nf_load_is_text(scheme, "always"))
        return nf_load_refuse(r->l, "pre_tokenizer Metaspace: prepend_scheme",
                              json_is_string(scheme) ? json_string_value(scheme) : "of no name");
    if (json_is_false(json_object_get(p, "add_prefix_space")) && !never)
        return nf_load_refuse(r->l, "pre_tokenizer Metaspace:", "add_prefix_space false with a prepend_scheme other than never");
    rc = nf_bytes_add(&blanks.text, blank, strlen(blank), r->l->err);
    if (rc == NF_OK)
        rc = add_step(r, blanks, "\1replace ", blank, " ");
    if (rc == NF_OK && !never)
        rc = add_text_step(r, front, front.front == NF_FRONT_FIRST ? "\1front first " : "\1front ", "", blank);
    if (rc == NF_OK && !json_is_false(json_object_get(p, "split")))
        rc = add_cut(r, "pre_tokenizer Metaspace:", false, blank, NF_CUT_NEXT, false);
    return rc;
}

#define PUNCTUATION "[\\p{P}$+<=>^`|~]"
#define RUST_WORD "\\w\\x{200c}\\x{200d}" /* the regex crate counts joiners */

static int read_punctuation(struct reading *r, const json_t *p)
{
    enum nf_cut_mode mode;

    if (!find_mode(p, &mode))
        return nf_load_refuse(r->l, "pre_tokenizer Punctuation: behavior", json_string_value(json_object_get(p, "behavior")));
    return add_cut(r, "pre_tokenizer Punctuation:", true, PUNCTUATION, mode, false);
}

static int read_digit_cut(struct reading *r, const json_t *p)
{
    bool single = !nf_load_is_off(json_object_get(p, "individual_digits"));

    return add_cut(r, "pre_tokenizer Digits:", true, "\\p{N}", single ? NF_CUT_ISOLATED : NF_CUT_CONTIGUOUS, false);
}

static int read_bert_cut(struct reading *r, const json_t *p)
{
    int rc = add_cut(r, "pre_tokenizer BertPreTokenizer:", true, "\\s", NF_CUT_REMOVED, false);

    (void)p;
    return rc == NF_OK ? add_cut(r, "pre_tokenizer BertPreTokenizer:", true, PUNCTUATION, NF_CUT_ISOLATED, false) : rc;
}

static int read_whitespace(struct reading *r, const json_t *p)
{
    (void)p;
    return add_cut(r, "pre_tokenizer Whitespace:", true, "[" RUST_WORD "]+|[^" RUST_WORD "\\s]+", NF_CUT_REMOVED, true);
}

static int read_whitespace_split(struct reading *r, const json_t *p)
{
    (void)p;
    return add_cut(r, "pre_tokenizer WhitespaceSplit:", true, "\\s", NF_CUT_REMOVED, false);
}

static int read_delimiter(struct reading *r, const json_t *p)
{
    const char *text = json_string_value(json_object_get(p, "delimiter"));

    if (!text)
        return nf_load_refuse(r->l, "pre_tokenizer CharDelimiterSplit", "without a delimiter");
    return add_cut(r, "pre_tokenizer CharDelimiterSplit:", false, text, NF_CUT_REMOVED, false);
}

static int read_fixed_length(struct reading *r, const json_t *p)
{
    const json_t *length = json_object_get(p, "length");
    json_int_t n = length ? json_integer_value(length) : 5; /* its default */
    char text[48];

    if (n < 1 || n > 65535)
        return nf_load_refuse(r->l, "pre_tokenizer FixedLength:", "a length beyond 1 to 65535");
    snprintf(text, sizeof text, "(?m:.){1,%d}", (int)n);
    return add_cut(r, "pre_tokenizer FixedLength:", true, text, NF_CUT_ISOLATED, false);
}

static int read_pre_tokenizer(struct reading *r, const json_t *p)
{
    static const struct {
        const char *type;
        int (*read)(struct reading *, const json_t *);
    } types[] = {
        { "Split", read_split },
        { "ByteLevel", read_byte_level },
        { "Metaspace", read_metaspace },
        { "Digits", read_digit_cut },
        { "Punctuation", read_punctuation },
        { "Whitespace", read_whitespace },
        { "BertPreTokenizer", read_bert_cut },
        { "WhitespaceSplit", read_whitespace_split },
        { "CharDelimiterSplit", read_delimiter },
        { "FixedLength", read_fixed_length },
    };
    const json_t *list = json_object_get(p, "pretokenizers");
    const char *type = nf_load_type(p);
    int rc = NF_OK;

    if (nf_load_is_off(p))
        return NF_OK;
    if (strcmp(type, "Sequence") == 0) {
        for (size_t i = 0; rc == NF_OK && i < json_array_size(list); i++)
            rc = read_pre_tokenizer(r, json_array_get(list, i));
        return rc;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i].type) == 0)
            return types[i].read(r, p);
    return nf_load_refuse(r->l, "pre_tokenizer", type);
}

/* Where ByteLevel comes last a BPE starts from bytes, and the alphabet is only how its vocabulary is written. */
int nf_load_steps(struct nf_load *l, const json_t *root)
{
    struct nf_tokenizer *t = l->t;
    struct reading r = { .l = l, .into = &t->normalizers };
    int rc = read_normalizer(&r, json_object_get(root, "normalizer"));

    if (rc == NF_OK && r.alphabet)
        rc = nf_text_steps_add(&t->normalizers, (struct nf_text_step){ .kind = NF_STEP_ALPHABET }, "\1alphabet", l->err);
    r.into = &t->pre_tokenizers;
    r.alphabet = false;
    if (rc == NF_OK)
        rc = read_pre_tokenizer(&r, json_object_get(root, "pre_tokenizer"));
    if (rc == NF_OK && r.alphabet && t->model != NF_MODEL_BPE_CHARS)
        return nf_text_steps_add(&t->pre_tokenizers, (struct nf_text_step){ .kind = NF_STEP_ALPHABET }, "\1alphabet", l->err);
    if (rc == NF_OK && r.alphabet)
        t->model = NF_MODEL_BPE_BYTES;
    return rc;
}
