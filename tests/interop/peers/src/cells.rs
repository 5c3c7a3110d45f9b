//! The cells of the matrix, for clients in Rust. They have the same names as in the clients in JavaScript and Python.

use std::fmt::Debug;
use std::net::TcpStream;
use std::process;
use std::thread;
use std::time::Duration;

use crate::{Client, Incoming, Message, Opened, REJECTION_BODY, Result, Socket, TIME};

pub const PINGS: u32 = 1000;
const TEXT: &str = "Zażółć gęślą jaźń, 日本語, 🦀";
/// "aé日🦀", with an empty fragment, and split inside two characters.
pub const FRAGMENTS: [&[u8]; 5] = [b"a\xc3", b"", b"\xa9\xe6\x97\xa5\xf0", b"\x9f\xa6", b"\x80"];
const FRAGMENTED: &str = "aé日🦀";

type Cell<C> = (&'static str, &'static str, fn(&Run<'_, C>) -> Result<()>);

fn cells<C: Client>() -> Vec<Cell<C>> {
    vec![
        ("echo", "text", |run| run.echoes(text("hello"))),
        ("echo", "non-ASCII text", |run| run.echoes(text(TEXT))),
        ("echo", "binary", |run| {
            run.echoes(Message::Binary((0..=255).collect()))
        }),
        ("echo", "empty text", |run| run.echoes(text(""))),
        ("echo", "empty binary", |run| run.echoes(binary(0))),
        ("echo", "70,000 bytes of text", |run| {
            run.echoes(text(&"aé日🦀".repeat(7000)))
        }),
        ("echo", "70,000 bytes of binary", |run| run.echoes(binary(70_000))),
        ("echo", "16 MiB", |run| run.echoes(binary(16 * 1024 * 1024))),
        ("echo", "fragments, one empty, cut inside characters", |run| {
            let mut socket = run.open("/echo")?;
            socket.send_fragments(&FRAGMENTS)?;
            expect(message(&mut socket)?, text(FRAGMENTED))?;
            close(socket, 1000, "")
        }),
        ("echo", "1,000 messages at once, in order", |run| {
            let mut socket = run.open("/echo")?;
            let messages = (0..1000).map(|number| text(&format!("message {number}")));
            messages.clone().try_for_each(|message| socket.send(message))?;
            for sent in messages {
                expect(message(&mut socket)?, sent)?;
            }
            close(socket, 1000, "")
        }),
        ("echo", "ping by the client", |run| {
            let mut socket = run.open("/echo")?;
            socket.ping(b"there?")?;
            expect(socket.receive()?, Incoming::Pong(b"there?".into()))?;
            close(socket, 1000, "")
        }),
        ("echo", "1,000 pings by the client", |run| {
            let mut socket = run.open("/echo")?;
            (0..PINGS).try_for_each(|number| socket.ping(number.to_string().as_bytes()))?;
            let mut last = None;
            while last != Some(PINGS - 1) {
                let Incoming::Pong(payload) = socket.receive()? else {
                    return Err("no pong".into());
                };
                let number: u32 = String::from_utf8(payload)?.parse()?;
                // Only the last of several Pings has to be answered (RFC 6455 section 5.5.3).
                if last >= Some(number) {
                    return Err(format!("pong {number} after {last:?}").into());
                }
                last = Some(number);
            }
            close(socket, 1000, "")
        }),
        ("echo", "close 4001", |run| close(run.open("/echo")?, 4001, "bye")),
        ("paths", "ping by the server", |run| {
            let mut socket = run.open("/ping")?;
            expect(message(&mut socket)?, text("pong there?"))?;
            close(socket, 1000, "")
        }),
        ("paths", "1,000 pings by the server", |run| {
            let mut socket = run.open("/flood")?;
            let Message::Text(told) = message(&mut socket)? else {
                return Err("not a text".into());
            };
            if C::ANSWERS_EVERY_PING {
                expect(&*told, "1000 pongs in order")?;
            } else if !told.ends_with("pongs in order") {
                return Err(told.into());
            }
            close(socket, 1000, "")
        }),
        ("paths", "fragments from the server", |run| {
            let mut socket = run.open("/fragments")?;
            expect(message(&mut socket)?, text(FRAGMENTED))?;
            close(socket, 1000, "")
        }),
        ("paths", "close 4001 by the client", |run| {
            close(run.open(&run.named("/echo"))?, 4001, "bye")?;
            run.expect_ended(|told| told == "code=4001 reason=bye messages=0")
        }),
        ("paths", "close 4001 by the server", |run| {
            closed(run.open(&run.named("/close"))?, 4001, Some("bye"))?;
            run.expect_ended(|told| told.starts_with("code=4001 "))
        }),
        ("paths", "a message and a close at once, by the client", |run| {
            let mut socket = run.open(&run.named("/echo"))?;
            socket.send_and_close(text("last words"), 4001, "bye")?;
            let mut answer = socket.receive()?;
            // A server may close without sending the echo.
            if let Incoming::Message(message) = answer {
                expect(message, text("last words"))?;
                answer = socket.receive()?;
            }
            expect_close(answer, 4001, None)?;
            expect(socket.receive()?, Incoming::End { clean: true })?;
            drop(socket);
            run.expect_ended(|told| told == "code=4001 reason=bye messages=1")
        }),
        ("paths", "a message and a close at once, by the server", |run| {
            let mut socket = run.open(&run.named("/last"))?;
            expect(message(&mut socket)?, text("last words"))?;
            closed(socket, 4001, Some("bye"))?;
            run.expect_ended(|told| told.starts_with("code=4001 "))
        }),
        ("paths", "subprotocol", |run| {
            match run.connect("/echo", &["chat", "other"])? {
                Opened::Accepted { socket, protocol } => {
                    expect(protocol.as_deref(), Some("chat"))?;
                    close(socket, 1000, "")
                }
                Opened::Rejected { status, .. } => Err(format!("status {status}").into()),
            }
        }),
        ("paths", "rejected with 401", |run| run.is_rejected(401)),
        ("paths", "rejected with 403", |run| run.is_rejected(403)),
        ("paths", "rejected with 404", |run| run.is_rejected(404)),
        ("every", "compression, of empty messages too", |run| {
            // If a library hangs, the program has to exit.
            thread::spawn(|| {
                thread::sleep(TIME / 2);
                println!("FAIL\tcompression, of empty messages too\tno end within 5 s");
                process::exit(0);
            });
            run.compresses("every", "15-bits")
        }),
        ("compression", "compression, defaults", |run| {
            run.compresses("defaults", "defaults")
        }),
        (
            "untaken",
            "compression, defaults, to a server without takeover",
            |run| run.compresses("defaults", "no-takeover"),
        ),
        (
            "windows",
            "compression, 10 bits of the client, as the server answers",
            |run| run.compresses("defaults", "client-10"),
        ),
        (
            "windows",
            "compression, 11 bits of the client, as the server answers",
            |run| run.compresses("defaults", "client-11"),
        ),
        (
            "windows",
            "compression, 12 bits of the client, as the server answers",
            |run| run.compresses("defaults", "client-12"),
        ),
        (
            "windows",
            "compression, 13 bits of the client, as the server answers",
            |run| run.compresses("defaults", "client-13"),
        ),
        (
            "windows",
            "compression, 14 bits of the client, as the server answers",
            |run| run.compresses("defaults", "client-14"),
        ),
        (
            "windows",
            "compression, 15 bits of the client, as the server answers",
            |run| run.compresses("defaults", "client-15"),
        ),
        (
            "windows",
            "compression, a hint below what the server answers",
            |run| run.compresses("hint-12", "client-14"),
        ),
        ("compression", "compression, windows of 15 bits", |run| {
            run.compresses("15-bits", "15-bits")
        }),
        (
            "compression",
            "compression, no takeover, as the client asks",
            |run| run.compresses("no-takeover", "defaults"),
        ),
        (
            "compression",
            "compression, no takeover, as the server answers",
            |run| run.compresses("15-bits", "no-takeover"),
        ),
        (
            "compression",
            "compression, windows of 9 bits, as the client asks",
            |run| run.compresses("9-bits", "defaults"),
        ),
        (
            "compression",
            "compression, windows of 9 bits, as the server answers",
            |run| run.compresses("15-bits", "9-bits"),
        ),
        (
            "compression",
            "compression, windows of 10 bits, as the client asks",
            |run| run.compresses("10-bits", "defaults"),
        ),
        (
            "compression",
            "compression, windows of 10 bits, as the server answers",
            |run| run.compresses("15-bits", "10-bits"),
        ),
    ]
}

pub fn run<C: Client>(client: &C, url: &str, selected: &[&str]) {
    for (group, name, cell) in cells() {
        let run = Run {
            client,
            url,
            cell: format!("{}-{}", process::id(), name.replace(' ', "-")),
        };
        if !selected.contains(&group) && !selected.contains(&name) {
            continue;
        }
        match cell(&run) {
            Ok(()) => println!("ok\t{name}\t"),
            Err(error) => println!("FAIL\t{name}\t{}", error.to_string().replace('\n', " ")),
        }
    }
}

struct Run<'a, C> {
    client: &'a C,
    url: &'a str,
    /// Names the connections of this cell, so that the server can be asked how they ended.
    cell: String,
}

impl<C: Client> Run<'_, C> {
    fn stream(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.url.trim_start_matches("ws://"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIME))?;
        Ok(stream)
    }

    fn connect(&self, path: &str, protocols: &[&str]) -> Result<Opened<C::Socket>> {
        self.client
            .open(self.stream()?, &format!("{}{path}", self.url), protocols)
    }

    fn open(&self, path: &str) -> Result<C::Socket> {
        match self.connect(path, &[])? {
            Opened::Accepted {
                socket,
                protocol: None,
            } => Ok(socket),
            Opened::Accepted { protocol, .. } => Err(format!("subprotocol {protocol:?}").into()),
            Opened::Rejected { status, .. } => Err(format!("status {status}").into()),
        }
    }

    fn echoes(&self, sent: Message) -> Result<()> {
        let mut socket = self.open("/echo")?;
        socket.send(sent.clone())?;
        expect(message(&mut socket)?, sent)?;
        close(socket, 1000, "")
    }

    /// Messages that repeat parts of earlier ones, except for the noise.
    fn compresses(&self, client: &str, server: &str) -> Result<()> {
        let url = format!("{}/compression/{server}?{client}", self.url);
        let mut socket = self.client.open_compressing(self.stream()?, &url, client)?;
        let record: String = noise(80).iter().map(|byte| format!("{byte:02x}")).collect();
        let messages = [
            text(&record),
            text(&record),
            text(&json(1024)),
            text(&json(1024)),
            text(&json(65536)),
            text(&json(1024)),
            text(&TEXT.repeat(100)),
            text(""),
            Message::Binary(noise(10_000)),
            binary(0),
            text("short"),
            text(&format!("plain {}", json(1024))),
            text(&json(2048)),
            text(&format!("fragments {}{TEXT}", json(1024))),
            text(&record),
        ];
        for message in &messages {
            match message {
                Message::Text(text) if text.starts_with("plain") => socket.send_plain(message.clone())?,
                Message::Text(text) if text.starts_with("fragments") => {
                    // The last one is split inside a character.
                    let (front, back) = text.as_bytes().split_at(500);
                    let (back, end) = back.split_at(back.len() - 3);
                    socket.send_fragments(&[front, b"", back, end])?;
                }
                _ => socket.send(message.clone())?,
            }
        }
        for sent in messages {
            expect(message(&mut socket)?, sent)?;
        }
        close(socket, 1000, "")
    }

    fn named(&self, path: &str) -> String {
        format!("{path}?{}", self.cell)
    }

    /// Checks how the server reports the end of the cell's connection, which it may notice a moment after us.
    fn expect_ended(&self, right: fn(&str) -> bool) -> Result<()> {
        let mut told = String::new();
        for _ in 0..20 {
            let mut socket = self.open(&self.named("/closed"))?;
            told = format!("{:?}", message(&mut socket)?);
            close(socket, 1000, "")?;
            if right(told.trim_start_matches("Text(\"").trim_end_matches("\")")) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(format!("the server reports {told}").into())
    }

    fn is_rejected(&self, expected: u16) -> Result<()> {
        match self.connect(&format!("/{expected}"), &[])? {
            Opened::Accepted { .. } => Err("accepted".into()),
            Opened::Rejected { status, body } => {
                expect(status, expected)?;
                expect(
                    body.as_deref().unwrap_or(REJECTION_BODY.as_bytes()),
                    REJECTION_BODY.as_bytes(),
                )
            }
        }
    }
}

