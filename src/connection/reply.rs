//! What the receiving half has to tell the sending half.

use core::fmt;

use super::event::Event;
use crate::CloseCode;
use crate::error::Error;
use crate::frame::MAX_CONTROL_PAYLOAD;

/// What follows for the sending half from what was received: a Pong is owed, a Close is to be answered, or nothing
/// more will come.
pub(super) enum Reaction<'a> {
    None,
    Ping(&'a [u8]),
    Close(Option<CloseCode>),
    Failed(Error),
    Ended,
}

/// What [`SendHalf::reply`](super::SendHalf::reply) has to be given of what
/// [`ReceiveHalf::receive`](super::ReceiveHalf::receive) received: the Pong or the Close that is owed to the peer,
/// or that nothing more will come.
///
/// A plain value of some 130 bytes, to be sent from one task to another. Replies are given in the order in which
/// they came; one that is dropped leaves a Ping or a Close without its answer.
#[must_use = "the peer waits for what `SendHalf::reply` makes of it"]
pub struct Reply(Kind);

enum Kind {
    None,
    Ping {
        bytes: [u8; MAX_CONTROL_PAYLOAD],
        size: u8,
    },
    Close(Option<CloseCode>),
    Failed(Error),
    Ended,
}

impl<'a> Reaction<'a> {
    #[inline]
    pub(super) fn to(received: &'a Result<Option<Event<'_>>, Error>) -> Self {
        match received {
            Ok(Some(Event::Ping(payload))) => Self::Ping(payload),
            Ok(Some(Event::Close(close))) => Self::Close(close.code),
            Ok(_) => Self::None,
            Err(error) => Self::Failed(*error),
        }
    }
}

impl Reply {
    /// Whether nothing is owed, so that the value need not be handed over.
    pub fn is_none(&self) -> bool {
        matches!(self.0, Kind::None)
    }

    pub(super) fn reaction(&self) -> Reaction<'_> {
        match &self.0 {
            Kind::None => Reaction::None,
            Kind::Ping { bytes, size } => Reaction::Ping(bytes.get(..usize::from(*size)).unwrap_or(bytes)),
            Kind::Close(code) => Reaction::Close(*code),
            Kind::Failed(error) => Reaction::Failed(*error),
            Kind::Ended => Reaction::Ended,
        }
    }
}

impl From<Reaction<'_>> for Reply {
    fn from(reaction: Reaction<'_>) -> Self {
        Self(match reaction {
            Reaction::None => Kind::None,
            Reaction::Ping(payload) => {
                let mut bytes = [0; MAX_CONTROL_PAYLOAD];
                let mut size = 0_u8;
                for (to, from) in bytes.iter_mut().zip(payload) {
                    *to = *from;
                    size = size.saturating_add(1);
                }
                Kind::Ping { bytes, size }
            }
            Reaction::Close(code) => Kind::Close(code),
            Reaction::Failed(error) => Kind::Failed(error),
            Reaction::Ended => Kind::Ended,
        })
    }
}

/// Without the payload.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::None => f.write_str("None"),
            Kind::Ping { size, .. } => write!(f, "Ping({size} bytes)"),
            Kind::Close(code) => f.debug_tuple("Close").field(code).finish(),
            Kind::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Kind::Ended => f.write_str("Ended"),
        }
    }
}
