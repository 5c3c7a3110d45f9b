//! Extended CONNECT, both roles: RFC 8441 over HTTP/2, RFC 9220 over HTTP/3.
#![cfg(feature = "alloc")]

use websocket_proto::handshake::extended::{self, SETTINGS_ENABLE_CONNECT_PROTOCOL};
use websocket_proto::handshake::{
    Answer, ClientFieldsHandshake, ClientRequest, HandshakeError, HandshakeMisuse, Response, Upgrade,
};
use websocket_proto::{CloseCode, Config, Connection, Entropy, Event, TransportAdvice, entropy};

type Field<'a> = (&'a str, &'a str);

const GOOD: [Field; 6] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "https"),
    (":path", "/chat"),
    (":authority", "example.com"),
    ("sec-websocket-version", "13"),
];

// ---- the setting --------------------------------------------------------------------------------------------------------

// RFC 8441 section 3: 8441-3-01, 8441-3-03; RFC 9220 section 3: 9220-3-02, 9220-3-06
#[test]
fn setting_is_0_or_1_and_never_0_again() {
    assert_eq!(SETTINGS_ENABLE_CONNECT_PROTOCOL, 0x08);
    for (earlier, value, expected) in [
        (false, 0, Some(false)),
        (false, 1, Some(true)),
        (true, 1, Some(true)),
        (true, 0, None),
        (false, 2, None),
        (true, 2, None),
        (false, 256, None),
        (true, (1 << 62) - 1, None),
        (false, u64::MAX, None),
    ] {
        assert_eq!(
            extended::is_enabled(earlier, value),
            expected,
            "{earlier} {value}"
        );
    }
}

// ---- server: the request ------------------------------------------------------------------------------------------------

// RFC 8441 section 5: 8441-5-03, 8441-5-06, 8441-9-01; RFC 9220 section 3: 9220-3-01. No key, no accept value, 200.
#[test]
fn server_accepts_an_extended_connect() {
    let upgrade = accepted(&GOOD);
    assert_eq!(
        (
            upgrade.path(),
            upgrade.query(),
            upgrade.authority(),
            upgrade.origin()
        ),
        ("/chat", None, "example.com", None)
    );
    assert_eq!(
        (upgrade.status(), upgrade.response_fields().count()),
        (200, 0),
        "no Upgrade, Connection or Sec-WebSocket-Accept"
    );
    assert_eq!(extended::PROTOCOL, "websocket");
}

// RFC 8441 section 5: 8441-5-03
#[test]
fn server_ignores_a_key() {
    for key in ["dGhlIHNhbXBsZSBub25jZQ==", "none", ""] {
        let upgrade = with(&[("sec-websocket-key", key), ("sec-websocket-key", "")]);
        assert_eq!(accepted(&upgrade).response_fields().count(), 0);
    }
    // Nor a field that has no meaning in a request (RFC 6455 section 11.3.3), or none at all.
    let fields = with(&[("sec-websocket-accept", "x"), ("x-unknown", "\u{e9}\t~")]);
    assert_eq!(accepted(&fields).response_fields().count(), 0);
}

// RFC 8441 section 4: 8441-4-01, 8441-4-02, 8441-4-05
#[test]
fn server_wants_each_pseudo_field_once() {
    for (i, (name, _)) in GOOD.into_iter().enumerate().take(5) {
        assert_malformed(&without(name), HandshakeError::MissingPseudoField { name });
        let mut twice = GOOD.to_vec();
        twice.insert(i, GOOD[i]);
        assert_malformed(&twice, HandshakeError::RepeatedPseudoField { name });
        let mut other_case = GOOD.to_vec();
        let upper = name.to_ascii_uppercase();
        other_case[i].0 = &upper;
        assert_malformed(&other_case, HandshakeError::UnknownPseudoField);
        for value in ["", " ", "a b", "\u{e9}", "a\0", "a\r\n"] {
            assert_malformed(
                &changed(name, value),
                HandshakeError::MalformedPseudoField { name },
            );
        }
    }
}

// RFC 8441 section 4: 8441-4-01. A GET has no such pseudo-field, and without it is not a WebSocket request either.
#[test]
fn server_refuses_other_methods() {
    for method in ["GET", "connect", "POST", "OPTIONS"] {
        let mut fields = changed(":method", method);
        assert_malformed(&fields, HandshakeError::MethodNotConnect);
        fields.remove(1);
        assert_malformed(&fields, HandshakeError::MethodNotConnect);
    }
}

