//! What can go wrong in the opening handshake, and the one table from there to an HTTP status.

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use super::http::write::{UPGRADE_REQUIRED, push_error};

/// Why an opening handshake failed: what the peer did, which limit it passed, or that the transport ended.
/// Only [`Finished`](Self::Finished) is the caller's doing.
///
/// | from | repeated by every later call | in `out` |
/// |---|---|---|
/// | [`ServerHandshake::receive`](super::ServerHandshake::receive) | yes | the whole HTTP response, once |
/// | [`ClientHandshake::receive`](super::ClientHandshake::receive) | yes | nothing |
/// | `receive_eof` of both | yes | nothing |
/// | [`ServerHandshake::handle_timeout`](super::ServerHandshake::handle_timeout) | yes | the whole HTTP response, once, if anything of a request came |
/// | [`ClientHandshake::handle_timeout`](super::ClientHandshake::handle_timeout) | yes | nothing |
/// | [`Request::upgrade`](super::Request::upgrade) | yes, as the request stays what it is | the whole HTTP response, each time |
/// | [`ClientExchange`](super::ClientExchange) | yes | nothing |
/// | [`Upgrade::from_fields`](super::Upgrade::from_fields), [`ExtensionList::parse`](super::ExtensionList::parse) | they keep nothing | nothing; see [`respond`](Self::respond) |
/// | [`Upgrade::from_extended_connect`](super::Upgrade::from_extended_connect) | it keeps nothing | nothing; see [`status`](Self::status) |
///
/// No Close frame is ever sent, as there is no connection yet.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The transport ended before the head was whole.
    Eof,
    /// The head was not whole when the caller's time for it was up (RFC 9110 section 15.5.9).
    TimedOut,
    /// The caller's doing: `receive`, `receive_eof` or `handle_timeout` was called after `receive` had returned its
    /// result. Nothing is written for it.
    Finished,

    /// The request line does not fit into the limit of
    /// [`Config::max_head_size`](crate::Config::max_head_size).
    RequestLineTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The head does not fit into the limit of [`Config::max_head_size`](crate::Config::max_head_size).
    HeadTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The head has more field lines than [`Config::max_fields`](crate::Config::max_fields) allows.
    TooManyFields {
        /// The limit, in lines.
        limit: usize,
    },
    /// More interim responses came than
    /// [`Config::max_interim_responses`](crate::Config::max_interim_responses) allows.
    TooManyInterimResponses {
        /// The limit, in responses.
        limit: usize,
    },

    /// A CR without its LF (RFC 9112 section 2.2).
    BareCarriageReturn,
    /// An LF without its CR (RFC 9112 section 2.2; taking it as a line end is allowed, but not done here).
    BareLineFeed,
    /// The first word is no method: the peer may speak TLS, SSH or something else (RFC 9112 section 3.1).
    MalformedMethod,
    /// The request target is empty, of a form that the method does not have, or holds a `#` or a byte that
    /// must be percent-encoded (RFC 9112 section 3.2).
    MalformedTarget,
    /// The version is not `HTTP/`, a digit, a dot and a digit, or not alone at its place (RFC 9112 section
    /// 2.3).
    MalformedHttpVersion,
    /// The status is not three digits from 100 on with a space on either side (RFC 9112 section 4).
    MalformedStatus,
    /// A well-formed version of another major number than 1 (RFC 9112 section 2.3).
    UnsupportedHttpVersion {
        /// The major number.
        major: u8,
        /// The minor number.
        minor: u8,
    },
    /// White space between the first line and the first field (RFC 9112 section 2.2).
    SpaceBeforeFields,
    /// A field line that does not start with a token and a colon (RFC 9112 section 5).
    MalformedFieldName,
    /// White space between a field's name and its colon (RFC 9112 section 5.1).
    SpaceBeforeColon,
    /// A NUL or another control byte in a field's value, or in the reason of a status line (RFC 9110 section
    /// 5.5).
    MalformedFieldValue,
    /// A field line of a request that goes on in the next line (RFC 9112 section 5.2).
    FoldedField,

    /// A request without Host (RFC 9112 section 3.2).
    MissingHost,
    /// A request with several Host lines (RFC 9112 section 3.2).
    RepeatedHost,
    /// A Host that is no host with an optional port; or an empty one, in a request that wants to upgrade.
    MalformedHost,
    /// A Content-Length that is no number, or several (RFC 9112 section 6.3).
    MalformedContentLength,
    /// Content-Length and Transfer-Encoding in one request, or the latter in HTTP/1.0 (RFC 9112 sections 6.1
    /// and 6.3).
    ConflictingFraming,

    /// A WebSocket request by another method than GET (RFC 6455 section 4.2.1, item 1).
    MethodNotGet,
    /// HTTP/1.0, which has no upgrade (RFC 6455 section 4.2.1, item 1; RFC 9110 section 7.8).
    HttpVersionTooOld,
    /// A WebSocket request with content: its bytes would be mistaken for frames. In an extended CONNECT, any
    /// Content-Length.
    UnexpectedContent,
    /// A WebSocket request with an Expect field: there is no content to go on with (RFC 9110 section 10.1.1).
    UnmetExpectation,
    /// The Upgrade field does not say `websocket`; in a response it has to say nothing else (RFC 6455
    /// sections 4.1 and 4.2.1).
    MissingUpgrade,
    /// The Connection field has no option `upgrade` (RFC 6455 sections 4.1 and 4.2.1).
    MissingConnectionUpgrade,
    /// A WebSocket request without Sec-WebSocket-Version (RFC 6455 section 4.2.1, item 6).
    MissingVersion,
    /// Several Sec-WebSocket-Version lines in a request (RFC 6455 section 11.3.5).
    RepeatedVersion,
    /// A Sec-WebSocket-Version that is not exactly `13` (RFC 6455 section 4.2.1, item 6).
    UnsupportedVersion,
    /// A WebSocket request without Sec-WebSocket-Key (RFC 6455 section 4.2.1, item 5).
    MissingKey,
    /// Several Sec-WebSocket-Key lines (RFC 6455 section 11.3.1).
    RepeatedKey,
    /// A Sec-WebSocket-Key that is not the base64 form of 16 bytes (RFC 6455 section 4.2.1, item 5).
    MalformedKey,
    /// Several Origin lines.
    RepeatedOrigin,
    /// An Origin that is empty or not printable ASCII (RFC 6454 section 7.1).
    MalformedOrigin,
    /// A Sec-WebSocket-Protocol with an element that is no token, or with none (RFC 6455 section 4.3).
    MalformedSubprotocol,
    /// A subprotocol offered twice; in a response, several Sec-WebSocket-Protocol lines (RFC 6455 sections
    /// 4.1 and 11.3.4).
    RepeatedSubprotocol,
    /// A Sec-WebSocket-Extensions outside its grammar, or with no element on any of its lines (RFC 6455
    /// section 9.1).
    MalformedExtensions,

    /// A capital letter in a field name of HTTP/2 or HTTP/3 (RFC 9113 section 8.2.1).
    UppercaseFieldName,
    /// A pseudo-field that does not belong into the message (RFC 9113 section 8.3).
    UnknownPseudoField,
    /// A pseudo-field behind the other fields (RFC 9113 section 8.3).
    LatePseudoField,
    /// A pseudo-field that has to be there and is not (RFC 8441 section 4); without `:protocol`, a CONNECT is
    /// one to a proxy. For `:authority`, a Host field would do.
    MissingPseudoField {
        /// The name, with its colon.
        name: &'static str,
    },
    /// A pseudo-field that stands twice (RFC 9113 section 8.3).
    RepeatedPseudoField {
        /// The name, with its colon.
        name: &'static str,
    },
    /// A pseudo-field with a value that it cannot have: empty, not printable ASCII, another `:scheme` than
    /// `http` or `https`, no host with an optional port, no path, no status.
    MalformedPseudoField {
        /// The name, with its colon.
        name: &'static str,
    },
    /// A field of HTTP/1.1's connections, such as Connection or Upgrade, in HTTP/2 or HTTP/3 (RFC 9113
    /// section 8.2.2).
    ConnectionSpecificField,
    /// A Host that is another than `:authority` (RFC 9113 section 8.3.1, RFC 9114 section 4.3.1).
    ConflictingHost,
    /// A WebSocket request of HTTP/2 or HTTP/3 by another method than CONNECT (RFC 8441 section 5).
    MethodNotConnect,
    /// Another `:protocol` than `websocket` (RFC 9220 section 3).
    UnsupportedConnectProtocol,
    /// The Sec-WebSocket-Version of an extended CONNECT is missing, or not exactly `13` (RFC 8441 section 5).
    UnsupportedConnectVersion,

    /// A 101 to an extended CONNECT: HTTP/2 and HTTP/3 have none (RFC 9113 section 8.6).
    SwitchedProtocols,
    /// A response without Sec-WebSocket-Accept (RFC 6455 section 4.1).
    MissingAccept,
    /// Several Sec-WebSocket-Accept lines (RFC 6455 section 11.3.3).
    RepeatedAccept,
    /// A Sec-WebSocket-Accept that does not answer the key that was sent (RFC 6455 section 4.1).
    WrongAccept,
    /// A subprotocol that was not offered, letter by letter (RFC 6455 section 4.1).
    UnofferedSubprotocol,
    /// No subprotocol, though some were offered and
    /// [`Config::require_subprotocol`](crate::Config::require_subprotocol) is on.
    MissingSubprotocol,
    /// An extension that was not offered (RFC 6455 section 4.1).
    UnofferedExtension,
    /// The answer on `permessage-deflate` does not fit the offers (RFC 7692 section 5.1).
    #[cfg(feature = "deflate")]
    Deflate(crate::deflate::NegotiationError),
    /// An extension that is named twice (RFC 6455 section 9.1).
    RepeatedExtension,
}

