//! The phases of an endpoint's life, and how each handles bytes, the end of the transport and a deadline.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::end::{End, Interruption, Outcome, Timeout};
use super::output::Output;
use super::read_buffer::ReadBuffer;
use crate::connection::{State, TransportAdvice};
use crate::handshake::{
    Answer, ClientHandshake, HandshakeError, Request, Response, ResponseBody, ServerHandshake,
};
use crate::{Config, Connection, Role};

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
    AwaitingResponse(Box<Asked>),
    /// The response rejects, and its body is read.
    AwaitingBody(Box<Rejecting>),
    /// The response accepts, and waits to be taken.
    Accepted(Box<(Connection, Response)>),
    /// The response rejects, and waits to be taken.
    Rejected(Box<Rejection>),
    /// The connection is open, or closing.
    Open(Connection),
    /// There is no connection and there will be none: only the waiting output is still written. Holds the deadline that
    /// was missed, if that is the reason.
    Unopened(Outcome, Option<Interruption>),
    /// The transport may be dropped.
    Ended(Box<End>),
}

/// What a client waits for, and its limits.
pub(super) struct Asked {
    pub(super) handshake: ClientHandshake,
    pub(super) config: Config,
}

/// A rejection whose body is not complete.
pub(super) struct Rejecting {
    response: Response,
    reader: ResponseBody,
}

/// A rejection with the part of its body received within the limit.
pub(super) struct Rejection {
    pub(super) response: Response,
    pub(super) body: Vec<u8>,
    /// The deadline that passed before the body was complete.
    missed: Option<Interruption>,
}

impl Rejecting {
    fn new(response: Response, config: &Config) -> Self {
        let reader = response.body_reader(config);
        Self { response, reader }
    }

    /// Returns the rejection once its body is complete, or cannot be completed.
    fn receive(&mut self, input: &mut &mut [u8]) -> Option<Rejection> {
        let body = self.reader.receive(input).transpose()?;
        Some(self.rejection(body.ok(), None))
    }

    /// Returns the rejection when no more of its body is read: the transport ended, or the deadline was missed.
    fn give_up(&mut self, missed: Option<Interruption>) -> Rejection {
        let body = self.reader.receive_eof();
        self.rejection(body.ok(), missed)
    }

    fn rejection(&self, body: Option<Vec<u8>>, missed: Option<Interruption>) -> Rejection {
        Rejection {
            response: self.response.clone(),
            body: body.unwrap_or_else(|| self.reader.received().to_vec()),
            missed,
        }
    }
}

/// What is left without a connection. A call, because the compiler would otherwise compute an `Option` without a branch, and look
/// at that for each use of the connection.
#[cold]
#[inline(never)]
fn no_connection<'c>() -> Option<&'c mut Connection> {
    None
}

/// The response of a server whose caller did not answer a request in time (RFC 9110 section 15.6.4): the client did its
/// part, so 408 would be wrong. It has no body, because the method may be HEAD.
const UNAVAILABLE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

