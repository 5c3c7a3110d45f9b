//! Allocations and memory that stays allocated, counted by the test's allocator.
#![cfg(feature = "alloc")]

mod common;
#[path = "common/heap.rs"]
mod heap;

use common::*;
use heap::{Heap, measure};
use websocket_proto::endpoint::ReadBuffer;
use websocket_proto::handshake::{Answer, ClientRequest, Response, ServerHandshake};
use websocket_proto::{Config, Connection, Error, Event, Misuse, Role, entropy};

const NOTHING: Heap = Heap {
    calls: 0,
    asked: 0,
    held: 0,
    peak: 0,
    peak_of_both: 0,
};

/// An end whose keys come from a zero-sized source, which therefore needs no heap.
fn open(role: Role, config: &Config) -> Connection {
    match role {
        Role::Server => Connection::server(config),
        Role::Client => Connection::client(config, entropy::from_fn(|key| key.fill(7))),
    }
}

/// Receives all of `input` and drops the events. Returns how many there were.
fn receive(connection: &mut Connection, mut input: &mut [u8], out: &mut Vec<u8>) -> Result<usize, Error> {
    let mut events = 0;
    while connection.receive(&mut input, out)?.is_some() {
        events += 1;
    }
    Ok(events)
}

/// The bytes of a frame, built without allocating.
fn incoming(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let end = match role {
        Role::Server => server(),
        Role::Client => client(),
    };
    end.incoming(first, payload)
}

const ROLES: [Role; 2] = [Role::Server, Role::Client];

// Design section 8: no allocation for a message that is contained entirely in the input
#[test]
fn whole_messages_allocate_nothing() {
    for role in ROLES {
        let mut connection = open(role, &Config::new());
        let mut out = Vec::with_capacity(4096);
        for (first, payload) in [
            (0x81, &b"some text, \xe2\x82\xac included"[..]),
            (0x82, b"\xff\x00\xff"),
            (0x89, b"ping"),
            (0x89, &[b'x'; 125]),
            (0x8a, b"pong"),
            (0x81, b""),
            (0x88, b"\x03\xe8"),
        ] {
            let mut wire = incoming(role, first, payload);
            let (events, heap) = measure(|| receive(&mut connection, &mut wire, &mut out).unwrap());
            assert_eq!((events, heap), (1, NOTHING), "{role:?} {first:#x}");
        }
        assert!(!out.is_empty(), "with a Pong and a Close among them");
    }
}

// The reason is kept for `Closed`, and nothing else
#[test]
fn reason_of_a_close_is_kept_in_as_many_bytes() {
    for role in ROLES {
        let mut connection = open(role, &Config::new());
        let mut out = Vec::with_capacity(4096);
        let mut wire = incoming(role, 0x88, b"\x03\xe8good bye");
        let (_, heap) = measure(|| receive(&mut connection, &mut wire, &mut out).unwrap());
        assert_eq!((heap.calls, heap.held), (1, 8), "{role:?}");
    }
}

// Design section 8: for messages of any size
#[test]
fn whole_text_of_any_size_allocates_nothing() {
    for role in ROLES {
        for size in [16, 127, 128, 1024, 16 * 1024, 64 * 1024, 1024 * 1024] {
            for unit in ["x", "é"] {
                let payload = unit.repeat(size / unit.len());
                let mut wire = incoming(role, 0x81, payload.as_bytes());
                let mut connection = open(role, &Config::new());
                let mut out = Vec::new();
                let (events, heap) = measure(|| receive(&mut connection, &mut wire, &mut out).unwrap());
                assert_eq!((events, heap), (1, NOTHING));
            }
        }
    }
}

// Contract, clause 1: even if the previous read ended with the header, or inside it
#[test]
fn payload_that_arrives_in_one_read_allocates_nothing() {
    for role in ROLES {
        let mut wire = incoming(role, 0x82, &[1; 1000]);
        let header = wire.len() - 1000;
        for cut in 1..=header {
            let mut wire = wire.clone();
            let (front, back) = wire.split_at_mut(cut);
            let mut connection = open(role, &Config::new());
            let mut out = Vec::new();
            let ((), heap) = measure(|| {
                assert_eq!(receive(&mut connection, front, &mut out), Ok(0));
                assert_eq!(receive(&mut connection, back, &mut out), Ok(1));
            });
            assert_eq!(heap, NOTHING);
        }
        wire.clear();
    }
}

