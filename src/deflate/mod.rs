//! Compression of messages: `permessage-deflate`, RFC 7692. With the feature `deflate`.
//!
//! It can be used on its own: it operates on extension lists and payloads, no matter who parses the headers and frames.
//!
//! ```text
//!   client                                                 server
//!
//!   offer ---------- Sec-WebSocket-Extensions -----------> accept
//!   check_answer <-- Sec-WebSocket-Extensions ------------ the answer
//!     |  Parameters                                           |  Parameters
//!   Compressor ----- payload of messages with RSV1 ------> Decompressor
//!   Decompressor <-- payload of messages with RSV1 ------- Compressor
//! ```
//!
//! ```
//! use websocket_proto::deflate::{self, Compressor, Decompressor, DeflateConfig};
//! use websocket_proto::handshake::ExtensionList;
//! use websocket_proto::Role;
//!
//! // The handshake: the values of `Sec-WebSocket-Extensions`, there and back.
//! let config = DeflateConfig::new();
//! let offered = deflate::offer(&[config.clone()]);
//! assert_eq!(offered, "permessage-deflate; client_max_window_bits");
//! let (parameters, answer) = deflate::accept(ExtensionList::parse(&offered)?, &config).expect("one fits");
//! let checked = deflate::check_answer(ExtensionList::parse(&answer)?, ExtensionList::parse(&offered)?)?;
//! assert_eq!(checked, Some(parameters));
//!
//! // The server sends. `None` means: everything as it is.
//! let mut compressor = Compressor::new(parameters.sender_window(Role::Server), &config);
//! let message = r#"{"symbol":"ABC","side":"buy","price":17.5,"size":100,"note":"as the one before, and the one before it"}"#;
//! let mut frame = vec![0x81, 0]; // FIN, text
//! match &mut compressor {
//!     Some(compressor) if compressor.should_compress(message.len()) => {
//!         compressor.compress(message.as_bytes(), &mut frame);
//!         frame[0] |= 0x40; // RSV1, on the first frame of the message
//!     }
//!     _ => frame.extend_from_slice(message.as_bytes()),
//! }
//! frame[1] = (frame.len() - 2) as u8;
//!
//! // The client receives: payload by payload if there are more, then the end.
//! let mut decompressor = Decompressor::new(parameters.sender_window(Role::Server));
//! let mut text = Vec::new();
//! let limit = 1024 * 1024;
//! match frame[0] & 0x40 {
//!     0 => text.extend_from_slice(&frame[2..]),
//!     _ => decompressor.decompress(&frame[2..], limit, &mut text)?,
//! }
//! assert_eq!(text, message.as_bytes());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The caller handles the frames: RSV1 is set on the first frame of a compressed message and nowhere else, control
//! frames are never compressed, and a text has to be UTF-8 once it is inflated (RFC 7692 section 6). Each message can
//! be compressed or not. Pass only compressed messages with payload to this module.
//!
//! # Accepted data
//!
//! A decompressor accepts what RFC 7692 allows, with any blocks, and two things senders do in practice: final blocks
//! (the window continues across them) and a trailing `00 00 ff ff` that was not removed. Any other data that do not end
//! where a message can end are an error, [`InflateError::Truncated`]; a reference to before the first byte sent is
//! [`InflateError::Corrupt`]. Inflated bytes are counted as they are produced, so that a small message cannot become a
//! large one; the work is linear in input and output. A message that continues without output fails with
//! [`InflateError::Overlong`] after 64 KiB.
//!
//! # Negotiation
//!
//! A client offers `permessage-deflate; client_max_window_bits`, as browsers do, so that every server that accepts a
//! browser's offer accepts it. A server names a window only if the client has given a number for it: some clients let
//! the server choose and cannot keep to its choice. The peer does not learn the window that this side compresses with,
//! [`DeflateConfig::send_window_bits`], which may be smaller than the negotiated one (RFC 7692 section 7.1.2). Limits
//! on the peer's window save memory for receiving, but have to be negotiated, and some peers fail the handshake because
//! of them:
//!
//! | setting | offer of a client | answer of a server |
//! |---|---|---|
//! | the defaults | `client_max_window_bits` | nothing |
//! | [`server_max_window_bits(12)`](DeflateConfig::server_max_window_bits) | `server_max_window_bits=12`, then the default offer | `server_max_window_bits=12` |
//! | [`client_max_window_bits(10)`](DeflateConfig::client_max_window_bits) | `client_max_window_bits=10`, then the default offer | `client_max_window_bits=10` if it may choose, otherwise `client_no_context_takeover` |
//! | [`offer_client_max_window_bits(false)`](DeflateConfig::offer_client_max_window_bits) | only the name | same as without it |
//!
//! # Memory
//!
//! Nothing is allocated before the first message. Between messages a direction holds the bytes of its window seen so
//! far, in an exact allocation; without context takeover it holds nothing. The zlib state ('engine') exists only while
//! a message is processed, unless [`DeflateConfig::keep_engine`] keeps that of the sender. In bytes of heap per
//! connection:
//!
//! | window | receiving, idle | receiving, inside a message | sending, idle | sending, inside a message |
//! |---|---|---|---|---|
//! | 9 bits | 512 | 64,648 | 512 | 151,304 |
//! | 12 bits, the default for sending | 4,096 | 68,232 | 4,096 | 169,224 |
//! | 15 bits | 32,768 | 96,904 | 32,768 | 412,936 |
//! | any, without takeover | 0 | as above | 0 | 150,792 to 380,168 |
//! | 9 bits, `keep_engine` | 512 | 64,648 | 150,792 | 150,792 |
//! | 12 bits, `keep_engine` | 4,096 | 68,232 | 165,128 | 165,128 |
//! | 15 bits, `keep_engine` | 32,768 | 96,904 | 380,168 | 380,168 |
//!
//! Compressing a message without `keep_engine` takes one allocation, for an engine, whatever window was negotiated.
//! With the feature `std`, each thread keeps up to two engines for inflating, shared by all of its connections, so that
//! inflating allocates nothing: less than 200 KB per thread.
//!
//! With the defaults the peer may use a window of 15 bits, and a connection holds up to 36 KiB once it has received 32
//! KiB: 360 MB for 10,000 such connections. A server sets
//! [`client_max_window_bits(12)`](DeflateConfig::client_max_window_bits) to hold 8 KiB for each browser, 80 MB for
//! 10,000; a client sets [`server_max_window_bits(12)`](DeflateConfig::server_max_window_bits).
//!
//! # Time
//!
//! The table shows the microseconds per message of JSON (all messages different, on one machine, the third lowest of 40
//! rounds) and the compressed size. The default, 12 bits, achieves most of the gain:
//!
//! | | 125 bytes | 1 KiB | 64 KiB |
//! |---|---|---|---|
//! | compress, 9 bits | 11, to 23 % | 29, to 37 % | 920, to 28.1 % |
//! | compress, 12 bits | 15, to 18 % | 25, to 22 % | 580, to 17.6 % |
//! | compress, 12 bits, `keep_engine` | 3.3, to 18 % | 15, to 22 % | 550, to 17.6 % |
//! | compress, 12 bits, `keep_engine`, level 1 | 0.36, to 21 % | 3.6, to 32 % | 220, to 30.7 % |
//! | compress, 12 bits, without takeover | 14, to 91 % | 22, to 37 % | 570, to 17.9 % |
//! | compress, 15 bits | 51, to 16 % | 68, to 18 % | 870, to 14.8 % |
//! | compress, 15 bits, `keep_engine` | 4.7, to 16 % | 19, to 18 % | 810, to 14.8 % |
//! | compress, 15 bits, without takeover | 18, to 91 % | 27, to 37 % | 700, to 15.8 % |
//! | inflate, 12 bits | 0.40 | 3.4 | 100 |
//! | inflate, 15 bits | 0.97 | 4.0 | 97 |
//!
//! Without `keep_engine` each message has an engine of its own, which reads the history first; with 15 bits, that is
//! most of the time of a small message. In an earlier design, connections shared engines that were reset for each
//! message: a message of 1 KiB took a tenth less time with takeover and a fifth less without, and one of 64 KiB the
//! same time. `benches/README.md` in the repository compares another implementation.
//!
//! # Secrets
//!
//! Compressed output depends only on what the same connection sent before, not on other connections of the thread: no
//! engine that compresses serves two connections. The rest of this section is about one connection.
//!
//! The size of a compressed message reveals how much of it repeats earlier data. If one message, or one window, holds a
//! secret and text that an attacker can choose, an attacker who sees the sizes on the wire can guess the secret piece
//! by piece, encrypted or not, as in CRIME and BREACH (RFC 7692 section 8). Send messages with secrets, such as tokens,
//! uncompressed: you can choose for each message. If attackers can make the other side repeat their text, disable
//! context takeover or compression.

