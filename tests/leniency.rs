//! The named leniencies of the opening handshake: for every way in, for both roles, off and on. If off, they are the errors of a
//! strict end.
#![cfg(feature = "alloc")]

mod common;

use common::bodies::read_body;
use common::lists::{List, pairs};
use websocket_proto::handshake::{
    Answer, BodyError, ClientRequest, HandshakeError, Response, ServerHandshake, Upgrade,
};
use websocket_proto::{Config, Entropy, entropy};

type Setting = fn(Config) -> Config;
type Field = (&'static str, &'static str);

const STRICT: Setting = |config| config;
const EMPTY_LISTS: Setting = |config| config.accept_empty_lists(true);
const ANY_VALUE: Setting = |config| config.accept_any_extension_value(true);
const ZONE: Setting = |config| config.accept_zone_in_host(true);
const HTTP_1_0: Setting = |config| config.accept_http_1_0(true);
const LINE_FEEDS: Setting = |config| config.accept_bare_line_feeds(true);
const ALL: [Setting; 5] = [EMPTY_LISTS, ANY_VALUE, ZONE, HTTP_1_0, LINE_FEEDS];

/// Every leniency except this one: none implies another.
fn all_but(setting: Setting) -> Config {
    let is_other = |other: &&Setting| other(Config::new()) != setting(Config::new());
    ALL.iter()
        .filter(is_other)
        .fold(Config::new(), |config, other| other(config))
}

const PROTOCOL: &str = "Sec-WebSocket-Protocol";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// Fields, the leniency that accepts them, and the error without it.
const FIELDS: [(&[Field], Setting, HandshakeError); 14] = [
    (&[(PROTOCOL, "")], EMPTY_LISTS, HandshakeError::EmptySubprotocols),
    (
        &[(PROTOCOL, " , ,")],
        EMPTY_LISTS,
        HandshakeError::EmptySubprotocols,
    ),
    (
        &[(PROTOCOL, " \t")],
        EMPTY_LISTS,
        HandshakeError::EmptySubprotocols,
    ),
    (&[(EXTENSIONS, "")], EMPTY_LISTS, HandshakeError::EmptyExtensions),
    (
        &[(EXTENSIONS, " , ,")],
        EMPTY_LISTS,
        HandshakeError::EmptyExtensions,
    ),
    (
        &[(EXTENSIONS, ""), (EXTENSIONS, ",")],
        EMPTY_LISTS,
        HandshakeError::EmptyExtensions,
    ),
    (
        &[(EXTENSIONS, "agent; eid=\"os::012345-001122334455\"")],
        ANY_VALUE,
        HandshakeError::MalformedExtensions,
    ),
    (
        &[(EXTENSIONS, "agent; a=\"x,y;z\"")],
        ANY_VALUE,
        HandshakeError::MalformedExtensions,
    ),
    (
        &[(EXTENSIONS, "agent; a=\"\"")],
        ANY_VALUE,
        HandshakeError::MalformedExtensions,
    ),
    (
        &[(EXTENSIONS, "agent; a=\"\\\"\\\\\"")],
        ANY_VALUE,
        HandshakeError::MalformedExtensions,
    ),
    (
        &[(EXTENSIONS, "agent; a=\"\u{e9}\"")],
        ANY_VALUE,
        HandshakeError::MalformedExtensions,
    ),
    (
        &[(EXTENSIONS, "agent; a=\"b c\"")],
        ANY_VALUE,
        HandshakeError::MalformedExtensions,
    ),
    (
        &[(EXTENSIONS, "agent; a=\"\\b c\"")],
        ANY_VALUE,
        HandshakeError::MalformedExtensions,
    ),
    (
        &[(EXTENSIONS, "agent; a=\"\t\"")],
        ANY_VALUE,
        HandshakeError::MalformedExtensions,
    ),
];

