#!/usr/bin/env bash
# Records what the manager interface of a real Asterisk says: calls of every kind run in
# the lab while a session that reads all classes is written down. Needs root.
#
#   scripts/record-ami.sh [--events N] [--out FILE]
#
#   --events N   how many events at least (default 82000; some three minutes)
#   --out FILE   the recording, compressed with xz (default benches/data/ami-events.xz)
#
# The recording holds complete frames, each an event, byte for byte as they were sent but
# for the lab's directory, whose name is replaced. How many there are of each event is printed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
source "$here/scripts/lib/setup.sh"

events=82000
out=$here/benches/data/ami-events.xz
while (($#)); do
    case $1 in
        --events | --out) (($# >= 2)) || die "$1 needs a value" ;;&
        --events) events=$2; shift ;;
        --out) out=$2; shift ;;
        -h | --help) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
        *) die "unknown option: $1" ;;
    esac
    shift
done
[[ $events =~ ^[1-9][0-9]{0,7}$ ]] || die "--events: '$events' is not a number of events"
need_packages python3
mkdir -p "$(dirname "$out")"

lab() { "$here/scripts/lab-asterisk.sh" "$@"; }

lab stop >&2
lab start >&2
trap 'lab stop >&2' EXIT
etc=$(lab paths | sed -n 's/^pbx_etc=//p')

# Call records and channel events are sent to the manager interface too.
cat >>"$etc/cel.conf" <<'CONF'
[general](+)
enable = yes
apps = all
events = ALL
[manager](+)
enabled = yes
CONF
cat >"$etc/cdr_manager.conf" <<'CONF'
[general]
enabled = yes
CONF
cat >>"$etc/features.conf" <<'CONF'
[featuremap](+)
blindxfer = #1
atxfer = *2
CONF
cat >"$etc/strowger.d/extensions.d/record.conf" <<'CONF'
; A customer behind a Local channel, recorded.
[record-out]
exten => _[+0-9]!,1,Set(__RECORD_CASE=${EXTEN:-2})
 same => n,Set(CHANNEL(accountcode)=lab)
 same => n,MixMonitor(record-${UNIQUEID}.wav,b)
 same => n,Dial(PJSIP/${EXTEN}@carrier,8,tTg)
 same => n,NoOp(${DIALSTATUS} ${HANGUPCAUSE})
 same => n,Hangup()

[record-talk]
exten => s,1,Answer()
 same => n,Set(RECORD_NOTE="Zoé\, a \"quoted\" note")
 same => n,SendDTMF(1*#,100,50)
 same => n,MusicOnHold(default,1)
 same => n,Wait(${RAND(1,4)})
 same => n,Hangup()

; A transfer that is dialed needs digits.
exten => 500,1,Goto(s,1)

; An agent behind a Local channel, which takes itself out of the call.
[record-agent]
exten => _10XX,1,Dial(PJSIP/${EXTEN},20)
 same => n,Hangup()

[record-amd]
exten => s,1,AMD()
 same => n,UserEvent(RecordVerdict,Status: ${AMDSTATUS},Cause: ${AMDCAUSE},Empty: )
 same => n,Set(DEVICE_STATE(Custom:lamp)=${IF($["${AMDSTATUS}" = "HUMAN"]?INUSE:NOT_INUSE)})
 same => n,Playback(hello-world)
 same => n,Hangup()

; Two channels wait here to be bridged, transferred, parked, watched.
[record-wait]
exten => s,1,Answer()
 same => n,Wait(20)
 same => n,Hangup()

[record-room]
exten => s,1,Answer()
 same => n,ConfBridge(room)
 same => n,Hangup()

[record-spy]
exten => _X.,1,Answer()
 same => n,ChanSpy(PJSIP/${EXTEN},qE)
 same => n,Hangup()
CONF
chown -R --reference="$etc" "$etc"
for command in 'module reload cel' 'module reload cel_manager.so' 'module reload cdr_manager.so' \
    'module reload features' 'dialplan reload'; do
    lab rx pbx "$command" >/dev/null
done

say "Recording $events events"
python3 "$here/scripts/lib/record_ami.py" --events "$events" --out "$out" < <(lab paths)
say "Wrote $out ($(du -h "$out" | cut -f 1))"
