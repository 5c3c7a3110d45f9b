//! Messages, fragments, Pings and Pongs (RFC 6455 sections 5.4 to 5.6 and 6), by role.
#![cfg(feature = "alloc")]

mod common;

use std::borrow::Cow;

use common::*;
use websocket_proto::{
    AutoPong, Config, Delivery, Error, Event, Fin, MessageKind, Payload, Prepared, Role, State, Text,
};

// RFC 6455 section 5.4: 6455-5.4-01, 6455-6.2-01
#[test]
fn server_receives_unfragmented_text() {
    server()
        .receive(&[0x81, 0x81, 0x37, 0xfa, 0x21, 0x3d, 0x56])
        .succeeds()
        .sends_nothing()
        .sees(&[text("a")]);
}

// RFC 6455 section 5.4: 6455-5.4-01, 6455-6.2-01
#[test]
fn client_receives_unfragmented_text() {
    client()
        .receive(&[0x81, 0x01, b'a'])
        .succeeds()
        .sends_nothing()
        .sees(&[text("a")]);
}

// RFC 6455 section 5.4: 6455-5.4-02
#[test]
fn both_receive_three_fragments_as_one_message() {
    for end in both() {
        end.receive_all(&[(0x01, b"a"), (0x00, b"b"), (0x80, b"c")])
            .succeeds()
            .sends_nothing()
            .sees(&[text("abc")]);
    }
}

// RFC 6455 section 5.4: 6455-5.4-03
#[test]
fn both_answer_a_ping_between_fragments_before_the_message() {
    for end in both() {
        end.receive_all(&[(0x01, b"a"), (0x89, b"p"), (0x8a, b"q"), (0x80, b"b")])
            .succeeds()
            .sees(&[ping(b"p"), pong(b"q"), text("ab")])
            .sends(&end.own(0x8a, b"p"));
    }
}

// RFC 6455 section 5.4: 6455-5.4-05, 6455-6.1-06
#[test]
fn both_send_fragments_in_order_with_only_control_frames_between() {
    for end in both() {
        let mut connection = end.open();
        let mut out = Vec::new();
        connection
            .send_fragment(MessageKind::Binary, b"1", Fin::More, &mut out)
            .unwrap();
        connection.send_ping(b"p", &mut out).unwrap();
        connection
            .send_fragment(MessageKind::Binary, b"2", Fin::More, &mut out)
            .unwrap();
        connection.send_pong(b"q", &mut out).unwrap();
        connection
            .send_fragment(MessageKind::Binary, b"3", Fin::Last, &mut out)
            .unwrap();
        let expected = [
            (0x02, b"1"),
            (0x89, b"p"),
            (0x00, b"2"),
            (0x8a, b"q"),
            (0x80, b"3"),
        ];
        let expected: Vec<u8> = expected
            .iter()
            .flat_map(|(first, payload)| end.own(*first, *payload))
            .collect();
        assert_eq!(out, expected);
    }
}

// RFC 6455 section 5.4: 6455-5.4-06
#[test]
fn both_fail_on_a_message_inside_another() {
    for end in both() {
        for (begun, next) in [
            (0x01, 0x81),
            (0x01, 0x82),
            (0x02, 0x82),
            (0x02, 0x81),
            (0x01, 0x01),
        ] {
            end.receive_all(&[(begun, b"a"), (next, b"b"), (0x80, b"c")])
                .fails(Error::UnfinishedMessage)
                .sees(&[]);
        }
    }
}

// RFC 6455 section 5.4: 6455-5.4-06, in its header, before the payload
#[test]
fn server_fails_on_a_message_inside_another_at_its_header() {
    let mut wire = server().incoming(0x01, b"a");
    wire.extend(server().incoming_header(0x81, 100));
    server().fails_at_byte(wire.len(), &wire, Error::UnfinishedMessage);
}

// RFC 6455 section 5.4: 6455-5.4-06, and no other length is the reason
#[test]
fn both_name_the_order_when_a_message_inside_another_is_too_big_as_well() {
    for end in both_with(Config::new().max_message_size(10)) {
        end.receive_all(&[(0x01, b"12345678"), (0x81, b"123")])
            .fails(Error::UnfinishedMessage);
        end.receive_all(&[(0x80, b"12345678901")])
            .fails(Error::UnexpectedContinuation);
    }
}

