//! Every interleaving of what two connections and the transport between them can do.
//!
//! The payloads are short and tell the messages apart; no rule depends on them, so that a state is told by what is under way, by what
//! kind it is of, and not by its payload.

use crate::common::{Seen, facts, frame, naive, open};
use crate::search::{Bounds, System, search_all};
use crate::{Form, count};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use websocket_proto::{
    AutoPong, CloseCode, ClosedBy, Config, Connection, Delivery, Event, Fin, MessageKind, Misuse, Role,
    State, Transport,
};

/// What can happen to an end, which is named beside it.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Send,
    Fragment(Fin),
    Ping,
    Pong,
    Close,
    /// Some of the next frame arrives: its first byte, then all but its last one, then that.
    Part,
    /// All that is under way arrives.
    All,
    /// All arrives, and the end of the transport behind it, if it was ended.
    End,
    /// The end gives the transport up, as when it was told to close it, or a timer has fired. What it sent is still under way.
    Leave,
    /// The transport is lost, with all that is under way.
    Lose,
}

/// The ends are those of `ROLES`.
const ACTS: [(usize, Operation); 21] = {
    use Operation::*;
    [
        (0, Send),
        (1, Send),
        (0, Fragment(Fin::More)),
        (1, Fragment(Fin::More)),
        (0, Fragment(Fin::Last)),
        (1, Fragment(Fin::Last)),
        (0, Ping),
        (1, Ping),
        (0, Pong),
        (1, Pong),
        (0, Close),
        (1, Close),
        (0, Part),
        (1, Part),
        (0, All),
        (1, All),
        (0, End),
        (1, End),
        (0, Leave),
        (1, Leave),
        (0, Lose),
    ]
};

const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// The code that each end closes with.
const CODES: [u16; 2] = [4000, 4001];

#[derive(Clone, Copy, Debug)]
struct Setup {
    auto_pong: AutoPong,
    auto_close: bool,
    delivery: Delivery,
}

/// A frame under way.
struct Frame {
    first: u8,
    payload: Vec<u8>,
    bytes: Vec<u8>,
}

/// What is under way to one end.
#[derive(Default)]
struct Direction {
    frames: VecDeque<Frame>,
    /// How much of the first one has arrived.
    arrived: usize,
    is_ended: bool,
}

struct End {
    place: usize,
    connection: Connection,
    setup: Setup,
    /// How many frames it was told to send: each has a payload of its own.
    sent: u8,
    is_inside_message: bool,
    /// What came of a message in fragments.
    fragments: Option<Vec<u8>>,
    /// The code of its Close, and of the peer's.
    own_close: Option<u16>,
    peer_close: Option<u16>,
    answered: bool,
    /// Its Close was seen among what it emits.
    close_is_emitted: bool,
    is_over: bool,
    /// What arrived and is held.
    buffer: Vec<u8>,
    chunks: Vec<u8>,
    before: (State, Transport),
}

struct Pair {
    ends: [End; 2],
    to: [Direction; 2],
    /// How many frames may be under way in one direction.
    most: usize,
}

impl End {
    fn new(place: usize, setup: Setup) -> Self {
        let config = Config::new()
            .auto_pong(setup.auto_pong)
            .auto_close(setup.auto_close)
            .delivery(setup.delivery);
        Self {
            place,
            connection: open(ROLES[place], &config),
            setup,
            sent: 0,
            is_inside_message: false,
            fragments: None,
            own_close: None,
            peer_close: None,
            answered: false,
            close_is_emitted: false,
            is_over: false,
            buffer: Vec::new(),
            chunks: Vec::new(),
            before: (State::Open, Transport::Open),
        }
    }

