//! The client's side of the transport: bytes in, the server's response out.

mod fields;
mod request;
mod response;
mod rules;
mod start;
mod tunnel;
mod waiting;

use alloc::vec::Vec;
use core::fmt;

pub use fields::ClientFieldsHandshake;
pub use request::ClientRequest;
pub use response::Response;
pub use tunnel::{TunnelAnswer, TunnelHandshake, TunnelRequest};
use waiting::{Judged, Waiting};

#[cfg(doc)]
use crate::Config;
use crate::Connection;
use crate::handshake::error::HandshakeError;
use crate::handshake::http::head::HeadReader;

/// A client that has sent its request ([`ClientRequest::start`](crate::handshake::ClientRequest::start)) and waits for
/// the response.
///
/// It returns the connection together with the accepting response, so no frame can be sent before that (RFC 6455
/// section 4.1).
///
/// ```
/// use websocket_proto::{Config, entropy};
/// use websocket_proto::handshake::{Answer, ClientRequest};
///
/// let mut out = Vec::new();
/// let entropy = entropy::from_fn(|bytes| bytes.fill(7)); // in production: `OsEntropy` or equivalent
/// let mut handshake = ClientRequest::new("example.com", "/")?.start(&Config::new(), entropy, &mut out);
/// let mut read = *b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone";
/// let mut input = &mut read[..];
/// match handshake.receive(&mut input, &mut out)? {
///     Some(Answer::Accepted { .. }) => println!("open"),
///     Some(Answer::Rejected(response)) => assert_eq!((response.status(), &input[..]), (404, &b"gone"[..])),
///     None => println!("read on"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Memory: the bytes of one head received so far, at most [`Config::max_head_size`] plus eight bytes for each of at
/// most [`Config::max_fields`] fields (a buffer that had to grow may be twice as large for a while). Work: linear in
/// the bytes, however they are split. Time: up to the caller, as for
/// [`ServerHandshake`](crate::handshake::ServerHandshake); report a timeout with
/// [`handle_timeout`](Self::handle_timeout).
#[must_use = "without the answer there is no connection"]
pub struct ClientHandshake {
    reader: HeadReader,
    waiting: Waiting,
}

/// The server's response.
#[derive(Debug)]
#[allow(
    clippy::exhaustive_enums,
    reason = "every caller would have to look at a third answer"
)]
#[allow(
    clippy::large_enum_variant,
    reason = "it is matched once per connection, and moved out at once"
)]
pub enum Answer {
    /// The connection is open. The rest of the input is frames.
    Accepted {
        /// The client's end.
        connection: Connection,
        /// The response, which has been checked: a 101, or a success to an extended CONNECT.
        response: Response,
    },
    /// Any other final status: a redirect, an authentication challenge, an error. How to handle it is up to the caller
    /// (RFC 6455 section 4.1). The first bytes of the body, if there is one, are still in the input;
    /// [`Response::body_reader`] reads it.
    Rejected(Response),
}

impl ClientHandshake {
    fn new(waiting: Waiting) -> Self {
        let reader = HeadReader::response(&waiting.offer().config);
        Self { reader, waiting }
    }

    /// Handles the bytes of one read. Nothing is ever written to `out`; it only lets a driver treat both roles alike.
    ///
    /// `Ok(None)`: all of `input` was consumed, and the response is not complete. Interim responses are skipped, up to
    /// [`Config::max_interim_responses`]. `Ok(Some(_))`: the response is complete; what follows it stays in `input`,
    /// and the handshake is finished.
    ///
    /// # Errors
    ///
    /// The rule of HTTP or of RFC 6455 section 4.1 that the response breaks, or the limit that it exceeds. Close the
    /// transport. Every later call returns the same error and consumes nothing.
    pub fn receive(
        &mut self,
        input: &mut &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Answer>, HandshakeError> {
        _ = out; // RFC 6455 section 7.1.7: before the connection is open, a failure sends nothing
        self.waiting.check()?;
        loop {
            let head = match self.reader.receive(input) {
                Ok(Some(head)) => head,
                Ok(None) => return Ok(None),
                Err(error) => {
                    // What it has read is no longer needed.
                    self.reader = HeadReader::response(&self.waiting.offer().config);
                    return Err(self.waiting.fail(error));
                }
            };
            match self.waiting.judge(head)? {
                Judged::Interim(head) => {
                    self.reader = HeadReader::response_after(&self.waiting.offer().config, head);
                }
                Judged::Final(answer) => return Ok(Some(answer)),
            }
        }
    }

    /// Reports that the transport has ended. Returns the resulting error, or the earlier one if the handshake had
    /// already failed.
    pub fn receive_eof(&mut self) -> HandshakeError {
        self.waiting.end(HandshakeError::Eof)
    }

    /// Reports that the caller's timeout has expired. Returns the resulting error, or the earlier one if the handshake
    /// had already failed. Nothing is ever written to `out`, as in [`receive`](Self::receive).
    pub fn handle_timeout(&mut self, out: &mut Vec<u8>) -> HandshakeError {
        _ = out;
        self.waiting.end(HandshakeError::TimedOut)
    }
}

impl fmt::Debug for ClientHandshake {
    /// Does not show the bytes, which hold cookies and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("finished", &self.waiting.finished())
            .finish_non_exhaustive()
    }
}
