//! Masking (RFC 6455 section 5.3): byte `i` of a payload is XORed with byte `i mod 4` of the key.

/// Masks `bytes` in place, or unmasks them: it is the same function. Byte 0 meets `key[0]`.
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
    let wide = widen(key);
    let mut blocks = bytes.chunks_exact_mut(BLOCK);
    for block in &mut blocks {
        xor(block, &wide);
    }
    // One flat pass a power of two: nested loops over blocks compile to gathers on some targets.
    let rest = apply_chunks::<16>(blocks.into_remainder(), &wide);
    let rest = apply_chunks::<8>(rest, &wide);
    let rest = apply_chunks::<4>(rest, &wide);
    xor(rest, &wide);
}

/// The key for what follows `len` bytes masked with `key`.
///
/// ```
/// use websocket_proto::frame::mask;
///
/// assert_eq!(mask::advance([1, 2, 3, 4], 5), [2, 3, 4, 1]);
/// ```
#[inline]
pub fn advance(mut key: [u8; 4], len: usize) -> [u8; 4] {
    key.rotate_left(len % 4);
    key
}

const BLOCK: usize = 64;

/// The key, as often as it fits into a block. Every chunk begins at a multiple of four bytes, so with `key[0]`.
#[inline]
fn widen(key: [u8; 4]) -> [u8; BLOCK] {
    let mut wide = [0; BLOCK];
    for part in wide.chunks_exact_mut(4) {
        part.copy_from_slice(&key);
    }
    wide
}

#[inline]
fn apply_chunks<'a, const N: usize>(bytes: &'a mut [u8], wide: &[u8; BLOCK]) -> &'a mut [u8] {
    let mut chunks = bytes.chunks_exact_mut(N);
    for chunk in &mut chunks {
        xor(chunk, wide);
    }
    chunks.into_remainder()
}

#[inline]
fn xor(bytes: &mut [u8], wide: &[u8; BLOCK]) {
    for (byte, key) in bytes.iter_mut().zip(wide) {
        *byte ^= key;
    }
}
