//! `tungstenite`, over a transport in memory.
//!
//! In its favour: messages to send are `Bytes` already, and cloned by reference. Its buffers have the size of a read or write here;
//! its default of 128 KiB costs it more.

use std::any::Any;
use std::io::{self, ErrorKind, Read, Write};

use bytes::Bytes;
use tungstenite::protocol::{Role as TungsteniteRole, WebSocketConfig};
use tungstenite::{Error, Message as TungsteniteMessage, Utf8Bytes, WebSocket};

use super::{Contestant, Engine, hello};
use crate::outcome::{Check, Kind, Outcome, Sent};
use crate::scenario::Message;
use crate::wire::{READ_SIZE, Role, Wire};

pub const CONTESTANT: Contestant = Contestant {
    name: "tungstenite",
    connect: |role| Box::new(Tungstenite::new(role)),
    idle: Some(idle),
    verified: true,
};

struct Tungstenite(WebSocket<Transport>);

/// Reads from the wire until it is empty, and would then block.
struct Transport {
    wire: Option<&'static Wire>,
    at: usize,
    sent: Sent,
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.wire.map_or(&[][..], |wire| wire.read(self.at, buffer.len()));
        if read.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        buffer[..read.len()].copy_from_slice(read);
        self.at += read.len();
        Ok(read.len())
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tungstenite {
    fn new(role: Role) -> Self {
        let role = match role {
            Role::Server => TungsteniteRole::Server,
            Role::Client => TungsteniteRole::Client,
        };
        let transport = Transport {
            wire: None,
            at: 0,
            sent: Sent::new(Check::Quick),
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_SIZE)
            .write_buffer_size(READ_SIZE);
        Self(WebSocket::from_raw_socket(transport, role, Some(config)))
    }

    fn finish(&mut self, outcome: &mut Outcome) {
        self.0.flush().expect("the transport takes all");
        std::mem::swap(&mut self.0.get_mut().sent, &mut outcome.sent);
    }
}

impl Engine for Tungstenite {
    fn receive(&mut self, wire: &'static Wire, echo: bool, outcome: &mut Outcome) {
        let transport = self.0.get_mut();
        (transport.wire, transport.at) = (Some(wire), 0);
        std::mem::swap(&mut transport.sent, &mut outcome.sent);
        loop {
            let message = match self.0.read() {
                Ok(message) => message,
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("the bytes are valid: {error}"),
            };
            match &message {
                TungsteniteMessage::Text(text) => outcome.seen.text(text),
                TungsteniteMessage::Binary(payload) => outcome.seen.message(Kind::Binary, payload),
                _ => continue,
            }
            if echo {
                self.0.write(message).expect("the connection is open");
            }
        }
        self.finish(outcome);
    }

    fn send(&mut self, message: &'static Message, times: u64, outcome: &mut Outcome) {
        std::mem::swap(&mut self.0.get_mut().sent, &mut outcome.sent);
        let message = match message.kind {
            Kind::Text => TungsteniteMessage::Text(Utf8Bytes::from_static(message.text())),
            Kind::Binary => TungsteniteMessage::Binary(Bytes::from_static(&message.payload)),
        };
        for _ in 0..times {
            self.0.write(message.clone()).expect("the connection is open");
        }
        self.finish(outcome);
    }
}

fn idle() -> Box<dyn Any> {
    let mut tungstenite = Tungstenite::new(Role::Server);
    tungstenite.receive(hello(), true, &mut Outcome::new(Check::Quick));
    Box::new(tungstenite.0)
}
