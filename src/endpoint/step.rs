//! What an endpoint needs next.

use core::time::Duration;

use super::flow::{Flow, Reading, Writing};
use super::sender::Cause;
use super::{Buffers, Endpoint, Interruption, Phase, ReadBuffer, TransportError};
use crate::keepalive::NEVER;
use crate::{Connection, Role};

/// The one thing to do next for an [`Endpoint`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "every driver has to do each of them")]
#[must_use]
pub enum Step {
    /// A request has arrived: [`accept`](Endpoint::accept) it, or [take](Endpoint::take_request) and answer it.
    Request,
    /// The response has arrived: [take](Endpoint::take_response) it.
    Response,
    /// There may be events: take them from [`events`](Endpoint::events), until there are no more.
    Event,
    /// Write [`output`](Endpoint::output), and report with [`written`](Endpoint::written) how much was accepted.
    Write,
    /// Flush the transport, and report it with [`flushed`](Endpoint::flushed).
    Flush,
    /// Read into [`read_space`](Endpoint::read_space), and report with [`received`](Endpoint::received) how many bytes
    /// were read.
    Read,
    /// Shut down writing (a FIN on TCP, `close_notify` in TLS, the end of a stream in HTTP/2 and HTTP/3), and report it
    /// with [`shut_down`](Endpoint::shut_down).
    Shutdown,
    /// Nothing can be done now: wait for the transport, or for the [`deadline`](Endpoint::deadline), then call
    /// [`ready`](Endpoint::ready).
    Wait(Interest),
    /// The transport may be dropped: [`end`](Endpoint::end) has the reason.
    Done,
}

/// What to wait for on a transport.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "all combinations of the two")]
pub enum Interest {
    /// Nothing: the endpoint waits for its caller, or for the deadline.
    Nothing,
    /// Wait until it has something to read.
    Readable,
    /// Wait until it accepts output.
    Writable,
    /// Wait until it has something to read or accepts output.
    Both,
}

impl Endpoint {
    /// Returns the next thing to do. `now` is the time since the origin chosen when the endpoint was created.
    ///
    /// Events come before output, and output before input, so that nothing is lost and neither side waits for the
    /// other.
    #[inline]
    pub fn step(&mut self, now: Duration) -> Step {
        self.flow.advance(now);
        match self.usual_step() {
            Some(step) => step,
            None => self.any_step(),
        }
    }

    /// Returns the next step of an open connection with nothing to write, flush or time: what nearly every read begins and ends
    /// with. Inlined, so that a driver goes to what it does for the step without a call and a second look at it. `None` leaves
    /// everything else to [`any_step`](Self::any_step), which would find the same.
    #[inline]
    fn usual_step(&mut self) -> Option<Step> {
        let is_flushed = self.flow.writing == Writing::Ready && !self.has_output();
        if !is_flushed || !self.phase.is_open() || !self.flow.is_calm() {
            return None;
        }
        match self.has_events() {
            true => Some(Step::Event),
            false => (self.flow.reading == Reading::Ready).then_some(Step::Read),
        }
    }

    #[inline(never)]
    fn any_step(&mut self) -> Step {
        self.do_at_this_time(true);
        if let Some(step) = self.step_outside_connection() {
            return step;
        }
        if self.has_events() {
            return Step::Event;
        }
        if let Some(step) = self.output_step() {
            return step;
        }
        if self.flow.reading == Reading::Ready && self.wants_to_read() {
            return Step::Read;
        }
        self.step_without_input()
    }

    /// The next thing to do when there is nothing to write, and nothing to read now. Not inlined, so that the other steps need few
    /// registers.
    #[inline(never)]
    fn step_without_input(&mut self) -> Step {
        if self.is_over() {
            self.finish(None);
            return Step::Done;
        }
        Step::Wait(self.interest())
    }

    /// Returns the next thing to do to get the output written and flushed, even while events wait: for callers that
    /// wait to send, and for the half of a split transport that only writes.
    ///
    /// [`Write`](Step::Write) and [`Flush`](Step::Flush) have to be carried out, [`Wait`](Step::Wait) means that the
    /// transport accepts nothing, and [`Done`](Step::Done) that the transport has failed or the endpoint has ended.
    /// `None`: all output is written and flushed.
    ///
    /// `Flush` is only returned once all output is written. After it has been [carried out](Self::flushed), a driver need not ask
    /// for another step.
    ///
    /// ```
    /// use std::time::Duration;
    /// use websocket_proto::endpoint::{Endpoint, EndpointConfig, Step};
    /// use websocket_proto::{Config, Connection};
    ///
    /// let frames = b"\x81\x85\0\0\0\0Hello";
    /// let connection = Connection::server(&Config::new());
    /// let mut endpoint = Endpoint::from_connection(&EndpointConfig::new(), connection, frames, Duration::ZERO);
    /// let (now, mut transport) = (Duration::ZERO, Vec::new());
    /// endpoint.sender().send_text("Bye")?;
    /// assert_eq!(endpoint.step(now), Step::Event); // and so again until the event is taken
    /// while let Some(step) = endpoint.flush_step(now) {
    ///     match step {
    ///         Step::Write => {
    ///             transport.extend_from_slice(endpoint.output());
    ///             endpoint.written(endpoint.output().len());
    ///         }
    ///         Step::Flush => endpoint.flushed(),
    ///         _ => break, // wait for the transport, or give up
    ///     }
    /// }
    /// assert_eq!(transport, b"\x81\x03Bye");
    /// # Ok::<(), websocket_proto::endpoint::SendError>(())
    /// ```
    pub fn flush_step(&mut self, now: Duration) -> Option<Step> {
        self.flow.advance(now);
        self.do_at_this_time(false);
        let Flow { writing, .. } = self.flow;
        if writing == Writing::Failed || self.end().is_some() {
            return Some(Step::Done);
        }
        let is_empty = !self.has_output();
        if writing == Writing::ShutDown || writing.is_flushed() && is_empty {
            return None;
        }
        self.unfinished_output_step(is_empty)
            .or(Some(Step::Wait(Interest::Writable)))
    }

