//! What Python sends.

use std::borrow::Cow;

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use websocket_proto::MessageKind;

use crate::error::misuse;

/// A message that is encoded once, for a broadcast.
#[pyclass(frozen, module = "websocket_proto")]
pub struct Prepared(pub websocket_proto::Prepared);

#[pymethods]
impl Prepared {
    #[new]
    fn new(message: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(match Message::of(message)? {
            Message::Text(text) => websocket_proto::Prepared::text(text),
            Message::Binary(payload) => websocket_proto::Prepared::binary(&payload),
            Message::Prepared(_) => return Err(misuse("the message is prepared already")),
        }))
    }
}

/// A message as Python passes it. It is taken from its object before an endpoint is locked, because that can run Python code.
pub enum Message<'m> {
    Text(&'m str),
    Binary(Cow<'m, [u8]>),
    Prepared(&'m Prepared),
}

impl<'m> Message<'m> {
    pub fn of(message: &'m Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(text) = message.cast::<PyString>() {
            return Ok(Self::Text(text.to_str()?));
        }
        if let Ok(prepared) = message.cast::<Prepared>() {
            return Ok(Self::Prepared(prepared.get()));
        }
        Ok(Self::Binary(bytes_of(message)?))
    }

    /// A part of a message, which cannot be prepared.
    pub fn fragment(&self) -> PyResult<(MessageKind, &[u8])> {
        match self {
            Self::Text(text) => Ok((MessageKind::Text, text.as_bytes())),
            Self::Binary(payload) => Ok((MessageKind::Binary, payload)),
            Self::Prepared(_) => Err(misuse("a prepared message is complete, not a fragment")),
        }
    }
}

/// The content of any object with a buffer of bytes. That of a `bytes` is borrowed, since it cannot change. Any other is
/// copied, since another thread might change it.
pub fn bytes_of<'b>(object: &'b Bound<'_, PyAny>) -> PyResult<Cow<'b, [u8]>> {
    match object.cast::<PyBytes>() {
        Ok(bytes) => Ok(Cow::Borrowed(bytes.as_bytes())),
        Err(_) => Ok(Cow::Owned(PyBuffer::<u8>::get(object)?.to_vec(object.py())?)),
    }
}
