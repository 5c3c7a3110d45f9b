//! Endpoints over arbitrary transports.

use super::common::pair::{Act, Driver, Link, MAX_MESSAGE, Opening, Pair, Setup};
use super::common::strict::Strict;
use super::ends::Settings;
use super::input::Input;
use std::collections::VecDeque;
use std::time::Duration;
use websocket_proto::endpoint::{Buffers, Endpoint, EndpointConfig, Step};
use websocket_proto::handshake::ClientRequest;
use websocket_proto::{CloseCode, Delivery, Event, Role, entropy};

const DELIVERIES: [Delivery; 3] = [Delivery::Whole, Delivery::InPlace, Delivery::Chunks];

fn setup(input: &mut Input) -> Setup {
    let flags = input.byte();
    Setup {
        opening: match input.byte() % 4 {
            0 => Opening::Done,
            1 => Opening::Accepted,
            2 => Opening::Rejected(usize::from(input.byte()) * 3),
            _ => Opening::Ignored,
        },
        delivery: DELIVERIES[usize::from(flags % 3)],
        deflate: flags & 4 != 0,
        echo: flags & 8 != 0,
        max_buffered: input.pick(&[200, 1, 125, 1000]),
    }
}

fn act(input: &mut Input) -> Act {
    match input.byte() {
        kind @ ..128 => common_act(kind % 16, input),
        kind => match kind % 16 {
            0..=3 => Act::Arrive(usize::from(input.byte())),
            4..=7 => Act::Complete(usize::from(input.byte())),
            8 => Act::Arrive(usize::MAX),
            9 => Act::Complete(usize::MAX),
            10 => Act::SendVectored(size(input)),
            11 => Act::Flush,
            12 => Act::Ready,
            13 => Act::Park,
            _ => Act::Hesitate,
        },
    }
}

fn size(input: &mut Input) -> usize {
    usize::from(input.number()) % (MAX_MESSAGE + 1)
}

fn common_act(kind: u8, input: &mut Input) -> Act {
    match kind {
        0 => Act::Ping,
        1 => Act::Close,
        2 => Act::Abort,
        3 => Act::FailWriting,
        4 => Act::FailReading,
        5 => Act::Vanish,
        6 => Act::Wait,
        7 if input.byte() == 0 => Act::Hang,
        7..=9 => Act::Send(size(input)),
        _ => Act::Step,
    }
}

/// Two endpoints over a transport that splits, blocks, buffers, fails and ends, with a clock that moves to deadlines: the
/// invariants of `common::pair`.
pub fn endpoint(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let setup = setup(&mut input);
    let (chunk, capacity, flags) = (input.number() % 512, input.number() % 4096, input.byte());
    let link = Link {
        chunk: usize::from(chunk) + 1,
        capacity: usize::from(capacity) + 1,
        buffers: flags & 1 != 0,
        driver: match flags >> 1 & 3 {
            0 | 1 => Driver::Readiness,
            2 => Driver::Completion,
            _ => Driver::Multishot,
        },
    };
    let mut pair = Pair::new(setup, link);
    for _ in 0..200 {
        if input.is_empty() {
            break;
        }
        let place = usize::from(input.byte() & 1);
        pair.act(place, act(&mut input));
    }
    // The first may be too early, so it is repeated once the connection is open.
    pair.act(0, Act::Close);
    pair.settle();
    pair.act(0, Act::Close);
    pair.finish();
}

/// One end, with a transport that is controlled by the input.
struct Lone {
    role: Role,
    endpoint: Endpoint,
    strict: Strict,
    /// Whether everything written consists of frames.
    is_open: bool,
    incoming: VecDeque<u8>,
    /// The size of a read.
    chunk: usize,
    /// How much the transport accepts before it is blocked.
    accepts: usize,
    has_ended: bool,
    is_shut_down: bool,
    answer: u8,
    wire: Vec<u8>,
    now: Duration,
    came: usize,
    /// The bytes that no limit applies to: the caller's Pings and Close, and the head of the handshake.
    unbounded: usize,
    max_buffered: usize,
}

/// The largest message that is sent here, and the largest read.
const LARGEST: usize = 255;
const MAX_READ_SIZE: usize = 512;

