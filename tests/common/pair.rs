//! Two endpoints over a transport that splits, blocks, buffers until it is flushed, fails and ends, with a clock that moves only
//! to deadlines. Every step is checked; a violated invariant panics.

use super::strict::Strict;
use super::{Seen, naive, open};
use std::collections::VecDeque;
use std::time::Duration;
use websocket_proto::endpoint::{Endpoint, EndpointConfig, Outcome, SendError, Step};
use websocket_proto::handshake::ClientRequest;
use websocket_proto::{CloseCode, Config, Delivery, Event, Fin, Role, entropy};

/// What may happen to a pair; the end that it happens to is given separately.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Act {
    /// Sends a binary message of this many bytes.
    Send(usize),
    Ping,
    Close,
    Abort,
    /// One step.
    Step,
    /// The next write fails, and every later one.
    FailWriting,
    /// The next read fails, and every later one.
    FailReading,
    /// The end crashes: bytes already written still arrive, then the transport ends in both directions.
    Vanish,
    /// The end hangs, and its transport stays open.
    Hang,
    /// The clock moves to its deadline.
    Wait,
}

/// How the connection is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Opening {
    /// Another library has done it.
    Done,
    /// By HTTP/1.1, and the server accepts.
    Accepted,
    /// By HTTP/1.1, and the server rejects with a body of this many bytes.
    Rejected(usize),
    /// By HTTP/1.1, and the server's caller takes the request but never responds.
    Ignored,
}

/// The configuration of the ends.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub opening: Opening,
    pub delivery: Delivery,
    /// Whether compression is offered and accepted in an HTTP/1.1 handshake.
    pub deflate: bool,
    /// Whether the server sends each message back while it holds it.
    pub echo: bool,
    pub max_buffered: usize,
}

impl Setup {
    pub const PLAIN: Self = Self {
        opening: Opening::Done,
        delivery: Delivery::Whole,
        deflate: false,
        echo: false,
        max_buffered: 200,
    };

    fn is_deflated(&self) -> bool {
        cfg!(feature = "deflate") && self.deflate && self.opening != Opening::Done
    }

    fn connection(&self) -> Config {
        let config = Config::new().delivery(self.delivery);
        #[cfg(feature = "deflate")]
        if self.is_deflated() {
            let deflate = websocket_proto::deflate::DeflateConfig::new().threshold(0);
            return config.deflate(deflate);
        }
        config
    }

    fn config(&self) -> EndpointConfig {
        EndpointConfig::new()
            .connection(self.connection())
            .max_buffered(self.max_buffered)
            .max_read_size(128)
    }

    fn endpoint(&self, role: Role) -> Endpoint {
        let (config, now) = (self.config(), Duration::ZERO);
        match (self.opening, role) {
            (Opening::Done, _) => {
                Endpoint::from_connection(&config, open(role, &self.connection()), &[], now)
            }
            (_, Role::Server) => Endpoint::server(&config, now),
            (_, Role::Client) => {
                let request = ClientRequest::from_url("ws://h/").expect("well-formed");
                Endpoint::client(&config, request, entropy::from_fn(|bytes| bytes.fill(7)), now)
            }
        }
    }

    /// The maximum of buffered output, as documented on `EndpointConfig::max_buffered`: the limit and one message over it, both for
    /// messages and for replies if there are any; control frames, which are not limited; and the handshake head.
    fn max_waiting(&self, pings: usize) -> usize {
        let opening = match self.opening {
            Opening::Done => 0,
            Opening::Accepted | Opening::Ignored => HEAD,
            Opening::Rejected(size) => HEAD + size,
        };
        let causes = if self.echo { 2 } else { 1 };
        causes * (self.max_buffered + MAX_MESSAGE + 14) + CONTROLS + 14 * pings + opening
    }
}

/// The size of a Close, a reply to a Close, and the endpoint's own Pings; and of a handshake head.
const CONTROLS: usize = 64;
const HEAD: usize = 300;

/// How the transport moves bytes.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// The maximum that one write or read transfers.
    pub chunk: usize,
    /// The maximum in flight in one direction.
    pub capacity: usize,
    /// Whether written bytes are sent only by a flush.
    pub buffers: bool,
}

/// One direction of the transport.
#[derive(Default)]
struct Pipe {
    unflushed: Vec<u8>,
    under_way: VecDeque<u8>,
    is_ended: bool,
    /// Everything that was ever written.
    wire: Vec<u8>,
}

