//! `Sender` does what `Connection` does, and what an endpoint and its parts show of themselves. The comment before each test names
//! what it verifies, and its source.
#![cfg(feature = "alloc")]

mod common;

use common::endpoints::{feed, write_all};
use common::*;
use std::collections::HashSet;
use std::time::Duration;
use websocket_proto::endpoint::{
    Endpoint, EndpointConfig, Interruption, Outcome, SendError, Sender, Step, Timeout,
};
use websocket_proto::handshake::{ClientRequest, HandshakeError};
use websocket_proto::{CloseCode, Config, Connection, Event, Fin, MessageKind, Misuse, Role, entropy};

const NOW: Duration = Duration::ZERO;
const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn opened(role: Role) -> Endpoint {
    Endpoint::from_connection(&EndpointConfig::new(), open(role, &Config::new()), &[], NOW)
}

fn server_endpoint() -> Endpoint {
    Endpoint::server(&EndpointConfig::new(), NOW)
}

fn client_endpoint() -> Endpoint {
    let request = ClientRequest::from_url("ws://h/").unwrap();
    let mut endpoint = Endpoint::client(
        &EndpointConfig::new(),
        request,
        entropy::from_fn(|bytes| bytes.fill(7)),
        NOW,
    );
    write_all(&mut endpoint, NOW);
    endpoint
}

