//! One client, without its transport: decodes what the kernel received, and says what to do next.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::mem;
use std::time::Duration;

use websocket_proto::handshake::{HandshakeError, ServerHandshake};
use websocket_proto::keepalive::{Action, Expired, Keepalive};
use websocket_proto::{Closed, Connection, Event, Misuse, Payload, State, Text, TransportAdvice};

use crate::memory::Memory;
use crate::outgoing::{self, Outgoing};
use crate::slots::Key;
use crate::{Config, Counters};

pub struct Client {
    phase: Phase,
    keepalive: Keepalive,
    reading: Reading,
    writing: Writing,
    /// A message that waits with the output before it for the send in progress, and is not copied.
    waiting: Option<Box<Outgoing>>,
    /// Output after that. It has no memory while the client is idle.
    out: Vec<u8>,
    /// How many bytes of the send in progress the transport has not accepted.
    in_flight: usize,
    /// What arrived and is not decoded yet: the beginning of a payload, or anything while too much output waited.
    held: Vec<u8>,
    /// Whether the last message was so large that the next one is received into memory of its own.
    expects_large: bool,
    /// When the transport must have made progress: accepted output, or ended after we did.
    progress_due: Option<Duration>,
    interruption: Option<Interruption>,
}

#[allow(clippy::large_enum_variant, reason = "the large one is the one that lasts")]
enum Phase {
    Opening(Box<ServerHandshake>),
    Open(Connection),
    /// There will be no connection: the response is in the output.
    Failed(HandshakeError),
}

/// The peer's direction of the transport.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reading {
    /// Nothing is received.
    Off,
    /// The kernel receives, by this operation.
    Armed(Key),
    /// The kernel receives once.
    Once,
    /// A large payload is to be received, when it is this client's turn.
    Queued,
    /// This operation is being cancelled.
    Stopping(Key),
    /// There was no buffer.
    Starved,
    Ended,
}

/// Our direction of the transport.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Writing {
    Open,
    ShutDown,
    Failed,
}

/// The one thing to do next.
pub enum Step {
    /// Start to receive, and report it with [`Client::armed`].
    Receive,
    /// Receive at most so many bytes, once.
    ReceiveOnce(usize),
    /// Receive at most so many bytes, once, after those in this memory, which has to grow for that, and report it with
    /// [`Client::received_into`].
    ReceiveInto(Vec<u8>, usize),
    /// Cancel this operation.
    Stop(Key),
    /// Call [`Client::fed`] in a later turn.
    Queue,
    /// Send this, and report it with [`Client::sent`] or [`Client::write_failed`].
    Send(Outgoing),
    /// Shut down writing, and report it with [`Client::shut_down`] or [`Client::write_failed`].
    Shutdown,
    /// Wait for the transport or the deadline.
    Wait,
    /// The transport may be dropped.
    Done,
}

/// What all clients share.
#[derive(Default)]
pub struct Shared {
    pub memory: Memory,
    /// How many bytes may still be received directly in this turn. The last client may exceed it.
    pub direct: usize,
    pub counters: Counters,
}

/// Why the kernel stopped receiving.
pub enum Stopped {
    /// It was cancelled, or the completion queue was full.
    Cancelled,
    /// There was no buffer.
    NoBuffer,
    /// The peer has ended its direction.
    End,
    Failed(io::Error),
}

/// How a client ended. Its `Display` is one line for the log.
#[derive(Debug)]
pub struct End {
    outcome: Outcome,
    interruption: Option<Interruption>,
}

#[derive(Debug)]
enum Outcome {
    Closed(Closed),
    Failed(HandshakeError),
}

#[derive(Debug)]
enum Interruption {
    Silent,
    DidNotClose,
    DidNotRead,
    Transport(io::Error),
}

