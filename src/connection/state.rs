//! How a connection ends (RFC 6455 section 7): the state of each direction, and every conclusion drawn from
//! the two.
//!
//! The two directions close independently. What the caller sees follows from the pair; this table is its only
//! definition:
//!
//! ```text
//!                   receiving: Open     Closed: peer's Close received    Over: it failed, or the transport ended
//!  sending: Open    Open                Closing                          Closed
//!           Closed  Closing, await peer Closed, clean                    Closed, clean after the peer's Close
//! ```
//!
//! The receiving half keeps its own state, [`Receiving`], with the error that it repeats. The sending half, which draws
//! the conclusions, keeps in [`Sending`] the part that they depend on, [`Incoming`]; a reply carries it from the
//! receiving half to the sending half.

use alloc::boxed::Box;
use core::{fmt, mem};

use crate::config::AutoPong;
use crate::error::{Error, Misuse};
use crate::{CloseCode, Role};

/// The state of a connection, as in RFC 6455 sections 4.1 and 7.1 (and as `readyState` in browsers). There is no
/// `CONNECTING` state: the [handshake](crate::handshake) is a separate type.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "the states of RFC 6455")]
pub enum State {
    /// Messages can be sent and received.
    Open,
    /// A Close was sent or received, but not both: the closing handshake has started (section 7.1.3).
    Closing,
    /// Nothing will be sent or received any more: both sides have sent a Close, the connection failed, or the transport
    /// ended.
    Closed,
}

/// What to do with the transport now, once the output is written.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "every caller has to be able to do each of them"
)]
pub enum TransportAdvice {
    /// Keep reading. If the peer's Close has arrived and [`Config::auto_close`](crate::Config::auto_close) is off,
    /// nothing more will arrive: finish your message and [`close`](crate::Connection::close).
    KeepOpen,
    /// Keep reading, with a timeout: arm a timer, and close the transport when it fires. 10 seconds is typical.
    ///
    /// The peer owes something: its Close, after ours was sent; or, if we are the client, it has to close the
    /// transport, because the server closes first (RFC 6455 section 7.1.1).
    AwaitPeer,
    /// Close the transport. On TCP: shut down writing, then read and discard input until EOF or for a second or two, so
    /// that a TCP reset does not overtake the Close frame; then close.
    Close,
}

/// Who or what ended the connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ClosedBy {
    /// This side sent its Close before the peer's arrived.
    Local,
    /// The peer's Close arrived first.
    Peer,
    /// The peer broke a rule or exceeded a limit.
    Failure(Error),
    /// The transport ended without a Close from either side.
    Transport,
}

/// A summary of how a connection ended. [`Display`](fmt::Display) gives one line for the log, which also says whether the
/// transport ended inside a frame or a fragmented message of the peer's.
///
/// ```
/// use websocket_proto::{ClosedBy, CloseCode, Config, Connection, entropy};
///
/// let mut connection = Connection::client(&Config::new(), entropy::from_fn(|key| key.fill(7)));
/// let mut input = &mut b"\x88\x05\x03\xe9bye".to_vec()[..];
/// connection.receive(&mut input, &mut Vec::new())?;
/// let closed = connection.receive_eof();
/// assert_eq!((closed.by(), closed.code(), closed.reason()), (ClosedBy::Peer, CloseCode::GOING_AWAY, "bye"));
/// assert_eq!(closed.to_string(), r#"closed by the peer, clean, sent 1001, received 1001 "bye""#);
/// # Ok::<(), websocket_proto::Error>(())
/// ```
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Closed {
    send: SendState,
    /// Our Close, if it was queued and never written; otherwise [`SendState::Open`].
    unsent: SendState,
    receive: ReceiveState,
}

/// The sending half's state: its own direction, and what it knows about the other.
pub(super) struct Sending {
    own: SendState,
    incoming: Incoming,
}

/// The receiving half's state.
pub(super) struct Receiving(ReceiveState);

#[derive(Clone, Copy, Eq, Hash, PartialEq)]
enum SendState {
    Open,
    /// We sent the first Close, or the Close of a failure.
    Closed(Option<CloseCode>),
    /// We answered the peer's Close.
    Answered(Option<CloseCode>),
}

#[derive(Clone, Eq, Hash, PartialEq)]
enum ReceiveState {
    Open,
    /// The peer's Close has arrived.
    Closed(PeerClose),
    /// Valid data was delivered before the error; the next call returns the error.
    Failing(Error),
    /// Failed for good: every later call returns the same error.
    Failed(Error),
    /// The transport ended before the peer's Close.
    Ended(Unfinished),
    /// The transport ended after the peer's Close.
    EndedAfterClose(PeerClose),
}

