//! The closing handshake, failures and the end of the transport (RFC 6455 sections 5.5.1, 7 and 7.4), in every order.
#![cfg(feature = "alloc")]

mod common;

use common::*;
use websocket_proto::frame::Violation;
use websocket_proto::{
    AutoPong, Close, CloseCode, ClosedBy, Config, Connection, Delivery, Error, Event, Fin, MessageKind,
    Misuse, Role, State, TransportAdvice,
};

/// Frames from the peer, each given as its first byte and its payload.
type Frames<'a> = [(u8, &'a [u8])];

const NO_CODE: Seen = Seen::Close(None, String::new());

/// What `transport_advice` returns once both Closes have been exchanged: the server closes first (RFC 6455 section 7.1.1).
fn after_both(role: Role) -> TransportAdvice {
    match role {
        Role::Server => TransportAdvice::Close,
        Role::Client => TransportAdvice::AwaitPeer,
    }
}

/// A Close from this end with the code 1000 and no reason.
fn close_first(end: &End) -> Connection {
    let mut connection = end.open();
    let mut out = Vec::new();
    connection.close(CloseCode::NORMAL, "", &mut out).unwrap();
    assert_eq!(out, end.own(0x88, b"\x03\xe8"));
    connection
}

// RFC 6455 section 5.5.1: 6455-5.5.1-01
#[test]
fn server_receives_the_three_forms_of_a_close_body() {
    server().receive(&[0x88, 0x80, 0, 0, 0, 0]).sees(&[NO_CODE]);
    server()
        .receive(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])
        .sees(&[close(1000, "")]);
    server()
        .receive(&[0x88, 0x85, 0, 0, 0, 0, 0x03, 0xe8, b'b', b'y', b'e'])
        .sees(&[close(1000, "bye")]);
}

// RFC 6455 section 5.5.1: 6455-5.5.1-01, 6455-5.5.1-11
#[test]
fn client_receives_the_three_forms_of_a_close_body() {
    client().receive(&[0x88, 0x00]).sees(&[NO_CODE]);
    client()
        .receive(&[0x88, 0x02, 0x03, 0xe8])
        .sees(&[close(1000, "")]);
    client()
        .receive(&[0x88, 0x05, 0x03, 0xe8, b'b', b'y', b'e'])
        .sees(&[close(1000, "bye")]);
}

// RFC 6455 section 5.5.1: 6455-5.5.1-02, D8
#[test]
fn both_fail_on_a_close_body_of_one_byte() {
    for end in both() {
        end.receive_all(&[(0x88, b"\x03")])
            .fails(Error::TruncatedCloseCode)
            .fails_with(1002)
            .sees(&[]);
    }
}

// RFC 6455 section 5.5.1: 6455-5.5.1-03, D12
#[test]
fn both_fail_with_1007_on_a_close_reason_that_is_not_utf8() {
    for end in both() {
        for reason in [
            &b"\x03\xe8\xff"[..],
            b"\x03\xe8ab\xe2\x82",
            b"\x03\xe8\xed\xa0\x80",
        ] {
            end.receive_all(&[(0x88, reason)])
                .fails(Error::InvalidUtf8)
                .fails_with(1007)
                .sees(&[]);
        }
    }
}

// RFC 6455 section 5.5.1: 6455-5.5.1-05, 6455-5.5.1-06, D11
#[test]
fn both_echo_the_code_and_drop_the_reason() {
    for end in both() {
        for code in [1000u16, 1001, 3000, 4999] {
            let body = [&code.to_be_bytes()[..], b"why"].concat();
            end.receive_all(&[(0x88, &body)])
                .sees(&[close(code, "why")])
                .sends(&end.own(0x88, &code.to_be_bytes()));
        }
    }
}

// RFC 6455 section 5.5.1: 6455-5.5.1-06, D7
#[test]
fn both_answer_an_empty_close_with_an_empty_one() {
    for end in both() {
        end.receive_all(&[(0x88, b"")]).sends(&end.own(0x88, b""));
    }
}

// RFC 6455 section 5.5.1: 6455-5.5.1-04, 6455-5.1-05, 6455-6.1-01
#[test]
fn both_send_no_data_after_their_close() {
    for end in both() {
        let mut connection = close_first(&end);
        let mut out = Vec::new();
        assert_eq!(connection.send_text("a", &mut out), Err(Misuse::NotOpen));
        assert_eq!(connection.send_binary(b"a", &mut out), Err(Misuse::NotOpen));
        assert_eq!(
            connection.send_fragment(MessageKind::Text, b"a", Fin::Last, &mut out),
            Err(Misuse::NotOpen)
        );
        assert_eq!(connection.close(None, "", &mut out), Err(Misuse::NotOpen));
        assert_eq!(out, b"");
    }
}