    /// Does what is due at the time of this step. `reads` says whether the transport can be read in the step.
    #[inline]
    fn do_at_this_time(&mut self, reads: bool) {
        // What follows would find nothing, and take longer.
        if !self.phase.is_open() || !self.flow.is_calm() {
            self.do_what_changes_with_time(reads);
        }
    }

    /// Returns the space to read into, which is never empty: in the read buffer, or in a large message that is being
    /// received, which is then not copied.
    #[inline]
    pub fn read_space(&mut self) -> &mut [u8] {
        let Self {
            phase, flow, buffers, ..
        } = self;
        let read = &mut Buffers::of(buffers, &flow.limits).read;
        let Some(connection) = phase.connection() else {
            return read.space(0);
        };
        let remaining = connection.payload_remaining();
        if read.is_empty() && remaining >= read.max_read_size() as u64 / 2 {
            if let Some(space) = connection.payload_space(read.max_read_size()) {
                return space;
            }
        }
        read.space(remaining)
    }

    /// Records that the transport read `size` bytes into [`read_space`](Self::read_space). 0 means the end of the
    /// transport, as for `Read::read`.
    #[inline]
    pub fn received(&mut self, size: usize) {
        if self.flow.reading == Reading::Ended {
            return;
        }
        let read = &mut Buffers::of(&mut self.buffers, &self.flow.limits).read;
        match self.phase.connection() {
            Some(connection) if connection.awaits_payload() => connection.payload_filled(size),
            _ => read.filled(size),
        }
        self.has_received(size);
    }

