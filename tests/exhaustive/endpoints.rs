//! Every interleaving of the actions of two endpoints, their callers, the transport between them and the clock.
//!
//! What was reported to an endpoint, and when, determines its internal state. A state is therefore identified by these reports,
//! by how long ago they were made, and by what is in flight.

use crate::common::{Seen, naive, open};
use crate::search::{Bounds, System, key, search_all};
use crate::{Form, count, form};
use std::hash::{Hash, Hasher};
use std::time::Duration;
use websocket_proto::endpoint::{Endpoint, EndpointConfig, Interruption, Step};
use websocket_proto::keepalive::KeepaliveConfig;
use websocket_proto::{AutoPong, CloseCode, ClosedBy, Config, Fin, MessageKind, Role};

/// What can happen to an end. An act pairs it with the end's index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Happening {
    Send,
    /// The first fragment of a message is sent, or the last one if the first was sent.
    Fragment,
    /// The caller sends a Ping. The endpoint sends its own with `Tick`.
    Ping,
    Close,
    /// The end runs until it waits or has ended.
    Run,
    /// One step is performed.
    Step,
    /// One step is performed partially: one byte is written or read. A step that cannot be divided is blocked.
    Part,
    /// What was sent arrives without a step, as in drivers whose reads complete at any time.
    Arrive,
    /// The next step fails if it uses the transport.
    Fail,
    Abort,
    /// The clock moves to the next deadline of either end.
    Tick,
    /// The transport is lost, with everything in flight.
    Lose,
    /// The end and its side of the transport stop indefinitely. The other end does not notice.
    Freeze,
}

const ACTS: [(usize, Happening); 24] = {
    use Happening::*;
    [
        (0, Send),
        (1, Send),
        (0, Fragment),
        (1, Fragment),
        (0, Ping),
        (1, Ping),
        (0, Close),
        (1, Close),
        (0, Run),
        (1, Run),
        (0, Step),
        (1, Step),
        (0, Part),
        (1, Part),
        (0, Arrive),
        (1, Arrive),
        (0, Fail),
        (1, Fail),
        (0, Abort),
        (1, Abort),
        (0, Tick),
        (0, Lose),
        (0, Freeze),
        (1, Freeze),
    ]
};

const ROLES: [Role; 2] = [Role::Server, Role::Client];
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
/// The default.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

const CODES: [u16; 2] = [4000, 4001];
/// Shorter than what the endpoint's own Pings contain.
const CALLERS_PING: &[u8] = b"?";

#[derive(Clone, Copy, Debug)]
struct Setup {
    /// Whether written bytes are sent only by a flush.
    buffers: bool,
    max_buffered: usize,
    auto_pong: AutoPong,
    auto_close: bool,
    omits: &'static [Happening],
}

/// What the deepest searches omit, one or the other.
const FRAGMENTS_AND_PINGS: &[Happening] = &[Happening::Fragment, Happening::Ping];
const PARTS_AND_FAILURES: &[Happening] = {
    use Happening::*;
    &[Part, Arrive, Fail, Abort, Lose, Freeze]
};

/// A frame that was written.
struct Frame {
    first: u8,
    payload: Vec<u8>,
    /// The offset of its end in everything that was written.
    end: usize,
}

/// One direction of the transport, from the end with the same index. The offsets count all bytes written.
#[derive(Default)]
struct Direction {
    wire: Vec<u8>,
    frames: Vec<Frame>,
    flushed: usize,
    read: usize,
    is_ended: bool,
    is_lost: bool,
}

/// What was last reported about a direction.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Report {
    Ready,
    Blocked,
    Unflushed,
    UnflushedBlocked,
    Over,
}

