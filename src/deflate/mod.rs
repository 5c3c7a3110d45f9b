//! Compression of messages: `permessage-deflate`, RFC 7692.

mod compress;
mod config;
mod decompress;
mod history;
mod negotiation;
mod pool;

use core::fmt;

use crate::CloseCode;

pub use compress::Compressor;
pub use config::DeflateConfig;
pub use decompress::Decompressor;
pub use negotiation::{EXTENSION, NegotiationError, Parameter, Parameters, Window, accept, check, offer};

/// The lengths of an empty stored block, which end a flush, and are left off at the end of a message (RFC 7692
/// section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Why a compressed message cannot be inflated. Always the sender's doing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// Not DEFLATE data, or a reference to before all that was sent (RFC 7692 section 7.2.2).
    Corrupt,
    /// The message ends inside its data.
    Truncated,
    /// The message inflates to more than the limit.
    TooBig {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The message has more final blocks than its size can explain, each of which takes time, whatever its
    /// size.
    TooManyFinalBlocks {
        /// The limit, in blocks.
        limit: u64,
    },
    /// An earlier piece was refused by the function it was given to.
    Refused,
}

impl Error {
    /// The code of the Close frame that answers this error (RFC 6455 section 7.4.1).
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::Corrupt | Self::Truncated | Self::Refused => CloseCode::INVALID_DATA,
            Self::TooBig { .. } | Self::TooManyFinalBlocks { .. } => CloseCode::TOO_BIG,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt => f.write_str("peer sent compressed data that are invalid"),
            Self::Truncated => f.write_str("peer sent compressed data that are cut off"),
            Self::TooBig { limit } => {
                write!(
                    f,
                    "compressed message inflates to more than the limit of {limit} bytes"
                )
            }
            Self::TooManyFinalBlocks { limit } => {
                write!(
                    f,
                    "compressed message has more than the limit of {limit} final blocks"
                )
            }
            Self::Refused => f.write_str("an earlier piece of the message was refused"),
        }
    }
}

impl core::error::Error for Error {}
