//! The input cursor of every `receive`: a `&mut &mut [u8]` that moves forward as bytes are consumed.

/// Takes the first `size` bytes, or all there are.
#[inline]
pub(crate) fn take<'i>(input: &mut &'i mut [u8], size: usize) -> &'i mut [u8] {
    let size = size.min(input.len());
    let (front, rest) = core::mem::take(input).split_at_mut(size);
    *input = rest;
    front
}
