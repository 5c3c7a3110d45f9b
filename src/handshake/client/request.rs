//! The client's request.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};

#[cfg(doc)]
use crate::Config;
use crate::handshake::extensions::ExtensionList;
use crate::handshake::http::credentials;
use crate::handshake::http::grammar::{is_origin, is_target_byte, is_token};
use crate::handshake::http::target::{Authority, default_port};
use crate::handshake::http::write;
use crate::handshake::misuse::HandshakeMisuse;
use crate::handshake::url::{Reference, Url, UrlError, UrlPart};

/// The request of a client, which is assembled and validated before anything is written.
///
/// ```
/// use websocket_proto::{Config, entropy};
/// use websocket_proto::handshake::ClientRequest;
///
/// let request = ClientRequest::from_url("ws://example.com/chat?x=1")?.with_subprotocol("chat")?.with_field("Cookie", "a=b")?;
/// assert_eq!((request.is_secure(), request.host(), request.port()), (false, "example.com", 80));
/// // The caller connects the transport, then:
/// let mut out = Vec::new();
/// let entropy = entropy::from_fn(|bytes| bytes.fill(7)); // in production: `OsEntropy` or equivalent
/// let handshake = request.start(&Config::new(), entropy, &mut out);
/// assert!(out.starts_with(b"GET /chat?x=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n"));
/// # drop(handshake);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The caller must run only one handshake at a time with the same address and port, ask the proxy for a tunnel first if
/// there is one, with a [`TunnelRequest`](crate::handshake::TunnelRequest), and use TLS, with SNI, if
/// [`is_secure`](Self::is_secure) (RFC 6455 section 4.1).
#[derive(Clone)]
#[must_use = "nothing is asked before `start`, or another method of its kind"]
pub struct ClientRequest {
    pub(super) secure: bool,
    /// The host, `host_size` bytes, and as in a Host field the port, unless it is the default one.
    pub(super) authority: String,
    host_size: usize,
    zone: Option<String>,
    port: Option<u16>,
    pub(super) target: String,
    pub(super) origin: Option<String>,
    pub(super) protocols: Vec<String>,
    /// The list as written.
    pub(super) extensions: String,
    pub(super) fields: Vec<(String, Vec<u8>)>,
}

impl ClientRequest {
    /// Creates a request to this authority (`example.com`, `example.com:8080`, `[::1]:80`) for this path and query.
    ///
    /// The request is a `ws:` one: [`is_secure`](Self::is_secure) is `false`, and the authority becomes the Host header
    /// field, with its port unless that is 80. For `wss:`, use [`with_secure`](Self::with_secure).
    ///
    /// The results of [`Upgrade::path`](crate::handshake::Upgrade::path) and
    /// [`query`](crate::handshake::Upgrade::query) can be passed on unchanged, joined by `?`.
    ///
    /// # Errors
    ///
    /// An authority that is not a host with an optional port; a target that does not start with `/`, or is not
    /// printable ASCII without spaces and `#`.
    pub fn new(authority: &str, target: &str) -> Result<Self, HandshakeMisuse> {
        let authority = Authority::parse(authority).map_err(|_| HandshakeMisuse::MalformedAuthority)?;
        if !target.starts_with('/') || !target.bytes().all(is_target_byte) {
            return Err(HandshakeMisuse::MalformedTarget);
        }
        Self::from_parts(authority, target.to_string(), false)
            .map_err(|_| HandshakeMisuse::MalformedAuthority)
    }

