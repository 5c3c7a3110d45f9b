//! The input cursor of every `receive`: a `&mut &mut [u8]` that moves forward as bytes are consumed.

/// Takes the first `size` bytes, or all if there are fewer.
#[inline]
pub(crate) fn take<'i>(input: &mut &'i mut [u8], size: usize) -> &'i mut [u8] {
    let bytes = core::mem::take(input);
    if size >= bytes.len() {
        return bytes;
    }
    let (front, rest) = bytes.split_at_mut(size);
    *input = rest;
    front
}
