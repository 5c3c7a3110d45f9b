//! The operations on a block, in flat loops that the compiler vectorizes.

use crate::frame::mask::advance;

/// The state of a pass over blocks.
pub(super) struct Pass<const BLOCK: usize, const LOOKS: bool> {
    key: [u8; BLOCK],
    /// All output bytes, ORed.
    seen: [u8; BLOCK],
}

impl<const BLOCK: usize, const LOOKS: bool> Pass<BLOCK, LOOKS> {
    #[inline(always)]
    pub(super) fn new(key: [u8; 4]) -> Self {
        Self {
            key: repeat(key),
            seen: [0; BLOCK],
        }
    }

    #[inline(always)]
    pub(super) fn masked(&mut self, block: &[u8; BLOCK]) -> [u8; BLOCK] {
        self.masked_with(self.key, block)
    }

    #[inline(always)]
    pub(super) fn masked_with(&mut self, key: [u8; BLOCK], block: &[u8; BLOCK]) -> [u8; BLOCK] {
        let block = xor(*block, key);
        self.look(&block);
        block
    }

    /// Processes the first block, if the others begin `skip` bytes after it.
    #[inline(always)]
    pub(super) fn first(&mut self, bytes: &[u8], key: [u8; 4], skip: usize) -> Option<[u8; BLOCK]> {
        match skip {
            0 => None,
            _ => Some(self.masked_with(repeat(key), bytes.first_chunk()?)),
        }
    }

    #[inline(always)]
    pub(super) fn last(&mut self, bytes: &[u8], key: [u8; 4]) -> Option<[u8; BLOCK]> {
        let key = advance(key, bytes.len());
        Some(self.masked_with(repeat(key), bytes.last_chunk()?))
    }

    #[inline(always)]
    pub(super) fn look(&mut self, block: &[u8; BLOCK]) {
        if LOOKS {
            for (seen, byte) in self.seen.iter_mut().zip(block) {
                *seen |= byte;
            }
        }
    }

    #[inline(always)]
    pub(super) fn is_ascii(&self) -> bool {
        self.seen.iter().fold(0, |all, seen| all | (seen & 0x80)) == 0
    }
}

/// A flat loop, because loops over words would become gathers under AVX-512.
#[inline(always)]
fn xor<const BLOCK: usize>(mut block: [u8; BLOCK], key: [u8; BLOCK]) -> [u8; BLOCK] {
    for (byte, key) in block.iter_mut().zip(key) {
        *byte ^= key;
    }
    block
}

#[inline(always)]
fn repeat<const BLOCK: usize>(key: [u8; 4]) -> [u8; BLOCK] {
    let mut keys = [0; BLOCK];
    for bytes in keys.chunks_exact_mut(4) {
        bytes.copy_from_slice(&key);
    }
    keys
}
