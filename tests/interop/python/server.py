"""server.py PEER: a server whose behavior depends on the path, with the same paths and texts as the servers in Rust and JavaScript."""

import asyncio
import contextlib
import sys

from peers import PEERS

TEXT = "Zażółć gęślą jaźń, 日本語, 🦀"
ended = {}  # how connections ended, by their name, which is the query of their URL


async def begin(path, name, socket):
    match path:
        case "/close":
            await socket.close(4001, "bye")
        case "/last":
            await socket.send("last words")
            await socket.close(4001, "bye")
        case "/ping":
            await socket.pings(["there?"])
            await socket.send("pong there?")
        case "/flood":
            count = await socket.pings([str(number) for number in range(1000)])
            await socket.send(f"{count} pongs in order")
        case "/fragments" if socket.send_fragments:
            await socket.send_fragments(["a", "é", "", "日", "🦀"])
        case "/binary":
            await socket.send(bytes([0x00, 0x7F, 0x80, 0xFF]))
        case "/closed":
            await socket.send(ended.get(name, ""))


async def behave(target, socket):
    """Serves one connection. Paths other than the above only echo. `/closed?NAME` reports how the connection NAME ended."""
    path, _, name = target.partition("?")
    messages, code, reason = 0, 1006, ""
    try:
        await begin(path, name, socket)
        while (message := await socket.receive()) is not None:
            messages += 1
            if path == "/cut":
                socket.connection.transport.abort()  # without a Close frame
                return
            # After a Close that follows the message, some libraries refuse to send.
            with contextlib.suppress(Exception):
                if path.startswith("/compression/") and socket.send_fragments and message[:9] == "fragments":
                    await socket.send_fragments([message[:500], message[500:]])
                else:
                    await socket.send(message)
        code, reason = await socket.end()
    finally:
        if path != "/closed":
            ended[name] = f"code={code} reason={reason} messages={messages}"


async def main():
    port = await PEERS[sys.argv[1]]().serve(behave)
    print(f"listening on ws://127.0.0.1:{port}", flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(main())
