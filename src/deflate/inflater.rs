//! Inflating one message.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::c_ulong;
use core::panic::UnwindSafe;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::history::History;
use super::{InflateError, TAIL};

/// The most that comes out at a time.
///
/// Inflating straight into the caller's memory would save a copy, but the memory would have to be zeroed
/// first. Measured on 64 KiB of JSON it takes as long, 27 microseconds, as the copy comes from the cache; and
/// the caller can look at what comes before it is stored. Buffers of 8 KiB take a quarter longer, as the
/// engine is slow at their ends; larger ones gain nothing.
const SCRATCH: usize = 16 * 1024;

/// What it costs to go on after a final block, in bytes that are inflated in the time: a reset, and a copy of the
/// history, for what follows may refer to what came before. Measured with full windows of 9, 12 and 15 bits, it took
/// the time of 80, 125 and 1,130 bytes of JSON and their payload.
const fn cost_of_final_block(history: usize) -> u64 {
    (history as u64 / 32).saturating_add(64)
}

/// What final blocks may cost beyond the bytes that the message has, to begin with and at most: 16 of them with the
/// largest history, 272 with none. Senders end a message with one, or each fragment.
pub(super) const MAX_CREDIT: u64 = 16 * cost_of_final_block(1 << 15);

/// So much is credited again with each message, which copies the history itself.
const CREDIT_PER_MESSAGE: u64 = 2 * cost_of_final_block(1 << 15);

/// A message may have so many bytes of payload that produce nothing, and so many more for each byte that comes out.
///
/// Blocks can be empty, so without a limit a message that produces nothing could go on indefinitely. Senders that flush
/// more often than they need stay below it: a byte alone takes 7 bytes of payload, a block with a code of its own
/// choice and the empty block of the flush, or 11 where both are stored blocks; an empty fragment that is flushed takes
/// 5, so that 13,000 of them are free. `senders_that_flush_each_byte_are_below_the_limit` has the figures.
const FREE_PAYLOAD: u64 = 64 * 1024;
const PAYLOAD_PER_BYTE: u64 = 16;

/// The most that the engine may count. zlib-rs 0.6.8 adds up what goes into a stream in a `c_ulong`, which has 32 bits on
/// Windows and on targets of 32 bits, and lets the sum overflow. What comes out is in another one, which wraps around;
/// it is not relied on that it will.
#[allow(clippy::unnecessary_cast, reason = "it has 64 bits here")]
const MAX_COUNT: u64 = match cfg!(test) {
    false => c_ulong::MAX as u64,
    true => 1 << 20,
};

/// One byte more is asked for, to see whether it comes.
const MAX_CONTENT: u64 = MAX_COUNT - 1;

/// The end of a message is found out with up to 12 bytes more.
const MAX_PAYLOAD: u64 = MAX_COUNT - 12;

/// What is needed inside a message.
///
/// zlib's streams end with a final block, and tell nothing of whether they stand between blocks; messages go
/// on after a final block, and have to end at a certain point between blocks. So a stream serves for one
/// message at most, and the history that outlives it is kept beside it. This leaves one free to find out
/// where a message ends by spoiling its stream.
pub(super) struct Inflater {
    inflate: Inflate,
    scratch: Box<[u8]>,
    /// Memory for the history of a message without context takeover.
    spare: Vec<u8>,
    /// The last bytes of the payload.
    last: [u8; 4],
    consumed: u64,
    produced: u64,
    /// Those that the message went on after.
    final_blocks: u64,
    /// What they cost.
    cost: u64,
    credit: u64,
    flow: Flow,
}

/// The engine's pointers alone would keep it from this, and with it a connection's receive half, which has it without
/// the feature `deflate`.
impl UnwindSafe for Inflater {}

/// The engine's position in the payload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flow {
    /// It has put out all that came of what it was given.
    Drained,
    /// It may have more to put out.
    Full,
    /// The last thing in the payload was the end of a final block.
    Ended,
    /// What is right has gone out before this.
    Stopped(InflateError),
}

/// Why a message stops before its end.
pub(super) enum Stop<E> {
    Inflate(InflateError),
    Sink(E),
}

/// One call of the engine.
struct Step {
    consumed: usize,
    produced: usize,
    status: Result<Status, ()>,
}

