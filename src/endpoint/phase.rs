//! Where an endpoint is in its life, and what each phase makes of bytes, of the end of the transport and of a deadline.

use alloc::boxed::Box;
use core::mem;

use super::end::{End, Interruption, Outcome};
use super::output::Output;
use super::read_buffer::ReadBuffer;
use crate::connection::{State, Transport};
use crate::handshake::{Answer, ClientHandshake, HandshakeError, Request, Response, ServerHandshake};
use crate::{Connection, Role};

/// The phases, in order; [`Open`](Self::Open) and [`Ended`](Self::Ended) are what most endpoints are in.
#[allow(clippy::large_enum_variant, reason = "the large one is the one that lasts")]
pub(super) enum Phase {
    /// A server reads the request.
    AwaitingRequest(Box<ServerHandshake>),
    /// The request is complete, and waits to be taken.
    Requested(Box<Request>),
    /// The caller has taken the request, and decides.
    Deciding,
    /// A client reads the response.
    AwaitingResponse(Box<ClientHandshake>),
    /// The response accepts, and waits to be taken.
    Accepted(Box<(Connection, Response)>),
    /// The response rejects, and waits to be taken.
    Rejected(Box<Response>),
    /// The connection is open, or closing.
    Open(Connection),
    /// There is no connection and there will be none: what waits is written, and that is all.
    Unopened(Outcome),
    /// The transport may be dropped.
    Ended(Box<End>),
}

impl Phase {
    #[inline]
    pub(super) fn connection(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Open(connection) => Some(connection),
            _ => None,
        }
    }

    /// Whether the opening handshake is not complete, which is what its deadline is for.
    pub(super) fn is_opening(&self) -> bool {
        match self {
            Self::AwaitingRequest(_) | Self::Requested(_) | Self::Deciding | Self::AwaitingResponse(_) => {
                true
            }
            Self::Accepted(_) | Self::Rejected(_) | Self::Open(_) | Self::Unopened(_) | Self::Ended(_) => {
                false
            }
        }
    }

    /// Whether the closing handshake has begun.
    pub(super) fn is_closing(&self) -> bool {
        match self {
            Self::Open(connection) => connection.state() != State::Open,
            _ => false,
        }
    }

    /// Whether nothing will be sent any more but what waits already, so that writing can be shut down behind it.
    pub(super) fn is_finishing(&self) -> bool {
        match self {
            Self::Open(connection) => connection.transport() == Transport::Close,
            Self::Unopened(_) => true,
            _ => false,
        }
    }

    /// Whether bytes of the peer are of use.
    pub(super) fn reads(&self) -> bool {
        match self {
            Self::AwaitingRequest(_) | Self::AwaitingResponse(_) => true,
            // The peer's Close is the last thing that is looked at (RFC 6455 section 5.5.1).
            Self::Open(connection) => connection.receives(),
            _ => false,
        }
    }

    /// Takes what came during the opening handshake.
    pub(super) fn read_handshake(&mut self, read: &mut ReadBuffer, output: &mut Output) {
        let (mut input, consumed) = read.cursor();
        let next = match self {
            Self::AwaitingRequest(handshake) => match handshake.receive(&mut input, output.buffer()) {
                Ok(None) => None,
                Ok(Some(request)) => Some(Self::Requested(Box::new(request))),
                Err(error) => Some(Self::Unopened(Outcome::Failed(error))),
            },
            Self::AwaitingResponse(handshake) => match handshake.receive(&mut input, output.buffer()) {
                Ok(None) => None,
                Ok(Some(Answer::Accepted { connection, response })) => {
                    Some(Self::Accepted(Box::new((connection, response))))
                }
                Ok(Some(Answer::Rejected(response))) => Some(Self::Rejected(Box::new(response))),
                Err(error) => Some(Self::Unopened(Outcome::Failed(error))),
            },
            _ => None,
        };
        consumed.all_but(input.len());
        if let Some(next) = next {
            *self = next;
        }
    }

    /// The transport has ended, and all that came before is handed out.
    pub(super) fn end_of_transport(&mut self) {
        let error = match self {
            Self::AwaitingRequest(handshake) => handshake.receive_eof(),
            Self::AwaitingResponse(handshake) => handshake.receive_eof(),
            Self::Open(connection) => {
                connection.receive_eof();
                return;
            }
            _ => return,
        };
        *self = Self::Unopened(Outcome::Failed(error));
    }

    /// The opening handshake took too long. A server has a response to that in `output`.
    pub(super) fn opening_timed_out(&mut self, output: &mut Output) {
        let error = match self {
            Self::AwaitingRequest(handshake) => handshake.handle_timeout(output.buffer()),
            Self::AwaitingResponse(handshake) => handshake.handle_timeout(output.buffer()),
            _ => HandshakeError::TimedOut,
        };
        *self = Self::Unopened(Outcome::Failed(error));
    }

    /// What an endpoint comes to that ends in this phase.
    pub(super) fn end(&mut self, interruption: Option<Interruption>) {
        let outcome = match mem::replace(self, Self::Deciding) {
            Self::Ended(end) => {
                *self = Self::Ended(end);
                return;
            }
            Self::Open(mut connection) => Outcome::Closed(connection.receive_eof()),
            Self::Accepted(mut opened) => Outcome::Closed(opened.0.receive_eof()),
            Self::Rejected(response) => Outcome::Responded {
                status: response.status(),
            },
            Self::Unopened(outcome) => outcome,
            Self::AwaitingRequest(mut handshake) => Outcome::Failed(handshake.receive_eof()),
            Self::AwaitingResponse(mut handshake) => Outcome::Failed(handshake.receive_eof()),
            Self::Requested(_) | Self::Deciding => Outcome::Failed(HandshakeError::Eof),
        };
        *self = Self::Ended(Box::new(End {
            outcome,
            interruption,
        }));
    }

    pub(super) fn role(&self) -> Option<Role> {
        match self {
            Self::AwaitingRequest(_) | Self::Requested(_) | Self::Deciding => Some(Role::Server),
            Self::AwaitingResponse(_) | Self::Accepted(_) | Self::Rejected(_) => Some(Role::Client),
            Self::Open(connection) => Some(connection.role()),
            Self::Unopened(_) | Self::Ended(_) => None,
        }
    }
}
