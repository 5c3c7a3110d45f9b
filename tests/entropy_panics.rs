//! A source of entropy that fails has to panic: the call that used it has then changed nothing (`Entropy::fill`).
#![cfg(feature = "alloc")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use websocket_proto::handshake::ClientRequest;
use websocket_proto::{CloseCode, Config, Connection, Entropy, Fin, MessageKind, Misuse, Prepared, entropy};

type Call = Box<dyn Fn(&mut Connection, &mut Vec<u8>) -> Result<(), Misuse>>;

/// A source that returns the same key each time, or panics while that is switched on.
#[derive(Clone, Default)]
struct Failing(Arc<AtomicBool>);

impl Failing {
    fn source(&self) -> impl Entropy + use<> {
        let failing = self.0.clone();
        entropy::from_fn(move |bytes| match failing.load(Ordering::Relaxed) {
            true => {
                bytes.fill(0xee);
                // A panic that prints nothing.
                resume_unwind(Box::new("no entropy"));
            }
            false => bytes.fill(7),
        })
    }

    /// Runs `call` while the source fails; it has to panic.
    #[track_caller]
    fn panics<T>(&self, call: impl FnOnce() -> T) {
        self.0.store(true, Ordering::Relaxed);
        assert!(catch_unwind(AssertUnwindSafe(call)).is_err(), "no key was drawn");
        self.0.store(false, Ordering::Relaxed);
    }
}

fn client(failing: &Failing, deflated: bool) -> Connection {
    let client = Connection::client(&Config::new(), failing.source());
    match deflated {
        true => deflate(client),
        false => client,
    }
}

#[cfg(feature = "deflate")]
fn deflate(connection: Connection) -> Connection {
    use websocket_proto::deflate::{DeflateConfig, Parameters};
    connection.with_deflate(Parameters::default(), &DeflateConfig::new().threshold(0))
}

#[cfg(not(feature = "deflate"))]
fn deflate(connection: Connection) -> Connection {
    connection
}

fn prepared() -> Prepared {
    let prepared = Prepared::text(TEXT);
    #[cfg(feature = "deflate")]
    let prepared = {
        use websocket_proto::deflate::{DeflateConfig, Window};
        prepared.with_deflate(Window::default(), &DeflateConfig::new().threshold(0))
    };
    prepared
}

const TEXT: &str = "a text that is worth compressing, a text that is worth compressing";

fn calls() -> Vec<Call> {
    vec![
        Box::new(|connection, out| connection.send_text(TEXT, out)),
        Box::new(|connection, out| connection.send_binary(TEXT.as_bytes(), out)),
        Box::new(|connection, out| connection.send_binary(b"", out)),
        Box::new(|connection, out| connection.send_prepared(&prepared(), out)),
        Box::new(|connection, out| connection.send_ping(b"ping", out)),
        Box::new(|connection, out| connection.send_pong(b"pong", out)),
        Box::new(|connection, out| {
            connection.send_fragment(MessageKind::Text, TEXT.as_bytes(), Fin::Last, out)
        }),
        Box::new(|connection, out| connection.close(CloseCode::NORMAL, "bye", out)),
    ]
}

// RFC 6455 section 5.3: D80: the output is unchanged, and later output is what it would have been without the call
#[test]
fn failing_source_leaves_output_and_connection_as_they_were() {
    for deflated in [false, true] {
        for call in calls() {
            let failing = Failing::default();
            let (mut connection, mut out) = (client(&failing, deflated), Vec::new());
            let (mut other, mut expected) = (client(&failing, deflated), Vec::new());
            for (connection, out) in [(&mut connection, &mut out), (&mut other, &mut expected)] {
                connection.send_text("before, a text that is worth", out).unwrap();
            }
            failing.panics(|| call(&mut connection, &mut out));
            assert_eq!(out, expected, "the output is untouched");
            for (connection, out) in [(&mut connection, &mut out), (&mut other, &mut expected)] {
                call(connection, out).unwrap();
                let after = connection.send_text("after, a text that is worth", out);
                assert_eq!(after.is_ok(), connection.is_open());
            }
            assert_eq!(out, expected, "the connection is as it was");
        }
    }
}

// RFC 6455 section 5.3: D80, in the middle of a message
#[test]
fn failing_source_leaves_a_fragmented_message_as_it_was() {
    for deflated in [false, true] {
        let failing = Failing::default();
        let (mut connection, mut out) = (client(&failing, deflated), Vec::new());
        let (mut other, mut expected) = (client(&failing, deflated), Vec::new());
        for (part, fin) in [
            ("caf\u{e9}", Fin::More),
            (TEXT, Fin::More),
            ("", Fin::Last),
            ("x", Fin::Last),
        ] {
            let send = |connection: &mut Connection, out: &mut Vec<u8>| {
                connection.send_fragment(MessageKind::Text, part.as_bytes(), fin, out)
            };
            failing.panics(|| send(&mut connection, &mut out));
            assert_eq!(out, expected, "the output is untouched");
            send(&mut connection, &mut out).unwrap();
            send(&mut other, &mut expected).unwrap();
            assert_eq!(out, expected, "the message goes on");
        }
    }
}

// RFC 6455 section 5.3: D80, a payload that is masked in place
#[test]
fn failing_source_leaves_a_payload_in_place_as_it_was() {
    let failing = Failing::default();
    let (mut connection, mut out) = (client(&failing, false), b"before".to_vec());
    let mut payload = *b"payload";
    failing.panics(|| connection.send_in_place(MessageKind::Binary, &mut payload, &mut out));
    assert_eq!((&out[..], &payload), (&b"before"[..], b"payload"));
    connection
        .send_in_place(MessageKind::Binary, &mut payload, &mut out)
        .unwrap();
    assert_eq!(out, b"before\x82\x87\x07\x07\x07\x07");
    assert_eq!(payload, b"payload".map(|byte| byte ^ 7));
}

// RFC 6455 sections 5.3 and 7.1.7: D80, automatic replies; a Close that is due stays due
#[test]
fn failing_source_leaves_the_output_of_receive_as_it_was() {
    let failing = Failing::default();
    for wire in [&b"\x89\x01p"[..], b"\x88\x02\x03\xe8", b"\x83\x00"] {
        let (mut connection, mut out) = (client(&failing, false), b"before".to_vec());
        let mut wire = wire.to_vec();
        failing.panics(|| connection.receive(&mut &mut wire[..], &mut out).map(drop));
        assert_eq!(out, b"before");
        if wire[0] == 0x83 {
            let repeated = connection.receive(&mut &mut [][..], &mut out);
            assert!(repeated.is_err() && out.starts_with(b"before\x88"), "{out:?}");
        }
    }
}

// RFC 6455 section 4.1: D80, the nonce
#[test]
fn failing_source_leaves_the_request_unwritten() {
    let failing = Failing::default();
    let mut out = b"before".to_vec();
    let request = ClientRequest::new("example.com", "/").unwrap();
    let config = Config::new();
    failing.panics(|| request.clone().start(&config, failing.source(), &mut out));
    assert_eq!(out, b"before");
    failing.panics(|| request.start_upgrade(&config, failing.source()));
}