impl Inflater {
    /// Begins a message, with an engine that was used before if there is one.
    pub(super) fn begin(
        used: Option<Box<Self>>,
        history: &mut History,
        takeover: bool,
        credit: u64,
    ) -> Box<Self> {
        let mut inflater = match used {
            Some(mut inflater) => {
                inflater.inflate.reset(false);
                inflater
            }
            None => Box::new(Self {
                inflate: Inflate::new(false, 15),
                scratch: vec![0; SCRATCH].into_boxed_slice(),
                spare: Vec::new(),
                last: [0xff; 4],
                consumed: 0,
                produced: 0,
                final_blocks: 0,
                cost: 0,
                credit,
                flow: Flow::Drained,
            }),
        };
        inflater.last = [0xff; 4];
        inflater.consumed = 0;
        inflater.produced = 0;
        inflater.final_blocks = 0;
        inflater.cost = 0;
        inflater.credit = credit;
        inflater.flow = Flow::Drained;
        if !takeover {
            history.lend(core::mem::take(&mut inflater.spare));
        }
        inflater.prime(history);
        inflater
    }

    /// Leaves the history behind where there is takeover, and returns the engine for another message.
    pub(super) fn end(mut self: Box<Self>, history: &mut History, takeover: bool) -> Box<Self> {
        if !takeover {
            self.spare = history.take();
        }
        self
    }

    /// The engine sees the history as what it inflated last.
    fn prime(&mut self, history: &History) {
        for part in history.parts() {
            if !part.is_empty() {
                // A raw stream takes any history at any time. If it did not, references to it would be errors.
                let primed = self.inflate.set_dictionary(part);
                debug_assert!(primed.is_ok());
            }
        }
    }

    pub(super) fn inflate<E>(
        &mut self,
        history: &mut History,
        mut compressed: &[u8],
        limit: u64,
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), Stop<E>> {
        loop {
            let size = self
                .next_chunk(history, &mut compressed, limit)
                .map_err(Stop::Inflate)?;
            if size == 0 {
                return Ok(());
            }
            sink(self.output(size)).map_err(Stop::Sink)?;
        }
    }

    /// Inflates the next chunk, from what the engine has and from the front of `compressed`, and tells the size of what
    /// is then in [`output`](Self::output). 0: all of `compressed` is taken, and nothing more comes of it.
    pub(super) fn next_chunk(
        &mut self,
        history: &mut History,
        compressed: &mut &[u8],
        limit: u64,
    ) -> Result<usize, InflateError> {
        loop {
            match self.flow {
                Flow::Drained | Flow::Ended if compressed.is_empty() => return Ok(0),
                Flow::Stopped(error) => return Err(error),
                Flow::Drained | Flow::Ended if self.consumed >= self.max_payload() => {
                    return Err(InflateError::Overlong {
                        limit: self.max_payload(),
                    });
                }
                Flow::Ended => self.go_on_after_final_block(history)?,
                Flow::Drained | Flow::Full => {}
            }
            let size = self.advance(compressed, limit)?;
            if size > 0 {
                history.extend(self.output(size));
                return Ok(size);
            }
        }
    }

    pub(super) fn output(&self, size: usize) -> &[u8] {
        self.scratch.get(..size).unwrap_or_default()
    }

