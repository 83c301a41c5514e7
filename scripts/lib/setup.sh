# shellcheck shell=bash
# What the other scripts need on a fresh Debian 12 with git and Rust: sourced, not run.

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Installs Debian packages that are missing: need_packages NAME...
need_packages() {
    local package missing=()
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null || die "install these packages with your system's package manager: ${missing[*]}"
    local sudo=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null || die "as root, run: apt-get install ${missing[*]}"
        sudo=(sudo)
    fi
    say "Installing ${missing[*]}"
    # The server is wanted for its binaries: no cluster of the system's own is made or started.
    "${sudo[@]}" mkdir -p /etc/postgresql-common
    [[ -e /etc/postgresql-common/createcluster.conf ]] ||
        printf 'create_main_cluster = false\n' | "${sudo[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
    "${sudo[@]}" apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Installs a cargo command that is missing: need_cargo_command COMMAND VERSION
need_cargo_command() {
    command -v "$1" >/dev/null && return 0
    say "Installing $1 $2 (a few minutes, once)"
    cargo install --quiet --locked "$1@$2"
}

# What building the daemon needs: a C compiler for the crypto library, and the database server.
setup_build() {
    command -v cargo >/dev/null || die "Rust is missing: see https://rustup.rs"
    need_packages gcc libc6-dev postgresql
}