struct End {
    place: usize,
    endpoint: Endpoint,
    sent: u8,
    /// Whether the first fragment of a message was sent, but not the last one.
    is_inside_message: bool,
    /// How many of the peer's frames were returned as events, or are fragments of a later one.
    taken: usize,
    /// The first fragment of the message that is being received.
    begun: Option<Vec<u8>>,
    /// The payloads of the Pings that have to be answered, in order.
    pings: Vec<Vec<u8>>,
    closes: bool,
    /// Whether the peer's Close was returned after a failure, so that it was not answered.
    leaves_unanswered: bool,
    peer_close: Option<u16>,
    /// Whether the peer's Close arrived before this end sent its own.
    answers: bool,
    /// How many of its frames had been written when a flush was last reported.
    flushed_frames: usize,
    last_ping: Vec<u8>,
    reports: [Report; 2],
    /// Whether a failure of the transport was reported.
    has_failed: bool,
    /// Whether a deadline was missed, and whether it was that of the closing handshake.
    missed: Option<bool>,
    /// Whether bytes or the end arrived since the last step.
    has_input: bool,
    clock: Clock,
    is_done: bool,
    is_frozen: bool,
}

/// What determines the deadlines of an end. The endpoint itself reports only the next deadline.
#[derive(Default)]
struct Clock {
    /// When the last Ping was sent, and whether anything arrived since.
    pinged: Duration,
    is_awaiting: bool,
    has_heard: bool,
    /// When the closing handshake began.
    closing: Option<Duration>,
    /// When the transport must have accepted the pending output, or ended.
    progress: Option<Duration>,
    /// Whether the time for the transport to end starts with the next step that finds no events to return first.
    starts_lingering: bool,
}

impl Clock {
    fn linger(&mut self) {
        self.progress = None;
        self.starts_lingering = true;
    }
}

struct Pair {
    setup: Setup,
    ends: [End; 2],
    from: [Direction; 2],
    now: Duration,
    /// Whether nothing has failed, been abandoned or timed out.
    is_fair: bool,
}

impl Direction {
    /// The bytes of the partially written frame.
    fn partial(&self) -> &[u8] {
        &self.wire[self.frames.last().map_or(0, |frame| frame.end)..]
    }

    fn write(&mut self, bytes: &[u8]) {
        assert!(!self.is_ended || self.is_lost, "output after the end");
        self.wire.extend(bytes);
        while let Some((frame, size, _)) = naive::split(self.partial()) {
            let end = self.wire.len() - self.partial().len();
            let first = self.wire[end];
            // RFC 6455 section 5.5.1: one Close, and only Pings and Pongs after it.
            let closed = self.frames.iter().any(|frame| frame.first == 0x88);
            assert!(
                !closed || matches!(first, 0x89 | 0x8a),
                "{first:x} after the Close"
            );
            self.frames.push(Frame {
                first,
                payload: frame.payload,
                end: end + size,
            });
        }
    }

    fn flush(&mut self) {
        if !self.is_lost {
            self.flushed = self.wire.len();
        }
    }

    fn lose(&mut self) {
        self.is_ended = true;
        self.is_lost = true;
        self.flushed = self.read;
    }

    /// The payloads of the Pongs that were written.
    fn pongs(&self) -> impl Iterator<Item = &[u8]> {
        let pongs = self.frames.iter().filter(|frame| frame.first == 0x8a);
        pongs.map(|frame| &frame.payload[..])
    }

    fn arriving(&self) -> &[u8] {
        &self.wire[self.read..self.flushed]
    }
}

impl End {
    fn new(place: usize, setup: Setup) -> Self {
        let keepalive = KeepaliveConfig::new().ping_timeout(Duration::from_secs(15));
        let connection = Config::new()
            .auto_pong(setup.auto_pong)
            .auto_close(setup.auto_close);
        let config = EndpointConfig::new()
            .connection(connection.clone())
            .keepalive(keepalive)
            .max_buffered(setup.max_buffered)
            .write_timeout(WRITE_TIMEOUT)
            .linger_timeout(LINGER_TIMEOUT);
        Self {
            place,
            endpoint: Endpoint::from_connection(
                &config,
                open(ROLES[place], &connection),
                &[],
                Duration::ZERO,
            ),
            sent: 0,
            is_inside_message: false,
            taken: 0,
            begun: None,
            pings: Vec::new(),
            closes: false,
            leaves_unanswered: false,
            answers: false,
            peer_close: None,
            flushed_frames: 0,
            last_ping: Vec::new(),
            reports: [Report::Ready; 2],
            has_failed: false,
            missed: None,
            has_input: false,
            clock: Clock::default(),
            is_done: false,
            is_frozen: false,
        }
    }

