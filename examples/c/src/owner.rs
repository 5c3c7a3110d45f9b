//! An endpoint, and the event of it that the program holds between two calls.

use std::ptr::NonNull;

use websocket_proto::Event;
use websocket_proto::endpoint::{Endpoint, Sender};

/// Owns an endpoint, and the event and the space to read into that are lent. Sending leaves them as they are, as in Rust, where an
/// event comes with its `Sender`; any other use of the endpoint ends them.
pub struct Owner {
    /// From `Box::leak`.
    endpoint: NonNull<Endpoint>,
    /// Borrowed from the endpoint, which is not used while this is there.
    held: Option<(Event<'static>, Sender<'static>)>,
    /// The size of the space to read into, while it is lent.
    pub space: usize,
}

const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<(Endpoint, Event<'static>, Sender<'static>)>();
};

// SAFETY: it owns the endpoint and what is borrowed from it, all of which are `Send`, as checked above.
unsafe impl Send for Owner {}

impl Owner {
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint: Box::leak(Box::new(endpoint)).into(),
            held: None,
            space: 0,
        }
    }

    /// Returns the endpoint, after everything that is lent has ended.
    pub fn endpoint(&mut self) -> &mut Endpoint {
        self.release();
        self.unborrowed()
    }

    /// Returns the endpoint. Only while no event is held.
    fn unborrowed(&mut self) -> &mut Endpoint {
        assert!(self.held.is_none(), "the endpoint is borrowed");
        // SAFETY: it comes from `Box::leak` and is freed in `drop`. `held` is `None`, so that the only borrow is that of `self`.
        unsafe { self.endpoint.as_mut() }
    }

    /// Returns the next event, and holds it.
    pub fn next_event(&mut self) -> Option<&Event<'_>> {
        self.release();
        // SAFETY: as in `endpoint`. The lifetime ends with `held`, which `release` ends before the next use of the endpoint, and `drop`
        // before the endpoint is freed. Only shorter borrows of what is held leave this module.
        let endpoint = unsafe { &mut *self.endpoint.as_ptr() };
        self.held = endpoint.next_event();
        self.held.as_ref().map(|(event, _)| event)
    }

    /// Sends, while the event is held if there is one.
    pub fn send<R>(&mut self, send: impl FnOnce(&mut Sender<'_>) -> R) -> R {
        match &mut self.held {
            Some((_, sender)) => send(sender),
            None => send(&mut self.unborrowed().sender()),
        }
    }

    /// Ends everything that is lent. The buffer of an event is used for the next message that arrives in pieces.
    fn release(&mut self) {
        self.space = 0;
        match self.held.take() {
            Some((Event::Text(text), mut sender)) => sender.recycle(text),
            Some((Event::Binary(payload), mut sender)) => sender.recycle(payload),
            _ => {}
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.release();
        // SAFETY: it comes from `Box::leak`, nothing is borrowed from it, and this is its end.
        drop(unsafe { Box::from_raw(self.endpoint.as_ptr()) });
    }
}
