//! Properties of every handshake in fields: for HTTP/1.1 the verdict is the same as in bytes, for extended CONNECT the same as
//! that of a second implementation of RFC 8441, and nothing that an application passes ends up where it should not.
#![cfg(feature = "alloc")]

#[path = "common/asked.rs"]
mod asked;
mod common;

use std::collections::BTreeMap;

use asked::*;
use common::lists::*;
use proptest::array::uniform6;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use websocket_proto::handshake::key::accept_key;
use websocket_proto::handshake::{
    Answer, ClientFieldsHandshake, ClientRequest, HandshakeError, ServerHandshake, Upgrade,
};
use websocket_proto::{Config, Connection, Entropy, entropy};

const CASES: u32 = 2000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    // RFC 6455 section 4.2.1: one set of rules. Fields parsed by another library get the same verdict as bytes parsed by this
    // crate.
    #[test]
    fn server_judges_fields_as_bytes((method, target, version) in request_line(), fields in fields_of_upgrade()) {
        let mut bytes = format!("{method} {target} HTTP/{}.{}\r\n", version.0, version.1).into_bytes();
        push_lines(&mut bytes, &fields);
        prop_assert_eq!(
            Upgrade::from_fields(&config(), &method, &target, version, pairs(&fields)).map(|upgrade| facts(&upgrade)),
            upgrade_of_bytes(&mut bytes)
        );
    }

    // RFC 9110 sections 5.1 and 5.3: 9110-5.1-01, 9110-5.3-01. Names are case-insensitive, lines of one name are one list, and
    // the order of different names has no meaning.
    #[test]
    fn server_looks_past_case_order_and_splits(fields in spelt(), spelling in any::<u64>()) {
        let read = |fields: &List| {
            let upgrade = Upgrade::from_fields(&config(), "GET", "/", (1, 1), pairs(fields)).map(|upgrade| facts(&upgrade));
            upgrade.unwrap()
        };
        let plain = [plain_upgrade(), fields.clone()].concat();
        let other: List = respelt(plain.clone(), spelling);
        prop_assert_eq!(read(&plain), read(&other));
    }

    // The same for an extended CONNECT (RFC 8441 section 5: 8441-5-04, 8441-5-05), where names are lowercase.
    #[test]
    fn server_of_streams_looks_past_order_and_splits(fields in spelt(), spelling in any::<u64>(), upper in any::<Index>()) {
        let (pseudo, version) = plain_connect();
        let read = |fields: &List| read_connect(&[pseudo.clone(), fields.clone()].concat());
        let plain = [version, fields].concat();
        let other: List = respelt(plain.clone(), spelling).into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        prop_assert!(read(&plain).is_ok());
        prop_assert_eq!(read(&plain), read(&other));
        let mut bad = other;
        let at = upper.index(bad.len());
        bad[at].0.make_ascii_uppercase();
        prop_assert_eq!(read(&bad), Err(HandshakeError::UppercaseFieldName));
    }

    // RFC 8441 sections 4 and 5: 8441-4-01, 8441-4-02, 8441-4-03, 8441-4-04, 8441-5-01, 8441-5-02, 8441-5-03, 8441-5-04, 8441-5-10
    #[test]
    fn server_reads_extended_connect_as_a_second_reading(list in connect_list()) {
        match (read_connect(&list), second_reading(&list)) {
            (Ok(one), other) => prop_assert_eq!(Ok(one), other, "{:?}", list),
            (Err(error), other) => prop_assert_eq!(Err(error.status()), other, "{:?} {:?}", error, list),
        }
    }

    // RFC 6455 section 4.1: one set of rules.
    #[test]
    fn client_judges_fields_as_bytes(status in 100_u16..1000, is_switch in any::<bool>(), fields in fields_of_answer()) {
        let status = if is_switch { 101 } else { status };
        let mut bytes = format!("HTTP/1.1 {status} x\r\n").into_bytes();
        push_lines(&mut bytes, &fields);
        let mut out = Vec::new();
        let mut client = request().start(&config(), nonce(), &mut out);
        let by_bytes = client.receive(&mut &mut bytes[..], &mut out);
        let by_fields = request().start_upgrade(&config(), nonce()).receive_response(status, pairs(&fields));
        prop_assert_eq!(describe(by_bytes), describe(by_fields));
    }

    // RFC 6455 section 4.1: 6455-4.1-05. The request in bytes is the request in fields.
    #[test]
    fn client_request_is_the_same_in_fields_and_bytes(ask in asked()) {
        let mut bytes = Vec::new();
        let _ = ask.request().start(&config(), nonce(), &mut bytes);
        let handshake = ask.request().start_upgrade(&config(), nonce());
        let mut expected = format!("{} {} HTTP/1.1\r\n", handshake.method(), handshake.target()).into_bytes();
        push_lines(&mut expected, &owned(&handshake));
        prop_assert_eq!(bytes, expected);
    }

    // RFC 8441 section 5: 8441-5-04, 8441-5-05, 8441-5-06, 8441-5-07. Each role reads what the other one writes.
    #[test]
    fn both_roles_agree_over_streams(ask in asked(), choice in any::<Index>(), answer in fields()) {
        let mut client = ask.request().start_extended_connect(&config(), nonce());
        let list = owned(&client);
        assert_list(&list);
        let mut upgrade = Upgrade::from_extended_connect(&config(), pairs(&list)).unwrap();
        prop_assert_eq!(upgrade.path().to_owned() + &upgrade.query().map_or(String::new(), |query| format!("?{query}")), &ask.target[..]);
        prop_assert!(upgrade.subprotocols().eq(ask.protocols.iter().map(String::as_str)));
        let chosen = (!ask.protocols.is_empty()).then(|| choice.get(&ask.protocols).clone());
        if let Some(name) = &chosen {
            upgrade = upgrade.with_subprotocol(name).unwrap();
        }
        for (name, value) in &answer {
            upgrade = upgrade.with_field(name, value).unwrap();
        }
        let response: List = upgrade.response_fields().map(|(name, value)| (name.into(), value.into())).collect();
        assert_list(&response);
        prop_assert_eq!(response.len(), usize::from(chosen.is_some()) + answer.len());
        match client.receive_response(upgrade.status(), pairs(&response)) {
            Ok(Some(Answer::Accepted { response, .. })) => prop_assert_eq!(response.subprotocol(), chosen.as_deref()),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    // RFC 9110 section 5.5: 9110-5.5-01; RFC 8441 section 5: 8441-5-05. Whatever the caller passes, only the requested fields are
    // written, and none that is malformed in HTTP/2 and HTTP/3.
    #[test]
    fn no_argument_gets_out_of_its_field(texts in uniform6(hostile())) {
        let (request, taken) = with_what_is_taken(&texts);
        let list = owned(&request.start_extended_connect(&config(), nonce()));
        assert_list(&list);
        prop_assert_eq!(list.len(), 6 + taken);

        let [_, _, origin, protocol, name, value] = &texts;
        let mut upgrade = Upgrade::from_extended_connect(&config(), pairs(&list)).unwrap();
        let mut count = 0;
        for (name, value) in [(name, value), (value, name), (protocol, origin)] {
            if let Ok(next) = upgrade.clone().with_field(name, value) {
                (upgrade, count) = (next, count + 1);
            }
        }
        let response: List = upgrade.response_fields().map(|(name, value)| (name.into(), value.into())).collect();
        assert_list(&response);
        prop_assert_eq!(response.len(), count);
    }

    // Requirements, section 18, property 3. Any list, of any bytes.
    #[test]
    fn any_list_has_an_end(list in vec((vec(any::<u8>(), 0..12), vec(any::<u8>(), 0..12)), 0..8), status in any::<u16>()) {
        prop_assert!(read_connect(&list).is_err());
        let _ = Upgrade::from_fields(&config(), "GET", "/", (1, 1), pairs(&list)).map(|upgrade| facts(&upgrade));
        for handshake in [request().start_upgrade(&config(), nonce()), request().start_extended_connect(&config(), nonce())] {
            let (mut one, mut other) = (handshake, request().start_extended_connect(&config(), nonce()));
            let _ = (one.receive_response(status, pairs(&list)), other.receive_fields(pairs(&list)));
        }
    }
}

/// The properties above are not vacuous: generated input is accepted, and rejected for every reason.
#[test]
fn inputs_are_of_every_kind() {
    let kinds = kinds_of(connect_list(), |list| read_connect(&list).map(drop));
    let reasons = "ConflictingHost ConnectionSpecificField EmptyExtensions EmptySubprotocols LatePseudoField MalformedExtensions MalformedFieldName \
        MalformedFieldValue MalformedHost MalformedOrigin MalformedSubprotocol MalformedPseudoField MethodNotConnect \
        MissingPseudoField RepeatedHost RepeatedOrigin RepeatedSubprotocol RepeatedPseudoField RepeatedVersion \
        UnexpectedContentLength UnknownPseudoField UnmetExpectation UnsupportedConnectProtocol UnsupportedConnectVersion \
        UppercaseFieldName accepted";
    assert_every(reasons, &kinds);

    let kinds = kinds_of(
        (request_line(), fields_of_upgrade()),
        |((method, target, version), fields)| {
            Upgrade::from_fields(&config(), &method, &target, version, pairs(&fields)).map(drop)
        },
    );
    let reasons = "ConflictingFraming EmptyExtensions EmptySubprotocols HttpVersionTooOld MalformedContentLength MalformedExtensions MalformedFieldName \
        MalformedFieldValue MalformedHost MalformedKey MalformedMethod MalformedOrigin MalformedSubprotocol MalformedTarget \
        MethodNotGet MissingConnectionUpgrade MissingHost MissingKey MissingUpgrade MissingVersion RepeatedHost RepeatedKey \
        RepeatedOrigin RepeatedVersion UnexpectedContent UnmetExpectation UnsupportedHttpVersion UnsupportedVersion accepted";
    assert_every(reasons, &kinds);

    let kinds = kinds_of(fields_of_answer(), |fields| {
        let mut handshake = request().start_upgrade(&config(), nonce());
        handshake.receive_response(101, pairs(&fields)).map(drop)
    });
    let reasons = "AmbiguousUpgrade EmptyExtensions EmptySubprotocols MalformedExtensions MalformedFieldName MalformedFieldValue MissingAccept MissingConnectionUpgrade \
        MissingUpgrade RepeatedAccept RepeatedExtension SeveralSubprotocols UnofferedExtension UnofferedSubprotocol WrongAccept accepted";
    assert_every(reasons, &kinds);
}

fn kinds_of<T>(
    inputs: impl Strategy<Value = T>,
    judge: impl Fn(T) -> Result<(), HandshakeError>,
) -> BTreeMap<String, usize> {
    let mut runner = TestRunner::deterministic();
    let mut kinds = BTreeMap::new();
    for _ in 0..6000 {
        let kind = match judge(inputs.new_tree(&mut runner).unwrap().current()) {
            Ok(()) => "accepted".to_owned(),
            Err(error) => format!("{error:?}")
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
        };
        *kinds.entry(kind).or_insert(0) += 1;
    }
    kinds
}

#[track_caller]
fn assert_every(kinds: &str, found: &BTreeMap<String, usize>) {
    let missing: Vec<&str> = kinds
        .split_whitespace()
        .filter(|kind| !found.contains_key(*kind))
        .collect();
    assert!(
        missing.is_empty() && found["accepted"] > 600,
        "no {missing:?} in {found:?}"
    );
}

// ---- driving ------------------------------------------------------------------------------------------------------------

fn upgrade_of_bytes(bytes: &mut [u8]) -> Result<Facts, HandshakeError> {
    let mut out = Vec::new();
    let request = ServerHandshake::new(&config()).receive(&mut &mut bytes[..], &mut out)?;
    let request = request.expect("the head is whole");
    request.upgrade(&mut out).map(|upgrade| facts(&upgrade))
}

/// The result of a response: more input needed, a response, or an error.
fn describe(result: Result<Option<Answer>, HandshakeError>) -> String {
    let (kind, response) = match result {
        Ok(None) => return "interim".to_owned(),
        Ok(Some(Answer::Accepted { response, connection })) => {
            let _: Connection = connection;
            ("accepted", response)
        }
        Ok(Some(Answer::Rejected(response))) => ("rejected", response),
        Err(error) => return format!("{error:?}"),
    };
    let fields: Vec<_> = response.fields().collect();
    let extensions: Vec<_> = response.extensions().map(|one| one.to_string()).collect();
    format!(
        "{kind} {} {:?} {extensions:?} {fields:?}",
        response.status(),
        response.subprotocol()
    )
}

fn push_lines(bytes: &mut Vec<u8>, fields: &List) {
    for (name, value) in fields {
        for part in [name, &b": "[..], value, b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(b"\r\n");
}

fn owned(handshake: &ClientFieldsHandshake) -> List {
    handshake
        .fields()
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn config() -> Config {
    Config::new().max_fields(1000).max_head_size(1 << 20)
}

fn nonce() -> impl Entropy {
    entropy::from_fn(|bytes| bytes.fill(0))
}

fn request() -> ClientRequest {
    ClientRequest::new("h", "/")
        .and_then(|request| request.with_subprotocol("chat")?.with_extension("ext"))
        .unwrap()
}

// ---- inputs -------------------------------------------------------------------------------------------------------------

fn list(fields: &[(&str, &str)]) -> List {
    let bytes = |text: &str| text.as_bytes().to_vec();
    fields
        .iter()
        .map(|(name, value)| (bytes(name), bytes(value)))
        .collect()
}

fn plain_upgrade() -> List {
    list(&[
        ("Host", "example.com"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("Sec-WebSocket-Version", "13"),
    ])
}

/// The pseudo-fields, and the required field.
fn plain_connect() -> (List, List) {
    let pseudo = list(&[
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":authority", "example.com"),
        (":path", "/chat?a"),
    ]);
    (pseudo, list(&[("sec-websocket-version", "13")]))
}

fn request_line() -> impl Strategy<Value = (String, String, (u8, u8))> {
    let method = prop_oneof![8 => Just("GET".to_owned()), 1 => "[A-Za-z(\u{e9}]{0,4}", 1 => select(vec!["OPTIONS", "CONNECT"]).prop_map(str::to_owned)];
    let target = prop_oneof![
        4 => Just("/a?b".to_owned()),
        4 => select(vec!["*", "h:80", "ws://other:81/p?q", "http://h", "https://?a", "x://h/", "/#", "/\"<>", "ws://u@h/", "//", "h"]).prop_map(str::to_owned),
        1 => "[!-~\u{e9}\0]{0,6}",
    ];
    let version = prop_oneof![8 => Just((1, 1)), 1 => (0..10_u8, 0..10_u8), 1 => (Just(1), 0..10_u8)];
    (method, target, version)
}

/// Fields that make an upgrade, with some changes.
fn fields_of_upgrade() -> impl Strategy<Value = List> {
    let odd = list(&[
        ("Host", "example.com"),
        ("Host", ""),
        ("Host", "a b"),
        ("Connection", ",keep-alive , UPGRADE"),
        ("Connection", "close"),
        ("Upgrade", "h2c, WebSocket"),
        ("Content-Length", "0"),
        ("Content-Length", "5"),
        ("Content-Length", "+1"),
        ("Transfer-Encoding", "chunked"),
        ("Expect", "100-Continue, 100-continue"),
        ("Expect", "x"),
        ("Origin", "https://example.com"),
        ("Origin", ""),
        ("Origin", "\u{e9}"),
        ("sec-websocket-protocol", "a, b"),
        ("Sec-WebSocket-Protocol", " b,\t"),
        ("Sec-WebSocket-Protocol", "a b"),
        ("Sec-WebSocket-Protocol", " ,"),
        ("Sec-WebSocket-Extensions", "a; b=\"\\c\""),
        ("Sec-WebSocket-Extensions", "a;;"),
        ("Sec-WebSocket-Extensions", ""),
        ("Sec-WebSocket-Key", "AQIDBAUGBwgJCgsMDQ4PEC=="),
        ("Sec-WebSocket-Version", "8"),
        ("X", "y"),
        ("", "y"),
        ("X(", "y"),
        ("X", "\0"),
    ]);
    changed(plain_upgrade(), odd, b"\0\x7f\x80aA1,;=\"\\(".to_vec())
}

/// Fields that accept [`request`], with some changes.
fn fields_of_answer() -> impl Strategy<Value = List> {
    let accept = accept_key(b"AAAAAAAAAAAAAAAAAAAAAA==");
    let good = list(&[
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", std::str::from_utf8(&accept).unwrap()),
    ]);
    let odd = list(&[
        ("Upgrade", "h2c"),
        ("Upgrade", "websocket, h2c"),
        ("Connection", "close"),
        ("Sec-WebSocket-Accept", "x"),
        ("Sec-WebSocket-Protocol", "chat"),
        ("Sec-WebSocket-Protocol", "Chat"),
        ("Sec-WebSocket-Protocol", ""),
        ("sec-websocket-extensions", "ext; a"),
        ("Sec-WebSocket-Extensions", "other"),
        ("Sec-WebSocket-Extensions", ""),
        ("Sec-WebSocket-Version", "13, 8"),
        ("Content-Length", "5"),
        ("X", "y"),
        ("", "y"),
        ("X", "\x7f"),
    ]);
    changed(good, odd, b"\0\x7f\x80aA1,;=\"\\(".to_vec())
}

/// An extended CONNECT with some changes.
fn connect_list() -> impl Strategy<Value = List> {
    let (pseudo, version) = plain_connect();
    let odd = list(&[
        (":method", "GET"),
        (":protocol", "foo"),
        (":scheme", "ws"),
        (":scheme", "HTTP"),
        (":authority", "h:1"),
        (":path", "*"),
        (":path", "/#"),
        (":foo", ""),
        (":status", "200"),
        ("host", "EXAMPLE.com:443"),
        ("host", "other"),
        ("host", ":1"),
        ("connection", "upgrade"),
        ("te", "Trailers"),
        ("te", "gzip"),
        ("content-length", "0"),
        ("expect", "100-continue"),
        ("expect", "100-CONTINUE,,"),
        ("expect", "x"),
        ("origin", "https://example.com"),
        ("origin", "null"),
        ("origin", " "),
        ("origin", "a\u{e9}"),
        ("sec-websocket-key", "x"),
        ("sec-websocket-version", "8"),
        ("sec-websocket-protocol", "b, a"),
        ("sec-websocket-protocol", "a b"),
        ("sec-websocket-protocol", ","),
        ("sec-websocket-protocol", "a,,a"),
        ("sec-websocket-extensions", "a; b=\"\\c\", d"),
        ("sec-websocket-extensions", "a;;"),
        ("sec-websocket-extensions", " ,"),
        ("X", "y"),
        ("x", "\r\n"),
        ("x y", "z"),
        ("cookie", "a=b"),
    ]);
    changed(
        [pseudo, version].concat(),
        odd,
        b"\r\n\0 \t:,;=\"/#*%[]@\x7f\x80aA1".to_vec(),
    )
}

/// `good`, with up to three changes: a field of `odd` added or replacing the one of its name, a field removed, duplicated or
/// moved, a byte changed.
fn changed(good: List, odd: List, bytes: Vec<u8>) -> impl Strategy<Value = List> {
    let change = (
        0..9_u8,
        any::<Index>(),
        any::<Index>(),
        select(odd),
        select(bytes),
    );
    vec(change, 0..4).prop_map(move |changes| {
        let mut list = good.clone();
        for (kind, at, other, field, byte) in changes {
            if list.is_empty() {
                break;
            }
            let (at, end) = (at.index(list.len()), list.len());
            match kind {
                0 => drop(list.remove(at)),
                1 => list.insert(other.index(end + 1), list[at].clone()),
                2 => list.swap(at, other.index(end)),
                3 => list.insert(at, field),
                4 => list.push(field),
                7 => list.extend([field.clone(), field]),
                5 | 6 => match list.iter_mut().find(|(name, _)| *name == field.0) {
                    Some(there) => *there = field,
                    None => list.push(field),
                },
                _ => {
                    let (name, value) = &mut list[at];
                    let part = if other.index(3) == 0 { name } else { value };
                    match part.len() {
                        0 => part.push(byte),
                        len => part[other.index(len)] = byte,
                    }
                }
            }
        }
        list
    })
}

/// Well-formed fields, in lowercase, of lists and of others.
fn spelt() -> impl Strategy<Value = List> {
    let names = vec("[!#$%&'*+.a-zA-Z0-9^_`|~-]{1,8}", 0..5).prop_map(|mut names| {
        names.sort();
        names.dedup();
        names.join(", ")
    });
    let extensions = vec("[a-z]{1,3}(; [a-z](=[a-z0-9])?){0,2}", 0..4).prop_map(|list| list.join(", "));
    let origin = select(vec!["", "https://example.com", "null"]);
    (names, extensions, origin, "[a-z]{0,5}").prop_map(|(names, extensions, origin, other)| {
        [
            ("sec-websocket-protocol", &names[..]),
            ("sec-websocket-extensions", &extensions),
            ("origin", origin),
            ("x-other", &other),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
    })
}

/// The same fields in another spelling: list elements on separate lines, some names in another case, lines of different names
/// reordered. The bits of `spelling` select the changes.
fn respelt(fields: List, spelling: u64) -> List {
    let mut bits = (0..64).map(|at| spelling >> at & 1 != 0).cycle();
    let mut bit = move || bits.next().unwrap_or_default();
    let mut groups: Vec<List> = Vec::new();
    for (mut name, value) in fields {
        if bit() {
            name.make_ascii_uppercase();
        }
        let is_list = name.eq_ignore_ascii_case(b"sec-websocket-protocol")
            || name.eq_ignore_ascii_case(b"sec-websocket-extensions");
        let mut lines = vec![Vec::new()];
        for part in value.split_inclusive(|&byte| byte == b',') {
            if is_list && bit() {
                lines.push(Vec::new());
            }
            lines.last_mut().unwrap().extend_from_slice(part);
        }
        lines.retain(|line| !line.is_empty());
        groups.push(
            lines
                .into_iter()
                .map(|line| (name.clone(), [b"\t ", &line[..], b" "].concat()))
                .collect(),
        );
    }
    // Take the next line of any remaining group.
    let mut other = Vec::new();
    while !groups.is_empty() {
        let at = if bit() { 0 } else { groups.len() - 1 };
        other.push(groups[at].remove(0));
        groups.retain(|group| !group.is_empty());
    }
    other
}
