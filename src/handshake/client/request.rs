//! The client's request.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::rules::Offer;
use super::waiting::Waiting;
use super::{ClientExchange, ClientHandshake};
#[cfg(feature = "deflate")]
use crate::deflate;
use crate::handshake::error::HandshakeMisuse;
use crate::handshake::extended::PROTOCOL;
use crate::handshake::extensions::ExtensionList;
use crate::handshake::http::grammar::{is_origin, is_path_and_query, is_token, text};
use crate::handshake::http::target::{Authority, Url, default_port};
use crate::handshake::http::write;
use crate::handshake::key::encode_nonce;
use crate::handshake::opening::Opening;
use crate::{Config, Connection, Entropy};

/// The request of a client, put together and checked before anything is written.
///
/// ```
/// use websocket_proto::Config;
/// use websocket_proto::handshake::ClientRequest;
///
/// let request = ClientRequest::from_url("ws://example.com/chat?x=1")?.subprotocol("chat")?.field("Cookie", "a=b")?;
/// assert_eq!((request.is_secure(), request.host(), request.port()), (false, "example.com", 80));
/// // The caller connects the transport, then:
/// let mut out = Vec::new();
/// let entropy = |bytes: &mut [u8]| bytes.fill(7); // real entropy: `OsEntropy`, or as good
/// let handshake = request.start(&Config::new(), entropy, &mut out);
/// assert!(out.starts_with(b"GET /chat?x=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n"));
/// # drop(handshake);
/// # Ok::<(), websocket_proto::handshake::HandshakeMisuse>(())
/// ```
///
/// What is left to the caller (RFC 6455 section 4.1): not to have two handshakes at once with one address and
/// port; to ask a proxy for a tunnel first, if there is one; and to do TLS, with the host's name in it, if
/// [`is_secure`](Self::is_secure).
#[derive(Clone)]
#[must_use = "nothing is asked before `start`, or another method of its kind"]
pub struct ClientRequest {
    secure: bool,
    /// The host, so many bytes, and what follows it in a Host field: the port, unless it is the default one.
    authority: String,
    host_size: usize,
    port: Option<u16>,
    target: String,
    origin: Option<String>,
    protocols: Vec<String>,
    /// The list as it is written.
    extensions: String,
    fields: Vec<(String, String)>,
}

impl ClientRequest {
    /// A request to this authority (`example.com`, `example.com:8080`, `[::1]:80`) for this path and query.
    ///
    /// It is a `ws:` request: [`is_secure`](Self::is_secure) is `false`, and the authority becomes the Host field,
    /// with its port unless that is 80. For `wss:`, there is [`secure`](Self::secure).
    ///
    /// # Errors
    ///
    /// An authority that is empty or none, a target that does not start with `/` or is not in the letters of
    /// RFC 3986: no space, no `#`, nothing that has to be percent-encoded, and `%` before two hexadecimal
    /// digits only.
    pub fn new(authority: &str, target: &str) -> Result<Self, HandshakeMisuse> {
        let authority = Authority::parse(authority).filter(|authority| !authority.host.is_empty());
        let authority = authority.ok_or(HandshakeMisuse::MalformedAuthority)?;
        if !target.starts_with('/') || !is_path_and_query(target) {
            return Err(HandshakeMisuse::MalformedTarget);
        }
        Ok(Self::from_parts(authority, target.to_string(), false))
    }

