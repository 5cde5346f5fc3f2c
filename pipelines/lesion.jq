# The means of a stream of effects as a table: one row an intervention, over all positions.  Input: all records, as one array (jq -s).
INDEX(.[] | select(.r == "intervention"); .intervention) as $what |
["intervention", "kind", "layer", "n", "kl", "kl_se", "agree", "entropy_change", "loss_change"],
(.[] | select(.r == "effect" and .by == "all") | $what[.intervention | tostring] as $i |
    [$i.name, $i.kind, $i.layer, .kl.n, .kl.mean, .kl.se, .agree.mean, .entropy_change.mean, .loss_change.mean]) |
@tsv
