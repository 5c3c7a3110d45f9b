//! Reading a head: bytes in, however they are split, and one buffer out.
//!
//! A byte either belongs to a run (a token, a target, a value) or moves the reader to another state. An error is found
//! at the byte that causes it, however the head was split, and no byte after it is consumed. Each byte is read a fixed
//! number of times, so the work is linear.

use core::mem;

use super::grammar::{field_run, is_field_byte, is_space, is_target_byte, is_token_byte, trim_start};
use super::lines;
pub(crate) use super::records::Head;
use super::records::{HEADER, LENGTH_MAX, LastRecord, Layout, push_record};
use super::target::Target;
use crate::Config;
use crate::cursor::take;
use crate::handshake::error::HandshakeError;

/// The size of most heads: browsers' requests are smaller, unless they have long cookies.
const USUAL_HEAD: usize = 1024;

/// Reads one head.
#[derive(Clone)]
pub(crate) struct HeadReader {
    kind: Kind,
    state: State,
    head: Head,
    /// Bytes consumed, including those of skipped empty lines.
    seen: usize,
    limit: usize,
    fields: usize,
    max_fields: usize,
    /// Whether an LF without CR ends a line.
    bare_line_feeds: bool,
    /// The record of the current field.
    record: LastRecord,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Request,
    Response,
}

/// The position of the next byte in a head; the variants are in the order of the bytes.
#[derive(Clone, Copy, Eq, PartialEq, PartialOrd)]
enum State {
    /// Before a request.
    Start,
    /// After the CR of an empty line before a request.
    StartLf,
    Method,
    Target,
    /// At this byte of the version; 8 is the one after it.
    Version(u8),
    /// At this digit of the status; 3 is the space or the line end after it.
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

impl State {
    /// Returns how many of the first bytes leave the state unchanged.
    fn run(self, bytes: &[u8]) -> usize {
        match self {
            Self::Method | Self::Name => run(bytes, is_token_byte),
            Self::Target => run(bytes, is_target_byte),
            Self::Reason | Self::Value => field_run(bytes),
            Self::BeforeValue => run(bytes, is_space),
            _ => 0,
        }
    }

    fn is_after_cr(self) -> bool {
        matches!(self, Self::StartLf | Self::LineLf | Self::ValueLf | Self::EndLf)
    }

    /// Returns whether these bytes go into the buffer.
    fn is_kept(self) -> bool {
        matches!(self, Self::Method | Self::Target | Self::Name | Self::Value)
    }
}

impl HeadReader {
    pub(crate) fn request(config: &Config) -> Self {
        Self::new(config, Kind::Request, State::Start)
    }

    pub(crate) fn response(config: &Config) -> Self {
        Self::new(config, Kind::Response, State::Version(0))
    }

    /// Creates a reader for the trailer section of a body: field lines up to an empty line, within the limits of a
    /// head.
    pub(crate) fn trailers(config: &Config) -> Self {
        Self::new(config, Kind::Response, State::FirstField)
    }

    /// Creates a reader for a further response after an interim one, using its memory.
    pub(crate) fn response_after(config: &Config, interim: Head) -> Self {
        let mut reader = Self::response(config);
        reader.head.bytes = interim.bytes;
        reader.head.bytes.clear();
        reader
    }

    fn new(config: &Config, kind: Kind, state: State) -> Self {
        Self {
            kind,
            state,
            head: Head::default(),
            seen: 0,
            limit: config.max_head_size.min(LENGTH_MAX),
            fields: 0,
            max_fields: config.max_fields,
            bare_line_feeds: config.accept_bare_line_feeds && kind == Kind::Response,
            record: LastRecord::default(),
        }
    }

