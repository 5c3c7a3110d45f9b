//! Memory that clients use in turn.

/// Memory for the clients whose turn it is. An idle client has none.
#[derive(Default)]
pub struct Memory {
    /// For frames that are gathered.
    pub output: Spare,
    /// For large payloads.
    pub payloads: Spare,
}

/// Memory that no client uses, the last used first, which is more likely to be in a cache.
#[derive(Default)]
pub struct Spare {
    spare: Vec<Vec<u8>>,
    /// The capacity of them all.
    size: usize,
    /// How many of them, the first ones, were not taken since the last call of `trim`.
    unused: usize,
}

impl Memory {
    /// Frees what was not used since the last call.
    pub fn trim(&mut self) {
        self.output.trim();
        self.payloads.trim();
    }
}

impl Spare {
    /// The most that is kept, in bytes.
    pub const MAX_SIZE: usize = 32 << 20;

    /// Returns an empty vector, which may have a capacity.
    pub fn take(&mut self) -> Vec<u8> {
        let memory = self.spare.pop().unwrap_or_default();
        self.size -= memory.capacity();
        self.unused = self.unused.min(self.spare.len());
        memory
    }

    /// Keeps the memory of a vector for the next one, or frees it.
    pub fn keep(&mut self, mut memory: Vec<u8>) {
        if memory.capacity() > 0 && self.size + memory.capacity() <= Self::MAX_SIZE {
            memory.clear();
            self.size += memory.capacity();
            self.spare.push(memory);
        }
    }

    fn trim(&mut self) {
        let freed = self.spare.drain(..self.unused);
        self.size -= freed.map(|memory| memory.capacity()).sum::<usize>();
        self.unused = self.spare.len();
    }
}

/// The least memory that is allocated for a payload, or all that is missing of it.
const LEAST: usize = 64 * 1024;

/// Makes space for bytes of which so many are missing, and returns how many. Memory grows with the bytes received, including
/// those that have `arrived` and wait in the kernel, and not with the length that a header declares.
pub fn reserve(memory: &mut Vec<u8>, missing: usize, arrived: impl FnOnce() -> usize) -> usize {
    let spare = memory.capacity() - memory.len();
    if spare < missing.min(LEAST) {
        let most = memory.len().max(LEAST);
        let more = if missing > most { most.max(arrived()) } else { most };
        memory.reserve_exact(missing.min(more));
    }
    missing.min(memory.capacity() - memory.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_not_used_for_a_while_is_freed() {
        let mut spare = Spare::default();
        (1..=5).for_each(|size| spare.keep(vec![7; size]));
        spare.trim();
        assert_eq!((spare.spare.len(), spare.size), (5, 15), "all were used before");
        for _ in 0..3 {
            let used = [spare.take(), spare.take()];
            used.into_iter().rev().for_each(|memory| spare.keep(memory));
        }
        spare.trim();
        assert_eq!((spare.spare.len(), spare.size), (2, 9), "two were used");
        spare.trim();
        assert_eq!((spare.spare.len(), spare.size), (0, 0));
        assert_eq!(spare.take().capacity(), 0);
    }

    /// Design: limits before memory. An announced length alone gets the least.
    #[test]
    fn memory_of_a_payload_grows_with_what_has_arrived() {
        const MISSING: usize = 1 << 20;
        for (received, arrived, size) in [
            (0, 0, LEAST),
            (0, LEAST + 1, LEAST + 1),
            (0, usize::MAX, MISSING),
            (LEAST / 2, 0, LEAST),
            (3 * LEAST, LEAST, 3 * LEAST),
            (3 * LEAST, 5 * LEAST, 5 * LEAST),
            (MISSING, 0, MISSING),
        ] {
            let mut memory = vec![7; received];
            assert_eq!(
                reserve(&mut memory, MISSING, || arrived),
                size,
                "{received} {arrived}"
            );
            assert_eq!((memory.len(), memory.capacity()), (received, received + size));
        }
        assert_eq!(reserve(&mut Vec::new(), 10, || panic!("little is missing")), 10);
        let mut spare = Vec::with_capacity(MISSING + 1);
        assert_eq!(
            reserve(&mut spare, MISSING, || panic!("it has a capacity")),
            MISSING
        );
    }

    #[test]
    fn the_last_memory_is_used_first_and_no_more_is_kept_than_the_most() {
        let mut spare = Spare::default();
        for size in [10, 20, Spare::MAX_SIZE, 30] {
            spare.keep(vec![7; size]);
        }
        spare.keep(Vec::new());
        for size in [30, 20, 10, 0] {
            let memory = spare.take();
            assert!(memory.is_empty());
            assert_eq!(memory.capacity(), size);
        }
        spare.keep(vec![7; Spare::MAX_SIZE]);
        assert_eq!(spare.take().capacity(), Spare::MAX_SIZE, "all had been taken");
    }
}
