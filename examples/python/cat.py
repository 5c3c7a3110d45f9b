"""An interactive client: sends each line of its input, and prints each message.

    python cat.py URL [SUBPROTOCOL...]
"""

import asyncio
import sys

from websocket_proto import ConnectionClosed, HandshakeFailed
from websocket_proto.asyncio import WebSocket, connect


async def lines() -> asyncio.StreamReader:
    """The standard input, without a thread that would keep the program from ending."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def speak(websocket: WebSocket) -> None:
    async for line in await lines():
        await websocket.send(line.decode().rstrip("\n"))
    await websocket.close()


async def main(url: str, *subprotocols: str) -> None:
    async with connect(url, subprotocols=subprotocols) as websocket:
        speaking = asyncio.create_task(speak(websocket))
        try:
            async for message in websocket:
                print(message, flush=True)
        finally:
            speaking.cancel()
    print(websocket.end, file=sys.stderr)


try:
    asyncio.run(main(*sys.argv[1:]))
except (ConnectionClosed, HandshakeFailed, OSError) as error:
    sys.exit(str(error))
