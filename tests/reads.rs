//! Reads that end with a partial payload, so that the next frame begins at the start of a read.
#![cfg(feature = "alloc")]

mod common;

use std::time::Duration;

use common::*;
use proptest::prelude::*;
use websocket_proto::endpoint::{Endpoint, EndpointConfig, ReadBuffer, Step};
use websocket_proto::{ClosedBy, Config, Connection, Delivery, Error, Event, Role};

/// The maximum size of a read: 16 KiB and a header.
const READ: usize = 16 * 1024 + 128;

/// The number of reads, and of payloads borrowed from the input and owned.
#[derive(Debug, Default, Eq, PartialEq)]
struct Run {
    reads: usize,
    borrowed: usize,
    owned: usize,
}

impl Run {
    fn see(&mut self, event: &Event<'_>) {
        let Event::Binary(payload) = event else {
            panic!("{event:?}");
        };
        match payload.is_borrowed() {
            true => self.borrowed += 1,
            false => self.owned += 1,
        }
    }
}

/// Reads as much as there is space for, from a transport that has everything.
fn read(wire: &mut &[u8], space: &mut [u8]) -> usize {
    assert!(!space.is_empty());
    std::io::Read::read(wire, space).unwrap()
}

fn by_endpoint(mut wire: &[u8], delivery: Delivery) -> Run {
    let config = EndpointConfig::new().max_read_size(READ);
    let connection = open(Role::Server, &Config::new().delivery(delivery));
    let mut endpoint = Endpoint::from_connection(&config, connection, &[], Duration::ZERO);
    let mut run = Run::default();
    loop {
        match endpoint.step(Duration::ZERO) {
            Step::Event => {
                while let Some((event, _)) = endpoint.next_event() {
                    run.see(&event);
                }
            }
            Step::Read if wire.is_empty() => return run,
            Step::Read => {
                let size = read(&mut wire, endpoint.read_space());
                endpoint.received(size);
                run.reads += 1;
            }
            step => panic!("{step:?}"),
        }
    }
}

fn by_connection(mut wire: &[u8], delivery: Delivery) -> Run {
    let mut connection = open(Role::Server, &Config::new().delivery(delivery));
    let (mut buffer, mut out) = (ReadBuffer::new(READ), Vec::new());
    let mut run = Run::default();
    while !wire.is_empty() {
        let size = read(&mut wire, buffer.space(connection.payload_remaining()));
        buffer.filled(size);
        run.reads += 1;
        let mut input = buffer.unread();
        while let Some(event) = connection.receive(&mut input, &mut out).unwrap() {
            run.see(&event);
        }
        let left = input.len();
        buffer.keep(left);
    }
    run
}

fn messages(size: usize, times: usize) -> Vec<u8> {
    server().incoming(0x82, &vec![7; size]).repeat(times)
}

/// Reads into messages where that pays, as the documentation of `Connection::payload_space` does. Returns the messages, and how
/// many of the bytes were read directly.
fn by_payload_space(
    mut wire: &[u8],
    connection: &mut Connection,
    max_read_size: usize,
    recycles: bool,
) -> (Vec<Seen>, usize) {
    let (mut buffer, mut out, mut messages, mut direct) = (vec![0; max_read_size], vec![], vec![], 0);
    while !wire.is_empty() {
        let size = match connection.payload_space(max_read_size) {
            Some(space) => {
                let size = read(&mut wire, space);
                connection.payload_filled(size);
                direct += size;
                0
            }
            None => read(&mut wire, &mut buffer),
        };
        let mut input = &mut buffer[..size];
        while let Some(event) = connection.receive(&mut input, &mut out).unwrap() {
            messages.push(Seen::from(event.clone()));
            match event {
                Event::Binary(payload) if recycles => connection.recycle(payload),
                Event::Text(text) if recycles => connection.recycle(text),
                _ => {}
            }
        }
    }
    (messages, direct)
}

