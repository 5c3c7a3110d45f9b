//! Two endpoints over a transport that splits, blocks, buffers until it is flushed, fails and ends, with a clock that moves only
//! to deadlines. It is driven by readiness, or by operations that complete at any later time. Every step is checked; a violated
//! invariant panics.

use super::strict::Strict;
use super::{Seen, naive, open};
use std::collections::VecDeque;
use std::time::Duration;
use websocket_proto::endpoint::{Endpoint, EndpointConfig, Interruption, Outcome, SendError, Step, Timeout};
use websocket_proto::handshake::{ClientRequest, Request};
use websocket_proto::keepalive::KeepaliveConfig;
use websocket_proto::{CloseCode, Config, Delivery, Event, Fin, Role, entropy};

/// What may happen to a pair; the end that it happens to is given separately.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Act {
    /// Sends a binary message of this many bytes.
    Send(usize),
    /// Sends a binary message of this many bytes, of which the transport accepts a part at once, unless a write is in progress.
    SendVectored(usize),
    Ping,
    Close,
    Abort,
    /// One step.
    Step,
    /// One step, for which the caller does only a part: it takes one event, or does not answer the request or take the response yet.
    Hesitate,
    /// Another half of the program writes and flushes, although events may wait.
    Flush,
    /// So many bytes arrive by the read that is in progress, or the end.
    Arrive(usize),
    /// What is in progress in this direction completes: so many bytes are accepted, or all is flushed or shut down.
    Complete(usize),
    /// The transport may be ready again.
    Ready,
    /// The buffers are taken and lent again, if they hold nothing.
    Park,
    /// The write in progress or the next one fails, and every later one.
    FailWriting,
    /// The read in progress or the next one fails, and every later one.
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
        let keepalive = KeepaliveConfig::new()
            .ping_interval(PING_INTERVAL)
            .ping_timeout(PING_TIMEOUT);
        EndpointConfig::new()
            .connection(self.connection())
            .keepalive(keepalive)
            .max_buffered(self.max_buffered)
            .max_read_size(MAX_READ_SIZE)
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
    fn max_waiting(&self, pings: usize, largest: usize) -> usize {
        let opening = match self.opening {
            Opening::Done => 0,
            Opening::Accepted | Opening::Ignored => HEAD,
            Opening::Rejected(size) => HEAD + size,
        };
        let causes = if self.echo { 2 } else { 1 };
        causes * (self.max_buffered + largest + 14) + CONTROLS + 14 * pings + opening
    }
}

/// The size of a Close, a reply to a Close, and the endpoint's own Pings; and of a handshake head.
const CONTROLS: usize = 96;
const HEAD: usize = 300;
const MAX_READ_SIZE: usize = 128;

/// Short enough for several Pings before a write times out.
const PING_INTERVAL: Duration = Duration::from_secs(4);
const PING_TIMEOUT: Duration = Duration::from_secs(6);
/// The defaults.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const LINGER: Duration = Duration::from_secs(2);

/// How the transport is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Driver {
    /// Each step is one call, whose result is reported at once.
    Readiness,
    /// A step starts an operation, which completes at any later time. Every second read that can complete at once is made as by
    /// readiness. `Endpoint::ready` is not needed.
    Completion,
    /// Same, and bytes arrive without a step.
    Multishot,
}

/// How the transport moves bytes.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// The maximum that one write or read transfers.
    pub chunk: usize,
    /// The maximum in flight in one direction.
    pub capacity: usize,
    /// Whether written bytes are sent only by a flush.
    pub buffers: bool,
    pub driver: Driver,
}

/// What is in progress in an end's own direction.
enum Operation {
    Write(Vec<u8>),
    Flush,
    Shutdown,
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
    /// Its caller has ended it. The end then still names an earlier failure of the transport.
    is_aborted: bool,
    /// The request that was taken, and is not answered.
    request: Option<Request>,
    operation: Option<Operation>,
    /// Whether a read is in progress, and how many were begun.
    is_reading: bool,
    reads: usize,
    /// Everything that was reported as read, and whether the end was.
    read: Vec<u8>,
    has_read_end: bool,
    is_open: bool,
    /// Whether a direction was reported as blocked, and nothing since.
    blocked: [bool; 2],
    times: Times,
}

/// When something last happened to an end.
#[derive(Default)]
struct Times {
    /// Something arrived, or the connection was opened.
    heard: Duration,
    /// The transport accepted output, or none waited.
    progress: Duration,
    failed: Option<Duration>,
    /// A deadline was missed, and events wait for the caller.
    given_up: Option<Duration>,
    closing: Option<Duration>,
}

