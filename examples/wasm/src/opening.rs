//! The opening handshake.

use websocket_proto::handshake::{HandshakeError, Request};
use websocket_proto::utf8;

use crate::code::Code;
use crate::edge::{on, set_result};
use crate::endpoint::Entry;
use crate::parts;

impl Entry {
    /// Returns the request to answer, which is taken from the endpoint first.
    fn request(&mut self) -> Result<&Request, Code> {
        if let Some(request) = self.endpoint.take_request() {
            self.request = Some(Box::new(request));
        }
        self.request.as_deref().ok_or(Code::NoRequest)
    }
}

/// Lends the request as parts: the method, the target, the subprotocols that the client offers, in its order of preference, and then the
/// name and the value of each field. Returns the number of subprotocols. The last number of the result is 1 if the request is a valid
/// WebSocket request, plus 2 if it comes from a page of this server: see `websocket_proto::handshake::Upgrade::is_same_origin`.
///
/// Until the request is answered, nothing is read. If that takes longer than the setting `open_timeout`, the client gets a 503, and the
/// answer is refused with [`Code::NoRequest`].
#[unsafe(no_mangle)]
pub extern "C" fn ws_request(handle: f64) -> i32 {
    on(handle, |entry, shared| {
        let request = entry.request()?;
        let upgrade = request.upgrade(&mut Vec::new()).ok();
        let subprotocols: Vec<_> = upgrade
            .iter()
            .flat_map(|upgrade| upgrade.subprotocols())
            .collect();
        let is_same_origin = upgrade.as_ref().is_some_and(|upgrade| upgrade.is_same_origin());
        let mut list = Vec::new();
        for text in [request.method(), request.target()]
            .into_iter()
            .chain(subprotocols.iter().copied())
        {
            parts::push(&mut list, text.as_bytes());
        }
        for (name, value) in request.fields() {
            parts::push(&mut list, name.as_bytes());
            parts::push(&mut list, value);
        }
        set_result(0, u32::from(upgrade.is_some()) + 2 * u32::from(is_same_origin));
        let count = subprotocols.len() as i32; // a head is smaller than 2^31 bytes
        shared.lend_owned(list);
        Ok(count)
    })
}

/// Accepts the request, if it is a valid WebSocket request: the connection is then open. The argument is parts: the name of the
/// subprotocol, which has to be one that the client offers, empty for none, and then the name and the value of further fields of the
/// response. Returns 0.
///
/// [`Code::InvalidRequest`] if the request is not valid: the response that says why is in the output. After other codes the request still
/// waits for an answer.
#[unsafe(no_mangle)]
pub extern "C" fn ws_accept(handle: f64, len: u32) -> i32 {
    on(handle, |entry, shared| {
        entry.space = 0;
        let parts = parts::split(shared.argument(len)?)?;
        let (subprotocol, fields) = parts.split_first().ok_or(Code::InvalidArgument)?;
        let subprotocol = utf8::validate(subprotocol).map_err(|_| Code::InvalidField)?;
        let fields = parts::pairs(fields)?;
        entry.request()?;
        let request = entry.request.take().ok_or(Code::NoRequest)?;
        let result = accept(entry, &request, subprotocol, &fields);
        if !matches!(result, Ok(()) | Err(Code::InvalidRequest | Code::NoRequest)) {
            entry.request = Some(request);
        }
        result.map(|()| 0)
    })
}

fn accept(
    entry: &mut Entry,
    request: &Request,
    subprotocol: &str,
    fields: &[(&str, &[u8])],
) -> Result<(), Code> {
    let mut upgrade = entry.endpoint.upgrade(request).map_err(|error| match error {
        HandshakeError::Finished => Code::NoRequest,
        _ => Code::InvalidRequest,
    })?;
    if !subprotocol.is_empty() {
        upgrade = upgrade.with_subprotocol(subprotocol)?;
    }
    for (name, value) in fields {
        upgrade = upgrade.with_field(name, value)?;
    }
    Ok(entry.endpoint.accept_upgrade(upgrade)?)
}

/// Answers the request with any other response: a page, a redirect, a refusal. The argument is parts: the body, and then the name and the
/// value of further fields. Returns 0.
///
/// `status`: 200 to 599. The endpoint ends once the response is written.
#[unsafe(no_mangle)]
pub extern "C" fn ws_respond(handle: f64, status: u32, len: u32) -> i32 {
    on(handle, |entry, shared| {
        entry.space = 0;
        let parts = parts::split(shared.argument(len)?)?;
        let (body, fields) = parts.split_first().ok_or(Code::InvalidArgument)?;
        let fields = parts::pairs(fields)?;
        let status = u16::try_from(status).map_err(|_| Code::InvalidStatus)?;
        entry.request()?;
        let request = entry.request.as_ref().ok_or(Code::NoRequest)?;
        entry.endpoint.respond_bytes(request, status, &fields, body)?;
        entry.request = None;
        Ok(0)
    })
}
