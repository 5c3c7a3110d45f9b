//! Payloads that stay in the input until they are complete: bytes are unmasked there as they arrive, and text is
//! validated, while they are in the cache.

use super::{Coding, Error, Frame, MessageKind, ReceiveHalf};
use crate::config::Delivery;
use crate::frame::Masked;
use crate::message::Chunks;

impl ReceiveHalf {
    /// Returns whether to leave a partial payload in the input until it is complete. Fragments are assembled elsewhere anyway.
    #[inline]
    pub(super) fn stays_in_place(&self, frame: Frame, input: &[u8], max_held: u64) -> bool {
        let remaining = self.payload_remaining();
        let missing = remaining.saturating_sub(input.len() as u64);
        match (self.delivery, frame) {
            _ if missing == 0 => false,
            (Delivery::Chunks, _) | (_, Frame::Fragment(_)) => false,
            (Delivery::InPlace, Frame::Whole(_) | Frame::Control(_)) => true,
            (Delivery::Whole, Frame::Control(_)) => false,
            (Delivery::Whole, Frame::Whole(_)) => {
                self.chunks.is_some() || remaining <= max_held && is_worth_holding(remaining, missing)
            }
        }
    }

    /// Moves the part of a payload that stays in the input into the message that is assembled elsewhere.
    pub(in crate::connection) fn release_input(&mut self, input: &mut &mut [u8]) {
        let (Delivery::Whole, Some(Frame::Whole(kind)), Some(chunks)) =
            (self.delivery, self.frame, &self.chunks)
        else {
            return;
        };
        // More may have been read since.
        if input.is_empty() || chunks.size() != input.len() as u64 {
            return;
        }
        self.chunks = None;
        let unmasked = Masked {
            bytes: self.decoder.masked_chunk(input).bytes,
            key: None,
        };
        if let Err(error) = self.begin_partial(kind, unmasked) {
            self.fail(error);
        }
    }

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

/// Returns whether moving the received part of a payload to the front of the buffer, and validating it twice, costs less than
/// copying the complete payload. Only then does the buffer have space for the rest without growing.
fn is_worth_holding(size: u64, missing: u64) -> bool {
    missing > size / 2
}
