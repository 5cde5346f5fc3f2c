/*
 * progress.h - how far a filter is: done of all, rate, time left, memory.
 *
 *   where                                  what
 *   standard error is a terminal           one status line, redrawn at most four times a second
 *   it is not (a log)                      a line every 30 s, so a short run writes none
 *   --progress json                        one JSON object a line instead, every second to a terminal, else every 30 s, and one at the end
 *   -q                                     nothing
 */
#ifndef NF_BASE_PROGRESS_H
#define NF_BASE_PROGRESS_H

#include <stdint.h>

struct nf_progress {
    uint64_t done;      /* units so far */
    const char *unit;   /* "tokens" */
    double share;       /* of the input that has been read, 0 to 1; 0: not known */
    const char *note;   /* "12 interventions"; NULL: nothing */
};

/* nf_progress - what is done now; cheap, to be called after every piece of work.  The clock starts with the first, of nothing done. */
void nf_progress(const struct nf_progress *p);

void nf_progress_pause(void);   /* clear the status line before another message */

/* nf_progress_end - clear the status line; JSON: the last state. */
void nf_progress_end(void);

double nf_share_read(void);   /* of standard input, where it is a regular file; else 0 */

#endif
