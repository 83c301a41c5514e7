#!/usr/bin/env bash
# Measures the protocol crates beside their peers, on the same work in the same run.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: bench-peers.sh [OPTIONS]

  --only ami|agi|stall  measure this part alone
  --peers A,B           measure these beside ours (default all):
                        asterisk-rs-ami, panoramisk, asterisk-ami, asterisk-manager (AMI);
                        asterisk-rs-agi, panoramisk, ding-dong (FastAGI)
  --runs N              runs of each (default 3); figures are of the best run,
                        for Rust on the better of two runtimes
  --quick               one run with less work, to see that all of it works
  --json                print one JSON object as the last line
  --events FILE         another recording of manager events, perhaps .xz
                        (default benches/data/ami-events.xz)

Takes some five minutes after the first build. Programs and peers are kept in
${XDG_CACHE_HOME:-~/.cache}/strowger/bench. Run it while the machine does nothing else.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
source "$here/scripts/lib/setup.sh"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/strowger/bench
benches=$here/benches
events=$benches/data/ami-events.xz
arguments=()
while (($#)); do
    case $1 in
        --only | --peers | --runs)
            (($# > 1)) || die "$1 takes a value"
            arguments+=("$1" "$2")
            shift 2
            ;;
        --events)
            (($# > 1)) || die "$1 takes a value"
            events=$2
            shift 2
            ;;
        --quick | --json)
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
[[ -r $events ]] || die "there is no recording $events: name one with --events"

need_tools() {
    command -v cargo >/dev/null || die "Rust is missing: see https://rustup.rs"
    local packages=(gcc libc6-dev)
    command -v xz >/dev/null || packages+=(xz-utils)
    # Elsewhere than in Debian's own Python, venv comes with it.
    python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
    command -v node >/dev/null || packages+=(nodejs)
    command -v npm >/dev/null || packages+=(npm)
    need_packages "${packages[@]}"
}

# Installed again only when the pinned versions change.
install_python_peers() {
    local pins=$benches/python/requirements.txt
    cmp -s "$pins" "$cache/venv/requirements.txt" && return
    say "Installing the peers from PyPI"
    rm -rf "$cache/venv"
    python3 -m venv "$cache/venv"
    "$cache/venv/bin/pip" install --quiet --disable-pip-version-check -r "$pins" >&2
    cp "$pins" "$cache/venv/"
}

install_node_peers() {
    local lock=$benches/node/package-lock.json
    cmp -s "$lock" "$cache/node/node_modules/.installed" && return
    say "Installing the peers from npm"
    mkdir -p "$cache/node"
    cp "$benches/node/package.json" "$lock" "$cache/node/"
    (cd "$cache/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    cp "$lock" "$cache/node/node_modules/.installed"
}

need_tools
mkdir -p "$cache"
install_python_peers
install_node_peers
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
say "Building"
cargo build --quiet --release --locked --bins --manifest-path "$benches/Cargo.toml" >&2
RUST_BACKTRACE=0 "$CARGO_TARGET_DIR/release/bench_peers" --cache "$cache" --sources "$benches" --events "$events" "${arguments[@]}"
