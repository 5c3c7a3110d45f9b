//! What a server demands of an extended CONNECT, before the rules that it shares with an upgrade.

use super::rules;
use crate::Config;
use crate::handshake::error::HandshakeError;
use crate::handshake::extended::PROTOCOL;
use crate::handshake::http::field_list;
use crate::handshake::http::fields::KnownFields;
use crate::handshake::http::target::{Authority, Target, default_port};

/// An extended CONNECT that asks for WebSocket.
pub(super) struct Connect<'a> {
    pub(super) host: &'a str,
    pub(super) target: Target<'a>,
    pub(super) known: KnownFields<'a>,
}

impl<'a> Connect<'a> {
    /// RFC 8441 sections 4 and 5, RFC 9220 section 3
    pub(super) fn read(
        config: &Config,
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, HandshakeError> {
        let mut fields = fields.peekable();
        let names = [METHOD, CONNECT_PROTOCOL, SCHEME, AUTHORITY, PATH];
        let [method, protocol, scheme, authority, path] = field_list::take_pseudo(names, &mut fields)?;
        let known = KnownFields::collect_checked(fields, field_list::check_field)?;
        // RFC 8441 section 4: `:protocol` belongs to this method, `:scheme` and `:path` to it. Without the
        // first one this is a CONNECT as proxies know it.
        if require(METHOD, method)? != "CONNECT" {
            return Err(HandshakeError::MethodNotConnect);
        }
        let protocol = require(CONNECT_PROTOCOL, protocol)?;
        let scheme = require(SCHEME, scheme)?;
        let path = require(PATH, path)?;
        // RFC 8441 section 5: the token in lowercase. RFC 9220 section 3: 501 for any other.
        if protocol != PROTOCOL {
            return Err(HandshakeError::UnsupportedConnectProtocol);
        }
        // RFC 8441 section 5: `https` for `wss:`, `http` for `ws:`. RFC 3986 section 3.1: schemes are case-insensitive.
        let is_secure = scheme.eq_ignore_ascii_case("https");
        if !is_secure && !scheme.eq_ignore_ascii_case("http") {
            return Err(HandshakeError::MalformedPseudoField { name: SCHEME });
        }
        Ok(Self {
            host: check_authority(config, authority, &known, default_port(is_secure))?,
            target: Target::of_path(path).ok_or(HandshakeError::MalformedPseudoField { name: PATH })?,
            known,
        })
    }

    /// RFC 8441 section 5: checks the rules of RFC 6455 that do not concern the connection.
    pub(super) fn check(&self) -> Result<(), HandshakeError> {
        // RFC 9113 section 8.1.1: a length would be that of the DATA frames, which carry the frames of RFC 6455.
        if !self.known.content_length.is_empty() {
            return Err(HandshakeError::UnexpectedContentLength);
        }
        rules::check_expectation(&self.known)?;
        // RFC 9110 section 15.5.22: a 426 would ask for an upgrade, which does not exist here.
        rules::check_version(&self.known).map_err(|error| match error {
            HandshakeError::MissingVersion | HandshakeError::UnsupportedVersion => {
                HandshakeError::UnsupportedConnectVersion
            }
            other => other,
        })
    }
}

fn require<'a>(name: &'static str, value: Option<&'a str>) -> Result<&'a str, HandshakeError> {
    value.ok_or(HandshakeError::MissingPseudoField { name })
}

/// Checks the authority that the client addressed, as in any request: no tunnel leads there (RFC 8441 section 4).
fn check_authority<'a>(
    config: &Config,
    authority: Option<&'a str>,
    known: &KnownFields<'a>,
    default_port: u16,
) -> Result<&'a str, HandshakeError> {
    let host = rules::check_host_field(config, known)?;
    let Some(authority) = authority else {
        // RFC 9113 section 8.3.1: a request converted from HTTP/1.1 may have kept its Host.
        return rules::check_not_empty(require(AUTHORITY, host)?);
    };
    let parsed = Authority::of_field(authority, config)
        .filter(|authority| !authority.host.is_empty())
        .ok_or(HandshakeError::MalformedPseudoField { name: AUTHORITY })?;
    // RFC 9113 section 8.3.1, RFC 9114 section 4.3.1: if both are present, they are the same.
    match host.and_then(|host| Authority::of_field(host, config)) {
        Some(host) if !host.is_same(&parsed, default_port) => Err(HandshakeError::ConflictingHost),
        Some(_) | None => Ok(authority),
    }
}

const METHOD: &str = ":method";
const CONNECT_PROTOCOL: &str = ":protocol";
const SCHEME: &str = ":scheme";
const AUTHORITY: &str = ":authority";
const PATH: &str = ":path";
