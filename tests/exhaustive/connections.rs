//! Every interleaving of the actions of two connections and of the transport between them.
//!
//! The payloads are short and only distinguish the messages. No rule depends on them, so a state is identified by the frames in
//! flight and their kinds, and not by the payloads.

use crate::common::{Seen, facts, frame, naive, open};
use crate::search::{Bounds, System, search_all};
use crate::{Form, count};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use websocket_proto::{
    AutoPong, CloseCode, ClosedBy, Config, Connection, Delivery, Event, Fin, MessageKind, Misuse,
    ReceiveHalf, Reply, Role, SendHalf, State, TransportAdvice,
};

/// What can happen to an end. An act pairs it with the end's index.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Send,
    Fragment(Fin),
    Ping,
    Pong,
    Close,
    /// A part of the next frame arrives: first its first byte, then the rest except for the last byte, then the last byte.
    Part,
    /// Everything in flight arrives.
    All,
    /// Everything in flight arrives, followed by the end of the transport if the peer has ended it.
    End,
    /// This end abandons the transport, as after the advice to close it or after a timeout. Frames already sent are still in flight.
    Leave,
    /// The transport is lost, with everything in flight.
    Lose,
    /// The sending half is given the next reply of the receiving half.
    Reply,
}

/// The ends are indices of `ROLES`.
const ACTS: [(usize, Operation); 23] = {
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
        (0, Reply),
        (1, Reply),
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
    /// Whether the connection is split into halves.
    split: bool,
}

/// A connection, or its halves and the replies that the sending half has not received yet.
#[allow(clippy::large_enum_variant, reason = "there are two of them")]
enum Core {
    Whole(Connection),
    Halves(ReceiveHalf, SendHalf, VecDeque<Reply>),
}

/// What the sending half has yet to learn.
#[derive(Hash)]
enum News {
    Ping(Vec<u8>),
    Close(u16),
    Over,
}

/// A frame in flight.
struct Frame {
    first: u8,
    payload: Vec<u8>,
    bytes: Vec<u8>,
}

/// What is in flight to one end.
#[derive(Default)]
struct Direction {
    frames: VecDeque<Frame>,
    /// How many bytes of the first frame have arrived.
    arrived: usize,
    is_ended: bool,
}

struct End {
    place: usize,
    core: Core,
    setup: Setup,
    /// How many frames this end has sent, so that each has a different payload.
    sent: u8,
    is_inside_message: bool,
    /// The fragmented message received so far.
    fragments: Option<Vec<u8>>,
    /// The code of this end's Close, and of the peer's.
    own_close: Option<u16>,
    peer_close: Option<u16>,
    answered: bool,
    /// Whether the sending half has learned of the peer's Close and of the end, and what it has not learned yet.
    told_close: bool,
    told_over: bool,
    news: VecDeque<News>,
    /// Whether this end has emitted its Close.
    close_is_emitted: bool,
    is_over: bool,
    /// Bytes that have arrived and are held.
    buffer: Vec<u8>,
    chunks: Vec<u8>,
    before: (State, TransportAdvice),
}

/// A connection and its sending half have the same methods.
macro_rules! send {
    ($sender:expr, $operation:expr, $place:expr, $payload:expr, $out:expr) => {
        match $operation {
            Operation::Send => $sender.send_binary($payload, $out),
            Operation::Fragment(fin) => $sender.send_fragment(MessageKind::Binary, $payload, fin, $out),
            Operation::Ping => $sender.send_ping($payload, $out),
            Operation::Pong => $sender.send_pong($payload, $out),
            Operation::Close => $sender.close(CloseCode(CODES[$place]), "", $out),
            other => panic!("{other:?} sends nothing"),
        }
    };
}

struct Pair {
    ends: [End; 2],
    to: [Direction; 2],
    /// How many frames may be in flight in one direction.
    most: usize,
}

impl End {
    fn new(place: usize, setup: Setup) -> Self {
        let config = Config::new()
            .auto_pong(setup.auto_pong)
            .auto_close(setup.auto_close)
            .delivery(setup.delivery);
        let connection = open(ROLES[place], &config);
        let core = match setup.split {
            false => Core::Whole(connection),
            true => {
                let (receiver, sender) = connection.split();
                Core::Halves(receiver, sender, VecDeque::new())
            }
        };
        Self {
            place,
            core,
            setup,
            sent: 0,
            is_inside_message: false,
            fragments: None,
            own_close: None,
            peer_close: None,
            answered: false,
            told_close: false,
            told_over: false,
            news: VecDeque::new(),
            close_is_emitted: false,
            is_over: false,
            buffer: Vec::new(),
            chunks: Vec::new(),
            before: (State::Open, TransportAdvice::KeepOpen),
        }
    }

