//! `websocket-proto`, with the loop of its documentation: one read buffer, which all connections of a thread may share.

use std::any::Any;
use std::cell::RefCell;

use websocket_proto::handshake::ServerHandshake;
use websocket_proto::{Config, Connection, Event, Misuse, OsEntropy};

use super::{Contestant, Engine, Side};
use crate::outcome::{Kind, Outcome, Sent};
use crate::scenario::Message;
use crate::wire::{READ_SIZE, Role, Wire};

pub const CONTESTANT: Contestant = Contestant {
    name: "ours",
    side: Side::Ours,
    connect: |role| Box::new(Ours::new(role, &Config::new())),
    accept: Some(accept),
};

pub struct Ours {
    pub connection: Connection,
    pub buffer: Vec<u8>,
    pub out: Vec<u8>,
}

impl Ours {
    pub fn new(role: Role, config: &Config) -> Self {
        Self {
            connection: match role {
                Role::Server => Connection::server(config),
                Role::Client => Connection::client(config, OsEntropy),
            },
            buffer: vec![0; READ_SIZE],
            out: Vec::new(),
        }
    }

    /// Takes all events in the input; what is left of it is held.
    pub fn events(&mut self, start: usize, end: usize, echo: bool, outcome: &mut Outcome) -> usize {
        let mut input = &mut self.buffer[start..end];
        while let Some(event) = self
            .connection
            .receive(&mut input, &mut self.out)
            .expect("the bytes are valid")
        {
            match event {
                Event::Text(text) => {
                    outcome.seen.text(&text);
                    if echo {
                        self.connection
                            .send_text(&text, &mut self.out)
                            .expect("the connection is open");
                    }
                }
                Event::Binary(payload) => {
                    outcome.seen.message(Kind::Binary, &payload);
                    if echo {
                        self.connection
                            .send_binary(&payload, &mut self.out)
                            .expect("the connection is open");
                    }
                }
                _ => {}
            }
        }
        let left = input.len();
        self.write(&mut outcome.sent);
        left
    }

    fn send_each(
        &mut self,
        times: u64,
        outcome: &mut Outcome,
        send: impl Fn(&mut Connection, &mut Vec<u8>) -> Result<(), Misuse>,
    ) {
        for _ in 0..times {
            send(&mut self.connection, &mut self.out).expect("the connection is open");
            if self.out.len() >= READ_SIZE {
                self.write(&mut outcome.sent);
            }
        }
        self.write(&mut outcome.sent);
    }

    fn write(&mut self, sent: &mut Sent) {
        if !self.out.is_empty() {
            sent.write(&self.out);
            self.out.clear();
        }
    }
}

impl Engine for Ours {
    fn receive(&mut self, wire: &'static Wire, echo: bool, outcome: &mut Outcome) {
        for read in wire.reads() {
            self.buffer[..read.len()].copy_from_slice(read);
            self.events(0, read.len(), echo, outcome);
        }
    }

    fn send(&mut self, message: &'static Message, times: u64, outcome: &mut Outcome) {
        match message.kind {
            Kind::Text => {
                let text = message.text();
                self.send_each(times, outcome, |connection, out| connection.send_text(text, out));
            }
            Kind::Binary => {
                let payload = &message.payload;
                self.send_each(times, outcome, |connection, out| {
                    connection.send_binary(payload, out)
                });
            }
        }
    }

    fn idle(self: Box<Self>) -> Box<dyn Any> {
        Box::new(self.connection)
    }
}

/// With a read buffer and an output that all connections of a thread may share.
fn accept(request: &'static [u8], outcome: &mut Outcome) {
    thread_local! {
        static BUFFERS: RefCell<(Vec<u8>, Vec<u8>)> = RefCell::new((vec![0; READ_SIZE], Vec::new()));
    }
    BUFFERS.with_borrow_mut(|(buffer, out)| {
        buffer[..request.len()].copy_from_slice(request);
        let mut input = &mut buffer[..request.len()];
        let mut handshake = ServerHandshake::new(&Config::new());
        let request = handshake.receive(&mut input, out).expect("the request is valid");
        let request = request.expect("the request is whole");
        drop(request.upgrade(out).expect("the request is valid").accept(out));
        outcome.sent.write(out);
        out.clear();
    });
}
