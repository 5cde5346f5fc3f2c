lesion -h
