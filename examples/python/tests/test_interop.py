"""Both roles against `websockets` and `aiohttp`."""

import asyncio
import contextlib
import logging
import os
import unittest

import aiohttp
import aiohttp.web
import websockets

from websocket_proto import Config, ConnectionClosed, HandshakeFailed
from websocket_proto.asyncio import Reply, connect, serve

TEXT = "Zażółć gęślą jaźń, 日本語, 🦀"
MIB = 1 << 20
MESSAGES = ["", "a", TEXT, TEXT * 5000, b"", bytes(range(256)), os.urandom(70_000), os.urandom(MIB)]
CONFIGS = {"plain": Config(), "deflate": Config(compression=True)}
TIME = 20
logging.getLogger("asyncio").setLevel(logging.ERROR)  # the machine may be slow


async def behave(websocket):
    """The server: the path says what it does."""
    match websocket.request.path:
        case "/fragments":
            await websocket.send_fragments(["a", "", "é", "🦀"])
            await websocket.send_fragments([b"\0", bytes(70_000)])
        case "/close":
            await websocket.close(4001, "bye")
        case "/ping":
            await websocket.ping(b"there?")
            await websocket.send("pong")
    async for message in websocket:
        await websocket.send(message)


def on_request(request):
    return Reply(403, b"no entry\n") if request.path == "/forbidden" else None


@contextlib.asynccontextmanager
async def our_server(config=None):
    async with serve(behave, "127.0.0.1", 0, config=config, subprotocols=["chat"], on_request=on_request) as server:
        server.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield server


class OurServer(unittest.IsolatedAsyncioTestCase):
    async def test_websockets(self):
        for name, compression in (("plain", None), ("deflate", "deflate")):
            async with our_server(CONFIGS[name]) as server:
                options = {"compression": compression, "max_size": None}
                async with websockets.connect(f"{server.url}/", **options) as client:
                    self.assertEqual(len(client.protocol.extensions), compression is not None)
                    for message in MESSAGES:
                        await client.send(message)
                        self.assertEqual(await asyncio.wait_for(client.recv(), TIME), message)
                    await client.send(["a", "é", "", TEXT])
                    self.assertEqual(await asyncio.wait_for(client.recv(), TIME), "aé" + TEXT)
                    await asyncio.wait_for(await client.ping(b"there?"), TIME)
                    await client.close(4000, "bye")
                    self.assertEqual((client.close_code, client.protocol.close_rcvd.code), (4000, 4000))
                async with websockets.connect(f"{server.url}/fragments", **options) as client:
                    self.assertEqual(await client.recv(), "aé🦀")
                    self.assertEqual(await client.recv(), bytes(70_001))
                async with websockets.connect(f"{server.url}/ping", **options) as client:
                    self.assertEqual(await asyncio.wait_for(client.recv(), TIME), "pong")

    async def test_websockets_handshake(self):
        async with our_server() as server:
            async with websockets.connect(f"{server.url}/", subprotocols=["other", "chat"]) as client:
                self.assertEqual(client.subprotocol, "chat")
            with self.assertRaises(websockets.InvalidStatus) as rejected:
                await websockets.connect(f"{server.url}/forbidden")
            self.assertEqual((rejected.exception.response.status_code, rejected.exception.response.body), (403, b"no entry\n"))
            async with websockets.connect(f"{server.url}/close") as client:
                with self.assertRaises(websockets.ConnectionClosed) as closed:
                    await client.recv()
                self.assertEqual((closed.exception.rcvd.code, closed.exception.rcvd.reason), (4001, "bye"))

    async def test_websockets_going_away(self):
        async with our_server() as server:
            client = await websockets.connect(f"{server.url}/")
        await asyncio.wait_for(client.wait_closed(), TIME)
        self.assertEqual(client.close_code, 1001)

    async def test_aiohttp(self):
        async with aiohttp.ClientSession() as session:
            for name, compress in (("plain", 0), ("deflate", 15)):
                async with our_server(CONFIGS[name]) as server:
                    async with session.ws_connect(f"{server.url}/", compress=compress, max_msg_size=0) as client:
                        self.assertEqual(client.compress, compress)
                        for message in MESSAGES:
                            await (client.send_str if isinstance(message, str) else client.send_bytes)(message)
                            self.assertEqual((await client.receive(TIME)).data, message)
                        await client.close(code=4000)
                        self.assertEqual(client.close_code, 4000)
                    async with session.ws_connect(f"{server.url}/fragments", compress=compress) as client:
                        self.assertEqual((await client.receive(TIME)).data, "aé🦀")
                        self.assertEqual((await client.receive(TIME)).data, bytes(70_001))
                    async with session.ws_connect(f"{server.url}/close") as client:
                        close = await client.receive(TIME)
                        self.assertEqual((close.type, close.data, close.extra), (aiohttp.WSMsgType.CLOSE, 4001, "bye"))

    async def test_aiohttp_handshake(self):
        async with our_server() as server, aiohttp.ClientSession() as session:
            async with session.ws_connect(f"{server.url}/", protocols=["other", "chat"]) as client:
                self.assertEqual(client.protocol, "chat")
            with self.assertRaises(aiohttp.WSServerHandshakeError) as rejected:
                await session.ws_connect(f"{server.url}/forbidden")
            self.assertEqual(rejected.exception.status, 403)
            page = server.url.replace("ws", "http", 1)
            async with session.get(f"{page}/") as response:
                self.assertEqual((response.status, response.headers["Upgrade"]), (426, "websocket"))
            async with session.get(f"{page}/", headers={"Upgrade": "websocket", "Connection": "Upgrade"}) as response:
                self.assertEqual(response.status, 426)  # it has no version
            version = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
            async with session.get(f"{page}/", headers=version) as response:
                self.assertEqual(response.status, 400)  # it has no key
            async with session.get(f"{page}/forbidden") as response:
                self.assertEqual((response.status, await response.text()), (403, "no entry\n"))


