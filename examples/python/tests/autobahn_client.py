"""autobahn_client.py URL AGENT: the client under test in the Autobahn test suite, as `examples/autobahn_client.rs` is."""

import asyncio
import sys

from websocket_proto import Config, ConnectionClosed, HandshakeFailed
from websocket_proto.asyncio import connect

CONFIG = Config(max_message_size=32 << 20)


async def main(url: str, agent: str) -> None:
    async with connect(f"{url}/getCaseCount", config=CONFIG) as websocket:
        count = int(await websocket.recv())
    for case in range(1, count + 1):
        await echo(f"{url}/runCase?case={case}&agent={agent}")
    async with connect(f"{url}/updateReports?agent={agent}") as websocket:
        await websocket.wait_closed()
    print(f"{agent}: ran {count} cases")


async def echo(url: str) -> None:
    """Whatever a case does to the connection is not an error here; a failed handshake is."""
    try:
        async with connect(url, config=CONFIG) as websocket:
            async for message in websocket:
                await websocket.send(message)
    except ConnectionClosed:
        pass


try:
    asyncio.run(main(*sys.argv[1:]))
except HandshakeFailed as error:
    sys.exit(str(error))
