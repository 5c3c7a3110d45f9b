//! An echo server on epoll: see `lib.rs`.
//!
//!     cargo run --release -p embedding-epoll -- [ADDR]
//!     cargo run --release -p embedding-epoll -- --clients N
//!
//! The second form starts the first as a separate process, holds N connections to it, exchanges messages on each, and
//! prints how much memory the server uses for each.

mod load;

use std::env;
use std::error::Error;
use std::io;

use embedding_epoll::Server;

fn main() -> Result<(), Box<dyn Error>> {
    raise_file_limit()?;
    let args: Vec<_> = env::args().skip(1).collect();
    match &args[..] {
        [] => serve("127.0.0.1:9001")?,
        [option, count] if option == "--clients" => load::run(count.parse()?)?,
        [address] => serve(address)?,
        _ => return Err("usage: embedding-epoll [ADDR | --clients N]".into()),
    }
    Ok(())
}

fn serve(address: &str) -> Result<(), Box<dyn Error>> {
    let server = Server::bind(address.parse()?, |end| eprintln!("{end}"))?;
    println!("listening on ws://{}", server.address()?);
    Ok(server.run()?)
}

/// Raises the limit of descriptors to the most that the system allows.
fn raise_file_limit() -> io::Result<()> {
    const MANY: u64 = 1 << 20;
    rlimit::Resource::NOFILE
        .set(MANY, MANY)
        .or_else(|_| rlimit::increase_nofile_limit(MANY).map(drop))
}
