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
    let word = u64::from(u32::from_ne_bytes(key));
    let wide = word << 32 | word;
    // One flat pass a size, the key in a register: the first is SIMD, the others spare small payloads its
    // set-up.
    let mut blocks = bytes.chunks_exact_mut(BLOCK);
    for block in &mut blocks {
        xor_words(block, wide);
    }
    let rest = xor_words(blocks.into_remainder(), wide);
    for (byte, key) in rest.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= key;
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

const BLOCK: usize = 32;

/// Masks word by word, and gives back what is less than a word. Every word begins with `key[0]`, as does the
/// rest.
#[inline]
fn xor_words(bytes: &mut [u8], wide: u64) -> &mut [u8] {
    let mut words = bytes.chunks_exact_mut(size_of::<u64>());
    for word in &mut words {
        if let Some(word) = word.first_chunk_mut() {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
    }
    words.into_remainder()
}
