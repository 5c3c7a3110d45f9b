//! Properties of the opening handshake for any input, however it is split, and for any arguments.
#![cfg(feature = "alloc")]

#[path = "common/asked.rs"]
mod asked;
mod common;

use asked::*;
use common::cuts;
use common::handshakes::{ask, head_lines, serve};
use proptest::array::uniform6;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use websocket_proto::handshake::key::accept_key;
use websocket_proto::handshake::{
    Answer, ClientRequest, ExtensionList, HandshakeError, Request, ServerHandshake, Upgrade,
};
use websocket_proto::{Config, Connection, Entropy, entropy};

const CASES: u32 = 4000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    // Requirements, section 0: the same result for every partition of the bytes, including one byte at a time; and `Upgrade` from
    // bytes and from fields agree on every request that both can read.
    #[test]
    fn server_gives_the_same_result_for_any_split(bytes in request_bytes(), shares in vec(any::<u8>(), 0..20)) {
        serve(&config(), &bytes, &cuts(&shares, bytes.len()));
    }

    #[test]
    fn client_gives_the_same_result_for_any_split(bytes in response_bytes(), shares in vec(any::<u8>(), 0..20)) {
        ask(&config(), &request(), &bytes, &cuts(&shares, bytes.len()));
    }

    // RFC 6455 section 10.1: 6455-10.1-01; section 10.7: 6455-10.7-01. No panic, a response to every error, an end at the limit.
    #[test]
    fn any_bytes_end_within_the_limits(bytes in vec(any::<u8>(), 0..LIMIT + 50)) {
        for end in [serve(&config(), &bytes, &[]), ask(&config(), &request(), &bytes, &[])] {
            prop_assert!(end.used <= LIMIT);
            prop_assert!(end.result.is_some() || (end.used == bytes.len() && bytes.len() < LIMIT));
        }
    }

    // RFC 6455 section 4.1: 6455-4.1-05; RFC 9110 section 5.6.1: 9110-5.6.1-02; RFC 9112 sections 4 and 5.2: 9112-4-02,
    // 9112-5.2-01. Requirements, section 18, property 5: the client accepts the server's response.
    #[test]
    fn both_roles_and_httparse_read_what_is_written(ask in asked(), choice in any::<Index>(), answer in fields()) {
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        let mut client = ask.request().start(&config(), nonce(), &mut to_server);
        assert_lines(&to_server);
        assert_httparse_reads_request(&to_server, &ask);

        let request = receive(&mut to_server);
        prop_assert_eq!(request.target(), &ask.target);
        for (name, value) in &ask.fields {
            prop_assert!(request.fields().any(|field| field == (name.as_str(), trim(value))));
        }
        let mut upgrade = request.upgrade(&mut to_client).unwrap();
        let without_default = ask.authority.strip_suffix(":80").unwrap_or(&ask.authority);
        prop_assert_eq!(upgrade.authority(), without_default);
        prop_assert!(upgrade.subprotocols().eq(ask.protocols.iter().map(String::as_str)));
        let offers: Vec<String> = upgrade.extensions().map(|extension| extension.to_string()).collect();
        prop_assert_eq!(&offers, &ask.extensions);
        let chosen = (!ask.protocols.is_empty()).then(|| choice.get(&ask.protocols).clone());
        if let Some(name) = &chosen {
            upgrade = upgrade.with_subprotocol(name).unwrap();
        }
        for (name, value) in &answer {
            upgrade = upgrade.with_field(name, value).unwrap();
        }
        let _: Connection = upgrade.accept(&mut to_client);
        assert_lines(&to_client);
        assert_httparse_reads_response(&to_client, 3 + usize::from(chosen.is_some()) + answer.len());

        let mut input = &mut to_client[..];
        match client.receive(&mut input, &mut Vec::new()) {
            Ok(Some(Answer::Accepted { response, .. })) => prop_assert_eq!(response.subprotocol(), chosen.as_deref()),
            other => prop_assert!(false, "{:?}", other),
        }
        prop_assert!(input.is_empty());
    }

    // Requirements, section 18, property 5: a mutated response is accepted or fails, and only the right accept key opens.
    #[test]
    fn mutated_answers_open_with_the_right_key_only(bytes in response_bytes()) {
        if ask(&config(), &request(), &bytes, &[]).is_accepted() {
            let accept = accept_key(KEY);
            prop_assert!(bytes.windows(28).any(|window| window == accept));
        }
    }

    // RFC 9110 section 5.5: 9110-5.5-01. Whatever the caller passes, only the requested lines are written.
    #[test]
    fn no_argument_injects_a_line_into_a_request(texts in uniform6(hostile())) {
        let (request, taken) = with_what_is_taken(&texts);
        let mut out = Vec::new();
        let _ = request.start(&config(), nonce(), &mut out);
        assert_lines(&out);
        prop_assert_eq!(receive(&mut out).fields().count(), 5 + taken);
    }

    // RFC 9112 section 3.2. A target that a server accepts can be requested unchanged by a client. Decision D59
    #[test]
    fn what_was_asked_for_can_be_sent_on(target in sent_target()) {
        let mut bytes = [b"GET ", target.as_bytes(), &GOOD_START[5..], b"\r\n"].concat();
        let mut out = Vec::new();
        let received = ServerHandshake::new(&config()).receive(&mut &mut bytes[..], &mut out);
        let Ok(Some(received)) = received else { return Ok(()) };
        let upgrade = received.upgrade(&mut out).unwrap();
        let sent_on = [upgrade.path(), &upgrade.query().map_or(String::new(), |query| format!("?{query}"))].concat();
        let request = ClientRequest::new("h", &sent_on).unwrap();
        let url = ClientRequest::from_url(&format!("ws://h{sent_on}")).unwrap();
        prop_assert_eq!(url.target(), sent_on.strip_suffix('?').filter(|_| upgrade.query() == Some("")).unwrap_or(&sent_on));
        let mut bytes = Vec::new();
        let _ = request.start(&config(), nonce(), &mut bytes);
        let again = receive(&mut bytes);
        let again = again.upgrade(&mut out).unwrap();
        prop_assert_eq!((again.path(), again.query()), (upgrade.path(), upgrade.query()));
    }

    // RFC 3986 sections 5.2 and 6: a resolved reference is a target that can be requested, without dot segments, and resolves to
    // itself. Decision D61
    #[test]
    fn redirects_lead_to_targets(base in "/[a-c./]{0,8}", location in "(//h)?[a-c./]{0,12}(\\?[a-c./?]{0,4})?") {
        let request = ClientRequest::new("h", &base).unwrap();
        let Ok(next) = request.clone().redirect(&location) else { return Ok(()) };
        let (path, _) = next.target().split_once('?').unwrap_or((next.target(), ""));
        prop_assert!(path.starts_with('/'));
        let is_kept = location.is_empty() || location.starts_with('?');
        prop_assert!(is_kept || !path.split('/').any(|segment| segment == "." || segment == ".."), "{}", path);
        prop_assert!(ClientRequest::new("h", next.target()).is_ok());
        if !is_kept && !next.target().starts_with("//") {
            let again = request.redirect(next.target()).unwrap();
            prop_assert_eq!(again.target(), next.target());
        }
    }

    #[test]
    fn no_location_injects_a_line(location in hostile()) {
        let Ok(request) = request().redirect(&location) else { return Ok(()) };
        let mut out = Vec::new();
        let _ = request.start(&config(), nonce(), &mut out);
        assert_lines(&out);
        prop_assert_eq!(receive(&mut out).fields().count(), 7);
    }

    #[test]
    fn no_url_injects_a_line(url in hostile()) {
        for url in [url.clone(), format!("ws://{url}"), format!("wss://h/{url}"), format!("ws://h?{url}")] {
            let Ok(request) = ClientRequest::from_url(&url) else { continue };
            let mut out = Vec::new();
            let _ = request.start(&config(), nonce(), &mut out);
            assert_lines(&out);
            prop_assert_eq!(receive(&mut out).fields().count(), 5);
        }
    }

    #[test]
    fn no_argument_injects_a_line_into_a_response(status in 0_u16..1100, texts in vec(hostile(), 3), body in vec(any::<u8>(), 0..20)) {
        let [protocol, name, value] = &texts[..] else { unreachable!() };
        let upgrade = upgrade_of(GOOD_FIELDS);
        let mut out = Vec::new();
        if upgrade.clone().reject(status, &[(name, value)], &body, &mut out).is_ok() {
            let mut fields = [httparse::EMPTY_HEADER; 8];
            let mut response = httparse::Response::new(&mut fields);
            let length = response.parse(&out).unwrap().unwrap();
            prop_assert_eq!(response.code, Some(status));
            assert_lines(&out[..length]);
            prop_assert_eq!(&out[length..], &body[..]);
        } else {
            prop_assert!(out.is_empty());
        }
        let mut lines = 3;
        let mut upgrade = upgrade;
        if let Ok(next) = upgrade.clone().with_field(name, value) {
            (upgrade, lines) = (next, lines + 1);
        }
        prop_assert!(upgrade.clone().with_subprotocol(protocol).is_err());
        prop_assert_eq!(upgrade.response_fields().count(), lines);
        let _: Connection = upgrade.accept(&mut out);
    }

    // RFC 6455 section 9.1: 6455-9.1-01. A written list is read as the same list, and writing it again changes nothing.
    #[test]
    fn extension_lists_round_trip(value in extension_text()) {
        if let Ok(list) = ExtensionList::parse(&value) {
            let written = list.to_string();
            let again = ExtensionList::parse(&written).unwrap();
            prop_assert_eq!(again.to_string(), written.clone());
            prop_assert!(again.eq(list));
            prop_assert!(!written.contains(",,") && !written.starts_with(',') && !written.ends_with([',', ' ']));
        }
    }

    #[test]
    fn well_formed_extension_lists_parse((value, expected) in extension_list()) {
        prop_assert_eq!(ExtensionList::parse(&value).unwrap().to_string(), expected);
    }

    // RFC 9110 section 5.3: 9110-5.3-01. Separate lines are the same as joined ones.
    #[test]
    fn extension_lines_make_one_list(first in extension_text(), second in extension_text()) {
        let joined = format!("{first}, {second}");
        match (ExtensionList::parse(&first), ExtensionList::parse(&second)) {
            (Ok(first), Ok(second)) => prop_assert!(ExtensionList::parse(&joined).unwrap().eq(first.chain(second))),
            _ => prop_assert!(ExtensionList::parse(&joined).is_err()),
        }
    }
}