// RFC 6455 section 5.4: 6455-5.4-07
#[test]
fn both_fail_on_a_continuation_without_a_message() {
    for end in both() {
        for first in [0x00, 0x80] {
            end.receive_all(&[(first, b"x")])
                .fails(Error::UnexpectedContinuation)
                .sees(&[]);
            end.receive_all(&[(0x81, b"a"), (first, b"x")])
                .fails(Error::UnexpectedContinuation)
                .sees(&[text("a")]);
            end.receive_all(&[(0x01, b"a"), (0x80, b"b"), (first, b"x")])
                .fails(Error::UnexpectedContinuation)
                .sees(&[text("ab")]);
        }
    }
}

// RFC 6455 section 5.4: 6455-5.4-08, D18
#[test]
fn both_receive_empty_fragments() {
    for end in both() {
        end.receive_all(&[(0x01, b""), (0x00, b""), (0x80, b"")])
            .succeeds()
            .sees(&[text("")]);
        end.receive_all(&[(0x02, b""), (0x00, b"x"), (0x00, b""), (0x80, b"")])
            .succeeds()
            .sees(&[binary(b"x")]);
    }
}

// RFC 6455 section 5.4: 6455-5.4-09
#[test]
fn both_send_fragments_of_any_size() {
    for end in both() {
        let mut connection = end.open();
        let mut out = Vec::new();
        for (payload, fin) in [
            (&b""[..], Fin::More),
            (&[1; 200], Fin::More),
            (b"", Fin::More),
            (b"", Fin::Last),
        ] {
            connection
                .send_fragment(MessageKind::Binary, payload, fin, &mut out)
                .unwrap();
        }
        let expected = [
            end.own(0x02, b""),
            end.own(0x00, &[1; 200]),
            end.own(0x00, b""),
            end.own(0x80, b""),
        ];
        assert_eq!(out, expected.concat());
    }
}

// RFC 6455 section 5.4: 6455-5.4-10
#[test]
fn both_determine_the_type_of_a_message_by_its_first_fragment() {
    for end in both() {
        end.receive_all(&[(0x02, b"\xff"), (0x80, b"\xff")])
            .succeeds()
            .sees(&[binary(b"\xff\xff")]);
        end.receive_all(&[(0x01, b"\xc3"), (0x80, b"\xa9")])
            .succeeds()
            .sees(&[text("é")]);
    }
}

// RFC 6455 section 5.4: 6455-5.4-11
#[test]
fn both_answer_a_ping_between_two_fragments_that_they_send() {
    for end in both() {
        let mut connection = end.open();
        let mut out = Vec::new();
        connection
            .send_fragment(MessageKind::Text, b"a", Fin::More, &mut out)
            .unwrap();
        let mut wire = end.incoming(0x89, b"p");
        connection.receive(&mut &mut wire[..], &mut out).unwrap();
        connection
            .send_fragment(MessageKind::Text, b"b", Fin::Last, &mut out)
            .unwrap();
        let expected = [end.own(0x01, b"a"), end.own(0x8a, b"p"), end.own(0x80, b"b")];
        assert_eq!(out, expected.concat());
    }
}

// RFC 6455 section 5.5.2 and 5.5.3: 6455-5.5.2-01, 6455-5.5.3-01
#[test]
fn both_answer_a_ping_of_every_length_with_its_payload() {
    for end in both() {
        for len in 0..=125u8 {
            let payload: Vec<u8> = (0..len).map(|i| i ^ 0xf0).collect();
            let wire = end.incoming(0x89, &payload);
            let run = drive(&mut end.open(), &wire, &[]).succeeds();
            let cut: Vec<usize> = (1..wire.len()).collect();
            assert_eq!(run, drive(&mut end.open(), &wire, &cut));
            run.sees(&[ping(&payload)]).sends(&end.own(0x8a, &payload));
        }
    }
}

// RFC 6455 section 5.5.2: 6455-5.5.2-01
#[test]
fn both_leave_a_ping_after_the_peers_close_unanswered() {
    for end in both() {
        let run = end
            .receive_all(&[(0x88, b""), (0x89, b"x")])
            .sees(&[Seen::Close(None, "".into())])
            .sends(&end.own(0x88, b""));
        assert_eq!(run.consumed, end.incoming(0x88, b"").len());
    }
}

