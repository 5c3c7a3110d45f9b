"""Peers in other languages: a program controls a library through frames on its stdin and stdout; this is the API of peers.py on it.

So the cells and the behavior of the servers are written only once for all of these peers. A frame consists of the number of the
connection (4 bytes), a kind (1 byte), a length (4 bytes), all big-endian, and the payload. To the program:

    S  serve                                    N  connect: URL, subprotocols and compression setting, one per line
    T, B  send a message, text or binary        F, H, G  a fragment of a text, of a binary message, and the last one
    P  send a Ping                              C  close: code (2 bytes) and reason            X  drop the transport

And from it:

    L  the port of the server                   O  open: the subprotocol for a client, the target for a server
    R  rejected: status (2 bytes) and body      T, B  a message
    P  a Pong                                   C  the peer's Close: code and reason           E  the end: its cause
"""

import asyncio
import contextlib
import itertools
import struct

HEAD = struct.Struct(">IcI")


class Bridge:
    """The running program."""

    def __init__(self, command):
        self.command, self.numbers, self.queues = command, itertools.count(1), {}
        self.process = self.accepting = None

    async def start(self):
        if self.process is None:
            pipe = asyncio.subprocess.PIPE
            self.process = await asyncio.create_subprocess_exec(*self.command, stdin=pipe, stdout=pipe, limit=1 << 26)
            self.reading = asyncio.ensure_future(self.read())

    def send(self, number, kind, payload=b""):
        self.process.stdin.write(HEAD.pack(number, kind, len(payload)) + payload)

    def queue(self, number):
        return self.queues.setdefault(number, asyncio.Queue())

    async def read(self):
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                number, kind, length = HEAD.unpack(await self.process.stdout.readexactly(HEAD.size))
                payload = await self.process.stdout.readexactly(length)
                if kind == b"O" and self.accepting:
                    self.accepting(number, payload.decode())
                else:
                    self.queue(number).put_nowait((kind, payload))
        for queue in self.queues.values():
            queue.put_nowait((b"E", b"the program ended"))


def closing(payload):
    return int.from_bytes(payload[:2], "big"), payload[2:].decode()


class BridgedSocket:
    def __init__(self, bridge, number, protocol, fragments, time):
        self.bridge, self.number, self.protocol, self.time = bridge, number, protocol or None, time
        self.queue, self.closed, self.over = bridge.queue(number), None, False
        if not fragments:
            self.send_fragments = None

    async def next(self):
        kind, payload = await asyncio.wait_for(self.queue.get(), self.time)
        if kind == b"C":
            self.closed = closing(payload)
        self.over = kind == b"E"
        return kind, payload

    async def receive(self):
        while not self.over:
            kind, payload = await self.next()
            if kind in b"TB":
                return payload.decode() if kind == b"T" else payload
            if kind == b"C":
                return None
        return None

    async def send(self, message):
        text = isinstance(message, str)
        self.bridge.send(self.number, b"T" if text else b"B", message.encode() if text else message)
        await self.bridge.process.stdin.drain()

    async def send_fragments(self, parts):
        kind = b"F" if isinstance(parts[0], str) else b"H"
        parts = [part.encode() if isinstance(part, str) else part for part in parts]
        for part in parts[:-1]:
            self.bridge.send(self.number, kind, part)
        self.bridge.send(self.number, b"G", parts[-1])

    async def pings(self, payloads):
        for payload in payloads:
            self.bridge.send(self.number, b"P", payload.encode())
        for payload in payloads:
            kind, pong = await self.next()
            if (kind, pong) != (b"P", payload.encode()):
                raise AssertionError(f"got {kind} {pong!r:.80}, expected pong {payload!r}")
        return len(payloads)

    async def close(self, code, reason):
        self.bridge.send(self.number, b"C", code.to_bytes(2, "big") + reason.encode())

    async def end(self):
        while not self.over:
            await self.next()
        return self.closed or (1006, "")


class Bridged:
    """`settings`: the compression settings that the library supports, by their names in the matrix."""

    def __init__(self, command, settings, rejected, time, fragments=False):
        self.bridge, self.settings, self.rejected = Bridge(command), settings, rejected
        self.options = fragments, time

    def can_ask(self, setting):
        return setting in self.settings

    @contextlib.asynccontextmanager
    async def connect(self, url, protocols=(), pongs=False, compression=""):
        await self.bridge.start()
        number = next(self.bridge.numbers)
        self.bridge.send(number, b"N", "\n".join((url, ",".join(protocols), compression or "")).encode())
        kind, payload = await self.bridge.queue(number).get()
        if kind == b"R":
            raise self.rejected(int.from_bytes(payload[:2], "big"), payload[2:])
        if kind != b"O":
            raise ConnectionError(f"{payload.decode()}")
        try:
            yield BridgedSocket(self.bridge, number, payload.decode(), *self.options)
        finally:
            del self.bridge.queues[number]

    async def serve(self, behave):
        def accept(number, target):
            socket = BridgedSocket(self.bridge, number, None, *self.options)
            tasks.add(task := asyncio.ensure_future(behave(target, socket)))
            task.add_done_callback(tasks.discard)

        tasks = set()
        await self.bridge.start()
        self.bridge.accepting = accept
        self.bridge.send(0, b"S")
        _, port = await self.bridge.queue(0).get()
        return int(port)