// RFC 6455 sections 5.5.1 and 5.5.2: 6455-5.5.2-01, D76: a Ping is replied to until the peer's Close arrives
#[test]
fn both_send_pings_and_pongs_after_their_close_until_the_peers() {
    for end in both_with(Config::new().auto_pong(AutoPong::Off)) {
        let (mut connection, mut out) = (close_first(&end), Vec::new());
        drive(&mut connection, &end.incoming(0x89, b"p"), &[])
            .sees(&[ping(b"p")])
            .sends_nothing();
        connection.send_pong(b"p", &mut out).unwrap();
        connection.send_ping(b"q", &mut out).unwrap();
        assert_eq!(out, [end.own(0x8a, b"p"), end.own(0x89, b"q")].concat());
        assert_eq!(
            (connection.state(), connection.transport_advice()),
            (State::Closing, TransportAdvice::AwaitPeer)
        );
        out.clear();
        assert_eq!(
            connection.send_pong(&[0; 126], &mut out),
            Err(Misuse::ControlTooLong(126))
        );
        drive(&mut connection, &end.incoming(0x88, b"\x03\xe8"), &[]).sends_nothing();
        assert_eq!(connection.send_pong(b"late", &mut out), Err(Misuse::NotOpen));
        assert_eq!(connection.send_ping(b"late", &mut out), Err(Misuse::NotOpen));
        assert_eq!(out, b"");
        // Nor after the end of the transport.
        let mut connection = close_first(&end);
        connection.receive_eof();
        assert_eq!(connection.send_pong(b"late", &mut out), Err(Misuse::NotOpen));
        assert_eq!(out, b"");
    }
}

// RFC 6455 section 7.1.3: 6455-7.1.3-01, 6455-7.1.2-01
#[test]
fn both_close_first_and_await_the_answer() {
    for end in both() {
        let mut connection = end.open();
        assert_eq!(
            (connection.state(), connection.transport_advice()),
            (State::Open, TransportAdvice::KeepOpen)
        );
        let mut out = Vec::new();
        connection.close(CloseCode::NORMAL, "bye", &mut out).unwrap();
        assert_eq!(out, end.own(0x88, b"\x03\xe8bye"));
        assert_eq!(
            (connection.state(), connection.transport_advice()),
            (State::Closing, TransportAdvice::AwaitPeer)
        );
        let run = drive(&mut connection, &end.incoming(0x88, b"\x03\xe8"), &[]);
        assert_eq!((run.state, run.transport), (State::Closed, after_both(end.role)));
        run.sees(&[close(1000, "")]).sends_nothing();
        let closed = connection.receive_eof();
        assert_eq!(facts(&closed), (1000, Some(1000), Some(1000), true));
        assert_eq!(closed.by(), ClosedBy::Local);
        assert_eq!(connection.transport_advice(), TransportAdvice::Close);
    }
}

// RFC 6455 section 5.5.1: 6455-5.5.1-07, 6455-5.5.1-08, 6455-7.1.1-02
#[test]
fn server_closes_the_transport_at_once_after_the_peers_close() {
    let mut connection = server().open();
    let run = drive(&mut connection, &server().incoming(0x88, b"\x03\xe9"), &[]);
    assert_eq!(
        (run.state, run.transport),
        (State::Closed, TransportAdvice::Close)
    );
    let closed = connection.receive_eof();
    assert_eq!(facts(&closed), (1001, Some(1001), Some(1001), true));
    assert_eq!(closed.by(), ClosedBy::Peer);
}

// RFC 6455 section 5.5.1: 6455-5.5.1-07, 6455-5.5.1-09, 6455-7.1.1-02, 6455-7.1.7-04, D42
#[test]
fn client_awaits_the_end_of_the_transport_after_the_peers_close() {
    let mut connection = client().open();
    let run = drive(&mut connection, &[0x88, 0x02, 0x03, 0xe9], &[]);
    assert_eq!(
        (run.state, run.transport),
        (State::Closed, TransportAdvice::AwaitPeer)
    );
    let closed = connection.receive_eof();
    assert_eq!(facts(&closed), (1001, Some(1001), Some(1001), true));
    assert_eq!(
        (closed.by(), connection.transport_advice()),
        (ClosedBy::Peer, TransportAdvice::Close)
    );
}

// RFC 6455 section 5.5.1: 6455-5.5.1-10
#[test]
fn simultaneous_closes_cause_no_third_close() {
    for end in both() {
        let mut connection = close_first(&end);
        let run = drive(&mut connection, &end.incoming(0x88, b"\x03\xe9"), &[]);
        assert_eq!((run.state, run.transport), (State::Closed, after_both(end.role)));
        run.sends_nothing().sees(&[close(1001, "")]);
        let closed = connection.receive_eof();
        assert_eq!(facts(&closed), (1001, Some(1000), Some(1001), true));
    }
}

