//! How an endpoint ended.

use pyo3::prelude::*;
use websocket_proto::ClosedBy;
use websocket_proto::endpoint::{self, Outcome, Timeout};

/// How an endpoint ended. ``str(end)`` is one line for the log.
#[pyclass(frozen, get_all, module = "websocket_proto")]
pub struct End {
    /// The close code: 1005 if the Close had none, 1006 if there was none, ``None`` if the connection never opened.
    code: Option<u16>,
    reason: String,
    code_sent: Option<u16>,
    /// The code of a Close that was queued but never written, as for a peer that does not read; ``code_sent`` is then ``None``.
    code_unsent: Option<u16>,
    code_received: Option<u16>,
    /// Whether both Closes were sent (RFC 6455 section 7.1.4).
    is_clean: bool,
    /// ``local``, ``peer``, ``failure`` (the peer broke a rule), ``transport``, or ``None`` if the connection never opened.
    closed_by: Option<&'static str>,
    /// The deadline that was missed: ``opening``, ``ping``, ``write`` or ``closing``.
    timeout: Option<&'static str>,
    /// The status of the response, if it opened no connection.
    status: Option<u16>,
    text: String,
}

#[pymethods]
impl End {
    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("<End: {}>", self.text)
    }
}

impl From<&endpoint::End> for End {
    fn from(end: &endpoint::End) -> Self {
        let closed = end.closed();
        Self {
            code: closed.map(|closed| closed.code().0),
            reason: closed.map_or(String::new(), |closed| closed.reason().to_owned()),
            code_sent: closed.and_then(|closed| closed.code_sent()).map(u16::from),
            code_unsent: closed.and_then(|closed| closed.code_unsent()).map(u16::from),
            code_received: closed.and_then(|closed| closed.code_received()).map(u16::from),
            is_clean: end.is_clean(),
            closed_by: closed.map(|closed| closed_by(closed.by())),
            timeout: end.timeout().map(timeout),
            status: match end.outcome {
                Outcome::Responded { status } => Some(status),
                _ => None,
            },
            text: end.to_string(),
        }
    }
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
