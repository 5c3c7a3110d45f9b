//! Payloads and texts from and to `bytes::Bytes`, with the feature `bytes`: owned bytes are moved without a copy,
//! borrowed ones are copied.

use alloc::vec::Vec;

use ::bytes::Bytes;

use super::{Payload, Text};
use crate::utf8::{self, InvalidUtf8};

impl From<Payload<'_>> for Bytes {
    fn from(payload: Payload<'_>) -> Self {
        payload.into_owned().into()
    }
}

impl From<Text<'_>> for Bytes {
    fn from(text: Text<'_>) -> Self {
        text.into_owned().into()
    }
}

/// Copies the bytes only if others hold them as well.
impl From<Bytes> for Payload<'_> {
    fn from(bytes: Bytes) -> Self {
        Vec::from(bytes).into()
    }
}

impl<'i> From<&'i Bytes> for Payload<'i> {
    fn from(bytes: &'i Bytes) -> Self {
        bytes[..].into()
    }
}

impl<'i> TryFrom<&'i Bytes> for Text<'i> {
    type Error = InvalidUtf8;

    fn try_from(bytes: &'i Bytes) -> Result<Self, InvalidUtf8> {
        utf8::validate(bytes).map(Into::into)
    }
}

/// Copies the bytes only if others hold them as well.
impl TryFrom<Bytes> for Text<'_> {
    type Error = InvalidUtf8;

    fn try_from(bytes: Bytes) -> Result<Self, InvalidUtf8> {
        Payload::from(bytes).into_text()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use super::*;

    #[test]
    fn owned_buffers_are_handed_on() {
        let buffer = vec![b'a'; 100];
        let at = buffer.as_ptr();
        let bytes = Bytes::from(Payload::from(buffer));
        assert_eq!(bytes.as_ptr(), at);
        let payload = Payload::from(bytes);
        assert_eq!((payload.as_ptr(), payload.is_borrowed()), (at, false));

        let text = String::from("text");
        let at = text.as_ptr();
        let bytes = Bytes::from(Text::from(text));
        assert_eq!(bytes.as_ptr(), at);
        let text = Text::try_from(bytes).unwrap();
        assert_eq!((text.as_ptr(), &*text), (at, "text"));
    }

    #[test]
    fn borrowed_bytes_are_copied_or_lent() {
        let input = *b"text";
        for bytes in [
            Bytes::from(Payload::from(&input)),
            Bytes::from(Text::from("text")),
        ] {
            assert_eq!(bytes, input[..]);
            let payload = Payload::from(&bytes);
            assert_eq!((payload.as_ptr(), payload.is_borrowed()), (bytes.as_ptr(), true));
            assert!(Text::try_from(&bytes).unwrap() == "text");
            // Shared, and so copied.
            assert_ne!(Payload::from(bytes.clone()).as_ptr(), bytes.as_ptr());
        }
        assert!(Text::try_from(&Bytes::from_static(b"\xff")).is_err());
        assert!(Text::try_from(Bytes::from_static(b"\xff")).is_err());
    }
}
