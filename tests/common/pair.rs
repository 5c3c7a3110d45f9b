//! Two endpoints over a transport that splits, blocks, buffers until it is flushed, fails and ends, with a clock that moves only
//! to deadlines. Every step is checked; anything that breaks an invariant panics.

use super::strict::frames_of;
use super::{Seen, open};
use std::collections::VecDeque;
use std::time::Duration;
use websocket_proto::endpoint::{Endpoint, EndpointConfig, Step};
use websocket_proto::{CloseCode, Role};

/// What may happen to a pair; the end that it happens to is named beside it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Act {
    /// A binary message of so many bytes.
    Send(usize),
    Ping,
    Close,
    Abort,
    /// One step.
    Step,
    /// The next write fails, and every one after it.
    FailWriting,
    /// The next read fails, and every one after it.
    FailReading,
    /// The end crashes: what it wrote arrives, then the transport ends in both directions.
    Vanish,
}

/// How the transport moves bytes.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// The most that one write or one read moves.
    pub chunk: usize,
    /// The most that is under way in one direction.
    pub capacity: usize,
    /// Whether what is written leaves only with a flush.
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

/// One end, and what was seen of it.
pub struct Side {
    pub role: Role,
    pub endpoint: Endpoint,
    pub sent: Vec<Seen>,
    pub received: Vec<Seen>,
    is_shut_down: bool,
    fails_writing: bool,
    fails_reading: bool,
}

pub struct Pair {
    pub sides: [Side; 2],
    /// From the side of the same place.
    pipes: [Pipe; 2],
    pub now: Duration,
    pub steps: u64,
    link: Link,
    capacity: usize,
}

/// The largest message that is sent here.
pub const MAX_MESSAGE: usize = 300;

impl Pair {
    /// Two ends whose opening handshake is done.
    pub fn new(config: &EndpointConfig, link: Link, capacity: usize) -> Self {
        let side = |role| Side {
            role,
            endpoint: Endpoint::open(
                config,
                open(role, &websocket_proto::Config::new()),
                &[],
                Duration::ZERO,
            ),
            sent: Vec::new(),
            received: Vec::new(),
            is_shut_down: false,
            fails_writing: false,
            fails_reading: false,
        };
        Self {
            sides: [side(Role::Server), side(Role::Client)],
            pipes: Default::default(),
            now: Duration::ZERO,
            steps: 0,
            link,
            capacity,
        }
    }

    pub fn act(&mut self, place: usize, act: Act) {
        let side = &mut self.sides[place];
        match act {
            Act::Send(size) => {
                let payload = vec![side.sent.len() as u8; size.min(MAX_MESSAGE)];
                if side.endpoint.sender().send_binary(&payload).is_ok() {
                    side.sent.push(Seen::Binary(payload));
                }
            }
            Act::Ping => _ = side.endpoint.sender().send_ping(b"ping"),
            Act::Close => _ = side.endpoint.sender().close(CloseCode::NORMAL, "done"),
            Act::Abort => {
                side.endpoint.abort();
                self.pipes[place].is_ended = true;
            }
            Act::Step => _ = self.step(place),
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

    /// Does the next thing that an end asks for; whether it did anything.
    fn step(&mut self, place: usize) -> bool {
        self.steps += 1;
        let (link, other) = (self.link, 1 - place);
        let side = &mut self.sides[place];
        let step = side.endpoint.step(self.now);
        let is_over = side.is_shut_down || side.endpoint.end().is_some();
        match step {
            Step::Event => {
                while let Some((event, _)) = side.endpoint.next_event() {
                    side.received.push(event.into());
                }
            }
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
                    // As TLS does: what is full is sent on.
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
                    assert!(!space.is_empty(), "there is space to read to");
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
                assert!(pipe.unflushed.is_empty(), "what was written is not flushed");
                pipe.is_ended = true;
                side.is_shut_down = true;
                side.endpoint.shut_down();
            }
            Step::Wait(_) => return false,
            Step::Done => {
                self.pipes[place].is_ended = true;
                self.pipes[place].flush();
                return false;
            }
            Step::Request | Step::Response => panic!("it is open"),
        }
        self.check(place);
        true
    }

    fn check(&self, place: usize) {
        let side = &self.sides[place];
        assert!(
            side.endpoint.capacity() <= self.capacity,
            "{} bytes of buffers, over {}",
            side.endpoint.capacity(),
            self.capacity
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
            // Both were told to try again, and found nothing to do but to look at a transport that has nothing.
            if !moved || !self.has_progress() {
                return;
            }
        }
    }

    /// Whether another round can move bytes. An end that reads nothing and is blocked only asks the transport.
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

    /// The transport is fair from here on, and the clock moves to each deadline: both ends are done in the end.
    pub fn finish(mut self) -> [Side; 2] {
        self.settle();
        for _ in 0..100 {
            if self.sides.iter().all(|side| side.endpoint.end().is_some()) {
                self.conclude();
                return self.sides;
            }
            let deadlines = self.sides.iter().filter_map(|side| side.endpoint.deadline());
            let next = deadlines.min().expect("an end waits for ever");
            self.now = self.now.max(next);
            self.settle();
        }
        panic!("both are done after a bounded number of deadlines");
    }

    /// What holds at the end.
    fn conclude(&self) {
        for place in [0, 1] {
            let (here, peer) = (&self.sides[place], &self.sides[1 - place]);
            let end = here.endpoint.end().expect("it is done");
            let was_interrupted = end.interruption.is_some();
            let code_sent = end.closed().expect("it was open").code_sent();
            let wire = &self.pipes[place].wire;
            // Of one that was interrupted, a frame may be cut.
            if !was_interrupted {
                let frames = frames_of(here.role, wire);
                let closes = frames.iter().filter(|frame| frame.opcode == 8).count();
                assert_eq!(closes > 0, code_sent.is_some(), "each Close is written, and told");
                assert!(here.is_shut_down, "writing is shut down before the end");
            }
            let messages = |seen: &&Seen| matches!(seen, Seen::Binary(_));
            let received: Vec<_> = here.received.iter().filter(messages).collect();
            let sent: Vec<_> = peer.sent.iter().collect();
            assert!(sent.starts_with(&received), "what arrives is what was sent");
            let peers = peer.endpoint.end().expect("it is done");
            if !was_interrupted && peers.interruption.is_none() {
                assert_eq!(end.is_clean(), peers.is_clean(), "both agree");
                if end.is_clean() {
                    assert_eq!(received, sent, "all arrives before a clean end");
                }
            }
        }
    }
}

impl Pipe {
    fn flush(&mut self) {
        self.under_way.extend(self.unflushed.drain(..));
    }
}