// ---- driving ------------------------------------------------------------------------------------------------------------

fn receive(bytes: &mut [u8]) -> Request {
    let (mut input, mut out) = (bytes, Vec::new());
    let request = ServerHandshake::new(&config())
        .receive(&mut input, &mut out)
        .unwrap()
        .unwrap();
    assert!(input.is_empty() && out.is_empty());
    request
}

/// The arguments of [`ask`] for a client.
fn request() -> ClientRequest {
    ClientRequest::new("h", "/")
        .unwrap()
        .with_subprotocol("chat")
        .unwrap()
        .with_extension("ext")
        .unwrap()
}

fn config() -> Config {
    Config::new()
        .max_head_size(LIMIT)
        .max_fields(20)
        .max_interim_responses(2)
}

/// Without the white space that is not part of a value.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn nonce() -> impl Entropy {
    entropy::from_fn(|bytes| bytes.fill(0))
}

/// Whether this is a head of plain lines, and nothing more.
#[track_caller]
fn assert_lines(head: &[u8]) {
    assert_eq!(head_lines(head).1, b"");
}

#[track_caller]
fn assert_httparse_reads_request(bytes: &[u8], ask: &Asked) {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut fields);
    assert_eq!(
        request.parse(bytes).unwrap(),
        httparse::Status::Complete(bytes.len())
    );
    assert_eq!(
        (request.method, request.path, request.version),
        (Some("GET"), Some(ask.target.as_str()), Some(1))
    );
    let options = usize::from(!ask.protocols.is_empty()) + usize::from(!ask.extensions.is_empty());
    assert_eq!(request.headers.len(), 5 + options + ask.fields.len());
}

