//! What a server demands of a request, rule by rule.

use alloc::vec::Vec;

use crate::Config;
use crate::handshake::error::HandshakeError;
use crate::handshake::http::fields::{KnownFields, Lines};
use crate::handshake::http::grammar::{is_origin, is_token, text};
use crate::handshake::http::target::{Authority, Target};
use crate::handshake::key::is_key;

/// What is known about any request once it is checked.
#[derive(Clone, Copy)]
pub(super) struct Basics<'a> {
    pub(super) version: (u8, u8),
    pub(super) host: Option<&'a str>,
    pub(super) has_content: bool,
}

/// What the client waits for.
#[derive(Clone, Copy)]
pub(super) enum Awaited {
    /// A 100, and then the response (RFC 9110 section 10.1.1).
    Continue,
    Response,
}

/// RFC 9112: one Host, and one length.
pub(super) fn check_basics<'a>(
    config: &Config,
    known: &KnownFields<'a>,
    version: (u8, u8),
) -> Result<Basics<'a>, HandshakeError> {
    Ok(Basics {
        version,
        host: check_host(config, known, version)?,
        has_content: check_framing(known, version)?,
    })
}

/// Checks that there is one valid Host, which HTTP/1.0 may omit. Returns its value, if any.
fn check_host<'a>(
    config: &Config,
    known: &KnownFields<'a>,
    version: (u8, u8),
) -> Result<Option<&'a str>, HandshakeError> {
    // RFC 9112 section 3.2: a missing, repeated or malformed Host gets a 400.
    match check_host_field(config, known)? {
        None if version >= (1, 1) => Err(HandshakeError::MissingHost),
        host => Ok(host),
    }
}

/// Returns the Host field, if there is one.
pub(super) fn check_host_field<'a>(
    config: &Config,
    known: &KnownFields<'a>,
) -> Result<Option<&'a str>, HandshakeError> {
    let Some(host) = known.host.at_most_one(HandshakeError::RepeatedHost)? else {
        return Ok(None);
    };
    let host = core::str::from_utf8(host).map_err(|_| HandshakeError::MalformedHost)?;
    Authority::of_field(host, config).ok_or(HandshakeError::MalformedHost)?;
    Ok(Some(host))
}

/// Checks that the request states the length of its content in only one way. Returns whether it has content.
fn check_framing(known: &KnownFields<'_>, version: (u8, u8)) -> Result<bool, HandshakeError> {
    let length = known.length_of_content()?;
    // RFC 9112 sections 6.1 and 6.3: both at once is how requests are smuggled; HTTP/1.0 has only the former.
    if !known.transfer_encoding.is_empty() {
        if length.is_some() || version < (1, 1) {
            return Err(HandshakeError::ConflictingFraming);
        }
        return Ok(true);
    }
    Ok(length.is_some_and(|length| length > 0))
}

/// RFC 6455 section 4.2.1, item 1: GET, and HTTP/1.1 or later.
pub(super) fn check_request_line(method: &str, version: (u8, u8)) -> Result<(), HandshakeError> {
    // RFC 9110 section 7.8: an Upgrade in HTTP/1.0 is ignored, so there is nothing to accept.
    if version < (1, 1) {
        return Err(HandshakeError::HttpVersionTooOld);
    }
    if method != "GET" {
        return Err(HandshakeError::MethodNotGet);
    }
    Ok(())
}

/// RFC 6455 section 4.2.1, item 2: the server's authority, so there has to be one.
pub(super) fn require_authority<'a>(
    host: Option<&'a str>,
    target: &Target<'a>,
) -> Result<&'a str, HandshakeError> {
    let host = host.ok_or(HandshakeError::MissingHost)?;
    // RFC 9112 section 3.2.2: the authority of an absolute target replaces Host.
    check_not_empty(target.authority.unwrap_or(host))
}

/// Rejects an empty host, which HTTP allows.
pub(super) fn check_not_empty(host: &str) -> Result<&str, HandshakeError> {
    if host.is_empty() || host.starts_with(':') {
        return Err(HandshakeError::MalformedHost);
    }
    Ok(host)
}

