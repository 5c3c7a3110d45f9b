"""The classes of the extension module. All times are in seconds since any fixed origin, such as ``time.monotonic()``."""

from collections.abc import Sequence
from typing import Final, final

from typing_extensions import Buffer

__all__ = [
    "ClientRequest",
    "Close",
    "Config",
    "End",
    "Endpoint",
    "Ping",
    "Pong",
    "Prepared",
    "Request",
    "Response",
    "Step",
]

@final
class Config:
    """Limits and timeouts, in bytes and seconds. A timeout of ``None`` never passes.

    ``max_message_size`` bounds a received message, all its fragments together and inflated: a longer one fails the connection with
    1009. ``max_buffered`` bounds the output that waits, see :class:`OutputFull`. ``max_read_size`` is the largest single read.
    ``compression`` offers and accepts permessage-deflate (RFC 7692). ``open_timeout`` and ``close_timeout`` are for the two
    handshakes, ``ping_interval`` for the time between Pings, ``ping_timeout`` for silence after a Ping, ``write_timeout`` for output
    that the transport does not accept, ``linger_timeout`` for the drain after the last byte.
    """

    def __new__(
        cls,
        *,
        max_message_size: int = 1048576,
        max_buffered: int = 1048576,
        max_read_size: int = 65536,
        compression: bool = False,
        open_timeout: float | None = 10.0,
        ping_interval: float | None = 20.0,
        ping_timeout: float | None = 20.0,
        close_timeout: float | None = 10.0,
        write_timeout: float | None = 10.0,
        linger_timeout: float | None = 2.0,
    ) -> Config: ...

@final
class Step:
    """The one thing to do next for an :class:`Endpoint`. Compare with ``is``."""

    REQUEST: Final[Step]
    """A request has arrived: :meth:`Endpoint.accept` it, or look at it first with :meth:`Endpoint.take_request`."""
    RESPONSE: Final[Step]
    """The response has arrived: :meth:`Endpoint.take_response`."""
    EVENT: Final[Step]
    """There may be events: call :meth:`Endpoint.next_event` until it returns ``None``."""
    WRITE: Final[Step]
    """Write :meth:`Endpoint.output`, and report with :meth:`Endpoint.written` how much was accepted."""
    FLUSH: Final[Step]
    """Flush the transport, and report it with :meth:`Endpoint.flushed`."""
    READ: Final[Step]
    """Read into the endpoint, which is a buffer, and report the size with :meth:`Endpoint.received`."""
    SHUTDOWN: Final[Step]
    """Shut down writing, and report it with :meth:`Endpoint.shut_down`."""
    WAIT: Final[Step]
    """Wait for the transport, for the caller or for the :attr:`Endpoint.deadline`, then call :meth:`Endpoint.ready`."""
    DONE: Final[Step]
    """The transport may be dropped: :attr:`Endpoint.end` has the reason."""

