//! A request as a server sees it, before it is known what it asks for.

use alloc::vec::Vec;
use core::fmt;

use super::rules::{Basics, check_basics};
use super::upgrade::Upgrade;
use crate::Config;
use crate::handshake::error::HandshakeError;
use crate::handshake::http::fields::{Fields, KnownFields};
use crate::handshake::http::grammar::text;
use crate::handshake::http::head::Head;
use crate::handshake::http::target::Target;
use crate::handshake::http::write::push_response;
use crate::handshake::misuse::HandshakeMisuse;

/// The head of a well-formed HTTP/1 request, WebSocket or not.
///
/// It owns its bytes, in one buffer that is dropped with it. A server that serves other things on the same port checks
/// [`method`](Self::method), [`path`](Self::path) and fields, and answers with [`respond`](Self::respond); it handles
/// WebSocket requests with [`upgrade`](Self::upgrade).
///
/// ```
/// use websocket_proto::Config;
/// use websocket_proto::handshake::ServerHandshake;
///
/// let mut bytes = *b"GET /health?full HTTP/1.1\r\nHost: example.com\r\n\r\n";
/// let (mut input, mut out) = (&mut bytes[..], Vec::new());
/// let request = ServerHandshake::new(&Config::new()).receive(&mut input, &mut out)?.unwrap();
/// assert_eq!((request.path(), request.query(), request.is_upgrade()), ("/health", Some("full"), false));
/// request.respond(200, &[("Content-Type", "text/plain")], b"well", &mut out).unwrap();
/// assert!(out.ends_with(b"Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nwell"));
/// # Ok::<(), websocket_proto::handshake::HandshakeError>(())
/// ```
#[derive(Clone)]
pub struct Request {
    head: Head,
    has_content: bool,
    is_upgrade: bool,
    config: Config,
}

impl Request {
    /// Checks the rules for any request. If one is broken, appends the response to `out`.
    pub(super) fn new(head: Head, config: Config, out: &mut Vec<u8>) -> Result<Self, HandshakeError> {
        let known = KnownFields::collect(head.records());
        let basics = check_basics(&config, &known, head.version())
            .inspect_err(|error| error.respond(head.method(), out))?;
        Ok(Self {
            has_content: basics.has_content,
            // RFC 9110 section 7.8: an Upgrade in HTTP/1.0 is ignored.
            is_upgrade: head.version() >= (1, 1) && known.upgrade.has(b"websocket"),
            head,
            config,
        })
    }

    /// Returns the method, as sent: methods are case-sensitive (RFC 9110 section 9.1).
    pub fn method(&self) -> &str {
        self.head.method()
    }

    /// Returns the request target, as sent: most often the path with the query (RFC 9112 section 3.2).
    pub fn target(&self) -> &str {
        self.head.target()
    }

    /// Returns the path of the target, as sent, with its percent-encoding; `/` if the target has none.
    ///
    /// It starts with `/`, except in two requests that have no path: it is `*` for `OPTIONS *`, and empty for CONNECT.
    pub fn path(&self) -> &str {
        self.split_target().path
    }

    /// Returns the query: the part of the target after the first `?`, as sent.
    pub fn query(&self) -> Option<&str> {
        self.split_target().query
    }

    /// Returns the major and the minor number of the version. The major number is 1.
    pub fn version(&self) -> (u8, u8) {
        self.head.version()
    }

    /// Returns the fields, in the order of their lines.
    #[doc(alias = "headers")]
    pub fn fields(&self) -> Fields<'_> {
        Fields::new(self.head.records())
    }

    /// Returns the value of the first field line with this name, whatever its case. Use [`fields`](Self::fields) for
    /// fields that may repeat.
    #[doc(alias = "header")]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(name)
    }

    /// Returns the authority the client addressed: that of the target if it has one, otherwise Host (RFC 9112 section
    /// 3.2.2).
    ///
    /// It is a host with an optional port. It is `None` only with HTTP/1.0. HTTP allows it to be empty, except in a
    /// WebSocket request.
    pub fn authority(&self) -> Option<&str> {
        match self.split_target().authority {
            Some(authority) => Some(authority),
            None => self.host_field(),
        }
    }

    /// Returns the value of the first Origin line, as sent: the site of the script that made a browser send this.
    ///
    /// Non-browser clients may send none, or anything. [`Upgrade::origin`] is the checked form.
    pub fn origin(&self) -> Option<&[u8]> {
        self.field("Origin")
    }

    /// Returns whether the request asks for a WebSocket at all, i.e. its Upgrade field lists `websocket`. It is `false`
    /// in HTTP/1.0, where that field is ignored (RFC 9110 section 7.8).
    ///
    /// [`upgrade`](Self::upgrade) checks whether the request follows the rules.
    pub fn is_upgrade(&self) -> bool {
        self.is_upgrade
    }

    /// Checks the rules of a WebSocket request (RFC 6455 section 4.2.1), which can then be accepted or rejected.
    ///
    /// # Errors
    ///
    /// The rule that is broken. The complete HTTP response has been appended to `out`: 405 for a method other than GET,
    /// 426 for HTTP/1.0, for a version of the protocol other than 13 and if Upgrade does not name `websocket`, 417 for
    /// an `Expect` other than `100-continue`, otherwise 400. Send it and close the transport.
    pub fn upgrade(&self, out: &mut Vec<u8>) -> Result<Upgrade<'_>, HandshakeError> {
        let mut known = KnownFields::collect(self.head.records());
        let basics = Basics {
            version: self.version(),
            // There is at most one, and it is text.
            host: known.host.lines().next().map(text),
            has_content: self.has_content,
        };
        let method = self.method();
        let target = Target::split(method, self.target());
        Upgrade::check(&self.config, method, target, basics, &mut known)
            .inspect_err(|error| error.respond(method, out))
    }

    /// Appends a complete response that is not a WebSocket one: a page, a health check, a redirect, an error.
    ///
    /// Adds `Content-Length` and, because this handshake reads no second request, `Connection: close`; with status 426,
    /// also Upgrade and Sec-WebSocket-Version. The response to HEAD has the length without the body.
    ///
    /// # Errors
    ///
    /// A status that is not final, a body with a status that does not allow one, or a field that is malformed or
    /// reserved. `out` is untouched.
    pub fn respond(
        &self,
        status: u16,
        fields: &[(&str, &str)],
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), HandshakeMisuse> {
        push_response(out, self.method(), status, fields, body)
    }

    /// Same as [`respond`](Self::respond), with the values of the fields in bytes.
    ///
    /// # Errors
    ///
    /// Same as for [`respond`](Self::respond).
    pub fn respond_bytes(
        &self,
        status: u16,
        fields: &[(&str, &[u8])],
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), HandshakeMisuse> {
        push_response(out, self.method(), status, fields, body)
    }

    /// Returns the Host field, of which there is at most one, and which is well-formed.
    fn host_field(&self) -> Option<&str> {
        self.field("Host").map(text)
    }

    fn split_target(&self) -> Target<'_> {
        Target::split(self.method(), self.target())
    }
}

impl fmt::Debug for Request {
    /// Shows neither the query nor the values of the fields, which hold tokens, cookies and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method())
            .field("path", &self.path())
            .field("version", &self.version())
            .field("fields", &self.fields())
            .finish()
    }
}