    /// Sets whether this is a `wss:` request (over TLS). The default port is then 443 instead of 80.
    ///
    /// ```
    /// use websocket_proto::handshake::ClientRequest;
    ///
    /// let request = ClientRequest::new("example.com", "/chat")?.with_secure(true);
    /// assert_eq!((request.is_secure(), request.host(), request.port()), (true, "example.com", 443));
    /// # Ok::<(), websocket_proto::handshake::HandshakeMisuse>(())
    /// ```
    pub fn with_secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self.authority = write_authority(self.written_host(), self.port, secure);
        self
    }

    /// Creates a request to a `ws:` or `wss:` URL (RFC 6455 section 3). `http:` means the same as `ws:`, and `https:`
    /// the same as `wss:`, as for browsers.
    ///
    /// The Host field omits the scheme's default port and the [`zone`](Self::zone) of an IPv6 address (RFC 6874). An
    /// empty path becomes `/`. A character of the host that is percent-encoded needlessly is decoded. Path and query
    /// are sent as they are: every printable ASCII character is allowed in them except `#`, because browsers leave
    /// characters such as `|` and `[` as they are.
    ///
    /// # Errors
    ///
    /// The [part](UrlError::part) of the URL that is at fault. A user name or a password is rejected: see
    /// [`from_url_with_credentials`](Self::from_url_with_credentials). Encode other characters beforehand: as
    /// percent-encoding, or in Punycode in the host.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        let url = Reference::split(url).url()?;
        match url.user_information {
            None => Ok(Self::of_url(url)?),
            Some(_) => Err(UrlPart::UserInformation.into()),
        }
    }

    /// Same as [`from_url`](Self::from_url), except that the URL may have a user name and a password. They are sent as
    /// Basic credentials in the Authorization header field (RFC 7617), which anyone can read unless the transport is
    /// TLS.
    ///
    /// ```
    /// use websocket_proto::{Config, entropy};
    /// use websocket_proto::handshake::ClientRequest;
    ///
    /// let request = ClientRequest::from_url_with_credentials("wss://Aladdin:open%20sesame@example.com/")?;
    /// let mut out = Vec::new();
    /// let entropy = entropy::from_fn(|bytes| bytes.fill(7)); // in production: `OsEntropy` or equivalent
    /// let handshake = request.start(&Config::new(), entropy, &mut out);
    /// let text = String::from_utf8(out)?;
    /// assert!(text.contains("\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
    /// # drop(handshake);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Same as for [`from_url`](Self::from_url), and user information that is malformed or contains a colon in the user
    /// name or a control character, which Basic credentials cannot hold.
    pub fn from_url_with_credentials(url: &str) -> Result<Self, UrlError> {
        let url = Reference::split(url).url()?;
        let user_information = url.user_information;
        let mut request = Self::of_url(url)?;
        if let Some(text) = user_information {
            let value = credentials::of_user_information(text).ok_or(UrlPart::UserInformation)?;
            request
                .fields
                .push((String::from("Authorization"), value.into_bytes()));
        }
        Ok(request)
    }

    /// Creates the request that follows a redirect: the same one to the URL in the Location header field of a response,
    /// which may omit what stays the same (RFC 9110 section 10.2.2, RFC 3986 section 5.2).
    ///
    /// A location with the same address and without a [`zone`](Self::zone) keeps the zone.
    ///
    /// If the scheme, the host, its zone or the port changes, the header fields Authorization, Cookie and
    /// Proxy-Authorization are dropped, because they are meant for the previous server. A fragment is dropped too.
    /// **Limit how many redirects you follow**: this method does not.
    ///
    /// ```
    /// use websocket_proto::{Config, entropy};
    /// use websocket_proto::handshake::{Answer, ClientRequest};
    ///
    /// let request = ClientRequest::from_url("wss://example.com/a/b")?;
    /// let entropy = entropy::from_fn(|bytes| bytes.fill(7)); // in production: `OsEntropy` or equivalent
    /// let mut handshake = request.clone().start(&Config::new(), entropy, &mut Vec::new());
    /// let mut read = *b"HTTP/1.1 307 Temporary Redirect\r\nLocation: ../chat?v=2\r\n\r\n";
    /// if let Some(Answer::Rejected(response)) = handshake.receive(&mut &mut read[..], &mut Vec::new())? {
    ///     if let (300..=399, Some(location)) = (response.status(), response.field("Location")) {
    ///         let next = request.redirect(location)?; // to be started on a new transport
    ///         assert_eq!((next.host(), next.target(), next.is_secure()), ("example.com", "/chat?v=2", true));
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The part of the location that is at fault, as for [`from_url`](Self::from_url). A `wss:` request is not
    /// redirected to `ws:` or `http:`.
    pub fn redirect(self, location: impl AsRef<[u8]>) -> Result<Self, UrlError> {
        // Bytes that are not UTF-8 are replaced by characters outside ASCII, so their part is rejected.
        let location = String::from_utf8_lossy(location.as_ref());
        let reference = Reference::split(&location);
        let secure = reference.is_secure()?.unwrap_or(self.secure);
        if self.secure && !secure {
            return Err(UrlPart::Scheme.into());
        }
        let authority = match reference.authority()? {
            None => None,
            Some((None, authority)) => Some(authority),
            Some((Some(_), _)) => return Err(UrlPart::UserInformation.into()),
        };
        let target = reference.resolve_target(&self.target)?;
        let Some(authority) = authority else {
            return Ok(Self { target, ..self });
        };
        let mut next = Self {
            origin: self.origin.clone(),
            protocols: self.protocols.clone(),
            extensions: self.extensions.clone(),
            fields: self.fields.clone(),
            ..Self::from_parts(authority, target, secure)?
        };
        // RFC 6874 section 1: a zone has a meaning only on this machine, so the server cannot know it.
        if next.zone.is_none() && next.has_host_of(&self) {
            next.zone.clone_from(&self.zone);
        }
        if !next.is_for_server_of(&self) {
            next.fields.retain(|(name, _)| !credentials::is_credential(name));
        }
        Ok(next)
    }

    fn has_host_of(&self, other: &Self) -> bool {
        self.host().eq_ignore_ascii_case(other.host())
    }

    fn is_for_server_of(&self, other: &Self) -> bool {
        let is_same_zone = self.zone == other.zone;
        self.has_host_of(other) && is_same_zone && (self.secure, self.port()) == (other.secure, other.port())
    }

    fn of_url(url: Url<'_>) -> Result<Self, UrlPart> {
        Self::from_parts(url.authority, url.target, url.secure)
    }

    fn from_parts(authority: Authority<'_>, target: String, secure: bool) -> Result<Self, UrlPart> {
        let (host, port) = (authority.host.written().unwrap_or_default(), authority.port);
        if host.is_empty() {
            return Err(UrlPart::Host);
        }
        Ok(Self {
            secure,
            authority: write_authority(&host, port, secure),
            host_size: host.len(),
            zone: authority.host.zone().map(String::from),
            port,
            target,
            origin: None,
            protocols: Vec::new(),
            extensions: String::new(),
            fields: Vec::new(),
        })
    }

    /// Returns whether the transport has to be TLS: for a `wss:` or `https:` URL, or after
    /// [`with_secure`](Self::with_secure).
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the host to connect to, which is also the name to check in TLS. An IPv6 address is without the brackets
    /// of a URL.
    pub fn host(&self) -> &str {
        let host = self.written_host();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        bare.unwrap_or(host)
    }

    /// Returns the zone of an IPv6 address that is local to a link, such as `eth0` in `ws://[fe80::1%25eth0]/` (RFC
    /// 6874): the name or the number of the interface to connect by. It is never sent.
    ///
    /// The `%` in front of it may be written as it is, as in `[fe80::1%eth0]`, unless two hexadecimal digits follow.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// Returns the port to connect to: 80, or 443 if [`is_secure`](Self::is_secure), unless another was given.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(default_port(self.secure))
    }

    /// Returns the path and the query of the request.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Sets the Origin header, as a browser does. The value is sent unchanged.
    ///
    /// # Errors
    ///
    /// An origin that is empty, is not printable ASCII, or starts or ends with a space; or a second origin.
    pub fn with_origin(mut self, origin: &str) -> Result<Self, HandshakeMisuse> {
        // RFC 9110 section 5.5: spaces around a value are not part of it.
        if !is_origin(origin.as_bytes()) || origin.trim() != origin {
            return Err(HandshakeMisuse::MalformedOrigin);
        }
        if self.origin.is_some() {
            return Err(HandshakeMisuse::RepeatedOrigin);
        }
        self.origin = Some(origin.to_string());
        Ok(self)
    }

    /// Offers a subprotocol; those offered first are preferred.
    ///
    /// # Errors
    ///
    /// A name that is not a token, or that was offered before (RFC 6455 section 4.1, item 10).
    #[doc(alias = "protocol")]
    pub fn with_subprotocol(mut self, name: &str) -> Result<Self, HandshakeMisuse> {
        if !is_token(name.as_bytes()) {
            return Err(HandshakeMisuse::MalformedSubprotocol);
        }
        if self.protocols.iter().any(|other| other == name) {
            return Err(HandshakeMisuse::RepeatedSubprotocol);
        }
        self.protocols.push(name.to_string());
        Ok(self)
    }

    /// Offers an extension with its parameters (`name; param; param=value`); those offered first are
    /// preferred.
    ///
    /// Offer only an extension that leaves the frames unchanged, with all reserved bits zero, and that the caller
    /// implements itself, on top of messages. Compression is not such an extension: it is offered and implemented if
    /// `Config::deflate` is set (with the feature `deflate`).
    ///
    /// [`Response::extensions`](crate::handshake::Response::extensions) lists what the server accepted. If the server
    /// accepts an extension that was not offered, the handshake fails.
    ///
    /// # Errors
    ///
    /// An offer that is not exactly one extension by the grammar of [`ExtensionList`].
    pub fn with_extension(self, offer: &str) -> Result<Self, HandshakeMisuse> {
        self.offer(ExtensionList::parse(offer).ok())
    }

    /// Same as [`with_extension`](Self::with_extension), except that a quoted value may be any text, as the agents of
    /// TR-369 write it: `bbf-usp-protocol; eid="os::012345-001122334455"`. Servers that follow RFC 6455 section 9.1
    /// refuse it.
    ///
    /// To accept the same from a peer, use [`Config::accept_any_extension_value`].
    ///
    /// # Errors
    ///
    /// An offer that is not exactly one extension by the grammar of [`ExtensionList::parse_any_value`].
    pub fn with_extension_any_value(self, offer: &str) -> Result<Self, HandshakeMisuse> {
        self.offer(ExtensionList::parse_any_value(offer).ok())
    }

    fn offer(mut self, offer: Option<ExtensionList<'_>>) -> Result<Self, HandshakeMisuse> {
        let mut list = offer.ok_or(HandshakeMisuse::MalformedExtension)?;
        let (Some(extension), None) = (list.next(), list.next()) else {
            return Err(HandshakeMisuse::MalformedExtension);
        };
        if !self.extensions.is_empty() {
            self.extensions.push_str(", ");
        }
        // Writing to a string cannot fail.
        let _ = write!(self.extensions, "{extension}");
        Ok(self)
    }

    /// Adds a field, such as `Cookie`, `Authorization` or `User-Agent`. The value is text or bytes; bytes from 0x80 on,
    /// such as Latin-1, are sent unchanged (RFC 9110 section 5.5).
    ///
    /// # Errors
    ///
    /// A name that is not a token, a value with a control byte, or a field that the handshake itself writes.
    #[doc(alias = "header")]
    pub fn with_field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, HandshakeMisuse> {
        let value = value.as_ref();
        write::check_field(name, value)?;
        self.fields.push((name.to_string(), value.to_vec()));
        Ok(self)
    }

    /// Returns the host and the port, even if the port is the scheme's default one.
    pub(super) fn authority_with_port(&self) -> String {
        let mut authority = String::from(self.written_host());
        // Writing to a string cannot fail.
        let _ = write!(authority, ":{}", self.port());
        authority
    }

    /// Returns the host as in a URL, with an IPv6 address in brackets.
    fn written_host(&self) -> &str {
        self.authority.get(..self.host_size).unwrap_or_default()
    }
}

/// RFC 6455 section 4.1, item 4: with the port, unless it is the scheme's default one.
fn write_authority(host: &str, port: Option<u16>, secure: bool) -> String {
    let mut authority = String::from(host);
    if let Some(port) = port.filter(|&port| port != default_port(secure)) {
        // Writing to a string cannot fail.
        let _ = write!(authority, ":{port}");
    }
    authority
}

impl fmt::Debug for ClientRequest {
    /// Shows neither the query, the subprotocols nor the fields that were added, which hold tokens, cookies and
    /// passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("secure", &self.secure)
            .field("authority", &self.authority)
            .field("path", &self.target.split('?').next())
            .field("origin", &self.origin)
            .field("subprotocols", &self.protocols.len())
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}