// RFC 6455 section 5.5.2: 6455-5.5.2-02
#[test]
fn both_send_pings_of_up_to_125_bytes() {
    for end in both() {
        for len in [0, 1, 125] {
            let mut out = Vec::new();
            end.open().send_ping(&vec![1; len], &mut out).unwrap();
            assert_eq!(out, end.own(0x89, &vec![1; len]));
        }
    }
}

// RFC 6455 section 5.5.3: 6455-5.5.3-03, 6455-5.5.3-04
#[test]
fn both_accept_an_unsolicited_pong_without_a_reply() {
    for end in both() {
        end.receive_all(&[(0x8a, b"x")])
            .succeeds()
            .sends_nothing()
            .sees(&[pong(b"x")]);
    }
}

// RFC 6455 section 5.5.2: `AutoPong::Off`
#[test]
fn both_leave_a_ping_to_the_caller_if_so_configured() {
    for end in both_with(Config::new().auto_pong(AutoPong::Off)) {
        let mut wire = end.incoming(0x89, b"x");
        let mut out = Vec::new();
        let mut connection = end.open();
        let event = connection.receive(&mut &mut wire[..], &mut out).unwrap();
        let Some(Event::Ping(payload)) = event else {
            panic!()
        };
        assert_eq!(out, b"");
        connection.send_pong(&payload, &mut out).unwrap();
        assert_eq!(out, end.own(0x8a, b"x"));
    }
}

// RFC 6455 section 5.6: 6455-5.6-01
#[test]
fn both_receive_text_whose_fragments_split_a_code_point() {
    for end in both() {
        end.receive_all(&[(0x01, b"\xe2\x82"), (0x80, b"\xac")])
            .succeeds()
            .sees(&[text("€")]);
    }
}

// RFC 6455 section 5.6: 6455-5.6-02
#[test]
fn both_receive_all_256_bytes_of_binary_unchanged() {
    let bytes: Vec<u8> = (0..=255).collect();
    for end in both() {
        end.receive_all(&[(0x82, &bytes)])
            .succeeds()
            .sees(&[binary(&bytes)]);
        end.receive_all(&[(0x02, &bytes), (0x80, &bytes)])
            .succeeds()
            .sees(&[binary(&[&bytes[..], &bytes].concat())]);
    }
}

// RFC 6455 section 6.1: 6455-6.1-02, 6455-6.1-03
#[test]
fn both_send_the_opcode_first_and_fin_last() {
    for end in both() {
        for kind in [MessageKind::Text, MessageKind::Binary] {
            let mut connection = end.open();
            let mut out = Vec::new();
            for fin in [Fin::More, Fin::More, Fin::Last, Fin::Last] {
                connection.send_fragment(kind, b"x", fin, &mut out).unwrap();
            }
            let frames = strict::frames_of(end.role, &out);
            let shape: Vec<_> = frames.iter().map(|frame| (frame.opcode, frame.fin)).collect();
            let opcode = kind.opcode().bits();
            assert_eq!(shape, [(opcode, false), (0, false), (0, true), (opcode, true)]);
        }
    }
}

// RFC 6455 section 6.2: 6455-6.2-01
#[test]
fn both_receive_events_in_wire_order_one_a_call() {
    for end in both() {
        let mut wire = end.all_incoming(&[(0x81, b"1"), (0x89, b"2"), (0x82, b"3"), (0x8a, b"4")]);
        let mut input = &mut wire[..];
        let mut connection = end.open();
        let mut out = Vec::new();
        let mut next = || connection.receive(&mut input, &mut out).unwrap().map(Seen::from);
        assert_eq!(next(), Some(text("1")));
        assert_eq!(next(), Some(ping(b"2")));
        assert_eq!(next(), Some(binary(b"3")));
        assert_eq!(next(), Some(pong(b"4")));
        assert_eq!(next(), None);
    }
}

// Contract, clause 1: a payload contained entirely in the input is borrowed, one received in parts is owned
#[test]
fn messages_are_borrowed_if_complete_in_the_input_and_owned_if_split() {
    for end in both() {
        let lent = |wire: &[u8], cut: usize| {
            let mut connection = end.open();
            let mut wire = wire.to_vec();
            let (mut front, mut back) = wire.split_at_mut(cut);
            let mut out = Vec::new();
            for input in [&mut front, &mut back] {
                match connection.receive(input, &mut out).unwrap() {
                    Some(Event::Text(text)) => return text.is_borrowed(),
                    Some(Event::Binary(bytes) | Event::Ping(bytes)) => return bytes.is_borrowed(),
                    _ => {}
                }
            }
            panic!("no message")
        };
        for first in [0x81, 0x82, 0x89] {
            let wire = end.incoming(first, b"message");
            let header = wire.len() - 7;
            assert!(lent(&wire, 0));
            for cut in 1..=header {
                assert!(lent(&wire, cut), "the payload lies whole in the second read");
            }
            for cut in header + 1..wire.len() {
                assert!(!lent(&wire, cut));
            }
        }
    }
}

