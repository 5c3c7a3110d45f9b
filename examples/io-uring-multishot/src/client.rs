//! One client, without its transport: decodes what the kernel received, and says what to do next.

use std::fmt;
use std::io;
use std::mem;
use std::time::Duration;

use websocket_proto::handshake::{HandshakeError, ServerHandshake};
use websocket_proto::keepalive::{Action, Expired, Keepalive};
use websocket_proto::{Closed, Connection, Event, State, TransportAdvice};

use crate::slots::Key;
use crate::{Config, Counters};

pub struct Client {
    phase: Phase,
    keepalive: Keepalive,
    reading: Reading,
    writing: Writing,
    /// Output that waits for the send in progress. It has no memory while the client is idle.
    out: Vec<u8>,
    /// How many bytes of the send in progress the transport has not accepted.
    in_flight: usize,
    /// What arrived while too much output waited, not decoded yet.
    held: Vec<u8>,
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
    /// Cancel this operation.
    Stop(Key),
    /// Send these bytes, and report it with [`Client::sent`] or [`Client::write_failed`].
    Send(Vec<u8>),
    /// Shut down writing, and report it with [`Client::shut_down`] or [`Client::write_failed`].
    Shutdown,
    /// Wait for the transport or the deadline.
    Wait,
    /// The transport may be dropped.
    Done,
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

impl Client {
    pub fn new(config: &Config, now: Duration) -> Self {
        Self {
            phase: Phase::Opening(Box::new(ServerHandshake::new(&config.connection))),
            keepalive: Keepalive::new(&config.keepalive, now),
            reading: Reading::Off,
            writing: Writing::Open,
            out: Vec::new(),
            in_flight: 0,
            held: Vec::new(),
            progress_due: None,
            interruption: None,
        }
    }

    /// Lends memory for output to a client that has none.
    pub fn lend(&mut self, memory: impl FnOnce() -> Vec<u8>) {
        if self.out.capacity() == 0 {
            self.out = memory();
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
    pub fn receive(&mut self, bytes: &mut [u8], config: &Config, now: Duration, counters: &mut Counters) {
        self.keepalive.record_activity();
        let mut input = bytes;
        if self.held.is_empty() {
            self.decode(&mut input, config, now, counters);
        }
        self.held.extend_from_slice(input);
        counters.most_held = counters.most_held.max(self.held.len());
    }

    /// Leaves bytes in the input only if too much output waits.
    fn decode(&mut self, input: &mut &mut [u8], config: &Config, now: Duration, counters: &mut Counters) {
        loop {
            let is_full = self.is_full(config);
            match &mut self.phase {
                Phase::Opening(handshake) => match handshake.receive(input, &mut self.out) {
                    Ok(None) => return,
                    Ok(Some(request)) => {
                        let upgraded = request.upgrade(&mut self.out);
                        let opened = upgraded.map(|upgrade| upgrade.accept(&mut self.out));
                        self.keepalive.record_opened(now);
                        self.phase = opened.map_or_else(Phase::Failed, Phase::Open);
                    }
                    Err(error) => self.phase = Phase::Failed(error),
                },
                Phase::Open(_) if is_full => return,
                Phase::Open(connection) => match connection.receive(input, &mut self.out) {
                    Ok(Some(Event::Pong(payload))) => _ = self.keepalive.record_pong(&payload, now),
                    Ok(Some(event)) => {
                        echo(event, connection, &mut self.out, counters);
                        counters.most_waiting = counters.most_waiting.max(self.out.len() + self.in_flight);
                    }
                    // What arrives after the end is ignored (RFC 6455 section 7.1.1).
                    Ok(None) | Err(_) => return *input = &mut [],
                },
                Phase::Failed(_) => return *input = &mut [],
            }
        }
    }

    /// Returns whether so much output waits that nothing is decoded or received.
    fn is_full(&self, config: &Config) -> bool {
        self.out.len() + self.in_flight >= config.max_buffered
    }

    /// Returns the next thing to do. `Send`, `Receive` and `Stop` count as started when they are returned.
    pub fn step(&mut self, config: &Config, now: Duration, counters: &mut Counters) -> Step {
        self.decode_held(config, now, counters);
        if self.reading == Reading::Ended && self.held.is_empty() {
            self.end_of_transport();
        }
        if self.writing != Writing::Open {
            self.out.clear();
        } else if self.in_flight == 0 {
            if !self.out.is_empty() {
                self.in_flight = self.out.len();
                self.progress_due = Some(now.saturating_add(config.write_timeout));
                return Step::Send(mem::take(&mut self.out));
            }
            if self.is_finishing() {
                return Step::Shutdown;
            }
            self.record_closing(now);
        }
        let wants_to_read = !self.is_full(config) || self.is_finishing();
        match self.reading {
            Reading::Off if wants_to_read => Step::Receive,
            Reading::Armed(operation) if !wants_to_read => {
                self.reading = Reading::Stopping(operation);
                counters.stopped += 1;
                Step::Stop(operation)
            }
            Reading::Ended if self.writing != Writing::Open => Step::Done,
            Reading::Off | Reading::Armed(_) | Reading::Stopping(_) | Reading::Starved | Reading::Ended => {
                Step::Wait
            }
        }
    }

    fn decode_held(&mut self, config: &Config, now: Duration, counters: &mut Counters) {
        if self.held.is_empty() || self.is_full(config) {
            return;
        }
        let mut held = mem::take(&mut self.held);
        let mut input = &mut held[..];
        let mut counted = Counters::default();
        self.decode(&mut input, config, now, &mut counted);
        counters.copied += counted.in_place + counted.copied;
        counters.most_waiting = counters.most_waiting.max(counted.most_waiting);
        let left = input.len();
        if left > 0 {
            held.drain(..held.len() - left);
            self.held = held;
        }
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

    /// Records that there are buffers again.
    pub fn fed(&mut self) {
        if self.reading == Reading::Starved {
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
            Reading::Armed(_) => {}
            // A peer is not silent while nothing is received from it.
            Reading::Off | Reading::Stopping(_) | Reading::Starved | Reading::Ended => {
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

/// Echoes a message. The connection replies to Pings and Closes.
fn echo(event: Event<'_>, connection: &mut Connection, out: &mut Vec<u8>, counters: &mut Counters) {
    // A client that is closing gets no more messages, so this error is ignored.
    _ = match event {
        Event::Text(text) => {
            counters.count_message(text.is_borrowed());
            connection.send_text(&text, out)
        }
        Event::Binary(payload) => {
            counters.count_message(payload.is_borrowed());
            connection.send_binary(&payload, out)
        }
        _ => Ok(()),
    };
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
        counters: Counters,
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
            };
            let (client, counters) = (Client::new(&config, NOW), Counters::default());
            let mut driven = Self {
                client,
                config,
                counters,
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
                .receive(&mut bytes, &self.config, NOW, &mut self.counters);
        }

        fn step(&mut self) -> Step {
            self.client.step(&self.config, NOW, &mut self.counters)
        }

        fn send(&mut self) -> Vec<u8> {
            match self.step() {
                Step::Send(bytes) => bytes,
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
        let Counters { in_place, copied, .. } = driven.counters;
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
        driven.client.lend(|| Vec::with_capacity(64));
        driven.receive(&message(b'a'));
        assert_eq!(driven.send().capacity(), 64);
        driven.client.lend(|| Vec::with_capacity(32));
        assert_eq!(driven.client.take_memory().capacity(), 32);
        assert_eq!(driven.client.take_memory().capacity(), 0);
    }
}
