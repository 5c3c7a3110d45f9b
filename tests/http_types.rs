//! The handshake in the types of the crate `http`: the same rules, by either version.

use http::{Method, Request, Response, StatusCode, Uri, Version};
use proptest::prelude::*;
use proptest::sample::select;
use websocket_proto::handshake::{
    Answer, ClientFieldsHandshake, ClientRequest, HandshakeError, HandshakeMisuse, Upgrade, extended,
};
use websocket_proto::{Config, Connection, Entropy, entropy};

// ---- server, HTTP/1.1 ---------------------------------------------------------------------------------------------------

// RFC 6455 section 4.2.2: 6455-4.2.2-09
#[test]
fn server_upgrades() {
    let request = upgrade_request();
    let upgrade = read(&request).unwrap();
    assert_eq!(
        (upgrade.path(), upgrade.query(), upgrade.authority()),
        ("/chat", Some("x"), "example.com")
    );
    let upgrade = upgrade
        .select_subprotocol(&["chat"])
        .with_field("Set-Cookie", "a=b")
        .and_then(|upgrade| upgrade.with_field("Set-Cookie", "\u{e9}"))
        .unwrap();
    let (response, connection) = upgrade.accept_http().unwrap();
    let _: Connection = connection;
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers();
    assert_eq!(headers.len(), 6);
    for (name, value) in [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("sec-websocket-protocol", "chat"),
    ] {
        assert_eq!(headers[name], value);
    }
    let cookies: Vec<&[u8]> = headers
        .get_all("set-cookie")
        .iter()
        .map(|value| value.as_bytes())
        .collect();
    assert_eq!(cookies, [&b"a=b"[..], "\u{e9}".as_bytes()]);
}

// RFC 6455 section 4.2.2: 6455-4.2.2-04; RFC 9110 section 15.5.6
#[test]
fn server_reports_errors() {
    let mut request = upgrade_request();
    request
        .headers_mut()
        .insert("sec-websocket-version", "8".parse().unwrap());
    let response = read(&request).unwrap_err().to_http();
    assert_eq!(response.status(), 426);
    let fields: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    let expected = [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-version", "13"),
    ];
    assert_eq!(fields, expected);

    let mut request = upgrade_request();
    *request.method_mut() = Method::POST;
    let response = read(&request).unwrap_err().to_http();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["allow"]),
        (405, &"GET".parse().unwrap())
    );

    for error in [HandshakeError::MissingHost, HandshakeError::UnmetExpectation] {
        let response = error.to_http();
        assert_eq!(response.status().as_u16(), error.status());
        assert!(response.headers().is_empty());
    }
}

// RFC 6455 section 4.2.1: 6455-4.2.1-01; RFC 9112 section 2.3: 9112-2.3-02
#[test]
fn server_checks_the_version() {
    for (version, expected) in [
        (Version::HTTP_11, None),
        (Version::HTTP_10, Some(HandshakeError::HttpVersionTooOld)),
        (
            Version::HTTP_09,
            Some(HandshakeError::UnsupportedHttpVersion { major: 0, minor: 9 }),
        ),
        // A request with one of these is not an upgrade, whatever its fields are.
        (Version::HTTP_2, Some(HandshakeError::ConnectionSpecificField)),
        (Version::HTTP_3, Some(HandshakeError::ConnectionSpecificField)),
    ] {
        let mut request = upgrade_request();
        *request.version_mut() = version;
        assert_eq!(read(&request).err(), expected, "{version:?}");
    }
    // Which forms a target has depends on the version.
    let mut request = upgrade_request();
    (*request.uri_mut(), *request.version_mut()) = ("*".parse().unwrap(), Version::HTTP_09);
    let error = HandshakeError::UnsupportedHttpVersion { major: 0, minor: 9 };
    assert_eq!(read(&request).unwrap_err(), error);
}

