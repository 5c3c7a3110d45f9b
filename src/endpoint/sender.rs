//! Sending on an endpoint, also while one of its events is held.

use alloc::vec::Vec;
use core::fmt;

use super::SendError;
use super::flow::Flow;
use super::output::Output;
#[cfg(doc)]
use crate::CloseCode;
use crate::connection::{Compression, Prepared, SendHalf};
use crate::message::{Fin, MessageKind, Payload};
use crate::{Connection, IntoCloseCode, Misuse, Role, State};

/// Sends on an [`Endpoint`](super::Endpoint). [`Events::next`](super::Events::next) returns one with
/// each event, and [`Endpoint::sender`](super::Endpoint::sender) at any other time.
///
/// Output waits in the endpoint until the transport accepts it. Each method does what the method of the same name does
/// on [`Connection`], without the parameter `out`.
pub struct Sender<'e> {
    pub(super) connection: Option<&'e mut Connection>,
    pub(super) output: &'e mut Output,
    pub(super) flow: &'e mut Flow,
    pub(super) cause: Cause,
}

/// Why something is sent. Only output that reading has caused stops reading: otherwise two ends that both send a lot
/// would wait for each other.
#[derive(Clone, Copy)]
pub(super) enum Cause {
    /// An event that is held.
    Event,
    Caller,
}

impl Cause {
    /// Returns how many of the waiting bytes the limit applies to.
    #[inline]
    fn counted(self, output: &Output) -> usize {
        match self {
            Self::Event => output.replies(),
            Self::Caller => output.total(),
        }
    }

    /// Returns whether as many of them wait as the limit allows, or more.
    #[inline]
    pub(super) fn is_full(self, output: &Output) -> bool {
        match self {
            Self::Event => output.is_full_of_replies(),
            Self::Caller => output.total() >= output.limit(),
        }
    }

    /// Records that this caused the last `size` bytes of the output.
    #[inline]
    pub(super) fn account(self, size: usize, output: &mut Output) {
        match self {
            Self::Event => {}
            Self::Caller => output.add_unsolicited(size),
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
            connection: Some(connection),
            output,
            flow,
            cause: Cause::Event,
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
        let (connection, output) = self.open()?;
        Ok(connection.send_ping(payload, output.buffer())?)
    }

    /// Sends a Pong with at most 125 bytes of payload.
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`], or the [`Misuse`] of [`Connection::send_pong`].
    pub fn send_pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        let (connection, output) = self.open()?;
        Ok(connection.send_pong(payload, output.buffer())?)
    }

    /// Starts the closing handshake, or answers the peer's Close if
    /// [`Config::auto_close`](crate::Config::auto_close) leaves that to the caller.
    ///
    /// # Errors
    ///
    /// [`SendError::NotOpen`], or the [`Misuse`] of [`Connection::close`].
    pub fn close(&mut self, code: impl IntoCloseCode, reason: &str) -> Result<(), SendError> {
        let (connection, output) = self.open()?;
        connection.close(code, reason, output.buffer())?;
        output.ends_with_close();
        Ok(())
    }

    /// Sets whether messages are compressed, from the next one on, if compression was negotiated.
    pub fn set_compression(&mut self, compression: Compression) {
        if let Some(connection) = &mut self.connection {
            connection.set_compression(compression);
        }
    }

    /// Returns whether a large message would be compressed: compression was negotiated, and is
    /// [on](Self::set_compression). For a choice between [`send_binary`](Self::send_binary) and
    /// [`send_binary_vectored`](Self::send_binary_vectored), which does not compress.
    pub fn compresses(&self) -> bool {
        let connection = self.connection.as_ref();
        connection.is_some_and(|connection| connection.compresses())
    }

    /// Returns a message's buffer for reuse, like [`Connection::recycle`].
    #[inline]
    pub fn recycle<'p>(&mut self, buffer: impl Into<Payload<'p>>) {
        if let Some(connection) = &mut self.connection {
            connection.recycle(buffer);
        }
    }

    /// Returns whether messages can be sent: the connection is open, and neither side has sent a Close.
    #[inline]
    pub fn is_open(&self) -> bool {
        let state = self.connection.as_ref().map(|connection| connection.state());
        state == Some(State::Open)
    }

    /// Returns whether as much output waits as the limit allows, or more, so that a message would be refused.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.cause.is_full(self.output)
    }

    /// Returns how many bytes wait to be written: like `bufferedAmount` in browsers, but including the framing.
    #[inline]
    pub fn buffered_amount(&self) -> usize {
        self.output.total()
    }

    /// Whether a payload has to be masked, as a client's is.
    pub(super) fn masks(&self) -> bool {
        let role = self.connection.as_ref().map(|connection| connection.role());
        role == Some(Role::Client)
    }

    #[inline]
    pub(super) fn reborrow(&mut self) -> Sender<'_> {
        Sender {
            connection: self.connection.as_deref_mut(),
            output: self.output,
            flow: self.flow,
            cause: self.cause,
        }
    }

    #[inline]
    fn open(&mut self) -> Result<(&mut Connection, &mut Output), SendError> {
        match &mut self.connection {
            Some(connection) => Ok((connection, self.output)),
            None => Err(SendError::NotOpen),
        }
    }

    #[cold]
    fn full(&self) -> SendError {
        SendError::Full {
            waiting: self.cause.counted(self.output),
            limit: self.output.limit(),
        }
    }

    /// Sends a message in one frame; a text is UTF-8.
    #[inline]
    pub(super) fn send(&mut self, kind: MessageKind, payload: &[u8]) -> Result<(), SendError> {
        let connection = self.connection.as_deref_mut();
        let is_sent = append(connection, self.output, self.cause, |half, out| {
            half.send_uncompressed(kind, payload, out)
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

    #[inline]
    pub(super) fn message(
        &mut self,
        send: impl FnOnce(&mut Connection, &mut Vec<u8>) -> Result<(), Misuse>,
    ) -> Result<(), SendError> {
        if self.is_full() {
            return Err(self.full());
        }
        let Some(connection) = &mut self.connection else {
            return Err(SendError::NotOpen);
        };
        let out = self.output.buffer();
        let before = out.len();
        send(connection, out)?;
        let size = out.len().wrapping_sub(before);
        self.cause.account(size, self.output);
        Ok(())
    }
}

/// Lets `send` append to the output, if there is a connection and the limit allows it, and accounts for what it appends. Returns
/// whether it did.
#[inline(always)]
pub(super) fn append(
    connection: Option<&mut Connection>,
    output: &mut Output,
    cause: Cause,
    send: impl FnOnce(&mut SendHalf, &mut Vec<u8>) -> bool,
) -> bool {
    let Some(connection) = connection else {
        return false;
    };
    if cause.is_full(output) {
        return false;
    }
    let out = output.buffer();
    let before = out.len();
    if !send(connection.send_half(), out) {
        return false;
    }
    let size = out.len().wrapping_sub(before);
    cause.account(size, output);
    true
}

impl fmt::Debug for Sender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("is_open", &self.is_open())
            .field("buffered_amount", &self.buffered_amount())
            .finish()
    }
}
