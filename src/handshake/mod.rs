//! The opening handshake.

pub mod key;