/// More than stays in the first-level cache.
const LARGE_READ: usize = 64 * 1024;

// Design 2, section 2: a large message is read where it stays, all but its first read, and what follows it is not
#[test]
fn large_messages_are_read_into() {
    for end in both() {
        for kind in [0x82, 0x81] {
            let payload = "漢字 and ASCII, ".repeat(60_000).into_bytes();
            let wire = end.all_incoming(&[(kind, &payload), (0x89, b"ping"), (kind, b"short")]);
            let config = Config::new().max_message_size(payload.len() as u64);
            for (max_read_size, recycles) in [(READ, true), (LARGE_READ, true), (LARGE_READ, false)] {
                let mut connection = open(end.role, &config);
                let (messages, direct) =
                    by_payload_space(&wire.repeat(2), &mut connection, max_read_size, recycles);
                let is_text = kind == 0x81;
                let all = [
                    message(is_text, &payload),
                    ping(b"ping"),
                    message(is_text, b"short"),
                ];
                assert_eq!(messages, [&all[..], &all].concat());
                if (max_read_size, end.role) == (READ, Role::Server) {
                    assert_eq!(direct, 0, "what has to be unmasked is in the first-level cache");
                    continue;
                }
                // Where the message has grown and only little space is left, a read is copied.
                let most = 2 * payload.len();
                assert!((most / 10 * 7..most).contains(&direct), "{direct} of {most}");
            }
        }
    }
}

// RFC 6455 section 5.4: fragments are read into the message as well, with control frames between them
#[test]
fn large_fragments_are_read_into() {
    for delivery in [Delivery::Whole, Delivery::InPlace] {
        for end in both() {
            let fragment = vec![b'x'; 300_000];
            let wire =
                end.all_incoming(&[(0x01, &fragment), (0x89, b"1"), (0x00, &fragment), (0x80, b"end")]);
            let config = Config::new().delivery(delivery);
            let (messages, direct) = by_payload_space(&wire, &mut open(end.role, &config), LARGE_READ, false);
            let whole = [&fragment[..], &fragment, b"end"].concat();
            assert_eq!(messages, [ping(b"1"), message(true, &whole)]);
            assert!(direct > 250_000, "{direct}");
        }
    }
}

// What is delivered in chunks is not assembled
#[test]
fn chunks_are_not_read_into() {
    let wire = client().incoming(0x82, &[7; 1_000_000]);
    let mut connection = open(Role::Client, &Config::new().delivery(Delivery::Chunks));
    let (mut front, mut out) = (wire[..500_000].to_vec(), Vec::new());
    let mut input = &mut front[..];
    while connection.receive(&mut input, &mut out).unwrap().is_some() {}
    assert_eq!(connection.payload_space(LARGE_READ), None);
}

// RFC 7692 section 6: the payload of a compressed message is not its content
#[cfg(feature = "deflate")]
#[test]
fn compressed_messages_are_not_read_into() {
    use websocket_proto::deflate::{DeflateConfig, Parameters};
    let window = common::windows::window(15, true);
    let connection = |role| {
        let config = DeflateConfig::new().level(0);
        open(role, &Config::new()).with_deflate(Parameters::new(window, window), &config)
    };
    let (mut wire, mut out, mut messages) = (Vec::new(), Vec::new(), 0);
    let payload: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
    connection(Role::Server).send_binary(&payload, &mut wire).unwrap();
    assert!(wire[0] & 0x40 != 0, "it is compressed");
    let mut client = connection(Role::Client);
    for part in wire.chunks_mut(1000) {
        assert_eq!(client.payload_space(1000), None);
        let mut input = part;
        while let Some(event) = client.receive(&mut input, &mut out).unwrap() {
            assert_eq!(Seen::from(event), binary(&payload));
            messages += 1;
        }
    }
    assert_eq!(messages, 1);
}

fn thousand() -> Vec<u8> {
    (0..1000).map(|i| i as u8).collect()
}

