//! A message that is being assembled, into whose memory a transport can read as well.

use alloc::vec::Vec;

use super::{Work, run};

/// The bytes of a message, with space after them.
///
/// Those of a text are validated right after they were added, except for the last `cut`, and none is changed or removed. After an
/// error there are none.
pub(crate) struct Buffer {
    /// Initialized to its length, which includes what earlier messages left there: nothing is overwritten with zeros twice.
    storage: Vec<u8>,
    /// How many bytes of the storage are the message; only these are ever shown as its content.
    filled: usize,
    space: Space,
    /// How many bytes of the space are lent, or were read.
    size: u32,
    pub(super) content: Content,
}

/// What a message consists of.
#[derive(Clone, Copy)]
pub(super) enum Content {
    Bytes,
    /// UTF-8, of which the last `cut` bytes begin a code point that is not complete.
    Text {
        cut: u8,
    },
}

/// The space after the bytes of the message, as far as it is in use.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Space {
    Unused,
    /// It was lent, to be read into.
    Lent,
    /// It was read into, and these bytes are still masked.
    Read,
}

impl Buffer {
    /// Creates a binary message without bytes in this memory, whose content is kept only as initialized memory.
    pub(crate) fn binary(memory: Vec<u8>) -> Self {
        Self::new(memory, Content::Bytes)
    }

    /// Creates an empty text in this memory; see [`binary`](Self::binary).
    pub(crate) fn text(memory: Vec<u8>) -> Self {
        Self::new(memory, Content::Text { cut: 0 })
    }

    fn new(memory: Vec<u8>, content: Content) -> Self {
        Self {
            storage: memory,
            filled: 0,
            space: Space::Unused,
            size: 0,
            content,
        }
    }

    /// Returns the size of the message, without what was read into the space.
    pub(crate) fn len(&self) -> usize {
        self.filled
    }

    pub(crate) fn capacity(&self) -> usize {
        self.storage.capacity()
    }

    /// Makes the capacity suffice for `more` bytes after the message.
    pub(crate) fn reserve_exact(&mut self, more: usize) {
        let needed = self.filled.saturating_add(more);
        self.storage
            .reserve_exact(needed.saturating_sub(self.storage.len()));
    }

    /// Unmasks bytes on their way to the end of the message. Returns whether they are ASCII, if the pass looks.
    pub(super) fn append_unmasked<const LOOKS: bool>(&mut self, bytes: &[u8], key: [u8; 4]) -> bool {
        let end = self.filled.saturating_add(bytes.len());
        self.space = Space::Unused;
        let is_ascii = match self.storage.get_mut(self.filled..end) {
            Some(to) => run::<LOOKS>(Work::Copy(to, bytes), key),
            None => {
                self.storage.truncate(self.filled);
                run::<LOOKS>(Work::Append(&mut self.storage, bytes), key)
            }
        };
        self.filled = end;
        is_ascii
    }

    /// Lends up to `size` bytes of space to read into, which may contain bytes of earlier messages.
    pub(crate) fn space(&mut self, size: u32) -> &mut [u8] {
        let end = self
            .filled
            .saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
        if self.storage.len() < end {
            self.storage.resize(end, 0);
        }
        (self.space, self.size) = (Space::Lent, size);
        self.storage.get_mut(self.filled..end).unwrap_or_default()
    }

    /// Returns whether space was lent since the message last changed.
    pub(crate) fn is_lent(&self) -> bool {
        self.space == Space::Lent
    }

    /// Records that the first `size` bytes of the space that was lent were read.
    pub(crate) fn record_read(&mut self, size: usize) {
        if self.is_lent() {
            self.set_read(u32::try_from(size).unwrap_or(self.size).min(self.size));
        }
    }

    fn set_read(&mut self, size: u32) {
        let space = if size == 0 { Space::Unused } else { Space::Read };
        (self.space, self.size) = (space, size);
    }

    /// Returns how many bytes were read into the space.
    pub(crate) fn read(&self) -> usize {
        match self.space {
            Space::Read => usize::try_from(self.size).unwrap_or(usize::MAX),
            Space::Unused | Space::Lent => 0,
        }
    }

    /// Makes at most `max` of the bytes that were read a part of the message, and returns them, to be unmasked.
    pub(super) fn take_read(&mut self, max: usize) -> &mut [u8] {
        let (start, read) = (self.filled, self.read());
        let size = read.min(max);
        self.set_read(u32::try_from(read.saturating_sub(size)).unwrap_or(0));
        self.filled = start.saturating_add(size).min(self.storage.len());
        self.storage.get_mut(start..self.filled).unwrap_or_default()
    }

    /// Returns the last `size` bytes of the message.
    pub(super) fn last(&self, size: usize) -> &[u8] {
        let start = self.filled.saturating_sub(size);
        self.storage.get(start..self.filled).unwrap_or_default()
    }

    /// Returns how many bytes at the end begin a code point that is not complete.
    pub(super) fn cut(&self) -> usize {
        match self.content {
            Content::Text { cut } => cut.into(),
            Content::Bytes => 0,
        }
    }

    /// Returns whether the message is a text.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.content, Content::Text { .. })
    }

    /// Ends the message and moves its bytes out.
    pub(crate) fn into_vec(mut self) -> Vec<u8> {
        self.storage.truncate(self.filled);
        self.storage
    }
}
