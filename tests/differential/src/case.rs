//! A case, which is the input for all peers, and its outcome.

use std::fmt;

/// What the bytes are, and which role reads them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    FramesToServer,
    FramesToClient,
    Request,
    Response,
}

/// One input for all peers. It consists of parts, frames or lines, so that it can be shrunk.
#[derive(Clone, Debug)]
pub struct Case {
    pub kind: Kind,
    /// For frames: the message limit, in bytes.
    pub limit: usize,
    /// For responses: whether the request offered the subprotocols of [`PROTOCOLS`].
    pub offers: bool,
    pub parts: Vec<Vec<u8>>,
}

/// The subprotocols that the server supports and the client offers.
pub const PROTOCOLS: [&str; 2] = ["chat", "superchat"];
/// The nonce of every client: the sample of RFC 6455 section 1.3.
pub const NONCE: &[u8; 16] = b"the sample nonce";
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

impl Case {
    pub fn bytes(&self) -> Vec<u8> {
        self.parts.concat()
    }

    pub fn is_frames(&self) -> bool {
        matches!(self.kind, Kind::FramesToServer | Kind::FramesToClient)
    }

    pub fn is_server(&self) -> bool {
        matches!(self.kind, Kind::FramesToServer | Kind::Request)
    }
}

/// The result of a peer for a case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// The delivered events, in order; see [`event`] and [`close_event`].
    pub events: Vec<String>,
    pub verdict: Verdict,
    /// The frames sent in reply, formatted like events, except for the Close after a failure.
    pub sent: Vec<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Frames: the connection continues.
    Open,
    /// Frames: the peer's Close ended it.
    Closed,
    /// Frames: the connection failed with this close code.
    Failed(u16),
    /// Heads: the handshake is complete, with Sec-WebSocket-Accept (of a server) and the subprotocol: `-` if there is none, `?` if
    /// the peer leaves it to the application.
    Accepted(String, String),
    /// Heads: a server responds with this status; or a client received it.
    Rejected(u16),
    /// Heads: the handshake failed without a status.
    Refused,
    /// Heads: incomplete.
    Incomplete,
    /// Heads, syntax only: the parsed parts, or `?` if the peer does not report them.
    Parsed(String),
    /// An undocumented exception, or a panic.
    Crashed(String),
}

impl Outcome {
    pub fn of(verdict: Verdict) -> Self {
        Self {
            events: Vec::new(),
            verdict,
            sent: Vec::new(),
        }
    }

    /// Whether two outcomes are the same in everything that both peers report.
    pub fn agrees(&self, other: &Self, kind: Kind) -> bool {
        use Verdict::{Accepted, Parsed, Refused, Rejected};
        let verdicts = match (&self.verdict, &other.verdict) {
            (Accepted(a, p), Accepted(b, q)) => a == b && (p == q || q == "?"),
            (Rejected(a), Rejected(b)) if kind == Kind::Request => a / 100 == b / 100,
            (Rejected(_), Refused) if kind == Kind::Request => true,
            // "?" is what the crate reports about a head that it rejects because of its content.
            (Parsed(a), Parsed(b)) => a == b || a == "?",
            (a, b) => a == b,
        };
        verdicts && self.events == other.events && self.sent == other.sent
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text: &String| {
            let cut = text.char_indices().nth(90).map_or(text.len(), |(at, _)| at);
            text[..cut].to_string()
        };
        let verdict = match &self.verdict {
            Verdict::Parsed(text) => format!("Parsed({text})"),
            verdict => format!("{verdict:?}"),
        };
        write!(f, "{verdict}")?;
        if !self.events.is_empty() {
            write!(
                f,
                " after {:?}",
                self.events.iter().map(short).collect::<Vec<_>>()
            )?;
        }
        if !self.sent.is_empty() {
            write!(f, ", sent {:?}", self.sent.iter().map(short).collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

/// `kind:payload`, the payload in hex.
pub fn event(kind: &str, payload: &[u8]) -> String {
    format!("{kind}:{}", hex(payload))
}

/// `close:code:reason`; the code is empty if there is none.
pub fn close_event(code: Option<u16>, reason: &[u8]) -> String {
    format!(
        "close:{}:{}",
        code.map(|code| code.to_string()).unwrap_or_default(),
        hex(reason)
    )
}

/// The frames that a peer wrote, formatted like events, without the Close that reports a failure.
pub fn sent(mut output: &[u8], verdict: &Verdict) -> Vec<String> {
    let mut events = Vec::new();
    while let [first, second, rest @ ..] = output {
        let (mask, rest) = match second & 0x80 {
            0 => ([0; 4], rest),
            _ => (rest[..4].try_into().unwrap(), &rest[4..]),
        };
        // All replies are control frames, which have short lengths.
        let (payload, rest) = rest.split_at(usize::from(second & 0x7f));
        let payload: Vec<u8> = payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, key)| byte ^ key)
            .collect();
        events.push(match (first, &payload[..]) {
            (0x8a, payload) => event("pong", payload),
            (0x88, []) => close_event(None, &[]),
            (0x88, [high, low, reason @ ..]) => close_event(Some(u16::from_be_bytes([*high, *low])), reason),
            (other, payload) => event(&format!("frame {other:02x}"), payload),
        });
        output = rest;
    }
    if matches!(verdict, Verdict::Failed(_)) && events.last().is_some_and(|last| last.starts_with("close")) {
        events.pop();
    }
    events
}

pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

pub fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}
