//! An allocator that counts allocations and can place buffers at a given offset in a page. Only one thread allocates, so plain loads
//! and stores are exact, and cheap enough for the timed part.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::places::{Offset, PAGE};

pub struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicU64 = AtomicU64::new(0);

/// The number of allocations and reallocations.
pub fn calls() -> u64 {
    CALLS.load(Relaxed)
}

/// The bytes that are allocated.
pub fn live() -> u64 {
    LIVE.load(Relaxed)
}

fn note(calls: u64, gained: usize, lost: usize) {
    CALLS.store(calls.wrapping_add(CALLS.load(Relaxed)), Relaxed);
    let live = LIVE.load(Relaxed).wrapping_add(gained as u64);
    LIVE.store(live.wrapping_sub(lost as u64), Relaxed);
}

/// Does the work, during which each allocation of a page or more begins at this offset in a page. Otherwise, the system's allocator
/// decides.
pub fn at<T>(offset: Offset, work: impl FnOnce() -> T) -> T {
    ARENA.offset.store(offset.bytes(), Relaxed);
    let page = vec![1_u8; PAGE];
    assert_eq!(
        page.as_ptr().addr() % PAGE,
        offset.bytes(),
        "this is not the allocator of the process"
    );
    let result = work();
    ARENA.offset.store(ANYWHERE, Relaxed);
    assert!(
        ARENA.end.load(Relaxed) <= ARENA_SIZE,
        "the arena is too small, or a buffer is never freed"
    );
    result
}

/// Memory that is allocated page by page. It is reused once all of its buffers are freed.
struct Arena {
    base: AtomicPtr<u8>,
    offset: AtomicUsize,
    end: AtomicUsize,
    buffers: AtomicUsize,
}

static ARENA: Arena = Arena {
    base: AtomicPtr::new(ptr::null_mut()),
    offset: AtomicUsize::new(ANYWHERE),
    end: AtomicUsize::new(0),
    buffers: AtomicUsize::new(0),
};
const ARENA_SIZE: usize = 256 * 1024 * 1024;
const ANYWHERE: usize = usize::MAX;

impl Arena {
    /// Returns `None` if the system's allocator should be used.
    fn alloc(&self, layout: Layout) -> Option<*mut u8> {
        let offset = self.offset.load(Relaxed);
        if offset == ANYWHERE || layout.size() < PAGE || layout.align() > 16 {
            return None;
        }
        if self.buffers.load(Relaxed) == 0 {
            self.end.store(0, Relaxed);
        }
        let start = self.end.load(Relaxed).next_multiple_of(PAGE) + offset;
        self.end.store(start + layout.size(), Relaxed);
        let base = self.base()?;
        if start + layout.size() > ARENA_SIZE {
            return None;
        }
        self.buffers.store(self.buffers.load(Relaxed) + 1, Relaxed);
        // The result is inside the arena. `wrapping_add` is safe, unlike `add`.
        Some(base.wrapping_add(start))
    }

    /// The system does not back unused pages with memory.
    fn base(&self) -> Option<*mut u8> {
        if self.base.load(Relaxed).is_null() {
            let layout = Layout::from_size_align(ARENA_SIZE, PAGE).ok()?;
            // SAFETY: the size is not 0.
            self.base.store(unsafe { System.alloc(layout) }, Relaxed);
        }
        Some(self.base.load(Relaxed)).filter(|base| !base.is_null())
    }

    fn has(&self, pointer: *mut u8) -> bool {
        let base = self.base.load(Relaxed).addr();
        base != 0 && (base..base + ARENA_SIZE).contains(&pointer.addr())
    }

    fn dealloc(&self) {
        self.buffers.store(self.buffers.load(Relaxed) - 1, Relaxed);
    }
}

// SAFETY: each call is passed on to the system's allocator unchanged, or returns memory of the arena that no other allocation uses: it
// is reused only once all buffers are freed.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size(), 0);
        ARENA
            .alloc(layout)
            .unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size(), 0);
        let Some(pointer) = ARENA.alloc(layout) else {
            return unsafe { System.alloc_zeroed(layout) };
        };
        // SAFETY: the allocation has this size.
        unsafe { pointer.write_bytes(0, layout.size()) };
        pointer
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if ARENA.offset.load(Relaxed) == ANYWHERE && !ARENA.has(pointer) {
            note(1, size, layout.size());
            return unsafe { System.realloc(pointer, layout, size) };
        }
        // SAFETY: the caller upholds the contract of `realloc`, which includes the contracts of these calls.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(pointer, new, layout.size().min(size));
                self.dealloc(pointer, layout);
            }
            new
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, 0, layout.size());
        match ARENA.has(pointer) {
            true => ARENA.dealloc(),
            false => unsafe { System.dealloc(pointer, layout) },
        }
    }
}