    /// Consumes the bytes of the head, or on an error those up to the byte that caused it.
    ///
    /// `Ok(None)`: all input was consumed and more is needed. After an error or a head the reader must not be used
    /// again.
    pub(crate) fn receive(&mut self, input: &mut &mut [u8]) -> Result<Option<Head>, HandshakeError> {
        let window = input.len().min(self.limit.saturating_sub(self.seen));
        if let Some((head, size)) = self.read_lines(input.get(..window).unwrap_or_default()) {
            self.state = State::Done;
            take(input, size);
            return Ok(Some(head));
        }
        self.reserve(window);
        let mut rest = input.get(..window).unwrap_or_default();
        let result = self.advance(&mut rest);
        let used = window.saturating_sub(rest.len());
        self.seen = self.seen.saturating_add(used);
        take(input, used);
        result?;
        if self.state == State::Done {
            return Ok(Some(mem::take(&mut self.head)));
        }
        if self.seen == self.limit {
            return Err(self.too_long());
        }
        Ok(None)
    }

    /// Reads a head that is complete and plain in one step. As with [`whole_lines`](Self::whole_lines), this changes only
    /// the time.
    fn read_lines(&mut self, bytes: &[u8]) -> Option<(Head, usize)> {
        match (self.kind, self.state) {
            (Kind::Request, State::Start) => lines::request(bytes, self.max_fields, &mut self.head.bytes),
            (Kind::Response, State::Version(0)) => {
                lines::response(bytes, self.max_fields, &mut self.head.bytes)
            }
            _ => None,
        }
    }

    /// Returns the method, if it has arrived.
    pub(crate) fn method(&self) -> &str {
        self.head.method()
    }

    /// Returns whether any byte was received, even of an empty line before a request.
    pub(crate) fn has_begun(&self) -> bool {
        self.seen > 0
    }

    /// Reserves memory so that a usual head takes one allocation: the bytes received, plus what the records need beyond
    /// the line ends that they replace. The bytes may be mostly frames, so this reserves no more than a usual head
    /// needs.
    fn reserve(&mut self, incoming: usize) {
        if self.seen == 0 && incoming > 0 {
            let incoming = incoming.min(USUAL_HEAD);
            let records = (incoming / 8).saturating_add(HEADER);
            self.head.bytes.reserve(incoming.saturating_add(records));
        }
    }

    fn advance(&mut self, rest: &mut &[u8]) -> Result<(), HandshakeError> {
        while self.state != State::Done {
            self.usual_version(rest);
            self.whole_lines(rest);
            let (run, after) = rest.split_at_checked(self.state.run(rest)).unwrap_or((rest, &[]));
            if self.state.is_kept() {
                self.head.bytes.extend_from_slice(run);
            }
            let Some((&byte, behind)) = after.split_first() else {
                *rest = &[];
                return Ok(());
            };
            // Such an LF is handled as if a CR came before it, and then read again.
            let is_bare = byte == b'\n' && self.bare_line_feeds && !self.state.is_after_cr();
            *rest = if is_bare { after } else { behind };
            self.state = self.turn(if is_bare { b'\r' } else { byte })?;
        }
        Ok(())
    }

    /// Reads the usual version of requests in one step, with the line end. As with [`whole_lines`](Self::whole_lines),
    /// this changes only the time.
    fn usual_version(&mut self, rest: &mut &[u8]) {
        if self.state == State::Version(0) && self.kind == Kind::Request {
            if let Some(after) = rest
                .strip_prefix(b"HTTP/1.1\r\n")
                .filter(|_| self.check_target().is_ok())
            {
                self.head.version = (1, 1);
                self.state = State::FirstField;
                *rest = after;
            }
        }
    }

    /// Reads field lines in one step each, as long as they are complete and plain.
    ///
    /// This changes only the time: the states would produce the same records. They take over at a line that is partial,
    /// empty, folded, invalid or over the limit, and read its bytes once more.
    fn whole_lines(&mut self, rest: &mut &[u8]) {
        while matches!(self.state, State::FirstField | State::NextField) && self.fields < self.max_fields {
            let Some((name, value, after)) = split_line(rest) else {
                return;
            };
            self.record = push_record(&mut self.head.bytes, name, value);
            self.fields = self.fields.saturating_add(1);
            self.state = State::NextField;
            *rest = after;
        }
    }

