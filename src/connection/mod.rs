//! One open connection: bytes in, events and replies out.
//!
//! # The contract of `receive`
//!
//! ```text
//!                 input: &mut &'i mut [u8]                    out: &mut Vec<u8>
//!   from the  +---------+-----------------------+      +----------------------------+
//!   transport | consumed| not yet looked at     |      | replies and what you send  |  to the
//!             +---------+-----------------------+      +----------------------------+  transport
//!                  |                                       ^
//!                  +-> Event<'i>: lent from the input      +-- Pong, Close: in the same call
//! ```
//!
//! 1. An [`Event`] borrows from the input, never from the connection: while you hold it, you can send. A message that is
//!    complete in the input is unmasked in place and borrowed; a message received in pieces is moved out.
//! 2. While the connection is open, `Ok(None)` means that all of `input` is consumed (or, with
//!    [`Delivery::InPlace`](crate::Delivery::InPlace), all but the payload of a partial frame), so read more. Each call
//!    returns one event. After a Close or an error, the rest of `input` is left untouched.
//! 3. Replies are in `out` when the call returns. Nothing is queued, so there is nothing to flush or poll. A Close that
//!    follows a message in the same input is a separate event, answered only when that event is returned, so you can
//!    still reply to the message first.
//! 4. Limits are checked when a header arrives, before waiting for or storing the payload; the limit of a compressed
//!    message is checked while it is inflated, before more is stored.
//! 5. An error is final: each later call returns the same error, consumes nothing and writes nothing. The Close
//!    frame for the peer is already in `out`.
//!
//! The order of a loop is receive, write, read: bytes that followed the handshake then need no special case, and `out`
//! is written before waiting for anything. One read produces replies of at most a few times its size. A server that
//! replies to every message should also write inside the loop when `out` grows large.
//!
//! Between calls the connection keeps: a partial header (at most 13 bytes), the partial message, a partial control
//! frame interleaved with it, any recycled buffer and, if compression was negotiated, its windows. No call blocks: a
//! future that awaits a read between calls can be dropped without losing anything.
//!
//! # The end
//!
//! [`Connection::state`] says how far the closing handshake is, [`Connection::transport_advice`] what to do with the
//! transport, and [`Connection::receive_eof`] summarizes how the connection ended. The core never closes anything, and
//! has no clock: when it says [`TransportAdvice::AwaitPeer`], setting a timer is up to you.
//!
//! A client that connects again after an abnormal end should wait a random time of up to five seconds before
//! the first attempt, and longer before each further one (RFC 6455 section 7.2.3).
//!
//! A text is checked to be UTF-8 and nothing else: escape it for where it goes, such as SQL, HTML or a shell (section
//! 10.7).

mod compression;
mod control;
mod event;
mod framing;
mod halves;
mod prepared;
mod reads;
mod receive;
mod reply;
mod send;
mod state;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

pub use event::{Close, Event};
pub use prepared::Prepared;
pub use receive::ReceiveHalf;
pub use reply::Reply;
use reply::ReplyKind;
pub use send::{Compression, SendHalf};
use state::Incoming;
pub use state::{Closed, ClosedBy, State, TransportAdvice};

#[cfg(feature = "deflate")]
use crate::deflate::{DeflateConfig, Parameters};
use crate::error::{Error, Misuse};
use crate::frame::Role;
use crate::message::{Fin, MessageKind, Payload};
use crate::{Config, Entropy, IntoCloseCode};

/// An open connection, in either role. See the [module](self) for the contract.
///
/// ```
/// use websocket_proto::{CloseCode, Config, Connection, Event, State, entropy};
///
/// let config = Config::new();
/// let mut server = Connection::server(&config);
/// let mut client = Connection::client(&config, entropy::from_fn(|key| key.fill(7))); // tests may be deterministic
///
/// // The client sends a message and closes ...
/// let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
/// client.send_text("Hello", &mut to_server)?;
/// client.close(CloseCode::NORMAL, "done", &mut to_server)?;
///
/// // ... and the server echoes the message and the Close.
/// let mut input = &mut to_server[..];
/// while let Some(event) = server.receive(&mut input, &mut to_client)? {
///     match event {
///         Event::Text(text) => server.send_text(&text, &mut to_client)?,
///         Event::Close(close) => assert_eq!(close.reason, "done"),
///         other => panic!("unexpected {other:?}"),
///     }
/// }
/// assert_eq!(to_client, b"\x81\x05Hello\x88\x02\x03\xe8");
/// assert_eq!(server.state(), State::Closed);
/// assert!(server.receive_eof().is_clean());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Connection {
    receiver: ReceiveHalf,
    sender: SendHalf,
}

