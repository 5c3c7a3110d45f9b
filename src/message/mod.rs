//! Messages: what applications send and receive (RFC 6455 section 5.6).
//!
//! A message that is complete in the input is borrowed from there; one received in pieces is reassembled by the assembler
//! and moved out. [`Payload`] and [`Text`] can be either; only the cost differs.

mod assembler;
#[cfg(feature = "bytes")]
mod bytes;
mod chunks;
mod payload;

pub(crate) use assembler::Assembler;
pub(crate) use chunks::Chunks;
pub use payload::{Payload, Text};

use crate::frame::{Header, Masked, OpCode};
use crate::kernel;
use crate::utf8::InvalidUtf8;

/// The kind of a message: text or binary.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "RFC 6455 section 5.6 knows these two")]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

/// Whether a fragment or chunk is the last one of its message: the FIN bit of RFC 6455 section 5.2.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "a bit")]
pub enum Fin {
    /// More fragments or chunks follow.
    More,
    /// This is the last one.
    Last,
}

/// A message, or the part of it received so far.
pub(crate) enum Content<'i> {
    Text(Text<'i>),
    Binary(Payload<'i>),
}

impl MessageKind {
    /// Returns the opcode of the message's first frame.
    pub const fn opcode(self) -> OpCode {
        match self {
            Self::Text => OpCode::Text,
            Self::Binary => OpCode::Binary,
        }
    }
}

impl Fin {
    #[inline]
    pub(crate) fn of(header: &Header) -> Self {
        match header.fin {
            true => Self::Last,
            false => Self::More,
        }
    }
}

impl<'i> Content<'i> {
    pub(crate) const NONE: Self = Self::Binary(Payload::EMPTY);

    /// Unmasks a message that is complete in the input, except for its first bytes, which were unmasked before.
    #[inline(always)]
    pub(crate) fn lend(kind: MessageKind, payload: Masked<'i>, unmasked: usize) -> Result<Self, InvalidUtf8> {
        let Masked { bytes, key } = payload;
        Ok(match kind {
            MessageKind::Text => Self::Text(kernel::unmask_text(bytes, unmasked, key)?.into()),
            MessageKind::Binary => {
                let rest = Masked {
                    bytes: &mut *bytes,
                    key,
                };
                rest.skip(unmasked).unmask();
                Self::Binary((&*bytes).into())
            }
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Binary(payload) => payload.is_empty(),
        }
    }
}
