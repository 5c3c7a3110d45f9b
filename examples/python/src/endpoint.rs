//! The class `Endpoint`.

use std::ffi::c_int;
use std::sync::{Mutex, MutexGuard, TryLockError};

use pyo3::ffi::Py_buffer;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use websocket_proto::OsEntropy;
use websocket_proto::connection::Compression;
use websocket_proto::endpoint::{self, SendError, Sender};
use websocket_proto::handshake::{self, HandshakeMisuse};
use websocket_proto::{CloseCode, Fin};

use crate::config::{Config, or_default, seconds};
use crate::end::End;
use crate::error::{misuse, refused};
use crate::event;
use crate::handshake::{ClientRequest, Headers, Request, Response, encoded};
use crate::message::{Message, bytes_of};
use crate::read_space;

/// One end of one transport, without the transport and without a clock.
///
/// It is a writable buffer, the space for the next read: ``endpoint.received(sock.recv_into(endpoint))``. While a ``memoryview`` of it
/// exists, every call raises :class:`Misuse`, so release it first.
///
/// An endpoint is used by one thread at a time. A call that finds it in use by another, which only a free-threaded interpreter makes
/// possible, raises :class:`Misuse` and changes nothing.
#[pyclass(frozen, module = "websocket_proto")]
pub struct Endpoint {
    state: Mutex<State>,
}

pub struct State {
    pub endpoint: endpoint::Endpoint,
    /// The request that Python has seen and not answered.
    request: Option<handshake::Request>,
    /// Whether a buffer of Python refers to the read space. The endpoint is not used meanwhile, see `read_space`.
    pub is_exported: bool,
}

/// The one thing to do next for an :class:`Endpoint`. Compare with ``is``.
#[pyclass(
    frozen,
    eq,
    hash,
    module = "websocket_proto",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub enum Step {
    Request,
    Response,
    Event,
    Write,
    Flush,
    Read,
    Shutdown,
    Wait,
    Done,
}

#[pymethods]
impl Endpoint {
    /// The server's end of a transport on which a client is about to send its request.
    #[staticmethod]
    #[pyo3(signature = (config = None, *, now = 0.0))]
    fn server(config: Option<&Config>, now: f64) -> PyResult<Self> {
        let now = seconds(now)?;
        Ok(Self::new(endpoint::Endpoint::server(&or_default(config), now)))
    }

    /// The client's end of a transport that is connected, TLS included. It sends the request.
    #[staticmethod]
    #[pyo3(signature = (request, config = None, *, now = 0.0))]
    fn client(request: &ClientRequest, config: Option<&Config>, now: f64) -> PyResult<Self> {
        let (request, now) = (request.0.clone(), seconds(now)?);
        Ok(Self::new(endpoint::Endpoint::client(
            &or_default(config),
            request,
            OsEntropy,
            now,
        )))
    }

    /// Returns the next thing to do. Events come before output, and output before input.
    fn step(&self, py: Python<'_>, now: f64) -> PyResult<Py<Step>> {
        let step = self.lock()?.endpoint.step(seconds(now)?);
        steps::object(py, step)
    }

    /// Returns the next thing to do to get the output written, even while events wait. ``None``: all of it is written.
    fn flush_step(&self, py: Python<'_>, now: f64) -> PyResult<Option<Py<Step>>> {
        let step = self.lock()?.endpoint.flush_step(seconds(now)?);
        step.map(|step| steps::object(py, step)).transpose()
    }

    /// The latest time for the next call of :meth:`step`. ``None`` is never.
    #[getter]
    fn deadline(&self) -> PyResult<Option<f64>> {
        Ok(self
            .lock()?
            .endpoint
            .deadline()
            .map(|deadline| deadline.as_secs_f64()))
    }

    // The opening handshake.

    /// Returns the request that :attr:`Step.REQUEST` announces. Nothing is read until it is answered.
    fn take_request(&self) -> PyResult<Option<Request>> {
        let mut state = self.lock()?;
        let Some(request) = state.endpoint.take_request() else {
            return Ok(None);
        };
        let seen = Request::new(&request);
        state.request = Some(request);
        Ok(Some(seen))
    }

