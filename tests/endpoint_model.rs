//! Two endpoints over a transport that may do anything, in every order up to a depth, then at random. `common::pair` has the
//! invariants. `ENDPOINT_DEPTH` adds to the depth.
#![cfg(feature = "alloc")]

mod common;

use common::pair::{Act, Driver, Link, MAX_MESSAGE, Opening, Pair, Setup};
use proptest::prelude::*;
use std::io::Write as _;
use std::time::Instant;
use websocket_proto::Delivery;

/// The transports, each with its share of the depth: handshakes take longer.
const SETUPS: [(Setup, u32); 6] = [
    (Setup::PLAIN, 3),
    (
        Setup {
            delivery: Delivery::InPlace,
            echo: true,
            max_buffered: 20,
            ..Setup::PLAIN
        },
        2,
    ),
    (
        Setup {
            opening: Opening::Accepted,
            delivery: Delivery::Chunks,
            deflate: true,
            echo: true,
            ..Setup::PLAIN
        },
        2,
    ),
    (
        Setup {
            opening: Opening::Accepted,
            ..Setup::PLAIN
        },
        2,
    ),
    (
        Setup {
            opening: Opening::Rejected(300),
            ..Setup::PLAIN
        },
        2,
    ),
    (
        Setup {
            opening: Opening::Ignored,
            ..Setup::PLAIN
        },
        2,
    ),
];

/// What may happen to an end that is driven by readiness.
const ACTS: [Act; 9] = [
    Act::Send(MESSAGE),
    Act::Ping,
    Act::Close,
    Act::Step,
    Act::Abort,
    Act::FailWriting,
    Act::FailReading,
    Act::Vanish,
    Act::Hang,
];

/// What may happen in addition.
const MORE_ACTS: [Act; 9] = [
    Act::SendVectored(MESSAGE),
    Act::Hesitate,
    Act::Flush,
    Act::Arrive(usize::MAX),
    Act::Arrive(1),
    Act::Complete(usize::MAX),
    Act::Complete(1),
    Act::Ready,
    Act::Park,
];

/// What may happen to an end whose operations complete later, in each order.
const COMPLETIONS: [Act; 8] = [
    Act::Send(MESSAGE),
    Act::Close,
    Act::Step,
    Act::Hesitate,
    Act::Flush,
    Act::Arrive(usize::MAX),
    Act::Complete(usize::MAX),
    Act::FailReading,
];

/// The size of a message of which two fill the output.
const MESSAGE: usize = 300;

const LINKS: [Link; 5] = [
    Link {
        chunk: 4096,
        capacity: 1 << 16,
        buffers: false,
        driver: Driver::Readiness,
    },
    Link {
        chunk: 4096,
        capacity: 1 << 16,
        buffers: true,
        driver: Driver::Readiness,
    },
    Link {
        chunk: 7,
        capacity: 64,
        buffers: true,
        driver: Driver::Readiness,
    },
    Link {
        chunk: 4096,
        capacity: 1 << 16,
        buffers: true,
        driver: Driver::Completion,
    },
    Link {
        chunk: 150,
        capacity: 200,
        buffers: false,
        driver: Driver::Multishot,
    },
];

/// Some acts after several steps of each end, as most of a handshake consists of steps.
fn run(setup: Setup, link: Link, steps: usize, acts: &[(usize, Act)]) {
    let mut pair = Pair::new(setup, link);
    for place in (0..2 * steps).map(|step| step % 2) {
        if link.driver != Driver::Readiness {
            pair.act(place, Act::Complete(usize::MAX));
            pair.act(place, Act::Arrive(usize::MAX));
        }
        pair.act(place, Act::Step);
    }
    for (place, act) in acts {
        pair.act(*place, *act);
    }
    pair.act(0, Act::Close);
    pair.settle();
    // It may have been too early for a Close.
    pair.act(0, Act::Close);
    pair.finish();
}

