//! A valid WebSocket request, and the response to it.

use alloc::string::String;
use alloc::vec::Vec;
use core::{fmt, mem};

use super::connect::Connect;
use super::rules::{self, Awaited, Basics};
use crate::Config;
#[cfg(feature = "deflate")]
use crate::deflate::{self, Parameters};
use crate::handshake::error::HandshakeError;
use crate::handshake::extensions::{self, Extension};
use crate::handshake::http::fields::{KnownFields, Lines, as_bytes, check_line};
use crate::handshake::http::grammar::{is_target_byte, is_token, text};
use crate::handshake::http::head::check_http_version;
use crate::handshake::http::target::{Authority, Target, default_port};
use crate::handshake::misuse::HandshakeMisuse;
use crate::handshake::opening::Opening;

/// A valid WebSocket request, waiting for its response.
///
/// It is returned by [`Request::upgrade`](crate::handshake::Request::upgrade) or, if another HTTP server reads the
/// requests, by [`from_fields`](Self::from_fields) and [`from_extended_connect`](Self::from_extended_connect). Build
/// the response with [`with_subprotocol`](Self::with_subprotocol) and [`with_field`](Self::with_field).
///
/// Then call [`accept`](Self::accept) or [`reject`](Self::reject). A server that sends its own responses uses
/// [`status`](Self::status), [`response_fields`](Self::response_fields) and [`into_connection`](Self::into_connection)
/// instead of `accept`, and rejects in its own way.
///
/// Anything after the head is still in the handshake's `input`. If the decision takes time (e.g. a database lookup), do
/// not read from the transport meanwhile, so the client cannot make it hold more.
#[derive(Clone)]
#[must_use = "a client waits for an answer: `accept` or `reject`"]
pub struct Upgrade<'a> {
    pub(super) config: Config,
    path: &'a str,
    query: Option<&'a str>,
    host: &'a str,
    origin: Option<&'a str>,
    protocols: Lines<'a>,
    extensions: Lines<'a>,
    pub(super) awaited: Awaited,
    pub(super) opening: Opening,
    pub(super) protocol: Option<&'a str>,
    /// The negotiated compression, and the element of the response that says so.
    #[cfg(feature = "deflate")]
    pub(super) deflate: Option<(Parameters, String)>,
    pub(super) fields: Vec<(String, Vec<u8>)>,
}

impl<'a> Upgrade<'a> {
    /// Checks a request that another HTTP/1.1 server has parsed, by the same rules.
    ///
    /// `target` is the request target; path and query alone are enough. `version` is the major and the minor number.
    /// Pass repeated fields repeatedly, in order. Names and values may be anything that is `AsRef<[u8]>`, such as
    /// `&str`, `&[u8]`, or the items of a `&http::HeaderMap`.
    ///
    /// If the request has `Expect: 100-continue`, a server that sends the 101 itself sends a 100 before it (RFC 9110
    /// section 7.8); [`accept`](Self::accept) does so.
    ///
    /// ```
    /// use websocket_proto::Config;
    /// use websocket_proto::handshake::Upgrade;
    ///
    /// let fields: [(&str, &[u8]); 5] = [
    ///     ("host", b"example.com"),
    ///     ("connection", b"keep-alive, Upgrade"),
    ///     ("upgrade", b"websocket"),
    ///     ("sec-websocket-version", b"13"),
    ///     ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    /// ];
    /// match Upgrade::from_fields(&Config::new(), "GET", "/chat", (1, 1), fields) {
    ///     Ok(upgrade) => {
    ///         assert_eq!(upgrade.status(), 101);
    ///         let answer: Vec<(&str, &[u8])> = upgrade.response_fields().collect();
    ///         assert_eq!(answer[2], ("Sec-WebSocket-Accept", &b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="[..]));
    ///         let connection = upgrade.into_connection();
    /// #       drop(connection);
    ///     }
    ///     Err(error) => println!("answer {} with {:?}", error.status(), error.response_fields()),
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The rule that is broken; [`HandshakeError::status`] and [`HandshakeError::response_fields`] return what to
    /// respond with.
    #[doc(alias = "headers")]
    pub fn from_fields<N, V>(
        config: &Config,
        method: &str,
        target: &'a str,
        version: (u8, u8),
        fields: impl IntoIterator<Item = (&'a N, &'a V)>,
    ) -> Result<Self, HandshakeError>
    where
        N: AsRef<[u8]> + ?Sized + 'a,
        V: AsRef<[u8]> + ?Sized + 'a,
    {
        if !is_token(method.as_bytes()) {
            return Err(HandshakeError::MalformedMethod);
        }
        if !target.bytes().all(is_target_byte) {
            return Err(HandshakeError::MalformedTarget);
        }
        // Which forms a target has depends on the version.
        check_http_version(version)?;
        Self::from_target(config, method, Target::read(method, target)?, version, fields)
    }