/// A connection that has received `front` of a binary message of 1000 bytes.
fn inside_message(front: usize) -> (Connection, Vec<u8>) {
    let mut wire = client().incoming(0x82, &thousand());
    let rest = wire.split_off(4 + front);
    let mut connection = client().open();
    assert_eq!(connection.receive(&mut &mut wire[..], &mut Vec::new()), Ok(None));
    (connection, rest)
}

#[track_caller]
fn ends_with(connection: &mut Connection, mut rest: Vec<u8>) {
    let event = connection.receive(&mut &mut rest[..], &mut Vec::new()).unwrap();
    assert_eq!(event.map(Seen::from), Some(binary(&thousand())));
}

#[track_caller]
fn assert_lends(connection: &mut Connection, max_read_size: usize, len: Option<usize>) {
    let space = connection.payload_space(max_read_size);
    assert_eq!(
        space.map(|space| space.len()),
        len,
        "for reads of {max_read_size} bytes"
    );
}

// `Connection::payload_space`: lent only where it pays
#[test]
fn space_is_lent_only_where_it_pays() {
    let (mut connection, _) = inside_message(500);
    for (max_read_size, len) in [
        (62, Some(62)),
        (63, None), // more than 1000 / 16
        (1, Some(1)),
        (0, None),
        (usize::MAX, None),
    ] {
        assert_lends(&mut connection, max_read_size, len);
    }
    let (mut connection, _) = inside_message(970);
    assert_lends(&mut connection, 62, None); // less than half of a read is missing
    assert_lends(&mut connection, 60, Some(30));
    // The capacities are 1000, halved repeatedly: 31 after 20 bytes, 62 after 50.
    let (mut connection, _) = inside_message(20);
    assert_lends(&mut connection, 22, Some(11));
    assert_lends(&mut connection, 24, None); // the message is too small yet
    let mut idle = client().open();
    assert_lends(&mut idle, 1, None);
    assert_eq!(
        idle.receive(&mut &mut [0x82, 126, 3][..], &mut Vec::new()),
        Ok(None)
    );
    assert_lends(&mut idle, 1, None); // inside a header
}

// `Connection::payload_filled`: what was not lent, or was withdrawn, counts for nothing
#[test]
fn only_space_that_is_lent_is_filled() {
    let (mut connection, rest) = inside_message(500);
    connection.payload_filled(10);
    ends_with(&mut connection, rest);
    connection.payload_filled(10);
    assert!(connection.is_open());

    let (mut connection, mut rest) = inside_message(500);
    connection.payload_space(50).unwrap().fill(0xee);
    let later = rest.split_off(1);
    assert_eq!(connection.receive(&mut &mut rest[..], &mut Vec::new()), Ok(None));
    connection.payload_filled(50);
    ends_with(&mut connection, later);

    let (mut connection, rest) = inside_message(500);
    connection.payload_space(50).unwrap().fill(0xee);
    connection.payload_filled(0);
    connection.payload_filled(50);
    ends_with(&mut connection, rest);
}

// `Connection::payload_filled`: no more than was lent, and before what else is received
#[test]
fn what_was_read_comes_before_input() {
    let (mut connection, mut rest) = inside_message(500);
    let later = rest.split_off(50);
    connection.payload_space(50).unwrap().copy_from_slice(&rest);
    connection.payload_filled(usize::MAX);
    assert_lends(&mut connection, 50, None);
    assert_eq!(
        connection.payload_remaining(),
        500,
        "until they are received, they count"
    );
    assert_eq!(connection.receive(&mut &mut [][..], &mut Vec::new()), Ok(None));
    assert_eq!(connection.payload_remaining(), 450);
    ends_with(&mut connection, later);

    let (mut connection, mut rest) = inside_message(500);
    let later = rest.split_off(50);
    connection.payload_space(50).unwrap().copy_from_slice(&rest);
    connection.payload_filled(51);
    ends_with(&mut connection, later);
}

