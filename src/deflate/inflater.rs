//! Inflating one message.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::c_ulong;
use core::panic::UnwindSafe;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::history::History;
use super::{InflateError, TAIL};

/// The largest output at a time.
///
/// Inflating straight into the caller's memory would save a copy, but the memory would have to be zeroed first.
/// Measured on 64 KiB of JSON it takes as long, 27 microseconds, because the copy comes from the cache; and with the
/// copy, the caller can look at the output before it is stored. Buffers of 8 KiB take a quarter longer, because the
/// engine is slow at their ends; larger ones gain nothing.
const SCRATCH: usize = 16 * 1024;

/// The cost of continuing after a final block, in bytes that could be inflated in the same time: a reset, and a copy of
/// the history, which later blocks may refer to. Measured with full windows of 9, 12 and 15 bits, it takes the time of
/// 80, 125 and 1,130 bytes of JSON and their payload.
const fn cost_of_final_block(history: usize) -> u64 {
    (history as u64 / 32).saturating_add(64)
}

/// What final blocks may cost beyond the bytes of the message, initially and at most: 16 of them with the largest
/// history, 272 with none. Senders end a message with one, or each fragment.
pub(super) const MAX_CREDIT: u64 = 16 * cost_of_final_block(1 << 15);

/// What each further message adds to the credit; a message copies the history itself.
const CREDIT_PER_MESSAGE: u64 = 2 * cost_of_final_block(1 << 15);

/// How many bytes of payload a message may have that produce no output. Each byte of output allows further ones.
///
/// Blocks can be empty, so without a limit a message could continue indefinitely without output. Senders that flush
/// more often than needed stay below it: a single byte takes 7 bytes of payload, a block with its own code and the
/// empty block of the flush, or 11 if both are stored blocks; an empty fragment that is flushed takes 5, so that 13,000
/// of them are free. `senders_that_flush_each_byte_are_below_the_limit` has the figures.
const FREE_PAYLOAD: u64 = 64 * 1024;
const PAYLOAD_PER_BYTE: u64 = 16;

/// The largest number that the engine may count to. zlib-rs 0.6.8 adds up the input of a stream in a `c_ulong`, which
/// has 32 bits on Windows and on 32-bit targets, and lets the sum overflow. It adds up the output in another `c_ulong`,
/// which wraps around; this code does not rely on that.
#[allow(clippy::unnecessary_cast, reason = "it has 64 bits here")]
const MAX_COUNT: u64 = match cfg!(test) {
    false => c_ulong::MAX as u64,
    true => 1 << 20,
};

/// One byte more is requested, to see whether there is one.
const MAX_CONTENT: u64 = MAX_COUNT - 1;

/// Finding the end of a message takes up to 12 bytes more.
const MAX_PAYLOAD: u64 = MAX_COUNT - 12;

/// What is needed inside a message.
///
/// zlib's streams end with a final block, and do not report whether they are between blocks; messages continue after a
/// final block, and have to end at a certain point between blocks. So a stream serves one message at most, and the
/// history that outlives it is kept separately. The end of a message can therefore be found by a test that makes its
/// stream unusable.
pub(super) struct Inflater {
    inflate: Inflate,
    scratch: Box<[u8]>,
    /// Memory for the history of a message without context takeover.
    spare: Vec<u8>,
    /// The last bytes of the payload.
    last: [u8; 4],
    consumed: u64,
    produced: u64,
    /// The final blocks that the message continued after.
    final_blocks: u64,
    /// What those final blocks cost.
    cost: u64,
    credit: u64,
    flow: Flow,
}

/// Only the engine's pointers would prevent this impl, and with it that of a connection's receiving half, which is
/// `UnwindSafe` without the feature `deflate`.
impl UnwindSafe for Inflater {}

/// The engine's position in the payload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flow {
    /// It has returned all output of its input.
    Drained,
    /// It may have more output.
    Full,
    /// The payload ended with the end of a final block.
    Ended,
    /// The output before the error has been returned.
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
    /// Begins a message, with a used engine if there is one.
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

    /// Stores the history if there is context takeover, and returns the engine for another message.
    pub(super) fn end(mut self: Box<Self>, history: &mut History, takeover: bool) -> Box<Self> {
        if !takeover {
            self.spare = history.take();
        }
        self
    }

    /// Sets the history as what the engine inflated last.
    fn prime(&mut self, history: &History) {
        for part in history.parts() {
            if !part.is_empty() {
                // A raw stream accepts any history at any time. If it did not, references to it would be errors.
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

    /// Inflates the next chunk, from what the engine has and from the front of `compressed`, and returns the size of
    /// what is then in [`output`](Self::output). 0: all of `compressed` is consumed and produces no more output.
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

    /// Calls the engine once, and returns how many bytes of its output are within the limit.
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
        // Valid output is returned before the error, so that the first error is the same however the payload is split.
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

    /// Returns how many bytes of payload are allowed, given the output so far.
    fn max_payload(&self) -> u64 {
        self.produced
            .saturating_mul(PAYLOAD_PER_BYTE)
            .saturating_add(FREE_PAYLOAD)
            .min(MAX_PAYLOAD)
    }

    /// Returns whether the input so far produces no more output.
    pub(super) fn is_drained(&self) -> bool {
        matches!(self.flow, Flow::Drained | Flow::Ended)
    }

    fn remember_last(&mut self, taken: &[u8]) {
        for &byte in taken.iter().skip(taken.len().saturating_sub(self.last.len())) {
            self.last.rotate_left(1);
            self.last[3] = byte;
        }
    }

    /// RFC 7692 section 7.2.3.4: other blocks may follow a final block. The window continues across it.
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

    /// Returns the cost that the size of the message pays for.
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

    /// Returns whether the payload ends where a message can end. Makes the stream unusable.
    ///
    /// By RFC 7692 section 7.2.1 the sender flushes to an empty stored block, and omits its lengths, the last four
    /// bytes: the payload stops right before them. With them the stream has to stop between blocks and to produce no
    /// output, which the lengths would do elsewhere, as content or as codes; one more byte, which must not be consumed,
    /// shows that it did stop there. (Inside the header of a block with its own codes, the lengths could be made to
    /// complete an empty block. Section 7.2.2, by which the lengths are put back, accepts that too.)
    pub(super) fn is_complete(&mut self) -> bool {
        if self.flow == Flow::Ended {
            return true;
        }
        if self.last != TAIL {
            return self.stops_after(&[0x00, 0x00, 0xff, 0xff], 0x00);
        }
        // The sender did not omit them. Then the payload ends between blocks, and complete empty blocks can follow; the
        // first one would end an incomplete block, or be a final one if a bit was left over.
        let empty_block = [0x00, 0x00, 0x00, 0xff, 0xff];
        self.stops_after(&empty_block, 0x00) && self.stops_after(&empty_block, 0x00)
    }

    /// Returns whether `bytes` produce no output, and end a block right before the byte `next`.
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
