//! The endpoints of the process, found by their handles.
//!
//! A handle is the index of a slot and the slot's generation, which increases when its endpoint is freed. After 2^32 - 1 generations a
//! slot is not used again, so that a handle that was freed never matches, and a second free, or a call after it, is always detected.
//!
//! There is one table for the process, so that an endpoint can be created on one thread and used on another. With a table for each
//! thread, which would need no locks, each connection would have to stay on the thread that accepted it.
//!
//! Slots are never moved or freed, so a call finds its slot without a lock, in two loads. It then locks that slot, in two instructions
//! on memory that no other endpoint shares. If the slot is locked, another thread is using the endpoint, or a callback on the same
//! thread, where waiting would be a deadlock. So this is an error. Waiting would not help programs with two threads on one endpoint
//! either: memory that a call lends is valid until the next call, so they need a lock of their own. Creating and freeing lock the list
//! of free slots.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use crate::code::wsp_code;
use crate::create::Entry;

/// An endpoint: one connection, from the opening handshake to the moment when the transport may be closed. A number, which may be copied
/// and compared; 0 is never an endpoint.
///
/// It may be used on any thread, by one call at a time: a call while another one has not returned is refused with `WSP_CODE_BUSY`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct wsp_endpoint {
    pub id: u64,
}

/// What a slot holds.
pub enum Content {
    Free,
    Live(Box<Entry>),
    /// A call panicked, and the endpoint is gone.
    Poisoned,
}

struct Slot {
    generation: AtomicU32,
    /// The next free slot, while this one is free. Only used under the lock of `FREE`.
    next: AtomicU32,
    content: Mutex<Content>,
}

/// The free slots.
struct Free {
    /// Those that were used before, as a list.
    first: u32,
    /// The first that was never used.
    unused: u32,
    live: usize,
}

const NONE: u32 = u32::MAX;
const FIRST_SIZE: u32 = 64;
/// Each block is as large as all before it, so that the indexes end at 2^32.
const BLOCKS: usize = 26;

static FREE: Mutex<Free> = Mutex::new(Free {
    first: NONE,
    unused: 0,
    live: 0,
});
/// Not on the heap, so that a program with few endpoints has freed everything when it has freed those.
static FIRST: [Slot; FIRST_SIZE as usize] = [const { Slot::new() }; FIRST_SIZE as usize];
static BLOCK: [OnceLock<Box<[Slot]>>; BLOCKS] = [const { OnceLock::new() }; BLOCKS];

impl Slot {
    const fn new() -> Self {
        Self {
            generation: AtomicU32::new(1),
            next: AtomicU32::new(NONE),
            content: Mutex::new(Content::Free),
        }
    }
}

/// Stores an endpoint, and returns its handle.
pub fn insert(entry: Box<Entry>) -> Result<wsp_endpoint, wsp_code> {
    let (index, slot) = take_free().ok_or(wsp_code::TooManyEndpoints)?;
    *lock(&slot.content) = Content::Live(entry);
    let generation = slot.generation.load(Ordering::Acquire);
    Ok(wsp_endpoint {
        id: u64::from(generation) << 32 | u64::from(index),
    })
}

/// Lends what the handle is of to `work`, unless it is in use.
pub fn with<R>(endpoint: wsp_endpoint, work: impl FnOnce(&mut Content) -> R) -> Result<R, wsp_code> {
    let (_, slot) = find(endpoint)?;
    let mut content = try_lock(endpoint, slot)?;
    Ok(work(&mut content))
}

/// Removes what the handle is of, and returns it.
pub fn remove(endpoint: wsp_endpoint) -> Result<Content, wsp_code> {
    let (index, slot) = find(endpoint)?;
    let mut content = try_lock(endpoint, slot)?;
    let removed = std::mem::replace(&mut *content, Content::Free);
    let next_generation = slot.generation.load(Ordering::Acquire).wrapping_add(1);
    slot.generation.store(next_generation, Ordering::Release);
    drop(content);
    let mut free = lock(&FREE);
    free.live -= 1;
    // A slot whose generations are used up is not used again: no handle has generation 0.
    if next_generation != 0 {
        slot.next.store(free.first, Ordering::Relaxed);
        free.first = index;
    }
    Ok(removed)
}

/// Returns the number of endpoints that are not freed.
pub fn count() -> usize {
    lock(&FREE).live
}

fn find(endpoint: wsp_endpoint) -> Result<(u32, &'static Slot), wsp_code> {
    let index = endpoint.id as u32;
    let slot = slot(index).ok_or(wsp_code::StaleHandle)?;
    check(endpoint, slot)?;
    Ok((index, slot))
}

