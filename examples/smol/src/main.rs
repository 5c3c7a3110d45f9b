//! An echo server on smol: one task for each connection, which receives, writes, reads.
//!
//!     cargo run --release -p embedding-smol -- [ADDR]
//!
//! A client that does not read stops its own task, and is not read any more.

use std::env;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::ops::Range;
use std::time::Duration;

use smol::Timer;
use smol::future::or;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use websocket_proto::handshake::ServerHandshake;
use websocket_proto::{Config, Connection, Event, Transport};

/// For the opening handshake, in total.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// For a peer that does not read to take some of what is written.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// For the peer to read our last bytes and to close.
const LINGER_TIME: Duration = Duration::from_secs(2);
const BUFFER_SIZE: usize = 16 * 1024;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    smol::block_on(async {
        let listener = TcpListener::bind(address).await?;
        println!("listening on ws://{}", listener.local_addr()?);
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    eprintln!("accept: {error}");
                    Timer::after(Duration::from_millis(100)).await; // there may be no descriptor left
                    continue;
                }
            };
            let client = async move {
                match serve(stream).await {
                    Ok(end) => eprintln!("{peer}: {end}"),
                    Err(error) => eprintln!("{peer}: handshake: {error}"),
                }
            };
            smol::spawn(client).detach();
        }
    })
}

/// One connection, first byte to last. Says how it ended, or why it never opened.
async fn serve(mut stream: TcpStream) -> Result<String, Failure> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER_SIZE];
    let result = match within(HANDSHAKE_TIME, open(&mut stream, &mut buffer)).await {
        Ok((mut connection, frames)) => {
            let echoed = echo(&mut stream, &mut connection, &mut buffer, frames).await;
            let end = connection.receive_eof();
            Ok(echoed.map_or_else(|error| format!("{end} ({error})"), |()| end.to_string()))
        }
        Err(error) => Err(error),
    };
    linger(&mut stream, &mut buffer).await;
    result
}

/// The opening handshake. Yields the connection, and where in the buffer the bytes are that followed the request: frames.
async fn open(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<(Connection, Range<usize>), Failure> {
    let mut handshake = ServerHandshake::new(&Config::new());
    let mut out = Vec::new();
    loop {
        let size = stream.read(buffer).await?;
        if size == 0 {
            return Err(handshake.receive_eof().into());
        }
        let mut input = &mut buffer[..size];
        let opened = match handshake.receive(&mut input, &mut out) {
            Ok(None) => continue,
            Ok(Some(request)) => request.upgrade(&mut out).map(|upgrade| upgrade.accept(&mut out)),
            Err(error) => Err(error),
        };
        let frames = size - input.len()..size;
        write(stream, &mut out).await?; // the 101, or what tells the client of the error
        return Ok((opened?, frames));
    }
}

/// The open connection, until the transport is to be closed.
async fn echo(
    stream: &mut TcpStream,
    connection: &mut Connection,
    buffer: &mut [u8],
    frames: Range<usize>,
) -> Result<(), Failure> {
    let mut out = Vec::new();
    let mut input = &mut buffer[frames];
    loop {
        // An error ends this loop too: the Close that tells the peer is in `out`.
        while let Ok(Some(event)) = connection.receive(&mut input, &mut out) {
            match event {
                Event::Text(text) => connection.send_text(&text, &mut out)?,
                Event::Binary(payload) => connection.send_binary(&payload, &mut out)?,
                _ => {} // what a Ping or a Close is answered with is in `out`
            }
        }
        write(stream, &mut out).await?;
        if connection.transport() == Transport::Close {
            return Ok(());
        }
        let size = stream.read(buffer).await?;
        if size == 0 {
            return Ok(());
        }
        input = &mut buffer[..size];
    }
}

/// Writes all of `out` and empties it.
async fn write(stream: &mut TcpStream, out: &mut Vec<u8>) -> Result<(), Failure> {
    let mut rest = &out[..];
    while !rest.is_empty() {
        let size = within(WRITE_TIME, stream.write(rest)).await?;
        rest = &rest[size..];
    }
    out.clear();
    out.shrink_to(BUFFER_SIZE); // what a large message took is given back
    Ok(())
}

/// Ends our direction, then waits for the end of the peer's. A socket that is closed with bytes unread is reset, and the reset may
/// overtake what was written last.
async fn linger(stream: &mut TcpStream, buffer: &mut [u8]) {
    let end = async {
        stream.shutdown(Shutdown::Write)?;
        while stream.read(buffer).await? > 0 {}
        io::Result::Ok(())
    };
    _ = within(LINGER_TIME, end).await;
}

async fn within<T, E: Into<Failure>>(
    time: Duration,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    let late = async {
        Timer::after(time).await;
        Err(io::Error::from(ErrorKind::TimedOut).into())
    };
    or(async { future.await.map_err(Into::into) }, late).await
}
