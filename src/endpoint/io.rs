//! Steps on the transports of std.

use std::io::{ErrorKind, Read, Result, Write};

use super::{Endpoint, Step};

/// A transport whose direction of writing can be ended apart from the other one.
pub trait Shutdown {
    /// Ends the direction of writing: a FIN on TCP, `close_notify` in TLS.
    ///
    /// # Errors
    ///
    /// That of the transport.
    fn shut_down(&mut self) -> Result<()>;
}

impl Shutdown for std::net::TcpStream {
    fn shut_down(&mut self) -> Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

impl Shutdown for &std::net::TcpStream {
    fn shut_down(&mut self) -> Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

impl Endpoint {
    /// Performs [`Read`](Step::Read), [`Write`](Step::Write), [`Flush`](Step::Flush) or [`Shutdown`](Step::Shutdown) by
    /// one call of a transport of std, and takes note of the result. Works for blocking and non-blocking transports.
    ///
    /// `ErrorKind::WouldBlock`, which is also what a timeout of a socket is, marks the transport as blocked. A driver with
    /// a blocking transport sets the socket's timeouts to the [`deadline`](Self::deadline); for it,
    /// [`Wait`](Step::Wait) means to try again, and this method does so. The other steps do nothing here.
    pub fn perform(&mut self, step: Step, transport: &mut (impl Read + Write + Shutdown + ?Sized)) {
        match step {
            Step::Read => match transport.read(self.read_space()) {
                Ok(size) => self.received(size),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => self.read_blocked(),
                    _ => self.read_failed(error),
                },
            },
            Step::Write => match transport.write(self.output()) {
                Ok(0) => self.write_failed(std::io::Error::from(ErrorKind::WriteZero)),
                Ok(size) => self.written(size),
                Err(error) => self.write_error(error),
            },
            Step::Flush => match transport.flush() {
                Ok(()) => self.flushed(),
                Err(error) => self.write_error(error),
            },
            Step::Shutdown => match transport.shut_down() {
                Ok(()) => self.shut_down(),
                Err(error) => self.write_error(error),
            },
            Step::Wait(_) => self.ready(),
            Step::Request | Step::Response | Step::Event | Step::Done => {}
        }
    }

    fn write_error(&mut self, error: std::io::Error) {
        match error.kind() {
            ErrorKind::Interrupted => {}
            ErrorKind::WouldBlock | ErrorKind::TimedOut => self.write_blocked(),
            _ => self.write_failed(error),
        }
    }
}
