#!/usr/bin/env bats
# logit-lens: every point against transformers, the model's own output at the end, the lenses, what is refused.

load ../helpers

D=$ROOT/tests/data

# rows FIXTURE OPTION...: fixture-free lines "point window position kl entropy loss rank top" of every row.
rows() {
    local m=$1
    shift
    logit-lens -q -m "$D/$m" --include-bos --per-token "$@" <"$D/$m/tokens.nf" | stream-dump --format ndjson --record token |
        jq -r '[.point, .window, .position, .kl, .entropy, .loss // "nan", .rank // "nan", .top] | @tsv' | sort -s -n -k1,1 -k2,2 -k3,3
}

# agrees FIXTURE LENS OPTION...: logits of up to 16 are off by 4e-6 (tests/oracle/README.txt), and so are loss and entropy; a divergence is off by that times
# its square root and by 2e-7 (compare.h).  Ranks and top-1 are equal: no two logits are as near.
agrees() {
    local m=$1 lens=$2
    shift 2
    rows "$m" "$@" >"$BATS_TEST_TMPDIR/got"
    awk -F'\t' -v m="$m" -v l="$lens" '$1 == m && $2 == l { print $3 "\t" $4 "\t" $5 "\t" $6 "\t" $7 "\t" $8 "\t" $9 "\t" $10 }' \
        "$ROOT/tests/oracle/lens_reference.tsv" | sort -s -n -k1,1 -k2,2 -k3,3 >"$BATS_TEST_TMPDIR/want"
    [ -s "$BATS_TEST_TMPDIR/want" ]
    paste "$BATS_TEST_TMPDIR/got" "$BATS_TEST_TMPDIR/want" | awk -v m="$m $lens" '
        function off(x, y) { return x > y ? x - y : y - x }
        {
            if ($1 != $9 || $2 != $10 || $3 != $11 || $7 != $15 || $8 != $16 || off($4, $12) > 1e-6 + 1e-5 * $12 || off($5, $13) > 2e-5 ||
                (($6 == "nan") != ($14 == "nan")) || ($6 != "nan" && off($6, $14) > 2e-5)) { print m ": " $0; bad = 1 }
        }
        END { exit bad || NR == 0 }'
    [ "$(wc -l <"$BATS_TEST_TMPDIR/got")" -eq "$(wc -l <"$BATS_TEST_TMPDIR/want")" ]
}

@test "every row of every point is that of transformers in float64" {
    for m in opt-preln opt-postln gpt2-plain gpt-neox-parallel phi-gqa llama-plain qwen3-tied; do agrees $m own; done
}

@test "points between attention and FFN are too" {
    for m in opt-preln opt-postln gpt2-plain llama-plain; do agrees $m mid --mid; done
}

@test "the legacy lens is that of the released code" {
    for m in opt-preln gpt2-plain phi-gqa llama-plain; do agrees $m cached --norm cached --no-bias; done
}

# entropy_at_embedding OPTION...: of the lens on the demonstration's model, mean in bits.
entropy_at_embedding() {
    tokenize -q -m "$MODEL" --context 128 --limit 1000 "$CORPUS/fiction" | logit-lens -q -m "$MODEL" "$@" |
        stream-dump --format ndjson --record lens | jq 'select(.by == "all" and .point == 0).entropy.mean'
}

# As found in GPT-2 XL, of at most 15.6 bits: 0.5 and 15.6.  Here at most 13 bits: a small model is less sure of itself.
@test "at the embedding the lens is nearly sure, and the legacy lens knows nothing" {
    own=$(entropy_at_embedding) legacy=$(entropy_at_embedding --norm cached --no-bias)
    awk -v own="$own" -v legacy="$legacy" 'BEGIN { print own, legacy; exit !(own > 0 && own < 0.2 * 13 && legacy > 0.99 * 13 && legacy <= 13) }'
}

@test "translators of a tuned lens are applied" {
    agrees gpt2-plain tuned --tuned "$D/tuned-lens"
}

