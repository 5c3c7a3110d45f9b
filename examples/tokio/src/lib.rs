//! WebSocket on tokio, over any `AsyncRead + AsyncWrite`: depend on this package by path, or copy its files.
//!
//! ```sh
//! cargo add --path PATH/TO/examples/tokio --no-default-features --features tls,deflate # leave out what is not needed
//! ```
//!
//! ```no_run
//! use embedding_tokio::{ClientRequest, EndpointConfig, Event, connect};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let request = ClientRequest::from_url("ws://localhost:9001/chat")?; // or `wss:`
//! let (mut socket, _response) = connect(request, &EndpointConfig::new()).await?;
//! socket.send("Hello").await?;
//! while let Some(event) = socket.next().await {
//!     if let Event::Text(text) = event {
//!         println!("{text}");
//!     }
//! }
//! eprintln!("{}", socket.into_end()); // who ended it, and why
//! # Ok(())
//! # }
//! ```
//!
//! [`Endpoint`] has the protocol, the buffers and the deadlines; this crate is its driver. The driver is `poll_drive`,
//! `poll_output` and `perform` in this file: each asks for a step, performs it, and reports the result.
//!
//! # What a program has to know
//!
//! - **Keep [`next`](WebSocket::next) going.** It reads, and reading is what replies to Pings, notices the end and
//!   finishes what [`send`](WebSocket::send) could not write immediately. A program that only sends has to call it too,
//!   in a `select!` or in another task, see [`split`](WebSocket::split).
//! - **Everything can be dropped.** Each future can be dropped at any await point, in a `select!` or by a timeout,
//!   without losing data: what was read or queued is in the socket, not in the future. A `send` that is dropped has sent
//!   nothing.
//! - **The end is a value.** After `None`, [`end`](WebSocket::end), or [`with_end`](Reader::with_end) of a half, reports
//!   how the connection ended, including transport errors, missed deadlines and protocol violations.
//! - **Dropping the socket does not close it.** Await [`close`](WebSocket::close), or the peer sees 1006.
//! - **Events are received, messages are sent.** [`Message::try_from`] converts one to the other without a copy.
//!
//! # Features
//!
//! | feature | default | provides |
//! |---|---|---|
//! | `tls` | yes | `wss:` URLs in [`connect`], `connect_with_tls`, `tls_config` |
//! | `axum` | yes | the handshake in the types of the crate `http`, such as `Upgrade::from_http`, for programs on axum or hyper; the program `embedding-room` |
//! | `deflate` | no | compression, where `Config::deflate` asks for it |
//!
//! # Imports
//!
//! Everything that a program needs is exported here, so one `use embedding_tokio::{..}` suffices; what is rarely needed is in
//! [`websocket_proto`].

mod backoff;
mod message;
mod open;
mod split;
mod stream;
#[cfg(feature = "tls")]
mod tls;

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

pub use backoff::Backoff;
pub use message::Message;
#[cfg(feature = "tls")]
pub use open::connect_with_tls;
pub use open::{Incoming, OpenError, accept, client, client_with, connect};
use split::{Half, Wakers};
pub use split::{Messages, Reader, ReuniteError, Writer};
pub use stream::ClientStream;
#[cfg(feature = "tls")]
pub use tls::tls_config;
#[cfg(feature = "tls")]
pub use tokio_rustls;
pub use websocket_proto;
pub use websocket_proto::connection::{Close, Prepared};
#[cfg(feature = "deflate")]
pub use websocket_proto::deflate::DeflateConfig;
pub use websocket_proto::endpoint::{
    End, Endpoint, EndpointConfig, Events, Interruption, Outcome, SendError, Sender, Step, Timeout,
};
pub use websocket_proto::handshake::{ClientRequest, Request, Response, Upgrade};
pub use websocket_proto::keepalive::KeepaliveConfig;
pub use websocket_proto::{
    CloseCode, Closed, ClosedBy, Config, Connection, Delivery, Event, Fin, IntoCloseCode, MessageKind,
    Misuse, Payload, Text,
};