// Design section 8: one allocation if reassembled, none with `recycle`
#[test]
fn message_in_two_reads_allocates_once_and_with_recycle_never() {
    for role in ROLES {
        for first in [0x81, 0x82] {
            let mut connection = open(role, &Config::new());
            let mut out = Vec::new();
            for round in 0..3 {
                let mut wire = incoming(role, first, &[b'x'; 10_000]);
                let (front, back) = wire.split_at_mut(6_000);
                let (buffer, heap) = measure(|| {
                    assert_eq!(receive(&mut connection, front, &mut out), Ok(0));
                    match connection.receive(&mut &mut *back, &mut out).unwrap() {
                        Some(Event::Text(text)) => text.into_owned().into_bytes(),
                        Some(Event::Binary(bytes)) => bytes.into_owned(),
                        other => panic!("{other:?}"),
                    }
                });
                // One for the first read's part, with space for as much again; then one for the complete buffer.
                assert_eq!(heap.calls, if round == 0 { 1 } else { 0 });
                connection.recycle(buffer);
            }
        }
    }
}

// Design section 8: the number of growth steps is logarithmic, whatever the reads
#[test]
fn message_in_one_byte_reads_allocates_a_growth_series() {
    for role in ROLES {
        for first in [0x81, 0x82] {
            let mut wire = incoming(role, first, &[b'x'; 100_000]);
            let mut connection = open(role, &Config::new());
            let mut out = Vec::new();
            let (events, heap) = measure(|| {
                let each = wire.chunks_mut(1);
                each.map(|byte| receive(&mut connection, byte, &mut out).unwrap())
                    .sum::<usize>()
            });
            assert_eq!(events, 1);
            assert!(
                heap.calls <= 20,
                "100,000 is under 2^17, plus first steps: {heap:?}"
            );
        }
    }
}

// Contract, clause 2, and section 10.4: nothing is reserved for the length that a header declares
#[test]
fn large_declared_length_allocates_at_most_twice_the_bytes_received() {
    for role in ROLES {
        for first in [0x82, 0x81, 0x02, 0x01] {
            let most = isize::MAX as u64;
            for (limit, len) in [(u64::MAX, most / 2), (u64::MAX, most), (1 << 20, 1 << 20)] {
                let end = if role == Role::Server { server() } else { client() };
                let mut wire = end.incoming_header(first, len);
                let header = wire.len();
                // Ten bytes of text, masked or not.
                wire.extend(end.incoming(0x82, b"0123456789").split_off(header - 8));
                let (front, back) = wire.split_at_mut(header);
                let mut connection = open(role, &Config::new().max_message_size(limit));
                let mut out = Vec::new();
                let (_, heap) = measure(|| receive(&mut connection, front, &mut out).unwrap());
                assert_eq!(heap, NOTHING, "for the header");
                let (_, heap) = measure(|| receive(&mut connection, back, &mut out).unwrap());
                assert!(
                    heap.calls <= 1 && heap.peak <= 2 * 10,
                    "{role:?} {first:#x} {len}: {heap:?}"
                );
                assert_eq!(connection.payload_remaining(), len - 10);
            }
        }
    }
}

// Contract, clause 2, and section 10.4: the space that is lent follows the bytes received as well
#[test]
fn lent_space_allocates_at_most_twice_the_bytes_received() {
    const READ: usize = 40_000;
    for role in ROLES {
        for first in [0x82, 0x81, 0x02, 0x01] {
            let end = if role == Role::Server { server() } else { client() };
            let mut connection = open(role, &Config::new().max_message_size(1 << 30));
            let (mut wire, mut out) = (end.incoming_header(first, 1 << 30), Vec::new());
            assert_eq!(connection.payload_space(READ), None);
            receive(&mut connection, &mut wire, &mut out).unwrap();
            let (mut came, mut held, mut direct) = (0, 0, 0);
            while came < 1_000_000 {
                let (lent, heap) = measure(|| connection.payload_space(READ).map_or(0, |space| space.len()));
                assert!(
                    held + heap.peak <= 2 * came,
                    "{role:?} {first:#x} {came}: {heap:?}"
                );
                held += heap.held;
                direct += lent;
                let size = if lent == 0 { READ } else { lent };
                let mut part: Vec<u8> = (0..size).map(|i| masked(role, came as usize + i)).collect();
                let (_, heap) = measure(|| match lent {
                    0 => receive(&mut connection, &mut part, &mut out).unwrap(),
                    _ => {
                        connection.payload_space(READ).unwrap().copy_from_slice(&part);
                        connection.payload_filled(size);
                        receive(&mut connection, &mut [], &mut out).unwrap()
                    }
                });
                came += size as i64;
                held += heap.held;
                assert!(held <= 2 * came, "{role:?} {first:#x} {came}: {heap:?}");
            }
            assert!(direct > 700_000, "{direct}");
        }
    }
}

