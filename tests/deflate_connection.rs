//! Compressed messages on an open connection (RFC 7692 sections 6 and 7.2), by role.

mod common;

use common::naive_deflate::Naive;
use common::windows::window;
use common::{KEY, frame};
use proptest::prelude::*;
use std::time::Duration;
use websocket_proto::deflate::{self, DeflateConfig, Parameters, Window};
use websocket_proto::endpoint::{Endpoint, EndpointConfig};
use websocket_proto::frame::Violation;
use websocket_proto::{
    CloseCode, Compression, Config, Connection, Delivery, Error, Event, Fin, MessageKind, Misuse, Prepared,
    Role, entropy,
};

fn open(role: Role, config: &Config, parameters: Parameters) -> Connection {
    open_plain(role, config).with_deflate(parameters, &DeflateConfig::new().threshold(0))
}

fn open_plain(role: Role, config: &Config) -> Connection {
    match role {
        Role::Server => Connection::server(config),
        Role::Client => Connection::client(config, entropy::from_fn(|key| key.copy_from_slice(&KEY))),
    }
}

/// Both windows with 15 bits and context takeover: the default.
fn both() -> [Connection; 2] {
    [Role::Server, Role::Client].map(|role| open(role, &Config::new(), Parameters::default()))
}

/// A frame as the peer of `connection` sends it.
fn incoming(connection: &Connection, first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, (connection.role() == Role::Server).then_some(KEY), payload)
}

/// All events, for any split: `cut` is the size of a read.
fn receive(connection: &mut Connection, wire: &[u8], cut: usize) -> Result<Vec<Event<'static>>, Error> {
    let (mut events, mut out) = (Vec::new(), Vec::new());
    for read in wire.to_vec().chunks_mut(cut) {
        let mut input = read;
        while let Some(event) = connection.receive(&mut input, &mut out)? {
            events.push(event.into_owned());
        }
    }
    Ok(events)
}

fn text(text: &str) -> Event<'_> {
    Event::Text(text.into())
}

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
/// "Hello" again, as a reference to the last one.
const AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";

