//! UTF-8 of messages (RFC 6455 section 8), and its incremental validator.
#![cfg(feature = "alloc")]

mod common;

use common::*;
use std::collections::HashSet;
use websocket_proto::utf8::{InvalidUtf8, Validator, validate};
use websocket_proto::{Error, State};

// RFC 6455 section 8.1: 6455-8.1-01
#[test]
fn server_fails_with_1007_on_text_that_is_not_utf8() {
    server()
        .receive(&[0x81, 0x81, 0, 0, 0, 0, 0xff])
        .fails_with(1007)
        .sees(&[]);
}

// RFC 6455 section 8.1: 6455-8.1-01
#[test]
fn client_fails_with_1007_on_text_that_is_not_utf8() {
    client().receive(&[0x81, 0x01, 0xff]).fails_with(1007).sees(&[]);
}

// RFC 6455 section 8.1: 6455-8.1-02
#[test]
fn both_refuse_what_rfc_3629_excludes() {
    let bad: [&[u8]; 14] = [
        b"\xc0\xaf",             // overlong
        b"\xc1\xbf",             // overlong
        b"\xe0\x80\xaf",         // overlong
        b"\xe0\x9f\xbf",         // overlong
        b"\xf0\x80\x80\xaf",     // overlong
        b"\xf0\x8f\xbf\xbf",     // overlong
        b"\xed\xa0\x80",         // surrogate
        b"\xed\xbf\xbf",         // surrogate
        b"\xf4\x90\x80\x80",     // over U+10FFFF
        b"\xf5\x80\x80\x80",     // over U+10FFFF
        b"\xf8\x88\x80\x80\x80", // five bytes
        b"\xfc\x84\x80\x80\x80\x80",
        b"\x80",     // no first byte
        b"\xfe\xff", // never
    ];
    for end in both() {
        for bytes in bad {
            end.receive_all(&[(0x81, bytes)]).fails(Error::InvalidUtf8);
            let long = [&[b'x'; 200], bytes, &[b'y'; 200]].concat();
            let run = drive(&mut end.open(), &end.incoming(0x81, &long), &[]);
            run.fails(Error::InvalidUtf8);
        }
    }
}

// RFC 6455 section 8.1: 6455-8.1-02
#[test]
fn both_accept_the_boundary_code_points_of_rfc_3629() {
    for end in both() {
        for char in [
            '\0',
            '\u{7f}',
            '\u{80}',
            '\u{7ff}',
            '\u{800}',
            '\u{d7ff}',
            '\u{e000}',
            '\u{feff}',
            '\u{fffe}',
            '\u{ffff}',
            '\u{10000}',
            '\u{10ffff}',
        ] {
            let string = char.to_string();
            end.receive_all(&[(0x81, string.as_bytes())])
                .succeeds()
                .sees(&[text(&string)]);
        }
    }
}

// RFC 6455 section 8.1: 6455-8.1-03
#[test]
fn both_fail_on_text_that_ends_inside_a_code_point() {
    for end in both() {
        for bytes in [&b"\xe2\x82"[..], b"a\xc3", b"\xf0\x9f\x98"] {
            end.receive_all(&[(0x81, bytes)]).fails(Error::InvalidUtf8);
            end.receive_all(&[(0x01, bytes), (0x80, b"")])
                .fails(Error::InvalidUtf8);
        }
    }
}

// RFC 6455 section 8.1: 6455-8.1-04, D16, D45
#[test]
fn both_fail_on_a_fragment_before_the_message_is_complete() {
    for end in both() {
        let wire = end.incoming(0x01, b"ab\xff");
        end.fails_at_byte(wire.len(), &wire, Error::InvalidUtf8);
    }
}

// RFC 6455 section 8.1: 6455-8.1-04, D16
#[test]
fn both_fail_on_the_first_payload_byte_of_a_text_of_a_mebibyte() {
    for end in both() {
        let mut wire = end.incoming_header(0x81, 1 << 20);
        let bad = 0xff ^ if wire[1] & 0x80 != 0 { KEY[0] } else { 0 };
        wire.push(bad);
        end.fails_at_byte(wire.len(), &wire, Error::InvalidUtf8);
    }
}

// RFC 6455 section 8.1: 6455-8.1-04, the first byte that makes the text invalid
#[test]
fn both_fail_on_the_second_byte_of_a_surrogate() {
    for end in both() {
        let wire = end.incoming(0x81, b"ab\xed\xa0\x80cd");
        let bad = wire.len() - 3;
        let mut connection = end.open();
        let every: Vec<usize> = (1..bad).collect();
        let run = drive(&mut connection, &wire[..bad - 1], &every[..bad - 2]);
        assert_eq!(run.error, None);
        drive(&mut connection, &wire[bad - 1..], &[1]).fails(Error::InvalidUtf8);
    }
}

// RFC 6455 section 8.1: D45, a Close after invalid text does not hide it
#[test]
fn both_fail_on_bad_text_though_a_close_follows_in_the_same_read() {
    for end in both() {
        end.receive_all(&[(0x81, b"\xff"), (0x88, b"\x03\xe8")])
            .fails_with(1007)
            .sees(&[]);
    }
}

