//! A slow and plain implementation of RFC 6455 as an oracle: it shares no code with the crate and keeps the entire stream in
//! memory.

use super::Seen;
use super::naive_deflate::Naive as Inflater;
use websocket_proto::Role;

/// A frame as encoded on the wire, but unmasked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    pub fin: bool,
    pub rsv: u8,
    pub opcode: u8,
    pub key: Option<[u8; 4]>,
    pub payload: Vec<u8>,
}

/// How a stream of bytes ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    Open,
    /// The peer's Close was received, with this code.
    Closed(Option<u16>),
    /// The connection has to fail with this code.
    Fail(u16),
}

/// The receiver's settings: what it accepts beyond RFC 6455.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub role: Role,
    /// The message limit.
    pub limit: u64,
    pub accept_unmasked: bool,
    pub accept_non_minimal_length: bool,
    pub accept_rsv1_on_control: bool,
    pub accept_any_close_code: bool,
    /// The peer's window, if compression was negotiated: its bits, and whether it has context takeover.
    pub window: Option<(u8, bool)>,
}

impl Rules {
    pub fn strict(role: Role, limit: u64) -> Self {
        Self {
            role,
            limit,
            accept_unmasked: false,
            accept_non_minimal_length: false,
            accept_rsv1_on_control: false,
            accept_any_close_code: false,
            window: None,
        }
    }

    /// Compression makes some payloads larger.
    pub fn frame_limit(&self, deflated: bool) -> u64 {
        match deflated {
            true => self.limit.saturating_add(self.limit / 8).saturating_add(1024),
            false => self.limit,
        }
    }
}

/// The result for a stream: the events, the verdict, and the replies that are due as (opcode, payload); a Close is represented by
/// its code.
#[derive(Debug)]
pub struct Outcome {
    pub events: Vec<Seen>,
    pub verdict: Verdict,
    pub answers: Vec<(u8, Vec<u8>)>,
    /// The stream ends inside a compressed message, which cannot be judged before it is complete.
    pub is_inside_deflated: bool,
    /// A compressed message refers to data beyond the negotiated window, and may be accepted or rejected.
    pub is_beyond_window: bool,
}

/// Receives a complete stream.
pub fn receive(rules: &Rules, bytes: &[u8]) -> Outcome {
    let mut receiver = Receiver {
        rules: *rules,
        message: None,
        inflater: Inflater::default(),
        events: Vec::new(),
        answers: Vec::new(),
    };
    let verdict = match receiver.receive(bytes) {
        Ok(verdict) => verdict,
        Err(code) => Verdict::Fail(code),
    };
    let mut answers = receiver.answers;
    match verdict {
        Verdict::Open => {}
        Verdict::Closed(None) => answers.push((8, Vec::new())),
        Verdict::Closed(Some(code)) | Verdict::Fail(code) => answers.push((8, code.to_be_bytes().into())),
    }
    let bits = rules.window.map_or(15, |(bits, _)| bits);
    Outcome {
        events: receiver.events,
        verdict,
        answers,
        is_inside_deflated: receiver.message.is_some_and(|message| message.is_deflated),
        is_beyond_window: receiver.inflater.distance > 1 << bits,
    }
}

struct Receiver {
    rules: Rules,
    message: Option<Message>,
    inflater: Inflater,
    events: Vec<Seen>,
    answers: Vec<(u8, Vec<u8>)>,
}

/// A message that is incomplete.
struct Message {
    is_text: bool,
    is_deflated: bool,
    payload: Vec<u8>,
}

impl Receiver {
    fn receive(&mut self, mut rest: &[u8]) -> Result<Verdict, u16> {
        loop {
            self.check_header(rest)?;
            let Some((frame, size, _)) = split(rest) else {
                // A text fails at the first byte that makes it invalid, also inside a frame.
                self.append_cut(rest);
                self.check_text()?;
                return Ok(Verdict::Open);
            };
            rest = &rest[size..];
            match frame.opcode {
                0..=2 => self.data(frame)?,
                8 => {
                    let code = self.close_code(&frame.payload)?;
                    let reason = frame.payload.get(2..).unwrap_or_default().to_vec();
                    let reason = String::from_utf8(reason).expect("checked");
                    self.events.push(Seen::Close(code, reason));
                    return Ok(Verdict::Closed(code));
                }
                9 => {
                    self.answers.push((10, frame.payload.clone()));
                    self.events.push(Seen::Ping(frame.payload));
                }
                _ => self.events.push(Seen::Pong(frame.payload)),
            }
        }
    }

