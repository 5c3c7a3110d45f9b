//! What inflates, between two messages: a few for each thread, since making one costs more than a small message.
//!
//! An engine that inflates can be used again by another connection, as what comes out of it is what the payload and
//! the history say: it counts how much of its window is of the current stream, and a reference to before that is
//! an error. One that deflates cannot: see `deflater`.

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

    /// Messages that are handled in one call need one; more are of use to messages split across reads.
    const SIZE: usize = 2;

    #[allow(clippy::vec_box, reason = "the boxes go to the connections and come back")]
    type Shelf = Vec<Box<Inflater>>;

    std::thread_local! {
        static SHELF: RefCell<Shelf> = const { RefCell::new(Vec::new()) };
    }

    /// The last one given: it is in the cache.
    pub(in super::super) fn take() -> Option<Box<Inflater>> {
        with(Vec::pop).flatten()
    }

    /// A full pool drops it.
    pub(in super::super) fn give(inflater: Box<Inflater>) {
        with(|shelf| {
            if shelf.len() < SIZE {
                shelf.push(inflater);
            }
        });
    }

    /// `None` while the thread ends; what `work` holds is dropped then.
    fn with<R>(work: impl FnOnce(&mut Shelf) -> R) -> Option<R> {
        let run = |shelf: &RefCell<Shelf>| shelf.try_borrow_mut().ok().map(|mut shelf| work(&mut shelf));
        SHELF.try_with(run).ok().flatten()
    }
}

/// There are no threads to keep anything for.
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
