/* fuzz_config.c - any bytes as config.json. */
#include <stddef.h>
#include <stdint.h>

#include "checkpoint/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_config cfg = { 0 };

    if (nf_config_parse((const char *)data, size, "fuzz", &cfg, &err) == NF_OK &&
        (!cfg.K || !cfg.G || cfg.H % cfg.G || !cfg.D || !cfg.F || !cfg.E || !cfg.L || !cfg.V || cfg.L > NF_LAYERS_MAX ||
         (cfg.positions == NF_POS_ROTARY && (cfg.rope.R < 2 || cfg.rope.R > cfg.K || cfg.rope.R % 2))))
        __builtin_trap();   /* accepted, and impossible */
    return 0;
}
