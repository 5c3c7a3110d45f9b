//! tungstenite, over an in-memory stream.

use std::io::{self, Read, Write};

use tungstenite::Message;
use tungstenite::error::{Error, ProtocolError};
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::client::ClientHandshake;
use tungstenite::handshake::server::{NoCallback, ServerHandshake};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

use super::{Peer, guard};
use crate::case::{ACCEPT, Case, KEY, Kind, Outcome, PROTOCOLS, Verdict, close_event, event, sent};

pub struct Tungstenite;

impl Peer for Tungstenite {
    fn name(&self) -> &'static str {
        "tungstenite"
    }

    fn takes(&self, _: &Case) -> bool {
        true
    }

    fn run(&mut self, cases: &[&Case]) -> Vec<Outcome> {
        let run = |case: &Case| match case.kind {
            Kind::Request => Outcome::of(request(case)),
            Kind::Response => Outcome::of(response(case)),
            Kind::FramesToServer | Kind::FramesToClient => frames(case),
        };
        cases.iter().map(|case| guard(|| run(case))).collect()
    }
}

/// Yields the bytes of the case, then `WouldBlock`.
struct Link {
    input: io::Cursor<Vec<u8>>,
    output: Vec<u8>,
}

impl Link {
    fn new(case: &Case) -> Self {
        Self {
            input: io::Cursor::new(case.bytes()),
            output: Vec::new(),
        }
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            size => Ok(size),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn frames(case: &Case) -> Outcome {
    let role = if case.is_server() {
        Role::Server
    } else {
        Role::Client
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_message_size(Some(case.limit))
        .max_frame_size(Some(case.limit));
    let mut socket = WebSocket::from_raw_socket(Link::new(case), role, Some(config));
    let (mut events, mut verdict) = (Vec::new(), Verdict::Open);
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => events.push(event("text", text.as_bytes())),
            Ok(Message::Binary(payload)) => events.push(event("binary", &payload)),
            Ok(Message::Ping(payload)) => events.push(event("ping", &payload)),
            Ok(Message::Pong(payload)) => events.push(event("pong", &payload)),
            // The peer reports an invalid close code as a Close that it makes up.
            Ok(Message::Close(Some(close))) if close.reason == "Protocol violation" => {
                verdict = Verdict::Failed(1002);
                break;
            }
            Ok(Message::Close(None)) => {
                events.push(close_event(None, &[]));
                verdict = Verdict::Closed;
            }
            Ok(Message::Close(Some(close))) => {
                events.push(close_event(Some(close.code.into()), close.reason.as_bytes()));
                verdict = Verdict::Closed;
            }
            Ok(Message::Frame(_)) => unreachable!(),
            Err(Error::ConnectionClosed) => break,
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
            // The peer leaves sending the Close after a failure to the application.
            Err(error) => {
                verdict = match error {
                    Error::Protocol(_) => Verdict::Failed(1002),
                    Error::Utf8(_) => Verdict::Failed(1007),
                    Error::Capacity(_) => Verdict::Failed(1009),
                    error => Verdict::Crashed(error.to_string()),
                };
                break;
            }
        }
    }
    let sent = sent(&socket.get_ref().output, &verdict);
    Outcome {
        events,
        verdict,
        sent,
    }
}

fn request(case: &Case) -> Verdict {
    match ServerHandshake::start(Link::new(case), NoCallback, None).handshake() {
        Ok(socket) => {
            let head = String::from_utf8_lossy(&socket.get_ref().output).into_owned();
            let accept = head
                .split_once("sec-websocket-accept: ")
                .and_then(|(_, rest)| rest.split_once("\r\n"));
            Verdict::Accepted(
                accept.map(|(accept, _)| accept.into()).unwrap_or_default(),
                "?".into(),
            )
        }
        Err(HandshakeError::Interrupted(_)) => Verdict::Incomplete,
        Err(HandshakeError::Failure(_)) => Verdict::Refused,
    }
}

fn response(case: &Case) -> Verdict {
    let mut request = http::Request::get("ws://example.com/")
        .header("Host", "example.com")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY);
    if case.offers {
        request = request.header("Sec-WebSocket-Protocol", PROTOCOLS.join(", "));
    }
    let request = request.body(()).expect("a valid request");
    let handshake = ClientHandshake::start(Link::new(case), request, None).expect("a valid request");
    match handshake.handshake() {
        Ok((_, response)) => {
            let protocol = response
                .headers()
                .get("Sec-WebSocket-Protocol")
                .map(|value| value.as_bytes().escape_ascii().to_string());
            Verdict::Accepted(ACCEPT.into(), protocol.unwrap_or("-".into()))
        }
        Err(HandshakeError::Interrupted(_)) => Verdict::Incomplete,
        Err(HandshakeError::Failure(Error::Http(response))) => Verdict::Rejected(response.status().as_u16()),
        Err(HandshakeError::Failure(Error::Protocol(ProtocolError::HandshakeIncomplete))) => {
            Verdict::Incomplete
        }
        Err(HandshakeError::Failure(_)) => Verdict::Refused,
    }
}
