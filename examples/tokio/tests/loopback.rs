//! Both ends of real sockets on the loopback interface, with and without TLS.
#![cfg(feature = "tls")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use embedding_tokio::{
    ClientRequest, CloseCode, Config, End, EndpointConfig, Event, Incoming, OpenError, WebSocket, accept,
    client, connect,
};
use rcgen::CertifiedKey;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use websocket_proto::ClosedBy;
use websocket_proto::endpoint::Interruption;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const SIZE: usize = 10_000_000;
const TIMES: usize = 100;

/// RFC 6455 section 7.1.1: the last message and the Close arrive, however slowly the peer reads, and a reset does not
/// overtake them.
async fn large_message_and_close_arrive<C, S>(client: C, server: S) -> Result
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let serving = tokio::spawn(async move {
        let mut socket = accept(server, &EndpointConfig::new())
            .await
            .map_err(|end| end.to_string())?;
        socket
            .send(vec![7; SIZE])
            .await
            .map_err(|error| error.to_string())?;
        let end = socket.close(CloseCode::NORMAL, "that was all").await;
        end.map(End::to_string).map_err(|error| error.to_string())
    });
    let config = EndpointConfig::new()
        .connection(Config::new().max_message_size(SIZE as u64))
        .max_read_size(16 * 1024);
    let request = ClientRequest::from_url("ws://localhost/")?;
    let (mut socket, _) = embedding_tokio::client(Slow::new(client), request, &config).await?;
    // Still in flight when the server sends its last byte.
    socket.send("a message that the server drops").await?;
    match socket.next().await {
        Some(Event::Binary(message)) => assert_eq!(message.len(), SIZE),
        other => panic!("{other:?}"),
    }
    assert!(matches!(socket.next().await, Some(Event::Close(close)) if close.reason == "that was all"));
    assert_eq!(socket.next().await, None);
    assert_eq!(
        socket.into_end().to_string(),
        "closed by the peer, clean, sent 1000, received 1000 \"that was all\""
    );
    assert_eq!(serving.await??, "closed locally, clean, sent 1000, received 1000");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn large_message_and_close_arrive_over_tcp() -> Result {
    for _ in 0..TIMES {
        let (client, server) = pair().await?;
        large_message_and_close_arrive(client, server).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn large_message_and_close_arrive_over_tls() -> Result {
    let (acceptor, connector) = tls()?;
    for _ in 0..TIMES {
        let (client, server) = pair().await?;
        let host = "localhost".try_into()?;
        let (client, server) = tokio::try_join!(connector.connect(host, client), acceptor.accept(server))?;
        large_message_and_close_arrive(client, server).await?;
    }
    Ok(())
}

/// RFC 6455 section 7.1.5: an end without a Close is 1006, and reports its cause.
#[tokio::test]
async fn reset_is_the_end_and_not_a_panic() -> Result {
    let (mut socket, server) = opened(&EndpointConfig::new()).await?;
    server.stream().set_zero_linger()?;
    drop(server);
    assert_eq!(socket.next().await, None);
    let end = socket.into_end();
    assert!(
        matches!(end.interruption, Some(Interruption::Transport(_))),
        "{end}"
    );
    assert_eq!(
        end.closed().map(|closed| (closed.by(), closed.code())),
        Some((ClosedBy::Transport, CloseCode::ABNORMAL))
    );
    Ok(())
}

/// A FIN without a Close ends the connection as well; what was sent before it is still delivered.
#[tokio::test]
async fn end_of_the_peers_direction_is_the_end() -> Result {
    let (mut socket, mut server) = opened(&EndpointConfig::new()).await?;
    server.send("last words").await?;
    server.flush().await?;
    drop(server);
    assert_eq!(socket.next().await, Some(Event::Text("last words".into())));
    assert_eq!(socket.next().await, None);
    assert_eq!(
        socket.into_end().to_string(),
        "transport ended, not clean, sent none, received none"
    );
    Ok(())
}

/// RFC 6455 section 4.2.2: a server looks at the request before it accepts, and a client sees the response.
#[tokio::test]
async fn request_is_looked_at_before_it_is_accepted() -> Result {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(async move {
        let config = EndpointConfig::new();
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(incoming) = Incoming::read(stream, &config).await else {
                continue;
            };
            match incoming.request().path() {
                "/chat" => {
                    _ = incoming
                        .accept_with(|upgrade| {
                            upgrade.select_subprotocol(&["chat.v1"]).with_field("X-Room", "7")
                        })
                        .await;
                }
                "/health" => {
                    _ = incoming
                        .reject(200, &[("Content-Type", "text/plain")], b"ok\n")
                        .await
                }
                _ => _ = incoming.reject(403, &[], b"not here\n").await,
            }
        }
    });
    let request = ClientRequest::from_url(&format!("ws://{address}/chat"))?.with_subprotocol("chat.v1")?;
    let (_socket, response) = connect(request, &EndpointConfig::new()).await?;
    assert_eq!(
        (response.subprotocol(), response.field("X-Room")),
        (Some("chat.v1"), Some(&b"7"[..]))
    );

    let request = ClientRequest::from_url(&format!("ws://{address}/other"))?;
    match connect(request, &EndpointConfig::new()).await {
        Err(OpenError::Rejected(response)) => assert_eq!(response.status(), 403),
        other => panic!("{other:?}"),
    }

    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await?;
    assert!(
        page.starts_with("HTTP/1.1 200 ") && page.ends_with("\r\n\r\nok\n"),
        "{page}"
    );

    let request = ClientRequest::from_url(&format!("wss://{address}/chat"))?;
    assert!(
        matches!(
            connect(request, &EndpointConfig::new()).await,
            Err(OpenError::Io(_))
        ),
        "TLS is not there"
    );
    serving.abort();
    Ok(())
}

/// A client and a server that have opened a connection.
async fn opened(config: &EndpointConfig) -> Result<(WebSocket<TcpStream>, WebSocket<TcpStream>)> {
    let (ours, theirs) = pair().await?;
    let request = ClientRequest::from_url("ws://localhost/")?;
    let (client, server) = tokio::join!(client(ours, request, config), accept(theirs, config));
    Ok((client?.0, server.map_err(|end| end.to_string())?))
}

async fn pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    Ok((client?, accepted?.0))
}

