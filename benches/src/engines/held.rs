//! `websocket-proto` with [`Config::hold`]: a growable buffer for each connection, in which cut messages stay.

use std::any::Any;

use websocket_proto::Config;

use super::ours::Ours;
use super::{Contestant, Engine, Side};
use crate::outcome::Outcome;
use crate::scenario::Message;
use crate::wire::{READ_SIZE, Role, Wire};

pub const CONTESTANT: Contestant = Contestant {
    name: "held",
    side: Side::OursHeld,
    connect: |role| Box::new(Held::new(role)),
    accept: None,
};

struct Held {
    ours: Ours,
    /// Where the bytes that are held begin and end.
    start: usize,
    end: usize,
}

impl Held {
    fn new(role: Role) -> Self {
        let ours = Ours::new(role, &Config::new().hold(true));
        Self {
            ours,
            start: 0,
            end: 0,
        }
    }

    /// Makes room for a read behind what is held.
    fn make_room(&mut self) {
        let buffer = &mut self.ours.buffer;
        let wanted = (self.ours.connection.remaining() as usize).max(self.end - self.start) + READ_SIZE;
        if self.start + wanted > buffer.len() {
            buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            buffer.resize(wanted.max(buffer.len()), 0);
        }
    }
}

impl Engine for Held {
    fn receive(&mut self, wire: &'static Wire, echo: bool, outcome: &mut Outcome) {
        for read in wire.reads() {
            self.make_room();
            self.ours.buffer[self.end..][..read.len()].copy_from_slice(read);
            self.end += read.len();
            let left = self.ours.events(self.start, self.end, echo, outcome);
            self.start = self.end - left;
            if left == 0 {
                (self.start, self.end) = (0, 0);
            }
        }
    }

    fn send(&mut self, message: &'static Message, times: u64, outcome: &mut Outcome) {
        self.ours.send(message, times, outcome);
    }

    /// Between messages nothing is held, and the buffer may serve another connection.
    fn idle(self: Box<Self>) -> Box<dyn Any> {
        Box::new(self.ours.connection)
    }
}
