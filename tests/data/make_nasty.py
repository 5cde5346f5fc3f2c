#!/usr/bin/env python3
"""Make tests/data/nasty.txt, nasty-bytes.bin and the token ids that Hugging Face tokenizers gives for them.

    make_nasty.py [SHARED]      run from the repository root; SHARED: directory with data/tokenizers/{gpt2,opt,neox}

nasty.txt is valid UTF-8: two characters of every 128 of Unicode, marks, joiners, long blanks, line ends of all kinds, NUL, contractions,
names of special tokens.  nasty-bytes.bin is not: its expected ids follow from the same libraries with each byte that is no part of a
valid character put to the pre-tokenizer as U+0001 and to the merges as itself (lib/token/encoder.h).

Ids: one number a line, without BOS.  nasty.opt.ids begins with the BOS that the tokenizer itself puts there.
Needs tokenizers and transformers; the tests need neither.
"""
import json
import os
import sys
import unicodedata

from tokenizers import Tokenizer, pre_tokenizers
from transformers import GPT2Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
OLD = unicodedata.ucd_3_2_0      # characters whose properties no library disagrees about


def sampled():
    """Two assigned characters of every 128, each beside a letter, a digit and a space."""
    for base in range(0, 0x110000, 128):
        seen = [c for c in range(base, base + 128) if not 0xD800 <= c < 0xE000 and OLD.category(chr(c)) not in ("Cn", "Co")]
        for c in {seen[0], seen[len(seen) * 2 // 3]} if seen else ():
            yield f"a{chr(c)} {chr(c)}1{chr(c)}{chr(c)}\n"


def nasty():
    parts = [
        "Plain words first, then trouble. It's what they'll've said; WE'RE 'Re 're ''s 'S isn't o'clock.\n",
        "".join(sampled()),
        "e\u0301 \u00e9 \u1e69 s\u0323\u0307 s\u0307\u0323 \u212b A\u030a \uac01 \u1100\u1161\u11a8 \u0b47\u0b3e q\u0307\u0323\u0301\u0301\n",
        "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e\u0349\u035a\u032f\u031e\u0320\u034da\u036b\u0357\u0334\u0362\u0335\u031c\u0330\u0354lgo\n",
        "\U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466 \U0001F44D\U0001F3FD \U0001F1E9\U0001F1EA \u2764\uFE0F 1\uFE0F\u20E3 \U0001F9D1\u200D\U0001F680\n",
        "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u202eabc\u202c \u200f\ufeff \u0928\u092e\u0938\u094d\u0924\u0947 "
        "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u4f60\u597d\u4e16\u754c \u3053\u3093\u306b\u3061\u306f \uc548\ub155\ud558\uc138\uc694\n",
        "1234567890 \u0661\u0662\u0663 \u2167 \u00bd x\u00b2 3.14 1,000,000 0x1F 10\u20ac\n",
        "  two   three    four\t\ttabs \t mixed\u00a0nbsp\u2003em\u3000wide\u1680ogham\u180emvs\u200bzwsp\u2028ls\u2029ps\u0085nel\n",
        "lines\r\nwith\r\n\r\nCRLF\rCR\n\r\n\n\n\n   \n \n\x0b\x0c\n",
        "NUL\x00inside\x00\x00 \x00 and \x01\x02\x7f controls\x1b[31m\n",
        "</s> <s>x</s></s>y <pad><unk> <|endoftext|> <|endoftext|>z < /s> </S> <mask> </s\n",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + "abcabcab" * 40 + "=" * 130 + "\n",
        " " * 300 + "x" + "\n" * 70 + "\t" * 30 + "y " + "-" * 77 + "\n",
        "Donaudampfschifffahrtselektrizit\u00e4tenhauptbetriebswerkbauunterbeamtengesellschaft\n",
        "\u0411\u044b\u0441\u0442\u0440\u0430\u044f \u043a\u043e\u0440\u0438\u0447\u043d\u0435\u0432\u0430\u044f \u043b\u0438\u0441\u0430 " * 6,
        "def f(x):\n    return {k: v**2 for k, v in x.items() if v != 0}  # 2^n\n",
        "ends in blanks   ",
    ]
    return "".join(parts)


def nasty_bytes():
    return (b"caf\xe9 latin-1, \xff\xfe at once, \xc3 alone, \xe2\x82 cut, \xed\xa0\x80 surrogate, \xf5\x80 too high, \xc0\x80 overlong\n"
            + bytes(range(256)) + b"word\x80word \x80 \x80\x80s'\xbbs 1\xb21  \xa0 \n" + b"\xe2\x28\xa1 \xf0\x9f\x98 ok \xf0\x9f\x98\x80\r\n" + b"x\xc3")


def invalid_as_u0001(data):
    """text that the pre-tokenizer sees, and for each of its characters the bytes that it stands for"""
    text, stands, i = [], [], 0
    while i < len(data):
        for n in (1, 2, 3, 4):
            try:
                text.append(data[i:i + n].decode())
            except UnicodeDecodeError:
                continue
            stands.append(data[i:i + n])
            i += n
            break
        else:
            text.append("\x01")
            stands.append(data[i:i + 1])
            i += 1
    return "".join(text), stands


def byte_alphabet():
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in keep]
    return {**{b: chr(b) for b in keep}, **{b: chr(256 + i) for i, b in enumerate(rest)}}


def byte_ids(tokenizer, data):
    """No special tokens in data, no normalizer."""
    text, stands = invalid_as_u0001(data)
    alphabet, ids = byte_alphabet(), []
    for _, (a, b) in pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(text):
        piece = "".join(alphabet[x] for x in b"".join(stands[a:b]))
        ids += [t.id for t in tokenizer.model.tokenize(piece)]
    return ids


def write_ids(name, ids):
    with open(os.path.join(HERE, name), "w") as f:
        f.write("".join(f"{i}\n" for i in ids))


def gpt2_class(directory, **special):
    vocab = json.load(open(directory + "/vocab.json"))
    merges = [tuple(l.split(" ")) for l in open(directory + "/merges.txt", encoding="utf8").read().split("\n")[1:] if l]
    return GPT2Tokenizer(vocab=vocab, merges=merges, **special)


def main():
    text, data = nasty(), nasty_bytes()
    with open(os.path.join(HERE, "nasty.txt"), "wb") as f:
        f.write(text.encode())
    with open(os.path.join(HERE, "nasty-bytes.bin"), "wb") as f:
        f.write(data)
    demo = Tokenizer.from_file(os.path.join(HERE, "../../pipelines/demo/model/tokenizer.json"))
    write_ids("nasty.demo.ids", demo.encode(text, add_special_tokens=False).ids)
    write_ids("nasty-bytes.demo.ids", byte_ids(demo, data))
    if len(sys.argv) < 2:
        return
    t = sys.argv[1] + "/data/tokenizers/"
    gpt2 = gpt2_class(t + "gpt2")
    write_ids("nasty.gpt2.ids", gpt2(text)["input_ids"])
    write_ids("nasty-bytes.gpt2.ids", byte_ids(gpt2._tokenizer, data))
    # as the OPT models on the Hub set it up: tokenizer_config.json names these and add_bos_token
    opt = gpt2_class(t + "opt", bos_token="</s>", eos_token="</s>", unk_token="</s>", pad_token="<pad>", add_bos_token=True)
    write_ids("nasty.opt.ids", opt(text)["input_ids"])
    neox = Tokenizer.from_file(t + "neox/tokenizer.json")
    write_ids("nasty.neox.ids", neox.encode(text, add_special_tokens=False).ids)


if __name__ == "__main__":
    main()