// RFC 9113 section 8.3: none but those of a request, and all of them first.
#[test]
fn server_refuses_pseudo_fields_out_of_place() {
    for name in [":status", ":foo", ":", "::method"] {
        let mut fields = GOOD.to_vec();
        fields.insert(0, (name, "200"));
        assert_malformed(&fields, HandshakeError::UnknownPseudoField);
    }
    for name in [":path", ":status", ":foo"] {
        assert_malformed(&with(&[(name, "/")]), HandshakeError::LatePseudoField);
    }
    let mut late = GOOD;
    late.swap(4, 5);
    assert_malformed(&late, HandshakeError::LatePseudoField);
}

// RFC 8441 section 4: 8441-4-03. As in any request, it is a name and not a host to connect to.
#[test]
fn server_reports_the_authority() {
    for authority in [
        "example.com",
        "example.com:8443",
        "[::1]:80",
        "127.0.0.1",
        "h:",
        "a.b_c~%20!",
    ] {
        let fields = changed(":authority", authority);
        assert_eq!(accepted(&fields).authority(), authority);
    }
    for authority in [
        ":443",
        "user@example.com",
        "example.com:99999",
        "a,b",
        "a/b",
        "[::1",
        "a:b:c",
    ] {
        let name = ":authority";
        assert_malformed(
            &changed(name, authority),
            HandshakeError::MalformedPseudoField { name },
        );
    }
}

// RFC 9113 section 8.3.1, RFC 9114 section 4.3.1: Host may appear in addition to it, or instead of it.
#[test]
fn server_compares_host_with_the_authority() {
    for host in ["example.com", "EXAMPLE.com", "example.com:443", "example.com:"] {
        assert_eq!(accepted(&with(&[("host", host)])).authority(), "example.com");
    }
    for host in ["example.org", "example.com:80", "[::1]", ""] {
        assert_malformed(&with(&[("host", host)]), HandshakeError::ConflictingHost);
    }
    let plain = [changed(":scheme", "http"), vec![("host", "example.com:80")]].concat();
    assert_eq!(accepted(&plain).authority(), "example.com");

    let alone = |host| [without(":authority"), vec![("host", host)]].concat();
    assert_eq!(accepted(&alone("h:81")).authority(), "h:81");
    for host in ["", ":1", "a b", "a,b", "user@h"] {
        assert_malformed(&alone(host), HandshakeError::MalformedHost);
    }
    let twice = with(&[("host", "example.com"), ("host", "example.com")]);
    assert_malformed(&twice, HandshakeError::RepeatedHost);
}

// RFC 8441 sections 4 and 5: 8441-4-04, 8441-5-01; RFC 9220 section 3: 9220-3-03
#[test]
fn server_answers_501_to_other_protocols() {
    for protocol in [
        "foo",
        "WebSocket",
        "websocket/13",
        "websockets",
        "connect-udp",
        "websocket,foo",
    ] {
        let error = refused(&changed(":protocol", protocol));
        assert_eq!(
            (error, error.status(), error.response_fields()),
            (HandshakeError::UnsupportedConnectProtocol, 501, &[][..]),
            "{protocol}"
        );
    }
    // Whatever else the other protocol requires.
    let mut fields = changed(":protocol", "foo");
    fields[2].1 = "masque";
    fields[3].1 = "*";
    assert_eq!(refused(&fields).status(), 501);
}

// RFC 8441 section 5: 8441-5-02
#[test]
fn server_refuses_other_schemes_and_paths() {
    for scheme in ["http", "HTTPS", "Http"] {
        assert_eq!(accepted(&changed(":scheme", scheme)).authority(), "example.com");
    }
    for scheme in ["ws", "wss", "ftp", "https:", "httpss"] {
        let name = ":scheme";
        assert_malformed(
            &changed(name, scheme),
            HandshakeError::MalformedPseudoField { name },
        );
    }
    for (path, expected) in [
        ("/", ("/", None)),
        ("/a/b?c?d", ("/a/b", Some("c?d"))),
        ("//h/p", ("//h/p", None)),
        ("/http://h/", ("/http://h/", None)),
        ("/?", ("/", Some(""))),
    ] {
        let fields = changed(":path", path);
        let upgrade = accepted(&fields);
        assert_eq!((upgrade.path(), upgrade.query()), expected);
    }
    for path in ["*", "a", "?a", "https://example.com/", "/a#b", "example.com:443"] {
        let name = ":path";
        assert_malformed(
            &changed(name, path),
            HandshakeError::MalformedPseudoField { name },
        );
    }
}

