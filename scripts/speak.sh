#!/usr/bin/env bash
# Speaks a text for asterisk.speech.command: reads it from standard input and writes a WAV
# file as Asterisk plays it (8 kHz, mono, 16 bit) to the path given as last argument.
#   speak.sh [VOICE] FILE      VOICE as espeak-ng names it, such as fr or en-gb (default fr)
# Needs the packages espeak-ng and sox.
set -euo pipefail
voice=fr
if (($# == 2)); then
    voice=$1
    shift
fi
[[ $# == 1 && $voice =~ ^[a-z0-9+_-]+$ ]] || { echo "usage: speak.sh [VOICE] FILE" >&2; exit 2; }
espeak-ng -v "$voice" -s 150 --stdin --stdout | sox -q -t wav - -t wav -r 8000 -c 1 -b 16 "$1"
