//! The crate `tungstenite`.

use std::net::TcpStream;

use interop_peers::{
    Client, Incoming, MAX_MESSAGE, Message, Opened, REJECTION_BODY, Result, Server, Socket, TIME, rejection,
};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::StatusCode;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::protocol::{WebSocket, WebSocketConfig};
use tungstenite::{Error, HandshakeError};

const PROTOCOL: &str = "Sec-WebSocket-Protocol";

struct Tungstenite;

fn main() -> Result<()> {
    interop_peers::main(&Tungstenite)
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

struct Open(WebSocket<TcpStream>);

impl Socket for Open {
    fn receive(&mut self) -> Result<Incoming> {
        loop {
            return Ok(match self.0.read() {
                Ok(tungstenite::Message::Text(text)) => Incoming::Message(Message::Text(text.to_string())),
                Ok(tungstenite::Message::Binary(payload)) => {
                    Incoming::Message(Message::Binary(payload.into()))
                }
                Ok(tungstenite::Message::Pong(payload)) => Incoming::Pong(payload.into()),
                Ok(tungstenite::Message::Close(frame)) => Incoming::Close {
                    code: frame.as_ref().map_or(1005, |frame| frame.code.into()),
                    reason: frame.map_or_else(String::new, |frame| frame.reason.to_string()),
                },
                Ok(_) => continue,
                Err(Error::ConnectionClosed) => Incoming::End { clean: true },
                Err(error) => return Err(error.into()),
            });
        }
    }

    fn send(&mut self, message: Message) -> Result<()> {
        Ok(self.0.send(convert(message))?)
    }

    fn send_fragments(&mut self, parts: &[&[u8]]) -> Result<()> {
        for (number, part) in parts.iter().enumerate() {
            let kind = if number == 0 { Data::Text } else { Data::Continue };
            let frame = Frame::message(part.to_vec(), OpCode::Data(kind), number + 1 == parts.len());
            self.0.write(tungstenite::Message::Frame(frame))?;
        }
        Ok(self.0.flush()?)
    }

    fn ping(&mut self, payload: &[u8]) -> Result<()> {
        Ok(self.0.send(tungstenite::Message::Ping(payload.to_vec().into()))?)
    }

    fn close(&mut self, code: u16, reason: &str) -> Result<()> {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        Ok(self.0.close(Some(frame))?)
    }

    fn send_and_close(&mut self, message: Message, code: u16, reason: &str) -> Result<()> {
        self.0.write(convert(message))?; // not yet flushed
        self.close(code, reason)
    }
}

fn convert(message: Message) -> tungstenite::Message {
    match message {
        Message::Text(text) => text.into(),
        Message::Binary(payload) => payload.into(),
    }
}

impl Client for Tungstenite {
    type Socket = Open;
    const ANSWERS_EVERY_PING: bool = false;

    fn open(&self, stream: TcpStream, url: &str, protocols: &[&str]) -> Result<Opened<Open>> {
        let mut request = url.into_client_request()?;
        if !protocols.is_empty() {
            request
                .headers_mut()
                .insert(PROTOCOL, protocols.join(", ").parse()?);
        }
        match tungstenite::client::client_with_config(request, stream, Some(config())) {
            Ok((socket, response)) => {
                let protocol = response
                    .headers()
                    .get(PROTOCOL)
                    .map(|value| value.to_str().map(String::from));
                Ok(Opened::Accepted {
                    socket: Open(socket),
                    protocol: protocol.transpose()?,
                })
            }
            // tungstenite returns the part of the body that it has read.
            Err(HandshakeError::Failure(Error::Http(response))) => Ok(Opened::Rejected {
                status: response.status().as_u16(),
                body: None,
            }),
            Err(error) => Err(error.to_string().into()),
        }
    }
}

impl Server for Tungstenite {
    type Socket = Open;

    fn accept(&self, stream: TcpStream) -> Result<Option<(String, Open)>> {
        stream.set_read_timeout(Some(TIME))?;
        let mut target = String::new();
        #[allow(clippy::result_large_err, reason = "the type is tungstenite's")]
        let choose = |request: &Request, mut response: Response| {
            target = request.uri().to_string();
            if let Some(status) = rejection(request.uri().path()) {
                let mut response = ErrorResponse::new(Some(REJECTION_BODY.into()));
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                return Err(response);
            }
            let offered = request
                .headers()
                .get(PROTOCOL)
                .and_then(|value| value.to_str().ok());
            if let Some(first) = offered.and_then(|offered| offered.split(',').next()) {
                response
                    .headers_mut()
                    .insert(PROTOCOL, first.trim().parse().unwrap());
            }
            Ok(response)
        };
        match tungstenite::accept_hdr_with_config(stream, choose, Some(config())) {
            Ok(socket) => Ok(Some((target, Open(socket)))),
            Err(HandshakeError::Failure(Error::Http(_))) => Ok(None),
            Err(error) => Err(error.to_string().into()),
        }
    }
}
