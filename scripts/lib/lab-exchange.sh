# shellcheck shell=bash
# What the lab's exchange has beyond the configuration of any server: a manager account
# that sees everything, the manager interface over TLS, and a dialplan and a queue for
# tests of the protocols.

# write_exchange_extras ETC TLS MANAGER_SECRET: adds them to the configuration in ETC; TLS
# is the directory of make_certificate.
write_exchange_extras() {
    local etc=$1 tls=$2 manager_secret=$3
    mkdir -p "$etc/strowger.d/extensions.d"

    cat >"$etc/strowger.d/manager.conf" <<CONF
; The lab's: read after the account of the daemon.
[general](+)
tlsenable = yes
tlsbindaddr = 127.0.0.1:5039
tlscertfile = $tls/ami.pem
tlsprivatekey = $tls/ami.key

[lab]
secret = $manager_secret
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = all
write = all
writetimeout = 60000
CONF

    cat >"$etc/strowger.d/extensions.d/lab.conf" <<'CONF'
; The lab's: reached as Local/<extension>@<context>/n.
[lab-agi]
exten => fast,1,Answer()
 same => n,AGI(agi://127.0.0.1:4574/protocol?case=${CASE})
 same => n,Hangup()
exten => async,1,Answer()
 same => n,AGI(agi:async)
 same => n,Hangup()
exten => echo,1,Answer()
 same => n,Echo()
 same => n,Hangup()
exten => wait,1,Answer()
 same => n,Wait(30)
 same => n,Hangup()

exten => stay,1,Answer()
 same => n,Wait(600)
 same => n,Hangup()
; Any script, and what the dialplan is told of its end.
exten => url,1,Answer()
 same => n,AGI(${URL})
 same => n(told),UserEvent(AgiEnd,Case: ${CASE},Status: ${AGISTATUS})
 same => n,Hangup()
 same => n(moved),UserEvent(AgiMoved,Case: ${CASE})
 same => n,Hangup()
exten => held,1,Answer()
 same => n,AGI(agi:async)
 same => n,UserEvent(AgiEnd,Case: ${CASE},Status: ${AGISTATUS})
 same => n,Hangup()
exten => sub,1,Return(${ARG1}+${ARG2})

; The script runs when the channel is hung up already.
[lab-agi-dead]
exten => s,1,Answer()
 same => n,Hangup()
exten => h,1,AGI(${URL})

; A conversation with the carrier whose parties may transfer.
[lab-out]
exten => _[+0-9]!,1,Dial(PJSIP/${EXTEN}@carrier,20,tTg)
 same => n,Hangup()
exten => 500,1,Answer()
 same => n,Wait(20)
 same => n,Hangup()

[lab-queue]
exten => s,1,Answer()
 same => n,Queue(lab-queue,,,,30)
 same => n,Hangup()
CONF

    # These listen on every address, one of them on the port of the carrier.
    local module
    {
        printf '\n[modules](+)\n'
        for module in chan_sip chan_iax2 chan_mgcp chan_skinny chan_unistim pbx_dundi; do
            printf 'noload = %s.so\n' "$module"
        done
    } >>"$etc/modules.conf"

    # Members come and go with QueueAdd and QueueRemove.
    cat >>"$etc/queues.conf" <<'CONF'

[lab-queue]
strategy = rrmemory
timeout = 5
retry = 1
joinempty = yes
ringinuse = no
setqueuevar = yes
CONF

    # Call records as events, and what an attended transfer is asked for by.
    cat >"$etc/cdr_manager.conf" <<'CONF'
[general]
enabled = yes
CONF
    cat >>"$etc/features.conf" <<'CONF'

[featuremap](+)
atxfer = *2
CONF
}

# make_certificate ROOT TLS: a certificate of its own for the manager interface and its
# key, in TLS inside ROOT, made once. It says that it is no authority: clients that trust
# exactly this one accept it, and some refuse a server that shows an authority's.
make_certificate() {
    local root=$1 tls=$2 made=$1$2
    [[ -s $made/ami.pem ]] && return
    mkdir -p "$made"
    cat >"$made/request.conf" <<'CONF'
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = Strowger lab
[extensions]
subjectAltName = IP:127.0.0.1, DNS:localhost
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
CONF
    (umask 077 && chroot "$root" openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -days 3650 -config "$tls/request.conf" -keyout "$tls/ami.key" -out "$tls/ami.pem.new") 2>"$made/openssl.log" ||
        die "openssl could not make a certificate; $made/openssl.log says why"
    chmod 0644 "$made/ami.pem.new"
    mv "$made/ami.pem.new" "$made/ami.pem"
}
