//! Faults of other implementations that this one must not have: for each the bytes that trigger it, for both roles if both could
//! have it. `PAST_FAULTS.md` lists where each was found.
#![cfg(feature = "alloc")]

mod common;
#[path = "common/heap.rs"]
mod heap;

use common::*;
use heap::measure;
use websocket_proto::frame::{Header, Rules, Violation};
use websocket_proto::handshake::{Answer, BodyError, ClientRequest, HandshakeError, ServerHandshake};
use websocket_proto::{
    Config, Connection, Delivery, Error, Event, Fin, MessageKind, Misuse, Prepared, Role, State, entropy,
};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n";

const RESPONSE: &str = "HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n";

/// What a server responds to the valid request with `lines` in it.
fn serve(config: &Config, lines: &str) -> Result<String, HandshakeError> {
    let mut bytes = format!("{REQUEST}{lines}\r\n").into_bytes();
    let mut out = Vec::new();
    let request = ServerHandshake::new(config).receive(&mut &mut bytes[..], &mut out)?;
    drop(request.expect("whole").upgrade(&mut out)?.accept(&mut out));
    Ok(String::from_utf8(out).unwrap())
}

/// A client's result for the valid response with `lines` in it, and what is left of the input.
fn ask(config: &Config, lines: &str, more: &[u8]) -> (Result<Option<Answer>, HandshakeError>, Vec<u8>) {
    let request = ClientRequest::new("h", "/").unwrap();
    let mut client = request.start(config, entropy::from_fn(|nonce| nonce.fill(0)), &mut Vec::new());
    let mut bytes = [format!("{RESPONSE}{lines}\r\n").as_bytes(), more].concat();
    let mut input = &mut bytes[..];
    let answer = client.receive(&mut input, &mut Vec::new());
    (answer, input.to_vec())
}

// ---- the opening handshake ----------------------------------------------------------------------------------------------

/// A read for each byte of a large head: quadratic work would take hours here. `linear.rs` counts it.
#[test]
fn head_is_not_parsed_again_with_each_read() {
    let line = format!("X: {}\r\n", "x".repeat(1 << 20));
    let mut bytes = format!("{REQUEST}{line}\r\n").into_bytes();
    let config = Config::new().max_head_size(2 << 20);
    let (mut server, mut out) = (ServerHandshake::new(&config), Vec::new());
    let (last, first) = bytes.split_last_mut().unwrap();
    for byte in first {
        let request = server.receive(&mut std::slice::from_mut(byte), &mut out);
        assert!(request.unwrap().is_none());
    }
    let request = server.receive(&mut std::slice::from_mut(last), &mut out);
    assert!(request.unwrap().unwrap().upgrade(&mut out).is_ok());
    // Nor is there a large head, unless the configuration allows it.
    let limit = 16 * 1024;
    assert_eq!(
        serve(&Config::new(), &line),
        Err(HandshakeError::HeadTooLarge { limit })
    );
}

#[test]
fn lines_of_a_head_are_counted() {
    let config = Config::new().max_fields(7);
    assert!(serve(&config, "a:\r\nb:\r\n").is_ok());
    let too_many = HandshakeError::TooManyFields { limit: 7 };
    assert_eq!(serve(&config, "a:\r\nb:\r\nc:\r\n"), Err(too_many));
    assert_eq!(too_many.status(), 431);
    let by_default = HandshakeError::TooManyFields { limit: 100 };
    assert_eq!(serve(&Config::new(), &"a:\r\n".repeat(2000)), Err(by_default));
    assert_eq!(
        ask(&Config::new(), &"a:\r\n".repeat(2000), b"").0.unwrap_err(),
        by_default
    );
}

