//! The buffers that the kernel receives into, and the ring through which it gets them
//! (`io_uring_register_buf_ring`(3)).
//!
//! A buffer belongs to the kernel from [`Buffers::give_back`] on, until a completion names it; a [`Filled`] is then the only
//! proof that it is ours, and giving it back consumes the proof.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io::{self, ErrorKind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

/// The number by which operations choose these buffers. There is one group.
pub const GROUP: u16 = 0;
/// The most that the kernel accepts.
const MOST: u16 = 1 << 15;
/// The kernel wants a ring at the start of a page. On the few systems whose pages are larger, it may refuse this one.
const PAGE: usize = 64 * 1024;

pub struct Buffers {
    /// `count` entries, of which the first contains the tail of the ring.
    ring: Memory<BufRingEntry>,
    /// `count` times `size` bytes.
    bytes: Memory<u8>,
    count: u16,
    size: usize,
    /// How many buffers were given to the kernel so far, modulo 2^16.
    tail: u16,
    /// How many buffers the kernel does not have.
    in_use: u16,
}

/// A buffer that the kernel has filled, and does not touch until it is given back.
#[derive(Debug)]
#[must_use = "a buffer that is not given back is lost for the kernel"]
pub struct Filled {
    id: u16,
    size: usize,
}

impl Buffers {
    /// Creates the buffers: `count`, rounded up to a power of two, of `size` bytes each. The kernel has none of them yet.
    pub fn new(count: u16, size: usize) -> io::Result<Self> {
        let count = count.clamp(1, MOST).next_power_of_two();
        let size = size.clamp(1, 1 << 20);
        Ok(Self {
            ring: Memory::new(count.into())?,
            bytes: Memory::new(bytes_of(count, size)?)?,
            count,
            size,
            tail: 0,
            in_use: count,
        })
    }

    pub fn count(&self) -> u16 {
        self.count
    }

    pub fn in_use(&self) -> u16 {
        self.in_use
    }

    /// Registers the ring, and gives all buffers to the kernel.
    ///
    /// # Safety
    ///
    /// This value has to stay until no operation of the kernel's ring is in progress.
    pub unsafe fn register(&mut self, submitter: &Submitter<'_>) -> io::Result<()> {
        let ring = self.ring.start.as_ptr() as u64;
        // SAFETY: the entries are valid, zeroed and at the start of a page, and the caller keeps them.
        unsafe { submitter.register_buf_ring_with_flags(ring, self.count, GROUP, 0)? };
        for id in 0..self.count {
            self.provide(id);
        }
        Ok(())
    }

    /// Takes over the buffer that a completion names, with `size` bytes in it. `None` if there is no such buffer.
    ///
    /// # Safety
    ///
    /// A completion must have named the buffer, and this method must be called only once for that completion.
    pub unsafe fn take(&mut self, id: u16, size: usize) -> Option<Filled> {
        if id >= self.count || size > self.size {
            return None;
        }
        self.in_use += 1;
        Some(Filled { id, size })
    }

    /// Returns the bytes in the buffer, where the kernel wrote them.
    pub fn bytes(&mut self, filled: &Filled) -> &mut [u8] {
        // SAFETY: `take` has checked that the bytes lie in the allocation, which was zeroed and so is initialized. The kernel
        // does not touch them before `give_back`, which consumes `filled`; there is no other `Filled` for this buffer, and
        // `self` is borrowed for as long as the slice is.
        unsafe {
            let start = self.bytes.start.as_ptr().add(usize::from(filled.id) * self.size);
            std::slice::from_raw_parts_mut(start, filled.size)
        }
    }

    pub fn give_back(&mut self, filled: Filled) {
        self.provide(filled.id);
    }

