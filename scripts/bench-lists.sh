#!/usr/bin/env bash
# Measures the next batch of contacts out of a large list (see crates/store/examples/bench_hopper.rs).
#
#   scripts/bench-lists.sh [--contacts 10000000] [--batches 500] [--keep] [--json]
#
# It makes a private PostgreSQL in /var/tmp/strowger-bench-lists: 10 million contacts take
# some 8 GB and 3 to 10 minutes. The last line is one JSON object; --json prints nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
json=0
options=()
for option in "$@"; do
    case "$option" in
        --json) json=1 ;;
        *) options+=("$option") ;;
    esac
done
cargo build --quiet --release -p strowger-store --example bench_hopper >&2
program="${CARGO_TARGET_DIR:-target}/release/examples/bench_hopper"
if [ "$json" = 1 ]; then
    "$program" ${options[@]+"${options[@]}"} | tail -n 1
else
    "$program" ${options[@]+"${options[@]}"}
fi
