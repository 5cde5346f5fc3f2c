/* fuzz_gguf.c - any bytes as a GGUF file: refused, or every value has its JSON or a message, and every byte of a tensor can be read. */
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/gguf.h"
#include "tensor/dequant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile float sum;

static void read_tensor(const struct nf_tf_entry *e)
{
    size_t n = 0, step = nf_dtype_block(e->t.dtype);
    float y[NF_BLOCK_MAX];

    if (!e->weight)
        return;
    nf_tensor_count(&e->t, &n);
    for (size_t i = 0; i < n; i += step) {
        nf_tensor_f32(&e->t, i, step, y);
        sum = sum + y[0];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_gguf g;

    if (nf_gguf_parse(data, size, "input", &g, &err) < 0)
        return 0;
    for (size_t i = 0; i < g.n; i++)
        json_decref(nf_gguf_json(&g.value[i], "input", &err));
    for (size_t i = 0; i < g.tensors.n; i++)
        read_tensor(&g.tensors.entry[i]);
    nf_gguf_close(&g);
    return 0;
}
