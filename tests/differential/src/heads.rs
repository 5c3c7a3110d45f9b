//! Generates requests and responses: valid ones with zero to three changes.

use crate::case::{ACCEPT, Case, KEY, Kind};
use crate::random::Random;

pub fn generate(random: &mut Random) -> Case {
    let kind = if random.one_in(2) {
        Kind::Request
    } else {
        Kind::Response
    };
    let mut head = Head {
        parts: lines(kind, random),
        kind,
    };
    for _ in 0..random.below(4) {
        head.change(random);
    }
    let mut parts = head.parts;
    if random.one_in(20) {
        let at = random.below(parts.len());
        parts.truncate(at + 1);
        let last = &mut parts[at];
        last.truncate(random.below(last.len().max(1)));
    } else if random.one_in(10) {
        parts.push(b"\x82\x01a".to_vec());
    }
    // Some peers would interpret an empty input as the end of the transport.
    if parts.concat().is_empty() {
        parts.push(b"G".to_vec());
    }
    Case {
        kind,
        limit: 0,
        offers: random.one_in(2),
        parts,
    }
}

struct Head {
    kind: Kind,
    /// The lines with their line endings, the last one empty.
    parts: Vec<Vec<u8>>,
}

fn line(name: &str, value: &str) -> Vec<u8> {
    format!("{name}: {value}\r\n").into_bytes()
}

fn lines(kind: Kind, random: &mut Random) -> Vec<Vec<u8>> {
    let mut lines = match kind {
        Kind::Request => vec![
            line("Host", "example.com"),
            line("Upgrade", "websocket"),
            line("Connection", "Upgrade"),
            line("Sec-WebSocket-Version", "13"),
            line("Sec-WebSocket-Key", KEY),
        ],
        _ => vec![
            line("Upgrade", "websocket"),
            line("Connection", "Upgrade"),
            line("Sec-WebSocket-Accept", ACCEPT),
        ],
    };
    if random.one_in(2) {
        lines.push(line(
            "Sec-WebSocket-Protocol",
            random.pick(&["chat", "superchat"]),
        ));
    }
    if random.one_in(3) {
        lines.push(line("X-Other", "any thing"));
    }
    if random.one_in(10) {
        lines.push(line("Content-Length", "0"));
    }
    // RFC 9110 section 5.3: the order of fields with different names is not significant.
    for at in 0..lines.len() {
        let other = random.below(lines.len());
        lines.swap(at, other);
    }
    lines.insert(
        0,
        if kind == Kind::Request {
            "GET /chat HTTP/1.1\r\n"
        } else {
            "HTTP/1.1 101 Switching Protocols\r\n"
        }
        .into(),
    );
    lines.push(b"\r\n".to_vec());
    lines
}

impl Head {
    fn change(&mut self, random: &mut Random) {
        let fields = self.parts.len() - 2;
        let at = 1 + random.below(fields.max(1));
        match random.below(20) {
            0 => drop(self.parts.remove(at.min(self.parts.len() - 2))),
            1 => self.parts.insert(at, self.parts[at].clone()),
            2 => self.parts[at].make_ascii_uppercase(),
            3 => self.parts[at].make_ascii_lowercase(),
            4 => self.white_space(at, random),
            5 | 6 => self.parts[0] = self.first_line(random),
            7..=11 => self.parts[at] = self.field(random),
            12 | 13 => {
                let field = self.field(random);
                self.parts.insert(at, field);
            }
            14 => self.line_end(random),
            15 => self.fold(at, random),
            16 | 17 => self.byte(random),
            18 => self.parts.insert(
                0,
                random
                    .pick(&[&b"\r\n"[..], b"\r\n\r\n", b"\n", b"\r", b" ", b"\0"])
                    .to_vec(),
            ),
            _ => self.interim(random),
        }
    }

    fn white_space(&mut self, at: usize, random: &mut Random) {
        let line = &mut self.parts[at];
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(0);
        let end = line.len().saturating_sub(2);
        let place = *random.pick(&[&0, &colon, &(colon + 1), &(colon + 1), &end, &end]);
        let space = random.pick(&[&b" "[..], b"\t", b" \t  "]);
        line.splice(
            place.min(line.len())..place.min(line.len()),
            space.iter().copied(),
        );
    }

    fn first_line(&self, random: &mut Random) -> Vec<u8> {
        if self.kind == Kind::Response {
            let version = if random.one_in(2) {
                "HTTP/1.1"
            } else {
                random.pick(VERSIONS)
            };
            let rest = random.pick(STATUS);
            return [version.as_bytes(), b" ", rest, b"\r\n"].concat();
        }
        let method = if random.one_in(2) {
            "GET"
        } else {
            random.pick(METHODS)
        };
        let target = if random.one_in(2) {
            &b"/"[..]
        } else {
            random.pick(TARGETS)
        };
        let version = if random.one_in(2) {
            "HTTP/1.1"
        } else {
            random.pick(VERSIONS)
        };
        let space = if random.one_in(8) {
            random.pick(&[&b"  "[..], b"\t", b""])
        } else {
            b" "
        };
        [
            method.as_bytes(),
            b" ",
            target,
            space,
            version.as_bytes(),
            b"\r\n",
        ]
        .concat()
    }

