//! What a call returns.

use std::ffi::{CStr, c_char};

use websocket_proto::Misuse;
use websocket_proto::endpoint::SendError;
use websocket_proto::handshake::{HandshakeMisuse, UrlError};

/// What every call on an endpoint returns. After anything but `WSP_CODE_OK`, out-parameters are unchanged.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum wsp_code {
    /// The call did what it says.
    Ok = 0,
    /// A pointer is NULL that must not be.
    NullPointer = 1,
    /// The handle is of no endpoint: it was freed, or never created.
    StaleHandle = 2,
    /// Another call on this endpoint has not returned: of another thread, or the one that called `wsp_entropy.fill`.
    Busy = 3,
    /// A call on this endpoint panicked before, so that the endpoint is gone. Free the handle.
    Poisoned = 4,
    /// This call panicked, which is a bug in this library. The endpoint is gone. Free the handle.
    Panicked = 5,
    /// `wsp_entropy.fill` failed. The endpoint is gone. Free the handle.
    NoEntropy = 6,
    /// There are 4,294,967,295 endpoints.
    TooManyEndpoints = 7,
    /// A length that no memory can have, or a number that is not in its enumeration.
    InvalidArgument = 8,
    /// `wsp_received` reports more than the space that is lent, or `wsp_written` more than the output.
    SizeTooLarge = 9,
    /// No connection is open, or one that is closing. It can happen in a correct program.
    NotOpen = 10,
    /// As much output waits as `wsp_config.max_buffered` allows: the peer reads too slowly. The message was not sent.
    Full = 11,
    /// Text is not UTF-8.
    InvalidUtf8 = 12,
    /// The payload of a Ping or a Pong is over 125 bytes.
    ControlTooLong = 13,
    /// A message was begun with `wsp_send_fragment` and is not complete.
    UnfinishedMessage = 14,
    /// A code that must not be sent in a Close.
    InvalidCloseCode = 15,
    /// The reason of a Close is over 123 bytes.
    ReasonTooLong = 16,
    /// A reason without a code.
    ReasonWithoutCode = 17,
    /// No request waits for an answer.
    NoRequest = 18,
    /// The request is not a valid WebSocket request. The response that says so is in the output, and the endpoint ends once it is
    /// written. Not a mistake of this program.
    InvalidRequest = 19,
    /// No response has arrived, or the last one is no longer held.
    NoResponse = 20,
    /// There is no value: no such field, no such subprotocol.
    NotFound = 21,
    /// The URL is malformed, has another scheme than ws, wss, http and https, or a fragment or user information.
    InvalidUrl = 22,
    /// A field whose name or value is malformed, or that the handshake writes itself.
    InvalidField = 23,
    /// An origin that is not printable ASCII.
    InvalidOrigin = 24,
    /// A subprotocol that is not a token, or is given twice.
    InvalidSubprotocol = 25,
    /// A status outside 200 to 599, or one that does not fit the request or the body.
    InvalidStatus = 26,
    /// The endpoint has not ended: `wsp_next_step` has not returned `WSP_STEP_KIND_DONE`.
    NotDone = 27,
}

impl wsp_code {
    pub const ALL: [(Self, &CStr); 28] = [
        (Self::Ok, c"success"),
        (Self::NullPointer, c"a pointer is NULL that must not be"),
        (Self::StaleHandle, c"the endpoint was freed or never created"),
        (Self::Busy, c"another call on this endpoint has not returned"),
        (Self::Poisoned, c"an earlier call on this endpoint panicked"),
        (Self::Panicked, c"the call panicked: this is a bug in the library"),
        (Self::NoEntropy, c"the source of entropy failed"),
        (Self::TooManyEndpoints, c"there are too many endpoints"),
        (Self::InvalidArgument, c"a length or a number is out of its range"),
        (Self::SizeTooLarge, c"more bytes are reported than were lent"),
        (Self::NotOpen, c"the connection is not open"),
        (Self::Full, c"the limit of waiting output is reached"),
        (Self::InvalidUtf8, c"text is not UTF-8"),
        (
            Self::ControlTooLong,
            c"the payload of a ping or a pong is over 125 bytes",
        ),
        (
            Self::UnfinishedMessage,
            c"a fragmented message is still being sent",
        ),
        (Self::InvalidCloseCode, c"the close code must not be sent"),
        (Self::ReasonTooLong, c"the close reason is over 123 bytes"),
        (Self::ReasonWithoutCode, c"close reason without a code"),
        (Self::NoRequest, c"no request is waiting for a response"),
        (
            Self::InvalidRequest,
            c"the request is not a valid WebSocket request",
        ),
        (Self::NoResponse, c"no response is held"),
        (Self::NotFound, c"there is no such value"),
        (
            Self::InvalidUrl,
            c"the URL is malformed or not that of a WebSocket server",
        ),
        (Self::InvalidField, c"a field is malformed or reserved"),
        (Self::InvalidOrigin, c"the origin is not printable ASCII"),
        (
            Self::InvalidSubprotocol,
            c"a subprotocol is malformed or repeated",
        ),
        (Self::InvalidStatus, c"the status cannot be that of this response"),
        (Self::NotDone, c"the endpoint has not ended"),
    ];
}

/// Returns the message of a code, in English and without a line end.
///
/// The pointer is never NULL, and valid until the library is unloaded. Any number is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_message(code: u32) -> *const c_char {
    let known = wsp_code::ALL.iter().find(|(known, _)| *known as u32 == code);
    known.map_or(c"unknown code", |(_, message)| message).as_ptr()
}

impl From<SendError> for wsp_code {
    fn from(error: SendError) -> Self {
        match error {
            SendError::NotOpen => Self::NotOpen,
            SendError::Full { .. } => Self::Full,
            SendError::Misuse(misuse) => misuse.into(),
            _ => Self::InvalidArgument,
        }
    }
}

impl From<Misuse> for wsp_code {
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

impl From<HandshakeMisuse> for wsp_code {
    fn from(misuse: HandshakeMisuse) -> Self {
        match misuse {
            HandshakeMisuse::NoRequest => Self::NoRequest,
            HandshakeMisuse::MalformedOrigin | HandshakeMisuse::RepeatedOrigin => Self::InvalidOrigin,
            HandshakeMisuse::MalformedSubprotocol
            | HandshakeMisuse::RepeatedSubprotocol
            | HandshakeMisuse::UnofferedSubprotocol => Self::InvalidSubprotocol,
            HandshakeMisuse::UnusableStatus | HandshakeMisuse::UnexpectedBody => Self::InvalidStatus,
            _ => Self::InvalidField,
        }
    }
}

impl From<UrlError> for wsp_code {
    fn from(_: UrlError) -> Self {
        Self::InvalidUrl
    }
}
