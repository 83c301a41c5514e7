# shellcheck shell=bash
# What the scripts that change an Asterisk configuration share: messages, argument
# checks, the Asterisk command line, and a set of file changes that is applied as a
# whole or taken back.
#
# A script sets ETC (the directory with asterisk's *.conf) and ASTERISK (the command
# that reaches the running Asterisk, without -rx) before using the second half.

say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# need_value OPTION ARGUMENT-COUNT: an option that takes a value has one.
need_value() { (($2 >= 2)) || die "$1 needs a value"; }

# --- Values that end up in a configuration file ---------------------------------
# Whole-string matches on a closed alphabet: no line end, bracket, semicolon or
# blank can pass, so no value can begin another line or section.

is_name() { [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$ ]]; }

is_ipv4() {
    local part
    [[ $1 =~ ^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$ ]] || return 1
    for part in "${BASH_REMATCH[@]:1}"; do
        ((10#$part <= 255)) || return 1
    done
}

# An address in brackets or not; the exact form is for the resolver, this is the alphabet.
is_ipv6() { [[ $1 =~ ^\[?[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*\]?$ && ${#1} -le 41 ]]; }

is_hostname() {
    [[ ${#1} -le 253 && $1 =~ ^[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$ ]] || return 1
    # 1.2.3.999 or 10.0 is a mistyped address, not a name.
    [[ ! $1 =~ ^[0-9.]+$ ]]
}

is_port() { [[ $1 =~ ^[0-9]{1,5}$ ]] && ((10#$1 >= 1 && 10#$1 <= 65535)); }

# An address, or a network such as 192.0.2.0/24.
is_network() {
    local address=${1%%/*} bits
    if [[ $1 == */* ]]; then
        bits=${1#*/}
        [[ $bits =~ ^[0-9]{1,3}$ ]] || return 1
        # A rule for everybody would let anybody in.
        if is_ipv4 "$address"; then ((10#$bits >= 8 && 10#$bits <= 32)); return; fi
        is_ipv6 "$address" && ((10#$bits >= 16 && 10#$bits <= 128))
        return
    fi
    is_ipv4 "$address" || is_ipv6 "$address"
}

# Secrets go into a value verbatim: printable, no blank, and nothing that Asterisk's
# parser gives a meaning to.
is_secret() { [[ $1 =~ ^[]A-Za-z0-9._~+/=@:%^*\!?,\&#{}[-]{12,128}$ && $1 != \#* ]]; }

# --- The running Asterisk ---------------------------------------------------------

# rx COMMAND: run a CLI command, print what it prints.
rx() {
    local -a cli
    read -ra cli <<<"$ASTERISK"
    timeout 20 "${cli[@]}" -rx "$1" 2>/dev/null
}

# shows PATTERN COMMAND: what the command prints has a line that matches. (Not through a
# pipe: grep would leave at the first match, and the command die of it.)
shows() { grep -Eq -- "$1" <<<"$(rx "$2")"; }

asterisk_answers() { shows '^Asterisk ' 'core show version'; }

# load_module NAME.so: one that is not running; a missing file may have been all it lacked.
load_module() {
    rx "module load $1" >/dev/null || true
    shows ' Running ' "module show like $1"
}

# reload_for PATH...: tell Asterisk to read again what these files are part of.
# Only the modules concerned: a full reload would also pick up edits in progress.
reload_for() {
    local path
    local -A wanted=()
    for path in "$@"; do
        case $path in
            *extensions* | strowger/strowger*.conf | *globals.conf | strowger/applied.conf) wanted[dialplan]=1 ;;
            *manager*) wanted[manager]=1 ;;
            *pjsip* | *transports.conf) wanted[pjsip]=1 ;;
            *http.conf) wanted[http]=1 ;;
            *rtp.conf) wanted[rtp]=1 ;;
            *amd.conf) wanted[amd]=1 ;;
            *queues.conf) wanted[queue]=1 ;;
            *musiconhold.conf) wanted[moh]=1 ;;
            *logger.conf) wanted[logger]=1 ;;
            *cdr.conf) wanted[cdr]=1 ;;
        esac
    done
    local what
    for what in "${!wanted[@]}"; do
        case $what in
            dialplan) rx 'dialplan reload' ;;
            manager) rx 'manager reload' ;;
            pjsip)
                rx 'module reload res_pjsip.so'
                rx 'module reload res_pjsip_endpoint_identifier_ip.so'
                rx 'module reload res_pjsip_outbound_registration.so'
                ;;
            http) rx 'module reload http' ;;
            rtp) rx 'module reload res_rtp_asterisk.so' ;;
            amd) rx 'module reload app_amd.so' ;;
            queue) rx 'module reload app_queue.so' ;;
            moh) rx 'moh reload' ;;
            logger) rx 'logger reload' ;;
            cdr) rx 'module reload cdr' ;;
        esac >/dev/null || true
    done
}

