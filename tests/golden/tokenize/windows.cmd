printf 'Two documents.\n\nOf one paragraph each, \xff\n' | tokenize -m pipelines/demo/model --split paragraph --domain demo --context 8 - |
    stream-dump --record doc,window
