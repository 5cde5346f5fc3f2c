"""Make tiny random OPT checkpoints and what transformers computes on them: tests/data/opt-*/.

    HF_HUB_OFFLINE=1 python3 tests/oracle/make_oracle.py       needs torch, transformers, safetensors, numpy, msgpack, msgpack-numpy, zstandard

    opt-preln    pre-LN (125m, 1.3b, ...), F16, one file
    opt-postln   the 350m's layout: post-LN, project_in and project_out, no final LN; BF16, one file, names without "model."
    opt-nopos    no position embeddings, F32, three shards
    opt-bare     no biases, LayerNorm without gain and bias, no final LN, an unembedding of its own; F32, one file

Each holds config.json, safetensors, tokens.nf (windows of 1, all, and some positions), and <site>.nf: the stream that forward-capture should
write for that site alone.  The numbers are those of a float64 run of transformers (eager attention, its softmax in float64 too, each window on
its own), rounded to float32 at the end, so a comparison sees our rounding only.  README.txt beside this script: the largest difference between
transformers in float32 and in float64, site by site - what any float32 forward pass may be off by.

No pre-activation lies within MARGIN of zero (the seed is chosen so), so ffn.active has to agree bit for bit.
"""
import json
import math
import os
import struct
import sys

import msgpack
import msgpack_numpy
import numpy as np
import torch
import torch.nn.functional as F
import transformers
import zstandard

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
DATA = os.path.join(ROOT, "data")
MARGIN = 1e-4
LAYERS, V, CONTEXT = 2, 43, 21
WINDOWS = [1, CONTEXT, 6, 18]
SITES = ["resid.pre", "attn.local", "attn.out", "resid.mid", "ffn.pre", "ffn.active", "ffn.act", "ffn.out", "resid.post", "norms", "pred", "logits"]
UNITS = ["model units", "share of attention", "model units", "model units", "model units", "bit: pre-activation > 0", "model units", "model units",
         "model units", "5 norms in model units, 3 cosines", "loss in nats, entropy in bits, id, rank", "nats"]
COMMON = {"architectures": ["OPTForCausalLM"], "model_type": "opt", "vocab_size": V, "num_hidden_layers": LAYERS, "activation_function": "relu",
          "max_position_embeddings": CONTEXT, "bos_token_id": 2, "eos_token_id": 2, "pad_token_id": 1, "dropout": 0.0, "torch_dtype": "float32"}
MODELS = {
    "opt-preln": ({"hidden_size": 20, "num_attention_heads": 4, "ffn_dim": 37, "word_embed_proj_dim": 20, "do_layer_norm_before": True,
                   "_remove_final_layer_norm": False}, "F16", "model.decoder.", 1),
    "opt-postln": ({"hidden_size": 20, "num_attention_heads": 5, "ffn_dim": 33, "word_embed_proj_dim": 12, "do_layer_norm_before": False}, "BF16",
                   "decoder.", 1),
    "opt-nopos": ({"hidden_size": 18, "num_attention_heads": 2, "ffn_dim": 24, "word_embed_proj_dim": 18, "position_embedding_type": "none"}, "F32",
                  "model.decoder.", 3),
    "opt-bare": ({"hidden_size": 14, "num_attention_heads": 2, "ffn_dim": 29, "word_embed_proj_dim": 14, "enable_bias": False,
                  "layer_norm_elementwise_affine": False, "_remove_final_layer_norm": True, "tie_word_embeddings": False}, "F32", "model.decoder.", 1),
}


