/*
 * tokenize - split text into the tokens of a model, in windows that the model sees each on its own.
 *
 *   in   text     files, directories, standard input; plain or zstd
 *   out  tokens   the vocabulary, then documents and their windows of token ids
 *   doc  src/tokenize.md: what a document is, BOS, special tokens, bytes that are no UTF-8
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hub.h"
#include "base/opt.h"
#include "base/output.h"
#include "base/par.h"
#include "base/prog.h"
#include "base/progress.h"
#include "base/rng.h"
#include "record/context.h"
#include "record/tokens.h"
#include "stream/writer.h"
#include "token/corpus.h"
#include "token/encoder.h"
#include "token/pack.h"
#include "run/model_tokenizer.h"
#include "token/tokenizer.h"

/* A document up to this size is held until its end, so that its record can state its size. */
enum { HOLD_BYTES = 256 << 10 };

/* Longest window when nobody says: the memory of a forward pass grows with it, and models of 131,072 positions are run on texts of some thousand. */
enum { CONTEXT = 2048, SHARDS_MAX = 1000000 };

struct tokenize_options {
    const char *model, *revision, *field, *domain_field, *domain, *shard;
    enum nf_split split;
    enum bos { BOS_AUTO, BOS_ALWAYS, BOS_NEVER } bos;
    bool special_as_text; /* --special */
    uint64_t max_bad, context, limit, seed;
    double sample;
    bool full_only, any_bytes;
    uint64_t memory;
    uint64_t shard_k, shard_n; /* K/N; N = 1: everything */
};

struct totals {
    uint64_t tokens, bos, windows, full, docs, bytes;
};

struct tokenize_run {
    const struct tokenize_options *o;
    struct nf_tokenizer *t;
    struct nf_encoder *encoder;
    struct nf_writer *out;
    struct nf_pack pack;
    struct nf_ids ids; /* of the document in progress, that no window has taken */
    uint64_t read, bytes; /* documents begun; bytes of the one in progress */
    char *name, *domain; /* of the one in progress */
    bool mine, written; /* it belongs to this shard; its record is out */
    uint64_t counted; /* tokens in windows of all shards, for --limit */
    struct totals sum; /* of what was written */
};

/* K/N */
static int read_shard(struct tokenize_options *o, struct nf_err *err)
{
    char *end = NULL, *stop = NULL;

    o->shard_k = o->shard_n = 1;
    if (!o->shard)
        return NF_OK;
    o->shard_k = strtoull(o->shard, &end, 10);
    if (*end == '/')
        o->shard_n = strtoull(end + 1, &stop, 10);
    if (!stop || *stop || o->shard[0] < '0' || o->shard[0] > '9' || !o->shard_k || o->shard_k > o->shard_n ||
        o->shard_n > SHARDS_MAX)
        return nf_fail(err, NF_EUSAGE, "--shard %s: K/N with K from 1 to N is expected", o->shard);
    return NF_OK;
}

static int check_tokenize_options(struct tokenize_options *o, struct nf_err *err)
{
    if (!o->model)
        return nf_fail(err, NF_EUSAGE, "-m MODEL is required: the model whose tokenizer to use");
    if (o->field && o->split != NF_SPLIT_FILE)
        return nf_fail(err, NF_EUSAGE, "--jsonl excludes --split: each JSON line is one document");
    if (!o->field && o->domain_field)
        return nf_fail(err, NF_EUSAGE, "--jsonl-domain is for --jsonl");
    if (!o->field && o->max_bad)
        return nf_fail(err, NF_EUSAGE, "--max-bad is for --jsonl");
    if (o->domain_field && o->domain)
        return nf_fail(err, NF_EUSAGE, "--domain and --jsonl-domain exclude each other");
    return read_shard(o, err);
}

static int open_document(void *self, const char *name, const char *domain, struct nf_err *err)
{
    struct tokenize_run *r = self;

    free(r->name);
    free(r->domain);
    r->name = strdup(name);
    r->domain = strdup(domain);
    if (!r->name || !r->domain)
        return nf_fail(err, NF_ESYS, "out of memory");
    r->mine = r->read++ % r->o->shard_n == r->o->shard_k - 1;
    r->bytes = 0;
    r->written = false;
    nf_pack_begin(&r->pack);
    return NF_OK;
}

static void write_doc(struct tokenize_run *r, bool whole)
{
    struct nf_doc d = { .doc = r->read - 1, .name = r->name, .domain = r->domain, .bytes = whole ? r->bytes : NF_NONE };

    nf_record_write(&nf_doc_record, r->out, &d);
    r->sum.docs++;
    r->written = true;
}

