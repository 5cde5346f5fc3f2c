#!/usr/bin/env python3
"""Fixtures of GGUF: tests/data/gguf/.

    make_gguf.py LLAMA_CPP      run from the root of the repository

LLAMA_CPP is a folder with the sources of llama.cpp; those in vendor/ of the source package llama-cpp-python of PyPI will do.

NAME.gguf is what llama.cpp's own converter makes of tests/data/NAME, without a tokenizer.  NAME-qkv.gguf: with --fuse-qkv.  parts-..: cut.

blocks.gguf: random blocks of every type, each with its elements as gguf-py widens them beside it (NAME.expected, F32), and metadata of every
type.  The corpus of the fuzz target gets a block of every type, and a value of every type.

Needs numpy, torch, safetensors, transformers; gguf is that of LLAMA_CPP.
"""
import json
import logging
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import safetensors.torch
import torch

sys.path[:0] = [sys.argv[1], sys.argv[1] + "/gguf-py"]
import gguf                                                                    # noqa: E402
from conversion import get_model_class                                         # noqa: E402
from conversion.base import ModelBase, ModelType, get_model_architecture       # noqa: E402

out, corpus = "tests/data/gguf", "tests/fuzz/corpus/gguf"
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


def load_tensors(folder):
    """The checkpoint in any of the layouts of tests/data."""
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors.update(safetensors.torch.load_file(path))
    for path in sorted(folder.glob("*.bin")):
        tensors.update(torch.load(path, weights_only=True))
    return tensors


def clean_copy(folder, to):
    """As published checkpoints of the family are: without buffers, and with the names of keys that the converter knows."""
    config = json.loads((folder / "config.json").read_text())
    rope = config.get("rope_parameters") or {}
    if config["model_type"] == "gpt_neox":
        config.setdefault("rotary_pct", rope.get("partial_rotary_factor", config.get("partial_rotary_factor", 0.25)))
    if config["model_type"] == "gpt2":
        config.setdefault("n_ctx", config["n_positions"])
        config.setdefault("layer_norm_epsilon", 1e-5)
    (to / "config.json").write_text(json.dumps(config))
    stale = (".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq")
    tensors = {k: v.clone() for k, v in load_tensors(folder).items() if not k.endswith(stale)}
    if config.get("tie_word_embeddings", True):
        tensors.pop("lm_head.weight", None)
    safetensors.torch.save_file(tensors, to / "model.safetensors")
    return config, tensors


def convert(name, suffix="", **more):
    """tests/data/NAME by llama.cpp's converter, in the type of its embedding."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        config, tensors = clean_copy(pathlib.Path("tests/data") / name, folder)
        types = {t.dtype for t in tensors.values() if t.ndim == 2}
        kind = gguf.LlamaFileType.ALL_F32
        if types == {torch.bfloat16}:
            kind = gguf.LlamaFileType.MOSTLY_BF16
        if types == {torch.float16}:
            kind = gguf.LlamaFileType.MOSTLY_F16
        cls = get_model_class(get_model_architecture(ModelBase.load_hparams(folder, False), ModelType.TEXT))

        class Bare(cls):
            model_arch = cls.model_arch

            def set_gguf_parameters(self):
                self.hparams = {**config, **self.hparams}   # keys that this version of transformers leaves out
                super().set_gguf_parameters()
                # what the converter takes for granted, since all published models of the family have it
                if cls.model_arch == gguf.MODEL_ARCH.PHI2:
                    self.gguf_writer.add_feed_forward_length(config["intermediate_size"])
                if cls.model_arch == gguf.MODEL_ARCH.GPTNEOX:
                    self.gguf_writer.add_rope_freq_base((config.get("rope_parameters") or {}).get("rope_theta", 10000))

            def set_vocab(self):
                self.gguf_writer.add_tokenizer_model("none")
                if config.get("bos_token_id") is not None:
                    self.gguf_writer.add_bos_token_id(config["bos_token_id"])

        with torch.inference_mode():
            Bare(folder, kind, pathlib.Path(out) / (name + suffix + ".gguf"), eager=True, model_name=name, **more).write()


logging.disable(logging.CRITICAL)
blocks(out + "/blocks.gguf")
seeds(corpus)
for model in sys.argv[2:] or ("gpt2-plain", "gpt-neox-parallel", "gpt-neox-sequential", "llama-bias", "llama-linear", "llama-rope3", "phi-half",
                              "qwen2-tied", "qwen3-tied"):
    convert(model)
for model in ("llama-linear", "llama-rope3", "qwen3-tied"):
    shutil.copy(out + "/" + model + ".gguf", corpus + "/" + model)
convert("llama-bias", "-qkv", fuse_qkv=True)
convert("qwen2-tied", "-qkv", fuse_qkv=True)
convert("llama-rope3", "-parts", split_max_tensors=8)
