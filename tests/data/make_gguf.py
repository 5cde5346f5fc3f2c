#!/usr/bin/env python3
"""Fixtures of GGUF: tests/data/gguf/.

    make_gguf.py tests/data/gguf tests/fuzz/corpus/gguf

blocks.gguf: random blocks of every type, each with its elements as gguf-py widens them beside it (NAME.expected, F32), and metadata of every
type.  The corpus gets a block of every type, and a value of every type.  Needs gguf and numpy.
"""
import sys

import gguf
import numpy as np

out, corpus = sys.argv[1:]
random = np.random.default_rng(1)
Type = gguf.GGMLQuantizationType

# Where a block has its float16 scales.
HALVES = {Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.IQ4_NL: [0], Type.MXFP4: [],
          Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208], Type.IQ4_XS: [0]}


def random_blocks(kind, rows, blocks):
    """Any bytes, with scales that are finite: normal, subnormal, zero, of both signs."""
    size = gguf.GGML_QUANT_SIZES[kind][1]
    data = random.integers(0, 256, (rows * blocks, size), dtype=np.uint8)
    for at in HALVES[kind]:
        bits = random.integers(0, 0x7C00, rows * blocks, dtype=np.uint16) | (random.integers(0, 2, rows * blocks, dtype=np.uint16) << 15)
        bits[:3] = 0x8000, 1, 0x7BFF          # minus zero, the smallest, the largest
        data[:, at:at + 2] = bits.view(np.uint8).reshape(-1, 2)
    if kind == Type.MXFP4:
        data[:, 0] = np.minimum(data[:, 0], 252)
        data[:4, 0] = 0, 1, 2, 252
    return data.reshape(rows, blocks * size)


def add_values(w):
    w.add_uint8("test.u8", 250)
    w.add_int8("test.i8", -5)
    w.add_uint16("test.u16", 65000)
    w.add_int16("test.i16", -30000)
    w.add_uint32("test.u32", 4000000000)
    w.add_int32("test.i32", -2000000000)
    w.add_uint64("test.u64", 1 << 63)
    w.add_int64("test.i64", -(1 << 62))
    w.add_float32("test.f32", 1e-5)
    w.add_float64("test.f64", 1e-5)
    w.add_bool("test.bool", True)
    w.add_string("test.string", "na\u00efve")
    w.add_array("test.strings", ["a", "", "\u4e16\u754c"])
    w.add_array("test.numbers", [1, -2, 3])
    w.add_array("test.reals", [0.5, 500000.0, 0.1])


def finish(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def blocks(path):
    w = gguf.GGUFWriter(path, "blocks")
    add_values(w)
    for kind in HALVES:
        per, _ = gguf.GGML_QUANT_SIZES[kind]
        data = random_blocks(kind, 3, 512 // per if per == 256 else 3)
        w.add_tensor(kind.name, data, raw_dtype=kind)
        w.add_tensor(kind.name + ".expected", gguf.dequantize(data, kind))
    x = random.standard_normal((2, 5)).astype(np.float32)
    w.add_tensor("F16", x.astype(np.float16))
    w.add_tensor("F16.expected", x.astype(np.float16).astype(np.float32))
    w.add_tensor("BF16", gguf.quantize(x, Type.BF16), raw_dtype=Type.BF16)
    w.add_tensor("BF16.expected", gguf.dequantize(gguf.quantize(x, Type.BF16), Type.BF16))
    w.add_tensor("I32", np.arange(6, dtype=np.int32))
    finish(w)


def seeds(folder):
    w = gguf.GGUFWriter(folder + "/values", "values")
    add_values(w)
    finish(w)
    for kind in HALVES:
        w = gguf.GGUFWriter(folder + "/" + kind.name.lower(), "block")
        w.add_custom_alignment(64)
        w.add_tensor("a", random_blocks(kind, 4, 1), raw_dtype=kind)
        finish(w)


blocks(out + "/blocks.gguf")
seeds(corpus)
