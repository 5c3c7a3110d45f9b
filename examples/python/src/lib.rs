//! The extension module of the Python package `websocket_proto`: an [`Endpoint`](websocket_proto::endpoint::Endpoint) as a
//! Python class. `python/websocket_proto/_core.pyi` documents each class and method.
//!
//! The classes are frozen, so Python shares them without a borrow flag. The state of an endpoint is behind a mutex that is
//! only tried, never awaited: a call that finds the endpoint in use, by another thread or by the same one further up the
//! stack, raises `Misuse`.

mod config;
mod end;
mod endpoint;
mod error;
mod event;
mod handshake;
mod message;
mod read_space;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use crate::config::Config;
    #[pymodule_export]
    use crate::end::End;
    #[pymodule_export]
    use crate::endpoint::{Endpoint, Step};
    #[pymodule_export]
    use crate::event::{Close, Ping, Pong};
    #[pymodule_export]
    use crate::handshake::{ClientRequest, Request, Response};
    #[pymodule_export]
    use crate::message::Prepared;
}
