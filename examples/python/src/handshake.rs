//! Requests and responses of the opening handshake. Field values are ISO-8859-1, which maps each byte to one character.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use websocket_proto::handshake;

use crate::error::misuse;

/// Header fields, in order.
pub type Headers = Vec<(String, String)>;

/// A request to a ``ws`` or ``wss`` URL. User information in the URL becomes an Authorization header.
#[pyclass(frozen, module = "websocket_proto")]
pub struct ClientRequest(pub handshake::ClientRequest);

#[pymethods]
impl ClientRequest {
    #[new]
    #[pyo3(
        signature = (url, *, subprotocols = Vec::new(), headers = Vec::new(), origin = None),
        text_signature = "(url, *, subprotocols=(), headers=(), origin=None)"
    )]
    fn new(url: &str, subprotocols: Vec<String>, headers: Headers, origin: Option<&str>) -> PyResult<Self> {
        let mut request = handshake::ClientRequest::from_url_with_credentials(url).map_err(misuse)?;
        for subprotocol in &subprotocols {
            request = request.with_subprotocol(subprotocol).map_err(misuse)?;
        }
        for (name, value) in &headers {
            request = request.with_field(name, encoded(value)?).map_err(misuse)?;
        }
        if let Some(origin) = origin {
            request = request.with_origin(origin).map_err(misuse)?;
        }
        Ok(Self(request))
    }

    #[getter]
    fn host(&self) -> &str {
        self.0.host()
    }

    #[getter]
    fn port(&self) -> u16 {
        self.0.port()
    }

    /// Whether the URL is a ``wss`` one, so that TLS comes first.
    #[getter]
    fn is_secure(&self) -> bool {
        self.0.is_secure()
    }
}

/// The request of a client. Header values are decoded as ISO-8859-1.
#[pyclass(frozen, get_all, module = "websocket_proto")]
pub struct Request {
    method: String,
    target: String,
    path: String,
    query: Option<String>,
    headers: Headers,
    /// The subprotocols that the client offers, in its order of preference.
    subprotocols: Vec<String>,
    /// Whether it is a valid WebSocket request, which :meth:`Endpoint.accept` accepts.
    is_websocket: bool,
    /// Whether it comes from a page of this server. ``False`` without an Origin, which only browsers send.
    is_same_origin: bool,
}

impl Request {
    pub fn new(request: &handshake::Request) -> Self {
        // The response to a request that is not valid is not sent from here.
        let upgrade = request.upgrade(&mut Vec::new()).ok();
        Self {
            method: request.method().to_owned(),
            target: request.target().to_owned(),
            path: request.path().to_owned(),
            query: request.query().map(str::to_owned),
            headers: request.fields().map(decoded).collect(),
            subprotocols: upgrade
                .iter()
                .flat_map(|upgrade| upgrade.subprotocols())
                .map(str::to_owned)
                .collect(),
            is_websocket: upgrade.is_some(),
            is_same_origin: upgrade.is_some_and(|upgrade| upgrade.is_same_origin()),
        }
    }
}

#[pymethods]
impl Request {
    /// The value of the first header with this name, whatever its case.
    fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

/// The response of a server. ``body`` is that of a rejection.
#[pyclass(frozen, get_all, module = "websocket_proto")]
pub struct Response {
    status: u16,
    headers: Headers,
    subprotocol: Option<String>,
    body: Py<PyBytes>,
}

impl Response {
    pub fn new(py: Python<'_>, response: &handshake::Response, body: &[u8]) -> Self {
        Self {
            status: response.status(),
            headers: response.fields().map(decoded).collect(),
            subprotocol: response.subprotocol().map(str::to_owned),
            body: PyBytes::new(py, body).unbind(),
        }
    }
}

#[pymethods]
impl Response {
    /// The value of the first header with this name, whatever its case.
    fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

fn find<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    let mut fields = headers.iter();
    let field = fields.find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))?;
    Some(&field.1)
}

fn decoded((name, value): (&str, &[u8])) -> (String, String) {
    (
        name.to_owned(),
        value.iter().map(|&byte| char::from(byte)).collect(),
    )
}

pub fn encoded(value: &str) -> PyResult<Vec<u8>> {
    let bytes = value.chars().map(u8::try_from);
    bytes
        .collect::<Result<_, _>>()
        .map_err(|_| misuse("field value is not ISO-8859-1"))
}
