//! Limits and options of a connection and its opening handshake.

#[cfg(feature = "deflate")]
use crate::deflate::DeflateConfig;

/// Limits and options of a connection and its opening handshake. The defaults are finite and strict.
///
/// ```
/// use websocket_proto::Config;
///
/// let config = Config::new().max_message_size(16 * 1024 * 1024);
/// assert_ne!(config, Config::default());
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[must_use]
pub struct Config {
    pub(crate) max_message_size: u64,
    pub(crate) max_head_size: usize,
    pub(crate) max_fields: usize,
    pub(crate) max_interim_responses: usize,
    pub(crate) max_body_size: u64,
    pub(crate) delivery: Delivery,
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<DeflateConfig>,
    pub(crate) auto_pong: AutoPong,
    pub(crate) auto_close: bool,
    pub(crate) accept_unmasked: bool,
    pub(crate) accept_non_minimal_length: bool,
    pub(crate) accept_rsv1_on_control: bool,
    pub(crate) accept_any_close_code: bool,
    pub(crate) require_subprotocol: bool,
    pub(crate) accept_empty_lists: bool,
    pub(crate) accept_any_extension_value: bool,
    pub(crate) accept_zone_in_host: bool,
    pub(crate) accept_http_1_0: bool,
    pub(crate) accept_bare_line_feeds: bool,
}

/// How messages are delivered to the caller.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Delivery {
    /// Complete messages. A message split across reads is copied and reassembled, except for bytes that were read into
    /// it ([`payload_space`](crate::Connection::payload_space)). An [`Endpoint`](crate::endpoint::Endpoint) leaves it in its
    /// read buffer if it fits there and less than half of it came with the first read.
    #[default]
    Whole,
    /// Complete messages. A partial frame stays in the caller's buffer until it is complete.
    ///
    /// For callers with a growable buffer per connection: a message in one frame is then borrowed in place whatever its
    /// size, and none of it is copied (fragmented messages and partial headers still are). While the connection is open
    /// and [`receive`](crate::Connection::receive) returns `Ok(None)`, `input` may still contain the beginning of a
    /// payload, already unmasked. Call again with the same bytes first, unchanged, and more after them. Text is
    /// validated as it arrives, and once more when it is complete, because you had access to the bytes in between: for
    /// large texts that are not ASCII, [`Whole`](Self::Whole) takes less time.
    ///
    /// Double the buffer when it is full: its size then follows the bytes received, never the length that a header
    /// declares ([`payload_remaining`](crate::Connection::payload_remaining)). Never read into a full buffer: the read
    /// returns 0, which looks like the end of the transport.
    ///
    /// ```
    /// use std::io::Read;
    /// use websocket_proto::{Config, Connection, Delivery, Event, entropy};
    ///
    /// let config = Config::new().delivery(Delivery::InPlace);
    /// let mut connection = Connection::client(&config, entropy::from_fn(|key| key.fill(7)));
    /// let mut transport = &b"\x82\x06abcdef"[..];
    /// let (mut buffer, mut filled, mut out) = (vec![0; 4], 0, Vec::new()); // 4 KiB, say
    /// loop {
    ///     if filled == buffer.len() {
    ///         buffer.resize(2 * filled, 0);
    ///     }
    ///     let size = transport.read(&mut buffer[filled..])?; // after what is held
    ///     if size == 0 {
    ///         break; // the end
    ///     }
    ///     filled += size;
    ///     let mut input = &mut buffer[..filled];
    ///     while let Some(Event::Binary(payload)) = connection.receive(&mut input, &mut out)? {
    ///         assert!(payload == b"abcdef" && payload.is_borrowed());
    ///     }
    ///     let held = input.len();
    ///     if held < filled {
    ///         buffer.copy_within(filled - held..filled, 0); // what is held moves to the front
    ///     }
    ///     filled = held;
    /// }
    /// assert_eq!((filled, buffer.len()), (0, 8));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    InPlace,
    /// Chunks of messages, as they arrive: [`Event::TextChunk`](crate::Event::TextChunk) and
    /// [`Event::BinaryChunk`](crate::Event::BinaryChunk).
    ///
    /// For messages of any size in constant memory, and for proxies. A chunk is the part of one frame contained in one
    /// read, borrowed from the input (for a compressed message: at most 16 KiB of inflated output, owned); otherwise
    /// fragment boundaries are invisible. Text is split between code points. An error is reported where it occurs:
    /// valid data before it is delivered first, and the next call returns the error. [`Config::max_message_size`] still
    /// applies; use `u64::MAX` for no limit.
    ///
    /// ```
    /// use websocket_proto::{Config, Connection, Delivery, Event, Fin, entropy};
    ///
    /// let config = Config::new().delivery(Delivery::Chunks).max_message_size(u64::MAX);
    /// let mut connection = Connection::client(&config, entropy::from_fn(|key| key.fill(7)));
    /// let (mut out, mut chunks) = (Vec::new(), Vec::new());
    /// for mut read in [*b"\x01\x04Gr\xc3", *b"\xbc\x80\x02\xc3\x9f"] {
    ///     let mut input = &mut read[..];
    ///     while let Some(Event::TextChunk(text, fin)) = connection.receive(&mut input, &mut out)? {
    ///         chunks.push((text.into_owned(), fin == Fin::Last));
    ///     }
    /// }
    /// assert_eq!(chunks, [("Gr".into(), false), ("ü".into(), false), ("ß".into(), true)]);
    /// # Ok::<(), websocket_proto::Error>(())
    /// ```
    Chunks,
}