// RFC 6455 section 7.1.7: what was read into a message that failed is gone with it
#[test]
fn nothing_is_filled_after_the_end() {
    let (mut connection, rest) = inside_message(500);
    let space = connection.payload_space(50).unwrap();
    space.copy_from_slice(&rest[..50]);
    connection.set_max_message_size(7);
    connection.payload_filled(50);
    let result = connection.receive(&mut &mut [][..], &mut Vec::new());
    assert_eq!(result, Err(Error::MessageTooBig { limit: 7, size: 1000 }));
    assert_lends(&mut connection, 50, None);

    let (mut connection, rest) = inside_message(500);
    let space = connection.payload_space(50).unwrap();
    space.copy_from_slice(&rest[..50]);
    connection.payload_filled(50);
    assert_eq!(connection.receive_eof().by(), ClosedBy::Transport);
    assert_eq!(connection.receive(&mut &mut [][..], &mut Vec::new()), Ok(None));
}

// RFC 6455 section 8.1: 6455-8.1-04; D16: a text fails with the read that has the first invalid byte
#[test]
fn text_read_into_fails_at_the_first_invalid_byte() {
    for end in both() {
        let text = "漢字".repeat(30_000).into_bytes();
        let (first, second) = (70_000, 90_000);
        for bad in (second - 2..second + 6).chain([second + 8319, second + 8320, text.len() - 1]) {
            let mut text = text.clone();
            text[bad] = 0xff;
            let wire = end.incoming(0x81, &text);
            let start = wire.len() - text.len();
            let (before, at) = (&wire[..start + bad], &wire[..=start + bad]);
            let cuts = [start + first, start + second.min(bad)];
            drive_into_messages(&mut end.open(), before, &cuts, LARGE_READ)
                .succeeds()
                .sees(&[]);
            let cuts = [cuts[0], cuts[1], start + bad];
            drive_into_messages(&mut end.open(), at, &cuts, LARGE_READ).fails(Error::InvalidUtf8);
        }
    }
}

// Requirements section 18, 1: with masked messages as well, which are only read into by large reads
#[test]
fn reads_of_any_size_into_large_messages_show_the_same() {
    for end in both() {
        let text = "aé漢😀".repeat(13_000).into_bytes();
        for split in [1, 3, 65_536, 65_539] {
            let (first, second) = text.split_at(split);
            let wire = end.all_incoming(&[(0x01, first), (0x8a, b"pong"), (0x80, second), (0x82, b"next")]);
            let whole = drive(&mut end.open(), &wire, &[]);
            for read in [997, 4099, 40_001] {
                let cuts: Vec<_> = (read..wire.len()).step_by(read).collect();
                let max_read_size = 33 * 1024;
                whole.assert_same(&drive_into_messages(&mut end.open(), &wire, &cuts, max_read_size));
                let mut halves = end.open().split();
                whole.assert_same(&drive_into_messages(&mut halves, &wire, &cuts, max_read_size));
            }
        }
    }
}

// `Connection::recycle`: nothing of a message shows in a later one of the same connection, or of another
#[test]
fn nothing_shows_of_a_recycled_message() {
    for end in both() {
        let mut connection = end.open();
        let secret = end.incoming(0x82, &[b's'; 400_000]);
        by_payload_space(&secret, &mut connection, LARGE_READ, true);
        for size in [20_000, 150_000, 399_999, 400_000, 500_000] {
            let wire = end.incoming(0x82, &vec![b'x'; size]);
            let (messages, _) = by_payload_space(&wire, &mut connection, LARGE_READ, true);
            assert_eq!(messages, [binary(&vec![b'x'; size])]);
            let mut other = end.open();
            let (mut first, mut out) = (end.incoming(0x82, b"1"), Vec::new());
            other.receive(&mut &mut first[..], &mut out).unwrap();
            other.recycle(vec![b's'; 400_000]);
            let (messages, _) = by_payload_space(&wire, &mut other, LARGE_READ, true);
            assert_eq!(messages, [binary(&vec![b'x'; size])]);
        }
    }
}

