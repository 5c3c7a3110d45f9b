//! The servers: each connection has a thread, or a task on tokio's single thread, or all share a loop of our own.
//!
//! This crate does all opening handshakes, so the peers do not need an HTTP implementation.

use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::task::Poll;
use std::thread;

use fastwebsockets::{FragmentCollector, OpCode, WebSocketError};
use futures_core::Stream;
use futures_sink::Sink;
use nexus_web::ws::{FrameReader, Message as NexusMessage, pair_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream as TokioStream;
use tokio_websockets::{Message, ServerBuilder};
use tungstenite::protocol::WebSocketConfig;
use websocket_proto::handshake::ServerHandshake;
use websocket_proto::{Config, Connection, Delivery, Event, TransportAdvice};
use websocket_proto_benches::wire::SOCKET_READ_SIZE;

use super::Result;
#[cfg(feature = "shiguredo")]
use super::shiguredo;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    Threads,
    Tokio,
    Loops,
}

impl Style {
    pub fn name(self) -> &'static str {
        match self {
            Self::Threads => "a thread for each connection",
            Self::Tokio => "tokio, one thread",
            Self::Loops => "a readiness or completion loop, one thread",
        }
    }

    /// The name of the option `--group`.
    pub fn group(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::Tokio => "tokio",
            Self::Loops => "loops",
        }
    }
}

pub struct Server {
    pub name: &'static str,
    /// The groups that it is compared in.
    pub styles: &'static [Style],
    run: Run,
}

enum Run {
    /// A server of `examples`, which prints its address.
    Loop(fn() -> Result),
    /// An accepted connection, from its opening handshake to its end.
    Blocking(fn(TcpStream, Connection) -> Result),
    Async(fn(TokioStream, Connection) -> Task),
}

/// The status of a server that the kernel refuses what it needs.
pub const REFUSED: i32 = 77;
const ADDRESS: &str = "127.0.0.1:0";

type Task = Pin<Box<dyn Future<Output = Result>>>;

/// Ours is the first of each style.
pub const ALL: &[Server] = &[
    Server {
        name: "ours",
        styles: &[Style::Threads],
        run: Run::Blocking(ours),
    },
    Server {
        name: "tungstenite",
        styles: &[Style::Threads],
        run: Run::Blocking(tungstenite),
    },
    Server {
        name: "nexus-web",
        styles: &[Style::Threads],
        run: Run::Blocking(nexus_web),
    },
    #[cfg(feature = "shiguredo")]
    Server {
        name: "shiguredo_websocket",
        styles: &[Style::Threads],
        run: Run::Blocking(shiguredo::serve),
    },
    Server {
        name: "ours-io-uring",
        styles: &[Style::Loops],
        run: Run::Loop(serve_io_uring),
    },
    Server {
        name: "ours-epoll",
        styles: &[Style::Loops],
        run: Run::Loop(serve_epoll),
    },
    Server {
        name: "ours-tokio",
        styles: &[Style::Tokio, Style::Loops],
        run: Run::Async(|stream, connection| Box::pin(ours_async(stream, connection))),
    },
    Server {
        name: "fastwebsockets",
        styles: &[Style::Tokio],
        run: Run::Async(|stream, _| Box::pin(fastwebsockets(stream))),
    },
    Server {
        name: "tokio-websockets",
        styles: &[Style::Tokio, Style::Loops],
        run: Run::Async(|stream, _| Box::pin(tokio_websockets(stream))),
    },
];

/// Prints the address and serves until standard input is closed, which happens when the parent process ends.
pub fn serve(name: &str) -> Result {
    let server = ALL.iter().find(|server| server.name == name);
    let server = server.ok_or("there is no server of that name")?;
    thread::spawn(|| {
        _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
    match server.run {
        Run::Loop(run) => run(),
        Run::Blocking(run) => serve_threads(listen()?, run),
        Run::Async(run) => serve_tokio(listen()?, run),
    }
}

fn listen() -> Result<TcpListener> {
    let listener = TcpListener::bind(ADDRESS)?;
    println!("{}", listener.local_addr()?);
    Ok(listener)
}

/// Exits with [`REFUSED`] if the kernel refuses io_uring.
fn serve_io_uring() -> Result {
    let config = embedding_io_uring_multishot::Config {
        on_end: |_| {},
        ..Default::default()
    };
    let mut server = match embedding_io_uring_multishot::Server::bind(ADDRESS.parse()?, config) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            eprintln!("{error}");
            std::process::exit(REFUSED)
        }
        server => server?,
    };
    println!("{}", server.address()?);
    loop {
        server.turn()?;
    }
}

