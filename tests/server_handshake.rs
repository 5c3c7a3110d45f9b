//! How a server judges a client's opening handshake. The comment before each test names the rows of `REQUIREMENTS.md` that it
//! covers, and their sources.
#![cfg(feature = "alloc")]

#[path = "common/heads.rs"]
mod heads;

use std::collections::HashSet;

use heads::*;
use websocket_proto::handshake::{HandshakeError, HandshakeMisuse, Request, ServerHandshake, Upgrade};
use websocket_proto::{Config, Connection};

const GOOD: &[u8] = b"GET /chat?x=1 HTTP/1.1\r\n\
    Host: example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\
    \r\n";

const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    \r\n";

// ---- the request line ---------------------------------------------------------------------------------------------------

// RFC 9112 section 2.2: 9112-2.2-01; decision D24
#[test]
fn server_skips_empty_lines_before_the_request() {
    assert_accepts(&[b"\r\n", GOOD].concat());
    assert_accepts(&[b"\r\n\r\n\r\n", GOOD].concat());
}

// RFC 9112 section 2.2: 9112-2.2-01
#[test]
fn server_bounds_empty_lines_before_the_request() {
    let limit = 16 * 1024;
    let bytes = b"\r\n".repeat(512 * 1024);
    let mut server = ServerHandshake::new(&Config::new());
    let (mut bytes, mut out) = (bytes, Vec::new());
    let mut input = &mut bytes[..];
    let error = server.receive(&mut input, &mut out).unwrap_err();
    assert_eq!(error, HandshakeError::HeadTooLarge { limit });
    assert_eq!(input.len(), 1024 * 1024 - limit);
    assert_response(&out, 431);
}

// RFC 9112 section 2.2: 9112-2.2-02; decision D25
#[test]
fn server_rejects_bare_line_feeds() {
    let lines: Vec<u8> = GOOD.iter().copied().filter(|&byte| byte != b'\r').collect();
    assert_malformed(&lines, HandshakeError::BareLineFeed);
    assert_malformed(b"\n", HandshakeError::BareLineFeed);
    assert_malformed(b"GET / HTTP/1.1\n", HandshakeError::BareLineFeed);
    assert_malformed(b"GET / HTTP/1.1\r\nHost: a\n", HandshakeError::BareLineFeed);
    assert_malformed(b"GET / HTTP/1.1\r\nHost\n", HandshakeError::BareLineFeed);
    assert_malformed(b"GET / HTTP/1.1\r\nHost: a\r\n\n", HandshakeError::BareLineFeed);
}

// RFC 9112 section 2.2: 9112-2.2-03
#[test]
fn server_rejects_bare_carriage_returns() {
    assert_malformed(&with(b"X: a\rb"), HandshakeError::BareCarriageReturn);
    assert_malformed(b"\rGET", HandshakeError::BareCarriageReturn);
    assert_malformed(b"GET / HTTP/1.1\rH", HandshakeError::BareCarriageReturn);
    assert_malformed(
        b"GET / HTTP/1.1\r\nHost: a\r\n\rX",
        HandshakeError::BareCarriageReturn,
    );
}

// RFC 9112 section 2.2: 9112-2.2-04; RFC 9110 section 5.5: 9110-5.5-02
#[test]
fn server_hands_out_opaque_bytes() {
    let all: Vec<u8> = (0x21..=0x7e).chain(0x80..=0xff).collect();
    let line = [b"X: ".as_slice(), &all, b"\t ", &all].concat();
    let request = request(&with(&line));
    assert_eq!(request.field("x"), Some(&line[3..]));
}

// RFC 9112 section 2.2: 9112-2.2-05
#[test]
fn server_rejects_space_before_the_first_field() {
    let bytes = changed(b"\r\nHost", b"\r\n Foo: x\r\nHost");
    assert_malformed(&bytes, HandshakeError::SpaceBeforeFields);
    assert_malformed(b"GET / HTTP/1.1\r\n\t", HandshakeError::SpaceBeforeFields);
}

// RFC 9112 section 2.2: 9112-2.2-06
#[test]
fn server_rejects_other_protocols_at_once() {
    for bytes in [
        &b"\x16"[..],
        b"\x16\x03\x01\x02\x00",
        b"\x80",
        b"\0",
        b" GET",
        b"SSH-2.0-OpenSSH_9.9\r",
        b"HTTP/1.1\r\n",
    ] {
        assert_malformed(bytes, HandshakeError::MalformedMethod);
    }
}

// RFC 9112 section 3.2: the target has the form that the method has. Decision D69
#[test]
fn server_names_a_line_of_the_proxy_protocol() {
    for line in [
        &b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"[..],
        b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n",
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
    ] {
        let (error, out) = rejection(&[line, GOOD].concat());
        assert_eq!((error, error.status()), (HandshakeError::ProxyLine, 400));
        assert!(out.starts_with(b"HTTP/1.1 400 "));
    }
    // A method is any token.
    for (line, expected) in [
        (&b"PROXY / HTTP/1.1\r\n"[..], None),
        (b"PROXY TCP5 \r\n", Some(HandshakeError::MalformedTarget)),
        (b"PROXYTCP4 1 \r\n", Some(HandshakeError::MalformedTarget)),
        (b"PROX YTCP4 1 \r\n", Some(HandshakeError::MalformedTarget)),
        (b"GET TCP4 1 \r\n", Some(HandshakeError::MalformedTarget)),
    ] {
        let bytes = [line, b"Host: h\r\n\r\n"].concat();
        assert_eq!(receive_with(&Config::new(), &bytes).0.err(), expected, "{line:?}");
    }
}

// RFC 9112 section 2.3: 9112-2.3-01
#[test]
fn server_rejects_malformed_versions() {
    for version in MALFORMED_VERSIONS.into_iter().chain(["HTTP/1.1 "]) {
        let bytes = changed(b"HTTP/1.1", version.as_bytes());
        assert_malformed(&bytes, HandshakeError::MalformedHttpVersion);
    }
    assert_malformed(b"GET /\r\n", HandshakeError::MalformedHttpVersion);
    // Nor is the rest of the line read as a response when it is in another read.
    let mut server = ServerHandshake::new(&Config::new());
    for (read, expected) in [
        ("GET / ", None),
        ("HTTP/1.1 200\r\n\r\n", Some(HandshakeError::MalformedHttpVersion)),
    ] {
        let result = server.receive(&mut &mut read.as_bytes().to_vec()[..], &mut Vec::new());
        assert_eq!(result.err(), expected);
    }
}

// RFC 9112 section 2.3: 9112-2.3-02; RFC 6455 section 4.2.1: 6455-4.2.1-01
#[test]
fn server_accepts_later_minor_versions() {
    assert_accepts(&changed(b"HTTP/1.1", b"HTTP/1.2"));
    assert_accepts(&changed(b"HTTP/1.1", b"HTTP/1.9"));
}

// RFC 9112 section 2.3: 9112-2.3-02
#[test]
fn server_rejects_other_major_versions() {
    for (version, major, minor) in [("HTTP/2.0", 2, 0), ("HTTP/0.9", 0, 9), ("HTTP/3.1", 3, 1)] {
        let (error, out) = rejection(&changed(b"HTTP/1.1", version.as_bytes()));
        assert_eq!(error, HandshakeError::UnsupportedHttpVersion { major, minor });
        assert_response(&out, 505);
    }
}

// RFC 9112 section 2.3: 9112-2.3-02; RFC 9110 section 15.6.6. A client of HTTP/2 begins with the preface (RFC 9113 section
// 3.4), whose target has no form that HTTP/1.1 knows; the response is still about the version.
#[test]
fn server_answers_the_preface_of_http_2_with_505() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for bytes in [
        PREFACE,
        b"PRI * HTTP/2.0",
        b"GET * HTTP/2.0\r\n",
        b"GET h:80 HTTP/2.0\r\n",
    ] {
        let (error, out) = rejection(bytes);
        assert_eq!(
            error,
            HandshakeError::UnsupportedHttpVersion { major: 2, minor: 0 }
        );
        assert_eq!(error.to_string(), "HTTP/2.0 is not supported");
        assert_response(&out, 505);
        assert!(out.starts_with(b"HTTP/1.1 505 HTTP Version Not Supported\r\n"));
    }
    // In HTTP/1, and before a line without a version, the target is what is wrong.
    for bytes in [
        &b"PRI * HTTP/1.1\r\n"[..],
        b"PRI * HTTP/1.0\r\n",
        b"PRI * HTTP/1.1 \r\n",
        b"PRI * http/2.0\r\n",
        b"PRI * \r\n",
        b"PRI * \n",
    ] {
        assert_malformed(bytes, HandshakeError::MalformedTarget);
    }
    assert_malformed(b"PRI / http/2.0\r\n", HandshakeError::MalformedHttpVersion);
}