// RFC 8441 section 5: 8441-5-03; RFC 9113 section 8.2.2
#[test]
fn server_refuses_connection_specific_fields() {
    for field in [
        ("connection", "upgrade"),
        ("connection", ""),
        ("upgrade", "websocket"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
        ("te", "gzip"),
        ("te", "trailers, gzip"),
    ] {
        assert_malformed(&with(&[field]), HandshakeError::ConnectionSpecificField);
    }
    assert!(read(&with(&[("te", "Trailers")])).is_ok());
}

// RFC 8441 section 5: 8441-5-05 (RFC 9113 section 8.2); RFC 9110 section 5.5
#[test]
fn server_refuses_malformed_fields() {
    for name in ["Origin", "x-A", "X"] {
        assert_malformed(&with(&[(name, "a")]), HandshakeError::UppercaseFieldName);
    }
    for name in ["", "a b", "a:", "x\r\n", "\u{e9}", "x\0"] {
        assert_malformed(&with(&[(name, "a")]), HandshakeError::MalformedFieldName);
    }
    for value in ["a\r\nb", "a\n", "\0", "a\x7f", "\x1b"] {
        for name in ["x", "sec-websocket-protocol", "cookie"] {
            assert_malformed(&with(&[(name, value)]), HandshakeError::MalformedFieldValue);
        }
    }
}

// RFC 8441 section 5: 8441-5-04. Not a 426, which would request an upgrade.
#[test]
fn server_refuses_other_versions() {
    for version in ["8", "013", "+13", "13, 8", "", "25"] {
        let error = refused(&changed("sec-websocket-version", version));
        assert_eq!((error, error.status()), NOT_13);
        assert_eq!(error.response_fields(), [("sec-websocket-version", "13")]);
    }
    let error = refused(&without("sec-websocket-version"));
    assert_eq!((error, error.status()), NOT_13);
    let twice = with(&[("sec-websocket-version", "13")]);
    assert_malformed(&twice, HandshakeError::RepeatedVersion);
}

const NOT_13: (HandshakeError, u16) = (HandshakeError::UnsupportedConnectVersion, 400);

// RFC 8441 section 5: 8441-5-04. The fields of RFC 6455 that are left, by its rules.
#[test]
fn server_reads_the_fields_of_rfc_6455() {
    let fields = with(&[
        ("sec-websocket-protocol", "b,"),
        ("origin", "https://example.com"),
        ("sec-websocket-extensions", "x; a=\"1\""),
        ("sec-websocket-protocol", ", a, c"),
        ("sec-websocket-extensions", "y"),
        ("cookie", "a=b"),
    ]);
    let upgrade = accepted(&fields);
    assert!(upgrade.subprotocols().eq(["b", "a", "c"]));
    let extensions: Vec<String> = upgrade.extensions().map(|one| one.to_string()).collect();
    assert_eq!(extensions, ["x; a=1", "y"]);
    assert_eq!(upgrade.origin(), Some("https://example.com"));
    assert!(upgrade.is_same_origin());
    assert_eq!(
        upgrade.clone().with_subprotocol("d").unwrap_err(),
        HandshakeMisuse::UnofferedSubprotocol
    );
    let upgrade = upgrade.select_subprotocol(&["c", "a"]);
    assert!(
        upgrade
            .response_fields()
            .eq([("sec-websocket-protocol", &b"a"[..])])
    );

    for (name, value, error) in [
        (
            "sec-websocket-protocol",
            "a b",
            HandshakeError::MalformedSubprotocol,
        ),
        ("sec-websocket-protocol", "", HandshakeError::EmptySubprotocols),
        (
            "sec-websocket-protocol",
            "a, a",
            HandshakeError::RepeatedSubprotocol,
        ),
        (
            "sec-websocket-extensions",
            "a;;",
            HandshakeError::MalformedExtensions,
        ),
        ("sec-websocket-extensions", "", HandshakeError::EmptyExtensions),
        ("origin", "\u{e9}", HandshakeError::MalformedOrigin),
    ] {
        assert_malformed(&with(&[(name, value)]), error);
    }
    let twice = with(&[("origin", "a"), ("origin", "a")]);
    assert_malformed(&twice, HandshakeError::RepeatedOrigin);
}

// RFC 8441 section 5: 8441-5-10. The frames are the DATA, so that a length would have to count them.
#[test]
fn server_refuses_content() {
    for length in ["0", "5", "x", ""] {
        assert_malformed(
            &with(&[("content-length", length)]),
            HandshakeError::UnexpectedContentLength,
        );
    }
    let error = refused(&with(&[("expect", "x")]));
    assert_eq!((error, error.status()), (HandshakeError::UnmetExpectation, 417));
}

// RFC 9110 section 10.1.1: without content the 100 may be left out. RFC 6455 section 4.2.1: an Origin may be missing.
// Decisions D57 and D58
#[test]
fn server_accepts_an_expectation_without_content_and_an_empty_origin() {
    let fields = with(&[("expect", "100-Continue"), ("origin", " ")]);
    let upgrade = accepted(&fields);
    assert_eq!((upgrade.origin(), upgrade.is_same_origin()), (None, false));
}

// ---- server: the response -----------------------------------------------------------------------------------------------

// RFC 8441 section 5: 8441-5-05, 8441-5-06
#[test]
fn server_responds_with_lowercase_names() {
    let fields = with(&[("sec-websocket-protocol", "Chat")]);
    let upgrade = accepted(&fields)
        .with_field("Set-Cookie", "\t A=B ")
        .and_then(|upgrade| upgrade.with_subprotocol("Chat")?.with_field("x-empty", ""))
        .unwrap();
    let expected = [
        ("sec-websocket-protocol", &b"Chat"[..]),
        ("set-cookie", b"A=B"),
        ("x-empty", b""),
    ];
    assert!(upgrade.response_fields().eq(expected));
}

#[test]
fn server_rejects_reserved_response_fields() {
    for name in [
        "connection",
        "Upgrade",
        "TE",
        "Keep-Alive",
        "Proxy-Connection",
        "Transfer-Encoding",
        "Content-Length",
        "Sec-WebSocket-Accept",
        "host",
    ] {
        let error = accepted(&GOOD).with_field(name, "a").unwrap_err();
        assert_eq!(error, HandshakeMisuse::ReservedField, "{name}");
    }
    for name in [":status", "a b", "", "x\r\n"] {
        let error = accepted(&GOOD).with_field(name, "a").unwrap_err();
        assert_eq!(error, HandshakeMisuse::MalformedFieldName, "{name}");
    }
    let error = accepted(&GOOD).with_field("x", "a\r\nb: c").unwrap_err();
    assert_eq!(error, HandshakeMisuse::MalformedFieldValue);
}

// The stack sends the response: anything in the output would be sent as DATA.
#[test]
fn server_puts_no_response_into_the_output() {
    let mut out = Vec::new();
    let result = accepted(&GOOD).reject(403, &[], b"no", &mut out);
    assert_eq!(
        (result, &out[..]),
        (Err(HandshakeMisuse::ExtendedConnect), &b""[..])
    );
    let mut connection = accepted(&GOOD).accept(&mut out);
    connection.send_text("hi", &mut out).unwrap();
    assert_eq!(out, b"\x81\x02hi");
}

// ---- client: the request ------------------------------------------------------------------------------------------------

// RFC 8441 sections 4 and 5: 8441-4-01, 8441-4-05, 8441-5-01, 8441-5-02, 8441-5-03, 8441-5-05, 8441-5-10
#[test]
fn client_writes_the_request() {
    let request = ClientRequest::from_url("wss://Example.com:8443/chat?a=B").unwrap();
    let handshake = request
        .with_origin("https://Example.com")
        .and_then(|request| request.with_subprotocol("Soap")?.with_subprotocol("chat"))
        .and_then(|request| request.with_extension("x; y=Z"))
        .and_then(|request| {
            request
                .with_field("User-Agent", " Me\t")?
                .with_field("Cookie", "A=b")
        })
        .unwrap()
        .start_extended_connect(&Config::new(), no_entropy());
    assert_eq!((handshake.method(), handshake.target()), ("CONNECT", "/chat?a=B"));
    let expected = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":authority", "Example.com:8443"),
        (":path", "/chat?a=B"),
        ("sec-websocket-version", "13"),
        ("origin", "https://Example.com"),
        ("sec-websocket-protocol", "Soap, chat"),
        ("sec-websocket-extensions", "x; y=Z"),
        ("user-agent", "Me"),
        ("cookie", "A=b"),
    ];
    assert!(
        handshake
            .fields()
            .eq(expected.map(|(name, value)| (name, value.as_bytes())))
    );
}

