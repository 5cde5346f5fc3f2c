tokenize -m pipelines/demo/model --limit 300 pipelines/demo/corpus/fiction | stream-dump --format tsv --record doc --columns doc,domain,name,bytes
