//! Calls that are wrong: each returns a [`Misuse`], and leaves the output and the connection unchanged.
#![cfg(feature = "alloc")]

mod common;

use common::*;
use websocket_proto::{
    CloseCode, Config, Connection, Fin, MAX_CLOSE_REASON_SIZE, MessageKind, Misuse, Prepared, Role, State,
};

/// Asserts that the call fails with this error, writes nothing, and that the connection continues as if it had not been made.
#[track_caller]
fn refuses(end: &End, misuse: Misuse, call: impl Fn(&mut Connection, &mut Vec<u8>) -> Result<(), Misuse>) {
    let (mut connection, mut out) = (end.open(), b"before".to_vec());
    assert_eq!(call(&mut connection, &mut out), Err(misuse));
    assert_eq!(out, b"before");
    assert_eq!(connection.state(), State::Open);
    connection.send_text("after", &mut out).unwrap();
    assert_eq!(out, [b"before".to_vec(), end.own(0x81, b"after")].concat());
}

/// The same between the fragments of a text.
#[track_caller]
fn refuses_mid_text(
    end: &End,
    misuse: Misuse,
    call: impl Fn(&mut Connection, &mut Vec<u8>) -> Result<(), Misuse>,
) {
    let (mut connection, mut out) = (end.open(), Vec::new());
    connection
        .send_fragment(MessageKind::Text, b"\xe2\x82", Fin::More, &mut out)
        .unwrap();
    out.clear();
    assert_eq!(call(&mut connection, &mut out), Err(misuse));
    assert_eq!(out, b"");
    connection
        .send_fragment(MessageKind::Text, b"\xac", Fin::Last, &mut out)
        .unwrap();
    assert_eq!(out, end.own(0x80, b"\xac"));
}

// RFC 6455 section 5.5: 6455-5.5-01
#[test]
fn both_refuse_to_send_a_ping_or_pong_of_126_bytes() {
    for end in both() {
        refuses(&end, Misuse::ControlTooLong(126), |connection, out| {
            connection.send_ping(&[0; 126], out)
        });
        refuses(&end, Misuse::ControlTooLong(126), |connection, out| {
            connection.send_pong(&[0; 126], out)
        });
    }
}

// RFC 6455 section 5.4: 6455-5.4-06
#[test]
fn both_refuse_to_send_a_message_inside_another() {
    for end in both() {
        let misuse = Misuse::UnfinishedMessage;
        refuses_mid_text(&end, misuse, |connection, out| connection.send_text("a", out));
        refuses_mid_text(&end, misuse, |connection, out| connection.send_binary(b"a", out));
        refuses_mid_text(&end, misuse, |connection, out| {
            connection.send_prepared(&Prepared::text("a"), out)
        });
        refuses_mid_text(&end, misuse, |connection, out| {
            connection.send_fragment(MessageKind::Binary, b"a", Fin::Last, out)
        });
    }
}

// RFC 6455 section 5.6: 6455-5.6-01, 6455-8.1-08
#[test]
fn both_refuse_to_send_fragments_that_are_not_utf8() {
    for end in both() {
        let misuse = Misuse::InvalidUtf8;
        refuses_mid_text(&end, misuse, |connection, out| {
            connection.send_fragment(MessageKind::Text, b"x", Fin::More, out)
        });
        refuses_mid_text(&end, misuse, |connection, out| {
            connection.send_fragment(MessageKind::Text, b"", Fin::Last, out)
        });
        refuses(&end, misuse, |connection, out| {
            connection.send_fragment(MessageKind::Text, b"\xff", Fin::More, out)
        });
        refuses(&end, misuse, |connection, out| {
            connection.send_fragment(MessageKind::Text, b"\xe2\x82", Fin::Last, out)
        });
    }
}

// RFC 6455 section 7.4: 6455-7.4.1-02, 6455-7.4.1-03, 6455-7.4.1-04, 6455-7.4.1-05, 6455-7.4.2-01, 6455-7.4.2-02, 6455-7.4.2-04
#[test]
fn both_reject_sending_codes_that_are_not_allowed_on_the_wire() {
    for end in both() {
        for code in [
            0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
        ] {
            let code = CloseCode(code);
            refuses(&end, Misuse::InvalidCloseCode(code), |connection, out| {
                connection.close(code, "", out)
            });
        }
    }
}

// RFC 6455 section 7.4.1: 6455-7.4.1-07
#[test]
fn server_refuses_to_send_1010() {
    let code = CloseCode::MISSING_EXTENSION;
    refuses(&server(), Misuse::InvalidCloseCode(code), |connection, out| {
        connection.close(code, "", out)
    });
    let mut out = Vec::new();
    client()
        .open()
        .close(code, "permessage-deflate", &mut out)
        .unwrap();
    assert_eq!(out, client().own(0x88, b"\x03\xf2permessage-deflate"));
}

