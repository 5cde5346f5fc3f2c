classify-neurons -h
