//! Messages delivered in chunks: the chunks together are the message, and memory does not grow.
#![cfg(feature = "alloc")]

mod common;
#[path = "common/heap.rs"]
mod heap;

use common::{Seen, both_with, client_with, frame};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use websocket_proto::frame::Violation;
use websocket_proto::{Config, Connection, Delivery, Error, Event, Fin, Role};

/// Everything that was received, with the chunks assembled, and the chunks of a message that an error interrupted.
#[derive(Debug, Default, PartialEq)]
struct Received {
    events: Vec<Seen>,
    unfinished: Vec<u8>,
    error: Option<Error>,
    out: Vec<u8>,
}

fn receive(connection: &mut Connection, wire: &[u8], cuts: &[usize]) -> Received {
    let mut received = Received::default();
    let mut ends = cuts.to_vec();
    ends.push(wire.len());
    let mut start = 0;
    for end in ends {
        let mut read = wire[start..end].to_vec();
        start = end;
        let mut input = &mut read[..];
        loop {
            match connection.receive(&mut input, &mut received.out) {
                Ok(Some(event)) => received.take(event),
                Ok(None) => break,
                Err(error) => {
                    received.error = Some(error);
                    return received;
                }
            }
        }
    }
    received
}

impl Received {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::TextChunk(text, fin) => {
                assert!(fin == Fin::Last || !text.is_empty(), "a chunk without need");
                self.unfinished.extend_from_slice(text.as_bytes());
                if fin == Fin::Last {
                    let text = String::from_utf8(std::mem::take(&mut self.unfinished));
                    self.events.push(Seen::Text(text.expect("text")));
                }
            }
            Event::BinaryChunk(payload, fin) => {
                assert!(fin == Fin::Last || !payload.is_empty(), "a chunk without need");
                self.unfinished.extend_from_slice(&payload);
                if fin == Fin::Last {
                    self.events
                        .push(Seen::Binary(std::mem::take(&mut self.unfinished)));
                }
            }
            event => self.events.push(event.into()),
        }
    }
}

fn indexes(cuts: &[Index], len: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(len + 1)).collect();
    cuts.sort_unstable();
    cuts
}