def shapes(c):
    """Names (without prefix) and shapes of the tensors, as FORMAT of the checkpoint has them."""
    D, E, Fw = c["hidden_size"], c["word_embed_proj_dim"], c["ffn_dim"]
    bias, affine = c.get("enable_bias", True), c.get("layer_norm_elementwise_affine", True)
    out = {"embed_tokens.weight": (V, E)}
    if c.get("position_embedding_type") != "none":
        out["embed_positions.weight"] = (CONTEXT + 2, D)
    if E != D:
        out |= {"project_in.weight": (D, E), "project_out.weight": (E, D)}
    if c.get("do_layer_norm_before", True) and not c.get("_remove_final_layer_norm") and affine:
        out |= {"final_layer_norm.weight": (D,), "final_layer_norm.bias": (D,)}
    for layer in range(LAYERS):
        p = f"layers.{layer}."
        linear = [("self_attn.q_proj", D, D), ("self_attn.k_proj", D, D), ("self_attn.v_proj", D, D), ("self_attn.out_proj", D, D),
                  ("fc1", Fw, D), ("fc2", D, Fw)]
        for name, n, k in linear:
            out[p + name + ".weight"] = (n, k)
            if bias:
                out[p + name + ".bias"] = (n,)
        if affine:
            for name in ("self_attn_layer_norm", "final_layer_norm"):
                out |= {p + name + ".weight": (D,), p + name + ".bias": (D,)}
    return out


def make_weights(c, prefix, rng):
    w = {}
    for name, shape in shapes(c).items():
        x = rng.standard_normal(shape) * (0.5 if len(shape) == 1 else 1 / math.sqrt(shape[-1]))
        if name.endswith("embed_tokens.weight"):
            x *= 2
        if "layer_norm.weight" in name:
            x = 1 + 0.3 * x
        w[prefix + name] = x
    if c.get("tie_word_embeddings") is False:
        w["lm_head.weight"] = rng.standard_normal((V, c["word_embed_proj_dim"])) / 2
    return w


def encode(x, dtype):
    if dtype == "BF16":
        return torch.tensor(x, dtype=torch.float32).to(torch.bfloat16).view(torch.uint16).numpy().tobytes()
    return x.astype("<f2" if dtype == "F16" else "<f4").tobytes()


def write_safetensors(path, tensors, dtype):
    header, blobs, at = {}, [], 0
    for name, x in tensors.items():
        b = encode(x, dtype)
        header[name] = {"dtype": dtype, "shape": list(x.shape), "data_offsets": [at, at + len(b)]}
        blobs.append(b)
        at += len(b)
    text = json.dumps(header, separators=(",", ":")).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def write_checkpoint(folder, config, tensors, dtype, shards):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f, indent=2)
        f.write("\n")
    if shards == 1:
        write_safetensors(os.path.join(folder, "model.safetensors"), tensors, dtype)
        return
    names, index = list(tensors), {}
    for k in range(shards):
        file = f"model-{k + 1:05}-of-{shards:05}.safetensors"
        part = names[k::shards]
        write_safetensors(os.path.join(folder, file), {n: tensors[n] for n in part}, dtype)
        index |= {n: file for n in part}
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {}, "weight_map": index}, f, indent=1)
        f.write("\n")


def softmax64(plain):
    """transformers computes the softmax of attention in float32 whatever the model's type: not in the float64 run."""
    return lambda x, dim=None, dtype=None, **kw: plain(x, dim=dim, dtype=x.dtype if x.dtype == torch.float64 else dtype, **kw)


class Tap:
    """Hooks on the modules of transformers: inputs and outputs of one window."""

    def __init__(self, model, config):
        self.got, self.post = {}, not config.get("do_layer_norm_before", True)
        for i, layer in enumerate(model.model.decoder.layers):
            layer.register_forward_pre_hook(self.save_in(("resid.pre", i)), with_kwargs=True)
            layer.register_forward_hook(self.save_out(("resid.post", i)))
            layer.self_attn.register_forward_hook(self.save_attention(i))
            layer.fc1.register_forward_hook(self.save_out(("ffn.pre", i)))
            layer.fc2.register_forward_hook(self.save_out(("ffn.out", i)))
            layer.activation_fn = Activation(layer.activation_fn, self.got, i)
            if self.post:
                layer.self_attn_layer_norm.register_forward_hook(self.save_out(("resid.mid", i)))

    def save_in(self, key):
        def hook(_, args, kwargs):
            self.got[key] = rows(args[0] if args else kwargs["hidden_states"])
        return hook

    def save_out(self, key):
        def hook(_m, _i, out):
            self.got[key] = rows(out[0] if isinstance(out, tuple) else out)
        return hook

    def save_attention(self, i):
        def hook(_m, _i, out):
            self.got["attn.out", i] = rows(out[0])
            self.got["weights", i] = out[1].detach()[0].numpy().astype(np.float64)   # [H,T,T]
        return hook