// RFC 6455 section 5.5.1: 6455-5.5.1-10, over a link
#[test]
fn two_ends_that_close_at_once_are_both_closed() {
    let (mut server, mut client) = (server().open(), client().open());
    let (mut to_server, mut to_client, mut out) = (Vec::new(), Vec::new(), Vec::new());
    server.close(CloseCode::GOING_AWAY, "", &mut to_client).unwrap();
    client.close(CloseCode::NORMAL, "", &mut to_server).unwrap();
    server.receive(&mut &mut to_server[..], &mut out).unwrap();
    client.receive(&mut &mut to_client[..], &mut out).unwrap();
    assert_eq!(out, b"");
    assert_eq!(facts(&server.receive_eof()), (1000, Some(1001), Some(1000), true));
    assert_eq!(facts(&client.receive_eof()), (1001, Some(1000), Some(1001), true));
}

// RFC 6455 section 5.4: 6455-5.4-13, D6
#[test]
fn both_accept_a_close_inside_a_message_and_drop_the_message() {
    for end in both() {
        end.receive_all(&[(0x01, b"a"), (0x88, b"\x03\xe8")])
            .sees(&[close(1000, "")])
            .sends(&end.own(0x88, b"\x03\xe8"));
    }
}

// RFC 6455 section 7: 6455-7-01, D41
#[test]
fn message_in_front_of_a_close_can_still_be_answered() {
    for end in both() {
        let mut wire = end.all_incoming(&[(0x81, b"m"), (0x88, b"\x03\xe8")]);
        let mut input = &mut wire[..];
        let (mut connection, mut out) = (end.open(), Vec::new());
        let event = connection.receive(&mut input, &mut out).unwrap().unwrap();
        assert_eq!((Seen::from(event), out.len()), (text("m"), 0));
        assert_eq!(connection.state(), State::Open);
        connection.send_text("answer", &mut out).unwrap();
        let event = connection.receive(&mut input, &mut out).unwrap().unwrap();
        assert_eq!(Seen::from(event), close(1000, ""));
        assert_eq!(
            out,
            [end.own(0x81, b"answer"), end.own(0x88, b"\x03\xe8")].concat()
        );
    }
}

// RFC 6455 section 5.5: 6455-5.5-04, D46 (the default: no Pong)
#[test]
fn both_deliver_events_after_their_close_but_send_no_pong() {
    for end in both() {
        let mut connection = close_first(&end);
        let wire = end.all_incoming(&[(0x81, b"m"), (0x89, b"p"), (0x8a, b"q"), (0x88, b"\x03\xe8")]);
        drive(&mut connection, &wire, &[])
            .sees(&[text("m"), ping(b"p"), pong(b"q"), close(1000, "")])
            .sends_nothing();
        assert!(connection.receive_eof().is_clean());
    }
}

// RFC 6455 section 5.5.2: D46, `AutoPong::UntilPeerCloses`
#[test]
fn both_reply_to_a_ping_after_their_close_with_until_peer_closes() {
    for end in both_with(Config::new().auto_pong(AutoPong::UntilPeerCloses)) {
        let mut connection = close_first(&end);
        let wire = end.all_incoming(&[(0x89, b"p"), (0x88, b"\x03\xe8"), (0x89, b"never")]);
        drive(&mut connection, &wire, &[])
            .sees(&[ping(b"p"), close(1000, "")])
            .sends(&end.own(0x8a, b"p"));
    }
}

// RFC 6455 section 5.5.2: D46, no Pong by default if our Close was sent before the Ping arrived; nor with `Off`
#[test]
fn both_send_no_pong_with_auto_pong_off() {
    for end in both_with(Config::new().auto_pong(AutoPong::Off)) {
        end.receive_all(&[(0x89, b"p")]).succeeds().sends_nothing();
        let mut connection = close_first(&end);
        drive(&mut connection, &end.incoming(0x89, b"p"), &[])
            .sees(&[ping(b"p")])
            .sends_nothing();
    }
}

// RFC 6455 section 5.5.1: 6455-5.5.1-05, `auto_close` off
#[test]
fn both_leave_the_answer_to_the_caller_with_auto_close_off() {
    for end in both_with(Config::new().auto_close(false)) {
        let mut connection = end.open();
        let run = drive(&mut connection, &end.incoming(0x88, b"\x03\xe9"), &[]);
        assert_eq!(
            (run.state, run.transport),
            (State::Closing, TransportAdvice::KeepOpen)
        );
        run.sends_nothing().sees(&[close(1001, "")]);
        let mut out = Vec::new();
        assert_eq!(connection.send_text("late", &mut out), Err(Misuse::NotOpen));
        assert_eq!(connection.send_ping(b"", &mut out), Err(Misuse::NotOpen));
        connection.close(CloseCode(4000), "mine", &mut out).unwrap();
        assert_eq!(out, end.own(0x88, b"\x0f\xa0mine"));
        assert_eq!(
            (connection.state(), connection.transport_advice()),
            (State::Closed, after_both(end.role))
        );
        assert_eq!(connection.close(None, "", &mut out), Err(Misuse::NotOpen));
        let closed = connection.receive_eof();
        assert_eq!(facts(&closed), (1001, Some(4000), Some(1001), true));
        assert_eq!(closed.by(), ClosedBy::Peer);
    }
}

