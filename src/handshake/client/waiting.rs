//! The time between the request and the final response, whoever reads it.

use super::rules::{Kind, Offer};
use super::{Answer, Response};
use crate::handshake::error::HandshakeError;
use crate::handshake::http::head::Head;
use crate::{Config, Connection};

/// A client that waits for the response.
pub(super) struct Waiting {
    offer: Offer,
    state: State,
}

#[allow(
    clippy::large_enum_variant,
    reason = "it is large until the answer comes, and then moved out"
)]
enum State {
    Waiting {
        interim: Interim,
        connection: Connection,
    },
    Finished(HandshakeError),
}

/// How many more interim responses are allowed.
pub(super) struct Interim {
    left: usize,
    limit: usize,
}

impl Interim {
    pub(super) fn new(config: &Config) -> Self {
        let limit = config.max_interim_responses;
        Self { left: limit, limit }
    }

    /// RFC 9110 section 15.2: unsolicited interim responses are skipped.
    pub(super) fn skip(&mut self) -> Result<(), HandshakeError> {
        let limit = self.limit;
        let left = self.left.checked_sub(1);
        self.left = left.ok_or(HandshakeError::TooManyInterimResponses { limit })?;
        Ok(())
    }
}

/// What a response is.
#[allow(clippy::large_enum_variant, reason = "it is matched at once")]
pub(super) enum Judged {
    Interim(Head),
    Final(Answer),
}

impl Waiting {
    pub(super) fn new(offer: Offer, connection: Connection) -> Self {
        let state = State::Waiting {
            interim: Interim::new(&offer.config),
            connection,
        };
        Self { offer, state }
    }

    /// Returns the earlier error, or [`HandshakeError::Finished`] after a response.
    pub(super) fn check(&self) -> Result<(), HandshakeError> {
        self.finished().map_or(Ok(()), Err)
    }

    pub(super) fn finished(&self) -> Option<HandshakeError> {
        match self.state {
            State::Waiting { .. } => None,
            State::Finished(error) => Some(error),
        }
    }

    pub(super) fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Ends the wait with this error. Returns the earlier error, if there was one.
    pub(super) fn end(&mut self, error: HandshakeError) -> HandshakeError {
        self.fail(self.finished().unwrap_or(error))
    }

    /// Fails with this error, which every later call returns.
    pub(super) fn fail(&mut self, error: HandshakeError) -> HandshakeError {
        self.state = State::Finished(error);
        error
    }

    /// Handles the next response, which is complete.
    pub(super) fn judge(&mut self, head: Head) -> Result<Judged, HandshakeError> {
        self.try_judge(head).map_err(|error| self.fail(error))
    }

    fn try_judge(&mut self, head: Head) -> Result<Judged, HandshakeError> {
        let finished = State::Finished(HandshakeError::Finished);
        let (mut interim, connection) = match core::mem::replace(&mut self.state, finished) {
            State::Waiting { interim, connection } => (interim, connection),
            State::Finished(error) => return Err(error),
        };
        match self.offer.kind(head.status())? {
            Kind::Interim => {
                interim.skip()?;
                self.state = State::Waiting { interim, connection };
                Ok(Judged::Interim(head))
            }
            // RFC 9112 section 6.3: it ends at its empty line, whatever Content-Length says.
            Kind::Accepting => {
                let connection = self.offer.accept(connection, &head)?;
                let response = Response::accepting(head);
                Ok(Judged::Final(Answer::Accepted { connection, response }))
            }
            // RFC 6455 section 4.1: handled as HTTP, that is, by the caller.
            Kind::Rejecting => Ok(Judged::Final(Answer::Rejected(Response::rejecting(head)))),
        }
    }
}