@test "a tuned lens that was made for a model of another name is told" {
    cp -r "$D/tuned-lens" "$BATS_TEST_TMPDIR/lens"
    logit-lens -m "$D/gpt2-plain" --tuned "$BATS_TEST_TMPDIR/lens" <"$D/gpt2-plain/tokens.nf" 2>"$BATS_TEST_TMPDIR/err" >/dev/null
    [ "$(grep -c 'made for' "$BATS_TEST_TMPDIR/err")" -eq 0 ]
    sed -i 's|"gpt2-plain"|"openai/gpt2-Large"|' "$BATS_TEST_TMPDIR/lens/config.json"
    logit-lens -m "$D/gpt2-plain" --tuned "$BATS_TEST_TMPDIR/lens" <"$D/gpt2-plain/tokens.nf" 2>"$BATS_TEST_TMPDIR/err" >/dev/null
    grep -q 'the translators were made for gpt2-Large, the model is gpt2-plain' "$BATS_TEST_TMPDIR/err"
}

# Parts are up to 10 and off by some 1e-6 of that, as logits are; that the others sum to the total is rounding of the same size.
@test "what each part gives is that of transformers, and sums to the logit less the mean logit" {
    for m in opt-preln gpt2-plain llama-plain gpt-neox-parallel gpt-neox-sequential phi-half; do
        logit-lens -q -m "$D/$m" --attribute --per-token --include-bos <"$D/$m/tokens.nf" >"$BATS_TEST_TMPDIR/lens"
        stream-check "$BATS_TEST_TMPDIR/lens"
        stream-dump --format ndjson --record part,parts,attribution "$BATS_TEST_TMPDIR/lens" | jq -s -r '
            [.[] | select(.r == "part").name] as $names | .[] | select(.r == "parts") |
            ((.logit[:-1] | add) - .logit[-1] | fabs) as $gap | if $gap > 1e-5 then error("parts off by \($gap)") else . end |
            . as $row | $names | to_entries[] | [.value, $row.window, $row.position, $row.logit[.key]] | @tsv' >"$BATS_TEST_TMPDIR/got"
        awk -F'\t' -v m="$m" '$1 == m { print $2 "\t" $3 "\t" $4 "\t" $5 }' "$ROOT/tests/oracle/parts_reference.tsv" |
            sort -s -t "$(printf '\t')" -n -k2,2 -k3,3 >"$BATS_TEST_TMPDIR/want"
        [ "$(wc -l <"$BATS_TEST_TMPDIR/got")" -gt 150 ]
        [ "$(wc -l <"$BATS_TEST_TMPDIR/got")" -eq "$(wc -l <"$BATS_TEST_TMPDIR/want")" ]
        paste "$BATS_TEST_TMPDIR/got" "$BATS_TEST_TMPDIR/want" | awk -v m="$m" '
            { off = $4 - $8; if (off < 0) off = -off; size = $8 < 0 ? -$8 : $8 }
            $1 != $5 || $2 != $6 || $3 != $7 || off > 1e-5 * (1 + size) { print m ": " $0; bad = 1 }
            END { exit bad || NR == 0 }'
        # means, of the total: those of the rows
        stream-dump --format ndjson --record part,parts,attribution "$BATS_TEST_TMPDIR/lens" | jq -s -e '
            ([.[] | select(.r == "part")] | last | .part) as $total | [.[] | select(.r == "parts").logit[$total]] as $rows |
            (.[] | select(.r == "attribution" and .part == $total and .by == "all").logit) as $mean |
            $mean.n == ($rows | length) and ($mean.mean - ($rows | add / length) | fabs) < 1e-6'
    done
}

# Of windows of 1, 20 and 5 tokens.
@test "positions and targets that are counted are chosen" {
    d=$D/gpt2-plain
    n() { logit-lens -q -m "$d" "$@" <"$d/tokens.nf" | stream-dump --format ndjson --record lens | jq -s -c 'map(select(.by == "all"))[0] | [.kl.n, .loss.n]'; }
    [ "$(n)" = "[23,21]" ]
    [ "$(n --with-next)" = "[21,21]" ]
    [ "$(n --with-next --include-bos)" = "[23,23]" ]
    [ "$(n --positions 2:5)" = "[6,5]" ]
    [ "$(n --positions 0: --include-bos)" = "[26,23]" ]
}

