stream-diff -h
