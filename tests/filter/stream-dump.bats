#!/usr/bin/env bats
# What stream-dump promises: each form of tests/data/streams is what its readers expect.

load ../helpers

setup() {
    S=$ROOT/tests/data/streams
}

# prints_all: what the last `exits` wrote to stdout is exactly standard input.
prints_all() {
    diff - "$BATS_TEST_TMPDIR/out"
}

@test "text: context records and windows, ids with the text they stand for" {
    exits 0 stream-dump "$S/tokens.zst.nf"
    prints_all <<'END'
neurofilters stream, version 1, kind tokens
  tokenizer   digest=abababababab.. type=byte-level-bpe vocab=10 bos=always bos_id=1
  context     4
  history     tokenize 0.1.0 bos=always context=4
vocab first=0 tokens=["<s>" "</s>" "the" " cat" " sat" "\n"]
vocab first=6 tokens=["\xff" "\"\\" " naïve" ","]
special ids=u32[2](0 1)
  text: "<s>" "</s>"
doc doc=0 name="pets/a, b.txt" domain=pets bytes=12
window doc=0 window=0 start=0 bos=true ids=u32[4](1 2 3 4)
  text: </s>the cat sat
window doc=0 window=1 start=3 bos=true ids=u32[2](1 5)
  text: </s>\n
doc doc=2 name="say \"hi\"" domain=talk
window doc=2 window=0 start=0 bos=true ids=u32[4](1 6 7 8)
  text: </s>\xff"\\ naïve
end records=8
  totals: tokens=10 bos=3 windows=3 full=2 docs=2 bytes=21
END
}

@test "text: a neuron with its evidence, n-grams as words" {
    exits 0 stream-dump --record neuron "$S/neurons.nf"
    prints 'freq=8/20=0.4 [0.218807..0.613418]'
    prints '  token: m=2 covered=[" cat" "\n"] c=[6 2] n=[6 2] share=8/8=1 [0.675592..1] top=[" cat":6:6 "\n":2:2]'
    prints '  bigram: m=1 covered=["the"+" cat"]'
    prints 'curve=u32[4](3 3 0 0)'
}

@test "text: --values cuts, 0 shows all" {
    exits 0 stream-dump -n 2 --record batch "$S/activations.nf"
    prints 'ids=u32[6](1 2 ..)'
    exits 0 stream-dump -n 0 --record site --site pred "$S/activations.nf"
    [ "$(grep -o NaN "$BATS_TEST_TMPDIR/out" | wc -l)" -eq 6 ]
}

@test "records are chosen by type, layer and site" {
    exits 0 stream-dump -f ndjson --layer 1: --site ffn.act,ffn.active "$S/activations.nf"
    [ "$(jq -c '[.r, .site, .layer, .batch]' "$BATS_TEST_TMPDIR/out" | tr -d '\n')" = \
        '["site","ffn.active",1,0]["site","ffn.act",1,0]["site","ffn.active",1,1]["site","ffn.act",1,1]' ]
    exits 0 stream-dump -f ndjson --layer 1 "$S/tokens.nf"
    [ ! -s "$BATS_TEST_TMPDIR/out" ]
}

@test "ndjson: every line is JSON; numbers, nested lists, null for NaN, bytes as text" {
    exits 0 stream-dump -f ndjson "$S/activations.nf"
    [ "$(jq -s length "$BATS_TEST_TMPDIR/out")" -eq 16 ]
    [ "$(jq -c 'select(.site == "pred" and .batch == 0) | [.data[] | [.[0], .[3]] | map(. == null)[0]]' "$BATS_TEST_TMPDIR/out")" = \
        '[false,false,false,true,false,true]' ]
    [ "$(jq -c 'select(.r == "batch") | .ids' "$BATS_TEST_TMPDIR/out" | head -1)" = '[1,2,3,4,1,5]' ]
    [ "$(jq -r 'select(.r == "vocab") | .tokens[]' "$BATS_TEST_TMPDIR/out" | tr '\n' '|')" = '<s>|</s>|the| cat| sat|\n|\xff|"\\| naïve|,|' ]
}

@test "ndjson: header first and END last when asked for" {
    exits 0 stream-dump -f ndjson --header "$S/tokens.nf"
    [ "$(head -1 "$BATS_TEST_TMPDIR/out" | jq -r '.r + .kind + .format')" = headertokensneurofilters ]
    [ "$(tail -1 "$BATS_TEST_TMPDIR/out" | jq -c .totals)" = '{"tokens":10,"bos":3,"windows":3,"full":2,"docs":2,"bytes":21}' ]
}

@test "ndjson: a class of neurons is chosen with jq" {
    statuses "0 0" "stream-dump --format ndjson '$S/neurons.nf' | jq -e 'select(.class==\"token-detector\") | .token.share.p == 1'"
}

