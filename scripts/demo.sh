#!/usr/bin/env bash
# Strowger's main job on a simulated exchange: a private database, agents, a campaign being
# dialed, the board in the browser. Options go to `strowger demo` (see --help).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib/setup.sh
source scripts/lib/setup.sh

setup_build
say "Building"
cargo build --quiet --bin strowger
exec "${CARGO_TARGET_DIR:-target}/debug/strowger" demo "$@"
