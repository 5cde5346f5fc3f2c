#!/usr/bin/env python3
"""tests/data/hub-configs.ndjson: config.json of public models, re-made from their documented keys and values, and what must be read of each.

    HF_HUB_OFFLINE=1 make_hub_configs.py > tests/data/hub-configs.ndjson       needs torch and transformers 5

A line: `name`, `config`, and `expect` or `refused` (words that the message must have).  What is expected is not typed here: it is what transformers
makes of the file, asked of its model on the meta device: number of parameters, sizes, windows, the frequencies of rotary positions.  As transformers
4.30, 4.46 and 5 save them: the same model of each family once more, with the keys that those versions write.
"""
import copy
import json

import torch
import transformers

LLAMA3 = {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"}
LINES = []


def add(name, config, refused=None):
    LINES.append((name, config, refused))



# ---- OPT: facebook/opt-*, Galactica ----

OPT = {"_name_or_path": "opt", "activation_dropout": 0.0, "activation_function": "relu", "architectures": ["OPTForCausalLM"],
       "attention_dropout": 0.0, "bos_token_id": 2, "do_layer_norm_before": True, "dropout": 0.1, "eos_token_id": 2, "init_std": 0.02,
       "layerdrop": 0.0, "max_position_embeddings": 2048, "model_type": "opt", "pad_token_id": 1, "prefix": "</s>", "torch_dtype": "float16",
       "transformers_version": "4.21.0.dev0", "use_cache": True, "vocab_size": 50272}
for n, D, L, H in [("125m", 768, 12, 12), ("1.3b", 2048, 24, 32), ("2.7b", 2560, 32, 32), ("6.7b", 4096, 32, 32), ("13b", 5120, 40, 40),
                   ("30b", 7168, 48, 56), ("66b", 9216, 64, 72)]:
    add(f"facebook/opt-{n}", OPT | {"hidden_size": D, "word_embed_proj_dim": D, "num_hidden_layers": L, "num_attention_heads": H, "ffn_dim": 4 * D})
M350 = {"hidden_size": 1024, "word_embed_proj_dim": 512, "num_hidden_layers": 24, "num_attention_heads": 16, "ffn_dim": 4096,
        "do_layer_norm_before": False}
add("facebook/opt-350m", OPT | M350)
GALACTICA = OPT | {"activation_function": "gelu", "vocab_size": 50000, "bos_token_id": 0, "attention_dropout": 0.1, "_remove_final_layer_norm": False,
                   "enable_bias": True, "layer_norm_elementwise_affine": True, "learned_embeddings": True, "scale_embeddings": False}
add("facebook/galactica-125m", GALACTICA | {"hidden_size": 768, "word_embed_proj_dim": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
                                            "ffn_dim": 3072})

# ---- GPT-2 ----

GPT2 = {"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 50256, "embd_pdrop": 0.1,
        "eos_token_id": 50256, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 1024, "n_positions": 1024,
        "resid_pdrop": 0.1, "summary_activation": None, "summary_first_dropout": 0.1, "summary_proj_to_labels": True, "summary_type": "cls_index",
        "summary_use_proj": True, "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}}, "vocab_size": 50257}
OLD = {"n_special": 0, "predict_special_tokens": True}
for n, D, L, H, more in [("gpt2", 768, 12, 12, {}), ("gpt2-medium", 1024, 24, 16, OLD), ("gpt2-large", 1280, 36, 20, OLD),
                         ("gpt2-xl", 1600, 48, 25, {"output_past": True}),
                         ("distilgpt2", 768, 6, 12, {"_num_labels": 1, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}),
                         ("microsoft/DialoGPT-medium", 1024, 24, 16,
                          {"task_specific_params": {"conversational": {"max_length": 1000}}}),
                         ("stanford-crfm/alias-gpt2-small-x21", 768, 12, 12,
                          {"_name_or_path": "gpt2", "gradient_checkpointing": False, "n_inner": None, "reorder_and_upcast_attn": True,
                           "scale_attn_by_inverse_layer_idx": True, "scale_attn_weights": True, "torch_dtype": "float32",
                           "transformers_version": "4.10.0.dev0", "use_cache": False}),
                         ("cerebras/Cerebras-GPT-111M", 768, 10, 12, {"activation_function": "gelu", "attn_pdrop": 0.0, "embd_pdrop": 0.0,
                                                                      "n_inner": 3072, "n_positions": 2048, "resid_pdrop": 0.0, "use_cache": True}),
                         ("ai-forever/rugpt3small_based_on_gpt2", 768, 12, 12,
                          {"n_ctx": 2048, "n_positions": 2048, "output_past": True, "vocab_size": 50264, "bos_token_id": 50257})]:
    add(n, GPT2 | {"n_embd": D, "n_layer": L, "n_head": H} | more)
OLDEST = GPT2 | {"n_embd": 768, "n_layer": 12, "n_head": 12}
add("gpt2 of 2019, without model_type", {k: v for k, v in OLDEST.items() if k != "model_type"})

# ---- GPT-Neo ----

NEO = {"activation_function": "gelu_new", "architectures": ["GPTNeoForCausalLM"], "attention_dropout": 0, "bos_token_id": 50256, "embed_dropout": 0,
       "eos_token_id": 50256, "gradient_checkpointing": False, "initializer_range": 0.02, "intermediate_size": None, "layer_norm_epsilon": 1e-05,
       "max_position_embeddings": 2048, "model_type": "gpt_neo", "resid_dropout": 0, "summary_activation": None, "summary_first_dropout": 0.1,
       "summary_proj_to_labels": True, "summary_type": "cls_index", "summary_use_proj": True, "transformers_version": "4.9.0.dev0",
       "use_cache": True, "vocab_size": 50257, "window_size": 256}
for n, D, L, H in [("EleutherAI/gpt-neo-125m", 768, 12, 12), ("EleutherAI/gpt-neo-1.3B", 2048, 24, 16), ("EleutherAI/gpt-neo-2.7B", 2560, 32, 20),
                   ("roneneldan/TinyStories-1M", 64, 8, 16), ("roneneldan/TinyStories-33M", 768, 4, 16)]:
    add(n, NEO | {"hidden_size": D, "num_layers": L, "num_heads": H, "attention_types": [[["global", "local"], L // 2]],
                  "attention_layers": ["global", "local"] * (L // 2)})

# ---- GPT-NeoX: Pythia and others ----

NEOX = {"architectures": ["GPTNeoXForCausalLM"], "bos_token_id": 0, "eos_token_id": 0, "hidden_act": "gelu", "initializer_range": 0.02,
        "layer_norm_eps": 1e-05, "max_position_embeddings": 2048, "model_type": "gpt_neox", "rotary_emb_base": 10000, "rotary_pct": 0.25,
        "tie_word_embeddings": False, "torch_dtype": "float16", "transformers_version": "4.24.0", "use_cache": True, "use_parallel_residual": True,
        "vocab_size": 50304}
for n, D, L, H, more in [("pythia-14m", 128, 6, 4, {}), ("pythia-31m", 256, 6, 8, {}), ("pythia-70m-deduped", 512, 6, 8, {}),
                         ("pythia-160m", 768, 12, 12, {}), ("pythia-410m-deduped", 1024, 24, 16, {}), ("pythia-1b", 2048, 16, 8, {}),
                         ("pythia-1.4b", 2048, 24, 16, {}), ("pythia-2.8b", 2560, 32, 32, {}), ("pythia-6.9b", 4096, 32, 32, {"vocab_size": 50432}),
                         ("pythia-12b", 5120, 36, 40, {"vocab_size": 50688}),
                         ("gpt-neox-20b", 6144, 44, 64, {"attention_probs_dropout_prob": 0, "hidden_act": "gelu_fast", "hidden_dropout_prob": 0,
                                                         "vocab_size": 50432})]:
    add("EleutherAI/" + n, NEOX | {"hidden_size": D, "num_hidden_layers": L, "num_attention_heads": H, "intermediate_size": 4 * D} | more)
RED = {"hidden_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 32, "intermediate_size": 10240}
add("databricks/dolly-v2-3b", NEOX | RED | {"vocab_size": 50280, "custom_pipelines": {
    "text-generation": {"impl": "instruct_pipeline.InstructionTextGenerationPipeline", "pt": "AutoModelForCausalLM", "tf": "TFAutoModelForCausalLM"}}})
add("togethercomputer/RedPajama-INCITE-Base-3B-v1", NEOX | RED | {"rotary_pct": 1.0, "use_parallel_residual": False, "vocab_size": 50432})
add("stabilityai/stablelm-base-alpha-3b", NEOX | {"hidden_size": 4096, "num_hidden_layers": 16, "num_attention_heads": 32,
                                                  "intermediate_size": 16384, "max_position_embeddings": 4096, "vocab_size": 50688})

# ---- Phi ----

PHI = {"architectures": ["PhiForCausalLM"], "attention_dropout": 0.0, "bos_token_id": None, "embd_pdrop": 0.0, "eos_token_id": None,
       "hidden_act": "gelu_new", "initializer_range": 0.02, "layer_norm_eps": 1e-05, "max_position_embeddings": 2048, "model_type": "phi",
       "num_key_value_heads": None, "qk_layernorm": False, "resid_pdrop": 0.0, "rope_scaling": None, "rope_theta": 10000.0,
       "tie_word_embeddings": False, "torch_dtype": "float32", "transformers_version": "4.37.0", "use_cache": True, "vocab_size": 51200}
for n in ("phi-1", "phi-1_5"):
    add("microsoft/" + n, PHI | {"_name_or_path": "microsoft/" + n, "hidden_size": 2048, "intermediate_size": 8192, "num_attention_heads": 32,
                                 "num_hidden_layers": 24, "partial_rotary_factor": 0.5})
PHI2 = PHI | {"_name_or_path": "microsoft/phi-2", "bos_token_id": 50256, "eos_token_id": 50256, "hidden_size": 2560, "intermediate_size": 10240,
              "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32, "partial_rotary_factor": 0.4, "resid_pdrop": 0.1,
              "torch_dtype": "float16"}
add("microsoft/phi-2", PHI2)
add("microsoft/phi-2 before 4.37, code of its own", {"model_type": "phi-msft", "architectures": ["PhiForCausalLM"], "n_embd": 2560, "n_layer": 32,
                                                     "auto_map": {"AutoModelForCausalLM": "modeling_phi.PhiForCausalLM"}}, "phi-msft")

# ---- Llama and what is built like it ----

LLAMA = {"architectures": ["LlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "initializer_range": 0.02,
         "max_position_embeddings": 4096, "model_type": "llama", "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": None,
         "tie_word_embeddings": False, "torch_dtype": "float16", "transformers_version": "4.31.0.dev0", "use_cache": True, "vocab_size": 32000}
L3 = LLAMA | {"attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 128000, "eos_token_id": 128001, "max_position_embeddings": 8192,
              "rope_theta": 500000.0, "torch_dtype": "bfloat16", "transformers_version": "4.40.0.dev0", "vocab_size": 128256}
L31 = L3 | {"max_position_embeddings": 131072, "mlp_bias": False, "rope_scaling": LLAMA3, "transformers_version": "4.43.0.dev0"}
L32 = L31 | {"rope_scaling": LLAMA3 | {"factor": 32.0}, "tie_word_embeddings": True, "transformers_version": "4.45.0.dev0",
             "eos_token_id": [128001, 128008, 128009]}
SMOL = {"attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 0, "eos_token_id": 0, "is_llama_config": True, "rope_interleaved": False,
        "max_position_embeddings": 8192, "rope_theta": 100000, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "vocab_size": 49152}
for n, base, D, L, H, G, F, more in [
        ("meta-llama/Llama-2-7b-hf", LLAMA, 4096, 32, 32, 32, 11008, {"_name_or_path": "meta-llama/Llama-2-7b-hf"}),
        ("meta-llama/Llama-2-13b-hf", LLAMA, 5120, 40, 40, 40, 13824, {}),
        ("meta-llama/Llama-2-70b-hf", LLAMA, 8192, 80, 64, 8, 28672, {}),
        ("lmsys/vicuna-7b-v1.5", LLAMA, 4096, 32, 32, 32, 11008, {"pad_token_id": 0}),
        ("codellama/CodeLlama-7b-hf", LLAMA, 4096, 32, 32, 32, 11008, {"max_position_embeddings": 16384, "rope_theta": 1000000, "vocab_size": 32016}),
        ("codefuse-ai/CodeFuse-CodeLlama-34B", LLAMA, 8192, 48, 64, 8, 22016, {"eos_token": "</s>", "pad_token": "<unk>", "rope_theta": 1000000}),
        ("TinyLlama/TinyLlama-1.1B-Chat-v1.0", LLAMA, 2048, 22, 32, 4, 5632, {"attention_bias": False, "max_position_embeddings": 2048,
                                                                            "rope_theta": 10000.0, "torch_dtype": "bfloat16"}),
        ("openlm-research/open_llama_3b", LLAMA, 3200, 26, 32, 32, 8640, {"max_position_embeddings": 2048, "rms_norm_eps": 1e-06}),
        ("princeton-nlp/Sheared-LLaMA-1.3B", LLAMA, 2048, 24, 16, 16, 5504, {}),
        ("SparseLLM/ReluLLaMA-7B", LLAMA, 4096, 32, 32, 32, 11008, {"hidden_act": "relu"}),
        ("01-ai/Yi-6B", LLAMA, 4096, 32, 32, 4, 11008, {"rope_theta": 5000000.0, "vocab_size": 64000, "pad_token_id": 0}),
        ("deepseek-ai/deepseek-coder-1.3b-base", LLAMA, 2048, 24, 16, 16, 5504, {"max_position_embeddings": 16384, "rope_theta": 100000,
                                                                               "rope_scaling": {"factor": 4.0, "type": "linear"},
                                                                               "vocab_size": 32256, "bos_token_id": 32013, "eos_token_id": 32014}),
        ("Xenova/llama2.c-stories15M", LLAMA, 288, 6, 6, 6, 768, {"max_position_embeddings": 256, "tie_word_embeddings": True, "torch_dtype": "float32"}),
        ("meta-llama/Meta-Llama-3-8B", L3, 4096, 32, 32, 8, 14336, {}),
        ("meta-llama/Meta-Llama-3-70B", L3, 8192, 80, 64, 8, 28672, {}),
        ("meta-llama/Llama-3.1-8B", L31, 4096, 32, 32, 8, 14336, {}),
        ("meta-llama/Llama-3.2-1B", L32, 2048, 16, 32, 8, 8192, {"head_dim": 64}),
        ("meta-llama/Llama-3.2-3B-Instruct", L32, 3072, 28, 24, 8, 8192, {"head_dim": 128}),
        ("meta-llama/Llama-3.3-70B-Instruct", L31, 8192, 80, 64, 8, 28672, {"head_dim": 128}),
        ("unsloth/Llama-3.2-1B", L32, 2048, 16, 32, 8, 8192, {"head_dim": 64, "pad_token_id": 128004, "unsloth_fixed": True,
                                                             "unsloth_version": "2024.9.post4"}),
        ("HuggingFaceTB/SmolLM2-135M", LLAMA | SMOL, 576, 30, 9, 3, 1536, {}),
        ("HuggingFaceTB/SmolLM2-360M", LLAMA | SMOL, 960, 32, 15, 5, 2560, {}),
        ("HuggingFaceTB/SmolLM2-1.7B-Instruct", LLAMA | SMOL, 2048, 24, 32, 32, 8192,
         {"rope_theta": 130000, "transformers.js_config": {"dtype": "q4", "kv_cache_dtype": {"fp16": "float16", "q4f16": "float16"}}})]:
    add(n, base | {"hidden_size": D, "num_hidden_layers": L, "num_attention_heads": H, "num_key_value_heads": G, "intermediate_size": F} | more)
L7 = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "intermediate_size": 11008}
add("decapoda-research/llama-7b-hf", {"architectures": ["LLaMAForCausalLM"], "bos_token_id": 0, "eos_token_id": 1, "hidden_act": "silu",
                                      "initializer_range": 0.02, "max_sequence_length": 2048, "model_type": "llama", "pad_token_id": -1,
                                      "rms_norm_eps": 1e-06, "torch_dtype": "float16", "transformers_version": "4.27.0.dev0", "use_cache": True,
                                      "vocab_size": 32000} | L7)
add("TheBloke/Llama-2-7B-GPTQ", LLAMA | L7 | {"quantization_config": {"bits": 4, "group_size": 128, "quant_method": "gptq"}}, "quantised")
add("unsloth/llama-3-8b-bnb-4bit", L3 | L7 | {"quantization_config": {"load_in_4bit": True, "quant_method": "bitsandbytes"}}, "quantised")
add("mlx-community/Llama-3.2-1B-4bit", L32 | L7 | {"quantization": {"bits": 4, "group_size": 64}}, "quantised")

# ---- Mistral ----

MISTRAL = {"architectures": ["MistralForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 4096,
           "initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mistral",
           "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
           "sliding_window": 4096, "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.34.0.dev0",
           "use_cache": True, "vocab_size": 32000}
V2 = {"attention_dropout": 0.0, "rope_theta": 1000000.0, "sliding_window": None, "transformers_version": "4.36.0"}
for n, more in [("mistralai/Mistral-7B-v0.1", {}), ("mistralai/Mistral-7B-Instruct-v0.2", V2),
                ("mistralai/Mistral-7B-v0.3", V2 | {"vocab_size": 32768}), ("HuggingFaceH4/zephyr-7b-beta", {"pad_token_id": 2}),
                ("teknium/OpenHermes-2.5-Mistral-7B", {"eos_token_id": 32000, "vocab_size": 32002}),
                ("mistralai/Mistral-Nemo-Base-2407", V2 | {"head_dim": 128, "hidden_size": 5120, "num_hidden_layers": 40, "vocab_size": 131072,
                                                         "max_position_embeddings": 131072}),
                ("mistralai/Ministral-8B-Instruct-2410", {"attention_dropout": 0.0, "head_dim": 128, "intermediate_size": 12288,
                                                          "num_hidden_layers": 36, "rope_theta": 100000000.0, "sliding_window": 32768,
                                                          "vocab_size": 131072}),
                ("mistralai/Mistral-Small-24B-Base-2501", V2 | {"head_dim": 128, "hidden_size": 5120, "intermediate_size": 32768,
                                                              "num_hidden_layers": 40, "rope_theta": 100000000.0, "vocab_size": 131072})]:
    add(n, MISTRAL | more)
add("NousResearch/Yarn-Mistral-7b-128k",
    MISTRAL | {"auto_map": {"AutoConfig": "configuration_mistral.MistralConfig"}, "max_sequence_length": 131072, "sliding_window": 131072,
               "rope_scaling": {"factor": 16.0, "finetuned": True, "original_max_position_embeddings": 8192, "type": "yarn"}}, "max_sequence_length")

# ---- Qwen 1.5, 2, 2.5, 3 ----

QWEN2 = {"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151643, "hidden_act": "silu",
         "initializer_range": 0.02, "max_position_embeddings": 32768, "model_type": "qwen2", "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
         "sliding_window": 32768, "torch_dtype": "bfloat16", "transformers_version": "4.40.1", "use_cache": True, "use_mrope": False,
         "use_sliding_window": False}
QWEN3 = {"architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645,
         "head_dim": 128, "hidden_act": "silu", "initializer_range": 0.02, "max_position_embeddings": 40960, "model_type": "qwen3",
         "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 1000000, "sliding_window": None, "torch_dtype": "bfloat16",
         "transformers_version": "4.51.0", "use_cache": True, "use_sliding_window": False, "vocab_size": 151936}
for n, base, D, L, H, G, F, V, tie, window in [
        ("Qwen/Qwen1.5-0.5B", QWEN2, 1024, 24, 16, 16, 2816, 151936, True, 21), ("Qwen/Qwen1.5-7B", QWEN2, 4096, 32, 32, 32, 11008, 151936, False, 28),
        ("Qwen/Qwen2-0.5B", QWEN2, 896, 24, 14, 2, 4864, 151936, True, 24), ("Qwen/Qwen2-1.5B", QWEN2, 1536, 28, 12, 2, 8960, 151936, True, 28),
        ("Qwen/Qwen2-7B", QWEN2, 3584, 28, 28, 4, 18944, 152064, False, 28), ("Qwen/Qwen2.5-0.5B", QWEN2, 896, 24, 14, 2, 4864, 151936, True, 24),
        ("Qwen/Qwen2.5-3B", QWEN2, 2048, 36, 16, 2, 11008, 151936, True, 36), ("Qwen/Qwen2.5-14B", QWEN2, 5120, 48, 40, 8, 13824, 152064, False, 48),
        ("Qwen/Qwen2.5-72B", QWEN2, 8192, 80, 64, 8, 29568, 152064, False, 80),
        ("Qwen/Qwen2.5-Math-1.5B", QWEN2 | {"rope_theta": 10000, "max_position_embeddings": 4096, "sliding_window": 4096}, 1536, 28, 12, 2, 8960,
         151936, True, 21),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", QWEN2 | {"rope_theta": 10000, "max_position_embeddings": 131072, "sliding_window": 4096}, 1536,
         28, 12, 2, 8960, 151936, False, 21),
        ("Qwen/Qwen3-0.6B", QWEN3, 1024, 28, 16, 8, 3072, 151936, True, 28), ("Qwen/Qwen3-1.7B", QWEN3, 2048, 28, 16, 8, 6144, 151936, True, 28),
        ("Qwen/Qwen3-4B", QWEN3, 2560, 36, 32, 8, 9728, 151936, True, 36), ("Qwen/Qwen3-8B", QWEN3, 4096, 36, 32, 8, 12288, 151936, False, 36),
        ("Qwen/Qwen3-14B", QWEN3, 5120, 40, 40, 8, 17408, 151936, False, 40), ("Qwen/Qwen3-32B", QWEN3, 5120, 64, 64, 8, 25600, 151936, False, 64)]:
    add(n, base | {"hidden_size": D, "num_hidden_layers": L, "num_attention_heads": H, "num_key_value_heads": G, "intermediate_size": F,
                   "vocab_size": V, "tie_word_embeddings": tie, "max_window_layers": window})
Q3 = {"hidden_size": 1024, "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "intermediate_size": 3072,
      "tie_word_embeddings": True, "max_window_layers": 28}
add("a draft model of Qwen3 that sees both ways", QWEN3 | Q3 | {"is_causal": False}, "is_causal")
Q2 = {"hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2, "intermediate_size": 4864,
      "vocab_size": 151936, "tie_word_embeddings": True, "max_window_layers": 24}
add("Qwen/Qwen2.5-0.5B-Instruct-AWQ", QWEN2 | Q2 | {"quantization_config": {"bits": 4, "quant_method": "awq", "version": "gemm"}}, "quantised")

# ---- text models of multimodal ones ----

add("llava-hf/llava-1.5-7b-hf", {"architectures": ["LlavaForConditionalGeneration"], "ignore_index": -100, "image_token_index": 32000, "model_type": "llava",
                                 "pad_token_id": 32001, "projector_hidden_act": "gelu", "text_config": {
                                     "_name_or_path": "lmsys/vicuna-7b-v1.5", "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 4096,
                                     "model_type": "llama", "rms_norm_eps": 1e-05, "torch_dtype": "float16", "vocab_size": 32064},
                                 "tie_word_embeddings": False, "torch_dtype": "float16", "transformers_version": "4.36.0.dev0",
                                 "vision_config": {"hidden_size": 1024, "model_type": "clip_vision_model"}, "vision_feature_layer": -2, "vocab_size": 32064})
add("HuggingFaceTB/SmolVLM-256M-Instruct", {"architectures": ["Idefics3ForConditionalGeneration"], "image_token_id": 49190, "model_type": "idefics3",
                                            "scale_factor": 4, "text_config": LLAMA | SMOL | {"hidden_size": 576, "num_hidden_layers": 30,
                                                "num_attention_heads": 9, "num_key_value_heads": 3, "intermediate_size": 1536, "vocab_size": 49280,
                                                "head_dim": 64, "tie_word_embeddings": False, "pixel_shuffle_factor": 4, "qk_layer_norms": False},
                                            "tie_word_embeddings": False, "vision_config": {"hidden_size": 768, "model_type": "idefics3_vision"}})
add("mistralai/Mistral-Small-3.1-24B-Base-2503", {"architectures": ["Mistral3ForConditionalGeneration"], "image_token_index": 10, "model_type": "mistral3",
                                                  "text_config": {"attention_dropout": 0.0, "head_dim": 128, "hidden_act": "silu", "hidden_size": 5120,
                                                      "initializer_range": 0.02, "intermediate_size": 32768, "max_position_embeddings": 131072,
                                                      "model_type": "mistral", "num_attention_heads": 32, "num_hidden_layers": 40,
                                                      "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 1000000000.0,
                                                      "sliding_window": None, "use_cache": True, "vocab_size": 131072},
                                                  "vision_config": {"hidden_size": 1024, "model_type": "pixtral"}, "vision_feature_layer": -1})
add("google/paligemma-3b", {"model_type": "paligemma", "text_config": {"model_type": "llama"}}, "paligemma")

# ---- as versions of transformers save them ----

TINY = {"vocab_size": 99, "bos_token_id": 2, "eos_token_id": 2}
NEW = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 96, "max_position_embeddings": 128} | TINY
FORMS = {
    "opt": {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "ffn_dim": 96, "max_position_embeddings": 128,
            "word_embed_proj_dim": 64} | TINY,
    "gpt2": {"n_embd": 64, "n_layer": 4, "n_head": 4, "n_positions": 128} | TINY,
    "gpt_neo": {"hidden_size": 64, "num_layers": 4, "num_heads": 4, "attention_types": [[["global", "local"], 2]], "max_position_embeddings": 128} | TINY,
    "gpt_neox": NEW, "phi": NEW, "llama": NEW, "mistral": NEW | {"num_key_value_heads": 2}, "qwen2": NEW | {"num_key_value_heads": 2},
    "qwen3": NEW | {"num_key_value_heads": 2, "head_dim": 24},
}
# What the config class of the version writes, whether set or not, besides the values of FORMS.
V430 = {
    "opt": {"_remove_final_layer_norm": False, "activation_function": "relu", "attention_dropout": 0.0, "do_layer_norm_before": True, "dropout": 0.1,
            "enable_bias": True, "init_std": 0.02, "layer_norm_elementwise_affine": True, "layerdrop": 0.0, "pad_token_id": 1, "use_cache": True},
    "gpt2": {"activation_function": "gelu_new", "attn_pdrop": 0.1, "embd_pdrop": 0.1, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05,
             "n_inner": None, "reorder_and_upcast_attn": False, "resid_pdrop": 0.1, "scale_attn_by_inverse_layer_idx": False, "scale_attn_weights": True,
             "summary_activation": None, "summary_first_dropout": 0.1, "summary_proj_to_labels": True, "summary_type": "cls_index",
             "summary_use_proj": True, "use_cache": True},
    "gpt_neo": {"activation_function": "gelu_new", "attention_dropout": 0.0, "attention_layers": ["global", "local"] * 2, "classifier_dropout": 0.1,
                "embed_dropout": 0.0, "initializer_range": 0.02, "intermediate_size": None, "layer_norm_epsilon": 1e-05, "resid_dropout": 0.0,
                "use_cache": True, "window_size": 256},
    "gpt_neox": {"classifier_dropout": 0.1, "hidden_act": "gelu", "initializer_range": 0.02, "layer_norm_eps": 1e-05, "rotary_emb_base": 10000,
                 "rotary_pct": 0.25, "tie_word_embeddings": False, "use_cache": True, "use_parallel_residual": True},
    "llama": {"hidden_act": "silu", "initializer_range": 0.02, "pad_token_id": 0, "rms_norm_eps": 1e-06, "tie_word_embeddings": False, "use_cache": True},
}
V446 = V430 | {
    "gpt_neox": V430["gpt_neox"] | {"attention_bias": True, "attention_dropout": 0.0, "hidden_dropout": 0.0, "partial_rotary_factor": 0.25,
                                    "rope_scaling": None, "rope_theta": 10000},
    "phi": {"attention_dropout": 0.0, "embd_pdrop": 0.0, "hidden_act": "gelu_new", "initializer_range": 0.02, "layer_norm_eps": 1e-05,
            "num_key_value_heads": 4, "partial_rotary_factor": 0.5, "qk_layernorm": False, "resid_pdrop": 0.0, "rope_scaling": None,
            "rope_theta": 10000.0, "tie_word_embeddings": False, "use_cache": True},
    "llama": V430["llama"] | {"attention_bias": False, "attention_dropout": 0.0, "head_dim": 16, "mlp_bias": False, "num_key_value_heads": 4,
                              "pretraining_tp": 1, "rope_scaling": None, "rope_theta": 10000.0},
    "mistral": V430["llama"] | {"attention_dropout": 0.0, "head_dim": 16, "rope_theta": 10000.0, "sliding_window": 4096},
    "qwen2": V430["llama"] | {"attention_dropout": 0.0, "max_window_layers": 28, "rope_scaling": None, "rope_theta": 10000.0, "sliding_window": None,
                              "use_sliding_window": False},
    "qwen3": V430["llama"] | {"attention_bias": False, "attention_dropout": 0.0, "max_window_layers": 28, "rope_scaling": None, "rope_theta": 10000.0,
                              "sliding_window": None, "use_sliding_window": False},
}
ARCH = {"opt": "OPTForCausalLM", "gpt2": "GPT2LMHeadModel", "gpt_neo": "GPTNeoForCausalLM", "gpt_neox": "GPTNeoXForCausalLM", "phi": "PhiForCausalLM",
        "llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
for version, forms in (("4.30.2", V430), ("4.46.3", V446)):
    for family, keys in forms.items():
        add(f"{family} as {version} saves it", keys | FORMS[family] | {"architectures": [ARCH[family]], "model_type": family, "torch_dtype": "float32",
                                                                     "transformers_version": version})
for family, keys in FORMS.items():
    c = transformers.AutoConfig.for_model(family, **copy.deepcopy(keys), architectures=[ARCH[family]], dtype="float32")
    add(f"{family} as {transformers.__version__} saves it", json.loads(c.to_json_string(use_diff=True)))


def text_of(config):
    """The part that transformers builds the text model of."""
    c = copy.deepcopy(config.get("text_config", config))
    return {"model_type": "gpt2"} | c


def model_of(config):
    c = transformers.AutoConfig.for_model(**text_of(config))
    with torch.device("meta"):
        return c, transformers.AutoModelForCausalLM.from_config(c)


def first(c, *names):
    return next(v for v in (getattr(c, n, None) for n in names) if v is not None)


def inv_freq(model):
    for m in model.modules():
        if hasattr(m, "rope_init_fn") or type(m).__name__.endswith("RotaryEmbedding"):
            return m
    return None


def windows(c, model):
    if c.model_type == "gpt_neo":
        return sum(t == "local" for t in c.attention_layers), c.window_size
    if c.model_type == "mistral":
        return (c.num_hidden_layers, c.sliding_window) if c.sliding_window else (0, 0)
    types = getattr(c, "layer_types", None) or []
    return sum(t == "sliding_attention" for t in types), getattr(c, "sliding_window", None) or 0


def expect(config):
    c, model = model_of(config)
    attention = next(m for n, m in model.named_modules() if n.endswith((".self_attn", ".attn", ".attention")))
    n, window = windows(c, model)
    e = {"parameters": model.num_parameters(), "L": first(c, "num_hidden_layers"), "D": c.hidden_size, "H": c.num_attention_heads, "V": c.vocab_size,
         "K": getattr(attention, "head_dim", None) or getattr(attention, "head_size", None) or c.hidden_size // c.num_attention_heads,
         "tied": bool(c.tie_word_embeddings), "windowed": n, "window": window if n else 0, "positions": c.max_position_embeddings}
    if getattr(c, "rope_parameters", None):
        r = c.rope_parameters
        rope = inv_freq(model)
        with torch.device("cpu"):
            rope = type(rope)(c)
        e["rope"] = {"type": r["rope_type"], "R": 2 * len(rope.inv_freq), "slowest": float(rope.inv_freq[-1]), "second": float(rope.inv_freq[1])}
    return e


def main():
    transformers.logging.set_verbosity_error()
    for name, config, refused in LINES:
        line = {"name": name, "config": config} | ({"refused": refused} if refused else {"expect": expect(config)})
        print(json.dumps(line, separators=(",", ":")))


if __name__ == "__main__":
    main()
