//! The crate `fastwebsockets`, on `hyper`, with a runtime for each connection.

use std::cell::Cell;
use std::future::Future;
use std::net::TcpStream;

use fastwebsockets::upgrade::upgrade;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, WebSocket, WebSocketError, handshake};
use http_body_util::{Empty, Full};
use hyper::body::{Bytes, Incoming as Body};
use hyper::header::{CONNECTION, HOST, HeaderValue, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use interop_peers::{
    Client, Incoming, MAX_MESSAGE, Message, Opened, REJECTION_BODY, Result, Server, Socket, TIME, rejection,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

const PROTOCOL: &str = "Sec-WebSocket-Protocol";

struct FastWebSockets;

fn main() -> Result<()> {
    interop_peers::main(&FastWebSockets)
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

fn convert(stream: TcpStream) -> Result<tokio::net::TcpStream> {
    stream.set_nonblocking(true)?;
    Ok(tokio::net::TcpStream::from_std(stream)?)
}

struct Open {
    socket: Option<FragmentCollector<TokioIo<Upgraded>>>,
    runtime: Runtime,
}

impl Open {
    fn new(mut socket: WebSocket<TokioIo<Upgraded>>, runtime: Runtime) -> Self {
        socket.set_max_message_size(MAX_MESSAGE);
        Self {
            socket: Some(FragmentCollector::new(socket)),
            runtime,
        }
    }

    fn write(&mut self, frame: Frame<'_>) -> Result<()> {
        let socket = self.socket.as_mut().ok_or("closed")?;
        Ok(self
            .runtime
            .block_on(async { timeout(TIME, socket.write_frame(frame)).await })??)
    }
}

impl Socket for Open {
    fn receive(&mut self) -> Result<Incoming> {
        loop {
            let Some(socket) = &mut self.socket else {
                return Ok(Incoming::End { clean: true });
            };
            let frame = self
                .runtime
                .block_on(async { timeout(TIME, socket.read_frame()).await })??;
            let payload = frame.payload.to_vec();
            return Ok(match frame.opcode {
                OpCode::Text => Incoming::Message(Message::Text(String::from_utf8(payload)?)),
                OpCode::Binary => Incoming::Message(Message::Binary(payload)),
                OpCode::Pong => Incoming::Pong(payload),
                OpCode::Close => {
                    self.socket = None; // the reply is sent; this ends the transport
                    let code = payload
                        .first_chunk()
                        .map_or(1005, |code| u16::from_be_bytes(*code));
                    let reason = payload.get(2..).unwrap_or_default();
                    Incoming::Close {
                        code,
                        reason: String::from_utf8(reason.to_vec())?,
                    }
                }
                OpCode::Ping | OpCode::Continuation => continue,
            });
        }
    }

    fn send(&mut self, message: Message) -> Result<()> {
        self.write(match message {
            Message::Text(text) => Frame::text(Payload::Owned(text.into_bytes())),
            Message::Binary(payload) => Frame::binary(Payload::Owned(payload)),
        })
    }

    fn send_fragments(&mut self, parts: &[&[u8]]) -> Result<()> {
        for (number, part) in parts.iter().enumerate() {
            let opcode = if number == 0 {
                OpCode::Text
            } else {
                OpCode::Continuation
            };
            let fin = number + 1 == parts.len();
            self.write(Frame::new(fin, opcode, None, Payload::Owned(part.to_vec())))?;
        }
        Ok(())
    }

    fn ping(&mut self, payload: &[u8]) -> Result<()> {
        self.write(Frame::new(
            true,
            OpCode::Ping,
            None,
            Payload::Owned(payload.to_vec()),
        ))
    }

    fn close(&mut self, code: u16, reason: &str) -> Result<()> {
        self.write(Frame::close(code, reason.as_bytes()))
    }
}

struct Spawn;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawn {
    fn execute(&self, future: F) {
        tokio::task::spawn(future);
    }
}

impl Client for FastWebSockets {
    type Socket = Open;
    const ANSWERS_EVERY_PING: bool = true;

    fn open(&self, stream: TcpStream, url: &str, protocols: &[&str]) -> Result<Opened<Open>> {
        let host = stream.peer_addr()?.to_string();
        let mut request = Request::get(url)
            .header(HOST, host)
            .header(UPGRADE, "websocket")
            .header(CONNECTION, "upgrade")
            .header("Sec-WebSocket-Key", handshake::generate_key())
            .header("Sec-WebSocket-Version", "13");
        if !protocols.is_empty() {
            request = request.header(PROTOCOL, protocols.join(", "));
        }
        let request = request.body(Empty::<Bytes>::new())?;
        let runtime = runtime()?;
        let result = runtime.block_on(async {
            let stream = convert(stream)?;
            Ok::<_, Box<dyn std::error::Error>>(handshake::client(&Spawn, request, stream).await)
        })?;
        match result {
            Ok((socket, response)) => {
                let protocol = response
                    .headers()
                    .get(PROTOCOL)
                    .map(|value| value.to_str().map(String::from));
                Ok(Opened::Accepted {
                    socket: Open::new(socket, runtime),
                    protocol: protocol.transpose()?,
                })
            }
            Err(WebSocketError::InvalidStatusCode(status)) => Ok(Opened::Rejected { status, body: None }),
            Err(error) => Err(error.into()),
        }
    }
}

impl Server for FastWebSockets {
    type Socket = Open;

    fn accept(&self, stream: TcpStream) -> Result<Option<(String, Open)>> {
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
        Ok(opened.map(|(target, socket)| (target, Open::new(socket, runtime))))
    }
}

type Upgrade = (String, fastwebsockets::upgrade::UpgradeFut);

fn answer(
    request: &mut Request<Body>,
    upgraded: &Cell<Option<Upgrade>>,
) -> std::result::Result<Response<Full<Bytes>>, WebSocketError> {
    let target = request.uri().to_string();
    if let Some(status) = rejection(request.uri().path()) {
        let response = Response::builder()
            .status(status)
            .header(CONNECTION, "close")
            .body(REJECTION_BODY.into());
        return Ok(response.expect("a status and a field"));
    }
    let offered = request
        .headers()
        .get(PROTOCOL)
        .and_then(|value| value.to_str().ok());
    let first = offered
        .and_then(|offered| offered.split(',').next())
        .map(|first| HeaderValue::from_str(first.trim()));
    let (response, socket) = upgrade(request)?;
    upgraded.set(Some((target, socket)));
    let mut response = response.map(|_| Full::default());
    if let Some(Ok(first)) = first {
        response.headers_mut().insert(PROTOCOL, first);
    }
    Ok(response)
}
