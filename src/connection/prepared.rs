//! Messages that are encoded once and sent to many connections.

use alloc::vec::Vec;
use core::fmt;

#[cfg(feature = "deflate")]
use crate::deflate::{Compressor, DeflateConfig, Window};
use crate::frame::Header;
use crate::message::MessageKind;

/// A message encoded once, for any number of connections: a broadcast.
///
/// Server connections copy the encoded frame into their output. To avoid even that copy, a server without negotiated
/// extensions may write [`frame`](Self::frame) directly to the transport, between messages. Client connections mask the
/// frame anew each time (RFC 6455 section 5.3).
///
/// ```
/// use websocket_proto::{Config, Connection, Prepared};
///
/// let news = Prepared::text("news");
/// for _ in 0..3 {
///     let mut connection = Connection::server(&Config::new());
///     let mut out = Vec::new();
///     connection.send_prepared(&news, &mut out)?;
///     assert_eq!(out, b"\x81\x04news");
/// }
/// # Ok::<(), websocket_proto::Misuse>(())
/// ```
#[derive(Clone)]
pub struct Prepared {
    kind: MessageKind,
    header_size: usize,
    frame: Vec<u8>,
    #[cfg(feature = "deflate")]
    deflated: Option<Deflated>,
}

/// The payload compressed on its own, if that made it smaller.
#[cfg(feature = "deflate")]
#[derive(Clone)]
pub(super) struct Deflated {
    pub(super) window: Window,
    pub(super) payload: Vec<u8>,
}

impl Prepared {
    /// Encodes a text message.
    pub fn text(text: &str) -> Self {
        Self::new(MessageKind::Text, text.as_bytes())
    }

    /// Encodes a binary message.
    pub fn binary(payload: &[u8]) -> Self {
        Self::new(MessageKind::Binary, payload)
    }

    fn new(kind: MessageKind, payload: &[u8]) -> Self {
        let header = Header::new(kind.opcode(), payload.len() as u64).encode();
        let mut frame = Vec::with_capacity(header.len().saturating_add(payload.len()));
        frame.extend_from_slice(&header);
        frame.extend_from_slice(payload);
        Self {
            kind,
            header_size: header.len(),
            frame,
            #[cfg(feature = "deflate")]
            deflated: None,
        }
    }

    /// Compresses the message as well, once, for all connections that negotiated a window of at least this size for
    /// sending. A second call replaces the first.
    ///
    /// The compressed message refers to nothing before it, so context takeover in `window` makes no difference. Only
    /// [`level`](DeflateConfig::level) and [`threshold`](DeflateConfig::threshold) of `config` are used.
    ///
    /// A server's connection sends the plain [`frame`](Self::frame) instead if
    /// - it negotiated no compression, or a smaller window,
    /// - [`Compression::Off`](crate::Compression::Off) is set,
    /// - the message is smaller than the threshold in `config` or that of the connection,
    /// - the compressed payload is not smaller than the plain one, or
    /// - `window` has 8 bits, for which nothing is compressed (see [`Compressor::new`]).
    ///
    /// A client's connection then sends the message as [`send_text`](crate::Connection::send_text) or
    /// [`send_binary`](crate::Connection::send_binary) would.
    ///
    /// A message sent compressed enters the receiver's window. A connection with context takeover therefore copies the
    /// message, up to the window's size, so that later messages can refer to it and to earlier ones. A server that only
    /// broadcasts saves this copy and its memory with [`DeflateConfig::server_no_context_takeover`].
    ///
    /// ```
    /// use websocket_proto::deflate::{DeflateConfig, Parameters, Window};
    /// use websocket_proto::{Config, Connection, Prepared};
    ///
    /// let config = DeflateConfig::new().threshold(16);
    /// let news = Prepared::text("news, news, news, news").with_deflate(Window::default(), &config);
    /// let server = Connection::server(&Config::new());
    /// let mut server = server.with_deflate(Parameters::default(), &config);
    /// let mut out = Vec::new();
    /// server.send_prepared(&news, &mut out)?;
    /// assert!(out[0] == 0xc1 && out.len() < news.frame().len());
    /// # Ok::<(), websocket_proto::Misuse>(())
    /// ```
    #[cfg(feature = "deflate")]
    #[must_use = "the compressed message is in the value that is returned"]
    pub fn with_deflate(mut self, window: Window, config: &DeflateConfig) -> Self {
        let mut payload = Vec::new();
        let config = config.clone().send_window_bits(window.bits());
        let compressor = Compressor::new(window.without_context_takeover(), &config);
        if let Some(mut compressor) =
            compressor.filter(|compressor| compressor.should_compress(self.payload().len()))
        {
            compressor.compress(self.payload(), &mut payload);
        }
        let is_smaller = !payload.is_empty() && payload.len() < self.payload().len();
        self.deflated = is_smaller.then_some(Deflated { window, payload });
        self
    }

    #[cfg(feature = "deflate")]
    pub(super) fn deflated(&self) -> Option<&Deflated> {
        self.deflated.as_ref()
    }

    /// Returns the kind of the message: text or binary.
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Returns the message itself.
    pub fn payload(&self) -> &[u8] {
        self.frame.get(self.header_size..).unwrap_or_default()
    }

    /// Returns the message as one unmasked frame: what a server sends.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }
}

/// Shows only the size, like [`Payload`](crate::Payload).
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({:?}, {} bytes)", self.kind, self.payload().len())
    }
}
