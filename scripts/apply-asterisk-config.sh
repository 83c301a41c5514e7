#!/usr/bin/env bash
# Applies Strowger's dialplan and configuration to an Asterisk server: saves what is
# there, checks, writes, reloads, verifies in the running Asterisk, and puts
# everything back if anything is not as it should be.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: apply-asterisk-config.sh [option...]

Applies dialplan/ and asterisk-config/ of this checkout to an Asterisk server.
Files of its own go to strowger/ in the configuration directory; what belongs to
this server alone is in strowger.d/ and is kept. Of the other files each gets one
#include line at its end. A second run changes nothing.

  --etc DIR           configuration directory (default /etc/asterisk)
  --asterisk CMD      command that reaches the running Asterisk, without -rx
                      (default: asterisk -C DIR/asterisk.conf). For one in a
                      chroot: "chroot ROOT asterisk -C /path/in/the/root/asterisk.conf"
  --secret-file FILE  file with the secret of the manager user `strowger`; made, with
                      a random secret and mode 0600, when it does not exist
                      (default /etc/strowger/manager.secret)
  --agi-url URL       where the daemon answers FastAGI (agi://host:port)
  --server NAME       what the daemon calls this server: the NAME of its section
                      [asterisk.servers.NAME] (default main)
  --sip-bind ADDR     address[:port] of the SIP transports; needed only where the
                      server has none yet (default 0.0.0.0:5060)
  --webrtc            browser phones: WebSocket on 127.0.0.1:8088, ICE
  --offline           write and check the files without a running Asterisk
  --dry-run           show what would change, change nothing

--agi-url, --server, --sip-bind and --webrtc are remembered for later runs.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/asterisk.sh
source "$here/scripts/lib/asterisk.sh"

ETC=/etc/asterisk
ASTERISK=
OFFLINE=0
secret_file=/etc/strowger/manager.secret
agi_url=
server=
sip_bind=
webrtc=0
dry_run=0

while (($#)); do
    case $1 in
        --etc) need_value "$1" $#; ETC=$2; shift ;;
        --asterisk) need_value "$1" $#; ASTERISK=$2; shift ;;
        --secret-file) need_value "$1" $#; secret_file=$2; shift ;;
        --agi-url) need_value "$1" $#; agi_url=$2; shift ;;
        --server) need_value "$1" $#; server=$2; shift ;;
        --sip-bind) need_value "$1" $#; sip_bind=$2; shift ;;
        --webrtc) webrtc=1 ;;
        --offline) OFFLINE=1 ;;
        --dry-run) dry_run=1 ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; die "unknown option: $1" ;;
    esac
    shift
done

[[ -d $ETC ]] || die "$ETC is not a directory: name Asterisk's configuration directory with --etc"
[[ -w $ETC ]] || die "$ETC is not writable: run this as root"
ETC=$(cd "$ETC" && pwd)
ASTERISK=${ASTERISK:-asterisk -C $ETC/asterisk.conf}
if [[ -n $agi_url ]]; then
    [[ $agi_url =~ ^agi://([A-Za-z0-9.-]+)(:([0-9]+))?$ ]] ||
        die "--agi-url: '$agi_url' is not of the form agi://host:port"
    [[ -z ${BASH_REMATCH[3]} ]] || is_port "${BASH_REMATCH[3]}" || die "--agi-url: ${BASH_REMATCH[3]} is not a port"
fi
if [[ -n $server ]]; then
    [[ $server =~ ^[A-Za-z0-9_-]{1,40}$ ]] ||
        die "--server: '$server' cannot be a name: letters, digits, dashes and underscores, 40 at most"
fi
if [[ -n $sip_bind ]]; then
    bind_port=5060
    bind_address=$sip_bind
    if [[ $sip_bind =~ ^([^:]+|\[.*\]):([0-9]+)$ ]]; then
        bind_address=${BASH_REMATCH[1]}
        bind_port=${BASH_REMATCH[2]}
    fi
    is_ipv4 "$bind_address" || is_ipv6 "$bind_address" || die "--sip-bind: '$bind_address' is not an address"
    is_port "$bind_port" || die "--sip-bind: $bind_port is not a port"
    sip_bind=$bind_address:$bind_port
fi
if ((OFFLINE == 0)); then
    asterisk_answers || die "Asterisk does not answer on its console ($ASTERISK -rx ...).
Start it, name another command with --asterisk, or use --offline to write the files only."
fi

changes_begin

# --- What the files should be --------------------------------------------------------

# Our own, as they are in the repository.
bases=()
for file in "$here"/dialplan/*.conf; do
    stage "strowger/${file##*/}" <"$file"
done
for file in "$here"/asterisk-config/*.conf; do
    stage "strowger/${file##*/}" <"$file"
    bases+=("${file##*/}")
