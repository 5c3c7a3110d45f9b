//! The settings of compression.

/// Settings of compression: what to offer or accept, and how to compress.
///
/// With the defaults, compression is negotiated wherever a browser's offer is accepted: nothing is demanded of the
/// peer, and memory is saved where no negotiation is needed. A limit on the *peer*'s window has to be negotiated, which
/// some peers refuse: see [`server_max_window_bits`](Self::server_max_window_bits) for clients and
/// [`client_max_window_bits`](Self::client_max_window_bits) for servers. RFC 7692 leaves all of these choices to each
/// side, so no setting can violate what was negotiated.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[must_use]
pub struct DeflateConfig {
    pub(super) client_max_window_bits: u8,
    pub(super) server_max_window_bits: u8,
    pub(super) offer_client_max_window_bits: bool,
    pub(super) send_window_bits: u8,
    pub(super) client_no_context_takeover: bool,
    pub(super) server_no_context_takeover: bool,
    pub(super) keep_engine: bool,
    pub(super) level: u8,
    pub(super) threshold: usize,
}

impl DeflateConfig {
    /// Creates the default configuration: no limit demanded of the peer, a window of 12 bits for sending, context
    /// takeover, no engine kept, level 6.
    pub const fn new() -> Self {
        Self {
            client_max_window_bits: 15,
            server_max_window_bits: 15,
            offer_client_max_window_bits: true,
            send_window_bits: 12,
            client_no_context_takeover: false,
            server_no_context_takeover: false,
            keep_engine: false,
            level: 6,
            threshold: 128,
        }
    }

    /// Sets the largest window that this side compresses with, 9 to 15 bits, however large the negotiated one is;
    /// values outside this range are clamped. Default: 12 (4 KiB).
    ///
    /// A sender may use less than was negotiated (RFC 7692 section 7.1.2), so the peer does not need to know. The
    /// setting determines the memory and time needed for sending. On messages of 1 KiB of JSON, 12 bits save 78
    /// percent, 15 bits 82, for eight times the memory.
    pub const fn send_window_bits(mut self, bits: u8) -> Self {
        self.send_window_bits = clamp(bits, 9, 15);
        self
    }

    /// Sets the largest window for what the client sends, 8 to 15 bits; values outside this range are clamped. Default:
    /// 15, which neither a client's offer nor a server's answer states.
    ///
    /// A client announces the number as a hint, and keeps to it whatever the server answers (RFC 7692 section 7.1.2.2).
    /// This saves the server's memory; to save the client's own, use [`send_window_bits`](Self::send_window_bits). Some
    /// servers fail the handshake on a hint below their own setting.
    ///
    /// For a server it limits the memory needed for receiving: with 15 bits up to 32 KiB for each client, with 12 bits
    /// 4 KiB. The server responds with a number below 15 if the client allows a choice, as browsers do, or with the
    /// client's hint if that is smaller. Otherwise it asks the client not to use context takeover. Some clients fail
    /// the handshake in both cases, and Netty 4.1 lets the server choose although the JDK's zlib cannot comply: it
    /// opens the connection, then fails to send. A server for browsers can use 12.
    ///
    /// RFC 7692 section 7.3 advises at least 10 bits. With 8 bits the client sends everything uncompressed, see
    /// [`Compressor::new`](super::Compressor::new).
    pub const fn client_max_window_bits(mut self, bits: u8) -> Self {
        self.client_max_window_bits = clamp(bits, 8, 15);
        self
    }

    /// Sets the largest window for what the server sends, 8 to 15 bits; values outside this range are clamped. Default:
    /// 15, which is not named in an offer, nor in a response unless requested.
    ///
    /// For a client it limits the memory needed for receiving: with 15 bits up to 32 KiB for a connection, with 12 bits
    /// 4 KiB. Less than 15 is a demand that some servers decline, and a few fail the handshake because of it, even
    /// though [`ClientRequest`](crate::handshake::ClientRequest) also sends a second offer without it.
    ///
    /// A server puts a number below 15 into its answer even if the client has not asked for one, to save the client's
    /// memory; some clients then fail the handshake. To save the server's own memory, use
    /// [`send_window_bits`](Self::send_window_bits).
    pub const fn server_max_window_bits(mut self, bits: u8) -> Self {
        self.server_max_window_bits = clamp(bits, 8, 15);
        self
    }

