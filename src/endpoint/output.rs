//! The bytes that wait to be written to the transport.

use alloc::vec::Vec;
use core::fmt;

use super::sender::Cause;

/// Output that the transport has not accepted yet.
///
/// It can be used with a [`Connection`](crate::Connection) as well as in an endpoint: it tracks how much of the output
/// is written, and frees memory.
///
/// ```
/// use websocket_proto::endpoint::Output;
/// use websocket_proto::{Config, Connection};
///
/// let mut connection = Connection::server(&Config::new());
/// let mut output = Output::new();
/// connection.send_text("Hello", output.buffer())?;
/// output.written(3); // the transport accepted three bytes
/// assert_eq!(output.waiting(), b"ello");
/// # Ok::<(), websocket_proto::Misuse>(())
/// ```
pub struct Output {
    bytes: Vec<u8>,
    /// How many of the bytes are written.
    written: usize,
    /// How many bytes there are when the output is full: those that are written, and the limit for those that wait.
    full_at: usize,
    /// How many bytes are accounted for: whether they are replies to the peer. The bytes behind them are not.
    accounted: usize,
    /// How many bytes are accounted for when the output is full of replies, if all that follow are replies.
    replies_full_at: usize,
    /// How many bytes wait up to the end of our Close; 0 if it is written and not flushed. `None`: it is not sent yet,
    /// or is flushed.
    close: Option<usize>,
}

/// As much as a `Vec` can hold, so adding the length of one does not wrap.
const NO_LIMIT: usize = isize::MAX.unsigned_abs();
/// How much memory is always kept, however little was written last.
const KEPT_SIZE: usize = 16 * 1024;

impl Output {
    /// Creates an empty output without allocating.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            written: 0,
            full_at: NO_LIMIT,
            accounted: 0,
            replies_full_at: NO_LIMIT,
            close: None,
        }
    }

    /// Sets how many bytes may wait before the output is full.
    pub(super) fn set_limit(&mut self, bytes: usize) {
        self.fill(self.replies(), bytes.min(NO_LIMIT));
    }

    /// Records that `replies` of the waiting bytes are replies, and that `limit` bytes may wait.
    fn fill(&mut self, replies: usize, limit: usize) {
        self.full_at = self.written.wrapping_add(limit);
        self.accounted = self.bytes.len();
        self.replies_full_at = self.accounted.wrapping_sub(replies).wrapping_add(limit);
    }

    /// Returns the buffer to pass as `out` to this crate's methods. Append only.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Returns the bytes that wait to be written.
    #[inline]
    pub fn waiting(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// Returns how many bytes wait to be written: like `bufferedAmount` in browsers, but including the framing.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.written)
    }

    /// Same as [`len`](Self::len), for a buffer that was only appended to, so that nothing wraps.
    #[inline]
    pub(super) fn total(&self) -> usize {
        self.bytes.len().wrapping_sub(self.written)
    }

    /// Returns how many waiting bytes are replies. Nothing wraps here and below: there are at most as many bytes as a `Vec` can hold,
    /// the limit is at most as large, and replies are a part of the bytes.
    fn replies(&self) -> usize {
        let not_replies = self.replies_full_at.wrapping_sub(self.limit());
        self.accounted.wrapping_sub(not_replies)
    }

    /// Returns how many of the waiting bytes the limit applies to.
    pub(super) fn counted(&self, cause: Cause) -> usize {
        match cause {
            Cause::Event => self.replies(),
            Cause::Caller => self.total(),
        }
    }

    /// Returns how many bytes may wait before the output is full.
    #[inline]
    pub(super) fn limit(&self) -> usize {
        self.full_at.wrapping_sub(self.written)
    }

    /// Returns whether as many of the waiting bytes that the limit applies to wait as it allows, or more.
    #[inline]
    pub(super) fn is_full(&self, cause: Cause) -> bool {
        match cause {
            Cause::Event => self.accounted >= self.replies_full_at,
            Cause::Caller => self.bytes.len() >= self.full_at,
        }
    }

    /// Accounts for what was appended, before an event is returned, so that all that is appended for it is a reply.
    #[inline]
    pub(super) fn begin_replies(&mut self) {
        let not_replies = self.bytes.len().wrapping_sub(self.accounted);
        self.replies_full_at = self.replies_full_at.wrapping_add(not_replies);
        self.accounted = self.bytes.len();
    }

    /// Returns whether something was appended that is not accounted for.
    pub(super) fn has_new(&self) -> bool {
        self.bytes.len() > self.accounted
    }

    /// Records why something was appended.
    #[inline]
    pub(super) fn appended(&mut self, cause: Cause) {
        match cause {
            Cause::Event => self.accounted = self.bytes.len(),
            Cause::Caller => {}
        }
    }

    /// Records that the last frame appended is our Close.
    pub(super) fn ends_with_close(&mut self) {
        self.close = Some(self.len());
    }

    /// Returns whether our Close waits here, is not flushed, or was dropped.
    pub(super) fn holds_close(&self) -> bool {
        self.close.is_some()
    }

    /// Records that everything written is flushed.
    pub(super) fn flushed(&mut self) {
        self.close = self.close.filter(|waiting| *waiting > 0);
    }

    /// Drops the waiting bytes, because the transport accepts no more: a Close among them is never written.
    #[inline]
    pub(super) fn drop_waiting(&mut self) {
        let close = self.close;
        self.clear();
        self.close = close;
    }

    /// Returns whether nothing waits to be written.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many bytes the output has allocated.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Records that the transport accepted the first `size` waiting bytes.
    ///
    /// Frees memory when all is written and less than a quarter of it was used, and drops the written part once it is
    /// larger than the waiting part, so that the buffer holds at most twice the waiting bytes.
    #[inline]
    pub fn written(&mut self, size: usize) {
        match size < self.len() {
            true => self.written_in_part(size),
            false => self.written_completely(),
        }
    }

    /// Same as [`written`](Self::written), for everything that waits.
    #[inline]
    pub(super) fn written_completely(&mut self) {
        let used = self.bytes.len();
        self.close = self.close.map(|_| 0);
        self.drop_waiting();
        if used < self.bytes.capacity() / 4 {
            self.shrink(used);
        }
    }

    /// Same as [`written`](Self::written), for less than what waits. Not inlined, as [`shrink`](Self::shrink) is not: most writes are
    /// complete, and should not save registers.
    #[inline(never)]
    pub(super) fn written_in_part(&mut self, size: usize) {
        let (replies, limit) = (self.replies(), self.limit());
        self.written = self.written.saturating_add(size);
        self.close = self.close.map(|waiting| waiting.saturating_sub(size));
        if self.written > self.len() {
            self.bytes.drain(..self.written.min(self.bytes.len()));
            self.written = 0;
        }
        self.fill(replies.saturating_sub(size), limit);
    }

    #[inline(never)]
    fn shrink(&mut self, used: usize) {
        self.bytes.clear(); // It is empty, which the compiler needs to see to leave out a panic.
        self.bytes.shrink_to(used.max(KEPT_SIZE));
    }

    /// Drops the waiting bytes.
    #[inline]
    pub fn clear(&mut self) {
        self.full_at = self.limit();
        self.replies_full_at = self.full_at;
        self.accounted = 0;
        self.bytes.clear();
        self.written = 0;
        self.close = None;
    }
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}

/// Does not show the bytes.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}
