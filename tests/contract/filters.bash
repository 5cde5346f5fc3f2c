# filters.bash - every filter with the input made for it by nano.bash in $N.

# The filters that read a stream on standard input.
declare -gA INPUT=(
    [forward-capture]=tokens [reduce-stats]=activations [classify-neurons]=stats [render-report]=neurons
    [stream-dump]=stats [stream-check]=neurons [model-info]=activations [logit-lens]=tokens [lesion]=tokens
)
FILTERS=("${!INPUT[@]}")
ALL=("${FILTERS[@]}" tokenize stream-diff)
# shellcheck disable=SC2034  # for the tests
WRITERS=(tokenize forward-capture reduce-stats classify-neurons logit-lens lesion)    # of streams

# line FILTER: how it is called in these tests, reading standard input.
line() {
    case $1 in
    tokenize) echo "tokenize -m $N/model -" ;;
    forward-capture) echo "forward-capture -q -m $N/model" ;;
    classify-neurons) echo "classify-neurons -m $N/model" ;;
    model-info) echo "model-info --verify - $N/model" ;;
    logit-lens) echo "logit-lens -q -m $N/model" ;;
    lesion) echo "lesion -q -m $N/model --drop all" ;;
    stream-diff) echo "stream-diff - $N/tokens.nf" ;;
    *) echo "$1" ;;
    esac
}

# input FILTER: the file that it reads.
input() {
    case $1 in
    tokenize) echo "$N/text" ;;
    stream-diff) echo "$N/tokens.nf" ;;
    *) echo "$N/${INPUT[$1]}.nf" ;;
    esac
}

# on STATUS FILTER FILE: FILTER reading FILE ends with STATUS and, where that is a failure, one line that starts with its name.
on() {
    local command
    command=$(line "$2")
    # shellcheck disable=SC2086  # a command and its words
    exits "$1" $command <"$3" || return 1
    [ "$1" -eq 0 ] || says "$2: "
}
