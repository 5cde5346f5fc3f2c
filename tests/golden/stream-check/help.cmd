stream-check -h
