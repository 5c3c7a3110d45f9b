//! `nexus-web`: its `FrameReader` and `FrameWriter`, which have buffers but no transport.
//!
//! It leaves the reply to a Ping to its caller. In its favor: reads go directly into its buffer, which has the size of a read; small
//! frames are copied into one buffer, and a server's large payload is written together with its header, without a copy.

use std::any::Any;

use nexus_web::ws::{ClientBuilder, FrameReader, FrameWriter, Message as PeerMessage, Role as PeerRole};

use super::link::Link;
use crate::engines::{Contestant, Engine, LARGE, Side};
use crate::outcome::{Kind, Outcome, Sent};
use crate::rules::Rule;
use crate::scenario::Message;
use crate::wire::{Input, READ_SIZE, Role, WRITE_SIZE};

pub const CONTESTANT: Contestant = Contestant {
    name: "nexus-web",
    side: Side::Peer,
    connect: |role| Box::new(Nexus::new(role)),
    accept: Some(accept),
    breaks: &[Rule::SplitText],
};

struct Nexus {
    reader: FrameReader,
    out: Output,
}

struct Output {
    writer: FrameWriter,
    /// Frames are encoded into a slice, so the vector is larger than its filled part.
    bytes: Vec<u8>,
    filled: usize,
    /// The size from which payloads are written without a copy.
    large: usize,
}

impl Nexus {
    fn new(role: Role) -> Self {
        let (role, large) = match role {
            Role::Server => (PeerRole::Server, LARGE),
            Role::Client => (PeerRole::Client, usize::MAX),
        };
        Self {
            // In addition to a read, space for a header that was split across reads.
            reader: FrameReader::builder()
                .role(role)
                .buffer_capacity(READ_SIZE + 16)
                .build(),
            out: Output {
                writer: FrameWriter::new(role),
                bytes: Vec::new(),
                filled: 0,
                large,
            },
        }
    }
}

impl Output {
    #[inline(always)]
    fn send(&mut self, kind: Kind, payload: &[u8], sent: &mut Sent) {
        if payload.len() >= self.large {
            let first = match kind {
                Kind::Text => 0x81,
                Kind::Binary => 0x82,
            };
            let (header, _) = self.writer.build_header(first, payload.len());
            let header = header.as_bytes();
            self.room(header.len())[..header.len()].copy_from_slice(header);
            sent.write_vectored([&self.bytes[..self.filled + header.len()], payload]);
            self.filled = 0;
            return;
        }
        self.room(self.writer.max_encoded_len(payload.len()));
        let room = &mut self.bytes[self.filled..];
        self.filled += match kind {
            Kind::Text => self.writer.encode_text(payload, room),
            Kind::Binary => self.writer.encode_binary(payload, room),
        };
        if self.filled >= WRITE_SIZE {
            self.write(sent);
        }
    }

    fn pong(&mut self, payload: &[u8]) {
        self.room(self.writer.max_encoded_len(payload.len()));
        let room = &mut self.bytes[self.filled..];
        self.filled += self.writer.encode_pong(payload, room).expect("a Pong is short");
    }

    #[inline(always)]
    fn room(&mut self, size: usize) -> &mut [u8] {
        if self.bytes.len() < self.filled + size {
            self.bytes.resize(self.filled + size + WRITE_SIZE, 0);
        }
        &mut self.bytes[self.filled..]
    }

    fn write(&mut self, sent: &mut Sent) {
        if self.filled > 0 {
            sent.write(&self.bytes[..self.filled]);
            self.filled = 0;
        }
    }
}

impl Engine for Nexus {
    fn receive(&mut self, input: Input, echo: bool, outcome: &mut Outcome) {
        let Self { reader, out } = self;
        let mut source = input.reader();
        loop {
            if reader.should_compact() {
                reader.compact();
            }
            let size = source.read(reader.spare());
            if size == 0 {
                return;
            }
            reader.filled(size);
            while let Some(message) = reader.next().expect("the bytes are valid") {
                let (kind, payload) = match message {
                    PeerMessage::Text(text) => (Kind::Text, text.as_bytes()),
                    PeerMessage::Binary(payload) => (Kind::Binary, payload),
                    PeerMessage::Ping(payload) => {
                        out.pong(payload);
                        continue;
                    }
                    _ => continue,
                };
                outcome.seen.message(kind, payload);
                if echo {
                    out.send(kind, payload, &mut outcome.sent);
                }
            }
            out.write(&mut outcome.sent);
        }
    }

    fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome) {
        for _ in 0..times {
            self.out.send(message.kind, message.payload, &mut outcome.sent);
        }
        self.out.write(&mut outcome.sent);
    }

    fn idle(self: Box<Self>) -> Box<dyn Any> {
        // All connections of a thread may share the output buffer.
        Box::new((self.reader, self.out.writer))
    }
}

/// Has small buffers, because nexus-web fills them with zeros.
fn accept(request: &'static [u8], outcome: &mut Outcome) {
    const SMALL: usize = 1024;
    Link::begin(request, outcome.take_sent());
    let builder = ClientBuilder::new()
        .buffer_capacity(SMALL)
        .write_buffer_capacity(SMALL);
    drop(builder.accept(Link).expect("the request is valid"));
    outcome.sent = Link::end();
}
