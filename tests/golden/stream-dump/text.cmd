echo 'To be, or not to be' | tokenize -m pipelines/demo/model | stream-dump