// RFC 8441 section 5: 8441-5-02
#[test]
fn client_derives_the_pseudo_fields_from_the_url() {
    for (url, expected) in [
        ("ws://h", ["http", "h", "/"]),
        ("wss://h", ["https", "h", "/"]),
        ("ws://h:80/p?q", ["http", "h", "/p?q"]),
        ("wss://h:443?q", ["https", "h", "/?q"]),
        ("wss://[::1]:80/", ["https", "[::1]:80", "/"]),
    ] {
        let request = ClientRequest::from_url(url).unwrap();
        let handshake = request.start_extended_connect(&Config::new(), no_entropy());
        let values = handshake.fields().map(|(_, value)| value).skip(2).take(3);
        assert!(values.eq(expected.map(str::as_bytes)), "{url}");
    }
}

/// No nonce is drawn.
fn no_entropy() -> impl Entropy {
    entropy::from_fn(|_| panic!("nothing is masked yet"))
}

// ---- client: the response -----------------------------------------------------------------------------------------------

// RFC 8441 section 5: 8441-5-07
#[test]
fn client_opens_on_any_success() {
    for status in 200..=299 {
        assert_eq!(opened(status, &[]).status(), status);
        // The accept value was not requested, and the length means nothing (RFC 9110 section 9.3.6).
        opened(status, &[("sec-websocket-accept", "x"), ("content-length", "5")]);
    }
    let mut client = start();
    assert!(matches!(
        client.receive_fields([(":status", "200")]),
        Ok(Some(Answer::Accepted { .. }))
    ));
}