/// RFC 6455 section 4.2.1, items 3 and 4: both fields of the upgrade.
pub(super) fn check_upgrade(known: &KnownFields<'_>) -> Result<(), HandshakeError> {
    // RFC 9110 section 7.8: names are compared as a whole and case-insensitively; `websocket/13` is another name.
    if !known.upgrade.has(b"websocket") {
        return Err(HandshakeError::MissingUpgrade);
    }
    // RFC 9110 section 7.6.1: a list, over all lines.
    if !known.connection.has(b"Upgrade") {
        return Err(HandshakeError::MissingConnectionUpgrade);
    }
    Ok(())
}

/// RFC 9110 section 10.1.1: the only known expectation is `100-continue`.
pub(super) fn check_expectation(known: &KnownFields<'_>) -> Result<(), HandshakeError> {
    let mut expectations = known.expect.elements();
    match expectations.all(|expectation| expectation.eq_ignore_ascii_case(b"100-continue")) {
        true => Ok(()),
        false => Err(HandshakeError::UnmetExpectation),
    }
}

/// Returns what the client awaits, by an expectation that has been checked.
pub(super) fn awaited(known: &KnownFields<'_>) -> Awaited {
    match known.expect.elements().next() {
        Some(_) => Awaited::Continue,
        None => Awaited::Response,
    }
}

/// RFC 6455 section 4.2.1, item 6.
pub(super) fn check_version(known: &KnownFields<'_>) -> Result<(), HandshakeError> {
    // RFC 6455 section 11.3.5: once in a request.
    match known.version.at_most_one(HandshakeError::RepeatedVersion)? {
        Some(b"13") => Ok(()),
        // RFC 6455 section 4.2.2: any other version, well-formed or not, gets a response with the supported
        // one.
        Some(_) => Err(HandshakeError::UnsupportedVersion),
        None => Err(HandshakeError::MissingVersion),
    }
}

/// RFC 6455 section 4.2.1, item 5: the key, as text.
pub(super) fn check_key<'a>(known: &KnownFields<'a>) -> Result<&'a [u8], HandshakeError> {
    // RFC 6455 section 11.3.1: at most once.
    match known.key.at_most_one(HandshakeError::RepeatedKey)? {
        Some(key) if is_key(key) => Ok(key),
        Some(_) => Err(HandshakeError::MalformedKey),
        None => Err(HandshakeError::MissingKey),
    }
}

/// RFC 6455 section 4.2.1, item 7: optional, and an empty one counts as none. A script's site must not be in doubt, so
/// there is at most one, and it is text.
pub(super) fn check_origin<'a>(known: &KnownFields<'a>) -> Result<Option<&'a str>, HandshakeError> {
    match known.origin.at_most_one(HandshakeError::RepeatedOrigin)? {
        Some(origin) if is_origin(origin) => Ok(Some(text(origin))),
        Some([]) => Ok(None),
        Some(_) => Err(HandshakeError::MalformedOrigin),
        None => Ok(None),
    }
}

/// RFC 6455 section 4.3: tokens, none twice (section 4.1, item 10), and at least one. All lines are one list.
pub(super) fn check_protocols(config: &Config, lines: &Lines<'_>) -> Result<(), HandshakeError> {
    if lines.is_empty() {
        return Ok(());
    }
    let count = lines.elements().count();
    if count == 0 && !config.accept_empty_lists {
        return Err(HandshakeError::EmptySubprotocols);
    }
    let (mut few, mut many) = ([&[][..]; 8], Vec::new());
    let names = match few.get_mut(..count) {
        Some(names) => names,
        None => {
            many.resize(count, &[][..]);
            &mut many[..]
        }
    };
    for (name, element) in names.iter_mut().zip(lines.elements()) {
        if !is_token(element) {
            return Err(HandshakeError::MalformedSubprotocol);
        }
        *name = element;
    }
    // Sorted, because a head can hold thousands of them, and comparing each with each would allow an attack.
    names.sort_unstable();
    if names.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
        return Err(HandshakeError::RepeatedSubprotocol);
    }
    Ok(())
}
