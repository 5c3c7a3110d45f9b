//! This crate, as a client of the other peers' servers and as a server with more behavior than the example.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;

use interop_peers::{
    Client, Incoming, MAX_MESSAGE, Message, Opened, REJECTION_BODY, Result, Server, Socket, TIME,
    compression, rejection,
};
use websocket_proto::deflate::DeflateConfig;
use websocket_proto::handshake::{Answer, ClientRequest, ServerHandshake};
use websocket_proto::{
    CloseCode, Compression, Config, Connection, Event, Fin, MessageKind, OsEntropy, TransportAdvice,
};

const CONFIG: Config = Config::new().max_message_size(MAX_MESSAGE as u64);

/// The compression settings, by their names in the matrix.
fn config(compression: &str) -> Result<Config> {
    let windows = |bits| {
        DeflateConfig::new()
            .send_window_bits(15)
            .client_max_window_bits(bits)
            .server_max_window_bits(bits)
    };
    Ok(CONFIG.deflate(match compression {
        "defaults" => DeflateConfig::new(),
        "no-takeover" => windows(15)
            .client_no_context_takeover(true)
            .server_no_context_takeover(true),
        "15-bits" => windows(15),
        "hint-12" => DeflateConfig::new().client_max_window_bits(12),
        "10-bits" => windows(10),
        "9-bits" => windows(9),
        _ => return Err("no such settings".into()),
    }))
}

/// The configuration that the path requests, which is needed before the handshake responds.
fn config_for(head: &[u8]) -> Result<Config> {
    let target = str::from_utf8(head)?.split(' ').nth(1).unwrap_or_default();
    compression(target).map_or(Ok(CONFIG), config)
}

struct Ours;

fn main() -> Result<()> {
    interop_peers::main(&Ours)
}

struct Open {
    stream: TcpStream,
    connection: Connection,
    buffer: Vec<u8>,
    /// The part of the buffer that the connection has not consumed yet.
    input: Range<usize>,
    out: Vec<u8>,
}

impl Open {
    fn new(stream: TcpStream, connection: Connection, buffer: Vec<u8>, input: Range<usize>) -> Self {
        let out = Vec::new();
        Self {
            stream,
            connection,
            buffer,
            input,
            out,
        }
    }

    fn write(&mut self) -> Result<()> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }
}

impl Socket for Open {
    fn receive(&mut self) -> Result<Incoming> {
        loop {
            let mut input = &mut self.buffer[self.input.clone()];
            let result = self.connection.receive(&mut input, &mut self.out);
            let result = result.map(|event| event.map(incoming));
            self.input.start = self.input.end - input.len();
            self.write()?;
            match result? {
                Some(Some(incoming)) => return Ok(incoming),
                Some(None) => continue,
                None => {}
            }
            let over = self.connection.transport_advice() == TransportAdvice::Close;
            if over {
                _ = self.stream.shutdown(Shutdown::Write);
            }
            let size = match self.stream.read(&mut self.buffer) {
                Err(_) if over => 0,
                result => result?,
            };
            if size == 0 {
                return Ok(Incoming::End {
                    clean: self.connection.receive_eof().is_clean(),
                });
            }
            self.input = 0..size;
        }
    }

    fn send(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Text(text) => self.connection.send_text(&text, &mut self.out)?,
            Message::Binary(payload) => self.connection.send_binary(&payload, &mut self.out)?,
        }
        self.write()
    }

    fn send_plain(&mut self, message: Message) -> Result<()> {
        self.connection.set_compression(Compression::Off);
        let result = self.send(message);
        self.connection.set_compression(Compression::On);
        result
    }

    fn send_fragments(&mut self, parts: &[&[u8]]) -> Result<()> {
        for (number, part) in parts.iter().enumerate() {
            let fin = if number + 1 == parts.len() {
                Fin::Last
            } else {
                Fin::More
            };
            self.connection
                .send_fragment(MessageKind::Text, part, fin, &mut self.out)?;
        }
        self.write()
    }

    fn ping(&mut self, payload: &[u8]) -> Result<()> {
        self.connection.send_ping(payload, &mut self.out)?;
        self.write()
    }

    fn close(&mut self, code: u16, reason: &str) -> Result<()> {
        self.connection.close(CloseCode(code), reason, &mut self.out)?;
        self.write()
    }

    fn send_and_close(&mut self, message: Message, code: u16, reason: &str) -> Result<()> {
        if let Message::Text(text) = message {
            self.connection.send_text(&text, &mut self.out)?;
        }
        self.close(code, reason)
    }
}

