//! What the integration tests share: both ends of a connection, frames as byte strings, and a drive that holds every call of
//! `receive` to the contract while it normalises what comes out.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod naive;

use websocket_proto::{CloseCode, Closed, Config, Connection, Error, Event, Role, State, Transport};

/// The masking key of RFC 6455 section 5.7; test clients draw no other, unless a test says so.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// An event, owned and comparable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

pub fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

pub fn binary(bytes: &[u8]) -> Seen {
    Seen::Binary(bytes.into())
}

pub fn ping(bytes: &[u8]) -> Seen {
    Seen::Ping(bytes.into())
}

pub fn pong(bytes: &[u8]) -> Seen {
    Seen::Pong(bytes.into())
}

pub fn close(code: u16, reason: &str) -> Seen {
    Seen::Close(Some(code), reason.into())
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.into_owned()),
            Event::Ping(bytes) => Self::Ping(bytes.into_owned()),
            Event::Pong(bytes) => Self::Pong(bytes.into_owned()),
            Event::Close(close) => Self::Close(close.code.map(u16::from), close.reason.into_owned()),
            other => panic!("no such event is known here: {other:?}"),
        }
    }
}

/// One end of a connection, before it is opened.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub role: Role,
    pub config: Config,
}

pub fn server() -> End {
    server_with(Config::new())
}

pub fn client() -> End {
    client_with(Config::new())
}

pub fn server_with(config: Config) -> End {
    End {
        role: Role::Server,
        config,
    }
}

pub fn client_with(config: Config) -> End {
    End {
        role: Role::Client,
        config,
    }
}

pub fn both() -> [End; 2] {
    both_with(Config::new())
}

pub fn both_with(config: Config) -> [End; 2] {
    [server_with(config), client_with(config)]
}

/// A frame with a minimal length, masked with `key` if there is one. Written here byte by byte, not with the crate.
pub fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, key, payload.len() as u64);
    let key = key.unwrap_or_default();
    for (i, byte) in payload.iter().enumerate() {
        bytes.push(byte ^ key[i % 4]);
    }
    bytes
}

pub fn header(first: u8, key: Option<[u8; 4]>, len: u64) -> Vec<u8> {
    let bit = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    if len <= 125 {
        bytes.push(bit | len as u8);
    } else if len <= 65_535 {
        bytes.push(bit | 126);
        bytes.extend((len as u16).to_be_bytes());
    } else {
        bytes.push(bit | 127);
        bytes.extend(len.to_be_bytes());
    }
    bytes.extend(key.iter().flatten());
    bytes
}

impl End {
    pub fn open(&self) -> Connection {
        match self.role {
            Role::Server => Connection::server(&self.config),
            Role::Client => Connection::client(&self.config, |key: &mut [u8]| key.copy_from_slice(&KEY)),
        }
    }

    fn key_of(role: Role) -> Option<[u8; 4]> {
        (role == Role::Client).then_some(KEY)
    }

    /// A frame as the peer sends it.
    pub fn incoming(&self, first: u8, payload: &[u8]) -> Vec<u8> {
        frame(first, Self::key_of(other(self.role)), payload)
    }

    /// The header of a frame as the peer sends it.
    pub fn incoming_header(&self, first: u8, len: u64) -> Vec<u8> {
        header(first, Self::key_of(other(self.role)), len)
    }

    /// Several frames as the peer sends them.
    pub fn all_incoming(&self, frames: &[(u8, &[u8])]) -> Vec<u8> {
        frames
            .iter()
            .flat_map(|(first, payload)| self.incoming(*first, payload))
            .collect()
    }

    /// A frame as this end has to send it.
    pub fn own(&self, first: u8, payload: &[u8]) -> Vec<u8> {
        frame(first, Self::key_of(self.role), payload)
    }

    /// Receives `bytes` whole, byte by byte, and (if they are few) in every two parts; all have to show the same.
    #[track_caller]
    pub fn receive(&self, bytes: &[u8]) -> Run {
        let whole = drive(&mut self.open(), bytes, &[]);
        let every: Vec<usize> = (1..bytes.len()).collect();
        whole.assert_same(&drive(&mut self.open(), bytes, &every));
        if bytes.len() <= 80 {
            for cut in every {
                whole.assert_same(&drive(&mut self.open(), bytes, &[cut]));
            }
        }
        whole
    }

    /// Receives frames, each with `first` byte and payload.
    #[track_caller]
    pub fn receive_all(&self, frames: &[(u8, &[u8])]) -> Run {
        self.receive(&self.all_incoming(frames))
    }

    /// Asserts that `bytes` fail with their `size`th byte, no sooner and no later.
    #[track_caller]
    pub fn fails_at_byte(&self, size: usize, bytes: &[u8], error: Error) {
        let before = drive(&mut self.open(), &bytes[..size - 1], &[]);
        assert_eq!((before.error, before.out.len()), (None, 0), "failed too early");
        self.receive(&bytes[..size]).fails(error);
        let run = self.receive(bytes).fails(error);
        assert_eq!(run.consumed, size, "what follows stays in the input");
    }
}

pub fn other(role: Role) -> Role {
    match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    }
}

/// All that came out of a connection while it was given some bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Run {
    pub role: Role,
    pub events: Vec<Seen>,
    pub out: Vec<u8>,
    pub error: Option<Error>,
    pub consumed: usize,
    pub state: State,
    pub transport: Transport,
}

