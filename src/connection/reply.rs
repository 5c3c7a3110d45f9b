//! What the receiving half reports to the sending half.

use core::fmt;

use super::control::ControlPayload;
use super::event::Event;
use crate::CloseCode;
use crate::error::Error;

/// What the sending half has to do after something was received: send a Pong, answer a Close, or note that nothing more
/// will arrive. The payload of the Ping is borrowed, or copied for the way between the halves.
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
/// [`Connection::split`](super::Connection::split). Pass replies on in order: after a Close, a failure or the end,
/// Pings are no longer answered. If a reply is dropped, a Ping or Close goes unanswered.
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
    /// Returns whether nothing is owed, so that the value need not be passed on.
    pub fn is_none(&self) -> bool {
        matches!(self.0, ReplyKind::None)
    }
}

/// Does not show the payload.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The memory of a bounded channel is its capacity times this.
const _: () = assert!(size_of::<Reply>() <= 128);
