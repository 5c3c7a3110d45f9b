"""The peers written in Python: each library with the same small API, as a client and as a server.

A socket has: receive() -> a message or None for the end; send(message); send_fragments(parts), None if the library cannot;
pings(payloads), which waits for the pongs and returns how many; close(code, reason), with the closing handshake;
end() -> (code, reason) of the peer's Close, 1006 if there was none; protocol.
"""

import asyncio
import contextlib
import importlib
import os

from bridged import Bridged

TIME = 10
MAX_MESSAGE = 32 * 1024 * 1024
REJECTION_BODY = "no entry\n"


class Rejected(Exception):
    """A status, and the body if the library provides it."""

    def __init__(self, status, body=None):
        super().__init__(f"status {status}")
        self.status, self.body = status, body


def rejection(path):
    """The status for the paths /401, /403 and /404."""
    return int(path[1:]) if path.startswith("/4") else None


class WebsocketsSocket:
    """A connection of `websockets`, or of `picows.websockets`, which has the same API on its own protocol implementation."""

    def __init__(self, connection, over):
        self.connection, self.send, self.over = connection, connection.send, over
        self.protocol = connection.subprotocol

    async def receive(self):
        try:
            return await asyncio.wait_for(self.connection.recv(), TIME)
        except self.over:
            return None

    async def send_fragments(self, parts):
        # The fragments of a text are strings, so they cannot be split inside a character.
        await self.connection.send(parts)

    async def pings(self, payloads):
        waiters = [await self.connection.ping(payload) for payload in payloads]
        await asyncio.wait_for(asyncio.gather(*waiters), TIME)
        return len(waiters)

    async def close(self, code, reason):
        await self.connection.close(code, reason)

    async def end(self):
        await asyncio.wait_for(self.connection.wait_closed(), TIME)
        return self.connection.close_code, self.connection.close_reason


class Websockets:
    """`module` is websockets or picows.websockets."""

    def __init__(self, module):
        self.module = importlib.import_module(module)
        self.errors = importlib.import_module(f"{module}.exceptions")

    def can_ask(self, setting):
        return True

    def extensions(self, role, setting):
        """The compression settings, by their names in the matrix; None for the library's defaults."""
        small = {"server_max_window_bits": 12, "client_max_window_bits": 12}
        offers = {
            "15-bits": [{}],
            "two-offers": [small, {}],
            "no-takeover": [{"server_no_context_takeover": True, "client_no_context_takeover": True}],
            "9-bits": [{"server_max_window_bits": 9, "client_max_window_bits": 9}],
            "10-bits": [{"server_max_window_bits": 10, "client_max_window_bits": 10}],
        }.get(setting)
        if offers is None:
            return None
        deflate = importlib.import_module("websockets.extensions.permessage_deflate")
        return [getattr(deflate, f"{role}PerMessageDeflateFactory")(**parameters) for parameters in offers]

    def socket(self, connection):
        return WebsocketsSocket(connection, self.errors.ConnectionClosed)

    @contextlib.asynccontextmanager
    async def connect(self, url, protocols=(), pongs=False, compression=None):
        try:
            more = {"extensions": self.extensions("Client", compression)} if compression else {}
            async with self.module.connect(
                url, subprotocols=list(protocols) or None, max_size=MAX_MESSAGE, **more
            ) as connection:
                yield self.socket(connection)
        except self.errors.InvalidStatus as error:
            # picows does not provide the body.
            raise Rejected(error.response.status_code, error.response.body or None) from None

    async def serve(self, behave):
        def process_request(connection, request):
            setting = request.path.partition("?")[0].removeprefix("/compression/")
            if extensions := self.extensions("Server", setting):
                connection.protocol.available_extensions = extensions
            status = rejection(request.path)
            return connection.respond(status, REJECTION_BODY) if status else None

        server = await self.module.serve(
            lambda connection: behave(connection.request.path, self.socket(connection)),
            "127.0.0.1",
            0,
            max_size=MAX_MESSAGE,
            process_request=process_request,
            select_subprotocol=lambda connection, offered: offered[0] if offered else None,
        )
        return server.sockets[0].getsockname()[1]