fn serve_epoll() -> Result {
    let server = embedding_epoll::Server::bind(ADDRESS.parse()?, |_| {})?;
    println!("{}", server.address()?);
    Ok(server.run()?)
}

fn serve_threads(listener: TcpListener, run: fn(TcpStream, Connection) -> Result) -> Result {
    loop {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        thread::spawn(move || {
            // An error ends the connection, which the load notices.
            _ = open(&mut stream).and_then(|connection| run(stream, connection));
        });
    }
}

/// The opening handshake. No frames follow the request, because the load waits for the response.
fn open(stream: &mut TcpStream) -> Result<Connection> {
    let mut buffer = vec![0; SOCKET_READ_SIZE];
    let mut out = Vec::new();
    let mut handshake = ServerHandshake::new(&Config::new().delivery(Delivery::InPlace));
    loop {
        let size = stream.read(&mut buffer)?;
        if size == 0 {
            return Err("no request".into());
        }
        if let Some(request) = handshake.receive(&mut &mut buffer[..size], &mut out)? {
            let connection = request.upgrade(&mut out)?.accept(&mut out);
            stream.write_all(&out)?;
            return Ok(connection);
        }
    }
}

fn serve_tokio(listener: TcpListener, run: fn(TokioStream, Connection) -> Task) -> Result {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    listener.set_nonblocking(true)?;
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            // The opening handshake may block: no load runs before all connections are open.
            let mut stream = stream.into_std()?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(false)?;
            let connection = open(&mut stream)?;
            stream.set_nonblocking(true)?;
            tokio::task::spawn_local(run(TokioStream::from_std(stream)?, connection));
        }
    })
}

/// Has a buffer for each connection, in which messages split across reads are reassembled. Large messages are written from there.
fn ours(mut stream: TcpStream, mut connection: Connection) -> Result {
    let (mut buffer, mut out) = (Buffer::default(), Vec::new());
    while connection.transport_advice() == TransportAdvice::KeepOpen {
        let size = stream.read(buffer.room(&connection))?;
        if size == 0 {
            break;
        }
        let mut input = buffer.filled(size);
        while let Ok(Some(event)) = connection.receive(&mut input, &mut out) {
            let payload = answer(&event, &mut connection, &mut out)?;
            if !payload.is_empty() || out.len() > SOCKET_READ_SIZE {
                let sent = stream.write_vectored(&[IoSlice::new(&out), IoSlice::new(payload)])?;
                for rest in left(sent, &out, payload) {
                    stream.write_all(rest)?;
                }
                out.clear();
            }
        }
        let held = input.len();
        buffer.keep(held);
        stream.write_all(&out)?;
        out.clear();
    }
    Ok(())
}

async fn ours_async(mut stream: TokioStream, mut connection: Connection) -> Result {
    let (mut buffer, mut out) = (Buffer::default(), Vec::new());
    while connection.transport_advice() == TransportAdvice::KeepOpen {
        let size = stream.read(buffer.room(&connection)).await?;
        if size == 0 {
            break;
        }
        let mut input = buffer.filled(size);
        while let Ok(Some(event)) = connection.receive(&mut input, &mut out) {
            let payload = answer(&event, &mut connection, &mut out)?;
            if !payload.is_empty() || out.len() > SOCKET_READ_SIZE {
                let slices = [IoSlice::new(&out), IoSlice::new(payload)];
                let sent = stream.write_vectored(&slices).await?;
                for rest in left(sent, &out, payload) {
                    stream.write_all(rest).await?;
                }
                out.clear();
            }
        }
        let held = input.len();
        buffer.keep(held);
        stream.write_all(&out).await?;
        out.clear();
    }
    Ok(())
}

