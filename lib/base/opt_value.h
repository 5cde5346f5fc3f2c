/*
 * opt_value.h - the value of one option: from text, to text, to JSON.  Used by opt.c alone.
 */
#ifndef NF_BASE_OPT_VALUE_H
#define NF_BASE_OPT_VALUE_H

#include "base/opt.h"

/* nf_opt_set - the value as typed (NF_OPT_LIST: changed).  NF_EUSAGE: names option, text and range. */
int nf_opt_set(const struct nf_opt *o, char *text, struct nf_err *err);

/* nf_opt_print_default - " [10]" to stdout, where the option has a default that is worth showing. */
void nf_opt_print_default(const struct nf_opt *o);

json_t *nf_opt_value_json(const struct nf_opt *o);   /* new reference, or NULL (memory) */

#endif
