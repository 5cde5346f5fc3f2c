forward-capture -h