// `Endpoint::read_space`: what is read directly is received by the next event, and needs no buffer; that is nearly all of a large
// message, most of it in reads of the largest size
#[test]
fn endpoint_reads_into_messages() {
    for end in both() {
        let payload: Vec<u8> = (0..400_000u32).map(|i| (i % 251) as u8).collect();
        let wire = end.all_incoming(&[
            (0x02, &payload),
            (0x89, b"between"),
            (0x80, &payload),
            (0x82, b"next"),
        ]);
        let config = EndpointConfig::new();
        let mut endpoint = Endpoint::from_connection(&config, end.open(), &[], Duration::ZERO);
        let (mut rest, mut seen, mut most) = (&wire[..], Vec::new(), 0);
        let (mut reads, mut direct) = (0, 0);
        loop {
            match endpoint.step(Duration::ZERO) {
                Step::Event => {
                    while let Some((event, _)) = endpoint.next_event() {
                        seen.push(Seen::from(event));
                    }
                }
                Step::Read if rest.is_empty() => break,
                Step::Read => {
                    most = most.max(endpoint.capacity());
                    endpoint.take_buffers();
                    let size = read(&mut rest, endpoint.read_space());
                    let is_direct = endpoint.capacity() == 0;
                    endpoint.received(size);
                    reads += 1;
                    direct += if is_direct { size } else { 0 };
                }
                Step::Write => endpoint.written(endpoint.output().len()),
                Step::Flush => endpoint.flushed(),
                step => panic!("{step:?}"),
            }
        }
        let whole = payload.repeat(2);
        assert_eq!(seen, [ping(b"between"), binary(&whole), binary(b"next")]);
        assert!(most <= LARGE_READ + 1024, "{most} bytes of buffers");
        assert!(
            direct >= whole.len() - 3 * LARGE_READ,
            "{direct} bytes are not copied"
        );
        assert!(reads <= 40, "{reads} reads");
    }
}

/// Measures twenty messages, after a hundred during which the buffer has grown and the reads have settled.
fn assert_run(
    run: impl Fn(&[u8], Delivery) -> Run,
    size: usize,
    delivery: Delivery,
    reads: usize,
    borrowed: usize,
) {
    let expected = Run {
        reads,
        borrowed,
        owned: 20 - borrowed,
    };
    let (warm, all) = (
        run(&messages(size, 100), delivery),
        run(&messages(size, 120), delivery),
    );
    let difference = Run {
        reads: all.reads - warm.reads,
        borrowed: all.borrowed - warm.borrowed,
        owned: all.owned - warm.owned,
    };
    assert_eq!(difference, expected, "{size} bytes, {delivery:?}");
}

// Design 2, section 2: every second message is complete in a read, and the other reads end with a message, which an endpoint keeps
// in its read buffer
#[test]
fn messages_of_the_size_of_a_read_take_one_each() {
    assert_run(by_connection, 16 * 1024, Delivery::Whole, 20, 10);
    assert_run(by_endpoint, 16 * 1024, Delivery::Whole, 20, 20);
    assert_run(by_connection, 16 * 1024, Delivery::InPlace, 20, 20);
    assert_run(by_endpoint, 16 * 1024, Delivery::InPlace, 20, 20);
}

// Design 2, section 2: the last of five reads ends with the message
#[test]
fn large_messages_begin_with_a_read() {
    for (delivery, borrowed) in [(Delivery::Whole, 0), (Delivery::InPlace, 20)] {
        assert_run(by_connection, 80_000, delivery, 100, borrowed);
        assert_run(by_endpoint, 80_000, delivery, 100, borrowed);
    }
}

