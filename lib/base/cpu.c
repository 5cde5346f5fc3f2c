/* cpu.c - instruction sets: what the processor has, what NF_ISA allows. */
#include "base/cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const isa_name[NF_ISA_COUNT] = { "baseline", "avx2", "avx512" };

const char *nf_isa_name(enum nf_isa isa)
{
    return isa_name[isa];
}

#ifdef __x86_64__
#include <cpuid.h>

/* Not every compiler's __builtin_cpu_supports() knows F16C. */
static bool probe_f16c(void)
{
    unsigned a, b, c = 0, d;

    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

static enum nf_isa probe_isa(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("popcnt") || !probe_f16c())
        return NF_ISA_BASELINE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return NF_ISA_AVX512;
    return NF_ISA_AVX2;
}

static bool probe_bf16(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bf16");
}
bool nf_cpu_amd(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_is("amd");
}
#else
bool nf_cpu_amd(void)
{
    return false;
}

static enum nf_isa probe_isa(void)
{
    return NF_ISA_BASELINE;
}

static bool probe_bf16(void)
{
    return false;
}
#endif

/* The set of that name; NF_ISA_COUNT: none has it. */
static enum nf_isa isa_named(const char *name)
{
    int isa = 0;

    while (isa < NF_ISA_COUNT && strcmp(name, isa_name[isa]) != 0)
        isa++;
    return (enum nf_isa)isa;
}

static enum nf_isa choose_isa(void)
{
    const char *name = getenv("NF_ISA");
    enum nf_isa have = probe_isa(), highest = name ? isa_named(name) : NF_ISA_COUNT;

    return highest < have ? highest : have;
}

enum nf_isa nf_cpu_isa(void)
{
    static atomic_int chosen;   /* 1 + the set; every thread finds the same one */
    int isa = atomic_load_explicit(&chosen, memory_order_relaxed);

    if (isa == 0) {
        isa = 1 + (int)choose_isa();
        atomic_store_explicit(&chosen, isa, memory_order_relaxed);
    }
    return (enum nf_isa)(isa - 1);
}

bool nf_cpu_bf16(void)
{
    return nf_cpu_isa() == NF_ISA_AVX512 && probe_bf16();
}

int nf_cpu_check(struct nf_err *err)
{
    const char *name = getenv("NF_ISA");
    enum nf_isa asked = name ? isa_named(name) : NF_ISA_BASELINE, have = probe_isa();

    if (asked == NF_ISA_COUNT)
        return nf_fail(err, NF_EUSAGE, "NF_ISA=%s: expected baseline, avx2 or avx512", name);
    if (asked > have)
        return nf_fail(err, NF_ESYS, "NF_ISA=%s: this processor has %s at most, which is used", name, isa_name[have]);
    return NF_OK;
}
