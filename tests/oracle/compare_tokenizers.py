#!/usr/bin/env python3
"""Compare bin/tokenize with Hugging Face tokenizers: every Unicode character, whole texts, and many random short texts.

    compare_tokenizers.py SHARED [ROUNDS]      run from the repository root; SHARED: directory with data/tokenizers and data/text;
                                               ROUNDS: random texts a tokenizer (4000)

Not part of the tests: it needs tokenizers, msgpack, msgpack-numpy and the data.  Prints one line a tokenizer and text; status 1 on any difference.

Every character is put before and after letters, digits, blanks and itself.  Random texts are made of what tokenizers trip over: blanks of all
kinds, marks, names of added tokens and parts of them, tokens of the vocabulary; they also go through every combination of how a BPE of
characters can treat blanks and unknown characters.  With NFC (GPT-NeoX, Qwen) the order of combining marks newer than
the Unicode version of tokenizers' own tables (9) may differ; those are the only differences seen.
"""
import glob
import io
import itertools
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

PART = 1 << 15      # characters a text: tokenizers needs about 400 bytes of memory for each byte of text


def windows(model, data, *options):
    run = subprocess.run(["bin/tokenize", "-q", "-u", "--bos", "never", "-c", "1048576", "-m", model, *options, "-"], input=data,
                         stdout=subprocess.PIPE, check=True)
    records = msgpack.Unpacker(io.BytesIO(run.stdout), object_hook=msgpack_numpy.decode, raw=False, strict_map_key=False)
    return [r for r in records if r.get("r") == "window"]


def ours(model, text):
    return np.concatenate([w["ids"] for w in windows(model, text.encode())])


def theirs(model):
    if glob.glob(model + "/tokenizer.json"):
        return Tokenizer.from_file(model + "/tokenizer.json")
    t = ByteLevelBPETokenizer(model + "/vocab.json", model + "/merges.txt")
    t.add_special_tokens(["<|endoftext|>"])
    return t


def random_texts(reference, rounds):
    vocab = list(reference.get_vocab())
    names = [t.content for t in reference.get_added_tokens_decoder().values()]
    bits = [" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u2003", "\u2581", "a", "the", "'s", "'LL", "'\u017f", "1", "234", "x", "\u00e9", "e\u0301", "\u0301", "\u2603",
            "\u4e16", "\U0001F9D1", "\u200d", "\ud55c", "\u1112\u1161", "<", ">", "|", ".", "...", "!", "\0", "<0x0A>", "    ", "of x", "[INST]"]
    draw = random.Random(5)
    for _ in range(rounds):
        parts = []
        for _ in range(draw.randrange(1, 24)):
            kind = draw.randrange(8)
            name = draw.choice(names)
            parts.append(draw.choice(vocab) if kind == 0 else name if kind == 1 else name[:draw.randrange(len(name))] if kind == 2 else draw.choice(bits))
        yield "".join(parts)


def compare_random(name, model, reference, rounds):
    """Different documents of one run, each cut into tokens on its own."""
    documents = list(random_texts(reference, rounds))
    data = "".join(json.dumps({"text": t}) + "\n" for t in documents).encode()
    got = {w["doc"]: w["ids"].tolist() for w in windows(model, data, "--jsonl", "text")}
    bad = [(t, ids, got.get(i, [])) for i, (t, ids) in enumerate(zip(documents, (reference.encode(t, add_special_tokens=False).ids for t in documents)))
           if ids != got.get(i, [])]
    print(f"DIFFERENT in {len(bad)}, first {bad[0]!r}," if bad else "same", len(documents), "random texts", name, flush=True)
    return len(bad) > 0


def variants(directory):
    """tests/data/tokenizers/llama2 with other components: the name of each, a directory with it"""
    base = json.load(open("tests/data/tokenizers/llama2/tokenizer.json", encoding="utf8"))
    bytes_too = base["model"]["vocab"]
    plain = {t: i for i, t in enumerate(t for t in sorted(bytes_too, key=bytes_too.get) if not t.startswith("<0x"))}
    metaspace = [{"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": p, "split": s} for p in ("always", "first", "never") for s in (True, False)]
    for normalizer, pre, (fallback, fuse) in itertools.product((None, base["normalizer"]["normalizers"][1], base["normalizer"]), (None, *metaspace),
                                                               ((True, True), (False, True), (False, False))):
        if not normalizer and not pre:
            continue
        vocab, added = bytes_too if fallback else plain, list(base["added_tokens"])
        for content, normalized in ("[INST]", True), ("of x", True), ("  ", False), ("\u2581\u2581\u2581", True), ("e\u0301", True):
            new = len(vocab) + sum(a["content"] not in vocab for a in added)
            added.append({**added[0], "id": vocab.get(content, new), "content": content, "normalized": normalized, "special": False})
        model = {**base["model"], "vocab": vocab, "byte_fallback": fallback, "fuse_unk": fuse}
        with open(os.path.join(directory, "tokenizer.json"), "w", encoding="utf8") as f:
            json.dump({**base, "normalizer": normalizer, "pre_tokenizer": pre, "added_tokens": added, "model": model}, f)
        yield (f"{normalizer['type'] if normalizer else 'no normalizer'}, {pre['prepend_scheme'] if pre else 'no pre-tokenizer'}"
               f"{', split' if pre and pre['split'] else ''}{', bytes' if fallback else ', fused unk' if fuse else ', unk'}")


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
        reference = theirs(model)
        bad += compare_random(model, model, reference, rounds)
        for name, text in texts(shared):
            want, got = np.array(reference.encode(text, add_special_tokens=False).ids), ours(model, text)
            n = min(len(want), len(got))
            differ = np.flatnonzero(want[:n] != got[:n])
            same = len(want) == len(got) and not len(differ)
            bad += not same
            print("same" if same else f"DIFFERENT in {len(differ)}, first at {differ[0] if len(differ) else n},", len(want), "ids", model, name, flush=True)
    with tempfile.TemporaryDirectory() as directory:
        for name in variants(directory):
            bad += compare_random(name, directory, theirs(directory), rounds)
    return bad > 0


sys.exit(main())
