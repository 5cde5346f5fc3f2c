"""Random tokenizers and texts, for make_steps.py and tests/oracle/compare_tokenizers.py.

steps(draw)      a tokenizer.json whose vocabulary is that of one of tests/data/tokenizers, with random normalizer, pre_tokenizer, added tokens
classes(draw)    the files of a directory around one of them: random tokenizer_config.json, config.json, .., which disagree
text(draw, ..)   what tokenizers trip over: blanks of all kinds, marks, names of added tokens and parts of them

Left out is what tokenizers gives no fixed answer to, or what lib/token knows to differ in (src/tokenize.md, Known differences).
"""
import glob
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
BLANK = "\u2581"
O200K = json.load(open(HERE + "/tokenizers/gptoss/tokenizer.json", encoding="utf8"))["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
PATTERNS = [r"\s+$", r"^\s+", r"[\r\n]", r"\s?\p{L}+", r"\p{N}{1,3}", r"(?i:'s|'t)|\w+", " ?[^(\\s|[.,!?\u2026\u3002])]+", r"[0-9][0-9][0-9]", r"\s+(?!\S)|\s+",
            r"(?=[A-Z])", r"x*", r"[a-z&&[^aeiou]]+", r"(?<=a)b", r"\bfoo\b", r"[^\n]\n?", r"\d+|\D+", "[\u4e00-\u9fa5]+", r"(?m:.){1,3}", O200K]
STRINGS = [" ", BLANK, "ab", "\n", "e", "1", "  ", ".", "\u00e9"]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
BITS = [" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u2003", BLANK, "a", "ab", "the", "'s", "'LL", "'\u017f", "1", "234", "5", "x", "\u00e9", "e\u0301", "\u0301", "\u0316",
        "\u2603", "\u4e16", "\U0001F9D1", "\u200d", "\ud55c", "\u1112\u1161", "<", ">", "|", ".", "...", "!", ",", "<0x0A>", "    ", "of x", "[INST]", "foo", "B", "Ab",
        "\u00bd", "\u00b2", "\u3042\u3099", "\ufb01", "\u0130", "\u2460", "\u01c5", "#", "_", "-", "\u0085", "\u01c4", "\ufeff", "\u1e9b\u0323", "\u3002", "\u03a9",
        "\u2126", "Hello world", "\u00dcber"]
# contents of added tokens
NAMES = ["<s>", "</s>", "<|x|>", "[INST]", "ab", "  ", "of x", BLANK * 2, "e\u0301", "fi", "<x>", "<x>y", "x>", " t", "1", "<|\u00e9|>", "foo", "\n\n"]


def base(name):
    return json.load(open(f"{HERE}/tokenizers/{name}/tokenizer.json", encoding="utf8"))


def text(draw, names=()):
    parts = []
    for _ in range(draw.randrange(1, 20)):
        if names and draw.random() < .15:
            name = draw.choice(names)
            parts.append(name if draw.random() < .7 else name[:draw.randrange(len(name) + 1)])
        else:
            parts.append(draw.choice(BITS))
    return "".join(parts)


def pattern(draw):
    return {"Regex": draw.choice(PATTERNS)} if draw.random() < .6 else {"String": draw.choice(STRINGS)}


def cut(draw):
    kind = draw.randrange(11)
    if kind < 3:
        return {"type": "Split", "pattern": pattern(draw), "behavior": draw.choice(BEHAVIORS), "invert": draw.random() < .3}
    return [{"type": "Digits", "individual_digits": draw.random() < .5}, {"type": "Punctuation", "behavior": draw.choice(BEHAVIORS)}, {"type": "Whitespace"},
            {"type": "WhitespaceSplit"}, {"type": "CharDelimiterSplit", "delimiter": draw.choice("a e,")}, {"type": "BertPreTokenizer"},
            {"type": "FixedLength", "length": draw.choice([1, 2, 5])},
            {"type": "Metaspace", "replacement": BLANK, "prepend_scheme": draw.choice(["always", "first", "never"]), "split": draw.random() < .5}][kind - 3]


def normalizer(draw):
    return draw.choice([{"type": draw.choice(["NFC", "NFD", "NFKC", "NFKD"])}, {"type": "Lowercase"}, {"type": "StripAccents"}, {"type": "Nmt"},
                        {"type": "Strip", "strip_left": draw.random() < .5, "strip_right": draw.random() < .5},
                        {"type": "Replace", "pattern": pattern(draw), "content": draw.choice([BLANK, "x", "", " ", "\u00e9a"])},
                        {"type": "Prepend", "prepend": draw.choice([BLANK, " ", "ab"])},
                        {"type": "BertNormalizer", "clean_text": draw.random() < .5, "handle_chinese_chars": draw.random() < .5,
                         "strip_accents": draw.choice([None, True, False]), "lowercase": draw.random() < .5}])


def sequence(key, parts):
    return None if not parts else parts[0] if len(parts) == 1 else {"type": "Sequence", key: parts}


def added(draw, size):
    names = draw.sample(NAMES, draw.randrange(7))
    return [{"id": size + i, "content": c, "single_word": draw.random() < .2, "lstrip": draw.random() < .25, "rstrip": draw.random() < .25,
             "normalized": draw.random() < .4, "special": draw.random() < .4} for i, c in enumerate(names)]


def known_to_differ(spec):
    norm, pre = json.dumps(spec["normalizer"]), json.dumps(spec["pre_tokenizer"])
    return '"first"' in pre and (any(k in norm for k in ("NFK", '"Prepend"', '"Replace"', '"BertN')) or pre.count("Metaspace") > 1 or '"FixedLength"' in pre)


def steps(draw):
    """(name of the directory whose vocabulary it has, flags of the model, the rest of tokenizer.json)"""
    while True:
        name = draw.choice(["gpt2", "gpt2", "llama2", "metaspace", "unigram", "wordpiece"])
        norm, pre = [normalizer(draw) for _ in range(draw.randrange(3))], [cut(draw) for _ in range(draw.randrange(4))]
        flags = {"ignore_merges": draw.random() < .25} if name in ("gpt2", "llama2", "metaspace") else {}
        if name == "gpt2":
            at = len(pre) if draw.random() < .7 else draw.randrange(len(pre) + 1)
            pre.insert(at, {"type": "ByteLevel", "add_prefix_space": draw.random() < .3, "trim_offsets": True, "use_regex": draw.random() < .5})
        if name == "metaspace":
            flags["fuse_unk"] = draw.random() < .5
        spec = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added(draw, len(base(name)["model"]["vocab"])),
                "normalizer": sequence("normalizers", norm), "pre_tokenizer": sequence("pretokenizers", pre), "post_processor": None, "decoder": None}
        shown = json.dumps(spec["normalizer"])
        for t in spec["added_tokens"]:
            changed = any(k in shown for k in ('"Strip"', '"Nmt"', '"BertN')) and (BLANK in t["content"] or not t["content"].strip())
            t["normalized"] &= '"Replace"' not in shown and not changed   # no two of one normalised form, and none that is empty
        if not known_to_differ(spec):
            return name, flags, spec


