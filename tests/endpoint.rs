//! `Endpoint` by examples: every step, every deadline, every way to end. `endpoint_model` has the sequences.
#![cfg(feature = "alloc")]

mod common;
#[path = "common/heap.rs"]
mod heap;

use common::endpoints::{feed, write_all};
use common::pair::{Act, Driver, Link, Pair, Setup};
use common::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use websocket_proto::endpoint::{
    Buffers, Endpoint, EndpointConfig, Interest, Interruption, Outcome, SendError, Step, Timeout,
};
use websocket_proto::handshake::{ClientRequest, HandshakeError, HandshakeMisuse, Request, Upgrade};
use websocket_proto::keepalive::KeepaliveConfig;
use websocket_proto::{CloseCode, Closed, Config, Delivery, Event, Prepared, Role, entropy};

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An endpoint that is open, at the time 0.
fn opened(role: Role, config: &EndpointConfig, connection: Config) -> Endpoint {
    Endpoint::from_connection(config, open(role, &connection), &[], Duration::ZERO)
}

fn server_endpoint() -> Endpoint {
    opened(Role::Server, &EndpointConfig::new(), Config::new())
}

fn events(endpoint: &mut Endpoint, now: Duration) -> Vec<Seen> {
    assert_eq!(endpoint.step(now), Step::Event);
    let mut seen = Vec::new();
    while let Some((event, _)) = endpoint.next_event() {
        seen.push(event.into());
    }
    seen
}

/// The normal end: nothing is buffered, so writing is shut down, and the peer ends its direction.
fn shut_down(endpoint: &mut Endpoint, now: Duration) {
    assert_eq!(endpoint.step(now), Step::Shutdown);
    endpoint.shut_down();
    assert_eq!(endpoint.step(now), Step::Read);
    endpoint.received(0);
    if endpoint.step(now) == Step::Event {
        assert!(
            endpoint.next_event().is_none(),
            "nothing but the end of the transport"
        );
    }
    assert_eq!(endpoint.step(now), Step::Done);
}

// RFC 6455 section 7.1.1: a server, from its request to the end, each step in its turn
#[test]
fn server_goes_through_every_step() {
    let now = Duration::ZERO;
    let mut endpoint = Endpoint::server(&EndpointConfig::new(), now);
    assert_eq!(endpoint.sender().send_text("early"), Err(SendError::NotOpen));
    feed(&mut endpoint, now, REQUEST);
    assert_eq!(endpoint.step(now), Step::Request);
    endpoint.accept();
    assert_eq!(events(&mut endpoint, now), []);
    assert!(write_all(&mut endpoint, now).starts_with(b"HTTP/1.1 101 "));
    feed(
        &mut endpoint,
        now,
        &server().all_incoming(&[(0x89, b"p"), (0x81, b"hi"), (0x88, b"\x03\xe8")]),
    );
    assert_eq!(
        events(&mut endpoint, now),
        [ping(b"p"), text("hi"), close(1000, "")]
    );
    assert_eq!(write_all(&mut endpoint, now), b"\x8a\x01p\x88\x02\x03\xe8");
    shut_down(&mut endpoint, now);
    let end = endpoint.into_end();
    assert!(end.is_clean() && end.interruption.is_none());
}

// RFC 6455 section 5.5.2: the time that the caller takes to answer a request is part of the first interval between Pings
#[test]
fn first_ping_is_due_an_interval_after_the_step_of_the_request() {
    let mut endpoint = Endpoint::server(&EndpointConfig::new(), seconds(0));
    feed(&mut endpoint, seconds(1), REQUEST);
    assert_eq!(endpoint.step(seconds(2)), Step::Request);
    endpoint.accept();
    assert_eq!(endpoint.deadline(), Some(seconds(22)));
    assert_eq!(events(&mut endpoint, seconds(9)), []);
    assert!(write_all(&mut endpoint, seconds(9)).starts_with(b"HTTP/1.1 101 "));
    assert_eq!(endpoint.deadline(), Some(seconds(22)));
}

// RFC 6455 section 4.2.1: a request that is not for WebSocket gets a response, and the endpoint ends
#[test]
fn server_responds_to_other_http_requests() {
    let now = Duration::ZERO;
    let plain = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for (request, status) in [(&plain[..], "426 "), (b"\x16\x03\x01\r\n\r\n", "400 ")] {
        let mut endpoint = Endpoint::server(&EndpointConfig::new(), now);
        feed(&mut endpoint, now, request);
        if endpoint.step(now) == Step::Request {
            endpoint.accept();
        }
        let response = write_all(&mut endpoint, now);
        assert!(response.starts_with(format!("HTTP/1.1 {status}").as_bytes()));
        shut_down(&mut endpoint, now);
        assert!(matches!(endpoint.into_end().outcome, Outcome::Failed(_)));
    }
    let mut endpoint = Endpoint::server(&EndpointConfig::new(), now);
    feed(&mut endpoint, now, plain);
    assert_eq!(endpoint.step(now), Step::Request);
    let request = endpoint.take_request().unwrap();
    endpoint.respond(&request, 200, &[], b"page").unwrap();
    assert!(write_all(&mut endpoint, now).ends_with(b"page"));
    shut_down(&mut endpoint, now);
    assert_eq!(endpoint.into_end().outcome, Outcome::Responded { status: 200 });
}

