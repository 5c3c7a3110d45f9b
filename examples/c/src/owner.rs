//! An endpoint, and the event of it that the program holds between two calls.

use std::ptr::NonNull;

use websocket_proto::Event;
use websocket_proto::endpoint::{Endpoint, Sender};

/// Owns an endpoint and the event that it returned last. Sending leaves the event as it is, as in Rust, where an event comes with its
/// `Sender`; any other use of the endpoint ends it.
pub struct Owner {
    /// From `Box::leak`.
    endpoint: NonNull<Endpoint>,
    /// Borrowed from the endpoint, which is not used while this is there.
    held: Option<(Event<'static>, Sender<'static>)>,
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
        }
    }

    /// Returns the endpoint, after the event that was held.
    pub fn endpoint(&mut self) -> &mut Endpoint {
        self.release();
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
            None => send(&mut self.endpoint().sender()),
        }
    }

    /// Ends the event that is held. Its buffer is used for the next message that arrives in pieces.
    fn release(&mut self) {
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
