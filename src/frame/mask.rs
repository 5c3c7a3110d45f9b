//! Masking (RFC 6455 section 5.3): byte `i` of a payload is XORed with byte `i mod 4` of the key.
//!
//! The loops are safe code that the compiler vectorizes. On x86, with the features `simd` and `std`, they are compiled a
//! second time, for AVX2, and used from 512 bytes up if the processor supports it.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use crate::kernel;

/// Masks or unmasks `bytes` in place; both are the same operation. Byte 0 is XORed with `key[0]`.
///
/// For a payload received in chunks, [`advance`] returns the key of the next chunk.
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
    kernel::mask(bytes, key);
}

/// Appends `bytes` to `out`, masked or unmasked on the way: the same as [`apply`], without a second pass.
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
    kernel::append(out, bytes, key);
}

/// The key with which masking changes nothing.
#[cfg(feature = "alloc")]
pub(crate) const NO_KEY: [u8; 4] = [0; 4];

/// Returns the key for the bytes that follow `len` bytes masked with `key`.
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
