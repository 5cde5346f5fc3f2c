tokenize -m pipelines/demo/model nowhere.txt
