//! A client's turns on a transport that checks how it is driven, as an edge-triggered poll requires: the poll reports that the
//! transport accepts output again only after a write was refused, and that more has arrived only after a read took everything.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::Duration;

use websocket_proto::endpoint::{EndpointConfig, ShutdownWrite, Step};
use websocket_proto::{CloseCode, Config, Connection, Delivery, Event, entropy};

use super::{Client, LARGE_SIZE, Socket};

const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The server's side of a transport.
#[derive(Default)]
struct Link {
    arrived: VecDeque<u8>,
    has_ended: bool,
    written: Vec<u8>,
    /// How much it accepts until it refuses a write.
    room: usize,
    /// Whether it has refused a write in this turn.
    is_blocked: bool,
    /// The number of reads in this turn.
    reads: usize,
    is_shut_down: bool,
    /// Every how many calls one is interrupted; 0 for never.
    interrupts_each: usize,
    calls: usize,
    /// The largest write of several slices.
    largest_vectored: usize,
}

impl Link {
    fn interrupt(&mut self) -> io::Result<()> {
        self.calls += 1;
        match self.interrupts_each {
            0 => Ok(()),
            each if self.calls % each > 0 => Ok(()),
            _ => Err(ErrorKind::Interrupted.into()),
        }
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        assert_eq!(self.reads, 1, "one read in a turn");
        self.interrupt()?;
        match self.arrived.is_empty() && !self.has_ended {
            true => Err(ErrorKind::WouldBlock.into()),
            false => self.arrived.read(buffer),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.is_blocked, "a write after one that was refused");
        assert!(!self.is_shut_down, "a write after the end");
        self.interrupt()?;
        if self.room == 0 {
            self.is_blocked = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        let size = bytes.len().min(self.room);
        self.room -= size;
        self.written.extend(&bytes[..size]);
        Ok(size)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let slices = slices.iter().map(|slice| &slice[..]);
        let size = self.write(&slices.collect::<Vec<_>>().concat())?;
        self.largest_vectored = self.largest_vectored.max(size);
        Ok(size)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ShutdownWrite for Socket<Link> {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.is_shut_down = true;
        Ok(())
    }
}

fn client() -> Client<Socket<Link>> {
    let connection = Config::new().delivery(Delivery::InPlace);
    let config = EndpointConfig::new().connection(connection).max_buffered(50_000);
    let mut client = Client::new(Socket::new(Link::default()), &config, Duration::ZERO);
    client.transport.stream.arrived.extend(HEAD);
    client.transport.stream.room = usize::MAX;
    _ = turns(&mut client);
    assert!(client.transport.stream.written.ends_with(b"\r\n\r\n"));
    client.transport.stream.written.clear();
    client
}

fn peer() -> Connection {
    Connection::client(&Config::new(), entropy::from_fn(|key| key.fill(7)))
}

/// Turns as in `Server::run`, until the client waits or has left.
fn turns(client: &mut Client<Socket<Link>>) -> Step {
    for _ in 0..1000 {
        (client.transport.stream.is_blocked, client.transport.stream.reads) = (false, 0);
        let step = client.turn(Duration::ZERO);
        let (link, waits) = (&client.transport.stream, !client.endpoint.output().is_empty());
        match step {
            Step::Read => assert_eq!(link.reads, 1, "something is done in each turn"),
            Step::Wait(_) => {
                assert!(
                    !waits || link.is_blocked,
                    "output waits, but no write was refused"
                );
                assert!(
                    link.arrived.is_empty() || link.is_blocked,
                    "input waits, but no write was refused"
                );
                return step;
            }
            _ => return step,
        }
    }
    panic!("it never waits");
}

/// The sizes of messages: those that are copied, those that are not, and one of more than a read.
const SIZES: [usize; 10] = [
    10,
    LARGE_SIZE,
    LARGE_SIZE,
    0,
    LARGE_SIZE - 1,
    100_000,
    125,
    LARGE_SIZE,
    100_000,
    1000,
];

fn payload(number: usize) -> Vec<u8> {
    let words = format!("message {number}; ");
    words.bytes().cycle().take(SIZES[number]).collect()
}

/// Binary messages and Pings in turn, and a Close. RFC 6455 section 5.5.3: the last Ping may be the only one that is answered, but
/// the endpoint answers them all.
fn frames(peer: &mut Connection) -> Vec<u8> {
    let mut frames = Vec::new();
    for number in 0..SIZES.len() {
        peer.send_binary(&payload(number), &mut frames).unwrap();
        peer.send_ping(&[number as u8], &mut frames).unwrap();
    }
    peer.close(CloseCode::NORMAL, "", &mut frames).unwrap();
    frames
}

fn expect_echoes(peer: &mut Connection, mut written: Vec<u8>) {
    let (mut input, mut out) = (&mut written[..], Vec::new());
    for number in 0..SIZES.len() {
        match peer.receive(&mut input, &mut out).unwrap() {
            Some(Event::Binary(echo)) => assert!(echo[..] == payload(number), "message {number}"),
            other => panic!("{other:?} instead of message {number}"),
        }
        match peer.receive(&mut input, &mut out).unwrap() {
            Some(Event::Pong(echo)) => assert_eq!(echo[..], [number as u8]),
            other => panic!("{other:?} instead of Pong {number}"),
        }
    }
    let close = peer.receive(&mut input, &mut out).unwrap();
    assert!(matches!(close, Some(Event::Close(_))), "{close:?}");
    assert!(input.is_empty());
}

/// The transport accepts `room` bytes between two events, and `size` bytes arrive in each.
fn is_served(room: usize, size: usize, interrupts_each: usize) {
    let (mut client, mut peer) = (client(), peer());
    client.transport.stream.interrupts_each = interrupts_each;
    let frames = frames(&mut peer);
    let mut parts = frames.chunks(size);
    for _ in 0..1000 {
        let link = &mut client.transport.stream;
        link.room = room;
        link.arrived.extend(parts.next().unwrap_or_default());
        // RFC 6455 section 7.1.1: the server ends the transport first.
        link.has_ended = link.is_shut_down;
        client.transport.is_ended = link.has_ended;
        if turns(&mut client) == Step::Done {
            expect_echoes(&mut peer, client.transport.stream.written);
            return assert!(client.endpoint.into_end().is_clean());
        }
    }
    panic!("it never ends with {room}, {size} and {interrupts_each}");
}

#[test]
fn writes_are_made_until_one_is_refused_and_not_after_it() {
    for room in [700, 5000, LARGE_SIZE + 2, 65_537, usize::MAX] {
        for size in [1000, 30_000, usize::MAX] {
            for interrupts_each in [0, 3, 5] {
                is_served(room, size, interrupts_each);
            }
        }
    }
}

/// A large message is written from where it was received, also by a client that was blocked before.
#[test]
fn a_large_message_is_not_copied_once_the_transport_accepts_output_again() {
    let (mut client, mut peer) = (client(), peer());
    for number in [5, 8] {
        let mut frame = Vec::new();
        peer.send_binary(&payload(number), &mut frame).unwrap();
        let link = &mut client.transport.stream;
        (link.largest_vectored, link.room) = (0, 90_000);
        link.arrived.extend(frame);
        _ = turns(&mut client);
        assert_eq!(client.transport.stream.largest_vectored, 90_000);
        client.transport.stream.room = usize::MAX;
        _ = turns(&mut client);
        assert!(client.endpoint.output().is_empty());
    }
}