mod compress;
mod config;
mod decompress;
mod deflater;
mod history;
mod inflater;
mod negotiation;
mod pool;

use core::fmt;

use crate::CloseCode;

pub use compress::Compressor;
pub use config::DeflateConfig;
pub use decompress::Decompressor;
pub use negotiation::{
    EXTENSION, NegotiationError, Parameter, Parameters, Window, accept, check_answer, offer,
};

/// The lengths of an empty stored block, which end a flush and are omitted at the end of a message (RFC 7692 section
/// 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Why a compressed message cannot be inflated. Always caused by the sender.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum InflateError {
    /// The data are not DEFLATE data, or refer to before the first byte sent (RFC 7692 section 7.2.2).
    Corrupt,
    /// The message ends inside its data.
    Truncated,
    /// The message inflates to more than the limit, or to 4 GiB if `c_ulong` has 32 bits (on Windows and on 32-bit
    /// targets).
    TooBig {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The message has more final blocks than its size pays for: each costs 64 bytes and a 32nd of the window's
    /// content, regardless of its size. Beyond the bytes of payload and content, 16 final blocks are free with a full
    /// window of 15 bits, or 272 with an empty one. Each further message restores the allowance for 2.
    TooManyFinalBlocks {
        /// The limit, in blocks: as many as this message continued after.
        limit: u64,
    },
    /// The message has more payload than 64 KiB plus 16 bytes for each inflated byte. Blocks can be empty, so a message
    /// could otherwise continue indefinitely. If `c_ulong` has 32 bits (on Windows and on 32-bit targets), a payload of
    /// 4 GiB is too long as well.
    Overlong {
        /// The limit for all fragments together, in bytes of payload.
        limit: u64,
    },
    /// The function given to [`Decompressor::push`] refused an earlier chunk.
    Refused,
}

impl InflateError {
    /// Returns the code of the Close frame that answers this error (RFC 6455 section 7.4.1).
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::Corrupt | Self::Truncated | Self::Refused => CloseCode::INVALID_DATA,
            Self::TooBig { .. } | Self::TooManyFinalBlocks { .. } | Self::Overlong { .. } => {
                CloseCode::TOO_BIG
            }
        }
    }
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt => f.write_str("peer sent compressed data that are invalid"),
            Self::Truncated => f.write_str("peer sent compressed data that are truncated"),
            Self::TooBig { limit } => {
                write!(
                    f,
                    "compressed message inflates to more than the limit of {limit} bytes"
                )
            }
            Self::TooManyFinalBlocks { limit } => {
                write!(
                    f,
                    "compressed message has more than the limit of {limit} final blocks"
                )
            }
            Self::Overlong { limit } => {
                write!(
                    f,
                    "compressed message inflates to too little for more than {limit} bytes"
                )
            }
            Self::Refused => f.write_str("an earlier chunk of the message was refused"),
        }
    }
}

impl core::error::Error for InflateError {}