// RFC 6455 section 5.5.1: 6455-5.5.1-05, the reply waits for the message that is being sent
#[test]
fn both_may_finish_a_fragmented_message_before_they_answer() {
    for end in both_with(Config::new().auto_close(false)) {
        let (mut connection, mut out) = (end.open(), Vec::new());
        let text = MessageKind::Text;
        connection.send_fragment(text, b"a", Fin::More, &mut out).unwrap();
        drive(&mut connection, &end.incoming(0x88, b""), &[]).sends_nothing();
        connection.send_fragment(text, b"b", Fin::More, &mut out).unwrap();
        connection.send_fragment(text, b"c", Fin::Last, &mut out).unwrap();
        assert_eq!(
            connection.send_fragment(text, b"d", Fin::Last, &mut out),
            Err(Misuse::NotOpen),
            "no new message"
        );
        connection.close(None, "", &mut out).unwrap();
        let expected = [
            end.own(0x01, b"a"),
            end.own(0x00, b"b"),
            end.own(0x80, b"c"),
            end.own(0x88, b""),
        ];
        assert_eq!(out, expected.concat());
        assert_eq!(
            facts(&connection.receive_eof()),
            (1005, Some(1005), Some(1005), true)
        );
    }
}

// RFC 6455 section 5.5.1: 6455-5.5.1-05, the message may also be abandoned
#[test]
fn both_end_a_fragmented_message_with_the_automatic_answer() {
    for end in both() {
        let (mut connection, mut out) = (end.open(), Vec::new());
        connection
            .send_fragment(MessageKind::Text, b"a", Fin::More, &mut out)
            .unwrap();
        drive(&mut connection, &end.incoming(0x88, b""), &[]).sends(&end.own(0x88, b""));
        assert_eq!(
            connection.send_fragment(MessageKind::Text, b"b", Fin::Last, &mut out),
            Err(Misuse::NotOpen)
        );
        assert_eq!(out, end.own(0x01, b"a"));
    }
}

// RFC 6455 section 5.5.1: our own Close may interrupt our own message
#[test]
fn both_may_close_inside_a_message_that_they_send() {
    for end in both() {
        let (mut connection, mut out) = (end.open(), Vec::new());
        connection
            .send_fragment(MessageKind::Binary, b"a", Fin::More, &mut out)
            .unwrap();
        connection.close(CloseCode::NORMAL, "", &mut out).unwrap();
        assert_eq!(out, [end.own(0x02, b"a"), end.own(0x88, b"\x03\xe8")].concat());
        assert_eq!(
            connection.send_fragment(MessageKind::Binary, b"b", Fin::Last, &mut out),
            Err(Misuse::NotOpen)
        );
    }
}

// RFC 6455 section 7.1.1: 6455-7.1.1-01, 6455-7.1.5-01, D13
#[test]
fn both_ignore_everything_after_the_peers_close() {
    for end in both() {
        let first = end.incoming(0x88, b"\x03\xe9");
        let mut wire = first.clone();
        wire.extend(end.all_incoming(&[(0x88, b"\x03\xea"), (0x81, b"m"), (0x83, b"")]));
        let run = end.receive(&wire).sees(&[close(1001, "")]);
        assert_eq!(run.consumed, first.len(), "the rest stays in the input");
        run.sends(&end.own(0x88, b"\x03\xe9"));
    }
}

// RFC 6455 section 7.1.4: 6455-7.1.4-01, 6455-7.1.5-03, 6455-7.2.1-01
#[test]
fn end_of_the_transport_while_open_is_1006() {
    for end in both() {
        let mut connection = end.open();
        let closed = connection.receive_eof();
        assert_eq!(facts(&closed), (1006, None, None, false));
        assert_eq!(closed.by(), ClosedBy::Transport);
        assert_eq!(
            (connection.state(), connection.transport_advice()),
            (State::Closed, TransportAdvice::Close)
        );
    }
}

// RFC 6455 section 7.1.4: 6455-7.1.4-01
#[test]
fn end_of_the_transport_at_every_byte_is_clean_after_the_close_alone() {
    for end in both() {
        let wire = end.all_incoming(&[(0x01, b"ab"), (0x89, b"p"), (0x80, b"c"), (0x88, b"\x03\xe8x")]);
        for size in 0..=wire.len() {
            let mut connection = end.open();
            drive(&mut connection, &wire[..size], &[]);
            let closed = connection.receive_eof();
            let (whole, cut) = ((1000, Some(1000), Some(1000), true), (1006, None, None, false));
            assert_eq!(facts(&closed), if size == wire.len() { whole } else { cut });
            let run = drive(&mut connection, &wire[size..], &[])
                .sends_nothing()
                .sees(&[]);
            assert_eq!((run.state, run.error, run.consumed), (State::Closed, None, 0));
        }
    }
}

