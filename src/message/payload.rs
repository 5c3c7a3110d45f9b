//! Bytes and text that are borrowed if possible, and owned otherwise.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use crate::utf8::{self, InvalidUtf8};

/// The bytes of a binary message, a Ping or a Pong: borrowed from the input if contained in it entirely, owned if
/// received in pieces.
///
/// ```
/// use websocket_proto::Payload;
///
/// let payload = Payload::from(&b"abc"[..]);
/// assert_eq!(payload.len(), 3); // derefs to `[u8]`
/// assert_eq!(payload.as_slice(), b"abc");
/// let owned: Vec<u8> = payload.into_owned(); // copies now; would not if it were owned
/// # assert_eq!(owned, b"abc");
/// ```
#[derive(Clone, Hash)]
pub struct Payload<'i>(Cow<'i, [u8]>);

/// The text of a message or of a close reason: borrowed from the input if contained in it entirely, owned if received
/// in pieces.
///
/// ```
/// use websocket_proto::Text;
///
/// let text = Text::from("abc");
/// assert_eq!(text.to_uppercase(), "ABC"); // derefs to `str`
/// assert_eq!(text.as_str(), "abc");
/// let owned: String = text.into_owned();
/// # assert_eq!(owned, "abc");
/// ```
#[derive(Clone, Hash)]
pub struct Text<'i>(Cow<'i, str>);

impl Payload<'_> {
    /// Converts into an owned `Vec<u8>`. Copies the bytes if they are borrowed from the input.
    pub fn into_owned(self) -> Vec<u8> {
        self.0.into_owned()
    }

    /// Returns the bytes, like [`Deref`].
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether the bytes are borrowed from the input, so that nothing was allocated for them.
    pub fn is_borrowed(&self) -> bool {
        matches!(self.0, Cow::Borrowed(_))
    }
}

impl<'i> Payload<'i> {
    pub(super) const EMPTY: Self = Self(Cow::Borrowed(&[]));

    /// Returns the bytes after the first `start`; none if there are fewer.
    pub(crate) fn slice_from(self, start: usize) -> Self {
        match self.0 {
            Cow::Borrowed(bytes) => bytes.get(start..).unwrap_or_default().into(),
            Cow::Owned(mut bytes) => {
                bytes.drain(..start.min(bytes.len()));
                bytes.into()
            }
        }
    }

    /// Converts the bytes to text.
    #[inline]
    pub(crate) fn into_text(self) -> Result<Text<'i>, InvalidUtf8> {
        match self.0 {
            Cow::Borrowed(bytes) => Ok(utf8::validate(bytes)?.into()),
            Cow::Owned(bytes) => Ok(String::from_utf8(bytes).map_err(|_| InvalidUtf8)?.into()),
        }
    }
}

impl Text<'_> {
    /// Converts into an owned `String`. Copies the text if it is borrowed from the input.
    pub fn into_owned(self) -> String {
        self.0.into_owned()
    }

    /// Returns the text, like [`Deref`].
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the text is borrowed from the input, so that nothing was allocated for it.
    pub fn is_borrowed(&self) -> bool {
        matches!(self.0, Cow::Borrowed(_))
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Deref for Text<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<[u8]> for Payload<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        self
    }
}

impl AsRef<[u8]> for Text<'_> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// An empty payload.
impl Default for Payload<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// An empty text.
impl Default for Text<'_> {
    fn default() -> Self {
        "".into()
    }
}

impl<'i> From<Cow<'i, [u8]>> for Payload<'i> {
    fn from(bytes: Cow<'i, [u8]>) -> Self {
        Self(bytes)
    }
}

impl<'i> From<Cow<'i, str>> for Text<'i> {
    fn from(text: Cow<'i, str>) -> Self {
        Self(text)
    }
}

impl<'i> From<&'i [u8]> for Payload<'i> {
    #[inline]
    fn from(bytes: &'i [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }
}

impl<'i, const N: usize> From<&'i [u8; N]> for Payload<'i> {
    fn from(bytes: &'i [u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl From<Vec<u8>> for Payload<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Cow::Owned(bytes))
    }
}

impl From<String> for Payload<'_> {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl<'i> From<&'i str> for Text<'i> {
    #[inline]
    fn from(text: &'i str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl<'i> From<Text<'i>> for Payload<'i> {
    #[inline]
    fn from(text: Text<'i>) -> Self {
        match text.0 {
            Cow::Borrowed(text) => text.as_bytes().into(),
            Cow::Owned(text) => text.into_bytes().into(),
        }
    }
}

impl<'i> TryFrom<Payload<'i>> for Text<'i> {
    type Error = InvalidUtf8;

    fn try_from(payload: Payload<'i>) -> Result<Self, InvalidUtf8> {
        payload.into_text()
    }
}

impl<'i> From<Payload<'i>> for Cow<'i, [u8]> {
    #[inline]
    fn from(payload: Payload<'i>) -> Self {
        payload.0
    }
}

impl<'i> From<Text<'i>> for Cow<'i, str> {
    fn from(text: Text<'i>) -> Self {
        text.0
    }
}

impl From<Payload<'_>> for Vec<u8> {
    fn from(payload: Payload<'_>) -> Self {
        payload.into_owned()
    }
}

impl From<Text<'_>> for String {
    fn from(text: Text<'_>) -> Self {
        text.into_owned()
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Payload<'_> {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

impl PartialEq<Payload<'_>> for [u8] {
    fn eq(&self, other: &Payload<'_>) -> bool {
        *self == **other
    }
}

impl PartialEq<Payload<'_>> for &[u8] {
    fn eq(&self, other: &Payload<'_>) -> bool {
        **self == **other
    }
}

impl<const N: usize> PartialEq<Payload<'_>> for [u8; N] {
    fn eq(&self, other: &Payload<'_>) -> bool {
        *self.as_slice() == **other
    }
}

impl PartialEq<Payload<'_>> for Vec<u8> {
    fn eq(&self, other: &Payload<'_>) -> bool {
        **self == **other
    }
}

impl Eq for Payload<'_> {}

impl<T: AsRef<str> + ?Sized> PartialEq<T> for Text<'_> {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

impl PartialEq<Text<'_>> for str {
    fn eq(&self, other: &Text<'_>) -> bool {
        *self == **other
    }
}

impl PartialEq<Text<'_>> for &str {
    fn eq(&self, other: &Text<'_>) -> bool {
        **self == **other
    }
}

impl PartialEq<Text<'_>> for String {
    fn eq(&self, other: &Text<'_>) -> bool {
        **self == **other
    }
}

impl Eq for Text<'_> {}

/// Shows only the size: what peers send does not belong in logs.
impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}

/// Shows only the size: what peers send does not belong in logs.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.len())
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}
