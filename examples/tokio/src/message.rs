//! The messages that can be sent.

use std::sync::Arc;

use websocket_proto::connection::{Close, Prepared};
use websocket_proto::{Fin, MessageKind, Payload, Text};

use crate::{SendError, Sender};

/// A message to send, borrowed or owned. Converts from a string, from bytes, or from a prepared message.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Message<'m> {
    Text(Text<'m>),
    Binary(Payload<'m>),
    /// For a broadcast, encoded once.
    Prepared(Arc<Prepared>),
    /// The next fragment of a message; it begins the message if none is being sent.
    Fragment(MessageKind, Payload<'m>, Fin),
    Close(Close<'m>),
}

impl Message<'_> {
    pub(crate) fn send(&self, mut sender: Sender<'_>) -> Result<(), SendError> {
        match self {
            Self::Text(text) => sender.send_text(text),
            Self::Binary(payload) => sender.send_binary(payload),
            Self::Prepared(prepared) => sender.send_prepared(prepared),
            Self::Fragment(kind, payload, fin) => sender.send_fragment(*kind, payload, *fin),
            Self::Close(close) => sender.close(close.code, &close.reason),
        }
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
