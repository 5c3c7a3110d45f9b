//! Authorities and request targets.

use alloc::string::String;
use core::net::Ipv6Addr;

use super::grammar::{is_encoded, is_octet, is_target_byte, is_unreserved, next_octet};
use crate::Config;
use crate::handshake::error::HandshakeError;
use crate::handshake::url::UrlPart;

/// A host and an optional port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Authority<'a> {
    pub(crate) host: Host<'a>,
    pub(crate) port: Option<u16>,
}

/// RFC 3986 section 3.2.2
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Host<'a> {
    /// A registered name or an IPv4 address. It may be empty.
    Name(&'a str),
    /// An IPv6 address, without its brackets.
    Address {
        address: &'a str,
        /// RFC 6874: what follows `%25` or `%`. It has a meaning only on the client's own machine.
        zone: Option<&'a str>,
    },
}

impl<'a> Authority<'a> {
    /// Reads `host [":" port]` (RFC 3986 section 3.2, without user information); a port may be empty there. The error
    /// names the part at fault.
    pub(crate) fn parse(text: &'a str) -> Result<Self, UrlPart> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or(UrlPart::Host)?;
                (Host::of_address(address)?, port)
            }
            None => {
                let (name, port) = split_before(text, |byte| byte == b':');
                (Host::of_name(name)?, port)
            }
        };
        let port = parse_port(port).ok_or(match port.rfind(':') {
            // An IPv6 address without brackets.
            Some(1..) => UrlPart::Host,
            _ => UrlPart::Port,
        })?;
        Ok(Self { host, port })
    }

    /// Reads the authority in a field, which has no zone unless the configuration allows that (RFC 6874 section 3).
    pub(crate) fn of_field(text: &'a str, config: &Config) -> Option<Self> {
        let is_allowed = |authority: &Self| config.accept_zone_in_host || authority.host.zone().is_none();
        Self::parse(text).ok().filter(is_allowed)
    }

    /// Returns whether both are the same host and port, if this is the scheme's default port. Zones are not compared.
    pub(crate) fn is_same(&self, other: &Authority<'_>, default_port: u16) -> bool {
        let is_same_host = match (self.host, other.host) {
            (Host::Name(one), Host::Name(other)) => one.eq_ignore_ascii_case(other),
            (Host::Address { address: one, .. }, Host::Address { address: other, .. }) => {
                one.eq_ignore_ascii_case(other)
            }
            (Host::Name(_), Host::Address { .. }) | (Host::Address { .. }, Host::Name(_)) => false,
        };
        is_same_host && self.port.unwrap_or(default_port) == other.port.unwrap_or(default_port)
    }
}

impl<'a> Host<'a> {
    fn of_name(name: &'a str) -> Result<Self, UrlPart> {
        match is_name(name) {
            true => Ok(Self::Name(name)),
            false => Err(UrlPart::Host),
        }
    }

    fn of_address(text: &'a str) -> Result<Self, UrlPart> {
        let (address, zone) = split_zone(text);
        let is_zone = |zone: &str| !zone.is_empty() && zone.bytes().all(is_unreserved);
        match address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(is_zone) {
            true => Ok(Self::Address { address, zone }),
            false => Err(UrlPart::Host),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Name(""))
    }

    pub(crate) fn zone(&self) -> Option<&'a str> {
        match self {
            Self::Name(_) => None,
            Self::Address { zone, .. } => *zone,
        }
    }

    /// Returns the host as a client writes it: an address in brackets and without its zone (RFC 6874 section 3); a name
    /// with needlessly percent-encoded characters decoded, which does not change the name (RFC 3986 section 6.2.2.2).
    ///
    /// `None` for a name with anything else percent-encoded: it would have to be in Punycode.
    pub(crate) fn written(&self) -> Option<String> {
        let name = match self {
            Self::Address { address, .. } => return Some(["[", address, "]"].concat()),
            // Most have nothing to decode. The check has no early exit, so that the compiler vectorizes it.
            Self::Name(name) if name.bytes().fold(true, |all, byte| all & (byte != b'%')) => {
                return Some(String::from(*name));
            }
            Self::Name(name) => name,
        };
        let mut written = String::with_capacity(name.len());
        let mut rest = name.bytes();
        while let Some((octet, is_encoded)) = next_octet(&mut rest) {
            if is_encoded && !is_unreserved(octet) {
                return None;
            }
            written.push(char::from(octet));
        }
        Some(written)
    }
}

