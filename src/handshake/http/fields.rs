//! The fields of a head: walking over them, and finding those that the handshake is about.

use alloc::vec;
use alloc::vec::Vec;

use super::grammar::{list, text, trim};
use crate::handshake::error::HandshakeError;

/// The fields of a request or of a response, in the order of their lines: name as sent, value without white space around it.
///
/// A value is any bytes but control ones; it need not be UTF-8 (RFC 9110 section 5.5). Names compare without regard to case.
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
    /// Names only: values hold cookies and passwords.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list()
            .entries(self.clone().map(|(name, _)| name))
            .finish()
    }
}

/// The fields as they lie in a head: their lengths, the name, the value.
#[derive(Clone)]
pub(crate) struct Records<'a>(pub(in crate::handshake) &'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = self.0.split_first_chunk()?;
        let (value, rest) = rest.split_first_chunk()?;
        let (name, rest) = rest.split_at_checked(u32::from_be_bytes(*name) as usize)?;
        let (value, rest) = rest.split_at_checked(u32::from_be_bytes(*value) as usize)?;
        self.0 = rest;
        Some((name, value))
    }
}

/// The fields that the handshake is about, all lines of each.
#[derive(Debug, Default)]
pub(crate) struct KnownFields<'a> {
    pub(crate) accept: Lines<'a>,
    pub(crate) connection: Lines<'a>,
    pub(crate) content_length: Lines<'a>,
    pub(crate) expect: Lines<'a>,
    pub(crate) extensions: Lines<'a>,
    pub(crate) host: Lines<'a>,
    pub(crate) key: Lines<'a>,
    pub(crate) origin: Lines<'a>,
    pub(crate) protocol: Lines<'a>,
    pub(crate) transfer_encoding: Lines<'a>,
    pub(crate) upgrade: Lines<'a>,
    pub(crate) version: Lines<'a>,
}

impl<'a> KnownFields<'a> {
    pub(crate) fn collect(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut known = Self::default();
        for (name, value) in fields {
            // RFC 6455 section 4.2.1: fields that are not known have no effect.
            if let Some(name) = KnownName::of(name) {
                known.lines(name).push(trim(value));
            }
        }
        known
    }

    fn lines(&mut self, name: KnownName) -> &mut Lines<'a> {
        match name {
            KnownName::Accept => &mut self.accept,
            KnownName::Connection => &mut self.connection,
            KnownName::ContentLength => &mut self.content_length,
            KnownName::Expect => &mut self.expect,
            KnownName::Extensions => &mut self.extensions,
            KnownName::Host => &mut self.host,
            KnownName::Key => &mut self.key,
            KnownName::Origin => &mut self.origin,
            KnownName::Protocol => &mut self.protocol,
            KnownName::TransferEncoding => &mut self.transfer_encoding,
            KnownName::Upgrade => &mut self.upgrade,
            KnownName::Version => &mut self.version,
        }
    }
}

/// A field that the handshake is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KnownName {
    Accept,
    Connection,
    ContentLength,
    Expect,
    Extensions,
    Host,
    Key,
    Origin,
    Protocol,
    TransferEncoding,
    Upgrade,
    Version,
}

impl KnownName {
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        // Length and first letter leave one name to compare with, or none: most fields are others.
        let (known, text): (_, &[u8]) = match (name.len(), name.first()?.to_ascii_lowercase()) {
            (4, b'h') => (Self::Host, b"Host"),
            (6, b'e') => (Self::Expect, b"Expect"),
            (6, b'o') => (Self::Origin, b"Origin"),
            (7, b'u') => (Self::Upgrade, b"Upgrade"),
            (10, b'c') => (Self::Connection, b"Connection"),
            (14, b'c') => (Self::ContentLength, b"Content-Length"),
            (17, b's') => (Self::Key, b"Sec-WebSocket-Key"),
            (17, b't') => (Self::TransferEncoding, b"Transfer-Encoding"),
            (20, b's') => (Self::Accept, b"Sec-WebSocket-Accept"),
            (21, b's') => (Self::Version, b"Sec-WebSocket-Version"),
            (22, b's') => (Self::Protocol, b"Sec-WebSocket-Protocol"),
            (24, b's') => (Self::Extensions, b"Sec-WebSocket-Extensions"),
            _ => return None,
        };
        // RFC 9110 section 5.1: names have no case.
        name.eq_ignore_ascii_case(text).then_some(known)
    }
}

/// The values of all lines of one field, in order. Most fields stand once, and cost nothing then.
#[derive(Clone, Debug, Default)]
pub(crate) enum Lines<'a> {
    #[default]
    None,
    One(&'a [u8]),
    Many(Vec<&'a [u8]>),
}

impl<'a> Lines<'a> {
    fn push(&mut self, value: &'a [u8]) {
        match self {
            Self::None => *self = Self::One(value),
            Self::One(first) => *self = Self::Many(vec![*first, value]),
            Self::Many(values) => values.push(value),
        }
    }

    fn as_slice(&self) -> &[&'a [u8]] {
        match self {
            Self::None => &[],
            Self::One(value) => core::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The value of a field that must not repeat.
    pub(crate) fn at_most_one(&self, repeated: HandshakeError) -> Result<Option<&'a [u8]>, HandshakeError> {
        match self {
            Self::None => Ok(None),
            Self::One(value) => Ok(Some(value)),
            Self::Many(_) => Err(repeated),
        }
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &'a [u8]> {
        self.as_slice().iter().copied()
    }

    /// The elements of the list that the lines make together (RFC 9110 section 5.3), the empty ones skipped.
    pub(crate) fn elements(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.as_slice().iter().copied().flat_map(list)
    }

    /// Whether the list has this element, in any case.
    pub(crate) fn has(&self, element: &[u8]) -> bool {
        self.elements().any(|other| other.eq_ignore_ascii_case(element))
    }
}
