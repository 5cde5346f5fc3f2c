/*
 * histogram.h - counts of real values in log-spaced bins, exactly mergeable, and quantiles from them.
 *
 * Bin 0 holds |x| < 2^-24.  Above, every octave [2^e, 2^(e+1)) is cut into 16 bins of equal width, read off the bits of the float:
 * bin i > 0 holds [edge(i), edge(i + 1)), bin -i the same with a minus sign, where, with j = i - 1,
 *
 *   edge(i) = 2^(j / 16 - 24) * (1 + j % 16 / 16)       (integer division)
 *
 * up to |x| < 2^31: i <= 880. The width of a bin is at most 1/16 of its lower edge. A quantile is
 * reported as the middle of its bin. So it is within 1/32 (3.125 %) of the order statistic, or
 * within 2^-24 where that lies in bin 0.
 *
 * An octave is allocated when the first value falls into it: 64 bytes for each unit and octave, at
 * most 110 octaves.
 */
#ifndef NF_NUMERIC_HISTOGRAM_H
#define NF_NUMERIC_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    NF_BINS_AN_OCTAVE = 16,
    NF_OCTAVES = 24 + 31,
    NF_BIN_MAX = NF_OCTAVES * NF_BINS_AN_OCTAVE,   /* bins -880 .. 880 */
};

struct nf_histogram {
    size_t W;
    uint64_t *zero;                              /* [W] bin 0 */
    uint32_t *octave;                            /* [W][2 * NF_OCTAVES] index into block + 1, 0: none; negative octaves last */
    uint32_t (*block)[NF_BINS_AN_OCTAVE];
    size_t blocks, cap;
};

int nf_histogram_open(struct nf_histogram *h, size_t W, struct nf_err *err);
void nf_histogram_close(struct nf_histogram *h);   /* accepts a zeroed struct */

/*
 * nf_histogram_bin - the bin of x, |x| < 2^31, not NaN.
 * nf_histogram_edge - the lower edge of |x| in bin i, 1 <= i <= NF_BIN_MAX + 1.
 */
int nf_histogram_bin(float x);
double nf_histogram_edge(int i);

/* nf_histogram_add - n values in one bin of one unit. */
int nf_histogram_add(struct nf_histogram *h, size_t unit, int bin, uint32_t n, struct nf_err *err);

uint64_t nf_histogram_count(const struct nf_histogram *h, size_t unit, int bin);

/*
 * nf_histogram_quantiles - of one unit: the order statistic of rank max(1, ceil(q n)), by the middle of its bin, moved into
 * [min, max].
 *
 *   level  [k]  in   q, 0 .. 1, ascending
 *   value  [k]  out  NaN when the unit has no values
 */
void nf_histogram_quantiles(const struct nf_histogram *h, size_t unit, double min, double max, const double *level, size_t k,
                            double *value);

#endif
