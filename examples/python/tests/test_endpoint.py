"""The class `Endpoint` without a transport: what it does, and that no misuse does more than raise an exception.

A `PanicException` of the extension is a `BaseException`, which no `assertRaises` here expects, so that a panic fails a test.
"""

import array
import ast
import copy
import gc
import inspect
import itertools
import math
import pickle
import random
import socket
import sys
import textwrap
import threading
import time
import unittest
from pathlib import Path

import websocket_proto
from websocket_proto import (
    ClientRequest,
    Close,
    Config,
    ConnectionClosed,
    Endpoint,
    Misuse,
    OutputFull,
    Ping,
    Pong,
    Prepared,
    Step,
    WebSocketError,
    _core,
)

# The opening handshake of RFC 6455 section 1.3.
HEAD = (
    b"GET /chat?room=1 HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n"
    b"Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n"
)
ARGUMENT_ERRORS = (WebSocketError, TypeError, ValueError, OverflowError, BufferError)


def take(endpoint, now=0.0):
    """All output, as if a transport had accepted it."""
    output = endpoint.output()
    endpoint.written(len(output))
    endpoint.flushed()
    return output


def exchange(one, other, now=0.0):
    """Carries bytes in both directions until neither end has more."""
    moved = True
    while moved:
        moved = False
        for source, sink in ((one, other), (other, one)):
            if data := take(source, now):
                sink.receive(data)
                moved = True
            if sink.step(now) is Step.REQUEST:
                sink.accept()
            elif sink.step(now) is Step.RESPONSE:
                sink.take_response()


def events(endpoint, now=0.0):
    assert endpoint.step(now) is Step.EVENT
    return list(iter(endpoint.next_event, None))


def pair(config=None, **request):
    """A client and a server with an open connection."""
    client = Endpoint.client(ClientRequest("ws://example.com/", **request), config)
    server = Endpoint.server(config)
    exchange(client, server)
    assert client.is_open and server.is_open
    return client, server


def open_server(config=None):
    server = Endpoint.server(config)
    server.receive(HEAD + b"\r\n")
    assert server.step(0) is Step.REQUEST and server.accept()
    take(server)
    assert server.next_event() is None
    return server


def ended(endpoint):
    endpoint.abort()
    assert endpoint.step(0) is Step.DONE
    return endpoint


def finish(endpoint):
    """Drives an endpoint whose transport accepts everything and has ended, and returns its end."""
    for _ in range(20):
        step = endpoint.step(0)
        if step is Step.DONE:
            return endpoint.end
        if step is Step.EVENT:
            while endpoint.next_event() is not None:
                pass
        elif step is Step.SHUTDOWN:
            endpoint.shut_down()
        elif step is Step.READ:
            endpoint.received(0)
        else:
            take(endpoint)
    raise AssertionError(f"it does not end: {step}")


def masked(frame):
    """A client's frame, masked with a key of zeros (RFC 6455 section 5.3)."""
    size = 4 if frame[1] == 126 else 10 if frame[1] == 127 else 2
    return frame[:1] + bytes([frame[1] | 0x80]) + frame[2:size] + bytes(4) + frame[size:]


