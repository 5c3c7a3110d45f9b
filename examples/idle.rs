//! Holds a million connections in one process, and measures what an idle one costs in memory.
//!
//!     cargo run --release --example idle -- [--endpoints] [COUNT]
//!
//! Both ends of each are here: they do an opening handshake and echo a message, every other one of which arrives in two reads. All
//! connections take turns with one input buffer and one output buffer, and stay open to the end. What the server would write is
//! compared byte by byte with what is expected. The allocator counts the heap to the byte; on Linux, the kernel reports the
//! resident memory.
//!
//! By default they are `Connection`s, whose owner has the timers and the transport elsewhere; with `--endpoints` they are
//! `Endpoint`s, which lend each other their buffers.
//!
//! The exit code is 0 only if a connection takes at most 256 bytes, or an endpoint at most 320 (360 with the feature
//! `deflate`), and no heap.

use std::alloc::{GlobalAlloc, Layout, System};
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs};

use websocket_proto::endpoint::{Buffers, Endpoint, EndpointConfig, Step};
use websocket_proto::frame::{Header, OpCode, mask};
use websocket_proto::handshake::ServerHandshake;
use websocket_proto::{Config, Connection, Event};

/// The bytes of an endpoint, at most.
const ENDPOINT_SIZE: usize = if cfg!(feature = "deflate") { 360 } else { 320 };

fn main() -> Result<(), Box<dyn Error>> {
    let (mut count, mut endpoints) = (1_000_000, false);
    for arg in env::args().skip(1) {
        match arg.as_str() {
            "--endpoints" => endpoints = true,
            number => count = number.parse().map_err(|_| "usage: idle [--endpoints] [COUNT]")?,
        }
    }
    match endpoints {
        true => hold(count, ENDPOINT_SIZE, Lent::default()),
        false => hold(count, 256, Shared::default()),
    }
}

/// What one thread uses for all of its connections.
trait Owner {
    type Connection;

    /// The opening handshake of a browser.
    fn open(&mut self, index: usize) -> Result<Self::Connection, Box<dyn Error>>;

    /// A client sends a text and gets it back.
    fn echo(&mut self, connection: &mut Self::Connection, index: usize) -> Result<(), Box<dyn Error>>;
}

/// Holds `count` connections, each of which may take `most` bytes.
fn hold<O: Owner>(count: usize, most: usize, mut owner: O) -> Result<(), Box<dyn Error>> {
    let size = size_of::<O::Connection>();
    println!("a connection is {size} bytes");
    // The shared buffers reach their size before anything is counted.
    for index in [0, usize::MAX] {
        let mut connection = owner.open(index)?;
        owner.echo(&mut connection, index)?;
    }
    let (heap_before, resident_before) = (heap(), resident());

    let start = Instant::now();
    let mut connections = Vec::with_capacity(count);
    for index in 0..count {
        connections.push(owner.open(index)?);
    }
    print_time("opened", count, start);
    let start = Instant::now();
    for (index, connection) in connections.iter_mut().enumerate() {
        owner.echo(connection, index)?;
    }
    print_time("echoed a message", count, start);

    let held = heap() - heap_before;
    let besides = held - count * size;
    println!("{held} bytes of heap for all of them, {besides} of them not in the connections themselves");
    if let (Some(before), Some(after)) = (resident_before, resident()) {
        let each = after.saturating_sub(before) as f64 / count.max(1) as f64;
        println!("{each:.1} bytes resident for each");
    }
    match size <= most && besides == 0 {
        true => Ok(()),
        false => Err(format!("a connection takes more than {most} bytes, or heap besides").into()),
    }
}

fn print_time(what: &str, count: usize, start: Instant) {
    let time = start.elapsed();
    let each = time.as_nanos() / count.max(1) as u128;
    println!(
        "{count} connections {what}: {:.2} s, {each} ns each",
        time.as_secs_f64()
    );
}

/// A frame from a client, and the frame that a server echoes.
fn frames(index: usize) -> (Vec<u8>, Vec<u8>) {
    let text = format!("message {index}");
    let mut header = Header::new(OpCode::Text, text.len() as u64);
    let echo = [&header.encode()[..], text.as_bytes()].concat();
    let key = (index as u32).to_be_bytes();
    header.mask = Some(key);
    let mut frame = header.encode().to_vec();
    mask::append(&mut frame, text.as_bytes(), key);
    (frame, echo)
}

/// Asserts that what was written is what is expected.
fn check(written: &[u8], expected: &[u8]) -> Result<(), Box<dyn Error>> {
    match written == expected {
        true => Ok(()),
        false => Err("something else was written than had to be".into()),
    }
}

/// Connections, with the configuration and the output buffer of them all.
#[derive(Default)]
struct Shared {
    config: Config,
    out: Vec<u8>,
}