/// The generation is checked before the lock too, so that a stale handle does not disturb the slot's next endpoint.
fn try_lock(endpoint: wsp_endpoint, slot: &'static Slot) -> Result<MutexGuard<'static, Content>, wsp_code> {
    let content = match slot.content.try_lock() {
        Ok(content) => content,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return Err(wsp_code::Busy),
    };
    check(endpoint, slot)?;
    match *content {
        Content::Free => Err(wsp_code::StaleHandle),
        Content::Live(_) | Content::Poisoned => Ok(content),
    }
}

fn check(endpoint: wsp_endpoint, slot: &Slot) -> Result<(), wsp_code> {
    let generation = (endpoint.id >> 32) as u32;
    match generation == slot.generation.load(Ordering::Acquire) {
        true => Ok(()),
        false => Err(wsp_code::StaleHandle),
    }
}

fn take_free() -> Option<(u32, &'static Slot)> {
    let mut free = lock(&FREE);
    let index = match free.first {
        NONE => free.unused,
        first => first,
    };
    if index == free.unused {
        free.unused = index.checked_add(1)?; // the last index is `NONE`
        if let Some((block, _)) = place(index) {
            BLOCK[block].get_or_init(|| (0..block_size(block)).map(|_| Slot::new()).collect());
        }
    }
    let slot = slot(index)?;
    free.first = slot.next.swap(NONE, Ordering::Relaxed);
    free.live += 1;
    Some((index, slot))
}

fn slot(index: u32) -> Option<&'static Slot> {
    match place(index) {
        None => FIRST.get(index as usize),
        Some((block, offset)) => BLOCK.get(block)?.get()?.get(offset),
    }
}

/// Returns the block of an index and its place in it; `None` if it is one of the first.
fn place(index: u32) -> Option<(usize, usize)> {
    let block = (index / FIRST_SIZE).checked_ilog2()? as usize;
    Some((block, index as usize - block_size(block)))
}

/// The number of slots of a block, which is also the index of its first.
fn block_size(block: usize) -> usize {
    (FIRST_SIZE as usize) << block
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use websocket_proto::endpoint::{Endpoint, EndpointConfig};

    use super::*;

    fn create() -> wsp_endpoint {
        let server = Endpoint::server(&EndpointConfig::new(), Duration::ZERO);
        crate::create::insert(server, None).unwrap()
    }

    #[test]
    fn indexes_have_places_without_gaps() {
        for index in 0..FIRST_SIZE {
            assert_eq!(place(index), None);
        }
        let mut expected = (0, 0);
        for index in FIRST_SIZE..1 << 20 {
            assert_eq!(place(index), Some(expected));
            expected.1 += 1;
            if expected.1 == block_size(expected.0) {
                expected = (expected.0 + 1, 0);
            }
        }
        assert_eq!(place(u32::MAX), Some((BLOCKS - 1, block_size(BLOCKS - 1) - 1)));
    }

    /// Frees and uses endpoints in a random order, and checks every handle that there ever was.
    #[test]
    fn handles_that_were_freed_never_match() {
        let (mut live, mut freed, mut random) = (Vec::new(), HashSet::new(), 1_u64);
        for _ in 0..3000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let choice = (random >> 33) as usize;
            if choice % 2 == 0 || live.is_empty() {
                let endpoint = create();
                assert!(endpoint.id != 0 && !freed.contains(&endpoint.id));
                live.push(endpoint);
            } else {
                let endpoint = live.swap_remove(choice % live.len());
                assert!(matches!(remove(endpoint), Ok(Content::Live(_))));
                freed.insert(endpoint.id);
            }
            if let Some(&endpoint) = live.get(choice % live.len().max(1)) {
                assert_eq!(
                    with(endpoint, |content| matches!(content, Content::Live(_))),
                    Ok(true)
                );
            }
        }
        for &id in &freed {
            assert_eq!(with(wsp_endpoint { id }, |_| ()), Err(wsp_code::StaleHandle));
            assert_eq!(remove(wsp_endpoint { id }).err(), Some(wsp_code::StaleHandle));
        }
        for endpoint in live {
            assert!(remove(endpoint).is_ok());
        }
    }

    #[test]
    fn slot_whose_generations_are_used_up_is_not_used_again() {
        let first = create();
        let index = first.id as u32;
        slot(index).unwrap().generation.store(u32::MAX, Ordering::Release);
        let last = wsp_endpoint {
            id: first.id | u64::from(u32::MAX) << 32,
        };
        assert!(remove(last).is_ok());
        let others: Vec<_> = (0..FIRST_SIZE).map(|_| create()).collect();
        assert!(others.iter().all(|other| other.id as u32 != index));
        for generation in [0, 1, u32::MAX] {
            let forged = wsp_endpoint {
                id: u64::from(generation) << 32 | u64::from(index),
            };
            assert_eq!(remove(forged).err(), Some(wsp_code::StaleHandle));
        }
        for other in others {
            assert!(remove(other).is_ok());
        }
    }
}
