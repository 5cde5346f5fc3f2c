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
#include "base/par.h"
#include "base/prog.h"
#include "base/rng.h"
#include "record/context.h"
#include "record/tokens.h"
#include "stream/writer.h"
#include "token/corpus.h"
#include "token/encoder.h"
#include "token/pack.h"
#include "token/tokenizer.h"

/* A document up to this size is held until its end, so that its record can state its size. */
enum { HOLD_BYTES = 256 << 10 };

/* Longest window when nobody says: the memory of a forward pass grows with it, and models of 131,072 positions are run on texts of some thousand. */
enum { CONTEXT = 2048 };

struct options {
    const char *model, *revision, *field, *domain_field, *domain, *shard;
    enum nf_split split;
    enum bos { BOS_AUTO, BOS_ALWAYS, BOS_NEVER } bos;
    bool special_as_text; /* --special */
    uint64_t max_bad, context, limit, seed;
    double sample;
    bool full_only;
    uint64_t shard_k, shard_n; /* K/N; N = 1: everything */
};

struct totals {
    uint64_t tokens, bos, windows, full, docs, bytes;
};

struct run {
    const struct options *o;
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

static void parse_shard(struct options *o)
{
    char *end = NULL, *stop = NULL;

    o->shard_k = o->shard_n = 1;
    if (!o->shard)
        return;
    o->shard_k = strtoull(o->shard, &end, 10);
    o->shard_n = *end == '/' ? strtoull(end + 1, &stop, 10) : 0;
    if (!stop || *stop || o->shard[0] < '0' || o->shard[0] > '9' || !o->shard_k || o->shard_k > o->shard_n || o->shard_n > 1000000)
        nf_die(NF_EXIT_USAGE, "--shard %s: K/N with K from 1 to N is wanted", o->shard);
}

static void check_options(struct options *o)
{
    if (!o->model)
        nf_die(NF_EXIT_USAGE, "-m MODEL is wanted: the model whose tokenizer to use");
    if (o->field && o->split != NF_SPLIT_FILE)
        nf_die(NF_EXIT_USAGE, "--jsonl excludes --split: each JSON line is one document");
    if (!o->field && (o->domain_field || o->max_bad))
        nf_die(NF_EXIT_USAGE, "--%s is for --jsonl", o->domain_field ? "jsonl-domain" : "max-bad");
    if (o->domain_field && o->domain)
        nf_die(NF_EXIT_USAGE, "--domain and --jsonl-domain exclude each other");
    parse_shard(o);
}

static int begin(void *self, const char *name, const char *domain, struct nf_err *err)
{
    struct run *r = self;

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

static void write_doc(struct run *r, bool whole)
{
    struct nf_doc d = {
        r->read - 1, r->name, r->domain, strlen(r->name), strlen(r->domain), whole ? r->bytes : NF_DOC_BYTES_UNKNOWN
    };

    nf_doc_write(r->out, &d);
    r->sum.docs++;
    r->written = true;
}

static void write_window(struct run *r, size_t T, bool whole)
{
    struct nf_window w = { r->read - 1, r->pack.windows - 1, r->pack.start, r->pack.bos, T, r->pack.ids, NULL, 0 };
    size_t n;

    if (!r->written)
        write_doc(r, whole);
    nf_window_write(r->out, &w);
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
static bool sampled(const struct run *r)
{
    struct nf_rng key = { r->o->seed };

    key.state = nf_rng_next(&key) ^ (r->read - 1);
    key.state = nf_rng_next(&key) ^ (r->pack.windows - 1);
    return nf_rng_unit(&key) < r->o->sample;
}

/* Put out the windows that r->ids holds.  NF_EOF: the limit is reached. */
static int write_windows(struct run *r, bool last, struct nf_err *err)
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
        rc = err->code < 0 ? (int)err->code : r->counted == limit ? NF_EOF : rc;
    }
    from += rc == NF_OK ? used : 0;
    r->ids.n -= nf_min(from, r->ids.n);
    memmove(r->ids.ids, r->ids.ids + from, r->ids.n * sizeof *r->ids.ids);
    return rc;
}

/* With a limit every shard looks at all documents, so that together they stop where one run would. */
static bool skipped(const struct run *r)
{
    return !r->mine && !r->o->limit;
}

/* What goes wrong in a document is said with its name. */
static int name_document(const struct run *r, int rc, const struct nf_err *own, struct nf_err *err)
{
    return rc < 0 ? nf_fail(err, own->code, "%s: %s", r->name, own->text) : rc;
}

static int text(void *self, const unsigned char *p, size_t n, struct nf_err *err)
{
    struct run *r = self;
    struct nf_err own = NF_ERR_INIT;

    r->bytes += n;
    if (skipped(r))
        return NF_OK;
    nf_progress(nf_common.quiet, "%" PRIu64 " documents, %" PRIu64 " tokens", r->read, r->counted);
    if (nf_encode(r->encoder, p, n, false, &r->ids, &own) < 0)
        return name_document(r, own.code, &own, err);
    return r->bytes > HOLD_BYTES ? write_windows(r, false, err) : NF_OK;
}

static int end(void *self, struct nf_err *err)
{
    struct run *r = self;
    struct nf_err own = NF_ERR_INIT;
    int rc;

    if (skipped(r))
        return NF_OK;
    rc = nf_encode(r->encoder, NULL, 0, true, &r->ids, &own);
    if (rc == NF_OK && r->o->bos == BOS_AUTO && (r->ids.n || r->pack.taken))   /* EOS, where the model's own tokenizer puts it */
        rc = nf_ids_add(&r->ids, r->t->after, r->t->n_after, &own);
    if (rc < 0)
        return name_document(r, own.code, &own, err);
    rc = write_windows(r, true, err);
    r->ids.n = 0;
    return rc;
}

static void plan(struct run *r, struct nf_err *err)
{
    const struct options *o = r->o;

    r->pack.context = o->context ? o->context : nf_min(r->t->context, CONTEXT);
    r->pack.full_only = o->full_only;
    r->pack.bos = o->bos == BOS_ALWAYS || (o->bos == BOS_AUTO && r->t->bos_auto);
    if (!r->pack.context)
        nf_die(NF_EXIT_USAGE, "--context N is wanted: no config.json in %s says how many positions the model has", o->model);
    if (r->pack.bos && r->t->bos_id < 0)
        nf_die(NF_EXIT_USAGE, "--bos always: no file in %s names a BOS token", o->model);
    if (r->pack.bos && (uint64_t)r->t->bos_id >= r->t->vocab.V)
        nf_die(NF_EXIT_INPUT, "%s: BOS has id %" PRId64 ", the vocabulary %zu tokens", o->model, r->t->bos_id, r->t->vocab.V);
    if (r->pack.context < 1 + (size_t)r->pack.bos)
        nf_die(NF_EXIT_USAGE, "--context %zu: no room for text after BOS", r->pack.context);
    r->pack.bos_id = r->pack.bos ? (uint32_t)r->t->bos_id : 0;
    r->encoder = nf_encoder_open(r->t, !o->special_as_text, err);
    if (!r->encoder || nf_pack_init(&r->pack, err) < 0)
        nf_die_err(err);
}

static json_t *make_header(const struct run *r, const struct nf_cmd *cmd, struct nf_err *err)
{
    json_t *header = nf_header_new("tokens", NULL, cmd, err);
    json_t *tokenizer = json_pack("{s:s, s:s, s:I, s:s, s:o, s:s, s:s}", "digest", r->t->digest, "type", nf_tokenizer_type(r->t),
                                  "vocab", (json_int_t)r->t->vocab.V, "bos", r->pack.bos ? "always" : "never", "bos_id",
                                  r->t->bos_id < 0 ? json_null() : json_integer(r->t->bos_id), "special",
                                  r->o->special_as_text ? "text" : "parse", "unicode", nf_regex_unicode());

    if (header && (json_object_set_new(header, "tokenizer", tokenizer) < 0 ||
                   json_object_set_new(header, "context", json_integer((json_int_t)r->pack.context)) < 0))
        nf_fail(err, NF_ESYS, "out of memory");
    return header;
}

static void open_output(struct run *r, const struct nf_cmd *cmd, struct nf_err *err)
{
    json_t *header = make_header(r, cmd, err);

    if (header && err->code == NF_OK)
        r->out = nf_writer_open(STDOUT_FILENO, header, nf_common.raw, err);
    json_decref(header);
    if (!r->out)
        nf_die_err(err);
    nf_vocab_write(r->out, &r->t->vocab);
}

/* An empty corpus is refused; a shard of a corpus that has documents may be empty. */
static void check_not_empty(const struct run *r)
{
    if (!r->read)
        nf_die(NF_EXIT_INPUT, "no documents: there is no text in the input");
    if (r->sum.windows || r->counted || r->o->shard_n > 1)
        return;
    nf_die(NF_EXIT_INPUT, "no windows: of %" PRIu64 " documents none has %s tokens%s", r->read, r->o->full_only ? "enough" : "any",
           r->o->sample < 1 ? " in the sample" : "");
}

static void close_output(struct run *r)
{
    const struct totals *s = &r->sum;
    json_t *totals =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "tokens", (json_int_t)s->tokens, "bos", (json_int_t)s->bos, "windows",
                  (json_int_t)s->windows, "full", (json_int_t)s->full, "docs", (json_int_t)s->docs, "bytes", (json_int_t)s->bytes);
    int rc = totals ? nf_writer_close(r->out, totals) : NF_ESYS;

