//! Delivers a message in chunks as they arrive, so that its memory does not depend on its size.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Content, MessageKind};
use crate::frame::Masked;
use crate::kernel;
use crate::utf8::{InvalidUtf8, Validator};

/// A message that is not stored: its size so far and, for a text, how its bytes so far end.
pub(crate) enum Chunks {
    Text { utf8: Validator, size: u64 },
    Binary { size: u64 },
}

impl Chunks {
    pub(crate) fn begin(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Self::Text {
                utf8: Validator::new(),
                size: 0,
            },
            MessageKind::Binary => Self::Binary { size: 0 },
        }
    }

    /// Returns the number of bytes received of the message so far.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Text { size, .. } | Self::Binary { size } => *size,
        }
    }

    /// Returns how many bytes to consume for the next chunk: all, or the one that may complete a split code point,
    /// whose beginning is no longer in the input.
    pub(crate) fn next_size(&self) -> usize {
        match self {
            Self::Text { utf8, .. } if utf8.carried() > 0 => 1,
            Self::Text { .. } | Self::Binary { .. } => usize::MAX,
        }
    }

    /// Lends what came in a chunk of the input, which has at most [`next_size`](Self::next_size) bytes. Of a text that
    /// is not UTF-8, this is what is valid, and the message is over.
    pub(crate) fn lend<'i>(&mut self, chunk: &'i [u8]) -> (Content<'i>, Result<(), InvalidUtf8>) {
        self.count(chunk);
        match self {
            Self::Binary { .. } => (Content::Binary(chunk.into()), Ok(())),
            Self::Text { utf8, .. } => match push(utf8, chunk) {
                (Some(completed), _, result) => (Content::Text(String::from(completed).into()), result),
                (None, text, result) => (Content::Text(text.into()), result),
            },
        }
    }

    /// Copies what came in a chunk into a buffer, which goes with it; otherwise as [`lend`](Self::lend).
    pub(crate) fn copy(
        &mut self,
        chunk: &[u8],
        mut buffer: Vec<u8>,
    ) -> (Content<'static>, Result<(), InvalidUtf8>) {
        self.count(chunk);
        buffer.clear();
        match self {
            Self::Binary { .. } => {
                buffer.extend_from_slice(chunk);
                (Content::Binary(buffer.into()), Ok(()))
            }
            Self::Text { utf8, .. } => {
                let (completed, rest, result) = push(utf8, chunk);
                // Never fails, because an empty buffer is UTF-8.
                let mut text = String::from_utf8(buffer).unwrap_or_default();
                text.extend(completed);
                text.push_str(rest);
                (Content::Text(text.into()), result)
            }
        }
    }

    /// Unmasks in the input what follows the bytes that were unmasked there before, and validates it.
    pub(crate) fn unmask(&mut self, payload: Masked<'_>) -> Result<(), InvalidUtf8> {
        let more = self.rest(payload);
        self.count(more.bytes);
        match self {
            Self::Text { utf8, .. } => kernel::unmask_piece_of_text(more.bytes, more.key, utf8),
            Self::Binary { .. } => {
                more.unmask();
                Ok(())
            }
        }
    }

    /// Returns the part of a payload that is still masked.
    pub(crate) fn rest<'i>(&self, payload: Masked<'i>) -> Masked<'i> {
        payload.skip(usize::try_from(self.size()).unwrap_or(usize::MAX))
    }

    pub(crate) fn finish(self) -> Result<(), InvalidUtf8> {
        match self {
            Self::Text { utf8, .. } => utf8.finish(),
            Self::Binary { .. } => Ok(()),
        }
    }

    fn count(&mut self, chunk: &[u8]) {
        let (Self::Text { size, .. } | Self::Binary { size }) = self;
        *size = size.saturating_add(chunk.len() as u64);
    }
}

/// Validates a chunk, or what of it comes before the first byte that nothing can repair.
fn push<'a>(utf8: &mut Validator, chunk: &'a [u8]) -> (Option<char>, &'a str, Result<(), InvalidUtf8>) {
    let before = utf8.clone();
    match utf8.push(chunk) {
        Ok((completed, rest)) => (completed, rest, Ok(())),
        Err(error) => {
            let front = chunk
                .get(..valid_front(before.clone(), chunk))
                .unwrap_or_default();
            *utf8 = before;
            // Never fails: the bytes were validated one by one.
            let (completed, rest) = utf8.push(front).unwrap_or_default();
            (completed, rest, Err(error))
        }
    }
}

#[cold]
fn valid_front(mut utf8: Validator, chunk: &[u8]) -> usize {
    chunk.chunks(1).take_while(|byte| utf8.push(byte).is_ok()).count()
}
