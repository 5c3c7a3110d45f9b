//! Patterns of hostile input, in any size. Only the calls of the library are measured; everything else is prepared before.

#[cfg(feature = "deflate")]
use super::common::naive_deflate::Bits;
use super::common::{End, both_with};
use websocket_proto::frame::{Decoder, Item, Rules};
use websocket_proto::handshake::{Answer, ClientRequest, ServerHandshake, Upgrade};
use websocket_proto::utf8::Validator;
use websocket_proto::{Config, Connection, Delivery, Fin, MessageKind, State, entropy};

/// The measured work. It panics unless the library processes the entire pattern.
pub type Work = Box<dyn FnOnce()>;

pub struct Pattern {
    pub name: &'static str,
    /// Prepares the work for `n` bytes, frames, lines or other units of the pattern.
    pub prepare: fn(usize) -> Work,
}

macro_rules! patterns {
    ($($(#[$attribute:meta])* $name:ident,)*) => {
        &[$($(#[$attribute])* Pattern { name: stringify!($name), prepare: $name },)*]
    };
}

pub const PATTERNS: &[Pattern] = patterns![
    decoder_in_one_byte_reads,
    binary_in_one_byte_reads,
    text_in_one_byte_reads,
    held_message_in_one_byte_reads,
    chunks_in_one_byte_reads,
    chunks_of_text_in_one_byte_reads,
    halves_in_one_byte_reads,
    empty_fragments,
    empty_fragments_in_one_byte_reads,
    one_byte_fragments,
    one_byte_fragments_of_text,
    small_messages,
    pings,
    pings_in_one_byte_reads,
    pings_between_fragments,
    pongs,
    bytes_after_an_error,
    bytes_after_a_close,
    utf8_byte_by_byte,
    one_byte_fragments_sent,
    long_target,
    long_field,
    long_field_byte_by_byte,
    many_lines,
    many_lines_byte_by_byte,
    empty_lines,
    commas,
    commas_in_small_reads,
    subprotocols,
    extensions,
    extension_lines,
    quoted_strings,
    backslashes,
    parameters,
    lines_of_known_fields,
    long_reason,
    folded_field,
    folded_field_byte_by_byte,
    interim_responses,
    interim_responses_byte_by_byte,
    small_chunks_of_a_body,
    small_chunks_of_a_body_byte_by_byte,
    chunk_extensions_byte_by_byte,
    body_byte_by_byte,
    body_to_the_end_byte_by_byte,
    trailers_byte_by_byte,
    many_fields_of_a_stream,
    known_fields_of_a_stream,
    answer_of_many_fields_of_a_stream,
    #[cfg(feature = "deflate")]
    deflate_offers,
    #[cfg(feature = "deflate")]
    empty_stored_blocks,
    #[cfg(feature = "deflate")]
    empty_fixed_blocks_byte_by_byte,
    #[cfg(feature = "deflate")]
    final_blocks,
    #[cfg(feature = "deflate")]
    final_blocks_of_a_small_window,
    #[cfg(feature = "deflate")]
    final_blocks_of_small_messages,
    #[cfg(feature = "deflate")]
    compressed_in_one_byte_fragments,
    #[cfg(feature = "deflate")]
    compressed_chunks_in_one_byte_reads,
    #[cfg(feature = "deflate")]
    compressed_messages,
    #[cfg(feature = "deflate")]
    inflated_much,
    #[cfg(feature = "deflate")]
    compressed_fragments_sent,
];

// ---- frames --------------------------------------------------------------------------------------------------------------

fn config() -> Config {
    Config::new().max_message_size(u64::MAX)
}

fn ends() -> [End; 2] {
    both_with(config())
}

/// Both roles receive `wire`, in reads of `read` bytes.
fn receive(wire: impl Fn(&End) -> Vec<u8>, read: usize) -> Work {
    receive_at(ends(), End::open, wire, read)
}

fn receive_at(
    ends: [End; 2],
    open: impl Fn(&End) -> Connection,
    wire: impl Fn(&End) -> Vec<u8>,
    read: usize,
) -> Work {
    let runs = ends.map(|end| (open(&end), wire(&end)));
    Box::new(move || {
        for (connection, mut bytes) in runs {
            drain(connection, &mut bytes, read);
        }
    })
}

fn drain(mut connection: Connection, bytes: &mut [u8], read: usize) {
    let mut out = Vec::new();
    for mut input in bytes.chunks_mut(read) {
        while connection
            .receive(&mut input, &mut out)
            .expect("no error")
            .is_some()
        {}
        // As a caller does after sending the output.
        out.clear();
    }
    assert_eq!(
        (connection.state(), connection.payload_remaining()),
        (State::Open, 0)
    );
}

const WHOLE: usize = usize::MAX;

fn decoder_in_one_byte_reads(n: usize) -> Work {
    let runs = ends().map(|end| {
        let wire = [
            end.incoming(0x02, &vec![7; n]),
            fragments(&end, 0, n, &[(0, b"")]),
        ]
        .concat();
        (Decoder::new(Rules::new(end.role)), wire)
    });
    Box::new(move || {
        for (mut decoder, mut bytes) in runs {
            let mut frames = 0;
            for mut input in bytes.chunks_mut(1) {
                while let Some(item) = decoder.decode(&mut input).expect("no violation") {
                    frames += usize::from(matches!(item, Item::End));
                }
            }
            assert_eq!(frames, n + 3);
        }
    })
}

fn chunked_ends() -> [End; 2] {
    both_with(config().delivery(Delivery::Chunks))
}

fn chunks_in_one_byte_reads(n: usize) -> Work {
    receive_at(
        chunked_ends(),
        End::open,
        |end| end.incoming(0x82, &vec![7; n]),
        1,
    )
}

fn chunks_of_text_in_one_byte_reads(n: usize) -> Work {
    let text = "😀".repeat(n / 4);
    let wire = |end: &End| end.incoming(0x81, text.as_bytes());
    receive_at(chunked_ends(), End::open, wire, 1)
}

/// Pings, whose Pongs are sent through replies.
fn halves_in_one_byte_reads(n: usize) -> Work {
    let middle: [(u8, &[u8]); 2] = [(0, b"x"), (0x89, b"y")];
    let runs = ends().map(|end| (end.open().split(), fragments(&end, 2, n / 8, &middle)));
    Box::new(move || {
        for ((mut receiver, mut sender), mut bytes) in runs {
            let (mut out, mut events) = (Vec::new(), 0);
            for mut input in bytes.chunks_mut(1) {
                let (event, reply) = receiver.receive(&mut input);
                events += usize::from(event.expect("no error").is_some());
                sender.reply(reply, &mut out);
                out.clear();
            }
            assert_eq!(events, n / 8 + 1);
        }
    })
}

/// A fragmented message: the first fragment, `middle` repeated `n` times, and the last fragment.
fn fragments(end: &End, opcode: u8, n: usize, middle: &[(u8, &[u8])]) -> Vec<u8> {
    let mut wire = end.incoming(opcode, b"");
    wire.extend(end.all_incoming(middle).repeat(n));
    wire.extend(end.incoming(0x80, b""));
    wire
}

fn binary_in_one_byte_reads(n: usize) -> Work {
    receive(|end| end.incoming(0x82, &vec![7; n]), 1)
}

fn text_in_one_byte_reads(n: usize) -> Work {
    receive(|end| end.incoming(0x81, "😀".repeat(n / 4).as_bytes()), 1)
}

/// The caller's buffer grows by one byte per read and is passed again completely.
fn held_message_in_one_byte_reads(n: usize) -> Work {
    let runs = both_with(config().delivery(Delivery::InPlace))
        .map(|end| (end.open(), end.incoming(0x82, &vec![7; n])));
    Box::new(move || {
        for (mut connection, mut bytes) in runs {
            let (mut start, mut events) = (0, 0);
            for end in 1..=bytes.len() {
                let mut input = &mut bytes[start..end];
                let size = input.len();
                events += usize::from(
                    connection
                        .receive(&mut input, &mut Vec::new())
                        .expect("no error")
                        .is_some(),
                );
                start += size - input.len();
            }
            assert_eq!(events, 1);
        }
    })
}

fn empty_fragments(n: usize) -> Work {
    receive(|end| fragments(end, 1, n, &[(0, b"")]), WHOLE)
}

fn empty_fragments_in_one_byte_reads(n: usize) -> Work {
    receive(|end| fragments(end, 2, n, &[(0, b"")]), 1)
}

fn one_byte_fragments(n: usize) -> Work {
    receive(|end| fragments(end, 2, n, &[(0, b"x")]), WHOLE)
}

/// Each character spans four fragments.
fn one_byte_fragments_of_text(n: usize) -> Work {
    let parts: [(u8, &[u8]); 4] = [(0, b"\xf0"), (0, b"\x9f"), (0, b"\x98"), (0, b"\x80")];
    receive(|end| fragments(end, 1, n / 4, &parts), WHOLE)
}

fn small_messages(n: usize) -> Work {
    receive(|end| end.incoming(0x81, b"x").repeat(n), WHOLE)
}

fn pings(n: usize) -> Work {
    receive(|end| end.incoming(0x89, b"").repeat(n), WHOLE)
}

fn pings_in_one_byte_reads(n: usize) -> Work {
    receive(|end| end.incoming(0x89, &[7; 125]).repeat(n / 125), 1)
}

fn pings_between_fragments(n: usize) -> Work {
    receive(|end| fragments(end, 2, n, &[(0, b"x"), (0x89, b"y")]), WHOLE)
}

fn pongs(n: usize) -> Work {
    receive(|end| end.incoming(0x8a, b"x").repeat(n), WHOLE)
}

/// Bytes after the end of a connection, one by one and all at once.
fn after(first: impl Fn(&End) -> Vec<u8>, n: usize) -> Work {
    let runs = ends().map(|end| {
        let mut connection = end.open();
        let mut bytes = first(&end);
        let _ = connection.receive(&mut &mut bytes[..], &mut Vec::new());
        assert_ne!(connection.state(), State::Open);
        (connection, vec![0x81; n])
    });
    Box::new(move || {
        for (mut connection, mut bytes) in runs {
            for end in 1..=bytes.len() {
                let mut input = &mut bytes[..end];
                let _ = connection.receive(&mut input, &mut Vec::new());
                assert_eq!(input.len(), end, "the input is not consumed");
            }
        }
    })
}

fn bytes_after_an_error(n: usize) -> Work {
    after(|end| end.incoming(0x83, b""), n)
}

fn bytes_after_a_close(n: usize) -> Work {
    after(|end| end.incoming(0x88, b""), n)
}

fn utf8_byte_by_byte(n: usize) -> Work {
    let text = "€".repeat(n / 3);
    Box::new(move || {
        let mut utf8 = Validator::new();
        for byte in text.as_bytes().chunks(1) {
            utf8.push(byte).expect("valid");
        }
        utf8.finish().expect("whole");
    })
}

fn one_byte_fragments_sent(n: usize) -> Work {
    send_fragments(ends().map(|end| end.open()), n)
}

fn send_fragments(connections: [Connection; 2], n: usize) -> Work {
    Box::new(move || {
        for mut connection in connections {
            let mut out = Vec::new();
            for byte in "é".repeat(n / 2).as_bytes().chunks(1) {
                connection
                    .send_fragment(MessageKind::Text, byte, Fin::More, &mut out)
                    .expect("valid");
            }
            connection
                .send_fragment(MessageKind::Text, b"", Fin::Last, &mut out)
                .expect("valid");
        }
    })
}

// ---- heads ---------------------------------------------------------------------------------------------------------------

const REQUEST: &str = "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n";

/// Receives a request with these lines in reads of `read` bytes. It is accepted if and only if `is_good`.
fn serve(target: &str, lines: &str, read: usize, is_good: bool) -> Work {
    let mut bytes = format!("GET {target} HTTP/1.1\r\n{REQUEST}{lines}\r\n").into_bytes();
    let config = Config::new().max_head_size(usize::MAX).max_fields(usize::MAX);
    #[cfg(feature = "deflate")]
    let config = config.deflate(websocket_proto::deflate::DeflateConfig::new());
    Box::new(move || {
        let (mut server, mut out) = (ServerHandshake::new(&config), Vec::new());
        let mut request = None;
        for mut input in bytes.chunks_mut(read) {
            assert!(request.is_none());
            request = server.receive(&mut input, &mut out).expect("well-formed");
        }
        let request = request.expect("whole");
        let upgrade = request.upgrade(&mut out);
        assert_eq!(upgrade.is_ok(), is_good, "{upgrade:?}");
        if let Ok(upgrade) = upgrade {
            let upgrade = upgrade.select_subprotocol(&["last"]);
            assert!(
                upgrade
                    .extensions()
                    .all(|one| one.params().all(|param| !param.name().is_empty()))
            );
            drop(upgrade.accept(&mut out));
        }
    })
}

fn long_target(n: usize) -> Work {
    serve(&format!("/{}", "a".repeat(n)), "", 1, true)
}

fn long_field(n: usize) -> Work {
    serve("/", &format!("X: {}\r\n", "a ".repeat(n / 2)), WHOLE, true)
}

fn long_field_byte_by_byte(n: usize) -> Work {
    serve("/", &format!("X: {}\r\n", "a ".repeat(n / 2)), 1, true)
}

fn many_lines(n: usize) -> Work {
    serve("/", &"X:\r\n".repeat(n), WHOLE, true)
}

fn many_lines_byte_by_byte(n: usize) -> Work {
    serve("/", &"X:\r\n".repeat(n), 1, true)
}

/// Empty lines before the request.
fn empty_lines(n: usize) -> Work {
    let mut bytes = "\r\n".repeat(n).into_bytes();
    bytes.extend(format!("GET / HTTP/1.1\r\n{REQUEST}\r\n").bytes());
    let config = Config::new().max_head_size(usize::MAX);
    Box::new(move || {
        let (mut server, mut out) = (ServerHandshake::new(&config), Vec::new());
        let requests = bytes
            .chunks_mut(1)
            .filter_map(|mut input| server.receive(&mut input, &mut out).expect("well-formed"));
        assert_eq!(requests.count(), 1);
    })
}

/// Lines full of commas, in reads of `read` bytes.
fn full_of_commas(n: usize, read: usize) -> Work {
    let commas = ", ".repeat(n / 2);
    let lines = format!(
        "Connection: {commas}\r\nSec-WebSocket-Protocol: {commas}a\r\nSec-WebSocket-Extensions: {commas}a\r\n"
    );
    serve("/", &lines, read, true)
}

/// At most 64 KiB, so that both heads are parsed line by line. Longer heads are parsed byte by byte, which costs more.
fn commas(n: usize) -> Work {
    full_of_commas(n, WHOLE)
}

fn commas_in_small_reads(n: usize) -> Work {
    full_of_commas(n, 100)
}

/// Distinct names in an order that is unfavorable for searches, with the requested one last.
fn subprotocols(n: usize) -> Work {
    let names: Vec<String> = (0..n)
        .map(|i| format!("p{}", i.wrapping_mul(7919) % n.next_power_of_two() * n + i))
        .collect();
    serve(
        "/",
        &format!("Sec-WebSocket-Protocol: {}, last\r\n", names.join(",")),
        WHOLE,
        true,
    )
}

fn extensions(n: usize) -> Work {
    serve(
        "/",
        &format!("Sec-WebSocket-Extensions: {}a\r\n", "a; b,".repeat(n)),
        WHOLE,
        true,
    )
}

fn extension_lines(n: usize) -> Work {
    serve(
        "/",
        &"Sec-WebSocket-Extensions: a; b=c\r\n".repeat(n),
        WHOLE,
        true,
    )
}

fn quoted_strings(n: usize) -> Work {
    serve(
        "/",
        &format!("Sec-WebSocket-Extensions: {}a\r\n", "a; b=\"\\c\",".repeat(n)),
        WHOLE,
        true,
    )
}

/// An unterminated quoted string.
fn backslashes(n: usize) -> Work {
    serve(
        "/",
        &format!("Sec-WebSocket-Extensions: a; b=\"{}\r\n", "\\\\".repeat(n)),
        WHOLE,
        false,
    )
}

fn parameters(n: usize) -> Work {
    serve(
        "/",
        &format!("Sec-WebSocket-Extensions: a{}\r\n", "; b=c".repeat(n)),
        WHOLE,
        true,
    )
}

/// Repeated known fields. The error is found only after all of them.
fn lines_of_known_fields(n: usize) -> Work {
    serve(
        "/",
        &"Connection: a\r\nUpgrade: b\r\nSec-WebSocket-Version: 13\r\n".repeat(n),
        WHOLE,
        false,
    )
}

const RESPONSE: &str =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n";

/// A client receives `interim` and a response with this reason and these lines, in reads of `read` bytes.
fn answer(interim: &str, reason: &str, lines: &str, read: usize) -> Work {
    let mut bytes = format!("{interim}HTTP/1.1 101 {reason}\r\n{RESPONSE}{lines}\r\n").into_bytes();
    let config = Config::new()
        .max_head_size(usize::MAX)
        .max_interim_responses(usize::MAX);
    let request = ClientRequest::new("h", "/").expect("well-formed");
    let mut client = request.start(&config, entropy::from_fn(|nonce| nonce.fill(0)), &mut Vec::new());
    Box::new(move || {
        let mut answer = None;
        for mut input in bytes.chunks_mut(read) {
            answer = client.receive(&mut input, &mut Vec::new()).expect("well-formed");
        }
        assert!(matches!(answer, Some(Answer::Accepted { .. })));
    })
}

fn long_reason(n: usize) -> Work {
    answer("", &"x".repeat(n), "", 1)
}

fn folded_field(n: usize) -> Work {
    answer("", "", &format!("X: a{}\r\n", "\r\n b".repeat(n)), WHOLE)
}

fn folded_field_byte_by_byte(n: usize) -> Work {
    answer("", "", &format!("X: a{}\r\n", "\r\n \t".repeat(n)), 1)
}

fn interim_responses(n: usize) -> Work {
    answer(&"HTTP/1.1 103 \r\nX: y\r\n\r\n".repeat(n), "", "", WHOLE)
}

fn interim_responses_byte_by_byte(n: usize) -> Work {
    answer(&"HTTP/1.1 100 \r\n\r\n".repeat(n), "", "", 1)
}

/// A client reads the body of a rejection with these lines in its head, in reads of `read` bytes.
fn reject(lines: &str, body: Vec<u8>, read: usize) -> Work {
    let config = config()
        .max_head_size(usize::MAX)
        .max_fields(usize::MAX)
        .max_body_size(u64::MAX);
    let request = ClientRequest::new("h", "/").expect("well-formed");
    let mut client = request.start(&config, entropy::from_fn(|nonce| nonce.fill(0)), &mut Vec::new());
    let mut head = format!("HTTP/1.1 403 x\r\n{lines}\r\n").into_bytes();
    let answer = client.receive(&mut &mut head[..], &mut Vec::new());
    let Ok(Some(Answer::Rejected(response))) = answer else {
        panic!("not rejected")
    };
    let mut bytes = body;
    Box::new(move || {
        let mut body = response.body_reader(&config);
        for mut input in bytes.chunks_mut(read) {
            if body.receive(&mut input).expect("well-formed").is_some() {
                return;
            }
        }
        assert!(body.receive_eof().is_ok());
    })
}

fn chunks(chunk: &str, n: usize, end: &str, read: usize) -> Work {
    let body = [chunk.repeat(n), end.to_owned()].concat().into_bytes();
    reject("Transfer-Encoding: chunked\r\n", body, read)
}

fn small_chunks_of_a_body(n: usize) -> Work {
    chunks("1\r\nx\r\n", n, "0\r\n\r\n", WHOLE)
}

fn small_chunks_of_a_body_byte_by_byte(n: usize) -> Work {
    chunks("1\r\nx\r\n", n, "0\r\n\r\n", 1)
}

fn chunk_extensions_byte_by_byte(n: usize) -> Work {
    chunks("1;e=\"f\"\r\nx\r\n", n, "0\r\n\r\n", 1)
}

fn trailers_byte_by_byte(n: usize) -> Work {
    chunks("", 1, &format!("0\r\n{}\r\n", "A: b\r\n".repeat(n)), 1)
}

fn body_byte_by_byte(n: usize) -> Work {
    reject(&format!("Content-Length: {n}\r\n"), vec![b'x'; n], 1)
}

fn body_to_the_end_byte_by_byte(n: usize) -> Work {
    reject("", vec![b'x'; n], 1)
}

/// A server receives an extended CONNECT request with `field` repeated `n` times.
fn connect(n: usize, field: (&'static str, &'static str)) -> Work {
    let mut fields = vec![
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", "h"),
        ("sec-websocket-version", "13"),
    ];
    fields.extend((0..n).map(|_| field));
    Box::new(move || {
        let upgrade = Upgrade::from_extended_connect(&config(), fields).expect("well-formed");
        drop(upgrade.select_subprotocol(&["none"]).into_connection());
    })
}

fn many_fields_of_a_stream(n: usize) -> Work {
    connect(n, ("cookie", "a=b"))
}

fn known_fields_of_a_stream(n: usize) -> Work {
    connect(n, ("sec-websocket-extensions", "a; b=c"))
}

fn answer_of_many_fields_of_a_stream(n: usize) -> Work {
    let mut fields = vec![(":status", "200")];
    fields.extend((0..n).map(|_| ("set-cookie", "a=b")));
    let config = config().max_head_size(usize::MAX).max_fields(usize::MAX);
    let request = ClientRequest::new("h", "/").expect("well-formed");
    let mut client = request.start_extended_connect(&config, entropy::from_fn(|nonce| nonce.fill(0)));
    Box::new(move || {
        let answer = client.receive_fields(fields).expect("well-formed");
        assert!(matches!(answer, Some(Answer::Accepted { .. })));
    })
}

// ---- compression ---------------------------------------------------------------------------------------------------------

#[cfg(feature = "deflate")]
fn deflate_offers(n: usize) -> Work {
    let offers = "permessage-deflate; client_max_window_bits; server_max_window_bits=7,".repeat(n);
    serve(
        "/",
        &format!("Sec-WebSocket-Extensions: {offers}permessage-deflate\r\n"),
        WHOLE,
        true,
    )
}

#[cfg(feature = "deflate")]
fn deflated(end: &End) -> Connection {
    use websocket_proto::deflate::{DeflateConfig, Parameters};
    let config = DeflateConfig::new().threshold(0);
    end.open().with_deflate(Parameters::default(), &config)
}

#[cfg(feature = "deflate")]
fn receive_deflated(wire: impl Fn(&End) -> Vec<u8>, read: usize) -> Work {
    receive_at(ends(), deflated, wire, read)
}

#[cfg(feature = "deflate")]
fn empty_stored_blocks(n: usize) -> Work {
    // As many as a message may have.
    let blocks = b"\x00\x00\x00\xff\xff\x00\x00\x00\xff\xff\x00\x01\x00\xfe\xffx";
    let data = [&blocks.repeat(n / 2)[..], b"\x00"].concat();
    receive_at(chunked_ends(), deflated, |end| end.incoming(0xc2, &data), WHOLE)
}

#[cfg(feature = "deflate")]
fn empty_fixed_blocks_byte_by_byte(n: usize) -> Work {
    let mut bits = Bits::default();
    (0..n).for_each(|_| bits.fixed(false, &[]));
    let data = bits.sync();
    receive_deflated(|end| end.incoming(0xc2, &data), 1)
}

/// As many final blocks as are allowed with a full window.
#[cfg(feature = "deflate")]
fn final_blocks(n: usize) -> Work {
    let stored = [&b"\x01\x1e\x02\xe1\xfd"[..], &[b'x'; 542]].concat();
    let data = stored.repeat(n / 6);
    receive_deflated(|end| end.incoming(0xc2, &data), WHOLE)
}

/// As many as are allowed with a window of 512 bytes, which makes each block cheaper.
#[cfg(feature = "deflate")]
fn final_blocks_of_a_small_window(n: usize) -> Work {
    use websocket_proto::deflate::{DeflateConfig, Parameters, Window};
    let stored = [&b"\x01\x26\x00\xd9\xff"[..], &[b'x'; 38]].concat();
    let data = stored.repeat(n);
    let window = Window::new(9).expect("a window");
    let open = move |end: &End| {
        let parameters = Parameters::new(window, window);
        end.open().with_deflate(parameters, &DeflateConfig::new())
    };
    receive_at(ends(), open, |end| end.incoming(0xc2, &data), WHOLE)
}

/// As many as are allowed: two in each message, which ends with one byte of its own. The window is filled first.
#[cfg(feature = "deflate")]
fn final_blocks_of_small_messages(n: usize) -> Work {
    let window = all_of(1 << 15);
    let wire = |end: &End| {
        let small = end.incoming(0xc2, b"\x03\x00\x03\x00\x00").repeat(n / 20);
        [end.incoming(0xc2, &window), small].concat()
    };
    receive_deflated(wire, WHOLE)
}

#[cfg(feature = "deflate")]
fn compressed_in_one_byte_fragments(n: usize) -> Work {
    let data = [&b"\x00\x01\x00\xfe\xffx".repeat(n / 6)[..], b"\x00"].concat();
    let wire = move |end: &End| {
        let mut wire = end.incoming(0x42, b"");
        data.iter()
            .for_each(|byte| wire.extend(end.incoming(0, &[*byte])));
        wire.extend(end.incoming(0x80, b""));
        wire
    };
    receive_deflated(wire, WHOLE)
}

#[cfg(feature = "deflate")]
fn compressed_chunks_in_one_byte_reads(n: usize) -> Work {
    let data = [&b"\x00\x01\x00\xfe\xffx".repeat(n / 6)[..], b"\x00"].concat();
    receive_at(chunked_ends(), deflated, |end| end.incoming(0xc1, &data), 1)
}

#[cfg(feature = "deflate")]
fn compressed_messages(n: usize) -> Work {
    receive_deflated(
        |end| end.incoming(0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00").repeat(n / 20),
        WHOLE,
    )
}

/// Inflates to a thousand times the size.
#[cfg(feature = "deflate")]
fn inflated_much(n: usize) -> Work {
    let data = all_of(100 * n);
    receive_deflated(|end| end.incoming(0xc2, &data), WHOLE)
}

/// The compressed payload of a message of `size` equal bytes.
#[cfg(feature = "deflate")]
fn all_of(size: usize) -> Vec<u8> {
    use websocket_proto::deflate::{Compressor, DeflateConfig, Window};
    let mut data = Vec::new();
    let mut compressor = Compressor::new(Window::default(), &DeflateConfig::new()).expect("15 bits");
    compressor.compress(&vec![7; size], &mut data);
    data
}

#[cfg(feature = "deflate")]
fn compressed_fragments_sent(n: usize) -> Work {
    send_fragments(ends().map(|end| deflated(&end)), n / 20)
}