// RFC 6455 section 4.2.2: 6455-4.2.2-02. RFC 9110 section 5.5, D68: received values can be forwarded, in both kinds of responses. There
// is one response to a request.
#[test]
fn server_responds_once_with_any_status_fields_and_body() {
    let now = Duration::ZERO;
    type Respond = fn(&mut Endpoint, &Request, &Upgrade<'_>) -> Result<(), HandshakeMisuse>;
    const BYTES: &[(&str, &[u8])] = &[("X", b"\xe9")];
    const TEXT: &[(&str, &str)] = &[("X", "\u{e9}")];
    let ways: [(Respond, &[u8]); 4] = [
        (
            |endpoint, request, _| endpoint.respond(request, 404, TEXT, b"No."),
            b"\xc3\xa9",
        ),
        (
            |endpoint, request, _| endpoint.respond_bytes(request, 404, BYTES, b"No."),
            b"\xe9",
        ),
        (
            |endpoint, _, upgrade| endpoint.reject(upgrade.clone(), 404, TEXT, b"No."),
            b"\xc3\xa9",
        ),
        (
            |endpoint, _, upgrade| endpoint.reject_bytes(upgrade.clone(), 404, BYTES, b"No."),
            b"\xe9",
        ),
    ];
    for (respond, value) in ways {
        let mut endpoint = Endpoint::server(&EndpointConfig::new(), now);
        feed(&mut endpoint, now, REQUEST);
        assert_eq!(endpoint.step(now), Step::Request);
        let request = endpoint.take_request().unwrap();
        let upgrade = endpoint.upgrade(&request).unwrap();
        assert_eq!(respond(&mut endpoint, &request, &upgrade), Ok(()));
        let again = respond(&mut endpoint, &request, &upgrade);
        assert_eq!(again, Err(HandshakeMisuse::NoRequest));
        let response = write_all(&mut endpoint, now);
        assert!(response.starts_with(b"HTTP/1.1 404 ") && response.ends_with(b"\r\n\r\nNo."));
        let line = [b"\r\nX: ", value, b"\r\n"].concat();
        assert!(response.windows(line.len()).any(|bytes| bytes == line));
        shut_down(&mut endpoint, now);
        assert_eq!(endpoint.into_end().outcome, Outcome::Responded { status: 404 });
    }
}

// RFC 6455 section 10.4: `EndpointConfig::connection` has the limits of both handshakes, and of the connections that they open
#[test]
fn limits_of_the_connection_are_those_of_the_handshake_too() {
    const RESPONSE: &[u8] =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\nX: 4\r\nX: 5\r\n\r\n";
    let now = Duration::ZERO;
    let config = EndpointConfig::new().connection(Config::new().max_message_size(4).max_fields(5));
    for role in [Role::Server, Role::Client] {
        let (end, head) = match role {
            Role::Server => (server(), REQUEST),
            Role::Client => (client(), RESPONSE),
        };
        let opening = || match role {
            Role::Server => Endpoint::server(&config, now),
            Role::Client => {
                let nonce = entropy::from_fn(|bytes| bytes.fill(0));
                Endpoint::client(&config, ClientRequest::from_url("ws://h").unwrap(), nonce, now)
            }
        };
        let mut endpoint = opening();
        endpoint.receive(head);
        match endpoint.step(now) {
            Step::Request => endpoint.accept(),
            Step::Response => assert!(endpoint.take_response().is_some()),
            step => panic!("{step:?}"),
        }
        endpoint.receive(&end.all_incoming(&[(0x81, b"four"), (0x81, b"fives")]));
        assert_eq!(events(&mut endpoint, now), [text("four")]);
        let closed = endpoint.into_end();
        let code = closed.closed().and_then(Closed::code_unsent);
        assert_eq!(code, Some(CloseCode::TOO_BIG), "{role:?}");

        let mut endpoint = opening();
        let with_six_fields = [&head[..head.len() - 2], b"X: 6\r\n\r\n"].concat();
        endpoint.receive(&with_six_fields);
        assert!(matches!(endpoint.step(now), Step::Write | Step::Done));
        let outcome = endpoint.into_end().outcome;
        let error = HandshakeError::TooManyFields { limit: 5 };
        assert_eq!(outcome, Outcome::Failed(error), "{role:?}");
    }
}

// RFC 6455 section 10.4, D75: a small limit before a login, a larger one after it; not before the connection is open
#[test]
fn limit_for_messages_can_be_changed_while_the_connection_is_open() {
    let now = Duration::ZERO;
    let config = EndpointConfig::new().connection(Config::new().max_message_size(4));
    let mut endpoint = Endpoint::server(&config, now);
    endpoint.set_max_message_size(100);
    feed(&mut endpoint, now, REQUEST);
    assert_eq!(endpoint.step(now), Step::Request);
    endpoint.accept();
    assert_eq!(events(&mut endpoint, now), []);
    write_all(&mut endpoint, now);
    let hello = server().all_incoming(&[(0x81, b"Hello")]);
    feed(
        &mut endpoint,
        now,
        &[server().all_incoming(&[(0x81, b"user")]), hello.clone()].concat(),
    );
    assert_eq!(endpoint.step(now), Step::Event);
    assert!(matches!(endpoint.next_event(), Some((Event::Text(name), _)) if name == "user"));
    endpoint.set_max_message_size(5);
    assert!(matches!(endpoint.next_event(), Some((Event::Text(text), _)) if text == "Hello"));
    assert!(endpoint.next_event().is_none());
    endpoint.set_max_message_size(4);
    feed(&mut endpoint, now, &hello);
    assert_eq!(events(&mut endpoint, now), []);
    assert_eq!(write_all(&mut endpoint, now)[2..4], [0x03, 0xf1]);
}

// RFC 6455 section 8.1: a read inside a payload yields no event and needs no step for one, unless its text is not UTF-8
#[test]
fn reads_inside_a_payload_are_received_without_a_step_for_events() {
    let now = Duration::ZERO;
    let valid = [b'x'; 1000];
    let mut invalid = valid;
    invalid[500] = 0xff;
    // A message of more than a read is assembled outside the read buffer.
    let config = EndpointConfig::new().max_read_size(valid.len() - 1);
    for (payload, is_valid) in [(valid, true), (invalid, false)] {
        let mut endpoint = opened(Role::Server, &config, Config::new());
        let wire = server().all_incoming(&[(0x81, &payload)]);
        let (start, rest) = wire.split_at(100);
        feed(&mut endpoint, now, start);
        assert_eq!(events(&mut endpoint, now), []);
        let (inside, rest) = rest.split_at(8 + 500 - start.len());
        feed(&mut endpoint, now, inside);
        assert_eq!(endpoint.step(now), Step::Read);
        feed(&mut endpoint, now, &rest[..1]);
        if is_valid {
            feed(&mut endpoint, now, &rest[1..]);
            assert_eq!(events(&mut endpoint, now), [text(&"x".repeat(1000))]);
        } else {
            assert_eq!(events(&mut endpoint, now), []);
            assert_eq!(write_all(&mut endpoint, now)[2..4], [0x03, 0xef]);
        }
    }
}

// RFC 6455 section 5.4: a read that ends before the last fragment yields no event, and needs no step for one
#[test]
fn reads_before_the_last_fragment_are_received_without_a_step_for_events() {
    let now = Duration::ZERO;
    for end in [server(), client()] {
        let first = end.incoming(0x01, b"one");
        let middle = end.all_incoming(&[(0x00, b""), (0x00, b" two"), (0x00, b" three")]);
        let last = end.all_incoming(&[(0x89, b"?"), (0x00, b" four"), (0x80, b"")]);
        for size in 1..=middle.len() {
            let mut endpoint = opened(end.role, &EndpointConfig::new(), Config::new());
            feed(&mut endpoint, now, &first);
            assert_eq!(events(&mut endpoint, now), []);
            feed(&mut endpoint, now, &middle[..size]);
            assert_eq!(endpoint.step(now), Step::Read, "{size} bytes");
            feed(&mut endpoint, now, &[&middle[size..], &last].concat());
            assert_eq!(
                events(&mut endpoint, now),
                [ping(b"?"), text("one two three four")]
            );
        }
    }
}

// RFC 6455 sections 5.4 and 8.1: what is wrong before the last fragment is reported with the next event
#[test]
fn fragment_that_breaks_a_rule_fails_the_endpoint_in_any_read() {
    let now = Duration::ZERO;
    let broken: [(&[u8], u8, &[u8], u16); 4] = [
        (b"", 0x01, b"new", 1002),
        (b"", 0x81, b"new", 1002),
        (b"", 0x40, b"reserved", 1002),
        (b"\xff", 0x00, b"more", 1007),
    ];
    for (second, first_byte, third, code) in broken {
        let frames: [(u8, &[u8]); 4] = [
            (0x01, b"one"),
            (0x00, second),
            (first_byte, third),
            (0x80, b"end"),
        ];
        let wire = server().all_incoming(&frames);
        for size in 1..=wire.len() {
            let mut endpoint = server_endpoint();
            let mut sent = Vec::new();
            for read in wire.chunks(size) {
                if !sent.is_empty() {
                    break;
                }
                feed(&mut endpoint, now, read);
                if endpoint.step(now) == Step::Event {
                    assert_eq!(events(&mut endpoint, now), []);
                }
                if endpoint.step(now) == Step::Write {
                    sent = write_all(&mut endpoint, now);
                }
            }
            assert_eq!(sent[2..4], code.to_be_bytes(), "{size} bytes each");
        }
    }
}

// RFC 6455 section 8.1: a fragment that is read into its message fails with the read that completes it
#[test]
fn fragment_that_is_read_into_its_message_fails_at_its_end() {
    const READ: usize = 64;
    let now = Duration::ZERO;
    let config = EndpointConfig::new().max_read_size(READ);
    let mut endpoint = opened(Role::Client, &config, Config::new());
    let mut payload = [b'x'; 32 * READ];
    payload[payload.len() - 1] = 0xff;
    let wire = client().incoming(0x01, &payload);
    let (start, rest) = wire.split_at(wire.len() % READ);
    let (inside, last) = rest.split_at(rest.len() - READ);
    for read in [start].into_iter().chain(inside.chunks(READ)) {
        feed(&mut endpoint, now, read);
        while endpoint.step(now) == Step::Event {
            assert!(endpoint.next_event().is_none());
        }
    }
    feed(&mut endpoint, now, last);
    assert_eq!(events(&mut endpoint, now), []);
    assert_eq!(write_all(&mut endpoint, now)[0], 0x88);
}

// RFC 6455 section 5.5.1, and Delivery::Chunks: a message that is complete in the input is not always returned as a whole
#[test]
fn messages_are_taken_as_the_state_and_the_configuration_say() {
    let now = Duration::ZERO;
    let mut endpoint = server_endpoint();
    let frames: [(u8, &[u8]); 3] = [(0x81, b"one"), (0x88, b""), (0x81, b"two")];
    feed(&mut endpoint, now, &server().all_incoming(&frames));
    assert_eq!(endpoint.step(now), Step::Event);
    let mut events = endpoint.events();
    assert!(matches!(events.next(), Some((Event::Text(_), _))));
    assert!(matches!(events.next(), Some((Event::Close(_), _))));
    assert!(events.next().is_none());
    drop(events);

    let chunks = Config::new().delivery(Delivery::Chunks);
    let mut endpoint = opened(Role::Server, &EndpointConfig::new(), chunks);
    feed(&mut endpoint, now, &server().incoming(0x81, b"one"));
    assert_eq!(endpoint.step(now), Step::Event);
    assert!(matches!(endpoint.next_event(), Some((Event::TextChunk(..), _))));
}

// RFC 6455 section 8.1: a text that stays in the read buffer fails at its first wrong byte, too
#[test]
fn text_that_stays_in_the_read_buffer_fails_at_once() {
    let now = Duration::ZERO;
    let mut payload = [b'x'; 1000];
    payload[400] = 0xff;
    let wire = server().all_incoming(&[(0x81, &payload)]);
    let (valid, rest) = wire.split_at(8 + 400);
    let mut endpoint = server_endpoint();
    for read in [&valid[..100], &valid[100..]] {
        feed(&mut endpoint, now, read);
        assert_eq!(events(&mut endpoint, now), []);
        assert_eq!(endpoint.step(now), Step::Read);
    }
    feed(&mut endpoint, now, &rest[..1]);
    assert_eq!(events(&mut endpoint, now), []);
    assert_eq!(write_all(&mut endpoint, now)[2..4], [0x03, 0xef]);
}

// D85: both roles end by their opening deadline in the same way, the server with a 408
#[test]
fn opening_that_takes_too_long_is_a_timeout_in_both_roles() {
    let mut server = Endpoint::server(&EndpointConfig::new(), Duration::ZERO);
    feed(&mut server, Duration::ZERO, b"GET / HTTP/1.1\r\n");
    assert_eq!(server.step(Duration::ZERO), Step::Read);
    server.read_blocked();
    assert_eq!(server.step(Duration::ZERO), Step::Wait(Interest::Readable));
    assert_eq!(server.deadline(), Some(seconds(10)));
    server.ready();
    assert!(write_all(&mut server, seconds(10)).starts_with(b"HTTP/1.1 408 "));
    shut_down(&mut server, seconds(10));

    let request = ClientRequest::from_url("ws://h").unwrap();
    let entropy = entropy::from_fn(|bytes| bytes.fill(7));
    let mut client = Endpoint::client(&EndpointConfig::new(), request, entropy, Duration::ZERO);
    write_all(&mut client, Duration::ZERO);
    assert_eq!(client.step(seconds(10)), Step::Done);

    for end in [server.into_end(), client.into_end()] {
        assert_eq!(end.outcome, Outcome::Failed(HandshakeError::TimedOut));
        assert_eq!(end.timeout(), Some(Timeout::Opening));
        assert_eq!(
            end.to_string(),
            "opening handshake failed: head was not complete within the 10s of KeepaliveConfig::open_timeout"
        );
    }
}

// D86: a slow peer has time as long as it reads; the closing time starts when the Close is written
#[test]
fn slow_reader_of_a_large_message_gets_it_and_the_close() {
    let mut endpoint = server_endpoint();
    endpoint.sender().send_binary(&vec![1; 10_000_000]).unwrap();
    endpoint.sender().close(CloseCode::NORMAL, "").unwrap();
    let mut now = Duration::ZERO;
    while !endpoint.output().is_empty() {
        assert_eq!(endpoint.step(now), Step::Write);
        endpoint.written(200_000);
        endpoint.write_blocked();
        if endpoint.step(now) == Step::Read {
            endpoint.read_blocked();
        }
        assert_eq!(endpoint.step(now), Step::Wait(Interest::Both));
        now += seconds(9);
        endpoint.ready();
    }
    assert!(now > seconds(400));
    assert_eq!(endpoint.step(now), Step::Flush);
    endpoint.flushed();
    feed(&mut endpoint, now, &server().incoming(0x88, b"\x03\xe8"));
    assert_eq!(events(&mut endpoint, now), [close(1000, "")]);
    shut_down(&mut endpoint, now);
    assert!(endpoint.into_end().is_clean());
}

// D86: a transport that accepts nothing
#[test]
fn peer_that_does_not_read_is_given_up_after_the_write_timeout() {
    let mut endpoint = server_endpoint();
    endpoint.sender().send_text("x").unwrap();
    assert_eq!(endpoint.step(seconds(1)), Step::Write);
    endpoint.write_blocked();
    assert_eq!(endpoint.deadline(), Some(seconds(11)));
    assert_eq!(endpoint.step(seconds(11)), Step::Done);
    assert_eq!(endpoint.into_end().timeout(), Some(Timeout::Write));
}

// D84: the text of a missed deadline names the setting and its value, which is rounded up to milliseconds
#[test]
fn missed_deadline_names_its_setting_and_value() {
    let config = EndpointConfig::new()
        .write_timeout(Duration::from_micros(1500))
        .keepalive(
            KeepaliveConfig::new()
                .open_timeout(Duration::from_millis(2500))
                .ping_interval(seconds(30))
                .ping_timeout(Duration::from_nanos(1))
                .close_timeout(seconds(3)),
        );
    let server = || opened(Role::Server, &config, Config::new());
    let mut unread = server();
    unread.sender().send_text("x").unwrap();
    let mut closing = server();
    closing.sender().close(None, "").unwrap();
    let mut asking = Endpoint::server(&config, Duration::ZERO);
    feed(&mut asking, Duration::ZERO, REQUEST);
    for (mut endpoint, writes, expected) in [
        (
            Endpoint::server(&config, Duration::ZERO),
            true,
            "opening handshake failed: head was not complete within the 2.5s of KeepaliveConfig::open_timeout",
        ),
        (
            asking,
            true,
            "not opened, status 503 (opening handshake took longer than the 2.5s of KeepaliveConfig::open_timeout)",
        ),
        (
            server(),
            true,
            "peer sent nothing for the 1ms of KeepaliveConfig::ping_timeout after a ping, not clean",
        ),
        (
            unread,
            false,
            "peer did not read for the 2ms of EndpointConfig::write_timeout, not clean",
        ),
        (
            closing,
            true,
            "closed locally, not clean, sent 1005, received none \
             (closing handshake took longer than the 3s of KeepaliveConfig::close_timeout)",
        ),
    ] {
        let mut now = Duration::ZERO;
        loop {
            match endpoint.step(now) {
                Step::Read => endpoint.read_blocked(),
                Step::Write if writes => endpoint.written(usize::MAX),
                Step::Write => endpoint.write_blocked(),
                Step::Flush => endpoint.flushed(),
                Step::Shutdown => endpoint.shut_down(),
                Step::Request | Step::Wait(_) => {
                    now = endpoint.deadline().expect("there is a deadline");
                    endpoint.ready();
                }
                Step::Response | Step::Event => unreachable!("nothing arrives"),
                Step::Done => break,
            }
        }
        assert_eq!(endpoint.into_end().to_string(), expected);
    }
}

// RFC 6455 section 5.5.2: a peer that is silent after a Ping
#[test]
fn silent_peer_is_given_up_after_a_ping() {
    let mut endpoint = server_endpoint();
    assert_eq!(write_all(&mut endpoint, seconds(20))[0], 0x89);
    assert_eq!(endpoint.step(seconds(20)), Step::Read);
    endpoint.read_blocked();
    assert_eq!(endpoint.step(seconds(20)), Step::Wait(Interest::Readable));
    assert_eq!(endpoint.deadline(), Some(seconds(40)));
    endpoint.ready();
    if endpoint.step(seconds(40)) == Step::Read {
        endpoint.read_blocked();
    }
    assert_eq!(endpoint.step(seconds(40)), Step::Done);
    assert_eq!(endpoint.into_end().timeout(), Some(Timeout::Ping));
}

// D87: a write fails, and the peer's Close, which arrived before, is still read
#[test]
fn close_of_the_peer_is_read_after_a_write_failed() {
    let mut endpoint = server_endpoint();
    let now = Duration::ZERO;
    endpoint.sender().close(CloseCode::GOING_AWAY, "").unwrap();
    write_all(&mut endpoint, now);
    endpoint.sender().send_ping(b"").unwrap();
    assert_eq!(endpoint.step(now), Step::Write);
    endpoint.write_failed("broken pipe");
    feed(&mut endpoint, now, &server().incoming(0x88, b"\x03\xe9"));
    assert_eq!(events(&mut endpoint, now), [close(1001, "")]);
    assert_eq!(endpoint.step(now), Step::Read);
    endpoint.read_failed("reset");
    while endpoint.step(now) == Step::Event {
        assert!(endpoint.next_event().is_none());
    }
    assert_eq!(endpoint.step(now), Step::Done);
    let end = endpoint.into_end();
    assert!(end.is_clean());
    assert!(
        matches!(&end.interruption, Some(Interruption::Transport(error)) if error.to_string() == "broken pipe")
    );
}

// D87: what is read after a failed write is bounded in time
#[test]
fn reading_after_a_failed_write_ends_after_the_linger_timeout() {
    let mut endpoint = server_endpoint();
    endpoint.sender().send_text("x").unwrap();
    assert_eq!(endpoint.step(seconds(1)), Step::Write);
    endpoint.write_failed("broken pipe");
    assert_eq!(endpoint.step(seconds(1)), Step::Read);
    endpoint.read_blocked();
    assert_eq!(endpoint.step(seconds(1)), Step::Wait(Interest::Readable));
    assert_eq!(endpoint.deadline(), Some(seconds(3)));
    assert_eq!(endpoint.step(seconds(3)), Step::Done);
}

// D88: output beyond the bound: messages are rejected, but not the Close; reading continues, as both ends may have much to send
#[test]
fn full_output_rejects_messages_but_not_a_close() {
    let config = EndpointConfig::new().max_buffered(100);
    let mut endpoint = opened(Role::Server, &config, Config::new());
    let now = Duration::ZERO;
    endpoint.sender().send_binary(&[1; 98]).unwrap();
    let full = SendError::Full {
        waiting: 100,
        limit: 100,
    };
    assert_eq!(endpoint.sender().send_text("x"), Err(full));
    assert_eq!(endpoint.sender().send_prepared(&Prepared::text("all")), Err(full));
    assert!(full.to_string().contains("100 bytes wait") && full.to_string().contains("max_buffered is 100"));
    assert_eq!(endpoint.step(now), Step::Write);
    endpoint.write_blocked();
    assert_eq!(endpoint.step(now), Step::Read);
    endpoint.read_blocked();
    assert_eq!(endpoint.step(now), Step::Wait(Interest::Both));
    endpoint.written(1);
    endpoint.sender().send_text("x").unwrap();
    endpoint
        .sender()
        .close(CloseCode::TRY_AGAIN_LATER, "too slow")
        .unwrap();
    endpoint.ready();
    assert_eq!(endpoint.step(now), Step::Write);
    assert!(endpoint.output().ends_with(b"\x03\xf5too slow"));
}

// Events of one read are held together and replied to; what is not taken stays in the endpoint.
#[test]
fn events_can_be_held_together() {
    let (mut endpoint, now) = (server_endpoint(), Duration::ZERO);
    let frames: [(u8, &[u8]); 5] = [
        (0x81, b"one"),
        (0x89, b"p"),
        (0x82, b"two"),
        (0x81, b"three"),
        (0x82, b"four"),
    ];
    feed(&mut endpoint, now, &server().all_incoming(&frames));
    assert_eq!(endpoint.step(now), Step::Event);
    let (mut events, mut held) = (endpoint.events(), Vec::new());
    while held.len() < 3 {
        let (event, mut sender) = events.next().expect("three of them are returned");
        sender.send_text("reply").expect("the endpoint is open");
        held.push(event);
    }
    assert!(
        matches!(&held[..], [Event::Text(one), Event::Ping(_), Event::Binary(two)]
        if one.is_borrowed() && one == "one" && two.is_borrowed() && two == b"two")
    );
    drop(events);
    assert!(matches!(endpoint.next_event(), Some((Event::Text(text), _)) if text == "three"));
    assert_eq!(endpoint.step(now), Step::Event);
    assert_eq!(self::events(&mut endpoint, now), [binary(b"four")]);
    assert!(endpoint.events().next().is_none());
    assert_eq!(
        write_all(&mut endpoint, now),
        b"\x81\x05reply\x8a\x01p\x81\x05reply\x81\x05reply"
    );
}

/// An endpoint with three texts in its read buffer.
fn with_three_texts(now: Duration) -> Endpoint {
    let mut endpoint = server_endpoint();
    let texts = [(0x81, &b"one"[..]), (0x81, b"two"), (0x81, b"three")];
    feed(&mut endpoint, now, &server().all_incoming(&texts));
    assert_eq!(endpoint.step(now), Step::Event);
    endpoint
}

// A text that was taken is unmasked in the read buffer: it is not received again, however the loop ends.
#[test]
fn caller_that_panics_leaves_the_events_that_it_has_not_taken() {
    let now = Duration::ZERO;
    let mut endpoint = with_three_texts(now);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut events = endpoint.events();
        while let Some((event, _)) = events.next() {
            assert!(
                matches!(event, Event::Text(text) if text == "one"),
                "the second text"
            );
        }
    }));
    assert!(panicked.is_err());
    assert_eq!(events(&mut endpoint, now), [text("three")]);
}

