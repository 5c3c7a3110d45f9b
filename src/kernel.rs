//! The one pass over a payload: it is masked, and what comes out is looked at for bytes that are not ASCII. All bytes that come
//! out are ORed. Where the highest bit is in none of them, a text is ASCII, and needs no validation;
//! otherwise it is validated, a piece at a time, while that is in the first cache.
//!
//! The loops are safe code that the compiler makes SIMD of. With the features `simd` and `std`, on x86, they are compiled
//! once more, for AVX2, and chosen where the processor has it. This file has all `unsafe` of the crate, in four places, each
//! behind the feature `simd`; without it they are replaced by what is safe and takes longer.

#[cfg(feature = "alloc")]
use alloc::string::String;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;
#[cfg(all(feature = "alloc", feature = "simd"))]
use core::mem::MaybeUninit;

#[cfg(feature = "alloc")]
use crate::frame::mask::NO_KEY;
use crate::frame::mask::advance;
#[cfg(feature = "alloc")]
use crate::utf8::{InvalidUtf8, Validator, validate};

/// What is looked at and, if need be, validated at once, in bytes: small enough for the first cache, and a multiple of the key's
/// size.
#[cfg(feature = "alloc")]
const PIECE: usize = 4096;

/// From this length on, AVX2 is looked for. What is shorter is masked on the spot, by what every processor of the target
/// has.
const LARGE: usize = 512;

/// Masks in place. Returns whether all that came out is ASCII.
pub(crate) fn mask(bytes: &mut [u8], key: [u8; 4]) -> bool {
    run(Work::InPlace(bytes), key)
}

/// Appends what comes of masking. Returns whether all of that is ASCII.
#[cfg(feature = "alloc")]
pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8], key: [u8; 4]) -> bool {
    run(Work::Append(out, bytes), key)
}

/// Unmasks the payload of a frame, if it is masked. Returns whether it is ASCII.
#[cfg(feature = "alloc")]
#[inline]
fn unmask(bytes: &mut [u8], key: Option<[u8; 4]>) -> bool {
    match key {
        Some(key) => mask(bytes, key),
        None => is_ascii(bytes),
    }
}

#[cfg(feature = "alloc")]
fn is_ascii(bytes: &[u8]) -> bool {
    run(Work::Look(bytes), NO_KEY)
}

/// Unmasks a text that is complete.
///
/// # Errors
///
/// [`InvalidUtf8`]; some of the bytes are masked still, then.
#[cfg(feature = "alloc")]
#[inline]
pub(crate) fn unmask_text(bytes: &mut [u8], key: Option<[u8; 4]>) -> Result<&str, InvalidUtf8> {
    if bytes.len() > PIECE {
        let mut utf8 = Validator::new();
        unmask_piece_of_text(bytes, key, &mut utf8)?;
        utf8.finish()?;
    } else if !unmask(bytes, key) {
        return validate(bytes);
    }
    #[cfg(feature = "simd")]
    #[allow(unsafe_code, reason = "the bytes were looked at")]
    // SAFETY: up to `PIECE` bytes, they are all below 0x80, which is UTF-8. If there are more, the validator has seen all of
    // them in their order, and found them to be UTF-8 up to the end.
    return Ok(unsafe { core::str::from_utf8_unchecked(bytes) });
    #[cfg(not(feature = "simd"))]
    core::str::from_utf8(bytes).map_err(|_| InvalidUtf8)
}

/// Unmasks the next piece of a text, and validates it.
///
/// # Errors
///
/// [`InvalidUtf8`]; some of the bytes are masked still, then.
#[cfg(feature = "alloc")]
pub(crate) fn unmask_piece_of_text(
    bytes: &mut [u8],
    key: Option<[u8; 4]>,
    utf8: &mut Validator,
) -> Result<(), InvalidUtf8> {
    for piece in bytes.chunks_mut(PIECE) {
        let is_ascii = unmask(piece, key);
        utf8.push_seen(piece, is_ascii)?;
    }
    Ok(())
}

/// A text that is assembled. It is validated as it grows.
#[cfg(feature = "alloc")]
pub(crate) struct TextBuffer {
    /// Nothing is appended but what `utf8` is given right after, and nothing is taken away but all.
    bytes: Vec<u8>,
    utf8: Validator,
}

