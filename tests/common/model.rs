//! The reference model: two ends, any operations on them, and a small state machine that predicts the result of each.
//!
//! It is shared by the property test, which generates operations, and the fuzz target, which reads them from bytes.

use super::strict::{Emitted, Strict};
use super::{Events, Receiver, Seen, binary, facts, message, naive, ping, pong};
use websocket_proto::{
    AutoPong, CloseCode, ClosedBy, Compression, Config, Connection, Delivery, Error, Event, Fin, MessageKind,
    Misuse, Prepared, Role, State, TransportAdvice,
};

/// An operation on a pair; the end that performs it is given separately.
#[derive(Clone, Debug)]
pub enum Operation {
    Text(String),
    Binary(Vec<u8>),
    Prepared(Box<Prepared>),
    /// The header only; the payload is appended separately.
    Header(Vec<u8>),
    /// The header, and the payload masked in place.
    InPlace {
        text: bool,
        bytes: Vec<u8>,
    },
    Fragment {
        text: bool,
        bytes: Vec<u8>,
        fin: Fin,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close {
        code: Option<u16>,
        reason: String,
    },
    Compress(Compression),
    /// At most this many bytes of what was sent arrive.
    Deliver(usize),
    /// The transport ends: what has not arrived is lost.
    Lose,
}

/// The configuration of an end.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub auto_pong: AutoPong,
    pub auto_close: bool,
    pub hold: bool,
    /// Whether messages are received in chunks.
    pub stream: bool,
    /// Whether it is split into halves for each receive.
    pub split: bool,
    /// Whether compression was negotiated.
    pub deflated: bool,
    /// Whether the buffers of binary messages are recycled.
    pub recycle: bool,
}

impl Setup {
    /// How messages are delivered.
    pub fn deliver(&self, config: Config) -> Config {
        config.delivery(match (self.stream, self.hold) {
            (true, _) => Delivery::Chunks,
            (false, true) => Delivery::InPlace,
            (false, false) => Delivery::Whole,
        })
    }

    pub fn config(&self) -> Config {
        let config = Config::new()
            .auto_pong(self.auto_pong)
            .auto_close(self.auto_close);
        self.deliver(config)
    }
}

/// The model's state of one end.
struct Model {
    role: Role,
    setup: Setup,
    /// The fragmented message that is being sent.
    fragments: Option<(bool, Vec<u8>)>,
    /// The code of our Close.
    closed: Option<u16>,
    /// The code of the peer's Close.
    peer_closed: Option<u16>,
    /// The peer's Close was received before ours was sent.
    peer_first: bool,
    ended: bool,
}

impl Model {
    fn new(role: Role, setup: Setup) -> Self {
        Self {
            role,
            setup,
            fragments: None,
            closed: None,
            peer_closed: None,
            peer_first: false,
            ended: false,
        }
    }

    /// The expected result of `operation`: the event that its frame completes, or the error.
    fn sends(&mut self, operation: &Operation) -> Result<Option<Seen>, Misuse> {
        let unclosed = self.closed.is_none() && !self.ended;
        let may_send = match operation {
            Operation::Close { .. } => unclosed,
            Operation::Fragment { .. } if self.fragments.is_some() => unclosed,
            Operation::Ping(_) | Operation::Pong(_) => self.is_receiving(),
            _ => unclosed && self.peer_closed.is_none(),
        };
        if !may_send {
            return Err(Misuse::NotOpen);
        }
        let is_whole = matches!(
            operation,
            Operation::Text(_)
                | Operation::Binary(_)
                | Operation::Prepared(_)
                | Operation::Header(_)
                | Operation::InPlace { .. }
        );
        if is_whole && self.fragments.is_some() {
            return Err(Misuse::UnfinishedMessage);
        }
        match operation {
            Operation::Text(text) => Ok(Some(Seen::Text(text.clone()))),
            Operation::Binary(bytes) => Ok(Some(binary(bytes))),
            Operation::Prepared(prepared) => {
                let is_text = prepared.kind() == MessageKind::Text;
                Ok(Some(message(is_text, prepared.payload())))
            }
            Operation::Header(_) if self.role == Role::Client => Err(Misuse::Unmasked),
            Operation::Header(bytes) => Ok(Some(binary(bytes))),
            Operation::InPlace { text: true, bytes } if naive::utf8(bytes) != naive::Utf8::Valid => {
                Err(Misuse::InvalidUtf8)
            }
            Operation::InPlace { text, bytes } => Ok(Some(message(*text, bytes))),
            Operation::Fragment { text, bytes, fin } => self.fragment(*text, bytes, *fin == Fin::Last),
            Operation::Ping(bytes) | Operation::Pong(bytes) if bytes.len() > 125 => {
                Err(Misuse::ControlTooLong(bytes.len()))
            }
            Operation::Ping(bytes) => Ok(Some(ping(bytes))),
            Operation::Pong(bytes) => Ok(Some(pong(bytes))),
            Operation::Close { code, reason } => self.close(*code, reason).map(Some),
            Operation::Compress(_) | Operation::Deliver(_) | Operation::Lose => Ok(None),
        }
    }