#[test]
fn leaked_events_lose_what_they_have_not_returned_and_no_more() {
    let now = Duration::ZERO;
    let mut endpoint = with_three_texts(now);
    let mut leaked = endpoint.events();
    assert!(leaked.next().is_some());
    std::mem::forget(leaked);
    assert_eq!(events(&mut endpoint, now), []);
    feed(&mut endpoint, now, &server().all_incoming(&[(0x81, b"four")]));
    assert_eq!(events(&mut endpoint, now), [text("four")]);
}

#[test]
fn there_are_no_events_before_the_connection_is_open_and_after_the_end() {
    let mut endpoint = Endpoint::server(&EndpointConfig::new(), Duration::ZERO);
    endpoint.receive(b"\x81\x80\0\0\0\0");
    assert!(endpoint.events().next().is_none());
    let mut endpoint = server_endpoint();
    assert!(endpoint.events().next().is_none(), "it has no buffers yet");
    endpoint.receive(b"\x81\x80\0\0\0\0");
    endpoint.abort();
    assert!(endpoint.events().next().is_none());
}

// D88: replies beyond the bound: no event and no reading until some of them are written
#[test]
fn replies_over_the_bound_stop_events_and_reading() {
    let config = EndpointConfig::new().max_buffered(100);
    let mut endpoint = opened(Role::Server, &config, Config::new());
    let now = Duration::ZERO;
    let message = [7; 60];
    let wire = server().all_incoming(&[(0x82, &message), (0x82, &message), (0x82, &message)]);
    endpoint.receive(&wire);
    let echo = |endpoint: &mut Endpoint| {
        let mut events = 0;
        while let Some((Event::Binary(payload), mut sender)) = endpoint.next_event() {
            sender
                .send_binary(&payload)
                .expect("each event may be replied to");
            events += 1;
        }
        events
    };
    assert_eq!(endpoint.step(now), Step::Event);
    assert_eq!(echo(&mut endpoint), 2);
    assert_eq!(endpoint.step(now), Step::Write);
    endpoint.write_blocked();
    assert_eq!(endpoint.step(now), Step::Wait(Interest::Writable));
    endpoint.written(62);
    assert_eq!(endpoint.step(now), Step::Event);
    assert_eq!(echo(&mut endpoint), 1);
}

