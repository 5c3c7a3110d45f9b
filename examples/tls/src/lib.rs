//! WebSocket over TLS, `wss`, with rustls, wherever a driver performs its steps on a transport of std.
//!
//! rustls has no socket either: it turns bytes into bytes. [`Tls`] puts it between an endpoint and a stream, and is a
//! transport like any other: blocking or not, a socket or memory. The echo servers are the drivers of the packages
//! `smol`, `epoll` and `io-uring`, with a `Tls` in the place of the socket, and one of threads:
//!
//! | module | the stream in [`Tls`] | what the driver needs in addition |
//! |---|---|---|
//! | [`threads`] | a blocking socket with a deadline | nothing |
//! | [`smol`] | a non-blocking socket | [`Tls::interest`] |
//! | [`epoll`] | the same, on an edge-triggered poll | [`Tls::is_ready`] |
//! | [`io_uring`] | memory that the kernel reads to and writes from | nothing |
//!
//! To use it in a program, copy `tls.rs`. On tokio, `tokio-rustls` does the same: see `examples/tokio`.

pub mod epoll;
#[cfg(target_os = "linux")]
pub mod io_uring;
pub mod smol;
pub mod threads;
mod tls;

pub use tls::Tls;
