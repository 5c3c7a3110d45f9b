//! Requests as field lists parsed by another HTTP server: the same rules as for requests in bytes.

use super::common::handshakes::{ask, assert_response};
use super::common::lists::facts;
use super::input::Input;
use super::leniency::{assert_lenient, lenient};
use websocket_proto::Config;
use websocket_proto::handshake::key::accept_key;
use websocket_proto::handshake::{ClientRequest, HandshakeError, HandshakeMisuse, ServerHandshake, Upgrade};

/// The key of sixteen zero bytes.
const KEY: &[u8] = b"AAAAAAAAAAAAAAAAAAAAAA==";

type Field<'a> = (&'a str, &'a [u8]);

/// A valid request.
const GOOD: [Field<'static>; 5] = [
    ("Host", b"h"),
    ("Upgrade", b"websocket"),
    ("Connection", b"Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", b"13"),
];

fn is_token(bytes: &[u8]) -> bool {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_token)
}

fn trim(bytes: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(is_text).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(is_text).map_or(start, |at| at + 1);
    &bytes[start..end]
}

/// Lines of subprotocols: read as a naive reader does, however they are split into lines; selected from; and judged by a client.
pub fn protocol_list(bytes: &[u8]) {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let parts = lines.iter().flat_map(|line| line.split(|byte| *byte == b','));
    let elements: Vec<&[u8]> = parts.map(trim).filter(|part| !part.is_empty()).collect();
    let is_repeated = |at: usize| elements[..at].contains(&elements[at]);
    let is_control = |byte: &u8| *byte != b'\t' && byte.is_ascii_control();
    let expected = match &elements[..] {
        _ if bytes.iter().any(|byte| *byte != b'\n' && is_control(byte)) => {
            Err(HandshakeError::MalformedFieldValue)
        }
        [] => Err(HandshakeError::EmptySubprotocols),
        all if !all.iter().all(|element| is_token(element)) => Err(HandshakeError::MalformedSubprotocol),
        all if (1..all.len()).any(is_repeated) => Err(HandshakeError::RepeatedSubprotocol),
        all => Ok(all.to_vec()),
    };
    let fields = lines.iter().map(|line| ("sec-websocket-protocol", *line));
    let upgrade = Upgrade::from_fields(&Config::new(), "GET", "/", (1, 1), GOOD.into_iter().chain(fields));
    match (upgrade, expected) {
        (Ok(upgrade), Ok(expected)) => {
            let names: Vec<&str> = upgrade.subprotocols().collect();
            assert!(names.iter().map(|name| name.as_bytes()).eq(expected));
            assert_chosen(&upgrade, &names);
        }
        (upgrade, expected) => assert_eq!(upgrade.err(), expected.err()),
    }
    assert_client_takes_what_it_offered(&lines);
}

fn assert_chosen(upgrade: &Upgrade, names: &[&str]) {
    let (first, last) = (names[0], names[names.len() - 1]);
    let selected = upgrade.clone().select_subprotocol(&[last, "no such", first]);
    assert_eq!(selected.selected_subprotocol(), Some(first), "the client's order");
    let mut answer = selected.response_fields();
    assert!(answer.any(|field| field == ("Sec-WebSocket-Protocol", first.as_bytes())));
    let chosen = upgrade.clone().with_subprotocol(last).expect("offered");
    assert_eq!(
        chosen.with_subprotocol(first).err(),
        Some(HandshakeMisuse::RepeatedSubprotocol)
    );
    let unoffered = upgrade.clone().with_subprotocol("no such").err();
    assert_eq!(unoffered, Some(HandshakeMisuse::UnofferedSubprotocol));
}

fn assert_client_takes_what_it_offered(lines: &[&[u8]]) {
    if lines
        .iter()
        .any(|line| line.contains(&b'\r') || line.len() > 1000)
        || lines.len() > 10
    {
        return;
    }
    let accept = accept_key(KEY);
    let mut head =
        b"HTTP/1.1 101 \r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ".to_vec();
    head.extend(accept);
    for line in lines {
        head.extend([b"\r\nSec-WebSocket-Protocol: ", *line].concat());
    }
    head.extend(b"\r\n\r\n");
    let request = ClientRequest::new("h", "/").and_then(|request| request.with_subprotocol("chat"));
    let request = request
        .and_then(|request| request.with_subprotocol("b"))
        .expect("well-formed");
    let ended = ask(&Config::new(), &request, &head, &[]);
    let is_offered = lines.len() == 1 && [&b"chat"[..], b"b"].contains(&trim(lines[0]));
    assert_eq!(ended.is_accepted(), is_offered, "{ended:?}");
}