// RFC 6455 sections 4.3 and 9.1; decisions D64 and D65
#[test]
fn server_accepts_fields_by_leniency_only() {
    for (fields, leniency, error) in FIELDS {
        let request = &Asked::default().with(fields);
        for config in [STRICT(Config::new()), all_but(leniency)] {
            for (way, result) in request.serve(&config) {
                assert_eq!(result.err(), Some(error), "{way} {fields:?}");
            }
        }
        for (way, result) in request.serve(&leniency(Config::new())) {
            let seen = result.unwrap_or_else(|error| panic!("{way} {fields:?}: {error}"));
            let is_extension = fields[0].1.starts_with("agent");
            assert_eq!(seen.protocols, [""; 0], "{way}");
            assert_eq!(seen.extensions.len(), usize::from(is_extension), "{way}");
        }
    }
}

// RFC 6455 sections 4.1 and 9.1; decisions D64 and D65
#[test]
fn client_accepts_fields_by_leniency_only() {
    for (fields, leniency, error) in FIELDS {
        for config in [STRICT(Config::new()), all_but(leniency)] {
            for (way, result) in answer(&config, "HTTP/1.1", "\r\n", fields) {
                assert_eq!(result.err(), Some(error), "{way} {fields:?}");
            }
        }
        for (way, result) in answer(&leniency(Config::new()), "HTTP/1.1", "\r\n", fields) {
            let response = result.unwrap_or_else(|error| panic!("{way} {fields:?}: {error}"));
            assert_eq!(response.subprotocol(), None, "{way}");
            let is_extension = fields[0].1.starts_with("agent");
            assert_eq!(response.extensions().count(), usize::from(is_extension), "{way}");
        }
    }
}

// RFC 6455 section 9.1: what no leniency accepts
#[test]
fn both_refuse_what_is_outside_any_grammar() {
    let config = ALL
        .iter()
        .fold(Config::new(), |config, leniency| leniency(config));
    for value in [
        "agent; a=b c",
        "agent; a=\"b",
        "agent; a=\"b\"c",
        "agent; \"a\"",
        "agent;;",
        "a b",
        "agent; a=:",
    ] {
        for (way, result) in Asked::default().with(&[(EXTENSIONS, value)]).serve(&config) {
            assert_eq!(
                result.err(),
                Some(HandshakeError::MalformedExtensions),
                "{way} {value}"
            );
        }
        for (way, result) in answer(&config, "HTTP/1.1", "\r\n", &[(EXTENSIONS, value)]) {
            assert_eq!(
                result.err(),
                Some(HandshakeError::MalformedExtensions),
                "{way} {value}"
            );
        }
    }
    for (way, result) in answer(&config, "HTTP/1.1", "\r\n", &[(PROTOCOL, ""), (PROTOCOL, "")]) {
        assert_eq!(result.err(), Some(HandshakeError::SeveralSubprotocols), "{way}");
    }
}

// RFC 6455 section 4.1, item 6: an empty value names no offered subprotocol. Decision D64
#[test]
fn client_that_requires_a_subprotocol_is_not_content_with_an_empty_one() {
    let config = EMPTY_LISTS(Config::new().require_subprotocol(true));
    for (way, result) in answer(&config, "HTTP/1.1", "\r\n", &[(PROTOCOL, "")]) {
        assert_eq!(result.err(), Some(HandshakeError::MissingSubprotocol), "{way}");
    }
}

// RFC 9110 section 5.6.4; decision D65: what a client offers is what a server reads.
#[test]
fn client_offers_any_value_and_server_reads_it() {
    for value in [
        "os::012345-001122334455",
        "",
        "a\"b\\c",
        "x,y;z",
        "\u{e9}",
        "plain",
        "\t a ",
    ] {
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        let offer = format!("agent; eid=\"{quoted}\"; last");
        let request = ClientRequest::new("h", "/").unwrap();
        let is_token = value == "plain";
        assert_eq!(
            request.clone().with_extension(&offer).is_ok(),
            is_token,
            "{value:?}"
        );
        let request = request.with_extension_any_value(&offer).unwrap();
        let config = ANY_VALUE(Config::new());
        let exchange = request.start_extended_connect(&config, nonce());
        let list: List = exchange
            .fields()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let upgrade = Upgrade::from_extended_connect(&config, pairs(&list)).unwrap();
        let extension = upgrade.extensions().next().unwrap();
        let params: Vec<_> = extension.params().collect();
        assert_eq!((params[0].name(), params[0].value()), ("eid", Some(value)));
        assert_eq!((params[1].name(), params[1].value()), ("last", None));
        let written = extension.to_string();
        assert_eq!(written.contains('"'), !is_token, "{written}");
    }
    for offer in [
        "a; b=\"c\0\"",
        "a; b=\"c\r\nX: y\"",
        "a; b=\"c",
        "a, b",
        "",
        "a; b=c d",
    ] {
        let request = ClientRequest::new("h", "/").unwrap();
        assert!(request.with_extension_any_value(offer).is_err(), "{offer:?}");
    }
}

