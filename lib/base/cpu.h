/*
 * cpu.h - the one place that asks what this processor can do.
 *
 * Vector code is compiled for each instruction set below (base/each_isa.h) and chosen when the program runs, by nf_cpu_isa().  The
 * environment variable NF_ISA names the highest set that may be used: baseline, avx2 or avx512.
 */
#ifndef NF_BASE_CPU_H
#define NF_BASE_CPU_H

#include <stdbool.h>

#include "base/err.h"

enum nf_isa {
    NF_ISA_BASELINE,   /* what the compiler takes for granted: any processor */
    NF_ISA_AVX2,       /* AVX2, FMA, F16C and POPCNT: Intel from 2013 on, AMD from 2015 on */
    NF_ISA_AVX512,     /* AVX-512 F, BW, DQ and VL beside them: Intel servers from 2017 on, AMD from Zen 4 on */
    NF_ISA_COUNT,
};

/* nf_cpu_isa - the highest set that this processor has and NF_ISA allows. */
enum nf_isa nf_cpu_isa(void);

/* nf_cpu_bf16 - it also multiplies bfloat16 (AVX512_BF16), and NF_ISA allows AVX-512. */
bool nf_cpu_bf16(void);

bool nf_cpu_amd(void);   /* made by AMD */

const char *nf_isa_name(enum nf_isa isa);   /* as NF_ISA spells it */

/*
 * nf_cpu_check - is NF_ISA well spelled, and does the processor have it?
 *
 * NF_EUSAGE: no such set.  NF_ESYS: the processor does not have it; nf_cpu_isa() goes on with what it has.
 */
int nf_cpu_check(struct nf_err *err);

#endif
