//! Errors of the body of a response.

use core::error::Error;
use core::fmt;

use crate::handshake::error::HandshakeError;

/// Why the body of a response could not be read: the server broke a rule of RFC 9112, a limit was exceeded,
/// or the transport ended.
///
/// [`ResponseBody`](super::ResponseBody) returns the same error on every later call. The transport then cannot carry
/// another request, so close it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum BodyError {
    /// The transport ended before the body was complete (RFC 9112 section 8).
    Eof,
    /// The caller called `receive` or `receive_eof` after the body had been returned.
    Finished,

    /// The body is larger than [`Config::max_body_size`](crate::Config::max_body_size) allows.
    TooLarge {
        /// The size of the body as far as it is known, in bytes: its Content-Length, the sum of the chunks
        /// so far, or one byte more than the limit.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// All chunk extensions of the body together are larger than
    /// [`Config::max_head_size`](crate::Config::max_head_size) allows (RFC 9112 section 7.1.1).
    ChunkExtensionsTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },

    /// Content-Length is not a number, or appears several times (RFC 9112 section 6.3).
    MalformedContentLength,
    /// Transfer-Encoding appears together with Content-Length, or in HTTP/1.0 (RFC 9112 sections 6.1 and
    /// 6.3).
    ConflictingFraming,
    /// Transfer-Encoding is not exactly `chunked`: the client asked for no other coding (RFC 9112 sections
    /// 6.1 and 7).
    UnsupportedTransferCoding,
    /// A chunk does not start with its size in 1 to 16 hexadecimal digits and a CRLF (RFC 9112 section 7.1).
    MalformedChunkSize,
    /// A chunk extension contains a control byte, or an LF without its CR (RFC 9112 section 7.1.1).
    MalformedChunkExtension,
    /// The data of a chunk is not followed by CRLF: it is longer or shorter than its size (RFC 9112 section
    /// 7.1).
    MalformedChunkEnd,
    /// The trailer section breaks a rule of field lines, or exceeds
    /// [`Config::max_head_size`](crate::Config::max_head_size) or
    /// [`Config::max_fields`](crate::Config::max_fields) (RFC 9112 section 7.1.2).
    Trailers(HandshakeError),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::TooLarge { size, limit } => {
                return write!(
                    f,
                    "body of {size} bytes or more exceeds the {limit} bytes of Config::max_body_size"
                );
            }
            Self::ChunkExtensionsTooLarge { limit } => {
                return write!(
                    f,
                    "chunk extensions exceed the {limit} bytes of Config::max_head_size"
                );
            }
            Self::Trailers(HandshakeError::HeadTooLarge { limit }) => {
                return write!(
                    f,
                    "trailer section exceeds the {limit} bytes of Config::max_head_size"
                );
            }
            Self::Trailers(HandshakeError::TooManyFields { limit }) => {
                return write!(
                    f,
                    "trailer section exceeds the {limit} field lines of Config::max_fields"
                );
            }
            Self::Trailers(error) => return write!(f, "trailer section is malformed: {error}"),
            Self::Eof => "transport ended before the body was complete",
            Self::Finished => "body was returned already",
            Self::MalformedContentLength => "Content-Length is not one number",
            Self::ConflictingFraming => "Transfer-Encoding together with Content-Length or HTTP/1.0",
            Self::UnsupportedTransferCoding => "Transfer-Encoding is not exactly chunked",
            Self::MalformedChunkSize => "chunk does not start with its size in hexadecimal and CRLF",
            Self::MalformedChunkExtension => "control byte in a chunk extension",
            Self::MalformedChunkEnd => "chunk is not followed by CRLF",
        };
        f.write_str(text)
    }
}

impl Error for BodyError {}