impl Phase {
    #[inline]
    pub(super) fn connection(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Open(connection) => Some(connection),
            _ => no_connection(),
        }
    }

    /// Returns whether the opening handshake is incomplete, so that its deadline applies.
    pub(super) fn is_opening(&self) -> bool {
        match self {
            Self::AwaitingRequest(_) | Self::Requested(_) | Self::Deciding => true,
            Self::AwaitingResponse(_) | Self::AwaitingBody(_) => true,
            Self::Accepted(_) | Self::Rejected(_) | Self::Open(_) => false,
            Self::Unopened(..) | Self::Ended(_) => false,
        }
    }

    /// Whether the connection is open, and not closing.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Open(connection) if connection.is_open())
    }

    /// Whether the closing handshake has begun.
    pub(super) fn is_closing(&self) -> bool {
        match self {
            Self::Open(connection) => connection.state() != State::Open,
            _ => false,
        }
    }

    /// Returns whether nothing but the waiting output will be sent, so that writing can be shut down after it.
    pub(super) fn is_finishing(&self) -> bool {
        match self {
            Self::Open(connection) => connection.transport_advice() == TransportAdvice::Close,
            Self::Unopened(..) => true,
            _ => false,
        }
    }

    /// Returns whether the peer's bytes are kept: they may be a part of the handshake, or frames behind it.
    #[inline]
    pub(super) fn reads(&self) -> bool {
        match self {
            // Nothing is read after the peer's Close (RFC 6455 section 5.5.1).
            Self::Open(connection) => connection.receives(),
            _ => self.reads_handshake(),
        }
    }

    /// Same as [`reads`](Self::reads), before the connection is open and after the end. Not inlined: it is rarely asked.
    #[inline(never)]
    fn reads_handshake(&self) -> bool {
        match self {
            Self::AwaitingRequest(_) | Self::Requested(_) | Self::Deciding => true,
            Self::AwaitingResponse(_) | Self::AwaitingBody(_) | Self::Accepted(_) => true,
            Self::Rejected(_) | Self::Open(_) | Self::Unopened(..) | Self::Ended(_) => false,
        }
    }

    /// Reads the bytes received during the opening handshake.
    pub(super) fn read_handshake(&mut self, read: &mut ReadBuffer, output: &mut Output) {
        let mut unread = read.lend();
        while let Some(next) = self.next(&mut unread.input, output) {
            *self = next;
        }
    }

    /// Returns the phase that follows from the input; `None` if it does not change.
    fn next(&mut self, input: &mut &mut [u8], output: &mut Output) -> Option<Self> {
        match self {
            Self::AwaitingRequest(handshake) => match handshake.receive(input, output.buffer()) {
                Ok(None) => None,
                Ok(Some(request)) => Some(Self::Requested(Box::new(request))),
                Err(error) => Some(Self::failed(error)),
            },
            Self::AwaitingResponse(asked) => match asked.handshake.receive(input, output.buffer()) {
                Ok(None) => None,
                Ok(Some(Answer::Accepted { connection, response })) => {
                    Some(Self::Accepted(Box::new((connection, response))))
                }
                Ok(Some(Answer::Rejected(response))) => {
                    let rejecting = Rejecting::new(response, &asked.config);
                    Some(Self::AwaitingBody(Box::new(rejecting)))
                }
                Err(error) => Some(Self::failed(error)),
            },
            Self::AwaitingBody(rejecting) => {
                let rejection = rejecting.receive(input)?;
                Some(Self::Rejected(Box::new(rejection)))
            }
            _ => None,
        }
    }

    /// Handles the end of the transport, after everything before it has been returned.
    pub(super) fn end_of_transport(&mut self) {
        *self = match self {
            Self::AwaitingRequest(handshake) => Self::failed(handshake.receive_eof()),
            Self::AwaitingResponse(asked) => Self::failed(asked.handshake.receive_eof()),
            Self::AwaitingBody(rejecting) => Self::Rejected(Box::new(rejecting.give_up(None))),
            _ => return,
        };
    }

    /// Handles an opening handshake that took too long. A server's response is then in `output`; a rejected client has
    /// the part of the body received so far.
    pub(super) fn opening_timed_out(&mut self, limit: Duration, output: &mut Output) {
        let missed = Interruption::TimedOut {
            timeout: Timeout::Opening,
            limit,
        };
        let outcome = match self {
            Self::AwaitingRequest(handshake) => Outcome::Failed(handshake.handle_timeout(output.buffer())),
            Self::AwaitingResponse(asked) => Outcome::Failed(asked.handshake.handle_timeout(output.buffer())),
            Self::AwaitingBody(rejecting) => {
                *self = Self::Rejected(Box::new(rejecting.give_up(Some(missed))));
                return;
            }
            Self::Requested(_) | Self::Deciding => {
                output.buffer().extend_from_slice(UNAVAILABLE);
                Outcome::Responded { status: 503 }
            }
            Self::Accepted(_) | Self::Rejected(_) | Self::Open(_) | Self::Unopened(..) | Self::Ended(_) => {
                return;
            }
        };
        *self = Self::Unopened(outcome, Some(missed));
    }

    /// The opening handshake failed.
    pub(super) fn failed(error: HandshakeError) -> Self {
        Self::Unopened(Outcome::Failed(error), None)
    }

    /// The server responded to the request without opening a connection.
    pub(super) fn responded(status: u16) -> Self {
        Self::Unopened(Outcome::Responded { status }, None)
    }

    /// Ends an endpoint in this phase. A Close in `unwritten` was never sent.
    pub(super) fn end(&mut self, interruption: Option<Interruption>, unwritten: Option<&Output>) {
        let mut missed = None;
        let outcome = match mem::replace(self, Self::Deciding) {
            Self::Ended(end) => {
                *self = Self::Ended(end);
                return;
            }
            Self::Open(mut connection) => {
                let closed = connection.receive_eof();
                Outcome::Closed(match unwritten.is_some_and(Output::holds_close) {
                    true => closed.without_our_close(),
                    false => closed,
                })
            }
            Self::Accepted(mut opened) => Outcome::Closed(opened.0.receive_eof()),
            Self::AwaitingBody(rejecting) => Outcome::Responded {
                status: rejecting.response.status(),
            },
            Self::Rejected(rejection) => {
                missed = rejection.missed;
                Outcome::Responded {
                    status: rejection.response.status(),
                }
            }
            Self::Unopened(outcome, reason) => {
                missed = reason;
                outcome
            }
            Self::AwaitingRequest(mut handshake) => Outcome::Failed(handshake.receive_eof()),
            Self::AwaitingResponse(mut asked) => Outcome::Failed(asked.handshake.receive_eof()),
            Self::Requested(_) | Self::Deciding => Outcome::Failed(HandshakeError::Unanswered),
        };
        *self = Self::Ended(Box::new(End {
            outcome,
            interruption: missed.or(interruption),
        }));
    }

    pub(super) fn role(&self) -> Option<Role> {
        match self {
            Self::AwaitingRequest(_) | Self::Requested(_) | Self::Deciding => Some(Role::Server),
            Self::AwaitingResponse(_) | Self::AwaitingBody(_) => Some(Role::Client),
            Self::Accepted(_) | Self::Rejected(_) => Some(Role::Client),
            Self::Open(connection) => Some(connection.role()),
            Self::Unopened(..) | Self::Ended(_) => None,
        }
    }
}