// RFC 8441 section 5: 8441-5-07
#[test]
fn client_reports_rejections() {
    for status in (300..=999).step_by(7).chain([400, 403, 501]) {
        let mut client = start();
        let fields = [
            ("sec-websocket-version", "13, 8"),
            ("sec-websocket-protocol", "chat"),
        ];
        match client.receive_response(status, fields) {
            Ok(Some(Answer::Rejected(response))) => {
                assert_eq!(response.status(), status);
                assert!(response.supported_versions().eq([13, 8]));
                assert_eq!(
                    (response.subprotocol(), response.field("SEC-WEBSOCKET-PROTOCOL")),
                    (None, Some(&b"chat"[..]))
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

// RFC 8441 section 5: 8441-5-07
#[test]
fn client_skips_interim_responses() {
    let mut client = start_with(&Config::new().max_interim_responses(2));
    for status in [103, 100] {
        assert!(
            client
                .receive_response(status, [("link", "x")])
                .unwrap()
                .is_none()
        );
    }
    let mut other = start_with(&Config::new().max_interim_responses(2));
    assert!(other.receive_fields([(":status", "199")]).unwrap().is_none());
    assert!(matches!(
        client.receive_fields([(":status", "204")]),
        Ok(Some(Answer::Accepted { .. }))
    ));

    let mut client = start_with(&Config::new().max_interim_responses(2));
    for _ in 0..2 {
        assert!(client.receive_response(102, NONE).unwrap().is_none());
    }
    let error = HandshakeError::TooManyInterimResponses { limit: 2 };
    assert_fused(&mut client, 102, &[], error);
}

// RFC 8441 section 5: 8441-5-07; RFC 9113 section 8.6
#[test]
fn client_refuses_statuses_that_there_are_not() {
    assert_fails(101, &[], HandshakeError::SwitchedProtocols);
    for status in [0, 1, 99, 1000, u16::MAX] {
        assert_fails(status, &[], HandshakeError::MalformedStatus);
    }
    let name = ":status";
    for (list, error) in [
        (&[][..], HandshakeError::MissingPseudoField { name }),
        (
            &[("x", "y"), (name, "200")],
            HandshakeError::MissingPseudoField { name },
        ),
        (
            &[(name, "200"), (name, "200")],
            HandshakeError::RepeatedPseudoField { name },
        ),
        (
            &[(name, "200"), ("x", "y"), (name, "200")],
            HandshakeError::LatePseudoField,
        ),
        (
            &[(":method", "CONNECT"), (name, "200")],
            HandshakeError::UnknownPseudoField,
        ),
        (&[(name, "")], HandshakeError::MalformedPseudoField { name }),
        (&[(name, "20")], HandshakeError::MalformedPseudoField { name }),
        (&[(name, "0200")], HandshakeError::MalformedPseudoField { name }),
        (&[(name, "+20")], HandshakeError::MalformedPseudoField { name }),
        (&[(name, "200 OK")], HandshakeError::MalformedPseudoField { name }),
        (&[(name, "099")], HandshakeError::MalformedStatus),
        (&[(name, "101")], HandshakeError::SwitchedProtocols),
    ] {
        let mut client = start();
        for _ in 0..2 {
            let result = client.receive_fields(list.iter().copied());
            assert_eq!(result.unwrap_err(), error, "{list:?}");
        }
        assert_eq!(client.receive_eof(), error);
    }
}

// RFC 8441 section 5: 8441-5-04. The fields of RFC 6455 that are left, by its rules.
#[test]
fn client_checks_the_fields_of_rfc_6455() {
    let fields = [
        ("sec-websocket-protocol", "chat"),
        ("sec-websocket-extensions", "x; y"),
    ];
    let response = opened(200, &fields);
    assert_eq!(response.subprotocol(), Some("chat"));
    assert_eq!(
        response.extensions().next().map(|one| one.to_string()).as_deref(),
        Some("x; y")
    );
    assert_eq!(opened(200, &[]).subprotocol(), None);

    for (fields, error) in [
        (
            &[("sec-websocket-protocol", "Chat")][..],
            HandshakeError::UnofferedSubprotocol,
        ),
        (
            &[("sec-websocket-protocol", "")],
            HandshakeError::EmptySubprotocols,
        ),
        (
            &[
                ("sec-websocket-protocol", "chat"),
                ("sec-websocket-protocol", "chat"),
            ],
            HandshakeError::SeveralSubprotocols,
        ),
        (
            &[("sec-websocket-extensions", "z")],
            HandshakeError::UnofferedExtension,
        ),
        (
            &[("sec-websocket-extensions", "x, x")],
            HandshakeError::RepeatedExtension,
        ),
        (
            &[("sec-websocket-extensions", "x;;")],
            HandshakeError::MalformedExtensions,
        ),
    ] {
        assert_fails(200, fields, error);
    }
    let mut client = start_with(&Config::new().require_subprotocol(true));
    assert_fused(&mut client, 200, &[], HandshakeError::MissingSubprotocol);
}

// RFC 8441 section 5: 8441-5-03, 8441-5-05
#[test]
fn client_refuses_malformed_fields() {
    for status in [103, 200, 404] {
        for (field, error) in [
            (("connection", "upgrade"), HandshakeError::ConnectionSpecificField),
            (("upgrade", "websocket"), HandshakeError::ConnectionSpecificField),
            (
                ("transfer-encoding", "chunked"),
                HandshakeError::ConnectionSpecificField,
            ),
            (("X", "y"), HandshakeError::UppercaseFieldName),
            (("x y", "z"), HandshakeError::MalformedFieldName),
            (("x", "a\r\nb"), HandshakeError::MalformedFieldValue),
            ((":status", "200"), HandshakeError::LatePseudoField),
        ] {
            assert_fails(status, &[("x", "y"), field], error);
        }
    }
}

#[test]
fn client_bounds_the_fields() {
    let config = Config::new().max_fields(2).max_head_size(20);
    for (fields, expected) in [
        (&[("a", "b"), ("c", "d")][..], None),
        (
            &[("a", "b"), ("c", "d"), ("e", "f")],
            Some(HandshakeError::TooManyFields { limit: 2 }),
        ),
        // The name, a colon and a space, the value, a line end.
        (&[("abcdefgh", "abcdefgh")], None),
        (
            &[("abcdefgh", "abcdefghi")],
            Some(HandshakeError::HeadTooLarge { limit: 20 }),
        ),
    ] {
        let mut client = start_with(&config);
        match expected {
            None => assert!(client.receive_response(200, fields.iter().copied()).is_ok()),
            Some(error) => assert_fused(&mut client, 200, fields, error),
        }
    }
}

#[test]
fn client_is_finished_by_its_answer() {
    for status in [200, 500] {
        let mut client = start();
        assert!(client.receive_response(status, NONE).unwrap().is_some());
        assert_fused(&mut client, 200, &[], HandshakeError::Finished);
    }
    let mut client = start();
    assert_eq!(client.receive_eof(), HandshakeError::Eof);
    assert_fused(&mut client, 200, &[], HandshakeError::Eof);
    assert_eq!(client.handle_timeout(), HandshakeError::Eof);
    let mut client = start();
    assert!(client.receive_response(103, NONE).unwrap().is_none());
    assert_eq!(client.handle_timeout(), HandshakeError::TimedOut);
    assert_fused(&mut client, 200, &[], HandshakeError::TimedOut);
}

#[test]
fn client_debug_hides_values() {
    let request = ClientRequest::from_url("wss://h/p?token")
        .unwrap()
        .with_field("Cookie", "secret");
    let handshake = request.unwrap().start_extended_connect(&Config::new(), key());
    let debug = format!("{handshake:?}");
    assert!(debug.contains("CONNECT") && debug.contains("/p"), "{debug}");
    assert!(!debug.contains("secret") && !debug.contains("token"), "{debug}");
}

// ---- the connection -----------------------------------------------------------------------------------------------------

// RFC 8441 section 5: 8441-5-08, 8441-5-09; RFC 9220 section 3: 9220-3-01, 9220-3-04. However the DATA is split.
#[test]
fn frames_are_those_of_rfc_6455_in_any_data() {
    for size in [1, 2, 3, 7, 1000] {
        let (mut client, mut server) = pair();
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        client.send_text("Hello", &mut to_server).unwrap();
        assert_eq!(to_server, b"\x81\x85\x07\x07\x07\x07Obkkh", "masked as ever");
        client.close(CloseCode::NORMAL, "done", &mut to_server).unwrap();

        let mut seen = Vec::new();
        for data in to_server.chunks_mut(size) {
            let mut input = data;
            while let Some(event) = server.receive(&mut input, &mut to_client).unwrap() {
                if let Event::Text(text) = &event {
                    server.send_text(text, &mut to_client).unwrap();
                }
                seen.push(format!("{event:?}"));
            }
        }
        assert_eq!(
            (seen.len(), server.transport_advice()),
            (2, TransportAdvice::Close)
        );
        assert_eq!(to_client, b"\x81\x05Hello\x88\x02\x03\xe8");

        for data in to_client.chunks_mut(size) {
            let mut input = data;
            while client.receive(&mut input, &mut to_server).unwrap().is_some() {}
        }
        // END_STREAM, or FIN.
        for closed in [server.receive_eof(), client.receive_eof()] {
            assert!(closed.is_clean());
        }
    }
}

// RFC 8441 section 5: 8441-5-09, 8441-5-10; RFC 9220 section 3: 9220-3-05. A reset, or a request that ended its stream, is an
// end without a Close frame.
#[test]
fn reset_is_the_end_of_the_transport() {
    let (client, server) = pair();
    for mut connection in [client, server] {
        let closed = connection.receive_eof();
        assert_eq!((closed.is_clean(), closed.code()), (false, CloseCode::ABNORMAL));
        let misuse = connection.send_text("hi", &mut Vec::new());
        assert!(misuse.is_err());
    }
}

// RFC 7692 section 5, with the same code
#[cfg(feature = "deflate")]
#[test]
fn compression_is_agreed_as_over_http_1_1() {
    use websocket_proto::deflate::DeflateConfig;
    let config = Config::new().deflate(DeflateConfig::new());
    let request = ClientRequest::from_url("wss://h").unwrap();
    let mut client = request.start_extended_connect(&config, key());
    let fields = owned(&client);
    let upgrade = Upgrade::from_extended_connect(&config, borrowed(&fields)).unwrap();
    assert!(upgrade.deflate().is_some());
    let response: Vec<(&str, &[u8])> = upgrade.response_fields().collect();
    assert_eq!(
        response,
        [("sec-websocket-extensions", &b"permessage-deflate"[..])]
    );
    let Ok(Some(Answer::Accepted { mut connection, .. })) = client.receive_response(200, response) else {
        panic!()
    };
    let (mut out, mut sink) = (Vec::new(), Vec::new());
    connection.send_text(&"a".repeat(1000), &mut out).unwrap();
    assert!(out.len() < 50);
    let mut server = upgrade.into_connection();
    let event = server.receive(&mut &mut out[..], &mut sink).unwrap();
    assert!(matches!(event, Some(Event::Text(text)) if text == "a".repeat(1000)));

    let declined = Upgrade::from_extended_connect(&config, borrowed(&fields)).unwrap();
    assert_eq!(declined.decline_deflate().response_fields().count(), 0);
    let mut other = start();
    let unoffered = [("sec-websocket-extensions", "permessage-deflate")];
    assert_eq!(
        other.receive_response(200, unoffered).unwrap_err(),
        HandshakeError::UnofferedExtension
    );
}

// ---- helpers ------------------------------------------------------------------------------------------------------------

const NONE: [Field<'static>; 0] = [];

fn read<'a>(fields: &[Field<'a>]) -> Result<Upgrade<'a>, HandshakeError> {
    Upgrade::from_extended_connect(&Config::new(), fields.iter().copied())
}

#[track_caller]
fn accepted<'a>(fields: &[Field<'a>]) -> Upgrade<'a> {
    read(fields).unwrap_or_else(|error| panic!("{error:?} for {fields:?}"))
}

