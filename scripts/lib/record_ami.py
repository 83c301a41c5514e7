"""The calls of scripts/record-ami.sh, and the session that writes down what is said of them.

Reads the output of `lab-asterisk.sh paths` on standard input. Needs nothing but Python 3.
"""

import argparse
import collections
import hashlib
import itertools
import lzma
import os
import random
import re
import socket
import sys
import threading
import time

END = b"\r\n\r\n"
# Stands for the lab's directory, which is in the paths of recordings.
NEUTRAL_DIRECTORY = b"/var/lib/strowger-lab"
# What the carrier does with a number, by its last two digits; people are the most frequent.
BEHAVIOURS = ["00", "00", "00", "70", "90", "10", "20", "30", "40", "50", "60", "80"]
CALLS_PER_SECOND = 9


class Session:
    """A manager session: actions with their responses, and where channels are."""

    def __init__(self, address, user, secret):
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)))
        self.changed = threading.Condition()
        self.numbers = itertools.count()
        self.responses = {}
        self.channels = {}
        self.up = set()
        threading.Thread(target=self.read, daemon=True).start()
        answer = self.action("Login", Username=user, Secret=secret)
        if answer.get("Response") != "Success":
            sys.exit(f"error: {address} refused {user}: {answer.get('Message')}")

    def action(self, name, *variables, **headers):
        """Sends an action and returns its response."""
        number = f"record-{next(self.numbers)}"
        lines = [f"Action: {name}", f"ActionID: {number}"]
        lines += [f"{key}: {value}" for key, value in headers.items()]
        lines += [f"Variable: {variable}" for variable in variables]
        with self.changed:
            self.socket.sendall("\r\n".join(lines + ["", ""]).encode())
            self.changed.wait_for(lambda: number in self.responses, 20)
            return self.responses.pop(number, {})

    def read(self):
        buffer = b""
        while chunk := self.socket.recv(65536):
            *frames, buffer = (buffer + chunk).split(END)
            with self.changed:
                for frame in frames:
                    self.take(frame.decode(errors="replace").split("\r\n"))
                self.changed.notify_all()

    def take(self, lines):
        fields = dict(line.split(": ", 1) for line in lines if ": " in line)
        if any(line.startswith("Response: ") for line in lines[:2]):
            self.responses[fields.get("ActionID", "")] = fields
        elif fields.get("Event") in ("Newchannel", "Newstate", "Rename"):
            self.channels[fields["Uniqueid"]] = fields.get("Newname", fields["Channel"])
            if fields.get("ChannelState") == "6":
                self.up.add(fields["Uniqueid"])
        elif fields.get("Event") == "Hangup":
            self.channels.pop(fields["Uniqueid"], None)
            self.up.discard(fields["Uniqueid"])

    def answered(self, call, seconds=8):
        """The name of the channel of a call once it is up; None if it does not come up."""
        with self.changed:
            self.changed.wait_for(lambda: call in self.up, seconds)
            return self.channels.get(call) if call in self.up else None

    def busy(self):
        with self.changed:
            return len(self.channels)


class Recorder(threading.Thread):
    """A session that only listens; what it hears is kept as it came."""

    def __init__(self, address, user, secret):
        super().__init__(daemon=True)
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)))
        login = f"Action: Login\r\nUsername: {user}\r\nSecret: {secret}\r\n\r\n"
        self.socket.sendall(login.encode())
        self.chunks = []
        self.frames = 0

    def run(self):
        while chunk := self.socket.recv(1 << 20):
            self.chunks.append(chunk)
            self.frames += chunk.count(END)

    def events(self):
        """The complete frames that are events; the banner goes with the first response."""
        frames = b"".join(self.chunks).split(END)[:-1]
        return [frame + END for frame in frames if frame.startswith(b"Event:")]


