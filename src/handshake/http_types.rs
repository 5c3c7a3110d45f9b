//! The handshake in the types of the crate `http`, with the feature of that name.

use ::http::header::{HeaderName, HeaderValue};
use ::http::uri::{InvalidUri, Parts, PathAndQuery, Uri};
use ::http::{HeaderMap, Request, Response, StatusCode, Version};

use super::client::{Answer, ClientFieldsHandshake};
use super::error::HandshakeError;
use super::http::fields::as_bytes;
use super::http::grammar::percent_encoded;
use super::http::head::check_http_version;
use super::http::target::Target;
use super::server::Upgrade;
use crate::{Config, Connection};

impl<'a> Upgrade<'a> {
    /// Checks a request that a server such as hyper or axum has read: an upgrade of HTTP/1.1, or an extended CONNECT of
    /// HTTP/2 or HTTP/3, depending on the request's version.
    ///
    /// `connect_protocol` is the pseudo-field `:protocol`, which is not part of the request itself: servers keep it in
    /// the request's extensions, as `hyper::ext::Protocol` or `h2::ext::Protocol`, with a method `as_str`. HTTP/1.1 has
    /// none.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use websocket_proto::handshake::Upgrade;
    /// use websocket_proto::{Config, Connection};
    ///
    /// /// The response, and the connection to run on the result of `hyper::upgrade::on`.
    /// fn open<B>(request: &Request<B>) -> Result<(Response<()>, Option<Connection>), http::Error> {
    ///     let connect_protocol = None; // request.extensions().get::<hyper::ext::Protocol>().map(Protocol::as_str)
    ///     match Upgrade::from_http(&Config::new(), request, connect_protocol) {
    ///         Ok(upgrade) => {
    ///             let (response, connection) = upgrade.select_subprotocol(&["chat"]).accept_http()?;
    ///             Ok((response, Some(connection)))
    ///         }
    ///         Err(error) => Ok((error.to_http(), None)),
    ///     }
    /// }
    ///
    /// let request = Request::get("/chat")
    ///     .header("Host", "example.com")
    ///     .header("Connection", "Upgrade")
    ///     .header("Upgrade", "websocket")
    ///     .header("Sec-WebSocket-Version", "13")
    ///     .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    /// let (response, connection) = open(&request.body(())?)?;
    /// assert_eq!(response.status(), 101);
    /// assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    /// assert!(connection.is_some());
    ///
    /// let (response, connection) = open(&Request::get("/chat").header("Host", "example.com").body(())?)?;
    /// assert_eq!((response.status().as_u16(), &response.headers()["upgrade"]), (426, &"websocket".parse()?));
    /// assert!(connection.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`from_fields`](Self::from_fields) or [`from_extended_connect`](Self::from_extended_connect);
    /// [`HandshakeError::to_http`] returns the response to send.
    pub fn from_http<B>(
        config: &Config,
        request: &'a Request<B>,
        connect_protocol: Option<&'a str>,
    ) -> Result<Self, HandshakeError> {
        let (uri, headers) = (request.uri(), request.headers());
        let authority = uri.authority().map(|authority| authority.as_str());
        if is_stream(request.version()) {
            let pseudo = [
                (":method", Some(request.method().as_str())),
                (":protocol", connect_protocol),
                (":scheme", uri.scheme_str()),
                (":authority", authority),
                (":path", uri.path_and_query().map(|path| path.as_str())),
            ];
            let pseudo = pseudo
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)));
            return Self::from_extended_connect(config, as_bytes(pseudo).chain(as_bytes(headers)));
        }
        let (method, version) = (request.method().as_str(), number(request.version()));
        check_http_version(version)?;
        let target = Target::of_parts(method, uri.scheme_str(), authority, uri.path(), uri.query())?;
        Self::from_target(config, method, target, version, headers)
    }

    /// Returns the accepting response to send, and the connection to run on the upgraded transport.
    ///
    /// # Errors
    ///
    /// More fields were added than a [`HeaderMap`] can hold.
    pub fn accept_http(self) -> Result<(Response<()>, Connection), ::http::Error> {
        let mut response = Response::builder().status(self.status());
        for (name, value) in self.response_fields() {
            response = response.header(name, value);
        }
        Ok((response.body(())?, self.into_connection()))
    }
}