/// Frames in a mostly sensible order, some damaged.
fn wire(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let key = (role == Role::Server).then_some(common::KEY);
    let content = prop_oneof!["[ -~]{0,20}", "[é€😀a]{0,12}"];
    let message = (content, vec(any::<Index>(), 0..4), any::<bool>(), any::<bool>()).prop_map(
        move |(content, cuts, text, ping)| {
            let bytes = content.as_bytes();
            let mut ends = indexes(&cuts, bytes.len());
            ends.push(bytes.len());
            let (mut wire, mut start) = (Vec::new(), 0);
            for (i, end) in ends.iter().enumerate() {
                let opcode = match (i, text) {
                    (0, true) => 1,
                    (0, false) => 2,
                    _ => 0,
                };
                let fin = if i + 1 == ends.len() { 0x80 } else { 0 };
                wire.extend(frame(fin | opcode, key, &bytes[start..*end]));
                if ping {
                    wire.extend(frame(0x89, key, b"?"));
                }
                start = *end;
            }
            wire
        },
    );
    let damage = prop_oneof![3 => Just(None), 1 => (any::<Index>(), any::<u8>()).prop_map(Some)];
    (vec(message, 0..4), damage).prop_map(|(messages, damage)| {
        let mut wire = messages.concat();
        if let (Some((at, byte)), false) = (damage, wire.is_empty()) {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        wire
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    // Contract, clause 5: for any split, the chunks are the message, and output, error, and what was delivered before it are the
    // same.
    #[test]
    fn chunks_assemble_to_the_message(
        (role, wire) in prop_oneof![Just(Role::Server), Just(Role::Client)]
            .prop_flat_map(|role| (Just(role), wire(role))),
        cuts in vec(any::<Index>(), 0..8),
        limit in prop_oneof![Just(1_u64 << 20), 1..60_u64],
    ) {
        let config = Config::new().max_message_size(limit);
        let open = |config| common::End { role, config }.open();
        let whole = receive(&mut open(config.clone()), &wire, &[]);
        let chunked = receive(&mut open(config.clone().delivery(Delivery::Chunks)), &wire, &[]);
        prop_assert_eq!(&chunked.events, &whole.events);
        prop_assert_eq!(chunked.error, whole.error);
        prop_assert_eq!(&chunked.out, &whole.out);
        let every: Vec<usize> = (1..wire.len()).collect();
        for cuts in [every, indexes(&cuts, wire.len())] {
            prop_assert_eq!(&receive(&mut open(config.clone().delivery(Delivery::Chunks)), &wire, &cuts), &chunked);
        }
    }
}

// Contract, clause 5: a chunk of a payload in the input borrows from it; a code point split across reads does not
#[test]
fn chunks_are_lent_from_the_input() {
    for end in both_with(Config::new().delivery(Delivery::Chunks)) {
        let mut connection = end.open();
        let wire = end.incoming(0x81, "Grüße".as_bytes());
        let cut = wire.len() - 4; // inside the "ß"
        let mut chunks = Vec::new();
        for read in [&wire[..cut], &wire[cut..]] {
            let mut read = read.to_vec();
            let mut input = &mut read[..];
            while let Some(event) = connection.receive(&mut input, &mut Vec::new()).unwrap() {
                let Event::TextChunk(text, fin) = event else {
                    panic!()
                };
                chunks.push((text.is_borrowed(), text.into_owned(), fin));
            }
        }
        let expected = [
            (true, "Gr".into(), Fin::More),
            (false, "ü".into(), Fin::More),
            (true, "ße".into(), Fin::Last),
        ];
        assert_eq!(chunks, expected);
    }
}

// RFC 6455 section 8.1: 6455-8.1-03, 6455-8.1-07. Text that ends inside a code point is an error at its end, not before; and what
// is valid is delivered for any split
#[test]
fn text_in_chunks_is_handed_out_up_to_what_is_not_utf8() {
    for end in both_with(Config::new().delivery(Delivery::Chunks)) {
        for (first, text, valid, error) in [
            (0x81, &b"a\xc3"[..], &b"a"[..], Some(Error::InvalidUtf8)),
            (0x01, b"a\xc3", b"a", None),
            (0x01, b"a\xff", b"a", Some(Error::InvalidUtf8)),
            (
                0x81,
                b"a\xe2\x82\xacb\xed\xa0\x80c",
                b"a\xe2\x82\xacb",
                Some(Error::InvalidUtf8),
            ),
            (0x81, b"\xc0ab", b"", Some(Error::InvalidUtf8)),
        ] {
            let wire = [end.incoming(first, text), end.incoming(0x89, b"")].concat();
            let every: Vec<usize> = (1..wire.len()).collect();
            for cuts in [&[][..], &every] {
                let received = receive(&mut end.open(), &wire, cuts);
                assert_eq!((received.error, &received.unfinished[..]), (error, valid));
                assert_eq!(
                    received.events.is_empty(),
                    error.is_some(),
                    "no Ping overtakes the error"
                );
            }
        }
    }
}

// Contract, clauses 5 and 7: the error that a chunk comes before is still to be returned, so that a half stays open until it has reported
#[test]
fn half_stays_open_until_the_error_after_a_chunk_is_reported() {
    for end in both_with(Config::new().delivery(Delivery::Chunks)) {
        let (mut receiver, mut sender) = end.open().split();
        let mut wire = end.incoming(0x81, b"a\xff");
        let mut input = &mut wire[..];
        let (event, reply) = receiver.receive(&mut input);
        assert_eq!(event, Ok(Some(Event::TextChunk("a".into(), Fin::More))));
        assert!(receiver.is_open() && reply.is_none());
        let (error, reply) = receiver.receive(&mut input);
        assert_eq!(error, Err(Error::InvalidUtf8));
        assert!(!receiver.is_open());
        let mut out = Vec::new();
        sender.reply(reply, &mut out);
        assert_eq!(common::strict::frames_of(end.role, &out)[0].opcode, 8);
    }
}

// RFC 6455 section 10.4: a limit, and every other rule, holds for messages in chunks too
#[test]
fn limits_and_order_hold_for_chunks() {
    for end in both_with(Config::new().delivery(Delivery::Chunks).max_message_size(4)) {
        let wire = end.all_incoming(&[(0x01, b"abc"), (0x80, b"de")]);
        let received = receive(&mut end.open(), &wire, &[]);
        assert_eq!(received.error, Some(Error::MessageTooBig { limit: 4, size: 5 }));
        assert_eq!(received.unfinished, b"abc");
        let received = receive(
            &mut end.open(),
            &end.all_incoming(&[(0x01, b"a"), (0x81, b"b")]),
            &[],
        );
        assert_eq!(received.error, Some(Error::UnfinishedMessage));
        let received = receive(&mut end.open(), &end.incoming(0x80, b"a"), &[]);
        assert_eq!(received.error, Some(Error::UnexpectedContinuation));
        let received = receive(&mut end.open(), &end.incoming(0xc1, b"a"), &[]);
        assert_eq!(received.error, Some(Error::Frame(Violation::ReservedBits(4))));
    }
}

// Contract, clause 5: memory does not depend on the size of the message, which may exceed 4 GiB
#[test]
fn message_in_chunks_takes_constant_memory() {
    let config = Config::new()
        .delivery(Delivery::Chunks)
        .max_message_size(u64::MAX);
    let mut connection = client_with(config.clone()).open();
    let (size, mut seen) = (5_u64 << 30, 0_u64);
    let mut out = Vec::new();
    let mut header = client_with(config).incoming_header(0x82, size);
    assert_eq!(connection.receive(&mut &mut header[..], &mut out), Ok(None));
    let mut read = vec![0; 64 << 20];
    let (_, heap) = heap::measure(|| {
        for _ in 0..size / read.len() as u64 {
            let mut input = &mut read[..];
            while let Some(event) = connection.receive(&mut input, &mut out).unwrap() {
                let Event::BinaryChunk(payload, fin) = event else {
                    panic!()
                };
                seen += payload.len() as u64;
                assert_eq!(fin == Fin::Last, seen == size);
            }
        }
    });
    assert_eq!((seen, heap), (size, heap::Heap::default()));
}

#[cfg(feature = "deflate")]
mod deflate {
    use super::*;
    use websocket_proto::deflate::{DeflateConfig, Parameters};

    fn open(role: Role, config: Config) -> Connection {
        let config = common::End { role, config };
        config
            .open()
            .with_deflate(Parameters::default(), &DeflateConfig::new().threshold(0))
    }

    fn sent(role: Role, messages: &[(bool, Vec<u8>, usize)]) -> Vec<u8> {
        let (mut sender, mut out) = (open(role, Config::new()), Vec::new());
        for (text, bytes, size) in messages {
            let kind = match text {
                true => websocket_proto::MessageKind::Text,
                false => websocket_proto::MessageKind::Binary,
            };
            let mut parts = bytes.chunks(*size).peekable();
            while let Some(part) = parts.next() {
                let fin = if parts.peek().is_none() {
                    Fin::Last
                } else {
                    Fin::More
                };
                sender.send_fragment(kind, part, fin, &mut out).unwrap();
                sender.send_ping(b"?", &mut out).unwrap();
            }
        }
        out
    }

    fn message() -> impl Strategy<Value = (bool, Vec<u8>, usize)> {
        let text = "[a€😀]{1,300}".prop_map(|text| (true, text.into_bytes()));
        let binary = (vec(any::<u8>(), 1..300), 1..200_usize).prop_map(|(bytes, n)| (false, bytes.repeat(n)));
        (prop_oneof![text, binary], 1..5000_usize).prop_map(|((text, bytes), size)| (text, bytes, size))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        // RFC 7692 section 6.2, contract, clause 5: inflated chunks are the message, for any split and any error
        #[test]
        fn inflated_chunks_assemble_to_the_message(
            role in prop_oneof![Just(Role::Server), Just(Role::Client)],
            messages in vec(message(), 1..4),
            cuts in vec(any::<Index>(), 0..20),
            damage in prop_oneof![2 => Just(None), 1 => any::<(Index, u8)>().prop_map(Some)],
            limit in prop_oneof![Just(1_u64 << 20), 1..20_000_u64],
        ) {
            let mut wire = sent(role.peer(), &messages);
            if let Some((at, byte)) = damage {
                let at = at.index(wire.len());
                wire[at] = byte;
            }
            let config = Config::new().max_message_size(limit);
            let whole = receive(&mut open(role, config.clone()), &wire, &[]);
            let chunked = receive(&mut open(role, config.clone().delivery(Delivery::Chunks)), &wire, &[]);
            prop_assert_eq!(&chunked.events, &whole.events);
            prop_assert_eq!(chunked.error, whole.error);
            prop_assert_eq!(&chunked.out, &whole.out);
            let every: Vec<usize> = (1..wire.len()).collect();
            for cuts in [every, indexes(&cuts, wire.len())] {
                prop_assert_eq!(&receive(&mut open(role, config.clone().delivery(Delivery::Chunks)), &wire, &cuts), &chunked);
            }
        }
    }

    // RFC 7692 section 8, contract, clause 5: a message that inflates a thousandfold needs only the memory of a chunk
    #[test]
    fn inflated_message_in_chunks_takes_the_memory_of_a_chunk() {
        let zeros = vec![0; 64 << 20];
        let mut wire = sent(Role::Client, &[(false, zeros, 1 << 20)]);
        let config = Config::new()
            .delivery(Delivery::Chunks)
            .max_message_size(u64::MAX);
        let mut connection = open(Role::Server, config);
        let (mut seen, mut out) = (0, Vec::with_capacity(1024));
        let (_, heap) = heap::measure(|| {
            let mut input = &mut wire[..];
            while let Some(event) = connection.receive(&mut input, &mut out).unwrap() {
                if let Event::BinaryChunk(payload, _) = event {
                    assert!(payload.len() <= 16 * 1024);
                    seen += payload.len();
                    connection.recycle(payload);
                }
            }
        });
        assert_eq!(seen, 64 << 20);
        println!("inflated 64 MiB in chunks: {heap:?}");
        assert!(heap.peak_of_both < 256 * 1024, "{heap:?}");
        // An engine, a window and a buffer, and nothing more for four thousand chunks.
        assert!(heap.calls < 60, "{heap:?}");
    }
}
