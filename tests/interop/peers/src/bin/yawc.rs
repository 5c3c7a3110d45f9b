//! The crate `yawc`, on `hyper`, with a runtime for each connection. Runs only the compression cells.

use std::cell::Cell;
use std::net::TcpStream;

use futures_util::SinkExt;
use hyper::body::{Bytes, Incoming as Body};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use interop_peers::{
    Client, Incoming, MAX_MESSAGE, Message, Opened, Result, Server, Socket, TIME, compression,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use yawc::close::CloseCode;
use yawc::{DeflateOptions, Frame, HttpStream, OpCode, Options, UpgradeFut, WebSocket, WebSocketError};

struct Yawc;

fn main() -> Result<()> {
    interop_peers::main(&Yawc)
}

/// The compression settings, by their names in the matrix.
fn options(setting: &str) -> Options {
    let windows = |bits| DeflateOptions {
        client_max_window_bits: Some(bits),
        server_max_window_bits: Some(bits),
        ..DeflateOptions::default()
    };
    let compression = match setting {
        "no-takeover" => DeflateOptions {
            client_no_context_takeover: true,
            server_no_context_takeover: true,
            ..DeflateOptions::default()
        },
        "15-bits" | "every" => windows(15),
        "10-bits" => windows(10),
        "9-bits" => windows(9),
        _ => DeflateOptions::default(),
    };
    Options {
        compression: Some(DeflateOptions {
            // With its default, 0, it hangs on an empty message, as the cell of the group "every" shows.
            compression_threshold: usize::from(setting != "every"),
            ..compression
        }),
        ..Options::default()
    }
    .with_limits(MAX_MESSAGE, MAX_MESSAGE)
    .with_max_fragment_size(20_000)
    .with_utf8()
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

fn convert(stream: TcpStream) -> Result<tokio::net::TcpStream> {
    stream.set_nonblocking(true)?;
    Ok(tokio::net::TcpStream::from_std(stream)?)
}

struct Open<S> {
    socket: WebSocket<S>,
    runtime: Runtime,
}

/// A client's connection on its own stream, or a server's on a stream of `hyper`.
enum Either {
    Client(Open<tokio::net::TcpStream>),
    Server(Open<HttpStream>),
}

macro_rules! either {
    ($self:ident, $socket:ident => $future:expr) => {
        match $self {
            Either::Client(Open {
                socket: $socket,
                runtime,
            }) => runtime.block_on(async { timeout(TIME, $future).await })?,
            Either::Server(Open {
                socket: $socket,
                runtime,
            }) => runtime.block_on(async { timeout(TIME, $future).await })?,
        }
    };
}

impl Either {
    fn write(&mut self, frame: Frame) -> Result<()> {
        Ok(either!(self, socket => socket.send(frame))?)
    }
}

impl Socket for Either {
    fn receive(&mut self) -> Result<Incoming> {
        loop {
            let frame = match either!(self, socket => socket.next_frame()) {
                Ok(frame) => frame,
                Err(WebSocketError::ConnectionClosed) => return Ok(Incoming::End { clean: true }),
                Err(error) => return Err(error.into()),
            };
            let payload = frame.payload().to_vec();
            return Ok(match frame.opcode() {
                OpCode::Text => Incoming::Message(Message::Text(String::from_utf8(payload)?)),
                OpCode::Binary => Incoming::Message(Message::Binary(payload)),
                OpCode::Pong => Incoming::Pong(payload),
                OpCode::Close => Incoming::Close {
                    code: frame.close_code().map_or(1005, u16::from),
                    reason: String::from_utf8(payload.get(2..).unwrap_or_default().to_vec())?,
                },
                OpCode::Ping | OpCode::Continuation => continue,
            });
        }
    }

    fn send(&mut self, message: Message) -> Result<()> {
        self.write(match message {
            Message::Text(text) => Frame::text(text),
            Message::Binary(payload) => Frame::binary(payload),
        })
    }

    /// yawc splits large messages itself.
    fn send_fragments(&mut self, parts: &[&[u8]]) -> Result<()> {
        self.write(Frame::text(parts.concat()))
    }

    fn ping(&mut self, payload: &[u8]) -> Result<()> {
        self.write(Frame::ping(payload.to_vec()))
    }

    fn close(&mut self, code: u16, reason: &str) -> Result<()> {
        self.write(Frame::close(CloseCode::from(code), reason))
    }
}

impl Client for Yawc {
    type Socket = Either;
    const ANSWERS_EVERY_PING: bool = true;

    fn open(&self, _: TcpStream, _: &str, _: &[&str]) -> Result<Opened<Either>> {
        Err("only for the compression cells".into())
    }

    fn open_compressing(&self, stream: TcpStream, url: &str, setting: &str) -> Result<Either> {
        let runtime = runtime()?;
        let socket = runtime.block_on(async {
            let stream = convert(stream)?;
            Ok::<_, Box<dyn std::error::Error>>(
                WebSocket::handshake(url.parse()?, stream, options(setting)).await?,
            )
        })?;
        Ok(Either::Client(Open { socket, runtime }))
    }
}

impl Server for Yawc {
    type Socket = Either;

    fn accept(&self, stream: TcpStream) -> Result<Option<(String, Either)>> {
        let upgraded = Cell::new(None);
        let answer = |mut request: Request<Body>| {
            let response = answer(&mut request, &upgraded);
            async move { response }
        };
        let runtime = runtime()?;
        let opened = runtime.block_on(async {
            let stream = TokioIo::new(convert(stream)?);
            http1::Builder::new()
                .serve_connection(stream, service_fn(answer))
                .with_upgrades()
                .await?;
            Ok::<_, Box<dyn std::error::Error>>(match upgraded.take() {
                Some((target, upgrade)) => Some((target, upgrade.await?)),
                None => None,
            })
        })?;
        Ok(opened.map(|(target, socket)| (target, Either::Server(Open { socket, runtime }))))
    }
}

fn answer(
    request: &mut Request<Body>,
    upgraded: &Cell<Option<(String, UpgradeFut)>>,
) -> std::result::Result<Response<http_body_util::Empty<Bytes>>, WebSocketError> {
    let target = request.uri().to_string();
    let options = options(compression(&target).unwrap_or_default());
    let (response, socket) = WebSocket::upgrade_with_options(request, options)?;
    upgraded.set(Some((target, socket)));
    Ok(response)
}