/// One end, and what it has done so far.
pub struct Side {
    pub role: Role,
    pub endpoint: Endpoint,
    pub sent: Vec<Seen>,
    pub received: Vec<Seen>,
    /// The message that is being received in chunks.
    chunks: Vec<u8>,
    /// The body of the rejecting response.
    body: Option<Vec<u8>>,
    /// When writing was shut down, and when the endpoint was done.
    shut_down_at: Option<Duration>,
    done_at: Option<Duration>,
    fails_writing: bool,
    fails_reading: bool,
    hangs: bool,
}

pub struct Pair {
    pub sides: [Side; 2],
    /// The other side's end of the same pipe.
    pipes: [Pipe; 2],
    pub now: Duration,
    pub steps: u64,
    link: Link,
    setup: Setup,
    /// How many messages acts have sent.
    pings: usize,
}

/// The default of `EndpointConfig::linger_timeout`.
const LINGER: Duration = Duration::from_secs(2);

/// The largest message that is sent here.
pub const MAX_MESSAGE: usize = 300;

impl Pair {
    pub fn new(setup: Setup, link: Link) -> Self {
        let side = |role| Side {
            role,
            endpoint: setup.endpoint(role),
            sent: Vec::new(),
            received: Vec::new(),
            chunks: Vec::new(),
            body: None,
            shut_down_at: None,
            done_at: None,
            fails_writing: false,
            fails_reading: false,
            hangs: false,
        };
        Self {
            sides: [side(Role::Server), side(Role::Client)],
            pipes: Default::default(),
            now: Duration::ZERO,
            steps: 0,
            link,
            setup,
            pings: 0,
        }
    }

    pub fn act(&mut self, place: usize, act: Act) {
        let side = &mut self.sides[place];
        if side.hangs {
            return;
        }
        match act {
            Act::Send(size) => {
                let payload = vec![side.sent.len() as u8; size.min(MAX_MESSAGE)];
                if side.endpoint.sender().send_binary(&payload).is_ok() {
                    side.sent.push(Seen::Binary(payload));
                }
            }
            Act::Ping => {
                self.pings += 1;
                _ = side.endpoint.sender().send_ping(b"ping");
            }
            Act::Close => _ = side.endpoint.sender().close(CloseCode::NORMAL, "done"),
            Act::Abort => {
                side.endpoint.abort();
                self.pipes[place].is_ended = true;
            }
            Act::Step => _ = self.step(place),
            Act::Hang => side.hangs = true,
            Act::Wait => self.now = side.endpoint.deadline().map_or(self.now, |due| due.max(self.now)),
            Act::FailWriting => side.fails_writing = true,
            Act::FailReading => side.fails_reading = true,
            Act::Vanish => {
                side.endpoint.abort();
                for pipe in &mut self.pipes {
                    pipe.is_ended = true;
                }
            }
        }
        self.check(place);
    }

    /// Performs the next step of an end. Returns whether anything happened.
    fn step(&mut self, place: usize) -> bool {
        self.steps += 1;
        let (link, other) = (self.link, 1 - place);
        let side = &mut self.sides[place];
        if side.hangs {
            return false;
        }
        let step = side.endpoint.step(self.now);
        let is_over = side.shut_down_at.is_some() || side.endpoint.end().is_some();
        match step {
            Step::Request => side.answer(self.setup.opening),
            Step::Response => side.take_response(),
            Step::Event => side.take_events(self.setup.echo && side.role == Role::Server),
            Step::Write => {
                assert!(!is_over, "output after the end");
                let pipe = &mut self.pipes[place];
                let output = side.endpoint.output();
                assert!(!output.is_empty());
                let free = link
                    .capacity
                    .saturating_sub(pipe.under_way.len() + pipe.unflushed.len());
                let size = output.len().min(link.chunk).min(free);
                if side.fails_writing {
                    side.endpoint.write_failed("reset");
                } else if size == 0 && pipe.unflushed.is_empty() {
                    side.endpoint.write_blocked();
                } else if size == 0 {
                    // As TLS does: a full buffer is sent.
                    pipe.flush();
                    side.endpoint.write_blocked();
                } else {
                    pipe.wire.extend(&output[..size]);
                    pipe.unflushed.extend(&output[..size]);
                    if !link.buffers {
                        pipe.flush();
                    }
                    side.endpoint.written(size);
                }
            }
            Step::Flush => {
                assert!(!is_over, "a flush after the end");
                self.pipes[place].flush();
                side.endpoint.flushed();
            }
            Step::Read => {
                let pipe = &mut self.pipes[other];
                if side.fails_reading {
                    side.endpoint.read_failed("reset");
                } else if pipe.under_way.is_empty() && pipe.is_ended {
                    side.endpoint.received(0);
                } else if pipe.under_way.is_empty() {
                    side.endpoint.read_blocked();
                } else {
                    let space = side.endpoint.read_space();
                    assert!(!space.is_empty(), "there is space for a read");
                    let size = space.len().min(link.chunk).min(pipe.under_way.len());
                    for (byte, read) in space.iter_mut().zip(pipe.under_way.drain(..size)) {
                        *byte = read;
                    }
                    side.endpoint.received(size);
                }
            }
            Step::Shutdown => {
                assert!(!is_over, "a second shutdown");
                assert!(side.endpoint.output().is_empty(), "output is lost");
                let pipe = &mut self.pipes[place];
                assert!(pipe.unflushed.is_empty(), "everything written is flushed");
                pipe.is_ended = true;
                side.shut_down_at = Some(self.now);
                side.endpoint.shut_down();
            }
            Step::Wait(_) => return false,
            Step::Done => {
                side.done_at.get_or_insert(self.now);
                self.pipes[place].is_ended = true;
                self.pipes[place].flush();
                return false;
            }
        }
        self.check(place);
        true
    }

