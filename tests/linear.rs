//! Work is linear in the bytes received, for every hostile pattern (RFC 6455 section 10.4, RFC 7692 section 8).
//!
//! Work is counted, not timed, by two counters, each for a pattern and for twice as much of it:
//!
//! - **What is asked of the allocator**, calls and bytes, in the test below: it runs wherever `cargo test` does, and finds buffers
//!   that grow by pieces, that are made anew for each byte, or that are copied into larger ones too often.
//! - **Instructions**, by `tests/linear/run`, which runs the same patterns under callgrind. It finds all else: bytes that are
//!   looked at again with each read, lists that are searched for each element, buffers that are moved to the front.
//!
//! Counters inside of the library were the other choice. They would count what their author thinks of, in the loops that there
//! are, and have to be kept right by hand; an instruction counts whoever executes it, the standard library and zlib-rs included,
//! and the library stays as it is. Processors count instructions too, but not on every machine that tests run on, and
//! not the same in each run.
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
fn twice_the_input_asks_for_twice_the_memory() {
    let n = 6000;
    let mut faults = Vec::new();
    for pattern in PATTERNS {
        let heap = |n| {
            let work = (pattern.prepare)(n);
            heap::measure(work).1
        };
        // What is asked for once, whatever the size, such as engines that a thread keeps.
        heap(n / 10);
        let (once, twice) = (heap(n), heap(2 * n));
        let is_linear = |once: u64, twice: u64, free: u64| twice <= 2 * once + once / 5 + free;
        if !is_linear(once.calls, twice.calls, 40) || !is_linear(once.asked, twice.asked, 4096) {
            faults.push(format!("{}: {once:?}, {twice:?}", pattern.name));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// What `tests/linear/run` counts the instructions of: each pattern, then twice as much of it.
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

/// Under this very name, by which callgrind is told where to count.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
#[inline(never)]
fn work_to_count(work: Work) {
    work();
}