/// When `receive` answers a Ping with a Pong in the same call (RFC 6455 section 5.5.2).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum AutoPong {
    /// Never: the caller answers with [`Connection::send_pong`](crate::Connection::send_pong), until the peer's Close
    /// is received.
    Off,
    /// While neither side has sent a Close. After our own Close, only the peer's Close is still awaited, so Pings are
    /// no longer answered.
    #[default]
    WhileOpen,
    /// Until the peer's Close is received, so even after our own Close, as RFC 6455 section 5.5.2 literally requires.
    UntilPeerCloses,
}

impl Config {
    /// Creates the default configuration: every limit is finite, every rule strict.
    pub const fn new() -> Self {
        Self {
            max_message_size: 1024 * 1024,
            max_head_size: 16 * 1024,
            max_fields: 100,
            max_interim_responses: 8,
            max_body_size: 64 * 1024,
            delivery: Delivery::Whole,
            #[cfg(feature = "deflate")]
            deflate: None,
            auto_pong: AutoPong::WhileOpen,
            auto_close: true,
            accept_unmasked: false,
            accept_non_minimal_length: false,
            accept_rsv1_on_control: false,
            accept_any_close_code: false,
            require_subprotocol: false,
            accept_empty_lists: false,
            accept_any_extension_value: false,
            accept_zone_in_host: false,
            accept_http_1_0: false,
            accept_bare_line_feeds: false,
        }
    }

    /// Sets the largest message to accept, in bytes of payload over all its fragments. Default: 1 MiB (1,048,576).
    ///
    /// A longer message fails the connection with 1009. If it is not compressed, it fails as soon as the header of the
    /// frame that exceeds the limit arrives, before the payload is received; if it is compressed, when the first
    /// inflated byte over the limit is produced. The limit covers all fragments of a message together; empty fragments
    /// are limited to one per byte of the limit, but at least 1,024. Sending is not limited.
    ///
    /// A compressed message also fails with 1009 if its payload is longer than 64 KiB plus 16 bytes for each inflated
    /// byte. If `c_ulong` has 32 bits (on Windows and on 32-bit targets), neither its payload nor its content may reach
    /// 4 GiB, however large the limit is.
    ///
    /// [`Connection::set_max_message_size`](crate::Connection::set_max_message_size) changes the limit of an open
    /// connection.
    ///
    /// The default is enough for typical application messages and bounds the memory per connection: one buffer of at
    /// most the limit, plus the previous buffer while it grows.
    pub const fn max_message_size(mut self, bytes: u64) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// Sets the largest HTTP head to accept in the opening handshake, in bytes. Default: 16 KiB (16,384).
    ///
    /// A longer request is answered with 414 if the limit is reached in its first line, otherwise with 431; a longer
    /// response fails the handshake. RFC 9112 section 3 advises at least 8,000 bytes for the first line, and browsers
    /// send cookies of up to 4 KiB each.
    pub const fn max_head_size(mut self, bytes: usize) -> Self {
        self.max_head_size = bytes;
        self
    }

