//! The server's side of the transport: bytes in, a request or an error response out.

mod answer;
mod connect;
mod request;
mod rules;
mod upgrade;

use alloc::vec::Vec;
use core::fmt;

pub use request::Request;
pub use upgrade::Upgrade;

use crate::Config;
use crate::handshake::error::HandshakeError;
use crate::handshake::http::head::HeadReader;

/// Reads the request of a client.
///
/// ```
/// use websocket_proto::Config;
/// use websocket_proto::handshake::ServerHandshake;
///
/// let mut handshake = ServerHandshake::new(&Config::new());
/// let mut out = Vec::new();
/// let mut read = *b"GET / HTTP/1.1\r\nHost: exa";
/// assert!(handshake.receive(&mut &mut read[..], &mut out)?.is_none()); // all of it was consumed
/// let mut read = *b"mple.com\r\n\r\nframes";
/// let mut input = &mut read[..];
/// let request = handshake.receive(&mut input, &mut out)?.unwrap();
/// assert_eq!(request.authority(), Some("example.com"));
/// assert_eq!(input, b"frames");
/// # Ok::<(), websocket_proto::handshake::HandshakeError>(())
/// ```
///
/// Memory: the bytes of the head received so far, at most [`Config::max_head_size`] plus eight bytes for each of at
/// most [`Config::max_fields`] fields (a buffer that had to grow may be twice as large for a while). Work: linear in
/// the bytes, however they are split. Time: up to the caller; report a timeout with
/// [`handle_timeout`](Self::handle_timeout).
#[derive(Clone)]
#[must_use = "a handshake does nothing but by `receive`"]
pub struct ServerHandshake {
    config: Config,
    state: State,
}

#[derive(Clone)]
enum State {
    Reading(HeadReader),
    Finished(HandshakeError),
}

impl ServerHandshake {
    /// Creates a handshake that waits for a request.
    pub fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            state: State::Reading(HeadReader::request(config)),
        }
    }

    /// Handles the bytes of one read.
    ///
    /// `Ok(None)`: all of `input` was consumed, and the head is not complete. `Ok(Some(_))`: the request is complete;
    /// what follows it stays in `input`: frames, if the request is accepted. The handshake is then finished.
    ///
    /// # Errors
    ///
    /// The reason the bytes are not a valid HTTP request, or the limit that was exceeded. `input` is consumed up to the
    /// deciding byte: the end of the head for a missing, repeated or malformed Host and for a Content-Length or
    /// Transfer-Encoding that leaves the length of the content in doubt, otherwise the first offending byte. The
    /// complete HTTP response has been appended to `out`; send it and close the transport. Every later call returns the
    /// same error, consumes nothing and writes nothing.
    pub fn receive(
        &mut self,
        input: &mut &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Request>, HandshakeError> {
        let reader = match &mut self.state {
            State::Reading(reader) => reader,
            State::Finished(error) => return Err(*error),
        };
        let result = match reader.receive(input) {
            Ok(None) => return Ok(None),
            Ok(Some(head)) => Request::new(head, self.config.clone(), out),
            Err(error) => {
                error.respond(reader.method(), out);
                Err(error)
            }
        };
        self.state = State::Finished(match result {
            Ok(_) => HandshakeError::Finished,
            Err(error) => error,
        });
        result.map(Some)
    }

    /// Reports that the transport has ended. Returns the resulting error, or the earlier one if the handshake had
    /// already failed.
    pub fn receive_eof(&mut self) -> HandshakeError {
        match self.state {
            State::Reading(_) => {
                self.state = State::Finished(HandshakeError::Eof);
                HandshakeError::Eof
            }
            State::Finished(error) => error,
        }
    }

    /// Reports that the caller's timeout has expired. Returns the resulting error, or the earlier one if the handshake
    /// had already failed.
    ///
    /// A response with status 408 has been appended to `out`, unless no byte was received: browsers open transports
    /// ahead of their requests, and would mistake it for the response to one. Send it and close the transport.
    pub fn handle_timeout(&mut self, out: &mut Vec<u8>) -> HandshakeError {
        match &self.state {
            State::Reading(reader) => {
                let error = HandshakeError::TimedOut;
                if reader.has_begun() {
                    error.respond(reader.method(), out);
                }
                self.state = State::Finished(error);
                error
            }
            State::Finished(error) => *error,
        }
    }
}

impl fmt::Debug for ServerHandshake {
    /// Does not show the bytes, which hold cookies and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Reading(_) => None,
            State::Finished(error) => Some(error),
        };
        f.debug_struct("ServerHandshake")
            .field("finished", &state)
            .finish_non_exhaustive()
    }
}
