//! The server's answer, as a client sees it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::error::HandshakeError;
use super::extensions::{Extension, ExtensionList};
use super::fields::{Fields, KnownFields};
use super::grammar::{list, text};
use super::head::{Head, HeadReader};
use crate::{Config, Connection};

/// A client that has sent its request ([`ClientRequest::start`](super::ClientRequest::start)) and waits for the answer.
///
/// The connection comes out of it with the answer that accepts, so no frame can be sent before (RFC 6455 section 4.1).
///
/// ```
/// use websocket_proto::Config;
/// use websocket_proto::handshake::{Answer, ClientRequest};
///
/// let mut out = Vec::new();
/// let entropy = |bytes: &mut [u8]| bytes.fill(7); // for this page only: it has to be `OsEntropy` or as good
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
/// Memory: what has come of one head, up to [`Config::max_head_size`]. Work: one look at each byte, however they are cut.
pub struct ClientHandshake {
    offer: Offer,
    state: State,
}

/// What the answer is held against.
struct Offer {
    config: Config,
    accept: [u8; 28],
    protocols: Vec<String>,
    extensions: String,
}

#[allow(
    clippy::large_enum_variant,
    reason = "it is large until the answer comes, and then moved out"
)]
enum State {
    Reading {
        reader: HeadReader,
        interim: usize,
        connection: Connection,
    },
    Finished(HandshakeError),
}

/// What the server says.
#[derive(Debug)]
// A third answer would have to be looked at by every caller, so it may break their build.
#[allow(clippy::exhaustive_enums)]
// It is matched once per connection, and moved out at once.
#[allow(clippy::large_enum_variant)]
pub enum Answer {
    /// The connection is open. What follows in the input is frames.
    Accepted {
        /// The client's end.
        connection: Connection,
        /// The 101 response, which has been checked.
        response: Response,
    },
    /// Another final status than 101: a redirect, a demand for authentication, an error. It is up to the caller what comes
    /// of it (RFC 6455 section 4.1). The first bytes of the body, if there is one, are still in the input.
    Rejected(Response),
}

impl ClientHandshake {
    pub(super) fn new(
        config: &Config,
        accept: [u8; 28],
        protocols: Vec<String>,
        extensions: String,
        connection: Connection,
    ) -> Self {
        let offer = Offer {
            config: *config,
            accept,
            protocols,
            extensions,
        };
        let reader = HeadReader::response(config);
        Self {
            offer,
            state: State::Reading {
                reader,
                interim: 0,
                connection,
            },
        }
    }