/// Feeds frames in one read, and one byte at a time.
#[track_caller]
fn assert_receives(frames: &[(u8, &[u8])], expected: &[Event<'_>]) {
    for cut in [usize::MAX, 1, 3] {
        for mut connection in both() {
            let wire: Vec<u8> = frames
                .iter()
                .flat_map(|(first, payload)| incoming(&connection, *first, payload))
                .collect();
            assert_eq!(receive(&mut connection, &wire, cut).as_deref(), Ok(expected));
        }
    }
}

#[track_caller]
fn assert_fails(frames: &[(u8, &[u8])], error: Error, code: u16) {
    for cut in [usize::MAX, 1] {
        for mut connection in both() {
            let wire: Vec<u8> = frames
                .iter()
                .flat_map(|(first, payload)| incoming(&connection, *first, payload))
                .collect();
            assert_eq!(receive(&mut connection, &wire, cut), Err(error));
            assert_eq!(connection.receive_eof().code_sent(), Some(CloseCode(code)));
        }
    }
}

// RFC 7692 section 7.2.3: 7692-7.2.3-01, 7692-7.2.2-02, 7692-6-05
#[test]
fn both_inflate_the_examples_of_the_text() {
    assert_receives(&[(0xc1, HELLO), (0xc1, AGAIN)], &[text("Hello"), text("Hello")]);
    assert_receives(&[(0x41, &HELLO[..3]), (0x80, &HELLO[3..])], &[text("Hello")]);
    assert_receives(
        &[(0xc1, b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")],
        &[text("Hello")],
    );
    let two_blocks = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
    assert_receives(&[(0xc2, two_blocks)], &[Event::Binary(b"Hello".into())]);
}

// RFC 7692 section 6: 7692-6-04, 7692-6-06, 7692-7.2.2-03
#[test]
fn both_accept_uncompressed_messages_between_compressed_ones() {
    assert_receives(
        &[(0x81, b"hi"), (0xc1, HELLO), (0x82, b"\xff"), (0xc1, AGAIN)],
        &[
            text("hi"),
            text("Hello"),
            Event::Binary(b"\xff".into()),
            text("Hello"),
        ],
    );
}

// RFC 7692 section 6: 7692-6-07; RFC 6455 section 5.4: 6455-5.4-03
#[test]
fn both_accept_fragments_at_any_boundary_with_pings_between_them() {
    for at in 0..=HELLO.len() {
        let (front, back) = HELLO.split_at(at);
        assert_receives(
            &[
                (0x41, front),
                (0x89, b"p"),
                (0x00, b""),
                (0x80, back),
                (0xc1, AGAIN),
            ],
            &[Event::Ping(b"p".into()), text("Hello"), text("Hello")],
        );
    }
}

// RFC 7692 section 7.2: 7692-7.2.1-03, 7692-7.2.1-04, 7692-7.2.2-04, 7692-7.2.2-07; decisions D19, D43, D44
#[test]
fn both_go_on_after_odd_messages() {
    for odd in [
        &b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"[..],        // a final block
        b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff", // the tail left on
    ] {
        assert_receives(&[(0xc1, odd), (0xc1, AGAIN)], &[text("Hello"), text("Hello")]);
    }
    assert_receives(
        &[(0xc1, HELLO), (0xc1, b""), (0xc1, b"\x00"), (0xc1, AGAIN)],
        &[text("Hello"), text(""), text(""), text("Hello")],
    );
}

// RFC 7692 section 7.2.3.4; RFC 6455 section 8.1. The engine stops after a final block with nothing but half of a code point: the
// other half is in the same read, so no more bytes are needed.
#[test]
fn both_deliver_at_once_a_code_point_that_a_final_block_divides() {
    for role in [Role::Server, Role::Client] {
        let config = Config::new().delivery(Delivery::Chunks);
        let mut connection = open(role, &config, Parameters::default());
        let wire = incoming(
            &connection,
            0x41,
            b"\x01\x01\x00\xfe\xff\xc3\x00\x01\x00\xfe\xff\xa9",
        );
        let events = receive(&mut connection, &wire, usize::MAX);
        assert_eq!(events.unwrap(), [Event::TextChunk("é".into(), Fin::More)]);
    }
}

// RFC 7692 section 6: 7692-6-03, 7692-6-01; decision D17
#[test]
fn both_fail_on_rsv1_where_it_means_nothing() {
    for first in [0xc9, 0xca, 0xc8, 0xc0, 0x40] {
        let error = Error::Frame(Violation::ReservedBits(4));
        assert_fails(&[(0x01, b"a"), (first, b"")], error, 1002);
    }
    assert_fails(
        &[(0x41, HELLO), (0xc0, b"")],
        Error::Frame(Violation::ReservedBits(4)),
        1002,
    );
    assert_fails(&[(0xa1, b"")], Error::Frame(Violation::ReservedBits(2)), 1002);
}

// RFC 7692 section 6: D81, a control frame with RSV1 does not belong to the compressed message around it
#[test]
fn both_accept_rsv1_on_control_frames_inside_a_compressed_message_with_the_leniency() {
    let config = Config::new().accept_rsv1_on_control(true);
    for cut in [usize::MAX, 1, 3] {
        for role in [Role::Server, Role::Client] {
            let mut connection = open(role, &config, Parameters::default());
            let frames: [(u8, &[u8]); 3] = [(0x41, &HELLO[..3]), (0xc9, HELLO), (0x80, &HELLO[3..])];
            let wire = frames.map(|(first, payload)| incoming(&connection, first, payload));
            let events = receive(&mut connection, &wire.concat(), cut);
            let expected = [Event::Ping(HELLO.into()), text("Hello")];
            assert_eq!(events.as_deref(), Ok(&expected[..]));
            let wire = incoming(&connection, 0xc0, b"");
            let error = Error::Frame(Violation::ReservedBits(4));
            assert_eq!(receive(&mut connection, &wire, cut), Err(error), "no data frame");
        }
    }
}

// RFC 6455 section 9.1: 6455-9.1-06
#[test]
fn both_fail_on_rsv1_without_an_agreement() {
    for role in [Role::Server, Role::Client] {
        let mut connection = match role {
            Role::Server => Connection::server(&Config::new()),
            Role::Client => Connection::client(&Config::new(), entropy::from_fn(|key| key.fill(1))),
        };
        let wire = incoming(&connection, 0xc1, HELLO);
        let error = Error::Frame(Violation::ReservedBits(4));
        assert_eq!(receive(&mut connection, &wire, usize::MAX), Err(error));
    }
}

// RFC 7692 sections 6 and 7.2.2: 7692-6-05, 7692-7.2.2-05, 7692-7.2.2-06; decisions D20, D22; RFC 6455 section 6.2:
// 6455-6.2-02
#[test]
fn both_fail_on_what_cannot_be_inflated_or_read() {
    assert_fails(
        &[(0xc1, b"\xff\xff\xff")],
        Error::Deflate(deflate::InflateError::Corrupt),
        1007,
    );
    assert_fails(
        &[(0xc1, AGAIN)],
        Error::Deflate(deflate::InflateError::Corrupt),
        1007,
    );
    assert_fails(
        &[(0xc1, &HELLO[..3])],
        Error::Deflate(deflate::InflateError::Truncated),
        1007,
    );
    assert_fails(
        &[(0xc1, b"\x00\x01\x00\xfe\xff\xff\x00")],
        Error::InvalidUtf8,
        1007,
    );
}

// RFC 7692 section 8: 7692-8-02
#[test]
fn both_limit_the_inflated_size_while_inflating() {
    let limit = 1000;
    for role in [Role::Server, Role::Client] {
        for (size, fits) in [(1000, true), (1001, false), (1_000_000, false)] {
            let mut compressor = deflate::Compressor::new(Window::default(), &DeflateConfig::new()).unwrap();
            let mut payload = Vec::new();
            compressor.compress(&vec![b'x'; size], &mut payload);
            let config = Config::new().max_message_size(limit);
            for cut in [1, usize::MAX] {
                let mut connection = open(role, &config, Parameters::default());
                let wire = incoming(&connection, 0xc1, &payload);
                let result = receive(&mut connection, &wire, cut);
                match fits {
                    true => assert_eq!(result.map(|events| events.len()), Ok(1)),
                    false => {
                        let size = limit + 1;
                        assert_eq!(result, Err(Error::MessageTooBig { limit, size }));
                        assert_eq!(connection.receive_eof().code_sent(), Some(CloseCode::TOO_BIG));
                    }
                }
            }
        }
    }
}

// RFC 7692 section 8: 7692-8-03; D49: in one frame and in fragments, as messages and in chunks
#[test]
fn both_fail_on_payload_that_produces_no_output() {
    let limit = 64 * 1024;
    let endless = b"\x00\x00\x00\xff\xff".repeat(20_000);
    for role in [Role::Server, Role::Client] {
        for delivery in [Delivery::Whole, Delivery::InPlace, Delivery::Chunks] {
            for (fragment, read) in [(endless.len(), usize::MAX), (endless.len(), 4096), (5, 1000)] {
                let config = Config::new().delivery(delivery);
                let mut connection = open(role, &config, Parameters::default());
                let fragments = endless.chunks(fragment).enumerate();
                let wire: Vec<u8> = fragments
                    .flat_map(|(i, part)| incoming(&connection, if i == 0 { 0x41 } else { 0 }, part))
                    .collect();
                let error = Error::Deflate(deflate::InflateError::Overlong { limit });
                assert_eq!(receive(&mut connection, &wire, read), Err(error));
                assert_eq!(connection.receive_eof().code_sent(), Some(CloseCode::TOO_BIG));
            }
        }
    }
}

/// Receives `wire` with `connection`, with compression negotiated after the first `agree` bytes.
fn receive_agreeing(
    mut connection: Connection,
    mut wire: Vec<u8>,
    agree: usize,
) -> Result<Vec<Event<'static>>, Error> {
    let config = DeflateConfig::new().threshold(0);
    let (before, after) = wire.split_at_mut(agree);
    let mut events = receive(&mut connection, before, usize::MAX)?;
    let mut connection = connection.with_deflate(Parameters::default(), &config);
    events.extend(receive(&mut connection, after, usize::MAX)?);
    Ok(events)
}

// RFC 7692 section 6; D95: with an agreement anywhere in a received message, the message continues as it began
#[test]
fn both_receive_on_after_an_agreement_in_the_middle_of_a_message() {
    for role in [Role::Server, Role::Client] {
        for delivery in [Delivery::Whole, Delivery::InPlace, Delivery::Chunks] {
            let open = || open_plain(role, &Config::new().delivery(delivery));
            let plain: [(u8, &[u8]); 3] = [(0x01, b"some"), (0x00, b" plain"), (0x80, b" text")];
            let plain = plain.map(|(first, part)| incoming(&open(), first, part)).concat();
            let wire = [&plain[..], &incoming(&open(), 0xc1, HELLO)].concat();
            let content = |events: Vec<Event<'static>>| {
                let text = |event| match event {
                    Event::Text(text) | Event::TextChunk(text, _) => text.into_owned(),
                    other => panic!("{other:?}"),
                };
                events.into_iter().map(text).collect::<String>()
            };
            for agree in 0..=plain.len() {
                let received = receive_agreeing(open(), wire.clone(), agree).map(content);
                assert_eq!(received.as_deref(), Ok("some plain textHello"), "{agree}");
            }
        }
    }
}

// RFC 7692 section 6; D95: with an agreement in a message being sent, the message continues as it began
#[test]
fn both_send_on_after_an_agreement_in_the_middle_of_a_message() {
    for role in [Role::Server, Role::Client] {
        let (mut connection, mut out) = (open_plain(role, &Config::new()), Vec::new());
        connection
            .send_fragment(MessageKind::Text, b"Hel", Fin::More, &mut out)
            .unwrap();
        let mut connection =
            connection.with_deflate(Parameters::default(), &DeflateConfig::new().threshold(0));
        connection
            .send_fragment(MessageKind::Text, b"lo", Fin::Last, &mut out)
            .unwrap();
        connection.send_text("Hello", &mut out).unwrap();
        let mut peer = open(role.peer(), &Config::new(), Parameters::default());
        if role == Role::Server {
            let firsts: Vec<u8> = frames_of(&out).iter().map(|frame| frame[0]).collect();
            assert_eq!(firsts, [0x01, 0x80, 0xc1]);
        }
        assert_eq!(
            receive(&mut peer, &out, usize::MAX),
            Ok(vec![text("Hello"), text("Hello")])
        );
    }
}

// D95: the first agreement applies, both between messages and in the middle of a compressed one
#[test]
fn both_keep_their_first_agreement() {
    let other = Parameters::new(window(9, false), window(9, false));
    let again = |connection: Connection| connection.with_deflate(other, &DeflateConfig::new().level(1));
    for [mut connection, mut peer] in [both(), both().map(again)] {
        let (mut out, mut answer) = (Vec::new(), Vec::new());
        connection
            .send_fragment(MessageKind::Text, b"Hello, ", Fin::More, &mut out)
            .unwrap();
        let middle = out.len() - 3;
        let mut connection = again(connection);
        connection
            .send_fragment(MessageKind::Text, b"Hello", Fin::Last, &mut out)
            .unwrap();
        connection.send_text("Hello, Hello", &mut out).unwrap();
        let (before, after) = out.split_at(middle);
        assert_eq!(receive(&mut peer, before, usize::MAX), Ok(vec![]));
        let mut peer = again(peer);
        assert_eq!(
            receive(&mut peer, after, usize::MAX),
            Ok(vec![text("Hello, Hello"), text("Hello, Hello")])
        );
        for _ in 0..2 {
            answer.clear();
            peer.send_text("Hello", &mut answer).unwrap();
        }
        assert!(
            answer.ends_with(AGAIN) || peer.role() == Role::Client,
            "takeover as agreed first"
        );
        assert_eq!(
            answer.len(),
            2 + AGAIN.len() + if peer.role() == Role::Client { 4 } else { 0 }
        );
    }
    // After the end, it has no effect.
    for connection in both() {
        let mut connection = connection;
        let wire = incoming(&connection, 0xc1, b"\xff\xff\xff");
        assert!(receive(&mut connection, &wire, usize::MAX).is_err());
        let mut connection = again(connection);
        assert!(connection.send_text("Hello", &mut Vec::new()).is_err());
        assert!(receive(&mut connection, &wire, usize::MAX).is_err());
    }
}

// RFC 6455 section 10.4: 6455-10.4-01: the header alone decides, with an allowance for what compression adds
#[test]
fn both_limit_compressed_frames_on_their_header() {
    let limit = 1000;
    for role in [Role::Server, Role::Client] {
        for first in [&[][..], &[0x42]] {
            let config = Config::new().max_message_size(limit);
            let mut connection = open(role, &config, Parameters::default());
            let mut wire = Vec::new();
            for first in first {
                wire.extend(incoming(&connection, *first, HELLO));
            }
            let last = if first.is_empty() { 0xc2 } else { 0x80 };
            wire.extend(common::header(
                last,
                (role == Role::Server).then_some(KEY),
                1 << 62,
            ));
            // The declared length is not the size of the message, which may be smaller when inflated.
            let size = limit + 1;
            let result = connection.receive(&mut &mut wire[..], &mut Vec::new());
            assert_eq!(result, Err(Error::MessageTooBig { limit, size }));
        }
    }
    let noise: Vec<u8> = (0..100_000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let config = Config::new().max_message_size(noise.len() as u64);
    let mut client = open(Role::Client, &config, Parameters::default());
    let mut server = open(Role::Server, &config, Parameters::default());
    let mut wire = Vec::new();
    client.send_binary(&noise, &mut wire).unwrap();
    assert_eq!(
        receive(&mut server, &wire, 4096),
        Ok(vec![Event::Binary(noise.into())])
    );
}

// RFC 7692 section 7.2.1: 7692-7.2.1-01, 7692-7.2.1-04, 7692-6-01, 7692-6-02; RFC 6455 section 6.1: 6455-6.1-05
#[test]
fn server_sends_the_bytes_of_the_text() {
    let mut server = open(Role::Server, &Config::new(), Parameters::default());
    let mut out = Vec::new();
    server.send_text("Hello", &mut out).unwrap();
    server.send_ping(b"p", &mut out).unwrap();
    server.send_text("Hello", &mut out).unwrap();
    server.send_text("", &mut out).unwrap();
    let expected = [
        &b"\xc1\x07"[..],
        HELLO,
        b"\x89\x01p",
        b"\xc1\x05",
        AGAIN,
        b"\xc1\x01\x00",
    ]
    .concat();
    assert_eq!(out, expected);
}

// RFC 7692 section 7.1.1: 7692-7.1.1.1-04, 7692-7.1.1.2-02
#[test]
fn both_compress_each_message_alone_without_takeover() {
    let alone = Parameters::new(window(15, false), window(15, false));
    for role in [Role::Server, Role::Client] {
        let mut connection = open(role, &Config::new(), alone);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        connection.send_text("Hello", &mut first).unwrap();
        connection.send_text("Hello", &mut second).unwrap();
        assert_eq!(first, second);
    }
}

// RFC 7692 section 6: 7692-6-08, 7692-7.2.1-02
#[test]
fn server_compresses_fragments_as_a_stream() {
    let mut server = open(Role::Server, &Config::new(), Parameters::default());
    let mut client = open(Role::Client, &Config::new(), Parameters::default());
    let mut out = Vec::new();
    for (part, fin) in [
        ("Hel", Fin::More),
        ("", Fin::More),
        ("lo", Fin::More),
        ("", Fin::Last),
    ] {
        server
            .send_fragment(MessageKind::Text, part.as_bytes(), fin, &mut out)
            .unwrap();
        server.send_pong(b"", &mut out).unwrap();
    }
    let firsts: Vec<u8> = frames_of(&out).iter().map(|frame| frame[0]).collect();
    assert_eq!(firsts, [0x41, 0x8a, 0x00, 0x8a, 0x00, 0x8a, 0x80, 0x8a]);
    let events = receive(&mut client, &out, 1).unwrap();
    assert!(events.contains(&text("Hello")));
}

fn frames_of(mut wire: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let [_, len, ..] = *wire {
        let (frame, rest) = wire.split_at(2 + usize::from(len));
        frames.push(frame);
        wire = rest;
    }
    frames
}

// RFC 7692 section 6: a message may be sent uncompressed whatever was negotiated, which is what vectored writes do
#[test]
fn sender_says_whether_large_messages_are_compressed() {
    let now = Duration::ZERO;
    let [agreed, _] = both();
    let plain = open_plain(Role::Server, &Config::new());
    for (connection, compresses) in [(agreed, true), (plain, false)] {
        let mut endpoint = Endpoint::from_connection(&EndpointConfig::new(), connection, &[], now);
        let mut sender = endpoint.sender();
        for (setting, expected) in [(Compression::On, compresses), (Compression::Off, false)] {
            sender.set_compression(setting);
            assert_eq!(sender.compresses(), expected);
        }
    }
    assert!(
        !Endpoint::server(&EndpointConfig::new(), now)
            .sender()
            .compresses()
    );
}

// RFC 7692 section 6: 7692-6-02, 7692-6-04: RSV1 of the first fragment applies to all
#[test]
fn message_that_began_uncompressed_stays_uncompressed() {
    for role in [Role::Server, Role::Client] {
        let (mut connection, mut wire) = (open_plain(role, &Config::new()), Vec::new());
        connection
            .send_fragment(MessageKind::Text, b"plain, ", Fin::More, &mut wire)
            .unwrap();
        let mut connection = connection.with_deflate(Parameters::default(), &DeflateConfig::new());
        connection
            .send_fragment(MessageKind::Text, b"and plain", Fin::Last, &mut wire)
            .unwrap();
        let mut peer = open(role.peer(), &Config::new(), Parameters::default());
        assert_eq!(receive(&mut peer, &wire, 1).unwrap(), [text("plain, and plain")]);
    }
}

// RFC 7692 sections 5 and 8: 7692-5-09, 7692-8-01
#[test]
fn both_send_plain_what_is_small_or_not_to_be_compressed() {
    for mut connection in both() {
        let mut out = Vec::new();
        connection.set_compression(Compression::Off);
        connection.send_text("secret secret secret", &mut out).unwrap();
        assert_eq!(out[0], 0x81);
        connection
            .send_fragment(
                MessageKind::Text,
                b"a message in one fragment",
                Fin::Last,
                &mut out,
            )
            .unwrap();
        connection.set_compression(Compression::On);
        out.clear();
        connection.send_text("secret secret secret", &mut out).unwrap();
        assert_eq!(out[0], 0xc1);
    }
    let server = Connection::server(&Config::new());
    let mut server = server.with_deflate(Parameters::default(), &DeflateConfig::new().threshold(10));
    let mut out = Vec::new();
    server.send_text("123456789", &mut out).unwrap();
    assert_eq!(out[0], 0x81);
    server.send_text("1234567890", &mut out).unwrap();
    assert_eq!(out[11], 0xc1);
}

// RFC 7692 section 7.1.2: 7692-7.1.2.1-05; decision D23
#[test]
fn both_inflate_but_never_compress_with_a_window_of_8_bits() {
    let eight = Parameters::new(window(8, true), window(8, true));
    for role in [Role::Server, Role::Client] {
        let mut connection = open(role, &Config::new(), eight);
        let mut out = Vec::new();
        connection.send_text(&"x".repeat(1000), &mut out).unwrap();
        assert_eq!(out[0], 0x81);
        let wire = incoming(&connection, 0xc1, HELLO);
        assert_eq!(
            receive(&mut connection, &wire, usize::MAX),
            Ok(vec![text("Hello")])
        );
    }
}

// A broadcast is compressed once, for every connection.
#[test]
fn both_send_a_message_that_was_compressed_before() {
    let config = DeflateConfig::new().threshold(0);
    let news = Prepared::text("news news news news").with_deflate(Window::default(), &config);
    for (sender, peer) in [(Role::Server, Role::Client), (Role::Client, Role::Server)] {
        let mut peer = open(peer, &Config::new(), Parameters::default());
        let mut connection = open(sender, &Config::new(), Parameters::default());
        let mut out = Vec::new();
        for _ in 0..2 {
            connection.send_text("news of the day", &mut out).unwrap();
            connection.send_prepared(&news, &mut out).unwrap();
        }
        let one = [text("news of the day"), text("news news news news")];
        assert_eq!(
            receive(&mut peer, &out, usize::MAX).unwrap(),
            [one.clone(), one].concat()
        );
        connection.set_compression(Compression::Off);
        let mut out = Vec::new();
        connection.send_prepared(&news, &mut out).unwrap();
        assert_eq!(out[0], 0x81);
        let small = Parameters::new(window(10, true), window(10, true));
        let mut out = Vec::new();
        open(sender, &Config::new(), small)
            .send_prepared(&news, &mut out)
            .unwrap();
        assert_eq!(
            receive(&mut peer, &out, usize::MAX).unwrap(),
            [text("news news news news")]
        );
    }
}

// A prepared message that compressing leaves as long as it was is sent as it is.
#[test]
fn prepared_message_is_compressed_only_if_that_makes_it_smaller() {
    let config = DeflateConfig::new().threshold(0);
    let server = || open(Role::Server, &Config::new(), Parameters::default());
    let mut is_equal = false;
    for len in 1..20 {
        let message = "a".repeat(len);
        let (mut compressed, mut sent) = (Vec::new(), Vec::new());
        server().send_text(&message, &mut compressed).unwrap();
        assert_eq!(compressed[0], 0xc1);
        let prepared = Prepared::text(&message).with_deflate(Window::default(), &config);
        server().send_prepared(&prepared, &mut sent).unwrap();
        let size = compressed.len() - 2;
        assert_eq!(sent[0] == 0xc1, size < len, "{size} instead of {len}");
        is_equal |= size == len;
    }
    assert!(is_equal);
}

// With a window that cannot be used for compressing, nothing can be compressed, and the last form is sent. D48: the same for
// messages below the threshold, and for those that do not become smaller.
#[test]
fn both_send_as_it_is_what_is_not_worth_compressing() {
    let config = DeflateConfig::new().threshold(19);
    let send = |news: &Prepared, own: &DeflateConfig| {
        let mut out = Vec::new();
        let server = Connection::server(&Config::new());
        let mut server = server.with_deflate(Parameters::default(), own);
        server.send_prepared(news, &mut out).unwrap();
        out[0]
    };
    let news = "news news news news";
    for bits in 8..=15 {
        let expected = if bits > 8 { 0xc1 } else { 0x81 };
        for takeover in [true, false] {
            let made = Prepared::text(news).with_deflate(window(bits, takeover), &config);
            assert_eq!(send(&made, &config), expected);
            let again = Prepared::text(news).with_deflate(Window::default(), &config);
            let again = again.with_deflate(window(bits, takeover), &config);
            assert_eq!(send(&again, &config), expected, "the last call counts");
        }
    }
    let prepare =
        |text: &str, config: &DeflateConfig| Prepared::text(text).with_deflate(Window::default(), config);
    let higher = config.clone().threshold(20);
    assert_eq!(send(&prepare(news, &higher), &config), 0x81);
    assert_eq!(send(&prepare(news, &config), &higher), 0x81);
    for incompressible in ["", "a", "abcdefghijklmnopqrstuvwxyz0123456789"] {
        let none = DeflateConfig::new().threshold(0);
        assert_eq!(
            send(&prepare(incompressible, &none), &none),
            0x81,
            "{incompressible}"
        );
    }
}

/// The JSON of the next round.
fn round(n: usize) -> String {
    format!(
        r#"{{"kind":"state","round":{n},"players":[{{"name":"alpha","x":12.5,"y":7.25,"health":90}},{{"name":"beta","x":3.5,"y":9.75,"health":75}}]}}"#
    )
}

// D48: a broadcast is in the sender's history as it is in the receiver's window: the connection's own messages, which differ in a
// number, are as small as without one, and a message that repeats the broadcast is smaller.
#[test]
fn broadcasts_extend_the_history() {
    let news =
        "The match between the red team and the blue team begins in 10 minutes on the main stage. ".repeat(2);
    for (keep, takeover, bits) in [
        (false, true, 15),
        (true, true, 15),
        (false, true, 12),
        (true, true, 12),
        (false, true, 10),
        (true, true, 10),
        (false, false, 12),
        (true, false, 12),
    ] {
        let (agreed, config) = (
            window(bits, takeover),
            DeflateConfig::new().keep_engine(keep).send_window_bits(15),
        );
        let news_prepared = Prepared::text(&news).with_deflate(window(9, true), &config);
        let parameters = Parameters::new(agreed, agreed);
        for (sender, receiver) in [(Role::Server, Role::Client), (Role::Client, Role::Server)] {
            let send = |broadcast: bool| {
                let mut receiver = open(receiver, &Config::new(), parameters);
                let mut sender = open_plain(sender, &Config::new()).with_deflate(parameters, &config);
                let mut sizes = Vec::new();
                for n in 0..4 {
                    let mut wire = Vec::new();
                    sender.send_text(&round(n), &mut wire).unwrap();
                    sizes.push(wire.len());
                    if broadcast {
                        sender.send_prepared(&news_prepared, &mut wire).unwrap();
                    }
                    let own = round(n);
                    let expected = [text(&own), text(&news)];
                    assert_eq!(
                        receive(&mut receiver, &wire, usize::MAX).unwrap(),
                        expected[..1 + usize::from(broadcast)]
                    );
                }
                let mut wire = Vec::new();
                sender.send_text(&news, &mut wire).unwrap();
                assert_eq!(receive(&mut receiver, &wire, 7).unwrap(), [text(&news)]);
                (sizes, wire.len())
            };
            let ((alone, news_alone), (between, news_again)) = (send(false), send(true));
            assert!(
                alone
                    .iter()
                    .zip(&between)
                    .all(|(alone, between)| *between <= alone + 3),
                "{alone:?} {between:?}"
            );
            match takeover {
                true => assert!(between[1] < between[0] / 3 && news_again < news_alone / 3),
                false => assert_eq!((alone, news_alone), (between, news_again)),
            }
        }
    }
}

// D48: never inside another message (RFC 6455 section 5.4), and then the history is unchanged.
#[test]
fn broadcast_inside_a_message_is_refused_and_changes_nothing() {
    let config = DeflateConfig::new().threshold(0);
    let news = Prepared::text("news news news news").with_deflate(Window::default(), &config);
    for keep in [true, false] {
        let config = config.clone().keep_engine(keep);
        let send = |broadcast: bool| {
            let server = Connection::server(&Config::new());
            let mut server = server.with_deflate(Parameters::default(), &config);
            let mut out = Vec::new();
            server
                .send_fragment(MessageKind::Text, b"first half, ", Fin::More, &mut out)
                .unwrap();
            if broadcast {
                assert_eq!(
                    server.send_prepared(&news, &mut out),
                    Err(Misuse::UnfinishedMessage)
                );
            }
            server
                .send_fragment(MessageKind::Text, b"second half", Fin::Last, &mut out)
                .unwrap();
            server.send_text("first half, second half", &mut out).unwrap();
            out
        };
        assert_eq!(send(true), send(false));
    }
}

/// What is sent, and how.
#[derive(Clone, Debug)]
struct Sent {
    kind: MessageKind,
    parts: Vec<String>,
    compression: Compression,
    prepared: bool,
}

fn any_sent() -> impl Strategy<Value = Sent> {
    let part = prop_oneof!["[ab]{0,40}", "[a-zé€]{0,300}", "\\PC{0,20}"];
    (any::<[bool; 3]>(), prop::collection::vec(part, 1..4)).prop_map(|([text, on, prepared], parts)| Sent {
        kind: if text {
            MessageKind::Text
        } else {
            MessageKind::Binary
        },
        parts,
        compression: if on { Compression::On } else { Compression::Off },
        prepared,
    })
}

fn any_window() -> impl Strategy<Value = Window> {
    (8..=15u8, any::<bool>()).prop_map(|(bits, takeover)| window(bits, takeover))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    // RFC 7692 section 6: 7692-6-06, 7692-6-07, 7692-7.2.1-05: whatever is negotiated, sent and split
    #[test]
    fn messages_arrive_as_they_were_sent(
        windows in [any_window(), any_window()],
        messages in prop::collection::vec(any_sent(), 0..12),
        by_client in any::<bool>(),
        (keep, level, made_by) in (any::<bool>(), 1..=9u8, any_window()),
        cut in 1..2000usize,
    ) {
        let parameters = Parameters::new(windows[0], windows[1]);
        let (sender, receiver) = match by_client {
            true => (Role::Client, Role::Server),
            false => (Role::Server, Role::Client),
        };
        let config = DeflateConfig::new().threshold(20).keep_engine(keep).level(level).send_window_bits(15);
        let mut receiver = open(receiver, &Config::new(), parameters);
        let mut sender = match sender {
            Role::Server => Connection::server(&Config::new()),
            Role::Client => Connection::client(&Config::new(), entropy::from_fn(|key| key.copy_from_slice(&KEY))),
        }
        .with_deflate(parameters, &config);
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        for Sent { kind, parts, compression, prepared } in messages {
            sender.set_compression(compression);
            let whole = parts.concat();
            if prepared {
                let message = match kind {
                    MessageKind::Text => Prepared::text(&whole),
                    MessageKind::Binary => Prepared::binary(whole.as_bytes()),
                };
                sender.send_prepared(&message.with_deflate(made_by, &config), &mut wire).unwrap();
            } else {
                let last = parts.len() - 1;
                for (at, part) in parts.iter().enumerate() {
                    let fin = if at == last { Fin::Last } else { Fin::More };
                    sender.send_fragment(kind, part.as_bytes(), fin, &mut wire).unwrap();
                }
            }
            expected.push(match kind {
                MessageKind::Text => Event::Text(whole.into()),
                MessageKind::Binary => Event::Binary(whole.into_bytes().into()),
            });
        }
        prop_assert_eq!(receive(&mut receiver, &wire, cut), Ok(expected));
    }

    // Contract, clause 2: splitting changes nothing, for any input
    #[test]
    fn compressed_noise_gives_the_same_result_for_any_split(
        payloads in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..60)), 0..6),
        cut in 1..9usize,
        by_server in any::<bool>(),
    ) {
        let role = if by_server { Role::Client } else { Role::Server };
        let config = Config::new().max_message_size(2000);
        let ends = [1, cut, usize::MAX].map(|cut| {
            let mut connection = open(role, &config, Parameters::default());
            let wire: Vec<u8> = payloads
                .iter()
                .flat_map(|(fin, payload)| incoming(&connection, if *fin { 0xc2 } else { 0x42 }, payload))
                .collect();
            let result = receive(&mut connection, &wire, cut);
            (result, connection.receive_eof())
        });
        prop_assert_eq!(&ends[0], &ends[1]);
        prop_assert_eq!(&ends[0], &ends[2]);
    }
}

