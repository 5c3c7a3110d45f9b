//! URLs of WebSocket servers, and references resolved against them (RFC 3986, RFC 6455 section 3).

use alloc::string::String;
use core::error::Error;
use core::fmt;

use super::http::grammar::is_target_byte;
use super::http::target::{Authority, split_before};

/// Why a URL was rejected: the part that is at fault.
///
/// ```
/// use websocket_proto::handshake::{ClientRequest, UrlPart};
///
/// let error = ClientRequest::from_url("ws://example.com:port/").unwrap_err();
/// assert_eq!(error.part(), UrlPart::Port);
/// assert_eq!(error.to_string(), "port of the URL is not a number up to 65535");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct UrlError {
    part: UrlPart,
}

/// A part of a URL (RFC 3986 section 3).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum UrlPart {
    /// The scheme is missing, is not `ws`, `wss`, `http` or `https`, or would redirect from TLS to a transport without
    /// it.
    Scheme,
    /// There is a user name or a password, which the method called does not accept, or which Basic credentials cannot
    /// hold.
    UserInformation,
    /// The host is missing, is not a name or an address in the form of RFC 3986 section 3.2.2, or has a character
    /// that needs Punycode.
    Host,
    /// The port is not a number up to 65535.
    Port,
    /// The path has a character that must be percent-encoded.
    Path,
    /// The query has a character that must be percent-encoded.
    Query,
    /// There is a fragment (RFC 6455 section 3).
    Fragment,
}

impl UrlError {
    /// Returns the part of the URL that is at fault; the first one if there are several.
    pub const fn part(&self) -> UrlPart {
        self.part
    }
}

impl From<UrlPart> for UrlError {
    fn from(part: UrlPart) -> Self {
        Self { part }
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.part {
            UrlPart::Scheme => {
                "scheme of the URL is missing, is not ws, wss, http or https, or leaves TLS in a redirect"
            }
            UrlPart::UserInformation => {
                "URL has user information, which is malformed or needs from_url_with_credentials"
            }
            UrlPart::Host => "host of the URL is missing or malformed",
            UrlPart::Port => "port of the URL is not a number up to 65535",
            UrlPart::Path => "path of the URL has a character that must be percent-encoded",
            UrlPart::Query => "query of the URL has a character that must be percent-encoded",
            UrlPart::Fragment => "URL has a fragment",
        })
    }
}

impl Error for UrlError {}

/// The parts of a URL, or of a reference that omits some of them (RFC 3986 section 4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Reference<'a> {
    scheme: Option<&'a str>,
    /// Includes the user information.
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

/// A URL that is valid for a request.
pub(super) struct Url<'a> {
    pub(super) secure: bool,
    pub(super) user_information: Option<&'a str>,
    pub(super) authority: Authority<'a>,
    pub(super) target: String,
}

impl<'a> Reference<'a> {
    /// RFC 3986 appendix B: splits a text, which always has these parts.
    pub(super) fn split(text: &'a str) -> Self {
        let (text, fragment) = split_off(text, b'#');
        let (text, query) = split_off(text, b'?');
        let (scheme, text) = match split_off(text, b':') {
            (scheme, Some(rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, text),
        };
        let (authority, path) = match text.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = split_before(rest, |byte| byte == b'/');
                (Some(authority), path)
            }
            None => (None, text),
        };
        Self {
            scheme,
            authority,
            path,
            query,
            fragment,
        }
    }

    /// Returns the URL of a server (RFC 6455 section 3).
    pub(super) fn url(&self) -> Result<Url<'a>, UrlPart> {
        let secure = self.is_secure()?.ok_or(UrlPart::Scheme)?;
        let (user_information, authority) = self.authority()?.ok_or(UrlPart::Host)?;
        self.check_resource()?;
        // RFC 6455 section 3: a fragment has no meaning here and must not be used.
        if self.fragment.is_some() {
            return Err(UrlPart::Fragment);
        }
        // RFC 9112 section 3.2.1: an empty path is sent as `/`.
        let path = if self.path.is_empty() { "/" } else { self.path };
        Ok(Url {
            secure,
            user_information,
            authority,
            target: target(path, self.query),
        })
    }

    /// Returns whether the scheme requires TLS, if there is a scheme. `http` and `https` mean the same as `ws` and
    /// `wss`, as for browsers.
    pub(super) fn is_secure(&self) -> Result<Option<bool>, UrlPart> {
        let Some(scheme) = self.scheme else {
            return Ok(None);
        };
        let is_any = |names: [&str; 2]| names.iter().any(|name| scheme.eq_ignore_ascii_case(name));
        match (is_any(["ws", "http"]), is_any(["wss", "https"])) {
            (true, _) => Ok(Some(false)),
            (_, true) => Ok(Some(true)),
            (false, false) => Err(UrlPart::Scheme),
        }
    }

    /// Returns the user information and the authority after it. A reference with a scheme has an authority.
    pub(super) fn authority(&self) -> Result<Option<(Option<&'a str>, Authority<'a>)>, UrlPart> {
        let Some(text) = self.authority else {
            return if self.scheme.is_some() {
                Err(UrlPart::Host)
            } else {
                Ok(None)
            };
        };
        let (user_information, text) = match text.rsplit_once('@') {
            Some((user_information, text)) => (Some(user_information), text),
            None => (None, text),
        };
        let authority = Authority::parse(text)?;
        if authority.host.is_empty() {
            return Err(UrlPart::Host);
        }
        Ok(Some((user_information, authority)))
    }

    /// Returns the target of the request that follows the reference; `base` is the target of the request before (RFC
    /// 3986 section 5.2.2). A fragment is not sent to a server.
    pub(super) fn resolve_target(&self, base: &str) -> Result<String, UrlPart> {
        self.check_resource()?;
        let (base_path, base_query) = split_off(base, b'?');
        let (path, query) = match self.path {
            _ if self.authority.is_some() => (remove_dot_segments(self.path), self.query),
            "" => (base_path.into(), self.query.or(base_query)),
            path if path.starts_with('/') => (remove_dot_segments(path), self.query),
            path => {
                let folder = base_path.rsplit_once('/').map_or("", |(folder, _)| folder);
                (remove_dot_segments(&[folder, "/", path].concat()), self.query)
            }
        };
        Ok(target(&path, query))
    }

    /// Checks path and query. This crate sends what its server accepts: browsers leave several bytes unencoded that RFC
    /// 3986 requires to be percent-encoded.
    fn check_resource(&self) -> Result<(), UrlPart> {
        if !self.path.bytes().all(is_target_byte) {
            return Err(UrlPart::Path);
        }
        match self.query {
            Some(query) if !query.bytes().all(is_target_byte) => Err(UrlPart::Query),
            _ => Ok(()),
        }
    }
}