    /// Calls the engine once, and tells how many bytes it put out that are within the limit.
    fn advance(&mut self, compressed: &mut &[u8], limit: u64) -> Result<usize, InflateError> {
        let limit = limit.min(MAX_CONTENT);
        let left = limit.saturating_sub(self.produced);
        // Room for one byte more than the limit shows whether it is exceeded.
        let room = usize::try_from(left).map_or(SCRATCH, |left| left.saturating_add(1).min(SCRATCH));
        // More input is allowed once there is output, so the limit is reached at the same byte however the payload is split.
        let may_go_in = self.max_payload().saturating_sub(self.consumed);
        let given = usize::try_from(may_go_in).map_or(compressed.len(), |size| size.min(compressed.len()));
        let step = self.step(
            compressed.get(..given).unwrap_or_default(),
            room,
            InflateFlush::NoFlush,
        );
        let (taken, rest) = compressed.split_at(step.consumed.min(compressed.len()));
        self.remember_last(taken);
        *compressed = rest;
        self.consumed = self.consumed.saturating_add(step.consumed as u64);
        self.produced = self.produced.saturating_add(step.produced as u64);
        // What is right goes out before the error, so that the first error is the same however the payload is
        // cut.
        let allowed = step.produced.min(usize::try_from(left).unwrap_or(usize::MAX));
        self.flow = match step.status {
            _ if step.produced > allowed => Flow::Stopped(InflateError::TooBig { limit }),
            Ok(Status::StreamEnd) => Flow::Ended,
            Ok(_) if step.consumed == given && step.produced < room => Flow::Drained,
            Ok(Status::Ok) => Flow::Full,
            // No progress, despite room and input, so another call would make none either.
            Ok(Status::BufError) | Err(()) => Flow::Stopped(InflateError::Corrupt),
        };
        Ok(allowed)
    }

    /// How many bytes of payload may go in, with what has come out so far.
    fn max_payload(&self) -> u64 {
        self.produced
            .saturating_mul(PAYLOAD_PER_BYTE)
            .saturating_add(FREE_PAYLOAD)
            .min(MAX_PAYLOAD)
    }

    /// Whether nothing more comes of what was taken.
    pub(super) fn is_drained(&self) -> bool {
        matches!(self.flow, Flow::Drained | Flow::Ended)
    }

    fn remember_last(&mut self, taken: &[u8]) {
        for &byte in taken.iter().skip(taken.len().saturating_sub(self.last.len())) {
            self.last.rotate_left(1);
            self.last[3] = byte;
        }
    }

    /// RFC 7692 section 7.2.3.4: other blocks may follow a final block. The window goes on across it.
    fn go_on_after_final_block(&mut self, history: &History) -> Result<(), InflateError> {
        let cost = self.cost.saturating_add(cost_of_final_block(history.len()));
        if cost > self.paid().saturating_add(self.credit) {
            return Err(InflateError::TooManyFinalBlocks {
                limit: self.final_blocks,
            });
        }
        self.cost = cost;
        self.final_blocks = self.final_blocks.saturating_add(1);
        self.flow = Flow::Drained;
        self.inflate.reset(false);
        self.prime(history);
        Ok(())
    }

    /// What the message pays for by its size.
    fn paid(&self) -> u64 {
        self.consumed.saturating_add(self.produced)
    }

    pub(super) fn credit_for_the_next(&self) -> u64 {
        let taken = self.cost.saturating_sub(self.paid());
        self.credit
            .saturating_sub(taken)
            .saturating_add(CREDIT_PER_MESSAGE)
            .min(MAX_CREDIT)
    }

    /// Whether the payload ends where a message can end. Spoils the stream.
    ///
    /// RFC 7692 section 7.2.1 has the sender flush to an empty stored block, and leave its lengths off, the
    /// last four bytes: the payload stops right before them. With them it has to stop between blocks, and to
    /// give no output, which the lengths would elsewhere, as content or as codes; a byte more, that is left
    /// alone, tells that it did stop there. (Inside the header of a block with codes of its own they could be
    /// made to complete an empty block. Section 7.2.2, which has the lengths put back, takes that too.)
    pub(super) fn is_complete(&mut self) -> bool {
        if self.flow == Flow::Ended {
            return true;
        }
        if self.last != TAIL {
            return self.stops_after(&[0x00, 0x00, 0xff, 0xff], 0x00);
        }
        // A sender that left them on. Then the payload ends between blocks, and whole empty blocks can follow;
        // the first one would end a block that is not complete, or be a final one if a bit was left over.
        let empty_block = [0x00, 0x00, 0x00, 0xff, 0xff];
        self.stops_after(&empty_block, 0x00) && self.stops_after(&empty_block, 0x00)
    }

    /// Whether `bytes` give no output, and end a block right before the byte `next`.
    fn stops_after(&mut self, bytes: &[u8], next: u8) -> bool {
        let mut compressed = [next; 8];
        for (to, &byte) in compressed.iter_mut().zip(bytes) {
            *to = byte;
        }
        let (compressed, _) = compressed.split_at(bytes.len().saturating_add(1).min(compressed.len()));
        let step = self.step(compressed, 1, InflateFlush::Block);
        step.status == Ok(Status::Ok) && step.produced == 0 && step.consumed == bytes.len()
    }