// RFC 9112 section 3.2.2: 9112-3.2.2-01, 9112-3.2.2-02
#[test]
fn server_reads_any_form_of_target() {
    for (target, expected) in [
        ("http://h:81/p?q", ("/p", Some("q"), "h:81")),
        ("wss://h", ("/", None, "h")),
        ("//h", ("//h", None, "example.com")),
    ] {
        let mut request = upgrade_request();
        *request.uri_mut() = target.parse().unwrap();
        let upgrade = read(&request).unwrap();
        assert_eq!(
            (upgrade.path(), upgrade.query(), upgrade.authority()),
            expected,
            "{target}"
        );
    }
    for target in ["*", "h:80", "ftp://h/", "http://u@h/", "/\u{e9}"] {
        let mut request = upgrade_request();
        *request.uri_mut() = target.parse().unwrap();
        assert_eq!(
            read(&request).unwrap_err(),
            HandshakeError::MalformedTarget,
            "{target}"
        );
    }
    let mut request = upgrade_request();
    *request.method_mut() = Method::CONNECT;
    for target in ["/chat", "http://h:80/", "h"] {
        *request.uri_mut() = target.parse().unwrap();
        assert_eq!(
            read(&request).unwrap_err(),
            HandshakeError::MalformedTarget,
            "{target}"
        );
    }
    *request.uri_mut() = "h:80".parse().unwrap();
    assert_eq!(read(&request).unwrap_err(), HandshakeError::MethodNotGet);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    // One set of rules: the parts of a target are judged like the target.
    #[test]
    fn server_judges_parts_as_the_target(target in target(), method in select(vec!["GET", "OPTIONS", "CONNECT"]), host in select(vec!["h", "", "a b"])) {
        // What the crate `http` rejects or drops cannot be judged here.
        let uri = target.parse::<Uri>().ok().filter(|uri| uri.to_string() == target);
        let Some(uri) = uri else { return Ok(()) };
        let mut request = upgrade_request();
        *request.uri_mut() = uri;
        *request.method_mut() = method.parse().unwrap();
        request.headers_mut().insert("host", host.parse().unwrap());
        let by_fields = Upgrade::from_fields(&Config::new(), method, &target, (1, 1), request.headers());
        match (read(&request), by_fields) {
            (Ok(one), Ok(other)) => prop_assert_eq!((one.path(), one.query(), one.authority()), (other.path(), other.query(), other.authority())),
            (one, other) => prop_assert_eq!(one.err(), other.err()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    // RFC 3986 section 6.2.2.2; decision D60. An accepted URL can be sent in every way.
    #[test]
    fn every_url_can_be_sent_in_every_way(url in url()) {
        let Ok(request) = ClientRequest::from_url_with_credentials(&url) else { return Ok(()) };
        let (config, mut out) = (Config::new(), Vec::new());
        let _ = request.clone().start(&config, key(), &mut out);
        let line = format!("GET {} HTTP/1.1\r\n", request.target());
        prop_assert!(out.starts_with(line.as_bytes()));
        for handshake in [request.clone().start_upgrade(&config, key()), request.clone().start_extended_connect(&config, key())] {
            let sent = handshake.to_http().unwrap();
            prop_assert_eq!(handshake.target(), request.target());
            let path = sent.uri().path_and_query().unwrap().as_str();
            // Unchanged, unless the crate `http` cannot represent one of its bytes.
            let is_kept = request.target().parse::<http::uri::PathAndQuery>().is_ok();
            prop_assert_eq!(path == request.target(), is_kept, "{} {}", path, request.target());
            prop_assert_eq!(decoded(path), decoded(request.target()));
            if handshake.method() == "CONNECT" {
                let uri = sent.uri();
                prop_assert_eq!(uri.host().unwrap().trim_matches(['[', ']']), request.host());
                let default = if request.is_secure() { 443 } else { 80 };
                prop_assert_eq!(uri.port_u16().unwrap_or(default), request.port());
            }
        }
    }
}

/// URLs with all printable characters, most of them well-formed.
fn url() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        "([a-zA-Z0-9._~!$&'()*+;=-]|%[46][1-9a-f]){1,6}",
        "\\[::[1-9a-f](%25[a-z0-9._~-]{1,3})?\\]",
        "[!-~]{1,4}",
    ];
    (
        "(ws|WSS|http|https)",
        "([a-z%0-9:]{0,4}@)?",
        host,
        "(:[0-9]{0,5})?",
        "(/[!-~]{0,8})?",
        "(\\?[!-~]{0,8})?",
    )
        .prop_map(|(scheme, user, host, port, path, query)| {
            format!("{scheme}://{user}{host}{port}{path}{query}")
        })
}

// RFC 3986 sections 3.3 and 3.4: of a target that a `Uri` cannot represent, only what they do not allow is encoded
#[test]
fn only_forbidden_bytes_of_a_target_are_encoded() {
    let request = ClientRequest::new("h", "/a-._~!$&'()*+,;=:@%41/`?/b?{\"}").unwrap();
    let sent = request.start_upgrade(&Config::new(), key()).to_http().unwrap();
    let path = sent.uri().path_and_query().unwrap().as_str();
    assert_eq!(path, "/a-._~!$&'()*+,;=:@%41/%60?/b?%7B%22%7D");
}

/// Decodes percent-encoding.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let octet = digits
            .filter(|_| *first == b'%')
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(octet.unwrap_or(*first));
        rest = if octet.is_some() { &after[2..] } else { after };
    }
    bytes
}

