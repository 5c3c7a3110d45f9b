//! `tungstenite`, over an in-memory transport.
//!
//! In its favor: messages to send are already `Bytes`, and cloned by reference. Its buffers have the size of a read or write here; its
//! default of 128 KiB would be slower.

use std::any::Any;
use std::io::ErrorKind;

use bytes::Bytes;
use tungstenite::protocol::{Role as PeerRole, WebSocketConfig};
use tungstenite::{Error, Message as PeerMessage, Utf8Bytes, WebSocket};

use super::link::Link;
use crate::engines::{Contestant, Engine, Side};
use crate::outcome::{Kind, Outcome};
use crate::scenario::Message;
use crate::wire::{Input, READ_SIZE, Role, WRITE_SIZE};

pub const CONTESTANT: Contestant = Contestant {
    name: "tungstenite",
    side: Side::Peer,
    connect: |role| Box::new(Tungstenite::new(role)),
    accept: Some(accept),
    breaks: &[],
};

struct Tungstenite(WebSocket<Link>);

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_SIZE)
        .write_buffer_size(WRITE_SIZE)
}

impl Tungstenite {
    fn new(role: Role) -> Self {
        let role = match role {
            Role::Server => PeerRole::Server,
            Role::Client => PeerRole::Client,
        };
        Self(WebSocket::from_raw_socket(Link, role, Some(config())))
    }

    fn finish(&mut self, outcome: &mut Outcome) {
        self.0.flush().expect("the transport accepts everything");
        outcome.sent = Link::end();
    }
}

impl Engine for Tungstenite {
    fn receive(&mut self, input: Input, echo: bool, outcome: &mut Outcome) {
        Link::begin(input.bytes, outcome.take_sent());
        loop {
            let message = match self.0.read() {
                Ok(message) => message,
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("the bytes are valid: {error}"),
            };
            match &message {
                PeerMessage::Text(text) => outcome.seen.text(text),
                PeerMessage::Binary(payload) => outcome.seen.message(Kind::Binary, payload),
                _ => continue,
            }
            if echo {
                self.0.write(message).expect("the connection is open");
            }
        }
        self.finish(outcome);
    }

    fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome) {
        Link::begin(&[], outcome.take_sent());
        let message = match message.kind {
            Kind::Text => PeerMessage::Text(Utf8Bytes::from_static(message.text())),
            Kind::Binary => PeerMessage::Binary(Bytes::from_static(message.payload)),
        };
        for _ in 0..times {
            self.0.write(message.clone()).expect("the connection is open");
        }
        self.finish(outcome);
    }

    fn idle(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

fn accept(request: &'static [u8], outcome: &mut Outcome) {
    Link::begin(request, outcome.take_sent());
    drop(tungstenite::accept_with_config(Link, Some(config())).expect("the request is valid"));
    outcome.sent = Link::end();
}
