#!/usr/bin/env python3
"""tests/data/opt-bin and opt-bin-shards: the weights of tests/data/opt-preln as pytorch_model.bin, in one legacy file and in two zip shards.

    make_opt_bin.py tests/data

Some names as the first OPT checkpoints on the Hub had them: prefix "decoder.", a stale "decoder.version", no lm_head.  Needs torch, safetensors.
"""
import json
import os
import shutil
import sys

import torch
from safetensors.torch import load_file

root = sys.argv[1]
state = load_file(root + "/opt-preln/model.safetensors")
state = {k.removeprefix("model."): v for k, v in state.items() if k != "lm_head.weight"}
for d in ("opt-bin", "opt-bin-shards"):
    os.makedirs(root + "/" + d, exist_ok=True)
    shutil.copy(root + "/opt-preln/config.json", root + "/" + d)

old = {"decoder.version": torch.tensor([3.0])} | state
torch.save(old, root + "/opt-bin/pytorch_model.bin", _use_new_zipfile_serialization=False)

names = sorted(state)
shards = [names[: len(names) // 2], names[len(names) // 2 :]]
files = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
for part, file in zip(shards, files):
    torch.save({k: state[k].clone() for k in part}, root + "/opt-bin-shards/" + file)
index = {"metadata": {}, "weight_map": {k: f for part, f in zip(shards, files) for k in part}}
with open(root + "/opt-bin-shards/pytorch_model.bin.index.json", "w") as f:
    json.dump(index, f, indent=1, sort_keys=True)