/// From this size on, a message is sent from where it is: a copy of a smaller one costs less.
const LARGE_MESSAGE: usize = 16 * 1024;
/// From this size on, what is missing of a payload is received into memory of its own.
const LARGE_READ: usize = 16 * 1024;
/// From this size on, a message makes the next one expected to be as large: then only its header is received into a
/// buffer, and the payload into memory of its own.
const EXPECTED_LARGE: usize = 32 * 1024;
/// The longest header of a client's frame (RFC 6455 section 5.2).
const HEADER_SIZE: usize = 14;

impl Client {
    pub fn new(config: &Config, now: Duration) -> Self {
        Self {
            phase: Phase::Opening(Box::new(ServerHandshake::new(&config.connection))),
            keepalive: Keepalive::new(&config.keepalive, now),
            reading: Reading::Off,
            writing: Writing::Open,
            waiting: None,
            out: Vec::new(),
            in_flight: 0,
            held: Vec::new(),
            expects_large: false,
            progress_due: None,
            interruption: None,
        }
    }

    /// Lends memory for output to a client that has none.
    pub fn lend(&mut self, memory: &mut Memory) {
        if self.out.capacity() == 0 {
            self.out = memory.output.take();
        }
    }

    /// Takes back the memory for output, if none waits.
    pub fn take_memory(&mut self) -> Vec<u8> {
        match self.out.is_empty() {
            true => mem::take(&mut self.out),
            false => Vec::new(),
        }
    }

    /// Decodes bytes in the buffer that the kernel filled. It may be given back afterwards.
    pub fn receive(&mut self, bytes: &mut [u8], config: &Config, now: Duration, shared: &mut Shared) {
        self.keepalive.record_activity();
        let mut input = bytes;
        if !self.held.is_empty() {
            self.decode_held(config, now, shared);
            let (missing, rest) = input.split_at_mut(self.missing().min(input.len()));
            self.hold(missing, shared);
            self.decode_held(config, now, shared);
            input = rest;
        }
        if self.held.is_empty() {
            while let Some(payload) = self.decode(&mut input, config, now, &mut shared.counters) {
                match Cow::from(payload) {
                    Cow::Owned(memory) => self.send_payload(memory.into(), shared),
                    // The buffer is given back, and does not wait for the client to read.
                    Cow::Borrowed(payload) => self.out.extend_from_slice(payload),
                }
                shared.counters.most_waiting = shared.counters.most_waiting.max(self.waiting_size());
            }
        }
        self.hold(input, shared);
        shared.counters.most_held = shared.counters.most_held.max(self.held.len());
    }

    /// Decodes what is in the memory of [`Step::ReceiveInto`], to which the kernel may have added bytes.
    pub fn received_into(&mut self, memory: Vec<u8>, config: &Config, now: Duration, shared: &mut Shared) {
        self.keepalive.record_activity();
        if memory.is_empty() {
            return shared.memory.payloads.keep(memory);
        }
        self.held = memory;
        self.decode_held(config, now, shared);
        shared.counters.most_held = shared.counters.most_held.max(self.held.len());
    }

    fn hold(&mut self, bytes: &[u8], shared: &mut Shared) {
        if bytes.is_empty() {
            return;
        }
        if self.held.capacity() == 0 {
            self.held = shared.memory.payloads.take();
        }
        self.held.extend_from_slice(bytes);
    }

    /// Returns how much of the payload at the front of what is held has not arrived.
    fn missing(&self) -> usize {
        let Phase::Open(connection) = &self.phase else {
            return 0;
        };
        let size = usize::try_from(connection.payload_remaining()).unwrap_or(usize::MAX);
        size.saturating_sub(self.held.len())
    }

