reduce-stats -h