class AiohttpSocket:
    send_fragments = None  # not in its API

    def __init__(self, connection):
        self.connection = connection
        self.protocol = connection.protocol if hasattr(connection, "protocol") else connection.ws_protocol
        self.closed = None

    async def receive(self):
        message = await self.connection.receive(TIME)
        kinds = type(message.type)
        if message.type in (kinds.TEXT, kinds.BINARY):
            return message.data
        if message.type is kinds.ERROR:
            raise message.data
        if message.type is kinds.CLOSE:
            self.closed = message.data, message.extra
        return None

    async def send(self, message):
        await (self.connection.send_str if isinstance(message, str) else self.connection.send_bytes)(message)

    async def pings(self, payloads):
        for payload in payloads:
            await self.connection.ping(payload.encode())
        for payload in payloads:
            pong = await self.connection.receive(TIME)
            if pong.data != payload.encode():
                raise AssertionError(f"got {pong.data!r:.80}, expected pong {payload!r}")
        return len(payloads)

    async def close(self, code, reason):
        await self.connection.close(code=code, message=reason.encode())

    async def end(self):
        while not self.connection.closed:
            await self.receive()
        # The reason is not available if the Close was the reply to ours.
        return self.closed or (self.connection.close_code, "")


class Aiohttp:
    def can_ask(self, setting):
        return setting != "no-takeover"

    def __init__(self):
        self.aiohttp = importlib.import_module("aiohttp")
        self.web = importlib.import_module("aiohttp.web")

    @contextlib.asynccontextmanager
    async def connect(self, url, protocols=(), pongs=False, compression=None):
        # It either replies to pings or reports pongs.
        async with self.aiohttp.ClientSession() as session:
            try:
                connection = await session.ws_connect(
                    url,
                    protocols=protocols,
                    max_msg_size=MAX_MESSAGE,
                    autoping=not pongs,
                    # The window that it requests from the server, and uses itself.
                    compress={"defaults": 15, "15-bits": 15, "9-bits": 9, "10-bits": 10}.get(compression, 0),
                )
            except self.aiohttp.WSServerHandshakeError as error:
                raise Rejected(error.status) from None
            async with connection:
                yield AiohttpSocket(connection)

    async def serve(self, behave):
        async def handle(request):
            status = rejection(request.path)
            if status:
                return self.web.Response(status=status, text=REJECTION_BODY)
            offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
            protocols = [offered[0].strip()] if offered[0] else []
            response = self.web.WebSocketResponse(
                protocols=protocols, max_msg_size=MAX_MESSAGE, autoping=request.path not in ("/ping", "/flood")
            )
            await response.prepare(request)
            await behave(request.path_qs, AiohttpSocket(response))
            return response

        app = self.web.Application()
        app.router.add_get("/{path:.*}", handle)
        runner = self.web.AppRunner(app)
        await runner.setup()
        site = self.web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner.addresses[0][1]


class CurlSocket:
    """curl_ws_send and curl_ws_recv of libcurl, which leave the reply to a Close to the caller.

    Here, the caller also replies to Pings: libcurl was observed not to send its own Pong while the caller only receives.
    """

    def __init__(self, pycurl, curl, protocol):
        self.pycurl, self.curl, self.protocol = pycurl, curl, protocol
        self.closed = self.sent = None

    async def call(self, function, *arguments):
        async with asyncio.timeout(TIME):
            while True:
                with contextlib.suppress(BlockingIOError):
                    return function(*arguments)
                await asyncio.sleep(0.001)

    async def receive_any(self):
        """The next complete message or control frame, and its flags."""
        payload, more = bytearray(), True
        while more:
            data, meta = await self.call(self.curl.ws_recv, 1 << 20)
            payload += data
            more = meta.bytesleft > 0 or meta.flags & self.pycurl.WS_CONT
        return bytes(payload), meta.flags

    async def receive(self):
        while True:
            payload, flags = await self.receive_any()
            if flags & self.pycurl.WS_CLOSE:
                self.closed = int.from_bytes(payload[:2], "big"), payload[2:].decode()
                await self.close(self.closed[0], "")
                return None
            if flags & self.pycurl.WS_PING:
                await self.send_frame(payload, self.pycurl.WS_PONG)
            if flags & self.pycurl.WS_TEXT:
                return payload.decode()
            if flags & self.pycurl.WS_BINARY:
                return payload

    async def send_frame(self, payload, flags):
        sent = await self.call(self.curl.ws_send, payload, flags)
        while sent < len(payload):
            sent += await self.call(self.curl.ws_send, payload[sent:], flags)

    async def send(self, message):
        if isinstance(message, str):
            await self.send_frame(message.encode(), self.pycurl.WS_TEXT)
        else:
            await self.send_frame(message, self.pycurl.WS_BINARY)

    async def send_fragments(self, parts):
        kind = self.pycurl.WS_TEXT if isinstance(parts[0], str) else self.pycurl.WS_BINARY
        parts = [part.encode() if isinstance(part, str) else part for part in parts]
        for part in parts[:-1]:
            await self.send_frame(part, kind | self.pycurl.WS_CONT)
        await self.send_frame(parts[-1], kind)

    async def pings(self, payloads):
        for payload in payloads:
            await self.send_frame(payload.encode(), self.pycurl.WS_PING)
        for payload in payloads:
            pong, flags = await self.receive_any()
            if pong != payload.encode() or not flags & self.pycurl.WS_PONG:
                raise AssertionError(f"got {pong!r:.80}, expected pong {payload!r}")
        return len(payloads)

    async def close(self, code, reason):
        if not self.sent:
            self.sent = code, reason
            await self.call(self.curl.ws_close, code, reason)

    async def end(self):
        while not self.closed:
            await self.receive()
        return self.closed


