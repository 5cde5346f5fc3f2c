"""What transformers says at every point of the residual stream of some fixtures: tests/oracle/lens_reference.tsv, what each part of the last stream gives to
the logit of the next token: tests/oracle/parts_reference.tsv, and the tuned lens tests/data/tuned-lens.

    HF_HUB_OFFLINE=1 python3 tests/oracle/make_lens.py       needs what pipelines/reference.py needs

Float64, each window on its own.  Columns: fixture, lens, point (layer; L: the output), window, position, KL(final || lens) in nats, entropy in bits, loss in
nats, rank of the next token, top-1 token.  Lenses: own (final norm by the point's own scale), cached (by the last point's, and without biases; RMSNorm: by
nothing), mid (own, the points 0, 0.mid, 1, .. counted from 0), tuned (h + W h + b before the norm, W and b of tests/data/tuned-lens, random).  Streams and norms are taken from the model's own modules.

Of the parts: fixture, part, window, position, and the part's product with gain / scale (u[next] - mean u), the scale of the final norm that of the last stream;
bias: of the final norm's bias, and b[next] - mean b; total: the logit of the next token less the mean logit, which the others are asserted to sum to.
"""
import json
import math
import os
import sys

import numpy as np
import torch

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "pipelines"))
import reference  # noqa: E402

DATA = os.path.join(ROOT, "tests", "data")
FIXTURES = {"opt-preln": ["own", "cached", "mid"], "opt-postln": ["own", "mid"], "gpt2-plain": ["own", "cached", "tuned", "mid"], "gpt-neox-parallel": ["own"],
            "phi-gqa": ["own", "cached"], "llama-plain": ["own", "cached", "mid"], "qwen3-tied": ["own"]}


PARTS = ["opt-preln", "gpt2-plain", "llama-plain", "gpt-neox-parallel", "gpt-neox-sequential", "phi-half"]


def make_tuned(D, L):
    folder = os.path.join(DATA, "tuned-lens")
    os.makedirs(folder, exist_ok=True)
    rng = np.random.default_rng(5)
    state = {}
    for l in range(L):
        state[f"{l}.weight"] = torch.tensor(rng.standard_normal((D, D)) * 0.1, dtype=torch.float32)
        state[f"{l}.bias"] = torch.tensor(rng.standard_normal(D) * 0.1, dtype=torch.float32)
    torch.save(state, os.path.join(folder, "params.pt"))
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump({"base_model_name_or_path": "gpt2-plain", "d_model": D, "num_hidden_layers": L, "bias": True, "lens_type": "linear_tuned_lens"}, f, indent=1)
        f.write("\n")
    return {k: v.double() for k, v in state.items()}


def unembed(model, family, x):
    for name in family.tail:
        module = model
        for part in name.split("."):
            module = getattr(module, part, None)
            if module is None:
                break
        x = module(x) if module is not None else x
    return x


def norm_of(model, family):
    return model.get_submodule(family.tail[0])


def cached(model, family, x, last):
    """The final norm by the scale of the last point; without its bias and that of the unembedding."""
    norm, head = norm_of(model, family), model.get_submodule(family.tail[-1])
    eps = getattr(norm, "eps", None) or getattr(norm, "variance_epsilon", 0)
    if hasattr(norm, "variance_epsilon"):   # RMSNorm
        return (x * norm.weight) @ head.weight.T
    scale = (last.var(-1, unbiased=False, keepdim=True) + eps).sqrt()
    return ((x - x.mean(-1, keepdim=True)) / scale * norm.weight) @ head.weight.T


def measures(final, lens, ids):
    p, q = final.log_softmax(-1), lens.log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1)
    entropy = -(q.exp() * q).sum(-1) / math.log(2)
    for t in range(len(ids)):
        last = t + 1 == len(ids)
        loss = math.nan if last else -q[t, ids[t + 1]].item()
        rank = math.nan if last else int((lens[t] > lens[t, ids[t + 1]]).sum())
        yield t, kl[t].item(), entropy[t].item(), loss, rank, int(lens[t].argmax())