/// Returns the default port of `http:` and `ws:`, or of `https:` and `wss:`.
pub(crate) fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// The target of a request (RFC 9112 section 3.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Target<'a> {
    /// Present in the absolute form, and with CONNECT.
    pub(crate) authority: Option<&'a str>,
    /// `*` with OPTIONS, empty with CONNECT.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// Reads a target of HTTP/1.1 whose bytes have been checked.
    pub(crate) fn read(method: &str, target: &'a str) -> Result<Self, HandshakeError> {
        Self::split(method, target).check(method)
    }

    /// Same as [`read`](Self::read), for the parts that another HTTP library has read.
    #[cfg(feature = "http")]
    pub(crate) fn of_parts(
        method: &str,
        scheme: Option<&str>,
        authority: Option<&'a str>,
        path: &'a str,
        query: Option<&'a str>,
    ) -> Result<Self, HandshakeError> {
        let parts = Self {
            authority,
            path,
            query,
        };
        let is_known = match scheme {
            // An authority without a scheme has nothing around it.
            _ if method == "CONNECT" => authority.is_some() && scheme.is_none(),
            Some(scheme) => authority.is_some() && is_known_scheme(scheme),
            None => authority.is_none(),
        };
        let mut bytes = path.bytes().chain(query.unwrap_or_default().bytes());
        if !is_known || !bytes.all(is_target_byte) {
            return Err(HandshakeError::MalformedTarget);
        }
        parts.check(method)
    }

    /// Reads the `:path` of HTTP/2 and HTTP/3. `None` unless it is a path (RFC 9113 section 8.3.1).
    pub(crate) fn of_path(path: &'a str) -> Option<Self> {
        let is_whole = path.starts_with('/') && path.bytes().all(is_target_byte);
        is_whole.then(|| Self::split("", path))
    }

    /// Checks the parts, whose bytes have been checked before.
    fn check(self, method: &str) -> Result<Self, HandshakeError> {
        let is_whole = match self.authority {
            // RFC 9112 sections 3.2.3 and 3.2.4: the asterisk is only for OPTIONS, and the bare authority only for
            // CONNECT.
            None => self.path.starts_with('/') || (method == "OPTIONS" && self.is_asterisk()),
            Some(authority) => Authority::parse(authority).is_ok_and(|authority| {
                !authority.host.is_empty()
                    && authority.host.zone().is_none()
                    && (authority.port.is_some() || method != "CONNECT")
            }),
        };
        if is_whole {
            Ok(self)
        } else {
            Err(HandshakeError::MalformedTarget)
        }
    }

    fn is_asterisk(&self) -> bool {
        self.path == "*" && self.query.is_none()
    }

    /// Returns the parts of a target that has been checked before. This compares a few bytes and searches for the `?`,
    /// which is cheap enough to repeat for each part instead of storing them.
    pub(crate) fn split(method: &str, target: &'a str) -> Self {
        if method == "CONNECT" {
            return Self {
                authority: Some(target),
                path: "",
                query: None,
            };
        }
        // RFC 9112 section 3.2.2: the absolute form is understood, though it is meant for proxies.
        let absolute = if target.starts_with('/') {
            None
        } else {
            target.split_once("://")
        };
        let (authority, resource) = match absolute {
            Some((scheme, rest)) if is_known_scheme(scheme) => {
                let (authority, resource) = split_before(rest, |byte| matches!(byte, b'/' | b'?'));
                (Some(authority), resource)
            }
            _ => (None, target),
        };
        let (path, query) = split_before(resource, |byte| byte == b'?');
        let query = query.strip_prefix('?');
        // RFC 9112 section 3.2.2: an absolute target may have no path; a bare one may not.
        let path = if path.is_empty() && authority.is_some() {
            "/"
        } else {
            path
        };
        Self {
            authority,
            path,
            query,
        }
    }
}

/// The address and the zone behind `%25` (RFC 6874 section 2), or behind a bare `%` that is not followed by two
/// hexadecimal digits (section 3): another parser would read those as an encoded byte.
fn split_zone(text: &str) -> (&str, Option<&str>) {
    if let Some((address, zone)) = text.split_once("%25") {
        return (address, Some(zone));
    }
    match text.split_once('%') {
        Some((address, zone)) if !is_octet(zone) => (address, Some(zone)),
        _ => (text, None),
    }
}

/// RFC 3986 section 3.2.2: `reg-name`, which includes IPv4 addresses; but without a comma, which only two joined Host
/// lines have.
fn is_name(host: &str) -> bool {
    // Most are plain. The check has no early exit, so that the compiler vectorizes it.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() | (byte == b'.') | (byte == b'-');
    let mut bytes = host.bytes();
    bytes.clone().fold(true, |all, byte| all & is_plain(byte))
        || is_encoded(host, |_| false) && bytes.all(|byte| byte != b',')
}

/// Parses nothing, a colon, or a colon and a number.
fn parse_port(text: &str) -> Option<Option<u16>> {
    let Some(digits) = text.strip_prefix(':') else {
        return text.is_empty().then_some(None);
    };
    if digits.is_empty() {
        return Some(None);
    }
    // `parse` alone would accept a sign as well.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Some)
}

fn is_known_scheme(scheme: &str) -> bool {
    ["http", "https", "ws", "wss"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(scheme))
}

/// Splits before the first such byte, which is ASCII. The text is short.
pub(crate) fn split_before(text: &str, is_end: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(is_end).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}