    /// Returns the next step, and updates the clock.
    fn next_step(&mut self, now: Duration) -> Step {
        let (output, clock) = (self.endpoint.output().len(), &mut self.clock);
        clock.has_heard |= self.has_input;
        let is_over = self.reports[0] == Report::Over && !self.has_input;
        let is_closing = self.closes || self.peer_close.is_some() || is_over;
        if is_closing && output == 0 {
            clock.closing.get_or_insert(now);
        }
        let due = self.endpoint.deadline().filter(|due| *due <= now);
        let step = self.endpoint.step(now);
        if due.is_some() && self.endpoint.deadline().is_none() {
            // It has ended, or gives up its transport while events wait.
            self.reports = [Report::Over; 2];
            self.has_failed = true;
            let is_closing_due = self
                .clock
                .closing
                .is_some_and(|since| now - since >= CLOSE_TIMEOUT);
            self.missed.get_or_insert(is_closing_due);
        }
        if self.clock.starts_lingering && self.endpoint.deadline().is_some() {
            self.clock.starts_lingering = false;
            self.clock.progress = Some(now + LINGER_TIMEOUT);
        }
        let waits = self.endpoint.output().len();
        // A Ping that is due is not added to output that is full, or after a failure; it counts all the same.
        let is_put_off = due.is_some_and(|due| due > Duration::ZERO)
            && self.endpoint.deadline().is_some_and(|next| next > now);
        let clock = &mut self.clock;
        if waits > output || is_put_off {
            (clock.pinged, clock.is_awaiting, clock.has_heard) = (now, true, false);
        }
        let is_lingering = self.reports[1] == Report::Over;
        let waits = waits > 0
            || matches!(self.reports[1], Report::Unflushed | Report::UnflushedBlocked)
            || step == Step::Shutdown;
        match step {
            Step::Event => {}
            _ if is_lingering => {}
            _ if waits => _ = clock.progress.get_or_insert(now + WRITE_TIMEOUT),
            _ => clock.progress = None,
        }
        step
    }

    fn write_blocked(&mut self) {
        self.endpoint.write_blocked();
        self.reports[1] = match self.reports[1] {
            Report::Unflushed | Report::UnflushedBlocked => Report::UnflushedBlocked,
            _ => Report::Blocked,
        };
    }

    /// Receives so many bytes of what arrives, or the end.
    fn receive(&mut self, from: &mut Direction, size: usize) {
        self.reports[0] = if size == 0 { Report::Over } else { Report::Ready };
        self.endpoint.receive(&from.arriving()[..size]);
        self.has_input = true;
        self.clock.has_heard |= size > 0;
        from.read += size;
    }

    /// Takes all events. They have to be the frames that were read, in order, each once.
    fn take_events(&mut self, from: &Direction, setup: Setup) {
        while let Some((event, _)) = self.endpoint.next_event() {
            let event = Seen::from(event);
            self.take_fragments(from);
            let frame = &from.frames[self.taken];
            assert!(frame.end <= from.read, "the frame has arrived");
            let payload = frame.payload.clone();
            self.clock.is_awaiting &= frame.first != 0x8a || payload != self.last_ping;
            let expected = match frame.first {
                0x82 => Seen::Binary(payload),
                0x80 => {
                    let begun = self.begun.take().expect("the message has begun");
                    Seen::Binary([begun, payload].concat())
                }
                0x89 => {
                    let is_open = !self.closes && self.peer_close.is_none();
                    if is_open && setup.auto_pong == AutoPong::WhileOpen {
                        self.pings.push(payload.clone());
                    }
                    Seen::Ping(payload)
                }
                0x8a => Seen::Pong(payload),
                _ => {
                    let code = u16::from_be_bytes([payload[0], payload[1]]);
                    assert_eq!(self.peer_close.replace(code), None, "only one Close is reported");
                    self.answers |= !self.closes;
                    self.leaves_unanswered |= self.has_failed;
                    Seen::Close(Some(code), String::new())
                }
            };
            assert_eq!(event, expected, "every event is reported exactly once");
            self.taken += 1;
        }
        let is_full = self.endpoint.output().len() >= setup.max_buffered;
        if !is_full {
            self.take_fragments(from);
        }
        let arrived = from.frames.iter().filter(|frame| frame.end <= from.read).count();
        assert!(
            self.taken == arrived || self.peer_close.is_some() || is_full,
            "every event is returned"
        );
    }

