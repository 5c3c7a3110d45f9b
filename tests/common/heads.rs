//! Heads of the opening handshake with a part replaced, and the malformed parts that both roles have to reject.

use websocket_proto::handshake::HandshakeMisuse;

/// A valid head.
pub struct Head(pub &'static [u8]);

impl Head {
    /// Returns the head with the first occurrence of a part replaced.
    #[track_caller]
    pub fn changed(&self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let at = self.0.windows(from.len()).position(|window| window == from);
        let (before, after) = self.0.split_at(at.expect("the part"));
        [before, to, &after[from.len()..]].concat()
    }

    /// Returns the head with lines added at its end.
    pub fn with(&self, lines: &[u8]) -> Vec<u8> {
        [&self.0[..self.0.len() - 2], lines, b"\r\n\r\n"].concat()
    }
}

/// Malformed versions, to replace `HTTP/1.1`.
pub const MALFORMED_VERSIONS: [&str; 10] = [
    "http/1.1",
    "HTTP/11",
    "HTTP/1.1x",
    "HTTP/1.",
    "HTTP/a.1",
    "HTTP/1,1",
    "Http/1.1",
    "HTTP/1.1\t",
    "ICY",
    "",
];

/// Lines that do not begin with a token and a colon.
pub const MALFORMED_FIELD_LINES: [&[u8]; 8] = [
    b": x",
    b"a(b): x",
    b"nocolon",
    b"a\"b: x",
    b"a/b: x",
    b"\xe9: x",
    b"a\0: x",
    b"a\x7f: x",
];

/// Malformed values of Sec-WebSocket-Extensions.
pub const MALFORMED_EXTENSIONS: [&str; 10] = [
    "permessage-deflate;;",
    "a;;",
    "a b",
    "a;=1",
    "a; b=\"",
    ",;",
    "a; b=\"c d\"",
    "foo; a=\"x,y;z\"",
    "a;",
    "\u{e9}",
];

/// Values of Sec-WebSocket-Extensions without an element.
pub const EMPTY_EXTENSIONS: [&str; 6] = [
    "Sec-WebSocket-Extensions:",
    "Sec-WebSocket-Extensions: ",
    "Sec-WebSocket-Extensions: ,",
    "Sec-WebSocket-Extensions: , \t,",
    "Sec-WebSocket-Extensions:\r\nSec-WebSocket-Extensions: ,",
    "Sec-WebSocket-Extensions: ,\r\nSec-WebSocket-Extensions: , ,",
];

/// Fields that no application may add to a head, and the reason.
pub fn bad_fields() -> Vec<(&'static str, &'static str, HandshakeMisuse)> {
    let mut bad = Vec::new();
    for name in ["", "a b", "a:", "a\r\nb", "a\0", "\u{e9}", " a", "a "] {
        bad.push((name, "x", HandshakeMisuse::MalformedFieldName));
    }
    for value in ["a\r\nb: c", "a\nb", "a\rb", "a\0", "a\r\n b", "\x7f", "\x1b"] {
        bad.push(("X", value, HandshakeMisuse::MalformedFieldValue));
    }
    for name in [
        "Host",
        "Origin",
        "upgrade",
        "Connection",
        "EXPECT",
        "Content-Length",
        "Transfer-Encoding",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Accept",
        "sec-websocket-version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Anything",
    ] {
        bad.push((name, "x", HandshakeMisuse::ReservedField));
    }
    bad
}