// Contract, clause 1: the connection can be used while the event is held
#[test]
fn message_can_be_echoed_while_it_is_held() {
    for end in both() {
        let mut wire = end.all_incoming(&[(0x81, b"hi"), (0x82, b"ho")]);
        let mut input = &mut wire[..];
        let (mut connection, mut out) = (end.open(), Vec::new());
        let mut held = Vec::new();
        while let Some(event) = connection.receive(&mut input, &mut out).unwrap() {
            match &event {
                Event::Text(text) => connection.send_text(text, &mut out).unwrap(),
                Event::Binary(bytes) => connection.send_binary(bytes, &mut out).unwrap(),
                other => panic!("{other:?}"),
            }
            held.push(event);
        }
        assert_eq!(
            held,
            [
                Event::Text(Text::from("hi")),
                Event::Binary(Payload::from(&b"ho"[..]))
            ]
        );
        assert_eq!(out, [end.own(0x81, b"hi"), end.own(0x82, b"ho")].concat());
    }
}

// Contract, clause 2: `Ok(None)` if and only if the input is empty
#[test]
fn both_return_none_for_an_empty_input() {
    for end in both() {
        let (mut connection, mut out) = (end.open(), Vec::new());
        for _ in 0..3 {
            assert!(connection.receive(&mut &mut [][..], &mut out).unwrap().is_none());
        }
        assert_eq!((connection.state(), out.len()), (State::Open, 0));
    }
}

// Section 4 of the design: a message prepared once
#[test]
fn both_send_a_prepared_message_as_if_it_were_not() {
    for end in both() {
        for len in [0, 125, 126, 65_536] {
            let payload = "x".repeat(len);
            let mut out = Vec::new();
            let mut connection = end.open();
            connection
                .send_prepared(&Prepared::text(&payload), &mut out)
                .unwrap();
            connection
                .send_prepared(&Prepared::binary(payload.as_bytes()), &mut out)
                .unwrap();
            let expected = [
                end.own(0x81, payload.as_bytes()),
                end.own(0x82, payload.as_bytes()),
            ];
            assert!(out == expected.concat());
        }
    }
}

// Section 4 of the design: a message prepared once
#[test]
fn prepared_message_exposes_its_kind_and_payload() {
    let prepared = Prepared::binary(&[3; 126]);
    assert_eq!(prepared.kind(), MessageKind::Binary);
    assert_eq!(prepared.payload(), [3; 126]);
    assert_eq!(prepared.frame(), frame(0x82, None, &[3; 126]));
}

// `Delivery::InPlace`: a partial payload is not consumed, and the connection reports how long the input has to be
#[test]
fn in_place_leaves_a_partial_payload_in_the_input_and_reports_what_is_missing() {
    for end in both_with(Config::new().delivery(Delivery::InPlace)) {
        for (first, seen) in [
            (0x81, text("Hello")),
            (0x82, binary(b"Hello")),
            (0x8a, pong(b"Hello")),
        ] {
            let wire = end.incoming(first, b"Hello");
            let header = wire.len() - 5;
            let (mut connection, mut out) = (end.open(), Vec::new());
            let mut front = wire[..header + 2].to_vec();
            let mut input = &mut front[..];
            assert!(connection.receive(&mut input, &mut out).unwrap().is_none());
            assert_eq!((input.len(), connection.payload_remaining()), (2, 5));
            assert!(connection.receive(&mut input, &mut out).unwrap().is_none());
            assert_eq!(
                (input.len(), connection.payload_remaining()),
                (2, 5),
                "asking again changes nothing"
            );
            let mut whole = [&front[header..], &wire[header + 2..]].concat();
            let mut input = &mut whole[..];
            let event = connection.receive(&mut input, &mut out).unwrap().unwrap();
            let borrowed = match &event {
                Event::Text(text) => text.is_borrowed(),
                Event::Binary(bytes) | Event::Pong(bytes) => bytes.is_borrowed(),
                _ => false,
            };
            assert!(borrowed, "lent in place whatever the reads were");
            assert_eq!(Seen::from(event), seen);
            assert_eq!((input.len(), connection.payload_remaining()), (0, 0));
        }
    }
}

