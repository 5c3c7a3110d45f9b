//! The events of an endpoint, and handles to answer them.

use core::fmt;

use super::flow::{Flow, Reading};
use super::output::Output;
use super::read_buffer::Lent;
use super::sender::Cause;
use super::{Buffers, Endpoint, Phase, Sender};
use crate::{Connection, Error, Event};

/// The events that an [`Endpoint`] has received. [`Endpoint::events`] returns it.
///
/// Events borrow from the endpoint, not from this value, so several of them can be held at once.
///
/// When this value is dropped, the events that were not taken stay in the endpoint. If it is leaked, by [`core::mem::forget`] for
/// example, they are lost.
///
/// ```
/// use std::time::Duration;
/// use websocket_proto::endpoint::{Endpoint, EndpointConfig, Step};
/// use websocket_proto::{Config, Connection, Event, entropy};
///
/// let connection = Connection::client(&Config::new(), entropy::from_fn(|key| key.fill(7)));
/// let mut endpoint = Endpoint::from_connection(&EndpointConfig::new(), connection, b"\x81\x03one\x81\x03two", Duration::ZERO);
/// assert_eq!(endpoint.step(Duration::ZERO), Step::Event);
/// let (mut events, mut batch) = (endpoint.events(), Vec::new());
/// while let Some((event, _)) = events.next() {
///     batch.push(event);
/// }
/// assert!(matches!(&batch[..], [Event::Text(one), Event::Text(two)] if one == "one" && two == "two")); // not copied
/// ```
pub struct Events<'e> {
    /// `None` unless there is a connection with buffers.
    open: Option<Open<'e>>,
}

/// What receives events, and what they are answered with. Nothing here takes the address of this or of [`Events`] out of an
/// inlined function, so that their fields are in registers.
struct Open<'e> {
    unread: Lent<'e>,
    connection: &'e mut Connection,
    output: &'e mut Output,
    flow: &'e mut Flow,
    /// Whether the next frame may be a message that is returned as a whole: looked at once for many messages.
    takes_whole_messages: bool,
}

impl Endpoint {
    /// Returns the events that have arrived, each with a handle to send with while it is held. Call
    /// [`next`](Events::next) until it returns `None`.
    #[inline]
    pub fn events(&mut self) -> Events<'_> {
        Events {
            open: self.open_events(),
        }
    }

    #[inline]
    fn open_events(&mut self) -> Option<Open<'_>> {
        let Self { phase, flow, buffers } = self;
        let Phase::Open(connection) = phase else {
            return None;
        };
        let Buffers { read, output } = &mut **buffers.as_mut()?;
        output.begin_replies();
        Some(Open {
            takes_whole_messages: connection.takes_whole_messages(),
            unread: read.lend(),
            connection,
            output,
            flow,
        })
    }

    /// Returns the next of the [`events`](Self::events), for callers that take one at a time. In a loop, `events` takes
    /// less time per event.
    #[inline]
    pub fn next_event(&mut self) -> Option<(Event<'_>, Sender<'_>)> {
        let mut open = self.open_events()?;
        let event = open.next()?;
        Some((event, Sender::for_event(open.connection, open.output, open.flow)))
    }
}

impl<'e> Events<'e> {
    /// Returns the next event, with a handle to send with while the event is held. `None`: all events have been
    /// returned, or so much output waits that it has to be written first.
    ///
    /// After the peer breaks a rule there are no more events; the Close that says so is in the output, and [`End`](super::End)
    /// has the error.
    #[inline(always)]
    #[allow(clippy::should_implement_trait, reason = "an iterator cannot lend a sender")]
    pub fn next(&mut self) -> Option<(Event<'e>, Sender<'_>)> {
        let open = self.open.as_mut()?;
        let event = open.next()?;
        Some((event, Sender::for_event(open.connection, open.output, open.flow)))
    }
}

impl<'e> Open<'e> {
    #[inline(always)]
    fn next(&mut self) -> Option<Event<'e>> {
        let Self {
            unread: Lent { input, .. },
            connection,
            output,
            flow,
            takes_whole_messages,
        } = self;
        if output.is_full(Cause::Event) {
            return None;
        }
        if *takes_whole_messages {
            if let Some(message) = connection.take_next_whole_message(input) {
                return Some(message);
            }
        }
        // Nearly every read ends so.
        if input.is_empty() && flow.reading != Reading::Ended && connection.needs_input() {
            flow.has_input = false;
            return None;
        }
        // A copy, so that the address of the original is not taken.
        let mut rest = core::mem::take(input);
        let received = connection.receive_any(&mut rest, flow.limits.max_read_size() as u64, output.buffer());
        *input = rest;
        *takes_whole_messages = connection.takes_whole_messages();
        match received {
            Ok(Some(Event::Ping(_))) => {
                output.appended(Cause::Event);
                received.ok().flatten()
            }
            Ok(Some(Event::Pong(_) | Event::Close(_))) | Err(_) => {
                record(&received, connection, output, flow);
                received.ok().flatten()
            }
            Ok(None) if flow.reading == Reading::Ended => {
                record(&received, connection, output, flow);
                None
            }
            Ok(event) => {
                flow.has_input = event.is_some();
                event
            }
        }
    }
}

/// Records what was received and is not a message or a Ping, and whether the last reply is a Close. Takes the parts of [`Open`], so
/// that they are in registers.
#[inline(never)]
fn record(
    received: &Result<Option<Event<'_>>, Error>,
    connection: &mut Connection,
    output: &mut Output,
    flow: &mut Flow,
) {
    flow.has_input = matches!(received, Ok(Some(_)));
    match received {
        Ok(Some(Event::Pong(payload))) => _ = flow.keepalive.record_pong(payload, flow.now()),
        // A Close or an error is replied to with a Close and nothing else.
        Ok(Some(Event::Close(_))) | Err(_) if output.has_new() => output.ends_with_close(),
        Ok(_) | Err(_) => {}
    }
    output.appended(Cause::Event);
    if let (Ok(None) | Err(_), Reading::Ended) = (received, flow.reading) {
        connection.receive_eof();
    }
}

/// Does not show what the peer sent.
impl fmt::Debug for Events<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field(
                "unread",
                &self.open.as_ref().map_or(0, |open| open.unread.input.len()),
            )
            .finish_non_exhaustive()
    }
}
