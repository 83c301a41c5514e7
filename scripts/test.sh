#!/usr/bin/env bash
# Everything that must hold, in the order that fails fastest. Needs nothing but Debian 12,
# git and Rust; the real Asterisk part needs root. STROWGER_SKIP_LAB=1 leaves that part out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# What a later build could reuse would take 11 GB here, twice what is built.
export CARGO_INCREMENTAL=0
# shellcheck source=scripts/lib/setup.sh
source scripts/lib/setup.sh

began=$SECONDS
step() { say "$* ($(((SECONDS - began) / 60)) min)"; }

setup_build
need_packages shellcheck
need_cargo_command cargo-nextest 0.9.143
need_cargo_command cargo-deny 0.20.2

step "Format"
cargo fmt --all --check
cargo fmt --all --check --manifest-path benches/Cargo.toml
step "Scripts"
shellcheck -x scripts/*.sh scripts/lib/*.sh systemd/*.sh .ci/run
systemd/check.sh
step "Licences, bans, sources"
cargo deny --log-level error check bans licenses sources
step "Clippy, with warnings denied"
cargo clippy --workspace --all-targets --quiet -- -D warnings
step "Benchmarks compile"
cargo clippy --manifest-path benches/Cargo.toml --locked --all-targets --quiet -- -D warnings
step "Tests"
cargo nextest run --workspace
step "Documentation examples"
cargo test --doc --workspace --quiet
step "Documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
step "Generated files"
scripts/gen.sh --check
step "Demo"
STROWGER__HTTP__LISTEN=127.0.0.1:0 scripts/demo.sh --seconds 15 --json | tail -n 1 | scripts/lib/check-demo.sh
if [[ ${STROWGER_SKIP_LAB:-0} == 1 ]]; then
    say "The real Asterisk part is left out"
else
    for version in 22 16; do
        step "Real Asterisk $version"
        scripts/lab.sh check --asterisk "$version"
    done
fi
step "All is well"
