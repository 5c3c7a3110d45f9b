//! How an endpoint ended.

use std::mem::MaybeUninit;

use websocket_proto::endpoint::{End, Interruption, Outcome, Timeout};
use websocket_proto::{CloseCode, ClosedBy};

use crate::bytes::wsp_bytes;
use crate::code::wsp_code;
use crate::edge::{enter, out};
use crate::table::wsp_endpoint;

/// How far an endpoint got.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum wsp_outcome {
    /// The opening handshake failed.
    Failed = 0,
    /// The server responded to the request without opening a connection.
    Responded = 1,
    /// The connection was open, and this side closed it.
    ClosedLocally = 2,
    /// The connection was open, and the peer closed it.
    ClosedByPeer = 3,
    /// The connection was open, and the peer broke a rule.
    PeerFailed = 4,
    /// The connection was open, and the transport ended without a Close.
    TransportEnded = 5,
}

/// What ended an endpoint early.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum wsp_interruption {
    /// Nothing.
    None = 0,
    /// The opening handshake took too long.
    OpenTimeout = 1,
    /// The peer sent nothing after a Ping.
    PingTimeout = 2,
    /// The peer did not read.
    WriteTimeout = 3,
    /// The closing handshake took too long.
    CloseTimeout = 4,
    /// The transport failed.
    Transport = 5,
    /// `wsp_abort` was called.
    Aborted = 6,
    /// Something that this version of the ABI does not know.
    Other = 7,
}

/// A summary of how an endpoint ended.
#[repr(C)]
pub struct wsp_end {
    pub outcome: wsp_outcome,
    pub interruption: wsp_interruption,
    /// Whether the closing handshake was complete (`wasClean` in browsers).
    pub is_clean: bool,
    /// The status of the response for `WSP_OUTCOME_RESPONDED`; otherwise 0.
    pub status: u16,
    /// The code of the Close that was sent, 1005 if it had none; 0 if none was sent.
    pub code_sent: u16,
    /// The code of a Close that was queued but never written, 1005 if it had none, as for a peer that does not read; 0 if there is
    /// none. `code_sent` is then 0.
    pub code_unsent: u16,
    /// The code of the Close that was received, 1005 if it had none; 0 if none was received.
    pub code_received: u16,
    /// One line for the log. Valid until the endpoint is freed.
    pub text: wsp_bytes,
}

/// Returns how the endpoint ended. `WSP_CODE_NOT_DONE` if it has not.
///
/// `end`: not NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_get_end(endpoint: wsp_endpoint, end: Option<&mut MaybeUninit<wsp_end>>) -> wsp_code {
    enter(endpoint, |entry| {
        let written = out(end)?;
        let end = entry.owner.endpoint().end().ok_or(wsp_code::NotDone)?;
        let text = entry.end.get_or_insert_with(|| end.to_string());
        let closed = end.closed();
        let number = |code: Option<CloseCode>| code.map_or(0, u16::from);
        written.write(wsp_end {
            outcome: outcome(end),
            interruption: interruption(end),
            is_clean: end.is_clean(),
            status: match end.outcome {
                Outcome::Responded { status } => status,
                _ => 0,
            },
            code_sent: number(closed.and_then(|closed| closed.code_sent())),
            code_unsent: number(closed.and_then(|closed| closed.code_unsent())),
            code_received: number(closed.and_then(|closed| closed.code_received())),
            text: wsp_bytes::lend(text.as_bytes()),
        });
        Ok(())
    })
}

fn outcome(end: &End) -> wsp_outcome {
    match &end.outcome {
        Outcome::Closed(closed) => match closed.by() {
            ClosedBy::Local => wsp_outcome::ClosedLocally,
            ClosedBy::Peer => wsp_outcome::ClosedByPeer,
            ClosedBy::Failure(_) => wsp_outcome::PeerFailed,
            _ => wsp_outcome::TransportEnded,
        },
        Outcome::Responded { .. } => wsp_outcome::Responded,
        _ => wsp_outcome::Failed,
    }
}

fn interruption(end: &End) -> wsp_interruption {
    match &end.interruption {
        None => wsp_interruption::None,
        Some(Interruption::TimedOut { timeout, .. }) => match timeout {
            Timeout::Opening => wsp_interruption::OpenTimeout,
            Timeout::Ping => wsp_interruption::PingTimeout,
            Timeout::Write => wsp_interruption::WriteTimeout,
            Timeout::Closing => wsp_interruption::CloseTimeout,
            _ => wsp_interruption::Other,
        },
        Some(Interruption::Transport(_)) => wsp_interruption::Transport,
        Some(Interruption::Aborted) => wsp_interruption::Aborted,
        Some(_) => wsp_interruption::Other,
    }
}
