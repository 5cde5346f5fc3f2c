# The rows of neurons_reference.tsv from a neurons stream as ndjson: jq -rn -f neurons_reference.jq.
def row: map(tostring) | join("\t");
def six($o): [$o.token, $o.bigram, $o.trigram];

inputs
| if .r == "layer" then
    ["layer", .layer, .fires, .bands.dead, .bands.dormant, .bands.rare, .bands.normal, .bands.hyperactive]
    + (if .detectors then six(.detectors) + six(.covered | map_values(.total)) + (.min_count[1] | six(.) + six(.covered)) else [range(12) | "-"] end) | row
  elif .r == "neuron" then
    (if .cover and (.neuron % 61 == 0 or (.classes | any(endswith("detector")))) then ["cover", .layer, .neuron] + (.cover | map(.[0])) | row else empty end),
    (if .classes | index("positional") then .position as $p | ["position", .layer, .neuron, $p.mi, $p.type, $p.strength, $p.run0, $p.run1] | row else empty end),
    (if .suppress then .suppress as $s | ["suppress", .layer, .neuron] + ([$s.raw, $s.centred, $s.ln, $s.cosine] | map(.mean)) | row else empty end)
  else empty end
