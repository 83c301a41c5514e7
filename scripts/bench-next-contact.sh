#!/usr/bin/env bash
# Measures what 200 agents who wait for their next contact cost the daemon.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: bench-next-contact.sh

Starts the daemon with a simulated exchange, logs 200 agents in, has each of them wait for the
next contact of a campaign that calls nobody, and measures the processor time of the daemon for
a minute. Prints one JSON object as the last line; ends with 1 when it takes 5 % of a core or more. The
database is that of the tests: STROWGER_TEST_DATABASE, or a private cluster in
/var/tmp/strowger-test.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
source "$here/scripts/lib/setup.sh"

case ${1:-} in
    '') ;;
    -h | --help)
        usage
        exit
        ;;
    *)
        usage >&2
        die "unknown option: $1"
        ;;
esac

setup_build
cd "$here"
cargo test --quiet --release --package strowger --test it -- \
    --ignored --exact console::agents_who_wait_cost_next_to_nothing --nocapture |
    tee /dev/stderr | grep '^{' | tail -n 1