    /// Leaves bytes in the input if they are the beginning of a payload, or if too much output waits. Returns the payload of a
    /// large message, whose header is at the end of the output.
    fn decode<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        config: &Config,
        now: Duration,
        counters: &mut Counters,
    ) -> Option<Payload<'i>> {
        loop {
            let is_full = self.is_full(config);
            match &mut self.phase {
                Phase::Opening(handshake) => match handshake.receive(input, &mut self.out) {
                    Ok(None) => return None,
                    Ok(Some(request)) => {
                        let upgraded = request.upgrade(&mut self.out);
                        let opened = upgraded.map(|upgrade| upgrade.accept(&mut self.out));
                        self.keepalive.record_opened(now);
                        self.phase = opened.map_or_else(Phase::Failed, Phase::Open);
                    }
                    Err(error) => self.phase = Phase::Failed(error),
                },
                Phase::Open(_) if is_full => return None,
                Phase::Open(connection) => match connection.receive(input, &mut self.out) {
                    Ok(Some(Event::Pong(payload))) => _ = self.keepalive.record_pong(&payload, now),
                    Ok(Some(event)) => {
                        let Some(message) = Message::of(event) else {
                            continue; // the connection has replied to Pings and Closes
                        };
                        counters.count_message(message.is_borrowed());
                        self.expects_large = message.len() >= EXPECTED_LARGE;
                        // A client that is closing gets no more messages, so an error is ignored.
                        if message.len() < LARGE_MESSAGE {
                            _ = message.send(connection, &mut self.out);
                        } else if message.send_header(connection, &mut self.out).is_ok() {
                            return Some(message.into_payload());
                        }
                        counters.most_waiting = counters.most_waiting.max(self.waiting_size());
                    }
                    // The beginning of a payload.
                    Ok(None) if connection.payload_remaining() > 0 => return None,
                    // What arrives after the end is ignored (RFC 6455 section 7.1.1).
                    Ok(None) | Err(_) => {
                        *input = &mut [];
                        return None;
                    }
                },
                Phase::Failed(_) => {
                    *input = &mut [];
                    return None;
                }
            }
        }
    }

    /// Returns whether so much output waits that nothing is decoded or received.
    fn is_full(&self, config: &Config) -> bool {
        self.waiting_size() >= config.max_buffered
    }

    fn waiting_size(&self) -> usize {
        let waiting = self.waiting.as_ref().map_or(0, |waiting| waiting.len());
        self.out.len() + waiting + self.in_flight
    }

    /// Returns the next thing to do. `Send`, `Stop` and what receives once count as started when they are returned.
    pub fn step(&mut self, config: &Config, now: Duration, shared: &mut Shared) -> Step {
        self.decode_held(config, now, shared);
        if self.reading == Reading::Ended && (self.held.is_empty() || !self.is_full(config)) {
            self.end_of_transport();
        }
        if self.writing != Writing::Open {
            self.out.clear();
            self.waiting = None;
        } else if self.in_flight == 0 {
            if let Some(outgoing) = self.next_outgoing() {
                self.in_flight = outgoing.len();
                self.progress_due = Some(now.saturating_add(config.write_timeout));
                return Step::Send(outgoing);
            }
            if self.is_finishing() {
                return Step::Shutdown;
            }
            self.record_closing(now);
        }
        let wants_to_read = !self.is_full(config) || self.is_finishing();
        match self.reading {
            Reading::Off if wants_to_read => self.receive_next(shared),
            Reading::Armed(operation) if !wants_to_read || self.receives_once().is_some() => {
                self.reading = Reading::Stopping(operation);
                shared.counters.stopped += u64::from(!wants_to_read);
                Step::Stop(operation)
            }
            Reading::Ended if self.writing != Writing::Open => Step::Done,
            Reading::Off
            | Reading::Armed(_)
            | Reading::Once
            | Reading::Queued
            | Reading::Stopping(_)
            | Reading::Starved
            | Reading::Ended => Step::Wait,
        }
    }

    fn next_outgoing(&mut self) -> Option<Outgoing> {
        if let Some(waiting) = self.waiting.take() {
            return Some(*waiting);
        }
        (!self.out.is_empty()).then(|| mem::take(&mut self.out).into())
    }

    /// Returns how much to receive once, instead of all that arrives: a large payload, or what may be the header of one.
    fn receives_once(&self) -> Option<usize> {
        match self.missing() {
            0 if self.expects_large && !self.is_finishing() => Some(HEADER_SIZE),
            missing if missing >= LARGE_READ || missing > 0 && self.expects_large => Some(missing),
            _ => None,
        }
    }

    fn receive_next(&mut self, shared: &mut Shared) -> Step {
        let Some(size) = self.receives_once() else {
            return Step::Receive;
        };
        if size >= LARGE_READ && shared.direct == 0 {
            self.reading = Reading::Queued;
            return Step::Queue;
        }
        self.reading = Reading::Once;
        if size < LARGE_READ {
            return Step::ReceiveOnce(size);
        }
        let memory = match self.held.capacity() {
            0 => shared.memory.payloads.take(),
            _ => mem::take(&mut self.held),
        };
        Step::ReceiveInto(memory, size)
    }

    fn decode_held(&mut self, config: &Config, now: Duration, shared: &mut Shared) {
        if self.held.is_empty() || self.is_full(config) {
            return;
        }
        let mut held = mem::take(&mut self.held);
        let mut input = &mut held[..];
        let mut counted = Counters::default();
        let mut in_place = None;
        while let Some(payload) = self.decode(&mut input, config, now, &mut counted) {
            match Cow::from(payload) {
                Cow::Owned(memory) => self.send_payload(memory.into(), shared),
                // Of what is held, the smaller part is copied.
                Cow::Borrowed(payload) if self.waiting.is_none() && input.len() < payload.len() => {
                    in_place = Some(payload.len());
                    break;
                }
                Cow::Borrowed(payload) => self.out.extend_from_slice(payload),
            }
            shared.counters.most_waiting = shared.counters.most_waiting.max(self.waiting_size());
        }
        shared.counters.copied += counted.in_place + counted.copied;
        shared.counters.most_waiting = shared.counters.most_waiting.max(counted.most_waiting);
        let left = input.len();
        let end = held.len() - left;
        match in_place {
            // The payload is the last thing decoded.
            Some(size) => {
                self.hold(&held[end..], shared);
                let range = end - size..end;
                self.send_payload(outgoing::Payload { memory: held, range }, shared);
                self.decode_held(config, now, shared); // once, because now a message waits
            }
            None if left == 0 => shared.memory.payloads.keep(held),
            None => {
                held.drain(..end);
                self.held = held;
            }
        }
    }

    /// Sends a payload whose header is at the end of the output: without a copy, if no other message waits so.
    fn send_payload(&mut self, payload: outgoing::Payload, shared: &mut Shared) {
        if self.waiting.is_some() {
            self.out.extend_from_slice(payload.bytes());
            return shared.memory.payloads.keep(payload.memory);
        }
        let bytes = mem::replace(&mut self.out, shared.memory.output.take());
        self.waiting = Some(Box::new(Outgoing {
            bytes,
            payload,
            sent: 0,
        }));
        shared.counters.sent_in_place += 1;
        shared.counters.most_waiting = shared.counters.most_waiting.max(self.waiting_size());
    }

    fn end_of_transport(&mut self) {
        match &mut self.phase {
            Phase::Opening(handshake) => self.phase = Phase::Failed(handshake.receive_eof()),
            Phase::Open(connection) => _ = connection.receive_eof(),
            Phase::Failed(_) => {}
        }
    }

    /// Starts the time for the closing handshake, once the Close is sent that may wait behind a large message.
    fn record_closing(&mut self, now: Duration) {
        if let Phase::Open(connection) = &self.phase {
            if connection.state() != State::Open {
                self.keepalive.record_closing(now);
            }
        }
    }

    /// Returns whether nothing but the waiting output will be sent.
    fn is_finishing(&self) -> bool {
        match &self.phase {
            Phase::Opening(_) => false,
            Phase::Open(connection) => connection.transport_advice() == TransportAdvice::Close,
            Phase::Failed(_) => true,
        }
    }

    /// Records that the kernel receives, by this operation.
    pub fn armed(&mut self, operation: Key) {
        self.reading = Reading::Armed(operation);
    }

    /// Records that the kernel has stopped to receive. Returns whether that is because there was no buffer.
    pub fn stopped(&mut self, stopped: Stopped) -> bool {
        if self.reading == Reading::Ended {
            return false;
        }
        match stopped {
            Stopped::Cancelled => self.reading = Reading::Off,
            Stopped::NoBuffer => self.reading = Reading::Starved,
            Stopped::End => self.reading = Reading::Ended,
            Stopped::Failed(error) => self.abort(Some(Interruption::Transport(error))),
        }
        self.reading == Reading::Starved
    }

    /// Records that the kernel did not cancel the operation, so that the next step tries again unless it has ended.
    pub fn not_stopped(&mut self) {
        if let Reading::Stopping(operation) = self.reading {
            self.reading = Reading::Armed(operation);
        }
    }

    #[cfg(test)]
    pub fn waits_in_queue(&self) -> bool {
        matches!(self.reading, Reading::Starved | Reading::Queued)
    }

    /// Records that there are buffers again, or that it is this client's turn to receive a large payload.
    pub fn fed(&mut self) {
        if let Reading::Starved | Reading::Queued = self.reading {
            self.reading = Reading::Off;
        }
    }

    /// Records that the transport accepted `size` bytes of the send in progress.
    pub fn sent(&mut self, size: usize, config: &Config, now: Duration) {
        self.in_flight = self.in_flight.saturating_sub(size);
        self.progress_due = None;
        if self.in_flight > 0 {
            self.progress_due = Some(now.saturating_add(config.write_timeout));
            // The peer has to read some before the rest can be sent, and its Pong may come after that.
            self.keepalive.record_activity();
        }
    }

    /// Records that writing is shut down.
    pub fn shut_down(&mut self, config: &Config, now: Duration) {
        self.writing = Writing::ShutDown;
        self.progress_due = Some(now.saturating_add(config.linger_timeout));
    }

    /// Records that the transport accepts no more output. What the peer has sent is still read for a while.
    pub fn write_failed(&mut self, error: io::Error, config: &Config, now: Duration) {
        if self.writing == Writing::Failed {
            return;
        }
        self.interruption.get_or_insert(Interruption::Transport(error));
        self.writing = Writing::Failed;
        self.in_flight = 0;
        self.progress_due = Some(now.saturating_add(config.linger_timeout));
    }

    fn abort(&mut self, interruption: Option<Interruption>) {
        self.interruption = self.interruption.take().or(interruption);
        self.writing = Writing::Failed;
        self.reading = Reading::Ended;
        self.in_flight = 0;
        self.progress_due = None;
    }

    /// Returns when to call [`handle_deadline`](Self::handle_deadline).
    pub fn deadline(&self) -> Option<Duration> {
        let keepalive = self.is_timed().then(|| self.keepalive.deadline()).flatten();
        [self.progress_due, keepalive].into_iter().flatten().min()
    }

    /// Whether the deadlines of the handshakes and of Pings apply.
    fn is_timed(&self) -> bool {
        match self.phase {
            Phase::Opening(_) => true,
            Phase::Open(_) => self.writing == Writing::Open,
            Phase::Failed(_) => false,
        }
    }

    /// Does what is due.
    pub fn handle_deadline(&mut self, now: Duration) {
        if self.progress_due.is_some_and(|due| due <= now) {
            return match self.writing {
                Writing::Open => self.abort(Some(Interruption::DidNotRead)),
                // The peer's time to read our last bytes is over.
                Writing::ShutDown | Writing::Failed => self.abort(None),
            };
        }
        if !self.is_timed() {
            return;
        }
        match self.reading {
            Reading::Armed(_) | Reading::Once => {}
            // A peer is not silent while nothing is received from it.
            Reading::Off | Reading::Queued | Reading::Stopping(_) | Reading::Starved | Reading::Ended => {
                self.keepalive.record_activity()
            }
        }
        match (self.keepalive.tick(now), &mut self.phase) {
            (Ok(Action::Ping(payload)), Phase::Open(connection)) => {
                _ = connection.send_ping(&payload, &mut self.out);
            }
            (Ok(_), _) => {}
            (Err(Expired::Opening), Phase::Opening(handshake)) => {
                self.phase = Phase::Failed(handshake.handle_timeout(&mut self.out));
            }
            (Err(Expired::Ping), _) => self.abort(Some(Interruption::Silent)),
            (Err(_), _) => self.abort(Some(Interruption::DidNotClose)),
        }
    }

    pub fn into_end(self) -> End {
        let outcome = match self.phase {
            Phase::Opening(mut handshake) => Outcome::Failed(handshake.receive_eof()),
            Phase::Open(mut connection) => Outcome::Closed(connection.receive_eof()),
            Phase::Failed(error) => Outcome::Failed(error),
        };
        let interruption = self.interruption;
        End {
            outcome,
            interruption,
        }
    }
}

