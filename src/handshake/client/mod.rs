//! The client's side of the transport: bytes in, the server's answer out.

mod request;
mod response;
mod rules;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use request::ClientRequest;
pub use response::Response;
use rules::Offer;

use crate::handshake::error::HandshakeError;
use crate::handshake::http::head::HeadReader;
use crate::{Config, Connection};

/// A client that has sent its request ([`ClientRequest::start`](crate::handshake::ClientRequest::start)) and
/// waits for the answer.
///
/// The connection comes out of it with the answer that accepts, so no frame can be sent before (RFC 6455
/// section 4.1).
///
/// ```
/// use websocket_proto::Config;
/// use websocket_proto::handshake::{Answer, ClientRequest};
///
/// let mut out = Vec::new();
/// let entropy = |bytes: &mut [u8]| bytes.fill(7); // real entropy: `OsEntropy`, or as good
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
/// Memory: what has come of one head, and no more than [`Config::max_head_size`] and eight bytes for each of
/// at most [`Config::max_fields`] fields (a buffer that had to grow may be twice as large for a while). Work:
/// linear in the bytes, however they are cut.
#[must_use = "without the answer there is no connection"]
pub struct ClientHandshake {
    offer: Offer,
    state: State,
}

#[allow(
    clippy::large_enum_variant,
    reason = "it is large until the answer comes, and then moved out"
)]
enum State {
    Reading {
        reader: HeadReader,
        /// How many more interim responses may come.
        interim_left: usize,
        connection: Connection,
    },
    Finished(HandshakeError),
}

/// What the server says.
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
    /// The connection is open. What follows in the input is frames.
    Accepted {
        /// The client's end.
        connection: Connection,
        /// The 101 response, which has been checked.
        response: Response,
    },
    /// Another final status than 101: a redirect, a demand for authentication, an error. It is up to the
    /// caller what comes of it (RFC 6455 section 4.1). The first bytes of the body, if there is one, are
    /// still in the input.
    Rejected(Response),
}

impl ClientHandshake {
    pub(super) fn new(
        config: &Config,
        accept: [u8; 28],
        protocols: Vec<String>,
        extensions: Vec<String>,
        #[cfg(feature = "deflate")] offers: String,
        connection: Connection,
    ) -> Self {
        let offer = Offer {
            config: *config,
            accept,
            protocols,
            extensions,
            #[cfg(feature = "deflate")]
            offers,
        };
        let reader = HeadReader::response(config);
        Self {
            offer,
            state: State::Reading {
                reader,
                interim_left: config.max_interim_responses,
                connection,
            },
        }
    }

    /// Takes what the transport has read. Nothing is ever written to `out`: it is there so that both roles
    /// are driven alike.
    ///
    /// `Ok(None)`: all of `input` was consumed, and the answer is not complete. Interim responses are
    /// skipped, up to [`Config::max_interim_responses`]. `Ok(Some(_))`: the answer is complete; what
    /// follows it stays in `input`, and the handshake is finished.
    ///
    /// # Errors
    ///
    /// The rule of HTTP or of RFC 6455 section 4.1 that the answer breaks, or the limit that it passes. The
    /// caller closes the transport. Every later call returns the same error and consumes nothing.
    pub fn receive(
        &mut self,
        input: &mut &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Answer>, HandshakeError> {
        _ = out; // RFC 6455 section 7.1.7: before the connection is open, a failure sends nothing
        let result = match &mut self.state {
            State::Reading {
                reader, interim_left, ..
            } => self.offer.receive(reader, interim_left, input),
            State::Finished(error) => return Err(*error),
        };
        match result {
            Ok(None) => Ok(None),
            Ok(Some(response)) => Ok(self.answer(response)),
            Err(error) => {
                self.state = State::Finished(error);
                Err(error)
            }
        }
    }

    /// The transport has ended: the one error that comes of it, which is the earlier one if there was one.
    pub fn receive_eof(&mut self) -> HandshakeError {
        match self.state {
            State::Reading { .. } => {
                self.state = State::Finished(HandshakeError::Eof);
                HandshakeError::Eof
            }
            State::Finished(error) => error,
        }
    }

    fn answer(&mut self, response: Response) -> Option<Answer> {
        let state = core::mem::replace(&mut self.state, State::Finished(HandshakeError::Finished));
        match state {
            State::Reading { connection, .. } if response.status() == SWITCHING => {
                let connection = self.offer.agree(connection, &response.head);
                Some(Answer::Accepted { connection, response })
            }
            State::Reading { .. } | State::Finished(_) => Some(Answer::Rejected(response)),
        }
    }
}

impl Offer {
    /// The final response, if it is complete; checked, if it is a 101.
    fn receive(
        &self,
        reader: &mut HeadReader,
        interim_left: &mut usize,
        input: &mut &mut [u8],
    ) -> Result<Option<Response>, HandshakeError> {
        while let Some(head) = reader.receive(input)? {
            match head.status() {
                // RFC 9112 section 6.3: it ends at its empty line, whatever Content-Length says.
                SWITCHING => {
                    self.check(&head)?;
                    return Ok(Some(Response { head }));
                }
                // RFC 9110 section 15.2: interim responses may come unasked, and are passed over.
                100..=199 => {
                    let limit = self.config.max_interim_responses;
                    let too_many = HandshakeError::TooManyInterimResponses { limit };
                    *interim_left = interim_left.checked_sub(1).ok_or(too_many)?;
                    *reader = HeadReader::response_after(&self.config, head);
                }
                // RFC 6455 section 4.1: handled as HTTP, thus by the caller.
                _ => return Ok(Some(Response { head })),
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for ClientHandshake {
    /// Without the bytes, which hold cookies and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Reading { .. } => None,
            State::Finished(error) => Some(error),
        };
        f.debug_struct("ClientHandshake")
            .field("finished", &state)
            .finish_non_exhaustive()
    }
}

/// RFC 9110 section 15.2.2
const SWITCHING: u16 = 101;