class Calls:
    """The kinds of call. Each runs in a thread of its own and ends by itself."""

    def __init__(self, exchange, carrier):
        self.exchange, self.carrier = exchange, carrier
        self.numbers = itertools.count(1)
        self.random = random.Random(16)
        self.members = [f"Local/{station}@record-agent" for station in (1001, 1002, 1003)]
        self.members += [f"PJSIP/{station}" for station in range(1004, 1011)]
        self.kinds = {
            self.through_local: 40, self.direct: 22, self.queued: 22, self.station: 5,
            self.blind_transfer: 2, self.attended_transfer: 2, self.bridge: 2, self.park: 1,
            self.conference: 1, self.spy: 1, self.agi: 1, self.inbound: 1, self.markers: 2,
            self.refused_login: 1, self.housekeeping: 1,
        }

    def one(self):
        kind, = self.random.choices(list(self.kinds), list(self.kinds.values()))
        threading.Thread(target=kind, args=(next(self.numbers),), daemon=True).start()

    def number(self, call, behaviour=None):
        return f"+3363998{call % 100:02}{behaviour or self.random.choice(BEHAVIOURS)}"

    def originate(self, call, channel, context, exten="s", *variables, leg="a"):
        name = f"rec-{call}-{leg}"
        self.exchange.action(
            "Originate", f"RECORD_CALL={call}", "__RECORD_LIST=Zoé & fils", "TIMEOUT(absolute)=25", *variables,
            Channel=channel, Context=context, Exten=exten, Priority=1, Timeout=9000, Async="true",
            CallerID=f'"Contact {call % 100}" <+33199000100>', Account="lab",
            ChannelId=name, OtherChannelId=f"{name}-2")
        return name

    def hang_up(self, channel, cause=16):
        if channel:
            self.exchange.action("Hangup", Channel=channel, Cause=cause)

    def through_local(self, call):
        mode = "/n" if call % 4 else ""
        self.originate(call, f"Local/{self.number(call)}@record-out{mode}", "record-talk")

    def direct(self, call):
        self.originate(call, f"PJSIP/{self.number(call)}@carrier", "record-amd")

    def queued(self, call):
        behaviour = self.random.choice(["00", "70", "90"])
        leg = self.originate(call, f"PJSIP/{self.number(call, behaviour)}@carrier", "lab-queue")
        channel = self.exchange.answered(leg)
        time.sleep(self.random.choice([0.2, 2, 4, 6]))
        self.hang_up(channel)

    def station(self, call):
        other = 1011 + call % 5
        leg = self.originate(call, f"PJSIP/{1016 + call % 4}", "strowger-from-agents", str(other))
        channel = self.exchange.answered(leg)
        time.sleep(3)
        self.hang_up(channel)

    def pair(self, call):
        """Two people in a conversation that the caller's side may transfer."""
        leg = self.originate(call, f"PJSIP/{1011 + call % 5}", "record-out", self.number(call, "90"))
        channel = self.exchange.answered(leg)
        time.sleep(2)
        return channel

    def blind_transfer(self, call):
        channel = self.pair(call)
        if channel:
            self.exchange.action("BlindTransfer", Channel=channel, Context="record-talk", Exten="s")

    def attended_transfer(self, call):
        channel = self.pair(call)
        if channel:
            self.exchange.action("Atxfer", Channel=channel, Context="record-talk", Exten="500")
            time.sleep(3)
            self.hang_up(channel)

    def bridge(self, call):
        legs = [self.originate(call, f"PJSIP/{self.number(call, '90')}@carrier", "record-wait", leg=leg)
                for leg in "ab"]
        one, two = map(self.exchange.answered, legs)
        if one and two:
            self.exchange.action("Bridge", Channel1=one, Channel2=two, Tone="no")
            self.exchange.action("MixMonitor", Channel=one, File=f"bridge-{call}.wav")
            self.exchange.action("PlayDTMF", Channel=one, Digit="5", Duration=100, Receive="true")
            time.sleep(1)
            self.exchange.action("MixMonitorMute", Channel=one, Direction="read", State="1")
            time.sleep(1)
            self.exchange.action("Redirect", Channel=two, Context="record-talk", Exten="s", Priority=1)
            self.hang_up(one, 19)

    def park(self, call):
        channel = self.pair(call)
        if channel:
            self.exchange.action("Park", Channel=channel, Timeout=2000)
            time.sleep(1)
            self.hang_up(channel)

    def conference(self, call):
        legs = [self.originate(call, f"PJSIP/{self.number(call, '00')}@carrier", "record-room", leg=leg)
                for leg in "ab"]
        channels = list(map(self.exchange.answered, legs))
        time.sleep(2)
        for channel in channels:
            self.hang_up(channel)

    def spy(self, call):
        channel = self.pair(call)
        if channel:
            watched = channel.removeprefix("PJSIP/").split("-")[0]
            spy = self.originate(call, "PJSIP/1020", "record-spy", watched, leg="spy")
            spy = self.exchange.answered(spy)
            time.sleep(2)
            self.hang_up(channel)
            self.hang_up(spy)

    def agi(self, call):
        leg = self.originate(call, "Local/async@lab-agi/n", "record-wait", leg="agi")
        self.exchange.answered(leg)
        time.sleep(0.5)
        with self.exchange.changed:
            channel = self.exchange.channels.get(f"{leg}-2")
        if channel:
            for command in ("ANSWER", 'EXEC NoOp "one, two"', "GET VARIABLE RECORD_LIST", "ASYNCAGI BREAK"):
                self.exchange.action("AGI", Channel=channel, Command=command, CommandID=f"{call}")
                time.sleep(0.1)
        self.originate(call, "Local/fast@lab-agi/n", "record-wait", leg="fast")

    def inbound(self, call):
        self.carrier.action(
            "Originate", Channel=f"PJSIP/+3319900{call % 10000:04}@pbx", Context="caller-press-1",
            Exten="s", Priority=1, Async="true", CallerID=f"<+3363998{call % 10000:04}>")

    def markers(self, call):
        self.exchange.action("UserEvent", UserEvent="RecordMarker", Call=call, Note="Ünïcode: a, b; c", Empty="")
        self.exchange.action("Setvar", Variable="RECORD_MARK", Value=f"mark {call}")
        self.exchange.action("PresenceState", Provider="CustomPresence:lab")

    def refused_login(self, call):
        with socket.create_connection(("127.0.0.1", 5038)) as client:
            client.sendall(b"Action: Login\r\nUsername: lab\r\nSecret: none-of-the-lab\r\n\r\n")
            client.settimeout(3)
            while client.recv(4096):
                pass

    def housekeeping(self, call):
        agent = self.members[call % 10]
        for paused in ("true", "false"):
            self.exchange.action("QueuePause", Queue="lab-queue", Interface=agent, Paused=paused, Reason="coffee")
            time.sleep(1)
        self.exchange.action("QueuePenalty", Queue="lab-queue", Interface=agent, Penalty=call % 3)
        self.exchange.action("Reload", Module="cdr_manager.so")
        self.exchange.action("PJSIPQualify", Endpoint="carrier")

    def agents(self):
        """Ten members; three of their phones do not answer as a phone should."""
        for member, interface in enumerate(self.members, 1):
            self.exchange.action(
                "QueueAdd", Queue="lab-queue", Interface=interface, MemberName=f"Agent {member}", Penalty=0)
        for station, how in ((1008, "reject"), (1009, "busy"), (1010, "ring")):
            self.carrier.action("Setvar", Variable=f"PHONE_{station}", Value=how)

    def dismiss(self):
        for interface in self.members:
            self.exchange.action("QueueRemove", Queue="lab-queue", Interface=interface)


