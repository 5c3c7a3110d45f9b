//! The fields of a head: iterating over them, and finding those that the handshake uses.

use alloc::vec;
use alloc::vec::Vec;

use super::grammar::{is_field_byte, is_token, list, text, trim};
use super::records::Records;
use crate::handshake::error::HandshakeError;

/// The fields of a request or of a response, in the order of their lines: name as sent, value without white
/// space around it.
///
/// A value has any bytes except control bytes; it need not be UTF-8 (RFC 9110 section 5.5). Names are compared
/// case-insensitively.
#[doc(alias = "headers")]
#[derive(Clone)]
pub struct Fields<'a> {
    records: Records<'a>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(records: Records<'a>) -> Self {
        Self { records }
    }

    pub(crate) fn find(mut self, name: &str) -> Option<&'a [u8]> {
        let name = name.as_bytes();
        self.records
            .find_map(|(other, value)| other.eq_ignore_ascii_case(name).then_some(value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.records.next().map(|(name, value)| (text(name), value))
    }
}

impl core::fmt::Debug for Fields<'_> {
    /// Shows only the names, because values hold cookies and passwords.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list()
            .entries(self.clone().map(|(name, _)| name))
            .finish()
    }
}

macro_rules! known_fields {
    ($($field:ident $known:ident: $name:literal,)*) => {
        /// A field that the handshake uses.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(super) enum Known {
            $($known,)*
        }

        impl Known {
            /// Returns the field with this name, if it is one of these.
            #[inline(always)]
            pub(super) fn of(name: &[u8]) -> Option<Self> {
                match name.len() {
                    $(sizes::$field if is_same(name, $name) => Some(Self::$known),)*
                    _ => None,
                }
            }

            /// Returns the field at this place among these.
            pub(super) fn at(place: u8) -> Option<Self> {
                [$(Self::$known,)*].get(usize::from(place)).copied()
            }
        }

        /// The fields that the handshake uses, with all lines of each.
        #[derive(Default)]
        pub(crate) struct KnownFields<'a> {
            $(pub(crate) $field: Lines<'a>,)*
        }

        impl<'a> KnownFields<'a> {
            fn lines(&mut self, known: Known) -> &mut Lines<'a> {
                match known {
                    $(Known::$known => &mut self.$field,)*
                }
            }
        }

        /// The length of each name, for a jump instead of comparisons.
        #[expect(non_upper_case_globals, reason = "the names are those of the fields")]
        mod sizes {
            $(pub(super) const $field: usize = $name.len();)*
        }

        const KNOWN_NAMES: &[&[u8]] = &[$($name,)*];
    };
}

known_fields! {
    accept Accept: b"Sec-WebSocket-Accept",
    connection Connection: b"Connection",
    content_length ContentLength: b"Content-Length",
    expect Expect: b"Expect",
    extensions Extensions: b"Sec-WebSocket-Extensions",
    host Host: b"Host",
    key Key: b"Sec-WebSocket-Key",
    origin Origin: b"Origin",
    protocol Protocol: b"Sec-WebSocket-Protocol",
    transfer_encoding TransferEncoding: b"Transfer-Encoding",
    upgrade Upgrade: b"Upgrade",
    version Version: b"Sec-WebSocket-Version",
}

impl<'a> KnownFields<'a> {
    pub(crate) fn collect(records: Records<'a>) -> Self {
        let mut fields = Self::default();
        records.for_each_known(|known, value| fields.lines(known).push(value));
        fields
    }

