//! A simulated TCP stream that transfers random portions, and records when it did.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use turmoil::net::TcpStream;

use crate::checks;
use crate::ledger::Shared;
use crate::plan::Host;
use crate::random::Random;

/// When something happened on a transport, by the clock of its host.
#[derive(Debug)]
pub struct Times {
    pub host: Host,
    pub began: Instant,
    /// When the keepalive last counted the peer as alive: bytes were read, or a write was accepted in part.
    pub active: Cell<Instant>,
    /// When output was last accepted.
    pub accepted: Cell<Instant>,
    /// Since when output has been refused.
    pub refused: Cell<Option<Instant>>,
    /// Since when the connection has been closing.
    pub closing: Cell<Option<Instant>>,
}

impl Times {
    fn new(host: Host) -> Self {
        let now = Instant::now();
        Self {
            host,
            began: now,
            active: Cell::new(now),
            accepted: Cell::new(now),
            refused: Cell::new(None),
            closing: Cell::new(None),
        }
    }

    /// Records that the closing handshake has begun.
    pub fn close(&self) {
        self.closing.set(self.closing.get().or(Some(Instant::now())));
    }
}

/// Less output than this is accepted at once, or refused.
const SPLIT_FROM: usize = 512;

pub struct Link {
    stream: TcpStream,
    random: Random,
    times: Rc<Times>,
    ledger: Shared,
    loses_output: bool,
}

impl Link {
    pub fn new(stream: TcpStream, host: Host, ledger: &Shared, loses_output: bool) -> (Self, Rc<Times>) {
        let times = Rc::new(Times::new(host));
        let link = Self {
            stream,
            random: Random::new(ledger.borrow_mut().random.number()),
            times: times.clone(),
            ledger: ledger.clone(),
            loses_output,
        };
        (link, times)
    }

    /// How many of these bytes to transfer: all, a few, or any number.
    fn portion(&mut self, of: usize) -> usize {
        match self.random.below(4) {
            0 => of.min(1 + self.random.below(16)),
            1 => 1 + self.random.below(of),
            _ => of,
        }
    }
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let link = self.get_mut();
        let portion = link.portion(buf.remaining().max(1)).min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(portion));
        ready!(Pin::new(&mut link.stream).poll_read(cx, &mut part))?;
        let (size, now) = (part.filled().len(), Instant::now());
        let mut ledger = link.ledger.borrow_mut();
        ledger.hash(part.filled());
        buf.advance(size);
        if size > 0 {
            checks::read_in_time(&mut ledger, &link.times, now);
            link.times.active.set(now);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let link = self.get_mut();
        // A kernel accepts a few bytes completely, unless its buffer is full: part of a Ping would count as activity.
        let portion = if bytes.len() > SPLIT_FROM {
            link.portion(bytes.len())
        } else {
            bytes.len()
        };
        let now = Instant::now();
        let written = Pin::new(&mut link.stream).poll_write(cx, &bytes[..portion]);
        if written.is_pending() {
            link.times.refused.set(link.times.refused.get().or(Some(now)));
        }
        let size = ready!(written)?;
        let mut ledger = link.ledger.borrow_mut();
        ledger.hash(&bytes[..size]);
        checks::written_in_time(&mut ledger, &link.times, now);
        link.times.refused.set(None);
        link.times.accepted.set(now);
        if size < bytes.len() {
            link.times.active.set(now);
            if link.loses_output {
                return Poll::Ready(Ok(size + 1));
            }
        }
        Poll::Ready(Ok(size))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
