//! A TCP tunnel through WebSocket, in constant memory: `examples/tokio/src/bin/tunnel.rs` with tokio-tungstenite.
//!
//!     tunnel_tungstenite (--to HOST:PORT | --through URL) [ADDR]
//!
//! Duties of both: the bytes of each direction arrive, and wait at the sender while the receiver pauses; memory does not
//! grow with them; a FIN on one side becomes a FIN on the other while the opposite direction continues; a reset becomes a
//! reset; 502 if there is no service; a deadline for the opening handshake; Pings, so that proxies do not close the
//! connection; the closing handshake at the end.
//!
//! A FIN is an empty message. It cannot be a Close, as ours is: tungstenite replies to a Close when it is read, and sends no
//! data after that. This end connects to the service before it reads the request, as the callback that accepts or rejects it
//! is not asynchronous.

use std::error::Error;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, timeout};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config, connect_async_with_config};

/// How much is read at a time.
const BUFFER_SIZE: usize = 64 * 1024;
const PING_INTERVAL: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_secs(10);

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let (option, to, address) = match &args[..] {
        [option, to] => (option.clone(), to.clone(), "127.0.0.1:9001"),
        [option, to, address] => (option.clone(), to.clone(), &address[..]),
        _ => return Err("usage: tunnel_tungstenite (--to HOST:PORT | --through URL) [ADDR]".into()),
    };
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await; // there may be no descriptor left
                continue;
            }
        };
        let (option, to) = (option.clone(), to.clone());
        tokio::spawn(async move {
            let result = match option.as_str() {
                "--to" => serve(stream, &to).await,
                _ => dial(stream, &to).await,
            };
            eprintln!(
                "{peer}: {}",
                result.map_or_else(|error| error.to_string(), |()| "done".into())
            );
        });
    }
}

fn config() -> Option<WebSocketConfig> {
    Some(WebSocketConfig::default().max_message_size(Some(BUFFER_SIZE)))
}

/// The end next to the service.
#[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
async fn serve(stream: TcpStream, service: &str) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let service = TcpStream::connect(service).await;
    let callback = |_: &Request, response: Response| match service {
        Ok(_) => Ok(response),
        Err(_) => {
            let mut response = ErrorResponse::new(Some("no service\n".into()));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            Err(response)
        }
    };
    let socket = timeout(TIMEOUT, accept_hdr_async_with_config(stream, callback, config())).await??;
    relay(service?, socket).await
}

/// The end next to the program that uses the service.
async fn dial(tcp: TcpStream, url: &str) -> Result<(), Failure> {
    let connecting = timeout(TIMEOUT, connect_async_with_config(url, config(), true));
    match async { Ok::<_, Failure>(connecting.await??) }.await {
        Ok((socket, _)) => relay(tcp, socket).await,
        Err(error) => {
            tcp.set_zero_linger()?;
            Err(error)
        }
    }
}

/// Relays until both directions have ended. After an error, resets the TCP connection.
async fn relay<S: AsyncRead + AsyncWrite + Unpin>(
    tcp: TcpStream,
    socket: WebSocketStream<S>,
) -> Result<(), Failure> {
    tcp.set_nodelay(true)?;
    let (input, mut output) = tcp.into_split();
    let (sink, stream) = socket.split();
    match tokio::try_join!(to_socket(input, sink), from_socket(stream, &mut output)) {
        Ok((mut sink, mut stream)) => {
            sink.close().await?;
            _ = timeout(TIMEOUT, async { while stream.next().await.is_some() {} }).await;
            Ok(())
        }
        Err(error) => {
            output.as_ref().set_zero_linger()?;
            output.forget(); // dropping it would send a FIN first
            Err(error)
        }
    }
}

async fn to_socket<S: AsyncRead + AsyncWrite + Unpin>(
    mut input: OwnedReadHalf,
    mut sink: SplitSink<WebSocketStream<S>, Message>,
) -> Result<SplitSink<WebSocketStream<S>, Message>, Failure> {
    let (mut buffer, mut ping) = (vec![0; BUFFER_SIZE], interval(PING_INTERVAL));
    loop {
        tokio::select! {
            size = input.read(&mut buffer) => {
                let bytes = Bytes::copy_from_slice(&buffer[..size?]);
                let is_end = bytes.is_empty();
                sink.send(Message::Binary(bytes)).await?;
                if is_end {
                    return Ok(sink);
                }
            }
            _ = ping.tick() => sink.send(Message::Ping(Bytes::new())).await?,
        }
    }
}

async fn from_socket<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: SplitStream<WebSocketStream<S>>,
    output: &mut OwnedWriteHalf,
) -> Result<SplitStream<WebSocketStream<S>>, Failure> {
    while let Some(message) = stream.next().await {
        match message? {
            Message::Binary(bytes) if bytes.is_empty() => {
                output.shutdown().await?;
                return Ok(stream);
            }
            Message::Binary(bytes) => output.write_all(&bytes).await?,
            _ => {}
        }
    }
    Err("closed before the end".into())
}
