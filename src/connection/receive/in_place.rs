//! Payloads that stay in the input until they are complete: what comes is unmasked there, and of a text validated,
//! while it is in the cache.

use super::{Coding, Error, Frame, MessageKind, ReceiveHalf};
use crate::frame::Masked;
use crate::message::Chunks;

impl ReceiveHalf {
    /// Works on a payload that is not complete, of which `input` has the front. Control frames are short, and left as
    /// they are.
    pub(super) fn work_in_place(&mut self, frame: Frame, input: &mut &mut [u8]) -> Result<(), Error> {
        let Frame::Whole(kind) = frame else {
            return Ok(());
        };
        let payload = Masked {
            bytes: input,
            key: self.decoder.key(),
        };
        let result = self.chunks_in_place(kind).unmask(payload);
        if result.is_err() {
            // As with every other delivery, all input is consumed.
            self.decoder.masked_chunk(input);
        }
        result.map_err(Error::not_utf8)
    }

    fn chunks_in_place(&mut self, kind: MessageKind) -> &mut Chunks {
        self.coding = Coding::Plain;
        self.chunks.get_or_insert_with(|| Chunks::begin(kind))
    }

    /// How many bytes of a payload that is complete were unmasked while it was not. A text is validated once more there: the bytes
    /// were in the caller's hands.
    pub(super) fn finish_in_place(&mut self) -> usize {
        let unmasked = self.chunks.take().map_or(0, |chunks| chunks.size());
        usize::try_from(unmasked).unwrap_or(usize::MAX)
    }
}
