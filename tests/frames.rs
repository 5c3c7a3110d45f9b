//! Frames and masking (RFC 6455 sections 5.1 to 5.3, 5.7) and the form of control frames (section 5.5), by role.
#![cfg(feature = "alloc")]

mod common;

use common::*;
use websocket_proto::frame::{Decoder, Header, Item, OpCode, Rules, Violation};
use websocket_proto::{CloseCode, Config, Connection, Error, Fin, MessageKind, Role, entropy};

// RFC 6455 section 5.1: 6455-5.1-01, 6455-6.1-04
#[test]
fn client_masks_every_frame_it_sends() {
    let mut connection = client().open();
    let mut out = Vec::new();
    connection.send_text("", &mut out).unwrap();
    connection.send_binary(b"ab", &mut out).unwrap();
    connection
        .send_fragment(MessageKind::Text, b"", Fin::More, &mut out)
        .unwrap();
    connection
        .send_fragment(MessageKind::Text, b"", Fin::Last, &mut out)
        .unwrap();
    connection.send_ping(b"", &mut out).unwrap();
    connection.send_pong(b"", &mut out).unwrap();
    connection.close(None, "", &mut out).unwrap();
    let frames = strict::frames_of(Role::Client, &out);
    assert!(frames.iter().all(|frame| frame.key == Some(KEY)));
    assert_eq!(frames.len(), 7);
}

// RFC 6455 section 5.1: 6455-5.1-01
#[test]
fn client_sends_an_empty_ping_in_six_bytes() {
    let mut out = Vec::new();
    client().open().send_ping(b"", &mut out).unwrap();
    assert_eq!(out, [0x89, 0x80, 0x37, 0xfa, 0x21, 0x3d]);
}

// RFC 6455 section 5.1: 6455-5.1-01
#[test]
fn client_masks_its_replies() {
    client().receive(&[0x89, 0x01, b'x', 0x88, 0x00]).sends(&[
        0x8a,
        0x81,
        0x37,
        0xfa,
        0x21,
        0x3d,
        b'x' ^ 0x37,
        0x88,
        0x80,
        0x37,
        0xfa,
        0x21,
        0x3d,
    ]);
}

// RFC 6455 section 5.1: 6455-5.1-02, D1
#[test]
fn server_fails_on_unmasked_text_at_its_second_byte() {
    server().fails_at_byte(2, &[0x81, 0x02, 0x68, 0x69], Error::Frame(Violation::Unmasked));
}

// RFC 6455 section 5.1: 6455-5.1-02, D1
#[test]
fn server_fails_on_unmasked_empty_ping_at_its_second_byte() {
    server().fails_at_byte(2, &[0x89, 0x00], Error::Frame(Violation::Unmasked));
}

// RFC 6455 section 5.1: D1, the leniency
#[test]
fn server_accepts_masked_and_unmasked_frames_with_the_leniency() {
    server_with(Config::new().accept_unmasked(true))
        .receive(&[
            0x81,
            0x02,
            0x68,
            0x69,
            0x81,
            0x81,
            1,
            2,
            3,
            4,
            b'a' ^ 1,
            0x89,
            0x00,
        ])
        .succeeds()
        .sees(&[text("hi"), text("a"), ping(b"")]);
}

// RFC 6455 section 5.1: D1, the leniency is for servers only
#[test]
fn client_rejects_masked_frames_with_the_leniency_for_unmasked_ones() {
    client_with(Config::new().accept_unmasked(true)).fails_at_byte(
        2,
        &[0x81, 0x80, 0, 0, 0, 0],
        Error::Frame(Violation::Masked),
    );
}

// RFC 6455 section 5.1: 6455-5.1-03
#[test]
fn server_never_masks() {
    let mut connection = server().open();
    let mut out = Vec::new();
    connection.send_text("a", &mut out).unwrap();
    connection.send_binary(b"b", &mut out).unwrap();
    connection.send_ping(b"c", &mut out).unwrap();
    connection.send_pong(b"d", &mut out).unwrap();
    connection.close(None, "", &mut out).unwrap();
    assert_eq!(out, b"\x81\x01a\x82\x01b\x89\x01c\x8a\x01d\x88\x00");
}