    fn data(&mut self, frame: Frame) -> Result<(), u16> {
        self.append(frame.opcode, frame.rsv, &frame.payload);
        self.check_text()?;
        if frame.fin {
            let message = self.message.take().expect("begun");
            let content = self.content(&message)?;
            if message.is_text && utf8(&content) != Utf8::Valid {
                return Err(1007);
            }
            self.events.push(super::message(message.is_text, &content));
        }
        Ok(())
    }

    fn append(&mut self, opcode: u8, rsv: u8, payload: &[u8]) {
        let message = self.message.get_or_insert_with(|| Message {
            is_text: opcode == 1,
            is_deflated: rsv == 4,
            payload: Vec::new(),
        });
        message.payload.extend(payload);
    }

    /// Handles a data frame that is incomplete.
    fn append_cut(&mut self, bytes: &[u8]) {
        let start = header_size(bytes).unwrap_or(usize::MAX);
        if let Some(payload) = bytes.get(start..).filter(|_| bytes[0] & 8 == 0) {
            let payload = unmask(payload, key(bytes, start));
            self.append(bytes[0] & 15, bytes[0] >> 4 & 7, &payload);
        }
    }

    fn check_text(&self) -> Result<(), u16> {
        match &self.message {
            Some(message)
                if message.is_text && !message.is_deflated && utf8(&message.payload) == Utf8::Invalid =>
            {
                Err(1007)
            }
            _ => Ok(()),
        }
    }

    /// The result for a complete message. The first error counts: invalid text, more than the limit, bad data.
    fn content(&mut self, message: &Message) -> Result<Vec<u8>, u16> {
        if !message.is_deflated {
            return Ok(message.payload.clone());
        }
        if let Some((_, false)) = self.rules.window {
            self.inflater.out.clear();
        }
        let start = self.inflater.out.len();
        let inflated = self.inflater.message(&message.payload);
        let out = &self.inflater.out[start..];
        let limit = usize::try_from(self.rules.limit).unwrap_or(usize::MAX);
        let allowed = &out[..out.len().min(limit)];
        if message.is_text && utf8(allowed) == Utf8::Invalid {
            return Err(1007);
        }
        if out.len() > limit {
            return Err(1009);
        }
        inflated.ok_or(1007)
    }

    fn close_code(&self, body: &[u8]) -> Result<Option<u16>, u16> {
        if !self.rules.accept_any_close_code {
            return close_code(body);
        }
        match body {
            [] => Ok(None),
            [_] => Err(1002),
            [high, low, reason @ ..] => match u16::from_be_bytes([*high, *low]) {
                1005 | 1006 | 1015 => Err(1002),
                code if utf8(reason) == Utf8::Valid => Ok(Some(code)),
                _ => Err(1007),
            },
        }
    }

    /// Checks the received part of a header, in the order of its bytes.
    fn check_header(&self, bytes: &[u8]) -> Result<(), u16> {
        let (rules, begun) = (&self.rules, &self.message);
        check_header(rules, bytes)?;
        let (Some(&first), Some((len, ..))) = (bytes.first(), length(bytes)) else {
            return Ok(());
        };
        // The order of fragments is checked at the first byte, the length at its last byte, so an error in the order comes first.
        let out_of_order = match first & 15 {
            0 => begun.is_none(),
            1 | 2 => begun.is_some(),
            _ => false,
        };
        let size = match begun {
            Some(message) if !message.is_deflated => message.payload.len() as u64,
            _ => 0,
        };
        let of_deflated = first & 0x40 != 0 || begun.as_ref().is_some_and(|message| message.is_deflated);
        let limit = rules.frame_limit(of_deflated);
        let too_big = first & 8 == 0 && u128::from(len) + u128::from(size) > u128::from(limit);
        let whole = bytes.len() >= header_size(bytes).unwrap_or(usize::MAX);
        match (out_of_order, too_big) {
            (true, true) => Err(1002),
            (true, false) if whole => Err(1002),
            (false, true) => Err(1009),
            _ => Ok(()),
        }
    }
}

