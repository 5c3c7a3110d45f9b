//! Two endpoints over a transport that may do anything, in every order to a depth, then at random: `common::pair` has the
//! invariants. `ENDPOINT_DEPTH` sets the depth.
#![cfg(feature = "alloc")]

mod common;

use common::pair::{Act, Link, MAX_MESSAGE, Pair};
use proptest::prelude::*;
use std::io::Write as _;
use std::time::Instant;
use websocket_proto::endpoint::EndpointConfig;

const MAX_BUFFERED: usize = 200;

/// What `EndpointConfig::max_buffered` and `max_read_size` state: all that may wait, a message over it, Pings and a Close, four
/// times while it grows and is written, and one read. (No event is replied to here, so the limit counts once.)
const CAPACITY: usize = 4 * (MAX_BUFFERED + MAX_MESSAGE + 14 + 512) + 128;

const ACTS: [Act; 8] = [
    Act::Send(MAX_MESSAGE),
    Act::Ping,
    Act::Close,
    Act::Step,
    Act::Abort,
    Act::FailWriting,
    Act::FailReading,
    Act::Vanish,
];

const LINKS: [Link; 3] = [
    Link {
        chunk: 4096,
        capacity: 1 << 16,
        buffers: false,
    },
    Link {
        chunk: 4096,
        capacity: 1 << 16,
        buffers: true,
    },
    Link {
        chunk: 7,
        capacity: 64,
        buffers: true,
    },
];

fn config() -> EndpointConfig {
    EndpointConfig::new()
        .max_buffered(MAX_BUFFERED)
        .max_read_size(128)
}

fn run(link: Link, acts: &[(usize, Act)]) -> u64 {
    let mut pair = Pair::new(&config(), link, CAPACITY);
    for (place, act) in acts {
        pair.act(*place, *act);
    }
    pair.act(0, Act::Close);
    let steps = pair.steps;
    pair.finish();
    steps
}

// D90: every order of acts, on each transport
#[test]
#[cfg_attr(miri, ignore = "many sequences")]
fn every_short_sequence_keeps_the_invariants() {
    let depth = std::env::var("ENDPOINT_DEPTH").map_or(3, |depth| depth.parse().expect("a number"));
    let (start, mut sequences) = (Instant::now(), 0u64);
    let choices = 2 * ACTS.len();
    for link in LINKS {
        for number in 0..choices.pow(depth) {
            let acts: Vec<_> = (0..depth)
                .map(|place| number / choices.pow(place) % choices)
                .map(|choice| (choice % 2, ACTS[choice / 2]))
                .collect();
            let result = std::panic::catch_unwind(|| run(link, &acts));
            assert!(result.is_ok(), "{link:?} {acts:?}");
            sequences += 1;
        }
    }
    let summary = format!("{sequences} sequences of {depth} acts in {:?}\n", start.elapsed());
    std::io::stderr().write_all(summary.as_bytes()).unwrap();
}

fn act() -> impl Strategy<Value = (usize, Act)> {
    let kinds = prop_oneof![
        8 => Just(Act::Step),
        4 => (0..=MAX_MESSAGE).prop_map(Act::Send),
        1 => Just(Act::Ping),
        1 => prop::sample::select(&ACTS[..]),
    ];
    (0..2usize, kinds)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 300 }))]

    // D90: longer sequences, on any transport
    #[test]
    fn any_sequence_keeps_the_invariants(
        acts in prop::collection::vec(act(), 0..60),
        chunk in 1..400usize,
        capacity in 1..2000usize,
        buffers: bool,
    ) {
        run(Link { chunk, capacity, buffers }, &acts);
    }
}
