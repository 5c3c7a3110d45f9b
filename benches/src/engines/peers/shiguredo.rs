//! `shiguredo_websocket`: its connections, which accept slices and return vectors.
//!
//! In its favor: it is given each read in pieces, because each frame moves all bytes after it to the front; and mask keys come from
//! `rand`, because it leaves them to its caller.

use std::any::Any;

use shiguredo_websocket::{
    ClientConnectionOptions, ConnectionEvent, ConnectionOutput, Error, RandomSource, ServerConnectionOptions,
    Timestamp, WebSocketClientConnection, WebSocketServerConnection,
};

use crate::engines::{Contestant, Engine, Side};
use crate::outcome::{Kind, Outcome, Sent};
use crate::scenario::{BROWSER_REQUEST, Message};
use crate::wire::{Input, READ_SIZE, Role};

pub const CONTESTANT: Contestant = Contestant {
    name: "shiguredo_websocket",
    side: Side::Peer,
    connect: |role| Box::new(Shiguredo::new(role)),
    accept: Some(accept),
    breaks: &[],
};

/// The size of a piece.
const PIECE: usize = 4096;

struct Shiguredo {
    connection: Connection,
    buffer: Vec<u8>,
}

enum Connection {
    Server(Box<WebSocketServerConnection>),
    Client(Box<WebSocketClientConnection<Keys>>),
}

struct Keys;

impl RandomSource for Keys {
    fn masking_key(&mut self) -> [u8; 4] {
        rand::random()
    }

    /// The nonce that the response below belongs to.
    fn nonce(&mut self) -> [u8; 16] {
        [0; 16]
    }
}

const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n";

impl Shiguredo {
    fn new(role: Role) -> Self {
        let mut connection = match role {
            Role::Server => Connection::accept(BROWSER_REQUEST.as_bytes()),
            Role::Client => Connection::connect(),
        };
        while connection.poll_output().is_some() {}
        while connection.poll_event().is_some() {}
        Self {
            connection,
            buffer: vec![0; READ_SIZE],
        }
    }
}

impl Connection {
    fn accept(request: &[u8]) -> Self {
        let options = ServerConnectionOptions::new().ping_interval(0);
        let mut connection = WebSocketServerConnection::new(options);
        connection.feed_recv_buf(request).expect("the request is valid");
        connection.accept_handshake_auto().expect("the request is valid");
        Self::Server(Box::new(connection))
    }

    fn connect() -> Self {
        let options = ClientConnectionOptions::new("localhost", "/").ping_interval(0);
        let mut connection = WebSocketClientConnection::new(options, Keys);
        connection.connect().expect("the options are valid");
        let mut connection = Self::Client(Box::new(connection));
        connection.feed(RESPONSE).expect("the response is valid");
        connection
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Self::Server(connection) => connection.feed_recv_buf(bytes),
            Self::Client(connection) => connection.feed_recv_buf(bytes, Timestamp::from_millis(0)),
        }
    }

    fn poll_event(&mut self) -> Option<ConnectionEvent> {
        match self {
            Self::Server(connection) => connection.poll_event(),
            Self::Client(connection) => connection.poll_event(),
        }
    }

    fn poll_output(&mut self) -> Option<ConnectionOutput> {
        match self {
            Self::Server(connection) => connection.poll_output(),
            Self::Client(connection) => connection.poll_output(),
        }
    }

    fn send_text(&mut self, text: &str) {
        match self {
            Self::Server(connection) => connection.send_text(text),
            Self::Client(connection) => connection.send_text(text),
        }
        .expect("the connection is open");
    }

    fn send_binary(&mut self, payload: &[u8]) {
        match self {
            Self::Server(connection) => connection.send_binary(payload),
            Self::Client(connection) => connection.send_binary(payload),
        }
        .expect("the connection is open");
    }

    fn write(&mut self, sent: &mut Sent) {
        while let Some(output) = self.poll_output() {
            if let ConnectionOutput::SendData(bytes) = output {
                sent.write(&bytes);
            }
        }
    }
}

impl Engine for Shiguredo {
    fn receive(&mut self, input: Input, echo: bool, outcome: &mut Outcome) {
        let Self { connection, buffer } = self;
        for read in input.reads() {
            buffer[..read.len()].copy_from_slice(read);
            for piece in buffer[..read.len()].chunks(PIECE) {
                connection.feed(piece).expect("the bytes are valid");
                while let Some(event) = connection.poll_event() {
                    match event {
                        ConnectionEvent::TextMessage(text) => {
                            outcome.seen.text(&text);
                            if echo {
                                connection.send_text(&text);
                            }
                        }
                        ConnectionEvent::BinaryMessage(payload) => {
                            outcome.seen.message(Kind::Binary, &payload);
                            if echo {
                                connection.send_binary(&payload);
                            }
                        }
                        _ => {}
                    }
                }
                connection.write(&mut outcome.sent);
            }
        }
    }

    fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome) {
        let text = match message.kind {
            Kind::Text => Some(message.text()),
            Kind::Binary => None,
        };
        for _ in 0..times {
            match text {
                Some(text) => self.connection.send_text(text),
                None => self.connection.send_binary(message.payload),
            }
            self.connection.write(&mut outcome.sent);
        }
    }

    fn idle(self: Box<Self>) -> Box<dyn Any> {
        // All connections of a thread may share the read buffer.
        Box::new(self.connection)
    }
}

fn accept(request: &'static [u8], outcome: &mut Outcome) {
    Connection::accept(request).write(&mut outcome.sent);
}
