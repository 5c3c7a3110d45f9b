//! An echo server on io_uring: see `lib.rs`.
//!
//!     cargo run --release -p embedding-io-uring -- [ADDR]
//!
//! Exits with 77 if the kernel has no io_uring, or does not allow it.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    embedding_io_uring::run(&address, "ws", Ok)
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("io_uring exists only on Linux");
    77.into()
}
