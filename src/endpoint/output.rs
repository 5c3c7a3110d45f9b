//! The bytes that wait to be written.

use alloc::vec::Vec;
use core::fmt;

/// Output that the transport has not accepted yet.
///
/// It serves an owner of a [`Connection`](crate::Connection) as it serves an endpoint: it keeps how much of the output is
/// written, and gives memory back.
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
#[derive(Default)]
pub struct Output {
    bytes: Vec<u8>,
    /// How many of the bytes are written: a part of them.
    written: usize,
    /// How many of the bytes are written, or wait and are not replies to the peer: a part of them, at least what is written.
    not_replies: usize,
    /// How many bytes wait up to the end of our Close; 0 if it is written and not flushed. `None`: it is not sent yet, or it
    /// is flushed.
    close: Option<usize>,
}

/// How much memory is kept whatever was written last.
const KEPT_SIZE: usize = 16 * 1024;

impl Output {
    /// Creates an empty output, without memory.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            written: 0,
            not_replies: 0,
            close: None,
        }
    }

    /// Returns the buffer to append to, for every `out` of this crate. Append only.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Returns what waits to be written.
    #[inline]
    pub fn waiting(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// Returns how many bytes wait to be written: the `bufferedAmount` of browsers, with the framing.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.written)
    }

    /// As [`len`](Self::len), of a buffer that was only appended to. Nothing wraps here and below, as `written` and
    /// `not_replies` are parts of `bytes`.
    #[inline]
    pub(super) fn total(&self) -> usize {
        self.bytes.len().wrapping_sub(self.written)
    }

    /// How many bytes wait that reading has caused.
    #[inline]
    pub(super) fn replies(&self) -> usize {
        self.bytes.len().wrapping_sub(self.not_replies)
    }

    /// The last `size` bytes are not replies to the peer.
    #[inline]
    pub(super) fn add_unsolicited(&mut self, size: usize) {
        self.not_replies = self.not_replies.wrapping_add(size);
    }

    /// The last frame that was appended is our Close.
    pub(super) fn ends_with_close(&mut self) {
        self.close = Some(self.len());
    }

    /// Whether our Close waits here, or is not flushed, or was dropped.
    pub(super) fn holds_close(&self) -> bool {
        self.close.is_some()
    }

    /// What was written is flushed.
    pub(super) fn flushed(&mut self) {
        self.close = self.close.filter(|waiting| *waiting > 0);
    }

    /// Drops what waits, as the transport takes no more: a Close among it is not written, and will not be.
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

    /// Takes note that the transport accepted the first `size` bytes that waited.
    ///
    /// Memory is given back when all is written and less than a quarter of it was used, and the part that is written
    /// is dropped once it is the larger one, so that the memory is at most twice what waits.
    #[inline]
    pub fn written(&mut self, size: usize) {
        match size < self.len() {
            true => self.written_in_part(size),
            false => self.written_completely(),
        }
    }

    #[inline]
    fn written_completely(&mut self) {
        let used = self.bytes.len();
        self.close = self.close.map(|_| 0);
        self.drop_waiting();
        if used < self.bytes.capacity() / 4 {
            self.shrink(used);
        }
    }

    fn written_in_part(&mut self, size: usize) {
        let unsolicited = self.not_replies.saturating_sub(self.written);
        self.written = self.written.saturating_add(size);
        self.close = self.close.map(|waiting| waiting.saturating_sub(size));
        if self.written > self.len() {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        self.not_replies = self.written.saturating_add(unsolicited.min(self.len()));
    }

    fn shrink(&mut self, used: usize) {
        self.bytes.shrink_to(used.max(KEPT_SIZE));
    }

    /// Drops what waits.
    #[inline]
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.written = 0;
        self.not_replies = 0;
        self.close = None;
    }
}

/// Without the bytes.
impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}
