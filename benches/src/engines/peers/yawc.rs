//! `yawc`, over an in-memory transport that is polled manually.
//!
//! In its favor: its buffers have the size of a read or write here, and messages to send are already `Bytes`.

use std::any::Any;
use std::fmt::Debug;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_sink::Sink;
use yawc::{Frame, OpCode, Options, WebSocket};

use super::link::Link;
use crate::engines::{Contestant, Engine, Side};
use crate::outcome::{Kind, Outcome};
use crate::scenario::Message;
use crate::wire::{Input, READ_SIZE, Role, WRITE_SIZE};

pub const CONTESTANT: Contestant = Contestant {
    name: "yawc",
    side: Side::Peer,
    connect: |role| Box::new(Yawc::new(role)),
    // `hyper` does the handshake.
    accept: None,
    breaks: &[],
};

/// The limit for frames and messages.
const LIMIT: usize = 64 * 1024 * 1024;

struct Yawc(WebSocket<Link>);

impl Yawc {
    fn new(role: Role) -> Self {
        let role = match role {
            Role::Server => yawc::Role::Server,
            Role::Client => yawc::Role::Client,
        };
        let options = Options::default()
            .without_compression()
            .with_utf8()
            .with_limits(LIMIT, LIMIT)
            .with_read_buffer_capacity(READ_SIZE)
            .with_write_buffer_capacity(WRITE_SIZE)
            .with_backpressure_boundary(WRITE_SIZE);
        Self(WebSocket::from_stream(Link, role, options).expect("the options are valid"))
    }

    fn write(&mut self, frame: Frame, context: &mut Context<'_>) {
        let mut socket = Pin::new(&mut self.0);
        ready(socket.as_mut().poll_ready(context));
        socket.start_send(frame).expect("the connection is open");
    }

    fn finish(&mut self, context: &mut Context<'_>, outcome: &mut Outcome) {
        ready(Pin::new(&mut self.0).poll_flush(context));
        outcome.sent = Link::end();
    }
}

fn ready<E: Debug>(poll: Poll<Result<(), E>>) {
    assert!(
        matches!(poll, Poll::Ready(Ok(()))),
        "the transport accepts everything: {poll:?}"
    );
}

impl Engine for Yawc {
    fn receive(&mut self, input: Input, echo: bool, outcome: &mut Outcome) {
        Link::begin(input.bytes, outcome.take_sent());
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let frame = match self.0.poll_next_frame(&mut context) {
                Poll::Ready(Ok(frame)) => frame,
                Poll::Pending => break,
                Poll::Ready(Err(error)) => panic!("the bytes are valid: {error}"),
            };
            let kind = match frame.opcode() {
                OpCode::Text => Kind::Text,
                OpCode::Binary => Kind::Binary,
                _ => continue,
            };
            outcome.seen.message(kind, frame.payload());
            if echo {
                // The received frame has the peer's masking key, so a new one is created.
                let payload = frame.into_payload();
                let frame = match kind {
                    Kind::Text => Frame::text(payload),
                    Kind::Binary => Frame::binary(payload),
                };
                self.write(frame, &mut context);
            }
        }
        self.finish(&mut context, outcome);
    }

    fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome) {
        Link::begin(&[], outcome.take_sent());
        let mut context = Context::from_waker(Waker::noop());
        let payload = Bytes::from_static(message.payload);
        let frame = match message.kind {
            Kind::Text => Frame::text(payload),
            Kind::Binary => Frame::binary(payload),
        };
        for _ in 0..times {
            self.write(frame.clone(), &mut context);
        }
        self.finish(&mut context, outcome);
    }

    fn idle(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