#[track_caller]
fn assert_httparse_reads_response(bytes: &[u8], count: usize) {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut fields);
    assert_eq!(
        response.parse(bytes).unwrap(),
        httparse::Status::Complete(bytes.len())
    );
    assert_eq!((response.code, response.headers.len()), (Some(101), count));
}

fn upgrade_of<'a>(fields: [(&'a str, &'a [u8]); 5]) -> Upgrade<'a> {
    let upgrade: Result<_, HandshakeError> = Upgrade::from_fields(&config(), "GET", "/", (1, 1), fields);
    upgrade.unwrap()
}

// ---- inputs -------------------------------------------------------------------------------------------------------------

const LIMIT: usize = 2048;

/// The key of sixteen zero bytes.
const KEY: &[u8] = b"AAAAAAAAAAAAAAAAAAAAAA==";

const GOOD_FIELDS: [(&str, &[u8]); 5] = [
    ("Host", b"h"),
    ("Upgrade", b"websocket"),
    ("Connection", b"upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", b"13"),
];

const GOOD_START: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n";

/// Requests that are mostly valid, with odd lines among the good ones, often with some bytes changed, and a tail.
fn request_bytes() -> impl Strategy<Value = Vec<u8>> {
    let start = select(vec![
        &b"GET / HTTP/1.1\r\n"[..],
        b"GET /a?b HTTP/1.1\r\n",
        b"\r\n\r\nGET / HTTP/1.1\r\n",
        b"GET ws://other:81/p?q HTTP/1.2\r\n",
        b"HEAD / HTTP/1.1\r\n",
        b"GET / HTTP/1.0\r\n",
        b"GET / HTTP/2.0\r\n",
        b"OPTIONS * HTTP/1.1\r\n",
    ]);
    let odd = select(vec![
        &b"X: y\r\n"[..],
        b"X: \t y \x80 \r\n",
        b"X: a\r\n b\r\n",
        b"Host: other\r\n",
        b"Connection: ,a , upgrade\r\n",
        b"Upgrade: h2c,,\r\n",
        b"Origin: https://example.com\r\n",
        b"Sec-WebSocket-Protocol: b, a\r\n",
        b"sec-websocket-protocol: c\r\n",
        b"Sec-WebSocket-Extensions: a; b=\"\\c\", d;e\r\n",
        b"Sec-WebSocket-Extensions: a;;\r\n",
        b"Content-Length: 0\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Expect: 100-continue\r\n",
        b"Bad : x\r\n",
        b"\r\n",
        b"Long: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n",
    ]);
    let good = Just(GOOD_START.splitn(2, |&byte| byte == b'\n').nth(1).unwrap());
    bytes_of(start, good, odd)
}

