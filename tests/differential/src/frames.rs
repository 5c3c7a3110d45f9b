//! Generates streams of frames: mostly valid, with some violations of each rule in RFC 6455 section 5.

use crate::case::{Case, Kind};
use crate::random::Random;

/// A stream for one of the roles.
pub fn generate(random: &mut Random) -> Case {
    let kind = if random.one_in(2) {
        Kind::FramesToServer
    } else {
        Kind::FramesToClient
    };
    let limit = if random.one_in(20) { 70_000 } else { 1000 };
    let mut stream = Stream {
        random,
        masked: kind == Kind::FramesToServer,
        limit,
        rest: None,
        parts: Vec::new(),
    };
    for _ in 0..1 + stream.random.below(6) {
        stream.frame();
    }
    let mut parts = stream.parts;
    if random.one_in(10) {
        // The stream ends inside the last frame.
        let last = parts.last_mut().unwrap();
        let keep = if random.one_in(2) {
            random.below(last.len().min(16))
        } else {
            random.below(last.len())
        };
        last.truncate(keep);
    }
    Case {
        kind,
        limit,
        offers: false,
        parts,
    }
}

struct Stream<'r> {
    random: &'r mut Random,
    masked: bool,
    limit: usize,
    /// The rest of the fragmented message.
    rest: Option<Vec<u8>>,
    parts: Vec<Vec<u8>>,
}

/// The fields of a frame, valid or corrupted by `spoil`.
struct Frame {
    first: u8,
    masked: bool,
    payload: Vec<u8>,
    /// The size of the extended length: 0, 2 or 8 bytes; `None` for the smallest that fits.
    form: Option<u8>,
    /// A declared length that differs from the payload's.
    claim: Option<u64>,
}