pub struct Pair {
    pub sides: [Side; 2],
    /// The other side's end of the same pipe.
    pipes: [Pipe; 2],
    pub now: Duration,
    pub steps: u64,
    link: Link,
    setup: Setup,
    /// How many Pings acts have sent.
    pings: usize,
    /// The size of the largest message that was sent.
    largest: usize,
}

/// The largest message that is sent here: large enough to be read into directly.
pub const MAX_MESSAGE: usize = 2500;

impl Pair {
    pub fn new(setup: Setup, link: Link) -> Self {
        let mut sides = [Role::Server, Role::Client].map(|role| Side::new(role, setup.endpoint(role)));
        for side in &mut sides {
            side.is_open = setup.opening == Opening::Done;
        }
        Self {
            sides,
            pipes: Default::default(),
            now: Duration::ZERO,
            steps: 0,
            link,
            setup,
            pings: 0,
            largest: 0,
        }
    }

    pub fn act(&mut self, place: usize, act: Act) {
        let side = &mut self.sides[place];
        if side.hangs {
            return;
        }
        match act {
            Act::Send(size) => {
                let payload = self.payload(place, size);
                let side = &mut self.sides[place];
                if side.endpoint.sender().send_binary(&payload).is_ok() {
                    side.sent.push(Seen::Binary(payload));
                }
            }
            Act::SendVectored(size) => self.send_vectored(place, size),
            Act::Ping => {
                self.pings += 1;
                _ = side.endpoint.sender().send_ping(b"ping");
            }
            Act::Close => {
                if side.endpoint.sender().close(CloseCode::NORMAL, "done").is_ok() {
                    side.times.closing.get_or_insert(self.now);
                }
            }
            Act::Abort => {
                side.abort();
                self.pipes[place].is_ended = true;
            }
            Act::Step => _ = self.step(place),
            Act::Hesitate => _ = self.hesitate(place),
            Act::Flush => self.flush(place),
            Act::Arrive(size) => _ = self.arrive(place, size),
            Act::Complete(size) => _ = self.complete(place, size),
            Act::Ready => side.ready(),
            Act::Park => {
                if let Some(buffers) = side.endpoint.take_buffers() {
                    side.endpoint.lend_buffers(buffers);
                }
            }
            Act::Hang => side.hangs = true,
            Act::Wait => self.now = side.endpoint.deadline().map_or(self.now, |due| due.max(self.now)),
            Act::FailWriting => {
                side.fails_writing = true;
                _ = self.complete(place, 0);
            }
            Act::FailReading => {
                side.fails_reading = true;
                _ = self.arrive(place, 0);
            }
            Act::Vanish => {
                side.abort();
                for pipe in &mut self.pipes {
                    pipe.is_ended = true;
                }
            }
        }
        self.check(place);
    }

    fn payload(&mut self, place: usize, size: usize) -> Vec<u8> {
        let size = size.min(MAX_MESSAGE);
        self.largest = self.largest.max(size);
        vec![self.sides[place].sent.len() as u8; size]
    }

    fn send_vectored(&mut self, place: usize, size: usize) {
        let (payload, free) = (self.payload(place, size), self.free(place));
        let (side, pipe) = (&mut self.sides[place], &mut self.pipes[place]);
        let is_usable = side.operation.is_none() && !side.fails_writing && side.times.failed.is_none();
        let mut sender = side.endpoint.sender();
        let Ok(mut write) = sender.send_binary_vectored(&payload) else {
            return;
        };
        let mut all = write.slices().concat();
        all.truncate(if is_usable { free } else { 0 });
        write.written(all.len());
        drop(write);
        assert!(
            all.is_empty() || side.shut_down_at.is_none(),
            "output after the end"
        );
        pipe.write(&all, self.link.buffers);
        side.wrote(all.len(), self.now);
        side.sent.push(Seen::Binary(payload));
    }

    /// Returns how much the transport accepts.
    fn free(&self, place: usize) -> usize {
        let pipe = &self.pipes[place];
        let in_flight = pipe.under_way.len() + pipe.unflushed.len();
        self.link.capacity.saturating_sub(in_flight).min(self.link.chunk)
    }

    /// Performs the next step of an end. Returns whether anything happened.
    fn step(&mut self, place: usize) -> bool {
        let side = &mut self.sides[place];
        if side.hangs {
            return false;
        }
        if let Some(request) = side.request.take() {
            side.answer(&request, self.setup.opening, self.now);
        }
        let step = self.next_step(place);
        self.perform(place, step)
    }

