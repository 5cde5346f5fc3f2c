#!/usr/bin/env python3
"""Make tests/data/tokenizers/: small tokenizers with the components of real families, nasty-families.txt, and the ids that transformers'
AutoTokenizer gives.

    make_tokenizers.py CORPUS      run from anywhere; CORPUS: directory of text (the demonstration corpus: pipelines/demo/corpus)

The vocabularies are trained here; normaliser, pre-tokenizer, flags of the model, post-processor, and how added tokens are looked for are those
of the family's tokenizer.json on the Hub.  Each directory holds tokenizer.json, tokenizer_config.json, config.json, and ids.zst: the ids of
nasty.txt (of the first families), then of nasty-families.txt, for some then of nasty-bytes.bin, one a line, without BOS, each list ended by
an empty line; a list that is left out is empty.

nasty-bytes.bin is not UTF-8: see make_nasty.py for byte-level families.  For the others a byte that is no part of a character goes in as a private
character, which has no token; the tokens of that character's three bytes are then replaced by the token of the one byte.
Needs transformers, tokenizers, sentencepiece and zstandard; the tests need none.
"""
import glob
import json
import os
import random
import sys

import base64
import io
import tempfile

import sentencepiece as spm
import zstandard
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer

from make_nasty import byte_ids, invalid_as_u0001

HERE = os.path.dirname(os.path.abspath(__file__))
BLANK = "\u2581"
GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
# the patterns of Llama 3 and Qwen 2: numbers in threes, and one by one
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# of GPT-4o and GPT-OSS, of GPT-4 as OLMo 2 has it, of BLOOM
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"
SENTENCEPIECE = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": BLANK},
                                                     {"type": "Replace", "pattern": {"String": " "}, "content": BLANK}]}


def families_text():
    return "".join([
        "  two blanks in front, " + BLANK + "the sign itself" + BLANK + BLANK + " " + BLANK + " and again " + BLANK * 9 + "x\n",
        "".join(f"{a}{t}{b}" for t in ("<s>", "</s>", "<unk>", "<|begin_of_text|>", "<|eot_id|>", "<|endoftext|>", "<|im_start|>", "<|padding|>",
                                       "<tool_call>", "<think>", "[INST]") for a, b in (("", ""), (" ", " "), ("x", "y"), ("  ", "\n"))),
        "<s><s> <s>  <s></s>\n<|eot_id|><|eot_id|> <|eot_id |> <|EOT_ID|> <|begin_of_text|\n",
        "<0x0A> <0xff> <0xFF><0xE2><0x96><0x81> <0x> <unk\n",
        "It's IT'S it'Ll WE'RE we'\u017f'\u017fx 'Kk '\u212ak 'DDd 'ds ''T t'ts 'vE've\u0301 'M'm \u2019s\n",
        "1 12 123 1234 12345 1234567890 1,234.5 \u0661\u0662\u0663\u0664 \u00bd\u00bd\u00bd\u00bd x1y22z333\n",
        "a\r\nb\r\r\n\n  \n \r\n\t\n\t x\n   \n\n  y ...\n\n ...\r\n!!\n",
        "".join(" " * n + "x" + "\t" * n + "y\n" for n in range(1, 34)),
        "".join(chr(c) for c in range(0x2570, 0x2590)) + "\U0010ffff\ue000\ufffd\ufeff\n",
        "e\u0301e\u0301 \u2581\u0338 " + "\u1112\u1161\u11ab" * 20 + "\u0e01\u0e33 \u0928\u093c \u0958 \ufb01 \u2126\n",
        "snowman\u2603\u2603\u2603 \u4e16\u754c\u4e16\u754c \U0001F9D1\u200D\U0001F680\U0001F9D1 na\u00efve r\u00e9sum\u00e9\n",
        "the" * 400 + " " * 700 + "ing" * 300,
        "\n and ends in blanks  ",
    ])


def lines(corpus):
    for path in sorted(glob.glob(corpus + "/*/*")):
        yield from open(path, encoding="utf8", newline="").read().splitlines(True)