// RFC 6455 section 5.5.1: the peer's Close, left to the caller, and a Ping without a reply
#[test]
fn caller_answers_the_close_if_it_wants_to() {
    let connection = Config::new()
        .auto_close(false)
        .auto_pong(websocket_proto::AutoPong::Off);
    let mut endpoint = opened(Role::Server, &EndpointConfig::new(), connection);
    let now = Duration::ZERO;
    feed(
        &mut endpoint,
        now,
        &server().all_incoming(&[(0x89, b""), (0x88, b"\x03\xe8")]),
    );
    assert_eq!(events(&mut endpoint, now), [ping(b""), close(1000, "")]);
    assert!(endpoint.output().is_empty());
    endpoint.sender().close(CloseCode::NORMAL, "").unwrap();
    assert_eq!(write_all(&mut endpoint, now), b"\x88\x02\x03\xe8");
    shut_down(&mut endpoint, now);
    assert!(endpoint.into_end().is_clean());
}

// D89: no data of one endpoint reaches another through shared buffers
#[test]
fn lent_buffers_expose_nothing_of_the_previous_endpoint() {
    let mut first = server_endpoint();
    let now = Duration::ZERO;
    feed(&mut first, now, &server().incoming(0x81, b"secret"));
    assert_eq!(events(&mut first, now), [text("secret")]);
    let buffers = first.take_buffers().expect("it is idle");
    assert_eq!(first.capacity(), 0);
    let mut second = server_endpoint();
    second.lend_buffers(buffers);
    assert!(second.read_space().iter().all(|byte| *byte == 0));

    let mut filled = Buffers::new(4096);
    filled.read.extend(&server().incoming(0x81, b"of another"));
    filled.output.buffer().extend(b"of another");
    let mut third = server_endpoint();
    third.lend_buffers(Box::new(filled));
    assert_eq!(third.step(now), Step::Read);
    assert!(third.output().is_empty());
    assert!(third.take_buffers().is_some(), "it holds nothing");
}

// Design 2, section 1: an endpoint whose buffers were taken allocates none for its state, except by `sender`; lent ones are used
#[test]
fn sender_allocates_buffers_and_the_state_does_not() {
    let now = Duration::ZERO;
    let mut idle = opened(Role::Server, &EndpointConfig::new(), Config::new());
    idle.read_blocked();
    let (waits, heap) = heap::measure(|| {
        let is_waiting = matches!(idle.step(now), Step::Wait(_)) && idle.deadline().is_some();
        is_waiting && idle.is_open() && idle.end().is_none() && idle.last_rtt().is_none()
    });
    assert!(waits);
    assert_eq!(heap, heap::Heap::default());
    let (is_open, heap) = heap::measure(|| idle.sender().is_open());
    assert!(is_open && heap.calls == 1, "{heap:?}");
    assert_eq!(idle.capacity(), 0, "nothing is allocated for the bytes");
    let buffers = idle.take_buffers().expect("they hold nothing");
    let (buffers, heap) = heap::measure(|| {
        idle.lend_buffers(buffers);
        assert!(idle.sender().is_open());
        idle.take_buffers()
    });
    assert!(buffers.is_some());
    assert_eq!(heap, heap::Heap::default());
}

// A read that fills the buffers makes them grow for the next endpoint too, up to the largest read
#[test]
fn lent_buffers_grow_with_reads_that_fill_them() {
    let now = Duration::ZERO;
    let pong = [0x8a, 0x80, 0, 0, 0, 0];
    let mut buffers = Box::new(Buffers::new(64 * 1024));
    let mut idle = server_endpoint();
    idle.lend_buffers(buffers);
    assert_eq!(
        idle.capacity(),
        0,
        "buffers that were never used allocate nothing"
    );
    buffers = idle.take_buffers().expect("it is idle");
    for (size, unread) in [
        (4096, 1),
        (4096, 0),
        (8192, 0),
        (16_384, 1),
        (16_384, 0),
        (32_768, 0),
        (65_536, 0),
        (65_536, 0),
    ] {
        let mut endpoint = server_endpoint();
        endpoint.lend_buffers(buffers);
        assert_eq!(endpoint.step(now), Step::Read);
        let space = endpoint.read_space();
        assert_eq!(space.len(), size);
        assert!(space.iter().all(|byte| *byte == 0));
        let filled = size - unread;
        for (byte, next) in space.iter_mut().zip(pong.iter().cycle()).take(filled) {
            *byte = *next;
        }
        endpoint.received(filled);
        assert_eq!(events(&mut endpoint, now).len(), filled / pong.len());
        buffers = endpoint.take_buffers().expect("it is idle");
    }
}

// RFC 6455 section 5.2: a read is received from where it went, if buffers of another size were lent after space in a message
#[test]
fn read_goes_to_buffers_that_replace_the_space_of_a_message() {
    let now = Duration::ZERO;
    let payload: Vec<u8> = (0..6000_u32).map(|number| number as u8).collect();
    let wire = client().incoming(0x82, &payload);
    let mut endpoint = opened(Role::Client, &EndpointConfig::new(), Config::new());
    let mut received = Vec::new();
    for part in wire.chunks(100) {
        endpoint.lend_buffers(Box::new(Buffers::new(128)));
        assert_eq!(endpoint.step(now), Step::Read);
        _ = endpoint.read_space();
        endpoint.lend_buffers(Box::new(Buffers::new(64 * 1024)));
        feed(&mut endpoint, now, part);
        if endpoint.step(now) == Step::Event {
            received.extend(events(&mut endpoint, now));
        }
    }
    assert!(received == [Seen::Binary(payload)]);
}

