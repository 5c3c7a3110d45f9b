//! Payloads that stay in the input until they are complete: bytes are unmasked there as they arrive, and text is
//! validated, while they are in the cache.

use super::{Coding, Error, Frame, MessageKind, ReceiveHalf};
use crate::frame::Masked;
use crate::message::Chunks;

impl ReceiveHalf {
    /// Works on a partial payload, of which `input` has the front. Control frames are short, and left as they are.
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

    /// Returns how many bytes of a complete payload were unmasked while it was partial. A text is validated once more
    /// there, because the caller had access to the bytes.
    pub(super) fn finish_in_place(&mut self) -> usize {
        let unmasked = self.chunks.take().map_or(0, |chunks| chunks.size());
        usize::try_from(unmasked).unwrap_or(usize::MAX)
    }
}