/// The byte `x` at this place of a payload, as it is on the wire.
fn masked(role: Role, place: usize) -> u8 {
    match role {
        Role::Server => b'x' ^ KEY[place % 4],
        Role::Client => b'x',
    }
}

// Section 10.4: a header over the limit allocates its Close and nothing else
#[test]
fn header_over_the_limit_allocates_nothing() {
    for role in ROLES {
        let end = if role == Role::Server { server() } else { client() };
        let mut wire = end.incoming_header(0x82, 1 << 62);
        let mut connection = open(role, &Config::new());
        let mut out = Vec::with_capacity(256);
        let (result, heap) = measure(|| receive(&mut connection, &mut wire, &mut out));
        assert!(matches!(result, Err(Error::MessageTooBig { .. })));
        assert_eq!(heap, NOTHING);
    }
}

// Section 10.4: the memory of a message is the limit. With both blocks of the last `realloc` counted it may be half as much
// again: the old block is at most half of the limit when the new one reaches it.
#[test]
fn message_of_exactly_the_limit_takes_the_limit_and_no_more() {
    for role in ROLES {
        for limit in [1 << 20, 1_000_000, 65_537usize] {
            for first in [0x81, 0x82] {
                for read in [1, 4096] {
                    let mut wire = incoming(role, first, &vec![b'x'; limit]);
                    let config = Config::new().max_message_size(limit as u64);
                    let mut connection = open(role, &config);
                    let mut out = Vec::new();
                    let (events, heap) = measure(|| {
                        let each = wire.chunks_mut(read);
                        each.map(|part| receive(&mut connection, part, &mut out).unwrap())
                            .sum::<usize>()
                    });
                    assert_eq!((events, heap.held), (1, 0));
                    assert!(heap.peak as usize <= limit, "{limit} {read}: {heap:?}");
                    assert!(
                        heap.peak_of_both as usize <= limit + limit / 2,
                        "{limit} {read}: {heap:?}"
                    );
                    assert!(heap.calls <= 22, "{heap:?}");
                }
            }
        }
    }
}

// Section 10.4: the same for a message in fragments
#[test]
fn fragments_of_exactly_the_limit_take_the_limit_and_no_more() {
    let limit = 100_000;
    for role in ROLES {
        for size in [1, 1000] {
            let mut wire = incoming(role, 0x02, b"");
            let one = incoming(role, 0x00, &vec![1; size]);
            for _ in 0..limit / size {
                wire.extend(&one);
            }
            wire.extend(incoming(role, 0x80, b""));
            let mut connection = open(role, &Config::new().max_message_size(limit as u64));
            let mut out = Vec::new();
            let (events, heap) = measure(|| receive(&mut connection, &mut wire, &mut out).unwrap());
            assert_eq!((events, heap.held), (1, 0));
            assert!(heap.peak as usize <= limit, "{heap:?}");
        }
    }
}

// 6455-10.4-03: empty fragments are counted, and do not allocate
#[test]
fn million_empty_fragments_keep_no_memory() {
    for role in ROLES {
        for first in [0x01, 0x02] {
            let mut wire = incoming(role, 0x00, b"").repeat(1_000_000);
            let mut connection = open(role, &Config::new());
            let mut out = Vec::new();
            let mut begin = incoming(role, first, b"");
            let (_, heap) = measure(|| {
                receive(&mut connection, &mut begin, &mut out).unwrap();
                receive(&mut connection, &mut wire, &mut out).unwrap()
            });
            assert_eq!(heap, NOTHING);
        }
    }
}

// 6455-5.5.3-02: a flood of Pings holds nothing once the output is written
#[test]
fn million_pings_keep_no_memory_if_the_output_is_drained() {
    for role in ROLES {
        let one = incoming(role, 0x89, b"x");
        let mut wire = one.repeat(1_000_000);
        let mut connection = open(role, &Config::new());
        let mut out = Vec::with_capacity(4096);
        let (events, heap) = measure(|| {
            let reads = wire.chunks_mut(one.len() * 64);
            reads
                .map(|read| {
                    out.clear();
                    receive(&mut connection, read, &mut out).unwrap()
                })
                .sum::<usize>()
        });
        assert_eq!((events, heap), (1_000_000, NOTHING));
    }
}

