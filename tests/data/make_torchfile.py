#!/usr/bin/env python3
"""Fixtures of tests/unit/test_torchfile.c: a state dict as torch.save() writes it, in both layouts, and pickles that must be refused.

    make_torchfile.py tests/data/torchfile

Needs torch and NumPy.
"""
import argparse
import collections
import os
import pathlib
import pickle
import sys

import numpy as np
import torch

out = sys.argv[1]
a = torch.arange(12, dtype=torch.float32).reshape(3, 4)
state = collections.OrderedDict(
    a=a,
    transposed=a.t(),                      # strides (1, 4): stored elsewhere than in C order
    tail=a[1:],                            # a view with an offset into the storage of a
    half=torch.tensor([1.0, -2.5], dtype=torch.float16),
    bf16=torch.tensor([1.0, -2.5], dtype=torch.bfloat16),
    mask=torch.ones(2, 2, dtype=torch.bool),
    steps=torch.tensor(7),
    parameter=torch.nn.Parameter(torch.full((2,), 3.0)),
)
state._metadata = {"": {"version": 1}}
torch.save(state, out + "/zip.bin")
torch.save(state, out + "/legacy.bin", _use_new_zipfile_serialization=False)
torch.save({"state_dict": dict(state), "epoch": 3, "lr": 0.5}, out + "/wrapped.bin", pickle_protocol=4)

# What may lie beside weights: no tensor, or none of a type that weights have; and a tensor with an attribute of its own.
noted = torch.nn.Parameter(torch.full((2,), 4.0))
noted.note = "a note"
state = collections.OrderedDict(
    a=a, epoch=3, lr=0.5, big=2**70, none=None, name="x", bytes=b"x", list=[1, [2]], nested={"a": {"b": (1, 2)}}, set={1, 2}, frozen=frozenset([3]),
    array=bytearray(b"abc"), complex=1 + 2j, counter=collections.Counter("aab"), dtype=torch.float32, size=torch.Size([2, 3]),
    device=torch.device("cpu"), number=np.float64(0.5), numbers=np.arange(3), args=argparse.Namespace(lr=0.1, layers=[1, 2]),
    path=pathlib.PosixPath("/tmp/x"), waves=torch.ones(2, dtype=torch.complex64), eighth=torch.ones(3).to(torch.float8_e4m3fn), noted=noted, last=a[2])
torch.save(state, out + "/objects.bin")
torch.save({k: v for k, v in state.items() if k != "eighth"}, out + "/objects_legacy.bin", _use_new_zipfile_serialization=False)
torch.save(dict(state), out + "/objects_4.bin", pickle_protocol=4)


class Evil:
    def __reduce__(self):
        return os.system, ("echo pwned",)


torch.save({"a": a, "b": Evil()}, out + "/evil.bin")
with open(out + "/evil_legacy.bin", "wb") as f:
    pickle.dump(Evil(), f, protocol=2)
