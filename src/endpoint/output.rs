//! The bytes that wait to be written to the transport.

use alloc::vec::Vec;
use core::fmt;

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
    /// How many bytes there are when as many replies to the peer wait as the limit allows: the limit, what is written, and what waits
    /// and is not a reply.
    full_at: usize,
    /// How many bytes may wait before the output is full; at most [`NO_LIMIT`].
    limit: usize,
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
            limit: NO_LIMIT,
            close: None,
        }
    }

    /// Sets how many bytes may wait before the output is full.
    pub(super) fn set_limit(&mut self, bytes: usize) {
        let not_replies = self.not_replies();
        self.limit = bytes.min(NO_LIMIT);
        self.full_at = self.limit.wrapping_add(not_replies);
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

    /// Same as [`len`](Self::len), for a buffer that was only appended to. Nothing wraps here and below, because
    /// `written` and what is not a reply are parts of `bytes`.
    #[inline]
    pub(super) fn total(&self) -> usize {
        self.bytes.len().wrapping_sub(self.written)
    }

    /// Returns how many waiting bytes are replies.
    #[inline]
    pub(super) fn replies(&self) -> usize {
        self.bytes.len().wrapping_sub(self.not_replies())
    }

    /// Returns how many bytes are written, or wait and are not replies.
    #[inline]
    fn not_replies(&self) -> usize {
        self.full_at.wrapping_sub(self.limit)
    }

    /// Returns how many bytes may wait before the output is full.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns whether as many replies wait as the limit allows, or more.
    #[inline]
    pub(super) fn is_full_of_replies(&self) -> bool {
        self.bytes.len() >= self.full_at
    }

    /// Records that the last `size` bytes are not replies to the peer.
    #[inline]
    pub(super) fn add_unsolicited(&mut self, size: usize) {
        self.full_at = self.full_at.wrapping_add(size);
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
        let unsolicited = self.not_replies().saturating_sub(self.written);
        self.written = self.written.saturating_add(size);
        self.close = self.close.map(|waiting| waiting.saturating_sub(size));
        if self.written > self.len() {
            self.bytes.drain(..self.written.min(self.bytes.len()));
            self.written = 0;
        }
        let not_replies = self.written.saturating_add(unsolicited.min(self.len()));
        self.full_at = self.limit.wrapping_add(not_replies);
    }

    #[inline(never)]
    fn shrink(&mut self, used: usize) {
        self.bytes.clear(); // It is empty, which the compiler needs to see to leave out a panic.
        self.bytes.shrink_to(used.max(KEPT_SIZE));
    }

    /// Drops the waiting bytes.
    #[inline]
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.written = 0;
        self.full_at = self.limit;
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