    /// Copies bytes that the transport read into another buffer, instead of [`read_space`](Self::read_space) and
    /// [`received`](Self::received). An empty slice means the end of the transport.
    ///
    /// For drivers whose reads run while the endpoint is in use, in another thread or in the kernel: call
    /// [`read_blocked`](Self::read_blocked) when a read starts, and this method when it is complete. Frames that arrive
    /// before the caller has taken and answered the request, or has taken the response, are the first events of the connection.
    /// Bytes after the end of the transport are ignored.
    ///
    /// The endpoint keeps the bytes until their events are taken. To bound that memory, start a read only for
    /// [`Step::Read`].
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.flow.reading == Reading::Ended {
            return;
        }
        if let Some(connection) = self.phase.connection() {
            // What is read next is behind these bytes in the buffer, not in the space of a message that was lent before.
            connection.payload_filled(0);
        }
        self.buffers().read.extend(bytes);
        self.has_received(bytes.len());
    }

    #[inline]
    fn has_received(&mut self, size: usize) {
        self.flow.has_input = true;
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

    /// Records that the transport has nothing to read.
    pub fn read_blocked(&mut self) {
        if self.flow.reading == Reading::Ready {
            self.flow.reading = Reading::Blocked;
            self.shrink();
        }
    }

    /// Frees the memory of a large message once nothing follows it.
    fn shrink(&mut self) {
        if let Some(buffers) = &mut self.buffers {
            buffers.read.shrink();
        }
    }

    /// Returns the bytes that wait to be written.
    #[inline]
    pub fn output(&self) -> &[u8] {
        self.buffers
            .as_ref()
            .map_or(&[], |buffers| buffers.output.waiting())
    }

    /// Records that the transport accepted the first `size` bytes of [`output`](Self::output).
    pub fn written(&mut self, size: usize) {
        let Some(Buffers { output, .. }) = self.buffers.as_deref_mut() else {
            return;
        };
        let size = size.min(output.len());
        output.written(size);
        self.flow.wrote(size, output.len());
    }

    /// Records that the transport accepts no output now, or that it could not be flushed or shut down completely.
    pub fn write_blocked(&mut self) {
        self.flow.write_blocked();
    }

    /// Records that everything written is flushed.
    ///
    /// If something was written while the flush was under way, it may still wait in the transport: do not report that flush, but
    /// flush once more. Otherwise a Close that was not flushed would count as sent, and no other step would flush it.
    pub fn flushed(&mut self) {
        if let Writing::Unflushed | Writing::UnflushedBlocked = self.flow.writing {
            self.flow.writing = Writing::Ready;
            self.flow.progress_due = NEVER;
            self.buffers().output.flushed();
        }
    }

    /// Records that writing is shut down.
    pub fn shut_down(&mut self) {
        if self.flow.writing != Writing::Failed {
            self.flow.writing = Writing::ShutDown;
            self.flow.linger();
        }
    }

    /// Records that the transport may be ready again after it was blocked, or that the deadline has passed.
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

    /// Records that the transport could not be read. The endpoint ends; events received before are still returned.
    pub fn read_failed(&mut self, error: impl Into<TransportError>) {
        self.give_up(Interruption::Transport(error.into()));
    }

    /// Ends both directions of the transport: nothing more is read or sent.
    pub(super) fn give_up(&mut self, reason: Interruption) {
        self.flow.fail(reason);
        self.stop_sending();
        self.received(0);
    }

    /// Records that the transport could not be written to, flushed or shut down. Nothing more is written; the endpoint
    /// still reads for a while, because the peer's Close may already be there.
    pub fn write_failed(&mut self, error: impl Into<TransportError>) {
        self.flow.fail_writing(error.into());
        self.stop_sending();
    }

    /// Drops the output, and refuses what the caller sends from now on.
    pub(super) fn stop_sending(&mut self) {
        if let Some(connection) = self.phase.connection() {
            connection.stop_sending();
        }
        if let Some(buffers) = &mut self.buffers {
            buffers.output.drop_waiting();
        }
    }

    /// Ends the endpoint now, and frees its memory.
    pub(super) fn finish(&mut self, interruption: Option<Interruption>) {
        let failure = self.flow.failure.take().map(|reason| *reason);
        let unwritten = self.buffers.as_ref().map(|buffers| &buffers.output);
        self.phase.end(failure.or(interruption), unwritten);
        self.buffers = None;
        self.flow.reading = Reading::Ended;
        self.flow.has_input = false;
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
        if self.flow.has_input {
            self.flow.has_input = false;
            let Buffers { read, output } = Buffers::of(&mut self.buffers, &self.flow.limits);
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

    /// Returns whether [`events`](Self::events) may return an event. Input that ends inside a message yields none, and is
    /// received here.
    #[inline]
    fn has_events(&mut self) -> bool {
        let Self { phase, flow, buffers } = self;
        let (true, Phase::Open(connection)) = (flow.has_input, phase) else {
            return false;
        };
        // Created for the end of a transport on which nothing was received.
        let Buffers { read, output } = Buffers::of(buffers, &flow.limits);
        if output.is_full(Cause::Event) {
            return false;
        }
        if flow.reading == Reading::Ready && connection.may_end_inside_message(read.len()) {
            flow.has_input = !receive_inside_message(connection, read);
        }
        flow.has_input
    }

    /// Returns whether so many replies wait that nothing is read.
    fn is_full(&self) -> bool {
        let buffers = self.buffers.as_ref();
        buffers.is_some_and(|buffers| buffers.output.is_full(Cause::Event))
    }

    #[inline]
    pub(super) fn has_output(&self) -> bool {
        let buffers = self.buffers.as_ref();
        buffers.is_some_and(|buffers| !buffers.output.is_empty())
    }

    #[inline]
    fn output_step(&mut self) -> Option<Step> {
        let is_empty = !self.has_output();
        if is_empty && self.flow.writing.is_flushed() && !self.phase.is_finishing() {
            self.flow.progress_due = NEVER;
            return None;
        }
        self.unfinished_output_step(is_empty)
    }

    /// The next thing to do for output that is not written and flushed, or to shut down writing.
    #[inline(never)]
    fn unfinished_output_step(&mut self, is_empty: bool) -> Option<Step> {
        let Flow { writing, .. } = self.flow;
        if writing.has_ended() {
            return None;
        }
        if self.flow.progress_due == NEVER {
            self.flow.progress_due = self.flow.after(self.flow.limits.write_timeout);
        }
        if writing.is_blocked() {
            return None;
        }
        Some(match is_empty {
            false => Step::Write,
            true if writing.is_flushed() => Step::Shutdown,
            true => Step::Flush,
        })
    }

    /// Returns whether to read: the peer's bytes, or its end.
    pub(super) fn wants_to_read(&self) -> bool {
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

    /// Returns whether both directions of the transport have ended.
    fn is_over(&self) -> bool {
        self.flow.writing.has_ended() && self.flow.reading == Reading::Ended
    }

    fn interest(&self) -> Interest {
        let reads = self.wants_to_read();
        let writes = self.flow.writing.is_blocked() && self.flow.progress_due != NEVER;
        match (reads, writes) {
            (false, false) => Interest::Nothing,
            (true, false) => Interest::Readable,
            (false, true) => Interest::Writable,
            (true, true) => Interest::Both,
        }
    }
}

/// Receives input that ends inside a message. Returns whether it did. Not inlined, so that a driver has the fields of no `Lent`
/// in memory.
#[inline(never)]
fn receive_inside_message(connection: &mut Connection, read: &mut ReadBuffer) -> bool {
    connection.take_inside_message(&mut read.lend().input)
}
