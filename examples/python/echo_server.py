"""An echo server.

    python echo_server.py [--max-message BYTES] [--tls CERTIFICATE_AND_KEY] [HOST:PORT]

It ends on SIGINT and SIGTERM, after it has closed all connections with 1001 (going away).
"""

import argparse
import asyncio
import signal
import ssl

from websocket_proto import Config
from websocket_proto.asyncio import WebSocket, serve


async def echo(websocket: WebSocket) -> None:
    async for message in websocket:
        await websocket.send(message)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--max-message", type=int, default=1 << 20)
    parser.add_argument("--tls")
    parser.add_argument("address", nargs="?", default="127.0.0.1:9001")
    arguments = parser.parse_args()
    host, _, port = arguments.address.rpartition(":")
    context = None
    if arguments.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(arguments.tls)

    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    config = Config(max_message_size=arguments.max_message, compression=True)
    async with serve(echo, host, int(port), config=config, ssl=context) as server:
        bound = server.sockets[0].getsockname()
        print(f"listening on {'wss' if context else 'ws'}://{bound[0]}:{bound[1]}", flush=True)
        await stop.wait()


asyncio.run(main())
