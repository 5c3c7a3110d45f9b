//! On io_uring: the driver of `examples/io-uring`.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use rustls::ServerConfig;

use crate::Tls;

/// Serves clients. Returns 77 if there is no io_uring.
pub fn run(address: &str, config: &Arc<ServerConfig>) -> ExitCode {
    embedding_io_uring::run(address, "wss", |memory| {
        Tls::server(memory, Arc::clone(config)).map_err(io::Error::other)
    })
}