// A partial control frame is kept in a small buffer, which is freed with its event
#[test]
fn split_ping_keeps_no_memory_after_its_event() {
    for role in ROLES {
        let mut wire = incoming(role, 0x89, &[b'x'; 125]);
        let mut connection = open(role, &Config::new());
        let mut out = Vec::with_capacity(256);
        let (events, heap) = measure(|| {
            let each = wire.chunks_mut(1);
            each.map(|byte| receive(&mut connection, byte, &mut out).unwrap())
                .sum::<usize>()
        });
        assert_eq!((events, heap.held), (1, 0));
        assert!(heap.peak <= 256, "{heap:?}");
    }
}

// Contract, clause 7: unfinished messages are dropped at the end, with their memory and the spare buffer
#[test]
fn finished_connection_keeps_no_memory() {
    for role in ROLES {
        let ends: [fn(Role, &mut Connection); 3] = [
            |_, connection| {
                connection.receive_eof();
            },
            |role, connection| {
                let mut wire = incoming(role, 0x88, b"");
                receive(connection, &mut wire, &mut Vec::new()).unwrap();
            },
            |role, connection| {
                let mut wire = incoming(role, 0x83, b"");
                receive(connection, &mut wire, &mut Vec::new()).unwrap_err();
            },
        ];
        for end in ends {
            for begun in [true, false] {
                let (connection, heap) = measure(|| {
                    let mut connection = open(role, &Config::new());
                    connection.recycle(vec![0; 1000]);
                    let mut wire = incoming(role, 0x01, b"unfinished");
                    if begun {
                        receive(&mut connection, &mut wire, &mut Vec::new()).unwrap();
                    }
                    end(role, &mut connection);
                    connection.recycle(vec![0; 1000]);
                    connection
                });
                assert_eq!(heap.held, 0);
                drop(connection);
            }
        }
    }
}

// RFC 6455 section 5.5.1: 6455-5.5.1-04. No data follows our Close, a failure or the end, so the memory for sending it is freed:
// a window, and an engine
#[cfg(feature = "deflate")]
#[test]
fn finished_sender_keeps_no_memory() {
    use websocket_proto::deflate::{DeflateConfig, Parameters};
    use websocket_proto::{Fin, MessageKind};

    let open = |role, config: &DeflateConfig| {
        let connection = open(role, &Config::new());
        connection.with_deflate(Parameters::default(), config)
    };
    let send = |connection: &mut Connection, fin| {
        let text = b"something that is compressed";
        connection.send_fragment(MessageKind::Text, text, fin, &mut Vec::new())
    };
    let close = |role, connection: &mut Connection, first, body: &[u8]| {
        let _ = receive(connection, &mut incoming(role, first, body), &mut Vec::new());
    };
    type End<'a> = &'a dyn Fn(Role, &mut Connection);
    let ends: [End; 4] = [
        &|_, connection| connection.close(None, "", &mut Vec::new()).unwrap(),
        &|role, connection| close(role, connection, 0x88, b""),
        &|role, connection| close(role, connection, 0x83, b""),
        &|_, connection| drop(connection.receive_eof()),
    ];
    for (role, end) in ROLES.into_iter().flat_map(|role| ends.map(|end| (role, end))) {
        for (keep_engine, fin) in [(true, Fin::Last), (false, Fin::Last), (false, Fin::More)] {
            let config = DeflateConfig::new().threshold(0).keep_engine(keep_engine);
            // What the thread keeps for the next message if the connection does not.
            send(&mut open(role, &config), Fin::Last).unwrap();
            let (mut connection, heap) = measure(|| {
                let mut connection = open(role, &config);
                send(&mut connection, fin).unwrap();
                connection
            });
            assert!(heap.held > 0, "there is something to drop");
            let (_, end) = measure(|| end(role, &mut connection));
            assert!(
                heap.held + end.held <= 0,
                "{role:?} {keep_engine} {fin:?}: {end:?}"
            );
            assert_eq!(send(&mut connection, Fin::Last), Err(Misuse::NotOpen));
        }
    }
}

// Design section 8: an idle connection has no heap at all
#[test]
fn idle_server_has_no_heap() {
    let (connection, heap) = measure(|| Connection::server(&Config::new()));
    assert_eq!(heap, NOTHING);
    drop(connection);
}