    json_decref(totals);
    r->out = NULL;
    if (!totals)
        nf_die(NF_EXIT_SYS, "out of memory");
    (void)rc; /* the slot has it */
}

/* Where the tokenizer's files disagree, a line each. */
static void print_notes(const struct nf_tokenizer *t)
{
    const char *line = (const char *)t->notes.p, *end;

    for (; t->notes.n && (end = strchr(line, '\n')); line = end + 1)
        nf_warn("%.*s", (int)(end - line), line);
}

static void say_what_was_done(const struct run *r, const struct nf_corpus *c)
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

int main(int argc, char **argv)
{
    struct options o = { .sample = 1 };
    const struct nf_opt opts[] = {
        OPT_MODEL(&o.model, &o.revision, "the model with the tokenizer: a directory, or a name in the Hub cache"),
        OPT_CHOICE("split", &o.split, "file|line|paragraph", "one document is a file, a line, or a paragraph"),
        OPT_STR("jsonl", &o.field, "FIELD", "input is JSON lines; the text of a document is in FIELD"),
        OPT_STR("jsonl-domain", &o.domain_field, "FIELD", "JSON lines: the domain of a document is in FIELD"),
        OPT_UINT("max-bad", &o.max_bad, 0, 0, "N", "skip up to N invalid JSON lines"),
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
    struct nf_err err = NF_ERR_INIT;
    struct nf_corpus corpus = { 0 };
    struct run r = { .o = &o };
    const struct nf_corpus_sink sink = { &r, begin, text, end };
    char *standard[] = { (char *)"-" }, **paths = standard;
    size_t n_paths = 1;
    char *dir;
    int first;

    nf_prog_start(cmd.name, argv);
    if ((first = nf_opt_parse(&cmd, argc, argv, &err)) < 0)
        nf_die_err(&err);
    if (first < argc) {
        paths = argv + first;
        n_paths = (size_t)(argc - first);
    }
    check_options(&o);
    nf_prog_no_terminal(STDOUT_FILENO);
    corpus = (struct nf_corpus){ o.field ? NF_SPLIT_JSONL : o.split, o.field, o.domain_field, o.domain, o.max_bad, 0 };

    dir = nf_model_dir(o.model, o.revision, &err);
    r.t = dir ? nf_tokenizer_open(dir, &err) : NULL;
    if (!r.t)
        nf_die_err(&err);
    plan(&r, &err);
    open_output(&r, &cmd, &err);
    if (nf_corpus_read(&corpus, paths, n_paths, &sink, &err) == NF_OK) {
        check_not_empty(&r);
        close_output(&r);
    }
    if (err.code != NF_OK)
        nf_die_err(&err);
    say_what_was_done(&r, &corpus);

    nf_encoder_close(r.encoder);
    nf_ids_clear(&r.ids);
    nf_pack_clear(&r.pack);
    nf_tokenizer_close(r.t);
    free(r.name);
    free(r.domain);
    free(dir);
    return NF_EXIT_OK;
}