// Design 2, section 1: an idle endpoint holds no heap
#[test]
fn idle_endpoint_without_buffers_has_no_heap() {
    let config = EndpointConfig::new();
    let (endpoint, heap) = heap::measure(|| {
        let connection = open(Role::Server, &Config::new());
        let mut endpoint = Endpoint::from_connection(&config, connection, &[], Duration::ZERO);
        feed(&mut endpoint, Duration::ZERO, &server().incoming(0x8a, b""));
        assert_eq!(endpoint.step(Duration::ZERO), Step::Event);
        while let Some((event, _)) = endpoint.next_event() {
            assert!(matches!(event, Event::Pong(_)));
        }
        drop(endpoint.take_buffers());
        endpoint
    });
    assert_eq!(heap.held, 0);
    assert!(cfg!(feature = "deflate") || size_of_val(&endpoint) <= 320);
}

// D90: reports by the driver after the end have no effect
#[test]
fn unsolicited_reports_have_no_effect() {
    let now = Duration::ZERO;
    let mut endpoint = server_endpoint();
    feed(&mut endpoint, now, &server().incoming(0x88, b""));
    assert_eq!(events(&mut endpoint, now), [Seen::Close(None, String::new())]);
    write_all(&mut endpoint, now);
    endpoint.written(7);
    assert_eq!(endpoint.step(now), Step::Shutdown);
    endpoint.shut_down();
    endpoint.written(7);
    endpoint.flushed();
    endpoint.write_blocked();
    assert_eq!(endpoint.step(now), Step::Read);
    endpoint.received(usize::MAX);
    assert_eq!(
        events(&mut endpoint, now),
        [],
        "what follows the Close is dropped"
    );
    assert_eq!(endpoint.step(now), Step::Read);
    endpoint.received(0);
    assert_eq!(endpoint.step(now), Step::Event);
    assert!(endpoint.next_event().is_none());
    assert_eq!(endpoint.step(now), Step::Done);
    endpoint.written(usize::MAX);
    endpoint.ready();
    assert_eq!(endpoint.step(now), Step::Done);
    assert_eq!(endpoint.capacity(), 0);
}

// Times at the ends of their types, and a clock that goes backwards
#[test]
fn any_time_will_do() {
    let extremes = [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_nanos(u64::MAX),
        Duration::MAX,
    ];
    for timeout in extremes {
        for start in extremes {
            for now in extremes {
                let config = EndpointConfig::new()
                    .write_timeout(timeout)
                    .linger_timeout(timeout);
                let mut endpoint =
                    Endpoint::from_connection(&config, open(Role::Server, &Config::new()), &[], start);
                endpoint.sender().send_text("x").unwrap();
                let (step, deadline) = (endpoint.step(now), endpoint.deadline());
                assert!(matches!(step, Step::Write | Step::Done));
                endpoint.write_blocked();
                _ = endpoint.step(Duration::ZERO);
                assert!(endpoint.end().is_some() || endpoint.deadline() >= deadline);
            }
        }
    }
}

// D40: frames that another library read after its handshake, with each delivery
#[test]
fn bytes_behind_a_foreign_handshake_are_the_first_events() {
    for delivery in [Delivery::Whole, Delivery::InPlace] {
        let frames = server().all_incoming(&[(0x81, b"first"), (0x02, b"se"), (0x80, b"cond")]);
        let connection = open(Role::Server, &Config::new().delivery(delivery));
        let (before, after) = frames.split_at(9);
        let mut endpoint =
            Endpoint::from_connection(&EndpointConfig::new(), connection, before, Duration::ZERO);
        let mut seen = events(&mut endpoint, Duration::ZERO);
        feed(&mut endpoint, Duration::ZERO, after);
        seen.extend(events(&mut endpoint, Duration::ZERO));
        assert_eq!(seen, [text("first"), binary(b"second")]);
    }
}

// Design 2, section 1: however the transport splits the bytes, the result is the same
#[test]
fn splits_change_nothing() {
    let run = |link| {
        let max_buffered = 1 << 20;
        let mut pair = Pair::new(
            Setup {
                max_buffered,
                ..Setup::PLAIN
            },
            link,
        );
        for act in [Act::Send(300), Act::Ping, Act::Send(0), Act::Send(130)] {
            pair.act(0, act);
            pair.act(1, act);
        }
        pair.act(1, Act::Close);
        pair.finish()
            .map(|side| (side.received, side.endpoint.into_end().to_string()))
    };
    let whole = run(Link {
        chunk: 1 << 16,
        capacity: 1 << 16,
        buffers: false,
        driver: Driver::Readiness,
    });
    assert!(whole[0].0.len() == 5 && whole[0].1.contains("clean"));
    for chunk in [1, 2, 3, 7, 64, 127, 129, 1000] {
        for buffers in [false, true] {
            for driver in [Driver::Readiness, Driver::Completion, Driver::Multishot] {
                assert_eq!(
                    run(Link {
                        chunk,
                        capacity: 2000,
                        buffers,
                        driver
                    }),
                    whole
                );
            }
        }
    }
}

// D90: after our end, the end of the transport is awaited, and what arrives until then is dropped, but not indefinitely
#[test]
fn linger_reads_and_drops_until_the_peer_ends_or_its_time_is_over() {
    for ends in [true, false] {
        let mut endpoint = server_endpoint();
        let now = seconds(5);
        feed(&mut endpoint, now, &server().incoming(0x88, b""));
        events(&mut endpoint, now);
        write_all(&mut endpoint, now);
        assert_eq!(endpoint.step(now), Step::Shutdown);
        endpoint.shut_down();
        feed(&mut endpoint, now, &server().incoming(0x81, b"late"));
        assert_eq!(events(&mut endpoint, now), []);
        assert_eq!(endpoint.step(now), Step::Read);
        endpoint.read_blocked();
        assert_eq!(endpoint.step(now), Step::Wait(Interest::Readable));
        assert_eq!(endpoint.deadline(), Some(seconds(7)));
        if ends {
            endpoint.read_failed("reset");
            _ = events(&mut endpoint, now);
        }
        assert_eq!(endpoint.step(if ends { now } else { seconds(7) }), Step::Done);
        let end = endpoint.into_end();
        assert!(end.is_clean() && end.interruption.is_some() == ends, "{end}");
    }
}

// D91: a caller that was busy for longer than the timeout of a Ping finds the reply in the transport
#[test]
fn transport_is_read_once_more_before_a_peer_is_given_up() {
    let mut endpoint = server_endpoint();
    let sent = write_all(&mut endpoint, seconds(20));
    assert_eq!(sent[0], 0x89);
    let late = seconds(41);
    feed(&mut endpoint, late, &server().incoming(0x8a, &sent[2..]));
    assert_eq!(events(&mut endpoint, late), [pong(&sent[2..])]);
    assert_eq!(endpoint.step(late), Step::Write, "the next Ping is due");
    assert!(endpoint.end().is_none());
}

// D88: a Ping that is due is added to less output than the bound, and not to as much
#[test]
fn ping_is_not_added_to_full_output() {
    let config = EndpointConfig::new().max_buffered(100).write_timeout(seconds(60));
    for (payload, expected) in [(97, 99 + 10), (98, 100)] {
        let mut endpoint = opened(Role::Server, &config, Config::new());
        endpoint.sender().send_binary(&vec![1; payload]).unwrap();
        assert_eq!(endpoint.step(seconds(1)), Step::Write);
        endpoint.write_blocked();
        assert_eq!(
            endpoint.flush_step(seconds(20)),
            Some(Step::Wait(Interest::Writable)),
            "a Ping is due"
        );
        assert_eq!(endpoint.output().len(), expected);
    }
}

// RFC 6455 section 5.5.3: a peer that has ended its direction cannot answer a Ping. What it sent before waits for the caller, and
// the reply for the transport, whose deadline is that of progress.
#[test]
fn pings_end_with_the_direction_of_the_peer() {
    for accepts in [true, false] {
        let config = EndpointConfig::new().max_buffered(1).write_timeout(seconds(60));
        let mut endpoint = opened(Role::Server, &config, Config::new());
        endpoint.receive(&server().all_incoming(&[(0x89, b"1"), (0x81, b"x")]));
        assert_eq!(endpoint.step(seconds(1)), Step::Event);
        assert!(matches!(endpoint.next_event(), Some((Event::Ping(_), _))));
        assert_eq!(endpoint.step(seconds(1)), Step::Write);
        endpoint.write_blocked();
        assert_eq!(
            endpoint.step(seconds(20)),
            Step::Wait(Interest::Writable),
            "a Ping is due"
        );
        assert_eq!(
            endpoint.output().len(),
            3,
            "the Pong, behind which a Ping could not leave"
        );
        endpoint.receive(&[]);
        assert_eq!(endpoint.deadline(), Some(seconds(61)), "that of the output");
        for later in [40, 60] {
            assert_eq!(endpoint.step(seconds(later)), Step::Wait(Interest::Writable));
        }
        if accepts {
            endpoint.ready();
            assert_eq!(endpoint.step(seconds(60)), Step::Write);
            endpoint.written(3);
            assert_eq!(events(&mut endpoint, seconds(60)), [text("x")], "it is not lost");
        } else {
            assert_eq!(events(&mut endpoint, seconds(61)), [text("x")], "it is not lost");
            assert_eq!(endpoint.step(seconds(61)), Step::Done);
            assert_eq!(endpoint.into_end().timeout(), Some(Timeout::Write));
        }
    }
}

