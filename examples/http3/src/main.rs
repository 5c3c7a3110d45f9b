//! WebSocket over HTTP/3 (RFC 9220), both roles, with the crate quiche.
//!
//!     cd examples/http3
//!     cargo run --release -- serve CERTIFICATE [ADDR]
//!     cargo run --release -- echo URL CERTIFICATE [--messages N] [--size BYTES]
//!
//! The server has a page and an echo. It creates a certificate for `localhost` and writes it to the file; the client
//! trusts only that one.
//!
//! quiche does no IO either: it consumes and produces packets, which [`udp`] sends and receives, so no adapter is needed.
//! The two handshakes are lists of fields, in [`peer`] and [`client`]. After them, both roles use the same code: an
//! endpoint over one [`stream`].

use std::env;
use std::error::Error;
use std::num::NonZero;
use std::path::Path;

mod client;
#[path = "../../http2/src/echo.rs"]
mod echo;
mod peer;
mod server;
mod stream;
mod udp;

type Failure = Box<dyn Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let (mut messages, mut size) = (10_000, 125);
    let mut words = Vec::new();
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--messages" => messages = value()?.parse::<NonZero<usize>>()?.get(),
            "--size" => size = value()?.parse()?,
            _ => words.push(arg),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", certificate] => server::run("localhost:9005", Path::new(certificate)).await,
        ["serve", certificate, address] => server::run(address, Path::new(certificate)).await,
        ["echo", url, certificate] => client::run(url, certificate, messages, size).await,
        _ => Err("serve CERTIFICATE [ADDR], or echo URL CERTIFICATE".into()),
    }
}
