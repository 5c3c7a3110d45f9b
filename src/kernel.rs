//! The single pass over a payload: it masks the bytes and ORs the results. If the highest bit is in none of them, a
//! text is ASCII and needs no validation; otherwise it is validated, a piece at a time, while that is in the
//! first-level cache.
//!
//! The loops are safe code that the compiler vectorizes. With the features `simd` and `std`, on x86, they are compiled
//! once more, for AVX2, and used if the processor has it. This file has all `unsafe` of the crate, in four places, each
//! behind the feature `simd`; without the feature, slower safe code replaces them.

mod blocks;
#[cfg(feature = "alloc")]
mod buffer;
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
use crate::utf8::{InvalidUtf8, Validator, validate, validate_front};
use blocks::Pass;
#[cfg(feature = "alloc")]
pub(crate) use buffer::Buffer;
#[cfg(feature = "alloc")]
use buffer::Content;
use words::{pass_bytes, pass_words};

/// How many bytes are checked and, if necessary, validated at once: small enough for the first-level cache, and a
/// multiple of the key's size. A read of 16 KiB and a header is two pieces, without a short third one.
#[cfg(feature = "alloc")]
const PIECE: usize = 8192 + 128;

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

/// Appends a header and the masked bytes, if they are 16 or more and the capacity suffices; otherwise, it returns `false` and
/// changes nothing. For few bytes: it makes no call, so that its callers need not save registers.
#[cfg(feature = "alloc")]
#[inline(always)]
pub(crate) fn append_short<const HEADER: usize>(
    out: &mut Vec<u8>,
    header: &[u8; HEADER],
    bytes: &[u8],
    key: [u8; 4],
) -> bool {
    let free = out.capacity().wrapping_sub(out.len());
    if HEADER.saturating_add(bytes.len()) > free {
        return false;
    }
    let appended = match bytes.len() {
        0..16 => None,
        16..32 => pass_append::<16, BLIND, UNALIGNED, HEADER>(out, header, bytes, key),
        32..64 => pass_append::<32, BLIND, UNALIGNED, HEADER>(out, header, bytes, key),
        _ => pass_append::<64, BLIND, UNALIGNED, HEADER>(out, header, bytes, key),
    };
    appended.is_some()
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
#[inline(always)]
pub(crate) fn unmask_text(
    bytes: &mut [u8],
    unmasked: usize,
    key: Option<[u8; 4]>,
) -> Result<&str, InvalidUtf8> {
    if bytes.len() > PIECE || unmasked > 0 {
        unmask_long_text(bytes, unmasked, key)?;
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

/// Same as [`unmask_text`], for a text of several pieces or of which a part is unmasked.
#[cfg(feature = "alloc")]
#[inline(never)]
fn unmask_long_text(bytes: &mut [u8], unmasked: usize, key: Option<[u8; 4]>) -> Result<(), InvalidUtf8> {
    let (front, rest) = bytes.split_at_mut_checked(unmasked).ok_or(InvalidUtf8)?;
    let mut utf8 = Validator::new();
    unmask_piece_of_text(front, None, &mut utf8)?;
    unmask_piece_of_text(rest, key.map(|key| advance(key, unmasked)), &mut utf8)?;
    utf8.finish()
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

#[cfg(feature = "alloc")]
impl Buffer {
    /// Unmasks the next piece on its way into the message.
    ///
    /// # Errors
    ///
    /// [`InvalidUtf8`] if no continuation makes the text valid; it is then empty.
    pub(crate) fn append(&mut self, piece: &[u8], key: [u8; 4]) -> Result<(), InvalidUtf8> {
        if let Content::Bytes = self.content {
            self.append_unmasked::<BLIND>(piece, key);
            return Ok(());
        }
        for piece in piece.chunks(PIECE) {
            let is_ascii = self.append_unmasked::<LOOKING>(piece, key);
            if !is_ascii || self.cut() > 0 {
                self.validate_last(piece.len())?;
            }
        }
        Ok(())
    }

    /// Unmasks what was read into the space, and makes it a part of the message.
    ///
    /// # Errors
    ///
    /// Same as [`append`](Self::append).
    pub(crate) fn unmask_read(&mut self, key: Option<[u8; 4]>) -> Result<(), InvalidUtf8> {
        if let Content::Bytes = self.content {
            let read = self.take_read(usize::MAX);
            key.into_iter().for_each(|key| mask(read, key));
            return Ok(());
        }
        while self.read() > 0 {
            let piece = self.take_read(PIECE);
            let (size, is_ascii) = (piece.len(), unmask(piece, key));
            if !is_ascii || self.cut() > 0 {
                self.validate_last(size)?;
            }
        }
        Ok(())
    }

    /// Validates the last `added` bytes of a text, from the beginning of the code point that they continue.
    #[inline(never)]
    fn validate_last(&mut self, added: usize) -> Result<(), InvalidUtf8> {
        let size = added.saturating_add(self.cut());
        match validate_front(self.last(size)) {
            Ok(cut) => {
                self.content = Content::Text { cut };
                Ok(())
            }
            Err(error) => {
                *self = Self::text(Vec::new());
                Err(error)
            }
        }
    }

    /// Ends the text.
    ///
    /// # Errors
    ///
    /// [`InvalidUtf8`] if it ends inside a code point, or is not a text.
    pub(crate) fn into_text(self) -> Result<String, InvalidUtf8> {
        let Content::Text { cut: 0 } = self.content else {
            return Err(InvalidUtf8);
        };
        let bytes = self.into_vec();
        #[cfg(feature = "simd")]
        #[allow(unsafe_code, reason = "the bytes were looked at")]
        // SAFETY: all bytes of the text were validated in their order, as the type's documentation says, each time from the start of
        // a code point on; and as `cut` is 0, the last code point is complete.
        return Ok(unsafe { String::from_utf8_unchecked(bytes) });
        #[cfg(not(feature = "simd"))]
        String::from_utf8(bytes).map_err(|_| InvalidUtf8)
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
    /// To a place of the same size.
    #[cfg(feature = "alloc")]
    Copy(&'a mut [u8], &'a [u8]),
}

impl Work<'_> {
    #[inline(always)]
    fn len(&self) -> usize {
        match self {
            Self::InPlace(bytes) => bytes.len(),
            #[cfg(feature = "alloc")]
            Self::Look(bytes) => bytes.len(),
            #[cfg(feature = "alloc")]
            Self::Append(_, bytes) | Self::Copy(_, bytes) => bytes.len(),
        }
    }
}

/// Whether a pass checks its output for ASCII. The result of a pass that does not check must not be used.
#[cfg(feature = "alloc")]
const LOOKING: bool = true;
const BLIND: bool = false;

/// Whether the blocks of a pass begin at the first aligned address, so that each load or store is within one cache line. A
/// parameter of the type, so that passes over what is short do without the instructions for it.
const ALIGNED: bool = true;
const UNALIGNED: bool = false;

#[inline(always)]
fn run<const LOOKS: bool>(work: Work<'_>, key: [u8; 4]) -> bool {
    match work.len() {
        0..4 => pass_bytes(work, key),
        4..8 => pass_words::<4, u32>(work, key),
        8..16 => pass_words::<8, u64>(work, key),
        16..32 => pass_words::<16, u128>(work, key),
        32..64 => pass_words::<32, [u128; 2]>(work, key),
        64..LARGE => pass::<64, LOOKS, UNALIGNED>(work, key),
        LARGE..LONG => run_large::<LOOKS, UNALIGNED>(work, key),
        _ => run_large::<LOOKS, ALIGNED>(work, key),
    }
}

/// Uses AVX2 if the processor has it, which the standard library detects once.
#[inline(never)]
fn run_large<const LOOKS: bool, const ALIGNS: bool>(work: Work<'_>, key: [u8; 4]) -> bool {
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
        unsafe fn pass_by_avx2<const LOOKS: bool, const ALIGNS: bool>(work: Work<'_>, key: [u8; 4]) -> bool {
            pass::<128, LOOKS, ALIGNS>(work, key)
        }

        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { pass_by_avx2::<LOOKS, ALIGNS>(work, key) };
        }
    }
    pass::<64, LOOKS, ALIGNS>(work, key)
}

/// The kernel: processes at least one block. Always inlined, so that it is compiled for the instructions of its caller.
/// The last block overlaps the one before if the rest is less than a block; and if blocks are aligned, the first one
/// overlaps the next.
#[inline(always)]
fn pass<const BLOCK: usize, const LOOKS: bool, const ALIGNS: bool>(work: Work<'_>, key: [u8; 4]) -> bool {
    match work {
        Work::InPlace(bytes) => pass_in_place::<BLOCK, LOOKS, ALIGNS>(bytes, key),
        #[cfg(feature = "alloc")]
        Work::Look(bytes) => look::<BLOCK, ALIGNS>(bytes),
        #[cfg(feature = "alloc")]
        Work::Append(out, bytes) => {
            out.reserve(bytes.len());
            // Not `None`, as above, and there is space.
            pass_append::<BLOCK, LOOKS, ALIGNS, 0>(out, &[], bytes, key).unwrap_or(true)
        }
        #[cfg(feature = "alloc")]
        // Not `None`, as the caller has chosen the size of the blocks. If it were, what was there before would have to be validated.
        Work::Copy(to, bytes) => pass_copy::<BLOCK, LOOKS, ALIGNS, u8>(to, bytes, key).unwrap_or(false),
    }
}

/// Returns how many bytes come before the first block: less than a block.
#[inline(always)]
fn before_blocks<const BLOCK: usize, const ALIGNS: bool, T>(at: *const T) -> usize {
    if !ALIGNS {
        return 0;
    }
    match at.align_offset(BORDER) {
        skip if skip < BLOCK => skip,
        // Not reached: every slice has an aligned address.
        _ => 0,
    }
}

/// The alignment of blocks in bytes, which is the size of a load or store: half of a cache line.
const BORDER: usize = 32;

#[inline(always)]
fn pass_in_place<const BLOCK: usize, const LOOKS: bool, const ALIGNS: bool>(
    bytes: &mut [u8],
    key: [u8; 4],
) -> bool {
    let skip = before_blocks::<BLOCK, ALIGNS, _>(bytes.as_ptr());
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
fn look<const BLOCK: usize, const ALIGNS: bool>(bytes: &[u8]) -> bool {
    let skip = before_blocks::<BLOCK, ALIGNS, _>(bytes.as_ptr());
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

/// Appends a header as it is and the masked bytes, to memory that is reserved. Returns whether the masked bytes are ASCII; `None`
/// if they are less than a block, or the memory is too small, and then nothing is appended.
#[cfg(all(feature = "alloc", feature = "simd"))]
#[inline(always)]
fn pass_append<const BLOCK: usize, const LOOKS: bool, const ALIGNS: bool, const HEADER: usize>(
    out: &mut Vec<u8>,
    header: &[u8; HEADER],
    bytes: &[u8],
    key: [u8; 4],
) -> Option<bool> {
    let size = HEADER.saturating_add(bytes.len());
    let end = out.len().saturating_add(size);
    let free = out.spare_capacity_mut().get_mut(..size)?;
    let (place, free) = free.split_first_chunk_mut()?;
    let is_ascii = pass_copy::<BLOCK, LOOKS, ALIGNS, MaybeUninit<u8>>(free, bytes, key)?;
    write(place, header);
    #[allow(unsafe_code, reason = "the bytes were written")]
    // SAFETY: `place` and `free` are the `size` bytes behind the `out.len()` that there are, so `end` is within the capacity;
    // `write` has written all of `place`, and `pass_copy` all of `free`, which is as long as `bytes`.
    unsafe {
        out.set_len(end);
    }
    Some(is_ascii)
}

/// Copies to the front of `to`. Returns whether the copied bytes are ASCII; `None` if they are less than a block, or more than `to`
/// has. Otherwise, as many bytes of `to` are written as `bytes` has, which are at least `BLOCK`: if `skip` is not 0, the first `BLOCK`
/// of them, which are more than `skip`; from there on blocks, one behind the other, until less than one is left, and
/// then the last `BLOCK` of them are.
#[cfg(feature = "alloc")]
#[inline(always)]
fn pass_copy<const BLOCK: usize, const LOOKS: bool, const ALIGNS: bool, P: Place>(
    to: &mut [P],
    bytes: &[u8],
    key: [u8; 4],
) -> Option<bool> {
    // Of the same size, as the compiler sees: the loop needs one counter.
    let to = to.get_mut(..bytes.len())?;
    let skip = before_blocks::<BLOCK, ALIGNS, _>(to.as_ptr());
    let mut pass = Pass::<BLOCK, LOOKS>::new(advance(key, skip));
    let first = pass.first(bytes, key, skip);
    let last = pass.last(bytes, key)?;
    if let Some(first) = first {
        write(to.first_chunk_mut()?, &first);
    }
    let (mut rest, mut free) = (bytes.get(skip..)?, to.get_mut(skip..)?);
    // Without a loop, if the compiler knows that there is one block.
    if !ALIGNS && bytes.len() < BLOCK.saturating_mul(2) {
        write(free.first_chunk_mut()?, &pass.masked(rest.first_chunk()?));
        rest = &[];
    }
    while let Some((block, after)) = rest.split_first_chunk() {
        let (place, behind) = free.split_first_chunk_mut()?;
        write(place, &pass.masked(block));
        (rest, free) = (after, behind);
    }
    write(to.last_chunk_mut()?, &last);
    Some(pass.is_ascii())
}

/// Where a byte is copied to, initialized or not.
#[cfg(feature = "alloc")]
trait Place {
    fn set(&mut self, byte: u8);
}

#[cfg(feature = "alloc")]
impl Place for u8 {
    #[inline(always)]
    fn set(&mut self, byte: u8) {
        *self = byte;
    }
}

#[cfg(all(feature = "alloc", feature = "simd"))]
impl Place for MaybeUninit<u8> {
    #[inline(always)]
    fn set(&mut self, byte: u8) {
        self.write(byte);
    }
}

#[cfg(feature = "alloc")]
#[inline(always)]
fn write<const BLOCK: usize, P: Place>(places: &mut [P; BLOCK], block: &[u8; BLOCK]) {
    for (place, byte) in places.iter_mut().zip(block) {
        place.set(*byte);
    }
}

/// Every append has a fixed size, which compiles to a few stores instead of a call.
#[cfg(all(feature = "alloc", not(feature = "simd")))]
#[inline(always)]
fn pass_append<const BLOCK: usize, const LOOKS: bool, const ALIGNS: bool, const HEADER: usize>(
    out: &mut Vec<u8>,
    header: &[u8; HEADER],
    bytes: &[u8],
    key: [u8; 4],
) -> Option<bool> {
    let mut pass = Pass::<BLOCK, LOOKS>::new(key);
    out.extend_from_slice(header);
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
    Some(pass.is_ascii())
}

#[cfg(all(test, feature = "alloc"))]
mod tests;
