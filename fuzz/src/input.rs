//! Choices read from bytes.
//!
//! The crate `arbitrary` would do this as well, but the seeds have to mean the same in `cargo test`, which has no such
//! dependency. A choice reads its bytes from the front, and an exhausted input chooses zeros, so that any input is valid, and a
//! longer one begins with the choices of a shorter one.

use super::common::cuts;

pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    pub fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[usize::from(self.byte()) % values.len()]
    }

    /// At most this many bytes, fewer if there are no more.
    pub fn take(&mut self, size: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(size.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A run of bytes with its length before it.
    pub fn bytes(&mut self) -> &'a [u8] {
        let size = usize::from(self.byte());
        self.take(size)
    }

    /// A run of bytes that may be long.
    #[cfg(feature = "deflate")]
    pub fn long_bytes(&mut self) -> &'a [u8] {
        let size = usize::from(self.number());
        self.take(size)
    }

    /// A run of bytes as text, with invalid UTF-8 replaced.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// The indices at which to split the rest, and the rest. They are read as fractions of its length.
    pub fn cut_rest(mut self) -> (Vec<usize>, &'a [u8]) {
        let shares = self.take(4);
        let rest = self.0;
        (cuts(shares, rest.len()), rest)
    }
}
