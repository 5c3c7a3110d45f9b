"""A sans-IO WebSocket core (RFC 6455 and RFC 7692): bytes in, bytes out, events as Python objects.

An :class:`Endpoint` manages one end of one transport, from the first byte of the opening handshake to the moment when the
transport may be dropped. It has no socket and no clock: a driver asks for the next :class:`Step`, does that one thing, and reports
the result. Here with a blocking socket, as an echo server::

    def serve(sock):
        endpoint = Endpoint.server(now=time.monotonic())
        while (step := endpoint.step(time.monotonic())) is not Step.DONE:
            match step:
                case Step.REQUEST:
                    endpoint.accept()
                case Step.EVENT:
                    for event in iter(endpoint.next_event, None):
                        if isinstance(event, (str, bytes)):
                            endpoint.send(event)
                case Step.READ:
                    endpoint.received(sock.recv_into(endpoint))
                case Step.WRITE:
                    endpoint.written(sock.send(endpoint.output()))
                case Step.FLUSH:
                    endpoint.flushed()
                case Step.SHUTDOWN:
                    sock.shutdown(socket.SHUT_WR)
                    endpoint.shut_down()
        return endpoint.end

:mod:`websocket_proto.asyncio` is a driver for asyncio, with ``serve`` and ``connect``.
"""

from ._core import Close, ClientRequest, Config, End, Endpoint, Ping, Pong, Prepared, Request, Response, Step
from ._errors import ConnectionClosed, HandshakeFailed, Misuse, OutputFull, WebSocketError

__all__ = [
    "ClientRequest",
    "Close",
    "Config",
    "ConnectionClosed",
    "End",
    "Endpoint",
    "HandshakeFailed",
    "Misuse",
    "OutputFull",
    "Ping",
    "Pong",
    "Prepared",
    "Request",
    "Response",
    "Step",
    "WebSocketError",
]