    /// Same as [`from_fields`](Self::from_fields), once the method, the target and the major version are checked.
    pub(in crate::handshake) fn from_target<N, V>(
        config: &Config,
        method: &str,
        target: Target<'a>,
        version: (u8, u8),
        fields: impl IntoIterator<Item = (&'a N, &'a V)>,
    ) -> Result<Self, HandshakeError>
    where
        N: AsRef<[u8]> + ?Sized + 'a,
        V: AsRef<[u8]> + ?Sized + 'a,
    {
        let mut known = KnownFields::collect_checked(as_bytes(fields), check_line)?;
        let basics = rules::check_basics(config, &known, version)?;
        Self::check(config, method, target, basics, &mut known)
    }

    /// Checks an extended CONNECT of HTTP/2 or HTTP/3 (RFC 8441, RFC 9220), given as the list of header fields that the
    /// stack has read: pseudo-fields first, then the others, names in lowercase.
    ///
    /// See [`extended`](crate::handshake::extended) for what else the stack has to do.
    ///
    /// ```
    /// use websocket_proto::Config;
    /// use websocket_proto::handshake::Upgrade;
    ///
    /// let fields = [
    ///     (":method", "CONNECT"),
    ///     (":protocol", "websocket"),
    ///     (":scheme", "https"),
    ///     (":path", "/chat"),
    ///     (":authority", "example.com"),
    ///     ("sec-websocket-version", "13"),
    ///     ("sec-websocket-protocol", "soap, chat"),
    /// ];
    /// let upgrade = Upgrade::from_extended_connect(&Config::new(), fields)?.select_subprotocol(&["chat"]);
    /// assert_eq!((upgrade.path(), upgrade.authority()), ("/chat", "example.com"));
    /// // What the stack sends, without END_STREAM; the frames of the connection follow as DATA.
    /// assert_eq!(upgrade.status(), 200);
    /// assert!(upgrade.response_fields().eq([("sec-websocket-protocol", &b"chat"[..])]));
    /// let connection = upgrade.into_connection();
    /// # drop(connection);
    /// # Ok::<(), websocket_proto::handshake::HandshakeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The rule that is broken, with its [`status`](HandshakeError::status) and
    /// [`response_fields`](HandshakeError::response_fields): 501 for another `:protocol`, 417 for a request
    /// that expects anything but a 100, otherwise 400. A server may also reset the stream of a
    /// request that is malformed (RFC 9113 section 8.1.1).
    pub fn from_extended_connect<N, V>(
        config: &Config,
        fields: impl IntoIterator<Item = (&'a N, &'a V)>,
    ) -> Result<Self, HandshakeError>
    where
        N: AsRef<[u8]> + ?Sized + 'a,
        V: AsRef<[u8]> + ?Sized + 'a,
    {
        let connect = Connect::read(config, as_bytes(fields))?;
        connect.check()?;
        let Connect {
            host,
            target,
            mut known,
        } = connect;
        Self::new(config, Opening::ExtendedConnect, host, target, &mut known)
    }

    pub(super) fn check(
        config: &Config,
        method: &str,
        target: Target<'a>,
        basics: Basics<'a>,
        known: &mut KnownFields<'a>,
    ) -> Result<Self, HandshakeError> {
        rules::check_request_line(method, basics.version)?;
        let host = rules::require_authority(basics.host, &target)?;
        // RFC 9112 section 6.3: the bytes after the head would be content, and then frames.
        if basics.has_content {
            return Err(HandshakeError::UnexpectedContent);
        }
        rules::check_expectation(known)?;
        rules::check_upgrade(known)?;
        rules::check_version(known)?;
        let opening = Opening::by_upgrade(rules::check_key(known)?);
        Self::new(config, opening, host, target, known)
    }

    /// Checks what does not depend on how the connection is requested.
    fn new(
        config: &Config,
        opening: Opening,
        host: &'a str,
        target: Target<'a>,
        known: &mut KnownFields<'a>,
    ) -> Result<Self, HandshakeError> {
        let origin = rules::check_origin(known)?;
        rules::check_protocols(config, &known.protocol)?;
        extensions::check_lines(config, known.extensions.lines())?;
        #[cfg(feature = "deflate")]
        let deflate = config
            .deflate
            .as_ref()
            .and_then(|config| deflate::accept(extensions::of_lines(known.extensions.lines()), config));
        Ok(Self {
            awaited: rules::awaited(known),
            config: config.clone(),
            path: target.path,
            query: target.query,
            host,
            origin,
            protocols: mem::take(&mut known.protocol),
            extensions: mem::take(&mut known.extensions),
            opening,
            protocol: None,
            #[cfg(feature = "deflate")]
            deflate,
            fields: Vec::new(),
        })
    }

