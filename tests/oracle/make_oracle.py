"""Make tiny random checkpoints of every family and what transformers computes on them: tests/data/opt-*/, gpt2-*/, llama-*/, ...

    HF_HUB_OFFLINE=1 python3 tests/oracle/make_oracle.py [NAME...]       needs what pipelines/reference.py needs, and safetensors

Each folder holds config.json, the weights, tokens.nf (windows of 1, all, and some positions), and the stream that forward-capture should write:
reference.nf with all sites, made as pipelines/reference.py makes it; for OPT <site>.nf, one for each site alone.  The numbers are those of a float64
run of transformers, rounded to float32 at the end, so a comparison sees our rounding only.  README.txt beside this script: the switches of each
checkpoint, and the largest differences between transformers in float32 and in float64, and in bfloat16 and in float64 - what any pass of that
precision may be off by.  Without names all are made, and README.txt is written.

Made sure of, or the seed is not taken: no pre-activation lies within MARGIN of zero, so ffn.active has to agree bit for bit; no two logits of a
position are as close as rounding.  (The legacy pytorch_model.bin holds addresses: its bytes are others in each run, its weights are not.)

Asserted of every checkpoint: resid.post = resid.pre + attn.out + ffn.out and resid.mid = resid.pre + attn.out
(norms before the maps), the tail of the model makes the logits from resid.post, the FFN's activation makes ffn.act from ffn.pre and ffn.up, and
each configuration of `matters`, when put in place of the checkpoint's own, moves the logits by at least VISIBLE.
"""
import copy
import io
import json
import math
import os
import struct
import sys
import tempfile
from dataclasses import dataclass

import numpy as np
import torch
import transformers
from transformers.activations import ACT2FN

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
DATA = os.path.join(ROOT, "data")
sys.path.insert(0, os.path.join(ROOT, "..", "pipelines"))
import reference

MARGIN = 1e-4
VISIBLE = 3e-4   # thirty times what forward-capture may be off by
LAYERS, V = 2, 43


@dataclass(frozen=True)
class Fixture:
    name: str
    says: str                 # its switches, for README.txt
    config: dict              # config.json as transformers 4 wrote it, but for COMMON
    dtype: str = "F32"        # of the weights in the file
    files: str = "one"        # safetensors: one, shards; pytorch_model.bin: legacy (before torch 1.6), bins (zip, two shards)
    form: int = 4             # 5: config.json is written by transformers 5
    strip: str = ""           # prefix that the names in the file do without
    stale: tuple = ()         # tensors that old versions saved in each layer: (name, value)
    head: bool = True         # False: without the unembedding, as AutoModel saves it; the reference has no logits
    wrap: bool = False        # as the text model of a LLaVA; its numbers are those of the text model alone
    matters: tuple = ()       # changes of config.json that the numbers must tell from it
    context: int = 20
    windows: tuple = (1, 20, 5)


COMMON = {"vocab_size": V, "bos_token_id": 2, "eos_token_id": 2}
OPT = {"architectures": ["OPTForCausalLM"], "model_type": "opt", "vocab_size": V, "num_hidden_layers": LAYERS, "activation_function": "relu",
       "max_position_embeddings": 21, "bos_token_id": 2, "eos_token_id": 2, "pad_token_id": 1, "dropout": 0.0, "torch_dtype": "float32"}
