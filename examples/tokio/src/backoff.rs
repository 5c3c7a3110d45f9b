//! How long to wait before the next attempt to connect.

use std::time::Duration;

use websocket_proto::{Entropy, OsEntropy};

/// Delays that double, each drawn at random, so that the clients of a server that comes back do not come all at once.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            next: first,
        }
    }

    /// Starts over: to be called when a connection turned out to be good, not when it was merely accepted.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// Returns the next delay: between a half of what is due and all of it.
    pub fn delay(&mut self) -> Duration {
        let due = self.next;
        self.next = due.saturating_mul(2).min(self.longest);
        let mut random = [0; 2];
        OsEntropy.fill(&mut random);
        due / 2 + due / 2 * u32::from(u16::from_ne_bytes(random)) / u32::from(u16::MAX)
    }
}
