//! A sans-IO WebSocket core.
#![no_std]
#![cfg_attr(not(feature = "simd"), forbid(unsafe_code))]
#![cfg_attr(feature = "simd", deny(unsafe_code))]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(
    missing_debug_implementations,
    missing_docs,
    unnameable_types,
    unreachable_pub,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod close;
#[cfg(feature = "alloc")]
mod config;
#[cfg(feature = "alloc")]
pub mod connection;
mod cursor;
#[cfg(feature = "alloc")]
mod entropy;
#[cfg(feature = "alloc")]
mod error;
pub mod frame;
pub mod handshake;
#[cfg(feature = "alloc")]
mod message;
pub mod utf8;

pub use close::{CloseCode, MAX_REASON_SIZE};
#[cfg(feature = "alloc")]
pub use config::{AutoPong, Config};
#[cfg(feature = "alloc")]
pub use connection::{Close, Closed, ClosedBy, Connection, Event, Fin, Prepared, State, Transport};
#[cfg(feature = "alloc")]
pub use entropy::Entropy;
#[cfg(all(feature = "alloc", feature = "getrandom"))]
pub use entropy::OsEntropy;
#[cfg(feature = "alloc")]
pub use error::{Error, Misuse};
pub use frame::Role;
#[cfg(feature = "alloc")]
pub use message::{MessageKind, Payload, Text};
