#!/usr/bin/env bats
# What stream-check promises: good streams pass in silence, each fault is named.

load ../helpers

setup() {
    S=$ROOT/tests/data/streams
}

# changed NAME SED: the stream with bytes replaced (one for one), in $BATS_TEST_TMPDIR/x.nf.
changed() {
    LC_ALL=C sed "$2" "$S/$1.nf" >"$BATS_TEST_TMPDIR/x.nf"
    [ "$(stat -c %s "$S/$1.nf")" -eq "$(stat -c %s "$BATS_TEST_TMPDIR/x.nf")" ]
    ! cmp -s "$S/$1.nf" "$BATS_TEST_TMPDIR/x.nf" || { echo "nothing changed"; return 1; }
}

# faulty NAME SED TEXT: changed so, the stream has one fault, and TEXT is in its line.
faulty() {
    changed "$1" "$2" || return 1
    exits 3 stream-check "$BATS_TEST_TMPDIR/x.nf"
    says "1 fault"
    prints "$3"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 1 ]
}

@test "good streams of every kind pass in silence" {
    exits 0 stream-check "$S"/*.nf
    [ ! -s "$BATS_TEST_TMPDIR/out" ] && [ ! -s "$BATS_TEST_TMPDIR/err" ]
    statuses "0 0" "cat '$S/tokens.zst.nf' | stream-check"
    exits 0 stream-check -v "$S/neurons.nf"
    says 'kind neurons, 5 records, no fault'
}

@test "a stream of another kind is refused" {
    exits 3 stream-check --kind 'stats|neurons' "$S/tokens.nf"
    says "kind 'tokens'; 'stats|neurons' is expected"
    exits 0 stream-check --kind 'stats|tokens' "$S/tokens.nf"
}

@test "a stream that is cut or goes on is refused" {
    head -c 100 "$S/tokens.zst.nf" >"$BATS_TEST_TMPDIR/x.nf"
    exits 3 stream-check "$BATS_TEST_TMPDIR/x.nf"
    cat "$S/tokens.nf" "$S/tokens.nf" >"$BATS_TEST_TMPDIR/x.nf"
    exits 3 stream-check "$BATS_TEST_TMPDIR/x.nf"
    says 'goes on after its END record'
}

@test "every file is checked, and the worst status counts" {
    changed tokens 's/\x05\x00\x00\x00/\x63\x00\x00\x00/'
    exits 3 stream-check "$BATS_TEST_TMPDIR/x.nf" "$S/tokens.nf"
    exits 3 stream-check "$S/tokens.nf" "$BATS_TEST_TMPDIR/x.nf" "$S/neurons.nf"
    exits 1 stream-check "$BATS_TEST_TMPDIR/x.nf" "$S/nowhere.nf" "$S/tokens.nf"
}

@test "tokens: ids, order and totals" {
    faulty tokens 's/\x05\x00\x00\x00/\x63\x00\x00\x00/' 'record 6 (window): document 0, window 1: token id 99 at position 1 is outside the vocabulary of 10'
    faulty tokens 's/\xa5start\x03/\xa5start\x02/' 'record 6 (window): document 0: window 1 from token 2, at least 1 and 3 are next'
    changed tokens 's/\xa5first\x06/\xa5first\x07/'
    exits 3 stream-check "$BATS_TEST_TMPDIR/x.nf"
    prints 'record 2 (vocab): vocab: tokens from 7 on, where 6 is next'
    prints 'record 4 (doc): the vocab records have 6 tokens, the header says 10'
    faulty tokens 's/\xa3bos\x03/\xa3bos\x04/' "record 9 (end): END: total 'bos' is 4, the records have 3"
    faulty tokens 's/\xa4full\x02/\xa4full\x01/' "END: total 'full' is 1, the records have 2"
}

@test "tokens: the first id of a window with BOS is the BOS token" {
    faulty tokens 's/\x01\x00\x00\x00\x05\x00\x00\x00/\x02\x00\x00\x00\x05\x00\x00\x00/' 'bos, but the first token is 2'
}

@test "activations: NaN and infinity are named by field and place" {
    local inf='\x00\x00\x80\x7f' zero='\x00\x00\x00\x00'
    # the first zero of the first ffn.act record, whose row 0 is 0.12573 0 ..
    LC_ALL=C sed "s/\(\xa4data\|\xc4\x04data\)\(\xc4\x90....\)$zero/\1\2$inf/" "$S/activations.nf" >"$BATS_TEST_TMPDIR/x.nf"
    exits 3 stream-check "$BATS_TEST_TMPDIR/x.nf"
    prints "field 'data'[0], value 1, is infinite"
}

@test "activations: loss and rank are NaN exactly where there is no next token" {
    faulty activations 's/\x00\x00\xc0\x7f\(....\)\x00\x00\x00\x00\x00\x00\xc0\x7f/\x00\x00\x80\x3f\1\x00\x00\x00\x00\x00\x00\x80\x3f/' 'must be NaN: a next token is not there'
}

@test "activations: no bit beyond the last neuron" {
    faulty activations 's/\x2d\x23\x00\x2b/\x2d\xa3\x00\x2b/' 'site ffn.active, layer 0, row 1: a bit is set beyond neuron 5'
}

@test "activations: rows and layers are those the header announces" {
    changed activations 's/\xa4site\xa7ffn.act\xa5layer\x01/\xa4site\xa7ffn.act\xa5layer\x07/'
    exits 3 stream-check "$BATS_TEST_TMPDIR/x.nf"
    prints 'site ffn.act, layer 7: not announced in the header'
}

@test "neurons: classes, shares, order and totals" {
    faulty neurons 's/\xa5class\xa4dead/\xa5class\xa4deaf/' "unknown class 'deaf'"
    faulty neurons 's/\xa6neuron\x01/\xa6neuron\x00/' 'record 5 (neuron): layer 0, neuron 0 after layer 0, neuron 0'
    faulty neurons 's/\xa5share\x85\xa1k\x08\xa1n\x08/\xa5share\x85\xa1k\x09\xa1n\x08/' 'record 5 (neuron): share: not a share'
    faulty neurons 's/\xa7neurons\x02/\xa7neurons\x03/' "END: total 'neurons' is 3, the records have 2"
}

@test "faults are counted beyond what is printed" {
    changed activations 's/\xa5batch\x01/\xa5batch\x05/g'
    exits 3 stream-check --max-faults 1 "$BATS_TEST_TMPDIR/x.nf"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 1 ]
}

@test "what our own filters write passes, at every site" {
    local T=$BATS_TEST_TMPDIR
    tokenize -m "$MODEL" --context 32 --limit 500 "$CORPUS/fiction" "$CORPUS/code" >"$T/tokens.nf"
    forward-capture -q -m "$MODEL" --sites ffn.active,ffn.pre,resid.post,attn.local,norms,pred --positions 3:30 <"$T/tokens.nf" >"$T/some.nf"
    forward-capture -q -m "$MODEL" <"$T/tokens.nf" >"$T/active.nf"
    reduce-stats <"$T/active.nf" >"$T/stats.nf"
    reduce-stats <"$T/some.nf" >"$T/moments.nf"
    classify-neurons -m "$MODEL" <"$T/stats.nf" >"$T/neurons.nf"
    exits 0 stream-check "$T"/*.nf
    [ ! -s "$BATS_TEST_TMPDIR/out" ] && [ ! -s "$BATS_TEST_TMPDIR/err" ]
}

@test "stats: order, keys and sums" {
    local T=$BATS_TEST_TMPDIR S=$BATS_TEST_TMPDIR
    tokenize -m "$MODEL" --context 32 --limit 200 "$CORPUS/fiction" | forward-capture -q -m "$MODEL" | reduce-stats -u >"$T/stats.nf"
    exits 0 stream-check "$T/stats.nf"
    faulty stats 's/\xa1r\xa5fires\xa5layer\x01/\xa1r\xa5fires\xa5layer\x00/' 'fires is out of order'
    changed stats 's/\xa5order\x02\xa6planes\x01\xa5first\x00/\xa5order\x02\xa6planes\x01\xa5first\x05/'
    exits 3 stream-check "$T/x.nf"
    prints 'ngrams: order 2, planes 1, first 5 is out of order'
    changed stats 's/\xa3bos\x07/\xa3bos\x01/'    # of totals
    exits 3 stream-check "$T/x.nf"
    prints 'fires more often than there are tokens'
}

@test "effects: interventions, what refers to them, and counts" {
    local T=$BATS_TEST_TMPDIR S=$BATS_TEST_TMPDIR D=$ROOT/tests/data/opt-preln
    lesion -q -u -m "$D" --drop all --per-token <"$D/tokens.nf" >"$T/effects.nf"
    exits 0 stream-check "$T/effects.nf"
    faulty effects 's/\xa1r\xacintervention\xacintervention\x01/\xa1r\xacintervention\xacintervention\x02/' 'record 4 (intervention): intervention 2: they count up from 0, before all other records'
    faulty effects 's/\xa6totals\x83\xadinterventions\x03/\xa6totals\x83\xadinterventions\x04/' "END: total 'interventions' is 4, the records have 3"
    changed effects 's/\xa1r\xa6effect\xacintervention\x02/\xa1r\xa6effect\xacintervention\x05/'
    exits 3 stream-check "$T/x.nf"
    prints "intervention 5 of 3"
    changed effects 's/\xa1r\xa5token\xacintervention\x02/\xa1r\xa5token\xacintervention\x07/'
    exits 3 stream-check "$T/x.nf"
    prints 'intervention 7 of 3'
    changed effects 's/\xa2by\xa3all/\xa2by\xa3alk/'
    exits 3 stream-check "$T/x.nf"
    prints "by 'alk': all, domain or position is expected"
    changed effects 's/\xa2kl\x86\xa1n\x03/\xa2kl\x86\xa1n\x02/'
    exits 3 stream-check "$T/x.nf"
    prints 'intervention 0: 42 rows, by domain 42, by position 41'
}

# measured: effects and lens of three short documents, $BATS_TEST_TMPDIR/{effects,lens}.nf.
measured() {
    local T=$BATS_TEST_TMPDIR f
    mkdir "$T/text"
    for f in 1 2 3; do head -c $((30 * f)) "$CORPUS/letters/0$f.txt" >"$T/text/$f"; done
    tokenize -q -m "$MODEL" "$T/text" >"$T/tokens.nf"
    lesion -q -u -m "$MODEL" --drop 0 --per-token <"$T/tokens.nf" >"$T/effects.nf"
    logit-lens -q -u -m "$MODEL" --per-token <"$T/tokens.nf" >"$T/lens.nf"
    exits 0 stream-check "$T/effects.nf" "$T/lens.nf"
}

@test "effects, lens: a mean of documents is whole, or not there" {
    local T=$BATS_TEST_TMPDIR S=$BATS_TEST_TMPDIR kind bad
    measured
    for kind in effects lens; do
        changed $kind 's/\xa8doc_mean/\xa8was_mean/g; s/\xa6doc_sd/\xa6was_sd/g'    # as older programs wrote them
        exits 0 stream-check "$T/x.nf"
        # the first byte of a double has its sign
        for bad in 's/doc_mean/was_mean/' 's/doc_sd/was_sd/' 's/\xa6doc_sd\xcb./\xa6doc_sd\xcb\xbf/'; do
            changed $kind "$bad"
            exits 3 stream-check "$T/x.nf"
            prints ", but doc_mean or doc_sd is none"
        done
    done
}

@test "effects, lens: a vocabulary is whole" {
    local S=$BATS_TEST_TMPDIR kind
    measured
    for kind in effects lens; do    # found at the record that comes after, which is then no fault itself
        faulty $kind 's/\xa5vocab\xcd\x20\x00/\xa5vocab\xcd\x20\x01/' '): the vocab records have 8192 tokens, the header says 8193'
        prints 'record 4 ('
    done
}
