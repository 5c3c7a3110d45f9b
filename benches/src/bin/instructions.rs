//! Does deterministic work, whose instructions `.ci/instructions` counts.
//!
//!     instructions                 lists the names and how many messages a half has
//!     instructions NAME 1|2        does one half of the work, or both, after preparing both
//!
//! The difference between both halves and one, divided by the number of messages, is the steady-state cost of a message.

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use websocket_proto::endpoint::{Endpoint, EndpointConfig, SendError, Sender, Step};
use websocket_proto::handshake::{Answer, ClientRequest, ServerHandshake};
use websocket_proto::{Config, Connection, Delivery, Entropy, Event, MessageKind, OsEntropy, entropy};
use websocket_proto_benches::outcome::Kind;
use websocket_proto_benches::scenario::{BROWSER_REQUEST, chinese, payload};
use websocket_proto_benches::wire::{self, Role, SOCKET_READ_SIZE as READ_SIZE, Wire};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// A name, the number of messages in a half, and the work.
type Work = (&'static str, usize, fn(usize, Halves) -> Result);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Halves {
    One,
    Both,
}

const ALL: [Work; 37] = [
    ("receive text 125 B, server", 4000, |count, halves| {
        receive_whole(Role::Server, &text(125), count, halves)
    }),
    ("receive text 125 B, client", 4000, |count, halves| {
        receive_whole(Role::Client, &text(125), count, halves)
    }),
    ("receive text 125 B, a byte a read", 400, |count, halves| {
        receive(
            messages(Role::Server, &text(125), 125, 2 * count),
            1,
            count,
            halves,
        )
    }),
    ("receive Chinese text 1 KiB, server", 1000, |count, halves| {
        receive_whole(Role::Server, &chinese(1024), count, halves)
    }),
    ("receive text 64 KiB, server", 20, |count, halves| {
        receive_whole(Role::Server, &text(65536), count, halves)
    }),
    ("receive text 16 KiB, client", 40, |count, halves| {
        receive_whole(Role::Client, &text(16384), count, halves)
    }),
    ("receive Chinese text 64 KiB, server", 20, |count, halves| {
        receive_whole(Role::Server, &chinese(65536), count, halves)
    }),
    ("receive text 64 KiB in place, server", 20, |count, halves| {
        receive_in_place(
            messages(Role::Server, &text(65536), 65536, 2 * count),
            count,
            halves,
        )
    }),
    (
        "receive text 64 KiB in 1 KiB fragments, server",
        20,
        |count, halves| {
            receive(
                messages(Role::Server, &text(65536), 1024, 2 * count),
                READ_SIZE,
                count,
                halves,
            )
        },
    ),
    (
        "receive text 64 B, ping after each, server",
        2000,
        |count, halves| {
            let mut wire = Wire::to(Role::Server);
            for _ in 0..2 * count {
                wire.message(Kind::Text, &text(64), 64);
                wire.ping(b"ping");
            }
            receive(wire, READ_SIZE, count, halves)
        },
    ),
    (
        "receive text 16 KiB by reads of 16 KiB, server",
        40,
        |count, halves| {
            receive_by_reads(
                messages(Role::Server, &text(16384), 16384, 2 * count),
                count,
                halves,
            )
        },
    ),
    (
        "receive text 64 KiB by reads of 16 KiB, server",
        20,
        |count, halves| {
            receive_by_reads(
                messages(Role::Server, &text(65536), 65536, 2 * count),
                count,
                halves,
            )
        },
    ),
    (
        "receive text 1 MiB by reads of 16 KiB, server",
        4,
        |count, halves| {
            receive_by_reads(
                messages(Role::Server, &text(1 << 20), 1 << 20, 2 * count),
                count,
                halves,
            )
        },
    ),
    (
        "receive text 64 KiB by reads of 16 KiB, client",
        20,
        |count, halves| {
            receive_by_reads(
                messages(Role::Client, &text(65536), 65536, 2 * count),
                count,
                halves,
            )
        },
    ),
    (
        "receive text 1 MiB by reads of 16 KiB, client",
        4,
        |count, halves| {
            receive_by_reads(
                messages(Role::Client, &text(1 << 20), 1 << 20, 2 * count),
                count,
                halves,
            )
        },
    ),
    (
        "receive text 1 MiB in 4 KiB fragments by reads of 16 KiB, server",
        4,
        |count, halves| {
            receive_by_reads(
                messages(Role::Server, &text(1 << 20), 4096, 2 * count),
                count,
                halves,
            )
        },
    ),
    ("send text 125 B, server", 4000, |count, halves| {
        send(server(), &text(125), count, halves)
    }),
    ("send text 125 B, client", 4000, |count, halves| {
        send(client(), &text(125), count, halves)
    }),
    (
        "send text 125 B, client, keys of `OsEntropy`",
        4000,
        |count, halves| {
            let client = Connection::client(&Config::new(), OsEntropy);
            send(client, &text(125), count, halves)
        },
    ),
    ("send text 64 KiB as a header, server", 400, |count, halves| {
        send_header(&text(65536), count, halves)
    }),
    ("send text 16 KiB, client", 100, |count, halves| {
        send(client(), &text(16384), count, halves)
    }),
    ("send text 16 KiB in place, client", 100, |count, halves| {
        send_in_place(client(), text(16384), count, halves)
    }),
    ("echo text 125 B, server", 4000, |count, halves| {
        echo(messages(Role::Server, &text(125), 125, 2 * count), count, halves)
    }),
    ("endpoint, receive text 125 B, server", 4000, |count, halves| {
        let wire = messages(Role::Server, &text(125), 125, 2 * count);
        drive_endpoint(endpoint(), wire, count, halves, |event, _| {
            Ok(matches!(black_box(event), Event::Text(_)))
        })
    }),
    (
        "endpoint, receive text 16 KiB by reads of 16 KiB, server",
        40,
        |count, halves| {
            receive_by_endpoint(
                messages(Role::Server, &text(16384), 16384, 2 * count),
                count,
                halves,
            )
        },
    ),
    (
        "endpoint, receive text 64 KiB by reads of 16 KiB, server",
        20,
        |count, halves| {
            receive_by_endpoint(
                messages(Role::Server, &text(65536), 65536, 2 * count),
                count,
                halves,
            )
        },
    ),
    (
        "endpoint, receive text 1 MiB by reads of 16 KiB, server",
        4,
        |count, halves| {
            receive_by_endpoint(
                messages(Role::Server, &text(1 << 20), 1 << 20, 2 * count),
                count,
                halves,
            )
        },
    ),
    (
        "endpoint, receive text 1 MiB by reads of 16 KiB, client",
        4,
        |count, halves| {
            receive_by_endpoint(
                messages(Role::Client, &text(1 << 20), 1 << 20, 2 * count),
                count,
                halves,
            )
        },
    ),
    (
        "endpoint, receive text 1 MiB in 4 KiB fragments by reads of 16 KiB, server",
        4,
        |count, halves| {
            receive_by_endpoint(
                messages(Role::Server, &text(1 << 20), 4096, 2 * count),
                count,
                halves,
            )
        },
    ),
    ("endpoint, send text 125 B, server", 4000, |count, halves| {
        send_by_endpoint(server(), &text(125), count, halves)
    }),
    ("endpoint, send text 125 B, client", 4000, |count, halves| {
        send_by_endpoint(client(), &text(125), count, halves)
    }),
    (
        "endpoint, send text 16 KiB vectored, server",
        400,
        |count, halves| send_vectored_by_endpoint(&text(16384), count, halves),
    ),
    (
        "endpoint, send text 64 KiB vectored, server",
        400,
        |count, halves| send_vectored_by_endpoint(&text(65536), count, halves),
    ),
    ("endpoint, echo text 125 B, server", 4000, |count, halves| {
        let wire = messages(Role::Server, &text(125), 125, 2 * count);
        drive_endpoint(endpoint(), wire, count, halves, |event, sender| {
            let Event::Text(text) = event else {
                return Ok(false);
            };
            sender.send_text(&text).map(|()| true)
        })
    }),
    ("handshake of a browser's request, server", 200, accept),
    (
        "handshake with 4 KiB of cookies, server",
        200,
        accept_with_cookies,
    ),
    ("handshake, client", 200, open),
];

