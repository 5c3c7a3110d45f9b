//! What permessage-deflate adds to the two halves (RFC 7692 section 6): the module `deflate`, from the first message
//! that needs it. Without the feature `deflate` nothing can be negotiated, and the same functions do nothing.

#[cfg(feature = "deflate")]
mod deflate;
#[cfg(not(feature = "deflate"))]
mod none;

use alloc::vec::Vec;

#[cfg(feature = "deflate")]
pub(super) use deflate::{Deflating, Inflating};
#[cfg(not(feature = "deflate"))]
pub(super) use none::{Deflating, Inflating};

use super::prepared::Prepared;
use crate::error::Error;
use crate::message::{Assembler, Fin};

/// How much payload is stored for inflating chunk by chunk.
pub(super) const MAX_FED: usize = 4096;

/// The receiving side.
pub(super) trait Inflate {
    /// Inflates a chunk of a compressed message and appends it to the message, which may reach `limit` bytes.
    fn push(&mut self, compressed: &[u8], message: &mut Assembler, limit: u64) -> Result<(), Error>;

    /// Returns whether everything fed is inflated and pulled.
    fn is_drained(&self) -> bool;

    /// Adds at most [`MAX_FED`] bytes of payload for [`pull`](Self::pull) to inflate. The previous ones must be
    /// drained.
    fn feed(&mut self, compressed: &[u8]);

    /// Inflates the next chunk of what was fed; empty once that is drained. The message may reach `limit` bytes.
    fn pull(&mut self, limit: u64) -> Result<&[u8], Error>;

    /// Ends a compressed message.
    fn finish(&mut self) -> Result<(), Error>;
}

/// The sending side.
pub(super) trait Deflate {
    type Compressor;

    fn is_off(&self) -> bool;

    /// Returns the compressor for a message of `size` bytes, if compressing it is worth it.
    fn for_message(&mut self, size: usize) -> Option<&mut Self::Compressor>;

    /// Returns the compressor for a message of unknown size, or for its next fragment.
    fn for_fragments(&mut self) -> Option<&mut Self::Compressor>;

    /// Returns the compressed payload of a prepared message, if the peer can inflate it and it is worth it. Once it is
    /// sent, call [`extend_window`](Self::extend_window).
    fn prepared<'p>(&mut self, prepared: &'p Prepared) -> Option<&'p [u8]>;

    /// Records that the peer's window now contains `message`, which was compressed elsewhere.
    fn extend_window(&mut self, message: &[u8]);

    /// Compresses a chunk of a message.
    fn compress(compressor: &mut Self::Compressor, chunk: &[u8], fin: Fin, out: &mut Vec<u8>);
}