fn text(text: &str) -> Message {
    Message::Text(text.into())
}

fn binary(size: usize) -> Message {
    Message::Binary((0..size).map(|i| (i * 31 % 251) as u8).collect())
}

fn noise(size: usize) -> Vec<u8> {
    let mut state: u32 = 1;
    let next = || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12345) & 0x7fff_ffff;
        (state >> 16) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

fn json(size: usize) -> String {
    let mut whole = String::new();
    for number in 0.. {
        if whole.len() >= size {
            break;
        }
        let price = number * 37 % 1000;
        whole += &format!(
            "{{\"id\":{number},\"symbol\":\"ABC\",\"side\":\"buy\",\"price\":{price},\"size\":100}},"
        );
    }
    whole
}

fn message(socket: &mut impl Socket) -> Result<Message> {
    match socket.receive()? {
        Incoming::Message(message) => Ok(message),
        other => Err(format!("got {other:?}, expected a message").into()),
    }
}

/// Closes, and completes the closing handshake.
fn close(mut socket: impl Socket, code: u16, reason: &str) -> Result<()> {
    socket.close(code, reason)?;
    closed(socket, code, None)
}

fn closed(mut socket: impl Socket, code: u16, reason: Option<&str>) -> Result<()> {
    expect_close(socket.receive()?, code, reason)?;
    expect(socket.receive()?, Incoming::End { clean: true })
}

fn expect_close(incoming: Incoming, expected: u16, expected_reason: Option<&str>) -> Result<()> {
    match incoming {
        Incoming::Close { code, reason } => {
            expect(code, expected)?;
            expect(&*reason, expected_reason.unwrap_or(&reason))
        }
        other => Err(format!("got {other:?}, expected a Close").into()),
    }
}

fn expect<T: Debug + PartialEq>(got: T, expected: T) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(format!(
        "got {:.80}, expected {:.80}",
        format!("{got:?}"),
        format!("{expected:?}")
    )
    .into())
}