fn main() -> Result {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        ALL.iter()
            .for_each(|(name, count, _)| println!("{count}\t{name}"));
        return Ok(());
    };
    let halves = match arguments.next().as_deref() {
        Some("1") => Halves::One,
        Some("2") => Halves::Both,
        _ => return Err("one half or 2?".into()),
    };
    let work = ALL.iter().find(|work| work.0 == name);
    let (_, count, work) = work.ok_or("there is no work of that name")?;
    work(*count, halves)
}

fn text(size: usize) -> Vec<u8> {
    payload(Kind::Text, size)
}

fn messages(role: Role, payload: &[u8], frame_size: usize, times: usize) -> Wire {
    let mut wire = Wire::to(role);
    (0..times).for_each(|_| wire.message(Kind::Text, payload, frame_size));
    wire
}

fn server() -> Connection {
    Connection::server(&Config::new())
}

/// With keys that cost nothing, so that the cost of a source of keys is not included.
fn client() -> Connection {
    Connection::client(&Config::new(), entropy::from_fn(|key| key.fill(0x5a)))
}

fn times(count: usize, halves: Halves) -> usize {
    match halves {
        Halves::One => count,
        Halves::Both => 2 * count,
    }
}

/// The bytes of both halves, and how many of them to receive.
fn take(wire: &Wire, halves: Halves) -> (Vec<u8>, usize) {
    let bytes = wire.bytes().to_vec();
    let end = match halves {
        Halves::One => bytes.len() / 2,
        Halves::Both => bytes.len(),
    };
    (bytes, end)
}

