//! How an endpoint ended, and why it refuses to send.

use alloc::boxed::Box;
use core::error::Error;
use core::fmt;
use core::time::Duration;

use crate::handshake::HandshakeError;
#[cfg(doc)]
use crate::keepalive::KeepaliveConfig;
use crate::{Closed, ClosedBy, Misuse};

/// The error of a transport, as its driver reported it.
pub type TransportError = Box<dyn Error + Send + Sync>;

/// A summary of how an endpoint ended. [`Display`](fmt::Display) gives one line for the log.
///
/// # After a Close to a peer that reads too slowly
///
/// A Close is queued behind the output that waits, such as that of a broadcast. A server that answers
/// [`SendError::Full`] with a Close 1013 gets one of these ends:
///
/// | the peer | the end | `code_sent` | `code_unsent` |
/// |---|---|---|---|
/// | reads everything, and replies | `closed locally, clean, sent 1013, received 1013` | 1013 | |
/// | reads everything, and does not reply | `closed locally, not clean, sent 1013, received none (closing handshake took longer than the 10s of KeepaliveConfig::close_timeout)` | 1013 | |
/// | reads nothing for the [write timeout](super::EndpointConfig::write_timeout) | `peer did not read for the 10s of EndpointConfig::write_timeout, not clean, 1013 not written` | | 1013 |
/// | leaves before the Close is written | `transport failed: connection reset, not clean, 1013 not written` | | 1013 |
///
/// In the first two rows, the transport has accepted the Close; only a reply shows that the peer has read it.
/// [`Closed::code_sent`] and [`Closed::code_unsent`] return the codes.
///
/// It is an [`Error`] for programs that use `?` to leave at any end that is not clean: see
/// [`into_result`](Self::into_result).
#[derive(Debug)]
#[non_exhaustive]
pub struct End {
    /// How far the endpoint got.
    pub outcome: Outcome,
    /// What ended it early, if anything did. A closing handshake that was complete by then is still clean.
    pub interruption: Option<Interruption>,
}

/// How far an endpoint got.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// The connection was open, and this is how it ended.
    Closed(Closed),
    /// The opening handshake failed.
    Failed(HandshakeError),
    /// The server responded to the request without opening a connection.
    Responded {
        /// The status of the HTTP response.
        status: u16,
    },
}

/// What ended an endpoint early.
#[derive(Debug)]
#[non_exhaustive]
pub enum Interruption {
    /// A deadline was missed.
    TimedOut {
        /// Which one.
        timeout: Timeout,
        /// The value of the setting, rounded up to milliseconds.
        limit: Duration,
    },
    /// The transport failed.
    Transport(TransportError),
    /// The caller called [`Endpoint::abort`](super::Endpoint::abort), or
    /// [`Endpoint::into_end`](super::Endpoint::into_end) before [`Step::Done`](super::Step::Done).
    Aborted,
}

/// A deadline that was missed. Each is a setting of [`EndpointConfig`](super::EndpointConfig) or
/// [`KeepaliveConfig`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Timeout {
    /// The opening handshake took longer than [`open_timeout`](KeepaliveConfig::open_timeout).
    Opening,
    /// The peer sent nothing for [`ping_timeout`](KeepaliveConfig::ping_timeout) after a Ping: it is dead.
    Ping,
    /// The transport accepted no output for [`write_timeout`](super::EndpointConfig::write_timeout): the peer does not
    /// read.
    Write,
    /// The closing handshake, and the end of the transport after it, took longer than
    /// [`close_timeout`](KeepaliveConfig::close_timeout).
    Closing,
}

/// Why an endpoint refused to send. Nothing was sent.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SendError {
    /// The opening handshake is not complete, a Close was sent or received, the transport has failed, or the endpoint has ended. It
    /// can happen in a correct program: the connection may close or fail while the program is about to send.
    /// The reason is in the [`End`], once the endpoint is [done](super::Step::Done).
    NotOpen,
    /// As much output waits as [`EndpointConfig::max_buffered`](super::EndpointConfig::max_buffered) allows, or more:
    /// the peer reads too slowly.
    Full {
        /// The number of bytes that wait.
        waiting: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The rules for sending do not allow the call. Never [`Misuse::NotOpen`], which is [`NotOpen`](Self::NotOpen)
    /// here.
    Misuse(Misuse),
}

impl End {
    /// Returns how the connection closed, if it was open.
    pub fn closed(&self) -> Option<&Closed> {
        match &self.outcome {
            Outcome::Closed(closed) => Some(closed),
            Outcome::Failed(_) | Outcome::Responded { .. } => None,
        }
    }

