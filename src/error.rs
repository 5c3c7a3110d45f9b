//! Errors of an open connection: [`Error`] is caused by the peer, [`Misuse`] by the caller.

use core::fmt;

use crate::CloseCode;
use crate::frame::Violation;
use crate::utf8::InvalidUtf8;

/// Why a connection failed while receiving. Always caused by the peer; the Close frame with
/// [`close_code`](Self::close_code) is already in the output, unless a Close was sent before, and the
/// connection stays failed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A frame header breaks a rule (RFC 6455 section 5). Never [`Violation::PayloadTooBig`], which is
    /// [`MessageTooBig`](Self::MessageTooBig) here.
    Frame(Violation),
    /// A continuation frame without a message to continue (section 5.4).
    UnexpectedContinuation,
    /// A text or binary frame before the last message was complete (section 5.4).
    UnfinishedMessage,
    /// A text message, or the reason of a Close frame, is not UTF-8 (section 8.1).
    InvalidUtf8,
    /// A message over the limit of [`Config::max_message_size`](crate::Config::max_message_size).
    MessageTooBig {
        /// The limit, in bytes.
        limit: u64,
        /// The size of the message up to the end of the frame that exceeded the limit, in bytes. For a compressed
        /// message, one byte more than the limit.
        size: u64,
    },
    /// A message with more empty fragments than [`Config::max_message_size`](crate::Config::max_message_size) has
    /// bytes, and more than 1,024 (section 10.4).
    TooManyEmptyFragments {
        /// The limit, in fragments.
        limit: u64,
    },
    /// A compressed message that cannot be inflated (RFC 7692 section 7.2.2). Never
    /// [`TooBig`](crate::deflate::InflateError::TooBig), which is [`MessageTooBig`](Self::MessageTooBig) here, nor
    /// [`Refused`](crate::deflate::InflateError::Refused).
    #[cfg(feature = "deflate")]
    Deflate(crate::deflate::InflateError),
    /// A Close frame with a body of one byte (section 5.5.1).
    TruncatedCloseCode,
    /// A Close frame with a code that must not appear on the wire (section 7.4).
    InvalidCloseCode(CloseCode),
}

impl Error {
    /// Returns the code of the Close frame that answers this error (RFC 6455 section 7.4.1).
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::Frame(violation) => violation.close_code(),
            Self::UnexpectedContinuation
            | Self::UnfinishedMessage
            | Self::TruncatedCloseCode
            | Self::InvalidCloseCode(_) => CloseCode::PROTOCOL_ERROR,
            #[cfg(feature = "deflate")]
            Self::Deflate(error) => error.close_code(),
            Self::InvalidUtf8 => CloseCode::INVALID_DATA,
            Self::MessageTooBig { .. } | Self::TooManyEmptyFragments { .. } => CloseCode::TOO_BIG,
        }
    }

    /// For `map_err`: a text of the peer is not UTF-8.
    pub(crate) const fn not_utf8(InvalidUtf8: InvalidUtf8) -> Self {
        Self::InvalidUtf8
    }
}

/// The reason in the Close frame that reports an error: what the peer did, without the name of our setting.
pub(crate) struct CloseReason<'a>(pub(crate) &'a Error);

impl fmt::Display for CloseReason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe(f)
    }
}

/// Shows what the peer did, and for a limit the setting that changes it.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)?;
        match self {
            Self::MessageTooBig { .. } | Self::TooManyEmptyFragments { .. } => {
                f.write_str(" (Config::max_message_size)")
            }
            _ => Ok(()),
        }
    }
}

impl Error {
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(violation) => write!(f, "{violation}"),
            Self::UnexpectedContinuation => f.write_str("peer continued a message that was not begun"),
            Self::UnfinishedMessage => f.write_str("peer began a message before the last one was complete"),
            Self::InvalidUtf8 => f.write_str("peer sent text that is not UTF-8"),
            Self::MessageTooBig { limit, size } => {
                write!(
                    f,
                    "message of at least {size} bytes is over the limit of {limit} bytes"
                )
            }
            Self::TooManyEmptyFragments { limit } => {
                write!(f, "message has more than the limit of {limit} empty fragments")
            }
            #[cfg(feature = "deflate")]
            Self::Deflate(error) => write!(f, "{error}"),
            Self::TruncatedCloseCode => f.write_str("peer sent a close frame with a body of one byte"),
            Self::InvalidCloseCode(code) => write!(f, "peer sent close code {code}, which must not be sent"),
        }
    }
}

impl core::error::Error for Error {}

/// A call that the state of the connection, or the rules for sending, do not allow. The output is untouched.
///
/// Every variant except [`NotOpen`](Self::NotOpen) is a bug in the calling code. `NotOpen` can also happen in a correct
/// program: the connection may fail or close while the program is about to send, and after its own
/// [`close`](crate::Connection::close) messages still arrive that it can no longer reply to. Check
/// [`state`](crate::Connection::state) first, or ignore the error; leaving the loop with `?` before writing the output
/// would lose the Close frame in it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Misuse {
    /// The connection is closing or closed: a Close was sent, the transport has ended, or the connection failed (RFC
    /// 6455 section 6.1). After the peer's Close, you may only finish a message already begun. A Ping or a Pong is
    /// refused only after the peer's Close, not after our own (section 5.5.1).
    NotOpen,
    /// The payload of a control frame is over 125 bytes (section 5.5). Holds its length.
    ControlTooLong(usize),
    /// A complete message, or a fragment of the other kind, while a fragmented message is being sent (section 5.4).
    UnfinishedMessage,
    /// Text passed as bytes is not UTF-8: either the fragments sent so far are invalid or the last one ends inside a
    /// code point (section 5.6).
    InvalidUtf8,
    /// A header was sent by a client, which must mask its payload (section 5.1); use
    /// [`send_in_place`](crate::Connection::send_in_place).
    Unmasked,
    /// A code that this role must not send in a Close frame (section 7.4).
    InvalidCloseCode(CloseCode),
    /// The reason of a Close is over 123 bytes (section 5.5). Holds its length.
    ReasonTooLong(usize),
    /// A reason without a code (section 5.5.1).
    ReasonWithoutCode,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpen => f.write_str("connection is closing or closed"),
            Self::ControlTooLong(len) => {
                write!(f, "control payload of {len} bytes is over the limit of 125 bytes")
            }
            Self::UnfinishedMessage => f.write_str("a fragmented message is still being sent"),
            Self::InvalidUtf8 => f.write_str("text to be sent is not UTF-8"),
            Self::Unmasked => f.write_str("a client must mask its payload: use send_in_place"),
            Self::InvalidCloseCode(code) => write!(f, "close code {code} must not be sent"),
            Self::ReasonTooLong(len) => {
                write!(f, "close reason of {len} bytes is over the limit of 123 bytes")
            }
            Self::ReasonWithoutCode => f.write_str("close reason without a code"),
        }
    }
}

impl core::error::Error for Misuse {}
