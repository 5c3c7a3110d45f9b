//! Decompression: the payload of compressed messages in, their content out.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{fmt, mem};

use super::history::History;
use super::inflater::{Inflater, MAX_CREDIT, Stop};
use super::{InflateError, Window, pool};
use crate::growth::{growth, max_additional};

/// Inflates the compressed messages of one direction (RFC 7692 section 7.2.2).
///
/// Between messages it holds the last bytes that it inflated, up to the negotiated window, or nothing without context
/// takeover. All other memory for inflating exists only inside a compressed message.
///
/// The output is a complete message only after [`finish`](Self::finish) has succeeded. After an error, which is the
/// sender's fault, the direction has failed: every call returns the error again.
///
/// ```
/// use websocket_proto::deflate::{Decompressor, InflateError, Window};
///
/// let mut decompressor = Decompressor::new(Window::default());
/// let mut text = String::new();
/// for fragment in [&b"\xf2\x48\xcd"[..], b"\xc9\xc9\x07\x00"] {
///     decompressor.push(fragment, 1024, |chunk| {
///         text.push_str(std::str::from_utf8(chunk).unwrap());
///         Ok::<(), InflateError>(())
///     })?;
/// }
/// decompressor.finish()?;
/// assert_eq!(text, "Hello");
///
/// // The next message refers to the last one.
/// let mut out = Vec::new();
/// decompressor.decompress(b"\xf2\x00\x11\x00\x00", 1024, &mut out)?;
/// assert_eq!(out, b"Hello");
/// # Ok::<(), InflateError>(())
/// ```
pub struct Decompressor {
    history: History,
    takeover: bool,
    state: State,
    /// What the final blocks of the next message may cost.
    credit: u64,
}

enum State {
    Idle,
    /// Exists inside a message, from its first byte on.
    Inside(Box<Inflater>),
    Failed(InflateError),
}

impl Decompressor {
    /// Creates a decompressor for a direction with the negotiated window,
    /// [`Parameters::sender_window`](super::Parameters::sender_window) of the peer's role. Allocates nothing.
    pub const fn new(window: Window) -> Self {
        Self {
            history: History::new(window.size()),
            takeover: window.has_context_takeover(),
            state: State::Idle,
            credit: MAX_CREDIT,
        }
    }

    /// Inflates more of a message: payload, unmasked, in order, split anywhere. `sink` receives the output in chunks of
    /// at most 16 KiB, which are never empty.
    ///
    /// `limit` is the largest size that the whole message may inflate to. The sink never receives more, and at most one
    /// chunk is inflated needlessly. Work and memory are linear in the bytes of input and output.
    ///
    /// # Errors
    ///
    /// An [`InflateError`] if the data are invalid; or the error that `sink` returned, which ends the message as well.
    pub fn push<E: From<InflateError>>(
        &mut self,
        compressed: &[u8],
        limit: u64,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some((message, history)) = self.message(compressed)? else {
            return Ok(());
        };
        match message.inflate(history, compressed, limit, &mut sink) {
            Ok(()) => Ok(()),
            Err(Stop::Inflate(error)) => Err(self.fail(error).into()),
            Err(Stop::Sink(error)) => {
                self.fail(InflateError::Refused);
                Err(error)
            }
        }
    }

    /// Inflates the next chunk of a message, at most 16 KiB, and moves `compressed` forward over what was consumed.
    /// `None`: `compressed` was fully consumed and produces no more output. Pass unconsumed input again.
    ///
    /// This is [`push`](Self::push) for callers that want one chunk at a time.
    ///
    /// # Errors
    ///
    /// An [`InflateError`] if the data are invalid, after all output before the error has been returned.
    pub fn pull(&mut self, compressed: &mut &[u8], limit: u64) -> Result<Option<&[u8]>, InflateError> {
        let Some((message, history)) = self.message(compressed)? else {
            return Ok(None);
        };
        match message.next_chunk(history, compressed, limit) {
            Ok(0) => Ok(None),
            Ok(size) => Ok(self.inside().map(|message| message.output(size))),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Returns the message that `compressed` continues or begins. `None`: no byte of it has arrived.
    fn message(&mut self, compressed: &[u8]) -> Result<Option<(&mut Inflater, &mut History)>, InflateError> {
        loop {
            match self.state {
                State::Idle if compressed.is_empty() => return Ok(None),
                State::Idle => {
                    let message =
                        Inflater::begin(pool::take(), &mut self.history, self.takeover, self.credit);
                    self.state = State::Inside(message);
                }
                State::Inside(ref mut message) => return Ok(Some((message, &mut self.history))),
                State::Failed(error) => return Err(error),
            }
        }
    }

    fn inside(&self) -> Option<&Inflater> {
        match &self.state {
            State::Inside(message) => Some(message),
            State::Idle | State::Failed(_) => None,
        }
    }

    /// Ends a message, at the end of its last frame. A message without payload is an empty one.
    ///
    /// # Errors
    ///
    /// [`InflateError::Truncated`] if the data do not end where a message can end.
    pub fn finish(&mut self) -> Result<(), InflateError> {
        let mut message = match mem::replace(&mut self.state, State::Idle) {
            // An empty payload is not DEFLATE data: there is nothing to inflate, and nothing the next message could refer to.
            State::Idle => return Ok(()),
            State::Inside(message) => message,
            State::Failed(error) => return Err(self.fail(error)),
        };
        let complete = message.is_complete();
        self.credit = message.credit_for_the_next();
        pool::give(message.end(&mut self.history, self.takeover));
        match complete {
            true => Ok(()),
            false => Err(self.fail(InflateError::Truncated)),
        }
    }

    /// Inflates a complete message, and appends it to `out`. After an error `out` is unchanged.
    ///
    /// # Errors
    ///
    /// Same as [`push`](Self::push) and [`finish`](Self::finish).
    pub fn decompress(
        &mut self,
        compressed: &[u8],
        limit: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), InflateError> {
        let start = out.len();
        let limit = max_additional(start, limit);
        let end = limit.saturating_add(start as u64);
        let sink = |chunk: &[u8]| {
            out.reserve_exact(growth(out.len(), out.capacity(), chunk.len(), end));
            out.extend_from_slice(chunk);
            Ok(())
        };
        let result = self.push(compressed, limit, sink).and_then(|()| self.finish());
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// Returns whether the payload so far produces no more output: [`pull`](Self::pull) needs more payload.
    pub fn is_drained(&self) -> bool {
        self.inside().is_none_or(Inflater::is_drained)
    }

    /// Returns whether a message has begun and is not finished.
    pub const fn is_inside_message(&self) -> bool {
        matches!(self.state, State::Inside(_))
    }

    /// Frees all memory, because nothing more will be inflated.
    #[cold]
    fn fail(&mut self, error: InflateError) -> InflateError {
        self.state = State::Failed(error);
        self.history.take();
        error
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = match &self.state {
            State::Failed(error) => Some(error),
            State::Idle | State::Inside(_) => None,
        };
        f.debug_struct("Decompressor")
            .field("takeover", &self.takeover)
            .field("is_inside_message", &self.is_inside_message())
            .field("failed", &failed)
            .finish_non_exhaustive()
    }
}