// RFC 6874 section 3; decision D63
#[test]
fn server_accepts_a_zone_by_leniency_only() {
    for host in [
        "[fe80::1%25eth0]:8080",
        "[fe80::1%25eth0]",
        "[FE80::1%25a-._~9]:",
        "[fe80::1%eth0]:8080",
        "[fe80::1%1]",
    ] {
        let request = Asked {
            host,
            ..Asked::default()
        };
        for config in [STRICT(Config::new()), all_but(ZONE)] {
            for (way, result) in request.serve(&config) {
                assert_eq!(result.err(), Some(request.bad_host(way)), "{way} {host}");
            }
        }
        for (way, result) in request.serve(&ZONE(Config::new())) {
            let seen = result.unwrap_or_else(|error| panic!("{way} {host}: {error}"));
            assert_eq!(seen.authority, host, "{way}");
            assert!(!seen.is_same_origin);
        }
    }
    for host in [
        "[fe80::1%25]",
        "[fe80::1%]",
        "[fe80::1%ee1]",
        "[fe80::1%25a b]",
        "[fe80::1%25a%25b]",
        "[%25eth0]",
        "h%25%",
    ] {
        let request = Asked {
            host,
            ..Asked::default()
        };
        for (way, result) in request.serve(&ZONE(Config::new())) {
            assert_eq!(result.err(), Some(request.bad_host(way)), "{way} {host}");
        }
    }
    // The page's URL has no zone, or that of another machine.
    let host = "[fe80::1%25eth0]:8080";
    for (origin, expected) in [
        ("http://[fe80::1]:8080", true),
        ("http://[fe80::1%25en1]:8080", true),
        ("http://[fe80::2]:8080", false),
        ("http://[fe80::1]", false),
    ] {
        let request = Asked {
            host,
            ..Asked::default()
        }
        .with(&[("Origin", origin)]);
        for (way, result) in request.serve(&ZONE(Config::new())) {
            assert_eq!(result.unwrap().is_same_origin, expected, "{way} {origin}");
        }
    }
}

// RFC 9110 section 7.8; decision D66. Streams have no such version, and whoever parsed the fields has checked it.
#[test]
fn client_accepts_a_101_in_http_1_0_by_leniency_only() {
    for config in [STRICT(Config::new()), all_but(HTTP_1_0)] {
        for (way, result) in answer(&config, "HTTP/1.0", "\r\n", &[]) {
            let expected = ["bytes", "http"].contains(&way);
            let expected = expected.then_some(HandshakeError::HttpVersionTooOld);
            assert_eq!(result.err(), expected, "{way}");
        }
    }
    for (way, result) in answer(&HTTP_1_0(Config::new()), "HTTP/1.0", "\r\n", &[]) {
        assert!(result.is_ok(), "{way}");
    }
    // Another major version has another syntax, and a server does not upgrade HTTP/1.0 requests.
    let (_, result) = answer(&HTTP_1_0(Config::new()), "HTTP/2.0", "\r\n", &[]).remove(0);
    assert_eq!(
        result.err(),
        Some(HandshakeError::UnsupportedHttpVersion { major: 2, minor: 0 })
    );
    let request = Asked {
        version: "HTTP/1.0",
        ..Asked::default()
    };
    let (_, result) = request.serve(&HTTP_1_0(Config::new())).remove(0);
    assert_eq!(result.err(), Some(HandshakeError::HttpVersionTooOld));
}

