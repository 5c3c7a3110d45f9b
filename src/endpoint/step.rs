//! What an endpoint needs next.

use core::time::Duration;

use super::flow::{NEVER, Reading, Writing, nanos};
use super::{Buffers, Endpoint, Interruption, Phase, Timeout, TransportError};
use crate::Role;
use crate::keepalive::{Action, Expired};

/// The one thing to do next for an [`Endpoint`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "every driver has to do each of them")]
#[must_use]
pub enum Step {
    /// A request is here: [`accept`](Endpoint::accept) it, or [take](Endpoint::take_request) and answer it.
    Request,
    /// The response is here: [take](Endpoint::take_response) it.
    Response,
    /// There may be events: call [`next_event`](Endpoint::next_event) until it returns `None`.
    Event,
    /// Write [`output`](Endpoint::output), and report how much was accepted by [`written`](Endpoint::written).
    Write,
    /// Flush the transport, and report it by [`flushed`](Endpoint::flushed).
    Flush,
    /// Read into [`read_space`](Endpoint::read_space), and report how much came by [`received`](Endpoint::received).
    Read,
    /// Shut down writing (a FIN on TCP, `close_notify` in TLS, the end of a stream in HTTP/2 and HTTP/3), and report
    /// it by [`shut_down`](Endpoint::shut_down).
    Shutdown,
    /// Nothing can be done: wait for the transport, or for the [`deadline`](Endpoint::deadline), then call
    /// [`ready`](Endpoint::ready).
    Wait(Interest),
    /// The transport may be dropped: [`end`](Endpoint::end) has the reason.
    Done,
}

/// What of a transport to wait for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "all combinations of the two")]
pub enum Interest {
    /// Nothing: the endpoint waits for its caller, or for the deadline.
    Nothing,
    /// Until it has something to read.
    Readable,
    /// Until it accepts output.
    Writable,
    /// Until either.
    Both,
}

impl Endpoint {
    /// Returns the next thing to do. `now` is the time since the origin that was chosen at the start.
    ///
    /// The order is that in which nothing is lost and neither side waits: events, output, input.
    pub fn step(&mut self, now: Duration) -> Step {
        self.advance(now, true);
        if let Some(step) = self.step_outside_connection() {
            return step;
        }
        if self.has_events() {
            return Step::Event;
        }
        if let Some(step) = self.output_step() {
            return step;
        }
        if self.wants_to_read() && self.flow.reading == Reading::Ready {
            return Step::Read;
        }
        if self.is_over() {
            self.finish(None);
            return Step::Done;
        }
        Step::Wait(self.interest())
    }

    /// Returns the next thing to do so that the output is written and flushed, while events wait to be taken: for a
    /// caller that waits to send, or for the half of a split transport that only writes.
    ///
    /// [`Write`](Step::Write) and [`Flush`](Step::Flush) are to be done, [`Wait`](Step::Wait) is for a transport that
    /// accepts nothing, and [`Done`](Step::Done) says that the transport failed, or that the endpoint has ended. `None`:
    /// all output is written and flushed.
    pub fn flush_step(&mut self, now: Duration) -> Option<Step> {
        self.advance(now, false);
        match self.flow.writing {
            _ if self.end().is_some() => Some(Step::Done),
            Writing::Failed => Some(Step::Done),
            Writing::ShutDown => None,
            Writing::Ready | Writing::Blocked if self.output().is_empty() => None,
            _ => self.output_step().or(Some(Step::Wait(Interest::Writable))),
        }
    }

