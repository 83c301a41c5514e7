# shellcheck shell=bash
# The other end of the lab's line: an Asterisk that plays the carrier on 127.0.0.2 and
# the agents' phones on 127.0.0.3.

# Asterisk 16 cannot name the SIP response of a refusal; these causes make it send 486, 403,
# 404 and 503, which mean the same to the exchange.
refuse_by_cause() { # FILE
    sed -i 's/PJSIPHangup(486)/Hangup(17)/; s/PJSIPHangup(603)/Hangup(21)/
        s/PJSIPHangup(404)/Hangup(1)/; s/PJSIPHangup(503)/Hangup(34)/' "$1"
}

# write_carrier_config ETC STATE STATIONS STATION_SECRET MANAGER_SECRET: a whole
# configuration in ETC, for an instance whose other directories are in STATE.
write_carrier_config() {
    local etc=$1 state=$2 stations=$3 station_secret=$4 manager_secret=$5 station module

    {
        printf '[modules]\nautoload = no\n'
        for module in res_pjproject pbx_config chan_pjsip res_pjsip res_pjsip_session res_pjsip_sdp_rtp res_rtp_asterisk \
            res_pjsip_authenticator_digest res_pjsip_caller_id res_pjsip_dtmf_info res_pjsip_rfc3326 res_pjsip_pubsub \
            res_pjsip_endpoint_identifier_ip res_pjsip_endpoint_identifier_user res_pjsip_outbound_authenticator_digest \
            res_pjsip_outbound_registration res_pjsip_nat res_pjsip_logger res_sorcery_config res_sorcery_memory \
            res_sorcery_astdb res_timing_timerfd codec_alaw codec_ulaw codec_gsm format_gsm format_wav format_pcm \
            app_dial app_echo app_playback app_senddtmf app_userevent app_verbose app_exec func_callerid func_channel \
            func_cut func_global func_logic func_rand func_strings bridge_simple bridge_softmix bridge_native_rtp \
            bridge_builtin_features res_musiconhold res_clioriginate cdr_csv; do
            printf 'load = %s.so\n' "$module"
        done
    } >"$etc/modules.conf"

    cat >"$etc/logger.conf" <<'CONF'
[general]
dateformat = %F %T.%3q
[logfiles]
messages.log => notice,warning,error
CONF

    cat >"$etc/cdr.conf" <<'CONF'
[general]
enable = yes
unanswered = yes
congestion = yes
[csv]
usegmtime = yes
loguniqueid = yes
loguserfield = yes
CONF

    # Away from the range of the exchange, 10000 to 20000.
    cat >"$etc/rtp.conf" <<'CONF'
[general]
rtpstart = 30000
rtpend = 39999
icesupport = no
CONF

    # What a speaking caller says, for as long as the plan wants.
    cat >"$etc/musiconhold.conf" <<CONF
[speech]
mode = files
directory = $state/speech
[quiet]
mode = files
directory = $state/quiet
CONF

    cat >"$etc/manager.conf" <<CONF
[general]
enabled = yes
bindaddr = 127.0.0.2
port = 5038

[lab]
secret = $manager_secret
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.0/255.0.0.0
read = system,call,user,reporting,dtmf
write = system,call,originate,reporting,command
writetimeout = 5000
CONF

    {
        cat <<'CONF'
[carrier]
type = transport
protocol = udp
bind = 127.0.0.2:5060

[phones]
type = transport
protocol = udp
bind = 127.0.0.3:5060

; A call for a phone carries the token of its registration, which is looked at before
; the address: the exchange calls both ends from the same one.
[pbx]
type = endpoint
transport = carrier
context = numbers
disallow = all
allow = alaw,ulaw
direct_media = no
aors = pbx
send_pai = yes
trust_id_outbound = yes

[pbx]
type = aor
contact = sip:127.0.0.1:5060

[pbx]
type = identify
endpoint = pbx
match = 127.0.0.1
CONF
        for station in $stations; do
            cat <<CONF

[phone-$station]
type = endpoint
transport = phones
context = phone
disallow = all
allow = alaw,ulaw
direct_media = no
from_user = $station
outbound_auth = phone-$station
aors = phone-$station

[phone-$station]
type = auth
auth_type = userpass
username = $station
password = $station_secret

[phone-$station]
type = aor
contact = sip:127.0.0.1:5060

[phone-$station]
type = registration
transport = phones
outbound_auth = phone-$station
server_uri = sip:127.0.0.1:5060
client_uri = sip:$station@127.0.0.1
contact_user = $station
line = yes
endpoint = phone-$station
expiration = 120
retry_interval = 1
max_random_initial_delay = 1
forbidden_retry_interval = 1
fatal_retry_interval = 1
max_retries = 1000000
CONF
        done
    } >"$etc/pjsip.conf"

    cat >"$etc/extensions.conf" <<'CONF'
[globals]
; How the phones answer, changed while running:
;   dialplan set global PHONE_1003 busy      (answer, busy, reject or ring)
;   dialplan set global PHONE_RINGS 5        (seconds before they answer)
PHONE_RINGS = 0.2
; Whether there is a line for anybody: dialplan set global CARRIER_DOWN 1
CARRIER_DOWN = 0

; --- Called numbers -----------------------------------------------------------------
; The last but one digit says how the called party behaves.
[numbers]
; The account code brings the number into the call record: its destination is s.
exten => _[+0-9]!,1,Set(CHANNEL(accountcode)=${EXTEN})
 same => n,GotoIf($["${CARRIER_DOWN}" = "1"]?behaviour-6,s,1)
 same => n,Goto(behaviour-${EXTEN:-2:1},s,1)

; 0: a person: rings, answers, greets, listens, hangs up.
[behaviour-0]
exten => s,1,Ringing()
 same => n,Wait(1)
 same => n,Answer(,i)
 same => n,Wait(0.3)
 same => n,Playback(hello)
 same => n,Playback(silence/${RAND(6,10)})
 same => n,Hangup()

; 1: an answering machine: a long greeting, a beep, then it records.
[behaviour-1]
exten => s,1,Ringing()
 same => n,Wait(1)
 same => n,Answer(,i)
 same => n,Wait(0.3)
 same => n,Playback(tt-allbusy&vm-intro&beep)
 same => n,Playback(silence/10&silence/10&silence/10)
 same => n,Hangup()

; 2: busy.
[behaviour-2]
exten => s,1,Wait(0.2)
 same => n,PJSIPHangup(486)

; 3: rings until the caller gives up.
[behaviour-3]
exten => s,1,Ringing()
 same => n(ring),Wait(600)
 same => n,Goto(ring)

; 4: rejected.
[behaviour-4]
exten => s,1,Ringing()
 same => n,Wait(0.5)
 same => n,PJSIPHangup(603)

; 5: unallocated.
[behaviour-5]
exten => s,1,Wait(0.2)
 same => n,PJSIPHangup(404)

; 6: the network is congested.
[behaviour-6]
exten => s,1,Wait(0.2)
 same => n,PJSIPHangup(503)

; 7: a person who greets, pauses, then talks for 20 seconds and hangs up.
[behaviour-7]
exten => s,1,Ringing()
 same => n,Wait(1)
 same => n,Answer(,i)
 same => n,Wait(0.3)
 same => n,Playback(hello)
 same => n,Playback(silence/2)
 same => n,StartMusicOnHold(speech)
 same => n,Wait(20)
 same => n,Hangup()

; 8: a person who hangs up at once.
[behaviour-8]
exten => s,1,Ringing()
 same => n,Wait(1)
 same => n,Answer(,i)
 same => n,Wait(0.3)
 same => n,Hangup()

; 9: a person who greets and stays until the other side hangs up.
[behaviour-9]
exten => s,1,Ringing()
 same => n,Wait(1)
 same => n,Answer(,i)
 same => n,Wait(0.3)
 same => n,Playback(hello)
 same => n(stay),Playback(silence/10)
 same => n,Goto(stay)

; --- Phones of the agents -------------------------------------------------------------
; Answer by themselves and send back what they hear.
[phone]
exten => _X.,1,Goto(phone-${IF($["${GLOBAL(PHONE_${EXTEN})}" = ""]?answer:${GLOBAL(PHONE_${EXTEN})})},s,1)

[phone-answer]
exten => s,1,Ringing()
 same => n,Wait(${PHONE_RINGS})
 same => n,Answer(,i)
 same => n(talk),Echo()
 same => n,Goto(talk)

[phone-busy]
exten => s,1,PJSIPHangup(486)

[phone-reject]
exten => s,1,Ringing()
 same => n,Wait(0.5)
 same => n,PJSIPHangup(603)

[phone-ring]
exten => s,1,Ringing()
 same => n(ring),Wait(600)
 same => n,Goto(ring)

; --- Callers --------------------------------------------------------------------------
; Originate PJSIP/<number>@pbx into one of these. CALLER_PLAN is a list of steps with
; dashes between them:
;   W<seconds> listen    D<digits> press keys    S<seconds> speak    H hang up
; At its end the caller stays for CALLER_STAY seconds (60 by default).
[caller-plan]
exten => s,1,Set(CALLER_STAY=${IF($["${CALLER_STAY}" = ""]?60:${CALLER_STAY})})
 same => n(next),GotoIf($["${CALLER_PLAN}" = ""]?stay)
 same => n,Set(STEP=${SHIFT(CALLER_PLAN,-)})
 same => n,Goto(step-${STEP:0:1},1)
 same => n(stay),Set(STEP=W${CALLER_STAY})
 same => n,Set(CALLER_PLAN=H)
 same => n,Goto(step-W,1)

; Silence is sent, as a phone does: detection of silence needs packets.
exten => step-W,1,StartMusicOnHold(quiet)
 same => n,Wait(${STEP:1})
 same => n,StopMusicOnHold()
 same => n,Goto(s,next)

exten => step-D,1,SendDTMF(${STEP:1},200,100)
 same => n,Goto(s,next)

exten => step-S,1,StartMusicOnHold(speech)
 same => n,Wait(${STEP:1})
 same => n,StopMusicOnHold()
 same => n,Goto(s,next)

exten => step-H,1,Hangup()

; A step that is none of these ends the call, so that a mistyped plan shows.
exten => _step-.,1,Hangup(127)

[caller-press-1]
exten => s,1,Set(CALLER_PLAN=W2-D1)
 same => n,Goto(caller-plan,s,1)

[caller-wrong-then-right]
exten => s,1,Set(CALLER_PLAN=W2-D9-W5-D1)
 same => n,Goto(caller-plan,s,1)

[caller-silent]
exten => s,1,Set(CALLER_PLAN=)
 same => n,Goto(caller-plan,s,1)

[caller-voicemail]
exten => s,1,Set(CALLER_PLAN=W3-S5-W1-H)
 same => n,Goto(caller-plan,s,1)
CONF
}
