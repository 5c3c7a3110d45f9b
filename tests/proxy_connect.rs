//! A tunnel through a proxy, before the handshake. The comment before each test names what it verifies, and its source.
#![cfg(feature = "alloc")]

mod common;
#[allow(dead_code, reason = "only the fields are of use here")]
#[path = "common/heads.rs"]
mod heads;

use common::cuts;
use common::handshakes::{Ended, assert_response, head_lines, tunnel};
use heads::bad_fields;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use websocket_proto::handshake::{
    Answer, ClientRequest, HandshakeError, HandshakeMisuse, ServerHandshake, TunnelAnswer, TunnelHandshake,
    TunnelRequest,
};
use websocket_proto::{Config, Event, entropy};

const OPEN: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

fn request() -> ClientRequest {
    ClientRequest::from_url("wss://example.com/chat").unwrap()
}

fn written(tunnel: TunnelRequest) -> String {
    let mut out = Vec::new();
    drop(tunnel.start(&Config::new(), &mut out));
    String::from_utf8(out).unwrap()
}

fn start(tunnel: TunnelRequest, config: &Config) -> TunnelHandshake {
    tunnel.start(config, &mut Vec::new())
}

#[track_caller]
fn respond(bytes: &[u8]) -> Ended {
    tunnel(&Config::new(), bytes, &[])
}

#[track_caller]
fn assert_fails(config: &Config, bytes: &[u8], error: HandshakeError) {
    let (_, before) = bytes.split_last().expect("a byte");
    assert_eq!(tunnel(config, before, &[]).result, None, "too early");
    let ended = tunnel(config, &[bytes, b"more"].concat(), &[]);
    assert_eq!(
        (ended.result, ended.used),
        (Some(format!("{error:?}")), bytes.len())
    );
}

// ---- the request ---------------------------------------------------------------------------------------------------------

// RFC 9110 section 9.3.6: 9110-9.3.6-01, the port is always included; RFC 9112 sections 3.2 and 3.2.3: 9112-3.2.3-02
#[test]
fn connect_names_host_and_port() {
    for (url, authority) in [
        ("wss://example.com/chat", "example.com:443"),
        ("ws://example.com/chat?a=b", "example.com:80"),
        ("ws://h:8080/", "h:8080"),
        ("ws://h:443/", "h:443"),
        ("wss://h:80/", "h:80"),
        ("wss://[2001:db8::1]/", "[2001:db8::1]:443"),
        ("ws://[::1]:81/", "[::1]:81"),
    ] {
        let tunnel = TunnelRequest::new(ClientRequest::from_url(url).unwrap());
        assert_eq!(tunnel.authority(), authority);
        let expected = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        assert_eq!(written(tunnel), expected);
    }
}

// RFC 9110 section 11.7.2; RFC 7617 section 2, with its two examples
#[test]
fn credentials_are_for_the_proxy() {
    for (user, password, value) in [
        ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("test", "123\u{a3}", "Basic dGVzdDoxMjPCow=="),
        ("", "", "Basic Og=="),
        ("a", "b:c", "Basic YTpiOmM="),
    ] {
        let tunnel = TunnelRequest::new(request())
            .with_basic_credentials("old", "old")
            .unwrap();
        let tunnel = tunnel.with_field("User-Agent", "x/1").unwrap();
        let tunnel = tunnel.with_basic_credentials(user, password).unwrap();
        let text = written(tunnel.clone());
        let expected = format!("\r\nProxy-Authorization: {value}\r\nUser-Agent: x/1\r\n\r\n");
        assert!(text.ends_with(&expected), "{text}");
        assert_eq!(text.matches("Authorization").count(), 1);
        // The request to the server has neither.
        let mut handshake = start(tunnel, &Config::new());
        let mut bytes = OPEN.to_vec();
        let answer = handshake.receive(&mut &mut bytes[..]).unwrap();
        let Some(TunnelAnswer::Accepted { request, .. }) = answer else {
            panic!("{answer:?}")
        };
        let mut out = Vec::new();
        drop(request.start(&Config::new(), entropy::from_fn(|bytes| bytes.fill(0)), &mut out));
        let text = String::from_utf8(out).unwrap();
        assert!(
            !text.contains("Authorization") && !text.contains("User-Agent"),
            "{text}"
        );
    }
    let tunnel = TunnelRequest::new(request())
        .with_basic_credentials("a", "b")
        .unwrap();
    let text = written(tunnel.with_proxy_authorization("Bearer 6d32").unwrap());
    assert!(
        text.ends_with("\r\nProxy-Authorization: Bearer 6d32\r\n\r\n"),
        "{text}"
    );
    assert_eq!(text.matches("Authorization").count(), 1);
}