    /// Takes the fragments that arrived and complete no message. No event is returned for them.
    fn take_fragments(&mut self, from: &Direction) {
        while let Some(frame) = from.frames.get(self.taken) {
            if frame.first != 0x02 || frame.end > from.read || self.peer_close.is_some() {
                return;
            }
            assert_eq!(
                self.begun.replace(frame.payload.clone()),
                None,
                "one message at a time"
            );
            self.taken += 1;
        }
    }
}

impl Pair {
    fn new(setup: Setup) -> Self {
        Self {
            setup,
            ends: [End::new(0, setup), End::new(1, setup)],
            from: Default::default(),
            now: Duration::ZERO,
            is_fair: true,
        }
    }

    /// Performs the next step, partially or fully. Returns `false` if the end waits or has ended.
    fn step(&mut self, place: usize, in_part: bool) -> bool {
        let is_blocked = self.ends[1 - place].is_frozen;
        let end = &mut self.ends[place];
        let step = end.next_step(self.now);
        let (here, peer) = match &mut self.from {
            [a, b] if place == 0 => (a, b),
            [a, b] => (b, a),
        };
        let output = end.endpoint.output().len();
        if step != Step::Event && output < self.setup.max_buffered {
            // Fragments may be received without the step for events.
            end.take_fragments(peer);
            end.has_input = false;
        }
        match step {
            Step::Event => {
                end.take_events(peer, self.setup);
                end.has_input = false;
            }
            Step::Write | Step::Flush if is_blocked => end.write_blocked(),
            Step::Write if in_part && output == 1 => end.write_blocked(),
            Step::Flush | Step::Shutdown if in_part => end.write_blocked(),
            Step::Write => {
                let size = if in_part { 1 } else { output };
                here.write(&end.endpoint.output()[..size]);
                let is_own = |frame: &&Frame| frame.first == 0x89 && frame.payload != CALLERS_PING;
                if let Some(ping) = here.frames.iter().rev().find(is_own) {
                    end.last_ping.clone_from(&ping.payload);
                }
                if !self.setup.buffers {
                    here.flush();
                }
                end.endpoint.written(size);
                end.reports[1] = Report::Unflushed;
                end.clock.progress = None;
                end.clock.has_heard |= size < output;
            }
            Step::Flush => {
                here.flush();
                end.flushed_frames = here.frames.len();
                end.endpoint.flushed();
                end.reports[1] = Report::Ready;
                end.clock.progress = None;
            }
            Step::Shutdown => {
                assert!(here.partial().is_empty(), "the last frame is complete");
                assert!(
                    here.is_lost || here.flushed == here.wire.len(),
                    "everything is flushed"
                );
                assert!(!here.is_ended || here.is_lost, "one shutdown");
                // RFC 6455 section 7.1.1: a client waits until the server has ended the transport.
                assert!(ROLES[place] == Role::Server || end.reports[0] == Report::Over);
                here.is_ended = true;
                end.endpoint.shut_down();
                end.reports[1] = Report::Over;
                end.clock.linger();
            }
            Step::Read => {
                let arriving = peer.arriving();
                if arriving.is_empty() && !peer.is_ended || in_part && arriving.is_empty() {
                    end.endpoint.read_blocked();
                    end.reports[0] = Report::Blocked;
                    return true;
                }
                let size = if in_part { 1 } else { arriving.len() };
                end.receive(peer, size);
            }
            Step::Wait(_) => return false,
            Step::Done => {
                end.is_done = true;
                here.is_ended = true;
                return false;
            }
            Step::Request | Step::Response => panic!("the connection is open"),
        }
        true
    }

    fn arrive(&mut self, place: usize) {
        let (end, peer) = (&mut self.ends[place], &mut self.from[1 - place]);
        let size = peer.arriving().len();
        let is_reading = end.reports[0] != Report::Over && end.endpoint.end().is_none();
        if is_reading && (size > 0 || peer.is_ended) {
            end.receive(peer, size);
        }
    }

