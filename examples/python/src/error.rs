//! The errors of the library as Python exceptions, which `_errors.py` defines.

use std::fmt::Display;

use pyo3::prelude::*;
use websocket_proto::endpoint::SendError;

mod exceptions {
    #![allow(missing_docs, reason = "documented in _errors.py")]
    pyo3::import_exception!(websocket_proto._errors, ConnectionClosed);
    pyo3::import_exception!(websocket_proto._errors, Misuse);
    pyo3::import_exception!(websocket_proto._errors, OutputFull);
}

/// A call that the rules do not allow.
pub fn misuse(reason: impl Display) -> PyErr {
    exceptions::Misuse::new_err(reason.to_string())
}

/// A refusal to send. `code` is the close code, if the connection has one already.
pub fn refused(error: SendError, code: Option<u16>) -> PyErr {
    match error {
        SendError::NotOpen => exceptions::ConnectionClosed::new_err((error.to_string(), code)),
        SendError::Full { .. } => exceptions::OutputFull::new_err(error.to_string()),
        _ => misuse(error),
    }
}
