/* output.c - descriptor 1: standard output as it came, or the file of -o. */
#include "base/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/replace.h"

static struct nf_replace file = { -1, NULL, NULL };

static bool to_file(void)
{
    return nf_common.output && strcmp(nf_common.output, "-") != 0;
}

static int open_file(struct nf_err *err)
{
    if (nf_replace_open(&file, nf_common.output, err) < 0)
        return (int)err->code;
    if (file.fd == STDOUT_FILENO)   /* it was closed */
        return NF_OK;
    if (dup2(file.fd, STDOUT_FILENO) < 0) {
        nf_fail_errno(err, "%s", nf_common.output);
        nf_replace_abort(&file);
        return NF_ESYS;
    }
    close(file.fd);
    file.fd = STDOUT_FILENO;
    return NF_OK;
}

int nf_output_open(bool binary, struct nf_err *err)
{
    if (to_file())
        return open_file(err);
    if (binary && isatty(STDOUT_FILENO))
        return nf_fail(err, NF_EUSAGE,
                       "will not write a binary stream to a terminal: pipe it into stream-dump, or name a file with -o");
    return NF_OK;
}

const char *nf_output_name(void)
{
    return to_file() ? nf_common.output : "standard output";
}

static int flush_stdout(struct nf_err *err)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return NF_OK;
    if (err->code == NF_EFORMAT)
        *err = (struct nf_err)NF_ERR_INIT;
    if (errno)
        return nf_fail_errno(err, "%s", nf_output_name());
    return nf_fail(err, NF_ESYS, "%s: cannot be written", nf_output_name());
}

int nf_output_close(struct nf_err *err)
{
    flush_stdout(err);
    if (!file.tmp)
        return (int)err->code;
    if (err->code == NF_OK)
        return nf_replace_commit(&file, err);
    nf_replace_abort(&file);
    return (int)err->code;
}
