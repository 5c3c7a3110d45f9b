//! A tunnel through an HTTP proxy, before the handshake: CONNECT and its response.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::{fmt, mem};

use super::waiting::Interim;
use super::{ClientRequest, Response};
use crate::Config;
use crate::handshake::error::HandshakeError;
use crate::handshake::http::credentials;
use crate::handshake::http::grammar::is_field_byte;
use crate::handshake::http::head::{Head, HeadReader};
use crate::handshake::http::write;
use crate::handshake::misuse::HandshakeMisuse;

/// Asks an HTTP proxy for a tunnel to the server of a [`ClientRequest`]: a CONNECT request (RFC 9110 section
/// 9.3.6).
///
/// The tunnel is opened on the transport to the proxy; then the handshake, and everything after it, goes over
/// the same transport:
///
/// ```text
///   client                              proxy                          server
///
///   TunnelRequest   -- CONNECT host:port -->
///   TunnelHandshake <-- 407 ------------      (wrong or no credentials)
///   TunnelRequest   -- CONNECT host:port,
///                      Proxy-Authorization -->  -- connects ------------->
///   TunnelHandshake <-- 200 ------------
///                   == TLS, if the URL is wss: ==========================>
///   ClientRequest   -- GET, Upgrade: websocket ---------------------------->
///   ClientHandshake <------------------------------------------------ 101 --
///   Connection      <-> frames <------------------------------------------>
/// ```
///
/// Nothing may be sent before the proxy's 2xx: a proxy that refuses would read it as its next request (RFC 9931). So
/// this type holds the `ClientRequest` until then, and returns it with [`TunnelAnswer::Accepted`].
///
/// ```
/// use websocket_proto::Config;
/// use websocket_proto::handshake::{ClientRequest, TunnelAnswer, TunnelRequest};
///
/// let config = Config::new();
/// let request = ClientRequest::from_url("wss://example.com/chat")?;
/// let tunnel = TunnelRequest::new(request);
/// assert_eq!(tunnel.authority(), "example.com:443");
///
/// // Connect the transport to the proxy, then:
/// let mut out = Vec::new();
/// let mut handshake = tunnel.start(&config, &mut out);
/// assert_eq!(out, b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
///
/// // Write `out`, then read and feed the handshake. This proxy requires a password:
/// let mut read = *b"HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 3\r\n\r\nno!";
/// let mut input = &mut read[..];
/// let Some(TunnelAnswer::Rejected { tunnel, response }) = handshake.receive(&mut input)? else { panic!() };
/// assert_eq!(response.status(), 407);
/// let mut body = response.body_reader(&config);
/// assert_eq!(body.receive(&mut input)?.as_deref(), Some(&b"no!"[..]));
/// assert!(body.is_transport_reusable()); // otherwise connect to the proxy again
///
/// out.clear();
/// let mut handshake = tunnel.with_basic_credentials("user", "open sesame")?.start(&config, &mut out);
/// assert!(out.ends_with(b"\r\nProxy-Authorization: Basic dXNlcjpvcGVuIHNlc2FtZQ==\r\n\r\n"));
///
/// let mut read = *b"HTTP/1.1 200 Connection established\r\n\r\n";
/// let Some(TunnelAnswer::Accepted { request, .. }) = handshake.receive(&mut &mut read[..])? else { panic!() };
/// // Now TLS, as `request.is_secure()`, with the name `request.host()`; inside of it, `request.start(..)`.
/// # drop(request);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Any HTTP proxy that allows CONNECT to the port works, for `ws:` as well as for `wss:`. For a proxy that speaks TLS
/// itself, put TLS around this handshake too. SOCKS is a different protocol: use a crate for it, connect through it to
/// [`ClientRequest::host`] and [`ClientRequest::port`], and start the `ClientRequest` on that transport; this type is
/// not needed then.
#[derive(Clone)]
#[must_use = "no tunnel is asked for before `start`"]
pub struct TunnelRequest {
    request: ClientRequest,
    /// The target: host and port of the server.
    authority: String,
    authorization: Option<Vec<u8>>,
    fields: Vec<(String, Vec<u8>)>,
}