/// The same for responses to [`KEY`].
fn response_bytes() -> impl Strategy<Value = Vec<u8>> {
    let start = select(vec![
        &b"HTTP/1.1 101 Switching Protocols\r\n"[..],
        b"HTTP/1.1 101 \r\n",
        b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 101 \xe9\r\n",
        b"HTTP/1.1 103 \r\n\r\nHTTP/1.1 100 \r\n\r\nHTTP/1.1 102 \r\n\r\n",
        b"HTTP/1.1 302 Found\r\n",
        b"HTTP/1.0 101 x\r\n",
        b"HTTP/1.1 1010 x\r\n",
    ]);
    let odd = select(vec![
        &b"X: y\r\n"[..],
        b"X: a \r\n\t b \r\n \r\n c\r\n",
        b"Connection: ,a ,\r\n",
        b"Sec-WebSocket-Protocol: chat\r\n",
        b"Sec-WebSocket-Protocol: Chat\r\n",
        b"Sec-WebSocket-Extensions: ext; b=\"\\c\"\r\n",
        b"Sec-WebSocket-Extensions: other\r\n",
        b"Sec-WebSocket-Version: 13, 8\r\n",
        b"Sec-WebSocket-Accept: x\r\n",
        b"Upgrade: h2c\r\n",
        b"Content-Length: 5\r\n",
        b"Bad : x\r\n",
        b"\r\n",
    ]);
    let accept = accept_key(KEY);
    let good = [
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
        &accept[..],
        b"\r\n",
    ]
    .concat();
    bytes_of(start, Just(good), odd)
}

