"""Servers and clients on asyncio.

A server::

    async def echo(websocket):
        async for message in websocket:
            await websocket.send(message)

    async with serve(echo, "localhost", 9001) as server:
        await server.serve_forever()

A client::

    async with connect("ws://localhost:9001/") as websocket:
        await websocket.send("Hello")
        print(await websocket.recv())

Pings, timeouts, flow control in both directions and the closing handshake are included; :class:`websocket_proto.Config` sets their
limits. ``ssl=`` adds TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl as tls
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple, cast

from ._core import Close, ClientRequest, Config, End, Endpoint, Ping, Pong, Prepared, Request, Response, Step
from ._errors import ConnectionClosed, HandshakeFailed, Misuse, OutputFull, WebSocketError

__all__ = ["Protocol", "Reply", "Server", "WebSocket", "broadcast", "connect", "serve"]

logger = logging.getLogger("websocket_proto")

# What the transport gets at a time. While it holds any of it, the rest waits in the endpoint, whose limits and deadlines apply.
WRITE_SIZE = 256 * 1024
READ_SIZE = 64 * 1024
# How many messages wait for `recv` before nothing more is read.
MOST_MESSAGES = 16

Message = str | bytes
Event = str | bytes | Ping | Pong | Close


class Protocol(asyncio.BufferedProtocol):
    """Drives an endpoint on a transport of asyncio.

    Subclasses override the callbacks, in which they may send and close. A message that arrives is handled in the callback that
    asyncio makes for the read, without a task: the fastest way, for programs that need no ``await``.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._space: memoryview | None = None
        # Other loops, such as uvloop, keep the buffer while they report what was read into it, so they get one of their own.
        self._copied = None if isinstance(self._loop, asyncio.BaseEventLoop) else memoryview(bytearray(READ_SIZE))
        self._timer: asyncio.TimerHandle | None = None
        self._is_driving = False
        self._is_blocked = False  # the transport still has some of what it got
        self._is_shut_down = False
        self._is_paused = False
        self._reads = True
        self._rejection: Response | None = None

    # Callbacks.

    def request_received(self, request: Request) -> None:
        """A server's request has arrived. Call :meth:`accept` or :meth:`respond`, now or later."""
        self.accept()

    def opened(self, response: Response | None) -> None:
        """The connection is open. A client gets the response of the server."""

    def event_received(self, event: Event) -> None:
        """A message, a Ping, a Pong or a Close has arrived. Pings and Closes are answered automatically."""

    def drained(self) -> None:
        """The transport has accepted output: if it was full, messages can be sent again."""

    def ended(self, end: End, response: Response | None) -> None:
        """The endpoint has ended, and the transport is closed. A client that was rejected gets the response."""

    # Calls.

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint. After a call that produces output, call :meth:`drive`."""
        if self._space is not None:  # it is not read into while Python code runs
            self._space.release()
            self._space = None
        return self._endpoint

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport, for its ``get_extra_info``."""
        return self._transport

    @property
    def end(self) -> End | None:
        """How the endpoint ended, once it has."""
        return self.endpoint.end

    def accept(self, *, subprotocol: str | None = None, headers: Sequence[tuple[str, str]] = ()) -> bool:
        """Accepts the request. ``False``: it is not valid, and a 400 or 426 was sent instead."""
        accepted = self.endpoint.accept(subprotocol=subprotocol, headers=headers)
        if accepted:
            self.opened(None)
        self.drive()
        return accepted

    def respond(self, status: int, body: bytes = b"", *, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Answers the request with another response than the one that opens a connection."""
        self.endpoint.respond(status, body, headers=headers)
        self.drive()

    def send_nowait(self, message: Message | bytearray | memoryview | Prepared) -> None:
        """Sends a message without waiting. Raises :class:`OutputFull` if the peer reads too slowly."""
        self.endpoint.send(message)
        self.drive()

    def close_nowait(self, code: int | None = 1000, reason: str = "") -> None:
        """Starts the closing handshake, if the connection is open."""
        with contextlib.suppress(ConnectionClosed):
            self.endpoint.close(code, reason)
        self.drive()

    def abort(self) -> None:
        """Ends the endpoint and closes the transport immediately."""
        self.endpoint.abort()
        self.drive()

    def pause_events(self) -> None:
        """Stops the callbacks for events. After one more read nothing is read either, so the peer's transport slows it down."""
        self._is_paused = True

    def resume_events(self) -> None:
        """Continues the callbacks for events, in this call if some wait."""
        self._is_paused = False
        self.drive()

    def drive(self) -> None:
        """Does all that can be done now. In a callback it does nothing, because the caller of the callback continues."""
        transport = self._transport
        if self._is_driving or transport is None:
            return
        self._is_driving = True
        try:
            self._drive(self.endpoint, transport)
        except BaseException:
            transport.abort()
            raise
        finally:
            self._is_driving = False

    def _drive(self, endpoint: Endpoint, transport: asyncio.Transport) -> None:
        endpoint.ready()
        reads = False
        while True:
            now = self._loop.time()
            # The endpoint returns no other step while events wait, so output is written separately.
            step = endpoint.flush_step(now) if self._is_paused else endpoint.step(now)
            if step is Step.EVENT:
                while not self._is_paused and (event := endpoint.next_event()) is not None:
                    self.event_received(event)
            elif step is Step.READ:
                reads = True
                endpoint.read_blocked()
            elif step is Step.WAIT or step is None:
                break
            elif step is Step.DONE:
                return self._finish(endpoint, transport)
            elif step is Step.REQUEST:
                self._request(endpoint)
            elif step is Step.RESPONSE:
                self._response(endpoint)
            elif self._is_blocked:
                endpoint.write_blocked()
            elif step is Step.WRITE:
                output = endpoint.output(WRITE_SIZE)
                transport.write(output)
                endpoint.written(len(output))
                self.drained()
            elif step is Step.FLUSH:
                endpoint.flushed()
            else:
                self._shut_down(transport)
                self.endpoint.shut_down()  # TLS has looked for more to read
        if not self._is_paused:  # or nothing is known, and one more read does no harm
            self._set_reading(reads)
        deadline = endpoint.deadline
        if deadline is not None and (self._timer is None or deadline < self._timer.when()):
            self._set_timer(deadline)

    def _set_reading(self, reads: bool) -> None:
        if self._transport is not None and reads is not self._reads:
            self._reads = reads
            self._transport.resume_reading() if reads else self._transport.pause_reading()

    def _request(self, endpoint: Endpoint) -> None:
        request = endpoint.take_request()
        if request is not None:
            self.request_received(request)

    def _response(self, endpoint: Endpoint) -> None:
        response = endpoint.take_response()
        if response is not None and response.status == 101:
            self.opened(response)
        else:
            self._rejection = response

    def _shut_down(self, transport: asyncio.Transport) -> None:
        self._is_shut_down = True
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()  # TLS: sends close_notify, and waits for that of the peer

    def _finish(self, endpoint: Endpoint, transport: asyncio.Transport) -> None:
        end = endpoint.end
        self._set_timer(None)
        transport.abort()
        if end is None:  # the transport has failed, and events wait
            return
        self._transport = None
        self.ended(end, self._rejection)

    def _set_timer(self, deadline: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._timed_out)

    def _timed_out(self) -> None:
        self._timer = None
        self.drive()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        # `pause_writing` then says that the transport holds output, and `resume_writing` that it has written everything.
        transport.set_write_buffer_limits(high=1, low=0)
        self.drive()

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._copied is not None:
            return self._copied
        if self._space is None:
            self._space = memoryview(self._endpoint)
        return self._space

    def buffer_updated(self, nbytes: int) -> None:
        if self._copied is not None:
            self._endpoint.receive(self._copied[:nbytes])
        else:
            self.endpoint.received(nbytes)
        if self._is_paused:
            self._set_reading(False)
        self.drive()

    def eof_received(self) -> bool:
        self.endpoint.received(0)
        self.drive()
        # The transport stays open for the Close frame. TLS closes both directions.
        return self._transport is not None and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        self._is_blocked = True

    def resume_writing(self) -> None:
        self._is_blocked = False
        self.drive()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is None:
            return
        self._is_blocked = False
        if not self._is_shut_down:
            self.endpoint.write_failed(exc or "transport closed")
        self.endpoint.received(0)
        self.drive()


class WebSocket(Protocol):
    """A WebSocket connection with coroutines. :func:`connect` and :func:`serve` create it.

    Iterate over it to receive messages: ``async for message in websocket``. The iteration ends when the connection has closed
    with code 1000 or 1001 or without a code, and raises :class:`ConnectionClosed` for any other end. Text messages are ``str``, binary
    ones ``bytes``.
    """

    request: Request | None = None
    """The request of the client, for a server."""
    response: Response | None = None
    """The response of the server, for a client."""
    subprotocol: str | None = None
    """The subprotocol that was negotiated."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._messages: deque[Message] = deque()
        self._is_pulling = False
        self._will_read_ahead = False
        self._pings: dict[bytes, asyncio.Future[float]] = {}
        self._reader: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[End] = self._loop.create_future()

    async def recv(self) -> Message:
        """Returns the next message. If the call is cancelled, no message is lost.

        Raises :class:`ConnectionClosed` after the last message, and :class:`Misuse` if another task is waiting for one.
        """
        while not self._messages:
            if self._reader is not None and not self._reader.done():
                raise Misuse("another task is waiting for a message")
            if self._is_paused:
                self._pull()
            elif self._ended.done():
                raise self._closed()
            else:
                await self._wait_for_message()
        message = self._messages.popleft()
        if self._is_paused and not self._messages:
            self._read_ahead_soon()
        return message

    def _pull(self) -> None:
        """Takes one message, so that the reply to it is sent before what follows it is looked at."""
        self._is_pulling = True
        self.resume_events()
        self._is_pulling = False

    async def _wait_for_message(self) -> None:
        reader = self._reader = self._loop.create_future()
        try:
            await reader
        finally:
            if self._reader is reader:
                self._reader = None

    def _read_ahead_soon(self) -> None:
        """Once the program awaits anything else than a message, Pings are answered and a few messages are read."""
        if not self._will_read_ahead:
            self._will_read_ahead = True
            self._loop.call_soon(self._read_ahead)

    def _read_ahead(self) -> None:
        self._will_read_ahead = False
        if self._is_paused and len(self._messages) < MOST_MESSAGES:
            self.resume_events()

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.recv()
        except ConnectionClosed as closed:
            if closed.code in (1000, 1001, 1005):
                raise StopAsyncIteration from None
            raise

    async def send(self, message: Message | bytearray | memoryview | Prepared) -> None:
        """Sends a message: ``str`` as text, anything with a buffer of bytes as binary.

        Waits while the peer reads too slowly. Raises :class:`ConnectionClosed` if the connection is not open. A call that is
        cancelled has sent nothing.
        """
        await self._space_for_output()
        try:
            self.send_nowait(message)
        except ConnectionClosed:
            raise self._closed() from None

    async def send_fragments(self, fragments: Iterable[Message]) -> None:
        """Sends one message in fragments: either all ``str`` or all bytes. No other message can be sent meanwhile."""
        before: Message | None = None
        for fragment in fragments:
            if before is not None:
                await self._send_fragment(before, last=False)
            before = fragment
        if before is not None:
            await self._send_fragment(before, last=True)

    async def ping(self, payload: bytes) -> float:
        """Sends a Ping of at most 125 bytes and returns the time until its Pong, in seconds.

        The endpoint sends Pings of its own to detect a dead peer, so that programs need not.
        """
        if payload in self._pings:
            raise Misuse("a ping with this payload is waiting for its pong")
        try:
            self.endpoint.ping(payload)
        except ConnectionClosed:
            raise self._closed() from None
        pong: asyncio.Future[float] = self._loop.create_future()
        self._pings[payload] = pong
        sent = self._loop.time()
        self.drive()
        try:
            return await pong - sent
        finally:
            self._pings.pop(payload, None)

    async def close(self, code: int | None = 1000, reason: str = "") -> End:
        """Closes the connection, and waits for the peer's Close and the end of the transport. Returns how it ended.

        Messages that still arrive are dropped. The wait is bounded by ``close_timeout`` and ``linger_timeout``.
        """
        with contextlib.suppress(ConnectionClosed):
            self.endpoint.close(code, reason)
        self._discards = True
        self._messages.clear()
        self.resume_events()
        return await asyncio.shield(self._ended)

    async def wait_closed(self) -> End:
        """Waits until the connection has ended. Messages have to be received meanwhile."""
        return await asyncio.shield(self._ended)

    _discards = False

    async def _send_fragment(self, fragment: Message, last: bool) -> None:
        await self._space_for_output()
        try:
            self.endpoint.send_fragment(fragment, last=last)
        except ConnectionClosed:
            raise self._closed() from None
        self.drive()

    async def _space_for_output(self) -> None:
        while self.endpoint.is_full and not self._ended.done():
            if self._drained is None or self._drained.done():
                self._drained = self._loop.create_future()
            await asyncio.shield(self._drained)

    def _closed(self) -> ConnectionClosed:
        end = self.end
        if end is None:
            return ConnectionClosed("connection is closing")
        return ConnectionClosed(str(end), end.code, end)

    # Callbacks.

    def opened(self, response: Response | None) -> None:
        self.pause_events()  # until the program has the connection
        if response is not None:
            self.response, self.subprotocol = response, response.subprotocol
        if not self._opened.done():
            self._opened.set_result(None)

    def event_received(self, event: Event) -> None:
        if isinstance(event, (str, bytes)):
            if self._discards:
                return
            self._messages.append(event)
            if self._is_pulling or wake(self._reader) or len(self._messages) >= MOST_MESSAGES:
                self.pause_events()
        elif isinstance(event, Pong):
            pong = self._pings.pop(event.payload, None)
            if pong is not None and not pong.done():
                pong.set_result(self._loop.time())

    def drained(self) -> None:
        wake(self._drained)

    def ended(self, end: End, response: Response | None) -> None:
        if not self._opened.done():
            self._opened.set_exception(HandshakeFailed(end, response))
            self._opened.exception()  # a server does not await it
        for pong in self._pings.values():
            if not pong.done():
                pong.set_exception(ConnectionClosed(str(end), end.code, end))
        self._ended.set_result(end)
        wake(self._reader)
        wake(self._drained)


def wake(waiter: asyncio.Future[None] | None) -> bool:
    if waiter is None or waiter.done():
        return False
    waiter.set_result(None)
    return True


@contextlib.asynccontextmanager
async def connect(
    url: str,
    *,
    config: Config | None = None,
    ssl: tls.SSLContext | None = None,
    subprotocols: Sequence[str] = (),
    headers: Sequence[tuple[str, str]] = (),
    origin: str | None = None,
    connect_timeout: float | None = 10,
    **options: Any,
) -> AsyncIterator[WebSocket]:
    """Connects to a ``ws`` or ``wss`` URL, and closes the connection at the end of the block.

    ``ssl`` replaces the default context of ``wss``. ``connect_timeout`` is for TCP and TLS, in seconds; the opening handshake has
    ``Config(open_timeout=...)``. ``options`` go to :meth:`asyncio.loop.create_connection`.

    Raises :class:`HandshakeFailed` if the server does not accept, :class:`Misuse` for a URL or a header that is not valid, and
    :class:`OSError` and :class:`TimeoutError` of the transport.
    """
    request = ClientRequest(url, subprotocols=subprotocols, headers=headers, origin=origin)
    loop = asyncio.get_running_loop()
    if "sock" not in options:
        options = {"host": request.host.strip("[]"), "port": request.port, **options}
    if request.is_secure:
        options["ssl"] = ssl or tls.create_default_context()
    async with asyncio.timeout(connect_timeout):
        _, websocket = await loop.create_connection(
            lambda: WebSocket(Endpoint.client(request, config, now=loop.time())), **options
        )
    try:
        await asyncio.shield(websocket._opened)
        websocket._read_ahead_soon()
        yield websocket
    except BaseException:
        websocket.close_nowait(1001)
        raise
    finally:
        if not websocket._opened.done():
            websocket.abort()
        await websocket.close()


class Reply(NamedTuple):
    """A response that opens no connection: a page, or the refusal of a request."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()


Handler = Callable[[WebSocket], Awaitable[None]]


class Server:
    """A WebSocket server, as an asynchronous context manager: see :func:`serve`."""

    websockets: set[WebSocket]
    """The open connections, for :func:`broadcast`."""

    def __init__(
        self,
        handler: Handler,
        config: Config | None,
        subprotocols: Sequence[str],
        on_request: Callable[[Request], Reply | None] | None,
        options: dict[str, Any],
    ) -> None:
        self.websockets = set()
        self._handler = handler
        self._config = config
        self._subprotocols = subprotocols
        self._on_request = on_request
        self._options = options
        self._connections: set[ServerWebSocket] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False

    @property
    def sockets(self) -> Sequence[Any]:
        """The listening sockets, for their addresses."""
        return self._server.sockets

    async def serve_forever(self) -> None:
        """Waits until the task is cancelled."""
        await asyncio.get_running_loop().create_future()  # asyncio's own waits for the connections, before it can close them

    async def close(self, code: int = 1001, reason: str = "") -> None:
        """Stops listening, closes all connections with this code, and waits for their ends and for the handlers."""
        self._is_closing = True
        self._server.close()
        for connection in list(self._connections):
            if connection not in self.websockets:
                connection.abort()  # there is no connection to close
        await asyncio.gather(*(websocket.close(code, reason) for websocket in self.websockets))
        tasks = self._tasks - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks)

    async def __aenter__(self) -> Server:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: ServerWebSocket(Endpoint.server(self._config, now=loop.time()), self), **self._options
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def _run(self, websocket: WebSocket) -> None:
        """Runs the handler of one connection, and closes it afterwards."""
        code = 1000
        websocket._read_ahead_soon()
        try:
            await self._handler(websocket)
        except ConnectionClosed:
            pass
        except Exception:
            code = 1011
            logger.exception("the handler of a connection failed")
        finally:
            websocket.close_nowait(code)
        await websocket.close(code)


