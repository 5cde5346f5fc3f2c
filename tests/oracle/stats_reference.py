#!/usr/bin/env python3
"""Statistics of a stream of activations, counted again in NumPy from the records alone.

    stats_reference.py ACTIVATIONS > tests/oracle/stats_reference.tsv     what tests/unit/test_stats_reference.c compares
    stats_reference.py ACTIVATIONS STATS                                  compare every number of STATS; status 1 and a line when one differs

The committed stream (three documents, windows of 24, layer 2) was made from the repository's root by

    tokenize -m pipelines/demo/model --context 24 --sample 0.2 pipelines/demo/corpus/{letters/01.txt,code/01.py,arithmetic/01.txt} |
        forward-capture -q -m pipelines/demo/model --sites ffn.active,norms,pred --layers 2:3 > tests/oracle/stats_activations.nf

Rows of the table:
    totals  tokens bos windows full docs
    ngrams  order distinct occurrences
    neuron  f all bos fires-by-domain...  position:(sum, sum of p * count)  bins:(sum over domain q, bin b of (q + 1)(b + 1) count)
            then for orders 1, 2, 3: n-grams that triggered it, the highest count of one, sum of squared counts
    unit    site domain unit n min max mean var skew kurt and the order statistics at the nine quantiles
    top     site unit rank value doc window pos token-before token

Needs numpy, scipy, msgpack, msgpack-numpy, zstandard.
"""
import collections
import io
import math
import sys

import msgpack
import msgpack_numpy
import numpy as np
import scipy.stats
import zstandard

LEVELS = [0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999]
NONE = 0xFFFFFFFF


def records(path):
    data = open(path, "rb").read()
    if data[:4] == b"\x28\xb5\x2f\xfd":
        data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    return list(msgpack.Unpacker(io.BytesIO(data), object_hook=msgpack_numpy.decode, raw=False, strict_map_key=False,
                                 max_bin_len=1 << 31, max_buffer_size=1 << 31))


class Run:
    """All rows of a stream: of each, its window, position, tokens so far; the bits and values of each site and layer."""

    def __init__(self, recs):
        self.header = recs[0]
        self.T = self.header["context"]
        self.rows = []          # (window number, pos)
        self.windows = []       # (doc, window, ids, bos, domain name)
        domain = {}
        parts = collections.defaultdict(list)
        for r in recs[1:]:
            if r["r"] == "doc":
                domain[r["doc"]] = r["domain"]
            elif r["r"] == "batch":
                at = 0
                for doc, window, length, bos in zip(r["doc"], r["window"], r["length"], r["bos"]):
                    ids = [int(t) for t in r["ids"][at:at + length]]
                    at += length
                    self.rows += [(len(self.windows), p) for p in range(length)]
                    self.windows.append((int(doc), int(window), ids, bool(bos), domain[int(doc)]))
            elif r["r"] == "site":
                parts[r["site"], r["layer"]].append(r["data"])
        self.sites = {}
        for (site, layer), data in parts.items():
            x = np.concatenate(data)
            if site == "ffn.active":
                F = next(s["width"] for s in self.header["sites"] if s["site"] == site)
                x = np.unpackbits(x, axis=1, bitorder="little")[:, :F]
            else:
                x = x.reshape(len(x), -1).astype(np.float64)
            self.sites[site, layer] = x
        self.domains = sorted(set(domain.values()), key=lambda s: s.encode())
        self.w = np.array([w for w, _ in self.rows])
        self.p = np.array([p for _, p in self.rows])
        self.bos = np.array([self.windows[w][3] and p == 0 for w, p in self.rows])
        self.full = np.array([len(self.windows[w][2]) == self.T for w, _ in self.rows])
        self.q = np.array([self.domains.index(self.windows[w][4]) for w, _ in self.rows])

    def grams(self, order):
        """The n-gram that ends at each row, or None."""
        out = []
        for w, p in self.rows:
            ids, bos = self.windows[w][2], self.windows[w][3]
            out.append(tuple(ids[p - order + 1:p + 1]) if p - order + 1 >= bos else None)
        return out

    def triggers(self, order):
        """n-gram -> rows where it ends"""
        rows = collections.defaultdict(list)
        for i, g in enumerate(self.grams(order)):
            if g is not None:
                rows[g].append(i)
        return rows

    def totals(self):
        w = self.windows
        return dict(tokens=int((~self.bos).sum()), bos=int(self.bos.sum()), windows=len(w), full=sum(len(x[2]) == self.T for x in w),
                    docs=len(set(x[0] for x in w)))

    def values(self, site, layer, domain, unit):
        """The counted values of one unit and where they are."""
        x = self.sites[site, layer][:, unit]
        keep = ~self.bos & ~np.isnan(x)
        if site == "pred" and unit == 2:
            keep[:] = False
        if domain is not None:
            keep &= self.q == domain
        return x[keep], np.nonzero(keep)[0]


