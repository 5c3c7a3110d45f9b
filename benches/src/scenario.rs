//! The rows of the table.

use std::sync::LazyLock;

use crate::outcome::{Check, Expected, Kind, Seen};
use crate::places::{Offset, Placed};
use crate::report::human;
use crate::wire::{Input, Random, Role, Source, WRITE_SIZE, Wire};

/// One row.
#[derive(Debug)]
pub struct Scenario {
    pub name: String,
    pub role: Role,
    pub work: Work,
    /// The unit of the times in the table.
    pub messages: u64,
    pub expected: Expected,
    /// The target, as a fraction of the best peer's time.
    pub target: f64,
    /// Whether a text in one frame arrives in more than one read.
    pub has_split_text: bool,
}

/// One batch of work. Everything is `'static`, because the contestants keep references to it.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    Receive(&'static Source),
    /// Receive, and send each message back.
    Echo(&'static Source),
    Send {
        kind: Kind,
        payload: &'static Placed,
        times: u64,
    },
    /// The opening handshake of a server.
    Accept {
        request: &'static [u8],
        times: u64,
    },
}

/// A message to send.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    pub kind: Kind,
    pub payload: &'static [u8],
}

impl Message {
    /// The payload of a text message.
    pub fn text(self) -> &'static str {
        std::str::from_utf8(self.payload).expect("this message is a text")
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const PING: &[u8] = b"ping";

/// All rows, in the order of the table.
pub fn all() -> Vec<Scenario> {
    use Kind::{Binary, Text};
    use Role::{Client, Server};
    vec![
        receive(Server, Text, 16).target(0.3),
        receive(Server, Text, 125).target(0.4),
        receive(Server, Text, KIB).target(0.5),
        receive(Server, Text, 16 * KIB).target(0.85),
        receive(Server, Text, 64 * KIB).target(0.85),
        receive(Server, Text, MIB).target(0.85),
        receive_chinese(KIB).target(0.7),
        receive_chinese(64 * KIB),
        receive(Server, Binary, 16).target(0.25),
        receive(Server, Binary, KIB).target(0.5),
        receive(Server, Binary, MIB),
        receive_fragments(Binary, MIB, 4 * KIB).target(0.85),
        receive_fragments(Text, 64 * KIB, KIB).target(0.85),
        receive_pinged(64).target(0.35),
        receive(Client, Text, 125),
        receive(Client, Text, 64 * KIB),
        receive(Client, Binary, KIB),
        receive(Client, Binary, MIB),
        send(Server, Text, 125),
        send(Server, Binary, 16 * KIB),
        send(Server, Binary, MIB),
        send(Client, Text, 125),
        send(Client, Binary, 16 * KIB),
        send(Client, Binary, MIB),
        echo(Text, 125).target(0.45),
        echo(Text, 16 * KIB),
        echo(Binary, 64 * KIB),
        accept(),
    ]
}

impl Scenario {
    fn new(name: String, role: Role, work: Work, messages: u64, expected: Expected) -> Self {
        Self {
            name,
            role,
            work,
            messages,
            expected,
            target: 1.0,
            has_split_text: false,
        }
    }

