//! The single pass over a payload: it masks the bytes and ORs the results. If the highest bit is in none of them, a
//! text is ASCII and needs no validation; otherwise it is validated, a piece at a time, while that is in the
//! first-level cache.
//!
//! The loops are safe code that the compiler vectorizes. With the features `simd` and `std`, on x86, they are compiled
//! once more, for AVX2, and used if the processor has it. This file has all `unsafe` of the crate, in four places, each
//! behind the feature `simd`; without the feature, slower safe code replaces them.

mod blocks;
mod words;

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
use blocks::Pass;
use words::{pass_bytes, pass_words};

/// How many bytes are checked and, if necessary, validated at once: small enough for the first-level cache, and a
/// multiple of the key's size.
#[cfg(feature = "alloc")]
const PIECE: usize = 8192;

/// From this length on, AVX2 is used if available. Shorter payloads use only what every processor of the target has.
const LARGE: usize = 512;

/// From this length on, blocks begin at an aligned address. For shorter payloads, alignment takes longer than it saves.
const LONG: usize = 2048;

/// Masks in place.
pub(crate) fn mask(bytes: &mut [u8], key: [u8; 4]) {
    run::<BLIND>(Work::InPlace(bytes), key);
}

/// Appends the masked bytes.
#[cfg(feature = "alloc")]
pub(crate) fn append(out: &mut Vec<u8>, bytes: &[u8], key: [u8; 4]) {
    run::<BLIND>(Work::Append(out, bytes), key);
}

/// Unmasks the payload of a frame, if it is masked. Returns whether it is ASCII.
#[cfg(feature = "alloc")]
#[inline]
fn unmask(bytes: &mut [u8], key: Option<[u8; 4]>) -> bool {
    match key {
        Some(key) => run::<LOOKING>(Work::InPlace(bytes), key),
        None => run::<LOOKING>(Work::Look(bytes), NO_KEY),
    }
}

