//! What the receiving half has to tell the sending half.

use core::fmt;

use super::control::ControlPayload;
use super::event::Event;
use crate::CloseCode;
use crate::error::Error;

/// What follows for the sending half from what was received: a Pong is owed, a Close is to be answered, or nothing
/// more will come. The payload of the Ping is lent, or kept on the way from half to half.
#[derive(Debug)]
pub(super) enum ReplyKind<P> {
    None,
    Ping(P),
    Close(Option<CloseCode>),
    Failed(Error),
    Ended,
}

/// What the receiving half has to pass to [`SendHalf::reply`](super::SendHalf::reply): a Pong or Close owed to the
/// peer, or the news that nothing more will arrive.
///
/// A plain value of 128 bytes that can be sent to another task, through a bounded channel: see
/// [`Connection::split`](super::Connection::split). Pass replies on in order: once a Close, a failure or the end was
/// passed on, no Ping is answered any more. If a reply is dropped, a Ping or Close goes unanswered.
#[must_use = "the peer waits for what `SendHalf::reply` makes of it"]
pub struct Reply(pub(super) ReplyKind<ControlPayload>);

impl<'a, P: From<&'a [u8]>> ReplyKind<P> {
    #[inline]
    pub(super) fn to(received: &'a Result<Option<Event<'_>>, Error>) -> Self {
        match received {
            Ok(Some(Event::Ping(payload))) => Self::Ping(P::from(payload)),
            Ok(Some(Event::Close(close))) => Self::Close(close.code),
            Ok(_) => Self::None,
            Err(error) => Self::Failed(*error),
        }
    }
}

impl Reply {
    /// Whether nothing is owed, so that the value need not be handed over.
    pub fn is_none(&self) -> bool {
        matches!(self.0, ReplyKind::None)
    }
}

/// Without the payload.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a bounded channel holds is its number of replies, times this.
const _: () = assert!(size_of::<Reply>() <= 128);