// RFC 6455 section 8.1: 6455-8.1-04, D16. `Delivery::InPlace`: a text is validated as it arrives
#[test]
fn in_place_text_fails_at_the_first_invalid_byte() {
    for end in both_with(Config::new().delivery(Delivery::InPlace)) {
        let wire = end.incoming(0x81, b"ab\xed\xa0\x80cd");
        let bad = wire.len() - 3;
        let every: Vec<usize> = (1..wire.len()).collect();
        for cuts in [&[][..], &every[..bad - 2]] {
            let run = drive_held(&mut end.open(), &wire[..bad - 1], cuts);
            assert_eq!((run.error, run.state), (None, State::Open));
            let cuts: Vec<usize> = cuts.iter().copied().chain([bad - 1]).collect();
            let run = drive_held(&mut end.open(), &wire[..bad], &cuts);
            assert_eq!(run.error, Some(Error::InvalidUtf8));
        }
    }
}

// `Delivery::InPlace`: each byte is unmasked once, wherever the reads end
#[test]
fn in_place_unmasks_each_byte_once() {
    let payload: Vec<u8> = (0..300).map(|i| (i % 128) as u8).collect();
    for end in both_with(Config::new().delivery(Delivery::InPlace)) {
        for (first, seen) in [
            (0x81, text(std::str::from_utf8(&payload).unwrap())),
            (0x82, binary(&payload)),
        ] {
            let wire = end.incoming(first, &payload);
            for cut in 0..wire.len() {
                let run = drive_held(&mut end.open(), &wire, &[cut, (cut + 7).min(wire.len())]);
                assert_eq!(run.events, std::slice::from_ref(&seen));
            }
        }
    }
}

// `Delivery::InPlace`: bytes that were validated are validated again, as the caller may have changed them
#[test]
fn in_place_validates_again_what_the_caller_could_change() {
    for end in both_with(Config::new().delivery(Delivery::InPlace)) {
        let (mut connection, mut out) = (end.open(), Vec::new());
        let mut wire = end.incoming(0x81, b"Hello");
        let (last, header) = (wire.len() - 1, wire.len() - 5);
        let mut input = &mut wire[..last];
        assert!(connection.receive(&mut input, &mut out).unwrap().is_none());
        assert_eq!(input, b"Hell");
        wire[header] = 0xff;
        let result = connection.receive(&mut &mut wire[header..], &mut out);
        assert_eq!(result, Err(Error::InvalidUtf8));
    }
}

// `Delivery::InPlace`: fragments are reassembled as always, and Pings between them get replies
#[test]
fn in_place_reassembles_fragments() {
    for end in both_with(Config::new().delivery(Delivery::InPlace)) {
        let wire = end.all_incoming(&[(0x01, b"ab"), (0x89, b"ping"), (0x80, b"cd"), (0x81, b"ef")]);
        for cut in 0..wire.len() {
            let run = drive_held(&mut end.open(), &wire, &[cut]);
            assert_eq!(run.events, [ping(b"ping"), text("abcd"), text("ef")]);
            assert_eq!((run.out, run.consumed), (end.own(0x8a, b"ping"), wire.len()));
        }
    }
}

// `Connection::payload_remaining` while nothing is held
#[test]
fn remaining_counts_the_payload_still_to_arrive() {
    for end in both() {
        let mut connection = end.open();
        assert_eq!(connection.payload_remaining(), 0);
        let mut wire = end.incoming_header(0x82, 1000);
        drive(&mut connection, &wire[..1], &[]);
        assert_eq!(connection.payload_remaining(), 0, "inside a header");
        drive(&mut connection, &wire[1..], &[]);
        assert_eq!(connection.payload_remaining(), 1000);
        wire.resize(400, 0);
        drive(&mut connection, &wire, &[]);
        assert_eq!(connection.payload_remaining(), 600);
    }
}

// `Connection::payload_remaining`: nothing more is expected after the end
#[test]
fn remaining_is_zero_after_the_end() {
    for end in both() {
        let mut connection = end.open();
        drive(&mut connection, &end.incoming(0x80, b"abc"), &[]).fails(Error::UnexpectedContinuation);
        assert_eq!(connection.payload_remaining(), 0, "after a failure");
        let mut connection = end.open();
        drive(&mut connection, &end.incoming_header(0x81, 3), &[]);
        connection.receive_eof();
        assert_eq!(
            connection.payload_remaining(),
            0,
            "after the end of the transport"
        );
    }
}

