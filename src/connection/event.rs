//! The events that `receive` returns.

use crate::error::Error;
use crate::message::{Content, Fin, Payload, Text};
use crate::{CloseCode, IntoCloseCode};

/// Something the peer sent. Borrows from the input, never from the connection.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event<'i> {
    /// A complete text message (RFC 6455 section 5.6).
    Text(Text<'i>),
    /// A complete binary message (section 5.6).
    Binary(Payload<'i>),
    /// The next chunk of a text message, with [`Delivery::Chunks`](crate::Delivery::Chunks). Never splits a code point.
    /// Empty only if it is the last chunk and no text is left.
    TextChunk(Text<'i>, Fin),
    /// The next chunk of a binary message, with [`Delivery::Chunks`](crate::Delivery::Chunks). Empty only if it is the
    /// last chunk and no payload is left.
    BinaryChunk(Payload<'i>, Fin),
    /// A Ping (section 5.5.2). [`Config::auto_pong`](crate::Config::auto_pong) determines whether its Pong is already
    /// in the output: by default it is, until a Close is sent or received.
    Ping(Payload<'i>),
    /// A Pong (section 5.5.3), solicited or not.
    Pong(Payload<'i>),
    /// The peer's Close (section 5.5.1), which is the last event. The reply is already in the output, unless a Close
    /// was sent before or [`Config::auto_close`](crate::Config::auto_close) is off.
    Close(Close<'i>),
}

/// The body of a Close frame, as received from the peer.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Close<'i> {
    /// The code, `None` if the body is empty.
    pub code: Option<CloseCode>,
    /// The reason: at most 123 bytes, often empty. Not meant to be shown to users (RFC 6455 section 5.5.1).
    pub reason: Text<'i>,
}

impl Event<'_> {
    /// Converts to an owned event, e.g. to send it through a channel, or to return it from a function that owns the
    /// buffer. Copies what is borrowed from the input.
    pub fn into_owned(self) -> Event<'static> {
        match self {
            Self::Text(text) => Event::Text(text.into_owned().into()),
            Self::Binary(payload) => Event::Binary(payload.into_owned().into()),
            Self::TextChunk(text, fin) => Event::TextChunk(text.into_owned().into(), fin),
            Self::BinaryChunk(payload, fin) => Event::BinaryChunk(payload.into_owned().into(), fin),
            Self::Ping(payload) => Event::Ping(payload.into_owned().into()),
            Self::Pong(payload) => Event::Pong(payload.into_owned().into()),
            Self::Close(close) => Event::Close(close.into_owned()),
        }
    }
}

impl<'i> Event<'i> {
    #[inline]
    pub(super) fn whole(message: Content<'i>) -> Self {
        match message {
            Content::Text(text) => Self::Text(text),
            Content::Binary(payload) => Self::Binary(payload),
        }
    }

    pub(super) fn chunk(chunk: Content<'i>, fin: Fin) -> Self {
        match chunk {
            Content::Text(text) => Self::TextChunk(text, fin),
            Content::Binary(payload) => Self::BinaryChunk(payload, fin),
        }
    }
}

impl<'i> Close<'i> {
    /// Creates a Close with this code and reason, for programs that pass it on as a message and for tests.
    pub fn new(code: impl IntoCloseCode, reason: impl Into<Text<'i>>) -> Self {
        Self {
            code: code.into_close_code(),
            reason: reason.into(),
        }
    }

    /// Converts to an owned Close. Copies the reason if it is borrowed from the input.
    pub fn into_owned(self) -> Close<'static> {
        Close {
            code: self.code,
            reason: self.reason.into_owned().into(),
        }
    }

    /// Returns the close code in the sense of RFC 6455 section 7.1.5: 1005 if the frame has none.
    pub fn code_or_no_status(&self) -> CloseCode {
        self.code.unwrap_or(CloseCode::NO_STATUS)
    }

    /// Reads the body of a Close frame.
    pub(super) fn parse(body: Payload<'i>, accept_any_code: bool) -> Result<Self, Error> {
        let code = match *body {
            [] => None,
            // RFC 6455 section 5.5.1: if there is a body, its first two bytes are the code.
            [_] => return Err(Error::TruncatedCloseCode),
            [high, low, ..] => Some(CloseCode(u16::from_be_bytes([high, low]))),
        };
        if let Some(code) = code {
            // RFC 6455 section 7.4: undefined codes are not used; 1005, 1006 and 1015 never, whatever the
            // leniency.
            let valid = code.is_receivable() || accept_any_code && !code.is_never_sent();
            if !valid {
                return Err(Error::InvalidCloseCode(code));
            }
        }
        let reason = body.slice_from(2).into_text().map_err(Error::not_utf8)?;
        Ok(Self { code, reason })
    }
}
