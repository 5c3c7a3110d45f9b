"""The exceptions of the package."""

from __future__ import annotations

from ._core import End, Response


class WebSocketError(Exception):
    """The base of all exceptions of this package.

    ``code`` is the close code that applies (RFC 6455 section 7.1.5), ``None`` if there is none.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class ConnectionClosed(WebSocketError):
    """The connection is not open: not yet, or no longer.

    It can happen in a correct program, because the peer may close at any time. ``end`` is set once the endpoint has ended.
    """

    def __init__(self, message: str, code: int | None = None, end: End | None = None) -> None:
        super().__init__(message, code)
        self.end = end


class OutputFull(WebSocketError):
    """As much output waits as ``Config(max_buffered=...)`` allows: the peer reads too slowly. Nothing was sent."""


class Misuse(WebSocketError):
    """A call that the protocol does not allow, or one on an endpoint that is in use. Nothing was sent."""


class HandshakeFailed(WebSocketError):
    """The opening handshake of a client failed. ``response`` is that of the server, if it sent a complete one."""

    def __init__(self, end: End, response: Response | None = None) -> None:
        super().__init__(str(end), end.code)
        self.end = end
        self.response = response
