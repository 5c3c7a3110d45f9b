//! The switches of compression.

/// What to offer or to accept, and how to compress.
///
/// The same settings serve both roles: a client offers them, and a server answers with them, or with less if
/// the client asks for less. All are within what RFC 7692 lets a side choose, so nothing here can break an
/// agreement.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[must_use]
pub struct DeflateConfig {
    pub(super) client_max_window_bits: u8,
    pub(super) server_max_window_bits: u8,
    pub(super) client_no_context_takeover: bool,
    pub(super) server_no_context_takeover: bool,
    pub(super) keep_engine: bool,
    pub(super) level: u8,
    pub(super) threshold: usize,
}

impl DeflateConfig {
    /// The defaults: windows of 12 bits with context takeover, no engine kept, level 6.
    pub const fn new() -> Self {
        Self {
            client_max_window_bits: 12,
            server_max_window_bits: 12,
            client_no_context_takeover: false,
            server_no_context_takeover: false,
            keep_engine: false,
            level: 6,
            threshold: 128,
        }
    }

    /// The largest window of what the client sends, 8 to 15 bits; a number outside is taken for the nearest
    /// one. Default: 12 (4 KiB).
    ///
    /// A client hints that it will not use more, and keeps to it. A server answers it where the client lets
    /// it choose, and else has the client do without context takeover. RFC 7692 section 7.3 advises at least
    /// 10 bits. With 8 the client sends everything as it is, see [`Compressor::new`](super::Compressor::new).
    ///
    /// On messages of 1 KiB of JSON 12 bits save 81 percent, 15 bits 82, for eight times the memory.
    pub const fn client_max_window_bits(mut self, bits: u8) -> Self {
        self.client_max_window_bits = clamp(bits, 8, 15);
        self
    }

    /// The largest window of what the server sends, as above. Default: 12 (4 KiB).
    ///
    /// Less than 15 in a client's offer is a demand that some servers decline, so it may offer a second time
    /// without.
    pub const fn server_max_window_bits(mut self, bits: u8) -> Self {
        self.server_max_window_bits = clamp(bits, 8, 15);
        self
    }

    /// Whether the client is to compress each message on its own. Default: `false`.
    ///
    /// Neither side then holds anything for this direction between messages. Small messages do not get much
    /// smaller on their own: 1 KiB of JSON to 29 percent in place of 19, 125 bytes to 85 in place of 27.
    pub const fn client_no_context_takeover(mut self, no_takeover: bool) -> Self {
        self.client_no_context_takeover = no_takeover;
        self
    }

    /// Whether the server is to compress each message on its own. Default: `false`.
    pub const fn server_no_context_takeover(mut self, no_takeover: bool) -> Self {
        self.server_no_context_takeover = no_takeover;
        self
    }

    /// Whether a sender with context takeover keeps its compressor between messages. Default: `false`, it
    /// keeps the window, and fills a compressor with it for each message.
    ///
    /// A compressor of 12 bits takes 161 KiB for each connection, its window 4 KiB. Filling one takes
    /// about 4 microseconds for each message with 12 bits, 20 with 15: see the tables in [the module](super).
    pub const fn keep_engine(mut self, keep: bool) -> Self {
        self.keep_engine = keep;
        self
    }

    /// How hard to try, from 1, fast, to 9, small; a number outside is taken for the nearest one. Default: 6.
    ///
    /// On messages of 1 KiB of JSON levels 2 to 6 take much the same time, and 6 makes the smallest; above
    /// there is nothing to gain. Level 1 takes a fifth of the time, and saves 73 percent in place of 81.
    pub const fn level(mut self, level: u8) -> Self {
        self.level = clamp(level, 1, 9);
        self
    }

    /// The size below which messages are better sent as they are, in bytes. Default: 128.
    ///
    /// A small message goes in one packet either way, whose headers are as large, so that compressing it saves
    /// little, and nothing without context takeover: measured, 64 bytes of JSON on their own stay 63, 125
    /// become 107. It takes 2 to 6 microseconds all the same. Where each byte counts and takeover was agreed,
    /// take less.
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// The nearest number within the bounds.
const fn clamp(number: u8, min: u8, max: u8) -> u8 {
    if number < min {
        min
    } else if number > max {
        max
    } else {
        number
    }
}
