//! Counts what the heap is asked for. One thread allocates, so plain loads and stores are exact, and cheap in the timed part.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicU64 = AtomicU64::new(0);

/// How often memory was asked for, or asked to grow.
pub fn calls() -> u64 {
    CALLS.load(Relaxed)
}

/// The bytes that are in use.
pub fn live() -> u64 {
    LIVE.load(Relaxed)
}

fn note(calls: u64, gained: usize, lost: usize) {
    CALLS.store(calls.wrapping_add(CALLS.load(Relaxed)), Relaxed);
    let live = LIVE.load(Relaxed).wrapping_add(gained as u64);
    LIVE.store(live.wrapping_sub(lost as u64), Relaxed);
}

// SAFETY: each call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, size, layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, 0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }
}
