//! The opening handshake: requests and responses.

use std::mem::MaybeUninit;

use websocket_proto::endpoint::Endpoint;
use websocket_proto::handshake::{HandshakeError, Request, Response};

use crate::bytes::{wsp_bytes, wsp_fields, wsp_list};
use crate::code::wsp_code;
use crate::create::Address;
use crate::edge::{enter, enter_lending, out};
use crate::table::wsp_endpoint;

/// What of the opening handshake is kept for the program.
pub struct Opening {
    /// Of a client.
    pub address: Option<Address>,
    /// Taken from the endpoint, and not answered.
    request: Option<Request>,
    /// Taken from the endpoint, with the body of a rejection.
    response: Option<(Response, Vec<u8>)>,
    subprotocol: Option<Box<str>>,
}

/// A request, WebSocket or not. Its bytes are valid until the request is answered or the endpoint is freed. They are as the client sent
/// them, with their percent-encoding.
#[repr(C)]
pub struct wsp_request {
    /// Such as `GET`.
    pub method: wsp_bytes,
    /// Starts with `/`.
    pub path: wsp_bytes,
    /// After the `?`. Empty if there is none.
    pub query: wsp_bytes,
    /// The host that the client addressed, with its port if it is given. Empty if there is none.
    pub authority: wsp_bytes,
    /// The site of the script that made a browser send this. Empty if there is none. A server for its own pages has to compare it (RFC
    /// 6455 section 10.2).
    pub origin: wsp_bytes,
    /// Whether the request asks for WebSocket. `wsp_accept` checks whether it does so by the rules.
    pub is_upgrade: bool,
}

/// How to accept a request. `wsp_answer answer = {0};` accepts without a subprotocol.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wsp_answer {
    /// The subprotocols of the server. The first one of the client's list that is among them is chosen, or none.
    pub subprotocols: wsp_list,
    /// Further fields of the response, such as Set-Cookie.
    pub fields: wsp_fields,
}

/// A response of a server, other than the one that opens the connection.
#[repr(C)]
pub struct wsp_rejection {
    /// The status, from 200 to 599.
    pub status: u16,
    /// Further fields. Content-Length and Connection are written automatically.
    pub fields: wsp_fields,
    pub body: wsp_bytes,
}

/// A response as a client sees it. Its bytes are valid until the next call of `wsp_next_step`, or until the endpoint is freed.
#[repr(C)]
pub struct wsp_response {
    /// Whether the connection is now open. If not, the endpoint ends.
    pub is_open: bool,
    /// The status: 101 if the connection is open.
    pub status: u16,
    /// The body of a rejection, at most 64 KiB.
    pub body: wsp_bytes,
}

impl Opening {
    pub fn new(address: Option<Address>) -> Self {
        Self {
            address,
            request: None,
            response: None,
            subprotocol: None,
        }
    }

    /// Returns the request to answer, which is taken from the endpoint first.
    fn request(&mut self, endpoint: &mut Endpoint) -> Result<&Request, wsp_code> {
        if let Some(request) = endpoint.take_request() {
            self.request = Some(request);
        }
        self.request.as_ref().ok_or(wsp_code::NoRequest)
    }

    pub fn release_response(&mut self) {
        self.response = None;
    }
}

/// Returns the request that `WSP_STEP_KIND_REQUEST` announces. Until it is answered, nothing is read. If that takes longer than
/// `wsp_config.open_timeout`, the client gets a 503, and the answer is refused with `WSP_CODE_NO_REQUEST`.
///
/// `request`: not NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_get_request(
    endpoint: wsp_endpoint,
    request: Option<&mut MaybeUninit<wsp_request>>,
) -> wsp_code {
    enter(endpoint, |entry| {
        let written = out(request)?;
        let request = entry.opening.request(entry.owner.endpoint())?;
        written.write(wsp_request {
            method: wsp_bytes::lend(request.method().as_bytes()),
            path: wsp_bytes::lend(request.path().as_bytes()),
            query: wsp_bytes::lend(request.query().unwrap_or_default().as_bytes()),
            authority: wsp_bytes::lend(request.authority().unwrap_or_default().as_bytes()),
            origin: wsp_bytes::lend(request.origin().unwrap_or_default()),
            is_upgrade: request.is_upgrade(),
        });
        Ok(())
    })
}

/// Looks up a field of the request, whose name is compared without regard to case. `WSP_CODE_NOT_FOUND` if there is none; the first
/// line if there are several. The value is valid as long as the request is.
///
/// `value`: not NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_request_field(
    endpoint: wsp_endpoint,
    name: wsp_bytes,
    value: Option<&mut MaybeUninit<wsp_bytes>>,
) -> wsp_code {
    enter_lending(endpoint, value, |entry| {
        let request = entry.opening.request(entry.owner.endpoint())?;
        request.field(name.as_text()?).ok_or(wsp_code::NotFound)
    })
}

