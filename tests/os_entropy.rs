//! Random bytes from the operating system, by a generator for each thread. `src/entropy/os.rs` tests the refill.
#![cfg(feature = "os-entropy")]

use std::collections::HashSet;
use std::thread;

use websocket_proto::{Entropy, OsEntropy};

fn key() -> [u8; 4] {
    let mut key = [0; 4];
    OsEntropy.fill(&mut key);
    key
}

// RFC 6455 section 5.3: 6455-5.3-01: no key can be predicted from earlier ones
#[test]
fn keys_do_not_repeat() {
    let mut seen = HashSet::new();
    // Keys, and requests that use up a buffer of 992 bytes, fill it exactly, or do not fit.
    for size in [16, 900, 16, 44, 16, 992, 16, 991, 16, 993, 16, 5000, 16, 100_000] {
        let mut bytes = vec![0; size];
        OsEntropy.fill(&mut bytes);
        for part in bytes.chunks(16).filter(|part| part.len() == 16) {
            assert!(part.iter().any(|&byte| byte != 0), "not filled");
            assert!(seen.insert(part.to_vec()), "after {} parts", seen.len());
        }
    }
    let keys: HashSet<_> = (0..1000).map(|_| key()).collect();
    assert!(keys.len() >= 999, "{} of 1000 are different", keys.len());
    OsEntropy.fill(&mut []);
}

// RFC 6455 section 5.3: 6455-5.3-01: the last bytes are filled too if the size is not a multiple of a key's
#[test]
fn every_byte_is_filled() {
    for size in 1..20 {
        let mut or = vec![0; size];
        for _ in 0..20 {
            let mut bytes = vec![0; size];
            OsEntropy.fill(&mut bytes);
            or.iter_mut().zip(bytes).for_each(|(or, byte)| *or |= byte);
        }
        assert!(or.iter().all(|&byte| byte != 0), "{size}: {or:?}");
    }
}

// RFC 6455 section 5.3: 6455-5.3-01: every value of every byte of a key is equally likely, by the chi-squared statistic, which
// has a mean of 255 and a standard deviation of 23 here
#[test]
fn bytes_of_keys_are_uniform() {
    let mut counts = [[0_u32; 256]; 4];
    for _ in 0..1 << 18 {
        let key = key();
        counts
            .iter_mut()
            .zip(key)
            .for_each(|(counts, byte)| counts[usize::from(byte)] += 1);
    }
    for counts in counts {
        let squares = counts.map(|count| (f64::from(count) - 1024.0).powi(2) / 1024.0);
        let statistic: f64 = squares.iter().sum();
        assert!((110.0..400.0).contains(&statistic), "{statistic}");
    }
}

// RFC 6455 section 5.3: 6455-5.3-01
#[test]
fn threads_have_no_bytes_in_common() {
    let draw = || {
        let mut bytes = vec![[0; 16]; 10_000];
        OsEntropy.fill(bytes.as_flattened_mut());
        bytes
    };
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(draw)).collect();
    let all: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    let different: HashSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}
