//! An echo server on io_uring (tokio-uring), on one thread: the kernel owns the buffers while it reads and writes.
//!
//!     cargo run --release -p embedding-io-uring -- [ADDR]
//!
//! Exits with 77 if the kernel has no io_uring, or does not allow it.

#[cfg(target_os = "linux")]
mod server;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    server::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("io_uring exists only on Linux");
    77.into()
}