def added(first, *tokens, normalized=False, special=True):
    return [{"id": first + i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": normalized, "special": special}
            for i, t in enumerate(tokens)]


def template(token, i):
    piece = [{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    return {"type": "TemplateProcessing", "single": piece, "pair": piece + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {token: {"id": token, "ids": [i], "tokens": [token]}}}


def train(corpus, size, pre_tokenizer, special=(), alphabet=(), normalizer=None):
    """vocab, merges as pairs"""
    t = Tokenizer(models.BPE())
    t.normalizer = normalizer
    t.pre_tokenizer = pre_tokenizer
    t.train_from_iterator(lines(corpus), trainers.BpeTrainer(vocab_size=size, special_tokens=list(special), initial_alphabet=list(alphabet),
                                                             show_progress=False))
    model = json.loads(t.to_str())["model"]
    return model["vocab"], [tuple(m) for m in model["merges"]]


def level(corpus, size, pattern=None, special=()):
    pre = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pattern:
        pre = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return train(corpus, size, pre, special, pre_tokenizers.ByteLevel.alphabet())


def sentencepiece(corpus, size):
    """As SentencePiece trains: no merge over a blank, runs of blanks; then every split of a token whose parts are tokens is a merge, by the
    token's rank, which is how transformers converts such a vocabulary."""
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    vocab, _ = train(corpus, size, pre_tokenizers.Split(Regex(BLANK + "+[^" + BLANK + "]*|[^" + BLANK + "]+"), "isolated"), special, BLANK,
                     normalizers.Replace(" ", BLANK))
    merges = []
    for token in sorted(vocab, key=vocab.get)[len(special):]:
        merges += sorted(((token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in vocab and token[i:] in vocab), key=lambda m: (vocab[m[0]], vocab[m[1]]))
    return vocab, merges


def write(name, tokenizer, config, tokenizer_config):
    where = os.path.join(HERE, "tokenizers", name)
    os.makedirs(where, exist_ok=True)
    base = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None,
            "decoder": None, "model": None}
    for file, value in (("tokenizer.json", {**base, **tokenizer}), ("config.json", config), ("tokenizer_config.json", tokenizer_config)):
        with open(os.path.join(where, file), "w", encoding="utf8") as f:
            json.dump(value, f, ensure_ascii=False, separators=(",", ":"))
            f.write("\n")


def bpe(vocab, merges, pairs=True, **flags):
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
             "byte_fallback": False, "ignore_merges": False}
    return {**model, **flags, "vocab": vocab, "merges": [list(m) for m in merges] if pairs else [" ".join(m) for m in merges]}


def make_families(corpus):
    blanks = [" " * n for n in range(24, 1, -1)]

    vocab, merges = level(corpus, 640, special=["<|endoftext|>"])
    vocab = {t: i for i, t in enumerate([*sorted(vocab, key=vocab.get)[1:], "<|endoftext|>"])}      # GPT-2's comes last
    write("gpt2", {"added_tokens": added(len(vocab) - 1, "<|endoftext|>", normalized=True), "pre_tokenizer": GPT2,
                   "post_processor": {**GPT2, "trim_offsets": False}, "decoder": GPT2, "model": bpe(vocab, merges, pairs=False, continuing_subword_prefix="", end_of_word_suffix="")},
          {"model_type": "gpt2", "n_positions": 1024, "bos_token_id": len(vocab) - 1}, {"model_max_length": 1024, "tokenizer_class": "GPT2Tokenizer"})

    tabs = ["\t" * n for n in range(9, 1, -1)]
    size = len(vocab)
    write("phi", {"added_tokens": added(size - 1, "<|endoftext|>") + added(size, *[" " * n for n in range(31, 1, -1)], *tabs, normalized=True, special=False),
                  "pre_tokenizer": GPT2, "post_processor": {**GPT2, "add_prefix_space": True, "trim_offsets": False},
                  "decoder": GPT2, "model": bpe(vocab, merges, pairs=False, continuing_subword_prefix="", end_of_word_suffix="")},
          {"model_type": "phi", "max_position_embeddings": 2048, "bos_token_id": None},
          {"add_prefix_space": False, "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "tokenizer_class": "CodeGenTokenizer",
           "clean_up_tokenization_spaces": True, "model_max_length": 2048})

    vocab, merges = level(corpus, 700, special=["<|endoftext|>", "<|padding|>"])
    write("neox", {"added_tokens": added(0, "<|endoftext|>", "<|padding|>") + added(len(vocab), *blanks, normalized=True, special=False),
                   "normalizer": {"type": "NFC"}, "pre_tokenizer": GPT2, "post_processor": GPT2, "decoder": GPT2, "model": bpe(vocab, merges, pairs=False)},
          {"model_type": "gpt_neox", "max_position_embeddings": 2048, "bos_token_id": 0},
          {"add_prefix_space": False, "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "tokenizer_class": "GPTNeoXTokenizer"})

    # Llama 3's merges do not make every token: those that are missing are found whole
    pattern = WORDS % "{1,3}"
    vocab, merges = level(corpus, 800, pattern)
    random.seed(3)
    merges = [m for m in merges if random.random() < 0.8]
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    write("llama3", {"added_tokens": added(len(vocab), *special), "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, LEVEL]},
                     "post_processor": {"type": "Sequence", "processors": [{**LEVEL, "add_prefix_space": True, "use_regex": True}, template(special[0], len(vocab))]},
                     "decoder": GPT2, "model": bpe(vocab, merges, pairs=False, ignore_merges=True)},
          {"model_type": "llama", "max_position_embeddings": 8192, "bos_token_id": len(vocab)},
          {"bos_token": special[0], "eos_token": special[1], "clean_up_tokenization_spaces": True, "tokenizer_class": "PreTrainedTokenizerFast"})

    pattern = WORDS % ""
    vocab, merges = level(corpus, 800, pattern)
    size = len(vocab)
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    write("qwen2", {"added_tokens": added(size, "<|endoftext|>", "<|im_start|>", "<|im_end|>") + added(size + 3, "<tool_call>", "</tool_call>", "<think>", "</think>", special=False),
                    "normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, LEVEL]},
                    "post_processor": {**LEVEL, "trim_offsets": False}, "decoder": LEVEL,
                    "model": bpe(vocab, merges, continuing_subword_prefix="", end_of_word_suffix="")},
          {"model_type": "qwen2", "max_position_embeddings": 32768, "bos_token_id": size},
          {"add_bos_token": False, "add_prefix_space": False, "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "errors": "replace",
           "additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None})

    vocab, merges = sentencepiece(corpus, 1200)
    special = added(0, "<unk>", "<s>", "</s>")
    flags = {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}
    config = {"model_type": "llama", "max_position_embeddings": 4096, "bos_token_id": 1}
    about = {"add_bos_token": True, "add_eos_token": False, "bos_token": special[1] | {"__type": "AddedToken", "normalized": True}, "eos_token": "</s>", "unk_token": "<unk>",
             "pad_token": None, "legacy": False, "clean_up_tokenization_spaces": False, "sp_model_kwargs": {}, "tokenizer_class": "LlamaTokenizer"}
    write("llama2", {"added_tokens": special, "normalizer": SENTENCEPIECE, "post_processor": template("<s>", 1), "model": bpe(vocab, merges, pairs=False, **flags)}, config, about)
    # Mistral as it is converted anew: blanks by the pre-tokenizer, only before the text; an added token that is looked for after normalisation
    write("mistral", {"added_tokens": special + added(len(vocab), "[INST]", normalized=True, special=False), "post_processor": template("<s>", 1),
                      "pre_tokenizer": {"type": "Metaspace", "replacement": BLANK, "prepend_scheme": "first", "split": False},
                      "model": bpe(vocab, merges, **flags)}, {**config, "model_type": "mistral"}, {**about, "add_prefix_space": True})
    # What the format can say besides: pieces cut at blanks, unk tokens, fused; added tokens in normalised text
    plain = {t: i for i, t in enumerate(t for t in sorted(vocab, key=vocab.get) if not t.startswith("<0x"))}
    split = {"type": "Metaspace", "replacement": BLANK, "add_prefix_space": True}
    write("metaspace", {"added_tokens": added(0, "<unk>", "<s>", "</s>") + added(len(plain), "[INST]", "of x", normalized=True, special=False),
                        "normalizer": SENTENCEPIECE, "pre_tokenizer": split, "model": bpe(plain, merges, unk_token="<unk>", fuse_unk=True)}, config, {"bos_token": "<s>"})


def sequence(*parts):
    return {"type": "Sequence", "pretokenizers": list(parts)}


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": invert}


def make_newer_families(corpus):
    """Layouts of their tokenizer.json, with vocabularies of a few hundred tokens"""
    fast = {"tokenizer_class": "PreTrainedTokenizerFast"}
    digits = {"type": "Digits", "individual_digits": True}

    # Gemma: blanks by the normalizer, no pre-tokenizer that would see one; runs of blanks and line breaks are added tokens; bytes
    vocab, merges = sentencepiece(corpus, 700)
    vocab = {"<bos>" if t == "<s>" else "<eos>" if t == "</s>" else t: i for t, i in vocab.items()}
    write("gemma", {"added_tokens": added(0, "<unk>", "<bos>", "<eos>") + added(len(vocab), "<start_of_turn>", "<end_of_turn>", special=True) +
                    added(len(vocab) + 2, "\n\n", "\n\n\n", BLANK * 2 + "x", special=False),
                    "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": BLANK},
                    "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
                    "post_processor": template("<bos>", 1),
                    "model": bpe(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)},
          {"model_type": "gemma2", "max_position_embeddings": 8192, "bos_token_id": 1},
          {"add_bos_token": True, "add_eos_token": False, "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": None, "mask_token": None,
           "model_max_length": 1000000000000000019884624838656, "tokenizer_class": "GemmaTokenizer"})

    # Phi-3: Llama 2's layout, and tokens that take the blanks behind them
    vocab, merges = sentencepiece(corpus, 640)
    n = len(vocab)
    write("phi3", {"added_tokens": added(0, "<unk>", "<s>", "</s>") + [{**t, "rstrip": True} for t in added(n, "<|assistant|>", "<|end|>", "<|user|>")],
                   "normalizer": SENTENCEPIECE, "post_processor": template("<s>", 1),
                   "model": bpe(vocab, merges, pairs=False, unk_token="<unk>", fuse_unk=True, byte_fallback=True)},
          {"model_type": "phi3", "max_position_embeddings": 4096, "bos_token_id": 1},
          {"add_bos_token": False, "add_eos_token": False, "bos_token": "<s>", "eos_token": "<|end|>", "pad_token": "<|end|>", "unk_token": "<unk>", "legacy": False,
           "tokenizer_class": "LlamaTokenizer"})

    vocab, merges = level(corpus, 560, O200K)
    n = len(vocab)
    write("gptoss", {"added_tokens": added(n, "<|startoftext|>", "<|endoftext|>", "<|return|>", "<|channel|>", "<|start|>", "<|end|>", "<|message|>"),
                     "pre_tokenizer": sequence(split(O200K), LEVEL), "post_processor": GPT2, "decoder": GPT2, "model": bpe(vocab, merges, ignore_merges=True)},
          {"model_type": "gpt_oss", "max_position_embeddings": 131072, "eos_token_id": n + 2},
          {**fast, "bos_token": "<|startoftext|>", "eos_token": "<|return|>", "pad_token": "<|endoftext|>", "model_max_length": 1e30})

    vocab, merges = level(corpus, 520, CL100K)
    n = len(vocab)
    write("olmo2", {"added_tokens": added(n, "<|endoftext|>", "<|pad|>") + added(n + 2, "|||IP_ADDRESS|||", "<|fim_prefix|>", normalized=True, special=False),
                    "pre_tokenizer": sequence(split(CL100K), LEVEL), "model": bpe(vocab, merges, pairs=False)},
          {"model_type": "olmo2", "max_position_embeddings": 4096, "bos_token_id": None},
          {"add_bos_token": False, "add_prefix_space": False, "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|pad|>", "unk_token": None,
           "tokenizer_class": "GPT2Tokenizer"})

    vocab, merges = level(corpus, 520, BLOOM, ["<unk>", "<s>", "</s>", "<pad>"])
    write("bloom", {"added_tokens": added(0, "<unk>", "<s>", "</s>", "<pad>"), "pre_tokenizer": sequence(split(BLOOM), LEVEL), "post_processor": LEVEL, "decoder": GPT2,
                    "model": bpe(vocab, merges, pairs=False)},
          {"model_type": "bloom", "seq_length": 2048, "bos_token_id": 1}, {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>",
                                                                          "add_prefix_space": False, "tokenizer_class": "BloomTokenizerFast"})

    # Falcon: two cuts come after the bytes have become letters
    vocab, merges = level(corpus, 520)
    n = len(vocab)
    write("falcon", {"added_tokens": added(n, ">>TITLE<<", ">>ABSTRACT<<", "<|endoftext|>"),
                     "pre_tokenizer": sequence({"type": "Punctuation", "behavior": "Contiguous"}, GPT2, {"type": "Digits", "individual_digits": False},
                                               split("[0-9][0-9][0-9]")),
                     "post_processor": None, "model": bpe(vocab, merges)},
          {"model_type": "falcon", "max_position_embeddings": 2048, "bos_token_id": n + 2},
          {**fast, "add_prefix_space": False, "eos_token": "<|endoftext|>", "model_input_names": ["input_ids", "attention_mask"]})

    # SmolLM, Granite, StarCoder: every digit apart
    vocab, merges = level(corpus, 520, special=["<|endoftext|>", "<fim_prefix>"])
    write("granite", {"added_tokens": added(0, "<|endoftext|>", "<fim_prefix>"), "pre_tokenizer": sequence(digits, GPT2), "post_processor": GPT2,
                      "model": bpe(vocab, merges, pairs=False)},
          {"model_type": "granite", "max_position_embeddings": 4096, "bos_token_id": 0},
          {"add_bos_token": False, "add_prefix_space": False, "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "vocab_size": 49152,
           "tokenizer_class": "GPT2Tokenizer"})

    # DeepSeek: several cuts, one of them at the end of a line; as a Llama
    cuts = [split(p) for p in (r"[\r\n]", r"\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba]+", "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
                               r"\s+$", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+")]
    vocab, merges = level(corpus, 520)
    n = len(vocab)
    bos = "<\uff5cbegin\u2581of\u2581sentence\uff5c>"
    write("deepseek", {"added_tokens": added(n, bos, "<\uff5cend\u2581of\u2581sentence\uff5c>"), "pre_tokenizer": sequence(*cuts, digits, LEVEL),
                       "post_processor": template(bos, n), "decoder": GPT2, "model": bpe(vocab, merges, pairs=False)},
          {"model_type": "llama", "max_position_embeddings": 4096, "bos_token_id": n},
          {"add_bos_token": True, "bos_token": {"__type": "AddedToken", **{k: v for k, v in added(n, bos)[0].items() if k not in ("id", "special")}}, "legacy": True,
           "tokenizer_class": "LlamaTokenizerFast", "unk_token": None})

    write("unigram", {"added_tokens": added(0, "<pad>", "</s>", "<unk>"), "normalizer": {"type": "Sequence", "normalizers": [
        {"type": "Precompiled", "precompiled_charsmap": charsmap()}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": BLANK}]},
        "pre_tokenizer": sequence({"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": BLANK, "prepend_scheme": "always", "split": True}),
        "post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                           "pair": [], "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
        "model": unigram(corpus)}, {"model_type": "t5", "n_positions": 512}, {**fast, "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"})

    write("wordpiece", {"added_tokens": added(0, "[UNK]", "[CLS]", "[SEP]"),
                        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
                        "pre_tokenizer": {"type": "BertPreTokenizer"}, "model": wordpiece(corpus)},
          {"model_type": "gpt2", "n_positions": 512}, {**fast, "unk_token": "[UNK]"})


def charsmap():
    """A table of replacements as SentencePiece writes it, of a few rules"""
    rules = {"\ufb01": "fi", "\u2126": "\u03a9", "e\u0301": "\u00e9", "\u00bd": "1/2", "\u3000": " ", "\u00a0": " ", "\u200d": "", "\u1112\u1161\u11ab": "\ud55c", "\u2460": "1"}
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/rules.tsv", "w", encoding="utf8") as f:
            f.writelines(" ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n" for a, b in rules.items())
        out = io.BytesIO()
        spm.SentencePieceTrainer.train(sentence_iterator=iter(["a b c d e f g"] * 20), model_writer=out, vocab_size=12, model_type="unigram",
                                                 normalization_rule_tsv=d + "/rules.tsv", hard_vocab_limit=False, minloglevel=2)
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(out.getvalue())
    return base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()


def unigram(corpus):
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.train_from_iterator(lines(corpus), trainers.UnigramTrainer(vocab_size=500, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    model = json.loads(t.to_str())["model"]
    return {**model, "vocab": [[t, round(s, 6)] for t, s in model["vocab"]]}


def wordpiece(corpus):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(lines(corpus), trainers.WordPieceTrainer(vocab_size=400, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False))
    return json.loads(t.to_str())["model"]


def bad_byte_ids(tokenizer, data, vocab):
    """No special tokens in data; with byte fallback."""
    _, stands = invalid_as_u0001(data)
    text = "".join(chr(0xE000 + s[0]) if len(s) == 1 and s[0] >= 0x80 else s.decode() for s in stands)
    ids, out = tokenizer.encode(text, add_special_tokens=False).ids, []
    byte = {vocab[f"<0x{b:02X}>"]: b for b in range(256)}
    while ids:
        private = bytes(byte.get(i, 0) for i in ids[:3])
        if private[:1] == b"\xee" and 0xE080 <= ord(private.decode()) <= 0xE0FF:
            out.append(vocab[f"<0x{ord(private.decode()) - 0xE000:02X}>"])
            ids = ids[3:]
        else:
            out.append(ids.pop(0))
    return out


# of these nasty.txt too: the newer ones share its ground with them
WHOLE = {"gpt2", "phi", "neox", "llama3", "qwen2", "llama2", "mistral", "metaspace"}


def write_ids(text, more, data):
    for path in sorted(glob.glob(os.path.join(HERE, "tokenizers/*/tokenizer.json"))):
        where = os.path.dirname(path)
        t, spec = AutoTokenizer.from_pretrained(where), json.load(open(path, encoding="utf8"))
        sets = [t(text, add_special_tokens=False).input_ids if os.path.basename(where) in WHOLE else [], t(more, add_special_tokens=False).input_ids]
        if os.path.basename(where) in WHOLE and spec["model"]["byte_fallback"]:
            sets.append(bad_byte_ids(t.backend_tokenizer, data, spec["model"]["vocab"]))
        elif (os.path.basename(where) in WHOLE and spec["pre_tokenizer"]["type"] == "ByteLevel" and not spec["normalizer"]
              and all(t["special"] for t in spec["added_tokens"])):
            sets.append(byte_ids(t.backend_tokenizer, data))
        made = "".join("".join(f"{i}\n" for i in ids) + "\n" for ids in sets)
        with open(os.path.join(where, "ids.zst"), "wb") as f:
            f.write(zstandard.ZstdCompressor(level=19).compress(made.encode()))


def main():
    more = families_text()
    with open(os.path.join(HERE, "nasty-families.txt"), "wb") as f:
        f.write(more.encode())
    make_families(sys.argv[1])
    make_newer_families(sys.argv[1])
    write_ids(open(os.path.join(HERE, "nasty.txt"), encoding="utf8", newline="").read(), more, open(os.path.join(HERE, "nasty-bytes.bin"), "rb").read())


if __name__ == "__main__":
    main()