    fn next_step(&mut self, place: usize) -> Step {
        self.steps += 1;
        self.ask(place, Endpoint::step)
    }

    /// Asks an end for a step, for which it may add a Ping to its output, but not after the peer's end: that cannot be answered.
    fn ask<T>(&mut self, place: usize, step: impl FnOnce(&mut Endpoint, Duration) -> T) -> T {
        let side = &mut self.sides[place];
        let before = side.endpoint.output().len();
        let is_due = side.endpoint.deadline().is_some_and(|due| due <= self.now);
        let step = step(&mut side.endpoint, self.now);
        if is_due && side.is_open && side.endpoint.end().is_none() && side.endpoint.deadline().is_none() {
            side.times.given_up.get_or_insert(self.now);
        }
        side.note_output(self.now);
        let is_unasked = side.endpoint.output().len() > before;
        assert!(
            !(is_unasked && side.has_read_end && side.is_open),
            "a Ping after the end"
        );
        step
    }

    /// Begins the next step of an end.
    fn hesitate(&mut self, place: usize) -> bool {
        let step = self.next_step(place);
        let side = &mut self.sides[place];
        match step {
            Step::Request => side.request = side.endpoint.take_request(),
            Step::Response => {}
            Step::Event => side.take_events(self.setup.echo && side.role == Role::Server, 1, self.now),
            step => return self.perform(place, step),
        }
        true
    }

    /// Another half writes.
    fn flush(&mut self, place: usize) {
        let step = self.ask(place, Endpoint::flush_step);
        let side = &self.sides[place];
        match step {
            Some(step @ (Step::Write | Step::Flush)) => _ = self.perform(place, step),
            Some(Step::Wait(_)) => {}
            Some(Step::Done) => {
                assert!(!side.is_live() || side.times.failed.is_some());
            }
            None => assert!(side.endpoint.output().is_empty(), "all output is written"),
            Some(step) => panic!("{step:?} is no step of the writing half"),
        }
    }

    /// Returns whether anything happened.
    fn perform(&mut self, place: usize, step: Step) -> bool {
        let is_usable = self.free(place) > 0;
        let (link, now) = (self.link, self.now);
        let side = &mut self.sides[place];
        let is_over = side.shut_down_at.is_some() || side.endpoint.end().is_some();
        assert!(
            side.times.given_up.is_none() || matches!(step, Step::Event | Step::Done),
            "{step:?} on a transport that is given up"
        );
        match step {
            Step::Write | Step::Flush | Step::Shutdown => {
                assert!(!is_over && side.times.failed.is_none(), "{step:?} after the end");
                assert!(!side.blocked[1], "a busy loop: {step:?} while it is blocked");
            }
            Step::Read => assert!(
                !side.blocked[0] && !side.has_read_end,
                "a busy loop: reads while blocked"
            ),
            _ => {}
        }
        match step {
            Step::Request => {
                let request = side.endpoint.take_request().expect("the step announced it");
                side.answer(&request, self.setup.opening, now);
            }
            Step::Response => side.take_response(now),
            Step::Event => side.take_events(self.setup.echo && side.role == Role::Server, usize::MAX, now),
            Step::Write | Step::Flush | Step::Shutdown => {
                let output = side.endpoint.output();
                let is_at_once = side.operation.is_none() && link.driver == Driver::Readiness;
                if side.operation.is_none() {
                    side.operation = Some(match step {
                        Step::Write => Operation::Write(output[..output.len().min(link.chunk)].to_vec()),
                        Step::Flush => Operation::Flush,
                        _ => Operation::Shutdown,
                    });
                }
                if !is_at_once {
                    side.write_blocked();
                } else if side.fails_writing || is_usable || step != Step::Write {
                    _ = self.complete(place, usize::MAX);
                } else {
                    // As TLS does: a full buffer is sent.
                    self.pipes[place].flush();
                    let side = &mut self.sides[place];
                    side.operation = None;
                    side.write_blocked();
                }
            }
            Step::Read => self.read(place),
            Step::Wait(_) => {
                let due = side.endpoint.deadline();
                assert!(due.is_none_or(|due| due > now), "a busy loop: {due:?} is past");
                return false;
            }
            Step::Done => {
                side.done_at.get_or_insert(now);
                self.pipes[place].is_ended = true;
                self.pipes[place].flush();
                return false;
            }
        }
        self.check(place);
        true
    }