impl HandshakeError {
    /// Appends the whole HTTP response that tells the client: status, fields, and the error's text as the
    /// body.
    ///
    /// [`ServerHandshake`](super::ServerHandshake) and [`Request::upgrade`](super::Request::upgrade) have
    /// done this already; it is for those who come from [`Upgrade::from_fields`](super::Upgrade::from_fields)
    /// and send HTTP/1.1 by themselves. `method` is that of the request: HEAD gets no body (RFC 9110 section 9.3.2). The
    /// caller sends it and closes the transport.
    pub fn respond(&self, method: &str, out: &mut Vec<u8>) {
        push_error(out, method, *self);
    }

    /// The status of the HTTP response that tells a client about this error.
    ///
    /// What only a client can meet is 502: a gateway would say so of the server behind it.
    pub const fn status(&self) -> u16 {
        match self {
            Self::MethodNotGet => 405,
            Self::TimedOut => 408,
            Self::RequestLineTooLong { .. } => 414,
            Self::UnmetExpectation => 417,
            Self::HttpVersionTooOld
            | Self::MissingUpgrade
            | Self::MissingVersion
            | Self::UnsupportedVersion => 426,
            Self::HeadTooLarge { .. } | Self::TooManyFields { .. } => 431,
            Self::UnsupportedConnectProtocol => 501,
            Self::UnsupportedHttpVersion { .. } => 505,
            Self::TooManyInterimResponses { .. }
            | Self::MalformedStatus
            | Self::SwitchedProtocols
            | Self::MissingAccept
            | Self::RepeatedAccept
            | Self::WrongAccept
            | Self::UnofferedSubprotocol
            | Self::MissingSubprotocol
            | Self::UnofferedExtension
            | Self::RepeatedExtension => 502,
            #[cfg(feature = "deflate")]
            Self::Deflate(_) => 502,
            Self::Eof
            | Self::Finished
            | Self::BareCarriageReturn
            | Self::BareLineFeed
            | Self::MalformedMethod
            | Self::MalformedTarget
            | Self::MalformedHttpVersion
            | Self::SpaceBeforeFields
            | Self::MalformedFieldName
            | Self::SpaceBeforeColon
            | Self::MalformedFieldValue
            | Self::FoldedField
            | Self::MissingHost
            | Self::RepeatedHost
            | Self::MalformedHost
            | Self::MalformedContentLength
            | Self::ConflictingFraming
            | Self::UnexpectedContent
            | Self::MissingConnectionUpgrade
            | Self::RepeatedVersion
            | Self::MissingKey
            | Self::RepeatedKey
            | Self::MalformedKey
            | Self::RepeatedOrigin
            | Self::MalformedOrigin
            | Self::MalformedSubprotocol
            | Self::RepeatedSubprotocol
            | Self::MalformedExtensions
            | Self::UppercaseFieldName
            | Self::UnknownPseudoField
            | Self::LatePseudoField
            | Self::MissingPseudoField { .. }
            | Self::RepeatedPseudoField { .. }
            | Self::MalformedPseudoField { .. }
            | Self::ConnectionSpecificField
            | Self::ConflictingHost
            | Self::MethodNotConnect
            | Self::UnsupportedConnectVersion => 400,
        }
    }

