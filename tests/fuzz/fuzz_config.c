/* fuzz_config.c - any bytes as config.json. */
#include <stddef.h>
#include <stdint.h>

#include "model/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_config cfg = { .family = NF_FAMILY_OPT };

    if (nf_config_parse((const char *)data, size, "fuzz", &cfg, &err) == NF_OK &&
        (cfg.K * cfg.H != cfg.D || !cfg.E || !cfg.L || !cfg.V))
        __builtin_trap();   /* accepted, and impossible */
    return 0;
}
