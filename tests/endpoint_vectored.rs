//! Messages whose payload is not copied into the output of an endpoint: `VectoredWrite`.
#![cfg(feature = "alloc")]

mod common;

use common::*;
use std::time::Duration;
use websocket_proto::endpoint::{Endpoint, EndpointConfig, SendError, Sender, Step, Timeout, VectoredWrite};
use websocket_proto::{CloseCode, Config, Event, MessageKind, Misuse, Role};

const NOW: Duration = Duration::ZERO;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum How {
    Text,
    Binary,
    TextInPlace,
    BinaryInPlace,
}

const ALL: [How; 4] = [How::Text, How::Binary, How::TextInPlace, How::BinaryInPlace];

impl How {
    fn kind(self) -> MessageKind {
        match self {
            Self::Text | Self::TextInPlace => MessageKind::Text,
            Self::Binary | Self::BinaryInPlace => MessageKind::Binary,
        }
    }

    fn send<'s>(
        self,
        sender: &'s mut Sender<'_>,
        payload: &'s mut [u8],
    ) -> Result<VectoredWrite<'s>, SendError> {
        match self {
            Self::Text => sender.send_text_vectored(std::str::from_utf8(payload).unwrap()),
            Self::Binary => sender.send_binary_vectored(payload),
            Self::TextInPlace | Self::BinaryInPlace => sender.send_in_place(self.kind(), payload),
        }
    }
}

fn opened(role: Role, config: &EndpointConfig) -> Endpoint {
    Endpoint::from_connection(config, open(role, &Config::new()), &[], NOW)
}

/// Writes and flushes the output, at most `size` bytes at a time.
fn write_rest(endpoint: &mut Endpoint, size: usize, wire: &mut Vec<u8>) {
    loop {
        match endpoint.flush_step(NOW) {
            Some(Step::Write) => {
                let output = endpoint.output();
                let size = size.min(output.len());
                wire.extend(&output[..size]);
                endpoint.written(size);
            }
            Some(Step::Flush) => endpoint.flushed(),
            None => return,
            step => panic!("{step:?}"),
        }
    }
}

// RFC 6455 section 5.2, D94: the same bytes as for a copied message, wherever the vectored write is split
#[test]
fn every_cut_of_a_vectored_write_sends_the_same_bytes() {
    let text = "a text of some length; ".repeat(9);
    for role in [Role::Server, Role::Client] {
        for how in ALL {
            let mut expected = Vec::new();
            let mut endpoint = opened(role, &EndpointConfig::new());
            endpoint.sender().send_ping(b"before").unwrap();
            match how.kind() {
                MessageKind::Text => endpoint.sender().send_text(&text).unwrap(),
                MessageKind::Binary => endpoint.sender().send_binary(text.as_bytes()).unwrap(),
            }
            endpoint.sender().send_text("after").unwrap();
            write_rest(&mut endpoint, usize::MAX, &mut expected);
            for first in 0..=expected.len() {
                for second in [0, 1, 100] {
                    let mut wire = Vec::new();
                    let mut endpoint = opened(role, &EndpointConfig::new());
                    let mut payload = text.clone().into_bytes();
                    let mut sender = endpoint.sender();
                    sender.send_ping(b"before").unwrap();
                    let mut write = how.send(&mut sender, &mut payload).unwrap();
                    for size in [first, second] {
                        let all = write.slices().concat();
                        let size = size.min(all.len());
                        wire.extend(&all[..size]);
                        write.written(size);
                        assert_eq!(write.slices().concat(), all[size..]);
                    }
                    drop(write);
                    let waiting = sender.buffered_amount();
                    assert_eq!(wire.len() + waiting + 2 + 5 + mask_size(role), expected.len());
                    sender.send_text("after").unwrap();
                    write_rest(&mut endpoint, 50, &mut wire);
                    assert_eq!(wire, expected, "{role:?} {how:?} {first} {second}");
                }
            }
        }
    }
}

fn mask_size(role: Role) -> usize {
    match role {
        Role::Server => 0,
        Role::Client => 4,
    }
}

// D94: unwritten payload counts towards the bound, and written payload no longer does
#[test]
fn bound_counts_the_part_of_the_payload_that_is_left() {
    let config = EndpointConfig::new().max_buffered(100);
    for how in ALL {
        let mut endpoint = opened(Role::Server, &config);
        let mut payload = [b'x'; 150];
        let mut sender = endpoint.sender();
        let mut write = how.send(&mut sender, &mut payload).unwrap();
        write.written(4 + 49);
        drop(write);
        assert_eq!(sender.buffered_amount(), 101);
        let full = SendError::Full {
            waiting: 101,
            limit: 100,
        };
        assert_eq!(how.send(&mut sender, &mut payload).map(drop), Err(full));
        assert_eq!(payload, [b'x'; 150]);
        sender.close(CloseCode::NORMAL, "").unwrap();
        let closed = Err(SendError::NotOpen);
        endpoint.written(50);
        assert_eq!(how.send(&mut endpoint.sender(), &mut payload).map(drop), closed);
    }
}

