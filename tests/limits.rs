//! Limits before memory (RFC 6455 section 10.4): decided on the header, over all fragments, for any size.
#![cfg(feature = "alloc")]

mod common;

use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use websocket_proto::{CloseCode, ClosedBy, Config, Delivery, Error, Event, Payload, State};

const LIMIT: u64 = 10;

fn limited() -> [End; 2] {
    both_with(Config::new().max_message_size(LIMIT))
}

fn too_big(size: u64) -> Error {
    Error::MessageTooBig { limit: LIMIT, size }
}

// RFC 6455 section 10.4: 6455-10.4-01, 6455-7.4.1-06
#[test]
fn both_accept_a_message_at_the_limit_and_fail_with_1009_over_it() {
    for end in limited() {
        for first in [0x81, 0x82] {
            let run = end.receive_all(&[(first, b"0123456789")]).succeeds();
            assert_eq!(run.events.len(), 1);
            end.receive_all(&[(first, b"0123456789a")])
                .fails(too_big(11))
                .fails_with(1009)
                .sees(&[]);
        }
    }
}

// RFC 6455 section 10.4: 6455-10.4-02, the default is finite
#[test]
fn both_limit_messages_to_a_mebibyte_by_default() {
    for end in both() {
        let wire = end.incoming(0x82, &vec![7; 1 << 20]);
        let run = drive(&mut end.open(), &wire, &[5000, 100_000]).succeeds();
        assert_eq!(run.events.len(), 1);
        let header = end.incoming_header(0x82, (1 << 20) + 1);
        drive(&mut end.open(), &header, &[]).fails(Error::MessageTooBig {
            limit: 1 << 20,
            size: (1 << 20) + 1,
        });
    }
}

// RFC 6455 section 10.4: 6455-10.4-02, D5: at the last byte of the length, before the masking key and the payload
#[test]
fn server_fails_on_a_length_over_the_limit_before_the_key() {
    let [server, client] = limited();
    server.fails_at_byte(2, &[0x82, 0x80 | 11, 1, 2, 3, 4], too_big(11));
    server.fails_at_byte(4, &[0x82, 0xfe, 0x01, 0x00, 1, 2, 3, 4], too_big(256));
    client.fails_at_byte(2, &[0x82, 11, 0], too_big(11));
    client.fails_at_byte(10, &[0x82, 0x7f, 0, 0, 0, 1, 0, 0, 0, 0], too_big(1 << 32));
}

// RFC 6455 section 10.4: 6455-10.4-01, 6455-10.4-03: the sum of all fragments
#[test]
fn both_count_all_fragments_of_a_message() {
    for end in limited() {
        for first in [0x01, 0x02] {
            let run = end.receive_all(&[(first, b"0123"), (0x00, b"4567"), (0x80, b"89")]);
            assert_eq!(run.succeeds().events.len(), 1);
            end.receive_all(&[(first, b"0123"), (0x00, b"4567"), (0x80, b"89a")])
                .fails(too_big(11))
                .sees(&[]);
            end.receive_all(&[(first, b"0123456789"), (0x00, b""), (0x80, b"")])
                .succeeds();
            end.receive_all(&[(first, b"0123456789"), (0x00, b""), (0x00, b"x")])
                .fails(too_big(11));
        }
    }
}

// RFC 6455 section 10.4: the buffered bytes of a split code point count as well
#[test]
fn both_count_the_bytes_of_a_split_code_point() {
    for end in limited() {
        end.receive_all(&[(0x01, b"1234567\xe2\x82"), (0x80, b"\xac")])
            .succeeds()
            .sees(&[text("1234567€")]);
        end.receive_all(&[(0x01, b"1234567\xe2\x82"), (0x80, b"\xac8")])
            .fails(too_big(11));
    }
}

// RFC 6455 section 10.4: 6455-10.4-01, in its header
#[test]
fn both_fail_on_the_fragment_that_passes_the_limit_at_its_header() {
    for end in limited() {
        let mut wire = end.incoming(0x01, b"01234567");
        let size = wire.len() + 2;
        wire.extend(end.incoming_header(0x80, 3));
        end.fails_at_byte(size, &wire, too_big(11));
    }
}

// RFC 6455 section 10.4: the sum of a huge length and of the bytes received does not wrap
#[test]
fn both_survive_a_fragment_of_2_to_the_63_less_1_after_another() {
    for end in both_with(Config::new().max_message_size(i64::MAX as u64)) {
        let mut wire = end.incoming(0x01, b"0");
        wire.extend(end.incoming_header(0x80, i64::MAX as u64));
        let run = drive(&mut end.open(), &wire, &[]);
        run.fails(Error::MessageTooBig {
            limit: isize::MAX as u64,
            size: 1 << 63,
        });
    }
}