    /// The fields that the response with this [`status`](Self::status) must have, for callers whose own HTTP
    /// server sends it.
    ///
    /// `Allow` with 405 (RFC 9110 section 15.5.6); `Upgrade`, with the connection option that goes along, and
    /// `Sec-WebSocket-Version` with 426 (RFC 9110 section 15.5.22, RFC 6455 section 4.2.2); the latter alone
    /// where an extended CONNECT asks for another version. Otherwise none.
    pub const fn response_fields(&self) -> &'static [(&'static str, &'static str)] {
        match (self, self.status()) {
            (Self::UnsupportedConnectVersion, _) => &[("sec-websocket-version", "13")],
            (_, 405) => &[("Allow", "GET")],
            (_, 426) => UPGRADE_REQUIRED,
            _ => &[],
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::RequestLineTooLong { limit } => {
                return write!(f, "request line is longer than {limit} bytes");
            }
            Self::HeadTooLarge { limit } => return write!(f, "head is larger than {limit} bytes"),
            Self::TooManyFields { limit } => return write!(f, "head has more than {limit} fields"),
            Self::TooManyInterimResponses { limit } => {
                return write!(f, "more than {limit} interim responses");
            }
            Self::UnsupportedHttpVersion { major, minor } => {
                return write!(f, "HTTP/{major}.{minor} is not supported");
            }
            Self::MissingPseudoField { name } => return write!(f, "pseudo-field {name} is missing"),
            Self::RepeatedPseudoField { name } => return write!(f, "pseudo-field {name} stands twice"),
            Self::MalformedPseudoField { name } => return write!(f, "pseudo-field {name} is malformed"),
            Self::Eof => "transport ended before the head was complete",
            Self::TimedOut => "head was not complete in time",
            Self::Finished => "handshake is finished already",
            Self::BareCarriageReturn => "head has a CR without LF",
            Self::BareLineFeed => "head has an LF without CR",
            Self::MalformedMethod => "request does not start with an HTTP method",
            Self::MalformedTarget => "request target is malformed",
            Self::MalformedHttpVersion => "first line has no HTTP version at its place",
            Self::MalformedStatus => "response has no three-digit status at its place",
            Self::SpaceBeforeFields => "white space before the first field",
            Self::MalformedFieldName => "field has no name that is a token",
            Self::SpaceBeforeColon => "white space between a field name and its colon",
            Self::MalformedFieldValue => "control byte in a field value",
            Self::FoldedField => "request has a folded field line",
            Self::MissingHost => "request has no Host field",
            Self::RepeatedHost => "request has more than one Host field",
            Self::MalformedHost => "Host is not a host with an optional port",
            Self::MalformedContentLength => "Content-Length is not one number",
            Self::ConflictingFraming => "Transfer-Encoding together with Content-Length or HTTP/1.0",
            Self::MethodNotGet => "method of a WebSocket request is not GET",
            Self::HttpVersionTooOld => "HTTP/1.0 has no upgrade",
            Self::UnexpectedContent => "WebSocket request has content",
            Self::UnmetExpectation => "WebSocket request has an Expect field",
            Self::MissingUpgrade => "Upgrade field does not say websocket",
            Self::MissingConnectionUpgrade => "Connection field does not say upgrade",
            Self::MissingVersion => "request has no Sec-WebSocket-Version field",
            Self::RepeatedVersion => "request has more than one Sec-WebSocket-Version field",
            Self::UnsupportedVersion => "Sec-WebSocket-Version is not 13",
            Self::MissingKey => "request has no Sec-WebSocket-Key field",
            Self::RepeatedKey => "request has more than one Sec-WebSocket-Key field",
            Self::MalformedKey => "Sec-WebSocket-Key is not 16 bytes in base64",
            Self::RepeatedOrigin => "request has more than one Origin field",
            Self::MalformedOrigin => "Origin is empty or not printable ASCII",
            Self::MalformedSubprotocol => "Sec-WebSocket-Protocol is not a list of tokens",
            Self::RepeatedSubprotocol => "Sec-WebSocket-Protocol names a subprotocol twice or stands twice",
            Self::MalformedExtensions => "Sec-WebSocket-Extensions is malformed",
            Self::UppercaseFieldName => "field name has a capital letter",
            Self::UnknownPseudoField => "pseudo-field does not belong into the message",
            Self::LatePseudoField => "pseudo-field stands behind other fields",
            Self::ConnectionSpecificField => "field is for connections of HTTP/1.1 only",
            Self::ConflictingHost => "Host is another than :authority",
            Self::MethodNotConnect => "method of a WebSocket request is not CONNECT",
            Self::UnsupportedConnectProtocol => "pseudo-field :protocol does not say websocket",
            Self::UnsupportedConnectVersion => "Sec-WebSocket-Version does not say 13",
            Self::SwitchedProtocols => "server answered 101 to an extended CONNECT",
            Self::MissingAccept => "response has no Sec-WebSocket-Accept field",
            Self::RepeatedAccept => "response has more than one Sec-WebSocket-Accept field",
            Self::WrongAccept => "Sec-WebSocket-Accept does not answer the key",
            Self::UnofferedSubprotocol => "server chose a subprotocol that was not offered",
            Self::MissingSubprotocol => "server chose none of the offered subprotocols",
            Self::UnofferedExtension => "server chose an extension that was not offered",
            Self::RepeatedExtension => "server chose an extension twice",
            #[cfg(feature = "deflate")]
            Self::Deflate(error) => return error.fmt(f),
        };
        f.write_str(text)
    }
}