#[test]
fn folded_lines_and_lone_line_ends_hide_no_field() {
    let of = |lines| serve(&Config::new(), lines).unwrap_err();
    assert_eq!(of("X: a\r\n Content-Length: 5\r\n"), HandshakeError::FoldedField);
    assert_eq!(of("X: a\r\n\tb\r\n"), HandshakeError::FoldedField);
    assert_eq!(
        of("X: a\rContent-Length: 5\r\n"),
        HandshakeError::BareCarriageReturn
    );
    assert_eq!(of("X: a\nContent-Length: 5\r\n"), HandshakeError::BareLineFeed);
    // A client has to accept folds, which it joins to one line, but not bare line ends.
    let (answer, _) = ask(&Config::new(), "X: a\r\n Sec-WebSocket-Protocol: b\r\n", b"");
    let Ok(Some(Answer::Accepted { response, .. })) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(response.field("X"), Some(&b"a Sec-WebSocket-Protocol: b"[..]));
    assert_eq!(response.subprotocol(), None);
    let (answer, _) = ask(&Config::new(), "X: a\rb\r\n", b"");
    assert_eq!(answer.unwrap_err(), HandshakeError::BareCarriageReturn);
}

#[test]
fn arguments_inject_no_line() {
    let request = || ClientRequest::new("h", "/").unwrap();
    let injected = "websocket\r\nX: y";
    assert!(request().with_field("Upgrade", injected).is_err());
    assert!(request().with_field("X", injected).is_err());
    assert!(request().with_field("X\r\nY", "z").is_err());
    assert!(request().with_origin(injected).is_err());
    assert!(request().with_subprotocol(injected).is_err());
    assert!(request().with_extension(injected).is_err());
    assert!(ClientRequest::new("h\r\nX: y", "/").is_err());
    assert!(ClientRequest::new("h", "/ HTTP/1.1\r\nX: y").is_err());
    assert!(ClientRequest::from_url("ws://h/\r\nX: y").is_err());
}

/// Lists on which regular expressions and naive searches took minutes.
#[test]
fn lists_in_a_head_take_no_search() {
    let config = Config::new().max_head_size(4 << 20).max_fields(usize::MAX);
    let spaces = format!("Sec-WebSocket-Protocol: a{}b\r\n", " ".repeat(1 << 18));
    assert_eq!(serve(&config, &spaces), Err(HandshakeError::MalformedSubprotocol));
    let names: Vec<_> = (0..100_000).map(|name| name.to_string()).collect();
    assert!(
        serve(
            &config,
            &format!("Sec-WebSocket-Protocol: {}\r\n", names.join(","))
        )
        .is_ok()
    );
    let quoted = format!("Sec-WebSocket-Extensions: a; b=\"{}\r\n", "\\\\".repeat(1 << 18));
    assert_eq!(serve(&config, &quoted), Err(HandshakeError::MalformedExtensions));
}

/// The server sends first, so its frames arrive with the 101; the client sends with its request.
#[test]
fn frames_that_came_with_the_head_are_kept() {
    let (answer, rest) = ask(&Config::new(), "", b"\x81\x02hi");
    let Ok(Some(Answer::Accepted { mut connection, .. })) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(drive(&mut connection, &rest, &[]).events, [text("hi")]);

    let mut bytes = [REQUEST.as_bytes(), b"\r\n", &server().incoming(0x81, b"hi")].concat();
    let (mut input, mut out) = (&mut bytes[..], Vec::new());
    let request = ServerHandshake::new(&Config::new()).receive(&mut input, &mut out);
    let mut connection = request
        .unwrap()
        .unwrap()
        .upgrade(&mut out)
        .unwrap()
        .accept(&mut out);
    assert_eq!(drive(&mut connection, input, &[]).events, [text("hi")]);
}

// ---- frames --------------------------------------------------------------------------------------------------------------

#[test]
fn declared_length_is_not_allocated() {
    for end in both_with(Config::new().max_message_size(u64::MAX)) {
        for first in [0x01, 0x82] {
            let mut wire = end.incoming_header(first, isize::MAX as u64);
            wire.push(b'x');
            let mut connection = end.open();
            let (_, heap) = measure(|| {
                let mut out = Vec::new();
                let result = connection.receive(&mut &mut wire[..], &mut out);
                assert!(matches!(result, Ok(None)));
            });
            assert!(heap.peak <= 64, "{heap:?}");
        }
    }
}

