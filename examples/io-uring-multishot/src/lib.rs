//! An echo server on io_uring, on one thread, that receives into buffers of which the kernel chooses one when bytes arrive.
//!
//! - **One operation accepts all connections, and one receives all that arrives on a connection** (multishot). An idle
//!   connection has no buffer: the kernel takes one from a ring that all connections share.
//! - **Frames are decoded where the kernel wrote them.** A message that is complete in a buffer is lent to the application
//!   from there; one that is split over several is assembled in other memory, which copies it once. The buffer goes back to
//!   the kernel as soon as its events are handled.
//! - **A large message is not copied.** If 16 KiB or more of a payload are missing, they are received directly into memory of
//!   their own, which grows with what has arrived, and the message is sent from there, after its header. After a message of 32
//!   KiB or more, only the header of the next one is received into a buffer. In a turn, 256 KiB are received directly, so that
//!   they are still in a cache when they are decoded and sent; other clients wait in a queue, first in, first out.
//! - **One send at a time for each connection**, of all output of a turn. Until it is complete, the kernel owns the bytes, also
//!   those of a client that has left, and further output is gathered in other memory. Memory that was not used for a second is
//!   freed.
//! - **A client that does not read is not read from**: while more than [`Config::max_buffered`] bytes wait, its receive is
//!   cancelled. What arrives until then is held, and the buffers are not.
//! - **Without buffers** the kernel ends the receives of clients that needed one; they wait in a queue, first in, first out.
//! - **One timeout** for all deadlines: that of the call that also starts operations and waits for completions.
//!
//! The modules, from the kernel upwards: `buffers` is the ring of buffers, `ring` the operations and what the kernel needs for
//! them, `client` a connection without its transport, and `server` the loop. All `unsafe` code is in the first two.
#![cfg(target_os = "linux")]
#![warn(clippy::undocumented_unsafe_blocks, unsafe_op_in_unsafe_fn)]

mod buffers;
mod client;
mod memory;
mod outgoing;
mod ring;
mod server;
mod slots;

use std::time::Duration;

pub use client::End;
pub use server::Server;
use websocket_proto::Delivery;
use websocket_proto::keepalive::KeepaliveConfig;

/// The settings of a [`Server`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The size of the submission queue: 1 to 32,768, rounded up to a power of two. Other values are replaced by the nearest.
    pub submissions: u32,
    /// The size of the completion queue, which is the most completions of one turn: from the size of the submission queue to
    /// 65,536, rounded up to a power of two. Other values are replaced by the nearest.
    pub completions: u32,
    /// How many buffers all connections share, rounded up to a power of two: about as many as have something to receive at
    /// the same time.
    pub buffers: u16,
    /// The size of a buffer, at most 1 MiB. A message that fits, with its header, is usually not copied.
    pub buffer_size: usize,
    /// How much output of a client may wait before nothing more is received from it, in bytes; 0 is replaced by 1.
    pub max_buffered: usize,
    /// How long the transport of a client may accept no output. [`Duration::MAX`] disables this timeout.
    pub write_timeout: Duration,
    /// How long to wait for a client to end the transport after we did. [`Duration::MAX`] disables this timeout.
    pub linger_timeout: Duration,
    /// The settings of each connection: its limits, subprotocols and extensions.
    pub connection: websocket_proto::Config,
    /// The timeouts of the handshakes, and the interval and timeout of Pings.
    pub keepalive: KeepaliveConfig,
    /// Called when a client has left.
    pub on_end: fn(&End),
}

impl Config {
    /// Replaces the settings that a client cannot have.
    fn effective(mut self) -> Self {
        self.max_buffered = self.max_buffered.max(1); // even nothing would be too much
        self.connection = self.connection.delivery(Delivery::InPlace);
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            submissions: 256,
            completions: 4096,
            buffers: 256,
            buffer_size: 16 * 1024,
            max_buffered: 1024 * 1024,
            write_timeout: Duration::from_secs(10),
            linger_timeout: Duration::from_secs(2),
            connection: websocket_proto::Config::new(),
            keepalive: KeepaliveConfig::new(),
            on_end: |end| eprintln!("{end}"),
        }
    }
}

/// What a [`Server`] has counted.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Connections accepted so far.
    pub accepted: u64,
    /// Connections now.
    pub clients: usize,
    /// Operations in progress.
    pub operations: usize,
    /// Buffers that the kernel does not have: between two turns, it has all.
    pub buffers_in_use: usize,
    /// Messages that were lent from the buffer that the kernel filled.
    pub in_place: u64,
    /// Messages that were lent from other memory: they were split over several buffers, which were copied, were received
    /// directly, or were held while too much output waited.
    pub copied: u64,
    /// Messages that were sent from the memory that they were received in.
    pub sent_in_place: u64,
    /// Bytes that were received into memory of a message.
    pub received_directly: u64,
    /// How often the kernel found no buffer.
    pub starved: u64,
    /// How often a receive was cancelled because too much output waited.
    pub stopped: u64,
    /// How often the transport accepted a part of a send.
    pub partial_sends: u64,
    /// Bytes received, and sends completed, for a client that had left.
    pub late: u64,
    /// How often completions did not fit the completion queue.
    pub overflows: u64,
    /// The most output that has waited for one client, in bytes.
    pub most_waiting: usize,
    /// The most bytes of one client that were received and not decoded, because too much output waited.
    pub most_held: usize,
}

impl Counters {
    fn count_message(&mut self, is_in_place: bool) {
        match is_in_place {
            true => self.in_place += 1,
            false => self.copied += 1,
        }
    }
}
