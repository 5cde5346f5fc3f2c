echo text | tokenize -u -m pipelines/demo/model | { head -c 40000; cat >/dev/null; } | stream-dump --record window