#[test]
fn lengths_of_64_bits_overflow_nothing() {
    for end in both_with(Config::new().max_message_size(u64::MAX)) {
        for len in [u64::MAX, u64::MAX - 13, 1 << 63] {
            let error = Error::Frame(Violation::LengthOutOfRange(len));
            end.receive(&end.incoming_header(0x82, len)).fails(error);
            // As the sum of two fragments.
            let wire = [end.incoming(0x02, b"x"), end.incoming_header(0x80, len)].concat();
            end.receive(&wire).fails(error);
        }
        // The largest length, in a fragment after another.
        let largest = i64::MAX as u64;
        let wire = [end.incoming(0x02, b"x"), end.incoming_header(0x80, largest)].concat();
        assert_eq!(
            end.receive(&wire).error.map(|error| error.close_code().0),
            Some(1009)
        );
    }
    // The frame of the report: ten bytes of length, all ones.
    let frame = b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xeb\x0e\x8f";
    let rules = Rules::new(websocket_proto::Role::Server);
    assert_eq!(Header::parse(frame, &rules), Err(Violation::FragmentedControl));
    server().receive(frame).fails_with(1002);
}

#[test]
fn empty_fragments_are_counted() {
    for end in both_with(Config::new().max_message_size(2000)) {
        let error = Error::TooManyEmptyFragments { limit: 2000 };
        let mut wire = end.incoming(0x01, b"");
        wire.extend(end.incoming(0x00, b"").repeat(5000));
        let mut connection = end.open();
        let ((), heap) = measure(|| {
            let mut out = Vec::with_capacity(200);
            let result = connection.receive(&mut &mut wire[..], &mut out).map(drop);
            assert_eq!(result, Err(error));
        });
        assert!(heap.peak <= 300, "{heap:?}");
    }
}

#[test]
fn small_fragments_take_the_memory_of_their_bytes() {
    for end in both() {
        let n = 100_000;
        let mut wire = end.incoming(0x02, b"");
        wire.extend(end.incoming(0x00, b"x").repeat(n));
        let mut connection = end.open();
        let ((), heap) = measure(|| {
            let result = connection.receive(&mut &mut wire[..], &mut Vec::new());
            assert!(matches!(result, Ok(None)));
        });
        assert!(heap.peak <= 2 * n as i64, "{heap:?}");
    }
}

#[test]
fn fragments_make_one_message_with_control_frames_between() {
    for end in both() {
        let frames: [(u8, &[u8]); 5] = [
            (0x01, b"hel"),
            (0x89, b""),
            (0x00, b"lo "),
            (0x8a, b"x"),
            (0x80, b"world"),
        ];
        end.receive_all(&frames)
            .succeeds()
            .sees(&[ping(b""), pong(b"x"), text("hello world")]);
        // The first one alone, and an empty first one.
        end.receive_all(&[(0x02, b"first"), (0x80, b"")])
            .succeeds()
            .sees(&[binary(b"first")]);
        end.receive_all(&[(0x02, b""), (0x80, b"last")])
            .succeeds()
            .sees(&[binary(b"last")]);
        // No message replaces another, and there is no continuation without a message.
        end.receive_all(&[(0x01, b"lost?"), (0x81, b"x")])
            .fails(Error::UnfinishedMessage);
        end.receive_all(&[(0x80, b"x")])
            .fails(Error::UnexpectedContinuation);
    }
}

#[test]
fn code_points_may_be_cut_anywhere() {
    for end in both() {
        let whole = "æ€😀".as_bytes();
        for cut in 0..=whole.len() {
            let (first, second) = whole.split_at(cut);
            // `receive_all` also splits every frame across reads.
            end.receive_all(&[(0x01, first), (0x80, second)])
                .succeeds()
                .sees(&[text("æ€😀")]);
            end.receive_all(&[(0x01, first), (0x89, b""), (0x00, b""), (0x80, second)])
                .succeeds()
                .sees(&[ping(b""), text("æ€😀")]);
        }
        // Truncated.
        for cut in [1, 3, 4, 6, 7, 8] {
            end.receive_all(&[(0x01, &whole[..cut]), (0x80, b"")])
                .fails(Error::InvalidUtf8);
        }
    }
}

#[test]
fn text_that_spans_reads_is_validated() {
    for end in both() {
        for wrong in [
            &b"\xff"[..],
            b"\xc0\x80",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"\xf0\x9f\x98",
        ] {
            // In one frame, which `receive_all` cuts by reads.
            let wrong = [b"before ", wrong, b" behind"].concat();
            end.receive_all(&[(0x81, &wrong)]).fails(Error::InvalidUtf8);
        }
    }
}

