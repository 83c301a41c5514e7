"""panoramisk: a FastAGI application with 20 commands."""

import asyncio
import json
import sys

from panoramisk import fast_agi


async def session(request):
    for _ in range(20):
        answer = await request.send_command("GET VARIABLE STROWGER_CALL")
        if answer["result"][1] != "value":
            raise RuntimeError(f"unexpected answer {answer}")


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
application = fast_agi.Application(loop=loop)
application.add_route("bench", session)
# Room for connections that arrive together, as the other servers have.
server = loop.run_until_complete(
    asyncio.start_server(application.handler, "127.0.0.1", int(sys.argv[1]), backlog=1024)
)
print(json.dumps({"listening": server.sockets[0].getsockname()[1]}), flush=True)
loop.run_forever()