/// One end of a WebSocket connection, and the transport under it.
pub struct WebSocket<S> {
    stream: S,
    endpoint: Endpoint,
    /// The origin of the endpoint's time.
    clock: Instant,
    /// Reset when the endpoint's deadline has changed.
    timer: Option<Pin<Box<Sleep>>>,
    /// The tasks that wait for this socket. The transport and the timer wake both through `waker`.
    wakers: Arc<Wakers>,
    waker: Waker,
    /// Whether the transport has made progress since the other half was woken.
    has_moved: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Wraps a transport on which another library has done the opening handshake, such as hyper's upgraded stream.
    ///
    /// The connection keeps the limits of the [`Config`] that it was created with, and [`EndpointConfig::connection`] is
    /// not used.
    pub fn open(stream: S, connection: Connection, config: &EndpointConfig) -> Self {
        Self::new(stream, |now| {
            Endpoint::from_connection(config, connection, &[], now)
        })
    }

    fn new(stream: S, endpoint: impl FnOnce(std::time::Duration) -> Endpoint) -> Self {
        let clock = Instant::now();
        let wakers = Arc::new(Wakers::default());
        Self {
            stream,
            endpoint: endpoint(clock.elapsed()),
            clock,
            timer: None,
            waker: wakers.clone().into(),
            wakers,
            has_moved: false,
        }
    }

    /// Waits for the next event. Returns `None` after the last one: [`end`](Self::end) then reports how the connection
    /// ended.
    ///
    /// The event is owned; [`ready`](Self::ready) lends events without a copy.
    pub async fn next(&mut self) -> Option<Event<'static>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Waits until [`next_event`](Self::next_event) may have an event. Returns `false` after the last one.
    pub async fn ready(&mut self) -> bool {
        let step = poll_fn(|cx| self.poll_as(Half::Reader, cx, Self::poll_drive)).await;
        step == Step::Event
    }

    /// Lends the next event, with a handle for replying while it is held: see [`Endpoint::next_event`].
    pub fn next_event(&mut self) -> Option<(Event<'_>, Sender<'_>)> {
        self.endpoint.next_event()
    }