// `Connection::recycle`: the same buffer is used again
#[test]
fn recycled_buffer_is_used_for_the_next_message_in_pieces() {
    for end in both() {
        let (mut connection, mut out) = (end.open(), Vec::new());
        let mut receive = |first: u8| {
            let mut wire = end.all_incoming(&[(first, b"0123456789"), (0x80, b"abc")]);
            match connection.receive(&mut &mut wire[..], &mut out).unwrap() {
                Some(Event::Text(text)) => text.into_owned().into_bytes(),
                Some(Event::Binary(bytes)) => bytes.into_owned(),
                other => panic!("{other:?}"),
            }
        };
        let mut buffer = Vec::with_capacity(5000);
        buffer.extend(b"old");
        let place = buffer.as_ptr();
        let _ = receive(0x01);
        let mut connection = end.open();
        connection.recycle(buffer);
        connection.recycle(Vec::with_capacity(100)); // smaller, so it is not kept
        for first in [0x01, 0x02] {
            let mut wire = end.all_incoming(&[(first, b"0123456789"), (0x80, b"abc")]);
            let mut out = Vec::new();
            let bytes = match connection.receive(&mut &mut wire[..], &mut out).unwrap() {
                Some(Event::Text(text)) => text.into_owned().into_bytes(),
                Some(Event::Binary(bytes)) => bytes.into_owned(),
                other => panic!("{other:?}"),
            };
            assert_eq!(bytes, b"0123456789abc");
            assert_eq!(bytes.as_ptr(), place);
            connection.recycle(bytes);
        }
    }
}

// `Connection::recycle`: does not disturb a message in progress
#[test]
fn recycling_inside_a_message_does_no_harm() {
    for end in both() {
        let mut connection = end.open();
        drive(&mut connection, &end.incoming(0x01, b"ab"), &[]);
        connection.recycle(vec![1, 2, 3]);
        connection.recycle(String::from("text"));
        drive(&mut connection, &end.incoming(0x80, b"cd"), &[])
            .succeeds()
            .sees(&[text("abcd")]);
    }
}

// Payload and Text: common operations
#[test]
fn payloads_convert_and_never_print_their_content() {
    let payload = Payload::from(&b"secret"[..]);
    assert_eq!(format!("{payload:?}"), "Payload(6 bytes)");
    assert_eq!(Vec::from(payload.clone()), b"secret");
    assert_eq!(payload, Payload::from(b"secret".to_vec()));
    assert_eq!(payload.as_ref(), b"secret");
    assert_eq!(Cow::from(payload.clone()), Cow::Borrowed(b"secret"));
    assert!(matches!(Cow::from(Payload::from(vec![1])), Cow::Owned(_)));
    assert!(!Payload::from(vec![1]).is_borrowed());
    let text = Text::from("secret");
    assert_eq!(format!("{text:?}"), "Text(6 bytes)");
    assert_eq!(format!("{text:>8}"), "  secret");
    assert_eq!(text, Text::from(String::from("secret")));
    assert_eq!(Payload::from(text.clone()), payload);
    assert_eq!(Payload::from(Text::from(String::from("secret"))), payload);
    assert_eq!(Cow::from(text.clone()), Cow::Borrowed("secret"));
    assert!(matches!(Cow::from(Text::from(String::new())), Cow::Owned(_)));
    assert_eq!(AsRef::<str>::as_ref(&text), "secret");
    assert_eq!(String::from(text), "secret");
    assert!(!Text::from(String::new()).is_borrowed());
}

// A borrowed or owned value stays what it was
#[test]
fn payloads_convert_both_ways() {
    for bytes in [Cow::Borrowed(&b"abc"[..]), Cow::Owned(b"abc".to_vec())] {
        let is_borrowed = matches!(bytes, Cow::Borrowed(_));
        let payload = Payload::from(bytes);
        assert_eq!((payload.is_borrowed(), &*payload), (is_borrowed, &b"abc"[..]));
        let text = Text::try_from(payload).unwrap();
        assert_eq!((text.is_borrowed(), &*text), (is_borrowed, "abc"));
        let text = Text::from(Cow::from(text));
        assert_eq!((text.is_borrowed(), &*text), (is_borrowed, "abc"));
    }
    let payload = Payload::from(String::from("abc"));
    assert_eq!((payload.is_borrowed(), &*payload), (false, &b"abc"[..]));
    for payload in [Payload::from(b"a\xff"), Payload::from(vec![b'a', 0xff])] {
        assert_eq!(
            Text::try_from(payload),
            Err(websocket_proto::utf8::validate(b"\xff").unwrap_err())
        );
    }
    assert!(Payload::default().is_empty() && Payload::default().is_borrowed());
    assert!(Text::default().is_empty() && Text::default().is_borrowed());
}

