//! Messages whose payload is written without copying it.

use core::fmt;

use super::flow::Flow;
use super::output::Output;
use super::sender::{Cause, send_within_limit};
use super::{SendError, Sender, TransportError};
use crate::Connection;
#[cfg(doc)]
use crate::Misuse;
use crate::message::MessageKind;

/// A message that is being sent with one vectored write: its header waits in the output, and its payload is still in
/// the caller's buffer.
///
/// [`Sender::send_text_vectored`], [`Sender::send_binary_vectored`] and [`Sender::send_in_place`] return it. Write
/// [`slices`](Self::slices), and report the result as after [`Step::Write`](super::Step::Write). When this value is
/// dropped, the part of the payload that the transport has not accepted is copied into the output, and
/// [`Step::Write`](super::Step::Write) writes it as usual. So you need not hold anything across an await, and a message
/// that the transport accepts immediately is never copied.
///
/// Do not leak it, by [`core::mem::forget`] for example: the header would be sent without its payload, and the peer would take the
/// frames that follow for the payload.
///
/// ```
/// use std::io::{IoSlice, Write};
/// use std::time::Duration;
/// use websocket_proto::endpoint::{Endpoint, EndpointConfig};
/// use websocket_proto::{Config, Connection};
///
/// let connection = Connection::server(&Config::new());
/// let mut endpoint = Endpoint::from_connection(&EndpointConfig::new(), connection, &[], Duration::ZERO);
/// let mut transport = Vec::new();
/// let (payload, mut sender) = (vec![7; 100_000], endpoint.sender());
/// let mut write = sender.send_binary_vectored(&payload)?;
/// match transport.write_vectored(&write.slices().map(IoSlice::new)) {
///     Ok(size) => write.written(size),
///     Err(error) => write.write_failed(error), // `write_blocked` for `WouldBlock`
/// }
/// drop(write);
/// assert!(transport.len() == 100_010 && endpoint.output().is_empty());
/// # Ok::<(), websocket_proto::endpoint::SendError>(())
/// ```
#[must_use = "the payload is copied into the output when this is dropped without a write"]
pub struct VectoredWrite<'s> {
    output: &'s mut Output,
    flow: &'s mut Flow,
    cause: Cause,
    /// The part of the payload that is not written.
    payload: &'s [u8],
}

impl<'s> Sender<'s> {
    /// Sends a text message without copying the part of the text that the transport accepts immediately: see
    /// [`VectoredWrite`]. The message is not compressed. A client has to mask its text, which copies it into the
    /// output; use [`send_in_place`](Self::send_in_place) instead.
    ///
    /// Use it for texts of about 16 KiB or more; for smaller ones, [`send_text`](Self::send_text) is faster.
    ///
    /// # Errors
    ///
    /// Same as [`send_text`](Self::send_text).
    #[inline]
    pub fn send_text_vectored<'p>(&'p mut self, text: &'p str) -> Result<VectoredWrite<'p>, SendError> {
        self.send_vectored(MessageKind::Text, text.as_bytes())
    }

    /// Sends a binary message without copying the part of the payload that the transport accepts immediately. Otherwise
    /// the same as [`send_text_vectored`](Self::send_text_vectored).
    ///
    /// # Errors
    ///
    /// Same as [`send_binary`](Self::send_binary).
    #[inline]
    pub fn send_binary_vectored<'p>(&'p mut self, payload: &'p [u8]) -> Result<VectoredWrite<'p>, SendError> {
        self.send_vectored(MessageKind::Binary, payload)
    }