/// Receives messages of one frame each, in reads of the size used for sockets.
fn receive_whole(role: Role, payload: &[u8], count: usize, halves: Halves) -> Result {
    let wire = messages(role, payload, payload.len(), 2 * count);
    receive(wire, READ_SIZE, count, halves)
}

fn receive(wire: Wire, read_size: usize, count: usize, halves: Halves) -> Result {
    let mut connection = match wire.role {
        Role::Server => server(),
        Role::Client => client(),
    };
    let (mut bytes, end) = take(&wire, halves);
    let (mut seen, mut out) = (0, Vec::new());
    for mut input in bytes[..end].chunks_mut(read_size) {
        while let Some(event) = connection.receive(&mut input, &mut out)? {
            seen += usize::from(matches!(black_box(event), Event::Text(_)));
        }
        out.clear();
    }
    check(seen, count, halves)
}

/// Receives with the loop that the documentation of `Connection::payload_space` and `payload_remaining` recommends, in reads that stay
/// in the first-level cache.
fn receive_by_reads(wire: Wire, count: usize, halves: Halves) -> Result {
    let mut connection = match wire.role {
        Role::Server => server(),
        Role::Client => client(),
    };
    let (bytes, end) = take(&wire, halves);
    let (mut seen, mut out, mut buffer) = (0, Vec::new(), vec![0; wire::READ_SIZE]);
    let (mut source, mut rest) = bytes.split_at(end);
    while !source.is_empty() {
        let mut input = match connection.payload_space(buffer.len()) {
            Some(space) => {
                let size = read(&mut source, space)?;
                connection.payload_filled(size);
                &mut [][..]
            }
            None => {
                let missing = connection.payload_remaining() as usize;
                let size = match missing >= buffer.len() / 2 {
                    true => missing.min(buffer.len()),
                    false => buffer.len(),
                };
                let size = read(&mut source, &mut buffer[..size])?;
                &mut buffer[..size]
            }
        };
        while let Some(event) = connection.receive(&mut input, &mut out)? {
            if let Event::Text(text) = black_box(event) {
                seen += 1;
                connection.recycle(text);
            }
        }
    }
    while read(&mut rest, &mut buffer)? > 0 {}
    check(seen, count, halves)
}

