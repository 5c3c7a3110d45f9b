//! The client's request.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::ClientHandshake;
#[cfg(feature = "deflate")]
use crate::deflate;
use crate::handshake::error::HandshakeMisuse;
use crate::handshake::extensions::ExtensionList;
use crate::handshake::http::grammar::{is_origin, is_path_and_query, is_token, text};
use crate::handshake::http::target::{Authority, Url};
use crate::handshake::http::write;
use crate::handshake::key::{accept_key, encode_nonce};
use crate::{Config, Connection, Entropy};

/// The request of a client, put together and checked before anything is written.
///
/// ```
/// use websocket_proto::Config;
/// use websocket_proto::handshake::ClientRequest;
///
/// let request = ClientRequest::from_url("ws://example.com/chat?x=1")?.protocol("chat")?.field("Cookie", "a=b")?;
/// assert_eq!((request.secure(), request.host(), request.port()), (false, "example.com", 80));
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
/// [`secure`](Self::secure).
#[derive(Clone)]
#[must_use = "nothing is asked before `start`"]
pub struct ClientRequest {
    secure: bool,
    host: String,
    port: Option<u16>,
    target: String,
    origin: Option<String>,
    protocols: Vec<String>,
    /// The list as it is written, and the names in it.
    extensions: String,
    extension_names: Vec<String>,
    fields: Vec<(String, String)>,
}

impl ClientRequest {
    /// A request to this authority (`example.com`, `example.com:8080`, `[::1]:80`) for this path and query.
    ///
    /// It is a `ws:` request: [`secure`](Self::secure) is `false`, and the authority becomes the Host field,
    /// with its port unless that is 80. For `wss:`, take [`from_url`](Self::from_url).
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
        Self {
            secure,
            host: authority.host.to_string(),
            // RFC 6455 section 4.1, item 4: the port stands in Host unless it is the default one.
            port: authority.port.filter(|&port| port != default_port(secure)),
            target,
            origin: None,
            protocols: Vec::new(),
            extensions: String::new(),
            extension_names: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// Whether the transport has to be TLS: the URL was a `wss:` one.
    pub fn secure(&self) -> bool {
        self.secure
    }

    /// The host to connect to, and the name to check in TLS: an IPv6 address without the brackets that a URL
    /// puts around it.
    pub fn host(&self) -> &str {
        let bare = self
            .host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        bare.unwrap_or(&self.host)
    }

    /// The port to connect to: 80, or 443 if [`secure`](Self::secure), unless another was given.
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
    pub fn protocol(mut self, name: &str) -> Result<Self, HandshakeMisuse> {
        if !is_token(name.as_bytes()) {
            return Err(HandshakeMisuse::MalformedProtocol);
        }
        if self.protocols.iter().any(|other| other == name) {
            return Err(HandshakeMisuse::RepeatedProtocol);
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
        self.extension_names.push(extension.name().to_string());
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
        #[cfg_attr(not(feature = "deflate"), allow(unused_mut))] mut self,
        config: &Config,
        mut entropy: impl Entropy + 'static,
        out: &mut Vec<u8>,
    ) -> ClientHandshake {
        // RFC 6455 section 4.1, item 7: 16 bytes, chosen at random for each connection.
        let mut nonce = [0; 16];
        entropy.fill(&mut nonce);
        let key = encode_nonce(nonce);
        #[cfg(feature = "deflate")]
        self.offer_deflate(config);
        self.write(text(&key), out);
        let connection = Connection::client(config, entropy);
        ClientHandshake::new(
            config,
            accept_key(&key),
            self.protocols,
            self.extension_names,
            #[cfg(feature = "deflate")]
            self.extensions,
            connection,
        )
    }

    /// RFC 7692 section 5.1: what the configuration asks for, and then the same without a demand that a server may
    /// not be able to meet.
    #[cfg(feature = "deflate")]
    fn offer_deflate(&mut self, config: &Config) {
        let Some(config) = config.deflate else { return };
        let undemanding = config.server_max_window_bits(15);
        let offers = match config == undemanding {
            true => deflate::offer(&[config]),
            false => deflate::offer(&[config, undemanding]),
        };
        if !self.extensions.is_empty() {
            self.extensions.push_str(", ");
        }
        self.extensions.push_str(&offers);
        self.extension_names.push(deflate::EXTENSION.to_string());
    }

    fn write(&self, key: &str, out: &mut Vec<u8>) {
        for part in ["GET ", &self.target, " HTTP/1.1\r\nHost: ", &self.host] {
            out.extend_from_slice(part.as_bytes());
        }
        if let Some(port) = self.port {
            out.push(b':');
            out.extend_from_slice(port.to_string().as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        write::push_field(out, "Upgrade", "websocket");
        write::push_field(out, "Connection", "Upgrade");
        write::push_field(out, "Sec-WebSocket-Key", key);
        write::push_field(out, "Sec-WebSocket-Version", "13");
        if let Some(origin) = &self.origin {
            write::push_field(out, "Origin", origin);
        }
        for (i, protocol) in self.protocols.iter().enumerate() {
            let start = if i == 0 { "Sec-WebSocket-Protocol: " } else { ", " };
            out.extend_from_slice(start.as_bytes());
            out.extend_from_slice(protocol.as_bytes());
        }
        if !self.protocols.is_empty() {
            out.extend_from_slice(b"\r\n");
        }
        if !self.extensions.is_empty() {
            write::push_field(out, "Sec-WebSocket-Extensions", &self.extensions);
        }
        for (name, value) in &self.fields {
            write::push_field(out, name, value);
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl fmt::Debug for ClientRequest {
    /// Without the query and the fields that were added, which hold tokens, cookies and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("secure", &self.secure)
            .field("host", &self.host)
            .field("port", &self.port())
            .field("path", &self.target.split('?').next())
            .field("origin", &self.origin)
            .field("protocols", &self.protocols)
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}