/// RFC 6455 section 3: an empty query is omitted together with its `?`.
fn target(path: &str, query: Option<&str>) -> String {
    match query {
        None | Some("") => path.into(),
        Some(query) => [path, "?", query].concat(),
    }
}

/// RFC 3986 section 5.2.4, for a path that is empty or starts with `/`: resolves `.` and `..`. The result starts with
/// `/`.
fn remove_dot_segments(path: &str) -> String {
    let mut result = String::with_capacity(path.len().saturating_add(1));
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => result.truncate(result.rfind('/').unwrap_or(0)),
            _ => {
                result.push('/');
                result.push_str(segment);
                continue;
            }
        }
        // A final `.` or `..` names a folder, so the result ends with `/`.
        if is_last {
            result.push('/');
        }
    }
    result
}

/// Returns the text before the first such byte, which is ASCII, and the text after it.
fn split_off(text: &str, mark: u8) -> (&str, Option<&str>) {
    let (front, rest) = split_before(text, |byte| byte == mark);
    (front, rest.get(1..))
}

/// RFC 3986 section 3.1
fn is_scheme(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text.starts_with(|char: char| char.is_ascii_alphabetic()) && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3986 sections 5.4.1 and 5.4.2: the examples, as far as they have a path on the same server. Decision D61
    #[test]
    fn references_resolve_as_in_the_examples() {
        for (reference, expected) in [
            ("g", "/b/c/g"),
            ("./g", "/b/c/g"),
            ("g/", "/b/c/g/"),
            ("/g", "/g"),
            ("//g", "/"),
            ("?y", "/b/c/d;p?y"),
            ("g?y", "/b/c/g?y"),
            ("#s", "/b/c/d;p?q"),
            ("g#s", "/b/c/g"),
            ("g?y#s", "/b/c/g?y"),
            (";x", "/b/c/;x"),
            ("g;x", "/b/c/g;x"),
            ("g;x?y#s", "/b/c/g;x?y"),
            ("", "/b/c/d;p?q"),
            (".", "/b/c/"),
            ("./", "/b/c/"),
            ("..", "/b/"),
            ("../", "/b/"),
            ("../g", "/b/g"),
            ("../..", "/"),
            ("../../", "/"),
            ("../../g", "/g"),
            ("../../../g", "/g"),
            ("../../../../g", "/g"),
            ("/./g", "/g"),
            ("/../g", "/g"),
            ("g.", "/b/c/g."),
            (".g", "/b/c/.g"),
            ("g..", "/b/c/g.."),
            ("..g", "/b/c/..g"),
            ("./../g", "/b/g"),
            ("./g/.", "/b/c/g/"),
            ("g/./h", "/b/c/g/h"),
            ("g/../h", "/b/c/h"),
            ("g;x=1/./y", "/b/c/g;x=1/y"),
            ("g;x=1/../y", "/b/c/y"),
            ("g?y/./x", "/b/c/g?y/./x"),
            ("g?y/../x", "/b/c/g?y/../x"),
            ("ws://g", "/"),
            ("ws://g/a/../b", "/b"),
            ("//g/a//b/..", "/a//"),
            ("/a//../b", "/a/b"),
        ] {
            let resolved = Reference::split(reference).resolve_target("/b/c/d;p?q");
            assert_eq!(resolved.as_deref(), Ok(expected), "{reference:?}");
        }
    }

    // RFC 3986 section 3.1: a scheme begins with a letter, and has letters, digits, `+`, `-` and `.`
    #[test]
    fn colon_after_no_scheme_is_in_the_path() {
        for reference in ["1a:b", "+a:b", "a_b:c", "a%62:c", ":b"] {
            let resolved = Reference::split(reference).resolve_target("/b/c/d");
            assert_eq!(resolved, Ok(["/b/c/", reference].concat()));
        }
        for reference in ["a:b", "a1:b", "a+-.9:b"] {
            assert!(Reference::split(reference).scheme.is_some(), "{reference}");
        }
    }
}
