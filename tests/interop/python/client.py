"""client.py PEER URL GROUP_OR_CELL...: the cells of the matrix, with the same names as in the clients in Rust and JavaScript.

Prints one line per cell: verdict, cell and what is wrong, with tabs between.
"""

import asyncio
import sys
import uuid

from peers import PEERS, REJECTION_BODY, Rejected

name, url, *selected = sys.argv[1:]
peer = PEERS[name]()

TEXT = "Zażółć gęślą jaźń, 日本語, 🦀"
LONG_TEXT = "aé日🦀" * 7000


class Skip(Exception):
    """The library's API does not support the cell."""


def expect(got, expected):
    if got != expected:
        raise AssertionError(f"got {got!r:.80}, expected {expected!r:.80}")


def binary(size):
    return bytes(i * 31 % 251 for i in range(251)) * (size // 251) + bytes(i * 31 % 251 for i in range(size % 251))


async def close(socket, code=1000, reason=""):
    await socket.close(code, reason)
    expect((await socket.end())[0], code)


def echoes(message):
    async def run():
        async with peer.connect(f"{url}/echo") as socket:
            await socket.send(message)
            expect(await socket.receive(), message)
            await close(socket)

    return run


def says(path, text):
    async def run():
        async with peer.connect(url + path) as socket:
            expect(await socket.receive(), text)
            await close(socket)

    return run


def fragments(parts):
    async def run():
        async with peer.connect(f"{url}/echo") as socket:
            if not socket.send_fragments:
                await close(socket)
                raise Skip("its API cannot send fragments")
            await socket.send_fragments(parts)
            expect(await socket.receive(), parts[0][:0].join(parts))
            await close(socket)

    return run


async def many_messages():
    messages = [f"message {number}" for number in range(1000)]
    async with peer.connect(f"{url}/echo") as socket:
        for message in messages:
            await socket.send(message)
        for message in messages:
            expect(await socket.receive(), message)
        await close(socket)


def pings(payloads):
    async def run():
        async with peer.connect(f"{url}/echo", pongs=True) as socket:
            expect(await socket.pings(payloads), len(payloads))
            await close(socket)

    return run


async def expect_ended(connection, right):
    """Checks how the server reports the end of the connection with this name, which it may notice a moment after us."""
    for _ in range(20):
        async with peer.connect(f"{url}/closed?{connection}") as socket:
            told = await socket.receive()
            await close(socket)
        if right(told):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"the server reports {told}")


async def close_4001():
    async with peer.connect(f"{url}/echo") as socket:
        await close(socket, 4001, "bye")


async def closed_by_client():
    connection = uuid.uuid4().hex
    async with peer.connect(f"{url}/echo?{connection}") as socket:
        await close(socket, 4001, "bye")
    await expect_ended(connection, lambda told: told == "code=4001 reason=bye messages=0")


def closed_by_server(path, *messages):
    async def run():
        connection = uuid.uuid4().hex
        async with peer.connect(f"{url}{path}?{connection}") as socket:
            for message in messages:
                expect(await socket.receive(), message)
            expect(await socket.receive(), None)
            expect(await socket.end(), (4001, "bye"))
        await expect_ended(connection, lambda told: told.startswith("code=4001 "))

    return run


async def message_and_close():
    connection = uuid.uuid4().hex
    async with peer.connect(f"{url}/echo?{connection}") as socket:
        await socket.send("last words")
        await close(socket, 4001, "bye")
    await expect_ended(connection, lambda told: told == "code=4001 reason=bye messages=1")


async def subprotocol():
    async with peer.connect(f"{url}/echo", ["chat", "other"]) as socket:
        expect(socket.protocol, "chat")
        await close(socket)


def rejected(status):
    async def run():
        try:
            async with peer.connect(f"{url}/{status}"):
                raise AssertionError("accepted")
        except Rejected as error:
            expect(error.status, status)
            if error.body is not None:
                expect(bytes(error.body).decode(), REJECTION_BODY)

    return run


def noise(size):
    state = 1
    for _ in range(size):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        yield state >> 16 & 0xFF


