"""Make the small streams that the tests of stream-dump, stream-check and stream-diff read: tests/data/streams/*.nf.

    python3 tests/data/make_streams.py     needs msgpack, msgpack-numpy, numpy, zstandard

Raw msgpack (tokens.zst.nf: the same as tokens.nf inside zstd). The values are made up; the layout is FORMAT.md's.
"""
import os

import msgpack
import msgpack_numpy
import numpy as np
import zstandard

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "streams")
VOCAB = [b"<s>", b"</s>", b"the", b" cat", b" sat", b"\n", b"\xff", b'"\\', " naïve".encode(), b","]
TOKENIZER = {"digest": "ab" * 32, "type": "byte-level-bpe", "vocab": len(VOCAB), "bos": "always", "bos_id": 1}
MODEL = {"name": "tiny", "architecture": "OPTForCausalLM", "config_sha256": "cd" * 32, "weights_sha256": "ef" * 32,
         "L": 2, "D": 4, "H": 2, "F": 6, "V": len(VOCAB), "activation": "relu", "positions": "learned", "norm": "pre", "dtype": "f32"}


def header(kind, tools, **more):
    return {"format": "neurofilters", "version": 1, "kind": kind, "tokenizer": TOKENIZER, "context": 4, **more,
            "history": [{"tool": t, "version": "0.1.0", "options": o, "inputs": []} for t, o in tools]}


def share(k, n):
    """Wilson 95 % interval: z = 1.959963984540054."""
    z2 = 1.959963984540054 ** 2
    if n == 0:
        return {"k": 0, "n": 0, "p": None, "lo": None, "hi": None}
    p = k / n
    mid, half = (p + z2 / (2 * n)) / (1 + z2 / n), (z2 * (p * (1 - p) / n + z2 / (4 * n * n))) ** 0.5 / (1 + z2 / n)
    return {"k": k, "n": n, "p": p, "lo": min(max(mid - half, 0), p), "hi": max(min(mid + half, 1), p)}


def write(name, head, records, totals):
    end = {"r": "end", "records": len(records), "totals": totals}
    data = b"".join(msgpack.packb(o, default=msgpack_numpy.encode) for o in [head, *records, end])
    with open(os.path.join(HERE, name + ".nf"), "wb") as f:
        f.write(data)
    return data


def u4(*v):
    return np.array(v, dtype="<u4")


TOKENIZE = ("tokenize", {"bos": "always", "context": 4})
CONTEXT = [{"r": "vocab", "first": 0, "tokens": VOCAB[:6]}, {"r": "vocab", "first": 6, "tokens": VOCAB[6:]}, {"r": "special", "ids": u4(0, 1)}]
DOCS = [{"r": "doc", "doc": 0, "name": "pets/a, b.txt", "domain": "pets", "bytes": 12}, {"r": "doc", "doc": 2, "name": 'say "hi"', "domain": "talk"}]


def window(doc, index, start, ids):
    return {"r": "window", "doc": doc, "window": index, "start": start, "bos": True, "ids": u4(*ids)}


def tokens():
    records = CONTEXT + [DOCS[0], window(0, 0, 0, [1, 2, 3, 4]), window(0, 1, 3, [1, 5]), DOCS[1], window(2, 0, 0, [1, 6, 7, 8])]
    totals = {"tokens": 10, "bos": 3, "windows": 3, "full": 2, "docs": 2, "bytes": 21}
    data = write("tokens", header("tokens", [TOKENIZE]), records, totals)
    with open(os.path.join(HERE, "tokens.zst.nf"), "wb") as f:
        f.write(zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data))


