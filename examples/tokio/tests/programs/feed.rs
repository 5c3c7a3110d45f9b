use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use embedding_tokio::{CloseCode, Config, EndpointConfig, Incoming, WebSocket};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::support::{FEED, LONG_PATIENCE, PATIENCE, Result, command};

/// A feed reconnects after longer and longer delays, and after short ones once a connection has worked.
#[tokio::test]
async fn reconnects_with_backoff() -> Result {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (mut feed, tls) = start_feed(&listener)?;
    let mut lines = BufReader::new(feed.stdout.take().ok_or("no output")?).lines();
    let mut delays = Vec::new();
    let mut ended = Instant::now();
    for good in [true, false, false, true, true] {
        let (stream, _) = timeout(PATIENCE, listener.accept()).await??;
        delays.push(ended.elapsed());
        if !good {
            ended = Instant::now();
            continue; // during the TLS handshake
        }
        let mut socket = accept_feed(tls.accept(stream).await?).await?;
        socket.send("a line").await?;
        socket.flush().await?;
        let line = timeout(PATIENCE, lines.next_line()).await??;
        assert_eq!(line.as_deref(), Some("a line"));
        ended = Instant::now();
        match delays.len() {
            1 => drop(socket), // like a server that crashes
            _ => _ = socket.close(CloseCode::SERVICE_RESTART, "").await?,
        }
    }
    // Each is a random part, at least half, of the full delay: 0.5 s, 1 s, 2 s, and 0.5 s again after a line was
    // received.
    let [_, first, second, third, again] = delays[..] else {
        panic!("{delays:?}");
    };
    let at_least = |delay: Duration, millis| delay >= Duration::from_millis(millis);
    assert!(
        at_least(first, 240) && at_least(second, 490) && at_least(third, 990),
        "{delays:?}"
    );
    assert!(at_least(again, 240) && again < third, "{delays:?}");
    Ok(())
}

/// The server sees what was asked for, and texts of 100 bytes to 3 MB are printed.
#[tokio::test]
async fn sends_its_token_and_prints_large_texts() -> Result {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (mut feed, tls) = start_feed(&listener)?;
    let mut lines = BufReader::new(feed.stdout.take().ok_or("no output")?).lines();
    let (stream, _) = timeout(PATIENCE, listener.accept()).await??;
    let incoming = Incoming::read(tls.accept(stream).await?, &feed_config()).await?;
    let request = incoming.request();
    assert_eq!(request.field("Authorization"), Some(&b"Bearer secret"[..]));
    assert_eq!(request.field("Sec-WebSocket-Protocol"), Some(&b"feed.v1"[..]));
    let mut socket = incoming
        .accept_with(|upgrade| Ok(upgrade.select_subprotocol(&["feed.v1"])))
        .await?;
    for size in [100, 10_000, 3_000_000] {
        let text = "7".repeat(size);
        socket.send(&text[..]).await?;
        socket.flush().await?;
        let line = timeout(PATIENCE, lines.next_line()).await??;
        assert_eq!(line.map(|line| line.len()), Some(size));
    }
    let end = timeout(PATIENCE, socket.close(CloseCode::GOING_AWAY, "")).await??;
    assert!(end.is_clean(), "{end}"); // its reply is written
    Ok(())
}

/// RFC 7692, where the library has it.
#[cfg(feature = "deflate")]
#[tokio::test]
async fn compresses() -> Result {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (mut feed, tls) = start_feed(&listener)?;
    let mut lines = BufReader::new(feed.stdout.take().ok_or("no output")?).lines();
    let (stream, _) = timeout(PATIENCE, listener.accept()).await??;
    let mut socket = accept_feed(tls.accept(stream).await?).await?;
    assert!(socket.endpoint().sender().compresses());
    socket.send(&*"7".repeat(10_000)).await?;
    socket.flush().await?;
    let line = timeout(PATIENCE, lines.next_line()).await??;
    assert_eq!(line.map(|line| line.len()), Some(10_000));
    Ok(())
}

/// RFC 9110 section 15.5.9, RFC 8470 section 5.2, RFC 6585 section 4: another attempt may help after 408, 425 and 429. It
/// would get a 401 again.
#[tokio::test]
async fn ends_after_a_rejection_that_is_final() -> Result {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (mut feed, tls) = start_feed(&listener)?;
    for status in [408, 425, 429, 401] {
        let (stream, _) = timeout(PATIENCE, listener.accept()).await??;
        let incoming = Incoming::read(tls.accept(stream).await?, &feed_config()).await?;
        incoming.reject(status, &[], b"not now\n").await;
    }
    assert!(!timeout(PATIENCE, feed.wait()).await??.success());
    Ok(())
}

/// A server that accepts TCP and says nothing, and one that says nothing after TLS.
#[tokio::test]
async fn does_not_wait_for_a_silent_server() -> Result {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (_feed, tls) = start_feed(&listener)?;
    let (_silent, _) = timeout(PATIENCE, listener.accept()).await??;
    let (stream, _) = timeout(PATIENCE, listener.accept()).await??;
    let _silent = tls.accept(stream).await?;
    timeout(PATIENCE, listener.accept()).await??;
    Ok(())
}

#[tokio::test]
#[ignore = "takes 40 seconds"]
async fn leaves_a_dead_server() -> Result {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (_feed, tls) = start_feed(&listener)?;
    let (stream, _) = timeout(PATIENCE, listener.accept()).await??;
    let _dead = accept_feed(tls.accept(stream).await?).await?;
    timeout(LONG_PATIENCE, listener.accept()).await??;
    Ok(())
}

/// Starts the feed, which trusts the certificate of the acceptor that is returned too.
fn start_feed(listener: &TcpListener) -> Result<(Child, TlsAcceptor)> {
    static STARTED: AtomicU64 = AtomicU64::new(0);
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["localhost".into()])?;
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let file = format!("embedding-feed-{}-{number}.pem", std::process::id());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    std::fs::write(&file, cert.pem())?;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der())?;
    let tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.into()], key)?;
    let url = format!("wss://localhost:{}/", listener.local_addr()?.port());
    let feed = command(FEED)
        .arg(url)
        .arg(file)
        .env("FEED_TOKEN", "secret")
        .spawn()?;
    Ok((feed, TlsAcceptor::from(Arc::new(tls))))
}

/// The server of a feed, which compresses if the client does.
fn feed_config() -> EndpointConfig {
    let config = Config::new();
    #[cfg(feature = "deflate")]
    let config = config.deflate(embedding_tokio::DeflateConfig::new());
    EndpointConfig::new().connection(config)
}

async fn accept_feed<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Result<WebSocket<S>> {
    let incoming = Incoming::read(stream, &feed_config()).await?;
    let accepted = incoming.accept_with(|upgrade| Ok(upgrade.select_subprotocol(&["feed.v1"])));
    Ok(accepted.await?)
}
