/*
 * corpus.h - files, directories and standard input as a sequence of documents, read in pieces: memory does not grow with a document.
 */
#ifndef NF_TOKEN_CORPUS_H
#define NF_TOKEN_CORPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * What one document is.  The line break after a line or paragraph, \n or \r\n, is not part of it; a paragraph ends at a line that is empty
 * or all spaces and tabs; an empty line is no document.
 */
enum nf_split { NF_SPLIT_FILE, NF_SPLIT_LINE, NF_SPLIT_PARAGRAPH, NF_SPLIT_JSONL };

struct nf_corpus {
    enum nf_split split;
    const char *field; /* NF_SPLIT_JSONL: the text is this member of each line's object; a path (jsonl.h) */
    const char *domain_field; /* NF_SPLIT_JSONL: the domain is that member; NULL: as below */
    const char *domain; /* of every document; NULL: the folder */
    uint64_t max_bad; /* NF_SPLIT_JSONL: this many unusable lines are left out */
    uint64_t bad; /* out: how many were */
    bool any_bytes; /* other formats, and NUL bytes, are taken for text */
    uint64_t memory; /* limit for a JSON line with its text, and for a zstd window; 0: none */
};

/*
 * Whoever takes the documents.  Each call returns NF_OK; NF_EOF to stop the reading, which then succeeds; or a failure.
 *
 *   begin  `name` is the path, with ":LINE" (from 1) where a file holds several documents; `domain`: see below.  Both escaped to UTF-8
 *   text   n > 0 bytes of the document; any number of times
 *   end    the document is whole
 */
struct nf_corpus_sink {
    void *self;
    int (*begin)(void *self, const char *name, const char *domain, struct nf_err *err);
    int (*text)(void *self, const unsigned char *p, size_t n, struct nf_err *err);
    int (*end)(void *self, struct nf_err *err);
};

/*
 * nf_corpus_read - all documents of `paths` in their order.
 *
 *   paths  files, directories, "-" for standard input.  A directory is read with all below it, sorted by the bytes of the names; names
 *          that begin with a dot are left out there
 *
 * The domain by folder: of a file, the name of its directory; of a file below a directory operand, the first level below the operand, or
 * the operand's own name for files in it directly; "text" where that names nothing (standard input, no directory in the path).
 *
 *   NF_ESYS     a file or directory cannot be read
 *   NF_EFORMAT  more than max_bad lines that are no JSON object with the fields as strings (file:line is named), a JSON line over
 *               memory / NF_JSONL_COPIES bytes, what is no text (text.h), a FIFO, socket or device below a directory operand
 */
enum { NF_JSONL_COPIES = 4 }; /* a line, its growing, its text and that text's growing */
int nf_corpus_read(struct nf_corpus *c, char *const *paths, size_t n, const struct nf_corpus_sink *sink, struct nf_err *err);

#endif
