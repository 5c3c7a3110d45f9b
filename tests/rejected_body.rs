//! The body of a response that rejects a handshake. The comment before each test names what it verifies, and its source.
#![cfg(feature = "alloc")]

mod common;

use common::bodies::{BodyRead, Framed, end_body, read_body, rejected};
use common::cuts;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use websocket_proto::handshake::{Answer, BodyError, ClientRequest, HandshakeError};
use websocket_proto::{Config, entropy};

const CHUNKED: &[u8] = b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n";
const TO_END: &[u8] = b"HTTP/1.1 502 Bad Gateway\r\n\r\n";

fn read(head: &[u8], bytes: &[u8]) -> BodyRead {
    read_body(&Config::new(), head, bytes, &[])
}

/// A head with these lines.
fn head(status_line: &str, lines: &str) -> Vec<u8> {
    format!("{status_line}\r\n{lines}\r\n").into_bytes()
}

#[track_caller]
fn assert_body(head: &[u8], bytes: &[u8], body: &[u8], rest: usize) {
    let read = read(head, bytes);
    assert_eq!(read.result, Some(Ok(body.to_vec())));
    assert_eq!(bytes.len() - read.used, rest, "what follows stays in the input");
}

/// Asserts that the body fails with the last of `bytes`, not earlier.
#[track_caller]
fn assert_fails(config: &Config, head: &[u8], bytes: &[u8], error: BodyError) -> BodyRead {
    let (_, before) = bytes.split_last().expect("a byte");
    assert_eq!(read_body(config, head, before, &[]).result, None, "too early");
    let read = read_body(config, head, &[bytes, b"more"].concat(), &[]);
    assert_eq!((read.result.clone(), read.is_reusable), (Some(Err(error)), false));
    read
}

/// Asserts that the body fails because of its head.
#[track_caller]
fn assert_refused(head: &[u8], error: BodyError) {
    let read = read(head, b"3\r\nabc\r\n0\r\n\r\n");
    assert_eq!((read.result, read.used), (Some(Err(error)), 0));
}

// ---- where the body ends -------------------------------------------------------------------------------------------------

// RFC 9112 section 6.3, rule 6: 9112-6.3-04, the length, and not a byte more; section 8: 9112-8-01
#[test]
fn a_body_has_the_length_that_its_head_says() {
    for line in ["Content-Length: 4\r\n", "content-length:0004 \r\n"] {
        let head = head("HTTP/1.1 401 Unauthorized", line);
        assert_body(&head, b"who?HTTP/1.1 ", b"who?", 9);
        assert_eq!(read(&head, b"who").result, None);
        assert_eq!(end_body(&Config::new(), &head, b"who"), Err(BodyError::Eof));
    }
    assert_body(&head("HTTP/1.1 401 x", "Content-Length: 0\r\n"), b"x", b"", 1);
}

// RFC 9112 section 6.3, rule 1: 9112-6.3-04, these have no body, whatever the head says
#[test]
fn responses_without_content_have_no_body() {
    for status in [204, 304] {
        for lines in [
            "",
            "Content-Length: 4\r\n",
            "Content-Length: x\r\n",
            "Transfer-Encoding: chunked\r\n",
        ] {
            let head = head(&format!("HTTP/1.1 {status} x"), lines);
            assert_body(&head, b"4\r\nabcd", b"", 7);
        }
    }
}

// RFC 9112 section 6.3, rule 8: 9112-6.3-04
#[test]
fn a_body_without_a_length_ends_with_the_transport() {
    for bytes in [&b""[..], b"x", b"0\r\n\r\nwhatever\0"] {
        let read = read(TO_END, bytes);
        assert_eq!((read.result, read.received), (None, bytes.to_vec()));
        assert_eq!(end_body(&Config::new(), TO_END, bytes), Ok(bytes.to_vec()));
    }
}