    /// Goes on to `now`, and does what is due. `reads` is whether the transport can be read in the next step.
    fn advance(&mut self, now: Duration, reads: bool) {
        self.flow.now = self.flow.now.max(nanos(now));
        if self.flow.writing == Writing::Failed {
            self.drop_output();
        }
        // A peer whose bytes wait for the caller is not silent.
        if self.has_input {
            self.flow.keepalive.record_activity();
        }
        // The time for a Close behind a large message starts once it is written.
        if self.phase.is_closing() && self.output().is_empty() {
            self.flow.keepalive.record_closing(self.flow.now());
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

    /// Returns when [`step`](Self::step) has to be called at the latest, as a time since the same origin. `None` is
    /// never.
    pub fn deadline(&self) -> Option<Duration> {
        if let Phase::Ended(_) = self.phase {
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

    /// Returns the space to read into, which is never empty.
    pub fn read_space(&mut self) -> &mut [u8] {
        let remaining = self
            .phase
            .connection()
            .map_or(0, |connection| connection.payload_remaining());
        self.buffers().read.space(remaining)
    }

    /// Takes note that the transport read `size` bytes into [`read_space`](Self::read_space). 0 is the end of the
    /// transport, as for `Read::read`.
    pub fn received(&mut self, size: usize) {
        self.buffers().read.filled(size);
        self.has_received(size);
    }

    /// Takes bytes that the transport read into a buffer elsewhere, in place of [`read_space`](Self::read_space) and
    /// [`received`](Self::received): they are copied. Empty bytes are the end of the transport.
    ///
    /// For drivers whose reads are under way while the endpoint is used otherwise, in another thread or in the kernel:
    /// they call [`read_blocked`](Self::read_blocked) when they start a read, and this method when it is complete.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.buffers().read.extend(bytes);
        self.has_received(bytes.len());
    }

    fn has_received(&mut self, size: usize) {
        self.has_input = true;
        if size == 0 {
            self.flow.reading = Reading::Ended;
            return;
        }
        self.flow.keepalive.record_activity();
        self.flow.reading = Reading::Ready;
        // What arrives after the end is ignored (RFC 6455 section 7.1.1).
        if !self.phase.reads() {
            self.buffers().read.keep(0);
        }
    }

    /// Takes note that the transport has nothing to read.
    pub fn read_blocked(&mut self) {
        if self.flow.reading == Reading::Ready {
            self.flow.reading = Reading::Blocked;
            self.shrink();
        }
    }

    /// What a large message took is given back once nothing follows it.
    fn shrink(&mut self) {
        if let Some(buffers) = &mut self.buffers {
            buffers.read.shrink();
        }
    }

    /// Returns what waits to be written.
    #[inline]
    pub fn output(&self) -> &[u8] {
        self.buffers
            .as_ref()
            .map_or(&[], |buffers| buffers.output.waiting())
    }

    /// Takes note that the transport accepted the first `size` bytes of [`output`](Self::output).
    pub fn written(&mut self, size: usize) {
        let Some(Buffers { output, .. }) = self.buffers.as_deref_mut() else {
            return;
        };
        let size = size.min(output.len());
        output.written(size);
        self.flow.wrote(size, output.len());
    }

    /// Takes note that the transport accepts no output now, or that it could not be flushed or shut down completely.
    pub fn write_blocked(&mut self) {
        self.flow.write_blocked();
    }

    /// Takes note that all that was written is flushed.
    pub fn flushed(&mut self) {
        if let Writing::Unflushed | Writing::UnflushedBlocked = self.flow.writing {
            self.flow.writing = Writing::Ready;
            self.flow.progress_due = NEVER;
            self.buffers().output.flushed();
        }
    }

    /// Takes note that writing is shut down.
    pub fn shut_down(&mut self) {
        self.flow.writing = Writing::ShutDown;
        self.flow.linger();
    }

    /// Takes note that the transport may be ready again after it was blocked, or that the deadline has come.
    pub fn ready(&mut self) {
        if self.flow.reading == Reading::Blocked {
            self.flow.reading = Reading::Ready;
        }
        self.flow.writing = match self.flow.writing {
            Writing::Blocked => Writing::Ready,
            Writing::UnflushedBlocked => Writing::Unflushed,
            other => other,
        };
    }

    /// Takes note that the transport could not be read. The endpoint ends; what came before is still handed out.
    pub fn read_failed(&mut self, error: impl Into<TransportError>) {
        self.fail(error.into());
        self.received(0);
    }

    /// Takes note that the transport could not be written to, flushed or shut down. Nothing more is written; what the
    /// peer sent is still read for a while, as its Close may be there.
    pub fn write_failed(&mut self, error: impl Into<TransportError>) {
        self.fail(error.into());
        self.flow.linger();
    }

    fn fail(&mut self, error: TransportError) {
        self.flow.fail(error);
        self.drop_output();
    }

    fn drop_output(&mut self) {
        if let Some(buffers) = &mut self.buffers {
            buffers.output.drop_waiting();
        }
    }

    /// The deadline of a handshake or of a Ping has come: sends the Ping, or says what has taken too long.
    #[cold]
    fn do_what_is_due(&mut self, reads: bool) -> Result<(), Expired> {
        if reads && self.may_have_heard() {
            return Ok(());
        }
        let now = self.flow.now();
        if let Action::Ping(payload) = self.flow.keepalive.tick(now)? {
            _ = self.sender().send_ping(&payload);
        }
        Ok(())
    }

    fn expired(&mut self, expired: Expired) {
        match expired {
            Expired::Opening => self.opening_timed_out(),
            Expired::Ping => self.time_out(Timeout::Ping),
            Expired::Closing => self.time_out(Timeout::Closing),
        }
    }

    /// The transport made no progress in time.
    #[cold]
    fn progress_missed(&mut self) {
        match self.flow.writing {
            // The peer's time to read our last bytes has passed.
            Writing::ShutDown | Writing::Failed => self.finish(None),
            Writing::Ready | Writing::Blocked | Writing::Unflushed | Writing::UnflushedBlocked => {
                self.time_out(Timeout::Write);
            }
        }
    }

    /// Whether the answer to a Ping is out of time, but may be in the transport: the caller was busy, and what came is read
    /// first.
    fn may_have_heard(&self) -> bool {
        self.flow.reading == Reading::Ready
            && self.wants_to_read()
            && self.flow.keepalive.clone().tick(self.flow.now()) == Err(Expired::Ping)
    }

    /// Whether the deadlines of the handshakes and of Pings hold: not after the end, whose deadline is that of progress.
    fn is_timed(&self) -> bool {
        self.phase.is_opening()
            || matches!(self.phase, Phase::Open(_)) && self.flow.writing != Writing::ShutDown
    }

    fn opening_timed_out(&mut self) {
        let role = self.phase.role();
        let Buffers { output, .. } = Buffers::of(&mut self.buffers, self.flow.limits.max_read_size);
        self.phase.opening_timed_out(output);
        // A server still writes its response, and a client still returns a truncated body to its caller.
        if let (Some(Role::Client), Phase::Unopened(..)) = (role, &self.phase) {
            self.finish(None);
        }
    }

    fn time_out(&mut self, timeout: Timeout) {
        self.finish(Some(Interruption::TimedOut(timeout)));
    }

    /// The endpoint ends now, and gives its memory back.
    pub(super) fn finish(&mut self, interruption: Option<Interruption>) {
        let failure = self
            .flow
            .failure
            .take()
            .map(|error| Interruption::Transport(*error));
        let unwritten = self.buffers.as_ref().map(|buffers| &buffers.output);
        self.phase.end(failure.or(interruption), unwritten);
        self.buffers = None;
        self.has_input = false;
        self.flow.progress_due = NEVER;
    }

    /// The next thing to do before the connection is open, and once all is over.
    #[inline]
    fn step_outside_connection(&mut self) -> Option<Step> {
        match self.phase {
            Phase::Open(_) => None,
            _ => self.handshake_step(),
        }
    }

    #[inline(never)]
    fn handshake_step(&mut self) -> Option<Step> {
        if self.has_input && self.phase.reads_handshake() {
            self.has_input = false;
            let Buffers { read, output } = Buffers::of(&mut self.buffers, self.flow.limits.max_read_size);
            let role = self.phase.role();
            self.phase.read_handshake(read, output);
            if self.flow.reading == Reading::Ended {
                self.phase.end_of_transport();
            }
            // A client sends nothing after a handshake that failed (RFC 6455 section 7.1.7).
            if let (Some(Role::Client), Phase::Unopened(..)) = (role, &self.phase) {
                self.finish(None);
            }
        }
        match self.phase {
            Phase::Requested(_) => Some(Step::Request),
            Phase::Accepted(_) | Phase::Rejected(_) => Some(Step::Response),
            Phase::Ended(_) => Some(Step::Done),
            _ => None,
        }
    }

    /// Whether [`next_event`](Self::next_event) may have something.
    fn has_events(&mut self) -> bool {
        if !self.has_input || !matches!(self.phase, Phase::Open(_)) {
            return false;
        }
        // For the end of a transport on which nothing was received.
        self.buffers();
        !self.is_full()
    }

    fn is_full(&self) -> bool {
        let replies = self
            .buffers
            .as_ref()
            .map_or(0, |buffers| buffers.output.replies());
        replies >= self.flow.limits.max_buffered()
    }

    fn output_step(&mut self) -> Option<Step> {
        let is_empty = self.output().is_empty();
        let step = match self.flow.writing {
            Writing::Ready | Writing::Blocked if is_empty && !self.phase.is_finishing() => {
                self.flow.progress_due = NEVER;
                return None;
            }
            Writing::Ready | Writing::Blocked if is_empty => Step::Shutdown,
            Writing::Ready | Writing::Blocked => Step::Write,
            Writing::Unflushed | Writing::UnflushedBlocked if is_empty => Step::Flush,
            Writing::Unflushed | Writing::UnflushedBlocked => Step::Write,
            Writing::ShutDown | Writing::Failed => return None,
        };
        if self.flow.progress_due == NEVER {
            self.flow.progress_due = self.flow.after(self.flow.limits.write_timeout);
        }
        match self.flow.writing {
            Writing::Blocked | Writing::UnflushedBlocked => None,
            _ => Some(step),
        }
    }

    /// Whether bytes of the peer are wanted: what it says, or its end.
    fn wants_to_read(&self) -> bool {
        match self.flow.reading {
            Reading::Ended => false,
            Reading::Ready | Reading::Blocked => match self.phase {
                Phase::Open(_) => !self.is_full() || self.phase.is_finishing(),
                Phase::AwaitingRequest(_) | Phase::AwaitingResponse(_) | Phase::AwaitingBody(_) => {
                    !self.is_full()
                }
                Phase::Unopened(..) => true,
                Phase::Requested(_)
                | Phase::Deciding
                | Phase::Accepted(_)
                | Phase::Rejected(_)
                | Phase::Ended(_) => false,
            },
        }
    }

    /// Whether both directions of the transport have ended.
    fn is_over(&self) -> bool {
        let is_written = matches!(self.flow.writing, Writing::ShutDown | Writing::Failed);
        is_written
            && self.flow.reading == Reading::Ended
            && (self.phase.is_finishing() || self.flow.writing == Writing::Failed)
    }

    fn interest(&self) -> Interest {
        let reads = self.wants_to_read();
        let writes = matches!(self.flow.writing, Writing::Blocked | Writing::UnflushedBlocked)
            && self.flow.progress_due != NEVER;
        match (reads, writes) {
            (false, false) => Interest::Nothing,
            (true, false) => Interest::Readable,
            (false, true) => Interest::Writable,
            (true, true) => Interest::Both,
        }
    }
}
