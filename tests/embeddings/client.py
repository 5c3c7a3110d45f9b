"""client.py NAME URL [CA]: tests an embedding with Python's `websockets`, and with raw sockets for what it cannot send.

Prints one line per case. CA is a file with the certificate to trust for a `wss` server.
"""

import asyncio
import inspect
import os
import socket
import ssl
import struct
import sys
import threading
import time
import zlib
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

name, url, *ca = sys.argv[1:]
address = urlsplit(url)
context = ssl.create_default_context(cafile=ca[0]) if ca else None

TEXT = "Zażółć gęślą jaźń, 日本語, 🦀"
MIB = 1 << 20
PATIENCE = 15
PATH = address.path or "/"

HEAD = (
    f"GET {PATH} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()


def expect(got, expected):
    if got != expected:
        raise AssertionError(f"got {got!r:.80}, expected {expected!r:.80}")


def client():
    """A client of one thread: `websockets.sync` reads in a second one, and Python's TLS loses bytes if two threads use a connection."""
    return connect(url, ssl=context, compression=None, max_size=None, ping_interval=None, open_timeout=PATIENCE)


async def received(ws):
    return await asyncio.wait_for(ws.recv(), PATIENCE)


def echoes(message, expected=None):
    async def run():
        async with client() as ws:
            await ws.send(message)
            expect(await received(ws), message if expected is None else expected)

    return run


async def many():
    count = 1000
    async with client() as ws:
        for number in range(count):
            await ws.send(str(number))
        expect([await received(ws) for _ in range(count)], [str(number) for number in range(count)])


async def sizes():
    """Around the sizes of a first read buffer (4 KiB) and of a TLS record (16 KiB), each alone in the transport."""
    async with client() as ws:
        for size in range(2000, 36000, 1700):
            message = os.urandom(size)
            await ws.send(message)
            expect(await received(ws), message)


async def ping():
    async with client() as ws:
        await asyncio.wait_for(await ws.ping(b"are you there"), PATIENCE)


async def close():
    async with client() as ws:
        await ws.close(4000, "bye")
        expect((ws.close_code, ws.protocol.close_rcvd.code), (4000, 4000))


async def too_big():
    async with client() as ws:
        try:
            await ws.send(bytes(MIB + 1))
            await received(ws)
        except ConnectionClosedError as end:
            expect(end.rcvd and end.rcvd.code, 1009)
            return
        raise AssertionError("the message was accepted")


def raw(tls=True):
    stream = socket.create_connection((address.hostname, address.port), timeout=PATIENCE)
    return context.wrap_socket(stream, server_hostname=address.hostname) if tls and context else stream


def raw_client():
    """A connection after its opening handshake."""
    stream = raw()
    stream.sendall(HEAD)
    response = b""
    while not response.endswith(b"\r\n\r\n"):
        response += stream.recv(1)
    expect(response.split(b" ")[1], b"101")
    return stream


def rest(stream):
    """Reads until the end of the transport."""
    received = bytearray()
    while data := stream.recv(1 << 16):
        received += data
    return bytes(received)


def unmasked():
    with raw_client() as stream:
        stream.sendall(b"\x81\x02hi")
        opcode, size, code = struct.unpack("!BBH", rest(stream)[:4])
        expect((opcode, code), (0x88, 1002))


def no_upgrade():
    with raw() as stream:
        stream.sendall(f"GET {PATH} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
        expect(rest(stream).split(b" ")[1], b"426")


def unread():
    """The server has to stop reading instead of buffering the echoes, so sending blocks. Other clients are still served."""
    frame = struct.pack("!BBQ", 0x82, 0x80 | 127, MIB) + bytes(4 + MIB)
    with raw_client() as stream:
        stream.settimeout(2)
        try:
            for _ in range(200):
                stream.sendall(frame)
        except (TimeoutError, ConnectionError, ssl.SSLError):
            return asyncio.run(echoes(TEXT)())
        raise AssertionError("the server read 200 MiB although no echo was read")


def silent():
    """A client that sends nothing is disconnected."""
    began = time.monotonic()
    with raw(tls=False) as stream:
        rest(stream)
    if not 5 < time.monotonic() - began < PATIENCE:
        raise AssertionError(f"closed after {time.monotonic() - began:.1f} s")


def no_tls():
    """RFC 8446 section 6.2: a fatal alert."""
    with raw(tls=False) as stream:
        stream.sendall(HEAD)
        expect(rest(stream)[:1], b"\x15")


async def room():
    async with client() as speaker, client() as listener:
        # A client that has received a message has joined the room.
        await listener.send("here")
        expect(await received(listener), "here")
        while await received(speaker) != "here":
            pass
        await speaker.send(TEXT)
        expect(await received(speaker), TEXT)
        expect(await received(listener), TEXT)


def digested(message):
    """The embedding `stream` replies to a message with its size and its checksum."""

    async def run():
        whole = b"".join(message) if isinstance(message, list) else message
        async with client() as ws:
            await ws.send(message)
            expect(await received(ws), f"{len(whole)} bytes, CRC-32 {zlib.crc32(whole):08x}")

    return run


ANY = {
    "ping": ping,
    "close code 4000": close,
    "unmasked frame: Close 1002": unmasked,
    "no upgrade: status 426": no_upgrade,
}
STREAM = {
    "empty binary": digested(b""),
    "64 MiB": digested(os.urandom(64 * MIB)),
    "64 MiB in fragments": digested([os.urandom(MIB)] * 64),
}
ECHO = {
    "text": echoes(TEXT),
    "empty text": echoes(""),
    "binary": echoes(bytes(range(256))),
    "2 to 35 KiB": sizes,
    "1 MiB": echoes(os.urandom(MIB)),
    "1 MiB in fragments": echoes([bytes(4096)] * 256, bytes(MIB)),
    "1000 messages at once": many,
    "over 1 MiB: Close 1009": too_big,
    "unread echoes: the server stops reading, and serves others": unread,
}
TLS = {"no TLS: an alert": no_tls} if ca else {}
ROOM = {"a message from one client reaches another": room}

# The room drops clients that do not read, instead of not reading from them. Its own tests cover that.
HEARD = {case: run for case, run in ECHO.items() if run is not unread}

OWN = {"stream": STREAM, "room": HEARD | ROOM}


def check(case, run):
    try:
        asyncio.run(run()) if inspect.iscoroutinefunction(run) else run()
        print(f"ok   {name:15} {case}", flush=True)
    except Exception as error:
        print(f"FAIL {name:15} {case}: {str(error) or repr(error)}", flush=True)


# Runs in parallel because it takes long. `axum::serve`, which serves the room, has no deadline for a request.
deadline = threading.Thread(target=check, args=("silent client: dropped", silent))
if name != "room":
    deadline.start()
for case, run in (ANY | OWN.get(name, ECHO) | TLS).items():
    check(case, run)
if name != "room":
    deadline.join()
