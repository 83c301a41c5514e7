#!/usr/bin/env bash
# The daemon against a real Asterisk, with a second one as carrier. Needs root.
#
#   scripts/lab.sh run [--contacts N] [--agents N] [--mode progressive|power|predictive]
#                      [--leg-mode nailed-up|ring-per-call] [--no-amd] [--json]
#   scripts/lab.sh crash [--kills N] [--softly] [...]  the daemon is killed (or restarted)
#   scripts/lab.sh inbound [--json]             callers down every path of a flow
#   scripts/lab.sh console [--json]             an agent and a supervisor at the console
#   scripts/lab.sh transfer [--json]            calls go to another agent, outside, and back
#   scripts/lab.sh broadcast [--contacts N]     a flow is played to a list, without agents
#   scripts/lab.sh failover [...]               the carrier has no line for a while
#   scripts/lab.sh trunk [--json]               a trunk is added, changed and deleted
#   scripts/lab.sh restart-pbx [...]            Asterisk restarts in the middle
#   scripts/lab.sh protocols [--only TEXT]      AMI and AGI, statement by statement
#   scripts/lab.sh check                        all of it, smaller, with a verdict
#
# With --asterisk 16 it is Asterisk 16 instead of 22.
# The last line of output is one JSON object; the exit code says whether it is as it must be.
# The Asterisk servers by themselves: scripts/lab-asterisk.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib/setup.sh
source scripts/lib/setup.sh

if (($# == 0)) || [[ $1 == -h || $1 == --help ]]; then
    sed -n '2,18s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 2
fi
arguments=()
while (($#)); do
    if [[ $1 == --asterisk ]]; then
        (($# >= 2)) || die "--asterisk needs a version: 16 or 22"
        export STROWGER_LAB_ASTERISK=$2
        shift
    else
        arguments+=("$1")
    fi
    shift
done
setup_build
# Prompts that are texts are spoken.
need_packages espeak-ng sox
scripts/lab-asterisk.sh root
say "Building"
cargo build --quiet --package strowger --package strowger-testkit --bins
target=${CARGO_TARGET_DIR:-target}
exec "$target/debug/lab" --root "$PWD" --program "$target/debug/strowger" "${arguments[@]}"
