#!/usr/bin/env python3
"""Make invented neurons streams for tests of render-report (FORMAT.md section 4.5).

    make_neurons_fixture.py tests/data            # neurons-fixture.nf, neurons-fixture-nopos.nf
    make_neurons_fixture.py --large DIR           # the sizes of a real small model, for looking at the page

The numbers are drawn from a seeded generator and are consistent with each other (counts add up, shares have Wilson intervals); the vocabulary
holds the strings that an HTML or JSON writer gets wrong.  Needs numpy, msgpack, msgpack_numpy, zstandard.
"""
import argparse
import math
import pathlib

import msgpack
import msgpack_numpy
import numpy as np
import zstandard

NASTY = [b"</s>", b"</script><script>alert(1)</script>", b"<!--", b"]]>", b"\"'&<>`|*_", b"\n", b"\x00\x1b[31m", b"\xff\xfe", b"\xe2\x80\xae abc",
         b"\\u0041", b" |pipe|", "Ġ日本".encode(), "א".encode(), b"\xe2\x80\xa8", b" ", b"  \t", "e\u0301".encode(), b"__proto__", b"constructor"]
WORDS = ("the of and in to a is that it was for on with as his he at by not had but from be they an which you one all her she were there would "
         "their we him been has when who will more no if out so said what up its about into than them can only other new some could time these "
         "two may then do first any my now such like our over man me even most made after also did many before must through").split()
PROJECTIONS = ("raw", "centred", "ln", "cosine")
CLASSES = ("dead", "token-detector", "bigram-detector", "trigram-detector", "positional", "first-positions", "other")


def share(k, n):
    if n == 0:
        return {"k": int(k), "n": 0, "p": None, "lo": None, "hi": None}
    z, p = 1.959963984540054, k / n
    mid, half, den = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)), 1 + z * z / n
    return {"k": int(k), "n": int(n), "p": p, "lo": (mid - half) / den if k else 0.0, "hi": (mid + half) / den if k < n else 1.0}


