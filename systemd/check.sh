#!/usr/bin/env bash
# Fails when the unit is malformed, or exposes more than it should.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
# What `systemd-analyze security` may say at most; 0 is closed, 10 open.
limit=2.5

if ! command -v systemd-analyze >/dev/null; then
    echo "skipped: systemd-analyze is not on this machine" >&2
    exit 0
fi
if ! systemd-analyze --help | grep -e '--offline' >/dev/null; then
    echo "skipped: this systemd-analyze cannot judge a file (systemd 250 is needed)" >&2
    exit 0
fi

# `verify` wants the programs to be there; every other complaint counts.
complaints=$(systemd-analyze verify --man=no ./strowger.service 2>&1 |
    grep -F strowger.service | grep -Ev 'is not executable|No such file or directory' || true)
if [[ -n $complaints ]]; then
    printf '%s\n' "$complaints" >&2
    echo "error: strowger.service has mistakes" >&2
    exit 1
fi

if ! report=$(systemd-analyze security --offline=true --no-pager \
    --threshold="$(awk -v limit="$limit" 'BEGIN { print limit * 10 }')" ./strowger.service); then
    printf '%s\n' "$report" >&2
    echo "error: the exposure of strowger.service is above $limit" >&2
    exit 1
fi
printf '%s\n' "$report" | tail -n 1

if command -v systemd-sysusers >/dev/null; then
    systemd-sysusers --dry-run "$PWD/strowger.sysusers" >/dev/null 2>&1 || {
        echo "error: strowger.sysusers has mistakes" >&2
        exit 1
    }
fi
