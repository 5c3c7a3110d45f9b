//! Engines between two messages: a few for each thread, since making one costs more than a small message.

#[cfg(feature = "std")]
pub(super) use with_std::{deflaters, inflaters};

#[cfg(not(feature = "std"))]
pub(super) use without_std::{deflaters, inflaters};

#[cfg(feature = "std")]
mod with_std {
    use core::cell::RefCell;
    use std::boxed::Box;
    use std::thread::LocalKey;
    use std::vec::Vec;

    use super::super::compress::Deflater;
    use super::super::inflater::Inflater;

    /// Messages that are handled in one call need one; more are of use to messages that reads have cut.
    const SIZE: usize = 2;

    type Shelf<T> = RefCell<Vec<Box<T>>>;

    std::thread_local! {
        static INFLATERS: Shelf<Inflater> = const { RefCell::new(Vec::new()) };
        static DEFLATERS: Shelf<Deflater> = const { RefCell::new(Vec::new()) };
    }

    pub(in super::super) fn inflaters() -> Pool<Inflater> {
        Pool(&INFLATERS)
    }

    pub(in super::super) fn deflaters() -> Pool<Deflater> {
        Pool(&DEFLATERS)
    }

    pub(in super::super) struct Pool<T: 'static>(&'static LocalKey<Shelf<T>>);

    impl<T> Pool<T> {
        /// One that fits, the last one given first: it is in the cache.
        pub(in super::super) fn take(&self, fits: impl Fn(&T) -> bool) -> Option<Box<T>> {
            let take = |shelf: &mut Vec<Box<T>>| {
                let found = shelf.iter().rposition(|engine| fits(engine))?;
                Some(shelf.remove(found))
            };
            self.with(take).flatten()
        }

        /// In a full pool, the one unused for longest makes way.
        pub(in super::super) fn give(&self, engine: Box<T>) {
            let dropped = self.with(|shelf| {
                let oldest = (shelf.len() >= SIZE).then(|| shelf.remove(0));
                shelf.push(engine);
                oldest
            });
            drop(dropped);
        }

        /// `None` while the thread ends; what `work` holds is dropped then.
        fn with<R>(&self, work: impl FnOnce(&mut Vec<Box<T>>) -> R) -> Option<R> {
            let run = |shelf: &Shelf<T>| shelf.try_borrow_mut().ok().map(|mut shelf| work(&mut shelf));
            self.0.try_with(run).ok().flatten()
        }
    }
}

#[cfg(not(feature = "std"))]
mod without_std {
    use alloc::boxed::Box;
    use core::marker::PhantomData;

    use super::super::compress::Deflater;
    use super::super::inflater::Inflater;

    pub(in super::super) fn inflaters() -> Pool<Inflater> {
        Pool(PhantomData)
    }

    pub(in super::super) fn deflaters() -> Pool<Deflater> {
        Pool(PhantomData)
    }

    /// There are no threads to keep anything for.
    pub(in super::super) struct Pool<T>(PhantomData<T>);

    impl<T> Pool<T> {
        pub(in super::super) fn take(&self, _fits: impl Fn(&T) -> bool) -> Option<Box<T>> {
            None
        }

        #[allow(clippy::boxed_local, reason = "with std it is kept")]
        pub(in super::super) fn give(&self, _engine: Box<T>) {}
    }
}