@final
class Endpoint:
    """One end of one transport, without the transport and without a clock.

    It is a writable buffer, the space for the next read: ``endpoint.received(sock.recv_into(endpoint))``. While a ``memoryview`` of it
    exists, every call raises :class:`Misuse`, so release it first.

    An endpoint is used by one thread at a time. A call that finds it in use by another, which only a free-threaded interpreter makes
    possible, raises :class:`Misuse` and changes nothing.
    """

    @staticmethod
    def server(config: Config | None = None, *, now: float = 0.0) -> Endpoint:
        """The server's end of a transport on which a client is about to send its request."""

    @staticmethod
    def client(request: ClientRequest, config: Config | None = None, *, now: float = 0.0) -> Endpoint:
        """The client's end of a transport that is connected, TLS included. It sends the request."""

    def step(self, now: float) -> Step:
        """Returns the next thing to do. Events come before output, and output before input."""

    def flush_step(self, now: float) -> Step | None:
        """Returns the next thing to do to get the output written, even while events wait. ``None``: all of it is written."""

    @property
    def deadline(self) -> float | None:
        """The latest time for the next call of :meth:`step`. ``None`` is never."""

    def take_request(self) -> Request | None:
        """Returns the request that :attr:`Step.REQUEST` announces. Nothing is read until it is answered."""

    def accept(self, *, subprotocol: str | None = None, headers: Sequence[tuple[str, str]] = ()) -> bool:
        """Accepts the request: sends the 101. ``False``: it breaks a rule, and the response that says so is sent instead: a 426
        to a request that does not ask for WebSocket, a 400 to most others (RFC 6455 section 4.2)."""

    def respond(self, status: int, body: Buffer | None = None, *, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Answers the request with any other response, after which the endpoint ends."""

    def take_response(self) -> Response | None:
        """Returns the response that :attr:`Step.RESPONSE` announces. With status 101, the connection is now open."""

    def __buffer__(self, flags: int, /) -> memoryview: ...
    def received(self, size: int) -> None:
        """Records that the transport read ``size`` bytes into the endpoint. 0 is the end of the transport."""

    def receive(self, data: Buffer) -> None:
        """Copies bytes that the transport read elsewhere. Empty data is the end of the transport."""

    def read_blocked(self) -> None:
        """Records that the transport has nothing to read now."""

    def read_failed(self, error: object) -> None:
        """Records that the transport could not be read; the text of ``error`` goes into the :class:`End`."""

    def output(self, max_size: int = ...) -> bytes:
        """Returns the first bytes that wait to be written."""

    def written(self, size: int) -> None:
        """Records that the transport accepted the first ``size`` bytes of the output."""

    def write_blocked(self) -> None:
        """Records that the transport accepts no output now, or could not be flushed or shut down completely."""

    def write_failed(self, error: object) -> None:
        """Records that the transport could not be written; the text of ``error`` goes into the :class:`End`."""

    def flushed(self) -> None:
        """Records that everything written is flushed."""

    def shut_down(self) -> None:
        """Records that writing is shut down."""

    def ready(self) -> None:
        """Records that the transport may be ready again, or that the deadline has passed."""

    def next_event(self) -> str | bytes | Ping | Pong | Close | None:
        """Returns the next event: a text message as ``str``, a binary one as ``bytes``. ``None``: there are no more now."""

    def send(self, message: str | Buffer | Prepared) -> None:
        """Sends a message: ``str`` as text, a buffer of bytes as binary.

        Raises :class:`ConnectionClosed`, :class:`OutputFull`, or :class:`Misuse` inside a fragmented message.
        """

    def send_fragment(self, fragment: str | Buffer, *, last: bool) -> None:
        """Sends the next fragment of a message, and begins the message if none is being sent. Raises the same as :meth:`send`."""

    def ping(self, payload: Buffer | None = None) -> None:
        """Sends a Ping of at most 125 bytes. Raises :class:`ConnectionClosed` or :class:`Misuse`."""

    def pong(self, payload: Buffer | None = None) -> None:
        """Sends a Pong of at most 125 bytes. Those that answer Pings are sent automatically."""

    def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Starts the closing handshake. Raises :class:`ConnectionClosed`, or :class:`Misuse` for a code or a reason that must not be
        sent (RFC 6455 section 7.4; a reason has at most 123 bytes)."""

    def set_compression(self, compress: bool) -> None:
        """Sets whether messages are compressed from now on, if compression was negotiated. Do not compress a secret together with
        text that an attacker chooses (RFC 7692 section 8)."""

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""

    @property
    def is_full(self) -> bool:
        """Whether so much output waits that a message would be refused."""

    @property
    def buffered_amount(self) -> int:
        """How many bytes wait to be written."""

    @property
    def last_rtt(self) -> float | None:
        """The round-trip time of the last automatic Ping that was answered."""

    @property
    def end(self) -> End | None:
        """How the endpoint ended, after :attr:`Step.DONE`."""

    def abort(self) -> None:
        """Ends the endpoint now: the next step is :attr:`Step.DONE`."""

@final
class ClientRequest:
    """A request to a ``ws`` or ``wss`` URL. User information in the URL becomes an Authorization header."""

    def __new__(
        cls,
        url: str,
        *,
        subprotocols: Sequence[str] = (),
        headers: Sequence[tuple[str, str]] = (),
        origin: str | None = None,
    ) -> ClientRequest: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def is_secure(self) -> bool:
        """Whether the URL is a ``wss`` one, so that TLS comes first."""

@final
class Request:
    """The request of a client. Header values are decoded as ISO-8859-1."""

    @property
    def method(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str | None: ...
    @property
    def headers(self) -> list[tuple[str, str]]: ...
    @property
    def subprotocols(self) -> list[str]:
        """The subprotocols that the client offers, in its order of preference."""

    @property
    def is_websocket(self) -> bool:
        """Whether it is a valid WebSocket request, which :meth:`Endpoint.accept` accepts."""

    @property
    def is_same_origin(self) -> bool:
        """Whether it comes from a page of this server. ``False`` without an Origin, which only browsers send."""

    def header(self, name: str) -> str | None:
        """The value of the first header with this name, whatever its case."""

@final
class Response:
    """The response of a server. ``body`` is that of a rejection."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> list[tuple[str, str]]: ...
    @property
    def subprotocol(self) -> str | None: ...
    @property
    def body(self) -> bytes: ...
    def header(self, name: str) -> str | None:
        """The value of the first header with this name, whatever its case."""

@final
class Ping:
    """A Ping, which is answered already."""

    @property
    def payload(self) -> bytes: ...

@final
class Pong:
    """A Pong."""

    @property
    def payload(self) -> bytes: ...

@final
class Close:
    """The peer's Close, which is answered already. ``code`` is ``None`` if it has none."""

    @property
    def code(self) -> int | None: ...
    @property
    def reason(self) -> str: ...

@final
class Prepared:
    """A message that is encoded once, for a broadcast."""

    def __new__(cls, message: str | Buffer) -> Prepared: ...

@final
class End:
    """How an endpoint ended. ``str(end)`` is one line for the log."""

    @property
    def code(self) -> int | None:
        """The close code: 1005 if the Close had none, 1006 if there was none, ``None`` if the connection never opened."""

    @property
    def reason(self) -> str: ...
    @property
    def code_sent(self) -> int | None: ...
    @property
    def code_unsent(self) -> int | None:
        """The code of a Close that was queued but never written, as for a peer that does not read; ``code_sent`` is then ``None``."""

    @property
    def code_received(self) -> int | None: ...
    @property
    def is_clean(self) -> bool:
        """Whether both Closes were sent (RFC 6455 section 7.1.4)."""

    @property
    def closed_by(self) -> str | None:
        """``local``, ``peer``, ``failure`` (the peer broke a rule), ``transport``, or ``None`` if the connection never opened."""

    @property
    def timeout(self) -> str | None:
        """The deadline that was missed: ``opening``, ``ping``, ``write`` or ``closing``."""

    @property
    def status(self) -> int | None:
        """The status of the response, if it opened no connection."""

    @property
    def text(self) -> str: ...
