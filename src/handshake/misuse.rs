//! Calls on a handshake that would put invalid data on the wire.

use core::error::Error;
use core::fmt;

/// A call that would have put invalid data on the wire. Nothing was written.
///
/// Most depend only on the arguments. [`RepeatedOrigin`](Self::RepeatedOrigin) and
/// [`RepeatedSubprotocol`](Self::RepeatedSubprotocol) also depend on earlier calls,
/// [`UnofferedSubprotocol`](Self::UnofferedSubprotocol) and [`UnusableStatus`](Self::UnusableStatus) on the request
/// that is answered.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum HandshakeMisuse {
    /// A field name that is not a token (RFC 9110 section 5.1).
    MalformedFieldName,
    /// A field value with a CR, an LF, a NUL or another control byte (RFC 9110 section 5.5).
    MalformedFieldValue,
    /// A field that the handshake writes itself, or that would change how the message is framed or the connection is
    /// used: Host, Origin, Upgrade, Connection, Expect, Content-Length, Transfer-Encoding, TE, Keep-Alive,
    /// Proxy-Connection and any field that starts with `Sec-WebSocket-`.
    ReservedField,
    /// An authority that is not a host with an optional port up to 65535 (RFC 3986 section 3.2; no user information).
    MalformedAuthority,
    /// A target other than a path that starts with `/` and an optional query, in printable ASCII without spaces and
    /// `#`.
    MalformedTarget,
    /// An origin that is empty or not printable ASCII (RFC 6454 section 7.1).
    MalformedOrigin,
    /// A second origin (RFC 6455 section 4.1, item 8).
    RepeatedOrigin,
    /// A subprotocol that is not a token (RFC 6455 section 4.1, item 10).
    MalformedSubprotocol,
    /// A subprotocol that was offered before, or a second choice (RFC 6455 sections 4.1 and 4.2.2).
    RepeatedSubprotocol,
    /// A subprotocol that the client did not offer (RFC 6455 section 4.2.2).
    UnofferedSubprotocol,
    /// An offer that is not exactly one extension with its parameters (RFC 6455 section 9.1).
    MalformedExtension,
    /// A status that cannot be that of the response: outside 200 to 599 (RFC 9110 section 15), or a 2xx response to
    /// CONNECT, after which a tunnel would begin (RFC 9110 section 9.3.6).
    UnusableStatus,
    /// A body with a status that does not allow one: 204, 205 and 304 (RFC 9110 section 15).
    UnexpectedBody,
    /// A user name with a colon, or a user name or a password with a control character (RFC 7617 section 2).
    MalformedCredentials,
    /// An HTTP/1.1 response to an extended CONNECT.
    ExtendedConnect,
    /// A response on an [`Endpoint`](crate::endpoint::Endpoint) without a request that waits for one.
    NoRequest,
}

impl fmt::Display for HandshakeMisuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MalformedFieldName => "field name is not a token",
            Self::MalformedFieldValue => "field value has a control byte",
            Self::ReservedField => "field is set by the handshake and cannot be overridden",
            Self::MalformedAuthority => "authority is not a host with an optional port up to 65535",
            Self::MalformedTarget => "target is not a path and an optional query in printable ASCII",
            Self::MalformedOrigin => "origin is empty or not printable ASCII",
            Self::RepeatedOrigin => "origin is given twice",
            Self::MalformedSubprotocol => "subprotocol is not a token",
            Self::RepeatedSubprotocol => "subprotocol is given twice",
            Self::UnofferedSubprotocol => "subprotocol was not offered by the client",
            Self::MalformedExtension => "extension is not one name with its parameters",
            Self::UnusableStatus => "status is not from 200 to 599, or is a 2xx response to CONNECT",
            Self::UnexpectedBody => "response with status 204, 205 or 304 must not have a body",
            Self::MalformedCredentials => "user name has a colon, or it or the password a control character",
            Self::ExtendedConnect => "response to an extended CONNECT must be sent by the HTTP stack",
            Self::NoRequest => "no request is waiting for a response",
        })
    }
}

impl Error for HandshakeMisuse {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misuses_are_small() {
        assert!(size_of::<Result<(), HandshakeMisuse>>() <= 1);
    }
}
