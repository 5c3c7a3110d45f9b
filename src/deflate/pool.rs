//! Keeps a few inflaters per thread between messages, because creating one costs more than a small message.
//!
//! Another connection can reuse an engine that inflates, because its output depends only on the payload and the
//! history: it counts how much of its window belongs to the current stream, and a reference to before that is an error.
//! An engine that deflates cannot be reused: see `deflater`.

#[cfg(feature = "std")]
pub(super) use with_std::{give, take};

#[cfg(not(feature = "std"))]
pub(super) use without_std::{give, take};

#[cfg(feature = "std")]
mod with_std {
    use core::cell::RefCell;
    use std::boxed::Box;
    use std::vec::Vec;

    use super::super::inflater::Inflater;

    /// Messages handled in one call need one; messages split across reads can use more.
    const SIZE: usize = 2;

    #[allow(clippy::vec_box, reason = "the boxes go to the connections and come back")]
    type Shelf = Vec<Box<Inflater>>;

    std::thread_local! {
        static SHELF: RefCell<Shelf> = const { RefCell::new(Vec::new()) };
    }

    /// Takes the last one returned, because it is in the cache.
    pub(in super::super) fn take() -> Option<Box<Inflater>> {
        with(Vec::pop).flatten()
    }

    /// Returns an inflater, which a full pool drops.
    pub(in super::super) fn give(inflater: Box<Inflater>) {
        with(|shelf| {
            if shelf.len() < SIZE {
                shelf.push(inflater);
            }
        });
    }

    /// Runs `work` on the thread's shelf. `None` while the thread ends; `work` is then dropped.
    fn with<R>(work: impl FnOnce(&mut Shelf) -> R) -> Option<R> {
        let run = |shelf: &RefCell<Shelf>| shelf.try_borrow_mut().ok().map(|mut shelf| work(&mut shelf));
        SHELF.try_with(run).ok().flatten()
    }

    #[cfg(test)]
    mod tests {
        use super::super::super::history::History;
        use super::*;

        #[test]
        fn full_pool_keeps_what_it_has() {
            let given: Vec<_> = (0..=SIZE)
                .map(|_| Inflater::begin(None, &mut History::new(0), true, 0))
                .collect();
            assert!(take().is_none(), "this thread has returned nothing");
            given.into_iter().for_each(give);
            let kept = (0..=SIZE).filter(|_| take().is_some()).count();
            assert_eq!(kept, SIZE);
        }
    }
}

/// Without `std` there are no thread locals, so nothing is kept.
#[cfg(not(feature = "std"))]
mod without_std {
    use alloc::boxed::Box;

    use super::super::inflater::Inflater;

    pub(in super::super) fn take() -> Option<Box<Inflater>> {
        None
    }

    #[allow(clippy::boxed_local, reason = "with std it is kept")]
    pub(in super::super) fn give(_inflater: Box<Inflater>) {}
}
