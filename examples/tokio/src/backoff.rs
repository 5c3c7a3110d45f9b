//! How long to wait before the next attempt to connect.

use std::time::Duration;

use websocket_proto::{Entropy, OsEntropy};

/// Delays that double, each randomized, so that the clients of a restarted server do not all connect at the same time.
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

    /// Starts over. Call this when a connection has turned out to work, not as soon as it is accepted.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// Returns the next delay: between half of the current one and all of it.
    pub fn delay(&mut self) -> Duration {
        self.delay_from(&mut OsEntropy)
    }

    /// Same as [`delay`](Self::delay), randomized by another source.
    pub fn delay_from(&mut self, entropy: &mut impl Entropy) -> Duration {
        let due = self.next;
        self.next = due.saturating_mul(2).min(self.longest);
        let mut random = [0; 2];
        entropy.fill(&mut random);
        due / 2 + due / 2 * u32::from(u16::from_ne_bytes(random)) / u32::from(u16::MAX)
    }
}
