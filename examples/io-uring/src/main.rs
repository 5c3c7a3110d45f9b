//! An echo server on io_uring (tokio-uring): buffers that the kernel has while it reads and writes, and one thread.
//!
//!     cargo run --release -p embedding-io-uring -- [ADDR]
//!
//! Exits with 77 where the kernel has no io_uring, or does not allow it.

#[cfg(target_os = "linux")]
mod server;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    server::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("io_uring is Linux's");
    77.into()
}
