//! The client's side with another HTTP implementation: header fields out, header fields in.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Answer;
use super::waiting::{Judged, Waiting};
#[cfg(doc)]
use crate::Config;
use crate::handshake::error::HandshakeError;
use crate::handshake::http::field_list;
use crate::handshake::http::fields::{as_bytes, check_line};
use crate::handshake::http::head::{Head, check_http_version};
use crate::handshake::opening::Opening;

/// A client handshake in header fields: another HTTP implementation sends the request and reads the response.
///
/// [`ClientRequest::start_upgrade`](crate::handshake::ClientRequest::start_upgrade) or
/// [`start_extended_connect`](crate::handshake::ClientRequest::start_extended_connect) returns it. Send the request
/// that it holds, then pass each response to [`receive_response`](Self::receive_response) or, as one list, to
/// [`receive_fields`](Self::receive_fields). The `Connection` is returned with the accepting response.
///
/// Memory: the request, and one copy of a response's header fields, limited by [`Config::max_head_size`] and
/// [`Config::max_fields`].
#[doc(alias = "headers")]
#[must_use = "without the answer there is no connection"]
pub struct ClientFieldsHandshake {
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    waiting: Waiting,
}

impl ClientFieldsHandshake {
    pub(super) fn new(target: String, fields: Vec<(String, Vec<u8>)>, waiting: Waiting) -> Self {
        Self {
            target,
            fields,
            waiting,
        }
    }

    /// Returns the method of the request: `GET`, or `CONNECT`.
    pub fn method(&self) -> &'static str {
        match self.is_extended() {
            false => "GET",
            true => "CONNECT",
        }
    }

    /// Returns the path and the query of the request.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the fields of the request, in order; values are ASCII, except those that the caller added. Those of an
    /// extended CONNECT start with the pseudo-fields, and have names in lowercase.
    #[doc(alias = "headers")]
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Handles a response, given as its status and its fields, without pseudo-fields.
    ///
    /// `Ok(None)`: the response is an interim one and is skipped, up to [`Config::max_interim_responses`]; most HTTP
    /// clients skip them themselves. Otherwise it is the final response, and the handshake is finished.
    ///
    /// # Errors
    ///
    /// The rule of HTTP, of RFC 6455 section 4.1 or of RFC 8441 that the response breaks, or the limit that it exceeds.
    /// The caller closes the transport, or resets the stream. Every later call returns the same error.
    pub fn receive_response<'f, N, V>(
        &mut self,
        status: u16,
        fields: impl IntoIterator<Item = (&'f N, &'f V)>,
    ) -> Result<Option<Answer>, HandshakeError>
    where
        N: AsRef<[u8]> + ?Sized + 'f,
        V: AsRef<[u8]> + ?Sized + 'f,
    {
        self.receive((1, 1), status, as_bytes(fields))
    }

    /// Handles a response of HTTP/2 or HTTP/3, given as one list that starts with `:status`. Otherwise the same as
    /// [`receive_response`](Self::receive_response).
    ///
    /// # Errors
    ///
    /// Same as [`receive_response`](Self::receive_response), and for a `:status` that is missing, repeated or not a
    /// status.
    #[doc(alias = "headers")]
    pub fn receive_fields<'f, N, V>(
        &mut self,
        fields: impl IntoIterator<Item = (&'f N, &'f V)>,
    ) -> Result<Option<Answer>, HandshakeError>
    where
        N: AsRef<[u8]> + ?Sized + 'f,
        V: AsRef<[u8]> + ?Sized + 'f,
    {
        self.waiting.check()?;
        let mut fields = as_bytes(fields).peekable();
        let status = field_list::take_status(&mut fields).map_err(|error| self.waiting.fail(error))?;
        self.receive((1, 1), status, fields)
    }

    pub(in crate::handshake) fn receive<'f>(
        &mut self,
        version: (u8, u8),
        status: u16,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])>,
    ) -> Result<Option<Answer>, HandshakeError> {
        self.waiting.check()?;
        let head = self
            .head(version, status, fields)
            .map_err(|error| self.waiting.fail(error))?;
        match self.waiting.judge(head)? {
            Judged::Interim(_) => Ok(None),
            Judged::Final(answer) => Ok(Some(answer)),
        }
    }

    fn head<'f>(
        &self,
        version: (u8, u8),
        status: u16,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])>,
    ) -> Result<Head, HandshakeError> {
        let config = &self.waiting.offer().config;
        if self.is_extended() {
            return Head::of_response(config, version, status, fields, field_list::check_field);
        }
        check_http_version(version)?;
        Head::of_response(config, version, status, fields, check_line)
    }

    /// Reports that the transport, or the stream, has ended before the response. Returns the resulting error, or the
    /// earlier one if the handshake had already failed.
    pub fn receive_eof(&mut self) -> HandshakeError {
        self.waiting.end(HandshakeError::Eof)
    }

    /// Reports that the caller's timeout has expired. Returns the resulting error, or the earlier one if the handshake
    /// had already failed. Then close the transport, or reset the stream.
    pub fn handle_timeout(&mut self) -> HandshakeError {
        self.waiting.end(HandshakeError::TimedOut)
    }

    pub(in crate::handshake) fn is_extended(&self) -> bool {
        match self.waiting.offer().opening {
            Opening::Upgrade { .. } => false,
            Opening::ExtendedConnect => true,
        }
    }
}

impl fmt::Debug for ClientFieldsHandshake {
    /// Shows neither the query nor the fields, which hold tokens, cookies and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientFieldsHandshake")
            .field("method", &self.method())
            .field("path", &self.target.split('?').next())
            .field("finished", &self.waiting.finished())
            .finish_non_exhaustive()
    }
}