// Contract, clause 7: D83: reading the summary of the end does not end anything
#[test]
fn end_can_be_looked_at_before_the_transport_ends() {
    for end in both() {
        let mut connection = close_first(&end);
        assert!(!connection.is_open());
        assert_eq!(connection.closed(), None);
        drive(&mut connection, &end.incoming(0x81, b"late"), &[]).sees(&[text("late")]);
        drive(&mut connection, &end.incoming(0x88, b"\x03\xe9bye"), &[]);
        let closed = connection.closed().unwrap();
        assert_eq!(
            connection.transport_advice(),
            after_both(end.role),
            "the transport has not ended"
        );
        assert_eq!((closed.by(), closed.reason()), (ClosedBy::Local, "bye"));
        assert_eq!(connection.receive_eof(), closed);
        assert_eq!(connection.closed(), Some(closed));
    }
    // The reply is left to the caller, and not sent yet.
    for end in both_with(Config::new().auto_close(false)) {
        let (mut connection, mut out) = (end.open(), Vec::new());
        assert!(connection.is_open());
        drive(&mut connection, &end.incoming(0x88, b""), &[]);
        assert_eq!((connection.is_open(), connection.closed()), (false, None));
        connection.close(None, "", &mut out).unwrap();
        assert_eq!(
            connection.closed().map(|closed| closed.by()),
            Some(ClosedBy::Peer)
        );
    }
}

// RFC 6455 section 7: 6455-7-02
#[test]
fn end_of_the_transport_after_our_close_alone_is_not_clean() {
    for end in both() {
        let mut connection = close_first(&end);
        let closed = connection.receive_eof();
        assert_eq!(facts(&closed), (1006, Some(1000), None, false));
        assert_eq!(closed.by(), ClosedBy::Local);
        assert_eq!(
            (connection.state(), connection.transport_advice()),
            (State::Closed, TransportAdvice::Close)
        );
    }
}

// RFC 6455 section 7.1.4: a Close from the peer without a reply
#[test]
fn end_of_the_transport_before_our_answer_is_not_clean() {
    for end in both_with(Config::new().auto_close(false)) {
        let mut connection = end.open();
        drive(&mut connection, &end.incoming(0x88, b"\x03\xe8"), &[]);
        let closed = connection.receive_eof();
        assert_eq!(facts(&closed), (1000, None, Some(1000), false));
        assert_eq!(closed.by(), ClosedBy::Peer);
        let mut out = Vec::new();
        assert_eq!(connection.close(None, "", &mut out), Err(Misuse::NotOpen));
        assert_eq!(out, b"");
    }
}

// Contract, clause 7: there is one summary of the end
#[test]
fn receive_eof_says_the_same_each_time() {
    let ends: [fn(&End) -> Connection; 4] = [
        |end| end.open(),
        close_first,
        |end| {
            let mut connection = end.open();
            drive(&mut connection, &end.incoming(0x88, b""), &[]);
            connection
        },
        |end| {
            let mut connection = end.open();
            drive(&mut connection, &end.incoming(0x83, b""), &[]);
            connection
        },
    ];
    for end in both() {
        for ended in ends {
            let mut connection = ended(&end);
            let closed = connection.receive_eof();
            for _ in 0..3 {
                assert_eq!(connection.receive_eof(), closed);
                assert_eq!(connection.state(), State::Closed);
                assert_eq!(connection.transport_advice(), TransportAdvice::Close);
            }
        }
    }
}

// RFC 6455 section 6.1: 6455-6.1-01
#[test]
fn nothing_is_sent_after_the_transport_ended() {
    for end in both() {
        let (mut connection, mut out) = (end.open(), Vec::new());
        connection
            .send_fragment(MessageKind::Text, b"", Fin::More, &mut out)
            .unwrap();
        out.clear();
        connection.receive_eof();
        assert_eq!(connection.send_text("a", &mut out), Err(Misuse::NotOpen));
        assert_eq!(connection.send_binary(b"a", &mut out), Err(Misuse::NotOpen));
        assert_eq!(connection.send_ping(b"", &mut out), Err(Misuse::NotOpen));
        assert_eq!(
            connection.send_fragment(MessageKind::Text, b"", Fin::Last, &mut out),
            Err(Misuse::NotOpen)
        );
        assert_eq!(
            connection.close(CloseCode::NORMAL, "", &mut out),
            Err(Misuse::NotOpen)
        );
        assert_eq!(out, b"");
    }
}

// RFC 6455 section 7.1.5: 6455-7.1.5-02, 6455-7.1.6-01, D15
#[test]
fn close_without_a_code_is_reported_as_1005_and_never_written() {
    for end in both() {
        let mut wire = end.incoming(0x88, b"");
        let (mut connection, mut out) = (end.open(), Vec::new());
        let Ok(Some(Event::Close(close))) = connection.receive(&mut &mut wire[..], &mut out) else {
            panic!()
        };
        assert_eq!(
            (close.code, close.code_or_no_status()),
            (None, CloseCode::NO_STATUS)
        );
        assert_eq!(close.reason, "");
        assert_eq!(close, Close::new(None, ""));
        assert_eq!(out, end.own(0x88, b""));
        assert_eq!(
            facts(&connection.receive_eof()),
            (1005, Some(1005), Some(1005), true)
        );
    }
}

