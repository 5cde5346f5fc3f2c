/*
 * output.h - where a filter writes: standard output, or the file of -o.
 *
 * The file of -o takes the place of descriptor 1, so streams and printf() go there without knowing.  It gets its name when the filter has
 * succeeded: replace.h.
 */
#ifndef NF_BASE_OUTPUT_H
#define NF_BASE_OUTPUT_H

#include <stdbool.h>

#include "base/err.h"

/*
 * nf_output_open - before the input is read: a wrong -o is known before hours of work.
 *
 *   binary  what will be written is not for a terminal
 *
 * NF_EUSAGE  binary, and standard output is a terminal; -o names something that is no regular file
 * NF_ESYS    nf_replace_open()
 */
int nf_output_open(bool binary, struct nf_err *err);

const char *nf_output_name(void);   /* for messages: "standard output", or the file; borrowed */

/*
 * nf_output_close - flush stdout; then the file of -o gets its name, or is removed when the slot holds a failure.  Called by nf_prog_end().
 * NF_ESYS: some of the output could not be written.  This replaces bad input (NF_EFORMAT) in the slot: what was printed of it is not whole.
 */
int nf_output_close(struct nf_err *err);

#endif