// RFC 7617 section 2; RFC 9110 section 5.5: 9110-5.5-01
#[test]
fn arguments_that_would_inject_are_refused() {
    for (user, password) in [
        ("a:b", "c"),
        ("a\r\nb", "c"),
        ("a", "b\r\nX: y"),
        ("a\0", ""),
        ("", "\x7f"),
    ] {
        let result = TunnelRequest::new(request()).with_basic_credentials(user, password);
        assert_eq!(result.unwrap_err(), HandshakeMisuse::MalformedCredentials);
    }
    for value in ["", "a\r\nX: y", "\0", "\n"] {
        let result = TunnelRequest::new(request()).with_proxy_authorization(value);
        assert_eq!(result.unwrap_err(), HandshakeMisuse::MalformedFieldValue);
    }
    for (name, value, misuse) in bad_fields() {
        let result = TunnelRequest::new(request()).with_field(name, value);
        assert_eq!(result.unwrap_err(), misuse, "{name}: {value}");
    }
    let result = TunnelRequest::new(request()).with_field("proxy-authorization", "x");
    assert_eq!(result.unwrap_err(), HandshakeMisuse::ReservedField);
}

#[test]
fn debug_forms_of_tunnels_hide_credentials() {
    let tunnel = TunnelRequest::new(request())
        .with_basic_credentials("user", "secret")
        .unwrap();
    let tunnel = tunnel.with_field("X", "secret").unwrap();
    let handshake = start(tunnel.clone(), &Config::new());
    let shown = format!("{tunnel:?} {handshake:?}");
    assert!(
        shown.contains("example.com:443") && shown.contains("TunnelHandshake"),
        "{shown}"
    );
    for secret in ["secret", "c2VjcmV0", "dXNlc", "user"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

// ---- the response --------------------------------------------------------------------------------------------------------

// RFC 9110 section 9.3.6: 9110-9.3.6-02, 9110-9.3.6-03, D72. The tunnel begins after the empty line, whatever the head says.
#[test]
fn any_success_opens_the_tunnel_and_has_no_body() {
    for status in 200..=299 {
        for lines in [
            "",
            "Content-Length: 4\r\n",
            "Content-Length: x\r\nContent-Length: y\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip\r\nContent-Length: 4\r\n",
            "Connection: close\r\n",
        ] {
            for minor in [0, 1] {
                let head = format!("HTTP/1.{minor} {status} x\r\n{lines}\r\n");
                let ended = respond(&[head.as_bytes(), b"4\r\n\x81\x02hi"].concat());
                assert!(ended.result.is_some_and(|result| result.starts_with("open")));
                assert_eq!(ended.used, head.len());
            }
        }
    }
    let mut bytes = *b"HTTP/1.1 204 x\r\nContent-Length: 2\r\n\r\nhi";
    let mut input = &mut bytes[..];
    let answer = start(TunnelRequest::new(request()), &Config::new()).receive(&mut input);
    let Ok(Some(TunnelAnswer::Accepted { response, request })) = answer else {
        panic!("{answer:?}")
    };
    let mut body = response.body_reader(&Config::new());
    assert_eq!(body.receive(&mut input), Ok(Some(Vec::new())));
    assert_eq!((&*input, body.is_transport_reusable()), (&b"hi"[..], false));
    assert_eq!((request.host(), request.target()), ("example.com", "/chat"));
}

// RFC 9931, RFC 9110 section 9.3.6: 9110-9.3.6-04, D70. Only the CONNECT is written before the 2xx, and the request is out of
// reach until then: a proxy that rejects would parse it as a request to itself.
#[test]
fn nothing_is_sent_before_the_tunnel_is_open() {
    let mut out = Vec::new();
    let mut handshake = TunnelRequest::new(request()).start(&Config::new(), &mut out);
    let (lines, rest) = head_lines(&out);
    assert_eq!(
        (lines[0].as_str(), rest),
        ("CONNECT example.com:443 HTTP/1.1", &b""[..])
    );
    let mut bytes = [b"HTTP/1.1 100 x\r\n\r\n", OPEN].concat();
    let (last, front) = bytes.split_last_mut().unwrap();
    for byte in front {
        let answer = handshake.receive(&mut std::slice::from_mut(byte)).unwrap();
        assert!(answer.is_none());
    }
    let answer = handshake.receive(&mut std::slice::from_mut(last)).unwrap();
    assert!(matches!(answer, Some(TunnelAnswer::Accepted { .. })));
}

// RFC 9110 sections 9.3.6 and 15: 9110-9.3.6-02, any other final status is a rejection
#[test]
fn other_statuses_reject() {
    for status in [
        300, 302, 304, 400, 401, 403, 404, 405, 407, 429, 500, 502, 503, 504, 599, 999,
    ] {
        let head = format!("HTTP/1.1 {status} x\r\nContent-Length: 2\r\n\r\n");
        let ended = respond(format!("{head}no").as_bytes());
        assert!(ended.result.unwrap().starts_with(&format!("rejected {status}")));
        assert_eq!(ended.used, head.len());
    }
}

// RFC 9110 section 15.2: 9110-15.2-01; section 15.2.2
#[test]
fn interim_responses_are_skipped_up_to_a_limit() {
    let interim = b"HTTP/1.1 100 x\r\nX: y\r\n\r\nHTTP/1.1 199 \r\n\r\n";
    let ended = respond(&[interim, OPEN, b"x"].concat());
    assert_eq!(ended.used, interim.len() + OPEN.len());
    assert!(ended.result.unwrap().starts_with("open"));
    let config = Config::new().max_interim_responses(1);
    assert_fails(
        &config,
        interim,
        HandshakeError::TooManyInterimResponses { limit: 1 },
    );
    let switched = b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n";
    assert_fails(&config, switched, HandshakeError::SwitchedProtocols);
}

// RFC 6455 section 10.4: 6455-10.4-01; RFC 9112 section 2.2
#[test]
fn responses_are_limited_and_strict() {
    let config = Config::new().max_head_size(64).max_fields(2);
    let long = [b"HTTP/1.1 200 ", &[b'x'; 51][..]].concat();
    assert_fails(&config, &long, HandshakeError::HeadTooLarge { limit: 64 });
    let fields = b"HTTP/1.1 200 \r\nA: b\r\nC: d\r\nE";
    assert_fails(&config, fields, HandshakeError::TooManyFields { limit: 2 });
    for (bytes, error) in [
        (&b"h"[..], HandshakeError::MalformedHttpVersion),
        (b"\x16", HandshakeError::MalformedHttpVersion),
        (b"\x05", HandshakeError::MalformedHttpVersion),
        (b"HTTP/1.1 2x", HandshakeError::MalformedStatus),
        (b"HTTP/1.1 200 OK\n", HandshakeError::BareLineFeed),
        (b"HTTP/1.1 200 OK\r\n ", HandshakeError::SpaceBeforeFields),
        (b"HTTP/1.1 200 OK\r\nA ", HandshakeError::SpaceBeforeColon),
    ] {
        assert_fails(&Config::new(), bytes, error);
    }
}

// RFC 9110 section 9.3.6: whatever ends the wait is reported once and stays
#[test]
fn the_wait_ends_with_one_error() {
    for front in [&b""[..], b"HTTP/1.1 200 x\r\n", b"HTTP/1.1 100 x\r\n\r\n"] {
        let new = || {
            let mut handshake = start(TunnelRequest::new(request()), &Config::new());
            let mut bytes = front.to_vec();
            assert!(handshake.receive(&mut &mut bytes[..]).unwrap().is_none());
            handshake
        };
        let mut handshake = new();
        assert_eq!(handshake.receive_eof(), HandshakeError::Eof);
        assert_eq!(handshake.handle_timeout(), HandshakeError::Eof);
        let mut bytes = *b"x";
        let mut input = &mut bytes[..];
        assert_eq!(handshake.receive(&mut input).unwrap_err(), HandshakeError::Eof);
        assert_eq!(input.len(), 1, "not consumed");
        let mut handshake = new();
        assert_eq!(handshake.handle_timeout(), HandshakeError::TimedOut);
        assert_eq!(handshake.receive_eof(), HandshakeError::TimedOut);
    }
}

// ---- a proxy in memory ---------------------------------------------------------------------------------------------------

/// A transport to a proxy that requires credentials and relays to an echo server.
#[derive(Default)]
struct Proxy {
    /// What the client has not read yet.
    to_client: Vec<u8>,
    server: Option<ServerHandshake>,
}

const REFUSED: &[u8] =
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"p\"\r\n\
    Transfer-Encoding: chunked\r\n\r\n8\r\nwho are \r\n4\r\nyou?\r\n0\r\n\r\n";

impl Proxy {
    fn write(&mut self, bytes: &[u8]) {
        let (mut bytes, to_client) = (bytes.to_vec(), &mut self.to_client);
        let mut input = &mut bytes[..];
        match &mut self.server {
            None => {
                let mut http = ServerHandshake::new(&Config::new());
                let request = http.receive(&mut input, to_client).unwrap().expect("one write");
                assert_eq!(
                    (request.method(), request.target()),
                    ("CONNECT", "example.com:80")
                );
                assert_eq!(request.authority(), Some("example.com:80"));
                assert!(input.is_empty(), "nothing optimistic");
                let credentials = request.fields().find(|(name, _)| *name == "Proxy-Authorization");
                if credentials.is_some_and(|(_, value)| value == b"Basic dTpw") {
                    to_client.extend_from_slice(OPEN);
                    self.server = Some(ServerHandshake::new(&Config::new()));
                } else {
                    to_client.extend_from_slice(REFUSED);
                }
            }
            Some(server) => {
                let request = server.receive(&mut input, to_client).unwrap().expect("one write");
                let mut connection = request.upgrade(to_client).unwrap().accept(to_client);
                connection.send_text("welcome", to_client).unwrap();
            }
        }
    }
}

// RFC 9110 sections 9.3.6 and 15.5.8, RFC 9112 section 9.3: rejected, tried again with credentials on the same transport, opened,
// and then the handshake is sent through the tunnel
#[test]
fn a_tunnel_is_tried_again_with_credentials() {
    let (config, mut proxy, mut out) = (Config::new(), Proxy::default(), Vec::new());
    let request = ClientRequest::from_url("ws://example.com/chat").unwrap();
    let mut tunnel = TunnelRequest::new(request);
    let mut refusals = 0;
    let request = loop {
        let mut handshake = tunnel.start(&config, &mut out);
        proxy.write(&std::mem::take(&mut out));
        let mut read = std::mem::take(&mut proxy.to_client);
        let mut input = &mut read[..];
        match handshake.receive(&mut input).unwrap().expect("one read") {
            TunnelAnswer::Accepted { request, .. } => {
                assert!(input.is_empty());
                break request;
            }
            TunnelAnswer::Rejected {
                tunnel: again,
                response,
            } => {
                assert_eq!(response.status(), 407);
                assert_eq!(
                    response.field("proxy-authenticate"),
                    Some(&b"Basic realm=\"p\""[..])
                );
                let mut body = response.body_reader(&config);
                let text = body.receive(&mut input).unwrap();
                assert_eq!(text.as_deref(), Some(&b"who are you?"[..]));
                assert!(input.is_empty() && body.is_transport_reusable());
                let password = if refusals == 0 { "wrong" } else { "p" };
                tunnel = again.with_basic_credentials("u", password).unwrap();
                refusals += 1;
            }
        }
    };
    assert_eq!(refusals, 2);
    let mut client = request.start(&config, entropy::from_fn(|bytes| bytes.fill(1)), &mut out);
    proxy.write(&std::mem::take(&mut out));
    let mut input = &mut proxy.to_client[..];
    let answer = client.receive(&mut input, &mut out).unwrap();
    let Some(Answer::Accepted { mut connection, .. }) = answer else {
        panic!("{answer:?}")
    };
    let event = connection.receive(&mut input, &mut out).unwrap();
    assert!(matches!(event, Some(Event::Text(text)) if text == "welcome"));
}

// RFC 9110 section 9.3.6: a server of this crate is not a proxy, and rejects a CONNECT
#[test]
fn server_can_reject_a_connect_meant_for_a_proxy() {
    let mut out = Vec::new();
    drop(TunnelRequest::new(request()).start(&Config::new(), &mut out));
    let mut server = ServerHandshake::new(&Config::new());
    let mut response = Vec::new();
    let asked = server.receive(&mut &mut out[..], &mut response).unwrap().unwrap();
    asked.respond(405, &[], b"not a proxy", &mut response).unwrap();
    assert_response(&response);
    let ended = respond(&response);
    assert!(ended.result.unwrap().starts_with("rejected 405"));
    assert_eq!(&response[ended.used..], b"not a proxy");
}

// ---- properties ----------------------------------------------------------------------------------------------------------

/// Interim responses, then a final one, as plain parts.
#[derive(Clone, Debug)]
struct Parts {
    interim: Vec<u16>,
    minor: u8,
    status: u16,
    fields: Vec<(&'static str, &'static str)>,
    tail: Vec<u8>,
}

impl Parts {
    fn bytes(&self) -> Vec<u8> {
        let mut text: String = self
            .interim
            .iter()
            .map(|status| format!("HTTP/1.1 {status} \r\nX: y\r\n\r\n"))
            .collect();
        text += &format!("HTTP/1.{} {} z\r\n", self.minor, self.status);
        for (name, value) in &self.fields {
            text += &format!("{name}: {value}\r\n");
        }
        [text.as_bytes(), b"\r\n", &self.tail].concat()
    }

    /// What a plain reading of RFC 9110 sections 9.3.6 and 15.2 gives, with two interim responses allowed.
    fn expected(&self) -> String {
        for (i, status) in self.interim.iter().enumerate() {
            match status {
                101 => return "SwitchedProtocols".into(),
                _ if i >= 2 => return "TooManyInterimResponses { limit: 2 }".into(),
                _ => {}
            }
        }
        let kind = if self.status / 100 == 2 {
            "open"
        } else {
            "rejected"
        };
        let fields: Vec<_> = self
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        format!("{kind} {} {fields:?} example.com:443", self.status)
    }
}

fn config() -> Config {
    Config::new()
        .max_head_size(400)
        .max_fields(5)
        .max_interim_responses(2)
}

fn response_parts() -> impl Strategy<Value = Parts> {
    let interim = vec(select(vec![100, 102, 103, 199, 101]), 0..4);
    let status = prop_oneof![2 => 200..300_u16, 1 => 300..1000_u16, 1 => Just(407)];
    let field = select(vec![
        ("Content-Length", "5"),
        ("Content-Length", "x"),
        ("Transfer-Encoding", "chunked"),
        ("Proxy-Authenticate", "Basic realm=\"x\", Digest"),
        ("Upgrade", "websocket"),
        ("Connection", "close"),
    ]);
    (
        interim,
        0..3_u8,
        status,
        vec(field, 0..4),
        vec(any::<u8>(), 0..12),
    )
        .prop_map(|(interim, minor, status, fields, tail)| Parts {
            interim,
            minor,
            status,
            fields,
            tail,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    // RFC 9110 sections 9.3.6 and 15.2: 9110-9.3.6-02, 9110-9.3.6-03, 9110-15.2-01, D72
    #[test]
    fn responses_mean_what_the_rfc_says(parts in response_parts(), shares in vec(any::<u8>(), 0..12)) {
        let bytes = parts.bytes();
        let ended = tunnel(&config(), &bytes, &cuts(&shares, bytes.len()));
        let expected = parts.expected();
        prop_assert_eq!(ended.result, Some(expected.clone()));
        if expected.contains(' ') && !expected.starts_with("TooMany") {
            prop_assert_eq!(bytes.len() - ended.used, parts.tail.len());
        }
    }

    // Requirements, section 0: the same for every partition, also of invalid input, and an end at the limits
    #[test]
    fn responses_give_the_same_result_for_any_split(
        parts in response_parts(),
        changes in vec((any::<Index>(), select(b"\r\n\0 :1x".to_vec())), 0..3),
        shares in vec(any::<u8>(), 0..12),
    ) {
        let mut bytes = parts.bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let ended = tunnel(&config(), &bytes, &cuts(&shares, bytes.len()));
        prop_assert!(ended.used <= 3 * 400);
        prop_assert!(ended.result.is_some() || ended.used == bytes.len());
    }

    // RFC 9110 section 5.5: 9110-5.5-01. Whatever the arguments are, only the requested lines are written.
    #[test]
    fn no_argument_injects_a_line(user in any::<String>(), value in "[ -~\r\n\0\u{e9}]{0,9}", name in "[A-Za-z\r\n: -]{0,9}") {
        let mut tunnel = TunnelRequest::new(request());
        let mut count = 2;
        if let Ok(next) = tunnel.clone().with_basic_credentials(&user, &value) {
            (tunnel, count) = (next, 3);
        }
        if let Ok(next) = tunnel.clone().with_proxy_authorization(&value) {
            (tunnel, count) = (next, 3);
        }
        if let Ok(next) = tunnel.clone().with_field(&name, &value) {
            (tunnel, count) = (next, count + 1);
        }
        let text = written(tunnel);
        let (lines, rest) = head_lines(text.as_bytes());
        prop_assert_eq!((lines.len(), rest), (count, &b""[..]));
    }
}
