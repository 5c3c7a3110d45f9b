//! Work is linear in the bytes received, for every hostile pattern (RFC 6455 section 10.4, RFC 7692 section 8).
//!
//! Work is counted, not timed, by two counters, each for a pattern and for twice as much of it:
//!
//! - **Allocations**, calls and bytes, in the test below: it runs wherever `cargo test` does, and finds buffers that grow in
//!   small steps, are recreated for each byte, or are copied into larger ones too often.
//! - **Instructions**, by `tests/linear/run`, which runs the same patterns under callgrind. It finds everything else: bytes that are
//!   scanned again with each read, lists that are searched for each element, buffers that are moved to the front.
//!
//! The alternative is counters inside the library. They would count only what their author thought of, in the existing loops, and
//! would have to be maintained by hand; instruction counts cover all code, including the standard library and zlib-rs, without
//! changing the library. Processors count instructions too, but not on every machine that runs the tests, and not reproducibly.
#![cfg(feature = "alloc")]

mod common;
#[path = "common/heap.rs"]
mod heap;
#[path = "linear/patterns.rs"]
mod patterns;

use patterns::{PATTERNS, Work};

// Requirements section 18, 10; RFC 6455 section 9.1: 6455-9.1-08; section 10.4: 6455-10.4-01, 6455-10.4-03; RFC 7692 section 8:
// 7692-8-03
#[test]
fn allocations_are_linear_in_the_input() {
    let n = 6000;
    let mut faults = Vec::new();
    for pattern in PATTERNS {
        let heap = |n| {
            let work = (pattern.prepare)(n);
            heap::measure(work).1
        };
        // One-time allocations of any size, such as the engines that a thread keeps.
        heap(n / 10);
        let (once, twice) = (heap(n), heap(2 * n));
        let is_linear = |once: u64, twice: u64, free: u64| twice <= 2 * once + once / 5 + free;
        if !is_linear(once.calls, twice.calls, 40) || !is_linear(once.asked, twice.asked, 4096) {
            faults.push(format!("{}: {once:?}, {twice:?}", pattern.name));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// `tests/linear/run` counts the instructions of this: each pattern, then twice as much of it.
#[test]
#[ignore = "a part of tests/linear/run"]
fn patterns_to_count() {
    let n = 6000;
    for pattern in PATTERNS {
        println!("pattern {}", pattern.name);
        work_to_count((pattern.prepare)(n));
        work_to_count((pattern.prepare)(2 * n));
    }
}

/// Under exactly this name, which callgrind is given to start and stop counting.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
#[inline(never)]
fn work_to_count(work: Work) {
    work();
}