// RFC 6455 section 7.1.5: 6455-7.1.5-03, D14
#[test]
fn own_failure_is_1006_and_reports_the_code_sent() {
    for end in both() {
        let mut connection = end.open();
        let run = drive(&mut connection, &end.incoming(0x83, b""), &[]).fails_with(1002);
        assert_eq!(run.transport, TransportAdvice::Close);
        let closed = connection.receive_eof();
        assert_eq!(facts(&closed), (1006, Some(1002), None, false));
        let error = Error::Frame(Violation::ReservedOpCode(3));
        assert_eq!(closed.by(), ClosedBy::Failure(error));
    }
}

// RFC 6455 section 7.1.7: D77: a failure that was found determines the end, even if the call that would have returned it never
// happened
#[test]
fn failure_that_was_found_is_in_closed_whether_it_was_returned_or_not() {
    for end in both_with(Config::new().delivery(Delivery::Chunks)) {
        let mut wire = end.incoming(0x81, b"ab\xff");
        let failure = ClosedBy::Failure(Error::InvalidUtf8);
        let (mut connection, mut out) = (end.open(), Vec::new());
        let mut input = &mut wire[..];
        let event = connection.receive(&mut input, &mut out);
        assert_eq!(event, Ok(Some(Event::TextChunk("ab".into(), Fin::More))));
        let closed = connection.receive_eof();
        assert_eq!((closed.by(), out.len()), (failure, 0));
        // The transport has ended, so no Close was sent, and none will be.
        assert_eq!(facts(&closed), (1006, None, None, false));
        assert_eq!(
            connection.receive(&mut input, &mut out),
            Err(Error::InvalidUtf8),
            "errors are fused"
        );
        assert_eq!((connection.receive_eof(), out.len()), (closed, 0));

        // Returned by the next call, it was reported to the peer before the transport ended.
        let (mut connection, mut wire) = (end.open(), end.incoming(0x81, b"ab\xff"));
        let run = drive(&mut connection, &wire, &[]);
        assert_eq!(run.error, Some(Error::InvalidUtf8));
        let closed = connection.receive_eof();
        assert_eq!(
            (closed.by(), closed.code_sent()),
            (failure, Some(CloseCode(1007)))
        );

        // The same for two halves.
        let (mut receiver, mut sender) = end.open().split();
        let _ = receiver.receive(&mut &mut wire[..]);
        sender.reply(receiver.receive_eof(), &mut out);
        let closed = Connection::join(receiver, sender).receive_eof();
        assert_eq!(
            (closed.by(), facts(&closed), out.len()),
            (failure, (1006, None, None, false), 0)
        );
    }
}

// RFC 6455 section 7.1.7: 6455-7.1.7-01, and after our Close none is sent
#[test]
fn failure_after_our_close_sends_no_second_one() {
    for end in both() {
        let mut connection = close_first(&end);
        let run = drive(&mut connection, &end.incoming(0x83, b""), &[]).sends_nothing();
        assert_eq!(run.error, Some(Error::Frame(Violation::ReservedOpCode(3))));
        assert_eq!(
            (run.state, run.transport),
            (State::Closed, TransportAdvice::Close)
        );
        let closed = connection.receive_eof();
        assert_eq!(facts(&closed), (1006, Some(1000), None, false));
        assert!(matches!(closed.by(), ClosedBy::Failure(_)));
    }
}

// RFC 6455 section 7.1.7: 6455-7.1.7-02, 6455-10.7-01
#[test]
fn nothing_is_read_or_sent_after_a_failure() {
    for end in both() {
        let mut wire = end.incoming(0xc1, b"");
        let bad = wire.len();
        wire.extend(end.all_incoming(&[(0x81, b"m"), (0x89, b"p"), (0x88, b"\x03\xe8")]));
        // `drive` checks that later calls repeat the error, consume nothing and write nothing.
        let run = end.receive(&wire).fails(Error::Frame(Violation::ReservedBits(4)));
        assert!(run.consumed <= bad);
        let (mut connection, mut out) = (end.open(), Vec::new());
        drive(&mut connection, &wire, &[]);
        assert_eq!(connection.send_text("a", &mut out), Err(Misuse::NotOpen));
        assert_eq!(connection.send_ping(b"a", &mut out), Err(Misuse::NotOpen));
        assert_eq!(connection.send_pong(b"a", &mut out), Err(Misuse::NotOpen));
        assert_eq!(connection.close(None, "", &mut out), Err(Misuse::NotOpen));
        assert_eq!(out, b"");
    }
}