// D88, D94: output caused by an event delays further events; output sent by the caller does not
#[test]
fn vectored_replies_delay_events() {
    let config = EndpointConfig::new().max_buffered(100);
    for accepts in [0, 1000] {
        let mut endpoint = opened(Role::Server, &config);
        let message = "0123456789".repeat(9);
        let frame = server().incoming(0x81, message.as_bytes());
        endpoint.receive(&[&frame[..], &frame, &frame].concat());
        endpoint.sender().send_text_vectored(&message).map(drop).unwrap();
        assert_eq!(endpoint.step(NOW), Step::Event);
        let mut events = 0;
        while let Some((event, mut sender)) = endpoint.next_event() {
            let Event::Text(text) = event else { panic!() };
            let mut write = sender.send_text_vectored(&text).unwrap();
            write.written(accepts);
            events += 1;
        }
        assert_eq!(events, if accepts == 0 { 2 } else { 3 });
        assert_eq!(endpoint.output().len(), if accepts == 0 { 3 * 92 } else { 0 });
    }
}

// D86, D92, D94: the write timeout starts with the rest, written bytes have to be flushed, and the Close follows
#[test]
fn deadline_flush_and_end_follow_a_vectored_write() {
    for written in [0, 50, 103] {
        let mut endpoint = opened(Role::Server, &EndpointConfig::new());
        let payload = [7; 101];
        let mut sender = endpoint.sender();
        let mut write = sender.send_binary_vectored(&payload).unwrap();
        write.written(written);
        if written < 103 {
            write.write_blocked();
        }
        drop(write);
        let step = endpoint.flush_step(Duration::from_secs(1));
        if written == 103 {
            assert_eq!(step, Some(Step::Flush));
            endpoint.flushed();
            endpoint.sender().close(None, "").unwrap();
            assert_eq!(endpoint.output(), b"\x88\0");
            continue;
        }
        assert!(matches!(step, Some(Step::Wait(_))));
        assert_eq!(endpoint.deadline(), Some(Duration::from_secs(11)));
        endpoint.sender().close(None, "").unwrap();
        assert_eq!(endpoint.step(Duration::from_secs(11)), Step::Done);
        let end = endpoint.into_end();
        assert_eq!(end.timeout(), Some(Timeout::Write));
        assert_eq!(end.closed().unwrap().code_sent(), None);
    }
}

// D87, D94: a transport that fails during a vectored write, as during any other
#[test]
fn failure_under_a_vectored_write_is_that_of_the_endpoint() {
    let mut endpoint = opened(Role::Server, &EndpointConfig::new());
    let payload = [7; 101];
    let mut sender = endpoint.sender();
    let mut write = sender.send_binary_vectored(&payload).unwrap();
    write.written(50);
    write.write_failed("broken pipe");
    drop(write);
    assert_eq!(endpoint.step(NOW), Step::Read, "the peer's Close may be there");
    assert!(endpoint.output().is_empty());
    assert_eq!(endpoint.flush_step(NOW), Some(Step::Done));
    assert_eq!(endpoint.deadline(), Some(Duration::from_secs(2)));
    endpoint.received(0);
    while endpoint.step(NOW) == Step::Event {
        assert!(endpoint.next_event().is_none());
    }
    let end = endpoint.into_end();
    assert_eq!(end.to_string(), "transport failed: broken pipe, not clean");
}

// RFC 6455 sections 5.6 and 8.1
#[test]
fn text_in_place_has_to_be_utf8() {
    for role in [Role::Server, Role::Client] {
        let mut endpoint = opened(role, &EndpointConfig::new());
        let mut payload = *b"\xff\xfe";
        let sent = endpoint
            .sender()
            .send_in_place(MessageKind::Text, &mut payload)
            .map(drop);
        assert_eq!(sent, Err(SendError::Misuse(Misuse::InvalidUtf8)));
        assert_eq!((endpoint.output().len(), payload), (0, *b"\xff\xfe"));
    }
}

// A std transport, each call of which may do anything
#[cfg(feature = "std")]
#[test]
fn transport_of_std_is_written_by_one_call() {
    use std::io::{Error, ErrorKind, IoSlice, Result, Write};

    struct Transport(Option<ErrorKind>, Vec<u8>);

    impl Write for Transport {
        fn write(&mut self, _: &[u8]) -> Result<usize> {
            panic!("it is vectored")
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> Result<usize> {
            if let Some(kind) = self.0 {
                return Err(Error::from(kind));
            }
            slices.iter().for_each(|slice| self.1.extend(&slice[..]));
            Ok(self.1.len())
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    let cases = [
        (None, Some(Step::Flush)),
        (Some(ErrorKind::Interrupted), Some(Step::Write)),
        (
            Some(ErrorKind::WouldBlock),
            Some(Step::Wait(websocket_proto::endpoint::Interest::Writable)),
        ),
        (Some(ErrorKind::BrokenPipe), Some(Step::Done)),
    ];
    for (kind, step) in cases {
        let mut endpoint = opened(Role::Server, &EndpointConfig::new());
        let mut transport = Transport(kind, Vec::new());
        let payload = [7; 300];
        let mut sender = endpoint.sender();
        sender
            .send_binary_vectored(&payload)
            .unwrap()
            .write_to(&mut transport);
        assert_eq!(endpoint.flush_step(NOW), step, "{kind:?}");
        assert_eq!(transport.1.len(), if kind.is_none() { 304 } else { 0 });
    }
}

// The payload is not shown; the sizes of the header and of the payload are.
#[test]
fn debug_of_a_write_shows_sizes_only() {
    let mut endpoint = opened(Role::Server, &EndpointConfig::new());
    let mut sender = endpoint.sender();
    let write = sender.send_text_vectored("secret").unwrap();
    assert_eq!(format!("{write:?}"), "VectoredWrite { sizes: [2, 6], .. }");
}
