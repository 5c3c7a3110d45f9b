//! The last bytes of one direction.

use alloc::vec::Vec;

use crate::growth::growth;

/// The content of a window: the last bytes of the stream. Allocates no more than the bytes that came.
///
/// Once it is full it is a ring, so that the cost of adding bytes is linear in their number, not in the window.
#[derive(Clone)]
pub(super) struct History {
    bytes: Vec<u8>,
    /// The position of the oldest byte once the ring is full, which the next byte overwrites; 0 until then.
    oldest: usize,
    size: usize,
}

impl History {
    /// Creates a history of the last `size` bytes; with 0, it keeps nothing.
    pub(super) const fn new(size: usize) -> Self {
        Self {
            bytes: Vec::new(),
            oldest: 0,
            size,
        }
    }

    pub(super) fn extend(&mut self, chunk: &[u8]) {
        let (_, chunk) = chunk.split_at(chunk.len().saturating_sub(self.size));
        let (more, over) = chunk.split_at(chunk.len().min(self.size.saturating_sub(self.bytes.len())));
        self.append(more);
        // Full from here on, or `over` is empty.
        let (back, front) = over.split_at(over.len().min(self.bytes.len().saturating_sub(self.oldest)));
        if let Some(place) = self
            .bytes
            .get_mut(self.oldest..)
            .and_then(|to| to.get_mut(..back.len()))
        {
            place.copy_from_slice(back);
        }
        if let Some(place) = self.bytes.get_mut(..front.len()) {
            place.copy_from_slice(front);
        }
        self.oldest = match front.len() {
            0 => self.oldest.saturating_add(back.len()),
            front => front,
        };
        if self.oldest >= self.size {
            self.oldest = 0;
        }
    }

    /// Grows the memory with the bytes, up to the size.
    fn append(&mut self, more: &[u8]) {
        let (len, capacity) = (self.bytes.len(), self.bytes.capacity());
        self.bytes
            .reserve_exact(growth(len, capacity, more.len(), self.size as u64));
        self.bytes.extend_from_slice(more);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns all bytes, the oldest first.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        let (newer, older) = self.bytes.split_at(self.oldest.min(self.bytes.len()));
        [older, newer]
    }

    /// Forgets everything, and returns the memory.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.oldest = 0;
        let mut bytes = core::mem::take(&mut self.bytes);
        bytes.clear();
        bytes
    }

    /// Forgets everything, and uses `memory` from now on, which may be larger than needed.
    pub(super) fn lend(&mut self, mut memory: Vec<u8>) {
        memory.clear();
        self.bytes = memory;
        self.oldest = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(history: &History) -> Vec<u8> {
        history.parts().concat()
    }

    #[test]
    fn history_is_the_end_of_what_went_by() {
        for size in 0..=9_usize {
            for step in 1..=23 {
                let mut history = History::new(size);
                let bytes: Vec<u8> = (0..100).collect();
                let mut gone = 0;
                for (i, chunk) in bytes.chunks(step).enumerate() {
                    let room = history.bytes.capacity();
                    history.extend(chunk);
                    gone += chunk.len();
                    assert!(
                        room < gone.min(size) || room == history.bytes.capacity(),
                        "grown early"
                    );
                    assert_eq!(
                        all(&history),
                        bytes[gone.saturating_sub(size)..gone],
                        "{size} {step} {i}"
                    );
                    assert!(history.bytes.capacity() <= size.min(2 * gone));
                }
            }
        }
    }

    #[test]
    fn history_can_be_lent_memory_and_gives_it_away() {
        let mut history = History::new(4);
        history.lend(Vec::with_capacity(100));
        for byte in 0..10 {
            history.extend(&[byte]);
        }
        assert_eq!(all(&history), [6, 7, 8, 9]);
        let memory = history.take();
        assert!(memory.is_empty() && memory.capacity() >= 100);
        history.extend(&[1, 2]);
        assert_eq!(all(&history), [1, 2]);
    }
}