GPT2 = {"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "embd_pdrop": 0.1, "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 20, "n_embd": 16, "n_head": 4, "n_layer": LAYERS, "n_positions": 20,
        "resid_pdrop": 0.1, "summary_activation": None, "summary_first_dropout": 0.1, "summary_proj_to_labels": True,
        "summary_type": "cls_index", "summary_use_proj": True, "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}}}
NEO = {"activation_function": "gelu_new", "architectures": ["GPTNeoForCausalLM"], "attention_dropout": 0, "embed_dropout": 0,
       "hidden_size": 16, "initializer_range": 0.02, "intermediate_size": None, "layer_norm_epsilon": 1e-05, "max_position_embeddings": 20,
       "model_type": "gpt_neo", "num_heads": 4, "num_layers": LAYERS, "resid_dropout": 0, "use_cache": True}
NEOX = {"architectures": ["GPTNeoXForCausalLM"], "hidden_act": "gelu", "hidden_size": 16, "initializer_range": 0.02, "intermediate_size": 29,
        "layer_norm_eps": 1e-05, "max_position_embeddings": 20, "model_type": "gpt_neox", "num_attention_heads": 2,
        "num_hidden_layers": LAYERS, "rotary_emb_base": 10000, "rotary_pct": 0.25, "tie_word_embeddings": False, "use_cache": True,
        "use_parallel_residual": True}
PHI = {"architectures": ["PhiForCausalLM"], "attention_dropout": 0.0, "embd_pdrop": 0.0, "hidden_act": "gelu_new", "hidden_size": 16,
       "initializer_range": 0.02, "intermediate_size": 27, "layer_norm_eps": 1e-05, "max_position_embeddings": 20, "model_type": "phi",
       "num_attention_heads": 2, "num_hidden_layers": LAYERS, "num_key_value_heads": None, "partial_rotary_factor": 0.5, "qk_layernorm": False,
       "resid_pdrop": 0.1, "rope_scaling": None, "rope_theta": 10000.0, "tie_word_embeddings": False, "use_cache": True}
LLAMA = {"architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "hidden_act": "silu", "hidden_size": 16,
         "initializer_range": 0.02, "intermediate_size": 21, "max_position_embeddings": 64, "mlp_bias": False, "model_type": "llama",
         "num_attention_heads": 4, "num_hidden_layers": LAYERS, "num_key_value_heads": 4, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
         "rope_scaling": None, "rope_theta": 10000.0, "tie_word_embeddings": False, "use_cache": True}
MISTRAL = {"architectures": ["MistralForCausalLM"], "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.02, "intermediate_size": 21,
           "max_position_embeddings": 64, "model_type": "mistral", "num_attention_heads": 4, "num_hidden_layers": LAYERS,
           "num_key_value_heads": 2, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 5, "tie_word_embeddings": False,
           "use_cache": True}
QWEN2 = {"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.02,
         "intermediate_size": 21, "max_position_embeddings": 64, "max_window_layers": 1, "model_type": "qwen2", "num_attention_heads": 4,
         "num_hidden_layers": LAYERS, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 5,
         "tie_word_embeddings": True, "use_cache": True, "use_sliding_window": False}
QWEN3 = QWEN2 | {"architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "head_dim": 6, "model_type": "qwen3", "rope_scaling": None}
LLAMA3 = {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 64, "rope_type": "llama3"}
OPT_WINDOWS = {"context": 21, "windows": (1, 21, 6, 18)}
MASK = np.tril(np.ones((1, 1, 20, 20)))

FIXTURES = [
    Fixture("opt-preln", "pre-LN (125m, 1.3b, ..)",
            OPT | {"hidden_size": 20, "num_attention_heads": 4, "ffn_dim": 37, "word_embed_proj_dim": 20, "do_layer_norm_before": True,
                   "_remove_final_layer_norm": False}, "F16", **OPT_WINDOWS),
    Fixture("opt-postln", "the 350m's layout: post-LN, project_in and project_out, no final LN; names without \"model.\"",
            OPT | {"hidden_size": 20, "num_attention_heads": 5, "ffn_dim": 33, "word_embed_proj_dim": 12, "do_layer_norm_before": False}, "BF16",
            strip="model.", **OPT_WINDOWS),
    Fixture("opt-nopos", "no position embeddings",
            OPT | {"hidden_size": 18, "num_attention_heads": 2, "ffn_dim": 24, "word_embed_proj_dim": 18, "position_embedding_type": "none"},
            files="shards", **OPT_WINDOWS),
    Fixture("opt-bare", "no biases, LayerNorm without gain and bias, no final LN, an unembedding of its own",
            OPT | {"hidden_size": 14, "num_attention_heads": 2, "ffn_dim": 29, "word_embed_proj_dim": 14, "enable_bias": False,
                   "layer_norm_elementwise_affine": False, "_remove_final_layer_norm": True, "tie_word_embeddings": False}, **OPT_WINDOWS),
    Fixture("gpt2-plain", "as gpt2 itself: n_inner null, names without \"transformer.\", no lm_head, stale attn.bias (F32)",
            GPT2 | {"n_embd": 12, "n_head": 3}, strip="transformer.", stale=(("attn.bias", MASK.astype("<f4")),),
            matters=({"activation_function": "gelu"}, {"scale_attn_weights": False})),
    Fixture("gpt2-bylayer", "as stanford-crfm's: scale_attn_by_inverse_layer_idx, reorder_and_upcast_attn; n_inner 37, lm_head, stale attn.bias (U8) "
            "and attn.masked_bias",
            GPT2 | {"n_inner": 37, "reorder_and_upcast_attn": True, "scale_attn_by_inverse_layer_idx": True, "scale_attn_weights": True,
                    "torch_dtype": "float32"},
            files="legacy", stale=(("attn.bias", MASK.astype("|u1")), ("attn.masked_bias", np.array(-1e4, "<f4"))),
            matters=({"scale_attn_by_inverse_layer_idx": False},)),
    Fixture("gpt2-unscaled", "scale_attn_weights false, an lm_head of its own, layer_norm_epsilon 0.05, gelu",
            GPT2 | {"activation_function": "gelu", "layer_norm_epsilon": 0.05, "n_inner": 31, "scale_attn_weights": False,
                    "tie_word_embeddings": False},
            "F16", files="shards", form=5, matters=({"scale_attn_weights": True}, {"layer_norm_epsilon": 1e-5})),
    Fixture("gpt2-relu", "relu; hidden_size beside n_embd, keys of old versions (n_special, output_past)",
            GPT2 | {"activation_function": "relu", "hidden_size": 16, "n_inner": 35, "n_special": 0, "output_past": True}, "F16",
            matters=({"activation_function": "relu2"},)),
    Fixture("gpt-neo-local", "global and local (window 5) layers, intermediate_size null, stale attn.attention.bias and masked_bias",
            NEO | {"attention_layers": ["global", "local"], "attention_types": [[["global", "local"], 1]], "hidden_size": 12, "num_heads": 3,
                   "window_size": 5},
            stale=(("attn.attention.bias", MASK.astype(bool)), ("attn.attention.masked_bias", np.array(-1e9, "<f4"))),
            matters=({"window_size": 6}, {"attention_types": [[["local", "global"], 1]], "attention_layers": ["local", "global"]})),
    Fixture("gpt-neo-first", "local (window 3) before global, intermediate_size 29, layer_norm_epsilon 0.05",
            NEO | {"attention_types": [[["local"], 1], [["global"], 1]], "intermediate_size": 29, "layer_norm_epsilon": 0.05, "window_size": 3},
            "BF16", form=5, matters=({"window_size": 4}, {"layer_norm_epsilon": 1e-5})),
    Fixture("gpt-neox-parallel", "as Pythia: parallel, rotary_pct 0.25; stale attention.bias (BOOL), masked_bias, rotary_emb.inv_freq",
            NEOX | {"torch_dtype": "float16"}, "F16",
            stale=(("attention.bias", MASK.astype(bool)), ("attention.masked_bias", np.array(-1e9, "<f4")),
                   ("attention.rotary_emb.inv_freq", np.array([1], "<f4"))),
            matters=({"use_parallel_residual": False}, {"rotary_pct": 0.5}, {"hidden_act": "gelu_new"})),
    Fixture("gpt-neox-sequential", "sequential, rotary_pct 0.5, rotary_emb_base 500, attention_bias false, tied, layer_norm_eps 0.05",
            NEOX | {"attention_bias": False, "layer_norm_eps": 0.05, "rotary_emb_base": 500, "rotary_pct": 0.5, "tie_word_embeddings": True,
                    "use_parallel_residual": False}, form=5,
            matters=({"use_parallel_residual": True}, {"layer_norm_eps": 1e-5},
                     {"rope_parameters": {"partial_rotary_factor": 0.25, "rope_theta": 500, "rope_type": "default"}},
                     {"rope_parameters": {"partial_rotary_factor": 0.5, "rope_theta": 10000, "rope_type": "default"}})),
    Fixture("gpt-neox-quick", "quick_gelu, rotary_pct 1",
            NEOX | {"hidden_act": "quick_gelu", "rotary_pct": 1.0}, form=5, matters=({"hidden_act": "gelu"},)),
    Fixture("phi-half", "as Phi-2: partial_rotary_factor 0.5, bias of lm_head", PHI | {"torch_dtype": "float16"}, "F16", files="shards",
            matters=({"partial_rotary_factor": 1.0},)),
    Fixture("phi-gqa", "partial_rotary_factor 0.4, num_key_value_heads 1 of 2, qk_layernorm, layer_norm_eps 0.05, rope_theta 500",
            PHI | {"hidden_size": 20, "layer_norm_eps": 0.05, "num_key_value_heads": 1, "partial_rotary_factor": 0.4, "qk_layernorm": True,
                   "rope_theta": 500.0}, form=5,
            matters=({"rope_parameters": {"partial_rotary_factor": 0.4, "rope_theta": 10000.0, "rope_type": "default"}}, {"layer_norm_eps": 1e-5})),
    Fixture("llama-plain", "as Llama 2: as many keys as queries, untied, rms_norm_eps 0.05", LLAMA | {"rms_norm_eps": 0.05, "torch_dtype": "float16"},
            "F16", files="bins", matters=({"rms_norm_eps": 1e-5}, {"rope_theta": 500000.0})),
    Fixture("llama-linear", "rope_scaling linear, 2 queries a key, tied",
            LLAMA | {"num_key_value_heads": 2, "rope_scaling": {"factor": 2.5, "type": "linear"}, "tie_word_embeddings": True}, "BF16",
            matters=({"rope_scaling": None},)),
    Fixture("llama-rope3", "as Llama 3: rope_scaling llama3 (a frequency in each of its three bands), rope_theta 500000, 4 queries a key, head_dim 12",
            LLAMA | {"head_dim": 12, "max_position_embeddings": 128, "num_key_value_heads": 1, "rope_scaling": LLAMA3, "rope_theta": 500000.0,
                     "torch_dtype": "bfloat16"}, "BF16",
            matters=({"rope_scaling": None}, {"rope_scaling": LLAMA3 | {"high_freq_factor": 20.0}},
                     {"rope_scaling": LLAMA3 | {"low_freq_factor": 0.5}}, {"rope_theta": 10000.0})),
    Fixture("llama-bias", "attention_bias, mlp_bias, head_dim 6 (H K = 24, D = 16), rope_scaling llama3, tied",
            LLAMA | {"attention_bias": True, "head_dim": 6, "max_position_embeddings": 128, "mlp_bias": True, "num_key_value_heads": 2,
                     "rope_scaling": LLAMA3, "tie_word_embeddings": True}, form=5),
    Fixture("llama-base", "relu2, gated; a base model without unembedding, untied; partial_rotary_factor 0.5, which plays no part",
            LLAMA | {"architectures": ["LlamaModel"], "hidden_act": "relu2", "num_key_value_heads": 2, "partial_rotary_factor": 0.5}, form=5,
            head=False, matters=({"hidden_act": "relu"},)),
    Fixture("llava-mistral", "the text model of a LLaVA: text_config, names behind \"language_model.\", tensors of the other parts",
            MISTRAL | {"rms_norm_eps": 0.05, "sliding_window": None}, "BF16", wrap=True, matters=({"rms_norm_eps": 1e-5},)),
    Fixture("mistral-window", "sliding_window 5, 2 queries a key", MISTRAL, matters=({"sliding_window": 6}, {"sliding_window": None})),
    Fixture("mistral-full", "sliding_window null, head_dim 6, rope_theta 1000000, rms_norm_eps 0.05",
            MISTRAL | {"head_dim": 6, "rms_norm_eps": 0.05, "rope_theta": 1000000.0, "sliding_window": None}, "BF16", form=5,
            matters=({"rms_norm_eps": 1e-5}, {"rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}})),
    Fixture("qwen2-tied", "as Qwen 2.5 0.5B: biases of q, k, v; tied, use_sliding_window false", QWEN2 | {"torch_dtype": "bfloat16"}, "BF16",
            matters=({"use_sliding_window": True}, {"rope_theta": 10000.0})),
    Fixture("qwen2-window", "use_sliding_window, max_window_layers 1 (the second layer), untied, rms_norm_eps 0.05",
            QWEN2 | {"rms_norm_eps": 0.05, "tie_word_embeddings": False, "use_sliding_window": True}, form=5,
            matters=({"layer_types": ["full_attention", "full_attention"]}, {"sliding_window": 6}, {"rms_norm_eps": 1e-6})),
    Fixture("qwen3-tied", "norms of queries and keys, head_dim 6, tied, rms_norm_eps 0.05",
            QWEN3 | {"rms_norm_eps": 0.05}, "BF16", form=5, matters=({"rms_norm_eps": 1e-6},)),
    Fixture("qwen3-window", "attention_bias, use_sliding_window, max_window_layers 1, untied",
            QWEN3 | {"attention_bias": True, "tie_word_embeddings": False, "torch_dtype": "float32", "use_sliding_window": True},
            files="shards", matters=({"use_sliding_window": False}, {"layer_types": ["full_attention", "full_attention"]})),
]


def is_opt(f):
    return f.config["model_type"] == "opt"


def config_of(f):
    """A copy: transformers writes into what it is given."""
    return copy.deepcopy(f.config if is_opt(f) else COMMON | f.config)


def opt_shapes(c):
    """Names (without prefix) and shapes of the tensors."""
    D, E, Fw = c["hidden_size"], c["word_embed_proj_dim"], c["ffn_dim"]
    bias, affine = c.get("enable_bias", True), c.get("layer_norm_elementwise_affine", True)
    out = {"embed_tokens.weight": (V, E)}
    if c.get("position_embedding_type") != "none":
        out["embed_positions.weight"] = (c["max_position_embeddings"] + 2, D)
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


def opt_weights(c, rng):
    w = {}
    for name, shape in opt_shapes(c).items():
        x = rng.standard_normal(shape) * (0.5 if len(shape) == 1 else 1 / math.sqrt(shape[-1]))
        if name.endswith("embed_tokens.weight"):
            x *= 2
        if "layer_norm.weight" in name:
            x = 1 + 0.3 * x
        w["model.decoder." + name] = x
    if c.get("tie_word_embeddings") is False:
        w["lm_head.weight"] = rng.standard_normal((V, c["word_embed_proj_dim"])) / 2
    return w


def weights(f, rng):
    """Random weights by the names and shapes that transformers has: gains about 1, biases about 0.5, rows of about unit length."""
    if is_opt(f):
        return opt_weights(f.config, rng)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(**config_of(f)))
    w = {}
    for name, p in model.named_parameters():   # tied ones once
        x = rng.standard_normal(tuple(p.shape))
        if p.dim() == 1:
            w[name] = 0.5 * x if name.endswith("bias") else 1 + 0.3 * x
        else:
            rows_are_inputs = f.config["model_type"] == "gpt2" and ".h." in name   # Conv1D
            scale = 2 if "embed" in name or "wte" in name or "wpe" in name else 1
            w[name] = scale * x / math.sqrt(p.shape[0 if rows_are_inputs else 1])
    return w


def in_file(f, w):
    """The tensors under the names of the Hub, with what old versions saved besides."""
    out = {}
    for name, x in w.items():
        if f.config["model_type"] == "gpt_neox":
            name = name.replace("lm_head.", "embed_out.")   # transformers 5 calls it lm_head
        out[name.removeprefix(f.strip)] = x
    for layer in range(LAYERS):
        for name, x in f.stale:
            out[next(n for n in out if f".{layer}." in "." + n).split(f"{layer}.")[0] + f"{layer}.{name}"] = x
    return out


def encode(x, dtype):
    """Bytes and type of a tensor: weights (float64) as dtype, what old versions saved as it is."""
    if x.dtype != np.float64:
        return x.tobytes(), {"bool": "BOOL", "uint8": "U8", "float32": "F32"}[x.dtype.name]
    if dtype == "BF16":
        return torch.tensor(x, dtype=torch.float32).to(torch.bfloat16).view(torch.uint16).numpy().tobytes(), dtype
    return x.astype("<f2" if dtype == "F16" else "<f4").tobytes(), dtype


def write_safetensors(path, tensors, dtype):
    header, blobs, at = {}, [], 0
    for name, x in tensors.items():
        b, stored = encode(x, dtype)
        header[name] = {"dtype": stored, "shape": list(x.shape), "data_offsets": [at, at + len(b)]}
        blobs.append(b)
        at += len(b)
    text = json.dumps(header, separators=(",", ":")).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def write_index(folder, name, files):
    with open(os.path.join(folder, name), "w") as f:
        json.dump({"metadata": {}, "weight_map": files}, f, indent=1)
        f.write("\n")


def write_weights(folder, f, tensors):
    names, index = list(tensors), {}
    if f.files == "one":
        write_safetensors(os.path.join(folder, "model.safetensors"), tensors, f.dtype)
    elif f.files == "shards":
        for k in range(3):
            file = f"model-{k + 1:05}-of-00003.safetensors"
            write_safetensors(os.path.join(folder, file), {n: tensors[n] for n in names[k::3]}, f.dtype)
            index |= {n: file for n in names[k::3]}
        write_index(folder, "model.safetensors.index.json", index)
    else:
        dtype = {"F16": torch.float16, "F32": torch.float32}[f.dtype]
        state = {n: torch.tensor(x, dtype=dtype) if x.dtype == np.float64 else torch.tensor(x) for n, x in tensors.items()}
        if f.files == "legacy":
            torch.save(state, os.path.join(folder, "pytorch_model.bin"), _use_new_zipfile_serialization=False)
            return
        for k in range(2):
            file = f"pytorch_model-{k + 1:05}-of-00002.bin"
            torch.save({n: state[n] for n in names[k::2]}, os.path.join(folder, file))
            index |= {n: file for n in names[k::2]}
        write_index(folder, "pytorch_model.bin.index.json", index)


def write_checkpoint(folder, f, w):
    os.makedirs(folder, exist_ok=True)
    config = config_of(f)
    if f.form == 5:
        dtype = {"F16": "float16", "BF16": "bfloat16", "F32": "float32"}[f.dtype]
        transformers.AutoConfig.for_model(**config, dtype=dtype).save_pretrained(folder)
    else:
        with open(os.path.join(folder, "config.json"), "w") as file:
            json.dump(config, file, indent=2)
            file.write("\n")
    write_weights(folder, f, in_file(f, w))


def wrap(folder, f, w):
    """The checkpoint as transformers 4 writes a LLaVA of it."""
    tensors = {"language_model." + n: x for n, x in in_file(f, w).items()}
    tensors |= {"multi_modal_projector.linear_1.weight": np.ones((2, 2)), "vision_tower.vision_model.embeddings.position_embedding.weight": np.ones((2, 2))}
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump({"architectures": ["LlavaForConditionalGeneration"], "ignore_index": -100, "image_token_index": 41, "model_type": "llava",
                   "projector_hidden_act": "gelu", "text_config": config_of(f), "torch_dtype": "bfloat16", "vision_feature_layer": -2,
                   "vision_feature_select_strategy": "default", "vision_config": {"model_type": "clip_vision_model", "hidden_size": 2},
                   "vocab_size": V}, file, indent=2)
        file.write("\n")
    write_weights(folder, f, tensors)


def run(model, windows, sites=None):
    """Every site of every window, one window at a time: [{(site, layer): [T, ...]}]."""
    tap = reference.Tap(model, sites or reference.sites_of(reference.family_of(model.config)))
    return [tap.run(ids) for ids in windows]


def joined(parts):
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}


def logits_of(folder, dtype, windows):
    return joined(run(reference.load(folder, dtype), windows, ["logits"]))["logits", LAYERS]


def check(name, model, got):
    """The sites fit together as the formulas say; float64, so to 1e-12."""
    f = reference.family_of(model.config)
    same = lambda what, x, y: np.abs(x - y).max() < 1e-12 * max(1, np.abs(y).max()) or sys.exit(f"{name}: {what}")
    with reference.Keep64():
        last = torch.tensor(got["resid.post", LAYERS - 1])
        for part in f.tail:
            module = dict(model.named_modules()).get(part)
            last = last if module is None else module(last)
    same("logits are not those of the last resid.post", got["logits", LAYERS], last.detach().numpy())
    act = ACT2FN[getattr(model.config, "hidden_act", None) or model.config.activation_function]
    for i in range(LAYERS):
        pre, post, attn, ffn = (got[s, i] for s in ("resid.pre", "resid.post", "attn.out", "ffn.out"))
        hidden = act(torch.tensor(got["ffn.pre", i])).numpy() * got.get(("ffn.up", i), 1)
        same("ffn.act is not what ffn.pre and ffn.up make", got["ffn.act", i], hidden)
        if not f.post:
            same("resid.post is not resid.pre + attn.out + ffn.out", post, pre + attn + ffn)
        if not f.post and not f.parallel:
            same("resid.mid is not resid.pre + attn.out", got["resid.mid", i], pre + attn)
        if i > 0:
            same("resid.pre is not resid.post of the layer below", pre, got["resid.post", i - 1])


def check_matters(folder, f, windows, logits):
    """Each of f.matters would be noticed."""
    with open(os.path.join(folder, "config.json")) as file:
        config = json.load(file)
    for change in f.matters:
        with tempfile.TemporaryDirectory() as other:
            for n in os.listdir(folder):
                if n != "config.json":
                    os.symlink(os.path.abspath(os.path.join(folder, n)), os.path.join(other, n))
            with open(os.path.join(other, "config.json"), "w") as file:
                json.dump(config | change, file)
            off = np.abs(logits_of(other, torch.float64, windows) - logits).max()
        if not off > VISIBLE:
            sys.exit(f"{f.name}: {change} moves the logits by {off:.2g} only")


def tokens_of(f, windows):
    """As reference.read_tokens() gives them, but for the digest."""
    header = {"format": "neurofilters", "version": 1, "kind": "tokens",
              "tokenizer": {"digest": "00" * 32, "type": "byte-level-bpe", "vocab": V, "bos": "always", "bos_id": 2}, "context": f.context,
              "history": []}
    first = [{"r": "vocab", "first": 0, "tokens": [b"%d" % i for i in range(V)]}, {"r": "special", "ids": np.array([0, 1, 2], "<u4")}]
    doc = {"r": "doc", "doc": 0, "name": "random", "domain": "random"}
    starts = np.concatenate([[0], np.cumsum([len(w) - 1 for w in windows])[:-1]]).astype("<u4")
    records = [{"r": "window", "doc": 0, "window": i, "start": int(starts[i]), "bos": True, "ids": np.array(w, "<u4")} for i, w in enumerate(windows)]
    return header, first, [(doc if i == 0 else None, r) for i, r in enumerate(records)], None


def write_compressed(path, raw):
    with open(path, "wb") as file:
        file.write(reference.compressor(19).compress(raw))


def write_tokens(path, f, tokens):
    head, first, windows, _ = tokens
    records = [*first, windows[0][0], *(w for _, w in windows)]
    end = {"r": "end", "records": len(records),
           "totals": {"tokens": sum(f.windows), "bos": len(f.windows), "windows": len(f.windows), "full": f.windows.count(f.context), "docs": 1,
                      "bytes": 0}}
    write_compressed(path, b"".join(reference.pack(o) for o in [head, *records, end]))


def write_reference(folder, f, model, single, bf16, tokens):
    """reference.nf, its header with what transformers is off by in bfloat16; for OPT a stream a site, with the header of the first version."""
    sites = [s for s in reference.sites_of(reference.family_of(model.config)) if f.head or s not in ("pred", "logits")]
    config = reference.model_header(model, folder, None, torch.float64)
    for chosen, file in [([s], s + ".nf") for s in sites] if is_opt(f) else [(sites, "reference.nf")]:
        if is_opt(f):
            head, noise = tokens[0] | {"kind": "activations", "bitorder": "little", "capture": {"positions": [0, None], "near_zero": MARGIN},
                                       "sites": reference.sites_header(chosen, config)}, None
        else:
            read = reference.read_tokens(open(os.path.join(folder, "tokens.nf"), "rb"))
            head, noise = reference.header(read, model, folder, None, torch.float64, chosen, MARGIN, {"model": f.name, "near-zero": MARGIN}), single
            head["reference"]["bfloat16"] = {"logits": bf16}
        out = io.BytesIO()
        reference.write(out, head, tokens, model, chosen, 512, MARGIN, noise)
        write_compressed(os.path.join(folder, file), out.getvalue())


def clear_of_zero(sites):
    """No pre-activation where rounding could turn its sign; the top logits and the target's rank not tied within rounding."""
    if min(np.abs(sites["ffn.pre", i]).min() for i in range(LAYERS)) < 2 * MARGIN:
        return False
    logits = np.sort(sites["logits", LAYERS], axis=1)
    return np.diff(logits, axis=1).min() > 2 * MARGIN / 10


def make(f):
    """One folder; returns its row of README.txt: noise by site, largest logit, largest difference of logits in bfloat16."""
    folder = os.path.join(DATA, f.name)
    for seed in range(1000):
        rng = np.random.default_rng([seed, len(f.name)])
        w = weights(f, rng)
        windows = [[2] + [int(i) for i in rng.integers(3, V, n - 1)] for n in f.windows]
        write_checkpoint(folder, f, w)
        model = reference.load(folder, torch.float64)
        want = run(model, windows)
        if clear_of_zero(joined(want)):
            break
    else:
        sys.exit(f"{f.name}: no seed keeps the pre-activations away from zero")
    check(f.name, model, joined(want))
    logits = joined(want)["logits", LAYERS]
    check_matters(folder, f, windows, logits)
    single, noise = reference.load(folder, torch.float32), reference.Noise()
    for x, y in zip(want, run(single, windows)):
        noise.add(x, y)
    tokens = tokens_of(f, windows)
    write_tokens(os.path.join(folder, "tokens.nf"), f, tokens)
    bf16 = float(np.abs(logits_of(folder, torch.bfloat16, windows) - logits).max())
    if f.wrap:
        wrap(folder, f, w)
    write_reference(folder, f, model, single, bf16, tokens)
    if not f.head:
        write_weights(folder, f, {n: x for n, x in in_file(f, w).items() if n != "lm_head.weight"})
    print(f"{f.name}: seed {seed}, bf16 {bf16:.2g} of {np.abs(logits).max():.3g}")
    return noise, bf16


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    chosen = [f for f in FIXTURES if f.name in sys.argv[1:]] or FIXTURES
    report = [(f, *make(f)) for f in chosen]
    if chosen is FIXTURES:
        write_readme(report)


def write_readme(report):
    sites = list(reference.UNITS)
    lines = [f"What transformers shows: torch {torch.__version__}, transformers {transformers.__version__}; made by make_oracle.py", "",
             "Checkpoints in tests/data, each of 2 layers, random:", ""]
    lines += [f"{f.name:<20} {f.dtype:<4} {f.files:<7} {f.says}; config.json as transformers {f.form} writes it" for f, _, _ in report]
    for title, values in (("float32 against float64: largest difference (ffn.active: bits that differ; pred: loss and entropy)", "noise"),
                          ("float64: largest value", "largest")):
        lines += ["", title, "", " ".join([f"{'':<20}", *(f"{s:>10}" for s in sites)])]
        for f, noise, _ in report:
            row = getattr(noise, values)
            lines.append(" ".join([f"{f.name:<20}", *(f"{row[s]:>10.2g}" if s in row else f"{'-':>10}" for s in sites)]))
    lines += ["", "bfloat16 (weights, activations, all sums of transformers) against float64: largest difference of logits, and the largest logit", ""]
    lines += [f"{f.name:<20} {bf16:>10.2g} {noise.largest['logits']:>10.3g}" for f, noise, bf16 in report]
    with open(os.path.join(ROOT, "oracle", "README.txt"), "w") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
