#!/usr/bin/env python3
"""handwritten.py CAT: tests the `cat` example with handwritten servers on sockets, as in tutorials.

Each does something that libraries do not do: it sends the shortest possible response, sends a frame in the packet of the response,
does not reply to a Close, or ends the transport immediately after its own Close.
"""

import base64
import hashlib
import socket
import sys
import threading
import time

from cat import cat, cat_at_a_terminal, check, expect, expect_words

PEER = "cat/handwritten"


def answer(connection, front=b""):
    """Reads the request, and sends a 101 with only the required fields, in one packet with `front`."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(4096)
    key = next(line.split(b": ")[1] for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: "))
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    lines = [b"HTTP/1.1 101", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Accept: " + accept, b"", b""]
    connection.sendall(b"\r\n".join(lines) + front)


def frame(connection):
    """Reads the client's next small frame and unmasks it."""
    head = connection.recv(6, socket.MSG_WAITALL)
    payload = connection.recv(head[1] & 0x7F, socket.MSG_WAITALL)
    return head[0], bytes(byte ^ head[2 + at % 4] for at, byte in enumerate(payload))


def echo(connection, front=b""):
    answer(connection, front)
    while True:
        first, payload = frame(connection)
        connection.sendall(bytes([first, len(payload)]) + payload)
        if first == 0x88:
            return


def answers_no_close(connection):
    answer(connection)
    while frame(connection)[0] != 0x88:
        pass
    connection.settimeout(60)
    connection.recv(1)  # until the client ends the transport


def closes_and_ends(connection):
    answer(connection, b"\x88\x05\x0f\xa1bye")


def serve(behave):
    """Serves one connection. Returns the URL."""

    def run():
        with listener, listener.accept()[0] as connection:
            behave(connection)

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=run, daemon=True).start()
    return f"ws://127.0.0.1:{listener.getsockname()[1]}/"


def shortest_response():
    expect(cat(serve(echo), ["hello", "again"], answers=2)[:2], (0, ["hello", "again"]))


def frame_behind_the_response():
    url = serve(lambda connection: echo(connection, b"\x81\x05first"))
    expect(cat(url, ["second"], answers=2)[:2], (0, ["first", "second"]))


def no_answer_to_a_close():
    start = time.monotonic()
    status, _, stderr = cat(serve(answers_no_close), [])
    expect((status > 0, time.monotonic() - start < 14), (True, True))
    expect_words(stderr, "not clean")


def end_right_after_the_close():
    status, _, stderr = cat_at_a_terminal(serve(closes_and_ends))
    expect_words(stderr, "4001", "bye")
    expect(status, 0)


if __name__ == "__main__":
    check(PEER, "the shortest possible response", shortest_response)
    check(PEER, "a frame in the packet of the response", frame_behind_the_response)
    check(PEER, "a server that does not reply to a Close is abandoned, exit code not 0", no_answer_to_a_close)
    check(PEER, "a server that ends the transport immediately after its Close", end_right_after_the_close)
