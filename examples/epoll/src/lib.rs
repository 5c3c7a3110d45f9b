//! An echo server on epoll (mio): one thread, and one pair of buffers for all connections.
//!
//! - **The buffers are lent** to the client whose turn it is. A client keeps them only while its socket does not accept its
//!   output, or while it has sent part of a frame; other clients have none, except the last one that had a turn. While too
//!   much output is buffered for a client, its endpoint does not read from it.
//! - **A large message is not copied.** It is received in place, in the read buffer, and written from there with its header, by
//!   one vectored write. Only what the socket does not accept is copied, into the output.
//! - **Three system calls for a message**, if it arrives in one piece: the wait, one read, which ends the turn unless it filled
//!   the buffer, and one write.

mod client;
mod server;

pub use client::{Client, Socket, Transport};
pub use server::Server;