class Opening(unittest.TestCase):
    def test_accepts_as_in_the_rfc(self):
        """RFC 6455 section 1.3."""
        server = Endpoint.server()
        server.receive(HEAD + b"\r\n")
        self.assertIs(server.step(0), Step.REQUEST)
        request = server.take_request()
        self.assertEqual((request.method, request.target), ("GET", "/chat?room=1"))
        self.assertEqual((request.path, request.query), ("/chat", "room=1"))
        self.assertEqual(request.subprotocols, ["chat", "superchat"])
        self.assertEqual(request.header("ORIGIN"), "http://example.com")
        self.assertIsNone(request.header("Cookie"))
        self.assertTrue(request.is_websocket and not request.is_same_origin)
        self.assertTrue(server.accept(subprotocol="superchat", headers=[("X-Name", "é")]))
        head = take(server)
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "))
        for line in (b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", b"Sec-WebSocket-Protocol: superchat", b"X-Name: \xe9"):
            self.assertIn(line + b"\r\n", head)

    def test_refuses_what_is_not_a_valid_request(self):
        """RFC 6455 section 4.2.2, RFC 9110 section 15.5.22."""
        for change, status in (
            ((b"Upgrade: websocket\r\n", b""), b"426"),
            ((b"Version: 13", b"Version: 8"), b"426"),
            ((b"Key: dGhlIHNhbXBsZSBub25jZQ==", b"Key: short"), b"400"),
            ((b"Host: server.example.com\r\n", b""), b"400"),
            ((b"GET /chat?room=1", b"POST /chat"), b"405"),
        ):
            with self.subTest(change=change):
                server = Endpoint.server()
                server.receive(HEAD.replace(*change) + b"\r\n")
                if server.step(0) is Step.REQUEST:
                    self.assertFalse(server.take_request().is_websocket)
                    self.assertFalse(server.accept())
                self.assertEqual(take(server).split(b" ")[1], status)
                with self.assertRaises(Misuse):
                    server.accept()
                self.assertFalse(server.is_open)

    def test_any_response(self):
        server = Endpoint.server()
        server.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertIs(server.step(0), Step.REQUEST)
        for status, body, headers in (
            (101, b"", []),
            (99, b"", []),
            (204, b"body", []),
            (200, b"", [("Content-Length", "7")]),
            (200, b"", [("X", "a\r\nY: b")]),
            (200, b"", [("X", "€")]),
            (200, b"", [("not a token", "b")]),
        ):
            with self.subTest(status=status, headers=headers), self.assertRaises(Misuse):
                server.respond(status, body, headers=headers)
        self.assertEqual(server.output(), b"")
        server.respond(200, bytearray(b"hello"), headers=[("X-A", "b")])
        response = take(server)
        self.assertTrue(response.startswith(b"HTTP/1.1 200 ") and response.endswith(b"\r\n\r\nhello"), response)
        self.assertIs(server.step(0), Step.SHUTDOWN)
        end = finish(server)
        self.assertEqual((end.status, end.code, end.is_clean), (200, None, False))

    def test_an_answer_that_is_not_allowed_leaves_the_request(self):
        server = Endpoint.server()
        server.receive(HEAD + b"\r\n")
        server.step(0)
        with self.assertRaises(Misuse):
            server.accept(subprotocol="unoffered")
        with self.assertRaises(Misuse):
            server.accept(headers=[("Sec-WebSocket-Accept", "x")])
        with self.assertRaises(TypeError):
            server.accept(headers=[("X", b"bytes")])
        self.assertTrue(server.accept(subprotocol="chat"))
        with self.assertRaises(Misuse):
            server.accept()
        with self.assertRaises(Misuse):
            server.respond(404)

    def test_client(self):
        request = ClientRequest("wss://user:pw@example.com:8443/p?q", subprotocols=["a"], headers=[("X-Y", "é")], origin="https://o.example")
        self.assertEqual((request.host, request.port, request.is_secure), ("example.com", 8443, True))
        head = Endpoint.client(request).output()
        self.assertTrue(head.startswith(b"GET /p?q HTTP/1.1\r\nHost: example.com:8443\r\n"))
        for line in (b"X-Y: \xe9", b"Sec-WebSocket-Protocol: a", b"Origin: https://o.example", b"Authorization: Basic dXNlcjpwdw=="):
            self.assertIn(line + b"\r\n", head)

    def test_rejected_client(self):
        client = Endpoint.client(ClientRequest("ws://example.com/"))
        client.receive(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nX: \xe9\r\n\r\nNo.")
        self.assertIs(client.step(0), Step.RESPONSE)
        response = client.take_response()
        self.assertEqual((response.status, response.body, response.header("x")), (403, b"No.", "é"))
        self.assertIs(client.step(0), Step.DONE)
        self.assertEqual(client.end.status, 403)

    def test_requests_that_are_not_valid(self):
        for url in ("", "ftp://a/", "ws://", "ws://a/#x", "ws://a:99999/", "ws://a b/", "ws://a/\0", "\ud800"):
            with self.subTest(url=url), self.assertRaises((WebSocketError, UnicodeEncodeError)):
                ClientRequest(url)
        for options in (
            {"subprotocols": ["a b"]},
            {"subprotocols": ["a", "a"]},
            {"headers": [("Host", "b")]},
            {"headers": [("A", "b\n")]},
            {"headers": [("A", "\u0100")]},
            {"headers": "AB"},
            {"headers": [("A",)]},
            {"origin": ""},
        ):
            with self.subTest(**options), self.assertRaises((WebSocketError, TypeError, ValueError)):
                ClientRequest("ws://a/", **options)


class Messages(unittest.TestCase):
    def test_frames_of_the_rfc(self):
        """RFC 6455 section 5.7."""
        server = open_server()
        server.send("Hello")
        self.assertEqual(take(server), b"\x81\x05Hello")
        server.send_fragment("Hel", last=False)
        server.send_fragment("lo", last=True)
        self.assertEqual(take(server), b"\x01\x03Hel\x80\x02lo")
        server.send(bytes(65536))
        self.assertEqual(take(server), b"\x82\x7f" + (65536).to_bytes(8, "big") + bytes(65536))
        server.receive(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" + masked(b"\x89\x05Hello"))
        text, ping = events(server)
        self.assertEqual((text, type(ping), ping.payload), ("Hello", Ping, b"Hello"))
        self.assertEqual(take(server), b"\x8a\x05Hello")

    def test_each_kind_in_both_directions(self):
        for config in (None, Config(compression=True)):
            client, server = pair(config)
            for one, other in ((client, server), (server, client)):
                for message in ("", "a", "é" * 1000, b"", b"\0\xff", bytes(1 << 19), "🦀" * 100_000):
                    one.send(message)
                    exchange(one, other)
                    self.assertEqual(events(other), [message])
                one.ping(b"p")
                one.pong()
                exchange(one, other)
                ping, pong = events(other)
                self.assertEqual((ping.payload, pong.payload, type(pong)), (b"p", b"", Pong))
                exchange(one, other)
                (pong,) = events(one)
                self.assertEqual(pong.payload, b"p")

    def test_compression_makes_it_smaller(self):
        """RFC 7692 section 7; and `set_compression` turns it off."""
        _, server = pair(Config(compression=True))
        server.send("a" * 10_000)
        compressed = take(server)
        self.assertTrue(compressed[0] == 0xC1 and len(compressed) < 100)
        server.set_compression(False)
        server.send("a" * 10_000)
        self.assertEqual(len(take(server)), 10_004)

    def test_buffers(self):
        server = open_server()
        data = bytes(range(10))
        for message in (data, bytearray(data), memoryview(data), memoryview(bytearray(data)), array.array("B", data)):
            server.send(message)
            self.assertEqual(take(server), b"\x82\x0a" + data)
        server.send(memoryview(data)[::2])
        self.assertEqual(take(server), b"\x82\x05" + data[::2])
        server.send(Prepared("é"))
        server.send(Prepared(memoryview(b"b")))
        self.assertEqual(take(server), b"\x81\x02\xc3\xa9\x82\x01b")
        for message in (None, 5, ["a"], object(), memoryview(array.array("i", [1])), 1.5):
            with self.subTest(message=message), self.assertRaises((TypeError, BufferError)):
                server.send(message)
            with self.subTest(message=message), self.assertRaises((TypeError, BufferError)):
                Prepared(message)
        self.assertEqual(server.output(), b"")

    def test_str_subclasses_and_surrogates(self):
        class Text(str):
            pass

        server = open_server()
        server.send(Text("t"))
        self.assertEqual(take(server), b"\x81\x01t")
        for call in (server.send, Prepared, lambda text: server.send_fragment(text, last=True), lambda text: server.close(1000, text)):
            with self.assertRaises(UnicodeEncodeError):
                call("a\ud800")
        self.assertTrue(server.is_open and server.output() == b"")

    def test_rules_for_fragments(self):
        """RFC 6455 section 5.4."""
        server = open_server()
        server.send_fragment(b"a", last=False)
        for call in (lambda: server.send("b"), lambda: server.send_fragment("b", last=True), lambda: server.send(Prepared("b"))):
            with self.assertRaises(Misuse):
                call()
        with self.assertRaises(Misuse):
            server.send_fragment(Prepared("b"), last=True)
        server.ping()
        server.send_fragment(b"c", last=True)
        self.assertEqual(take(server), b"\x02\x01a\x89\x00\x80\x01c")

    def test_control_frames(self):
        """RFC 6455 section 5.5."""
        server = open_server()
        for call in (server.ping, server.pong):
            call(bytes(125))
            with self.assertRaises(Misuse):
                call(bytes(126))
            with self.assertRaises(TypeError):
                call("text")
        self.assertEqual(len(take(server)), 2 * 127)

    def test_output_is_bounded(self):
        server = open_server(Config(max_buffered=1000))
        server.send(bytes(2000))
        self.assertTrue(server.is_full)
        with self.assertRaises(OutputFull) as raised:
            server.send(b"")
        self.assertIsNone(raised.exception.code)
        self.assertEqual(server.buffered_amount, 2004)
        server.written(1500)
        server.send(b"")
        self.assertEqual(len(server.output()), 506)
        self.assertEqual(len(server.output(7)), 7)
        self.assertEqual(len(server.output(sys.maxsize)), 506)

    def test_what_breaks_a_rule(self):
        """RFC 6455 sections 5.1, 5.5.1, 7.4.1 and 8.1."""
        for frame, code in (
            (b"\x81\x01a", 1002),
            (masked(b"\x81\x01\xff"), 1007),
            (masked(b"\x83\x00"), 1002),
            (masked(b"\x88\x02\x03\xe7"), 1002),
            (b"\x82\xff" + (1 << 62).to_bytes(8, "big") + bytes(4), 1009),
        ):
            with self.subTest(frame=frame):
                server = open_server()
                server.receive(frame)
                self.assertEqual(events(server), [])
                close = take(server)
                self.assertEqual((close[0], close[2:4]), (0x88, code.to_bytes(2, "big")))
                end = finish(server)
                self.assertEqual((end.code, end.code_sent, end.closed_by, end.is_clean), (1006, code, "failure", False))
                self.assertIn(str(code), str(end))


class Closing(unittest.TestCase):
    def test_closes(self):
        """RFC 6455 section 7.1.2."""
        client, server = pair()
        client.close(4001, "bye é")
        self.assertFalse(client.is_open)
        exchange(client, server)
        (close,) = events(server)
        self.assertEqual((type(close), close.code, close.reason), (Close, 4001, "bye é"))
        exchange(client, server)
        for endpoint in (server, client):
            end = finish(endpoint)
            self.assertEqual((end.code, end.is_clean, end.code_sent, end.code_received), (4001, True, 4001, 4001))
            self.assertIsNone(end.code_unsent)
        self.assertEqual((server.end.reason, client.end.reason), ("bye é", ""))
        self.assertEqual((server.end.closed_by, client.end.closed_by), ("peer", "local"))
        with self.assertRaises(ConnectionClosed) as raised:
            client.send("x")
        self.assertEqual(raised.exception.code, 4001)

    def test_a_close_that_is_never_written(self):
        """RFC 6455 section 7.1.4."""
        server = open_server()
        server.close(1013, "too slow")
        server.write_failed("reset")
        server.abort()
        end = server.end
        self.assertEqual((end.code, end.code_sent, end.code_unsent, end.is_clean), (1006, None, 1013, False))
        self.assertEqual(str(end), "transport failed: reset, not clean, 1013 not written")

    def test_codes_and_reasons(self):
        """RFC 6455 sections 5.5 and 7.4."""
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535):
            with self.subTest(code=code), self.assertRaises(Misuse):
                open_server().close(code)
        for code in (-1, 65536, 1 << 70):
            with self.subTest(code=code), self.assertRaises(OverflowError):
                open_server().close(code)
        for code, reason in ((1000, "é" * 62), (None, "r")):
            with self.subTest(reason=reason), self.assertRaises(Misuse):
                open_server().close(code, reason)
        server = open_server()
        server.close(None)
        self.assertEqual(take(server), b"\x88\x00")
        for call in (lambda: server.send("x"), server.close, lambda: server.send(Prepared("x"))):
            with self.assertRaises(ConnectionClosed):
                call()

    def test_deadlines(self):
        server = Endpoint.server(now=100)
        self.assertEqual(server.deadline, 110)
        server.receive(HEAD)
        server.step(100)
        server.step(110)
        self.assertTrue(take(server).startswith(b"HTTP/1.1 408 "))
        server = open_server()
        server.step(0)
        self.assertEqual(server.deadline, 20)
        server.read_blocked()
        server.step(20)
        self.assertEqual(take(server)[0], 0x89)
        server.read_blocked()
        server.step(40)
        self.assertIs(server.step(40), Step.DONE)
        self.assertEqual((server.end.timeout, server.end.code), ("ping", 1006))
        self.assertIsNone(server.deadline)
        never = Config(open_timeout=None)
        self.assertIsNone(Endpoint.server(never).deadline)

    def test_errors_of_the_transport(self):
        server = open_server()
        server.read_failed(OSError(104, "reset"))
        self.assertIn("reset", str(finish(server)))


class Wrong(unittest.TestCase):
    """Calls in the wrong order, with wrong arguments, from the wrong place."""

    def test_before_and_after(self):
        for endpoint in (Endpoint.server(), Endpoint.client(ClientRequest("ws://a/")), ended(open_server()), ended(Endpoint.server())):
            for call in (endpoint.close, endpoint.ping, endpoint.pong, lambda: endpoint.send("x")):
                with self.assertRaises(ConnectionClosed):
                    call()
            with self.assertRaises(ConnectionClosed):
                endpoint.send_fragment("x", last=True)
            for call in (endpoint.accept, lambda: endpoint.respond(200)):
                with self.assertRaises(Misuse):
                    call()
            self.assertIsNone(endpoint.next_event())
            self.assertIsNone(endpoint.take_request())
            self.assertIsNone(endpoint.take_response())
            self.assertFalse(endpoint.is_open)
            for call in (endpoint.ready, endpoint.flushed, endpoint.read_blocked, endpoint.write_blocked):
                call()

    def test_everything_after_the_end(self):
        endpoint = ended(open_server())
        endpoint.receive(b"more")
        endpoint.received(5)
        endpoint.written(5)
        endpoint.shut_down()
        endpoint.write_failed("late")
        endpoint.read_failed("late")
        endpoint.set_compression(False)
        endpoint.abort()
        self.assertIs(endpoint.step(1), Step.DONE)
        self.assertIs(endpoint.flush_step(1), Step.DONE)
        self.assertEqual(endpoint.end.code, 1006)

    def test_times(self):
        for now in (-1, -1e-9, math.nan, math.inf, -math.inf, 1e300, 2.0**64):
            for call in (Endpoint.server().step, Endpoint.server().flush_step, lambda now: Endpoint.server(now=now)):
                with self.subTest(now=now), self.assertRaises(Misuse):
                    call(now)
            with self.subTest(now=now), self.assertRaises(Misuse):
                Config(ping_interval=now)
        with self.assertRaises(TypeError):
            Endpoint.server().step("now")
        with self.assertRaises(OverflowError):
            Endpoint.server().step(1 << 2000)
        server = Endpoint.server()
        server.receive(HEAD)
        server.step(0)
        server.step(2.0**63)  # the handshake is late; and time does not go back
        server.step(0)
        self.assertTrue(server.output().startswith(b"HTTP/1.1 408 "))

    def test_sizes(self):
        for size in (-1, 1 << 64, 1 << 200):
            for call in (Endpoint.server().received, Endpoint.server().written, Endpoint.server().output):
                with self.subTest(size=size), self.assertRaises(OverflowError):
                    call(size)
            with self.subTest(size=size), self.assertRaises(OverflowError):
                Config(max_message_size=size)
        for size in (sys.maxsize, 2 * sys.maxsize + 1):
            server = open_server()
            server.written(size)
            server.received(size)  # more than the space: what was read before is in it
            while server.next_event() is not None:
                pass
            self.assertIsInstance(server.output(), bytes)
        for config in (Config(max_message_size=(1 << 64) - 1, max_buffered=2 * sys.maxsize + 1), Config(max_buffered=0, max_read_size=0)):
            server = open_server(config)
            server.receive(masked(b"\x81\x01a"))
            self.assertEqual(events(server), ["a"])

    def test_types(self):
        self.assertRaises(TypeError, Endpoint)
        self.assertRaises(TypeError, Endpoint.server, 5)
        self.assertRaises(TypeError, Endpoint.client, "ws://a/")
        self.assertRaises(TypeError, Step)
        self.assertRaises(TypeError, type, "Sub", (Endpoint,), {})
        self.assertRaises(TypeError, pickle.dumps, Endpoint.server())
        self.assertRaises(TypeError, copy.copy, Endpoint.server())
        self.assertRaises(AttributeError, setattr, Endpoint.server(), "deadline", 1)
        self.assertRaises(TypeError, Endpoint.server().receive, "text")
        self.assertIs(Endpoint.server().step(0), Step.READ)
        self.assertEqual(len({Step.READ, Step.WRITE, Endpoint.server().step(0)}), 2)


class ReadSpace(unittest.TestCase):
    def test_reads_into_the_endpoint(self):
        server = Endpoint.server()
        for start in range(0, len(HEAD) + 2, 100):
            part = (HEAD + b"\r\n")[start : start + 100]
            with memoryview(server) as space:
                self.assertTrue(len(space) >= 128 and not space.readonly and space.format == "B")
                space[: len(part)] = part
            server.received(len(part))
            server.step(0)
        self.assertIs(server.step(0), Step.REQUEST)
        self.assertTrue(server.accept())

    def test_nothing_is_used_while_a_view_exists(self):
        server = open_server()
        view = memoryview(server)
        calls = [
            server.take_request, server.accept, server.take_response, server.read_blocked, server.output, server.write_blocked,
            server.flushed, server.shut_down, server.ready, server.next_event, server.ping, server.pong, server.close, server.abort,
            lambda: server.step(0), lambda: server.flush_step(0), lambda: server.respond(200), lambda: server.received(1),
            lambda: server.receive(b""), lambda: server.read_failed(""), lambda: server.written(1), lambda: server.write_failed(""),
            lambda: server.send("x"), lambda: server.send_fragment("x", last=True), lambda: server.set_compression(True),
            lambda: memoryview(server), lambda: bytes(server), lambda: server.send(server), lambda: server.receive(server),
        ]  # fmt: skip
        properties = ["deadline", "is_open", "is_full", "buffered_amount", "last_rtt", "end"]
        calls += [lambda name=name: getattr(server, name) for name in properties]
        tested = {name for name in dir(server) if not name.startswith("_")} - {"server", "client"}
        self.assertEqual(len(tested), len(calls) - 4, "each method and property is called, and four times the buffer")
        for call in calls:
            with self.assertRaises(Misuse):
                call()
        part = view[5:6]
        view.release()
        with self.assertRaises(Misuse):
            server.ready()
        part.release()
        server.send("x")
        self.assertEqual(take(server), b"\x81\x01x")

    def test_a_view_keeps_the_endpoint(self):
        views = [memoryview(open_server()) for _ in range(100)]
        gc.collect()
        garbage = [bytearray(b"\xff" * 4096) for _ in range(1000)]
        for view in views:
            view[:] = b"\xaa" * len(view)
            self.assertEqual(bytes(view), b"\xaa" * len(view))
        del garbage, views
        gc.collect()

    def test_it_is_its_own_message_only_when_released(self):
        server = open_server()
        with self.assertRaises(Misuse), memoryview(server) as view:
            server.send(view)
        server.send(server)  # copied before the endpoint is used
        self.assertEqual(len(take(server)), 4 + 4096)


class Reentrancy(unittest.TestCase):
    def test_from_conversions(self):
        server = open_server()

        class Size:
            def __index__(self):
                server.send("inside")
                return 0

        class Error(Exception):
            def __str__(self):
                server.send("inside")
                raise ValueError("no text")

        server.written(Size())
        self.assertEqual(take(server), b"\x81\x06inside")
        for call in (server.read_failed, server.write_failed):
            with self.assertRaises(ValueError):
                call(Error())
        self.assertTrue(server.is_open)

    @unittest.skipIf(sys.version_info < (3, 12), "buffers in Python are new in 3.12")
    def test_from_buffers(self):
        server = open_server()

        class Buffer:
            def __buffer__(self, flags):
                server.send("inside")
                return memoryview(b"outside")

        server.send(Buffer())
        self.assertEqual(take(server), b"\x81\x06inside\x82\x07outside")

    def test_from_finalizers(self):
        server = open_server()
        calls = itertools.count()

        class Cycle:
            def __init__(self):
                self.me = self

            def __del__(self):
                next(calls)
                try:
                    server.send("gone")
                except WebSocketError:
                    pass

        threshold = gc.get_threshold()
        gc.set_threshold(1)
        try:
            for number in range(2000):
                Cycle()
                server.receive(masked(b"\x89\x01p"))
                while server.next_event() is not None:
                    pass
                take(server)
        finally:
            gc.set_threshold(*threshold)
        self.assertGreater(next(calls), 1000)

    def test_references(self):
        server = open_server()
        for message in (b"a" * 1000, "é" * 1000, bytearray(1000)):
            before = sys.getrefcount(message)
            for _ in range(100):
                server.send(message)
                Prepared(message)
            self.assertEqual(sys.getrefcount(message), before)
        resizable = bytearray(10)
        server.send(resizable)
        resizable.append(1)  # no buffer of it is left


class Threads(unittest.TestCase):
    def test_threads(self):
        """Calls from many threads either do what they say, or raise an exception of this package."""
        server = open_server()
        sent = []
        wrong = []

        def use(number):
            count = 0
            try:
                for _ in range(2000):
                    try:
                        server.send(b"x" * number)
                        count += 2 + number
                    except WebSocketError:
                        pass
                    server.is_open
            except BaseException as error:
                wrong.append(error)
            sent.append(count)

        threads = [threading.Thread(target=use, args=(number,)) for number in range(1, 9)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        self.assertEqual(wrong, [])
        self.assertEqual(len(server.output()), sum(sent))


class Documentation(unittest.TestCase):
    def test_the_stub_and_the_classes_say_the_same(self):
        stub = ast.parse(Path(_core.__file__).with_name("_core.pyi").read_text())
        compared = 0
        for described in (node for node in stub.body if isinstance(node, ast.ClassDef)):
            real = getattr(_core, described.name)
            self.assertEqual(inspect.cleandoc(real.__doc__), ast.get_docstring(described), described.name)
            for member in (node for node in described.body if isinstance(node, ast.FunctionDef)):
                if text := ast.get_docstring(member):
                    compared += 1
                    self.assertEqual(inspect.cleandoc(getattr(real, member.name).__doc__), text, member.name)
        self.assertGreater(compared, 40)

    def test_the_driver_of_the_package(self):
        """The echo server on a blocking socket that the documentation of the package has."""
        code = textwrap.dedent(websocket_proto.__doc__.partition("::\n\n")[2].partition("\n\n:mod:")[0])
        names = {**vars(websocket_proto), "time": time, "socket": socket}
        exec(code, names)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(HEAD + b"\r\n" + masked(b"\x81\x02hi") + masked(b"\x88\x02\x03\xe8"))
            theirs.shutdown(socket.SHUT_WR)
            end = names["serve"](ours)
            self.assertTrue(theirs.recv(4096).endswith(b"\r\n\r\n\x81\x02hi\x88\x02\x03\xe8"))
        self.assertEqual((end.code, end.is_clean), (1000, True))


class Anything(unittest.TestCase):
    """Random calls with random arguments. What is not an exception of the package is one of Python's for arguments."""

    ROUNDS = 400

    def test_random_calls(self):
        names = [name for name in dir(Endpoint) if not name.startswith("_") and name not in ("server", "client")]
        for seed in range(self.ROUNDS):
            choose = random.Random(seed)
            config = Config(
                compression=choose.random() < 0.5,
                max_buffered=choose.choice([0, 100, 1 << 20]),
                max_read_size=choose.choice([0, 4096]),
                max_message_size=choose.choice([0, 100, (1 << 64) - 1]),
            )
            endpoint = choose.choice([lambda: Endpoint.server(config), lambda: open_server(config), lambda: pair(config)[0]])()
            for _ in range(60):
                name = choose.choice(names)
                arguments = [self.argument(choose, endpoint) for _ in range(choose.choice([0, 1, 1, 1, 2]))]
                try:
                    member = getattr(endpoint, name)
                    if callable(member):
                        member(*arguments, **({"last": True} if name == "send_fragment" else {}))
                except ARGUMENT_ERRORS:
                    pass
            endpoint.abort()
            self.assertIs(endpoint.step(0), Step.DONE, seed)
            self.assertTrue(str(endpoint.end))

    def argument(self, choose, endpoint):
        return choose.choice([
            lambda: choose.randbytes(choose.choice([0, 1, 2, 10, 200])),
            lambda: masked(b"\x81\x05Hello"),
            lambda: masked(bytes([choose.choice([0x01, 0x80, 0x82, 0x89, 0x8A, 0xC1]), 3]) + choose.randbytes(3)),
            lambda: HEAD + b"\r\n",
            lambda: choose.choice(["", "text", "\ud800", "é" * 100]),
            lambda: choose.choice([0, 1, 1000, 4999, -1, 1 << 63, 1 << 64, 0.5, 1e9, 1e300, math.nan]),
            lambda: choose.choice([None, True, [], [("a", "b")], object(), Prepared("p"), endpoint]),
        ])()  # fmt: skip


if __name__ == "__main__":
    unittest.main()
