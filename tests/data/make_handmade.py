#!/usr/bin/env python3
"""An OPT checkpoint whose neurons are known because they were set by hand: tests/data/handmade.

    make_handmade.py DIR

Tokens are bytes; the text that goes with it is made of the letters a to h.  Two layers, 16 neurons each.  The residual stream of a position holds, each in
dimensions of its own: a pair +C, -C that makes LayerNorm a nearly constant scaling; the letter as one of nine (BOS is the ninth); functions of the position,
put there by the position embeddings; and, after the attention of layer 0, the letter before (head 0) and the letter before that (head 1).

Layer 0 (layer 1 has detectors of a and of h, and dead neurons):
  0 dead    1 token a    2 tokens b, c    3 d before position 200 only (near miss)    4 bigram de    5 trigram fgh    6 position < 100
  7, 8 square waves of period 64, one the complement of the other    9 always    10 a to d before position 150
  11 positions 0 and 1    12 position 0 (BOS) only    13 fires less in each third of the window    14 g, and h after h    15 b and c at once: dead
The output of neuron 1 lowers the logit of a, that of neuron 2 raises those of b and c; the others write nothing.

Needs numpy, safetensors.
"""
import json
import os
import sys

import numpy as np
from safetensors.numpy import save_file

T, L, H, F, D, C = 256, 2, 2, 16, 50, 8.0
K = D // H
LETTERS = "abcdefgh"
CUR, PREV, PREV2, WAVE, FEATURE, ZERO = 2, 11, 20, 29, 39, 48   # first dimensions; ZERO holds nothing
PERIODS = (3, 7, 16, 61, 512)                             # of the position code that attention reads: two dimensions each
FEATURES = {"<2": 0, "=0": 1, "<85": 2, "<100": 3, "<150": 4, "<170": 5, "<200": 6, "square": 7, "~square": 8}
ON = 0.59                                                 # what LayerNorm makes of 1, about


def cur(c):
    return CUR + LETTERS.index(c)


def prev(c):
    return PREV + LETTERS.index(c)


def prev2(c):
    return PREV2 + LETTERS.index(c)


def feature(f):
    return FEATURE + FEATURES[f]


