model-info -h
