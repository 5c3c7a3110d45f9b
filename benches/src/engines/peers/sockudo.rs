//! `sockudo-ws`: its `Protocol`, which reads from a buffer and writes to one, so it does not need a transport.
//!
//! It leaves the reply to a Ping to its caller. In its favor: messages to send are already `Bytes`.

use std::any::Any;

use bytes::{Bytes, BytesMut};
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::protocol::Protocol;
use sockudo_ws::{Message as PeerMessage, Role as PeerRole};

use crate::engines::{Contestant, Engine, Side};
use crate::outcome::{Kind, Outcome, Sent};
use crate::rules::Rule;
use crate::scenario::Message;
use crate::wire::{Input, Role, WRITE_SIZE};

pub const CONTESTANT: Contestant = Contestant {
    name: "sockudo-ws",
    side: Side::Peer,
    connect: |role| Box::new(Sockudo::new(role)),
    accept: Some(accept),
    // The keys are from `fastrand`.
    breaks: &[Rule::Keys],
};

/// The limit for frames and messages.
const LIMIT: usize = 64 * 1024 * 1024;

struct Sockudo {
    protocol: Protocol,
    buffer: BytesMut,
    messages: Vec<PeerMessage>,
    out: BytesMut,
}

impl Sockudo {
    fn new(role: Role) -> Self {
        let role = match role {
            Role::Server => PeerRole::Server,
            Role::Client => PeerRole::Client,
        };
        Self {
            protocol: Protocol::new(role, LIMIT, LIMIT),
            buffer: BytesMut::new(),
            messages: Vec::new(),
            out: BytesMut::new(),
        }
    }

    fn write(&mut self, sent: &mut Sent) {
        if !self.out.is_empty() {
            sent.write(&self.out);
            self.out.clear();
        }
    }

    fn encode(&mut self, message: &PeerMessage, sent: &mut Sent) {
        self.protocol
            .encode_message(message, &mut self.out)
            .expect("the connection is open");
        if self.out.len() >= WRITE_SIZE {
            self.write(sent);
        }
    }
}

impl Engine for Sockudo {
    fn receive(&mut self, input: Input, echo: bool, outcome: &mut Outcome) {
        let mut messages = std::mem::take(&mut self.messages);
        for read in input.reads() {
            self.buffer.extend_from_slice(read);
            self.protocol
                .process_into(&mut self.buffer, &mut messages)
                .expect("the bytes are valid");
            for message in messages.drain(..) {
                match &message {
                    PeerMessage::Text(text) => outcome.seen.message(Kind::Text, text),
                    PeerMessage::Binary(payload) => outcome.seen.message(Kind::Binary, payload),
                    PeerMessage::Ping(payload) => {
                        self.protocol.encode_pong(payload, &mut self.out);
                        continue;
                    }
                    _ => continue,
                }
                if echo {
                    self.encode(&message, &mut outcome.sent);
                }
            }
            self.write(&mut outcome.sent);
        }
        self.messages = messages;
    }

    fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome) {
        let payload = Bytes::from_static(message.payload);
        let message = match message.kind {
            Kind::Text => PeerMessage::Text(payload),
            Kind::Binary => PeerMessage::Binary(payload),
        };
        for _ in 0..times {
            self.encode(&message, &mut outcome.sent);
        }
        self.write(&mut outcome.sent);
    }

    fn idle(self: Box<Self>) -> Box<dyn Any> {
        // All connections of a thread may share the buffers.
        Box::new(self.protocol)
    }
}

fn accept(request: &'static [u8], outcome: &mut Outcome) {
    let buffer = BytesMut::from(request);
    let parsed = parse_request(&buffer).expect("the request is valid");
    let (request, _) = parsed.expect("the request is complete");
    let response = build_response(&generate_accept_key(request.key), None, None);
    drop(Sockudo::new(Role::Server));
    outcome.sent.write(&response);
}