    /// Lends the events that have arrived, each with a handle for replying while it is held: see [`Endpoint::events`].
    ///
    /// ```no_run
    /// # use embedding_tokio::{Event, WebSocket};
    /// # async fn echo(socket: &mut WebSocket<tokio::net::TcpStream>) {
    /// while socket.ready().await {
    ///     let mut events = socket.events();
    ///     while let Some((event, mut sender)) = events.next() {
    ///         if let Event::Text(text) = event {
    ///             _ = sender.send_text(&text);
    ///         }
    ///     }
    /// }
    /// # }
    /// ```
    pub fn events(&mut self) -> Events<'_> {
        self.endpoint.events()
    }

    /// Sends a message: waits while too much output is buffered, queues the message, and writes what the transport
    /// accepts immediately. A server's message of 16 KiB or more that is not compressed is written without being copied, as
    /// far as the transport accepts it. The rest is written while [`next`](Self::next), [`flush`](Self::flush) or
    /// [`close`](Self::close) is awaited. A future that is dropped has not sent the message.
    ///
    /// # Errors
    ///
    /// Same as [`Sender::send_text`], except [`SendError::Full`].
    pub async fn send<'m>(&mut self, message: impl Into<Message<'m>>) -> Result<(), SendError> {
        let message = message.into();
        poll_fn(|cx| self.poll_space(cx)).await?;
        self.try_send(message)
    }

    /// Sends a message now, without waiting.
    ///
    /// # Errors
    ///
    /// Same as [`Sender::send_text`]; [`SendError::Full`] if too much output is buffered.
    pub fn try_send<'m>(&mut self, message: impl Into<Message<'m>>) -> Result<(), SendError> {
        let sent = self.queue(&message.into());
        self.write_now();
        sent
    }

    /// Waits until everything sent is written and flushed.
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`] if the transport failed before.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_flushed(cx)).await
    }

    /// Closes the connection, and waits for the peer's Close and the end of the transport. Messages that still arrive
    /// are dropped; to receive them, [`send`](Self::send) a [`Message::Close`] and call [`next`](Self::next) until
    /// `None`.
    ///
    /// # Errors
    ///
    /// Same as [`Sender::close`] for an invalid code or reason.
    pub async fn close(&mut self, code: impl IntoCloseCode, reason: &str) -> Result<&End, SendError> {
        self.begin_close(code, reason)?;
        while self.ready().await {
            while self.next_event().is_some() {}
        }
        self.end().ok_or(SendError::NotOpen)
    }

    /// Returns how the connection ended, once [`next`](Self::next) has returned `None`.
    pub fn end(&self) -> Option<&End> {
        self.endpoint.end()
    }

    /// Drops the transport, and returns how the connection ended.
    pub fn into_end(self) -> End {
        self.endpoint.into_end()
    }

    /// Returns the endpoint, for everything else: Pings, fragments, round-trip times.
    pub fn endpoint(&mut self) -> &mut Endpoint {
        &mut self.endpoint
    }

    /// Returns the transport. Do not read or write it.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Splits the socket for two tasks, one that reads and one that writes. Either half shows how the connection ended,
    /// by [`with_end`](Reader::with_end); [`reunite`](Reader::reunite) rejoins them.
    ///
    /// `split` of the crate `futures` works as well: either way, each half has its own waker. But its sink holds a message
    /// back until the next call, so a message sent just before the peer's Close is received may be lost with
    /// [`SendError::NotOpen`].
    pub fn split(self) -> (Reader<S>, Writer<S>) {
        split::split(self)
    }

    /// Drives the transport until the caller is needed: for a request, a response, events or the end.
    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        self.endpoint.ready();
        loop {
            match self.endpoint.step(self.clock.elapsed()) {
                step @ (Step::Request | Step::Response | Step::Event | Step::Done) => {
                    return Poll::Ready(step);
                }
                Step::Wait(_) => ready!(self.poll_timer(cx)),
                step => self.perform(step, cx),
            }
        }
    }

    /// Writes, whether or not events are waiting, until `is_enough` or until everything is flushed.
    fn poll_output(
        &mut self,
        cx: &mut Context<'_>,
        is_enough: fn(&mut Endpoint) -> bool,
    ) -> Poll<Result<(), SendError>> {
        self.endpoint.ready();
        while !is_enough(&mut self.endpoint) {
            match self.endpoint.flush_step(self.clock.elapsed()) {
                None => break,
                Some(Step::Done) => return Poll::Ready(Err(SendError::NotOpen)),
                Some(Step::Wait(_)) => ready!(self.poll_timer(cx)),
                Some(step) => self.perform(step, cx),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Performs one step on the transport, and reports the result.
    fn perform(&mut self, step: Step, cx: &mut Context<'_>) {
        let (endpoint, stream) = (&mut self.endpoint, Pin::new(&mut self.stream));
        match step {
            Step::Read => {
                let mut space = ReadBuf::new(endpoint.read_space());
                let read = stream.poll_read(cx, &mut space);
                match read.map_ok(|()| space.filled().len()) {
                    Poll::Ready(Ok(size)) => endpoint.received(size),
                    Poll::Ready(Err(error)) => endpoint.read_failed(error),
                    Poll::Pending => return endpoint.read_blocked(),
                }
            }
            Step::Write => match stream.poll_write(cx, endpoint.output()) {
                Poll::Ready(Ok(0)) => endpoint.write_failed(io::Error::from(io::ErrorKind::WriteZero)),
                Poll::Ready(Ok(size)) => endpoint.written(size),
                Poll::Ready(Err(error)) => endpoint.write_failed(error),
                Poll::Pending => return endpoint.write_blocked(),
            },
            Step::Flush => match stream.poll_flush(cx) {
                Poll::Ready(Ok(())) => endpoint.flushed(),
                Poll::Ready(Err(error)) => endpoint.write_failed(error),
                Poll::Pending => return endpoint.write_blocked(),
            },
            Step::Shutdown => match stream.poll_shutdown(cx) {
                Poll::Ready(Ok(())) => endpoint.shut_down(),
                Poll::Ready(Err(error)) => endpoint.write_failed(error),
                Poll::Pending => return endpoint.write_blocked(),
            },
            Step::Request | Step::Response | Step::Event | Step::Wait(_) | Step::Done => return,
        }
        self.has_moved = true;
    }

    /// Waits for the endpoint's deadline.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.endpoint.deadline() else {
            return Poll::Pending;
        };
        let deadline = self.clock + deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(cx));
        self.endpoint.ready();
        Poll::Ready(())
    }
}

/// What a half does when it is polled.
impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Polls for one half: the transport and the timer get the waker that wakes both halves, and progress wakes the
    /// other one.
    fn poll_as<T>(
        &mut self,
        half: Half,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.wakers.register(half, cx.waker());
        let waker = self.waker.clone();
        let polled = poll(self, &mut Context::from_waker(&waker));
        if polled.is_ready() {
            self.wakers.clear(half);
        }
        if std::mem::take(&mut self.has_moved) {
            self.wakers.wake_one(half.other());
        }
        polled
    }

    fn poll_event(&mut self, cx: &Context<'_>) -> Poll<Option<Event<'static>>> {
        loop {
            if let Some((event, _)) = self.endpoint.next_event() {
                return Poll::Ready(Some(event.into_owned()));
            }
            match ready!(self.poll_as(Half::Reader, cx, Self::poll_drive)) {
                Step::Event => {}
                _ => return Poll::Ready(None),
            }
        }
    }

    fn poll_space(&mut self, cx: &Context<'_>) -> Poll<Result<(), SendError>> {
        let has_space = |endpoint: &mut Endpoint| !endpoint.sender().is_full();
        self.poll_as(Half::Writer, cx, |socket, cx| socket.poll_output(cx, has_space))
    }

    fn poll_flushed(&mut self, cx: &Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_as(Half::Writer, cx, |socket, cx| socket.poll_output(cx, |_| false))
    }

    /// Sends a Close, unless one was sent before or the connection has ended.
    fn begin_close(&mut self, code: impl IntoCloseCode, reason: &str) -> Result<(), SendError> {
        message::send_close(&mut self.endpoint.sender(), code, reason)?;
        self.write_now();
        Ok(())
    }

    /// Waits until the Close that was sent is written and flushed.
    fn poll_close_sent(&mut self, cx: &Context<'_>) -> Poll<Result<(), SendError>> {
        let flushed = ready!(self.poll_flushed(cx));
        let closed = self.end().and_then(End::closed);
        Poll::Ready(match closed.and_then(Closed::code_sent) {
            Some(_) => Ok(()), // and the connection has ended since
            None => flushed,
        })
    }

    /// Queues a message. If nothing waits before it and the transport has vectored writes, a large one is written from
    /// where it is, and only what the transport does not accept is copied. No future is awaited in between, so none can
    /// be dropped with a part of the message.
    fn queue(&mut self, message: &Message<'_>) -> Result<(), SendError> {
        let waits = self.endpoint.flush_step(self.clock.elapsed()).is_some();
        let mut sender = self.endpoint.sender();
        if waits || !self.stream.is_write_vectored() || sender.compresses() {
            return message.send(&mut sender);
        }
        let Some(write) = message.send_large(&mut sender) else {
            return message.send(&mut sender);
        };
        let (mut write, mut cx) = (write?, Context::from_waker(&self.waker));
        loop {
            let slices = write.slices().map(IoSlice::new);
            if slices.iter().all(|slice| slice.is_empty()) {
                return Ok(());
            }
            match Pin::new(&mut self.stream).poll_write_vectored(&mut cx, &slices) {
                Poll::Ready(Ok(0)) => write.write_failed(io::Error::from(io::ErrorKind::WriteZero)),
                Poll::Ready(Ok(size)) => {
                    write.written(size);
                    continue;
                }
                Poll::Ready(Err(error)) => write.write_failed(error),
                Poll::Pending => write.write_blocked(),
            }
            return Ok(());
        }
    }

    /// Writes what the transport accepts. Wakes the tasks that wait for the socket, so that they wait for the rest.
    fn write_now(&mut self) {
        let waker = self.waker.clone();
        let mut cx = Context::from_waker(&waker);
        self.endpoint.ready();
        while let Some(step @ (Step::Write | Step::Flush)) = self.endpoint.flush_step(self.clock.elapsed()) {
            self.perform(step, &mut cx);
        }
        self.has_moved = false;
        self.waker.wake_by_ref();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Event<'static>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_event(cx)
    }
}

/// `poll_ready` waits while too much output is buffered, and `poll_close` sends a Close with code 1000: the `Stream`
/// then ends.
impl<'m, S: AsyncRead + AsyncWrite + Unpin> Sink<Message<'m>> for WebSocket<S> {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_space(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message<'m>) -> Result<(), SendError> {
        self.get_mut().queue(&message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_flushed(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let socket = self.get_mut();
        socket.begin_close(CloseCode::NORMAL, "")?;
        socket.poll_close_sent(cx)
    }
}

/// Omits what is sent and received.
impl<S> std::fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebSocket")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// Compiles and runs the code of the guide's chapter on migrating.
#[cfg(all(doctest, feature = "axum", feature = "tls"))]
#[doc = include_str!("../../../src/guide/migrating.md")]
struct Migrating;

#[cfg(test)]
mod tests;