    /// Inflates up to `room` bytes into the scratch buffer.
    fn step(&mut self, compressed: &[u8], room: usize, flush: InflateFlush) -> Step {
        let (consumed, produced) = (self.inflate.total_in(), self.inflate.total_out());
        let (out, _) = self.scratch.split_at_mut(room.min(self.scratch.len()));
        let status = self.inflate.decompress(compressed, out, flush);
        let since = |now: u64, before: u64| usize::try_from(now.saturating_sub(before)).unwrap_or(usize::MAX);
        Step {
            consumed: since(self.inflate.total_in(), consumed),
            produced: since(self.inflate.total_out(), produced),
            status: status.map_err(|_| ()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Decompressor, Window};
    use super::*;
    use crate::deflate::deflater::store;

    /// What the engine counted, what came out, and how it ended.
    fn inflate(compressed: &[u8]) -> ([u64; 2], u64, Result<(), InflateError>) {
        let mut history = History::new(1 << 15);
        let mut inflater = Inflater::begin(None, &mut history, true, 0);
        let mut came = 0;
        let result = inflater.inflate(&mut history, compressed, u64::MAX, &mut |chunk| {
            came += chunk.len() as u64;
            Ok::<(), InflateError>(())
        });
        let result = match result {
            Ok(()) if inflater.is_complete() => Ok(()),
            Ok(()) => Err(InflateError::Truncated),
            Err(Stop::Inflate(error) | Stop::Sink(error)) => Err(error),
        };
        (
            [inflater.inflate.total_in(), inflater.inflate.total_out()],
            came,
            result,
        )
    }

    /// `size` zeros, two symbols for each 258 of them: a fixed block.
    fn zeros(size: u64) -> Vec<u8> {
        let mut compressed = Vec::new();
        super::super::Compressor::new(Window::default(), &super::super::DeflateConfig::new())
            .unwrap()
            .compress(&vec![0; usize::try_from(size).unwrap()], &mut compressed);
        compressed
    }

    // RFC 7692 section 8; D49
    #[test]
    fn the_engine_never_counts_more_than_it_can() {
        let compressed = zeros(MAX_CONTENT);
        let (counts, came, result) = inflate(&compressed);
        assert_eq!((came, result), (MAX_CONTENT, Ok(())));
        assert!(counts.iter().all(|&count| count <= MAX_COUNT), "{counts:?}");
        let (counts, came, result) = inflate(&zeros(2 * MAX_COUNT));
        let error = InflateError::TooBig { limit: MAX_CONTENT };
        assert_eq!((came, result), (MAX_CONTENT, Err(error)));
        assert!(counts.iter().all(|&count| count <= MAX_COUNT), "{counts:?}");
    }

    // RFC 7692 section 8; D49: with all that can be tried to find the end
    #[test]
    fn the_engine_never_counts_more_payload_than_it_can() {
        let mut compressed = Vec::new();
        while (compressed.len() as u64) < MAX_PAYLOAD {
            store(&[7; 1000], &mut compressed);
        }
        let limit = MAX_PAYLOAD;
        let (counts, _, result) = inflate(&compressed);
        assert_eq!(result, Err(InflateError::Overlong { limit }));
        assert!(counts.iter().all(|&count| count <= MAX_COUNT), "{counts:?}");
        // Ended anywhere up to the limit.
        let last = usize::try_from(MAX_PAYLOAD).unwrap();
        for end in last - 40..=last {
            let (counts, _, result) = inflate(&compressed[..end]);
            assert!(
                matches!(result, Ok(()) | Err(InflateError::Truncated)),
                "{result:?}"
            );
            assert!(counts.iter().all(|&count| count <= MAX_COUNT), "{counts:?}");
        }
        let mut decompressor = Decompressor::new(Window::default());
        let pushed = decompressor.push(&compressed, u64::MAX, |_| Ok(()));
        assert_eq!(pushed, Err(InflateError::Overlong { limit }));
        assert_eq!(decompressor.finish(), Err(InflateError::Overlong { limit }));
    }
}