    /// What `operation` has to emit, or the expected misuse.
    fn expected(&mut self, operation: Operation, payload: &[u8]) -> Result<(u8, Vec<u8>), Misuse> {
        let may_close = self.own_close.is_none() && !self.told_over;
        let is_open = may_close && !self.told_close;
        let may_ping = !self.told_close && !self.told_over;
        let allowed = match operation {
            Operation::Close => may_close,
            Operation::Fragment(_) if self.is_inside_message => may_close,
            Operation::Send | Operation::Fragment(_) => is_open,
            _ => may_ping,
        };
        let opcode = match operation {
            _ if !allowed => return Err(Misuse::NotOpen),
            Operation::Send if self.is_inside_message => return Err(Misuse::UnfinishedMessage),
            Operation::Send => 0x82,
            Operation::Ping => 0x89,
            Operation::Pong => 0x8a,
            Operation::Close => {
                self.answered = self.told_close;
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
        let mut out = Vec::new();
        let found = match &mut self.core {
            Core::Whole(connection) => send!(connection, operation, self.place, &payload, &mut out),
            Core::Halves(_, sender, _) => send!(sender, operation, self.place, &payload, &mut out),
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

    /// Returns the frames emitted by one call, which have to be the expected ones. RFC 6455 section 5.5.1: at most one Close, and
    /// only Pings and Pongs after it.
    fn emitted(&mut self, mut out: &[u8], expected: &[(u8, Vec<u8>)]) -> Vec<Frame> {
        let mut frames = Vec::with_capacity(expected.len());
        while !out.is_empty() {
            let (read, size, _) = naive::split(out).expect("complete frames are emitted");
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

    /// The events expected for frames that have arrived.
    fn expect(&mut self, frames: &[Frame]) -> Vec<Seen> {
        let mut events = Vec::new();
        for frame in frames {
            if self.peer_close.is_some() || self.is_over {
                break;
            }
            let payload = frame.payload.clone();
            match frame.first {
                0x82 => events.push(Seen::Binary(payload)),
                0x02 => self.fragments = Some(payload),
                0x00 => self
                    .fragments
                    .as_mut()
                    .expect("the message has begun")
                    .extend(payload),
                0x80 => {
                    let begun = self.fragments.take().expect("the message has begun");
                    events.push(Seen::Binary([begun, payload].concat()));
                }
                0x89 => {
                    self.news.push_back(News::Ping(payload.clone()));
                    events.push(Seen::Ping(payload));
                }
                0x8a => events.push(Seen::Pong(payload)),
                0x88 => {
                    let code = u16::from_be_bytes([payload[0], payload[1]]);
                    self.peer_close = Some(code);
                    self.fragments = None;
                    self.news.push_back(News::Close(code));
                    events.push(Seen::Close(Some(code), String::new()));
                }
                first => panic!("{first:x} is never sent"),
            }
        }
        events
    }

    /// Lets the sending half learn the next thing. Returns the frame that it has to emit.
    fn learn(&mut self) -> Option<(u8, Vec<u8>)> {
        match self.news.pop_front()? {
            News::Ping(payload) => {
                let may = !self.told_close && !self.told_over;
                let is_owed = match self.setup.auto_pong {
                    AutoPong::Off => false,
                    AutoPong::WhileOpen => may && self.own_close.is_none(),
                    _ => may,
                };
                is_owed.then_some((0x8a, payload))
            }
            News::Close(code) => {
                self.told_close = true;
                let is_owed = self.own_close.is_none() && self.setup.auto_close && !self.told_over;
                is_owed.then(|| {
                    (self.own_close, self.answered) = (Some(code), true);
                    (0x88, code.to_be_bytes().to_vec())
                })
            }
            News::Over => {
                self.told_over = true;
                None
            }
        }
    }

    /// Receives bytes that complete these frames.
    fn receive(&mut self, bytes: &[u8], frames: &[Frame]) -> Vec<Frame> {
        let events = self.expect(frames);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.extend(bytes);
        let (mut input, mut out, mut seen) = (&mut buffer[..], Vec::new(), Vec::new());
        loop {
            let event = match &mut self.core {
                Core::Whole(connection) => connection.receive(&mut input, &mut out),
                Core::Halves(receiver, _, replies) => {
                    let (event, reply) = receiver.receive(&mut input);
                    if !reply.is_none() {
                        replies.push_back(reply);
                    }
                    event
                }
            };
            match event.expect("the input is valid") {
                None => break,
                Some(Event::BinaryChunk(chunk, fin)) => {
                    self.chunks.extend(&*chunk);
                    if fin == Fin::Last {
                        seen.push(Seen::Binary(std::mem::take(&mut self.chunks)));
                    }
                }
                Some(event) => seen.push(event.into()),
            }
        }
        let left = input.len();
        assert_eq!(seen, events, "every event is reported exactly once");
        if self.peer_close.is_none() && !self.is_over {
            assert!(
                left == 0 || self.setup.delivery == Delivery::InPlace,
                "the input is consumed"
            );
            self.buffer = buffer.split_off(buffer.len() - left);
        }
        match self.core {
            Core::Whole(_) => {
                let mut answers = Vec::new();
                while !self.news.is_empty() {
                    answers.extend(self.learn());
                }
                self.emitted(&out, &answers)
            }
            Core::Halves(..) => Vec::new(),
        }
    }

    /// Gives the sending half the next reply.
    fn reply(&mut self) -> Vec<Frame> {
        let Core::Halves(_, sender, replies) = &mut self.core else {
            return Vec::new();
        };
        let (Some(reply), mut out) = (replies.pop_front(), Vec::new()) else {
            assert!(self.news.is_empty(), "a reply is missing");
            return Vec::new();
        };
        sender.reply(reply, &mut out);
        let answer = self.learn();
        self.emitted(&out, answer.as_slice())
    }

    /// Receives the end of the transport.
    fn receive_eof(&mut self) {
        self.news.push_back(News::Over);
        match &mut self.core {
            Core::Whole(connection) => {
                let before = connection.closed();
                let closed = connection.receive_eof();
                assert!(
                    before.is_none_or(|before| before == closed),
                    "receiving the end does not change the outcome"
                );
                assert_eq!(
                    connection.receive_eof(),
                    closed,
                    "a repeated call returns the same outcome"
                );
                self.learn();
            }
            Core::Halves(receiver, _, replies) => replies.push_back(receiver.receive_eof()),
        }
        self.is_over = true;
    }

    /// Joins the halves again. All replies must have been given to the sending half.
    fn join(self) -> Self {
        let core = match self.core {
            Core::Halves(receiver, sender, replies) => {
                assert!(replies.is_empty());
                Core::Whole(Connection::join(receiver, sender))
            }
            whole @ Core::Whole(_) => whole,
        };
        Self { core, ..self }
    }

    fn connection(&mut self) -> &mut Connection {
        match &mut self.core {
            Core::Whole(connection) => connection,
            Core::Halves(..) => panic!("the connection is split"),
        }
    }

    fn state(&self) -> (State, TransportAdvice) {
        match &self.core {
            Core::Whole(connection) => (connection.state(), connection.transport_advice()),
            Core::Halves(_, sender, _) => (sender.state(), sender.transport_advice()),
        }
    }

    fn remaining(&self) -> u64 {
        match &self.core {
            Core::Whole(connection) => connection.payload_remaining(),
            Core::Halves(receiver, ..) => receiver.payload_remaining(),
        }
    }

    fn is_closed(&self) -> bool {
        self.told_over || self.own_close.is_some() && self.told_close
    }

    fn check(&mut self) {
        let state = match (self.own_close, self.told_close) {
            _ if self.is_closed() => State::Closed,
            (None, false) => State::Open,
            _ => State::Closing,
        };
        let transport = match (self.own_close, self.told_close) {
            _ if self.told_over => TransportAdvice::Close,
            (None, _) => TransportAdvice::KeepOpen,
            (Some(_), false) => TransportAdvice::AwaitPeer,
            (Some(_), true) if ROLES[self.place] == Role::Server => TransportAdvice::Close,
            (Some(_), true) => TransportAdvice::AwaitPeer,
        };
        let now = self.state();
        assert_eq!(now, (state, transport));
        let rank = |(state, transport)| (state as u8, transport as u8);
        let (was, is) = (rank(self.before), rank(now));
        assert!(is.0 >= was.0 && is.1 >= was.1, "{now:?} after {:?}", self.before);
        self.before = now;
        let closed = match &self.core {
            Core::Whole(connection) => connection.closed(),
            Core::Halves(receiver, ..) => {
                let is_open = self.peer_close.is_none() && !self.is_over;
                assert_eq!(receiver.is_open(), is_open);
                return;
            }
        };
        match closed {
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

    /// Whether the limit of frames in flight is reached: the end then neither sends nor reads frames that may need a reply.
    fn is_full(&self, place: usize) -> bool {
        let end = &self.ends[place];
        self.to[1 - place].frames.len() >= self.most || end.news.len() >= self.most
    }

    fn goes_out(&mut self, place: usize, frames: Vec<Frame>) {
        let to = &mut self.to[1 - place];
        assert!(
            frames.is_empty() || !self.ends[place].told_over,
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

    /// The transport has ended for this end, which cannot send any more either.
    fn is_over(&mut self, place: usize) {
        self.ends[place].receive_eof();
        self.to[place] = Direction {
            is_ended: true,
            ..Direction::default()
        };
        self.to[1 - place].is_ended = true;
    }

    /// One round of a fair transport, with ends that follow the advice. Returns whether anything happened.
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
            if !end.is_over && (self.to[place].is_ended || end.state().1 == TransportAdvice::Close) {
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
            // If both closed on their own, neither had received the other's Close.
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
            Operation::Reply => {
                let frames = self.ends[place].reply();
                self.goes_out(place, frames);
            }
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
            (end.told_close, end.told_over).hash(hasher);
            for news in &end.news {
                std::mem::discriminant(news).hash(hasher);
            }
            u8::MAX.hash(hasher);
            (end.is_inside_message, end.fragments.is_some(), end.buffer.len()).hash(hasher);
            (end.state(), end.remaining()).hash(hasher);
            (to.arrived, to.is_ended).hash(hasher);
            to.frames.iter().for_each(|frame| frame.first.hash(hasher));
            u8::MAX.hash(hasher);
        }
    }

    /// RFC 6455 section 7.1.4: over a fair transport, the closing handshake completes cleanly and without a timer.
    fn finish(mut self) {
        for place in [0, 1] {
            while !self.ends[place].news.is_empty() {
                let frames = self.ends[place].reply();
                self.goes_out(place, frames);
            }
        }
        let [server, client] = self.ends;
        let ends = [server.join(), client.join()];
        let mut this = Self { ends, ..self };
        this.check();
        this.finish_whole();
    }
}

impl Pair {
    fn finish_whole(mut self) {
        let is_whole = self.to.iter().all(|to| !to.is_ended);
        for _ in 0..8 {
            if self.round() {
                continue;
            }
            match self.ends.iter().position(|end| !end.is_over) {
                None => break,
                Some(place) if self.ends[place].own_close.is_none() => self.send(place, Operation::Close),
                Some(place) => panic!("the closing handshake of {place} does not complete"),
            }
            self.check();
        }
        assert!(self.ends.iter().all(|end| end.is_over), "both ends have ended");
        let closed = self.ends.each_mut().map(|end| end.connection().receive_eof());
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
        // Nothing can be sent or received any more.
        for end in &mut self.ends {
            let mut wire = frame(
                0x89,
                (ROLES[end.place] == Role::Server).then_some([1; 4]),
                b"late",
            );
            let (mut input, mut out, size) = (&mut wire[..], Vec::new(), 0);
            assert_eq!(end.connection().receive(&mut input, &mut out), Ok(None));
            assert_eq!(end.connection().send_ping(b"", &mut out), Err(Misuse::NotOpen));
            assert_eq!(end.connection().close(None, "", &mut out), Err(Misuse::NotOpen));
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
                split: false,
            });
        }
    }
    let mut setups: Vec<[Setup; 2]> = ends.iter().flat_map(|a| ends.iter().map(|b| [*a, *b])).collect();
    for delivery in [Delivery::InPlace, Delivery::Chunks] {
        setups.push([0, 1].map(|_| Setup { delivery, ..ends[0] }));
    }
    for auto_close in [true, false] {
        for auto_pong in [AutoPong::WhileOpen, AutoPong::UntilPeerCloses] {
            let split = Setup {
                auto_pong,
                auto_close,
                split: true,
                ..ends[0]
            };
            setups.extend([[split, ends[0]], [ends[0], split], [split; 2]]);
        }
    }
    setups
}

// RFC 6455 section 5.5.1: 6455-5.5.1-04, 6455-5.5.1-05, 6455-5.5.1-07, 6455-5.5.1-10; section 7.1: 6455-7.1.1-01, 6455-7.1.4-01
#[test]
#[cfg_attr(miri, ignore = "millions")]
fn every_interleaving_of_two_connections_keeps_the_invariants() {
    let setups = setups();
    count("interleavings of connections, few frames in flight", |form| {
        let (most, setups) = match form {
            Form::Edges => (1, &setups[..2]),
            Form::Short => (1, &setups[..]),
            Form::All => (2, &setups[..]),
        };
        let found = search_all(setups, |setups| Pair::new(*setups, most), &ACTS, Bounds::NONE);
        assert!(found.is_complete, "every state is visited");
        format!("at most {most} each way, {} setups: {found}", setups.len())
    });
    count(
        "interleavings of connections, any number of frames in flight",
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
