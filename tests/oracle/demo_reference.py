#!/usr/bin/env python3
"""Numbers of the demonstration study, made without any of this project's code.

    demo_reference.py MODEL CORPUS > tests/oracle/demo_reference.tsv

tokenizers cuts the text, transformers runs the model (float32, eager attention), NumPy counts.  One document a file, windows of 512 that begin with
</s>.  Columns: layer, dead (no firing outside BOS), firings outside BOS, token / bigram / trigram detectors (bottom half, rules of Voita et al. sections 4.2
and A.2; bigrams with 50 as for trigrams), positional neurons (bias-corrected mutual information > 0.05), and the mean over alive neurons of the covering
numbers of orders 1 to 3.

Needs torch, transformers, tokenizers, numpy.
"""
import glob
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import OPTForCausalLM

T, BOS, MOST = 512, 2, {1: 5, 2: 50, 3: 50}


def windows(tokenizer, corpus):
    for path in sorted(glob.glob(corpus + "/*/*")):
        ids = tokenizer.encode(open(path, "rb").read().decode(), add_special_tokens=False).ids
        for start in range(0, len(ids), T - 1):
            yield [BOS] + ids[start:start + T - 1]


def bits_of(model, wins):
    got = [[] for _ in model.model.decoder.layers]
    for l, layer in enumerate(model.model.decoder.layers):
        layer.fc1.register_forward_hook(lambda m, i, o, l=l: got[l].append((o.detach().reshape(-1, o.shape[-1]) > 0).numpy()))
    with torch.no_grad():
        for w in wins:
            model.model(torch.tensor([w]))
    return [np.concatenate(g) for g in got]


def grams(wins, order):
    """The n-gram that ends at each position as one integer; -1 where there is none."""
    out = []
    for w in wins:
        for p in range(len(w)):
            g = -1
            if p - order + 1 >= 1:
                g = 0
                for t in w[p - order + 1:p + 1]:
                    g = g << 16 | t
            out.append(g)
    return np.array(out, dtype=np.int64)


def triggers(gram, occurs, fired, order):
    """Covering number, and whether the three conditions hold."""
    g = gram[fired & (gram >= 0)]
    if g.size == 0:
        return 0, False
    _, c = np.unique(g, return_counts=True)
    keys = np.unique(g)
    top = np.sort(c)[::-1].cumsum()
    m = int(np.argmax(20 * top >= 19 * g.size)) + 1
    covered = c[20 * c >= 19 * occurs[keys]].sum()
    return m, m <= MOST[order] and 20 * covered >= 19 * g.size


def information(at, n):
    x = at / n
    f = x.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        a = np.where(x > 0, x * np.log(x / f), 0)
        b = np.where(x < 1, (1 - x) * np.log((1 - x) / (1 - f)), 0)
    return (a + b).mean() - (T - 1) / (2 * n * T)


def main():
    torch.set_num_threads(1)
    model = OPTForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32, attn_implementation="eager").eval()
    wins = list(windows(Tokenizer.from_file(sys.argv[1] + "/tokenizer.json"), sys.argv[2]))
    bits = bits_of(model, wins)
    pos = np.concatenate([np.arange(len(w)) for w in wins])
    full = np.concatenate([np.full(len(w), len(w) == T) for w in wins])
    n_full = sum(len(w) == T for w in wins)
    gram = {}
    occurs = {}
    for order in (1, 2, 3):
        g = grams(wins, order)
        keys, dense = np.unique(g, return_inverse=True)
        dense = np.where(g < 0, -1, dense)
        gram[order] = dense
        occurs[order] = np.bincount(dense[dense >= 0], minlength=keys.size)
    print(f"# windows {len(wins)} full {n_full} tokens {len(pos)} bos {len(wins)}")
    print("layer\tdead\tfires\ttoken\tbigram\ttrigram\tpositional\tcover1\tcover2\tcover3")
    for l, b in enumerate(bits):
        fires = b[pos > 0].sum(0)
        alive = np.flatnonzero(fires)
        found, cover = {1: 0, 2: 0, 3: 0}, {1: [], 2: [], 3: []}
        if l < len(bits) // 2:
            for n in alive:
                for order in (1, 2, 3):
                    m, detector = triggers(gram[order], occurs[order], b[:, n], order)
                    cover[order].append(m)
                    found[order] += bool(detector)
        at = np.zeros((T, b.shape[1]))
        np.add.at(at, pos[full], b[full])
        positional = sum(information(at[:, n], n_full) > 0.05 for n in np.flatnonzero(b.any(0)))
        means = "\t".join("%.4f" % np.mean(cover[o]) if cover[o] else "-" for o in (1, 2, 3))
        print(f"{l}\t{(fires == 0).sum()}\t{fires.sum()}\t{found[1]}\t{found[2]}\t{found[3]}\t{positional}\t{means}", flush=True)


main()
