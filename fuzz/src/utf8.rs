//! The validator for text that arrives in pieces.

use super::common::assert_validates;
use super::input::Input;

/// For any split, the result is that of the standard library for all bytes; the validator fails at the first byte that makes the
/// text invalid, and returns the text.
pub fn utf8(bytes: &[u8]) {
    let (cuts, bytes) = Input::new(bytes).cut_rest();
    assert_validates(bytes, &cuts);
}
