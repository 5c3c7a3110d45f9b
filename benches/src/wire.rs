//! A slow implementation of the frames of RFC 6455, independent of the contestants: creates the input and checks the output.

use std::ops::Range;

use crate::outcome::{Check, Kind, Seen};
use crate::places::{Offset, Placed};

/// At most this many bytes arrive in one read: 16 KiB and a header, which fit into the L1 cache of most processors. The README lists
/// the contestants that would be faster with larger reads.
pub const READ_SIZE: usize = 16 * 1024 + 128;

/// Output is buffered up to this size.
pub const WRITE_SIZE: usize = 64 * 1024;

/// At most this many bytes are read from a socket at once. There, a call takes more time than fitting into the L1 cache saves.
pub const SOCKET_READ_SIZE: usize = 64 * 1024;

/// The role of the contestant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    Server,
    Client,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// A stream of frames as the contestant's peer sends it.
#[derive(Debug)]
pub struct Wire {
    pub role: Role,
    bytes: Vec<u8>,
    /// The positions of the payloads, for the bound, which does not parse.
    payloads: Vec<Payload>,
    random: Random,
}

/// A payload, or the part of it in one read.
#[derive(Clone, Debug)]
pub struct Payload {
    pub range: Range<usize>,
    pub key: Option<[u8; 4]>,
    pub kind: Kind,
}

impl Wire {
    pub fn to(role: Role) -> Self {
        Self {
            role,
            bytes: Vec::new(),
            payloads: Vec::new(),
            random: Random(2),
        }
    }

    pub fn ping(&mut self, payload: &[u8]) {
        self.frame(0x89, Kind::Binary, payload);
    }

    /// A message in frames of at most `size` bytes.
    pub fn message(&mut self, kind: Kind, payload: &[u8], size: usize) {
        let last = payload.len().div_ceil(size).saturating_sub(1);
        for (index, fragment) in payload.chunks(size).enumerate() {
            let fin = if index == last { 0x80 } else { 0 };
            let opcode = match (index, kind) {
                (0, Kind::Text) => 1,
                (0, Kind::Binary) => 2,
                _ => 0,
            };
            self.frame(fin | opcode, kind, fragment);
        }
    }