# The same floats, printed once as their shortest decimal and once as the double that they are: equal to 1e-7.
@test "the last point is the model's output" {
    for m in gpt2-plain opt-postln llama-rope3 phi-half; do
        L=$(model-info --no-weights -f json "$D/$m" | jq .sizes.L)
        rows $m | awk -v l="$L" '$1 == l { print $5, $6, $7, $8, $4 }' >"$BATS_TEST_TMPDIR/lens"
        forward-capture -q -m "$D/$m" --sites pred <"$D/$m/tokens.nf" | stream-dump --format ndjson --record site |
            jq -r '.data[] | [.[1], .[0] // "nan", .[3] // "nan", .[2], 0] | join(" ")' >"$BATS_TEST_TMPDIR/pred"
        paste -d ' ' "$BATS_TEST_TMPDIR/lens" "$BATS_TEST_TMPDIR/pred" | awk -v m="$m" '
            function near(x, y) { return x == y || (x - y) * (x - y) <= 1e-14 * x * x }
            !(near($1, $6) && near($2, $7) && $3 == $8 && $4 == $9 && $5 == 0) { print m ": " $0; bad = 1 }
            END { exit bad || NR < 26 }'
    done
}

# means of the rows by jq, for the group of records that the filter FILTER chooses
@test "means, deviations and errors are those of the rows" {
    tokenize -q -m "$MODEL" --context 64 "$CORPUS"/fiction/0[12].txt "$CORPUS/code/01.py" >"$BATS_TEST_TMPDIR/t"
    logit-lens -q -m "$MODEL" --per-token <"$BATS_TEST_TMPDIR/t" >"$BATS_TEST_TMPDIR/l"
    exits 0 stream-check "$BATS_TEST_TMPDIR/l"
    stream-dump --format ndjson --record token,lens "$BATS_TEST_TMPDIR/l" | jq -s -e '
        def off($a; $b): (($a - $b) | fabs) <= 1e-9 * (1 + ($b | fabs));
        (map(select(.r == "lens" and .by == "all" and .point == 3))[0]) as $want |
        map(select(.r == "token" and .point == 3)) as $rows |
        [$rows | group_by(.doc)[] | {n: length, s: (map(.kl) | add)}] as $docs |
        ($rows | length) as $n | ($docs | length) as $g | (($rows | map(.kl) | add) / $n) as $mean |
        (($rows | map((.kl - $mean) | . * .) | add / $n) | sqrt) as $sd |
        (($docs | map((.s - $mean * .n) | . * .) | add) * $g / ($g - 1) | sqrt / $n) as $se |
        ($docs | map(.s / .n)) as $own | ($own | add / $g) as $doc_mean |
        $n == $want.kl.n and $g == $want.docs and $g > 1 and off($want.kl.mean; $mean) and (($want.kl.sd - $sd) | fabs) < 1e-6 and
        (($want.kl.se - $se) | fabs) < 1e-7 and off($want.kl.doc_mean; $doc_mean) and
        off($want.kl.doc_sd; $own | map(. - $doc_mean | . * .) | add / ($g - 1) | sqrt) and off($want.loss.mean; ($rows | map(.loss | select(. != null)) | add / length))'
    # groups add up
    stream-dump --format ndjson --record lens "$BATS_TEST_TMPDIR/l" | jq -s -e '
        group_by(.point) | all(.[]; (map(select(.by == "all").kl.n) | add) as $n | (map(select(.by == "domain").kl.n) | add) == $n and
            (map(select(.by == "position").kl.n) | add) == $n and (map(select(.by == "domain")) | length) == 2)'
}

@test "rows bring their vocabulary along, from tokens and from captured streams; means alone do not" {
    printf 'Dear Mary' | tokenize -q -m "$MODEL" >"$BATS_TEST_TMPDIR/t"
    forward-capture -q -m "$MODEL" --sites resid.pre,resid.post <"$BATS_TEST_TMPDIR/t" >"$BATS_TEST_TMPDIR/a"
    stream-dump --format ndjson --record vocab,special "$BATS_TEST_TMPDIR/t" >"$BATS_TEST_TMPDIR/vocab"
    for from in t a; do
        logit-lens -q -m "$MODEL" --per-token --top-k 2 <"$BATS_TEST_TMPDIR/$from" >"$BATS_TEST_TMPDIR/l"
        exits 0 stream-check "$BATS_TEST_TMPDIR/l"
        stream-dump --format ndjson "$BATS_TEST_TMPDIR/l" | sed '/"r":"point"/,$d' | cmp - "$BATS_TEST_TMPDIR/vocab"
        [ "$(stream-dump --format ndjson --record vocab,special "$BATS_TEST_TMPDIR/l" | wc -l)" -eq "$(wc -l <"$BATS_TEST_TMPDIR/vocab")" ]
        [ -z "$(logit-lens -q -m "$MODEL" <"$BATS_TEST_TMPDIR/$from" | stream-dump --format ndjson --record vocab,special)" ]
    done
}

