#!/usr/bin/env bash
# Measures what happens to large lists: importing them, and taking contacts out of them.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: bench-lists.sh [OPTIONS]

  --import      send 1,000,000 contacts to a running daemon
  --dnc         send it a do-not-call list of 1,000,000 numbers, and look numbers up in it
  --hopper      take 500 batches of 100 contacts out of 10,000,000 in five time zones
  --check       decide for how many calls a second compliance allows them, on one core
  --lines N     lines of --import and --dnc (default 1000000)
  --contacts N  contacts of --hopper (default 10000000)
  --batches N   batches of --hopper (default 500)
  --keep        keep the contacts of --hopper for the next run
  --json        print nothing but one JSON object for each of --import, --dnc and --hopper

Without any of the first four, all of them. 10,000,000 contacts take some 8 GB below /var/tmp and
some ten minutes to make; the others take a minute or two each. Every run makes private
databases of its own and deletes them. Run it while the machine does nothing else.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
source "$here/scripts/lib/setup.sh"

parts=()
lines=()
hopper=()
json=false
while (($#)); do
    case $1 in
        --import | --dnc | --hopper | --check)
            parts+=("${1#--}")
            shift
            ;;
        --lines)
            (($# > 1)) || die "$1 takes a value"
            lines+=("$1" "$2")
            shift 2
            ;;
        --contacts | --batches)
            (($# > 1)) || die "$1 takes a value"
            hopper+=("$1" "$2")
            shift 2
            ;;
        --keep)
            hopper+=("$1")
            shift
            ;;
        --json)
            json=true
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
((${#parts[@]})) || parts=(import dnc hopper check)

setup_build
cd "$here"
target=${CARGO_TARGET_DIR:-target}

# With --workspace, what one part needs is not built again in another way for the next.
build() {
    say "Building"
    cargo build --quiet --release --locked --workspace "$@" >&2
}

# The last line of a measurement is its result.
show() {
    if $json; then tail -n 1; else cat; fi
}

# import or dnc, with a daemon of its own.
lists() {
    build --bin strowger --example bench_lists
    "$target/release/examples/bench_lists" "--$1" "${lines[@]}" | show
}

hopper() {
    build --example bench_hopper
    "$target/release/examples/bench_hopper" "${hopper[@]}" | show
}

check() {
    say "Building"
    (cd benches && cargo bench --quiet --locked --bench compliance) >&2
}

for part in "${parts[@]}"; do
    case $part in
        import | dnc) lists "$part" ;;
        hopper) hopper ;;
        check) check ;;
    esac
done