// RFC 9112 section 2.2; decision D67. Only heads in bytes have line ends.
#[test]
fn client_accepts_bare_line_feeds_by_leniency_only() {
    let field: &[Field] = &[("X", "y")];
    for config in [STRICT(Config::new()), all_but(LINE_FEEDS)] {
        let (_, result) = answer(&config, "HTTP/1.1", "\n", field).remove(0);
        assert_eq!(result.err(), Some(HandshakeError::BareLineFeed));
    }
    let config = LINE_FEEDS(Config::new());
    let (_, result) = answer(&config, "HTTP/1.1", "\n", field).remove(0);
    assert_eq!(result.unwrap().field("X"), Some(&b"y"[..]));
    // Mixed, folded, without a reason, after an interim response, split in any way; and what follows is left in the input.
    let accept = "Sec-WebSocket-Accept: C/0nmHhBztSRGR1CwL6Tf4ZjwpY=";
    let head = format!(
        "HTTP/1.1 103\nA: b\r\n\nHTTP/1.1 101\nUpgrade: websocket\r\nConnection: a,\n Upgrade\nX:\n{accept}\n\r\n\x01\n"
    );
    for cut in 0..head.len() - 2 {
        let mut client = Asked::client().start(&config, nonce(), &mut Vec::new());
        let (mut first, mut second) = (head.as_bytes()[..cut].to_vec(), head.as_bytes()[cut..].to_vec());
        let none = client.receive(&mut &mut first[..], &mut Vec::new());
        assert!(matches!(none, Ok(None)), "{cut} {none:?}");
        let mut input = &mut second[..];
        let answer = client.receive(&mut input, &mut Vec::new());
        let Ok(Some(Answer::Accepted { response, .. })) = answer else {
            panic!("{cut} {answer:?}")
        };
        assert_eq!(
            (response.field("Connection"), response.field("X")),
            (Some(&b"a, Upgrade"[..]), Some(&b""[..]))
        );
        assert_eq!(input, b"\x01\n");
    }
    // A CR alone is still not a line end, and a server accepts no LF.
    for (bytes, expected) in [
        ("HTTP/1.1 101 x\rX", HandshakeError::BareCarriageReturn),
        ("HTTP/1.1 101 x\r\r\n", HandshakeError::BareCarriageReturn),
        ("HTTP/1.1\n", HandshakeError::MalformedHttpVersion),
        ("HTTP/1.1 101 x\n\nX", HandshakeError::MissingUpgrade),
    ] {
        let mut client = Asked::client().start(&config, nonce(), &mut Vec::new());
        let result = client.receive(&mut &mut bytes.as_bytes().to_vec()[..], &mut Vec::new());
        assert_eq!(result.err(), Some(expected), "{bytes:?}");
    }
    let mut bytes = b"GET / HTTP/1.1\n".to_vec();
    let result = ServerHandshake::new(&config).receive(&mut &mut bytes[..], &mut Vec::new());
    assert_eq!(result.err(), Some(HandshakeError::BareLineFeed));
}

// RFC 9112 section 2.2 lets a recipient take an LF for the end of the first line and of a field line; the lines of chunks, which say
// where a body ends, always need both. Decision D67
#[test]
fn client_accepts_no_bare_line_feed_between_chunks() {
    let head = b"HTTP/1.1 403\nTransfer-Encoding: chunked\n\n";
    let config = LINE_FEEDS(Config::new());
    for (body, expected) in [
        (&b"3\r\nno!\r\n0\r\nX: y\n\n"[..], Ok(b"no!".to_vec())),
        (b"3\nno!\r\n0\r\n\r\n", Err(BodyError::MalformedChunkSize)),
        (b"3;a\nno!\r\n0\r\n\r\n", Err(BodyError::MalformedChunkExtension)),
        (b"3\r\nno!\n0\r\n\r\n", Err(BodyError::MalformedChunkEnd)),
        (b"3\r\nno!\r\n0\n\n", Err(BodyError::MalformedChunkSize)),
    ] {
        let read = read_body(&config, head, body, &[]);
        assert_eq!(read.result, Some(expected), "{body:?}");
    }
    let read = read_body(&config, b"HTTP/1.1 403\nContent-Length: 3\n\n", b"no!", &[]);
    assert_eq!(read.result, Some(Ok(b"no!".to_vec())));
}

// ---- entry points --------------------------------------------------------------------------------------------------------

/// A request to a server.
#[derive(Clone)]
struct Asked {
    host: &'static str,
    version: &'static str,
    fields: Vec<Field>,
}

