#!/usr/bin/env bats
# The makefiles of pipelines/ answer what was asked: other options, text or weights make files again; paths, clean, two runs at once.

load ../helpers

# small DIR: six short documents.
small() {
    mkdir -p "$1/a"
    for i in 1 2 3 4 5 6; do printf 'Text number %s about a fox and %s dogs.\n' "$i" $((i * i)) >"$1/a/$i.txt"; done
}

# study ARG...: the first study of the embedded model, up to its statistics.
study() {
    make -s -f "$ROOT/pipelines/neurons.mk" MODEL="$MODEL" PATH="$PATH" "$@"
}

# positions FILE: of a stats stream.
positions() {
    stream-dump -f ndjson -r totals "$1" | jq .tokens
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    small c
}

@test "another LIMIT, CONTEXT, TOKENIZE or corpus makes the statistics again" {
    study CORPUS=c OUT=o o/stats.nf
    whole=$(positions o/stats.nf)
    [ "$whole" -gt 60 ]
    study CORPUS=c OUT=o LIMIT=20 o/stats.nf
    [ "$(positions o/stats.nf)" -lt 20 ]
    study CORPUS=c OUT=o o/stats.nf
    [ "$(positions o/stats.nf)" -eq "$whole" ]
    study CORPUS=c OUT=o TOKENIZE="--full-only" CONTEXT=8 o/stats.nf
    [ "$(positions o/stats.nf)" -lt "$whole" ]
    rm c/a/1.txt
    study CORPUS=c OUT=o o/stats.nf
    [ "$(positions o/stats.nf)" -lt "$whole" ]
}

@test "another model of the same name, even behind a symbolic link, makes everything again" {
    mkdir one two
    cp -r "$MODEL" one/m
    cp -r "$MODEL" two/m
    jq '.bos_token_id = 2 | .dropout = 0' "$MODEL/config.json" >two/m/config.json
    ln -s one/m link
    study MODEL=link CORPUS=c OUT=o o/neurons.nf
    touch -d 2020-01-01 o/stats.nf o/neurons.nf
    ln -sfn two/m link
    study MODEL=link CORPUS=c OUT=o o/neurons.nf
    [ "$(find o -name '*.nf' -newermt 2020-01-02 | wc -l)" -eq 2 ]
}

@test "new text behind a symbolic link is noticed" {
    ln -s c link
    study CORPUS=link OUT=o o/stats.nf
    was=$(positions o/stats.nf)
    echo "One more sentence about a fox." >>c/a/3.txt
    study CORPUS=link OUT=o o/stats.nf
    [ "$(positions o/stats.nf)" -gt "$was" ]
}

@test "another number of shards neither loses nor doubles text, also half-way" {
    study CORPUS=c OUT=whole whole/stats.nf
    study CORPUS=c OUT=o SHARDS=4 o/shards/stats.1.nf o/shards/stats.2.nf
    study CORPUS=c OUT=o SHARDS=2 o/stats.nf
    cmp <(stream-dump -f ndjson whole/stats.nf) <(stream-dump -f ndjson o/stats.nf)
    study CORPUS=c OUT=o SHARDS=4 o/stats.nf
    cmp <(stream-dump -f ndjson whole/stats.nf) <(stream-dump -f ndjson o/stats.nf)
}

@test "only what an option concerns is made again" {
    study CORPUS=c OUT=o
    touch -d 2020-01-01 o/stats.nf o/neurons.nf
    study CORPUS=c OUT=o CLASSIFY="--mi 0.1"
    [ "$(stat -c %Y o/stats.nf)" -eq "$(date -d 2020-01-01 +%s)" ]
    [ "$(stat -c %Y o/neurons.nf)" -gt "$(date -d 2020-01-02 +%s)" ]
}

@test "CORPUS and MODEL may hold blanks, colons, dollar signs, quotes, a leading dash" {
    mkdir -- "my corpus" "-m:1"
    small "my corpus"
    mv "my corpus/a/1.txt" "my corpus/a/12:30 \$x 'y'.txt"
    cp -r "$MODEL" "my model"
    study MODEL="my model" CORPUS="my corpus" OUT=o o/stats.nf
    [ "$(positions o/stats.nf)" -gt 60 ]
    small ./-m:1
    study CORPUS=-m:1 OUT=p p/stats.nf
    cmp <(stream-dump -f ndjson -r totals o/stats.nf) <(stream-dump -f ndjson -r totals p/stats.nf)
}

@test "an OUT that make cannot name is refused, and clean removes nothing of others" {
    mkdir data
    echo precious >data/file
    for mk in neurons stages; do
        for out in "data results" 'data$x' "data#" -data "da'ta" "data:1"; do
            run make -s -f "$ROOT/pipelines/$mk.mk" clean MODEL="$MODEL" MODELS="$MODEL" CORPUS=c OUT="$out"
            [ "$status" -eq 2 ]
            [[ $output == *"OUT="* ]]
        done
    done
    [ "$(cat data/file)" = precious ]
    study CORPUS=c OUT=data
    study CORPUS=c OUT=data clean
    [ "$(ls -A data)" = file ]
}

@test "a second run in the same OUT waits for the first" {
    study CORPUS=c OUT=o SHARDS=3 -j2 2>first &
    study CORPUS=c OUT=o SHARDS=3 -j2 2>second
    wait $!
    stream-check o/neurons.nf
    [ -z "$(find o -name '*.part')" ]
    [ "$(find o/shards -type f | wc -l)" -eq 3 ]
}

@test "checkpoints whose folders have the same name are told apart, and one given twice is refused" {
    mkdir step1 step2
    cp -r "$MODEL" step1/hf
    cp -r "$MODEL" step2/hf
    "$ROOT/pipelines/compare-checkpoints.sh" o c step1/hf step2/hf
    stream-check o/step1-hf/neurons.nf o/step2-hf/neurons.nf
    grep -q 'step2-hf' o/report.html
    [ "$(cat o/compare.tsv)" = "$(printf 'model\tkl\ttop1\tfirings\tclasses\nstep2-hf\t0\t1\t0\t0')" ]
    exits 2 "$ROOT/pipelines/compare-checkpoints.sh" p c step1/hf step1/../step1/hf
    says "given twice"
}