// ---- replies and the end ------------------------------------------------------------------------------------------------

/// A peer that sends but does not read.
#[test]
fn output_is_bounded_by_input() {
    for end in both() {
        // Each reply is as large as its frame, except for the masking key.
        let mut wire = end.incoming(0x89, b"").repeat(10_000);
        wire.extend(end.incoming(0x89, &[7; 125]).repeat(100));
        let (_, heap) = measure(|| drive(&mut end.open(), &wire, &[]).out.len());
        let run = drive(&mut end.open(), &wire, &[]);
        assert!(run.out.len() <= wire.len() + 4 * 10_100, "{}", run.out.len());
        assert_eq!(run.state, State::Open);
        assert!(heap.held == 0, "{heap:?}");
        // An error gets only one reply, even if more frames follow it.
        let run = end.receive(&[end.incoming(0x83, b""), wire].concat());
        assert!(run.out.len() <= 131, "{}", run.out.len());
    }
}

/// If the caller writes `out`, memory does not grow, because replies are not queued internally.
#[test]
fn pongs_are_not_queued() {
    for end in both() {
        let mut connection = end.open();
        let mut out = Vec::with_capacity(64);
        let (sent, answer) = (end.incoming(0x89, b"ping"), end.own(0x8a, b"ping"));
        let mut one = sent.clone();
        let ((), heap) = measure(|| {
            for _ in 0..100_000 {
                one.copy_from_slice(&sent);
                let event = connection.receive(&mut &mut one[..], &mut out);
                assert!(matches!(event, Ok(Some(_))));
                assert_eq!(out.len(), answer.len());
                out.clear();
            }
        });
        assert_eq!((heap.calls, heap.held), (0, 0), "{heap:?}");
    }
}

#[test]
fn nothing_passes_after_a_close() {
    for end in both() {
        let close = end.incoming(0x88, b"\x03\xe8");
        let more = end.all_incoming(&[(0x81, b"late"), (0x89, b""), (0x88, b""), (0x83, b"")]);
        let run = end.receive(&[&close[..], &more].concat());
        assert_eq!(
            (run.consumed, &run.events[..]),
            (close.len(), &[common::close(1000, "")][..])
        );
        assert_eq!(run.out, end.own(0x88, b"\x03\xe8"), "one answer, and no other");
        // Nor is a message sent after one.
        let (mut connection, mut out) = (end.open(), Vec::new());
        connection.close(None, "", &mut out).unwrap();
        let sent = out.len();
        assert_eq!(connection.send_text("late", &mut out), Err(Misuse::NotOpen));
        assert_eq!(connection.close(None, "", &mut out), Err(Misuse::NotOpen));
        assert_eq!(out.len(), sent);
    }
}

// ---- compression ---------------------------------------------------------------------------------------------------------

#[cfg(feature = "deflate")]
#[test]
fn window_bits_are_8_to_15() {
    use websocket_proto::deflate::DeflateConfig;
    let config = Config::new().deflate(DeflateConfig::new());
    let line = |value: &str| {
        format!("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits={value}\r\n")
    };
    for value in [
        "0",
        "7",
        "16",
        "1000",
        "99999999999999999999",
        "-9",
        "08",
        "8.",
        "\"\"",
    ] {
        let answer = ask(&config, &line(value), b"").0;
        assert!(answer.is_err(), "{value}: {answer:?}");
        // A server declines such an offer, and ignores or rejects what is not a list.
        let served = serve(&config, &line(value));
        assert!(
            served.is_err() || !served.unwrap().contains("permessage-deflate"),
            "{value}"
        );
    }
    for bits in 8..=15 {
        assert!(ask(&config, &line(&bits.to_string()), b"").0.is_ok());
        assert!(
            serve(&config, &line(&bits.to_string()))
                .unwrap()
                .contains("permessage-deflate")
        );
    }
}