    /// Puts a buffer that the kernel does not have at the end of the ring. `id` is less than the count.
    fn provide(&mut self, id: u16) {
        let start = self.bytes.start.as_ptr() as u64 + u64::from(id) * self.size as u64;
        let place = usize::from(self.tail & (self.count - 1));
        // SAFETY: the place is less than the count. Each buffer is in the ring at most once, so the ring is not full and the
        // kernel does not read this entry before the new tail is stored below.
        let entry = unsafe { &mut *self.ring.start.as_ptr().add(place) };
        entry.set_addr(start);
        entry.set_len(self.size as u32); // at most 1 MiB
        entry.set_bid(id);
        self.tail = self.tail.wrapping_add(1);
        self.in_use -= 1;
        // SAFETY: the first entry is valid and contains the tail, an aligned `u16`, which both sides access atomically.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.ring.start.as_ptr()).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

/// Returns the size of `count` buffers of `size` bytes, which may exceed the addresses of a 32-bit system.
fn bytes_of(count: u16, size: usize) -> io::Result<usize> {
    let bytes = usize::from(count).checked_mul(size);
    bytes.ok_or_else(|| ErrorKind::OutOfMemory.into())
}

/// Zeroed memory that begins at a page.
struct Memory<T> {
    start: NonNull<T>,
    layout: Layout,
}

impl<T> Memory<T> {
    /// Returns an error if the memory is empty, or if there is not as much.
    fn new(count: usize) -> io::Result<Self> {
        let layout = Layout::array::<T>(count).and_then(|layout| layout.align_to(PAGE));
        let layout = layout.map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?;
        if layout.size() == 0 {
            return Err(ErrorKind::InvalidInput.into());
        }
        // SAFETY: the layout is not empty.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }.cast());
        Ok(Self {
            start: start.ok_or(ErrorKind::OutOfMemory)?,
            layout,
        })
    }
}

impl<T> Drop for Memory<T> {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.start.as_ptr().cast(), self.layout) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_a_power_of_two_that_the_kernel_accepts() -> io::Result<()> {
        for (wanted, count) in [(0, 1), (1, 1), (3, 4), (256, 256), (u16::MAX, 1 << 15)] {
            assert_eq!(Buffers::new(wanted, 1)?.count(), count, "{wanted}");
        }
        Ok(())
    }

    /// 2^15 buffers of 1 MiB are 2^35 bytes, whose low 32 bits are zero: a 32-bit system must not allocate those.
    #[test]
    fn more_bytes_than_there_are_addresses_are_refused() {
        let half = 1 << (usize::BITS - 1);
        assert_eq!(bytes_of(1, half).ok(), Some(half));
        for (count, size) in [(2, half), (1 << 15, half >> 10), (1 << 15, usize::MAX)] {
            let error = bytes_of(count, size).map_err(|error| error.kind());
            assert_eq!(error, Err(ErrorKind::OutOfMemory), "{count} of {size} bytes");
        }
    }

    #[test]
    fn memory_is_neither_empty_nor_larger_than_an_allocation_may_be() {
        for (count, kind) in [(0, ErrorKind::InvalidInput), (usize::MAX, ErrorKind::OutOfMemory)] {
            let error = Memory::<u8>::new(count).map(|_| ()).map_err(|error| error.kind());
            assert_eq!(error, Err(kind), "{count} bytes");
        }
    }

    #[test]
    fn buffers_do_not_overlap_and_end_where_their_bytes_do() -> io::Result<()> {
        let mut buffers = Buffers::new(4, 8)?;
        (0..4).for_each(|id| buffers.provide(id));
        // SAFETY: no kernel has these buffers, and each is taken once.
        let filled: Vec<_> = unsafe { (0..4).filter_map(|id| buffers.take(id, 7)).collect() };
        for (filled, number) in filled.iter().zip(1..) {
            buffers.bytes(filled).fill(number);
        }
        for (filled, number) in filled.iter().zip(1..) {
            assert_eq!(buffers.bytes(filled), [number; 7]);
        }
        // SAFETY: there are no such buffers.
        assert!(unsafe { buffers.take(4, 1).is_none() && buffers.take(0, 9).is_none() });
        filled.into_iter().for_each(|filled| buffers.give_back(filled));
        assert_eq!((buffers.tail, buffers.in_use()), (8, 0));
        Ok(())
    }
}
