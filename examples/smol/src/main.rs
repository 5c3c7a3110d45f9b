//! An echo server on smol: see `lib.rs`.
//!
//!     cargo run --release -p embedding-smol -- [ADDR]

use std::env;
use std::error::Error;
use std::net::ToSocketAddrs;

use embedding_smol::{listen, serve};

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let address = address.to_socket_addrs()?.next().ok_or("no address")?;
    let client = |stream| async move { serve(&stream, stream.get_ref()).await };
    Ok(smol::block_on(listen(address, "ws", client))?)
}
