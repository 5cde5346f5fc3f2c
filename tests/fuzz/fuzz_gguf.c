/*
 * fuzz_gguf.c - any bytes as a GGUF file: refused, or every value has its JSON or a message, every byte of a tensor can be read, and there is a
 * configuration or a message.
 */
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>

#include "checkpoint/gguf_arch.h"
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

static void read_config(struct nf_gguf *g)
{
    char path[] = "input";
    struct nf_gguf_model m = { .path = path, .part = g, .n = 1 };
    struct nf_err err = NF_ERR_INIT;
    const struct nf_gguf_value *v = nf_gguf_find(g, "general.architecture");
    json_t *arch = v && v->type == NF_GGUF_STRING ? nf_gguf_json(v, m.path, &err) : NULL;

    snprintf(m.arch, sizeof m.arch, "%s", arch ? json_string_value(arch) : "");
    json_decref(arch);
    json_decref(nf_gguf_config(&m, &(struct nf_err)NF_ERR_INIT));
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
    read_config(&g);
    nf_gguf_close(&g);
    return 0;
}