    /// Accepts the request: sends the 101. ``False``: it breaks a rule, and the response that says so is sent instead: a 426
    /// to a request that does not ask for WebSocket, a 400 to most others (RFC 6455 section 4.2).
    #[pyo3(
        signature = (*, subprotocol = None, headers = Vec::new()),
        text_signature = "($self, *, subprotocol=None, headers=())"
    )]
    fn accept(&self, subprotocol: Option<&str>, headers: Headers) -> PyResult<bool> {
        let headers = fields(&headers)?;
        let mut state = self.lock()?;
        let (endpoint, request) = state.unanswered()?;
        let Ok(mut upgrade) = endpoint.upgrade(request) else {
            state.request = None;
            return Ok(false);
        };
        if let Some(subprotocol) = subprotocol {
            upgrade = upgrade.with_subprotocol(subprotocol).map_err(misuse)?;
        }
        for (name, value) in &headers {
            upgrade = upgrade.with_field(name, value).map_err(misuse)?;
        }
        endpoint.accept_upgrade(upgrade).map_err(misuse)?;
        state.request = None;
        Ok(true)
    }

    /// Answers the request with any other response, after which the endpoint ends.
    #[pyo3(
        signature = (status, body = None, *, headers = Vec::new()),
        text_signature = "($self, status, body=None, *, headers=())"
    )]
    fn respond(&self, status: u16, body: Option<&Bound<'_, PyAny>>, headers: Headers) -> PyResult<()> {
        let body = body.map(bytes_of).transpose()?.unwrap_or_default();
        let headers = fields(&headers)?;
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &value[..])).collect();
        let mut state = self.lock()?;
        let (endpoint, request) = state.unanswered()?;
        endpoint
            .respond_bytes(request, status, &headers, &body)
            .map_err(misuse)?;
        state.request = None;
        Ok(())
    }

    /// Returns the response that :attr:`Step.RESPONSE` announces. With status 101, the connection is now open.
    fn take_response(&self, py: Python<'_>) -> PyResult<Option<Response>> {
        let mut state = self.lock()?;
        let body = state.endpoint.response_body().to_vec();
        let response = state.endpoint.take_response();
        Ok(response.map(|response| Response::new(py, &response, &body)))
    }

    // The transport.

    /// Records that the transport read ``size`` bytes into the endpoint. 0 is the end of the transport.
    fn received(&self, size: usize) -> PyResult<()> {
        self.lock()?.endpoint.received(size);
        Ok(())
    }

    /// Copies bytes that the transport read elsewhere. Empty data is the end of the transport.
    fn receive(&self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let data = bytes_of(data)?;
        self.lock()?.endpoint.receive(&data);
        Ok(())
    }

    /// # Safety
    ///
    /// Called by the interpreter, with a `view` that is null or to be filled in.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut Py_buffer, flags: c_int) -> PyResult<()> {
        // SAFETY: the same condition.
        unsafe { read_space::export(&slf, view, flags) }
    }

    /// # Safety
    ///
    /// Called by the interpreter, once for each buffer that was exported.
    unsafe fn __releasebuffer__(&self, _view: *mut Py_buffer) {
        self.end_export();
    }

    /// Records that the transport has nothing to read now.
    fn read_blocked(&self) -> PyResult<()> {
        self.lock()?.endpoint.read_blocked();
        Ok(())
    }

    /// Records that the transport could not be read; the text of ``error`` goes into the :class:`End`.
    fn read_failed(&self, error: &Bound<'_, PyAny>) -> PyResult<()> {
        let error = error.str()?.to_string_lossy().into_owned();
        self.lock()?.endpoint.read_failed(error);
        Ok(())
    }

    /// Returns the first bytes that wait to be written.
    #[pyo3(signature = (max_size = usize::MAX))]
    fn output<'py>(&self, py: Python<'py>, max_size: usize) -> PyResult<Bound<'py, PyBytes>> {
        let state = self.lock()?;
        let output = state.endpoint.output();
        Ok(PyBytes::new(py, output.get(..max_size).unwrap_or(output)))
    }

    /// Records that the transport accepted the first ``size`` bytes of the output.
    fn written(&self, size: usize) -> PyResult<()> {
        self.lock()?.endpoint.written(size);
        Ok(())
    }

    /// Records that the transport accepts no output now, or could not be flushed or shut down completely.
    fn write_blocked(&self) -> PyResult<()> {
        self.lock()?.endpoint.write_blocked();
        Ok(())
    }

    /// Records that the transport could not be written; the text of ``error`` goes into the :class:`End`.
    fn write_failed(&self, error: &Bound<'_, PyAny>) -> PyResult<()> {
        let error = error.str()?.to_string_lossy().into_owned();
        self.lock()?.endpoint.write_failed(error);
        Ok(())
    }

    /// Records that everything written is flushed.
    fn flushed(&self) -> PyResult<()> {
        self.lock()?.endpoint.flushed();
        Ok(())
    }

    /// Records that writing is shut down.
    fn shut_down(&self) -> PyResult<()> {
        self.lock()?.endpoint.shut_down();
        Ok(())
    }

    /// Records that the transport may be ready again, or that the deadline has passed.
    fn ready(&self) -> PyResult<()> {
        self.lock()?.endpoint.ready();
        Ok(())
    }

    // Messages.

    /// Returns the next event: a text message as ``str``, a binary one as ``bytes``. ``None``: there are no more now.
    fn next_event<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut state = self.lock()?;
        let Some((event, mut sender)) = state.endpoint.next_event() else {
            return Ok(None);
        };
        event::to_python(py, event, &mut sender).map(Some)
    }

    /// Sends a message: ``str`` as text, a buffer of bytes as binary.
    ///
    /// Raises :class:`ConnectionClosed`, :class:`OutputFull`, or :class:`Misuse` inside a fragmented message.
    fn send(&self, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let message = Message::of(message)?;
        self.lock()?.send(|sender| match &message {
            Message::Text(text) => sender.send_text(text),
            Message::Binary(payload) => sender.send_binary(payload),
            Message::Prepared(prepared) => sender.send_prepared(&prepared.0),
        })
    }

    /// Sends the next fragment of a message, and begins the message if none is being sent. Raises the same as :meth:`send`.
    #[pyo3(signature = (fragment, *, last))]
    fn send_fragment(&self, fragment: &Bound<'_, PyAny>, last: bool) -> PyResult<()> {
        let message = Message::of(fragment)?;
        let (kind, payload) = message.fragment()?;
        let fin = if last { Fin::Last } else { Fin::More };
        self.lock()?
            .send(|sender| sender.send_fragment(kind, payload, fin))
    }

    /// Sends a Ping of at most 125 bytes. Raises :class:`ConnectionClosed` or :class:`Misuse`.
    #[pyo3(signature = (payload = None))]
    fn ping(&self, payload: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let payload = payload.map(bytes_of).transpose()?.unwrap_or_default();
        self.lock()?.send(|sender| sender.send_ping(&payload))
    }

    /// Sends a Pong of at most 125 bytes. Those that answer Pings are sent automatically.
    #[pyo3(signature = (payload = None))]
    fn pong(&self, payload: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let payload = payload.map(bytes_of).transpose()?.unwrap_or_default();
        self.lock()?.send(|sender| sender.send_pong(&payload))
    }

    /// Starts the closing handshake. Raises :class:`ConnectionClosed`, or :class:`Misuse` for a code or a reason that must not be
    /// sent (RFC 6455 section 7.4; a reason has at most 123 bytes).
    #[pyo3(signature = (code = Some(1000), reason = ""), text_signature = "($self, code=1000, reason='')")]
    fn close(&self, code: Option<u16>, reason: &str) -> PyResult<()> {
        self.lock()?
            .send(|sender| sender.close(code.map(CloseCode), reason))
    }

    /// Sets whether messages are compressed from now on, if compression was negotiated. Do not compress a secret together with
    /// text that an attacker chooses (RFC 7692 section 8).
    fn set_compression(&self, compress: bool) -> PyResult<()> {
        let compression = if compress {
            Compression::On
        } else {
            Compression::Off
        };
        self.lock()?.endpoint.sender().set_compression(compression);
        Ok(())
    }

    /// Whether messages can be sent.
    #[getter]
    fn is_open(&self) -> PyResult<bool> {
        Ok(self.lock()?.endpoint.is_open())
    }

    /// Whether so much output waits that a message would be refused.
    #[getter]
    fn is_full(&self) -> PyResult<bool> {
        Ok(self.lock()?.endpoint.sender().is_full())
    }

    /// How many bytes wait to be written.
    #[getter]
    fn buffered_amount(&self) -> PyResult<usize> {
        Ok(self.lock()?.endpoint.sender().buffered_amount())
    }

    /// The round-trip time of the last automatic Ping that was answered.
    #[getter]
    fn last_rtt(&self) -> PyResult<Option<f64>> {
        Ok(self.lock()?.endpoint.last_rtt().map(|rtt| rtt.as_secs_f64()))
    }

    // The end.

    /// How the endpoint ended, after :attr:`Step.DONE`.
    #[getter]
    fn end(&self) -> PyResult<Option<End>> {
        Ok(self.lock()?.endpoint.end().map(End::from))
    }

    /// Ends the endpoint now: the next step is :attr:`Step.DONE`.
    fn abort(&self) -> PyResult<()> {
        self.lock()?.endpoint.abort();
        Ok(())
    }
}

