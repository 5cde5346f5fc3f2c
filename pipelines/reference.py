#!/usr/bin/env python3
"""What transformers computes inside a model, as a stream of kind activations: numbers to hold forward-capture against.

    tokenize -m DIR TEXT | pipelines/reference.py -m DIR > reference.nf
    forward-capture -m DIR --sites SITE,... < tokens.nf | stream-diff --nan-equal --atol 1e-4 - reference.nf

Each window runs on its own (eager attention, no padding, no cache), by default in float64; hooks on the modules of transformers take what goes in and
comes out, and the numbers are rounded to float32 at the end.  The header's "reference" says how they were made:

    dtype, torch, transformers
    noise     (float64 only) for each site, the largest difference between transformers in float32 and in float64: what any float32 forward pass may
              be off by.  pred: of loss and entropy alone, for ranks jump where logits are nearly tied.  ffn.active: how many bits differ
    largest   for each site, its largest value, which the noise belongs to

What transformers does in float32 whatever the model's type - softmax, RMSNorm, the scores of GPT-Neo - is float64 in the float64 run.  One thing
stays float32, because it is a table and no rounding of a run: the angles of rotary positions and their sines and cosines.

Sites are those of forward-capture (lib/stream/FORMAT.md, section 4.3), all of them unless --sites chooses.  resid.mid is left out where blocks are
parallel (GPT-NeoX with use_parallel_residual, Phi), ffn.up where the FFN is not gated.

The model must load as it should: a weight that is missing, has the wrong shape or is not used stops the program.  Memory: 8 bytes a parameter for
float64, 4 more for the noise (--no-noise), and the chosen sites of a window; the sites of the others wait in a temporary file.

Needs torch, transformers, numpy, msgpack, msgpack-numpy, zstandard.
"""
import argparse
import hashlib
import io
import json
import math
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass

import msgpack
import msgpack_numpy
import numpy as np
import torch
import transformers
import zstandard
from torch.overrides import TorchFunctionMode
from transformers.utils import cached_file

VERSION = "0.1.0"
RECORD_BYTES = 8 << 20   # of a record's tensor; a record may have 16 MiB
UNITS = {"resid.pre": "model units", "attn.local": "share of attention", "attn.out": "model units", "resid.mid": "model units",
         "ffn.pre": "model units", "ffn.up": "model units", "ffn.active": "bit: pre-activation > 0", "ffn.act": "model units",
         "ffn.out": "model units", "resid.post": "model units", "norms": "5 norms in model units, 3 cosines",
         "pred": "loss in nats, entropy in bits, id, rank", "logits": "nats"}   # in the order of a layer's records
FINAL = ("logits", "pred")   # as layer L, in the order of records
SHORT = {torch.float64: "f64", torch.float32: "f32", torch.bfloat16: "bf16"}


@dataclass(frozen=True)
class Family:
    """Where a model of transformers has its parts: names of modules, those of a layer relative to it; None: it has no such thing."""
    layers: str
    attention: str   # returns what is added to the stream, and the shares of attention
    pre: str         # linear map in front of the activation function
    up: str | None   # gated FFN: the map whose output the activation is multiplied with
    down: str        # linear map back into the stream
    mid: str | None  # the norm that reads the stream between attention and FFN
    tail: tuple      # from the stream behind the last block to the logits
    parallel: bool = False
    post: bool = False   # norms behind the sums: `mid` writes the stream


def family_of(c):
    """The table of families; c is the model's configuration."""
    gpt = ("transformer.h", "attn", "mlp.c_fc", None, "mlp.c_proj", "ln_2", ("transformer.ln_f", "lm_head"))
    llama = ("model.layers", "self_attn", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "post_attention_layernorm", ("model.norm", "lm_head"))
    if c.model_type in ("gpt2", "gpt_neo"):
        return Family(*gpt)
    if c.model_type in ("llama", "mistral", "qwen2", "qwen3"):
        return Family(*llama)
    if c.model_type == "gpt_neox":
        return Family("gpt_neox.layers", "attention", "mlp.dense_h_to_4h", None, "mlp.dense_4h_to_h", "post_attention_layernorm",
                      ("gpt_neox.final_layer_norm", "lm_head"), parallel=c.use_parallel_residual)
    if c.model_type == "phi":
        return Family("model.layers", "self_attn", "mlp.fc1", None, "mlp.fc2", None, ("model.final_layernorm", "lm_head"), parallel=True)
    if c.model_type == "opt":
        post = not c.do_layer_norm_before
        return Family("model.decoder.layers", "self_attn", "fc1", None, "fc2", "self_attn_layer_norm" if post else "final_layer_norm",
                      ("model.decoder.final_layer_norm", "model.decoder.project_out", "lm_head"), post=post)
    sys.exit(f"model_type {c.model_type}: not one of opt gpt2 gpt_neo gpt_neox phi llama mistral qwen2 qwen3")


