#!/usr/bin/env bash
# Measures how long an event takes to the sockets of the console (see crates/api/examples/bench_live.rs).
#
#   scripts/bench-live.sh [--sockets 1000] [--rate 200] [--seconds 30] [--json]
#
# Server and consoles share the machine. One of the consoles never reads. The last line is one
# JSON object; --json prints nothing else.
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
cargo build --quiet --release --workspace --example bench_live >&2
ulimit -n "$(ulimit -H -n)"
program="${CARGO_TARGET_DIR:-target}/release/examples/bench_live"
if [ "$json" = 1 ]; then
    "$program" ${options[@]+"${options[@]}"} | tail -n 1
else
    "$program" ${options[@]+"${options[@]}"}
fi
