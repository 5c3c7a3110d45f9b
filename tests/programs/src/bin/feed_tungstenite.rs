//! Prints the texts of a feed, and reconnects whenever the connection ends: `examples/tokio/src/bin/feed.rs` with
//! tokio-tungstenite.
//!
//!     FEED_TOKEN=... feed_tungstenite URL [CA_FILE]
//!
//! Duties of both: `wss:` and `ws:`, with further root certificates; a subprotocol, and a token in Authorization; texts of
//! up to 4 MiB; a deadline for the whole of connecting; Pings, and the end of a connection to a server that does not reply;
//! randomized exponential backoff, reset by the first text; no further attempt after a status 4xx, except 408, 425 and
//! 429; the reply to a Close is written; a log of how each connection ended.
//!
//! Left out, as the library does not have it: compression.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::http::{StatusCode, Uri};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Bytes, ClientRequestBuilder, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

const PING_INTERVAL: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: feed_tungstenite URL [CA_FILE]")?;
    let url: Uri = url.parse()?;
    let token = std::env::var("FEED_TOKEN").unwrap_or_default();
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(file) = args.next() {
        for certificate in CertificateDer::pem_file_iter(file)? {
            roots.add(certificate?)?;
        }
    }
    let tls = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = Connector::Rustls(Arc::new(tls));
    let config = WebSocketConfig::default().max_message_size(Some(4 << 20));
    let backoff = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(60))
        .with_jitter()
        .without_max_times();
    let mut delays = backoff.build();
    loop {
        let request = ClientRequestBuilder::new(url.clone())
            .with_sub_protocol("feed.v1")
            .with_header("Authorization", format!("Bearer {token}"));
        let connecting = connect_async_tls_with_config(request, Some(config), true, Some(connector.clone()));
        match timeout(TIMEOUT, connecting).await {
            Ok(Ok((socket, _response))) => match print(socket, || delays = backoff.build()).await {
                Ok(close) => eprintln!("closed by the server: {close:?}"),
                Err(error) => eprintln!("{error}"),
            },
            Ok(Err(tungstenite::Error::Http(response))) if is_final(response.status()) => {
                return Err(format!("rejected with status {}", response.status()).into());
            }
            Ok(Err(error)) => eprintln!("{error}"),
            Err(_) => eprintln!("the server did not accept in time"),
        }
        sleep(delays.next().unwrap_or(TIMEOUT)).await;
    }
}

/// Another attempt does not help after a 4xx, except a timeout (408), a request too early (425) and too many of them (429).
fn is_final(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status.as_u16(), 408 | 425 | 429)
}

async fn print(
    mut socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    mut works: impl FnMut(),
) -> Result<Option<CloseFrame>, Box<dyn Error>> {
    let (mut ping, mut heard) = (interval(PING_INTERVAL), Instant::now());
    loop {
        tokio::select! {
            message = socket.next() => {
                heard = Instant::now();
                match message.ok_or("the connection ended")?? {
                    Message::Text(text) => {
                        println!("{text}");
                        works();
                    }
                    Message::Close(close) => {
                        _ = timeout(TIMEOUT, socket.next()).await; // writes the reply, and waits for the server
                        return Ok(close);
                    }
                    _ => {}
                }
            }
            _ = ping.tick() => {
                if heard.elapsed() > PING_INTERVAL * 3 / 2 {
                    return Err("the server does not reply".into());
                }
                socket.send(Message::Ping(Bytes::new())).await?;
            }
        }
    }
}
