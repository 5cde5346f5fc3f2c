#!/usr/bin/env python3
"""Fixtures of tests/unit/test_torchfile.c: a state dict as torch.save() writes it, in both layouts, and pickles that must be refused.

    make_torchfile.py tests/data/torchfile

Needs torch.
"""
import collections
import os
import pickle
import sys

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


class Evil:
    def __reduce__(self):
        return os.system, ("echo pwned",)


torch.save({"a": a, "b": Evil()}, out + "/evil.bin")
with open(out + "/evil_legacy.bin", "wb") as f:
    pickle.dump(Evil(), f, protocol=2)