impl HandshakeError {
    /// Returns the response that reports this error to the client: [`status`](Self::status) and
    /// [`response_fields`](Self::response_fields). You may add a body, such as the error's text.
    pub fn to_http(&self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::BAD_REQUEST);
        for &(name, value) in self.response_fields() {
            // None of them is malformed, and there are only three.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                let _ = response.headers_mut().try_append(name, value);
            }
        }
        response
    }
}

impl ClientFieldsHandshake {
    /// Returns the request, for a client such as hyper's or h2's.
    ///
    /// For an HTTP/1.1 upgrade, the URI is in origin form (path and query). HTTP clients that connect based on the URI
    /// need an absolute URI instead. An extended CONNECT has an absolute URI, and the version HTTP/2, which HTTP/3
    /// stacks ignore. An `http::Request` cannot hold `:protocol`, so put it into the extensions that the stack reads. A
    /// [`Uri`] cannot hold a few characters that this crate sends unencoded, such as `<`: if the target has one of
    /// them, all characters that RFC 3986 does not allow are percent-encoded.
    ///
    /// ```
    /// use websocket_proto::{Config, entropy};
    /// use websocket_proto::handshake::{ClientRequest, extended};
    ///
    /// let entropy = entropy::from_fn(|bytes| bytes.fill(7)); // in production: `OsEntropy` or equivalent
    /// let request = ClientRequest::from_url("wss://example.com/chat")?;
    /// let mut request = request.start_extended_connect(&Config::new(), entropy).to_http()?;
    /// # #[derive(Clone)] struct Protocol(&'static str);
    /// # impl Protocol { fn from_static(name: &'static str) -> Self { Self(name) } }
    /// request.extensions_mut().insert(Protocol::from_static(extended::PROTOCOL)); // of `h2::ext`, say
    /// assert_eq!((request.method().as_str(), request.uri()), ("CONNECT", &"https://example.com/chat".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A target that is too long for a [`Uri`], or more fields than a [`HeaderMap`] can hold.
    pub fn to_http(&self) -> Result<Request<()>, ::http::Error> {
        let mut uri = Parts::default();
        let mut headers = HeaderMap::new();
        for (name, value) in self.fields() {
            match name {
                ":scheme" => uri.scheme = Some(value.try_into()?),
                ":authority" => uri.authority = Some(value.try_into()?),
                _ if name.starts_with(':') => {}
                _ => {
                    headers.try_append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?)?;
                }
            }
        }
        uri.path_and_query = Some(to_path_and_query(self.target())?);
        let version = if self.is_extended() {
            Version::HTTP_2
        } else {
            Version::HTTP_11
        };
        let mut request = Request::builder()
            .method(self.method())
            .uri(Uri::from_parts(uri)?)
            .version(version)
            .body(())?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Handles a response, like [`receive_response`](Self::receive_response).
    ///
    /// # Errors
    ///
    /// Same as [`receive_response`](Self::receive_response), and for a version other than that of the request.
    pub fn receive_http<B>(&mut self, response: &Response<B>) -> Result<Option<Answer>, HandshakeError> {
        let (version, status) = (number(response.version()), response.status().as_u16());
        self.receive(version, status, as_bytes(response.headers()))
    }
}

/// Returns the target unchanged if a [`Uri`] can hold it, and otherwise percent-encoded.
fn to_path_and_query(target: &str) -> Result<PathAndQuery, InvalidUri> {
    target.parse().or_else(|_| percent_encoded(target).parse())
}

/// Returns whether messages of this version are streams of HTTP/2 or HTTP/3.
fn is_stream(version: Version) -> bool {
    number(version) >= (2, 0)
}

fn number(version: Version) -> (u8, u8) {
    match version {
        Version::HTTP_10 => (1, 0),
        Version::HTTP_11 => (1, 1),
        Version::HTTP_2 => (2, 0),
        Version::HTTP_3 => (3, 0),
        _ => (0, 9),
    }
}
