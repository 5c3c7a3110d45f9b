"""A TCP relay that reads the WebSocket frames of both directions, and inflates compressed messages with Python's zlib.

The verdict on a compression cell depends on it, because it shows what both sides actually send.
"""

import contextlib
import socket
import threading
import zlib

EXTENSION = "permessage-deflate"


class Direction:
    """What one side sent: its handshake head and its messages."""

    def __init__(self):
        self.buffer, self.head, self.wrong = bytearray(), None, None
        self.messages = []  # (compressed, payload as sent)
        self.fragmented = 0  # messages in more than one frame

    def feed(self, data):
        self.buffer += data
        if self.head is None:
            head, end, rest = bytes(self.buffer).partition(b"\r\n\r\n")
            if not end:
                return
            self.head, self.buffer = head.decode("latin-1"), bytearray(rest)
        while self.frame():
            pass

    def frame(self):
        buffer = self.buffer
        if len(buffer) < 2:
            return False
        length, at = buffer[1] & 0x7F, 2
        if length > 125:
            at += 2 if length == 126 else 8
            length = int.from_bytes(buffer[2:at], "big")
        mask = at
        at += 4 if buffer[1] & 0x80 else 0
        if len(buffer) < at + length:
            return False
        payload = bytes(buffer[at : at + length])
        if at > mask:
            key = (bytes(buffer[mask:at]) * (length // 4 + 1))[:length]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
        opcode, rsv, final = buffer[0] & 0x0F, buffer[0] & 0x70, buffer[0] >> 7
        del buffer[: at + length]
        if rsv and (rsv != 0x40 or opcode not in (1, 2)):
            self.wrong = f"RSV bits {rsv:#04x} on a frame of opcode {opcode}"
        if opcode in (1, 2):
            self.messages.append((rsv == 0x40, payload))
        elif opcode == 0:
            compressed, front = self.messages[-1]
            self.fragmented += final
            self.messages[-1] = compressed, front + payload
        return True

    def target(self):
        return self.head.split(" ")[1]

    def parameters(self):
        """The parameters of the first occurrence of the extension, or None."""
        for line in (self.head or "").split("\r\n"):
            name, _, value = line.partition(":")
            if name.lower() == "sec-websocket-extensions" and value.strip().startswith(EXTENSION):
                first = value.split(",")[0].split(";")[1:]
                return {name.strip(): value.strip(' "') for name, _, value in (one.partition("=") for one in first)}
        return None

    def inflated(self, bits, takeover):
        """The messages, as inflated by zlib with this window, which is reset for each message if there is no takeover."""
        inflate = zlib.decompressobj(-bits)
        for compressed, payload in self.messages:
            if compressed:
                if not takeover:
                    inflate = zlib.decompressobj(-bits)
                payload = inflate.decompress(payload + b"\0\0\xff\xff")
            yield payload


class Relay:
    def __init__(self, url):
        self.server = url.removeprefix("ws://").split(":")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections, self.threads = [], []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection((self.server[0], int(self.server[1])))
                there, back = Direction(), Direction()
                self.connections.append((there, back))
                for ends in ((client, server, there), (server, client, back)):
                    thread = threading.Thread(target=self.copy, args=ends, daemon=True)
                    self.threads.append(thread)
                    thread.start()

    def copy(self, source, sink, direction):
        with contextlib.suppress(OSError):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := source.recv(1 << 16):
                # Before the data is forwarded, so that everything is recorded when the client finishes.
                direction.feed(data)
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def find(self, target):
        found = [ends for ends in self.connections if ends[0].head and ends[0].target() == target]
        return found[-1] if found else None


@contextlib.contextmanager
def relaying(url):
    relay = Relay(url)
    try:
        yield relay
    finally:
        relay.listener.close()


def check(ends, settings):
    """Returns what was negotiated and seen on a connection, and what is wrong with it for these settings, or None."""
    if ends is None:
        return "", "no connection"
    there, back = ends
    offer, answer = there.parameters(), back.parameters()
    if offer is None or answer is None:
        return "", "compression was not negotiated"
    said = "; ".join("=".join(filter(None, pair)) for pair in answer.items()) or "no parameters"
    windows = {
        side: (
            # A client is bound by what it offers for itself, even if the server does not repeat it.
            min(int(source.get(f"{side}_max_window_bits") or 15) for source in sources),
            not any(f"{side}_no_context_takeover" in source for source in sources),
        )
        for side, sources in (("client", (offer, answer)), ("server", (answer,)))
    }
    # Without takeover, a server may choose any window.
    wanted = {setting.removesuffix("-bits") for setting in settings if setting.endswith("-bits")}
    if "no-takeover" in settings:
        wanted = set()
    for side, (bits, takeover) in windows.items():
        # If the offer does not allow limiting the client's window, a server that wants a smaller one disables takeover.
        left_alone = side == "client" and "client_max_window_bits" not in offer
        if not left_alone and takeover == ("no-takeover" in settings):
            return said, f"takeover by the {side}: {takeover}"
        # `client-N` limits only the client's window; `hint-N` is a smaller limit by the client. 15 is the default.
        limits = [int(setting.split("-")[1]) for setting in settings if setting.startswith(("client-", "hint-"))]
        if limits and side == "client" and bits != min(limits):
            return said, f"a window of {bits} bits by the client"
        # A client whose offer has no value for its own window has only limited the server's.
        asked = side == "server" or settings[0] == "15-bits" or offer.get("client_max_window_bits")
        if wanted and asked and bits != min(map(int, wanted)):
            return said, f"a window of {bits} bits by the {side}"
    texts, sizes = {}, {}
    for side, direction in (("client", there), ("server", back)):
        if direction.wrong:
            return said, f"{direction.wrong} by the {side}"
        try:
            texts[side] = list(direction.inflated(*windows[side]))
        except zlib.error as error:
            return said, f"zlib cannot inflate the messages of the {side}: {error}"
        whole, size = sum(map(len, texts[side])), sum(len(payload) for _, payload in direction.messages)
        compressed = [len(payload) if compressed else None for compressed, payload in direction.messages]
        sizes[side] = f"{size:,} ({len(compressed) - compressed.count(None)} of {len(compressed)} messages"
        sizes[side] += f", {direction.fragmented} in fragments)" if direction.fragmented else ")"
        if len(compressed) < 12 or len(compressed) - compressed.count(None) < 5 or size > whole / 2:
            return said, f"{whole:,} bytes by the {side} as {sizes[side]}"
        # The first two messages are the same, and so are the next two: with takeover, the second refers to the first.
        first, second = compressed[0:2] if compressed[0] and compressed[1] else compressed[2:4]
        if (second < first / 2) != windows[side][1]:
            return said, f"takeover by the {side} {windows[side][1]}, but the same message twice took {first} and {second} bytes"
    if texts["client"] != texts["server"]:
        return said, "the inflated messages of the server and the client differ"
    return f"{said}; {whole:,} bytes compressed as {sizes['client']} there, {sizes['server']} back", None
