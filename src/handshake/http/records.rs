//! A head that was read, and its fields. They are either the lines as received, followed by a table of them; or, if the
//! head was read byte by byte, one record after the other:
//!
//! ```text
//!   | 4: name length | 4: value length | name | value | 4: ...
//! ```

use alloc::vec::Vec;

use super::fields::Known;
use super::grammar::{text, trim_end};
use crate::Config;
use crate::handshake::error::HandshakeError;

/// A complete head, in one buffer:
///
/// ```text
///   | method | target | records                     | method |SP| target | ... | lines | empty line | table
/// ```
///
/// A response has neither method nor target.
#[derive(Clone, Default)]
pub(crate) struct Head {
    pub(super) bytes: Vec<u8>,
    pub(super) method_end: usize,
    /// The start and the end of the target.
    pub(super) target: (usize, usize),
    pub(super) layout: Layout,
    pub(super) version: (u8, u8),
    /// The status of a response.
    pub(super) status: u16,
}

impl Head {
    /// Creates the head of a response that another HTTP library has read. The limits apply to its fields, because they
    /// are copied. `check` returns the value of a field without white space around it.
    pub(crate) fn of_response<'f>(
        config: &Config,
        version: (u8, u8),
        status: u16,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])>,
        check: impl Fn(&[u8], &'f [u8]) -> Result<&'f [u8], HandshakeError>,
    ) -> Result<Self, HandshakeError> {
        let mut head = Self {
            version,
            status,
            ..Self::default()
        };
        let limit = config.max_head_size.min(LENGTH_MAX);
        let mut left = limit;
        for (count, (name, value)) in fields.enumerate() {
            if count >= config.max_fields {
                let limit = config.max_fields;
                return Err(HandshakeError::TooManyFields { limit });
            }
            let value = check(name, value)?;
            // The size of the line in HTTP/1.1: `name: value` and the line end.
            left = [name.len(), value.len(), 4]
                .into_iter()
                .try_fold(left, usize::checked_sub)
                .ok_or(HandshakeError::HeadTooLarge { limit })?;
            push_record(&mut head.bytes, name, value);
        }
        Ok(head)
    }

    pub(crate) fn method(&self) -> &str {
        match self.bytes.get(..self.method_end).unwrap_or_default() {
            // Of most requests, which need not be looked at once more.
            b"GET" => "GET",
            method => text(method),
        }
    }

    pub(crate) fn target(&self) -> &str {
        let (start, end) = self.target;
        text(self.bytes.get(start..end).unwrap_or_default())
    }

    pub(crate) fn version(&self) -> (u8, u8) {
        self.version
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn records(&self) -> Records<'_> {
        match self.layout {
            Layout::Records { at } => Records::Records(self.bytes.get(at..).unwrap_or_default()),
            Layout::Lines { table } => {
                let (bytes, table) = self.bytes.split_at_checked(table).unwrap_or_default();
                Records::Lines { bytes, table }
            }
        }
    }
}

/// The layout and the place of the fields.
#[derive(Clone, Copy)]
pub(super) enum Layout {
    Records {
        at: usize,
    },
    Lines {
        /// Where the table starts, with [`LINE`] bytes for each line, up to the end.
        table: usize,
    },
}

impl Default for Layout {
    fn default() -> Self {
        Self::Records { at: 0 }
    }
}

/// A field line: its place in the bytes of the head, without white space around the value, and which known name it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Line {
    start: u16,
    colon: u16,
    /// The distance from the colon to the value.
    gap: u8,
    end: u16,
    known: Option<Known>,
}

/// The size of a [`Line`] in the table.
pub(super) const LINE: usize = 8;

impl Line {
    /// Encodes a line, whose places fit into 16 bits.
    #[inline]
    pub(super) fn encode(
        start: usize,
        colon: usize,
        gap: u8,
        end: usize,
        known: Option<Known>,
    ) -> [u8; LINE] {
        let known = known.map_or(0, |known| (known as u8).wrapping_add(1));
        let places = start as u64 | (colon as u64) << 16 | (end as u64) << 32;
        (places | u64::from(gap) << 48 | u64::from(known) << 56).to_le_bytes()
    }

    #[inline]
    fn decode(bytes: [u8; LINE]) -> Self {
        let [a, b, c, d, e, f, gap, known] = bytes;
        Self {
            start: u16::from_le_bytes([a, b]),
            colon: u16::from_le_bytes([c, d]),
            gap,
            end: u16::from_le_bytes([e, f]),
            known: Known::at(known.wrapping_sub(1)),
        }
    }

