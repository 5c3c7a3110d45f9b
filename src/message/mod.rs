//! Messages: what applications send and receive (RFC 6455 section 5.6).
//!
//! A message that lies whole in the input is lent from there; one that came in pieces is put together by the
//! assembler and moved out. [`Payload`] and [`Text`] are both, and the difference shows in nothing but the
//! cost.

mod assembler;
#[cfg(feature = "bytes")]
mod bytes;
mod chunks;
mod payload;

pub(crate) use assembler::{Assembled, Assembler};
pub(crate) use chunks::{Chunk, Chunks};
pub use payload::{Payload, Text};

use crate::frame::OpCode;

/// The two kinds of messages.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "RFC 6455 section 5.6 knows these two")]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

impl MessageKind {
    /// The opcode of the message's first frame.
    pub const fn opcode(self) -> OpCode {
        match self {
            Self::Text => OpCode::Text,
            Self::Binary => OpCode::Binary,
        }
    }
}
