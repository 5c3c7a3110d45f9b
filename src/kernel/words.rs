//! The pass over less than a block: by bytes, or by two words. The compiler does not vectorize so few bytes.

use super::Work;
#[cfg(feature = "alloc")]
use crate::frame::mask::NO_KEY;
use crate::frame::mask::advance;

/// Processes less than four bytes.
#[inline(always)]
pub(super) fn pass_bytes(work: Work<'_>, key: [u8; 4]) -> bool {
    let mut seen = 0;
    match work {
        Work::InPlace(bytes) => bytes.iter_mut().zip(key).for_each(|(byte, key)| {
            *byte ^= key;
            seen |= *byte;
        }),
        #[cfg(feature = "alloc")]
        Work::Look(bytes) => seen = bytes.iter().fold(0, |seen, byte| seen | byte),
        #[cfg(feature = "alloc")]
        Work::Append(out, bytes) => {
            // First, so that a failure to reserve leaves `out` unchanged: a text is validated after it was appended.
            out.reserve(bytes.len());
            for (key, byte) in key.into_iter().zip(bytes) {
                seen |= key ^ byte;
                out.push(key ^ byte);
            }
        }
        #[cfg(feature = "alloc")]
        Work::Copy(to, bytes) => {
            for ((place, byte), key) in to.iter_mut().zip(bytes).zip(key) {
                *place = key ^ byte;
                seen |= *place;
            }
        }
    }
    seen < 0x80
}

/// Processes one word, or two of which the second overlaps the first.
#[inline(always)]
pub(super) fn pass_words<const SIZE: usize, W: Word<SIZE>>(work: Work<'_>, key: [u8; 4]) -> bool {
    let last_key = advance(key, work.len());
    match work {
        Work::InPlace(bytes) => {
            let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) else {
                return true;
            };
            let (first, last) = (W::masked(*first, key), W::masked(*last, last_key));
            bytes
                .first_chunk_mut()
                .into_iter()
                .for_each(|word| *word = first.bytes());
            bytes
                .last_chunk_mut()
                .into_iter()
                .for_each(|word| *word = last.bytes());
            first.is_ascii() && last.is_ascii()
        }
        #[cfg(feature = "alloc")]
        Work::Look(bytes) => {
            let is_ascii = |word: &[u8; SIZE]| W::masked(*word, NO_KEY).is_ascii();
            bytes.first_chunk().is_none_or(is_ascii) && bytes.last_chunk().is_none_or(is_ascii)
        }
        #[cfg(feature = "alloc")]
        Work::Append(out, bytes) => {
            let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) else {
                return true;
            };
            let (first, last) = (W::masked(*first, key), W::masked(*last, last_key));
            let end = out.len().saturating_add(bytes.len());
            out.reserve(bytes.len());
            out.extend_from_slice(&first.bytes());
            out.truncate(end.saturating_sub(SIZE));
            out.extend_from_slice(&last.bytes());
            first.is_ascii() && last.is_ascii()
        }
        #[cfg(feature = "alloc")]
        Work::Copy(to, bytes) => {
            let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) else {
                return false;
            };
            let (first, last) = (W::masked(*first, key), W::masked(*last, last_key));
            to.first_chunk_mut()
                .into_iter()
                .for_each(|word| *word = first.bytes());
            to.last_chunk_mut()
                .into_iter()
                .for_each(|word| *word = last.bytes());
            first.is_ascii() && last.is_ascii()
        }
    }
}

pub(super) trait Word<const SIZE: usize>: Copy {
    fn masked(bytes: [u8; SIZE], key: [u8; 4]) -> Self;
    fn bytes(self) -> [u8; SIZE];
    fn is_ascii(self) -> bool;
}

impl Word<4> for u32 {
    #[inline(always)]
    fn masked(bytes: [u8; 4], key: [u8; 4]) -> Self {
        Self::from_ne_bytes(bytes) ^ Self::from_ne_bytes(key)
    }

    #[inline(always)]
    fn bytes(self) -> [u8; 4] {
        self.to_ne_bytes()
    }

    #[inline(always)]
    fn is_ascii(self) -> bool {
        self & 0x8080_8080 == 0
    }
}

impl Word<8> for u64 {
    #[inline(always)]
    fn masked(bytes: [u8; 8], key: [u8; 4]) -> Self {
        let key = Self::from(u32::from_ne_bytes(key));
        Self::from_ne_bytes(bytes) ^ (key << 32 | key)
    }

    #[inline(always)]
    fn bytes(self) -> [u8; 8] {
        self.to_ne_bytes()
    }

    #[inline(always)]
    fn is_ascii(self) -> bool {
        self & 0x8080_8080_8080_8080 == 0
    }
}

impl Word<16> for u128 {
    #[inline(always)]
    fn masked(bytes: [u8; 16], key: [u8; 4]) -> Self {
        let key = Self::from(u32::from_ne_bytes(key));
        Self::from_ne_bytes(bytes) ^ (key << 96 | key << 64 | key << 32 | key)
    }

    #[inline(always)]
    fn bytes(self) -> [u8; 16] {
        self.to_ne_bytes()
    }

    #[inline(always)]
    fn is_ascii(self) -> bool {
        self & 0x8080_8080_8080_8080_8080_8080_8080_8080 == 0
    }
}

/// Two words, one behind the other.
impl Word<32> for [u128; 2] {
    #[inline(always)]
    fn masked(bytes: [u8; 32], key: [u8; 4]) -> Self {
        // Never missing.
        let word = |bytes: Option<&[u8; 16]>| u128::masked(*bytes.unwrap_or(&[0; 16]), key);
        [word(bytes.first_chunk()), word(bytes.last_chunk())]
    }

    #[inline(always)]
    fn bytes(self) -> [u8; 32] {
        let [first, last] = self.map(u128::to_ne_bytes);
        let mut bytes = [0; 32];
        bytes.first_chunk_mut().into_iter().for_each(|word| *word = first);
        bytes.last_chunk_mut().into_iter().for_each(|word| *word = last);
        bytes
    }

    #[inline(always)]
    fn is_ascii(self) -> bool {
        let [first, last] = self;
        (first | last).is_ascii()
    }
}
