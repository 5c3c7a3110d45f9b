//! An allocator that counts, for each thread, what a piece of code allocates and what it still holds.
//!
//! "Live" bytes are those allocated and not freed, by the sizes that were requested. A `realloc` counts as its difference in size,
//! since large blocks are usually moved by remapping, not by copying; a test that allows for the old and the new block at the same
//! time says so.
#![allow(dead_code, reason = "no test file uses all of it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    /// Calls of `alloc` and `realloc`.
    static CALLS: Cell<u64> = const { Cell::new(0) };
    /// The sum of all requested sizes.
    static ASKED: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
    /// The most that was live, with both blocks of a `realloc` counted.
    static PEAK_OF_BOTH: Cell<i64> = const { Cell::new(0) };
}

fn count(call: bool, before: usize, after: usize) {
    CALLS.set(CALLS.get() + u64::from(call));
    ASKED.set(ASKED.get() + after as u64);
    PEAK_OF_BOTH.set(PEAK_OF_BOTH.get().max(LIVE.get() + after as i64));
    LIVE.set(LIVE.get() + after as i64 - before as i64);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting does not allocate, since the counters have
// constant initial values and no destructors.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(true, 0, layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(false, layout.size(), 0);
        // SAFETY: the caller keeps the contract of `dealloc`, and `block` came from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(true, layout.size(), size);
        // SAFETY: the caller keeps the contract of `realloc`, and `block` came from `System`.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How a piece of code used the heap.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Heap {
    pub calls: u64,
    /// The sum of all requested sizes, including each growth: an upper bound for what is cleared or copied.
    pub asked: u64,
    /// Live bytes after the work, minus those before it.
    pub held: i64,
    pub peak: i64,
    pub peak_of_both: i64,
}

pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Heap) {
    let (calls, asked, live) = (CALLS.get(), ASKED.get(), LIVE.get());
    PEAK.set(live);
    PEAK_OF_BOTH.set(live);
    let result = work();
    let heap = Heap {
        calls: CALLS.get() - calls,
        asked: ASKED.get() - asked,
        held: LIVE.get() - live,
        peak: PEAK.get() - live,
        peak_of_both: PEAK_OF_BOTH.get() - live,
    };
    (result, heap)
}