def moments(x):
    if len(x) == 0:
        return [math.nan] * 6
    if x.min() == x.max():
        return [x[0], x[0], x[0], 0.0, math.nan, math.nan]
    wide = x.astype(np.longdouble)
    return [x.min(), x.max(), float(wide.mean()), float(wide.var()), float(scipy.stats.skew(wide)), float(scipy.stats.kurtosis(wide, fisher=False))]


def order_statistics(x):
    x = np.sort(x)
    return [x[max(1, math.ceil(q * len(x))) - 1] if len(x) else math.nan for q in LEVELS]


def top(run, site, layer, unit, k):
    x, rows = run.values(site, layer, None, unit)
    where = [(-v, run.windows[run.w[i]][0], run.windows[run.w[i]][1], int(run.p[i]), run.windows[run.w[i]][2]) for v, i in zip(x, rows)]
    return [(-v, d, w, p, ids[:p + 1]) for v, d, w, p, ids in sorted(where)[:k]]


def number(x):
    return repr(float(x)) if isinstance(x, (float, np.floating)) else str(int(x))


def table(run, bin_width=16):
    print("totals", *[f"{k}={v}" for k, v in run.totals().items()], sep="\t")
    (layer, bits), = [(l, x) for (s, l), x in run.sites.items() if s == "ffn.active"]
    trig = {o: run.triggers(o) for o in (1, 2, 3)}
    for o in trig:
        print("ngrams", o, len(trig[o]), sum(len(i) for i in trig[o].values()), sep="\t")
    per = {o: np.array([bits[i].sum(axis=0) for i in trig[o].values()]) for o in trig}
    for f in range(bits.shape[1]):
        fired = bits[:, f] == 1
        at = run.p[fired & run.full]
        dp = ((run.q + 1) * (run.p // bin_width + 1))[fired & run.full]
        row = ["neuron", f, (fired & ~run.bos).sum(), (fired & run.bos).sum()]
        row += [(fired & ~run.bos & (run.q == q)).sum() for q in range(len(run.domains))] + [len(at), at.sum(), dp.sum()]
        for o in per:
            c = per[o][:, f]
            row += [(c > 0).sum(), c.max(), (c * c).sum()]
        print(*row, sep="\t")
    for (site, layer) in sorted(run.sites):
        if site == "ffn.active":
            continue
        for domain in [None] + (list(range(len(run.domains))) if site == "pred" else []):
            for u in range(run.sites[site, layer].shape[1]):
                x, _ = run.values(site, layer, domain, u)
                print("unit", site, -1 if domain is None else domain, u, len(x), *map(number, moments(x) + order_statistics(x)), sep="\t")
        for u in range(run.sites[site, layer].shape[1]):
            for k, (v, d, w, p, ids) in enumerate(top(run, site, layer, u, 10)):
                print("top", site, u, k, number(v), d, w, p, ids[-2] if p else NONE, ids[-1], sep="\t")


# ---- every number of a stats stream ----

def fail(*what):
    print("differs:", *what)
    sys.exit(1)


def same(what, a, b):
    if not np.array_equal(np.asarray(a), np.asarray(b)):
        fail(what, a, b)


def near(what, a, b, tol):
    if not (math.isnan(a) and math.isnan(b)) and not abs(a - b) <= tol:
        fail(what, a, b)


def number_of(planes):
    """[k, planes, bytes] -> counts [k, neurons]"""
    bits = np.unpackbits(planes, axis=2, bitorder="little").astype(np.int64)
    return (bits << np.arange(planes.shape[1])[None, :, None]).sum(axis=1)


def compare(run, stats):
    t = next(r for r in stats[1:] if r["r"] == "totals")
    for k, v in run.totals().items():
        same(k, t[k], v)
    same("domains", t["domains"], run.domains)
    same("domain_tokens", t["domain_tokens"], [(~run.bos & (run.q == q)).sum() for q in range(len(run.domains))])
    runs, seen, checked = [], collections.Counter(), 0
    trig, counts_at = {}, -1
    dropped = any(r["r"] == "lost_ngrams" for r in stats[1:])
    if dropped:
        fail("n-grams were dropped: compare a run with more --memory")
    for r in stats[1:]:
        kind, bits = r["r"], run.sites.get(("ffn.active", r.get("layer")))
        if kind == "ngrams":
            runs.append(r)
            seen[r["order"]] += len(r["n"])
            if r["order"] not in trig:
                trig[r["order"]] = run.triggers(r["order"])
            for key, n in zip(r["keys"], r["n"]):
                same(key, n, len(trig[r["order"]][tuple(int(x) for x in key)]))
                same("planes", r["planes"], int(n).bit_length())
        elif kind == "fires":
            same("all", r["all"], bits[~run.bos].sum(axis=0))
            same("bos", r["bos"], bits[run.bos].sum(axis=0))
            for q in range(len(run.domains)):
                same("domain", r["domain"][q], bits[~run.bos & (run.q == q)].sum(axis=0))
            counts_at = -1
        elif kind == "position":
            for i, row in enumerate(r["counts"]):
                same(("position", i), row, bits[run.full & (run.p == r["first"] + i)].sum(axis=0))
        elif kind == "domain_position":
            for i, row in enumerate(r["counts"]):
                same(("bin", i), row, bits[run.full & (run.q == r["domain"]) & (run.p // t["bin"] == r["first"] + i)].sum(axis=0))
        elif kind == "counts":
            counts_at += 1
            g = runs[counts_at]
            same("run", [g["order"], g["planes"], g["first"], len(g["n"])], [r["order"], r["planes"], r["first"], len(r["bits"])])
            for key, c in zip(g["keys"], number_of(r["bits"])):
                same(("count", r["layer"], key), c[:t["F"]], bits[trig[r["order"]][tuple(int(x) for x in key)]].sum(axis=0))
                same("past F", c[t["F"]:].sum(), 0)
                checked += t["F"]
        elif kind == "moments":
            for u in range(len(r["n"])):
                x, _ = run.values(r["site"], r["layer"], r.get("domain"), u)
                same(("n", u), r["n"][u], len(x))
                want = moments(x)
                spread = abs(want[2]) / math.sqrt(want[3]) if len(x) and want[3] else 0
                for name, v in zip(["min", "max", "mean", "var", "skew", "kurt"], want):
                    # float64 sums of float32 values, and long double here
                    near((r["site"], r["layer"], u, name), float(r[name][u]), v, (1e-11 + 1e-14 * spread) * max(1, abs(v)) if name not in ("min", "max") else 0)
                for got, v in zip(r["values"][:, u], order_statistics(x)):
                    near(("quantile", u), float(got), float(v), abs(v) / 32 + 2.0**-24 if v == v else 0)
                checked += 15
        elif kind == "histogram":
            at = 0
            for i, used in enumerate(r["used"]):
                x, _ = run.values(r["site"], r["layer"], r.get("domain"), r["first"] + i)
                mant, expo = np.frexp(np.abs(x))
                b = np.where(np.abs(x) < 2.0**-24, 0, ((expo - 1 + 24) * 16 + np.floor((mant * 2 - 1) * 16) + 1)) * np.where(x < 0, -1, 1)
                bins, counts = np.unique(b.astype(int), return_counts=True)
                same(("bins", i), r["bins"][at:at + used], bins)
                same(("bin counts", i), r["counts"][at:at + used], counts)
                at += used
                checked += int(used)
        elif kind == "top":
            for i in range(r["values"].shape[0]):
                want = top(run, r["site"], r["layer"], r["first"] + i, r["values"].shape[1])
                for k, (v, d, w, p, ids) in enumerate(want):
                    C = r["context"].shape[2]
                    same(("top", i, k), [r["values"][i, k], r["doc"][i, k], r["window"][i, k], r["pos"][i, k]], [np.float32(v), d, w, p])
                    same(("context", i, k), r["context"][i, k], ([NONE] * C + ids)[-C:])
                    checked += 4 + C
                same(("empty", i), np.isnan(r["values"][i, len(want):]).all(), True)
    for o in trig:
        same(("distinct", o), seen[o], len(trig[o]))
    print(f"every number is the same: {checked} compared, {dict(seen)} n-grams of orders 1, 2, 3, {t['tokens']} tokens")


if __name__ == "__main__":
    activations = Run(records(sys.argv[1]))
    if len(sys.argv) == 2:
        table(activations)
    else:
        compare(activations, records(sys.argv[2]))