    /// Reports that the transport may be ready again.
    fn ready(&mut self, place: usize) {
        let end = &mut self.ends[place];
        end.endpoint.ready();
        for report in &mut end.reports {
            *report = match *report {
                Report::Blocked => Report::Ready,
                Report::UnflushedBlocked => Report::Unflushed,
                other => other,
            };
        }
    }

    /// Runs the end until it waits or has ended.
    fn run(&mut self, place: usize) {
        self.ready(place);
        let mut steps = 0;
        while self.step(place, false) {
            steps += 1;
            assert!(steps < 100, "a busy loop");
        }
        self.check();
    }

    fn fail(&mut self, place: usize) {
        let end = &mut self.ends[place];
        match end.next_step(self.now) {
            Step::Write | Step::Flush | Step::Shutdown => {
                end.endpoint.write_failed("reset");
                end.clock.linger();
                end.reports[1] = Report::Over;
            }
            Step::Read => {
                end.endpoint.read_failed("reset");
                end.reports = [Report::Over; 2];
                end.has_input = true;
            }
            _ => return,
        }
        end.has_failed = true;
        self.is_fair = false;
        self.from[place].is_ended = true;
    }

    fn close(&mut self, place: usize) {
        let end = &mut self.ends[place];
        if end.endpoint.sender().close(CloseCode(CODES[place]), "").is_ok() {
            end.closes = true;
            end.answers = end.peer_close.is_some();
        }
    }

    fn send_fragment(&mut self, place: usize) {
        let end = &mut self.ends[place];
        let (payload, fin) = (
            [place as u8, end.sent],
            if end.is_inside_message {
                Fin::Last
            } else {
                Fin::More
            },
        );
        if end
            .endpoint
            .sender()
            .send_fragment(MessageKind::Binary, &payload, fin)
            .is_ok()
        {
            end.sent = end.sent.wrapping_add(1);
            end.is_inside_message ^= true;
        }
    }

    fn tick(&mut self) {
        let running = self.ends.iter().filter(|end| !end.is_frozen);
        let deadlines = running.filter_map(|end| end.endpoint.deadline());
        if let Some(next) = deadlines.min().filter(|next| *next > self.now) {
            self.now = next;
            self.is_fair = false;
        }
    }

    fn check(&self) {
        for place in [0, 1] {
            let (here, peer) = (&self.ends[place], &self.ends[1 - place]);
            // RFC 6455 section 5.5.2: each Pong answers a Ping, in their order.
            assert!(
                self.from[place]
                    .pongs()
                    .zip(&here.pings)
                    .all(|(pong, ping)| pong == ping),
                "every Pong answers its Ping"
            );
            assert!(
                self.from[place].pongs().count() <= here.pings.len(),
                "no Pong without a Ping"
            );
            let Some(end) = here.endpoint.end() else {
                assert!(!here.is_done, "the end is reported with the last step");
                continue;
            };
            assert!(here.endpoint.output().is_empty(), "no output after the end");
            assert_eq!(here.endpoint.deadline(), None, "no deadline after the end");
            let closed = end.closed().expect("the connection was open");
            let close = self.from[place].frames[..here.flushed_frames]
                .iter()
                .find(|frame| frame.first == 0x88);
            let sent = close.map(|frame| u16::from_be_bytes([frame.payload[0], frame.payload[1]]));
            assert_eq!(
                closed.code_sent().map(u16::from),
                sent,
                "the reported Close was flushed"
            );
            assert_eq!(closed.code_received().map(u16::from), here.peer_close);
            assert_eq!(end.is_clean(), sent.is_some() && here.peer_close.is_some());
            if sent.is_some() {
                let by = if here.answers {
                    ClosedBy::Peer
                } else {
                    ClosedBy::Local
                };
                assert_eq!(closed.by(), by);
            }
            let Some(peers) = peer.endpoint.end().and_then(|end| end.closed()) else {
                continue;
            };
            assert!(
                here.peer_close.is_none()
                    || peers.code_sent().map(u16::from) == here.peer_close
                    || !peers.is_clean()
            );
            if closed.is_clean() && peers.is_clean() {
                assert_eq!(
                    closed.code_received(),
                    peers.code_sent(),
                    "both agree on the codes"
                );
                assert!(
                    [closed.by(), peers.by()].contains(&ClosedBy::Local),
                    "both agree on who closed"
                );
            }
        }
    }
}