@test "csv: RFC 4180 quoting, absent is empty" {
    exits 0 stream-dump -f csv --record doc "$S/tokens.nf"
    prints_all <<'END'
doc,name,domain,bytes
0,"pets/a, b.txt",pets,12
2,"say ""hi""",talk,
END
}

@test "csv: the usual columns of neurons are the same for a dead neuron and a detector" {
    exits 0 stream-dump -f csv "$S/neurons.nf"
    head -1 "$BATS_TEST_TMPDIR/out" | grep -q '^layer,neuron,class,classes,undecided,fires,fires_bos,n,freq.k,freq.n,freq.p,freq.lo,freq.hi,band,'
    [ "$(sed 's/"[^"]*"//g' "$BATS_TEST_TMPDIR/out" | awk -F, '{ print NF }' | uniq | wc -l)" -eq 1 ]
    grep -q '^0,1,token-detector,token-detector;positional,' "$BATS_TEST_TMPDIR/out"
}

@test "tsv: chosen columns, renamed, lists joined, the rest as JSON" {
    exits 0 stream-dump -f tsv -c neuron,share=token.share.p,position.curve,bigram.covered,cover.2.1 "$S/neurons.nf"
    printf 'neuron\tshare\tposition.curve\tbigram.covered\tcover.2.1\n0\t\t\t\t0\n1\t1\t3;3;0;0\t[[2,3]]\t\n' | prints_all
}

@test "a type or a column that no record has is refused, with those there are" {
    exits 2 stream-dump -f ndjson --record window,neurons "$S/tokens.nf"
    says "no records of type 'neurons', but: vocab, special, doc, window"
    exits 2 stream-dump -f csv -c layer,token.shares.p "$S/neurons.nf"
    says "a record of type 'neuron' has no 'token.shares.p', but: layer, neuron, class,"
}

@test "--list: the types, how many records, and the columns" {
    exits 0 stream-dump --list "$S/tokens.nf"
    printf '%s\t%s\t%s\n' vocab 2 first,tokens special 1 ids doc 2 doc,name,domain,bytes window 3 doc,window,start,bos,ids | prints_all
}

@test "--schema: every line of ndjson has the fields that its schema requires, and no other" {
    for kind in tokens activations neurons; do
        exits 0 stream-dump --schema "$kind"
        [ "$(jq -r '."$schema"' "$BATS_TEST_TMPDIR/out")" = https://json-schema.org/draft/2020-12/schema ]
        jq -c '.anyOf[] | {r: .properties.r.const, must: .required, may: (.properties | keys)}' "$BATS_TEST_TMPDIR/out" |
            jq -s 'map({key: .r, value: .}) | from_entries' >"$BATS_TEST_TMPDIR/schema"
        stream-dump -f ndjson "$S/$kind.nf" >"$BATS_TEST_TMPDIR/lines"
        [ -s "$BATS_TEST_TMPDIR/lines" ]
        jq -e -s --slurpfile s "$BATS_TEST_TMPDIR/schema" \
            'all(.[]; . as $l | $s[0][.r] as $t | ($t.must - ($l | keys)) == [] and (($l | keys) - $t.may) == [])' "$BATS_TEST_TMPDIR/lines"
    done
    exits 2 stream-dump --schema neuron
    says 'tokens, activations, stats, neurons, effects, lens'
}

@test "--text: tokens as text beside ids, n-grams as one" {
    exits 0 stream-dump -f ndjson --text --neuron 0.1 "$S/neurons.nf"
    [ "$(jq -c '[.layer, .neuron, .token.covered_text, .token.top_text, .bigram.covered_text]' "$BATS_TEST_TMPDIR/out")" = \
        '[0,1,[" cat","\\n"],[" cat","\\n"],["the cat"]]' ]
    exits 0 stream-dump -f csv --text -c window,ids "$S/tokens.nf"
    printf '%s\n' window,ids,ids_text '0,1;2;3;4,</s>;the; cat; sat' '1,1;5,</s>;\n' '0,1;6;7;8,"</s>;\xff;""\\; naïve"' | prints_all
    exits 2 stream-dump -f npy --text "$S/tokens.nf"
}

@test "--neuron: records of one neuron" {
    exits 0 stream-dump -f csv --neuron 0.0,1.1 -c layer,neuron "$S/neurons.nf"
    printf 'layer,neuron\n0,0\n' | prints_all
    for bad in 3 3. .3 3.1x 03.1; do
        exits 2 stream-dump --neuron "$bad" "$S/neurons.nf"
    done
}

@test "ndjson: no list mixes lists and other values" {
    stream-dump -f ndjson "$S/neurons.nf" >"$BATS_TEST_TMPDIR/lines"
    jq -e -s 'all(.. | arrays; (any(.[]; type == "array") | not) or all(.[]; type == "array" or . == null))' "$BATS_TEST_TMPDIR/lines"
    [ "$(jq -c 'select(.neuron == 1).bigram.top' "$BATS_TEST_TMPDIR/lines")" = '[[2,3,6,6]]' ]
}

@test "a table without rows still has its names" {
    exits 0 stream-dump -f csv --record team "$S/neurons.nf"
    prints_all <<<'layer,type,strength,neurons,covered,context,multiplicity,loss,greedy,gain'
}

@test "npy: one array, joined over the records, with NumPy's head" {
    exits 0 stream-dump -f npy --record window --field ids "$S/tokens.nf"
    head -c 10 "$BATS_TEST_TMPDIR/out" | od -An -tx1 | grep -q '93 4e 55 4d 50 59 01 00 76 00'
    prints "{'descr': '<u4', 'fortran_order': False, 'shape': (10,), }"
    [ "$(stat -c %s "$BATS_TEST_TMPDIR/out")" -eq $((128 + 40)) ]
    [ "$(tail -c 40 "$BATS_TEST_TMPDIR/out" | od -An -v -tu4 | tr -s ' \n' ' ')" = ' 1 2 3 4 1 5 1 6 7 8 ' ]
}

@test "npy: a choice that leaves several arrays, or none, is refused" {
    exits 2 stream-dump -f npy --record site "$S/activations.nf"
    says 'from ffn.act.0 to pred.2'
    exits 3 stream-dump -f npy --record site --site ffn.pre "$S/activations.nf"
    says 'no tensor was chosen'
}

@test "safetensors: names, shapes and offsets that cover the data" {
    exits 0 stream-dump -f safetensors --record site "$S/activations.nf"
    local n size
    n=$(head -c 8 "$BATS_TEST_TMPDIR/out" | od -An -tu8 | tr -d ' ')
    size=$(stat -c %s "$BATS_TEST_TMPDIR/out")
    tail -c +9 "$BATS_TEST_TMPDIR/out" | head -c "$n" >"$BATS_TEST_TMPDIR/head"
    [ "$(jq -c '.["ffn.act.1"] | [.dtype, .shape]' "$BATS_TEST_TMPDIR/head")" = '["F32",[9,6]]' ]
    [ "$(jq -c '.["ffn.active.0"] | [.dtype, .shape]' "$BATS_TEST_TMPDIR/head")" = '["U8",[9,1]]' ]
    [ "$(jq 'del(.__metadata__) | [.[].data_offsets[1]] | max' "$BATS_TEST_TMPDIR/head")" -eq $((size - 8 - n)) ]
    # The rows of both batches, in order: the same bytes as the npy of that site.
    read -r from to < <(jq -r '.["ffn.act.1"].data_offsets | "\(.[0]) \(.[1])"' "$BATS_TEST_TMPDIR/head")
    cmp <(tail -c +$((9 + n + from)) "$BATS_TEST_TMPDIR/out" | head -c $((to - from))) \
        <(stream-dump -f npy --site ffn.act --layer 1 "$S/activations.nf" | tail -c +129)
}

@test "what was printed of a cut stream ends with a message" {
    head -c 700 "$S/tokens.nf" >"$BATS_TEST_TMPDIR/cut"
    exits 3 stream-dump --record doc "$BATS_TEST_TMPDIR/cut"
    says "cut ends before its END record (7 records read)"
    prints 'doc doc=0'
}

@test "options that a format does not have are refused" {
    exits 2 stream-dump --field x "$S/tokens.nf"
    exits 2 stream-dump --columns x "$S/tokens.nf"
    exits 2 stream-dump -f csv --header "$S/tokens.nf"
    exits 2 stream-dump -f csv --record doc,window "$S/tokens.nf"
    exits 2 stream-dump -f xml "$S/tokens.nf"
    says 'text|ndjson'
    exits 1 stream-dump "$S/nowhere.nf"
    says 'nowhere.nf: No such file'
}

@test "the worked example of FORMAT.md is a stream, byte for byte what it says" {
    sed -n '/^```hex/,/^```$/p' "$ROOT/lib/stream/FORMAT.md" | sed '/^```/d; s/#.*//' | tr -d ' \n' | sed 's/../\\x&/g' >"$BATS_TEST_TMPDIR/hex"
    printf '%b' "$(cat "$BATS_TEST_TMPDIR/hex")" >"$BATS_TEST_TMPDIR/x.nf"
    [ "$(stat -c %s "$BATS_TEST_TMPDIR/x.nf")" -eq 272 ]
    exits 0 stream-check --kind tokens "$BATS_TEST_TMPDIR/x.nf"
    exits 0 stream-dump -n 0 --record vocab,window "$BATS_TEST_TMPDIR/x.nf"
    prints 'tokens=["a" "\xff"]'
    prints '  text: \xffa'
}