// RFC 6455 section 10.4: the limit applies to each message separately
#[test]
fn both_apply_the_limit_to_each_message_separately() {
    for end in limited() {
        let run = end.receive_all(&[
            (0x01, b"01234567"),
            (0x89, b"not counted"),
            (0x80, b"89"),
            (0x82, b"0123456789"),
            (0x02, b"012345678"),
            (0x80, b"9"),
        ]);
        assert_eq!(run.succeeds().events.len(), 4);
    }
}

// RFC 6455 section 10.4: a limit of zero
#[test]
fn both_accept_empty_messages_under_a_limit_of_zero() {
    for end in both_with(Config::new().max_message_size(0)) {
        end.receive_all(&[(0x81, b""), (0x01, b""), (0x80, b"")])
            .succeeds()
            .sees(&[text(""), text("")]);
        end.receive_all(&[(0x82, b"x")])
            .fails(Error::MessageTooBig { limit: 0, size: 1 });
    }
}

// RFC 6455 section 10.4: the limit applies to received messages only
#[test]
fn both_send_more_than_they_receive() {
    for end in limited() {
        let mut out = Vec::new();
        end.open().send_binary(&[0; 1000], &mut out).unwrap();
        assert_eq!(out, end.own(0x82, &[0; 1000]));
    }
}

// RFC 6455 section 10.4: 6455-10.4-03, D18 (what they hold is in `allocations.rs`)
#[test]
fn both_accept_a_million_empty_fragments() {
    for end in both() {
        let mut wire = end.incoming(0x01, b"");
        let one = end.incoming(0x00, b"");
        for _ in 0..1_000_000 {
            wire.extend(&one);
        }
        wire.extend(end.incoming(0x80, b"x"));
        let run = drive(&mut end.open(), &wire, &[]);
        run.succeeds().sees(&[text("x")]);
    }
}

// RFC 6455 section 5.5.3: 6455-5.5.3-02: output is bounded by input, and nothing else is kept
#[test]
fn both_write_no_more_pongs_than_pings_received() {
    for end in both() {
        let one = end.incoming(0x89, b"x");
        let wire = one.repeat(10_000);
        let run = drive(&mut end.open(), &wire, &[]);
        assert_eq!(run.out.len(), 10_000 * end.own(0x8a, b"x").len());
        assert_eq!((run.events.len(), run.state), (10_000, State::Open));
    }
}

// RFC 6455 section 10.4: also with `Delivery::InPlace`
#[test]
fn both_check_the_limit_before_holding_in_place() {
    for end in both_with(Config::new().delivery(Delivery::InPlace).max_message_size(LIMIT)) {
        end.fails_at_byte(2, &end.incoming_header(0x81, 11), too_big(11));
        let wire = end.all_incoming(&[(0x01, b"01234567"), (0x80, b"89a")]);
        assert_eq!(drive_held(&mut end.open(), &wire, &[]).error, Some(too_big(11)));
    }
}

// RFC 6455 section 10.4: 6455-10.4-03; decision D18
#[test]
fn both_fail_on_more_empty_fragments_than_the_limit_has_bytes() {
    for (max, limit) in [(0, 1024), (1024, 1024), (5000, 5000)] {
        for end in both_with(Config::new().max_message_size(max)) {
            let mut connection = end.open();
            let mut wire = end.incoming(0x01, b"");
            for _ in 1..limit {
                wire.extend(end.incoming(0x00, b""));
            }
            let mut next = end.incoming(0x00, b"");
            let mut out = Vec::new();
            assert_eq!(connection.receive(&mut &mut wire[..], &mut out), Ok(None));
            assert_eq!(
                connection.receive(&mut &mut next[..], &mut out),
                Err(Error::TooManyEmptyFragments { limit })
            );
            assert_eq!(connection.receive_eof().code_sent(), Some(CloseCode::TOO_BIG));
        }
    }
}

// RFC 6455 section 10.4: 6455-10.4-03; decision D18
#[test]
fn both_count_the_empty_fragments_of_each_message_anew() {
    for end in both_with(Config::new().max_message_size(1024)) {
        let mut connection = end.open();
        for _ in 0..3 {
            let mut wire = end.incoming(0x02, b"");
            for _ in 1..1023 {
                wire.extend(end.incoming(0x00, b""));
            }
            wire.extend(end.incoming(0x80, b""));
            let event = connection.receive(&mut &mut wire[..], &mut Vec::new());
            assert_eq!(event, Ok(Some(Event::Binary(Payload::from(b"")))));
        }
    }
}

