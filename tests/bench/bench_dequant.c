/*
 * bench_dequant.c - how fast one core widens the types of checkpoints to float32, in GB of float32 written per second of processor time.
 *
 *   bench_dequant [ROUNDS]
 *
 * Blocks and rows are read and written again and again in memory that a core's cache holds, as they are when weights are packed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/prog.h"
#include "die.h"
#include "tensor/tensor.h"

enum { ELEMENTS = 1 << 16, REPEAT = 256 };

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double best_rate(enum nf_dtype t, const void *x, float *y, size_t rounds)
{
    double best = 0;

    for (size_t r = 0; r < rounds; r++) {
        double start = seconds(), rate;

        for (size_t i = 0; i < REPEAT; i++)
            nf_to_f32(t, x, ELEMENTS, y);
        rate = (double)REPEAT * ELEMENTS * sizeof *y / (seconds() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    const enum nf_dtype types[] = { NF_F16,  NF_BF16, NF_Q8_0, NF_Q4_0, NF_Q4_1,   NF_Q5_0,   NF_Q5_1, NF_Q2_K,
                                    NF_Q3_K, NF_Q4_K, NF_Q5_K, NF_Q6_K, NF_IQ4_NL, NF_IQ4_XS, NF_MXFP4 };
    size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 5;
    unsigned char *x;
    float *y;

    nf_prog_start("bench_dequant", argv);
    x = nf_alloc(ELEMENTS, sizeof *y, &err);
    y = nf_alloc(ELEMENTS, sizeof *y, &err);
    if (!x || !y)
        nf_die_err(&err);
    for (size_t i = 0; i < ELEMENTS * sizeof *y; i++)
        x[i] = (unsigned char)(i * 2654435761u >> 24 & 0x7b); /* any bits; no half of them is NaN */
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        double rate = best_rate(types[i], x, y, rounds);

        printf("%-7s %5.2f GB/s written, %5.2f GB/s read\n", nf_dtype_name(types[i]), rate / 1e9,
               rate / 1e9 * (double)nf_dtype_bytes(types[i], ELEMENTS) / (ELEMENTS * sizeof *y));
    }
    free(x);
    free(y);
    return NF_EXIT_OK;
}