    /// Reads now, or begins to.
    fn read(&mut self, place: usize) {
        let (link, now) = (self.link, self.now);
        let (side, pipe) = (&mut self.sides[place], &mut self.pipes[1 - place]);
        let space = side.endpoint.read_space();
        assert!(!space.is_empty(), "there is space for a read");
        if side.is_reading {
            return side.read_blocked();
        }
        let is_ready = !pipe.under_way.is_empty() || pipe.is_ended || side.fails_reading;
        side.reads += 1;
        match link.driver {
            Driver::Readiness if !is_ready => return side.read_blocked(),
            Driver::Completion | Driver::Multishot if !is_ready || side.reads % 2 == 0 => {
                side.is_reading = true;
                return side.read_blocked();
            }
            Driver::Readiness | Driver::Completion | Driver::Multishot => {}
        }
        if side.fails_reading {
            return side.fail_reading(now);
        }
        let size = space.len().min(link.chunk).min(pipe.under_way.len());
        for (byte, read) in space.iter_mut().zip(pipe.under_way.drain(..size)) {
            *byte = read;
            side.read.push(read);
        }
        side.endpoint.received(size);
        side.has_received(size, now);
    }

    /// The read in progress completes, if something is under way. Returns whether it does.
    fn arrive(&mut self, place: usize, size: usize) -> bool {
        let (link, now) = (self.link, self.now);
        let (side, pipe) = (&mut self.sides[place], &mut self.pipes[1 - place]);
        let is_begun = match link.driver {
            Driver::Readiness => false,
            Driver::Completion => side.is_reading,
            Driver::Multishot => side.is_reading || !side.has_read_end && side.endpoint.end().is_none(),
        };
        let is_ready = !pipe.under_way.is_empty() || pipe.is_ended || side.fails_reading;
        if !is_begun || !is_ready {
            return false;
        }
        side.is_reading = false;
        if side.fails_reading {
            side.fail_reading(now);
        } else {
            let size = size.clamp(1, link.chunk).min(pipe.under_way.len());
            let bytes: Vec<u8> = pipe.under_way.drain(..size).collect();
            // An endpoint that has given up its transport ignores them.
            if side.is_live() {
                side.read.extend(&bytes);
            }
            side.endpoint.receive(&bytes);
            side.has_received(size, now);
        }
        self.check(place);
        true
    }

    /// The operation in progress completes, with so many bytes if it is a write, unless nothing is accepted. Returns whether it does.
    fn complete(&mut self, place: usize, size: usize) -> bool {
        let (free, now) = (self.free(place), self.now);
        let (side, pipe) = (&mut self.sides[place], &mut self.pipes[place]);
        let Some(operation) = side.operation.take() else {
            return false;
        };
        // Its endpoint may have failed or ended since.
        let is_live = side.is_live() && side.times.failed.is_none();
        match operation {
            _ if side.fails_writing => {
                side.fail(now);
                side.endpoint.write_failed("reset");
            }
            Operation::Write(bytes) if free == 0 && is_live => {
                // As TLS does: a full buffer is sent.
                let is_sent = !pipe.unflushed.is_empty();
                pipe.flush();
                side.operation = Some(Operation::Write(bytes));
                return is_sent;
            }
            Operation::Write(bytes) => {
                let size = size.clamp(1, free.max(1)).min(bytes.len());
                if is_live {
                    let output = side.endpoint.output();
                    assert!(output.starts_with(&bytes), "what is being written stays in front");
                    pipe.write(&bytes[..size], self.link.buffers);
                }
                side.endpoint.written(size);
                side.wrote(size, now);
            }
            Operation::Flush => {
                pipe.flush();
                side.endpoint.flushed();
                side.blocked[1] = false;
                side.note_output(now);
            }
            Operation::Shutdown => {
                assert!(side.endpoint.output().is_empty(), "output is lost");
                assert!(
                    pipe.unflushed.is_empty() || !is_live,
                    "everything written is flushed"
                );
                pipe.is_ended = true;
                side.endpoint.shut_down();
                if is_live {
                    side.shut_down_at = Some(now);
                }
            }
        }
        self.check(place);
        true
    }

    /// What is in progress completes, as far as it can, or the transport may be ready again. Returns whether anything happened.
    fn wake(&mut self, place: usize) -> bool {
        if self.sides[place].hangs {
            return false;
        }
        match self.link.driver {
            Driver::Readiness => {
                self.sides[place].ready();
                false
            }
            Driver::Completion | Driver::Multishot => {
                let has_arrived = self.arrive(place, usize::MAX);
                self.complete(place, usize::MAX) || has_arrived
            }
        }
    }

