//! The limit for messages (RFC 6455 section 10.4), which may change while the connection is open.

use super::{Coding, Frame, ReceiveHalf};
use crate::config::Delivery;
use crate::error::Error;
use crate::frame::{Violation, max_deflated};
use crate::growth::max_additional;

impl ReceiveHalf {
    /// Same as [`Connection::set_max_message_size`](crate::Connection::set_max_message_size).
    pub fn set_max_message_size(&mut self, bytes: u64) {
        self.max_message_size = limit_of(self.delivery, bytes);
        self.decoder.set_max_payload(self.left_for_fragment());
        if let (true, Err(error)) = (self.state.is_open(), self.check_begun_message()) {
            self.state.fail_next(error);
            self.drop_unfinished();
        }
    }

    /// Returns how many bytes the limit leaves for the next fragment (RFC 6455 section 10.4). In a compressed message
    /// the limit applies to the inflated bytes, while they are inflated.
    pub(super) fn left_for_fragment(&self) -> u64 {
        match self.is_inside_deflated() {
            true => max_deflated(self.max_message_size),
            false => self.max_message_size.saturating_sub(self.size()),
        }
    }

    /// Returns the size of the message so far: the bytes received or, if it is compressed, the bytes inflated.
    pub(super) fn size(&self) -> u64 {
        match (&self.chunks, self.frame) {
            // None of it is consumed before it is complete.
            (_, Some(Frame::Whole(_))) => 0,
            (Some(chunks), _) => chunks.size(),
            (None, _) => self.message.size() as u64,
        }
    }

    fn is_inside_deflated(&self) -> bool {
        matches!(self.coding, Coding::Deflated) && !self.is_between_messages()
    }

    /// Checks that the current message is within the limit, as far as its headers say.
    fn check_begun_message(&self) -> Result<(), Error> {
        let announced = match (self.frame, self.is_inside_deflated()) {
            (None | Some(Frame::Control(_)), _) | (Some(Frame::Fragment(_)), true) => 0,
            (Some(Frame::Whole(_)), _) | (Some(Frame::Fragment(_)), false) => self.payload_remaining(),
        };
        match self.size().saturating_add(announced) {
            size if size <= self.max_message_size => Ok(()),
            _ if self.is_inside_deflated() => Err(self.too_big(self.max_message_size.saturating_add(1))),
            size => Err(self.too_big(size)),
        }
    }

    /// Converts a violation. The decoder knows what the limit leaves for a fragment; the error names the limit for the
    /// message, unless the frame is not part of it.
    pub(super) fn violation(&self, violation: Violation) -> Error {
        let Violation::PayloadTooBig { len, opcode, limit } = violation else {
            return Error::Frame(violation);
        };
        if let Err(error) = self.check_order(opcode) {
            return error;
        }
        self.too_big(match limit > self.max_message_size {
            // Of a compressed frame, whose length is not the inflated size.
            true => self.max_message_size.saturating_add(1),
            false => len.saturating_add(self.size()),
        })
    }

    fn too_big(&self, size: u64) -> Error {
        let limit = self.max_message_size;
        Error::MessageTooBig { limit, size }
    }
}

/// Caps the limit: a message assembled in a buffer cannot be larger than a buffer.
pub(super) fn limit_of(delivery: Delivery, bytes: u64) -> u64 {
    match delivery {
        Delivery::Whole | Delivery::InPlace => max_additional(0, bytes),
        Delivery::Chunks => bytes,
    }
}
