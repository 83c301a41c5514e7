#!/usr/bin/env bash
# The fuzzer on every decoder and encoder of untrusted bytes. The last line is one JSON
# object; the exit is 1 if an input was found that breaks a promise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib/setup.sh
source scripts/lib/setup.sh

usage() {
    cat <<'USAGE'
Usage: fuzz.sh [--seconds N] [TARGET...]

  --seconds N   how long each target runs (default 600)
  TARGET        which ones (default all, see fuzz/bodies/src/lib.rs)

Starts from fuzz/corpus, which is not changed: what is found besides is kept in
fuzz/target/corpus. An input that fails is kept in fuzz/artifacts, with its log beside
it. To keep it for the tests, fix the error and copy the input to fuzz/corpus/TARGET.
A process that needs more than 512 MB, or 64 MB at once, fails.
USAGE
}

seconds=600
targets=()
while (($#)); do
    case $1 in
        --seconds)
            [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "--seconds needs a number of seconds"
            seconds=$2
            shift 2
            ;;
        -h | --help) usage; exit ;;
        -*) usage >&2; die "unknown option $1" ;;
        *) targets+=("$1"); shift ;;
    esac
done
all=()
for program in fuzz/targets/*.rs; do
    all+=("$(basename "$program" .rs)")
done
((${#targets[@]})) || targets=("${all[@]}")
for target in "${targets[@]}"; do
    [[ -e fuzz/targets/$target.rs ]] || die "there is no target $target, only ${all[*]}"
done

command -v cargo >/dev/null || die "Rust is missing: see https://rustup.rs"
need_packages gcc g++ libc6-dev
if ! cargo +nightly --version >/dev/null 2>&1; then
    command -v rustup >/dev/null || die "the fuzzer needs a nightly toolchain of Rust, which rustup installs: see https://rustup.rs"
    say "Installing the nightly toolchain, which the fuzzer needs"
    rustup toolchain install nightly --profile minimal --no-self-update >&2 ||
        die "there is no nightly toolchain, and it could not be installed: try rustup toolchain install nightly by hand"
fi
need_cargo_command cargo-fuzz 0.13.1

say "Building ${#targets[@]} targets"
for target in "${targets[@]}"; do
    cargo +nightly fuzz build "$target" >&2
done

# What the sanitizer keeps of freed memory would hide what a target keeps.
export ASAN_OPTIONS=quarantine_size_mb=32:${ASAN_OPTIONS:-}

# The last number that libFuzzer prints under a name.
figure() { sed -n "s/^stat::$2: *//p" "$1" | tail -n 1; }

failed=0
json=()
for target in "${targets[@]}"; do
    found=fuzz/target/corpus/$target
    artifacts=fuzz/artifacts/$target
    log=$artifacts/log
    mkdir -p "$found" "$artifacts"
    say "$target for $seconds s"
    began=$SECONDS
    crashes=0
    # Frames reach their limits from small inputs, see fuzz/bodies/src/stream.rs.
    cargo +nightly fuzz run "$target" "$found" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=512 -malloc_limit_mb=64 \
        -print_final_stats=1 >"$log" 2>&1 || crashes=1
    # Without the time that a build before it took; a crash leaves no such line.
    ran=$(sed -n 's/^Done .* runs in \([0-9]*\) second.*/\1/p' "$log")
    ran=${ran:-$((SECONDS - began))}
    executions=$(figure "$log" number_of_executed_units)
    peak=$(figure "$log" peak_rss_mb)
    if ((crashes)); then
        failed=1
        grep -E 'panicked|^left|^right|ERROR: |Test unit written|^error' "$log" >&2 || tail -n 20 "$log" >&2
        say "$target failed; its log is $log"
    fi
    printf '%-20s %5d s %12s executions %3d crashes %5s MB\n' "$target" "$ran" "${executions:-0}" "$crashes" "${peak:-0}"
    json+=("\"$target\":{\"seconds\":$ran,\"executions\":${executions:-0},\"crashes\":$crashes,\"peak_mb\":${peak:-0}}")
done
(IFS=,; printf '{"targets":{%s}}\n' "${json[*]}")
exit "$failed"