async def websockets_behave(server):
    match server.request.path:
        case "/fragments":
            await server.send(["a", "", "é", "🦀"])
        case "/close":
            await server.close(4001, "bye")
            return
        case "/ping":
            await (await server.ping(b"there?"))
            await server.send("pong")
    with contextlib.suppress(websockets.ConnectionClosed):
        async for message in server:
            await server.send(message)
    ends.append((server.protocol.close_rcvd.code, server.protocol.close_rcvd.reason))


ends = []


def websockets_reject(connection, request):
    return connection.respond(404, "nothing here") if request.path == "/absent" else None


@contextlib.asynccontextmanager
async def websockets_server(compression=None):
    async with websockets.serve(
        websockets_behave,
        "127.0.0.1",
        0,
        compression=compression,
        max_size=None,
        select_subprotocol=lambda _, offered: "chat" if "chat" in offered else None,
        process_request=websockets_reject,
    ) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def aiohttp_behave(request):
    server = aiohttp.web.WebSocketResponse(protocols=["chat"], max_msg_size=0, compress=request.path != "/plain")
    await server.prepare(request)
    if request.path == "/close":
        await server.close(code=4001, message=b"bye")
    if request.path == "/ping":
        await server.ping(b"there?")
    async for message in server:
        if message.type is aiohttp.WSMsgType.TEXT:
            await server.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await server.send_bytes(message.data)
    ends.append((server.close_code, ""))
    return server


@contextlib.asynccontextmanager
async def aiohttp_server():
    application = aiohttp.web.Application()
    for path in ("/", "/plain", "/close", "/ping"):
        application.router.add_get(path, aiohttp_behave)
    runner = aiohttp.web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    try:
        site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class OurClient(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        ends.clear()

    async def echoes(self, url, config, code=4000):
        """``code`` is that of the server's Close, which is ours unless the server has an idea of its own."""
        async with connect(url, config=config) as client:
            for message in MESSAGES:
                await client.send(message)
                self.assertEqual(await asyncio.wait_for(client.recv(), TIME), message)
            await client.send_fragments(["a", "", "é", TEXT])
            self.assertEqual(await asyncio.wait_for(client.recv(), TIME), "aé" + TEXT)
            await client.send_fragments([b"\0", bytes(70_000)])
            self.assertEqual(await asyncio.wait_for(client.recv(), TIME), bytes(70_001))
            self.assertLess(await asyncio.wait_for(client.ping(b"there?"), TIME), TIME)
            end = await client.close(4000, "bye")
            self.assertEqual((end.code, end.is_clean, end.closed_by), (code, True, "local"))
            return client.response.header("Sec-WebSocket-Extensions")

    async def closes(self, url):
        async with connect(url) as client:
            with self.assertRaises(ConnectionClosed) as closed:
                await client.recv()
            end = closed.exception.end
            self.assertEqual((closed.exception.code, end.reason, end.is_clean, end.closed_by), (4001, "bye", True, "peer"))

    async def test_websockets(self):
        for name, compression in (("plain", None), ("deflate", "deflate")):
            async with websockets_server(compression) as url:
                extensions = await self.echoes(f"{url}/", CONFIGS[name])
                self.assertEqual(extensions is not None, name == "deflate")
                async with connect(f"{url}/fragments", config=CONFIGS[name]) as client:
                    self.assertEqual(await asyncio.wait_for(client.recv(), TIME), "aé🦀")
                async with connect(f"{url}/ping", config=CONFIGS[name]) as client:
                    self.assertEqual(await asyncio.wait_for(client.recv(), TIME), "pong")
                await self.closes(f"{url}/close")
                await asyncio.sleep(0.05)
        self.assertEqual(ends.count((4000, "bye")), 2)

    async def test_websockets_handshake(self):
        async with websockets_server() as url:
            async with connect(f"{url}/", subprotocols=["other", "chat"]) as client:
                self.assertEqual(client.subprotocol, "chat")
            with self.assertRaises(HandshakeFailed) as failed:
                async with connect(f"{url}/absent"):
                    pass
            self.assertEqual((failed.exception.response.status, failed.exception.response.body), (404, b"nothing here"))

    async def test_websockets_going_away(self):
        async with websockets_server() as url:
            client = await contextlib.AsyncExitStack().enter_async_context(connect(f"{url}/"))
        self.assertEqual([message async for message in client], [])
        self.assertEqual(client.end.code, 1001)

    async def test_aiohttp(self):
        async with aiohttp_server() as url:
            for name in CONFIGS:
                extensions = await self.echoes(f"{url}/", CONFIGS[name], 1000)
                self.assertEqual(extensions is not None, name == "deflate")
            self.assertIsNone(await self.echoes(f"{url}/plain", CONFIGS["deflate"], 1000))
            await self.closes(f"{url}/close")
            async with connect(f"{url}/ping", subprotocols=["chat"]) as client:
                self.assertEqual(client.subprotocol, "chat")
                await client.send("x")
                self.assertEqual(await asyncio.wait_for(client.recv(), TIME), "x")
            with self.assertRaises(HandshakeFailed) as failed:
                async with connect(f"{url}/absent"):
                    pass
            self.assertEqual(failed.exception.response.status, 404)
        self.assertEqual(ends.count((4000, "")), 3)


if __name__ == "__main__":
    unittest.main()
