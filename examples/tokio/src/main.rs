//! A room on tokio: what one client says goes to all, itself included. One task reads, another writes.
//!
//!     cargo run --release -p embedding-tokio -- [ADDR]
//!
//! The reader owns the receiving half of the connection, the writer the sending half, and they share nothing. What a client has
//! to be answered, and its own words, go from its reader to its writer by a channel; what others say comes to all writers by a
//! broadcast channel, encoded once.
//!
//! Both can be dropped at any await and called again, and nothing is lost: `Reader` and `Writer` hold what has come and what has
//! to go, and there is no await between taking something and keeping it.
//!
//! A client is read as fast as it takes what it is sent, so it cannot flood itself, and it holds up nobody: who is too far behind
//! the others, or takes nothing for too long, is dropped.

use std::env;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{sleep, timeout};
use websocket_proto::handshake::ServerHandshake;
use websocket_proto::{
    CloseCode, Config, Connection, Event, Prepared, ReceiveHalf, Reply, SendHalf, Transport,
};

#[cfg(test)]
mod tests;

/// For the opening handshake and for the closing one, each in total.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// For a peer that does not read to take some of what is written.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// For the peer to read our last bytes and to close.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How many messages a client may be behind the others.
const BACKLOG: usize = 64;
/// How many orders may wait for the writer.
const MAX_ORDERS: usize = 4;
const BUFFER_SIZE: usize = 16 * 1024;

type Failure = Box<dyn Error + Send + Sync>;

/// What someone said, for all the others.
#[derive(Clone)]
struct Said {
    by: SocketAddr,
    message: Arc<Prepared>,
}

/// What a reader has for its writer.
enum Order {
    Reply(Reply),
    Send(Arc<Prepared>),
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    let room = broadcast::Sender::new(BACKLOG);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                sleep(Duration::from_millis(100)).await; // there may be no descriptor left
                continue;
            }
        };
        let room = room.clone();
        tokio::spawn(async move {
            match serve(stream, peer, room).await {
                Ok(end) => eprintln!("{peer}: {end}"),
                Err(error) => eprintln!("{peer}: handshake: {error}"),
            }
        });
    }
}

/// One client, first byte to last. Says how it ended, or why it never opened.
async fn serve(
    mut stream: TcpStream,
    peer: SocketAddr,
    room: broadcast::Sender<Said>,
) -> Result<String, Failure> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER_SIZE];
    let opened = timeout(HANDSHAKE_TIME, open(&mut stream, &mut buffer)).await?;
    let (mut input, output) = stream.into_split();
    let (connection, unread) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            drop(output); // ends our direction
            drain(&mut input, &mut buffer).await;
            return Err(error);
        }
    };
    let (receiver, sender) = connection.split();
    let (orders, inbox) = mpsc::channel(MAX_ORDERS);
    let mut writer = Writer {
        stream: output,
        peer,
        sender,
        out: Vec::new(),
        written: 0,
        orders: inbox,
        room: room.subscribe(),
    };
    let writing = tokio::spawn(async move { (writer.run().await, writer.sender) });

    let mut reader = Reader {
        stream: input,
        receiver,
        buffer,
        unread,
        orders,
    };
    while let Some(event) = reader.next().await {
        let message = Arc::new(match event {
            Event::Text(text) => Prepared::text(&text),
            Event::Binary(payload) => Prepared::binary(&payload),
            _ => continue, // what it is answered with is ordered
        });
        _ = room.send(Said {
            by: peer,
            message: message.clone(),
        });
        _ = reader.orders.send(Order::Send(message)).await;
    }

    drop(reader.orders); // the writer ends when it has done the last one
    let (written, sender) = writing.await?;
    drain(&mut reader.stream, &mut reader.buffer).await;
    let end = Connection::join(reader.receiver, sender).receive_eof();
    Ok(match written {
        Ok(()) => end.to_string(),
        Err(error) => format!("{end} ({error})"),
    })
}

