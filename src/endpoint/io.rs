//! Steps on the transports of std.

use std::io::{Error, ErrorKind, IoSlice, Read, Result, Write};

use super::{Endpoint, Step, VectoredWrite};

/// A transport that can be shut down for writing while it stays open for reading.
pub trait ShutdownWrite {
    /// Shuts down writing: a FIN on TCP, `close_notify` in TLS.
    ///
    /// # Errors
    ///
    /// The error of the transport.
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

/// Why a call on a transport did nothing.
enum Trouble {
    /// Make the call again.
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
    /// Performs [`Read`](Step::Read), [`Write`](Step::Write), [`Flush`](Step::Flush) or [`Shutdown`](Step::Shutdown)
    /// with one call on a transport of std, and records the result. Works for blocking and non-blocking transports.
    ///
    /// `ErrorKind::WouldBlock`, which also reports a socket's timeout, marks the transport as blocked. With a blocking
    /// transport, set the socket's timeouts to the [`deadline`](Self::deadline); [`Wait`](Step::Wait) then means to try
    /// again, which this method handles. It ignores the other steps.
    ///
    /// A blocking call does one thing at a time: while it waits to write, nothing is read. If both ends may send more at once than the
    /// network buffers, use short timeouts, such as 100 ms, while [`output`](Self::output) is not empty. Otherwise both wait for each
    /// other, until one ends with [`Timeout::Write`](super::Timeout::Write).
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
    /// Writes to a transport of std with one call of `write_vectored`, and records the result, as [`Endpoint::perform`]
    /// does. The part that the transport did not accept is then in the output.
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