// RFC 9112 section 3: 9112-3-01
#[test]
fn server_rejects_other_spaces_in_the_request_line() {
    assert_malformed(&changed(b"GET /", b"GET  /"), HandshakeError::MalformedTarget);
    assert_malformed(&changed(b"GET /", b"GET\t/"), HandshakeError::MalformedMethod);
    assert_malformed(
        &changed(b" HTTP", b"  HTTP"),
        HandshakeError::MalformedHttpVersion,
    );
    assert_malformed(&changed(b" HTTP", b"\tHTTP"), HandshakeError::MalformedTarget);
    assert_malformed(
        &changed(b"1.1\r\n", b"1.1 \r\n"),
        HandshakeError::MalformedHttpVersion,
    );
}

// RFC 9112 section 3: 9112-3-02
#[test]
fn server_rejects_bytes_that_no_target_has() {
    assert_malformed(
        &changed(b"/chat", b"/ch at"),
        HandshakeError::MalformedHttpVersion,
    );
    for bad in [&b"/\0"[..], b"/\x7f", b"/\x1f", b"/\xc3\xa9", b"/\t"] {
        assert_malformed(&changed(b"/chat", bad), HandshakeError::MalformedTarget);
    }
}

// RFC 9112 section 3: 9112-3-03
#[test]
fn server_accepts_long_targets() {
    let target = [b"/".as_slice(), &b"a".repeat(7999)].concat();
    let bytes = changed(b"/chat?x=1", &target);
    assert_eq!(request(&bytes).path().as_bytes(), target);
    assert_accepts(&bytes);
}

// RFC 9112 section 3: 9112-3-03. Decided at the limit: the line never ends.
#[test]
fn server_rejects_endless_request_lines() {
    let limit = 16 * 1024;
    let (error, out) = rejection(&[b"GET /".as_slice(), &b"a".repeat(limit - 5)].concat());
    assert_eq!(error, HandshakeError::RequestLineTooLong { limit });
    assert_response(&out, 414);
    let (error, _) = rejection(&b"A".repeat(limit));
    assert_eq!(error, HandshakeError::RequestLineTooLong { limit });
}

// RFC 9112 section 3.2.2: 9112-3.2.2-01
#[test]
fn server_accepts_absolute_targets() {
    for target in [
        "http://h/p?q",
        "https://h/p?q",
        "ws://h/p?q",
        "wss://h/p?q",
        "HTTP://h/p?q",
    ] {
        let bytes = changed(b"/chat?x=1", target.as_bytes());
        let request = request(&bytes);
        let upgrade = request.upgrade(&mut Vec::new()).unwrap();
        assert_eq!(
            (upgrade.path(), upgrade.query(), upgrade.authority()),
            ("/p", Some("q"), "h")
        );
    }
    let bare = request(&changed(b"/chat?x=1", b"http://h"));
    assert_eq!((bare.path(), bare.query()), ("/", None));
    let query = request(&changed(b"/chat?x=1", b"http://h?q"));
    assert_eq!((query.path(), query.query()), ("/", Some("q")));
}

// RFC 9112 section 3.2: the path ends at the first question mark, and an empty query is kept.
#[test]
fn server_splits_the_target() {
    for (target, path, query) in [
        ("/", "/", None),
        ("/a%20b", "/a%20b", None),
        ("/a?", "/a", Some("")),
        ("/a?b?c", "/a", Some("b?c")),
        ("//a/b", "//a/b", None),
        ("/?u=http://x/y?z", "/", Some("u=http://x/y?z")),
    ] {
        let request = request(&changed(b"/chat?x=1", target.as_bytes()));
        assert_eq!(
            (request.target(), request.path(), request.query()),
            (target, path, query)
        );
    }
}

// RFC 9112 section 3.2.2: 9112-3.2.2-02
#[test]
fn server_prefers_the_authority_of_the_target() {
    let request = request(&changed(b"/chat?x=1", b"http://a:81/p"));
    assert_eq!(request.authority(), Some("a:81"));
    assert_eq!(request.upgrade(&mut Vec::new()).unwrap().authority(), "a:81");
}

// RFC 9112 section 3.2.2: 9112-3.2.2-01
#[test]
fn server_rejects_malformed_absolute_targets() {
    for target in [
        "ftp://h/",
        "http:///p",
        "http://u@h/",
        "http://h:x/",
        "http://:80/",
        // RFC 6874 section 3: a zone is not sent.
        "http://[fe80::1%25eth0]/",
        "http:/p",
        "://h/",
        "p",
        "?q",
    ] {
        assert_malformed(
            &changed(b"/chat?x=1", target.as_bytes()),
            HandshakeError::MalformedTarget,
        );
    }
}

// RFC 9112 section 3.2.3: 9112-3.2.3-01
#[test]
fn server_rejects_authority_targets() {
    assert_malformed(&changed(b"/chat?x=1", b"h:80"), HandshakeError::MalformedTarget);
}

// RFC 9112 section 3.2.4: 9112-3.2.4-01
#[test]
fn server_rejects_asterisk_targets() {
    assert_malformed(&changed(b"/chat?x=1", b"*"), HandshakeError::MalformedTarget);
}

