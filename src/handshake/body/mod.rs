//! The body of a rejecting response, in which a server or a proxy says why.

mod chunked;
mod error;
mod framing;

use alloc::vec::Vec;
use core::{fmt, mem};

use chunked::Chunked;
pub use error::BodyError;
use framing::Framing;

use crate::Config;
use crate::cursor::take;
use crate::growth::growth;
use crate::handshake::http::fields::KnownFields;
use crate::handshake::http::head::Head;

/// Reads the body of a rejected handshake: the text of a 401, the page of a 502.
///
/// [`Response::body_reader`](super::Response::body_reader) creates one for a response; it continues with the input
/// after the response's head. The head determines the length of the body (RFC 9112 section 6.3):
///
/// | the head has | the body ends |
/// |---|---|
/// | status 204 or 304 | immediately, whatever else the head has |
/// | `Transfer-Encoding: chunked` | after the last chunk and the trailers; chunk extensions and trailers are skipped |
/// | `Content-Length` | after that many bytes |
/// | neither | with the transport: [`receive_eof`](Self::receive_eof) returns it |
///
/// Anything else is an error: both fields at once, another transfer coding, `Transfer-Encoding` in HTTP/1.0, a repeated
/// `Content-Length`.
///
/// ```
/// use websocket_proto::{Config, entropy};
/// use websocket_proto::handshake::{Answer, ClientRequest};
///
/// let config = Config::new();
/// let mut out = Vec::new();
/// let entropy = entropy::from_fn(|bytes| bytes.fill(7)); // in production: `OsEntropy` or equivalent
/// let mut handshake = ClientRequest::new("example.com", "/")?.start(&config, entropy, &mut out);
///
/// let mut read = *b"HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nLog ";
/// let mut input = &mut read[..];
/// let Some(Answer::Rejected(response)) = handshake.receive(&mut input, &mut out)? else { panic!("not rejected") };
/// let mut body = response.body_reader(&config);
/// assert_eq!(body.receive(&mut input)?, None); // all of it was consumed: read more
///
/// let mut read = *b"\r\n3\r\nin!\r\n0\r\n\r\n";
/// let mut input = &mut read[..];
/// if let Some(text) = body.receive(&mut input)? {
///     println!("{}: {}", response.status(), String::from_utf8_lossy(&text)); // 401: Log in!
/// #   assert_eq!(text, b"Log in!");
/// }
/// assert!(body.is_transport_reusable()); // another request may follow on the same transport
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The content is returned as it was sent: the type and the character encoding are in `Content-Type`, and a server that
/// compresses unsolicited says so in `Content-Encoding`. The peer chose the text, so escape it before it goes to a
/// terminal or into a page.
///
/// Memory: the bytes of the body received so far, up to [`Config::max_body_size`] (up to twice as many while the buffer
/// grows), and the trailers while they are read, up to [`Config::max_head_size`]. Work: linear in the bytes, however
/// the input is split. Time: to give up on a server that sends nothing more, drop the reader and close the transport.
#[must_use = "a body is read by `receive`"]
pub struct ResponseBody {
    state: State,
    collected: Collected,
    keeps_transport: bool,
}

#[allow(clippy::large_enum_variant, reason = "there is one for each response")]
enum State {
    Length { left: u64 },
    Chunked(Chunked),
    ToEnd,
    Complete,
    Failed(BodyError),
}

impl ResponseBody {
    /// Creates a reader for a response that is framed by its head.
    pub(super) fn new(head: &Head, config: &Config) -> Self {
        let known = KnownFields::collect(head.records());
        match Framing::of(head, &known) {
            Ok(framing) => {
                let keeps_transport = framing.leaves_transport_open(head.version(), &known);
                Self::framed(framing, keeps_transport, config)
            }
            Err(error) => Self {
                state: State::Failed(error),
                collected: Collected::new(0),
                keeps_transport: false,
            },
        }
    }

    /// Creates a reader for a response after which the transport carries another protocol (RFC 9112 section 6.3, RFC
    /// 9110 section 9.3.6): it has no body.
    pub(super) fn none(config: &Config) -> Self {
        Self::framed(Framing::Length(0), false, config)
    }

    fn framed(framing: Framing, keeps_transport: bool, config: &Config) -> Self {
        let mut collected = Collected::new(config.max_body_size);
        let state = match framing {
            Framing::ToEnd => State::ToEnd,
            Framing::Chunked => State::Chunked(Chunked::new(config)),
            Framing::Length(length) => match collected.check(length) {
                Ok(()) => {
                    collected.most = length;
                    State::Length { left: length }
                }
                Err(error) => State::Failed(error),
            },
        };
        Self {
            state,
            collected,
            keeps_transport,
        }
    }