    #[inline]
    fn name<'a>(&self, head: &'a [u8]) -> Option<&'a [u8]> {
        head.get(usize::from(self.start)..usize::from(self.colon))
    }

    #[inline]
    fn value<'a>(&self, head: &'a [u8]) -> Option<&'a [u8]> {
        let start = usize::from(self.colon).wrapping_add(usize::from(self.gap));
        head.get(start..usize::from(self.end))
    }
}

/// The record at the end of a buffer, which may still grow.
#[derive(Clone, Default)]
pub(super) struct LastRecord {
    start: usize,
    name_end: usize,
}

impl LastRecord {
    /// Starts a record after all others. Its name is appended next.
    pub(super) fn start(bytes: &mut Vec<u8>) -> Self {
        let start = bytes.len();
        bytes.extend_from_slice(&[0; HEADER]);
        Self { start, name_end: 0 }
    }

    /// Ends the name. The value is appended next, without the white space before it.
    pub(super) fn end_name(&mut self, bytes: &[u8]) {
        self.name_end = bytes.len();
    }

    /// Ends the value: drops the white space after it, and stores both lengths, which are within [`LENGTH_MAX`].
    pub(super) fn end_value(&self, bytes: &mut Vec<u8>) {
        // A name is a token, and does not end in white space.
        while matches!(bytes.last(), Some(b' ' | b'\t')) {
            bytes.pop();
        }
        let value = bytes.len().saturating_sub(self.name_end);
        let name = self.name_end.saturating_sub(self.start).saturating_sub(HEADER);
        if let Some(header) = bytes.get_mut(self.start..).and_then(<[u8]>::first_chunk_mut) {
            *header = lengths(name, value);
        }
    }

    /// Continues the value with another line: a space separates the two.
    pub(super) fn fold(&self, bytes: &mut Vec<u8>) {
        if bytes.len() > self.name_end {
            bytes.push(b' ');
        }
    }
}

/// Appends a record whose parts are complete, and together within [`LENGTH_MAX`]; without the white space after the
/// value.
#[inline]
pub(super) fn push_record(bytes: &mut Vec<u8>, name: &[u8], value: &[u8]) -> LastRecord {
    let value = trim_end(value);
    bytes.reserve(HEADER.saturating_add(name.len()).saturating_add(value.len()));
    let start = bytes.len();
    bytes.extend_from_slice(&lengths(name.len(), value.len()));
    bytes.extend_from_slice(name);
    let name_end = bytes.len();
    bytes.extend_from_slice(value);
    LastRecord { start, name_end }
}

fn lengths(name: usize, value: usize) -> [u8; HEADER] {
    ((name as u64) << 32 | value as u64).to_be_bytes()
}

/// The fields in the records of a head: names, and values without white space around them.
#[derive(Clone)]
pub(crate) enum Records<'a> {
    Records(&'a [u8]),
    Lines {
        bytes: &'a [u8],
        /// The remaining lines.
        table: &'a [u8],
    },
}

impl<'a> Records<'a> {
    /// Calls `take` with each field that is known, in order: which one it is, and its value.
    #[inline]
    pub(super) fn for_each_known(self, mut take: impl FnMut(Known, &'a [u8])) {
        match self {
            Self::Records(mut records) => {
                while let Some((name, value)) = next_record(&mut records) {
                    if let Some(known) = Known::of(name) {
                        take(known, value);
                    }
                }
            }
            Self::Lines { bytes, mut table } => {
                while let Some(line) = next_line(&mut table) {
                    let Some(known) = line.known else { continue };
                    if let Some(value) = line.value(bytes) {
                        take(known, value);
                    }
                }
            }
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Records(records) => next_record(records),
            Self::Lines { bytes, table } => {
                let line = next_line(table)?;
                Some((line.name(bytes)?, line.value(bytes)?))
            }
        }
    }
}

#[inline]
fn next_line(table: &mut &[u8]) -> Option<Line> {
    let (line, rest) = table.split_first_chunk()?;
    *table = rest;
    Some(Line::decode(*line))
}

fn next_record<'a>(records: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (name, rest) = records.split_first_chunk()?;
    let (value, rest) = rest.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(u32::from_be_bytes(*name) as usize)?;
    let (value, rest) = rest.split_at_checked(u32::from_be_bytes(*value) as usize)?;
    *records = rest;
    Some((name, value))
}

/// The two lengths before each field.
pub(super) const HEADER: usize = 8;

/// The largest head whose lengths fit into a record.
pub(super) const LENGTH_MAX: usize = u32::MAX as usize;
