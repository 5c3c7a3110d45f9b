//! Reassembles a message received in pieces, whether reads or the peer's fragments split it.

use alloc::vec::Vec;

use super::{Content, MessageKind};
use crate::growth::growth;
use crate::kernel::{self, TextBuffer};
use crate::utf8::InvalidUtf8;

/// The message being received. Text is validated as it arrives.
pub(crate) enum Assembler {
    /// Between messages. The buffer is empty, but may have the capacity of a recycled one.
    Idle { spare: Vec<u8> },
    /// Inside a text message.
    Text { text: TextBuffer },
    /// Inside a binary message.
    Binary { bytes: Vec<u8> },
}

impl Assembler {
    pub(crate) const fn new() -> Self {
        Self::Idle { spare: Vec::new() }
    }

    pub(crate) fn is_idle(&self) -> bool {
        matches!(self, Self::Idle { .. })
    }

    /// Returns the number of bytes received of the message so far.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Idle { .. } => 0,
            Self::Text { text } => text.len(),
            Self::Binary { bytes } => bytes.len(),
        }
    }

    /// Begins a message. Drops an unfinished one: the caller has checked the order of the fragments.
    pub(crate) fn begin(&mut self, kind: MessageKind) {
        let spare = self.take_spare();
        *self = match kind {
            MessageKind::Text => Self::Text {
                text: TextBuffer::new(spare),
            },
            MessageKind::Binary => Self::Binary { bytes: spare },
        };
    }

    /// Unmasks a chunk on its way into the message. The memory grows with the bytes received, and never beyond `end`,
    /// the largest size that the message can reach.
    pub(crate) fn push(&mut self, chunk: &[u8], key: [u8; 4], end: u64) -> Result<(), InvalidUtf8> {
        match self {
            Self::Idle { .. } => {}
            Self::Text { text } => {
                text.reserve_exact(growth(text.len(), text.capacity(), chunk.len(), end));
                text.append(chunk, key)?;
            }
            Self::Binary { bytes } => {
                bytes.reserve_exact(growth(bytes.len(), bytes.capacity(), chunk.len(), end));
                kernel::append(bytes, chunk, key);
            }
        }
        Ok(())
    }

    /// Ends the message and moves it out; `None` if none was begun.
    pub(crate) fn finish(&mut self) -> Result<Option<Content<'static>>, InvalidUtf8> {
        match core::mem::replace(self, Self::new()) {
            idle @ Self::Idle { .. } => {
                *self = idle;
                Ok(None)
            }
            Self::Text { text } => Ok(Some(Content::Text(text.finish()?.into()))),
            Self::Binary { bytes } => Ok(Some(Content::Binary(bytes.into()))),
        }
    }

    /// Takes the recycled buffer, or an empty one.
    pub(crate) fn take_spare(&mut self) -> Vec<u8> {
        match self {
            Self::Idle { spare } => core::mem::take(spare),
            Self::Text { .. } | Self::Binary { .. } => Vec::new(),
        }
    }

    /// Stores a buffer for the next message, unless one is in use or a larger one is stored.
    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if let Self::Idle { spare } = self {
            if spare.capacity() < buffer.capacity() {
                buffer.clear();
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
                message.push(b"x", NO_KEY, limit).unwrap();
                let Assembler::Binary { bytes } = &message else {
                    panic!()
                };
                assert_eq!(bytes.len(), size);
                assert!(bytes.capacity() <= (2 * size).min(limit.min(1024) as usize));
            }
        }
    }
}