// RFC 9112 sections 3.2.3 and 3.2.4: these are well-formed, but not WebSocket requests.
#[test]
fn server_reads_targets_of_other_methods() {
    let options = request(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(
        (options.method(), options.path(), options.authority()),
        ("OPTIONS", "*", Some("h"))
    );
    let connect = request(b"CONNECT h:80 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(
        (connect.target(), connect.path(), connect.authority()),
        ("h:80", "", Some("h:80"))
    );
    assert_malformed(b"CONNECT h HTTP/1.1\r\n", HandshakeError::MalformedTarget);
    assert_malformed(b"CONNECT /p HTTP/1.1\r\n", HandshakeError::MalformedTarget);
}

// RFC 9112 section 3.2: 9112-3.2-05
#[test]
fn server_rejects_fragments() {
    assert_malformed(&changed(b"/chat", b"/a#b"), HandshakeError::MalformedTarget);
}

// ---- Host ---------------------------------------------------------------------------------------------------------------

// RFC 9112 section 3.2: 9112-3.2-02; RFC 6455 section 4.2.1: 6455-4.2.1-02; decision D26
#[test]
fn server_rejects_request_without_host() {
    assert_malformed(&without(b"Host: example.com\r\n"), HandshakeError::MissingHost);
    assert_malformed(b"GET / HTTP/1.1\r\n\r\n", HandshakeError::MissingHost);
}

// RFC 9112 section 3.2: 9112-3.2-03; decision D26
#[test]
fn server_rejects_repeated_host() {
    assert_malformed(&with(b"Host: example.com"), HandshakeError::RepeatedHost);
    assert_malformed(&with(b"host: other.example"), HandshakeError::RepeatedHost);
}

// RFC 9112 section 3.2: 9112-3.2-04
#[test]
fn server_rejects_malformed_host() {
    for host in [
        "a b",
        "a,b",
        "a/b",
        "a?b",
        "u@a",
        "http://a",
        "a:99999x",
        "a:65536",
        "a:-1",
        "a:+80",
        "a:8 0",
        "a:80:81",
        "::1",
        "[::1",
        "[::g]",
        "[::1]x",
        "[1.2.3.4]",
        "a%",
        "a%4",
        "a%zz",
        "\"a\"",
        "\u{e9}",
    ] {
        assert_malformed(
            &changed(b"example.com", host.as_bytes()),
            HandshakeError::MalformedHost,
        );
    }
    assert_malformed(&changed(b"example.com", b"\xff"), HandshakeError::MalformedHost);
}

// RFC 9112 section 3.2: 9112-3.2-04
#[test]
fn server_accepts_well_formed_hosts() {
    for host in [
        "a",
        "a:0",
        "a:65535",
        "a:",
        "1.2.3.4:80",
        "[::1]",
        "[2001:db8::1]:8080",
        "a_b-c.d~",
        "a%20b",
        "h:00080",
    ] {
        let bytes = changed(b"example.com", host.as_bytes());
        assert_eq!(request(&bytes).authority(), Some(host));
        assert_accepts(&bytes);
    }
}

// RFC 9112 section 3.2: an empty one is valid HTTP, but names no authority. RFC 6455 section 4.2.1: 6455-4.2.1-02
#[test]
fn server_rejects_upgrade_with_empty_host() {
    let bytes = changed(b"Host: example.com", b"Host:");
    assert_eq!(request(&bytes).authority(), Some(""));
    assert_refused(&bytes, HandshakeError::MalformedHost, 400);
    assert_refused(
        &changed(b"example.com", b":80"),
        HandshakeError::MalformedHost,
        400,
    );
}

// ---- fields -------------------------------------------------------------------------------------------------------------

// RFC 9112 section 5: 9112-5-01
#[test]
fn server_rejects_malformed_field_lines() {
    for line in MALFORMED_FIELD_LINES {
        assert_malformed(&with(line), HandshakeError::MalformedFieldName);
    }
    assert_malformed(&with(b"a b: x"), HandshakeError::SpaceBeforeColon);
}

// RFC 9112 section 5.1: 9112-5.1-01
#[test]
fn server_rejects_space_before_the_colon() {
    assert_malformed(&changed(b"Host:", b"Host :"), HandshakeError::SpaceBeforeColon);
    assert_malformed(&changed(b"Host:", b"Host\t:"), HandshakeError::SpaceBeforeColon);
}

// RFC 9112 section 5.1: 9112-5.1-02
#[test]
fn server_trims_values() {
    let request = request(&with(b"X: \t a \t b \t "));
    assert_eq!(request.field("X"), Some(&b"a \t b"[..]));
    assert_eq!(self::request(&with(b"X:")).field("X"), Some(&b""[..]));
    assert_eq!(self::request(&with(b"X: \t ")).field("X"), Some(&b""[..]));
    assert_eq!(self::request(&with(b"X:a:b")).field("X"), Some(&b"a:b"[..]));
}

// RFC 9112 section 5.2: 9112-5.2-02
#[test]
fn server_rejects_folded_fields() {
    assert_malformed(&with(b"X: a\r\n b"), HandshakeError::FoldedField);
    assert_malformed(&with(b"X: a\r\n\tb"), HandshakeError::FoldedField);
}

// RFC 9110 section 5.1: 9110-5.1-01
#[test]
fn server_compares_field_names_without_case() {
    let bytes = changed(b"Sec-WebSocket-Key", b"sEc-wEbSoCkEt-kEy");
    assert_accepts(&bytes);
    assert!(request(&bytes).field("SEC-WEBSOCKET-KEY").is_some());
}

// RFC 9110 section 5.3: 9110-5.3-01; section 7.6.1: 9110-7.6.1-01; RFC 6455 section 4.2.1: 6455-4.2.1-04; decision D29
#[test]
fn server_reads_connection_as_one_list() {
    for connection in [
        "Connection: keep-alive, Upgrade",
        "Connection: keep-alive, UPGRADE",
        "Connection: upgrade,keep-alive",
        "Connection: keep-alive\r\nConnection: Upgrade",
        "Connection: Upgrade\r\nConnection: keep-alive",
        "Connection: a\r\nConnection:\r\nConnection: b , uPGRADE\t,c",
    ] {
        assert_accepts(&changed(b"Connection: Upgrade", connection.as_bytes()));
    }
}

// RFC 9110 section 7.6.1: 9110-7.6.1-01; RFC 6455 section 4.2.1: 6455-4.2.1-04
#[test]
fn server_rejects_connection_without_upgrade() {
    for connection in [
        "Connection: keep-alive",
        "Connection: xupgrade",
        "Connection: up grade",
        "Connection:",
        "X: y",
    ] {
        let bytes = changed(b"Connection: Upgrade", connection.as_bytes());
        assert_refused(&bytes, HandshakeError::MissingConnectionUpgrade, 400);
    }
}

// RFC 9110 section 5.6.1: 9110-5.6.1-01
#[test]
fn server_skips_empty_list_elements() {
    assert_accepts(&changed(b"Connection: Upgrade", b"Connection: ,, upgrade ,"));
    let commas = [b"Connection: ".as_slice(), &b",".repeat(8192), b"Upgrade"].concat();
    assert_accepts(&changed(b"Connection: Upgrade", &commas));
    let commas = [
        b"Sec-WebSocket-Extensions: ".as_slice(),
        &b", ,".repeat(2048),
        b"a",
    ]
    .concat();
    assert_accepts(&with(&commas));
    let commas = [b"Sec-WebSocket-Protocol: ".as_slice(), &b",".repeat(8192), b"a"].concat();
    assert_accepts(&with(&commas));
}

// RFC 9110 section 5.4: 9110-5.4-01; RFC 6455 section 4.2: 6455-4.2-01; section 10.4: 6455-10.4-01, 6455-10.4-02
#[test]
fn server_rejects_too_large_heads() {
    let limit = 16 * 1024;
    let start = b"GET / HTTP/1.1\r\nHost: h\r\nX: ";
    let (error, out) = rejection(&[&start[..], &b"x".repeat(limit - start.len())].concat());
    assert_eq!(error, HandshakeError::HeadTooLarge { limit });
    assert_response(&out, 431);
    assert!(
        String::from_utf8(out)
            .unwrap()
            .ends_with("head exceeds the 16384 bytes of Config::max_head_size")
    );
}

// RFC 9110 section 5.4: 9110-5.4-01; RFC 6455 section 10.4: 6455-10.4-01
#[test]
fn server_accepts_heads_up_to_the_limit() {
    let exact = Config::new().max_head_size(GOOD.len());
    let below = Config::new().max_head_size(GOOD.len() - 1);
    let (result, _, _) = receive_with(&exact, GOOD);
    assert!(result.unwrap().is_some());
    let (result, out, tail) = receive_with(&below, GOOD);
    assert_eq!(
        result.unwrap_err(),
        HandshakeError::HeadTooLarge {
            limit: GOOD.len() - 1
        }
    );
    assert_response(&out, 431);
    assert_eq!(tail, b"\n");
}

// RFC 9110 section 5.4: 9110-5.4-01
#[test]
fn server_rejects_too_many_fields() {
    let lines = |count| {
        [
            b"GET / HTTP/1.1\r\nHost: h\r\n".as_slice(),
            &b"X:\r\n".repeat(count),
            b"\r\n",
        ]
        .concat()
    };
    assert_eq!(request(&lines(99)).fields().count(), 100);
    let (error, out) = rejection(&lines(100));
    assert_eq!(error, HandshakeError::TooManyFields { limit: 100 });
    assert_response(&out, 431);
}

// RFC 9110 section 5.5: 9110-5.5-01
#[test]
fn server_rejects_control_bytes_in_values() {
    for byte in (0..=0x1f)
        .chain([0x7f])
        .filter(|byte| !matches!(byte, b'\t' | b'\r' | b'\n'))
    {
        let line = [b"X: a", &[byte][..], b"b"].concat();
        assert_malformed(&with(&line), HandshakeError::MalformedFieldValue);
        let line = [b"X:", &[byte][..]].concat();
        assert_malformed(&with(&line), HandshakeError::MalformedFieldValue);
    }
}

// ---- content ------------------------------------------------------------------------------------------------------------

// RFC 9112 section 6.3: 9112-6.3-02; decision D28
#[test]
fn server_rejects_upgrade_with_content() {
    assert_refused(
        &with(b"Content-Length: 5"),
        HandshakeError::UnexpectedContent,
        400,
    );
    assert_refused(
        &with(b"Transfer-Encoding: chunked"),
        HandshakeError::UnexpectedContent,
        400,
    );
    assert_refused(
        &with(b"Transfer-Encoding: identity"),
        HandshakeError::UnexpectedContent,
        400,
    );
    assert_accepts(&with(b"Content-Length: 0"));
    assert_accepts(&with(b"Content-Length: 00"));
}

// RFC 9112 section 6.3: 9112-6.3-03
#[test]
fn server_rejects_conflicting_lengths() {
    for line in [
        "Content-Length: 1, 2",
        "Content-Length: 0, 0",
        "Content-Length: 0\r\nContent-Length: 0",
        "Content-Length:",
        "Content-Length: -1",
        "Content-Length: +0",
        "Content-Length: 0x0",
    ] {
        assert_malformed(&with(line.as_bytes()), HandshakeError::MalformedContentLength);
    }
    let both = b"Content-Length: 0\r\nTransfer-Encoding: chunked";
    assert_malformed(&with(both), HandshakeError::ConflictingFraming);
    let old = b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_malformed(old, HandshakeError::ConflictingFraming);
}

// RFC 9112 section 6.3: 9112-6.3-02. A number of any length is not zero.
#[test]
fn server_rejects_huge_content() {
    let line = [b"Content-Length: ".as_slice(), &b"9".repeat(1000)].concat();
    assert_refused(&with(&line), HandshakeError::UnexpectedContent, 400);
}

// RFC 9110 section 7.8: 9110-7.8-06
#[test]
fn server_rejects_upgrade_with_expectation() {
    for line in [
        "Expect: x",
        "Expect: 100-continue; a=b",
        "Expect: 100-continue, x",
        "Expect: 100-continue\r\nExpect: x",
        "Expect: 100",
    ] {
        assert_refused(&with(line.as_bytes()), HandshakeError::UnmetExpectation, 417);
    }
    let with_content = with(b"Expect: 100-continue\r\nContent-Length: 5");
    assert_refused(&with_content, HandshakeError::UnexpectedContent, 400);
}

// RFC 9110 section 7.8: 9110-7.8-06. The 100 is sent before the 101, although section 10.1.1 does not require it without content.
// Decision D58
#[test]
fn server_answers_an_expectation_before_the_101() {
    for line in [
        "Expect: 100-continue",
        "Expect: 100-Continue",
        "Expect: 100-continue\r\nContent-Length: 0",
        "Expect: ,100-continue ,",
        "Expect: 100-continue\r\nExpect: 100-continue",
    ] {
        let expected = [b"HTTP/1.1 100 Continue\r\n\r\n", ACCEPTED].concat();
        assert_eq!(accepted(&with(line.as_bytes())), expected, "{line:?}");
    }
    for line in ["Expect:", "Expect: ,"] {
        assert_eq!(accepted(&with(line.as_bytes())), ACCEPTED, "{line:?}");
    }
}

// RFC 9110 section 10.1.1: a final response replaces the 100. Decision D58
#[test]
fn server_rejects_in_place_of_the_100() {
    let request = request(&with(b"Expect: 100-continue"));
    let upgrade = request.upgrade(&mut Vec::new()).unwrap();
    let mut out = Vec::new();
    upgrade.reject(403, &[], b"", &mut out).unwrap();
    assert_response(&out, 403);
    let mut out = Vec::new();
    request.respond(200, &[], b"", &mut out).unwrap();
    assert_response(&out, 200);
}

// RFC 9110 section 5.5: 9110-5.5-02; decision D68. Received values can be forwarded.
#[test]
fn server_sends_values_as_bytes() {
    let request = request(&with(b"X: \xe9\t\xff"));
    let value = request.field("X").unwrap();
    let fields = [("X", value), ("Y", b"y")];
    let lines = b"X: \xe9\t\xff\r\nY: y\r\n";
    let mut out = Vec::new();
    request.respond_bytes(200, &fields, b"z", &mut out).unwrap();
    assert_response(&out, 200);
    assert!(contains(&out, lines));
    let mut none = Vec::new();
    let upgrade = request.upgrade(&mut none).unwrap();
    let mut out = Vec::new();
    upgrade
        .clone()
        .reject_bytes(403, &fields, b"z", &mut out)
        .unwrap();
    assert_response(&out, 403);
    assert!(contains(&out, lines));
    let mut out = Vec::new();
    let accepting = upgrade.clone().with_field("X", value).unwrap();
    assert_eq!(accepting.response_fields().last(), Some(("X", value)));
    let _: Connection = accepting.with_field("Y", "y").unwrap().accept(&mut out);
    assert!(contains(&out, lines));
    // The same bytes are rejected as in text.
    for (name, value, error) in bad_fields() {
        let fields = [(name, value.as_bytes())];
        assert_eq!(request.respond_bytes(200, &fields, b"", &mut none), Err(error));
        assert_eq!(
            upgrade.clone().reject_bytes(403, &fields, b"", &mut none),
            Err(error)
        );
        assert_eq!(
            upgrade.clone().with_field(name, value.as_bytes()).err(),
            Some(error)
        );
    }
    assert!(none.is_empty());
}

// ---- the upgrade --------------------------------------------------------------------------------------------------------

// RFC 9110 section 7.8: 9110-7.8-02; RFC 6455 section 4.2.1: 6455-4.2.1-01; decision D27
#[test]
fn server_rejects_upgrade_in_http_1_0() {
    assert_refused(
        &changed(b"HTTP/1.1", b"HTTP/1.0"),
        HandshakeError::HttpVersionTooOld,
        426,
    );
    let plain = request(b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!((plain.version(), plain.authority()), ((1, 0), None));
}

// RFC 9110 section 7.8: 9110-7.8-02
#[test]
fn server_ignores_upgrade_in_http_1_0() {
    assert!(!request(&changed(b"HTTP/1.1", b"HTTP/1.0")).is_upgrade());
    assert!(request(&changed(b"HTTP/1.1", b"HTTP/1.2")).is_upgrade());
}

// RFC 9110 section 7.8: 9110-7.8-03, 9110-7.8-04
#[test]
fn server_finds_websocket_in_upgrade() {
    for upgrade in [
        "Upgrade: h2c, websocket",
        "Upgrade: WebSocket",
        "Upgrade: WEBSOCKET",
        "Upgrade: h2c\r\nUpgrade: websocket",
        "Upgrade: ,websocket ,",
    ] {
        let bytes = changed(b"Upgrade: websocket", upgrade.as_bytes());
        assert!(request(&bytes).is_upgrade());
        assert_accepts(&bytes);
    }
}

// RFC 9110 section 7.8: 9110-7.8-03, 9110-7.8-04, 9110-7.8-05; RFC 6455 section 4.2.1: 6455-4.2.1-03
#[test]
fn server_rejects_other_upgrades() {
    for upgrade in [
        "h2c",
        "websocketx",
        "xwebsocket",
        "websocket/13",
        "web socket",
        "",
        "\"websocket\"",
    ] {
        let bytes = changed(b"Upgrade: websocket", format!("Upgrade: {upgrade}").as_bytes());
        assert!(!request(&bytes).is_upgrade());
        assert_refused(&bytes, HandshakeError::MissingUpgrade, 426);
    }
    let bytes = without(b"Upgrade: websocket\r\n");
    assert!(!request(&bytes).is_upgrade());
    assert_refused(&bytes, HandshakeError::MissingUpgrade, 426);
}

// RFC 9110 section 7.8: 9110-7.8-05; RFC 6455 section 4.2.2: 6455-4.2.2-04; section 4.4: 6455-4.4-02
#[test]
fn server_says_what_a_426_has_to_say() {
    let (_, out) = refusal(&changed(b"Version: 13", b"Version: 25"));
    let expected = "HTTP/1.1 426 Upgrade Required\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade, close\r\n\
        Sec-WebSocket-Version: 13\r\n\
        Content-Type: text/plain\r\n\
        Content-Length: 31\r\n\
        \r\n\
        Sec-WebSocket-Version is not 13";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

// RFC 6455 section 4.2.1: 6455-4.2.1-01
#[test]
fn server_rejects_other_methods() {
    for method in ["POST", "get", "PUT", "OPTIONS"] {
        let (error, out) = refusal(&changed(b"GET", method.as_bytes()));
        assert_eq!(error, HandshakeError::MethodNotGet);
        assert_response(&out, 405);
        assert!(contains(&out, b"\r\nAllow: GET\r\n"));
    }
}

// RFC 6455 section 4.2.1: 6455-4.2.1-01; RFC 9110 section 9.3.2: no body for HEAD
#[test]
fn server_rejects_head_without_body() {
    let (error, out) = refusal(&changed(b"GET", b"HEAD"));
    assert_eq!(error, HandshakeError::MethodNotGet);
    assert!(out.starts_with(b"HTTP/1.1 405 ") && out.ends_with(b"Content-Length: 40\r\n\r\n"));
    let (_, out) = rejection(b"HEAD / HTTP/1.1\r\n\r\n");
    assert!(out.starts_with(b"HTTP/1.1 400 ") && out.ends_with(b"\r\n\r\n"));
    let (_, out) = rejection(b"HEAD / HTTP/1.1\r\nX : y\r\n\r\n");
    assert!(out.starts_with(b"HTTP/1.1 400 ") && out.ends_with(b"\r\n\r\n"));
}

// ---- key and version ----------------------------------------------------------------------------------------------------

// RFC 6455 section 4.2.1: 6455-4.2.1-05, 6455-4.2.1-12; section 4.3; decision D30
#[test]
fn server_rejects_malformed_keys() {
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZWU=",
        "dGhlIHNhbXBsZSBub25jZWVl",
        "dGhlIHNhbXBsZSBub25j ZQ==",
        "dGhlIHNhbXBsZSBub2-jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        "k",
    ] {
        let bytes = changed(b"dGhlIHNhbXBsZSBub25jZQ==", key.as_bytes());
        assert_refused(&bytes, HandshakeError::MalformedKey, 400);
    }
}

// RFC 6455 section 4.2.1: 6455-4.2.1-05
#[test]
fn server_rejects_request_without_key() {
    let bytes = without(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
    assert_refused(&bytes, HandshakeError::MissingKey, 400);
}

// RFC 6455 section 11.3.1: 6455-11.3-01
#[test]
fn server_rejects_repeated_key() {
    let same = with(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
    assert_refused(&same, HandshakeError::RepeatedKey, 400);
    let other = with(b"sec-websocket-key: AQIDBAUGBwgJCgsMDQ4PEA==");
    assert_refused(&other, HandshakeError::RepeatedKey, 400);
}

// RFC 6455 section 4.2.1: 6455-4.2.1-06; section 4.2.2: 6455-4.2.2-10; decision D30
#[test]
fn server_hashes_the_key_as_it_came() {
    let accept = |key: &[u8]| {
        let out = accepted(&changed(b"dGhlIHNhbXBsZSBub25jZQ==", key));
        String::from_utf8(out).unwrap().split("Accept: ").nth(1).unwrap()[..28].to_string()
    };
    let key = websocket_proto::handshake::key::accept_key;
    assert_eq!(
        accept(b"AQIDBAUGBwgJCgsMDQ4PEC==").as_bytes(),
        key(b"AQIDBAUGBwgJCgsMDQ4PEC==")
    );
    assert_ne!(
        accept(b"AQIDBAUGBwgJCgsMDQ4PEC=="),
        accept(b"AQIDBAUGBwgJCgsMDQ4PEA==")
    );
    assert_eq!(
        accept(b" \tdGhlIHNhbXBsZSBub25jZQ== \t"),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
}

// RFC 6455 section 4.2.1: 6455-4.2.1-07; section 4.2.2: 6455-4.2.2-04; section 4.3: 6455-4.3-01; decisions D31, D32
#[test]
fn server_rejects_other_versions() {
    for version in [
        "8", "0", "25", "013", "+13", "13, 8", "13,13", "256", "-1", "1e1", "", "13.0", "13a",
    ] {
        let bytes = changed(b"Version: 13", format!("Version: {version}").as_bytes());
        assert_refused(&bytes, HandshakeError::UnsupportedVersion, 426);
    }
    assert_refused(
        &without(b"Sec-WebSocket-Version: 13\r\n"),
        HandshakeError::MissingVersion,
        426,
    );
}

// RFC 6455 section 11.3.5: 6455-11.3-02
#[test]
fn server_rejects_repeated_version() {
    assert_refused(
        &with(b"Sec-WebSocket-Version: 13"),
        HandshakeError::RepeatedVersion,
        400,
    );
    assert_refused(
        &with(b"Sec-WebSocket-Version: 8"),
        HandshakeError::RepeatedVersion,
        400,
    );
}

// ---- origin, subprotocols, extensions -----------------------------------------------------------------------------------

// RFC 6455 section 4.2.1: 6455-4.2.1-08
#[test]
fn server_reports_the_origin() {
    assert_eq!(request(GOOD).upgrade(&mut Vec::new()).unwrap().origin(), None);
    for origin in [
        "https://example.com",
        "null",
        "http://a.example http://b.example",
        "moz-extension://x",
    ] {
        let request = request(&with(format!("Origin:  {origin} ").as_bytes()));
        assert_eq!(request.origin(), Some(origin.as_bytes()));
        assert_eq!(request.upgrade(&mut Vec::new()).unwrap().origin(), Some(origin));
    }
}

// RFC 6454 section 5: host and port; the scheme implies the port if it is omitted
#[test]
fn server_compares_the_origin_with_the_host() {
    for (origin, host, same) in [
        ("http://example.com", "example.com", true),
        ("https://Example.com", "example.COM", true),
        ("http://example.com:80", "example.com", true),
        ("https://example.com", "example.com:443", true),
        ("https://example.com:8443", "example.com:8443", true),
        ("http://example.com", "example.com:443", false),
        ("https://example.com:8443", "example.com", false),
        ("https://example.com.evil.example", "example.com", false),
        ("https://user@example.com", "example.com", false),
        ("http://[::1]", "[::1]:80", true),
        ("http://[::1]", "[::2]", false),
        ("http://[::1]", "example.com", false),
        ("http://example.com", "[::1]", false),
        ("ws://example.com", "example.com", false),
        ("example.com", "example.com", false),
        ("null", "example.com", false),
    ] {
        let host = changed(
            b"Host: example.com",
            format!("Host: {host}\r\nOrigin: {origin}").as_bytes(),
        );
        let request = request(&host);
        let upgrade = request.upgrade(&mut Vec::new()).unwrap();
        assert_eq!(upgrade.is_same_origin(), same, "{origin}");
    }
    let request = request(GOOD);
    assert!(!request.upgrade(&mut Vec::new()).unwrap().is_same_origin());
}

// RFC 6455 section 4.2.1: 6455-4.2.1-12
#[test]
fn server_rejects_malformed_origins() {
    assert_refused(
        &with(b"Origin: a\r\nOrigin: a"),
        HandshakeError::RepeatedOrigin,
        400,
    );
    assert_refused(
        &with(b"Origin:\r\nOrigin: https://example.com"),
        HandshakeError::RepeatedOrigin,
        400,
    );
    assert_refused(
        &with(b"Origin: http://\xc3\xa9"),
        HandshakeError::MalformedOrigin,
        400,
    );
    assert_refused(&with(b"Origin: a\tb"), HandshakeError::MalformedOrigin, 400);
}

// RFC 6455 section 4.2.1: 6455-4.2.1-12; decision D57
#[test]
fn server_counts_an_empty_origin_as_none() {
    for line in ["Origin:", "Origin: ", "Origin: \t"] {
        let bytes = with(line.as_bytes());
        assert_accepts(&bytes);
        let upgrade = request(&bytes);
        let upgrade = upgrade.upgrade(&mut Vec::new()).unwrap();
        assert_eq!((upgrade.origin(), upgrade.is_same_origin()), (None, false));
    }
}

// RFC 6455 section 4.2.2: 6455-4.2.2-03; section 10.2: 6455-10.2-01
#[test]
fn server_rejects_foreign_origin_with_403() {
    let request = request(&with(b"Origin: https://evil.example"));
    let upgrade = request.upgrade(&mut Vec::new()).unwrap();
    let mut out = Vec::new();
    assert_ne!(upgrade.origin(), Some("https://example.com"));
    upgrade.reject(403, &[], b"", &mut out).unwrap();
    let expected = b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(out, expected);
}

// RFC 6455 section 4.2.1: 6455-4.2.1-09; section 11.3.4: 6455-11.3-04
#[test]
fn server_reports_subprotocols_in_order() {
    for lines in [
        "Sec-WebSocket-Protocol: b, a,c",
        "Sec-WebSocket-Protocol: b\r\nX: y\r\nSec-WebSocket-Protocol: a , c",
        "Sec-WebSocket-Protocol:\r\nSec-WebSocket-Protocol: ,b,,a\r\nsec-websocket-protocol: c",
    ] {
        let request = request(&with(lines.as_bytes()));
        let upgrade = request.upgrade(&mut Vec::new()).unwrap();
        assert!(upgrade.subprotocols().eq(["b", "a", "c"]), "{lines:?}");
    }
    assert_eq!(
        request(GOOD)
            .upgrade(&mut Vec::new())
            .unwrap()
            .subprotocols()
            .count(),
        0
    );
}

// RFC 6455 section 4.2.1: 6455-4.2.1-12; section 4.3: 6455-4.3-02
#[test]
fn server_rejects_malformed_subprotocols() {
    for value in ["", ",", " ,\t,"] {
        let bytes = with(format!("Sec-WebSocket-Protocol: {value}").as_bytes());
        assert_refused(&bytes, HandshakeError::EmptySubprotocols, 400);
    }
    for value in ["ch at", "a/b", "\"a\"", "a, b c", "\u{e9}", "a;b"] {
        let bytes = with(format!("Sec-WebSocket-Protocol: {value}").as_bytes());
        assert_refused(&bytes, HandshakeError::MalformedSubprotocol, 400);
    }
    assert_refused(
        &with(b"Sec-WebSocket-Protocol: a\xff"),
        HandshakeError::MalformedSubprotocol,
        400,
    );
}

// RFC 6455 section 4.1: 6455-4.1-15, the server's half
#[test]
fn server_rejects_repeated_subprotocols() {
    for between in 0..20 {
        let names: String = (0..between).map(|i| format!("{i}, ")).collect();
        let one = with(format!("Sec-WebSocket-Protocol: a, {names}a").as_bytes());
        assert_refused(&one, HandshakeError::RepeatedSubprotocol, 400);
    }
    let two = with(b"Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a");
    assert_refused(&two, HandshakeError::RepeatedSubprotocol, 400);
    assert_accepts(&with(b"Sec-WebSocket-Protocol: a, A"));
}

// RFC 6455 section 10.1: 6455-10.1-01. As many as fit in a large head, in less than quadratic time.
#[test]
fn server_accepts_thousands_of_subprotocols() {
    let names: Vec<String> = (0..100_000).map(|i| i.to_string()).collect();
    let config = Config::new().max_head_size(1024 * 1024);
    let bytes = with(format!("Sec-WebSocket-Protocol: {}", names.join(",")).as_bytes());
    let request = receive_with(&config, &bytes).0.unwrap().unwrap();
    assert_eq!(
        request.upgrade(&mut Vec::new()).unwrap().subprotocols().count(),
        names.len()
    );
}

// RFC 6455 section 4.2.1: 6455-4.2.1-10; section 9.1: 6455-9.1-03, 6455-9.1-04, 6455-9.1-07; section 11.3.2: 6455-11.3-05
#[test]
fn server_reports_extensions_in_order() {
    for lines in [
        "Sec-WebSocket-Extensions: foo, permessage-deflate; a=\"1\"; b, PERMESSAGE-DEFLATE",
        "Sec-WebSocket-Extensions: foo\r\nSec-WebSocket-Extensions: permessage-deflate ; a = 1;b, PERMESSAGE-DEFLATE",
    ] {
        let request = request(&with(lines.as_bytes()));
        let upgrade = request.upgrade(&mut Vec::new()).unwrap();
        let offers: Vec<String> = upgrade
            .extensions()
            .map(|extension| extension.to_string())
            .collect();
        assert_eq!(
            offers,
            ["foo", "permessage-deflate; a=1; b", "PERMESSAGE-DEFLATE"]
        );
    }
}

// RFC 6455 section 9.1: 6455-9.1-02; section 4.2.1: 6455-4.2.1-12; section 4.3: 6455-4.3-03, 6455-4.3-04; decision D33
#[test]
fn server_rejects_malformed_extensions() {
    for value in MALFORMED_EXTENSIONS {
        let bytes = with(format!("Sec-WebSocket-Extensions: {value}").as_bytes());
        assert_refused(&bytes, HandshakeError::MalformedExtensions, 400);
    }
    let second = with(b"Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: b;");
    assert_refused(&second, HandshakeError::MalformedExtensions, 400);
    assert_refused(
        &with(b"Sec-WebSocket-Extensions: \xff"),
        HandshakeError::MalformedExtensions,
        400,
    );
    assert_accepts(&with(
        b"Sec-WebSocket-Extensions: permessage-deflate ; client_max_window_bits = 10",
    ));
}

// RFC 6455 section 9.1: 6455-9.1-02; section 4.2.1: 6455-4.2.1-12
#[test]
fn server_rejects_empty_extensions() {
    for lines in EMPTY_EXTENSIONS {
        let bytes = with(lines.as_bytes());
        assert_refused(&bytes, HandshakeError::EmptyExtensions, 400);
    }
    assert_accepts(&with(
        b"Sec-WebSocket-Extensions:\r\nSec-WebSocket-Extensions: ,a,\r\nSec-WebSocket-Extensions: ,",
    ));
}

// RFC 6455 section 9.1: 6455-9.1-05, 6455-9.1-06; section 9.2: 6455-9.2-01; section 4.2.2: 6455-4.2.2-08; decision D34
#[test]
fn server_accepts_no_extension() {
    let offer = with(b"Sec-WebSocket-Extensions: permessage-deflate; bad=parameter, x-other");
    assert_eq!(accepted(&offer), ACCEPTED);
    let request = request(&offer);
    let upgrade = request.upgrade(&mut Vec::new()).unwrap();
    let error = upgrade
        .with_field("Sec-WebSocket-Extensions", "permessage-deflate")
        .unwrap_err();
    assert_eq!(error, HandshakeMisuse::ReservedField);
}

// RFC 6455 section 4.2.1: 6455-4.2.1-11; section 11.3.3: 6455-11.3-03
#[test]
fn server_ignores_unknown_fields() {
    let lines = b"X-Foo: bar\r\nCookie: a=b\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Foo: y\r\nSec-Fetch-Mode: websocket";
    assert_eq!(accepted(&with(lines)), ACCEPTED);
}

// RFC 6455 section 10.5: 6455-10.5-02
#[test]
fn server_shows_fields_before_the_decision() {
    let request = request(&with(b"Authorization: Basic YTpi\r\nCookie: a=b\r\nCookie: c=d"));
    assert_eq!(request.field("authorization"), Some(&b"Basic YTpi"[..]));
    let cookies: Vec<&[u8]> = request
        .fields()
        .filter(|(name, _)| *name == "Cookie")
        .map(|(_, value)| value)
        .collect();
    assert_eq!(cookies, [b"a=b", b"c=d"]);
}

// ---- the answer ---------------------------------------------------------------------------------------------------------

// RFC 6455 section 4.2.2: 6455-4.2.2-09, 6455-4.2.2-07; section 11.3.3: 6455-11.3-03; RFC 9110 section 7.8: 9110-7.8-01
#[test]
fn server_writes_the_101() {
    assert_eq!(accepted(GOOD), ACCEPTED);
    // Without a subprotocol there is no field, whatever was offered.
    assert_eq!(accepted(&with(b"Sec-WebSocket-Protocol: a, b")), ACCEPTED);
}

// RFC 6455 section 4.2.2: 6455-4.2.2-09
#[test]
fn server_writes_protocol_and_fields() {
    let request = request(&with(b"Sec-WebSocket-Protocol: a, chat"));
    let upgrade = request.upgrade(&mut Vec::new()).unwrap();
    let upgrade = upgrade
        .with_subprotocol("chat")
        .unwrap()
        .with_field("Set-Cookie", "a=b")
        .unwrap();
    let upgrade = upgrade
        .with_field("Set-Cookie", "c: d")
        .unwrap()
        .with_field("X", "")
        .unwrap();
    let mut out = b"before".to_vec();
    let _: Connection = upgrade.accept(&mut out);
    let expected = "beforeHTTP/1.1 101 Switching Protocols\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Protocol: chat\r\n\
        Set-Cookie: a=b\r\n\
        Set-Cookie: c: d\r\n\
        X: \r\n\
        \r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

// RFC 6455 section 4.2.2: 6455-4.2.2-06
#[test]
fn server_refuses_to_choose_an_unoffered_subprotocol() {
    let request = request(&with(b"Sec-WebSocket-Protocol: chat"));
    let upgrade = request.upgrade(&mut Vec::new()).unwrap();
    for name in ["x", "Chat", "", "chat, x", "chat\r\nX: y"] {
        assert_eq!(
            upgrade.clone().with_subprotocol(name).unwrap_err(),
            HandshakeMisuse::UnofferedSubprotocol
        );
    }
    let twice = upgrade.with_subprotocol("chat").unwrap().with_subprotocol("chat");
    assert_eq!(twice.unwrap_err(), HandshakeMisuse::RepeatedSubprotocol);
}

// RFC 9110 section 5.3: 9110-5.3-02; section 5.5: 9110-5.5-01; RFC 9112 section 5.2: 9112-5.2-01; section 6.1: 9112-6.1-01
#[test]
fn server_refuses_fields_that_would_inject() {
    let request = request(GOOD);
    let upgrade = request.upgrade(&mut Vec::new()).unwrap();
    for (name, value, error) in bad_fields() {
        assert_eq!(
            upgrade.clone().with_field(name, value).unwrap_err(),
            error,
            "{name:?}"
        );
        let mut out = b"before".to_vec();
        assert_eq!(
            upgrade
                .clone()
                .reject(400, &[("X", "y"), (name, value)], b"", &mut out)
                .unwrap_err(),
            error
        );
        assert_eq!(
            request.respond(200, &[(name, value)], b"", &mut out).unwrap_err(),
            error
        );
        assert_eq!(out, b"before");
    }
}

// RFC 6455 section 4.2.2: 6455-4.2.2-02, 6455-4.2.2-05; RFC 9112 section 4: 9112-4-02
#[test]
fn server_rejects_with_any_status() {
    let request = request(GOOD);
    let upgrade = request.upgrade(&mut Vec::new()).unwrap();
    let mut out = Vec::new();
    upgrade
        .clone()
        .reject(
            401,
            &[("WWW-Authenticate", "Basic realm=\"x\"")],
            b"who?",
            &mut out,
        )
        .unwrap();
    let expected = "HTTP/1.1 401 Unauthorized\r\n\
        Connection: close\r\n\
        WWW-Authenticate: Basic realm=\"x\"\r\n\
        Content-Length: 4\r\n\
        \r\n\
        who?";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    for (status, start) in [
        (404, "HTTP/1.1 404 Not Found\r\n"),
        (302, "HTTP/1.1 302 Found\r\n"),
        (599, "HTTP/1.1 599 \r\n"),
    ] {
        let mut out = Vec::new();
        upgrade.clone().reject(status, &[], b"", &mut out).unwrap();
        assert!(out.starts_with(start.as_bytes()));
        assert_response(&out, status);
    }
}

// RFC 9110 section 15.5.22: a 426 from the caller has the required field.
#[test]
fn server_completes_a_426_of_the_caller() {
    let mut out = Vec::new();
    request(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .respond(426, &[], b"", &mut out)
        .unwrap();
    assert!(contains(
        &out,
        b"\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n"
    ));
}

// RFC 9110 section 15, 8.6, 9.3.2, 9.3.6
#[test]
fn server_frames_plain_responses() {
    let get = request(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = request(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    let connect = request(b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut out = Vec::new();
    head.respond(200, &[], b"page", &mut out).unwrap();
    assert_eq!(
        out,
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"
    );
    for status in [204, 304] {
        let mut out = Vec::new();
        get.respond(status, &[], b"", &mut out).unwrap();
        assert!(!contains(&out, b"Content-Length"));
        assert_eq!(
            get.respond(status, &[], b"x", &mut out).unwrap_err(),
            HandshakeMisuse::UnexpectedBody
        );
    }
    let mut out = Vec::new();
    for status in [0, 100, 101, 199, 600, 999, 1000, u16::MAX] {
        assert_eq!(
            get.respond(status, &[], b"", &mut out).unwrap_err(),
            HandshakeMisuse::UnusableStatus
        );
    }
    assert_eq!(
        get.respond(205, &[], b"x", &mut out).unwrap_err(),
        HandshakeMisuse::UnexpectedBody
    );
    assert_eq!(
        connect.respond(200, &[], b"", &mut out).unwrap_err(),
        HandshakeMisuse::UnusableStatus
    );
    assert!(out.is_empty());
    connect.respond(405, &[], b"", &mut out).unwrap();
}

// RFC 9110 sections 9.3.6 and 15: a final status, but not a success of CONNECT, after which a tunnel would follow
#[test]
fn server_responds_with_final_statuses() {
    for (method, target, refused) in [
        ("GET", "/", 0..200),
        ("HEAD", "/", 0..200),
        ("CONNECT", "h:1", 0..300),
    ] {
        let request = request(format!("{method} {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        for status in (0..1000).chain([u16::MAX]) {
            let usable = status < 600 && !refused.contains(&status);
            let expected = if usable {
                Ok(())
            } else {
                Err(HandshakeMisuse::UnusableStatus)
            };
            assert_eq!(
                request.respond(status, &[], b"", &mut Vec::new()),
                expected,
                "{method} {status}"
            );
        }
    }
}

// RFC 9112 section 4: a reason for common statuses, none for others; the space is always there
#[test]
fn server_names_statuses() {
    let get = request(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut reasons = HashSet::new();
    for status in 200..600 {
        let mut out = Vec::new();
        get.respond(status, &[], b"", &mut out).unwrap();
        let line = out.split(|&byte| byte == b'\r').next().unwrap();
        let reason = line
            .strip_prefix(format!("HTTP/1.1 {status} ").as_bytes())
            .unwrap();
        let is_named = matches!(
            status,
            200 | 204 | 301..=304 | 307 | 308 | 400 | 401 | 403..=406 | 408 | 410 | 414 | 417 | 421 | 426 | 429 | 431 | 500..=505
        );
        assert_eq!(!reason.is_empty(), is_named, "{status}");
        assert!(!is_named || reasons.insert(reason.to_vec()), "{status}");
    }
}

// RFC 6455 section 4.2.2: 6455-4.2.2-11
#[test]
fn server_sends_frames_right_behind_its_response() {
    let mut out = Vec::new();
    let mut connection = request(GOOD).upgrade(&mut out).unwrap().accept(&mut out);
    connection.send_text("hi", &mut out).unwrap();
    assert_eq!(out, [ACCEPTED, b"\x81\x02hi"].concat());
}

// RFC 6455 section 4.2.2: 6455-4.2.2-12; decision D40
#[test]
fn server_leaves_frames_in_the_input() {
    let frame = b"\x81\x82\x00\x00\x00\x00hi";
    let (result, out, tail) = receive_with(&Config::new(), &[GOOD, frame].concat());
    assert!(result.unwrap().is_some() && out.is_empty());
    assert_eq!(tail, frame);
}

// RFC 6455 section 4.2.2: 6455-4.2.2-13
#[test]
fn server_does_not_consume_bytes_after_the_head() {
    let frames = vec![0x81; 1024 * 1024];
    let (mut bytes, mut out) = ([GOOD, &frames].concat(), Vec::new());
    let mut input = &mut bytes[..];
    let mut server = ServerHandshake::new(&Config::new());
    let request = server.receive(&mut input, &mut out).unwrap().unwrap();
    assert_eq!(input.len(), frames.len());
    request
        .upgrade(&mut out)
        .unwrap()
        .reject(503, &[], b"", &mut out)
        .unwrap();
    assert_eq!(
        server.receive(&mut input, &mut out).unwrap_err(),
        HandshakeError::Finished
    );
    assert_eq!(input.len(), frames.len());
}

// RFC 6455 section 4.2: 6455-4.2-01. Until the head is complete, all input is consumed and nothing is sent.
#[test]
fn server_waits_for_the_complete_head() {
    let mut server = ServerHandshake::new(&Config::new());
    let mut out = Vec::new();
    for &byte in &GOOD[..GOOD.len() - 1] {
        let mut bytes = [byte];
        let mut input = &mut bytes[..];
        assert!(server.receive(&mut input, &mut out).unwrap().is_none());
        assert!(input.is_empty() && out.is_empty());
    }
    assert!(server.receive(&mut &mut [][..], &mut out).unwrap().is_none());
    assert!(
        server
            .receive(&mut &mut b"\n".to_owned()[..], &mut out)
            .unwrap()
            .is_some()
    );
}

// RFC 6455 section 10.7: 6455-10.7-01
#[test]
fn server_fuses_errors() {
    let mut server = ServerHandshake::new(&Config::new());
    let (mut bytes, mut out) = (b"\x16\x03\x01".to_owned(), Vec::new());
    let mut input = &mut bytes[..];
    assert_eq!(
        server.receive(&mut input, &mut out).unwrap_err(),
        HandshakeError::MalformedMethod
    );
    assert_eq!(input, b"\x03\x01");
    let written = out.len();
    assert_response(&out, 400);
    for _ in 0..2 {
        assert_eq!(
            server.receive(&mut input, &mut out).unwrap_err(),
            HandshakeError::MalformedMethod
        );
        assert_eq!((input.len(), out.len()), (2, written));
    }
    assert_eq!(server.receive_eof(), HandshakeError::MalformedMethod);
}

// RFC 6455 section 10.7: 6455-10.7-01
#[test]
fn server_reports_the_end_of_the_transport() {
    let mut server = ServerHandshake::new(&Config::new());
    let mut out = Vec::new();
    assert!(
        server
            .receive(&mut &mut b"GET".to_owned()[..], &mut out)
            .unwrap()
            .is_none()
    );
    assert_eq!(server.receive_eof(), HandshakeError::Eof);
    assert_eq!(server.receive_eof(), HandshakeError::Eof);
    assert_eq!(
        server
            .receive(&mut &mut b"x".to_owned()[..], &mut out)
            .unwrap_err(),
        HandshakeError::Eof
    );
    assert!(out.is_empty());
}

// Nothing secret is shown.
#[test]
fn server_debug_hides_values() {
    let request = request(&with(b"Cookie: secret"));
    let mut server = ServerHandshake::new(&Config::new());
    let text = format!("{request:?} {server:?}");
    assert!(text.contains("/chat") && text.contains("Cookie") && text.contains("finished: None"));
    server.receive_eof();
    assert!(format!("{server:?}").contains("finished: Some(Eof)"));
    assert!(!text.contains("x=1") && !text.contains("secret"));
    let upgrade = request.upgrade(&mut Vec::new()).unwrap();
    let text = format!("{:?}", upgrade.with_field("Set-Cookie", "secret").unwrap());
    assert!(text.contains("/chat") && !text.contains("x=1") && !text.contains("secret"));
}

// RFC 6455 section 4.2.2: 6455-4.2.2-06, 6455-4.2.2-07
#[test]
fn server_selects_the_first_subprotocol_that_it_supports() {
    let request = request(&with(b"Sec-WebSocket-Protocol: a, b, c"));
    let select = |supported: &[&str]| {
        let upgrade = request.upgrade(&mut Vec::new()).unwrap();
        let upgrade = upgrade.select_subprotocol(supported);
        let field = upgrade
            .response_fields()
            .find(|(name, _)| *name == "Sec-WebSocket-Protocol");
        assert_eq!(
            upgrade.selected_subprotocol().map(str::as_bytes),
            field.map(|(_, value)| value)
        );
        upgrade.selected_subprotocol().map(String::from)
    };
    assert_eq!(select(&["c", "b"]).as_deref(), Some("b"));
    assert_eq!(select(&["B", "d"]), None);
    assert_eq!(select(&[]), None);
    // An earlier choice is kept, whether by name or from a list.
    let upgrade = request.upgrade(&mut Vec::new()).unwrap();
    let chosen = upgrade.with_subprotocol("c").unwrap();
    for supported in [&["a"][..], &["d"], &[]] {
        let again = chosen.clone().select_subprotocol(supported);
        assert_eq!(again.selected_subprotocol(), Some("c"));
    }
    let again = chosen.select_subprotocol(&["a"]).with_subprotocol("a");
    assert_eq!(again.unwrap_err(), HandshakeMisuse::RepeatedSubprotocol);
}

// ---- requests read by another server ------------------------------------------------------------------------------------

const FIELDS: [(&str, &[u8]); 6] = [
    ("host", b"example.com"),
    ("upgrade", b"websocket"),
    ("connection", b"keep-alive, Upgrade"),
    ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", b"13"),
    ("sec-websocket-protocol", b"a, chat"),
];

// RFC 6455 section 4.2.2: 6455-4.2.2-09
#[test]
fn server_upgrades_parsed_requests() {
    let upgrade = Upgrade::from_fields(&Config::new(), "GET", "/p?q", (1, 1), FIELDS).unwrap();
    assert_eq!(
        (upgrade.path(), upgrade.query(), upgrade.authority()),
        ("/p", Some("q"), "example.com")
    );
    let upgrade = upgrade
        .with_subprotocol("chat")
        .unwrap()
        .with_field("Set-Cookie", "a=b")
        .unwrap();
    let fields: Vec<(&str, &[u8])> = upgrade.response_fields().collect();
    let expected = [
        ("Upgrade", &b"websocket"[..]),
        ("Connection", b"Upgrade"),
        ("Sec-WebSocket-Accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("Sec-WebSocket-Protocol", b"chat"),
        ("Set-Cookie", b"a=b"),
    ];
    assert_eq!(fields, expected);
    let _: Connection = upgrade.into_connection();
}

// RFC 6455 section 4.2.1: the same rules; RFC 9112 section 2.3: 9112-2.3-02
#[test]
fn server_refuses_parsed_requests() {
    let check = |method, target, version, at: usize, value: &'static [u8]| {
        let mut fields = FIELDS;
        fields[at].1 = value;
        Upgrade::from_fields(&Config::new(), method, target, version, fields).unwrap_err()
    };
    let good = b"example.com";
    assert_eq!(check("POST", "/", (1, 1), 0, good), HandshakeError::MethodNotGet);
    assert_eq!(
        check("GET", "*", (1, 1), 0, good),
        HandshakeError::MalformedTarget
    );
    assert_eq!(check("GET", "", (1, 1), 0, good), HandshakeError::MalformedTarget);
    assert_eq!(
        check("GET", "/ x", (1, 1), 0, good),
        HandshakeError::MalformedTarget
    );
    assert_eq!(
        check("GET", "/", (1, 0), 0, good),
        HandshakeError::HttpVersionTooOld
    );
    for (method, target) in [("GET", "/"), ("PRI", "*")] {
        let error = check(method, target, (2, 0), 0, good);
        assert_eq!(
            error,
            HandshakeError::UnsupportedHttpVersion { major: 2, minor: 0 }
        );
    }
    assert_eq!(
        check("GET", "/\t", (2, 0), 0, good),
        HandshakeError::MalformedTarget
    );
    // RFC 9110 section 5.5: 9110-5.5-01
    assert_eq!(
        check("GET", "/", (1, 1), 0, b"\0"),
        HandshakeError::MalformedFieldValue
    );
    assert_eq!(
        check("GET", "/", (1, 1), 0, b"a b"),
        HandshakeError::MalformedHost
    );
    assert_eq!(check("GET", "/", (1, 1), 0, b""), HandshakeError::MalformedHost);
    assert_eq!(
        check("GET", "/", (1, 1), 2, b"close"),
        HandshakeError::MissingConnectionUpgrade
    );
    assert_eq!(check("GET", "/", (1, 1), 3, b"k"), HandshakeError::MalformedKey);
    assert_eq!(
        check("GET", "/", (1, 1), 5, b"a\r\nb"),
        HandshakeError::MalformedFieldValue
    );
    assert_eq!(
        check("GET", "/", (1, 1), 5, b"a b"),
        HandshakeError::MalformedSubprotocol
    );
    assert_eq!(
        check("G T", "/", (1, 1), 0, good),
        HandshakeError::MalformedMethod
    );
    let error = check("GET", "/", (1, 1), 4, b"8");
    assert_eq!((error, error.status()), (HandshakeError::UnsupportedVersion, 426));
    // RFC 9110 section 9.3.2: no content for HEAD
    let no_get = HandshakeError::MethodNotGet;
    for (method, error, (from, to)) in [
        ("GET", error, (&b"Version: 13"[..], &b"Version: 8"[..])),
        ("HEAD", no_get, (b"GET", b"HEAD")),
        ("POST", no_get, (b"GET", b"POST")),
    ] {
        let (mut out, mut own) = (Vec::new(), Vec::new());
        error.respond(method, &mut out);
        let request = request(&changed(from, to));
        assert_eq!(request.upgrade(&mut own).unwrap_err(), error);
        assert_eq!(out, own, "as where the crate reads the request");
        assert_eq!(out.ends_with(b"\r\n\r\n"), method == "HEAD");
    }
    let expected = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
    ];
    assert_eq!(error.response_fields(), expected);
    assert_eq!(HandshakeError::MethodNotGet.response_fields(), [("Allow", "GET")]);
    assert!(HandshakeError::MissingHost.response_fields().is_empty());
}

// ---- helpers ------------------------------------------------------------------------------------------------------------

fn receive_with(
    config: &Config,
    bytes: &[u8],
) -> (Result<Option<Request>, HandshakeError>, Vec<u8>, Vec<u8>) {
    let (mut bytes, mut out) = (bytes.to_vec(), Vec::new());
    let mut input = &mut bytes[..];
    let result = ServerHandshake::new(config).receive(&mut input, &mut out);
    (result, out, input.to_vec())
}

#[track_caller]
fn request(bytes: &[u8]) -> Request {
    let (result, out, tail) = receive_with(&Config::new(), bytes);
    assert!(out.is_empty() && tail.is_empty());
    result.unwrap().unwrap()
}

#[track_caller]
fn accepted(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let request = request(bytes);
    let _: Connection = request.upgrade(&mut out).unwrap().accept(&mut out);
    out
}

#[track_caller]
fn assert_accepts(bytes: &[u8]) {
    assert!(accepted(bytes).starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
}

/// The result of `receive` for bytes that are not a request.
#[track_caller]
fn rejection(bytes: &[u8]) -> (HandshakeError, Vec<u8>) {
    let (result, out, _) = receive_with(&Config::new(), bytes);
    (result.unwrap_err(), out)
}

#[track_caller]
fn assert_malformed(bytes: &[u8], expected: HandshakeError) {
    let (error, out) = rejection(bytes);
    assert_eq!(error, expected, "{:?}", String::from_utf8_lossy(bytes));
    assert_response(&out, 400);
}

/// The result of `upgrade` for a request that is not for WebSocket.
#[track_caller]
fn refusal(bytes: &[u8]) -> (HandshakeError, Vec<u8>) {
    let mut out = Vec::new();
    let request = request(bytes);
    let error = request.upgrade(&mut out).unwrap_err();
    (error, out)
}

#[track_caller]
fn assert_refused(bytes: &[u8], expected: HandshakeError, status: u16) {
    let (error, out) = refusal(bytes);
    assert_eq!(error, expected, "{:?}", String::from_utf8_lossy(bytes));
    assert_response(&out, status);
    if status == 426 {
        assert!(contains(
            &out,
            b"\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n"
        ));
    }
}

/// Whether this is one complete response that ends the connection, according to an independent parser.
#[track_caller]
fn assert_response(out: &[u8], status: u16) {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = response.parse(out).unwrap() else {
        panic!("no whole head")
    };
    assert_eq!(response.code, Some(status));
    let field = |name: &str| {
        let mut found = response
            .headers
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(name));
        let value = found
            .next()
            .map(|field| std::str::from_utf8(field.value).unwrap());
        assert!(found.next().is_none());
        value
    };
    assert!(field("Connection").unwrap().ends_with("close"));
    assert_eq!(
        field("Content-Length"),
        Some((out.len() - length).to_string().as_str())
    );
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The valid request with a part replaced.
#[track_caller]
fn changed(from: &[u8], to: &[u8]) -> Vec<u8> {
    Head(GOOD).changed(from, to)
}

#[track_caller]
fn without(line: &[u8]) -> Vec<u8> {
    changed(line, b"")
}

/// The valid request with lines added at its end.
fn with(lines: &[u8]) -> Vec<u8> {
    Head(GOOD).with(lines)
}
