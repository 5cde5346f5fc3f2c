/*
 * gemm_rate.c - GFLOP/s of the machine's matrix product, float32.
 *
 *   gemm_rate K N
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/prog.h"
#include "die.h"
#include "tensor/speed.h"

int main(int argc, char **argv)
{
    struct nf_err err = NF_ERR_INIT;
    double rate;

    nf_prog_start("gemm_rate", argv);
    if (argc != 3)
        nf_die(NF_EXIT_USAGE, "usage: gemm_rate K N");
    rate = nf_speed_gemm(NF_F32, strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10), &err);
    if (rate <= 0)
        nf_die_err(&err);
    printf("%.1f\n", rate / 1e9);
    return NF_EXIT_OK;
}
