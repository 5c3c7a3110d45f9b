//! The client: sends messages to an echo server, compares the echoes, and prints how long it took.

use std::path::Path;

use bytes::Bytes;
use h2::Ping;
use h2::client::{Builder, SendRequest};
use h2::ext::Protocol;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use websocket_proto::handshake::{Answer, ClientRequest, extended};
use websocket_proto::{Config, Connection, OsEntropy};

use crate::echo::Echo;
use crate::stream::{self, Stream, carry};
use crate::{Failure, HANDSHAKE_TIME, MAX_STREAMS, WINDOW_SIZE, tls};

const CONFIG: Config = Config::new();

/// Sends `messages` messages of `size` bytes.
pub async fn run(url: &str, certificate: Option<&Path>, messages: usize, size: usize) -> Result<(), Failure> {
    let request = ClientRequest::from_url(url)?;
    let stream = TcpStream::connect((request.host(), request.port())).await?;
    stream.set_nodelay(true)?;
    let opening = async {
        if !request.is_secure() {
            return open(stream, request).await;
        }
        let certificate = certificate.ok_or("wss: needs --tls CERTIFICATE")?;
        let name = ServerName::try_from(request.host().to_string())?;
        let stream = tls::connector(certificate)?.connect(name, stream).await?;
        open(stream, request).await
    };
    let (connection, stream) = timeout(HANDSHAKE_TIME, opening).await??;
    println!("{}", echo(connection, stream, messages, size).await?);
    Ok(())
}

/// Requests a connection, as the first and only request of an HTTP/2 connection.
async fn open(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: ClientRequest,
) -> Result<(Connection, Stream), Failure> {
    let handshake = Builder::new()
        .enable_push(false)
        .initial_window_size(WINDOW_SIZE)
        .initial_connection_window_size(MAX_STREAMS * WINDOW_SIZE)
        .handshake(stream);
    let (http, mut driver): (SendRequest<Bytes>, _) = handshake.await?;
    let mut pings = driver.ping_pong().ok_or("h2 lends this once")?;
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            eprintln!("{error}");
        }
    });
    // The server sends its settings first, so they have arrived before any response.
    pings.ping(Ping::opaque()).await?;
    let mut http = http.ready().await?;
    if !http.is_extended_connect_protocol_enabled() {
        return Err("the server does not allow extended CONNECT".into());
    }
    let mut handshake = request.start_extended_connect(&CONFIG, OsEntropy);
    let mut request = handshake.to_http()?;
    request
        .extensions_mut()
        .insert(Protocol::from_static(extended::PROTOCOL));
    let (response, send) = http.send_request(request, false)?;
    let response = response.await?;
    match handshake.receive_http(&response)? {
        Some(Answer::Accepted { connection, .. }) => {
            let receive = response.into_body();
            Ok((connection, Stream { send, receive }))
        }
        Some(Answer::Rejected(response)) => Err(format!("rejected with {}", response.status()).into()),
        None => Err("h2 does not return interim responses".into()),
    }
}

/// Echoes all messages over one connection, and closes it.
async fn echo(
    connection: Connection,
    stream: Stream,
    messages: usize,
    size: usize,
) -> Result<String, Failure> {
    let (mut endpoint, clock) = stream::open(connection);
    let mut echo = Echo::begin(endpoint.sender(), messages, size)?;
    carry(&mut endpoint, clock, stream, |event, sender| {
        echo.react(event, sender)
    })
    .await;
    Ok(echo.result(&endpoint.into_end())?)
}
