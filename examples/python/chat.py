"""A chat: every text message is sent to everyone. A page at `/` says how to join, at `/chat`.

    python chat.py [HOST:PORT]

A message is encoded once for all. Whoever does not read what the others say is disconnected with 1013 (try again later).
"""

import asyncio
import sys

from websocket_proto import Config, Request
from websocket_proto.asyncio import Reply, WebSocket, broadcast, serve

MOST_BYTES = 4096


def on_request(request: Request) -> Reply | None:
    if request.path == "/chat":
        if request.header("Origin") and not request.is_same_origin:
            return Reply(403, b"foreign origin\n")
        return None
    if request.path == "/":
        return Reply(200, b"The chat is at /chat.\n", [("Content-Type", "text/plain")])
    return Reply(404, b"not here\n")


async def main(address: str = "127.0.0.1:9001") -> None:
    async def speak(websocket: WebSocket) -> None:
        async for message in websocket:
            if isinstance(message, str):
                broadcast(server.websockets, message)

    host, _, port = address.rpartition(":")
    config = Config(max_message_size=MOST_BYTES, max_buffered=256 * 1024)
    async with serve(speak, host, int(port), config=config, on_request=on_request) as server:
        bound = server.sockets[0].getsockname()
        print(f"listening on ws://{bound[0]}:{bound[1]}", flush=True)
        await server.serve_forever()


try:
    asyncio.run(main(*sys.argv[1:]))
except KeyboardInterrupt:
    pass
