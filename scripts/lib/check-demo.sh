#!/usr/bin/env bash
# Reads the figures of the demo and fails when they show that it did not do its job.
set -euo pipefail
read -r figures
value() { grep -oE "\"$1\":[0-9]+" <<<"$figures" | grep -oE '[0-9]+$' || echo missing; }
printf '%s\n' "$figures"
for figure in attempts answered_human bridged agents events; do
    [[ $(value "$figure") =~ ^[1-9][0-9]*$ ]] || { echo "demo: $figure is $(value "$figure")" >&2; exit 1; }
done
[[ $(value invariant_violations) == 0 ]] || { echo "demo: invariants were violated" >&2; exit 1; }
