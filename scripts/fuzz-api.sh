#!/usr/bin/env bash
# Sends what the OpenAPI document allows, and what it does not, to every route of /api/v1 on the
# simulated exchange: no answer may be a failure of the server or differ from the document.
#
#   scripts/fuzz-api.sh [--max-examples 30] [--seed 1] [any other option of schemathesis run]
#
# Schemathesis comes from PyPI into a directory of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib/setup.sh
source scripts/lib/setup.sh

version=4.32.5
port=${STROWGER_FUZZ_PORT:-18080}
setup_build
need_packages python3-venv curl
cache=${XDG_CACHE_HOME:-$HOME/.cache}/strowger/schemathesis-$version
if [[ ! -x $cache/bin/schemathesis ]]; then
    rm -rf "$cache"
    python3 -m venv "$cache"
    "$cache/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version" >&2
fi
say "Building"
cargo build --quiet --bin strowger
work=$(mktemp -d /var/tmp/strowger-fuzz-api.XXXXXX)
cleanup() {
    [[ -z ${demo:-} ]] || { kill "$demo" && wait "$demo"; } 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

STROWGER__HTTP__LISTEN=127.0.0.1:$port "${CARGO_TARGET_DIR:-target}/debug/strowger" demo --agents 3 >"$work/demo" 2>"$work/log" &
demo=$!
for _ in $(seq 300); do
    grep -q '^log in' "$work/demo" && break
    kill -0 "$demo" 2>/dev/null || { cat "$work/log" >&2; die "the daemon did not start"; }
    sleep 0.2
done
password=$(sed -n 's|^log in *admin / ||p' "$work/demo")
url=http://127.0.0.1:$port
token=$(curl -sf "$url/api/v1/auth/login" -H 'Content-Type: application/json' \
    -d "{\"login_id\":\"admin\",\"password\":\"$password\"}" | sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p')
[[ -n $token ]] || die "cannot log in"

# Left out: what may end the login that is used, the stream, and a body that is no JSON.
status=0
"$cache/bin/schemathesis" run "$url/api/v1/openapi.json" --url "$url" \
    --header "Authorization: Bearer $token" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --phases examples,coverage,fuzzing --continue-on-failure --request-timeout 20 \
    --exclude-path /api/v1/stream --exclude-path /api/v1/auth/logout \
    --exclude-path-regex '^/api/v1/(auth/(sessions|mfa)|users/(me|.id.))' \
    --exclude-name 'POST /api/v1/media-files' \
    --report-dir "$work/report" "$@" || status=$?
kill -0 "$demo" 2>/dev/null || die "the daemon has ended"
curl -sf "$url/health" >"$work/health" || die "the daemon does not answer any more"
grep -q '"invariant_violations":0' "$work/health" || die "invariants were broken: $(cat "$work/health")"
if grep -q 'panicked' "$work/log"; then
    grep panicked "$work/log" >&2
    die "a handler panicked"
fi
((status == 0)) || die "answers differ from the document, see above"
