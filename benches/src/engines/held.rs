//! `websocket-proto` with [`Delivery::InPlace`]: a growable buffer for each connection, which holds incomplete messages.

use std::any::Any;

use websocket_proto::endpoint::ReadBuffer;
use websocket_proto::{Config, Delivery, OsEntropy};

use super::ours::Ours;
use super::{Contestant, Engine, Side};
use crate::outcome::Outcome;
use crate::scenario::Message;
use crate::wire::{Input, READ_SIZE, Role};

pub const CONTESTANT: Contestant = Contestant {
    name: "held",
    side: Side::OursHeld,
    connect: |role| Box::new(Held::new(role)),
    accept: None,
    breaks: &[],
};

struct Held {
    ours: Ours<3>,
    buffer: ReadBuffer,
}

impl Held {
    fn new(role: Role) -> Self {
        Self {
            ours: Ours::new(role, &Config::new().delivery(Delivery::InPlace), OsEntropy),
            buffer: ReadBuffer::new(READ_SIZE),
        }
    }
}

impl Engine for Held {
    fn receive(&mut self, input: Input, echo: bool, outcome: &mut Outcome) {
        let mut reader = input.reader();
        loop {
            let space = self.buffer.space(self.ours.connection.payload_remaining());
            let size = reader.read(space);
            if size == 0 {
                break;
            }
            self.buffer.filled(size);
            let left = self.ours.events(self.buffer.unread(), echo, outcome);
            self.buffer.keep(left);
        }
    }

    fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome) {
        self.ours.send(message, times, outcome);
    }

    /// Between messages, nothing is held, so other connections may use the buffer.
    fn idle(self: Box<Self>) -> Box<dyn Any> {
        Box::new(self.ours.connection)
    }
}
