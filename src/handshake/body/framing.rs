//! How the head of a response determines where its body ends.

use super::BodyError;
use crate::handshake::http::fields::KnownFields;
use crate::handshake::http::head::Head;

/// Where a body ends (RFC 9112 section 6.3).
#[derive(Clone, Copy)]
pub(super) enum Framing {
    /// After this many bytes.
    Length(u64),
    /// After the last chunk and its trailers.
    Chunked,
    /// With the transport.
    ToEnd,
}

impl Framing {
    /// Applies the rules of RFC 9112 section 6.3, in its order, except those for HEAD and CONNECT, which depend on the
    /// request.
    pub(super) fn of(head: &Head, known: &KnownFields<'_>) -> Result<Self, BodyError> {
        if matches!(head.status(), 100..=199 | 204 | 304) {
            return Ok(Self::Length(0));
        }
        let length = known
            .length_of_content()
            .map_err(|_| BodyError::MalformedContentLength)?;
        if known.transfer_encoding.is_empty() {
            return Ok(length.map_or(Self::ToEnd, Self::Length));
        }
        // Transfer-Encoding would take precedence, but a message with both "ought to be handled as an error".
        // RFC 9112 section 6.1: the framing of a message of HTTP/1.0 with this field is faulty.
        if length.is_some() || head.version() < (1, 1) {
            return Err(BodyError::ConflictingFraming);
        }
        let mut codings = known.transfer_encoding.elements();
        match (codings.next(), codings.next()) {
            (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Self::Chunked),
            _ => Err(BodyError::UnsupportedTransferCoding),
        }
    }

    /// Whether the transport can carry another request after this body (RFC 9112 section 9.3).
    pub(super) fn leaves_transport_open(self, version: (u8, u8), known: &KnownFields<'_>) -> bool {
        match self {
            Self::ToEnd => false,
            Self::Length(_) | Self::Chunked => {
                let is_kept = version >= (1, 1) || known.connection.has(b"keep-alive");
                is_kept && !known.connection.has(b"close")
            }
        }
    }
}
