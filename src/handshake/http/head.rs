//! Reading a head: one pass over the bytes, resumable at any of them.
//!
//! Every byte is looked at once, when it arrives, and either takes part in a run (a token, a target, a value) or moves the
//! reader to another state. An error is thus found at the byte that makes it, however the head was cut, and no byte after
//! it is consumed.

use alloc::vec::Vec;
use core::mem;

use super::fields::Records;
use super::grammar::{is_field_byte, is_target_byte, is_token_byte, text, trim};
use super::target::Target;
use crate::Config;
use crate::handshake::error::HandshakeError;

/// A whole head, in one buffer:
///
/// ```text
///   | method | target | 4: name length | 4: value length | name | value | 4: ...
///            ^        ^
///      method_end  fields_at                  (a response has neither method nor target)
/// ```
#[derive(Clone, Default)]
pub(crate) struct Head {
    bytes: Vec<u8>,
    method_end: usize,
    fields_at: usize,
    version: (u8, u8),
    status: u16,
}

impl Head {
    pub(crate) fn method(&self) -> &str {
        text(self.bytes.get(..self.method_end).unwrap_or_default())
    }

    pub(crate) fn target(&self) -> &str {
        text(
            self.bytes
                .get(self.method_end..self.fields_at)
                .unwrap_or_default(),
        )
    }

    pub(crate) fn version(&self) -> (u8, u8) {
        self.version
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn records(&self) -> Records<'_> {
        Records(self.bytes.get(self.fields_at..).unwrap_or_default())
    }
}

/// Reads one head.
#[derive(Clone)]
pub(crate) struct HeadReader {
    state: State,
    head: Head,
    /// Bytes consumed, those of skipped empty lines too.
    seen: usize,
    limit: usize,
    fields: usize,
    max_fields: usize,
    /// Where the record of the current field starts.
    record_at: usize,
    /// Where the name of the current field ends, and its value starts.
    name_end: usize,
}

impl HeadReader {
    pub(crate) fn request(config: &Config) -> Self {
        Self::new(config, State::Start)
    }

    pub(crate) fn response(config: &Config) -> Self {
        Self::new(config, State::ResponseVersion(0))
    }

    fn new(config: &Config, state: State) -> Self {
        Self {
            state,
            head: Head::default(),
            seen: 0,
            limit: config.max_head_size.min(LENGTH_MAX),
            fields: 0,
            max_fields: config.max_fields,
            record_at: 0,
            name_end: 0,
        }
    }

    /// Consumes the bytes of the head, and with an error those up to the byte that made it.
    ///
    /// `Ok(None)`: all was consumed and more is needed. After an error or a head the reader is used up.
    pub(crate) fn receive(&mut self, input: &mut &mut [u8]) -> Result<Option<Head>, HandshakeError> {
        let window = input.len().min(self.limit.saturating_sub(self.seen));
        let window = input.get(..window).unwrap_or_default();
        self.reserve(window.len());
        let mut rest = window;
        let result = self.advance(&mut rest);
        let used = window.len() - rest.len();
        self.seen += used;
        if let Some((_, tail)) = mem::take(input).split_at_mut_checked(used) {
            *input = tail;
        }
        result?;
        if self.state == State::Done {
            return Ok(Some(mem::take(&mut self.head)));
        }
        if self.seen == self.limit {
            return Err(self.too_long());
        }
        Ok(None)
    }

    /// The method, if it has come.
    pub(crate) fn method(&self) -> &str {
        self.head.method()
    }

    fn advance(&mut self, rest: &mut &[u8]) -> Result<(), HandshakeError> {
        while self.state != State::Done {
            if matches!(self.state, State::FirstField | State::NextField) {
                while let Some(after) = self.whole_line(rest) {
                    *rest = after;
                }
            }
            let run = match self.state {
                State::Method | State::Name => run(rest, is_token_byte),
                State::Target => run(rest, is_target_byte),
                State::Value | State::Reason => field_run(rest),
                State::BeforeValue => run(rest, |byte| matches!(byte, b' ' | b'\t')),
                State::Start
                | State::StartLf
                | State::RequestVersion(_)
                | State::ResponseVersion(_)
                | State::Status(_)
                | State::LineLf
                | State::FirstField
                | State::NextField
                | State::ValueLf
                | State::EndLf
                | State::Done => 0,
            };
            let (run, after) = rest.split_at_checked(run).unwrap_or((rest, &[]));
            if matches!(
                self.state,
                State::Method | State::Name | State::Target | State::Value
            ) {
                self.head.bytes.extend_from_slice(run);
            }
            let Some((&byte, after)) = after.split_first() else {
                *rest = &[];
                return Ok(());
            };
            *rest = after;
            self.state = self.turn(byte)?;
        }
        Ok(())
    }

