//! The messages that can be sent.

use std::sync::Arc;

use websocket_proto::connection::{Close, Prepared};
use websocket_proto::endpoint::VectoredWrite;
use websocket_proto::{Event, Fin, IntoCloseCode, MessageKind, Payload, Text};

use crate::{SendError, Sender};

/// From this size on, a vectored write costs less than copying the payload.
const LARGE_SIZE: usize = 16 * 1024;

/// A message to send, borrowed or owned. Converts from a string, from bytes, or from a prepared message, and by
/// `Message::try_from` from an [`Event`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Message<'m> {
    Text(Text<'m>),
    Binary(Payload<'m>),
    /// For a broadcast, encoded once.
    Prepared(Arc<Prepared>),
    /// The next fragment of a message; it begins the message if none is being sent.
    Fragment(MessageKind, Payload<'m>, Fin),
    /// Ignored if a Close was sent before, or if the connection has ended.
    Close(Close<'m>),
}

impl Message<'_> {
    /// Converts to an owned message, e.g. to send it through a channel. Copies what is borrowed.
    pub fn into_owned(self) -> Message<'static> {
        match self {
            Self::Text(text) => Message::Text(text.into_owned().into()),
            Self::Binary(payload) => Message::Binary(payload.into_owned().into()),
            Self::Prepared(prepared) => Message::Prepared(prepared),
            Self::Fragment(kind, payload, fin) => Message::Fragment(kind, payload.into_owned().into(), fin),
            Self::Close(close) => Message::Close(close.into_owned()),
        }
    }

    pub(crate) fn send(&self, sender: &mut Sender<'_>) -> Result<(), SendError> {
        match self {
            Self::Text(text) => sender.send_text(text),
            Self::Binary(payload) => sender.send_binary(payload),
            Self::Prepared(prepared) => sender.send_prepared(prepared),
            Self::Fragment(kind, payload, fin) => sender.send_fragment(*kind, payload, *fin),
            Self::Close(close) => send_close(sender, close.code, &close.reason),
        }
    }

    /// Sends a large message without copying the payload, if the caller writes it immediately. `None` for any other.
    pub(crate) fn send_large<'s>(
        &'s self,
        sender: &'s mut Sender<'_>,
    ) -> Option<Result<VectoredWrite<'s>, SendError>> {
        match self {
            Self::Text(text) if text.len() >= LARGE_SIZE => Some(sender.send_text_vectored(text)),
            Self::Binary(payload) if payload.len() >= LARGE_SIZE => {
                Some(sender.send_binary_vectored(payload))
            }
            _ => None,
        }
    }
}

/// Sends a Close, unless one was sent before or the connection has ended.
pub(crate) fn send_close(
    sender: &mut Sender<'_>,
    code: impl IntoCloseCode,
    reason: &str,
) -> Result<(), SendError> {
    match sender.close(code, reason) {
        Err(SendError::NotOpen) => Ok(()),
        result => result,
    }
}

macro_rules! from {
    ($($variant:ident($of:ty)),+ $(,)?) => {
        $(impl<'m> From<$of> for Message<'m> {
            fn from(message: $of) -> Self {
                Self::$variant(message.into())
            }
        })+
    };
}

from!(
    Text(&'m str),
    Text(String),
    Text(Text<'m>),
    Binary(&'m [u8]),
    Binary(Vec<u8>),
    Binary(Payload<'m>),
    Prepared(Arc<Prepared>),
    Close(Close<'m>),
);

/// The message of an event, to send it on: a text, a binary message, a chunk of either as a fragment, or a Close.
///
/// Nothing is copied: the message borrows what the event borrows, and owns what it owns. The events of
/// [`WebSocket::next`](crate::WebSocket::next) and of the `Stream` are owned, so their messages are
/// `Message<'static>`. One that was borrowed from the read buffer is copied there, once; one that arrived in pieces is not
/// copied. [`WebSocket::next_event`](crate::WebSocket::next_event) lends its events: their messages can be sent on another
/// socket without that copy, and [`into_owned`](Message::into_owned) makes the copy, e.g. for a channel.
///
/// A Ping or a Pong is returned as the error: each endpoint sends and answers its own.
/// [`Reader::messages`](crate::Reader::messages) converts all events, for an echo or a relay by `forward`.
///
/// ```no_run
/// # use embedding_tokio::{Message, SendError, WebSocket};
/// # use tokio::net::TcpStream;
/// # async fn relay(from: &mut WebSocket<TcpStream>, to: &mut WebSocket<TcpStream>) -> Result<(), SendError> {
/// while let Some(event) = from.next().await {
///     if let Ok(message) = Message::try_from(event) {
///         to.send(message).await?; // a Close closes the other connection too
///     }
/// }
/// # Ok(())
/// # }
/// ```
impl<'m> TryFrom<Event<'m>> for Message<'m> {
    type Error = Event<'m>;

    fn try_from(event: Event<'m>) -> Result<Self, Event<'m>> {
        match event {
            Event::Text(text) => Ok(Self::Text(text)),
            Event::Binary(payload) => Ok(Self::Binary(payload)),
            Event::TextChunk(text, fin) => {
                let payload = text.into();
                Ok(Self::Fragment(MessageKind::Text, payload, fin))
            }
            Event::BinaryChunk(payload, fin) => Ok(Self::Fragment(MessageKind::Binary, payload, fin)),
            Event::Close(close) => Ok(Self::Close(close)),
            other => Err(other),
        }
    }
}
