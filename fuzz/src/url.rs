//! URLs and redirects: either rejected, or sent so that a server reads the same, and resolved as RFC 3986 says.

use super::common::handshakes::head_lines;
use super::common::lists::{List, assert_list, pairs};
use super::input::Input;
use websocket_proto::handshake::{ClientRequest, ServerHandshake, TunnelRequest, Upgrade};
use websocket_proto::{Config, entropy};

const BASES: [&str; 6] = [
    "ws://h/b/c/d;p?q",
    "wss://user:word@h:81/",
    "wss://[fe80::1%25eth0]",
    "ws://h?a",
    "http://h/..//a/.",
    "wss://h/a/b/",
];

/// A URL, arbitrary or usual, followed by locations, one per line, each of which is a redirect of the previous URL.
pub fn url(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let base = match usize::from(input.byte()) {
        choice @ 0x80.. => BASES[choice % BASES.len()].to_owned(),
        _ => input.text(),
    };
    let Ok(mut request) = ClientRequest::from_url_with_credentials(&base) else {
        assert!(ClientRequest::from_url(&base).is_err());
        return;
    };
    assert_sent(&request);
    request = request.with_field("Cookie", "secret").expect("well-formed");
    for location in input.rest().split(|byte| *byte == b'\n').take(8) {
        if let Ok(next) = request.clone().redirect(location) {
            assert_sent(&next);
            assert_redirected(&request, &next, location);
            request = next;
        }
    }
}

/// Sends an accepted URL in every way, and checks that the server reads what the accessors report.
#[track_caller]
fn assert_sent(request: &ClientRequest) {
    let config = Config::new().max_head_size(usize::MAX);
    let mut out = written(request);
    let (lines, rest) = head_lines(&out);
    assert!(rest.is_empty());
    assert_eq!(lines[0], format!("GET {} HTTP/1.1", request.target()));
    let (mut server, mut none) = (ServerHandshake::new(&config), Vec::new());
    let received = server
        .receive(&mut &mut out[..], &mut none)
        .expect("well-formed")
        .expect("a head");
    let upgrade = received.upgrade(&mut none).expect("our own request is valid");
    let host = upgrade.authority().to_owned();
    assert_is_of(request, &host);

    let connect = request
        .clone()
        .start_extended_connect(&config, entropy::from_fn(|key| key.fill(7)));
    let list: List = connect
        .fields()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    assert_list(&list);
    let upgrade = Upgrade::from_extended_connect(&config, pairs(&list)).expect("our own request is valid");
    assert_eq!(upgrade.authority(), host);

    let tunnel = TunnelRequest::new(request.clone());
    let authority = tunnel.authority().to_owned();
    assert!(authority.ends_with(&format!(":{}", request.port())));
    let mut out = Vec::new();
    _ = tunnel.start(&config, &mut out);
    let (lines, _) = head_lines(&out);
    assert_eq!(
        lines,
        [
            format!("CONNECT {authority} HTTP/1.1"),
            format!("Host: {authority}")
        ]
    );

    // The URL that consists of these parts.
    let scheme = if request.is_secure() { "wss" } else { "ws" };
    let again = ClientRequest::from_url(&format!("{scheme}://{host}{}", request.target()));
    let again = again.expect("the parts were accepted");
    assert_eq!(parts(&again), parts(request));
}

#[track_caller]
fn assert_is_of(request: &ClientRequest, authority: &str) {
    let host = match request.host().contains(':') {
        true => format!("[{}]", request.host()),
        false => request.host().to_owned(),
    };
    let port = match (request.is_secure(), request.port()) {
        (false, 80) | (true, 443) => String::new(),
        (_, port) => format!(":{port}"),
    };
    assert_eq!(authority, host + &port);
}

fn parts(request: &ClientRequest) -> (&str, u16, bool, &str) {
    (
        request.host(),
        request.port(),
        request.is_secure(),
        request.target(),
    )
}

