//! Compression: messages in, the payload of their frames out.

use alloc::vec::Vec;
use core::fmt;

use super::deflater::{Deflater, MAX_COUNT, store};
use super::history::History;
use super::{DeflateConfig, TAIL, Window};

/// Compresses the messages of one direction (RFC 7692 section 7.2.1).
///
/// ```
/// use websocket_proto::deflate::{Compressor, DeflateConfig, Window};
///
/// let mut compressor = Compressor::new(Window::default(), &DeflateConfig::new()).unwrap();
/// let mut payload = Vec::new();
/// compressor.compress(b"Hello", &mut payload);
/// assert_eq!(payload, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
///
/// // A message in two frames; the first ends on a flush, and can be read as it comes.
/// let (mut first, mut last) = (Vec::new(), Vec::new());
/// compressor.push(b"Hel", &mut first);
/// compressor.compress(b"lo", &mut last);
/// assert!(first.ends_with(b"\x00\x00\xff\xff") && !last.ends_with(b"\x00\x00\xff\xff"));
/// ```
pub struct Compressor {
    /// The part of the receiver's window that the engine has not seen.
    history: History,
    /// Exists inside a message, and between messages if it is kept.
    engine: Option<Deflater>,
    kept: Kept,
    bits: u8,
    level: u8,
    threshold: usize,
}

/// What is kept between messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kept {
    /// Without context takeover.
    Nothing,
    /// The history. Inside a message the engine has seen all of it.
    Window,
    /// The engine. The history holds what other compressors compressed meanwhile.
    Engine,
}

impl Compressor {
    /// Creates a compressor for a direction with the negotiated window,
    /// [`Parameters::sender_window`](super::Parameters::sender_window) of our own role. Allocates nothing. Of `config`,
    /// [`send_window_bits`](DeflateConfig::send_window_bits), [`keep_engine`](DeflateConfig::keep_engine),
    /// [`level`](DeflateConfig::level) and [`threshold`](DeflateConfig::threshold) apply.
    ///
    /// Returns `None` for a window of 8 bits: zlib cannot produce raw DEFLATE data for it (it uses 9), so everything is
    /// sent uncompressed, which is always allowed (RFC 7692 section 5.2).
    pub const fn new(window: Window, config: &DeflateConfig) -> Option<Self> {
        if window.bits() < 9 {
            return None;
        }
        let window = window.at_most(config.send_window_bits);
        let (kept, history) = match window.has_context_takeover() {
            false => (Kept::Nothing, 0),
            true if config.keep_engine => (Kept::Engine, window.size()),
            true => (Kept::Window, window.size()),
        };
        Some(Self {
            history: History::new(history),
            engine: None,
            kept,
            bits: window.bits(),
            level: config.level,
            threshold: config.threshold,
        })
    }

    /// Returns whether a message of `size` bytes reaches [`DeflateConfig::threshold`].
    pub const fn should_compress(&self, size: usize) -> bool {
        size >= self.threshold
    }

