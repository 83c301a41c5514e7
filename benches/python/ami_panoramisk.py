"""panoramisk: one handler for every event."""

import asyncio
import json
import sys
import time

from panoramisk import Manager

count = 0
first = None


def on_event(manager, event):
    global count, first
    if first is None:
        first = time.monotonic()
    count += 1
    if event.event == "UserEvent" and event.userevent == "BenchEnd":
        ended = time.time_ns() // 1000
        elapsed = time.monotonic() - first
        print(json.dumps({"events": count, "elapsed_s": elapsed, "ended_at_us": ended}), flush=True)
        manager.close()
        manager.loop.stop()


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
manager = Manager(
    loop=loop, host="127.0.0.1", port=int(sys.argv[1]), username="bench", secret="bench"
)
manager.register_event("*", on_event)
manager.connect()
loop.run_forever()