#[track_caller]
fn refused(fields: &[Field]) -> HandshakeError {
    match read(fields) {
        Err(error) => error,
        Ok(_) => panic!("accepted {fields:?}"),
    }
}

#[track_caller]
fn assert_malformed(fields: &[Field], expected: HandshakeError) {
    let error = refused(fields);
    assert_eq!((error, error.status()), (expected, 400), "{fields:?}");
    assert!(error.response_fields().is_empty());
}

fn with<'a>(more: &[Field<'a>]) -> Vec<Field<'a>> {
    [&GOOD[..], more].concat()
}

fn without(name: &str) -> Vec<Field<'static>> {
    GOOD.into_iter().filter(|(other, _)| *other != name).collect()
}

fn changed<'a>(name: &str, value: &'a str) -> Vec<Field<'a>> {
    let change = |(other, old)| (other, if other == name { value } else { old });
    GOOD.into_iter().map(change).collect()
}

fn key() -> impl Entropy {
    entropy::from_fn(|bytes| bytes.fill(7))
}

fn start_with(config: &Config) -> ClientFieldsHandshake {
    let request = ClientRequest::from_url("wss://example.com/chat").unwrap();
    let request = request
        .with_subprotocol("chat")
        .and_then(|request| request.with_extension("x"));
    request.unwrap().start_extended_connect(config, key())
}