/// What the server reads from the request.
struct Seen {
    authority: String,
    protocols: Vec<String>,
    extensions: Vec<String>,
    is_same_origin: bool,
}

type Ways<T> = Vec<(&'static str, Result<T, HandshakeError>)>;

impl Default for Asked {
    fn default() -> Self {
        Self {
            host: "h",
            version: "HTTP/1.1",
            fields: Vec::new(),
        }
    }
}

impl Asked {
    fn with(mut self, fields: &[Field]) -> Self {
        self.fields.extend_from_slice(fields);
        self
    }

    /// The client's request for the responses under test.
    fn client() -> ClientRequest {
        let request = ClientRequest::new("h", "/").and_then(|request| request.with_subprotocol("chat"));
        request
            .and_then(|request| request.with_extension("agent"))
            .unwrap()
    }

    /// The error for an invalid host: streams have it in a pseudo-field.
    fn bad_host(&self, way: &str) -> HandshakeError {
        match way {
            "extended CONNECT" | "http of streams" => {
                HandshakeError::MalformedPseudoField { name: ":authority" }
            }
            _ => HandshakeError::MalformedHost,
        }
    }

    fn serve(&self, config: &Config) -> Ways<Seen> {
        let upgrade: List = [
            ("Host", self.host),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ]
        .into_iter()
        .chain(self.fields.iter().copied())
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
        let by_fields = Upgrade::from_fields(config, "GET", "/", (1, 1), pairs(&upgrade));
        let mut ways = vec![
            ("bytes", self.serve_bytes(config, &upgrade)),
            ("fields", by_fields.map(|upgrade| Seen::new(&upgrade))),
        ];
        let fields = self
            .fields
            .iter()
            .map(|(name, value)| (name.to_lowercase(), *value));
        let connect: List = [
            (":method".to_owned(), "CONNECT"),
            (":protocol".to_owned(), "websocket"),
            (":scheme".to_owned(), "http"),
            (":path".to_owned(), "/"),
            (":authority".to_owned(), self.host),
            ("sec-websocket-version".to_owned(), "13"),
        ]
        .into_iter()
        .chain(fields)
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
        // A pseudo-field has no space in it, which is another error.
        if !self.host.contains(' ') {
            let by_list = Upgrade::from_extended_connect(config, pairs(&connect));
            ways.push(("extended CONNECT", by_list.map(|upgrade| Seen::new(&upgrade))));
        }
        // RFC 9113 section 8.3.1: a request converted from HTTP/1.1 may have kept its Host.
        let mut by_host: List = connect
            .iter()
            .filter(|(name, _)| name != b":authority")
            .cloned()
            .collect();
        by_host.push((b"host".to_vec(), self.host.into()));
        let by_host = Upgrade::from_extended_connect(config, pairs(&by_host));
        ways.push((
            "extended CONNECT with Host",
            by_host.map(|upgrade| Seen::new(&upgrade)),
        ));
        #[cfg(feature = "http")]
        ways.extend(self.serve_http(config, &upgrade, &connect));
        ways
    }

    fn serve_bytes(&self, config: &Config, fields: &List) -> Result<Seen, HandshakeError> {
        let mut bytes = format!("GET / {}\r\n", self.version).into_bytes();
        push_lines(&mut bytes, fields, "\r\n");
        let mut out = Vec::new();
        let request = ServerHandshake::new(config).receive(&mut &mut bytes[..], &mut out)?;
        let request = request.expect("a whole head");
        request.upgrade(&mut out).map(|upgrade| Seen::new(&upgrade))
    }

    #[cfg(feature = "http")]
    fn serve_http(&self, config: &Config, upgrade: &List, connect: &List) -> Ways<Seen> {
        let request = |list: &List, method: &str, version, uri: http::Uri| {
            let mut request = http::Request::builder().method(method).version(version).uri(uri);
            for (name, value) in list.iter().filter(|(name, _)| !name.starts_with(b":")) {
                request = request.header(&name[..], &value[..]);
            }
            request.body(()).unwrap()
        };
        let one = request(
            upgrade,
            "GET",
            http::Version::HTTP_11,
            http::Uri::from_static("/"),
        );
        let by_upgrade = Upgrade::from_http(config, &one, None).map(|upgrade| Seen::new(&upgrade));
        let mut ways = vec![("http", by_upgrade)];
        // The crate `http` parses authorities differently.
        if let Ok(uri) = format!("http://{}/", self.host).parse() {
            let other = request(connect, "CONNECT", http::Version::HTTP_2, uri);
            let by_connect = Upgrade::from_http(config, &other, Some("websocket"));
            ways.push(("http of streams", by_connect.map(|upgrade| Seen::new(&upgrade))));
        }
        ways
    }
}

impl Seen {
    fn new(upgrade: &Upgrade<'_>) -> Self {
        Self {
            authority: upgrade.authority().to_owned(),
            protocols: upgrade.subprotocols().map(str::to_owned).collect(),
            extensions: upgrade.extensions().map(|one| one.to_string()).collect(),
            is_same_origin: upgrade.is_same_origin(),
        }
    }
}

/// A client's result for an accepting response with these additional fields.
fn answer(config: &Config, version: &str, line_end: &str, fields: &[Field]) -> Ways<Response> {
    let fixed = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
    ];
    let list = |fields: &[Field]| -> List {
        let fields = fields.iter();
        fields
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    };
    let upgrade = [list(&fixed), list(fields)].concat();
    let mut connect = list(fields);
    connect
        .iter_mut()
        .for_each(|(name, _)| name.make_ascii_lowercase());
    let by_upgrade = || Asked::client().start_upgrade(config, nonce());
    let by_connect = || Asked::client().start_extended_connect(config, nonce());
    let with_status = |list: &List| [vec![(b":status".to_vec(), b"200".to_vec())], list.clone()].concat();
    #[cfg_attr(not(feature = "http"), allow(unused_mut))]
    let mut ways = vec![
        ("bytes", answer_bytes(config, version, line_end, &upgrade)),
        (
            "fields",
            opened(by_upgrade().receive_response(101, pairs(&upgrade))),
        ),
        (
            "extended CONNECT",
            opened(by_connect().receive_response(204, pairs(&connect))),
        ),
        (
            "one list",
            opened(by_connect().receive_fields(pairs(&with_status(&connect)))),
        ),
    ];
    #[cfg(feature = "http")]
    {
        let version = match version {
            "HTTP/1.0" => http::Version::HTTP_10,
            _ => http::Version::HTTP_11,
        };
        ways.push(("http", answer_http(by_upgrade(), 101, version, &upgrade)));
        let streams = answer_http(by_connect(), 200, http::Version::HTTP_2, &connect);
        ways.push(("http of streams", streams));
    }
    ways
}

