#!/usr/bin/env python3
"""What interventions do to the predictions of transformers in float64: numbers to hold `lesion` against.

    HF_HUB_OFFLINE=1 python3 tests/oracle/make_lesions.py > tests/oracle/lesions_reference.tsv

The models and windows are those of tests/data/NAME.  Blocks are taken out, put in and put in another order in the model's own list of modules; attention,
FFN, heads and neurons are silenced by hooks.  Nothing of lib/model/lesion is shared: an intervention is written down here a second time, as its
definition says it.  A line is a window:

  model  intervention  doc  window  KL(p||q) in nats  entropy of q in bits  loss of q in nats  top-1 token of q

The last four are lists, a value a position; p is the model itself, q the changed one; the loss at the last position, which has no next token, is nan.

Needs what pipelines/reference.py needs.
"""
import math
import os
import sys

import numpy as np
import torch
import transformers

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "pipelines"))
from reference import Keep64, family_of, load, read_tokens  # noqa: E402

MODELS = ("opt-preln", "opt-postln", "gpt2-plain", "gpt-neox-parallel", "llama-plain", "phi-gqa")
OUTPUT_MAP = {"opt": "out_proj", "gpt2": "c_proj", "gpt_neox": "dense", "llama": "o_proj", "phi": "dense"}   # of attention, behind the heads
NEURONS = ((0, 3), (0, 11), (1, 0))

first = lambda out: out[0] if isinstance(out, tuple) else out


class Together(torch.nn.Module):
    """Blocks that all read the same stream; the mean of what they hand on goes on."""

    def __init__(self, blocks):
        super().__init__()
        self.blocks = torch.nn.ModuleList(blocks)

    def forward(self, *args, **kwargs):
        outs = [b(*args, **kwargs) for b in self.blocks]
        mean = sum(first(o) for o in outs) / len(outs)
        return (mean, *outs[0][1:]) if isinstance(outs[0], tuple) else mean


def orders(blocks):
    """{intervention: the list of modules that runs}.  Two blocks, a and b."""
    a, b = blocks
    return {"none": [a, b], "drop 0": [b], "drop 1": [a], "swap 0": [b, a], "repeat 0:1": [a, a, b], "repeat 1:2": [a, b, b],
            "repeat 0:2": [a, a, b, b], "skip 0:1": [b], "skip 0:2": [], "reverse 0:2": [b, a], "parallel 0:2": [Together([a, b])], "move 0:1": [b, a],
            "move 1:0": [b, a], "replace 0:1": [b, b], "replace 1:0": [a, a]}


def put(columns, value=0.0):
    """Hook before a map: these of its inputs are `value`, zero or one number each."""
    def hook(_, args):
        x = args[0].clone()
        x[..., columns] = value
        return (x, *args[1:])
    return hook


def silence(_m, _a, out):
    return (torch.zeros_like(out[0]), *out[1:]) if isinstance(out, tuple) else torch.zeros_like(out)


def means(model, windows):
    """Of each layer what enters the output map of the FFN, [F], on average over all positions but BOS."""
    f, seen = family_of(model.config), {}
    blocks = model.get_submodule(f.layers)
    handles = [b.get_submodule(f.down).register_forward_pre_hook(lambda _, args, i=i: seen.setdefault(i, []).append(args[0].reshape(-1, args[0].shape[-1])))
               for i, b in enumerate(blocks)]
    keep = []
    for _, w in windows:
        logits(model, w["ids"].tolist())
        keep += [not (t == 0 and w["bos"]) for t in range(len(w["ids"]))]
    for h in handles:
        h.remove()
    return [torch.cat(seen[i])[torch.tensor(keep)].mean(dim=0) for i in range(len(blocks))]


def hooks(model, mean):
    """{intervention: [(module, hook, whether it comes before)]}."""
    c, f = model.config, family_of(model.config)
    K, found = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads, {}
    for i, block in enumerate(model.get_submodule(f.layers)):
        attention, down = block.get_submodule(f.attention), block.get_submodule(f.down)
        found[f"drop-attention {i}"] = [(attention, silence, False)]
        found[f"drop-ffn {i}"] = [(down, silence, False)]
        for h in (0, c.num_attention_heads - 1):
            found[f"drop-head {i}.{h}"] = [(attention.get_submodule(OUTPUT_MAP[c.model_type]), put(slice(h * K, (h + 1) * K)), True)]
        own = [n for layer, n in NEURONS if layer == i]
        found.setdefault(f"neurons ({len(NEURONS)})", []).append((down, put(own), True))
        found.setdefault(f"neurons ({len(NEURONS)}) at mean", []).append((down, put(own, mean[i][own]), True))
    return found


def logits(model, ids):
    """Log-probabilities [T, V] of one window."""
    with torch.no_grad(), Keep64():
        x = model(torch.tensor([ids]), use_cache=False).logits[0]
    return torch.log_softmax(x, dim=1).numpy()


def reorder(model, blocks):
    *path, last = family_of(model.config).layers.split(".")
    setattr(model.get_submodule(".".join(path)), last, torch.nn.ModuleList(blocks))
    model.config.num_hidden_layers = len(blocks)


def interventions(model, ids, mean):
    """(name, log-probabilities)."""
    whole = list(model.get_submodule(family_of(model.config).layers))
    for name, blocks in orders(whole).items():
        reorder(model, blocks)
        yield name, logits(model, ids)
    reorder(model, whole)
    for name, what in hooks(model, mean).items():
        handles = [m.register_forward_pre_hook(h) if before else m.register_forward_hook(h) for m, h, before in what]
        yield name, logits(model, ids)
        for h in handles:
            h.remove()


def measures(p, q, ids):
    """Four lists over positions."""
    T = len(ids)
    kl = (np.exp(p) * (p - q)).sum(axis=1)
    entropy = -(np.exp(q) * q).sum(axis=1) / math.log(2)
    loss = [-q[t, ids[t + 1]] for t in range(T - 1)] + [math.nan]
    return kl, entropy, loss, q.argmax(axis=1)


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in MODELS:
        folder = os.path.join(ROOT, "tests", "data", name)
        model = load(folder, torch.float64)
        with open(os.path.join(folder, "tokens.nf"), "rb") as f:
            windows = read_tokens(f)[2]
        mean = means(model, windows)
        for _, w in windows:
            ids, p = w["ids"].tolist(), None
            for intervention, q in interventions(model, ids, mean):
                p = q if p is None else p
                print(name, intervention, w["doc"], w["window"], *(" ".join(f"{v:.8g}" for v in column) for column in measures(p, q, ids)), sep="\t")


if __name__ == "__main__":
    main()