    /// Compresses a part of a message, and appends it to `out`, flushed so that the receiver can inflate all of it.
    ///
    /// The output is the payload of a frame that is not the message's last; it may be split further. An empty part
    /// appends nothing.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        for part in chunk.chunks(MAX_COUNT) {
            self.push_part(part, out);
        }
    }

    fn push_part(&mut self, part: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        let done = self.engine().deflate(part, out);
        match (done, self.kept) {
            (true, Kept::Window) => self.history.extend(part),
            (true, Kept::Nothing | Kept::Engine) => {}
            // Not known to happen. Later data then refers to nothing before it.
            (false, _) => {
                out.truncate(start);
                self.forget();
                store(part, out);
            }
        }
    }

    /// Returns the engine, after showing it everything that the next message may refer to.
    fn engine(&mut self) -> &mut Deflater {
        if self.engine.as_ref().is_some_and(Deflater::is_spent) {
            self.engine = None;
        }
        let new = || Deflater::new(self.bits, self.level);
        let is_behind = self.engine.is_none() || self.kept == Kept::Engine;
        let engine = self.engine.get_or_insert_with(new);
        if is_behind && !engine.prime(&self.history) {
            // Not known to happen. A new one refers to nothing.
            debug_assert!(false);
            *engine = new();
        }
        if self.kept == Kept::Engine {
            self.history.take();
        }
        engine
    }

    /// Compresses a complete message, or the last part of one, and appends it to `out`. The output is never empty: an
    /// empty message is the byte 0.
    pub fn compress(&mut self, message: &[u8], out: &mut Vec<u8>) {
        self.push(message, out);
        match message.is_empty() {
            // After a flush, as at the beginning, the first bits of an empty stored block.
            true => out.push(0x00),
            // Each flush ends with the tail.
            false => out.truncate(out.len().saturating_sub(TAIL.len())),
        }
        if self.kept != Kept::Engine {
            self.engine = None;
        }
    }

    /// Records a message on this connection that another compressor compressed on its own, such as a broadcast: it is
    /// in the receiver's window, so that later messages can refer to it and to those before it. Call it between
    /// messages only.
    ///
    /// ```
    /// use websocket_proto::deflate::{Compressor, Decompressor, DeflateConfig, Window};
    ///
    /// let config = DeflateConfig::new();
    /// let broadcast = "the same for all connections";
    /// let mut wire = Vec::new();
    /// Compressor::new(Window::default().without_context_takeover(), &config)
    ///     .unwrap()
    ///     .compress(broadcast.as_bytes(), &mut wire);
    ///
    /// let mut compressor = Compressor::new(Window::default(), &config).unwrap();
    /// compressor.extend_window(broadcast.as_bytes());
    /// let mut next = Vec::new();
    /// compressor.compress(broadcast.as_bytes(), &mut next);
    /// assert!(next.len() < 8);
    ///
    /// let mut decompressor = Decompressor::new(Window::default());
    /// for payload in [wire, next] {
    ///     let mut text = Vec::new();
    ///     decompressor.decompress(&payload, 1024, &mut text)?;
    ///     assert_eq!(text, broadcast.as_bytes());
    /// }
    /// # Ok::<(), websocket_proto::deflate::InflateError>(())
    /// ```
    pub fn extend_window(&mut self, message: &[u8]) {
        self.history.extend(message);
    }

    /// Forgets all earlier messages, so that the next one refers to nothing before it. Call it between messages only.
    ///
    /// Call this after sending a message compressed by a different compressor on this connection, unless
    /// [`extend_window`](Self::extend_window) was called for it: the receiver's window has moved on but this one has
    /// not.
    pub fn forget(&mut self) {
        self.history.take();
        self.engine = None;
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("bits", &self.bits)
            .field("takeover", &(self.kept != Kept::Nothing))
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Decompressor, InflateError};
    use super::*;

    /// Text that does not repeat within a window, and the same for each number.
    fn noise(size: usize, seed: u32) -> Vec<u8> {
        let mut state = seed;
        core::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(size)
        .collect()
    }

    /// Compresses a message of many parts, or many messages of one, until the engine has counted as much as it may
    /// several times over, and inflates all. How often it was another engine than before that went on.
    fn renewals(takeover: bool, keep: bool, is_one_message: bool) -> usize {
        let window = match takeover {
            true => Window::default(),
            false => Window::default().without_context_takeover(),
        };
        let config = DeflateConfig::new().keep_engine(keep);
        let mut compressor = Compressor::new(window, &config).unwrap();
        let mut decompressor = Decompressor::new(window);
        let (mut renewals, mut counted, mut wire, mut content) = (0, 0, Vec::new(), Vec::new());
        for part in 0..5 * MAX_COUNT as u32 / 1000 {
            let part = noise(1000, part % 3);
            compressor.push(&part, &mut wire);
            content.extend(part);
            let now = compressor.engine.as_ref().map_or(0, Deflater::count);
            assert!(now <= 2 * MAX_COUNT as u64, "{now}");
            renewals += usize::from(now < counted);
            counted = now;
            if !is_one_message {
                compressor.compress(b"", &mut wire);
                counted = compressor.engine.as_ref().map_or(0, Deflater::count);
                decompressor
                    .push(&wire, u64::MAX, |chunk| take(&mut content, chunk))
                    .unwrap();
                decompressor.finish().unwrap();
                wire.clear();
            }
        }
        if is_one_message {
            compressor.compress(b"", &mut wire);
            decompressor
                .push(&wire, u64::MAX, |chunk| take(&mut content, chunk))
                .unwrap();
            decompressor.finish().unwrap();
        }
        assert!(content.is_empty(), "all came");
        renewals
    }

    /// `chunk` is what comes next.
    fn take(content: &mut Vec<u8>, chunk: &[u8]) -> Result<(), InflateError> {
        assert!(content.starts_with(chunk));
        content.drain(..chunk.len());
        Ok(())
    }

    // RFC 7692 section 7.2.1: after another engine took over, references reach only what is in the receiver's
    // window.
    #[test]
    fn engines_are_renewed_before_they_count_more_than_they_can() {
        for takeover in [true, false] {
            for keep in [true, false] {
                assert!(renewals(takeover, keep, true) >= 4, "{takeover} {keep}");
            }
        }
        assert!(renewals(true, true, false) >= 4);
    }

    // A part larger than an engine can count is passed to several.
    #[test]
    fn parts_of_any_size_are_given_to_the_engine_piece_by_piece() {
        let content = noise(3 * MAX_COUNT, 1);
        for keep in [true, false] {
            let config = DeflateConfig::new().keep_engine(keep);
            let mut compressor = Compressor::new(Window::default(), &config).unwrap();
            let (mut wire, mut out) = (Vec::new(), Vec::new());
            compressor.push(&content, &mut wire);
            assert!(compressor.engine.as_ref().unwrap().count() <= 2 * MAX_COUNT as u64);
            compressor.compress(b"", &mut wire);
            Decompressor::new(Window::default())
                .decompress(&wire, u64::MAX, &mut out)
                .unwrap();
            assert!(out == content);
        }
    }
}