    /// Takes a whole field line in one go, if there is one and it is plain; returns what follows it.
    ///
    /// This changes nothing but the time: the states would come to the same record. They take over at the same place if the
    /// line is cut, empty, folded, wrong or one too many, and then its bytes are looked at a second time, never a third.
    fn whole_line<'b>(&mut self, rest: &'b [u8]) -> Option<&'b [u8]> {
        let (name, after) = rest.split_at_checked(run(rest, is_token_byte))?;
        let after = after.strip_prefix(b":")?;
        let (value, after) = after.split_at_checked(field_run(after))?;
        let after = after.strip_prefix(b"\r\n")?;
        if name.is_empty() || self.fields >= self.max_fields {
            return None;
        }
        let value = trim(value);
        let bytes = &mut self.head.bytes;
        self.fields += 1;
        self.record_at = bytes.len();
        bytes.reserve(
            RECORD_HEADER
                .saturating_add(name.len())
                .saturating_add(value.len()),
        );
        bytes.extend_from_slice(&record_header(name.len(), value.len()));
        bytes.extend_from_slice(name);
        self.name_end = bytes.len();
        bytes.extend_from_slice(value);
        self.state = State::NextField;
        Some(after)
    }

    /// The state after a byte that ends a run.
    fn turn(&mut self, byte: u8) -> Result<State, HandshakeError> {
        match self.state {
            // RFC 9112 section 2.2: empty lines before a request are skipped. They count against the limit all the same.
            State::Start if byte == b'\r' => Ok(State::StartLf),
            State::Start => self.first_byte(byte),
            State::StartLf => line_feed(byte, State::Start),
            State::Method => self.end_method(byte),
            State::Target => self.end_target(byte),
            State::RequestVersion(8) if byte == b'\r' => Ok(State::LineLf),
            State::RequestVersion(at) => self.version(at, byte).map(State::RequestVersion),
            State::ResponseVersion(8) if byte == b' ' => Ok(State::Status(0)),
            State::ResponseVersion(at) => self.version(at, byte).map(State::ResponseVersion),
            State::Status(at) => self.status(at, byte),
            State::Reason | State::Value | State::BeforeValue if byte == b'\r' => {
                Ok(if self.state == State::Reason {
                    State::LineLf
                } else {
                    State::ValueLf
                })
            }
            State::BeforeValue if is_field_byte(byte) => {
                self.head.bytes.push(byte);
                Ok(State::Value)
            }
            State::Reason | State::Value | State::BeforeValue => {
                Err(unexpected(byte, HandshakeError::MalformedFieldValue))
            }
            State::LineLf => line_feed(byte, State::FirstField),
            State::FirstField | State::NextField => self.line_start(byte),
            State::Name => self.end_name(byte),
            State::ValueLf => {
                let next = line_feed(byte, State::NextField)?;
                self.end_field();
                Ok(next)
            }
            State::EndLf => line_feed(byte, State::Done),
            State::Done => Ok(State::Done),
        }
    }

    fn first_byte(&mut self, byte: u8) -> Result<State, HandshakeError> {
        // RFC 9112 section 2.2: what cannot be HTTP is refused, here at its first byte (TLS starts with 0x16).
        if !is_token_byte(byte) {
            return Err(unexpected(byte, HandshakeError::MalformedMethod));
        }
        self.head.bytes.push(byte);
        Ok(State::Method)
    }

    fn end_method(&mut self, byte: u8) -> Result<State, HandshakeError> {
        if byte != b' ' {
            return Err(unexpected(byte, HandshakeError::MalformedMethod));
        }
        self.head.method_end = self.head.bytes.len();
        Ok(State::Target)
    }

    fn end_target(&mut self, byte: u8) -> Result<State, HandshakeError> {
        match byte {
            b' ' => {}
            // A line of two words, as of HTTP/0.9.
            b'\r' => return Err(HandshakeError::MalformedHttpVersion),
            _ => return Err(unexpected(byte, HandshakeError::MalformedTarget)),
        }
        self.head.fields_at = self.head.bytes.len();
        Target::parse(self.head.method(), self.head.target())?;
        Ok(State::RequestVersion(0))
    }

    /// One byte of the version; the next place.
    fn version(&mut self, at: u8, byte: u8) -> Result<u8, HandshakeError> {
        let digit = byte.wrapping_sub(b'0');
        // RFC 9112 section 2.3: upper case, and one digit on either side of the dot.
        match (at, byte) {
            (0, b'H') | (1 | 2, b'T') | (3, b'P') | (4, b'/') | (6, b'.') => {}
            (5, b'0'..=b'9') => self.head.version.0 = digit,
            (7, b'0'..=b'9') => {
                self.head.version.1 = digit;
                let (major, minor) = self.head.version;
                if major != 1 {
                    return Err(HandshakeError::UnsupportedHttpVersion { major, minor });
                }
            }
            _ => return Err(unexpected(byte, HandshakeError::MalformedHttpVersion)),
        }
        Ok(at.saturating_add(1))
    }

    /// One byte of the status or the space behind it.
    fn status(&mut self, at: u8, byte: u8) -> Result<State, HandshakeError> {
        // RFC 9112 section 4: three digits and a space, even if no reason follows; no status is below 100.
        match (at, byte) {
            (0, b'1'..=b'9') | (1 | 2, b'0'..=b'9') => {
                let digit = u16::from(byte.wrapping_sub(b'0'));
                self.head.status = self.head.status.saturating_mul(10).saturating_add(digit);
                Ok(State::Status(at.saturating_add(1)))
            }
            (3, b' ') => Ok(State::Reason),
            _ => Err(unexpected(byte, HandshakeError::MalformedStatus)),
        }
    }

    /// The first byte of a field line, of a folded line, or of the end.
    fn line_start(&mut self, byte: u8) -> Result<State, HandshakeError> {
        match byte {
            b'\r' => Ok(State::EndLf),
            b' ' | b'\t' => self.fold(),
            _ if !is_token_byte(byte) => Err(unexpected(byte, HandshakeError::MalformedFieldName)),
            _ if self.fields >= self.max_fields => Err(HandshakeError::TooManyFields {
                limit: self.max_fields,
            }),
            _ => {
                self.fields += 1;
                self.record_at = self.head.bytes.len();
                self.head.bytes.extend_from_slice(&[0; RECORD_HEADER]);
                self.head.bytes.push(byte);
                Ok(State::Name)
            }
        }
    }

    fn fold(&mut self) -> Result<State, HandshakeError> {
        // RFC 9112 section 2.2: white space between the first line and the first field is refused.
        if self.state == State::FirstField {
            return Err(HandshakeError::SpaceBeforeFields);
        }
        // RFC 9112 section 5.2: a server refuses a folded line, a client puts one space for the fold.
        if self.head.status == 0 {
            return Err(HandshakeError::FoldedField);
        }
        // The record is the last one in the buffer, and its value the last thing in it: it just goes on.
        if self.head.bytes.len() > self.name_end {
            self.head.bytes.push(b' ');
        }
        Ok(State::BeforeValue)
    }

    fn end_name(&mut self, byte: u8) -> Result<State, HandshakeError> {
        match byte {
            b':' => {
                self.name_end = self.head.bytes.len();
                Ok(State::BeforeValue)
            }
            // RFC 9112 section 5.1: refused, as it has been a way to smuggle requests.
            b' ' | b'\t' => Err(HandshakeError::SpaceBeforeColon),
            _ => Err(unexpected(byte, HandshakeError::MalformedFieldName)),
        }
    }

    /// Trims the value and writes the lengths into the record.
    fn end_field(&mut self) {
        let bytes = &mut self.head.bytes;
        while bytes.len() > self.name_end && matches!(bytes.last(), Some(b' ' | b'\t')) {
            bytes.pop();
        }
        let name = self
            .name_end
            .saturating_sub(self.record_at.saturating_add(RECORD_HEADER));
        let value = bytes.len().saturating_sub(self.name_end);
        let header = record_header(name, value);
        if let Some(record) = bytes.get_mut(self.record_at..).and_then(<[u8]>::first_chunk_mut) {
            *record = header;
        }
    }

    /// Room for the usual head in one go: what came, and what the records need more than the line ends that they replace.
    fn reserve(&mut self, incoming: usize) {
        if self.seen == 0 && incoming > 0 {
            self.head.bytes.reserve(
                incoming
                    .saturating_add(incoming / 8)
                    .saturating_add(RECORD_HEADER),
            );
        }
    }

    fn too_long(&self) -> HandshakeError {
        let limit = self.limit;
        match self.state {
            // RFC 9112 section 3: 414 as soon as the limit is reached, the line may never end.
            State::Method | State::Target | State::RequestVersion(_) => {
                HandshakeError::RequestLineTooLong { limit }
            }
            State::LineLf if self.head.status == 0 => HandshakeError::RequestLineTooLong { limit },
            State::Start
            | State::StartLf
            | State::ResponseVersion(_)
            | State::Status(_)
            | State::Reason
            | State::LineLf
            | State::FirstField
            | State::NextField
            | State::Name
            | State::BeforeValue
            | State::Value
            | State::ValueLf
            | State::EndLf
            | State::Done => HandshakeError::HeadTooLarge { limit },
        }
    }
}