static void write_window(struct tokenize_run *r, size_t T, bool whole)
{
    struct nf_window w = {
        .doc = r->read - 1, .window = r->pack.windows - 1, .start = r->pack.start, .bos = r->pack.bos, .T = T, .ids = r->pack.ids
    };
    size_t n;

    if (!r->written)
        write_doc(r, whole);
    nf_record_write(&nf_window_record, r->out, &w);
    r->sum.tokens += T;
    r->sum.bos += w.bos;
    r->sum.windows++;
    r->sum.full += T == r->pack.context;
    for (size_t i = w.bos; i < T; i++) {
        nf_vocab_bytes(&r->t->vocab, w.ids[i], &n);
        r->sum.bytes += n;
    }
}

/* Is this window in the sample?  It depends on seed, document and window alone: not on what was drawn before, nor on the shard. */
static bool sampled(const struct tokenize_run *r)
{
    struct nf_rng key = { r->o->seed };

    key.state = nf_rng_next(&key) ^ (r->read - 1);
    key.state = nf_rng_next(&key) ^ (r->pack.windows - 1);
    return nf_rng_unit(&key) < r->o->sample;
}

/* Put out the windows that r->ids holds.  NF_EOF: the limit is reached. */
static int write_windows(struct tokenize_run *r, bool last, struct nf_err *err)
{
    const uint64_t limit = r->o->limit ? r->o->limit : UINT64_MAX;
    size_t from = 0, used, T;
    int rc = NF_OK;

    if (!r->ids.n)
        return NF_OK;
    while (rc == NF_OK && nf_pack_next(&r->pack, r->ids.ids + from, r->ids.n - from, last, &used) == NF_OK) {
        from += used;
        if (r->pack.start + r->pack.T > UINT32_MAX)
            return nf_fail(err, NF_EFORMAT, "%s: a document of more than %lu tokens", r->name, (unsigned long)UINT32_MAX);
        if (!sampled(r))
            continue;
        T = r->pack.T;
        if (limit - r->counted < T) {
            T = r->o->full_only ? 0 : (size_t)(limit - r->counted);
            rc = NF_EOF;
        }
        if (T <= r->pack.bos)
            break;
        r->counted += T;
        if (r->mine)
            write_window(r, T, last);
        if (err->code < 0)
            rc = (int)err->code;
        else if (r->counted == limit)
            rc = NF_EOF;
    }
    if (rc == NF_OK)
        from += used;
    r->ids.n -= nf_min(from, r->ids.n);
    memmove(r->ids.ids, r->ids.ids + from, r->ids.n * sizeof *r->ids.ids);
    return rc;
}

/* With a limit every shard looks at all documents, so that together they stop where one run would. */
static bool skipped(const struct tokenize_run *r)
{
    return !r->mine && !r->o->limit;
}

/* What goes wrong in a document is said with its name. */
static int name_document(const struct tokenize_run *r, int rc, const struct nf_err *own, struct nf_err *err)
{
    return rc < 0 ? nf_fail(err, own->code, "%s: %s", r->name, own->text) : rc;
}

static int encode_text(void *self, const unsigned char *p, size_t n, struct nf_err *err)
{
    struct tokenize_run *r = self;
    struct nf_err own = NF_ERR_INIT;

    r->bytes += n;
    if (skipped(r))
        return NF_OK;
    nf_progress(&(struct nf_progress){ r->counted, "tokens", 0, NULL });
    if (nf_encode(r->encoder, p, n, false, &r->ids, &own) < 0)
        return name_document(r, own.code, &own, err);
    return r->bytes > HOLD_BYTES ? write_windows(r, false, err) : NF_OK;
}

static int close_document(void *self, struct nf_err *err)
{
    struct tokenize_run *r = self;
    struct nf_err own = NF_ERR_INIT;
    int rc;

    if (skipped(r))
        return NF_OK;
    rc = nf_encode(r->encoder, NULL, 0, true, &r->ids, &own);
    if (rc == NF_OK && r->o->bos == BOS_AUTO && (r->ids.n || r->pack.taken)) /* EOS, where the model's own tokenizer puts it */
        rc = nf_ids_add(&r->ids, r->t->after, r->t->n_after, &own);
    if (rc < 0)
        return name_document(r, own.code, &own, err);
    rc = write_windows(r, true, err);
    r->ids.n = 0;
    return rc;
}