    /// Returns the state after a byte that ends a run.
    fn turn(&mut self, byte: u8) -> Result<State, HandshakeError> {
        match self.state {
            State::Start => self.start(byte),
            State::StartLf => line_feed(byte, State::Start),
            State::Method => self.end_method(byte),
            State::Target => self.end_target(byte),
            State::Version(at) => self.version(at, byte),
            State::Status(at) => self.status(at, byte),
            State::Reason => end_text(byte, State::LineLf),
            State::LineLf => line_feed(byte, State::FirstField),
            State::FirstField | State::NextField => self.line_start(byte),
            State::Name => self.end_name(byte),
            State::BeforeValue if is_field_byte(byte) => {
                self.head.bytes.push(byte);
                Ok(State::Value)
            }
            State::BeforeValue | State::Value => end_text(byte, State::ValueLf),
            State::ValueLf => {
                self.record.end_value(&mut self.head.bytes);
                line_feed(byte, State::NextField)
            }
            State::EndLf => line_feed(byte, State::Done),
            State::Done => Ok(State::Done),
        }
    }

    fn start(&mut self, byte: u8) -> Result<State, HandshakeError> {
        // RFC 9112 section 2.2: empty lines before a request are skipped. They still count against the limit.
        if byte == b'\r' {
            return Ok(State::StartLf);
        }
        // RFC 9112 section 2.2: anything that cannot be HTTP is rejected at its first byte (TLS starts with
        // 0x16).
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
            b'\r' => return Err(self.of_proxy(HandshakeError::MalformedHttpVersion)),
            _ => return Err(unexpected(byte, HandshakeError::MalformedTarget)),
        }
        let end = self.head.bytes.len();
        self.head.target = (self.head.method_end, end);
        self.head.layout = Layout::Records { at: end };
        Ok(State::Version(0))
    }

    /// Checks that the target has a form that the method has. Only once the version is known, because another version
    /// may have other forms: a connection of HTTP/2 begins with `PRI * HTTP/2.0` (RFC 9113 section 3.4).
    fn check_target(&self) -> Result<(), HandshakeError> {
        match self.kind {
            Kind::Request => match Target::read(self.head.method(), self.head.target()) {
                Ok(_) => Ok(()),
                Err(error) => Err(self.of_proxy(error)),
            },
            Kind::Response => Ok(()),
        }
    }

    /// Returns the error for a byte that does not belong in the version: if the target before it is malformed too, the
    /// error is about the target.
    fn no_version(&self, byte: u8) -> HandshakeError {
        match self.check_target() {
            Ok(()) => unexpected(byte, HandshakeError::MalformedHttpVersion),
            Err(error) => error,
        }
    }

    /// Returns the error, unless the line is of the PROXY protocol: `PROXY`, and a protocol instead of a target.
    fn of_proxy(&self, error: HandshakeError) -> HandshakeError {
        let protocol = self.head.bytes.get(self.head.method_end..);
        match (self.head.method(), protocol) {
            ("PROXY", Some(b"TCP4" | b"TCP6" | b"UNKNOWN")) => HandshakeError::ProxyLine,
            _ => error,
        }
    }

    /// Reads one byte of the version, or the one after it.
    fn version(&mut self, at: u8, byte: u8) -> Result<State, HandshakeError> {
        let digit = byte.wrapping_sub(b'0');
        // RFC 9112 section 2.3: uppercase, and one digit on each side of the dot.
        match (at, byte) {
            (0, b'H') | (1 | 2, b'T') | (3, b'P') | (4, b'/') | (6, b'.') => {}
            (5, b'0'..=b'9') => self.head.version.0 = digit,
            (7, b'0'..=b'9') => {
                self.head.version.1 = digit;
                check_http_version(self.head.version)?;
                self.check_target()?;
            }
            (8, b'\r') if self.kind == Kind::Request => return Ok(State::LineLf),
            (8, b' ') if self.kind == Kind::Response => return Ok(State::Status(0)),
            _ => return Err(self.no_version(byte)),
        }
        Ok(State::Version(at.saturating_add(1)))
    }

    /// Reads one byte of the status, or the one after it.
    fn status(&mut self, at: u8, byte: u8) -> Result<State, HandshakeError> {
        // RFC 9112 section 4: three digits and a space, which a line without a reason may lack; no status is below 100.
        match (at, byte) {
            (0, b'1'..=b'9') | (1 | 2, b'0'..=b'9') => {
                let digit = u16::from(byte.wrapping_sub(b'0'));
                self.head.status = self.head.status.saturating_mul(10).saturating_add(digit);
                Ok(State::Status(at.saturating_add(1)))
            }
            (3, b' ') => Ok(State::Reason),
            (3, b'\r') => Ok(State::LineLf),
            _ => Err(unexpected(byte, HandshakeError::MalformedStatus)),
        }
    }

