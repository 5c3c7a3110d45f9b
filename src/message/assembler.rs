//! Reassembles a message received in pieces, whether reads or the peer's fragments split it.

use alloc::vec::Vec;

use super::{Content, MessageKind};
use crate::growth::growth;
use crate::kernel::Buffer;
use crate::utf8::InvalidUtf8;

/// The message being received. Text is validated as it arrives.
pub(crate) enum Assembler {
    /// Between messages. The memory may be that of a recycled message, which the next one overwrites.
    Idle { spare: Vec<u8> },
    /// Inside a message.
    Active(Buffer),
}

impl Assembler {
    pub(crate) const fn new() -> Self {
        Self::Idle { spare: Vec::new() }
    }

    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self, Self::Idle { .. })
    }

    /// Returns the number of bytes received of the message so far.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Idle { .. } => 0,
            Self::Active(buffer) => buffer.len(),
        }
    }

    /// Begins a message. Drops an unfinished one: the caller has checked the order of the fragments.
    pub(crate) fn begin(&mut self, kind: MessageKind) {
        let spare = self.take_spare();
        *self = Self::Active(match kind {
            MessageKind::Text => Buffer::text(spare),
            MessageKind::Binary => Buffer::binary(spare),
        });
    }

    /// Unmasks a chunk on its way into the message. The memory grows with the bytes received, and never beyond `end`,
    /// the largest size that the message can reach.
    #[inline]
    pub(crate) fn push(
        &mut self,
        chunk: &[u8],
        key: [u8; 4],
        end: impl FnOnce(usize) -> u64,
    ) -> Result<(), InvalidUtf8> {
        let Self::Active(buffer) = self else {
            return Ok(());
        };
        let (len, capacity) = (buffer.len(), buffer.capacity());
        if capacity.saturating_sub(len) < chunk.len() {
            buffer.reserve_exact(growth(len, capacity, chunk.len(), end(len)));
        }
        buffer.append(chunk, key)
    }

    /// Lends space for the transport to read `wanted` bytes of the message into. The memory grows as with
    /// [`push`](Self::push), with the bytes received before; `None` if that leaves less than half of what is wanted.
    pub(crate) fn space(&mut self, wanted: usize, end: u64) -> Option<&mut [u8]> {
        let Self::Active(buffer) = self else {
            return None;
        };
        let (len, capacity) = (buffer.len(), buffer.capacity());
        let free = match capacity.saturating_sub(len) {
            0 => growth(len, capacity, 1, end),
            free => free,
        };
        if wanted == 0 || free < wanted / 2 || buffer.read() > 0 {
            return None;
        }
        buffer.reserve_exact(free);
        Some(buffer.space(u32::try_from(wanted.min(free)).unwrap_or(u32::MAX)))
    }

    /// Returns whether space was lent since the message last changed.
    pub(crate) fn is_lent(&self) -> bool {
        match self {
            Self::Idle { .. } => false,
            Self::Active(buffer) => buffer.is_lent(),
        }
    }

    /// Records that the transport read the first `size` bytes of the space that was lent.
    pub(crate) fn record_read(&mut self, size: usize) {
        if let Self::Active(buffer) = self {
            buffer.record_read(size);
        }
    }

    /// Returns how many bytes were read into the space, and are not a part of the message yet.
    #[inline]
    pub(crate) fn read(&self) -> usize {
        match self {
            Self::Idle { .. } => 0,
            Self::Active(buffer) => buffer.read(),
        }
    }

    /// Unmasks what was read into the space, and makes it a part of the message.
    pub(crate) fn unmask_read(&mut self, key: Option<[u8; 4]>) -> Result<(), InvalidUtf8> {
        match self {
            Self::Idle { .. } => Ok(()),
            Self::Active(buffer) => buffer.unmask_read(key),
        }
    }

    /// Ends the message and moves it out; `None` if none was begun.
    pub(crate) fn finish(&mut self) -> Result<Option<Content<'static>>, InvalidUtf8> {
        if self.is_idle() {
            return Ok(None);
        }
        match core::mem::replace(self, Self::new()) {
            Self::Idle { .. } => Ok(None),
            Self::Active(buffer) if buffer.is_text() => Ok(Some(Content::Text(buffer.into_text()?.into()))),
            Self::Active(buffer) => Ok(Some(Content::Binary(buffer.into_vec().into()))),
        }
    }

    /// Takes the recycled buffer, or an empty one.
    pub(crate) fn take_spare(&mut self) -> Vec<u8> {
        match self {
            Self::Idle { spare } => core::mem::take(spare),
            Self::Active(_) => Vec::new(),
        }
    }

    /// Stores a buffer for the next message, unless one is in use or a larger one is stored. Its content remains as
    /// initialized memory.
    pub(crate) fn recycle(&mut self, buffer: Vec<u8>) {
        if let Self::Idle { spare } = self {
            if spare.capacity() < buffer.capacity() {
                *spare = buffer;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::mask::NO_KEY;

    #[test]
    fn memory_follows_the_bytes_that_came() {
        for limit in [1, 2, 3, 1000, u64::MAX] {
            let mut message = Assembler::new();
            message.begin(MessageKind::Binary);
            for size in 1..=limit.min(1000) as usize {
                message.push(b"x", NO_KEY, |_| limit).unwrap();
                let Assembler::Active(bytes) = &message else {
                    panic!()
                };
                assert_eq!(bytes.len(), size);
                assert!(bytes.capacity() <= (2 * size).min(limit.min(1024) as usize));
            }
        }
    }

    #[test]
    fn memory_that_suffices_does_not_grow() {
        let memory = Vec::with_capacity(1000);
        let capacity = memory.capacity();
        let mut message = Assembler::new();
        message.recycle(memory);
        message.begin(MessageKind::Binary);
        message.push(&[1; 600], NO_KEY, |_| u64::MAX).unwrap();
        let Ok(Some(Content::Binary(bytes))) = message.finish() else {
            panic!()
        };
        assert_eq!(bytes.into_owned().capacity(), capacity);
    }
}