impl Shared {
    /// Stands for writing the output to the transport.
    fn written(&mut self, expected: &[u8]) -> Result<(), Box<dyn Error>> {
        check(&self.out, expected)?;
        self.out.clear();
        Ok(())
    }
}

impl Owner for Shared {
    type Connection = Connection;

    fn open(&mut self, index: usize) -> Result<Connection, Box<dyn Error>> {
        let mut input = format!("GET /{index}{REQUEST}").into_bytes();
        let mut handshake = ServerHandshake::new(&self.config);
        let request = handshake.receive(&mut &mut input[..], &mut self.out)?;
        let upgrade = request.ok_or("the request is whole")?;
        let connection = upgrade.upgrade(&mut self.out)?.accept(&mut self.out);
        self.written(RESPONSE.as_bytes())?;
        Ok(connection)
    }

    fn echo(&mut self, connection: &mut Connection, index: usize) -> Result<(), Box<dyn Error>> {
        let (mut frame, echo) = frames(index);
        // A message that arrives in two reads is assembled on the heap.
        let read = frame.len().div_ceil(1 + index % 2);
        for mut input in frame.chunks_mut(read) {
            while let Some(event) = connection.receive(&mut input, &mut self.out)? {
                let Event::Text(text) = event else {
                    return Err(format!("not a text: {event:?}").into());
                };
                connection.send_text(&text, &mut self.out)?;
            }
        }
        self.written(&echo)
    }
}

/// Endpoints, with the configuration of them all and the buffers of the busy one.
#[derive(Default)]
struct Lent {
    config: EndpointConfig,
    buffers: Option<Box<Buffers>>,
    written: Vec<u8>,
}

impl Lent {
    /// Reads, and does everything that follows.
    fn read(&mut self, endpoint: &mut Endpoint, read: &[u8]) -> Result<(), Box<dyn Error>> {
        if let Some(buffers) = self.buffers.take() {
            endpoint.lend_buffers(buffers);
        }
        endpoint.ready();
        let mut unread = Some(read);
        loop {
            match endpoint.step(Duration::ZERO) {
                Step::Request => endpoint.accept(),
                Step::Event => {
                    let mut events = endpoint.events();
                    while let Some((event, mut sender)) = events.next() {
                        let Event::Text(text) = event else {
                            return Err(format!("not a text: {event:?}").into());
                        };
                        sender.send_text(&text)?;
                    }
                }
                Step::Write => {
                    self.written.extend_from_slice(endpoint.output());
                    endpoint.written(endpoint.output().len());
                }
                Step::Flush => endpoint.flushed(),
                Step::Read => match unread.take() {
                    Some(bytes) => endpoint.receive(bytes),
                    None => endpoint.read_blocked(),
                },
                Step::Wait(_) => break,
                step => return Err(format!("{step:?}").into()),
            }
        }
        self.buffers = endpoint.take_buffers();
        Ok(())
    }

    fn written(&mut self, expected: &[u8]) -> Result<(), Box<dyn Error>> {
        check(&self.written, expected)?;
        self.written.clear();
        Ok(())
    }
}

impl Owner for Lent {
    type Connection = Endpoint;

    fn open(&mut self, index: usize) -> Result<Endpoint, Box<dyn Error>> {
        let mut endpoint = Endpoint::server(&self.config, Duration::ZERO);
        self.read(&mut endpoint, format!("GET /{index}{REQUEST}").as_bytes())?;
        self.written(RESPONSE.as_bytes())?;
        Ok(endpoint)
    }

    fn echo(&mut self, endpoint: &mut Endpoint, index: usize) -> Result<(), Box<dyn Error>> {
        let (frame, echo) = frames(index);
        for read in frame.chunks(frame.len().div_ceil(1 + index % 2)) {
            self.read(endpoint, read)?;
        }
        self.written(&echo)
    }
}

const REQUEST: &str = " HTTP/1.1\r
Host: example.com\r
Connection: Upgrade\r
Pragma: no-cache\r
Cache-Control: no-cache\r
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0\r
Upgrade: websocket\r
Origin: https://example.com\r
Sec-WebSocket-Version: 13\r
Accept-Encoding: gzip, deflate, br, zstd\r
Accept-Language: en-GB,en;q=0.9\r
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r
\r
";

const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r
\r
";

/// Resident bytes, if the kernel reports them.
fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// The bytes that are allocated.
fn heap() -> usize {
    HEAP.load(Ordering::Relaxed)
}

static HEAP: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on to the system's allocator unchanged, and counting does not allocate. `realloc` is the trait's
// default, which calls the other two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HEAP.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`, and `block` came from `System`.
        unsafe { System.dealloc(block, layout) }
    }
}