    fn check(&self, place: usize) {
        let side = &self.sides[place];
        let (waiting, most) = (side.endpoint.output().len(), self.setup.max_waiting(self.pings));
        assert!(waiting <= most, "{waiting} bytes are buffered, over {most}");
        // The output's buffers may be four times as large as the output. In addition, there are bytes from a read or a held message.
        assert!(
            side.endpoint.capacity() <= 4 * most + MAX_MESSAGE + 256,
            "{} bytes of buffers",
            side.endpoint.capacity()
        );
        if side.endpoint.end().is_some() {
            assert!(side.endpoint.output().is_empty(), "output after the end");
            assert_eq!(side.endpoint.deadline(), None, "a deadline after the end");
        }
    }

    /// Runs both ends until neither can do anything.
    pub fn settle(&mut self) {
        let mut budget = 20_000;
        loop {
            let mut moved = false;
            for place in [0, 1] {
                self.sides[place].endpoint.ready();
                while self.step(place) {
                    moved = true;
                    budget -= 1;
                    assert!(budget > 0, "a busy loop");
                }
            }
            // Both ends were woken, but the transport had nothing for them.
            if !moved || !self.has_progress() {
                return;
            }
        }
    }

    /// Whether another round can transfer bytes. A blocked end that reads nothing only tries the transport.
    fn has_progress(&mut self) -> bool {
        let before = self.progress();
        for place in [0, 1] {
            self.sides[place].endpoint.ready();
            while self.step(place) {}
        }
        before != self.progress()
    }

    fn progress(&self) -> [(usize, usize, usize, bool); 2] {
        [0, 1].map(|place| {
            let (side, pipe) = (&self.sides[place], &self.pipes[place]);
            let left = pipe.under_way.len();
            (pipe.wire.len(), left, side.received.len(), pipe.is_ended)
        })
    }

    /// From here on, the transport is fair and the clock moves to each deadline, so both ends finish eventually.
    pub fn finish(mut self) -> [Side; 2] {
        self.settle();
        let start = self.now;
        // If the transport accepts only a few bytes at a time, Pings continue until it is full, because until then the peer seems to
        // read.
        for _ in 0..100 + self.link.capacity {
            if self
                .sides
                .iter()
                .all(|side| side.hangs || side.endpoint.end().is_some())
            {
                self.conclude();
                self.sides.iter().for_each(|side| side.conclude_linger(start));
                return self.sides;
            }
            let alive = self.sides.iter().filter(|side| !side.hangs);
            let deadlines = alive.filter_map(|side| side.endpoint.deadline());
            let next = deadlines.min().expect("an end waits indefinitely");
            self.now = self.now.max(next);
            self.settle();
        }
        panic!("an end has not ended after a bounded number of deadlines");
    }

    /// Checks the invariants after both ends have finished.
    fn conclude(&self) {
        for place in [0, 1] {
            let (here, peer) = (&self.sides[place], &self.sides[1 - place]);
            let Some(end) = here.endpoint.end() else {
                continue;
            };
            let was_interrupted = end.interruption.is_some();
            let closed = end.closed();
            if closed.is_some_and(|closed| closed.code_sent().is_some()) {
                assert!(self.has_close(place), "a Close that is reported is on the wire");
            }
            // After an interruption, the last frame may be incomplete.
            if !was_interrupted {
                self.conclude_wire(place);
            }
            let messages = |seen: &&Seen| matches!(seen, Seen::Binary(_));
            let received: Vec<_> = here.received.iter().filter(messages).collect();
            let sent: Vec<_> = peer.sent.iter().collect();
            assert!(sent.starts_with(&received), "the received bytes were sent");
            if end.is_clean() {
                assert_eq!(received, sent, "everything arrives before a clean end");
            }
            let peers = peer.endpoint.end();
            if !was_interrupted && peers.is_some_and(|end| end.interruption.is_none()) {
                self.conclude_both(place);
            }
        }
    }