// D90: every order of acts, on each transport, before, within and after the opening handshake
#[test]
#[cfg_attr(miri, ignore = "many sequences")]
fn every_short_sequence_keeps_the_invariants() {
    let more = std::env::var("ENDPOINT_DEPTH").map_or(0, |depth| depth.parse().expect("a number"));
    let (start, mut sequences) = (Instant::now(), 0u64);
    for (setup, depth) in SETUPS {
        let starts: &[usize] = match setup.opening {
            Opening::Done => &[0],
            _ => &[0, 1, 2, 3, 4, 6, 9],
        };
        for (link, steps) in LINKS
            .into_iter()
            .flat_map(|link| starts.iter().map(move |steps| (link, *steps)))
        {
            let (acts, depth) = match link.driver {
                Driver::Readiness => (&ACTS[..], depth + more),
                Driver::Completion | Driver::Multishot => (&COMPLETIONS[..], 2 + more),
            };
            let choices = 2 * acts.len();
            for number in 0..choices.pow(depth) {
                let acts: Vec<_> = (0..depth)
                    .map(|place| number / choices.pow(place) % choices)
                    .map(|choice| (choice % 2, acts[choice / 2]))
                    .collect();
                let result = std::panic::catch_unwind(|| run(setup, link, steps, &acts));
                assert!(result.is_ok(), "{setup:?} {link:?} after {steps} steps: {acts:?}");
                sequences += 1;
            }
        }
    }
    let summary = format!("{sequences} sequences in {:?}\n", start.elapsed());
    std::io::stderr().write_all(summary.as_bytes()).unwrap();
}

// D90: a round in which one byte is flushed while another is read is progress, so that the pair settles only after the handshake
#[test]
fn transport_of_single_bytes_completes_the_handshake() {
    let (setup, drivers) = (
        SETUPS[3].0,
        [Driver::Readiness, Driver::Completion, Driver::Multishot],
    );
    for (driver, capacity) in drivers
        .into_iter()
        .flat_map(|driver| [1, 16].map(|capacity| (driver, capacity)))
    {
        let link = Link {
            chunk: 1,
            capacity,
            buffers: true,
            driver,
        };
        for start in [&[][..], &[(1, Act::Hesitate)]] {
            let mut pair = Pair::new(setup, link);
            start.iter().for_each(|(place, act)| pair.act(*place, *act));
            pair.settle();
            pair.act(0, Act::Close);
            for side in pair.finish() {
                let end = side.endpoint.end().expect("both have ended");
                assert!(end.is_clean(), "{end} over {link:?} after {start:?}");
            }
        }
    }
}

fn act() -> impl Strategy<Value = (usize, Act)> {
    let size = || (0..=MESSAGE).boxed().prop_union((0..=MAX_MESSAGE).boxed());
    let kinds = prop_oneof![
        8 => Just(Act::Step),
        4 => size().prop_map(Act::Send),
        1 => size().prop_map(Act::SendVectored),
        3 => Just(Act::Hesitate),
        4 => (0..400usize).prop_map(Act::Arrive),
        4 => (0..400usize).prop_map(Act::Complete),
        1 => Just(Act::Ping),
        1 => Just(Act::Wait),
        1 => prop::sample::select(&ACTS[..]),
        2 => prop::sample::select(&MORE_ACTS[..]),
    ];
    (0..2usize, kinds)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 400 }))]

    // D90: longer sequences, on any transport, however it is driven
    #[test]
    fn any_sequence_keeps_the_invariants(
        acts in prop::collection::vec(act(), 0..60),
        chunk in 1..400usize,
        capacity in 1..2000usize,
        buffers: bool,
        driver in prop::sample::select(&[Driver::Readiness, Driver::Completion, Driver::Multishot][..]),
        setup in 0..SETUPS.len(),
        steps in 0..40usize,
    ) {
        run(SETUPS[setup].0, Link { chunk, capacity, buffers, driver }, steps, &acts);
    }
}