    /// Returns the path of the resource, as sent, with its percent-encoding. It starts with `/`.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// Returns the query: the part of the target after the first `?`, as sent.
    pub fn query(&self) -> Option<&'a str> {
        self.query
    }

    /// Returns the authority the client addressed: a host with an optional port. It is never empty.
    pub fn authority(&self) -> &'a str {
        self.host
    }

    /// Returns the site of the script that made a browser send this, such as `https://example.com`, as sent; or `null`.
    ///
    /// `None` for most non-browser clients; an empty Origin counts as none. A server meant only for its own pages
    /// should compare it and reject others with 403 (RFC 6455 section 10.2). Browsers report it truthfully, so this
    /// stops foreign pages, but not other programs.
    pub fn origin(&self) -> Option<&'a str> {
        self.origin
    }

    /// Returns whether the [origin](Self::origin) is the host and port that the request is for, i.e. a page from this
    /// server. `false` if there is no origin.
    ///
    /// The scheme is not compared, because a proxy may have terminated TLS; it only determines the default port. So a
    /// page loaded without TLS is accepted; a TLS server should check the scheme too. Both names come from the client:
    /// to prevent DNS rebinding, strip the port from [`authority`](Self::authority) and compare the host with the
    /// server's own names.
    ///
    /// ```
    /// # use websocket_proto::{Config, handshake::Upgrade};
    /// # fn ask(origin: &str, host: &str) -> bool {
    /// #     let fields = [
    /// #         ("Origin", origin.as_bytes()), ("Host", host.as_bytes()), ("Connection", b"Upgrade"), ("Upgrade", b"websocket"),
    /// #         ("Sec-WebSocket-Version", b"13"), ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    /// #     ];
    /// #     Upgrade::from_fields(&Config::new(), "GET", "/", (1, 1), fields).unwrap().is_same_origin()
    /// # }
    /// assert!(ask("https://example.com", "example.com:443"));
    /// assert!(!ask("https://example.com.evil.example", "example.com"));
    /// assert!(!ask("null", "example.com"));
    /// ```
    pub fn is_same_origin(&self) -> bool {
        let Some((scheme, origin)) = self.origin.and_then(|origin| origin.split_once("://")) else {
            return false;
        };
        let is_secure = match scheme {
            "http" => false,
            "https" => true,
            _ => return false,
        };
        match (Authority::parse(origin), Authority::parse(self.host)) {
            (Ok(origin), Ok(host)) => origin.is_same(&host, default_port(is_secure)),
            (Err(_), _) | (_, Err(_)) => false,
        }
    }

    /// Returns the subprotocols that the client offers, in its order of preference, over all lines. Each is a token,
    /// and none appears twice.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'a str> + Clone {
        self.protocols.elements().map(text)
    }

    /// Returns the extensions that the client offers, in its order of preference, over all lines.
    ///
    /// Unknown extensions are not an error. Only `permessage-deflate` is ever accepted, and only if `Config::deflate`
    /// is set.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'a>> {
        extensions::of_lines(self.extensions.lines())
    }

    /// Chooses a subprotocol. Without this call the response names none.
    ///
    /// # Errors
    ///
    /// The client did not offer exactly this name, or a subprotocol was already chosen (RFC 6455 section 4.2.2).
    pub fn with_subprotocol(mut self, name: &str) -> Result<Self, HandshakeMisuse> {
        if self.protocol.is_some() {
            return Err(HandshakeMisuse::RepeatedSubprotocol);
        }
        let offered = self.subprotocols().find(|&offered| offered == name);
        self.protocol = Some(offered.ok_or(HandshakeMisuse::UnofferedSubprotocol)?);
        Ok(self)
    }

    /// Chooses the first subprotocol of the client's list that is one of `supported`; or none if there is no match. A
    /// choice made before remains.
    ///
    /// To choose by other rules, look at [`subprotocols`](Self::subprotocols) and use
    /// [`with_subprotocol`](Self::with_subprotocol).
    #[must_use = "the choice is in the value that is returned"]
    #[doc(alias = "protocol")]
    pub fn select_subprotocol(mut self, supported: &[&str]) -> Self {
        let first = self.subprotocols().find(|name| supported.contains(name));
        self.protocol = self.protocol.or(first);
        self
    }

    /// Returns the subprotocol that was chosen.
    pub fn selected_subprotocol(&self) -> Option<&'a str> {
        self.protocol
    }

    /// Returns the compression parameters resulting from [`Config::deflate`] and the client's offers: the first offer
    /// that can be met (RFC 7692 section 5.1). `None` if no offer can be met, or compression is off; the response then
    /// does not mention it.
    #[cfg(feature = "deflate")]
    pub fn deflate(&self) -> Option<Parameters> {
        self.deflate.as_ref().map(|(parameters, _)| *parameters)
    }

    /// Declines compression for this connection, which a server may always do (RFC 7692 section 5).
    #[cfg(feature = "deflate")]
    pub fn decline_deflate(mut self) -> Self {
        self.deflate = None;
        self
    }
}

impl fmt::Debug for Upgrade<'_> {
    /// Shows neither query nor fields, which hold tokens and cookies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade")
            .field("authority", &self.host)
            .field("path", &self.path)
            .field("origin", &self.origin)
            .field("subprotocol", &self.protocol)
            .finish_non_exhaustive()
    }
}