impl Error for HandshakeError {}

/// A call that would have put something on the wire that must not be there. Nothing was written.
///
/// Most follow from the arguments alone. [`RepeatedOrigin`](Self::RepeatedOrigin) and
/// [`RepeatedSubprotocol`](Self::RepeatedSubprotocol) follow from the calls before as well,
/// [`UnofferedSubprotocol`](Self::UnofferedSubprotocol) and [`UnusableStatus`](Self::UnusableStatus) from the
/// request that is answered.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum HandshakeMisuse {
    /// A field name that is no token (RFC 9110 section 5.1).
    MalformedFieldName,
    /// A field value with a CR, an LF, a NUL or another control byte (RFC 9110 section 5.5).
    MalformedFieldValue,
    /// A field that the handshake writes itself, or that would change how the message is framed or the
    /// connection is used: Host, Origin, Upgrade, Connection, Expect, Content-Length, Transfer-Encoding, TE,
    /// Keep-Alive, Proxy-Connection and whatever starts with `Sec-WebSocket-`.
    ReservedField,
    /// No host with an optional port up to 65535 (RFC 3986 section 3.2; no user information).
    MalformedAuthority,
    /// No path that starts with `/`, with an optional query, in the letters that RFC 3986 sections 3.3 and
    /// 3.4 allow.
    MalformedTarget,
    /// No `ws:` or `wss:` URL (RFC 6455 section 3).
    MalformedUrl,
    /// An origin that is empty or not printable ASCII (RFC 6454 section 7.1).
    MalformedOrigin,
    /// A second origin (RFC 6455 section 4.1, item 8).
    RepeatedOrigin,
    /// A subprotocol that is no token (RFC 6455 section 4.1, item 10).
    MalformedSubprotocol,
    /// A subprotocol that was offered before, or a second answer (RFC 6455 sections 4.1 and 4.2.2).
    RepeatedSubprotocol,
    /// A subprotocol that the client did not offer (RFC 6455 section 4.2.2).
    UnofferedSubprotocol,
    /// No extension with its parameters, or more than one (RFC 6455 section 9.1).
    MalformedExtension,
    /// A status that cannot be the answer: outside 200 to 599 (RFC 9110 section 15), or a success of CONNECT,
    /// after which a tunnel would begin (RFC 9110 section 9.3.6).
    UnusableStatus,
    /// A body with a status that has none: 204, 205 and 304 (RFC 9110 section 15).
    UnexpectedBody,
    /// A response of HTTP/1.1 to an extended CONNECT.
    ExtendedConnect,
    /// An answer on an [`Endpoint`](crate::endpoint::Endpoint) on which no request waits for one.
    NoRequest,
}

