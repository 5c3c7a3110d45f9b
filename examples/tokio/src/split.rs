//! Two halves for two tasks, and the wakers of both.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{End, Event, IntoCloseCode, Message, SendError, WebSocket};

#[derive(Clone, Copy)]
pub(crate) enum Half {
    Reader,
    Writer,
}

/// The wakers of the two tasks that may wait for one socket.
///
/// A transport keeps one waker for each of its directions, and both halves use both directions: a reader writes Pongs,
/// and a writer may have to wait for output that a reader began to write. So the transport is polled with one waker
/// that wakes both tasks; polled with the waker of one task, it would forget the other.
#[derive(Default)]
pub(crate) struct Wakers {
    reader: Mutex<Option<Waker>>,
    writer: Mutex<Option<Waker>>,
}

impl Half {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Reader => Self::Writer,
            Self::Writer => Self::Reader,
        }
    }
}

impl Wakers {
    pub(crate) fn register(&self, half: Half, waker: &Waker) {
        let mut slot = self.slot(half);
        match &mut *slot {
            Some(known) => known.clone_from(waker), // cloning the same waker costs nothing
            empty => *empty = Some(waker.clone()),
        }
    }

    pub(crate) fn clear(&self, half: Half) {
        self.slot(half).take();
    }

    pub(crate) fn wake_one(&self, half: Half) {
        let waker = self.slot(half).take(); // unlocked before it wakes
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn slot(&self, half: Half) -> MutexGuard<'_, Option<Waker>> {
        let slot = match half {
            Half::Reader => &self.reader,
            Half::Writer => &self.writer,
        };
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_one(Half::Reader);
        self.wake_one(Half::Writer);
    }
}

/// The half that reads, from [`WebSocket::split`]. Poll it all the time: it also writes queued output.
#[derive(Debug)]
pub struct Reader<S>(Arc<Mutex<WebSocket<S>>>);

/// The half that writes, from [`WebSocket::split`].
#[derive(Debug)]
pub struct Writer<S>(Arc<Mutex<WebSocket<S>>>);

pub(crate) fn split<S>(socket: WebSocket<S>) -> (Reader<S>, Writer<S>) {
    let shared = Arc::new(Mutex::new(socket));
    (Reader(shared.clone()), Writer(shared))
}

/// Locked during a poll, and never across an await.
fn lock<S>(shared: &Mutex<WebSocket<S>>) -> MutexGuard<'_, WebSocket<S>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    /// Waits for the next event. Same as [`WebSocket::next`].
    pub async fn next(&mut self) -> Option<Event<'static>> {
        poll_fn(|cx| lock(&self.0).poll_event(cx)).await
    }

    /// Returns the messages to send on, for `forward` of the crate `futures`: an echo is
    /// `reader.messages().forward(writer)`, and a relay sends to the writer of another socket. Pings and Pongs are left
    /// out.
    ///
    /// It has a type of its own, because the same chain of closures makes a future that the compiler does not accept in
    /// `tokio::spawn` ("implementation of `FnOnce` is not general enough").
    pub fn messages(self) -> Messages<S> {
        Messages(self)
    }

    /// Looks at how the connection ended, once [`next`](Self::next) has returned `None`; before, this returns `None`.
    ///
    /// ```no_run
    /// # async fn log(mut reader: embedding_tokio::Reader<tokio::net::TcpStream>) {
    /// while let Some(event) = reader.next().await {
    ///     println!("{event:?}");
    /// }
    /// let text: Option<String> = reader.with_end(|end| end.to_string());
    /// # }
    /// ```
    ///
    /// For an [`End`] of your own, [`reunite`](Self::reunite) the halves.
    pub fn with_end<T>(&self, look: impl FnOnce(&End) -> T) -> Option<T> {
        lock(&self.0).end().map(look)
    }

    /// Rejoins the two halves of a socket, at any time: nothing that was read or queued is lost.
    /// [`into_end`](WebSocket::into_end) of the socket then returns how the connection ended.
    ///
    /// # Errors
    ///
    /// Both halves, if they are not from the same socket.
    pub fn reunite(self, writer: Writer<S>) -> Result<WebSocket<S>, ReuniteError<S>> {
        if !Arc::ptr_eq(&self.0, &writer.0) {
            return Err(ReuniteError(self, writer));
        }
        drop(writer);
        let shared = Arc::into_inner(self.0).expect("there are two halves, and one was dropped");
        Ok(shared.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives access to the socket. For its end, there is [`with_end`](Self::with_end).
    pub fn with_socket<T>(&self, look: impl FnOnce(&mut WebSocket<S>) -> T) -> T {
        look(&mut lock(&self.0))
    }
}

/// Two halves that are not from the same socket, from [`Reader::reunite`].
pub struct ReuniteError<S>(pub Reader<S>, pub Writer<S>);

impl<S> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReuniteError")
    }
}

