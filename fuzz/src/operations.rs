//! Two ends, any operations on them, and a small model that says what has to come of each.

use super::common::{Seen, binary, facts, naive, ping, pong};
use super::ends::Settings;
use super::input::Input;
use super::output::{Strict, prepared};
use websocket_proto::{
    AutoPong, CloseCode, ClosedBy, Compression, Connection, Error, Event, Fin, MessageKind, Misuse, Prepared,
    Role, State, Transport,
};

/// What may be done on a pair; the end it is done on stands beside it.
enum Operation {
    Text(String),
    Binary(Vec<u8>),
    Prepared(Box<Prepared>),
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
    /// So many bytes of what was sent arrive.
    Deliver(usize),
    /// The transport ends: what has not arrived never will.
    Lose,
}

impl Operation {
    fn read(input: &mut Input) -> Self {
        match input.byte() % 14 {
            0 => Self::Text(input.text()),
            1 => Self::Binary(input.bytes().to_vec()),
            2 => {
                // On both sides of where the length takes more bytes.
                let size = input.pick(&[125, 126, 300, 2000, 65_535, 65_536]);
                Self::Binary(vec![input.byte(); size])
            }
            3 => Self::Prepared(Box::new(prepared(input))),
            4 => Self::Ping(input.bytes().to_vec()),
            5 => Self::Pong(input.bytes().to_vec()),
            6 => Self::Close {
                code: Some(input.number()).filter(|code| *code != 0),
                reason: input.text(),
            },
            7 => Self::Compress(input.pick(&[Compression::Off, Compression::On])),
            8 => Self::Lose,
            9 => Self::Deliver(usize::MAX),
            10 | 11 => Self::Deliver(usize::from(input.byte())),
            kind => {
                let flags = input.byte();
                Self::Fragment {
                    text: kind == 12,
                    bytes: input.bytes().to_vec(),
                    fin: if flags & 1 == 0 { Fin::More } else { Fin::Last },
                }
            }
        }
    }
}

fn message(text: bool, bytes: &[u8]) -> Seen {
    match text {
        true => Seen::Text(String::from_utf8(bytes.to_vec()).expect("valid text")),
        false => binary(bytes),
    }
}

/// What the model knows of one end.
struct Model {
    role: Role,
    settings: Settings,
    /// What this end has sent, in order: each event, and the place on the wire where it is whole.
    sent: Vec<(usize, Seen)>,
    /// The length of all that this end has sent.
    size: usize,
    /// How much of what the other end has sent came here.
    delivered: usize,
    /// How many of the other end's events came whole.
    seen: usize,
    /// The message in fragments that is being sent.
    fragments: Option<(bool, Vec<u8>)>,
    /// Our Close, by its code.
    closed: Option<u16>,
    /// The peer's Close, by its code.
    peer_closed: Option<u16>,
    /// The peer's Close came before ours was sent.
    peer_first: bool,
    ended: bool,
}

impl Model {
    fn new(role: Role, settings: Settings) -> Self {
        Self {
            role,
            settings,
            sent: Vec::new(),
            size: 0,
            delivered: 0,
            seen: 0,
            fragments: None,
            closed: None,
            peer_closed: None,
            peer_first: false,
            ended: false,
        }
    }