done

# One line in each file of the server's own. Sections that ours extend must exist.
for base in "${bases[@]}"; do
    [[ -e $ETC/$base ]] || : >"$STAGE/$base"
    current=$ETC/$base
    [[ -e $current ]] || current=$STAGE/$base
    if grep -Eq "^[[:space:]]*#include[[:space:]]+\"?strowger/$base\"?" "$current"; then
        continue
    fi
    {
        cat "$current"
        # A last line without its end must not swallow ours.
        if [[ -s $current && -n $(tail -c 1 "$current") ]]; then echo; fi
        if [[ $base == extensions.conf ]]; then
            needed=$(missing_sections "$current" "$here/dialplan/strowger-globals.conf")
        else
            needed=$(missing_sections "$current" "$here/asterisk-config/$base")
        fi
        for section in $needed; do printf '[%s]\n' "$section"; done
        printf '#include "strowger/%s"\n' "$base"
    } >"$STAGE/$base.hooked"
    stage "$base" <"$STAGE/$base.hooked"
done

# The manager secret: from the file, else what this server already has, else a new one.
secret=
if [[ -s $secret_file ]]; then
    secret=$(<"$secret_file")
elif [[ -s $ETC/strowger.d/manager-secret.conf ]]; then
    secret=$(sed -n 's/^secret = //p' "$ETC/strowger.d/manager-secret.conf")
fi
if [[ -z $secret ]]; then
    secret=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
fi
is_secret "$secret" || die "the manager secret in $secret_file cannot be used: 12 to 128 letters, digits and punctuation,
on one line, without blanks, quotes, backslashes, semicolons or parentheses"
stage strowger.d/manager-secret.conf 0600 <<CONF
; Written by apply-asterisk-config.sh from the secret file. Do not edit.
[strowger](+)
secret = $secret
CONF

# Kept once written, unless an option asks for something else.
own_global() { # NAME: as this server has it already
    sed -nE "s/^$1[[:space:]]*=>?[[:space:]]*//p" "$ETC/strowger.d/globals.conf" 2>/dev/null | tail -n 1 || true
}
if [[ -n $agi_url || -n $server ]]; then
    agi_url=${agi_url:-$(own_global STROWGER_AGI)}
    server=${server:-$(own_global STROWGER_SERVER)}
    keep=$(grep -Ev '^(STROWGER_(AGI|SERVER)[[:space:]]*=|\[globals\]|; This server)' "$ETC/strowger.d/globals.conf" 2>/dev/null || true)
    stage strowger.d/globals.conf <<CONF
; This server's own values; they replace those of strowger/strowger-globals.conf.
[globals](+)
${agi_url:+STROWGER_AGI = $agi_url
}${server:+STROWGER_SERVER = $server
}${keep:+$keep
}
CONF
fi

own_transports() {
    # Somewhere in the server's own files is a transport already.
    grep -ERqs --include='pjsip*.conf' --exclude-dir=strowger --exclude-dir=strowger.d \
        '^[[:space:]]*type[[:space:]]*=>?[[:space:]]*transport' "$ETC"
}
if [[ -n $sip_bind || ! -e $ETC/strowger.d/transports.conf ]]; then
    if [[ -z $sip_bind ]] && own_transports; then
        stage strowger.d/transports.conf <<'CONF'
; The transports of this server are in its own pjsip.conf.
CONF
    else
        sip_bind=${sip_bind:-0.0.0.0:5060}
        stage strowger.d/transports.conf <<CONF
; SIP transports, from --sip-bind. Kept by later runs.
[strowger-udp]
type = transport
protocol = udp
bind = $sip_bind

