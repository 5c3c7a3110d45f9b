//! One client of the server: its socket and its endpoint.

use std::io::{self, Read, Write};
use std::time::Duration;

use mio::net::TcpStream;
use websocket_proto::Event;
use websocket_proto::endpoint::{Endpoint, EndpointConfig, ShutdownWrite, Step};

/// One client. While it is idle, it has no buffers.
pub struct Client {
    pub socket: Socket,
    pub endpoint: Endpoint,
}

impl Client {
    pub fn new(socket: TcpStream, now: Duration) -> Self {
        Self {
            socket: Socket(socket),
            endpoint: Endpoint::server(&EndpointConfig::new(), now),
        }
    }

    /// Drives the endpoint until the socket blocks, but reads only once, so that every client gets its turn.
    /// Returns the next step: [`Step::Read`], [`Step::Wait`] or [`Step::Done`].
    pub fn turn(&mut self, now: Duration) -> Step {
        let endpoint = &mut self.endpoint;
        endpoint.ready();
        let mut has_read = false;
        loop {
            match endpoint.step(now) {
                Step::Request => endpoint.accept(),
                Step::Event => echo(endpoint),
                Step::Read if has_read => return Step::Read,
                step @ (Step::Wait(_) | Step::Done) => return step,
                step => {
                    has_read |= step == Step::Read;
                    endpoint.perform(step, &mut self.socket);
                }
            }
        }
    }
}

/// Echoes messages. The endpoint replies to Pings and Closes.
fn echo(endpoint: &mut Endpoint) {
    while let Some((event, mut sender)) = endpoint.next_event() {
        // A client that is closing gets no more messages, so this error is ignored.
        _ = match event {
            Event::Text(text) => sender.send_text(&text),
            Event::Binary(payload) => sender.send_binary(&payload),
            _ => Ok(()),
        };
    }
}

/// A mio stream as a transport for `Endpoint::perform`.
pub struct Socket(pub TcpStream);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl ShutdownWrite for Socket {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown(std::net::Shutdown::Write)
    }
}
