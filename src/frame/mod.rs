//! The wire format of RFC 6455 section 5: headers, masking and a streaming decoder.
//!
//! A frame is a header of 2 to 14 bytes and a payload of the length it states:
//!
//! ```text
//!  byte 0          byte 1          0, 2 or 8 bytes    0 or 4 bytes   `payload_len` bytes
//! +-+---+-------+ +-+-------------+ +---------------+ +-------------+ +- - - - -+
//! |F|RSV| opcode| |M| length      | | longer length | | masking key | | payload |
//! +-+---+-------+ +-+-------------+ +---------------+ +-------------+ +- - - - -+
//! ```
//!
//! This module buffers only a partial header (at most 13 bytes) and works without `alloc`; it allocates only in
//! `mask::append`, for its output. It checks the rules that a single header decides. [`connection`][crate::connection],
//! which is built on the [`Decoder`], checks those that need more than one frame (the order of fragments, UTF-8,
//! closing).
//!
#![cfg_attr(
    not(feature = "alloc"),
    doc = "\
[crate::connection]: https://docs.rs/websocket-proto/latest/websocket_proto/connection/index.html"
)]
//!
//! ```
//! use websocket_proto::Role;
//! use websocket_proto::frame::{Decoder, Item, Rules};
//!
//! // The masked "Hello" of RFC 6455 section 5.7, in two reads.
//! let mut wire = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
//! let mut decoder = Decoder::new(Rules::new(Role::Server));
//! let mut text = [0; 5];
//! let mut at = 0;
//! let (first, second) = wire.split_at_mut(8);
//! for mut input in [first, second] {
//!     while let Some(item) = decoder.decode(&mut input)? {
//!         match item {
//!             Item::Start(header) => assert_eq!(header.payload_len, 5),
//!             Item::Chunk(chunk) => {
//!                 text[at..at + chunk.len()].copy_from_slice(chunk);
//!                 at += chunk.len();
//!             }
//!             Item::End => assert_eq!(&text, b"Hello"),
//!         }
//!     }
//! }
//! # Ok::<(), websocket_proto::frame::Violation>(())
//! ```

mod decoder;
mod header;
pub mod mask;
pub mod raw;
mod violation;

pub use decoder::{Decoder, Item};
pub use header::{EncodedHeader, Header, MAX_CONTROL_PAYLOAD, MAX_HEADER_SIZE, OpCode, Rules};
pub use violation::Violation;

#[cfg(feature = "alloc")]
pub(crate) use decoder::Masked;
#[cfg(feature = "alloc")]
pub(crate) use header::max_deflated;

/// The two ends of a connection. Clients mask what they send, servers do not (RFC 6455 section 5.1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Role {
    /// The end that sent the opening handshake's request.
    Client,
    /// The end that answered it.
    Server,
}

impl Role {
    /// Returns the role of the other end.
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}
