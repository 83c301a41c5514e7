#!/usr/bin/env bash
# The lab: a real Asterisk to try Strowger on, and another one that plays its carrier
# and the phones of its agents. Everything listens on loopback.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: lab-asterisk.sh [--dir DIR] [--asterisk 16|22] COMMAND

  root                 make the root directory with Asterisk in it (once; a minute)
  start [--agi URL]    start both instances, fresh and configured (makes the root first);
                       if they run, only apply what changed. Recordings of the run
                       before are removed, its logs kept as log.previous. A lab of the
                       other version is stopped first
  stop                 stop both
  restart-pbx          `core restart now` on the exchange
  status               what runs where
  rx pbx|carrier CMD   run a command on the console of an instance
  paths                directories, addresses and secret files, as name=value
  clean                stop both and remove everything but the roots

  --asterisk 16|22     which Asterisk `root` makes and `start` starts (default
                       ${STROWGER_LAB_ASTERISK}, else 22); the other commands are for
                       the one that was started last
  --dir DIR            where all this lives (default ${STROWGER_LAB}, else
                       ~/.cache/strowger/lab); one lab runs at a time per machine
  --agi URL            where the daemon answers FastAGI (default agi://127.0.0.1:4573)

The exchange (pbx)   SIP 127.0.0.1:5060, AMI 127.0.0.1:5038 and, over TLS, 5039;
                     users strowger, and lab for tests of the protocol;
                     trunk `carrier`, stations 1001 to 1020; queue lab-queue;
                     named pbx to the daemon
The carrier          SIP 127.0.0.2:5060, AMI 127.0.0.2:5038, user lab
The phones           SIP 127.0.0.3:5060, registered as 1001 to 1020
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/asterisk.sh
source "$here/scripts/lib/asterisk.sh"
# shellcheck source=scripts/lib/lab-carrier.sh
source "$here/scripts/lib/lab-carrier.sh"
# shellcheck source=scripts/lib/lab-exchange.sh
source "$here/scripts/lib/lab-exchange.sh"

lab=${STROWGER_LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/strowger/lab}
asterisk=${STROWGER_LAB_ASTERISK:-22}
agi_url=agi://127.0.0.1:4573
stations=$(seq -s ' ' 1001 1020)

while [[ ${1:-} =~ ^--(dir|asterisk)$ ]]; do
    need_value "$1" $#
    if [[ $1 == --dir ]]; then lab=$2; else asterisk=$2; fi
    shift 2
done
command=${1:-}
(($# == 0)) || shift

[[ $lab == /* ]] || lab=$PWD/$lab
[[ $lab =~ ^[A-Za-z0-9/._+@~-]+$ ]] || die "the lab directory '$lab' must have a plain name, without blanks"
case $asterisk in
    22) root=$lab/root suite=sid ;;
    16) root=$lab/root-16 suite=bullseye ;;
    *) die "there is no lab with Asterisk '$asterisk': it is 16 or 22" ;;
esac

need_root() {
    ((EUID == 0)) || die "the lab needs root, for debootstrap and chroot: run it with sudo, or as root in a container"
}

# One command at a time on a lab.
lock_lab() {
    mkdir -p "$lab"
    exec 8>"$lab/lock"
    flock -w 300 8 || die "another command has been working on $lab for five minutes"
}

# --- The root directory -----------------------------------------------------------------

# The mirror that this machine is already configured to use, or else the first that has
# the release: old ones move to the archive.
mirror() {
    local found candidate
    found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        grep -Eo '^(deb .*|URIs:.*)' | grep -Eo 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ')
    for candidate in ${STROWGER_LAB_MIRROR:-} $found http://deb.debian.org/debian http://archive.debian.org/debian; do
        if wget -q --tries=2 --timeout=20 -O /dev/null "${candidate%/}/dists/$suite/InRelease"; then
            printf '%s' "$candidate"
            return
        fi
    done
    die "no mirror with Debian $suite answers: name one with STROWGER_LAB_MIRROR"
}

make_root() {
    [[ -e $root/.complete ]] && return
    need_root
    if ! command -v debootstrap >/dev/null; then
        command -v apt-get >/dev/null || die "debootstrap is missing: install it with this system's package manager"
        say "Installing debootstrap"
        if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq debootstrap; } >/dev/null; then
            die "debootstrap could not be installed: try apt-get install debootstrap by hand"
        fi
    fi
    local new=$root.new log=$lab/debootstrap.log from
    # Left by a run that was interrupted.
    umount "$new/proc" "$new/sys" 2>/dev/null || true
    rm -rf --one-file-system "$new"
    from=$(mirror)
    say "Making $root with Asterisk from Debian $suite (about a minute, 500 MB, once)"
    debootstrap --variant=minbase \
        --include=asterisk,asterisk-core-sounds-en-gsm,asterisk-moh-opsound-gsm,ca-certificates \
        "$suite" "$new" "$from" >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        die "debootstrap failed; its whole log is $log"
    }
    rm -rf "$new"/var/cache/apt/archives/*.deb
    chroot "$new" asterisk -V >"$new/.complete"
    # A root without its mark was never finished.
    [[ ! -e $root ]] || rm -rf --one-file-system "$root"
    mv "$new" "$root"
    say "Made $root: $(<"$root/.complete")"
}

# --- Instances ----------------------------------------------------------------------------
# Each lives in $root/lab/NAME. $lab/NAME leads there, outside the root and inside it, so
# that a path which Asterisk names (a recording) is the path on this machine.

# The root of the lab that was started last: its instances use the addresses.
started_root() {
    local link
    if link=$(readlink "$lab/pbx"); then printf '%s/%s' "$lab" "${link%%/*}"; else printf '%s' "$root"; fi
}

home() { printf '%s/lab/%s' "$root" "$1"; }
control() { printf 'chroot %s asterisk -C %s/%s/etc/asterisk.conf' "$root" "$lab" "$1"; }

console() { # NAME COMMAND
    local ASTERISK
    ASTERISK=$(control "$1")
    rx "$2"
}

running_pid() { # NAME: prints the process id of a running instance
    local pid
    pid=$(cat "$(home "$1")/run/asterisk.pid" 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ ]] || return 1
    [[ "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)" == *"-C $lab/$1/etc/asterisk.conf"* ]] || return 1
    printf '%s' "$pid"
}

prepare_root() {
    # Without its own name in here the RTP engine waits for a name server at each call.
    printf '127.0.0.1 localhost %s\n' "$(hostname)" >"$root/etc/hosts"
    rm -f "$root/etc/resolv.conf"
    : >"$root/etc/resolv.conf"
    [[ -r $root/proc/version ]] || mount -t proc proc "$root/proc"
    mkdir -p "$root$lab"
    # Root's home is closed in the root too; the path below it must be walkable.
    local dir=$lab
    while [[ $dir != / ]]; do
        chmod 0755 "$root$dir"
        dir=$(dirname "$dir")
    done
    local name
    for name in pbx carrier; do
        # Relative, so that it also leads there for who looks into the root from outside.
        ln -sfnr "$root/lab/$name" "$root$lab/$name"
        ln -sfn "$(basename "$root")/lab/$name" "$lab/$name"
    done
}

new_secret() { # FILE: a random secret, made once
    [[ -s $1 ]] || (umask 077 && head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$1")
}

prepare_instance() { # NAME: empty directories; the logs of last time stay beside
    local name=$1 dir
    dir=$(home "$name")
    mkdir -p "$dir"
    rm -rf "$dir/log.previous"
    [[ ! -e $dir/log ]] || mv "$dir/log" "$dir/log.previous"
    rm -rf "${dir:?}"/{etc,run,db,lib,cache,spool,speech,quiet}
    mkdir -p "$dir"/{etc,run,db,lib,cache,log/cdr-csv,spool/{monitor,recording,voicemail,tmp,outgoing},speech,quiet}
    new_secret "$dir/manager.secret"
}

modules() { dirname "$(find "$root/usr/lib" -name chan_pjsip.so | head -n 1)"; }

write_asterisk_conf() { # NAME
    local modules
    modules=$(modules)
    cat >"$(home "$1")/etc/asterisk.conf" <<CONF
[directories]
astetcdir => $lab/$1/etc
astmoddir => ${modules#"$root"}
astvarlibdir => $lab/$1/lib
astdbdir => $lab/$1/db
astkeydir => $lab/$1/lib
astcachedir => $lab/$1/cache
astdatadir => /usr/share/asterisk
astagidir => /usr/share/asterisk/agi-bin
astspooldir => $lab/$1/spool
; Short, because the path of a socket is limited.
astrundir => /lab/$1/run
astlogdir => $lab/$1/log
astsbindir => /usr/sbin

[options]
runuser = asterisk
rungroup = asterisk
CONF
}

hand_over() { # NAME: Asterisk drops root
    chown -R --reference="$root/var/lib/asterisk" "$(home "$1")"
    chmod 0755 "$(home "$1")"
    chown root:root "$(home "$1")"/manager*.secret
}

launch() { # NAME
    # In a session of its own and without our files, the lock among them.
    setsid chroot "$root" asterisk -f -C "$lab/$1/etc/asterisk.conf" \
        </dev/null >>"$(home "$1")/log/console.log" 2>&1 8>&- 9>&- &
}

booted() { [[ $(console "$1" 'core waitfullybooted') == *'fully booted'* ]]; }

wait_booted() { # NAME
    eventually 60 booted "$1" || {
        tail -n 15 "$(home "$1")/log/console.log" >&2 || true
        die "the $1 did not come up; its logs are in $lab/$1/log"
    }
}

stop_instance() { # NAME
    local pid deadline=$((SECONDS + 20))
    pid=$(running_pid "$1") || return 0
    console "$1" 'core stop now' >/dev/null || true
    while running_pid "$1" >/dev/null; do
        if ((SECONDS >= deadline)); then
            warn "the $1 does not stop: killing $pid"
            kill -KILL "$pid" 2>/dev/null || true
            eventually 5 not_alive "$pid" || die "process $pid cannot be killed"
            break
        fi
        sleep 0.1
    done
    rm -f "$(home "$1")"/run/asterisk.{pid,ctl}
}

not_alive() { ! kill -0 "$1" 2>/dev/null; }

# After a restart a contact is not qualified yet, but known and dialed.
registered_stations() { console pbx 'pjsip show contacts' | grep -Ec '^ *Contact: +10[0-9][0-9]/.* (Avail|NonQual)' || true; }
all_registered() { (($(registered_stations) == $(wc -w <<<"$stations"))); }

write_stations() { # SECRET
    local station
    echo "; The lab's stations."
    for station in $stations; do
        cat <<CONF

[$station](strowger-station)
auth = $station
aors = $station
callerid = Station $station <$station>

[$station](strowger-station-auth)
username = $station
password = $1

[$station](strowger-station-aor)
CONF
    done
}

start() {
    make_root
    need_root
    local chosen=$root
    root=$(started_root)
    [[ $root == "$chosen" ]] || stop
    root=$chosen
    if running_pid pbx >/dev/null && running_pid carrier >/dev/null; then
        configure_pbx
        say "Both instances run already."
        return
    fi
    stop_instance pbx
    stop_instance carrier
    prepare_root
    prepare_instance carrier
    prepare_instance pbx
    new_secret "$lab/station.secret"
    new_secret "$lab/pbx/manager-lab.secret"

    # The exchange: the stock configuration of its package, then the same scripts that
    # configure any server.
    local etc=$lab/pbx/etc
    cp -r "$root/etc/asterisk/." "$etc/"
    write_asterisk_conf pbx
    mkdir -p "$etc/strowger.d/pjsip.d"
    write_stations "$(<"$lab/station.secret")" >"$etc/strowger.d/pjsip.d/stations.conf"
    make_certificate "$root" "/lab/pbx/tls"
    write_exchange_extras "$etc" "$lab/pbx/tls" "$(<"$lab/pbx/manager-lab.secret")"
    hand_over pbx
    chmod 0640 "$etc/strowger.d/pjsip.d/stations.conf" "$etc/strowger.d/manager.conf"

    cp "$root"/etc/asterisk/{acl,ccss,features,indications,udptl}.conf "$lab/carrier/etc/"
    write_asterisk_conf carrier
    write_carrier_config "$lab/carrier/etc" "$lab/carrier" "$stations" \
        "$(<"$lab/station.secret")" "$(<"$lab/carrier/manager.secret")"
    grep -qs PJSIPHangup "$(modules)"/chan_pjsip.so || refuse_by_cause "$lab/carrier/etc/extensions.conf"
    local sounds=$root/usr/share/asterisk/sounds/en_US_f_Allison
    cp "$sounds/demo-instruct.gsm" "$lab/carrier/speech/"
    cp "$sounds/silence/10.gsm" "$lab/carrier/quiet/"
    hand_over carrier

    # A start that fails leaves nothing behind.
    trap 'stop_instance pbx; stop_instance carrier' EXIT
    launch pbx
    launch carrier
    wait_booted pbx
    configure_pbx
    wait_booted carrier
    eventually 20 all_registered ||
        die "only $(registered_stations) of the phones registered; see $lab/pbx/log and $lab/carrier/log"
    trap - EXIT
    say "The lab runs: $(console pbx 'core show version' | cut -d ' ' -f 1-2), $(registered_stations) stations registered."
}

configure_pbx() {
    local log=$lab/pbx/log/configure.log
    {
        "$here/scripts/apply-asterisk-config.sh" --etc "$lab/pbx/etc" --asterisk "$(control pbx)" \
            --secret-file "$lab/pbx/manager.secret" --server pbx --sip-bind 127.0.0.1:5060 --agi-url "$agi_url" &&
            { [[ -e $lab/pbx/etc/strowger.d/pjsip.d/trunk-carrier.conf ]] ||
                "$here/scripts/add-site-trunk.sh" --etc "$lab/pbx/etc" --asterisk "$(control pbx)" carrier 127.0.0.2; }
    } >"$log" 2>&1 8>&- || {
        cat "$log" >&2
        die "the exchange could not be configured"
    }
}

stop() {
    [[ -e $root ]] || return 0
    need_root
    stop_instance pbx
    stop_instance carrier
    if [[ -r $root/proc/version ]]; then umount "$root/proc" || umount -l "$root/proc"; fi
    say "The lab is stopped."
}

restart_pbx() {
    local before now
    running_pid pbx >/dev/null || die "the exchange does not run"
    before=$(stat -c %Y.%i "$root/lab/pbx/run/asterisk.ctl")
    console pbx 'core restart now' >/dev/null || true
    restarted() { now=$(stat -c %Y.%i "$root/lab/pbx/run/asterisk.ctl" 2>/dev/null) && [[ $now != "$before" ]]; }
    eventually 30 restarted || die "the exchange did not restart"
    wait_booted pbx
    say "The exchange restarted."
}

status() {
    local name pid
    if [[ -e $root/.complete ]]; then say "root     $root ($(<"$root/.complete"))"; else say "root     not made"; fi
    for name in pbx carrier; do
        if pid=$(running_pid "$name"); then
            say "$(printf '%-8s process %s, %s' "$name" "$pid" "$(console "$name" 'core show channels count' | head -n 1)")"
        else
            say "$(printf '%-8s stopped' "$name")"
        fi
    done
    if running_pid pbx >/dev/null; then say "stations $(registered_stations) registered"; fi
}

paths() {
    cat <<PATHS
root=$root
pbx_etc=$lab/pbx/etc
pbx_spool=$lab/pbx/spool
pbx_log=$lab/pbx/log
pbx_cdr=$lab/pbx/log/cdr-csv/Master.csv
pbx_ami=127.0.0.1:5038
pbx_ami_user=strowger
pbx_ami_secret_file=$lab/pbx/manager.secret
pbx_ami_tls=127.0.0.1:5039
pbx_ami_tls_ca=$lab/pbx/tls/ami.pem
pbx_ami_lab_user=lab
pbx_ami_lab_secret_file=$lab/pbx/manager-lab.secret
carrier_spool=$lab/carrier/spool
carrier_log=$lab/carrier/log
carrier_cdr=$lab/carrier/log/cdr-csv/Master.csv
carrier_ami=127.0.0.2:5038
carrier_ami_user=lab
carrier_ami_secret_file=$lab/carrier/manager.secret
PATHS
}

[[ $command == root || $command == start ]] || root=$(started_root)

case $command in
    root)
        lock_lab
        make_root
        ;;
    start)
        while (($#)); do
            case $1 in
                --agi) need_value "$1" $#; agi_url=$2; shift 2 ;;
                *) die "start: unknown option $1" ;;
            esac
        done
        lock_lab
        start
        ;;
    stop)
        lock_lab
        stop
        ;;
    restart-pbx)
        need_root
        lock_lab
        restart_pbx
        ;;
    status)
        need_root
        status
        ;;
    rx)
        need_root
        [[ ${1:-} =~ ^(pbx|carrier)$ && $# -ge 2 ]] || die "rx takes pbx or carrier, then a command"
        running_pid "$1" >/dev/null || die "the $1 does not run"
        name=$1
        shift
        console "$name" "$*"
        ;;
    paths) paths ;;
    clean)
        lock_lab
        stop
        rm -rf --one-file-system "$lab/root/lab" "$lab/root-16/lab" "$lab/pbx" "$lab/carrier" "$lab/station.secret"
        ;;
    -h | --help | help) usage ;;
    "")
        usage >&2
        exit 2
        ;;
    *)
        usage >&2
        die "unknown command: $command"
        ;;
esac
