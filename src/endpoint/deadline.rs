//! What changes with time: the deadline of an endpoint, and what happens when it has passed.

use core::time::Duration;

use super::flow::{Flow, Reading, Writing};
use super::{Buffers, Endpoint, Interruption, Phase, Timeout};
use crate::Role;
use crate::keepalive::{Action, Expired, NEVER};

impl Endpoint {
    /// Returns the latest time for the next call of [`step`](Self::step), since the same origin. `None` means never. A time in the
    /// past means now.
    pub fn deadline(&self) -> Option<Duration> {
        if matches!(self.phase, Phase::Ended(_)) || self.owes_events() {
            return None;
        }
        let progress =
            (self.flow.progress_due != NEVER).then(|| Duration::from_nanos(self.flow.progress_due));
        let keepalive = self.is_timed().then(|| self.flow.keepalive.deadline()).flatten();
        match (progress, keepalive) {
            (Some(progress), Some(keepalive)) => Some(progress.min(keepalive)),
            (progress, keepalive) => progress.or(keepalive),
        }
    }

    #[inline(never)]
    pub(super) fn do_what_changes_with_time(&mut self, reads: bool) {
        // A peer is not silent while its bytes wait for the caller.
        if self.flow.has_input {
            self.flow.keepalive.record_activity();
        }
        if self.flow.writing == Writing::Failed {
            self.stop_sending();
        } else if self.phase.is_closing() && !self.has_output() {
            // The time for a Close behind a large message starts once it is written.
            self.flow.keepalive.record_closing(self.flow.now());
        }
        if self.flow.may_be_due() {
            self.reach_deadline(reads);
        }
    }

    #[cold]
    #[inline(never)]
    fn reach_deadline(&mut self, reads: bool) {
        if self.owes_events() {
            return;
        }
        if self.flow.keepalive.is_due(self.flow.now) && self.is_timed() {
            if let Err(expired) = self.do_what_is_due(reads) {
                return self.expired(expired);
            }
        }
        if self.flow.makes_no_progress() {
            self.progress_missed();
        }
    }

    /// Handles the deadline of a handshake or of a Ping: sends the Ping, or returns what has taken too long.
    fn do_what_is_due(&mut self, reads: bool) -> Result<(), Expired> {
        if reads && self.may_have_heard() {
            return Ok(());
        }
        let now = self.flow.now();
        if let Action::Ping(payload) = self.flow.keepalive.tick(now)? {
            // A peer that reads a byte now and then would let them pile up.
            if self.output().len() < self.flow.limits.max_buffered() {
                _ = self.sender().send_ping(&payload);
            }
        }
        Ok(())
    }

    fn expired(&mut self, expired: Expired) {
        let limit = self.flow.keepalive.expired_timeout().unwrap_or_default();
        match expired {
            Expired::Opening => self.opening_timed_out(limit),
            Expired::Ping => self.time_out(Timeout::Ping, limit),
            Expired::Closing => self.time_out(Timeout::Closing, limit),
        }
    }

    fn opening_timed_out(&mut self, limit: Duration) {
        let role = self.phase.role();
        let Buffers { output, .. } = Buffers::of(&mut self.buffers, &self.flow.limits);
        self.phase.opening_timed_out(limit, output);
        // A server still writes its response, and a client still returns a truncated body to its caller.
        if let (Some(Role::Client), Phase::Unopened(..)) = (role, &self.phase) {
            self.finish(None);
        }
    }

    /// The transport made no progress in time.
    fn progress_missed(&mut self) {
        match self.flow.writing {
            // The peer's time to read our last bytes has passed.
            Writing::ShutDown | Writing::Failed => {
                if !self.flow.lingers() {
                    self.finish(None);
                }
            }
            Writing::Ready | Writing::Blocked | Writing::Unflushed | Writing::UnflushedBlocked => {
                let limit = Duration::from_millis(self.flow.limits.write_timeout.into());
                self.time_out(Timeout::Write, limit);
            }
        }
    }

    /// Ends the endpoint because of a missed deadline: after the events that were received before, if there are any.
    fn time_out(&mut self, timeout: Timeout, limit: Duration) {
        let reason = Interruption::TimedOut { timeout, limit };
        match self.may_have_events() {
            true => self.give_up(reason),
            false => self.finish(Some(reason)),
        }
    }

    /// Returns whether the deadlines of the handshakes and of Pings apply. They do not once either direction has ended: a
    /// peer that has ended its own cannot answer a Ping, and what is left is to be written, whose deadline is that of
    /// progress.
    fn is_timed(&self) -> bool {
        let Flow { reading, writing, .. } = self.flow;
        let has_ended = reading == Reading::Ended || writing == Writing::ShutDown;
        self.phase.is_opening() || matches!(self.phase, Phase::Open(_)) && !has_ended
    }

    /// Returns whether the transport has failed, or a deadline was missed, and events that were received before may wait for the
    /// caller: they are returned, however late.
    fn owes_events(&self) -> bool {
        self.flow.writing == Writing::Failed && self.may_have_events()
    }

    fn may_have_events(&self) -> bool {
        self.flow.has_input && matches!(self.phase, Phase::Open(_))
    }

    /// Returns whether a Ping has timed out, but its answer may be in the transport: the caller was busy, and what came
    /// is read first.
    fn may_have_heard(&self) -> bool {
        self.flow.reading == Reading::Ready
            && self.wants_to_read()
            && self.flow.keepalive.clone().tick(self.flow.now()) == Err(Expired::Ping)
    }
}
