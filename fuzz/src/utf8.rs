//! The validator of text that comes in pieces.

use super::common::assert_validates;
use super::input::Input;

/// Any split of any bytes ends as the standard library does on the whole, fails with the first byte that nothing can repair,
/// and hands out the text.
pub fn utf8(bytes: &[u8]) {
    let (cuts, bytes) = Input::new(bytes).cut_rest();
    assert_validates(bytes, &cuts);
}
