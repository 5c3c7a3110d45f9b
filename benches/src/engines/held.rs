//! `websocket-proto` with [`Delivery::InPlace`]: a growable buffer for each connection, in which cut messages stay.

use std::any::Any;

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
    ours: Ours,
    /// Where the bytes that are held begin and end.
    start: usize,
    end: usize,
}

impl Held {
    fn new(role: Role) -> Self {
        let mut ours = Ours::new(role, &Config::new().delivery(Delivery::InPlace), OsEntropy);
        ours.buffer.resize(READ_SIZE + SPARE, 0);
        Self {
            ours,
            start: 0,
            end: 0,
        }
    }

    /// Makes room for a read behind what is held, and for all of a message that has begun.
    fn make_room(&mut self) {
        let buffer = &mut self.ours.buffer;
        let held = self.end - self.start;
        let missing = (self.ours.connection.payload_remaining() as usize).saturating_sub(held);
        let wanted = missing.max(1);
        if self.end + wanted > buffer.len() {
            buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, held);
        }
        if self.end + wanted > buffer.len() {
            buffer.resize(self.end + wanted + READ_SIZE, 0);
        }
    }
}

impl Engine for Held {
    fn receive(&mut self, input: Input, echo: bool, outcome: &mut Outcome) {
        let mut reader = input.reader();
        loop {
            self.make_room();
            let size = reader.read(&mut self.ours.buffer[self.end..]);
            if size == 0 {
                break;
            }
            self.end += size;
            let left = self.ours.events(self.start, self.end, echo, outcome);
            self.start = self.end - left;
            if left == 0 {
                (self.start, self.end) = (0, 0);
            }
        }
    }

    fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome) {
        self.ours.send(message, times, outcome);
    }

    /// Between messages nothing is held, and the buffer may serve another connection.
    fn idle(self: Box<Self>) -> Box<dyn Any> {
        Box::new(self.ours.connection)
    }
}

/// The buffer is larger than a read by this, so that a message of a read's size fits into it with its header and some of the next one.
const SPARE: usize = 8 * 1024;