    /// Sets the largest number of header field lines in an HTTP head. Default: 100.
    ///
    /// A browser's request has about 15; the limit keeps the work for one head small. A request with more is answered
    /// with 431.
    pub const fn max_fields(mut self, lines: usize) -> Self {
        self.max_fields = lines;
        self
    }

    /// Sets how many interim (1xx) responses a client skips before the final one. Default: 8.
    ///
    /// RFC 9110 section 15.2 requires skipping them; servers send one or two, and the limit stops a server that never
    /// stops sending them.
    pub const fn max_interim_responses(mut self, responses: usize) -> Self {
        self.max_interim_responses = responses;
        self
    }

    /// Sets the largest body of a rejecting response that a client reads, in bytes. Default: 64 KiB (65,536).
    ///
    /// It applies to [`Response::body_reader`](crate::handshake::Response::body_reader). A larger body is an
    /// error, as soon as its size is known. The bodies of 401, 403 and 502 are texts and pages of a few KiB;
    /// raise the limit for a server that sends more.
    pub const fn max_body_size(mut self, bytes: u64) -> Self {
        self.max_body_size = bytes;
        self
    }

    /// Sets how messages are delivered: complete, complete in the caller's own buffer, or in chunks. Default:
    /// [`Delivery::Whole`].
    pub const fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Enables compression of messages, `permessage-deflate`: a client offers it, a server accepts what a client
    /// offers. Default: off, because compression costs memory and time and can reveal secrets (RFC 7692 section 8).
    ///
    /// This crate's handshakes negotiate it. A [`Connection`](crate::Connection) created without one of them ignores
    /// this setting: pass what was negotiated to [`with_deflate`](crate::Connection::with_deflate).
    #[cfg(feature = "deflate")]
    pub const fn deflate(mut self, deflate: DeflateConfig) -> Self {
        self.deflate = Some(deflate);
        self
    }

    /// Sets when Pings are answered automatically. Default: [`AutoPong::WhileOpen`].
    pub const fn auto_pong(mut self, auto_pong: AutoPong) -> Self {
        self.auto_pong = auto_pong;
        self
    }

    /// Sets whether the peer's Close is answered in the call of `receive` that returns it. Default: `true`.
    ///
    /// If `false`, the caller answers with [`Connection::close`](crate::Connection::close), and may first finish a
    /// fragmented message it is sending (RFC 6455 section 5.5.1).
    pub const fn auto_close(mut self, auto_close: bool) -> Self {
        self.auto_close = auto_close;
        self
    }

    /// Leniency for a server: also accepts unmasked frames from clients. Default: `false` (RFC 6455 section 5.1: fail).
    ///
    /// For trusted peers only, e.g. on the same host, to save the cost of masking.
    pub const fn accept_unmasked(mut self, accept: bool) -> Self {
        self.accept_unmasked = accept;
        self
    }

    /// Leniency: also accepts non-minimal length encodings. Default: `false` (RFC 6455 section 5.2: fail).
    ///
    /// For old peers whose encoder always writes the long form. Does not apply to control frames.
    pub const fn accept_non_minimal_length(mut self, accept: bool) -> Self {
        self.accept_non_minimal_length = accept;
        self
    }