// ---- a limit that changes ------------------------------------------------------------------------------------------------

// RFC 6455 section 10.4: D75, small before the login, large after it, even if both arrive in one read
#[test]
fn limit_can_be_raised_between_messages() {
    for delivery in [Delivery::Whole, Delivery::InPlace, Delivery::Chunks] {
        for end in both_with(Config::new().delivery(delivery).max_message_size(LIMIT)) {
            let mut wire = end.all_incoming(&[(0x81, b"log in"), (0x81, &[b'x'; 1000])]);
            let (mut connection, mut out, mut events) = (end.open(), Vec::new(), Events::default());
            let mut input = &mut wire[..];
            events.take(connection.receive(&mut input, &mut out).unwrap().unwrap());
            connection.set_max_message_size(1000);
            events.take(connection.receive(&mut input, &mut out).unwrap().unwrap());
            assert_eq!(events.seen, [text("log in"), text(&"x".repeat(1000))]);
            let error = Error::MessageTooBig {
                limit: 1000,
                size: 1001,
            };
            drive(&mut connection, &end.incoming_header(0x82, 1001), &[]).fails(error);
        }
    }
}

// RFC 6455 section 10.4: D75, inside a message: both received bytes and the length declared by its header count
#[test]
fn limit_can_be_changed_inside_a_message() {
    for delivery in [Delivery::Whole, Delivery::Chunks] {
        for end in both_with(Config::new().delivery(delivery).max_message_size(LIMIT)) {
            let fails = |first: u8, limit: u64, size: u64| {
                let (mut connection, mut out) = (end.open(), Vec::new());
                let mut wire = [end.incoming_header(first, 8), b"01234".to_vec()].concat();
                let mut input = &mut wire[..];
                while let Some(event) = connection.receive(&mut input, &mut out).unwrap() {
                    drop(event);
                }
                connection.set_max_message_size(limit);
                assert_eq!(
                    (connection.state(), out.len()),
                    (State::Open, 0),
                    "told by the next call"
                );
                let error = Error::MessageTooBig { limit, size };
                drive(&mut connection, b"567", &[]).fails(error).sees(&[]);
                assert_eq!(connection.receive_eof().by(), ClosedBy::Failure(error));
            };
            fails(0x82, 7, 8);
            fails(0x02, 4, 8);
            fails(0x82, 0, 8);
            // Raised, and lowered to what there is.
            for (limit, last) in [(8, &b""[..]), (11, b"89a")] {
                let (mut connection, mut wire) = (end.open(), end.incoming(0x02, b"01234567"));
                let (mut events, mut out) = (Events::default(), Vec::new());
                let (front, back) = wire.split_at_mut(6);
                for (mut input, limit) in [(front, limit), (back, limit)] {
                    while let Some(event) = connection.receive(&mut input, &mut out).unwrap() {
                        events.take(event);
                    }
                    connection.set_max_message_size(limit);
                }
                let mut wire = end.all_incoming(&[(0x89, b"a ping does not count"), (0x80, last)]);
                let mut input = &mut wire[..];
                while let Some(event) = connection.receive(&mut input, &mut out).unwrap() {
                    events.take(event);
                }
                let whole = [&b"01234567"[..], last].concat();
                assert_eq!(events.seen, [ping(b"a ping does not count"), binary(&whole)]);
            }
        }
    }
}

// RFC 6455 section 10.4: D75, a closed connection stays as it is, and the halves have it too
#[test]
fn changed_limit_has_no_effect_after_the_end() {
    for end in both() {
        let mut connection = end.open();
        let run = drive(&mut connection, &end.incoming(0x83, b""), &[]);
        connection.set_max_message_size(0);
        let error = connection.receive(&mut &mut [][..], &mut Vec::new()).unwrap_err();
        assert_eq!(Some(error), run.error);

        let (mut receiver, _) = end.open().split();
        receiver.set_max_message_size(1);
        let mut wire = end.incoming(0x82, b"12");
        let (result, _) = receiver.receive(&mut &mut wire[..]);
        assert_eq!(result, Err(Error::MessageTooBig { limit: 1, size: 2 }));
    }
}

