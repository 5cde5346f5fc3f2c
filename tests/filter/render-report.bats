#!/usr/bin/env bats
# render-report: one page, whole, safe, and the same every time.

load ../helpers

FIXTURE=$BATS_TEST_DIRNAME/../data/neurons-fixture.nf
NOPOS=$BATS_TEST_DIRNAME/../data/neurons-fixture-nopos.nf
EFFECTS=$BATS_TEST_DIRNAME/../data/stages-effects.nf
LENS=$BATS_TEST_DIRNAME/../data/stages-lens.nf
STATS=$BATS_TEST_DIRNAME/../data/stages-stats.nf
FIGURES=(1a 1b 2 3a 3b 4 5 6 7 8 9 10 11 12 13 14a 14b 15 16)

# page ARGS: the report, in $PAGE.
page() {
    PAGE=$BATS_TEST_TMPDIR/page.html
    render-report -o "$PAGE" "$@"
}

# scripts: the scripts of the page, each in a file; the data as data.json.
scripts() {
    awk -v dir="$BATS_TEST_TMPDIR/" '
        /^<script type="application\/json" id="data">/ { sub(/^<script[^>]*>/, ""); sub(/<\/script>$/, ""); print > (dir "data.json"); next }
        /^<script>/ { file = dir "script" ++n ".js" } /^<\/script>/ { file = "" } file && !/^<script>/ { print > file }' "$PAGE"
}

@test "the streams of these tests are streams" {
    for f in "$FIXTURE" "$NOPOS" "$EFFECTS" "$LENS" "$STATS"; do stream-check "$f"; done
}

@test "every figure of the paper has its place, in HTML and Markdown" {
    page "$FIXTURE"
    render-report -f markdown "$FIXTURE" >"$BATS_TEST_TMPDIR/md"
    for f in "${FIGURES[@]}"; do
        grep -q "id=\"figure-$f\"" "$PAGE" || { echo "no figure $f"; false; }
        grep -q "href=\"#figure-$f\"" "$PAGE"
        grep -q "^### Figure $f: " "$BATS_TEST_TMPDIR/md"
    done
    [ "$(grep -c '<article class="figure"' "$PAGE")" -eq "${#FIGURES[@]}" ]
}

@test "every chart that the page has a place for is in the table of charts" {
    weights
    page "$FIXTURE" "$NOPOS" "$EFFECTS" "$LENS" "$STATS" "$WEIGHTS"
    grep -o 'data-chart="[^"]*"' "$PAGE" | cut -d'"' -f2 | sort -u | while read -r id; do
        grep -qE "(\"$id\"|[ {]$id):" "$ROOT"/lib/report/page/{charts,stages}.js || { echo "no chart $id"; false; }
    done
}