    /// What `operation` has to emit, or why it is wrong.
    fn expected(&mut self, operation: Operation, payload: &[u8]) -> Result<(u8, Vec<u8>), Misuse> {
        let may_close = self.own_close.is_none() && !self.is_over;
        let is_open = may_close && self.peer_close.is_none();
        let may_ping = self.peer_close.is_none() && !self.is_over;
        let allowed = match operation {
            Operation::Close => may_close,
            Operation::Fragment(_) if self.is_inside_message => may_close,
            Operation::Send | Operation::Fragment(_) => is_open,
            _ => may_ping,
        };
        let opcode = match operation {
            _ if !allowed => return Err(Misuse::Closed),
            Operation::Send if self.is_inside_message => return Err(Misuse::UnfinishedMessage),
            Operation::Send => 0x82,
            Operation::Ping => 0x89,
            Operation::Pong => 0x8a,
            Operation::Close => {
                self.answered = self.peer_close.is_some();
                self.own_close = Some(CODES[self.place]);
                return Ok((0x88, CODES[self.place].to_be_bytes().to_vec()));
            }
            Operation::Fragment(fin) => {
                let opcode = if self.is_inside_message { 0 } else { 2 };
                self.is_inside_message = fin == Fin::More;
                opcode | if fin == Fin::Last { 0x80 } else { 0 }
            }
            other => panic!("{other:?} sends nothing"),
        };
        Ok((opcode, payload.to_vec()))
    }

    fn send(&mut self, operation: Operation) -> Vec<Frame> {
        let payload = [self.place as u8, self.sent];
        let (connection, mut out) = (&mut self.connection, Vec::new());
        let found = match operation {
            Operation::Send => connection.send_binary(&payload, &mut out),
            Operation::Fragment(fin) => {
                connection.send_fragment(MessageKind::Binary, &payload, fin, &mut out)
            }
            Operation::Ping => connection.send_ping(&payload, &mut out),
            Operation::Pong => connection.send_pong(&payload, &mut out),
            Operation::Close => connection.close(CloseCode(CODES[self.place]), "", &mut out),
            other => panic!("{other:?} sends nothing"),
        };
        match self.expected(operation, &payload) {
            Ok(frame) => {
                assert_eq!(found, Ok(()));
                self.sent = self.sent.wrapping_add(1);
                self.emitted(&out, &[frame])
            }
            Err(misuse) => {
                assert_eq!((found, &out[..]), (Err(misuse), &[][..]));
                Vec::new()
            }
        }
    }

    /// The frames that were emitted in one call, which have to be these. RFC 6455 section 5.5.1: one Close at the most, and then
    /// nothing but Pings and Pongs, until the peer's Close came.
    fn emitted(&mut self, mut out: &[u8], expected: &[(u8, Vec<u8>)]) -> Vec<Frame> {
        let mut frames = Vec::with_capacity(expected.len());
        while !out.is_empty() {
            let (read, size, _) = naive::split(out).expect("frames are emitted whole");
            let (bytes, rest) = out.split_at(size);
            out = rest;
            let first = bytes[0];
            assert!(
                !self.close_is_emitted || matches!(first, 0x89 | 0x8a),
                "{first:x} after the Close"
            );
            self.close_is_emitted |= first == 0x88;
            assert_eq!(read.key.is_some(), ROLES[self.place] == Role::Client);
            frames.push(Frame {
                first,
                payload: read.payload,
                bytes: bytes.to_vec(),
            });
        }
        let found = frames.iter().map(|frame| (frame.first, &frame.payload));
        assert!(
            found.eq(expected.iter().map(|(first, payload)| (*first, payload))),
            "instead of {expected:?}"
        );
        frames
    }

    /// What has to come of frames that have arrived: events, and frames that answer them.
    fn expect(&mut self, frames: &[Frame]) -> (Vec<Seen>, Vec<(u8, Vec<u8>)>) {
        let (mut events, mut answers) = (Vec::new(), Vec::new());
        for frame in frames {
            if self.peer_close.is_some() || self.is_over {
                break;
            }
            let payload = frame.payload.clone();
            match frame.first {
                0x82 => events.push(Seen::Binary(payload)),
                0x02 => self.fragments = Some(payload),
                0x00 => self.fragments.as_mut().expect("it was begun").extend(payload),
                0x80 => {
                    let begun = self.fragments.take().expect("it was begun");
                    events.push(Seen::Binary([begun, payload].concat()));
                }
                0x89 => {
                    let is_owed = match self.setup.auto_pong {
                        AutoPong::Off => false,
                        AutoPong::WhileOpen => self.own_close.is_none(),
                        _ => true,
                    };
                    answers.extend(is_owed.then(|| (0x8a, payload.clone())));
                    events.push(Seen::Ping(payload));
                }
                0x8a => events.push(Seen::Pong(payload)),
                0x88 => {
                    let code = u16::from_be_bytes([payload[0], payload[1]]);
                    self.peer_close = Some(code);
                    self.fragments = None;
                    if self.own_close.is_none() && self.setup.auto_close {
                        (self.own_close, self.answered) = (Some(code), true);
                        answers.push((0x88, payload));
                    }
                    events.push(Seen::Close(Some(code), String::new()));
                }
                first => panic!("{first:x} is never sent"),
            }
        }
        (events, answers)
    }

