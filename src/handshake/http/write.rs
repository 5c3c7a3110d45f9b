//! Writing heads: every byte that the caller supplies is checked before the first one is written.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::fields::KnownName;
use super::grammar::{is_field_byte, is_token};
use crate::handshake::error::{HandshakeError, HandshakeMisuse};

/// Checks a field that the caller wants to add.
pub(crate) fn check_field(name: &str, value: &str) -> Result<(), HandshakeMisuse> {
    // RFC 9110 section 5.1
    if !is_token(name.as_bytes()) {
        return Err(HandshakeMisuse::FieldName);
    }
    // RFC 9110 section 5.3: what the handshake writes must not stand twice. RFC 6455 section 11.3 has all names of this
    // kind.
    let is_sec = name
        .get(..14)
        .is_some_and(|start| start.eq_ignore_ascii_case("Sec-WebSocket-"));
    if is_sec || KnownName::of(name.as_bytes()).is_some() {
        return Err(HandshakeMisuse::ReservedField);
    }
    // RFC 9110 section 5.5: a CR or an LF would start a field, or a message, that nobody wrote.
    if !value.bytes().all(is_field_byte) {
        return Err(HandshakeMisuse::FieldValue);
    }
    Ok(())
}

/// Appends a field whose name and value are checked.
pub(crate) fn push_field(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// The same for a text that is kept until it is written.
pub(crate) fn push_field_text(out: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        out.push_str(part);
    }
}

/// The fields in a text made by [`push_field_text`].
pub(crate) fn split_fields(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split_terminator("\r\n")
        .filter_map(|line| line.split_once(": "))
}

/// Appends `HTTP/1.1 404 Not Found` and the line end.
pub(crate) fn push_status_line(out: &mut Vec<u8>, status: u16) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.to_string().as_bytes());
    // RFC 9112 section 4: the space is there even if no reason follows.
    out.push(b' ');
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends a whole final response to a request by `method`; after it the connection is to be closed.
pub(crate) fn push_response(
    out: &mut Vec<u8>,
    method: &str,
    status: u16,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Result<(), HandshakeMisuse> {
    check_status(method, status, body)?;
    for (name, value) in fields {
        check_field(name, value)?;
    }
    push_status_line(out, status);
    // RFC 9110 section 15.5.22 and RFC 6455 section 4.2.2: what a 426 has to say, whoever sends it.
    if status == HandshakeError::UnsupportedVersion.status() {
        push_upgrade_required(out);
    } else {
        push_field(out, "Connection", "close");
    }
    for (name, value) in fields {
        push_field(out, name, value);
    }
    // RFC 9110 section 8.6: no length with 204; with 304 it would be that of another response.
    if !matches!(status, 204 | 304) {
        push_field(out, "Content-Length", &body.len().to_string());
    }
    out.extend_from_slice(b"\r\n");
    // RFC 9110 section 9.3.2
    if method != "HEAD" {
        out.extend_from_slice(body);
    }
    Ok(())
}

/// Appends the whole response that tells about an error; its body is the error's text.
pub(crate) fn push_error(out: &mut Vec<u8>, error: HandshakeError, is_head_request: bool) {
    let body = error.to_string();
    push_status_line(out, error.status());
    match error.status() {
        426 => push_upgrade_required(out),
        _ => {
            push_field(out, "Connection", "close");
            for (name, value) in error.response_fields() {
                push_field(out, name, value);
            }
        }
    }
    push_field(out, "Content-Type", "text/plain");
    push_field(out, "Content-Length", &body.len().to_string());
    out.extend_from_slice(b"\r\n");
    if !is_head_request {
        out.extend_from_slice(body.as_bytes());
    }
}

fn push_upgrade_required(out: &mut Vec<u8>) {
    push_field(out, "Upgrade", "websocket");
    // RFC 9110 section 7.8: Upgrade needs its option. The other one says that this connection is at its end.
    push_field(out, "Connection", "Upgrade, close");
    push_field(out, "Sec-WebSocket-Version", "13");
}

fn check_status(method: &str, status: u16, body: &[u8]) -> Result<(), HandshakeMisuse> {
    // RFC 9110 section 15: 1xx is not final, and nothing is defined from 600 on. Section 9.3.6: a success of CONNECT has no
    // length, as a tunnel follows.
    if !(200..600).contains(&status) || (method == "CONNECT" && status < 300) {
        return Err(HandshakeMisuse::Status);
    }
    // RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5
    if matches!(status, 204 | 205 | 304) && !body.is_empty() {
        return Err(HandshakeMisuse::Body);
    }
    Ok(())
}

/// RFC 9110 section 15, RFC 6585: those that a server of this kind has a use for. The others go without.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        410 => "Gone",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
