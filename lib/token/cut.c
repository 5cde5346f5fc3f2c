/* cut.c - pieces by matches of a pattern. */
#include "token/cut.h"

#include <stdlib.h>

#include "base/par.h"
#include "token/convert.h"

int nf_cut_open(struct nf_cut *c, const struct nf_text_step *step, struct nf_err *err)
{
    *c = (struct nf_cut){ .step = step, .match = nf_regex_match_open(step->regex, err) };
    return c->match ? NF_OK : NF_ESYS;
}

void nf_cut_close(struct nf_cut *c)
{
    nf_regex_match_close(c->match);
    nf_bytes_clear(&c->valid);
}

void nf_cut_reset(struct nf_cut *c)
{
    *c = (struct nf_cut){ .step = c->step, .match = c->match, .valid = c->valid };
}

static size_t next_char(const unsigned char *p, size_t at, size_t n)
{
    do
        at++;
    while (at < n && (p[at] & 0xc0) == 0x80);
    return at;
}

/* A stretch of the sequence that is a match, or a gap between matches; it begins where the known ends. */
struct stretch {
    size_t end;
    bool match; /* before the step's `invert` */
    bool whole; /* a gap that is not may go on */
};

/*
 * Look for the next match, unless one is known.  An empty one where the last one ended does not count: the search goes on a character
 * later, as the engine's own iterator does.
 */
static int find_match(struct nf_cut *c, const unsigned char *p, size_t n, bool ends, bool valid, struct nf_err *err)
{
    const unsigned char *seen;
    size_t start, end;
    int rc;

    if (c->have)
        return NF_OK;
    seen = valid ? p : nf_valid_view(p, n, &c->valid, err);
    if (!seen)
        return NF_ESYS;
    while ((rc = nf_regex_find(c->step->regex, c->match, seen, n, c->search, ends, &start, &end, err)) == NF_OK) {
        if (start < end || !c->matched || c->matched_end != end) {
            c->found = start;
            c->found_end = end;
            c->have = true;
            return NF_OK;
        }
        if (c->search >= n)
            return NF_EOF;
        c->search = next_char(p, c->search, n);
    }
    if (rc == NF_EOF)
        c->search = nf_max(c->search, start);
    return rc;
}

/* The part that begins at c->end.  NF_EOF: none, or none that is certain. */
static int find_part(struct nf_cut *c, const unsigned char *p, size_t n, bool ends, bool valid, struct stretch *part,
                     struct nf_err *err)
{
    int rc = find_match(c, p, n, ends, valid, err);

    if (rc < 0)
        return rc;
    if (rc == NF_OK && c->found == c->end)
        *part = (struct stretch){ c->found_end, true, true };
    else if (rc == NF_OK)
        *part = (struct stretch){ c->found, false, true };
    else if (ends)
        *part = (struct stretch){ n, false, true };
    else
        *part = (struct stretch){ c->search, false, false };
    return rc == NF_OK || part->end > c->end ? NF_OK : NF_EOF;
}

/* Is there a cut between two neighbouring parts? */
static bool cuts_between(enum nf_cut_mode mode, bool before, bool after)
{
    switch (mode) {
    case NF_CUT_CONTIGUOUS:
        return before != after;
    case NF_CUT_PREVIOUS:
        return before || !after;
    case NF_CUT_NEXT:
        return !before || after;
    default:
        return true;
    }
}

/* The part joins the open piece, or begins one. */
static void add_part(struct nf_cut *c, const struct stretch *part)
{
    const enum nf_cut_mode mode = c->step->mode;

    c->open = true;
    c->kind = part->match != c->step->invert;
    c->end = part->end;
    c->gap = !part->match && !part->whole;
    if (part->match) {
        c->have = false;
        c->search = c->matched_end = part->end;
        c->matched = true;
    }
    c->whole = part->whole && (mode == NF_CUT_ISOLATED || mode == NF_CUT_REMOVED);
}

static void end_piece(struct nf_cut *c)
{
    c->at = c->end;
    c->open = c->whole = c->gap = c->begun = false;
}

/* The open piece as far as it is known.  False: nothing of it is to be given out. */
static bool offer_piece(struct nf_cut *c, struct nf_piece *piece)
{
    bool left_out = c->step->mode == NF_CUT_REMOVED && c->kind;

    *piece = (struct nf_piece){ c->at, c->end - c->at, c->whole };
    if (left_out) {
        c->dropped |= c->end > c->at;
        c->at = c->end;
    }
    if ((left_out || (!piece->n && !c->begun)) && c->whole)
        end_piece(c);
    return !left_out && (piece->n || (c->begun && piece->whole));
}

int nf_cut_next(struct nf_cut *c, const unsigned char *p, size_t n, bool ends, bool valid, struct nf_piece *piece,
                struct nf_err *err)
{
    struct stretch part;
    int rc = NF_OK;

    while (rc == NF_OK) {
        if (c->open && c->whole) {
            if (offer_piece(c, piece))
                return NF_OK;
            continue;
        }
        rc = find_part(c, p, n, ends, valid, &part, err);
        if (rc < 0)
            return rc;
        if (rc == NF_EOF && c->open && ends) {
            c->whole = true;
            rc = NF_OK;
        } else if (rc == NF_OK && c->open && !(c->gap && !part.match) &&
                   cuts_between(c->step->mode, c->kind, part.match != c->step->invert)) {
            c->whole = true;
        } else if (rc == NF_OK) {
            add_part(c, &part);
        }
    }
    if (!c->open || c->offered)
        return NF_EOF;
    c->offered = true;
    return offer_piece(c, piece) ? NF_OK : NF_EOF;
}

void nf_cut_took(struct nf_cut *c, size_t n)
{
    c->at += n;
    c->begun = true;
    if (c->whole)
        end_piece(c);
}

/* Characters before the place that the pattern may look at stay. */
size_t nf_cut_used(struct nf_cut *c, const unsigned char *p)
{
    size_t used = nf_min(c->at, c->search);

    for (size_t chars = nf_regex_behind(c->step->regex); chars && used; chars--)
        do
            used--;
        while (used && (p[used] & 0xc0) == 0x80);
    c->at -= used;
    c->end -= used;
    c->search -= used;
    c->matched = c->matched && c->matched_end >= used;
    c->matched_end -= c->matched ? used : 0;
    c->offered = false;
    return used;
}