    /// Whether this is a `wss:` request, over TLS: 443 is then the port that is not written, in place of 80.
    ///
    /// ```
    /// use websocket_proto::handshake::ClientRequest;
    ///
    /// let request = ClientRequest::new("example.com", "/chat")?.secure(true);
    /// assert_eq!((request.is_secure(), request.host(), request.port()), (true, "example.com", 443));
    /// # Ok::<(), websocket_proto::handshake::HandshakeMisuse>(())
    /// ```
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self.authority = write_authority(self.written_host(), self.port, secure);
        self
    }

    /// A request to a `ws:` or `wss:` URL (RFC 6455 section 3).
    ///
    /// A port that is the scheme's own is left out of the Host field, and an empty path becomes `/`.
    ///
    /// # Errors
    ///
    /// Another scheme, a host that is empty or none, a user name, a fragment, or letters that RFC 3986 does
    /// not allow: they have to be percent-encoded, or in Punycode, beforehand.
    pub fn from_url(url: &str) -> Result<Self, HandshakeMisuse> {
        let Url {
            secure,
            authority,
            resource,
        } = Url::parse(url)?;
        // RFC 9112 section 3.2.1: an empty path is sent as `/`. RFC 6455 section 3: an empty query is left
        // out with its mark.
        let slash = if resource.starts_with('/') { "" } else { "/" };
        let resource = match resource.split_once('?') {
            Some((path, "")) => path,
            _ => resource,
        };
        let mut target = String::from(slash);
        target.push_str(resource);
        Ok(Self::from_parts(authority, target, secure))
    }

    fn from_parts(authority: Authority<'_>, target: String, secure: bool) -> Self {
        let (host, port) = (authority.host, authority.port);
        Self {
            secure,
            authority: write_authority(host, port, secure),
            host_size: host.len(),
            port,
            target,
            origin: None,
            protocols: Vec::new(),
            extensions: String::new(),
            fields: Vec::new(),
        }
    }

    /// Whether the transport has to be TLS: the URL was a `wss:` one, or [`secure`](Self::secure) says so.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host to connect to, and the name to check in TLS: an IPv6 address without the brackets that a URL
    /// puts around it.
    pub fn host(&self) -> &str {
        let host = self.written_host();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        bare.unwrap_or(host)
    }

    /// The port to connect to: 80, or 443 if [`is_secure`](Self::is_secure), unless another was given.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(default_port(self.secure))
    }

    /// The path and the query that are asked for.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Says from which site this comes, as a browser does; it is sent as given.
    ///
    /// # Errors
    ///
    /// An origin that is empty, not printable ASCII or has a space at an end, or a second one.
    pub fn origin(mut self, origin: &str) -> Result<Self, HandshakeMisuse> {
        // RFC 9110 section 5.5: spaces around a value are no part of it.
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
    /// A name that is no token, or that was offered before (RFC 6455 section 4.1, item 10).
    pub fn subprotocol(mut self, name: &str) -> Result<Self, HandshakeMisuse> {
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
    /// Offer only an extension that leaves the frames as they are, with all reserved bits zero, and that the
    /// caller carries out by itself, above the messages. Compression is no such extension: it is offered, and
    /// carried out, where `Config::deflate` asks for it (with the feature `deflate`).
    ///
    /// What the server took is in [`Response::extensions`](crate::handshake::Response::extensions). A server
    /// that takes what was not offered fails the handshake.
    ///
    /// # Errors
    ///
    /// What is not exactly one extension by the grammar of [`ExtensionList`].
    pub fn extension(mut self, offer: &str) -> Result<Self, HandshakeMisuse> {
        let mut list = ExtensionList::parse(offer).map_err(|_| HandshakeMisuse::MalformedExtension)?;
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

    /// Adds a field, such as `Cookie`, `Authorization` or `User-Agent`.
    ///
    /// # Errors
    ///
    /// A name that is no token, a value with a control byte, a field that is written by the handshake itself.
    pub fn field(mut self, name: &str, value: &str) -> Result<Self, HandshakeMisuse> {
        write::check_field(name, value)?;
        self.fields.push((name.to_string(), value.to_string()));
        Ok(self)
    }

    /// Appends the request to `out`, and waits for the answer.
    ///
    /// The nonce is drawn from `entropy` here, 16 bytes, so every call sends another; the connection then
    /// draws its mask keys from it.
    #[must_use = "the answer is read, and the connection opened, by the handshake that is returned"]
    pub fn start(
        mut self,
        config: &Config,
        mut entropy: impl Entropy + 'static,
        out: &mut Vec<u8>,
    ) -> ClientHandshake {
        let key = draw_key(&mut entropy);
        self.offer_deflate(config);
        for part in ["GET ", &self.target, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        self.each_field_of_upgrade(text(&key), |name, value| write::push_field(out, name, value));
        out.extend_from_slice(b"\r\n");
        let waiting = self.wait(config, Opening::by_upgrade(&key), entropy);
        ClientHandshake::new(waiting)
    }

    /// Gives the request to a caller whose own HTTP/1.1 client sends it, and waits for the answer.
    ///
    /// As [`start`](Self::start): the same fields, and the same rules for the answer.
    ///
    /// ```
    /// use websocket_proto::Config;
    /// use websocket_proto::handshake::{Answer, ClientRequest};
    ///
    /// let entropy = |bytes: &mut [u8]| bytes.fill(7); // real entropy: `OsEntropy`, or as good
    /// let mut exchange = ClientRequest::from_url("ws://example.com/chat")?.start_upgrade(&Config::new(), entropy);
    /// assert_eq!((exchange.method(), exchange.target()), ("GET", "/chat"));
    /// assert_eq!(exchange.fields().next(), Some(("Host", "example.com")));
    /// // The HTTP client sends them, and gets:
    /// let answer = exchange.receive_response(403, [("Content-Length", "0")])?;
    /// assert!(matches!(answer, Some(Answer::Rejected(response)) if response.status() == 403));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_upgrade(mut self, config: &Config, mut entropy: impl Entropy + 'static) -> ClientExchange {
        let key = draw_key(&mut entropy);
        self.offer_deflate(config);
        let opening = Opening::by_upgrade(&key);
        let mut fields = Vec::new();
        self.each_field_of_upgrade(text(&key), |name, value| {
            fields.push(opening.written(name, value))
        });
        let target = self.target.clone();
        let waiting = self.wait(config, opening, entropy);
        ClientExchange::new(target, fields, waiting)
    }

    /// Gives the request to an HTTP/2 or HTTP/3 stack, as an extended CONNECT, and waits for the answer (RFC
    /// 8441, RFC 9220).
    ///
    /// What else the stack has to do is in [`extended`](crate::handshake::extended), where there is an
    /// example, too. Mask keys are drawn from `entropy`; there is no nonce.
    pub fn start_extended_connect(
        mut self,
        config: &Config,
        entropy: impl Entropy + 'static,
    ) -> ClientExchange {
        self.offer_deflate(config);
        let opening = Opening::ExtendedConnect;
        let mut fields = Vec::new();
        self.each_field_of_connect(|name, value| fields.push(opening.written(name, value)));
        let target = self.target.clone();
        let waiting = self.wait(config, opening, entropy);
        ClientExchange::new(target, fields, waiting)
    }

    /// The host as a URL has it, an IPv6 address in brackets.
    fn written_host(&self) -> &str {
        self.authority.get(..self.host_size).unwrap_or_default()
    }

    fn wait(self, config: &Config, opening: Opening, entropy: impl Entropy + 'static) -> Waiting {
        let offer = Offer {
            config: config.clone(),
            opening,
            protocols: self.protocols,
            extensions: self.extensions,
        };
        Waiting::new(offer, Connection::client(config, entropy))
    }

    #[cfg(not(feature = "deflate"))]
    fn offer_deflate(&mut self, _: &Config) {}

    /// RFC 7692 section 5.1: what the configuration asks for, and then the same without the limits that a server may not
    /// be able to meet.
    #[cfg(feature = "deflate")]
    fn offer_deflate(&mut self, config: &Config) {
        let Some(config) = &config.deflate else { return };
        let offers = match config.undemanding() {
            None => deflate::offer(core::slice::from_ref(config)),
            Some(undemanding) => deflate::offer(&[config.clone(), undemanding]),
        };
        if !self.extensions.is_empty() {
            self.extensions.push_str(", ");
        }
        self.extensions.push_str(&offers);
    }

    fn each_field_of_upgrade(&self, key: &str, mut push: impl FnMut(&str, &str)) {
        push("Host", &self.authority);
        push("Upgrade", "websocket");
        push("Connection", "Upgrade");
        push("Sec-WebSocket-Key", key);
        self.each_common_field(push);
    }

    /// RFC 8441 sections 4 and 5
    fn each_field_of_connect(&self, mut push: impl FnMut(&str, &str)) {
        push(":method", "CONNECT");
        push(":protocol", PROTOCOL);
        push(":scheme", if self.secure { "https" } else { "http" });
        push(":authority", &self.authority);
        push(":path", &self.target);
        self.each_common_field(push);
    }

    fn each_common_field(&self, mut push: impl FnMut(&str, &str)) {
        push("Sec-WebSocket-Version", "13");
        if let Some(origin) = &self.origin {
            push("Origin", origin);
        }
        let mut protocols = String::new();
        for name in &self.protocols {
            let comma = if protocols.is_empty() { "" } else { ", " };
            protocols.push_str(comma);
            protocols.push_str(name);
        }
        if !protocols.is_empty() {
            push("Sec-WebSocket-Protocol", &protocols);
        }
        if !self.extensions.is_empty() {
            push("Sec-WebSocket-Extensions", &self.extensions);
        }
        for (name, value) in &self.fields {
            push(name, value);
        }
    }
}

/// RFC 6455 section 4.1, item 4: with the port, unless it is the scheme's own.
fn write_authority(host: &str, port: Option<u16>, secure: bool) -> String {
    let mut authority = String::from(host);
    if let Some(port) = port.filter(|&port| port != default_port(secure)) {
        // Writing to a string cannot fail.
        let _ = write!(authority, ":{port}");
    }
    authority
}

/// RFC 6455 section 4.1, item 7: 16 bytes, chosen at random for each connection.
fn draw_key(entropy: &mut impl Entropy) -> [u8; 24] {
    let mut nonce = [0; 16];
    entropy.fill(&mut nonce);
    encode_nonce(nonce)
}

impl fmt::Debug for ClientRequest {
    /// Without the query, the subprotocols and the fields that were added, which hold tokens, cookies and passwords.
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