/// A message that is echoed.
enum Message<'i> {
    Text(Text<'i>),
    Binary(Payload<'i>),
}

impl<'i> Message<'i> {
    fn of(event: Event<'i>) -> Option<Self> {
        match event {
            Event::Text(text) => Some(Self::Text(text)),
            Event::Binary(payload) => Some(Self::Binary(payload)),
            _ => None,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(payload) => payload.len(),
        }
    }

    fn is_borrowed(&self) -> bool {
        match self {
            Self::Text(text) => text.is_borrowed(),
            Self::Binary(payload) => payload.is_borrowed(),
        }
    }

    fn send(&self, connection: &mut Connection, out: &mut Vec<u8>) -> Result<(), Misuse> {
        match self {
            Self::Text(text) => connection.send_text(text, out),
            Self::Binary(payload) => connection.send_binary(payload, out),
        }
    }

    fn send_header(&self, connection: &mut Connection, out: &mut Vec<u8>) -> Result<(), Misuse> {
        match self {
            Self::Text(text) => connection.send_text_header(text, out),
            Self::Binary(payload) => connection.send_binary_header(payload, out),
        }
    }

    fn into_payload(self) -> Payload<'i> {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(payload) => payload,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Closed(closed) => write!(f, "{closed}")?,
            Outcome::Failed(error) => write!(f, "opening handshake failed: {error}")?,
        }
        match &self.interruption {
            None => Ok(()),
            Some(Interruption::Silent) => f.write_str(" (peer sent nothing after a ping)"),
            Some(Interruption::DidNotClose) => f.write_str(" (closing handshake took too long)"),
            Some(Interruption::DidNotRead) => f.write_str(" (peer did not read)"),
            Some(Interruption::Transport(error)) => write!(f, " ({error})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use websocket_proto::keepalive::KeepaliveConfig;

    use super::*;

    /// Not zero, so that a deadline may exceed the largest time.
    const NOW: Duration = Duration::from_secs(1);
    const REQUEST: &str = "GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    struct Driven {
        client: Client,
        config: Config,
        shared: Shared,
    }

    impl Driven {
        /// An open connection, of which one message may wait.
        fn new() -> Self {
            Self::with(Config::default())
        }

        fn with(config: Config) -> Self {
            let config = Config {
                max_buffered: 1,
                ..config
            }
            .effective();
            let mut driven = Self {
                client: Client::new(&config, NOW),
                config,
                shared: Shared {
                    direct: usize::MAX,
                    ..Shared::default()
                },
            };
            driven.receive(REQUEST.as_bytes());
            let response = driven.send();
            assert!(response.starts_with(b"HTTP/1.1 101 "));
            driven.sent(response.len());
            driven
        }

        fn receive(&mut self, bytes: &[u8]) {
            let mut bytes = bytes.to_vec();
            self.client
                .receive(&mut bytes, &self.config, NOW, &mut self.shared);
        }

        fn step(&mut self) -> Step {
            self.client.step(&self.config, NOW, &mut self.shared)
        }

        fn send(&mut self) -> Vec<u8> {
            match self.step() {
                Step::Send(Outgoing { bytes, .. }) => bytes,
                _ => panic!("nothing to send"),
            }
        }

        fn sent(&mut self, size: usize) {
            self.client.sent(size, &self.config, NOW);
        }
    }

    fn message(letter: u8) -> [u8; 7] {
        [0x81, 0x81, 0, 0, 0, 0, letter]
    }

    /// A send completes and bytes arrive in the same turn: those that were held come first.
    #[test]
    fn held_bytes_are_decoded_before_later_ones() {
        let mut driven = Driven::new();
        for letter in *b"ab" {
            driven.receive(&message(letter));
        }
        assert_eq!(driven.send(), b"\x81\x01a");
        driven.sent(3);
        driven.receive(&message(b'c'));
        for letter in *b"bc" {
            assert_eq!(driven.send(), [0x81, 1, letter]);
            driven.sent(3);
        }
        assert!(matches!(driven.step(), Step::Receive));
        let Counters { in_place, copied, .. } = driven.shared.counters;
        assert_eq!((in_place, copied), (1, 2), "only the first was not held");
    }

    #[test]
    fn the_end_of_the_transport_comes_after_held_bytes() {
        let mut driven = Driven::new();
        for letter in *b"ab" {
            driven.receive(&message(letter));
        }
        driven.client.stopped(Stopped::End);
        for letter in *b"ab" {
            assert_eq!(driven.send(), [0x81, 1, letter]);
            driven.sent(3);
        }
        assert!(matches!(driven.step(), Step::Shutdown));
        driven.client.shut_down(&driven.config, NOW);
        assert!(matches!(driven.step(), Step::Done));
    }

    /// A binary message whose payload consists of this letter, with its header and a key of zeros.
    fn large_message(letter: u8) -> Vec<u8> {
        let size = (LARGE_MESSAGE as u16).to_be_bytes();
        let header = [0x82, 0xfe, size[0], size[1], 0, 0, 0, 0];
        [&header[..], &[letter; LARGE_MESSAGE]].concat()
    }

    /// RFC 6455 section 5.5: replies are in the order of what they reply to, wherever the messages between them are.
    #[test]
    fn replies_are_sent_between_the_messages_that_are_not_copied() {
        let ping = |letter| vec![0x89, 0x81, 0, 0, 0, 0, letter];
        let mut driven = Driven::new();
        driven.config.max_buffered = usize::MAX;
        let input = [
            ping(b'1'),
            large_message(b'a'),
            ping(b'2'),
            large_message(b'b'),
            ping(b'3'),
            vec![0x88, 0x80, 0, 0, 0, 0],
        ]
        .concat();
        let header = [0x82, 126, 0x40, 0];
        let all: Vec<u8> = [
            &[0x8a, 1, b'1'][..],
            &header,
            &[b'a'; LARGE_MESSAGE],
            &[0x8a, 1, b'2'],
            &header,
            &[b'b'; LARGE_MESSAGE],
            &[0x8a, 1, b'3'],
            &[0x88, 0],
        ]
        .concat();
        // Each message is split, so it is held, and is sent from there if nothing else is.
        let half = LARGE_MESSAGE / 2;
        let (first, rest) = input.split_at(half);
        let (second, third) = rest.split_at(LARGE_MESSAGE);
        [first, second, third]
            .iter()
            .for_each(|part| driven.receive(part));
        assert_eq!(
            (
                driven.shared.counters.sent_in_place,
                driven.shared.counters.copied
            ),
            (1, 2)
        );
        let mut sent = Vec::new();
        while let Step::Send(outgoing) = driven.step() {
            sent.extend(outgoing.slices().concat());
            driven.sent(outgoing.len());
        }
        assert!(sent == all);
    }

    /// RFC 6455 section 7.1.1: after the Close, input is discarded until the peer ends the transport, or for a while.
    #[test]
    fn input_after_the_close_is_discarded() {
        let mut driven = Driven::new();
        driven.receive(&[0x88, 0x80, 0, 0, 0, 0]);
        assert_eq!(driven.send(), [0x88, 0]);
        driven.sent(2);
        assert!(matches!(driven.step(), Step::Shutdown));
        driven.client.shut_down(&driven.config, NOW);
        driven.receive(&message(b'a'));
        assert!(matches!(driven.step(), Step::Receive));
        let linger_end = NOW + driven.config.linger_timeout;
        assert_eq!(driven.client.deadline(), Some(linger_end));
        driven.client.handle_deadline(linger_end);
        assert!(matches!(driven.step(), Step::Done));
        let end = driven.client.into_end().to_string();
        assert_eq!(end, "closed by the peer, clean, sent 1005, received 1005");
    }

    /// An open connection without timeouts, which has one message to send.
    fn without_timeouts() -> Driven {
        let mut driven = Driven::with(Config {
            write_timeout: Duration::MAX,
            linger_timeout: Duration::MAX,
            keepalive: KeepaliveConfig::new()
                .open_timeout(Duration::MAX)
                .ping_interval(Duration::MAX)
                .ping_timeout(Duration::MAX)
                .close_timeout(Duration::MAX),
            ..Config::default()
        });
        driven.receive(&message(b'a'));
        driven
    }

    fn assert_waits(driven: &mut Driven) {
        driven.client.handle_deadline(Duration::MAX - NOW);
        assert!(matches!(driven.step(), Step::Receive | Step::Wait));
    }

    #[test]
    fn a_write_timeout_of_the_largest_duration_never_ends() {
        let mut driven = without_timeouts();
        driven.send();
        assert_waits(&mut driven);
        driven.sent(1);
        assert_waits(&mut driven);
    }

    #[test]
    fn a_linger_timeout_of_the_largest_duration_never_ends() {
        let mut driven = without_timeouts();
        driven.send();
        driven.sent(3);
        driven.client.shut_down(&driven.config, NOW);
        assert_waits(&mut driven);
        let mut driven = without_timeouts();
        let error = io::ErrorKind::BrokenPipe.into();
        driven.client.write_failed(error, &driven.config, NOW);
        assert_waits(&mut driven);
    }

    #[test]
    fn a_receive_that_could_not_be_cancelled_is_cancelled_again() {
        let mut driven = Driven::new();
        let operation = Key::from_u64(7);
        driven.client.armed(operation);
        driven.receive(&message(b'a'));
        driven.send();
        for _ in 0..2 {
            assert!(matches!(driven.step(), Step::Stop(key) if key == operation));
            assert!(matches!(driven.step(), Step::Wait));
            driven.client.not_stopped();
        }
        // Once it has ended, there is nothing to cancel.
        driven.client.stopped(Stopped::Cancelled);
        driven.client.not_stopped();
        assert!(matches!(driven.step(), Step::Wait));
        driven.sent(3);
        assert!(matches!(driven.step(), Step::Receive));
    }

    #[test]
    fn memory_for_output_is_taken_back_from_an_idle_client() {
        let mut driven = Driven::new();
        driven.shared.memory.output.keep(Vec::with_capacity(64));
        driven.client.lend(&mut driven.shared.memory);
        driven.receive(&message(b'a'));
        assert_eq!(driven.send().capacity(), 64);
        driven.shared.memory.output.keep(Vec::with_capacity(32));
        driven.client.lend(&mut driven.shared.memory);
        assert_eq!(driven.client.take_memory().capacity(), 32);
        assert_eq!(driven.client.take_memory().capacity(), 0);
    }
}