/// Receives with a growing buffer, in which held bytes and the next read are contiguous.
fn receive_in_place(wire: Wire, count: usize, halves: Halves) -> Result {
    let mut connection = Connection::server(&Config::new().delivery(Delivery::InPlace));
    let (mut bytes, end) = take(&wire, halves);
    let (mut seen, mut out) = (0, Vec::new());
    let (mut start, mut filled) = (0, 0);
    while filled < end {
        filled = end.min(filled + READ_SIZE);
        let mut input = &mut bytes[start..filled];
        while let Some(event) = connection.receive(&mut input, &mut out)? {
            seen += usize::from(matches!(black_box(event), Event::Text(_)));
        }
        start = filled - input.len();
    }
    check(seen, count, halves)
}

fn echo(wire: Wire, count: usize, halves: Halves) -> Result {
    let mut connection = server();
    let (mut bytes, end) = take(&wire, halves);
    let (mut seen, mut out) = (0, Vec::new());
    for mut input in bytes[..end].chunks_mut(READ_SIZE) {
        while let Some(event) = connection.receive(&mut input, &mut out)? {
            if let Event::Text(text) = event {
                seen += 1;
                connection.send_text(&text, &mut out)?;
            }
        }
        black_box(&mut out).clear();
    }
    check(seen, count, halves)
}

fn send(mut connection: Connection, payload: &[u8], count: usize, halves: Halves) -> Result {
    let text = std::str::from_utf8(payload)?;
    let mut out = Vec::new();
    for _ in 0..times(count, halves) {
        connection.send_text(black_box(text), &mut out)?;
        if out.len() >= READ_SIZE {
            black_box(&mut out).clear();
        }
    }
    Ok(())
}

/// Sends a header for a vectored write, which counts as one write of everything.
fn send_header(payload: &[u8], count: usize, halves: Halves) -> Result {
    let text = std::str::from_utf8(payload)?;
    let (mut connection, mut out) = (server(), Vec::new());
    for _ in 0..times(count, halves) {
        connection.send_text_header(black_box(text), &mut out)?;
        black_box(&mut out).clear();
    }
    Ok(())
}

/// The masked payload can be sent again as text, because ASCII remains ASCII with this key.
fn send_in_place(mut connection: Connection, mut payload: Vec<u8>, count: usize, halves: Halves) -> Result {
    let mut out = Vec::new();
    for _ in 0..times(count, halves) {
        connection.send_in_place(MessageKind::Text, black_box(&mut payload), &mut out)?;
        black_box(&mut out).clear();
    }
    Ok(())
}

fn endpoint() -> Endpoint {
    endpoint_of(server(), READ_SIZE)
}

fn endpoint_of(connection: Connection, read_size: usize) -> Endpoint {
    let config = EndpointConfig::new().max_read_size(read_size);
    Endpoint::from_connection(&config, connection, &[], Duration::ZERO)
}

fn receive_by_endpoint(wire: Wire, count: usize, halves: Halves) -> Result {
    let connection = match wire.role {
        Role::Server => server(),
        Role::Client => client(),
    };
    let endpoint = endpoint_of(connection, wire::READ_SIZE);
    drive_endpoint(endpoint, wire, count, halves, |event, sender| {
        let Event::Text(text) = black_box(event) else {
            return Ok(false);
        };
        sender.recycle(text);
        Ok(true)
    })
}

/// Like [`receive`] and [`echo`], with the loop of the endpoint's documentation. Here, the transport also copies the input. It copies
/// the half that is not received as well, so that the copies cancel out in the difference.
fn drive_endpoint(
    mut endpoint: Endpoint,
    wire: Wire,
    count: usize,
    halves: Halves,
    mut is_message: impl FnMut(Event<'_>, &mut Sender<'_>) -> std::result::Result<bool, SendError>,
) -> Result {
    let (bytes, end) = take(&wire, halves);
    let (mut seen, (mut input, mut rest)) = (0, bytes.split_at(end));
    loop {
        match endpoint.step(Duration::ZERO) {
            Step::Event => {
                let mut events = endpoint.events();
                while let Some((event, mut sender)) = events.next() {
                    seen += usize::from(is_message(event, &mut sender)?);
                }
            }
            Step::Write => endpoint.written(black_box(endpoint.output()).len()),
            Step::Flush => endpoint.flushed(),
            Step::Read if input.is_empty() => break,
            Step::Read => {
                let size = read(&mut input, endpoint.read_space())?;
                endpoint.received(size);
            }
            step => return Err(format!("{step:?}").into()),
        }
    }
    let mut space = vec![0; READ_SIZE];
    while read(&mut rest, &mut space)? > 0 {}
    check(seen, count, halves)
}

