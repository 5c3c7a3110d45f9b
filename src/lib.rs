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

#[cfg(feature = "alloc")]
mod config;
#[cfg(feature = "alloc")]
pub mod connection;
#[cfg(feature = "alloc")]
mod entropy;
pub mod handshake;

#[cfg(feature = "alloc")]
pub use config::{AutoPong, Config};
#[cfg(feature = "alloc")]
pub use connection::Connection;
#[cfg(feature = "alloc")]
pub use entropy::Entropy;
