//! What the tests share.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use embedding_tokio::{ClientRequest, ClientStream, EndpointConfig, Event, WebSocket, connect};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

pub type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A program of ours, and the one of `tests/programs` with the same duties.
pub type Program = (&'static str, &'static str);

pub const ECHO: Program = (env!("CARGO_BIN_EXE_embedding-tokio"), "echo_tungstenite");
pub const FEED: Program = (env!("CARGO_BIN_EXE_embedding-feed"), "feed_tungstenite");
pub const ROOM: Program = (env!("CARGO_BIN_EXE_embedding-room"), "room_axum");
pub const TUNNEL: Program = (env!("CARGO_BIN_EXE_embedding-tunnel"), "tunnel_tungstenite");
/// Longer than any deadline of the programs but that of a Ping.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than the time until a Ping that is not answered ends a connection.
pub const LONG_PATIENCE: Duration = Duration::from_secs(90);

pub fn peers() -> Option<PathBuf> {
    std::env::var_os("PEERS").map(PathBuf::from)
}

pub fn command((ours, peer): Program) -> Command {
    let mut command = Command::new(peers().map_or(ours.into(), |folder| folder.join(peer)));
    command.stdout(Stdio::piped()).kill_on_drop(true);
    command
}

/// Opens a connection, and waits until the server ends it, as no Ping is answered.
pub async fn ends_without_pongs(address: SocketAddr) -> Result {
    ends(upgraded(address).await?, LONG_PATIENCE).await
}

/// A client that does nothing by itself.
pub async fn upgraded(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        response.push(timeout(PATIENCE, stream.read_u8()).await??);
    }
    Ok(stream)
}

/// Waits for the end or a reset of a transport.
pub async fn ends(mut stream: TcpStream, patience: Duration) -> Result {
    _ = timeout(patience, tokio::io::copy(&mut stream, &mut tokio::io::sink())).await?;
    Ok(())
}

/// Starts a program, and waits until it listens.
pub async fn start(program: Program, args: &[&str]) -> Result<(Child, SocketAddr)> {
    let mut child = command(program).args(args).stderr(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
    timeout(PATIENCE, output.read_line(&mut line)).await??;
    let address = line
        .trim_end()
        .strip_prefix("listening on ws://")
        .ok_or("it does not listen")?;
    Ok((child, address.parse()?))
}

/// The next event that is not a Ping or a Pong.
pub async fn next<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocket<S>,
) -> Result<Option<Event<'static>>> {
    loop {
        match timeout(PATIENCE, socket.next()).await? {
            Some(Event::Ping(_) | Event::Pong(_)) => {}
            event => return Ok(event),
        }
    }
}

pub async fn enter(address: SocketAddr) -> Result<WebSocket<ClientStream>> {
    let request = ClientRequest::from_url(&format!("ws://{address}/"))?;
    Ok(connect(request, &EndpointConfig::new()).await?.0)
}

/// The most memory that a process has used, in KiB.
pub fn peak_memory(child: &Child) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id().ok_or("it has ended")?))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