/// Echoes a message. For a large message, writes only the header to `out`, and returns the payload.
fn answer<'e>(event: &'e Event<'_>, connection: &mut Connection, out: &mut Vec<u8>) -> Result<&'e [u8]> {
    match event {
        Event::Text(text) if text.len() >= LARGE => {
            connection.send_text_header(text, out)?;
            return Ok(text.as_bytes());
        }
        Event::Binary(payload) if payload.len() >= LARGE => {
            connection.send_binary_header(payload, out)?;
            return Ok(payload);
        }
        Event::Text(text) => connection.send_text(text, out)?,
        Event::Binary(payload) => connection.send_binary(payload, out)?,
        _ => {}
    }
    Ok(&[])
}

/// The rest of both parts after a vectored write.
fn left<'s>(sent: usize, out: &'s [u8], payload: &'s [u8]) -> [&'s [u8]; 2] {
    let of_out = sent.min(out.len());
    [&out[of_out..], &payload[sent - of_out..]]
}

/// Held bytes, followed by the bytes of the next read.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    /// Returns space for a read, and for the rest of an incomplete message.
    fn room(&mut self, connection: &Connection) -> &mut [u8] {
        let wanted = SOCKET_READ_SIZE.max(connection.payload_remaining() as usize) + LARGE;
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
        &mut self.bytes[self.filled..]
    }

    fn filled(&mut self, size: usize) -> &mut [u8] {
        self.filled += size;
        &mut self.bytes[..self.filled]
    }

    fn keep(&mut self, held: usize) {
        self.bytes.copy_within(self.filled - held..self.filled, 0);
        self.filled = held;
    }
}

/// Smaller messages are copied into one buffer.
const LARGE: usize = 4096;

fn tungstenite(stream: TcpStream, _: Connection) -> Result {
    let config = WebSocketConfig::default().read_buffer_size(SOCKET_READ_SIZE);
    let role = tungstenite::protocol::Role::Server;
    let mut socket = tungstenite::WebSocket::from_raw_socket(stream, role, Some(config));
    loop {
        let message = socket.read()?;
        if message.is_text() || message.is_binary() {
            socket.send(message)?;
        }
    }
}

/// Small frames are copied into one buffer, and large payloads are written without a copy.
fn nexus_web(mut stream: TcpStream, _: Connection) -> Result {
    let builder = FrameReader::builder().buffer_capacity(SOCKET_READ_SIZE + 16);
    let (mut reader, mut writer) = pair_with(nexus_web::ws::Role::Server, builder);
    let mut out = Vec::new();
    while reader.read_from(&mut stream)? > 0 {
        while let Some(message) = reader.next()? {
            let (first, payload) = match message {
                NexusMessage::Text(text) => (0x81, text.as_bytes()),
                NexusMessage::Binary(payload) => (0x82, payload),
                _ => continue,
            };
            let (header, _) = writer.build_header(first, payload.len());
            out.extend_from_slice(header.as_bytes());
            if payload.len() < LARGE {
                out.extend_from_slice(payload);
                continue;
            }
            let sent = stream.write_vectored(&[IoSlice::new(&out), IoSlice::new(payload)])?;
            for rest in left(sent, &out, payload) {
                stream.write_all(rest)?;
            }
            out.clear();
        }
        if reader.should_compact() {
            reader.compact();
        }
        stream.write_all(&out)?;
        out.clear();
    }
    Ok(())
}

async fn fastwebsockets(stream: TokioStream) -> Result {
    let role = fastwebsockets::Role::Server;
    let mut socket = FragmentCollector::new(fastwebsockets::WebSocket::after_handshake(stream, role));
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            OpCode::Close => return Err(WebSocketError::ConnectionClosed.into()),
            _ => {}
        }
    }
}

/// Flushes buffered output when no more input is available.
async fn tokio_websockets(stream: TokioStream) -> Result {
    let mut socket = ServerBuilder::new().serve(stream);
    std::future::poll_fn(move |context| {
        loop {
            let mut socket = Pin::new(&mut socket);
            match socket.as_mut().poll_ready(context) {
                Poll::Ready(result) => result?,
                Poll::Pending => return Poll::Pending,
            }
            match socket.as_mut().poll_next(context) {
                Poll::Ready(Some(message)) => echo(socket, message?)?,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    return match socket.poll_flush(context) {
                        Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
                        _ => Poll::Pending,
                    };
                }
            }
        }
    })
    .await
}

fn echo(socket: Pin<&mut tokio_websockets::WebSocketStream<TokioStream>>, message: Message) -> Result {
    if message.is_text() || message.is_binary() {
        socket.start_send(message)?;
    }
    Ok(())
}
