# The means of a stream of kind lens as a table: one row a point of the residual stream, over all positions.  Input: all records, as one array.
INDEX(.[] | select(.r == "point"); .point) as $what |
["point", "depth", "n", "kl", "kl_se", "agree", "entropy", "loss", "rank"],
(.[] | select(.r == "lens" and .by == "all") | $what[.point | tostring] as $p |
    [$p.name, $p.depth, .kl.n, .kl.mean, .kl.se, .agree.mean, .entropy.mean, .loss.mean, .rank.mean]) |
@tsv