def parts(model, family, got, ids):
    """(part, position, value) of one window."""
    L, norm, head = model.config.num_hidden_layers, norm_of(model, family), model.get_submodule(family.tail[-1])
    eps, rms = getattr(norm, "eps", None) or getattr(norm, "variance_epsilon", 0), hasattr(norm, "variance_epsilon")
    last = torch.tensor(got["resid.post", L - 1])
    centred = lambda x: x if rms else x - x.mean(-1, keepdim=True)
    scale = ((centred(last) ** 2).mean(-1, keepdim=True) + eps).sqrt()
    u = head.weight - head.weight.mean(0)
    b = torch.zeros(len(u), dtype=torch.float64) if head.bias is None else head.bias - head.bias.mean()
    streams = [("embed", got["resid.pre", 0])]
    for i in range(L):
        streams += [(f"attn.{i}", got["attn.out", i]), (f"ffn.{i}", got["ffn.out", i])]
    logits = unembed(model, family, last)
    for t in range(len(ids) - 1):
        values = [(n, (centred(torch.tensor(x))[t] / scale[t] * norm.weight @ u[ids[t + 1]]).item()) for n, x in streams]
        values.append(("bias", (b[ids[t + 1]] + (0 if rms else norm.bias @ u[ids[t + 1]])).item()))
        total = (logits[t, ids[t + 1]] - logits[t].mean()).item()
        assert abs(sum(v for _, v in values) - total) < 1e-10
        yield from ((n, t, v) for n, v in [*values, ("total", total)])


def write_parts():
    with open(os.path.join(ROOT, "tests", "oracle", "parts_reference.tsv"), "w") as out:
        for name in PARTS:
            folder = os.path.join(DATA, name)
            with open(os.path.join(folder, "tokens.nf"), "rb") as f:
                _, _, windows, _ = reference.read_tokens(f)
            model = reference.load(folder, torch.float64)
            family = reference.family_of(model.config)
            tap = reference.Tap(model, ["resid.pre", "resid.post", "attn.out", "ffn.out"])
            for w, (_, window) in enumerate(windows):
                ids = window["ids"].tolist()
                got = tap.run(ids)
                with torch.no_grad(), reference.Keep64():
                    for part, t, v in parts(model, family, got, ids):
                        out.write(f"{name}\t{part}\t{w}\t{t}\t{v:.9g}\n")


def main():
    rows = []
    for name, lenses in FIXTURES.items():
        folder = os.path.join(DATA, name)
        with open(os.path.join(folder, "tokens.nf"), "rb") as f:
            _, _, windows, _ = reference.read_tokens(f)
        model = reference.load(folder, torch.float64)
        family, L = reference.family_of(model.config), model.config.num_hidden_layers
        tap = reference.Tap(model, ["resid.pre", "resid.post"] + (["resid.mid"] if "mid" in lenses else []))
        tuned = make_tuned(model.config.hidden_size, L) if "tuned" in lenses else {}
        for w, (_, window) in enumerate(windows):
            ids = window["ids"].tolist()
            got = tap.run(ids)
            h = [torch.tensor(got["resid.pre", i]) for i in range(L)] + [torch.tensor(got["resid.post", L - 1])]
            with torch.no_grad(), reference.Keep64():
                final = unembed(model, family, h[L])
                for lens in lenses:
                    for point in range(2 * L + 1 if lens == "mid" else L + 1):
                        x = h[point] if lens != "mid" else torch.tensor(got["resid.mid", point // 2]) if point % 2 else h[point // 2]
                        if lens == "tuned" and point < L:
                            x = x + x @ tuned[f"{point}.weight"].T + tuned[f"{point}.bias"]
                        logits = cached(model, family, x, h[L]) if lens == "cached" else unembed(model, family, x)
                        for t, *values in measures(final, logits, ids):
                            rows.append([name, lens, point, w, t] + [f"{v:.9g}" for v in values])
    with open(os.path.join(ROOT, "tests", "oracle", "lens_reference.tsv"), "w") as f:
        for r in rows:
            f.write("\t".join(str(v) for v in r) + "\n")
    print(len(rows), "rows")
    write_parts()


if __name__ == "__main__":
    main()