impl Endpoint {
    fn new(endpoint: endpoint::Endpoint) -> Self {
        Self {
            state: Mutex::new(State {
                endpoint,
                request: None,
                is_exported: false,
            }),
        }
    }

    /// Locks the state, if it is not in use.
    pub fn lock(&self) -> PyResult<MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(state) if state.is_exported => Err(misuse(
                "a buffer of the endpoint's read space exists: release the memoryview first",
            )),
            Ok(state) => Ok(state),
            Err(TryLockError::WouldBlock) => Err(misuse("endpoint is in use by another call")),
            Err(TryLockError::Poisoned(_)) => Err(misuse("an earlier call failed")),
        }
    }

    /// Ends the export of the read space.
    pub fn end_export(&self) {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        state.is_exported = false;
    }
}

impl State {
    fn send(&mut self, send: impl FnOnce(&mut Sender<'_>) -> Result<(), SendError>) -> PyResult<()> {
        send(&mut self.endpoint.sender()).map_err(|error| {
            let end = self.endpoint.end().and_then(|end| end.closed());
            refused(error, end.map(|closed| closed.code().0))
        })
    }

    /// The request to answer. It remains after an answer that is not allowed.
    fn unanswered(&mut self) -> PyResult<(&mut endpoint::Endpoint, &handshake::Request)> {
        if self.request.is_none() {
            self.request = self.endpoint.take_request();
        }
        match &self.request {
            Some(request) => Ok((&mut self.endpoint, request)),
            None => Err(misuse(HandshakeMisuse::NoRequest)),
        }
    }
}

fn fields(headers: &Headers) -> PyResult<Vec<(&str, Vec<u8>)>> {
    let fields = headers
        .iter()
        .map(|(name, value)| Ok((&name[..], encoded(value)?)));
    fields.collect()
}

/// The members of `Step`, so that `is` compares them.
mod steps {
    use pyo3::prelude::*;
    use pyo3::sync::PyOnceLock;
    use websocket_proto::endpoint;