    /// What `operation` has to come to: the events it sends, or why it is wrong.
    fn sends(&mut self, operation: &Operation) -> Result<Option<Seen>, Misuse> {
        let unclosed = self.closed.is_none() && !self.ended;
        let may_send = match operation {
            Operation::Close { .. } => unclosed,
            Operation::Fragment { .. } if self.fragments.is_some() => unclosed,
            _ => unclosed && self.peer_closed.is_none(),
        };
        if !may_send {
            return Err(Misuse::Closed);
        }
        let is_whole = matches!(
            operation,
            Operation::Text(_) | Operation::Binary(_) | Operation::Prepared(_)
        );
        if is_whole && self.fragments.is_some() {
            return Err(Misuse::UnfinishedMessage);
        }
        match operation {
            Operation::Text(text) => Ok(Some(Seen::Text(text.clone()))),
            Operation::Binary(bytes) => Ok(Some(binary(bytes))),
            Operation::Prepared(prepared) => Ok(Some(message(
                prepared.kind() == MessageKind::Text,
                prepared.payload(),
            ))),
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

    /// Takes note of bytes from the other end, which has sent `sent`: the events that they make, and the answers.
    fn receives(&mut self, sent: &[(usize, Seen)], bytes: usize) -> (Vec<Seen>, Vec<Seen>) {
        self.delivered += bytes;
        let (mut events, mut answers) = (Vec::new(), Vec::new());
        while let Some((end, event)) = sent.get(self.seen) {
            if *end > self.delivered || self.ended || self.peer_closed.is_some() {
                break;
            }
            self.seen += 1;
            match event {
                Seen::Ping(payload) => {
                    let owed = match self.settings.auto_pong {
                        AutoPong::Off => false,
                        AutoPong::WhileOpen => self.closed.is_none(),
                        _ => true,
                    };
                    answers.extend(owed.then(|| pong(payload)));
                }
                Seen::Close(code, _) => {
                    self.peer_closed = Some(code.unwrap_or(1005));
                    if self.closed.is_none() && self.settings.auto_close {
                        answers.push(self.closes(*code, ""));
                    }
                }
                _ => {}
            }
            events.push(event.clone());
        }
        (events, answers)
    }

    fn state(&self) -> (State, Transport) {
        match (self.closed.is_some(), self.peer_closed.is_some()) {
            _ if self.ended => (State::Closed, Transport::Close),
            (false, false) => (State::Open, Transport::Open),
            (false, true) => (State::Closing, Transport::Open),
            (true, false) => (State::Closing, Transport::AwaitPeer),
            (true, true) if self.role == Role::Server => (State::Closed, Transport::Close),
            (true, true) => (State::Closed, Transport::AwaitPeer),
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

/// One end, with what the model says of it.
struct End {
    connection: Connection,
    model: Model,
    /// Reads what this end emits.
    strict: Strict,
    /// Everything that this end has emitted.
    wire: Vec<u8>,
    hold: bool,
    recycle: bool,
    /// What came here and is held.
    buffer: Vec<u8>,
}

impl End {
    fn new(role: Role, settings: Settings, flags: u8) -> Self {
        let hold = flags & 1 != 0;
        let config = settings.config().max_message_size(1 << 20).hold(hold);
        Self {
            connection: settings.open_with(role, &config),
            model: Model::new(role, settings),
            strict: Strict::new(role, settings.is_deflated()),
            wire: Vec::new(),
            hold,
            recycle: flags & 2 != 0,
            buffer: Vec::new(),
        }
    }

    fn run(&mut self, operation: &Operation) {
        let (connection, mut out) = (&mut self.connection, Vec::new());
        let found = match operation {
            Operation::Text(text) => connection.send_text(text, &mut out),
            Operation::Binary(bytes) => connection.send_binary(bytes, &mut out),
            Operation::Prepared(prepared) => connection.send_prepared(prepared, &mut out),
            Operation::Fragment { text, bytes, fin } => {
                let kind = if *text {
                    MessageKind::Text
                } else {
                    MessageKind::Binary
                };
                connection.send_fragment(kind, bytes, *fin, &mut out)
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
                assert!(out.is_empty(), "a refusal writes nothing");
            }
        }
    }

    /// Notes what was emitted in one call, which has to be whole frames with these events.
    fn emits(&mut self, out: &[u8], events: &[Seen]) {
        assert_eq!(self.strict.read(out), events);
        let end = self.wire.len() + out.len();
        // The places inside the row are found by their order: controls are all there is beside a last data frame.
        let mut at = self.wire.len();
        let mut rest = out;
        for event in events {
            let size = naive::split(rest).expect("whole frames").1;
            (at, rest) = (at + size, &rest[size..]);
            self.model.sent.push((at, event.clone()));
        }
        assert!(at == end || events.is_empty());
        self.model.size = end;
        self.wire.extend(out);
    }

    /// `bytes` come from `peer`.
    fn receive(&mut self, peer: &[(usize, Seen)], bytes: &[u8]) {
        let (mut out, mut events) = (Vec::new(), Vec::new());
        self.buffer.extend(bytes);
        let mut input = &mut self.buffer[..];
        let result: Result<(), Error> = loop {
            match self.connection.receive(&mut input, &mut out) {
                Ok(Some(event)) => {
                    events.push(Seen::from(event.clone()));
                    if let (true, Event::Binary(payload)) = (self.recycle, event) {
                        self.connection.recycle(payload);
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let left = input.len();
        let (expected, answers) = self.model.receives(peer, bytes.len());
        assert_eq!(result, Ok(()), "neither end breaks a rule");
        assert_eq!(events, expected);
        if self.model.ended || self.model.peer_closed.is_some() {
            self.buffer.clear();
        } else {
            assert!(left == 0 || (self.hold && self.connection.remaining() > left as u64));
            let taken = self.buffer.len() - left;
            self.buffer.drain(..taken);
        }
        self.emits(&out, &answers);
    }

    fn check(&self) {
        assert_eq!(
            (self.connection.state(), self.connection.transport()),
            self.model.state()
        );
        assert_eq!(self.connection.role(), self.model.role);
    }

    /// The end of the transport, of which there is one account; nothing comes after it.
    fn finish(mut self) {
        let closed = self.connection.receive_eof();
        self.model.ended = true;
        let (sent, received) = (self.model.closed, self.model.peer_closed);
        let clean = sent.is_some() && received.is_some();
        assert_eq!(facts(&closed), (received.unwrap_or(1006), sent, received, clean));
        assert_eq!(closed.by(), self.model.by());
        assert_eq!(self.connection.receive_eof(), closed);
        let (mut bytes, mut out) = (*b"\x81\x00\x89\x00", Vec::new());
        let mut input = &mut bytes[..];
        assert_eq!(self.connection.receive(&mut input, &mut out), Ok(None));
        assert_eq!((input.len(), out.len()), (4, 0));
        self.check();
    }
}

/// Any operations on a pair, what is sent arriving in any segments or not at all: each end does as the model says, sees what
/// the other one sent, and emits nothing but whole frames that keep every rule.
pub fn operations(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut client = Settings::read(&mut input);
    // Compression is agreed, all else is up to each end.
    let mut server = client;
    let flags = input.byte();
    if flags & 4 != 0 {
        server.auto_close = !client.auto_close;
    }
    if flags & 8 != 0 {
        client.auto_pong = AutoPong::UntilPeerCloses;
    }
    let mut ends = [
        End::new(Role::Server, server, flags >> 4),
        End::new(Role::Client, client, flags >> 6),
    ];
    // Work is bounded: an operation may be one byte, and a large message three.
    let mut work = 0;
    while work < 200_000 && !input.is_empty() {
        let end = usize::from(input.byte() & 1);
        match Operation::read(&mut input) {
            Operation::Deliver(bytes) => deliver(&mut ends, end, bytes),
            operation => {
                work += match &operation {
                    Operation::Binary(bytes) => bytes.len(),
                    _ => 0,
                };
                ends[end].run(&operation);
            }
        }
        work += 500;
        ends.iter().for_each(End::check);
    }
    // All arrives, and what answers it.
    for end in [0, 1, 0, 1, 0, 1] {
        deliver(&mut ends, end, usize::MAX);
        ends.iter().for_each(End::check);
    }
    let [server, client] = ends;
    server.finish();
    client.finish();
}

fn deliver(ends: &mut [End; 2], end: usize, bytes: usize) {
    let [server, client] = ends;
    let (here, peer) = if end == 0 {
        (server, client)
    } else {
        (client, server)
    };
    let start = here.model.delivered;
    let size = bytes.min(peer.wire.len() - start);
    here.receive(&peer.model.sent, &peer.wire[start..start + size]);
}
