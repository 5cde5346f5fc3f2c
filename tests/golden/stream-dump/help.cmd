stream-dump -h