// Design section 8: an idle connection has no heap at all
#[cfg(feature = "os-entropy")]
#[test]
fn idle_client_with_the_systems_entropy_has_no_heap() {
    let (mut connection, heap) = measure(|| Connection::client(&Config::new(), websocket_proto::OsEntropy));
    assert_eq!(heap, NOTHING);
    let mut out = Vec::with_capacity(1024);
    let (_, heap) = measure(|| {
        connection.send_text("hello", &mut out).unwrap();
        let mut wire = incoming(Role::Client, 0x81, b"hello");
        receive(&mut connection, &mut wire, &mut out).unwrap()
    });
    assert_eq!(heap.held, 0, "nor after messages");
}

// Design section 8: sending into an output with enough capacity allocates nothing
#[test]
fn sending_into_a_large_enough_output_allocates_nothing() {
    for role in ROLES {
        let mut connection = open(role, &Config::new());
        let mut out = Vec::with_capacity(20_000);
        let payload = [7; 10_000];
        let (result, heap) = measure(|| -> Result<(), Misuse> {
            connection.send_text("hello", &mut out)?;
            connection.send_binary(&payload, &mut out)?;
            connection.send_ping(b"x", &mut out)?;
            connection.close(None, "", &mut out)
        });
        assert_eq!((result, heap), (Ok(()), NOTHING));
    }
}

// Design section 8: the size of a connection and of a result
#[test]
fn sizes_are_small() {
    let connection = size_of::<Connection>();
    let event = size_of::<Event<'static>>();
    let (error, misuse) = (size_of::<Error>(), size_of::<Misuse>());
    let result = size_of::<Result<Option<Event<'static>>, Error>>();
    println!(
        "Connection {connection}, Event {event}, Error {error}, Misuse {misuse}, result of receive {result}"
    );
    assert!(connection <= 256, "{connection}");
    assert!(event <= 40, "{event}");
    assert!(error <= 24, "{error}");
    assert!(misuse <= 16, "{misuse}");
    assert!(result <= 48, "{result}");
}

// Section 10.4: the memory of a head depends on the head, not on what was read with it
#[test]
fn server_keeps_no_memory_for_frames_received_with_the_head() {
    let head = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
    let mut read = [&head[..], &vec![0; 1024 * 1024]].concat();
    for limit in [16 * 1024, usize::MAX] {
        let config = Config::new().max_head_size(limit);
        let (request, heap) = measure(|| {
            let mut input = &mut read[..];
            ServerHandshake::new(&config)
                .receive(&mut input, &mut Vec::new())
                .unwrap()
                .unwrap()
        });
        assert_eq!(request.authority(), Some("example.com"));
        assert!((heap.calls, heap.peak) <= (1, 2048), "{heap:?}");
    }
}

/// The head of a browser's request.
const BROWSER: &[u8] = b"GET /chat?room=1 HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Connection: Upgrade\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0\r\n\
    Upgrade: websocket\r\n\
    Origin: https://server.example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
    Sec-WebSocket-Protocol: v2.chat, v1.chat\r\n\r\n";

// Design section 5: the head, in one buffer, and the parameters of compression
#[test]
fn handshake_of_a_browser_allocates_only_its_head() {
    let mut read = BROWSER.to_vec();
    let open = |config: &Config, read: &mut [u8], out: &mut Vec<u8>| {
        let request = ServerHandshake::new(config)
            .receive(&mut &mut *read, out)
            .unwrap();
        let upgrade = request.as_ref().unwrap().upgrade(out).unwrap();
        upgrade.select_subprotocol(&["v1.chat"]).accept(out)
    };
    let mut out = Vec::with_capacity(1024);
    let (connection, heap) = measure(|| open(&Config::new(), &mut read, &mut out));
    assert_eq!((heap.calls, heap.held), (1, 0), "the head");
    drop(connection);

    #[cfg(feature = "deflate")]
    {
        let config = Config::new().deflate(websocket_proto::deflate::DeflateConfig::new());
        let (connection, heap) = measure(|| open(&config, &mut read, &mut out));
        assert_eq!((heap.calls, heap.held), (2, 0), "and the extension of the answer");
        drop(connection);
    }
}