/// A thousand bytes of output for one of input.
#[cfg(feature = "deflate")]
#[test]
fn inflating_is_limited_while_it_runs() {
    use websocket_proto::deflate::{Compressor, DeflateConfig, Parameters, Window};
    let limit = 100_000;
    let mut compressor = Compressor::new(Window::default(), &DeflateConfig::new()).unwrap();
    let mut bomb = Vec::new();
    compressor.compress(&vec![0; 50_000_000], &mut bomb);
    for end in both_with(Config::new().max_message_size(limit)) {
        let mut connection = end
            .open()
            .with_deflate(Parameters::default(), &DeflateConfig::new());
        let half = bomb.len() / 2;
        let mut wire = end.all_incoming(&[(0x42, &bomb[..half]), (0x80, &bomb[half..])]);
        let (result, heap) = measure(|| connection.receive(&mut &mut wire[..], &mut Vec::new()).map(drop));
        let size = limit + 1;
        assert_eq!(result, Err(Error::MessageTooBig { limit, size }));
        assert!(heap.peak <= 2 * limit as i64 + 200_000, "{heap:?}");
    }
}

// ---- rejections ----------------------------------------------------------------------------------------------------------

/// A client reads a small body, in few chunks, with extensions that never end.
#[test]
fn chunk_extensions_are_limited() {
    let head = b"HTTP/1.1 403 x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("1;{}\r\nx\r\n", "e".repeat(999));
    let limit = 16 * 1024;
    for endless in [
        format!("1;{}", "e".repeat(2 * limit)),
        chunk.repeat(2 * limit / 1000),
    ] {
        let read = bodies::read_body(&Config::new(), head, endless.as_bytes(), &[]);
        assert_eq!(
            read.result,
            Some(Err(BodyError::ChunkExtensionsTooLarge { limit }))
        );
        assert!(read.used <= limit + 10 * 17, "{}", read.used);
    }
}

// ---- faults of 2025 and 2026 ---------------------------------------------------------------------------------------------

/// If all frames had the same key, an attacker who chooses the data could choose the bytes on the wire (RFC 6455 section 10.3).
#[test]
fn each_frame_has_a_mask_key_of_its_own() {
    let mut drawn = 0_u32;
    let source = entropy::from_fn(move |key| {
        drawn += 1;
        key.copy_from_slice(&drawn.to_be_bytes());
    });
    let (mut client, mut out) = (Connection::client(&Config::new(), source), Vec::new());
    client.send_text("same", &mut out).unwrap();
    client.send_text("same", &mut out).unwrap();
    client
        .send_fragment(MessageKind::Text, b"same", Fin::More, &mut out)
        .unwrap();
    client
        .send_fragment(MessageKind::Text, b"same", Fin::Last, &mut out)
        .unwrap();
    let mut payload = *b"same";
    client
        .send_in_place(MessageKind::Binary, &mut payload, &mut out)
        .unwrap();
    out.extend(payload);
    client.send_prepared(&Prepared::text("same"), &mut out).unwrap();
    client.send_ping(b"same", &mut out).unwrap();
    client
        .receive(&mut &mut b"\x89\x04same".to_vec()[..], &mut out)
        .unwrap();
    client.close(None, "", &mut out).unwrap();
    let frames = strict::frames_of(Role::Client, &out);
    let keys: Vec<_> = frames.iter().map(|frame| frame.key.unwrap()).collect();
    let fresh: Vec<_> = (1..=9_u32).map(u32::to_be_bytes).collect();
    assert_eq!(keys, fresh);
}

/// If all of it were validated again with each fragment, two hundred thousand of them would take twenty thousand million steps.
#[test]
fn message_in_fragments_is_not_measured_again_with_each() {
    for end in both() {
        let n = 200_000;
        let mut wire = end.incoming(0x01, b"");
        wire.extend(end.incoming(0x00, b"x").repeat(n));
        wire.extend(end.incoming(0x80, b""));
        let (mut connection, mut out) = (end.open(), Vec::new());
        let mut input = &mut wire[..];
        let Ok(Some(Event::Text(text))) = connection.receive(&mut input, &mut out) else {
            panic!()
        };
        assert_eq!(text.len(), n);
    }
}