    fn fragment(&mut self, text: bool, bytes: &[u8], last: bool) -> Result<Option<Seen>, Misuse> {
        let (begun, mut whole) = self.fragments.clone().unwrap_or((text, Vec::new()));
        if begun != text {
            return Err(Misuse::UnfinishedMessage);
        }
        whole.extend(bytes);
        match naive::utf8(&whole) {
            naive::Utf8::Invalid if text => return Err(Misuse::InvalidUtf8),
            naive::Utf8::Cut if text && last => return Err(Misuse::InvalidUtf8),
            _ => {}
        }
        let event = last.then(|| message(text, &whole));
        self.fragments = (!last).then_some((text, whole));
        Ok(event)
    }

    fn close(&mut self, code: Option<u16>, reason: &str) -> Result<Seen, Misuse> {
        let may_stand = |code: u16| match code {
            1010 => self.role == Role::Client,
            code => matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999),
        };
        match code {
            Some(code) if !may_stand(code) => Err(Misuse::InvalidCloseCode(CloseCode(code))),
            None if !reason.is_empty() => Err(Misuse::ReasonWithoutCode),
            _ if reason.len() > 123 => Err(Misuse::ReasonTooLong(reason.len())),
            _ => Ok(self.closes(code, reason)),
        }
    }

    fn closes(&mut self, code: Option<u16>, reason: &str) -> Seen {
        self.closed = Some(code.unwrap_or(1005));
        self.peer_first = self.peer_closed.is_some();
        Seen::Close(code, reason.into())
    }

    fn is_receiving(&self) -> bool {
        !self.ended && self.peer_closed.is_none()
    }

    /// Records an event from the other end, and returns the expected reply.
    fn receives(&mut self, event: &Seen) -> Option<Seen> {
        match event {
            Seen::Ping(payload) => {
                let owed = match self.setup.auto_pong {
                    AutoPong::Off => false,
                    AutoPong::WhileOpen => self.closed.is_none(),
                    _ => true,
                };
                owed.then(|| pong(payload))
            }
            Seen::Close(code, _) => {
                self.peer_closed = Some(code.unwrap_or(1005));
                let owed = self.closed.is_none() && self.setup.auto_close;
                owed.then(|| self.closes(*code, ""))
            }
            _ => None,
        }
    }

    fn state(&self) -> (State, TransportAdvice) {
        match (self.closed.is_some(), self.peer_closed.is_some()) {
            _ if self.ended => (State::Closed, TransportAdvice::Close),
            (false, false) => (State::Open, TransportAdvice::KeepOpen),
            (false, true) => (State::Closing, TransportAdvice::KeepOpen),
            (true, false) => (State::Closing, TransportAdvice::AwaitPeer),
            (true, true) if self.role == Role::Server => (State::Closed, TransportAdvice::Close),
            (true, true) => (State::Closed, TransportAdvice::AwaitPeer),
        }
    }

    fn by(&self) -> ClosedBy {
        match (self.closed.is_some(), self.peer_closed.is_some()) {
            (true, _) if !self.peer_first => ClosedBy::Local,
            (_, true) => ClosedBy::Peer,
            _ => ClosedBy::Transport,
        }
    }
}

