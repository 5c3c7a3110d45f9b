//! The validator of text that comes in pieces.

use super::common::naive;
use super::input::{Input, every_cut, parts};
use websocket_proto::utf8::{InvalidUtf8, Utf8, validate};

/// The text that was handed out, and how many pieces were taken, up to the first that was refused.
fn push(pieces: &[&[u8]]) -> (String, usize, Result<(), InvalidUtf8>) {
    let (mut utf8, mut text) = (Utf8::new(), String::new());
    for (i, piece) in pieces.iter().enumerate() {
        match utf8.push(piece) {
            Ok((char, rest)) => {
                text.extend(char);
                text.push_str(rest);
                assert!(utf8.carried() <= 3);
            }
            Err(error) => return (text, i, Err(error)),
        }
    }
    (text, pieces.len(), utf8.finish())
}

/// Any split of any bytes ends as the standard library does on the whole, fails with the first byte that nothing can repair,
/// and hands out the text.
pub fn utf8(bytes: &[u8]) {
    let (cuts, bytes) = Input::new(bytes).cut_rest();
    let expected = std::str::from_utf8(bytes);
    assert_eq!(validate(bytes).ok(), expected.ok());
    // The size of the shortest front that is beyond repair.
    let bad = match expected {
        Err(error) if error.error_len().is_some() => {
            let start = error.valid_up_to() + 1;
            let bad = (start..=bytes.len()).find(|size| naive::utf8(&bytes[..*size]) == naive::Utf8::Invalid);
            Some(bad.expect("something is invalid"))
        }
        _ => None,
    };
    for cuts in [vec![], every_cut(bytes.len()), cuts] {
        let pieces = parts(bytes, &cuts);
        let (text, taken, end) = push(&pieces);
        assert_eq!(end.is_ok(), expected.is_ok());
        assert!(bytes.starts_with(text.as_bytes()));
        match bad {
            Some(bad) => {
                let before: usize = pieces[..taken].iter().map(|piece| piece.len()).sum();
                assert!((before + 1..=before + pieces[taken].len()).contains(&bad));
            }
            None => {
                assert_eq!(taken, pieces.len());
                let valid = expected.map_or_else(|error| error.valid_up_to(), str::len);
                assert_eq!(text.len(), valid);
            }
        }
    }
}