    /// Same for fields that another HTTP library has read: `check` rejects an invalid field, and returns the value
    /// without white space around it.
    pub(crate) fn collect_checked(
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        check: impl Fn(&[u8], &'a [u8]) -> Result<&'a [u8], HandshakeError>,
    ) -> Result<Self, HandshakeError> {
        let mut known = Self::default();
        for (name, value) in fields {
            let value = check(name, value)?;
            // RFC 6455 section 4.2.1: fields that are not known have no effect.
            if let Some(field) = Known::of(name) {
                known.lines(field).push(value);
            }
        }
        Ok(known)
    }

    /// Returns the value of Content-Length, if there is one; the largest `u64` if it is larger.
    ///
    /// RFC 9112 section 6.3: a value that is not a number, or several values, make the message invalid.
    pub(crate) fn length_of_content(&self) -> Result<Option<u64>, HandshakeError> {
        let malformed = HandshakeError::MalformedContentLength;
        let Some(digits) = self.content_length.at_most_one(malformed)? else {
            return Ok(None);
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(malformed);
        }
        let append = |length: u64, digit: &u8| {
            let digit = u64::from(digit.wrapping_sub(b'0'));
            length.saturating_mul(10).saturating_add(digit)
        };
        Ok(Some(digits.iter().fold(0, append)))
    }
}

/// RFC 9110 section 5.1: names are case-insensitive. Most are written as they are here, which takes a few instructions
/// to check.
#[inline(always)]
fn is_same<const LEN: usize>(name: &[u8], known: &[u8; LEN]) -> bool {
    name == known || (is_alike(name.first(), known.first()) && name.eq_ignore_ascii_case(known))
}

/// Returns whether two letters are the same, ignoring case. Other bytes may compare equal too.
#[inline(always)]
fn is_alike(one: Option<&u8>, other: Option<&u8>) -> bool {
    one.map(|letter| letter | b' ') == other.map(|letter| letter | b' ')
}

/// Converts fields to bytes.
pub(crate) fn as_bytes<'a, N, V>(
    fields: impl IntoIterator<Item = (&'a N, &'a V)>,
) -> impl Iterator<Item = (&'a [u8], &'a [u8])>
where
    N: AsRef<[u8]> + ?Sized + 'a,
    V: AsRef<[u8]> + ?Sized + 'a,
{
    let fields = fields.into_iter();
    fields.map(|(name, value)| (name.as_ref(), value.as_ref()))
}

/// Checks a field that another HTTP library has read for what the reader of heads would have refused: a name that is
/// not a token, a control byte in the value. Returns the value without the white space around it.
pub(crate) fn check_line<'a>(name: &[u8], value: &'a [u8]) -> Result<&'a [u8], HandshakeError> {
    if !is_token(name) {
        return Err(HandshakeError::MalformedFieldName);
    }
    if !value.iter().copied().all(is_field_byte) {
        return Err(HandshakeError::MalformedFieldValue);
    }
    Ok(trim(value))
}

/// Returns whether this is a field that the handshake uses.
pub(crate) fn is_known(name: &str) -> bool {
    let name = name.as_bytes();
    KNOWN_NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The values of all lines of one field, in order. Most fields appear once, which needs no allocation.
#[derive(Clone, Default)]
pub(crate) enum Lines<'a> {
    #[default]
    None,
    One(&'a [u8]),
    Many(Vec<&'a [u8]>),
}

impl<'a> Lines<'a> {
    #[inline]
    fn push(&mut self, value: &'a [u8]) {
        match self {
            Self::None => *self = Self::One(value),
            Self::One(_) | Self::Many(_) => self.push_further(value),
        }
    }

    #[cold]
    fn push_further(&mut self, value: &'a [u8]) {
        match self {
            Self::None => *self = Self::One(value),
            Self::One(first) => *self = Self::Many(vec![first, value]),
            Self::Many(values) => values.push(value),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Returns the value of a field that must not repeat.
    pub(crate) fn at_most_one(&self, repeated: HandshakeError) -> Result<Option<&'a [u8]>, HandshakeError> {
        match self {
            Self::None => Ok(None),
            Self::One(value) => Ok(Some(*value)),
            Self::Many(_) => Err(repeated),
        }
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        match self {
            Self::None => &[],
            Self::One(value) => core::slice::from_ref(value),
            Self::Many(values) => &values[..],
        }
        .iter()
        .copied()
    }

    /// Returns the elements of the list that the lines form together (RFC 9110 section 5.3), skipping empty ones.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.lines().flat_map(list)
    }

    /// Returns whether the list has this element, case-insensitively. Usually it is the only one.
    pub(crate) fn has<const LEN: usize>(&self, element: &[u8; LEN]) -> bool {
        self.lines().any(|line| is_same(line, element))
            || self.elements().any(|other| is_same(other, element))
    }
}