    /// Receives bytes, in which these frames end.
    fn receive(&mut self, bytes: &[u8], frames: &[Frame]) -> Vec<Frame> {
        let (events, answers) = self.expect(frames);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.extend(bytes);
        let (mut input, mut out, mut seen) = (&mut buffer[..], Vec::new(), Vec::new());
        while let Some(event) = self
            .connection
            .receive(&mut input, &mut out)
            .expect("no rule is broken")
        {
            match event {
                Event::BinaryChunk(chunk, fin) => {
                    self.chunks.extend(&*chunk);
                    if fin == Fin::Last {
                        seen.push(Seen::Binary(std::mem::take(&mut self.chunks)));
                    }
                }
                event => seen.push(event.into()),
            }
        }
        let left = input.len();
        assert_eq!(seen, events, "no event is lost, or told twice");
        if self.peer_close.is_none() && !self.is_over {
            assert!(
                left == 0 || self.setup.delivery == Delivery::Held,
                "all is consumed"
            );
            self.buffer = buffer.split_off(buffer.len() - left);
        }
        self.emitted(&out, &answers)
    }

    fn is_closed(&self) -> bool {
        self.is_over || self.own_close.is_some() && self.peer_close.is_some()
    }

    fn check(&mut self) {
        let connection = &self.connection;
        let state = match (self.own_close, self.peer_close) {
            _ if self.is_closed() => State::Closed,
            (None, None) => State::Open,
            _ => State::Closing,
        };
        let transport = match (self.own_close, self.peer_close) {
            _ if self.is_over => Transport::Close,
            (None, _) => Transport::Open,
            (Some(_), None) => Transport::AwaitPeer,
            (Some(_), Some(_)) if ROLES[self.place] == Role::Server => Transport::Close,
            (Some(_), Some(_)) => Transport::AwaitPeer,
        };
        let now = (connection.state(), connection.transport());
        assert_eq!(now, (state, transport));
        let rank = |(state, transport)| (state as u8, transport as u8);
        let (was, is) = (rank(self.before), rank(now));
        assert!(is.0 >= was.0 && is.1 >= was.1, "{now:?} after {:?}", self.before);
        self.before = now;
        match connection.closed() {
            None => assert!(state != State::Closed),
            Some(closed) => {
                assert_eq!(state, State::Closed);
                let is_clean = self.close_is_emitted && self.peer_close.is_some();
                let code = self.peer_close.unwrap_or(1006);
                assert_eq!(facts(&closed), (code, self.own_close, self.peer_close, is_clean));
                let by = match (self.own_close, self.peer_close) {
                    (Some(_), _) if !self.answered => ClosedBy::Local,
                    (_, Some(_)) => ClosedBy::Peer,
                    _ => ClosedBy::Transport,
                };
                assert_eq!(closed.by(), by);
            }
        }
    }
}

impl Pair {
    fn new(setups: [Setup; 2], most: usize) -> Self {
        Self {
            ends: [End::new(0, setups[0]), End::new(1, setups[1])],
            to: Default::default(),
            most,
        }
    }

    fn send(&mut self, place: usize, operation: Operation) {
        if !self.is_full(place) {
            let frames = self.ends[place].send(operation);
            self.goes_out(place, frames);
        }
    }

    /// As much is under way as may be, so that the end neither sends nor reads what may have to be answered.
    fn is_full(&self, place: usize) -> bool {
        self.to[1 - place].frames.len() >= self.most
    }

    fn goes_out(&mut self, place: usize, frames: Vec<Frame>) {
        let to = &mut self.to[1 - place];
        assert!(
            frames.is_empty() || !self.ends[place].is_over,
            "output after the end"
        );
        if !to.is_ended && !self.ends[1 - place].is_over {
            to.frames.extend(frames);
        }
    }