    fn field(&self, random: &mut Random) -> Vec<u8> {
        let table = if self.kind == Kind::Request {
            REQUEST_FIELDS
        } else {
            RESPONSE_FIELDS
        };
        let (name, values) = table[random.below(table.len())];
        let value = random.pick(values);
        [name.as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat()
    }

    fn line_end(&mut self, random: &mut Random) {
        let all = random.one_in(3);
        let one = random.below(self.parts.len());
        let end = random.pick(&[&b"\n"[..], b"\n", b"\r", b"\r\r\n", b""]);
        for (at, line) in self.parts.iter_mut().enumerate() {
            if (all || at == one) && line.ends_with(b"\r\n") {
                line.truncate(line.len() - 2);
                line.extend(end);
            }
        }
    }

    fn fold(&mut self, at: usize, random: &mut Random) {
        let line = &mut self.parts[at];
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(0);
        let place = colon + 1 + random.below(line.len() - colon);
        let fold = random.pick(&[&b"\r\n "[..], b"\r\n\t", b"\r\n   "]);
        line.splice(place.min(line.len())..place.min(line.len()), fold.iter().copied());
    }

    fn byte(&mut self, random: &mut Random) {
        let byte = *random.pick(&[
            &0, &1, &0x0b, &0x0c, &0x1f, &0x7f, &0x80, &0xe9, &0xff, &b'\r', &b'\n', &b'\t', &b' ', &b'"',
            &b'#', &b',', &b';', &b'=', &b':', &b'(', &b'/', &b'a',
        ]);
        let at = random.below(self.parts.len());
        let line = &mut self.parts[at];
        let place = random.below(line.len() + 1);
        let remove = usize::from(random.one_in(2) && place < line.len());
        line.splice(place..place + remove, [byte]);
    }

    fn interim(&mut self, random: &mut Random) {
        if self.kind == Kind::Response {
            for _ in 0..random.pick(&[&1, &1, &2, &8, &9]).to_owned() {
                let head = random.pick(&[
                    &"HTTP/1.1 100 Continue\r\n\r\n",
                    &"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
                ]);
                self.parts.insert(0, head.as_bytes().to_vec());
            }
        }
    }
}

const METHODS: &[&str] = &[
    "POST", "HEAD", "get", "OPTIONS", "CONNECT", "G ET", "GÉT", "", "GET,", "PRI",
];
const VERSIONS: &[&str] = &[
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/1.2",
    "HTTP/1.9",
    "HTTP/2.0",
    "HTTP/0.9",
    "HTTP/3.0",
    "http/1.1",
    "HTTP/1.1x",
    "HTTP/11",
    "HTTP/1",
    "HTTP/1.10",
    "HTTPS/1.1",
    "",
];
const TARGETS: &[&[u8]] = &[
    b"/a/b?c=d",
    b"/?",
    b"/%41?x=%zz",
    b"/a#b",
    b"http://example.com/p?q",
    b"ws://example.com",
    b"HTTPS://example.com:443?x",
    b"ftp://example.com/",
    b"http:///p",
    b"http://[::1]/",
    b"http://a b/",
    b"example.com:80",
    b"example.com",
    b"*",
    b"a/b",
    b"",
    b"/a b",
    b"/\xc3\xa9",
    b"/\xff",
    b"/\x01",
    b"/\x7f",
    b"/\"<>^`{|}\\",
    b"//x",
    b"?x",
];
const STATUS: &[&[u8]] = &[
    b"101 Switching Protocols",
    b"101 ",
    b"101",
    b"101 \xe9\xff",
    b"101 \t x",
    b"101 a\x01b",
    b"101 a\x7fb",
    b"1010 x",
    b"10 x",
    b"1x1 x",
    b"099 x",
    b"000 x",
    b"200 OK",
    b"204 No Content",
    b"302 Found",
    b"304 Not Modified",
    b"401 Unauthorized",
    b"404 Not Found",
    b"503 ",
    b"599 x",
    b"600 x",
    b"999 x",
    b"102 Processing",
    b"199 x",
    b" 101 x",
];
type Fields = &'static [(&'static str, &'static [&'static str])];
const CONNECTION: &[&str] = &[
    "keep-alive, Upgrade",
    "UPGRADE",
    "upgrade",
    "keep-alive",
    "close",
    "xupgrade",
    "keep-alive Upgrade",
    ",, upgrade ,",
    "Upgrade,",
    "upgrade;x",
    "\"upgrade\"",
    "",
    ",",
    "é, Upgrade",
    "Upgrade, close",
];
const UPGRADE: &[&str] = &[
    "WebSocket",
    "WEBSOCKET",
    "websocketx",
    "xwebsocket",
    "websocket/13",
    "h2c, websocket",
    "websocket, h2c",
    "h2c",
    "",
    ",websocket",
    "websocket,",
    "web socket",
    "websocké",
];
const EXTENSIONS: &[&str] = &[
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; client_max_window_bits=10, permessage-deflate",
    "permessage-deflate ; server_no_context_takeover = \"x\"",
    "foo; a=\"b\\c\"",
    "foo; a=\"x,y;z\"",
    "foo; a=\"x y\"",
    "foo; a=\"\"",
    "foo;;",
    "foo;",
    "foo bar",
    "foo; =1",
    "foo; a=",
    "foo; a=\"",
    ",;",
    "",
    ",",
    "foo,,bar",
    "(foo)",
    "é",
    "x-webkit-deflate-frame",
];
const PROTOCOL: &[&str] = &[
    "chat",
    "chat, superchat",
    "superchat,chat",
    "Chat",
    "other, chat",
    "other",
    "chat, chat",
    "other,,chat,",
    "",
    ",",
    "ch at",
    "a/b, chat",
    "\"chat\"",
    "é",
    "chat;x",
];
const LENGTH: &[&str] = &[
    "0",
    "5",
    "00",
    "+0",
    "-1",
    "0, 0",
    "1, 2",
    "",
    "0x0",
    "99999999999999999999999",
    "0 0",
    "é",
];
const CODING: &[&str] = &["chunked", "gzip", "identity", "", "chunked, chunked"];
const REQUEST_FIELDS: Fields = &[
    (
        "Host",
        &[
            "example.com:80",
            "example.com:",
            "EXAMPLE.com",
            "[::1]",
            "[::1]:80",
            "127.0.0.1:9001",
            "a_b.example",
            "a b",
            "a,b",
            "a/b",
            "a:99999",
            "a:b",
            "a:80:80",
            "[::1",
            "[g]",
            "",
            ":80",
            "é.example",
            "user@example.com",
            "%41.example",
            "%4.example",
            "a?b",
            "a#b",
            "xn--zckzah.example",
            ".",
            "a..b",
            "http://a",
            "-",
        ],
    ),
    ("Upgrade", UPGRADE),
    ("Connection", CONNECTION),
    (
        "Sec-WebSocket-Version",
        &[
            "13", "8", "013", "+13", "13, 8", "8, 13", "", "0", "256", "-1", "1e1", "13.0", "é",
        ],
    ),
    (
        "Sec-WebSocket-Key",
        &[
            KEY,
            "AQIDBAUGBwgJCgsMDQ4PEA==",
            "AQIDBAUGBwgJCgsMDQ4PEC==",
            "AQIDBAUGBwgJCgsMDQ4P",
            "AQIDBAUGBwgJCgsMDQ4PEBE=",
            "AQIDBAUGBwgJCgsMDQ4PEA",
            "AQIDBAUGBwgJCgsMDQ4PEA=",
            "AQIDBAUGBwgJCgsMDQ4PEA===",
            "",
            "x",
            "==",
            "dGhlIHNhbXBsZSBub25j-Q==",
            "dGhlIHNhbXBsZSBub25j Q==",
            "dGhlIHNhbXBsZSBub25jé==",
            "AQIDBAUGBwgJCgsMDQ4PEA==, x",
        ],
    ),
    ("Sec-WebSocket-Protocol", PROTOCOL),
    ("Sec-WebSocket-Extensions", EXTENSIONS),
    (
        "Origin",
        &[
            "https://example.com",
            "null",
            "http://a http://b",
            "",
            "é",
            "a\tb",
        ],
    ),
    ("Content-Length", LENGTH),
    ("Transfer-Encoding", CODING),
    ("Expect", &["100-continue", "100-Continue", "x", ""]),
    ("Sec-WebSocket-Accept", &["x"]),
    OTHERS,
];
const RESPONSE_FIELDS: Fields = &[
    ("Upgrade", UPGRADE),
    ("Connection", CONNECTION),
    (
        "Sec-WebSocket-Accept",
        &[
            ACCEPT,
            "S3PPLMBITXAQ9KYGZZHZRBK+XOO=",
            "",
            "x",
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, x",
            "é",
        ],
    ),
    ("Sec-WebSocket-Protocol", PROTOCOL),
    ("Sec-WebSocket-Extensions", EXTENSIONS),
    ("Sec-WebSocket-Version", &["13", "13, 8"]),
    ("Content-Length", LENGTH),
    ("Transfer-Encoding", CODING),
    OTHERS,
];
const OTHERS: (&str, &[&str]) = (
    "X-Other",
    &[
        "é", "\u{1}", "\u{7f}", "a\u{b}b", "a\0b", "a\tb", "\"", "~ ~", "", "a\r\n b", "a:b", "\u{1f}",
    ],
);