fn answer_bytes(
    config: &Config,
    version: &str,
    line_end: &str,
    fields: &List,
) -> Result<Response, HandshakeError> {
    let mut bytes = format!("{version} 101 Switching Protocols{line_end}").into_bytes();
    push_lines(&mut bytes, fields, line_end);
    let mut client = Asked::client().start(config, nonce(), &mut Vec::new());
    opened(client.receive(&mut &mut bytes[..], &mut Vec::new()))
}

#[cfg(feature = "http")]
fn answer_http(
    mut client: websocket_proto::handshake::ClientFieldsHandshake,
    status: u16,
    version: http::Version,
    fields: &List,
) -> Result<Response, HandshakeError> {
    let mut response = http::Response::builder().status(status).version(version);
    for (name, value) in fields {
        response = response.header(&name[..], &value[..]);
    }
    opened(client.receive_http(&response.body(()).unwrap()))
}

fn opened(answer: Result<Option<Answer>, HandshakeError>) -> Result<Response, HandshakeError> {
    match answer? {
        Some(Answer::Accepted { response, .. }) => Ok(response),
        other => panic!("{other:?}"),
    }
}

fn push_lines(bytes: &mut Vec<u8>, fields: &List, line_end: &str) {
    for (name, value) in fields {
        bytes.extend([name, &b": "[..], value, line_end.as_bytes()].concat());
    }
    bytes.extend(line_end.as_bytes());
}

/// The key for which [`answer`] has the accept value.
fn nonce() -> impl Entropy {
    entropy::from_fn(|bytes| {
        for (byte, value) in bytes.iter_mut().zip(1..) {
            *byte = value;
        }
    })
}