static int plan_tokens(struct tokenize_run *r, struct nf_err *err)
{
    const struct tokenize_options *o = r->o;
    const struct nf_tokenizer *t = r->t;
    struct nf_pack *pack = &r->pack;

    pack->context = o->context ? o->context : nf_min(t->context, CONTEXT);
    pack->full_only = o->full_only;
    pack->bos = o->bos == BOS_ALWAYS || (o->bos == BOS_AUTO && t->bos_auto);
    if (!pack->context)
        return nf_fail(err, NF_EUSAGE, "--context N is required: no config.json in %s says how many positions the model has",
                       o->model);
    if (pack->bos && t->bos_id < 0)
        return nf_fail(err, NF_EUSAGE, "--bos always: no file in %s names a BOS token", o->model);
    if (pack->bos && (uint64_t)t->bos_id >= t->vocab.V)
        return nf_fail(err, NF_EFORMAT, "%s: BOS has id %" PRId64 ", the vocabulary %zu tokens", o->model, t->bos_id, t->vocab.V);
    if (pack->context < 1 + (size_t)pack->bos)
        return nf_fail(err, NF_EUSAGE, "--context %zu: no room for text after BOS", pack->context);
    pack->bos_id = pack->bos ? (uint32_t)t->bos_id : 0;
    r->encoder = nf_encoder_open(t, !o->special_as_text, err);
    return r->encoder ? nf_pack_init(pack, err) : (int)err->code;
}

static json_t *make_header(const struct tokenize_run *r, const struct nf_cmd *cmd, struct nf_err *err)
{
    const struct nf_tokenizer *t = r->t;
    json_t *header = nf_header_new("tokens", NULL, cmd, err);
    json_t *bos_id = t->bos_id < 0 ? json_null() : json_integer(t->bos_id);

    json_object_set_new(header, "tokenizer",
                        json_pack("{s:s, s:s, s:I, s:s, s:o, s:s, s:s}", "digest", t->digest, "type", nf_tokenizer_type(t), "vocab",
                                  (json_int_t)t->vocab.V, "bos", r->pack.bos ? "always" : "never", "bos_id", bos_id, "special",
                                  r->o->special_as_text ? "text" : "parse", "unicode", nf_regex_unicode()));
    json_object_set_new(header, "context", json_integer((json_int_t)r->pack.context));
    return header;
}

static int open_tokens_output(struct tokenize_run *r, const struct nf_cmd *cmd, struct nf_err *err)
{
    json_t *header = make_header(r, cmd, err);

    if (header)
        r->out = nf_writer_open(STDOUT_FILENO, header, nf_common.raw, err);
    json_decref(header);
    if (r->out)
        nf_vocab_write(r->out, &r->t->vocab);
    return (int)err->code;
}

/* An empty corpus is refused; a shard of a corpus that has documents may be empty. */
static int check_not_empty(const struct tokenize_run *r, struct nf_err *err)
{
    const struct tokenize_options *o = r->o;

    if (!r->read)
        return nf_fail(err, NF_EFORMAT, "no documents: there is no text in the input");
    if (r->sum.windows || r->counted || o->shard_n > 1)
        return NF_OK;
    return nf_fail(err, NF_EFORMAT, "no windows: of %" PRIu64 " documents none has %s tokens%s", r->read,
                   o->full_only ? "enough" : "any", o->sample < 1 ? " in the sample" : "");
}

static void close_output(struct tokenize_run *r)
{
    const struct totals *s = &r->sum;
    json_t *totals =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "tokens", (json_int_t)s->tokens, "bos", (json_int_t)s->bos, "windows",
                  (json_int_t)s->windows, "full", (json_int_t)s->full, "docs", (json_int_t)s->docs, "bytes", (json_int_t)s->bytes);

    nf_writer_close(r->out, totals); /* a failure is in the slot */
    json_decref(totals);
    r->out = NULL;
}

/* Where the tokenizer's files disagree, a line each. */
static void print_notes(const struct nf_tokenizer *t)
{
    const char *line = (const char *)t->notes.p, *end;

    for (; t->notes.n && (end = strchr(line, '\n')); line = end + 1)
        nf_warn("%.*s", (int)(end - line), line);
}

static void say_what_was_done(const struct tokenize_run *r, const struct nf_corpus *c)
{
    uint64_t specials = nf_encoder_specials(r->encoder);

    if (specials && !nf_common.quiet)
        nf_warn("names of special tokens in the text taken as these tokens: %" PRIu64 " (--special text: as text)", specials);
    if (c->bad && !nf_common.quiet)
        nf_warn("unusable JSON lines left out: %" PRIu64, c->bad);
    if (!nf_common.quiet)
        print_notes(r->t);
    if (nf_common.verbose)
        nf_warn("%" PRIu64 " documents, %" PRIu64 " windows, %" PRIu64 " tokens, %" PRIu64 " of them BOS, for %" PRIu64
                " bytes of text",
                r->sum.docs, r->sum.windows, r->sum.tokens, r->sum.bos, r->sum.bytes);
}

