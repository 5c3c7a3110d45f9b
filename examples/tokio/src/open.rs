//! The opening handshake, by either role.

use std::error::Error;
use std::future::poll_fn;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use websocket_proto::handshake::{ClientRequest, HandshakeMisuse, Request, Response, Upgrade};
use websocket_proto::{Entropy, OsEntropy};

#[cfg(doc)]
use crate::KeepaliveConfig;
use crate::{ClientStream, End, Endpoint, EndpointConfig, Step, WebSocket};

/// How long TCP may take to connect, and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no transport: the name does not resolve, TCP or TLS failed, or the URL is `wss:` and the feature `tls` is
    /// off.
    Io(io::Error),
    /// The server rejected the request. The response has the status and the header fields; the bytes are its body, within
    /// [`Config::max_body_size`](crate::Config::max_body_size): see [`Endpoint::response_body`].
    Rejected(Box<Response>, Vec<u8>),
    /// The opening handshake did not succeed.
    Failed(Box<End>),
}

/// Connects to a `ws:` or `wss:` URL, and opens a connection as a client.
///
/// For `wss:`, the feature `tls` is needed. The server's certificate is checked against the host of the URL, and has to
/// be issued under one of Mozilla's root certificates; [`connect_with_tls`] has settings of your own.
///
/// Everything has a deadline: 10 seconds for the name lookup and TCP, 10 for TLS, and [`KeepaliveConfig::open_timeout`] for
/// the opening handshake. To limit the whole call further, wrap the future in `tokio::time::timeout`.
///
/// # Errors
///
/// See [`OpenError`].
pub async fn connect(
    request: ClientRequest,
    config: &EndpointConfig,
) -> Result<(WebSocket<ClientStream>, Response), OpenError> {
    #[cfg(feature = "tls")]
    return connect_with_tls(request, config, &crate::tls::MOZILLA).await;
    #[cfg(not(feature = "tls"))]
    match request.is_secure() {
        true => {
            let error = "a `wss:` URL needs the feature `tls` of embedding-tokio";
            Err(io::Error::new(io::ErrorKind::Unsupported, error).into())
        }
        false => {
            let stream = ClientStream::Tcp(tcp(&request).await?);
            client(stream, request, config).await
        }
    }
}

/// Same as [`connect`], with TLS settings of your own: see [`tls_config`](crate::tls_config). A `ws:` URL does not use
/// them, so if a URL has to be `wss:`, check [`ClientRequest::is_secure`].
///
/// # Errors
///
/// See [`OpenError`].
#[cfg(feature = "tls")]
pub async fn connect_with_tls(
    request: ClientRequest,
    config: &EndpointConfig,
    tls: &Arc<tokio_rustls::rustls::ClientConfig>,
) -> Result<(WebSocket<ClientStream>, Response), OpenError> {
    use tokio_rustls::rustls::pki_types::ServerName;
    let stream = match request.is_secure() {
        true => {
            let host = ServerName::try_from(request.host().to_owned());
            let host = host.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            let tls = tokio_rustls::TlsConnector::from(tls.clone());
            let connecting = tls.connect(host, tcp(&request).await?);
            ClientStream::Tls(Box::new(in_time(connecting).await?))
        }
        false => ClientStream::Tcp(tcp(&request).await?),
    };
    client(stream, request, config).await
}

async fn in_time<T>(connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(CONNECT_TIMEOUT, connecting).await?
}

async fn tcp(request: &ClientRequest) -> io::Result<TcpStream> {
    let connecting = TcpStream::connect((request.host(), request.port()));
    let stream = in_time(connecting).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Opens a connection as a client, on an established transport: TLS, a Unix socket, a proxy's tunnel.
///
/// # Errors
///
/// See [`OpenError`].
pub async fn client<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: ClientRequest,
    config: &EndpointConfig,
) -> Result<(WebSocket<S>, Response), OpenError> {
    client_with(stream, request, config, OsEntropy).await
}

