# Compares `stream-dump --format ndjson --record intervention,token` of lesion --per-token --include-bos with tests/oracle/lesions_reference.tsv:
#   jq -n --rawfile reference ... --arg model NAME --argjson rtol R --argjson floor F -f lesion.jq
# Prints {compared, interventions, worst: {value: largest difference over what is allowed}, wrong: [..]}.
def list: split(" ") | map(if . == "nan" then null else tonumber end);

# {"intervention/doc/window": {kl: [..], entropy: [..], loss: [..], top: [..]}}
def table:
  $reference | split("\n") | map(split("\t") | select(.[0] == $model)
    | {key: "\(.[1])/\(.[2])/\(.[3])", value: {kl: (.[4] | list), entropy: (.[5] | list), loss: (.[6] | list), top: (.[7] | list)}}) | from_entries;

def allowed($want): $rtol * ($want | fabs) + $floor;
def off($got; $want): if $got == null or $want == null then (if $got == $want then 0 else infinite end) else ($got - $want | fabs) / allowed($want) end;

table as $want
| [inputs | select(.r == "token")] as $rows
| reduce $rows[] as $t ({compared: 0, interventions: {}, worst: {kl: 0, entropy: 0, loss: 0}, wrong: []};
    $want["\($t.name)/\($t.doc)/\($t.window)"] as $w
    | if $w == null then . else
        $t.position as $p
        | {kl: off($t.kl; $w.kl[$p]), entropy: off($t.entropy_intervened; $w.entropy[$p]), loss: off($t.loss_intervened; $w.loss[$p])} as $off
        | .compared += 1 | .interventions[$t.name] = true
        | .worst = (.worst | with_entries(.value = ([.value, $off[.key]] | max)))
        | if $t.top_intervened != $w.top[$p] or ($off | any(. > 1)) then .wrong += [[$t, $off]] else . end
      end)
| .interventions |= length
