#!/usr/bin/env bash
# Compares our pacing with that of other dialers over simulated days, and times a decision.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: bench-pacing.sh [OPTIONS]

  --seeds N         days per figure (default 8)
  --scenario A,B    these alone (default A,B,C,D,E,H)
  --policy X,Y      these alone (see `strowger simulate --list`)
  --quick           two days each, to see that all of it works
  --json            print one JSON object as the last line

Prints occupancy, the people not connected within 2 s of their answer, and beside them the
target of each scenario for our own pacing, on standard error. Takes at most ten minutes on two cores after
the first build. Run it while the machine does nothing else: decisions are timed on the
real clock.
USAGE
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib/setup.sh
source scripts/lib/setup.sh

seeds=8
scenarios=A,B,C,D,E,H
policies=strowger,progressive,wombat:3,issabel,gnudialer:2,erlang,vicidial-ratio:1.5
policies+=,vicidial-ratio:3,vicidial-hard,vicidial-average,vicidial-tapered
policies+=,vicidial-hard-available,vicidial-ratio-available:2,vicidial-ratio-available:2.5
policies+=,vicidial-ratio-available:3,vicidial-ratio-available:4,vicidial-ratio-available:8
json=
while (($#)); do
    case $1 in
        --seeds | --scenario | --policy)
            (($# > 1)) || die "$1 takes a value"
            case $1 in
                --seeds) seeds=$2 ;;
                --scenario) scenarios=$2 ;;
                --policy) policies=$2 ;;
            esac
            shift 2
            ;;
        --quick)
            seeds=2
            shift
            ;;
        --json)
            json=1
            shift
            ;;
        -h | --help)
            usage
            exit
            ;;
        *)
            usage >&2
            exit 2
            ;;
    esac
done

setup_build
say "Building"
cargo build --quiet --release --bin strowger
strowger=${CARGO_TARGET_DIR:-target}/release/strowger

say "Simulating $seeds days of each scenario under each policy"
figures=$("$strowger" simulate --scenario "$scenarios" --policy "$policies" --seeds "$seeds" --json)
say "Timing decisions"
times=$("$strowger" simulate --decision-time --json)
if [[ $json ]]; then
    printf '{"pacing":%s,"decision_time":%s}\n' "$figures" "$times"
fi
