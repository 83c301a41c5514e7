#!/usr/bin/env bash
# Measures how long it takes to verify a dial ledger, and shows that one flipped bit is found.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: bench-ledger.sh [--json]

  --json  print one JSON object as the last line

Appends 100,000 rows to a database of its own, as claims do, verifies them three times, flips
one bit of one row and verifies again. Ends with 1 when a verification takes more than 5
seconds or does not name the row. The database is the one of the tests: STROWGER_TEST_DATABASE,
or a private cluster in /var/tmp/strowger-test.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
source "$here/scripts/lib/setup.sh"

arguments=()
while (($#)); do
    case $1 in
        --json)
            arguments+=("$1")
            shift
            ;;
        -h | --help)
            usage
            exit
            ;;
        *)
            usage >&2
            die "unknown option: $1"
            ;;
    esac
done

setup_build
cd "$here"
say "Building"
cargo build --quiet --release --locked --package strowger-store --example bench_ledger >&2
"${CARGO_TARGET_DIR:-target}/release/examples/bench_ledger" "${arguments[@]}"