impl System for Pair {
    type Act = (usize, Happening);

    fn is_possible(&self, (_, happening): Self::Act) -> bool {
        !self.setup.omits.contains(&happening)
    }

    fn act(&mut self, (place, happening): Self::Act) {
        if self.ends[place].is_frozen && !matches!(happening, Happening::Tick | Happening::Lose) {
            return;
        }
        let end = &mut self.ends[place];
        match happening {
            Happening::Send => {
                let payload = [place as u8, end.sent];
                if end.endpoint.sender().send_binary(&payload).is_ok() {
                    end.sent = end.sent.wrapping_add(1);
                }
            }
            Happening::Fragment => self.send_fragment(place),
            Happening::Ping => _ = end.endpoint.sender().send_ping(CALLERS_PING),
            Happening::Close => self.close(place),
            Happening::Run => self.run(place),
            Happening::Step => {
                if !self.step(place, false) {
                    self.ready(place);
                }
            }
            Happening::Part => {
                if !self.step(place, true) {
                    self.ready(place);
                }
            }
            Happening::Arrive => self.arrive(place),
            Happening::Fail => self.fail(place),
            Happening::Abort => {
                let was_over = end.endpoint.end().is_some();
                end.endpoint.abort();
                let end = end.endpoint.end().expect("the endpoint has ended");
                assert!(
                    was_over
                        || matches!(
                            end.interruption,
                            Some(
                                Interruption::Aborted
                                    | Interruption::Transport(_)
                                    | Interruption::TimedOut { .. }
                            )
                        )
                );
                self.is_fair &= was_over;
                self.from[place].is_ended = true;
            }
            Happening::Tick => self.tick(),
            Happening::Freeze => {
                end.is_frozen = true;
                self.is_fair = false;
            }
            Happening::Lose => {
                self.from.iter_mut().for_each(Direction::lose);
                self.is_fair = false;
            }
        }
        self.check();
    }

    fn feed(&self, hasher: &mut impl Hasher) {
        self.is_fair.hash(hasher);
        for place in [0, 1] {
            let (end, own, peers) = (&self.ends[place], &self.from[place], &self.from[1 - place]);
            let kind = |first: u8, payload: &[u8], of: &End| {
                (first, payload == of.last_ping, payload == CALLERS_PING)
            };
            let taken_to = end.taken.checked_sub(1).map_or(0, |last| peers.frames[last].end);
            peers.frames[end.taken..]
                .iter()
                .for_each(|frame| kind(frame.first, &frame.payload, end).hash(hasher));
            (
                peers.wire.len() - taken_to,
                peers.flushed.saturating_sub(taken_to),
                peers.read.saturating_sub(taken_to),
            )
                .hash(hasher);
            (own.is_ended, own.is_lost, own.partial().first()).hash(hasher);
            // After a failure, the incomplete frame is not continued.
            let begun = if end.has_failed { &[] } else { own.partial() };
            let mut waiting = [begun, end.endpoint.output()].concat();
            while let Some((frame, size, _)) = naive::split(&waiting) {
                kind(waiting[0], &frame.payload, &self.ends[1 - place]).hash(hasher);
                waiting.drain(..size);
            }
            (
                end.endpoint.output().len(),
                end.closes,
                end.leaves_unanswered,
                end.answers,
                end.peer_close,
                end.reports,
                end.has_input,
                end.has_failed,
                end.missed,
                end.is_done,
                end.is_frozen,
            )
                .hash(hasher);
            (end.is_inside_message, end.begun.is_some()).hash(hasher);
            (
                own.frames.len() - end.flushed_frames.min(own.frames.len()),
                own.frames.iter().any(|frame| frame.first == 0x88),
            )
                .hash(hasher);
            end.endpoint
                .deadline()
                .map(|deadline| deadline.saturating_sub(self.now))
                .hash(hasher);
            let Clock {
                pinged,
                is_awaiting,
                has_heard,
                closing,
                progress,
                starts_lingering,
            } = &end.clock;
            (self.now - *pinged, is_awaiting, has_heard, starts_lingering).hash(hasher);
            (
                closing.map(|since| self.now - since),
                progress.map(|due| due.saturating_sub(self.now)),
            )
                .hash(hasher);
            if let Some(end) = end.endpoint.end() {
                (end.closed(), end.timeout(), end.interruption.is_some()).hash(hasher);
            }
        }
    }

