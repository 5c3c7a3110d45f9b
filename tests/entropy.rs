//! Random bytes from the operating system.
#![cfg(feature = "getrandom")]

use std::collections::HashSet;

use websocket_proto::{Entropy, OsEntropy};

// RFC 6455 section 5.3: 6455-5.3-01: no key can be foreseen from those before it
#[test]
fn no_bytes_come_twice() {
    let mut seen = HashSet::new();
    // Keys, and what uses up a pool of 1 KiB, fills it exactly, or does not fit.
    for size in [16, 900, 16, 200, 16, 1024, 16, 1023, 16, 1025, 16, 5000, 16] {
        let mut bytes = vec![0; size];
        OsEntropy.fill(&mut bytes);
        for part in bytes.chunks(16).filter(|part| part.len() == 16) {
            assert!(part.iter().any(|&byte| byte != 0), "not filled");
            assert!(seen.insert(part.to_vec()), "after {} parts", seen.len());
        }
    }
    let mut keys = HashSet::new();
    for _ in 0..1000 {
        let mut key = [0; 4];
        OsEntropy.fill(&mut key);
        keys.insert(key);
    }
    assert!(keys.len() >= 999, "{} of 1000 are different", keys.len());
    OsEntropy.fill(&mut []);
}