/// What a peer sends: binary messages in fragments, Pings between them.
fn fragments() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let size = prop_oneof![4 => 0..20usize, 1 => 100..300usize];
    let message = (vec(size, 1..4), any::<bool>()).prop_map(|(sizes, pings)| {
        let mut frames = Vec::new();
        for (i, size) in sizes.iter().enumerate() {
            let opcode = if i == 0 { 0x02 } else { 0x00 };
            let fin = if i + 1 == sizes.len() { 0x80 } else { 0 };
            frames.push((opcode | fin, vec![i as u8; *size]));
            if pings {
                frames.push((0x89, b"ping".to_vec()));
            }
        }
        frames
    });
    vec(message, 1..5).prop_map(|messages| messages.concat())
}

/// Predicts from the headers at which byte the limits, each of which applies from its place on, fail the stream, and with which size.
fn oracle(wire: &[u8], limits: &[(usize, u64)]) -> Option<(usize, u64, u64)> {
    // Each data frame: where its length is known, where its header ends, where it ends; the message up to its end.
    let (mut frames, mut at, mut size) = (Vec::new(), 0, 0);
    while let Some((frame, len, _)) = naive::split(&wire[at..]) {
        if frame.opcode & 8 == 0 {
            let (_, _, known) = naive::length(&wire[at..]).unwrap();
            let header = naive::header_size(&wire[at..]).unwrap();
            let announced = size + frame.payload.len() as u64;
            size = if frame.fin { 0 } else { announced };
            frames.push((at + known, at + header, at + len, announced, frame.fin));
        }
        at += len;
    }
    let mut limits = limits.iter().copied().peekable();
    let mut limit = u64::MAX;
    for came in 0..=wire.len() {
        // After this many bytes, a header may be complete up to its length. It is parsed again with each byte of the key.
        for (known, header, _, announced, _) in &frames {
            if came > 0 && (*known..=*header).contains(&came) && *announced > limit {
                return Some((came, limit, *announced));
            }
        }
        while let Some((_, new)) = limits.next_if(|(place, _)| *place == came) {
            limit = new;
            // A changed limit applies to the last frame whose header is complete, unless it has ended its message.
            let begun = frames.iter().rev().find(|(_, header, ..)| *header <= came);
            if let Some((_, _, end, announced, fin)) = begun {
                if (*end > came || !fin) && *announced > limit {
                    return Some((came, limit, *announced));
                }
            }
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // RFC 6455 section 10.4: D75: for every delivery, at every place between two reads
    #[test]
    fn changed_limit_applies_as_the_headers_predict(
        frames in fragments(),
        shares in vec(any::<u8>(), 0..6),
        limits in vec(prop_oneof![3 => 0..60u64, 2 => 200..900u64, 1 => Just(u64::MAX)], 7),
    ) {
        for delivery in [Delivery::Whole, Delivery::InPlace, Delivery::Chunks] {
            for end in both_with(Config::new().delivery(delivery)) {
                let frames: Vec<_> = frames.iter().map(|(first, payload)| (*first, &payload[..])).collect();
                let wire = end.all_incoming(&frames);
                let mut places = vec![0];
                places.extend(cuts(&shares, wire.len()));
                let schedule: Vec<_> = places.iter().copied().zip(limits.iter().copied()).collect();
                let expected = oracle(&wire, &schedule);

                let (mut connection, mut out, mut events) = (end.open(), Vec::new(), Events::default());
                let (mut buffer, mut found) = (Vec::new(), None);
                for (i, (place, limit)) in schedule.iter().enumerate() {
                    connection.set_max_message_size(*limit);
                    let next = places.get(i + 1).copied().unwrap_or(wire.len());
                    buffer.extend(&wire[*place..next]);
                    let mut input = &mut buffer[..];
                    while found.is_none() {
                        match connection.receive(&mut input, &mut out) {
                            Ok(Some(event)) => events.take(event),
                            Ok(None) => break,
                            Err(error) => found = Some(error),
                        }
                    }
                    let left = input.len();
                    buffer.drain(..buffer.len() - left);
                }
                let clamped = |limit: u64| match delivery {
                    Delivery::Chunks => limit,
                    _ => limit.min(isize::MAX as u64),
                };
                let error = expected.map(|(_, limit, size)| Error::MessageTooBig { limit: clamped(limit), size });
                prop_assert_eq!(found, error, "{:?}", delivery);
                // Messages that were complete before the error are delivered.
                let before = &wire[..expected.map_or(wire.len(), |(came, ..)| came)];
                let rules = naive::Rules::strict(end.role, u64::MAX);
                prop_assert_eq!(&events.seen, &naive::receive(&rules, before).events);
            }
        }
    }
}
