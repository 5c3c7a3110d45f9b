//! Why a call is refused.

use websocket_proto::Misuse;
use websocket_proto::endpoint::SendError;
use websocket_proto::handshake::HandshakeMisuse;

/// Why a call is refused. A function returns the negative of one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum Code {
    /// The handle is of no endpoint: it was freed, or never created.
    StaleHandle = 1,
    /// An earlier call trapped, and the instance can no longer be used.
    Poisoned = 2,
    /// A number that is outside its range, or a length that is more than [`ws_argument`](crate::ws_argument) was asked for.
    InvalidArgument = 3,
    /// There are 2,097,152 endpoints.
    TooManyEndpoints = 4,
    /// [`ws_received`](crate::ws_received) reports more than the space that is lent, or [`ws_written`](crate::ws_written) more than the
    /// output.
    SizeTooLarge = 5,
    /// No connection is open, or one that is closing. It can happen in a correct program.
    NotOpen = 6,
    /// As much output waits as the setting `max_buffered` allows. The message was not sent.
    Full = 7,
    /// Text is not UTF-8.
    InvalidUtf8 = 8,
    /// The payload of a Ping or a Pong is over 125 bytes.
    ControlTooLong = 9,
    /// A message was begun with [`ws_send_fragment`](crate::ws_send_fragment) and is not complete.
    UnfinishedMessage = 10,
    /// A code that must not be sent in a Close.
    InvalidCloseCode = 11,
    /// The reason of a Close is over 123 bytes.
    ReasonTooLong = 12,
    /// A reason without a code.
    ReasonWithoutCode = 13,
    /// No request waits for an answer.
    NoRequest = 14,
    /// The request is not a valid WebSocket request. The response that says so is in the output, and the endpoint ends once it is
    /// written. Not a mistake of the host.
    InvalidRequest = 15,
    /// A field whose name or value is malformed, or that the handshake writes itself.
    InvalidField = 16,
    /// A status outside 200 to 599, or one that does not fit the request or the body.
    InvalidStatus = 17,
    /// The endpoint has not ended.
    NotDone = 18,
    /// This module was built without compression.
    NoDeflate = 19,
}

impl From<SendError> for Code {
    fn from(error: SendError) -> Self {
        match error {
            SendError::NotOpen => Self::NotOpen,
            SendError::Full { .. } => Self::Full,
            SendError::Misuse(misuse) => misuse.into(),
            _ => Self::InvalidArgument,
        }
    }
}

impl From<Misuse> for Code {
    fn from(misuse: Misuse) -> Self {
        match misuse {
            Misuse::NotOpen => Self::NotOpen,
            Misuse::ControlTooLong(_) => Self::ControlTooLong,
            Misuse::UnfinishedMessage => Self::UnfinishedMessage,
            Misuse::InvalidUtf8 => Self::InvalidUtf8,
            Misuse::InvalidCloseCode(_) => Self::InvalidCloseCode,
            Misuse::ReasonTooLong(_) => Self::ReasonTooLong,
            Misuse::ReasonWithoutCode => Self::ReasonWithoutCode,
            _ => Self::InvalidArgument,
        }
    }
}

impl From<HandshakeMisuse> for Code {
    fn from(misuse: HandshakeMisuse) -> Self {
        match misuse {
            HandshakeMisuse::NoRequest => Self::NoRequest,
            HandshakeMisuse::UnusableStatus | HandshakeMisuse::UnexpectedBody => Self::InvalidStatus,
            _ => Self::InvalidField,
        }
    }
}
