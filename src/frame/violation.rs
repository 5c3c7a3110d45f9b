//! Errors that a single frame header can contain.

use core::fmt;

use super::OpCode;
use crate::CloseCode;

/// Why a frame header was rejected: it breaks a rule of RFC 6455 section 5, or exceeds a limit. Always caused by the
/// peer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Violation {
    /// A reserved bit is set that no negotiated extension defines (section 5.2). Holds the three bits, RSV1 as 4.
    ReservedBits(u8),
    /// The opcode is one of 3 to 7 or 11 to 15 (section 5.2).
    ReservedOpCode(u8),
    /// A control frame without the FIN bit (section 5.5).
    FragmentedControl,
    /// A control frame with a length of 16 or 64 bits (section 5.5): it has more than 125 bytes, or writes its length in
    /// more bytes than needed. Found at the second byte, before the length itself.
    ExtendedControlLength,
    /// A client sent a frame without a mask (section 5.1).
    Unmasked,
    /// A server sent a frame with a mask (section 5.1).
    Masked,
    /// A length written in more bytes than it needs (section 5.2). Holds the length.
    NonMinimalLength(u64),
    /// A 64-bit length with the most significant bit set (section 5.2). Holds the length.
    LengthOutOfRange(u64),
    /// A data frame longer than the limit set with [`Rules::max_payload`](super::Rules::max_payload).
    PayloadTooBig {
        /// The limit in force, in bytes.
        limit: u64,
        /// The length that the header announces, in bytes.
        len: u64,
        /// What the frame is for.
        opcode: OpCode,
    },
}

impl Violation {
    /// Returns the code of the Close frame that answers this (RFC 6455 section 7.4.1).
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::PayloadTooBig { .. } => CloseCode::TOO_BIG,
            Self::ReservedBits(_)
            | Self::ReservedOpCode(_)
            | Self::FragmentedControl
            | Self::ExtendedControlLength
            | Self::Unmasked
            | Self::Masked
            | Self::NonMinimalLength(_)
            | Self::LengthOutOfRange(_) => CloseCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ReservedBits(bits) => write!(f, "peer set reserved bits {bits:#05b} without an extension"),
            Self::ReservedOpCode(opcode) => write!(f, "peer sent reserved opcode {opcode:#x}"),
            Self::FragmentedControl => f.write_str("peer fragmented a control frame"),
            Self::ExtendedControlLength => f.write_str(
                "peer sent a control frame with an extended payload length; it has a 7-bit one, of at most 125 bytes",
            ),
            Self::Unmasked => f.write_str("client sent an unmasked frame"),
            Self::Masked => f.write_str("server sent a masked frame"),
            Self::NonMinimalLength(len) => write!(f, "peer wrote length {len} in more bytes than needed"),
            Self::LengthOutOfRange(len) => write!(f, "peer sent length {len} with the top bit set"),
            Self::PayloadTooBig { limit, len, .. } => {
                write!(
                    f,
                    "payload of {len} bytes is over the limit of {limit} bytes (Rules::max_payload)"
                )
            }
        }
    }
}

impl core::error::Error for Violation {}
