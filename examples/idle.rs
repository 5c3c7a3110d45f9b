//! A million connections in one process: what an idle one costs in memory.
//!
//!     cargo run --release --example idle -- [COUNT]
//!
//! Each is opened by an opening handshake and echoes a message, both its own; every other message comes in two reads. All
//! connections take turns in one input buffer and one output buffer, and stay open to the end. What a server would write is
//! compared byte by byte with what it has to be. The allocator counts the heap to the byte; on Linux, the kernel tells the
//! resident memory.
//!
//! The exit code is 0 only if a connection takes at most 256 bytes, and no heap besides.

use std::alloc::{GlobalAlloc, Layout, System};
use std::error::Error;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{env, fs};

use websocket_proto::frame::{Header, OpCode, mask};
use websocket_proto::handshake::ServerHandshake;
use websocket_proto::{Config, Connection, Event};

const MOST: usize = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let count = env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse());
    let count: usize = count.map_err(|_| "usage: idle [COUNT]")?;
    let size = size_of::<Connection>();
    println!("a connection has {size} bytes");
    // The buffers, which all share, get their size before anything is counted.
    let mut shared = Shared::default();
    for index in [0, usize::MAX] {
        let mut connection = shared.open(index)?;
        shared.echo(&mut connection, index)?;
    }
    let (heap_before, resident_before) = (heap(), resident());

    let start = Instant::now();
    let mut connections = Vec::with_capacity(count);
    for index in 0..count {
        connections.push(shared.open(index)?);
    }
    print_time("opened", count, start);
    let start = Instant::now();
    for (index, connection) in connections.iter_mut().enumerate() {
        shared.echo(connection, index)?;
    }
    print_time("echoed a message", count, start);

    let held = heap() - heap_before;
    let besides = held - count * size;
    println!("{held} bytes of heap for all of them, {besides} besides the connections themselves");
    if let (Some(before), Some(after)) = (resident_before, resident()) {
        let each = after.saturating_sub(before) as f64 / count.max(1) as f64;
        println!("{each:.1} bytes resident for each");
    }
    match size <= MOST && besides == 0 {
        true => Ok(()),
        false => Err(format!("a connection takes more than {MOST} bytes, or heap besides").into()),
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

/// What one thread has for all of its connections.
#[derive(Default)]
struct Shared {
    config: Config,
    /// What was read from a transport.
    input: Vec<u8>,
    /// What is to be written to it.
    out: Vec<u8>,
}

impl Shared {
    /// The opening handshake of a browser.
    fn open(&mut self, index: usize) -> Result<Connection, Box<dyn Error>> {
        self.input.clear();
        write!(self.input, "GET /{index}{REQUEST}")?;
        let mut handshake = ServerHandshake::new(&self.config);
        let request = handshake.receive(&mut &mut self.input[..], &mut self.out)?;
        let upgrade = request.ok_or("the request is whole")?;
        let connection = upgrade.upgrade(&mut self.out)?.accept(&mut self.out);
        self.written(RESPONSE.as_bytes())?;
        Ok(connection)
    }

    /// A client sends a text, and gets it back.
    fn echo(&mut self, connection: &mut Connection, index: usize) -> Result<(), Box<dyn Error>> {
        let text = format!("message {index}");
        let mut header = Header::new(OpCode::Text, text.len() as u64);
        let echo = [&header.encode()[..], text.as_bytes()].concat();
        let key = (index as u32).to_be_bytes();
        header.mask = Some(key);
        self.input.clear();
        self.input.extend_from_slice(&header.encode());
        mask::append(&mut self.input, text.as_bytes(), key);
        // What comes in two reads is put together on the heap.
        let read = self.input.len().div_ceil(1 + index % 2);
        for mut input in self.input.chunks_mut(read) {
            while let Some(event) = connection.receive(&mut input, &mut self.out)? {
                let Event::Text(text) = event else {
                    return Err(format!("not a text: {event:?}").into());
                };
                connection.send_text(&text, &mut self.out)?;
            }
        }
        self.written(&echo)
    }

    /// The output goes to the transport.
    fn written(&mut self, expected: &[u8]) -> Result<(), Box<dyn Error>> {
        if self.out != expected {
            return Err("something else was written than had to be".into());
        }
        self.out.clear();
        Ok(())
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

/// Resident bytes, where the kernel tells.
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

// SAFETY: every call goes on to the system's allocator as it is, and counting does not allocate. `realloc` is the trait's own,
// which goes by the two.
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