def sites_of(family):
    """What such a model has, in the order of UNITS."""
    missing = {"resid.mid"} if family.parallel else set()
    return [s for s in UNITS if s not in missing and (s != "ffn.up" or family.up)]


def load(name, dtype, revision=None):
    """The model, all of whose weights came from the checkpoint."""
    model, info = transformers.AutoModelForCausalLM.from_pretrained(name, revision=revision, dtype=dtype, attn_implementation="eager",
                                                                    ignore_mismatched_sizes=True, output_loading_info=True)
    config, head = model.config, model.get_output_embeddings()
    missing, unexpected = set(info["missing_keys"]), set(info["unexpected_keys"])
    if config.tie_word_embeddings:
        missing -= {n + ".weight" for n, m in model.named_modules() if m is head}
    if getattr(config, "position_embedding_type", None) == "none":   # a key of ours: OPT without positions
        missing.discard("model.decoder.embed_positions.weight")
        torch.nn.init.zeros_(model.model.decoder.embed_positions.weight)
    # masks and constants that old versions saved among the weights
    unexpected = {n for n in unexpected if not n.endswith((".attn.bias", ".attn.masked_bias", "attention.bias", "attention.masked_bias",
                                                           "rotary_emb.inv_freq", "decoder.version"))}
    if missing or unexpected or info["mismatched_keys"]:
        sys.exit(f"{name}: not loaded as it should be: missing {sorted(missing)}, not used {sorted(unexpected)}, "
                 f"of another shape {sorted(info['mismatched_keys'])}")
    for m in model.modules():
        if dtype == torch.float64 and hasattr(m, "reorder_and_upcast_attn"):
            m.reorder_and_upcast_attn = False   # the same product in another order; asks for float32 and fails on float64
    return model.eval()