/// One end, and its model.
struct End {
    /// `None` only while it is split into halves.
    connection: Option<Connection>,
    model: Model,
    /// Reads what this end emits.
    strict: Strict,
    /// Everything that this end has emitted, and the events in it, each with the offset at which it is complete.
    wire: Vec<u8>,
    sent: Vec<(usize, Seen)>,
    /// How much of the other end's output has arrived, and how many of its events are complete.
    delivered: usize,
    seen: usize,
    /// The bytes that have arrived and are held.
    buffer: Vec<u8>,
    received: Events,
}

impl End {
    fn new(connection: Connection, setup: Setup) -> Self {
        let role = connection.role();
        Self {
            connection: Some(connection),
            model: Model::new(role, setup),
            strict: Strict::new(role).deflated(setup.deflated),
            wire: Vec::new(),
            sent: Vec::new(),
            delivered: 0,
            seen: 0,
            buffer: Vec::new(),
            received: Events::default(),
        }
    }

    fn run(&mut self, operation: &Operation) {
        let (connection, mut out) = (self.connection.as_mut().expect("in one piece"), Vec::new());
        let kind = |text: bool| match text {
            true => MessageKind::Text,
            false => MessageKind::Binary,
        };
        let found = match operation {
            Operation::Text(text) => connection.send_text(text, &mut out),
            Operation::Binary(bytes) => connection.send_binary(bytes, &mut out),
            Operation::Prepared(prepared) => connection.send_prepared(prepared, &mut out),
            Operation::Header(bytes) => {
                let header = connection.send_binary_header(bytes, &mut out);
                header.inspect(|()| out.extend(bytes))
            }
            Operation::InPlace { text, bytes } => {
                let mut payload = bytes.clone();
                let header = connection.send_in_place(kind(*text), &mut payload, &mut out);
                assert!(
                    header.is_ok() || payload == *bytes,
                    "a rejected call does not mask the payload"
                );
                header.inspect(|()| out.extend(payload))
            }
            Operation::Fragment { text, bytes, fin } => {
                connection.send_fragment(kind(*text), bytes, *fin, &mut out)
            }
            Operation::Ping(bytes) => connection.send_ping(bytes, &mut out),
            Operation::Pong(bytes) => connection.send_pong(bytes, &mut out),
            Operation::Close { code, reason } => connection.close(code.map(CloseCode), reason, &mut out),
            Operation::Compress(compression) => return connection.set_compression(*compression),
            Operation::Deliver(_) => return,
            Operation::Lose => {
                connection.receive_eof();
                self.model.ended = true;
                return;
            }
        };
        match self.model.sends(operation) {
            Ok(event) => {
                assert_eq!(found, Ok(()));
                assert!(!out.is_empty());
                self.emits(&out, event.as_slice());
            }
            Err(misuse) => {
                assert_eq!(found, Err(misuse));
                assert!(out.is_empty(), "a rejected call does not write anything");
            }
        }
    }

    /// Records what was emitted in one call, which has to be complete frames with these events.
    fn emits(&mut self, out: &[u8], events: &[Seen]) {
        let place = |emitted: Emitted| Some((emitted.end, emitted.event?));
        let sent: Vec<_> = self.strict.read(out).into_iter().filter_map(place).collect();
        assert!(
            sent.iter().map(|(_, event)| event).eq(events),
            "{sent:?} {events:?}"
        );
        self.sent.extend(sent);
        self.wire.extend(out);
    }