    /// Sends a message, in either role, without copying the part of the payload that the transport accepts immediately:
    /// see [`VectoredWrite`]. A client masks the payload in place. The message is not compressed.
    ///
    /// # Errors
    ///
    /// Same as [`send_text`](Self::send_text), and [`Misuse::InvalidUtf8`] if a text
    /// payload is not UTF-8, in which case the payload is untouched.
    pub fn send_in_place<'p>(
        &'p mut self,
        kind: MessageKind,
        payload: &'p mut [u8],
    ) -> Result<VectoredWrite<'p>, SendError> {
        self.message(|connection, out| connection.send_in_place(kind, payload, out))?;
        Ok(self.reborrow().beside(payload))
    }

    #[inline]
    fn send_vectored<'p>(
        &'p mut self,
        kind: MessageKind,
        payload: &'p [u8],
    ) -> Result<VectoredWrite<'p>, SendError> {
        let output = &mut *self.output;
        let is_sent = self.origin.with_connection(|connection, cause| {
            send_short_header(connection, output, cause, kind, payload.len())
        });
        let payload = match is_sent {
            true => payload,
            false => self.reborrow().send_header_or_masked(kind, payload)?,
        };
        Ok(self.reborrow().beside(payload))
    }

    /// Returns the part of the payload that is not in the output: nothing of a client's, which is masked on the way. Not
    /// inlined, by value and cold, as [`send_compressed`](Self::send_compressed) is.
    #[cold]
    #[inline(never)]
    fn send_header_or_masked(mut self, kind: MessageKind, payload: &[u8]) -> Result<&[u8], SendError> {
        if self.masks() {
            self.send(kind, payload)?;
            return Ok(&[]);
        }
        self.message(|connection, out| connection.send_half().send_header(kind, payload.len(), out))?;
        Ok(payload)
    }

    #[inline]
    fn beside(self, payload: &'s [u8]) -> VectoredWrite<'s> {
        VectoredWrite {
            cause: self.cause(),
            output: self.output,
            flow: self.flow,
            payload,
        }
    }
}

/// Appends a message's header, if that takes no allocation and the message is sent as it is. Returns whether it did. Not inlined,
/// although inlining saves 15 instructions: a sender then stays in registers, which takes three quarters of the time.
#[inline(never)]
fn send_short_header(
    connection: &mut Connection,
    output: &mut Output,
    cause: Cause,
    kind: MessageKind,
    len: usize,
) -> bool {
    send_within_limit(connection, output, cause, |half, out| {
        half.send_short_header(kind, len, out)
    })
}

impl VectoredWrite<'_> {
    /// Returns what to write, in this order: all waiting output, with the header at its end, and the payload.
    #[inline]
    pub fn slices(&self) -> [&[u8]; 2] {
        [self.output.waiting(), self.payload]
    }

    /// Records that the transport accepted the first `size` bytes of both [`slices`](Self::slices) together.
    #[inline]
    pub fn written(&mut self, size: usize) {
        match size.checked_sub(self.output.total()) {
            Some(of_payload) => {
                self.output.written_completely();
                self.payload = self.payload.get(of_payload..).unwrap_or_default();
            }
            None => self.output.written_in_part(size),
        }
        self.flow
            .wrote(size, self.output.total().saturating_add(self.payload.len()));
    }

    /// Records that the transport accepts no output now, like
    /// [`Endpoint::write_blocked`](super::Endpoint::write_blocked).
    pub fn write_blocked(&mut self) {
        self.flow.write_blocked();
    }

    /// Records that the transport could not be written to, like
    /// [`Endpoint::write_failed`](super::Endpoint::write_failed).
    pub fn write_failed(&mut self, error: impl Into<TransportError>) {
        self.flow.fail_writing(error.into());
    }
}

/// Copies the rest of the payload into the output.
impl Drop for VectoredWrite<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.payload.is_empty() {
            keep(self.payload, self.output, self.cause);
        }
    }
}

/// Copies what is left of a payload into the output. Not inlined, so that a drop is small enough to be inlined even where a panic
/// unwinds: then the fields of a [`VectoredWrite`] need not be in memory.
#[inline(never)]
fn keep(payload: &[u8], output: &mut Output, cause: Cause) {
    output.buffer().extend_from_slice(payload);
    output.appended(cause);
}

/// Does not show the payload.
impl fmt::Debug for VectoredWrite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VectoredWrite")
            .field("sizes", &self.slices().map(<[u8]>::len))
            .finish_non_exhaustive()
    }
}
