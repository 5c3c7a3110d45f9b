//! How a WebSocket request is answered: accepted, in bytes or in fields, or rejected.

use alloc::vec::Vec;

use super::rules::Awaited;
use super::upgrade::Upgrade;
use crate::Connection;
use crate::handshake::http::write;
use crate::handshake::misuse::HandshakeMisuse;
use crate::handshake::opening::Opening;

impl Upgrade<'_> {
    /// Returns the extensions of the response, if there are any.
    fn answered_extensions(&self) -> Option<(&str, &[u8])> {
        #[cfg(feature = "deflate")]
        if let Some((_, element)) = &self.deflate {
            return Some((self.opening.name_of_extensions(), element.as_bytes()));
        }
        None
    }

    /// Adds a field to the accepting response, such as `Set-Cookie`. The value is text or bytes; bytes from 0x80 on,
    /// such as Latin-1, are sent unchanged (RFC 9110 section 5.5).
    ///
    /// # Errors
    ///
    /// A name that is not a token, a value with a control byte, or a field that the handshake itself writes.
    #[doc(alias = "header")]
    pub fn with_field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, HandshakeMisuse> {
        let value = value.as_ref();
        write::check_field(name, value)?;
        self.fields.push(self.opening.written(name, value));
        Ok(self)
    }

    /// Appends the 101 response to `out`, and opens the connection. Frames may follow in `out` immediately.
    ///
    /// If the client expects a 100, that is appended first (RFC 9110 section 7.8).
    ///
    /// After an extended CONNECT this appends no response: the stack has sent it, from [`status`](Self::status) and
    /// [`response_fields`](Self::response_fields), and `out` is only for frames.
    #[must_use = "the connection is open, and the client sends to it"]
    pub fn accept(self, out: &mut Vec<u8>) -> Connection {
        if let Opening::Upgrade { accept } = &self.opening {
            // RFC 9110 section 7.8: "the server MUST send a 100 (Continue) response before sending a 101". Section
            // 10.1.1 does not require it if there is no content; a client has to be able to read both.
            if let Awaited::Continue = self.awaited {
                out.extend_from_slice(CONTINUE);
            }
            out.reserve(ACCEPT_SIZE);
            out.extend_from_slice(ACCEPT_START);
            out.extend_from_slice(accept);
            out.extend_from_slice(b"\r\n");
            for (name, value) in self.further_fields() {
                write::push_field(out, name, value);
            }
            out.extend_from_slice(b"\r\n");
        }
        self.into_connection()
    }

    /// Rejects the request: appends a complete response other than the 101. RFC 6455 section 4.2.2 allows any, such as
    /// 401, 403 (the origin), 404 (the resource), 503 or a redirect.
    ///
    /// Otherwise the same as [`Request::respond`](crate::handshake::Request::respond). Fields added for the accepting
    /// response are not sent.
    ///
    /// # Errors
    ///
    /// A status that is not final, a body with a status that does not allow one, a field that is malformed or reserved;
    /// an extended CONNECT, because the HTTP stack must send its response. `out` is untouched.
    pub fn reject(
        self,
        status: u16,
        fields: &[(&str, &str)],
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), HandshakeMisuse> {
        self.push_rejection(status, fields, body, out)
    }

    /// Same as [`reject`](Self::reject), with the values of the fields in bytes.
    ///
    /// # Errors
    ///
    /// Same as for [`reject`](Self::reject).
    pub fn reject_bytes(
        self,
        status: u16,
        fields: &[(&str, &[u8])],
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), HandshakeMisuse> {
        self.push_rejection(status, fields, body, out)
    }

    fn push_rejection(
        self,
        status: u16,
        fields: &[(&str, impl AsRef<[u8]>)],
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), HandshakeMisuse> {
        match self.opening {
            Opening::Upgrade { .. } => write::push_response(out, "GET", status, fields, body),
            Opening::ExtendedConnect => Err(HandshakeMisuse::ExtendedConnect),
        }
    }

    /// Returns the status of the accepting response: 101, or 200 for an extended CONNECT, whose response has it in the
    /// pseudo-field `:status` (RFC 8441 section 5).
    pub fn status(&self) -> u16 {
        match self.opening {
            Opening::Upgrade { .. } => 101,
            Opening::ExtendedConnect => 200,
        }
    }

    /// Returns the fields of the accepting response, for callers whose own HTTP server sends it; values are ASCII,
    /// except those that the caller added. For an extended CONNECT the names are in lowercase.
    #[doc(alias = "headers")]
    pub fn response_fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let fixed = match &self.opening {
            Opening::Upgrade { accept } => Some([
                ("Upgrade", &b"websocket"[..]),
                ("Connection", b"Upgrade"),
                ("Sec-WebSocket-Accept", accept),
            ]),
            // RFC 8441 section 5: none of these.
            Opening::ExtendedConnect => None,
        };
        fixed.into_iter().flatten().chain(self.further_fields())
    }

    /// Returns the fields that were chosen or added.
    fn further_fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        // RFC 6455 section 4.2.2: without a subprotocol there is no field; an empty field would be malformed.
        let protocol = self
            .protocol
            .map(|name| (self.opening.name_of_protocol(), name.as_bytes()));
        let fields = self.fields.iter();
        protocol
            .into_iter()
            .chain(self.answered_extensions())
            .chain(fields.map(|(name, value)| (name.as_str(), value.as_slice())))
    }

    /// Returns the connection, for callers whose own HTTP server sends the response.
    #[must_use = "the connection is open, and the client sends to it"]
    pub fn into_connection(self) -> Connection {
        let connection = Connection::server(&self.config);
        #[cfg(feature = "deflate")]
        if let (Some(parameters), Some(config)) = (self.deflate(), &self.config.deflate) {
            return connection.with_deflate(parameters, config);
        }
        connection
    }
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The 101 up to the answer to the key: the status line and the first of the fixed fields, with which
/// [`Upgrade::response_fields`] begins too. RFC 6455 section 4.2.2, item 5; RFC 9112 section 6.1: no Transfer-Encoding.
const ACCEPT_START: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: ";

/// The size of a usual 101, with a subprotocol of moderate length.
const ACCEPT_SIZE: usize = 192;