    /// Handles the bytes of one read, starting with those that follow the head in the same input.
    ///
    /// `Ok(None)`: all of `input` was consumed, and the body is not complete. `Ok(Some(_))`: the body is
    /// complete, and what follows it stays in `input`. An empty body is complete in the first call, even if
    /// `input` is empty, so call this once before you read more.
    ///
    /// # Errors
    ///
    /// The rule of RFC 9112 that the body or its head breaks, or the limit that it exceeds; a length beyond the limit
    /// is an error before any of its bytes is read. `input` is consumed up to the offending byte. Every later call
    /// returns the same error and consumes nothing; after the body the error is [`BodyError::Finished`].
    pub fn receive(&mut self, input: &mut &mut [u8]) -> Result<Option<Vec<u8>>, BodyError> {
        let result = match &mut self.state {
            State::Length { left } => {
                *left = self.collected.take(input, *left);
                Ok(*left == 0)
            }
            State::Chunked(chunked) => chunked.receive(input, &mut self.collected),
            State::ToEnd => self.collected.take_all(input).map(|()| false),
            State::Complete => return Err(BodyError::Finished),
            State::Failed(error) => return Err(*error),
        };
        match result {
            Ok(true) => Ok(Some(self.complete())),
            Ok(false) => Ok(None),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Reports that the transport has ended. Returns the body if it ends with the transport.
    ///
    /// On a TLS transport, make sure that TLS was closed with `close_notify`: otherwise an attacker may have truncated
    /// the body (RFC 9112 section 9.8).
    ///
    /// # Errors
    ///
    /// [`BodyError::Eof`] if the body is incomplete, the earlier error if there was one, and
    /// [`BodyError::Finished`] after the body.
    pub fn receive_eof(&mut self) -> Result<Vec<u8>, BodyError> {
        match self.state {
            State::ToEnd => Ok(self.complete()),
            State::Length { .. } | State::Chunked(_) => Err(self.fail(BodyError::Eof)),
            State::Complete => Err(BodyError::Finished),
            State::Failed(error) => Err(error),
        }
    }

    /// Returns the bytes of the body received so far, also after an error: the beginning of a body that is too large is
    /// often enough to show. Empty once the body was returned.
    pub fn received(&self) -> &[u8] {
        &self.collected.bytes
    }

    /// Returns whether the transport can carry another request now: the body was returned, it did not end with the
    /// transport, and the server keeps the connection (RFC 9112 section 9.3).
    ///
    /// If so, start the next request on the same transport, with the rest of the input. Otherwise close the transport
    /// and connect again.
    pub fn is_transport_reusable(&self) -> bool {
        self.keeps_transport && matches!(self.state, State::Complete)
    }

    fn complete(&mut self) -> Vec<u8> {
        self.state = State::Complete;
        mem::take(&mut self.collected.bytes)
    }

    fn fail(&mut self, error: BodyError) -> BodyError {
        self.state = State::Failed(error);
        error
    }
}

impl fmt::Debug for ResponseBody {
    /// Does not show the bytes, which may be confidential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (framing, error) = match self.state {
            State::Length { .. } => ("length", None),
            State::Chunked(_) => ("chunked", None),
            State::ToEnd => ("to the end", None),
            State::Complete => ("complete", None),
            State::Failed(error) => ("failed", Some(error)),
        };
        f.debug_struct("ResponseBody")
            .field("state", &framing)
            .field("received", &self.collected.bytes.len())
            .field("error", &error)
            .finish_non_exhaustive()
    }
}

/// The bytes of a body so far.
struct Collected {
    bytes: Vec<u8>,
    limit: u64,
    /// The largest possible size: the limit, or the length if it is known.
    most: u64,
}

impl Collected {
    fn new(limit: u64) -> Self {
        // No buffer can be larger.
        let limit = limit.min(isize::MAX as u64);
        Self {
            bytes: Vec::new(),
            limit,
            most: limit,
        }
    }

    /// Checks that `more` bytes, which are announced, are within the limit.
    fn check(&self, more: u64) -> Result<(), BodyError> {
        let (size, limit) = (self.size().saturating_add(more), self.limit);
        if size > limit {
            return Err(BodyError::TooLarge { size, limit });
        }
        Ok(())
    }

    /// Takes the first of `left` bytes that are announced. Returns how many are left then.
    fn take(&mut self, input: &mut &mut [u8], left: u64) -> u64 {
        let chunk = take(input, usize::try_from(left).unwrap_or(usize::MAX));
        let more = growth(self.bytes.len(), self.bytes.capacity(), chunk.len(), self.most);
        self.bytes.reserve_exact(more);
        self.bytes.extend_from_slice(chunk);
        left.saturating_sub(chunk.len() as u64)
    }

    /// Takes all bytes, up to the limit.
    fn take_all(&mut self, input: &mut &mut [u8]) -> Result<(), BodyError> {
        self.take(input, self.limit.saturating_sub(self.size()));
        self.check(u64::from(!input.is_empty()))
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}