def whole(name, flags, spec):
    return {**spec, "model": {**base(name)["model"], **flags}}


CLASSES = ["GPT2Tokenizer", "GPT2TokenizerFast", "LlamaTokenizer", "LlamaTokenizerFast", "Qwen2Tokenizer", "Qwen2TokenizerFast", "GPTNeoXTokenizerFast", "CodeGenTokenizer",
           "GemmaTokenizer", "GemmaTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend", "BloomTokenizerFast", "NoSuchTokenizer", "CodeLlamaTokenizerFast",
           "PreTrainedTokenizer", "Qwen3_5Tokenizer"]
TYPES = ["gpt2", "gpt_neo", "gpt_neox", "phi", "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "olmo2", "phi3", "granite", "bloom", "falcon", "smollm3",
         "qwen3_moe", "mixtral", "gpt_oss", "olmo", "gptj", "codegen", "starcoder2"]
SPECIALS = ["<s>", "</s>", "<unk>", "<|endoftext|>", "<pad>", "<|im_start|>", "<new>", "[INST]", "ab", "<|begin_of_text|>", "<|eot_id|>"]


def flagged(draw, content, typed=False):
    token = {"content": content, "lstrip": draw.random() < .2, "rstrip": draw.random() < .2, "normalized": draw.random() < .5, "single_word": draw.random() < .1}
    if typed:
        return {**token, "__type": "AddedToken"}
    return {**token, "special": draw.random() < .6} if draw.random() < .7 else token