@test "every class and every colour that a chart names has one, on light ground and on dark" {
    page "$FIXTURE"
    scripts
    for c in $(jq -r '.classes[]' "$BATS_TEST_TMPDIR/data.json") $(grep -oh 'color("[a-z0-9-]*")' "$ROOT"/lib/report/page/{charts,stages}.js | cut -d'"' -f2); do
        [ "$(grep -o -e "--c-$c: *#" "$ROOT/lib/report/page/report.css" | wc -l)" -eq 2 ] || { echo "no colour $c"; false; }
    done
    [ "$(jq '.classes | length' "$BATS_TEST_TMPDIR/data.json")" -gt 11 ]
}

@test "the page fetches nothing" {
    page "$FIXTURE"
    [ "$(grep -ciE '<(link|img|iframe|base|object|embed)\b|@import|url\((https?:|//)|(src|href)="?(https?:|//)' <(sed '/^<script>/,$d' "$PAGE"))" -eq 0 ]
    [ "$(grep -c '<script[^>]*src' "$PAGE")" -eq 0 ]
    grep -q "Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';" "$PAGE"
    [ "$(grep -c 'sourceMappingURL=' "$PAGE")" -eq 0 ]
}

@test "no token of the fixture becomes markup" {    # its vocabulary holds </script>, quotes, control bytes, bidi marks, bytes that are no UTF-8
    page "$FIXTURE" "$NOPOS"
    [ "$(grep -c 'alert(1)</script' "$PAGE")" -eq 0 ]
    [ "$(grep -c '<script>alert' "$PAGE")" -eq 0 ]
    grep -q 'u003c/script' "$PAGE"
    [ "$(grep -o '<script' "$PAGE" | wc -l)" -eq "$(grep -oi '</script' "$PAGE" | wc -l)" ]
    [ "$(LC_ALL=C grep -cP '[\x00-\x08\x0b\x0c\x0e-\x1f]' <(sed '/^<script>/,$d' "$PAGE"))" -eq 0 ]
    iconv -f UTF-8 -t UTF-8 "$PAGE" >/dev/null
    [ "$(grep -c $'\u202e' "$PAGE")" -eq 0 ]
    render-report -f markdown "$FIXTURE" "$NOPOS" | iconv -f UTF-8 -t UTF-8 >"$BATS_TEST_TMPDIR/md"
    [ "$(grep -cE '(^|[^\\])<' "$BATS_TEST_TMPDIR/md")" -eq 0 ]
}

@test "scripts are valid, and the data is JSON with the numbers of the stream" {
    page "$FIXTURE"
    scripts
    jq -e '.runs[0].neurons.layer | length == 96' "$BATS_TEST_TMPDIR/data.json"
    jq -e '[.runs[0].layers[].dead.k] | add == 14' "$BATS_TEST_TMPDIR/data.json"
    jq -e '.runs[0] | (.neurons.class | map(select(. == 0)) | length) == ([.layers[].dead.k] | add)' "$BATS_TEST_TMPDIR/data.json"
    command -v node >/dev/null || skip "needs node"
    for f in "$BATS_TEST_TMPDIR"/script*.js; do node --check "$f"; done
    [ -e "$BATS_TEST_TMPDIR/script6.js" ]
}

@test "a browser draws every chart and complains of nothing" {
    command -v chromium >/dev/null || skip "needs chromium"
    local flags=(--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update
                 --disable-sync "--user-data-dir=$BATS_TEST_TMPDIR/profile" --enable-logging=stderr --v=0 --virtual-time-budget=30000 --dump-dom)
    timeout 60 chromium "${flags[@]}" about:blank >/dev/null 2>&1 || skip "chromium does not start here"
    weights 000 000 001 000 000 000 001 000 030 002 010 020
    page "$FIXTURE" "$NOPOS" "$EFFECTS" "$LENS" "$STATS" "$WEIGHTS"
    timeout 120 chromium "${flags[@]}" "file://$PAGE" >"$BATS_TEST_TMPDIR/dom" 2>"$BATS_TEST_TMPDIR/log"
    grep -q 'data-drawn="yes"' "$BATS_TEST_TMPDIR/dom"
    [ "$(grep -c 'CONSOLE' "$BATS_TEST_TMPDIR/log")" -eq 0 ] || { grep CONSOLE "$BATS_TEST_TMPDIR/log"; false; }
    [ "$(grep -c 'could not be drawn' "$BATS_TEST_TMPDIR/dom")" -eq "$(grep -c 'could not be drawn' "$PAGE")" ]
    # A chart without data (no team, say) is hidden: a few at most.
    charts=$(grep -o 'data-chart="' "$PAGE" | wc -l) svgs=$(grep -ao '<svg' "$BATS_TEST_TMPDIR/dom" | wc -l)
    [ "$svgs" -ge $((charts - 4)) ] || { echo "$svgs drawings of $charts charts"; false; }
}

@test "the same input gives the same bytes" {
    page "$FIXTURE" "$NOPOS"
    cmp "$PAGE" <(cd / && TZ=Asia/Tokyo LC_ALL=C.UTF-8 render-report -j 3 "$FIXTURE" "$NOPOS")
    cmp <(render-report <"$FIXTURE") <(render-report "$FIXTURE")
}

@test "an empty neurons stream is an empty report" {
    render-report -f markdown "$BATS_TEST_DIRNAME/../data/streams/neurons.nf" | grep -q "The stream holds no layer"
    page "$BATS_TEST_DIRNAME/../data/streams/neurons.nf"
    grep -q 'id="figure-16"' "$PAGE"
}

@test "another kind, a neuron twice, an unknown class and a token outside the vocabulary are status 3" {
    exits 3 render-report "$BATS_TEST_DIRNAME/../data/streams/tokens.nf"
    says "neurons"
    zstd -dcq "$FIXTURE" >"$BATS_TEST_TMPDIR/raw"
    LC_ALL=C sed 's/\xaapositional/\xaapositionaL/g' "$BATS_TEST_TMPDIR/raw" >"$BATS_TEST_TMPDIR/bad"
    exits 3 render-report "$BATS_TEST_TMPDIR/bad"
    says 'unknown class "positionaL"'
    LC_ALL=C sed 's/\xa6neuron\x05/\xa6neuron\x04/' "$BATS_TEST_TMPDIR/raw" >"$BATS_TEST_TMPDIR/bad"
    exits 3 render-report "$BATS_TEST_TMPDIR/bad"
    says "comes twice"
    LC_ALL=C sed 's/\xa5first\x00\xa6tokens\xdc\x00\x60/\xa5first\x01\xa6tokens\xdc\x00\x60/' "$BATS_TEST_TMPDIR/raw" >"$BATS_TEST_TMPDIR/bad"
    exits 3 render-report "$BATS_TEST_TMPDIR/bad"
    says "render-report: "
}

@test "a refused input leaves the old file, and no other" {
    mkdir "$BATS_TEST_TMPDIR/d"
    echo old >"$BATS_TEST_TMPDIR/d/report.html"
    head -c 3000 "$FIXTURE" >"$BATS_TEST_TMPDIR/cut"
    exits 3 render-report -o "$BATS_TEST_TMPDIR/d/report.html" "$BATS_TEST_TMPDIR/cut"
    exits 3 render-report -o "$BATS_TEST_TMPDIR/d/report.html" "$FIXTURE" "$BATS_TEST_TMPDIR/cut"
    [ "$(cat "$BATS_TEST_TMPDIR/d/report.html")" = old ]
    [ "$(ls "$BATS_TEST_TMPDIR/d")" = report.html ]
    exits 1 render-report "$BATS_TEST_TMPDIR/nowhere.nf"
    says "nowhere.nf"
    exits 1 render-report -o "$BATS_TEST_TMPDIR/no/dir/x.html" "$FIXTURE"
    exits 2 render-report -f pdf "$FIXTURE"
    says "html|markdown"
}

@test "inputs of one name are told apart; --name names them" {
    exits 0 render-report -f markdown "$FIXTURE" "$FIXTURE"
    prints "of fixture and fixture (2) do"
    exits 0 render-report -f markdown --name a,b "$FIXTURE" "$FIXTURE"
    prints "of a and b do"
}

# figures: the figures of the page, on one line.
figures() {
    grep -o '<article class="figure" id="figure-[^"]*' "$PAGE" | sed 's/.*figure-//' | xargs
}

@test "streams of stages add their figures; a section without an input is left out" {
    page "$FIXTURE" "$EFFECTS" "$LENS"
    [ "$(figures)" = "1a 1b 2 3a 3b 4 12 13 14a 14b 15 5 6 7 8 9 10 11 16 S1 S2 S3 S4 S5 S11" ]
    page "$EFFECTS"
    [ "$(figures)" = "S1 S2 S3 S4 S11" ]
    page "$STATS"
    [ "$(figures)" = "S7 S8 S9 S10" ]
    weights    # of weights alone: no figure of what was counted
    page "$WEIGHTS"
    [ "$(figures)" = "S1 S6" ]
    [ "$(grep -c 'class="finder"' "$PAGE")" -eq 0 ]
    page <"$LENS"
    [ "$(figures)" = "S5 S11" ]
    page "$FIXTURE"
    [ "$(grep -c 'id="stages"' "$PAGE")" -eq 0 ]
    scripts
    jq -e 'has("stages") | not' "$BATS_TEST_TMPDIR/data.json"
}

@test "tables of the stages hold the means of the streams" {
    render-report -f markdown "$EFFECTS" "$LENS" >"$BATS_TEST_TMPDIR/md"
    stream-dump --format ndjson "$EFFECTS" | jq -r 'select(.r == "intervention" and (.kind == "drop" or .kind == "swap")) |
        "\(.intervention) \(.name)"' >"$BATS_TEST_TMPDIR/names"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/names")" -eq 11 ]
    while read -r i name; do    # three digits: half a unit of the last is at most 0.5 %
        shown=$(awk -F' *[|] *' -v n="$name" '/^### Figure S2/ { on = 1 } /^### Figure S3/ { on = 0 } on && $3 == n { print $7, $8 }' "$BATS_TEST_TMPDIR/md")
        stream-dump --format ndjson "$EFFECTS" | jq -se --arg shown "$shown" --argjson i "$i" '
            ($shown | split(" ") | map(tonumber)) as [$mean, $se] | def near($x): . - $x | fabs <= 0.00501 * $x;
            map(select(.r == "effect" and .by == "all" and .intervention == $i).kl) | length == 1 and (.[0] | (.mean | near($mean)) and (.se | near($se)))'
    done <"$BATS_TEST_TMPDIR/names"
}

@test "streams with rows, and of programs that knew no means of documents, are read alike" {
    T=$BATS_TEST_TMPDIR
    tokenize -q -m "$MODEL" --limit 200 "$CORPUS/letters" >"$T/tokens"
    for filter in "lesion --drop all" logit-lens; do
        # shellcheck disable=SC2086  # a filter and its options
        $filter -q -m "$MODEL" <"$T/tokens" >"$T/means"
        # shellcheck disable=SC2086
        $filter -q --per-token -m "$MODEL" <"$T/tokens" >"$T/rows"
        zstd -dcq "$T/means" | LC_ALL=C sed 's/\xa8doc_mean/\xa8was_mean/g; s/\xa6doc_sd/\xa6was_sd/g' >"$T/old"
        for f in means rows old; do
            render-report -f markdown --name x "$T/$f" | grep -v '^| command ' >"$T/$f.md"
        done
        [ "$(grep -c '^### Figure S' "$T/means.md")" -gt 0 ]
        diff "$T/means.md" "$T/old.md"
        diff "$T/means.md" "$T/rows.md"
    done
}

@test "detokenization ends before the first block below twice the median of the middle half" {
    want=$(stream-dump --format ndjson "$EFFECTS" | jq -s '[.[] | select(.r == "intervention" and .kind == "drop")] as $drops | . as $all |
        [$drops[] | .intervention as $i | $all[] | select(.r == "effect" and .by == "all" and .intervention == $i) | .kl.mean] as $kl |
        ($kl[2] + $kl[3]) as $twice | first(range(6) | select($kl[.] < $twice))')    # of 6 blocks, 2 and 3 are at depth 0.4 and 0.6
    exits 0 render-report -f markdown "$EFFECTS"
    prints "Detokenization ends before block $want (heuristic)"
    exits 0 bash -c 'lesion -q -m "$0" --drop 0,1,2,4,5 < <(tokenize -q -m "$0" --limit 60 "$0/README.md") | render-report -f markdown' "$ROOT/pipelines/demo/model"
    prints "No end of detokenization"
}

# weights [PREDICTION SUPPRESSION]...: what classify-neurons says of the demonstration's weights, in $WEIGHTS; the counts of layers 0, 1, .. in octal
weights() {
    local layer=0 script=(-e "")
    WEIGHTS=$BATS_TEST_TMPDIR/weights.nf
    [ -e "$BATS_FILE_TMPDIR/weights" ] || tokenize -q -m "$ROOT/pipelines/demo/model" --limit 10 "$ROOT/README.md" |
        classify-neurons -q -u --weights -m "$ROOT/pipelines/demo/model" >"$BATS_FILE_TMPDIR/weights"
    while [ $# -gt 0 ]; do
        script+=(-e "s/\(layer\x0$layer\xa7neurons\xcd\x04\x00\xa5vocab.\xaaprediction\)\x00\(\xabsuppression\)\x00/\1\o$1\2\o$2/")
        layer=$((layer + 1))
        shift 2
    done
    LC_ALL=C sed "${script[@]}" "$BATS_FILE_TMPDIR/weights" >"$WEIGHTS"
}

@test "feature engineering ends at 5 % of the prediction neurons, ensembling where suppression takes over" {
    weights 000 000 001 000 000 000 001 000 030 002 010 020    # prediction 0 1 0 1 24 8: 34; suppression 0 0 0 0 2 16
    exits 0 render-report -f markdown "$EFFECTS" "$WEIGHTS"
    prints "Feature engineering ends before block 3 (heuristic): with it, more than 5 % of the 34 prediction neurons have come"
    prints "Prediction ensembling ends before block 5 (heuristic): from there on every block has more suppression than prediction neurons (16 against 8 in all; so few say little)"
    prints "| model | prediction ensembling | 5 | 0.90 |"
    prints "Neurons of class prediction: 34 in all, most in block 4, 24 of 1,024"
    weights 000 000 000 000 000 000 000 000 000 000 001 001
    exits 0 render-report -f markdown "$WEIGHTS"
    prints "Feature engineering ends before block 5 (heuristic): with it, more than 5 % of the 1 prediction neuron have come: so few say little"
    prints "No end of prediction ensembling: the last block has not more suppression than prediction neurons"
    weights 040 050 000 001 000 001 000 001 000 001 000 001
    exits 0 render-report -f markdown "$EFFECTS" "$WEIGHTS"
    prints "do not come in the order of the stages"
}

@test "streams of one model are put together by its digests, whatever they are called" {
    page --name a,b,c "$EFFECTS" "$LENS" "$STATS"
    scripts
    jq -e '.models | length == 1 and .[0].of == {effects: 0, lens: 1, stats: 2, neurons: null}' "$BATS_TEST_TMPDIR/data.json"
    zstd -dcq "$LENS" | LC_ALL=C sed 's/\(\xaeweights_sha256\xd9\x40\)7/\18/' >"$BATS_TEST_TMPDIR/lens"
    page "$EFFECTS" "$BATS_TEST_TMPDIR/lens"
    scripts
    jq -e '.models | length == 2' "$BATS_TEST_TMPDIR/data.json"
}

@test "tables of attention and norms hold the means of the stream" {
    render-report -f markdown "$STATS" >"$BATS_TEST_TMPDIR/md"
    stream-dump -f ndjson "$STATS" >"$BATS_TEST_TMPDIR/json"
    while read -r figure column want; do
        for layer in 0 3 5; do    # three digits: half a unit of the last is at most 0.5 %
            shown=$(awk -F' *[|] *' -v f="^### Figure $figure:" -v l="$layer" -v c="$column" '/^### / { on = $0 ~ f } on && $3 == l { print $c }' "$BATS_TEST_TMPDIR/md")
            jq -se --argjson shown "$shown" --argjson l "$layer" "map(select(.layer == \$l)) | ($want) as \$want | (\$shown - \$want | fabs) <= 0.00501 * \$want" \
                "$BATS_TEST_TMPDIR/json"
        done
    done <<'END'
S7 6 .[] | select(.r == "locality").mean[4][0]
S7 11 .[] | select(.r == "locality").mean[4][5]
S7 13 .[] | select(.r == "locality").mean[5][3]
S9 6 .[] | select(.of == "ffn.out").mean
S9 12 .[] | select(.r == "influence").influence
END
}

@test "means by domain are those of the stream, and one domain has no figure" {
    render-report -f markdown "$EFFECTS" >"$BATS_TEST_TMPDIR/md"
    stream-dump -f ndjson -r effect "$EFFECTS" | jq -r 'select(.by == "domain" and (.name | startswith("drop") or startswith("swap"))) | "\(.name)\t\(.domain)\t\(.kl.n)\t\(.docs)"' |
        sort >"$BATS_TEST_TMPDIR/want"
    awk -F' *[|] *' -v OFS='\t' '/^### / { on = /Figure S11/ } on && NF > 9 && $5 ~ /^[0-9]/ { gsub(",", "", $5); print $3, $4, $5, $6 }' "$BATS_TEST_TMPDIR/md" | sort >"$BATS_TEST_TMPDIR/got"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/want")" -eq 33 ]    # 11 interventions, 3 domains
    diff "$BATS_TEST_TMPDIR/want" "$BATS_TEST_TMPDIR/got"
    exits 0 bash -c 'lesion -q -m "$0" --drop 0 < <(tokenize -q -m "$0" --limit 60 "$0/README.md") | render-report -f markdown' "$ROOT/pipelines/demo/model"
    [ "$(grep -c 'Figure S11' "$BATS_TEST_TMPDIR/out")" -eq 0 ]
}

@test "a lens with attributed logits is read too" {
    tokenize -q -m "$MODEL" --limit 100 "$CORPUS/letters" | logit-lens -q -m "$MODEL" --attribute --per-token >"$BATS_TEST_TMPDIR/lens"
    exits 0 render-report -f markdown "$BATS_TEST_TMPDIR/lens"
    prints "### Figure S5"
}

@test "stats without measures of layers are status 3, and so are pairs of points of another model" {
    exits 3 render-report <(tokenize -q -m "$ROOT/pipelines/demo/model" --limit 10 "$ROOT/README.md" | forward-capture -q -m "$ROOT/pipelines/demo/model" | reduce-stats -q)
    says "stats without measures of layers (reduce-stats --measure)"
    zstd -dcq "$STATS" | LC_ALL=C sed 's/\xa1L\x06/\xa1L\x05/' >"$BATS_TEST_TMPDIR/bad"
    exits 3 render-report "$BATS_TEST_TMPDIR/bad"
    says "7 points of a model with 5 layers"
    zstd -dcq "$STATS" | LC_ALL=C sed 's/\xa1r\xa7merging/\xa1r\xa7mergin_/' >"$BATS_TEST_TMPDIR/bad"
    exits 3 render-report "$BATS_TEST_TMPDIR/bad"
    says 'unknown record type "mergin_"'
}

@test "names of models, interventions and points are text" {
    zstd -dcq "$EFFECTS" | LC_ALL=C sed 's/drop 0/<b>|\&0/' >"$BATS_TEST_TMPDIR/effects"
    zstd -dcq "$LENS" | LC_ALL=C sed 's/\xa4name\xa10\xa5layer/\xa4name\xa1<\xa5layer/' >"$BATS_TEST_TMPDIR/lens"
    page --name "</script><i>,</script><i>" "$BATS_TEST_TMPDIR/effects" "$BATS_TEST_TMPDIR/lens"
    [ "$(grep -cE '<b>|<i>|</script><i' "$PAGE")" -eq 0 ]
    [ "$(grep -o '<script' "$PAGE" | wc -l)" -eq "$(grep -oi '</script' "$PAGE" | wc -l)" ]
    grep -q '&#60;b&#62;|&#38;0' "$PAGE"
    render-report -f markdown --name "<i>" "$BATS_TEST_TMPDIR/effects" >"$BATS_TEST_TMPDIR/md"
    grep -qF '| \<i\> | \<b\>\|\&0 |' "$BATS_TEST_TMPDIR/md"
    [ "$(grep -cE '(^|[^\])<' "$BATS_TEST_TMPDIR/md")" -eq 0 ]
}

@test "inputs of one model and different kinds keep its name" {
    exits 0 render-report -f markdown "$EFFECTS" "$LENS"
    prints "# Stages of inference of model"
    exits 0 render-report -f markdown "$EFFECTS" "$EFFECTS"
    prints "# Stages of inference of model and model (2)"
    exits 0 render-report -f markdown "$FIXTURE" "$EFFECTS"
    prints "# What the FFN neurons of fixture do, and stages of inference of model"
}

# refused SED WHY: the effects stream changed so is status 3.
refused() {
    zstd -dcq "$EFFECTS" | LC_ALL=C sed "$1" >"$BATS_TEST_TMPDIR/bad"
    exits 3 render-report "$BATS_TEST_TMPDIR/bad"
    says "$2"
}

@test "interventions out of order or outside the model, and means of none, twice or missing, are status 3" {
    refused 's/\xacintervention\x02\xa4name/\xacintervention\x03\xa4name/' "intervention 3 comes twice, or out of order"
    refused 's/\xa4swap\xa5layer\x04/\xa4swap\xa5layer\x06/' "layer"
    refused 's/\xacintervention\x05\xa4name\xa6drop 4\xa2by\xa3all/\xacintervention\x7f\xa4name\xa6drop 4\xa2by\xa3all/' "intervention 127, which was not announced"
    refused 's/\xacintervention\x05\xa4name\xa6drop 4\xa2by\xa3all/\xacintervention\x04\xa4name\xa6drop 4\xa2by\xa3all/' "intervention 4 has its means twice"
    refused 's/\xa2kl\x86/\xa2kk\x86/' "kl is no mean"
    refused 's/\xa1r\xa6effect/\xa1r\xa6effecT/' 'unknown record type "effecT"'
    head -c 3000 "$EFFECTS" >"$BATS_TEST_TMPDIR/cut"
    exits 3 render-report "$BATS_TEST_TMPDIR/cut"
}