    fn part(&mut self, place: usize) {
        let to = &mut self.to[place];
        let Some(frame) = to.frames.front() else {
            return;
        };
        let size = frame.bytes.len();
        let stops = [1, size - 1, size];
        let next = stops
            .into_iter()
            .find(|stop| *stop > to.arrived)
            .expect("the frame is not complete");
        let bytes = frame.bytes[to.arrived..next].to_vec();
        to.arrived = next % size;
        let complete = if next == size { to.frames.pop_front() } else { None };
        let answers = self.ends[place].receive(&bytes, complete.as_slice());
        self.goes_out(place, answers);
    }

    fn all(&mut self, place: usize) {
        let to = &mut self.to[place];
        if to.frames.is_empty() {
            return;
        }
        let frames: Vec<Frame> = to.frames.drain(..).collect();
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|frame| &frame.bytes)
            .skip(to.arrived)
            .copied()
            .collect();
        to.arrived = 0;
        let answers = self.ends[place].receive(&bytes, &frames);
        self.goes_out(place, answers);
    }

    /// The transport has ended for this end, which sends no more either.
    fn is_over(&mut self, place: usize) {
        let end = &mut self.ends[place];
        let before = end.connection.closed();
        let closed = end.connection.receive_eof();
        assert!(
            before.is_none_or(|before| before == closed),
            "looking at the end changes nothing"
        );
        assert_eq!(end.connection.receive_eof(), closed, "there is one account of it");
        end.is_over = true;
        self.to[place] = Direction {
            is_ended: true,
            ..Direction::default()
        };
        self.to[1 - place].is_ended = true;
    }

    /// One round of a fair transport, with ends that do what they are told to: whether anything happened.
    fn round(&mut self) -> bool {
        let mut happened = false;
        for place in [0, 1] {
            happened |= !self.to[place].frames.is_empty();
            self.all(place);
            let end = &mut self.ends[place];
            if !end.setup.auto_close && end.peer_close.is_some() && end.own_close.is_none() && !end.is_over {
                self.send(place, Operation::Close);
                happened = true;
            }
            let end = &self.ends[place];
            if !end.is_over && (self.to[place].is_ended || end.connection.transport() == Transport::Close) {
                self.is_over(place);
                happened = true;
            }
            self.check();
        }
        happened
    }

    fn check(&mut self) {
        self.ends.iter_mut().for_each(End::check);
        let [a, b] = &self.ends;
        for (here, peer) in [(a, b), (b, a)] {
            assert!(
                here.peer_close.is_none() || here.peer_close == peer.own_close,
                "both agree on the codes"
            );
            assert!(!here.answered || !peer.answered, "both agree on who closed");
            // Two that closed at once: neither had seen the other's.
            let both_first =
                here.own_close.is_some() && peer.own_close.is_some() && !here.answered && !peer.answered;
            let crossed =
                here.own_close == Some(CODES[here.place]) && peer.own_close == Some(CODES[peer.place]);
            assert!(!both_first || crossed);
        }
    }
}

impl System for Pair {
    type Act = (usize, Operation);

    fn act(&mut self, (place, operation): Self::Act) {
        match operation {
            Operation::Part | Operation::All | Operation::End if self.is_full(place) => {}
            Operation::Part => self.part(place),
            Operation::All => self.all(place),
            Operation::End if !self.to[place].is_ended || self.ends[place].is_over => {}
            Operation::End => {
                self.all(place);
                self.is_over(place);
            }
            Operation::Leave if self.ends[place].is_over => {}
            Operation::Leave => self.is_over(place),
            Operation::Lose => {
                for place in [0, 1] {
                    self.to[place] = Direction {
                        is_ended: true,
                        ..Direction::default()
                    };
                    self.ends[place].buffer.clear();
                }
            }
            operation => self.send(place, operation),
        }
        self.check();
    }

    fn feed(&self, hasher: &mut impl Hasher) {
        for (end, to) in self.ends.iter().zip(&self.to) {
            (end.own_close, end.peer_close, end.answered, end.is_over).hash(hasher);
            (end.is_inside_message, end.fragments.is_some(), end.buffer.len()).hash(hasher);
            (
                end.connection.state(),
                end.connection.transport(),
                end.connection.remaining(),
            )
                .hash(hasher);
            (to.arrived, to.is_ended).hash(hasher);
            to.frames.iter().for_each(|frame| frame.first.hash(hasher));
            u8::MAX.hash(hasher);
        }
    }

