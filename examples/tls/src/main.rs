//! An echo server over TLS, `wss`: see `lib.rs`.
//!
//!     cargo run --release -p embedding-tls -- [--on threads|smol|epoll|io-uring] [ADDR [FILE]]
//!
//! It creates a certificate for localhost and 127.0.0.1, and writes it to FILE for clients to trust:
//!
//!     NODE_EXTRA_CA_CERTS=FILE npx wscat -c wss://localhost:9001
//!
//! Exits with 77 if it is to run on io_uring, and the kernel has none or does not allow it.

use std::env;
use std::error::Error;
use std::fs;
use std::net::ToSocketAddrs;
use std::process::ExitCode;
use std::sync::Arc;

use embedding_tls::{epoll, smol, threads};
use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

const USAGE: &str = "usage: embedding-tls [--on threads|smol|epoll|io-uring] [ADDR [FILE]]";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<ExitCode> {
    let mut args: Vec<_> = env::args().skip(1).collect();
    let on = match args.first().is_some_and(|first| first == "--on") {
        true => args.drain(..2.min(args.len())).nth(1).ok_or(USAGE)?,
        false => "threads".into(),
    };
    let mut args = args.into_iter();
    let address = args.next().unwrap_or_else(|| "127.0.0.1:9001".into());
    let config = self_signed(args.next())?;
    let resolved = address.to_socket_addrs()?.next().ok_or("no address")?;
    match on.as_str() {
        "threads" => threads::run(&address, config)?,
        "smol" => smol::run(resolved, config)?,
        "epoll" => epoll::run(resolved, config)?,
        #[cfg(target_os = "linux")]
        "io-uring" => return Ok(embedding_tls::io_uring::run(&address, &config)),
        _ => return Err(USAGE.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Creates a certificate and its key, and writes the certificate to the file.
fn self_signed(file: Option<String>) -> Result<Arc<ServerConfig>> {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()])?;
    if let Some(file) = file {
        fs::write(file, cert.pem())?;
    }
    let key = PrivateKeyDer::try_from(signing_key.serialize_der())?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.into()], key)?;
    config.alpn_protocols = vec!["http/1.1".into()];
    Ok(Arc::new(config))
}