    use super::Step;

    static MEMBERS: PyOnceLock<[Py<Step>; 9]> = PyOnceLock::new();

    pub fn object(py: Python<'_>, step: endpoint::Step) -> PyResult<Py<Step>> {
        let members = MEMBERS.get_or_try_init(py, || members(py))?;
        let member = match step {
            endpoint::Step::Request => &members[0],
            endpoint::Step::Response => &members[1],
            endpoint::Step::Event => &members[2],
            endpoint::Step::Write => &members[3],
            endpoint::Step::Flush => &members[4],
            endpoint::Step::Read => &members[5],
            endpoint::Step::Shutdown => &members[6],
            endpoint::Step::Wait(_) => &members[7],
            endpoint::Step::Done => &members[8],
        };
        Ok(member.clone_ref(py))
    }

    fn members(py: Python<'_>) -> PyResult<[Py<Step>; 9]> {
        let class = py.get_type::<Step>();
        let member = |name| Ok::<_, PyErr>(class.getattr(name)?.cast_into::<Step>()?.unbind());
        Ok([
            member("REQUEST")?,
            member("RESPONSE")?,
            member("EVENT")?,
            member("WRITE")?,
            member("FLUSH")?,
            member("READ")?,
            member("SHUTDOWN")?,
            member("WAIT")?,
            member("DONE")?,
        ])
    }
}
