#!/usr/bin/env python3
"""What classify-neurons should say of the demonstration run, recomputed with NumPy from the activations themselves.

    tokenize -m MODEL CORPUS | forward-capture -m MODEL >acts.nf
    neurons_reference.py acts.nf MODEL > tests/oracle/neurons_reference.tsv

Shares no code or intermediate result with lib/stat: it keeps every bit, lists the n-grams at which each neuron fired, and applies the rules of
Voita et al. 2023 (and, for types of positional neurons, those of src/classify-neurons.md) in float64.  Rows:

  layer L        fires, dead, dormant, rare, normal, hyperactive, token, bigram, trigram detectors, tokens, bigrams, trigrams that they cover, the same six
                 with n-grams of at least 5 occurrences only
  cover L N      covering numbers of tokens, bigrams, trigrams (every 61st neuron of the bottom half, and all detectors)
  position L N   corrected mutual information, type, strength, longest runs at 0 and at 1 (positional neurons)
  suppress L N   mean projection of the covered tokens: raw, centred, ln, cosine (token detectors)

Needs numpy, safetensors, msgpack, msgpack_numpy, zstandard.
"""
import sys

import msgpack
import msgpack_numpy
import numpy as np
import zstandard
from safetensors.numpy import load_file

MOST = {1: 5, 2: 50, 3: 50}


def read(path):
    raw = zstandard.ZstdDecompressor().stream_reader(open(path, "rb"))
    records = msgpack.Unpacker(raw, object_hook=msgpack_numpy.decode, raw=False, strict_map_key=False, max_buffer_size=1 << 30)
    header = next(records)
    F, L, T = header["model"]["F"], header["model"]["L"], header["context"]
    ids, pos, full, bits = [], [], [], [[] for _ in range(L)]
    for r in records:
        if r["r"] == "batch":
            at = 0
            for n in r["length"]:
                ids.append(r["ids"][at:at + n].astype(np.int64))
                pos.append(np.arange(n))
                full.append(np.full(n, n == T))
                at += n
        elif r["r"] == "site" and r["site"] == "ffn.active":
            bits[r["layer"]].append(np.unpackbits(r["data"], axis=1, bitorder="little")[:, :F].astype(bool))
    return np.concatenate(ids), np.concatenate(pos), np.concatenate(full), [np.concatenate(b) for b in bits], T


def grams(ids, pos, order):
    """Dense index of the n-gram that ends at each position, -1 where there is none (position 0 is BOS); occurrences; last token of each."""
    key = np.zeros(len(ids), dtype=np.int64)
    for back in range(order):
        key = key * 65536 + np.roll(ids, order - 1 - back)
    has = pos >= order
    uniq, dense = np.unique(key[has], return_inverse=True)
    out = np.full(len(ids), -1)
    out[has] = dense
    return out, np.bincount(dense), uniq


def covering(counts):
    if counts.sum() == 0:
        return 0
    top = np.sort(counts)[::-1].cumsum()
    return int(np.argmax(20 * top >= 19 * top[-1])) + 1


def detector(counts, occurs, most, least):
    """The covered n-grams when it is a detector, otherwise None."""
    member = (counts > 0) & (20 * counts >= 19 * occurs) & (occurs >= least)
    if counts.sum() == 0 or covering(counts) > most or 20 * counts[member].sum() < 19 * counts.sum():
        return None
    return np.flatnonzero(member)


def information(curve, n):
    x = curve / n
    f = x.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(x > 0, x * np.log(x / f), 0) + np.where(x < 1, (1 - x) * np.log((1 - x) / (1 - f)), 0)
    return terms.mean() - (len(x) - 1) / (2 * n * len(x))


def longest(mask):
    """Longest run of true values: distance between false ones."""
    stops = np.flatnonzero(np.concatenate([[True], ~mask, [True]]))
    return int(np.diff(stops).max()) - 1


