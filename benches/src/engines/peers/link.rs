//! The in-memory transport for peers that need one: reads are copied from the wire, writes are counted.
//!
//! There is one per thread, used by the contestant whose turn it is. So it adds nothing to the size of a connection, and the peer can
//! own it.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::outcome::Sent;
use crate::wire::READ_SIZE;

/// One end of the transport. If there is nothing to read, a read returns `WouldBlock`.
#[derive(Debug)]
pub struct Link;

struct Line {
    unread: Cell<&'static [u8]>,
    sent: RefCell<Option<Sent>>,
}

thread_local! {
    static LINE: Line = const {
        Line {
            unread: Cell::new(&[]),
            sent: RefCell::new(None),
        }
    };
}

impl Link {
    /// Sets the bytes to read, and where to record written bytes.
    pub fn begin(bytes: &'static [u8], sent: Sent) {
        LINE.with(|line| {
            line.unread.set(bytes);
            line.sent.replace(Some(sent));
        });
    }

    /// Returns what was written. Everything must have been read.
    pub fn end() -> Sent {
        LINE.with(|line| {
            assert!(line.unread.get().is_empty(), "not everything was read");
            line.sent.take().expect("`begin` was called")
        })
    }

    fn next(size: usize) -> &'static [u8] {
        LINE.with(|line| {
            let unread = line.unread.get();
            let (read, rest) = unread.split_at(unread.len().min(size).min(READ_SIZE));
            line.unread.set(rest);
            read
        })
    }

    fn write(bytes: &[u8]) {
        LINE.with(|line| {
            if let Some(sent) = &mut *line.sent.borrow_mut() {
                sent.write(bytes);
            }
        });
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = Self::next(buffer.len());
        if read.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        buffer[..read.len()].copy_from_slice(read);
        Ok(read.len())
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Self::next(buffer.remaining());
        if read.is_empty() {
            return Poll::Pending;
        }
        buffer.put_slice(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Self::write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        slices.iter().for_each(|slice| Self::write(slice));
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
