/* fuzz_torchfile.c - any bytes as a pytorch_model.bin: read or refused. */
#include <stddef.h>
#include <stdint.h>

#include "model/torchfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nf_map map = { data, size };
    struct nf_torchfile f;
    volatile unsigned char sum = 0;

    if (nf_torchfile_open(&map, "file", &f, NULL) != NF_OK)
        return 0;
    for (size_t i = 0; i < f.n; i++) {   /* every byte that a tensor claims can be read */
        size_t n = 0;

        nf_tensor_count(&f.tensor[i].t, &n);
        n *= nf_dtype_size(f.tensor[i].t.dtype);
        for (size_t k = 0; k < n; k++)
            sum = (unsigned char)(sum + ((const unsigned char *)f.tensor[i].t.data)[k]);
    }
    nf_torchfile_close(&f);
    return 0;
}