    /// Sets whether a client's offer lets the server choose the client's window, with `client_max_window_bits`.
    /// Default: `true`, as browsers do.
    ///
    /// Use `false` for servers that cannot handle the parameter, and fail the handshake or do not compress. With the
    /// other defaults the offer is then just `permessage-deflate`. Servers ignore this setting.
    pub const fn offer_client_max_window_bits(mut self, offer: bool) -> Self {
        self.offer_client_max_window_bits = offer;
        self
    }

    /// Sets whether the client has to compress each message on its own. Default: `false`.
    ///
    /// Neither side then holds memory for this direction between messages. Small messages shrink little on their own:
    /// 1 KiB of JSON to 37 percent instead of 22, 125 bytes to 91 instead of 18.
    pub const fn client_no_context_takeover(mut self, no_takeover: bool) -> Self {
        self.client_no_context_takeover = no_takeover;
        self
    }

    /// Sets whether the server has to compress each message on its own. Default: `false`.
    pub const fn server_no_context_takeover(mut self, no_takeover: bool) -> Self {
        self.server_no_context_takeover = no_takeover;
        self
    }

    /// Sets whether a sender with context takeover keeps its compressor between messages. Default: `false`: it keeps
    /// the window, and fills a compressor with it for each message.
    ///
    /// A compressor of 12 bits takes 161 KiB for each connection, its window 4 KiB. Creating and filling one for each
    /// message takes about 10 microseconds with 12 bits and about 50 with 15, so that a message of 1 KiB takes 1.7 or
    /// 3.5 times as long as with `true`: see the tables in [the module](super).
    pub const fn keep_engine(mut self, keep: bool) -> Self {
        self.keep_engine = keep;
        self
    }

    /// Sets the compression level, from 1 (fast) to 9 (small); values outside this range are clamped. Default: 6.
    ///
    /// On messages of 1 KiB of JSON with the default window, level 6 saves 78 percent. Levels 2 to 5 save 75 to 78 percent in
    /// about the same time, levels 7 to 9 save 79 percent and take at least a fifth more time. With
    /// [`keep_engine`](Self::keep_engine), level 1 takes a quarter of the time, and saves 68 percent.
    pub const fn level(mut self, level: u8) -> Self {
        self.level = clamp(level, 1, 9);
        self
    }

    /// Sets the size below which messages are sent uncompressed, in bytes. Default: 128.
    ///
    /// A small message fits in one packet either way, so compressing it saves little, and nothing without context
    /// takeover: measured, 125 bytes of JSON on their own become 114, in 14 microseconds. If every byte counts and
    /// context takeover was negotiated, use a lower threshold.
    ///
    /// The fragments of a message sent with [`send_fragment`](crate::Connection::send_fragment) are compressed whatever
    /// their size. A [`Prepared`](crate::Prepared) message has to reach the threshold it was compressed with and that
    /// of each connection.
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// Returns the same without a limit that an offer names, for a server that cannot meet it; `None` if it names none.
    pub(crate) fn undemanding(&self) -> Option<Self> {
        let hints = self.hint().is_some() && self.offer_client_max_window_bits;
        let demands = self.server_max_window_bits < 15;
        (hints || demands).then(|| self.clone().client_max_window_bits(15).server_max_window_bits(15))
    }

    /// Returns the number that a client gives for its own window; 15 is implied.
    pub(super) fn hint(&self) -> Option<u8> {
        Some(self.client_max_window_bits).filter(|&bits| bits < 15)
    }
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the nearest number within the bounds.
const fn clamp(number: u8, min: u8, max: u8) -> u8 {
    if number < min {
        min
    } else if number > max {
        max
    } else {
        number
    }
}