fn bytes_of(
    start: impl Strategy<Value = &'static [u8]>,
    good: impl Strategy<Value: AsRef<[u8]>>,
    odd: impl Strategy<Value = &'static [u8]>,
) -> impl Strategy<Value = Vec<u8>> {
    let interesting = select(b"\r\n\0 \t:,;=\"\\/#*\x7f\x80aG1".to_vec());
    let mutation = (any::<Index>(), interesting, 0..3_u8);
    let mutations = prop_oneof![Just(Vec::new()), vec(mutation, 1..4)];
    let tail = vec(any::<u8>(), 0..20);
    (start, good, vec(odd, 0..4), any::<bool>(), mutations, tail).prop_map(
        |(start, good, odd, is_first, mutations, tail)| {
            let odd = odd.concat();
            let good = good.as_ref();
            let (first, second) = if is_first {
                (&odd[..], good)
            } else {
                (good, &odd[..])
            };
            let mut bytes = [start, first, second, b"\r\n"].concat();
            for (at, byte, kind) in mutations {
                let at = at.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => drop(bytes.remove(at)),
                }
            }
            [bytes, tail].concat()
        },
    )
}

/// Targets as any client may send them.
fn sent_target() -> impl Strategy<Value = String> {
    prop_oneof!["/[!-~]{0,12}", TARGET, "(http|wss)://h(:81)?[/?]?[!-~]{0,8}"]
}

/// Any text made of the bytes that matter in a list of extensions.
fn extension_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab;=,\"\\\\ \t\u{e9}]{0,16}",
        "(a|b|;|; a|=b|,| |=\"c\"|=\"\\\\c\"|\"){0,10}"
    ]
}

/// A well-formed list in some spelling, and its plainest form.
fn extension_list() -> impl Strategy<Value = (String, String)> {
    let space = || select(vec!["", " ", "\t", " \t "]);
    let comma = select(vec![",", " , ", ",,", " ,\t, "]);
    let param = (TOKEN, proptest::option::of((TOKEN, 0..3_u8)), space(), space());
    let element = (TOKEN, vec(param, 0..4));
    (vec(element, 0..5), comma, space()).prop_map(|(elements, comma, edge)| {
        let (mut spelt, mut plain) = (Vec::new(), Vec::new());
        for (name, params) in elements {
            let (mut one, mut other) = (name.clone(), name);
            for (name, value, before, after) in params {
                one += &format!("{before};{after}{name}");
                other += &format!("; {name}");
                if let Some((value, form)) = value {
                    let escaped: String = value.chars().flat_map(|char| ['\\', char]).collect();
                    let form = match form {
                        0 => value.clone(),
                        1 => format!("\"{value}\""),
                        _ => format!("\"{escaped}\""),
                    };
                    one += &format!("{before}={after}{form}");
                    other += &format!("={value}");
                }
            }
            spelt.push(one);
            plain.push(other);
        }
        (format!("{edge}{}{edge}", spelt.join(comma)), plain.join(", "))
    })
}