impl fmt::Display for HandshakeMisuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MalformedFieldName => "field name is not a token",
            Self::MalformedFieldValue => "field value has a control byte",
            Self::ReservedField => "field is written by the handshake itself",
            Self::MalformedAuthority => "authority is not a host with an optional port up to 65535",
            Self::MalformedTarget => "target is not a path and an optional query as in RFC 3986",
            Self::MalformedUrl => {
                "URL is not ws:// or wss://, a host, an optional port up to 65535, and a path and a query as in RFC 3986"
            }
            Self::MalformedOrigin => "origin is empty or not printable ASCII",
            Self::RepeatedOrigin => "origin is given twice",
            Self::MalformedSubprotocol => "subprotocol is not a token",
            Self::RepeatedSubprotocol => "subprotocol is given twice",
            Self::UnofferedSubprotocol => "subprotocol was not offered by the client",
            Self::MalformedExtension => "extension is not one name with its parameters",
            Self::UnusableStatus => "status is not from 200 to 599, or is a success of CONNECT",
            Self::UnexpectedBody => "response with status 204, 205 or 304 has no body",
            Self::ExtendedConnect => "response to an extended CONNECT is the stack's to send",
            Self::NoRequest => "no request waits for an answer",
        })
    }
}

impl Error for HandshakeMisuse {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn errors_are_small() {
        assert!(size_of::<HandshakeError>() <= 24);
        assert!(size_of::<Result<(), HandshakeMisuse>>() <= 1);
    }

    #[test]
    fn errors_name_limit_and_value() {
        let error = HandshakeError::HeadTooLarge { limit: 16_384 };
        assert_eq!(error.to_string(), "head is larger than 16384 bytes");
        let error = HandshakeError::UnsupportedHttpVersion { major: 2, minor: 0 };
        assert_eq!(error.to_string(), "HTTP/2.0 is not supported");
    }
}