fn incoming(event: Event<'_>) -> Option<Incoming> {
    Some(match event {
        Event::Text(text) => Incoming::Message(Message::Text(text.into_owned())),
        Event::Binary(payload) => Incoming::Message(Message::Binary(payload.into_owned())),
        Event::Pong(payload) => Incoming::Pong(payload.into_owned()),
        Event::Close(close) => Incoming::Close {
            code: close.code_or_no_status().0,
            reason: close.reason.into_owned(),
        },
        _ => return None, // a Ping, whose Pong is in the output
    })
}

impl Client for Ours {
    type Socket = Open;
    const ANSWERS_EVERY_PING: bool = true;

    fn open(&self, stream: TcpStream, url: &str, protocols: &[&str]) -> Result<Opened<Open>> {
        open(stream, url, protocols, &CONFIG)
    }

    fn open_compressing(&self, stream: TcpStream, url: &str, setting: &str) -> Result<Open> {
        match open(stream, url, &[], &config(setting)?)? {
            Opened::Accepted { socket, .. } => Ok(socket),
            Opened::Rejected { status, .. } => Err(format!("status {status}").into()),
        }
    }
}

fn open(mut stream: TcpStream, url: &str, protocols: &[&str], config: &Config) -> Result<Opened<Open>> {
    let mut request = ClientRequest::from_url(url)?;
    for protocol in protocols {
        request = request.with_subprotocol(protocol)?;
    }
    let mut out = Vec::new();
    let mut handshake = request.start(config, OsEntropy, &mut out);
    stream.write_all(&out)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let size = stream.read(&mut buffer)?;
        if size == 0 {
            return Err(handshake.receive_eof().into());
        }
        let mut input = &mut buffer[..size];
        match handshake.receive(&mut input, &mut out)? {
            None => {}
            Some(Answer::Accepted { connection, response }) => {
                let protocol = response.subprotocol().map(String::from);
                let input = size - input.len()..size;
                let socket = Open::new(stream, connection, buffer, input);
                return Ok(Opened::Accepted { socket, protocol });
            }
            Some(Answer::Rejected(response)) => {
                let mut body = input.to_vec();
                // Without a length, the body ends with the transport (RFC 9112 section 6.3).
                let length: u64 = match response.field("Content-Length") {
                    Some(length) => std::str::from_utf8(length)?.parse()?,
                    None => u64::MAX,
                };
                stream
                    .take(length.saturating_sub(body.len() as u64))
                    .read_to_end(&mut body)?;
                return Ok(Opened::Rejected {
                    status: response.status(),
                    body: Some(body),
                });
            }
        }
    }
}

impl Server for Ours {
    type Socket = Open;

    fn accept(&self, mut stream: TcpStream) -> Result<Option<(String, Open)>> {
        stream.set_read_timeout(Some(TIME))?;
        let mut buffer = vec![0; 64 * 1024];
        let mut handshake: Option<ServerHandshake> = None;
        let mut out = Vec::new();
        loop {
            let size = stream.read(&mut buffer)?;
            if handshake.is_none() {
                handshake = Some(ServerHandshake::new(&config_for(&buffer[..size])?));
            }
            let handshake = handshake.as_mut().expect("made above");
            if size == 0 {
                return Err(handshake.receive_eof().into());
            }
            let mut input = &mut buffer[..size];
            let result = handshake.receive(&mut input, &mut out).map_err(Into::into);
            let result = match result {
                Ok(None) => continue,
                Ok(Some(request)) => (|| {
                    let upgrade = request.upgrade(&mut out)?;
                    if let Some(status) = rejection(upgrade.path()) {
                        upgrade.reject(status, &[], REJECTION_BODY.as_bytes(), &mut out)?;
                        return Ok(None);
                    }
                    let target = format!("{}?{}", upgrade.path(), upgrade.query().unwrap_or_default());
                    let first = upgrade.subprotocols().next();
                    let upgrade = match first {
                        Some(protocol) => upgrade.with_subprotocol(protocol)?,
                        None => upgrade,
                    };
                    Ok::<_, Box<dyn Error>>(Some((target, upgrade.accept(&mut out))))
                })(),
                Err(error) => Err(error),
            };
            let input = size - input.len()..size;
            stream.write_all(&out)?;
            return Ok(
                result?.map(|(target, connection)| (target, Open::new(stream, connection, buffer, input)))
            );
        }
    }
}