impl Lone {
    fn new(input: &mut Input) -> Self {
        let role = input.pick(&[Role::Server, Role::Client]);
        let (flags, settings) = (input.byte(), Settings::read(input));
        let connection = settings.config().delivery(DELIVERIES[usize::from(flags % 3)]);
        let max_buffered = input.pick(&[1 << 16, 1, 200]);
        let config = EndpointConfig::new()
            .connection(connection.clone())
            .max_buffered(max_buffered)
            .max_read_size(MAX_READ_SIZE);
        let is_open = flags & 4 == 0;
        let now = Duration::ZERO;
        let endpoint = match (is_open, role) {
            (true, _) => Endpoint::from_connection(&config, settings.open_with(role, &connection), &[], now),
            (false, Role::Server) => Endpoint::server(&config, now),
            (false, Role::Client) => {
                let request = ClientRequest::from_url("ws://h/").expect("well-formed");
                Endpoint::client(&config, request, entropy::from_fn(|nonce| nonce.fill(0)), now)
            }
        };
        Self {
            role,
            endpoint,
            strict: Strict::new(role)
                .deflated(settings.is_deflated())
                .any_close_code(settings.accept_any_close_code),
            is_open,
            incoming: VecDeque::new(),
            chunk: usize::from(input.byte()) + 1,
            accepts: usize::MAX,
            has_ended: false,
            is_shut_down: false,
            answer: flags >> 4,
            wire: Vec::new(),
            now,
            came: 0,
            unbounded: 1024,
            max_buffered,
        }
    }

    fn act(&mut self, input: &mut Input) {
        match input.byte() % 16 {
            0 => self.accepts = usize::from(input.byte()),
            1 => self.accepts = usize::MAX,
            2 => self.now += Duration::from_millis(u64::from(input.number())),
            3 => self.now = self.endpoint.deadline().map_or(self.now, |due| due.max(self.now)),
            4 => _ = self.endpoint.sender().send_text(&"x".repeat(input.byte().into())),
            5 => _ = self.endpoint.sender().send_binary(input.bytes()),
            6 => self.send_vectored(input),
            7 => {
                self.unbounded += 140;
                _ = self.endpoint.sender().send_ping(input.bytes());
            }
            8 => {
                self.unbounded += 140;
                let code = Some(CloseCode(input.number())).filter(|code| code.0 != 0);
                _ = self.endpoint.sender().close(code, &input.text());
            }
            9 => self.has_ended = true,
            10 => self.endpoint.write_failed("reset"),
            11 => {
                if let Some(buffers) = self.endpoint.take_buffers() {
                    self.endpoint.lend_buffers(buffers);
                } else {
                    self.endpoint.lend_buffers(Box::new(Buffers::new(MAX_READ_SIZE)));
                }
            }
            _ if self.has_ended => {}
            _ => {
                let bytes = input.bytes();
                self.came += bytes.len();
                self.incoming.extend(bytes);
            }
        }
        self.settle();
    }

    fn send_vectored(&mut self, input: &mut Input) {
        let (cut, payload) = (usize::from(input.byte()), input.bytes());
        let is_writable = !self.is_shut_down && self.accepts == usize::MAX;
        let mut sender = self.endpoint.sender();
        if let Ok(mut write) = sender.send_binary_vectored(payload) {
            if is_writable {
                let all = write.slices().concat();
                let size = cut.min(all.len());
                self.wire.extend(&all[..size]);
                write.written(size);
            }
        }
    }

