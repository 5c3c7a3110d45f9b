//! The server with clients on blocking sockets in this process, which take its frames apart by hand.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use embedding_epoll::Server;
use socket2::Socket;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

const HEAD: &str = "GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// After this time, a test fails.
const PATIENCE: Duration = Duration::from_secs(20);
const LARGE: usize = 256 * 1024;
/// The limit for messages.
const LARGEST: usize = 1024 * 1024;

/// The server of all tests, which runs until the process ends.
fn server() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), |_| {}).unwrap();
        let address = server.address().unwrap();
        thread::spawn(|| server.run().unwrap());
        address
    })
}

struct Client {
    stream: TcpStream,
}

impl Client {
    fn open() -> Self {
        let mut stream = TcpStream::connect(server()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(HEAD.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        Self { stream }
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.stream.write_all(&frame(opcode, payload)).unwrap();
    }

    /// Expects these frames, reading `size` bytes at a time.
    fn expect(&mut self, frames: &[(u8, Vec<u8>)], size: usize) {
        for (number, (opcode, payload)) in frames.iter().enumerate() {
            let expected = [header(*opcode, 0, payload.len()), payload.clone()].concat();
            let mut bytes = vec![0; expected.len()];
            for part in bytes.chunks_mut(size) {
                self.stream.read_exact(part).unwrap();
            }
            assert!(
                bytes == expected,
                "frame {number} of {} bytes differs",
                payload.len()
            );
        }
    }

    fn echo(&mut self, opcode: u8, payload: Vec<u8>) {
        self.send(opcode, &payload);
        self.expect(&[(opcode, payload)], usize::MAX);
    }

    /// Expects the server's end of the transport, not a reset.
    fn expect_end(&mut self) {
        assert_eq!(self.stream.read(&mut [0]).unwrap(), 0);
    }

    fn close(mut self) {
        self.echo(CLOSE, 1000u16.to_be_bytes().to_vec());
        self.expect_end();
    }
}

/// RFC 6455 section 5.2. The mask bit is 0x80.
fn header(opcode: u8, mask: u8, size: usize) -> Vec<u8> {
    let mut header = vec![opcode];
    match size {
        ..126 => header.push(mask | size as u8),
        126..0x1_0000 => {
            header.push(mask | 126);
            header.extend((size as u16).to_be_bytes());
        }
        0x1_0000.. => {
            header.push(mask | 127);
            header.extend((size as u64).to_be_bytes());
        }
    }
    header
}

/// A client's frame, masked with a key of zeros.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    [&header(opcode, 0x80, payload.len())[..], &[0; 4], payload].concat()
}

/// Different for each number.
fn payload(number: usize, size: usize) -> Vec<u8> {
    let words = format!("message {number}; ");
    words.bytes().cycle().take(size).collect()
}

#[test]
fn messages_of_all_sizes_are_echoed() {
    let mut client = Client::open();
    // 4 KiB is the first read buffer, 16 KiB the first message that is not copied, and 1 MiB the largest.
    for (number, size) in [
        0, 1, 125, 126, 4095, 4096, 16_383, 16_384, 65_535, 65_536, LARGEST,
    ]
    .into_iter()
    .enumerate()
    {
        for opcode in [TEXT, BINARY] {
            client.echo(opcode, payload(number, size));
        }
    }
    client.close();
}

/// The buffers of one client are those of the next, also while one waits in the middle of a message.
#[test]
fn clients_that_take_turns_get_their_own_messages() {
    let mut clients: Vec<_> = (0..20).map(|_| Client::open()).collect();
    for round in 0..5 {
        let size = [100, LARGE][round % 2];
        for half in 0..2 {
            for (number, client) in clients.iter_mut().enumerate() {
                let frame = frame(BINARY, &payload(100 * round + number, size));
                let (first, second) = frame.split_at(frame.len() / 2);
                client.stream.write_all([first, second][half]).unwrap();
            }
        }
        for (number, client) in clients.iter_mut().enumerate() {
            client.expect(&[(BINARY, payload(100 * round + number, size))], usize::MAX);
        }
    }
    clients.into_iter().for_each(Client::close);
}

/// More messages than the sockets hold wait for a client that reads late: the server's writes are partial, and it stops reading.
/// RFC 6455 section 5.5: the replies are in the order of what they reply to.
#[test]
fn slow_readers_get_everything_complete_and_in_order() {
    for size in [65_537, usize::MAX] {
        let mut client = Client::open();
        let mut frames = Vec::new();
        for number in 0..12 {
            frames.push((BINARY, payload(number, LARGEST - number)));
            frames.push((PING, payload(number, 100)));
        }
        frames.push((CLOSE, 1000u16.to_be_bytes().to_vec()));
        let sent: Vec<_> = frames
            .iter()
            .flat_map(|(opcode, payload)| frame(*opcode, payload))
            .collect();
        let mut writer = client.stream.try_clone().unwrap();
        let writer = thread::spawn(move || writer.write_all(&sent).unwrap());
        for (opcode, _) in &mut frames {
            if *opcode == PING {
                *opcode = PONG;
            }
        }
        thread::sleep(Duration::from_millis(300));
        Client::open().echo(TEXT, payload(9, LARGE));
        client.expect(&frames, size);
        client.expect_end();
        writer.join().unwrap();
    }
}

/// A socket that is reset while a part of a message waits, while others use its place and its descriptor.
#[test]
fn clients_that_are_reset_while_a_message_waits_do_not_disturb_others() {
    for round in 0..10 {
        let mut victim = Client::open();
        victim
            .stream
            .set_write_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let message = frame(BINARY, &payload(round, LARGEST));
        while victim.stream.write_all(&message).is_ok() {}
        let victim = Socket::from(victim.stream);
        victim.set_linger(Some(Duration::ZERO)).unwrap();
        drop(victim);
        let mut next = Client::open();
        next.echo(BINARY, payload(round, LARGE));
        next.close();
    }
}

/// The end may arrive with the bytes before it, or after, and is an event of its own only then. If it is not noticed, nothing
/// happens until the first Ping, which is after the client's patience.
#[test]
fn the_end_of_the_transport_is_noticed_behind_messages() {
    for round in 0..200 {
        let mut client = Client::open();
        let message = payload(round, [10, 5000, LARGE][round % 3]);
        client.send(BINARY, &message);
        if round % 2 == 0 {
            thread::sleep(Duration::from_micros(round as u64 * 10));
        }
        client.stream.shutdown(Shutdown::Write).unwrap();
        client.expect(&[(BINARY, message)], usize::MAX);
        client.expect_end();
    }
}