/// Receives a text of `size` bytes in two reads, between which the buffers are taken or not. Returns whether it was borrowed.
fn receive_in_two_reads(end: &End, size: usize, first: usize, takes_buffers: bool) -> bool {
    let payload = "\u{e9}".repeat(size / 2);
    let wire = end.incoming(0x81, payload.as_bytes());
    let config = EndpointConfig::new().max_read_size(HELD_READ);
    let mut endpoint = Endpoint::from_connection(&config, end.open(), &[], Duration::ZERO);
    // The buffer reaches its full size, and the message begins where there is no space for it.
    let mut before = &end.incoming(0x82, &[0; 900]).repeat(4)[..];
    let (mut rest, mut borrowed) = (&wire[..], None);
    let mut largest = [first, usize::MAX].into_iter();
    loop {
        match endpoint.step(Duration::ZERO) {
            Step::Event => {
                let mut events = endpoint.events();
                while let Some((event, _)) = events.next() {
                    if let Event::Text(text) = event {
                        assert_eq!(text, payload);
                        assert_eq!(borrowed.replace(text.is_borrowed()), None);
                    }
                }
            }
            Step::Read if !before.is_empty() => {
                let size = read(&mut before, endpoint.read_space());
                endpoint.received(size);
            }
            Step::Read if rest.is_empty() => return borrowed.expect("the message has arrived"),
            Step::Read => {
                if takes_buffers {
                    assert!(endpoint.take_buffers().is_some() || endpoint.capacity() == 0);
                }
                let most = largest.next().unwrap_or(usize::MAX);
                let space = endpoint.read_space();
                let most = most.min(space.len());
                let size = read(&mut rest, &mut space[..most]);
                endpoint.received(size);
                assert!(endpoint.capacity() <= HELD_READ);
            }
            step => panic!("{step:?}"),
        }
    }
}

const HELD_READ: usize = 1024;

// `Endpoint::take_buffers`: a message that fits into the read buffer stays there if less than half of it came first, until the
// buffers are taken; it is the same message in every case
#[test]
fn endpoint_keeps_the_front_of_a_message_that_fits() {
    for end in both() {
        for size in [600, HELD_READ, HELD_READ + 2] {
            let header = end.incoming(0x81, &vec![b'x'; size]).len() - size;
            let half = header + size / 2;
            let firsts = (1..header + size)
                .filter(|first| *first < 20 || first.abs_diff(half) < 4 || *first > header + size - 4);
            for first in firsts {
                let front = first.saturating_sub(header);
                // What is left of the header takes space of the second read.
                let rest_fits = first >= header || size + header <= HELD_READ;
                let stays = size <= HELD_READ && front < size / 2 && rest_fits;
                let case = format!("{first} of {size} bytes, {:?}", end.role);
                assert_eq!(receive_in_two_reads(&end, size, first, false), stays, "{case}");
                let is_moved = front > 0;
                let is_borrowed = receive_in_two_reads(&end, size, first, true);
                assert_eq!(is_borrowed, stays && !is_moved, "{case}, buffers taken");
            }
        }
    }
}

// `Endpoint::take_buffers`: bytes that were read and not received yet stay with their endpoint
#[test]
fn buffers_with_the_front_of_a_message_are_taken_once_all_is_received() {
    for end in both() {
        let wire = end.incoming(0x82, b"a message in three reads");
        let mut endpoint = Endpoint::from_connection(&EndpointConfig::new(), end.open(), &[], Duration::ZERO);
        // Twice, as the first message must leave nothing behind.
        for _ in 0..2 {
            endpoint.receive(&wire[..wire.len() - 20]);
            assert_eq!(endpoint.step(Duration::ZERO), Step::Event);
            assert!(endpoint.events().next().is_none());
            endpoint.receive(&wire[wire.len() - 20..wire.len() - 10]);
            assert!(endpoint.take_buffers().is_none());
            assert!(endpoint.events().next().is_none());
            assert!(endpoint.take_buffers().is_some());
            endpoint.receive(&wire[wire.len() - 10..]);
            let event = endpoint.next_event().map(|(event, _)| Seen::from(event));
            assert_eq!(event, Some(binary(b"a message in three reads")));
        }
    }
}