// ---- through the handshake ----------------------------------------------------------------------------------------------

use websocket_proto::handshake::{Answer, ClientRequest, HandshakeError, ServerHandshake};

fn config(deflate: DeflateConfig) -> Config {
    Config::new().deflate(deflate)
}

/// Both ends, opened by the crate's own handshakes, and the head that the server sent.
fn shake(client: &Config, server: &Config) -> (Connection, Connection, String) {
    let (mut request, mut response) = (Vec::new(), Vec::new());
    let entropy = entropy::from_fn(|bytes| bytes.fill(7));
    let mut handshake = ClientRequest::new("example.com", "/")
        .unwrap()
        .start(client, entropy, &mut request);
    let mut input = &mut request[..];
    let head = ServerHandshake::new(server)
        .receive(&mut input, &mut response)
        .unwrap()
        .unwrap();
    let server = head.upgrade(&mut response).unwrap().accept(&mut response);
    let head = String::from_utf8(response.clone()).unwrap();
    match handshake
        .receive(&mut &mut response[..], &mut Vec::new())
        .unwrap()
    {
        Some(Answer::Accepted { connection, .. }) => (connection, server, head),
        other => panic!("{other:?}"),
    }
}

/// A client whose server responds with this.
fn answered(client: &Config, answer: &str) -> Result<Connection, HandshakeError> {
    let entropy = entropy::from_fn(|bytes| bytes.fill(7));
    let mut out = Vec::new();
    let mut handshake = ClientRequest::new("h", "/")
        .unwrap()
        .start(client, entropy, &mut out);
    let key = String::from_utf8(out).unwrap();
    let key = key
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
        .unwrap();
    let accept = websocket_proto::handshake::key::accept_key(key.as_bytes());
    let accept = std::str::from_utf8(&accept).unwrap();
    let mut response = format!(
        "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\
         Sec-WebSocket-Extensions: {answer}\r\n\r\n"
    )
    .into_bytes();
    match handshake.receive(&mut &mut response[..], &mut Vec::new())? {
        Some(Answer::Accepted { connection, .. }) => Ok(connection),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_talks(from: &mut Connection, to: &mut Connection, compressed: bool) {
    for _ in 0..3 {
        let message = "all of this is said again, and again, and again, and once more; ".repeat(4);
        let mut wire = Vec::new();
        from.send_text(&message, &mut wire).unwrap();
        assert_eq!(wire[0] == 0xc1, compressed);
        assert_eq!(receive(to, &wire, usize::MAX).unwrap(), [text(&message)]);
    }
}

// RFC 7692 section 5: 7692-5-01, 7692-5-02, 7692-5-03, 7692-5-05; section 7.3: 7692-7.3-01: one element, and more than 10
// bits unless configured otherwise; RFC 6455 section 4.1: 6455-4.1-28
#[test]
fn client_and_server_agree_and_compress_both_ways() {
    let config = config(DeflateConfig::new());
    let (mut client, mut server, head) = shake(&config, &config);
    assert!(head.contains("\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"));
    assert_talks(&mut client, &mut server, true);
    assert_talks(&mut server, &mut client, true);
}

// RFC 7692 section 5: 7692-5-04, 7692-5-06
#[test]
fn nothing_is_negotiated_if_either_side_has_it_off() {
    let on = config(DeflateConfig::new());
    for (client, server) in [(&on, &Config::new()), (&Config::new(), &on)] {
        let (mut client, mut server, head) = shake(client, server);
        assert!(!head.contains("Sec-WebSocket-Extensions"));
        assert_talks(&mut client, &mut server, false);
        assert_talks(&mut server, &mut client, false);
    }
}

// RFC 7692 section 8: 7692-8-01; section 5: 7692-5-06
#[test]
fn server_declines_for_one_connection() {
    let config = config(DeflateConfig::new());
    let mut request = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate; foo, permessage-deflate\r\n\r\n"
        .to_vec();
    let mut out = Vec::new();
    let request = ServerHandshake::new(&config)
        .receive(&mut &mut request[..], &mut out)
        .unwrap()
        .unwrap();
    let upgrade = request.upgrade(&mut out).unwrap();
    assert!(upgrade.deflate().is_some(), "the second offer is good: 7692-5-07");
    let upgrade = upgrade.decline_deflate();
    assert!(upgrade.deflate().is_none());
    let mut server = upgrade.accept(&mut out);
    assert!(!String::from_utf8(out).unwrap().contains("permessage"));
    let error = Error::Frame(Violation::ReservedBits(4));
    assert_eq!(
        receive(&mut server, &frame(0xc1, Some(KEY), HELLO), usize::MAX),
        Err(error)
    );
}

// RFC 7692 section 5: 7692-5-08; section 7.1: 7692-7.1-02; RFC 6455 section 9.1: 6455-9.1-05
#[test]
fn client_fails_on_an_answer_that_does_not_fit() {
    let fail = |client: &Config, answer: &str| answered(client, answer).map(drop);
    let on = config(DeflateConfig::new());
    for answer in [
        "permessage-deflate; foo",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    ] {
        assert!(
            matches!(fail(&on, answer), Err(HandshakeError::Deflate(_))),
            "{answer}"
        );
    }
    assert_eq!(
        fail(&on, "permessage-deflate, permessage-deflate"),
        Err(HandshakeError::RepeatedExtension)
    );
    assert_eq!(
        fail(
            &on,
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover"
        ),
        Ok(())
    );
    assert_eq!(
        fail(&Config::new(), "permessage-deflate"),
        Err(HandshakeError::UnofferedExtension)
    );
}

fn any_config() -> impl Strategy<Value = DeflateConfig> {
    (8..=15u8, 8..=15u8, any::<[bool; 3]>()).prop_map(|(client, server, [a, b, keep])| {
        DeflateConfig::new()
            .client_max_window_bits(client)
            .server_max_window_bits(server)
            .client_no_context_takeover(a)
            .server_no_context_takeover(b)
            .keep_engine(keep)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

    // RFC 7692 section 5: 7692-5-03: whatever both sides request, they agree, and each reads what the other sends
    #[test]
    fn any_two_configurations_can_talk(client in any_config(), server in any_config()) {
        let (mut client, mut server, _) = shake(&config(client), &config(server));
        for _ in 0..3 {
            let message = "abc ".repeat(400);
            let (mut wire, mut back) = (Vec::new(), Vec::new());
            client.send_text(&message, &mut wire).unwrap();
            server.send_text(&message, &mut back).unwrap();
            prop_assert_eq!(receive(&mut server, &wire, usize::MAX).unwrap(), [text(&message)]);
            prop_assert_eq!(receive(&mut client, &back, usize::MAX).unwrap(), [text(&message)]);
        }
    }
}

// RFC 7692 section 7.1.2.1: 7692-7.1.2.1-05: with a window as large as negotiated, or smaller
#[test]
fn server_sends_what_was_compressed_before_to_whom_can_inflate_it() {
    let message = "news ".repeat(100);
    for (made, agreed) in (9..=15).flat_map(|made| (8..=15).map(move |agreed| (made, agreed))) {
        let made_by = Window::new(made).unwrap();
        let news = Prepared::text(&message).with_deflate(made_by, &DeflateConfig::new());
        let window = Window::new(agreed).unwrap();
        let mut connection = open(Role::Server, &Config::new(), Parameters::new(window, window));
        let mut out = Vec::new();
        connection.send_prepared(&news, &mut out).unwrap();
        let compressed = out[0] == 0xc1 && out.len() < message.len() / 10;
        assert_eq!(compressed, made <= agreed, "{made} {agreed}");
    }
}

// RFC 6455 section 10.4: 6455-10.4-01: the allowance for compressed frames is for compressed frames only
#[test]
fn both_limit_plain_messages_after_compressed_ones() {
    let limit = 1000;
    for role in [Role::Server, Role::Client] {
        for size in [limit, limit + 1] {
            let mut connection = open(
                role,
                &Config::new().max_message_size(limit),
                Parameters::default(),
            );
            let plain = vec![0; size as usize];
            let wire = [
                incoming(&connection, 0xc1, HELLO),
                incoming(&connection, 0x82, &plain),
            ];
            let result = receive(&mut connection, &wire.concat(), usize::MAX);
            match size > limit {
                true => assert_eq!(result, Err(Error::MessageTooBig { limit, size })),
                false => assert_eq!(result, Ok(vec![text("Hello"), Event::Binary(plain.into())])),
            }
        }
    }
}

// RFC 6455 section 10.4: 6455-10.4-03: the limit applies to the inflated message, and fragments may be larger
#[test]
fn both_accept_fragments_that_compression_made_larger() {
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    })
    .take(1000)
    .collect();
    let config = Config::new().max_message_size(noise.len() as u64);
    for (sender, receiver) in [(Role::Server, Role::Client), (Role::Client, Role::Server)] {
        let mut sender = open(sender, &config, Parameters::default());
        let mut wire = Vec::new();
        for (part, fin) in [(&noise[..500], Fin::More), (&noise[500..], Fin::Last)] {
            sender
                .send_fragment(MessageKind::Binary, part, fin, &mut wire)
                .unwrap();
        }
        assert!(wire.len() > noise.len() + 8, "in stored blocks");
        let mut receiver = open(receiver, &config, Parameters::default());
        let expected = [Event::Binary(noise.clone().into())];
        assert_eq!(
            receive(&mut receiver, &wire, usize::MAX).as_deref(),
            Ok(&expected[..])
        );
    }
}

// RFC 6455 section 9.1: 6455-9.1-01, 6455-9.1-04: one list, in which the caller's extensions come first
#[test]
fn client_offers_compression_last() {
    let offers = |extensions: &[&str]| offered(&config(DeflateConfig::new()), extensions);
    let alone = offers(&[]);
    assert_eq!(alone, "permessage-deflate; client_max_window_bits");
    assert_eq!(offers(&["a", "b; c=1"]), format!("a, b; c=1, {alone}"));
}

// RFC 7692 section 5: 7692-5-01: a limit that a server may not be able to meet is followed by an offer without it, D51
#[test]
fn client_offers_compression_without_limits_as_well() {
    let one = DeflateConfig::new();
    let open = "permessage-deflate; client_max_window_bits";
    for (deflate, offers) in [
        (one.clone(), open.to_owned()),
        (one.clone().send_window_bits(9), open.to_owned()),
        (
            one.clone().server_max_window_bits(15).client_max_window_bits(15),
            open.to_owned(),
        ),
        (
            one.clone().server_max_window_bits(12),
            format!("permessage-deflate; server_max_window_bits=12; client_max_window_bits, {open}"),
        ),
        (one.clone().client_max_window_bits(10), format!("{open}=10, {open}")),
        (
            one.clone()
                .server_max_window_bits(9)
                .client_max_window_bits(10)
                .server_no_context_takeover(true),
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=10, \
             permessage-deflate; server_no_context_takeover; client_max_window_bits"
                .to_owned(),
        ),
        (
            one.clone().offer_client_max_window_bits(false),
            "permessage-deflate".to_owned(),
        ),
        (
            one.clone().offer_client_max_window_bits(false).client_max_window_bits(10),
            "permessage-deflate".to_owned(),
        ),
        (
            one.offer_client_max_window_bits(false).server_max_window_bits(10),
            "permessage-deflate; server_max_window_bits=10, permessage-deflate".to_owned(),
        ),
    ] {
        assert_eq!(offered(&config(deflate), &[]), offers);
    }
}

// RFC 7692 section 7.1.2.2: 7692-7.1.2.2-05, D54: the client's own limit applies even if the response is for an offer that does
// not name it, and if the server never learned of it
#[test]
fn client_keeps_to_its_own_window_whatever_was_agreed() {
    let record = "0123456789abcdef";
    let message = record.to_owned() + &".".repeat(1 << 13) + record;
    let deflate = DeflateConfig::new()
        .client_max_window_bits(9)
        .send_window_bits(15)
        .threshold(0);
    let bare = deflate.clone().offer_client_max_window_bits(false);
    let small = DeflateConfig::new().send_window_bits(9).threshold(0);
    let large = DeflateConfig::new().send_window_bits(15).threshold(0);
    for (deflate, is_small) in [(deflate, true), (bare, true), (small, true), (large, false)] {
        let mut client = answered(&config(deflate), "permessage-deflate").unwrap();
        let mut wire = Vec::new();
        client.send_text(&message, &mut wire).unwrap();
        assert!(wire[..2] == [0xc1, 0x80 | (wire.len() - 6) as u8], "{wire:x?}");
        // Every byte drawn is a 7, and so is the mask key.
        let payload: Vec<u8> = wire[6..].iter().map(|byte| byte ^ 7).collect();
        let mut naive = Naive::default();
        assert_eq!(naive.message(&payload).as_deref(), Some(message.as_bytes()));
        assert_eq!(naive.distance <= 512, is_small, "{}", naive.distance);
    }
}

/// The offer of a client with extensions of its caller.
fn offered(config: &Config, extensions: &[&str]) -> String {
    let request = ClientRequest::new("example.com", "/").unwrap();
    let request = extensions.iter().fold(request, |request, extension| {
        request.with_extension(extension).unwrap()
    });
    let mut out = Vec::new();
    let _ = request.start(config, entropy::from_fn(|bytes| bytes.fill(7)), &mut out);
    let (_, value) = std::str::from_utf8(&out)
        .unwrap()
        .split_once("\r\nSec-WebSocket-Extensions: ")
        .unwrap();
    value.split_once("\r\n").unwrap().0.to_owned()
}

fn any_limit() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0..300u64, 2 => 2000..5000u64, 1 => Just(u64::MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // RFC 7692 section 8: D75: the inflated message is checked against the current limit, with every delivery, wherever the limit
    // changes
    #[test]
    fn changed_limit_applies_to_the_inflated_size(
        messages in proptest::collection::vec((any::<u8>(), 0..3000usize, 0..4usize), 1..5),
        limits in proptest::collection::vec((0..200usize, any_limit()), 1..8),
    ) {
        for delivery in [Delivery::Whole, Delivery::InPlace, Delivery::Chunks] {
            for role in [Role::Server, Role::Client] {
                let mut sender = open(role.peer(), &Config::new(), Parameters::default());
                let (mut wire, mut sent) = (Vec::new(), Vec::new());
                for (byte, size, fragments) in &messages {
                    let payload: Vec<u8> = (0..*size).map(|i| byte.wrapping_mul(i as u8)).collect();
                    let part = size / (fragments + 1);
                    for i in 0..*fragments {
                        let part = &payload[i * part..][..part];
                        sender.send_fragment(MessageKind::Binary, part, Fin::More, &mut wire).unwrap();
                    }
                    let rest = &payload[fragments * part..];
                    sender.send_fragment(MessageKind::Binary, rest, Fin::Last, &mut wire).unwrap();
                    sent.push(payload);
                }
                let config = Config::new().delivery(delivery);
                let mut receiver = open(role, &config, Parameters::default());
                let (mut buffer, mut seen, mut chunks) = (Vec::new(), 0, Vec::new());
                let (mut error, mut limit) = (None, 0);
                let mut rest = &wire[..];
                for (size, next) in limits.iter().copied().chain([(usize::MAX, u64::MAX)]) {
                    limit = next;
                    receiver.set_max_message_size(limit);
                    let (front, back) = rest.split_at(size.min(rest.len()));
                    buffer.extend(front);
                    rest = back;
                    let mut input = &mut buffer[..];
                    while error.is_none() {
                        let message = match receiver.receive(&mut input, &mut Vec::new()) {
                            Ok(None) => break,
                            Ok(Some(Event::Binary(message))) => message.into_owned(),
                            Ok(Some(Event::BinaryChunk(chunk, fin))) => {
                                chunks.extend_from_slice(&chunk);
                                prop_assert!(chunks.len() as u64 <= limit);
                                if fin == Fin::More { continue; }
                                std::mem::take(&mut chunks)
                            }
                            Ok(Some(other)) => panic!("{other:?}"),
                            Err(found) => {
                                error = Some(found);
                                break;
                            }
                        };
                        prop_assert!(message.len() as u64 <= limit);
                        prop_assert_eq!(&message, &sent[seen]);
                        seen += 1;
                    }
                    if error.is_some() {
                        break;
                    }
                    let left = input.len();
                    buffer.drain(..buffer.len() - left);
                }
                match error {
                    Some(error) => {
                        prop_assert_eq!(error, Error::MessageTooBig { limit, size: limit.saturating_add(1) });
                        prop_assert!(sent[seen].len() as u64 > limit, "{} over {}", sent[seen].len(), limit);
                    }
                    None => prop_assert_eq!(seen, sent.len()),
                }
            }
        }
    }
}
