//! Code shared by the tests and the fuzz targets: both ends of a connection, frames as byte strings, drivers that check every call
//! against the contract, a naive receiver, a strict reader of what is sent, and the model of a pair.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod bodies;
mod drive;
pub mod endpoints;
pub mod handshakes;
#[cfg(feature = "deflate")]
pub mod isolation;
pub mod lists;
#[cfg(feature = "deflate")]
pub mod miniz;
pub mod model;
pub mod naive;
pub mod naive_deflate;
pub mod pair;
pub mod strict;
#[cfg(feature = "deflate")]
pub mod windows;

pub use drive::*;
use websocket_proto::{Closed, Config, Connection, Error, Event, Role, entropy};

/// The masking key of RFC 6455 section 5.7. Test clients use only this key unless a test says otherwise.
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

pub fn message(is_text: bool, bytes: &[u8]) -> Seen {
    match is_text {
        true => Seen::Text(String::from_utf8(bytes.to_vec()).expect("valid text")),
        false => binary(bytes),
    }
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
            other => panic!("unexpected event: {other:?}"),
        }
    }
}

/// One end of a connection, before it is opened.
#[derive(Clone, Debug)]
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
    [server_with(config.clone()), client_with(config)]
}

/// A connection whose masking keys differ from frame to frame, the same in each run.
pub fn open(role: Role, config: &Config) -> Connection {
    match role {
        Role::Server => Connection::server(config),
        Role::Client => {
            let mut next = 0x9e37_79b9u32;
            Connection::client(
                config,
                entropy::from_fn(move |key| {
                    next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    key.copy_from_slice(&next.to_be_bytes());
                }),
            )
        }
    }
}

/// A frame with a minimal length, masked with `key` if there is one. Built byte by byte, without the crate.
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
            Role::Client => {
                Connection::client(&self.config, entropy::from_fn(|key| key.copy_from_slice(&KEY)))
            }
        }
    }

    fn key_of(role: Role) -> Option<[u8; 4]> {
        (role == Role::Client).then_some(KEY)
    }

    /// A frame as the peer sends it.
    pub fn incoming(&self, first: u8, payload: &[u8]) -> Vec<u8> {
        frame(first, Self::key_of(self.role.peer()), payload)
    }

    /// The header of a frame as the peer sends it.
    pub fn incoming_header(&self, first: u8, len: u64) -> Vec<u8> {
        header(first, Self::key_of(self.role.peer()), len)
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

    /// Receives `bytes` in one piece, byte by byte and, if they are few, in every two parts; all have to give the same result.
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

    /// Receives frames, each given as its first byte and its payload.
    #[track_caller]
    pub fn receive_all(&self, frames: &[(u8, &[u8])]) -> Run {
        self.receive(&self.all_incoming(frames))
    }

    /// Asserts that `bytes` fail exactly with their `size`th byte.
    #[track_caller]
    pub fn fails_at_byte(&self, size: usize, bytes: &[u8], error: Error) {
        let before = drive(&mut self.open(), &bytes[..size - 1], &[]);
        assert_eq!((before.error, before.out.len()), (None, 0), "failed too early");
        self.receive(&bytes[..size]).fails(error);
        let run = self.receive(bytes).fails(error);
        assert_eq!(run.consumed, size, "later bytes stay in the input");
    }
}

/// The end as a tuple: code, sent, received, clean.
pub fn facts(closed: &Closed) -> (u16, Option<u16>, Option<u16>, bool) {
    (
        closed.code().into(),
        closed.code_sent().map(u16::from),
        closed.code_received().map(u16::from),
        closed.is_clean(),
    )
}