// Design 2, section 2: for little that is missing, no read is made smaller
#[test]
fn small_messages_fill_the_reads() {
    let wire = messages(1000, 1000);
    for run in [by_endpoint, by_connection] {
        let reads = run(&wire, Delivery::Whole).reads;
        // Two or three additional reads while the buffer grows.
        assert!(
            (wire.len() / READ..wire.len() / READ + 5).contains(&reads),
            "{reads}"
        );
    }
}

// Design 2, section 2: a message that begins at the end of the buffer is moved while it is small, and not when it has filled the space
#[test]
fn front_of_a_message_moves_before_the_rest_is_read() {
    let mut buffer = ReadBuffer::new(READ);
    buffer.extend(&[0; READ - 100]);
    buffer.keep(50);
    assert_eq!(buffer.space(50 + 100).len(), 100, "what is missing fits behind");
    let space = buffer.space(50 + 101);
    assert_eq!(space.len(), READ - 50);
    assert_eq!(buffer.len(), 50);
    assert_eq!(buffer.space(50 + READ as u64 / 2).len(), READ / 2);
}

/// How a driver passes bytes to an endpoint.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Reads at most so much into the space for it.
    Space(usize),
    /// Gets the space, and there is nothing to read.
    Blocked,
    /// Reads so much elsewhere.
    Elsewhere(usize),
    Events,
}

fn way() -> impl Strategy<Value = Way> {
    let size = || prop_oneof![0..300usize, Just(usize::MAX)];
    prop_oneof![
        3 => size().prop_map(Way::Space),
        1 => Just(Way::Blocked),
        1 => (1..300usize).prop_map(Way::Elsewhere),
        2 => Just(Way::Events),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 100 }))]

    // `Endpoint::read_space`, `Endpoint::receive`: what is read is received in its order, however the two take turns, and with any
    // number of reads before the events are taken
    #[test]
    fn ways_to_pass_bytes_take_turns(ways in prop::collection::vec(way(), 1..60)) {
        for (end, max_read_size, reads) in [(client(), 128, 16), (server(), 33 * 1024, 2)] {
            let payload: Vec<u8> = (0..reads * max_read_size).map(|i| (i % 251) as u8).collect();
            let wire = end.all_incoming(&[(0x02, &payload), (0x80, &payload), (0x82, b"next")]);
            let config = EndpointConfig::new().max_read_size(max_read_size);
            let mut endpoint = Endpoint::from_connection(&config, end.open(), &[], Duration::ZERO);
            let (mut rest, mut seen) = (&wire[..], Vec::new());
            // Inside the message, so that it is read into.
            let start = [Way::Elsewhere(1000), Way::Events];
            let finish = [Way::Space(usize::MAX), Way::Events].into_iter().cycle();
            for way in start.into_iter().chain(ways.iter().copied()).chain(finish) {
                match way {
                    Way::Space(size) if !rest.is_empty() => {
                        let space = endpoint.read_space();
                        let size = size.clamp(1, space.len());
                        let size = read(&mut rest, &mut space[..size]);
                        endpoint.received(size);
                    }
                    Way::Elsewhere(size) if !rest.is_empty() => {
                        let (now, later) = rest.split_at(size.min(rest.len()));
                        endpoint.receive(now);
                        rest = later;
                    }
                    Way::Blocked => assert!(!endpoint.read_space().is_empty()),
                    Way::Events => {
                        while let Some((event, _)) = endpoint.next_event() {
                            seen.push(Seen::from(event));
                        }
                        if rest.is_empty() {
                            break;
                        }
                    }
                    Way::Space(_) | Way::Elsewhere(_) => {}
                }
            }
            prop_assert!(seen == [binary(&payload.repeat(2)), binary(b"next")], "{:?}", end.role);
        }
    }
}
