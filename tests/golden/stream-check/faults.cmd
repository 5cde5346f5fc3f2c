echo text | tokenize -m pipelines/demo/model | stream-check --kind tokens
echo text | tokenize -m pipelines/demo/model | stream-check --kind stats
echo text | tokenize -m pipelines/demo/model | { head -c 9000; cat >/dev/null; } | stream-check
