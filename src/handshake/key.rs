//! The proof that a server understood the handshake: its response to the client's key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1_smol::Sha1;

/// Returns the value of `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (RFC 6455 section 4.2.2, item 5.4).
///
/// `key` is the text of the field without the white space around it. It is hashed as received and never decoded, so any
/// text yields a value; the handshake checks whether it is a key that a client may send. SHA-1 is used only as a
/// function that no other protocol would apply by accident: the exchange does not authenticate anyone (RFC 6455 section
/// 10.8).
///
/// ```
/// use websocket_proto::handshake::key::accept_key;
///
/// assert_eq!(&accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let mut sha1 = Sha1::new();
    sha1.update(key);
    sha1.update(GUID);
    let mut accept = [0; 28];
    // 20 bytes are always encoded as 28 characters.
    let _ = STANDARD.encode_slice(sha1.digest().bytes(), &mut accept);
    accept
}

/// Returns the key of a client with this nonce (RFC 6455 section 4.1, item 7).
#[cfg(feature = "alloc")]
pub(super) fn encode_nonce(nonce: [u8; 16]) -> [u8; 24] {
    let mut key = [0; 24];
    // 16 bytes are always encoded as 24 characters.
    let _ = STANDARD.encode_slice(nonce, &mut key);
    key
}

/// Returns whether this is the base64 form of 16 bytes: 22 characters and two pads.
///
/// The last character has four unused bits. They should be zero (erratum 3150), but every server accepts any, and so
/// does this one: the text is hashed, not the bytes that it encodes.
#[cfg(feature = "alloc")]
pub(super) fn is_key(key: &[u8]) -> bool {
    let Some(letters) = key.strip_suffix(b"==") else {
        return false;
    };
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() | matches!(byte, b'+' | b'/');
    // No early exit, so that the compiler can vectorize it.
    <&[u8; 22]>::try_from(letters)
        .is_ok_and(|letters| letters.iter().fold(true, |all, byte| all & is_letter(byte)))
}

/// What RFC 6455 section 1.3 appends to the key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;

    // Requirements, section 16: the RFC's own vectors, the second as corrected by erratum 3150.
    #[test]
    fn key_matches_the_vectors() {
        assert_eq!(
            &accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="),
            b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        let nonce = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
        assert_eq!(&encode_nonce(nonce), b"AQIDBAUGBwgJCgsMDQ4PEA==");
    }

    // RFC 6455 section 4.2.1: 6455-4.2.1-05, 6455-4.2.1-06
    #[test]
    fn key_form_is_checked() {
        for good in [
            &b"dGhlIHNhbXBsZSBub25jZQ=="[..],
            b"AQIDBAUGBwgJCgsMDQ4PEC==",
            b"+++++++++++++++++++///==",
        ] {
            assert!(is_key(good), "{good:?}");
        }
        for bad in [
            &b""[..],
            b"==",
            b"dGhlIHNhbXBsZSBub25jZQ",
            b"dGhlIHNhbXBsZSBub25jZQ=",
            b"dGhlIHNhbXBsZSBub25jZQ===",
            b"AQIDBAUGBwgJCgsMDQ4P",
            b"AQIDBAUGBwgJCgsMDQ4PEBE=",
            b"dGhlIHNhbXBsZSBub25j Q==",
            b"dGhlIHNhbXBsZSBub25j-Q==",
            b"dGhlIHNhbXBsZSBub2--ZQ==",
            b"dGhlIHNhbXBsZSBub25j\xe9Q==",
        ] {
            assert!(!is_key(bad), "{bad:?}");
        }
    }
}
