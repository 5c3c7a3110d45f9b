//! An echo server on io_uring with multishot receive and the kernel's ring of buffers: see `lib.rs`.
//!
//!     cargo run --release -p embedding-io-uring-multishot -- [--max-message BYTES] [ADDR]
//!
//! Exits with 77 if the kernel has no io_uring, one older than that of Linux 6.1, or does not allow it.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use std::io::ErrorKind;

    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            eprintln!("io_uring of Linux 6.1 or later is not available: {error}");
            77.into()
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
fn serve() -> std::io::Result<()> {
    use std::io::{Error, ErrorKind};

    use embedding_io_uring_multishot::{Config, Server};

    const USAGE: &str = "usage: embedding-io-uring-multishot [--max-message BYTES] [ADDR]";
    let usage = |_| Error::new(ErrorKind::InvalidInput, USAGE);
    let (mut config, mut address) = (Config::default(), "127.0.0.1:9001".to_string());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--max-message" => {
                let bytes = arguments
                    .next()
                    .unwrap_or_default()
                    .parse()
                    .map_err(|_| usage(()))?;
                config.connection = config.connection.max_message_size(bytes);
            }
            _ => address = argument,
        }
    }
    let address = address.parse().map_err(|_| usage(()))?;
    // Each connection needs a descriptor.
    _ = rlimit::increase_nofile_limit(1 << 20);
    let mut server = Server::bind(address, config)?;
    println!("listening on ws://{}", server.address()?);
    loop {
        server.turn()?;
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("io_uring exists only on Linux");
    77.into()
}