const NAMES: [&str; 12] = [
    "Host",
    "upgrade",
    "CONNECTION",
    "Sec-WebSocket-Key",
    "sec-websocket-version",
    "Origin",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Content-Length",
    "Transfer-Encoding",
    "Expect",
    "X",
];

/// Any fields that another server accepts: the verdict is the same as for the request in bytes, if it can be written.
pub fn upgrade_fields(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (flags, leniencies) = (input.byte(), input.byte());
    let method = if flags & 1 == 0 {
        "GET".to_owned()
    } else {
        input.text()
    };
    let target = if flags & 2 == 0 {
        "/a?b".to_owned()
    } else {
        input.text()
    };
    let version = if flags & 4 == 0 {
        (1, 1)
    } else {
        (input.byte() % 12, input.byte() % 12)
    };
    // All valid fields except one, and others.
    let left_out = usize::from(flags >> 4);
    let good = GOOD.into_iter().enumerate().filter(|(at, _)| *at != left_out);
    let mut fields: Vec<(String, Vec<u8>)> = good
        .map(|(_, (name, value))| (name.to_owned(), value.to_vec()))
        .collect();
    while !input.is_empty() && fields.len() < 50 {
        let name = match usize::from(input.byte()) {
            kind if kind < 0xf0 => NAMES[kind % NAMES.len()].to_owned(),
            _ => input.text(),
        };
        fields.push((name, input.bytes().to_vec()));
    }
    let list = fields.iter().map(|(name, value)| (&name[..], &value[..]));
    let strict = Upgrade::from_fields(&config(flags), &method, &target, version, list.clone());
    let config = lenient(config(flags), leniencies);
    let upgrade = Upgrade::from_fields(&config, &method, &target, version, list);
    assert_lenient(
        strict.as_ref().map(facts).map_err(|error| *error),
        upgrade.as_ref().map(facts).map_err(|error| *error),
    );
    match &upgrade {
        Ok(upgrade) => assert_answer(upgrade),
        Err(error) => {
            let mut out = Vec::new();
            error.respond(&method, &mut out);
            assert_response(&out);
        }
    }
    assert_judged_as_bytes(&config, (&method, &target, version), &fields, upgrade);
}

/// With compression, half of the time.
fn config(flags: u8) -> Config {
    let config = Config::new().max_head_size(usize::MAX).max_fields(usize::MAX);
    #[cfg(feature = "deflate")]
    if flags & 8 != 0 {
        return config.deflate(websocket_proto::deflate::DeflateConfig::new());
    }
    _ = flags;
    config
}

fn assert_answer(upgrade: &Upgrade) {
    assert!(!upgrade.authority().is_empty() && upgrade.path().starts_with('/'));
    let origin = upgrade.origin();
    assert!(origin.is_none_or(|origin| !origin.is_empty()));
    assert!(origin.is_some() || !upgrade.is_same_origin());
    upgrade
        .extensions()
        .for_each(|one| assert!(is_token(one.name().as_bytes())));
    let mut out = Vec::new();
    _ = upgrade.clone().accept(&mut out);
    assert_response(&out);
}

fn assert_judged_as_bytes(
    config: &Config,
    (method, target, version): (&str, &str, (u8, u8)),
    fields: &[(String, Vec<u8>)],
    upgrade: Result<Upgrade, HandshakeError>,
) {
    let is_plain = |value: &[u8]| {
        value
            .iter()
            .all(|byte| !byte.is_ascii_control() || *byte == b'\t')
    };
    let is_line = |(name, value): &(String, Vec<u8>)| is_token(name.as_bytes()) && is_plain(value);
    let is_target = !target.is_empty() && target.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token(method.as_bytes())
        || !is_target
        || !fields.iter().all(is_line)
        || version.0.max(version.1) > 9
    {
        return;
    }
    let mut head = format!("{method} {target} HTTP/{}.{}\r\n", version.0, version.1).into_bytes();
    for (name, value) in fields {
        head.extend([name.as_bytes(), b":", value, b"\r\n"].concat());
    }
    head.extend(b"\r\n");
    let (mut server, mut out) = (ServerHandshake::new(config), Vec::new());
    let request = server.receive(&mut &mut head[..], &mut out);
    let request = request.map(|request| request.expect("a complete head"));
    let read = match &request {
        Ok(request) => request.upgrade(&mut out),
        Err(error) => Err(*error),
    };
    match (upgrade, read) {
        (Ok(one), Ok(other)) => assert!(one.response_fields().eq(other.response_fields())),
        (one, other) => assert_eq!(one.err(), other.err()),
    }
}
