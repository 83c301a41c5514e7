"""asterisk-ami: an event listener, called in the client's own thread."""

import json
import sys
import threading
import time

from asterisk.ami import AMIClient

count = 0
first = None
finished = threading.Event()


def on_event(event, **kwargs):
    global count, first
    if first is None:
        first = time.monotonic()
    count += 1
    if event.name == "UserEvent" and event.keys.get("UserEvent") == "BenchEnd":
        ended = time.time_ns() // 1000
        elapsed = time.monotonic() - first
        print(json.dumps({"events": count, "elapsed_s": elapsed, "ended_at_us": ended}), flush=True)
        finished.set()


# Its default of 1 kB per read is some 5 % slower.
client = AMIClient(address="127.0.0.1", port=int(sys.argv[1]), buffer_size=16384)
client.add_event_listener(on_event)
client.login(username="bench", secret="bench")
finished.wait()
client.disconnect()
