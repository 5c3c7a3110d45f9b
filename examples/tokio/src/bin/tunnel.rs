//! A TCP tunnel through WebSocket, in constant memory. It has two ends:
//!
//!     cargo run --release -p embedding-tokio --bin embedding-tunnel -- --to HOST:PORT [ADDR]
//!     cargo run --release -p embedding-tokio --bin embedding-tunnel -- --through URL [ADDR]
//!
//! The first accepts WebSockets and connects each to a TCP service; the second accepts TCP and connects each to the
//! first.
//!
//! Each direction is one message in fragments, ended by a Close. So a FIN on one side becomes a FIN on the other while
//! the opposite direction continues, as RFC 6455 section 5.5.1 lets an endpoint finish its message before it replies to
//! a Close. With a peer that is not the other end of such a tunnel, such as a browser, use messages that end:
//! `Fin::Last` for each read.

use std::error::Error;
use std::time::Duration;

use embedding_tokio::{
    ClientRequest, CloseCode, Config, Delivery, EndpointConfig, Event, Fin, Incoming, KeepaliveConfig,
    Message, MessageKind, Payload, Reader, WebSocket, Writer, connect,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// How much is read at a time, and how much may be buffered.
const BUFFER_SIZE: usize = 64 * 1024;
/// How long one direction may outlast the other.
const HALF_CLOSED_TIME: Duration = Duration::from_secs(60 * 60);

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let (option, to, address) = match &args[..] {
        [option, to] => (option.clone(), to.clone(), "127.0.0.1:9001"),
        [option, to, address] => (option.clone(), to.clone(), &address[..]),
        _ => return Err("usage: embedding-tunnel (--to HOST:PORT | --through URL) [ADDR]".into()),
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

fn config() -> EndpointConfig {
    let connection = Config::new()
        .delivery(Delivery::Chunks)
        .max_message_size(u64::MAX)
        .auto_close(false);
    // A TCP service may pause for as long as it likes. Meanwhile the other end's socket is not read either, so it accepts no
    // writes and answers no Pings. Pings are still sent, so that proxies do not close the connection.
    let keepalive = KeepaliveConfig::new()
        .close_timeout(HALF_CLOSED_TIME)
        .ping_timeout(Duration::MAX);
    EndpointConfig::new()
        .connection(connection)
        .keepalive(keepalive)
        .write_timeout(Duration::MAX)
        .max_buffered(BUFFER_SIZE)
}

/// The end next to the service.
async fn serve(stream: TcpStream, service: &str) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let incoming = Incoming::read(stream, &config())
        .await
        .map_err(|end| end.to_string())?;
    match TcpStream::connect(service).await {
        Ok(tcp) => {
            let socket = incoming.accept().await.map_err(|end| end.to_string())?;
            relay(tcp, socket).await
        }
        Err(error) => {
            incoming.reject(502, &[], b"no service\n").await;
            Err(error.into())
        }
    }
}

/// The end next to the program that uses the service.
async fn dial(tcp: TcpStream, url: &str) -> Result<(), Failure> {
    match connect(ClientRequest::from_url(url)?, &config()).await {
        Ok((socket, _)) => relay(tcp, socket).await,
        Err(error) => {
            tcp.set_zero_linger()?;
            Err(error.into())
        }
    }
}

/// Relays until both directions have ended. After an error, resets the TCP connection.
async fn relay<S: AsyncRead + AsyncWrite + Unpin>(
    tcp: TcpStream,
    socket: WebSocket<S>,
) -> Result<(), Failure> {
    tcp.set_nodelay(true)?;
    let (input, mut output) = tcp.into_split();
    let (reader, writer) = socket.split();
    let result = tokio::select! {
        result = from_socket(reader, &mut output) => result,
        Err(error) = to_socket(input, writer) => Err(error), // if it succeeds, the other continues
    };
    if result.is_err() {
        output.as_ref().set_zero_linger()?;
        output.forget(); // dropping it would send a FIN first
    }
    result
}

async fn to_socket<S>(mut input: OwnedReadHalf, mut writer: Writer<S>) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = vec![0; BUFFER_SIZE];
    // The message begins before the peer may close, as none may begin after that.
    let begin = Message::Fragment(MessageKind::Binary, Payload::default(), Fin::More);
    writer.send(begin).await?;
    loop {
        let size = input.read(&mut buffer).await?;
        let fin = if size == 0 { Fin::Last } else { Fin::More };
        let bytes = buffer[..size].into();
        writer
            .send(Message::Fragment(MessageKind::Binary, bytes, fin))
            .await?;
        if size == 0 {
            return Ok(writer.close(CloseCode::NORMAL, "").await?);
        }
    }
}

async fn from_socket<S>(mut reader: Reader<S>, output: &mut OwnedWriteHalf) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(event) = reader.next().await {
        match event {
            Event::BinaryChunk(bytes, _) => output.write_all(&bytes).await?,
            Event::Close(close) if close.code == Some(CloseCode::NORMAL) => output.shutdown().await?,
            _ => {}
        }
    }
    match reader.with_end(|end| (end.is_clean(), end.to_string())) {
        Some((false, end)) => Err(end.into()),
        _ => Ok(()),
    }
}
