"""cat_peer.py: a server on Python's `websockets` for the `cat` example; the path of the URL says how it behaves."""

import http
import socket

from websockets.sync.server import serve


def echo(connection):
    for message in connection:
        connection.send(message)


def cut(connection):
    connection.recv()
    # The transport ends without a Close frame.
    connection.socket.shutdown(socket.SHUT_RDWR)


BEHAVIOURS = {
    "/echo": echo,
    "/binary": lambda connection: (connection.send(bytes([0x00, 0x7F, 0x80, 0xFF])), echo(connection)),
    "/close": lambda connection: connection.close(4001, "bye"),
    "/cut": cut,
}


def refuse(connection, request):
    if request.path not in BEHAVIOURS:
        return connection.respond(http.HTTPStatus.FORBIDDEN, "no\n")


with serve(
    lambda connection: BEHAVIOURS[connection.request.path](connection), "127.0.0.1", 0, process_request=refuse
) as server:
    print(server.socket.getsockname()[1], flush=True)
    server.serve_forever()
