//! Writing heads: every byte that the caller supplies is checked before the first one is written.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::fields::is_known;
use super::grammar::{is_field_byte, is_token};
use crate::handshake::misuse::HandshakeMisuse;

/// Checks a field that the caller wants to add.
pub(crate) fn check_field(name: &str, value: &[u8]) -> Result<(), HandshakeMisuse> {
    // RFC 9110 section 5.1
    if !is_token(name.as_bytes()) {
        return Err(HandshakeMisuse::MalformedFieldName);
    }
    // RFC 9110 section 5.3: the handshake's own fields must not appear twice. RFC 6455 section 11.3 lists all
    // names of this kind.
    let is_sec = name
        .get(..14)
        .is_some_and(|start| start.eq_ignore_ascii_case("Sec-WebSocket-"));
    // RFC 9110 section 7.6.1: the handshake determines the connection options; and HTTP/2 and HTTP/3 have none (RFC
    // 9113 section 8.2.2).
    let is_option = ["Keep-Alive", "Proxy-Connection", "TE"]
        .iter()
        .any(|option| option.eq_ignore_ascii_case(name));
    if is_sec || is_option || is_known(name) {
        return Err(HandshakeMisuse::ReservedField);
    }
    // RFC 9110 section 5.5: a CR or an LF would start a field, or a message, that the caller did not write.
    if !value.iter().copied().all(is_field_byte) {
        return Err(HandshakeMisuse::MalformedFieldValue);
    }
    Ok(())
}

/// Appends a field whose name and value are checked.
pub(crate) fn push_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    push_parts(out, [name.as_bytes(), b": ", value, b"\r\n"]);
}

fn push_parts<const N: usize>(out: &mut Vec<u8>, parts: [&[u8]; N]) {
    for part in parts {
        out.extend_from_slice(part);
    }
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

/// Appends a complete final response to a request with `method`. The connection must then be closed.
pub(crate) fn push_response(
    out: &mut Vec<u8>,
    method: &str,
    status: u16,
    fields: &[(&str, impl AsRef<[u8]>)],
    body: &[u8],
) -> Result<(), HandshakeMisuse> {
    check_status(method, status, body)?;
    for (name, value) in fields {
        check_field(name, value.as_ref())?;
    }
    // A 426 has the same fields, whoever sends it.
    let required = if status == 426 { UPGRADE_REQUIRED } else { &[] };
    push_final(out, method, status, required, fields, body);
    Ok(())
}

/// The fields of every 426: RFC 9110 section 15.5.22, with the connection option for Upgrade (section 7.8), and RFC
/// 6455 section 4.2.2.
pub(crate) const UPGRADE_REQUIRED: &[(&str, &str)] = &[
    ("Upgrade", "websocket"),
    (CONNECTION, "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
];

const CONNECTION: &str = "Connection";

pub(crate) fn push_final(
    out: &mut Vec<u8>,
    method: &str,
    status: u16,
    required: &[(&str, &str)],
    fields: &[(&str, impl AsRef<[u8]>)],
    body: &[u8],
) {
    push_status_line(out, status);
    for &(name, value) in required {
        let end = if name == CONNECTION { ", close" } else { "" };
        push_parts(out, [name, ": ", value, end, "\r\n"].map(str::as_bytes));
    }
    // RFC 9112 section 9.6: the connection ends after this, whatever other options it has.
    if !required.iter().any(|&(name, _)| name == CONNECTION) {
        push_field(out, CONNECTION, b"close");
    }
    for (name, value) in fields {
        push_field(out, name, value.as_ref());
    }
    // RFC 9110 section 8.6: no length with 204; with 304 it would be the length of another response.
    if !matches!(status, 204 | 304) {
        push_field(out, "Content-Length", body.len().to_string().as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    // RFC 9110 section 9.3.2: a response to HEAD has no body, whatever its length says.
    if method != "HEAD" {
        out.extend_from_slice(body);
    }
}

fn check_status(method: &str, status: u16, body: &[u8]) -> Result<(), HandshakeMisuse> {
    // RFC 9110 section 15: 1xx is not final, and 600 and above are undefined. Section 9.3.6: a success of
    // CONNECT has no length, as a tunnel follows.
    if !(200..600).contains(&status) || (method == "CONNECT" && status < 300) {
        return Err(HandshakeMisuse::UnusableStatus);
    }
    // RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5
    if matches!(status, 204 | 205 | 304) && !body.is_empty() {
        return Err(HandshakeMisuse::UnexpectedBody);
    }
    Ok(())
}

/// RFC 9110 section 15, RFC 6585: the reasons for statuses that a server of this kind uses. Other statuses have none.
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