/// Unmasks a complete text, except for its first bytes, which were unmasked before.
///
/// # Errors
///
/// [`InvalidUtf8`]; some of the bytes are masked still, then.
#[cfg(feature = "alloc")]
#[inline]
pub(crate) fn unmask_text(
    bytes: &mut [u8],
    unmasked: usize,
    key: Option<[u8; 4]>,
) -> Result<&str, InvalidUtf8> {
    if bytes.len() > PIECE || unmasked > 0 {
        let (front, rest) = bytes.split_at_mut_checked(unmasked).ok_or(InvalidUtf8)?;
        let mut utf8 = Validator::new();
        unmask_piece_of_text(front, None, &mut utf8)?;
        unmask_piece_of_text(rest, key.map(|key| advance(key, unmasked)), &mut utf8)?;
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

/// A text that is being assembled, and validated as it grows.
#[cfg(feature = "alloc")]
pub(crate) struct TextBuffer {
    /// Every byte appended is passed to `utf8` right after, and bytes are only ever removed all at once.
    bytes: Vec<u8>,
    utf8: Validator,
}

#[cfg(feature = "alloc")]
impl TextBuffer {
    /// Creates an empty text, in this memory.
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
            let is_ascii = run::<LOOKING>(Work::Append(&mut self.bytes, piece), key);
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

/// What to mask, and where to write it.
enum Work<'a> {
    InPlace(&'a mut [u8]),
    /// Only checks the bytes, which are unmasked already.
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

/// Whether a pass checks its output for ASCII. The result of a pass that does not check must not be used.
#[cfg(feature = "alloc")]
const LOOKING: bool = true;
const BLIND: bool = false;

/// Where the blocks of a pass begin: at the first byte, or at the first aligned address, so that each load or store is
/// within one cache line.
#[derive(Clone, Copy)]
enum Blocks {
    FromStart,
    FromBorder,
}

#[inline(always)]
fn run<const LOOKS: bool>(work: Work<'_>, key: [u8; 4]) -> bool {
    match work.len() {
        0..4 => pass_bytes(work, key),
        4..8 => pass_words::<4, u32>(work, key),
        8..16 => pass_words::<8, u64>(work, key),
        16..64 => pass::<16, LOOKS>(work, key, Blocks::FromStart),
        64..LARGE => pass::<64, LOOKS>(work, key, Blocks::FromStart),
        LARGE..LONG => run_large::<LOOKS>(work, key, Blocks::FromStart),
        _ => run_large::<LOOKS>(work, key, Blocks::FromBorder),
    }
}

/// Uses AVX2 if the processor has it, which the standard library detects once.
#[inline(never)]
fn run_large<const LOOKS: bool>(work: Work<'_>, key: [u8; 4], blocks: Blocks) -> bool {
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
        unsafe fn pass_by_avx2<const LOOKS: bool>(work: Work<'_>, key: [u8; 4], blocks: Blocks) -> bool {
            pass::<128, LOOKS>(work, key, blocks)
        }

        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { pass_by_avx2::<LOOKS>(work, key, blocks) };
        }
    }
    pass::<64, LOOKS>(work, key, blocks)
}

/// The kernel: processes at least one block. Always inlined, so that it is compiled for the instructions of its caller.
/// The last block overlaps the one before if the rest is less than a block; and if blocks are aligned, the first one
/// overlaps the next.
#[inline(always)]
fn pass<const BLOCK: usize, const LOOKS: bool>(work: Work<'_>, key: [u8; 4], blocks: Blocks) -> bool {
    match work {
        Work::InPlace(bytes) => pass_in_place::<BLOCK, LOOKS>(bytes, key, blocks),
        #[cfg(feature = "alloc")]
        Work::Look(bytes) => look::<BLOCK>(bytes, blocks),
        #[cfg(feature = "alloc")]
        Work::Append(out, bytes) => pass_append::<BLOCK, LOOKS>(out, bytes, key, blocks),
    }
}

impl Blocks {
    /// Returns how many bytes come before the first block: less than a block.
    #[inline(always)]
    fn skip<const BLOCK: usize, T>(self, at: *const T) -> usize {
        match self {
            Self::FromStart => 0,
            Self::FromBorder => match at.align_offset(BORDER) {
                skip if skip < BLOCK => skip,
                // Not reached: every slice has an aligned address.
                _ => 0,
            },
        }
    }
}

/// The alignment of blocks in bytes, which is the size of a load or store: half of a cache line.
const BORDER: usize = 32;

#[inline(always)]
fn pass_in_place<const BLOCK: usize, const LOOKS: bool>(
    bytes: &mut [u8],
    key: [u8; 4],
    blocks: Blocks,
) -> bool {
    let skip = blocks.skip::<BLOCK, _>(bytes.as_ptr());
    let mut pass = Pass::<BLOCK, LOOKS>::new(advance(key, skip));
    // Masked before the others, which also mask the overlap, and stored after them.
    let first = pass.first(bytes, key, skip);
    let last = pass.last(bytes, key);
    let mut rest = bytes.get_mut(skip..).unwrap_or_default();
    while let Some((block, after)) = rest.split_first_chunk_mut() {
        *block = pass.masked(block);
        rest = after;
    }
    if let (Some(first), Some(block)) = (first, bytes.first_chunk_mut()) {
        *block = first;
    }
    if let (Some(last), Some(block)) = (last, bytes.last_chunk_mut()) {
        *block = last;
    }
    pass.is_ascii()
}

#[cfg(feature = "alloc")]
#[inline(always)]
fn look<const BLOCK: usize>(bytes: &[u8], blocks: Blocks) -> bool {
    let skip = blocks.skip::<BLOCK, _>(bytes.as_ptr());
    let mut pass = Pass::<BLOCK, LOOKING>::new(NO_KEY);
    pass.first(bytes, NO_KEY, skip);
    pass.last(bytes, NO_KEY);
    let mut rest = bytes.get(skip..).unwrap_or_default();
    while let Some((block, after)) = rest.split_first_chunk() {
        pass.look(block);
        rest = after;
    }
    pass.is_ascii()
}

/// Appends to memory that is reserved once.
#[cfg(all(feature = "alloc", feature = "simd"))]
#[inline(always)]
fn pass_append<const BLOCK: usize, const LOOKS: bool>(
    out: &mut Vec<u8>,
    bytes: &[u8],
    key: [u8; 4],
    blocks: Blocks,
) -> bool {
    out.reserve(bytes.len());
    let end = out.len().saturating_add(bytes.len());
    let Some(free) = out.spare_capacity_mut().get_mut(..bytes.len()) else {
        return true;
    };
    let skip = blocks.skip::<BLOCK, _>(free.as_ptr());
    let mut pass = Pass::<BLOCK, LOOKS>::new(advance(key, skip));
    let first = pass.first(bytes, key, skip);
    let Some(last) = pass.last(bytes, key) else {
        return true;
    };
    if let (Some(first), Some(place)) = (first, free.first_chunk_mut()) {
        write(place, &first);
    }
    let (Some(mut rest), Some(mut to)) = (bytes.get(skip..), free.get_mut(skip..)) else {
        return true;
    };
    while let Some((block, after)) = rest.split_first_chunk() {
        let Some((place, behind)) = to.split_first_chunk_mut() else {
            break;
        };
        write(place, &pass.masked(block));
        (rest, to) = (after, behind);
    }
    if let Some(place) = free.last_chunk_mut() {
        write(place, &last);
    }
    #[allow(unsafe_code, reason = "the bytes were written")]
    // SAFETY: `free` is the `bytes.len()` bytes behind the `out.len()` that there are, so `end` is within the capacity. As
    // `last` is there, `bytes` has at least `BLOCK` bytes, and so has `free`, whose length is the same. If `skip` is not 0, the
    // first `BLOCK` bytes were written, which are more than `skip`. From there on the loop has written blocks, one behind the
    // other, until less than one was left, and then the last `BLOCK` bytes were: so all.
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

/// Every append has a fixed size, which compiles to a few stores instead of a call.
#[cfg(all(feature = "alloc", not(feature = "simd")))]
#[inline(always)]
fn pass_append<const BLOCK: usize, const LOOKS: bool>(
    out: &mut Vec<u8>,
    bytes: &[u8],
    key: [u8; 4],
    _: Blocks,
) -> bool {
    let mut pass = Pass::<BLOCK, LOOKS>::new(key);
    out.reserve(bytes.len());
    let end = out.len().saturating_add(bytes.len());
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk() {
        out.extend_from_slice(&pass.masked(block));
        rest = after;
    }
    if let (false, Some(last)) = (rest.is_empty(), pass.last(bytes, key)) {
        out.truncate(end.saturating_sub(BLOCK));
        out.extend_from_slice(&last);
    }
    pass.is_ascii()
}

#[cfg(all(test, feature = "alloc"))]
mod tests;
