//! How an endpoint ended.

use websocket_proto::endpoint::{End, Outcome, Timeout};
use websocket_proto::{CloseCode, ClosedBy};

use crate::code::Code;
use crate::edge::on;
use crate::parts;

/// Lends how the endpoint ended, as parts, numbers in decimal, and empty for what there is none of: the close code (1005 if the Close had
/// none, 1006 if there was no Close, empty if the connection never opened), the reason, the code that was sent, the code that was
/// queued but never written, the code that was received, who closed (`local`, `peer`, `failure` if the peer broke a rule, `transport`),
/// the deadline that was missed (`opening`, `ping`, `write`, `closing`), the status of a response that opened no connection, and one
/// line for a log. Returns 1 if the closing handshake was complete, otherwise 0.
///
/// [`Code::NotDone`] before the step 6.
#[unsafe(no_mangle)]
pub extern "C" fn ws_end(handle: f64) -> i32 {
    on(handle, |entry, shared| {
        let end = entry.endpoint.end().ok_or(Code::NotDone)?;
        let closed = end.closed();
        let number = |code: Option<CloseCode>| code.map_or(String::new(), |code| code.0.to_string());
        let mut list = Vec::new();
        for part in [
            &*number(closed.map(|closed| closed.code())),
            closed.map_or("", |closed| closed.reason()),
            &*number(closed.and_then(|closed| closed.code_sent())),
            &*number(closed.and_then(|closed| closed.code_unsent())),
            &*number(closed.and_then(|closed| closed.code_received())),
            closed.map_or("", |closed| closed_by(closed.by())),
            end.timeout().map_or("", timeout),
            &*status(end),
            &*end.to_string(),
        ] {
            parts::push(&mut list, part.as_bytes());
        }
        let is_clean = end.is_clean();
        shared.lend_owned(list);
        Ok(is_clean.into())
    })
}

fn closed_by(by: ClosedBy) -> &'static str {
    match by {
        ClosedBy::Local => "local",
        ClosedBy::Peer => "peer",
        ClosedBy::Failure(_) => "failure",
        _ => "transport",
    }
}

fn timeout(timeout: Timeout) -> &'static str {
    match timeout {
        Timeout::Opening => "opening",
        Timeout::Ping => "ping",
        Timeout::Write => "write",
        _ => "closing",
    }
}

fn status(end: &End) -> String {
    match end.outcome {
        Outcome::Responded { status } => status.to_string(),
        _ => String::new(),
    }
}