// RFC 9110 section 5.5: 9110-5.5-02; decision D68
#[test]
fn values_are_bytes_both_ways() {
    let request = client().with_field("X", b"\xe9\xff").unwrap();
    for handshake in [
        request.clone().start_upgrade(&Config::new(), key()),
        request.start_extended_connect(&Config::new(), key()),
    ] {
        let sent = handshake.to_http().unwrap();
        assert_eq!(sent.headers()["x"].as_bytes(), b"\xe9\xff");
    }
    let request = upgrade_request();
    let upgrade = read(&request).unwrap().with_field("X", b"\xe9\xff").unwrap();
    let (response, _) = upgrade.accept_http().unwrap();
    assert_eq!(response.headers()["x"].as_bytes(), b"\xe9\xff");
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        "/[!-~\u{e9}]{0,6}",
        "(http|ws|x)://[a-c:0-9@]{0,4}[/?]?[!-~]{0,4}",
        "[!-~]{1,6}",
        "[a-c]{1,2}:[0-9]{0,3}",
    ]
}

// ---- server, extended CONNECT -------------------------------------------------------------------------------------------

// RFC 8441 section 5: 8441-5-06; RFC 9220 section 3: 9220-3-01
#[test]
fn server_accepts_an_extended_connect() {
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let request = connect_request(version);
        let protocol = String::from(extended::PROTOCOL);
        let upgrade = Upgrade::from_http(&Config::new(), &request, Some(&protocol)).unwrap();
        assert_eq!(
            (upgrade.path(), upgrade.query(), upgrade.authority()),
            ("/chat", Some("x"), "example.com:8443")
        );
        let (response, _) = upgrade
            .select_subprotocol(&["chat"])
            .with_field("X-Y", "z")
            .unwrap()
            .accept_http()
            .unwrap();
        assert_eq!((response.status().as_u16(), response.headers().len()), (200, 2));
        assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
        assert_eq!(response.headers()["x-y"], "z");
    }
}

