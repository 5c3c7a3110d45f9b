//! Sending on an endpoint, also while one of its events is held.

use alloc::vec::Vec;
use core::fmt;

use super::flow::Flow;
use super::output::Output;
use super::{Phase, SendError};
#[cfg(doc)]
use crate::CloseCode;
use crate::connection::{Compression, Prepared, SendHalf};
use crate::message::{Fin, MessageKind, Payload};
use crate::{Connection, IntoCloseCode, Misuse, Role};

/// Sends on an [`Endpoint`](super::Endpoint). [`Events::next`](super::Events::next) returns one with
/// each event, and [`Endpoint::sender`](super::Endpoint::sender) at any other time.
///
/// Output waits in the endpoint until the transport accepts it. Each method does what the method of the same name does
/// on [`Connection`], without the parameter `out`.
///
/// ```
/// use std::time::Duration;
/// use websocket_proto::endpoint::{Endpoint, EndpointConfig, SendError};
/// use websocket_proto::{CloseCode, Config, Connection};
///
/// let config = EndpointConfig::new().max_buffered(6);
/// let mut endpoint = Endpoint::from_connection(&config, Connection::server(&Config::new()), &[], Duration::ZERO);
/// let mut sender = endpoint.sender();
/// sender.send_text("Hello")?;
/// assert_eq!(sender.buffered_amount(), 7);
/// assert_eq!(sender.send_text("more"), Err(SendError::Full { waiting: 7, limit: 6 }));
/// sender.close(CloseCode::TRY_AGAIN_LATER, "too slow")?; // a Close is always accepted
/// assert!(!sender.is_open());
/// # Ok::<(), SendError>(())
/// ```
pub struct Sender<'e> {
    pub(super) origin: Origin<'e>,
    pub(super) output: &'e mut Output,
    pub(super) flow: &'e mut Flow,
}

/// Who sends.
pub(super) enum Origin<'e> {
    /// Who holds an event, so there is a connection.
    Event(&'e mut Connection),
    /// Who calls at any other time. Holds the phase instead of an `Option`, so that each use takes a single look at it.
    Caller(&'e mut Phase),
}

/// Why something is sent. Only output that reading has caused stops reading: otherwise two ends that both send a lot
/// would wait for each other.
#[derive(Clone, Copy)]
pub(super) enum Cause {
    /// An event that is held.
    Event,
    Caller,
}

impl Origin<'_> {
    #[inline]
    fn cause(&self) -> Cause {
        match self {
            Self::Event(_) => Cause::Event,
            Self::Caller(_) => Cause::Caller,
        }
    }

    fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Event(connection) => Some(connection),
            Self::Caller(Phase::Open(connection)) => Some(connection),
            Self::Caller(_) => None,
        }
    }

    #[inline]
    fn connection_mut(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Event(connection) => Some(connection),
            Self::Caller(Phase::Open(connection)) => Some(connection),
            Self::Caller(_) => None,
        }
    }

    /// Lets `send` send with the connection, if there is one. Returns whether it did. Each case has its own call, because the compiler
    /// would otherwise make an `Option` of them, and look at that once more.
    #[inline(always)]
    pub(super) fn with_connection(&mut self, send: impl FnOnce(&mut Connection, Cause) -> bool) -> bool {
        match self {
            Self::Event(connection) => send(connection, Cause::Event),
            Self::Caller(Phase::Open(connection)) => send(connection, Cause::Caller),
            Self::Caller(_) => false,
        }
    }

    #[inline]
    fn reborrow(&mut self) -> Origin<'_> {
        match self {
            Self::Event(connection) => Origin::Event(connection),
            Self::Caller(phase) => Origin::Caller(phase),
        }
    }
}

impl<'e> Sender<'e> {
    /// Returns what an event is answered with.
    #[inline]
    pub(super) fn for_event(
        connection: &'e mut Connection,
        output: &'e mut Output,
        flow: &'e mut Flow,
    ) -> Self {
        Self {
            origin: Origin::Event(connection),
            output,
            flow,
        }
    }
}

