//! The server, where there is io_uring.

use std::error::Error;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::ops::Range;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, mem};

use tokio::time::{sleep, timeout};
use tokio_uring::buf::BoundedBuf;
use tokio_uring::net::{TcpListener, TcpStream};
use websocket_proto::handshake::ServerHandshake;
use websocket_proto::{Config, Connection, Event, Transport};

/// For the opening handshake, in total.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// For a peer that does not read to take some of what is written.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// For the peer to read our last bytes and to close.
const LINGER_TIME: Duration = Duration::from_secs(2);
const BUFFER_SIZE: usize = 16 * 1024;

type Failure = Box<dyn Error>;

pub fn main() -> ExitCode {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let runtime = match tokio_uring::Runtime::new(&tokio_uring::builder()) {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no io_uring here: {error}");
            return 77.into();
        }
    };
    let listened = address
        .parse()
        .map_err(Failure::from)
        .and_then(|address| runtime.block_on(listen(address)));
    match listened {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{address}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn listen(address: SocketAddr) -> Result<(), Failure> {
    let listener = TcpListener::bind(address)?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                sleep(Duration::from_millis(100)).await; // there may be no descriptor left
                continue;
            }
        };
        tokio_uring::spawn(async move {
            match serve(Link::new(stream)).await {
                Ok(end) => eprintln!("{peer}: {end}"),
                Err(error) => eprintln!("{peer}: handshake: {error}"),
            }
        });
    }
}

/// One connection, first byte to last. Says how it ended, or why it never opened.
async fn serve(mut link: Link) -> Result<String, Failure> {
    link.stream.set_nodelay(true)?;
    let opened = timeout(HANDSHAKE_TIME, open(&mut link)).await;
    let result = match opened.unwrap_or_else(|late| Err(late.into())) {
        Ok((mut connection, frames)) => {
            let echoed = echo(&mut link, &mut connection, frames).await;
            let end = connection.receive_eof();
            Ok(echoed.map_or_else(|error| format!("{end} ({error})"), |()| end.to_string()))
        }
        Err(error) => Err(error),
    };
    link.linger().await;
    result
}

/// The opening handshake. Yields the connection, and where in the buffer the bytes are that followed the request: frames.
async fn open(link: &mut Link) -> Result<(Connection, Range<usize>), Failure> {
    let mut handshake = ServerHandshake::new(&Config::new());
    loop {
        let size = link.read().await?;
        if size == 0 {
            return Err(handshake.receive_eof().into());
        }
        let Link { buffer, out, .. } = link;
        let mut input = &mut buffer[..size];
        let opened = match handshake.receive(&mut input, out) {
            Ok(None) => continue,
            Ok(Some(request)) => request.upgrade(out).map(|upgrade| upgrade.accept(out)),
            Err(error) => Err(error),
        };
        let frames = size - input.len()..size;
        link.write().await?; // the 101, or what tells the client of the error
        return Ok((opened?, frames));
    }
}

/// The open connection, until the transport is to be closed.
async fn echo(link: &mut Link, connection: &mut Connection, mut frames: Range<usize>) -> Result<(), Failure> {
    loop {
        let Link { buffer, out, .. } = link;
        let mut input = &mut buffer[frames];
        // An error ends this loop too: the Close that tells the peer is in `out`.
        while let Ok(Some(event)) = connection.receive(&mut input, out) {
            match event {
                Event::Text(text) => connection.send_text(&text, out)?,
                Event::Binary(payload) => connection.send_binary(&payload, out)?,
                _ => {} // what a Ping or a Close is answered with is in `out`
            }
        }
        link.write().await?;
        if connection.transport() == Transport::Close {
            return Ok(());
        }
        frames = 0..link.read().await?;
        if frames.is_empty() {
            return Ok(());
        }
    }
}

/// A stream and its buffers, which the kernel has while it works on them.
///
/// A read that is given up for being late keeps the buffer and the socket until it ends; to shut the socket down ends it.
struct Link {
    stream: TcpStream,
    buffer: Vec<u8>,
    out: Vec<u8>,
}

impl Link {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: vec![0; BUFFER_SIZE],
            out: Vec::new(),
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        let (size, buffer) = self.stream.read(mem::take(&mut self.buffer)).await;
        self.buffer = buffer;
        size
    }

    /// Writes all of `out` and empties it.
    async fn write(&mut self) -> Result<(), Failure> {
        let mut written = 0;
        while written < self.out.len() {
            let rest = mem::take(&mut self.out).slice(written..);
            let (size, rest) = timeout(WRITE_TIME, self.stream.write(rest).submit()).await?;
            self.out = rest.into_inner();
            written += size?;
        }
        self.out.clear();
        self.out.shrink_to(BUFFER_SIZE); // what a large message took is given back
        Ok(())
    }

    /// Ends our direction, then waits for the end of the peer's. A socket that is closed with bytes unread is reset, and the reset
    /// may overtake what was written last.
    async fn linger(&mut self) {
        if self.stream.shutdown(Shutdown::Write).is_ok() {
            let end = async { while self.read().await.is_ok_and(|size| size > 0) {} };
            _ = timeout(LINGER_TIME, end).await;
        }
        _ = self.stream.shutdown(Shutdown::Both);
    }
}
