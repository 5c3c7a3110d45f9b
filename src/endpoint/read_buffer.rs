//! The buffer that the transport reads into.

use alloc::vec::Vec;
use core::fmt;

use crate::growth::growth;

/// A buffer of bytes that were read and not consumed yet, with space after them for more.
///
/// It can be used with a [`Connection`](crate::Connection) as well as in an endpoint, especially with
/// [`Delivery::InPlace`](crate::Delivery::InPlace): it keeps the beginning of an incomplete message, and grows with the
/// bytes received.
///
/// ```
/// use websocket_proto::endpoint::ReadBuffer;
/// use websocket_proto::{Config, Connection, Delivery, Event, entropy};
///
/// let mut connection = Connection::client(&Config::new().delivery(Delivery::InPlace), entropy::from_fn(|key| key.fill(7)));
/// let (mut buffer, mut out) = (ReadBuffer::new(64 * 1024), Vec::new());
/// for mut read in [&b"\x82\x06abc"[..], b"def"] {
///     let space = buffer.space(connection.payload_remaining()); // never empty
///     let size = std::io::Read::read(&mut read, space)?;
///     buffer.filled(size);
///     let mut input = buffer.unread();
///     while let Some(Event::Binary(payload)) = connection.receive(&mut input, &mut out)? {
///         assert_eq!(&payload[..], b"abcdef");
///     }
///     let left = input.len();
///     buffer.keep(left);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ReadBuffer {
    /// Initialized to its length.
    storage: Vec<u8>,
    start: usize,
    end: usize,
    /// The end of the bytes in the storage that were read, consumed or not.
    used: usize,
    max_read_size: usize,
}

/// The initial size of an empty buffer.
const FIRST_SIZE: usize = 4 * 1024;
/// A header with its key, and the payload of a control frame (RFC 6455 section 5.2).
const MIN_SIZE: usize = 128;

impl ReadBuffer {
    /// Creates an empty buffer, which allocates in the first call of [`space`](Self::space). `max_read_size` is the
    /// largest size of a single read, in bytes; at least 128.
    pub const fn new(max_read_size: usize) -> Self {
        let max_read_size = if max_read_size < MIN_SIZE {
            MIN_SIZE
        } else {
            max_read_size
        };
        Self {
            storage: Vec::new(),
            start: 0,
            end: 0,
            used: 0,
            max_read_size,
        }
    }

    /// Returns the space after the unread bytes, which is never empty. `remaining` is how many bytes are expected from
    /// the first unread byte on, such as [`Connection::payload_remaining`](crate::Connection::payload_remaining).
    ///
    /// Growing at most doubles the buffer, plus 256 bytes, so that its size follows the bytes received, not the length
    /// that a header declares. Unread bytes are moved to the front when the space after them is used up or too small for the missing
    /// bytes.
    ///
    /// If at least half of the largest read is missing, the space ends with the payload: the next frame then starts at
    /// the beginning of a read and is usually complete in it. If less is missing, the extra read would cost more than
    /// it saves.
    pub fn space(&mut self, remaining: u64) -> &mut [u8] {
        if !self.is_empty() || self.grows() {
            return self.space_after(remaining);
        }
        (self.start, self.end) = (0, 0);
        let size = self.read_size(self.missing(remaining)).min(self.storage.len());
        self.storage.get_mut(..size).unwrap_or_default()
    }

    /// Same as [`space`](Self::space), for a buffer that keeps bytes or grows. Not inlined, because most reads are consumed
    /// completely.
    #[inline(never)]
    fn space_after(&mut self, remaining: u64) -> &mut [u8] {
        let missing = self.missing(remaining);
        self.make_space(remaining);
        let end = self
            .end
            .saturating_add(self.read_size(missing))
            .min(self.storage.len());
        self.storage.get_mut(self.end..end).unwrap_or_default()
    }

    fn missing(&self, remaining: u64) -> usize {
        let remaining = usize::try_from(remaining).unwrap_or(usize::MAX);
        remaining.saturating_sub(self.len())
    }

    fn was_filled(&self) -> bool {
        self.end == self.storage.len()
    }

    /// Returns whether the last read filled a small buffer, which shows that more arrives at a time.
    fn grows(&self) -> bool {
        self.was_filled() && self.storage.len() < self.max_read_size
    }

