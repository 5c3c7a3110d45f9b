//! An echo server on io_uring (tokio-uring), on one thread: the kernel owns the buffers while it reads and writes.
//!
//! So the driver does not perform its steps on the socket but on a [`Memory`], which holds what the kernel has read and
//! what it is to write. When no step is left to perform, the driver gives the kernel what is to be written and a buffer
//! to read to, and waits.
//!
//! What the steps are performed on is a type parameter: the memory itself, or TLS on it, as in `examples/tls`.

#![cfg(target_os = "linux")]

mod memory;
mod server;

pub use memory::Memory;
pub use server::run;
