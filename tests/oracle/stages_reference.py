#!/usr/bin/env python3
"""Measures of stages, worked out in NumPy float64 from the records of a stream alone; and the made-up stream that the tests read.

    stages_reference.py make tests/oracle/stages_activations.nf
    stages_reference.py table tests/oracle/stages_activations.nf > tests/oracle/stages_reference.tsv
    stages_reference.py compare ACTIVATIONS STATS      every number of STATS (reduce-stats --measure); status 1 and a line when one differs

The stream: two layers, width 5, two heads, documents of one to three windows of up to 24 tokens; a vocabulary of whole words and pieces of
words; residual streams that grow out of each other about a common mean; attention of real softmax rows, in f16.
tests/unit/test_stages_reference.c compares.

Rows of the table, "rows" one of last, all:
    groups      rows batch exclude    n left_out
    cka         rows batch i j        value, jackknife over blocks
    similarity  measure rows i j      n docs mean se doc_mean doc_se
    ratio       layer column          n docs mean se doc_mean doc_se
    locality    exclude layer row column     the same six       exclude: 1 with --exclude-bos-key
    sinks       exclude layer         heads with a mean of 0.3 or more on position 0
    merging     class layer head offset      the same six       class 0: multi, 1: single
    difference  layer head offset     difference se

Needs numpy, msgpack, msgpack-numpy, zstandard.
"""
import collections
import io
import math
import sys

import msgpack
import msgpack_numpy
import numpy as np
import zstandard

WINDOWS = [1, 2, 4, 5, 8, 16]
RATIOS = ["attn.out/resid.pre", "ffn.out/resid.pre", "block/resid.pre", "ffn.out/attn.out", "cos block resid.pre",
          "cos attn.out resid.pre", "cos resid.pre resid.post", "attn.out", "ffn.out", "block", "resid.pre"]
SINK = 0.3


def records(path):
    data = open(path, "rb").read()
    if data[:4] == b"\x28\xb5\x2f\xfd":
        data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    return list(msgpack.Unpacker(io.BytesIO(data), object_hook=msgpack_numpy.decode, raw=False, strict_map_key=False,
                                 max_bin_len=1 << 31, max_buffer_size=1 << 31))


# ---- the made-up stream ----

VOCAB = [b"</s>", b"\n", b".", b" a", b" cat", b" dog", b" The", b" un", b"fold", b"ing", b"ly", b" re", b"s", b" ", b"9"]
TEXT = [[4], [5], [3], [6], [7, 8, 9, 10], [11, 8, 9, 12], [11, 8, 9], [4, 12], [4, 2], [7, 8, 9, 10, 12], [1], [7, 8, 9, 14], [13]]
L, D, H, T = 2, 5, 2, 24