    fn frame(&mut self, first: u8, kind: Kind, payload: &[u8]) {
        // A server receives masked frames.
        let key = (self.role == Role::Server).then(|| (self.random.draw() as u32).to_le_bytes());
        push_frame(&mut self.bytes, first, key, payload);
        let end = self.bytes.len();
        self.payloads.push(Payload {
            range: end - payload.len()..end,
            key,
            kind,
        });
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// For each read, the parts of payloads in it, with positions relative to its start.
    fn payloads_by_read(&self) -> Vec<Vec<Payload>> {
        let mut reads = vec![Vec::new(); self.bytes.len().div_ceil(READ_SIZE)];
        for payload in &self.payloads {
            let Range { mut start, end } = payload.range.clone();
            while start < end {
                let read = start / READ_SIZE;
                let base = read * READ_SIZE;
                let cut = end.min(base + READ_SIZE);
                reads[read].push(Payload {
                    range: start - base..cut - base,
                    ..payload.clone()
                });
                start = cut;
            }
        }
        reads
    }
}

/// Appends a frame, which is masked if there is a key.
pub fn push_frame(out: &mut Vec<u8>, first: u8, key: Option<[u8; 4]>, payload: &[u8]) {
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    out.push(first);
    match payload.len() {
        len @ 0..=125 => out.push(mask_bit | len as u8),
        len @ 126..=0xffff => {
            out.push(mask_bit | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(mask_bit | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(key.iter().flatten());
    let keys = key.unwrap_or_default().into_iter().cycle();
    out.extend(payload.iter().zip(keys).map(|(byte, key)| byte ^ key));
}

/// The bytes of a [`Wire`] at each [`Offset`], never freed.
#[derive(Debug)]
pub struct Source {
    bytes: Placed,
    payloads: Vec<Vec<Payload>>,
}

impl Source {
    pub fn new(wire: &Wire) -> &'static Self {
        Box::leak(Box::new(Self {
            bytes: Placed::new(&wire.bytes),
            payloads: wire.payloads_by_read(),
        }))
    }

    pub fn at(&'static self, offset: Offset) -> Input {
        Input {
            bytes: self.bytes.at(offset),
            payloads: &self.payloads,
        }
    }
}

/// The input to read.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    pub bytes: &'static [u8],
    /// For each read, the parts of payloads in it, with positions relative to its start.
    pub payloads: &'static [Vec<Payload>],
}

impl Input {
    /// Bytes that are given to a contestant unchanged, even if they are invalid.
    pub fn raw(bytes: &'static [u8]) -> Self {
        Self { bytes, payloads: &[] }
    }

    /// The reads, one after the other.
    pub fn reads(self) -> impl Iterator<Item = &'static [u8]> {
        self.bytes.chunks(READ_SIZE)
    }

    /// A reader, for a caller that chooses the size of its reads.
    pub fn reader(self) -> Reader {
        Reader(self.bytes)
    }
}

/// The bytes that are not read yet.
#[derive(Debug)]
pub struct Reader(&'static [u8]);

impl Reader {
    /// Reads the next bytes, as many as fit into the buffer and into one read. Returns 0 at the end.
    #[inline]
    pub fn read(&mut self, buffer: &mut [u8]) -> usize {
        let (read, rest) = self.0.split_at(self.0.len().min(buffer.len()).min(READ_SIZE));
        buffer[..read.len()].copy_from_slice(read);
        self.0 = rest;
        read.len()
    }
}

/// The messages and Pongs in the output. Panics if it does not consist of complete frames.
pub fn decode(mut bytes: &[u8]) -> Seen {
    let mut seen = Seen::new(Check::Thorough);
    while let [first, second, rest @ ..] = bytes {
        let (len, rest) = match second & 0x7f {
            126 => (
                u16::from_be_bytes(rest[..2].try_into().unwrap()) as usize,
                &rest[2..],
            ),
            127 => (
                u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize,
                &rest[8..],
            ),
            len => (len as usize, rest),
        };
        let (key, rest) = match second & 0x80 {
            0 => (&[0; 4][..], rest),
            _ => rest.split_at(4),
        };
        let (payload, rest) = rest.split_at(len);
        let payload: Vec<u8> = payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key)
            .collect();
        match first {
            0x81 => seen.text(std::str::from_utf8(&payload).expect("a sent text is UTF-8")),
            0x82 | 0x8a => seen.message(Kind::Binary, &payload),
            _ => panic!("an unexpected frame was sent: {first:#x}"),
        }
        bytes = rest;
    }
    assert!(bytes.is_empty(), "an incomplete header was sent");
    seen
}

/// The number of responses that accept a WebSocket with this key. Panics if one does not.
pub fn count_accepted(bytes: &[u8], key: &str) -> u64 {
    let text = std::str::from_utf8(bytes).expect("a head is ASCII here");
    let heads = text.split_terminator("\r\n\r\n");
    heads
        .map(|head| assert!(is_accepted(head, key), "not an accepting response: {head}"))
        .count() as u64
}

fn is_accepted(head: &str, key: &str) -> bool {
    let mut lines = head.split("\r\n");
    let status = lines.next().is_some_and(|line| line.starts_with("HTTP/1.1 101 "));
    let fields: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
    let has = |name: &str, value: &str, exact: bool| {
        let mut values = fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name));
        values.any(|field| match exact {
            true => field.1.trim() == value,
            false => field.1.trim().eq_ignore_ascii_case(value),
        })
    };
    status
        && has("Upgrade", "websocket", false)
        && has("Connection", "Upgrade", false)
        && has("Sec-WebSocket-Accept", key, true)
}

/// SplitMix64, so that every run has the same bytes.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