    /// At most this many bytes arrive from `peer`.
    fn receive_from(&mut self, peer: &Self, bytes: usize) {
        let bytes = bytes.min(peer.wire.len() - self.delivered);
        let mut out = Vec::new();
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut arrived = &peer.wire[self.delivered..][..bytes];
        self.delivered += bytes;
        // Every other read goes into the message, where that is possible.
        let connection = self.connection.as_mut().expect("in one piece");
        if let (true, Some(space)) = (
            bytes % 2 == 0 && buffer.is_empty(),
            connection.payload_space(bytes),
        ) {
            let (now, later) = arrived.split_at(space.len());
            space.copy_from_slice(now);
            connection.payload_filled(now.len());
            arrived = later;
        }
        buffer.extend(arrived);
        let mut input = &mut buffer[..];
        let result: Result<(), Error> = loop {
            match self.receive(&mut input, &mut out) {
                Ok(Some(event)) => {
                    self.received.take(event.clone());
                    if let (true, Event::Binary(payload)) = (self.model.setup.recycle, event) {
                        self.connection.as_mut().expect("in one piece").recycle(payload);
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let left = input.len();
        assert_eq!(result, Ok(()), "neither end violates a rule");
        let (expected, answers) = self.expect(&peer.sent);
        assert_eq!(std::mem::take(&mut self.received.seen), expected);
        if self.model.is_receiving() {
            let held = self.model.setup.hold && self.connection().payload_remaining() > left as u64;
            assert!(left == 0 || held, "the input is consumed");
            self.buffer = buffer.split_off(buffer.len() - left);
        }
        self.emits(&out, &answers);
    }

    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("in one piece")
    }

    fn receive<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, Error> {
        let mut connection = self.connection.take().expect("in one piece");
        if !self.model.setup.split {
            let result = connection.receive(input, out);
            self.connection = Some(connection);
            return result;
        }
        let mut halves = connection.split();
        let result = halves.receive(input, out);
        self.connection = Some(Connection::join(halves.0, halves.1));
        result
    }

    /// Expects the events among `sent` that have arrived, and the replies to them.
    fn expect(&mut self, sent: &[(usize, Seen)]) -> (Vec<Seen>, Vec<Seen>) {
        let (mut events, mut answers) = (Vec::new(), Vec::new());
        while let Some((end, event)) = sent.get(self.seen) {
            if *end > self.delivered || !self.model.is_receiving() {
                break;
            }
            self.seen += 1;
            answers.extend(self.model.receives(event));
            events.push(event.clone());
        }
        (events, answers)
    }

    fn check(&self) {
        assert_eq!(
            (self.connection().state(), self.connection().transport_advice()),
            self.model.state()
        );
        assert_eq!(self.connection().role(), self.model.role);
        let (state, _) = self.model.state();
        assert_eq!(self.connection().is_open(), state == State::Open);
        assert_eq!(self.connection().closed().is_some(), state == State::Closed);
    }

    /// The transport ends. There is one summary of that, and nothing follows it.
    fn finish(mut self) {
        let connection = self.connection.as_mut().expect("in one piece");
        let before = connection.closed();
        let closed = connection.receive_eof();
        assert!(
            before.is_none_or(|before| before == closed),
            "receiving the end does not change the outcome"
        );
        self.model.ended = true;
        let (sent, received) = (self.model.closed, self.model.peer_closed);
        let clean = sent.is_some() && received.is_some();
        assert_eq!(facts(&closed), (received.unwrap_or(1006), sent, received, clean));
        assert_eq!(closed.by(), self.model.by());
        assert_eq!(connection.receive_eof(), closed);
        let (mut bytes, mut out) = (*b"\x81\x00\x89\x00", Vec::new());
        let mut input = &mut bytes[..];
        assert_eq!(connection.receive(&mut input, &mut out), Ok(None));
        assert_eq!((input.len(), out.len()), (4, 0));
        self.check();
    }
}

/// Two ends and the wires between them. Panics unless each end behaves as the model predicts, receives what the other end sent, and
/// emits only complete, valid frames.
pub struct Pair {
    server: End,
    client: End,
}

impl Pair {
    pub fn new(server: (Connection, Setup), client: (Connection, Setup)) -> Self {
        Self {
            server: End::new(server.0, server.1),
            client: End::new(client.0, client.1),
        }
    }

    pub fn run(&mut self, role: Role, operation: &Operation) {
        let (here, peer) = match role {
            Role::Server => (&mut self.server, &self.client),
            Role::Client => (&mut self.client, &self.server),
        };
        match operation {
            Operation::Deliver(bytes) => here.receive_from(peer, *bytes),
            operation => here.run(operation),
        }
        self.server.check();
        self.client.check();
    }

    /// Everything arrives, and the replies to it; then both ends see the end of the transport.
    pub fn finish(mut self) {
        for _ in 0..3 {
            self.run(Role::Server, &Operation::Deliver(usize::MAX));
            self.run(Role::Client, &Operation::Deliver(usize::MAX));
        }
        self.server.finish();
        self.client.finish();
    }
}