fn start() -> ClientFieldsHandshake {
    start_with(&Config::new())
}

#[track_caller]
fn opened(status: u16, fields: &[Field]) -> Response {
    match start().receive_response(status, fields.iter().copied()) {
        Ok(Some(Answer::Accepted { response, .. })) => response,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_fails(status: u16, fields: &[Field], expected: HandshakeError) {
    assert_fused(&mut start(), status, fields, expected);
}

#[track_caller]
fn assert_fused(client: &mut ClientFieldsHandshake, status: u16, fields: &[Field], expected: HandshakeError) {
    for _ in 0..2 {
        let result = client.receive_response(status, fields.iter().copied());
        assert_eq!(result.unwrap_err(), expected, "{status} {fields:?}");
    }
    assert_eq!(client.receive_eof(), expected);
}

fn owned(client: &ClientFieldsHandshake) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    let owned = |(name, value): (&str, &[u8])| (name.to_string(), text(value));
    client.fields().map(owned).collect()
}

fn borrowed(fields: &[(String, String)]) -> impl Iterator<Item = Field<'_>> {
    fields.iter().map(|(name, value)| (&name[..], &value[..]))
}

/// Both ends of a connection.
fn pair() -> (Connection, Connection) {
    let mut client = start();
    let fields = owned(&client);
    let upgrade = Upgrade::from_extended_connect(&Config::new(), borrowed(&fields)).unwrap();
    let upgrade = upgrade.select_subprotocol(&["chat"]);
    match client.receive_response(upgrade.status(), upgrade.response_fields()) {
        Ok(Some(Answer::Accepted { connection, .. })) => (connection, upgrade.into_connection()),
        other => panic!("{other:?}"),
    }
}