/// Where in a head the next byte stands.
#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    /// Before a request.
    Start,
    /// After the CR of an empty line before a request.
    StartLf,
    Method,
    Target,
    /// At this byte of a request's version, 8 being the CR behind it.
    RequestVersion(u8),
    /// At this byte of a response's version, 8 being the space behind it.
    ResponseVersion(u8),
    /// At this digit of the status, 3 being the space behind it.
    Status(u8),
    Reason,
    /// After the CR of the first line.
    LineLf,
    /// At the start of the line after the first.
    FirstField,
    /// At the start of a line after a field.
    NextField,
    Name,
    /// In the white space before a value.
    BeforeValue,
    Value,
    /// After the CR of a field line.
    ValueLf,
    /// After the CR of the empty line.
    EndLf,
    Done,
}

/// The lengths of a name and a value, both within [`LENGTH_MAX`].
fn record_header(name: usize, value: usize) -> [u8; RECORD_HEADER] {
    ((name as u64) << 32 | value as u64).to_be_bytes()
}

fn line_feed(byte: u8, next: State) -> Result<State, HandshakeError> {
    // RFC 9112 section 2.2: a CR without LF is invalid.
    if byte == b'\n' {
        Ok(next)
    } else {
        Err(HandshakeError::BareCarriageReturn)
    }
}

