#!/usr/bin/env bash
# Adds the SIP trunk of a site, or of a carrier, to an Asterisk server that
# apply-asterisk-config.sh has configured: checks every argument, writes one file,
# reloads, verifies, and takes it back if Asterisk does not accept it.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: add-site-trunk.sh [option...] SITE-ID HOST[:PORT] [HOST[:PORT]...]
       add-site-trunk.sh [option...] --remove SITE-ID

Adds the trunk SITE-ID; numbers are dialed through it as PJSIP/<number>@SITE-ID.
Calls are sent to the first HOST that answers, and accepted from all of them.

  --match ADDRESS       accept calls from this address or network too (192.0.2.0/28);
                        may be given several times. Needed when HOST is a name.
  --codecs LIST         codecs in order of preference (default alaw,ulaw)
  --register USER       register at HOST as USER, with the password of --password-file
  --password-file FILE  file with that password on its first line
  --remove              remove the trunk
  --etc DIR             Asterisk's configuration directory (default /etc/asterisk)
  --asterisk CMD        command that reaches the running Asterisk, without -rx
  --dry-run             show what would be written, change nothing
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/asterisk.sh
source "$here/scripts/lib/asterisk.sh"

ETC=/etc/asterisk
ASTERISK=
codecs=alaw,ulaw
user=
password_file=
remove=0
dry_run=0
matches=()
arguments=()

while (($#)); do
    case $1 in
        --match) need_value "$1" $#; matches+=("$2"); shift ;;
        --codecs) need_value "$1" $#; codecs=$2; shift ;;
        --register) need_value "$1" $#; user=$2; shift ;;
        --password-file) need_value "$1" $#; password_file=$2; shift ;;
        --remove) remove=1 ;;
        --etc) need_value "$1" $#; ETC=$2; shift ;;
        --asterisk) need_value "$1" $#; ASTERISK=$2; shift ;;
        --dry-run) dry_run=1 ;;
        -h | --help) usage; exit 0 ;;
        -*) usage >&2; die "unknown option: $1" ;;
        *) arguments+=("$1") ;;
    esac
    shift
done

