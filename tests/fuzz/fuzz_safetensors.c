/* fuzz_safetensors.c - any bytes as a safetensors file: refused, or every byte that a tensor claims can be read. */
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/safetensors.h"
#include "checkpoint/tensorfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_tf st = { 0 };
    volatile unsigned char sum = 0;

    if (nf_st_parse(data, size, "input", &st, &err) == NF_OK)
        for (size_t i = 0; i < st.n; i++) {
            const struct nf_tf_entry *e = &st.entry[i];
            size_t n = 0;

            if (!e->weight)
                continue;
            nf_tensor_count(&e->t, &n);
            n *= nf_dtype_size(e->t.dtype);
            for (size_t k = 0; k < n; k++)
                sum = (unsigned char)(sum + ((const unsigned char *)e->t.data)[k]);
        }
    nf_tf_close(&st);
    return 0;
}