/// The response of a proxy to CONNECT.
#[derive(Debug)]
#[allow(
    clippy::exhaustive_enums,
    reason = "every caller would have to look at a third answer"
)]
#[allow(
    clippy::large_enum_variant,
    reason = "it is matched once per connection, and moved out at once"
)]
pub enum TunnelAnswer {
    /// The tunnel is open. From now on the transport leads to the server, and the rest of the input comes from it,
    /// whatever Content-Length or Transfer-Encoding the response has (RFC 9110 section 9.3.6).
    Accepted {
        /// The request, to start on the transport.
        request: ClientRequest,
        /// The proxy's response, with a status from 200 to 299.
        response: Response,
    },
    /// There is no tunnel. 407 asks for credentials, by a scheme that `Proxy-Authenticate` names; any other status says
    /// what is wrong: 502 or 504 usually mean that the proxy could not reach the server. [`Response::body_reader`]
    /// reads the body.
    Rejected {
        /// The same request for a tunnel, for another attempt: with
        /// [credentials](TunnelRequest::with_basic_credentials), and on another transport unless [the
        /// body](crate::handshake::ResponseBody::is_transport_reusable) says that this one can be used.
        tunnel: TunnelRequest,
        /// The proxy's response.
        response: Response,
    },
}

impl TunnelRequest {
    /// Creates a request for a tunnel to the host and the port of this request.
    pub fn new(request: ClientRequest) -> Self {
        Self {
            authority: request.authority_with_port(),
            request,
            authorization: None,
            fields: Vec::new(),
        }
    }

    /// Returns the host and the port that the tunnel leads to, as the proxy reads them: `example.com:443`. The port is
    /// always written (RFC 9110 section 9.3.6).
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Sets the credentials for the proxy, by the scheme Basic (RFC 7617), replacing any set before. The server does
    /// not see them.
    ///
    /// Anyone between the client and the proxy can read them, unless that transport is TLS. User name and password are
    /// sent as UTF-8.
    ///
    /// # Errors
    ///
    /// [`HandshakeMisuse::MalformedCredentials`]: a colon in the user name, or a control character in either.
    pub fn with_basic_credentials(mut self, user: &str, password: &str) -> Result<Self, HandshakeMisuse> {
        let value = credentials::basic(user.as_bytes(), password.as_bytes());
        let value = value.ok_or(HandshakeMisuse::MalformedCredentials)?;
        self.authorization = Some(value.into_bytes());
        Ok(self)
    }

    /// Sets the value of `Proxy-Authorization`, for schemes other than Basic, replacing any credentials set before: a
    /// scheme and its data, such as `Bearer 6d32`.
    ///
    /// # Errors
    ///
    /// [`HandshakeMisuse::MalformedFieldValue`]: an empty value, or one with a control byte.
    pub fn with_proxy_authorization(mut self, value: impl AsRef<[u8]>) -> Result<Self, HandshakeMisuse> {
        let value = value.as_ref();
        if value.is_empty() || !value.iter().copied().all(is_field_byte) {
            return Err(HandshakeMisuse::MalformedFieldValue);
        }
        self.authorization = Some(value.to_vec());
        Ok(self)
    }

    /// Adds a field for the proxy, such as `User-Agent`. The server does not see it.
    ///
    /// # Errors
    ///
    /// A name that is not a token, a value with a control byte, or a field that the handshake itself writes, which
    /// includes `Proxy-Authorization`.
    #[doc(alias = "header")]
    pub fn with_field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, HandshakeMisuse> {
        let value = value.as_ref();
        write::check_field(name, value)?;
        if name.eq_ignore_ascii_case(AUTHORIZATION) {
            return Err(HandshakeMisuse::ReservedField);
        }
        self.fields.push((name.to_string(), value.to_vec()));
        Ok(self)
    }

    /// Appends the CONNECT request to `out`. Returns the handshake that reads the response.
    ///
    /// The configuration limits the response: its head, its fields and the interim responses before it.
    #[must_use = "the response is read by the handshake that is returned"]
    pub fn start(self, config: &Config, out: &mut Vec<u8>) -> TunnelHandshake {
        for part in ["CONNECT ", &self.authority, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        // RFC 9112 section 3.2.3: the same as the target.
        write::push_field(out, "Host", self.authority.as_bytes());
        if let Some(value) = &self.authorization {
            write::push_field(out, AUTHORIZATION, value);
        }
        for (name, value) in &self.fields {
            write::push_field(out, name, value);
        }
        out.extend_from_slice(b"\r\n");
        TunnelHandshake::new(self, config)
    }
}

const AUTHORIZATION: &str = "Proxy-Authorization";

/// A client that has sent CONNECT ([`TunnelRequest::start`]) and waits for the proxy's response.
///
/// Drive it like a [`ClientHandshake`](crate::handshake::ClientHandshake); [`TunnelRequest`] has an example.
///
/// Memory: the bytes of one head received so far, within [`Config::max_head_size`] and [`Config::max_fields`]. Work:
/// linear in the bytes, however the input is split. Time: up to the caller; [`handle_timeout`](Self::handle_timeout)
/// ends the wait.
#[must_use = "without the response there is no tunnel"]
pub struct TunnelHandshake {
    config: Config,
    state: State,
}

#[allow(
    clippy::large_enum_variant,
    reason = "it is large until the response comes, and then moved out"
)]
enum State {
    Waiting {
        tunnel: TunnelRequest,
        reader: HeadReader,
        interim: Interim,
    },
    Finished(HandshakeError),
}