class Activation(torch.nn.Module):
    def __init__(self, inner, got, i):
        super().__init__()
        self.inner, self.got, self.i = inner, got, i

    def forward(self, x):
        y = self.inner(x)
        self.got["ffn.act", self.i] = rows(y)
        return y


def rows(x):
    return x.detach().reshape(-1, x.shape[-1]).numpy().astype(np.float64)


def local(p):
    """[H,T,T] -> [T,H,7]: attention on the 1, 2, 4, 5, 8, 16 positions before (self excluded), then on position 0."""
    H, T, _ = p.shape
    out = np.zeros((T, H, 7))
    for t in range(T):
        for n, w in enumerate((1, 2, 4, 5, 8, 16)):
            out[t, :, n] = p[:, t, max(t - w, 0):t].sum(axis=1)
        out[t, :, 6] = p[:, t, 0]
    return out


def norms(g, i):
    pre, post, attn, ffn = (g[k, i] for k in ("resid.pre", "resid.post", "attn.out", "ffn.out"))
    block = attn + ffn
    n = lambda x: np.linalg.norm(x, axis=1)
    cos = lambda x, y: (x * y).sum(axis=1) / (n(x) * n(y))
    return np.stack([n(attn), n(ffn), n(block), n(pre), n(post), cos(block, pre), cos(attn, pre), cos(pre, post)], axis=1)


def pred(logits, ids):
    T = len(ids)
    logp = logits - np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)) - logits.max(axis=1, keepdims=True)
    out = np.full((T, 4), np.nan)
    out[:, 1] = -(np.exp(logp) * logp).sum(axis=1) / math.log(2)
    out[:, 2] = logits.argmax(axis=1)
    for t in range(T - 1):
        out[t, 0] = -logp[t, ids[t + 1]]
        out[t, 3] = (logits[t] > logits[t, ids[t + 1]]).sum()
    return out


def run(folder, config, dtype, windows):
    """Every site of every window, one window at a time: {(site, layer): [T, ...]}."""
    model, info = transformers.OPTForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    allowed = {"lm_head.weight"} if config.get("tie_word_embeddings", True) else set()
    if config.get("position_embedding_type") == "none":
        allowed |= {"model.decoder.embed_positions.weight"}
    if set(info["missing_keys"]) - allowed or info["unexpected_keys"] or info["mismatched_keys"]:
        sys.exit(f"{folder}: not loaded as it should be: {info}")
    model = model.eval().to(dtype)
    if config.get("position_embedding_type") == "none":
        torch.nn.init.zeros_(model.model.decoder.embed_positions.weight)
    tap, parts = Tap(model, config), []
    for ids in windows:
        with torch.no_grad():
            logits = rows(model(torch.tensor([ids]), use_cache=False).logits)
        g = dict(tap.got)
        for i in range(LAYERS):
            g.setdefault(("resid.mid", i), g["resid.pre", i] + g["attn.out", i])
            g["attn.local", i] = local(g["weights", i])
            g["norms", i] = norms(g, i)
            g["ffn.active", i] = g["ffn.pre", i] > 0
        g["logits", LAYERS], g["pred", LAYERS] = logits, pred(logits, ids)
        parts.append(g)
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0] if k[0] != "weights"}


def write_stream(path, head, records, totals):
    end = {"r": "end", "records": len(records), "totals": totals}
    data = b"".join(msgpack.packb(o, default=msgpack_numpy.encode) for o in [head, *records, end])
    with open(path, "wb") as f:
        f.write(zstandard.ZstdCompressor(level=19, write_checksum=True, write_content_size=False).compress(data))


