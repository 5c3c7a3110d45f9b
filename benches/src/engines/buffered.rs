//! A `Connection` with what an `Endpoint` adds to one, in the smallest loop: the library's read buffer and output, writes of which
//! the transport may accept a part, a bound on the output, and timers.

use std::any::Any;
use std::time::Duration;

use websocket_proto::endpoint::{Output, ReadBuffer};
use websocket_proto::keepalive::{Action, Keepalive, KeepaliveConfig};
use websocket_proto::{Config, Connection, Event, OsEntropy, State, TransportAdvice};

use super::ours::Outgoing;
use super::{Contestant, Engine, LARGE, Side};
use crate::outcome::{Kind, Outcome, Sent};
use crate::scenario::Message;
use crate::wire::{Input, READ_SIZE, Role, WRITE_SIZE};

pub const CONTESTANT: Contestant = Contestant {
    name: "buffered",
    side: Side::OursBuffered,
    connect: |role| Box::new(Buffered::new(role)),
    accept: None,
    breaks: &[],
};

/// As much output may wait, as in an endpoint.
const MAX_BUFFERED: usize = 1024 * 1024;

/// The transport in memory is always ready, so the clock stands.
const NOW: Duration = Duration::ZERO;

struct Buffered {
    connection: Connection,
    keepalive: Keepalive,
    read: ReadBuffer,
    output: Output,
    /// From which size on a payload is written from where it is.
    large: usize,
}

/// Why no further event was taken.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Stop {
    NoInput,
    Full,
}

impl Buffered {
    fn new(role: Role) -> Self {
        let mut keepalive = Keepalive::new(&KeepaliveConfig::new(), NOW);
        keepalive.record_opened(NOW);
        Self {
            connection: match role {
                Role::Server => Connection::server(&Config::new()),
                Role::Client => Connection::client(&Config::new(), OsEntropy),
            },
            keepalive,
            read: ReadBuffer::new(READ_SIZE),
            output: Output::new(),
            large: match role {
                Role::Server => LARGE,
                Role::Client => usize::MAX,
            },
        }
    }

    fn events(&mut self, echo: bool, outcome: &mut Outcome) -> Stop {
        let Self {
            connection,
            keepalive,
            read,
            output,
            large,
        } = self;
        let mut input = read.unread();
        let stop = loop {
            if output.len() >= MAX_BUFFERED {
                break Stop::Full;
            }
            let event = connection
                .receive(&mut input, output.buffer())
                .expect("the bytes are valid");
            match event {
                None => break Stop::NoInput,
                Some(Event::Text(text)) => {
                    outcome.seen.text(&text);
                    if echo {
                        send(
                            connection,
                            output,
                            Outgoing::Text(&text),
                            *large,
                            &mut outcome.sent,
                        );
                    }
                    connection.recycle(text);
                }
                Some(Event::Binary(payload)) => {
                    outcome.seen.message(Kind::Binary, &payload);
                    if echo {
                        send(
                            connection,
                            output,
                            Outgoing::Binary(&payload),
                            *large,
                            &mut outcome.sent,
                        );
                    }
                    connection.recycle(payload);
                }
                Some(Event::Pong(payload)) => _ = keepalive.record_pong(&payload, NOW),
                Some(_) => {}
            }
        };
        let left = input.len();
        read.keep(left);
        stop
    }

    /// Does what is due, and writes what waits. Returns whether the transport stays open.
    fn write(&mut self, sent: &mut Sent) -> bool {
        if self.connection.state() != State::Open {
            self.keepalive.record_closing(NOW);
        }
        if let Action::Ping(payload) = self.keepalive.tick(NOW).expect("the clock stands") {
            _ = self.connection.send_ping(&payload, self.output.buffer());
        }
        while !self.output.is_empty() {
            sent.write(self.output.waiting());
            self.output.written(self.output.len());
        }
        self.connection.transport_advice() != TransportAdvice::Close
    }
}

#[inline(always)]
fn send(
    connection: &mut Connection,
    output: &mut Output,
    message: Outgoing<'_>,
    large: usize,
    sent: &mut Sent,
) {
    assert!(output.len() < MAX_BUFFERED, "the peer reads too slowly");
    let payload = match message {
        Outgoing::Text(text) => text.as_bytes(),
        Outgoing::Binary(payload) => payload,
    };
    let is_large = payload.len() >= large;
    match message {
        Outgoing::Text(text) if is_large => connection.send_text_header(text, output.buffer()),
        Outgoing::Text(text) => connection.send_text(text, output.buffer()),
        Outgoing::Binary(payload) if is_large => connection.send_binary_header(payload, output.buffer()),
        Outgoing::Binary(payload) => connection.send_binary(payload, output.buffer()),
    }
    .expect("the connection is open");
    if is_large {
        write_vectored(output, payload, sent);
    }
}

/// One write of what waits and of the payload after it, of which the part that is not accepted waits.
#[inline(always)]
fn write_vectored(output: &mut Output, payload: &[u8], sent: &mut Sent) {
    let slices = [output.waiting(), payload];
    sent.write_vectored(slices);
    let size: usize = slices.map(<[u8]>::len).iter().sum();
    let of_output = size.min(output.len());
    output.written(of_output);
    output.buffer().extend_from_slice(&payload[size - of_output..]);
}

impl Engine for Buffered {
    fn receive(&mut self, input: Input, echo: bool, outcome: &mut Outcome) {
        let mut reader = input.reader();
        loop {
            let stop = self.events(echo, outcome);
            if !self.write(&mut outcome.sent) {
                return;
            }
            if stop == Stop::Full {
                continue;
            }
            let size = reader.read(self.read.space(self.connection.payload_remaining()));
            if size == 0 {
                return;
            }
            self.read.filled(size);
            self.keepalive.record_activity();
        }
    }

    fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome) {
        let outgoing = match message.kind {
            Kind::Text => Outgoing::Text(message.text()),
            Kind::Binary => Outgoing::Binary(message.payload),
        };
        for _ in 0..times {
            let (connection, output) = (&mut self.connection, &mut self.output);
            send(connection, output, outgoing, self.large, &mut outcome.sent);
            if self.output.len() >= WRITE_SIZE {
                self.write(&mut outcome.sent);
            }
        }
        self.write(&mut outcome.sent);
    }

    fn idle(self: Box<Self>) -> Box<dyn Any> {
        Box::new((self.connection, self.keepalive))
    }
}
