//! `websocket-proto` as an `Endpoint`, with the driver of its documentation.

use std::any::Any;
use std::time::Duration;

use websocket_proto::endpoint::{Endpoint, EndpointConfig, Step};
use websocket_proto::{Config, Connection, Event, OsEntropy};

use super::{Contestant, Engine, Side};
use crate::outcome::{Kind, Outcome};
use crate::scenario::Message;
use crate::wire::{READ_SIZE, Reader, Role, Wire};

pub const CONTESTANT: Contestant = Contestant {
    name: "endpoint",
    side: Side::OursEndpoint,
    connect: |role| Box::new(Driven::new(role)),
    accept: None,
};

struct Driven {
    endpoint: Endpoint,
}

/// The transport in memory is always ready, so the clock stands.
const NOW: Duration = Duration::ZERO;

impl Driven {
    fn new(role: Role) -> Self {
        let connection = match role {
            Role::Server => Connection::server(&Config::new()),
            Role::Client => Connection::client(&Config::new(), OsEntropy),
        };
        let config = EndpointConfig::new();
        Self {
            endpoint: Endpoint::open(&config, connection, &[], NOW),
        }
    }

    /// Until nothing is left to read.
    fn drive(&mut self, mut reader: Option<Reader<'_>>, echo: bool, outcome: &mut Outcome) {
        let endpoint = &mut self.endpoint;
        endpoint.ready();
        loop {
            match endpoint.step(NOW) {
                Step::Event => {
                    while let Some((event, mut sender)) = endpoint.next_event() {
                        match event {
                            Event::Text(text) => {
                                outcome.seen.text(&text);
                                if echo {
                                    sender.send_text(&text).expect("the connection is open");
                                }
                                sender.recycle(text);
                            }
                            Event::Binary(payload) => {
                                outcome.seen.message(Kind::Binary, &payload);
                                if echo {
                                    sender.send_binary(&payload).expect("the connection is open");
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
                Step::Read => match reader
                    .as_mut()
                    .map_or(0, |reader| reader.read(endpoint.read_space()))
                {
                    0 => endpoint.read_blocked(),
                    size => endpoint.received(size),
                },
                _ => return,
            }
        }
    }
}

impl Engine for Driven {
    fn receive(&mut self, wire: &'static Wire, echo: bool, outcome: &mut Outcome) {
        self.drive(Some(wire.reader()), echo, outcome);
    }

    fn send(&mut self, message: &'static Message, times: u64, outcome: &mut Outcome) {
        let text = match message.kind {
            Kind::Text => Some(message.text()),
            Kind::Binary => None,
        };
        for _ in 0..times {
            let mut sender = self.endpoint.sender();
            match text {
                Some(text) => sender.send_text(text),
                None => sender.send_binary(&message.payload),
            }
            .expect("the connection is open");
            if sender.buffered_amount() >= READ_SIZE {
                self.drive(None, false, outcome);
            }
        }
        self.drive(None, false, outcome);
    }

    /// Buffers are lent to the endpoint that is busy.
    fn idle(mut self: Box<Self>) -> Box<dyn Any> {
        self.endpoint.take_buffers();
        Box::new(self.endpoint)
    }
}