/// Same as [`client`], with another source of nonces and mask keys: see [`Endpoint::client`].
///
/// # Errors
///
/// See [`OpenError`].
pub async fn client_with<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: ClientRequest,
    config: &EndpointConfig,
    entropy: impl Entropy + 'static,
) -> Result<(WebSocket<S>, Response), OpenError> {
    let mut socket = WebSocket::new(stream, |now| Endpoint::client(config, request, entropy, now));
    let _ = poll_fn(|cx| socket.poll_drive(cx)).await;
    let body = socket.endpoint.response_body().to_vec();
    match socket.endpoint.take_response() {
        Some(response) if response.status() == 101 => Ok((socket, response)),
        Some(response) => Err(OpenError::Rejected(Box::new(response), body)),
        None => Err(OpenError::Failed(Box::new(socket.into_end()))),
    }
}

/// Opens a connection as a server, for any path and any origin.
///
/// If browsers can reach the server, look at the request first, see [`Incoming`]: any page may connect to it.
///
/// # Errors
///
/// How the connection ended instead. The client has received the response.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: &EndpointConfig,
) -> Result<WebSocket<S>, Box<End>> {
    Incoming::read(stream, config).await?.accept().await
}

/// A request that can be accepted or rejected.
///
/// ```no_run
/// # use embedding_tokio::{End, EndpointConfig, Incoming, WebSocket};
/// # async fn serve(stream: tokio::net::TcpStream, config: &EndpointConfig) -> Result<WebSocket<tokio::net::TcpStream>, Box<End>> {
/// let incoming = Incoming::read(stream, config).await?;
/// if incoming.request().path() != "/chat" {
///     return Err(incoming.reject(404, &[], b"not found\n").await);
/// }
/// incoming
///     .accept_with(|upgrade| Ok(upgrade.select_subprotocol(&["chat.v2", "chat.v1"])))
///     .await
/// # }
/// ```
#[derive(Debug)]
pub struct Incoming<S> {
    socket: WebSocket<S>,
    request: Request,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Incoming<S> {
    /// Reads the request.
    ///
    /// # Errors
    ///
    /// How the connection ended instead: there was no HTTP request, or it did not arrive in time.
    pub async fn read(stream: S, config: &EndpointConfig) -> Result<Self, Box<End>> {
        let mut socket = WebSocket::new(stream, |now| Endpoint::server(config, now));
        let _ = poll_fn(|cx| socket.poll_drive(cx)).await;
        match socket.endpoint.take_request() {
            Some(request) => Ok(Self { socket, request }),
            None => Err(Box::new(socket.into_end())),
        }
    }

    /// Returns the request, to check its path, its origin or its cookies. It need not be for WebSocket.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Accepts the request.
    ///
    /// # Errors
    ///
    /// How the connection ended instead: the request violates RFC 6455, and the client has received the response.
    pub async fn accept(self) -> Result<WebSocket<S>, Box<End>> {
        self.accept_with(|upgrade| Ok(upgrade)).await
    }

    /// Accepts the request, with what `choose` adds to the response: a subprotocol, header fields. If `choose` fails,
    /// the response is a 500.
    ///
    /// # Errors
    ///
    /// How the connection ended instead.
    pub async fn accept_with(
        mut self,
        choose: impl FnOnce(Upgrade<'_>) -> Result<Upgrade<'_>, HandshakeMisuse>,
    ) -> Result<WebSocket<S>, Box<End>> {
        match self.socket.endpoint.upgrade(&self.request).map(choose) {
            Ok(Ok(upgrade)) => _ = self.socket.endpoint.accept_upgrade(upgrade),
            Ok(Err(_)) => return Err(self.reject(500, &[], b"").await),
            Err(_) => return Err(self.socket.finish().await),
        }
        match self.socket.flush().await {
            Ok(()) => Ok(self.socket),
            Err(_) => Err(self.socket.finish().await),
        }
    }

    /// Responds to the request with any other response: an error, a page, a health check.
    pub async fn reject(mut self, status: u16, fields: &[(&str, &str)], body: &[u8]) -> Box<End> {
        let responded = self.socket.endpoint.respond(&self.request, status, fields, body);
        debug_assert!(responded.is_ok(), "{responded:?}");
        self.socket.finish().await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Writes the response, and waits for the end of the transport.
    async fn finish(mut self) -> Box<End> {
        while poll_fn(|cx| self.poll_drive(cx)).await != Step::Done {}
        Box::new(self.into_end())
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Rejected(response, _) => write!(f, "rejected with status {}", response.status()),
            Self::Failed(end) => end.fmt(f),
        }
    }
}

impl Error for OpenError {}
