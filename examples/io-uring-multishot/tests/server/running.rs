//! A server in a thread of its own, and a client that takes its bytes apart by hand.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use embedding_io_uring_multishot::{Config, Counters, Server};

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;

pub const HEAD: &str = "GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Longer than anything that a test waits for, unless it sets another one.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(10);

/// After this time, a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Running {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stops: AtomicBool,
    counted: Mutex<Counted>,
}

/// What the server has counted at the end of its last turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    counters: Counters,
    /// Allocations in the server's thread.
    pub allocations: u64,
}

impl Deref for Counted {
    type Target = Counters;

    fn deref(&self) -> &Counters {
        &self.counters
    }
}

impl Counted {
    /// Whether all clients have left, and nothing is in progress but to accept.
    pub fn is_idle(&self) -> bool {
        (self.clients, self.operations, self.buffers_in_use) == (0, 1, 0)
    }
}

impl Running {
    pub fn start(config: Config) -> Self {
        static LIMIT: Once = Once::new();
        LIMIT.call_once(|| _ = rlimit::increase_nofile_limit(1 << 16).unwrap());
        let shared = Arc::new(Shared::default());
        let (sender, receiver) = mpsc::channel();
        let thread = {
            let shared = shared.clone();
            thread::spawn(move || {
                let mut server = Server::bind("127.0.0.1:0".parse().unwrap(), config).unwrap();
                sender.send(server.address().unwrap()).unwrap();
                while !shared.stops.load(Ordering::Relaxed) {
                    server.turn().unwrap();
                    *shared.counted.lock().unwrap() = Counted {
                        counters: server.counters(),
                        allocations: ALLOCATIONS.get(),
                    };
                }
            })
        };
        Self {
            address: receiver.recv().expect("this kernel has to allow io_uring"),
            shared,
            thread: Some(thread),
        }
    }

    pub fn counters(&self) -> Counted {
        *self.shared.counted.lock().unwrap()
    }

    /// Waits until the server has counted this.
    pub fn wait(&self, what: &str, reached: impl Fn(&Counted) -> bool) -> Counted {
        let began = Instant::now();
        loop {
            let counted = self.counters();
            if reached(&counted) {
                return counted;
            }
            assert!(began.elapsed() < PATIENCE, "{what} was not reached: {counted:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn stop(mut self) {
        self.join().unwrap();
    }

    fn join(&mut self) -> thread::Result<()> {
        self.shared.stops.store(true, Ordering::Relaxed);
        _ = TcpStream::connect(self.address); // wakes it
        self.thread.take().map_or(Ok(()), JoinHandle::join)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let joined = self.join();
        if !thread::panicking() {
            joined.unwrap();
        }
    }
}

pub struct Client {
    pub stream: TcpStream,
}

/// What a client sent until its socket took no more.
pub struct Flood {
    pub messages: usize,
    /// How many bytes the socket took.
    pub accepted: usize,
    /// The rest of the last message.
    pub unsent: Vec<u8>,
}

impl Client {
    pub fn open(server: &Running) -> Self {
        let stream = TcpStream::connect(server.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self { stream };
        client.stream.write_all(HEAD.as_bytes()).unwrap();
        client.read_head();
        client
    }

    pub fn read_head(&mut self) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.read::<1>()[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
    }

    fn read<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.stream.write_all(&frame(opcode, payload)).unwrap();
    }

    pub fn read_frame(&mut self) -> (u8, Vec<u8>) {
        let [opcode, size] = self.read();
        let size = match size {
            126 => u16::from_be_bytes(self.read()).into(),
            127 => u64::from_be_bytes(self.read()) as usize,
            _ => size.into(),
        };
        let mut payload = vec![0; size];
        self.stream.read_exact(&mut payload).unwrap();
        (opcode, payload)
    }

    pub fn expect(&mut self, opcode: u8, payload: &[u8]) {
        let (heard, bytes) = self.read_frame();
        let start = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        assert!(
            heard == opcode && bytes == payload,
            "got {heard:x} {:?}, expected {opcode:x} {:?}",
            start(&bytes),
            start(payload)
        );
    }

    pub fn echo(&mut self, opcode: u8, payload: &[u8]) {
        self.send(opcode, payload);
        self.expect(opcode, payload);
    }

    /// Expects the server's end of the transport, not a reset, and before its linger timeout.
    pub fn expect_end(&mut self) {
        let began = Instant::now();
        assert_eq!(self.stream.read(&mut [0]).unwrap(), 0);
        assert!(began.elapsed() < LINGER_TIMEOUT / 2);
    }

    pub fn close(mut self) {
        self.echo(CLOSE, &1000u16.to_be_bytes());
        self.expect_end();
    }

    /// Closes the socket with a reset.
    pub fn reset(self) {
        let socket = socket2::Socket::from(self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Sends messages of this size, which [`payload`](super::payload) numbers, until the socket takes no more for a while, or is
    /// reset.
    pub fn flood(&mut self, client: usize, size: usize) -> Flood {
        const MOST: usize = 64 << 20;
        self.stream.set_nonblocking(true).unwrap();
        let mut flood = Flood {
            messages: 0,
            accepted: 0,
            unsent: Vec::new(),
        };
        let mut progress = Instant::now();
        while progress.elapsed() < Duration::from_millis(200) {
            if flood.unsent.is_empty() {
                flood.unsent = frame(BINARY, &super::payload(client, flood.messages, size));
                flood.messages += 1;
            }
            match self.stream.write(&flood.unsent) {
                Ok(written) => {
                    progress = Instant::now();
                    flood.accepted += written;
                    assert!(
                        flood.accepted < MOST,
                        "the server reads, although nothing is read from it"
                    );
                    flood.unsent.drain(..written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(1))
                }
                Err(_) => break,
            }
        }
        self.stream.set_nonblocking(false).unwrap();
        flood
    }
}

/// A masked frame (RFC 6455 section 5.2). The key of a large one is zero, so that a test without optimization takes less time.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let key = if payload.len() < 1024 {
        [0x12, 0x34, 0x56, 0x78]
    } else {
        [0; 4]
    };
    let mut frame = vec![opcode];
    match payload.len() {
        size @ ..126 => frame.push(0x80 | size as u8),
        size @ ..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((size as u16).to_be_bytes());
        }
        size => {
            frame.push(0x80 | 127);
            frame.extend((size as u64).to_be_bytes());
        }
    }
    frame.extend(key);
    match key {
        [0, ..] => frame.extend_from_slice(payload),
        key => frame.extend(
            payload
                .iter()
                .zip(key.iter().cycle())
                .map(|(byte, key)| byte ^ key),
        ),
    }
    frame
}

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts the allocations of each thread.
struct Counting;

// SAFETY: `System` does all the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