/// A call of a sender, and the same call of a connection.
type Call = (
    fn(&mut Sender<'_>) -> Result<(), SendError>,
    fn(&mut Connection, &mut Vec<u8>) -> Result<(), Misuse>,
);

const CALLS: [Call; 7] = [
    (
        |sender| sender.send_text("a"),
        |connection, out| connection.send_text("a", out),
    ),
    (
        |sender| sender.send_binary(b"b"),
        |connection, out| connection.send_binary(b"b", out),
    ),
    (
        |sender| sender.send_fragment(MessageKind::Text, b"c", Fin::More),
        |connection, out| connection.send_fragment(MessageKind::Text, b"c", Fin::More, out),
    ),
    (
        |sender| sender.send_fragment(MessageKind::Text, b"d", Fin::Last),
        |connection, out| connection.send_fragment(MessageKind::Text, b"d", Fin::Last, out),
    ),
    (
        |sender| sender.send_ping(b"e"),
        |connection, out| connection.send_ping(b"e", out),
    ),
    (
        |sender| sender.send_pong(b"f"),
        |connection, out| connection.send_pong(b"f", out),
    ),
    (
        |sender| sender.close(1001, "g"),
        |connection, out| connection.close(CloseCode::GOING_AWAY, "g", out),
    ),
];

// RFC 6455 sections 5.4 to 5.6: every pair of calls, in both roles, gives the frames or the error of `Connection`
#[test]
fn sender_sends_what_a_connection_sends() {
    for role in [Role::Server, Role::Client] {
        for (first, second) in CALLS.iter().flat_map(|first| CALLS.map(|second| (first, second))) {
            let (mut endpoint, mut connection, mut out) =
                (opened(role), open(role, &Config::new()), Vec::new());
            for (of_sender, of_connection) in [first, &second] {
                let result = of_sender(&mut endpoint.sender());
                assert_eq!(
                    result,
                    of_connection(&mut connection, &mut out).map_err(SendError::from)
                );
                assert_eq!(endpoint.output(), out);
                assert_eq!(endpoint.sender().buffered_amount(), out.len());
            }
        }
    }
}

// RFC 6455 section 5.5.1: "The application MUST NOT send any more data frames after sending a Close frame."
#[test]
fn sender_is_open_until_either_side_has_sent_a_close() {
    for close_of_peer in [false, true] {
        let mut endpoint = opened(Role::Server);
        assert!(endpoint.is_open() && endpoint.sender().is_open());
        match close_of_peer {
            true => {
                feed(&mut endpoint, NOW, &server().incoming(0x88, &[]));
                assert_eq!(endpoint.step(NOW), Step::Event);
                assert!(matches!(endpoint.next_event(), Some((Event::Close(_), _))));
            }
            false => endpoint.sender().close(CloseCode::NORMAL, "").unwrap(),
        }
        assert!(!endpoint.is_open() && !endpoint.sender().is_open());
        endpoint.abort();
        assert!(!endpoint.is_open() && !endpoint.sender().is_open());
    }
    for mut unopened in [server_endpoint(), client_endpoint()] {
        assert!(!unopened.is_open() && !unopened.sender().is_open());
        assert_eq!(unopened.sender().send_pong(b""), Err(SendError::NotOpen));
    }
}

// `Sender::recycle`: the next message that is reassembled is in this buffer
#[test]
fn recycled_buffer_is_used_by_the_endpoint() {
    let mut endpoint = opened(Role::Server);
    let buffer = Vec::with_capacity(5000);
    let place: *const u8 = buffer.as_ptr();
    endpoint.sender().recycle(buffer);
    feed(
        &mut endpoint,
        NOW,
        &server().all_incoming(&[(0x02, b"0123456789"), (0x80, b"abc")]),
    );
    assert_eq!(endpoint.step(NOW), Step::Event);
    let Some((Event::Binary(payload), _)) = endpoint.next_event() else {
        panic!("a message is complete");
    };
    assert_eq!((payload.as_ptr(), &payload[..]), (place, &b"0123456789abc"[..]));
}

// RFC 7692 section 6: "an endpoint MAY" send a message uncompressed, which `Sender::set_compression` decides
#[cfg(feature = "deflate")]
#[test]
fn compression_is_switched_by_the_sender() {
    use websocket_proto::Compression;
    use websocket_proto::deflate::{DeflateConfig, Parameters};
    let config = DeflateConfig::new().threshold(0);
    let connection = open(Role::Server, &Config::new()).with_deflate(Parameters::default(), &config);
    let mut endpoint = Endpoint::from_connection(&EndpointConfig::new(), connection, &[], NOW);
    for (compression, first) in [
        (Compression::Off, 0x81),
        (Compression::On, 0xc1),
        (Compression::Off, 0x81),
    ] {
        endpoint.sender().set_compression(compression);
        endpoint.sender().send_text("text").unwrap();
        assert_eq!(write_all(&mut endpoint, NOW)[0], first);
    }
}

// RFC 6455 section 5.5.3: a Pong answers the Ping whose payload it has
#[test]
fn round_trip_time_is_that_of_the_last_ping() {
    let at = Duration::from_secs;
    let mut endpoint = opened(Role::Server);
    assert_eq!(endpoint.last_rtt(), None);
    assert_eq!(endpoint.step(at(20)), Step::Write);
    let ping = endpoint.output().to_vec();
    assert_eq!(ping[0], 0x89);
    endpoint.written(ping.len());
    assert_eq!(endpoint.step(at(20)), Step::Flush);
    endpoint.flushed();
    feed(&mut endpoint, at(23), &server().incoming(0x8a, &ping[2..]));
    assert_eq!(endpoint.step(at(23)), Step::Event);
    assert!(matches!(endpoint.next_event(), Some((Event::Pong(_), _))));
    assert_eq!(endpoint.last_rtt(), Some(at(3)));
}

/// The outcome of an endpoint that is dropped after it received these bytes.
fn outcome_of(mut endpoint: Endpoint, bytes: &[u8], take: bool) -> Outcome {
    feed(&mut endpoint, NOW, bytes);
    _ = endpoint.step(NOW);
    if take {
        let request = endpoint.take_request();
        assert!(request.is_some() && endpoint.take_request().is_none());
    }
    let end = endpoint.into_end();
    assert!(matches!(end.interruption, Some(Interruption::Aborted)), "{end}");
    assert!(end.to_string().contains("aborted"), "{end}");
    end.outcome
}

// RFC 6455 section 4: an endpoint dropped in any phase of the opening handshake says what it knows of the outcome
#[test]
fn endpoint_ends_from_every_phase_of_the_opening_handshake() {
    for (bytes, take, error) in [
        (&REQUEST[..10], false, HandshakeError::Eof),
        (REQUEST, false, HandshakeError::Unanswered),
        (REQUEST, true, HandshakeError::Unanswered),
    ] {
        let outcome = outcome_of(server_endpoint(), bytes, take);
        assert_eq!(outcome, Outcome::Failed(error), "{bytes:?} {take}");
    }
    let outcome = outcome_of(client_endpoint(), b"HTTP/1.1 1", false);
    assert_eq!(outcome, Outcome::Failed(HandshakeError::Eof));
    // With a part of the body, and with all of it.
    for body in [&b"ab"[..], b"abcde"] {
        let response = [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n", body].concat();
        let outcome = outcome_of(client_endpoint(), &response, false);
        assert!(
            matches!(outcome, Outcome::Responded { status: 403 }),
            "{outcome:?}"
        );
    }
}

// Nothing is accepted twice, or before there is a request.
#[test]
fn endpoint_without_a_request_accepts_nothing() {
    for mut endpoint in [server_endpoint(), client_endpoint(), opened(Role::Server)] {
        let before = endpoint.step(NOW);
        endpoint.accept();
        assert!(endpoint.take_request().is_none());
        assert_eq!(endpoint.step(NOW), before);
        assert_eq!(endpoint.output(), b"");
    }
}

// RFC 9110 section 6.4: a rejection whose body is incomplete at the deadline still has its status, and the part received. The end
// says that the body is not complete.
#[test]
fn rejection_is_returned_at_the_deadline_without_the_rest_of_its_body() {
    let mut endpoint = client_endpoint();
    feed(
        &mut endpoint,
        NOW,
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nab",
    );
    assert_eq!(endpoint.step(NOW), Step::Read);
    let late = endpoint.deadline().unwrap();
    endpoint.read_blocked();
    if let Step::Wait(_) = endpoint.step(late) {
        endpoint.ready();
        endpoint.read_blocked();
    }
    assert_eq!(endpoint.step(late), Step::Response);
    assert_eq!(endpoint.response_body(), b"ab");
    assert_eq!(endpoint.take_response().unwrap().status(), 403);
    let end = endpoint.into_end();
    assert_eq!(end.outcome, Outcome::Responded { status: 403 });
    assert!(
        matches!(
            end.interruption,
            Some(Interruption::TimedOut {
                timeout: Timeout::Opening,
                ..
            })
        ),
        "{end}"
    );
}

// The peer's data is not shown, and neither are masking keys; the sizes are.
#[test]
fn debug_of_an_endpoint_shows_no_payload() {
    let mut endpoint = opened(Role::Client);
    endpoint.sender().send_text("secret").unwrap();
    let output = endpoint.output().to_vec();
    let shown = format!("{endpoint:?}");
    assert!(shown.contains("Client") && shown.contains("deadline"), "{shown}");
    let size = output.len().to_string();
    let sender = format!("{:?}", endpoint.sender());
    assert!(
        sender.contains("is_open: true") && sender.contains(&size),
        "{sender}"
    );
    write_all(&mut endpoint, NOW);
    feed(&mut endpoint, NOW, &client().incoming(0x01, b"secret"));
    let buffers = format!("{:?}", websocket_proto::endpoint::Buffers::new(4096));
    assert!(
        buffers.contains("ReadBuffer") && buffers.contains("Output"),
        "{buffers}"
    );
    for shown in [shown, sender, format!("{endpoint:?}")] {
        let bytes = format!("{:?}", b"secret");
        assert!(
            !shown.contains("secret") && !shown.contains(bytes.trim_matches(['[', ']'])),
            "{shown}"
        );
    }
}

// The text of an error says which one it is: no two are the same.
#[test]
fn texts_of_errors_differ() {
    let timeouts = [Timeout::Opening, Timeout::Ping, Timeout::Write, Timeout::Closing];
    let mut texts: Vec<_> = timeouts
        .map(|timeout| {
            let limit = Duration::from_secs(1);
            Interruption::TimedOut { timeout, limit }.to_string()
        })
        .to_vec();
    texts.extend(timeouts.map(|timeout| timeout.to_string()));
    texts.push(Interruption::Aborted.to_string());
    let full = SendError::Full { waiting: 7, limit: 5 };
    let errors = [
        SendError::NotOpen,
        full,
        SendError::from(Misuse::NotOpen),
        Misuse::InvalidUtf8.into(),
    ];
    assert_eq!(errors[0], errors[2], "`Misuse::NotOpen` is `SendError::NotOpen`");
    texts.extend([errors[0], errors[1], errors[3]].map(|error| error.to_string()));
    let distinct: HashSet<_> = texts.iter().collect();
    assert_eq!(distinct.len(), texts.len(), "{texts:#?}");
    for text in &texts {
        assert!(text.len() > 5 && !text.ends_with('.'), "{text:?}");
    }
    assert!(
        full.to_string().contains("7 bytes") && full.to_string().contains("is 5"),
        "{full}"
    );
}