impl Sender<'_> {
    /// Sends a text message in one frame.
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`], [`SendError::Full`], or the [`Misuse`] of [`Connection::send_text`].
    #[inline]
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.send(MessageKind::Text, text.as_bytes())
    }

    /// Sends a binary message in one frame.
    ///
    /// # Errors
    ///
    /// Same as [`send_text`](Self::send_text).
    #[inline]
    pub fn send_binary(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.send(MessageKind::Binary, payload)
    }

    /// Sends the next fragment of a message, and begins the message if none is being sent.
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`], [`SendError::Full`], or the [`Misuse`] of
    /// [`Connection::send_fragment`].
    pub fn send_fragment(&mut self, kind: MessageKind, payload: &[u8], fin: Fin) -> Result<(), SendError> {
        self.message(|connection, out| connection.send_fragment(kind, payload, fin, out))
    }

    /// Sends a message encoded in advance, e.g. for a broadcast.
    ///
    /// # Errors
    ///
    /// Same as [`send_text`](Self::send_text). [`SendError::Full`] means that the peer does not keep up with the
    /// broadcast; [`close`](Self::close) it with [`CloseCode::TRY_AGAIN_LATER`].
    #[inline]
    pub fn send_prepared(&mut self, prepared: &Prepared) -> Result<(), SendError> {
        self.message(|connection, out| connection.send_prepared(prepared, out))
    }

    /// Sends a Ping with at most 125 bytes of payload. The endpoint sends its own Pings, see
    /// [`keepalive`](super::EndpointConfig::keepalive).
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`], or the [`Misuse`] of [`Connection::send_ping`].
    pub fn send_ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.append(|connection, out| connection.send_ping(payload, out))
    }

    /// Sends a Pong with at most 125 bytes of payload.
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`], or the [`Misuse`] of [`Connection::send_pong`].
    pub fn send_pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.append(|connection, out| connection.send_pong(payload, out))
    }

    /// Starts the closing handshake, or answers the peer's Close if
    /// [`Config::auto_close`](crate::Config::auto_close) leaves that to the caller.
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`], or the [`Misuse`] of [`Connection::close`].
    pub fn close(&mut self, code: impl IntoCloseCode, reason: &str) -> Result<(), SendError> {
        self.append(|connection, out| connection.close(code, reason, out))?;
        self.output.ends_with_close();
        Ok(())
    }

    /// Sets whether messages are compressed, from the next one on, if compression was negotiated.
    pub fn set_compression(&mut self, compression: Compression) {
        if let Some(connection) = self.origin.connection_mut() {
            connection.set_compression(compression);
        }
    }

    /// Returns whether a large message would be compressed: compression was negotiated, and is
    /// [on](Self::set_compression). For a choice between [`send_binary`](Self::send_binary) and
    /// [`send_binary_vectored`](Self::send_binary_vectored), which does not compress.
    pub fn compresses(&self) -> bool {
        self.origin.connection().is_some_and(Connection::compresses)
    }

    /// Returns a message's buffer for reuse, like [`Connection::recycle`].
    #[inline]
    pub fn recycle<'p>(&mut self, buffer: impl Into<Payload<'p>>) {
        if let Some(connection) = self.origin.connection_mut() {
            connection.recycle(buffer);
        }
    }

    /// Returns whether messages can be sent, like [`Endpoint::is_open`](super::Endpoint::is_open).
    #[inline]
    pub fn is_open(&self) -> bool {
        self.origin.connection().is_some_and(Connection::is_open)
    }

    /// Returns whether as much output waits as the limit allows, or more, so that a message would be refused.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.output.is_full(self.cause())
    }

    /// Returns how many bytes wait to be written: like `bufferedAmount` in browsers, but including the framing.
    #[inline]
    pub fn buffered_amount(&self) -> usize {
        self.output.total()
    }

    /// Whether a payload has to be masked, as a client's is.
    pub(super) fn masks(&self) -> bool {
        self.origin.connection().map(Connection::role) == Some(Role::Client)
    }

    #[inline]
    pub(super) fn cause(&self) -> Cause {
        self.origin.cause()
    }

    #[inline]
    pub(super) fn reborrow(&mut self) -> Sender<'_> {
        Sender {
            origin: self.origin.reborrow(),
            output: self.output,
            flow: self.flow,
        }
    }

    /// Returns why nothing is sent while the output is full: if the connection is closing, there will never be space.
    #[cold]
    fn full(&mut self) -> SendError {
        let Some(connection) = self.origin.connection_mut() else {
            return SendError::NotOpen;
        };
        match connection.send_half().check_fragment() {
            Ok(()) => SendError::Full {
                waiting: self.output.counted(self.cause()),
                limit: self.output.limit(),
            },
            Err(closing) => closing.into(),
        }
    }

    /// Sends a message in one frame; a text is UTF-8.
    #[inline]
    pub(super) fn send(&mut self, kind: MessageKind, payload: &[u8]) -> Result<(), SendError> {
        let output = &mut *self.output;
        let is_sent = self.origin.with_connection(|connection, cause| {
            send_within_limit(connection, output, cause, |half, out| {
                half.send_uncompressed(kind, payload, out)
            })
        });
        match is_sent {
            true => Ok(()),
            false => self.reborrow().send_compressed(kind, payload),
        }
    }

    /// Not inlined, and by value, so that a sender need not be in memory for other messages; and cold, so that these do not jump
    /// over the call.
    #[cold]
    #[inline(never)]
    fn send_compressed(mut self, kind: MessageKind, payload: &[u8]) -> Result<(), SendError> {
        self.message(|connection, out| connection.send_half().send_compressed(kind, payload, out))
    }

    /// Lets `send` append a message to the output, if the limit allows it.
    #[inline]
    pub(super) fn message(
        &mut self,
        send: impl FnOnce(&mut Connection, &mut Vec<u8>) -> Result<(), Misuse>,
    ) -> Result<(), SendError> {
        match self.is_full() {
            true => Err(self.full()),
            false => self.append(send),
        }
    }

    /// Lets `send` append to the output, if there is a connection.
    #[inline]
    fn append(
        &mut self,
        send: impl FnOnce(&mut Connection, &mut Vec<u8>) -> Result<(), Misuse>,
    ) -> Result<(), SendError> {
        let Self { origin, output, .. } = self;
        let cause = origin.cause();
        let connection = origin.connection_mut().ok_or(SendError::NotOpen)?;
        send(connection, output.buffer())?;
        output.appended(cause);
        Ok(())
    }
}

/// Lets `send` append to the output, if the limit allows it. Returns whether it did. Takes the parts of a sender, so that they are in
/// registers.
#[inline(always)]
pub(super) fn send_within_limit(
    connection: &mut Connection,
    output: &mut Output,
    cause: Cause,
    send: impl FnOnce(&mut SendHalf, &mut Vec<u8>) -> bool,
) -> bool {
    if output.is_full(cause) {
        return false;
    }
    let is_sent = send(connection.send_half(), output.buffer());
    output.appended(cause);
    is_sent
}

impl fmt::Debug for Sender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("is_open", &self.is_open())
            .field("buffered_amount", &self.buffered_amount())
            .finish()
    }
}