    /// Takes what the transport has read. Nothing is ever written to `out`: it is there so that both roles are driven alike.
    ///
    /// `Ok(None)`: all of `input` was consumed, and the answer is not complete. Interim responses are skipped, up to
    /// [`Config::max_interim_responses`]. `Ok(Some(_))`: the answer is complete; what follows it stays in `input`, and the
    /// handshake is finished.
    ///
    /// # Errors
    ///
    /// The rule of HTTP or of RFC 6455 section 4.1 that the answer breaks, or the limit that it passes. The caller closes
    /// the transport. Every later call returns the same error and consumes nothing.
    pub fn receive(
        &mut self,
        input: &mut &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Answer>, HandshakeError> {
        _ = out; // RFC 6455 section 7.1.7: before the connection is open, a failure sends nothing
        let result = match &mut self.state {
            State::Reading { reader, interim, .. } => self.offer.receive(reader, interim, input),
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
        interim: &mut usize,
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
                    if *interim >= limit {
                        return Err(HandshakeError::TooManyInterimResponses { limit });
                    }
                    *interim += 1;
                    *reader = HeadReader::response(&self.config);
                }
                // RFC 6455 section 4.1: handled as HTTP, thus by the caller.
                _ => return Ok(Some(Response { head })),
            }
        }
        Ok(None)
    }

    /// RFC 6455 section 4.1, from "once the client's opening handshake has been sent" on.
    fn check(&self, head: &Head) -> Result<(), HandshakeError> {
        // RFC 9110 section 7.8: there is no upgrade in HTTP/1.0, so nothing can have been switched.
        if head.version() < (1, 1) {
            return Err(HandshakeError::HttpVersionTooOld);
        }
        let known = KnownFields::collect(head.records());
        self.check_upgrade(&known)?;
        self.check_accept(&known)?;
        self.check_extensions(&known)?;
        self.check_protocol(&known)
    }

    fn check_upgrade(&self, known: &KnownFields<'_>) -> Result<(), HandshakeError> {
        // RFC 6455 section 4.1, item 2: the one protocol that was asked for, in any case.
        if !known.upgrade.has(b"websocket") || known.upgrade.elements().nth(1).is_some() {
            return Err(HandshakeError::MissingUpgrade);
        }
        // RFC 6455 section 4.1, item 3
        if !known.connection.has(b"upgrade") {
            return Err(HandshakeError::MissingConnectionUpgrade);
        }
        Ok(())
    }

    fn check_accept(&self, known: &KnownFields<'_>) -> Result<(), HandshakeError> {
        // RFC 6455 section 4.1, item 4; section 11.3.3: at most once.
        match known.accept.at_most_one(HandshakeError::RepeatedAccept)? {
            Some(accept) if accept == self.accept => Ok(()),
            Some(_) => Err(HandshakeError::WrongAccept),
            None => Err(HandshakeError::MissingAccept),
        }
    }

    fn check_extensions(&self, known: &KnownFields<'_>) -> Result<(), HandshakeError> {
        let mut seen: Vec<&str> = Vec::new();
        for line in known.extensions.lines() {
            for extension in ExtensionList::parse_bytes(line)? {
                let name = extension.name();
                // RFC 6455 section 4.1, item 5
                if !self.offered_extensions().any(|offered| offered.name() == name) {
                    return Err(HandshakeError::UnofferedExtension);
                }
                // RFC 6455 section 9.1: the list is the order of the layers, so each stands once. As it does, there are
                // never more than were offered, and this stays cheap.
                if seen.contains(&name) {
                    return Err(HandshakeError::RepeatedExtension);
                }
                seen.push(name);
            }
        }
        Ok(())
    }

    fn check_protocol(&self, known: &KnownFields<'_>) -> Result<(), HandshakeError> {
        // RFC 6455 section 11.3.4: at most once in a response.
        match known.protocol.at_most_one(HandshakeError::RepeatedProtocol)? {
            // RFC 6455 section 4.1, item 6: one of those offered, letter by letter; an empty one is none of them.
            Some(protocol)
                if !self
                    .protocols
                    .iter()
                    .any(|offered| offered.as_bytes() == protocol) =>
            {
                Err(HandshakeError::UnofferedProtocol)
            }
            None if self.config.require_subprotocol && !self.protocols.is_empty() => {
                Err(HandshakeError::MissingProtocol)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn offered_extensions(&self) -> impl Iterator<Item = Extension<'_>> {
        ExtensionList::parse(&self.extensions).unwrap_or_default()
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

/// The head of a server's final response.
///
/// It owns its bytes, in one buffer that is dropped with it.
#[derive(Clone)]
pub struct Response {
    head: Head,
}

impl Response {
    /// The status: 101 if the connection was accepted, otherwise 200 to 999.
    pub fn status(&self) -> u16 {
        self.head.status()
    }

    /// The fields, in the order of their lines.
    pub fn fields(&self) -> Fields<'_> {
        Fields::new(self.head.records())
    }

    /// The value of the first line of this name, in any case. See [`fields`](Self::fields) for those that may repeat.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(name)
    }

    /// The subprotocol that the server chose, of those that were offered; none in a rejection.
    pub fn protocol(&self) -> Option<&str> {
        if self.status() != SWITCHING {
            return None;
        }
        self.field("Sec-WebSocket-Protocol").map(text)
    }

    /// The extensions that the server chose, in the order in which they apply, over all lines; none in a rejection.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'_>> {
        self.lines("Sec-WebSocket-Extensions")
            .filter(|_| self.status() == SWITCHING)
            .filter_map(|line| ExtensionList::parse_bytes(line).ok())
            .flatten()
    }

    /// The versions of the protocol that the server says it supports, over all lines (RFC 6455 section 4.4).
    ///
    /// It should say so in a rejection for the version's sake. What is no version (0 to 255 in decimal, without leading
    /// zeros) is passed over.
    pub fn supported_versions(&self) -> impl Iterator<Item = u8> {
        self.lines("Sec-WebSocket-Version")
            .flat_map(list)
            .filter_map(parse_version)
    }

    fn lines(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.fields()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl fmt::Debug for Response {
    /// Without the values of the fields, which hold cookies and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("fields", &self.fields())
            .finish()
    }
}

fn parse_version(element: &[u8]) -> Option<u8> {
    // RFC 6455 section 4.3: no sign, no leading zero.
    match element {
        b"0" => Some(0),
        [b'1'..=b'9', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => text(element).parse().ok(),
        _ => None,
    }
}

/// RFC 9110 section 15.2.2
const SWITCHING: u16 = 101;