// In both directions, whatever the other side is
#[test]
fn payloads_compare_by_content() {
    let (payload, text) = (Payload::from(b"abc"), Text::from("abc"));
    assert_eq!(payload, b"abc");
    assert_eq!(payload, vec![b'a', b'b', b'c']);
    assert_eq!(b"abc"[..], payload);
    assert_eq!(&b"abc"[..], payload);
    assert_eq!(*b"abc", payload);
    assert_eq!(b"abc".to_vec(), payload);
    assert_eq!(payload, text);
    assert_ne!(payload, b"abd");
    assert_ne!(b"abd"[..], payload);
    assert_ne!(&b"abd"[..], payload);
    assert_ne!(*b"abd", payload);
    assert_ne!(b"ab".to_vec(), payload);
    assert_eq!(text, "abc");
    assert_eq!(*"abc", text);
    assert_eq!("abc", text);
    assert_eq!(String::from("abc"), text);
    assert_eq!(AsRef::<[u8]>::as_ref(&text), b"abc");
    assert_ne!(String::from("abd"), text);
    assert_ne!(text, "abd");
    assert_ne!(*"abd", text);
    assert_ne!("abd", text);
}

// For a server in another task: both types can be sent between threads
#[test]
fn connection_is_send_and_sync() {
    fn is<T: Send + Sync>() {}
    is::<websocket_proto::Connection>();
    is::<Event<'static>>();
    is::<Error>();
    assert_eq!(server().open().role(), Role::Server);
    assert_eq!(client().open().role(), Role::Client);
}

// Contract, clause 1: borrowed values can be kept by converting them
#[test]
fn both_hand_out_events_that_can_be_kept() {
    for end in both()
        .into_iter()
        .chain(both_with(Config::new().delivery(Delivery::Chunks)))
    {
        for (first, payload) in [
            (0x81, &b"text"[..]),
            (0x82, b"\xff"),
            (0x89, b"ping"),
            (0x8a, b"pong"),
            (0x88, b"\x03\xe8bye"),
        ] {
            let mut connection = end.open();
            let mut wire = end.incoming(first, payload);
            let event = connection
                .receive(&mut &mut wire[..], &mut Vec::new())
                .unwrap()
                .unwrap();
            let lent = event.clone();
            let kept: Event<'static> = event.into_owned();
            assert_eq!(kept, lent);
        }
    }
}

// `Payload::as_slice`, `Text::as_str`: the same bytes, borrowed or owned
#[test]
fn payloads_and_texts_are_slices() {
    for content in ["", "a", "\u{20ac}uro"] {
        for (payload, text) in [
            (Payload::from(content.as_bytes()), Text::from(content)),
            (
                Payload::from(content.as_bytes().to_vec()),
                Text::from(content.to_owned()),
            ),
        ] {
            assert_eq!((payload.as_slice(), text.as_str()), (content.as_bytes(), content));
        }
    }
}

// Neither the peer's data nor the masking key is shown.
#[test]
fn debug_shows_no_payload() {
    for end in both() {
        let mut connection = end.open();
        for (first, payload) in [(0x01, &b"secret"[..]), (0x89, b"secret")] {
            let mut wire = end.incoming(first, payload);
            let cut = wire.len() - 1;
            let cut = if first == 0x89 { cut } else { cut + 1 };
            connection
                .receive(&mut &mut wire[..cut], &mut Vec::new())
                .unwrap();
        }
        let shown = format!("{connection:?} {:?}", Prepared::text("secret"));
        let bytes = format!("{:?}", b"secret");
        assert!(
            !shown.contains("secret") && !shown.contains(bytes.trim_matches(['[', ']'])),
            "{shown}"
        );
        assert!(shown.contains("Open") && shown.contains("6 bytes"), "{shown}");
    }
}
