//! Errors of the opening handshake.

use core::error::Error;
use core::fmt;

/// Why an opening handshake failed: what the peer did wrong, which limit it exceeded, or that the transport ended. Only
/// [`Finished`](Self::Finished) is the caller's mistake.
///
/// | from | repeated by every later call | in `out` |
/// |---|---|---|
/// | [`ServerHandshake::receive`](super::ServerHandshake::receive) | yes | the complete HTTP response, once |
/// | [`ClientHandshake::receive`](super::ClientHandshake::receive) | yes | nothing |
/// | `receive_eof` of both | yes | nothing |
/// | [`ServerHandshake::handle_timeout`](super::ServerHandshake::handle_timeout) | yes | the complete HTTP response, once, if any byte of a request was received |
/// | [`ClientHandshake::handle_timeout`](super::ClientHandshake::handle_timeout) | yes | nothing |
/// | [`TunnelHandshake`](super::TunnelHandshake) | yes | nothing |
/// | [`Request::upgrade`](super::Request::upgrade) | yes: the request does not change | the complete HTTP response, each time |
/// | [`ClientFieldsHandshake`](super::ClientFieldsHandshake) | yes | nothing |
/// | [`Upgrade::from_fields`](super::Upgrade::from_fields), [`ExtensionList::parse`](super::ExtensionList::parse) | no state | nothing; see [`respond`](Self::respond) |
/// | [`Upgrade::from_extended_connect`](super::Upgrade::from_extended_connect) | no state | nothing; see [`status`](Self::status) |
///
/// No Close frame is ever sent, because there is no connection yet.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The transport ended before the head was complete.
    Eof,
    /// The transport of an [`Endpoint`](crate::endpoint::Endpoint) was given up before its caller answered the request.
    Unanswered,
    /// The head was not complete when the caller's timeout expired (RFC 9110 section 15.5.9).
    TimedOut,
    /// A mistake of the caller: `receive`, `receive_eof` or `handle_timeout` was called after `receive` had returned
    /// its result. Nothing is written for it.
    Finished,

    /// The request line exceeds the limit of [`Config::max_head_size`](crate::Config::max_head_size).
    RequestLineTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The head exceeds the limit of [`Config::max_head_size`](crate::Config::max_head_size).
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
    /// An LF without its CR (RFC 9112 section 2.2 allows recipients to accept it as a line end; a client does so with
    /// [`Config::accept_bare_line_feeds`](crate::Config::accept_bare_line_feeds)).
    BareLineFeed,
    /// The first word is not an HTTP method: the peer may speak TLS, SSH or something else (RFC 9112 section 3.1).
    MalformedMethod,
    /// The connection starts with a line of the PROXY protocol, version 1, which a load balancer such as HAProxy
    /// writes. Read the line, which is at most 107 bytes with its CR and LF, before the bytes go to the handshake.
    ProxyLine,
    /// The request target is empty, of a form that the method does not have, or holds a `#` or a byte that
    /// must be percent-encoded (RFC 9112 section 3.2).
    MalformedTarget,
    /// The version is not `HTTP/`, a digit, a dot and a digit, or is not in the expected position (RFC 9112 section
    /// 2.3).
    MalformedHttpVersion,
    /// The status is not three digits from 100 on between a space and a space or the line end (RFC 9112
    /// section 4). The last space may be missing: if no reason follows, several servers leave it out.
    MalformedStatus,
    /// A well-formed version whose major number is not 1 (RFC 9112 section 2.3).
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
    /// A field line of a request that continues on the next line (RFC 9112 section 5.2).
    FoldedField,

    /// A request without Host (RFC 9112 section 3.2).
    MissingHost,
    /// A request with several Host lines (RFC 9112 section 3.2).
    RepeatedHost,
    /// A Host that is not a host with an optional port; or an empty one, in a request that wants to upgrade.
    /// [`Config::accept_zone_in_host`](crate::Config::accept_zone_in_host) allows a zone.
    MalformedHost,
    /// A Content-Length that is not a number, or several (RFC 9112 section 6.3).
    MalformedContentLength,
    /// Content-Length and Transfer-Encoding in one request, or the latter in HTTP/1.0 (RFC 9112 sections 6.1
    /// and 6.3).
    ConflictingFraming,

    /// A WebSocket request by another method than GET (RFC 6455 section 4.2.1, item 1).
    MethodNotGet,
    /// HTTP/1.0, which has no upgrade (RFC 6455 section 4.2.1, item 1; RFC 9110 section 7.8). A client accepts the
    /// response with [`Config::accept_http_1_0`](crate::Config::accept_http_1_0).
    HttpVersionTooOld,
    /// A WebSocket request with content: its bytes would be mistaken for frames.
    UnexpectedContent,
    /// An extended CONNECT with a Content-Length: it would be the length of the DATA frames, in which the
    /// frames of RFC 6455 come (RFC 9113 section 8.1.1).
    UnexpectedContentLength,
    /// A WebSocket request with an expectation other than `100-continue` (RFC 9110 section 10.1.1).
    UnmetExpectation,
    /// No Upgrade field names `websocket` (RFC 6455 sections 4.1 and 4.2.1).
    MissingUpgrade,
    /// The Upgrade field of a response names a protocol besides `websocket`, or names `websocket` twice (RFC 6455
    /// section 4.1, item 2).
    AmbiguousUpgrade,
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
    /// An Origin that is not printable ASCII (RFC 6454 section 7.1). An empty one counts as none.
    MalformedOrigin,
    /// A Sec-WebSocket-Protocol without an element on any of its lines (RFC 6455 section 4.3).
    /// [`Config::accept_empty_lists`](crate::Config::accept_empty_lists) allows it.
    EmptySubprotocols,
    /// A Sec-WebSocket-Protocol with an element that is not a token (RFC 6455 section 4.3).
    MalformedSubprotocol,
    /// A subprotocol that a client offers twice (RFC 6455 section 4.1, item 10).
    RepeatedSubprotocol,
    /// A Sec-WebSocket-Extensions without an element on any of its lines (RFC 6455 section 9.1).
    /// [`Config::accept_empty_lists`](crate::Config::accept_empty_lists) allows it.
    EmptyExtensions,
    /// A Sec-WebSocket-Extensions outside its grammar (RFC 6455 section 9.1).
    /// [`Config::accept_any_extension_value`](crate::Config::accept_any_extension_value) allows quoted values that
    /// are not tokens.
    MalformedExtensions,

    /// An uppercase letter in a field name of HTTP/2 or HTTP/3 (RFC 9113 section 8.2.1).
    UppercaseFieldName,
    /// A pseudo-field that does not belong in the message (RFC 9113 section 8.3).
    UnknownPseudoField,
    /// A pseudo-field after the other fields (RFC 9113 section 8.3).
    LatePseudoField,
    /// A required pseudo-field is missing (RFC 8441 section 4); without `:protocol`, a CONNECT is a request to a proxy.
    /// A Host field may replace `:authority`.
    MissingPseudoField {
        /// The name, with its colon.
        name: &'static str,
    },
    /// A pseudo-field that appears twice (RFC 9113 section 8.3).
    RepeatedPseudoField {
        /// The name, with its colon.
        name: &'static str,
    },
    /// A pseudo-field with a value that it cannot have: empty, not printable ASCII, a `:scheme` other than
    /// `http` and `https`, an `:authority` that is not a host with an optional port, a `:path` that is not a path, a
    /// `:status` that is not a status.
    MalformedPseudoField {
        /// The name, with its colon.
        name: &'static str,
    },
    /// A field of HTTP/1.1's connections, such as Connection or Upgrade, in HTTP/2 or HTTP/3 (RFC 9113
    /// section 8.2.2).
    ConnectionSpecificField,
    /// A Host that differs from `:authority` (RFC 9113 section 8.3.1, RFC 9114 section 4.3.1).
    ConflictingHost,
    /// A WebSocket request of HTTP/2 or HTTP/3 by a method other than CONNECT (RFC 8441 section 5).
    MethodNotConnect,
    /// A `:protocol` other than `websocket` (RFC 9220 section 3).
    UnsupportedConnectProtocol,
    /// The Sec-WebSocket-Version of an extended CONNECT is missing, or not exactly `13` (RFC 8441 section 5).
    UnsupportedConnectVersion,

    /// A 101 in response to an extended CONNECT, although HTTP/2 and HTTP/3 have no such status (RFC 9113 section 8.6);
    /// or to the CONNECT for a tunnel, which does not ask for another protocol (RFC 9110 section 15.2.2).
    SwitchedProtocols,
    /// A response without Sec-WebSocket-Accept (RFC 6455 section 4.1).
    MissingAccept,
    /// Several Sec-WebSocket-Accept lines (RFC 6455 section 11.3.3).
    RepeatedAccept,
    /// A Sec-WebSocket-Accept that does not match the key that was sent (RFC 6455 section 4.1).
    WrongAccept,
    /// A response with several Sec-WebSocket-Protocol lines (RFC 6455 section 11.3.4).
    SeveralSubprotocols,
    /// A subprotocol that was not offered; case matters (RFC 6455 section 4.1).
    UnofferedSubprotocol,
    /// No subprotocol, though some were offered and
    /// [`Config::require_subprotocol`](crate::Config::require_subprotocol) is on.
    MissingSubprotocol,
    /// An extension that was not offered (RFC 6455 section 4.1).
    UnofferedExtension,
    /// The server's answer about `permessage-deflate` does not fit the offers (RFC 7692 section 5.1).
    #[cfg(feature = "deflate")]
    Deflate(crate::deflate::NegotiationError),
    /// An extension that is named twice (RFC 6455 section 9.1).
    RepeatedExtension,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::RequestLineTooLong { limit } => {
                return write!(
                    f,
                    "request line exceeds the {limit} bytes of Config::max_head_size"
                );
            }
            Self::HeadTooLarge { limit } => {
                return write!(f, "head exceeds the {limit} bytes of Config::max_head_size");
            }
            Self::TooManyFields { limit } => {
                return write!(f, "head exceeds the {limit} field lines of Config::max_fields");
            }
            Self::TooManyInterimResponses { limit } => {
                return write!(
                    f,
                    "server exceeds the {limit} interim responses of Config::max_interim_responses"
                );
            }
            Self::UnsupportedHttpVersion { major, minor } => {
                return write!(f, "HTTP/{major}.{minor} is not supported");
            }
            Self::MissingPseudoField { name } => return write!(f, "pseudo-field {name} is missing"),
            Self::RepeatedPseudoField { name } => return write!(f, "pseudo-field {name} appears twice"),
            Self::MalformedPseudoField { name } => return write!(f, "pseudo-field {name} is malformed"),
            Self::Eof => "transport ended before the head was complete",
            Self::Unanswered => "transport ended before the request was answered",
            Self::TimedOut => "head was not complete in time",
            Self::Finished => "handshake is already finished",
            Self::BareCarriageReturn => "head has a CR without LF",
            Self::BareLineFeed => "head has an LF without CR",
            Self::MalformedMethod => "request does not start with an HTTP method",
            Self::ProxyLine => {
                "connection starts with a line of the PROXY protocol, not with an HTTP request"
            }
            Self::MalformedTarget => "request target is malformed",
            Self::MalformedHttpVersion => "first line has no HTTP version where one is expected",
            Self::MalformedStatus => "response has no three-digit status where one is expected",
            Self::SpaceBeforeFields => "white space before the first field",
            Self::MalformedFieldName => "field name is missing or not a token",
            Self::SpaceBeforeColon => "white space between a field name and its colon",
            Self::MalformedFieldValue => "control byte in a field value or in the reason of a status line",
            Self::FoldedField => "request has a folded field line",
            Self::MissingHost => "request has no Host field",
            Self::RepeatedHost => "request has more than one Host field",
            Self::MalformedHost => "Host is not a host with an optional port",
            Self::MalformedContentLength => "Content-Length is not one number",
            Self::ConflictingFraming => {
                "request has Transfer-Encoding together with Content-Length, or in HTTP/1.0"
            }
            Self::MethodNotGet => "method of a WebSocket request is not GET",
            Self::HttpVersionTooOld => "HTTP/1.0 has no upgrade",
            Self::UnexpectedContent => "WebSocket request has content",
            Self::UnexpectedContentLength => "extended CONNECT has a Content-Length field",
            Self::UnmetExpectation => "WebSocket request has an expectation other than 100-continue",
            Self::MissingUpgrade => "not a WebSocket handshake: no Upgrade field names websocket",
            Self::AmbiguousUpgrade => "Upgrade field of the response names more than one protocol",
            Self::MissingConnectionUpgrade => "no Connection field has the option upgrade",
            Self::MissingVersion => "request has no Sec-WebSocket-Version field",
            Self::RepeatedVersion => "request has more than one Sec-WebSocket-Version field",
            Self::UnsupportedVersion => "Sec-WebSocket-Version is not 13",
            Self::MissingKey => "request has no Sec-WebSocket-Key field",
            Self::RepeatedKey => "request has more than one Sec-WebSocket-Key field",
            Self::MalformedKey => "Sec-WebSocket-Key is not 16 bytes in base64",
            Self::RepeatedOrigin => "request has more than one Origin field",
            Self::MalformedOrigin => "Origin is not printable ASCII",
            Self::EmptySubprotocols => "Sec-WebSocket-Protocol names no subprotocol",
            Self::MalformedSubprotocol => "Sec-WebSocket-Protocol has an element that is not a token",
            Self::RepeatedSubprotocol => "request offers a subprotocol twice",
            Self::EmptyExtensions => "Sec-WebSocket-Extensions names no extension",
            Self::MalformedExtensions => "Sec-WebSocket-Extensions is outside its grammar",
            Self::UppercaseFieldName => "field name has an uppercase letter",
            Self::UnknownPseudoField => "pseudo-field does not belong in the message",
            Self::LatePseudoField => "pseudo-field comes after other fields",
            Self::ConnectionSpecificField => "field is for connections of HTTP/1.1 only",
            Self::ConflictingHost => "Host differs from :authority",
            Self::MethodNotConnect => "method of a WebSocket request is not CONNECT",
            Self::UnsupportedConnectProtocol => "pseudo-field :protocol is not websocket",
            Self::UnsupportedConnectVersion => {
                "Sec-WebSocket-Version of the extended CONNECT is missing or not 13"
            }
            Self::SwitchedProtocols => "server answered 101 to a CONNECT",
            Self::MissingAccept => "response has no Sec-WebSocket-Accept field",
            Self::RepeatedAccept => "response has more than one Sec-WebSocket-Accept field",
            Self::WrongAccept => "Sec-WebSocket-Accept does not match the key that was sent",
            Self::SeveralSubprotocols => "response has more than one Sec-WebSocket-Protocol field",
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn errors_are_small() {
        assert!(size_of::<HandshakeError>() <= 24);
    }

    #[test]
    fn errors_name_limit_and_value() {
        let error = HandshakeError::HeadTooLarge { limit: 16_384 };
        assert_eq!(
            error.to_string(),
            "head exceeds the 16384 bytes of Config::max_head_size"
        );
        let error = HandshakeError::UnsupportedHttpVersion { major: 2, minor: 0 };
        assert_eq!(error.to_string(), "HTTP/2.0 is not supported");
    }
}