class Curl:
    """A client only."""

    def __init__(self):
        self.pycurl = importlib.import_module("pycurl")

    @contextlib.asynccontextmanager
    async def connect(self, url, protocols=(), pongs=False, compression=None):
        head = []
        curl = self.pycurl.Curl()
        curl.setopt(curl.URL, url)
        curl.setopt(curl.CONNECT_ONLY, 2)
        curl.setopt(curl.WS_OPTIONS, self.pycurl.WS_NOAUTOPONG)
        curl.setopt(curl.TIMEOUT, TIME)
        curl.setopt(curl.HEADERFUNCTION, lambda line: head.append(line.decode().strip()))
        if protocols:
            curl.setopt(curl.HTTPHEADER, [f"Sec-WebSocket-Protocol: {', '.join(protocols)}"])
        try:
            try:
                curl.perform()
            except self.pycurl.error as error:
                raise Rejected(curl.getinfo(curl.RESPONSE_CODE)) from error
            chosen = [line.split(": ")[1] for line in head if line.lower().startswith("sec-websocket-protocol: ")]
            yield CurlSocket(self.pycurl, curl, *chosen or [None])
        finally:
            curl.close()


class TornadoSocket:
    send_fragments = None  # not in its API

    def __init__(self, connection, protocol):
        self.connection, self.protocol = connection, protocol or None
        self.messages, self.pongs, self.over = asyncio.Queue(), asyncio.Queue(), False
        connection.on_pong = self.pongs.put_nowait

    async def receive(self):
        message = None if self.over else await asyncio.wait_for(self.messages.get(), TIME)
        self.over = message is None
        return message

    async def send(self, message):
        await self.connection.write_message(message, binary=isinstance(message, bytes))

    async def pings(self, payloads):
        for payload in payloads:
            self.connection.ping(payload)
        for payload in payloads:
            pong = await asyncio.wait_for(self.pongs.get(), TIME)
            if pong != payload.encode():
                raise AssertionError(f"got {pong!r:.80}, expected pong {payload!r}")
        return len(payloads)

    async def close(self, code, reason):
        self.connection.close(code, reason)

    async def end(self):
        while await self.receive() is not None:
            pass
        # The code and reason of the peer's Close; 1006 if the transport ended without one.
        return self.connection.close_code or 1006, self.connection.close_reason or ""


class Tornado:
    def __init__(self):
        self.websocket = importlib.import_module("tornado.websocket")
        self.web = importlib.import_module("tornado.web")
        self.errors = importlib.import_module("tornado.httpclient")

    def can_ask(self, setting):
        return setting == "defaults"

    @contextlib.asynccontextmanager
    async def connect(self, url, protocols=(), pongs=False, compression=None):
        try:
            connection = await self.websocket.websocket_connect(
                url,
                subprotocols=list(protocols) or None,
                max_message_size=MAX_MESSAGE,
                compression_options={} if compression else None,
            )
        except self.errors.HTTPClientError as error:
            raise Rejected(error.code) from None
        socket = TornadoSocket(connection, connection.selected_subprotocol)

        async def read():
            while (message := await connection.read_message()) is not None:
                socket.messages.put_nowait(message)
            socket.messages.put_nowait(None)

        reading = asyncio.ensure_future(read())
        try:
            yield socket
        finally:
            reading.cancel()

    async def serve(self, behave):
        class Handler(self.websocket.WebSocketHandler):
            async def get(self, *arguments):
                if status := rejection(self.request.path):
                    self.set_status(status)
                    self.finish(REJECTION_BODY)
                else:
                    await super().get(*arguments)

            def select_subprotocol(self, offered):
                return offered[0] if offered and offered[0] else None

            def get_compression_options(self):
                return {} if self.request.path.startswith("/compression/") else None

            def open(self, *arguments):
                self.socket = TornadoSocket(self, None)
                self.behaving = asyncio.ensure_future(behave(self.request.uri, self.socket))

            def on_message(self, message):
                self.socket.messages.put_nowait(message)

            def on_close(self):
                self.socket.messages.put_nowait(None)

        app = self.web.Application([(r"/.*", Handler)], websocket_max_message_size=MAX_MESSAGE)
        server = app.listen(0, "127.0.0.1")
        return next(iter(server._sockets.values())).getsockname()[1]