#[derive(Clone, Eq, Hash, PartialEq)]
struct PeerClose {
    code: Option<CloseCode>,
    reason: Box<str>,
}

/// What the peer had begun when the transport ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Unfinished {
    Nothing,
    /// A frame, its header or its payload.
    Frame,
    /// A message, of which the last fragment is missing.
    Message,
}

/// What the sending half knows about the receiving direction, whose states follow each other in this order.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Incoming {
    Open,
    /// The peer's Close has arrived.
    Closed,
    /// It failed, or the transport ended.
    Over,
}

impl Receiving {
    pub(super) const OPEN: Self = Self(ReceiveState::Open);

    #[inline]
    pub(super) fn is_open(&self) -> bool {
        matches!(self.0, ReceiveState::Open)
    }

    /// Returns whether something is left to report: an event, or an error that was not reported yet.
    pub(super) fn has_more(&self) -> bool {
        matches!(self.0, ReceiveState::Open | ReceiveState::Failing(_))
    }

    /// Returns the error that ended this direction, which every call returns.
    pub(super) fn error(&self) -> Option<Error> {
        match self.0 {
            ReceiveState::Failing(error) | ReceiveState::Failed(error) => Some(error),
            ReceiveState::Open
            | ReceiveState::Closed(_)
            | ReceiveState::Ended(_)
            | ReceiveState::EndedAfterClose(_) => None,
        }
    }

    /// Records the peer's Close.
    pub(super) fn close(&mut self, code: Option<CloseCode>, reason: &str) {
        let reason = reason.into();
        self.0 = ReceiveState::Closed(PeerClose { code, reason });
    }

    pub(super) fn fail(&mut self, error: Error) {
        self.0 = ReceiveState::Failed(error);
    }

    /// Fails with the next call, after valid data before the error.
    pub(super) fn fail_next(&mut self, error: Error) {
        self.0 = ReceiveState::Failing(error);
    }

    /// Records that the transport ended.
    pub(super) fn end(&mut self, unfinished: Unfinished) {
        self.0 = mem::replace(&mut self.0, ReceiveState::Open).at_the_end(unfinished);
    }

    /// What to report to the sending half.
    pub(super) fn incoming(&self) -> Incoming {
        match self.0 {
            ReceiveState::Open | ReceiveState::Failing(_) => Incoming::Open,
            ReceiveState::Closed(_) => Incoming::Closed,
            ReceiveState::Failed(_) | ReceiveState::Ended(_) | ReceiveState::EndedAfterClose(_) => {
                Incoming::Over
            }
        }
    }
}

impl Sending {
    pub(super) const OPEN: Self = Self {
        own: SendState::Open,
        incoming: Incoming::Open,
    };

    /// Returns the state, by the table in the module's documentation.
    #[inline]
    pub(super) fn state(&self) -> State {
        match (self.own, self.incoming) {
            (SendState::Open, Incoming::Open) => State::Open,
            (SendState::Open, Incoming::Closed) => State::Closing,
            (SendState::Closed(_) | SendState::Answered(_), Incoming::Open) => State::Closing,
            (SendState::Closed(_) | SendState::Answered(_), Incoming::Closed) => State::Closed,
            (_, Incoming::Over) => State::Closed,
        }
    }

    /// Decides who closes the transport, and when (RFC 6455 sections 5.5.1 and 7.1.1).
    pub(super) fn transport_advice(&self, role: Role) -> TransportAdvice {
        match (self.own, self.incoming) {
            (SendState::Open, Incoming::Open | Incoming::Closed) => TransportAdvice::KeepOpen,
            (SendState::Closed(_) | SendState::Answered(_), Incoming::Open) => TransportAdvice::AwaitPeer,
            (SendState::Closed(_) | SendState::Answered(_), Incoming::Closed) => match role {
                Role::Server => TransportAdvice::Close,
                Role::Client => TransportAdvice::AwaitPeer,
            },
            (_, Incoming::Over) => TransportAdvice::Close,
        }
    }

    /// RFC 6455 section 6.1: a message may begin only while both directions are open.
    #[inline]
    pub(super) fn check_open(&self) -> Result<(), Misuse> {
        match self.state() {
            State::Open => Ok(()),
            State::Closing | State::Closed => Err(Misuse::NotOpen),
        }
    }