/// A self-signed certificate, and a client configuration that trusts it.
fn tls() -> Result<(TlsAcceptor, TlsConnector)> {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".into()])?;
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone())?;
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(
        vec![cert.into()],
        PrivateKeyDer::try_from(signing_key.serialize_der())?,
    )?;
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((Arc::new(server).into(), Arc::new(client).into()))
}

/// A stream that pauses after each piece of a large message that it has read.
struct Slow<S> {
    stream: S,
    read: usize,
    rest: std::pin::Pin<Box<tokio::time::Sleep>>,
}

impl<S> Slow<S> {
    fn new(stream: S) -> Self {
        let rest = Box::pin(tokio::time::sleep(Duration::ZERO));
        Self {
            stream,
            read: 0,
            rest,
        }
    }
}

mod slow {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll, ready};

    use tokio::io::ReadBuf;
    use tokio::time::Instant;

    use super::*;

    impl<S: AsyncRead + Unpin> AsyncRead for Slow<S> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            ready!(self.rest.as_mut().poll(cx));
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
            self.read += buffer.filled().len();
            if self.read > 1_000_000 {
                self.read = 0;
                self.rest
                    .as_mut()
                    .reset(Instant::now() + Duration::from_millis(5));
            }
            Poll::Ready(Ok(()))
        }
    }

    impl<S: AsyncWrite + Unpin> AsyncWrite for Slow<S> {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(cx)
        }
    }
}