@test "stream-dump shows the tokens of rows as text, with the vocabulary of the stream" {
    row() { stream-dump --record token "$@" | grep -A 1 'position=3 ' | tail -n 1; }
    printf 'Dear Mary' | tokenize -q -m "$MODEL" | logit-lens -q -m "$MODEL" --per-token --top-k 2 >"$BATS_TEST_TMPDIR/l"
    [ "$(row "$BATS_TEST_TMPDIR/l")" = '  text: token=" Mary" top="," top_ids=["," "."]' ]
    [ "$(row -n 1 "$BATS_TEST_TMPDIR/l")" = '  text: token=" Mary" top="," top_ids=["," ..]' ]
    [ "$(printf 'Dear Mary' | tokenize -q -m "$MODEL" | lesion -q -m "$MODEL" --per-token --drop 0 | row)" = '  text: token=" Mary" top_normal="," top_intervened="ster"' ]
}

@test "BOS is left out unless it is asked for" {
    d=$D/gpt2-plain
    n() { logit-lens -q -m "$d" "$@" <"$d/tokens.nf" | stream-dump --format ndjson --record lens | jq -s 'map(select(.by == "all"))[0].kl.n'; }
    [ "$(n)" -eq 23 ]    # 26 tokens, three windows
    [ "$(n --include-bos)" -eq 26 ]
}

@test "points between attention and FFN" {
    logit-lens -q -m "$D/opt-preln" --mid <"$D/opt-preln/tokens.nf" | stream-dump --format ndjson --record point | jq -s -e 'map(.name) == ["0", "0.mid", "1", "1.mid", "2"]'
    # leaving out the FFN of the last block ends where its middle point is
    mid=$(logit-lens -q -m "$D/opt-preln" --mid <"$D/opt-preln/tokens.nf" | stream-dump --format ndjson --record lens | jq -s -c 'map(select(.by == "all" and .point == 3))[0] | [.kl.mean, .entropy.mean]')
    ffn=$(lesion -q -m "$D/opt-preln" --drop-ffn 1 <"$D/opt-preln/tokens.nf" | stream-dump --format ndjson --record effect | jq -s -c 'map(select(.by == "all" and .intervention == 1))[0] | [.kl.mean, .entropy.mean]')
    [ "$mid" = "$ffn" ]
}

@test "memory, batches and threads do not change a byte" {
    tokenize -q -m "$MODEL" --context 48 --limit 900 "$CORPUS/letters" >"$BATS_TEST_TMPDIR/t"
    logit-lens -q --attribute --mid -m "$MODEL" <"$BATS_TEST_TMPDIR/t" | stream-dump --format ndjson >"$BATS_TEST_TMPDIR/want"
    for o in "-j 1" "-j 3" "--memory 28M" "--memory 60M"; do
        # shellcheck disable=SC2086
        logit-lens -q --attribute --mid -m "$MODEL" $o <"$BATS_TEST_TMPDIR/t" | stream-dump --format ndjson | cmp - "$BATS_TEST_TMPDIR/want" || { echo "$o"; false; }
    done
    exits 2 logit-lens -q -m "$MODEL" --memory 1M <"$BATS_TEST_TMPDIR/t"
    says "too small"
}

