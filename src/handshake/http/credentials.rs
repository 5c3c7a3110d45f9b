//! Basic credentials (RFC 7617).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;

use super::grammar::{is_encoded, next_octet};

/// Returns the value of Authorization for the user information of a URL (RFC 3986 section 3.2.1): a user name, and
/// after the first colon a password; both percent-encoded.
///
/// `None` if it is malformed, or has what Basic credentials cannot hold: a colon in the user name, or control
/// characters (RFC 7617 section 2).
pub(crate) fn of_user_information(text: &str) -> Option<String> {
    if !is_encoded(text, |byte| byte == b':') {
        return None;
    }
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    basic(&decode(user), &decode(password))
}

/// Returns the value of Authorization or Proxy-Authorization for a user name and a password.
///
/// `None` for what Basic credentials cannot hold.
pub(crate) fn basic(user: &[u8], password: &[u8]) -> Option<String> {
    let is_control = |bytes: &[u8]| bytes.iter().any(u8::is_ascii_control);
    if user.contains(&b':') || is_control(user) || is_control(password) {
        return None;
    }
    let pair = [user, b":", password].concat();
    Some(["Basic ", &Base64Display::new(&pair, &STANDARD).to_string()].concat())
}

/// Returns whether this field identifies the sender, and so must be sent only to the server that it is meant for.
pub(crate) fn is_credential(name: &str) -> bool {
    ["Authorization", "Cookie", "Proxy-Authorization"]
        .iter()
        .any(|other| other.eq_ignore_ascii_case(name))
}

fn decode(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    core::iter::from_fn(|| next_octet(&mut bytes))
        .map(|(octet, _)| octet)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7617 section 2, with its two examples: decision D62
    #[test]
    fn user_information_is_decoded_before_it_is_encoded() {
        for (text, expected) in [
            (
                "Aladdin:open%20sesame",
                Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ),
            ("test:123%C2%A3", Some("Basic dGVzdDoxMjPCow==")),
            ("user", Some("Basic dXNlcjo=")),
            ("", Some("Basic Og==")),
            (":", Some("Basic Og==")),
            ("a:b:c", Some("Basic YTpiOmM=")),
            ("a:b%3Ac", Some("Basic YTpiOmM=")),
            ("a%3ab:c", None),
            ("a%0d%0aX: y", None),
            ("a:%00", None),
            ("a:%7f", None),
            ("a b", None),
            ("a@b", None),
            ("a%4:b", None),
            ("\u{e9}", None),
        ] {
            assert_eq!(of_user_information(text).as_deref(), expected, "{text:?}");
        }
    }
}
