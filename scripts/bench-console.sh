#!/usr/bin/env bash
# Measures GET /api/application-data with 50 campaigns, 100,000 contacts and 204 users: the time to
# the first byte and to the last for an agent (2 campaigns) and an administrator (all), and the
# memory before and after 100 calls. Over the routes themselves, without a network.
# With --json only the figures are printed. STROWGER_TEST_DATABASE names the server.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib/setup.sh
source scripts/lib/setup.sh

setup_build
output=$(cargo test --release --package strowger-api --test it -- \
    --ignored --nocapture --exact console::bench::everything_that_a_console_shows 2>&1) || {
    printf '%s\n' "$output" >&2
    die "the benchmark failed"
}
figures=$(sed -n 's/^.*FIGURES //p' <<<"$output")
[[ -n $figures ]] || die "the benchmark printed no figures"
if [[ ${1:-} == --json ]]; then
    printf '%s\n' "$figures"
else
    python3 -m json.tool <<<"$figures"
fi