    /// Performs the endpoint's steps until it waits or is done.
    fn settle(&mut self) {
        self.endpoint.ready();
        for _ in 0..10_000 + 8 * self.incoming.len() {
            let step = self.endpoint.step(self.now);
            let is_over = self.is_shut_down || self.endpoint.end().is_some();
            match step {
                Step::Request => self.answer(),
                Step::Response => _ = self.endpoint.take_response().expect("the step announced it"),
                Step::Event => {
                    let mut events = self.endpoint.events();
                    while let Some((event, mut sender)) = events.next() {
                        if let (Event::Binary(payload), 0) = (event, self.answer & 8) {
                            _ = sender.send_binary(&payload[..payload.len().min(LARGEST)]);
                        }
                    }
                }
                Step::Write => {
                    let output = self.endpoint.output();
                    assert!(!is_over && !output.is_empty());
                    let size = output.len().min(self.accepts);
                    self.wire.extend(&output[..size]);
                    self.accepts = self.accepts.saturating_sub(match self.accepts {
                        usize::MAX => 0,
                        _ => size,
                    });
                    match size {
                        0 => self.endpoint.write_blocked(),
                        size => self.endpoint.written(size),
                    }
                }
                Step::Flush => {
                    assert!(!is_over);
                    self.endpoint.flushed();
                }
                Step::Read => self.read(),
                Step::Shutdown => {
                    assert!(!is_over && self.endpoint.output().is_empty());
                    self.is_shut_down = true;
                    self.endpoint.shut_down();
                }
                Step::Wait(_) => {
                    assert!(
                        self.endpoint.deadline().is_some(),
                        "the endpoint would wait indefinitely"
                    );
                    return self.check();
                }
                Step::Done => return self.check(),
            }
            self.check();
        }
        panic!("a busy loop");
    }

    fn read(&mut self) {
        let space = self.endpoint.read_space();
        assert!(!space.is_empty());
        let size = space.len().min(self.chunk).min(self.incoming.len());
        for (byte, read) in space.iter_mut().zip(self.incoming.drain(..size)) {
            *byte = read;
        }
        match size {
            0 if self.has_ended => self.endpoint.received(0),
            0 => self.endpoint.read_blocked(),
            size => self.endpoint.received(size),
        }
    }

    fn answer(&mut self) {
        let endpoint = &mut self.endpoint;
        if self.answer & 3 < 2 {
            return endpoint.accept();
        }
        let request = endpoint.take_request().expect("the step announced it");
        match self.answer & 3 {
            2 => endpoint
                .respond(&request, 404, &[], b"none")
                .expect("the endpoint waits for a response"),
            _ => assert!(endpoint.take_request().is_none(), "the request was already taken"),
        }
    }

    fn check(&self) {
        let output = 2 * (self.max_buffered + LARGEST + 14) + self.unbounded + LARGEST;
        // A held message, and a frame that is not an event.
        let read = MAX_READ_SIZE.max(2 * self.came) + 256;
        let capacity = self.endpoint.capacity();
        assert!(
            capacity <= 4 * output + read,
            "{capacity} bytes after {} came",
            self.came
        );
        if self.endpoint.end().is_some() {
            assert!(self.endpoint.output().is_empty() && self.endpoint.deadline().is_none());
            assert_eq!(capacity, 0);
        }
    }

    /// The peer ends its direction and continues reading, or is silent. In both cases, the endpoint ends after a few deadlines.
    fn finish(mut self, is_silent: bool) {
        self.has_ended |= !is_silent;
        self.accepts = usize::MAX;
        _ = self.endpoint.sender().close(None, "");
        self.settle();
        for _ in 0..20 {
            if let Some(end) = self.endpoint.end() {
                if let (true, true, Some(closed)) = (self.is_open, end.interruption.is_none(), end.closed()) {
                    self.strict.read(&self.wire);
                    assert_eq!(closed.code_sent().is_some(), self.strict.is_closed());
                    assert!(self.is_shut_down);
                }
                assert_eq!(self.endpoint.step(Duration::MAX), Step::Done);
                return;
            }
            self.now = self.endpoint.deadline().map_or(self.now, |due| due.max(self.now));
            self.settle();
        }
        panic!("{} has not ended after twenty deadlines", self.role_name());
    }

    fn role_name(&self) -> &'static str {
        match self.role {
            Role::Server => "a server",
            Role::Client => "a client",
        }
    }
}

/// Hostile bytes for an endpoint of either role, before or after its handshake, with a transport that blocks, fails and ends, and
/// a caller that does anything: no busy loop, nothing after the end, strictly valid output, memory within the bound, and an end.
pub fn endpoint_hostile(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut lone = Lone::new(&mut input);
    let is_silent = input.byte() & 1 != 0;
    for _ in 0..300 {
        if input.is_empty() {
            break;
        }
        lone.act(&mut input);
    }
    lone.finish(is_silent);
}
