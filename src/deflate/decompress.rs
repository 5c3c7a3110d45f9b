//! Inflating: the payload of compressed messages in, their content out.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{fmt, mem};

use super::history::History;
use super::inflater::{Inflater, MAX_CREDIT, Stop};
use super::{InflateError, Window, pool};
use crate::growth::{growth, max_additional};

/// Inflates the compressed messages of one direction (RFC 7692 section 7.2.2).
///
/// Between messages it holds the end of what it inflated, at most the agreed window, and nothing at all
/// without context takeover. What else inflating takes exists inside a compressed message only.
///
/// What comes out of it is a message only once [`finish`](Self::finish) says so. After an error, which is the
/// sender's fault, the direction is lost: every call returns the error again.
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
    /// For the final blocks of the next message.
    credit: u64,
}

enum State {
    Idle,
    /// Inside a message, from its first byte on.
    Inside(Box<Inflater>),
    Failed(InflateError),
}

impl Decompressor {
    /// For a direction with the agreed window: that of the peer's
    /// [`Parameters::sender_window`](super::Parameters::sender_window). Allocates nothing.
    pub const fn new(window: Window) -> Self {
        Self {
            history: History::new(window.size()),
            takeover: window.has_context_takeover(),
            state: State::Idle,
            credit: MAX_CREDIT,
        }
    }

    /// Inflates more of a message: payload, unmasked, in order, split anywhere. `sink` gets the output, in
    /// chunks of at most 16 KiB, never an empty one.
    ///
    /// `limit` is the most that the whole message may inflate to. The sink never gets more, and at most one chunk is
    /// inflated needlessly. Work and memory follow the bytes that go in and come out.
    ///
    /// # Errors
    ///
    /// What is wrong with the data, [`InflateError`]; or what `sink` returned, which ends the message as well.
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

    /// Inflates the next chunk of a message, at most 16 KiB, and moves `compressed` forward over what was taken for it.
    /// `None`: `compressed` was fully consumed and produces no more output. Pass unconsumed input again.
    ///
    /// This is [`push`](Self::push) for callers that want one chunk at a time.
    ///
    /// # Errors
    ///
    /// What is wrong with the data, once all that is right has been given out.
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

    /// The message that `compressed` goes on with or begins. `None`: there is none, as nothing of it has come.
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

    /// Ends a message, at the end of its last frame. A message without a byte of payload is an empty one.
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

    /// Inflates a whole message, and appends it to `out`. After an error `out` is as it was.
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

    /// Whether nothing more comes of what was given: [`pull`](Self::pull) needs more payload.
    pub fn is_drained(&self) -> bool {
        self.inside().is_none_or(Inflater::is_drained)
    }

    /// Whether a message has begun and is not finished.
    pub const fn is_inside_message(&self) -> bool {
        matches!(self.state, State::Inside(_))
    }

    /// Nothing more will be inflated, so all memory is given back.
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
