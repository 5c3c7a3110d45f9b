//! Limits before memory (RFC 6455 section 10.4): decided on the header, over all fragments, for any size.
#![cfg(feature = "alloc")]

mod common;

use common::*;
use websocket_proto::{CloseCode, Config, Delivery, Error, Event, Payload, State};

const LIMIT: u64 = 10;

fn limited() -> [End; 2] {
    both_with(Config::new().max_message_size(LIMIT))
}

fn too_big(size: u64) -> Error {
    Error::MessageTooBig { limit: LIMIT, size }
}

// RFC 6455 section 10.4: 6455-10.4-01, 6455-7.4.1-06
#[test]
fn both_take_a_message_at_the_limit_and_fail_with_1009_over_it() {
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

// RFC 6455 section 10.4: the carried bytes of a cut code point count as well
#[test]
fn both_count_the_bytes_of_a_cut_code_point() {
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

// RFC 6455 section 10.4: the sum of a huge length and of what came does not wrap
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

// RFC 6455 section 10.4: each message has the whole limit to itself
#[test]
fn both_begin_each_message_with_the_whole_limit() {
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

// RFC 6455 section 10.4: a limit of nothing
#[test]
fn both_take_empty_messages_under_a_limit_of_zero() {
    for end in both_with(Config::new().max_message_size(0)) {
        end.receive_all(&[(0x81, b""), (0x01, b""), (0x80, b"")])
            .succeeds()
            .sees(&[text(""), text("")]);
        end.receive_all(&[(0x82, b"x")])
            .fails(Error::MessageTooBig { limit: 0, size: 1 });
    }
}

// RFC 6455 section 10.4: the limit is for what is received
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
fn both_take_a_million_empty_fragments() {
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

// RFC 6455 section 5.5.3: 6455-5.5.3-02: output is bounded by input, with nothing kept besides
#[test]
fn both_write_no_more_pongs_than_pings_came() {
    for end in both() {
        let one = end.incoming(0x89, b"x");
        let wire = one.repeat(10_000);
        let run = drive(&mut end.open(), &wire, &[]);
        assert_eq!(run.out.len(), 10_000 * end.own(0x8a, b"x").len());
        assert_eq!((run.events.len(), run.state), (10_000, State::Open));
    }
}

// RFC 6455 section 10.4: under `hold` as well
#[test]
fn both_check_the_limit_before_they_hold() {
    for end in both_with(Config::new().delivery(Delivery::Held).max_message_size(LIMIT)) {
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