/// A read for each byte of a large frame. `linear.rs` counts the instructions; this test counts allocations.
#[test]
fn dribbled_read_takes_no_more_memory_and_no_search() {
    for end in both() {
        let n = 1 << 18;
        for first in [0x81, 0x82] {
            let mut wire = end.incoming(first, &vec![b'x'; n]);
            let (mut connection, mut out) = (end.open(), Vec::new());
            let ((), heap) = measure(|| {
                let (last, front) = wire.split_last_mut().unwrap();
                for byte in front {
                    let event = connection.receive(&mut std::slice::from_mut(byte), &mut out);
                    assert_eq!(event, Ok(None));
                }
                let event = connection.receive(&mut std::slice::from_mut(last), &mut out);
                assert!(matches!(event, Ok(Some(_))));
            });
            assert!(heap.calls <= 25 && heap.asked <= 2 * n as u64, "{heap:?}");
        }
    }
}

#[cfg(feature = "deflate")]
#[test]
fn rsv1_is_for_the_first_frame_of_a_message_alone() {
    use websocket_proto::deflate::{DeflateConfig, Parameters};
    let error = Error::Frame(Violation::ReservedBits(4));
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    for end in both() {
        for first in [0xc8, 0xc9, 0xca, 0xc0, 0x40] {
            let agreed = end
                .open()
                .with_deflate(Parameters::default(), &DeflateConfig::new());
            // Inside a message, compressed or not, and without any compression.
            for (mut connection, begin) in [(agreed, 0x42), (end.open(), 0x02)] {
                let wire = end.all_incoming(&[(begin, hello), (first, b"")]);
                let run = drive(&mut connection, &wire, &[]);
                assert_eq!((run.error, run.events), (Some(error), vec![]), "{first:x}");
            }
        }
    }
}