[strowger-tcp]
type = transport
protocol = tcp
bind = $sip_bind
CONF
    fi
fi

if ((webrtc)); then
    stage strowger.d/http.conf <<'CONF'
; Browser phones, from --webrtc. A TLS proxy publishes /ws of this address.
[general](+)
enabled = yes
bindaddr = 127.0.0.1
bindport = 8088
CONF
    stage strowger.d/rtp.conf <<'CONF'
; Browser phones, from --webrtc.
[general](+)
icesupport = yes
CONF
    stage strowger.d/pjsip.d/transport-ws.conf <<'CONF'
; Browser phones, from --webrtc.
[strowger-ws]
type = transport
protocol = ws
bind = 127.0.0.1
CONF
fi

# How the dialplan reaches its own console: without what leads into a chroot or a container.
console=
for word in $ASTERISK; do
    if [[ -n $console || $word == asterisk || $word == */asterisk ]]; then console+="${console:+ }$word"; fi
done
[[ $console =~ ^[A-Za-z0-9/._+@=\ -]+$ ]] || console=asterisk

# Says in the running dialplan which version of these files it was read from.
version=$(cd "$STAGE" && find strowger -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-12)
stage strowger/applied.conf <<CONF
; Written by apply-asterisk-config.sh: which version of these files is loaded.
[globals](+)
STROWGER_CONFIG = $version
STROWGER_CONSOLE = $console
CONF

