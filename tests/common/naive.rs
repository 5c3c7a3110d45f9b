//! RFC 6455 once more, slow and plain, as an oracle: it shares no code with the crate and keeps the whole stream in memory.

use super::Seen;
use websocket_proto::Role;

/// A frame as it stands on the wire, unmasked.
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
    /// The peer's Close came, with this code.
    Closed(Option<u16>),
    /// The connection has to fail with this code.
    Fail(u16),
}

/// What came of a stream: the events, the verdict, and the control frames that have to be answered as (opcode, payload), a
/// Close by its code alone.
#[derive(Debug)]
pub struct Outcome {
    pub events: Vec<Seen>,
    pub verdict: Verdict,
    pub answers: Vec<(u8, Vec<u8>)>,
}

/// Receives as `role`, with a limit on messages.
pub fn receive(role: Role, limit: u64, bytes: &[u8]) -> Outcome {
    let (mut events, mut answers) = (Vec::new(), Vec::new());
    let verdict = match receive_all(role, limit, bytes, &mut events, &mut answers) {
        Ok(verdict) => verdict,
        Err(code) => Verdict::Fail(code),
    };
    match verdict {
        Verdict::Open => {}
        Verdict::Closed(None) => answers.push((8, Vec::new())),
        Verdict::Closed(Some(code)) | Verdict::Fail(code) => answers.push((8, code.to_be_bytes().into())),
    }
    Outcome {
        events,
        verdict,
        answers,
    }
}

fn receive_all(
    role: Role,
    limit: u64,
    mut rest: &[u8],
    events: &mut Vec<Seen>,
    answers: &mut Vec<(u8, Vec<u8>)>,
) -> Result<Verdict, u16> {
    let mut message: Option<(u8, Vec<u8>)> = None;
    loop {
        let begun = message.as_ref().map(|(_, bytes)| bytes.len() as u64);
        check_header(role, limit, begun, rest)?;
        let Some((frame, size, _)) = split(rest) else {
            // A text fails as soon as nothing can repair it, also inside a frame.
            let (opcode, so_far) = cut_payload(rest, message.unwrap_or((0, Vec::new())));
            return match utf8(&so_far) {
                Utf8::Invalid if opcode == 1 => Err(1007),
                _ => Ok(Verdict::Open),
            };
        };
        rest = &rest[size..];
        match frame.opcode {
            0..=2 => {
                let (opcode, mut whole) = message.take().unwrap_or((frame.opcode, Vec::new()));
                whole.extend(&frame.payload);
                match (opcode, utf8(&whole), frame.fin) {
                    (1, Utf8::Invalid, _) | (1, Utf8::Cut, true) => return Err(1007),
                    (_, _, false) => message = Some((opcode, whole)),
                    (1, _, true) => events.push(Seen::Text(String::from_utf8(whole).expect("checked"))),
                    _ => events.push(Seen::Binary(whole)),
                }
            }
            8 => {
                let code = close_code(&frame.payload)?;
                let reason = frame.payload.get(2..).unwrap_or_default().to_vec();
                events.push(Seen::Close(code, String::from_utf8(reason).expect("checked")));
                return Ok(Verdict::Closed(code));
            }
            9 => {
                answers.push((10, frame.payload.clone()));
                events.push(Seen::Ping(frame.payload));
            }
            _ => events.push(Seen::Pong(frame.payload)),
        }
    }
}

/// Every rule that a header can break, in the order of its bytes, as far as it came.
fn check_header(role: Role, limit: u64, begun: Option<u64>, bytes: &[u8]) -> Result<(), u16> {
    let Some(&first) = bytes.first() else {
        return Ok(());
    };
    let (opcode, control) = (first & 15, first & 8 != 0);
    let reserved = matches!(opcode, 3..=7 | 11..=15);
    if reserved || first & 0x70 != 0 || (control && first & 0x80 == 0) {
        return Err(1002);
    }
    let Some(&second) = bytes.get(1) else {
        return Ok(());
    };
    if (second & 0x80 != 0) != (role == Role::Server) || (control && second & 0x7f > 125) {
        return Err(1002);
    }
    let Some((len, minimal, _)) = length(bytes) else {
        return Ok(());
    };
    if !minimal || len >= 1 << 63 {
        return Err(1002);
    }
    // The order of fragments shows at the first byte, a length at its last: whatever else is wrong, order is.
    let out_of_order = match opcode {
        0 => begun.is_none(),
        1 | 2 => begun.is_some(),
        _ => false,
    };
    let too_big = !control && u128::from(len) + u128::from(begun.unwrap_or(0)) > u128::from(limit);
    let whole = bytes.len() >= header_size(bytes).unwrap_or(usize::MAX);
    match (out_of_order, too_big) {
        (true, true) => Err(1002),
        (true, false) if whole => Err(1002),
        (false, true) => Err(1009),
        _ => Ok(()),
    }
}

/// The payload length, whether it is minimal, and the size of header before the key.
fn length(bytes: &[u8]) -> Option<(u64, bool, usize)> {
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

fn header_size(bytes: &[u8]) -> Option<usize> {
    Some(length(bytes)?.2 + if bytes[1] & 0x80 != 0 { 4 } else { 0 })
}

/// The first frame, its size, and whether its length is minimal; `None` if it is not whole.
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

fn key(bytes: &[u8], start: usize) -> Option<[u8; 4]> {
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

/// The message's opcode and bytes up to the end of a data frame that was cut.
fn cut_payload(bytes: &[u8], message: (u8, Vec<u8>)) -> (u8, Vec<u8>) {
    let start = header_size(bytes).unwrap_or(usize::MAX);
    let (begun, mut so_far) = message;
    match bytes.get(start..) {
        Some(payload) if bytes[0] & 8 == 0 => {
            so_far.extend(unmask(payload, key(bytes, start)));
            (if begun == 0 { bytes[0] & 15 } else { begun }, so_far)
        }
        _ => (begun, so_far),
    }
}

/// The code of a Close body, or the code to fail with.
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
