//! What a client requests, and how it judges the server's response. The comment before each test names the rows of
//! `REQUIREMENTS.md` that it covers, and their sources.
#![cfg(feature = "alloc")]

#[path = "common/heads.rs"]
mod heads;

use heads::*;
use websocket_proto::handshake::{
    Answer, ClientHandshake, ClientRequest, HandshakeError, HandshakeMisuse, Response, UrlPart,
};
use websocket_proto::{Config, Connection, Entropy, entropy};

/// The accept value for the key of [`nonce`].
const GOOD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: C/0nmHhBztSRGR1CwL6Tf4ZjwpY=\r\n\
    \r\n";

// ---- the request --------------------------------------------------------------------------------------------------------

// RFC 6455 section 4.1: 6455-4.1-06, 6455-4.1-08, 6455-4.1-09, 6455-4.1-10, 6455-4.1-11, 6455-4.1-14; RFC 9110 section 7.8:
// 9110-7.8-01; erratum 3150
#[test]
fn client_writes_the_request() {
    let expected = "GET /chat HTTP/1.1\r\n\
        Host: example.com\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\
        Sec-WebSocket-Version: 13\r\n\
        \r\n";
    assert_eq!(
        written(ClientRequest::new("example.com", "/chat").unwrap()),
        expected
    );
}

// RFC 6455 section 4.1: 6455-4.1-13, 6455-4.1-15, 6455-4.1-16, 6455-4.1-17; RFC 9110 section 5.6.1: 9110-5.6.1-02
#[test]
fn client_writes_all_options() {
    let request = ClientRequest::new("h:8080", "/?a=b").unwrap();
    let request = request.with_origin("https://example.com").unwrap();
    let request = request
        .with_subprotocol("v2.chat")
        .unwrap()
        .with_subprotocol("chat")
        .unwrap();
    let request = request
        .with_extension("permessage-deflate ;client_max_window_bits")
        .unwrap();
    let request = request.with_extension("x-a;b=\"c\"").unwrap();
    let request = request
        .with_field("Cookie", "a=b")
        .unwrap()
        .with_field("Authorization", "Basic YTpi")
        .unwrap();
    let expected = "GET /?a=b HTTP/1.1\r\n\
        Host: h:8080\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\
        Sec-WebSocket-Version: 13\r\n\
        Origin: https://example.com\r\n\
        Sec-WebSocket-Protocol: v2.chat, chat\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-a; b=c\r\n\
        Cookie: a=b\r\n\
        Authorization: Basic YTpi\r\n\
        \r\n";
    assert_eq!(written(request), expected);
}