// RFC 6455 section 5.1: 6455-5.1-04, D2
#[test]
fn client_fails_on_masked_text_at_its_second_byte() {
    client().fails_at_byte(2, &[0x81, 0x80, 0, 0, 0, 0], Error::Frame(Violation::Masked));
}

// RFC 6455 section 5.1: 6455-5.1-04, D2
#[test]
fn client_fails_on_masked_pong_at_its_second_byte() {
    client().fails_at_byte(2, &[0x8a, 0x80, 0, 0, 0, 0], Error::Frame(Violation::Masked));
}

// RFC 6455 section 5.2: 6455-5.2-01, 6455-9.1-06, D17 (without an extension)
#[test]
fn both_fail_on_reserved_bits_at_the_first_byte() {
    for end in both() {
        for (first, bits) in [
            (0xc1, 4),
            (0xa1, 2),
            (0x91, 1),
            (0xf1, 7),
            (0xc2, 4),
            (0x41, 4),
            (0xc0, 4),
            (0xc9, 4),
            (0xca, 4),
            (0xc8, 4),
        ] {
            end.fails_at_byte(
                1,
                &end.incoming(first, b""),
                Error::Frame(Violation::ReservedBits(bits)),
            );
        }
    }
}

// RFC 6455 section 5.2: 6455-5.2-02, 6455-5.5-03, 6455-5.8-01
#[test]
fn both_fail_on_reserved_opcodes_at_the_first_byte() {
    for end in both() {
        for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
            for fin in [0, 0x80] {
                end.fails_at_byte(
                    1,
                    &end.incoming(fin | opcode, b"payload"),
                    Error::Frame(Violation::ReservedOpCode(opcode)),
                );
            }
        }
    }
}

// RFC 6455 section 5.2: 6455-5.2-03 (sending)
#[test]
fn both_send_lengths_in_the_fewest_bytes() {
    for end in both() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 65_537] {
            let payload = vec![7; len];
            let mut out = Vec::new();
            end.open().send_binary(&payload, &mut out).unwrap();
            assert!(out == end.own(0x82, &payload), "length {len}");
        }
    }
}