impl Run {
    /// The same, but for one thing: where text is not UTF-8, the read that shows it is consumed as far as the frame reaches, so
    /// that shorter reads leave more.
    #[track_caller]
    pub fn assert_same(&self, cut: &Self) {
        if self.error == Some(Error::InvalidUtf8) {
            assert!(cut.consumed <= self.consumed);
            let cut = Self {
                consumed: self.consumed,
                ..cut.clone()
            };
            assert_eq!(self, &cut);
        } else {
            assert_eq!(self, cut);
        }
    }

    #[track_caller]
    pub fn sees(self, events: &[Seen]) -> Self {
        assert_eq!(self.events, events);
        self
    }

    /// Nothing went wrong, and all was consumed.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!((self.error, self.state), (None, State::Open));
        self
    }

    /// Nothing was sent.
    #[track_caller]
    pub fn sends_nothing(self) -> Self {
        assert_eq!(self.out, b"");
        self
    }

    #[track_caller]
    pub fn sends(self, bytes: &[u8]) -> Self {
        assert_eq!(self.out, bytes);
        self
    }

    /// Failed with `error`, and said so in exactly one Close frame, the last thing sent.
    #[track_caller]
    pub fn fails(self, error: Error) -> Self {
        assert_eq!(self.error, Some(error));
        assert_eq!((self.state, self.transport), (State::Closed, Transport::Close));
        let frames = naive::frames_of(self.role, &self.out);
        let (last, before) = frames.split_last().expect("a Close is sent");
        assert!(before.iter().all(|frame| frame.opcode != 8));
        let mut body = u16::from(error.close_code()).to_be_bytes().to_vec();
        body.extend(error.to_string().into_bytes());
        assert_eq!((last.opcode, &last.payload), (8, &body));
        self
    }

    /// Failed with this close code.
    #[track_caller]
    pub fn fails_with(self, code: u16) -> Self {
        let error = self.error.expect("an error");
        assert_eq!(error.close_code(), CloseCode(code));
        self.fails(error)
    }
}

/// Gives `bytes` to the connection, cut before each index of `cuts`, and checks on the way what holds for any input:
/// all of the input is consumed while the connection is open, and nothing is looked at, said or sent once it is not.
#[track_caller]
pub fn drive(connection: &mut Connection, bytes: &[u8], cuts: &[usize]) -> Run {
    let mut out = Vec::new();
    let mut events = Vec::new();
    let mut error: Option<Error> = None;
    let mut consumed = 0;
    // Closing with nothing to await: the peer's Close came, and the answer was left to the caller.
    let mut over = match connection.state() {
        State::Open => false,
        State::Closing => connection.transport() == Transport::Open,
        State::Closed => true,
    };
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let mut part = bytes[start..end].to_vec();
        start = end;
        let size = part.len();
        let mut input = &mut part[..];
        loop {
            let before = (input.len(), out.len());
            let result = connection.receive(&mut input, &mut out);
            if over {
                assert_eq!(
                    (input.len(), out.len()),
                    before,
                    "something happened after the end"
                );
                assert_eq!(result.as_ref().err(), error.as_ref(), "errors are fused");
                assert!(matches!(result, Err(_) | Ok(None)), "an event after the end");
                break;
            }
            match result {
                Ok(Some(event)) => {
                    over = matches!(event, Event::Close(_));
                    events.push(event.into());
                }
                Ok(None) => {
                    assert!(input.is_empty(), "total consumption");
                    break;
                }
                Err(found) => {
                    over = true;
                    error = Some(found);
                }
            }
        }
        consumed += size - input.len();
    }
    Run {
        role: connection.role(),
        events,
        out,
        error,
        consumed,
        state: connection.state(),
        transport: connection.transport(),
    }
}

/// Gives `bytes` to a connection that holds: a buffer that grows by the parts, of which the front goes as it is consumed.
#[track_caller]
pub fn drive_held(connection: &mut Connection, bytes: &[u8], cuts: &[usize]) -> Run {
    let mut out = Vec::new();
    let mut events = Vec::new();
    let mut error = None;
    let mut consumed = 0;
    let mut buffer: Vec<u8> = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        buffer.extend(&bytes[start..end]);
        start = end;
        let size = buffer.len();
        let mut input = &mut buffer[..];
        loop {
            match connection.receive(&mut input, &mut out) {
                Ok(Some(event)) => events.push(event.into()),
                Ok(None) => break,
                Err(found) => {
                    error = Some(found);
                    break;
                }
            }
        }
        let open = error.is_none() && !matches!(events.last(), Some(Seen::Close(..)));
        if open && !input.is_empty() {
            assert!(
                connection.remaining() > input.len() as u64,
                "only a payload that is not whole is held"
            );
        }
        let taken = size - input.len();
        consumed += taken;
        buffer.drain(..taken);
    }
    Run {
        role: connection.role(),
        events,
        out,
        error,
        consumed,
        state: connection.state(),
        transport: connection.transport(),
    }
}

/// The end as one tuple: code, sent, received, clean.
pub fn facts(closed: &Closed) -> (u16, Option<u16>, Option<u16>, bool) {
    (
        closed.code().into(),
        closed.code_sent().map(u16::from),
        closed.code_received().map(u16::from),
        closed.is_clean(),
    )
}