def json(size):
    whole, number = "", 0
    while len(whole) < size:
        whole += f'{{"id":{number},"symbol":"ABC","side":"buy","price":{number * 37 % 1000},"size":100}},'
        number += 1
    return whole


def compression(client, server):
    """Messages that repeat parts of earlier ones, except for the noise."""

    async def run():
        if not peer.can_ask(client):
            raise Skip("its API cannot request it")
        record = bytes(noise(80)).hex()
        messages = [record, record, json(1024), json(1024), json(65536), json(1024), TEXT * 100, "", bytes(noise(10_000))]
        messages += [b"", "short", f"plain {json(1024)}", json(2048), f"fragments {json(1024)}{TEXT}", record]
        async with peer.connect(f"{url}/compression/{server}?{client}", compression=client) as socket:
            for message in messages:
                if socket.send_fragments and message[:9] == "fragments":
                    await socket.send_fragments([message[:500], "", message[500:-1], message[-1]])
                else:
                    await socket.send(message)
            for message in messages:
                expect(await socket.receive(), message)
            await close(socket)

    return run


CELLS = [
    ("echo", "text", echoes("hello")),
    ("echo", "non-ASCII text", echoes(TEXT)),
    ("echo", "binary", echoes(bytes(range(256)))),
    ("echo", "empty text", echoes("")),
    ("echo", "empty binary", echoes(b"")),
    ("echo", "70,000 bytes of text", echoes(LONG_TEXT)),
    ("echo", "70,000 bytes of binary", echoes(binary(70_000))),
    ("echo", "16 MiB", echoes(binary(16 * 1024 * 1024))),
    ("echo", "fragments of text, one empty", fragments([*TEXT, "", TEXT])),
    ("echo", "fragments of binary, one empty", fragments([b"\x00", b"", binary(70_000)])),
    ("echo", "1,000 messages at once, in order", many_messages),
    ("echo", "ping by the client", pings(["there?"])),
    ("echo", "1,000 pings by the client", pings([str(number) for number in range(1000)])),
    ("echo", "close 4001", close_4001),
    ("paths", "ping by the server", says("/ping", "pong there?")),
    ("paths", "1,000 pings by the server", says("/flood", "1000 pongs in order")),
    ("paths", "fragments from the server", says("/fragments", "aé日🦀")),
    ("paths", "close 4001 by the client", closed_by_client),
    ("paths", "close 4001 by the server", closed_by_server("/close")),
    ("paths", "a message and a close at once, by the client", message_and_close),
    ("paths", "a message and a close at once, by the server", closed_by_server("/last", "last words")),
    ("paths", "subprotocol", subprotocol),
    *(("paths", f"rejected with {status}", rejected(status)) for status in (401, 403, 404)),
    ("offers", "compression, two offers", compression("two-offers", "defaults")),
    ("compression", "compression, defaults", compression("defaults", "defaults")),
    ("compression", "compression, windows of 15 bits", compression("15-bits", "15-bits")),
    ("compression", "compression, no takeover, as the client asks", compression("no-takeover", "defaults")),
    ("compression", "compression, no takeover, as the server answers", compression("15-bits", "no-takeover")),
    ("compression", "compression, windows of 9 bits, as the client asks", compression("9-bits", "defaults")),
    ("compression", "compression, windows of 9 bits, as the server answers", compression("15-bits", "9-bits")),
    ("compression", "compression, windows of 10 bits, as the client asks", compression("10-bits", "defaults")),
    ("compression", "compression, windows of 10 bits, as the server answers", compression("15-bits", "10-bits")),
]


async def main():
    for group, cell, run in CELLS:
        if group not in selected and cell not in selected:
            continue
        try:
            await asyncio.wait_for(run(), 15)
            print(f"ok\t{cell}\t", flush=True)
        except Skip as why:
            print(f"skip\t{cell}\t{why}", flush=True)
        except Exception as error:
            print(f"FAIL\t{cell}\t{' '.join((str(error) or repr(error)).split())}", flush=True)


asyncio.run(main())