/// The opening handshake. Yields the connection, and where in the buffer the bytes are that followed the request: frames.
async fn open(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    buffer: &mut [u8],
) -> Result<(Connection, Range<usize>), Failure> {
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
        let unread = size - input.len()..size;
        stream.write_all(&out).await?; // the 101, or what tells the client of the error
        return Ok((opened?, unread));
    }
}

/// What a client sends.
struct Reader<S> {
    stream: S,
    receiver: ReceiveHalf,
    buffer: Vec<u8>,
    /// What of the buffer was read from the stream and not looked at yet.
    unread: Range<usize>,
    orders: mpsc::Sender<Order>,
}

impl<S: AsyncRead + Unpin> Reader<S> {
    /// The next event; `None` after the last one, whichever way it came to that. Cancel safe.
    async fn next(&mut self) -> Option<Event<'static>> {
        while self.receiver.is_open() {
            // Room for a reply comes first, so that there is nothing to wait for when there is one.
            let room = self.orders.reserve().await.ok()?;
            let mut input = &mut self.buffer[self.unread.clone()];
            let (event, reply) = self.receiver.receive(&mut input);
            self.unread.start = self.unread.end - input.len();
            if !reply.is_none() {
                room.send(Order::Reply(reply));
                return event.ok().flatten().map(Event::into_owned);
            }
            if let Ok(Some(event)) = event {
                return Some(event.into_owned());
            }
            let size = select! {
                size = self.stream.read(&mut self.buffer) => size.unwrap_or(0),
                () = self.orders.closed() => 0, // the writer gave up
            };
            self.unread = 0..size;
            if size == 0 {
                room.send(Order::Reply(self.receiver.receive_eof()));
            }
        }
        None
    }
}

/// What a client is sent.
struct Writer<S> {
    stream: S,
    peer: SocketAddr,
    sender: SendHalf,
    out: Vec<u8>,
    /// How much of `out` the stream has taken.
    written: usize,
    orders: mpsc::Receiver<Order>,
    room: broadcast::Receiver<Said>,
}

impl<S: AsyncWrite + Unpin> Writer<S> {
    /// Writes until the transport is to be closed. Cancel safe.
    async fn run(&mut self) -> Result<(), Failure> {
        self.flush().await?;
        while self.sender.transport() == Transport::Open {
            select! {
                order = self.orders.recv() => match order {
                    Some(Order::Reply(reply)) => self.sender.reply(reply, &mut self.out),
                    Some(Order::Send(message)) => self.sender.send_prepared(&message, &mut self.out)?,
                    None => return Ok(()), // the reader is gone
                },
                said = self.room.recv() => match said {
                    Ok(said) if said.by == self.peer => {}
                    Ok(said) => self.sender.send_prepared(&said.message, &mut self.out)?,
                    Err(_) => self.sender.close(CloseCode::TRY_AGAIN_LATER, "too slow", &mut self.out)?,
                },
            }
            self.flush().await?;
        }
        Ok(timeout(HANDSHAKE_TIME, self.close()).await?)
    }

    /// After our Close: waits for the peer's.
    async fn close(&mut self) {
        while self.sender.transport() == Transport::AwaitPeer {
            match self.orders.recv().await {
                Some(Order::Reply(reply)) => self.sender.reply(reply, &mut self.out),
                Some(Order::Send(_)) => {}
                None => break,
            }
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            let rest = &self.out[self.written..];
            match timeout(WRITE_TIME, self.stream.write(rest)).await?? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                size => self.written += size,
            }
        }
        self.stream.flush().await?;
        self.out.clear();
        self.out.shrink_to(BUFFER_SIZE); // what a large message took is given back
        self.written = 0;
        Ok(())
    }
}

/// Waits for the end of the peer's direction. A socket that is closed with bytes unread is reset, and the reset may overtake what
/// was written last.
async fn drain(stream: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) {
    let end = async { while stream.read(buffer).await.is_ok_and(|size| size > 0) {} };
    _ = timeout(LINGER_TIME, end).await;
}
