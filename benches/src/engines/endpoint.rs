//! `websocket-proto` as an `Endpoint`, with the driver of its documentation.

use std::any::Any;
use std::time::Duration;

use websocket_proto::endpoint::{Endpoint, EndpointConfig, Sender, Step, VectoredWrite};
use websocket_proto::{Config, Connection, Event, OsEntropy};

use super::ours::Outgoing;
use super::{Contestant, Engine, LARGE, Side};
use crate::outcome::{Kind, Outcome, Sent};
use crate::scenario::Message;
use crate::wire::{Input, READ_SIZE, Reader, Role, WRITE_SIZE};

pub const CONTESTANT: Contestant = Contestant {
    name: "endpoint",
    side: Side::OursEndpoint,
    connect: |role| Box::new(Driven::new(role)),
    accept: None,
    breaks: &[],
};

struct Driven {
    endpoint: Endpoint,
    /// The size from which payloads are written without a copy.
    large: usize,
}

/// The in-memory transport is always ready, so the clock does not advance.
const NOW: Duration = Duration::ZERO;

impl Driven {
    fn new(role: Role) -> Self {
        let connection = match role {
            Role::Server => Connection::server(&Config::new()),
            Role::Client => Connection::client(&Config::new(), OsEntropy),
        };
        let config = EndpointConfig::new().max_read_size(READ_SIZE);
        Self {
            endpoint: Endpoint::from_connection(&config, connection, &[], NOW),
            large: match role {
                Role::Server => LARGE,
                Role::Client => usize::MAX,
            },
        }
    }

    /// Writes what waits, as the documentation of `flush_step` says for a caller that only sends.
    fn flush(&mut self, sent: &mut Sent) {
        let endpoint = &mut self.endpoint;
        while let Some(step) = endpoint.flush_step(NOW) {
            match step {
                Step::Write => {
                    sent.write(endpoint.output());
                    endpoint.written(endpoint.output().len());
                }
                // The last step.
                Step::Flush => return endpoint.flushed(),
                _ => return,
            }
        }
    }

    /// Runs until nothing is left to read.
    fn drive(&mut self, mut reader: Reader, echo: bool, outcome: &mut Outcome) {
        let (endpoint, large) = (&mut self.endpoint, self.large);
        endpoint.ready();
        loop {
            match endpoint.step(NOW) {
                Step::Event => {
                    let mut events = endpoint.events();
                    while let Some((event, mut sender)) = events.next() {
                        match event {
                            Event::Text(text) => {
                                outcome.seen.text(&text);
                                if echo {
                                    send(&mut sender, Outgoing::Text(&text), large, &mut outcome.sent);
                                }
                                sender.recycle(text);
                            }
                            Event::Binary(payload) => {
                                outcome.seen.message(Kind::Binary, &payload);
                                if echo {
                                    send(&mut sender, Outgoing::Binary(&payload), large, &mut outcome.sent);
                                }
                                sender.recycle(payload);
                            }
                            _ => {}
                        }
                    }
                }
                Step::Write => {
                    outcome.sent.write(endpoint.output());
                    endpoint.written(endpoint.output().len());
                }
                Step::Flush => endpoint.flushed(),
                Step::Read => match reader.read(endpoint.read_space()) {
                    0 => endpoint.read_blocked(),
                    size => endpoint.received(size),
                },
                _ => return,
            }
        }
    }
}

#[inline(always)]
fn send(sender: &mut Sender<'_>, message: Outgoing<'_>, large: usize, sent: &mut Sent) {
    match message {
        Outgoing::Text(text) if text.len() >= large => {
            write(
                sender.send_text_vectored(text).expect("the connection is open"),
                sent,
            );
        }
        Outgoing::Binary(payload) if payload.len() >= large => {
            write(
                sender
                    .send_binary_vectored(payload)
                    .expect("the connection is open"),
                sent,
            );
        }
        Outgoing::Text(text) => sender.send_text(text).expect("the connection is open"),
        Outgoing::Binary(payload) => sender.send_binary(payload).expect("the connection is open"),
    }
}

#[inline(always)]
fn write(mut write: VectoredWrite<'_>, sent: &mut Sent) {
    let slices = write.slices();
    sent.write_vectored(slices);
    let size = slices.map(<[u8]>::len).iter().sum();
    write.written(size);
}

impl Engine for Driven {
    fn receive(&mut self, input: Input, echo: bool, outcome: &mut Outcome) {
        self.drive(input.reader(), echo, outcome);
    }

    fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome) {
        let outgoing = match message.kind {
            Kind::Text => Outgoing::Text(message.text()),
            Kind::Binary => Outgoing::Binary(message.payload),
        };
        for _ in 0..times {
            let mut sender = self.endpoint.sender();
            send(&mut sender, outgoing, self.large, &mut outcome.sent);
            if sender.buffered_amount() >= WRITE_SIZE {
                self.flush(&mut outcome.sent);
            }
        }
        self.flush(&mut outcome.sent);
    }

    /// The buffers are not counted: they are lent to the endpoint that is active.
    fn idle(mut self: Box<Self>) -> Box<dyn Any> {
        self.endpoint.take_buffers();
        Box::new(self.endpoint)
    }
}