// RFC 6455 section 5.2: 6455-5.2-03 (sending)
#[test]
fn server_sends_the_length_borders_as_these_bytes() {
    for (len, header) in [
        (125, &[0x82, 0x7d][..]),
        (126, &[0x82, 0x7e, 0, 126]),
        (65_535, &[0x82, 0x7e, 0xff, 0xff]),
        (65_536, &[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let mut out = Vec::new();
        server().open().send_binary(&vec![0; len], &mut out).unwrap();
        assert_eq!(&out[..header.len()], header);
        assert_eq!(out.len(), header.len() + len);
    }
}

// RFC 6455 section 5.2: 6455-5.2-03 (receiving), D3
#[test]
fn server_fails_on_a_16_bit_length_under_126() {
    server().fails_at_byte(
        4,
        &[0x81, 0xfe, 0x00, 0x05, 0, 0, 0, 0, b'H', b'e', b'l', b'l', b'o'],
        Error::Frame(Violation::NonMinimalLength(5)),
    );
    server().fails_at_byte(
        4,
        &[0x81, 0xfe, 0x00, 0x7d],
        Error::Frame(Violation::NonMinimalLength(125)),
    );
}

// RFC 6455 section 5.2: 6455-5.2-03 (receiving), D3
#[test]
fn client_fails_on_a_16_bit_length_under_126() {
    client().fails_at_byte(
        4,
        &[0x81, 0x7e, 0x00, 0x05, b'H', b'e', b'l', b'l', b'o'],
        Error::Frame(Violation::NonMinimalLength(5)),
    );
}

// RFC 6455 section 5.2: 6455-5.2-03 (receiving), D3
#[test]
fn both_fail_on_a_64_bit_length_under_65536() {
    server().fails_at_byte(
        10,
        &[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xc8],
        Error::Frame(Violation::NonMinimalLength(200)),
    );
    client().fails_at_byte(
        10,
        &[0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
        Error::Frame(Violation::NonMinimalLength(65_535)),
    );
}

// RFC 6455 section 5.2: D3, the leniency
#[test]
fn both_accept_long_lengths_with_the_leniency() {
    let config = Config::new().accept_non_minimal_length(true);
    client_with(config.clone())
        .receive(&[
            0x81, 0x7e, 0, 2, b'h', b'i', 0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0, 1, b'x',
        ])
        .succeeds()
        .sees(&[text("hi"), binary(b"x")]);
    server_with(config)
        .receive(&[0x81, 0xfe, 0, 2, 0, 0, 0, 0, b'h', b'i'])
        .succeeds()
        .sees(&[text("hi")]);
}

// RFC 6455 section 5.5: D3, the leniency does not apply to control frames
#[test]
fn both_reject_long_lengths_on_control_frames_with_the_leniency() {
    let config = Config::new().accept_non_minimal_length(true);
    let error = Error::Frame(Violation::ExtendedControlLength);
    client_with(config.clone()).fails_at_byte(2, &[0x89, 0x7e, 0, 1, b'x'], error);
    server_with(config).fails_at_byte(2, &[0x89, 0xfe, 0, 1, 0, 0, 0, 0, b'x'], error);
}

// RFC 6455 section 5.5: D82, `88 7e 00 7d`: the length of 125 is allowed, its form is not, and the error says so
#[test]
fn both_name_the_form_of_the_length_of_a_control_frame() {
    for end in both() {
        let mut wire = match end.role {
            Role::Server => vec![0x88, 0xfe, 0x00, 0x7d, 0, 0, 0, 0],
            Role::Client => vec![0x88, 0x7e, 0x00, 0x7d],
        };
        wire.extend([0x03, 0xe8]);
        wire.extend([b'x'; 123]);
        let error = Error::Frame(Violation::ExtendedControlLength);
        end.fails_at_byte(2, &wire, error);
        let text = error.to_string();
        assert!(
            text.contains("7-bit") && !text.contains("over the limit"),
            "{text}"
        );
    }
}

// RFC 6455 section 5.2: D81, RSV1 on control frames fails, unless the leniency is on; RSV2, RSV3 and data frames fail anyway
#[test]
fn both_accept_rsv1_on_control_frames_only_with_the_leniency() {
    let config = Config::new().accept_rsv1_on_control(true);
    for end in both_with(config.clone()) {
        end.receive_all(&[
            (0x01, b"a"),
            (0xc9, b"p"),
            (0xca, b"q"),
            (0x80, b"b"),
            (0xc8, b"\x03\xe8"),
        ])
        .sees(&[ping(b"p"), pong(b"q"), text("ab"), close(1000, "")])
        .sends(&[end.own(0x8a, b"p"), end.own(0x88, b"\x03\xe8")].concat());
        for first in [0xa9, 0x99, 0xd9, 0xf8, 0xc1, 0xc2, 0x41] {
            let error = Error::Frame(Violation::ReservedBits(first >> 4 & 7));
            end.fails_at_byte(1, &end.incoming(first, b""), error);
        }
        // The other rules for control frames are as strict as before.
        end.fails_at_byte(
            1,
            &end.incoming(0x49, b""),
            Error::Frame(Violation::FragmentedControl),
        );
    }
    for end in both() {
        for first in [0xc8, 0xc9, 0xca] {
            end.fails_at_byte(
                1,
                &end.incoming(first, b""),
                Error::Frame(Violation::ReservedBits(4)),
            );
        }
    }
    // The frame layer, with an extension or without.
    for rules in [
        Rules::new(Role::Client),
        Rules::new(Role::Client).permessage_deflate(true),
    ] {
        let found = Header::parse(b"\xc9\x00", &rules.accept_rsv1_on_control(true)).unwrap();
        assert_eq!(
            found.map(|(header, size)| (header.rsv1, header.opcode, size)),
            Some((true, OpCode::Ping, 2))
        );
        assert_eq!(
            Header::parse(b"\xc9\x00", &rules),
            Err(Violation::ReservedBits(4))
        );
    }
}

// RFC 6455 section 5.2: 6455-5.2-04, D4
#[test]
fn both_fail_on_a_length_with_the_top_bit_before_the_limit_is_looked_at() {
    for config in [
        Config::new().max_message_size(10),
        Config::new().max_message_size(u64::MAX),
    ] {
        server_with(config.clone()).fails_at_byte(
            10,
            &[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0],
            Error::Frame(Violation::LengthOutOfRange(1 << 63)),
        );
        client_with(config).fails_at_byte(
            10,
            &[0x82, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            Error::Frame(Violation::LengthOutOfRange(u64::MAX)),
        );
    }
}

// RFC 6455 section 5.2: 6455-5.2-05
#[test]
fn both_read_lengths_in_network_order() {
    let payload: Vec<u8> = (0..=255).collect();
    let mut wire = vec![0x82, 0x7e, 0x01, 0x00];
    wire.extend(&payload);
    client().receive(&wire).succeeds().sees(&[binary(&payload)]);
    let mut wire = vec![0x82, 0xfe, 0x01, 0x00, 0, 0, 0, 0];
    wire.extend(&payload);
    server().receive(&wire).succeeds().sees(&[binary(&payload)]);
}

// RFC 6455 section 5.2: 6455-5.2-06
#[test]
fn length_does_not_count_the_masking_key() {
    let payload = [9; 125];
    let wire = server().incoming(0x82, &payload);
    assert_eq!(wire.len(), 2 + 4 + 125);
    server().receive(&wire).succeeds().sees(&[binary(&payload)]);
    let mut out = Vec::new();
    client().open().send_binary(&payload, &mut out).unwrap();
    assert_eq!((out.len(), out[1]), (2 + 4 + 125, 0x80 | 125));
}

// RFC 6455 section 5.2: 6455-5.2-07
#[test]
fn both_accept_a_length_of_zero_for_every_opcode() {
    for end in both() {
        end.receive_all(&[
            (0x81, b""),
            (0x82, b""),
            (0x01, b""),
            (0x80, b""),
            (0x89, b""),
            (0x8a, b""),
            (0x88, b""),
        ])
        .sees(&[
            text(""),
            binary(b""),
            text(""),
            ping(b""),
            pong(b""),
            Seen::Close(None, "".into()),
        ])
        .sends(&[end.own(0x8a, b""), end.own(0x88, b"")].concat());
    }
}

// RFC 6455 section 5.2: 6455-5.2-08, D5
#[test]
fn both_fail_on_a_length_of_2_to_the_62_when_its_header_is_read() {
    let error = Error::MessageTooBig {
        limit: 1024 * 1024,
        size: 1 << 62,
    };
    server().fails_at_byte(10, &[0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0], error);
    client().fails_at_byte(10, &[0x82, 0x7f, 0x40, 0, 0, 0, 0, 0, 0, 0], error);
}

// RFC 6455 section 5.2: 6455-5.2-08
#[test]
fn both_await_a_length_of_2_to_the_63_less_1_if_the_limit_allows() {
    for end in both_with(Config::new().max_message_size(u64::MAX)) {
        let mut wire = end.incoming_header(0x82, i64::MAX as u64);
        // With 32-bit addresses, no buffer can be that long.
        if size_of::<usize>() < size_of::<u64>() {
            let error = Error::MessageTooBig {
                limit: isize::MAX as u64,
                size: i64::MAX as u64,
            };
            end.fails_at_byte(10, &wire, error);
            continue;
        }
        wire.extend(b"0123456789");
        let mut connection = end.open();
        let run = drive(&mut connection, &wire, &[]).succeeds().sends_nothing();
        assert_eq!(run.events, []);
        assert_eq!(connection.payload_remaining(), i64::MAX as u64 - 10);
    }
}

// RFC 6455 section 5.3: 6455-5.3-01, 6455-10.3-02
#[test]
fn client_draws_one_key_a_frame_in_order() {
    let mut next = 0u8;
    let mut connection = Connection::client(
        &Config::new(),
        entropy::from_fn(move |key| {
            assert_eq!(key.len(), 4);
            next += 1;
            key.fill(next);
        }),
    );
    let mut out = Vec::new();
    connection.send_text("a", &mut out).unwrap();
    connection.send_binary(&[0; 20_000], &mut out).unwrap();
    connection.receive(&mut &mut [0x89, 0][..], &mut out).unwrap();
    connection.send_ping(b"p", &mut out).unwrap();
    let misuse = connection.send_ping(&[0; 126], &mut out);
    assert!(misuse.is_err(), "which draws no key");
    connection.close(None, "", &mut out).unwrap();
    let keys: Vec<_> = strict::frames_of(Role::Client, &out)
        .iter()
        .map(|frame| frame.key)
        .collect();
    assert_eq!(
        keys,
        [1, 2, 3, 4, 5].map(|byte| Some([byte; 4])),
        "one key for each frame, none twice"
    );
}

// RFC 6455 section 5.3: 6455-5.3-03, 6455-6.2-03
#[test]
fn server_accepts_a_key_of_zeros() {
    server()
        .receive(&[0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])
        .succeeds()
        .sees(&[text("hi")]);
}

// RFC 6455 section 5.3: 6455-5.3-04
#[test]
fn server_restarts_the_key_with_each_frame_and_goes_on_across_reads() {
    // `receive` splits at every index.
    server()
        .receive(&[
            0x01,
            0x83,
            1,
            2,
            3,
            4,
            b'a' ^ 1,
            b'b' ^ 2,
            b'c' ^ 3,
            0x80,
            0x85,
            5,
            6,
            7,
            8,
            b'd' ^ 5,
            b'e' ^ 6,
            b'f' ^ 7,
            b'g' ^ 8,
            b'h' ^ 5,
        ])
        .succeeds()
        .sees(&[text("abcdefgh")]);
}

// RFC 6455 section 5.5: 6455-5.5-01
#[test]
fn both_fail_on_a_control_frame_over_125_bytes_at_its_second_byte() {
    for first in [0x88, 0x89, 0x8a] {
        for length in [126, 127] {
            let error = Error::Frame(Violation::ExtendedControlLength);
            server().fails_at_byte(2, &[first, 0x80 | length, 0, 126], error);
            client().fails_at_byte(2, &[first, length, 0, 126], error);
        }
    }
}

// RFC 6455 section 5.5: 6455-5.5-01
#[test]
fn both_accept_control_frames_of_125_bytes_under_any_message_limit() {
    for end in both_with(Config::new().max_message_size(0)) {
        let payload = [b'x'; 125];
        end.receive_all(&[(0x89, &payload), (0x8a, &payload)])
            .succeeds()
            .sees(&[ping(&payload), pong(&payload)])
            .sends(&end.own(0x8a, &payload));
    }
}

// RFC 6455 section 5.4 and 5.5: 6455-5.4-04, 6455-5.5-02
#[test]
fn both_fail_on_a_fragmented_control_frame_at_its_first_byte() {
    for end in both() {
        for first in [0x08, 0x09, 0x0a] {
            end.fails_at_byte(
                1,
                &end.incoming(first, b"x"),
                Error::Frame(Violation::FragmentedControl),
            );
        }
    }
}

// RFC 6455 section 5.7: 6455-5.7-01, the text vectors
#[test]
fn vectors_of_text_read_in_their_direction() {
    client()
        .receive(&[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f])
        .succeeds()
        .sees(&[text("Hello")]);
    server()
        .receive(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58])
        .succeeds()
        .sees(&[text("Hello")]);
    client()
        .receive(&[0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f])
        .succeeds()
        .sees(&[text("Hello")]);
}

// RFC 6455 section 5.7: 6455-5.7-01, the text vectors
#[test]
fn vectors_of_text_are_what_is_sent() {
    let mut out = Vec::new();
    server().open().send_text("Hello", &mut out).unwrap();
    assert_eq!(out, [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    out.clear();
    client().open().send_text("Hello", &mut out).unwrap();
    assert_eq!(
        out,
        [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]
    );
    out.clear();
    let mut connection = server().open();
    connection
        .send_fragment(MessageKind::Text, b"Hel", Fin::More, &mut out)
        .unwrap();
    connection
        .send_fragment(MessageKind::Text, b"lo", Fin::Last, &mut out)
        .unwrap();
    assert_eq!(out, [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f]);
}

// RFC 6455 section 5.7: 6455-5.7-01, the ping vectors
#[test]
fn vectors_of_ping_and_pong_in_both_directions() {
    let ping_hello = [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    let pong_hello = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    client()
        .receive(&ping_hello)
        .succeeds()
        .sees(&[ping(b"Hello")])
        .sends(&pong_hello);
    server()
        .receive(&pong_hello)
        .succeeds()
        .sees(&[pong(b"Hello")])
        .sends_nothing();
    let mut out = Vec::new();
    server().open().send_ping(b"Hello", &mut out).unwrap();
    assert_eq!(out, ping_hello);
    out.clear();
    client().open().send_pong(b"Hello", &mut out).unwrap();
    assert_eq!(out, pong_hello);
}

// RFC 6455 section 5.7: 6455-5.7-01, the binary vectors
#[test]
fn vectors_of_binary_headers_in_both_directions() {
    for (len, header) in [
        (256, &[0x82, 0x7e, 0x01, 0x00][..]),
        (65_536, &[0x82, 0x7f, 0, 0, 0, 0, 0, 0x01, 0, 0]),
    ] {
        let payload = vec![0xa5; len];
        let mut wire = header.to_vec();
        wire.extend(&payload);
        let run = drive(&mut client().open(), &wire, &[]);
        assert!(run.succeeds().events == [binary(&payload)]);
        let mut out = Vec::new();
        server().open().send_binary(&payload, &mut out).unwrap();
        assert!(out == wire);
    }
}

// RFC 6455 section 5.2: every first byte, mask bit and length form, against a literal reading of the RFC
#[test]
fn every_header_meets_the_verdict_of_the_text() {
    for (end, receives_masked) in [(server(), true), (client(), false)] {
        for first in 0..=255u8 {
            for masked in [false, true] {
                // How a length is written, and whether that is its shortest form.
                for (form, len, short) in [
                    (7, 0u64, true),
                    (7, 1, true),
                    (7, 125, true),
                    (16, 0, false),
                    (16, 125, false),
                    (16, 126, true),
                    (16, 65_535, true),
                    (64, 0, false),
                    (64, 65_535, false),
                    (64, 65_536, true),
                    (64, 1 << 20, true),
                    (64, (1 << 20) + 1, true),
                    (64, 1 << 62, true),
                    (64, 1 << 63, true),
                ] {
                    let bit = if masked { 0x80 } else { 0 };
                    let mut wire = vec![first];
                    match form {
                        7 => wire.push(bit | len as u8),
                        16 => {
                            wire.push(bit | 126);
                            wire.extend((len as u16).to_be_bytes());
                        }
                        _ => {
                            wire.push(bit | 127);
                            wire.extend(len.to_be_bytes());
                        }
                    }
                    if masked {
                        wire.extend(KEY);
                    }
                    let opcode = first & 0xf;
                    let fin = first & 0x80 != 0;
                    let expected = match opcode {
                        _ if first & 0x70 != 0 => Some(1002),
                        3..=7 | 11..=15 => Some(1002),
                        8..=10 if !fin || form != 7 => Some(1002),
                        _ if masked != receives_masked => Some(1002),
                        _ if !short || len >= 1 << 63 => Some(1002),
                        0 => Some(1002),
                        1 | 2 if len > 1 << 20 => Some(1009),
                        // What follows depends on the payloads.
                        _ => None,
                    };
                    let cuts: Vec<usize> = (1..wire.len()).collect();
                    for cuts in [&[][..], &cuts] {
                        let run = drive(&mut end.open(), &wire, cuts);
                        let found = run.error.map(|error| error.close_code().0);
                        assert_eq!(found, expected, "{:?} {wire:02x?}", end.role);
                    }
                }
            }
        }
    }
}

// RFC 6455 section 5.4: 6455-5.4-12, 6455-5.2-01 (the frame layer with an extension)
#[test]
fn decoder_shows_every_field_of_a_frame_untouched() {
    let mut wire = [
        0x41,
        0x83,
        1,
        2,
        3,
        4,
        b'a' ^ 1,
        b'b' ^ 2,
        b'c' ^ 3,
        0x80,
        0x80,
        9,
        9,
        9,
        9,
    ];
    let mut decoder = Decoder::new(Rules::new(Role::Server).permessage_deflate(true));
    let mut input = &mut wire[..];
    let mut header = Header::new(OpCode::Text, 3);
    (header.fin, header.rsv1, header.mask) = (false, true, Some([1, 2, 3, 4]));
    assert_eq!(decoder.decode(&mut input), Ok(Some(Item::Start(header))));
    assert_eq!(
        header.encode().as_ref(),
        [0x41, 0x83, 1, 2, 3, 4],
        "and writes it again as it was"
    );
    assert_eq!(header.encode(), header.encode());
    let unmasked = Header { mask: None, ..header };
    assert_ne!(header.encode(), unmasked.encode());
    assert_eq!(decoder.payload_remaining(), Some(3));
    assert_eq!(
        decoder.decode(&mut input),
        Ok(Some(Item::Chunk(&mut b"abc".to_owned())))
    );
    assert_eq!(decoder.decode(&mut input), Ok(Some(Item::End)));
    assert_eq!(decoder.payload_remaining(), None);
    let mut header = Header::new(OpCode::Continuation, 0);
    header.mask = Some([9; 4]);
    assert_eq!(decoder.decode(&mut input), Ok(Some(Item::Start(header))));
    assert_eq!(decoder.decode(&mut input), Ok(Some(Item::End)));
    assert_eq!(decoder.decode(&mut input), Ok(None));
}

// RFC 6455 section 5.2: 6455-5.2-01; RFC 7692 section 6
#[test]
fn decoder_with_an_extension_allows_rsv1_on_first_data_frames_alone() {
    for first in 0..=255u8 {
        let parsed = Header::parse(&[first, 0x00], &Rules::new(Role::Client).permessage_deflate(true));
        let opcode = first & 0xf;
        let bits = first >> 4 & 7;
        let known = matches!(opcode, 0..=2 | 8..=10);
        let bits_fine = bits == 0 || bits == 4 && matches!(opcode, 1 | 2);
        let fin_fine = opcode < 8 || first & 0x80 != 0;
        assert_eq!(parsed.is_ok(), known && bits_fine && fin_fine, "{first:#x}");
    }
}

// RFC 6455 section 5.2: the frame layer keeps its error, as clause 7 of the contract says of the connection
#[test]
fn decoder_is_fused() {
    let mut decoder = Decoder::new(Rules::new(Role::Client));
    let mut wire = [0x83, 0x00, 0x81, 0x00];
    let mut input = &mut wire[..];
    assert_eq!(decoder.decode(&mut input), Err(Violation::ReservedOpCode(3)));
    assert_eq!(input.len(), 3);
    assert_eq!(decoder.decode(&mut input), Err(Violation::ReservedOpCode(3)));
    assert_eq!((input.len(), decoder.payload_remaining()), (3, None));
}

// RFC 6455 section 5.2: 6455-5.2-08, also with 32-bit addresses
#[test]
fn decoder_counts_down_a_length_of_more_than_32_bits() {
    let mut decoder = Decoder::new(Rules::new(Role::Client));
    let mut wire = *b"\x82\x7f\0\0\0\x01\0\0\0\x010123456789";
    let mut input = &mut wire[..];
    let len = (1 << 32) + 1;
    let header = Header::new(OpCode::Binary, len);
    assert_eq!(decoder.decode(&mut input), Ok(Some(Item::Start(header))));
    let mut chunk = *b"0123456789";
    assert_eq!(decoder.decode(&mut input), Ok(Some(Item::Chunk(&mut chunk))));
    assert_eq!(decoder.payload_remaining(), Some(len - 10));
}

// RFC 6455 section 5.2: the position of each bit in the first byte
#[test]
fn header_is_written_bit_by_bit() {
    for bits in 0..16u8 {
        let mut header = Header::new(OpCode::Pong, 0);
        header.fin = bits & 8 != 0;
        header.rsv1 = bits & 4 != 0;
        header.rsv2 = bits & 2 != 0;
        header.rsv3 = bits & 1 != 0;
        assert_eq!(*header.encode(), [bits << 4 | 0xa, 0]);
    }
}

// RFC 6455 section 10.4; RFC 7692 section 6: a compressed frame may be an eighth and 1 KiB longer than its content
#[test]
fn header_of_a_compressed_frame_has_a_limit_of_its_own() {
    let rules = Rules::new(Role::Client)
        .permessage_deflate(true)
        .max_payload(8000);
    for (first, limit) in [(0x82, 8000), (0xc2, 8000 + 1000 + 1024)] {
        let parse = |len: u16| {
            let [high, low] = len.to_be_bytes();
            Header::parse(&[first, 126, high, low], &rules)
        };
        let (header, size) = parse(limit).unwrap().unwrap();
        assert_eq!((header.payload_len, size), (u64::from(limit), 4));
        let too_big = Violation::PayloadTooBig {
            limit: limit.into(),
            len: u64::from(limit) + 1,
            opcode: OpCode::Binary,
        };
        assert_eq!(parse(limit + 1), Err(too_big));
        assert_eq!(too_big.close_code(), CloseCode::TOO_BIG);
    }
}