    /// Leniency: also accepts control frames with RSV1, and ignores the bit. Default: `false` (RFC 6455 section 5.2 and
    /// RFC 7692 section 6: fail).
    ///
    /// For peers that set the bit on every frame of a connection that compresses; Python's `aiohttp` accepts it since
    /// 3.14.5. The payload of a control frame is never compressed, with or without the bit.
    pub const fn accept_rsv1_on_control(mut self, accept: bool) -> Self {
        self.accept_rsv1_on_control = accept;
        self
    }

    /// Leniency: accepts any close code except those that must never appear on the wire (1005, 1006, 1015). Default:
    /// `false` (RFC 6455 section 7.4: undefined codes fail). The Close sent in reply repeats the received code.
    pub const fn accept_any_close_code(mut self, accept: bool) -> Self {
        self.accept_any_close_code = accept;
        self
    }

    /// Strictness for a client: requires the server to choose a subprotocol if any were offered. Default: `false`.
    ///
    /// RFC 6455 section 4.1 allows the connection to open without one; the WHATWG API, and so every browser, fails it.
    pub const fn require_subprotocol(mut self, require: bool) -> Self {
        self.require_subprotocol = require;
        self
    }

    /// Leniency in the opening handshake: also accepts `Sec-WebSocket-Protocol` and `Sec-WebSocket-Extensions` without
    /// an element, as if the field were absent. Default: `false` (RFC 6455 sections 4.3 and 9.1: at least one element).
    ///
    /// For peers that always write the fields, such as some embedded clients and servers. Both roles.
    pub const fn accept_empty_lists(mut self, accept: bool) -> Self {
        self.accept_empty_lists = accept;
        self
    }

    /// Leniency in the opening handshake: accepts any text as the quoted value of an extension's parameter. Default:
    /// `false` (RFC 6455 section 9.1: a token, once the quotes are removed).
    ///
    /// For the agents and controllers of TR-369 (USP), which write `bbf-usp-protocol; eid="os::012345-001122334455"`.
    /// Both roles. A client offers such a value with
    /// [`ClientRequest::with_extension_any_value`](crate::handshake::ClientRequest::with_extension_any_value).
    pub const fn accept_any_extension_value(mut self, accept: bool) -> Self {
        self.accept_any_extension_value = accept;
        self
    }

    /// Leniency for a server: also accepts an IPv6 address with a zone in Host and in `:authority`, as in
    /// `[fe80::1%25eth0]:8080` or `[fe80::1%eth0]:8080`. Default: `false` (RFC 6874 section 3: a client has to remove
    /// it).
    ///
    /// For clients on a local network that copy the host from their URL. The zone stays in
    /// [`Upgrade::authority`](crate::handshake::Upgrade::authority);
    /// [`Upgrade::is_same_origin`](crate::handshake::Upgrade::is_same_origin) does not compare it.
    pub const fn accept_zone_in_host(mut self, accept: bool) -> Self {
        self.accept_zone_in_host = accept;
        self
    }

    /// Leniency for a client: also accepts a 101 in HTTP/1.0. Default: `false` (RFC 9110 section 7.8: HTTP/1.0 has no
    /// upgrade).
    ///
    /// For small servers and proxies that write this version whatever the request's version is. A server never upgrades
    /// a request in HTTP/1.0.
    pub const fn accept_http_1_0(mut self, accept: bool) -> Self {
        self.accept_http_1_0 = accept;
        self
    }

    /// Leniency for a client: also accepts an LF without a CR at the end of a response's line. Default: `false` (RFC
    /// 9112 section 2.2 leaves the choice to the recipient).
    ///
    /// For scripts that print a response by hand. In a chunked body only the trailers may end this way, because its
    /// other lines determine where the body ends (section 7.1). A server never accepts it: request smuggling depends on
    /// two parties disagreeing about where a line ends.
    pub const fn accept_bare_line_feeds(mut self, accept: bool) -> Self {
        self.accept_bare_line_feeds = accept;
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
