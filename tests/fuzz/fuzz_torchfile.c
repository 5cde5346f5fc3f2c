/* fuzz_torchfile.c - any bytes as a pytorch_model.bin: read or refused. */
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/torchfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nf_tf f;
    volatile unsigned char sum = 0;

    if (nf_torch_parse(data, size, "file", &f, NULL) != NF_OK)
        return 0;
    for (size_t i = 0; i < f.n; i++) {   /* every byte that a tensor claims can be read */
        const unsigned char *p = f.entry[i].t.data;

        for (size_t k = 0; k < f.entry[i].bytes; k++)
            sum = (unsigned char)(sum + p[k]);
    }
    nf_tf_close(&f);
    return 0;
}
