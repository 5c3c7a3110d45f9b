//! Reads that go directly into the message that is being assembled, instead of into a buffer from which they are copied.

use super::{Coding, Error, Event, Frame, ReceiveHalf, largest_size};

/// The first-level cache of most processors has room for reads of this size. The bytes of smaller ones are unmasked and
/// validated on their way from there into the message, which takes no longer than doing that where they stay.
const CACHED_READ: usize = 32 * 1024;

impl ReceiveHalf {
    /// Same as [`Connection::payload_space`](crate::Connection::payload_space).
    pub fn payload_space(&mut self, max_read_size: usize) -> Option<&mut [u8]> {
        let (Some(Frame::Fragment(fin)), Coding::Plain) = (self.frame, self.coding) else {
            return None;
        };
        let remaining = self.payload_remaining();
        if !self.is_large(remaining, max_read_size as u64) {
            return None;
        }
        let end = largest_size(self.size(), fin, remaining, self.max_message_size);
        let missing = usize::try_from(remaining).unwrap_or(usize::MAX);
        self.message.space(missing.min(max_read_size), end)
    }

    /// Returns whether reading into the message pays: if at least half of a read is missing, and the message is so much larger
    /// than the buffer that its own memory is not in the caches anyway.
    fn is_large(&self, remaining: u64, max_read_size: u64) -> bool {
        let size = self.size().saturating_add(remaining);
        let (is_cached, is_masked) = (max_read_size <= CACHED_READ as u64, self.decoder.key().is_some());
        let reads = match (is_cached, is_masked) {
            (true, true) => return false,
            (true, false) => 16,
            (false, _) => 2,
        };
        size >= max_read_size.saturating_mul(reads) && remaining >= max_read_size / 2
    }

    /// Same as [`Connection::payload_filled`](crate::Connection::payload_filled).
    pub fn payload_filled(&mut self, size: usize) {
        self.message.record_read(size);
    }

    /// Returns whether space of the message was lent, and nothing was received since.
    pub(in crate::connection) fn awaits_payload(&self) -> bool {
        self.message.is_lent()
    }

    /// Receives what was read into the message.
    #[inline(never)]
    pub(super) fn take_read<'i>(&mut self) -> Result<Option<Event<'i>>, Error> {
        // Space is lent for a fragment only, which ends with what was read into it or later.
        let Some(Frame::Fragment(fin)) = self.frame else {
            return Ok(None);
        };
        let key = self.decoder.pass_payload(self.message.read());
        let complete = self.decoder.finish_frame();
        if complete {
            self.frame = None;
        }
        self.message.unmask_read(key).map_err(Error::not_utf8)?;
        self.end_chunk(fin, complete)
    }
}