# --- Check ---------------------------------------------------------------------------
broken=0
for path in "${STAGED[@]}"; do
    # Not the server's own files: their style is their owner's affair.
    if [[ $path == strowger/* || $path == strowger.d/* ]]; then
        lint "$STAGE/$path" "$path" || broken=1
    fi
done
((broken == 0)) || die "nothing was changed: correct the lines above first"

secret_missing=0
[[ -s $secret_file ]] || secret_missing=1

compute_changes

# --- Verify --------------------------------------------------------------------------

# Each context of the dialplan is there with as many priorities as the file has lines.
check_dialplan() {
    local file=$STAGE/strowger/strowger.conf context lines shown
    shows "STROWGER_CONFIG=$version" 'dialplan show globals' || {
        echo "the running dialplan is not the one of these files"
        return
    }
    [[ -z $server ]] || shows "STROWGER_SERVER=$server\$" 'dialplan show globals' ||
        echo "the running dialplan does not call this server $server"
    while read -r context lines; do
        shown=$(rx "dialplan show $context")
        if ! grep -q "Context '$context' created by" <<<"$shown"; then
            # An empty context is only there to be included.
            ((lines == 0)) || echo "context $context is missing"
        elif [[ $(sed -n 's/.*(\([0-9]*\) priorit[a-z]*) in .*/\1/p' <<<"$shown") != "$lines" ]]; then
            echo "context $context: a line of the file was refused (see Asterisk's log)"
        fi
    done < <(awk '
        /^\[/ { context = $0; gsub(/[][]/, "", context); order[++n] = context; next }
        /^[ \t]*(exten|same)[ \t]*=>/ { lines[context]++ }
        END { for (i = 1; i <= n; i++) print order[i], lines[order[i]] + 0 }' "$file")
}

check_applications() {
    local known application
    # Functions are written the same way inside an argument.
    known=$(rx 'core show applications'; rx 'core show functions')
    for application in $(grep -Eo '(,|\?)[A-Z][A-Za-z]+\(' "$STAGE/strowger/strowger.conf" | tr -d ',?(' | sort -u); do
        grep -Eiq "^ *${application}[: ]" <<<"$known" || echo "application $application is not available"
    done
}

check_modules() {
    local running module
    running=$(rx 'module show')
    for module in res_agi app_amd app_dial app_echo app_mixmonitor app_chanspy app_playback app_userevent \
        app_stack bridge_simple bridge_softmix chan_pjsip res_pjsip res_pjsip_session res_rtp_asterisk \
        res_pjsip_endpoint_identifier_ip res_musiconhold func_strings func_channel func_cut \
        res_pjsip_header_funcs func_periodic_hook func_shell func_global func_pjsip_endpoint func_pjsip_aor; do
        grep -Eq "^$module\.so .* Running " <<<"$running" || load_module "$module.so" || echo "module $module is not running"
    done
}

check_manager() {
    local shown
    shown=$(rx 'manager show user strowger')
    grep -Eq '^ *read perm: .*system.*call.*user' <<<"$shown" && grep -Eq '^ *write perm: .*call.*originate' <<<"$shown" ||
        echo "manager user strowger is missing or has other permissions"
    shows '^ *Manager \(AMI\): +Yes' 'manager show settings' || echo "the manager interface is off"
}

check_sip() {
    local file endpoint transport known
    while read -r transport; do
        shows "Transport: +$transport " 'pjsip show transports' ||
            echo "SIP transport $transport is missing: is its address one of this machine, and its port free?"
    done < <(sed -n 's/^\[\(.*\)\]$/\1/p' "$ETC/strowger.d/transports.conf")
    known=$(rx 'pjsip show endpoints')
    for file in "$ETC"/strowger.d/pjsip.d/*.conf; do
        [[ -e $file ]] || continue
        for endpoint in $(endpoints_in "$file"); do
            grep -Eq "^ *Endpoint: +${endpoint}[/ ]" <<<"$known" || echo "endpoint $endpoint of ${file##*/} is missing"
        done
    done
}

# The endpoints that a file makes from our templates.
endpoints_in() { sed -nE 's/^\[([A-Za-z0-9_-]+)\]\((strowger-(trunk|station|webrtc))\).*/\1/p' "$1"; }

verify() {
    check_modules
    check_dialplan
    check_applications
    check_manager
    check_sip
    log_complaints
}

faults=
all_is_well() {
    faults=$(verify)
    [[ -z $faults ]]
}

# --- Apply ---------------------------------------------------------------------------
if ((dry_run)); then
    if ((${#CHANGED[@]} == 0 && secret_missing == 0)); then
        say "Nothing would change."
        exit 0
    fi
    ((secret_missing == 0)) || say "Would write $secret_file"
    for path in "${CHANGED[@]}"; do
        say "Would write $ETC/$path"
        # A secret is not for the terminal.
        [[ $path == *secret* ]] || diff -u --label "$path" --label "$path" "$([[ -e $ETC/$path ]] && echo "$ETC/$path" || echo /dev/null)" "$STAGE/$path" || true
    done
    exit 0
fi

if ((${#CHANGED[@]})); then
    commit
    if ((OFFLINE == 0)); then
        reload_for "${CHANGED[@]}"
    fi
fi

# Where the daemon writes the trunks that are set in it; Asterisk reads them through the group.
make_dir strowger.d/daemon
if ((EUID == 0)); then
    if getent passwd strowger >/dev/null; then chown strowger "$ETC/strowger.d/daemon"; fi
    chmod 2750 "$ETC/strowger.d/daemon"
fi

if ((OFFLINE == 0)); then
    if ! eventually 5 all_is_well; then
        printf 'error: Asterisk does not have what was applied:\n' >&2
        head -n 12 <<<"$faults" | while read -r fault; do printf '  - %s\n' "$fault" >&2; done
        count=$(wc -l <<<"$faults")
        if ((count > 12)); then printf '  - and %d more of the kind\n' $((count - 12)) >&2; fi
        exit 1
    fi
fi

if ((secret_missing)); then
    mkdir -p "$(dirname "$secret_file")"
    (umask 077 && printf '%s\n' "$secret" >"$secret_file.new" && mv -f "$secret_file.new" "$secret_file")
    say "Wrote the manager secret to $secret_file (readable by its owner only)"
fi

if ((${#CHANGED[@]} == 0)); then
    if ((OFFLINE)); then say "Nothing to change."; else say "Nothing to change: Asterisk runs configuration $version."; fi
    exit 0
fi
for path in "${CHANGED[@]}"; do say "Wrote $ETC/$path"; done
changes_keep
if ((OFFLINE)); then
    say "Written but not verified: run this again once Asterisk runs."
else
    say "Applied and verified: Asterisk runs configuration $version."
    if ! shows '^ *TCP Bindaddress: +(127\.0\.0\.1|\[::1\])' 'manager show settings'; then
        warn "the manager interface listens beyond loopback; set bindaddr = 127.0.0.1 in manager.conf unless a daemon runs elsewhere"
    fi
fi