def make(path):
    rng = np.random.RandomState(20240627)
    windows = []
    for doc in range(8):
        words = [t for w in rng.choice(len(TEXT), 70, p=[.2, .1, .05, .05, .2, .1, .05, .05, .04, .04, .04, .04, .04]) for t in TEXT[w]]
        for window in range([2, 1, 3, 1, 2, 2, 1, 1][doc]):
            length = T if doc != 3 and rng.rand() < 0.8 else rng.randint(1, T)
            bos = doc != 5
            ids = [0] * bos + words[window * T:window * T + length - bos]
            windows.append((doc, window, ids, bos))
    site = collections.defaultdict(list)
    for _, _, ids, _ in windows:
        n = len(ids)
        h = rng.randn(n, D) + [3, 0, -1, 0, 0.5]
        h[0] *= 20                                          # as massive as real first positions are
        for layer in range(L):
            attn, ffn = rng.randn(n, D) * 0.4 - 0.1 * h, rng.randn(n, D) * 0.6 + 0.3 * np.roll(h, 1, axis=1)
            post = h + attn + ffn
            site["resid.pre", layer].append(h)
            norm = lambda v: np.linalg.norm(v, axis=1)
            cos = lambda a, b: (a * b).sum(axis=1) / norm(a) / norm(b)
            site["norms", layer].append(np.stack([norm(attn), norm(ffn), norm(attn + ffn), norm(h), norm(post), cos(attn + ffn, h),
                                                  cos(attn, h), cos(h, post)], axis=1))
            score = rng.randn(H, n, n) - 0.2 * np.abs(np.arange(n)[:, None] - np.arange(n)[None, :]) * (np.arange(H)[:, None, None] == 0)
            score[:, :, 0] += 2 * layer
            a = np.exp(score) * np.tril(np.ones((n, n)))
            a /= a.sum(axis=2, keepdims=True)
            back = np.zeros((n, H, 17))
            for t in range(n):
                for o in range(min(16, t) + 1):
                    back[t, :, o] = a[:, t, t - o]
            local = np.stack([back[:, :, 1:w + 1].sum(axis=2) for w in WINDOWS] + [a[:, :, 0].T], axis=2)
            site["attn.back", layer].append(back)
            site["attn.local", layer].append(local)
            h = post
        site["resid.post", L - 1].append(h)
    names = ["resid.pre", "attn.local", "attn.back", "resid.post", "norms"]
    width = {"resid.pre": D, "attn.local": H * 7, "attn.back": H * 17, "resid.post": D, "norms": 8}
    half = {"attn.local", "attn.back"}
    head = {"format": "neurofilters", "version": 1, "kind": "activations",
            "tokenizer": {"digest": "ab" * 32, "type": "byte-level-bpe", "vocab": len(VOCAB), "bos": "always", "bos_id": 0}, "context": T,
            "model": {"name": "made-up", "architecture": "OPTForCausalLM", "config_sha256": "cd" * 32, "weights_sha256": "ef" * 32,
                      "L": L, "D": D, "H": H, "F": 8, "V": len(VOCAB), "activation": "relu", "positions": "learned", "norm": "pre", "dtype": "f32"},
            "sites": [{"site": s, "layers": sorted(l for n, l in site if n == s), "dtype": "f16" if s in half else "f32", "width": width[s],
                       "unit": "made up"} for s in names],
            "capture": {"positions": [0, None], "near_zero": 1e-5}, "history": []}
    out = [{"r": "vocab", "first": 0, "tokens": VOCAB}, {"r": "special", "ids": np.array([0], "<u4")}]
    seen, batch, rows = set(), 0, 0
    for first in range(0, len(windows), 5):
        part = windows[first:first + 5]
        for doc in sorted({w[0] for w in part} - seen):
            out.append({"r": "doc", "doc": doc, "name": f"{doc}.txt", "domain": "text", "bytes": 100})
        seen |= {w[0] for w in part}
        u4 = lambda v: np.array(v, "<u4")
        out.append({"r": "batch", "batch": batch, "doc": u4([w[0] for w in part]), "window": u4([w[1] for w in part]), "start": u4([0] * len(part)),
                    "length": u4([len(w[2]) for w in part]), "bos": np.array([w[3] for w in part], "u1"), "ids": u4([t for w in part for t in w[2]])})
        for layer in range(L):
            for s in names:
                if (s, layer) in site:
                    x = np.concatenate(site[s, layer][first:first + 5]).astype("<f2" if s in half else "<f4")
                    out.append({"r": "site", "batch": batch, "site": s, "layer": layer, "row": 0, "data": x})
        batch += 1
    tokens = sum(len(w[2]) for w in windows)
    out.append({"r": "end", "records": len(out), "totals": {"tokens": tokens, "windows": len(windows), "batches": batch, "rows": tokens}})
    raw = b"".join(msgpack.packb(o, default=msgpack_numpy.encode) for o in [head] + out)
    open(path, "wb").write(zstandard.ZstdCompressor(level=19, write_checksum=True).compress(raw))


# ---- a stream's rows ----

