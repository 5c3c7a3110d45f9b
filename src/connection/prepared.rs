//! A message that is encoded once and sent to many.

use alloc::vec::Vec;
use core::fmt;

#[cfg(feature = "deflate")]
use crate::deflate::{Compressor, DeflateConfig, Window};
use crate::frame::Header;
use crate::message::MessageKind;

/// A message encoded once, for any number of connections: a broadcast.
///
/// A server's connections copy it into their output as it is. Where even that copy is too much,
/// [`frame`](Self::frame) is what a server without extensions may write to its transport directly, between
/// two messages. A client's connections mask it anew each time (RFC 6455 section 5.3).
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
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Prepared {
    kind: MessageKind,
    header_size: usize,
    frame: Vec<u8>,
    /// The payload compressed on its own, by a window of so many bits.
    #[cfg(feature = "deflate")]
    deflated: Option<(u8, Vec<u8>)>,
}

impl Prepared {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Self::new(MessageKind::Text, text.as_bytes())
    }

    /// A binary message.
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

    /// Compresses the message as well, once, for all connections that agreed on a window of at least this many
    /// bits (9 to 15) for what this side sends; the others get it as it is, and so do all with any other number of
    /// bits. A second call replaces the first.
    ///
    /// ```
    /// use websocket_proto::deflate::{DeflateConfig, Parameters};
    /// use websocket_proto::{Config, Connection, Prepared};
    ///
    /// let config = DeflateConfig::new();
    /// let news = Prepared::text("news, news, news, news").deflate(12, &config);
    /// let server = Connection::server(&Config::new());
    /// let mut server = server.with_deflate(Parameters::default(), &config);
    /// let mut out = Vec::new();
    /// server.send_prepared(&news, &mut out)?;
    /// assert!(out[0] == 0xc1 && out.len() < news.frame().len());
    /// # Ok::<(), websocket_proto::Misuse>(())
    /// ```
    #[cfg(feature = "deflate")]
    #[must_use = "the compressed message is in the value that is returned"]
    pub fn deflate(mut self, bits: u8, config: &DeflateConfig) -> Self {
        let window = Window::new(bits).map(Window::no_context_takeover);
        let compressor =
            window.and_then(|window| Compressor::new(window, &config.clone().send_window_bits(bits)));
        self.deflated = compressor.map(|mut compressor| {
            let mut payload = Vec::new();
            compressor.compress(self.payload(), &mut payload);
            (bits, payload)
        });
        self
    }

    #[cfg(feature = "deflate")]
    pub(super) fn deflated(&self) -> Option<(u8, &[u8])> {
        self.deflated
            .as_ref()
            .map(|(bits, payload)| (*bits, &payload[..]))
    }

    /// Text or binary.
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The message itself.
    pub fn payload(&self) -> &[u8] {
        self.frame.get(self.header_size..).unwrap_or_default()
    }

    /// The message as one unmasked frame: what a server sends.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }
}

/// The size alone, as of a message received.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({:?}, {} bytes)", self.kind, self.payload().len())
    }
}
