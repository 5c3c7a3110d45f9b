"""Echo servers side by side: this package, `websockets` and `picows`.

    throughput.py [SECONDS]

A blocking client on a raw socket, the same for all, sends binary messages to one server after the other, in turns: one at a time, and up to
32 (256 KiB) before it reads the echoes. Prints the processor time of the server for a message, and its ratio to that of this package: below
1 is faster than this package. Processor time is used because it depends less than elapsed time on what else the machine does. Of the turns,
the fastest counts.
"""

import asyncio
import os
import platform
import socket
import struct
import subprocess
import sys
import time

SIZES = [16, 1024, 65536, 1 << 20]
ROUNDS = 7
ASK = b"processor time?"
HEAD = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def reply(message):
    """The echo, or the processor time used so far."""
    return str(time.process_time_ns()).encode() if message == ASK else message


async def serve_ours():
    from websocket_proto import Config
    from websocket_proto.asyncio import serve

    async def echo(websocket):
        async for message in websocket:
            await websocket.send(reply(message))

    async with serve(echo, "127.0.0.1", 0, config=Config(max_message_size=2 << 20, max_buffered=4 << 20, ping_interval=None)) as server:
        announce(server.sockets)
        await server.serve_forever()


async def serve_callbacks():
    from websocket_proto import Config, Endpoint
    from websocket_proto.asyncio import Protocol

    class Echo(Protocol):
        def event_received(self, event):
            if isinstance(event, bytes):
                self.send_nowait(reply(event))

    loop = asyncio.get_running_loop()
    config = Config(max_message_size=2 << 20, max_buffered=1 << 30, ping_interval=None)
    server = await loop.create_server(lambda: Echo(Endpoint.server(config, now=loop.time())), "127.0.0.1", 0)
    announce(server.sockets)
    await server.serve_forever()


async def serve_websockets():
    import websockets

    async def echo(websocket):
        async for message in websocket:
            await websocket.send(reply(message))

    async with websockets.serve(echo, "127.0.0.1", 0, compression=None, max_size=None, ping_interval=None) as server:
        announce(server.sockets)
        await server.serve_forever()


async def serve_picows():
    import picows

    class Echo(picows.WSListener):
        def on_ws_frame(self, transport, frame):
            transport.send(frame.msg_type, reply(frame.get_payload_as_bytes()))

    server = await picows.ws_create_server(lambda request: Echo(), "127.0.0.1", 0)
    announce(server.sockets)
    await server.serve_forever()


SERVERS = {
    "websocket_proto, coroutines": serve_ours,
    "websocket_proto, callbacks": serve_callbacks,
    "websockets, coroutines": serve_websockets,
    "picows, callbacks": serve_picows,
}


def announce(sockets):
    print(sockets[0].getsockname()[1], flush=True)


class Client:
    def __init__(self, name):
        self.server = subprocess.Popen([sys.executable, __file__, "serve", name], stdout=subprocess.PIPE, text=True)
        self.socket = socket.create_connection(("127.0.0.1", int(self.server.stdout.readline())))
        self.socket.settimeout(60)
        self.socket.sendall(HEAD)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)

    def processor_time(self):
        self.socket.sendall(frame(ASK))
        return int(self.receive(2 + self.receive(2)[1])[2:])

    def receive(self, size):
        """Peeks at a header, or takes exactly this many bytes."""
        if size == 2:
            return self.socket.recv(2, socket.MSG_PEEK | socket.MSG_WAITALL)
        return self.socket.recv(size, socket.MSG_WAITALL)

    def turn(self, size, window, count):
        """Nanoseconds of the server for one message."""
        frames = frame(os.urandom(size)) * window
        echo = bytearray(window * (len(frame(bytes(size))) - 4))
        rounds = max(1, count // window)
        began = self.processor_time()
        for _ in range(rounds):
            if size < 1 << 20:
                self.socket.sendall(frames)
                self.fill(memoryview(echo))
            else:
                self.send_and_receive(memoryview(frames), memoryview(echo))
        return (self.processor_time() - began) / (rounds * window)

    def fill(self, view):
        while view:
            view = view[self.socket.recv_into(view) :]

    def send_and_receive(self, to_send, to_fill):
        """What does not fit into the buffers of the sockets is sent while its echo is received."""
        self.socket.setblocking(False)
        while to_fill:
            for call in ("send", "receive"):
                try:
                    if call == "send" and to_send:
                        to_send = to_send[self.socket.send(to_send) :]
                    elif call == "receive":
                        to_fill = to_fill[self.socket.recv_into(to_fill) :]
                except BlockingIOError:
                    time.sleep(0)
        self.socket.settimeout(60)

    def end(self):
        self.socket.close()
        self.server.kill()
        self.server.wait()


def frame(payload):
    """A binary message of a client, masked with a key of its own."""
    key = struct.pack("<I", 0x9A3C5E71)
    size = len(payload)
    if size < 126:
        head = bytes([0x82, 0x80 | size])
    else:
        head = struct.pack("!BBH", 0x82, 0xFE, size) if size < 65536 else struct.pack("!BBQ", 0x82, 0xFF, size)
    mask = int.from_bytes(key * (size // 4 + 1), "big") >> 8 * (4 - size % 4)
    return head + key + (int.from_bytes(payload, "big") ^ mask).to_bytes(size, "big")


def main(seconds):
    clients = {}
    try:
        for name in SERVERS:
            clients[name] = Client(name)
        measure(clients, seconds)
    finally:
        for client in clients.values():
            client.end()


def measure(clients, seconds):
    names = list(clients)
    print(f"CPython {platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start")
    for size, window in [(size, window) for size in SIZES for window in (1, min(32, (256 << 10) // size)) if window > 0]:
        slowest = max(client.turn(size, window, 3 * window) for client in clients.values())
        count = max(2 * window, int(seconds * 1e9 / ROUNDS / 7 / len(names) / slowest))
        least = dict.fromkeys(names, float("inf"))
        for number in range(ROUNDS):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                least[name] = min(least[name], clients[name].turn(size, window, count))
        print(f"{size} bytes, {window} at a time, {ROUNDS} turns of {count} messages:")
        for name in names:
            ratios = [f"{least[name] / least[ours]:.2f}" for ours in names[:2]]
            print(f"  {name:28} {least[name] / 1000:>9.1f} us   {ratios[0]:>6} of coroutines, {ratios[1]:>6} of callbacks")
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if sys.argv[1:2] == ["serve"]:
    asyncio.run(SERVERS[sys.argv[2]]())
else:
    main(float(sys.argv[1]) if sys.argv[1:] else 20)