impl TunnelHandshake {
    fn new(tunnel: TunnelRequest, config: &Config) -> Self {
        Self {
            config: config.clone(),
            state: State::Waiting {
                tunnel,
                reader: HeadReader::response(config),
                interim: Interim::new(config),
            },
        }
    }

    /// Handles the bytes of one read. Do not send anything until the response is complete.
    ///
    /// `Ok(None)`: all of `input` was consumed, and the response is not complete. Interim responses (1xx) are
    /// skipped, up to [`Config::max_interim_responses`]. `Ok(Some(_))`: the response is complete, and the
    /// handshake is finished. What follows the head stays in `input`: the bytes of the tunnel, or the body of
    /// the rejection.
    ///
    /// # Errors
    ///
    /// The rule of HTTP that the response breaks, or the limit that it exceeds. Close the transport. Every later call
    /// returns the same error and consumes nothing.
    pub fn receive(&mut self, input: &mut &mut [u8]) -> Result<Option<TunnelAnswer>, HandshakeError> {
        match self.next_final(input) {
            Ok(None) => Ok(None),
            Ok(Some(head)) => self.answer(head).map(Some),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Returns the next response that is not an interim one.
    fn next_final(&mut self, input: &mut &mut [u8]) -> Result<Option<Head>, HandshakeError> {
        let (reader, interim) = match &mut self.state {
            State::Waiting { reader, interim, .. } => (reader, interim),
            State::Finished(error) => return Err(*error),
        };
        while let Some(head) = reader.receive(input)? {
            match head.status() {
                // RFC 9110 section 15.2.2: only an Upgrade requests another protocol.
                101 => return Err(HandshakeError::SwitchedProtocols),
                100..=199 => {
                    interim.skip()?;
                    *reader = HeadReader::response_after(&self.config, head);
                }
                _ => return Ok(Some(head)),
            }
        }
        Ok(None)
    }

    fn answer(&mut self, head: Head) -> Result<TunnelAnswer, HandshakeError> {
        let finished = State::Finished(HandshakeError::Finished);
        let tunnel = match mem::replace(&mut self.state, finished) {
            State::Waiting { tunnel, .. } => tunnel,
            State::Finished(error) => return Err(error),
        };
        Ok(match head.status() {
            200..=299 => TunnelAnswer::Accepted {
                request: tunnel.request,
                response: Response::accepting(head),
            },
            _ => TunnelAnswer::Rejected {
                tunnel,
                response: Response::rejecting(head),
            },
        })
    }

    /// Reports that the transport has ended before the response. Returns the resulting error, or the earlier one if the
    /// handshake had already failed.
    pub fn receive_eof(&mut self) -> HandshakeError {
        self.end(HandshakeError::Eof)
    }

    /// Reports that the caller's timeout has expired. Returns the resulting error, or the earlier one if the handshake
    /// had already failed. Then close the transport.
    pub fn handle_timeout(&mut self) -> HandshakeError {
        self.end(HandshakeError::TimedOut)
    }

    fn end(&mut self, error: HandshakeError) -> HandshakeError {
        let earlier = self.finished();
        self.fail(earlier.unwrap_or(error))
    }

    fn finished(&self) -> Option<HandshakeError> {
        match self.state {
            State::Waiting { .. } => None,
            State::Finished(error) => Some(error),
        }
    }

    fn fail(&mut self, error: HandshakeError) -> HandshakeError {
        self.state = State::Finished(error);
        error
    }
}

impl fmt::Debug for TunnelRequest {
    /// Shows neither credentials nor fields, which hold passwords and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelRequest")
            .field("authority", &self.authority)
            .field("has_credentials", &self.authorization.is_some())
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TunnelHandshake {
    /// Does not show the bytes, which may be confidential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelHandshake")
            .field("finished", &self.finished())
            .finish_non_exhaustive()
    }
}
