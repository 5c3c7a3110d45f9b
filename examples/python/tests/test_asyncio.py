"""The driver for asyncio, with its own client and server, and with raw sockets for what a client would not send."""

import asyncio
import contextlib
import gc
import logging
import os
import ssl
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from websocket_proto import ClientRequest, Config, ConnectionClosed, Endpoint, HandshakeFailed, Misuse, OutputFull, Prepared
from websocket_proto.asyncio import Protocol, Reply, WebSocket, broadcast, connect, serve

FOLDER = Path(__file__).resolve().parents[1]
HEAD = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
MIB = 1 << 20
logging.getLogger("asyncio").setLevel(logging.ERROR)  # the machine may be slow


async def echo(websocket):
    async for message in websocket:
        await websocket.send(message)


def url(server, scheme="ws"):
    return f"{scheme}://localhost:{server.sockets[0].getsockname()[1]}/"


@contextlib.asynccontextmanager
async def echo_server(handler=echo, **options):
    async with serve(handler, "localhost", 0, **options) as server:
        yield server


@contextlib.asynccontextmanager
async def raw(server, head=HEAD):
    reader, writer = await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])
    try:
        writer.write(head)
        yield reader, writer
    finally:
        writer.close()


class Asyncio(unittest.IsolatedAsyncioTestCase):
    """Each test fails if asyncio reports an exception of a callback."""

    async def asyncSetUp(self):
        self.errors = []
        asyncio.get_running_loop().set_debug(False)  # which takes most of the time otherwise
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.errors.append(context))

    async def asyncTearDown(self):
        self.assertEqual(self.errors, [])

    async def test_messages(self):
        for config in (None, Config(compression=True)):
            async with echo_server(config=config) as server, connect(url(server), config=config) as websocket:
                for message in ("", "Hello", "é" * 100_000, b"", os.urandom(MIB), memoryview(b"view"), bytearray(b"array")):
                    await websocket.send(message)
                    self.assertEqual(await websocket.recv(), message if isinstance(message, str) else bytes(message))
                await websocket.send_fragments(["a", "", "é"])
                self.assertEqual(await websocket.recv(), "aé")
                self.assertLess(await websocket.ping(b"there?"), 10)
                end = await websocket.close(4001, "bye")
                self.assertEqual((end.code, end.is_clean, end.closed_by), (4001, True, "local"))
                with self.assertRaises(ConnectionClosed) as closed:
                    await websocket.send("late")
                self.assertEqual((closed.exception.code, closed.exception.end.code), (4001, 4001))
                with self.assertRaises(ConnectionClosed):
                    await websocket.recv()

    async def test_many_messages_without_waiting(self):
        async with echo_server() as server, connect(url(server)) as websocket:
            messages = [str(number) * (number % 300) for number in range(5000)]

            async def send():
                for message in messages:
                    await websocket.send(message)

            sending = asyncio.create_task(send())
            self.assertEqual([await websocket.recv() for _ in messages], messages)
            await sending

    async def test_requests_that_are_refused(self):
        """RFC 6455 section 4.2.2."""
        async with echo_server() as server:
            for head, status in (
                (HEAD.replace(b"Upgrade: websocket\r\n", b""), b"426"),
                (HEAD.replace(b"Version: 13", b"Version: 12"), b"426"),
                (HEAD.replace(b"Key: dGhlIHNhbXBsZSBub25jZQ==", b"Key: x"), b"400"),
                (b"not HTTP\r\n\r\n", b"400"),
            ):
                async with raw(server, head) as (reader, _):
                    response = await asyncio.wait_for(reader.read(), 10)
                    self.assertEqual(response.split(b" ")[1], status)

    async def test_on_request(self):
        def on_request(request):
            match request.path:
                case "/page":
                    return Reply(200, b"a page", [("Content-Type", "text/plain")])
                case "/forbidden":
                    return Reply(403, b"no entry\n")
                case "/failed":
                    raise ValueError("expected by the test")

        async with echo_server(on_request=on_request, subprotocols=["b", "a"]) as server:
            async with raw(server, b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n") as (reader, _):
                response = await asyncio.wait_for(reader.read(), 10)
                self.assertTrue(response.startswith(b"HTTP/1.1 200 ") and response.endswith(b"a page"))
            with self.assertRaises(HandshakeFailed) as failed:
                async with connect(url(server) + "forbidden"):
                    pass
            self.assertEqual((failed.exception.response.status, failed.exception.response.body), (403, b"no entry\n"))
            with self.assertLogs("websocket_proto", logging.ERROR), self.assertRaises(HandshakeFailed):
                async with connect(url(server) + "failed"):
                    pass
            for offered, chosen in ((["a"], "a"), (["a", "b"], "b"), (["c"], None), ([], None)):
                async with connect(url(server), subprotocols=offered) as websocket:
                    self.assertEqual(websocket.subprotocol, chosen)

    async def test_ends_of_a_handler(self):
        """RFC 6455 section 7.4.1."""

        async def handler(websocket):
            message = await websocket.recv()
            if message == "fail":
                raise ValueError("expected by the test")

        async with echo_server(handler) as server:
            for message, code in (("return", 1000), ("fail", 1011)):
                async with connect(url(server)) as websocket:
                    with self.assertLogs("websocket_proto") if code == 1011 else contextlib.nullcontext():
                        await websocket.send(message)
                        end = await asyncio.wait_for(websocket.wait_closed(), 10)
                    self.assertEqual((end.code, end.is_clean), (code, True))

    async def test_shutdown_of_the_server(self):
        """The handlers end, the clients get 1001, and iterations over messages end."""
        ended = []

        async def handler(websocket):
            await echo(websocket)
            ended.append(websocket.end.code)

        async with contextlib.AsyncExitStack() as clients:
            async with echo_server(handler) as server:
                websockets = [await clients.enter_async_context(connect(url(server))) for _ in range(10)]
                reader, _ = await clients.enter_async_context(raw(server, HEAD[:20]))
                await asyncio.sleep(0.05)
                self.assertEqual(len(server.websockets), 10)
            self.assertEqual(ended, [1001] * 10)
            self.assertEqual(await asyncio.wait_for(reader.read(), 10), b"")
            for websocket in websockets:
                self.assertEqual([message async for message in websocket], [])
                self.assertEqual((websocket.end.code, websocket.end.is_clean), (1001, True))
            with self.assertRaises(OSError):
                async with connect(url(server) if server.sockets else "ws://localhost:1/"):
                    pass

    async def test_iteration_raises_for_other_ends(self):
        async def handler(websocket):
            await websocket.close(4000, "why")

        async with echo_server(handler) as server, connect(url(server)) as websocket:
            with self.assertRaises(ConnectionClosed) as closed:
                async for _ in websocket:
                    pass
            self.assertEqual((closed.exception.code, closed.exception.end.reason), (4000, "why"))

    async def test_breaking_a_rule(self):
        """RFC 6455 sections 5.1, 8.1 and 7.1.7."""
        async with echo_server(config=Config(max_message_size=100)) as server:
            for frame, code in ((b"\x81\x01a", 1002), (b"\x81\x81\0\0\0\0\xff", 1007), (b"\x82\xe5\0\0\0\0", 1009)):
                async with raw(server) as (reader, writer):
                    await reader.readuntil(b"\r\n\r\n")
                    writer.write(frame)
                    close = await asyncio.wait_for(reader.read(), 10)
                    self.assertEqual((close[0], close[2:4]), (0x88, code.to_bytes(2, "big")))

    async def test_transport_that_breaks_off(self):
        async with echo_server() as server:
            async with raw(server) as (reader, writer):
                await reader.readuntil(b"\r\n\r\n")
                (websocket,) = server.websockets
                writer.transport.abort()
                end = await asyncio.wait_for(websocket.wait_closed(), 10)
                self.assertEqual((end.code, end.is_clean), (1006, False))
            self.assertEqual(server.websockets, set())

    async def test_a_reader_that_does_not_read(self):
        """The server stops reading when its echoes are not read: what it holds is bounded, and it continues afterwards."""
        async with echo_server() as server, raw(server) as (reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            frame = b"\x82\xff" + (1 << 18).to_bytes(8, "big") + bytes(4) + bytes(1 << 18)
            sent = 0
            with contextlib.suppress(TimeoutError):
                while sent < 200:
                    writer.write(frame)
                    sent += 1
                    await asyncio.wait_for(writer.drain(), 1)
            self.assertLess(sent, 150, "it reads although nothing is read from it")
            (websocket,) = server.websockets
            self.assertLess(websocket.endpoint.buffered_amount, 2 * MIB)
            self.assertLessEqual(len(websocket._messages), 16)
            for _ in range(sent):
                await asyncio.wait_for(reader.readexactly(10 + (1 << 18)), 10)

    async def test_a_handler_that_does_not_receive(self):
        release = asyncio.Event()

        async def handler(websocket):
            await release.wait()
            await echo(websocket)

        async with echo_server(handler) as server, connect(url(server), config=Config(max_buffered=MIB)) as websocket:
            with self.assertRaises(OutputFull):
                for _ in range(400):
                    websocket.send_nowait(bytes(1 << 17))
                    await asyncio.sleep(0)
            release.set()
            await websocket.send("last")
            while await asyncio.wait_for(websocket.recv(), 10) != "last":
                pass

    async def test_replies_come_before_what_follows(self):
        """A reply to a message is sent although the next frame in the same read breaks a rule (RFC 6455 section 7.1.7)."""
        async with echo_server() as server, raw(server, HEAD + b"\x81\x81\0\0\0\0a" * 3 + b"\x81\x01b") as (reader, _):
            await reader.readuntil(b"\r\n\r\n")
            echoes = await asyncio.wait_for(reader.read(), 10)
            self.assertEqual((echoes[:9], echoes[9], echoes[11:13]), (b"\x81\x01a" * 3, 0x88, b"\x03\xea"))

    async def test_pings_are_answered_meanwhile(self):
        async def handler(websocket):
            async for message in websocket:
                await asyncio.sleep(0.5)
                await websocket.send(message)

        frames = b"\x81\x81\0\0\0\0a\x81\x81\0\0\0\0b\x89\x80\0\0\0\0"
        async with echo_server(handler) as server, raw(server, HEAD + frames) as (reader, _):
            await reader.readuntil(b"\r\n\r\n")
            self.assertEqual(await asyncio.wait_for(reader.readexactly(8), 10), b"\x8a\x00\x81\x01a\x81\x01b")

    async def test_broadcast(self):
        async with contextlib.AsyncExitStack() as clients, echo_server(config=Config(max_buffered=MIB)) as server:
            readers = [await clients.enter_async_context(connect(url(server))) for _ in range(5)]
            sleeper, writer = await clients.enter_async_context(raw(server))
            await sleeper.readuntil(b"\r\n\r\n")
            broadcast(server.websockets, "news")
            for reader in readers:
                self.assertEqual(await asyncio.wait_for(reader.recv(), 10), "news")
            large = Prepared(bytes(MIB // 2))
            for _ in range(30):
                broadcast(server.websockets, large)
                for reader in readers:
                    self.assertEqual(len(await asyncio.wait_for(reader.recv(), 10)), MIB // 2)
            await asyncio.sleep(0)
            for reader in readers:
                self.assertTrue(reader.endpoint.is_open)
            slow = [websocket for websocket in server.websockets if not websocket.endpoint.is_open]
            self.assertEqual(len(slow), 1, "the one that does not read is closed")
            slow[0].abort()
            self.assertEqual(slow[0].end.code, 1006)

    async def test_keepalive(self):
        config = Config(ping_interval=0.05, ping_timeout=0.2)
        async with echo_server(config=config) as server:
            async with connect(url(server), config=Config(ping_interval=None)) as websocket:
                await asyncio.sleep(0.5)
                self.assertTrue(websocket.endpoint.is_open, "a peer that answers lives")
                (peer,) = server.websockets
                self.assertIsNotNone(peer.endpoint.last_rtt)
            async with raw(server) as (reader, _):
                await reader.readuntil(b"\r\n\r\n")
                (peer,) = [websocket for websocket in server.websockets if websocket is not peer]
                end = await asyncio.wait_for(peer.wait_closed(), 10)
                self.assertEqual((end.timeout, end.code), ("ping", 1006))

    async def test_open_timeout(self):
        async with echo_server(config=Config(open_timeout=0.1)) as server:
            async with raw(server, b"") as (reader, _):
                self.assertEqual(await asyncio.wait_for(reader.read(), 10), b"")
            async with raw(server, HEAD[:50]) as (reader, _):
                self.assertTrue((await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 408 "))

    async def test_cancellation(self):
        """A call that is cancelled has lost and sent nothing."""
        async with echo_server() as server, connect(url(server)) as websocket:
            for number in range(200):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0):
                        await websocket.recv()
                await websocket.send(str(number))
                waiting = asyncio.create_task(websocket.recv())
                for _ in range(number % 7):
                    await asyncio.sleep(0)
                waiting.cancel()
                try:
                    self.assertEqual(await waiting, str(number))
                except asyncio.CancelledError:
                    self.assertEqual(await asyncio.wait_for(websocket.recv(), 10), str(number))

    async def test_misuse(self):
        async with echo_server() as server, connect(url(server)) as websocket:
            waiting = asyncio.create_task(websocket.recv())
            await asyncio.sleep(0)
            with self.assertRaises(Misuse):
                await websocket.recv()
            waiting.cancel()
            for message in ("\ud800", None, 5):
                with self.assertRaises((TypeError, UnicodeEncodeError)):
                    await websocket.send(message)
            with self.assertRaises(Misuse):
                await websocket.ping(bytes(126))
            with self.assertRaises(Misuse):
                await websocket.close(1006)
            await websocket.send("still open")
            self.assertEqual(await websocket.recv(), "still open")

    async def test_callbacks_that_send_close_and_fail(self):
        class Callbacks(Protocol):
            def opened(self, response):
                self.send_nowait("opened")

            def event_received(self, event):
                if event == "fail":
                    raise ValueError("expected by the test")
                if isinstance(event, str):
                    self.send_nowait(event * 2)
                    self.drive()
                if event == "close":
                    self.close_nowait(4000)

            def ended(self, end, response):
                ends.append(end)

        ends = []
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: Callbacks(Endpoint.server(now=loop.time())), "localhost", 0)
        async with listener:
            async with connect(url(listener)) as websocket:
                self.assertEqual(await websocket.recv(), "opened")
                await websocket.send("close")
                self.assertEqual(await websocket.recv(), "closeclose")
                self.assertEqual((await websocket.wait_closed()).code, 4000)
            async with connect(url(listener)) as websocket:
                await websocket.send("fail")
                self.assertEqual((await websocket.wait_closed()).code, 1006)
            await asyncio.sleep(0.05)
        self.assertEqual([(end.code, end.is_clean) for end in ends], [(4000, True), (1006, False)])
        self.assertEqual([type(error["exception"]) for error in self.errors], [ValueError])
        self.errors.clear()

    async def test_nothing_is_left(self):
        """Connections that have ended are garbage."""
        async with echo_server() as server:
            for _ in range(50):
                async with connect(url(server)) as websocket:
                    await websocket.send("x")
                    await websocket.recv()
            await asyncio.sleep(0.05)
            del websocket
            gc.collect()
            left = [thing for thing in gc.get_objects() if isinstance(thing, WebSocket)]
            self.assertLess(len(left), 5)
            self.assertEqual((len(server._connections), len(server._tasks)), (0, 0))

    async def test_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            try:
                subprocess.run(
                    ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2",
                     "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{folder}/key", "-out", f"{folder}/pem"],
                    check=True, capture_output=True,
                )  # fmt: skip
            except (OSError, subprocess.CalledProcessError) as error:
                self.skipTest(f"no certificate: {error}")
            ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            ours.load_cert_chain(f"{folder}/pem", f"{folder}/key")
            theirs = ssl.create_default_context(cafile=f"{folder}/pem")
        async with echo_server(ssl=ours) as server:
            with self.assertRaises(ssl.SSLError):
                async with connect(url(server, "wss")):
                    pass
            async with connect(url(server, "wss"), ssl=theirs) as websocket:
                for message in ("Hello", os.urandom(MIB), b"\0" * 70_000):
                    await websocket.send(message)
                    self.assertEqual(await asyncio.wait_for(websocket.recv(), 20), message)
                end = await asyncio.wait_for(websocket.close(4001), 10)
                self.assertEqual((end.code, end.is_clean), (4001, True))
        # asyncio reports the client that did not trust the certificate.
        self.errors = [error for error in self.errors if "transport creation" not in error["message"]]

    async def test_connect(self):
        for wrong in ("http:/", "ws://", "ws://localhost/#a"):
            with self.assertRaises(Misuse):
                async with connect(wrong):
                    pass
        silent = []
        listener = await asyncio.start_server(lambda _, writer: silent.append(writer), "localhost", 0)
        async with listener:
            with self.assertRaises(HandshakeFailed) as failed:
                async with connect(url(listener), config=Config(open_timeout=0.1)):
                    pass
            self.assertEqual(failed.exception.end.timeout, "opening")
            connecting = asyncio.create_task(connect(url(listener)).__aenter__())
            await asyncio.sleep(0.05)
            connecting.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await asyncio.wait_for(connecting, 5)
            for writer in silent:
                writer.close()
    async def test_programs(self):
        program = await asyncio.create_subprocess_exec(
            sys.executable, FOLDER / "chat.py", "127.0.0.1:0", stdout=asyncio.subprocess.PIPE
        )
        try:
            address = (await program.stdout.readline()).decode().split()[-1]
            cat = await asyncio.create_subprocess_exec(
                sys.executable, FOLDER / "cat.py", f"{address}/chat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
            async with connect(f"{address}/chat") as websocket:
                cat.stdin.write("Zażółć\n".encode())
                self.assertEqual(await asyncio.wait_for(websocket.recv(), 20), "Zażółć")
                self.assertEqual(await asyncio.wait_for(cat.stdout.readline(), 10), "Zażółć\n".encode())
            with self.assertRaises(HandshakeFailed) as failed:
                async with connect(f"{address}/chat", origin="http://elsewhere.example"):
                    pass
            self.assertEqual(failed.exception.response.status, 403)
            cat.stdin.close()
            self.assertEqual(await asyncio.wait_for(cat.wait(), 10), 0)
        finally:
            program.kill()
            await program.wait()


class InEveryTask(unittest.TestCase):
    def test_needs_a_loop(self):
        with self.assertRaises(RuntimeError):
            WebSocket(Endpoint.client(ClientRequest("ws://localhost/")))


if __name__ == "__main__":
    unittest.main()
