//! An echo server on epoll (mio): one thread, and one pair of buffers for all connections.
//!
//! The buffers are lent to the client whose turn it is. A client keeps them only while its socket does not accept its
//! output, or while it has sent part of a frame; an idle client has none. While too much output is buffered for a
//! client, its endpoint does not read from it.

mod client;
mod server;

pub use client::{Client, Socket};
pub use server::Server;