def serve(
    handler: Handler,
    host: str | Sequence[str] | None = None,
    port: int | None = None,
    *,
    config: Config | None = None,
    subprotocols: Sequence[str] = (),
    on_request: Callable[[Request], Reply | None] | None = None,
    **options: Any,
) -> Server:
    """Creates a server: ``async with serve(handler, "localhost", 9001) as server``.

    ``handler`` is a coroutine function that runs for each connection; when it returns, the connection is closed with 1000, or with
    1011 if it raises. ``subprotocols`` are those that the server knows, in order of preference. ``on_request`` sees each request
    before it is accepted, and may return a :class:`Reply` instead; without one, requests that do not ask for WebSocket get a 426.
    ``options`` go to :meth:`asyncio.loop.create_server`, such as ``ssl``.

    At the end of the block the server stops listening, and closes all connections with 1001.
    """
    return Server(handler, config, subprotocols, on_request, {"host": host, "port": port, **options})


class ServerWebSocket(WebSocket):
    def __init__(self, endpoint: Endpoint, server: Server) -> None:
        super().__init__(endpoint)
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._server._is_closing:  # it was accepted just before
            cast(asyncio.Transport, transport).abort()
            return
        self._server._connections.add(self)
        super().connection_made(transport)

    def request_received(self, request: Request) -> None:
        server = self._server
        try:
            reply = server._on_request(request) if server._on_request else None
        except Exception:
            logger.exception("on_request failed")
            reply = Reply(500)
        if reply is not None:
            self.respond(reply.status, reply.body, headers=reply.headers)
            return
        self.request = request
        offered = request.subprotocols
        self.subprotocol = next((known for known in server._subprotocols if known in offered), None)
        self.accept(subprotocol=self.subprotocol)

    def opened(self, response: Response | None) -> None:
        super().opened(response)
        server = self._server
        server.websockets.add(self)
        task = self._loop.create_task(server._run(self))
        server._tasks.add(task)
        task.add_done_callback(server._tasks.discard)

    def ended(self, end: End, response: Response | None) -> None:
        super().ended(end, response)
        self._server._connections.discard(self)
        self._server.websockets.discard(self)


def broadcast(websockets: Iterable[WebSocket], message: Message | Prepared) -> None:
    """Sends a message to all, encoded once. A connection whose peer reads too slowly is closed with 1013."""
    prepared = message if isinstance(message, Prepared) else Prepared(message)
    for websocket in list(websockets):
        try:
            websocket.send_nowait(prepared)
        except OutputFull:
            websocket.close_nowait(1013, "too slow")
        except WebSocketError:
            pass  # it is closing
