printf '{"text": "one", "lang": "en"}\n{"text": "deux", "lang": "fr"}\n' |
    tokenize -m pipelines/demo/model --jsonl text --jsonl-domain lang --bos never | stream-dump --format ndjson --record doc,window