    fn make_space(&mut self, remaining: u64) {
        let unread = self.len();
        let behind = self.storage.len().saturating_sub(self.end);
        // Kept bytes need space after them.
        let free = self.storage.len().saturating_sub(unread);
        let grows = self.grows() || self.was_filled() && free <= unread;
        if self.start > 0 && (self.was_filled() || self.missing(remaining) > behind) {
            self.storage.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, unread);
        }
        if grows {
            self.grow(remaining);
        }
    }

    /// How much to read at most: what is missing of a payload, unless that is little.
    fn read_size(&self, missing: usize) -> usize {
        match missing >= self.max_read_size / 2 {
            true => missing.min(self.max_read_size),
            false => self.max_read_size,
        }
    }

    /// Marks the first `size` bytes of the space as read. A read that fills the space makes the buffer grow, up to the
    /// largest size of a read.
    #[inline]
    pub fn filled(&mut self, size: usize) {
        self.end = self.end.saturating_add(size).min(self.storage.len());
        self.used = self.used.max(self.end);
    }

    /// Appends bytes that were read elsewhere, such as those that an HTTP server read after the head of a request.
    pub fn extend(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let expected = self.len().saturating_add(bytes.len());
            let space = self.space(expected as u64);
            let (now, later) = bytes.split_at(bytes.len().min(space.len()));
            if let Some(space) = space.get_mut(..now.len()) {
                space.copy_from_slice(now);
            }
            self.filled(now.len());
            bytes = later;
        }
    }

    /// Returns the unread bytes, as the input of a `receive`.
    pub fn unread(&mut self) -> &mut [u8] {
        self.storage.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Keeps only the last `left` unread bytes, which a `receive` left in its input.
    pub fn keep(&mut self, left: usize) {
        self.start = self.end.saturating_sub(left).max(self.start);
    }

    /// Returns the number of unread bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Returns whether there are no unread bytes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    pub(super) fn max_read_size(&self) -> usize {
        self.max_read_size
    }

    /// Returns how many bytes the buffer has allocated.
    pub fn capacity(&self) -> usize {
        self.storage.capacity()
    }

    /// Frees memory beyond the largest size of a read, if no byte is unread.
    pub fn shrink(&mut self) {
        if self.is_empty() && self.storage.len() > self.max_read_size {
            (self.start, self.end) = (0, 0);
            self.storage.truncate(self.max_read_size);
            self.storage.shrink_to(self.max_read_size);
            self.used = self.used.min(self.max_read_size);
        }
    }

    /// Overwrites everything that was read, consumed or not, so that the next owner's space shows none of it. Grows as
    /// [`space`](Self::space) would, because the next owner cannot see that the last read filled the space.
    pub(super) fn wipe(&mut self) {
        if let Some(used) = self.storage.get_mut(..self.used) {
            used.fill(0);
        }
        let grows = self.end > 0 && self.grows();
        (self.start, self.end, self.used) = (0, 0, 0);
        if grows {
            self.grow(0);
        }
    }

    /// Lends the unread bytes to a `receive`.
    #[inline]
    pub(super) fn lend(&mut self) -> Lent<'_> {
        let Self {
            storage, start, end, ..
        } = self;
        let input = storage.get_mut(*start..*end).unwrap_or_default();
        *start = *end;
        Lent { input, start }
    }

    /// Up to the largest size of a read, the size doubles; beyond it, it follows the payload that is kept.
    fn grow(&mut self, remaining: u64) {
        let len = self.storage.len();
        let more = match len {
            0 => FIRST_SIZE.min(self.max_read_size),
            _ if len < self.max_read_size => len.min(self.max_read_size.saturating_sub(len)),
            _ => {
                let least = len.saturating_add(MIN_SIZE) as u64;
                growth(len, len, MIN_SIZE, remaining.max(least))
            }
        };
        self.storage.reserve_exact(more);
        self.storage.resize(len.saturating_add(more), 0);
    }
}

/// The unread bytes of a [`ReadBuffer`]. When this is dropped, those that are left in `input` are unread.
///
/// Until then, none are: if this is leaked, bytes that were received and so unmasked are not received again.
pub(super) struct Lent<'b> {
    pub(super) input: &'b mut [u8],
    /// The end of the unread bytes, and so of `input`.
    start: &'b mut usize,
}

impl Drop for Lent<'_> {
    /// Nothing wraps, as `input` ends there. Always inlined, so that `input` is in registers before.
    #[inline(always)]
    fn drop(&mut self) {
        *self.start = self.start.wrapping_sub(self.input.len());
    }
}

/// Does not show the bytes.
impl fmt::Debug for ReadBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBuffer")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}
