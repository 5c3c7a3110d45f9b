//! The bound on output, `EndpointConfig::max_buffered`, against a count of its own, in every order of a few acts.
#![cfg(feature = "alloc")]

mod common;

use common::*;
use std::time::Duration;
use websocket_proto::endpoint::{Endpoint, EndpointConfig, SendError};
use websocket_proto::{Config, Event, Role};

const LIMIT: usize = 24;
const DEPTH: u32 = 5;
/// A payload that is sent back in a frame of 12 bytes, by the endpoint or by its caller.
const PAYLOAD: &[u8] = &[7; 10];
const FRAME: usize = 2 + PAYLOAD.len();

#[derive(Clone, Copy, Debug)]
enum Act {
    Ping,
    Message,
    /// The next event is requested, and a message is replied to.
    Take,
    Send,
    Write(usize),
}

const ACTS: [Act; 6] = [
    Act::Ping,
    Act::Message,
    Act::Take,
    Act::Send,
    Act::Write(7),
    Act::Write(FRAME),
];

/// An endpoint, and independent counts of its pending input and output.
struct Counted {
    endpoint: Endpoint,
    frames: usize,
    waiting: usize,
    /// How much of the output does not count as replies: everything sent without an event, or the entire output if that is less.
    sent: usize,
}

impl Counted {
    fn new() -> Self {
        let config = EndpointConfig::new().max_buffered(LIMIT);
        Self {
            endpoint: Endpoint::from_connection(
                &config,
                open(Role::Server, &Config::new()),
                &[],
                Duration::ZERO,
            ),
            frames: 0,
            waiting: 0,
            sent: 0,
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Ping => self.read(0x89),
            Act::Message => self.read(0x82),
            Act::Take => self.take(),
            Act::Send => self.send(),
            Act::Write(size) => self.write(size),
        }
        assert_eq!(self.endpoint.output().len(), self.waiting);
    }

    fn read(&mut self, first: u8) {
        self.endpoint.receive(&server().all_incoming(&[(first, PAYLOAD)]));
        self.frames += 1;
    }

    fn take(&mut self) {
        let is_full = self.waiting - self.sent >= LIMIT;
        let event = self.endpoint.next_event();
        assert_eq!(event.is_some(), self.frames > 0 && !is_full);
        let Some((event, mut sender)) = event else {
            return;
        };
        if let Event::Binary(payload) = event {
            sender
                .send_binary(&payload)
                .expect("each event may be replied to");
        }
        self.frames -= 1;
        self.waiting += FRAME;
    }

    fn send(&mut self) {
        let sent = self.endpoint.sender().send_binary(PAYLOAD);
        if self.waiting >= LIMIT {
            let (waiting, limit) = (self.waiting, LIMIT);
            assert_eq!(sent, Err(SendError::Full { waiting, limit }));
            return;
        }
        assert_eq!(sent, Ok(()));
        self.waiting += FRAME;
        self.sent += FRAME;
    }

    fn write(&mut self, size: usize) {
        self.endpoint.written(size);
        self.waiting = self.waiting.saturating_sub(size);
        self.sent = self.sent.min(self.waiting);
    }
}

// D88: an event is returned if and only if the buffered replies are within the limit, also if the caller takes events one after
// another without a step; a message is sent without an event if and only if all buffered output is
#[test]
#[cfg_attr(miri, ignore = "many sequences")]
fn bound_holds_in_every_order_of_acts() {
    for number in 0..ACTS.len().pow(DEPTH) {
        let acts = (0..DEPTH).map(|place| ACTS[number / ACTS.len().pow(place) % ACTS.len()]);
        let mut counted = Counted::new();
        // Enough of both for the bound to matter.
        for act in [Act::Ping, Act::Message, Act::Ping, Act::Message]
            .into_iter()
            .chain(acts)
        {
            counted.act(act);
        }
        (0..4).for_each(|_| counted.act(Act::Take));
    }
}