class Run:
    def __init__(self, name, L, F, T, full, V, positions, norm, seed, boost=1):
        self.name, self.L, self.F, self.T, self.full, self.V = name, L, F, T, full, V
        self.positions, self.norm, self.boost = positions, norm, boost
        self.rng = np.random.default_rng(seed)
        self.tokens = (NASTY + [b" " + w.encode() for w in WORDS] + [w.encode() for w in WORDS])[:V]
        self.tokens += [b" t%d" % i for i in range(len(self.tokens), V)]
        self.domains = ["code", "encyclopedia", "fiction"]
        self.n_tok = full * T
        self.neurons, self.covered = [], {}

    def header(self):
        return {"format": "neurofilters", "version": 1, "kind": "neurons",
                "tokenizer": {"digest": "5c" * 32, "type": "byte-level-bpe", "vocab": self.V, "bos": "always", "bos_id": 0},
                "context": self.T,
                "model": {"name": self.name, "architecture": "OPTForCausalLM", "config_sha256": "ab" * 32, "weights_sha256": "cd" * 32,
                          "L": self.L, "D": self.F // 4, "H": 4, "F": self.F, "V": self.V, "activation": "relu", "positions": self.positions,
                          "norm": self.norm, "dtype": "f32"},
                "excluded": ["BOS positions, from all counts but position curves"],
                "units": {"mi": "nats"}, "thresholds": {"cover": 0.95, "mi": 0.05, "max-tokens": 5},
                "history": [{"tool": "tokenize", "version": "0.1.0", "options": {"context": self.T, "model": "invented"}, "inputs": []},
                            {"tool": "classify-neurons", "version": "0.1.0", "options": {"cover": 0.95}, "inputs": []}]}

    def detector(self, order, layer):
        """Evidence of a detector: its n-grams, how often it fired on them, and what else it fired on."""
        k = int(self.rng.integers(1, 5 if order == 1 else 12))
        ids = self.rng.choice(np.arange(1, self.V), size=(k, order), replace=order > 1)
        ids = np.unique(ids, axis=0)
        grams = [int(i[0]) if order == 1 else [int(x) for x in i] for i in ids]
        n = self.rng.integers(20, 200, size=len(grams))
        c = np.maximum(1, np.round(n * self.rng.uniform(0.955, 1.0, size=len(grams)))).astype(int)
        fires = int(c.sum() / 0.97) + 1
        top = [[g, int(ci), int(ni)] for g, ci, ni in zip(grams, c, n)] + [[grams[0], 1, 30]]
        self.covered.setdefault((order, layer), set()).update(str(g) for g in grams)
        return fires, {"m": len(grams), "covered": grams, "c": [int(x) for x in c], "n": [int(x) for x in n], "lo": [share(int(x), int(y))["lo"] for x, y in zip(c, n)], "share": share(int(c.sum()), fires), "activations": fires, "detector": True,
                       "top": sorted(top, key=lambda t: -t[1])}

    def suppress(self, ids):
        out = {}
        for p in PROJECTIONS:
            v = self.rng.normal(-0.05, 0.04, size=len(ids))
            out[p] = {"mean": float(v.mean()), "weighted": float(v.mean()), "all_negative": bool((v < 0).all()),
                      "majority_negative": bool((v < 0).mean() > 0.5), "percentiles": [float(x) for x in self.rng.uniform(0, 0.3, len(ids))],
                      "values": [float(x) for x in v]}
        pick = self.rng.choice(np.arange(1, self.V), size=min(20, self.V - 1), replace=False)
        val = np.sort(self.rng.uniform(0.02, 0.12, size=len(pick)))[::-1]
        half = len(pick) // 2
        out["promoted"] = [[int(i), float(v)] for i, v in zip(pick[:half], val)]
        out["suppressed"] = [[int(i), -float(v)] for i, v in zip(pick[half:], val)]
        return out

    def curve(self, kind, strength):
        x, g = np.arange(self.T) / self.T, 0.0 if strength == "strong" else 0.06
        phase, cut = self.rng.uniform(0, 1), self.rng.uniform(0.2, 0.8)
        if kind == "oscillatory":
            p = 0.5 + 0.5 * np.sin(2 * np.pi * (5 * x + phase)) * (1.0 if strength == "strong" else 0.7)
            p = np.clip(np.where(p > 0.55, 1.0, np.where(p < 0.45, 0.0, p)), g, 1 - g) if strength == "strong" else p
        elif kind == "both":
            p = np.where(x < cut, 1 - g, g)
        elif kind == "one":
            p = np.where(x < cut, g, 0.5 * (x - cut) / (1 - cut))
        else:
            p = 0.2 + 0.6 * x
        return self.rng.binomial(self.full, p).astype("<u4")

    def position(self, kind, strength):
        c = self.curve(kind, strength)
        fr, f = c / self.full, c.sum() / (self.full * self.T)
        with np.errstate(divide="ignore", invalid="ignore"):
            raw = float(np.nansum(fr * np.log(fr / f)) + np.nansum((1 - fr) * np.log((1 - fr) / (1 - f)))) / self.T
        on = np.flatnonzero(np.diff(np.concatenate([[0], (fr > 0.5).astype(int), [0]])))
        return {"mi": raw - (self.T - 1) / (2 * self.full * self.T), "mi_raw": raw, "full": self.full, "type": kind, "strength": strength,
                "ranges": [[int(a), int(b)] for a, b in zip(on[::2], on[1::2])], "cycles": int(len(on) // 2), "run0": int((fr == 0).sum()),
                "run1": int((fr == 1).sum()), "roughness": 0.02, "stable": True, "curve": c}, int(c.sum())

    def neuron(self, layer, i):
        u, depth = self.rng.uniform(), layer / max(1, self.L - 1)
        rec = {"r": "neuron", "layer": layer, "neuron": i, "class": "other", "classes": [], "undecided": []}
        extra, fires = {}, int(self.n_tok * min(0.9, self.rng.lognormal(math.log(0.02 + 0.08 * depth), 0.8)))
        dead = 0.45 * math.exp(-((depth - 0.25) / 0.2) ** 2) if self.norm == "pre" else 0
        det = self.boost * 0.05 * math.exp(-((depth - 0.1) / 0.25) ** 2) if depth < 0.5 else 0
        if u < dead:
            rec["classes"], fires = ["dead"], 0
        elif u < dead + det:
            order = int(self.rng.choice([1, 1, 2, 3]))
            name = ("token", "bigram", "trigram")[order - 1]
            rec["classes"] = [name + "-detector"]
            fires, extra[name] = self.detector(order, layer)
            if order == 1:
                extra["suppress"] = self.suppress(extra["token"]["covered"])
        elif u < dead + det + self.boost * (0.04 if layer < 2 or depth > 0.6 else 0.005):
            kinds = ["both", "one", "other"] + ([] if self.positions == "none" else ["oscillatory"] * 2)
            extra["position"], fires = self.position(str(self.rng.choice(kinds)), str(self.rng.choice(["strong", "weak"])))
            rec["classes"] = ["positional"]
        elif u > 1 - 0.01 * self.boost and depth < 0.5:    # a near miss: one token covers the firings, but it often occurs without one
            g = int(self.rng.integers(1, self.V))
            fires, top = 40, [[g, 39, 300], [1, 1, 20]]
            extra["token"] = {"m": 1, "activations": 40, "detector": False, "top": top, "share": share(0, 40), "covered": [], "c": [], "n": [], "lo": []}
        elif u > 0.998 and depth < 0.5:
            rec["undecided"] = ["bigram-detector"]
        rec["class"] = rec["classes"][0] if rec["classes"] else "other"
        freq = fires / self.n_tok
        band = "dead" if fires == 0 else "dormant" if freq < 0.0001 else "rare" if freq < 0.01 else "hyperactive" if freq > 0.9 else "normal"
        m = extra.get("token", {}).get("m") or int(self.rng.lognormal(4.5 + 2 * depth, 1.0)) + 1
        cover = [[0, 0]] * 3 if fires == 0 else [[m, m], [3 * m, 3 * m], [6 * m, 7 * m if rec["undecided"] else 6 * m]]
        dom = self.rng.dirichlet([2, 2, 2]) if fires else np.zeros(3)
        rec.update(fires=fires, fires_bos=0, n=self.n_tok, freq=share(fires, self.n_tok), band=band, domain_freq=[float(min(3 * freq * d, 1)) for d in dom],
                   domain_lo=[float(min(2.9 * freq * d, 1)) for d in dom], domain_hi=[float(min(3.1 * freq * d, 1)) for d in dom],
                   domain_entropy=float(-(dom[dom > 0] * np.log2(dom[dom > 0])).sum()), cover=cover, **extra)
        return rec

    BINS = ["1-5", "6-10", "11-20", "21-50", "51-200", "201-1000", "1001-2000", "2001-5000", "5001-"]

    def bins(self, recs, order):
        edges = [5, 10, 20, 50, 200, 1000, 2000, 5000, 10 ** 12]
        out = dict.fromkeys(self.BINS, 0)
        for r in recs:
            if r["fires"]:
                out[self.BINS[next(i for i, e in enumerate(edges) if r["cover"][order - 1][0] <= e)]] += 1
        return {**out, "undecided": 0}

    def layer(self, layer, recs):
        alive = [r["freq"]["p"] for r in recs if r["fires"]]
        dead, cov, lower = len(recs) - len(alive), {}, {}
        for order, name in ((1, "token"), (2, "bigram"), (3, "trigram")):
            sets = [self.covered.get((order, j), set()) for j in range(layer + 1)]
            below = set().union(*sets[:-1])
            prev = sets[-2] if layer else set()
            cov[name] = {"total": len(sets[-1]), "new_overall": len(sets[-1] - below), "new_previous": len(sets[-1] - prev),
                         "in_lower": len(sets[-1] & below), "in_previous": len(sets[-1] & prev), "cumulative": len(below | sets[-1])}
        pos = {f"{t}/{s}": 0 for t in ("oscillatory", "both", "one", "other") for s in ("strong", "weak")}
        for r in recs:
            if "position" in r:
                key = r["position"]["type"] + "/" + r["position"]["strength"]
                pos[key] = pos.get(key, 0) + 1
        bands = {b: sum(r["band"] == b for r in recs) for b in ("dead", "dormant", "rare", "normal", "hyperactive")}
        return {"r": "layer", "layer": layer, "neurons": self.F, "fires": sum(r["fires"] for r in recs), "dead": share(dead, self.F), "dead_with_bos": share(dead, self.F), "alive": len(alive),
                "mean_freq": float(np.mean(alive)) if alive else None, "mean_freq_sd": float(np.std(alive)) if alive else None, "bands": bands,
                **{"cover%d" % o: self.bins(recs, o) for o in (1, 2, 3)},
                "detectors": {**{n: sum(n + "-detector" in r["classes"] for r in recs) for n in ("token", "bigram", "trigram")},
                              "undecided": {n: sum(n + "-detector" in r["undecided"] for r in recs) for n in ("token", "bigram", "trigram")}},
                "min_count": [{"min": m, **{n: sum(n + "-detector" in r["classes"] for r in recs) // m for n in ("token", "bigram", "trigram")},
                               "covered": {n: cov[n]["total"] // m for n in ("token", "bigram", "trigram")}} for m in (1, 5)],
                "covered": cov, "positional": pos, "first_positions": 0, "undecided_position": 0, "near_zero": 0}

    def records(self):
        yield self.header()
        yield {"r": "vocab", "first": 0, "tokens": self.tokens}
        yield {"r": "special", "ids": np.array([0], "<u4")}
        q = len(self.domains)
        yield {"r": "run", "tokens": self.n_tok, "bos": self.full, "windows": self.full + 5, "full": self.full, "context": self.T, "docs": 60, "from": 0,
               "to": self.T, "domains": self.domains, "domain_tokens": [(self.n_tok + i) // q for i in range(q)], "domain_full": [(self.full + i) // q for i in range(q)],
               "layers": list(range(self.L)), "orders": [1, 2, 3], "ngram_layers": list(range(self.L)), "scope": list(range(self.L)), "L": self.L, "F": self.F, "bin": 16, "full_needed": 200,
               "full_enough": self.full >= 200, "dead_bound": 3 / self.n_tok, "suppression": True, "exact": True, "delta": [0, 0, 0]}
        layers = [[self.neuron(l, i) for i in range(self.F)] for l in range(self.L)]
        for l, recs in enumerate(layers):
            yield self.layer(l, recs)
            yield from recs
        det = [r for recs in layers for r in recs if r["class"] == "token-detector"]
        for p in PROJECTIONS:
            for scope in ["all"] + sorted({r["layer"] for r in det}):
                d = [r["suppress"][p] for r in det if scope in ("all", r["layer"])]
                n = len(d)
                yield {"r": "suppression", "projection": p, "scope": scope, "suppressing": share(sum(x["mean"] < 0 for x in d), n),
                       "all_negative": share(sum(x["all_negative"] for x in d), n), "majority_negative": share(sum(x["majority_negative"] for x in d), n),
                       "weighted": share(sum(x["weighted"] < 0 for x in d), n), "null": share(round(0.47 * n), n),
                       "null_alive": share(round(0.52 * n), n), "mean_percentile": 0.21}
        for l, recs in enumerate(layers):
            osc = [r for r in recs if r.get("position", {}).get("type") == "oscillatory" and r["position"]["strength"] == "strong"]
            if len(osc) >= 2:
                hit = np.zeros(self.T, int)
                for r in osc:
                    for a, b in r["position"]["ranges"]:
                        hit[a:b] += 1
                loss = [sum(int((hit[a:b] == 1).sum()) for a, b in r["position"]["ranges"]) for r in osc]
                yield {"r": "team", "layer": l, "type": "oscillatory", "neurons": [r["neuron"] for r in osc], "covered": int((hit > 0).sum()),
                       "context": self.T, "strength": "strong", "multiplicity": float(hit[hit > 0].mean()), "loss": loss,
                       "greedy": [r["neuron"] for r in osc], "gain": loss}

    def write(self, path):
        records = list(self.records())
        out = [msgpack.packb(rec, default=msgpack_numpy.encode, use_bin_type=True) for rec in records]
        totals = {"neurons": self.L * self.F, **{c: sum(rec.get("class") == c for rec in records) for c in CLASSES}}
        out.append(msgpack.packb({"r": "end", "records": len(out) - 1, "totals": totals}))
        path.write_bytes(zstandard.ZstdCompressor(level=19, write_checksum=True).compress(b"".join(out)))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--large", action="store_true")
    ap.add_argument("dir", type=pathlib.Path)
    a = ap.parse_args()
    if a.large:
        Run("tiny-large", 6, 1024, 512, 240, 8192, "learned", "pre", 1).write(a.dir / "large.nf")
        Run("tiny-nopos", 6, 1024, 512, 240, 8192, "none", "pre", 2).write(a.dir / "large-nopos.nf")
        Run("tiny-post", 8, 1024, 512, 120, 8192, "learned", "post", 3).write(a.dir / "large-post.nf")
    else:
        Run("fixture", 4, 24, 64, 220, 96, "learned", "pre", 11, 6).write(a.dir / "neurons-fixture.nf")
        Run("fixture-nopos", 4, 24, 64, 220, 96, "none", "pre", 5, 6).write(a.dir / "neurons-fixture-nopos.nf")


main()