def byte_names():
    """The printable stand-ins of byte-level BPE, by byte."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    names, n = {b: chr(b) for b in keep}, 0
    for b in range(256):
        if b not in names:
            names[b] = chr(256 + n)
            n += 1
    return names


def positions():
    p = np.arange(T)
    rows = np.zeros((T + 2, D))
    for i, period in enumerate(PERIODS):
        rows[2:, WAVE + 2 * i] = np.cos(2 * np.pi * p / period)
        rows[2:, WAVE + 2 * i + 1] = np.sin(2 * np.pi * p / period)
    for name, i in FEATURES.items():
        value = (p % 64 < 32) if name == "square" else (p % 64 >= 32) if name == "~square" else p == 0 if name == "=0" else p < int(name[1:])
        rows[2:, FEATURE + i] = value
    return rows


def look_back(layer, head, steps, to):
    """Head: attend to the position `steps` back, copy its letter to the dimensions `to`."""
    sharp = 24.0                                          # other positions get e^-30 of the attention or less
    for i, period in enumerate(PERIODS):
        a, d = 2 * np.pi * steps / period, WAVE + 2 * i
        turn = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
        r = head * K + 2 * i
        layer["q"][r:r + 2, d:d + 2] = turn * sharp
        layer["k"][r:r + 2, d:d + 2] = np.eye(2) * sharp
    for j in range(9):
        layer["v"][head * K + j, CUR + j] = 1 / ON
        layer["o"][to + j, head * K + j] = 1


def neuron(layer, n, weights, threshold):
    """Fires when the sum of weights of the dimensions that hold a 1 is above the threshold."""
    for d, w in weights:
        layer["fc1"][n, d] += 4 * w
    layer["fc1.bias"][n] = -4 * threshold * ON


def main():
    out = sys.argv[1]
    names = byte_names()
    vocab = {t: i for i, t in enumerate(["<s>", "<pad>", "</s>", "<unk>"] + [names[b] for b in range(256)])}
    embed = np.zeros((len(vocab), D))
    embed[:, 0], embed[:, 1] = C, -C
    for c in LETTERS:
        embed[vocab[c], cur(c)] = 1
    embed[vocab["</s>"], CUR + 8] = 1
    shapes = {"q": (D, D), "k": (D, D), "v": (D, D), "o": (D, D), "fc1": (F, D), "fc2": (D, F), "fc1.bias": (F,)}
    layers = [{k: np.zeros(s) for k, s in shapes.items()} for _ in range(L)]
    look_back(layers[0], 0, 1, PREV)
    look_back(layers[0], 1, 2, PREV2)
    a = layers[0]
    neuron(a, 0, [(cur(c), 1) for c in LETTERS], 5)
    neuron(a, 1, [(cur("a"), 1)], 0.5)
    neuron(a, 2, [(cur("b"), 1), (cur("c"), 1)], 0.5)
    neuron(a, 3, [(cur("d"), 1), (feature("<200"), 1)], 1.5)
    neuron(a, 4, [(cur("e"), 1), (prev("d"), 1)], 1.5)
    neuron(a, 5, [(cur("h"), 1), (prev("g"), 1), (prev2("f"), 1)], 2.5)
    neuron(a, 6, [(feature("<100"), 1)], 0.5)
    neuron(a, 7, [(feature("square"), 1)], 0.5)
    neuron(a, 8, [(feature("~square"), 1)], 0.5)
    neuron(a, 9, [], -5)
    neuron(a, 10, [(feature("<150"), 1)] + [(cur(c), 1) for c in "abcd"], 1.5)
    neuron(a, 11, [(feature("<2"), 1)], 0.5)
    neuron(a, 12, [(feature("=0"), 1)], 0.5)
    neuron(a, 13, [(cur("a"), 2), (cur("b"), 2), (cur("c"), 1), (cur("d"), 1), (cur("g"), -9), (cur("h"), -9), (CUR + 8, -9),
                   (feature("<170"), 1), (feature("<85"), 1)], 1.5)
    neuron(a, 14, [(cur("g"), 2), (cur("h"), 1), (prev("h"), 1)], 1.5)
    neuron(a, 15, [(cur("b"), 1), (cur("c"), 1)], 1.5)
    a["fc2"][cur("a"), 1] = -0.02
    a["fc2"][cur("b"), 2] = a["fc2"][cur("c"), 2] = 0.02
    for n in range(F):
        neuron(layers[1], n, [], 5)
    neuron(layers[1], 0, [(cur("a"), 1)], 0.5)
    neuron(layers[1], 1, [(cur("h"), 1)], 0.5)

    for x in layers:                                      # rows that sum to 0 do not see the mean that LayerNorm takes away
        for k in ("q", "k", "v", "fc1"):
            x[k][:, ZERO] -= x[k].sum(axis=1)

    t = {"embed_tokens.weight": embed, "embed_positions.weight": positions()}
    for name in ["final_layer_norm"] + [f"layers.{l}.{n}" for l in range(L) for n in ("self_attn_layer_norm", "final_layer_norm")]:
        t[name + ".weight"], t[name + ".bias"] = np.ones(D), np.zeros(D)
    for l, x in enumerate(layers):
        for k, name in (("q", "q_proj"), ("k", "k_proj"), ("v", "v_proj"), ("o", "out_proj")):
            t[f"layers.{l}.self_attn.{name}.weight"], t[f"layers.{l}.self_attn.{name}.bias"] = x[k], np.zeros(D)
        t[f"layers.{l}.fc1.weight"], t[f"layers.{l}.fc1.bias"] = x["fc1"], x["fc1.bias"]
        t[f"layers.{l}.fc2.weight"], t[f"layers.{l}.fc2.bias"] = x["fc2"], np.zeros(D)
    os.makedirs(out, exist_ok=True)
    save_file({"model.decoder." + k: v.astype(np.float16) for k, v in t.items()}, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
    config = {"architectures": ["OPTForCausalLM"], "model_type": "opt", "activation_function": "relu", "bos_token_id": 2, "eos_token_id": 2,
              "pad_token_id": 1, "do_layer_norm_before": True, "enable_bias": True, "layer_norm_elementwise_affine": True, "ffn_dim": F,
              "hidden_size": D, "word_embed_proj_dim": D, "max_position_embeddings": T, "num_attention_heads": H, "num_hidden_layers": L,
              "tie_word_embeddings": True, "torch_dtype": "float16", "vocab_size": len(vocab), "_remove_final_layer_norm": False}
    files = {"config.json": config, "vocab.json": vocab,
             "special_tokens_map.json": {k: "</s>" for k in ("bos_token", "eos_token", "unk_token")} | {"pad_token": "<pad>"},
             "tokenizer_config.json": {"add_bos_token": True, "add_prefix_space": False, "bos_token": "</s>", "eos_token": "</s>", "model_max_length": T,
                                       "pad_token": "<pad>", "tokenizer_class": "GPT2Tokenizer", "unk_token": "</s>"}}
    for name, content in files.items():
        with open(os.path.join(out, name), "w") as f:
            json.dump(content, f, ensure_ascii=False)
            f.write("\n")
    with open(os.path.join(out, "merges.txt"), "w") as f:
        f.write("#version: 0.2\n")


main()
