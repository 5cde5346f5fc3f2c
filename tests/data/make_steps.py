#!/usr/bin/env python3
"""Make steps.jsonl.zst and classes.jsonl.zst: random tokenizers with the ids that transformers gives.

    make_steps.py      run from anywhere

Each line of steps.jsonl: {"base": whose vocabulary, "flags": of its model, "tokenizer": the rest of tokenizer.json, "cases": [[text, ids], ..]}; ids
are those of tokenizers.  Each line of classes.jsonl: {"base", "two_files", "files": the others of the directory, "cases": [[text, ids, ids with BOS and
EOS], ..]}; ids are those of transformers' AutoTokenizer.  See random_tokenizers.py.  Needs transformers and zstandard; the tests need neither.
"""
import json
import os
import random
import tempfile

import zstandard
from tokenizers import Tokenizer
from transformers import AutoTokenizer

import random_tokenizers as rt


def make_steps(draw, count):
    for _ in range(count):
        name, flags, spec = rt.steps(draw)
        try:
            t = Tokenizer.from_str(json.dumps(rt.whole(name, flags, spec)))
        except Exception:   # a pattern that the engine does not take
            continue
        cases, names = [], [a["content"] for a in spec["added_tokens"]]
        for _ in range(6):
            text = rt.text(draw, names)
            try:
                cases.append([text, t.encode(text, add_special_tokens=False).ids])
            except BaseException:   # tokenizers panics on some
                continue
        yield {"base": name, "flags": flags, "tokenizer": spec, "cases": cases}


def make_classes(draw, count):
    with tempfile.TemporaryDirectory() as where:
        for _ in range(count):
            name, two_files, files = rt.classes(draw)
            rt.write_directory(where, name, two_files, files)
            texts = [rt.text(draw, rt.SPECIALS) for _ in range(4)] + ["  two"]
            try:
                t = AutoTokenizer.from_pretrained(where)
                cases = [[x, t(x, add_special_tokens=False).input_ids, t(x).input_ids] for x in texts]
            except Exception:   # one that transformers does not open, or that has no token for some text
                continue
            yield {"base": name, "two_files": two_files, "files": files, "cases": cases}


def write(name, lines):
    made = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    with open(os.path.join(rt.HERE, name), "wb") as f:
        f.write(zstandard.ZstdCompressor(level=19).compress(made.encode()))


def main():
    write("steps.jsonl.zst", make_steps(random.Random(1), 250))
    write("classes.jsonl.zst", make_classes(random.Random(2), 120))


if __name__ == "__main__":
    main()