impl Connection {
    /// Creates the server's end of a connection after its opening handshake, whether this crate or another library did
    /// it.
    pub fn server(config: &Config) -> Self {
        Self {
            receiver: ReceiveHalf::new(Role::Server, config),
            sender: SendHalf::server(config),
        }
    }

    /// Creates the client's end of a connection after its opening handshake. The mask key of each frame is drawn from
    /// `entropy`, which has to be cryptographically strong (RFC 6455 section 10.3).
    pub fn client(config: &Config, entropy: impl Entropy + 'static) -> Self {
        Self {
            receiver: ReceiveHalf::new(Role::Client, config),
            sender: SendHalf::client(Box::new(entropy), config),
        }
    }

    /// Enables compression, as negotiated by another handshake implementation. With this crate's handshake, use
    /// [`Config::deflate`] instead.
    ///
    /// `parameters` determines the windows and context takeover. Only the compressor settings of `config` are used:
    /// [`send_window_bits`](DeflateConfig::send_window_bits), [`keep_engine`](DeflateConfig::keep_engine),
    /// [`level`](DeflateConfig::level) and [`threshold`](DeflateConfig::threshold).
    ///
    /// A message that is being sent or received continues as it began; only later messages can be compressed. If
    /// compression was negotiated before, by the opening handshake or by this method, this does nothing.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(mut self, parameters: Parameters, config: &DeflateConfig) -> Self {
        let role = self.role();
        if !self.receiver.has_agreement() {
            self.receiver.inflate(parameters.sender_window(role.peer()));
            let window = parameters.sender_window(role);
            self.sender.deflate(compression::Deflating::new(window, config));
        }
        self
    }

    /// Sets whether messages are compressed, from the next one on. Default: [`Compression::On`].
    ///
    /// Has no effect unless compression was negotiated.
    pub fn set_compression(&mut self, compression: Compression) {
        self.sender.set_compression(compression);
    }

    /// Same as [`Sender::compresses`](crate::endpoint::Sender::compresses).
    pub(crate) fn compresses(&self) -> bool {
        self.sender.compresses()
    }

    /// Changes the limit of [`Config::max_message_size`] from now on, also for the message that is being received.
    ///
    /// Use it, for example, to allow larger messages once a user has logged in. The limit applies as if it had been set
    /// when the message began: the bytes received so far count (the inflated ones if it is compressed), and no message
    /// of more than `bytes` is returned after this call. If more than that was received already, or is announced by the
    /// header of the current frame, the next call of [`receive`](Self::receive) fails with [`Error::MessageTooBig`].
    /// Chunks returned before remain valid.
    ///
    /// ```
    /// use websocket_proto::{Config, Connection, Event, entropy};
    ///
    /// let mut connection = Connection::client(&Config::new().max_message_size(4), entropy::from_fn(|key| key.fill(7)));
    /// let mut read = *b"\x81\x04user\x81\x05Hello"; // both arrived in one read
    /// let (mut input, mut out) = (&mut read[..], Vec::new());
    /// assert!(matches!(connection.receive(&mut input, &mut out)?, Some(Event::Text(name)) if name == "user"));
    /// connection.set_max_message_size(1024 * 1024);
    /// assert!(matches!(connection.receive(&mut input, &mut out)?, Some(Event::Text(text)) if text == "Hello"));
    /// # Ok::<(), websocket_proto::Error>(())
    /// ```
    pub fn set_max_message_size(&mut self, bytes: u64) {
        self.receiver.set_max_message_size(bytes);
    }

    /// Returns the next event from the front of `input`, and appends replies to `out`.
    ///
    /// `input` is a cursor, which moves forward over what is consumed: `let mut input = &mut
    /// buffer[..size];`, then `receive(&mut input, &mut out)`.
    ///
    /// Returns `Ok(None)` if all of `input` is consumed (or, with [`Delivery::InPlace`](crate::Delivery::InPlace), all
    /// but a partial payload), or if the connection is closed, which leaves `input` untouched.
    ///
    /// # Errors
    ///
    /// An [`Error`] if the peer broke a rule or exceeded a limit. The Close frame that reports it is in `out`, unless
    /// one was sent before: write it, then do what [`transport_advice`](Self::transport_advice) says. A loop that
    /// leaves with `?` before it writes loses that frame; `while let Ok(Some(event))` does not, and
    /// [`receive_eof`](Self::receive_eof) still reports the error.
    #[inline(always)]
    pub fn receive<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, Error> {
        match self.receiver.take_whole_message(input) {
            Some(message) => Ok(Some(message)),
            None => {
                // A copy, so that the caller's cursor can stay in registers.
                let mut rest = core::mem::take(input);
                let received = self.receive_any(&mut rest, 0, out);
                *input = rest;
                received
            }
        }
    }

    /// Returns whether [`take_next_whole_message`](Self::take_next_whole_message) may be called. That changes only when it returns
    /// `None`.
    #[inline]
    pub(crate) fn takes_whole_messages(&self) -> bool {
        self.receiver.takes_whole_messages()
    }

    /// Returns a message in one frame that is complete in the input. `None` leaves everything else to
    /// [`receive_any`](Self::receive_any).
    #[inline(always)]
    pub(crate) fn take_next_whole_message<'i>(&mut self, input: &mut &'i mut [u8]) -> Option<Event<'i>> {
        self.receiver.take_next_whole_message(input)
    }

    /// Returns whether input of this length may end inside a message, so that [`take_inside_message`](Self::take_inside_message) may
    /// receive it.
    #[inline]
    pub(crate) fn may_end_inside_message(&self, len: usize) -> bool {
        self.receiver.may_end_inside_message(len)
    }

    /// Receives input that ends inside a message, and yields no event; `false` leaves everything else to [`receive`](Self::receive).
    #[inline]
    pub(crate) fn take_inside_message(&mut self, input: &mut &mut [u8]) -> bool {
        self.receiver.take_inside_message(input)
    }

    /// Not inlined, so that `receive` builds a complete message where its caller wants it: moving the message would
    /// cost more than decoding it.
    ///
    /// A payload of at most `max_held` bytes may stay in the input until it is complete, for callers that keep what is not
    /// consumed in a buffer with space for so much.
    #[inline(never)]
    pub(crate) fn receive_any<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        max_held: u64,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, Error> {
        if self.receiver.take_inside_payload(input) {
            return Ok(None);
        }
        let received = self.receiver.receive_any(input, max_held);
        self.sender.apply(ReplyKind::<&[u8]>::to(&received), out);
        received
    }

    /// Reports to the connection that the transport has ended (cleanly or not) or was abandoned, and returns how the
    /// connection ended. Can be called again.
    pub fn receive_eof(&mut self) -> Closed {
        self.receiver.end_of_transport();
        self.sender.update_incoming(Incoming::Over);
        Closed::at_the_end(
            &self.sender.state,
            &self.receiver.state,
            self.receiver.unfinished(),
        )
    }

    /// Reports to the sending half that nothing more can be written. What was received before is still returned.
    pub(crate) fn stop_sending(&mut self) {
        self.sender.update_incoming(Incoming::Over);
    }

    /// Returns how the connection ended, `None` while its [`state`](Self::state) is open or closing. Changes nothing.
    ///
    /// The same as [`receive_eof`](Self::receive_eof) will return, for callers that want to know before the transport
    /// has ended: both Closes have been exchanged, or the connection failed.
    ///
    /// ```
    /// use websocket_proto::{ClosedBy, Config, Connection};
    ///
    /// let mut server = Connection::server(&Config::new());
    /// assert!(server.is_open() && server.closed().is_none());
    /// server.receive(&mut &mut [0x88, 0x80, 0, 0, 0, 0][..], &mut Vec::new())?;
    /// assert_eq!(server.closed().map(|closed| closed.by()), Some(ClosedBy::Peer));
    /// # Ok::<(), websocket_proto::Error>(())
    /// ```
    pub fn closed(&self) -> Option<Closed> {
        Closed::of(&self.receiver, &self.sender)
    }

    /// Sends a text message in one frame.
    ///
    /// # Errors
    ///
    /// [`Misuse::NotOpen`] if the connection is not open, [`Misuse::UnfinishedMessage`] between the fragments
    /// of another message.
    #[inline]
    pub fn send_text(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.sender.send_text(text, out)
    }

    /// Sends a binary message in one frame.
    ///
    /// # Errors
    ///
    /// Same as [`send_text`](Self::send_text).
    #[inline]
    pub fn send_binary(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.sender.send_binary(payload, out)
    }

    /// Returns the sending half, which has what an endpoint tries first.
    #[inline(always)]
    pub(crate) fn send_half(&mut self) -> &mut SendHalf {
        &mut self.sender
    }

    /// Appends the header of a text message, for a vectored write: write the text itself right after `out`, without
    /// copying it. For servers; the message is not compressed.
    ///
    /// ```
    /// use websocket_proto::{Config, Connection};
    /// use std::io::{IoSlice, Write};
    ///
    /// let mut connection = Connection::server(&Config::new());
    /// let (text, mut out, mut transport) = ("large", Vec::new(), Vec::new());
    /// connection.send_text_header(text, &mut out)?;
    /// transport.write_vectored(&[IoSlice::new(&out), IoSlice::new(text.as_bytes())])?; // both, completely, in this order
    /// assert_eq!(transport, b"\x81\x05large");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`send_text`](Self::send_text); [`Misuse::Unmasked`] for a client.
    pub fn send_text_header(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.sender.send_text_header(text, out)
    }

    /// Appends the header of a binary message, for a vectored write: write the payload itself right after `out`,
    /// without copying it. For servers; the message is not compressed.
    ///
    /// # Errors
    ///
    /// Same as [`send_text_header`](Self::send_text_header).
    pub fn send_binary_header(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.sender.send_binary_header(payload, out)
    }

    /// Appends the header of a message for a vectored write, in either role. Write `payload` right after `out`; a
    /// client masks it in place. The message is not compressed.
    ///
    /// ```
    /// use websocket_proto::{Config, Connection, MessageKind, entropy};
    ///
    /// let mut connection = Connection::client(&Config::new(), entropy::from_fn(|key| key.fill(1)));
    /// let (mut payload, mut out) = (*b"abc", Vec::new());
    /// connection.send_in_place(MessageKind::Binary, &mut payload, &mut out)?;
    /// assert_eq!((&out[..], &payload), (&b"\x82\x83\x01\x01\x01\x01"[..], b"`cb"));
    /// # Ok::<(), websocket_proto::Misuse>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`send_text`](Self::send_text); [`Misuse::InvalidUtf8`] if a text payload is not UTF-8, in which case
    /// the payload is untouched.
    pub fn send_in_place(
        &mut self,
        kind: MessageKind,
        payload: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        self.sender.send_in_place(kind, payload, out)
    }

    /// Sends a message encoded in advance, e.g. for a broadcast.
    ///
    /// # Errors
    ///
    /// Same as [`send_text`](Self::send_text).
    pub fn send_prepared(&mut self, prepared: &Prepared, out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.sender.send_prepared(prepared, out)
    }

    /// Sends the next fragment of a message (RFC 6455 section 5.4), and begins the message if none is being sent.
    /// Fragments may have any size, 0 included, and Pings, Pongs and a Close may be sent between them. Text fragments
    /// may be split inside a code point.
    ///
    /// ```
    /// use websocket_proto::{Config, Connection, Fin, MessageKind};
    ///
    /// let mut server = Connection::server(&Config::new());
    /// let mut out = Vec::new();
    /// server.send_fragment(MessageKind::Text, b"Hel", Fin::More, &mut out)?;
    /// server.send_fragment(MessageKind::Text, b"lo", Fin::Last, &mut out)?;
    /// assert_eq!(out, b"\x01\x03Hel\x80\x02lo");
    /// # Ok::<(), websocket_proto::Misuse>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Misuse::NotOpen`] after our Close, and for a new message after the peer's; [`Misuse::UnfinishedMessage`] if the
    /// message being sent is of the other kind; [`Misuse::InvalidUtf8`] if a text is not UTF-8.
    pub fn send_fragment(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: Fin,
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        self.sender.send_fragment(kind, payload, fin, out)
    }

    /// Sends a Ping with at most 125 bytes of payload: between fragments as well, and after this side's Close until the
    /// peer's Close arrives (RFC 6455 sections 5.5.1 and 5.5.2).
    ///
    /// # Errors
    ///
    /// [`Misuse::NotOpen`] once the peer's Close has arrived, the connection has failed or the transport has ended;
    /// [`Misuse::ControlTooLong`].
    pub fn send_ping(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.sender.send_ping(payload, out)
    }

    /// Sends a Pong with at most 125 bytes of payload: the answer to a Ping if [`AutoPong::Off`](crate::AutoPong::Off)
    /// is set, or an unsolicited heartbeat. Allowed whenever [`send_ping`](Self::send_ping) is.
    ///
    /// # Errors
    ///
    /// Same as [`send_ping`](Self::send_ping).
    pub fn send_pong(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.sender.send_pong(payload, out)
    }

    /// Starts the closing handshake, or answers the peer's Close if that is left to the caller (RFC 6455 section
    /// 7.1.2). `code` is a [`CloseCode`](crate::CloseCode) or its number, or `None` for an empty frame. `reason` must
    /// be empty if `code` is `None`, and otherwise has at most 123 bytes. A fragmented message in progress is
    /// abandoned.
    ///
    /// Messages may still arrive until the peer's Close does, but you can no longer reply to them: if your loop both
    /// closes and replies, check [`state`](Self::state) before sending. [`transport_advice`](Self::transport_advice)
    /// says what to wait for.
    ///
    /// # Errors
    ///
    /// [`Misuse::NotOpen`] if a Close was sent before, [`Misuse::InvalidCloseCode`] for codes that this role
    /// must not send, [`Misuse::ReasonTooLong`], [`Misuse::ReasonWithoutCode`].
    pub fn close(&mut self, code: impl IntoCloseCode, reason: &str, out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.sender.close(code, reason, out)
    }

    /// Returns a message's buffer for reuse. If the message was owned (it arrived in pieces), the next such message is
    /// assembled in that buffer; a borrowed message has no buffer and is ignored. Without this, each such message costs
    /// an allocation. With it, an idle connection keeps one buffer, at its full capacity, and the next message
    /// assembled in it takes that capacity with it.
    ///
    /// ```
    /// # use websocket_proto::{Config, Connection, Event, entropy};
    /// # let (mut connection, mut out) = (Connection::client(&Config::new(), entropy::from_fn(|key| key.fill(7))), Vec::new());
    /// # let mut input = &mut b"\x82\x01x".to_vec()[..];
    /// while let Ok(Some(event)) = connection.receive(&mut input, &mut out) {
    ///     if let Event::Binary(payload) = event {
    ///         println!("{} bytes", payload.len());
    ///         connection.recycle(payload);
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn recycle<'p>(&mut self, buffer: impl Into<Payload<'p>>) {
        self.receiver.recycle(buffer);
    }

    /// Returns whether the connection is [open](State::Open): messages can be sent and received.
    pub fn is_open(&self) -> bool {
        self.state() == State::Open
    }

    /// Returns the state: open, closing or closed.
    pub fn state(&self) -> State {
        self.sender.state()
    }

    /// Returns what to do with the transport once the output is written: keep it open, await the peer with a timer, or
    /// close it.
    pub fn transport_advice(&self) -> TransportAdvice {
        self.sender.transport_advice()
    }

    /// Returns which end this is.
    #[inline]
    pub fn role(&self) -> Role {
        self.sender.role()
    }

    /// Returns whether the peer's bytes are still read.
    pub(crate) fn receives(&self) -> bool {
        self.receiver.is_open()
    }

    /// Receives the part of a payload that stays in the input because of the `max_held` of [`receive_any`](Self::receive_any).
    pub(crate) fn release_input(&mut self, input: &mut &mut [u8]) {
        self.receiver.release_input(input);
    }

    /// Returns whether [`receive`](Self::receive) returns no event and changes nothing if its input is empty.
    #[inline]
    pub(crate) fn needs_input(&self) -> bool {
        self.receiver.needs_input()
    }
}

/// Shows neither what the peer sent nor the mask key.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role())
            .field("state", &self.state())
            .field("transport_advice", &self.transport_advice())
            .field("payload_remaining", &self.payload_remaining())
            .finish_non_exhaustive()
    }
}