    fn check(&self, place: usize) {
        let side = &self.sides[place];
        let (waiting, most) = (
            side.endpoint.output().len(),
            self.setup.max_waiting(self.pings, self.largest),
        );
        assert!(waiting <= most, "{waiting} bytes are buffered, over {most}");
        // The output's buffers may be four times as large as the output. In addition, there are bytes from a read or a held message.
        let read = match self.link.driver {
            Driver::Readiness => self.largest + 256,
            Driver::Completion => 2 * (self.largest + self.link.chunk.max(MAX_READ_SIZE)) + 256,
            Driver::Multishot => 2 * side.read.len() + 256,
        };
        assert!(
            side.endpoint.capacity() <= 4 * most + read,
            "{} bytes of buffers",
            side.endpoint.capacity()
        );
        if side.endpoint.end().is_some() {
            assert!(side.endpoint.output().is_empty(), "output after the end");
            assert_eq!(side.endpoint.deadline(), None, "a deadline after the end");
            assert_eq!(side.endpoint.capacity(), 0, "memory after the end");
        }
    }

    /// Runs both ends until neither can do anything.
    pub fn settle(&mut self) {
        let mut budget = 20_000;
        loop {
            let mut moved = false;
            for place in [0, 1] {
                moved |= self.wake(place);
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

    /// Whether another round completes an operation or transfers bytes. A blocked end that reads nothing only tries the transport.
    fn has_progress(&mut self) -> bool {
        let (before, mut has_completed) = (self.progress(), false);
        for place in [0, 1] {
            has_completed |= self.wake(place);
            while self.step(place) {}
        }
        has_completed || before != self.progress()
    }

    /// How far the bytes have come. As many bytes may be flushed as are read, so the number under way alone does not show it.
    fn progress(&self) -> [([usize; 3], usize, bool); 2] {
        [0, 1].map(|place| {
            let (side, pipe) = (&self.sides[place], &self.pipes[place]);
            let bytes = [pipe.wire.len(), pipe.unflushed.len(), pipe.under_way.len()];
            (bytes, side.received.len(), pipe.is_ended)
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
            here.conclude_events(self.setup);
            here.conclude_times();
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

    /// Checks that the events are those of an endpoint to which everything arrives at once.
    fn conclude_events(&self, setup: Setup) {
        let unlimited = Setup {
            max_buffered: usize::MAX,
            echo: false,
            ..setup
        };
        let now = Duration::ZERO;
        let mut other = Side::new(self.role, unlimited.endpoint(self.role));
        other.endpoint.receive(&self.read);
        if self.has_read_end {
            other.endpoint.receive(&[]);
        }
        loop {
            match other.endpoint.step(now) {
                Step::Request => {
                    let request = other.endpoint.take_request().expect("the step announced it");
                    other.answer(&request, setup.opening, now);
                }
                Step::Response => other.take_response(now),
                Step::Event => other.take_events(false, usize::MAX, now),
                Step::Write => other.endpoint.written(usize::MAX),
                Step::Flush => other.endpoint.flushed(),
                Step::Read | Step::Shutdown | Step::Wait(_) | Step::Done => break,
            }
        }
        let end = self.endpoint.end().expect("the endpoint has ended");
        // What the caller has not taken is dropped if it aborts, or if it has opened no connection in time.
        if self.is_aborted || end.timeout() == Some(Timeout::Opening) {
            assert!(other.received.starts_with(&self.received), "the same events");
        } else {
            assert_eq!(other.received, self.received, "the same events");
        }
    }

    fn abort(&mut self) {
        self.is_aborted |= self.endpoint.end().is_none();
        self.endpoint.abort();
    }

    /// Checks that no deadline was early.
    fn conclude_times(&self) {
        let (Some(end), Some(done)) = (self.endpoint.end(), self.done_at) else {
            return;
        };
        let Times {
            heard,
            progress,
            failed,
            given_up,
            closing,
        } = self.times;
        let for_long = |since: Duration, timeout| done - since >= timeout;
        let is_silent = for_long(heard, PING_TIMEOUT);
        let is_closing_for_long = closing.is_some_and(|since| for_long(since, CLOSE_TIMEOUT));
        match &end.interruption {
            Some(Interruption::TimedOut { timeout, .. }) => assert!(
                match timeout {
                    Timeout::Opening => for_long(Duration::ZERO, OPEN_TIMEOUT),
                    Timeout::Ping => is_silent,
                    Timeout::Closing => is_closing_for_long,
                    Timeout::Write => given_up.unwrap_or(done) - progress >= WRITE_TIMEOUT,
                    _ => false,
                },
                "{end} is early"
            ),
            _ if self.is_aborted
                || self.has_read_end
                || end.closed().is_none()
                || is_silent
                || is_closing_for_long => {}
            _ => {
                let since = failed.or(self.shut_down_at).expect("it has ended for a reason");
                assert!(for_long(since, LINGER), "the peer's last bytes are read");
            }
        }
    }

    fn new(role: Role, endpoint: Endpoint) -> Self {
        Self {
            role,
            endpoint,
            sent: Vec::new(),
            received: Vec::new(),
            chunks: Vec::new(),
            body: None,
            shut_down_at: None,
            done_at: None,
            fails_writing: false,
            fails_reading: false,
            hangs: false,
            is_aborted: false,
            request: None,
            operation: None,
            is_reading: false,
            reads: 0,
            read: Vec::new(),
            has_read_end: false,
            is_open: false,
            blocked: [false; 2],
            times: Times::default(),
        }
    }

    fn ready(&mut self) {
        self.endpoint.ready();
        self.blocked = [false; 2];
    }

    fn read_blocked(&mut self) {
        self.endpoint.read_blocked();
        self.blocked[0] = true;
    }

    fn write_blocked(&mut self) {
        self.endpoint.write_blocked();
        self.blocked[1] = true;
    }

    fn fail(&mut self, now: Duration) {
        if self.endpoint.end().is_none() {
            self.times.failed.get_or_insert(now);
        }
    }

    fn fail_reading(&mut self, now: Duration) {
        self.fail(now);
        self.endpoint.read_failed("reset");
        self.has_received(0, now);
    }

    fn has_received(&mut self, size: usize, now: Duration) {
        self.blocked[0] = false;
        if self.endpoint.end().is_some() {
            return;
        }
        match size {
            0 => {
                self.has_read_end = true;
                self.times.closing.get_or_insert(now);
            }
            _ => self.times.heard = now,
        }
    }

    fn wrote(&mut self, size: usize, now: Duration) {
        if size > 0 && self.is_live() {
            self.blocked[1] = false;
            self.times.progress = now;
        }
    }

    /// Whether it has neither ended nor given up its transport.
    fn is_live(&self) -> bool {
        self.endpoint.end().is_none() && self.times.given_up.is_none()
    }

    /// Notes that no output waits.
    fn note_output(&mut self, now: Duration) {
        if self.is_live() && self.endpoint.output().is_empty() && self.operation.is_none() {
            self.times.progress = now;
        }
    }

    fn opened(&mut self, now: Duration) {
        self.is_open = true;
        self.times.heard = now;
    }

    fn answer(&mut self, request: &Request, opening: Opening, now: Duration) {
        let endpoint = &mut self.endpoint;
        // Unless it took too long, or the transport has failed.
        let Ok(upgrade) = endpoint.upgrade(request) else {
            return;
        };
        match opening {
            Opening::Done => panic!("the connection is already open"),
            Opening::Accepted => {
                endpoint
                    .accept_upgrade(upgrade)
                    .expect("the endpoint waits for a response");
                self.opened(now);
            }
            Opening::Rejected(size) => endpoint
                .reject(upgrade, 403, &[], &vec![b'x'; size])
                .expect("the endpoint waits for a response"),
            Opening::Ignored => {}
        }
    }

    fn take_response(&mut self, now: Duration) {
        let body = self.endpoint.response_body().to_vec();
        let response = self.endpoint.take_response().expect("the step announced it");
        match response.status() {
            101 => self.opened(now),
            _ => self.body = Some(body),
        }
    }

    /// Takes at most so many events.
    fn take_events(&mut self, echo: bool, most: usize, now: Duration) {
        let mut events = self.endpoint.events();
        for _ in 0..most {
            let Some((event, mut sender)) = events.next() else {
                return;
            };
            if let Event::Close(_) = event {
                self.times.closing.get_or_insert(now);
            }
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
    fn write(&mut self, bytes: &[u8], buffers: bool) {
        self.wire.extend(bytes);
        self.unflushed.extend(bytes);
        if !buffers {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.under_way.extend(self.unflushed.drain(..));
    }
}
