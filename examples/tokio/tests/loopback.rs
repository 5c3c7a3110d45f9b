//! Both ends of real sockets on the loopback interface, with and without TLS.
#![cfg(feature = "tls")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use embedding_tokio::{
    ClientRequest, ClientStream, CloseCode, ClosedBy, Config, End, EndpointConfig, Event, Incoming,
    Interruption, KeepaliveConfig, Message, OpenError, WebSocket, accept, client, connect, connect_with_tls,
    tls_config,
};
use rcgen::CertifiedKey;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

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

/// RFC 6455 section 7.1.1: a large message and the Close that says what is wrong arrive at a client that reads slowly and still sends.
/// If the server closed its socket once they are written, with input that was not read, that would reset the connection and drop them.
#[tokio::test(flavor = "multi_thread")]
async fn close_arrives_at_a_client_that_still_sends() -> Result {
    // No deadline passes, however slow the machine is.
    let hour = Duration::from_secs(60 * 60);
    let config = EndpointConfig::new()
        .write_timeout(hour)
        .linger_timeout(hour)
        .keepalive(KeepaliveConfig::new().close_timeout(hour));
    for _ in 0..TIMES / 10 {
        let (ours, theirs) = pair().await?;
        let config = config.clone();
        let strict = config.clone().connection(Config::new().max_message_size(1000));
        let serving = tokio::spawn(async move {
            let mut socket = accept(theirs, &strict).await.map_err(|end| end.to_string())?;
            socket
                .send(vec![7; SIZE])
                .await
                .map_err(|error| error.to_string())?;
            assert_eq!(socket.next().await, None);
            Ok::<_, String>(socket.into_end().to_string())
        });
        let config = config.connection(Config::new().max_message_size(SIZE as u64));
        let request = ClientRequest::from_url("ws://localhost/")?;
        let (socket, _) = client(Slow::new(ours), request, &config).await?;
        let (mut reader, mut writer) = socket.split();
        let sending = tokio::spawn(async move {
            while writer.send(vec![7; 2000]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        match reader.next().await {
            Some(Event::Binary(message)) => assert_eq!(message.len(), SIZE),
            other => panic!("{other:?}"),
        }
        match reader.next().await {
            Some(Event::Close(close)) => assert_eq!(close.code, Some(CloseCode::TOO_BIG)),
            other => panic!("{other:?}"),
        }
        assert_eq!(reader.next().await, None);
        sending.await?;
        let end = serving.await??;
        assert!(end.contains("Config::max_message_size"), "{end}");
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

    // The head has the length of the body, so one that is too large is not read at all.
    for (limit, text) in [(9, "not here\n"), (8, "")] {
        let request = ClientRequest::from_url(&format!("ws://{address}/other"))?;
        let config = EndpointConfig::new().connection(Config::new().max_body_size(limit));
        match connect(request, &config).await {
            Err(OpenError::Rejected(response, body)) => {
                assert_eq!((response.status(), &body[..]), (403, text.as_bytes()));
            }
            other => panic!("{other:?}"),
        }
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
    serving.abort();
    Ok(())
}

/// One call and one type for both schemes. A certificate has to be issued under a trusted root (RFC 6455 section 4.1).
#[tokio::test]
async fn client_follows_a_url_of_either_scheme() -> Result {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".into()])?;
    let file = std::env::temp_dir().join(format!("embedding-tokio-{}.pem", std::process::id()));
    let missing = tls_config([&file]).expect_err("it does not exist").to_string();
    assert!(missing.contains(".pem: "), "{missing}");
    std::fs::write(&file, "")?;
    let empty = tls_config([&file]).expect_err("it is empty").to_string();
    assert!(empty.contains(".pem: "), "{empty}");
    std::fs::write(&file, cert.pem())?;
    let tls = tls_config([&file])?;
    std::fs::remove_file(file)?;

    let key = PrivateKeyDer::try_from(signing_key.serialize_der())?;
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.into()], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let serving = tokio::spawn(async move {
        let config = EndpointConfig::new();
        for _ in 0..2 {
            let (stream, _) = listener.accept().await?;
            let Ok(stream) = acceptor.accept(stream).await else {
                continue;
            };
            if let Ok(mut socket) = accept(stream, &config).await {
                while let Some(event) = socket.next().await {
                    if let Ok(message) = Message::try_from(event) {
                        _ = socket.send(message).await;
                    }
                }
            }
        }
        let (stream, _) = listener.accept().await?;
        if let Ok(mut socket) = accept(stream, &config).await {
            while socket.next().await.is_some() {}
        }
        std::io::Result::Ok(())
    });
    let config = EndpointConfig::new();
    let untrusted = connect(
        ClientRequest::from_url(&format!("wss://localhost:{port}/"))?,
        &config,
    )
    .await;
    assert!(matches!(untrusted, Err(OpenError::Io(error)) if error.to_string().contains("certificate")));
    let mut sockets: Vec<WebSocket<ClientStream>> = Vec::new();
    for scheme in ["wss", "ws"] {
        let request = ClientRequest::from_url(&format!("{scheme}://localhost:{port}/"))?;
        let (mut socket, _) = connect_with_tls(request, &config, &tls).await?;
        assert_eq!(socket.stream().is_tls(), scheme == "wss");
        assert_eq!(socket.stream().tcp().peer_addr()?.port(), port);
        if scheme == "wss" {
            let large = vec![7; 1_000_000]; // over what TLS buffers
            socket.send(&large[..]).await?;
            assert_eq!(socket.next().await, Some(Event::Binary(large.into())));
        }
        socket.close(CloseCode::NORMAL, "").await?;
        sockets.push(socket);
    }
    assert!(
        sockets
            .iter()
            .all(|socket| socket.end().is_some_and(End::is_clean))
    );
    Ok(serving.await??)
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
