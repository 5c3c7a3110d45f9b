//! WebSocket over HTTP/2 (RFC 8441), both roles, with the crate h2.
//!
//!     cargo run --release -p embedding-http2 -- serve [ADDR] [--tls CERTIFICATE]
//!     cargo run --release -p embedding-http2 -- echo URL [--tls CERTIFICATE] [--messages N] [--size BYTES]
//!
//! The server has a page and an echo. Without TLS it speaks HTTP/2 from the first byte, which no browser does. With
//! TLS, the server creates a certificate and writes it to the file, and the client trusts only that one.
//!
//! The two handshakes are in [`server`] and [`client`]. After them, both use the same code: an endpoint over the two
//! directions of one [`stream`].

use std::env;
use std::error::Error;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

mod client;
mod echo;
mod server;
mod stream;
mod tls;

/// The timeout of each opening handshake: of TLS, of HTTP/2 and of a stream. After that, the endpoint's deadlines apply.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// How many streams a peer may have open at the same time.
const MAX_STREAMS: u32 = 100;
/// How much data of each stream may be unread. The window of the HTTP/2 connection is large enough for all of them, so
/// a stream that is not read does not block the others.
const WINDOW_SIZE: u32 = 64 * 1024;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut certificate: Option<PathBuf> = None;
    let (mut messages, mut size) = (10_000, 125);
    let mut words = Vec::new();
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--tls" => certificate = Some(value()?.into()),
            "--messages" => messages = value()?.parse::<NonZero<usize>>()?.get(),
            "--size" => size = value()?.parse()?,
            _ => words.push(arg),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["serve"] => server::run("127.0.0.1:9004", certificate.as_deref()).await,
        ["serve", address] => server::run(address, certificate.as_deref()).await,
        ["echo", url] => client::run(url, certificate.as_deref(), messages, size).await,
        _ => Err("serve [ADDR], or echo URL".into()),
    }
}
