//! The opening handshake of an endpoint: requests and responses.

use alloc::vec::Vec;

use super::Endpoint;
#[cfg(doc)]
use super::Step;
use super::flow::Writing;
use super::phase::Phase;
use crate::Connection;
use crate::handshake::{HandshakeError, HandshakeMisuse, Request, Response, Upgrade};

impl Endpoint {
    /// Returns the request that [`Step::Request`] announces. Until the caller answers it with
    /// [`accept_upgrade`](Self::accept_upgrade), [`reject`](Self::reject) or [`respond`](Self::respond), nothing is
    /// read.
    ///
    /// The deadline of the opening handshake includes the time that the caller takes. If it is missed, the client gets
    /// a 503 (RFC 9110 section 15.6.4), and a later response is refused with [`HandshakeMisuse::NoRequest`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use websocket_proto::endpoint::{Endpoint, EndpointConfig, Step};
    /// use websocket_proto::handshake::HandshakeMisuse;
    ///
    /// /// Serves a chat and a health check on one port.
    /// fn answer(endpoint: &mut Endpoint) -> Result<(), HandshakeMisuse> {
    ///     let Some(request) = endpoint.take_request() else {
    ///         return Ok(());
    ///     };
    ///     match request.path() {
    ///         "/chat" => match endpoint.upgrade(&request) {
    ///             Ok(upgrade) => endpoint.accept_upgrade(upgrade),
    ///             Err(_) => Ok(()), // the response is sent
    ///         },
    ///         "/health" => endpoint.respond(&request, 200, &[], b"good\n"),
    ///         _ => endpoint.respond(&request, 404, &[], b""),
    ///     }
    /// }
    ///
    /// let mut endpoint = Endpoint::server(&EndpointConfig::new(), Duration::ZERO);
    /// endpoint.receive(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    /// assert_eq!(endpoint.step(Duration::ZERO), Step::Request);
    /// answer(&mut endpoint)?;
    /// assert!(endpoint.output().starts_with(b"HTTP/1.1 200 "));
    /// # Ok::<(), HandshakeMisuse>(())
    /// ```
    pub fn take_request(&mut self) -> Option<Request> {
        match core::mem::replace(&mut self.phase, Phase::Deciding) {
            Phase::Requested(request) => Some(*request),
            phase => {
                self.phase = phase;
                None
            }
        }
    }

    /// Takes the request, checks it, and opens the connection if the request is valid; otherwise sends the response
    /// that says what is wrong: 426 to a request that does not ask for WebSocket, 400 to most others.
    ///
    /// For servers that serve nothing else on the port and check neither path nor origin.
    pub fn accept(&mut self) {
        let Some(request) = self.take_request() else {
            return;
        };
        if let Ok(upgrade) = self.upgrade(&request) {
            _ = self.accept_upgrade(upgrade);
        }
    }