#[cfg(feature = "alloc")]
impl TextBuffer {
    /// An empty text, in this memory.
    pub(crate) fn new(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self {
            bytes: buffer,
            utf8: Validator::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub(crate) fn reserve_exact(&mut self, more: usize) {
        self.bytes.reserve_exact(more);
    }

    /// Unmasks the next piece on its way into the text.
    ///
    /// # Errors
    ///
    /// [`InvalidUtf8`] if no continuation makes it valid; the text is then empty.
    pub(crate) fn append(&mut self, piece: &[u8], key: [u8; 4]) -> Result<(), InvalidUtf8> {
        for piece in piece.chunks(PIECE) {
            let start = self.bytes.len();
            let is_ascii = append(&mut self.bytes, piece, key);
            let appended = self.bytes.get(start..).unwrap_or_default();
            if let Err(error) = self.utf8.push_seen(appended, is_ascii) {
                *self = Self::new(Vec::new());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Ends the text.
    ///
    /// # Errors
    ///
    /// [`InvalidUtf8`] if it ends inside a code point.
    pub(crate) fn finish(self) -> Result<String, InvalidUtf8> {
        self.utf8.finish()?;
        #[cfg(feature = "simd")]
        #[allow(unsafe_code, reason = "the bytes were looked at")]
        // SAFETY: the validator has seen all bytes in their order, as the fields say, and found them to be UTF-8 up to the end.
        // After an error there are none.
        return Ok(unsafe { String::from_utf8_unchecked(self.bytes) });
        #[cfg(not(feature = "simd"))]
        String::from_utf8(self.bytes).map_err(|_| InvalidUtf8)
    }
}

/// What is to be masked, and where to.
enum Work<'a> {
    InPlace(&'a mut [u8]),
    /// Nowhere: the bytes are as they should be.
    #[cfg(feature = "alloc")]
    Look(&'a [u8]),
    #[cfg(feature = "alloc")]
    Append(&'a mut Vec<u8>, &'a [u8]),
}

impl Work<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        match self {
            Self::InPlace(bytes) => bytes.len(),
            #[cfg(feature = "alloc")]
            Self::Look(bytes) => bytes.len(),
            #[cfg(feature = "alloc")]
            Self::Append(_, bytes) => bytes.len(),
        }
    }
}

#[inline(always)]
fn run(work: Work<'_>, key: [u8; 4]) -> bool {
    match work.len() {
        0..4 => pass_bytes(work, key),
        4..8 => pass_words::<4, u32>(work, key),
        8..16 => pass_words::<8, u64>(work, key),
        16..64 => pass::<16>(work, key),
        64..LARGE => pass::<64>(work, key),
        _ => run_large(work, key),
    }
}

/// By AVX2 where the processor has it, which the standard library finds out once.
#[inline(never)]
fn run_large(work: Work<'_>, key: [u8; 4]) -> bool {
    #[cfg(all(
        feature = "simd",
        feature = "std",
        any(target_arch = "x86", target_arch = "x86_64")
    ))]
    #[allow(
        unsafe_code,
        reason = "before Rust 1.86, functions with a target feature are unsafe"
    )]
    {
        #[target_feature(enable = "avx2")]
        unsafe fn pass_by_avx2(work: Work<'_>, key: [u8; 4]) -> bool {
            pass::<128>(work, key)
        }

        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { pass_by_avx2(work, key) };
        }
    }
    pass::<64>(work, key)
}

/// Less than four bytes.
#[inline(always)]
fn pass_bytes(work: Work<'_>, key: [u8; 4]) -> bool {
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
            // First, so that a failure to reserve leaves `out` as it was: a text is validated after it was appended.
            out.reserve(bytes.len());
            for (key, byte) in key.into_iter().zip(bytes) {
                seen |= key ^ byte;
                out.push(key ^ byte);
            }
        }
    }
    seen < 0x80
}

/// One word or two, of which the second overlaps the first.
#[inline(always)]
fn pass_words<const SIZE: usize, W: Word<SIZE>>(work: Work<'_>, key: [u8; 4]) -> bool {
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
    }
}