// RFC 6455 section 7.1.7: 6455-7.1.7-01, every failure in the table is reported in exactly one Close
#[test]
fn every_failure_sends_exactly_one_close_of_its_code() {
    let overlong = [&b"\x03\xe8"[..], &[0xff; 10]].concat();
    for end in both_with(Config::new().max_message_size(4)) {
        let cases: [(&Frames, u16); 9] = [
            (&[(0x83, b"")], 1002),
            (&[(0xc1, b"")], 1002),
            (&[(0x09, b"")], 1002),
            (&[(0x80, b"")], 1002),
            (&[(0x01, b""), (0x81, b"")], 1002),
            (&[(0x88, b"\0")], 1002),
            (&[(0x88, &overlong)], 1007),
            (&[(0x81, b"\xff")], 1007),
            (&[(0x82, b"12345")], 1009),
        ];
        for (frames, code) in cases {
            // `fails` reads the Close with the naive decoder.
            end.receive_all(frames).fails_with(code);
        }
    }
}

// RFC 6455 section 7.3: 6455-7.3-01
#[test]
fn both_may_close_whenever_they_are_open() {
    for end in both() {
        for frames in [&[][..], &[(0x01, b"a")], &[(0x81, b"a"), (0x89, b"b")]] {
            let frames: Vec<(u8, &[u8])> = frames.iter().map(|(first, body)| (*first, &body[..])).collect();
            let mut connection = end.open();
            drive(&mut connection, &end.all_incoming(&frames), &[]).succeeds();
            let mut out = Vec::new();
            connection.close(None, "", &mut out).unwrap();
            assert_eq!(out, end.own(0x88, b""));
        }
    }
}

/// The verdict on a received code, straight from section 7.4 and the registry.
fn is_valid_on_the_wire(code: u16) -> bool {
    match code {
        // 7.4.2: not used; 7.4.1: 1004 reserved, 1005, 1006 and 1015 never; 1016 to 2999 undefined.
        0..=999 | 1004..=1006 | 1015..=2999 => false,
        // 7.4.1 and the registry (1012 to 1014).
        1000..=1003 | 1007..=1014 => true,
        3000..=4999 => true,
        5000..=65535 => false,
    }
}

// RFC 6455 section 7.4: 6455-7.4-01, 6455-7.4.1-01, 6455-7.4.1-02, 6455-7.4.1-03, 6455-7.4.1-04, 6455-7.4.1-05, 6455-7.4.1-06,
// 6455-7.4.1-07, 6455-7.4.1-08, 6455-7.4.2-01, 6455-7.4.2-02, 6455-7.4.2-03, 6455-7.4.2-04, D9, D10
#[test]
fn both_accept_echo_or_reject_each_of_the_65536_codes() {
    for end in both() {
        for code in 0..=u16::MAX {
            let run = drive(&mut end.open(), &end.incoming(0x88, &code.to_be_bytes()), &[]);
            if is_valid_on_the_wire(code) {
                run.sees(&[close(code, "")])
                    .sends(&end.own(0x88, &code.to_be_bytes()));
            } else {
                assert_eq!(run.error, Some(Error::InvalidCloseCode(CloseCode(code))));
                assert_eq!(run.state, State::Closed);
                let frames = strict::frames_of(end.role, &run.out);
                assert_eq!((frames.len(), &frames[0].payload[..2]), (1, &b"\x03\xea"[..]));
            }
        }
    }
}

// RFC 6455 section 7.4: D10, the leniency accepts all codes except the three that never appear on the wire
#[test]
fn both_that_accept_any_close_code_still_refuse_1005_1006_and_1015() {
    for end in both_with(Config::new().accept_any_close_code(true)) {
        for code in 0..=u16::MAX {
            let run = drive(&mut end.open(), &end.incoming(0x88, &code.to_be_bytes()), &[]);
            if matches!(code, 1005 | 1006 | 1015) {
                run.fails_with(1002);
            } else {
                run.sees(&[close(code, "")])
                    .sends(&end.own(0x88, &code.to_be_bytes()));
            }
        }
    }
}

// RFC 6455 section 7.4: 6455-7.4-02 (receiving)
#[test]
fn both_receive_a_reason_of_123_bytes() {
    let reason = "é".repeat(61) + "x";
    let body = [b"\x03\xe8", reason.as_bytes()].concat();
    assert_eq!(body.len(), 125);
    for end in both() {
        let wire = end.incoming(0x88, &body);
        let every: Vec<usize> = (1..wire.len()).collect();
        drive(&mut end.open(), &wire, &every).sees(&[close(1000, &reason)]);
        drive(&mut end.open(), &wire, &[]).sees(&[close(1000, &reason)]);
    }
}