class Run:
    def __init__(self, recs):
        self.header = recs[0]
        self.T = self.header["context"]
        self.vocab, self.special, self.windows, self.window, parts = [], set(), [], [], collections.defaultdict(list)
        for r in recs[1:]:
            if r["r"] == "vocab":
                self.vocab += r["tokens"]
            elif r["r"] == "special":
                self.special |= {int(i) for i in r["ids"]}
            elif r["r"] == "batch":
                at = 0
                self.window += [int(w) for w in r["window"]]
                for doc, length, bos in zip(r["doc"], r["length"], r["bos"]):
                    self.windows.append((int(doc), [int(t) for t in r["ids"][at:at + length]], bool(bos)))
                    at += length
            elif r["r"] == "site":
                parts[r["site"], r["layer"]].append(np.asarray(r["data"], np.float64))
        self.site = {k: np.concatenate(v) for k, v in parts.items()}
        self.w = np.array([w for w, x in enumerate(self.windows) for _ in x[1]])
        self.t = np.array([t for x in self.windows for t in range(len(x[1]))])
        self.doc = np.array([self.windows[w][0] for w in self.w])
        self.is_bos = np.array([self.windows[w][2] and t == 0 for w, t in zip(self.w, self.t)])
        self.length = np.array([len(self.windows[w][1]) for w in self.w])
        self.last = self.t + 1 == self.length
        self.L = self.header["model"]["L"]

    def points(self):
        get = lambda p: self.site["resid.pre", p] if ("resid.pre", p) in self.site else self.site["resid.post", p - 1]
        return [get(p) for p in range(self.L + 1)]


def six(doc, x, w=None):
    """n, docs, mean, se, doc_mean, doc_se of columns x [rows, U] (or one column)."""
    w = np.ones(x.shape) if w is None else np.broadcast_to(np.asarray(w, np.float64), x.shape)
    docs = np.unique(doc)
    X = np.array([x[doc == d].sum(axis=0) for d in docs])
    W = np.array([w[doc == d].sum(axis=0) for d in docs])
    if len(docs) == 0:
        return (0, 0) + (math.nan,) * 4
    X, W = X[W > 0], W[W > 0]
    n, k = int(W.sum()), len(W)
    if k == 0:
        return (0, 0) + (math.nan,) * 4
    mean, each = X.sum() / n, X / W
    if k == 1:
        return n, k, mean, math.nan, each.mean(), math.nan
    return n, k, mean, math.sqrt(k / (k - 1) * ((X - mean * W) ** 2).sum()) / n, each.mean(), each.std(ddof=1) / math.sqrt(k)


# ---- CKA ----

def hsic1(X, Y):
    """Section 5.4 of the definition, term by term."""
    K, M = X @ X.T, Y @ Y.T
    np.fill_diagonal(K, 0)
    np.fill_diagonal(M, 0)
    n, one = len(X), np.ones(len(X))
    return (np.trace(K @ M) + (one @ K @ one) * (one @ M @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ K @ M @ one)) / (n * (n - 3))


def groups(run, rows, batch):
    """Row numbers of each group, and how many rows are in none."""
    out, left, at = [], 0, []
    if rows == "last":
        at = [i for i in range(len(run.w)) if run.last[i] and run.length[i] == run.T and not run.is_bos[i]]
        k = len(at) // batch * batch
        return [at[i:i + batch] for i in range(0, k, batch)], len(at) - k
    for w in range(len(run.windows)):
        at = [i for i in np.nonzero(run.w == w)[0] if not run.is_bos[i]]
        for i in range(0, len(at), batch):
            if len(at[i:i + batch]) >= 4:
                out.append(at[i:i + batch])
            else:
                left += len(at[i:i + batch])
    return out, left


def hashed_block(doc, window):
    """SplitMix64 of doc * 2^32 + window, modulo 32."""
    mask = (1 << 64) - 1
    z = ((doc << 32 | window) + 0x9e3779b97f4a7c15) & mask
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9 & mask
    z = (z ^ z >> 27) * 0x94d049bb133111eb & mask
    return (z ^ z >> 31) % 32


def cka(run, rows, batch):
    """{(i, j): (value, jackknife)}, groups, rows left out"""
    x, (gs, left) = run.points(), groups(run, rows, batch)
    P = len(x)
    h = {(i, j): np.array([hsic1(x[i][g], x[j][g]) for g in gs]) for j in range(P) for i in range(j + 1)}
    block = np.array([hashed_block(int(run.doc[g[0]]), run.window[run.w[g[0]]]) if rows == "last" else run.doc[g[0]] % 32 for g in gs])
    out = {}
    for i, j in h:
        value = lambda keep: h[i, j][keep].mean() / math.sqrt(h[i, i][keep].mean() * h[j, j][keep].mean())
        drop = np.array([value(block != k) for k in np.unique(block)]) if len(set(block)) > 1 else np.array([math.nan])
        b = len(drop)
        out[i, j] = value(block >= 0), math.sqrt((b - 1) / b * ((drop - drop.mean()) ** 2).sum()) if b > 1 else math.nan
    return out, len(gs), left


