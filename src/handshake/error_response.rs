//! The HTTP response that reports an error of the handshake to the client, and the one table from an error to a status.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::error::HandshakeError;
use super::http::write::{UPGRADE_REQUIRED, push_final};

impl HandshakeError {
    /// Appends the complete HTTP response for the client: status, header fields, and the error's text as the body.
    ///
    /// [`ServerHandshake`](super::ServerHandshake) and [`Request::upgrade`](super::Request::upgrade) have done this
    /// already; use it after [`Upgrade::from_fields`](super::Upgrade::from_fields) if you send HTTP/1.1 yourself.
    /// `method` is that of the request: HEAD gets no body (RFC 9110 section 9.3.2). Send the response and close the
    /// transport.
    pub fn respond(&self, method: &str, out: &mut Vec<u8>) {
        let fields = [("Content-Type", "text/plain")];
        let mut body = String::new();
        _ = write!(body, "{self}"); // `to_string` has a panic for a `Display` that fails.
        let required = self.response_fields();
        push_final(out, method, self.status(), required, &fields, body.as_bytes());
    }

    /// Returns the status of the HTTP response that reports this error to the client.
    ///
    /// Errors that only a client can encounter map to 502, as a gateway would report for its upstream.
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
            | Self::AmbiguousUpgrade
            | Self::MissingAccept
            | Self::RepeatedAccept
            | Self::WrongAccept
            | Self::SeveralSubprotocols
            | Self::UnofferedSubprotocol
            | Self::MissingSubprotocol
            | Self::UnofferedExtension
            | Self::RepeatedExtension => 502,
            #[cfg(feature = "deflate")]
            Self::Deflate(_) => 502,
            Self::Eof
            | Self::Unanswered
            | Self::Finished
            | Self::BareCarriageReturn
            | Self::BareLineFeed
            | Self::MalformedMethod
            | Self::ProxyLine
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
            | Self::UnexpectedContentLength
            | Self::MissingConnectionUpgrade
            | Self::RepeatedVersion
            | Self::MissingKey
            | Self::RepeatedKey
            | Self::MalformedKey
            | Self::RepeatedOrigin
            | Self::MalformedOrigin
            | Self::EmptySubprotocols
            | Self::MalformedSubprotocol
            | Self::RepeatedSubprotocol
            | Self::EmptyExtensions
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

    /// Returns the header fields that the response with this [`status`](Self::status) must have, for callers whose own
    /// HTTP server sends it.
    ///
    /// `Allow` with 405 (RFC 9110 section 15.5.6); `Upgrade`, with the corresponding connection option, and
    /// `Sec-WebSocket-Version` with 426 (RFC 9110 section 15.5.22, RFC 6455 section 4.2.2); only
    /// `Sec-WebSocket-Version` if an extended CONNECT asks for another version. Otherwise none.
    #[doc(alias = "headers")]
    pub const fn response_fields(&self) -> &'static [(&'static str, &'static str)] {
        match (self, self.status()) {
            (Self::UnsupportedConnectVersion, _) => &[("sec-websocket-version", "13")],
            (_, 405) => &[("Allow", "GET")],
            (_, 426) => UPGRADE_REQUIRED,
            _ => &[],
        }
    }
}
