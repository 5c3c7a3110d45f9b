//! Reads that end with a partial payload, so that the next frame begins at the start of a read.
#![cfg(feature = "alloc")]

mod common;

use std::time::Duration;

use common::{open, server};
use websocket_proto::endpoint::{Endpoint, EndpointConfig, ReadBuffer, Step};
use websocket_proto::{Config, Delivery, Event, Role};

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

/// Measures twenty messages, after a hundred during which the buffer has grown and the reads have settled.
fn assert_run(size: usize, delivery: Delivery, reads: usize, borrowed: usize) {
    let expected = Run {
        reads,
        borrowed,
        owned: 20 - borrowed,
    };
    for run in [by_endpoint, by_connection] {
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
}

// Design 2, section 2: every second message is complete in a read, and the other reads end with a message
#[test]
fn messages_of_the_size_of_a_read_take_one_each() {
    for (delivery, borrowed) in [(Delivery::Whole, 10), (Delivery::InPlace, 20)] {
        assert_run(16 * 1024, delivery, 20, borrowed);
    }
}

// Design 2, section 2: the last of five reads ends with the message
#[test]
fn large_messages_begin_with_a_read() {
    for (delivery, borrowed) in [(Delivery::Whole, 0), (Delivery::InPlace, 20)] {
        assert_run(80_000, delivery, 100, borrowed);
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