def write_streams(folder, config, windows, sites):
    header = {"format": "neurofilters", "version": 1, "kind": "tokens",
              "tokenizer": {"digest": "00" * 32, "type": "byte-level-bpe", "vocab": V, "bos": "always", "bos_id": 2}, "context": CONTEXT, "history": []}
    vocab = [{"r": "vocab", "first": 0, "tokens": [b"%d" % i for i in range(V)]}, {"r": "special", "ids": np.array([0, 1, 2], "<u4")},
             {"r": "doc", "doc": 0, "name": "random", "domain": "random"}]
    starts = np.concatenate([[0], np.cumsum([len(w) - 1 for w in windows])[:-1]]).astype("<u4")
    tokens = [{"r": "window", "doc": 0, "window": i, "start": int(starts[i]), "bos": True, "ids": np.array(w, "<u4")} for i, w in enumerate(windows)]
    write_stream(os.path.join(folder, "tokens.nf"), header, vocab + tokens,
                 {"tokens": sum(WINDOWS), "bos": len(WINDOWS), "windows": len(WINDOWS), "full": WINDOWS.count(CONTEXT), "docs": 1, "bytes": 0})
    batch = {"r": "batch", "batch": 0, "doc": np.zeros(len(windows), "<u4"), "window": np.arange(len(windows), dtype="<u4"), "start": starts,
             "length": np.array([len(w) for w in windows], "<u4"), "bos": np.ones(len(windows), "|u1"), "ids": np.array(sum(windows, []), "<u4")}
    for site, unit in zip(SITES, UNITS):
        layers = [LAYERS] if site in ("pred", "logits") else list(range(LAYERS))
        width = int(np.prod(sites[site, layers[0]].shape[1:]))
        active = site == "ffn.active"
        head = header | {"kind": "activations", "bitorder": "little", "capture": {"positions": [0, None], "near_zero": MARGIN},
                         "sites": [{"site": site, "layers": layers, "dtype": "u8" if active else "f32", "width": width, "unit": unit}]}
        records = []
        for layer in layers:
            x = sites[site, layer]
            data = np.packbits(x, axis=1, bitorder="little") if active else x.astype("<f4")
            records.append({"r": "site", "batch": 0, "site": site, "layer": layer, "row": 0} | ({"near_zero": 0} if active else {}) | {"data": data})
        write_stream(os.path.join(folder, site + ".nf"), head, vocab + [batch] + records,
                     {"tokens": sum(WINDOWS), "windows": len(WINDOWS), "batches": 1, "rows": sum(WINDOWS)})


def clear_of_zero(sites):
    """No pre-activation where rounding could turn its sign; the top logits and the target's rank not tied within rounding."""
    if min(np.abs(sites["ffn.pre", i]).min() for i in range(LAYERS)) < 2 * MARGIN:
        return False
    logits = np.sort(sites["logits", LAYERS], axis=1)
    return np.diff(logits, axis=1).min() > 2 * MARGIN / 10


def make(name, report):
    config, dtype, prefix, shards = MODELS[name]
    config = COMMON | config
    folder = os.path.join(DATA, name)
    for seed in range(1000):
        rng = np.random.default_rng([seed, len(name)])
        tensors = make_weights(config, prefix, rng)
        windows = [[2] + [int(i) for i in rng.integers(3, V, n - 1)] for n in WINDOWS]
        write_checkpoint(folder, config, tensors, dtype, shards)
        want = run(folder, config, torch.float64, windows)
        if clear_of_zero(want):
            break
    else:
        sys.exit(f"{name}: no seed keeps the pre-activations away from zero")
    got = run(folder, config, torch.float32, windows)
    write_streams(folder, config, windows, want)
    for site in SITES:
        worst = max(np.nanmax(np.abs(got[k].astype(float) - want[k].astype(float))) for k in want if k[0] == site)
        size = max(np.nanmax(np.abs(want[k].astype(float))) for k in want if k[0] == site)
        report.append(f"{name:<12} {site:<12} {worst:10.2g} {size:10.3g}")
    print(f"{name}: seed {seed}")


def main():
    torch.nn.functional.softmax = softmax64(F.softmax)
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    report = [f"torch {torch.__version__}, transformers {transformers.__version__}: float32 against float64, largest difference and largest value", "",
              f"{'model':<12} {'site':<12} {'difference':>10} {'value':>10}"]
    for name in MODELS:
        make(name, report)
    with open(os.path.join(ROOT, "oracle", "README.txt"), "w") as f:
        f.write("\n".join(report) + "\n")


if __name__ == "__main__":
    main()