# eventually SECONDS COMMAND...: reloads finish in their own time.
eventually() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

# Asterisk keeps the old object where a new one is faulty, so what it has does not prove
# that it took what it was given: its log does. The log is found through the process,
# because its path may be one inside a chroot.
LOG=
LOG_LINES=0

log_mark() {
    local settings directory pid_file name process
    LOG=
    settings=$(rx 'core show settings')
    directory=$(sed -n 's/^ *Log directory: *//p' <<<"$settings")
    pid_file=$(sed -n 's/^ *PID file: *//p' <<<"$settings")
    name=$(awk '
        { sub(/;.*/, "") }
        /^[ \t]*\[/ { inside = /\[logfiles\]/; next }
        inside && /=/ && /error/ && /warning/ && !/^[ \t]*(console|syslog)/ {
            sub(/^[ \t]*/, ""); sub(/[ \t]*=.*/, ""); print; exit
        }' "$ETC/logger.conf" 2>/dev/null || true)
    [[ $name == /* ]] || name=$directory/$name
    for process in $(grep -lx asterisk /proc/[0-9]*/comm 2>/dev/null || true); do
        process=${process%/comm}
        if [[ $(cat "$process/root$pid_file" 2>/dev/null) == "${process##*/}" && -f $process/root$name ]]; then
            LOG=$process/root$name
            LOG_LINES=$(wc -l <"$LOG")
            return
        fi
    done
    warn "Asterisk's log cannot be read from here: what it complains about is not checked"
}

# What the log says about configuration since log_mark and had not said before.
log_complaints() {
    [[ -n $LOG ]] || return 0
    comm -13 <(head -n "$LOG_LINES" "$LOG" | configuration_lines) \
        <(tail -n +"$((LOG_LINES + 1))" "$LOG" | configuration_lines)
}

configuration_lines() {
    sed -nE 's/^.*(ERROR|WARNING)\[[0-9]+\](\[C-[0-9a-f]+\])? ((config|config_options|res_sorcery_config|pbx|pbx_config|manager|res_pjsip[a-z_\/]*)\.c: .*)$/\3/p' | sort -u
}

endpoint_known() { shows "^ *Endpoint: +$1[/ ]" "pjsip show endpoint $1"; }

# --- A set of changes ---------------------------------------------------------------
# stage each wanted file; then compute_changes finds what differs, commit writes it after
# saving what was there, rollback puts that back.

STAGE=
BACKUP=
STAGED=()
CHANGED=()

changes_begin() {
    STAGE=$(mktemp -d)
    STAGED=()
    CHANGED=()
    BACKUP=
    trap changes_exit EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # One change at a time.
    exec 9<"$ETC"
    flock -w 30 9 || die "another script is changing $ETC; try again when it is done"
}

# Leaving in the middle of a commit, for whatever reason, takes it back.
changes_exit() {
    local status=$?
    if [[ -n $BACKUP ]]; then
        rollback
        status=1
    fi
    rm -rf "$STAGE"
    exit "$status"
}

# stage PATH [MODE]: the wanted content of ETC/PATH, from standard input.
stage() {
    mkdir -p "$STAGE/$(dirname "$1")"
    cat >"$STAGE/$1"
    chmod "${2:-0640}" "$STAGE/$1"
    STAGED+=("$1")
}

compute_changes() {
    local path
    CHANGED=()
    for path in "${STAGED[@]}"; do
        cmp -s "$STAGE/$path" "$ETC/$path" || CHANGED+=("$path")
    done
}

# Same owner as the configuration itself, so that Asterisk can read it. Where root owns
# that, Asterisk may still run as its own user: its group reads.
adopt() {
    ((EUID == 0)) || return 0
    chown --reference="$ETC" "$1"
    if [[ $(stat -c %u "$ETC") == 0 ]] && getent group asterisk >/dev/null; then
        chgrp asterisk "$1"
        chmod g+r "$1"
    fi
}

make_dir() {
    local dir=$1
    [[ -d $ETC/$dir ]] && return
    [[ $dir == */* ]] && make_dir "${dir%/*}"
    mkdir -m 0750 "$ETC/$dir"
    adopt "$ETC/$dir"
}

# put SOURCE PATH: replace ETC/PATH in one step, keeping owner and mode of what it replaces.
put() {
    local target=$ETC/$2 new
    new=$(mktemp "$target.new.XXXXXX")
    cat "$1" >"$new"
    if [[ -e $target ]]; then
        chmod --reference="$target" "$new"
        if ((EUID == 0)); then chown --reference="$target" "$new"; fi
    else
        chmod --reference="$1" "$new"
        adopt "$new"
    fi
    mv -f "$new" "$target"
}

# Saves what the changes replace; from here on rollback can put it back.
back_up() {
    local path stamp
    make_dir strowger.d/backups
    stamp=$(date -u +%Y%m%dT%H%M%SZ).$$
    mkdir -m 0700 "$ETC/strowger.d/backups/$stamp"
    for path in "${CHANGED[@]}"; do
        if [[ -e $ETC/$path ]]; then
            mkdir -p "$ETC/strowger.d/backups/$stamp/$(dirname "$path")"
            cp -p "$ETC/$path" "$ETC/strowger.d/backups/$stamp/$path"
        fi
    done
    BACKUP=$ETC/strowger.d/backups/$stamp
}

commit() {
    local path
    if [[ ${OFFLINE:-} != 1 ]]; then log_mark; fi
    back_up
    for path in "${CHANGED[@]}"; do
        if [[ $path == */* ]]; then make_dir "${path%/*}"; fi
        put "$STAGE/$path" "$path"
    done
}

rollback() {
    local path
    [[ -n $BACKUP ]] || return 0
    for path in "${CHANGED[@]}"; do
        if [[ -e $BACKUP/$path ]]; then
            put "$BACKUP/$path" "$path"
        else
            rm -f "$ETC/$path"
        fi
    done
    BACKUP=
    if [[ ${OFFLINE:-} != 1 ]]; then reload_for "${CHANGED[@]}"; fi
    warn "every file is back as it was before"
}

# The change stands. The last ten backups are kept.
changes_keep() {
    local old
    say "The files as they were: $BACKUP"
    BACKUP=
    find "$ETC/strowger.d/backups" -mindepth 1 -maxdepth 1 -type d | sort -r | tail -n +11 |
        while read -r old; do rm -rf "$old"; done
}

# --- Syntax ------------------------------------------------------------------------
# Asterisk has no "check this file" of its own: it drops what it cannot read and goes
# on. This refuses the lines that it would drop.

# lint FILE NAME: complains as NAME:LINE on standard error.
lint() {
    awk -v name="$2" '
        function complain(text) { printf "error: %s:%d: %s\n", name, NR, text > "/dev/stderr"; bad = 1 }
        function count(text, what,   copy) { copy = text; return gsub(what, "", copy) }
        {
            line = $0
            if (line ~ /[\001-\010\013-\037]/) complain("control character")
            gsub(/\\;/, "", line)
            sub(/;.*/, "", line)
            sub(/^[ \t]+/, "", line); sub(/[ \t]+$/, "", line)
            if (line == "") next
            if (line ~ /^#(include|tryinclude)[ \t]+"[^"]+"$/) next
            if (line ~ /^#/) { complain("only #include \"file\" and #tryinclude \"file\" are used here"); next }
            if (line ~ /^\[/) {
                if (line !~ /^\[[^][]+\](\([^()]*\))?$/) complain("malformed section header")
                section = 1
                next
            }
            if (!section) complain("a setting before the first section")
            # An event filter has parentheses in its name.
            if (line !~ /^[A-Za-z_][A-Za-z0-9_.-]*(\(.*\))?[ \t]*=>?/) { complain("neither a section nor a \"name = value\""); next }
            if (count(line, "[(]") != count(line, "[)]")) complain("parentheses do not match")
            if (count(line, "[{]") != count(line, "[}]")) complain("braces do not match")
            if (count(line, "[[]") != count(line, "[]]")) complain("brackets do not match")
        }
        END { exit bad }
    ' "$1"
}

# missing_sections BASE ADDITION: sections that ADDITION extends with (+) and BASE does
# not have; Asterisk refuses a whole file for one of those.
missing_sections() {
    awk '
        { line = $0; sub(/;.*/, "", line); sub(/^[ \t]+/, "", line) }
        line !~ /^\[/ { next }
        { section = line; sub(/^\[/, "", section); sub(/\].*/, "", section) }
        FILENAME == ARGV[1] { have[section] = 1; next }
        line ~ /\]\(\+\)/ { if (!(section in have) && !(section in told)) { print section; told[section] = 1 } next }
        { have[section] = 1 }
    ' "$1" "$2"
}
