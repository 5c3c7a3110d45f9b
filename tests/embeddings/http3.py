"""http3.py client ADDRESS CERTIFICATE, http3.py server CERTIFICATE KEY: aioquic's HTTP/3 under `websockets`, for the
HTTP/3 embedding. The client runs cases; the server prints `listening on https://ADDRESS` and echoes."""

import asyncio
import ssl
import sys
import time

from aioquic.asyncio import connect, serve
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection, Setting
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, StreamReset
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side

LIMIT = 2**24


class Stream:
    """One request, and its connection if it is accepted."""

    def __init__(self, http, id, side):
        self.http, self.id = http, id
        self.status, self.body, self.reset = None, b"", None
        self.head = asyncio.Event()
        self.ended = asyncio.Event()
        self.frames = asyncio.Queue()
        self.socket = Protocol(side, max_size=LIMIT)

    def take(self, event):
        match event:
            case HeadersReceived():
                self.status = dict(event.headers).get(b":status", b"").decode()
                self.head.set()
            case DataReceived() if self.status not in ("", "200"):
                self.body += event.data
            case DataReceived():
                self.socket.receive_data(event.data)
            case StreamReset():
                self.reset = event.error_code
        if isinstance(event, StreamReset) or getattr(event, "stream_ended", False):
            self.socket.receive_eof()
            self.head.set()
            self.ended.set()
        for frame in self.socket.events_received():
            self.frames.put_nowait(frame)

    def flush(self):
        for data in self.socket.data_to_send():
            self.http.h3.send_data(self.id, data, end_stream=not data)
        self.http.transmit()

    async def frame(self):
        return await self.frames.get()

    async def message(self):
        """Returns the next message and skips control frames."""
        data = b""
        while True:
            frame = await self.frame()
            if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                continue
            data += frame.data
            if frame.fin:
                return bytes(data)

    async def closed(self):
        while not self.ended.is_set():
            self.flush()  # the reply to a Close, and the end
            await asyncio.wait({asyncio.ensure_future(self.ended.wait())}, timeout=0.02)
        self.flush()
        return self.socket.close_code


class Http(QuicConnectionProtocol):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.h3, self.streams = None, {}
        self.ready = asyncio.Event()

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.h3 = H3Connection(self._quic)
        if self.h3 is None:
            return
        events = [event] if isinstance(event, StreamReset) else self.h3.handle_event(event)
        for event in events:
            stream = self.streams.get(event.stream_id) or self.accept(event)
            if stream:
                stream.take(event)
                self.answer(stream)
        if self.h3.received_settings is not None:
            self.ready.set()

    def accept(self, event):
        return None

    def answer(self, stream):
        pass

    def ask(self, changes=None, end=False):
        fields = {
            ":method": "CONNECT", ":protocol": "websocket", ":scheme": "https", ":authority": self.authority,
            ":path": "/echo", "sec-websocket-version": "13", **(changes or {}),
        }
        id = self._quic.get_next_available_stream_id()
        stream = self.streams[id] = Stream(self, id, Side.CLIENT)
        self.h3.send_headers(id, [(name.encode(), value.encode()) for name, value in fields.items() if value is not None], end)
        self.transmit()
        return stream

    async def open(self):
        stream = self.ask()
        await stream.head.wait()
        expect(stream.status, "200")
        return stream


class Server(Http):
    """Echoes at any path."""

    def accept(self, event):
        if not isinstance(event, HeadersReceived):
            return None
        fields = dict(event.headers)
        names = [b":method", b":protocol", b":scheme", b":path", b"sec-websocket-version", b"sec-websocket-key"]
        expect([fields.get(name) for name in names], [b"CONNECT", b"websocket", b"https", b"/there?x=y", b"13", None])
        self.h3.send_headers(event.stream_id, [(b":status", b"200")])
        stream = self.streams[event.stream_id] = Stream(self, event.stream_id, Side.SERVER)
        return stream

    def answer(self, stream):
        while not stream.frames.empty():
            frame = stream.frames.get_nowait()
            if frame.opcode is Opcode.BINARY:
                stream.socket.send_binary(frame.data)
        stream.flush()


def expect(got, expected):
    if got != expected:
        raise AssertionError(f"got {str(got)[:80]}, expected {str(expected)[:80]}")


async def check(name, case):
    try:
        await asyncio.wait_for(case, 20)
        print(f"ok   {'aioquic':15} {name}", flush=True)
    except Exception as error:
        print(f"FAIL {'aioquic':15} {name}: {error or type(error).__name__}", flush=True)


