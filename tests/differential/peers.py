"""One Python peer, wsproto or websockets: a case on each line of the input, its outcome on each line of the output.

Input: kind, setting (the largest message, or whether subprotocols were offered) and the bytes in hex.
Output: verdict|events|what was written, in hex. An empty line asks for all that is not written yet. See src/peers/python.rs.
"""

import logging
import sys

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PROTOCOLS = ["chat", "superchat"]


def choose(offered):
    """Returns the subprotocol that the server selects: the first offered one that it supports."""
    return next((name for name in offered if name in PROTOCOLS), None)


class Wsproto:
    def __init__(self):
        import wsproto.handshake
        from wsproto import ConnectionType, WSConnection, connection, events, utilities

        # Every client sends the same nonce.
        wsproto.handshake.generate_nonce = lambda: KEY.encode()
        self.types, self.events, self.error = ConnectionType, events, utilities.RemoteProtocolError
        self.new, self.open, self.states = WSConnection, connection.Connection, connection.ConnectionState

    def frames(self, role, limit, data):
        connection = self.open(role)
        connection.receive_data(data)
        events, out, parts, verdict = [], b"", [], "open"
        for event in connection.events():
            if isinstance(event, self.events.Message):
                text = isinstance(event, self.events.TextMessage)
                parts.append(event.data.encode() if text else bytes(event.data))
                # wsproto has no message limit; the application enforces one, as Hypercorn does.
                if sum(map(len, parts)) > limit:
                    verdict = "failed 1009"
                    break
                if event.message_finished:
                    events.append(("text:" if text else "binary:") + b"".join(parts).hex())
                    parts = []
            elif isinstance(event, self.events.Ping):
                events.append("ping:" + event.payload.hex())
                out += connection.send(event.response())
            elif isinstance(event, self.events.Pong):
                events.append("pong:" + event.payload.hex())
            elif connection.state is self.states.OPEN:  # a failure, reported as if the peer had sent a Close
                verdict = f"failed {int(event.code)}"
                break
            else:
                code = b"" if event.code == 1005 else int(event.code).to_bytes(2, "big")
                events.append("close:" + (code + (event.reason or "").encode()).hex())
                out += connection.send(event.response())
                verdict = "closed"
        return verdict, events, out

    def frames_to_server(self, limit, data):
        return self.frames(self.types.SERVER, limit, data)

    def frames_to_client(self, limit, data):
        return self.frames(self.types.CLIENT, limit, data)

    def request(self, _, data):
        connection = self.new(self.types.SERVER)
        try:
            connection.receive_data(data)
        except self.error as error:
            return f"rejected {error.event_hint.status_code}", [], b""
        for event in connection.events():
            out = connection.send(self.events.AcceptConnection(subprotocol=choose(event.subprotocols)))
            fields = dict(line.split(b": ", 1) for line in out.split(b"\r\n")[1:-2])
            accept, protocol = fields[b"Sec-WebSocket-Accept"], fields.get(b"Sec-WebSocket-Protocol", b"-")
            return f"accepted {accept.decode()} {protocol.decode()}", [], b""
        return "incomplete", [], b""

    def response(self, offers, data):
        connection = self.new(self.types.CLIENT)
        connection.send(
            self.events.Request(host="example.com", target="/", subprotocols=PROTOCOLS if offers else [])
        )
        try:
            connection.receive_data(data)
        except self.error:
            return "refused", [], b""
        for event in connection.events():
            if isinstance(event, self.events.AcceptConnection):
                return f"accepted s3pPLMBiTxaQ9kYGzzhZRbK+xOo= {event.subprotocol or '-'}", [], b""
            return f"rejected {event.status_code}", [], b""
        return "incomplete", [], b""


class Websockets:
    def __init__(self):
        from websockets import http11
        from websockets.client import ClientProtocol
        from websockets.exceptions import InvalidStatus
        from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
        from websockets.frames import Opcode
        from websockets.protocol import CLIENT, OPEN, SERVER, Protocol
        from websockets.server import ServerProtocol
        from websockets.uri import parse_uri

        # Only the status is compared, so do not wait for the body of a rejection.
        def no_body(*_):
            yield from ()
            return b""

        http11.read_body = no_body
        self.protocol, self.opcodes, self.sides, self.open = Protocol, Opcode, (SERVER, CLIENT), OPEN
        self.server, self.client, self.uri = ServerProtocol, ClientProtocol, parse_uri("ws://example.com/")
        self.extensions, self.invalid_status = [ServerPerMessageDeflateFactory()], InvalidStatus

    def frames(self, side, limit, data):
        protocol = self.protocol(side, max_size=limit)
        protocol.receive_data(data)
        events, parts, verdict = [], [], None
        for frame in protocol.events_received():
            name = frame.opcode.name.lower()
            if name in ("text", "binary", "cont"):
                if name != "cont":
                    kind = name
                parts.append(bytes(frame.data))
                if not frame.fin:
                    continue
                message, parts = b"".join(parts), []
                if kind == "text":
                    # The connections of `websockets` decode text when the application reads it.
                    try:
                        message.decode()
                    except UnicodeDecodeError:
                        if protocol.state is self.open:
                            protocol.fail(1007)
                            verdict = "failed 1007"
                        break
                events.append(f"{kind}:{message.hex()}")
            else:
                events.append(f"{name}:{bytes(frame.data).hex()}")
        if verdict is None:
            if protocol.parser_exc is not None:
                verdict = f"failed {int(protocol.close_sent.code)}"
            else:
                verdict = "open" if protocol.close_rcvd is None else "closed"
        return verdict, events, b"".join(protocol.data_to_send())

    def frames_to_server(self, limit, data):
        return self.frames(self.sides[0], limit, data)

    def frames_to_client(self, limit, data):
        return self.frames(self.sides[1], limit, data)

    def request(self, _, data):
        protocol = self.server(extensions=self.extensions, select_subprotocol=lambda _, offered: choose(offered))
        protocol.receive_data(data)
        for request in protocol.events_received():
            response = protocol.accept(request)
            if response.status_code != 101:
                return f"rejected {response.status_code}", [], b""
            accept = response.headers["Sec-WebSocket-Accept"]
            return f"accepted {accept} {response.headers.get('Sec-WebSocket-Protocol', '-')}", [], b""
        return ("incomplete" if protocol.handshake_exc is None else "refused"), [], b""

    def response(self, offers, data):
        protocol = self.client(self.uri, subprotocols=PROTOCOLS if offers else None)
        protocol.key = KEY
        protocol.send_request(protocol.connect())
        protocol.receive_data(data)
        error = protocol.handshake_exc
        if isinstance(error, self.invalid_status):
            return f"rejected {error.response.status_code}", [], b""
        if error is not None:
            return "refused", [], b""
        if protocol.events_received():
            return f"accepted s3pPLMBiTxaQ9kYGzzhZRbK+xOo= {protocol.subprotocol or '-'}", [], b""
        return "incomplete", [], b""


def main():
    logging.disable()
    peer = {"wsproto": Wsproto, "websockets": Websockets}[sys.argv[1]]()
    print("ready", flush=True)
    for line in sys.stdin:
        if line == "\n":  # the end of a batch: the reader waits for the outcomes
            sys.stdout.flush()
            continue
        kind, setting, data = line.rstrip("\n").split(" ")
        try:
            verdict, events, out = getattr(peer, kind)(int(setting), bytes.fromhex(data))
        except Exception as error:
            verdict, events, out = f"crashed {type(error).__name__}", [], b""
        sys.stdout.write(f"{verdict}|{' '.join(events)}|{out.hex()}\n")


main()
