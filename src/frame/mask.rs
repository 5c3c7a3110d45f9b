//! Masking (RFC 6455 section 5.3): byte `i` of a payload is XORed with byte `i mod 4` of the key.
//!
//! It is one safe loop, which the compiler makes SIMD of. On x86, with the features `simd` and `std`, it is
//! compiled once more, for AVX2, and chosen from 512 bytes on where the processor has it. In the second cache, on an AMD
//! EPYC of family 26:
//!
//! | nanoseconds for | 125 B | 512 B | 1 KiB | 64 KiB |
//! |---|---:|---:|---:|---:|
//! | `apply`, SSE2 | 5.1 | 12 | 19 | 700 |
//! | `apply`, AVX2 | 5.1 | 10 | 16 | 560 |
//! | `append`, SSE2 | 5.5 | 13 | 20 | 925 |
//! | `append`, AVX2 | 5.5 | 10 | 14 | 700 |

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// Masks `bytes` in place, or unmasks them: it is the same function. Byte 0 is XORed with `key[0]`.
///
/// For a payload that comes in pieces, [`advance`] gives the key of the next piece.
///
/// ```
/// use websocket_proto::frame::mask;
///
/// let mut bytes = *b"Hello";
/// mask::apply(&mut bytes, [0x37, 0xfa, 0x21, 0x3d]);
/// assert_eq!(bytes, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// ```
#[inline]
pub fn apply(bytes: &mut [u8], key: [u8; 4]) {
    match bytes.len() {
        0..LARGE => mask::<128>(Work::InPlace(bytes), key),
        _ => mask_large(Work::InPlace(bytes), key),
    }
}

/// Appends `bytes` to `out`, masked or unmasked on the way: what [`apply`] does, without a second pass.
///
/// ```
/// use websocket_proto::frame::mask;
///
/// let mut out = vec![0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d];
/// mask::append(&mut out, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
/// assert_eq!(out[6..], [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// ```
#[cfg(feature = "alloc")]
#[inline]
pub fn append(out: &mut Vec<u8>, bytes: &[u8], key: [u8; 4]) {
    out.reserve(bytes.len());
    match bytes.len() {
        0..LARGE => mask::<128>(Work::Append(out, bytes), key),
        _ => mask_large(Work::Append(out, bytes), key),
    }
}

/// The key for what follows `len` bytes masked with `key`.
///
/// ```
/// use websocket_proto::frame::mask;
///
/// assert_eq!(mask::advance([1, 2, 3, 4], 5), [2, 3, 4, 1]);
/// ```
#[inline]
#[must_use]
pub fn advance(key: [u8; 4], len: usize) -> [u8; 4] {
    let bits = match len % 4 {
        0 => 0,
        1 => 8,
        2 => 16,
        _ => 24,
    };
    u32::from_be_bytes(key).rotate_left(bits).to_be_bytes()
}

/// What is to be masked.
enum Work<'a> {
    InPlace(&'a mut [u8]),
    #[cfg(feature = "alloc")]
    Append(&'a mut Vec<u8>, &'a [u8]),
}

/// What is shorter is masked on the spot, by what every processor of the target has.
const LARGE: usize = 512;

/// Masks by AVX2 where the processor has it, which the standard library finds out once.
#[inline(never)]
fn mask_large(work: Work<'_>, key: [u8; 4]) {
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
        unsafe fn mask_by_avx2(work: Work<'_>, key: [u8; 4]) {
            mask::<256>(work, key);
        }

        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { mask_by_avx2(work, key) };
        }
    }
    mask::<128>(work, key);
}

/// The kernel. Always inlined, so that it is compiled for the instructions of its caller, whose registers hold `BLOCK`
/// bytes, no more than [`LARGE`].
#[inline(always)]
fn mask<const BLOCK: usize>(work: Work<'_>, key: [u8; 4]) {
    match work {
        Work::InPlace(bytes) => mask_in_place(bytes, key),
        #[cfg(feature = "alloc")]
        Work::Append(out, bytes) => match bytes.len() {
            0..4 => append_bytes(out, bytes, key),
            4..8 => append_blocks::<4>(out, bytes, key),
            8..16 => append_blocks::<8>(out, bytes, key),
            16..32 => append_blocks::<16>(out, bytes, key),
            32..64 => append_blocks::<32>(out, bytes, key),
            64..128 => append_blocks::<64>(out, bytes, key),
            128..LARGE => append_blocks::<128>(out, bytes, key),
            _ => append_blocks::<BLOCK>(out, bytes, key),
        },
    }
}

#[inline(always)]
fn mask_in_place(bytes: &mut [u8], key: [u8; 4]) {
    // The first pass is SIMD; the others spare small payloads its set-up.
    let rest = mask_blocks::<64>(bytes, key);
    let word = u64::from(u32::from_ne_bytes(key));
    let word = word << 32 | word;
    let mut words = rest.chunks_exact_mut(8);
    for bytes in &mut words {
        if let Some(bytes) = bytes.first_chunk_mut() {
            *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
        }
    }
    // Half a word as one: what is stored byte by byte is slow to be read as more, as in a Ping of 4 bytes.
    let rest = mask_blocks::<4>(words.into_remainder(), key);
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// Masks block by block, and gives back what is less than a block. Flat within a block: loops over its words
/// would become gathers under AVX-512.
#[inline(always)]
fn mask_blocks<const SIZE: usize>(bytes: &mut [u8], key: [u8; 4]) -> &mut [u8] {
    let mut keys = [0; SIZE];
    for bytes in keys.chunks_exact_mut(4) {
        bytes.copy_from_slice(&key);
    }
    let mut blocks = bytes.chunks_exact_mut(SIZE);
    for block in &mut blocks {
        for (byte, key) in block.iter_mut().zip(keys) {
            *byte ^= key;
        }
    }
    blocks.into_remainder()
}

/// Less than a block: the key is masked with it and appended, and what is too much taken back.
#[cfg(feature = "alloc")]
#[inline(always)]
fn append_bytes(out: &mut Vec<u8>, bytes: &[u8], mut key: [u8; 4]) {
    let end = out.len().saturating_add(bytes.len());
    key.iter_mut().zip(bytes).for_each(|(key, byte)| *key ^= byte);
    out.extend_from_slice(&key);
    out.truncate(end);
}

/// Block by block, each masked in registers on its way, so that nothing is written twice; but for the last block, which
/// overlaps the one before where the bytes are no whole number of them. Every append is so of a fixed size: a few
/// stores, where any other would be a call.
#[cfg(feature = "alloc")]
#[inline(always)]
fn append_blocks<const SIZE: usize>(out: &mut Vec<u8>, bytes: &[u8], key: [u8; 4]) {
    let masked = |mut block: [u8; SIZE], key| {
        mask_blocks::<SIZE>(&mut block, key);
        block
    };
    let end = out.len().saturating_add(bytes.len());
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk() {
        out.extend_from_slice(&masked(*block, key));
        rest = after;
    }
    if let (false, Some(last)) = (rest.is_empty(), bytes.last_chunk()) {
        out.truncate(end.saturating_sub(SIZE));
        out.extend_from_slice(&masked(*last, advance(key, bytes.len())));
    }
}
