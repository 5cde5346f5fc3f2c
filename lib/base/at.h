/*
 * at.h - element i of an array at any address. Arrays in records need not be aligned.
 *
 * In the byte order of the machine, which is that of streams; the number in the name is the width in bytes.
 */
#ifndef NF_BASE_AT_H
#define NF_BASE_AT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NF_AT(name, type)                                            \
    static inline type name(const void *p, size_t i)                 \
    {                                                                \
        type v;                                                      \
                                                                     \
        memcpy(&v, (const char *)p + i * sizeof v, sizeof v);        \
        return v;                                                    \
    }

NF_AT(nf_u4_at, uint32_t)
NF_AT(nf_u8_at, uint64_t)
NF_AT(nf_f4_at, float)
NF_AT(nf_f8_at, double)

#undef NF_AT

#endif
