//! The simulation passes, finds the faults planted in it, and exercises what it is for.

use crate::ledger::Tally;
use crate::run::{Plant, run};

const SEEDS: std::ops::Range<u64> = 1..9;

#[test]
fn seeds_pass_and_repeat_their_traces() {
    let mut total = Tally::default();
    for seed in SEEDS {
        let (first, second) = (run(seed, None, false), run(seed, None, false));
        assert_eq!(first.faults, [""; 0], "seed {seed}");
        assert_eq!(first.trace, second.trace, "seed {seed}");
        total.add(&first.tally);
    }
    for expected in [
        "client: peer sent nothing for the 800ms of KeepaliveConfig::ping_timeout after a ping, not clean",
        "server: peer sent nothing for the 800ms of KeepaliveConfig::ping_timeout after a ping, not clean",
        "client: closed by Peer, clean",
        "server: closed by Peer, clean",
    ] {
        assert!(total.of(expected) > 0, "{expected}:\n{total}");
    }
}

#[test]
fn seeds_have_different_traces() {
    assert_ne!(run(1, None, false).trace, run(2, None, false).trace);
}

#[test]
fn planted_faults_are_found() {
    for (name, plant) in Plant::ALL {
        let is_found = SEEDS
            .into_iter()
            .any(|seed| !run(seed, Some(plant), false).faults.is_empty());
        assert!(is_found, "{name}");
    }
}