// RFC 6455 section 7.1.4, D92: an end is clean with both Closes on the wire, not with one in the output
#[test]
fn end_is_not_clean_unless_the_close_was_written_and_flushed() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Left {
        Queued,
        QueuedDuringAFlush,
        CutShort,
        Unflushed,
        Flushed,
        FlushedBeforeAPing,
    }
    use Left::*;
    for ours_first in [false, true] {
        for left in [
            Queued,
            QueuedDuringAFlush,
            CutShort,
            Unflushed,
            Flushed,
            FlushedBeforeAPing,
        ] {
            for fails in [false, true] {
                let config = Config::new().auto_pong(websocket_proto::AutoPong::UntilPeerCloses);
                let mut endpoint = opened(Role::Client, &EndpointConfig::new(), config);
                let now = Duration::ZERO;
                if left == QueuedDuringAFlush {
                    endpoint.sender().send_text("before").unwrap();
                    endpoint.written(endpoint.output().len());
                }
                if ours_first {
                    endpoint.sender().close(CloseCode::NORMAL, "").unwrap();
                } else {
                    endpoint.receive(&client().incoming(0x88, b"\x03\xe8"));
                    events(&mut endpoint, now);
                }
                if left == QueuedDuringAFlush {
                    endpoint.flushed();
                }
                assert_eq!(endpoint.step(now), Step::Write);
                let size = endpoint.output().len();
                match left {
                    Queued | QueuedDuringAFlush => {}
                    CutShort => endpoint.written(size - 1),
                    Unflushed => endpoint.written(size),
                    Flushed | FlushedBeforeAPing => {
                        endpoint.written(size);
                        assert_eq!(endpoint.step(now), Step::Flush);
                        endpoint.flushed();
                    }
                }
                if ours_first {
                    if left == FlushedBeforeAPing {
                        endpoint.sender().send_ping(b"").unwrap();
                        endpoint.written(1);
                    }
                    endpoint.write_blocked();
                    feed(&mut endpoint, now, &client().incoming(0x88, b"\x03\xe8"));
                    events(&mut endpoint, now);
                }
                if fails {
                    endpoint.write_failed("broken pipe");
                    assert_eq!(
                        endpoint.take_buffers().is_some(),
                        matches!(left, Flushed | FlushedBeforeAPing)
                    );
                }
                let end = endpoint.into_end();
                let is_sent = matches!(left, Flushed | FlushedBeforeAPing);
                assert_eq!(end.is_clean(), is_sent, "{end} {left:?} {ours_first} {fails}");
                let closed = end.closed().unwrap();
                assert_eq!(closed.code_sent().is_some(), is_sent);
                assert_eq!(closed.code_unsent(), (!is_sent).then_some(CloseCode::NORMAL));
                assert_eq!(closed.to_string().contains(", 1000 not written"), !is_sent);
                assert_eq!(closed.code_received(), Some(CloseCode::NORMAL));
                assert_eq!(end.into_result().is_ok(), is_sent);
            }
        }
    }
}

// RFC 6455 section 7.1.6, D92: the reason is next to the code that it came with, not to the one that was not written
#[test]
fn reason_of_the_peer_is_shown_with_its_code() {
    let mut endpoint = server_endpoint();
    let now = Duration::ZERO;
    endpoint.receive(&server().incoming(0x88, b"\x03\xeabye"));
    events(&mut endpoint, now);
    endpoint.write_failed("broken pipe");
    let end = endpoint.into_end();
    assert_eq!(
        end.closed().unwrap().to_string(),
        r#"closed by the peer, not clean, sent none, received 1002 "bye", 1002 not written"#
    );
}

// RFC 6455 section 7.1.4, D92: a slow reader is closed with 1013: the end says whether that was written, and whether it was answered
#[test]
fn end_shows_the_close_for_a_slow_reader() {
    #[derive(Clone, Copy, Debug)]
    enum Peer {
        Answers,
        ReadsOnly,
        ReadsNothing,
        Resets,
    }
    for (peer, end, code_sent) in [
        (
            Peer::Answers,
            "closed locally, clean, sent 1013, received 1013",
            true,
        ),
        (
            Peer::ReadsOnly,
            "closed locally, not clean, sent 1013, received none \
             (closing handshake took longer than the 10s of KeepaliveConfig::close_timeout)",
            true,
        ),
        (
            Peer::ReadsNothing,
            "peer did not read for the 10s of EndpointConfig::write_timeout, not clean, 1013 not written",
            false,
        ),
        (
            Peer::Resets,
            "transport failed: reset, not clean, 1013 not written",
            false,
        ),
    ] {
        let mut endpoint = opened(
            Role::Server,
            &EndpointConfig::new().max_buffered(100),
            Config::new(),
        );
        let now = Duration::ZERO;
        endpoint.sender().send_binary(&[7; 200]).unwrap();
        assert!(matches!(
            endpoint.sender().send_text("x"),
            Err(SendError::Full { .. })
        ));
        endpoint
            .sender()
            .close(CloseCode::TRY_AGAIN_LATER, "too slow")
            .unwrap();
        match peer {
            Peer::Answers => {
                write_all(&mut endpoint, now);
                feed(&mut endpoint, now, &server().incoming(0x88, b"\x03\xf5"));
                assert_eq!(events(&mut endpoint, now), [close(1013, "")]);
                shut_down(&mut endpoint, now);
            }
            Peer::ReadsOnly => {
                write_all(&mut endpoint, now);
                assert_eq!(endpoint.step(now), Step::Read);
                endpoint.read_blocked();
                assert_eq!(endpoint.step(now), Step::Wait(Interest::Readable));
                assert_eq!(endpoint.step(seconds(10)), Step::Done);
            }
            Peer::ReadsNothing => {
                assert_eq!(endpoint.step(now), Step::Write);
                endpoint.written(150); // of the message
                endpoint.write_blocked();
                assert_eq!(endpoint.step(now), Step::Read);
                endpoint.read_blocked();
                assert_eq!(endpoint.step(now), Step::Wait(Interest::Both));
                assert_eq!(endpoint.step(seconds(10)), Step::Done);
            }
            Peer::Resets => endpoint.read_failed("reset"),
        }
        let ended = endpoint.into_end();
        assert_eq!(ended.to_string(), end, "{peer:?}");
        let closed = ended.closed().unwrap();
        let code = Some(CloseCode::TRY_AGAIN_LATER);
        assert_eq!(closed.code_sent(), code.filter(|_| code_sent), "{peer:?}");
        assert_eq!(closed.code_unsent(), code.filter(|_| !code_sent), "{peer:?}");
        assert_eq!(ended.is_clean(), matches!(peer, Peer::Answers));
    }
}

