//! `websocket-proto`, with the loop of its documentation: one read buffer, which all connections of a thread may share.

use std::any::Any;
use std::cell::RefCell;
use std::hint::black_box;

use websocket_proto::handshake::ServerHandshake;
use websocket_proto::{Config, Connection, Entropy, Event, OsEntropy};

use super::{Contestant, Engine, LARGE, Side};
use crate::outcome::{Kind, Outcome, Sent};
use crate::scenario::Message;
use crate::wire::{Input, READ_SIZE, Reader, Role, WRITE_SIZE};

pub const CONTESTANT: Contestant = Contestant {
    name: "ours",
    side: Side::Ours,
    connect: |role| Box::new(Shared::<1>::new(role, OsEntropy)),
    accept: Some(accept),
    breaks: &[],
};

/// The same, compiled a second time: how far it is from `ours` shows which differences mean nothing, because they come from where
/// code and memory are.
pub const AGAIN: Contestant = Contestant {
    name: "again",
    side: Side::OursAgain,
    connect: |role| Box::new(Shared::<2>::new(role, OsEntropy)),
    accept: None,
    breaks: &[],
};

/// With keys from `rand`, like most peers.
#[cfg(feature = "peers")]
pub const RAND: Contestant = Contestant {
    name: "rand",
    side: Side::OursRand,
    connect: |role| {
        use rand::Rng;
        use websocket_proto::entropy;

        let keys = entropy::from_fn(|key| rand::rng().fill_bytes(key));
        Box::new(Shared::<1>::new(role, keys))
    },
    accept: None,
    breaks: &[],
};

/// A connection and its output. Each `COPY` is compiled for itself.
pub struct Ours<const COPY: u8> {
    pub connection: Connection,
    out: Output,
}

/// Has a read buffer that all connections of a thread may share.
struct Shared<const COPY: u8> {
    ours: Ours<COPY>,
    buffer: Vec<u8>,
}

/// The output, and the size from which payloads are not copied to it, but written together with their header by one vectored write.
/// A client masks and copies all payloads.
struct Output {
    bytes: Vec<u8>,
    large: usize,
}

#[derive(Clone, Copy)]
pub enum Outgoing<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

impl<const COPY: u8> Ours<COPY> {
    pub fn new(role: Role, config: &Config, entropy: impl Entropy + 'static) -> Self {
        Self {
            connection: match role {
                Role::Server => Connection::server(config),
                Role::Client => Connection::client(config, entropy),
            },
            out: Output {
                bytes: Vec::new(),
                large: match role {
                    Role::Server => LARGE,
                    Role::Client => usize::MAX,
                },
            },
        }
    }

    /// Receives all events in the input. Returns how many bytes are held.
    pub fn events(&mut self, mut input: &mut [u8], echo: bool, outcome: &mut Outcome) -> usize {
        black_box(COPY); // Otherwise the compiler would make one function of the copies.
        while let Some(event) = self
            .connection
            .receive(&mut input, &mut self.out.bytes)
            .expect("the bytes are valid")
        {
            match event {
                Event::Text(text) => {
                    outcome.seen.text(&text);
                    if echo {
                        self.out
                            .send(&mut self.connection, Outgoing::Text(&text), &mut outcome.sent);
                    }
                    self.connection.recycle(text);
                }
                Event::Binary(payload) => {
                    outcome.seen.message(Kind::Binary, &payload);
                    if echo {
                        self.out.send(
                            &mut self.connection,
                            Outgoing::Binary(&payload),
                            &mut outcome.sent,
                        );
                    }
                    self.connection.recycle(payload);
                }
                _ => {}
            }
        }
        let left = input.len();
        self.out.write(&mut outcome.sent);
        left
    }

    pub fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome) {
        black_box(COPY);
        let outgoing = match message.kind {
            Kind::Text => Outgoing::Text(message.text()),
            Kind::Binary => Outgoing::Binary(message.payload),
        };
        for _ in 0..times {
            self.out.send(&mut self.connection, outgoing, &mut outcome.sent);
            if self.out.bytes.len() >= WRITE_SIZE {
                self.out.write(&mut outcome.sent);
            }
        }
        self.out.write(&mut outcome.sent);
    }
}

impl Output {
    #[inline(always)]
    fn send(&mut self, connection: &mut Connection, message: Outgoing<'_>, sent: &mut Sent) {
        let payload = match message {
            Outgoing::Text(text) => text.as_bytes(),
            Outgoing::Binary(payload) => payload,
        };
        let is_large = payload.len() >= self.large;
        match message {
            Outgoing::Text(text) if is_large => connection.send_text_header(text, &mut self.bytes),
            Outgoing::Text(text) => connection.send_text(text, &mut self.bytes),
            Outgoing::Binary(payload) if is_large => connection.send_binary_header(payload, &mut self.bytes),
            Outgoing::Binary(payload) => connection.send_binary(payload, &mut self.bytes),
        }
        .expect("the connection is open");
        if is_large {
            sent.write_vectored([&self.bytes, payload]);
            self.bytes.clear();
        }
    }

    fn write(&mut self, sent: &mut Sent) {
        if !self.bytes.is_empty() {
            sent.write(&self.bytes);
            self.bytes.clear();
        }
    }
}

impl<const COPY: u8> Shared<COPY> {
    fn new(role: Role, entropy: impl Entropy + 'static) -> Self {
        Self {
            ours: Ours::new(role, &Config::new(), entropy),
            buffer: vec![0; READ_SIZE],
        }
    }

    /// Reads as the documentation of `Connection::payload_space` and `payload_remaining` recommends: into a large message, or into
    /// the buffer. Returns how many bytes were read, and how many of them are in the buffer.
    fn read(&mut self, reader: &mut Reader) -> (usize, usize) {
        let connection = &mut self.ours.connection;
        if let Some(space) = connection.payload_space(READ_SIZE) {
            let size = reader.read(space);
            connection.payload_filled(size);
            return (size, 0);
        }
        let missing = connection.payload_remaining() as usize;
        let size = match missing >= READ_SIZE / 2 {
            true => missing.min(READ_SIZE),
            false => READ_SIZE,
        };
        let size = reader.read(&mut self.buffer[..size]);
        (size, size)
    }
}

impl<const COPY: u8> Engine for Shared<COPY> {
    fn receive(&mut self, input: Input, echo: bool, outcome: &mut Outcome) {
        black_box(COPY);
        let mut reader = input.reader();
        loop {
            let (size, buffered) = self.read(&mut reader);
            if size == 0 {
                break;
            }
            self.ours.events(&mut self.buffer[..buffered], echo, outcome);
        }
    }

    fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome) {
        self.ours.send(message, times, outcome);
    }

    fn idle(self: Box<Self>) -> Box<dyn Any> {
        Box::new(self.ours.connection)
    }
}

/// Has a read buffer and an output that all connections of a thread may share.
fn accept(request: &'static [u8], outcome: &mut Outcome) {
    thread_local! {
        static BUFFERS: RefCell<(Vec<u8>, Vec<u8>)> = RefCell::new((vec![0; READ_SIZE], Vec::new()));
    }
    BUFFERS.with_borrow_mut(|(buffer, out)| {
        buffer[..request.len()].copy_from_slice(request);
        let mut input = &mut buffer[..request.len()];
        let mut handshake = ServerHandshake::new(&Config::new());
        let request = handshake.receive(&mut input, out).expect("the request is valid");
        let request = request.expect("the request is complete");
        drop(request.upgrade(out).expect("the request is valid").accept(out));
        outcome.sent.write(out);
        out.clear();
    });
}