#[test]
fn nothing_is_inflated_that_was_not_agreed() {
    for end in both() {
        for first in [0xc1, 0xc2, 0x41] {
            let wire = end.incoming(first, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
            end.receive(&wire)
                .fails(Error::Frame(Violation::ReservedBits(4)))
                .sees(&[]);
        }
    }
    // Nor is it enabled by a response to no offer.
    let lines = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    assert!(ask(&Config::new(), lines, b"").0.is_err());
}

#[test]
fn unmasked_frame_is_not_handed_out_before_the_failure() {
    for delivery in [Delivery::Whole, Delivery::InPlace, Delivery::Chunks] {
        let end = server_with(Config::new().delivery(delivery));
        for wire in [
            &b"\x81\x05Hello"[..],
            b"\x82\x05Hello",
            b"\x01\x05Hello",
            b"\x89\x05Hello",
            b"\x88\x02\x03\xe8",
        ] {
            let error = Error::Frame(Violation::Unmasked);
            end.fails_at_byte(2, wire, error);
            let run = drive(&mut end.open(), wire, &[]);
            assert_eq!((run.unfinished.len(), run.events.len()), (0, 0));
        }
    }
}

#[test]
fn messages_before_a_bad_frame_are_handed_out() {
    for delivery in [Delivery::Whole, Delivery::Chunks] {
        for end in both_with(Config::new().delivery(delivery)) {
            for (bad, code) in [
                (end.incoming(0x83, b""), 1002),
                (end.incoming(0x81, b"\xff"), 1007),
            ] {
                let good = end.all_incoming(&[(0x81, b"one"), (0x89, b"p"), (0x02, b"tw"), (0x80, b"o")]);
                // `receive` splits it across reads at every place.
                let run = end.receive(&[good, bad].concat()).fails_with(code);
                run.sees(&[text("one"), ping(b"p"), binary(b"two")]);
            }
        }
    }
}

/// The text was not validated if its last fragment was empty, or if a read had split it.
#[test]
fn text_that_was_split_is_validated() {
    for delivery in [Delivery::Whole, Delivery::InPlace, Delivery::Chunks] {
        for end in both_with(Config::new().delivery(delivery)) {
            for bad in [&b"ab\xff"[..], b"ab\xe2\x82", b"ab\xed\xa0\x80"] {
                for frames in [
                    &[(0x81, bad)][..],
                    &[(0x01, bad), (0x80, b"")],
                    &[(0x01, b""), (0x00, bad), (0x00, b""), (0x80, b"")],
                ] {
                    let wire = end.all_incoming(frames);
                    for cut in 0..=wire.len() {
                        let (mut connection, mut out) = (end.open(), Vec::new());
                        let run = match delivery {
                            Delivery::InPlace => drive_held(&mut connection, &wire, &[cut]),
                            _ => drive(&mut connection, &wire, &[cut]),
                        };
                        assert_eq!(run.error, Some(Error::InvalidUtf8), "{bad:x?} at {cut}");
                        assert_eq!(run.events, []);
                        assert!(b"ab".starts_with(&run.unfinished[..]), "what is valid, in chunks");
                        assert_eq!(connection.send_text("", &mut out), Err(Misuse::NotOpen));
                    }
                }
            }
        }
    }
}

/// The size of one connection's compressed messages must not reveal another's text: the attack of RFC 7692 section 8, although the
/// secret is not in the attacker's own window.
///
/// An engine used by two connections alternately hashes the data that the first one left after the end of the second one's history.
/// The attacker has the server repeat words that end in a marker, and then the marker with each letter: the letter that follows the
/// marker in the secret is not found again, and takes one more byte.
// D47
#[cfg(feature = "deflate")]
#[test]
fn text_of_another_connection_cannot_be_read() {
    use websocket_proto::deflate::{Compressor, DeflateConfig, Window};
    const ALPHABET: &[u8; 16] = b"0123456789abcdef";
    let words: Vec<u8> = ALPHABET
        .iter()
        .flat_map(|&letter| [b'~', b'#', b'~', letter, b' '])
        .collect();
    let front = "a session of somebody, and much more than that. ".repeat(10);
    let mut read = Vec::new();
    for (bits, level) in [(12, 6), (15, 8)] {
        let (window, config) = (
            Window::new(bits).unwrap(),
            DeflateConfig::new().level(level).send_window_bits(bits),
        );
        let compressor = || Compressor::new(window, &config).unwrap();
        // The letter whose probe is the only one of its size.
        let stolen = |victim: &str, place: usize| {
            let bait = [&front.as_bytes()[..place - words.len() - 3], &words, b"~#~"].concat();
            let sizes = ALPHABET.map(|letter| {
                let (mut thief, mut out) = (compressor(), Vec::new());
                thief.compress(&bait, &mut out);
                compressor().compress(victim.as_bytes(), &mut out);
                out.clear();
                thief.compress(&[b'~', b'#', b'~', letter], &mut out);
                out.len()
            });
            let alone = |size: usize| sizes.iter().filter(|&&other| other == size).count() == 1;
            let found = ALPHABET.iter().zip(sizes).find(|&(_, size)| alone(size));
            found.map_or('?', |(&letter, _)| char::from(letter))
        };
        let steal = |token: &str| -> String {
            let victim = format!("{front}{token}, and what follows it");
            (front.len()..)
                .take(token.len())
                .map(|place| stolen(&victim, place))
                .collect()
        };
        let tokens = ["2b7e1516", "f0c1d9e8"];
        let found = tokens.map(steal);
        if found[0] != found[1] {
            read.push((bits, level, found));
        }
    }
    assert!(read.is_empty(), "{read:#?}");
}

// ---- the table -----------------------------------------------------------------------------------------------------------

/// `PAST_FAULTS.md` names exactly the tests in this file.
#[test]
fn table_and_tests_name_each_other() {
    let source = include_str!("past_faults.rs");
    let is_test = |(line, next): &(&str, &str)| *line == "#[test]" && next.starts_with("fn ");
    let lines = source.lines().zip(source.lines().skip(1));
    let name = |(_, next): (&'static str, &'static str)| next["fn ".len()..].split('(').next().unwrap();
    let mut tests: Vec<&str> = lines.filter(is_test).map(name).collect();
    tests.retain(|test| *test != "table_and_tests_name_each_other");
    let rows = include_str!("PAST_FAULTS.md")
        .lines()
        .filter(|line| line.starts_with("| "));
    let mut named = Vec::new();
    for row in rows.skip(1) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [fault, seen, test] = cells[..] else {
            panic!("three cells: {row}")
        };
        assert!(!fault.is_empty() && !seen.is_empty(), "{row}");
        named.push(
            test.strip_prefix("`past_faults::")
                .and_then(|test| test.strip_suffix('`'))
                .expect(row),
        );
    }
    assert_eq!(named, tests, "in the same order");
}
