logit-lens -h