// RFC 9112 sections 3.2 and 3.2.1: 9112-3.2-01, 9112-3.2.1-01; RFC 6455 section 3: 6455-3-01; section 4.1: 6455-4.1-07,
// 6455-4.1-08
#[test]
fn client_derives_host_and_target_from_the_url() {
    for (url, secure, port, host, target) in [
        ("ws://h", false, 80, "h", "/"),
        ("ws://h/", false, 80, "h", "/"),
        ("ws://h?q", false, 80, "h", "/?q"),
        ("ws://h/?", false, 80, "h", "/"),
        ("ws://h/p?", false, 80, "h", "/p"),
        ("ws://h?", false, 80, "h", "/"),
        ("ws://h/p??", false, 80, "h", "/p??"),
        ("ws://h:80/", false, 80, "h", "/"),
        ("ws://h:/", false, 80, "h", "/"),
        ("ws://h:0080/", false, 80, "h", "/"),
        ("ws://h:81/", false, 81, "h:81", "/"),
        ("ws://h:443/", false, 443, "h:443", "/"),
        ("ws://h:8080/p", false, 8080, "h:8080", "/p"),
        ("wss://h/p?x=1", true, 443, "h", "/p?x=1"),
        ("wss://h:443/p", true, 443, "h", "/p"),
        ("wss://h:80/p", true, 80, "h:80", "/p"),
        ("WSS://h/p", true, 443, "h", "/p"),
        ("ws://[::1]/p", false, 80, "[::1]", "/p"),
        ("ws://[2001:db8::1]:81/p", false, 81, "[2001:db8::1]:81", "/p"),
        ("ws://h/a?b=ws://c/d", false, 80, "h", "/a?b=ws://c/d"),
    ] {
        let request = ClientRequest::from_url(url).unwrap();
        assert_eq!(
            (request.is_secure(), request.port(), request.target()),
            (secure, port, target),
            "{url}"
        );
        let bare = host
            .trim_end_matches(&format!(":{port}"))
            .trim_matches(['[', ']']);
        assert_eq!(request.host(), bare);
        let bytes = written(request);
        assert!(
            bytes.starts_with(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n")),
            "{url}"
        );
        assert_eq!(bytes.matches("Host:").count(), 1);
    }
}

// RFC 6455 section 3: 6455-3-02; section 4.1: 6455-4.1-01; RFC 3986 section 3. The error names the first invalid part.
#[test]
fn client_refuses_urls() {
    for (part, urls) in [
        (
            UrlPart::Scheme,
            &[
                "",
                "h",
                "/p",
                "//h/",
                "h:80",
                "ftp://h/",
                "wsx://h/",
                " ws://h/",
                "://h/",
                "ftp://u@h:x/ #",
            ][..],
        ),
        (
            UrlPart::UserInformation,
            &["ws://u@h/", "ws://u:p@h/", "ws://@h/", "ws://:@h/", "ws://a@b@h/"],
        ),
        (
            UrlPart::Host,
            &[
                "ws:",
                "ws:h",
                "ws:/h",
                "ws://",
                "ws:///p",
                "ws://?q",
                "ws://#f",
                "ws://:80/",
                "ws://h h/",
                "ws://\u{e9}/",
                "ws://h\r\nX: y/",
                "ws://h,i/",
                "ws://::1/",
                "ws://fe80::1/",
                "ws://[::1/",
                "ws://[::1%ee0]/",
                "ws://[::1%25]/",
                "ws://[]/",
                "ws://[h]/",
                "ws://h%/",
                "ws://%C3%A9/",
                "ws://h%20/",
                "ws://h%2Fp/",
                "ws://h h:x/a b",
            ],
        ),
        (
            UrlPart::Port,
            &[
                "ws://h:x/",
                "ws://h:65536/",
                "ws://h:-1/",
                "ws://h:+1/",
                "ws://[::1]x/",
                "ws://h:8o/a b#",
            ],
        ),
        (
            UrlPart::Path,
            &[
                "ws://h/a b",
                "ws://h/\u{e9}",
                "ws://h/\r\nX: y",
                "ws://h/\x7f",
                "ws://h/a b?c d#f",
            ],
        ),
        (
            UrlPart::Query,
            &["ws://h/?a b", "ws://h?\u{e9}", "ws://h/?\n", "ws://h/?\0#f"],
        ),
        (
            UrlPart::Fragment,
            &["ws://h/#f", "ws://h#f", "ws://h/?q#", "ws://h#", "ws://h#a?b"],
        ),
    ] {
        for url in urls {
            let error = ClientRequest::from_url(url).unwrap_err();
            assert_eq!(error.part(), part, "{url:?}");
            // The text names the part, such as "user information of the URL ...".
            let words = format!("{part:?}").replace("UserI", "user i").to_lowercase();
            assert!(error.to_string().contains(&words), "{error}");
        }
    }
}

// RFC 6455 section 3: 6455-3-01; the schemes of HTTP mean the same. Decision D60
#[test]
fn client_accepts_the_schemes_of_http() {
    for (one, other) in [("http", "ws"), ("HTTPS", "wss"), ("https", "wss")] {
        for rest in ["://h", "://h:80/p?q", "://h:443", "://h:81/"] {
            let [one, other] = [one, other].map(|scheme| {
                let request = ClientRequest::from_url(&format!("{scheme}{rest}")).unwrap();
                (request.is_secure(), request.port(), written(request))
            });
            assert_eq!(one, other);
        }
    }
}

// RFC 3986 section 6.2.2.2; decision D60
#[test]
fn client_decodes_what_of_a_host_is_encoded_without_need() {
    for (host, expected) in [
        ("ex%61mple.com", "example.com"),
        ("%45xample%2ecom", "Example.com"),
        ("%7e%5F%2d", "~_-"),
        ("a!$&'()*+;=b", "a!$&'()*+;=b"),
        ("127.0.0.1", "127.0.0.1"),
    ] {
        let request = ClientRequest::from_url(&format!("ws://{host}:81/")).unwrap();
        assert_eq!(request.host(), expected);
        assert!(written(request).contains(&format!("\r\nHost: {expected}:81\r\n")));
        let request = ClientRequest::new(host, "/").unwrap();
        assert_eq!(request.host(), expected);
    }
    let refused = ClientRequest::new("h%2f", "/").unwrap_err();
    assert_eq!(refused, HandshakeMisuse::MalformedAuthority);
}

// RFC 6874 section 3: also after a bare `%`, unless two hexadecimal digits follow. Decision D63
#[test]
fn client_keeps_the_zone_to_itself() {
    for (authority, zone, host) in [
        ("[fe80::1%25eth0]:8080", Some("eth0"), "[fe80::1]:8080"),
        ("[fe80::1%25eth0]", Some("eth0"), "[fe80::1]"),
        ("[fe80::1%251]", Some("1"), "[fe80::1]"),
        ("[fe80::1%eth0]:8080", Some("eth0"), "[fe80::1]:8080"),
        ("[fe80::1%en1]", Some("en1"), "[fe80::1]"),
        ("[fe80::1%1]", Some("1"), "[fe80::1]"),
        ("[fe80::1%25ee1]", Some("ee1"), "[fe80::1]"),
        ("[fe80::1]", None, "[fe80::1]"),
        ("h", None, "h"),
    ] {
        let url = ClientRequest::from_url(&format!("ws://{authority}/")).unwrap();
        for request in [ClientRequest::new(authority, "/").unwrap(), url] {
            assert_eq!(request.zone(), zone);
            assert_eq!(
                request.host(),
                host.trim_end_matches(":8080").trim_matches(['[', ']'])
            );
            assert_eq!(request.clone().with_secure(true).zone(), zone);
            assert!(written(request).starts_with(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n")));
        }
    }
    for authority in [
        "[fe80::1%ee1]",
        "[fe80::1%25]",
        "[fe80::1%]",
        "[fe80::1%a%b]",
        "[%eth0]",
        "[fe80::1%e/]",
    ] {
        let error = ClientRequest::from_url(&format!("ws://{authority}")).unwrap_err();
        assert_eq!(error.part(), UrlPart::Host, "{authority}");
    }
}

// RFC 6874 section 1: a zone has a meaning only on the client's machine, so a server that redirects to itself cannot include it
// in the Location. Decision D61
#[test]
fn client_is_redirected_within_its_zone() {
    for (location, zone, is_same) in [
        ("/x", Some("eth0"), true),
        ("http://[fe80::1]/x", Some("eth0"), true),
        ("http://[FE80::1]/x", Some("eth0"), true),
        ("http://[fe80::1]:81/x", Some("eth0"), false),
        ("http://[fe80::1%25eth0]/x", Some("eth0"), true),
        ("http://[fe80::1%25eth1]/x", Some("eth1"), false),
        ("http://[fe80::2]/x", None, false),
        ("http://h/x", None, false),
    ] {
        let request = ClientRequest::from_url_with_credentials("ws://u:p@[fe80::1%25eth0]/").unwrap();
        let next = request.redirect(location).unwrap();
        assert_eq!(next.zone(), zone, "{location}");
        assert_eq!(written(next).contains("Authorization"), is_same, "{location}");
    }
}

// RFC 3986 section 3.2.1, RFC 7617 section 2; decision D62
#[test]
fn client_sends_credentials_of_a_url_on_request() {
    let url = "wss://Aladdin:open%20sesame@h:81/p?q";
    let error = ClientRequest::from_url(url).unwrap_err();
    assert_eq!(error.part(), UrlPart::UserInformation);
    let request = ClientRequest::from_url_with_credentials(url).unwrap();
    let debug = format!("{request:?}");
    assert!(!debug.contains("Aladdin") && !debug.contains("sesame") && !debug.contains("QWxh"));
    let plain = ClientRequest::from_url("wss://h:81/p?q").unwrap();
    let field = plain
        .with_field("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        .unwrap();
    assert_eq!(written(request), written(field));
    // Without user information it is the same as `from_url`.
    let plain = ClientRequest::from_url_with_credentials("ws://h/").unwrap();
    assert_eq!(
        written(plain),
        written(ClientRequest::from_url("ws://h/").unwrap())
    );
    for url in [
        "ws://a%3ab@h/",
        "ws://a:%0d%0aX@h/",
        "ws://a b@h/",
        "ws://a%@h/",
        "ws://a@b@h/",
        "ws://\u{e9}@h/",
    ] {
        let error = ClientRequest::from_url_with_credentials(url).unwrap_err();
        assert_eq!(error.part(), UrlPart::UserInformation, "{url:?}");
    }
    let error = ClientRequest::from_url_with_credentials("ws://a@h:x/").unwrap_err();
    assert_eq!(error.part(), UrlPart::Port);
}

// RFC 9110 section 10.2.2, RFC 3986 section 5.2; decision D61. The table of references is in `handshake::url`.
#[test]
fn client_follows_a_redirect() {
    for (location, secure, host, target) in [
        ("/x", true, "h:81", "/x"),
        ("x?y#z", true, "h:81", "/a/x?y"),
        ("../..//x", true, "h:81", "//x"),
        ("", true, "h:81", "/a/b?c"),
        ("#z", true, "h:81", "/a/b?c"),
        ("?", true, "h:81", "/a/b"),
        ("//i", true, "i", "/"),
        ("//i:81/./x/../y?z", true, "i:81", "/y?z"),
        ("https://i", true, "i", "/"),
        ("WSS://h:81/x|y", true, "h:81", "/x|y"),
        ("wss://[fe80::1%25eth0]:82/", true, "[fe80::1]:82", "/"),
        ("https://i:443/", true, "i", "/"),
        ("https://i:80/", true, "i:80", "/"),
    ] {
        let request = ClientRequest::from_url("wss://h:81/a/b?c").unwrap();
        let request = request
            .with_origin("https://o")
            .unwrap()
            .with_subprotocol("chat")
            .unwrap();
        let request = request
            .with_extension("ext")
            .unwrap()
            .with_field("X", "y")
            .unwrap();
        let next = request.redirect(location).unwrap();
        assert_eq!(
            (next.is_secure(), next.target()),
            (secure, target),
            "{location:?}"
        );
        let text = written(next);
        let rest = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\nSec-WebSocket-Version: 13\r\nOrigin: https://o\r\n\
             Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: ext\r\nX: y\r\n\r\n"
        );
        assert_eq!(text, rest, "{location:?}");
    }
    // To TLS, but not away from it.
    let request = ClientRequest::from_url("ws://h/").unwrap();
    let next = request.clone().redirect("https://h/").unwrap();
    assert_eq!((next.is_secure(), next.port()), (true, 443));
    assert!(!request.redirect("http://i/").unwrap().is_secure());
    for (location, part) in [
        (&b"ws://h:81/"[..], UrlPart::Scheme),
        (b"http://h:81/", UrlPart::Scheme),
        (b"ftp://h/", UrlPart::Scheme),
        (b"mailto:a", UrlPart::Scheme),
        (b"a:b", UrlPart::Scheme),
        (b"wss:x", UrlPart::Host),
        (b"wss:///x", UrlPart::Host),
        (b"//", UrlPart::Host),
        (b"//u@i/", UrlPart::UserInformation),
        (b"//i:x/", UrlPart::Port),
        (b"//i%2f/", UrlPart::Host),
        (b"/a b", UrlPart::Path),
        (b"/\xe9", UrlPart::Path),
        (b"/?\xe9", UrlPart::Query),
        (b"/\r\nX: y", UrlPart::Path),
    ] {
        let request = ClientRequest::from_url("wss://h:81/a/b?c").unwrap();
        let error = request.redirect(location).unwrap_err();
        assert_eq!(error.part(), part, "{:?}", String::from_utf8_lossy(location));
    }
}

// RFC 9110 section 15.4: credentials are for the server that they were given for. Decision D61
#[test]
fn client_drops_credentials_on_a_redirect_to_another_server() {
    for (location, is_same) in [
        ("/x", true),
        ("//H/x", true),
        ("ws://h:80/", true),
        ("http://h/", true),
        ("//i/", false),
        ("//h:81/", false),
        ("wss://h:80/", false),
        ("https://h/", false),
        ("//h.i/", false),
    ] {
        let request = ClientRequest::from_url_with_credentials("ws://u:p@h/").unwrap();
        let fields = ["cookie", "Proxy-Authorization", "X", "AUTHORIZATION"];
        let request = fields.into_iter().fold(request, |request, name| {
            request.with_field(name, "secret").unwrap()
        });
        let text = written(request.redirect(location).unwrap());
        assert_eq!(
            text.matches("secret").count(),
            if is_same { 4 } else { 1 },
            "{location}"
        );
        assert_eq!(text.contains("Basic"), is_same, "{location}");
        assert!(text.contains("\r\nX: secret\r\n"));
    }
}

// RFC 6455 section 4.1: 6455-4.1-01
#[test]
fn client_refuses_authorities_and_targets() {
    for authority in [
        "",
        ":80",
        "a b",
        "a/b",
        "a,b",
        "u@a",
        "a:x",
        "a:99999",
        "a\r\nX: y",
        "\u{e9}",
        "::1",
        "[::1",
    ] {
        assert_eq!(
            ClientRequest::new(authority, "/").unwrap_err(),
            HandshakeMisuse::MalformedAuthority,
            "{authority:?}"
        );
    }
    for target in [
        "",
        "p",
        "?q",
        "*",
        "http://h/",
        "/#f",
        "/a b",
        "/\r\n",
        "/\0",
        "/\u{e9}",
        "/\x7f",
    ] {
        assert_eq!(
            ClientRequest::new("h", target).unwrap_err(),
            HandshakeMisuse::MalformedTarget,
            "{target:?}"
        );
    }
}

// RFC 6455 section 4.1: 6455-4.1-01, 6455-4.1-05. Browsers send these unchanged, and servers accept them. Decision D59
#[test]
fn client_sends_targets_as_browsers_do() {
    for target in [
        "/ws?f[id]=1",
        "/?a|b",
        "/?q={1}",
        "/?ABC%s0A",
        "/?x^y",
        "/%",
        "/\"<>\\`?\"<>\\`",
        "/a?%%41",
    ] {
        assert_eq!(ClientRequest::new("h", target).unwrap().target(), target);
        let request = ClientRequest::from_url(&format!("ws://h{target}")).unwrap();
        assert!(written(request).starts_with(&format!("GET {target} HTTP/1.1\r\n")));
    }
    for byte in 0..=u8::MAX {
        let text = format!("/{0}a?{0}", char::from(byte));
        let is_taken = byte.is_ascii_graphic() && byte != b'#';
        assert_eq!(ClientRequest::new("h", &text).is_ok(), is_taken, "{text:?}");
        assert_eq!(
            ClientRequest::from_url(&format!("ws://h{text}")).is_ok(),
            is_taken,
            "{text:?}"
        );
    }
}

// RFC 6455 section 4.1: 6455-4.1-08
#[test]
fn client_leaves_the_default_port_out_of_host() {
    for (authority, port, host) in [
        ("h:80", 80, "h"),
        ("h:", 80, "h"),
        ("[::1]:80", 80, "[::1]"),
        ("h:443", 443, "h:443"),
        ("h:8080", 8080, "h:8080"),
    ] {
        let request = ClientRequest::new(authority, "/").unwrap();
        assert_eq!((request.is_secure(), request.port()), (false, port));
        let expected = format!("GET / HTTP/1.1\r\nHost: {host}\r\n");
        assert!(written(request).starts_with(&expected), "{authority}");
    }
}

// RFC 6455 section 4.1: 6455-4.1-08
#[test]
fn client_can_ask_an_authority_over_tls() {
    for (authority, secure, port, host) in [
        ("h", true, 443, "h"),
        ("h:443", true, 443, "h"),
        ("h:80", true, 80, "h:80"),
        ("[::1]:8080", true, 8080, "[::1]:8080"),
        ("h:443", false, 443, "h:443"),
        ("h:80", false, 80, "h"),
    ] {
        // The last value counts.
        for earlier in [false, true] {
            let request = ClientRequest::new(authority, "/").unwrap();
            let request = request.with_secure(earlier).with_secure(secure);
            assert_eq!((request.is_secure(), request.port()), (secure, port));
            let expected = format!("GET / HTTP/1.1\r\nHost: {host}\r\n");
            assert!(written(request).starts_with(&expected), "{authority}");
        }
    }
}

// RFC 6455 section 4.1: 6455-4.1-15, 6455-4.1-01
#[test]
fn client_refuses_subprotocols() {
    for name in ["", "a b", "\u{e9}", "a,b", "a/b", "a\r\n", "\"a\""] {
        assert_eq!(
            request().with_subprotocol(name).unwrap_err(),
            HandshakeMisuse::MalformedSubprotocol,
            "{name:?}"
        );
    }
    let twice = request()
        .with_subprotocol("a")
        .unwrap()
        .with_subprotocol("b")
        .unwrap()
        .with_subprotocol("a");
    assert_eq!(twice.unwrap_err(), HandshakeMisuse::RepeatedSubprotocol);
}

// RFC 6455 section 4.1: 6455-4.1-13
#[test]
fn client_refuses_origins() {
    for origin in ["", " ", " a", "a ", "http://\u{e9}", "a\r\nX: y", "a\0"] {
        assert_eq!(
            request().with_origin(origin).unwrap_err(),
            HandshakeMisuse::MalformedOrigin,
            "{origin:?}"
        );
    }
    let twice = request().with_origin("a").unwrap().with_origin("b");
    assert_eq!(twice.unwrap_err(), HandshakeMisuse::RepeatedOrigin);
}

// RFC 6455 section 9.1: 6455-9.1-01; section 4.1: 6455-4.1-16
#[test]
fn client_refuses_extensions() {
    for offer in ["", ",", "a,b", "a;", "a b", "a; b=\"c d\"", "a\r\nX: y", "\u{e9}"] {
        assert_eq!(
            request().with_extension(offer).unwrap_err(),
            HandshakeMisuse::MalformedExtension,
            "{offer:?}"
        );
    }
}

// RFC 6455 section 4.1: 6455-4.1-17; RFC 9110 section 5.3: 9110-5.3-02; section 5.5: 9110-5.5-01; RFC 9112: 9112-5.2-01
#[test]
fn client_refuses_fields_that_would_inject() {
    for (name, value, error) in bad_fields() {
        assert_eq!(
            request().with_field(name, value).unwrap_err(),
            error,
            "{name:?} {value:?}"
        );
    }
}

// RFC 9110 section 5.5: 9110-5.5-02; decision D68. Text in another encoding, and values received from a peer, can be forwarded.
#[test]
fn client_sends_values_as_bytes() {
    let all: Vec<u8> = (b' '..0x7f).chain(0x80..=0xff).chain([b'\t', b'.']).collect();
    let request = request()
        .with_field("X", &all)
        .unwrap()
        .with_field("Y", "\u{e9}")
        .unwrap();
    let request = request.with_field("Z", b"\xe9").unwrap();
    let (_, out) = start(request.clone());
    let line = [b"\r\nX: ", &all[..], b"\r\nY: \xc3\xa9\r\nZ: \xe9\r\n\r\n"].concat();
    assert!(out.ends_with(&line));
    let handshake = request.start_upgrade(&Config::new(), nonce());
    assert_eq!(handshake.fields().last(), Some(("Z", &b"\xe9"[..])));
    for byte in (0..b' ').chain([0x7f]).filter(|byte| *byte != b'\t') {
        let refused = self::request().with_field("X", [b'a', byte, 0xff]).unwrap_err();
        assert_eq!(refused, HandshakeMisuse::MalformedFieldValue, "{byte:#x}");
    }
}

// RFC 6455 section 4.1: 6455-4.1-11, 6455-4.1-12
#[test]
fn client_draws_a_nonce_for_each_request() {
    use std::sync::atomic::{AtomicU8, Ordering};
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let key = || {
        let mut out = Vec::new();
        let entropy = entropy::from_fn(|bytes| {
            assert_eq!(bytes.len(), 16);
            bytes.fill(NEXT.fetch_add(1, Ordering::Relaxed));
        });
        let _ = request().start(&Config::new(), entropy, &mut out);
        let text = String::from_utf8(out).unwrap();
        text.split("Key: ")
            .nth(1)
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap()
            .to_string()
    };
    let (first, second) = (key(), key());
    assert_ne!(first, second);
    for key in [first, second] {
        assert_eq!(key.len(), 24);
        assert!(key.ends_with("==") && matches!(key.as_bytes()[21], b'A' | b'Q' | b'g' | b'w'));
    }
}

// ---- heads of responses -------------------------------------------------------------------------------------------------

// RFC 9112 section 4: 9112-4-01
#[test]
fn client_accepts_any_reason() {
    for reason in [&b""[..], b"\xe9", b"Web Socket Protocol Handshake", b"a\tb", b" "] {
        assert_accepts(&changed(b"Switching Protocols", reason));
    }
    assert_accepts(&changed(b"HTTP/1.1", b"HTTP/1.2"));
}

// RFC 9112 section 4: 9112-4-01; decision D56. Tutorials' servers write `HTTP/1.1 101` and no more.
#[test]
fn client_accepts_a_status_line_without_its_last_space() {
    assert_accepts(&changed(b" Switching Protocols", b""));
    for status in [200, 302, 403, 999] {
        let response = rejected(format!("HTTP/1.1 {status}\r\nX: y\r\n\r\n").as_bytes());
        assert_eq!(
            (response.status(), response.field("X")),
            (status, Some(&b"y"[..]))
        );
    }
    assert_accepts(&[b"HTTP/1.1 103\r\n\r\n", GOOD].concat());
    assert_fails(b"HTTP/1.1 101\rX", HandshakeError::BareCarriageReturn);
    assert_fails(b"HTTP/1.1 10\r\n", HandshakeError::MalformedStatus);
}

// RFC 9112 section 4: 9112-4-01
#[test]
fn client_rejects_malformed_status_lines() {
    for status in [
        "1010 x", "1x1 x", "10 x", "10", " 101 x", "099 x", "001 x", "-10 x", "101\tx", "+101 x",
    ] {
        let bytes = changed(b"101 Switching Protocols", status.as_bytes());
        assert_fails(&bytes, HandshakeError::MalformedStatus);
    }
    for version in MALFORMED_VERSIONS
        .into_iter()
        .chain(["\r\nHTTP/1.1", " HTTP/1.1", "\x16\x03"])
    {
        assert_fails(
            &changed(b"HTTP/1.1", version.as_bytes()),
            HandshakeError::MalformedHttpVersion,
        );
    }
    let alone = changed(b" 101 Switching Protocols", b"");
    assert_fails(&alone, HandshakeError::MalformedHttpVersion);
    assert_fails(&changed(b"Switching", b"\0"), HandshakeError::MalformedFieldValue);
}

// RFC 9112 section 2.3: 9112-2.3-01
#[test]
fn client_rejects_other_http_versions() {
    let error = HandshakeError::UnsupportedHttpVersion { major: 2, minor: 0 };
    assert_fails(&changed(b"HTTP/1.1", b"HTTP/2.0"), error);
    assert_fails(
        &changed(b"HTTP/1.1", b"HTTP/1.0"),
        HandshakeError::HttpVersionTooOld,
    );
}

// RFC 9112 section 2.2: 9112-2.2-02, 9112-2.2-03; decision D25
#[test]
fn client_rejects_bare_line_ends() {
    let lines: Vec<u8> = GOOD.iter().copied().filter(|&byte| byte != b'\r').collect();
    assert_fails(&lines, HandshakeError::BareLineFeed);
    assert_fails(b"\n", HandshakeError::BareLineFeed);
    assert_fails(b"HTTP/1.1\n", HandshakeError::BareLineFeed);
    assert_fails(b"HTTP/1.1 1\n", HandshakeError::BareLineFeed);
    assert_fails(&with(b"X: a\rb"), HandshakeError::BareCarriageReturn);
}

// RFC 9112 section 5: 9112-5-01, 9112-5.1-01; section 2.2: 9112-2.2-05; RFC 9110 section 5.5: 9110-5.5-01
#[test]
fn client_rejects_malformed_field_lines() {
    for line in MALFORMED_FIELD_LINES {
        assert_fails(&with(line), HandshakeError::MalformedFieldName);
    }
    assert_fails(&with(b"a b: x"), HandshakeError::SpaceBeforeColon);
    assert_fails(
        &changed(b"Upgrade:", b"Upgrade :"),
        HandshakeError::SpaceBeforeColon,
    );
    assert_fails(
        &changed(b"\r\nUpgrade", b"\r\n X: y\r\nUpgrade"),
        HandshakeError::SpaceBeforeFields,
    );
    assert_fails(&with(b"X: a\0b"), HandshakeError::MalformedFieldValue);
}

// RFC 9112 section 5.2: 9112-5.2-03; decision D37
#[test]
fn client_unfolds_fields() {
    for (lines, value) in [
        (&b"X: a\r\n b"[..], &b"a b"[..]),
        (b"X: a\r\n\tb", b"a b"),
        (b"X: a \t\r\n \t b\t", b"a b"),
        (b"X: a\r\n b\r\n  c", b"a b c"),
        (b"X:\r\n a", b"a"),
        (b"X: \r\n \r\n a", b"a"),
        (b"X: a\r\n \r\n \t\r\n b", b"a b"),
        (b"X: a\r\n ", b"a"),
        (b"X:\r\n ", b""),
        (b"X: a\r\n b: c", b"a b: c"),
    ] {
        assert_eq!(
            accepted(&with(lines)).field("X"),
            Some(value),
            "{:?}",
            String::from_utf8_lossy(lines)
        );
    }
    assert_accepts(&changed(b"Accept: ", b"Accept:\r\n "));
    assert_accepts(&changed(b"Connection: ", b"Connection: a,\r\n\t"));
}

// RFC 9112 section 2.2: 9112-2.2-04; section 5.1: 9112-5.1-02; RFC 9110 sections 5.1 and 5.5: 9110-5.1-01, 9110-5.5-02
#[test]
fn client_hands_out_fields() {
    let response = accepted(&with(b"X: \x80\xff\t~ \r\nx:2"));
    assert_eq!(response.field("x"), Some(&b"\x80\xff\t~"[..]));
    let all: Vec<_> = response
        .fields()
        .filter(|(name, _)| name.eq_ignore_ascii_case("x"))
        .collect();
    assert_eq!(all, [("X", &b"\x80\xff\t~"[..]), ("x", b"2")]);
}

// RFC 6455 section 4.1: 6455-4.1-30; section 10.4: 6455-10.4-01
#[test]
fn client_bounds_the_head() {
    let limit = 16 * 1024;
    for start in [
        &b"HTTP/1.1 200 "[..],
        b"HTTP/1.1 101 x\r\nX: ",
        b"HTTP/1.1 101 x\r\n",
    ] {
        let bytes = [start, &b"x".repeat(limit + 10 - start.len())].concat();
        let (result, tail) = answer_with(&Config::new(), request(), &bytes);
        assert_eq!(result.unwrap_err(), HandshakeError::HeadTooLarge { limit });
        assert_eq!(tail.len(), 10);
    }
    let lines = b"X:\r\n".repeat(100);
    assert_fails(&with(&lines), HandshakeError::TooManyFields { limit: 100 });
}

// RFC 6455 section 4.1: 6455-4.1-30. Nothing is sent, as after the end of the transport.
#[test]
fn client_gives_up_when_its_time_is_up() {
    for came in [&b""[..], b"HTTP/1.1 10", b"HTTP/1.1 103 x\r\n\r\n"] {
        let (mut client, mut out) = start(request());
        out.clear();
        let mut came = came.to_vec();
        assert!(client.receive(&mut &mut came[..], &mut out).unwrap().is_none());
        for _ in 0..2 {
            assert_eq!(client.handle_timeout(&mut out), HandshakeError::TimedOut);
        }
        let mut late = GOOD.to_vec();
        let mut input = &mut late[..];
        let error = client.receive(&mut input, &mut out).unwrap_err();
        assert_eq!(
            (error, input.len(), out.len()),
            (HandshakeError::TimedOut, GOOD.len(), 0)
        );
        assert_eq!(client.receive_eof(), HandshakeError::TimedOut);
    }
    // What was received before is kept.
    let (mut client, mut out) = start(request());
    assert_eq!(client.receive_eof(), HandshakeError::Eof);
    assert_eq!(client.handle_timeout(&mut out), HandshakeError::Eof);
    let (mut client, mut out) = start(request());
    assert!(
        client
            .receive(&mut &mut GOOD.to_vec()[..], &mut out)
            .unwrap()
            .is_some()
    );
    assert_eq!(client.handle_timeout(&mut out), HandshakeError::Finished);
}

// RFC 6455 section 4.1: 6455-4.1-30
#[test]
fn client_reports_the_end_of_the_transport() {
    let (mut client, mut out) = start(request());
    assert!(
        client
            .receive(&mut &mut b"HTTP/1.1 10".to_owned()[..], &mut out)
            .unwrap()
            .is_none()
    );
    assert_eq!(client.receive_eof(), HandshakeError::Eof);
    assert_eq!(client.receive_eof(), HandshakeError::Eof);
    assert_eq!(
        client
            .receive(&mut &mut b"1".to_owned()[..], &mut out)
            .unwrap_err(),
        HandshakeError::Eof
    );
}

// ---- interim responses --------------------------------------------------------------------------------------------------

// RFC 9110 section 15.2: 9110-15.2-01; decision D36
#[test]
fn client_skips_interim_responses() {
    let early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    let response = accepted(&[early, GOOD].concat());
    assert_eq!((response.status(), response.field("Link")), (101, None));
}

// RFC 9110 section 15.2: 9110-15.2-01; decision D36
#[test]
fn client_bounds_interim_responses() {
    let interim = b"HTTP/1.1 100 \r\n\r\n";
    assert_accepts(&[&interim.repeat(8), GOOD].concat());
    let error = HandshakeError::TooManyInterimResponses { limit: 8 };
    assert_fails(&[&interim.repeat(9), GOOD].concat(), error);
    let none = Config::new().max_interim_responses(0);
    let (result, _) = answer_with(&none, request(), interim);
    assert_eq!(
        result.unwrap_err(),
        HandshakeError::TooManyInterimResponses { limit: 0 }
    );
}

// ---- rejections ---------------------------------------------------------------------------------------------------------

// RFC 6455 section 4.1: 6455-4.1-20; section 10.5: 6455-10.5-01
#[test]
fn client_reports_rejections() {
    let bytes = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 4\r\n\r\nwho?";
    let (result, tail) = answer_with(&Config::new(), request(), bytes);
    let Ok(Some(Answer::Rejected(response))) = result else {
        panic!("not rejected")
    };
    assert_eq!(
        (response.status(), response.field("www-authenticate")),
        (401, Some(&b"Basic"[..]))
    );
    assert_eq!(tail, b"who?");
    for status in [200, 204, 302, 403, 404, 426, 503, 599, 999] {
        assert_eq!(
            rejected(format!("HTTP/1.1 {status} \r\n\r\n").as_bytes()).status(),
            status
        );
    }
    assert_eq!(rejected(b"HTTP/1.0 400 Bad Request\r\n\r\n").status(), 400);
    // All fields of an accepting response, but another status: nothing is negotiated.
    let lines = with(b"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: a");
    let response = rejected(&[b"HTTP/1.1 200", &lines[12..]].concat());
    assert_eq!((response.subprotocol(), response.extensions().count()), (None, 0));
}

// RFC 6455 section 4.4: 6455-4.4-01; section 11.3.5: 6455-11.3-02; section 4.3: 6455-4.3-01
#[test]
fn client_lists_supported_versions() {
    for lines in [
        "Sec-WebSocket-Version: 13, 8,7",
        "Sec-WebSocket-Version: 13\r\nsec-websocket-version: 8 ,, 7",
    ] {
        let response = rejected(format!("HTTP/1.1 426 Upgrade Required\r\n{lines}\r\n\r\n").as_bytes());
        assert!(response.supported_versions().eq([13, 8, 7]));
    }
    let odd = rejected(
        b"HTTP/1.1 400 \r\nSec-WebSocket-Version: 013, +8, 256, 99999, -1, x, 1e1, \xff, 255, 0\r\n\r\n",
    );
    assert!(odd.supported_versions().eq([255, 0]));
}

// ---- the 101 ------------------------------------------------------------------------------------------------------------

// RFC 6455 section 4.1: 6455-4.1-04, 6455-4.1-28; RFC 9110 section 7.8: 9110-7.8-07; decision D40. Before this there is no
// connection, and so no way to send a frame.
#[test]
fn client_opens_and_leaves_frames_in_the_input() {
    let (mut client, mut out) = start(request());
    out.clear();
    let mut bytes = [GOOD, b"\x81\x02hi"].concat();
    let mut input = &mut bytes[..];
    let Some(Answer::Accepted { connection, response }) = client.receive(&mut input, &mut out).unwrap()
    else {
        panic!("not accepted");
    };
    let _: Connection = connection;
    assert_eq!(
        (
            response.status(),
            response.subprotocol(),
            response.extensions().count()
        ),
        (101, None, 0)
    );
    assert_eq!(input, b"\x81\x02hi");
    assert_eq!(
        client.receive(&mut input, &mut out).unwrap_err(),
        HandshakeError::Finished
    );
    assert_eq!(client.receive_eof(), HandshakeError::Finished);
    assert_eq!((input.len(), out.len()), (4, 0));
}

// RFC 9112 section 6.3: 9112-6.3-01; decision D38
#[test]
fn client_ends_the_101_at_its_empty_line() {
    let frames = b"\x81\x02hi";
    for line in [
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "Content-Length: x",
    ] {
        let bytes = [&with(line.as_bytes())[..], frames].concat();
        let (result, tail) = answer_with(&Config::new(), request(), &bytes);
        assert!(matches!(result, Ok(Some(Answer::Accepted { .. }))));
        assert_eq!(tail, frames);
    }
}

// RFC 6455 section 4.1: 6455-4.1-21
#[test]
fn client_checks_upgrade() {
    for upgrade in ["WebSocket", "WEBSOCKET", " websocket\t", ",websocket,"] {
        assert_accepts(&changed(
            b"Upgrade: websocket",
            format!("Upgrade:{upgrade}").as_bytes(),
        ));
    }
    for upgrade in ["foo", "", "websocketx", "websocket/13", "h2c, spdy"] {
        let bytes = changed(b"Upgrade: websocket", format!("Upgrade: {upgrade}").as_bytes());
        assert_fails(&bytes, HandshakeError::MissingUpgrade);
    }
    for upgrade in [
        "websocket, h2c",
        "websocket, websocket",
        "h2c, websocket",
        "websocket\r\nUpgrade: websocket",
    ] {
        let bytes = changed(b"Upgrade: websocket", format!("Upgrade: {upgrade}").as_bytes());
        assert_fails(&bytes, HandshakeError::AmbiguousUpgrade);
    }
    assert_fails(
        &changed(b"Upgrade: websocket\r\n", b""),
        HandshakeError::MissingUpgrade,
    );
}

// RFC 6455 section 4.1: 6455-4.1-22; RFC 9110 sections 5.3, 5.6.1, 7.6.1: 9110-5.3-01, 9110-5.6.1-01, 9110-7.6.1-01
#[test]
fn client_checks_connection() {
    for line in [
        "Connection: keep-alive, Upgrade",
        "connection: UPGRADE",
        "Connection: a\r\nConnection: upgrade",
        "Connection: upgrade\r\nConnection: a",
        "Connection: ,, upgrade ,",
    ] {
        assert_accepts(&changed(b"Connection: Upgrade", line.as_bytes()));
    }
    for line in [
        "Connection: keep-alive",
        "Connection: close",
        "Connection: xupgrade",
        "Connection:",
        "X: y",
    ] {
        let bytes = changed(b"Connection: Upgrade", line.as_bytes());
        assert_fails(&bytes, HandshakeError::MissingConnectionUpgrade);
    }
}

// RFC 6455 section 4.1: 6455-4.1-23; section 11.3.3: 6455-11.3-03; RFC 9112 section 5.1: 9112-5.1-02
#[test]
fn client_checks_accept() {
    const ACCEPT: &[u8] = b"C/0nmHhBztSRGR1CwL6Tf4ZjwpY=";
    assert_accepts(&changed(b"Accept: ", b"Accept:\t \t"));
    assert_accepts(&changed(b"=\r\n", b"= \t\r\n"));
    let lower = ACCEPT.to_ascii_lowercase();
    for other in [
        &b""[..],
        b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        &lower,
        &ACCEPT[..27],
        b"\"C/0nmHhBztSRGR1CwL6Tf4ZjwpY=\"",
        b"\xff",
    ] {
        assert_fails(&changed(ACCEPT, other), HandshakeError::WrongAccept);
    }
    let line = [b"Sec-WebSocket-Accept: ", ACCEPT].concat();
    assert_fails(
        &changed(&[&line[..], b"\r\n"].concat(), b""),
        HandshakeError::MissingAccept,
    );
    assert_fails(&with(&line), HandshakeError::RepeatedAccept);
}

// RFC 6455 section 4.1: 6455-4.1-24; decision D39
#[test]
fn client_rejects_unoffered_extensions() {
    let line = b"Sec-WebSocket-Extensions: permessage-deflate";
    assert_fails(&with(line), HandshakeError::UnofferedExtension);
    let deflate = || request().with_extension("permessage-deflate").unwrap();
    let foo = with(b"Sec-WebSocket-Extensions: permessage-deflate, foo");
    assert_failure(deflate(), &foo, HandshakeError::UnofferedExtension);
    // RFC 6455 section 9.1: 6455-9.1-07
    let upper = with(b"Sec-WebSocket-Extensions: PERMESSAGE-DEFLATE");
    assert_failure(deflate(), &upper, HandshakeError::UnofferedExtension);
}

// RFC 6455 section 9.1; decision D39
#[test]
fn client_rejects_repeated_extensions() {
    let request = || {
        request()
            .with_extension("a")
            .unwrap()
            .with_extension("a; x")
            .unwrap()
            .with_extension("b")
            .unwrap()
    };
    for lines in [
        "Sec-WebSocket-Extensions: a, b, a",
        "Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: a; x",
    ] {
        assert_failure(
            request(),
            &with(lines.as_bytes()),
            HandshakeError::RepeatedExtension,
        );
    }
}

// RFC 6455 section 4.1: 6455-4.1-28, 6455-4.1-29; section 11.3.2: 6455-11.3-05; section 9.1: 6455-9.1-04
#[test]
fn client_reports_extensions_in_order() {
    for lines in [
        "Sec-WebSocket-Extensions: b; x=\"1\", a",
        "Sec-WebSocket-Extensions: b;x=1\r\nSec-WebSocket-Extensions: a",
    ] {
        let request = request()
            .with_extension("a")
            .unwrap()
            .with_extension("b")
            .unwrap();
        let (result, _) = answer_with(&Config::new(), request, &with(lines.as_bytes()));
        let Ok(Some(Answer::Accepted { response, .. })) = result else {
            panic!("not accepted")
        };
        let names: Vec<String> = response
            .extensions()
            .map(|extension| extension.to_string())
            .collect();
        assert_eq!(names, ["b; x=1", "a"]);
    }
}

// RFC 6455 section 9.1: 6455-9.1-02; section 4.3: 6455-4.3-03
#[test]
fn client_rejects_malformed_extensions() {
    for value in MALFORMED_EXTENSIONS {
        let request = request().with_extension("a").unwrap();
        let bytes = with(format!("Sec-WebSocket-Extensions: {value}").as_bytes());
        assert_failure(request, &bytes, HandshakeError::MalformedExtensions);
    }
}

// RFC 6455 section 9.1: 6455-9.1-02
#[test]
fn client_rejects_empty_extensions() {
    for lines in EMPTY_EXTENSIONS {
        assert_fails(&with(lines.as_bytes()), HandshakeError::EmptyExtensions);
    }
    let one = with(b"Sec-WebSocket-Extensions: ,\r\nSec-WebSocket-Extensions: ,a,");
    let request = request().with_extension("a").unwrap();
    let (result, _) = answer_with(&Config::new(), request, &one);
    assert!(matches!(result, Ok(Some(Answer::Accepted { .. }))));
}

// RFC 6455 section 4.1: 6455-4.1-25, 6455-4.1-28
#[test]
fn client_checks_the_subprotocol() {
    let request = || {
        request()
            .with_subprotocol("chat")
            .unwrap()
            .with_subprotocol("b")
            .unwrap()
    };
    let (result, _) = answer_with(&Config::new(), request(), &with(b"Sec-WebSocket-Protocol: \tb "));
    let Ok(Some(Answer::Accepted { response, .. })) = result else {
        panic!("not accepted")
    };
    assert_eq!(response.subprotocol(), Some("b"));
    assert_failure(
        request(),
        &with(b"Sec-WebSocket-Protocol:"),
        HandshakeError::EmptySubprotocols,
    );
    for value in ["Chat", "chat, b", "x", "chat,", "\"chat\""] {
        let bytes = with(format!("Sec-WebSocket-Protocol: {value}").as_bytes());
        assert_failure(request(), &bytes, HandshakeError::UnofferedSubprotocol);
    }
    assert_fails(
        &with(b"Sec-WebSocket-Protocol: chat"),
        HandshakeError::UnofferedSubprotocol,
    );
}

// RFC 6455 section 4.1: 6455-4.1-27; section 11.3.4: 6455-11.3-04
#[test]
fn client_rejects_repeated_subprotocol() {
    let bytes = with(b"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat");
    assert_failure(
        request().with_subprotocol("chat").unwrap(),
        &bytes,
        HandshakeError::SeveralSubprotocols,
    );
}

// RFC 6455 section 4.1: 6455-4.1-26; decision D35
#[test]
fn client_can_require_a_subprotocol() {
    let offering = || request().with_subprotocol("chat").unwrap();
    let require = Config::new().require_subprotocol(true);
    let (result, _) = answer_with(&Config::new(), offering(), GOOD);
    assert!(
        matches!(result, Ok(Some(Answer::Accepted { response, .. })) if response.subprotocol().is_none())
    );
    assert_eq!(
        answer_with(&require, offering(), GOOD).0.unwrap_err(),
        HandshakeError::MissingSubprotocol
    );
    assert!(matches!(
        answer_with(&require, request(), GOOD).0,
        Ok(Some(Answer::Accepted { .. }))
    ));
    let chosen = with(b"Sec-WebSocket-Protocol: chat");
    assert!(matches!(
        answer_with(&require, offering(), &chosen).0,
        Ok(Some(Answer::Accepted { .. }))
    ));
}

// RFC 6455 section 10.7: 6455-10.7-01. Nothing is sent, as no connection is open.
#[test]
fn client_fuses_errors() {
    let (mut client, mut out) = start(request());
    out.clear();
    let mut bytes = b"SSH-2.0".to_owned();
    let mut input = &mut bytes[..];
    for _ in 0..3 {
        let error = client.receive(&mut input, &mut out).unwrap_err();
        assert_eq!(
            (error, input.len(), out.len()),
            (HandshakeError::MalformedHttpVersion, 6, 0)
        );
    }
    assert_eq!(client.receive_eof(), HandshakeError::MalformedHttpVersion);
}

// A 502 of a gateway, which only clients receive.
#[test]
fn client_errors_have_a_status() {
    assert_eq!(HandshakeError::WrongAccept.status(), 502);
    assert_eq!(HandshakeError::UnofferedExtension.status(), 502);
}

// Nothing secret is shown.
#[test]
fn client_debug_hides_values() {
    let request = request().with_field("Cookie", "secret").unwrap();
    let request = request
        .with_subprotocol("secret")
        .unwrap()
        .with_subprotocol("b")
        .unwrap();
    let (mut client, _) = start(request.clone());
    let response = accepted(&with(b"Set-Cookie: secret"));
    let text = format!("{request:?} {client:?} {response:?}");
    assert!(text.contains("Set-Cookie") && !text.contains("secret"));
    assert!(
        text.contains("example.com") && text.contains("subprotocols: 2") && text.contains("finished: None")
    );
    client.receive_eof();
    assert!(format!("{client:?}").contains("finished: Some(Eof)"));
}

// ---- helpers ------------------------------------------------------------------------------------------------------------

fn request() -> ClientRequest {
    ClientRequest::new("example.com", "/").unwrap()
}

fn nonce() -> impl Entropy {
    entropy::from_fn(|bytes| {
        for (byte, value) in bytes.iter_mut().zip(1..) {
            *byte = value;
        }
    })
}

fn start(request: ClientRequest) -> (ClientHandshake, Vec<u8>) {
    let mut out = Vec::new();
    let client = request.start(&Config::new(), nonce(), &mut out);
    (client, out)
}

fn written(request: ClientRequest) -> String {
    String::from_utf8(start(request).1).unwrap()
}

fn answer_with(
    config: &Config,
    request: ClientRequest,
    bytes: &[u8],
) -> (Result<Option<Answer>, HandshakeError>, Vec<u8>) {
    let mut client = request.start(config, nonce(), &mut Vec::new());
    let (mut bytes, mut out) = (bytes.to_vec(), Vec::new());
    let mut input = &mut bytes[..];
    let result = client.receive(&mut input, &mut out);
    assert!(out.is_empty());
    (result, input.to_vec())
}

#[track_caller]
fn accepted(bytes: &[u8]) -> Response {
    let (result, tail) = answer_with(&Config::new(), request(), bytes);
    let Some(Answer::Accepted { response, .. }) = result.unwrap() else {
        panic!("not accepted")
    };
    assert!(tail.is_empty());
    response
}

#[track_caller]
fn assert_accepts(bytes: &[u8]) {
    assert_eq!(accepted(bytes).status(), 101);
}

#[track_caller]
fn rejected(bytes: &[u8]) -> Response {
    let (result, _) = answer_with(&Config::new(), request(), bytes);
    let Some(Answer::Rejected(response)) = result.unwrap() else {
        panic!("not rejected")
    };
    response
}

#[track_caller]
fn assert_fails(bytes: &[u8], expected: HandshakeError) {
    assert_failure(request(), bytes, expected);
}

#[track_caller]
fn assert_failure(request: ClientRequest, bytes: &[u8], expected: HandshakeError) {
    let (result, _) = answer_with(&Config::new(), request, bytes);
    assert_eq!(
        result.unwrap_err(),
        expected,
        "{:?}",
        String::from_utf8_lossy(bytes)
    );
}

/// The valid response with a part replaced.
#[track_caller]
fn changed(from: &[u8], to: &[u8]) -> Vec<u8> {
    Head(GOOD).changed(from, to)
}

/// The valid response with lines added at its end.
fn with(lines: &[u8]) -> Vec<u8> {
    Head(GOOD).with(lines)
}