impl Stream<'_> {
    fn frame(&mut self) {
        let (first, payload) = match self.random.below(20) {
            0..=9 => self.data(),
            10..=12 => (0x89, self.small()),
            13..=15 => (0x8a, self.small()),
            16..=18 => (0x88, self.close_body()),
            // Any opcode, allowed here or not.
            _ => (self.random.number() as u8 & 0x8f, self.small()),
        };
        let mut frame = Frame {
            first,
            masked: self.masked,
            payload,
            form: None,
            claim: None,
        };
        if self.random.one_in(8) {
            self.spoil(&mut frame);
        }
        let bytes = self.encode(&frame);
        self.parts.push(bytes);
    }

    /// A message, its first fragment, or the next fragment.
    fn data(&mut self) -> (u8, Vec<u8>) {
        if let Some(mut rest) = self.rest.take() {
            let at = if self.random.one_in(2) {
                rest.len()
            } else {
                self.random.below(rest.len() + 1)
            };
            let tail = rest.split_off(at);
            if tail.is_empty() && !self.random.one_in(3) {
                return (0x80, rest);
            }
            self.rest = Some(tail);
            return (0x00, rest);
        }
        let (opcode, mut message) = if self.random.one_in(3) {
            let len = self.len();
            (0x02, self.random.bytes(len))
        } else {
            (0x01, self.text())
        };
        if self.random.one_in(2) {
            return (0x80 | opcode, message);
        }
        let at = self.random.below(message.len() + 1);
        self.rest = Some(message.split_off(at));
        (opcode, message)
    }

    /// A length at a boundary of the length encodings or of the limit, or a small one.
    fn len(&mut self) -> usize {
        match self.random.below(16) {
            0 => 0,
            1 => 125,
            2 => 126,
            3 => 127,
            4 => self.limit,
            5 => self.limit + 1,
            6 if self.limit > 65_536 => 65_535,
            7 | 8 if self.limit > 65_536 => 65_536,
            _ => self.random.below(40),
        }
    }

    fn text(&mut self) -> Vec<u8> {
        let len = self.len();
        let mut text = String::new();
        while text.len() < len {
            text.push(*self.random.pick(&[
                &'a',
                &'z',
                &' ',
                &'\0',
                &'é',
                &'€',
                &'\u{ffff}',
                &'😀',
                &'\u{10ffff}',
            ]));
        }
        let mut bytes = text.into_bytes();
        if self.random.one_in(3) {
            bytes.truncate(len); // may end inside a character
        }
        if self.random.one_in(8) {
            let at = self.random.below(bytes.len() + 1);
            let bad = self.random.pick(BAD_UTF8);
            bytes.splice(at..at, bad.iter().copied());
        }
        bytes
    }

    fn small(&mut self) -> Vec<u8> {
        let len = match self.random.below(8) {
            0 => 0,
            1 => 125,
            _ => self.random.below(20),
        };
        self.random.bytes(len)
    }

    fn close_body(&mut self) -> Vec<u8> {
        let code = match self.random.below(8) {
            0 => return Vec::new(),
            1 if self.random.one_in(3) => return self.random.bytes(1),
            2 => self.random.number() as u16,
            3 => self.random.below(5100) as u16,
            4 => 1000 + self.random.below(20) as u16,
            _ => CODES[self.random.below(CODES.len())],
        };
        let mut body = code.to_be_bytes().to_vec();
        match self.random.below(6) {
            0 => {
                body.extend("é".repeat(61).bytes());
                body.push(b'!');
            }
            1 => body.extend(self.random.pick(BAD_UTF8)),
            2 => body.extend(b"good bye"),
            3 => body.extend("bye €".bytes()),
            _ => {}
        }
        body
    }

    /// Adds one or more faults.
    fn spoil(&mut self, frame: &mut Frame) {
        match self.random.below(12) {
            0 | 1 => frame.first |= 0x10 << self.random.below(3),
            2 => frame.first = frame.first & 0xf0 | self.random.number() as u8 & 0x0f,
            3 => frame.first ^= 0x80,
            4 | 5 => frame.masked = !frame.masked,
            6 => frame.form = Some(2),
            7 => frame.form = Some(8),
            8 => frame.claim = Some(self.random.number() | 1 << 63),
            9 => frame.claim = Some((self.limit as u64) << self.random.below(20)),
            10 => {
                let len = 126 + self.random.below(200);
                frame.payload = self.random.bytes(len);
            }
            _ => {
                self.spoil(frame);
                self.spoil(frame);
            }
        }
    }

    fn encode(&mut self, frame: &Frame) -> Vec<u8> {
        let len = frame.claim.unwrap_or(frame.payload.len() as u64);
        let needed = match len {
            0..126 => 0,
            126..0x1_0000 => 2,
            _ => 8,
        };
        let form = frame.form.unwrap_or(0).max(needed);
        let mask = if frame.masked { 0x80 } else { 0 };
        let mut bytes = vec![frame.first];
        match form {
            0 => bytes.push(mask | len as u8),
            2 => {
                bytes.push(mask | 126);
                bytes.extend((len as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend(len.to_be_bytes());
            }
        }
        let key = if frame.masked && !self.random.one_in(10) {
            self.random.bytes(4)
        } else {
            vec![0; 4]
        };
        if frame.masked {
            bytes.extend(&key);
        }
        bytes.extend(
            frame
                .payload
                .iter()
                .zip(key.iter().cycle())
                .map(|(byte, key)| byte ^ key),
        );
        bytes
    }
}

const BAD_UTF8: &[&[u8]] = &[
    b"\xff",
    b"\x80",
    b"\xc0\xaf",
    b"\xc1\xbf",
    b"\xe0\x80\xaf",
    b"\xe0\x9f\xbf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf0\x80\x80\xaf",
    b"\xf0\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xe2\x82",
    b"\xe2\x28\xa1",
    b"\xf0\x9f\x98",
    b"\xc3",
];

/// Codes of each class of RFC 6455 section 7.4, and the boundaries.
const CODES: [u16; 28] = [
    0, 1, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
    1015, 1016, 1100, 2000, 2999, 3000, 3999, 4000, 4999, 5000,
];