def record(paths, secret_of, events):
    recorder = Recorder(paths["pbx_ami"], paths["pbx_ami_lab_user"], secret_of("pbx_ami_lab"))
    recorder.start()
    exchange = Session(paths["pbx_ami"], paths["pbx_ami_lab_user"], secret_of("pbx_ami_lab"))
    carrier = Session(paths["carrier_ami"], paths["carrier_ami_user"], secret_of("carrier_ami"))
    calls = Calls(exchange, carrier)
    calls.agents()
    began = time.monotonic()
    while recorder.frames < events:
        calls.one()
        time.sleep(1 / CALLS_PER_SECOND)
        if time.monotonic() - began > 30 + events / 100:
            sys.exit(f"error: only {recorder.frames} events in {time.monotonic() - began:.0f} s; see the lab's logs")
    deadline = time.monotonic() + 40
    while exchange.busy() and time.monotonic() < deadline:
        time.sleep(0.5)
    calls.dismiss()
    time.sleep(1)
    return recorder.events()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    paths = dict(line.rstrip("\n").split("=", 1) for line in sys.stdin)
    home = os.path.dirname(paths["root"])

    def secret_of(name):
        with open(paths[f"{name}_secret_file"]) as file:
            return file.read().strip()

    frames = record(paths, secret_of, options.events)
    data = b"".join(frames).replace(home.encode(), NEUTRAL_DIRECTORY)
    with open(os.path.join(home, "station.secret")) as file:
        secrets = {"stations": file.read().strip()}
    secrets |= {name: secret_of(name) for name in ("pbx_ami", "pbx_ami_lab", "carrier_ami")}
    secrets |= {f"{name}, hashed": hashlib.md5(secret.encode()).hexdigest() for name, secret in secrets.items()}
    for name, secret in secrets.items():
        if secret.encode() in data:
            sys.exit(f"error: the recording holds a secret ({name}) and was not kept")
    # As a whole word: the name may be as short as a part of a sound file's.
    host = re.search(rb".*(?<![\w-])%b(?![\w-]).*" % re.escape(socket.gethostname().encode()), data)
    if host:
        sys.exit(f"error: the recording names this machine and was not kept: {host[0].decode(errors='replace')}")
    with lzma.open(options.out, "wb", preset=9 | lzma.PRESET_EXTREME) as file:
        file.write(data)
    counts = collections.Counter(frame[7:frame.index(b"\r\n")].strip().decode() for frame in frames)
    for name, count in counts.most_common():
        print(f"{count:7} {name}")
    print(f"{len(frames):7} events, {len(data)} bytes")


main()