static int read_corpus(struct tokenize_run *r, char **path, size_t n, struct nf_err *err)
{
    static char *standard[] = { (char *)"-" };
    const struct tokenize_options *o = r->o;
    const struct nf_corpus_sink sink = { r, open_document, encode_text, close_document };
    struct nf_corpus c = { .split = o->field ? NF_SPLIT_JSONL : o->split,
                           .field = o->field,
                           .domain_field = o->domain_field,
                           .domain = o->domain,
                           .max_bad = o->max_bad,
                           .any_bytes = o->any_bytes,
                           .memory = o->memory };
    int rc = nf_corpus_read(&c, n ? path : standard, nf_max(n, 1), &sink, err);

    if (rc == NF_OK && check_not_empty(r, err) == NF_OK)
        close_output(r);
    nf_writer_abort(r->out);
    if (err->code == NF_OK)
        say_what_was_done(r, &c);
    return (int)err->code;
}

/* n operands; without one, standard input. */
static int tokenize(const struct tokenize_options *o, const struct nf_cmd *cmd, char **path, size_t n, struct nf_err *err)
{
    struct tokenize_run r = { .o = o };
    char *dir;

    if (n == 0 && isatty(STDIN_FILENO))
        return nf_fail(err, NF_EUSAGE, "standard input is a terminal: files or folders are expected; - for what is typed");
    dir = nf_model_dir(o->model, o->revision, err);
    r.t = dir ? nf_model_tokenizer(dir, err) : NULL;
    if (r.t && plan_tokens(&r, err) == NF_OK && open_tokens_output(&r, cmd, err) == NF_OK)
        read_corpus(&r, path, n, err);
    nf_encoder_close(r.encoder);
    nf_ids_clear(&r.ids);
    nf_pack_clear(&r.pack);
    nf_tokenizer_close(r.t);
    free(r.name);
    free(r.domain);
    free(dir);
    return (int)err->code;
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    struct tokenize_options o = { .memory = 512 << 20, .sample = 1 };
    const struct nf_opt opts[] = {
        OPT_MODEL(&o.model, &o.revision, "the model with the tokenizer: directory, GGUF file, or name in the Hub cache"),
        OPT_CHOICE("split", &o.split, "file|line|paragraph", "one document is a file, a line, or a paragraph"),
        OPT_FLAG("bytes", &o.any_bytes, "any bytes are text; default: other formats and NUL bytes are refused"),
        OPT_STR("jsonl", &o.field, "FIELD", "input is JSON lines; the text of a document is in FIELD, or A.B.C"),
        OPT_STR("jsonl-domain", &o.domain_field, "FIELD", "JSON lines: the domain of a document is in FIELD, or A.B.C"),
        OPT_UINT("max-bad", &o.max_bad, 0, 0, "N", "skip up to N invalid JSON lines"),
        OPT_SIZE("memory", &o.memory, 0, "limit for a JSON line and for a zstd window; 0: none", .local = true),
        OPT_STR("domain", &o.domain, "NAME", "domain of all documents; default: the name of their folder"),
        OPT_CHOICE("bos", &o.bos, "auto|always|never", "BOS before each window; auto: as the tokenizer of the model does"),
        OPT_EITHER("special", &o.special_as_text, "parse|text", "special tokens in the text: parse them, or keep them as text"),
        OPT_UINT("context", &o.context, 0, 1 << 20, "N", "tokens in a window with BOS; 0: positions of the model, up to 2048",
                 .letter = 'c'),
        OPT_FLAG("full-only", &o.full_only, "leave out windows shorter than --context"),
        OPT_UINT("limit", &o.limit, 0, 0, "TOKENS", "stop after this many tokens, BOS included; 0: no limit"),
        OPT_REAL("sample", &o.sample, 0, 1, "P", "keep each window with probability P"),
        OPT_UINT("seed", &o.seed, 0, 0, "N", "seed of --sample"),
        OPT_STR("shard", &o.shard, "K/N", "only every Nth document, starting with the Kth"),
        OPT_END,
    };
    const struct nf_cmd cmd = { "tokenize", "split text into the tokens of a model", "[FILE|DIR|-]...", "text", "tokens", opts };
    int first;

    nf_prog_start(cmd.name, argv);
    first = nf_opt_parse(&cmd, argc, argv, &err);
    if (first > 0 && check_tokenize_options(&o, &err) == NF_OK && nf_output_open(true, &err) == NF_OK)
        tokenize(&o, &cmd, argv + first, (size_t)(argc - first), &err);
    return nf_prog_end(&err);
}