async def client(address, certificate):
    host, port = address.rsplit(":", 1)
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name="localhost", idle_timeout=20)
    configuration.load_verify_locations(certificate)
    async with connect(host.strip("[]"), int(port), configuration=configuration, create_protocol=Http) as http:
        http.authority = f"localhost:{port}"
        await http.ready.wait()
        await check("the setting", setting(http))
        for case in [echo, large, fragments, invalid, over_the_limit, many, in_flight]:
            await check(case.__doc__, case(http))
        for name, status, changes, end in [
            ("another protocol: 501", "501", {":protocol": "connect-udp"}, False),
            ("version 8: 400", "400", {"sec-websocket-version": "8"}, False),
            ("no version: 400", "400", {"sec-websocket-version": None}, False),
            ("a length: 400", "400", {"content-length": "5"}, False),
            ("an unknown path: 404", "404", {":path": "/nothing"}, False),
            ("a foreign origin: 403", "403", {"origin": "https://example.com"}, False),
            ("a stream that has ended: 400", "400", {}, True),
            ("GET of the WebSocket path: 400", "400", {":method": "GET", ":protocol": None}, True),
            ("GET of nothing: 404", "404", {":method": "GET", ":protocol": None, ":path": "/nothing"}, True),
            ("plain CONNECT: 400", "400", {":protocol": None, ":scheme": None, ":path": None}, False),
        ]:
            await check(name, refused(http, status, changes, end))
        await check("a reset stream does not affect the others", cancel(http))


async def setting(http):
    expect(http.h3.received_settings.get(Setting.ENABLE_CONNECT_PROTOCOL), 1)


async def echo(http):
    """text, binary, nothing"""
    stream = await http.open()
    for message in ["Grüße aus 東京 🦀".encode(), b"\0\xff\x7f", b""]:
        stream.socket.send_binary(message)
        stream.flush()
        expect(await stream.message(), message)
    stream.socket.send_text("Grüße".encode())
    stream.flush()
    frame = await stream.frame()
    expect((frame.opcode, bytes(frame.data)), (Opcode.TEXT, "Grüße".encode()))
    stream.socket.send_close(1000, "done")
    expect((await stream.closed(), stream.reset), (1000, None))


async def large(http):
    """a message of 1 MiB"""
    stream = await http.open()
    message = bytes(range(256)) * 4096
    stream.socket.send_binary(message)
    stream.flush()
    expect(await stream.message(), message)
    stream.socket.send_close(1000)
    expect(await stream.closed(), 1000)


async def fragments(http):
    """fragments with a ping between them"""
    stream = await http.open()
    stream.socket.send_text(b"one ", fin=False)
    stream.socket.send_ping(b"still there?")
    stream.socket.send_continuation(b"two", fin=True)
    stream.flush()
    pong = await stream.frame()
    expect((pong.opcode, bytes(pong.data)), (Opcode.PONG, b"still there?"))
    expect(await stream.message(), b"one two")
    stream.socket.send_close(4000, "own code")
    expect(await stream.closed(), 4000)


async def invalid(http):
    """text that is not UTF-8 fails with 1007"""
    stream = await http.open()
    stream.socket.send_text(b"\xc3(")
    stream.flush()
    expect(await stream.closed(), 1007)


async def over_the_limit(http):
    """a message over the limit fails with 1009"""
    stream = await http.open()
    stream.socket.send_binary(bytes(3 * 1024 * 1024))
    stream.flush()
    expect(await stream.closed(), 1009)


async def many(http):
    """50 connections at the same time in one QUIC connection"""
    async def one(number):
        stream = await http.open()
        message = bytes([number]) * 100_000
        stream.socket.send_binary(message)
        stream.flush()
        expect(await stream.message(), message)
        stream.socket.send_close(1000)
        expect(await stream.closed(), 1000)
    await asyncio.gather(*(one(number) for number in range(50)))


async def in_flight(http):
    """messages in flight"""
    stream = await http.open()
    began = time.monotonic()
    for _ in range(5000):
        stream.socket.send_binary(bytes(125))
    stream.flush()
    for _ in range(5000):
        expect(await stream.message(), bytes(125))
    print(f"note {'aioquic':15} 5000 messages of 125 bytes echoed in {(time.monotonic() - began) * 1000:.0f} ms")
    stream.socket.send_close(1000)
    expect(await stream.closed(), 1000)


async def refused(http, status, changes, end):
    stream = http.ask(changes, end)
    await stream.ended.wait()
    expect(stream.status, status)


async def cancel(http):
    stream, other = await http.open(), await http.open()
    http._quic.reset_stream(stream.id, 0x010C)
    http.transmit()
    other.socket.send_binary(b"still here")
    other.flush()
    expect(await other.message(), b"still here")
    other.socket.send_close(1000)
    expect(await other.closed(), 1000)


async def server(certificate, key):
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
    configuration.load_cert_chain(certificate, key)
    running = await serve("127.0.0.1", 0, configuration=configuration, create_protocol=Server)
    address = running._transport.get_extra_info("sockname")
    print(f"listening on https://localhost:{address[1]}", flush=True)
    await asyncio.Future()


asyncio.run({"client": client, "server": server}[sys.argv[1]](*sys.argv[2:]))