    /// What an end wrote after its handshake head.
    fn frames(&self, place: usize) -> &[u8] {
        let wire = &self.pipes[place].wire[..];
        match self.setup.opening {
            Opening::Done => wire,
            Opening::Accepted | Opening::Rejected(_) | Opening::Ignored => {
                let head = wire.windows(4).position(|four| four == b"\r\n\r\n");
                head.map_or(&[][..], |head| &wire[head + 4..])
            }
        }
    }

    /// Whether there is a Close among the frames, the last of which may be incomplete.
    fn has_close(&self, place: usize) -> bool {
        let mut frames = self.frames(place);
        while let Some((frame, size, _)) = naive::split(frames) {
            if frame.opcode == 8 {
                return true;
            }
            frames = &frames[size..];
        }
        false
    }

    /// Checks that everything an end had to send is on the wire.
    fn conclude_wire(&self, place: usize) {
        let here = &self.sides[place];
        let end = here.endpoint.end().expect("the endpoint has ended");
        let frames = self.frames(place);
        let Some(closed) = end.closed() else {
            let body = match (self.setup.opening, here.role) {
                (Opening::Rejected(size), Role::Server) => size,
                _ => 0,
            };
            assert!(frames.len() <= body, "no frame without a connection");
            return;
        };
        let mut strict = Strict::new(here.role).deflated(self.setup.is_deflated());
        strict.read(frames);
        assert_eq!(
            strict.is_closed(),
            closed.code_sent().is_some(),
            "each Close is written and reported"
        );
        assert!(here.shut_down_at.is_some(), "writing is shut down before the end");
    }

    /// Checks two ends that ended without an interruption.
    fn conclude_both(&self, place: usize) {
        let (here, peer) = (&self.sides[place], &self.sides[1 - place]);
        let ends = [here, peer].map(|side| side.endpoint.end().expect("the endpoint has ended"));
        assert_eq!(ends[0].is_clean(), ends[1].is_clean(), "both agree");
        if let (Outcome::Responded { status }, Role::Server) = (&ends[0].outcome, here.role) {
            assert_eq!(ends[1].outcome, Outcome::Responded { status: *status });
            let Opening::Rejected(size) = self.setup.opening else {
                panic!("there was no rejection");
            };
            assert_eq!(
                peer.body.as_deref(),
                Some(&vec![b'x'; size][..]),
                "the body arrives"
            );
        }
    }
}

impl Side {
    /// Checks the linger time. The end has been polled at each deadline since `start`.
    fn conclude_linger(&self, start: Duration) {
        if let (Some(shut_down), Some(done)) = (self.shut_down_at.filter(|time| *time >= start), self.done_at)
        {
            assert!(done - shut_down <= LINGER, "waited longer for the peer's end");
        }
    }

    fn answer(&mut self, opening: Opening) {
        let endpoint = &mut self.endpoint;
        match opening {
            Opening::Done => panic!("the connection is already open"),
            Opening::Accepted => endpoint.accept(),
            Opening::Rejected(size) => {
                let request = endpoint.take_request().expect("the step announced it");
                let upgrade = endpoint.upgrade(&request).expect("a well-formed request");
                let body = vec![b'x'; size];
                endpoint
                    .reject(upgrade, 403, &[], &body)
                    .expect("the endpoint waits for a response");
            }
            Opening::Ignored => _ = endpoint.take_request().expect("the step announced it"),
        }
    }

    fn take_response(&mut self) {
        let body = self.endpoint.response_body().to_vec();
        let response = self.endpoint.take_response().expect("the step announced it");
        if response.status() != 101 {
            self.body = Some(body);
        }
    }

    fn take_events(&mut self, echo: bool) {
        let mut events = self.endpoint.events();
        while let Some((event, mut sender)) = events.next() {
            let seen = match event {
                Event::BinaryChunk(chunk, fin) => {
                    self.chunks.extend(&chunk[..]);
                    match fin {
                        Fin::More => continue,
                        Fin::Last => Seen::Binary(std::mem::take(&mut self.chunks)),
                    }
                }
                event => event.into(),
            };
            if let (true, Seen::Binary(payload)) = (echo, &seen) {
                match sender.send_binary(payload) {
                    Ok(()) => self.sent.push(seen.clone()),
                    Err(SendError::Full { .. }) => panic!("there is space for a reply to each event"),
                    Err(_) => {}
                }
            }
            self.received.push(seen);
        }
    }
}

impl Pipe {
    fn flush(&mut self) {
        self.under_way.extend(self.unflushed.drain(..));
    }
}
