//! Counts what the heap is asked for, and puts buffers where a measurement wants them. One thread allocates, so plain loads and stores
//! are exact, and cheap in the timed part.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::places::{Offset, PAGE};

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

/// Does the work, and lets each allocation of a page or more begin at this offset in a page, whoever makes it. Before and after, the
/// system decides.
pub fn at<T>(offset: Offset, work: impl FnOnce() -> T) -> T {
    ARENA.offset.store(offset.bytes(), Relaxed);
    let page = vec![1_u8; PAGE];
    assert_eq!(
        page.as_ptr().addr() % PAGE,
        offset.bytes(),
        "the allocator of the process is another one"
    );
    let result = work();
    ARENA.offset.store(ANYWHERE, Relaxed);
    assert!(
        ARENA.end.load(Relaxed) <= ARENA_SIZE,
        "the arena is too small, or a buffer never comes back"
    );
    result
}

/// Pages that are handed out one after the other, and anew when all have come back.
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
    /// `None` where the system decides.
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
        // `wrapping_add` and not `add`, which asks for a proof: it ends within the arena.
        Some(base.wrapping_add(start))
    }

    /// What is not used of it takes no memory.
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

// SAFETY: each call is passed on to the system's allocator as it is, or gets memory of the arena that no other allocation has: it is
// handed out again only when all buffers have come back.
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
        // SAFETY: it has this size.
        unsafe { pointer.write_bytes(0, layout.size()) };
        pointer
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if ARENA.offset.load(Relaxed) == ANYWHERE && !ARENA.has(pointer) {
            note(1, size, layout.size());
            return unsafe { System.realloc(pointer, layout, size) };
        }
        // SAFETY: the caller keeps to what `realloc` asks for, which includes what these do.
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