class WebsocketClientSocket:
    """A connection of `websocket-client`, which is blocking, so each call runs in a thread. It does not support compression."""

    def __init__(self, module, connection):
        self.abnf, self.connection = module.ABNF, connection
        self.protocol, self.closed = connection.getsubprotocol(), None

    async def next(self):
        opcode, payload = await asyncio.to_thread(self.connection.recv_data, True)
        if opcode == self.abnf.OPCODE_CLOSE:
            self.closed = (int.from_bytes(payload[:2], "big"), payload[2:].decode()) if payload else (1005, "")
        return opcode, payload

    async def receive(self):
        while not self.closed:
            opcode, payload = await self.next()
            if opcode == self.abnf.OPCODE_TEXT:
                return payload.decode()
            if opcode == self.abnf.OPCODE_BINARY:
                return bytes(payload)
        return None

    async def send(self, message):
        binary = isinstance(message, bytes)
        opcode = self.abnf.OPCODE_BINARY if binary else self.abnf.OPCODE_TEXT
        await asyncio.to_thread(self.connection.send, message, opcode)

    async def send_fragments(self, parts):
        opcode = self.abnf.OPCODE_TEXT if isinstance(parts[0], str) else self.abnf.OPCODE_BINARY
        for at, part in enumerate(parts):
            part = part.encode() if isinstance(part, str) else part
            self.connection.send_frame(self.abnf.create_frame(part, opcode, int(at == len(parts) - 1)))
            opcode = self.abnf.OPCODE_CONT

    async def pings(self, payloads):
        for payload in payloads:
            self.connection.ping(payload)
        for payload in payloads:
            opcode, pong = await self.next()
            if (opcode, pong) != (self.abnf.OPCODE_PONG, payload.encode()):
                raise AssertionError(f"got {pong!r:.80}, expected pong {payload!r}")
        return len(payloads)

    async def close(self, code, reason):
        self.connection.send_close(code, reason.encode())

    async def end(self):
        while not self.closed:
            await self.receive()
        return self.closed


class WebsocketClient:
    """A client only."""

    def __init__(self):
        self.module = importlib.import_module("websocket")

    def can_ask(self, setting):
        return False

    @contextlib.asynccontextmanager
    async def connect(self, url, protocols=(), pongs=False, compression=None):
        def connect():
            return self.module.create_connection(url, subprotocols=list(protocols) or None, timeout=TIME)

        try:
            connection = await asyncio.to_thread(connect)
        except self.module.WebSocketBadStatusException as error:
            raise Rejected(error.status_code, error.resp_body or None) from None
        try:
            yield WebsocketClientSocket(self.module, connection)
        finally:
            connection.shutdown()


def bridged(command, *settings, fragments=False):
    return lambda: Bridged(command, settings, Rejected, TIME, fragments)


# The directory of the programs built by tests/interop/run.
BRIDGES = os.environ.get("BRIDGES", "")
GO = f"{BRIDGES}/bridge"
JARS = [f"/usr/share/java/netty-{name}.jar" for name in ("buffer", "codec", "codec-http", "common", "handler", "resolver", "transport")]


NETTY = ["java", "-cp", ":".join([BRIDGES, *JARS]), "Bridge"]

PEERS = {
    "tornado": Tornado,
    "websocket-client": WebsocketClient,
    "gorilla": bridged([GO, "gorilla"], "no-takeover"),
    "nhooyr": bridged([GO, "nhooyr"], "no-takeover", "defaults"),
    "netty": bridged(NETTY, "defaults", "no-takeover", fragments=True),
    "websockets": lambda: Websockets("websockets"),
    "picows": lambda: Websockets("picows.websockets"),
    "aiohttp": Aiohttp,
    "curl": Curl,
}