// RFC 6455 section 7.1: a summary on one line for a log
#[test]
fn closed_prints_who_how_and_which_codes() {
    let mut connection = close_first(&server());
    drive(&mut connection, &server().incoming(0x88, b""), &[]);
    assert_eq!(
        connection.receive_eof().to_string(),
        "closed locally, clean, sent 1000, received 1005"
    );
    assert_eq!(
        client().open().receive_eof().to_string(),
        "transport ended, not clean, sent none, received none"
    );
    let mut connection = client().open();
    drive(&mut connection, &[0x83], &[]);
    assert_eq!(
        connection.receive_eof().to_string(),
        "failed: peer sent reserved opcode 0x3, not clean, sent 1002, received none"
    );
    let mut connection = client().open();
    drive(&mut connection, &client().incoming(0x88, b"\x03\xe9bye"), &[]);
    assert_eq!(
        connection.receive_eof().to_string(),
        r#"closed by the peer, clean, sent 1001, received 1001 "bye""#
    );
}

// RFC 6455 section 7.1, D98: the peer may have been about to finish a message that the application has not seen
#[test]
fn closed_shows_what_the_peer_left_incomplete() {
    const NOTHING: &str = "";
    const FRAME: &str = ", peer's last frame incomplete";
    const MESSAGE: &str = ", peer's last message incomplete";
    for end in both() {
        let message = end.incoming(0x82, b"Hello");
        let first = end.incoming(0x02, b"He");
        let middle = end.incoming(0x00, b"l");
        let last = end.incoming(0x80, b"lo");
        let ping = end.incoming(0x89, b"p");
        let partial = |frame: &[u8], size: usize| frame[..size].to_vec();
        for (bytes, incomplete) in [
            (vec![], NOTHING),
            (message.clone(), NOTHING),
            (partial(&message, 1), FRAME),
            (partial(&message, 2), FRAME),
            (partial(&message, message.len() - 1), FRAME),
            ([&message[..], &message[..3]].concat(), FRAME),
            (partial(&ping, 2), FRAME),
            (first.clone(), MESSAGE),
            ([&first[..], &middle].concat(), MESSAGE),
            ([&first[..], &ping].concat(), MESSAGE),
            ([&first[..], &ping[..2]].concat(), FRAME),
            ([&first[..], &last[..1]].concat(), FRAME),
            ([&first[..], &last].concat(), NOTHING),
            (
                [&end.incoming(0x02, b"")[..], &end.incoming(0x80, b"")].concat(),
                NOTHING,
            ),
        ] {
            for delivery in [Delivery::Whole, Delivery::InPlace, Delivery::Chunks] {
                let mut connection = open(end.role, &Config::new().delivery(delivery));
                let (mut bytes, mut out) = (bytes.clone(), Vec::new());
                let mut input = &mut bytes[..];
                while connection.receive(&mut input, &mut out).unwrap().is_some() {}
                let text = format!("transport ended, not clean, sent none, received none{incomplete}");
                assert_eq!(
                    connection.receive_eof().to_string(),
                    text,
                    "{delivery:?} {bytes:x?}"
                );
                assert_eq!(connection.receive_eof().to_string(), text);
                assert_eq!(connection.closed().unwrap().to_string(), text);
            }
        }
    }
}

// RFC 6455 section 7.1, D98: what is incomplete does not matter after the peer's Close, or if the connection failed
#[test]
fn closed_shows_an_incomplete_frame_after_our_close_alone() {
    for end in both() {
        let mut connection = close_first(&end);
        drive(&mut connection, &[0x82], &[]);
        assert_eq!(
            connection.receive_eof().to_string(),
            "closed locally, not clean, sent 1000, received none, peer's last frame incomplete"
        );
        let close = [end.incoming(0x02, b"He"), end.incoming(0x88, b"")].concat();
        let mut connection = end.open();
        drive(&mut connection, &close, &[]);
        assert_eq!(
            connection.receive_eof().to_string(),
            "closed by the peer, clean, sent 1005, received 1005"
        );
        let failing = [end.incoming(0x02, b"He"), vec![0x83]].concat();
        let mut connection = end.open();
        drive(&mut connection, &failing, &[]);
        assert!(
            connection
                .receive_eof()
                .to_string()
                .ends_with("sent 1002, received none")
        );
    }
}

// RFC 6455 section 7.1.1: the buffer of a finished connection is not kept
#[test]
fn recycling_after_the_end_does_no_harm() {
    for end in both() {
        let mut connection = end.open();
        connection.receive_eof();
        connection.recycle(vec![1, 2, 3]);
        assert_eq!(connection.state(), State::Closed);
    }
}

// RFC 6455 section 7.1.6: 6455-7.1.6-01
#[test]
fn closed_keeps_the_reason_of_the_peers_close_alone() {
    for end in both() {
        let mut connection = close_first(&end);
        drive(&mut connection, &end.incoming(0x88, b"\x0f\xa1by\ne"), &[]);
        let closed = connection.receive_eof();
        assert_eq!(closed.reason(), "by\ne");
        assert!(
            closed.to_string().ends_with(r#"received 4001 "by\ne""#),
            "one line"
        );
        assert_eq!(connection.receive_eof(), closed, "as often as it is asked");
        assert_eq!(close_first(&end).receive_eof().reason(), "");
    }
}
