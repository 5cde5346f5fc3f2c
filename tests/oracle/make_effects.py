#!/usr/bin/env python3
"""Effects of neurons on the vocabulary, in float64 with NumPy, of the tiny checkpoints of tests/data: tests/oracle/effects.tsv.

    HF_HUB_OFFLINE=1 python3 tests/oracle/make_effects.py       needs torch, transformers (to read checkpoints), numpy

Written from lib/vocab/logit_effect.h and the papers named there: whole matrices, two passes, numpy.linalg.svd; no code or intermediate result is shared with lib/.
The weights come through transformers' modules, so how a family stores them is not ours to get wrong here.  Rows:

  MODEL LAYER NEURON in_norm gate_norm out_norm cos_in_out cos_gate_out cos_gate_in mean var skew kurt logit_var null_share raw_var raw_skew raw_kurt

gate_norm and its cosines are nan where the FFN is not gated; raw_*: of the products that are no cosines.  null_share: of the 5 weakest directions.
Every third neuron, to keep the file small.
"""
import os

import numpy as np
import torch
import transformers

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")
MODELS = ["opt-preln", "opt-postln", "opt-bare", "gpt2-plain", "gpt-neox-parallel", "gpt-neox-sequential", "phi-half", "llama-plain", "qwen2-tied"]
WEAKEST = 5


def array(t):
    return t.detach().to(torch.float64).numpy()


def norm_of(module):
    """Gain, and whether it takes the mean off."""
    gain = getattr(module, "weight", None)
    return (None if gain is None else array(gain)), isinstance(module, torch.nn.LayerNorm)


def parts(model):
    """(E [V, E], P [E, D] or None, final norm or None, [(norm before the FFN, W_in [F, D], W_gate or None, W_out [F, D])])"""
    kind, unembed, project = model.config.model_type, array(model.get_output_embeddings().weight), None
    if kind == "opt":
        d = model.model.decoder
        pre = model.config.do_layer_norm_before
        final = d.final_layer_norm
        project = None if d.project_out is None else array(d.project_out.weight)
        layers = [(x.final_layer_norm if pre else x.self_attn_layer_norm, array(x.fc1.weight), None, array(x.fc2.weight).T) for x in d.layers]
    elif kind == "gpt2":
        final = model.transformer.ln_f
        layers = [(x.ln_2, array(x.mlp.c_fc.weight).T, None, array(x.mlp.c_proj.weight)) for x in model.transformer.h]
    elif kind == "gpt_neox":
        final = model.gpt_neox.final_layer_norm
        layers = [(x.post_attention_layernorm, array(x.mlp.dense_h_to_4h.weight), None, array(x.mlp.dense_4h_to_h.weight).T) for x in model.gpt_neox.layers]
    elif kind == "phi":
        final = model.model.final_layernorm
        layers = [(x.input_layernorm, array(x.mlp.fc1.weight), None, array(x.mlp.fc2.weight).T) for x in model.model.layers]
    else:
        final = model.model.norm
        layers = [(x.post_attention_layernorm, array(x.mlp.up_proj.weight), array(x.mlp.gate_proj.weight), array(x.mlp.down_proj.weight).T)
                  for x in model.model.layers]
    return unembed, project, final, layers


def centred(x, axis):
    return x - x.mean(axis=axis, keepdims=True)


def moments(c):
    mean = c.mean(axis=1, keepdims=True)
    var = ((c - mean) ** 2).mean(axis=1, keepdims=True)
    z = (c - mean) / np.sqrt(var)
    return mean[:, 0], var[:, 0], (z ** 3).mean(axis=1), (z ** 4).mean(axis=1)


def length(x):
    return np.linalg.norm(x, axis=1)


def cosine(x, y):
    return (x * y).sum(axis=1) / (length(x) * length(y))


def fold(w, norm):
    gain, layernorm = norm_of(norm)
    w = w if gain is None else w * gain
    return centred(w, 1) if layernorm else w


def layer_rows(unembed, project, final, layer):
    norm, w_in, w_gate, w_out = layer
    gain, layernorm = (None, False) if final is None else norm_of(final)
    gain = 1 if gain is None else gain
    if layernorm:
        w_out = centred(w_out, 1)
    if project is None:
        u, y = unembed * gain, w_out
        u = centred(u, 1) if layernorm else u
    else:
        u, y = unembed, (w_out * gain) @ project.T
    u = centred(u, 0)
    logits = y @ u.T
    mean, var, skew, kurt = moments(logits / np.outer(length(y), length(u)))
    _, raw_var, raw_skew, raw_kurt = moments(logits)
    left, _, _ = np.linalg.svd(u.T, full_matrices=True)
    weakest = left[:, -WEAKEST:]
    w_in = fold(w_in, norm)
    none = np.full(len(y), np.nan)
    gate = [none] * 3
    if w_gate is not None:
        w_gate = fold(w_gate, norm)
        gate = [length(w_gate), cosine(w_gate, w_out), cosine(w_gate, w_in)]
    return np.stack([length(w_in), gate[0], length(w_out), cosine(w_in, w_out), gate[1], gate[2], mean, var, skew, kurt, (logits ** 2).mean(axis=1),
                     length(y @ weakest) / length(y), raw_var, raw_skew, raw_kurt], axis=1)


def main():
    transformers.logging.set_verbosity_error()
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "effects.tsv"), "w") as f:
        for name in MODELS:
            model = transformers.AutoModelForCausalLM.from_pretrained(os.path.join(ROOT, name), dtype=torch.float32).eval()
            unembed, project, final, layers = parts(model)
            for i, layer in enumerate(layers):
                for n, row in enumerate(layer_rows(unembed, project, final, layer)):
                    if n % 3 == 0:
                        f.write("\t".join([name, str(i), str(n)] + [f"{x:.12g}" for x in row]) + "\n")


if __name__ == "__main__":
    main()
