//! `tokio-websockets`, over an in-memory transport that is polled manually.
//!
//! In its favor: messages to send are cloned by reference; and its output is buffered up to the size of a write here.

use std::any::Any;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use futures_sink::Sink;
use tokio_websockets::{ClientBuilder, Config, Message as PeerMessage, ServerBuilder, WebSocketStream};

use super::link::Link;
use crate::engines::{Contestant, Engine, Side};
use crate::outcome::{Kind, Outcome};
use crate::rules::Rule;
use crate::scenario::Message;
use crate::wire::{Input, Role, WRITE_SIZE};

pub const CONTESTANT: Contestant = Contestant {
    name: "tokio-websockets",
    side: Side::Peer,
    connect: |role| Box::new(TokioWebSockets::new(role)),
    accept: Some(accept),
    // The keys are from `fastrand`.
    breaks: &[Rule::Keys],
};

struct TokioWebSockets(WebSocketStream<Link>);

fn config() -> Config {
    Config::default().flush_threshold(WRITE_SIZE)
}

impl TokioWebSockets {
    fn new(role: Role) -> Self {
        Self(match role {
            Role::Server => ServerBuilder::new().config(config()).serve(Link),
            Role::Client => ClientBuilder::new().config(config()).take_over(Link),
        })
    }

    fn write(&mut self, message: PeerMessage, context: &mut Context<'_>) {
        let mut socket = Pin::new(&mut self.0);
        ready(socket.as_mut().poll_ready(context));
        socket.start_send(message).expect("the connection is open");
    }

    fn finish(&mut self, context: &mut Context<'_>, outcome: &mut Outcome) {
        ready(Pin::new(&mut self.0).poll_flush(context));
        outcome.sent = Link::end();
    }
}

fn ready<E: std::fmt::Debug>(poll: Poll<Result<(), E>>) {
    assert!(
        matches!(poll, Poll::Ready(Ok(()))),
        "the transport accepts everything: {poll:?}"
    );
}

impl Engine for TokioWebSockets {
    fn receive(&mut self, input: Input, echo: bool, outcome: &mut Outcome) {
        Link::begin(input.bytes, outcome.take_sent());
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let message = match Pin::new(&mut self.0).poll_next(&mut context) {
                Poll::Ready(Some(Ok(message))) => message,
                Poll::Pending => break,
                Poll::Ready(end) => panic!("the bytes are valid: {end:?}"),
            };
            match () {
                () if message.is_text() => outcome.seen.message(Kind::Text, message.as_payload()),
                () if message.is_binary() => outcome.seen.message(Kind::Binary, message.as_payload()),
                () => continue,
            }
            if echo {
                self.write(message, &mut context);
            }
        }
        self.finish(&mut context, outcome);
    }

    fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome) {
        Link::begin(&[], outcome.take_sent());
        let mut context = Context::from_waker(Waker::noop());
        let message = match message.kind {
            Kind::Text => PeerMessage::text(message.text()),
            Kind::Binary => PeerMessage::binary(message.payload),
        };
        for _ in 0..times {
            self.write(message.clone(), &mut context);
        }
        self.finish(&mut context, outcome);
    }

    fn idle(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

fn accept(request: &'static [u8], outcome: &mut Outcome) {
    Link::begin(request, outcome.take_sent());
    let builder = ServerBuilder::new();
    let accepted = pin!(builder.accept(Link)).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(accepted, Poll::Ready(Ok(_))), "the request is valid");
    drop(accepted);
    outcome.sent = Link::end();
}