    /// Checks the rules of a WebSocket request, as [`Request::upgrade`] does. On an error, sends the response, and the
    /// endpoint ends.
    ///
    /// # Errors
    ///
    /// The rule that the request breaks.
    pub fn upgrade<'r>(&mut self, request: &'r Request) -> Result<Upgrade<'r>, HandshakeError> {
        let Phase::Deciding = self.phase else {
            return Err(HandshakeError::Finished);
        };
        let result = request.upgrade(self.buffers().output.buffer());
        if let Err(error) = result {
            self.phase = Phase::failed(error);
        }
        result
    }

    /// Accepts a WebSocket request: sends the 101 and opens the connection.
    ///
    /// # Errors
    ///
    /// [`HandshakeMisuse::NoRequest`] if no request waits for this response.
    pub fn accept_upgrade(&mut self, upgrade: Upgrade<'_>) -> Result<(), HandshakeMisuse> {
        self.check_deciding()?;
        let connection = upgrade.accept(self.buffers().output.buffer());
        self.opened(connection);
        Ok(())
    }

    /// Rejects a WebSocket request with any other response, like [`Upgrade::reject`].
    ///
    /// # Errors
    ///
    /// [`HandshakeMisuse::NoRequest`] if no request waits for this answer, and those of [`Upgrade::reject`].
    pub fn reject(
        &mut self,
        upgrade: Upgrade<'_>,
        status: u16,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(), HandshakeMisuse> {
        self.respond_by(status, |out| upgrade.reject(status, fields, body, out))
    }

    /// Same as [`reject`](Self::reject), with the values of the fields in bytes.
    ///
    /// # Errors
    ///
    /// Same as for [`reject`](Self::reject).
    pub fn reject_bytes(
        &mut self,
        upgrade: Upgrade<'_>,
        status: u16,
        fields: &[(&str, &[u8])],
        body: &[u8],
    ) -> Result<(), HandshakeMisuse> {
        self.respond_by(status, |out| upgrade.reject_bytes(status, fields, body, out))
    }

    /// Responds to a request that is not a WebSocket one, like [`Request::respond`]: a page, a health check, a
    /// redirect.
    ///
    /// # Errors
    ///
    /// [`HandshakeMisuse::NoRequest`] if no request waits for this answer, and those of [`Request::respond`].
    pub fn respond(
        &mut self,
        request: &Request,
        status: u16,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(), HandshakeMisuse> {
        self.respond_by(status, |out| request.respond(status, fields, body, out))
    }

    /// Same as [`respond`](Self::respond), with the values of the fields in bytes.
    ///
    /// # Errors
    ///
    /// Same as for [`respond`](Self::respond).
    pub fn respond_bytes(
        &mut self,
        request: &Request,
        status: u16,
        fields: &[(&str, &[u8])],
        body: &[u8],
    ) -> Result<(), HandshakeMisuse> {
        self.respond_by(status, |out| request.respond_bytes(status, fields, body, out))
    }

    /// Returns the body of the rejecting response that [`Step::Response`] announces, before the response is taken: the
    /// bytes received, up to [`Config::max_body_size`](crate::Config::max_body_size). Empty if the response accepts.
    ///
    /// A body is truncated if it is larger, if the transport ended early, or if the opening handshake took too long: then
    /// [`End::interruption`](super::End::interruption) is [`Timeout::Opening`](super::Timeout::Opening).
    ///
    /// ```
    /// use std::time::Duration;
    /// use websocket_proto::endpoint::{Endpoint, EndpointConfig, Step};
    /// use websocket_proto::handshake::ClientRequest;
    /// use websocket_proto::entropy;
    ///
    /// let entropy = entropy::from_fn(|bytes| bytes.fill(7)); // in production: `OsEntropy` or equivalent
    /// let request = ClientRequest::from_url("ws://example.com/")?;
    /// let mut endpoint = Endpoint::client(&EndpointConfig::new(), request, entropy, Duration::ZERO);
    /// endpoint.receive(b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nNo.\r\n0\r\n\r\n");
    /// assert_eq!(endpoint.step(Duration::ZERO), Step::Response);
    /// assert_eq!(endpoint.response_body(), b"No.");
    /// assert_eq!(endpoint.take_response().map(|response| response.status()), Some(403));
    /// assert_eq!(endpoint.into_end().to_string(), "not opened, status 403");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn response_body(&self) -> &[u8] {
        match &self.phase {
            Phase::Rejected(rejection) => &rejection.body,
            _ => &[],
        }
    }

    /// Returns the response that [`Step::Response`] announces. If it accepts, the connection is now open; otherwise the
    /// endpoint ends.
    pub fn take_response(&mut self) -> Option<Response> {
        match core::mem::replace(&mut self.phase, Phase::Deciding) {
            Phase::Accepted(opened) => {
                let (connection, response) = *opened;
                self.opened(connection);
                Some(response)
            }
            Phase::Rejected(rejection) => {
                let response = rejection.response.clone();
                self.phase = Phase::Rejected(rejection);
                self.finish(None);
                Some(response)
            }
            phase => {
                self.phase = phase;
                None
            }
        }
    }

    /// Answers the request that was taken with any response but a 101, after which the endpoint ends.
    fn respond_by(
        &mut self,
        status: u16,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), HandshakeMisuse>,
    ) -> Result<(), HandshakeMisuse> {
        self.check_deciding()?;
        write(self.buffers().output.buffer())?;
        self.phase = Phase::responded(status);
        Ok(())
    }

    fn check_deciding(&self) -> Result<(), HandshakeMisuse> {
        match self.phase {
            Phase::Deciding => Ok(()),
            _ => Err(HandshakeMisuse::NoRequest),
        }
    }

    /// Opens the connection after the opening handshake. Bytes already read after it are frames.
    fn opened(&mut self, connection: Connection) {
        self.phase = Phase::Open(connection);
        let now = self.flow.now();
        self.flow.keepalive.record_opened(now);
        self.flow.has_input = true;
        if self.flow.writing == Writing::Failed {
            // The transport failed while the caller decided.
            self.stop_sending();
        }
    }
}
