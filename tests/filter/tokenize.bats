# tokenize.bats - documents, domains, BOS, windows, samples and shards; what is refused.
load ../helpers

setup() {
    T=$BATS_TEST_TMPDIR
}

# docs ARGS: "doc domain name bytes" of each document of `tokenize -m MODEL ARGS`.
docs() {
    tokenize -q -m "$MODEL" "$@" | stream-dump -f ndjson -r doc | jq -r '"\(.doc) \(.domain) \(.name) \(.bytes)"'
}

# windows ARGS: "doc window start bos ids" of each window.
windows() {
    tokenize -q -m "$MODEL" "$@" | stream-dump -f ndjson -r window | jq -r '"\(.doc) \(.window) \(.start) \(.bos) \(.ids | map(tostring) | join(","))"'
}

total() {
    tokenize -q -m "$MODEL" "${@:2}" | stream-dump -f ndjson --header -r end | jq -r "select(.r == \"end\").totals.$1"
}

@test "a document a file, in the order given" {
    printf 'one' >"$T/b"; printf 'two two' >"$T/a"
    [ "$(docs --domain d "$T/b" "$T/a")" = "0 d $T/b 3
1 d $T/a 7" ]
}

@test "a document a line: without its line break, empty lines left out" {
    printf 'one\r\n\r\n\n two \nthree' >"$T/x"
    [ "$(docs --split line --domain d "$T/x")" = "0 d $T/x:1 3
1 d $T/x:4 5
2 d $T/x:5 5" ]
}

@test "a document a paragraph: line breaks inside kept, blank lines between" {
    printf '\n\n  one\r\ntwo\r\n \t\r\nthree\n\n\n' >"$T/x"
    [ "$(docs --split paragraph --domain d "$T/x")" = "0 d $T/x:3 10
1 d $T/x:6 5" ]
}

@test "where a file is cut for reading does not show" {
    # line breaks, CR and blanks around every multiple of the 64 KiB that are read at a time
    for n in 65533 65534 65535 65536 65537; do
        { head -c $n /dev/zero | tr '\0' x; printf '\r\n\r\n  y\r\nz\r'; } >"$T/x"
        [ "$(docs --split paragraph --domain d "$T/x" | cut -d' ' -f1,4)" = "0 $n
1 7" ]
        [ "$(docs --split line --domain d "$T/x" | cut -d' ' -f1,4)" = "0 $n
1 3
2 2" ]
    done
}

@test "domains: the folder of a file, the first level below a directory, a name" {
    mkdir -p "$T/c/news/2020" "$T/c/.git"
    printf x | tee "$T/c/top" "$T/c/news/a" "$T/c/news/2020/b" "$T/c/.git/hidden" >"$T/c/zz"
    [ "$(docs "$T/c" | cut -d' ' -f1,2)" = "0 news
1 news
2 c
3 c" ]
    [ "$(docs "$T/c/news/2020/b" | cut -d' ' -f2)" = 2020 ]
    [ "$(docs --domain all "$T/c/" | cut -d' ' -f2 | sort -u)" = all ]
    cd "$T/c"
    [ "$(docs top | cut -d' ' -f2)" = text ]
    [ "$(docs - <top)" = "0 text - 1" ]
}

@test "directories are read in the byte order of the names" {
    mkdir -p "$T/c/B" "$T/c/a"
    printf x | tee "$T/c/B/10" "$T/c/B/9" "$T/c/a/x" "$T/c/B/é" >"$T/c/C"
    [ "$(docs "$T/c" | cut -d' ' -f3 | sed "s|$T/c/||")" = "B/10
B/9
B/é
C
a/x" ]
}

@test "JSON lines: text and domain by field, blank lines left out" {
    printf '{"t": "one\\u0000\\n", "d": "x/y", "n": 1}\n\n  {"d": "z", "t": ""}\n{"t": "\\ud83d\\ude00", "d": "x/y"}' >"$T/j"
    [ "$(docs --jsonl t --jsonl-domain d "$T/j" | sed "s|$T/||")" = "0 x/y j:1 5
2 x/y j:4 4" ]
    [ "$(docs --jsonl t --domain q - <"$T/j" | cut -d' ' -f2 | sort -u)" = q ]
}

@test "an unusable JSON line is named, and counted where some may be" {
    printf '{"t": "a"}\n{"x": 1}\n{"t": 3}\n{"t": "b"\n[]\n{"t": "c"}\n' >"$T/j"
    exits 3 tokenize -m "$MODEL" --jsonl t "$T/j"
    says "j:2: no member \"t\" that is a string"
    exits 3 tokenize -m "$MODEL" --jsonl t --max-bad 2 "$T/j"
    says "j:4: no JSON: "
    exits 3 tokenize -m "$MODEL" --jsonl t --max-bad 3 "$T/j"
    says "j:5: no JSON object"
    exits 0 tokenize -m "$MODEL" --jsonl t --max-bad 4 "$T/j"
    says "unusable JSON lines left out: 4"
    printf '{"t": "\xff"}\n' >"$T/j"
    exits 3 tokenize -m "$MODEL" --jsonl t "$T/j"
    says "j:1: no JSON: "
    printf '{"t": "a"}\n' >"$T/j"
    exits 3 tokenize -m "$MODEL" --jsonl t --jsonl-domain d "$T/j"
    says "j:1: no member \"d\""
}

@test "zstd and plain text give the same tokens; a cut frame is refused" {
    zstd -q "$CORPUS/fiction/01.txt" -o "$T/x.zst"
    cmp <(windows "$CORPUS/fiction/01.txt") <(windows "$T/x.zst")
    cat "$T/x.zst" "$T/x.zst" >"$T/two.zst"
    [ "$(docs --domain d "$T/two.zst" | cut -d' ' -f4)" -eq $((2 * $(wc -c <"$CORPUS/fiction/01.txt"))) ]
    head -c 500 "$T/x.zst" >"$T/cut.zst"
    exits 3 tokenize -m "$MODEL" "$T/cut.zst"
    says "cut.zst: ends inside its zstd frame"
    { printf '\x50\x2a\x4d\x18\x04\x00\x00\x00abcd'; cat "$T/x.zst"; } >"$T/skip.zst"   # as pzstd begins
    cmp <(windows "$CORPUS/fiction/01.txt") <(windows "$T/skip.zst")
}

@test "gzip and plain text give the same tokens; a cut member is refused" {
    gzip -c "$CORPUS/fiction/01.txt" >"$T/x.gz"
    cmp <(windows "$CORPUS/fiction/01.txt") <(windows "$T/x.gz")
    cat "$T/x.gz" "$T/x.gz" >"$T/two.gz"
    [ "$(docs --domain d "$T/two.gz" | cut -d' ' -f4)" -eq $((2 * $(wc -c <"$CORPUS/fiction/01.txt"))) ]
    head -c 500 "$T/x.gz" >"$T/cut.gz"
    exits 3 tokenize -m "$MODEL" "$T/cut.gz"
    says "cut.gz: ends inside its gzip member"
}

@test "a zstd window beyond --memory is refused; without bound it is read" {
    yes 'a b' | head -c 6000000 | zstd -q --long=27 >"$T/long.zst"
    exits 3 tokenize -m "$MODEL" --memory 4M "$T/long.zst"
    says "long.zst: its zstd window takes more than --memory 4194304"
    exits 0 tokenize -q -m "$MODEL" --memory 0 "$T/long.zst"
}

@test "what is no text is refused by name, and taken with --bytes" {
    printf 'PAR1\x15\x04' >"$T/x.parquet"
    exits 3 tokenize -m "$MODEL" "$T/x.parquet"
    says "x.parquet: a Parquet file, not text"
    printf '\xff\xfeh\0i\0' | zstd -q >"$T/x.zst"
    exits 3 tokenize -m "$MODEL" "$T/x.zst"
    says "x.zst: text in UTF-16, not text"
    printf 'h\0i\0' >"$T/x"
    exits 3 tokenize -m "$MODEL" "$T/x"
    says "x: holds NUL bytes, which no text has: --bytes takes any bytes"
    [ "$(total bytes --bos never --bytes "$T/x")" = 4 ]
    printf '\xef\xbb\xbfhello' >"$T/bom"
    cmp <(windows "$T/bom") <(printf hello | windows -)
}

@test "FIFOs and sockets in a folder are refused, a FIFO as an operand is read" {
    mkdir "$T/d"
    mkfifo "$T/d/pipe"
    exits 3 timeout 10 tokenize -m "$MODEL" "$T/d"
    says "d/pipe: a FIFO in a folder is not waited for"
    echo hello >"$T/d/pipe" &
    [ "$(total bytes --bos never "$T/d/pipe")" = 6 ]
}

# As the Pile has them; and what Python's json reads in members that are not looked at.
@test "JSON lines: a path with dots, other members of any kind" {
    printf '{"text": "a", "meta": {"pile_set_name": "Books3"}}\n{"text": "b", "meta": {"pile_set_name": "Github"}, "x": [NaN, 1e999, 18446744073709551616, "\\ud83d"]}\n' >"$T/j"
    [ "$(docs --jsonl text --jsonl-domain meta.pile_set_name "$T/j" | cut -d' ' -f2 | tr '\n' ' ')" = "Books3 Github " ]
    printf '{"text": "a\\ud83d"}\n' >"$T/j"
    exits 3 tokenize -m "$MODEL" --jsonl text "$T/j"
    says "j:1: member \"text\" holds half a surrogate pair"
}

@test "a JSON line beyond the memory is refused, by its number" {
    { echo '{"t": "x"}'; printf '{"t": "'; head -c 3000000 /dev/zero | tr '\0' a; echo '"}'; } >"$T/j"
    exits 3 tokenize -m "$MODEL" --jsonl t --memory 8M "$T/j"
    says "j:2: a JSON line of more than 2097152 bytes"
    exits 0 tokenize -q -m "$MODEL" --jsonl t --limit 10 "$T/j"
}

@test "the ids of the nasty text are those of Hugging Face tokenizers" {
    tokenize -q --bytes -m "$MODEL" --bos never -c 1048576 "$ROOT/tests/data/nasty.txt" |
        stream-dump -f ndjson -r window | jq -r '.ids[]' | cmp - "$ROOT/tests/data/nasty.demo.ids"
}

@test "NUL, CRLF and bad UTF-8: every byte of the text is in a token" {   # which byte: tests/unit/test_encoder.c
    for f in nasty.txt nasty-bytes.bin; do
        tokenize -q --bytes -m "$MODEL" -c 33 "$ROOT/tests/data/$f" | stream-check
        [ "$(total bytes --bytes -c 33 "$ROOT/tests/data/$f")" -eq "$(wc -c <"$ROOT/tests/data/$f")" ]
    done
}

@test "every window begins with BOS by the model's own rule, with always and never" {
    [ "$(printf 'a b c d e' | windows -c 4)" = "0 0 0 true 2,101,273,285
0 1 3 true 2,291,311" ] || { printf 'a b c d e' | windows -c 4; false; }
    [ "$(printf 'a b c d e' | windows -c 4 --bos always)" = "$(printf 'a b c d e' | windows -c 4)" ]
    [ "$(printf 'a b c d e' | windows -c 4 --bos never)" = "0 0 0 false 101,273,285,291
0 1 4 false 311" ]
}

@test "BOS is never doubled" {
    [ "$(printf '</s>a b' | windows)" = "0 0 1 true 2,101,273" ]
    [ "$(printf '</s>a b' | windows --bos never)" = "0 0 0 false 2,101,273" ]
    [ "$(printf 'a b</s>c' | windows -c 3)" = "0 0 0 true 2,101,273
0 1 3 true 2,103" ]
}

@test "special tokens in the text: taken as such and said, or text" {
    printf 'x</s>y' >"$T/x"
    exits 0 tokenize -m "$MODEL" "$T/x"
    says "names of special tokens in the text taken as these tokens: 1"
    exits 0 tokenize -q -m "$MODEL" "$T/x"
    [ ! -s "$T/err" ]
    exits 0 tokenize -m "$MODEL" --special text "$T/x"
    [ ! -s "$T/err" ]
    [ "$(windows --special text "$T/x" | cut -d' ' -f5 | tr , '\n' | grep -cx 2)" -eq 1 ]   # BOS only
}

@test "full windows only" {
    [ "$(printf 'a b c d e' | windows -c 4 --full-only)" = "0 0 0 true 2,101,273,285" ]
    exits 3 tokenize -m "$MODEL" --full-only - <"$ROOT/LICENSE"
    says "no windows: of 1 documents none has enough tokens"
}

@test "a limit ends inside a window; full windows are not cut" {
    [ "$(total tokens --limit 1000 "$CORPUS")" -eq 1000 ]
    [ "$(total tokens --limit 1000 --full-only "$CORPUS")" -eq 512 ]
    [ "$(total tokens --limit 1024 --full-only "$CORPUS")" -eq 1024 ]
    [ "$(total tokens --limit 513 "$CORPUS")" -eq 512 ]      # no room for more than BOS
}

@test "the shards together are the whole, with limit and sample" {
    for args in "" "--limit 20000" "--limit 20000 --sample 0.3 --seed 5" "--full-only --limit 9000"; do
        # shellcheck disable=SC2086  # several options
        windows $args "$CORPUS" | sort >"$T/whole"
        [ -s "$T/whole" ]
        for k in 1 2 3; do
            # shellcheck disable=SC2086
            windows $args --shard $k/3 "$CORPUS"
        done | sort >"$T/shards"
        cmp "$T/whole" "$T/shards"
    done
}

@test "a shard without documents is an empty stream" {
    printf x >"$T/x"
    tokenize -m "$MODEL" --shard 2/2 "$T/x" | stream-check
    [ "$(total tokens --shard 2/2 "$T/x")" -eq 0 ]
}

@test "a sample is drawn by its seed, and about as large as asked for" {
    windows -c 64 --sample 0.25 --seed 1 "$CORPUS" >"$T/1"
    windows -c 64 --sample 0.25 --seed 2 "$CORPUS" >"$T/2"
    windows -c 64 "$CORPUS" >"$T/all"
    windows -c 64 --sample 0.25 --seed 1 "$CORPUS" | cmp "$T/1"
    if cmp -s "$T/1" "$T/2"; then false; fi
    [ -z "$(comm -23 <(sort "$T/1") <(sort "$T/all"))" ]
    n=$(wc -l <"$T/all") k=$(wc -l <"$T/1")
    # four standard deviations of a binomial
    awk -v n="$n" -v k="$k" 'BEGIN { d = k - n / 4; exit !(d * d <= 16 * n * 3 / 16) }'
}

@test "a long document is written as it is read: memory does not grow, the size is left out" {
    yes "the quick brown fox jumps" | head -c 300000 >"$T/x"
    [ "$(docs --domain d "$T/x")" = "0 d $T/x null" ]
    head -c 262144 "$T/x" >"$T/y"
    [ "$(docs --domain d "$T/y")" = "0 d $T/y 262144" ]
}

@test "from a pipe in small pieces, the same stream" {
    cmp <(tokenize -u -m "$MODEL" <"$CORPUS/code/01.py") \
        <({ head -c 10; sleep 0.1; head -c 1; sleep 0.1; cat; } <"$CORPUS/code/01.py" | tokenize -u -m "$MODEL")
}

@test "names are escaped to UTF-8" {
    mkdir "$T/d"
    printf x >"$T/d/$(printf 'a\nb\377')"
    [ "$(tokenize -m "$MODEL" "$T/d" | stream-dump -f ndjson -r doc | jq -r .name)" = "$T/d/a\\nb\\xff" ]
}

@test "the same tokenizer from either form has the same digest" {
    mkdir "$T/json" "$T/files"
    cp "$MODEL"/{tokenizer.json,tokenizer_config.json,config.json} "$T/json"
    cp "$MODEL"/{vocab.json,merges.txt,config.json} "$T/files"
    # tokenizer.json makes <s> special too
    jq '. + {additional_special_tokens: ["<s>"]}' "$MODEL/tokenizer_config.json" >"$T/files/tokenizer_config.json"
    for d in json files; do
        tokenize --bytes -m "$T/$d" "$ROOT/tests/data/nasty-bytes.bin" | stream-dump -f ndjson --header -r doc | head -1 | jq -r .tokenizer.digest >"$T/$d.digest"
        tokenize -q --bytes -m "$T/$d" "$ROOT/tests/data/nasty.txt" | stream-dump -f ndjson -r window >"$T/$d.windows"
    done
    cmp "$T/json.digest" "$T/files.digest"
    cmp "$T/json.windows" "$T/files.windows"
}

@test "an empty corpus is refused" {
    : >"$T/empty"
    mkdir "$T/none"
    exits 3 tokenize -m "$MODEL" "$T/empty"
    says "no windows: of 1 documents none has any tokens"
    exits 3 tokenize -m "$MODEL" "$T/none"
    says "no documents: there is no text in the input"
    exits 3 tokenize -m "$MODEL" --split line - </dev/null
    says "no documents"
    exits 3 stream-check "$T/out"
}

@test "what cannot be read is status 1, with its name" {
    exits 1 tokenize -m "$MODEL" "$T/absent"
    says "absent: No such file"
    mkdir "$T/d"
    ln -s nowhere "$T/d/link"
    exits 1 tokenize -m "$MODEL" "$T/d"
    says "d/link: No such file"
}

@test "a directory without a tokenizer, a merge of nothing, what is not implemented" {
    mkdir "$T/m"
    exits 3 tokenize -m "$T/m" "$ROOT/LICENSE"
    says "no tokenizer there"
    cp "$MODEL"/{config.json,merges.txt} "$T/m"
    cp "$MODEL/vocab.json" "$T/m"
    echo "x qqqq" >>"$T/m/merges.txt"
    exits 3 tokenize -m "$T/m" "$ROOT/LICENSE"
    says "\"qqqq\" is not in the vocabulary"
    rm "$T/m/config.json"
    jq '.pre_tokenizer = {type: "UnicodeScripts"} | .normalizer = {type: "Odd"}' "$MODEL/tokenizer.json" >"$T/m/tokenizer.json"
    exits 3 tokenize -m "$T/m" "$ROOT/LICENSE"
    says "tokenizer.json: not implemented: normalizer Odd; pre_tokenizer UnicodeScripts"
    cp "$MODEL/tokenizer.json" "$T/m"
    exits 2 tokenize -m "$T/m" "$ROOT/LICENSE"
    says "--context N is required"
}

@test "a directory with SentencePiece's own file alone" {
    mkdir "$T/m"
    printf x >"$T/m/tokenizer.model"
    exits 3 tokenize -m "$T/m" "$ROOT/LICENSE"
    says "m: only tokenizer.model, and no tokenizer.json; tokenizer.json is made by: python3 -c"
    ln -s nowhere "$T/m/tokenizer.json"
    exits 1 tokenize -m "$T/m" "$ROOT/LICENSE"
    says "m/tokenizer.json: a link to a file that is not there"
}

# Ids that no token has stand for nothing, and are never made.
@test "a vocabulary with a hole" {
    mkdir "$T/m"
    cp "$MODEL"/{config.json,merges.txt,tokenizer_config.json} "$T/m"
    jq '.hole = 8200' "$MODEL/vocab.json" >"$T/m/vocab.json"
    tokenize -q -u -m "$T/m" "$ROOT/LICENSE" >"$T/hole"
    [ "$(stream-dump -f ndjson --header "$T/hole" | head -1 | jq .tokenizer.vocab)" = 8201 ]
    cmp <(stream-dump -f ndjson -r window "$T/hole" | jq -c .ids) <(tokenize -q -m "$MODEL" "$ROOT/LICENSE" | stream-dump -f ndjson -r window | jq -c .ids)
}

# As CodeLlama's: the file says otherwise than the class that transformers takes, which goes first.
@test "where the tokenizer's files disagree is said" {
    cp -r "$ROOT/tests/data/tokenizers/llama2" "$T/m"
    echo hi | tokenize -m "$T/m" 2>"$T/err" >/dev/null
    grep -q "^tokenize: normalizer and pre_tokenizer of tokenizer.json: those of tokenizer_class LlamaTokenizer go first" "$T/err"
}

@test "EOS behind a document, where the model's own tokenizer puts it" {
    echo "Hello there" | tokenize -q -m "$ROOT/tests/data/tokenizers/unigram" | stream-dump -f ndjson -r window | jq -e '.ids[-1] == 1 and .bos == false'
    echo "Hello there" | tokenize -q --bos never -m "$ROOT/tests/data/tokenizers/unigram" | stream-dump -f ndjson -r window | jq -e '.ids[-1] != 1'
}

@test "each family: its kind, its BOS, and the text of its tokens" {
    for family in gpt2 phi neox llama3 qwen2; do
        family "$family" byte-level-bpe "It's  42"
    done
    for family in gptoss olmo2 bloom falcon granite deepseek; do
        family "$family" byte-level-bpe "It's  42"
    done
    family gemma sentencepiece-bpe "It's  42"
    family phi3 sentencepiece-bpe " It's  42"
    family llama2 sentencepiece-bpe " It's  42"
    family mistral sentencepiece-bpe " It's  42"
}

# family NAME TYPE TEXT: tokens of "It's  42" say TEXT; BOS is in front for Llama and Mistral alone.
family() {
    local m=$ROOT/tests/data/tokenizers/$1 bos=false
    case $1 in llama* | mistral | gemma | phi3 | deepseek) bos=true ;; esac
    printf "It's  42" | tokenize -m "$m" >"$T/$1.nf"
    [ "$(stream-dump -f ndjson --header "$T/$1.nf" | head -1 | jq -r .tokenizer.type)" = "$2" ]
    [ "$(stream-dump -f ndjson -r window "$T/$1.nf" | jq .bos)" = $bos ]
    [ "$(stream-dump -r window "$T/$1.nf" | sed -n 's/^ *text: \(<s>\|<bos>\|<|begin_of_text|>\|<｜begin▁of▁sentence｜>\)\?//p')" = "$3" ] || { stream-dump -r window "$T/$1.nf"; false; }
}

@test "a model without BOS: --bos always is refused" {
    exits 2 tokenize -m "$ROOT/tests/data/tokenizers/qwen2" --bos always "$ROOT/LICENSE"
    says "--bos always: no file in $ROOT/tests/data/tokenizers/qwen2 names a BOS token"
}

@test "a run that nothing cuts is refused where its tokens would need memory without bound" {
    head -c 5000000 /dev/zero >"$T/zeros"
    exits 3 tokenize --bytes -m "$MODEL" "$T/zeros"
    says "zeros: a run of more than 4194304 bytes"
    head -c 1000000 /dev/zero >"$T/zeros"
    exits 0 tokenize --bytes -m "$MODEL" "$T/zeros"
}

@test "a bad command line is status 2" {
    exits 2 tokenize "$ROOT/LICENSE"
    says "-m MODEL is required"
    for shard in 0/3 4/3 3 /3 1/ 1/x -1/3; do
        exits 2 tokenize -m "$MODEL" "--shard=$shard" "$ROOT/LICENSE"
        says "K/N with K from 1 to N"
    done
    exits 2 tokenize -m "$MODEL" --context 1 "$ROOT/LICENSE"
    says "no room for text after BOS"
    exits 2 tokenize -m "$MODEL" --max-bad 1 "$ROOT/LICENSE"
    says "--max-bad is for --jsonl"
    exits 2 tokenize -m "$MODEL" --jsonl a --split line "$ROOT/LICENSE"
    exits 2 tokenize -m "$MODEL" --sample 1.5 "$ROOT/LICENSE"
    says "from 0 to 1"
}