// RFC 6455 section 7.4: 6455-7.4.1-01, 6455-7.4.1-06, 6455-7.4.1-08, 6455-7.4.2-03, every code against the text
#[test]
fn both_send_exactly_the_codes_that_may_be_sent() {
    for end in both() {
        for code in 0..=u16::MAX {
            let may = match code {
                1000..=1003 | 1007..=1009 | 1011..=1014 | 3000..=4999 => true,
                1010 => end.role == Role::Client,
                _ => false,
            };
            let mut out = Vec::new();
            let result = end.open().close(CloseCode(code), "", &mut out);
            assert_eq!(result.is_ok(), may, "{code}");
            assert_eq!(CloseCode(code).is_sendable(end.role), may);
            let expected = if may {
                end.own(0x88, &code.to_be_bytes())
            } else {
                Vec::new()
            };
            assert_eq!(out, expected);
        }
    }
}

// RFC 6455 section 7.4: 6455-7.4-02
#[test]
fn both_send_a_reason_of_at_most_123_bytes() {
    for end in both() {
        let longest = "é".repeat(61) + "x";
        assert_eq!(longest.len(), MAX_CLOSE_REASON_SIZE);
        let mut out = Vec::new();
        end.open().close(CloseCode::NORMAL, &longest, &mut out).unwrap();
        assert_eq!(out, end.own(0x88, &[b"\x03\xe8", longest.as_bytes()].concat()));
        let longer = longest + "x";
        refuses(&end, Misuse::ReasonTooLong(124), |connection, out| {
            connection.close(CloseCode::NORMAL, &longer, out)
        });
    }
}

// RFC 6455 section 5.5.1: 6455-5.5.1-01
#[test]
fn both_refuse_a_reason_without_a_code() {
    for end in both() {
        refuses(&end, Misuse::ReasonWithoutCode, |connection, out| {
            connection.close(None, "why", out)
        });
    }
}

// RFC 6455 section 5.4: a Close, a Ping and a Pong are not messages
#[test]
fn both_may_send_control_frames_inside_a_message() {
    for end in both() {
        let (mut connection, mut out) = (end.open(), Vec::new());
        connection
            .send_fragment(MessageKind::Text, b"a", Fin::More, &mut out)
            .unwrap();
        connection.send_ping(b"", &mut out).unwrap();
        connection.send_pong(b"", &mut out).unwrap();
        connection.close(None, "", &mut out).unwrap();
        strict::frames_of(end.role, &out);
    }
}

// RFC 6455 section 5.5.1: an invalid reply to the peer's Close can be corrected
#[test]
fn both_may_answer_a_close_after_a_misuse() {
    for end in both_with(Config::new().auto_close(false)) {
        let (mut connection, mut out) = (end.open(), Vec::new());
        drive(&mut connection, &end.incoming(0x88, b""), &[]);
        let wrong = CloseCode::NO_STATUS;
        assert_eq!(
            connection.close(wrong, "", &mut out),
            Err(Misuse::InvalidCloseCode(wrong))
        );
        assert_eq!((out.len(), connection.state()), (0, State::Closing));
        connection.close(None, "", &mut out).unwrap();
        assert_eq!(out, end.own(0x88, b""));
    }
}

// The state takes precedence: on a closed connection that is the error, whatever else is wrong with the call
#[test]
fn closed_connection_takes_precedence_over_other_errors() {
    for end in both() {
        let (mut connection, mut out) = (end.open(), Vec::new());
        connection.close(None, "", &mut out).unwrap();
        drive(&mut connection, &end.incoming(0x88, b""), &[]);
        out.clear();
        assert_eq!(connection.send_ping(&[0; 126], &mut out), Err(Misuse::NotOpen));
        assert_eq!(connection.close(CloseCode(0), "", &mut out), Err(Misuse::NotOpen));
        assert_eq!(
            connection.send_prepared(&Prepared::binary(b""), &mut out),
            Err(Misuse::NotOpen)
        );
        assert_eq!(
            connection.send_fragment(MessageKind::Text, b"\xff", Fin::More, &mut out),
            Err(Misuse::NotOpen)
        );
        assert_eq!(out, b"");
    }
}

// Errors print in lower case, name the cause, and end without a full stop
#[test]
fn misuses_print_what_is_wrong() {
    for (misuse, expected) in [
        (Misuse::NotOpen, "connection is closing or closed"),
        (
            Misuse::ControlTooLong(126),
            "control payload of 126 bytes is over the limit of 125 bytes",
        ),
        (
            Misuse::UnfinishedMessage,
            "a fragmented message is still being sent",
        ),
        (Misuse::InvalidUtf8, "text to be sent is not UTF-8"),
        (
            Misuse::InvalidCloseCode(CloseCode(1005)),
            "close code 1005 (no status received) must not be sent",
        ),
        (
            Misuse::ReasonTooLong(124),
            "close reason of 124 bytes is over the limit of 123 bytes",
        ),
        (Misuse::ReasonWithoutCode, "close reason without a code"),
    ] {
        assert_eq!(misuse.to_string(), expected);
    }
}