trait Word<const SIZE: usize>: Copy {
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

/// The kernel: block by block, of which there is at least one. Always inlined, so that it is compiled for the instructions of its
/// caller. The last block overlaps the one before if the number of bytes is not a multiple of the block size.
#[inline(always)]
fn pass<const BLOCK: usize>(work: Work<'_>, key: [u8; 4]) -> bool {
    match work {
        Work::InPlace(bytes) => pass_in_place::<BLOCK>(bytes, key),
        #[cfg(feature = "alloc")]
        Work::Look(bytes) => look::<BLOCK>(bytes),
        #[cfg(feature = "alloc")]
        Work::Append(out, bytes) => pass_append::<BLOCK>(out, bytes, key),
    }
}

#[inline(always)]
fn pass_in_place<const BLOCK: usize>(bytes: &mut [u8], key: [u8; 4]) -> bool {
    let mut pass = Pass::<BLOCK>::new(key);
    // Before the others, as one of them masks its front, and stored after them.
    let last_key = advance(key, bytes.len());
    let last = bytes.last_chunk().map(|block| pass.masked_with(last_key, block));
    let mut rest = &mut *bytes;
    while let Some((block, after)) = rest.split_first_chunk_mut() {
        *block = pass.masked(block);
        rest = after;
    }
    if let (Some(last), Some(block)) = (last, bytes.last_chunk_mut()) {
        *block = last;
    }
    pass.is_ascii()
}

#[cfg(feature = "alloc")]
#[inline(always)]
fn look<const BLOCK: usize>(bytes: &[u8]) -> bool {
    let mut pass = Pass::<BLOCK>::new(NO_KEY);
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk() {
        pass.look(block);
        rest = after;
    }
    if let Some(block) = bytes.last_chunk() {
        pass.look(block);
    }
    pass.is_ascii()
}

/// Into memory that is reserved once.
#[cfg(all(feature = "alloc", feature = "simd"))]
#[inline(always)]
fn pass_append<const BLOCK: usize>(out: &mut Vec<u8>, bytes: &[u8], key: [u8; 4]) -> bool {
    let mut pass = Pass::<BLOCK>::new(key);
    out.reserve(bytes.len());
    let end = out.len().saturating_add(bytes.len());
    let (Some(free), Some(last)) = (
        out.spare_capacity_mut().get_mut(..bytes.len()),
        bytes.last_chunk(),
    ) else {
        return true;
    };
    let (mut rest, mut to) = (bytes, &mut *free);
    while let Some((block, after)) = rest.split_first_chunk() {
        let Some((place, behind)) = to.split_first_chunk_mut() else {
            break;
        };
        write(place, &pass.masked(block));
        (rest, to) = (after, behind);
    }
    if let Some(place) = free.last_chunk_mut() {
        write(place, &pass.masked_with(advance(key, bytes.len()), last));
    }
    #[allow(unsafe_code, reason = "the bytes were written")]
    // SAFETY: `free` is the `bytes.len()` bytes behind the `out.len()` that there are, so `end` is within the capacity. As
    // `last` is there, `bytes` has at least `BLOCK` bytes, and so has `free`, whose length is the same. The loop has written
    // blocks from the front, one behind the other, until less than one was left, and then the last `BLOCK` bytes were: so all.
    unsafe {
        out.set_len(end);
    }
    pass.is_ascii()
}

#[cfg(all(feature = "alloc", feature = "simd"))]
#[inline(always)]
fn write<const BLOCK: usize>(place: &mut [MaybeUninit<u8>; BLOCK], block: &[u8; BLOCK]) {
    for (place, byte) in place.iter_mut().zip(block) {
        place.write(*byte);
    }
}

/// Every append is of a fixed size: a few stores, where any other would be a call.
#[cfg(all(feature = "alloc", not(feature = "simd")))]
#[inline(always)]
fn pass_append<const BLOCK: usize>(out: &mut Vec<u8>, bytes: &[u8], key: [u8; 4]) -> bool {
    let mut pass = Pass::<BLOCK>::new(key);
    out.reserve(bytes.len());
    let end = out.len().saturating_add(bytes.len());
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk() {
        out.extend_from_slice(&pass.masked(block));
        rest = after;
    }
    if let (false, Some(last)) = (rest.is_empty(), bytes.last_chunk()) {
        out.truncate(end.saturating_sub(BLOCK));
        out.extend_from_slice(&pass.masked_with(advance(key, bytes.len()), last));
    }
    pass.is_ascii()
}

/// A pass over blocks.
struct Pass<const BLOCK: usize> {
    key: [u8; BLOCK],
    /// All that came out, ORed.
    seen: [u8; BLOCK],
}

impl<const BLOCK: usize> Pass<BLOCK> {
    #[inline(always)]
    fn new(key: [u8; 4]) -> Self {
        Self {
            key: repeat(key),
            seen: [0; BLOCK],
        }
    }

    #[inline(always)]
    fn masked(&mut self, block: &[u8; BLOCK]) -> [u8; BLOCK] {
        let block = xor(*block, self.key);
        self.look(&block);
        block
    }

    #[inline(always)]
    fn masked_with(&mut self, key: [u8; 4], block: &[u8; BLOCK]) -> [u8; BLOCK] {
        let block = xor(*block, repeat(key));
        self.look(&block);
        block
    }

    #[inline(always)]
    fn look(&mut self, block: &[u8; BLOCK]) {
        for (seen, byte) in self.seen.iter_mut().zip(block) {
            *seen |= byte;
        }
    }

    #[inline(always)]
    fn is_ascii(&self) -> bool {
        self.seen.iter().fold(0, |all, seen| all | (seen & 0x80)) == 0
    }
}

/// Flat: loops over words would become gathers under AVX-512.
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

#[cfg(all(test, feature = "alloc"))]
mod tests;