/// Reads in parts, because callgrind counts each byte of a large copy as an instruction. Not inlined, so that it is the same code for
/// all.
#[inline(never)]
fn read(input: &mut &[u8], space: &mut [u8]) -> Result<usize> {
    let mut size = 0;
    for part in space.chunks_mut(1024) {
        size += std::io::Read::read(input, part)?;
    }
    Ok(size)
}

fn send_by_endpoint(connection: Connection, payload: &[u8], count: usize, halves: Halves) -> Result {
    let text = std::str::from_utf8(payload)?;
    let mut endpoint = endpoint_of(connection, READ_SIZE);
    for _ in 0..times(count, halves) {
        let mut sender = endpoint.sender();
        sender.send_text(black_box(text))?;
        if sender.buffered_amount() >= READ_SIZE {
            endpoint.written(black_box(endpoint.output()).len());
            endpoint.flushed();
        }
    }
    Ok(())
}

fn send_vectored_by_endpoint(payload: &[u8], count: usize, halves: Halves) -> Result {
    let text = std::str::from_utf8(payload)?;
    let mut endpoint = endpoint();
    for _ in 0..times(count, halves) {
        let mut sender = endpoint.sender();
        let mut write = sender.send_text_vectored(black_box(text))?;
        let size = black_box(write.slices()).map(<[u8]>::len).iter().sum();
        write.written(size);
        drop(write);
        endpoint.flushed();
    }
    Ok(())
}

fn accept(count: usize, halves: Halves) -> Result {
    accept_request(BROWSER_REQUEST.as_bytes().to_vec(), count, halves)
}

fn accept_with_cookies(count: usize, halves: Halves) -> Result {
    let cookie = format!("Cookie: a={}; session=", "0123456789abcdef".repeat(256));
    accept_request(
        BROWSER_REQUEST.replace("Cookie: session=", &cookie).into_bytes(),
        count,
        halves,
    )
}

fn accept_request(mut buffer: Vec<u8>, count: usize, halves: Halves) -> Result {
    let mut out = Vec::new();
    for _ in 0..times(count, halves) {
        let mut handshake = ServerHandshake::new(&Config::new());
        let request = handshake.receive(&mut &mut buffer[..], &mut out)?;
        let request = request.ok_or("the request is incomplete")?;
        black_box(request.upgrade(&mut out)?.accept(&mut out));
        black_box(&mut out).clear();
    }
    Ok(())
}

fn zeros() -> impl Entropy {
    entropy::from_fn(|bytes| bytes.fill(0))
}

fn open(count: usize, halves: Halves) -> Result {
    // The response to a request whose nonce is 0.
    let mut response = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n"
        .to_vec();
    let mut out = Vec::new();
    for _ in 0..times(count, halves) {
        let request = ClientRequest::from_url("ws://server.example.com/chat?room=1")?;
        let mut handshake = request.start(&Config::new(), zeros(), &mut out);
        let answer = handshake.receive(&mut &mut response[..], &mut Vec::new())?;
        let is_accepted = matches!(black_box(answer), Some(Answer::Accepted { .. }));
        is_accepted.then_some(()).ok_or("not accepted")?;
        black_box(&mut out).clear();
    }
    Ok(())
}

fn check(seen: usize, count: usize, halves: Halves) -> Result {
    match seen == times(count, halves) {
        true => Ok(()),
        false => Err(format!("{seen} messages came").into()),
    }
}