    /// RFC 6455 section 7.1.4: over a fair transport the closing handshake ends, without a timer, and cleanly.
    fn finish(mut self) {
        let is_whole = self.to.iter().all(|to| !to.is_ended);
        for _ in 0..8 {
            if self.round() {
                continue;
            }
            match self.ends.iter().position(|end| !end.is_over) {
                None => break,
                Some(place) if self.ends[place].own_close.is_none() => self.send(place, Operation::Close),
                Some(place) => panic!("the closing handshake of {place} does not end"),
            }
            self.check();
        }
        assert!(self.ends.iter().all(|end| end.is_over), "both ends are done");
        let closed = self.ends.each_mut().map(|end| end.connection.receive_eof());
        let [server, client] = &closed;
        if is_whole {
            assert!(server.is_clean() && client.is_clean(), "{server}; {client}");
        }
        if server.is_clean() && client.is_clean() {
            let sent = |closed: &websocket_proto::Closed| (closed.code_sent(), closed.code_received());
            let (received, answered) = sent(client);
            assert_eq!(sent(server), (answered, received), "both agree on the codes");
            let by = [server.by(), client.by()];
            assert!(
                by.contains(&ClosedBy::Local) && !by.contains(&ClosedBy::Transport),
                "{by:?}"
            );
        }
        // Nothing goes out or comes in any more.
        for end in &mut self.ends {
            let mut wire = frame(
                0x89,
                (ROLES[end.place] == Role::Server).then_some([1; 4]),
                b"late",
            );
            let (mut input, mut out, size) = (&mut wire[..], Vec::new(), 0);
            assert_eq!(end.connection.receive(&mut input, &mut out), Ok(None));
            assert_eq!(end.connection.send_ping(b"", &mut out), Err(Misuse::Closed));
            assert_eq!(end.connection.close(None, "", &mut out), Err(Misuse::Closed));
            assert_eq!(out.len(), size);
        }
    }
}

fn setups() -> Vec<[Setup; 2]> {
    let mut ends = Vec::new();
    for auto_pong in [AutoPong::WhileOpen, AutoPong::UntilPeerCloses, AutoPong::Off] {
        for auto_close in [true, false] {
            ends.push(Setup {
                auto_pong,
                auto_close,
                delivery: Delivery::Whole,
            });
        }
    }
    let mut setups: Vec<[Setup; 2]> = ends.iter().flat_map(|a| ends.iter().map(|b| [*a, *b])).collect();
    for delivery in [Delivery::Held, Delivery::Chunks] {
        setups.push([0, 1].map(|_| Setup { delivery, ..ends[0] }));
    }
    setups
}

// RFC 6455 section 5.5.1: 6455-5.5.1-04, 6455-5.5.1-05, 6455-5.5.1-07, 6455-5.5.1-10; section 7.1: 6455-7.1.1-01, 6455-7.1.4-01
#[test]
#[cfg_attr(miri, ignore = "millions")]
fn every_interleaving_of_two_connections_keeps_the_invariants() {
    let setups = setups();
    count("interleavings of connections, few frames under way", |form| {
        let (most, setups) = match form {
            Form::Edges => (1, &setups[..2]),
            Form::Short => (1, &setups[..]),
            Form::All => (2, &setups[..]),
        };
        let found = search_all(setups, |setups| Pair::new(*setups, most), &ACTS, Bounds::NONE);
        assert!(found.is_complete, "no state is left out");
        format!("at most {most} each way, {} setups: {found}", setups.len())
    });
    count(
        "interleavings of connections, any number of frames under way",
        |form| {
            let depth = match form {
                Form::Edges => 3,
                Form::Short => 5,
                Form::All => 8,
            };
            let bounds = Bounds {
                depth,
                ..Bounds::NONE
            };
            let start = |setups: &[Setup; 2]| Pair::new(*setups, usize::MAX);
            let found = search_all(&setups[..1], start, &ACTS, bounds);
            format!("default setup: {found}")
        },
    );
}