    /// RFC 6455 section 5.5.1: a message already begun may be finished before the peer's Close is answered. No data may
    /// follow our own Close.
    pub(super) fn check_unclosed(&self) -> Result<(), Misuse> {
        match (self.own, self.incoming) {
            (SendState::Open, Incoming::Open | Incoming::Closed) => Ok(()),
            (SendState::Closed(_) | SendState::Answered(_), _) | (_, Incoming::Over) => Err(Misuse::NotOpen),
        }
    }

    /// RFC 6455 sections 5.5.1 and 5.5.2: a Ping or a Pong may be sent until the peer's Close arrives, even after our
    /// own Close, which only data must not follow.
    #[inline]
    pub(super) fn check_control(&self) -> Result<(), Misuse> {
        match self.incoming {
            Incoming::Open => Ok(()),
            Incoming::Closed | Incoming::Over => Err(Misuse::NotOpen),
        }
    }

    /// Returns whether a Ping is answered now (RFC 6455 section 5.5.2, and [`AutoPong`]). Never after the peer's Close,
    /// in whatever order two tasks pass the replies on.
    pub(super) fn owes_pong(&self, auto_pong: AutoPong) -> bool {
        match auto_pong {
            AutoPong::Off => false,
            AutoPong::WhileOpen => self.state() == State::Open,
            AutoPong::UntilPeerCloses => self.check_control().is_ok(),
        }
    }

    /// Records that our Close is sent: as an answer, or as the first one.
    pub(super) fn close(&mut self, code: Option<CloseCode>) {
        self.own = match self.incoming {
            Incoming::Closed => SendState::Answered(code),
            Incoming::Open | Incoming::Over => SendState::Closed(code),
        };
    }

    /// Records the state of the receiving direction, which never goes back to an earlier one.
    pub(super) fn update_incoming(&mut self, incoming: Incoming) {
        *self = self.with_incoming(incoming);
    }

    fn with_incoming(&self, incoming: Incoming) -> Self {
        Self {
            own: self.own,
            incoming: self.incoming.max(incoming),
        }
    }
}

impl SendState {
    fn code(&self) -> Option<CloseCode> {
        match self {
            Self::Open => None,
            Self::Closed(code) | Self::Answered(code) => Some(code.unwrap_or(CloseCode::NO_STATUS)),
        }
    }
}

impl ReceiveState {
    /// Returns the state after the transport has ended. A failure that was found is the end, returned or not.
    fn at_the_end(self, unfinished: Unfinished) -> Self {
        match self {
            Self::Open => Self::Ended(unfinished),
            Self::Ended(unfinished) => Self::Ended(unfinished),
            Self::Closed(close) | Self::EndedAfterClose(close) => Self::EndedAfterClose(close),
            Self::Failing(error) | Self::Failed(error) => Self::Failed(error),
        }
    }

    fn close(&self) -> Option<&PeerClose> {
        match self {
            Self::Open | Self::Failing(_) | Self::Failed(_) | Self::Ended(_) => None,
            Self::Closed(close) | Self::EndedAfterClose(close) => Some(close),
        }
    }
}

impl Closed {
    /// Returns the end, unless something may still be received or sent.
    pub(super) fn once_over(
        sending: &Sending,
        receiving: &Receiving,
        unfinished: Unfinished,
    ) -> Option<Self> {
        let sending = sending.with_incoming(receiving.incoming());
        match sending.state() {
            State::Open | State::Closing => None,
            State::Closed => Some(Self::at_the_end(&sending, receiving, unfinished)),
        }
    }

    /// Returns the end as it is if the transport ends now.
    pub(super) fn at_the_end(sending: &Sending, receiving: &Receiving, unfinished: Unfinished) -> Self {
        Self {
            send: sending.own,
            unsent: SendState::Open,
            receive: receiving.0.clone().at_the_end(unfinished),
        }
    }

    /// Returns the end as it is if this side's Close was never written.
    pub(crate) fn without_our_close(self) -> Self {
        Self {
            send: SendState::Open,
            unsent: self.send,
            ..self
        }
    }

    /// Returns the connection's close code (RFC 6455 section 7.1.5): that of the Close frame received, 1005 if it had
    /// none, 1006 if none was received. It is therefore 1006 even if this side failed the connection; see
    /// [`code_sent`](Self::code_sent) for the code we sent.
    pub fn code(&self) -> CloseCode {
        self.code_received().unwrap_or(CloseCode::ABNORMAL)
    }

    /// Returns the code of the Close frame that was sent, 1005 if it had none; `None` if none was sent.
    pub fn code_sent(&self) -> Option<CloseCode> {
        self.send.code()
    }

