//! `fastwebsockets`, over an in-memory transport: one future reads all frames, and is polled until nothing is left to read.
//!
//! It writes each frame separately; a write costs almost nothing here.

use std::any::Any;
use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, WebSocket, WebSocketError};

use super::link::Link;
use crate::engines::{Contestant, Engine, Side};
use crate::outcome::{Kind, Outcome, Seen};
use crate::scenario::Message;
use crate::wire::{Input, Role};

pub const CONTESTANT: Contestant = Contestant {
    name: "fastwebsockets",
    side: Side::Peer,
    connect: |role| Box::new(FastWebSockets::new(role)),
    // `hyper` does the handshake.
    accept: None,
    breaks: &[],
};

struct FastWebSockets(FragmentCollector<Link>);

impl FastWebSockets {
    fn new(role: Role) -> Self {
        let role = match role {
            Role::Server => fastwebsockets::Role::Server,
            Role::Client => fastwebsockets::Role::Client,
        };
        Self(FragmentCollector::new(WebSocket::after_handshake(Link, role)))
    }

    async fn receive_all(&mut self, echo: bool, seen: &mut Seen) -> Result<Infallible, WebSocketError> {
        loop {
            let frame = self.0.read_frame().await?;
            match frame.opcode {
                OpCode::Text => seen.message(Kind::Text, &frame.payload),
                OpCode::Binary => seen.message(Kind::Binary, &frame.payload),
                _ => continue,
            }
            if echo {
                self.0.write_frame(frame).await?;
            }
        }
    }

    async fn send_all(&mut self, message: Message, times: u64) -> Result<(), WebSocketError> {
        for _ in 0..times {
            let payload = Payload::Borrowed(message.payload);
            self.0
                .write_frame(match message.kind {
                    Kind::Text => Frame::text(payload),
                    Kind::Binary => Frame::binary(payload),
                })
                .await?;
        }
        Ok(())
    }
}

fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

impl Engine for FastWebSockets {
    fn receive(&mut self, input: Input, echo: bool, outcome: &mut Outcome) {
        Link::begin(input.bytes, outcome.take_sent());
        match poll(self.receive_all(echo, &mut outcome.seen)) {
            // The future is dropped between two frames, so nothing is lost.
            Poll::Pending => {}
            Poll::Ready(Err(error)) => panic!("the bytes are valid: {error}"),
        }
        outcome.sent = Link::end();
    }

    fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome) {
        Link::begin(&[], outcome.take_sent());
        match poll(self.send_all(message, times)) {
            Poll::Ready(Ok(())) => {}
            other => panic!("the connection is open: {other:?}"),
        }
        outcome.sent = Link::end();
    }

    fn idle(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