// RFC 9110 section 15.6.4, D93: the client did its part in time, and the caller did not
#[test]
fn request_that_the_caller_does_not_answer_in_time_gets_a_503() {
    for takes in [true, false] {
        let now = seconds(10);
        let mut endpoint = Endpoint::server(&EndpointConfig::new(), Duration::ZERO);
        feed(&mut endpoint, Duration::ZERO, REQUEST);
        assert_eq!(endpoint.step(Duration::ZERO), Step::Request);
        let request = takes.then(|| endpoint.take_request().unwrap());
        if takes {
            assert_eq!(endpoint.step(seconds(9)), Step::Wait(Interest::Nothing));
        }
        assert_eq!(endpoint.deadline(), Some(now));
        let response = write_all(&mut endpoint, now);
        assert_eq!(
            response,
            b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        assert!(endpoint.take_request().is_none());
        if let Some(request) = request {
            let upgrade = request.upgrade(&mut Vec::new()).unwrap();
            let late = endpoint.accept_upgrade(upgrade);
            assert_eq!(late, Err(HandshakeMisuse::NoRequest));
        }
        shut_down(&mut endpoint, now);
        let end = endpoint.into_end();
        assert_eq!(end.outcome, Outcome::Responded { status: 503 });
        assert_eq!(end.timeout(), Some(Timeout::Opening));
        assert_eq!(
            end.to_string(),
            "not opened, status 503 (opening handshake took longer than the 10s of KeepaliveConfig::open_timeout)"
        );
    }
}

// RFC 6455 section 7.1.1, D86: an operation that completes long after its step takes nothing of the time to linger
#[test]
fn time_to_linger_starts_with_the_step_after_the_shutdown() {
    let mut endpoint = server_endpoint();
    endpoint.receive(&server().incoming(0x88, &[0x03, 0xe8]));
    assert_eq!(events(&mut endpoint, seconds(0)).len(), 1);
    write_all(&mut endpoint, seconds(0));
    assert_eq!(endpoint.step(seconds(0)), Step::Shutdown);
    endpoint.shut_down();
    assert_eq!(endpoint.step(seconds(10)), Step::Read);
    assert_eq!(endpoint.deadline(), Some(seconds(12)));
    endpoint.read_blocked();
    assert_eq!(endpoint.step(seconds(12)), Step::Done);
    assert!(endpoint.into_end().is_clean());
}

// D87: what arrived before the transport failed is returned, however late the caller takes it
#[test]
fn events_outlive_the_transport_and_its_deadlines() {
    let mut endpoint = server_endpoint();
    endpoint.receive(&server().incoming(0x81, b"x"));
    endpoint.write_failed("broken pipe");
    assert_eq!(endpoint.sender().send_text("lost"), Err(SendError::NotOpen));
    // A shutdown that was under way.
    endpoint.shut_down();
    assert_eq!(endpoint.flush_step(seconds(0)), Some(Step::Done));
    for now in [0, 3600] {
        assert_eq!(endpoint.step(seconds(now)), Step::Event);
        assert_eq!(endpoint.deadline(), None);
    }
    assert_eq!(events(&mut endpoint, seconds(3600)), [text("x")]);
    assert_eq!(
        endpoint.step(seconds(3600)),
        Step::Read,
        "the peer's Close may be there"
    );
    endpoint.read_blocked();
    assert_eq!(endpoint.step(seconds(3602)), Step::Done);
}

// D87: a connection that is opened after its transport has failed sends nothing
#[test]
fn connection_of_a_failed_transport_sends_nothing() {
    let fails: [fn(&mut Endpoint); 2] = [
        |endpoint| endpoint.read_failed("broken pipe"),
        |endpoint| endpoint.write_failed("broken pipe"),
    ];
    for fail in fails {
        let mut endpoint = Endpoint::server(&EndpointConfig::new(), seconds(0));
        feed(&mut endpoint, seconds(0), REQUEST);
        assert_eq!(endpoint.step(seconds(0)), Step::Request);
        fail(&mut endpoint);
        endpoint.accept();
        for _ in 0..2 {
            assert!(endpoint.output().is_empty());
            assert_eq!(endpoint.sender().send_text("lost"), Err(SendError::NotOpen));
            assert_eq!(endpoint.step(seconds(0)), Step::Event);
        }
    }
}

// D86, D87: what arrived before a deadline was missed is returned as well, and nothing is written any more
#[test]
fn events_outlive_a_peer_that_does_not_read() {
    let mut endpoint = server_endpoint();
    endpoint.receive(&server().all_incoming(&[
        (0x81, b"x"),
        (0x89, b"1"),
        (0x81, b"y"),
        (0x88, b"\x03\xe8"),
    ]));
    endpoint.sender().send_text("a").unwrap();
    assert_eq!(endpoint.flush_step(seconds(1)), Some(Step::Write));
    endpoint.write_blocked();
    assert!(matches!(endpoint.next_event(), Some((Event::Text(_), _))));
    assert_eq!(endpoint.flush_step(seconds(11)), Some(Step::Done));
    assert!(endpoint.output().is_empty() && endpoint.end().is_none());
    assert_eq!(endpoint.sender().send_text("b"), Err(SendError::NotOpen));
    for now in [11, 3600] {
        assert_eq!(endpoint.step(seconds(now)), Step::Event);
        assert_eq!(endpoint.deadline(), None);
    }
    endpoint.receive(&server().incoming(0x81, b"after the end"));
    assert_eq!(
        events(&mut endpoint, seconds(3600)),
        [Seen::Ping(b"1".to_vec()), text("y"), close(1000, "")]
    );
    assert_eq!(endpoint.flush_step(seconds(3600)), Some(Step::Done));
    assert_eq!(endpoint.step(seconds(3600)), Step::Done);
    assert!(endpoint.output().is_empty() && endpoint.capacity() == 0);
    let end = endpoint.into_end();
    assert_eq!(end.timeout(), Some(Timeout::Write));
    let closed = end.closed().expect("it was open");
    assert_eq!(closed.code_received(), Some(CloseCode::NORMAL));
    assert_eq!(
        (closed.code_sent(), closed.code_unsent()),
        (None, None),
        "no reply was queued"
    );
}

// RFC 6455 section 7.1.4, D86, D87: the peer's Close arrived in time, and its event was taken after the deadline
#[test]
fn close_that_waits_for_the_caller_at_its_deadline_is_clean() {
    let mut endpoint = server_endpoint();
    endpoint.sender().close(CloseCode::NORMAL, "").unwrap();
    write_all(&mut endpoint, seconds(0));
    assert_eq!(endpoint.step(seconds(0)), Step::Read);
    endpoint.receive(&server().all_incoming(&[(0x81, b"x"), (0x88, b"\x03\xe8")]));
    for now in [0, 10, 3600] {
        assert_eq!(endpoint.step(seconds(now)), Step::Event);
    }
    assert_eq!(events(&mut endpoint, seconds(3600)), [text("x"), close(1000, "")]);
    assert_eq!(endpoint.step(seconds(3600)), Step::Done);
    let end = endpoint.into_end();
    assert!(end.is_clean(), "{end}");
    assert_eq!(end.timeout(), Some(Timeout::Closing));
}

// RFC 6455 section 7.1.1: operations that were under way complete after a failure or the end
#[test]
fn late_reports_neither_prolong_the_end_nor_add_events() {
    let mut endpoint = server_endpoint();
    endpoint.write_failed("broken pipe");
    assert_eq!(endpoint.step(seconds(0)), Step::Read);
    endpoint.read_blocked();
    endpoint.write_failed("once more");
    assert_eq!(endpoint.step(seconds(1)), Step::Wait(Interest::Readable));
    assert_eq!(endpoint.deadline(), Some(seconds(2)));
    endpoint.received(0);
    let text = server().incoming(0x81, b"x");
    endpoint.read_space()[..text.len()].copy_from_slice(&text);
    endpoint.received(text.len());
    assert_eq!(endpoint.step(seconds(1)), Step::Event, "the end");
    assert!(endpoint.next_event().is_none());
    assert_eq!(endpoint.step(seconds(1)), Step::Done);
    let Some(Interruption::Transport(error)) = endpoint.into_end().interruption else {
        panic!("the transport failed")
    };
    assert_eq!(error.to_string(), "broken pipe");
}

// D86: nothing ends early, and each deadline is one instant
#[test]
fn timeouts_are_rounded_up() {
    let millis = Duration::from_millis;
    let cases = [
        (Duration::ZERO, Some(Duration::ZERO)),
        (Duration::from_nanos(1), Some(millis(1))),
        (millis(2), Some(millis(2))),
        (Duration::from_nanos(2_000_001), Some(millis(3))),
        (Duration::MAX, None),
    ];
    for (timeout, due) in cases {
        let keepalive = KeepaliveConfig::new().ping_interval(Duration::MAX);
        let config = EndpointConfig::new()
            .write_timeout(timeout)
            .linger_timeout(timeout)
            .keepalive(keepalive);
        let mut endpoint = opened(Role::Server, &config, Config::new());
        endpoint.sender().send_text("x").unwrap();
        assert_eq!(endpoint.step(Duration::ZERO), Step::Write);
        assert_eq!(endpoint.deadline(), due);
        endpoint.write_failed("broken pipe");
        let is_over = timeout.is_zero();
        let step = if is_over { Step::Done } else { Step::Read };
        assert_eq!(endpoint.step(Duration::ZERO), step);
        assert_eq!(endpoint.deadline(), due.filter(|_| !is_over), "that of lingering");
    }
}

// Design 2, section 1: the memory of a large message is freed when nothing more arrives
#[test]
fn read_buffer_shrinks_once_the_transport_has_nothing() {
    let config = EndpointConfig::new().max_read_size(1024);
    let mut endpoint = opened(Role::Server, &config, Config::new().delivery(Delivery::InPlace));
    let now = Duration::ZERO;
    let message = [7; 100_000];
    let wire = server().incoming(0x82, &message);
    let mut rest = &wire[..];
    loop {
        match endpoint.step(now) {
            Step::Read if rest.is_empty() => break,
            Step::Read => {
                let space = endpoint.read_space();
                let size = space.len().min(rest.len());
                space[..size].copy_from_slice(&rest[..size]);
                endpoint.received(size);
                rest = &rest[size..];
            }
            Step::Event => while endpoint.next_event().is_some() {},
            step => panic!("{step:?}"),
        }
    }
    assert!(endpoint.capacity() >= message.len());
    endpoint.read_blocked();
    assert_eq!(endpoint.capacity(), 1024);
    assert_eq!(endpoint.step(now), Step::Wait(Interest::Readable));
    // The space is available immediately, although the message ended after it.
    assert_eq!(endpoint.read_space().len(), 1024);
    endpoint.receive(&server().incoming(0x82, b"more"));
    assert_eq!(events(&mut endpoint, now), [binary(b"more")]);
}

// D96: the formula of the module's documentation, measured with both blocks of a buffer that grows
#[test]
fn memory_stays_within_the_stated_sum() {
    const BUFFERED: usize = 20_000;
    const SENT: usize = 10_000;
    const MESSAGE: usize = 60_000;
    const READ: usize = 4096;
    const BOUND: usize = 3 * (READ + 2 * MESSAGE + 8 * (BUFFERED + SENT)) / 2 + 1024;
    let message = vec![7; MESSAGE];
    let fragment = &message[..MESSAGE / 3];
    let fragments = server().all_incoming(&[
        (0x02, fragment),
        (0x89, b"ping"),
        (0x00, fragment),
        (0x80, fragment),
    ]);
    let wire = [server().incoming(0x82, &message), fragments].concat().repeat(6);
    let config = EndpointConfig::new().max_buffered(BUFFERED).max_read_size(READ);
    for delivery in [Delivery::Whole, Delivery::InPlace, Delivery::Chunks] {
        let connection = Config::new().max_message_size(MESSAGE as u64).delivery(delivery);
        let ((), heap) = heap::measure(|| {
            let mut endpoint = opened(Role::Server, &config, connection);
            let (mut input, mut random, mut events) = (&wire[..], 1u32, 0);
            let mut next = |below: usize| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (random >> 8) as usize % below
            };
            while !input.is_empty() || !endpoint.output().is_empty() {
                match endpoint.step(Duration::ZERO) {
                    Step::Event => {
                        while let Some((event, mut sender)) = endpoint.next_event() {
                            events += 1;
                            if let Event::Binary(_) | Event::BinaryChunk(..) = event {
                                sender
                                    .send_binary(&message[..SENT])
                                    .expect("each event may be replied to");
                            }
                        }
                    }
                    Step::Write if next(3) > 0 => endpoint.written(next(5000)),
                    Step::Write => endpoint.write_blocked(),
                    Step::Flush => endpoint.flushed(),
                    Step::Read if input.is_empty() => endpoint.read_blocked(),
                    Step::Read => {
                        let space = endpoint.read_space();
                        let size = space.len().min(input.len());
                        space[..size].copy_from_slice(&input[..size]);
                        input = &input[size..];
                        endpoint.received(size);
                    }
                    Step::Wait(_) => endpoint.ready(),
                    step => panic!("{step:?}"),
                }
                if next(2) == 0 {
                    let mut send = || endpoint.sender().send_binary(&message[..next(SENT)]);
                    assert!((0..1000).any(|_| send().is_err()), "the output is never full");
                }
            }
            assert!(events >= 12);
        });
        let peak = usize::try_from(heap.peak_of_both).unwrap();
        assert!(peak <= BOUND, "{delivery:?}: {peak} bytes, over {BOUND}");
        assert!(
            peak >= BOUND / 8,
            "{delivery:?}: {peak} bytes of {BOUND}, so the formula says little"
        );
    }
}