    fn target(self, target: f64) -> Self {
        Self { target, ..self }
    }
}

fn receive(role: Role, kind: Kind, size: usize) -> Scenario {
    let name = format!("receive {} {}, {}", kind.name(), human(size), role.name());
    receive_frames(name, role, kind, &payload(kind, size), size)
}

fn receive_chinese(size: usize) -> Scenario {
    let name = format!("receive Chinese text {}, server", human(size));
    receive_frames(name, Role::Server, Kind::Text, &chinese(size), size)
}

fn receive_fragments(kind: Kind, size: usize, frame_size: usize) -> Scenario {
    let (total, each) = (human(size), human(frame_size));
    let name = format!("receive {} {total} in {each} fragments, server", kind.name());
    receive_frames(name, Role::Server, kind, &payload(kind, size), frame_size)
}

fn receive_frames(name: String, role: Role, kind: Kind, payload: &[u8], frame_size: usize) -> Scenario {
    let mut wire = Wire::to(role);
    let messages = batch(payload.len());
    for _ in 0..messages {
        wire.message(kind, payload, frame_size);
    }
    let expected = Expected::Frames {
        seen: seen(kind, payload, messages),
        sent_bytes: 0,
        sent: Seen::new(Check::Thorough),
    };
    let work = Work::Receive(Source::new(&wire));
    Scenario {
        has_split_text: kind == Kind::Text && payload.len() <= frame_size,
        ..Scenario::new(name, role, work, messages, expected)
    }
}

fn receive_pinged(size: usize) -> Scenario {
    let mut wire = Wire::to(Role::Server);
    let text = payload(Kind::Text, size);
    let messages = batch(size);
    for _ in 0..messages {
        wire.message(Kind::Text, &text, size);
        wire.ping(PING);
    }
    let expected = Expected::Frames {
        seen: seen(Kind::Text, &text, messages),
        sent_bytes: messages * (2 + PING.len() as u64),
        sent: seen(Kind::Binary, PING, messages)[1].clone(),
    };
    let work = Work::Receive(Source::new(&wire));
    let name = format!("receive text {}, ping after each, server", human(size));
    Scenario {
        has_split_text: true,
        ..Scenario::new(name, Role::Server, work, messages, expected)
    }
}

fn echo(kind: Kind, size: usize) -> Scenario {
    let mut wire = Wire::to(Role::Server);
    let payload = payload(kind, size);
    let messages = batch(size);
    for _ in 0..messages {
        wire.message(kind, &payload, size);
    }
    let seen = seen(kind, &payload, messages);
    let expected = Expected::Frames {
        sent_bytes: messages * (size + header_size(Role::Server, size)) as u64,
        sent: seen[1].clone(),
        seen,
    };
    let work = Work::Echo(Source::new(&wire));
    let name = format!("echo {} {}, server", kind.name(), human(size));
    Scenario {
        has_split_text: kind == Kind::Text,
        ..Scenario::new(name, Role::Server, work, messages, expected)
    }
}

fn send(role: Role, kind: Kind, size: usize) -> Scenario {
    let payload = payload(kind, size);
    let messages = batch(size);
    let expected = Expected::Frames {
        seen: [Check::Quick, Check::Thorough].map(Seen::new),
        sent_bytes: messages * (size + header_size(role, size)) as u64,
        sent: seen(kind, &payload, messages)[1].clone(),
    };
    let work = Work::Send {
        kind,
        payload: Box::leak(Box::new(Placed::new(&payload))),
        times: messages,
    };
    let name = format!("send {} {}, {}", kind.name(), human(size), role.name());
    Scenario::new(name, role, work, messages, expected)
}

fn accept() -> Scenario {
    let times = 100;
    // The example of RFC 6455 section 1.3, with the key of the request.
    let key = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    let expected = Expected::Accepted { times, key };
    let request = BROWSER_REQUEST.as_bytes();
    let work = Work::Accept { request, times };
    let name = "handshake of a browser's request, server".into();
    Scenario::new(name, Role::Server, work, times, expected)
}

/// As Chromium sends it.
pub const BROWSER_REQUEST: &str = "GET /chat?room=1 HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: https://server.example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
    \r\n";

/// A masked text message.
pub fn hello() -> Input {
    static HELLO: LazyLock<&'static Source> = LazyLock::new(|| {
        let mut wire = Wire::to(Role::Server);
        wire.message(Kind::Text, &[b'a'; 125], 125);
        Source::new(&wire)
    });
    HELLO.at(Offset::Zero)
}

/// The messages in a batch: at least four, and as many as fill several reads and fit into the L2 cache, where a real read leaves data.
fn batch(size: usize) -> u64 {
    (4 * WRITE_SIZE / (size + 8)).max(4) as u64
}

fn seen(kind: Kind, payload: &[u8], times: u64) -> [Seen; 2] {
    [Check::Quick, Check::Thorough].map(|check| {
        let mut seen = Seen::new(check);
        (0..times).for_each(|_| seen.message(kind, payload));
        seen
    })
}

fn header_size(sender: Role, size: usize) -> usize {
    let key = if sender == Role::Client { 4 } else { 0 };
    key + match size {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    }
}

pub fn payload(kind: Kind, size: usize) -> Vec<u8> {
    let mut random = Random(1);
    match kind {
        Kind::Text => (0..size).map(|_| b' ' + (random.draw() % 95) as u8).collect(),
        Kind::Binary => (0..size).map(|_| random.draw() as u8).collect(),
    }
}

pub fn chinese(size: usize) -> Vec<u8> {
    let mut random = Random(1);
    let ideographs = || char::from_u32(0x4e00 + (random.draw() % 0x5000) as u32);
    let mut text = String::from_iter(std::iter::repeat_with(ideographs).flatten().take(size / 3));
    text.extend(std::iter::repeat_n('.', size - text.len()));
    text.into()
}
