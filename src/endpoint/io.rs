//! Steps on the transports of std.

use std::io::{Error, ErrorKind, IoSlice, Read, Result, Write};

use super::{Endpoint, Step, VectoredWrite};

/// A transport whose direction of writing can be ended apart from the other one.
pub trait ShutdownWrite {
    /// Ends the direction of writing: a FIN on TCP, `close_notify` in TLS.
    ///
    /// # Errors
    ///
    /// That of the transport.
    fn shutdown_write(&mut self) -> Result<()>;
}

impl ShutdownWrite for std::net::TcpStream {
    fn shutdown_write(&mut self) -> Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

impl ShutdownWrite for &std::net::TcpStream {
    fn shutdown_write(&mut self) -> Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

/// Why a call of a transport did nothing.
enum Trouble {
    /// It is to be made again.
    Interrupted,
    Blocked,
    Failed(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Interrupted => Self::Interrupted,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Blocked,
            _ => Self::Failed(error),
        }
    }
}

impl Endpoint {
    /// Performs [`Read`](Step::Read), [`Write`](Step::Write), [`Flush`](Step::Flush) or [`Shutdown`](Step::Shutdown) by
    /// one call of a transport of std, and takes note of the result. Works for blocking and non-blocking transports.
    ///
    /// `ErrorKind::WouldBlock`, which is also what a timeout of a socket is, marks the transport as blocked. A driver with
    /// a blocking transport sets the socket's timeouts to the [`deadline`](Self::deadline); for it,
    /// [`Wait`](Step::Wait) means to try again, and this method does so. The other steps do nothing here.
    pub fn perform(&mut self, step: Step, transport: &mut (impl Read + Write + ShutdownWrite + ?Sized)) {
        match step {
            Step::Read => match transport.read(self.read_space()).map_err(Trouble::from) {
                Ok(size) => self.received(size),
                Err(Trouble::Interrupted) => {}
                Err(Trouble::Blocked) => self.read_blocked(),
                Err(Trouble::Failed(error)) => self.read_failed(error),
            },
            Step::Write => match transport.write(self.output()) {
                Ok(0) => self.write_failed(Error::from(ErrorKind::WriteZero)),
                Ok(size) => self.written(size),
                Err(error) => self.write_error(error),
            },
            Step::Flush => match transport.flush() {
                Ok(()) => self.flushed(),
                Err(error) => self.write_error(error),
            },
            Step::Shutdown => match transport.shutdown_write() {
                Ok(()) => self.shut_down(),
                Err(error) => self.write_error(error),
            },
            Step::Wait(_) => self.ready(),
            Step::Request | Step::Response | Step::Event | Step::Done => {}
        }
    }

    fn write_error(&mut self, error: Error) {
        match error.into() {
            Trouble::Interrupted => {}
            Trouble::Blocked => self.write_blocked(),
            Trouble::Failed(error) => self.write_failed(error),
        }
    }
}

impl VectoredWrite<'_> {
    /// Writes to a transport of std by one call of `write_vectored`, and takes note of the result, as
    /// [`Endpoint::perform`] does. What the transport did not accept is then in the output.
    ///
    /// For transports that write several slices at once, such as `TcpStream`.
    pub fn write_to(mut self, transport: &mut (impl Write + ?Sized)) {
        let slices = self.slices().map(IoSlice::new);
        match transport.write_vectored(&slices).map_err(Trouble::from) {
            Ok(size) => self.written(size),
            Err(Trouble::Interrupted) => {}
            Err(Trouble::Blocked) => self.write_blocked(),
            Err(Trouble::Failed(error)) => self.write_failed(error),
        }
    }
}
