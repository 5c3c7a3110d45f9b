//! A transport in memory, between the endpoint and the kernel.

use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::rc::Rc;

use tokio_uring::net::TcpStream;
use websocket_proto::endpoint::ShutdownWrite;

/// The size of a read. Between messages, the output keeps at most this much memory.
const BUFFER_SIZE: usize = 16 * 1024;

/// How much is given to the kernel to write at once. The endpoint expects that this is written within its timeout for
/// writes, so a peer may be slow, but not slower than that.
const WRITE_SIZE: usize = 64 * 1024;

/// What the kernel has read and what it is to write. A call that has to wait for the kernel fails with `WouldBlock`.
pub struct Memory {
    pub stream: Rc<TcpStream>,
    /// Empty while the kernel owns the buffer.
    input: Cursor<Vec<u8>>,
    /// Whether a read has found nothing. Otherwise nothing is read from the socket, so that a client that does not read
    /// what it gets is not read from.
    wants_input: bool,
    has_ended: bool,
    read_error: Option<io::Error>,
    /// Empty while the kernel owns the buffer.
    output: Vec<u8>,
    is_writing: bool,
    write_error: Option<io::Error>,
}

impl Memory {
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream: Rc::new(stream),
            input: Cursor::default(),
            wants_input: false,
            has_ended: false,
            read_error: None,
            output: Vec::new(),
            is_writing: false,
            write_error: None,
        }
    }

    /// Returns a buffer to read to, if a read has found nothing.
    pub fn start_read(&mut self) -> Option<Vec<u8>> {
        self.wants_input.then(|| {
            let mut buffer = mem::take(&mut self.input).into_inner();
            buffer.clear();
            buffer.reserve(BUFFER_SIZE);
            buffer
        })
    }

    /// Takes the buffer back after the kernel has read to it.
    pub fn complete_read(&mut self, result: io::Result<usize>, buffer: Vec<u8>) {
        self.wants_input = false;
        self.has_ended = matches!(result, Ok(0));
        self.read_error = result.err();
        self.input = Cursor::new(buffer);
    }

    /// Returns what is to be written.
    pub fn start_write(&mut self) -> Option<Vec<u8>> {
        self.is_writing = !self.output.is_empty();
        self.is_writing.then(|| mem::take(&mut self.output))
    }

    /// Takes the buffer back after the kernel has written all of it, or has failed.
    pub fn complete_write(&mut self, result: io::Result<()>, mut buffer: Vec<u8>) {
        buffer.clear();
        buffer.shrink_to(BUFFER_SIZE);
        self.output = buffer;
        self.is_writing = false;
        self.write_error = result.err();
    }
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.input.read(buffer)?;
        if size > 0 || self.has_ended {
            return Ok(size);
        }
        self.wants_input = true;
        Err(self.read_error.take().unwrap_or(ErrorKind::WouldBlock.into()))
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let space = WRITE_SIZE.saturating_sub(self.output.len());
        if self.is_writing || space == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let size = bytes.len().min(space);
        self.output.extend_from_slice(&bytes[..size]);
        Ok(size)
    }

    /// Succeeds once the kernel has written everything.
    fn flush(&mut self) -> io::Result<()> {
        match self.write_error.take() {
            Some(error) => Err(error),
            None if self.is_writing || !self.output.is_empty() => Err(ErrorKind::WouldBlock.into()),
            None => Ok(()),
        }
    }
}

impl ShutdownWrite for Memory {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.flush()?;
        self.stream.shutdown(Shutdown::Write)
    }
}

impl AsMut<Self> for Memory {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}