impl<S> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are not from the same socket")
    }
}

impl<S> std::error::Error for ReuniteError<S> {}

/// The messages to send on, from [`Reader::messages`]. The items are never errors; `forward` needs the type.
#[derive(Debug)]
pub struct Messages<S>(Reader<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for Messages<S> {
    type Item = Result<Message<'static>, SendError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(Pin::new(&mut self.0).poll_next(cx)).map(Message::try_from) {
                Some(Ok(message)) => return Poll::Ready(Some(Ok(message))),
                Some(Err(_control)) => {}
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Writer<S> {
    /// Sends a message. Same as [`WebSocket::send`].
    ///
    /// # Errors
    ///
    /// Same as [`WebSocket::send`].
    pub async fn send<'m>(&mut self, message: impl Into<Message<'m>>) -> Result<(), SendError> {
        let message = message.into();
        poll_fn(|cx| lock(&self.0).poll_space(cx)).await?;
        self.try_send(message)
    }

    /// Sends a message now, without waiting. Same as [`WebSocket::try_send`]. For broadcasts.
    ///
    /// # Errors
    ///
    /// Same as [`WebSocket::try_send`].
    pub fn try_send<'m>(&self, message: impl Into<Message<'m>>) -> Result<(), SendError> {
        lock(&self.0).try_send(message)
    }

    /// Waits until everything sent is written and flushed.
    ///
    /// # Errors
    ///
    /// Same as [`WebSocket::flush`].
    pub async fn flush(&mut self) -> Result<(), SendError> {
        poll_fn(|cx| lock(&self.0).poll_flushed(cx)).await
    }

    /// Sends a Close, and waits until it is written and flushed. The reader then returns what still arrives, the peer's
    /// Close, and `None`; keep it going until then. If a Close was sent before, by either half, this waits for that one.
    ///
    /// A future that is dropped has sent the Close: the reader writes what is left of it.
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`] if no Close could be written, because the transport failed before; same as [`Sender::close`] for
    /// an invalid code or reason.
    ///
    /// [`Sender::close`]: crate::Sender::close
    pub async fn close(&mut self, code: impl IntoCloseCode, reason: &str) -> Result<(), SendError> {
        lock(&self.0).begin_close(code, reason)?;
        poll_fn(|cx| lock(&self.0).poll_close_sent(cx)).await
    }

    /// Ends the connection immediately, without a Close: the reader gets `None`.
    pub fn abort(&self) {
        let mut socket = lock(&self.0);
        socket.endpoint.abort();
        socket.waker.wake_by_ref();
    }

    /// Looks at how the connection ended. Same as [`Reader::with_end`].
    pub fn with_end<T>(&self, look: impl FnOnce(&End) -> T) -> Option<T> {
        lock(&self.0).end().map(look)
    }

    /// Gives access to the socket, such as to its [`endpoint`](WebSocket::endpoint), whose output the reader then
    /// writes.
    pub fn with_socket<T>(&self, look: impl FnOnce(&mut WebSocket<S>) -> T) -> T {
        let mut socket = lock(&self.0);
        let looked = look(&mut socket);
        socket.waker.wake_by_ref();
        looked
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for Reader<S> {
    type Item = Event<'static>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        lock(&self.0).poll_event(cx)
    }
}

impl<'m, S: AsyncRead + AsyncWrite + Unpin> Sink<Message<'m>> for Writer<S> {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut *lock(&self.0)).poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message<'m>) -> Result<(), SendError> {
        Pin::new(&mut *lock(&self.0)).start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Sink::<Message<'m>>::poll_flush(Pin::new(&mut *lock(&self.0)), cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Sink::<Message<'m>>::poll_close(Pin::new(&mut *lock(&self.0)), cx)
    }
}
