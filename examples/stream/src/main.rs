//! Sends a message of any size in constant memory.
//!
//!     cargo run --release -p embedding-stream -- --serve [ADDR]
//!     cargo run --release -p embedding-stream -- [--deflate] MIB
//!
//! The second form starts the first as a separate process, sends it one message of MIB mebibytes, and prints the time
//! and the memory used at both ends. The message is text; both ends validate its UTF-8 incrementally.

mod client;
mod server;

use std::env;
use std::error::Error;

use crc32fast::Hasher;

/// The size of reads and of sent fragments.
const BUFFER_SIZE: usize = 64 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--serve"] => server::run("127.0.0.1:9001"),
        ["--serve", address] => server::run(address),
        ["--deflate", size] => client::run(size.parse()?, true),
        [size] => client::run(size.parse()?, false),
        _ => Err("usage: embedding-stream [--deflate] MIB | --serve [ADDR]".into()),
    }
}

/// The server's reply to a message.
fn answer(size: u64, checksum: Hasher) -> String {
    format!("{size} bytes, CRC-32 {:08x}", checksum.finalize())
}