/// The rules of a header that do not depend on other frames.
pub fn check_header(rules: &Rules, bytes: &[u8]) -> Result<(), u16> {
    let Some(&first) = bytes.first() else {
        return Ok(());
    };
    let (opcode, control) = (first & 15, first & 8 != 0);
    let reserved = match (rules.window, opcode) {
        (Some(_), 1 | 2) => 0x30,
        (_, 8..=10) if rules.accept_rsv1_on_control && first & 0x70 == 0x40 => 0,
        _ => 0x70,
    };
    let unknown = matches!(opcode, 3..=7 | 11..=15);
    if unknown || first & reserved != 0 || (control && first & 0x80 == 0) {
        return Err(1002);
    }
    let Some(&second) = bytes.get(1) else {
        return Ok(());
    };
    let masked = second & 0x80 != 0;
    let well_masked = match rules.role {
        Role::Server => masked || rules.accept_unmasked,
        Role::Client => !masked,
    };
    if !well_masked || (control && second & 0x7f > 125) {
        return Err(1002);
    }
    match length(bytes) {
        Some((len, minimal, _)) if len >= 1 << 63 || !(minimal || rules.accept_non_minimal_length) => {
            Err(1002)
        }
        _ => Ok(()),
    }
}

/// The payload length, whether it is minimal, and the size of the header before the key.
pub fn length(bytes: &[u8]) -> Option<(u64, bool, usize)> {
    let short = u64::from(bytes.get(1)? & 0x7f);
    let (from, to, least) = match short {
        126 => (2, 4, 126),
        127 => (2, 10, 65_536),
        len => return Some((len, true, 2)),
    };
    let mut len = 0;
    for byte in bytes.get(from..to)? {
        len = len << 8 | u64::from(*byte);
    }
    Some((len, len >= least, to))
}

pub fn header_size(bytes: &[u8]) -> Option<usize> {
    Some(length(bytes)?.2 + if bytes[1] & 0x80 != 0 { 4 } else { 0 })
}

/// The first frame, its size, and whether its length is minimal. `None` if it is incomplete.
pub fn split(bytes: &[u8]) -> Option<(Frame, usize, bool)> {
    let (len, minimal, _) = length(bytes)?;
    let start = header_size(bytes)?;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    let payload = bytes.get(start..end)?;
    let frame = Frame {
        fin: bytes[0] & 0x80 != 0,
        rsv: bytes[0] >> 4 & 7,
        opcode: bytes[0] & 15,
        key: key(bytes, start),
        payload: unmask(payload, key(bytes, start)),
    };
    Some((frame, end, minimal))
}

pub fn key(bytes: &[u8], start: usize) -> Option<[u8; 4]> {
    (bytes[1] & 0x80 != 0).then(|| [0, 1, 2, 3].map(|i| bytes[start - 4 + i]))
}

fn unmask(payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let key = key.unwrap_or_default();
    payload
        .iter()
        .enumerate()
        .map(|(i, byte)| byte ^ key[i % 4])
        .collect()
}

/// The code of a Close body, or the code with which the connection fails.
pub fn close_code(body: &[u8]) -> Result<Option<u16>, u16> {
    if body.is_empty() {
        return Ok(None);
    }
    if body.len() == 1 {
        return Err(1002);
    }
    let code = u16::from(body[0]) << 8 | u16::from(body[1]);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(1002);
    }
    match utf8(&body[2..]) {
        Utf8::Valid => Ok(Some(code)),
        _ => Err(1007),
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Utf8 {
    Valid,
    /// Valid so far, but it ends inside a code point.
    Cut,
    Invalid,
}

/// The grammar of RFC 3629 section 4.
pub fn utf8(mut bytes: &[u8]) -> Utf8 {
    while let Some((&first, rest)) = bytes.split_first() {
        let (low, high, tails) = match first {
            0x00..=0x7f => (0, 0, 0),
            0xc2..=0xdf => (0x80, 0xbf, 1),
            0xe0 => (0xa0, 0xbf, 2),
            0xed => (0x80, 0x9f, 2),
            0xe1..=0xef => (0x80, 0xbf, 2),
            0xf0 => (0x90, 0xbf, 3),
            0xf1..=0xf3 => (0x80, 0xbf, 3),
            0xf4 => (0x80, 0x8f, 3),
            _ => return Utf8::Invalid,
        };
        for i in 0..tails {
            let (low, high) = if i == 0 { (low, high) } else { (0x80, 0xbf) };
            match rest.get(i) {
                None => return Utf8::Cut,
                Some(byte) if *byte < low || *byte > high => return Utf8::Invalid,
                Some(_) => {}
            }
        }
        bytes = &rest[tails..];
    }
    Utf8::Valid
}
