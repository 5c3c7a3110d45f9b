//! One client of the server: its socket and its endpoint.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::Duration;

use mio::net::TcpStream;
use websocket_proto::Event;
use websocket_proto::endpoint::{Endpoint, EndpointConfig, ShutdownWrite, Step};

#[cfg(test)]
mod tests;

/// One client. While it is idle, it has no buffers, unless it was the last one that had a turn.
pub struct Client<T = Socket> {
    pub transport: T,
    pub endpoint: Endpoint,
}

/// What the steps are performed on: a [`Socket`], or TLS on it, as in `examples/tls`.
pub trait Transport: Read + Write + ShutdownWrite {
    /// The tests have one that checks how it is driven.
    type Stream;

    fn socket(&mut self) -> &mut Socket<Self::Stream>;

    /// Returns whether a read needs nothing from the socket, because it has been read before.
    fn is_ready(&mut self) -> bool {
        false
    }
}

impl<T: Read + Write> Transport for Socket<T>
where
    Self: ShutdownWrite,
{
    type Stream = T;

    fn socket(&mut self) -> &mut Self {
        self
    }
}

/// From this size on, a message is written from where it is: a copy of a smaller one costs less than a separate write.
const LARGE_SIZE: usize = 16 * 1024;

impl<T: Transport> Client<T> {
    pub fn new(transport: T, config: &EndpointConfig, now: Duration) -> Self {
        Self {
            transport,
            endpoint: Endpoint::server(config, now),
        }
    }

    /// Drives the endpoint until the socket blocks, but reads only once, so that every client gets its turn.
    /// Returns the next step: [`Step::Read`], [`Step::Wait`] or [`Step::Done`].
    pub fn turn(&mut self, now: Duration) -> Step {
        let Self { transport, endpoint } = self;
        endpoint.ready();
        transport.socket().ready();
        let mut has_read = false;
        loop {
            match endpoint.step(now) {
                Step::Request => endpoint.accept(),
                Step::Event => echo(endpoint, transport),
                Step::Read if has_read && is_drained(transport) => endpoint.read_blocked(),
                Step::Read if has_read => return Step::Read,
                step @ (Step::Wait(_) | Step::Done) => return step,
                step => {
                    has_read |= step == Step::Read;
                    endpoint.perform(step, transport);
                }
            }
        }
    }
}

/// Returns whether a read would find nothing.
fn is_drained(transport: &mut impl Transport) -> bool {
    transport.socket().is_drained && !transport.is_ready()
}

/// Echoes messages. The endpoint replies to Pings and Closes.
fn echo(endpoint: &mut Endpoint, transport: &mut impl Transport) {
    let mut events = endpoint.events();
    while let Some((event, mut sender)) = events.next() {
        // A client that is closing gets no more messages, so this error is ignored.
        _ = match event {
            Event::Text(text) if transport.socket().takes(text.len()) => sender
                .send_text_vectored(&text)
                .map(|write| write.write_to(transport)),
            Event::Text(text) => sender.send_text(&text),
            Event::Binary(payload) if transport.socket().takes(payload.len()) => sender
                .send_binary_vectored(&payload)
                .map(|write| write.write_to(transport)),
            Event::Binary(payload) => sender.send_binary(&payload),
            _ => Ok(()),
        };
    }
}

/// A mio stream as a transport for `Endpoint::perform`.
pub struct Socket<T = TcpStream> {
    pub stream: T,
    /// Whether the last read took all that had arrived.
    is_drained: bool,
    /// Whether the peer has ended its direction, which is to be read after all that had arrived.
    pub is_ended: bool,
    writing: Writing,
}

#[derive(Clone, Copy, PartialEq)]
enum Writing {
    Ready,
    /// Until the next turn.
    Blocked,
    Failed,
}

impl<T> Socket<T> {
    pub fn new(stream: T) -> Self {
        Self {
            stream,
            is_drained: false,
            is_ended: false,
            writing: Writing::Ready,
        }
    }

    fn ready(&mut self) {
        if self.writing == Writing::Blocked {
            self.writing = Writing::Ready;
        }
    }

    /// Returns whether to write a message of this size at once: if not, it waits in the output.
    fn takes(&self, size: usize) -> bool {
        size >= LARGE_SIZE && self.writing == Writing::Ready
    }

    fn record_write(&mut self, result: io::Result<usize>) -> io::Result<usize> {
        match &result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.writing = Writing::Blocked,
            Err(error) if error.kind() != ErrorKind::Interrupted => self.writing = Writing::Failed,
            _ => {}
        }
        result
    }
}

impl<T: Read> Read for Socket<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.is_drained = false;
        let size = self.stream.read(buffer)?;
        // epoll(7): a read of less than it could take has left nothing. What arrives later is a new event, but an end that
        // an event has reported is not.
        self.is_drained = cfg!(target_os = "linux") && size < buffer.len() && !self.is_ended;
        Ok(size)
    }
}

impl<T: Write> Write for Socket<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.stream.write(bytes);
        self.record_write(result)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = self.stream.write_vectored(slices);
        self.record_write(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl ShutdownWrite for Socket {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown(std::net::Shutdown::Write)
    }
}