@test "what does not go together is refused" {
    exits 2 logit-lens -q -m "$D/phi-half" --mid <"$D/phi-half/tokens.nf"
    says "parallel"
    exits 2 logit-lens -q -m "$D/opt-postln" --norm cached <"$D/opt-postln/tokens.nf"
    says "no final norm"
    exits 2 logit-lens -q -m "$D/gpt2-plain" --no-bias --tuned "$D/tuned-lens" <"$D/gpt2-plain/tokens.nf"
    says "--tuned"
    exits 2 logit-lens -q -m "$D/opt-postln" --attribute <"$D/opt-postln/tokens.nf"
    says "normalises after each sum"
    exits 3 logit-lens -q -m "$D/llama-plain" --tuned "$D/tuned-lens" <"$D/llama-plain/tokens.nf"
    says "d_model: 12, the model has"
    cp -r "$D/tuned-lens" "$BATS_TEST_TMPDIR/lens"
    sed -i 's/"d_model": 12/"d_model": 12, "x": 1/; s/linear_tuned_lens/other/' "$BATS_TEST_TMPDIR/lens/config.json"
    exits 3 logit-lens -q -m "$D/gpt2-plain" --tuned "$BATS_TEST_TMPDIR/lens" <"$D/gpt2-plain/tokens.nf"
    says "lens_type other"
    cp "$D/tuned-lens/config.json" "$BATS_TEST_TMPDIR/lens/"
    sed -i 's/"bias": true/"bias": false/' "$BATS_TEST_TMPDIR/lens/config.json"    # then biases have no role
    exits 3 logit-lens -q -m "$D/gpt2-plain" --tuned "$BATS_TEST_TMPDIR/lens" <"$D/gpt2-plain/tokens.nf"
    says "tensor 0.bias has no role"
    cp "$D/tuned-lens/config.json" "$BATS_TEST_TMPDIR/lens/"
    head -c 900 "$D/tuned-lens/params.pt" >"$BATS_TEST_TMPDIR/lens/params.pt"
    exits 3 logit-lens -q -m "$D/gpt2-plain" --tuned "$BATS_TEST_TMPDIR/lens" <"$D/gpt2-plain/tokens.nf"
    says "params.pt"
    exits 3 logit-lens -q -m "$D/gpt2-plain" <"$D/neurons-fixture.nf"
    says "kind"
    exits 3 logit-lens -q -m "$D/gpt2-plain" <"$D/gpt2-plain/reference.nf"    # transformers does not say which weights it ran
    says "weights_sha256 is missing"
}

@test "captured streams give what the run itself gives, bit for bit" {
    tokenize -q -m "$MODEL" --context 64 --limit 2000 "$CORPUS/letters" "$CORPUS/code/01.py" >"$BATS_TEST_TMPDIR/t"
    means() { stream-dump --record point,part,lens,attribution "$1"; }
    for o in "" "--attribute --mid" "--norm cached --no-bias"; do
        # shellcheck disable=SC2086
        logit-lens -q -m "$MODEL" $o <"$BATS_TEST_TMPDIR/t" >"$BATS_TEST_TMPDIR/want"
        # shellcheck disable=SC2086
        forward-capture -q -m "$MODEL" --batch-tokens 700 --sites resid.pre,resid.mid,resid.post,attn.out,ffn.out,norms <"$BATS_TEST_TMPDIR/t" |
            logit-lens -q -m "$MODEL" $o >"$BATS_TEST_TMPDIR/got"
        stream-check "$BATS_TEST_TMPDIR/got"
        cmp <(means "$BATS_TEST_TMPDIR/want") <(means "$BATS_TEST_TMPDIR/got") || { echo "$o"; false; }
    done
    # the points that both sites have may come from either
    logit-lens -q -m "$MODEL" <"$BATS_TEST_TMPDIR/t" >"$BATS_TEST_TMPDIR/want"
    forward-capture -q -m "$MODEL" --sites blocks.0.hook_resid_pre,resid.post <"$BATS_TEST_TMPDIR/t" | logit-lens -q -m "$MODEL" >"$BATS_TEST_TMPDIR/got"
    cmp <(means "$BATS_TEST_TMPDIR/want") <(means "$BATS_TEST_TMPDIR/got")
    forward-capture -q -m "$MODEL" --sites resid.pre,blocks.5.hook_resid_post <"$BATS_TEST_TMPDIR/t" | logit-lens -q -m "$MODEL" >"$BATS_TEST_TMPDIR/got"
    cmp <(means "$BATS_TEST_TMPDIR/want") <(means "$BATS_TEST_TMPDIR/got")
}

@test "activations that are not all that is expected, or another model's, are refused by name" {
    d=$D/gpt2-plain
    all=resid.pre,resid.post
    capture() { forward-capture -q -m "$d" "$@" <"$d/tokens.nf" >"$BATS_TEST_TMPDIR/a"; }
    refused() { exits "$1" logit-lens -q -m "$d" "${@:3}" <"$BATS_TEST_TMPDIR/a" && says "$2"; }
    capture --sites resid.pre
    refused 3 "point 2: site resid.post of layer 1"
    capture --sites resid.post
    refused 3 "point 0: site resid.pre of layer 0"
    capture --sites $all
    refused 3 "site resid.mid of layer 0" --mid
    refused 3 "site attn.out of layer 0" --attribute
    refused 2 "--memory 100000 is too small" --memory 100000
    capture --sites $all --positions 1:
    refused 3 "all positions"
    capture --sites $all
    exits 3 logit-lens -q -m "$D/gpt2-bylayer" <"$BATS_TEST_TMPDIR/a"
    says "made with another model than gpt2-bylayer: config.json"
    # a row less, a wider one: the stream of transformers, its records changed
    zstd -dcq "$BATS_TEST_TMPDIR/a" | LC_ALL=C sed 's/\xa4site\xa9resid.pre\xa5layer\x01/\xa4site\xa9resid.pre\xa5layer\x00/' >"$BATS_TEST_TMPDIR/b"
    mv "$BATS_TEST_TMPDIR/b" "$BATS_TEST_TMPDIR/a"
    refused 3 "layer 0: rows of 12 from 26 on are expected"
    capture --sites $all --out-dtype f16    # what was rounded is taken as it is
    exits 0 logit-lens -q -m "$d" <"$BATS_TEST_TMPDIR/a"
}