    /// Reads the first byte of a field line, of a folded line, or of the end.
    fn line_start(&mut self, byte: u8) -> Result<State, HandshakeError> {
        match byte {
            b'\r' => Ok(State::EndLf),
            b' ' | b'\t' => self.fold(),
            _ if !is_token_byte(byte) => Err(unexpected(byte, HandshakeError::MalformedFieldName)),
            _ if self.fields >= self.max_fields => Err(HandshakeError::TooManyFields {
                limit: self.max_fields,
            }),
            _ => {
                self.fields = self.fields.saturating_add(1);
                self.record = LastRecord::start(&mut self.head.bytes);
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
        // RFC 9112 section 5.2: a server rejects a folded line, a client replaces the fold by one space.
        if self.kind == Kind::Request {
            return Err(HandshakeError::FoldedField);
        }
        self.record.fold(&mut self.head.bytes);
        Ok(State::BeforeValue)
    }

    fn end_name(&mut self, byte: u8) -> Result<State, HandshakeError> {
        match byte {
            b':' => {
                self.record.end_name(&self.head.bytes);
                Ok(State::BeforeValue)
            }
            // RFC 9112 section 5.1: rejected, as it has been used to smuggle requests.
            b' ' | b'\t' => Err(HandshakeError::SpaceBeforeColon),
            _ => Err(unexpected(byte, HandshakeError::MalformedFieldName)),
        }
    }

    fn too_long(&self) -> HandshakeError {
        let limit = self.limit;
        // RFC 9112 section 3: 414 as soon as the limit is reached, the line may never end.
        let is_in_line = (State::Method..=State::LineLf).contains(&self.state);
        if self.kind == Kind::Request && is_in_line {
            HandshakeError::RequestLineTooLong { limit }
        } else {
            HandshakeError::HeadTooLarge { limit }
        }
    }
}

/// Checks that messages of this version have this syntax.
pub(crate) fn check_http_version((major, minor): (u8, u8)) -> Result<(), HandshakeError> {
    // RFC 9112 section 2.3: a later minor version is treated as this one.
    if major != 1 {
        return Err(HandshakeError::UnsupportedHttpVersion { major, minor });
    }
    Ok(())
}

/// Returns the name and the value of a complete field line, and the bytes after it. White space after the value stays
/// in it.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, after) = bytes.split_at_checked(run(bytes, is_token_byte))?;
    let after = trim_start(after.strip_prefix(b":")?);
    let (value, after) = after.split_at_checked(field_run(after))?;
    let after = after.strip_prefix(b"\r\n")?;
    (!name.is_empty()).then_some((name, value, after))
}

/// Reads the CR after a value or a reason.
fn end_text(byte: u8, next: State) -> Result<State, HandshakeError> {
    if byte == b'\r' {
        Ok(next)
    } else {
        Err(unexpected(byte, HandshakeError::MalformedFieldValue))
    }
}

fn line_feed(byte: u8, next: State) -> Result<State, HandshakeError> {
    // RFC 9112 section 2.2: a CR without LF is invalid.
    if byte == b'\n' {
        Ok(next)
    } else {
        Err(HandshakeError::BareCarriageReturn)
    }
}

/// Returns the error for a byte that is not expected.
fn unexpected(byte: u8, error: HandshakeError) -> HandshakeError {
    // RFC 9112 section 2.2 allows recipients to accept an LF alone as a line end. Different views of where a
    // line ends allow request smuggling, so it is rejected, and immediately, as its sender waits for a
    // response.
    if byte == b'\n' {
        HandshakeError::BareLineFeed
    } else {
        error
    }
}

/// Returns how many of the first bytes are of a kind.
fn run(bytes: &[u8], is_kind: impl Fn(u8) -> bool) -> usize {
    bytes
        .iter()
        .position(|&byte| !is_kind(byte))
        .unwrap_or(bytes.len())
}