    /// Over a fair transport, with a clock that advances only when nothing else happens, both ends finish within a few deadlines.
    /// If nothing has gone wrong before, they finish cleanly, without reaching a deadline, and with every message delivered.
    fn finish(mut self) {
        let places = [0, 1].into_iter().filter(|place| !self.ends[*place].is_frozen);
        let running: Vec<usize> = places.collect();
        if let (Some(place), false) = (running.first(), self.ends.iter().any(|end| end.closes)) {
            self.close(*place);
        }
        let was_fair = self.is_fair;
        for _ in 0..40 {
            for &place in &running {
                self.run(place);
                let end = &self.ends[place];
                if end.peer_close.is_some() && !self.setup.auto_close && !end.closes {
                    self.close(place);
                }
            }
            if running.iter().all(|place| self.ends[*place].is_done) {
                break;
            }
            let before = key(&self);
            for &place in &running {
                self.run(place);
            }
            if before == key(&self) {
                assert!(!was_fair, "a deadline is needed");
                self.tick();
            }
        }
        self.check();
        for (place, end) in self.ends.iter().enumerate() {
            let (to, from) = (&self.from[place], &self.from[1 - place]);
            assert!(end.is_done || end.is_frozen, "{} is not done", end.place);
            if was_fair {
                let how = end.endpoint.end().expect("the endpoint has ended");
                assert!(how.is_clean() && how.interruption.is_none(), "{how}");
                let close = from.frames.iter().position(|frame| frame.first == 0x88);
                assert_eq!(
                    Some(end.taken),
                    close.map(|close| close + 1),
                    "all messages arrived"
                );
                assert_eq!(to.pongs().count(), end.pings.len(), "every Ping was answered");
            }
        }
    }
}

/// First each setting of the two automatic answers.
fn setups() -> Vec<Setup> {
    let first = Setup {
        buffers: true,
        max_buffered: 1 << 20,
        auto_pong: AutoPong::WhileOpen,
        auto_close: true,
        omits: &[],
    };
    vec![
        first,
        Setup {
            auto_close: false,
            ..first
        },
        Setup {
            auto_pong: AutoPong::Off,
            ..first
        },
        Setup {
            auto_pong: AutoPong::Off,
            auto_close: false,
            ..first
        },
        Setup {
            buffers: false,
            ..first
        },
        Setup {
            max_buffered: 1,
            ..first
        },
    ]
}

// D90, D91
#[test]
#[cfg_attr(miri, ignore = "millions")]
fn every_interleaving_of_two_endpoints_keeps_the_invariants() {
    let setups = setups();
    let go = |setups: &[Setup], depth| {
        let bounds = Bounds {
            depth,
            ..Bounds::NONE
        };
        let found = search_all(setups, |setup| Pair::new(*setup), &ACTS, bounds);
        format!("{} setups: {found}", setups.len())
    };
    count("interleavings of endpoints", |form| match form {
        Form::Edges => go(&setups, 2),
        Form::Short => go(&setups, 4),
        Form::All => go(&setups, 6),
    });
    if form() == Form::All {
        let omitting = |setups: &[Setup], omits| {
            let setups: Vec<_> = setups.iter().map(|setup| Setup { omits, ..*setup }).collect();
            go(&setups, 8)
        };
        count(
            "interleavings of endpoints, without fragments and callers' Pings",
            |_| omitting(&setups[..1], FRAGMENTS_AND_PINGS),
        );
        count("interleavings of endpoints, without parts and failures", |_| {
            omitting(&setups[..4], PARTS_AND_FAILURES)
        });
    }
}