    /// Returns how the connection closed if the closing handshake was complete, and otherwise this end as an error.
    ///
    /// ```
    /// use std::time::Duration;
    /// use websocket_proto::endpoint::{End, Endpoint, EndpointConfig};
    ///
    /// fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///     let endpoint = Endpoint::server(&EndpointConfig::new(), Duration::ZERO);
    ///     // drive it until `Step::Done`
    ///     let closed = endpoint.into_end().into_result()?;
    ///     println!("closed with code {}", closed.code());
    ///     Ok(())
    /// }
    /// let error = run().unwrap_err();
    /// assert_eq!(error.to_string(), "opening handshake failed: transport ended before the head was complete (aborted)");
    /// assert!(error.is::<End>());
    /// ```
    ///
    /// # Errors
    ///
    /// Every end that is not [clean](Self::is_clean). Check the code of a clean one yourself: a server that is going
    /// away (1001) closes cleanly.
    pub fn into_result(self) -> Result<Closed, Self> {
        match self.outcome {
            Outcome::Closed(closed) if closed.is_clean() => Ok(closed),
            outcome => Err(Self { outcome, ..self }),
        }
    }

    /// Returns whether the closing handshake was complete (RFC 6455 section 7.1.4; `wasClean` in browsers): the peer's
    /// Close was received, and this side's was written and flushed. A Close that still waited to be written counts as
    /// not sent: [`Closed::code_unsent`] has its code.
    pub fn is_clean(&self) -> bool {
        self.closed().is_some_and(Closed::is_clean)
    }

    /// Returns the deadline that was missed, if that ended the endpoint.
    pub fn timeout(&self) -> Option<Timeout> {
        match self.interruption {
            Some(Interruption::TimedOut { timeout, .. }) => Some(timeout),
            Some(Interruption::Transport(_) | Interruption::Aborted) | None => None,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.outcome, &self.interruption) {
            // Its text is "transport ended", without further detail.
            (Outcome::Closed(closed), Some(interruption)) if closed.by() == ClosedBy::Transport => {
                write!(f, "{interruption}, not clean")?;
                closed.write_incomplete(f)
            }
            (outcome, None) => outcome.fmt(f),
            // One text for both.
            (Outcome::Failed(HandshakeError::TimedOut), Some(Interruption::TimedOut { timeout, limit })) => {
                f.write_str("opening handshake failed: head was not complete within ")?;
                timeout.write_setting(Some(*limit), f)
            }
            (outcome, Some(interruption)) => write!(f, "{outcome} ({interruption})"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(closed) => closed.fmt(f),
            Self::Failed(error) => write!(f, "opening handshake failed: {error}"),
            Self::Responded { status } => write!(f, "not opened, status {status}"),
        }
    }
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { timeout, limit } => timeout.describe(Some(*limit), f),
            Self::Transport(error) => write!(f, "transport failed: {error}"),
            Self::Aborted => f.write_str("aborted"),
        }
    }
}

/// Names the setting. The text of [`Interruption::TimedOut`] also has its value.
impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(None, f)
    }
}

impl Timeout {
    fn describe(self, limit: Option<Duration>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opening => "opening handshake took longer than ",
            Self::Ping => "peer sent nothing for ",
            Self::Write => "peer did not read for ",
            Self::Closing => "closing handshake took longer than ",
        })?;
        self.write_setting(limit, f)?;
        f.write_str(match self {
            Self::Ping => " after a ping",
            Self::Opening | Self::Write | Self::Closing => "",
        })
    }

    /// Writes the name of the setting, after its value.
    fn write_setting(self, limit: Option<Duration>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(limit) = limit {
            write!(f, "the {limit:?} of ")?;
        }
        f.write_str(match self {
            Self::Opening => "KeepaliveConfig::open_timeout",
            Self::Ping => "KeepaliveConfig::ping_timeout",
            Self::Write => "EndpointConfig::write_timeout",
            Self::Closing => "KeepaliveConfig::close_timeout",
        })
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpen => f.write_str("connection is not open"),
            Self::Full { waiting, limit } => {
                write!(
                    f,
                    "{waiting} bytes wait to be written, the limit of EndpointConfig::max_buffered is {limit}"
                )
            }
            Self::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl Error for SendError {}

/// The text includes the errors that caused the end, so there is no `source`; the fields hold them.
impl Error for End {}

impl From<Misuse> for SendError {
    fn from(misuse: Misuse) -> Self {
        match misuse {
            Misuse::NotOpen => Self::NotOpen,
            misuse => Self::Misuse(misuse),
        }
    }
}