def activations():
    rng = np.random.default_rng(0)
    sites = [{"site": "ffn.active", "layers": [0, 1], "dtype": "u8", "width": 6, "unit": "bit"},
             {"site": "ffn.act", "layers": [0, 1], "dtype": "f32", "width": 6, "unit": "1"},
             {"site": "pred", "layers": [2], "dtype": "f32", "width": 4, "unit": "nat, bit, id, rank"}]
    records = CONTEXT + DOCS[:1]
    for b, lengths in enumerate([[4, 2], [3]]):
        ids = [[1, 2, 3, 4, 1, 5], [1, 7, 8]][b]
        rows = len(ids)
        n = len(lengths)
        records.append({"r": "batch", "batch": b, "doc": u4(*[0] * n), "window": u4(*range(2 * b, 2 * b + n)), "start": u4(*[3 * b, 3][:n]),
                        "length": u4(*lengths), "bos": np.ones(n, dtype="|u1"), "ids": u4(*ids)})
        for layer in range(2):
            act = np.maximum(rng.standard_normal((rows, 6)), 0).astype("<f4")
            records.append({"r": "site", "batch": b, "site": "ffn.active", "layer": layer, "row": 0, "near_zero": 0,
                            "data": np.packbits(act > 0, axis=1, bitorder="little")})
            records.append({"r": "site", "batch": b, "site": "ffn.act", "layer": layer, "row": 0, "data": act})
        pred = np.abs(rng.standard_normal((rows, 4))).astype("<f4")
        pred[np.cumsum(lengths) - 1, 0] = pred[np.cumsum(lengths) - 1, 3] = np.nan
        pred[:, 2:] = np.where(np.isnan(pred[:, 2:]), np.nan, np.floor(pred[:, 2:]))
        records.append({"r": "site", "batch": b, "site": "pred", "layer": 2, "row": 0, "data": pred})
    write("activations", header("activations", [TOKENIZE, ("forward-capture", {"site": ["ffn.active", "ffn.act", "pred"]})], model=MODEL,
                                sites=sites, capture={"positions": [0, 4], "near_zero": 1e-6}), records, {"tokens": 9, "windows": 3, "batches": 2, "rows": 9})


def neurons():
    common = {"undecided": [], "n": 20, "domain_freq": [0.5, 0.25], "domain_lo": [0.25, 0.125], "domain_hi": [0.75, 0.5], "domain_entropy": 0.918295834}
    records = CONTEXT + [
        {"r": "neuron", "layer": 0, "neuron": 0, "class": "dead", "classes": ["dead"], "fires": 0, "fires_bos": 0, "freq": share(0, 20),
         "band": "dead", "cover": [[0, 0], [0, 0], [0, 0]], **common},
        {"r": "neuron", "layer": 0, "neuron": 1, "class": "token-detector", "classes": ["token-detector", "positional"], "fires": 8,
         "fires_bos": 2, "freq": share(8, 20), "band": "normal", "cover": [[2, 2], [3, 4], None], **common,
         "token": {"m": 2, "covered": [3, 5], "c": [6, 2], "n": [6, 2], "share": share(8, 8), "top": [[3, 6, 6], [5, 2, 2]],
                   "activations": 8, "detector": True, "lo": [0.61, 0.34]},
         "bigram": {"m": 1, "covered": [[2, 3]], "c": [6], "n": [6], "share": share(6, 8), "top": [[[2, 3], 6, 6]],
                    "activations": 8, "detector": None, "lo": [0.61]},
         "position": {"mi": 0.125, "mi_raw": 0.15, "full": 3, "type": "both", "strength": "strong", "ranges": [[0, 2]], "cycles": 1, "run0": 2,
                      "run1": 2, "roughness": 0.01, "stable": None, "curve": u4(3, 3, 0, 0)}},
    ]
    write("neurons", header("neurons", [TOKENIZE, ("forward-capture", {}), ("reduce-stats", {}), ("classify-neurons", {"min-share": 0.95})], model=MODEL,
                            thresholds={"token": 0.95}), records,
          {"neurons": 2, "dead": 1, "token-detector": 1, "bigram-detector": 0, "trigram-detector": 0, "positional": 0, "first-positions": 0, "other": 0})


if __name__ == "__main__":
    os.makedirs(HERE, exist_ok=True)
    tokens()
    activations()
    neurons()