# At the output: the logits themselves, sorted.  At every point: its own top-1, and the loss of a next token that is among them.
@test "the most probable tokens are those of the logits" {
    for m in gpt2-plain phi-half; do
        logit-lens -q -m "$D/$m" --include-bos --per-token --top-k 5 <"$D/$m/tokens.nf" >"$BATS_TEST_TMPDIR/lens"
        forward-capture -q -m "$D/$m" --sites logits <"$D/$m/tokens.nf" | stream-dump --format ndjson --record site >"$BATS_TEST_TMPDIR/logits"
        stream-dump --format ndjson --record token "$BATS_TEST_TMPDIR/lens" | jq -s -e --slurpfile l "$BATS_TEST_TMPDIR/logits" '
            [$l[].data[] | (max) as $m | (map(. - $m | exp) | add) as $sum | to_entries | sort_by(-.value) | .[:5] |
                {ids: map(.key), p: map((.value - $m | exp) / $sum)}] as $want |
            [.[] | select(.point == 2)] as $got |
            ($got | length) == 26 and [$got[].top_ids] == [$want[].ids] and
            ([range(26) as $i | range(5) as $k | $got[$i].top_p[$k] - $want[$i].p[$k] | fabs] | max) < 1e-6' >/dev/null
        stream-dump --format ndjson --record token "$BATS_TEST_TMPDIR/lens" | jq -s -e '
            all(.[]; .top_ids[0] == .top and (.top_ids | unique | length) == 5 and .top_p == (.top_p | sort | reverse)) and
            ([.[] | select(.rank != null and .rank < 5) | (.top_p[.rank] | log) + .loss | fabs] | length > 5 and max < 1e-5)' >/dev/null
    done
    # over several tiles of the vocabulary
    printf 'Dear Mary' | tokenize -q -m "$MODEL" | logit-lens -q -m "$MODEL" --per-token --top-k 1024 | stream-dump --format ndjson --record token | jq -s -e '
        all(.[]; (.top_ids | unique | length) == 1024 and .top_p == (.top_p | sort | reverse) and (.top_p | add) <= 1.000001 and .top_ids[0] == .top)' >/dev/null
    exits 2 logit-lens -q -m "$D/gpt2-plain" --top-k 5 <"$D/gpt2-plain/tokens.nf"
    says "--per-token"
    exits 2 logit-lens -q -m "$D/gpt2-plain" --per-token --top-k 44 <"$D/gpt2-plain/tokens.nf"
    says "43 tokens"
}

@test "stream-check finds parts that are missing, doubled or cut" {
    d=$D/gpt2-plain
    logit-lens -u -q -m "$d" --attribute --per-token <"$d/tokens.nf" >"$BATS_TEST_TMPDIR/lens"
    stream-check "$BATS_TEST_TMPDIR/lens"
    finds() {    # EDIT TEXT
        LC_ALL=C sed "$1" "$BATS_TEST_TMPDIR/lens" >"$BATS_TEST_TMPDIR/bad"
        exits 3 stream-check "$BATS_TEST_TMPDIR/bad"
        prints "$2"
    }
    finds 's/\xa1r\xa4part\xa4part\x01/\xa1r\xa4part\xa4part\x02/' "part 2: they count up from 0"
    finds 's/\xabattribution\xa4part\x01\xa2by\xa3all/\xabattribution\xa4part\x03\xa2by\xa3all/' "attribution of part 3 of 7"
    finds 's/\xa5parts\x07\xa6tokens/\xa5parts\x06\xa6tokens/' "total 'parts' is 6"
}