def special(draw):
    content = draw.choice(SPECIALS)
    return content if draw.random() < .6 else flagged(draw, content, True)


def classes(draw):
    """(name of the directory whose tokenizer.json it has, whether as vocab.json and merges.txt, its other files)"""
    name = draw.choice(["gpt2", "phi", "neox", "llama3", "qwen2", "llama2", "mistral"])
    spec, where = base(name), f"{HERE}/tokenizers/{name}/"
    model, config = (json.load(open(where + f, encoding="utf8")) for f in ("config.json", "tokenizer_config.json"))
    if draw.random() < .5:
        model = {"model_type": draw.choice(TYPES)}
    if draw.random() < .5:
        config = {}
    if draw.random() < .5:
        config["tokenizer_class"] = draw.choice(CLASSES)
    elif draw.random() < .2:
        config.pop("tokenizer_class", None)
    if draw.random() < .1:
        model["tokenizer_class"] = draw.choice(CLASSES)
    for key in ("add_bos_token", "add_eos_token", "add_prefix_space", "legacy", "split_special_tokens"):
        if draw.random() < .2:
            config[key] = draw.choice([True, False])
    for key in ("bos_token", "eos_token", "unk_token", "pad_token", "mask_token"):
        if draw.random() < .3:
            config[key] = draw.choice([None, special(draw), special(draw)])
    if draw.random() < .2:
        config["extra_special_tokens"] = draw.choice([[draw.choice(SPECIALS)], {"image_token": draw.choice(SPECIALS)}, []])
    if draw.random() < .2:
        config["additional_special_tokens"] = [draw.choice(SPECIALS) for _ in range(2)]
    if draw.random() < .3:
        listed = {t["id"]: t for t in spec["added_tokens"]}
        config["added_tokens_decoder"] = {str(i): flagged(draw, t["content"]) if draw.random() < .5 else {k: v for k, v in t.items() if k != "id"}
                                          for i, t in listed.items() if draw.random() < .8}
    files = {"config.json": model, "tokenizer_config.json": config}
    if draw.random() < .2:
        files["special_tokens_map.json"] = {k: draw.choice(SPECIALS) if draw.random() < .5 else flagged(draw, draw.choice(SPECIALS))
                                            for k in ("bos_token", "eos_token", "unk_token") if draw.random() < .5}
    if draw.random() < .15:
        files["added_tokens.json"] = {"<new>": max([*spec["model"]["vocab"].values(), *(t["id"] for t in spec["added_tokens"])]) + 1}
    return name, name in ("gpt2", "phi", "neox", "qwen2") and draw.random() < .15, files


def write_directory(where, name, two_files, files):
    """The files of classes() with the tokenizer itself"""
    for path in glob.glob(where + "/*"):
        os.unlink(path)
    spec = base(name)
    if two_files:
        files = {**files, "vocab.json": spec["model"]["vocab"]}
        with open(where + "/merges.txt", "w", encoding="utf8") as f:
            f.write("#version: 0.2\n" + "".join((m if isinstance(m, str) else " ".join(m)) + "\n" for m in spec["model"]["merges"]))
    else:
        files = {**files, "tokenizer.json": spec}
    for file, value in files.items():
        with open(f"{where}/{file}", "w", encoding="utf8") as f:
            json.dump(value, f)