// RFC 6455 sections 4.1 and 4.2.2: a transport that ends inside the opening handshake ends it at once, not at its deadline; the caller
// gets what was received of a rejecting response
#[test]
fn end_of_the_transport_ends_the_opening_handshake() {
    let now = Duration::ZERO;
    let request = ClientRequest::from_url("ws://h").unwrap();
    for head in [&b""[..], &REQUEST[..REQUEST.len() - 1]] {
        let mut endpoint = Endpoint::server(&EndpointConfig::new(), now);
        feed(&mut endpoint, now, head);
        assert_eq!(endpoint.step(now), Step::Read);
        endpoint.received(0);
        assert_eq!(endpoint.step(now), Step::Shutdown);
        endpoint.shut_down();
        assert_eq!(endpoint.step(now), Step::Done);
        assert_eq!(endpoint.into_end().outcome, Outcome::Failed(HandshakeError::Eof));
    }
    for (head, body) in [
        (&b""[..], None),
        (b"HTTP/1.1 101 Switching Protocols\r\n", None),
        (
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nNo e",
            Some(b"No e"),
        ),
    ] {
        let entropy = entropy::from_fn(|bytes| bytes.fill(7));
        let mut endpoint = Endpoint::client(&EndpointConfig::new(), request.clone(), entropy, now);
        write_all(&mut endpoint, now);
        feed(&mut endpoint, now, head);
        assert_eq!(endpoint.step(now), Step::Read);
        endpoint.received(0);
        let mut outcome = Outcome::Failed(HandshakeError::Eof);
        if let Some(body) = body {
            assert_eq!(endpoint.step(now), Step::Response);
            assert_eq!(endpoint.response_body(), body);
            endpoint.take_response().unwrap();
            outcome = Outcome::Responded { status: 403 };
        }
        assert_eq!(endpoint.step(now), Step::Done);
        assert_eq!(endpoint.into_end().outcome, outcome);
    }
}

// RFC 6455 section 7.1.4: the end of the transport is noticed in the next step, although it brings no bytes
#[test]
fn end_of_the_transport_is_noticed_without_input() {
    let now = Duration::ZERO;
    const FRAME: &str = ", peer's last frame incomplete";
    for (before, incomplete) in [
        (&[][..], ""),
        (&server().incoming(0x81, b"Hello"), ""),
        (b"\x81\x85", FRAME),
    ] {
        let mut endpoint = server_endpoint();
        feed(&mut endpoint, now, before);
        if !before.is_empty() {
            events(&mut endpoint, now);
        }
        assert_eq!(endpoint.step(now), Step::Read);
        endpoint.received(0);
        assert_eq!(events(&mut endpoint, now), []);
        assert_eq!(endpoint.step(now), Step::Shutdown);
        endpoint.shut_down();
        assert_eq!(endpoint.step(now), Step::Done);
        let end = endpoint.into_end();
        assert_eq!(
            end.to_string(),
            format!("transport ended, not clean, sent none, received none{incomplete}")
        );
    }
}

// RFC 6455 section 7.1, D98: the text of every end says so if the peer had begun something, also what waits in the read buffer
#[test]
fn end_shows_what_the_peer_left_incomplete() {
    let now = Duration::ZERO;
    let message = server().incoming(0x82, &[1; 300]);
    let fragment = server().incoming(0x02, b"He");
    for (bytes, incomplete) in [
        (&message[..], ""),
        (&message[..3], ", peer's last frame incomplete"),
        (&message[..250], ", peer's last frame incomplete"),
        (&fragment, ", peer's last message incomplete"),
    ] {
        for delivery in [Delivery::Whole, Delivery::InPlace] {
            let read = || {
                let config = Config::new().delivery(delivery);
                let mut endpoint = opened(Role::Server, &EndpointConfig::new(), config);
                feed(&mut endpoint, now, bytes);
                while endpoint.step(now) == Step::Event {
                    while endpoint.next_event().is_some() {}
                }
                endpoint
            };
            let mut failed = read();
            failed.read_failed("reset");
            let text = format!("transport failed: reset, not clean{incomplete}");
            assert_eq!(failed.into_end().to_string(), text);
            let text = format!("aborted, not clean{incomplete}");
            assert_eq!(read().into_end().to_string(), text);
            let mut closed = read();
            closed.sender().close(CloseCode::TRY_AGAIN_LATER, "").unwrap();
            closed.write_failed("reset");
            let text = format!("transport failed: reset, not clean{incomplete}, 1013 not written");
            assert_eq!(closed.into_end().to_string(), text);
        }
    }
}

// RFC 6455 section 4.2.2, D98: the head was complete, and the caller had not answered
#[test]
fn end_before_the_request_is_answered_says_so() {
    let now = Duration::ZERO;
    for is_taken in [false, true] {
        let mut endpoint = Endpoint::server(&EndpointConfig::new(), now);
        feed(&mut endpoint, now, REQUEST);
        assert_eq!(endpoint.step(now), Step::Request);
        if is_taken {
            assert!(endpoint.take_request().is_some());
        }
        endpoint.read_failed("reset");
        let end = endpoint.into_end();
        assert_eq!(end.outcome, Outcome::Failed(HandshakeError::Unanswered));
        assert_eq!(
            end.to_string(),
            "opening handshake failed: transport ended before the request was answered (transport failed: reset)"
        );
    }
}

// RFC 6455 section 10.4, D75: what was received is over the new limit, which needs no further bytes to be noticed
#[test]
fn message_over_a_changed_limit_is_refused_without_input() {
    let now = Duration::ZERO;
    let mut endpoint = server_endpoint();
    feed(&mut endpoint, now, &server().incoming(0x81, b"Hello")[..8]);
    assert_eq!(events(&mut endpoint, now), []);
    endpoint.set_max_message_size(1);
    assert!(endpoint.next_event().is_none());
    assert_eq!(write_all(&mut endpoint, now)[2..4], [0x03, 0xf1]);
}

// RFC 6455 section 5.5.3: the answer to the endpoint's Ping, and no other, gives the round-trip time
#[test]
fn pong_gives_the_round_trip_time() {
    let mut endpoint = server_endpoint();
    let now = endpoint.deadline().expect("the first Ping is due");
    let ping = write_all(&mut endpoint, now);
    assert_eq!(ping[..2], [0x89, 8]);
    let later = now + Duration::from_millis(30);
    for (payload, rtt) in [(&b"other"[..], None), (&ping[2..], Some(later - now))] {
        feed(&mut endpoint, later, &server().incoming(0x8a, payload));
        assert_eq!(events(&mut endpoint, later), [Seen::Pong(payload.to_vec())]);
        assert_eq!(endpoint.last_rtt(), rtt);
    }
}

// RFC 7692 section 6.2: one read has a compressed message of many chunks, and they are all returned before the next read
#[cfg(feature = "deflate")]
#[test]
fn chunks_of_consumed_input_need_no_further_input() {
    use websocket_proto::deflate::{DeflateConfig, Parameters};
    let now = Duration::ZERO;
    let deflated = |role, config: &Config| {
        open(role, config).with_deflate(Parameters::default(), &DeflateConfig::new().threshold(0))
    };
    let (size, mut sent) = (1024 * 1024, Vec::new());
    deflated(Role::Client, &Config::new())
        .send_binary(&vec![7; size], &mut sent)
        .unwrap();
    let connection = deflated(Role::Server, &Config::new().delivery(Delivery::Chunks));
    let mut endpoint = Endpoint::from_connection(&EndpointConfig::new(), connection, &sent, now);
    assert_eq!(endpoint.step(now), Step::Event);
    let mut received = 0;
    while let Some((event, _)) = endpoint.next_event() {
        let Event::BinaryChunk(chunk, _) = event else {
            panic!("{event:?}");
        };
        received += chunk.len();
    }
    assert_eq!(received, size);
}

// RFC 6455 section 7.1.1: what a peer sends after its Close is dropped, also if no step is taken between two reads
#[test]
fn bytes_after_the_close_of_the_peer_take_no_memory() {
    const READ: usize = 4096;
    let now = Duration::ZERO;
    let mut endpoint = opened(
        Role::Server,
        &EndpointConfig::new().max_read_size(READ),
        Config::new(),
    );
    feed(&mut endpoint, now, &server().all_incoming(&[(0x88, b"\x03\xe8")]));
    assert_eq!(events(&mut endpoint, now), [close(1000, "")]);
    let capacity = endpoint.capacity();
    for _ in 0..100 {
        endpoint.receive(&[0; READ]);
    }
    assert!(endpoint.capacity() <= capacity + READ, "{}", endpoint.capacity());
}