    /// Returns the code of a Close frame that was queued but not sent, 1005 if it had none. An
    /// [`Endpoint`](crate::endpoint::Endpoint) reports it if the transport ended before the Close was written and flushed:
    /// for example 1013 for a peer that reads so slowly that the Close never got that far. [`code_sent`](Self::code_sent) is
    /// then `None`. Always `None` without an endpoint, because only an endpoint knows what was written.
    pub fn code_unsent(&self) -> Option<CloseCode> {
        self.unsent.code()
    }

    /// Returns the code of the Close frame that was received, 1005 if it had none; `None` if none was received.
    pub fn code_received(&self) -> Option<CloseCode> {
        let close = self.receive.close()?;
        Some(close.code.unwrap_or(CloseCode::NO_STATUS))
    }

    /// Returns the connection's close reason (RFC 6455 section 7.1.6): that of the Close frame received, at most 123
    /// bytes; otherwise empty.
    pub fn reason(&self) -> &str {
        self.receive.close().map_or("", |close| &close.reason)
    }

    /// Returns whether the closing handshake was complete before the transport ended (RFC 6455 section 7.1.4;
    /// `wasClean` in browsers).
    pub fn is_clean(&self) -> bool {
        self.code_sent().is_some() && self.code_received().is_some()
    }

    /// Returns who or what ended the connection.
    pub fn by(&self) -> ClosedBy {
        match (self.send, &self.receive) {
            (_, ReceiveState::Failed(error)) => ClosedBy::Failure(*error),
            (SendState::Closed(_), _) => ClosedBy::Local,
            (SendState::Answered(_), _) => ClosedBy::Peer,
            (SendState::Open, ReceiveState::Closed(_) | ReceiveState::EndedAfterClose(_)) => ClosedBy::Peer,
            (SendState::Open, ReceiveState::Open | ReceiveState::Failing(_) | ReceiveState::Ended(_)) => {
                ClosedBy::Transport
            }
        }
    }

    fn unfinished(&self) -> Unfinished {
        match self.receive {
            ReceiveState::Ended(unfinished) => unfinished,
            ReceiveState::Open
            | ReceiveState::Closed(_)
            | ReceiveState::Failing(_)
            | ReceiveState::Failed(_)
            | ReceiveState::EndedAfterClose(_) => Unfinished::Nothing,
        }
    }

    /// Writes what was not complete at the end: something that the peer had begun, or this side's Close.
    pub(crate) fn write_incomplete(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unfinished() {
            Unfinished::Nothing => {}
            Unfinished::Frame => f.write_str(", peer's last frame incomplete")?,
            Unfinished::Message => f.write_str(", peer's last message incomplete")?,
        }
        match self.code_unsent() {
            Some(code) => write!(f, ", {} not written", code.0),
            None => Ok(()),
        }
    }
}

/// Does not show the reason, because the peer chose it.
impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed")
            .field("by", &self.by())
            .field("code", &self.code())
            .field("code_sent", &self.code_sent())
            .field("code_unsent", &self.code_unsent())
            .field("code_received", &self.code_received())
            .field("is_clean", &self.is_clean())
            .field("reason_len", &self.reason().len())
            .field("unfinished", &self.unfinished())
            .finish()
    }
}

impl fmt::Display for ClosedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("closed locally"),
            Self::Peer => f.write_str("closed by the peer"),
            Self::Failure(error) => write!(f, "failed: {error}"),
            Self::Transport => f.write_str("transport ended"),
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clean = if self.is_clean() { "clean" } else { "not clean" };
        write!(f, "{}, {clean}", self.by())?;
        for (what, code) in [("sent", self.code_sent()), ("received", self.code_received())] {
            match code {
                Some(code) => write!(f, ", {what} {}", code.0)?,
                None => write!(f, ", {what} none")?,
            }
        }
        match self.reason() {
            "" => {}
            // Next to the code that it came with. Escaped, because the peer chose it and logs are read by lines.
            reason => write!(f, " {reason:?}")?,
        }
        self.write_incomplete(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455 section 7.1.4: closed is final, in whatever order replies are passed on.
    #[test]
    fn what_is_over_does_not_come_back() {
        let mut sending = Sending::OPEN;
        for (told, state) in [
            (Incoming::Closed, State::Closing),
            (Incoming::Open, State::Closing),
            (Incoming::Over, State::Closed),
            (Incoming::Closed, State::Closed),
        ] {
            sending.update_incoming(told);
            assert_eq!(sending.state(), state);
        }
        assert_eq!(sending.transport_advice(Role::Client), TransportAdvice::Close);
        assert_eq!(sending.check_unclosed(), Err(Misuse::NotOpen));
    }
}
