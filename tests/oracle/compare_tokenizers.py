#!/usr/bin/env python3
"""Compare bin/tokenize with transformers: every Unicode character, whole texts, and many random short texts and tokenizers.

    compare_tokenizers.py SHARED [ROUNDS]      run from the repository root; SHARED: directory with data/tokenizers and data/text;
                                               ROUNDS: random texts a tokenizer (4000), a tenth as many random tokenizers

Not part of the tests: it needs transformers, msgpack, msgpack-numpy and the data.  Prints one line a tokenizer and text; status 1 on any difference.

Every character is put before and after letters, digits, blanks and itself.  Random texts and tokenizers: tests/data/random_tokenizers.py.  The
differences that src/tokenize.md lists may be seen: characters newer than the Unicode version of PCRE2, marks newer than that of tokenizers' own tables.
"""
import glob
import io
import json
import os
import random
import subprocess
import sys
import tempfile

import msgpack
import msgpack_numpy
import numpy as np
from tokenizers import ByteLevelBPETokenizer, Tokenizer
from transformers import AutoTokenizer

sys.path.insert(0, "tests/data")
import random_tokenizers as rt  # noqa: E402

PART = 1 << 15      # characters a text: tokenizers needs about 400 bytes of memory for each byte of text


def windows(model, data, *options):
    run = subprocess.run(["bin/tokenize", "-q", "-u", "--bytes", "--bos", "never", "-c", "1048576", "-m", model, *options, "-"], input=data,
                         stdout=subprocess.PIPE, check=True)
    records = msgpack.Unpacker(io.BytesIO(run.stdout), object_hook=msgpack_numpy.decode, raw=False, strict_map_key=False)
    return [r for r in records if r.get("r") == "window"]


def ours(model, text):
    return np.concatenate([w["ids"] for w in windows(model, text.encode())])


class Theirs:
    """ids of a text, without what comes before and behind it"""

    def __init__(self, model):
        if glob.glob(model + "/config.json"):
            self.backend = AutoTokenizer.from_pretrained(model)
            self.ids = lambda text: self.backend(text, add_special_tokens=False).input_ids
            self.names = [t.content for t in self.backend.added_tokens_decoder.values()]
        else:
            self.backend = (Tokenizer.from_file(model + "/tokenizer.json") if glob.glob(model + "/tokenizer.json") else
                            ByteLevelBPETokenizer(model + "/vocab.json", model + "/merges.txt"))
            self.ids = lambda text: self.backend.encode(text, add_special_tokens=False).ids
            self.names = [t.content for t in getattr(self.backend, "get_added_tokens_decoder", dict)().values()]
        self.vocab = list(self.backend.get_vocab())


def random_texts(reference, rounds):
    draw = random.Random(5)
    for _ in range(rounds):
        yield rt.text(draw, reference.names) + (draw.choice(reference.vocab) if draw.random() < .5 else "")


def compare_random(name, model, reference, rounds):
    """Different documents of one run, each cut into tokens on its own."""
    documents = list(random_texts(reference, rounds))
    data = "".join(json.dumps({"text": t}) + "\n" for t in documents).encode()
    got = {w["doc"]: w["ids"].tolist() for w in windows(model, data, "--jsonl", "text")}
    bad = [(t, ids, got.get(i, [])) for i, (t, ids) in enumerate(zip(documents, (reference.ids(t) for t in documents)))
           if ids != got.get(i, [])]
    print(f"DIFFERENT in {len(bad)}, first {bad[0]!r}," if bad else "same", len(documents), "random texts", name, flush=True)
    return len(bad) > 0


def random_directories(directory, count):
    """Random tokenizers, then directories whose files disagree"""
    draw = random.Random(6)
    for i in range(count):
        if i % 2:
            name, two_files, files = rt.classes(draw)
            rt.write_directory(directory, name, two_files, files)
        else:
            spec = rt.steps(draw)
            rt.write_directory(directory, spec[0], False, {})
            os.unlink(directory + "/tokenizer.json")
            with open(directory + "/tokenizer.json", "w", encoding="utf8") as f:
                json.dump(rt.whole(*spec), f)
        try:
            yield f"random {i}", Theirs(directory)
        except Exception:   # one that transformers does not open
            continue


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
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 4000
    models = [shared + "/data/tokenizers/" + m for m in ("gpt2", "opt", "neox")] + [shared + "/data/models/stories260K-hf", "pipelines/demo/model"]
    for model in models + sorted(glob.glob("tests/data/tokenizers/*")):
        reference = Theirs(model)
        bad += compare_random(model, model, reference, rounds)
        for name, text in texts(shared):
            want, got = np.array(reference.ids(text)), ours(model, text)
            n = min(len(want), len(got))
            differ = np.flatnonzero(want[:n] != got[:n])
            same = len(want) == len(got) and not len(differ)
            bad += not same
            print("same" if same else f"DIFFERENT in {len(differ)}, first at {differ[0] if len(differ) else n},", len(want), "ids", model, name, flush=True)
    with tempfile.TemporaryDirectory() as directory:
        for name, reference in random_directories(directory, rounds // 10):
            try:
                bad += compare_random(name, directory, reference, 40)
            except subprocess.CalledProcessError as e:   # refused by name
                print("skipped", name, type(e).__name__, flush=True)
    return bad > 0


sys.exit(main())
