//! Events as Python objects: a text message is a `str`, a binary one a `bytes`.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use websocket_proto::endpoint::Sender;
use websocket_proto::{Event, Payload};

/// A Ping, which is answered already.
#[pyclass(frozen, get_all, module = "websocket_proto")]
pub struct Ping {
    payload: Py<PyBytes>,
}

/// A Pong.
#[pyclass(frozen, get_all, module = "websocket_proto")]
pub struct Pong {
    payload: Py<PyBytes>,
}

/// The peer's Close, which is answered already. ``code`` is ``None`` if it has none.
#[pyclass(frozen, get_all, module = "websocket_proto")]
pub struct Close {
    code: Option<u16>,
    reason: String,
}

/// Returns the event as a Python object, and its buffer to the endpoint.
pub fn to_python<'py>(
    py: Python<'py>,
    event: Event<'_>,
    sender: &mut Sender<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    match event {
        Event::Text(text) | Event::TextChunk(text, _) => {
            let message = PyString::new(py, &text).into_any();
            sender.recycle(text);
            Ok(message)
        }
        Event::Binary(payload) | Event::BinaryChunk(payload, _) => {
            let message = PyBytes::new(py, &payload).into_any();
            sender.recycle(payload);
            Ok(message)
        }
        Event::Ping(payload) => Ok(Bound::new(
            py,
            Ping {
                payload: bytes(py, &payload),
            },
        )?
        .into_any()),
        Event::Pong(payload) => Ok(Bound::new(
            py,
            Pong {
                payload: bytes(py, &payload),
            },
        )?
        .into_any()),
        Event::Close(close) => {
            let (code, reason) = (close.code.map(u16::from), close.reason.into_owned());
            Ok(Bound::new(py, Close { code, reason })?.into_any())
        }
        // The library may get more kinds of events.
        _ => Ok(py.None().into_bound(py)),
    }
}

fn bytes(py: Python<'_>, payload: &Payload<'_>) -> Py<PyBytes> {
    PyBytes::new(py, payload).unbind()
}