/// Returns the subprotocol that the client offers at an index, in its order of preference. `WSP_CODE_NOT_FOUND` after the last one, and
/// `WSP_CODE_INVALID_REQUEST` if the request is not a valid WebSocket request, which is not answered by this call.
///
/// `name`: not NULL; the bytes are valid as long as the request is.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_request_subprotocol(
    endpoint: wsp_endpoint,
    index: usize,
    name: Option<&mut MaybeUninit<wsp_bytes>>,
) -> wsp_code {
    enter_lending(endpoint, name, |entry| {
        let request = entry.opening.request(entry.owner.endpoint())?;
        let upgrade = request
            .upgrade(&mut Vec::new())
            .map_err(|_| wsp_code::InvalidRequest)?;
        let subprotocol = upgrade.subprotocols().nth(index).ok_or(wsp_code::NotFound)?;
        Ok(subprotocol.as_bytes())
    })
}

/// Accepts the request, if it is a valid WebSocket request: the connection is then open. Otherwise the response that says what is wrong
/// is sent, and the call returns `WSP_CODE_INVALID_REQUEST`. After other codes the request still waits for an answer.
///
/// `answer`: only read during the call; NULL for no subprotocol and no fields.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_accept(endpoint: wsp_endpoint, answer: Option<&wsp_answer>) -> wsp_code {
    enter(endpoint, |entry| {
        let (subprotocols, fields) = match answer {
            Some(answer) => (answer.subprotocols.texts()?, answer.fields.pairs()?),
            None => (Vec::new(), Vec::new()),
        };
        let endpoint = entry.owner.endpoint();
        let request = entry.opening.request(endpoint)?;
        let mut upgrade = match endpoint.upgrade(request) {
            Ok(upgrade) => upgrade.select_subprotocol(&subprotocols),
            Err(error) => {
                entry.opening.request = None;
                return Err(match error {
                    HandshakeError::Finished => wsp_code::NoRequest,
                    _ => wsp_code::InvalidRequest,
                });
            }
        };
        for (name, value) in fields {
            upgrade = upgrade.with_field(name, value)?;
        }
        let subprotocol = upgrade.selected_subprotocol().map(Box::from);
        endpoint.accept_upgrade(upgrade)?;
        entry.opening.subprotocol = subprotocol;
        entry.opening.request = None;
        Ok(())
    })
}

/// Answers the request with any other response: a page, a redirect, a refusal. The endpoint ends once it is written.
///
/// `rejection`: not NULL; only read during the call.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_respond(endpoint: wsp_endpoint, rejection: Option<&wsp_rejection>) -> wsp_code {
    enter(endpoint, |entry| {
        let rejection = rejection.ok_or(wsp_code::NullPointer)?;
        let (fields, body) = (rejection.fields.pairs()?, rejection.body.as_slice()?);
        let endpoint = entry.owner.endpoint();
        let request = entry.opening.request(endpoint)?;
        endpoint.respond_bytes(request, rejection.status, &fields, body)?;
        entry.opening.request = None;
        Ok(())
    })
}

/// Takes the response that `WSP_STEP_KIND_RESPONSE` announces. If it accepts, the connection is now open; otherwise the endpoint ends.
/// `WSP_CODE_NO_RESPONSE` if there is none, or if it was taken before.
///
/// `response`: not NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_take_response(
    endpoint: wsp_endpoint,
    response: Option<&mut MaybeUninit<wsp_response>>,
) -> wsp_code {
    enter(endpoint, |entry| {
        let written = out(response)?;
        let endpoint = entry.owner.endpoint();
        let body = endpoint.response_body().to_vec();
        let response = endpoint.take_response().ok_or(wsp_code::NoResponse)?;
        entry.opening.subprotocol = response.subprotocol().map(Box::from);
        let (response, body) = entry.opening.response.insert((response, body));
        written.write(wsp_response {
            is_open: endpoint.end().is_none(),
            status: response.status(),
            body: wsp_bytes::lend(body),
        });
        Ok(())
    })
}

/// Looks up a field of the response that was taken, whose name is compared without regard to case. `WSP_CODE_NOT_FOUND` if there is
/// none; the first line if there are several. The value is valid as long as the response is.
///
/// `value`: not NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_response_field(
    endpoint: wsp_endpoint,
    name: wsp_bytes,
    value: Option<&mut MaybeUninit<wsp_bytes>>,
) -> wsp_code {
    enter_lending(endpoint, value, |entry| {
        let (response, _) = entry.opening.response.as_ref().ok_or(wsp_code::NoResponse)?;
        response.field(name.as_text()?).ok_or(wsp_code::NotFound)
    })
}

/// Returns the subprotocol of the connection, in both roles. `WSP_CODE_NOT_FOUND` if there is none. Valid until the endpoint is freed.
///
/// `name`: not NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_subprotocol(
    endpoint: wsp_endpoint,
    name: Option<&mut MaybeUninit<wsp_bytes>>,
) -> wsp_code {
    enter_lending(endpoint, name, |entry| {
        let subprotocol = entry.opening.subprotocol.as_ref().ok_or(wsp_code::NotFound)?;
        Ok(subprotocol.as_bytes())
    })
}