/// The error for a byte out of place.
fn unexpected(byte: u8, error: HandshakeError) -> HandshakeError {
    // RFC 9112 section 2.2 allows to take an LF alone as a line end. Two ideas of where a line ends are how requests are
    // smuggled, so it is refused, and at once, as its sender waits for an answer.
    if byte == b'\n' {
        HandshakeError::BareLineFeed
    } else {
        error
    }
}

/// How many of the first bytes are of a kind.
fn run(bytes: &[u8], is_kind: impl Fn(u8) -> bool) -> usize {
    bytes
        .iter()
        .position(|&byte| !is_kind(byte))
        .unwrap_or(bytes.len())
}

/// How many of the first bytes may stand in a field's value: all up to the CR, if they are what they should be.
fn field_run(bytes: &[u8]) -> usize {
    let line = memchr::memchr(b'\r', bytes).unwrap_or(bytes.len());
    let line = bytes.get(..line).unwrap_or(bytes);
    // Without an early exit, which the compiler turns into vector code.
    if line.iter().fold(true, |all, &byte| all & is_field_byte(byte)) {
        line.len()
    } else {
        run(line, is_field_byte)
    }
}

/// The two lengths before each field.
const RECORD_HEADER: usize = 8;

/// The largest head whose lengths fit into a record.
const LENGTH_MAX: usize = u32::MAX as usize;
