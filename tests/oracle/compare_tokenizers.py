#!/usr/bin/env python3
"""Compare bin/tokenize with Hugging Face tokenizers on every Unicode character and on whole texts.

    compare_tokenizers.py SHARED      run from the repository root; SHARED: directory with data/tokenizers and data/text

Not part of the tests: it needs tokenizers, msgpack, msgpack-numpy and the data.  Prints one line a model and text; status 1 on any difference.

Every character is put before and after letters, digits, blanks and itself.  With NFC (GPT-NeoX) the order of combining marks newer than the
Unicode version of tokenizers' own tables (9) may differ; those are the only differences seen.
"""
import glob
import io
import subprocess
import sys

import msgpack
import msgpack_numpy
import numpy as np
from tokenizers import ByteLevelBPETokenizer, Tokenizer

PART = 1 << 15      # characters a text: tokenizers needs about 400 bytes of memory for each byte of text


def ours(model, text):
    run = subprocess.run(["bin/tokenize", "-q", "-u", "--bos", "never", "-c", "1048576", "-m", model, "-"], input=text.encode(),
                         stdout=subprocess.PIPE, check=True)
    records = msgpack.Unpacker(io.BytesIO(run.stdout), object_hook=msgpack_numpy.decode, raw=False, strict_map_key=False)
    return np.concatenate([r["ids"] for r in records if r.get("r") == "window"])


def theirs(model):
    if glob.glob(model + "/tokenizer.json"):
        return Tokenizer.from_file(model + "/tokenizer.json")
    t = ByteLevelBPETokenizer(model + "/vocab.json", model + "/merges.txt")
    t.add_special_tokens(["<|endoftext|>"])
    return t


def texts(shared):
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    for first in range(0, len(characters), PART):
        part = characters[first:first + PART]
        yield f"characters {first} ..", "".join(part)
        yield f"characters {first} .. among others", "".join(f"a{c}b {c}{c} 1{c}2\n" for c in part)
    for path in sorted(glob.glob(shared + "/data/text/*/*.txt")):
        yield path, open(path, encoding="utf8", newline="").read()


def main():
    shared, bad = sys.argv[1], 0
    for model in [shared + "/data/tokenizers/" + m for m in ("gpt2", "opt", "neox")] + ["pipelines/demo/model"]:
        reference = theirs(model)
        for name, text in texts(shared):
            want, got = np.array(reference.encode(text, add_special_tokens=False).ids), ours(model, text)
            n = min(len(want), len(got))
            differ = np.flatnonzero(want[:n] != got[:n])
            same = len(want) == len(got) and not len(differ)
            bad += not same
            print("same" if same else f"DIFFERENT in {len(differ)}, first at {differ[0] if len(differ) else n},", len(want), "ids", model, name, flush=True)
    return bad > 0


sys.exit(main())