class Keep64(TorchFunctionMode):
    """Requests to turn a float64 tensor into float32 are not followed."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if args and isinstance(args[0], torch.Tensor) and args[0].dtype == torch.float64:
            if func is torch.Tensor.float:
                return args[0]
            args = tuple(torch.float64 if a is torch.float32 else a for a in args)
            kwargs = {k: torch.float64 if a is torch.float32 else a for k, a in kwargs.items()}
        return func(*args, **kwargs)


def rows(x):
    """[1, T, n] or [T, n] -> NumPy [T, n]; bfloat16, which NumPy has not, as float32."""
    x = x.detach().reshape(-1, x.shape[-1])
    return (x.float() if x.dtype == torch.bfloat16 else x).numpy()


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
    pre, post, attn, ffn = (g[k, i].astype(np.float64) for k in ("resid.pre", "resid.post", "attn.out", "ffn.out"))
    block = attn + ffn
    n = lambda x: np.linalg.norm(x, axis=1)
    cos = lambda x, y: (x * y).sum(axis=1) / (n(x) * n(y))
    return np.stack([n(attn), n(ffn), n(block), n(pre), n(post), cos(block, pre), cos(attn, pre), cos(pre, post)], axis=1)


def pred(logits, ids):
    """[T, 4]: loss in nats, entropy in bits, top-1 id, rank of the target."""
    logits, T = logits.astype(np.float64), len(ids)
    logp = logits - np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)) - logits.max(axis=1, keepdims=True)
    out = np.full((T, 4), np.nan)
    out[:, 1] = -(np.exp(logp) * logp).sum(axis=1) / math.log(2)
    out[:, 2] = logits.argmax(axis=1)
    for t in range(T - 1):
        out[t, 0] = -logp[t, ids[t + 1]]
        out[t, 3] = (logits[t] > logits[t, ids[t + 1]]).sum()
    return out


class Tap:
    """Hooks on the modules of a model: run() is one window, {(site, layer): [T, ...]}."""

    def __init__(self, model, sites):
        self.model, self.family, self.got = model, family_of(model.config), {}
        self.sites = sites
        wanted = set(sites)
        wanted |= {"resid.pre", "resid.post", "attn.out", "ffn.out"} if "norms" in wanted else set()
        wanted |= {"ffn.pre"} if "ffn.active" in wanted else set()
        self.wanted = wanted
        for i, layer in enumerate(model.get_submodule(self.family.layers)):
            self.hook(layer, i, self.family)

    def hook(self, layer, i, f):
        self.on("resid.pre", i, layer, into=True)
        self.on("resid.post", i, layer)
        layer.get_submodule(f.attention).register_forward_hook(self.save_attention(i))
        self.on("ffn.pre", i, layer.get_submodule(f.pre))
        self.on("ffn.act", i, layer.get_submodule(f.down), into=True)
        self.on("ffn.out", i, layer.get_submodule(f.down))
        if f.up:
            self.on("ffn.up", i, layer.get_submodule(f.up))
        if not f.parallel:
            self.on("resid.mid", i, layer.get_submodule(f.mid), into=not f.post)

    def on(self, site, i, module, into=False):
        """What goes into the module, or comes out of it, is `site` of layer i."""
        def before(_, args, kwargs):
            self.got[site, i] = rows(args[0] if args else kwargs["hidden_states"])

        def after(_m, _i, out):
            self.got[site, i] = rows(out[0] if isinstance(out, tuple) else out)
        if site in self.wanted and into:
            module.register_forward_pre_hook(before, with_kwargs=True)
        elif site in self.wanted:
            module.register_forward_hook(after)

    def save_attention(self, i):
        def hook(_m, _i, out):
            if "attn.out" in self.wanted:
                self.got["attn.out", i] = rows(out[0])
            if "attn.local" in self.wanted:
                self.got["attn.local", i] = local(out[1].detach()[0].to(torch.float64).numpy())
        return hook

    def run(self, ids):
        self.got.clear()
        with torch.no_grad(), Keep64():
            logits = rows(self.model(torch.tensor([ids]), use_cache=False).logits)
        L, g = self.model.config.num_hidden_layers, dict(self.got)
        for i in range(L):
            if "norms" in self.wanted:
                g["norms", i] = norms(g, i)
            if "ffn.active" in self.wanted:
                g["ffn.active", i] = g["ffn.pre", i] > 0
        g["logits", L], g["pred", L] = logits, pred(logits, ids)
        return {k: x for k, x in g.items() if k[0] in self.wanted}


class Noise:
    """Largest differences and values, site by site, over windows."""

    def __init__(self):
        self.noise, self.largest = {}, {}

    def add(self, want, got):
        for (site, layer), x in want.items():
            x, y = np.asarray(x, dtype=np.float64), np.asarray(got[site, layer], dtype=np.float64)
            if site == "pred":
                x, y = x[:, :2], y[:, :2]
            with np.errstate(invalid="ignore"):
                off = np.abs(x - y)
            if site == "ffn.active":
                self.noise[site] = self.noise.get(site, 0) + int(off.sum())
                continue
            self.noise[site] = max(self.noise.get(site, 0.0), largest(off))
            self.largest[site] = max(self.largest.get(site, 0.0), largest(np.abs(x)))


def largest(x):
    """NaN left out: pred has none for the last token of a window."""
    return float(np.max(x, initial=0.0, where=~np.isnan(x)))


def read_tokens(f):
    """Header, records that come before windows (vocab, special), [(doc record or None, window record)], digest of the stream."""
    raw = f.read()
    if raw[:4] == zstandard.FRAME_HEADER:
        raw = zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    objects = msgpack.Unpacker(io.BytesIO(raw), object_hook=msgpack_numpy.decode, raw=False, strict_map_key=False, max_buffer_size=0)
    head, first, windows, doc, last = next(objects, None), [], [], None, None
    if not isinstance(head, dict) or head.get("format") != "neurofilters" or head.get("kind") != "tokens":
        sys.exit("the input is no stream of kind tokens")
    for last in objects:
        if last["r"] in ("vocab", "special"):
            first.append(last)
        elif last["r"] == "doc":
            doc = last
        elif last["r"] == "window":
            windows.append((doc, last))
            doc = None
    if not last or last["r"] != "end":
        sys.exit("the input is truncated")
    return head, first, windows, hashlib.sha256(raw).hexdigest()


def compressor(level):
    """What FORMAT.md asks of the frame."""
    return zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=False)


def pack(record):
    return msgpack.packb(record, default=msgpack_numpy.encode)


def batches(windows, limit):
    """Windows one after the other, as many as have at most `limit` tokens together."""
    batch, tokens = [], 0
    for w in windows:
        n = len(w[1]["ids"])
        if batch and tokens + n > limit:
            yield batch
            batch, tokens = [], 0
        batch.append(w)
        tokens += n
    if batch:
        yield batch


def batch_record(number, windows):
    u4 = lambda key: np.array([w[key] for w in windows], "<u4")
    return {"r": "batch", "batch": number, "doc": u4("doc"), "window": u4("window"), "start": u4("start"),
            "length": np.array([len(w["ids"]) for w in windows], "<u4"), "bos": np.array([w["bos"] for w in windows], "|u1"),
            "ids": np.concatenate([w["ids"] for w in windows]).astype("<u4")}


def site_records(number, sites, near_zero, parts):
    """The records of a batch: parts are its windows' results."""
    L = 1 + max((i for _, i in parts[0]), default=0)
    order = [(s, i) for i in range(L) for s in list(UNITS)[:-2] + list(FINAL)]
    for site, i in order:
        if site not in sites or (site, i) not in parts[0]:
            continue
        x = np.concatenate([p[site, i] for p in parts])
        step = max(1, RECORD_BYTES // (4 * int(np.prod(x.shape[1:]))))
        for row in range(0, len(x), step):
            part, record = x[row:row + step], {"r": "site", "batch": number, "site": site, "layer": i, "row": row}
            if site == "ffn.active":
                pre = np.concatenate([p["ffn.pre", i] for p in parts])[row:row + step]
                record["near_zero"] = int((np.abs(pre) < near_zero).sum())
                part = np.packbits(part, axis=1, bitorder="little")
            yield record | {"data": part if site == "ffn.active" else part.astype("<f4")}


def model_header(model, name, revision, dtype):
    """What forward-capture writes of a model, but for the digest of the weights."""
    c, f = model.config, family_of(model.config)
    with open(cached_file(name, "config.json", revision=revision), "rb") as file:
        text = file.read()
    H, down = c.num_attention_heads, model.get_submodule(f.layers)[0].get_submodule(f.down)
    act = next(getattr(c, k) for k in ("hidden_act", "activation_function") if hasattr(c, k))
    act = {"gelu_new": "gelu_tanh", "gelu_fast": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "swish": "silu"}.get(act, act)
    none = getattr(c, "position_embedding_type", None) == "none"
    return {"name": os.path.basename(os.path.realpath(name)) if os.path.isdir(name) else name.split("/")[-1], "family": c.model_type,
            "architecture": (json.loads(text).get("architectures") or [type(model).__name__])[0], "config_sha256": hashlib.sha256(text).hexdigest(),
            "L": c.num_hidden_layers, "D": c.hidden_size, "H": H, "G": getattr(c, "num_key_value_heads", None) or H,
            "K": getattr(c, "head_dim", None) or c.hidden_size // H,
            "F": down.nx if hasattr(down, "nx") else down.in_features, "V": c.vocab_size, "activation": act, "gated": bool(f.up),
            "parallel": f.parallel, "positions": "none" if none else "rotary" if hasattr(c, "rope_parameters") else "learned",
            "norm": "post" if f.post else "pre", "dtype": SHORT[dtype]}


def sites_header(sites, model):
    wide = {"attn.local": 7 * model["H"], "norms": 8, "pred": 4, "logits": model["V"]}
    wide |= {s: model["F"] for s in ("ffn.pre", "ffn.up", "ffn.active", "ffn.act")}
    return [{"site": s, "layers": [model["L"]] if s in FINAL else list(range(model["L"])), "dtype": "u8" if s == "ffn.active" else "f32",
             "width": wide.get(s, model["D"]), "unit": UNITS[s]} for s in sites]


def write(out, head, tokens, model, sites, batch_tokens, near_zero, noise_model=None):
    """Run the windows and write the whole stream, raw; head is complete but for what is found on the way."""
    _, first, windows, _ = tokens
    tap, noise, records, count, n = Tap(model, sites), Noise(), 0, 0, -1
    noise_tap = Tap(noise_model, sites) if noise_model else None
    with tempfile.TemporaryFile() as body:
        for n, batch in enumerate(batches(windows, batch_tokens)):
            parts = []
            for _, w in batch:
                got = tap.run(w["ids"].tolist())
                if noise_tap:
                    noise.add(got, noise_tap.run(w["ids"].tolist()))
                parts.append({k: x if x.dtype == bool or k[0] == "ffn.pre" else x.astype("<f4") for k, x in got.items()})
            docs = [d for d, _ in batch if d]
            for record in [*docs, batch_record(n, [w for _, w in batch]), *site_records(n, sites, near_zero, parts)]:
                body.write(pack(record))
                records += 1
            count += sum(len(w["ids"]) for _, w in batch)
        if noise_tap:
            head["reference"] |= {"noise": noise.noise, "largest": noise.largest}
        end = {"r": "end", "records": len(first) + records,
               "totals": {"tokens": count, "windows": len(windows), "batches": n + 1, "rows": count}}
        body.seek(0)
        for record in [head, *first]:
            out.write(pack(record))
        shutil.copyfileobj(body, out)
        out.write(pack(end))


def header(tokens, model, name, revision, dtype, sites, near_zero, options):
    head, _, _, digest = tokens
    m = model_header(model, name, revision, dtype)
    entry = {"tool": "reference.py", "version": VERSION, "options": options, "inputs": [{"kind": "tokens", "sha256": digest}]}
    return head | {"kind": "activations", "model": m, "bitorder": "little", "sites": sites_header(sites, m),
                   "capture": {"positions": [0, None], "near_zero": near_zero},
                   "reference": {"dtype": str(dtype).removeprefix("torch."), "torch": torch.__version__, "transformers": transformers.__version__},
                   "history": head["history"] + [entry]}


def choose(text, family):
    have = sites_of(family)
    chosen = text.split(",") if text else have
    for s in chosen:
        if s not in have:
            sys.exit(f"{s}: this model has the sites {' '.join(have)}")
    return [s for s in have if s in chosen]


def main():
    p = argparse.ArgumentParser(description="Activations of transformers as a stream: numbers to hold forward-capture against.")
    p.add_argument("tokens", nargs="?", default="-", help="a stream of kind tokens [standard input]")
    p.add_argument("-m", "--model", required=True, metavar="DIR", help="directory of the model, or its name on the Hub")
    p.add_argument("--revision", help="branch, tag or commit on the Hub")
    p.add_argument("--dtype", choices=["float64", "float32", "bfloat16"], default="float64", help="of weights and activations [float64]")
    p.add_argument("-s", "--sites", metavar="SITE,...", help="only these sites")
    p.add_argument("--near-zero", type=float, default=1e-5, metavar="EPS", help="count pre-activations of smaller size [1e-05]")
    p.add_argument("--batch-tokens", type=int, default=512, metavar="N", help="tokens of a batch of the stream [512]")
    p.add_argument("--no-noise", dest="noise", action="store_false", help="float64: do not run float32 besides")
    o = p.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    dtype = getattr(torch, o.dtype)
    with sys.stdin.buffer if o.tokens == "-" else open(o.tokens, "rb") as f:
        tokens = read_tokens(f)
    model = load(o.model, dtype, o.revision)
    sites = choose(o.sites, family_of(model.config))
    if tokens[0]["context"] > model.config.max_position_embeddings:
        sys.exit(f"windows of up to {tokens[0]['context']} tokens, {o.model} has {model.config.max_position_embeddings} positions")
    noise = load(o.model, torch.float32, o.revision) if o.noise and dtype == torch.float64 else None
    head = header(tokens, model, o.model, o.revision, dtype, sites, o.near_zero, {k.replace("_", "-"): v for k, v in vars(o).items()})
    with compressor(1).stream_writer(sys.stdout.buffer, closefd=False) as out:
        write(out, head, tokens, model, sites, o.batch_tokens, o.near_zero, noise)


if __name__ == "__main__":
    main()