fn written(request: &ClientRequest) -> Vec<u8> {
    let mut out = Vec::new();
    _ = request
        .clone()
        .start(&Config::new(), entropy::from_fn(|key| key.fill(7)), &mut out);
    out
}

/// RFC 3986 section 5.2.2; TLS is never dropped, and credentials are not sent to another server.
#[track_caller]
fn assert_redirected(request: &ClientRequest, next: &ClientRequest, location: &[u8]) {
    // Characters that are not ASCII are in the fragment, which is dropped.
    let location = String::from_utf8_lossy(location);
    let reference = Plain::read(&location);
    assert_eq!(next.target(), reference.target(request.target()), "{location:?}");
    assert!(next.is_secure() || !request.is_secure());
    let is_same = match reference.authority {
        None => true,
        Some(_) => {
            let one = (request.host().to_ascii_lowercase(), request.zone());
            let other = (next.host().to_ascii_lowercase(), next.zone());
            one == other && (request.port(), request.is_secure()) == (next.port(), next.is_secure())
        }
    };
    if reference.authority.is_none() {
        assert_eq!(parts(next).0, parts(request).0);
    }
    for name in [&b"Authorization: "[..], b"Cookie: "] {
        let has = |request| written(request).windows(name.len()).any(|part| part == name);
        assert_eq!(has(next), is_same && has(request), "{location:?}");
    }
}

/// A URI reference, parsed by appendix B of RFC 3986.
struct Plain<'a> {
    authority: Option<&'a str>,
    path: &'a str,
    query: &'a str,
    has_query: bool,
}

impl<'a> Plain<'a> {
    fn read(text: &'a str) -> Self {
        let text = text.split('#').next().unwrap_or_default();
        let (text, query) = match text.split_once('?') {
            Some((text, query)) => (text, Some(query)),
            None => (text, None),
        };
        let rest = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => rest,
            _ => text,
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None => (None, rest),
        };
        Self {
            authority,
            path,
            query: query.unwrap_or_default(),
            has_query: query.is_some(),
        }
    }

    fn target(&self, base: &str) -> String {
        let (base_path, base_query) = base.split_once('?').unwrap_or((base, ""));
        let (path, query) = match (self.authority, self.path) {
            (Some(_), path) => (remove_dot_segments(path), self.query),
            (None, "") if self.has_query => (base_path.to_owned(), self.query),
            (None, "") => (base_path.to_owned(), base_query),
            (None, path) if path.starts_with('/') => (remove_dot_segments(path), self.query),
            (None, path) => {
                let folder = &base_path[..=base_path.rfind('/').unwrap_or(0)];
                (remove_dot_segments(&format!("{folder}{path}")), self.query)
            }
        };
        let path = if path.is_empty() { "/".to_owned() } else { path };
        match query {
            "" => path,
            query => format!("{path}?{query}"),
        }
    }
}

/// By the grammar of RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    let is_part = |char: char| char.is_ascii_alphanumeric() || "+-.".contains(char);
    text.starts_with(|char: char| char.is_ascii_alphabetic()) && text.chars().all(is_part)
}

/// RFC 3986 section 5.2.4, step by step.
fn remove_dot_segments(path: &str) -> String {
    let (mut input, mut output) = (path.to_owned(), String::new());
    while !input.is_empty() {
        if input.starts_with("../") {
            input.drain(..3);
        } else if input.starts_with("./") || input.starts_with("/./") {
            input.drain(..2);
        } else if input == "/." {
            input = "/".to_owned();
        } else if input.starts_with("/../") || input == "/.." {
            input.drain(..3);
            input.insert_str(0, if input.is_empty() { "/" } else { "" });
            output.truncate(output.rfind('/').unwrap_or(0));
        } else if input == "." || input == ".." {
            input.clear();
        } else {
            let end = input[1..].find('/').map_or(input.len(), |at| at + 1);
            output.extend(input.drain(..end));
        }
    }
    output
}
