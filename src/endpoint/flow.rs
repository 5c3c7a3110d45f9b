//! The state of both directions of a transport, and when they have to make progress.

use alloc::boxed::Box;
use core::time::Duration;

use super::{EndpointConfig, Interruption, TransportError};
use crate::keepalive::{Keepalive, NANOS_PER_MILLI, NEVER, is_reached, nanos};

/// The state of the transport, the clock and the deadlines.
pub(super) struct Flow {
    pub(super) keepalive: Keepalive,
    pub(super) reading: Reading,
    pub(super) writing: Writing,
    /// Whether the read buffer, or what was read into a message, may hold an event.
    pub(super) has_input: bool,
    /// The first error of the transport, or the deadline that was missed while events waited.
    pub(super) failure: Option<Box<Interruption>>,
    pub(super) limits: Limits,
    /// When the transport must have made progress: accepted output, or ended after we did. Nanoseconds of `now`.
    pub(super) progress_due: u64,
    /// The time of the last step, in nanoseconds.
    pub(super) now: u64,
}

/// A time that starts with the next step, for which it is due.
const STARTS: u64 = 0;

/// The peer's direction of the transport.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Reading {
    Ready,
    Blocked,
    Ended,
}

/// Our direction of the transport.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Writing {
    /// Everything written is flushed.
    Ready,
    Blocked,
    /// Something written is not flushed.
    Unflushed,
    UnflushedBlocked,
    ShutDown,
    Failed,
}

impl Writing {
    /// Whether everything written is flushed, and more may be written.
    #[inline]
    pub(super) fn is_flushed(self) -> bool {
        matches!(self, Self::Ready | Self::Blocked)
    }

    #[inline]
    pub(super) fn is_blocked(self) -> bool {
        matches!(self, Self::Blocked | Self::UnflushedBlocked)
    }

    /// Whether nothing more is written.
    #[inline]
    pub(super) fn has_ended(self) -> bool {
        matches!(self, Self::ShutDown | Self::Failed)
    }
}

/// The configuration that is needed after the opening handshake, in few bytes.
pub(super) struct Limits {
    max_buffered: u32,
    max_read_size: u32,
    pub(super) write_timeout: u32,
    pub(super) linger_timeout: u32,
}

impl Limits {
    fn new(config: &EndpointConfig) -> Self {
        let bytes = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        // Rounded up: nothing ends early.
        let millis = |time: Duration| {
            let millis = time.as_nanos().div_ceil(u128::from(NANOS_PER_MILLI));
            u32::try_from(millis).unwrap_or(u32::MAX)
        };
        Self {
            max_buffered: bytes(config.max_buffered).max(1),
            max_read_size: bytes(config.max_read_size),
            write_timeout: millis(config.write_timeout),
            linger_timeout: millis(config.linger_timeout),
        }
    }

    pub(super) fn max_buffered(&self) -> usize {
        usize::try_from(self.max_buffered).unwrap_or(usize::MAX)
    }

    pub(super) fn max_read_size(&self) -> usize {
        usize::try_from(self.max_read_size).unwrap_or(usize::MAX)
    }
}

impl Flow {
    pub(super) fn new(config: &EndpointConfig, now: Duration) -> Self {
        Self {
            keepalive: Keepalive::new(&config.keepalive, now),
            reading: Reading::Ready,
            writing: Writing::Ready,
            has_input: false,
            failure: None,
            limits: Limits::new(config),
            progress_due: NEVER,
            now: nanos(now),
        }
    }

    /// Moves the time forward to `now`.
    #[inline]
    pub(super) fn advance(&mut self, now: Duration) {
        self.now = self.now.max(nanos(now));
    }

    /// Whether a deadline may have come, of the keepalive or of progress: a single comparison, which takes [`NEVER`] for a time.
    #[inline]
    pub(super) fn may_be_due(&self) -> bool {
        self.keepalive.due().min(self.progress_due) <= self.now
    }

    /// Returns whether no deadline has come, and whether the next time of the keepalive is that of a Ping, so that activity changes
    /// nothing.
    #[inline]
    pub(super) fn is_calm(&self) -> bool {
        self.now < self.progress_due && self.keepalive.is_calm(self.now)
    }

    pub(super) fn now(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    /// Whether the transport has to have made progress by now, and has made none.
    #[inline]
    pub(super) fn makes_no_progress(&self) -> bool {
        is_reached(self.progress_due, self.now)
    }

    /// Returns the time `millis` from now, as nanoseconds since the origin.
    pub(super) fn after(&self, millis: u32) -> u64 {
        match millis {
            u32::MAX => NEVER,
            millis => self
                .now
                .saturating_add(u64::from(millis).saturating_mul(NANOS_PER_MILLI)),
        }
    }

    /// Records that the transport accepted `size` of the waiting bytes, and `waiting` are left.
    #[inline]
    pub(super) fn wrote(&mut self, size: usize, waiting: usize) {
        if size == 0 {
            return;
        }
        if waiting > 0 {
            // The rest has to wait until the peer has read some. The part already sent may have arrived late,
            // and so may the reply to a Ping behind it.
            self.keepalive.record_activity();
        }
        if !self.writing.has_ended() {
            self.writing = Writing::Unflushed;
            self.progress_due = NEVER;
        }
    }

    pub(super) fn write_blocked(&mut self) {
        self.writing = match self.writing {
            Writing::Ready | Writing::Blocked => Writing::Blocked,
            Writing::Unflushed | Writing::UnflushedBlocked => Writing::UnflushedBlocked,
            done @ (Writing::ShutDown | Writing::Failed) => done,
        };
    }

    /// Records that nothing more can be written. What the peer has sent is still read for a while.
    pub(super) fn fail_writing(&mut self, error: TransportError) {
        if self.writing != Writing::Failed {
            self.linger();
        }
        self.fail(Interruption::Transport(error));
    }

    /// Records what has made the transport unusable: nothing more is written. Only the first reason counts.
    pub(super) fn fail(&mut self, reason: Interruption) {
        self.failure.get_or_insert(Box::new(reason));
        self.writing = Writing::Failed;
    }

    /// Starts the time that the peer has to read our last bytes and to end its direction, with the next step: the last one may have
    /// been long before an operation was complete.
    pub(super) fn linger(&mut self) {
        self.progress_due = STARTS;
    }

    /// Returns whether the time of [`linger`](Self::linger) has not passed.
    pub(super) fn lingers(&mut self) -> bool {
        if self.progress_due == STARTS {
            self.progress_due = self.after(self.limits.linger_timeout);
        }
        !self.makes_no_progress()
    }
}
