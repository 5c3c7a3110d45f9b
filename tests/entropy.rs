//! Sources of random bytes that wrap others.
#![cfg(feature = "alloc")]

use websocket_proto::{Config, Connection, Entropy, entropy};

fn counting() -> impl Entropy {
    let mut counter = 0;
    entropy::from_fn(move |bytes| {
        for byte in bytes {
            counter += 1;
            *byte = counter;
        }
    })
}

fn key(mut source: impl Entropy) -> [u8; 4] {
    let mut key = [0; 4];
    source.fill(&mut key);
    key
}

// A source may hold the state of a generator, from which the next keys follow.
#[test]
fn debug_of_a_source_shows_nothing_of_its_state() {
    let secret = 0x5ec2_e700_u32;
    let source = entropy::from_fn(move |bytes| bytes.fill(secret.to_be_bytes()[0]));
    assert_eq!(format!("{source:?}"), "FromFn { .. }");
}

// RFC 6455 section 5.3: 6455-5.3-01: the keys are those of the source, however it is passed
#[test]
fn sources_can_be_borrowed_and_boxed() {
    let mut source = counting();
    assert_eq!(key(&mut source), [1, 2, 3, 4]);
    let mut boxed: Box<dyn Entropy> = Box::new(source);
    assert_eq!(key(&mut boxed), [5, 6, 7, 8]);
    let (mut client, mut out) = (Connection::client(&Config::new(), boxed), Vec::new());
    client.send_ping(b"", &mut out).unwrap();
    assert_eq!(out, [0x89, 0x80, 9, 10, 11, 12]);
}