// Section 10.4: a head in two reads takes one buffer, which is as large as a usual head needs at most
#[test]
fn head_in_two_reads_allocates_once() {
    let mut read = BROWSER.to_vec();
    let (most, last) = read.split_at_mut(BROWSER.len() - 1);
    let (request, heap) = measure(|| {
        let mut server = ServerHandshake::new(&Config::new());
        assert!(
            server
                .receive(&mut &mut *most, &mut Vec::new())
                .unwrap()
                .is_none()
        );
        server.receive(&mut &mut *last, &mut Vec::new()).unwrap()
    });
    assert_eq!(request.unwrap().authority(), Some("server.example.com"));
    assert!(heap.calls == 1 && heap.peak <= 2048, "{heap:?}");
}

// Section 10.4: interim responses are read in the memory of the first one
#[test]
fn client_reads_any_number_of_interim_responses_in_the_same_memory() {
    let config = Config::new()
        .max_head_size(usize::MAX)
        .max_interim_responses(usize::MAX);
    let request = ClientRequest::new("example.com", "/").unwrap();
    let mut client = request.start(&config, entropy::from_fn(|bytes| bytes.fill(1)), &mut Vec::new());
    let mut read = b"HTTP/1.1 100 \r\n\r\n".repeat(10_000);
    let ((), heap) = measure(|| {
        let mut input = &mut read[..];
        assert!(client.receive(&mut input, &mut Vec::new()).unwrap().is_none());
    });
    assert!((heap.calls, heap.peak) <= (2, 2048), "{heap:?}");
}

/// The response to a client's request, which rejects it.
fn rejected(lines: &str) -> Response {
    let request = ClientRequest::new("example.com", "/").unwrap();
    let entropy = entropy::from_fn(|bytes| bytes.fill(1));
    let mut client = request.start(&Config::new(), entropy, &mut Vec::new());
    let mut read = format!("HTTP/1.1 403 x\r\n{lines}\r\n").into_bytes();
    match client.receive(&mut &mut read[..], &mut Vec::new()) {
        Ok(Some(Answer::Rejected(response))) => response,
        other => panic!("{other:?}"),
    }
}

// Section 10.4: the memory of a body depends on the bytes received, not on its length; one buffer if it is received in one read
#[test]
fn a_rejected_body_takes_the_memory_of_its_bytes() {
    let config = Config::new().max_body_size(u64::MAX);
    let response = rejected("Content-Length: 2000000000\r\n");
    let mut read = vec![b'x'; 10_000];
    let (body, heap) = measure(|| {
        let mut body = response.body_reader(&config);
        assert_eq!(body.receive(&mut &mut read[..]), Ok(None));
        body
    });
    assert!(heap.calls == 1 && heap.peak < 20_000, "{heap:?}");
    drop(body);

    let response = rejected("Content-Length: 10000\r\n");
    let (body, heap) = measure(|| response.body_reader(&config).receive(&mut &mut read[..]));
    assert_eq!((heap.calls, heap.peak, heap.held), (1, 10_000, 10_000));
    drop(body);

    let response = rejected("Transfer-Encoding: chunked\r\n");
    let mut read = b"1;e\r\nx\r\n".repeat(10_000);
    let mut body = response.body_reader(&Config::new().max_head_size(20_000));
    let (result, heap) = measure(|| body.receive(&mut &mut read[..]));
    assert_eq!((result, body.received().len()), (Ok(None), 10_000));
    assert!(heap.peak <= 20_000, "{heap:?}");
}

// Section 10.4: work is linear, also if a driver passes on much more than one read
#[test]
fn bytes_read_elsewhere_grow_the_read_buffer_in_few_steps() {
    for size in [100_000, 300_000, 1_000_000, 8_000_000] {
        let (bytes, mut buffer) = (vec![7; size], ReadBuffer::new(64 * 1024));
        for total in [size, 2 * size] {
            let (_, heap) = measure(|| buffer.extend(&bytes));
            assert!(heap.calls <= 16, "{size} bytes: {heap:?}");
            assert_eq!(buffer.len(), total);
            assert!(buffer.capacity() <= 2 * total, "{size} bytes: {buffer:?}");
        }
        assert!(buffer.unread().iter().all(|&byte| byte == 7));
    }
}

// Section 10.4: a transport that is open and silent costs no memory
#[test]
fn handshake_allocates_nothing_before_the_first_byte() {
    let mut server = ServerHandshake::new(&Config::new());
    let (head, heap) = measure(|| server.receive(&mut &mut [][..], &mut Vec::new()));
    assert_eq!((head.unwrap().is_none(), heap.calls), (true, 0));
}