// RFC 9112 section 7.1: 9112-7.1-01, sizes in either case, with zeros in front; section 8: 9112-8-01
#[test]
fn chunks_are_put_together() {
    assert_body(CHUNKED, b"0\r\n\r\n", b"", 0);
    assert_body(CHUNKED, b"3\r\nabc\r\n0\r\n\r\nrest", b"abc", 4);
    assert_body(
        CHUNKED,
        b"1\r\n\n\r\n00A\r\n0123456789\r\n000\r\n\r\n",
        b"\n0123456789",
        0,
    );
    assert_body(CHUNKED, b"0000000000000001\r\na\r\n0\r\n\r\n", b"a", 0);
    let wide = [
        b"1a\r\n",
        &[b'x'; 26][..],
        b"\r\n1A\r\n",
        &[b'y'; 26],
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    assert_body(CHUNKED, &wide, &[[b'x'; 26], [b'y'; 26]].concat(), 0);
    for front in [
        &b""[..],
        b"3",
        b"3\r\nab",
        b"3\r\nabc\r\n",
        b"3\r\nabc\r\n0\r\n",
        b"0\r\nA: b\r\n",
    ] {
        assert_eq!(end_body(&Config::new(), CHUNKED, front), Err(BodyError::Eof));
    }
}

// RFC 9112 sections 7.1.1 and 7.1.2: 9112-7.1.1-01, 9112-7.1.2-01; RFC 9110 section 6.5.1: D71
#[test]
fn chunk_extensions_and_trailers_are_skipped() {
    let bytes = b"1;a\r\nx\r\n1 ;a=b;c=\"; \xe9\"\r\ny\r\n2 \t\r\nzz\r\n0;last\r\nDigest: x\r\nA:\r\n\r\n.";
    assert_body(CHUNKED, bytes, b"xyzz", 1);
}

// RFC 9112 sections 7.1.1 and 7.1.2: 9112-7.1.1-01, 9112-7.1.2-01; D71. All extensions together, and the trailers, are held to the limit of a head.
#[test]
fn chunk_extensions_and_trailers_are_limited() {
    let config = Config::new().max_head_size(60).max_fields(2);
    let chunk = |extension: usize| format!("1;{}\r\nx\r\n", "e".repeat(extension)).into_bytes();
    let fits = [chunk(29), chunk(29), b"0\r\n\r\n".to_vec()].concat();
    let done = read_body(&config, CHUNKED, &fits, &[]);
    assert_eq!(done.result, Some(Ok(b"xx".to_vec())));
    let limit = 60;
    let first = chunk(29);
    let over = [&first[..], format!("1;{}", "e".repeat(30)).as_bytes()].concat();
    assert_fails(
        &config,
        CHUNKED,
        &over,
        BodyError::ChunkExtensionsTooLarge { limit },
    );
    let over = [&first[..], b"1", &[b' '; 31]].concat();
    assert_fails(
        &config,
        CHUNKED,
        &over,
        BodyError::ChunkExtensionsTooLarge { limit },
    );

    let trailers = |size: usize| format!("0\r\nA: {}", "b".repeat(size - 3));
    let too_large = BodyError::Trailers(HandshakeError::HeadTooLarge { limit });
    assert_fails(&config, CHUNKED, trailers(60).as_bytes(), too_large);
    let whole = read_body(&config, CHUNKED, (trailers(56) + "\r\n\r\n").as_bytes(), &[]);
    assert_eq!(whole.result, Some(Ok(Vec::new())));
    let too_many = BodyError::Trailers(HandshakeError::TooManyFields { limit: 2 });
    assert_fails(&config, CHUNKED, b"0\r\nA: b\r\nA: b\r\nA", too_many);
}

// RFC 9112 section 7.1: 9112-7.1-02, what is not a chunk, at its byte
#[test]
fn malformed_chunks_are_refused() {
    let config = Config::new();
    for bytes in [
        &b"\r"[..],
        b"\n",
        b" ",
        b";",
        b"x",
        b"-",
        b"+",
        b"3x",
        b"0x",
        b"3\n",
        b"3\rx",
        b"0\rx",
        b"3 x",
        b"3;a\rx",
        b"00000000000000001",
        b"1\r\nx\r\n\r",
    ] {
        assert_fails(&config, CHUNKED, bytes, BodyError::MalformedChunkSize);
    }
    for bytes in [&b"3;\n"[..], b"3;a=\0", b"3;\x7f"] {
        assert_fails(&config, CHUNKED, bytes, BodyError::MalformedChunkExtension);
    }
    for bytes in [&b"1\r\nab"[..], b"1\r\na\n", b"1\r\na\rb", b"1\r\na\r\r"] {
        assert_fails(&config, CHUNKED, bytes, BodyError::MalformedChunkEnd);
    }
    for (bytes, error) in [
        (&b"0\r\n\n"[..], HandshakeError::BareLineFeed),
        (b"0\r\n\rx", HandshakeError::BareCarriageReturn),
        (b"0\r\nA: b\n", HandshakeError::BareLineFeed),
        (b"0\r\n ", HandshakeError::SpaceBeforeFields),
        (b"0\r\nA ", HandshakeError::SpaceBeforeColon),
        (b"0\r\nA: \0", HandshakeError::MalformedFieldValue),
    ] {
        assert_fails(&config, CHUNKED, bytes, BodyError::Trailers(error));
    }
}

// RFC 9112 sections 6.1 and 6.3, rules 3 to 5: D74. If two parties disagree about a length, responses can be smuggled.
#[test]
fn a_body_has_one_length() {
    let both = "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n";
    assert_refused(&head("HTTP/1.1 403 x", both), BodyError::ConflictingFraming);
    let chunked = "Transfer-Encoding: chunked\r\n";
    assert_refused(&head("HTTP/1.0 403 x", chunked), BodyError::ConflictingFraming);
    for length in ["", "x", "-1", "+3", "3,3", "3, 4", "0x3", "3 3", "3.0", "\u{663}"] {
        let lines = format!("Content-Length: {length}\r\n");
        assert_refused(&head("HTTP/1.1 403 x", &lines), BodyError::MalformedContentLength);
    }
    for second in ["3", "4"] {
        let lines = format!("Content-Length: 3\r\nContent-Length: {second}\r\n");
        assert_refused(&head("HTTP/1.1 403 x", &lines), BodyError::MalformedContentLength);
    }
}

// RFC 9112 sections 6.1, 6.3, rule 4, and 7: D74
#[test]
fn transfer_codings_but_chunked_are_refused() {
    for lines in [
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: ,\r\n",
    ] {
        let head = head("HTTP/1.1 403 x", lines);
        assert_refused(&head, BodyError::UnsupportedTransferCoding);
    }
    for lines in [
        "transfer-encoding: CHUNKED\r\n",
        "Transfer-Encoding: , chunked\t,\r\n",
    ] {
        assert_body(&head("HTTP/1.1 403 x", lines), b"1\r\na\r\n0\r\n\r\n", b"a", 0);
    }
}

// RFC 6455 section 4.1: 6455-4.1-28. An accepting response is followed by frames, whatever its head says about a body.
#[test]
fn an_accepting_response_has_no_body() {
    let mut bytes = *b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\nContent-Length: 4\r\n\r\n\x81\x02hi";
    let request = ClientRequest::new("h", "/").unwrap();
    let mut client = request.start(
        &Config::new(),
        entropy::from_fn(|bytes| bytes.fill(0)),
        &mut Vec::new(),
    );
    let mut input = &mut bytes[..];
    let answer = client.receive(&mut input, &mut Vec::new()).unwrap();
    let Some(Answer::Accepted { response, .. }) = answer else {
        panic!("{answer:?}")
    };
    let mut body = response.body_reader(&Config::new());
    assert_eq!(body.receive(&mut input), Ok(Some(Vec::new())));
    assert_eq!(
        (&*input, body.is_transport_reusable()),
        (&b"\x81\x02hi"[..], false)
    );
}

// ---- limits --------------------------------------------------------------------------------------------------------------

// RFC 6455 section 10.4: D73. The limit is finite by default, and is checked before memory is allocated.
#[test]
fn bodies_are_limited() {
    let limit = 64 * 1024;
    let config = Config::new();
    let at_limit = vec![b'x'; limit];
    let length = head("HTTP/1.1 403 x", "Content-Length: 65536\r\n");
    assert_body(&length, &at_limit, &at_limit, 0);
    assert_eq!(end_body(&config, TO_END, &at_limit), Ok(at_limit.clone()));
    let chunk = [b"10000\r\n", &at_limit[..], b"\r\n"].concat();
    assert_body(CHUNKED, &[&chunk[..], b"0\r\n\r\n"].concat(), &at_limit, 0);

    let limit = 65_536;
    let too_large = |size| BodyError::TooLarge { size, limit };
    let length = head("HTTP/1.1 403 x", "Content-Length: 65537\r\n");
    assert_refused(&length, too_large(65_537));
    for size in [
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999",
    ] {
        let length = head("HTTP/1.1 403 x", &format!("Content-Length: {size}\r\n"));
        assert_refused(&length, too_large(u64::MAX));
    }
    let (response, _) = rejected(&config, TO_END, b"");
    let mut body = response.body_reader(&config);
    let mut bytes = [&at_limit[..], b"xyz"].concat();
    let mut input = &mut bytes[..];
    assert_eq!(body.receive(&mut input), Err(too_large(65_537)));
    assert_eq!(
        (&*input, body.received()),
        (&b"xyz"[..], &at_limit[..]),
        "the front can be shown"
    );
}

// RFC 9112 section 7.1: 9112-7.1-02. A size of more than 64 bits is not mistaken for a smaller one; nor are leading zeros without end read.
#[test]
fn chunk_sizes_have_at_most_sixteen_digits() {
    for digits in 1..=16 {
        let bytes = format!("{:0>digits$}\r\nabc\r\n0\r\n\r\n.", 3);
        assert_body(CHUNKED, bytes.as_bytes(), b"abc", 1);
    }
    for size in ["00000000000000003", "10000000000000003"] {
        let bytes = format!("{size}\r\nabc\r\n0\r\n\r\n");
        let malformed = Some(Err(BodyError::MalformedChunkSize));
        assert_eq!(read(CHUNKED, bytes.as_bytes()).result, malformed, "{size}");
    }
}

// RFC 9112 section 7.1: 9112-7.1-02; RFC 6455 section 10.4: D73. A chunk is rejected by its size alone.
#[test]
fn chunks_are_limited_together() {
    let config = Config::new().max_body_size(10);
    let too_large = |size| BodyError::TooLarge { size, limit: 10 };
    for (bytes, error) in [
        (&b"b\r"[..], too_large(11)),
        (b"b;", too_large(11)),
        (b"4\r\nabcd\r\n7\r", too_large(11)),
        (b"ffffffffffffffff\r", too_large(u64::MAX)),
        (b"1\r\na\r\nffffffffffffffff\r", too_large(u64::MAX)),
    ] {
        assert_fails(&config, CHUNKED, bytes, error);
    }
    let read = assert_fails(&config, CHUNKED, b"4\r\nabcd\r\n7\r", too_large(11));
    assert_eq!(read.received, b"abcd");
    let most = Config::new().max_body_size(u64::MAX);
    let read = read_body(&most, CHUNKED, b"ffffffffffffffff\r", &[]);
    let limit = isize::MAX as u64;
    assert_eq!(
        read.result,
        Some(Err(BodyError::TooLarge {
            size: u64::MAX,
            limit
        }))
    );
}

// RFC 9112 section 6.3: an empty body does not exceed any of these limits
#[test]
fn an_empty_body_exceeds_no_limit() {
    let config = Config::new().max_body_size(0);
    for lines in ["Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n"] {
        let read = read_body(&config, &head("HTTP/1.1 403 x", lines), b"0\r\n\r\n", &[]);
        assert_eq!(read.result, Some(Ok(Vec::new())));
    }
    assert_eq!(end_body(&config, TO_END, b""), Ok(Vec::new()));
}

// ---- the transport -------------------------------------------------------------------------------------------------------

// RFC 9112 section 9.3: 9112-9.3-01, when a request can be repeated on the same transport after a 401 or a 407
#[test]
fn the_transport_is_reusable_if_the_server_keeps_it() {
    for (status_line, line, is_kept) in [
        ("HTTP/1.1 401 x", "", true),
        ("HTTP/1.1 401 x", "Connection: keep-alive\r\n", true),
        ("HTTP/1.1 401 x", "Connection: a, Close\r\n", false),
        (
            "HTTP/1.1 401 x",
            "Connection: keep-alive\r\nConnection: close\r\n",
            false,
        ),
        ("HTTP/1.1 401 x", "Connection: closed\r\n", true),
        ("HTTP/1.2 401 x", "", true),
        ("HTTP/1.0 401 x", "", false),
        ("HTTP/1.0 401 x", "Connection: Keep-Alive\r\n", true),
        ("HTTP/1.0 401 x", "Connection: keep-alive, close\r\n", false),
        ("HTTP/1.0 401 x", "Proxy-Connection: keep-alive\r\n", false),
    ] {
        let head = head(status_line, &format!("{line}Content-Length: 1\r\n"));
        let done = read(&head, b"xy");
        assert_eq!(
            (done.used, done.is_reusable),
            (1, is_kept),
            "{status_line} {line}"
        );
        assert!(!read(&head, b"").is_reusable, "not before the body");
    }
}

// ---- properties ----------------------------------------------------------------------------------------------------------

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    // RFC 9112 sections 6.3 and 7.1: 9112-6.3-04, 9112-7.1-01, 9112-7.1-02. Any partition gives the same, and that is what a plain reading of the RFC gives.
    #[test]
    fn bodies_are_read_as_the_rfc_says(
        framed in framed(), bytes in body_bytes(), shares in vec(any::<u8>(), 0..12),
    ) {
        let config = Config::new()
            .max_body_size(framed.max_body as u64)
            .max_head_size(framed.max_head)
            .max_fields(8);
        let read = read_body(&config, &framed.head(), &bytes, &cuts(&shares, bytes.len()));
        framed.check(&bytes, &read);
    }

    // RFC 9112 section 7.1: encoded content is decoded, and what follows is left in the input
    #[test]
    fn encoded_chunks_come_out(chunks in vec(vec(any::<u8>(), 1..40), 0..6), shares in vec(any::<u8>(), 0..12)) {
        let mut bytes = Vec::new();
        for chunk in &chunks {
            bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\nrest");
        let read = read_body(&Config::new(), CHUNKED, &bytes, &cuts(&shares, bytes.len()));
        prop_assert_eq!((read.result, read.used), (Some(Ok(chunks.concat())), bytes.len() - 4));
        prop_assert!(read.is_reusable);
    }
}

/// Mostly one field that declares a length, sometimes none or several.
fn framed() -> impl Strategy<Value = Framed> {
    let line = select(vec![
        ("Transfer-Encoding", "chunked"),
        ("Transfer-Encoding", "chunked"),
        ("transfer-encoding", "Chunked ,"),
        ("Transfer-Encoding", "gzip, chunked"),
        ("Content-Length", "0"),
        ("Content-Length", "7"),
        ("content-length", "0012"),
        ("Content-Length", "41"),
        ("Content-Length", "7, 7"),
        ("Connection", "close"),
        ("Connection", "Keep-Alive, x"),
        ("X", "y"),
    ]);
    let status = select(vec![200, 204, 304, 401, 403, 407, 502]);
    let minor = prop_oneof![4 => Just(1), 1 => Just(0)];
    let limits = (select(vec![40, 10, 0]), select(vec![160, 200]));
    (vec(line, 0..3), status, minor, limits).prop_map(|(fields, status, minor, (max_body, max_head))| {
        Framed {
            minor,
            status,
            fields: fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            max_body,
            max_head,
            bare_line_feeds: false,
        }
    })
}

/// Pieces of a chunked body, mostly in order, sometimes with a byte changed.
fn body_bytes() -> impl Strategy<Value = Vec<u8>> {
    let chunk = select(vec![
        &b"3\r\nabc\r\n"[..],
        b"1;x=\"y\"\r\nd\r\n",
        b"00A \r\n0123456789\r\n",
        b"2 ; a;b\r\n\r\n\r\n",
        b"9;eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\r\n123456789\r\n",
        b"0000000000000001\r\nz\r\n",
        b"00000000000000001\r\nz\r\n",
        b"4\r\nabc\r\n",
        b"",
    ]);
    let end = select(vec![
        &b"0\r\n\r\n"[..],
        b"0\r\n\r\nHTTP/1.1 200 OK",
        b"000;e\r\nA: b\r\nC:\r\n\r\nrest",
        b"0\r\nA : b\r\n\r\n",
        b"0\r\n",
        b"",
    ]);
    let change = (any::<Index>(), select(b"\r\n\0 ;0fg:".to_vec()), 0..3_u8);
    let changes = prop_oneof![2 => Just(Vec::new()), 1 => vec(change, 1..3)];
    (vec(chunk, 0..5), end, changes).prop_map(|(chunks, end, changes)| {
        let mut bytes = [&chunks.concat()[..], end].concat();
        for (at, byte, kind) in changes
            .into_iter()
            .filter(|_| !bytes.is_empty())
            .collect::<Vec<_>>()
        {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

// "Does not show the bytes, which may be confidential": in every framing, and after an error; the state and the size are shown.
#[test]
fn debug_of_a_body_shows_no_byte_of_it() {
    let length = &b"HTTP/1.1 403 Forbidden\r\nContent-Length: 20\r\n\r\n"[..];
    let none = &b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"[..];
    for (head, bytes, state, received) in [
        (length, &b"secret"[..], "\"length\"", 6),
        (CHUNKED, b"6\r\nsecret\r\n", "\"chunked\"", 6),
        (TO_END, b"secret", "\"to the end\"", 6),
        (none, b"", "\"complete\"", 0),
        (CHUNKED, b"6\r\nsecret\r\nx", "\"failed\"", 6),
    ] {
        let config = Config::new();
        let mut body = rejected(&config, head, b"").0.body_reader(&config);
        let result = body.receive(&mut &mut bytes.to_vec()[..]);
        let shown = format!("{body:?}");
        assert!(
            shown.contains(&format!("state: {state}, received: {received}")),
            "{shown}"
        );
        assert_eq!(result.is_err(), shown.contains("error: Some"), "{shown}");
        let numbers = format!("{:?}", b"secret");
        assert!(
            !shown.contains("secret") && !shown.contains(numbers.trim_matches(['[', ']'])),
            "{shown}"
        );
    }
}