// RFC 8441 sections 4 and 5: 8441-4-01, 8441-4-02, 8441-4-04, 8441-4-05, 8441-5-04
#[test]
fn server_refuses_other_connects() {
    let request = connect_request(Version::HTTP_2);
    let error = Upgrade::from_http(&Config::new(), &request, None).unwrap_err();
    let name = ":protocol";
    assert_eq!(error, HandshakeError::MissingPseudoField { name });
    let error = Upgrade::from_http(&Config::new(), &request, Some("foo")).unwrap_err();
    assert_eq!(error.to_http().status(), 501);

    let change = |change: fn(&mut Request<()>)| {
        let mut request = connect_request(Version::HTTP_2);
        change(&mut request);
        let error = Upgrade::from_http(&Config::new(), &request, Some("websocket")).unwrap_err();
        (error, error.to_http())
    };
    let (error, response) = change(|request| *request.method_mut() = Method::GET);
    assert_eq!(
        (error, response.status().as_u16()),
        (HandshakeError::MethodNotConnect, 400)
    );
    // A CONNECT to a proxy has only an authority.
    let (error, _) = change(|request| *request.uri_mut() = Uri::from_static("example.com:443"));
    let name = ":scheme";
    assert_eq!(error, HandshakeError::MissingPseudoField { name });
    let (_, response) = change(|request| drop(request.headers_mut().remove("sec-websocket-version")));
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["sec-websocket-version"], "13");
    assert_eq!(response.headers().len(), 1);
}

// ---- client -------------------------------------------------------------------------------------------------------------

// RFC 6455 section 4.1: 6455-4.1-05
#[test]
fn client_requests_an_upgrade() {
    let request = client().start_upgrade(&Config::new(), key()).to_http().unwrap();
    assert_eq!(
        (request.method(), request.uri(), request.version()),
        (&Method::GET, &Uri::from_static("/chat?x"), Version::HTTP_11)
    );
    let headers = request.headers();
    assert_eq!(headers.len(), 8);
    for (name, value) in [
        ("host", "example.com:8443"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", "BwcHBwcHBwcHBwcHBwcHBw=="),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat"),
    ] {
        assert_eq!(headers[name], value);
    }
    let cookies: Vec<_> = headers.get_all("cookie").iter().collect();
    assert_eq!(cookies, ["a=b", "c=d"]);
}

// RFC 8441 section 5: 8441-5-02, 8441-5-03
#[test]
fn client_sends_an_extended_connect() {
    let handshake = client().start_extended_connect(&Config::new(), key());
    let request = handshake.to_http().unwrap();
    assert_eq!(
        (request.method(), request.version()),
        (&Method::CONNECT, Version::HTTP_2)
    );
    assert_eq!(request.uri(), "https://example.com:8443/chat?x");
    let names: Vec<&str> = request.headers().keys().map(|name| name.as_str()).collect();
    assert_eq!(
        names,
        ["sec-websocket-version", "sec-websocket-protocol", "cookie"]
    );
    // The server reads the same.
    assert!(Upgrade::from_http(&Config::new(), &request, Some(extended::PROTOCOL)).is_ok());
}

// The crate `http` limits the length of a URI; targets have no limit.
#[test]
fn client_cannot_ask_for_everything() {
    let target = format!("/{}", "a".repeat(70_000));
    for handshake in [
        ClientRequest::new("h", &target)
            .unwrap()
            .start_upgrade(&Config::new(), key()),
        ClientRequest::new("h", &target)
            .unwrap()
            .start_extended_connect(&Config::new(), key()),
    ] {
        assert!(handshake.to_http().is_err());
    }
    let mut request = ClientRequest::new("h", "/").unwrap();
    for name in 0..40_000 {
        request = request.with_field(&format!("x-{name}"), "").unwrap();
    }
    assert!(request.start_upgrade(&Config::new(), key()).to_http().is_err());

    let request = upgrade_request();
    let mut upgrade = read(&request).unwrap();
    for name in 0..40_000 {
        upgrade = upgrade.with_field(&format!("x-{name}"), "").unwrap();
    }
    assert!(upgrade.accept_http().is_err());
}