# ---- the other measures ----

def similarity(run):
    x = run.points()
    for rows in ("all", "last"):
        keep = ~run.is_bos & (run.last if rows == "last" else True)
        for i in range(len(x)):
            for j in range(i + 1, len(x)):
                a, b = x[i][keep], x[j][keep]
                c = (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
                yield ("cos", rows, i, j), six(run.doc[keep], c)
                yield ("angle", rows, i, j), six(run.doc[keep], np.arccos(np.clip(c, -1, 1)) / math.pi)


def ratios(run):
    keep = ~run.is_bos
    for l in range(run.L):
        n = run.site["norms", l][keep]
        for k, x in enumerate([n[:, 0] / n[:, 3], n[:, 1] / n[:, 3], n[:, 2] / n[:, 3], n[:, 1] / n[:, 0], n[:, 5], n[:, 6], n[:, 7],
                               n[:, 0], n[:, 1], n[:, 2], n[:, 3]]):
            yield (l, k), six(run.doc[keep], x)


def locality(run, exclude):
    keep = ~run.is_bos
    t, doc = run.t[keep], run.doc[keep]
    bos = np.array([run.windows[w][2] for w in run.w[keep]]) & exclude
    for l in range(run.L):
        a = run.site["attn.local", l][keep]
        a = a.reshape(len(a), -1, 7)
        uniform = np.stack([np.minimum(w, t) / (t + 1) for w in WINDOWS] + [1 / (t + 1)], axis=1)[:, None]
        a = np.concatenate([a, a.mean(axis=1, keepdims=True), uniform], axis=1)
        for r in range(a.shape[1]):
            for k in range(13):
                w = WINDOWS[k % 7] if k != 6 else 0
                near = bos & (t >= 1) & (t <= w)            # sees the BOS in this window
                x = a[:, r, k % 7] - np.where(near, a[:, r, 6], 0) if k != 6 else a[:, r, 6]
                reach = np.minimum(w, t) - near
                yield (int(exclude), l, r, k), six(doc, x, reach if k > 6 else None)


def word_class(run, w, t):
    ids = run.windows[w][1]
    tok = lambda i: b"" if ids[i] in run.special else run.vocab[ids[i]]
    letters = lambda s: len(s) > 0 and all(97 <= c <= 122 for c in s)
    starts = lambda s: s[:1] == b" " and letters(s[1:])
    if t < 16 or t + 1 >= len(ids) or not tok(t + 1)[:1].isspace():
        return None
    if starts(tok(t)):
        return 1
    return 0 if starts(tok(t - 3)) and all(letters(tok(t - i)) for i in range(3)) else None


def merging(run):
    kind = np.array([-1 if (c := word_class(run, w, t)) is None or b else c for w, t, b in zip(run.w, run.t, run.is_bos)])
    for l in range(run.L):
        a = run.site["attn.back", l]
        a = a.reshape(len(a), -1, 17)
        for h in range(a.shape[1]):
            for o in range(17):
                x = a[:, h, o]
                for c in (0, 1):
                    yield ("merging", c, l, h, o), six(run.doc[kind == c], x[kind == c])
                psi, mean = 0, {}
                for c, sign in ((0, 1), (1, -1)):
                    n = (kind == c).sum()
                    mean[c] = x[kind == c].mean() if n else math.nan
                    docs = np.unique(run.doc[kind >= 0])
                    psi = psi + np.array([sign * (x[(kind == c) & (run.doc == d)] - mean[c]).sum() / n for d in docs])
                k = len(docs)
                yield ("difference", l, h, o), (mean[0] - mean[1], math.sqrt(k / (k - 1) * (psi ** 2).sum()))


def number(x):
    return repr(float(x)) if isinstance(x, (float, np.floating)) else str(int(x))


def row(name, key, values):
    print(name, *key, *map(number, values), sep="\t")


def table(run):
    for rows, batch in (("last", 4), ("all", 10), ("all", 512)):
        cells, n, left = cka(run, rows, batch)
        row("groups", (rows, batch), (n, left))
        for k, v in cells.items():
            row("cka", (rows, batch, *k), v)
    for k, v in similarity(run):
        row("similarity", k, v)
    for k, v in ratios(run):
        row("ratio", k, v)
    for exclude in (False, True):
        sinks = collections.Counter()
        for k, v in locality(run, exclude):
            row("locality", k, v)
            sinks[k[1]] += k[2] < run.header["model"]["H"] and k[3] == 6 and v[2] >= SINK
        for l in range(run.L):
            row("sinks", (int(exclude), l), (sinks[l],))
    for k, v in merging(run):
        row(k[0], k[1:], v)


# ---- every number of a stats stream ----

checked = 0


def near(what, a, b, tol):
    global checked
    checked += 1
    a, b = float("nan" if a is None else a), float(b)
    if not (math.isnan(a) and math.isnan(b)) and not abs(a - b) <= tol:
        print("differs:", what, a, b)
        sys.exit(1)


def near_six(what, got, want):
    for name, g, v in zip(("n", "docs", "mean", "se", "doc_mean", "doc_se"), got, want):
        near((what, name), g, v, 1e-9 * max(1, abs(v)) if name not in ("n", "docs") else 0)


FIELDS = ("n", "docs", "mean", "se", "doc_mean", "doc_se")


def compare(run, stats):
    want = dict(similarity(run)) if any(r["r"] == "similarity" for r in stats[1:]) else {}
    if any(r["r"] == "ratio" for r in stats[1:]):
        want |= {("ratio",) + k: v for k, v in ratios(run)}
    loc = stats[0]["reduce"]["measures"].get("locality")
    if loc:
        want |= {("locality",) + k[1:]: v for k, v in locality(run, not loc["bos_key"])}
    if any(r["r"] == "merging" for r in stats[1:]):
        want |= dict(merging(run))
    for r in stats[1:]:
        if r["r"] == "cka":
            cells, n, left = cka(run, r["rows"], r["batch"])
            near("groups", r["n"], n, 0)
            near("left_out", r["left_out"], left, 0)
            for (i, j), (v, se) in cells.items():
                for x, y in ((i, j), (j, i)):
                    near(("cka", i, j), r["cka"][x, y], v, 1e-9)
                    near(("cka se", i, j), r["se"][x, y], se, 1e-9)
        elif r["r"] == "similarity":
            for i in range(r["P"]):
                for j in range(i + 1, r["P"]):
                    for x, y in ((i, j), (j, i)):
                        near_six((r["measure"], i, j), [r["n"], r["docs"]] + [r[f][x, y] for f in FIELDS[2:]], want[r["measure"], r["rows"], i, j])
        elif r["r"] == "influence":
            v = want["cos", "all", r["layer"], r["layer"] + 1]
            near_six("influence", [r["n"], r["docs"], r["influence"], r["se"]], [v[0], v[1], 1 - v[2], v[3]])
        elif r["r"] == "ratio":
            near_six(r["of"], [r[f] for f in FIELDS], want["ratio", r["layer"], RATIOS.index(r["of"])])
        elif r["r"] == "locality":
            H2, cols = r["mean"].shape
            for h in range(H2):
                for k in range(cols):
                    near_six(("locality", r["layer"], h, k), [r[f][h, k] for f in FIELDS], want["locality", r["layer"], h, k])
            near("sinks", r["sinks"], sum(want["locality", r["layer"], h, 6][2] >= loc["sink"] for h in range(H2 - 2)), 0)
        elif r["r"] == "merging":
            for c, h, o in np.ndindex(*r["mean"].shape):
                near_six(("merging", c, h, o), [r[f][c, h, o] for f in FIELDS], want["merging", c, r["layer"], h, o])
            for h, o in np.ndindex(*r["difference"].shape):
                d = want["difference", r["layer"], h, o]
                near(("difference", h, o), r["difference"][h, o], d[0], 1e-9)
                near(("difference se", h, o), r["difference_se"][h, o], d[1], 1e-9)
    print(f"every number is the same: {checked} compared")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    elif sys.argv[1] == "table":
        table(Run(records(sys.argv[2])))
    else:
        compare(Run(records(sys.argv[2])), records(sys.argv[3]))
