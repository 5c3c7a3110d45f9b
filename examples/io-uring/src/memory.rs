//! A transport in memory, between the endpoint and the kernel.

use std::io::{self, Cursor, ErrorKind, IoSlice, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::rc::Rc;

use tokio_uring::net::TcpStream;
use websocket_proto::endpoint::ShutdownWrite;

/// The size of a read. Between messages, the output keeps at most this much memory.
const BUFFER_SIZE: usize = 16 * 1024;

/// How much is copied for one write: what the kernel does not write of it is copied again for the next.
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
    /// A copy of what is to be written. Empty while the kernel owns the buffer.
    output: Vec<u8>,
    is_writing: bool,
    /// How much of it the kernel has written, until a write returns this.
    written: Option<io::Result<usize>>,
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
            written: None,
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

    /// Returns what is to be written, unless the kernel is writing.
    pub fn start_write(&mut self) -> Option<Vec<u8>> {
        if self.is_writing || self.output.is_empty() {
            return None;
        }
        self.is_writing = true;
        Some(mem::take(&mut self.output))
    }

    /// Takes the buffer back after the kernel has written some of it.
    pub fn complete_write(&mut self, result: io::Result<usize>, mut buffer: Vec<u8>) {
        buffer.clear();
        buffer.shrink_to(BUFFER_SIZE); // a large message may have enlarged it
        self.output = buffer;
        self.is_writing = false;
        self.written = Some(result);
    }
}

/// Copies the bytes of the slices in order, up to [`WRITE_SIZE`].
fn copy_some(slices: &[IoSlice<'_>], output: &mut Vec<u8>) {
    for slice in slices {
        let size = slice.len().min(WRITE_SIZE - output.len());
        output.extend_from_slice(&slice[..size]);
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

/// The first call starts the operation and fails with `WouldBlock`, as those do that are made before it is complete. Then
/// a call returns how much of its bytes the kernel has written: the caller has to pass the same bytes again, and may add
/// some to them, which endpoints and rustls do.
impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Some(result) = self.written.take() {
            return result;
        }
        if self.output.is_empty() && !self.is_writing {
            copy_some(slices, &mut self.output);
        }
        Err(ErrorKind::WouldBlock.into())
    }

    /// Does nothing: what a write has returned is written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ShutdownWrite for Memory {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }
}

impl AsMut<Self> for Memory {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A write that is partial costs a copy of what may be written at once, not of all that waits.
    #[test]
    fn a_part_of_a_large_output_is_copied() {
        let wire: Vec<u8> = (0..=255).cycle().take(3 * WRITE_SIZE).collect();
        for head in [0, 10, WRITE_SIZE, 2 * WRITE_SIZE] {
            let slices = [&wire[..head], &wire[head..]].map(IoSlice::new);
            let mut output = Vec::new();
            copy_some(&slices, &mut output);
            assert!(output == wire[..WRITE_SIZE], "{head} bytes in the first slice");
        }
    }
}