// RFC 6455 section 4.1: 6455-4.1-23; RFC 8441 section 5: 8441-5-07
#[test]
fn client_reads_the_response_of_the_server() {
    let by_upgrade = |handshake: &ClientFieldsHandshake| {
        let request = handshake.to_http().unwrap();
        let upgrade = Upgrade::from_http(&Config::new(), &request, None).unwrap();
        upgrade.select_subprotocol(&["chat"]).accept_http().unwrap().0
    };
    let by_connect = |handshake: &ClientFieldsHandshake| {
        let request = handshake.to_http().unwrap();
        let upgrade = Upgrade::from_http(&Config::new(), &request, Some("websocket")).unwrap();
        let (mut response, _) = upgrade.select_subprotocol(&["chat"]).accept_http().unwrap();
        *response.version_mut() = Version::HTTP_3;
        response
    };
    let upgrade = client().start_upgrade(&Config::new(), key());
    let connect = client().start_extended_connect(&Config::new(), key());
    for (response, mut handshake) in [(by_upgrade(&upgrade), upgrade), (by_connect(&connect), connect)] {
        match handshake.receive_http(&response) {
            Ok(Some(Answer::Accepted { response: read, .. })) => {
                assert_eq!(read.subprotocol(), Some("chat"));
                assert_eq!(read.status(), response.status().as_u16());
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(
            handshake.receive_http(&response).unwrap_err(),
            HandshakeError::Finished
        );
    }
}

// RFC 9112 section 2.3: 9112-2.3-01; RFC 9110 section 7.8
#[test]
fn client_checks_the_version() {
    for (version, expected) in [
        (Version::HTTP_10, HandshakeError::HttpVersionTooOld),
        (
            Version::HTTP_2,
            HandshakeError::UnsupportedHttpVersion { major: 2, minor: 0 },
        ),
    ] {
        let mut handshake = client().start_upgrade(&Config::new(), key());
        let mut response = Response::new(());
        (*response.status_mut(), *response.version_mut()) = (StatusCode::SWITCHING_PROTOCOLS, version);
        assert_eq!(handshake.receive_http(&response).unwrap_err(), expected);
    }
    let mut handshake = client().start_extended_connect(&Config::new(), key());
    let response = Response::builder()
        .status(403)
        .header("x", "y")
        .body("no")
        .unwrap();
    match handshake.receive_http(&response) {
        Ok(Some(Answer::Rejected(read))) => {
            assert_eq!((read.status(), read.field("X")), (403, Some(&b"y"[..])));
        }
        other => panic!("{other:?}"),
    }
}

// Values that the crate `http` would reject do not reach it.
#[test]
fn fields_are_checked_before() {
    let request = upgrade_request();
    for (name, value) in [("x", "a\r\nb"), ("x y", "a"), ("x", "\0")] {
        assert!(read(&request).unwrap().with_field(name, value).is_err());
        assert!(client().with_field(name, value).is_err());
    }
    assert_eq!(
        client().with_field("TE", "gzip").unwrap_err(),
        HandshakeMisuse::ReservedField
    );
}

// ---- helpers ------------------------------------------------------------------------------------------------------------

fn upgrade_request() -> Request<()> {
    Request::get("/chat?x")
        .header("Host", "example.com")
        .header("Connection", "keep-alive")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Protocol", "soap")
        .header("Sec-WebSocket-Protocol", "chat")
        .body(())
        .unwrap()
}

fn connect_request(version: Version) -> Request<()> {
    Request::connect("https://example.com:8443/chat?x")
        .version(version)
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "soap, chat")
        .body(())
        .unwrap()
}

fn read<B>(request: &Request<B>) -> Result<Upgrade<'_>, HandshakeError> {
    Upgrade::from_http(&Config::new(), request, None)
}

fn client() -> ClientRequest {
    let request = ClientRequest::from_url("wss://example.com:8443/chat?x").unwrap();
    request
        .with_subprotocol("chat")
        .and_then(|request| request.with_field("Cookie", "a=b")?.with_field("Cookie", "c=d"))
        .unwrap()
}

fn key() -> impl Entropy {
    entropy::from_fn(|bytes| bytes.fill(7))
}
