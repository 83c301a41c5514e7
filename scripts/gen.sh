#!/usr/bin/env bash
# Renews what is generated and committed: .sqlx (the answers of the database to every query)
# and docs/openapi.json. With --check nothing is changed, and a difference is an error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib/setup.sh
source scripts/lib/setup.sh

check=false
[[ ${1:-} != --check ]] || check=true
setup_build

work=$(mktemp -d /var/tmp/strowger-gen.XXXXXX)
binaries=$(find /usr/lib/postgresql -name initdb -printf '%h\n' | sort -V | tail -n 1)
as_postgres=()
if ((EUID == 0)); then
    chown postgres "$work"
    as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups --)
fi
pg() { (cd / && "${as_postgres[@]}" "$binaries/$1" "${@:2}"); }
cleanup() {
    pg pg_ctl -D "$work/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT
chmod 0755 "$work"

say "Asking a database about every query"
pg initdb -D "$work/data" -U strowger -A trust -E UTF8 --locale=C >/dev/null
pg pg_ctl -D "$work/data" -w -l "$work/data/log" \
    -o "-c listen_addresses='' -c unix_socket_directories=$work -c fsync=off" start >/dev/null
pg createdb -h "$work" -U strowger strowger
for migration in migrations/*.up.sql; do
    pg psql -h "$work" -U strowger -d strowger -X -q -v ON_ERROR_STOP=1 <"$migration"
done
mkdir -m 0777 "$work/sqlx"
# The macros run only when the crate is compiled anew.
touch crates/store/src/lib.rs
SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$work/sqlx" DATABASE_URL="postgres:///strowger?host=$work&user=strowger" \
    cargo check --quiet --package strowger-store
touch crates/store/src/lib.rs

say "Printing the OpenAPI document"
# The program is built with what was just asked, not with what is committed.
SQLX_OFFLINE_DIR="$work/sqlx" cargo run --quiet --bin strowger -- openapi >"$work/openapi.json"

if $check; then
    diff -r "$work/sqlx" .sqlx >&2 || die ".sqlx is out of date: run scripts/gen.sh and commit"
    diff "$work/openapi.json" docs/openapi.json >&2 || die "docs/openapi.json is out of date: run scripts/gen.sh and commit"
    say "Generated files are up to date"
else
    rm -rf .sqlx
    cp -r "$work/sqlx" .sqlx
    chmod 0755 .sqlx
    cp "$work/openapi.json" docs/openapi.json
fi