def shape(curve, n):
    x = curve[8:] / n
    kernel = np.ones(17)
    s = np.convolve(x, kernel, "same") / np.convolve(np.ones_like(x), kernel, "same")
    lo, hi = s.min() + 0.35 * np.ptp(s), s.min() + 0.65 * np.ptp(s)
    level = np.where(s >= hi, 1, np.where(s <= lo, -1, 0))
    level = level[level != 0]
    turns = int((np.diff(level) != 0).sum())
    weak = longest(s <= 0.05), longest(s >= 0.95)
    strong = longest(s <= 0.005), longest(s >= 0.995)
    assert turns // 2 < 2 or np.ptp(s) < 0.4, "an oscillatory neuron: this script has no rule for its strength"
    if min(weak) >= 64:
        return "both", min(strong) >= 64, weak
    if max(weak) >= 64:
        return "one", max(strong) >= 64, weak
    rough = np.sqrt(max(0.0, ((x - s) ** 2 - x * (1 - x) / n).mean()))
    return "other", rough <= 0.04, weak


def projections(model, layer, neuron):
    w = model[f"model.decoder.layers.{layer}.fc2.weight"][:, neuron].astype(np.float64)
    E = model["model.decoder.embed_tokens.weight"].astype(np.float64)
    raw = E @ w
    ln = E @ (model["model.decoder.final_layer_norm.weight"].astype(np.float64) * (w - w.mean()))
    return [raw, raw - raw.mean(), ln, raw / (np.linalg.norm(E, axis=1) * np.linalg.norm(w))]


def row(kind, *fields):
    print("\t".join([kind] + [f"{f:.10g}" if isinstance(f, float) else str(f) for f in fields]), flush=True)


def study_ngrams(l, b, gram, counts_of, shown):
    """Detectors and covered n-grams of a layer, with all n-grams and with those of at least 5 occurrences."""
    found = {}
    for order in (1, 2, 3):
        dense, occurs, uniq = gram[order]
        for least in (1, 5):
            number, covered = 0, set()
            for n in np.flatnonzero(b.any(0)):
                counts = counts_of(b[:, n], order)
                if covering(counts) <= MOST[order]:
                    members = detector(counts, occurs, MOST[order], least)
                    if members is not None:
                        number += 1
                        covered |= set(members)
                        if least == 1:
                            shown.setdefault(int(n), {})[order] = uniq[members]
            found[order, least] = number, len(covered)
    return [found[o, least][i] for least in (1, 5) for i in (0, 1) for o in (1, 2, 3)]


def main():
    ids, pos, full, bits, T = read(sys.argv[1])
    model = load_file(sys.argv[2] + "/model.safetensors")
    gram = {o: grams(ids, pos, o) for o in (1, 2, 3)}
    n_full = int((full & (pos == 0)).sum())
    tokens = int((pos > 0).sum())

    def counts_of(fired, order):
        dense, occurs, _ = gram[order]
        hit = dense[fired & (dense >= 0)]
        return np.bincount(hit, minlength=len(occurs))

    for l, b in enumerate(bits):
        fires = b[pos > 0].sum(0)
        rate = fires / tokens
        bands = [(fires == 0).sum(), ((fires > 0) & (rate < 0.01)).sum(), ((rate >= 0.01) & (rate < 0.1)).sum(), ((rate >= 0.1) & (rate <= 0.99)).sum(),
                 (rate > 0.99).sum()]
        half, shown = l < len(bits) // 2, {}
        row("layer", l, fires.sum(), *bands, *(study_ngrams(l, b, gram, counts_of, shown) if half else ["-"] * 12))
        for n in sorted(set(range(0, b.shape[1], 61)) | set(shown)) if half else []:
            row("cover", l, n, *(covering(counts_of(b[:, n], o)) for o in (1, 2, 3)))
        curves = np.zeros((T, b.shape[1]))
        np.add.at(curves, pos[full], b[full])
        for n in range(b.shape[1]):
            if curves[:, n].any() and (mi := information(curves[:, n], n_full)) > 0.05:
                kind, strong, runs = shape(curves[:, n], n_full)
                row("position", l, n, float(mi), kind, "strong" if strong else "weak", *runs)
        for n, by_order in sorted(shown.items()):
            if 1 in by_order:
                row("suppress", l, n, *(float(p[by_order[1]].mean()) for p in projections(model, l, n)))


main()
