"""client.py NAME URL [CA]: tests an embedding with Python's `websockets`, and with raw sockets for what it cannot send.

Prints one line per case. CA is a file with the certificate to trust for a `wss` server.
"""

import os
import socket
import ssl
import struct
import sys
import threading
import time
import zlib
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

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
    return connect(url, ssl=context, compression=None, max_size=None, ping_interval=None, open_timeout=PATIENCE)


def echoes(message, expected=None):
    def run():
        with client() as ws:
            ws.send(message)
            expect(ws.recv(PATIENCE), message if expected is None else expected)

    return run


def many():
    count = 1000
    with client() as ws:
        for number in range(count):
            ws.send(str(number))
        expect([ws.recv(PATIENCE) for _ in range(count)], [str(number) for number in range(count)])


def ping():
    with client() as ws:
        if not ws.ping(b"are you there").wait(PATIENCE):
            raise AssertionError("no pong")


def close():
    with client() as ws:
        ws.close(4000, "bye")
        expect((ws.close_code, ws.protocol.close_rcvd.code), (4000, 4000))


def too_big():
    with client() as ws:
        try:
            ws.send(bytes(MIB + 1))
            ws.recv(PATIENCE)
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
    """The server has to stop reading instead of buffering the echoes, so sending blocks."""
    frame = struct.pack("!BBQ", 0x82, 0x80 | 127, MIB) + bytes(4 + MIB)
    with raw_client() as stream:
        stream.settimeout(2)
        try:
            for _ in range(200):
                stream.sendall(frame)
        except (TimeoutError, ConnectionError, ssl.SSLError):
            return
        raise AssertionError("the server read 200 MiB although no echo was read")


def silent():
    """A client that sends nothing is disconnected."""
    began = time.monotonic()
    with raw(tls=False) as stream:
        rest(stream)
    if not 5 < time.monotonic() - began < PATIENCE:
        raise AssertionError(f"closed after {time.monotonic() - began:.1f} s")


def room():
    with client() as speaker, client() as listener:
        # A client that has received a message has joined the room.
        listener.send("here")
        expect(listener.recv(PATIENCE), "here")
        while speaker.recv(PATIENCE) != "here":
            pass
        speaker.send(TEXT)
        expect(speaker.recv(PATIENCE), TEXT)
        expect(listener.recv(PATIENCE), TEXT)


def digested(message):
    """The embedding `stream` replies to a message with its size and its checksum."""

    def run():
        whole = b"".join(message) if isinstance(message, list) else message
        with client() as ws:
            ws.send(message)
            expect(ws.recv(PATIENCE), f"{len(whole)} bytes, CRC-32 {zlib.crc32(whole):08x}")

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
    "1 MiB": echoes(os.urandom(MIB)),
    "1 MiB in fragments": echoes([bytes(4096)] * 256, bytes(MIB)),
    "1000 messages at once": many,
    "over 1 MiB: Close 1009": too_big,
    "unread echoes: the server stops reading": unread,
}
ROOM = {"a message from one client reaches another": room}

# The room drops clients that do not read, instead of not reading from them. Its own tests cover that.
HEARD = {case: run for case, run in ECHO.items() if run is not unread}

OWN = {"stream": STREAM, "room": HEARD | ROOM}


def check(case, run):
    try:
        run()
        print(f"ok   {name:15} {case}", flush=True)
    except Exception as error:
        print(f"FAIL {name:15} {case}: {str(error) or repr(error)}", flush=True)


# Runs in parallel because it takes long. `axum::serve`, which serves the room, has no deadline for a request.
deadline = threading.Thread(target=check, args=("silent client: dropped", silent))
if name != "room":
    deadline.start()
for case, run in (ANY | OWN.get(name, ECHO)).items():
    check(case, run)
if name != "room":
    deadline.join()