// RFC 6455 section 8.1: 6455-8.1-06
#[test]
fn both_carry_a_split_code_point_across_a_ping() {
    for end in both() {
        end.receive_all(&[(0x01, b"\xe2"), (0x89, b"\xff"), (0x80, b"\x82\xac")])
            .succeeds()
            .sees(&[ping(b"\xff"), text("€")]);
        end.receive_all(&[
            (0x01, b"\xf0"),
            (0x00, b"\x9f"),
            (0x00, b""),
            (0x00, b"\x98"),
            (0x80, b"\x80"),
        ])
        .succeeds()
        .sees(&[text("😀")]);
    }
}

// RFC 6455 section 8.1: 6455-8.1-06, reset for each message
#[test]
fn both_begin_each_message_afresh() {
    for end in both() {
        end.receive_all(&[(0x01, b"a"), (0x80, b"b"), (0x01, b"\xc3"), (0x80, b"\xa9")])
            .succeeds()
            .sees(&[text("ab"), text("é")]);
        end.receive_all(&[(0x02, b"\xe2"), (0x80, b"\x82"), (0x81, b"\xac")])
            .fails(Error::InvalidUtf8)
            .sees(&[binary(b"\xe2\x82")]);
    }
}

// RFC 6455 section 5.6: 6455-5.6-02
#[test]
fn binary_pings_and_pongs_need_not_be_utf8() {
    for end in both() {
        let run = end.receive_all(&[(0x82, b"\xff"), (0x89, b"\xc0"), (0x8a, b"\xed\xa0\x80")]);
        assert_eq!((run.events.len(), run.state), (3, State::Open));
    }
}

// RFC 6455 section 8.1: 6455-8.1-05, every sequence of up to three bytes, and four around each border
#[test]
fn validator_agrees_with_the_grammar_on_all_short_sequences() {
    let interesting: Vec<u8> = [
        0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
        0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff,
    ]
    .into();
    let check = |bytes: &[u8]| {
        let expected = naive::utf8(bytes);
        let mut utf8 = Validator::new();
        let pushed = bytes.iter().try_for_each(|byte| utf8.push(&[*byte]).map(|_| ()));
        let found = match (pushed, utf8.finish()) {
            (Err(InvalidUtf8 { .. }), _) => naive::Utf8::Invalid,
            (Ok(()), Err(_)) => naive::Utf8::Cut,
            (Ok(()), Ok(())) => naive::Utf8::Valid,
        };
        assert_eq!(found, expected, "{bytes:02x?} byte by byte");
        let mut utf8 = Validator::new();
        let whole = utf8.push(bytes).is_ok() && utf8.finish().is_ok();
        assert_eq!(whole, expected == naive::Utf8::Valid, "{bytes:02x?} whole");
        assert_eq!(validate(bytes).is_ok(), whole);
        assert_eq!(core::str::from_utf8(bytes).is_ok(), whole);
    };
    for a in 0..=255 {
        check(&[a]);
        for b in 0..=255 {
            check(&[a, b]);
        }
    }
    for &a in &interesting {
        for &b in &interesting {
            for &c in &interesting {
                check(&[a, b, c]);
                if a >= 0xe0 {
                    for &d in &interesting {
                        check(&[a, b, c, d]);
                    }
                }
            }
        }
    }
}

// RFC 6455 section 8.1: 6455-8.1-04; the oracle itself: "cut" means that some code point begins with this
#[test]
fn oracle_accepts_exactly_the_prefixes_of_code_points() {
    let mut fronts = HashSet::new();
    for char in '\u{80}'..=char::MAX {
        let mut bytes = [0; 4];
        let bytes = char.encode_utf8(&mut bytes).as_bytes();
        // One of 64 is enough: the last byte takes every value.
        if bytes[bytes.len() - 1] == 0x80 {
            for size in 1..bytes.len() {
                let mut front = [0; 3];
                front[..size].copy_from_slice(&bytes[..size]);
                fronts.insert((size, front));
            }
        }
    }
    for a in 0x80..=255 {
        let cut = naive::utf8(&[a]) == naive::Utf8::Cut;
        assert_eq!(cut, fronts.contains(&(1, [a, 0, 0])), "{a:#x}");
        for b in 0..=255 {
            let cut = naive::utf8(&[a, b]) == naive::Utf8::Cut;
            let known = fronts.contains(&(2, [a, b, 0]));
            let own = fronts.contains(&(1, [b, 0, 0])) && naive::utf8(&[a]) == naive::Utf8::Valid;
            assert_eq!(cut, known || own, "{a:#x} {b:#x}");
        }
    }
}

// RFC 6455 section 8.1: 6455-8.1-07, each piece of output consists of complete code points and borrows from the input
#[test]
fn validator_hands_out_each_byte_once_and_carries_three_at_most() {
    let source = "aé€😀 €é".repeat(3);
    for size in 1..source.len() {
        let (mut utf8, mut found) = (Validator::new(), String::new());
        for piece in source.as_bytes().chunks(size) {
            let (char, rest) = utf8.push(piece).unwrap();
            found.extend(char);
            found.push_str(rest);
            assert!(utf8.carried() <= 3);
        }
        utf8.finish().unwrap();
        assert_eq!(found, source);
    }
}

// RFC 6455 section 8.1: an empty piece changes nothing
#[test]
fn validator_accepts_empty_pieces_anywhere() {
    let mut utf8 = Validator::new();
    for byte in "€".as_bytes() {
        assert_eq!(utf8.push(b""), Ok((None, "")));
        let _ = utf8.push(&[*byte]).unwrap();
    }
    assert_eq!((utf8.push(b""), utf8.carried()), (Ok((None, "")), 0));
    assert_eq!(utf8.finish(), Ok(()));
}