((${#arguments[@]} >= 1)) || { usage >&2; die "which site? Give its id"; }
site=${arguments[0]}
hosts=("${arguments[@]:1}")

is_name "$site" || die "'$site' cannot be a site id: letters, digits, dashes and underscores, 64 at most"
[[ $site != strowger-* ]] || die "names that begin with strowger- are reserved"
[[ -d $ETC/strowger.d ]] || die "$ETC has no strowger.d: run apply-asterisk-config.sh first"
[[ -w $ETC/strowger.d ]] || die "$ETC is not writable: run this as root"
ETC=$(cd "$ETC" && pwd)
ASTERISK=${ASTERISK:-asterisk -C $ETC/asterisk.conf}
asterisk_answers || die "Asterisk does not answer on its console ($ASTERISK -rx ...): start it, or name another command with --asterisk"

file=strowger.d/pjsip.d/trunk-$site.conf
gone() { ! endpoint_known "$site"; }

if ((remove)); then
    ((${#hosts[@]} == 0)) || die "--remove takes the site id only"
    [[ -e $ETC/$file ]] || die "there is no trunk $site that this script made ($ETC/$file)"
    if ((dry_run)); then say "Would remove $ETC/$file"; exit 0; fi
    changes_begin
    CHANGED=("$file")
    back_up
    rm -f "$ETC/$file"
    reload_for "$file"
    eventually 10 gone || die "Asterisk still has the trunk $site"
    changes_keep
    say "Removed the trunk $site."
    exit 0
fi

((${#hosts[@]} >= 1)) || die "where does the trunk of $site lead? Give an address or a host name"
contacts=()
for host in "${hosts[@]}"; do
    address=$host
    port=
    if [[ $host =~ ^(\[[0-9A-Fa-f:]+\]|[^:]+):([0-9]+)$ ]]; then
        address=${BASH_REMATCH[1]}
        port=${BASH_REMATCH[2]}
        is_port "$port" || die "'$host': $port is not a port"
    fi
    if is_ipv4 "$address"; then
        matches+=("$address")
    elif is_ipv6 "$address"; then
        address=[${address//[][]/}]
        matches+=("${address//[][]/}")
    elif ! is_hostname "$address"; then
        die "'$host' is neither an address nor a host name"
    fi
    contacts+=("sip:$address${port:+:$port}")
done
[[ $codecs =~ ^[a-z0-9]+(,[a-z0-9]+)*$ ]] || die "--codecs: '$codecs' is not a list such as alaw,ulaw"
for match in "${matches[@]}"; do
    is_network "$match" || die "--match: '$match' is not an address or a network (of at least 8 bits)"
done

password=
if [[ -n $user ]]; then
    [[ $user =~ ^[A-Za-z0-9._+@-]{1,64}$ ]] || die "--register: '$user' cannot be a user name"
    [[ -n $password_file ]] || die "--register needs --password-file"
    [[ -r $password_file ]] || die "$password_file cannot be read"
    IFS= read -r password <"$password_file" || [[ -n $password ]] || die "$password_file is empty"
    # A carrier's password is not ours to choose; only what would break out of its line is refused.
    [[ $password =~ ^[[:graph:]]{1,128}$ && $password != *[\;\\\"]* && $password != \#* ]] ||
        die "the password in $password_file has a blank, quote, backslash or semicolon, or is too long"
elif [[ -n $password_file ]]; then
    die "--password-file is for --register"
fi
((${#matches[@]})) || [[ -n $user ]] ||
    die "calls from $site could come from anywhere: give the addresses they come from with --match"

trunk() {
    local contact match list
    echo "; Trunk of $site. Written by add-site-trunk.sh; remove it with --remove."
    echo
    echo "[$site](strowger-trunk)"
    echo "aors = $site"
    echo "allow = !all,$codecs"
    if [[ -n $user ]]; then
        echo "outbound_auth = $site"
        echo "from_user = $user"
    fi
    echo
    echo "[$site](strowger-trunk-aor)"
    for contact in "${contacts[@]}"; do echo "contact = $contact"; done
    if ((${#matches[@]})); then
        printf -v list '%s,' "${matches[@]}"
        echo
        echo "[$site](strowger-trunk-identify)"
        echo "endpoint = $site"
        echo "match = ${list%,}"
    fi
    if [[ -n $user ]]; then
        cat <<CONF

[$site](strowger-trunk-auth)
username = $user
password = $password

[$site](strowger-trunk-registration)
outbound_auth = $site
endpoint = $site
server_uri = ${contacts[0]}
client_uri = sip:${user%%@*}@${contacts[0]#sip:}
contact_user = s
CONF
    fi
}

changes_begin
[[ ! -e $ETC/$file ]] || die "the site $site has a trunk already ($ETC/$file); --remove it first"
! endpoint_known "$site" || die "Asterisk has an endpoint named $site already"
for match in "${matches[@]}"; do
    # Two trunks with the same address: Asterisk would take calls of one for the other's.
    taken=$(grep -lE "^match = (.*,)?${match//./\\.}(,|\$)" "$ETC"/strowger.d/{pjsip.d,daemon}/*.conf 2>/dev/null | head -n 1) || true
    [[ -z $taken ]] || die "calls from $match belong to another trunk already ($taken)"
done

stage "$file" < <(trunk)
lint "$STAGE/$file" "$file" || die "nothing was changed"
if ((dry_run)); then
    sed 's/^password = .*/password = (not shown)/' "$STAGE/$file"
    exit 0
fi
compute_changes
commit
reload_for "$file"
eventually 10 endpoint_known "$site" || die "Asterisk did not take the trunk $site; its log says why"
if ((${#matches[@]})); then
    identified() { shows "Identify: +$site/$site( |\$)" 'pjsip show identifies'; }
    eventually 5 identified || die "Asterisk did not take the addresses of $site; its log says why"
fi
complaints=$(log_complaints)
[[ -z $complaints ]] || die "Asterisk complains about the trunk $site:
$complaints"
changes_keep
say "Added the trunk $site: dial PJSIP/<number>@$site."
