"""websockets_echo.py URL: Python's `websockets` as a client of an echo server."""

import sys

from websockets.sync.client import connect

PEER = "websockets"
TEXT = "Zażółć gęślą jaźń, 日本語, 🦀"
LONG_TEXT = "aé日🦀" * 7000
LONG_BINARY = bytes(i * 31 % 251 for i in range(70000))


def check(name, run, code=1000):
    """Runs one case on a connection of its own, which has to end with this code from the server."""
    try:
        with connect(sys.argv[1], open_timeout=10, close_timeout=10, max_size=None) as socket:
            run(socket)
            socket.close()
            expect(socket.close_code, code)
        print(f"ok   {PEER:12} {name}")
    except Exception as error:
        print(f"FAIL {PEER:12} {name}: {str(error) or repr(error)}")
    sys.stdout.flush()


def expect(got, expected):
    if got != expected:
        raise AssertionError(f"got {got!r:.80}, expected {expected!r:.80}")


def echoes(message):
    def run(socket):
        socket.send(message)
        expect(socket.recv(timeout=10), message)

    return run


def fragments(parts):
    def run(socket):
        socket.send(parts)
        expect(socket.recv(timeout=10), parts[0][:0].join(parts))

    return run


def ping(socket):
    if not socket.ping(b"there?").wait(10):
        raise AssertionError("no pong within 10 s")


check("text", echoes("hello"))
check("non-ASCII text", echoes(TEXT))
check("binary", echoes(bytes(range(256))))
check("empty text", echoes(""))
check("empty binary", echoes(b""))
check("70,000 bytes of text", echoes(LONG_TEXT))
check("70,000 bytes of binary", echoes(LONG_BINARY))
check("fragments of text", fragments([*TEXT, "", TEXT]))
check("fragments of binary", fragments([b"\x00", b"", LONG_BINARY]))
check("ping", ping)
check("close with 4001", lambda socket: socket.close(4001, "bye"), code=4001)
