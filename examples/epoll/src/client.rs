//! One client of the server: all of it that is not the event loop.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::Interest;
use mio::net::TcpStream;
use websocket_proto::handshake::ServerHandshake;
use websocket_proto::{Config, Connection, Event, Misuse, Transport};

/// For the opening handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// For a client that does not read to take some of what is written.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// For a client to read our last bytes and to close.
const CLOSE_TIME: Duration = Duration::from_secs(5);

/// One client. Idle, it is this and nothing on the heap.
pub struct Client {
    pub stream: TcpStream,
    state: State,
    /// What the socket has not taken yet.
    unsent: Vec<u8>,
    /// When to give the client up.
    pub deadline: Option<Instant>,
}

#[allow(clippy::large_enum_variant, reason = "most are open")]
enum State {
    Opening(Box<ServerHandshake>),
    Open(Connection),
    /// All is said, and how it ended. A socket that is closed with bytes unread is reset, and the reset may overtake our last
    /// bytes, so the client is read until it closes as well.
    Over(String),
}

impl Client {
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            state: State::Opening(Box::new(ServerHandshake::new(&Config::new()))),
            unsent: Vec::new(),
            deadline: Some(Instant::now() + HANDSHAKE_TIME),
        }
    }

    /// Does one thing that the socket is ready for: writes what is left over, or else reads once and answers. Yields what to wait
    /// for next, or `None` at the end. `buffer` and `out` are for all clients; what stays in `out` goes with it to this one.
    pub fn turn(&mut self, buffer: &mut [u8], out: &mut Vec<u8>) -> io::Result<Option<Interest>> {
        if self.unsent.is_empty() {
            match self.stream.read(buffer) {
                Ok(0) => return Ok(None),
                Ok(size) => self.receive(&mut buffer[..size], out).map_err(io::Error::other)?,
                Err(error) if not_now(&error) => {}
                Err(error) => return Err(error),
            }
        } else {
            *out = mem::take(&mut self.unsent);
        }
        write(&mut self.stream, out)?;
        if !out.is_empty() {
            self.unsent = mem::take(out);
            self.deadline = Some(Instant::now() + WRITE_TIME);
            return Ok(Some(Interest::WRITABLE));
        }
        match self.state {
            State::Opening(_) => {}
            State::Open(_) => self.deadline = None,
            State::Over(_) => self.stream.shutdown(Shutdown::Write)?,
        }
        Ok(Some(Interest::READABLE))
    }

    /// What the bytes mean, and what they are answered with.
    fn receive(&mut self, mut input: &mut [u8], out: &mut Vec<u8>) -> Result<(), Misuse> {
        if let State::Opening(handshake) = &mut self.state {
            let opened = match handshake.receive(&mut input, out) {
                Ok(None) => return Ok(()),
                Ok(Some(request)) => request.upgrade(out).map(|upgrade| upgrade.accept(out)),
                Err(error) => Err(error),
            };
            match opened {
                Ok(connection) => self.state = State::Open(connection),
                Err(error) => self.end(error.to_string()), // the response that tells the client is in `out`
            }
        }
        let State::Open(connection) = &mut self.state else {
            return Ok(());
        };
        // An error ends this loop too: the Close that tells the client is in `out`.
        while let Ok(Some(event)) = connection.receive(&mut input, out) {
            match event {
                Event::Text(text) => connection.send_text(&text, out)?,
                Event::Binary(payload) => connection.send_binary(&payload, out)?,
                _ => {} // what a Ping or a Close is answered with is in `out`
            }
        }
        if connection.transport() == Transport::Close {
            let end = connection.receive_eof().to_string();
            self.end(end);
        }
        Ok(())
    }

    /// How it ended.
    pub fn into_end(self) -> String {
        match self.state {
            State::Opening(mut handshake) => handshake.receive_eof().to_string(),
            State::Open(mut connection) => connection.receive_eof().to_string(),
            State::Over(end) => end,
        }
    }

    /// Nothing more will be said.
    fn end(&mut self, how: String) {
        self.state = State::Over(how);
        self.deadline = Some(Instant::now() + CLOSE_TIME);
    }
}

/// Writes what the socket takes, and leaves the rest.
fn write(stream: &mut TcpStream, out: &mut Vec<u8>) -> io::Result<()> {
    let mut written = 0;
    while written < out.len() {
        match stream.write(&out[written..]) {
            Ok(size) => written += size,
            Err(error) if not_now(&error) => break,
            Err(error) => return Err(error),
        }
    }
    out.drain(..written);
    Ok(())
}

pub fn not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
